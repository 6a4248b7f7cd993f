//! Health checks: `/v1/health` and `/v1/transitions`.

use serde::{Deserialize, Serialize};

use super::overrides::{OverriddenShape, OverrideShape};

/// The status of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StatusShape {
    /// Its records may answer.
    Healthy,
    /// Its records answer only when all others are unhealthy too.
    Unhealthy,
}

/// The response of `GET /v1/health`: health checks that match the query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HealthShape {
    /// The server's clock.
    pub(crate) now: String,
    /// When the server was started.
    pub(crate) started: String,
    /// Counts of all checks that match `name`.
    #[serde(default)]
    pub(crate) counts: CheckCountsShape,
    /// Number of checks that match the whole query; `checks` is one page of them.
    #[serde(default)]
    pub(crate) matching: usize,
    /// Sorted by name.
    pub(crate) checks: Vec<CheckShape>,
    /// In the order in which they were set.
    pub(crate) overrides: Vec<OverrideShape>,
    /// The connectivity of the server; absent without sentinels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connectivity: Option<ConnectivityShape>,
    /// Recovered records that wait or start slowly, at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recovering: Vec<RecoveringShape>,
}

/// The connectivity of the server itself, as its sentinels show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConnectivityShape {
    /// Since when all sentinels are unhealthy, so that results of other checks are ignored; absent
    /// when connected.
    pub(crate) isolated_since: Option<String>,
    /// The checks that are sentinels.
    pub(crate) sentinels: Vec<String>,
}

/// A recovered record that waits for its failback or starts slowly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecoveringShape {
    /// Such as `app.lab.test. A blue`.
    pub(crate) record: String,
    /// When it recovered.
    pub(crate) since: String,
    /// `failback_delay`, or `slow_start`.
    pub(crate) stage: StageShape,
    /// Share of its weight in percent; only in a slow start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) share_percent: Option<u8>,
    /// When this stage ends.
    pub(crate) until: String,
}

/// The stage of a recovered record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StageShape {
    /// Healthy, but not used while other records of its group can answer.
    FailbackDelay,
    /// Used with a part of its weight.
    SlowStart,
}

/// A health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckShape {
    /// Its name.
    pub(crate) name: String,
    /// Its id, as in Route 53's API.
    pub(crate) id: String,
    /// Its type: `http`, `https`, `tcp`, `calculated`, `metric` or `manual`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What it probes or evaluates, for example `http://192.0.2.11:8080/health`.
    pub(crate) endpoint: String,
    /// The status in effect.
    pub(crate) status: StatusShape,
    /// Since when.
    pub(crate) since: String,
    /// The status that the check would have without overrides.
    pub(crate) without_overrides: StatusShape,
    /// True before the first result; the check counts as healthy until then.
    pub(crate) pending: bool,
    /// True if the check is disabled: not probed, and healthy.
    pub(crate) disabled: bool,
    /// True if the check inverts its status.
    pub(crate) inverted: bool,
    /// The override in effect.
    pub(crate) overridden: Option<OverriddenShape>,
    /// The last result.
    pub(crate) last_result: Option<ResultShape>,
    /// The next probe, and when the status can change.
    pub(crate) next: Option<NextShape>,
    /// In a cluster, what its nodes agree on; absent without an opinion that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) agreement: Option<AgreementShape>,
    /// In a cluster, what each node says, this one first; only with `history=1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) opinions: Vec<OpinionShape>,
    /// The records that use the check.
    pub(crate) records: Vec<String>,
    /// Changes of the status, latest first; only with `history=1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) transitions: Vec<TransitionShape>,
    /// Results, latest first, equal ones in a row as one entry; only with `history=1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) results: Vec<ResultsShape>,
    /// The last probes since the server was started, oldest first; only with `history=1` and
    /// `name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recent: Vec<SampleShape>,
}

impl CheckShape {
    /// The last result in words; for a check without results of its own, what its status depends
    /// on.
    pub(crate) fn last_words(&self) -> Option<&str> {
        match (&self.last_result, self.kind.as_str()) {
            (Some(last), _) => Some(&last.status),
            (None, "calculated") => Some(&self.endpoint),
            (None, "manual") => Some("as its file says"),
            (None, _) => None,
        }
    }
}

/// What the nodes of a cluster agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgreementShape {
    /// The status, before inversion and overrides.
    pub(crate) status: StatusShape,
    /// Number of nodes that consider the endpoint healthy.
    pub(crate) healthy: u32,
    /// Number of nodes whose opinions count.
    pub(crate) reporting: u32,
    /// Number of nodes that must consider it healthy.
    pub(crate) needed: u32,
    /// The same in words.
    pub(crate) text: String,
}

/// What one node of a cluster says about a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpinionShape {
    /// The name of the node.
    pub(crate) node: String,
    /// The AWS region that it is in or near.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// True for the node that responds.
    pub(crate) this_node: bool,
    /// Whether it considers the endpoint healthy.
    pub(crate) status: StatusShape,
    /// Its last result, in Route 53's words.
    pub(crate) reason: String,
    /// The time of that result, by the clock of this node.
    pub(crate) checked: String,
    /// Seconds since then.
    pub(crate) age_s: u32,
    /// False if the opinion does not count: the node is isolated, or silent for too long.
    pub(crate) counts: bool,
}

/// One of the last probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SampleShape {
    /// When.
    pub(crate) at: String,
    /// Duration of the probe in milliseconds, without the lookup of a name.
    pub(crate) total_ms: f64,
    /// True if the endpoint passed.
    pub(crate) passed: bool,
}

/// The response of `GET /v1/transitions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TransitionsShape {
    /// Latest first.
    pub(crate) transitions: Vec<CheckTransitionShape>,
}

/// A change of a check's status, with the name of the check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckTransitionShape {
    /// The name of the check.
    pub(crate) check: String,
    /// The change.
    #[serde(flatten)]
    pub(crate) transition: TransitionShape,
}

/// A result of a probe or evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResultShape {
    /// When.
    pub(crate) at: String,
    /// True if the endpoint passed.
    pub(crate) passed: bool,
    /// True if a metric check had no data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) missing: bool,
    /// The status text, in Route 53's words.
    pub(crate) status: String,
    /// Time until the TCP connection was established, in milliseconds (Route 53's ConnectionTime).
    pub(crate) connect_ms: Option<f64>,
    /// Time from then until the TLS handshake was complete, in milliseconds (SSLHandshakeTime).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_handshake_ms: Option<f64>,
    /// Time from then until the response began, in milliseconds (TimeToFirstByte).
    pub(crate) first_byte_ms: Option<f64>,
    /// Duration of the probe in milliseconds, without the lookup of a name.
    pub(crate) total_ms: f64,
    /// True if the result is from before the server was started.
    pub(crate) restored: bool,
}

/// The next probe, and when the status can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextShape {
    /// Start of the next probe; absent if it is due now.
    pub(crate) probe_at: Option<String>,
    /// Number of opposite results in a row that change the status.
    pub(crate) results_needed: u8,
    /// True if those results are passes, false if they are failures.
    pub(crate) passes: bool,
    /// The status after them, unless an override is in effect.
    pub(crate) then: StatusShape,
    /// True in a cluster: they change what this node says, and the status if the others agree.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) opinion_only: bool,
    /// The earliest time of that change.
    pub(crate) earliest: String,
}

/// A change of a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TransitionShape {
    /// When.
    pub(crate) at: String,
    /// The new status.
    pub(crate) to: StatusShape,
    /// Why.
    pub(crate) why: String,
}

/// Equal results in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResultsShape {
    /// Time of the first.
    pub(crate) first: String,
    /// Time of the last.
    pub(crate) last: String,
    /// How many there are.
    pub(crate) count: u32,
    /// True if the endpoint passed.
    pub(crate) passed: bool,
    /// The status text, in Route 53's words.
    pub(crate) status: String,
    /// Duration of the longest probe, in milliseconds.
    pub(crate) slowest_ms: f64,
}

/// Counts of health checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckCountsShape {
    /// All checks.
    pub(crate) all: usize,
    /// Unhealthy checks.
    pub(crate) unhealthy: usize,
    /// Checks with an override.
    pub(crate) overridden: usize,
    /// Checks without a first result, which count as healthy.
    pub(crate) pending: usize,
}
