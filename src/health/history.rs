//! What was seen of a check: its last results and its last transitions, never more than a few of each.
//!
//! Results that say the same, one after the other, are one run with a count. So a check that is well for a month takes no
//! more room than one that was asked once, and what is interesting does not drown in what is not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Observation, Status, Timestamp};

/// Runs that are kept of each check: with 20 000 checks that flap all the time, about 60 MB at the very most.
const RUNS: usize = 16;
/// Transitions that are kept of each check.
const TRANSITIONS: usize = 16;

/// How long the steps of a probe took. A step that was not reached has no figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Until the TCP connection stood: Route 53's ConnectionTime.
    pub connect: Option<Duration>,
    /// From then until TLS was agreed on: its SSLHandshakeTime.
    pub tls_handshake: Option<Duration>,
    /// From then until the response began: its TimeToFirstByte.
    pub first_byte: Option<Duration>,
    /// The whole probe, without looking up its name.
    pub total: Duration,
}

/// Results in a row that say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whether the endpoint did as it should.
    pub observation: Observation,
    /// What was seen, in Route 53's words.
    pub status: Arc<str>,
    /// When it was seen first; no two runs of a check have the same.
    pub first: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// How many times.
    pub results: u32,
    /// The figures of the last result.
    pub latency: Latency,
    /// The longest of the whole probes.
    pub slowest: Duration,
}

/// A change of the verdict that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastTransition {
    /// When.
    pub at: Timestamp,
    /// To what; from the other.
    pub to: Status,
    /// Why, in words.
    pub why: Arc<str>,
}

/// The last runs and transitions of one check, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    runs: VecDeque<Run>,
    transitions: VecDeque<PastTransition>,
}

/// Whether a result is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It says what the one before said.
    Again,
    /// It says something else.
    New,
}

impl History {
    /// Takes a result in.
    pub fn see(&mut self, observation: Observation, status: &str, latency: Latency, at: Timestamp) -> News {
        match self.runs.back_mut() {
            Some(run) if run.observation == observation && *run.status == *status => {
                run.last = at;
                run.results = run.results.saturating_add(1);
                run.latency = latency;
                run.slowest = run.slowest.max(latency.total);
                News::Again
            }
            _ => {
                let (status, slowest) = (status.into(), latency.total);
                self.put_run(Run { observation, status, first: at, last: at, results: 1, latency, slowest });
                News::New
            }
        }
    }

    /// Takes a transition in.
    pub fn turn(&mut self, transition: PastTransition) {
        push(&mut self.transitions, transition, TRANSITIONS);
    }

    /// Puts a run where it was: in place of the one that began with it, or at the end.
    pub fn put_run(&mut self, run: Run) {
        match self.runs.back_mut() {
            Some(last) if last.first == run.first => *last = run,
            _ => push(&mut self.runs, run, RUNS),
        }
    }

    /// The results, oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter()
    }

    /// The transitions, oldest first.
    pub fn transitions(&self) -> impl DoubleEndedIterator<Item = &PastTransition> {
        self.transitions.iter()
    }

    /// The run that the last result belongs to.
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
        // Most checks have one run for weeks; room for four of each would be 10 MB of nothing with 20 000 checks.
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
        assert_eq!(history.see(Pass, "ok", latency(3), at(1)), News::New);
        assert_eq!(history.see(Pass, "ok", latency(9), at(2)), News::Again);
        assert_eq!(history.see(Pass, "ok", latency(4), at(3)), News::Again);
        assert_eq!(history.see(Fail, "ok", latency(1), at(4)), News::New);
        let run = history.runs().next().unwrap();
        assert_eq!((run.first, run.last, run.results), (at(1), at(3), 3));
        assert_eq!((run.latency, run.slowest), (latency(4), Duration::from_millis(9)));
        assert_eq!(history.last_run().unwrap().observation, Fail);
    }

    #[test]
    fn it_stays_small() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.see(Fail, &second.to_string(), latency(1), at(second));
            history.turn(PastTransition { at: at(second), to: Status::Healthy, why: "because".into() });
        }
        assert_eq!((history.runs().count(), history.transitions().count()), (RUNS, TRANSITIONS));
        assert_eq!(history.last_transition().unwrap().at, at(9_999));
        assert_eq!(history.runs().next().unwrap().first, at(10_000 - RUNS as u64));
    }
}
