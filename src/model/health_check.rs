//! Health checks as users define them (API HealthCheckConfig).

use std::net::IpAddr;
use std::time::Duration;

use super::{Agreement, Region, Secret, Tags};

/// The id of a health check, a lower-case UUID. Without one from the user it is derived from the
/// name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HealthCheckId(pub String);

/// A health check.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// The id in the API.
    pub id: HealthCheckId,
    /// The name, unique in all files.
    pub name: String,
    /// What the creator identified the creation by (API CallerReference).
    pub caller_reference: Option<String>,
    /// The number of this definition: 1, and one more with each update (API HealthCheckVersion).
    pub version: u64,
    /// The user's tags.
    pub tags: Tags,
    /// Inverts the final status, also that of a disabled check (API Inverted, Disabled).
    pub inverted: bool,
    /// The check is not probed and counts as healthy (API Disabled).
    pub disabled: bool,
    /// How many nodes of a cluster must consider the endpoint or metric healthy, if the cluster's
    /// rule does not apply.
    pub agreement: Option<Agreement>,
    /// The kind, which decides how the status is found.
    pub kind: HealthCheckKind,
}

/// The kinds of health checks.
#[derive(Clone, Debug, PartialEq)]
pub enum HealthCheckKind {
    /// Probes an endpoint.
    Endpoint(EndpointCheck),
    /// Counts the healthy checks among others (API CALCULATED).
    Calculated(CalculatedCheck),
    /// Queries Prometheus (API CLOUDWATCH_METRIC).
    Metric(MetricCheck),
    /// Has the status that the user sets (API RECOVERY_CONTROL).
    Manual(ManualCheck),
}

/// A check that compares the result of a query with a threshold, as a CloudWatch alarm does; an
/// alarm is unhealthy.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricCheck {
    /// The base URL of Prometheus or of a server with its HTTP API.
    pub prometheus: Secret,
    /// PromQL whose result is a scalar or an instant vector.
    pub query: String,
    /// The comparison that makes a value bad (CloudWatch ComparisonOperator).
    pub comparison: ComparisonOperator,
    /// The finite number that values are compared with.
    pub threshold: f64,
    /// The time from the start of one evaluation to the next, 1 s to 1 day (CloudWatch Period).
    pub period: Duration,
    /// Consecutive bad values that make the check unhealthy, and consecutive missing values that
    /// are insufficient data; 1..=100 (CloudWatch EvaluationPeriods).
    pub evaluation_periods: u8,
    /// The status with insufficient data.
    pub insufficient_data_health_status: InsufficientDataHealthStatus,
    /// What the API calls the query and its threshold; without one it is the name of the check.
    pub alarm: Option<AlarmIdentifier>,
}

/// A CloudWatch alarm (API AlarmIdentifier). This server has none: it is a name for the query of a
/// metric check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmIdentifier {
    /// The region of the alarm.
    pub region: String,
    /// The name of the alarm, 1 to 256 characters.
    pub name: String,
}

/// The comparison of a value with the threshold that raises the alarm (CloudWatch
/// ComparisonOperator).
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
    /// Whether the value is bad. NaN never is.
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

/// The status of a metric check without data (API InsufficientDataHealthStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsufficientDataHealthStatus {
    /// Healthy.
    Healthy,
    /// Unhealthy.
    Unhealthy,
    /// The status when there last was data; healthy if there never was any.
    LastKnownStatus,
}

/// A check whose status the user sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualCheck {
    /// The status.
    pub state: RoutingControlState,
    /// What the API calls the check; without one it is made from the id (API RoutingControlArn).
    pub routing_control_arn: Option<String>,
}

/// The status of a manual check, named as Route 53's routing control states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingControlState {
    /// Healthy.
    On,
    /// Unhealthy.
    Off,
}

/// A check that counts the healthy checks among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalculatedCheck {
    /// At most 256 checks of the other kinds, without duplicates (API ChildHealthChecks).
    pub child_health_checks: Vec<HealthCheckId>,
    /// How many children must be healthy, 0..=256 (API HealthThreshold). With 0 the check is always
    /// healthy, with more than there are it never is.
    pub health_threshold: u16,
}

/// A check that probes an endpoint (API HTTP, HTTPS, HTTP_STR_MATCH, HTTPS_STR_MATCH and TCP).
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointCheck {
    /// The protocol of the probe.
    pub protocol: EndpointProtocol,
    /// The address or name of the endpoint. `Domain` is resolved before every probe.
    pub target: EndpointTarget,
    /// The port, 1..=65535.
    pub port: u16,
    /// The time from the end of one probe to the start of the next (API RequestInterval; 10 or 30 s
    /// in Route 53, from 1 s here).
    pub request_interval: Duration,
    /// Consecutive failed probes that make the check unhealthy, 1..=10 (API FailureThreshold).
    pub failure_threshold: u8,
    /// Consecutive passed probes that make the check healthy, 1..=10. In Route 53 it equals the
    /// failure threshold.
    pub recovery_threshold: u8,
    /// Whether latencies are recorded (API MeasureLatency).
    pub measure_latency: bool,
    /// Which addresses of a domain name are probed.
    pub address_family: AddressFamily,
    /// Timeouts that replace the defaults.
    pub timeouts: Timeouts,
    /// Route 53's checkers, at least three of [`CHECKER_REGIONS`]; empty for all (API Regions).
    /// The checkers are this server, or the nodes of its cluster: they are kept for the API.
    pub regions: Vec<Region>,
}

/// The regions of Route 53's checkers (API HealthCheckRegion).
pub const CHECKER_REGIONS: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
];
/// The fewest of them that a check can have (API HealthCheckRegionList).
pub const MIN_CHECKER_REGIONS: usize = 3;

/// Which addresses of a domain name are probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// A records, as Route 53 does.
    #[default]
    Ipv4,
    /// AAAA records.
    Ipv6,
}

/// Timeouts that replace Route 53's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// Time for the connection, TLS included.
    pub connect: Option<Duration>,
    /// Time from the connection to the status line.
    pub response: Option<Duration>,
    /// Time from the status line to the search string.
    pub body: Option<Duration>,
}

/// The protocol of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointProtocol {
    /// A TCP connection; it passes if it is established within 10 s.
    Tcp,
    /// An HTTP request over TCP.
    Http(HttpRequest),
    /// An HTTP request over TLS.
    Https {
        /// The request.
        request: HttpRequest,
        /// Whether the domain name is sent in the TLS handshake (API EnableSNI).
        enable_sni: bool,
        /// Whether the certificate must be valid for the domain name, or else for the address.
        /// Route 53 does not verify certificates.
        verify_certificate: bool,
    },
}

/// The request of an HTTP check, and the response it expects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HttpRequest {
    /// The path, if the user set one; it begins with `/` and may have a query string (API
    /// ResourcePath).
    pub resource_path: Option<String>,
    /// The string that must be within the first 5120 bytes of the body (API SearchString).
    pub search_string: Option<String>,
    /// The statuses that pass. Empty means Route 53's, 200 to 399.
    pub expected_status: Vec<StatusRange>,
    /// Headers in addition to Route 53's, or replacing them; no name occurs twice.
    pub request_headers: Vec<(String, Secret)>,
}

/// A range of statuses, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRange {
    /// The first status, 200..=599.
    pub first: u16,
    /// The last status, not less than `first`.
    pub last: u16,
}

impl HttpRequest {
    /// The path to request.
    #[must_use]
    pub fn path(&self) -> &str {
        self.resource_path.as_deref().unwrap_or("/")
    }

    /// Whether a status passes.
    #[must_use]
    pub fn expects(&self, status: u16) -> bool {
        if self.expected_status.is_empty() {
            // "2xx or 3xx", redirects included (Developer Guide).
            return (200..=399).contains(&status);
        }
        self.expected_status.iter().any(|range| (range.first..=range.last).contains(&status))
    }
}

/// The endpoint of a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointTarget {
    /// An address. A domain name is only used for the Host header and SNI.
    Address {
        /// IPv4 or IPv6.
        ip_address: IpAddr,
        /// API FullyQualifiedDomainName.
        fully_qualified_domain_name: Option<String>,
    },
    /// A domain name, resolved before every probe (API FullyQualifiedDomainName).
    Domain(String),
}
