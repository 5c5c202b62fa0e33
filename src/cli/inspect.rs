//! `pyzpack inspect`: what is in a `.pyz`, or in a wheel, and what of it refers into a directory. Both are read strictly;
//! nothing of them is run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use serde_json::{Value, json};

use crate::archive::Limits;
use crate::evidence::Manifest;
use crate::inspect::{Inspected, inspect};
use crate::references::{Directory, Place, Reference, Searched, Unopened, find_references};
use crate::shown::{count, shown, shown_in_line};
use crate::status::Status;
use crate::target::{PythonMinor, Pythons, runs_on};
use crate::wheel::{Origin, VerifiedWheel, WheelInput, verify_wheel};

use super::{print_bytes, report};

pub(super) fn run(matches: &ArgMatches) -> Status {
    let path = PathBuf::from(matches.get_one::<String>("file").map_or("", String::as_str));
    if let Some(directory) = matches.get_one::<Directory>("references") {
        return search(&path, directory, matches.get_flag("json"));
    }
    let show = Show { files: matches.get_flag("files"), json: matches.get_flag("json") };
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("whl")) {
        let input = WheelInput { path: path.clone(), expected: None, origin: Origin::Local };
        return match verify_wheel(&input, &Limits::default()) {
            Ok(wheel) => print_bytes(describe_wheel(&wheel, &show).as_bytes()),
            Err(error) => report::fail(&error),
        };
    }
    match inspect(&path) {
        Ok(inspected) => print_bytes(describe_archive(&path, &inspected, &show).as_bytes()),
        Err(error) => report::fail(&error),
    }
}

/// Tells what refers into `directory`; that something does is the answer no.
fn search(path: &Path, directory: &Directory, as_json: bool) -> Status {
    let searched = match find_references(path, directory, &std::env::temp_dir()) {
        Ok(searched) => searched,
        Err(error) => return report::fail(&error),
    };
    let text = if as_json {
        format!("{:#}\n", references_document(path, directory, &searched))
    } else {
        for Unopened { member, reason } in &searched.unopened {
            report::say(&format!("warning: not looked into `{}`: {}", in_line(member), shown_in_line(reason)));
        }
        describe_references(path, directory, &searched)
    };
    match print_bytes(text.as_bytes()) {
        Status::Done if !searched.found.is_empty() => Status::Refused,
        status => status,
    }
}

fn describe_references(path: &Path, directory: &Directory, searched: &Searched) -> String {
    if searched.found.is_empty() {
        let members = count(usize::try_from(searched.members).unwrap_or(usize::MAX), "file");
        let directory = shown_in_line(directory.path());
        return format!("{}: no reference to `{directory}` in {members}\n", shown_in_line(&path.display().to_string()));
    }
    let mut text = String::new();
    for Reference { member, distribution, place, text: reference } in &searched.found {
        let of = distribution.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let place = match (place, member.is_empty()) {
            (Place::FirstLine, true) => "its first line".to_owned(),
            (Place::Headers, true) => "its headers".to_owned(),
            (Place::FirstLine, false) => format!("{}{of}, its first line", in_line(member)),
            (Place::Headers, false) => format!("{}{of}, its headers", in_line(member)),
            (Place::Contents, _) => format!("{}{of}", in_line(member)),
            (Place::Name, _) => format!("{}{of}, its name", in_line(member)),
        };
        let _ = writeln!(text, "{place}: `{}`", shown_in_line(reference));
    }
    text
}

/// A member with those that it lies in.
fn in_line(member: &[String]) -> String {
    shown_in_line(&member.join(" / ")).into_owned()
}

fn references_document(path: &Path, directory: &Directory, searched: &Searched) -> Value {
    let references = searched.found.iter().map(|reference| {
        json!({
            "path": reference.member,
            "distribution": reference.distribution,
            "place": reference.place.name(),
            "reference": reference.text,
        })
    });
    let unopened = searched.unopened.iter().map(|one| json!({"path": one.member, "reason": one.reason}));
    json!({
        "file": path.display().to_string(),
        "directory": directory.path(),
        "files": searched.members,
        "references": references.collect::<Vec<_>>(),
        "not_looked_into": unopened.collect::<Vec<_>>(),
    })
}

/// How much is shown, and how.
struct Show {
    files: bool,
    json: bool,
}

fn describe_archive(path: &Path, inspected: &Inspected, show: &Show) -> String {
    let manifest = &inspected.manifest;
    let runs = runs_on_line(manifest);
    if show.json {
        let mut document = serde_json::to_value(manifest).unwrap_or_default();
        if let Value::Object(document) = &mut document {
            document.insert("file".to_owned(), path.display().to_string().into());
            document.insert("size".to_owned(), inspected.size.into());
            document.insert("sha256".to_owned(), inspected.sha256.to_string().into());
            document.insert("shebang".to_owned(), inspected.shebang.clone().into());
            document.insert("runs_on".to_owned(), runs.into());
        }
        return format!("{document:#}\n");
    }
    let mut text = String::new();
    let version = manifest.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let unpacked: u64 = manifest.files.iter().map(|file| file.size).sum();
    let _ = writeln!(text, "{}: {}{version}", path.display(), manifest.name);
    let rows = [
        ("size", format!("{}, {} unpacked", report::size(inspected.size), report::size(unpacked))),
        ("sha256", inspected.sha256.to_string()),
        ("starts", manifest.entry_point.clone()),
        ("shebang", inspected.shebang.clone()),
        ("layout", format!("{}, {}", manifest.layout, count(manifest.files.len(), "file"))),
        ("built by", format!("{} {}", manifest.tool.name, manifest.tool.version)),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<9} {value}");
    }
    if !manifest.recipe.bytecode.is_empty() {
        let _ = writeln!(text, "  {:<9} CPython {}", "bytecode", manifest.recipe.bytecode.join(", "));
    }
    let scripts: Vec<&str> = manifest.console_scripts.keys().map(String::as_str).collect();
    if !scripts.is_empty() {
        let _ = writeln!(text, "  {:<9} {}", "scripts", scripts.join(", "));
    }
    let _ = writeln!(text, "  {}:", count(manifest.wheels.len(), "distribution"));
    for wheel in &manifest.wheels {
        let _ = writeln!(text, "    {} {} ({}) sha256 {}", wheel.name, wheel.version, wheel.origin, wheel.sha256);
    }
    if show.files {
        let _ = writeln!(text, "  files:");
        for file in &manifest.files {
            let _ = writeln!(text, "    {} {} {:>10} {}", file.sha256, file.mode, file.size, file.path);
        }
    }
    let _ = writeln!(text, "{runs}");
    shown(&text).into_owned()
}

fn runs_on_line(manifest: &Manifest) -> String {
    let minors: Vec<PythonMinor> = manifest.pythons.iter().filter_map(|minor| minor.parse().ok()).collect();
    runs_on(&Pythons { minors, open_ended: false, refused: Vec::new() }, &manifest.platform)
}

fn describe_wheel(wheel: &VerifiedWheel, show: &Show) -> String {
    let unpacked: u64 = wheel.files.iter().map(|file| file.entry.size).sum();
    let tags: Vec<String> = wheel.filename.tags.iter().map(ToString::to_string).collect();
    if show.json {
        let files: Vec<Value> = wheel
            .files
            .iter()
            .map(|file| {
                json!({
                    "path": file.entry.path.as_str(), "sha256": file.contents.sha256, "size": file.entry.size,
                })
            })
            .collect();
        let mut document = json!({
            "file": wheel.path.display().to_string(),
            "name": wheel.metadata.name,
            "version": wheel.metadata.version.to_string(),
            "sha256": wheel.sha256,
            "tags": tags,
            "requires_python": wheel.metadata.requires_python.as_ref().map(ToString::to_string),
            "requires_dist": wheel.metadata.requires_dist,
            "console_scripts": wheel.entry_points.console_scripts,
        });
        if let (Value::Object(document), true) = (&mut document, show.files) {
            document.insert("files".to_owned(), files.into());
        }
        return format!("{document:#}\n");
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}: {} {}", wheel.path.display(), wheel.metadata.display_name, wheel.metadata.version);
    let _ = writeln!(text, "  sha256    {}", wheel.sha256);
    let _ = writeln!(text, "  tags      {}", tags.join(" "));
    let _ = writeln!(text, "  files     {}, {} unpacked", wheel.files.len(), report::size(unpacked));
    if let Some(requires) = &wheel.metadata.requires_python {
        let _ = writeln!(text, "  python    {requires}");
    }
    for requirement in &wheel.metadata.requires_dist {
        let _ = writeln!(text, "  requires  {requirement}");
    }
    for (name, object) in &wheel.entry_points.console_scripts {
        let _ = writeln!(text, "  script    {name} = {object}");
    }
    if show.files {
        for file in &wheel.files {
            let _ = writeln!(text, "    {} {:>10} {}", file.contents.sha256, file.entry.size, file.entry.path);
        }
    }
    shown(&text).into_owned()
}
