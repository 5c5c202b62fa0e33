//! Fetching files: in parallel, hashed while they arrive, tried again where that may help, kept only when they are
//! right. What is known by its digest goes on where an earlier try, or an earlier run, ended.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rayon::prelude::*;

use super::access::Access;
use super::fetch_error::{FetchError, Refusal};
use super::http::{Answer, CONNECTIONS, Failure, Flow, Http};
use super::index::IndexFile;
use super::partial::Partial;
use crate::cache::mark_used;
use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::resolve::Location;
use crate::surroundings::make_private_directory;

pub use super::http::Patience;

/// The longest file that is taken where nobody says beforehand how long it is.
const LARGEST: u64 = 16 << 30;

/// What a try must bring for the tries before it not to count.
const GAIN: u64 = 1 << 20;

/// A file to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Where it is.
    pub location: Location,
    /// Its digest, where it is known.
    pub sha256: Option<Sha256Digest>,
    /// Its size in bytes, where it is known: more is not taken.
    pub size: Option<u64>,
    /// The name that it is given when it is whole; its directory is made. A file that already has this name and the
    /// digest is taken as it is.
    pub target: PathBuf,
}

impl Download {
    /// Its name and where it is, as messages have them.
    fn described(&self) -> (String, String) {
        (self.target.file_name().unwrap_or_default().to_string_lossy().into_owned(), self.location.shown())
    }
}

/// A file that was had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is now: a file of this machine stays where it is.
    pub path: PathBuf,
    /// Its digest. That of a file of this machine is not taken here, since whoever reads the file does; then it is the
    /// one that was expected, if any.
    pub sha256: Option<Sha256Digest>,
}

/// How far the downloads are: bytes until now, and in all where every server or lock said how much comes.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// What indexes have, by their URLs and the names of distributions.
pub(super) type Pages = BTreeMap<(String, PackageName), Option<Vec<IndexFile>>>;

/// A client for files and index pages: one set of connections, certificates, proxies and credentials.
#[derive(Debug)]
pub struct Client {
    pub(super) http: Http,
    pub(super) offline: bool,
    /// Pages of indexes that were read.
    pub(super) pages: Mutex<Pages>,
}

impl Client {
    /// A client that reaches servers as `access` says, or none with `offline`.
    pub fn new(access: Access, offline: bool) -> Self {
        Self { http: Http::new(access), offline, pages: Mutex::default() }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.http.patience = patience;
        self
    }

    /// Fetches all of them, in the order that was given; the first failure ends it.
    ///
    /// # Errors
    /// [`FetchError`] of one that failed. Nothing wrong is kept of it; what was right so far waits in the cache.
    pub fn fetch_all(&self, downloads: &[Download], progress: Progress<'_>) -> Result<Vec<Fetched>, FetchError> {
        let at_hand: Vec<Option<Fetched>> = downloads.par_iter().map(find_at_hand).collect::<Result<_, _>>()?;
        let mut missing: Vec<(usize, &Download)> =
            downloads.iter().enumerate().filter(|(index, _)| at_hand[*index].is_none()).collect();
        if self.offline && !missing.is_empty() {
            return Err(FetchError::Offline { files: missing.iter().map(|(_, one)| one.described()).collect() });
        }
        // The longest first, so that none is left to run alone at the end.
        missing.sort_by_key(|(_, download)| Reverse(download.size));
        let tally = Tally::new(progress, missing.iter().map(|(_, download)| download.size));
        let fetched = in_parallel(&missing, |(index, download)| Ok((*index, self.fetch(download, &tally)?)))?;
        let mut all = at_hand;
        for (index, fetched) in fetched {
            all[index] = Some(fetched);
        }
        Ok(all.into_iter().map(|fetched| fetched.expect("what was not at hand was fetched")).collect())
    }

    fn fetch(&self, download: &Download, tally: &Tally<'_>) -> Result<Fetched, FetchError> {
        let Location::Url(url) = &download.location else { unreachable!("a file of this machine is at hand") };
        let (file, source_shown) = download.described();
        let mut course = Course {
            client: self,
            url,
            download,
            partial: None,
            meter: Meter { tally, total: download.size, received: 0 },
            validator: None,
            ranges: true,
        };
        let sha256 = self.http.persist(&file, &source_shown, || course.try_once())?;
        Ok(Fetched { path: download.target.clone(), sha256: Some(sha256) })
    }
}

/// A file that needs no server: one of this machine, or one in the cache that is right.
fn find_at_hand(download: &Download) -> Result<Option<Fetched>, FetchError> {
    if let Location::Path(path) = &download.location {
        fs_err::metadata(path).map_err(|source| FetchError::Read { path: path.clone(), source })?;
        return Ok(Some(Fetched { path: path.clone(), sha256: download.sha256 }));
    }
    let Some(expected) = download.sha256 else { return Ok(None) };
    let Ok(file) = std::fs::File::open(&download.target) else { return Ok(None) };
    let right = Sha256Digest::of_reader(file).is_ok_and(|found| found == expected);
    if right && let Some(entry) = download.target.parent() {
        mark_used(entry);
    }
    Ok(right.then(|| Fetched { path: download.target.clone(), sha256: Some(expected) }))
}

/// Does something with each of `items`, as many at a time as there are connections, and gives the results in their
/// order; after a failure no other is begun.
///
/// # Errors
/// The first failure in the order of `items`.
pub(super) fn in_parallel<T: Sync, R: Send, E: Send>(
    items: &[T],
    run: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results: Mutex<Vec<Option<Result<R, E>>>> = Mutex::new(items.iter().map(|_| None).collect());
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            let result = run(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..items.len().min(CONNECTIONS) {
            scope.spawn(work);
        }
        work();
    });
    // Those that were not begun stand behind a failure.
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

/// One download, over all its tries.
struct Course<'a, 'p> {
    client: &'a Client,
    url: &'a str,
    download: &'a Download,
    /// What is there of it.
    partial: Option<Partial>,
    meter: Meter<'a, 'p>,
    /// What the server calls the state of the file that the partial one is from.
    validator: Option<String>,
    /// Whether a part may be asked for: not again where that went wrong.
    ranges: bool,
}

impl Course<'_, '_> {
    fn try_once(&mut self) -> Result<Sha256Digest, Failure> {
        let keep = self.download.sha256.is_some();
        if self.partial.is_none() && keep && self.ranges {
            self.partial = Partial::resume(&self.download.target);
        }
        let begun_at = self.length();
        if begun_at > 0 && (!self.ranges || self.download.size.is_some_and(|size| begun_at > size)) {
            self.restart()?;
        }
        let from = self.length();
        self.meter.reach(from);
        // An earlier run may have ended between the last byte and the name.
        let complete = from > 0 && self.download.size == Some(from);
        if !complete {
            self.receive(from).map_err(|failure| self.judge(failure, from))?;
        }
        self.meter.expect(self.length());
        let partial = self.partial.take().expect("what was received is there");
        let found = partial.sha256();
        match self.download.sha256 {
            Some(expected) if expected != found => {
                partial.discard();
                if from == 0 {
                    return Err(Failure::WrongHash { expected, found });
                }
                // What was there before may have been another server's, or damaged.
                Err(self.begin_anew("what came does not continue what was there"))
            }
            _ => {
                partial.persist().map_err(|source| self.cannot_write(source))?;
                Ok(found)
            }
        }
    }

    /// Asks for what is missing from byte `from` on, and adds it to what is there.
    fn receive(&mut self, from: u64) -> Result<(), Failure> {
        let range = format!("bytes={from}-");
        let mut headers = vec![("Accept-Encoding", "identity")];
        let validator = self.validator.clone();
        if from > 0 {
            headers.push(("Range", &range));
            headers.extend(validator.as_deref().map(|validator| ("If-Range", validator)));
        }
        let answer = self.client.http.get(self.url, &headers)?;
        let mut total = None;
        match answer.code {
            206 if from > 0 => {
                total = match answer.header("content-range").and_then(read_content_range) {
                    Some((start, total)) if start == from => total,
                    _ => return Err(self.begin_anew("the server answered with another part than was asked for")),
                };
            }
            416 if from > 0 => return Err(self.begin_anew("the server does not have the rest of it")),
            200 if from > 0 => self.restart()?,
            200 => {}
            code => return Err(Failure::Answer(code)),
        }
        self.validator = find_validator(&answer);
        let start = if answer.code == 206 { from } else { 0 };
        let mut flow = Flow::new(answer.body, self.client.http.patience);
        let total = total.or_else(|| flow.length().map(|length| start.saturating_add(length)));
        let limit = self.download.size.unwrap_or(LARGEST);
        if total.is_some_and(|total| total > limit) {
            return Err(Failure::Refused(Refusal::Longer { expected: limit }));
        }
        if let Some(total) = total {
            self.meter.expect(total);
        }
        if self.partial.is_none() {
            let target = &self.download.target;
            let made = target.parent().map_or(Ok(()), make_private_directory);
            let keep = self.download.sha256.is_some();
            self.partial =
                Some(made.and_then(|()| Partial::create(target, keep)).map_err(|source| self.cannot_write(source))?);
        }
        let mut buffer = vec![0_u8; 128 * 1024];
        loop {
            let read = flow.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            let partial = self.partial.as_mut().expect("it was made above");
            if partial.length() + read as u64 > limit {
                return Err(Failure::Refused(Refusal::Longer { expected: limit }));
            }
            partial.write(&buffer[..read]).map_err(|source| self.cannot_write(source))?;
            let length = self.length();
            self.meter.reach(length);
        }
        let (found, expected) = (self.length(), total.or(self.download.size));
        match expected.filter(|expected| found < *expected) {
            Some(expected) => Err(Failure::passing(format!("truncated: expected {expected} bytes, found {found}"))),
            None => Ok(()),
        }
    }

    /// What a failure means for what is there and for further tries.
    fn judge(&mut self, failure: Failure, from: u64) -> Failure {
        let length = self.length();
        match failure {
            Failure::Passing { reason, wait, .. } => {
                // Without a digest only the server can tell whether the rest belongs to it.
                if self.download.sha256.is_none() && self.validator.is_none() {
                    self.partial = None;
                }
                Failure::Passing { reason, wait, gained: length >= from + GAIN }
            }
            // Nothing of it may stay: it is wrong, or there is no room.
            Failure::Final(_) | Failure::Refused(Refusal::Longer { .. }) => {
                self.discard();
                failure
            }
            other => {
                if length == 0 {
                    self.discard();
                }
                other
            }
        }
    }

    /// Has the next try, at once, take the file from its start.
    fn begin_anew(&mut self, reason: &str) -> Failure {
        self.ranges = false;
        Failure::Passing { reason: reason.to_owned(), wait: Some(Duration::ZERO), gained: false }
    }

    fn length(&self) -> u64 {
        self.partial.as_ref().map_or(0, Partial::length)
    }

    fn restart(&mut self) -> Result<(), Failure> {
        let restarted = self.partial.as_mut().map_or(Ok(()), Partial::restart);
        restarted.map_err(|source| self.cannot_write(source))
    }

    fn discard(&mut self) {
        if let Some(partial) = self.partial.take() {
            partial.discard();
        }
    }

    fn cannot_write(&self, source: io::Error) -> Failure {
        Failure::Final(FetchError::Write { path: self.download.target.clone(), source })
    }
}

/// The start and, where it is known, the whole length (RFC 9110, 14.4): `bytes 100-199/200`. `None` where it contradicts
/// itself, or does not go to the end.
fn read_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let (start, last): (u64, u64) = (start.trim().parse().ok()?, last.trim().parse().ok()?);
    match total.trim() {
        "*" => Some((start, None)),
        total => {
            let total: u64 = total.parse().ok()?;
            (start <= last && last.checked_add(1) == Some(total)).then_some((start, Some(total)))
        }
    }
}

/// What `If-Range` may hold (RFC 9110, 13.1.5): a strong entity tag, else a date.
fn find_validator(answer: &Answer) -> Option<String> {
    let tag = answer.header("etag").filter(|tag| tag.starts_with('"'));
    tag.or_else(|| answer.header("last-modified")).map(str::to_owned)
}

/// Bytes of all downloads.
struct Tally<'a> {
    received: AtomicU64,
    total: AtomicU64,
    unknown: AtomicUsize,
    progress: Progress<'a>,
}

impl<'a> Tally<'a> {
    fn new(progress: Progress<'a>, sizes: impl Iterator<Item = Option<u64>>) -> Self {
        let (mut total, mut unknown) = (0_u64, 0);
        for size in sizes {
            match size {
                Some(size) => total = total.wrapping_add(size),
                None => unknown += 1,
            }
        }
        Self { received: AtomicU64::new(0), total: AtomicU64::new(total), unknown: AtomicUsize::new(unknown), progress }
    }

    fn tell(&self) {
        let total = (self.unknown.load(Ordering::Relaxed) == 0).then(|| self.total.load(Ordering::Relaxed));
        (self.progress)(self.received.load(Ordering::Relaxed), total);
    }
}

/// Bytes of one download, over all its tries.
struct Meter<'t, 'a> {
    tally: &'t Tally<'a>,
    total: Option<u64>,
    received: u64,
}

impl Meter<'_, '_> {
    /// Now it is known how many there are in all.
    fn expect(&mut self, total: u64) {
        // Differences wrap around, and so may be negative.
        let known = self.total.replace(total);
        self.tally.total.fetch_add(total.wrapping_sub(known.unwrap_or(0)), Ordering::Relaxed);
        if known.is_none() {
            self.tally.unknown.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// So many are there.
    fn reach(&mut self, received: u64) {
        let known = std::mem::replace(&mut self.received, received);
        self.tally.received.fetch_add(received.wrapping_sub(known), Ordering::Relaxed);
        if received != known {
            self.tally.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_which_part_came() {
        for (text, part) in [
            ("bytes 100-199/200", Some((100, Some(200)))),
            ("bytes 100-199/*", Some((100, None))),
            ("bytes 100-198/200", None),
            ("bytes 200-199/200", None),
            ("bytes */200", None),
            ("bytes 0-18446744073709551615/1", None),
            ("bits 1-2/3", None),
            ("", None),
        ] {
            assert_eq!(read_content_range(text), part, "{text}");
        }
    }
}
