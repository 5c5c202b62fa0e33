//! The zip: read strictly, planned as data, written canonically.

mod deflate;
mod epoch;
mod fault;
mod path;
mod shebang;
mod source;
mod structure;
mod unpack;

pub use epoch::{Epoch, EpochError};
pub use fault::{ReadError, ZipFault};
pub use path::{ArchivePath, PathFault};
pub use shebang::{Shebang, ShebangError};
pub use source::Source;
pub(crate) use source::Stamp;
pub use structure::{Limits, Method, Profile, ZipEntry, ZipStructure, read_structure};
pub use unpack::{Contents, Unpacker};
