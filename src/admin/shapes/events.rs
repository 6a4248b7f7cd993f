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
    pub(crate) did: OverrideDidShape,
    /// The override.
    #[serde(rename = "override")]
    pub(crate) granted: OverriddenShape,
}

/// What happened to an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OverrideDidShape {
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
    pub(crate) words: String,
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
    pub(crate) words: String,
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
