//! Progress of requested reloads, for those who wait for them.

use std::sync::Arc;

use crate::load::{Refused, Summary};

/// Counts of requested reloads and the outcome of the last load. A late reader misses nothing,
/// because these are counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reloads {
    /// How many were requested.
    pub(crate) requested: u64,
    /// How many of those have ended, successful or not.
    pub(crate) done: u64,
    /// The outcome of the last load, including loads after edits, in one line.
    pub(crate) outcome: Arc<str>,
}

/// For example `serving 14 records in 2 zones, 3 health checks`.
pub(super) fn outcome(result: Result<&Summary, &Refused>) -> String {
    match result {
        Ok(summary) if summary.errors == 0 => format!("serving {}", summary.totals()),
        Ok(summary) => {
            let (totals, errors, consequence) = (summary.totals(), summary.errors, summary.consequence());
            format!("serving {totals}; errors in the files: {errors}, {consequence}")
        }
        Err(refused) => {
            format!("the reload failed: {}", refused.in_short())
        }
    }
}
