//! `fiftythree undo`: undoes a change of a running server.

use std::process::ExitCode;

use crate::admin::shapes::UndoneShape;
use crate::plan::Plan;

use super::admin_client::{AdminClient, ServerArguments};
use super::login_name::login_name;
use super::plan::print_plan;
use super::simulate::GEOIP;
use super::{Form, print, print_json};

const EXAMPLES: &str = "\
Examples:
  fiftythree history --zone lab.test                the changes, each with its id
  fiftythree undo C1PA6795UKMFR9EXAMPLE --plan      what the undo would do, and what clients would get
  fiftythree undo C1PA6795UKMFR9EXAMPLE

Any change of the history can be undone: by the API, by a command, or by an edit of a file; also the removal of a zone, a \
health check or a CIDR collection, and an undo. If a later change touched the same record sets, nothing is changed, and the \
later changes are listed. The undo is a change like any other: when the command ends, it is durable and served.

Exit code: 0 when the change is undone; 1 when it is not; 2 for a wrong command line. With --plan: 0 when there is nothing to \
do, 2 when there is something to do, 1 when it cannot be undone.";

/// Undo a change of a running server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UndoArguments {
    /// The id of the change, as `fiftythree history` and the API show it
    id: String,
    /// Only show what would change
    #[arg(long, visible_alias = "dry-run")]
    plan: bool,
    /// With --plan: clients from everywhere that the geo databases know
    #[arg(long, value_name = GEOIP, value_parser = [GEOIP], requires = "plan")]
    from: Option<String>,
    /// Undo the change even if that removes more record sets than `[api] largest_removal` allows
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    server: ServerArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Undoes the change, or shows what that would do.
pub(super) fn run(arguments: &UndoArguments) -> anyhow::Result<ExitCode> {
    let UndoArguments { id, plan, from, force, server, json } = arguments;
    let author = login_name();
    let (plan, force) = (plan.to_string(), force.to_string());
    let mut parameters = vec![("id", id.as_str()), ("author", &author), ("force", &force), ("plan", &plan)];
    parameters.extend(from.as_deref().map(|from| ("from", from)));
    let client = AdminClient::find(server)?;
    if arguments.plan {
        let plan: Plan = client.post_with("/v1/undo", &parameters, String::new())?;
        return print_plan(&plan, "health as the running server sees it", Form::from(*json));
    }
    let undone: UndoneShape = client.post_with("/v1/undo", &parameters, String::new())?;
    match Form::from(*json) {
        Form::Json => print_json(&undone)?,
        Form::Text => print(&format!("{id} is undone by {}\n", undone.change_id))?,
    }
    Ok(ExitCode::SUCCESS)
}
