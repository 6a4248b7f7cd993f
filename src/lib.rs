//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! Two floors and a staircase. The ground floor is pure: no sockets, files, clock or dice of its own.
//!
//! - [`model`]: the nouns of Route 53.
//! - [`zonetree`]: one zone, compiled: names, groups, plans, leaves of ready wire bytes.
//! - [`answer`]: a query and the world in, sections of ready records out.
//! - [`serve`]: packets in, packets out: sockets, decode, encode, limits.
//! - [`stats`]: plain counters, one set a worker.

pub mod answer;
pub mod model;
pub mod serve;
pub mod stats;
pub mod zonetree;
