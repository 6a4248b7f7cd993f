//! Client address → place: the user's networks, databases, regions, distances, latency tables.
//!
//! - [`PrefixTable`]: longest match with the prefix that decided it, which is the ECS scope.

mod prefix;

pub use prefix::{Chain, Hit, PrefixTable};
