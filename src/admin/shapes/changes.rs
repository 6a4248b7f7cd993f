//! The bodies of `/v1/changes` and of new zones.

use serde::{Deserialize, Serialize};

/// The body of `POST /v1/zones`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewZoneShape {
    /// The name of the zone.
    pub(crate) name: String,
    /// A comment.
    #[serde(default)]
    pub(crate) comment: Option<String>,
    /// The ids of the VPCs of a private zone.
    #[serde(default)]
    pub(crate) vpcs: Vec<String>,
    /// Who creates it.
    #[serde(default)]
    pub(crate) author: String,
}

/// A zone that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangedZoneShape {
    /// The id of the zone.
    pub(crate) id: String,
    /// The number of its record sets now; 0 when it was deleted.
    pub(crate) record_sets: usize,
    /// The id of the change; absent if the server keeps no history, which `undo` needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change_id: Option<String>,
}

/// The outcome of `POST /v1/undo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UndoneShape {
    /// The id of the change that undoes the other.
    pub(crate) change_id: String,
    /// The kind of the object, for example `hosted_zone`.
    pub(crate) kind: String,
    /// The id of the object.
    pub(crate) id: String,
}

/// The outcome of `POST /v1/reset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResetShape {
    /// For example `serving 14 records in 2 zones, 3 health checks`.
    pub(crate) outcome: String,
}
