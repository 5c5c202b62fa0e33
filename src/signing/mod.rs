//! Signing a finished `.pyz`: keys are made, and what is said of the file is signed with one. The file stays as it is, and
//! so does `SHA256SUMS`, which may have been published before: a signature vouches for itself.

mod keygen;
mod sign;

pub use keygen::{KeyPair, KeygenError, generate_keys};
pub use sign::{CYCLONEDX_TYPE, Form, SignError, SignSettings, Signed, attest, sign};
