//! Health checks as users define them (API HealthCheckConfig).

use std::net::IpAddr;
use std::time::Duration;

use super::Secret;

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

/// How a check's status is found.
#[derive(Clone, Debug, PartialEq)]
pub enum HealthCheckKind {
    /// By asking an endpoint.
    Endpoint(EndpointCheck),
    /// From the statuses of other checks (the API's CALCULATED).
    Calculated(CalculatedCheck),
    /// By asking a Prometheus (the API's CLOUDWATCH_METRIC).
    Metric(MetricCheck),
    /// By what people say (the API's RECOVERY_CONTROL).
    Manual(RoutingControlState),
}

/// A check that compares the result of a query with a threshold, as a CloudWatch alarm does; an alarm is unhealthy.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricCheck {
    /// The base URL of a Prometheus or of something that speaks its HTTP API.
    pub prometheus: Secret,
    /// PromQL whose result is a scalar or an instant vector.
    pub query: String,
    /// What is said of a bad value (CloudWatch ComparisonOperator).
    pub comparison: ComparisonOperator,
    /// What a value is compared with; finite.
    pub threshold: f64,
    /// From the start of one evaluation to the next, 1 s to a day (CloudWatch Period).
    pub period: Duration,
    /// Bad values in a row that make it unhealthy, and missing ones that are insufficient data, 1..=100 (CloudWatch
    /// EvaluationPeriods).
    pub evaluation_periods: u8,
    /// What it is then.
    pub insufficient_data_health_status: InsufficientDataHealthStatus,
}

/// How a value that is to raise the alarm compares with the threshold (CloudWatch ComparisonOperator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonOperator {
    /// Value > threshold.
    GreaterThanThreshold,
    /// Value ≥ threshold.
    GreaterThanOrEqualToThreshold,
    /// Value < threshold.
    LessThanThreshold,
    /// Value ≤ threshold.
    LessThanOrEqualToThreshold,
}

impl ComparisonOperator {
    /// Whether the value is on the bad side; NaN never is.
    #[must_use]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            ComparisonOperator::GreaterThanThreshold => value > threshold,
            ComparisonOperator::GreaterThanOrEqualToThreshold => value >= threshold,
            ComparisonOperator::LessThanThreshold => value < threshold,
            ComparisonOperator::LessThanOrEqualToThreshold => value <= threshold,
        }
    }
}

/// What a metric check is without data (API InsufficientDataHealthStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsufficientDataHealthStatus {
    /// Healthy.
    Healthy,
    /// Unhealthy.
    Unhealthy,
    /// What it was when there was data; healthy when there never was any.
    LastKnownStatus,
}

/// What people say of a manual check: Route 53's words for its switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingControlState {
    /// Healthy.
    On,
    /// Unhealthy.
    Off,
}

/// A check that counts the healthy ones among other checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalculatedCheck {
    /// Checks of any kind but this one, each once, at most 256 (API ChildHealthChecks).
    pub child_health_checks: Vec<HealthCheckId>,
    /// So many of them must be healthy, 0..=256 (API HealthThreshold): with 0 it always is, with more than there are never.
    pub health_threshold: u16,
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
    /// Which addresses of a domain name are asked.
    pub address_family: AddressFamily,
    /// Deadlines of its own.
    pub timeouts: Timeouts,
}

/// Which addresses of a domain name are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// A records, as Route 53 does.
    #[default]
    Ipv4,
    /// AAAA records.
    Ipv6,
}

/// Deadlines in the place of Route 53's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Option<Duration>,
    /// From the connection to the status.
    pub response: Option<Duration>,
    /// From the status to the searched string.
    pub body: Option<Duration>,
}

/// How an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointProtocol {
    /// A TCP connection that stands within 10 s is success.
    Tcp,
    /// An HTTP request over TCP.
    Http(HttpRequest),
    /// An HTTP request over TLS.
    Https {
        /// What is asked.
        request: HttpRequest,
        /// Whether the domain name is sent in the TLS handshake (API EnableSNI).
        enable_sni: bool,
        /// Whether the certificate must be valid, for the domain name or else the address; Route 53 never asks that.
        verify_certificate: bool,
    },
}

/// What an HTTP check asks and expects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HttpRequest {
    /// Begins with `/`; may hold a query string (API ResourcePath).
    pub resource_path: String,
    /// Must lie whole within the first 5120 bytes of the body (API SearchString).
    pub search_string: Option<String>,
    /// Which statuses are good; none stands for Route 53's, 200 to 399.
    pub expected_status: Vec<StatusRange>,
    /// Sent besides Route 53's headers, or in their place; each name once.
    pub request_headers: Vec<(String, Secret)>,
}

/// Statuses, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRange {
    /// 200..=599.
    pub first: u16,
    /// Not less than `first`.
    pub last: u16,
}

impl HttpRequest {
    /// Whether a status is good.
    #[must_use]
    pub fn expects(&self, status: u16) -> bool {
        if self.expected_status.is_empty() {
            // "2xx or 3xx", redirects included (Developer Guide).
            return (200..=399).contains(&status);
        }
        self.expected_status.iter().any(|range| (range.first..=range.last).contains(&status))
    }
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
    /// A domain name, resolved at every probe (API FullyQualifiedDomainName).
    Domain(String),
}
