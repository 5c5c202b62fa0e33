//! The application: what is installed, what is started, and the plan of the archive that holds it.

mod tree;

pub use tree::{ConflictPolicy, FileSource, InstalledFile, InstalledTree, LooseFile, Owner, TreeError, WheelSet};
