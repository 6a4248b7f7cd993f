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
pub struct OverrideOutcomeShape {
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
    /// Of all those that have the name that was asked for.
    #[serde(default)]
    pub counts: CheckCountsShape,
    /// How many fit all that was asked for; `checks` may be a part of them.
    #[serde(default)]
    pub matching: usize,
    /// By name.
    pub checks: Vec<CheckShape>,
    /// In the order in which they were set.
    pub overrides: Vec<OverrideShape>,
    /// The connectivity of the server; absent without sentinels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<ConnectivityShape>,
    /// Records on their way back into use, a thousand at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returning: Vec<ReturningShape>,
}

/// The connectivity of the server itself, as its sentinels show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectivityShape {
    /// Since when all sentinels are unhealthy, so that results of other checks are ignored; absent when connected.
    pub isolated_since: Option<String>,
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
    /// `failback_delay`, or `slow_start`.
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
    FailbackDelay,
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
    pub pending: bool,
    /// No longer asked, and healthy.
    pub disabled: bool,
    /// Turned around.
    pub inverted: bool,
    /// The override that counts.
    pub overridden: Option<OverriddenShape>,
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
    /// The last probes one by one, the oldest first, since the server was started; only when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<SampleShape>,
}

impl CheckShape {
    /// What was seen last; of a check without results of its own, what decides instead.
    pub fn last_words(&self) -> Option<&str> {
        match (&self.last_result, self.kind.as_str()) {
            (Some(last), _) => Some(&last.status),
            (None, "calculated") => Some(&self.endpoint),
            (None, "manual") => Some("as its file says"),
            (None, _) => None,
        }
    }
}

/// One probe among the last ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleShape {
    /// When.
    pub at: String,
    /// The whole probe, without looking up a name.
    pub total_ms: f64,
    /// Whether the endpoint did as it should.
    pub passed: bool,
}

/// Transitions of many checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionsShape {
    /// The latest first.
    pub transitions: Vec<CheckTransitionShape>,
}

/// A change of the verdict of some check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTransitionShape {
    /// The check.
    pub check: String,
    /// What changed.
    #[serde(flatten)]
    pub transition: TransitionShape,
}

/// People's word on a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverriddenShape {
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

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorShape {
    /// In words.
    pub error: String,
    /// The names that there are, when the one asked for is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
}

/// The first event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloShape {
    /// The server's clock.
    pub now: String,
    /// The server's version: another one has another page.
    pub version: String,
}

/// The connection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatShape {
    /// The server's clock.
    pub now: String,
}

/// Something happened that cannot be told any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostShape {
    /// How many events; absent when the server was started anew meanwhile.
    pub lost: Option<u64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HappenedShape {
    /// A verdict changed.
    StatusChanged(StatusChangedShape),
    /// An override was set or is no more.
    Override(OverrideHappenedShape),
    /// What an override drains has nothing left.
    Drained(DrainedShape),
    /// The server lost or regained its connectivity, as its sentinels show.
    Connectivity(ConnectivityHappenedShape),
    /// Files were read.
    Reload(ReloadHappenedShape),
}

/// A verdict changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChangedShape {
    /// When.
    pub at: String,
    /// The check.
    pub check: String,
    /// What it is now.
    pub to: StatusShape,
    /// Why.
    pub why: String,
    /// How many records use it.
    pub records: usize,
}

/// An override was set or is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideHappenedShape {
    /// When.
    pub at: String,
    /// What happened to it.
    pub did: OverrideDidShape,
    /// The override.
    #[serde(rename = "override")]
    pub granted: OverriddenShape,
}

/// What happened to an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideDidShape {
    /// Somebody set it.
    Set,
    /// Somebody took it back.
    Cleared,
    /// Its time is over.
    Ended,
}

/// What an override drains has nothing left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainedShape {
    /// When.
    pub at: String,
    /// The check.
    pub check: String,
    /// The same for people.
    pub words: String,
}

/// The server lost or regained its connectivity, as its sentinels show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectivityHappenedShape {
    /// When.
    pub at: String,
    /// Whether all of them are unhealthy.
    pub isolated: bool,
    /// Those checks.
    pub sentinels: Vec<String>,
    /// The same for people.
    pub words: String,
}

/// Files were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadHappenedShape {
    /// When.
    pub at: String,
    /// Such as `lab.test. changed`.
    pub changes: Vec<String>,
    /// How many errors the files have.
    pub errors: usize,
    /// Why everything stays as it was, when it does.
    pub refused: Option<String>,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerShape {
    /// Of the program.
    pub version: String,
    /// The server's clock.
    pub now: String,
    /// Since when it runs.
    pub started: String,
    /// Whether queries are answered.
    pub ready: bool,
    /// Where DNS is answered, over UDP and TCP.
    pub listening: Vec<String>,
    /// Who may change something: `programs` on this machine, requests with the `token`, `none`.
    pub changes: String,
    /// Whether a page with the token that came along may.
    pub may_change: bool,
    /// How many zones are served.
    pub zones: usize,
    /// How many record sets.
    pub records: usize,
    /// The checks, counted.
    pub checks: CheckCountsShape,
    /// What came of reading the files.
    pub last_load: LastLoadShape,
    /// The check that takes longest until its records are out of the answers; absent without checks that ask.
    pub longest_failover: Option<LongestFailoverShape>,
}

/// Checks, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCountsShape {
    /// All of them.
    pub all: usize,
    /// Those that are unhealthy.
    pub unhealthy: usize,
    /// Those that an override holds.
    pub overridden: usize,
    /// Those without a result, which count as healthy.
    pub pending: usize,
}

/// What came of reading the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLoadShape {
    /// When.
    pub at: String,
    /// How many errors there are.
    pub errors: usize,
    /// What is wrong with the files, without their text.
    pub faults: Vec<FaultShape>,
    /// Files that are broken and served as they were.
    pub frozen: Vec<String>,
    /// New files that are not served: they are broken, or define what another file does.
    pub left_out: Vec<String>,
    /// Files that are being written, or look half written, and are served as before.
    pub deferred: Vec<DeferredShape>,
    /// Broken files of which no usable copy is kept, and their zones, which answer SERVFAIL.
    #[serde(default)]
    pub unavailable: Vec<UnavailableShape>,
    /// Settings that changed and need a restart.
    pub needs_restart: Vec<String>,
    /// Why everything stays as it was before, when it does.
    pub refused: Option<String>,
}

/// A file whose edit is not taken yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredShape {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// Something wrong, or doubtful, in a file: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultShape {
    /// `error` or `warning`.
    pub severity: String,
    /// The file.
    pub path: String,
    /// From 1; absent when the file as a whole is meant.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// A file without a usable text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnavailableShape {
    /// The file.
    pub file: String,
    /// Its zone, which answers SERVFAIL; `None` when it held none.
    pub zone: Option<String>,
}

/// How long an endpoint may be dead before the answers know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongestFailoverShape {
    /// The check that takes longest.
    pub check: String,
    /// From the failure to the changed answers, without the TTL that resolvers keep the old ones for.
    pub seconds: f64,
}

/// Zones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZonesShape {
    /// How many fit; `zones` may be a part of them.
    pub matching: usize,
    /// By name.
    pub zones: Vec<ZoneRowShape>,
}

/// A zone in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRowShape {
    /// What Route 53's API calls it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The user's own words about it.
    pub comment: Option<String>,
    /// The VPCs it is for; a zone without any is public.
    pub vpcs: Vec<String>,
    /// How many record sets it has.
    pub record_sets: usize,
    /// How many checks its record sets use.
    pub checks: usize,
    /// How many of those are unhealthy.
    pub unhealthy_checks: usize,
    /// Whether it answers SERVFAIL, since its file is broken and no usable copy of it is kept.
    #[serde(default)]
    pub unavailable: bool,
}

/// Some records of a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordsShape {
    /// What Route 53's API calls the zone.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The user's own words about it.
    pub comment: Option<String>,
    /// The VPCs it is for; a zone without any is public.
    pub vpcs: Vec<String>,
    /// How many record sets it has.
    pub record_sets: usize,
    /// How many groups fit; `groups` may be a part of them.
    pub matching: usize,
    /// The record sets of one name and type each, in the order of their names (RFC 4034 section 6.1).
    pub groups: Vec<GroupShape>,
}

/// The record sets of one name and type, and below them those that their aliases lead to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupShape {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The routing policy, as the Developer Guide calls it.
    pub policy: String,
    /// What it answers when nothing in it is healthy: `all`, `none`, `last_healthy`.
    pub when_all_unhealthy: String,
    /// What health makes of it.
    pub state: GroupStateShape,
    /// Its record sets, as they were written.
    pub members: Vec<MemberShape>,
    /// How many more there are, for which this answer has no room.
    pub not_shown: usize,
}

/// What health makes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupStateShape {
    /// All of its record sets may answer.
    Healthy,
    /// Some may.
    Degraded,
    /// None may.
    Unhealthy,
    /// Health has no say in it.
    Unchecked,
}

/// A record set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberShape {
    /// Tells it from the others; a simple one has none.
    pub set_identifier: Option<String>,
    /// What it is to its policy: `primary`, `weight 75`, `eu-central-1`.
    pub role: String,
    /// Its weight, where the policy is weighted.
    pub weight: Option<u8>,
    /// How often it is in the answers now, 0 to 1; absent where that depends on who asks.
    pub share: Option<f64>,
    /// Whether health lets it answer.
    pub usable: bool,
    /// Whether it is healthy and yet answers only where nobody usable can: it drains or waits for its failback.
    pub reserve: bool,
    /// What it has of its weight while it drains or starts slowly, 0 to 1; absent when all.
    pub part: Option<f64>,
    /// Whether health has a say in it.
    pub has_health: bool,
    /// Its health check.
    pub check: Option<MemberCheckShape>,
    /// How long resolvers may keep it, seconds; an alias has its target's.
    pub ttl: Option<u32>,
    /// What it answers with, the first 20.
    pub values: Vec<String>,
    /// How many values it has.
    pub value_count: usize,
    /// What it is an alias of.
    pub alias: Option<AliasShape>,
}

/// The check of a record set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCheckShape {
    /// Its name.
    pub name: String,
    /// What counts.
    pub status: StatusShape,
    /// Since when.
    pub since: String,
    /// Whether it counts as healthy because there was no result yet.
    pub pending: bool,
    /// Whether an override holds it.
    pub overridden: bool,
}

/// Where an alias leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasShape {
    /// The name; the type is the alias's own.
    pub target: String,
    /// Whether the target's health counts.
    pub evaluate_target_health: bool,
    /// Whether there is such a group.
    pub is_there: bool,
    /// The group, as far as this answer has room for it.
    pub group: Option<Box<GroupShape>>,
}

/// Where clients and records are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacesShape {
    /// Networks that the settings put on the map.
    pub clients: Vec<ClientPlaceShape>,
    /// Measured round trips.
    pub round_trips: Vec<RoundTripsShape>,
    /// Places that record sets name.
    pub records: Vec<RecordPlaceShape>,
    /// Zones that are too large to be looked at for this, or cannot be read back.
    pub left_out: Vec<String>,
}

/// Clients with a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientPlaceShape {
    /// Their network.
    pub network: String,
    /// An address in it, to ask from.
    pub from: String,
    /// In words.
    pub place: String,
    /// The VPC, when it is one's.
    pub vpc: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Whether the settings say where; else it is the middle of the area.
    pub is_exact: bool,
}

/// Measured round trips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTripsShape {
    /// Whose: a network, a country, a region.
    pub clients: String,
    /// By region.
    pub milliseconds: std::collections::BTreeMap<String, f64>,
}

/// A place that record sets name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordPlaceShape {
    /// By which policy.
    pub kind: PlaceKindShape,
    /// In words: a region, a country, coordinates.
    pub place: String,
    /// Degrees north; of an area its middle.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The record sets, the first 20.
    pub records: Vec<PlacedRecordShape>,
    /// How many there are.
    pub record_count: usize,
}

/// The policy by which a record set has a place.
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

/// A record set with a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedRecordShape {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Tells it from the others.
    pub set_identifier: Option<String>,
}
