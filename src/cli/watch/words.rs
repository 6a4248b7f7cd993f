//! What happened, in words: the same on the screen and in plain lines.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::admin::shapes::StatusShape;

use super::model::Model;
use super::model::checks::word;
use super::model::tally::{Before, Change};
use super::model::timeline::{Entry, What};

/// An entry, in parts that a screen may colour.
pub(crate) struct Phrase {
    /// Whom it is about: a check, a name; empty for deeds.
    pub(crate) who: String,
    /// What became of it.
    pub(crate) what: String,
    /// Seconds since the outage, and the like.
    pub(crate) when: String,
    /// Why.
    pub(crate) why: String,
    /// Whether it is good news.
    pub(crate) mood: Mood,
}

/// How an entry feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Bad,
    Neutral,
}

/// Puts an entry into words.
pub(crate) fn phrase(model: &Model, entry: &Entry) -> Phrase {
    let since = model.timeline.since_outage(entry).map(|(since, to)| match to {
        StatusShape::Healthy => format!("{since:.1} s after the first passed probe"),
        StatusShape::Unhealthy => format!("{since:.1} s after the first failed probe"),
    });
    match &entry.what {
        What::Verdict { check, to, why, .. } => {
            let mood = match to {
                StatusShape::Healthy => Mood::Good,
                StatusShape::Unhealthy => Mood::Bad,
            };
            let answer = model.timeline.first_answer(entry).map(|first| format!("answers changed after {first:.1} s"));
            let when = since.into_iter().chain(answer).collect::<Vec<_>>().join(", ");
            Phrase { who: check.clone(), what: format!("is {}", word(*to)), when, why: short(why).to_owned(), mood }
        }
        What::Answer { name, change } => {
            let who = model.names[*name].subject.to_string();
            Phrase {
                who,
                what: changed(change),
                when: since.unwrap_or_default(),
                why: String::new(),
                mood: Mood::Neutral,
            }
        }
        What::Deed(deed) => Phrase {
            who: String::new(),
            what: deed.clone(),
            when: String::new(),
            why: String::new(),
            mood: Mood::Neutral,
        },
    }
}

fn changed(change: &Change) -> String {
    match change {
        Change::Arrived { outcome, before: Before::Nothing, .. } => format!("is {outcome}"),
        Change::Arrived { outcome, before: Before::Steady(before), .. } => format!("{before} → {outcome}"),
        Change::Arrived { outcome, before: Before::Mixed, .. } => format!("is also {outcome}"),
        Change::Gone { outcome, .. } => format!("{outcome} comes no more"),
    }
}

/// The first sentence of a status, without Route 53's advice.
pub(crate) fn short(status: &str) -> &str {
    status.split(" The endpoint or the internet connection").next().unwrap_or(status)
}

/// The clock on the wall, to the second.
pub(crate) fn clock(moment: Timestamp) -> String {
    local(moment).strftime("%H:%M:%S").to_string()
}

/// The clock on the wall, to the tenth of a second.
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
    fn an_outage_reads_well() {
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
