//! Wheels: their names, their metadata, and the strict reader that proves them.

mod entry_points;
mod filename;
mod metadata;
mod record;
mod verify;

pub use entry_points::{EntryPoints, EntryPointsError, ObjectReference, ObjectReferenceError};
pub use filename::{WheelFilename, WheelFilenameError};
pub use metadata::{Metadata, MetadataError};
pub use record::RecordFault;
pub(crate) use record::write_row;
pub use verify::{
    BuiltFrom, Origin, VerifiedFile, VerifiedWheel, WheelError, WheelFault, WheelInput, verify_wheel, verify_wheels,
};
