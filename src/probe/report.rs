//! The result of one probe, in Route 53's words (GetHealthCheckStatus).

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hyper::StatusCode;

use crate::health::{Observation, Reason};

/// The result of one probe. Its `Display` is a status message in the form of Route 53's.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The finding.
    pub finding: Finding,
    /// The address that was probed.
    pub address: ProbedAddress,
    /// The durations of its steps.
    pub durations: Durations,
}

/// The address that was probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbedAddress {
    /// The address in the check's configuration.
    Literal(IpAddr),
    /// The address of the check's domain name at this probe.
    Resolved(IpAddr),
    /// None: the domain name has no address.
    NoAddress,
}

/// The durations of a probe's steps. A step that was not reached has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Until the TCP connection was established (Route 53's ConnectionTime).
    pub connect: Option<Duration>,
    /// From then until the TLS handshake was complete (SSLHandshakeTime). After a second handshake
    /// without SNI, which uses a new connection, both durations are those of the second.
    pub tls_handshake: Option<Duration>,
    /// From the time when the request could be sent until the head of the response was complete.
    pub first_byte: Option<Duration>,
    /// The whole probe, without name resolution.
    pub total: Duration,
}

/// The finding of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The connection of a TCP check was established.
    Connected,
    /// A good status, and the search string if there is one.
    GoodStatus(u16),
    /// A status that does not pass.
    BadStatus(u16),
    /// A good status without the search string in the first 5120 bytes of the body.
    StringMissing(u16),
    /// A good status without the search string in the part of the body that could be decoded; why
    /// the rest could not.
    Undecodable(u16, String),
    /// A step timed out.
    TimedOut(ProbePhase),
    /// The endpoint refused the connection.
    Refused,
    /// The endpoint closed or reset the connection too early.
    Closed,
    /// The endpoint is unreachable; the system's reason.
    Unreachable(String),
    /// The TLS handshake failed; the reason.
    Tls(String),
    /// The response is not valid HTTP; the reason.
    Protocol(String),
    /// The domain name has no address; the reason.
    Unresolved(String),
    /// No name server gave a usable response; the reason.
    ResolverFailed(String),
}

/// A step of a probe with its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbePhase {
    /// Connecting, TLS included.
    Connect,
    /// From the connection to the status.
    Status,
    /// From the status to the search string.
    Body,
}

impl Report {
    /// Whether the probe passed.
    #[must_use]
    pub fn observation(&self) -> Observation {
        match (&self.finding, self.finding.reason()) {
            (_, Reason::Good) => Observation::Pass,
            (Finding::ResolverFailed(_), _) => Observation::ResolverFailure,
            _ => Observation::Fail,
        }
    }
}

impl Finding {
    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Finding::Connected | Finding::GoodStatus(_) => Reason::Good,
            Finding::BadStatus(_) => Reason::Status,
            Finding::StringMissing(_) | Finding::Undecodable(..) => Reason::StringMissing,
            Finding::TimedOut(_) => Reason::Timeout,
            Finding::Refused => Reason::ConnectionRefused,
            Finding::Closed | Finding::Unreachable(_) => Reason::ConnectionFailed,
            Finding::Tls(_) => Reason::Tls,
            Finding::Protocol(_) => Reason::Protocol,
            Finding::Unresolved(_) | Finding::ResolverFailed(_) => Reason::Dns,
        }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Finding::GoodStatus(code)
            | Finding::BadStatus(code)
            | Finding::StringMissing(code)
            | Finding::Undecodable(code, _) => Some(*code),
            _ => None,
        }
    }
}

/// These are Route 53's own messages, verbatim: both forms of a status, the closed connection, the
/// TLS alert. Only the pattern of its other messages is known; the rest follows it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = match self.finding.reason() {
            Reason::Good => "Success",
            _ => "Failure",
        };
        match (self.finding.status(), self.address) {
            // Route 53 formats the status in two ways: "Code 200, OK" and "Code: 200. Resolved IP:
            // … . OK".
            (Some(code), ProbedAddress::Resolved(ip)) => {
                write!(f, "{result}: HTTP Status Code: {code}. Resolved IP: {ip}. {}", phrase(code))?;
            }
            (Some(code), _) => write!(f, "{result}: HTTP Status Code {code}, {}", phrase(code))?,
            (None, ProbedAddress::Resolved(ip)) => write!(f, "{result}: Resolved IP: {ip}. ")?,
            (None, _) => write!(f, "{result}: ")?,
        }
        self.finding.write_detail(f)
    }
}

impl Finding {
    fn write_detail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::GoodStatus(_) | Finding::BadStatus(_) => Ok(()),
            Finding::StringMissing(_) => {
                f.write_str(". The search string was not found in the first 5120 bytes of the body.")
            }
            Finding::Undecodable(_, why) => {
                write!(f, ". The search string was not found in the body, which could not be decoded: {why}.")
            }
            Finding::Connected => f.write_str("The connection was established."),
            // Route 53 goes on with the firewall rules for its own checkers, which do not apply
            // here.
            Finding::TimedOut(ProbePhase::Connect) => {
                f.write_str("Connection timed out. The endpoint is down, or a firewall blocks the connection.")
            }
            Finding::TimedOut(ProbePhase::Status) => {
                f.write_str("The endpoint did not send an HTTP status within the timeout limit.")
            }
            Finding::TimedOut(ProbePhase::Body) => {
                f.write_str("The endpoint did not send the body within the timeout limit.")
            }
            Finding::Refused => f.write_str("The connection was refused by the endpoint."),
            Finding::Closed => f.write_str("The connection was closed by the endpoint."),
            Finding::Unreachable(why) => write!(f, "The endpoint could not be reached: {why}."),
            Finding::Tls(why) => f.write_str(why),
            Finding::Protocol(why) => write!(f, "The response is not valid HTTP: {why}."),
            Finding::Unresolved(why) | Finding::ResolverFailed(why) => write!(f, "DNS resolution failed: {why}."),
        }
    }
}

/// The standard name of the status code. The endpoint's own reason phrase is not copied into logs.
fn phrase(code: u16) -> &'static str {
    StatusCode::from_u16(code).ok().and_then(|code| code.canonical_reason()).unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(finding: Finding, address: ProbedAddress) -> String {
        Report { finding, address, durations: Durations::default() }.to_string()
    }

    #[test]
    fn a_status_reads_as_route_53_writes_it() {
        let literal = ProbedAddress::Literal("192.0.2.44".parse().unwrap());
        let resolved = ProbedAddress::Resolved("192.0.2.44".parse().unwrap());
        let cases = [
            (Finding::GoodStatus(200), literal, "Success: HTTP Status Code 200, OK"),
            (Finding::GoodStatus(200), resolved, "Success: HTTP Status Code: 200. Resolved IP: 192.0.2.44. OK"),
            (Finding::BadStatus(503), literal, "Failure: HTTP Status Code 503, Service Unavailable"),
            (
                Finding::StringMissing(200),
                literal,
                "Failure: HTTP Status Code 200, OK. The search string was not found in the first 5120 bytes of the body.",
            ),
            (Finding::Closed, resolved, "Failure: Resolved IP: 192.0.2.44. The connection was closed by the endpoint."),
            (
                Finding::TimedOut(ProbePhase::Connect),
                literal,
                "Failure: Connection timed out. The endpoint is down, or a firewall blocks the connection.",
            ),
            (
                Finding::Unresolved("app.lab.test has no IPv4 address".to_owned()),
                ProbedAddress::NoAddress,
                "Failure: DNS resolution failed: app.lab.test has no IPv4 address.",
            ),
            (Finding::Tls("SSL alert handshake_failure".to_owned()), literal, "Failure: SSL alert handshake_failure"),
        ];
        for (finding, address, expected) in cases {
            assert_eq!(text(finding, address), expected);
        }
    }
}
