//! `fiftythree history`: what happened, and who changed what.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::admin::shapes::{
    ChangedPartShape, ChangedShape, HappenedShape, HistoryShape, NamedEventShape, OverriddenShape, OverrideChangeShape,
};
use crate::model::readable_name;

use super::admin_client::{AdminClient, ServerArguments};
use super::output::{print, print_json};

const EXAMPLES: &str = "\
Examples:
  fiftythree history                       the last 20 events
  fiftythree history --zone lab.test       the last changes of a zone, with each record set before and after
  fiftythree history --zone lab.test -n 100 --json

A change is shown with its id; `fiftythree undo ID` undoes it. A record set that was removed can also be pasted back into its \
zone file.

Exit code: 0 on success; 1 on failure; 2 for a wrong command line.";

/// Show what happened on a running server, also before its last restart
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HistoryArguments {
    /// Only changes of this zone, health check or CIDR collection, by name or id
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The number of events, at most 1000
    #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 20)]
    number: u32,
    #[command(flatten)]
    server: ServerArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the events, the newest last.
pub(super) fn run(arguments: &HistoryArguments) -> anyhow::Result<ExitCode> {
    let number = arguments.number.to_string();
    let mut parameters = vec![("limit", number.as_str())];
    parameters.extend(arguments.zone.as_deref().map(|zone| ("zone", zone)));
    let mut history: HistoryShape = AdminClient::find(&arguments.server)?.get("/v1/history", &parameters)?;
    history.events.reverse();
    if arguments.json {
        print_json(&history)?;
    } else if history.events.is_empty() {
        print("there are no events\n")?;
    } else {
        print(&history.events.iter().map(in_words).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(NamedEventShape { event, .. }: &NamedEventShape) -> String {
    match event {
        HappenedShape::StatusChanged(one) => {
            let to = serde_json::to_value(one.to).ok();
            let to = to.as_ref().and_then(|to| to.as_str()).unwrap_or_default();
            format!("{}  health check {} is {to}: {}\n", one.at, one.check, one.why)
        }
        HappenedShape::Override(one) => {
            let changed = match one.change {
                OverrideChangeShape::Set => "is set",
                OverrideChangeShape::Cleared => "is cleared",
                OverrideChangeShape::Ended => "has ended",
            };
            let OverriddenShape { pattern, author, node, reason, .. } = &one.granted;
            let node = node.as_ref().map(|node| format!(" on node {node}")).unwrap_or_default();
            format!("{}  the override of {pattern} by {author}{node} {changed}: {reason}\n", one.at)
        }
        HappenedShape::Drained(one) => format!("{}  {}\n", one.at, one.text),
        HappenedShape::Connectivity(one) => format!("{}  {}\n", one.at, one.text),
        HappenedShape::Reload(one) => match &one.refused {
            Some(why) => format!("{}  the reload was refused: {why}\n", one.at),
            None => format!("{}  reloaded: {}\n", one.at, one.changes.join(", ")),
        },
        HappenedShape::Changed(change) => change_in_words(change),
    }
}

fn change_in_words(change: &ChangedShape) -> String {
    let ChangedShape { at, author, operation, object, change_id, comment, parts, more, .. } = change;
    let id = change_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    let comment = comment.as_ref().map(|comment| format!(": {comment}")).unwrap_or_default();
    let mut text = format!("{at}  {operation} of {object} by {author}{id}{comment}\n");
    for ChangedPartShape { change, what, before, after } in parts {
        let _ = writeln!(text, "  {change} {}", readable_name(what));
        match (before, after) {
            (Some(before), Some(after)) => {
                let _ = write!(text, "    # before\n{}    # after\n{}", indented(before), indented(after));
            }
            (before, after) => text.extend(before.iter().chain(after).map(|text| indented(text))),
        }
    }
    if *more > 0 {
        let _ = writeln!(text, "  and {more} more");
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
