//! Short texts: requirements, markers, versions, names. What is written again has to mean the same.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use pyzpack::archive::{ArchivePath, Epoch, Shebang};
use pyzpack::digest::Sha256Digest;
use pyzpack::names::PackageName;
use pyzpack::redact::{Secrets, recorded_url, redact_url};
use pyzpack::shown::{shown, shown_in_line};
use pyzpack::target::{
    Marker, Platform, PythonMinor, Requirement, WheelFilename, WheelTag, is_sdist_name, sdist_versions,
    specifiers_contain,
};
use pyzpack::urls;
use pyzpack::wheel::ObjectReference;

use super::{environment, parts, target};

/// The text's reading, where it has one; written and read again it has to be written in the same way.
fn read_twice<T: FromStr + Display>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    let again = written.parse::<T>().ok().map(|again| again.to_string());
    assert_eq!(again.as_deref(), Some(&*written), "{text:?} is not written as it can be read");
    Some(read)
}

/// A requirement, a marker, specifiers and a version.
pub fn requirement(bytes: &[u8]) {
    let [requirement, marker, specifiers, version] = parts(bytes);
    let text = |part| std::str::from_utf8(part).unwrap_or_default();
    if let Some(requirement) = read_twice::<Requirement>(text(requirement)) {
        let _ = (requirement.text_with_credentials(), requirement.specifiers());
    }
    if let Some(marker) = read_twice::<Marker>(text(marker)) {
        let extras = BTreeSet::from(["test".parse().expect("a name")]);
        let _ = target().applies(&marker, &extras);
        let _ = target().applies(&marker, &BTreeSet::new());
        let _ = (marker.literals().count(), marker.negated().map(|marker| marker.to_string()));
        let _ = (marker.assume_extra(None), marker.with_extras_as_set());
        let _ = marker.and("os_name == 'posix'".parse().expect("a marker")).to_string();
    }
    let _ = environment();
    let specifiers = text(specifiers).parse::<VersionSpecifiers>();
    let version = text(version).parse::<Version>();
    if let (Ok(specifiers), Ok(version)) = (&specifiers, &version) {
        let _ = specifiers_contain(specifiers, version);
    }
    if let Ok(specifiers) = &specifiers {
        let _ = PythonMinor::new(3, 11).satisfies(specifiers);
        let _ = target().satisfies(specifiers);
    }
}

/// Names of files, distributions, platforms, and URLs.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = read_twice::<PackageName>(text) {
        let _ = sdist_versions(text, &name).count();
    }
    let _ = read_twice::<WheelFilename>(text);
    let _ = read_twice::<PythonMinor>(text);
    let _ = read_twice::<Platform>(text).map(|platform| platform.tags());
    let _ = read_twice::<ObjectReference>(text);
    let _ = read_twice::<Sha256Digest>(text);
    let _ = WheelTag::parse_set(text);
    let _ = (is_sdist_name(text), Epoch::parse(text), Shebang::new(text));
    let _ = (shown(text), shown_in_line(text));
    if let Ok(path) = ArchivePath::new(text) {
        let _ = (path.folded(), path.ancestors().count(), path.file_name());
    }
    let _ = (urls::scheme(text), urls::authority(text), urls::origin(text), urls::file_name(text));
    let _ = (urls::split_login(text), urls::path_of_file_url(text));
    let mut secrets = Secrets::default();
    secrets.add_urls_of(text);
    let _ = (redact_url(text), recorded_url(text), secrets.redact(text));
    let _ = pyzpack::project::input::Input::parse(text, &super::directory());
}
