//! The JSON bodies of the HTTP API: requests and responses. They are separate from the model, so
//! that the model can change without a change of the API. docs/status-page.md describes them for
//! users.
//!
//! Times are strings in RFC 3339, UTC; times of observations have milliseconds.

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

/// The status of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusShape {
    /// Its records may answer.
    Healthy,
    /// Its records answer only when all others are unhealthy too.
    Unhealthy,
}

/// The response of `GET /v1/health`: health checks that match the query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthShape {
    /// The server's clock.
    pub now: String,
    /// When the server was started.
    pub started: String,
    /// Counts of all checks that match `name`.
    #[serde(default)]
    pub counts: CheckCountsShape,
    /// Number of checks that match the whole query; `checks` is one page of them.
    #[serde(default)]
    pub matching: usize,
    /// Sorted by name.
    pub checks: Vec<CheckShape>,
    /// In the order in which they were set.
    pub overrides: Vec<OverrideShape>,
    /// The connectivity of the server; absent without sentinels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<ConnectivityShape>,
    /// Recovered records that wait or start slowly, at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returning: Vec<ReturningShape>,
}

/// The connectivity of the server itself, as its sentinels show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectivityShape {
    /// Since when all sentinels are unhealthy, so that results of other checks are ignored; absent
    /// when connected.
    pub isolated_since: Option<String>,
    /// The checks that are sentinels.
    pub sentinels: Vec<String>,
}

/// A recovered record that waits for its failback or starts slowly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturningShape {
    /// Such as `app.lab.test. A blue`.
    pub record: String,
    /// When it recovered.
    pub since: String,
    /// `failback_delay`, or `slow_start`.
    pub stage: StageShape,
    /// Share of its weight in percent; only in a slow start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_percent: Option<u8>,
    /// When this stage ends.
    pub until: String,
}

/// The stage of a recovered record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageShape {
    /// Healthy, but not used while other records of its group can answer.
    FailbackDelay,
    /// Used with a part of its weight.
    SlowStart,
}

/// A health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckShape {
    /// Its name.
    pub name: String,
    /// Its id, as in Route 53's API.
    pub id: String,
    /// Its type: `http`, `https`, `tcp`, `calculated`, `metric` or `manual`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it probes or evaluates, for example `http://192.0.2.11:8080/health`.
    pub endpoint: String,
    /// The status in effect.
    pub status: StatusShape,
    /// Since when.
    pub since: String,
    /// The status that the check would have without overrides.
    pub without_overrides: StatusShape,
    /// True before the first result; the check counts as healthy until then.
    pub pending: bool,
    /// True if the check is disabled: not probed, and healthy.
    pub disabled: bool,
    /// True if the check inverts its status.
    pub inverted: bool,
    /// The override in effect.
    pub overridden: Option<OverriddenShape>,
    /// The last result.
    pub last_result: Option<ResultShape>,
    /// The next probe, and when the status can change.
    pub next: Option<NextShape>,
    /// The records that use the check.
    pub records: Vec<String>,
    /// Changes of the status, latest first; only with `history=1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<TransitionShape>,
    /// Results, latest first, equal ones in a row as one entry; only with `history=1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultsShape>,
    /// The last probes since the server was started, oldest first; only with `history=1` and
    /// `name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<SampleShape>,
}

impl CheckShape {
    /// The last result in words; for a check without results of its own, what its status depends
    /// on.
    pub fn last_words(&self) -> Option<&str> {
        match (&self.last_result, self.kind.as_str()) {
            (Some(last), _) => Some(&last.status),
            (None, "calculated") => Some(&self.endpoint),
            (None, "manual") => Some("as its file says"),
            (None, _) => None,
        }
    }
}

/// One of the last probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleShape {
    /// When.
    pub at: String,
    /// Duration of the probe in milliseconds, without the look-up of a name.
    pub total_ms: f64,
    /// True if the endpoint passed.
    pub passed: bool,
}

/// The response of `GET /v1/transitions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionsShape {
    /// Latest first.
    pub transitions: Vec<CheckTransitionShape>,
}

/// A change of a check's status, with the name of the check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTransitionShape {
    /// The name of the check.
    pub check: String,
    /// The change.
    #[serde(flatten)]
    pub transition: TransitionShape,
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

/// A result of a probe or evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultShape {
    /// When.
    pub at: String,
    /// True if the endpoint passed.
    pub passed: bool,
    /// True if a metric check had no data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// The status text, in Route 53's words.
    pub status: String,
    /// Time until the TCP connection was established, in milliseconds (Route 53's ConnectionTime).
    pub connect_ms: Option<f64>,
    /// Time from then until the TLS handshake was complete, in milliseconds (SSLHandshakeTime).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_handshake_ms: Option<f64>,
    /// Time from then until the response began, in milliseconds (TimeToFirstByte).
    pub first_byte_ms: Option<f64>,
    /// Duration of the probe in milliseconds, without the look-up of a name.
    pub total_ms: f64,
    /// True if the result is from before the server was started.
    pub remembered: bool,
}

/// The next probe, and when the status can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextShape {
    /// Start of the next probe; absent if it is due now.
    pub probe_at: Option<String>,
    /// Number of opposite results in a row that change the status.
    pub results_needed: u8,
    /// True if those results are passes, false if they are failures.
    pub passes: bool,
    /// The status after them, unless an override is in effect.
    pub then: StatusShape,
    /// The earliest time of that change.
    pub earliest: String,
}

/// A change of a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionShape {
    /// When.
    pub at: String,
    /// The new status.
    pub to: StatusShape,
    /// Why.
    pub why: String,
}

/// Equal results in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultsShape {
    /// Time of the first.
    pub first: String,
    /// Time of the last.
    pub last: String,
    /// How many there are.
    pub count: u32,
    /// True if the endpoint passed.
    pub passed: bool,
    /// The status text, in Route 53's words.
    pub status: String,
    /// Duration of the longest probe, in milliseconds.
    pub slowest_ms: f64,
}

/// The body of an error response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorShape {
    /// The message.
    pub error: String,
    /// The names that exist; only if the requested name does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
}

/// The event `hello`, the first of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloShape {
    /// The server's clock.
    pub now: String,
    /// The server's version; a page reloads itself if it is not its own.
    pub version: String,
}

/// The event `beat`, every ten seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatShape {
    /// The server's clock.
    pub now: String,
}

/// The event `lost`: older events are no longer available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostShape {
    /// How many; null if the server has restarted.
    pub lost: Option<u64>,
}

/// The data of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HappenedShape {
    /// A status changed.
    StatusChanged(StatusChangedShape),
    /// An override was set, was cleared or ended.
    Override(OverrideHappenedShape),
    /// A drain is complete.
    Drained(DrainedShape),
    /// The server is isolated or connected again.
    Connectivity(ConnectivityHappenedShape),
    /// The files were reloaded, or not.
    Reload(ReloadHappenedShape),
}

/// The event `transition`: a status changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChangedShape {
    /// When.
    pub at: String,
    /// The name of the check.
    pub check: String,
    /// The new status.
    pub to: StatusShape,
    /// Why.
    pub why: String,
    /// Number of records that use the check.
    pub records: usize,
}

/// The event `override`: one was set, was cleared or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideHappenedShape {
    /// When.
    pub at: String,
    /// What happened to the override.
    pub did: OverrideDidShape,
    /// The override.
    #[serde(rename = "override")]
    pub granted: OverriddenShape,
}

/// What happened to an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideDidShape {
    /// It was set.
    Set,
    /// It was cleared.
    Cleared,
    /// It reached its end.
    Ended,
}

/// The event `drain`: a drain is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainedShape {
    /// When.
    pub at: String,
    /// The name of the check.
    pub check: String,
    /// The same as a sentence.
    pub words: String,
}

/// The event `connectivity`: the server is isolated or connected again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectivityHappenedShape {
    /// When.
    pub at: String,
    /// True if all sentinels are unhealthy.
    pub isolated: bool,
    /// The names of the sentinels.
    pub sentinels: Vec<String>,
    /// The same as a sentence.
    pub words: String,
}

/// The event `reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadHappenedShape {
    /// When.
    pub at: String,
    /// Such as `lab.test. changed`.
    pub changes: Vec<String>,
    /// Number of errors in the files.
    pub errors: usize,
    /// Why nothing changed; null if the files were loaded.
    pub refused: Option<String>,
}

/// The response of `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerShape {
    /// The server's version.
    pub version: String,
    /// The server's clock.
    pub now: String,
    /// When the server was started.
    pub started: String,
    /// True if queries are answered.
    pub ready: bool,
    /// Addresses on which DNS is answered, over UDP and TCP.
    pub listening: Vec<String>,
    /// Which requests may make changes: `programs` on this machine, those with the `token`, or
    /// `none`.
    pub changes: String,
    /// True if this request carries the token.
    pub may_change: bool,
    /// Number of zones.
    pub zones: usize,
    /// Number of record sets.
    pub records: usize,
    /// Counts of the health checks.
    pub checks: CheckCountsShape,
    /// The last load of the files.
    pub last_load: LastLoadShape,
    /// The check with the longest time to failover; absent without probes.
    pub longest_failover: Option<LongestFailoverShape>,
}

/// Counts of health checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCountsShape {
    /// All checks.
    pub all: usize,
    /// Unhealthy checks.
    pub unhealthy: usize,
    /// Checks with an override.
    pub overridden: usize,
    /// Checks without a first result, which count as healthy.
    pub pending: usize,
}

/// The last load of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLoadShape {
    /// When.
    pub at: String,
    /// Number of errors.
    pub errors: usize,
    /// The errors and warnings, without the text of the files.
    pub faults: Vec<FaultShape>,
    /// Broken files whose last good copies are served.
    pub frozen: Vec<String>,
    /// New files that are not served, because they are broken or define something that another file
    /// defines.
    pub left_out: Vec<String>,
    /// Files that are being written or look half written; their last versions are served.
    pub deferred: Vec<DeferredShape>,
    /// Broken files without a usable copy; their zones answer SERVFAIL.
    #[serde(default)]
    pub unavailable: Vec<UnavailableShape>,
    /// Changed settings that need a restart.
    pub needs_restart: Vec<String>,
    /// Why nothing was loaded; null if it was.
    pub refused: Option<String>,
}

/// A file that is not loaded yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredShape {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// An error or a warning in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultShape {
    /// `error` or `warning`.
    pub severity: String,
    /// The file.
    pub path: String,
    /// From 1; absent if it concerns the whole file.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// The message.
    pub message: String,
    /// A hint how to fix it.
    pub hint: Option<String>,
}

/// A broken file without a usable copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnavailableShape {
    /// The file.
    pub file: String,
    /// Its zone, which answers SERVFAIL; `None` if the file has no zone.
    pub zone: Option<String>,
}

/// The longest time to failover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongestFailoverShape {
    /// The check with the longest time.
    pub check: String,
    /// Seconds from the failure of the endpoint to the changed answers, without the TTL.
    pub seconds: f64,
}

/// The response of `GET /v1/zones`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZonesShape {
    /// Number of zones that match; `zones` is one page of them.
    pub matching: usize,
    /// Sorted by name.
    pub zones: Vec<ZoneRowShape>,
}

/// A zone in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRowShape {
    /// Its id, as in Route 53's API.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The comment in its file.
    pub comment: Option<String>,
    /// The VPCs of a private zone; empty for a public zone.
    pub vpcs: Vec<String>,
    /// Number of its record sets.
    pub record_sets: usize,
    /// Number of health checks that its record sets use.
    pub checks: usize,
    /// Number of those that are unhealthy.
    pub unhealthy_checks: usize,
    /// True if it answers SERVFAIL, because its file is broken and has no usable copy.
    #[serde(default)]
    pub unavailable: bool,
}

/// The response of `GET /v1/zones/{id}/records`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordsShape {
    /// The id of the zone, as in Route 53's API.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The comment in its file.
    pub comment: Option<String>,
    /// The VPCs of a private zone; empty for a public zone.
    pub vpcs: Vec<String>,
    /// Number of its record sets.
    pub record_sets: usize,
    /// Number of groups that match; `groups` is one page of them.
    pub matching: usize,
    /// In canonical order of their names (RFC 4034 section 6.1).
    pub groups: Vec<GroupShape>,
}

/// The record sets of one name and type, with the groups that their aliases point to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupShape {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The routing policy, as in Route 53's Developer Guide.
    pub policy: String,
    /// What the group answers when no record is healthy: `all`, `none`, `last_healthy`.
    pub when_all_unhealthy: String,
    /// Its health.
    pub state: GroupStateShape,
    /// Its record sets, in the order of the file.
    pub members: Vec<MemberShape>,
    /// Number of record sets that are left out because the response is full.
    pub not_shown: usize,
}

/// The health of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupStateShape {
    /// All of its record sets can answer.
    Healthy,
    /// Some can.
    Degraded,
    /// None can.
    Unhealthy,
    /// No record set has a health check.
    Unchecked,
}

/// A record set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberShape {
    /// Its set identifier; a simple record has none.
    pub set_identifier: Option<String>,
    /// Its role in the policy, for example `primary`, `weight 75`, `eu-central-1`.
    pub role: String,
    /// Its weight; only for the weighted policy.
    pub weight: Option<u8>,
    /// Its share of the answers now, 0 to 1; absent if it depends on the client.
    pub share: Option<f64>,
    /// True if its health lets it answer.
    pub usable: bool,
    /// True if it is healthy but answers only if no other record can, because it drains or waits
    /// for its failback.
    pub reserve: bool,
    /// The fraction of its weight during a drain or slow start, 0 to 1; absent if it has its whole
    /// weight.
    pub part: Option<f64>,
    /// True if it has a health check or an alias target whose health counts.
    pub has_health: bool,
    /// Its health check.
    pub check: Option<MemberCheckShape>,
    /// TTL in seconds; an alias has the TTL of its target.
    pub ttl: Option<u32>,
    /// The first 20 values.
    pub values: Vec<String>,
    /// Number of values.
    pub value_count: usize,
    /// The alias target, instead of values.
    pub alias: Option<AliasShape>,
}

/// The check of a record set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCheckShape {
    /// Its name.
    pub name: String,
    /// The status in effect.
    pub status: StatusShape,
    /// Since when.
    pub since: String,
    /// True before the first result; the check counts as healthy until then.
    pub pending: bool,
    /// True if an override is in effect.
    pub overridden: bool,
}

/// The target of an alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasShape {
    /// The name; the type is the alias's own.
    pub target: String,
    /// True if the target's health counts (EvaluateTargetHealth).
    pub evaluate_target_health: bool,
    /// True if the target exists.
    pub is_there: bool,
    /// The target's group; absent if the response is full.
    pub group: Option<Box<GroupShape>>,
}

/// The response of `GET /v1/places`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacesShape {
    /// Networks of the settings that have a location.
    pub clients: Vec<ClientPlaceShape>,
    /// Measured round trips of the settings.
    pub round_trips: Vec<RoundTripsShape>,
    /// Locations in record sets.
    pub records: Vec<RecordPlaceShape>,
    /// Zones that were not read: beyond the limit of record sets, or with an unreadable file.
    pub left_out: Vec<String>,
}

/// A client network with a location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientPlaceShape {
    /// The network.
    pub network: String,
    /// An address in it to query as.
    pub from: String,
    /// The location in words.
    pub place: String,
    /// The VPC, if it is the network of one.
    pub vpc: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// True if the settings have coordinates; false if the point is the middle of the area.
    pub is_exact: bool,
}

/// Measured round trips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTripsShape {
    /// The clients: a network, a country or a region.
    pub clients: String,
    /// Round trip in milliseconds, by region.
    pub milliseconds: std::collections::BTreeMap<String, f64>,
}

/// A location in record sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordPlaceShape {
    /// The policy.
    pub kind: PlaceKindShape,
    /// A region, a country or coordinates, in words.
    pub place: String,
    /// Degrees north; the middle of an area.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The record sets, the first 20.
    pub records: Vec<PlacedRecordShape>,
    /// Number of record sets.
    pub record_count: usize,
}

/// The policy by which a record set has a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaceKindShape {
    /// A region.
    Latency,
    /// A region, a local zone group, coordinates.
    Geoproximity,
    /// An area.
    Geolocation,
}

/// A record set with a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedRecordShape {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Its set identifier.
    pub set_identifier: Option<String>,
}
