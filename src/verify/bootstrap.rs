//! What starts the program: it is this version's own, byte for byte, and its constants are those of this file.

use std::collections::{BTreeMap, BTreeSet};

use super::container::{Container, payload_names};
use super::contents::Contents;
use super::opened::{Opened, VerifyError};
use super::problem::Problem;
use super::report::Finding;
use crate::archive::ArchivePath;
use crate::digest::Sha256Digest;
use crate::evidence::{MANIFEST_PATH, Manifest, ORIGINS_PATH};
use crate::finished::is_own;
use crate::runtime::{
    Bootstrap, Entry, FIND_PATH, Layout, MARKER_OF_TREE, is_own_root, name_tree, read_find, support_files,
};
use crate::wheel::EntryPoints;

/// A `find.py` or an `entry_points.txt` larger than this is not read.
const TEXT_LIMIT: u64 = 16 << 20;

pub(super) fn check(
    manifest: &Manifest,
    opened: &Opened,
    container: &Container,
    contents: &Contents<'_>,
) -> Result<Finding, VerifyError> {
    let mut problems = unknown_entries(manifest, container, contents);
    let version = env!("CARGO_PKG_VERSION");
    let tool = format!("{} {}", manifest.tool.name, manifest.tool.version);
    if tool != format!("pyzpack {version}") {
        let why = format!("it is that of {tool}, which pyzpack {version} cannot compare");
        return Ok(if problems.is_empty() { Finding::Skipped(why) } else { Finding::Failed(problems) });
    }
    for (path, text) in support_files() {
        match contents.own.get(path) {
            None if contents.is_broken(path) => {}
            None => problems.push(Problem::BootstrapMissing(path.to_owned())),
            Some(found) if found.sha256 != Sha256Digest::of(text.as_bytes()) => {
                problems.push(Problem::BootstrapDiffers(path.to_owned()));
            }
            Some(_) => {}
        }
    }
    match contents.read_file(opened, FIND_PATH, TEXT_LIMIT)? {
        None if contents.is_broken(FIND_PATH) => {}
        None => problems.push(Problem::BootstrapMissing(FIND_PATH.to_owned())),
        Some(Err(problem)) => problems.push(problem),
        Some(Ok(bytes)) => match read_find(&bytes) {
            None => problems.push(Problem::BootstrapDiffers(FIND_PATH.to_owned())),
            Some(bootstrap) => check_constants(&bootstrap, manifest, opened, container, contents, &mut problems)?,
        },
    }
    Ok(Finding::of(problems, || format!("that of {tool}, starts {}", manifest.entry_point)))
}

/// Entries of the file's own that no version puts there.
fn unknown_entries(manifest: &Manifest, container: &Container, contents: &Contents<'_>) -> Vec<Problem> {
    let payloads: BTreeSet<String> = payload_names().take(container.payloads().len()).collect();
    let ours = |name: &str| {
        let script = name.strip_prefix("_pyzpack/").is_some_and(|rest| rest.ends_with(".py") && !rest.contains('/'));
        // Another version may have other scripts.
        let known = manifest.tool.version != env!("CARGO_PKG_VERSION") && script;
        known
            || matches!(name, FIND_PATH | MANIFEST_PATH | ORIGINS_PATH)
            || support_files().iter().any(|(path, _)| *path == name)
            || payloads.contains(name)
    };
    let mut unknown: Vec<String> =
        contents.own.keys().filter(|name| !ours(name)).map(|name| (*name).to_owned()).collect();
    // Beside payloads the application has no files; without any, none that starts in place of `__main__.py`.
    let starts = |path: &ArchivePath| path.folded().split('/').next().is_some_and(is_own_root);
    let beside = container.outer().structure.files.iter().map(|entry| &entry.path);
    let beside = beside.filter(|path| !is_own(path.as_str()));
    let beside = beside.filter(|path| !container.payloads().is_empty() || starts(path));
    unknown.extend(beside.map(ToString::to_string));
    let unpacked = container.payloads().iter().flat_map(|payload| &payload.structure.files).map(|entry| &entry.path);
    let marks = |path: &&ArchivePath| path.folded().split('/').next() == Some(MARKER_OF_TREE);
    unknown.extend(unpacked.filter(marks).map(ToString::to_string));
    // Directories are for zipimport: none where everything is unpacked, and none that nothing lies in.
    let files: BTreeSet<&str> = container.outer().structure.files.iter().map(|entry| entry.path.as_str()).collect();
    let holds = |directory: &str| {
        let below = format!("{directory}/");
        files.range(below.as_str()..).next().is_some_and(|file| file.starts_with(&below))
    };
    let directories = |zip: bool, archive: &super::container::Archive| -> Vec<String> {
        let listed = archive.structure.directories.iter().map(ArchivePath::as_str);
        listed.filter(|directory| !zip || !holds(directory)).map(|directory| format!("{directory}/")).collect()
    };
    unknown.extend(directories(container.payloads().is_empty(), container.outer()));
    unknown.extend(container.payloads().iter().flat_map(|payload| directories(false, payload)));
    unknown.into_iter().map(Problem::UnknownEntry).collect()
}

/// The constants, against the manifest and the files.
fn check_constants(
    bootstrap: &Bootstrap,
    manifest: &Manifest,
    opened: &Opened,
    container: &Container,
    contents: &Contents<'_>,
    problems: &mut Vec<Problem>,
) -> Result<(), VerifyError> {
    let mut differs = |what: &'static str, expected: String, found: String| {
        if expected != found {
            problems.push(Problem::BootstrapConstant { what, expected, found });
        }
    };
    differs("name", manifest.name.clone(), bootstrap.name.clone());
    differs("version", manifest.version.clone().unwrap_or_default(), bootstrap.version.clone());
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    differs("requires-python", text(&manifest.requires_python), text(&bootstrap.requires_python));
    let pythons: Vec<String> = bootstrap.pythons.iter().map(|(major, minor)| format!("{major}.{minor}")).collect();
    differs("pythons", manifest.pythons.join(", "), pythons.join(", "));
    differs("platform", manifest.platform.clone(), bootstrap.platform.clone());
    differs("entry point", manifest.entry_point.clone(), describe(&bootstrap.entry));
    let at_root = |path: &&&str| path.ends_with(".pth") && !path.contains('/');
    if let Layout::Extract { payloads, tree } = &bootstrap.layout {
        let expected = name_tree(payloads, |bytes| *Sha256Digest::of(bytes).as_bytes());
        differs("tree", Sha256Digest::from(expected).to_string(), Sha256Digest::from(*tree).to_string());
    }
    let pth: Vec<&str> = contents.installed.keys().filter(at_root).copied().collect();
    differs("pth files", pth.join(", "), bootstrap.pth.join(", "));

    let offered = offered_scripts(opened, contents)?;
    for (name, entry) in &bootstrap.console_scripts {
        let object = describe(entry);
        let known = match (manifest.console_scripts.get(name), entry) {
            (Some(expected), _) => {
                differs("console script", format!("{name} = {expected}"), format!("{name} = {object}"));
                continue;
            }
            (None, Entry::PythonScript { path } | Entry::Executable { path }) => *path == format!("bin/{name}"),
            (None, _) => offered.get(name).is_some_and(|objects| objects.contains(&object)),
        };
        if !known {
            differs("console script", "none".to_owned(), format!("{name} = {object}"));
        }
    }
    for (name, expected) in &manifest.console_scripts {
        if !bootstrap.console_scripts.contains_key(name) {
            differs("console script", format!("{name} = {expected}"), "none".to_owned());
        }
    }
    for entry in bootstrap.console_scripts.values().chain([&bootstrap.entry]) {
        if let Entry::PythonScript { path } | Entry::Executable { path } = entry
            && !contents.installed.contains_key(path.as_str())
            && !contents.is_broken(path)
        {
            differs("script", path.clone(), "no such file".to_owned());
        }
    }

    let payloads = match &bootstrap.layout {
        Layout::Zip => &[][..],
        Layout::Extract { payloads, .. } => payloads,
    };
    let expected: Vec<_> = container
        .payloads()
        .iter()
        .filter_map(|payload| payload.name.as_deref())
        .filter_map(|name| Some((name.to_owned(), contents.own.get(name)?.sha256.as_bytes().to_owned())))
        .collect();
    let found: Vec<_> = payloads.iter().map(|payload| (payload.name.clone(), payload.sha256)).collect();
    for (index, payload) in container.payloads().iter().enumerate() {
        if expected.get(index) != found.get(index) {
            problems.push(Problem::BootstrapPayload(payload.name.clone().unwrap_or_default()));
        }
    }
    if found.len() > expected.len() {
        problems.push(Problem::BootstrapPayload(found[expected.len()].0.clone()));
    }
    Ok(())
}

/// The scripts that the distributions offer, by name, and the objects that they start.
fn offered_scripts(
    opened: &Opened,
    contents: &Contents<'_>,
) -> Result<BTreeMap<String, BTreeSet<String>>, VerifyError> {
    let mut offered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let files = contents.installed.keys().filter(|path| {
        path.strip_suffix("/entry_points.txt").is_some_and(|root| root.ends_with(".dist-info") && !root.contains('/'))
    });
    for path in files {
        // What cannot be read offers nothing: a script that is not among the others is then a problem.
        let Some(Ok(bytes)) = contents.read_file(opened, path, TEXT_LIMIT)? else { continue };
        let Ok(EntryPoints { console_scripts, gui_scripts }) = EntryPoints::parse(&bytes) else { continue };
        for (name, object) in console_scripts.into_iter().chain(gui_scripts) {
            offered.entry(name).or_default().insert(object.to_string());
        }
    }
    Ok(offered)
}

/// An entry as the manifest writes it.
fn describe(entry: &Entry) -> String {
    match entry {
        Entry::Object { module, attr } => format!("{module}:{attr}"),
        Entry::Module { module } => module.clone(),
        Entry::PythonScript { path } | Entry::Executable { path } => path.clone(),
    }
}
