//! `fiftythree demo`: a failover on one screen.
//!
//! - [`world`]: four sites, three names, four places, and the files that describe them to a server;
//! - [`stage`]: that server, its backends and a client, in this process; [`endpoint`]: one backend;
//!   [`log`]: where logs go;
//! - [`show`]: it all on a screen, with keys; [`script`]: the same as a story that plays by itself;
//! - [`backend`]: one backend as a command of its own, for labs.

mod backend;
mod endpoint;
mod log;
mod script;
mod show;
mod stage;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::watch::has_screen;
use super::{Form, print_error};
use log::Log;

const EXAMPLES: &str = "\
Examples:
  fiftythree demo                    a screen: kill a backend with 1 and watch the answers move; q ends it
  fiftythree demo --script           the same as a story that plays by itself, in half a minute
  fiftythree demo --script --json    for machines
  fiftythree demo backend            one tiny web server, for labs of your own

Everything is in this process, on the loopback and on free ports; its files are in a temporary directory that goes with it.

Exit code: 0; with --script 0 when all happened as promised, else 1; 1 when it cannot start; 2 for a wrong command line.";

/// Watch a failover: a server, backends to kill, and what comes of it, with nothing to set up.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct DemoArguments {
    /// Play the story without a screen, and end with what was measured
    #[arg(long)]
    script: bool,
    /// Play the story and print JSON, one object a line: events as they come, `end` last
    #[arg(long)]
    json: bool,
    /// Write the server's log to this file, too
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<DemoCommand>,
}

#[derive(Debug, Subcommand)]
enum DemoCommand {
    Backend(backend::BackendArguments),
}

/// Does what was asked for.
pub(super) fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    let DemoArguments { script, json, log, command } = arguments;
    if let Some(DemoCommand::Backend(arguments)) = command {
        return backend::run(arguments);
    }
    let log = Log::start(log.as_deref())?;
    let form = Form::from(json);
    if script || form == Form::Json {
        return play(form);
    }
    if !has_screen() {
        print_error("standard output is no terminal: the story plays by itself, as with --script\n");
        return play(form);
    }
    show::run(log)?;
    Ok(ExitCode::SUCCESS)
}

fn play(form: Form) -> anyhow::Result<ExitCode> {
    Ok(if script::run(form)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
