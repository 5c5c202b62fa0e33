//! Where an application's files lie in an archive: each tool that packs has a place of its own for them. Two archives with
//! different places are compared by what the files are called once they are installed.

use std::collections::BTreeMap;
use std::io;

use super::names::explain_names;
use super::tool_of;
use crate::archive::{LenientEntry, LenientZip, Oddity};
use crate::diff::contents::Tool;
use crate::diff::difference::{Difference, Findings, LINE, Layer, cut};
use crate::shown::count;

/// Where the application's files lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrangement {
    /// In the archive's root.
    Root,
    /// In `site-packages`, as shiv puts them.
    SitePackages,
    /// In a directory for each wheel, as pex puts them.
    Deps,
    /// In archives that are members of this one, as pyzpack's layout `extract` has it.
    Payload,
}

/// What a member of an application is.
enum Role {
    /// A file of the application, by its name as installed.
    Application(Vec<u8>),
    /// The tool's own.
    Own,
    /// An archive with files of the application.
    Payload,
    /// An entry for a directory.
    Directory,
}

impl Arrangement {
    /// That of an application; none where it is no application.
    fn of(zip: &LenientZip) -> Option<Self> {
        let any = |test: &dyn Fn(&LenientEntry) -> bool| zip.entries.iter().any(test);
        match tool_of(zip) {
            Some(Tool::Pex) => Some(Self::Deps),
            Some(Tool::Shiv) => Some(Self::SitePackages),
            Some(Tool::Pyzpack) if any(&is_payload) => Some(Self::Payload),
            Some(Tool::Pyzpack) => Some(Self::Root),
            None => any(&|entry| entry.raw_name() == b"__main__.py").then_some(Self::Root),
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::Root => "the archive's root",
            Self::SitePackages => "site-packages/",
            Self::Deps => ".deps/, a directory for each wheel",
            Self::Payload => "_pyzpack/payload.zip",
        }
    }

    fn role(self, entry: &LenientEntry, tool: Option<Tool>) -> Role {
        let raw = entry.raw_name();
        if raw.ends_with(b"/") {
            return Role::Directory;
        }
        let application = |name: &[u8]| Role::Application(name.to_vec());
        match self {
            Self::SitePackages => {
                return raw.strip_prefix(b"site-packages/").map_or(Role::Own, application);
            }
            Self::Deps if raw == b"PEX-INFO" => return Role::Own,
            Self::Deps => {
                if let Some(inside) = raw.strip_prefix(b".deps/") {
                    let name = inside.iter().position(|byte| *byte == b'/').map_or(inside, |at| &inside[at + 1..]);
                    let scripts_and_data = [b".prefix/data/".as_slice(), b".prefix/"];
                    let name = scripts_and_data.iter().find_map(|place| name.strip_prefix(*place)).unwrap_or(name);
                    let is_note = name == b".layout.json"
                        || name.split(|byte| *byte == b'/').any(|part| part.ends_with(b".pex-info"));
                    return if is_note { Role::Own } else { application(name) };
                }
            }
            Self::Payload if is_payload(entry) => return Role::Payload,
            Self::Payload | Self::Root => {}
        }
        let name = entry.name();
        let own = tool.map_or(name == "__main__.py", |tool| tool.owns(&name));
        if own { Role::Own } else { application(raw) }
    }
}

fn is_payload(entry: &LenientEntry) -> bool {
    let name = entry.raw_name();
    name.starts_with(b"_pyzpack/payload") && name.ends_with(b".zip")
}

/// The same two archives, their entries called as the application's files are once they are installed; none where both have
/// these in the same place, or one of them is no application, or has files where they cannot be read in place.
///
/// What a tool has of its own is counted, and left out where the tools are two.
pub(super) fn arrange(
    first: &LenientZip,
    second: &LenientZip,
    member: &[String],
    findings: &mut Findings,
) -> io::Result<Option<[LenientZip; 2]>> {
    let (Some(one), Some(other)) = (Arrangement::of(first), Arrangement::of(second)) else { return Ok(None) };
    let tools = [tool_of(first), tool_of(second)];
    if one == other && tools[0] == tools[1] {
        return Ok(None);
    }
    let keep_own = tools[0] == tools[1];
    let Some(first) = Arranged::new(first, one, tools[0], keep_own)? else { return Ok(None) };
    let Some(second) = Arranged::new(second, other, tools[1], keep_own)? else { return Ok(None) };
    let mut tell = |what: &'static str, sides: [String; 2]| {
        if sides[0] != sides[1] {
            let [one, other] = sides;
            findings.push(Difference::new(Layer::Container, member, what).sides(one, other));
        }
    };
    tell("where the application's files lie", [one, other].map(|arrangement| arrangement.place().to_owned()));
    let own = |tool: Option<Tool>, arranged: &Arranged| {
        format!("{} of {}", count(arranged.own, "file"), tool.map_or("the archive's own", Tool::name))
    };
    tell("what starts it", [own(tools[0], &first), own(tools[1], &second)]);
    let directories = |arranged: &Arranged| arranged.directories.to_string();
    tell("entries for directories", [directories(&first), directories(&second)]);
    Ok(Some([first.zip, second.zip]))
}

struct Arranged {
    zip: LenientZip,
    own: usize,
    directories: usize,
}

impl Arranged {
    fn new(zip: &LenientZip, arrangement: Arrangement, tool: Option<Tool>, keep_own: bool) -> io::Result<Option<Self>> {
        let mut entries = Vec::with_capacity(zip.entries.len());
        let mut oddities = zip.oddities.clone();
        let (mut own, mut directories) = (0, 0);
        for entry in &zip.entries {
            match arrangement.role(entry, tool) {
                Role::Application(name) => entries.push(renamed(entry, &name)),
                Role::Directory => directories += 1,
                Role::Own => {
                    own += 1;
                    if keep_own {
                        entries.push(entry.clone());
                    }
                }
                Role::Payload => {
                    let Some(inside) = read_payload(zip, entry)? else { return Ok(None) };
                    let (files, further) = inside;
                    entries.extend(files.into_iter().filter(|entry| !entry.raw_name().ends_with(b"/")));
                    oddities.extend(further);
                }
            }
        }
        let zip = LenientZip { entries, oddities, ..zip.clone() };
        Ok(Some(Self { zip, own, directories }))
    }
}

/// An entry under another name.
fn renamed(entry: &LenientEntry, name: &[u8]) -> LenientEntry {
    let mut entry = entry.clone();
    // That the local header has another name than the central one is one more thing that may differ.
    if let Some(local) = entry.local.as_mut().filter(|local| local.name == entry.central.name) {
        local.name = name.into();
    }
    entry.central.name = name.into();
    entry
}

/// The entries of an archive that is stored in another, by their places in the outer one; none where it is not stored as it is,
/// or no zip.
fn read_payload(zip: &LenientZip, entry: &LenientEntry) -> io::Result<Option<(Vec<LenientEntry>, Vec<Oddity>)>> {
    let place = entry.data_offset.filter(|_| entry.central.method == 0 && !entry.is_encrypted());
    let Some((place, data)) = place.zip(zip.data(entry)) else { return Ok(None) };
    let Some(inner) = LenientZip::read(&data)? else { return Ok(None) };
    let mut entries = inner.entries;
    for entry in &mut entries {
        entry.header_offset = entry.header_offset.saturating_add(place);
        entry.data_offset = entry.data_offset.and_then(|offset| offset.checked_add(place));
    }
    Ok(Some((entries, inner.oddities)))
}

/// What installers make of entry points.
pub(in crate::diff) const SCRIPTS: &str = "scripts in bin";

/// Files that only one of two tools puts there, by what they are.
pub(in crate::diff) fn class_of(name: &str) -> Option<&'static str> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let is_note = ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"].contains(&base);
    match () {
        () if std::path::Path::new(base).extension().is_some_and(|end| end == "pyc") => Some("compiled modules"),
        () if is_note && name.contains(".dist-info/") => Some("notes of an installer"),
        () if name.strip_prefix("bin/").is_some_and(|rest| !rest.contains('/')) => Some(SCRIPTS),
        () => None,
    }
}

/// Tells of files on one side that belong together in one line each.
pub(super) fn tell_classes(
    side: usize,
    classes: &BTreeMap<&'static str, Vec<&LenientEntry>>,
    member: &[String],
    findings: &mut Findings,
) {
    for (what, entries) in classes {
        if let Some((kind, text)) = explain_names(side, entries, findings) {
            findings.cause(kind, text, &[]);
        }
        let mut difference = Difference::new(Layer::Files, member, what);
        difference.sides[side] = Some(count(entries.len(), "file"));
        difference.entries = entries.len();
        difference.examples = entries.iter().map(|entry| cut(entry.name(), LINE)).collect();
        findings.push(difference);
    }
}
