//! One question to a server, and its answer: connections, redirects, credentials, and what of a failure another try may
//! help.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ureq::http::HeaderMap;
use url::Url;

use super::access::Access;
use super::fetch_error::{FetchError, Refusal};
use crate::digest::Sha256Digest;
use crate::process::stopwatch::Stopwatch;
use crate::redact::recorded_url;
use crate::urls::{self, Login, Origin};

/// How often a server may point elsewhere before it is not followed any more.
const REDIRECTS: usize = 10;

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The longest pause between tries that nobody asked for.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(20);

/// Connections that are used at a time, and kept. A hundred wheels, 79 MB, from a server that takes 50 ms for each answer
/// took 1.2 s with 8, 1.0 s with 16, 0.5 s with 32 and no less with 50.
pub(super) const CONNECTIONS: usize = 32;

/// How long is waited, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often something is begun that brings nothing.
    pub tries: u32,
    /// The pause before the second try; doubled before each further one.
    pub pause: Duration,
    /// For a connection.
    pub connect: Duration,
    /// For an answer to begin, and for the next bytes of it.
    pub stall: Duration,
    /// How many bytes a second must come at least, over each time of `stall`: a server that drips must end some time.
    pub slowest: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 4,
            pause: Duration::from_millis(400),
            connect: Duration::from_secs(20),
            stall: Duration::from_mins(1),
            slowest: 1024,
        }
    }
}

/// Connections to servers, and what opens them.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) access: Access,
    pub(super) patience: Patience,
    /// Logins of index URLs that became known later than `access`.
    learned: Mutex<Vec<(Origin, Login)>>,
    /// Made when it is first needed: reading certificates takes longer than a build from files at hand.
    agents: OnceLock<Result<Agents, (String, PathBuf)>>,
}

#[derive(Debug)]
struct Agents {
    http: ureq::Agent,
    https: ureq::Agent,
}

/// What a server answered, redirects followed.
pub(super) struct Answer {
    /// 200, 206, or 416.
    pub(super) code: u16,
    /// Who answered.
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: ureq::Body,
}

impl Answer {
    /// The value of a header, where it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

impl Http {
    pub(super) fn new(access: Access) -> Self {
        Self { access, patience: Patience::default(), learned: Mutex::default(), agents: OnceLock::new() }
    }

    /// Keeps the credentials of an index URL for the server that it names, and for no other.
    pub(super) fn learn(&self, url: &str) {
        if let (Some(origin), (_, Some(login))) = (urls::origin(url), urls::split_login(url)) {
            let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
            if learned.iter().all(|(known, _)| *known != origin) {
                learned.push((origin, login));
            }
        }
    }

    fn learned_login(&self, url: &str) -> Option<Login> {
        let origin = urls::origin(url)?;
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.iter().find(|(known, _)| *known == origin).map(|(_, login)| login.clone())
    }

    /// Asks for what is at `url`, and follows redirects: with credentials of its own for each server.
    ///
    /// # Errors
    /// [`Failure`]; each status but 200, 206 and 416 is one.
    pub(super) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, Failure> {
        let mut url = url.to_owned();
        let own = urls::origin(&url).zip(urls::split_login(&url).1);
        let mut seen: Vec<String> = Vec::new();
        loop {
            let (bare, login) = self.access.login_for(&url);
            let of_first = || own.as_ref().filter(|(origin, _)| urls::origin(&bare).as_ref() == Some(origin));
            let login = of_first().map(|(_, login)| login.clone()).or(login).or_else(|| self.learned_login(&bare));
            let parsed = Url::parse(&bare).map_err(|error| Failure::Refused(Refusal::Url(error.to_string())))?;
            let mut request = self.agent(parsed.scheme())?.get(parsed.as_str());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(login) = login {
                request = request.header("Authorization", login.basic());
            }
            let response = request.call().map_err(|error| Failure::of(&error))?;
            let code = response.status().as_u16();
            let (parts, body) = response.into_parts();
            let headers = parts.headers;
            match code {
                200 | 206 | 416 => return Ok(Answer { code, url: parsed, headers, body }),
                301 | 302 | 303 | 307 | 308 => {
                    let next = header(&headers, "location").and_then(|text| parsed.join(text).ok());
                    let next = next.ok_or(Failure::Refused(Refusal::RedirectNowhere))?;
                    seen.push(parsed.into());
                    check_redirect(&seen, &next).map_err(Failure::Refused)?;
                    url = next.into();
                }
                408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=529 => {
                    let wait = header(&headers, "retry-after")
                        .and_then(|text| retry_after(text, header(&headers, "date")))
                        .map(|wait| wait.min(LONGEST_PAUSE));
                    let reason = format!("the server answered {code}");
                    return Err(Failure::Passing { reason, wait, gained: false });
                }
                _ => return Err(Failure::Answer(code)),
            }
        }
    }

    fn agent(&self, scheme: &str) -> Result<&ureq::Agent, Failure> {
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
                    // They are followed here, with other credentials for another server.
                    .max_redirects(0)
                    .max_redirects_will_error(false)
                    .user_agent(concat!("pyzpack/", env!("CARGO_PKG_VERSION")))
                    .timeout_resolve(Some(self.patience.connect))
                    .timeout_connect(Some(self.patience.connect))
                    .timeout_recv_response(Some(self.patience.stall))
                    .timeout_per_read(Some(self.patience.stall))
                    .timeout_per_write(Some(self.patience.stall))
                    .max_idle_connections(2 * CONNECTIONS)
                    .max_idle_connections_per_host(CONNECTIONS)
                    .build()
                    .new_agent()
            };
            let http = make(self.access.proxy("http").map_err(|proxy| (proxy, PathBuf::new()))?);
            let https = make(self.access.proxy("https").map_err(|proxy| (proxy, PathBuf::new()))?);
            Ok(Agents { http, https })
        });
        match agents {
            Ok(agents) => Ok(if scheme == "https" { &agents.https } else { &agents.http }),
            Err((proxy, path)) if path == Path::new("") => {
                Err(Failure::Final(FetchError::Proxy { proxy: proxy.clone() }))
            }
            Err((reason, path)) => {
                Err(Failure::Final(FetchError::Certificates { path: path.clone(), reason: reason.clone() }))
            }
        }
    }

    /// Tries until it succeeds, nothing helps, or `patience.tries` in a row gained nothing; pauses grow between them.
    ///
    /// # Errors
    /// The last failure, about `file` from `source_shown`.
    pub(super) fn persist<T>(
        &self,
        file: &str,
        source_shown: &str,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, FetchError> {
        let (mut pause, mut tries) = (self.patience.pause, 0);
        loop {
            tries += 1;
            let failure = match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            if matches!(failure, Failure::Passing { gained: true, .. }) {
                (pause, tries) = (self.patience.pause, 1);
            }
            match failure {
                Failure::Passing { wait, .. } if tries < self.patience.tries => {
                    std::thread::sleep(wait.unwrap_or(pause));
                    pause = (pause * 2).min(LONGEST_BACK_OFF);
                }
                failure => return Err(self.explain(failure, file, source_shown, tries)),
            }
        }
    }

    fn explain(&self, failure: Failure, file: &str, source_shown: &str, tries: u32) -> FetchError {
        let (file, source_shown) = (file.to_owned(), source_shown.to_owned());
        match failure {
            Failure::Final(error) => error,
            Failure::Answer(code) => FetchError::Answer { file, source_shown, code },
            Failure::Refused(refusal) => FetchError::Refused { file, source_shown, refusal },
            Failure::WrongHash { expected, found } => FetchError::WrongHash { file, source_shown, expected, found },
            Failure::Passing { reason, .. } => {
                let reason = self.access.secrets().redact(&reason);
                FetchError::Network { file, source_shown, tries, reason }
            }
        }
    }
}

/// The body of an answer as it comes: complete, and no slower than `patience` allows.
pub(super) struct Flow {
    body: ureq::BodyReader<'static>,
    length: Option<u64>,
    received: u64,
    patience: Patience,
    window: Stopwatch,
    in_window: u64,
}

impl Flow {
    pub(super) fn new(body: ureq::Body, patience: Patience) -> Self {
        let length = body.content_length();
        let window = Stopwatch::start();
        Self { body: body.into_reader(), length, received: 0, patience, window, in_window: 0 }
    }

    /// How many bytes there are in all, where the server says.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Reads the next bytes; none at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = loop {
            match self.body.read(buffer) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::passing(error.to_string())),
            }
        };
        self.received += read as u64;
        self.in_window += read as u64;
        if let Some(length) = self.length.filter(|length| read == 0 && *length != self.received) {
            let found = self.received;
            return Err(Failure::passing(format!("truncated: expected {length} bytes, found {found}")));
        }
        if self.window.elapsed() >= self.patience.stall {
            let needed = self.patience.slowest.saturating_mul(self.patience.stall.as_secs().max(1));
            if self.in_window < needed && read > 0 {
                return Err(Failure::passing(format!("it comes slower than {} bytes a second", self.patience.slowest)));
            }
            (self.window, self.in_window) = (Stopwatch::start(), 0);
        }
        Ok(read)
    }

    /// Reads all of it into memory; more than `limit` bytes are refused.
    pub(super) fn read_whole(mut self, limit: u64) -> Result<Vec<u8>, Failure> {
        let longer = || Failure::Refused(Refusal::Longer { expected: limit });
        if self.length.is_some_and(|length| length > limit) {
            return Err(longer());
        }
        let mut bytes = Vec::new();
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            match self.read(&mut buffer)? {
                0 => return Ok(bytes),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
            if bytes.len() as u64 > limit {
                return Err(longer());
            }
        }
    }
}

/// Whether a redirect may be followed; `seen` are the URLs until now, the last one that which points to `next`.
fn check_redirect(seen: &[String], next: &Url) -> Result<(), Refusal> {
    let to = || recorded_url(next.as_str());
    if !matches!(next.scheme(), "http" | "https") {
        return Err(Refusal::RedirectScheme { to: to() });
    }
    if next.scheme() == "http" && seen.iter().any(|url| url.starts_with("https:")) {
        return Err(Refusal::RedirectUnencrypted { to: to() });
    }
    if seen.iter().any(|url| url == next.as_str()) {
        return Err(Refusal::RedirectCircle { to: to() });
    }
    if seen.len() > REDIRECTS {
        return Err(Refusal::RedirectLimit { limit: REDIRECTS, to: to() });
    }
    Ok(())
}

/// How long a server asks to wait (RFC 9110, 10.2.3): seconds, or a date, which is held against the server's own clock.
fn retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (http_date(text)?, http_date(date?)?);
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Seconds since 1970 of a date as HTTP writes them (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<u64> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = words.next()?;
    let month = u64::try_from(months.iter().position(|month| *month == name)?).ok()?;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok().filter(|number| *number <= 60));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // Days before a month, counted from March so that the leap day comes last.
    let (shifted_year, shifted_month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = 365 * shifted_year + leap_days + (153 * shifted_month + 2) / 5 + day.clamp(1, 31) - 1;
    // The first of March of the year 0 is 719,468 days before 1970.
    Some((days.checked_sub(719_468)?) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Why one try failed.
pub(super) enum Failure {
    /// Nothing helps.
    Final(FetchError),
    /// The server does not have it, or does not give it.
    Answer(u16),
    /// What it says is not accepted.
    Refused(Refusal),
    /// It is another file.
    WrongHash {
        /// The digest that was expected.
        expected: Sha256Digest,
        /// The digest of what came.
        found: Sha256Digest,
    },
    /// Another try may help, after a while.
    Passing {
        /// What went wrong.
        reason: String,
        /// How long the server asks to wait.
        wait: Option<Duration>,
        /// Whether the next try has less to do.
        gained: bool,
    },
}

impl Failure {
    /// Another try may help.
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self::Passing { reason: reason.into(), wait: None, gained: false }
    }

    fn of(error: &ureq::Error) -> Self {
        match error {
            // What rustls refuses comes as invalid data from the connection.
            ureq::Error::Io(inner) if inner.kind() == io::ErrorKind::InvalidData => {
                Self::Refused(Refusal::Connection(inner.to_string()))
            }
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => Self::Refused(Refusal::Connection(error.to_string())),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Self::Refused(Refusal::Url(error.to_string())),
            _ => Self::passing(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_how_long_to_wait_in_seconds_and_as_a_date() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let now = Some(date);
        for (text, date, wait) in [
            ("7", None, Some(7)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", now, Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", now, Some(0)),
            ("Mon, 29 Feb 2016 00:00:00 GMT", Some("Sun, 28 Feb 2016 23:59:59 GMT"), Some(1)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("soon", now, None),
            ("-1", now, None),
        ] {
            assert_eq!(retry_after(text, date), wait.map(Duration::from_secs), "{text}");
        }
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date(date), Some(784_111_777));
        for text in ["Thu, 01 Jan 1969 00:00:00 GMT", "Thu, 01 Jan", "", "x, 99999999999999999999 Jan 1970 1:1:1 GMT"] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn follows_no_redirect_to_less_than_was_asked() {
        let seen = |url: &str| vec![url.to_owned()];
        let to = |url: &str| Url::parse(url).unwrap();
        let ask = |from: &str, url: &str| check_redirect(&seen(from), &to(url)).map_err(|error| error.to_string());
        assert_eq!(ask("https://a.example/", "https://b.example/"), Ok(()));
        assert_eq!(ask("http://a.example/", "https://a.example/"), Ok(()));
        for (from, url, message) in [
            ("https://a.example/", "http://u:p@a.example/", "it redirects from https to http://****@a.example/"),
            ("http://a.example/", "file:///etc/passwd", "it redirects to file:passwd, which is neither http nor https"),
            ("http://a.example/x", "http://a.example/x", "it redirects in a circle, to http://a.example/x"),
        ] {
            assert_eq!(ask(from, url), Err(message.to_owned()));
        }
    }
}
