//! The events of `/v1/events`.

use serde::{Deserialize, Serialize};

use super::health::StatusShape;
use super::overrides::OverriddenShape;

/// The event `hello`, the first of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HelloShape {
    /// The server's clock.
    pub(crate) now: String,
    /// The server's version; a page reloads itself if it is not its own.
    pub(crate) version: String,
}

/// The event `beat`, every ten seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BeatShape {
    /// The server's clock.
    pub(crate) now: String,
}

/// The event `lost`: older events are no longer available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LostShape {
    /// How many; null if the server has restarted.
    pub(crate) lost: Option<u64>,
}

/// The data of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum HappenedShape {
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
    /// A hosted zone, a health check or a CIDR collection was changed.
    Changed(ChangedShape),
}

/// The event `transition`: a status changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusChangedShape {
    /// When.
    pub(crate) at: String,
    /// The name of the check.
    pub(crate) check: String,
    /// The new status.
    pub(crate) to: StatusShape,
    /// Why.
    pub(crate) why: String,
    /// Number of records that use the check.
    pub(crate) records: usize,
}

/// The event `override`: one was set, was cleared or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverrideHappenedShape {
    /// When.
    pub(crate) at: String,
    /// What happened to the override.
    pub(crate) change: OverrideChangeShape,
    /// The override.
    #[serde(rename = "override")]
    pub(crate) granted: OverriddenShape,
}

/// What happened to an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OverrideChangeShape {
    /// It was set.
    Set,
    /// It was cleared.
    Cleared,
    /// It reached its end.
    Ended,
}

/// The event `drain`: a drain is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DrainedShape {
    /// When.
    pub(crate) at: String,
    /// The name of the check.
    pub(crate) check: String,
    /// The same as a sentence.
    pub(crate) text: String,
}

/// The event `connectivity`: the server is isolated or connected again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConnectivityHappenedShape {
    /// When.
    pub(crate) at: String,
    /// True if all sentinels are unhealthy.
    pub(crate) isolated: bool,
    /// The names of the sentinels.
    pub(crate) sentinels: Vec<String>,
    /// The same as a sentence.
    pub(crate) text: String,
}

/// The event `reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReloadHappenedShape {
    /// When.
    pub(crate) at: String,
    /// Such as `lab.test. changed`.
    pub(crate) changes: Vec<String>,
    /// Number of errors in the files.
    pub(crate) errors: usize,
    /// Why nothing changed; null if the files were loaded.
    pub(crate) refused: Option<String>,
}

/// The event `change`: a hosted zone, a health check or a CIDR collection was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangedShape {
    /// When.
    pub(crate) at: String,
    /// Who changed it.
    pub(crate) author: String,
    /// Such as `ChangeResourceRecordSets`.
    pub(crate) operation: String,
    /// `hosted_zone`, `health_check`, `cidr_collection`, `reusable_delegation_set` or
    /// `traffic_policy`.
    pub(crate) kind: String,
    /// The id of the object.
    pub(crate) id: String,
    /// Its name.
    pub(crate) object: String,
    /// The id of the change; null if GetChange does not report it.
    pub(crate) change_id: Option<String>,
    /// The comment on the change.
    pub(crate) comment: Option<String>,
    /// What changed. Events have the first ten, with what differs in each.
    pub(crate) parts: Vec<ChangedPartShape>,
    /// How many more parts changed.
    pub(crate) more: usize,
}

/// What changed in an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangedPartShape {
    /// `added`, `changed` or `removed`.
    pub(crate) change: String,
    /// Such as `www.lab.test. A`.
    pub(crate) what: String,
    /// Its text before, as zone files have it; null if it was added.
    pub(crate) before: Option<String>,
    /// Its text after; null if it was removed.
    pub(crate) after: Option<String>,
}

/// The response to `/v1/history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryShape {
    /// The last events, newest first.
    pub(crate) events: Vec<NamedEventShape>,
}

/// An event and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedEventShape {
    /// As in `/v1/events`.
    pub(crate) name: String,
    /// Its data.
    pub(crate) event: HappenedShape,
}
