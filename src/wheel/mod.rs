//! Wheel files: fetched, built from source, installed where a build needs them.

pub mod access;
pub mod build;
pub mod build_error;
pub mod collect;
pub mod fetch;
pub mod fetch_error;
pub mod install;
mod telling;

pub use collect::{CollectedWheel, Workshop};
