//! Locates clients: from an address to a location, using configured networks, databases, regions,
//! distances and round trips.
//!
//! - [`Client`]: the client of a query. Routing policies get all facts about a client from it.
//! - [`GeoLookup`]: all sources of locations; configured networks first, then the databases.
//! - [`Location`]: the result, with its ECS scope.
//! - [`Database`]: a file in MaxMind format, flattened when it is loaded.
//! - [`RoundTrips`]: measured round trips to the regions, or an estimate by distance.
//! - [`Point`]: a point on the globe, for distances.
//! - [`PrefixTable`]: longest-prefix match together with the prefix that decided it. All others use
//!   it.

mod client;
mod database;
mod geo_lookup;
mod intervals;
mod latency;
mod location;
mod point;
mod prefix;
mod static_btree;

pub use client::Client;
pub use database::{Database, DatabaseError};
pub use geo_lookup::{GeoLookup, Located};
pub use latency::{RoundTrips, TripBasis, estimated_ms};
pub use location::{Location, LocationSource};
pub use point::Point;
pub use prefix::{Chain, Hit, PrefixTable};

#[cfg(test)]
mod tests;
