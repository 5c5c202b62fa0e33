//! Signing a finished `.pyz`: keys are made, and what is said of the file is signed with one. The file stays as it is.

mod keygen;

pub use keygen::{KeyPair, KeygenError, generate_keys};
