//! The server: `/v1/status`.

use serde::{Deserialize, Serialize};

use super::health::CheckCountsShape;

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

/// The last load of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLoadShape {
    /// When.
    pub at: String,
    /// Number of errors.
    pub errors: usize,
    /// The errors and warnings, without the text of the files.
    pub diagnostics: Vec<DiagnosticShape>,
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
pub struct DiagnosticShape {
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
