//! `fiftythree demo`: a failover on one screen.
//!
//! - [`scenario`]: four sites, three names, four places, and the server's files for them;
//! - [`environment`]: the server, its backends and a client, in this process; [`log`]: the server's
//!   log;
//! - [`show`]: all of it on a screen, with keys; [`script`]: a fixed sequence with measured steps;
//! - [`backend`]: one backend as its own command, for labs.

mod backend;
mod environment;
mod log;
mod scenario;
mod script;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::watch::has_screen;
use super::{Form, print_error};
use log::Log;

const EXAMPLES: &str = "\
Examples:
  fiftythree demo                    a screen: stop a backend with 1 and watch the answers change; q ends it
  fiftythree demo --script           the same without keys: a fixed sequence of about 15 seconds
  fiftythree demo --script --json    for machines
  fiftythree demo backend            one small web server, for your own labs

Everything runs in this process, on loopback and on free ports. Its files are in a temporary directory that is removed at \
the end.

Exit code: 0; with --script 0 when every step was as expected, else 1; 1 when it cannot start; 2 for a wrong command line.";

/// Watch a failover: a server and four backends on one screen, with nothing to set up.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct DemoArguments {
    /// Run a fixed sequence without a screen, and print what was measured
    #[arg(long)]
    script: bool,
    /// Run the sequence and print JSON, one object per line: events as they happen, `end` last
    #[arg(long)]
    json: bool,
    /// Also write the server's log to this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<DemoCommand>,
}

#[derive(Debug, Subcommand)]
enum DemoCommand {
    Backend(backend::BackendArguments),
}

/// Runs the demo, its script or a backend.
pub(super) fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    let DemoArguments { script, json, log, command } = arguments;
    if let Some(DemoCommand::Backend(arguments)) = command {
        return backend::run(arguments);
    }
    let log = Log::start(log.as_deref())?;
    let form = Form::from(json);
    if script || form == Form::Json {
        return run_script(form);
    }
    if !has_screen() {
        print_error("standard output is not a terminal: running as with --script\n");
        return run_script(form);
    }
    show::run(log)?;
    Ok(ExitCode::SUCCESS)
}

fn run_script(form: Form) -> anyhow::Result<ExitCode> {
    Ok(if script::run(form)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
