//! Settings for groups of record sets.

use std::time::Duration;

use super::{Name, RecordType};

/// Settings for all record sets of one name and type, an extension of Route 53.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordGroup {
    /// The absolute owner name.
    pub name: Name,
    /// The type of the group's records.
    pub record_type: RecordType,
    /// The answer when no record of the group is healthy.
    pub when_all_unhealthy: WhenAllUnhealthy,
    /// How long a recovered record must stay healthy before it is used again.
    pub failback_delay: Duration,
    /// How long the share of a recovered weighted record grows from zero to its weight.
    pub slow_start: Duration,
}

/// The answer of a group when all candidates for a client are unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAllUnhealthy {
    /// All records, as if they were healthy: Route 53's rule.
    #[default]
    All,
    /// NODATA, which resolvers cache for at most the group's TTL.
    None,
    /// The records that were healthy last.
    LastHealthy,
}
