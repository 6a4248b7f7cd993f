//! What happened, in order: verdicts, changed answers, and what people did; each with the time
//! since the outage began.

use std::collections::VecDeque;
use std::time::Duration;

use crate::admin::shapes::StatusShape;

use super::tally::{Before, Change};

/// What a screen can show, and some more for those who enlarge it.
const ENTRIES: usize = 500;
/// An answer that changes so long after a verdict changed because of it. An answer of 10 a second
/// comes far sooner; a weighted one needs some draws.
const ECHO: f64 = 3.0;
/// An answer may be seen before the verdict that changed it by this much: two clocks are compared,
/// over a round trip.
const SKEW: f64 = 0.25;

/// Seconds since the watch began; less than 0 for what happened before.
pub(crate) type Seconds = f64;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// When.
    pub(crate) at: Seconds,
    /// What.
    pub(crate) what: What,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A check changed. `began` is when its first failed (or passed) probe was seen.
    Verdict { check: String, to: StatusShape, why: String, began: Option<Seconds> },
    /// A name, by its number, answers something else.
    Answer { name: usize, change: Change },
    /// Somebody did something.
    Deed(String),
}

impl Entry {
    /// Whether somebody did it.
    pub(crate) fn is_deed(&self) -> bool {
        matches!(self.what, What::Deed(_))
    }
}

/// All of it, in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    entries: VecDeque<Entry>,
}

impl Timeline {
    /// Adds something, which may be older than what is there: a verdict is heard of when the admin
    /// side is asked. Whether it was news.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        if self.says_already(&entry) {
            return false;
        }
        let place = self.entries.partition_point(|other| other.at <= entry.at);
        self.entries.insert(place, entry);
        if self.entries.len() > ENTRIES {
            self.entries.pop_front();
        }
        true
    }

    /// That an answer is gone goes without saying when another came in its place.
    fn says_already(&self, entry: &Entry) -> bool {
        let What::Answer { name, change: Change::Gone { outcome, at } } = &entry.what else { return false };
        self.entries.iter().any(|other| match &other.what {
            What::Answer { name: of, change: Change::Arrived { before, at: when, .. } } => {
                of == name && when == at && matches!(before, Before::Steady(before) if before == outcome)
            }
            _ => false,
        })
    }

    /// The latest first.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev()
    }

    /// Seconds from the first failed (or passed) probe to this entry: of a verdict its own, of an
    /// answer those of the verdict that it follows; and which verdict that was.
    pub(crate) fn since_outage(&self, entry: &Entry) -> Option<(f64, StatusShape)> {
        let counted = |verdict: &Entry| match &verdict.what {
            What::Verdict { began: Some(began), to, .. } => Some((entry.at - began, *to)),
            _ => None,
        };
        match &entry.what {
            What::Verdict { .. } => counted(entry),
            What::Answer { .. } => {
                let causes = self.entries.iter().rev().filter(|verdict| self.follows(entry.at, verdict.at));
                causes.into_iter().find_map(counted)
            }
            What::Deed(_) => None,
        }
    }

    /// Whether an answer at this time may come of a verdict at that one: soon, and nobody did
    /// anything in between.
    fn follows(&self, answer: Seconds, verdict: Seconds) -> bool {
        let is_between = |entry: &Entry| entry.is_deed() && (verdict..answer).contains(&entry.at);
        (verdict - SKEW..verdict + ECHO).contains(&answer) && !self.entries.iter().any(is_between)
    }

    /// Seconds from the first failed probe to the first answer that changed after a verdict.
    pub(crate) fn first_answer(&self, verdict: &Entry) -> Option<f64> {
        let What::Verdict { began: Some(began), .. } = &verdict.what else { return None };
        let echo = |entry: &&Entry| matches!(entry.what, What::Answer { .. }) && self.follows(entry.at, verdict.at);
        self.entries.iter().find(echo).map(|answer| answer.at - began)
    }
}

/// A moment of the watch as seconds.
pub(crate) fn seconds(at: Duration) -> Seconds {
    at.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(at: Seconds, began: Option<Seconds>) -> Entry {
        let what =
            What::Verdict { check: "blue".to_owned(), to: StatusShape::Unhealthy, why: "refused".to_owned(), began };
        Entry { at, what }
    }

    fn arrived(at: Seconds) -> Entry {
        let change = Change::Arrived {
            outcome: "b".to_owned(),
            before: Before::Steady("a".to_owned()),
            at: Duration::from_secs_f64(at),
        };
        Entry { at, what: What::Answer { name: 0, change } }
    }

    fn gone(at: Seconds) -> Entry {
        let change = Change::Gone { outcome: "a".to_owned(), at: Duration::from_secs_f64(at) };
        Entry { at, what: What::Answer { name: 0, change } }
    }

    #[test]
    fn what_is_heard_of_late_stands_where_it_belongs() {
        let mut timeline = Timeline::default();
        for entry in [arrived(12.1), verdict(12.0, Some(10.0)), verdict(-5.0, None)] {
            timeline.add(entry);
        }
        assert_eq!(timeline.latest().map(|entry| entry.at).collect::<Vec<_>>(), [12.1, 12.0, -5.0]);
    }

    #[test]
    fn an_answer_counts_from_the_first_failed_probe() {
        let mut timeline = Timeline::default();
        timeline.add(verdict(12.0, Some(10.0)));
        timeline.add(arrived(12.5));
        let latest: Vec<_> = timeline.latest().map(|entry| timeline.since_outage(entry)).collect();
        assert_eq!(latest, [2.5, 2.0].map(|since| Some((since, StatusShape::Unhealthy))));
        let verdict = timeline.latest().nth(1).unwrap();
        assert_eq!(timeline.first_answer(verdict), Some(2.5));
    }

    #[test]
    fn an_answer_long_after_a_verdict_has_another_cause() {
        let mut timeline = Timeline::default();
        timeline.add(verdict(12.0, Some(10.0)));
        timeline.add(arrived(60.0));
        assert_eq!(timeline.since_outage(timeline.latest().next().unwrap()), None);
        assert_eq!(timeline.first_answer(timeline.latest().nth(1).unwrap()), None);
    }

    #[test]
    fn what_somebody_did_in_between_may_be_the_cause() {
        let mut timeline = Timeline::default();
        timeline.add(verdict(12.0, Some(10.0)));
        timeline.add(Entry { at: 12.4, what: What::Deed("moved the client".to_owned()) });
        timeline.add(arrived(12.5));
        assert_eq!(timeline.since_outage(timeline.latest().next().unwrap()), None);
    }

    #[test]
    fn an_answer_that_was_replaced_is_not_told_to_be_gone() {
        let mut timeline = Timeline::default();
        timeline.add(arrived(12.5));
        timeline.add(gone(12.5));
        timeline.add(gone(20.0));
        assert_eq!(timeline.latest().map(|entry| entry.at).collect::<Vec<_>>(), [20.0, 12.5]);
    }

    #[test]
    fn the_timeline_has_a_limit() {
        let mut timeline = Timeline::default();
        (0..2 * ENTRIES).for_each(|second| assert!(timeline.add(verdict(second as f64, None))));
        assert_eq!(timeline.latest().count(), ENTRIES);
    }
}
