//! Package URLs (purl specification): the name under which others know a distribution, a vulnerability database for one.
//!
//! `pkg:pypi` says that an index served it, and which one where that is not the default. What no index served is
//! `pkg:generic`, and so is what several may have served: a private package must never be taken for the public one that
//! happens to have its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::manifest::{ManifestWheel, Recipe, RecipeInput};
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
pub(crate) fn of_wheel(wheel: &ManifestWheel, note: Option<&OriginNote>, inputs: &Inputs, index: &IndexNote) -> String {
    let archive = wheel.source.as_ref().filter(|source| source.sha256.is_some());
    let (filename, subpath) = match archive {
        Some(source) => split_subdirectory(&source.uri),
        None => (wheel.filename.as_str(), None),
    };
    let mut purl = Purl::new(wheel.name.as_str(), &wheel.version);
    purl.set("file_name", filename);
    purl.subpath = subpath;
    let server = served_by(wheel, note, inputs, index);
    purl.served_by(&server);
    purl.to_string()
}

/// The URL that a packed wheel, or the archive that it was built from, is known to come from; none for a commit.
pub(crate) fn url_of_wheel(wheel: &ManifestWheel, note: Option<&OriginNote>, inputs: &Inputs) -> Option<String> {
    match served_by(wheel, note, inputs, &IndexNote::Unsaid) {
        Server::Url(url) => Some(split_subdirectory(&url).0.to_owned()),
        Server::Index(_) | Server::Commit(..) | Server::Nobody => None,
    }
}

/// The purl of a distribution that a wheel was built with.
pub(crate) fn of_build_requirement(required: &BuildRequirementNote, inputs: &Inputs, index: &IndexNote) -> String {
    let server = match &required.provider {
        _ if required.filename.starts_with("git+") => Server::Commit(required.filename.clone(), None),
        // One that was itself built here is no file of an index.
        _ if required.sha256.is_none() => Server::Nobody,
        Some(provider) => Server::of(provider),
        None if inputs.locked => Server::Index(IndexNote::Default),
        None => Server::Index(index.clone()),
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

impl Server {
    fn of(provider: &Provider) -> Self {
        match provider {
            Provider::Index(url) => Self::Index(IndexNote::at(url)),
            Provider::Url(url) => Self::Url(url.clone()),
            Provider::Nobody => Self::Nobody,
        }
    }
}

fn served_by(wheel: &ManifestWheel, note: Option<&OriginNote>, inputs: &Inputs, index: &IndexNote) -> Server {
    if let Some(source) = wheel.source.as_ref().filter(|source| source.uri.starts_with("git+")) {
        let (uri, subdirectory) = split_subdirectory(&source.uri);
        return Server::Commit(uri.to_owned(), subdirectory.map(str::to_owned));
    }
    if let Some(provider) = note.and_then(|note| note.provider.as_ref()) {
        return Server::of(provider);
    }
    if let Some(url) = inputs.urls.get(&wheel.name) {
        return if matches!(scheme(url).as_deref(), Some("http" | "https")) {
            Server::Url(url.clone())
        } else {
            Server::Nobody
        };
    }
    let from_index = match &wheel.source {
        Some(source) => source.sha256.is_some_and(|sha256| !inputs.files.contains(&sha256)),
        None => matches!(wheel.origin.as_str(), "locked" | "index"),
    };
    // What a lock says of no other index is the default one's.
    let locked = wheel.origin == "locked" || inputs.locked;
    match (from_index, locked) {
        (false, _) => Server::Nobody,
        (true, true) => Server::Index(IndexNote::Default),
        (true, false) => Server::Index(index.clone()),
    }
}

/// What a recipe says of where wheels are from, to be asked for each of many.
pub(crate) struct Inputs {
    /// By name, the URL of the first input that names a distribution with one.
    urls: BTreeMap<PackageName, String>,
    /// The digests of inputs that are files.
    files: BTreeSet<Sha256Digest>,
    /// Whether a lock named everything else.
    locked: bool,
}

impl Inputs {
    pub(crate) fn of(recipe: &Recipe) -> Self {
        let mut inputs = Self { urls: BTreeMap::new(), files: BTreeSet::new(), locked: recipe.lock.is_some() };
        for input in &recipe.inputs {
            match input {
                RecipeInput::Requirement(text) => {
                    let Ok(requirement) = text.parse::<Requirement>() else { continue };
                    if let RequirementSource::Url(url) = requirement.source {
                        let url = recorded_url(&split_login(url.with_credentials()).0);
                        inputs.urls.entry(requirement.name).or_insert(url);
                    }
                }
                RecipeInput::File(file) => drop(inputs.files.insert(file.sha256)),
                RecipeInput::Git { .. } => {}
            }
        }
        inputs
    }
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        kind: String,
        name: String,
        version: String,
        qualifiers: BTreeMap<String, String>,
        subpath: Option<String>,
        purl: String,
    }

    /// The cases are made by `scripts/purl_cases.py`.
    #[test]
    fn writes_what_packageurl_python_writes() {
        let cases = include_str!("../../testdata/evidence/purls.json");
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        assert_eq!(cases.len(), 300);
        for case in &cases {
            let mut purl = Purl::new(&case.name, &case.version);
            purl.kind = if case.kind == "pypi" { "pypi" } else { "generic" };
            for key in ["download_url", "file_name", "repository_url", "vcs_url"] {
                if let Some(value) = case.qualifiers.get(key) {
                    purl.set(key, value);
                }
            }
            purl.subpath = case.subpath.as_deref();
            assert_eq!(purl.to_string(), case.purl);
        }
    }

    const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn recipe(inputs: &Value, locked: bool) -> Recipe {
        let lock = locked.then(|| json!({"filename": "uv.lock", "sha256": DIGEST}));
        serde_json::from_value(json!({
            "inputs": inputs, "lock": lock, "console_script": null, "entry_point": null, "extras": [], "groups": [],
            "target": {"python": null, "platform": null}, "layout": "auto", "compression": "deflate",
            "recompress": false, "bytecode": [], "on_conflict": "error", "shebang": "x",
        }))
        .unwrap()
    }

    fn wheel(origin: &str, source: &Value) -> ManifestWheel {
        let mut wheel = json!({
            "name": "a-b", "version": "1.0+x", "filename": "a_b-1.0+x-py3-none-any.whl", "sha256": DIGEST,
            "origin": origin,
        });
        if !source.is_null() {
            wheel["source"] = source.clone();
        }
        serde_json::from_value(wheel).unwrap()
    }

    fn note(provider: Provider) -> OriginNote {
        OriginNote { filename: String::new(), provider: Some(provider), build_requirements: Vec::new() }
    }

    #[test]
    fn claims_an_index_only_where_one_served_it() {
        let none = Value::Null;
        let named = IndexNote::from_options(Some("https://u:p@h.example/simple/?token=1"), &[]);
        let several = IndexNote::from_options(None, &["https://h.example/simple".to_owned()]);
        let sdist = json!({"uri": "a_b-1.0+x.tar.gz", "sha256": DIGEST});
        let default = "pkg:pypi/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx-py3-none-any.whl";
        let of_h =
            "pkg:pypi/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx-py3-none-any.whl&repository_url=https://h.example/simple";
        let generic = "pkg:generic/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx-py3-none-any.whl";
        let index = |url: &str| Some(note(Provider::Index(url.to_owned())));
        for (origin, source, note, locked, option, purl) in [
            ("locked", &none, None, true, &named, default),
            ("locked", &none, index("https://h.example/simple"), true, &IndexNote::Default, of_h),
            ("locked", &none, Some(note(Provider::Nobody)), true, &IndexNote::Default, generic),
            ("index", &none, None, false, &IndexNote::Default, default),
            ("index", &none, None, false, &named, of_h),
            ("index", &none, None, false, &several, generic),
            ("local", &none, None, false, &IndexNote::Default, generic),
            ("local", &none, None, true, &named, generic),
            ("unheard of", &none, None, false, &IndexNote::Default, generic),
            ("built", &json!({"uri": "."}), None, true, &IndexNote::Default, generic),
            ("built", &json!({"uri": "directory"}), None, false, &IndexNote::Default, generic),
            ("built", &sdist, None, true, &several, "pkg:pypi/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx.tar.gz"),
            ("built", &sdist, None, false, &several, "pkg:generic/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx.tar.gz"),
            (
                "locked",
                &none,
                Some(note(Provider::Url("https://h.example/x#subdirectory=p/q".to_owned()))),
                true,
                &named,
                "pkg:generic/a-b@1.0%2Bx?download_url=https://h.example/x&file_name=a_b-1.0%2Bx-py3-none-any.whl#p/q",
            ),
            (
                "built",
                &json!({"uri": "git+https://h.example/r.git@0123#subdirectory=p"}),
                None,
                true,
                &named,
                "pkg:generic/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx-py3-none-any.whl&vcs_url=git%2Bhttps://h.example/r.git%400123#p",
            ),
        ] {
            let wheel = wheel(origin, source);
            let recipe = recipe(&json!(["a-b==1.0+x"]), locked);
            assert_eq!(
                of_wheel(&wheel, note.as_ref(), &Inputs::of(&recipe), option),
                purl,
                "{origin} {source} {note:?}"
            );
        }
    }

    #[test]
    fn what_the_recipe_names_by_file_or_url_is_no_indexs() {
        let sdist = json!({"uri": "a_b-1.0+x.tar.gz", "sha256": DIGEST});
        let file = json!([{"filename": "a_b-1.0+x.tar.gz", "sha256": DIGEST}]);
        let at_url = json!(["A_b[x] @ https://****@h.example/a_b-1.0+x.tar.gz ; os_name == 'posix'"]);
        let local = json!(["a-b @ file:a_b-1.0+x.tar.gz"]);
        let url = "https://h.example/a_b-1.0%2Bx.tar.gz";
        for (inputs, purl) in [
            (file, "pkg:generic/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx.tar.gz".to_owned()),
            (at_url, format!("pkg:generic/a-b@1.0%2Bx?download_url={url}&file_name=a_b-1.0%2Bx.tar.gz")),
            (local, "pkg:generic/a-b@1.0%2Bx?file_name=a_b-1.0%2Bx.tar.gz".to_owned()),
        ] {
            let found =
                of_wheel(&wheel("built", &sdist), None, &Inputs::of(&recipe(&inputs, false)), &IndexNote::Default);
            assert_eq!(found, purl);
        }
    }

    #[test]
    fn build_requirements_are_told_apart_likewise() {
        let required = |filename: &str, sha256: Option<&str>| BuildRequirementNote {
            name: "c".parse().unwrap(),
            version: "2".to_owned(),
            filename: filename.to_owned(),
            sha256: sha256.map(|text| text.parse().unwrap()),
            provider: None,
        };
        let at_hand =
            BuildRequirementNote { provider: Some(Provider::Nobody), ..required("c-2-py3-none-any.whl", Some(DIGEST)) };
        let whole = required("c-2-py3-none-any.whl", Some(DIGEST));
        let (free, locked) = (recipe(&json!([]), false), recipe(&json!([]), true));
        let of_file = "@2?file_name=c-2-py3-none-any.whl";
        let named = IndexNote::from_options(Some("http://h.example/s"), &[]);
        for (required, recipe, index, purl) in [
            (&whole, &free, &IndexNote::Default, format!("pkg:pypi/c{of_file}")),
            (&whole, &free, &IndexNote::Unsaid, format!("pkg:generic/c{of_file}")),
            (&whole, &free, &named, format!("pkg:pypi/c{of_file}&repository_url=http://h.example/s")),
            (&whole, &locked, &named, format!("pkg:pypi/c{of_file}")),
            (&at_hand, &free, &IndexNote::Default, format!("pkg:generic/c{of_file}")),
            (&required("c", Some(DIGEST)), &locked, &named, "pkg:pypi/c@2".to_owned()),
            (&required("c-2-py3-none-any.whl", None), &free, &named, format!("pkg:generic/c{of_file}")),
            (
                &required("git+https://h.example/c@01", None),
                &locked,
                &named,
                "pkg:generic/c@2?vcs_url=git%2Bhttps://h.example/c%4001".to_owned(),
            ),
        ] {
            assert_eq!(of_build_requirement(required, &Inputs::of(recipe), index), purl);
        }
    }

    #[test]
    fn an_index_on_this_machine_is_nobody_elses() {
        let of = |url: &str| IndexNote::from_options(Some(url), &[]);
        assert_eq!(of("https://h.example/simple//"), IndexNote::Named("https://h.example/simple".to_owned()));
        assert_eq!(of("file:///srv/simple"), IndexNote::Unsaid);
        assert_eq!(of("/srv/simple"), IndexNote::Unsaid);
        assert_eq!(IndexNote::from_options(None, &[]), IndexNote::Default);
    }
}
