//! Wheels: their names and metadata, the strict reader that proves them, and how they come here: fetched, or built from
//! source.

pub mod access;
mod anchors;
mod backend;
pub mod build;
pub mod build_error;
mod built;
pub mod collect;
mod entry_points;
pub mod fetch;
pub mod fetch_error;
mod http;
pub mod index;
pub mod install;
pub mod locked;
mod metadata;
pub(crate) mod partial;
mod record;
mod repack;
mod source_facts;
pub(crate) mod telling;
mod traces;
mod verify;

pub use collect::{CollectedWheel, Workshop};
pub use entry_points::{EntryPoints, EntryPointsError, ObjectReference, ObjectReferenceError};
pub(crate) use metadata::header_fields;
pub use metadata::{Metadata, MetadataError};
pub use record::RecordFault;
pub(crate) use record::{Check, Record, RecordRow, is_unhashed, write_row};
pub use repack::{RepackError, repack};
pub(crate) use verify::RECORD_LIMIT;
pub use verify::{
    BuiltFrom, Origin, VerifiedFile, VerifiedWheel, WheelError, WheelFault, WheelInput, verify_wheel, verify_wheels,
};
