//! `fiftythree version`.

use std::process::ExitCode;

use super::print;

/// Prints the version and the platform.
pub(super) fn run() -> ExitCode {
    let (version, system, machine) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let build = if cfg!(debug_assertions) { ", debug build" } else { "" };
    print(&format!("fiftythree {version} ({machine}-{system}{build})\n"));
    ExitCode::SUCCESS
}
