//! What is up: the state of every health check, and the dense bits that answers read.
//!
//! Pure: results and times come in as arguments, transitions go out. Nothing here probes, sleeps or reads a clock.
//!
//! ```text
//!  result of a probe ──▶ CheckState ──▶ aggregate ──▶ disabled? ──▶ inverted? ──▶ one bit
//!                        counts      of checkers   healthy       turned        in CheckBits
//!                                                                               │
//!  a calculated check:   the bits of its children ◀── counted, in the same step ┘
//! ```
//!
//! [`Tracker`] holds the checks and does all of this; [`CheckState`] is the state of one check as one checker sees it,
//! [`MetricCheckState`] that of one that may be without data; [`aggregate`] is Route 53's 18 % rule; [`CheckBits`] is what a
//! query reads. [`History`] is what people look at afterwards, and [`Overrides`] are their word over what is seen.
//! [`Recovery`] is the way of a record back into use, with a [`Share`] of its weight at first; [`Sentinels`] tell when what is
//! seen says nothing.

mod asked;
mod bits;
mod calculated;
mod check_state;
mod history;
mod metric;
mod overrides;
mod reason;
mod recent;
mod recovery;
mod sentinels;
mod share;
mod tracker;
mod verdict;

use std::time::Duration;

pub use bits::CheckBits;
pub use check_state::{Cause, CheckState, Children, SavedCheckState, StateChange, Thresholds};
pub use history::{History, Latency, News, PastTransition, Run};
pub use metric::MetricCheckState;
pub use overrides::{Action, Drain, Draining, NotGranted, Override, OverrideId, OverrideRequest, Overrides, Pattern};
pub use reason::Reason;
pub use recent::{Recent, Sample};
pub use recovery::{Recovery, RecoveryEvent, RecoveryRules, RecoveryStage};
pub use sentinels::{Connectivity, Sentinels};
pub use share::Share;
pub use tracker::{
    Applied, CheckTarget, CheckView, Identity, MetricPlan, ProbePlan, Question, RestoredCheck, Tracker, Transition,
};
pub use verdict::{Checkers, aggregate, verdict};

/// Where a check's bit is: a dense index, the same for as long as the check exists, across reloads too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckSlot(pub u32);

/// Which life of a slot is meant. Every start of a check gets one of its own, so that a check never hears
/// results of the one that had its slot before, nor of its own former endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// A point in time, as the time since an epoch that the caller chooses once and keeps. The server counts from the
/// beginning of 1970 and follows the system's clock, so that moments outlive it; a clock may be set back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub Duration);

impl Timestamp {
    /// How long after `earlier` this is; nothing when it is not.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What one probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// The endpoint answered as it should.
    Pass,
    /// It did not.
    Fail,
    /// No name server gave a usable response. A failure, but one that does not decide the first state:
    /// the machine may look names up through this server, which waits for first results.
    ResolverFailure,
    /// Nobody knows: a metric without data. Endpoints have no such result.
    Missing,
}

/// What is believed of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Its records may answer.
    Healthy,
    /// Its records answer only when all others are unhealthy too.
    Unhealthy,
}

impl Status {
    /// The other one.
    #[must_use]
    pub fn turned(self) -> Status {
        match self {
            Status::Healthy => Status::Unhealthy,
            Status::Unhealthy => Status::Healthy,
        }
    }
}

impl Observation {
    /// The observation as history shows it, which does not tell failures apart.
    #[must_use]
    pub fn shown(self) -> Observation {
        match self {
            Observation::ResolverFailure => Observation::Fail,
            other => other,
        }
    }

    /// What it speaks for.
    #[must_use]
    pub fn status(self) -> Option<Status> {
        match self {
            Observation::Pass => Some(Status::Healthy),
            Observation::Fail | Observation::ResolverFailure => Some(Status::Unhealthy),
            Observation::Missing => None,
        }
    }
}
