//! Why a file is not had.

use std::io;
use std::path::PathBuf;

use crate::digest::Sha256Digest;
use crate::status::{Explain, Status};

/// Why a file is not had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// They lie beyond the network.
    #[error("cannot fetch {} with --offline", list(files))]
    Offline {
        /// Each file's name, and where it is.
        files: Vec<(String, String)>,
    },
    /// The server refuses.
    #[error("cannot fetch `{file}` from {source_shown}: the server answered {code}")]
    Answer {
        /// The file's name.
        file: String,
        /// Where it is.
        source_shown: String,
        /// The HTTP status.
        code: u16,
    },
    /// What the server says is not accepted.
    #[error("cannot fetch `{file}` from {source_shown}: {refusal}")]
    Refused {
        /// The file's name.
        file: String,
        /// Where it is.
        source_shown: String,
        /// Why.
        refusal: Refusal,
    },
    /// The network is in the way, several times over.
    #[error("cannot fetch `{file}` from {source_shown} ({tries} tries): {reason}")]
    Network {
        /// The file's name.
        file: String,
        /// Where it is.
        source_shown: String,
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        reason: String,
    },
    /// It is another file than expected.
    #[error("wrong hash of `{file}` from {source_shown}: expected sha256 {expected}, found {found}")]
    WrongHash {
        /// The file's name.
        file: String,
        /// Where it is.
        source_shown: String,
        /// The digest that was expected.
        expected: Sha256Digest,
        /// The digest of what came.
        found: Sha256Digest,
    },
    /// A file of this machine cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be kept.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificates that were given cannot be read.
    #[error("cannot read the certificates in `{}`: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The proxy that was given is none.
    #[error("not a proxy that can be used: `{proxy}`")]
    Proxy {
        /// The proxy, without credentials.
        proxy: String,
    },
}

/// Why a server's answer is not accepted, whatever is tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server cannot be trusted to be the one that was meant, or speaks no TLS.
    #[error("the connection is refused: {0}")]
    Connection(String),
    /// Not a URL that can be asked.
    #[error("the URL cannot be asked: {0}")]
    Url(String),
    /// A redirect without a place that it leads to.
    #[error("it redirects, and does not say where")]
    RedirectNowhere,
    /// A redirect to where it came from.
    #[error("it redirects in a circle, to {to}")]
    RedirectCircle {
        /// Where to.
        to: String,
    },
    /// A redirect too many.
    #[error("it redirects more than {limit} times, at last to {to}")]
    RedirectLimit {
        /// How many are followed.
        limit: usize,
        /// Where to.
        to: String,
    },
    /// A redirect that leaves encryption behind.
    #[error("it redirects from https to {to}")]
    RedirectUnencrypted {
        /// Where to.
        to: String,
    },
    /// A redirect to something that is not on a server.
    #[error("it redirects to {to}, which is neither http nor https")]
    RedirectScheme {
        /// Where to.
        to: String,
    },
    /// More bytes than the file has.
    #[error("it is longer than the {expected} bytes that were expected")]
    Longer {
        /// How many were expected.
        expected: u64,
    },
    /// The page of an index has a form that is not known.
    #[error("it is no index page: {0}")]
    Page(String),
}

fn list(files: &[(String, String)]) -> String {
    files.iter().map(|(file, source)| format!("`{file}` from {source}")).collect::<Vec<_>>().join(", ")
}

impl Explain for FetchError {
    fn status(&self) -> Status {
        match self {
            Self::Offline { .. } | Self::Answer { .. } | Self::Refused { .. } | Self::WrongHash { .. } => {
                Status::Refused
            }
            Self::Network { .. } | Self::Read { .. } | Self::Write { .. } => Status::Machine,
            Self::Certificates { .. } | Self::Proxy { .. } => Status::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Offline { .. } => {
                Some("build once without --offline, or name a directory that has it with --find-links".to_owned())
            }
            Self::Answer { code: 401 | 403, .. } => {
                Some("give credentials for this server, in the index URL or in a netrc file".to_owned())
            }
            Self::Refused { refusal: Refusal::Connection(_), .. } => {
                Some("name the certificates to trust with SSL_CERT_FILE, in PEM".to_owned())
            }
            Self::Refused { refusal: Refusal::Page(_), .. } => {
                Some("name an index (PEP 503 or PEP 691) with --index-url".to_owned())
            }
            Self::Write { .. } => Some("name a directory that is writable and has room with PYZPACK_CACHE".to_owned()),
            Self::Network { .. } => Some("check the network and the proxy".to_owned()),
            Self::Certificates { .. } => {
                Some("SSL_CERT_FILE, REQUESTS_CA_BUNDLE or PIP_CERT names a file of PEM certificates".to_owned())
            }
            Self::Proxy { .. } => Some("write it as http://HOST:PORT".to_owned()),
            _ => None,
        }
    }
}
