//! What a load found: the summary of a configuration, or why there is none.

use std::path::PathBuf;
use std::sync::Arc;

use crate::files::Unresponsive;
use crate::history::ObjectChange;

use super::{Deferred, LoadDiagnostics, Unavailable};

/// The summary of a load, for the log and the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Errors and warnings in the files.
    pub(crate) diagnostics: Arc<LoadDiagnostics>,
    /// The number of errors among them.
    pub(crate) errors: usize,
    /// Files served from their last good source.
    pub(crate) frozen: Vec<PathBuf>,
    /// New files with errors; they are not served.
    pub(crate) left_out: Vec<PathBuf>,
    /// Files that are being written or look half written. Their previous contents are served.
    pub(crate) deferred: Vec<Deferred>,
    /// Files that were served before the restart and have no usable source. Their zones answer
    /// SERVFAIL.
    pub(crate) unavailable: Vec<Unavailable>,
    /// Changes, for example `lab.test. changed`.
    pub(crate) changes: Vec<String>,
    /// What they changed in which objects, for the history.
    pub(crate) object_changes: Vec<Arc<ObjectChange>>,
    /// Changed settings that take effect at the next restart.
    pub(crate) needs_restart: Vec<&'static str>,
    /// Why last good sources cannot be kept.
    pub(crate) state_warning: Option<String>,
    /// The number of zones.
    pub(crate) zones: usize,
    /// The number of record sets.
    pub(crate) records: usize,
    /// The number of health checks.
    pub(crate) checks: usize,
}

/// Why a load failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The files or the geo databases have errors and there is nothing to fall back to.
    #[error("{} in the files", errors(diagnostics))]
    Diagnostics {
        /// Errors and warnings in the files.
        diagnostics: Arc<LoadDiagnostics>,
        /// How much of the files has no error.
        error_free: ErrorFree,
    },
    /// A file system does not respond. The next load skips the files on it.
    #[error("{0}")]
    Unresponsive(Unresponsive),
    /// A bug in this program.
    #[error("the loader failed: {0}")]
    Panicked(String),
}

/// How much of the files has no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorFree {
    /// The number of zones.
    pub(crate) zones: usize,
    /// The number of record sets.
    pub(crate) records: usize,
}

impl Refused {
    /// The reason in one line, without contents of the files.
    pub(crate) fn in_short(&self) -> String {
        match self {
            Refused::Diagnostics { .. } | Refused::Unresponsive(_) => self.to_string(),
            // A panic message can contain contents of the files.
            Refused::Panicked(_) => "the loader failed; the log says how".to_owned(),
        }
    }

    /// Errors and warnings in the files; none if the load failed for another reason.
    pub(crate) fn diagnostics(&self) -> Arc<LoadDiagnostics> {
        match self {
            Refused::Diagnostics { diagnostics, .. } => Arc::clone(diagnostics),
            Refused::Unresponsive(_) | Refused::Panicked(_) => Arc::default(),
        }
    }
}

/// For example `2 errors`.
fn errors(diagnostics: &LoadDiagnostics) -> String {
    counted(diagnostics.errors(), "error")
}

impl Summary {
    /// For example `14 records in 2 zones, 3 health checks`.
    pub(crate) fn totals(&self) -> String {
        let (records, zones) = (counted(self.records, "record"), counted(self.zones, "zone"));
        format!("{records} in {zones}, {}", counted(self.checks, "health check"))
    }

    /// The consequence of the errors.
    pub(crate) fn consequence(&self) -> String {
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let unavailable = self.unavailable.iter().map(Unavailable::name).collect();
        let parts = [
            ("served from the last good source", paths(&self.frozen)),
            ("not served", paths(&self.left_out)),
            ("answered with SERVFAIL", unavailable),
        ];
        let parts = parts.iter().filter(|(_, list)| !list.is_empty());
        let parts: Vec<String> = parts.map(|(what, list)| format!("{what}: {}", list.join(", "))).collect();
        match (self.errors, parts.as_slice()) {
            (0, _) => "everything is served".to_owned(),
            (_, []) => "the previous versions are served".to_owned(),
            (_, parts) => parts.join("; "),
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
