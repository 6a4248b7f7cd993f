//! Client address → place: the user's networks, databases, regions, distances, round trips.
//!
//! - [`Client`]: who asks. Everything that a policy may want to know of a client is asked here.
//! - [`GeoLookup`]: all that is known about places; the user's networks first, then the databases.
//! - [`Place`]: what comes out, with the ECS scope.
//! - [`Database`]: files in MaxMind's format, flattened at load.
//! - [`RoundTrips`]: measured round trips to the regions, or an estimate by distance.
//! - [`Point`]: distances on the globe.
//! - [`PrefixTable`]: longest match together with the prefix that decided it, beneath all of them.

mod client;
mod database;
mod geo_lookup;
mod intervals;
mod latency;
mod place;
mod point;
mod prefix;
mod static_btree;

pub use client::Client;
pub use database::{Database, DatabaseError};
pub use geo_lookup::{GeoLookup, Located};
pub use latency::{RoundTrips, TripBasis, estimated_ms};
pub use place::{Place, PlaceSource};
pub use point::Point;
pub use prefix::{Chain, Hit, PrefixTable};

#[cfg(test)]
mod tests;
