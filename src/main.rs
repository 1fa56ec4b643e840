//! The `hsmwatch` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    hsmwatch::cli::run()
}
