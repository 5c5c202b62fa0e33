//! `verify` by tampering: a good file passes, and every single change of it is answered with its one code.

#[path = "../wheels/mod.rs"]
mod wheels;

mod attestations;
mod codes;
mod containers;
mod contents;
mod good;
mod locks;
mod refusals;
