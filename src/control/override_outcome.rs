//! What a change to the overrides answers, and what a list of them shows.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::health::{InvalidOverride, Override, Overrides, Pattern, Timestamp, Tracker, WeightShare};
use crate::store::NotDurable;

/// An override and the checks that it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OverrideView {
    /// The override.
    pub(crate) details: Override,
    /// Whether it is in force; if not, it has not begun yet.
    pub(crate) is_active: bool,
    /// The remaining share of weight, if it drains.
    pub(crate) left: Option<WeightShare>,
    /// The names of the checks that it matches.
    pub(crate) checks: Vec<Arc<str>>,
}

/// The outcome of a change to the overrides.
#[derive(Clone, Debug)]
pub(crate) struct OverrideOutcome {
    /// The override that was set, or those that were cleared.
    pub(crate) changed: Vec<OverrideView>,
    /// The override that it replaced.
    pub(crate) replaced: Option<Override>,
    /// Whether the change survives a restart. It is in force in either case.
    pub(crate) durable: Result<(), NotDurable>,
}

/// Why a change was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum OverrideError {
    /// No check matches the pattern.
    #[error("no health check is called `{pattern}`")]
    UnknownCheck {
        /// The pattern.
        pattern: String,
        /// The names of all checks.
        names: Vec<Arc<str>>,
    },
    /// No override has this pattern.
    #[error("there is no override of `{pattern}`")]
    UnknownOverride {
        /// The pattern.
        pattern: String,
        /// The patterns of all overrides.
        patterns: Vec<String>,
    },
    /// The request is not valid.
    #[error(transparent)]
    InvalidOverride(#[from] InvalidOverride),
    /// A string is too long or contains control characters.
    #[error("the {what} must have at most {most} characters and no control characters")]
    BadText {
        /// Which string.
        what: &'static str,
        /// Its length limit, in characters.
        most: usize,
    },
    /// The nodes of a cluster share the overrides, and etcd does not take the change.
    #[error("{0}")]
    Unavailable(String),
}

impl OverrideError {
    /// No override has this pattern.
    pub(super) fn unknown_override(pattern: &Pattern, overrides: &Overrides) -> OverrideError {
        let patterns = overrides.all().iter().map(|known| known.request.pattern.0.clone()).collect();
        OverrideError::UnknownOverride { pattern: pattern.0.clone(), patterns }
    }
}

/// Receives the outcome when it is durable.
pub(crate) type Answer = oneshot::Sender<Result<OverrideOutcome, OverrideError>>;

impl OverrideView {
    pub(super) fn of(details: &Override, tracker: &Tracker, at: Timestamp) -> OverrideView {
        let pattern = &details.request.pattern;
        let names = tracker.names().map(|(_, name)| name);
        let mut checks: Vec<_> = names.filter(|name| pattern.matches(name)).cloned().collect();
        checks.sort_unstable();
        let left = details.draining().and_then(|drain| drain.left(at));
        OverrideView { details: details.clone(), is_active: details.is_active(at), left, checks }
    }
}
