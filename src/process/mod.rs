//! Running programs and leaving nothing behind: children, scratch directories, files that are renamed last, and the
//! signals that end it all.

pub mod child;
pub mod interrupt;
mod keeper;
pub mod offline;
pub mod pending;
pub mod scratch;
pub(crate) mod stopwatch;

pub use child::{Child, Ended, ProcessError};
pub use pending::PendingFile;
pub use scratch::ScratchDir;
