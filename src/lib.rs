//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! Two floors and a staircase. The ground floor is pure: no sockets, files, clock or dice of its own.
//!
//! - [`model`]: the nouns of Route 53.
//! - [`policy`]: the eight routing policies: plan, client, usable bits and dice in, who answers out.
//! - [`zonetree`]: one zone, compiled: names, groups, plans, leaves of ready wire bytes.
//! - [`world`]: the one snapshot that every query reads, and its one publisher.
//! - [`answer`]: a query and the world in, sections of ready records out.

pub mod answer;
pub mod model;
pub mod policy;
pub mod world;
pub mod zonetree;
