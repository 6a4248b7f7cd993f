//! `fiftythree demo`: a failover that anyone can watch.
//!
//! `backend` is a web server of its own, for labs: it says its name, fails when it is told to, and ends at once.

mod backend;
mod endpoint;

use std::process::ExitCode;

use clap::Subcommand;

/// Things to try fiftythree with.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
    #[command(subcommand)]
    command: DemoCommand,
}

#[derive(Debug, Subcommand)]
enum DemoCommand {
    Backend(backend::BackendArguments),
}

/// Does what was asked for.
pub(super) fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        DemoCommand::Backend(arguments) => backend::run(arguments),
    }
}
