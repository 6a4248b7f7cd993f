//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! Two floors and a staircase. The ground floor is pure: no sockets, files, clock or dice of its own.
//!
//! - [`model`]: the nouns of Route 53.
//! - [`zonetree`]: one zone, compiled: names, groups, plans, leaves of ready wire bytes.
//! - [`answer`]: a query and the world in, sections of ready records out.

pub mod answer;
pub mod model;
pub mod zonetree;
