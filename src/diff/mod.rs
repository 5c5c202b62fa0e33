//! Two files, compared by layers: as bytes, as containers, by the distributions and files in them, and by what is in the files
//! that both have; and in plain words what likely made them differ.
//!
//! Any two files are taken: what is no zip is compared as a member of one would be, and what is odd about a zip is one more
//! thing that may differ. Refused is nothing but what cannot be read, or changes meanwhile. Two files are the same where all
//! their bytes are; where these differ and nothing else does, that is said.
//!
//! Zips in zips are looked into six deep, and what is packed deeper is compared as bytes. 32 GiB are unpacked and compared in
//! all; what lies beyond is named as not compared. Memory does not depend on the size of members.

mod archives;
mod blob;
mod cause;
mod container;
mod contents;
mod difference;
mod distributions;
mod documents;
mod elf;
mod headers;
mod pairs;
mod pyc;
mod recipe;
mod record;
mod telling;
mod text;

use std::io;
use std::path::PathBuf;

use crate::archive::{LenientZip, Source};
use crate::digest::Sha256Digest;
use crate::status::{Explain, Status};

use self::archives::Walk;
use self::blob::{Blob, first_difference};
pub use self::cause::{Cause, CauseKind};
pub use self::difference::{Comparison, Difference, Layer, Line, Side};
use self::difference::{Findings, Layer as L};

/// How deep archives in archives are looked into.
const DEEPEST: usize = 6;

/// How many bytes are unpacked and compared in all.
const UNPACKED: u64 = 32 << 30;

/// What is to be compared, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// The two files.
    pub files: [PathBuf; 2],
    /// How many lines of details are kept in all.
    pub most_lines: usize,
    /// Where large members are unpacked to, in files without a name.
    pub temporary: PathBuf,
}

/// Why two files cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// One cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// They cannot be compared.
    #[error("cannot compare `{first}` and `{second}`: {error}")]
    Compare {
        /// The first file.
        first: String,
        /// The second.
        second: String,
        /// Why.
        error: io::Error,
    },
    /// One was written to meanwhile.
    #[error("`{0}` changed while it was read")]
    Changed(String),
}

impl Explain for DiffError {
    fn status(&self) -> Status {
        let usage = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::InvalidInput];
        match self {
            Self::Read { error, .. } if usage.contains(&error.kind()) => Status::Usage,
            _ => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Changed(_) => Some("try again when nothing writes to it".to_owned()),
            _ => None,
        }
    }
}

/// Compares two files. Nothing of them is run.
///
/// # Errors
/// One cannot be read, or changes meanwhile; or a large member cannot be unpacked to the temporary directory.
pub fn compare(request: &Request) -> Result<Comparison, DiffError> {
    let [first, second] = [0, 1].map(|side| {
        let path = &request.files[side];
        Source::open(path).map_err(|error| DiffError::Read { path: path.display().to_string(), error })
    });
    let sources = [first?, second?];
    let trouble = |error: io::Error| {
        let [first, second] = request.files.each_ref().map(|path| path.display().to_string());
        DiffError::Compare { first, second, error }
    };
    let stamps = [sources[0].stamp().map_err(trouble)?, sources[1].stamp().map_err(trouble)?];
    let compared = compare_open(request, &sources);
    for (side, source) in sources.iter().enumerate() {
        // What it says of a file that was cut off meanwhile is worth less than that it was.
        if source.stamp().map_err(trouble)? != stamps[side] {
            return Err(DiffError::Changed(request.files[side].display().to_string()));
        }
    }
    compared.map_err(trouble)
}

/// Compares two open files, called as the request says, which nobody writes to.
///
/// # Errors
/// One cannot be read, or a large member cannot be unpacked.
pub(crate) fn compare_open(request: &Request, sources: &[Source; 2]) -> io::Result<Comparison> {
    let blobs = sources.each_ref().map(|source| Blob::File(source.clone()));
    let side = |index: usize, kind: &'static str, sha256: Option<Sha256Digest>| Side {
        path: request.files[index].display().to_string(),
        kind,
        size: sources[index].length(),
        sha256,
    };
    let Some(at) = first_difference(&blobs[0], &blobs[1])? else {
        let sides = [side(0, "a file", None), side(1, "a file", None)];
        return Ok(Comparison { sides, causes: Vec::new(), differences: Vec::new() });
    };
    let (found, digests) = rayon::join(
        || compare_differing(request, sources, at),
        || rayon::join(|| sources[0].sha256(), || sources[1].sha256()),
    );
    let (findings, kinds) = found?;
    let (causes, differences) = findings.finish();
    let sides = [side(0, kinds[0], Some(digests.0?)), side(1, kinds[1], Some(digests.1?))];
    Ok(Comparison { sides, causes, differences })
}

/// Compares two files whose first different byte is at `at`.
fn compare_differing(request: &Request, sources: &[Source; 2], at: u64) -> io::Result<(Findings, [&'static str; 2])> {
    let mut findings = Findings::default();
    let lengths = [sources[0].length(), sources[1].length()];
    let sizes = lengths.map(|length| format!("{length} bytes"));
    let [one, other] = sizes;
    let mut difference = Difference::new(L::Bytes, &[], "bytes").sides(one, other);
    difference.lines = vec![Line::Place(format!("the first byte that differs is byte {at}"))];
    findings.push(difference);
    let walk = Walk::new(request);
    let zips = [LenientZip::read(&sources[0])?, LenientZip::read(&sources[1])?];
    let kinds = [0, 1].map(|side| archives::kind_of(&sources[side], zips[side].as_ref()));
    if zips.iter().all(Option::is_some) && kinds[0] != kinds[1] {
        findings.cause(CauseKind::Tool, format!("they are of different kinds: {} and {}", kinds[0], kinds[1]), &[]);
    }
    let compared = match &zips {
        [Some(one), Some(other)] => walk.compare_archives(one, other, &[], 0)?,
        [None, None] => {
            let around = contents::Around { changed: &|_| false, tool: None, arranged: false, second_name: "" };
            let [first, second] = sources.each_ref().map(|source| Blob::File(source.clone()));
            let name = [request.files[0].file_name().unwrap_or_default().to_string_lossy().into_owned()];
            let mut found = contents::compare_contents(&name, &first, &second, &around)?;
            // It is the file itself.
            found.differences.iter_mut().for_each(|difference| difference.member.clear());
            found
        }
        [_, other] => {
            let (side, place) = if other.is_none() { (1, "second") } else { (0, "first") };
            let text = if at == lengths[side] {
                format!("the {place} file is cut off: it is the beginning of the other")
            } else {
                format!("the {place} file is no zip: it is cut off, damaged, or something else")
            };
            let mut found = Findings::default();
            let mut difference = Difference::new(L::Contents, &[], "no zip");
            difference.sides[side] = Some(format!("{} bytes", lengths[side]));
            found.push(difference);
            found.cause(CauseKind::Damage, text, &[]);
            found
        }
    };
    let explained = !compared.differences.is_empty();
    findings.add(compared);
    if !explained {
        let mut difference = Difference::new(L::Container, &[], "bytes that no field accounts for");
        difference.lines = vec![Line::Place(format!("from byte {at} on"))];
        findings.push(difference);
    }
    findings.prefer_cause(CauseKind::TimeStamps, contents::EPOCHS);
    findings.keep_lines(request.most_lines);
    Ok((findings, kinds))
}
