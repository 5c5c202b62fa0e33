//! Package URLs (purl specification): the name under which others know a distribution, a vulnerability database for one.
//!
//! `pkg:pypi` says that an index served it, and which one where that is not the default. What no index served is
//! `pkg:generic`, and so is what several may have served: a private package must never be taken for the public one that
//! happens to have its name.

use std::collections::BTreeMap;
use std::fmt;

use super::manifest::{ManifestSource, ManifestWheel, Recipe, RecipeInput};
use super::origins::{BuildRequirementNote, OriginNote, Provider};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::redact::recorded_url;
use crate::target::{Requirement, RequirementSource, is_any_sdist_name};
use crate::urls::{authority, scheme, split_login};

/// The index that `pkg:pypi` means where it names none, and the server of its files, each by the sha256 of its host: no
/// registry's host name stands in this source.
const DEFAULT_HOSTS: [&str; 2] = [
    "a4aa2ac280bb8d1a0ce7a1be5a7bfb10292b49fe9435ad5cff19f421f3c70e41",
    "c899567ee906851741bf7f3bde17a33777859ff9f53ff54d6f0ea54cf31ad636",
];

/// Which index served what came from one: the archive does not hold it, since it decides about no byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IndexNote {
    /// The default one.
    #[default]
    Default,
    /// The one at this URL, without credentials.
    Named(String),
    /// Nothing says which.
    Unsaid,
}

impl IndexNote {
    /// What the options `--index-url` and `--extra-index-url` say.
    pub fn from_options(index_url: Option<&str>, extra_index_urls: &[String]) -> Self {
        match index_url {
            _ if !extra_index_urls.is_empty() => Self::Unsaid,
            Some(url) => Self::at(url),
            None => Self::Default,
        }
    }

    /// The index at this URL. One on the machine that built is nobody else's.
    fn at(url: &str) -> Self {
        let url = recorded_url(&split_login(url).0);
        let url = url.trim_end_matches('/');
        match scheme(url).as_deref() {
            Some("http" | "https") if is_of_default_index(url) => Self::Default,
            Some("http" | "https") => Self::Named(url.to_owned()),
            _ => Self::Unsaid,
        }
    }
}

/// Whether a URL is the default index's.
pub(crate) fn is_of_default_index(url: &str) -> bool {
    let host = authority(&split_login(url).0);
    host.is_some_and(|host| DEFAULT_HOSTS.contains(&Sha256Digest::of(host.as_bytes()).to_string().as_str()))
}

/// The purl of a packed wheel; of one that was built here, that of its source.
pub(crate) fn of_wheel(wheel: &ManifestWheel, note: Option<&OriginNote>, recipe: &Recipe, index: &IndexNote) -> String {
    let archive = wheel.source.as_ref().filter(|source| source.sha256.is_some());
    let (filename, subpath) = match archive {
        Some(source) => split_subdirectory(&source.uri),
        None => (wheel.filename.as_str(), None),
    };
    let mut purl = Purl::new(wheel.name.as_str(), &wheel.version);
    purl.set("file_name", filename);
    purl.subpath = subpath;
    let server = served_by(wheel, note, recipe, index);
    purl.served_by(&server);
    purl.to_string()
}

/// The URL that a packed wheel, or the archive that it was built from, is known to come from; none for a commit.
pub(crate) fn url_of_wheel(wheel: &ManifestWheel, note: Option<&OriginNote>, recipe: &Recipe) -> Option<String> {
    match served_by(wheel, note, recipe, &IndexNote::Unsaid) {
        Server::Url(url) => Some(split_subdirectory(&url).0.to_owned()),
        Server::Index(_) | Server::Commit(..) | Server::Nobody => None,
    }
}

/// The purl of a distribution that a wheel was built with.
pub(crate) fn of_build_requirement(required: &BuildRequirementNote, recipe: &Recipe, index: &IndexNote) -> String {
    // One that was itself built here is no file of an index.
    let server = match (required.sha256, &recipe.lock) {
        (None, _) if required.filename.starts_with("git+") => Server::Commit(required.filename.clone(), None),
        (None, _) => Server::Nobody,
        (Some(_), Some(_)) => Server::Index(IndexNote::Default),
        (Some(_), None) => Server::Index(index.clone()),
    };
    let mut purl = Purl::new(required.name.as_str(), &required.version);
    // A lock without file names has the distribution's there.
    if is_wheel_or_sdist(&required.filename) {
        purl.set("file_name", &required.filename);
    }
    purl.served_by(&server);
    purl.to_string()
}

fn is_wheel_or_sdist(filename: &str) -> bool {
    filename.ends_with(".whl") || is_any_sdist_name(filename)
}

/// Where a distribution is from.
enum Server {
    /// An index.
    Index(IndexNote),
    /// A URL of its own.
    Url(String),
    /// A commit: `git+https://example.org/r.git@COMMIT`, and a directory in it.
    Commit(String, Option<String>),
    /// No server.
    Nobody,
}

fn served_by(wheel: &ManifestWheel, note: Option<&OriginNote>, recipe: &Recipe, index: &IndexNote) -> Server {
    if let Some(source) = wheel.source.as_ref().filter(|source| source.uri.starts_with("git+")) {
        let (uri, subdirectory) = split_subdirectory(&source.uri);
        return Server::Commit(uri.to_owned(), subdirectory.map(str::to_owned));
    }
    match note.and_then(|note| note.provider.as_ref()) {
        Some(Provider::Index(url)) => return Server::Index(IndexNote::at(url)),
        Some(Provider::Url(url)) => return Server::Url(url.clone()),
        Some(Provider::Nobody) => return Server::Nobody,
        None => {}
    }
    if let Some(url) = url_of_input(&wheel.name, recipe) {
        return if matches!(scheme(&url).as_deref(), Some("http" | "https")) {
            Server::Url(url)
        } else {
            Server::Nobody
        };
    }
    let from_index = match &wheel.source {
        Some(source) => source.sha256.is_some() && !is_input(source, recipe),
        None => matches!(wheel.origin.as_str(), "locked" | "index"),
    };
    // What a lock says of no other index is the default one's.
    let locked = wheel.origin == "locked" || recipe.lock.is_some();
    match (from_index, locked) {
        (false, _) => Server::Nobody,
        (true, true) => Server::Index(IndexNote::Default),
        (true, false) => Server::Index(index.clone()),
    }
}

/// The URL of the input that names the distribution with one.
fn url_of_input(name: &PackageName, recipe: &Recipe) -> Option<String> {
    recipe.inputs.iter().find_map(|input| {
        let RecipeInput::Requirement(text) = input else { return None };
        let requirement: Requirement = text.parse().ok().filter(|read: &Requirement| read.name == *name)?;
        match requirement.source {
            RequirementSource::Url(url) => Some(recorded_url(&split_login(url.with_credentials()).0)),
            RequirementSource::Versions(_) => None,
        }
    })
}

/// Whether the archive that a wheel was built from is an input itself.
fn is_input(source: &ManifestSource, recipe: &Recipe) -> bool {
    let same = |input: &RecipeInput| match input {
        RecipeInput::File(file) => Some(file.sha256) == source.sha256,
        _ => false,
    };
    recipe.inputs.iter().any(same)
}

/// A source without its fragment, and the directory that this names.
pub(super) fn split_subdirectory(uri: &str) -> (&str, Option<&str>) {
    match uri.split_once('#') {
        Some((uri, fragment)) => (uri, fragment.strip_prefix("subdirectory=")),
        None => (uri, None),
    }
}

/// A package URL.
struct Purl<'a> {
    kind: &'static str,
    name: &'a str,
    version: &'a str,
    qualifiers: BTreeMap<&'static str, &'a str>,
    subpath: Option<&'a str>,
}

impl<'a> Purl<'a> {
    fn new(name: &'a str, version: &'a str) -> Self {
        Self { kind: "generic", name, version, qualifiers: BTreeMap::new(), subpath: None }
    }

    fn set(&mut self, key: &'static str, value: &'a str) {
        self.qualifiers.insert(key, value);
    }

    fn served_by(&mut self, server: &'a Server) {
        match server {
            Server::Index(IndexNote::Default) => self.kind = "pypi",
            Server::Index(IndexNote::Named(url)) => {
                self.kind = "pypi";
                self.set("repository_url", url);
            }
            Server::Url(url) => {
                let (url, subdirectory) = split_subdirectory(url);
                self.set("download_url", url);
                self.subpath = self.subpath.or(subdirectory);
            }
            Server::Commit(uri, subdirectory) => {
                self.set("vcs_url", uri);
                self.subpath = subdirectory.as_deref();
            }
            Server::Index(IndexNote::Unsaid) | Server::Nobody => {}
        }
    }
}

impl fmt::Display for Purl<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = encode(self.name.trim());
        // The type's rule, which is less than PEP 503's.
        let name = if self.kind == "pypi" { name.to_lowercase().replace('_', "-") } else { name };
        write!(formatter, "pkg:{}/{name}", self.kind)?;
        if !self.version.trim().is_empty() {
            write!(formatter, "@{}", encode(self.version.trim()))?;
        }
        let qualifiers = self.qualifiers.iter().filter(|(_, value)| !value.trim().is_empty());
        for (index, (key, value)) in qualifiers.enumerate() {
            write!(formatter, "{}{key}={}", if index == 0 { '?' } else { '&' }, encode(value))?;
        }
        let segments = self.subpath.unwrap_or_default().split('/');
        let segments = segments.filter(|segment| !segment.trim().is_empty() && !matches!(*segment, "." | ".."));
        for (index, segment) in segments.enumerate() {
            write!(formatter, "{}{}", if index == 0 { '#' } else { '/' }, encode(segment))?;
        }
        Ok(())
    }
}

/// Percent-encodes all but letters, digits, `.`, `-`, `_`, `~`, and the `:` and `/` that separate.
fn encode(text: &str) -> String {
    use fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a `String` takes every text");
        }
    }
    encoded
}
