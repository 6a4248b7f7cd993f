//! `fiftythree reset`: undoes all changes of a server that was started with --in-memory.

use std::process::ExitCode;

use crate::admin::shapes::ResetShape;

use super::admin_client::{AdminClient, ServerArguments};
use super::{print, print_json};

const EXAMPLES: &str = "\
Examples:
  fiftythree serve --in-memory   in another terminal
  fiftythree reset               before each test

Zones, record sets, health checks and CIDR collections become those of the files at the start, and all overrides are \
cleared. The server must have been started with --in-memory.

Exit code: 0 when it is done; 1 when it is not; 2 for a wrong command line.";

/// Undo all changes of a server in memory
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ResetArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Asks the server to reset.
pub(super) fn run(arguments: &ResetArguments) -> anyhow::Result<ExitCode> {
    let reset: ResetShape = AdminClient::find(&arguments.server)?.post("/v1/reset", String::new())?;
    if arguments.json {
        print_json(&reset)?;
    } else {
        print(&format!("reset: {}\n", reset.outcome))?;
    }
    Ok(ExitCode::SUCCESS)
}
