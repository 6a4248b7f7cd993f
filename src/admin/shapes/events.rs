//! The events of `/v1/events`.

use serde::{Deserialize, Serialize};

use super::health::StatusShape;
use super::overrides::OverriddenShape;

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
