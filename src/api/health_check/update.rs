//! UpdateHealthCheck: only the members that are given change. What Route 53 does not have, such as
//! request headers, stays.

use super::config::{ConfigMembers, HealthCheckConfig, MAX_LISTED, check_number};
use super::convert::{absolute_path, alarm_of, known_children};
use crate::api::errors::{ApiError, Code};
use crate::api::xml::{Element, Members, not_in_enumeration};
use crate::model::{
    EndpointCheck, EndpointProtocol, EndpointTarget, HealthCheck, HealthCheckKind, HttpRequest, MetricCheck,
};

/// The members of UpdateHealthCheckRequest.
const NAMES: [&str; 16] = [
    "HealthCheckVersion",
    "IPAddress",
    "Port",
    "ResourcePath",
    "FullyQualifiedDomainName",
    "SearchString",
    "FailureThreshold",
    "Inverted",
    "Disabled",
    "HealthThreshold",
    "ChildHealthChecks",
    "EnableSNI",
    "Regions",
    "AlarmIdentifier",
    "InsufficientDataHealthStatus",
    "ResetElements",
];
/// API ResettableElementName.
const RESETTABLE: [&str; 4] = ["FullyQualifiedDomainName", "Regions", "ResourcePath", "ChildHealthChecks"];

/// What UpdateHealthCheck changes.
#[derive(Debug)]
pub(in crate::api) struct Update {
    /// The version that the check must have.
    version: Option<u64>,
    pub(super) given: ConfigMembers,
    /// Elements that lose their value, unless one is given.
    reset: Vec<&'static str>,
}

impl Update {
    /// Reads the element `UpdateHealthCheckRequest`.
    pub(in crate::api) fn read(body: &Element) -> Result<Update, ApiError> {
        let members = Members::of(body, &NAMES)?;
        let version = members.integer("HealthCheckVersion", 1..=i64::MAX)?;
        let mut given = ConfigMembers::read(members)?;
        let mut reset = Vec::new();
        let elements = members.list("ResetElements", "ResettableElementName")?.unwrap_or_default();
        check_number("ResetElements", elements.len(), MAX_LISTED)?;
        for item in elements {
            let known = RESETTABLE.into_iter().find(|name| *name == item.text().trim());
            reset.push(known.ok_or_else(|| not_in_enumeration(item.text(), &RESETTABLE))?);
        }
        // Terraform's provider sends an empty string for an option that was removed.
        if given.resource_path.take_if(|path| path.is_empty()).is_some() {
            reset.push("ResourcePath");
        }
        if given.fully_qualified_domain_name.take_if(|name| name.is_empty()).is_some() {
            reset.push("FullyQualifiedDomainName");
        }
        given.resource_path = given.resource_path.take().map(absolute_path);
        Ok(Update { version: version.and_then(|version| u64::try_from(version).ok()), given, reset })
    }

    /// The check after the update.
    pub(in crate::api) fn apply(
        &self,
        mut check: HealthCheck,
        checks: &[HealthCheck],
    ) -> Result<HealthCheck, ApiError> {
        if self.version.is_some_and(|version| version != check.version) {
            let message = format!("The current version of the health check is {}.", check.version);
            return Err(ApiError::new(Code::HealthCheckVersionMismatch, message));
        }
        self.merged(&check).check()?;
        let given = &self.given;
        match &mut check.kind {
            HealthCheckKind::Endpoint(endpoint) => self.update_endpoint(endpoint)?,
            HealthCheckKind::Calculated(calculated) => {
                if self.resets("ChildHealthChecks") {
                    calculated.child_health_checks.clear();
                }
                if let Some(children) = &given.child_health_checks {
                    // A child that was deleted stays in the list.
                    let is_new = |child: &&_| !calculated.child_health_checks.contains(child);
                    known_children(&children.iter().filter(is_new).cloned().collect::<Vec<_>>(), checks)?;
                    calculated.child_health_checks.clone_from(children);
                }
                set(&mut calculated.health_threshold, given.health_threshold);
            }
            HealthCheckKind::Metric(metric) => {
                if let Some(alarm) = &given.alarm_identifier {
                    let insufficient_data_health_status = metric.insufficient_data_health_status;
                    *metric = MetricCheck { insufficient_data_health_status, ..alarm_of(alarm, checks)? };
                }
                set(&mut metric.insufficient_data_health_status, given.insufficient_data_health_status);
            }
            HealthCheckKind::Manual(_) => {
                let message = "Invalid parameter : Update is not supported for this health check type.";
                return Err(ApiError::invalid_input(message));
            }
        }
        set(&mut check.inverted, given.inverted);
        set(&mut check.disabled, given.disabled);
        check.version += 1;
        Ok(check)
    }

    fn resets(&self, element: &str) -> bool {
        self.reset.contains(&element)
    }

    /// The configuration after the update, as far as its rules need it.
    fn merged(&self, check: &HealthCheck) -> HealthCheckConfig {
        let HealthCheckConfig { check_type, members: before } = HealthCheckConfig::of(check);
        let given = self.given.clone();
        let kept = |element, value: Option<String>| value.filter(|_| !self.resets(element));
        let domain = kept("FullyQualifiedDomainName", before.fully_qualified_domain_name);
        let members = ConfigMembers {
            ip_address: given.ip_address.or(before.ip_address),
            port: given.port.or(before.port),
            resource_path: given.resource_path.or(kept("ResourcePath", before.resource_path)),
            fully_qualified_domain_name: given.fully_qualified_domain_name.or(domain),
            search_string: given.search_string.filter(|text| !text.is_empty()).or(before.search_string),
            health_threshold: given.health_threshold.or(before.health_threshold),
            alarm_identifier: given.alarm_identifier.or(before.alarm_identifier),
            routing_control_arn: before.routing_control_arn,
            ..given
        };
        HealthCheckConfig { check_type, members }
    }

    fn update_endpoint(&self, endpoint: &mut EndpointCheck) -> Result<(), ApiError> {
        let given = &self.given;
        match &mut endpoint.target {
            EndpointTarget::Address { ip_address, fully_qualified_domain_name } => {
                set(ip_address, given.ip_address);
                if self.resets("FullyQualifiedDomainName") {
                    *fully_qualified_domain_name = None;
                }
                if let Some(domain) = &given.fully_qualified_domain_name {
                    *fully_qualified_domain_name = Some(domain.clone());
                }
            }
            // API UpdateHealthCheck, IPAddress.
            EndpointTarget::Domain(_) if given.ip_address.is_some() => {
                let message = "Invalid parameter : An IP address cannot be added to a health check that was created \
                               without one.";
                return Err(ApiError::invalid_input(message));
            }
            EndpointTarget::Domain(domain) => set(domain, given.fully_qualified_domain_name.clone()),
        }
        match &mut endpoint.protocol {
            EndpointProtocol::Tcp => {}
            EndpointProtocol::Http(request) => self.update_request(request),
            EndpointProtocol::Https { request, enable_sni, .. } => {
                self.update_request(request);
                set(enable_sni, given.enable_sni);
            }
        }
        set(&mut endpoint.port, given.port);
        // In Route 53 both thresholds are one.
        if endpoint.recovery_threshold == endpoint.failure_threshold {
            set(&mut endpoint.recovery_threshold, given.failure_threshold);
        }
        set(&mut endpoint.failure_threshold, given.failure_threshold);
        if self.resets("Regions") {
            endpoint.regions.clear();
        }
        set(&mut endpoint.regions, given.regions.clone());
        Ok(())
    }

    fn update_request(&self, request: &mut HttpRequest) {
        if self.resets("ResourcePath") {
            request.resource_path = None;
        }
        if let Some(path) = &self.given.resource_path {
            request.resource_path = Some(path.clone());
        }
        if let Some(text) = self.given.search_string.as_ref().filter(|text| !text.is_empty()) {
            request.search_string = Some(text.clone());
        }
    }
}

fn set<T>(member: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *member = given;
    }
}
