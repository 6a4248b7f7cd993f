//! What happened, in order of time: status changes, changed answers and actions of the user; each
//! with the time since the outage began.

use std::collections::VecDeque;
use std::time::Duration;

use crate::admin::shapes::StatusShape;

use super::tally::{Before, Change};

/// The most entries: what a large screen can show.
const ENTRIES: usize = 500;
/// An answer that changes within this many seconds after a status change counts as its effect. At
/// ten queries a second it is seen far sooner; weighted records need some draws.
const EFFECT_WINDOW: f64 = 3.0;
/// An answer may be seen up to this many seconds before the status change that caused it: two
/// clocks are compared, over a round trip.
const CLOCK_SKEW: f64 = 0.25;

/// Seconds since the watch began; negative for earlier events.
pub(crate) type Seconds = f64;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Its time.
    pub(crate) at: Seconds,
    /// What happened.
    pub(crate) kind: EntryKind,
}

/// The kinds of entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EntryKind {
    /// A check changed. `began` is when its first failed (or passed) probe was seen.
    StatusChange { check: String, to: StatusShape, why: String, began: Option<Seconds> },
    /// A name, by its number, answers something else.
    Answer { name: usize, change: Change },
    /// The user did something.
    UserAction(String),
}

impl Entry {
    /// Whether the user did it.
    pub(crate) fn is_user_action(&self) -> bool {
        matches!(self.kind, EntryKind::UserAction(_))
    }
}

/// All entries, in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    entries: VecDeque<Entry>,
}

impl Timeline {
    /// Adds an entry, which may be older than the last one: a status change is known when the admin
    /// side is polled. Returns whether it was new.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        if self.is_implied(&entry) {
            return false;
        }
        let place = self.entries.partition_point(|other| other.at <= entry.at);
        self.entries.insert(place, entry);
        if self.entries.len() > ENTRIES {
            self.entries.pop_front();
        }
        true
    }

    /// An entry that an answer is gone is implied by one that another replaced it.
    fn is_implied(&self, entry: &Entry) -> bool {
        let EntryKind::Answer { name, change: Change::Gone { outcome, at } } = &entry.kind else { return false };
        self.entries.iter().any(|other| match &other.kind {
            EntryKind::Answer { name: of, change: Change::Arrived { before, at: when, .. } } => {
                of == name && when == at && matches!(before, Before::Steady(before) if before == outcome)
            }
            _ => false,
        })
    }

    /// The entries, latest first.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev()
    }

    /// Seconds from the first failed (or passed) probe to this entry, and the status that the check
    /// got: for an answer those of the status change that caused it.
    pub(crate) fn since_outage(&self, entry: &Entry) -> Option<(f64, StatusShape)> {
        let counted = |status_change: &Entry| match &status_change.kind {
            EntryKind::StatusChange { began: Some(began), to, .. } => Some((entry.at - began, *to)),
            _ => None,
        };
        match &entry.kind {
            EntryKind::StatusChange { .. } => counted(entry),
            EntryKind::Answer { .. } => {
                let causes = self.entries.iter().rev().filter(|status_change| self.follows(entry.at, status_change.at));
                causes.into_iter().find_map(counted)
            }
            EntryKind::UserAction(_) => None,
        }
    }

    /// Whether a status change may have caused a changed answer: it came soon after, without an
    /// action of the user in between.
    fn follows(&self, answer: Seconds, status_change: Seconds) -> bool {
        let is_between = |entry: &Entry| entry.is_user_action() && (status_change..answer).contains(&entry.at);
        (status_change - CLOCK_SKEW..status_change + EFFECT_WINDOW).contains(&answer)
            && !self.entries.iter().any(is_between)
    }

    /// Seconds from the first failed probe to the first answer that a status change changed.
    pub(crate) fn first_answer(&self, status_change: &Entry) -> Option<f64> {
        let EntryKind::StatusChange { began: Some(began), .. } = &status_change.kind else { return None };
        let is_effect =
            |entry: &&Entry| matches!(entry.kind, EntryKind::Answer { .. }) && self.follows(entry.at, status_change.at);
        self.entries.iter().find(is_effect).map(|answer| answer.at - began)
    }
}

/// A time of the watch in seconds.
pub(crate) fn seconds(at: Duration) -> Seconds {
    at.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_change(at: Seconds, began: Option<Seconds>) -> Entry {
        let kind = EntryKind::StatusChange {
            check: "blue".to_owned(),
            to: StatusShape::Unhealthy,
            why: "refused".to_owned(),
            began,
        };
        Entry { at, kind }
    }

    fn arrived(at: Seconds) -> Entry {
        let change = Change::Arrived {
            outcome: "b".to_owned(),
            before: Before::Steady("a".to_owned()),
            at: Duration::from_secs_f64(at),
        };
        Entry { at, kind: EntryKind::Answer { name: 0, change } }
    }

    fn gone(at: Seconds) -> Entry {
        let change = Change::Gone { outcome: "a".to_owned(), at: Duration::from_secs_f64(at) };
        Entry { at, kind: EntryKind::Answer { name: 0, change } }
    }

    #[test]
    fn entries_are_in_order_of_time_even_if_they_are_known_late() {
        let mut timeline = Timeline::default();
        for entry in [arrived(12.1), status_change(12.0, Some(10.0)), status_change(-5.0, None)] {
            timeline.add(entry);
        }
        assert_eq!(timeline.latest().map(|entry| entry.at).collect::<Vec<_>>(), [12.1, 12.0, -5.0]);
    }

    #[test]
    fn an_answer_counts_from_the_first_failed_probe() {
        let mut timeline = Timeline::default();
        timeline.add(status_change(12.0, Some(10.0)));
        timeline.add(arrived(12.5));
        let latest: Vec<_> = timeline.latest().map(|entry| timeline.since_outage(entry)).collect();
        assert_eq!(latest, [2.5, 2.0].map(|since| Some((since, StatusShape::Unhealthy))));
        let status_change = timeline.latest().nth(1).unwrap();
        assert_eq!(timeline.first_answer(status_change), Some(2.5));
    }

    #[test]
    fn an_answer_long_after_a_status_change_has_another_cause() {
        let mut timeline = Timeline::default();
        timeline.add(status_change(12.0, Some(10.0)));
        timeline.add(arrived(60.0));
        assert_eq!(timeline.since_outage(timeline.latest().next().unwrap()), None);
        assert_eq!(timeline.first_answer(timeline.latest().nth(1).unwrap()), None);
    }

    #[test]
    fn an_action_of_the_user_in_between_may_be_the_cause() {
        let mut timeline = Timeline::default();
        timeline.add(status_change(12.0, Some(10.0)));
        timeline.add(Entry { at: 12.4, kind: EntryKind::UserAction("moved the client".to_owned()) });
        timeline.add(arrived(12.5));
        assert_eq!(timeline.since_outage(timeline.latest().next().unwrap()), None);
    }

    #[test]
    fn an_answer_that_was_replaced_is_not_reported_as_gone() {
        let mut timeline = Timeline::default();
        timeline.add(arrived(12.5));
        timeline.add(gone(12.5));
        timeline.add(gone(20.0));
        assert_eq!(timeline.latest().map(|entry| entry.at).collect::<Vec<_>>(), [20.0, 12.5]);
    }

    #[test]
    fn the_timeline_has_a_limit() {
        let mut timeline = Timeline::default();
        (0..2 * ENTRIES).for_each(|second| assert!(timeline.add(status_change(second as f64, None))));
        assert_eq!(timeline.latest().count(), ENTRIES);
    }
}
