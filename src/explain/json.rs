//! An explanation as JSON: the response of `GET /v1/explain`, which `fiftythree explain` reads.
//!
//! The shapes have complete sentences, so that a program can show them as they are. Times are RFC
//! 3339 in UTC.

use serde::{Deserialize, Serialize};

/// Why a query gets its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The query and its client.
    pub question: QuestionShape,
    /// The VPC of the resolver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcShape>,
    /// The zone that answers; without one the response is REFUSED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneShape>,
    /// The client, as the policies see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientShape>,
    /// The steps from the name to the records.
    pub steps: Vec<StepShape>,
    /// The answer.
    pub answer: AnswerShape,
    /// The share of each record in all answers to such a client, while nothing changes.
    pub shares: Vec<ShareShape>,
    /// False if there are too many groups to follow; the shares are then those of the groups that
    /// were followed.
    pub shares_complete: bool,
}

/// A query and its client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionShape {
    /// The name, absolute.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The source address of the packet.
    pub resolver: String,
    /// The client subnet in the packet (EDNS Client Subnet, RFC 7871).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The seed of the random draw; the same seed gives the same answer.
    pub seed: u64,
    /// The assumptions, for example `blue=down`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub as_if: Vec<String>,
    /// The source of zones and health, in words.
    pub source: String,
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcShape {
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
}

/// A hosted zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneShape {
    /// Its name.
    pub name: String,
    /// Its id, as in Route 53's API.
    pub id: String,
    /// True for a private zone, which only the clients of its VPCs see.
    pub private: bool,
    /// Why this zone answers.
    pub why: String,
}

/// The client, as the policies see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientShape {
    /// Its address, as far as it is known.
    pub network: String,
    /// The source of the address: the client subnet, the resolver or the VPC.
    pub address_source: String,
    /// The location in words; absent if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The source of the location.
    pub location_source: String,
    /// The continent's code of two letters, as in Route 53.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continent: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// ISO 3166-2, without the country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdivision: Option<String>,
    /// Degrees north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// The AWS region of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum StepShape {
    /// Looks up a name: the QNAME or the target of a CNAME.
    Name(NameShape),
    /// The policy of a group chooses.
    Group(GroupShape),
    /// The chosen record is an alias.
    Alias(AliasStepShape),
    /// There is no answer.
    NegativeAnswer(NegativeAnswerShape),
}

/// The result of a lookup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameShape {
    /// The name.
    pub name: String,
    /// What exists at the name.
    pub found: LookupResult,
    /// The name that answers: itself, a wildcard, a delegation point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The types of the records there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// In words.
    pub why: String,
}

/// What exists at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupResult {
    /// Records.
    Name,
    /// No records, but names below it have some (an empty non-terminal).
    EmptyNonTerminal,
    /// It does not exist; a wildcard answers.
    Wildcard,
    /// It is delegated to another server.
    Delegation,
    /// It does not exist.
    Nothing,
}

/// The choice of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupShape {
    /// The owner of its records.
    pub name: String,
    /// Their type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Its routing policy, as in the Developer Guide.
    pub policy: String,
    /// What the policy does, in a sentence.
    pub rule: String,
    /// The traffic policy that its records come from, such as `traffic policy canary, version 2,
    /// rule split`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<String>,
    /// Its records, in the order of preference.
    pub candidates: Vec<CandidateShape>,
    /// Why this record was chosen.
    pub why: String,
    /// What was drawn at random, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<String>,
    /// The number of leading bits of the client's address that the choice depended on.
    pub scope: u8,
}

/// A record of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateShape {
    /// Its set identifier; a simple record has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// Its role in the policy, for example `PRIMARY`, `weight 75`, `eu-central-1`, `country DE`.
    pub role: String,
    /// Its distance or its part in the draw, for example `5.0 ms by distance`, `75 of 100`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// The outcome.
    pub outcome: CandidateOutcome,
    /// Why.
    pub why: String,
    /// Its share of the group's answers to this client, 0 to 1.
    pub share: f64,
    /// True if its health lets it answer.
    pub usable: bool,
    /// Its health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckShape>,
    /// TTL in seconds; an alias has the TTL of its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The last change of the record set, as far as the server remembers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<LastChangeShape>,
    /// Its alias target, instead of values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasShape>,
    /// Latency: the round trip in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Geoproximity: the distance in kilometres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_km: Option<f64>,
    /// Geoproximity: the distance after the bias, in kilometres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biased_km: Option<f64>,
}

/// A change of a record set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChangeShape {
    /// When.
    pub at: String,
    /// The time since then, in words.
    pub ago: String,
    /// `added` or `changed`.
    pub change: String,
    /// Who made it, for example `key terraform`.
    pub author: String,
    /// Such as `ChangeResourceRecordSets`.
    pub operation: String,
}

/// The outcome on a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateOutcome {
    /// It answers.
    Chosen,
    /// Another draw would have chosen it.
    Eligible,
    /// It could answer, but another one is preferred.
    NotPreferred,
    /// It is unhealthy.
    Unhealthy,
    /// It is not for this client.
    NotForClient,
}

/// The current state of a health check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckShape {
    /// Its name.
    pub name: String,
    /// Its status.
    pub healthy: bool,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The time since then, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ago: Option<String>,
    /// The last result, in Route 53's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_result: Option<String>,
    /// In a cluster: how many nodes consider it healthy, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// The override in effect: author, end and reason, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<String>,
    /// True if the status is an assumption.
    #[serde(default, skip_serializing_if = "is_false")]
    pub as_if: bool,
    /// True if the check is disabled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// The target of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasShape {
    /// The name; the type is the alias's own.
    pub target: String,
    /// The name of the `[[alias_target]]` that answers for a target outside the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<String>,
    /// True if the target's health counts (EvaluateTargetHealth).
    pub evaluate_target_health: bool,
}

/// From an alias to its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasStepShape {
    /// The name.
    pub target: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// In words.
    pub why: String,
}

/// There is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NegativeAnswerShape {
    /// `NXDOMAIN`, `NODATA`, `REFUSED`.
    pub kind: String,
    /// In words.
    pub why: String,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerShape {
    /// The response code.
    pub rcode: String,
    /// The AA bit.
    pub authoritative: bool,
    /// The answer section, a CNAME before what it leads to; on the wire the records of one set are
    /// in random order.
    pub answer: Vec<RecordShape>,
    /// The authority section.
    pub authority: Vec<RecordShape>,
    /// The additional section, without OPT.
    pub additional: Vec<RecordShape>,
    /// How long resolvers may cache it, and why.
    pub ttl_why: String,
    /// The messages that can carry the answer, and how much of it they hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageShape>,
    /// The client's leading bits that the answer depends on (EDNS Client Subnet, SCOPE
    /// PREFIX-LENGTH).
    pub scope: u8,
    /// What that depends on.
    pub scope_why: String,
}

/// How one message carries the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageShape {
    /// How it is sent: `UDP without EDNS`, `UDP with EDNS`, `TCP`.
    pub transport: String,
    /// Its maximum size in bytes.
    pub max_bytes: usize,
    /// Its size in bytes.
    pub bytes: usize,
    /// The TC bit.
    pub truncated: bool,
    /// How many records it has in the answer, authority and additional sections, without OPT.
    pub records: [usize; 3],
    /// In words.
    pub why: String,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordShape {
    /// Its owner.
    pub name: String,
    /// Seconds.
    pub ttl: u32,
    /// Its type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Its data, as in a zone file.
    pub data: String,
}

/// Which part of the answers holds a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShareShape {
    /// Whose it is in the zone file.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Tells it from the others of its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// Its values.
    pub values: Vec<String>,
    /// 0 to 1.
    pub share: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}
