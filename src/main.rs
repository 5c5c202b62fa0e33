//! The `pyzpack` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyzpack::cli::run(std::env::args_os()).into()
}
