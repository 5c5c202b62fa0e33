//! Traces of the directory that a wheel was built in.

use std::io::{self, Read};
use std::path::Path;

/// The entries of a wheel that hold this path. What is no zip file holds none; the strict reader refuses it later.
pub(super) fn find_path(wheel: &Path, room: &Path) -> io::Result<Vec<String>> {
    let Ok(mut archive) = zip::ZipArchive::new(io::BufReader::new(fs_err::File::open(wheel)?)) else {
        return Ok(Vec::new());
    };
    let wanted = room.as_os_str().as_encoded_bytes();
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let Ok(mut entry) = archive.by_index(index) else { continue };
        if holds(&mut entry, wanted)? {
            found.extend(entry.name().map(std::borrow::Cow::into_owned));
        }
    }
    Ok(found)
}

/// Whether `wanted` occurs in what `reader` gives, piece by piece; a piece begins with the end of the one before.
fn holds(reader: &mut impl Read, wanted: &[u8]) -> io::Result<bool> {
    let mut piece = vec![0; 64 * 1024 + wanted.len()];
    let mut kept = 0;
    loop {
        let read = reader.read(&mut piece[kept..])?;
        let filled = kept + read;
        if piece[..filled].windows(wanted.len()).any(|window| window == wanted) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        let tail = filled.min(wanted.len().saturating_sub(1));
        piece.copy_within(filled - tail..filled, 0);
        kept = tail;
    }
}
