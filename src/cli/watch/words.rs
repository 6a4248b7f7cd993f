//! Entries as text: the same on the screen and in plain lines.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::admin::shapes::StatusShape;

use super::model::Model;
use super::model::checks::word;
use super::model::tally::{Before, Change};
use super::model::timeline::{Entry, EntryKind};

/// An entry as text, in parts that a screen colours.
pub(crate) struct Phrase {
    /// The check or name; empty for actions of the user.
    pub(crate) who: String,
    /// What happened to it.
    pub(crate) what: String,
    /// The time since the outage began.
    pub(crate) when: String,
    /// The reason.
    pub(crate) why: String,
    /// Whether it is good or bad.
    pub(crate) tone: Tone,
}

/// Whether an entry is good or bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Neutral,
}

/// The text of an entry.
pub(crate) fn phrase(model: &Model, entry: &Entry) -> Phrase {
    let since = model.timeline.since_outage(entry).map(|(since, to)| match to {
        StatusShape::Healthy => format!("{since:.1} s after the first passed probe"),
        StatusShape::Unhealthy => format!("{since:.1} s after the first failed probe"),
    });
    match &entry.kind {
        EntryKind::StatusChange { check, to, why, .. } => {
            let tone = match to {
                StatusShape::Healthy => Tone::Good,
                StatusShape::Unhealthy => Tone::Bad,
            };
            let answer = model.timeline.first_answer(entry).map(|first| format!("answers changed after {first:.1} s"));
            let when = since.into_iter().chain(answer).collect::<Vec<_>>().join(", ");
            Phrase { who: check.clone(), what: format!("is {}", word(*to)), when, why: why.clone(), tone }
        }
        EntryKind::Answer { name, change } => {
            let who = model.names[*name].subject.to_string();
            Phrase {
                who,
                what: changed(change),
                when: since.unwrap_or_default(),
                why: String::new(),
                tone: Tone::Neutral,
            }
        }
        EntryKind::UserAction(action) => Phrase {
            who: String::new(),
            what: action.clone(),
            when: String::new(),
            why: String::new(),
            tone: Tone::Neutral,
        },
    }
}

fn changed(change: &Change) -> String {
    match change {
        Change::Arrived { outcome, before: Before::Nothing, .. } => format!("is {outcome}"),
        Change::Arrived { outcome, before: Before::Steady(before), .. } => format!("{before} → {outcome}"),
        Change::Arrived { outcome, before: Before::Mixed, .. } => format!("is also {outcome}"),
        Change::Gone { outcome, .. } => format!("is no longer {outcome}"),
    }
}

/// The local time, to the second.
pub(crate) fn clock(moment: Timestamp) -> String {
    local(moment).strftime("%H:%M:%S").to_string()
}

/// The local time, to a tenth of a second.
pub(crate) fn fine_clock(moment: Timestamp) -> String {
    let local = local(moment);
    format!("{}.{}", local.strftime("%H:%M:%S"), local.subsec_nanosecond() / 100_000_000)
}

fn local(moment: Timestamp) -> Zoned {
    moment.to_zoned(TimeZone::system())
}

/// A share, such as ` 62.5 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:5.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::watch::model::tests::failover;

    #[test]
    fn an_outage_as_text() {
        let (model, news) = failover();
        let line = |entry| {
            let Phrase { who, what, when, why, .. } = phrase(&model, entry);
            format!("{who} {what}|{when}|{why}")
        };
        let lines: Vec<String> = news.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "app.lab.test A is 127.0.53.11||",
                "app.lab.test A 127.0.53.11 → 127.0.53.12|2.1 s after the first failed probe|",
                "blue is unhealthy|2.0 s after the first failed probe, answers changed after 2.1 s|\
                 Failure: The connection was refused by the endpoint.",
            ]
        );
    }
}
