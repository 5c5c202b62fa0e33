//! Resolving with uv: `uv pip compile --format pylock.toml` (PEP 751).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::configuration;
use super::pin::preferences;
use super::{
    Artifact, Extent, Location, PinRequest, Pinned, PinnedSource, RemoteFile, ResolveError, Resolved, Session,
};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::process::Child;
use crate::target::{Marker, SupportedTags};
use crate::urls;

/// What uv says when the network is in the way.
const NETWORK_SIGNS: &[&str] = &[
    "client error (Connect)",
    "dns error",
    "error sending request",
    "operation timed out",
    "Connection refused",
    "Failed to fetch",
    "Request failed after",
];

/// What uv says when the index answered all the same.
const ANSWER_SIGNS: &[&str] = &["HTTP status client error", "401 Unauthorized", "403 Forbidden", "404 Not Found"];

/// The glibc versions that uv has a platform for, highest first.
const GLIBC_MINORS: &[u32] = &[40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17];

pub(super) enum Answer {
    Resolved(Vec<Resolved>),
    TooOld,
}

/// Resolves the session's requirements with this uv.
pub(super) fn resolve(uv: &Path, session: &Session<'_>) -> Result<Answer, ResolveError> {
    let Some(text) = compile(uv, session, Extent::Target)? else { return Ok(Answer::TooOld) };
    read_pylock(&text, &session.place, &session.request.full_target().tags).map(Answer::Resolved)
}

/// Resolves them for a lock; `None` where this uv is too old.
pub(super) fn pin(
    uv: &Path,
    session: &Session<'_>,
    wanted: &PinRequest<'_>,
) -> Result<Option<Vec<Pinned>>, ResolveError> {
    if !wanted.preferred.is_empty() {
        // uv prefers the versions of the file that it is to write.
        let text = preferences(wanted.preferred);
        fs_err::write(session.place.join(ANSWER), text).map_err(ResolveError::Prepare)?;
    }
    let text = compile(uv, session, wanted.extent)?;
    text.map(|text| read_pinned(&text, &session.place)).transpose()
}

/// The file that uv writes its answer to.
const ANSWER: &str = "pylock.toml";

/// Runs uv; `None` where it is too old.
fn compile(uv: &Path, session: &Session<'_>, extent: Extent<'_>) -> Result<Option<String>, ResolveError> {
    let request = session.request;
    let output = session.place.join(ANSWER);
    let environment = with_index(session);
    request.told.tell("uv", || configuration::of_uv(request, session.surroundings));
    let mut child = Child::new(uv, &environment, request.directory, request.timeout)
        .args(["pip", "compile", "--format", "pylock.toml", "--no-header", "--no-annotate", "--no-progress"])
        .args(["--color", "never", "--no-python-downloads", "--quiet"])
        .arg("--python")
        .arg(&request.interpreter.executable)
        .arg("--output-file")
        .arg(&output)
        .arg("--constraints")
        .arg(session.place.join("constraints.in"))
        .arg(session.place.join("requirements.in"));
    let target = request.target.filter(|_| extent == Extent::Target);
    if let Extent::Everywhere { lowest, fewest } = extent {
        child = child.args(["--universal", "--python-version", lowest]);
        child = child.args(["--fork-strategy", if fewest { "fewest" } else { "requires-python" }]);
    }
    if let Some((major, minor)) = target.and_then(|target| target.python) {
        child = child.arg("--python-version").arg(format!("{major}.{minor}"));
    }
    if let Some(tag) = target.and_then(|target| target.platform.as_deref()) {
        let unknown = || ResolveError::UnknownPlatform { platform: tag.to_owned() };
        child = child.arg("--python-platform").arg(platform_name(tag).ok_or_else(unknown)?);
    }
    for directory in &request.index.find_links {
        child = child.arg("--find-links").arg(directory);
    }
    if request.index.no_index {
        child = child.arg("--no-index");
    }
    if request.offline {
        child = child.arg("--offline");
    }
    let ended = child.secrets(&session.secrets).run().map_err(|error| session.explain_process("uv", error))?;
    if !ended.success() {
        if ended.messages.contains("invalid value 'pylock.toml'")
            || ended.messages.contains("unexpected argument '--format'")
        {
            return Ok(None);
        }
        let answered = ANSWER_SIGNS.iter().any(|sign| ended.messages.contains(sign));
        return Err(session.explain_failure("uv", &ended.messages, if answered { &[] } else { NETWORK_SIGNS }));
    }
    fs_err::read_to_string(&output).map(Some).map_err(ResolveError::Prepare)
}

/// uv's environment: the index options, which may hold credentials, and those of pip where uv has none of its own.
fn with_index(session: &Session<'_>) -> std::collections::BTreeMap<OsString, OsString> {
    let index = session.request.index;
    let mut environment = session.environment.clone();
    let indexes = ["UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"];
    let own = indexes.iter().any(|name| session.variable(name).is_some());
    let mut set = |name: &str, value: OsString| environment.insert(name.into(), value);
    if !own
        && index.index_url.is_none()
        && let Some(url) = session.variable("PIP_INDEX_URL")
    {
        set("UV_DEFAULT_INDEX", url.to_owned());
    }
    if !own
        && index.extra_index_urls.is_empty()
        && let Some(value) = session.variable("PIP_EXTRA_INDEX_URL")
    {
        set("UV_EXTRA_INDEX_URL", value.to_owned());
    }
    if session.variable("SSL_CERT_FILE").is_none() {
        let bundle = ["PIP_CERT", "REQUESTS_CA_BUNDLE"].iter().find_map(|name| session.variable(name));
        if let Some(bundle) = bundle {
            set("SSL_CERT_FILE", bundle.to_owned());
        }
    }
    if session.variable("UV_FIND_LINKS").is_none() && index.find_links.is_empty() {
        // pip only warns of a directory that is not there; uv would fail.
        let listed = session.variable("PIP_FIND_LINKS").and_then(|links| links.to_str()).unwrap_or_default();
        let usable: Vec<&str> = listed
            .split_whitespace()
            .filter(|link| if link.contains("://") { !session.request.offline } else { Path::new(link).is_dir() })
            .collect();
        if !usable.is_empty() {
            set("UV_FIND_LINKS", usable.join(",").into());
        }
    }
    if let Some(url) = &index.index_url {
        set("UV_DEFAULT_INDEX", url.into());
    }
    if !index.extra_index_urls.is_empty() {
        set("UV_EXTRA_INDEX_URL", index.extra_index_urls.join(" ").into());
    }
    if index.index_url.is_some() {
        environment.remove(std::ffi::OsStr::new("UV_INDEX_URL"));
    }
    if index.no_index {
        for name in indexes {
            environment.remove(std::ffi::OsStr::new(name));
        }
    }
    environment
}

/// uv's name for the platform of a tag; for a glibc between two that it knows, the lower one.
fn platform_name(tag: &str) -> Option<String> {
    if let Some(rest) = tag.strip_prefix("manylinux") {
        let (glibc, machine) = match rest.strip_prefix("_2_") {
            Some(rest) => rest.split_once('_').map(|(minor, machine)| (minor.parse().ok(), machine))?,
            None => rest.strip_prefix("2014_").map(|machine| (Some(17_u32), machine))?,
        };
        let minor = GLIBC_MINORS.iter().find(|known| glibc.is_some_and(|glibc| **known <= glibc))?;
        return ["x86_64", "aarch64"].contains(&machine).then(|| format!("{machine}-manylinux_2_{minor}"));
    }
    let machine_of = |rest: &str| {
        ["x86_64", "aarch64"].into_iter().find(|machine| rest.ends_with(&format!("_{machine}"))).map(str::to_owned)
    };
    if let Some(rest) = tag.strip_prefix("musllinux_") {
        return machine_of(rest).map(|machine| format!("{machine}-unknown-linux-musl"));
    }
    if let Some(rest) = tag.strip_prefix("linux_") {
        return ["x86_64", "aarch64"].contains(&rest).then(|| format!("{rest}-unknown-linux-gnu"));
    }
    if tag.starts_with("macosx_") {
        let name = if tag.ends_with("_x86_64") { "x86_64-apple-darwin" } else { "aarch64-apple-darwin" };
        return (tag.ends_with("_x86_64") || tag.ends_with("_arm64")).then(|| name.to_owned());
    }
    let windows = match tag {
        "win_amd64" => "x86_64-pc-windows-msvc",
        "win_arm64" => "aarch64-pc-windows-msvc",
        "win32" => "i686-pc-windows-msvc",
        _ => return None,
    };
    Some(windows.to_owned())
}

#[derive(Deserialize)]
struct Pylock {
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: PackageName,
    version: Option<String>,
    marker: Option<Marker>,
    #[serde(default)]
    wheels: Vec<File>,
    sdist: Option<File>,
    archive: Option<File>,
    vcs: Option<Vcs>,
    directory: Option<Directory>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    url: Option<String>,
    path: Option<PathBuf>,
    size: Option<u64>,
    /// Of an archive: the project's directory in it.
    subdirectory: Option<PathBuf>,
    #[serde(default)]
    hashes: Hashes,
}

#[derive(Deserialize, Default)]
struct Hashes {
    sha256: Option<Sha256Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Vcs {
    r#type: String,
    url: Option<String>,
    path: Option<PathBuf>,
    commit_id: String,
    subdirectory: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Directory {
    path: PathBuf,
    subdirectory: Option<PathBuf>,
}

fn answer(reason: impl Into<String>) -> ResolveError {
    ResolveError::Answer { resolver: "uv", reason: reason.into() }
}

/// Reads uv's answer, which lies in `directory`: one artifact for every package, of wheels the one that fits `tags` best.
fn read_pylock(text: &str, directory: &Path, tags: &SupportedTags) -> Result<Vec<Resolved>, ResolveError> {
    let lock: Pylock = toml::from_str(text).map_err(|error| answer(error.message()))?;
    lock.packages
        .into_iter()
        .map(|package| {
            let artifact = choose_artifact(&package, directory, tags)?;
            Ok(Resolved { name: package.name, version: package.version, artifact })
        })
        .collect()
}

/// Reads uv's answer for a lock: every file of every package.
fn read_pinned(text: &str, directory: &Path) -> Result<Vec<Pinned>, ResolveError> {
    let lock: Pylock = toml::from_str(text).map_err(|error| answer(error.message()))?;
    let pinned = lock.packages.into_iter().map(|package| {
        let source = match direct_artifact(&package, directory)? {
            Some(artifact) => PinnedSource::Direct(artifact),
            None => PinnedSource::Files(package.files(directory)?),
        };
        Ok(Pinned { name: package.name, version: package.version, marker: package.marker, source })
    });
    pinned.collect()
}

fn choose_artifact(package: &Package, directory: &Path, tags: &SupportedTags) -> Result<Artifact, ResolveError> {
    if let Some(artifact) = direct_artifact(package, directory)? {
        return Ok(artifact);
    }
    let wheels: Vec<RemoteFile> =
        package.wheels.iter().map(|wheel| wheel.read(&package.name, directory)).collect::<Result<_, _>>()?;
    if let Some(wheel) = tags.best_wheel(&wheels, |wheel| &wheel.filename) {
        return Ok(Artifact::Wheel(wheel.clone()));
    }
    if let Some(sdist) = &package.sdist {
        return sdist.read(&package.name, directory).map(Artifact::sdist);
    }
    let version = package.version.clone().unwrap_or_default();
    let filenames: Vec<String> = wheels.into_iter().map(|wheel| wheel.filename).collect();
    Err(ResolveError::NothingFits { name: package.name.clone(), version, wheels: filenames.join(", ") })
}

/// What a requirement names itself; none for a package of an index.
fn direct_artifact(package: &Package, directory: &Path) -> Result<Option<Artifact>, ResolveError> {
    if let Some(vcs) = &package.vcs {
        if vcs.r#type != "git" {
            return Err(answer(format!(
                "{} comes from a `{}` repository, which is not supported",
                package.name, vcs.r#type
            )));
        }
        let path = vcs.path.as_ref().map(|path| urls::file_url(&directory.join(path)));
        let url =
            vcs.url.clone().or(path).ok_or_else(|| answer(format!("{}: a repository without a URL", package.name)))?;
        let (commit, subdirectory) = (vcs.commit_id.clone(), vcs.subdirectory.clone());
        return Ok(Some(Artifact::Git { url, commit, subdirectory }));
    }
    if let Some(found) = &package.directory {
        let path = directory.join(&found.path);
        let path = found.subdirectory.as_ref().map_or_else(|| path.clone(), |sub| path.join(sub));
        return Ok(Some(Artifact::Directory(path)));
    }
    if let Some(archive) = &package.archive {
        let file = archive.read(&package.name, directory)?;
        let wheel = Path::new(&file.filename).extension().is_some_and(|extension| extension == "whl");
        let subdirectory = archive.subdirectory.clone();
        return Ok(Some(if wheel { Artifact::Wheel(file) } else { Artifact::Sdist { file, subdirectory } }));
    }
    Ok(None)
}

impl Package {
    /// Its wheels and its source distribution.
    fn files(&self, directory: &Path) -> Result<Vec<RemoteFile>, ResolveError> {
        let files = self.wheels.iter().chain(&self.sdist);
        files.map(|file| file.read(&self.name, directory)).collect()
    }
}

impl File {
    fn read(&self, package: &PackageName, directory: &Path) -> Result<RemoteFile, ResolveError> {
        let location = match (&self.url, &self.path) {
            (_, Some(path)) => Some(Location::Path(directory.join(path))),
            (Some(url), None) => Location::from_url(url),
            (None, None) => None,
        };
        let location =
            location.ok_or_else(|| answer(format!("{package}: a file without a URL that can be fetched")))?;
        let filename = self.name.clone().or_else(|| match &location {
            Location::Url(url) => urls::file_name(url),
            Location::Path(path) => path.file_name().and_then(|name| name.to_str()).map(str::to_owned),
        });
        let filename = filename
            .filter(|name| is_plain(name))
            .ok_or_else(|| answer(format!("{package}: a file without a name")))?;
        Ok(RemoteFile { filename, location, sha256: self.hashes.sha256, size: self.size })
    }
}

/// Whether this can be the name of a file in a directory, and nothing else.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{PythonAbi, PythonMinor, supported_tags};

    fn tags() -> SupportedTags {
        supported_tags(&"linux_x86_64".parse().unwrap(), PythonMinor::new(3, 11), PythonAbi::default())
    }

    #[test]
    fn names_platforms_as_uv_does() {
        for (tag, name) in [
            ("manylinux2014_x86_64", Some("x86_64-manylinux_2_17")),
            ("manylinux_2_30_aarch64", Some("aarch64-manylinux_2_28")),
            ("manylinux_2_5_x86_64", None),
            ("musllinux_1_2_x86_64", Some("x86_64-unknown-linux-musl")),
            ("macosx_11_0_arm64", Some("aarch64-apple-darwin")),
            ("win_amd64", Some("x86_64-pc-windows-msvc")),
            ("any", None),
        ] {
            assert_eq!(platform_name(tag).as_deref(), name, "{tag}");
        }
    }

    #[test]
    fn reads_every_kind_of_package() {
        let digest = Sha256Digest::of(b"");
        let text = format!(
            r#"
            lock-version = "1.0"
            [[packages]]
            name = "A"
            version = "1"
            wheels = [
                {{ url = "https://example.org/a-1-py3-none-any.whl", upload-time = 2026-01-01T00:00:00Z, hashes = {{ sha256 = "{digest}" }} }},
                {{ url = "https://example.org/a-1-cp311-cp311-linux_x86_64.whl", hashes = {{ sha256 = "{digest}" }} }},
            ]
            [[packages]]
            name = "b"
            version = "2"
            sdist = {{ url = "file:///w/b-2.tar.gz", hashes = {{ sha256 = "{digest}" }} }}
            wheels = [{{ url = "https://example.org/b-2-cp38-cp38-win32.whl", hashes = {{}} }}]
            [[packages]]
            name = "c"
            vcs = {{ type = "git", url = "https://example.org/c.git", commit-id = "ab", subdirectory = "s" }}
            [[packages]]
            name = "d"
            archive = {{ path = "../d-1-py3-none-any.whl", hashes = {{ sha256 = "{digest}" }} }}
            [[packages]]
            name = "e"
            directory = {{ path = "/e" }}
            "#
        );
        let packages = read_pylock(&text, Path::new("/s"), &tags()).unwrap();
        let artifacts: Vec<Artifact> = packages.into_iter().map(|package| package.artifact).collect();
        let file = |filename: &str, location| RemoteFile {
            filename: filename.to_owned(),
            location,
            sha256: Some(digest),
            size: None,
        };
        let a = "a-1-cp311-cp311-linux_x86_64.whl";
        assert_eq!(
            artifacts,
            [
                Artifact::Wheel(file(a, Location::Url(format!("https://example.org/{a}")))),
                Artifact::sdist(file("b-2.tar.gz", Location::Path("/w/b-2.tar.gz".into()))),
                Artifact::Git {
                    url: "https://example.org/c.git".to_owned(),
                    commit: "ab".to_owned(),
                    subdirectory: Some("s".into())
                },
                Artifact::Wheel(file("d-1-py3-none-any.whl", Location::Path("/s/../d-1-py3-none-any.whl".into()))),
                Artifact::Directory("/e".into()),
            ]
        );
    }

    #[test]
    fn says_what_there_is_where_nothing_fits() {
        let text = r#"packages = [{ name = "a", version = "1", wheels = [{ url = "https://example.org/a-1-cp38-cp38-win32.whl" }] }]"#;
        let error = read_pylock(text, Path::new("/s"), &tags()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a 1: no wheel fits the target, and there is no source distribution; there are a-1-cp38-cp38-win32.whl"
        );
    }
}
