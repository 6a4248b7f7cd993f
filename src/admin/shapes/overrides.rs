//! Overrides: `/v1/overrides`.

use serde::{Deserialize, Serialize};

/// What an override does to a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ActionShape {
    /// Its records answer.
    Up,
    /// Its records answer only when all others are unhealthy too.
    Down,
    /// As `down`, but the share of weighted records shrinks to zero over a time.
    Drain,
}

/// The body of `POST /v1/overrides`: an override to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverrideRequestShape {
    /// The name of a health check, or a glob.
    pub(crate) pattern: String,
    /// What the override does.
    pub(crate) action: ActionShape,
    /// Duration of a drain in seconds; only for `drain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) over_s: Option<u64>,
    /// Why.
    #[serde(default)]
    pub(crate) reason: String,
    /// Who.
    #[serde(default)]
    pub(crate) author: String,
    /// Start; now if absent.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// End; if absent, the override lasts until it is cleared.
    #[serde(default)]
    pub(crate) until: Option<String>,
}

/// An override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverrideShape {
    /// A number that is never used again.
    pub(crate) id: u64,
    /// The name of a health check, or a glob.
    pub(crate) pattern: String,
    /// What the override does.
    pub(crate) action: ActionShape,
    /// Why.
    pub(crate) reason: String,
    /// Who.
    pub(crate) author: String,
    /// The node of the cluster on which it was set; absent without a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// Start.
    pub(crate) from: String,
    /// End, if the override has one.
    pub(crate) until: Option<String>,
    /// Progress of a drain; absent for other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drain: Option<DrainShape>,
    /// True if the override is in effect; false if it starts later.
    pub(crate) active: bool,
    /// Names of the health checks that match `pattern`.
    pub(crate) checks: Vec<String>,
}

/// Progress of a drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DrainShape {
    /// Duration of the whole drain in seconds.
    pub(crate) over_s: u64,
    /// Share of the weight that weighted records still have, in percent, rounded.
    pub(crate) left_percent: u8,
    /// When the share reaches zero.
    pub(crate) drained_at: String,
}

/// All overrides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverridesShape {
    /// In the order in which they were set.
    pub(crate) overrides: Vec<OverrideShape>,
}

/// The response to setting or clearing overrides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverrideOutcomeShape {
    /// The override that was set, or those that were cleared.
    pub(crate) overrides: Vec<OverrideShape>,
    /// True if it replaced an override with the same pattern.
    pub(crate) replaced: bool,
    /// Why a restart will lose the change; absent if it is durable.
    pub(crate) warning: Option<String>,
}

/// The override of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverriddenShape {
    /// What the override does.
    pub(crate) action: ActionShape,
    /// The name or glob of the override.
    pub(crate) pattern: String,
    /// Who.
    pub(crate) author: String,
    /// Why.
    pub(crate) reason: String,
    /// The node of the cluster on which it was set; absent without a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// Start.
    pub(crate) from: String,
    /// End, if the override has one.
    pub(crate) until: Option<String>,
    /// Progress of a drain; absent for other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drain: Option<DrainShape>,
}
