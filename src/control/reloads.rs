//! How far reloads have come, for whoever waits for them.

use std::sync::Arc;

use super::load::{Refused, Summary};

/// Reloads that somebody asked for, counted, and what came of the last load. Counts lose nothing to a reader that comes late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// How many were asked for.
    pub asked: u64,
    /// How many of those are over, for good or ill.
    pub done: u64,
    /// What came of the last load, of an edit too, in one line.
    pub outcome: Arc<str>,
}

/// Such as `serving 14 records in 2 zones, 3 health checks`.
pub(super) fn outcome(result: Result<&Summary, &Refused>) -> String {
    match result {
        Ok(summary) if summary.errors == 0 => format!("serving {}", summary.totals()),
        Ok(summary) => {
            let (totals, errors, consequence) = (summary.totals(), summary.errors, summary.consequence());
            format!("serving {totals}; errors in the files: {errors}, {consequence}")
        }
        Err(refused) => {
            format!("nothing was reloaded: {}", refused.in_short())
        }
    }
}
