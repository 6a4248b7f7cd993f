//! Health checks as users define them (API HealthCheckConfig).

use std::net::IpAddr;
use std::time::Duration;

/// The id of a health check, a lower-case UUID. It follows from the check's name when the user gives none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HealthCheckId(pub String);

/// A health check.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// What the API calls it.
    pub id: HealthCheckId,
    /// What people call it; unique over all files.
    pub name: String,
    /// Turns the final verdict around, also that of a disabled check (API Inverted, Disabled).
    pub inverted: bool,
    /// No longer probed, and healthy from then on (API Disabled).
    pub disabled: bool,
    /// How its status is found.
    pub kind: HealthCheckKind,
}

/// How a check's status is found. Calculated, metric and manual checks will stand beside the endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum HealthCheckKind {
    /// By asking an endpoint.
    Endpoint(EndpointCheck),
}

/// A check that asks an endpoint (the API's HTTP, HTTPS, HTTP_STR_MATCH, HTTPS_STR_MATCH and TCP).
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointCheck {
    /// How it asks.
    pub protocol: EndpointProtocol,
    /// Whom it asks; `Domain` is resolved before every probe.
    pub target: EndpointTarget,
    /// 1..=65535.
    pub port: u16,
    /// From the end of one probe to the start of the next (API RequestInterval; 10 or 30 s in Route 53, from 1 s here).
    pub request_interval: Duration,
    /// Failed probes in a row that make it unhealthy, 1..=10 (API FailureThreshold).
    pub failure_threshold: u8,
    /// Passed probes in a row that make it healthy, 1..=10; the failure threshold in Route 53.
    pub recovery_threshold: u8,
    /// Whether latency figures are kept (API MeasureLatency).
    pub measure_latency: bool,
}

/// How an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointProtocol {
    /// A TCP connection that stands within 10 s is success.
    Tcp,
    /// An HTTP request over TCP.
    Http(HttpRequest),
    /// An HTTP request over TLS; the certificate is not judged.
    Https {
        /// What is asked.
        request: HttpRequest,
        /// Whether the domain name is sent in the TLS handshake (API EnableSNI).
        enable_sni: bool,
    },
}

/// What an HTTP check asks and expects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpRequest {
    /// Begins with `/`; may hold a query string (API ResourcePath).
    pub resource_path: String,
    /// Must lie whole within the first 5120 bytes of the body (API SearchString).
    pub search_string: Option<String>,
}

/// Whom a check asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointTarget {
    /// A literal address; the domain name, when there is one, goes into Host and SNI only.
    Address {
        /// IPv4 or IPv6.
        ip_address: IpAddr,
        /// API FullyQualifiedDomainName.
        fully_qualified_domain_name: Option<String>,
    },
    /// A domain name, resolved at every probe, IPv4 only (API FullyQualifiedDomainName).
    Domain(String),
}
