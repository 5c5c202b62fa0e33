//! Wheels that were built here, packed anew: a backend's zip holds the host's zlib, its clock and its directory order;
//! the canonical one holds the files alone.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::{
    ArchivePath, ArchivePlan, EntrySource, Epoch, Limits, Mode, Packing, PathFault, PlannedEntry, WriteError,
    write_archive,
};
use crate::status::{Explain, Status};

use super::record::write_row;
use super::verify::{BuiltFrom, Origin, VerifiedWheel, WheelError, WheelInput, verify_wheel};

/// Why a wheel was not packed anew.
#[derive(Debug, thiserror::Error)]
pub enum RepackError {
    /// The backend's wheel, or the new one, breaks a rule.
    #[error("the wheel that was built cannot be used: {0}")]
    Wheel(#[from] WheelError),
    /// The new wheel cannot be written.
    #[error("cannot pack the wheel `{wheel}` anew: {error}")]
    Write {
        /// The wheel.
        wheel: String,
        /// Why.
        error: WriteError,
    },
    /// The new wheel cannot be put in its place.
    #[error("cannot write `{path}`: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The name of its RECORD is unsafe.
    #[error("cannot pack the wheel `{wheel}` anew: {fault}")]
    Name {
        /// The wheel.
        wheel: String,
        /// What is wrong with the name.
        fault: PathFault,
    },
}

impl Explain for RepackError {
    fn status(&self) -> Status {
        match self {
            Self::Wheel(error) => error.status(),
            Self::Write { error: WriteError::Io(_), .. } | Self::Io { .. } => Status::Machine,
            Self::Write { .. } | Self::Name { .. } => Status::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Wheel(_) => {
                Some("the build backend wrote it so: see its documentation, or try another version".to_owned())
            }
            _ => None,
        }
    }
}

/// Packs the backend's wheel at `built` anew into `directory`: sorted, `epoch` for every time, the pinned encoder for
/// every stream, a RECORD in order.
///
/// # Errors
/// When the backend's wheel is not one, or the new one cannot be written.
pub fn repack(
    built: &Path,
    from: BuiltFrom,
    directory: &Path,
    epoch: Epoch,
    limits: &Limits,
) -> Result<VerifiedWheel, RepackError> {
    let input = WheelInput { path: built.to_owned(), expected: None, origin: Origin::Local };
    let wheel = verify_wheel(&input, limits)?;
    let path = directory.join(wheel.filename.as_str());
    let plan = plan(&wheel, epoch).map_err(|fault| RepackError::Name { wheel: wheel.filename.to_string(), fault })?;
    write(&plan, &path, &wheel)?;
    Ok(verify_wheel(&WheelInput { path, expected: None, origin: Origin::Built(from) }, limits)?)
}

fn write(plan: &ArchivePlan, path: &Path, wheel: &VerifiedWheel) -> Result<(), RepackError> {
    let io_error = |error| RepackError::Io { path: path.display().to_string(), error };
    let directory: PathBuf = path.parent().unwrap_or(Path::new(".")).to_owned();
    fs_err::create_dir_all(&directory).map_err(io_error)?;
    let file = fs_err::File::create_new(path).map_err(io_error)?;
    write_archive(plan, file.file(), &|| tempfile::tempfile_in(&directory))
        .map_err(|error| RepackError::Write { wheel: wheel.filename.to_string(), error })?;
    Ok(())
}

fn plan(wheel: &VerifiedWheel, epoch: Epoch) -> Result<ArchivePlan, PathFault> {
    let record_path = ArchivePath::new(format!("{}/RECORD", wheel.dist_info))?;
    let mut entries = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for file in wheel.files.iter().filter(|file| file.entry.path != record_path) {
        let source = EntrySource::Entry {
            source: wheel.source().clone(),
            entry: file.entry.clone(),
            contents: file.contents,
            packing: Packing::Encode,
        };
        let mode = if file.entry.executable { Mode::Executable } else { Mode::Regular };
        rows.insert(file.entry.path.clone(), Some((&file.contents.sha256, file.entry.size)));
        entries.insert(file.entry.path.clone(), PlannedEntry { source, mode });
    }
    rows.insert(record_path.clone(), None);
    let mut record = String::new();
    for (path, row) in rows {
        write_row(&mut record, path.as_str(), row);
    }
    let source = EntrySource::Bytes { bytes: record.into_bytes().into(), packing: Packing::Encode };
    entries.insert(record_path, PlannedEntry { source, mode: Mode::Regular });
    Ok(ArchivePlan { prefix: Vec::new(), epoch, entries })
}
