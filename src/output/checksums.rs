//! `APP.pyz.sha256` and `SHA256SUMS`, as `sha256sum -c` reads them.
//!
//! `SHA256SUMS` belongs to all files of a directory: lines of other files stay as they are, byte for byte, and builds
//! that run side by side take turns.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{EVIDENCE_SUFFIXES, beside, write_beside};
use crate::archive::Source;
use crate::digest::Sha256Digest;

/// The file that lists the digests of everything in a directory.
const CHECKSUMS: &str = "SHA256SUMS";

/// A longer list is not read: a hundred thousand files.
const LARGEST: u64 = 16 << 20;

/// The checksum files of one archive, while nobody else writes to those of its directory.
pub(super) struct Checksums<'a> {
    target: &'a Path,
    list: PathBuf,
    _turn: Option<File>,
}

/// A checksum file that cannot be read or written.
pub(super) struct ChecksumsError {
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
}

impl<'a> Checksums<'a> {
    /// Waits for its turn, and makes sure that the list can be read.
    pub(super) fn take_turn(target: &'a Path, directory: &Path) -> Result<Self, ChecksumsError> {
        // A file system without locks has builds side by side at their own risk.
        let turn = File::open(directory).ok().filter(|directory| directory.lock().is_ok());
        let checksums = Self { target, list: list_of(target), _turn: turn };
        checksums.read().map_err(|error| checksums.fail(error))?;
        Ok(checksums)
    }

    /// Makes comments of the lines that speak of the archive and its evidence, by one byte each: a `#` is where
    /// `sha256sum` stops reading a line. It is done in place, because a killed build leaves one temporary file at most,
    /// and the archive's own is there already.
    pub(super) fn disown(&self) -> Result<(), ChecksumsError> {
        let disown = || -> io::Result<()> {
            let mut file = None;
            let mut offset = 0;
            for line in self.read()?.split_inclusive(|byte| *byte == b'\n') {
                if self.is_own(line) {
                    let file = match &mut file {
                        Some(file) => file,
                        None => file.insert(std::fs::OpenOptions::new().write(true).open(&self.list)?),
                    };
                    file.seek(SeekFrom::Start(offset))?;
                    file.write_all(b"#")?;
                }
                offset += line.len() as u64;
            }
            Ok(())
        };
        disown().map_err(|error| self.fail(error))
    }

    /// Writes the archive's own file; gives its name.
    pub(super) fn write_own(&self, sha256: &Sha256Digest) -> Result<PathBuf, ChecksumsError> {
        let own = beside(self.target, ".sha256");
        let written = write_beside(&own, self.target, &line_of(self.target, sha256));
        written.map(|()| own.clone()).map_err(|error| ChecksumsError { path: own, error })
    }

    /// Writes the list, with the lines of these files in place of all that speak of the archive and its evidence; gives
    /// its name.
    pub(super) fn write_list(&self, digests: &[(PathBuf, Sha256Digest)]) -> Result<PathBuf, ChecksumsError> {
        let write_list = || -> io::Result<()> {
            let new = digests.iter().map(|(path, sha256)| line_of(path, sha256));
            let mut lines: Vec<Vec<u8>> = self.others()?.into_iter().chain(new).collect();
            for line in lines.iter_mut().filter(|line| !line.ends_with(b"\n")) {
                line.push(b'\n');
            }
            lines.sort_by(|one, other| (listed_name(one), one).cmp(&(listed_name(other), other)));
            write_beside(&self.list, self.target, &lines.concat())
        };
        write_list().map(|()| self.list.clone()).map_err(|error| self.fail(error))
    }

    /// Removes the lines that speak of the archive and its evidence, and the list itself where no other is in it.
    pub(super) fn remove_lines(&self) -> Result<(), ChecksumsError> {
        let remove_lines = || -> io::Result<()> {
            let others = self.others()?.concat();
            if others.len() == self.read()?.len() {
                Ok(())
            } else if others.is_empty() {
                std::fs::remove_file(&self.list)
            } else {
                write_beside(&self.list, self.target, &others)
            }
        };
        remove_lines().map_err(|error| self.fail(error))
    }

    /// The lines that speak of other files.
    fn others(&self) -> io::Result<Vec<Vec<u8>>> {
        let listed = self.read()?;
        let others = listed.split_inclusive(|byte| *byte == b'\n').filter(|other| !self.is_own(other));
        Ok(others.map(<[u8]>::to_vec).collect())
    }

    fn fail(&self, error: io::Error) -> ChecksumsError {
        ChecksumsError { path: self.list.clone(), error }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        match std::fs::symlink_metadata(&self.list) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            // What a link leads to is no list of this directory, and would be copied into one.
            Ok(found) if found.is_symlink() => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link"));
            }
            found => found?,
        };
        let bytes = Source::read_file(&self.list, LARGEST + 1)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large for a list of digests"));
        }
        Ok(bytes)
    }

    /// Whether a line speaks of the archive or of its evidence.
    fn is_own(&self, line: &[u8]) -> bool {
        let own = line_of(self.target, &Sha256Digest::of(b""));
        let rest = listed_name(line).strip_prefix(listed_name(&own));
        rest.is_some_and(|rest| rest.is_empty() || EVIDENCE_SUFFIXES.iter().any(|suffix| suffix.as_bytes() == rest))
    }
}

/// The list that the files of the target's directory have in common.
pub(super) fn list_of(target: &Path) -> PathBuf {
    target.with_file_name(CHECKSUMS)
}

/// One line of coreutils' format: a name with a backslash or a line break is escaped, and the line begins with `\`.
fn line_of(path: &Path, sha256: &Sha256Digest) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut escaped = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\\' => escaped.extend_from_slice(b"\\\\"),
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\r' => escaped.extend_from_slice(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    let mark: &[u8] = if escaped == name { b"" } else { b"\\" };
    [mark, sha256.to_string().as_bytes(), b"  ", &escaped, b"\n"].concat()
}

/// The name in a line, as it is escaped there: behind the digest, a blank, and a blank or `*`.
fn listed_name(line: &[u8]) -> &[u8] {
    let name = line.iter().position(|byte| *byte == b' ').map(|at| &line[at + 1..]);
    let name = name.and_then(|rest| rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"*"))).unwrap_or_default();
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    name.strip_suffix(b"\r").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(directory: &Path) -> String {
        String::from_utf8_lossy(&std::fs::read(directory.join(CHECKSUMS)).unwrap()).into_owned()
    }

    fn check<T>(result: Result<T, ChecksumsError>) -> T {
        result.unwrap_or_else(|failed| panic!("{}: {}", failed.path.display(), failed.error))
    }

    #[test]
    fn lines_replace_their_own_and_keep_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("b.pyz");
        let digest = Sha256Digest::of(b"new");
        let other = Sha256Digest::of(b"other");
        let old = format!("{other}  c.txt\n{other}  b.pyz\n{other} *b.pyz.cdx.json\n{other}  a.pyz");
        std::fs::write(directory.path().join(CHECKSUMS), &old).unwrap();
        let checksums = check(Checksums::take_turn(&target, directory.path()));
        check(checksums.disown());
        let disowned = format!("#{}", &other.to_string()[1..]);
        assert_eq!(
            list(directory.path()),
            format!("{other}  c.txt\n{disowned}  b.pyz\n{disowned} *b.pyz.cdx.json\n{other}  a.pyz")
        );
        check(checksums.write_list(&[(target.clone(), digest), (directory.path().join("b.pyz.intoto.json"), digest)]));
        assert_eq!(
            list(directory.path()),
            format!("{other}  a.pyz\n{digest}  b.pyz\n{digest}  b.pyz.intoto.json\n{other}  c.txt\n")
        );
        check(checksums.remove_lines());
        assert_eq!(list(directory.path()), format!("{other}  a.pyz\n{other}  c.txt\n"));
        check(checksums.write_own(&digest));
        let own = std::fs::read_to_string(directory.path().join("b.pyz.sha256")).unwrap();
        assert_eq!(own, format!("{digest}  b.pyz\n"));
    }

    #[test]
    fn names_that_are_no_text_stay_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("b.pyz");
        std::fs::write(directory.path().join(CHECKSUMS), b"00  a\xff.txt\n").unwrap();
        let digest = Sha256Digest::of(b"new");
        check(check(Checksums::take_turn(&target, directory.path())).write_list(&[(target.clone(), digest)]));
        let expected = [b"00  a\xff.txt\n".as_slice(), format!("{digest}  b.pyz\n").as_bytes()].concat();
        assert_eq!(std::fs::read(directory.path().join(CHECKSUMS)).unwrap(), expected);
    }

    #[test]
    fn builds_side_by_side_lose_no_line() {
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let target = directory.path().join(format!("{number}.pyz"));
                let directory = directory.path();
                scope.spawn(move || {
                    for round in 0..10 {
                        let checksums = check(Checksums::take_turn(&target, directory));
                        check(checksums.disown());
                        check(checksums.write_list(&[(target.clone(), Sha256Digest::of(&[round]))]));
                    }
                });
            }
        });
        let last = Sha256Digest::of(&[9]);
        let expected: Vec<String> = (0..8).map(|number| format!("{last}  {number}.pyz")).collect();
        assert_eq!(list(directory.path()).lines().collect::<Vec<_>>(), expected);
    }
}
