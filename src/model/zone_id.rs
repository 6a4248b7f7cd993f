//! The ids of hosted zones.

/// The id of a hosted zone: `Z` and 1 to 31 of `[A-Z0-9]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostedZoneId(pub String);
