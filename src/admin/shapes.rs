//! What the JSON API takes and gives, as its clients see it. Its own shapes: the model may change without them.
//!
//! Moments are RFC 3339 in UTC.

use serde::{Deserialize, Serialize};

/// What people want a check to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionShape {
    /// Its records answer.
    Up,
    /// Its records answer only when all others are unhealthy too.
    Down,
}

/// An override to be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WishShape {
    /// The name of a check, or a glob.
    pub pattern: String,
    /// What it has to be.
    pub action: ActionShape,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who.
    #[serde(default)]
    pub author: String,
    /// From when on; now when absent.
    #[serde(default)]
    pub from: Option<String>,
    /// Until when; until it is cleared when absent.
    #[serde(default)]
    pub until: Option<String>,
}

/// An override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideShape {
    /// Never given twice.
    pub id: u64,
    /// The name of a check, or a glob.
    pub pattern: String,
    /// What it has to be.
    pub action: ActionShape,
    /// Why.
    pub reason: String,
    /// Who.
    pub author: String,
    /// From when on.
    pub from: String,
    /// Until when, if it ends by itself.
    pub until: Option<String>,
    /// Whether it counts now; else it is yet to begin.
    pub active: bool,
    /// The checks it is about.
    pub checks: Vec<String>,
}

/// All overrides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverridesShape {
    /// In the order in which they were set.
    pub overrides: Vec<OverrideShape>,
}

/// What came of setting or clearing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteeredShape {
    /// The one that was set, or those that were cleared.
    pub overrides: Vec<OverrideShape>,
    /// Whether there was one with the same pattern, which it replaced.
    pub replaced: bool,
    /// Why a restart will not know of it; absent when it will.
    pub warning: Option<String>,
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorShape {
    /// In words.
    pub error: String,
    /// The names that there are, when the one asked for is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
}
