//! Zones and their records: `/v1/zones`.

use serde::{Deserialize, Serialize};

use super::health::StatusShape;

/// The response of `GET /v1/zones`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ZonesShape {
    /// Number of zones that match; `zones` is one page of them.
    pub(crate) matching: usize,
    /// Sorted by name.
    pub(crate) zones: Vec<ZoneRowShape>,
}

/// A zone in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ZoneRowShape {
    /// Its id, as in Route 53's API.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// The comment in its file.
    pub(crate) comment: Option<String>,
    /// The VPCs of a private zone; empty for a public zone.
    pub(crate) vpcs: Vec<String>,
    /// Number of its record sets.
    pub(crate) record_sets: usize,
    /// Number of health checks that its record sets use.
    pub(crate) checks: usize,
    /// Number of those that are unhealthy.
    pub(crate) unhealthy_checks: usize,
    /// True if it answers SERVFAIL, because its file is broken and has no usable copy.
    #[serde(default)]
    pub(crate) unavailable: bool,
}

/// The response of `GET /v1/zones/{id}/records`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordsShape {
    /// The id of the zone, as in Route 53's API.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// The comment in its file.
    pub(crate) comment: Option<String>,
    /// The VPCs of a private zone; empty for a public zone.
    pub(crate) vpcs: Vec<String>,
    /// Number of its record sets.
    pub(crate) record_sets: usize,
    /// Number of groups that match; `groups` is one page of them.
    pub(crate) matching: usize,
    /// In canonical order of their names (RFC 4034 section 6.1).
    pub(crate) groups: Vec<GroupShape>,
}

/// The record sets of one name and type, with the groups that their aliases point to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupShape {
    /// The name.
    pub(crate) name: String,
    /// The type.
    #[serde(rename = "type")]
    pub(crate) record_type: String,
    /// The routing policy, as in Route 53's Developer Guide.
    pub(crate) policy: String,
    /// The traffic policy that its record sets come from, such as
    /// `traffic policy canary, version 2, rule split`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traffic_policy: Option<String>,
    /// What the group answers when no record is healthy: `all`, `none`, `last_healthy`.
    pub(crate) when_all_unhealthy: String,
    /// Its health.
    pub(crate) state: GroupStateShape,
    /// Its record sets, in the order of the file.
    pub(crate) members: Vec<MemberShape>,
    /// Number of record sets that are left out because the response is full.
    pub(crate) not_shown: usize,
}

/// The health of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupStateShape {
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
pub(crate) struct MemberShape {
    /// Its set identifier; a simple record has none.
    pub(crate) set_identifier: Option<String>,
    /// Its role in the policy, for example `primary`, `weight 75`, `eu-central-1`.
    pub(crate) role: String,
    /// Its weight; only for the weighted policy.
    pub(crate) weight: Option<u8>,
    /// Its share of the answers now, 0 to 1; absent if it depends on the client.
    pub(crate) share: Option<f64>,
    /// True if its health lets it answer.
    pub(crate) usable: bool,
    /// True if it is healthy but answers only if no other record can, because it drains or waits
    /// for its failback.
    pub(crate) reserve: bool,
    /// The fraction of its weight during a drain or slow start, 0 to 1; absent if it has its whole
    /// weight.
    pub(crate) part: Option<f64>,
    /// True if it has a health check or an alias target whose health counts.
    pub(crate) has_health: bool,
    /// Its health check.
    pub(crate) check: Option<MemberCheckShape>,
    /// TTL in seconds; an alias has the TTL of its target.
    pub(crate) ttl: Option<u32>,
    /// The first 20 values.
    pub(crate) values: Vec<String>,
    /// Number of values.
    pub(crate) value_count: usize,
    /// The alias target, instead of values.
    pub(crate) alias: Option<AliasShape>,
}

/// The check of a record set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberCheckShape {
    /// Its name.
    pub(crate) name: String,
    /// The status in effect.
    pub(crate) status: StatusShape,
    /// Since when.
    pub(crate) since: String,
    /// True before the first result; the check counts as healthy until then.
    pub(crate) pending: bool,
    /// True if an override is in effect.
    pub(crate) overridden: bool,
}

/// The target of an alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AliasShape {
    /// The name; the type is the alias's own.
    pub(crate) target: String,
    /// The name of the `[[alias_target]]` that answers for a target outside the zone.
    #[serde(default)]
    pub(crate) alias_target: Option<String>,
    /// True if the target is outside the zone.
    #[serde(default)]
    pub(crate) is_outside: bool,
    /// True if the target's health counts (EvaluateTargetHealth).
    pub(crate) evaluate_target_health: bool,
    /// True if the target exists.
    pub(crate) exists: bool,
    /// The target's group; absent if the response is full.
    pub(crate) group: Option<Box<GroupShape>>,
}
