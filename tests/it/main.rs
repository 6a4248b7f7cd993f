//! The integration tests: one binary, one module per topic. Those that need a tool, such as tmux,
//! are in `tests/tools`.
//!
//! `cargo test --test it NAME` runs the tests whose path contains NAME, such as
//! `scenarios::weighted`.

#![allow(clippy::unwrap_used)] // a test may fail so

// Answers.

/// Answering a query allocates no memory.
mod allocations;
/// Groups that refer to one CIDR collection share it.
mod collections;
/// Prefetching for a batch changes no answer.
mod prefetch;
/// Properties of any zone, any health and any client, against naive models.
mod properties;
/// Behaviour as data: one file per rule.
mod scenarios;

/// Inputs that felled other servers.
mod hostile;

// The running server.

/// One opinion of health over several nodes, whatever breaks, in simulated time.
mod agreement;
/// What the Route 53 API attaches to zones: query logging, protections, delegation sets.
mod api_attachments;
/// Health checks, CIDR collections and TestDNSAnswer over the Route 53 API.
mod api_checks;
/// The front of the Route 53 API: signatures, trust, hostile requests.
mod api_front;
/// Traffic policies over the Route 53 API.
mod api_policies;
/// Strict mode of the Route 53 API: every rule on and off.
mod api_strict;
/// Hosted zones and record sets over the Route 53 API.
mod api_zones;
/// A client that signs requests for the Route 53 API.
mod aws;
/// DNS cookies, and their secrets.
mod cookies;
/// A failover with real web servers, sockets and time.
mod failover;
/// `kill -9` at any moment while record sets are changed and a file is saved.
mod kill;
/// Backends inside the server.
mod lab;
/// Files that do not open, end or respond.
mod loading;
/// A log that cannot be written, or that nothing reads.
mod log;
/// Metrics and query log.
mod observability;
/// Overrides, set by the command line over the admin interface.
mod overrides;
/// State that survives a restart and `kill -9`.
mod restart;
/// Broken files do not show secrets.
mod secrets;
/// Notifications to systemd.
mod service;
/// The state directory: of an earlier version, damaged, and its permissions.
mod state;
/// The webhook.
mod webhook;
/// Files that are edited while they are served.
mod writing;
/// The directory of new zones.
mod zones_directory;

// User interfaces.

/// `fiftythree change`.
mod change;
/// The command line: output and exit codes.
mod cli;
mod cluster_settings;
/// `fiftythree demo`.
mod demo;
/// `fiftythree init`.
mod history;
mod init;
/// `fiftythree import` and `fiftythree export`.
mod migrate;
/// Output that cannot be written, and settings that do not exist.
mod output;
/// `fiftythree plan`.
mod plan;
/// `fiftythree record`, `fiftythree zone` and `fiftythree change --server`.
mod record;
/// `fiftythree undo`, and large removals.
mod undo;
/// `fiftythree watch`, as lines.
mod watch;

// The repository.

/// Dependencies between modules.
mod architecture;
/// The documents name tests that exist.
mod docs;
/// The tutorial: every command, edit and output of it.
mod tutorial;
/// Retired names stay out of the code, and prose in Markdown wraps.
mod words;

// Helpers.

/// The real binary with its own files, and clients for it.
mod server;
/// Zones and responders that the benches use too.
#[path = "../../benches/support/mod.rs"]
mod support;
