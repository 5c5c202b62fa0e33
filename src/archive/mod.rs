//! The zip: read strictly, planned as data, written canonically.

mod deflate;
mod encode;
mod fault;
mod lenient;
mod path;
mod plan;
mod reread;
mod shebang;
mod source;
mod structure;
mod unpack;
mod write;

pub use crate::epoch::{Epoch, EpochError};
pub use fault::{ReadError, ZipFault};
pub(crate) use lenient::{ContentsError, Descriptor, Gap, Header, LenientEntry, LenientZip, Oddity, extra_fields};
pub use path::{ArchivePath, PathFault};
pub use plan::{ArchivePlan, EntrySource, Mode, Packing, PlannedEntry, RenderDigests};
pub(crate) use reread::check_written;
pub use shebang::{Shebang, ShebangError};
pub use source::Source;
pub(crate) use source::{SourceReader, Stamp};
pub(crate) use structure::{Frame, find_frame};
pub use structure::{Limits, Method, Profile, ZipEntry, ZipStructure, read_structure};
pub use unpack::{Contents, Unpacker};
pub use write::WriteError;
pub(crate) use write::{MAX_ENTRIES, write_archive};
