//! `fiftythree override`: sets, clears and lists overrides of health checks.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use jiff::{Timestamp, Zoned};

use crate::admin::shapes::{
    ActionShape, DrainShape, OverrideOutcomeShape, OverrideRequestShape, OverrideShape, OverridesShape,
};
use crate::control::humanize_duration;

use super::admin_client::{AdminClient, ServerArguments};
use super::login_name::login_name;
use super::{Form, print, print_error, print_json, time_args};

/// The most checks that a message names.
const NAMED: usize = 10;

const EXAMPLES: &str = "\
Examples:
  fiftythree override set app-blue down --reason \"kernel update\" --until 22:00
  fiftythree override list
  fiftythree override clear app-blue

An override sets the status of its checks until it ends or is cleared; it survives restarts. If several overrides match a \
check, the last one set counts. One with the same name replaces the earlier one.

Exit code: 0 on success; 1 on failure; 2 for a wrong command line.";

const SET_EXAMPLES: &str = "\
Examples:
  fiftythree override set app-blue down --reason \"kernel update\" --until 22:00
  fiftythree override set 'app-*' down --for 30m
  fiftythree override set app-blue up --from 22:00 --until 02:00
  fiftythree override set app-blue drain --over 5m --for 2h

Exit code: 0 when it is set (with a warning if it is not saved for a restart); 1 when it is not; 2 for a wrong command line.";

const CLEAR_EXAMPLES: &str = "\
Examples:
  fiftythree override clear app-blue
  fiftythree override clear '*'      all of them

Exit code: 0 when they are cleared; 1 when they are not, or no override matches; 2 for a wrong command line.";

const LIST_EXAMPLES: &str = "\
Examples:
  fiftythree override list
  fiftythree override list --json | jq '.overrides[] | select(.active).pattern'

Exit code: 0, also without overrides; 1 when the server cannot be reached; 2 for a wrong command line.";

/// Override the status of health checks.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct OverrideArguments {
    #[command(subcommand)]
    command: OverrideCommand,
}

#[derive(Debug, Subcommand)]
enum OverrideCommand {
    /// Set an override
    Set(SetArguments),
    /// Clear overrides, so that the probes decide again
    Clear(ClearArguments),
    /// List the overrides, with author and reason
    List(ListArguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = SET_EXAMPLES)]
struct SetArguments {
    /// The name of a health check, or a glob: `*` matches any characters, `?` one
    name: String,
    /// The status to set
    action: Action,
    /// With drain: the time in which the share of weighted records shrinks to zero: 5m, 90s
    #[arg(long, value_name = "SPAN", value_parser = time_args::parse_span, required_if_eq("action", "drain"))]
    over: Option<Duration>,
    /// The reason; shown wherever the status is shown
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// The end: 22:00 (the next one, local time), "2026-03-01 22:00", 2026-03-01T22:00:00Z
    /// [default: until cleared]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The duration, instead of --until: 30m, 1h30m, 2d
    #[arg(long = "for", value_name = "SPAN", value_parser = time_args::parse_span, conflicts_with = "until")]
    duration: Option<Duration>,
    /// The beginning, as --until [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The author [default: the login name]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = CLEAR_EXAMPLES)]
struct ClearArguments {
    /// The name as it was set, or a glob over such names
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
struct ListArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Action {
    /// Healthy
    Up,
    /// Unhealthy
    Down,
    /// Unhealthy, but the share of weighted records shrinks over a time (--over)
    Drain,
}

/// Sets, clears or lists.
pub(super) fn run(arguments: OverrideArguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        OverrideCommand::Set(arguments) => set(arguments),
        OverrideCommand::Clear(arguments) => clear(&arguments),
        OverrideCommand::List(arguments) => list(&arguments),
    }
}

fn set(arguments: SetArguments) -> anyhow::Result<ExitCode> {
    let SetArguments { name, action, over, reason, until, duration, from, author, json, server } = arguments;
    let now = Zoned::now();
    let moment = |text: &str, after: &Zoned| time_args::parse_time(text, after).map_err(anyhow::Error::msg);
    let from = from.map(|text| moment(&text, &now)).transpose()?;
    let begin = from.map_or_else(|| now.clone(), |from| from.to_zoned(now.time_zone().clone()));
    let until = match (until, duration) {
        (Some(text), _) => Some(moment(&text, &begin)?),
        (None, Some(duration)) => Some(begin.timestamp().checked_add(duration)?),
        (None, None) => None,
    };
    let request = OverrideRequestShape {
        pattern: name,
        action: match action {
            Action::Up => ActionShape::Up,
            Action::Down => ActionShape::Down,
            Action::Drain => ActionShape::Drain,
        },
        over_s: over.map(|over| over.as_secs()),
        reason,
        author: author.unwrap_or_else(login_name),
        from: from.map(|from| from.to_string()),
        until: until.map(|until| until.to_string()),
    };
    let outcome: OverrideOutcomeShape =
        AdminClient::find(&server)?.post("/v1/overrides", serde_json::to_string(&request)?)?;
    report(&outcome, "is set", json.into())
}

fn clear(arguments: &ClearArguments) -> anyhow::Result<ExitCode> {
    let admin = AdminClient::find(&arguments.server)?;
    let outcome: OverrideOutcomeShape = admin.delete("/v1/overrides", &[("pattern", &arguments.name)])?;
    report(&outcome, "is cleared", arguments.json.into())
}

fn list(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let all: OverridesShape = AdminClient::find(&arguments.server)?.get("/v1/overrides", &[])?;
    if arguments.json {
        print_json(&all)?;
    } else if all.overrides.is_empty() {
        print("there are no overrides\n")?;
    } else {
        print(&all.overrides.iter().map(describe).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(outcome: &OverrideOutcomeShape, what: &str, form: Form) -> anyhow::Result<ExitCode> {
    match form {
        Form::Json => print_json(outcome)?,
        Form::Text => print(&outcome_text(outcome, what))?,
    }
    if let Some(warning) = &outcome.warning {
        print_error(&format!("warning: {warning}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn outcome_text(outcome: &OverrideOutcomeShape, what: &str) -> String {
    let described =
        outcome.overrides.iter().map(|shape| format!("override of {} {what}\n{}", shape.pattern, describe(shape)));
    let replaced = if outcome.replaced { "it replaces the earlier one\n" } else { "" };
    described.collect::<String>() + replaced
}

/// An override in some lines of text, with local times.
pub(super) fn describe(shape: &OverrideShape) -> String {
    let OverrideShape { pattern, action, reason, author, node, from, until, drain, active, checks, .. } = shape;
    let action = match (action, drain) {
        (ActionShape::Up, _) => "up".to_owned(),
        (ActionShape::Down, _) => "down".to_owned(),
        (ActionShape::Drain, Some(drain)) if *active => format!("drain ({})", progress(drain)),
        (ActionShape::Drain, drain) => {
            let over = drain.as_ref().map_or(0, |drain| drain.over_s);
            format!("drain over {}", humanize_duration(Duration::from_secs(over)))
        }
    };
    let yet = if *active { "" } else { " (not now)" };
    let until = until.as_ref().map_or_else(|| "until cleared".to_owned(), |until| format!("until {}", local(until)));
    let node = node.as_ref().map(|node| format!(" on node {node}")).unwrap_or_default();
    let mut text = format!("  {pattern} {action}{yet}, from {} {until}, by {author}{node}", local(from));
    if !reason.is_empty() {
        text.push_str(&format!(": {reason}"));
    }
    let checks = match checks.as_slice() {
        [] => "no check matches now".to_owned(),
        few if few.len() <= NAMED => few.join(", "),
        many => format!("{} and {} more", many[..NAMED].join(", "), many.len() - NAMED),
    };
    text.push_str(&format!("\n    checks: {checks}\n"));
    text
}

/// Such as `62 % left, nothing from 2026-03-01 22:05:00 on`.
pub(super) fn progress(drain: &DrainShape) -> String {
    match drain.drained_at.parse::<Timestamp>() {
        Ok(drained_at) if drained_at > Timestamp::now() => {
            format!("{} % left, nothing from {} on", drain.left_percent, local(&drain.drained_at))
        }
        _ => "nothing left".to_owned(),
    }
}

/// Formats a time of the server as local time.
pub(super) fn local(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(moment) => Zoned::new(moment, jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}
