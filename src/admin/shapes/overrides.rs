//! Overrides: `/v1/overrides`.

use serde::{Deserialize, Serialize};

/// What an override does to a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionShape {
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
pub struct OverrideRequestShape {
    /// The name of a health check, or a glob.
    pub pattern: String,
    /// What the override does.
    pub action: ActionShape,
    /// Duration of a drain in seconds; only for `drain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_s: Option<u64>,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who.
    #[serde(default)]
    pub author: String,
    /// Start; now if absent.
    #[serde(default)]
    pub from: Option<String>,
    /// End; if absent, the override lasts until it is cleared.
    #[serde(default)]
    pub until: Option<String>,
}

/// An override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideShape {
    /// A number that is never used again.
    pub id: u64,
    /// The name of a health check, or a glob.
    pub pattern: String,
    /// What the override does.
    pub action: ActionShape,
    /// Why.
    pub reason: String,
    /// Who.
    pub author: String,
    /// Start.
    pub from: String,
    /// End, if the override has one.
    pub until: Option<String>,
    /// Progress of a drain; absent for other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainShape>,
    /// True if the override is in effect; false if it starts later.
    pub active: bool,
    /// Names of the health checks that match `pattern`.
    pub checks: Vec<String>,
}

/// Progress of a drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainShape {
    /// Duration of the whole drain in seconds.
    pub over_s: u64,
    /// Share of the weight that weighted records still have, in percent, rounded.
    pub left_percent: u8,
    /// When the share reaches zero.
    pub drained_at: String,
}

/// All overrides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverridesShape {
    /// In the order in which they were set.
    pub overrides: Vec<OverrideShape>,
}

/// The response to setting or clearing overrides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideOutcomeShape {
    /// The override that was set, or those that were cleared.
    pub overrides: Vec<OverrideShape>,
    /// True if it replaced an override with the same pattern.
    pub replaced: bool,
    /// Why a restart will lose the change; absent if it is durable.
    pub warning: Option<String>,
}

/// The override of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverriddenShape {
    /// What the override does.
    pub action: ActionShape,
    /// The name or glob of the override.
    pub pattern: String,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Start.
    pub from: String,
    /// End, if the override has one.
    pub until: Option<String>,
    /// Progress of a drain; absent for other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainShape>,
}
