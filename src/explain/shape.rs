//! What an explanation says, as JSON: the shapes that `GET /v1/explain` answers with and `fiftythree explain` reads.
//!
//! Every sentence stands in the shapes, so that whoever shows them has nothing to decide. Moments are RFC 3339 in UTC.

use serde::{Deserialize, Serialize};

/// Why a question is answered as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked, by whom.
    pub question: QuestionShape,
    /// The VPC that the resolver is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcShape>,
    /// The zone that answers; without one the question is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneShape>,
    /// Who the policies take the client to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientShape>,
    /// The way from the name to the records.
    pub steps: Vec<StepShape>,
    /// Where it leads.
    pub answer: AnswerShape,
    /// Of all answers that such a client gets while nothing changes, which part holds each record.
    pub shares: Vec<ShareShape>,
    /// False when there are too many groups to follow them all: the shares are then those of the ones followed.
    pub shares_complete: bool,
}

/// What was asked, by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionShape {
    /// The name, absolute.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The address that the packet would come from.
    pub resolver: String,
    /// The client subnet in the packet (EDNS Client Subnet, RFC 7871), when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// What the dice were seeded with: the same number throws the same again.
    pub seed: u64,
    /// What was supposed: `blue=down`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub as_if: Vec<String>,
    /// Where zones and health come from, in words.
    pub seen: String,
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
    /// What the API calls it.
    pub id: String,
    /// Whether only the clients of its VPCs see it.
    pub private: bool,
    /// Why it is this one.
    pub why: String,
}

/// Who the policies take the client to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientShape {
    /// Its address and the bits of it that are known.
    pub network: String,
    /// Where that comes from: the client subnet, the resolver, the VPC.
    pub given_by: String,
    /// The place in words; absent when nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Who said where the client is.
    pub said_by: String,
    /// Two letters, as Route 53 has them.
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
    /// The AWS region that the client counts as being in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum StepShape {
    /// A name is looked for: the question's, or the target of a CNAME.
    Name(NameShape),
    /// A group's policy chooses.
    Group(GroupShape),
    /// The chosen record is an alias.
    Alias(AliasStepShape),
    /// Nothing is answered.
    Denial(NegativeAnswerShape),
}

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameShape {
    /// The name that is looked for.
    pub name: String,
    /// What was found.
    pub leads_to: LeadsTo,
    /// The name that answers: itself, a wildcard, a delegation point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The types of the records there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// In words.
    pub why: String,
}

/// What was found at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadsTo {
    /// Records.
    Name,
    /// It has no records, but names below it have.
    EmptyNonTerminal,
    /// It does not exist and a wildcard answers for it.
    Wildcard,
    /// It is another server's.
    Delegation,
    /// It does not exist.
    Nothing,
}

/// How a group chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupShape {
    /// The owner of its records.
    pub name: String,
    /// Their type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Its routing policy, by its name in the Developer Guide.
    pub policy: String,
    /// What the policy does, in a sentence.
    pub rule: String,
    /// Its records, most wanted first.
    pub candidates: Vec<CandidateShape>,
    /// Why it came out so.
    pub why: String,
    /// What the dice were thrown for, when they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<String>,
    /// The client's leading bits that this choice depended on.
    pub scope: u8,
}

/// A record among its group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateShape {
    /// Tells it from the others; a simple record has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// What it is to its policy: `PRIMARY`, `weight 75`, `eu-central-1`, `country DE`.
    pub role: String,
    /// How far it is or what it is drawn by: `5.0 ms by distance`, `75 of 100`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// Which part of this group's answers to this client holds it, 0 to 1.
    pub share: f64,
    /// Whether health lets it answer.
    pub usable: bool,
    /// Its health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckShape>,
    /// How long resolvers may keep it, seconds; an alias has its target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// What it answers with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What it is an alias of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasShape>,
    /// Latency: the round trip, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Geoproximity: the distance, kilometres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_km: Option<f64>,
    /// Geoproximity: what the bias makes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biased_km: Option<f64>,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It answers.
    Chosen,
    /// Other dice would have chosen it.
    Eligible,
    /// It could answer, and another is preferred.
    Behind,
    /// Its health forbids it.
    Unhealthy,
    /// It is not for this client.
    Elsewhere,
}

/// A health check, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckShape {
    /// What people call it.
    pub name: String,
    /// What it says.
    pub healthy: bool,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How long that was ago, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ago: Option<String>,
    /// The last result, in Route 53's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_result: Option<String>,
    /// Who holds it, until when, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<String>,
    /// It is only supposed to be so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub as_if: bool,
    /// It is not asked any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// The target of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasShape {
    /// The name; the type is the alias's own.
    pub target: String,
    /// Whether the target's health counts.
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

/// Nothing is answered.
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
    /// Why resolvers may keep it for as long as they may.
    pub ttl_why: String,
    /// The messages that could carry it, and what of it they hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageShape>,
    /// The client's leading bits that the answer depends on (EDNS Client Subnet, SCOPE PREFIX-LENGTH).
    pub scope: u8,
    /// What decided that.
    pub scope_why: String,
}

/// What becomes of the answer in one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageShape {
    /// How it is sent: `UDP without EDNS`, `UDP with EDNS`, `TCP`.
    pub over: String,
    /// How long it may be, octets.
    pub most: usize,
    /// How long it is.
    pub octets: usize,
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
    /// What it answers with.
    pub values: Vec<String>,
    /// 0 to 1.
    pub share: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}
