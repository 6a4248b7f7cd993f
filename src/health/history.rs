//! The history of a check: its last results and its last transitions, with a fixed limit for each.
//!
//! Consecutive results that say the same are stored as one run with a count. A check that is
//! healthy for a month takes as much room as one that was probed once, and rare events are not
//! pushed out by frequent ones.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Observation, Status, Timestamp};

/// Runs kept for each check. 20 000 checks that flap all the time take about 60 MB at most.
const RUNS: usize = 16;
/// Transitions kept for each check.
const TRANSITIONS: usize = 16;

/// The durations of the steps of a probe. A step that was not reached has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Until the TCP connection was established: Route 53's ConnectionTime.
    pub connect: Option<Duration>,
    /// From then until the TLS handshake was complete: Route 53's SSLHandshakeTime.
    pub tls_handshake: Option<Duration>,
    /// From then until the first byte of the response: Route 53's TimeToFirstByte.
    pub first_byte: Option<Duration>,
    /// The whole probe, without resolving the name.
    pub total: Duration,
}

/// Consecutive results that say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whether the probe passed.
    pub observation: Observation,
    /// The status, in Route 53's words.
    pub status: Arc<str>,
    /// The time of the first result; unique among the runs of a check.
    pub first: Timestamp,
    /// The time of the last result.
    pub last: Timestamp,
    /// The number of results.
    pub results: u32,
    /// The durations of the last result.
    pub latency: Latency,
    /// The longest total duration of a probe in this run.
    pub slowest: Duration,
}

/// A change of the final status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastTransition {
    /// When it changed.
    pub at: Timestamp,
    /// The new status.
    pub to: Status,
    /// The cause, as text.
    pub why: Arc<str>,
}

/// The last runs and transitions of one check, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    runs: VecDeque<Run>,
    transitions: VecDeque<PastTransition>,
}

/// Whether a result differs from the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunUpdate {
    /// It says the same as the previous one.
    Continued,
    /// It says something else.
    Started,
}

impl History {
    /// Adds a result.
    pub fn add_result(&mut self, observation: Observation, status: &str, latency: Latency, at: Timestamp) -> RunUpdate {
        match self.runs.back_mut() {
            Some(run) if run.observation == observation && *run.status == *status => {
                run.last = at;
                run.results = run.results.saturating_add(1);
                run.latency = latency;
                run.slowest = run.slowest.max(latency.total);
                RunUpdate::Continued
            }
            _ => {
                let (status, slowest) = (status.into(), latency.total);
                self.put_run(Run { observation, status, first: at, last: at, results: 1, latency, slowest });
                RunUpdate::Started
            }
        }
    }

    /// Adds a transition.
    pub fn add_transition(&mut self, transition: PastTransition) {
        push(&mut self.transitions, transition, TRANSITIONS);
    }

    /// Restores a run: replaces the run with the same start, or appends it.
    pub fn put_run(&mut self, run: Run) {
        match self.runs.back_mut() {
            Some(last) if last.first == run.first => *last = run,
            _ => push(&mut self.runs, run, RUNS),
        }
    }

    /// The runs, oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter()
    }

    /// The transitions, oldest first.
    pub fn transitions(&self) -> impl DoubleEndedIterator<Item = &PastTransition> {
        self.transitions.iter()
    }

    /// The run that contains the last result.
    #[must_use]
    pub fn last_run(&self) -> Option<&Run> {
        self.runs.back()
    }

    /// The last transition.
    #[must_use]
    pub fn last_transition(&self) -> Option<&PastTransition> {
        self.transitions.back()
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    match ring.len() {
        // Most checks have one run for weeks; with 20 000 checks, room for four runs each would
        // waste 10 MB.
        0 => ring.reserve_exact(1),
        full if full == most => drop(ring.pop_front()),
        _ => {}
    }
    ring.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use Observation::{Fail, Pass};

    fn at(second: u64) -> Timestamp {
        Timestamp(Duration::from_secs(second))
    }

    fn latency(milliseconds: u64) -> Latency {
        Latency { total: Duration::from_millis(milliseconds), ..Latency::default() }
    }

    #[test]
    fn results_that_say_the_same_are_one_run() {
        let mut history = History::default();
        assert_eq!(history.add_result(Pass, "ok", latency(3), at(1)), RunUpdate::Started);
        assert_eq!(history.add_result(Pass, "ok", latency(9), at(2)), RunUpdate::Continued);
        assert_eq!(history.add_result(Pass, "ok", latency(4), at(3)), RunUpdate::Continued);
        assert_eq!(history.add_result(Fail, "ok", latency(1), at(4)), RunUpdate::Started);
        let run = history.runs().next().unwrap();
        assert_eq!((run.first, run.last, run.results), (at(1), at(3), 3));
        assert_eq!((run.latency, run.slowest), (latency(4), Duration::from_millis(9)));
        assert_eq!(history.last_run().unwrap().observation, Fail);
    }

    #[test]
    fn it_stays_small() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.add_result(Fail, &second.to_string(), latency(1), at(second));
            history.add_transition(PastTransition { at: at(second), to: Status::Healthy, why: "because".into() });
        }
        assert_eq!((history.runs().count(), history.transitions().count()), (RUNS, TRANSITIONS));
        assert_eq!(history.last_transition().unwrap().at, at(9_999));
        assert_eq!(history.runs().next().unwrap().first, at(10_000 - RUNS as u64));
    }
}
