//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! *A query is one walk over labels, one bit read per candidate, one copy of prepared bytes.* Names become numbers when the
//! configuration is compiled; everything a query may know stands in one snapshot that is replaced as a whole.
//!
//! The ground floor is pure: no sockets, files, clock or dice of its own.
//!
//! - [`model`]: the nouns of Route 53: names, record types and data, routing policies, hosted zones, health checks, places.
//! - [`geo`]: where the client is: the user's networks, geo databases, regions, distances, latencies.
//! - [`health`]: what is up: the state of every health check, and the bits that answers read.
//! - [`probe`]: looks outside for the health checks and reports what it saw.
>>>>>>> .merge_file_s3n2Ze

pub mod answer;
pub mod geo;
pub mod health;
pub mod model;
<<<<<<< .merge_file_5GgxBt
pub mod policy;
pub mod serve;
pub mod stats;
pub mod world;
pub mod zonetree;
pub mod probe;
