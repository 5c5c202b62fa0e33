//! Resolving with pip: `pip install --dry-run --report`, for the Python that runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::configuration;
use super::pin::one_file_each;
use super::uv::is_plain;
use super::{Artifact, Location, Pinned, RemoteFile, ResolveError, Resolved, Session};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::process::Child;
use crate::python::venv::Venv;
use crate::urls;

/// What pip says when the network is in the way.
const NETWORK_SIGNS: &[&str] =
    &["after connection broken by", "Max retries exceeded", "NewConnectionError", "ReadTimeoutError", "ProxyError"];

/// Variables of pip that would make of a dry run something else.
const REMOVED: &[&str] = &[
    "PIP_ABI",
    "PIP_EDITABLE",
    "PIP_IMPLEMENTATION",
    "PIP_LOG",
    "PIP_PLATFORM",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_PYTHON_VERSION",
    "PIP_QUIET",
    "PIP_REPORT",
    "PIP_REQUIREMENT",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_VERBOSE",
];

/// Resolves the session's requirements with the interpreter's pip.
pub(super) fn resolve(session: &Session<'_>) -> Result<Vec<Resolved>, ResolveError> {
    Ok(report(session)?.into_iter().map(|reported| reported.resolved).collect())
}

/// The same for a lock, which then has the one file of each distribution that pip would install.
pub(super) fn pin(session: &Session<'_>) -> Result<Vec<Pinned>, ResolveError> {
    let reported = report(session)?;
    let direct: BTreeSet<PackageName> =
        reported.iter().filter(|one| one.is_direct).map(|one| one.resolved.name.clone()).collect();
    let packages = reported.into_iter().map(|one| one.resolved).collect();
    Ok(one_file_each(packages, |name| direct.contains(name)))
}

/// A distribution that pip would install.
struct Reported {
    resolved: Resolved,
    /// Whether a requirement names it by URL or path.
    is_direct: bool,
}

fn report(session: &Session<'_>) -> Result<Vec<Reported>, ResolveError> {
    let request = session.request;
    check_target(session)?;
    let environment = with_index(session);
    let python = find_python_with_pip(session, &environment)?;
    request.told.tell("pip", || configuration::of_pip(request, session.surroundings, REMOVED));
    let report = session.place.join("report.json");
    // Started in a directory of its own: with `-m` the current directory's modules would come before Python's.
    let mut child = Child::new(&python, &environment, &session.place, request.timeout)
        .args(["-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report"])
        .arg(&report)
        .arg("--constraint")
        .arg(session.place.join("constraints.in"))
        .arg("--requirement")
        .arg(session.place.join("requirements.in"));
    for directory in &request.index.find_links {
        child = child.arg("--find-links").arg(directory);
    }
    if request.index.no_index || request.offline {
        child = child.arg("--no-index");
    }
    let ended = child.secrets(&session.secrets).run().map_err(|error| session.explain_process("pip", error))?;
    if !ended.success() {
        return Err(session.explain_failure("pip", &ended.messages, NETWORK_SIGNS));
    }
    let text = fs_err::read(&report).map_err(ResolveError::Prepare)?;
    read_report(&text)
}

fn check_target(session: &Session<'_>) -> Result<(), ResolveError> {
    let request = session.request;
    let Some(target) = request.target else { return Ok(()) };
    let mut foreign = Vec::new();
    if let Some((major, minor)) = target
        .python
        .filter(|python| *python != (request.interpreter.target.python.major, request.interpreter.target.python.minor))
    {
        foreign.push(format!("Python {major}.{minor}"));
    }
    foreign.extend(target.platform.clone());
    if foreign.is_empty() { Ok(()) } else { Err(ResolveError::ForeignTarget { target: foreign.join(" on ") }) }
}

/// pip's environment: the index options, which may hold credentials.
fn with_index(session: &Session<'_>) -> BTreeMap<OsString, OsString> {
    let index = session.request.index;
    let mut environment = session.environment.clone();
    environment.retain(|name, _| !REMOVED.iter().any(|removed| name == removed));
    let mut set = |name: &str, value: &str| environment.insert(name.into(), value.into());
    // PEP 668 guards an environment; a dry run leaves it alone.
    set("PIP_BREAK_SYSTEM_PACKAGES", "1");
    set("PIP_REQUIRE_VIRTUALENV", "0");
    set("PIP_USER", "0");
    if let Some(url) = &index.index_url {
        set("PIP_INDEX_URL", url);
    }
    if !index.extra_index_urls.is_empty() {
        set("PIP_EXTRA_INDEX_URL", &index.extra_index_urls.join(" "));
    }
    environment
}

/// A Python that has pip: the interpreter itself, else a virtual environment that its `ensurepip` fills.
fn find_python_with_pip(
    session: &Session<'_>,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<PathBuf, ResolveError> {
    let interpreter = session.request.interpreter;
    if interpreter.tools.pip {
        return Ok(interpreter.executable.clone());
    }
    if !interpreter.tools.ensurepip {
        // Debian and Ubuntu ship ensurepip in a package of its own.
        let crate::target::PythonMinor { major, minor } = interpreter.target.python;
        let debian = interpreter.executable.starts_with("/usr/bin") && Path::new("/etc/debian_version").exists();
        let package = debian.then(|| format!("python3-venv (python{major}.{minor}-venv)"));
        return Err(ResolveError::NoResolver { interpreter: interpreter.executable.clone(), package });
    }
    let venv = Venv::create(interpreter, &session.place.join("pip"), environment)?;
    let ended = Child::new(&venv.python, environment, &session.place, session.request.timeout)
        .args(["-m", "ensurepip", "--default-pip"])
        .secrets(&session.secrets)
        .run()
        .map_err(|error| session.explain_process("pip", error))?;
    if !ended.success() {
        return Err(ResolveError::NoResolver { interpreter: interpreter.executable.clone(), package: None });
    }
    Ok(venv.python)
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    install: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    download_info: DownloadInfo,
    metadata: Metadata,
    #[serde(default)]
    is_direct: bool,
}

#[derive(Deserialize)]
struct Metadata {
    name: PackageName,
    version: String,
}

/// PEP 610's structure.
#[derive(Deserialize)]
struct DownloadInfo {
    url: String,
    subdirectory: Option<PathBuf>,
    archive_info: Option<ArchiveInfo>,
    vcs_info: Option<VcsInfo>,
    dir_info: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct ArchiveInfo {
    hash: Option<String>,
    hashes: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct VcsInfo {
    vcs: String,
    commit_id: String,
}

fn answer(reason: impl Into<String>) -> ResolveError {
    ResolveError::Answer { resolver: "pip", reason: reason.into() }
}

/// Reads pip's installation report.
fn read_report(text: &[u8]) -> Result<Vec<Reported>, ResolveError> {
    let report: Report = serde_json::from_slice(text).map_err(|error| answer(error.to_string()))?;
    report.install.into_iter().map(read_item).collect()
}

fn read_item(item: Item) -> Result<Reported, ResolveError> {
    let Item { download_info: info, metadata: Metadata { name, version }, is_direct } = item;
    let artifact = if let Some(vcs) = info.vcs_info {
        if vcs.vcs != "git" {
            return Err(answer(format!("{name} comes from a `{}` repository, which is not supported", vcs.vcs)));
        }
        Artifact::Git { url: info.url, commit: vcs.commit_id, subdirectory: info.subdirectory }
    } else if info.dir_info.is_some() {
        let path =
            urls::path_of_file_url(&info.url).ok_or_else(|| answer(format!("{name}: a directory without a path")))?;
        Artifact::Directory(info.subdirectory.map_or_else(|| path.clone(), |sub| path.join(sub)))
    } else {
        let digest = info.archive_info.and_then(|archive| {
            let short = archive.hash.as_deref().and_then(|hash| hash.strip_prefix("sha256=")).map(str::to_owned);
            archive.hashes.and_then(|mut hashes| hashes.remove("sha256")).or(short)
        });
        let sha256: Option<Sha256Digest> =
            digest.map(|digest| digest.parse().map_err(|error| answer(format!("{name}: {error}")))).transpose()?;
        let location =
            Location::from_url(&info.url).ok_or_else(|| answer(format!("{name}: a URL that cannot be fetched")))?;
        let filename = urls::file_name(&info.url).filter(|name| is_plain(name));
        let filename = filename.ok_or_else(|| answer(format!("{name}: a file without a name")))?;
        let wheel = Path::new(&filename).extension().is_some_and(|extension| extension == "whl");
        let file = RemoteFile { filename, location, sha256, size: None };
        if wheel { Artifact::Wheel(file) } else { Artifact::Sdist { file, subdirectory: info.subdirectory } }
    };
    Ok(Reported { resolved: Resolved { name, version: Some(version), artifact }, is_direct })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_wheels_sdists_repositories_and_directories() {
        let digest = Sha256Digest::of(b"");
        let text = format!(
            r#"{{"version": "1", "install": [
            {{"download_info": {{"url": "https://example.org/a-1-py3-none-any.whl", "archive_info": {{"hash": "sha256={digest}"}}}},
              "metadata": {{"name": "A", "version": "1"}}}},
            {{"download_info": {{"url": "file:///w/b-2.tar.gz", "archive_info": {{"hashes": {{"sha256": "{digest}"}}}}}},
              "metadata": {{"name": "b", "version": "2"}}}},
            {{"download_info": {{"url": "https://example.org/c.git", "vcs_info": {{"vcs": "git", "commit_id": "ab"}}}},
              "metadata": {{"name": "c", "version": "3"}}}},
            {{"download_info": {{"url": "file:///d", "dir_info": {{}}}}, "metadata": {{"name": "d", "version": "4"}}}}
            ]}}"#
        );
        let artifacts: Vec<Artifact> =
            read_report(text.as_bytes()).unwrap().into_iter().map(|package| package.resolved.artifact).collect();
        let file = |filename: &str, location| RemoteFile {
            filename: filename.to_owned(),
            location,
            sha256: Some(digest),
            size: None,
        };
        let a = "a-1-py3-none-any.whl";
        assert_eq!(
            artifacts,
            [
                Artifact::Wheel(file(a, Location::Url(format!("https://example.org/{a}")))),
                Artifact::sdist(file("b-2.tar.gz", Location::Path("/w/b-2.tar.gz".into()))),
                Artifact::Git {
                    url: "https://example.org/c.git".to_owned(),
                    commit: "ab".to_owned(),
                    subdirectory: None
                },
                Artifact::Directory("/d".into()),
            ]
        );
    }
}
