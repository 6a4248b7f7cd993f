//! Looks outside: asks endpoints over TCP, HTTP and HTTPS, and reports what it saw. Concludes nothing.
//!
//! ```text
//!  plans (from the tracker) ──▶ Prober ── a task a probe ──▶ resolve ─▶ http | tcp ──▶ Observed ──▶ control
//!                               starts, keeps, stops          (off the clock)            bounded channel
//! ```
//!
//! - `prober`: who is probed when; every probe's task is owned here and stops with the last of its checks.
//! - `http`, `tcp`: one probe of one endpoint under Route 53's deadlines; `exchange`: request and response on a connection;
//!   `head`, `framing`: what of the response is what; `body`: the string in it.
//! - `tls`: any certificate is good; `authorities`: but where a check wants it verified; `certificate`: what is read of one.
//! - `metric`: one evaluation of a metric check by a Prometheus; `evaluator`: which is evaluated when.
//! - `resolve`: the address of a domain name, before each probe.
//! - `places`: how many probes run at once, and that hung ones do not delay others; `pause`: detects
//!   that the process was stopped or suspended; `environment`: what all probes share.
//! - `longest`: how long all that may take at the very most.
//! - `report`: what was seen, and Route 53's words for it.

mod authorities;
mod body;
mod certificate;
mod environment;
mod errors;
mod evaluator;
mod exchange;
mod framing;
mod head;
mod http;
mod longest;
mod metric;
mod pause;
mod places;
mod prober;
mod report;
mod resolve;
mod tcp;
mod tls;

#[cfg(test)]
mod like_curl;
#[cfg(test)]
mod test_servers;

use std::time::Duration;

use tokio::time::Instant;

use crate::health::{CheckSlot, Generation, Observation};
use crate::model::Timeouts;

pub use authorities::{Authorities, AuthoritiesError};
pub use environment::Environment;
pub use evaluator::{Evaluated, Evaluator};
pub use longest::longest_failover;
pub use metric::{MetricReport, Numbers};
pub use prober::{Prober, ProberError, ProberSettings};
pub use report::{Asked, Durations, Finding, Report, Step};

/// One probe's result, on its way to the loop that decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Which check.
    pub slot: CheckSlot,
    /// Which life of it.
    pub generation: Generation,
    /// Whether the endpoint did as it should.
    pub observation: Observation,
    /// What was seen.
    pub report: Report,
    /// When it was begun: before the name was looked up and the probe had its turn.
    pub began: Instant,
}

/// How long each step of a probe may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// For the address of a domain name, before the other clocks start.
    pub resolve: Duration,
    /// For the connection of an HTTP check, TLS included, a second handshake without SNI too.
    pub connect: Duration,
    /// For the status, from when the connection stands.
    pub status: Duration,
    /// For the body in which a string is searched, from the status on.
    pub body: Duration,
    /// For the connection of a TCP check.
    pub tcp_connect: Duration,
}

impl Timings {
    /// With a check's own deadlines in their place.
    fn with(self, own: &Timeouts) -> Timings {
        Timings {
            connect: own.connect.unwrap_or(self.connect),
            status: own.response.unwrap_or(self.status),
            body: own.body.unwrap_or(self.body),
            tcp_connect: own.connect.unwrap_or(self.tcp_connect),
            ..self
        }
    }
}

impl Default for Timings {
    /// Route 53's, from the Developer Guide, "How Amazon Route 53 determines whether a health check is healthy".
    /// It says nothing of name resolution: 5 s is what the C library waits for one answer of one name server.
    fn default() -> Timings {
        Timings {
            resolve: environment::LOOK_UP_WITHIN,
            connect: Duration::from_secs(4),
            status: Duration::from_secs(2),
            body: Duration::from_secs(2),
            tcp_connect: Duration::from_secs(10),
        }
    }
}
