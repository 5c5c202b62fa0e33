//! What is packed, where it comes from, and copies of it that may be built.

pub mod changes;
pub mod checkout;
pub mod clamp;
pub mod detect;
pub mod git;
mod git_error;
pub mod input;
pub mod loose;
pub mod pipfile;
pub mod pyproject;
pub mod reach;
pub mod requirements;
pub mod script;
pub mod sdist;
pub mod sources;
pub mod tree;
