//! fiftythree: an authoritative DNS server that routes like Amazon Route 53.
//!
//! A query looks up its name, reads one health bit per candidate record, and copies prepared bytes.
//! Names become numbers when the configuration is compiled. Everything that an answer depends on is
//! in one snapshot, the world, which is replaced as a whole.
//!
//! Small things that others use:
//!
//! - [`background`]: loading and other work that can wait yields the processor to answers.
//! - [`cookie_secrets`]: the secrets of DNS cookies, and how they are replaced.
//! - [`causes`]: an error and its causes in one line.
//! - [`prefetch`]: many cache lines requested at once.
//! - [`files`]: reads files; a file system that hangs blocks only the thread that reads.
//! - [`log_limit`]: the same warning at most once a minute.
//! - [`requestor`]: who sends a query: address and transport.
//! - [`visible_text`]: texts that others wrote, as logs and terminals show them.
//!
//! The pure part has no sockets, files, clock or random numbers of its own:
//!
//! - [`model`]: Route 53's terms: names, record types and data, routing policies, hosted zones,
//!   health checks, locations.
//! - [`config`]: TOML to model: settings and zones; every error with its line and a hint; which
//!   source is served when a file is broken (`select_sources`).
//! - [`objects`]: zones, checks and collections as objects that programs change; what a change is
//!   and by which rules it is allowed (`decide`).
//! - [`geo`]: where the client is, and on how many bits of its address that depends (the ECS scope,
//!   `prefix`): configured networks, geo databases, regions, distances, latencies.
//! - [`health`]: the state of every health check (`check_state` has the failure threshold), and one
//!   bit for each: healthy or not; how records drain (`overrides`) and return with a failback delay
//!   and a slow start (`recovery`).
//! - [`policy`]: the eight routing policies, one file each: candidates, client, health and random
//!   numbers in, the chosen records out. The rule for groups that are all unhealthy (fail-open) is
//!   in its `mod.rs`.
//! - [`zonetree`]: one compiled zone: names, groups, records as wire-format bytes.
//!
//! From configuration to answers:
//!
//! - [`world`]: the snapshot that every query reads, and its one publisher.
//! - [`answer`]: a query and the world in, the sections of a response out; CNAME and alias chains
//!   and their bound (`resolve`).
//! - [`explain`]: the same answer, and why it is given.
//! - [`simulate`]: the answers to many clients, counted.
//!
//! The part that does I/O chooses no records:
//!
//! - [`stats`]: counters, one set per worker.
//! - [`logging`]: the log; it never blocks.
//! - [`query_logging`]: the query log and dnstap.
//! - [`serve`]: sockets: decode, answer, encode and truncate (`encode`), over batched UDP, TCP
//!   (`tcp` has its limits) or hickory-server; rate limits, DNS cookies.
//! - [`probe`]: probes endpoints and reports the results.
//! - [`store`]: zone files, last good copies and saved state on disk.
//! - [`history`]: what happened: status changes, overrides, reloads, and changes of objects, in one
//!   log that survives a restart.
//! - [`privilege`]: what the process can no longer do after its start.
//! - [`load`]: from files to compiled zones and diagnostics; the queue of configuration loads.
//! - [`plan`]: what a change would do, before it is made.
//! - [`cluster`]: several nodes with one configuration, through etcd.
//! - [`control`]: the one loop that changes the world: takes probe results, overrides and loads,
//!   and publishes; what of that survives a restart (`saved_state`).
//! - [`http`]: the front of every HTTP listener: limits, timeouts, allowed hosts.
//! - [`lab`]: small web servers as targets of health checks.
//! - [`daemon`]: starts in order, connects the channels, drains, stops.
//! - [`api`]: the Route 53 API: its listener, who may call it, its operations and their shapes.
//! - [`migrate`]: zones in and out: BIND zone files, the JSON of `aws route53`, other servers.
//! - [`admin`]: the admin side: status page, HTTP API, metrics, overrides.
//! - [`cli`]: the command line.

mod admin;
pub mod answer;
mod api;
mod background;
mod causes;
pub mod cli;
mod cluster;
pub mod config;
mod control;
pub mod cookie_secrets;
mod daemon;
pub mod explain;
mod files;
pub mod geo;
pub mod health;
mod history;
mod http;
mod lab;
mod load;
mod log_limit;
pub mod logging;
mod migrate;
pub mod model;
mod objects;
mod plan;
pub mod policy;
mod prefetch;
mod privilege;
pub mod probe;
pub mod query_logging;
pub mod requestor;
pub mod serve;
mod simulate;
pub mod stats;
mod store;
#[cfg(test)]
mod test_log;
mod visible_text;
pub mod world;
pub mod zonetree;
