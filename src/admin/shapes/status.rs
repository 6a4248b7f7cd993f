//! The server: `/v1/status`.

use serde::{Deserialize, Serialize};

use super::health::CheckCountsShape;

/// The response of `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServerShape {
    /// The server's version.
    pub(crate) version: String,
    /// The server's clock.
    pub(crate) now: String,
    /// When the server was started.
    pub(crate) started: String,
    /// True if queries are answered.
    pub(crate) ready: bool,
    /// Addresses on which DNS is answered, over UDP and TCP.
    pub(crate) listening: Vec<String>,
    /// Which requests may make changes: `programs` on this machine, those with the `token`, or
    /// `none`.
    pub(crate) changes: String,
    /// True if this request carries the token.
    pub(crate) may_change: bool,
    /// Number of zones.
    pub(crate) zones: usize,
    /// Number of record sets.
    pub(crate) records: usize,
    /// Counts of the health checks.
    pub(crate) checks: CheckCountsShape,
    /// The last load of the files.
    pub(crate) last_load: LastLoadShape,
    /// The cluster that this server is a node of; absent without `[cluster]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<ClusterShape>,
    /// The check with the longest time to failover; absent without probes.
    pub(crate) longest_failover: Option<LongestFailoverShape>,
}

/// The cluster, as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClusterShape {
    /// The name of this node.
    pub(crate) node: String,
    /// True while this node follows etcd.
    pub(crate) connected: bool,
    /// Why it does not; null if it does, or has not tried yet.
    pub(crate) reason: Option<String>,
    /// Why the other nodes do not count this one, such as another node with its name; null if they
    /// do.
    pub(crate) not_registered: Option<String>,
    /// The nodes that are registered in etcd, as of when this node last reached it.
    pub(crate) nodes: Vec<NodeShape>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeShape {
    /// Its name.
    pub(crate) name: String,
    /// Its region, if it has one.
    pub(crate) region: Option<String>,
    /// The addresses on which it answers queries.
    pub(crate) addresses: Vec<String>,
    /// The version of its program.
    pub(crate) version: String,
    /// When it started.
    pub(crate) started: String,
    /// How many files of the cluster it has; null of a node of a version that did not say so.
    pub(crate) files: Option<usize>,
    /// It answers with every change up to this revision of etcd.
    pub(crate) revision: i64,
    /// True if it does not answer with the last change yet.
    pub(crate) behind: bool,
    /// Settings that change answers and differ from those of this node.
    pub(crate) differing_settings: Vec<String>,
}

/// The last load of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastLoadShape {
    /// When.
    pub(crate) at: String,
    /// Number of errors.
    pub(crate) errors: usize,
    /// The errors and warnings, without the text of the files.
    pub(crate) diagnostics: Vec<DiagnosticShape>,
    /// Broken files whose last good copies are served.
    pub(crate) frozen: Vec<String>,
    /// New files that are not served, because they are broken or define something that another file
    /// defines.
    pub(crate) left_out: Vec<String>,
    /// Files that are being written or look half written; their last versions are served.
    pub(crate) deferred: Vec<DeferredShape>,
    /// Broken files without a usable copy; their zones answer SERVFAIL.
    #[serde(default)]
    pub(crate) unavailable: Vec<UnavailableShape>,
    /// Changed settings that need a restart.
    pub(crate) needs_restart: Vec<String>,
    /// Why nothing was loaded; null if it was.
    pub(crate) refused: Option<String>,
}

/// A file that is not loaded yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeferredShape {
    /// The file.
    pub(crate) file: String,
    /// Why.
    pub(crate) reason: String,
}

/// An error or a warning in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiagnosticShape {
    /// `error` or `warning`.
    pub(crate) severity: String,
    /// The file.
    pub(crate) path: String,
    /// From 1; absent if it concerns the whole file.
    pub(crate) line: Option<usize>,
    /// In characters, from 1.
    pub(crate) column: Option<usize>,
    /// The message.
    pub(crate) message: String,
    /// A hint how to fix it.
    pub(crate) hint: Option<String>,
}

/// A broken file without a usable copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnavailableShape {
    /// The file.
    pub(crate) file: String,
    /// Its zone, which answers SERVFAIL; `None` if the file has no zone.
    pub(crate) zone: Option<String>,
}

/// The longest time to failover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LongestFailoverShape {
    /// The check with the longest time.
    pub(crate) check: String,
    /// Seconds from the failure of the endpoint to the changed answers, without the TTL.
    pub(crate) seconds: f64,
}
