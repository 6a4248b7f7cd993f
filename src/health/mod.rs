//! Health: the status of every health check, and the dense bits that answers read.
//!
//! This module is pure: results and times are arguments, transitions are return values. Nothing
//! here probes, sleeps or reads a clock.
//!
//! ```text
//!  result of a probe ──▶ CheckState ──▶ agreement ──▶ disabled? ──▶ inverted? ──▶ one bit
//!                        counts      of nodes      healthy       opposite      in CheckBits
//!                                                                               │
//!  a calculated check:   the bits of its children ◀── counted, in the same step ┘
//! ```
//!
//! [`Tracker`] holds the checks and runs all of these steps. [`CheckState`] is the state of one
//! check as one checker sees it; [`MetricCheckState`] is the state of a metric check, which can be
//! without data. [`agreement`] is Route 53's 18 % rule. [`CheckBits`] is what a query reads.
//! [`History`] holds past results. [`Overrides`] replace the observed final status by that of an
//! operator. [`Recovery`] is the return of a record to use, with a [`WeightShare`] of its weight at
//! first. [`Sentinels`] detect that this server is isolated and its results mean nothing.

pub mod agreement;
mod bits;
mod check_fingerprint;
mod check_state;
mod children;
mod final_status;
mod history;
mod metric;
mod overrides;
mod reason;
mod recent;
mod recovery;
mod sentinels;
mod shared_vec;
mod slots;
mod tracker;
mod weight_share;

use std::time::Duration;

pub use bits::CheckBits;
pub use check_fingerprint::{CheckFingerprint, Identity};
pub use check_state::{Cause, CheckState, Children, SavedCheckState, StateChange, Thresholds};
pub use final_status::final_status;
pub use history::{History, Latency, PastTransition, Run, RunUpdate};
pub use metric::MetricCheckState;
pub use overrides::{
    Action, Drain, Draining, InvalidOverride, Origin, Override, OverrideId, OverrideRequest, Overrides, Pattern,
};
pub use reason::Reason;
pub use recent::{Recent, Sample};
pub use recovery::{Recovery, RecoveryEvent, RecoveryRules, RecoveryStage};
pub use sentinels::{Connectivity, Sentinels};
pub use shared_vec::SharedVec;
pub use slots::Slots;
pub use tracker::{
    Applied, CheckTarget, CheckView, CountedResult, RestoredCheck, ResultOutcome, ScheduledMetric, ScheduledProbe,
    Terms, Tracker, Transition,
};
pub use weight_share::WeightShare;

/// The index of a check's bit. It is dense and stays the same for as long as the check exists, also
/// across reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckSlot(pub u32);

/// The generation of a slot. Each start of a check gets a new one, so a check never receives
/// results of the check that had its slot before, or of its own former endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// A point in time, as the time since an epoch that the caller chooses once and keeps. The server
/// uses the Unix epoch and the system's clock, so that timestamps stay valid across restarts. The
/// clock may be set back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub Duration);

impl Timestamp {
    /// The time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// In milliseconds, as it is saved.
    #[must_use]
    pub fn to_milliseconds(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// The opposite of `to_milliseconds`.
    #[must_use]
    pub fn from_milliseconds(milliseconds: u64) -> Timestamp {
        Timestamp(Duration::from_millis(milliseconds))
    }
}

/// The result of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// The endpoint met all requirements of the check.
    Pass,
    /// The endpoint failed the check.
    Fail,
    /// No name server gave a usable response. This is a failure, but it does not decide the first
    /// status: the host may resolve names through this server, which waits for first results.
    ResolverFailure,
    /// A metric without data. Endpoints have no such result.
    Missing,
}

/// The status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Its records may be answered.
    Healthy,
    /// Its records are answered only if all others are unhealthy too.
    Unhealthy,
}

impl Status {
    /// `healthy` or `unhealthy`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::Unhealthy => "unhealthy",
        }
    }

    /// The opposite status.
    #[must_use]
    pub fn opposite(self) -> Status {
        match self {
            Status::Healthy => Status::Unhealthy,
            Status::Unhealthy => Status::Healthy,
        }
    }
}

impl Observation {
    /// The observation as history shows it, without the distinction between kinds of failure.
    #[must_use]
    pub fn shown(self) -> Observation {
        match self {
            Observation::ResolverFailure => Observation::Fail,
            other => other,
        }
    }

    /// The status that this observation supports.
    #[must_use]
    pub fn status(self) -> Option<Status> {
        match self {
            Observation::Pass => Some(Status::Healthy),
            Observation::Fail | Observation::ResolverFailure => Some(Status::Unhealthy),
            Observation::Missing => None,
        }
    }
}
