//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! Two floors and a staircase. The ground floor is pure: no sockets, files, clock or dice of its own.
//!
//! - [`model`]: the nouns of Route 53.
//! - [`geo`]: client address → place, distance, latency.

pub mod geo;
pub mod model;
