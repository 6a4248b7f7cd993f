//! Identifies what a check probes, to decide whether its results stay valid under another
//! configuration or after a restart.

use std::fmt;

use crate::model::{
    EndpointCheck, EndpointProtocol, HealthCheck, HealthCheckId, HealthCheckKind, HttpRequest, MetricCheck,
};

/// A hash of what a check probes: equal for two checks if the results of one are valid for the
/// other. Comparable across restarts. A new version of the program may see a difference where there
/// is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckFingerprint(pub u64);

/// Which check, and what it probes: the key of its saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id, as in the API.
    pub id: HealthCheckId,
    /// The hash of what it probes.
    pub fingerprint: CheckFingerprint,
}

impl Identity {
    pub(super) fn of(check: &HealthCheck) -> Identity {
        Identity { id: check.id.clone(), fingerprint: fingerprint(&check.kind) }
    }
}

/// Whether results of one are valid for the other.
pub(super) fn compares_the_same(one: &MetricCheck, other: &MetricCheck) -> bool {
    let MetricCheck {
        prometheus,
        query,
        comparison,
        threshold,
        period: _,
        evaluation_periods: _,
        insufficient_data_health_status: _,
        alarm: _,
    } = one;
    *prometheus == other.prometheus
        && *query == other.query
        && *comparison == other.comparison
        && *threshold == other.threshold
}

/// Whether results of one are valid for the other. Intervals and thresholds do not matter for that.
pub(super) fn probes_the_same(one: &EndpointCheck, other: &EndpointCheck) -> bool {
    let EndpointCheck {
        protocol,
        target,
        port,
        request_interval: _,
        failure_threshold: _,
        recovery_threshold: _,
        measure_latency: _,
        address_family,
        timeouts,
        regions: _,
    } = one;
    *protocol == other.protocol
        && *target == other.target
        && *port == other.port
        && *address_family == other.address_family
        && *timeouts == other.timeouts
}

/// A hash of what `probes_the_same` and `compares_the_same` compare: FNV-1a of its text form, which
/// is part of the state directory's format. Checks that probe nothing have no results to save.
fn fingerprint(kind: &HealthCheckKind) -> CheckFingerprint {
    let text = match kind {
        HealthCheckKind::Endpoint(EndpointCheck { protocol, target, port, address_family, timeouts, .. }) => {
            format!("{:?} {target:?} {port} {address_family:?} {timeouts:?}", FullProtocol(protocol))
        }
        HealthCheckKind::Metric(check) => {
            format!("{} {} {:?} {}", check.prometheus.reveal(), check.query, check.comparison, check.threshold)
        }
        HealthCheckKind::Calculated(_) => "children".to_owned(),
        HealthCheckKind::Manual(_) => "people".to_owned(),
    };
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    CheckFingerprint(text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// A protocol written out in full, secrets included, for the hash only; it is never displayed. The
/// form is part of the format of the state directory: if it changes, no saved result fits a check
/// any more.
struct FullProtocol<'p>(&'p EndpointProtocol);

struct Request<'r>(&'r HttpRequest);

impl fmt::Debug for FullProtocol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            EndpointProtocol::Tcp => f.write_str("Tcp"),
            EndpointProtocol::Http(request) => f.debug_tuple("Http").field(&Request(request)).finish(),
            EndpointProtocol::Https { request, enable_sni, verify_certificate } => f
                .debug_struct("Https")
                .field("request", &Request(request))
                .field("enable_sni", enable_sni)
                // The setting's first name: state directories were written with it.
                .field("judge_certificate", verify_certificate)
                .finish(),
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HttpRequest { resource_path: _, search_string, expected_status, request_headers } = self.0;
        let headers: Vec<(&str, &str)> =
            request_headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        f.debug_struct("HttpRequest")
            .field("resource_path", &self.0.path())
            .field("search_string", search_string)
            .field("expected_status", expected_status)
            .field("request_headers", &headers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StatusRange;

    #[test]
    fn the_form_is_that_of_the_first_state_directories() {
        let request = HttpRequest {
            resource_path: Some("/health".to_owned()),
            search_string: Some("\"ok\"".to_owned()),
            expected_status: vec![StatusRange { first: 200, last: 299 }],
            request_headers: vec![("Authorization".to_owned(), "Bearer abc".into())],
        };
        let http = EndpointProtocol::Http(request.clone());
        let words = "HttpRequest { resource_path: \"/health\", search_string: Some(\"\\\"ok\\\"\"), \
                     expected_status: [StatusRange { first: 200, last: 299 }], \
                     request_headers: [(\"Authorization\", \"Bearer abc\")] }";
        assert_eq!(format!("{:?}", FullProtocol(&http)), format!("Http({words})"));
        assert!(!format!("{http:?}").contains("abc"));
        let https = EndpointProtocol::Https { request, enable_sni: true, verify_certificate: false };
        let expected = format!("Https {{ request: {words}, enable_sni: true, judge_certificate: false }}");
        assert_eq!(format!("{:?}", FullProtocol(&https)), expected);
        assert_eq!(format!("{:?}", FullProtocol(&EndpointProtocol::Tcp)), "Tcp");
    }
}
