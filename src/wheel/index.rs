//! What an index has of a distribution: its page, as JSON (PEP 691, PEP 700) or HTML (PEP 503, PEP 592), from a server or
//! from a directory that mirrors one.
//!
//! A page is read whole before anything of it counts, within a limit, and kept for the run. Nothing in it is trusted: a
//! file that is taken is checked against the lock.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;
use url::Url;

use super::anchors::read_tags;
use super::fetch::Client;
use super::fetch_error::{FetchError, Refusal};
use super::http::{Failure, Flow};
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::redact::recorded_url;
use crate::target::WheelFilename;
use crate::urls;

/// The longest page that is read, unpacked: the longest seen is below 20 MB.
const PAGE_LIMIT: u64 = 64 << 20;

/// What is asked for (PEP 691, "Version + Format Selection"), as pip asks.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// A file that an index has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// Its name: one segment of a path.
    pub filename: String,
    /// Where it is: `http`, `https` or `file`, without a fragment. May hold credentials.
    pub url: String,
    /// Its digest, where the index says.
    pub sha256: Option<Sha256Digest>,
    /// Its demand on Python's version, where the index has one that can be read.
    pub requires_python: Option<VersionSpecifiers>,
    /// Why it was taken back, where it was (PEP 592); empty where nobody says why.
    pub yanked: Option<String>,
    /// Its size in bytes, where the index says.
    pub size: Option<u64>,
}

impl Client {
    /// The files that an index has of a distribution, in its order; `None` where it does not have the distribution. The
    /// credentials of the index's URL are used for the files of the same server too.
    ///
    /// # Errors
    /// [`FetchError`]: the index cannot be asked, or its answer cannot be read.
    pub fn list_files(&self, index: &str, name: &PackageName) -> Result<Option<Vec<IndexFile>>, FetchError> {
        let key = (index.to_owned(), name.clone());
        let pages = || self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = pages().get(&key) {
            return Ok(known.clone());
        }
        let listed = self.read_page(index, name)?;
        pages().insert(key, listed.clone());
        Ok(listed)
    }

    /// The same for many, at the same time; answers in the order of `pages`.
    ///
    /// # Errors
    /// The [`FetchError`] of the first that failed.
    pub fn list_all(&self, pages: &[(&str, &PackageName)]) -> Result<Vec<Option<Vec<IndexFile>>>, FetchError> {
        super::fetch::in_parallel(pages, |(index, name)| self.list_files(index, name))
    }

    fn read_page(&self, index: &str, name: &PackageName) -> Result<Option<Vec<IndexFile>>, FetchError> {
        if let Some(directory) = urls::path_of_file_url(index) {
            return read_directory(&directory, name);
        }
        let source_shown = recorded_url(index);
        let refuse =
            |refusal| FetchError::Refused { file: name.to_string(), source_shown: source_shown.clone(), refusal };
        let page = page_url(index, name).map_err(refuse)?;
        let source_shown = recorded_url(page.as_str());
        if self.offline {
            return Err(FetchError::Offline { files: vec![(name.to_string(), source_shown)] });
        }
        self.http.learn(index);
        let attempt = || self.ask_for_page(page.as_str());
        match self.http.persist(name.as_str(), &source_shown, attempt) {
            Err(FetchError::Answer { code: 404 | 410, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    fn ask_for_page(&self, url: &str) -> Result<Vec<IndexFile>, Failure> {
        let answer = self.http.get(url, &[("Accept", ACCEPT), ("Accept-Encoding", "gzip")])?;
        if answer.code != 200 {
            return Err(Failure::Answer(answer.code));
        }
        let content_type = answer.header("content-type").unwrap_or_default().to_owned();
        let encoding = answer.header("content-encoding").unwrap_or_default().to_ascii_lowercase();
        let base = answer.url.clone();
        let bytes = Flow::new(answer.body, self.http.patience).read_whole(PAGE_LIMIT)?;
        let bytes = match encoding.as_str() {
            "" | "identity" => bytes,
            "gzip" | "x-gzip" => unpack(&bytes)?,
            other => return Err(refused(format!("its encoding is `{}`", other.escape_debug()))),
        };
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/vnd.pypi.simple.v1+json" => read_json(&bytes, &base),
            "application/vnd.pypi.simple.v1+html" | "text/html" => read_html(&String::from_utf8_lossy(&bytes), &base),
            other => Err(refused(format!("its content type is `{}`", other.escape_debug()))),
        }
    }
}

fn refused(reason: String) -> Failure {
    Failure::Refused(Refusal::Page(reason))
}

/// Where an index has the page of a distribution (PEP 503).
fn page_url(index: &str, name: &PackageName) -> Result<Url, Refusal> {
    let mut page = Url::parse(index).map_err(|error| Refusal::Url(error.to_string()))?;
    if !matches!(page.scheme(), "http" | "https") {
        return Err(Refusal::Url("its scheme is neither http, https nor file".to_owned()));
    }
    page.set_fragment(None);
    page.path_segments_mut()
        .map_err(|()| Refusal::Url("it has no path".to_owned()))?
        .pop_if_empty()
        .push(name.as_str())
        .push("");
    Ok(page)
}

/// The files of a distribution in directories of this machine, as an index would list them, by name; of two with one name
/// the first directory's.
///
/// # Errors
/// [`FetchError::Read`]: a directory cannot be listed.
pub fn list_directories(directories: &[PathBuf], name: &PackageName) -> Result<Vec<IndexFile>, FetchError> {
    let mut found: BTreeMap<String, IndexFile> = BTreeMap::new();
    for directory in directories {
        let unreadable = |source| FetchError::Read { path: directory.clone(), source };
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let filename = entry.map_err(unreadable)?.file_name();
            let Some(filename) = filename.to_str().filter(|filename| is_file_of(filename, name)) else { continue };
            found.entry(filename.to_owned()).or_insert_with(|| IndexFile {
                filename: filename.to_owned(),
                url: urls::file_url(&directory.join(filename)),
                sha256: None,
                requires_python: None,
                yanked: None,
                size: None,
            });
        }
    }
    Ok(found.into_values().collect())
}

/// Whether a file name is a wheel's or a source distribution's of that name. Where the version of a source distribution
/// begins is not always clear: `a-b-1.tar.gz` is one of `a` too.
fn is_file_of(filename: &str, name: &PackageName) -> bool {
    if filename.ends_with(".whl") {
        return filename.parse::<WheelFilename>().is_ok_and(|wheel| wheel.name == *name);
    }
    let is_source = [".tar.gz", ".zip", ".tar.bz2", ".tgz"].iter().any(|end| filename.ends_with(end));
    let mut starts = filename.match_indices('-').map(|(at, _)| &filename[..at]);
    is_source && starts.any(|start| start.parse().is_ok_and(|start: PackageName| start == *name))
}

/// The page of a mirror on this machine: `NAME/index.html`.
fn read_directory(index: &Path, name: &PackageName) -> Result<Option<Vec<IndexFile>>, FetchError> {
    let directory = index.join(name.as_str());
    let path = directory.join("index.html");
    match std::fs::read(&path) {
        Ok(page) => {
            let base = Url::parse(&urls::file_url(&path)).expect("the URL of a path is one");
            let listed = read_html(&String::from_utf8_lossy(&page), &base);
            listed.map(Some).map_err(|failure| match failure {
                Failure::Refused(refusal) => {
                    FetchError::Refused { file: name.to_string(), source_shown: path.display().to_string(), refusal }
                }
                _ => FetchError::Read { path: path.clone(), source: std::io::ErrorKind::InvalidData.into() },
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FetchError::Read { path, source }),
    }
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut unpacked = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(bytes);
    decoder
        .take(PAGE_LIMIT + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| Failure::passing(format!("the page cannot be unpacked: {error}")))?;
    if unpacked.len() as u64 > PAGE_LIMIT {
        return Err(Failure::Refused(Refusal::Longer { expected: PAGE_LIMIT }));
    }
    Ok(unpacked)
}

/// Whether the repository version is one that is understood: 1, whatever follows (PEP 629).
fn check_version(version: &str) -> Result<(), Failure> {
    match version.split_once('.') {
        Some(("1", _)) => Ok(()),
        _ => Err(refused(format!("its version is `{}`, not 1.x", version.escape_debug()))),
    }
}

/// The URL that a page means, without its fragment; the fragment apart.
fn resolve_url(base: &Url, text: &str) -> Option<(Url, Option<String>)> {
    let mut url = base.join(text.trim()).ok()?;
    // A page from a server does not reach into this machine.
    let allowed = match url.scheme() {
        "http" | "https" => true,
        "file" => base.scheme() == "file",
        _ => false,
    };
    let fragment = url.fragment().map(str::to_owned);
    url.set_fragment(None);
    allowed.then_some((url, fragment))
}

/// A name that can be a file's anywhere.
fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':']) && !name.chars().any(char::is_control)
}

fn read_html(page: &str, base: &Url) -> Result<Vec<IndexFile>, Failure> {
    let tags = read_tags(page);
    let version = tags.iter().find(|tag| tag.attribute("name") == Some("pypi:repository-version"));
    if let Some(version) = version.and_then(|tag| tag.attribute("content")) {
        check_version(version)?;
    }
    let base_tag = tags.iter().filter(|tag| tag.name == "base").find_map(|tag| tag.attribute("href"));
    let base = base_tag.and_then(|text| resolve_url(base, text)).map_or_else(|| base.clone(), |(url, _)| url);
    let links = tags.iter().filter(|tag| tag.name == "a");
    let files = links.filter_map(|tag| {
        let (url, fragment) = resolve_url(&base, tag.attribute("href")?)?;
        let filename = urls::file_name(url.as_str()).filter(|name| is_file_name(name))?;
        let digest = fragment.iter().flat_map(|text| text.split('&')).find_map(|part| part.strip_prefix("sha256="));
        Some(IndexFile {
            filename,
            url: url.into(),
            sha256: digest.and_then(|digest| digest.parse().ok()),
            requires_python: tag.attribute("data-requires-python").and_then(|text| text.parse().ok()),
            yanked: tag.attribute("data-yanked").map(str::to_owned),
            size: None,
        })
    });
    Ok(files.collect())
}

/// What every version of a page says.
#[derive(Deserialize)]
struct AnyPage {
    meta: Meta,
}

/// A page as PEP 691 and PEP 700 have it.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    files: Vec<PageFile>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "api-version")]
    api_version: String,
}

#[derive(Deserialize)]
struct PageFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    #[serde(rename = "requires-python")]
    requires_python: Option<String>,
    #[serde(default)]
    yanked: Yanked,
    size: Option<u64>,
}

/// Whether, or why, a file was taken back.
#[derive(Deserialize)]
#[serde(untagged)]
enum Yanked {
    Flag(bool),
    Reason(String),
    Null(()),
}

impl Default for Yanked {
    fn default() -> Self {
        Self::Flag(false)
    }
}

fn read_json(bytes: &[u8], base: &Url) -> Result<Vec<IndexFile>, Failure> {
    let broken = |error: serde_json::Error| refused(error.to_string());
    // The version first: another one may have another form.
    let AnyPage { meta } = serde_json::from_slice(bytes).map_err(broken)?;
    check_version(&meta.api_version)?;
    let page: Page = serde_json::from_slice(bytes).map_err(broken)?;
    let files = page.files.into_iter().filter(|file| is_file_name(&file.filename)).filter_map(|file| {
        let (url, _) = resolve_url(base, &file.url)?;
        Some(IndexFile {
            filename: file.filename,
            url: url.into(),
            sha256: file.hashes.get("sha256").and_then(|digest| digest.parse().ok()),
            requires_python: file.requires_python.and_then(|text| text.parse().ok()),
            yanked: match file.yanked {
                Yanked::Flag(false) | Yanked::Null(()) => None,
                Yanked::Flag(true) => Some(String::new()),
                Yanked::Reason(reason) => Some(reason),
            },
            size: file.size,
        })
    });
    Ok(files.collect())
}
