//! The program: see `fiftythree --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    fiftythree::cli::run()
}
