//! MetricsSnapshot for machines: what the loop has counted, a thousand checks a time.
//!
//! The loop counts what passes through it, in plain integers; whoever wants the figures asks for them by an event. Counts
//! begin with the process; a check that is removed takes its own along.

use std::sync::Arc;
use std::time::Duration;

use crate::health::{CheckSlot, CheckView, Reason, Status, Timestamp};

use super::{Control, Observed, Refused, Summary};

/// Checks of one picture: some hundred microseconds of the loop. Whoever wants all asks again.
const AT_ONCE: usize = 1000;

/// Upper bounds for how long probes take, in seconds; the longest deadline that a check may have is a minute, the longest
/// that one has by itself 10 s.
pub const LATENCY_BOUNDS: [f64; 14] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// The figures.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    /// Of some checks, in no order.
    pub checks: Vec<CheckMetrics>,
    /// Where to go on, when there are more.
    pub next: Option<CheckSlot>,
    /// Checks of which there was no result yet.
    pub pending: usize,
    /// Overrides that are in force.
    pub overrides: usize,
    /// How long probes and evaluations took: those that passed, that failed, and that said nothing.
    pub latencies: [LatencyMetrics; 3],
    /// What came of reloads.
    pub reloads: ReloadMetrics,
    /// What is served.
    pub served: ServedCounts,
}

/// Of one check.
#[derive(Clone, Debug)]
pub struct CheckMetrics {
    /// What people call it.
    pub name: Arc<str>,
    /// The verdict, overrides included.
    pub verdict: Status,
    /// What an override says, when there is one.
    pub forced: Option<Status>,
    /// Since when the verdict is what it is, when it ever changed.
    pub last_transition: Option<Timestamp>,
    /// How often it was asked, and how long the last time took.
    pub tally: CheckCounters,
}

/// What was counted of one check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckCounters {
    /// Results, in the order of `Reason::ALL`.
    pub results: [u64; Reason::ALL.len()],
    /// How often it became healthy, and unhealthy.
    pub transitions: [u64; 2],
    /// How long the last probe took.
    pub last_duration: Option<Duration>,
}

/// Durations by their length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyMetrics {
    /// How many within each of `LATENCY_BOUNDS`, and beyond.
    pub counts: [u64; LATENCY_BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

/// What came of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// All files were good.
    Success,
    /// Some were not, and are served as they were.
    Partial,
    /// Nothing was taken over.
    Failure,
}

/// What came of reloads; the start counts as the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadMetrics {
    /// How many, in the order of `ReloadResult::ALL`.
    pub counts: [u64; 3],
    /// What came of the last one.
    pub last: Option<ReloadResult>,
    /// When one was last without any fault.
    pub last_success: Option<Timestamp>,
    /// Errors in the files at the last one that was not refused.
    pub errors: usize,
    /// Files that were being written, or looked half written, at that one.
    pub deferred: usize,
    /// How many were given up because a file system did not respond.
    pub unresponsive: u64,
}

/// What is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServedCounts {
    /// Zones.
    pub zones: usize,
    /// Zones that answer SERVFAIL, since nothing usable is kept of their broken files.
    pub unavailable: usize,
    /// Record sets.
    pub records: usize,
    /// Health checks.
    pub checks: usize,
}

impl ReloadResult {
    /// All, in the order of their numbers.
    pub const ALL: [ReloadResult; 3] = [ReloadResult::Success, ReloadResult::Partial, ReloadResult::Failure];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            ReloadResult::Success => "success",
            ReloadResult::Partial => "partial",
            ReloadResult::Failure => "failure",
        }
    }
}

/// What the loop counts.
#[derive(Debug, Default)]
pub(super) struct MetricsCounters {
    /// By slot.
    checks: Vec<CheckCounters>,
    latencies: [LatencyMetrics; 3],
    reloads: ReloadMetrics,
    served: ServedCounts,
}

impl MetricsCounters {
    /// After the first load.
    pub(super) fn new(summary: &Summary, at: Timestamp) -> MetricsCounters {
        let mut tallies = MetricsCounters::default();
        tallies.load(summary, at);
        tallies
    }

    /// A result came in.
    pub(super) fn see(&mut self, observed: &Observed) {
        let took = observed.latency.total;
        let tally = self.place(observed.slot);
        tally.results[observed.reason as usize] += 1;
        tally.last_duration = Some(took);
        let latencies = match observed.reason {
            Reason::Good => &mut self.latencies[0],
            Reason::NoData => &mut self.latencies[2],
            _ => &mut self.latencies[1],
        };
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < took.as_secs_f64());
        latencies.counts[bucket] += 1;
        latencies.sum += took;
    }

    /// A verdict changed.
    pub(super) fn turn(&mut self, slot: CheckSlot, to: Status) {
        self.place(slot).transitions[usize::from(to == Status::Unhealthy)] += 1;
    }

    /// The slot is free, or another check's.
    pub(super) fn forget(&mut self, slot: CheckSlot) {
        *self.place(slot) = CheckCounters::default();
    }

    /// Something was loaded.
    pub(super) fn load(&mut self, summary: &Summary, at: Timestamp) {
        let result = if summary.errors == 0 { ReloadResult::Success } else { ReloadResult::Partial };
        self.count(result);
        if result == ReloadResult::Success {
            self.reloads.last_success = Some(at);
        }
        self.reloads.errors = summary.errors;
        self.reloads.deferred = summary.deferred.len();
        let Summary { zones, records, checks, .. } = *summary;
        let unavailable = summary.unavailable.iter().filter(|one| one.zone.is_some()).count();
        self.served = ServedCounts { zones, unavailable, records, checks };
    }

    /// Nothing could be loaded.
    pub(super) fn refuse(&mut self, refused: &Refused) {
        self.count(ReloadResult::Failure);
        self.reloads.unresponsive += u64::from(matches!(refused, Refused::Unresponsive(_)));
    }

    fn count(&mut self, result: ReloadResult) {
        self.reloads.counts[result as usize] += 1;
        self.reloads.last = Some(result);
    }

    fn of(&self, slot: CheckSlot) -> CheckCounters {
        self.checks.get(slot.0 as usize).copied().unwrap_or_default()
    }

    fn place(&mut self, slot: CheckSlot) -> &mut CheckCounters {
        let place = slot.0 as usize;
        if place >= self.checks.len() {
            self.checks.resize_with(place + 1, CheckCounters::default);
        }
        &mut self.checks[place]
    }
}

impl Control {
    /// The figures of some checks, and where to go on.
    pub(super) fn figures(&self, from: CheckSlot) -> MetricsSnapshot {
        let mut pictures = self.tracker.pictures(from);
        let checks = pictures.by_ref().take(AT_ONCE).map(|picture| self.figures_of(&picture)).collect();
        MetricsSnapshot {
            checks,
            next: pictures.next().map(|picture| picture.slot),
            pending: self.tracker.pending(),
            overrides: self.steering.overrides(),
            latencies: self.tallies.latencies,
            reloads: self.tallies.reloads,
            served: self.tallies.served,
        }
    }

    fn figures_of(&self, picture: &CheckView) -> CheckMetrics {
        CheckMetrics {
            name: Arc::clone(&picture.name),
            verdict: picture.verdict,
            forced: self.tracker.forced(picture.slot),
            last_transition: self.check_histories.of(picture.slot).last_transition().map(|past| past.at),
            tally: self.tallies.of(picture.slot),
        }
    }
}
