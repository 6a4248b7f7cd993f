//! A check of the model from a shape, and the nearest shape of any check.

use std::time::Duration;

use super::config::{CheckType, ConfigMembers, HealthCheckConfig, MAX_REQUEST_INTERVAL, MIN_REQUEST_INTERVAL};
use crate::api::caller::ACCOUNT;
use crate::api::errors::ApiError;
use crate::model::{
    AddressFamily, AlarmIdentifier, CalculatedCheck, EndpointCheck, EndpointProtocol, EndpointTarget, HealthCheck,
    HealthCheckId, HealthCheckKind, HttpRequest, InsufficientDataHealthStatus, ManualCheck, MetricCheck,
    RoutingControlState, Timeouts,
};

/// API RequestInterval, FailureThreshold.
const DEFAULT_REQUEST_INTERVAL: u8 = 30;
const DEFAULT_FAILURE_THRESHOLD: u8 = 3;
/// The region of an alarm that only has the name of a check.
const ALARM_REGION: &str = "us-east-1";

impl HealthCheckConfig {
    /// The configuration of a new check: valid, with Route 53's defaults for what is absent.
    pub(in crate::api) fn complete(mut self) -> Result<HealthCheckConfig, ApiError> {
        self.check()?;
        let check_type = self.check_type;
        let members = &mut self.members;
        members.inverted.get_or_insert(false);
        members.disabled.get_or_insert(false);
        match check_type {
            CheckType::Calculated => drop(members.child_health_checks.get_or_insert_default()),
            CheckType::CloudwatchMetric => {
                let status = &mut members.insufficient_data_health_status;
                status.get_or_insert(InsufficientDataHealthStatus::LastKnownStatus);
            }
            CheckType::RecoveryControl => {}
            _ => {
                members.port.get_or_insert(if check_type.is_https() { 443 } else { 80 });
                members.request_interval.get_or_insert(DEFAULT_REQUEST_INTERVAL);
                members.failure_threshold.get_or_insert(DEFAULT_FAILURE_THRESHOLD);
                members.measure_latency.get_or_insert(false);
                members.resource_path = members.resource_path.take().map(absolute_path);
                members.enable_sni = Some(check_type.is_https() && members.enable_sni.unwrap_or(true));
                return Ok(self);
            }
        }
        members.measure_latency = None;
        members.enable_sni = None;
        members.child_health_checks.take_if(|_| check_type != CheckType::Calculated);
        Ok(self)
    }

    pub(in crate::api) fn inverted(&self) -> bool {
        self.members.inverted.unwrap_or_default()
    }

    pub(in crate::api) fn disabled(&self) -> bool {
        self.members.disabled.unwrap_or_default()
    }

    /// The kind of a new check with this configuration, which is complete.
    pub(in crate::api) fn kind(&self, checks: &[HealthCheck]) -> Result<HealthCheckKind, ApiError> {
        let members = &self.members;
        Ok(match self.check_type {
            CheckType::Calculated => {
                let child_health_checks = members.child_health_checks.clone().unwrap_or_default();
                known_children(&child_health_checks, checks)?;
                let health_threshold = members.health_threshold.unwrap_or_default();
                HealthCheckKind::Calculated(CalculatedCheck { child_health_checks, health_threshold })
            }
            CheckType::CloudwatchMetric => {
                let mut metric = members.alarm_identifier.as_ref().map(|alarm| alarm_of(alarm, checks)).transpose()?;
                if let (Some(metric), Some(status)) = (&mut metric, members.insufficient_data_health_status) {
                    metric.insufficient_data_health_status = status;
                }
                HealthCheckKind::Metric(metric.expect("a complete configuration has an alarm"))
            }
            CheckType::RecoveryControl => {
                let routing_control_arn = members.routing_control_arn.clone();
                HealthCheckKind::Manual(ManualCheck { state: RoutingControlState::On, routing_control_arn })
            }
            _ => HealthCheckKind::Endpoint(endpoint(self.check_type, members)),
        })
    }

    /// The nearest configuration of Route 53.
    pub(in crate::api) fn of(check: &HealthCheck) -> HealthCheckConfig {
        let common = ConfigMembers {
            inverted: Some(check.inverted),
            disabled: Some(check.disabled),
            ..ConfigMembers::default()
        };
        match &check.kind {
            HealthCheckKind::Endpoint(endpoint) => of_endpoint(endpoint, common),
            HealthCheckKind::Calculated(calculated) => {
                let members = ConfigMembers {
                    health_threshold: Some(calculated.health_threshold),
                    child_health_checks: Some(calculated.child_health_checks.clone()),
                    ..common
                };
                HealthCheckConfig { check_type: CheckType::Calculated, members }
            }
            HealthCheckKind::Metric(metric) => {
                let by_name = || AlarmIdentifier { region: ALARM_REGION.to_owned(), name: check.name.clone() };
                let members = ConfigMembers {
                    alarm_identifier: Some(metric.alarm.clone().unwrap_or_else(by_name)),
                    insufficient_data_health_status: Some(metric.insufficient_data_health_status),
                    ..common
                };
                HealthCheckConfig { check_type: CheckType::CloudwatchMetric, members }
            }
            HealthCheckKind::Manual(manual) => {
                let arn = manual.routing_control_arn.clone().unwrap_or_else(|| routing_control(&check.id));
                let members = ConfigMembers { routing_control_arn: Some(arn), ..common };
                HealthCheckConfig { check_type: CheckType::RecoveryControl, members }
            }
        }
    }
}

/// The ARN of a manual check without one.
fn routing_control(id: &HealthCheckId) -> String {
    format!("arn:aws:route53-recovery-control::{ACCOUNT}:controlpanel/fiftythree/routingcontrol/{}", id.0)
}

/// A path with the leading slash that may be missing (API ResourcePath).
pub(super) fn absolute_path(path: String) -> String {
    if path.starts_with('/') { path } else { format!("/{path}") }
}

/// The children exist and are of another type (API ChildHealthChecks; Developer Guide, "Types of
/// Amazon Route 53 health checks").
pub(super) fn known_children(children: &[HealthCheckId], checks: &[HealthCheck]) -> Result<(), ApiError> {
    for id in children {
        let child = checks.iter().find(|check| check.id == *id).ok_or_else(|| {
            let message = format!("Invalid parameter : No health check exists with the specified ID: {}", id.0);
            ApiError::invalid_input(message)
        })?;
        if matches!(child.kind, HealthCheckKind::Calculated(_)) {
            let message =
                format!("Invalid parameter : The calculated health check {} cannot be a child health check.", id.0);
            return Err(ApiError::invalid_input(message));
        }
    }
    Ok(())
}

/// The settings of an alarm, which a check copies (API AlarmIdentifier). The alarms of this server
/// are its metric checks, by their names or by the alarms that they have.
pub(super) fn alarm_of(alarm: &AlarmIdentifier, checks: &[HealthCheck]) -> Result<MetricCheck, ApiError> {
    let by = |is: &dyn Fn(&HealthCheck, &MetricCheck) -> bool| {
        checks.iter().find_map(|check| match &check.kind {
            HealthCheckKind::Metric(metric) if is(check, metric) => Some(metric.clone()),
            _ => None,
        })
    };
    let found =
        by(&|check, _| check.name == alarm.name).or_else(|| by(&|_, metric| metric.alarm.as_ref() == Some(alarm)));
    let metric = found.ok_or_else(|| {
        ApiError::invalid_input(format!(
            "Invalid parameter : There is no alarm '{}'. The name of an alarm is the name of a [[health_check]] with \
             type = \"metric\" in a zone file: it has the Prometheus query and the threshold.",
            alarm.name
        ))
    })?;
    Ok(MetricCheck { alarm: Some(alarm.clone()), ..metric })
}

fn endpoint(check_type: CheckType, members: &ConfigMembers) -> EndpointCheck {
    let request = HttpRequest {
        resource_path: members.resource_path.clone(),
        search_string: members.search_string.clone(),
        ..HttpRequest::default()
    };
    let enable_sni = members.enable_sni.unwrap_or_default();
    let protocol = match check_type {
        CheckType::Https | CheckType::HttpsStrMatch => {
            EndpointProtocol::Https { request, enable_sni, verify_certificate: false }
        }
        CheckType::Tcp => EndpointProtocol::Tcp,
        _ => EndpointProtocol::Http(request),
    };
    let fully_qualified_domain_name = members.fully_qualified_domain_name.clone();
    let target = match members.ip_address {
        Some(ip_address) => EndpointTarget::Address { ip_address, fully_qualified_domain_name },
        None => EndpointTarget::Domain(fully_qualified_domain_name.unwrap_or_default()),
    };
    let failure_threshold = members.failure_threshold.unwrap_or(DEFAULT_FAILURE_THRESHOLD);
    EndpointCheck {
        protocol,
        target,
        port: members.port.unwrap_or_default(),
        request_interval: Duration::from_secs(members.request_interval.unwrap_or(DEFAULT_REQUEST_INTERVAL).into()),
        failure_threshold,
        recovery_threshold: failure_threshold,
        measure_latency: members.measure_latency.unwrap_or_default(),
        address_family: AddressFamily::default(),
        timeouts: Timeouts::default(),
        regions: members.regions.clone().unwrap_or_default(),
    }
}

fn of_endpoint(endpoint: &EndpointCheck, common: ConfigMembers) -> HealthCheckConfig {
    let (ip_address, fully_qualified_domain_name) = match &endpoint.target {
        EndpointTarget::Address { ip_address, fully_qualified_domain_name } => {
            (Some(*ip_address), fully_qualified_domain_name.clone())
        }
        EndpointTarget::Domain(domain) => (None, Some(domain.clone())),
    };
    let (request, sni) = match &endpoint.protocol {
        EndpointProtocol::Tcp => (None, None),
        EndpointProtocol::Http(request) => (Some(request), None),
        EndpointProtocol::Https { request, enable_sni, .. } => (Some(request), Some(*enable_sni)),
    };
    let search_string = request.and_then(|request| request.search_string.clone());
    let check_type = match (request, sni, &search_string) {
        (None, ..) => CheckType::Tcp,
        (_, None, None) => CheckType::Http,
        (_, None, Some(_)) => CheckType::HttpStrMatch,
        (_, Some(_), None) => CheckType::Https,
        (_, Some(_), Some(_)) => CheckType::HttpsStrMatch,
    };
    let members = ConfigMembers {
        ip_address,
        port: Some(endpoint.port),
        resource_path: request.and_then(|request| request.resource_path.clone()),
        fully_qualified_domain_name,
        search_string,
        request_interval: Some(nearest_interval(endpoint.request_interval)),
        failure_threshold: Some(endpoint.failure_threshold),
        measure_latency: Some(endpoint.measure_latency),
        enable_sni: Some(sni.unwrap_or(false)),
        regions: Some(endpoint.regions.clone()).filter(|regions| !regions.is_empty()),
        ..common
    };
    HealthCheckConfig { check_type, members }
}

/// Whole seconds within the range of the API.
fn nearest_interval(interval: Duration) -> u8 {
    let seconds = u8::try_from(interval.as_secs()).unwrap_or(MAX_REQUEST_INTERVAL);
    seconds.clamp(MIN_REQUEST_INTERVAL, MAX_REQUEST_INTERVAL)
}
