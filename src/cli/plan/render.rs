//! A plan as text.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::cli::output::first_of;
use crate::cli::paint::{Colour, Paint};
use crate::model::readable_name;
use crate::plan::{ClientAnswers, Plan, PlannedAnswers, PlannedObject, PlannedPart, RecordShare};

/// The most places of one line.
const MOST_PLACES: usize = 4;
/// The most values of a record set.
const MOST_VALUES: usize = 3;
/// The most names of one line.
const MOST_NAMES: usize = 10;

/// The whole plan.
pub(in crate::cli) fn text(plan: &Plan, health: &str, paint: Paint) -> String {
    if plan.is_empty() {
        return "there is nothing to do\n".to_owned();
    }
    let mut out = changes(&plan.changes, paint);
    let _ = writeln!(out, "\n{} ({health})", paint.paint(Colour::Strong, "What clients get"));
    for answers in &plan.answers {
        name(&mut out, answers, paint);
    }
    if plan.answers.is_empty() {
        out.push_str("  the same records as before\n");
    } else if !plan.same_answers.is_empty() {
        let names: Vec<String> = plan.same_answers.iter().map(|name| readable_name(name).into_owned()).collect();
        let _ = writeln!(out, "  the same records as before: {}", first_of(&names, MOST_NAMES));
    }
    if plan.not_simulated > 0 {
        let _ = writeln!(out, "  {} more names and types change; they are not simulated", plan.not_simulated);
    }
    let _ = writeln!(out, "\n{}", summary(&plan.changes));
    out
}

/// The objects that change, each with its record sets and members.
pub(in crate::cli) fn changes(objects: &[PlannedObject], paint: Paint) -> String {
    objects.iter().map(|object| of_object(object, paint)).collect()
}

fn of_object(object: &PlannedObject, paint: Paint) -> String {
    let PlannedObject { kind, id, name, parts, more } = object;
    // The members of the object are the part with its own name.
    let own = parts.iter().find(|part| part.what == *name);
    let change = own.filter(|own| own.change != "changed").map_or("changed", |own| &own.change);
    let kind = kind.replace('_', " ");
    let mut out = format!("{} {kind} {} ({id})\n", sign(change, paint), paint.paint(Colour::Strong, name));
    for part in parts {
        if part.what == *name {
            lines(&mut out, "  ", part, paint);
        } else {
            let _ = writeln!(out, "  {} {}", sign(&part.change, paint), readable_name(&part.what));
            lines(&mut out, "    ", part, paint);
        }
    }
    if *more > 0 {
        let _ = writeln!(out, "  and {more} more");
    }
    out
}

fn sign(change: &str, paint: Paint) -> String {
    match change {
        "added" => paint.paint(Colour::Good, "+"),
        "removed" => paint.paint(Colour::Bad, "-"),
        _ => "~".to_owned(),
    }
}

/// The members before and after. Those that stay are shown once.
fn lines(out: &mut String, indentation: &str, part: &PlannedPart, paint: Paint) {
    let members = |text: &Option<String>| -> Vec<String> {
        let lines = text.iter().flat_map(|text| text.lines()).filter(|line| !is_implied(line));
        lines.map(str::to_owned).collect()
    };
    let (before, after) = (members(&part.before), members(&part.after));
    let mut gone: Vec<&String> = before.iter().filter(|line| !after.contains(line)).collect();
    let removed = |line: &String| paint.paint(Colour::Bad, &format!("- {line}"));
    let mut lines = Vec::new();
    for line in &after {
        if before.contains(line) {
            lines.push(format!("  {line}"));
            continue;
        }
        // The value before is right above the value after.
        lines.extend(gone.extract_if(.., |old| key(old) == key(line)).map(removed));
        lines.push(paint.paint(Colour::Good, &format!("+ {line}")));
    }
    lines.extend(gone.into_iter().map(removed));
    for line in lines {
        let _ = writeln!(out, "{indentation}{line}");
    }
}

fn key(line: &str) -> &str {
    line.split(" = ").next().unwrap_or_default()
}

/// Lines that the name of a record set says too.
fn is_implied(line: &str) -> bool {
    ["[[", "name = ", "type = ", "set_identifier = "].iter().any(|start| line.starts_with(start)) || line.is_empty()
}

fn name(out: &mut String, answers: &PlannedAnswers, paint: Paint) {
    let PlannedAnswers { name, record_type, clients } = answers;
    let _ = writeln!(out, "  {}", paint.paint(Colour::Strong, &format!("{} {record_type}", readable_name(name))));
    for ClientAnswers { places, is_everywhere, before, after } in clients {
        let places = if *is_everywhere { "all clients".to_owned() } else { first_of(places, MOST_PLACES) };
        let _ = writeln!(out, "    {places}: {} → {}", shares(name, before), shares(name, after));
    }
}

fn shares(name: &str, shares: &[RecordShare]) -> String {
    let is_all = |share: &RecordShare| shares.len() == 1 && share.percent >= 100.0;
    let words = |share: &RecordShare| {
        let percent = match share.percent {
            _ if is_all(share) => String::new(),
            percent if percent < 1.0 => format!(" {percent} %"),
            percent => format!(" {percent:.0} %"),
        };
        format!("{}{percent}", record(name, share))
    };
    shares.iter().map(words).collect::<Vec<_>>().join(", ")
}

/// For example `blue [192.0.2.1]`.
fn record(name: &str, share: &RecordShare) -> String {
    let RecordShare { record_set, set_identifier, values, .. } = share;
    let Some(record_set) = record_set else { return "no records".to_owned() };
    let owner = record_set.split(' ').next().filter(|owner| *owner != name).map(readable_name);
    let words: Vec<Cow<'_, str>> = owner.into_iter().chain(set_identifier.as_deref().map(Cow::from)).collect();
    let values = first_of(values, MOST_VALUES);
    if words.is_empty() { values } else { format!("{} [{values}]", words.join(" ")) }
}

/// For example `2 record sets and members: 1 added, 1 changed`.
fn summary(objects: &[PlannedObject]) -> String {
    let parts: Vec<&PlannedPart> = objects.iter().flat_map(|object| &object.parts).collect();
    let of = |change: &str| {
        let count = parts.iter().filter(|part| part.change == change).count();
        (count > 0).then(|| format!("{count} {change}"))
    };
    let mut words: Vec<String> = ["added", "changed", "removed"].into_iter().filter_map(of).collect();
    let more: usize = objects.iter().map(|object| object.more).sum();
    words.extend((more > 0).then(|| format!("{more} more")));
    format!("{}; nothing is changed yet", words.join(", "))
}
