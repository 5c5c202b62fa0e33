//! The application: what is installed, what is started, and the plan of the archive that holds it.

mod advice;
mod assemble;
mod entry_point;
mod layout;
mod planner;
mod stdlib;
mod tree;

pub use assemble::{
    ApplicationOptions, ApplicationPlan, Compression, Overridden, PlanError, assemble, facts_of, find_pythons,
};
pub use entry_point::{
    EntryChoice, EntryPoint, EntryPointError, ModuleFile, Scripts, check_bound, find_module, locate,
};
pub(crate) use entry_point::{nearest, read_tree_file};
pub use layout::{Layout, LayoutChoice};
pub use tree::{
    ConflictPolicy, FileSource, InstalledFile, InstalledTree, LooseFile, Owner, TreeError, UnrecordedTree, WheelSet,
};
