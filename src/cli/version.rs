//! `fiftythree version`.

use std::process::ExitCode;

use serde_json::json;

use super::{print, print_json};

const EXAMPLES: &str = "\
Examples:
  fiftythree version
  fiftythree version --json | jq -r .version

Exit code: 0; 2 for a wrong command line.";

/// Print the version and the platform.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct VersionArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the version and the platform.
pub(super) fn run(arguments: &VersionArguments) -> anyhow::Result<ExitCode> {
    let (version, system, machine) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let is_debug = cfg!(debug_assertions);
    if arguments.json {
        print_json(&json!({ "version": version, "system": system, "machine": machine, "debug_build": is_debug }))?;
    } else {
        let build = if is_debug { ", debug build" } else { "" };
        print(&format!("fiftythree {version} ({machine}-{system}{build})\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
