//! A watch without a screen: a line for each changed answer and status, and regular counts; as text
//! or JSON.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::output::{Form, OutputError, print};

use super::input::Input;
use super::model::checks::word;
use super::model::tally::{Before, Change, Tally};
use super::model::timeline::{Entry, EntryKind};
use super::model::{AdminSide, Model, Watched};
use super::words::{Phrase, fine_clock, percent, phrase};

/// The most answers that a line names.
const NAMED: usize = 8;

/// Prints entries until the time or the number of queries is reached, or a signal stops it.
pub(super) fn run(model: &mut Model, inputs: &Receiver<Input>, form: Form, bounds: Bounds) -> Result<(), OutputError> {
    let began = Instant::now();
    let mut next_tally = bounds.tally_every;
    let mut side = AdminSide::Unknown;
    loop {
        let now = began.elapsed();
        let end = bounds.time.unwrap_or(Duration::MAX);
        if now >= end {
            break;
        }
        if now >= next_tally {
            model.tick(now);
            print_tallies(model, form, Span::Window)?;
            next_tally += bounds.tally_every;
            continue;
        }
        match inputs.recv_timeout(next_tally.min(end).saturating_sub(now)) {
            Ok(Input::Event(event, at)) => {
                let news = model.apply(event, at.saturating_duration_since(began));
                news.iter().try_for_each(|entry| print_entry(model, entry, form))?;
            }
            Ok(Input::Key(_) | Input::Resize) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Input::QueriesDone | Input::Stop) | Err(RecvTimeoutError::Disconnected) => break,
        }
        if model.admin_side != side {
            side = model.admin_side.clone();
            print_admin_side(&side, form)?;
        }
    }
    model.tick(began.elapsed());
    print_tallies(model, form, Span::All)
}

/// When it ends, and how often it prints counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The longest time.
    pub(super) time: Option<Duration>,
    /// The interval of the counts.
    pub(super) tally_every: Duration,
}

/// The answers that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Those of the last seconds.
    Window,
    /// All.
    All,
}

fn print_entry(model: &Model, entry: &Entry, form: Form) -> Result<(), OutputError> {
    match form {
        Form::Text => print(&format!("{}\n", entry_text(model, entry))),
        Form::Json => print(&format!("{}\n", entry_json(model, entry))),
    }
}

fn entry_text(model: &Model, entry: &Entry) -> String {
    let Phrase { who, what, when, why, .. } = phrase(model, entry);
    let mut text = format!("{}  {who} {what}", fine_clock(model.wall(entry.at)));
    if !when.is_empty() {
        text.push_str(&format!(", {when}"));
    }
    if !why.is_empty() {
        text.push_str(&format!(": {why}"));
    }
    text
}

fn entry_json(model: &Model, entry: &Entry) -> Value {
    let mut value = json!({ "at": model.wall(entry.at).to_string() });
    let since = model.timeline.since_outage(entry).map(|(since, _)| since);
    match &entry.kind {
        EntryKind::StatusChange { check, to, why, .. } => {
            value["event"] = "status_changed".into();
            value["check"] = check.as_str().into();
            value["status"] = word(*to).into();
            value["why"] = why.as_str().into();
            value["seconds_since_first_probe"] = since.into();
            value["seconds_to_first_changed_answer"] = model.timeline.first_answer(entry).into();
        }
        EntryKind::Answer { name, change } => {
            let subject = &model.names[*name].subject;
            value["event"] = "answer".into();
            value["name"] = subject.name.as_str().into();
            value["type"] = subject.record_type.as_str().into();
            value["seconds_since_first_probe"] = since.into();
            match change {
                Change::Arrived { outcome, before, .. } => {
                    value["answer"] = outcome.as_str().into();
                    value["before"] = match before {
                        Before::Nothing => Value::Null,
                        Before::Steady(before) => before.as_str().into(),
                        Before::Mixed => "others".into(),
                    };
                }
                Change::Gone { outcome, .. } => value["gone"] = outcome.as_str().into(),
            }
        }
        EntryKind::UserAction(action) => {
            value["event"] = "action".into();
            value["action"] = action.as_str().into();
        }
    }
    value
}

fn print_admin_side(side: &AdminSide, form: Form) -> Result<(), OutputError> {
    match (side, form) {
        (AdminSide::Unavailable(why), Form::Text) => print(&format!("health is not shown: {why}\n")),
        (AdminSide::Unavailable(why), Form::Json) => {
            print(&format!("{}\n", json!({ "event": "health_unavailable", "why": why })))
        }
        (AdminSide::Available | AdminSide::Unknown, _) => Ok(()),
    }
}

/// Prints how often each answer came.
pub(crate) fn print_tallies(model: &Model, form: Form, span: Span) -> Result<(), OutputError> {
    model.names.iter().try_for_each(|name| match form {
        Form::Text => print(&format!("{}\n", tally_text(model, name, span))),
        Form::Json => print(&format!("{}\n", tally_json(model, name, span))),
    })
}

fn tally_text(model: &Model, name: &Watched, span: Span) -> String {
    let (Watched { subject, tally, .. }, clock) = (name, fine_clock(model.wall(model.now.as_secs_f64())));
    let (answers, rows) = rows(tally, span);
    let named = rows.iter().take(NAMED).map(|(text, _, share)| format!("{text} {}", percent(*share).trim_start()));
    let mut shares = named.collect::<Vec<_>>();
    if rows.len() > NAMED {
        shares.push(format!("{} more", rows.len() - NAMED));
    }
    let shares = if shares.is_empty() { String::new() } else { format!(": {}", shares.join(", ")) };
    let plural = if answers == 1 { "" } else { "s" };
    let span = match span {
        Span::Window => format!("in the last {} s", tally.window().as_secs_f64()),
        Span::All => format!("in {:.1} s", model.now.as_secs_f64()),
    };
    format!("{clock}  {subject}: {answers} answer{plural} {span}{shares}")
}

fn tally_json(model: &Model, name: &Watched, span: Span) -> Value {
    let (answers, rows) = rows(&name.tally, span);
    let row = |(text, count, share): &(&str, u64, f64)| json!({ "answer": text, "count": count, "share": share });
    let (event, seconds) = match span {
        Span::Window => ("tally", name.tally.window().as_secs_f64()),
        Span::All => ("end", model.now.as_secs_f64()),
    };
    json!({
        "event": event,
        "at": model.wall(model.now.as_secs_f64()).to_string(),
        "name": name.subject.name,
        "type": name.subject.record_type,
        "seconds": seconds,
        "queries": answers,
        "answers": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

/// The number of answers, and for each distinct one its count and share.
fn rows(tally: &Tally, span: Span) -> (u64, Vec<(&str, u64, f64)>) {
    let outcomes = tally.outcomes();
    let rows = outcomes.into_iter().map(|outcome| match span {
        Span::Window => (outcome.text.as_str(), outcome.recent, tally.recent_share(outcome)),
        Span::All => (outcome.text.as_str(), outcome.count, tally.share(outcome)),
    });
    let rows = rows.filter(|(_, count, _)| *count > 0).collect();
    let answers = match span {
        Span::Window => tally.recent(),
        Span::All => tally.total(),
    };
    (answers, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::watch::model::tests::failover;

    #[test]
    fn a_tally_has_shares_of_the_window_or_of_all() {
        let (model, _) = failover();
        let text = tally_text(&model, &model.names[0], Span::All);
        assert!(
            text.ends_with("app.lab.test A: 90 answers in 8.9 s: 127.0.53.11 67.8 %, 127.0.53.12 32.2 %"),
            "{text}"
        );
        let json = tally_json(&model, &model.names[0], Span::Window);
        assert_eq!(json["event"], "tally");
        assert_eq!(json["answers"][0], json!({ "answer": "127.0.53.11", "count": 61, "share": 61.0 / 90.0 }));
    }

    #[test]
    fn text_and_json_have_the_same_facts() {
        let (model, news) = failover();
        let text = entry_text(&model, &news[1]);
        assert!(
            text.ends_with("app.lab.test A 127.0.53.11 → 127.0.53.12, 2.1 s after the first failed probe"),
            "{text}"
        );
        let json = entry_json(&model, &news[2]);
        assert_eq!((json["event"].as_str(), json["status"].as_str()), (Some("status_changed"), Some("unhealthy")));
        assert!((json["seconds_to_first_changed_answer"].as_f64().unwrap() - 2.1).abs() < 0.001, "{json}");
        assert_eq!(entry_json(&model, &news[1])["before"], "127.0.53.11");
    }
}
