//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! *A query is one walk over labels, one bit read per candidate, one copy of prepared bytes.* Names become numbers when the
//! configuration is compiled; everything a query may know stands in one snapshot that is replaced as a whole.
//!
//! - [`pace`]: work that can wait gives way to answers; it says when, never what.
//! - [`causes`]: an error and its causes in one line.
//! - [`ahead`]: memory asked for ahead, many lines of it at once.
//! - [`files`]: reads files; none of them can hold up more than the thread that asked.
//! - [`log_limit`]: the same warning at most once a minute.
//!
//! The ground floor is pure: no sockets, files, clock or dice of its own.
//!
//! - [`model`]: the nouns of Route 53: names, record types and data, routing policies, hosted zones, health checks, places.
//! - [`config`]: text to model: settings and zones in TOML, every fault with its line and a hint.
//! - [`geo`]: where the client is: the user's networks, geo databases, regions, distances, latencies.
//! - [`health`]: what is up: the state of every health check, and the bits that answers read.
//! - [`policy`]: the eight routing policies: plan, client, usable bits and dice in, who answers out.
//! - [`zonetree`]: one zone, compiled: names, groups, plans, leaves of ready wire bytes.
//!
//! The staircase leads from what is configured to what is answered.
//!
//! - [`world`]: the one snapshot that every query reads, and its one publisher.
//! - [`answer`]: a query and the world in, sections of ready records out.
//! - [`explain`]: the same answer, and why it is so.
//! - [`simulate`]: the answers to many clients, counted.
//!
//! The upper floor touches the outside and decides nothing about DNS.
//!
//! - [`stats`]: plain counters, one set a worker, added up by whoever reads.
//! - [`logging`]: the log, which holds nothing up when nobody reads it.
//! - [`tap`]: who is told of queries: the query log and dnstap.
//! - [`serve`]: sockets: decode, answer, encode, over batched UDP, TCP, or hickory-server.
//! - [`probe`]: asks endpoints how they are, and reports what it saw.
//! - [`store`]: zones, last good sources and remembered health on disk.
//! - [`control`]: the one loop that changes the world.
//! - [`http`]: the front of every HTTP listener: limits, deadlines, who is let in.
//! - [`daemon`]: boots in order, wires the channels, drains, stops.
//! - [`admin`]: the side door: what the server believes, and overrides by people.
//! - [`cli`]: what a person types.

pub mod admin;
pub mod ahead;
pub mod answer;
pub mod causes;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod explain;
pub mod files;
pub mod geo;
pub mod health;
pub mod http;
pub mod log_limit;
pub mod logging;
pub mod model;
pub mod pace;
pub mod policy;
pub mod probe;
pub mod serve;
pub mod simulate;
pub mod stats;
pub mod store;
pub mod tap;
pub mod world;
pub mod zonetree;
