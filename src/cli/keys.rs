//! Where keys come from: a file, a variable, standard input; never the command line itself, which others can read (`ps`).

use std::io::{self, Read};

use p256::elliptic_curve::zeroize::Zeroizing;

use crate::evidence::KeyFault;
use crate::status::{Explain, Status};

/// More bytes are not read; the reader of keys refuses fewer.
const LIMIT: u64 = 1 << 20;

/// Why there is no key. What is quoted are names, which were found not to be keys themselves.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeySourceError {
    /// The key itself stands where its name should.
    #[error("the key itself is on the command line, where its name belongs: a file, `env:NAME` or `-`")]
    Inline,
    /// A file, or standard input, that cannot be read.
    #[error("cannot read the key `{name}`: {error}")]
    Read { name: String, error: io::Error },
    /// A variable that is not set.
    #[error("the variable `{0}` is not set, where the key should be")]
    NoVariable(String),
    /// It is not a key of ours.
    #[error("cannot use the key `{name}`: {fault} [{}]", fault.code())]
    Fault { name: String, fault: KeyFault },
}

impl Explain for KeySourceError {
    fn status(&self) -> Status {
        match self {
            Self::Read { error, .. }
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
                ) =>
            {
                Status::Machine
            }
            _ => Status::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Inline => {
                Some("what is on the command line can be read by others: make a new key, and name its file".to_owned())
            }
            Self::Read { .. } => Some("`pyzpack keygen PATH` makes a key".to_owned()),
            Self::NoVariable(_) => Some("set it to the text of a key file".to_owned()),
            Self::Fault { fault, .. } => fault.hint().map(str::to_owned),
        }
    }
}

/// Reads the key that `name` names, as `parse` has it: a private or a public one.
pub(super) fn read_key<K>(name: &str, parse: impl FnOnce(&[u8]) -> Result<K, KeyFault>) -> Result<K, KeySourceError> {
    let read_error = |error| KeySourceError::Read { name: name.to_owned(), error };
    if looks_like_key(name) {
        return Err(KeySourceError::Inline);
    }
    let text = match name.strip_prefix("env:") {
        Some(variable) => {
            let value = std::env::var_os(variable);
            Zeroizing::new(value.ok_or_else(|| KeySourceError::NoVariable(variable.to_owned()))?.into_encoded_bytes())
        }
        None if name == "-" => read_some(io::stdin().lock()).map_err(read_error)?,
        None => std::fs::File::open(name).and_then(read_some).map_err(read_error)?,
    };
    parse(&text).map_err(|fault| KeySourceError::Fault { name: name.to_owned(), fault })
}

fn read_some(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(16 << 10));
    source.take(LIMIT).read_to_end(&mut text)?;
    Ok(text)
}

/// Whether an argument could be a key: PEM, or the base64 of one, that no file is named by.
pub(super) fn looks_like_key(argument: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    let long = argument.len() >= 40 && argument.bytes().all(digit);
    let pem = argument.contains("-----") || argument.contains("PRIVATE KEY") || argument.contains('\n');
    pem || long && std::fs::symlink_metadata(argument).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::SigningKey;

    #[test]
    fn keys_are_told_from_their_names() {
        for key in [
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY----- MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v -----END PRIVATE KEY-----",
            "env:-----BEGIN PRIVATE KEY-----",
            "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        ] {
            assert!(looks_like_key(key), "{key}");
            let message = "the key itself is on the command line, where its name belongs: a file, `env:NAME` or `-`";
            assert_eq!(read_key(key, SigningKey::from_pem).unwrap_err().to_string(), message);
        }
        for name in
            ["release.key", "-", "env:RELEASE_KEY", "/run/secrets/a-rather-long-name-of-a/directory/release.key"]
        {
            assert!(!looks_like_key(name), "{name}");
        }
    }
}
