//! `fiftythree zone`: creates and deletes hosted zones of a running server.

use std::process::ExitCode;

use clap::Subcommand;

use crate::admin::shapes::{ChangedZoneShape, NewZoneShape};

use super::admin_client::{AdminClient, ServerArguments};
use super::login_name::login_name;
use super::{print, print_json};

const CREATE_EXAMPLES: &str = "\
Examples:
  fiftythree zone create app.test --comment \"The app\"
  fiftythree zone create internal.test --vpc vpc-lab1

The server makes a zone file. When the command ends, the zone is durable and served.

Exit code: 0 when the zone is created; 1 when it is not; 2 for a wrong command line.";

const DELETE_EXAMPLES: &str = "\
Examples:
  fiftythree zone delete app.test

A zone can be deleted when it has only its SOA and NS record sets. Its file moves to the directory .deleted next to it; \
`fiftythree undo` brings the zone back.

Exit code: 0 when the zone is deleted; 1 when it is not; 2 for a wrong command line.";

/// Create or delete a hosted zone of a running server
#[derive(Debug, clap::Args)]
pub(super) struct ZoneArguments {
    #[command(subcommand)]
    command: ZoneCommand,
}

#[derive(Debug, Subcommand)]
enum ZoneCommand {
    /// Create a hosted zone
    Create(CreateArguments),
    /// Delete a hosted zone that has only SOA and NS
    Delete(DeleteArguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = CREATE_EXAMPLES)]
struct CreateArguments {
    /// The name
    name: String,
    /// A comment
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The id of a VPC; makes the zone private. Can be repeated
    #[arg(long = "vpc", value_name = "ID")]
    vpcs: Vec<String>,
    #[command(flatten)]
    options: ChangeOptions,
}

#[derive(Debug, clap::Args)]
#[command(after_help = DELETE_EXAMPLES)]
struct DeleteArguments {
    /// Its name or id
    zone: String,
    #[command(flatten)]
    options: ChangeOptions,
}

/// Options of the commands that change a zone of a running server.
#[derive(Debug, clap::Args)]
pub(super) struct ChangeOptions {
    #[command(flatten)]
    server: ServerArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &ZoneArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        ZoneCommand::Create(CreateArguments { name, comment, vpcs, options }) => {
            let (name, comment, vpcs) = (name.clone(), comment.clone(), vpcs.clone());
            let zone = NewZoneShape { name: name.clone(), comment, vpcs, author: login_name() };
            let created: ChangedZoneShape = options.client()?.post("/v1/zones", serde_json::to_string(&zone)?)?;
            options.report(&created, &format!("{name} is created, its id is {}", created.id))
        }
        ZoneCommand::Delete(DeleteArguments { zone, options }) => {
            let parameters = [("zone", zone.as_str()), ("author", &login_name())];
            let deleted: ChangedZoneShape = options.client()?.delete("/v1/zones", &parameters)?;
            options.report(&deleted, &format!("{zone} is deleted"))
        }
    }
}

impl ChangeOptions {
    /// The client of the server to change.
    pub(super) fn client(&self) -> anyhow::Result<AdminClient> {
        AdminClient::find(&self.server)
    }

    /// Prints a zone that was changed.
    pub(super) fn report(&self, changed: &ChangedZoneShape, line: &str) -> anyhow::Result<ExitCode> {
        report(self.json, changed, line)
    }
}

/// Prints a zone that was changed.
pub(super) fn report(as_json: bool, changed: &ChangedZoneShape, line: &str) -> anyhow::Result<ExitCode> {
    if as_json {
        print_json(changed)?;
    } else {
        let undo = changed.change_id.as_ref().map(|id| format!("undo it with `fiftythree undo {id}`\n"));
        print(&format!("{line}\n{}", undo.unwrap_or_default()))?;
    }
    Ok(ExitCode::SUCCESS)
}
