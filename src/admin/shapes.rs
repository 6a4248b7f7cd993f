//! What the JSON API takes and gives, as its clients see it. Its own shapes: the model may change without them.
//!
//! Moments are RFC 3339 in UTC; those of what was seen have milliseconds.

use serde::{Deserialize, Serialize};

/// What people want a check to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionShape {
    /// Its records answer.
    Up,
    /// Its records answer only when all others are unhealthy too.
    Down,
    /// The same, but the share of weighted records shrinks to nothing over a time.
    Drain,
}

/// An override to be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WishShape {
    /// The name of a check, or a glob.
    pub pattern: String,
    /// What it has to be.
    pub action: ActionShape,
    /// Seconds over which a drain takes all of the weight; not for other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_s: Option<u64>,
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
    /// How far a drain is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainShape>,
    /// Whether it counts now; else it is yet to begin.
    pub active: bool,
    /// The checks it is about.
    pub checks: Vec<String>,
}

/// How far a drain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainShape {
    /// Seconds that it takes in all.
    pub over_s: u64,
    /// What weighted records have left of their weight; 0 before the end only when it is nearly nothing.
    pub left_percent: u8,
    /// When there is nothing left.
    pub drained_at: String,
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

/// What is believed of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusShape {
    /// Its records may answer.
    Healthy,
    /// Its records answer only when all others are unhealthy too.
    Unhealthy,
}

/// The health of all checks, or of those that were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthShape {
    /// The server's clock.
    pub now: String,
    /// Since when it runs.
    pub started: String,
    /// By name.
    pub checks: Vec<CheckShape>,
    /// In the order in which they were set.
    pub overrides: Vec<OverrideShape>,
    /// What the sentinels say, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<UplinkShape>,
    /// Records on their way back into use, a thousand at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returning: Vec<ReturningShape>,
}

/// What the sentinels say about the server's own uplink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkShape {
    /// Since when all of them are unhealthy, so that verdicts stand; absent when they are not.
    pub gone_since: Option<String>,
    /// The checks that are sentinels.
    pub sentinels: Vec<String>,
}

/// A record on its way back into use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturningShape {
    /// Such as `app.lab.test. A blue`.
    pub record: String,
    /// When it recovered.
    pub since: String,
    /// `waiting` for its failback, or `slow_start`.
    pub stage: StageShape,
    /// What it has of its weight, in a slow start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_percent: Option<u8>,
    /// When this stage ends.
    pub until: String,
}

/// Where a record is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageShape {
    /// Healthy, and not in use while others are.
    Waiting,
    /// In use with a part of its weight.
    SlowStart,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckShape {
    /// What people call it.
    pub name: String,
    /// What Route 53's API calls it.
    pub id: String,
    /// `http`, `https`, `tcp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whom it asks.
    pub endpoint: String,
    /// What counts.
    pub status: StatusShape,
    /// Since when.
    pub since: String,
    /// What would count without overrides.
    pub without_overrides: StatusShape,
    /// Whether there was no result yet, so that it counts as healthy.
    pub waiting: bool,
    /// No longer asked, and healthy.
    pub disabled: bool,
    /// Turned around.
    pub inverted: bool,
    /// The override that counts.
    pub held: Option<HeldShape>,
    /// What was seen last.
    pub last_result: Option<ResultShape>,
    /// What comes next.
    pub next: Option<NextShape>,
    /// The records that use it.
    pub records: Vec<String>,
    /// Changes of the verdict, the latest first; only when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<TransitionShape>,
    /// What was seen, the latest first, results that say the same as one; only when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultsShape>,
    /// How long the last probes took, the earliest first; only when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<RecentShape>,
}

/// People's word on a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShape {
    /// What it has to be.
    pub action: ActionShape,
    /// The name or glob that was said.
    pub pattern: String,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub from: String,
    /// Until when, if it ends by itself.
    pub until: Option<String>,
    /// How far a drain is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainShape>,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultShape {
    /// When.
    pub at: String,
    /// Whether the endpoint did as it should.
    pub passed: bool,
    /// Whether there was no result at all: a metric without data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// In Route 53's words.
    pub status: String,
    /// Until the TCP connection stood, in milliseconds: Route 53's ConnectionTime.
    pub connect_ms: Option<f64>,
    /// From then until TLS was agreed on: its SSLHandshakeTime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_handshake_ms: Option<f64>,
    /// From then until the response began: its TimeToFirstByte.
    pub first_byte_ms: Option<f64>,
    /// The whole probe, without looking up a name.
    pub total_ms: f64,
    /// Whether it was seen before the server was started: it is remembered.
    pub remembered: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextShape {
    /// When the next probe begins; absent when that is any moment.
    pub probe_at: Option<String>,
    /// How many results of the other kind, in a row, turn the endpoint's state.
    pub results_needed: u8,
    /// Whether those are passes; else they are failures.
    pub passes: bool,
    /// What the check is then, unless an override holds it.
    pub then: StatusShape,
    /// When that can be at the earliest.
    pub earliest: String,
}

/// A change of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionShape {
    /// When.
    pub at: String,
    /// To what.
    pub to: StatusShape,
    /// Why.
    pub why: String,
}

/// Results in a row that said the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultsShape {
    /// When it was seen first.
    pub first: String,
    /// When it was seen last.
    pub last: String,
    /// How many times.
    pub count: u32,
    /// Whether the endpoint did as it should.
    pub passed: bool,
    /// In Route 53's words.
    pub status: String,
    /// The longest probe of them.
    pub slowest_ms: f64,
}

/// How long a probe took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecentShape {
    /// All of it, without looking up a name.
    pub total_ms: f64,
    /// Whether the endpoint did as it should.
    pub passed: bool,
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
