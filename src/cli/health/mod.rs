//! `fiftythree health`: the status of health checks, their results and their history.

mod screen;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;

use crate::admin::shapes::{
    CheckShape, ConnectivityShape, HealthShape, NextShape, OpinionShape, ResultShape, SampleShape, StatusShape,
};
use crate::causes::with_causes;
use crate::control::humanize_duration;

use super::admin_client::{AdminClient, ServerArguments};
use super::overrides::{describe, local, progress as drained};
use super::relative_time::{ago, recovery, timestamp, until};
use super::watch::has_screen;
use super::{print, print_error};

const EXAMPLES: &str = "\
Examples:
  fiftythree health                   one line per check
  fiftythree health app-blue          one check: latency, what comes next, records, history
  fiftythree health 'app-*' --watch   live, on one screen; q ends it
  fiftythree health --json | jq '.checks[] | select(.status == \"unhealthy\").name'

Exit code: 0; 1 when the server cannot be reached or has no check of that name; 2 for a wrong command line.";

/// The most names that an error lists.
const NAMED: usize = 20;
/// How often `--watch` asks without a terminal.
const EVERY: Duration = Duration::from_secs(1);

/// Show the health checks: state, last result, latency, what comes next, history.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HealthArguments {
    /// The name of a check, or a glob; shows each with its history
    name: Option<String>,
    /// Show them live, on one screen; without a terminal print them every second
    #[arg(short, long)]
    watch: bool,
    /// Print JSON; with --watch one object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Shows the checks once, or live.
pub(super) fn run(arguments: &HealthArguments) -> anyhow::Result<ExitCode> {
    let admin = AdminClient::find(&arguments.server)?;
    if !arguments.watch {
        print(&look(&admin, arguments)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &arguments.name
        && admin.health(&[("name", name)]).is_ok_and(|health| health.checks.is_empty())
    {
        return Err(unknown(&admin, name));
    }
    if has_screen() && !arguments.json {
        return screen::run(admin, arguments.name.as_deref());
    }
    loop {
        match look(&admin, arguments) {
            Ok(text) => print(&text)?,
            // The server may be restarting.
            Err(error) => print_error(&format!("{}\n", with_causes(error.as_ref()))),
        }
        thread::sleep(EVERY);
    }
}

fn look(admin: &AdminClient, arguments: &HealthArguments) -> anyhow::Result<String> {
    let name = arguments.name.as_deref();
    let mut parameters: Vec<(&str, &str)> = name.map(|name| ("name", name)).into_iter().collect();
    if name.is_some() || arguments.json {
        parameters.push(("history", "1"));
    }
    let health = admin.health(&parameters)?;
    if let Some(name) = name.filter(|_| health.checks.is_empty()) {
        return Err(unknown(admin, name));
    }
    match (arguments.json, arguments.watch) {
        (true, true) => Ok(serde_json::to_string(&health)? + "\n"),
        (true, false) => Ok(serde_json::to_string_pretty(&health)? + "\n"),
        (false, _) if name.is_some() => Ok(details(&health)),
        (false, _) => Ok(overview(&health)),
    }
}

/// The error that there is no check of this name.
fn unknown(admin: &AdminClient, name: &str) -> anyhow::Error {
    let Ok(all) = admin.health(&[]) else { return anyhow!("no health check is called `{name}`") };
    let names: Vec<&str> = all.checks.iter().map(|check| check.name.as_str()).take(NAMED).collect();
    anyhow!("no health check is called `{name}`\n  there is: {}", names.join(", "))
}

/// One line a check.
fn overview(health: &HealthShape) -> String {
    let now = timestamp(&health.now);
    let unhealthy = health.checks.iter().filter(|check| check.status == StatusShape::Unhealthy).count();
    let (count, ending) = (health.checks.len(), if health.checks.len() == 1 { "" } else { "s" });
    let mut text = format!("{}: {count} health check{ending}, {unhealthy} unhealthy\n", local(&health.now));
    text.push_str(&connectivity_note(health, now));
    let rows: Vec<[String; 5]> = health.checks.iter().map(|check| row(check, now)).collect();
    let head = ["NAME", "STATE", "SINCE", "LATENCY", "LAST RESULT"].map(str::to_owned);
    let widths: [usize; 4] = std::array::from_fn(|column| {
        rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    for [name, state, since, latency, last] in std::iter::once(&head).chain(&rows) {
        let [first, second, third, fourth] = widths;
        text.push_str(&format!("{name:first$}  {state:second$}  {since:third$}  {latency:fourth$}  {last}\n"));
    }
    if !health.recovering.is_empty() {
        text.push_str("\ncoming back:\n");
        health.recovering.iter().for_each(|way| text.push_str(&format!("  {} {}\n", way.record, recovery(way, now))));
    }
    if !health.overrides.is_empty() {
        text.push_str("\noverrides:\n");
        health.overrides.iter().for_each(|shape| text.push_str(&describe(shape)));
    }
    text
}

fn row(check: &CheckShape, now: Timestamp) -> [String; 5] {
    let last = check.last_result.as_ref();
    let latency = last.map_or_else(String::new, |last| format!("{} ms", last.total_ms));
    let seen = match last {
        Some(last) => format!("{} ago: {}", ago(now, &last.at), last.status),
        None => check.last_words().unwrap_or_default().to_owned(),
    };
    let progress = check.next.as_ref().and_then(|next| progress(check, next));
    let last = [Some(seen), progress].into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    [check.name.clone(), state(check), ago(now, &check.since), latency, last.join("; ")]
}

/// Such as `unhealthy`, `unhealthy (overridden)`, `healthy (disabled)`.
fn state(check: &CheckShape) -> String {
    let restored = check.last_result.as_ref().is_some_and(|last| last.restored) && !check.disabled;
    let drain = check.overridden.as_ref().and_then(|overridden| overridden.drain.as_ref());
    let note = match drain {
        Some(drain) if drain.left_percent > 0 => format!("draining, {} % left", drain.left_percent),
        Some(_) => "drained".to_owned(),
        None => "overridden".to_owned(),
    };
    let disagree = check.agreement.as_ref().is_some_and(|all| 0 < all.healthy && all.healthy < all.reporting);
    let notes = [
        (check.overridden.is_some(), note.as_str()),
        (check.disabled, "disabled"),
        (check.inverted, "inverted"),
        (check.pending, "no result yet"),
        (restored, "restored"),
        (disagree, "nodes disagree"),
    ];
    let notes: Vec<&str> = notes.into_iter().filter(|(is, _)| *is).map(|(_, note)| note).collect();
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("{}{notes}", word(check.status))
}

/// A series of results that may change the status.
fn progress(check: &CheckShape, next: &NextShape) -> Option<String> {
    let last = check.last_result.as_ref()?;
    (last.passed == next.passes && !last.missing).then(|| turns(next))
}

/// Such as `2 more failures in a row make it unhealthy`.
fn turns(next: &NextShape) -> String {
    let (one, many) = if next.passes { ("pass", "passes") } else { ("failure", "failures") };
    let effect = if next.opinion_only { "this node consider it" } else { "it" };
    match next.results_needed {
        1 => format!("one more {one} makes {effect} {}", word(next.then)),
        count => format!("{count} more {many} in a row make {effect} {}", word(next.then)),
    }
}

/// All details of some checks.
fn details(health: &HealthShape) -> String {
    let now = timestamp(&health.now);
    let detailed: Vec<String> = health.checks.iter().map(|check| detail(check, health, now)).collect();
    connectivity_note(health, now) + &detailed.join("\n")
}

fn detail(check: &CheckShape, health: &HealthShape, now: Timestamp) -> String {
    let mut text =
        format!("{}: {} since {} ({} ago)\n", check.name, state(check), local(&check.since), ago(now, &check.since));
    let mut line = |what: &str, value: String| text.push_str(&format!("  {what:12}{value}\n"));
    line("type", format!("{} {}", check.kind, check.endpoint));
    line("id", check.id.clone());
    if let Some(overridden) = &check.overridden {
        let until = overridden
            .until
            .as_ref()
            .map_or_else(|| "until cleared".to_owned(), |until| format!("until {}", local(until)));
        let reason = if overridden.reason.is_empty() { String::new() } else { format!(": {}", overridden.reason) };
        let drain = overridden.drain.as_ref().map_or_else(String::new, |drain| format!(", {}", drained(drain)));
        line("overridden", format!("by {} from {} {until}{drain}{reason}", overridden.author, local(&overridden.from)));
        line("", format!("without that it would be {}", word(check.without_overrides)));
    }
    if let Some(agreement) = &check.agreement {
        line("agreement", agreement.text.clone());
    }
    for (number, stated) in check.opinions.iter().enumerate() {
        line(if number == 0 { "opinions" } else { "" }, opinion(stated, now));
    }
    if let Some(last) = &check.last_result {
        let restored = if last.restored { ", before the restart" } else { "" };
        line("last result", format!("{} ago{restored}: {}", ago(now, &last.at), last.status));
        line("latency", latency(last));
    }
    if let Some(next) = &check.next {
        let probe = match &next.probe_at {
            Some(at) => format!("a probe in {}", humanize_duration(until(now, at))),
            None => "a probe any moment".to_owned(),
        };
        line("next", format!("{probe}; {}, at the earliest {}", turns(next), local(&next.earliest)));
    }
    if !check.recent.is_empty() {
        line("recent", sparkline(&check.recent));
    }
    line("records", if check.records.is_empty() { "none".to_owned() } else { check.records.join(", ") });
    for way in health.recovering.iter().filter(|way| check.records.contains(&way.record)) {
        line("", format!("{} {}", way.record, recovery(way, now)));
    }
    for (number, transition) in check.transitions.iter().enumerate() {
        let what = if number == 0 { "transitions" } else { "" };
        line(what, format!("{} {}: {}", local(&transition.at), word(transition.to), transition.why));
    }
    for (number, results) in check.results.iter().enumerate() {
        let what = if number == 0 { "results" } else { "" };
        let times = if results.count == 1 {
            String::new()
        } else {
            format!("{} times until {}, ", results.count, local(&results.last))
        };
        line(what, format!("{} {times}at most {} ms: {}", local(&results.first), results.slowest_ms, results.status));
    }
    text
}

/// Such as `tokyo-1 (ap-northeast-1, 198.51.100.1): unhealthy, 3 s ago: Failure: …`.
fn opinion(stated: &OpinionShape, now: Timestamp) -> String {
    let OpinionShape { node, region, address, this_node, status, reason, checked, counts, .. } = stated;
    let own = this_node.then(|| "this node".to_owned());
    let place: Vec<String> = [own, region.clone(), address.clone()].into_iter().flatten().collect();
    let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
    let ago = ago(now, checked);
    let counts = if *counts { "" } else { " (does not count)" };
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{node}{place}: {}{counts}, {ago} ago{reason}", word(*status))
}

fn latency(last: &ResultShape) -> String {
    let steps = [
        ("connection", last.connect_ms),
        ("TLS handshake", last.tls_handshake_ms),
        ("first byte", last.first_byte_ms),
        ("total", Some(last.total_ms)),
    ];
    let steps = steps.into_iter().filter_map(|(step, figure)| Some(format!("{step} {} ms", figure?)));
    steps.collect::<Vec<_>>().join(", ")
}

/// The durations of the last probes as a bar chart, relative to the longest; `x` for a failed one.
fn sparkline(recent: &[SampleShape]) -> String {
    const STROKES: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let longest = recent.iter().map(|probe| probe.total_ms).fold(0.0, f64::max);
    let shortest = recent.iter().map(|probe| probe.total_ms).fold(longest, f64::min);
    let stroke = |probe: &SampleShape| {
        let height = if longest > 0.0 { probe.total_ms / longest * 7.0 } else { 0.0 };
        if probe.passed { STROKES[(height.round() as usize).min(7)] } else { 'x' }
    };
    let strokes: String = recent.iter().map(stroke).collect();
    format!("{strokes}  {shortest} to {longest} ms")
}

/// Reports that the server has lost its connectivity, or nothing.
fn connectivity_note(health: &HealthShape, now: Timestamp) -> String {
    let Some(ConnectivityShape { isolated_since: Some(since), sentinels }) = &health.connectivity else {
        return String::new();
    };
    let (at, ago, sentinels) = (local(since), ago(now, since), sentinels.join(", "));
    format!(
        "this server is isolated since {at} ({ago} ago): all sentinels are unhealthy ({sentinels}); \
         results of other checks are ignored until one recovers\n"
    )
}

fn word(status: StatusShape) -> &'static str {
    match status {
        StatusShape::Healthy => "healthy",
        StatusShape::Unhealthy => "unhealthy",
    }
}
