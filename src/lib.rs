//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! Two floors and a staircase. The ground floor is pure: no sockets, files, clock or dice of its own.
//!
//! - [`model`]: the nouns of Route 53.
//! - [`health`]: what is up: the state of every health check, and the bits that answers read.
//! - [`probe`]: looks outside for the health checks and reports what it saw.

pub mod health;
pub mod model;
pub mod probe;
