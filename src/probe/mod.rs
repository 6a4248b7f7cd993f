//! Probes: checks endpoints over TCP, HTTP and HTTPS and reports the results. It makes no
//! decisions.
//!
//! ```text
//!  schedule ──▶ Prober ── one task per probe ──▶ resolve ──▶ http | tcp ──▶ Observed ──▶ control
//!  (from the    starts, keeps                    (before the                bounded
//!   tracker)    and stops tasks                   deadlines)                channel
//! ```
//!
//! - `prober`: schedules the probes; each probe's task is owned here and stops with the last of its
//!   checks.
//! - `http`, `tcp`: one probe of one endpoint with Route 53's deadlines; `exchange`: request and
//!   response on a connection; `head`, `framing`: parse the response; `body`: searches the string.
//! - `tls`: accepts any certificate; `authorities`: verifies certificates for checks with
//!   `verify_certificate`; `certificate`: parses them.
//! - `metric`: one evaluation of a metric check by a Prometheus; `evaluator`: schedules the
//!   evaluations.
//! - `resolve`: the address of a domain name, before each probe.
//! - `concurrency`: limits how many probes run at once, so that hung ones do not delay others;
//!   `pause`: detects that the process was stopped or suspended; `environment`: what all probes
//!   share.
//! - `longest`: the longest time to failover.
//! - `report`: the result of a probe, in Route 53's words.

mod authorities;
mod body;
mod certificate;
mod concurrency;
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
pub use report::{Durations, Finding, ProbePhase, ProbedAddress, Report};

/// The result of one probe, sent to the control loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The check.
    pub slot: CheckSlot,
    /// The generation of its slot.
    pub generation: Generation,
    /// Whether the probe passed.
    pub observation: Observation,
    /// What the probe found.
    pub report: Report,
    /// When it began: before the name was resolved and the probe got a place.
    pub began: Instant,
}

/// The deadline of each step of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// To resolve a domain name, before the other deadlines start.
    pub resolve: Duration,
    /// To connect for an HTTP check, including TLS and a second handshake without SNI.
    pub connect: Duration,
    /// To receive the status, after the connection is established.
    pub status: Duration,
    /// To receive the body that is searched, after the status.
    pub body: Duration,
    /// To connect for a TCP check.
    pub tcp_connect: Duration,
}

impl Timings {
    /// Replaces the deadlines that the check sets.
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
    /// Route 53's deadlines, from the Developer Guide, "How Amazon Route 53 determines whether a
    /// health check is healthy". It does not mention name resolution: 5 s is how long the C library
    /// waits for one response of one name server.
    fn default() -> Timings {
        Timings {
            resolve: resolve::LOOK_UP_WITHIN,
            connect: Duration::from_secs(4),
            status: Duration::from_secs(2),
            body: Duration::from_secs(2),
            tcp_connect: Duration::from_secs(10),
        }
    }
}
