//! The `pyzpack` command.

fn main() {}
