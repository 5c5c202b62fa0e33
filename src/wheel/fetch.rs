//! Fetching files: in parallel, hashed while they arrive, tried again where that may help, kept only when they are
//! right.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::process::PendingFile;
use crate::resolve::Location;
use crate::surroundings::make_private_directory;
use crate::wheel::access::Access;
use crate::wheel::fetch_error::FetchError;

/// How often a download is begun.
const TRIES: u32 = 3;

/// The pause before the second try; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(400);

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Downloads at a time.
const PARALLEL: usize = 8;

/// How long one read may take, and one connection.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long one file may take in all: a server that drips must end some time.
const FILE_TIMEOUT: Duration = Duration::from_mins(30);

/// A file to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Where it is.
    pub location: Location,
    /// Its digest, where it is known.
    pub sha256: Option<Sha256Digest>,
    /// The name that it is given when it is whole; its directory is made. A file that already has this name and the
    /// digest is taken as it is.
    pub target: PathBuf,
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

/// How far the downloads are: bytes until now, and in all where every server said how much comes.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// A client for files: one set of connections, certificates, proxies and credentials.
#[derive(Debug)]
pub struct Client {
    access: Access,
    offline: bool,
    pause: Duration,
    /// Made when it is first needed: reading certificates takes longer than a build from files at hand.
    agents: OnceLock<Result<Agents, (String, PathBuf)>>,
}

#[derive(Debug)]
struct Agents {
    http: ureq::Agent,
    https: ureq::Agent,
}

impl Client {
    /// A client that reaches servers as `access` says, or none with `offline`.
    pub fn new(access: Access, offline: bool) -> Self {
        Self { access, offline, pause: PAUSE, agents: OnceLock::new() }
    }

    /// The same with another pause between tries.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Fetches all of them, in the order that was given; the first failure ends it.
    ///
    /// # Errors
    /// [`FetchError`] of the first that failed. Nothing of a failed one is kept.
    pub fn fetch_all(&self, downloads: &[Download], progress: Progress<'_>) -> Result<Vec<Fetched>, FetchError> {
        let tally = Tally::new(progress);
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<Result<Fetched, FetchError>>>> =
            Mutex::new(downloads.iter().map(|_| None).collect());
        let failed = std::sync::atomic::AtomicBool::new(false);
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(download) = downloads.get(index) else { return };
                if failed.load(Ordering::Relaxed) {
                    return;
                }
                let result = self.fetch(download, &tally);
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                results.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[index] = Some(result);
            }
        };
        let remote = downloads.iter().filter(|download| matches!(download.location, Location::Url(_))).count();
        std::thread::scope(|scope| {
            for _ in 1..remote.min(PARALLEL) {
                scope.spawn(work);
            }
            work();
        });
        let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Those that were not begun stand behind the failure that stopped them.
        let mut fetched = Vec::with_capacity(results.len());
        let mut skipped = false;
        for result in results {
            match result {
                Some(result) => fetched.push(result?),
                None => skipped = true,
            }
        }
        debug_assert!(!skipped, "only a failure leaves a download undone");
        Ok(fetched)
    }

    fn fetch(&self, download: &Download, tally: &Tally<'_>) -> Result<Fetched, FetchError> {
        let url = match &download.location {
            Location::Path(path) => {
                fs_err::metadata(path).map_err(|source| FetchError::Read { path: path.clone(), source })?;
                return Ok(Fetched { path: path.clone(), sha256: download.sha256 });
            }
            Location::Url(url) => url,
        };
        if let (Some(expected), Ok(file)) = (download.sha256, std::fs::File::open(&download.target))
            && Sha256Digest::of_reader(file).is_ok_and(|found| found == expected)
        {
            return Ok(Fetched { path: download.target.clone(), sha256: Some(expected) });
        }
        let file = download.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source_shown = download.location.shown();
        if self.offline {
            return Err(FetchError::Offline { file, source_shown });
        }
        let mut pause = self.pause;
        for attempt in 1.. {
            let wait = match self.try_fetch(url, download, tally) {
                Ok(fetched) => return Ok(fetched),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Answer(code)) => return Err(FetchError::Answer { file, source_shown, code }),
                Err(Failure::WrongHash { expected, found }) => {
                    return Err(FetchError::WrongHash { file, source_shown, expected, found });
                }
                Err(Failure::Passing { reason, wait }) => {
                    if attempt == TRIES {
                        let reason = self.access.secrets().redact(&reason);
                        return Err(FetchError::Network { file, source_shown, tries: TRIES, reason });
                    }
                    wait.map_or(pause, |wait| wait.min(LONGEST_PAUSE))
                }
            };
            std::thread::sleep(wait);
            pause *= 2;
        }
        unreachable!("the last try returns")
    }

    fn try_fetch(&self, url: &str, download: &Download, tally: &Tally<'_>) -> Result<Fetched, Failure> {
        let (bare, login) = self.access.login_for(url);
        let agent = self.agent(&bare)?;
        let mut request = agent.get(&bare);
        if let Some(login) = login {
            request = request.header("Authorization", login.basic());
        }
        let mut response = request.call().map_err(|error| Failure::of(&error))?;
        let code = response.status().as_u16();
        if matches!(code, 408 | 429 | 500..=599) {
            let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let wait = wait.map(Duration::from_secs);
            return Err(Failure::Passing { reason: format!("the server answered {code}"), wait });
        }
        if code != 200 {
            return Err(Failure::Answer(code));
        }
        let length = response.body().content_length();
        let mut meter = tally.begin(length);
        let write_error = |source| Failure::Final(FetchError::Write { path: download.target.clone(), source });
        if let Some(directory) = download.target.parent() {
            make_private_directory(directory).map_err(write_error)?;
        }
        let mut pending = PendingFile::create(&download.target).map_err(write_error)?;
        let mut hasher = Sha256Hasher::default();
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0_u8; 128 * 1024];
        let mut received = 0_u64;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Passing { reason: error.to_string(), wait: None }),
            };
            hasher.update(&buffer[..read]);
            pending.write_all(&buffer[..read]).map_err(write_error)?;
            received += read as u64;
            meter.add(read as u64);
        }
        if let Some(length) = length.filter(|length| *length != received) {
            let reason = format!("truncated: expected {length} bytes, found {received}");
            return Err(Failure::Passing { reason, wait: None });
        }
        let found = hasher.finish();
        if let Some(expected) = download.sha256.filter(|expected| *expected != found) {
            return Err(Failure::WrongHash { expected, found });
        }
        pending.persist().map_err(write_error)?;
        meter.keep();
        Ok(Fetched { path: download.target.clone(), sha256: Some(found) })
    }

    fn agent(&self, url: &str) -> Result<&ureq::Agent, Failure> {
        let agents = self.agents.get_or_init(|| {
            let certificates = self.access.certificates()?;
            let make = |proxy: Option<ureq::Proxy>| {
                let mut tls = ureq::tls::TlsConfig::builder();
                tls = tls.root_certs(match &certificates {
                    Some(certificates) => ureq::tls::RootCerts::new_with_certs(certificates),
                    None => ureq::tls::RootCerts::PlatformVerifier,
                });
                ureq::Agent::config_builder()
                    .tls_config(tls.build())
                    .proxy(proxy)
                    .http_status_as_error(false)
                    .user_agent(concat!("pyzpack/", env!("CARGO_PKG_VERSION")))
                    .timeout_connect(Some(CONNECT_TIMEOUT))
                    .timeout_recv_response(Some(READ_TIMEOUT))
                    .timeout_per_read(Some(READ_TIMEOUT))
                    .timeout_global(Some(FILE_TIMEOUT))
                    .max_idle_connections_per_host(PARALLEL)
                    .build()
                    .new_agent()
            };
            let http = make(self.access.proxy("http").map_err(|proxy| (proxy, PathBuf::new()))?);
            let https = make(self.access.proxy("https").map_err(|proxy| (proxy, PathBuf::new()))?);
            Ok(Agents { http, https })
        });
        match agents {
            Ok(agents) => Ok(if url.starts_with("https:") { &agents.https } else { &agents.http }),
            Err((proxy, path)) if path == Path::new("") => {
                Err(Failure::Final(FetchError::Proxy { proxy: proxy.clone() }))
            }
            Err((reason, path)) => {
                Err(Failure::Final(FetchError::Certificates { path: path.clone(), reason: reason.clone() }))
            }
        }
    }
}

/// Why one try failed.
enum Failure {
    /// Nothing helps.
    Final(FetchError),
    /// The server does not have it, or does not give it.
    Answer(u16),
    /// It is another file.
    WrongHash { expected: Sha256Digest, found: Sha256Digest },
    /// Another try may help, after a while.
    Passing { reason: String, wait: Option<Duration> },
}

impl Failure {
    fn of(error: &ureq::Error) -> Self {
        Self::Passing { reason: error.to_string(), wait: None }
    }
}

/// Bytes of all downloads.
struct Tally<'a> {
    received: AtomicU64,
    total: AtomicU64,
    unknown: AtomicUsize,
    progress: Progress<'a>,
}

impl<'a> Tally<'a> {
    fn new(progress: Progress<'a>) -> Self {
        Self { received: AtomicU64::new(0), total: AtomicU64::new(0), unknown: AtomicUsize::new(0), progress }
    }

    fn begin(&self, length: Option<u64>) -> Meter<'_, 'a> {
        match length {
            Some(length) => self.total.fetch_add(length, Ordering::Relaxed),
            None => self.unknown.fetch_add(1, Ordering::Relaxed) as u64,
        };
        Meter { tally: self, length, received: 0, kept: false }
    }

    fn tell(&self) {
        let total = (self.unknown.load(Ordering::Relaxed) == 0).then(|| self.total.load(Ordering::Relaxed));
        (self.progress)(self.received.load(Ordering::Relaxed), total);
    }
}

/// Bytes of one try; a failed try takes its own back.
struct Meter<'t, 'a> {
    tally: &'t Tally<'a>,
    length: Option<u64>,
    received: u64,
    kept: bool,
}

impl Meter<'_, '_> {
    fn add(&mut self, bytes: u64) {
        self.received += bytes;
        self.tally.received.fetch_add(bytes, Ordering::Relaxed);
        self.tally.tell();
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Meter<'_, '_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        self.tally.received.fetch_sub(self.received, Ordering::Relaxed);
        match self.length {
            Some(length) => self.tally.total.fetch_sub(length, Ordering::Relaxed),
            None => self.tally.unknown.fetch_sub(1, Ordering::Relaxed) as u64,
        };
    }
}
