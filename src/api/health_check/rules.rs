//! Which members a type of check must and must not have, with Route 53's sentences where they are
//! known.

use super::config::{CheckType, ConfigMembers, HealthCheckConfig};
use crate::api::errors::ApiError;
use crate::model::Name;

/// Types with the same members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Route 53's word for checks of endpoints.
    Basic,
    Calculated,
    Metric,
    RecoveryControl,
}

/// Members of one group: how its absence is tested, and the words that complete the sentence about
/// a check of another group.
type Member = (Group, fn(&ConfigMembers) -> bool, &'static str);

const MEMBERS: [Member; 14] = [
    (Group::Basic, |members| members.ip_address.is_some(), "an IP address"),
    (Group::Basic, |members| members.port.is_some(), "a port"),
    (Group::Basic, |members| members.resource_path.is_some(), "a resource path"),
    (Group::Basic, |members| members.fully_qualified_domain_name.is_some(), "a fully qualified domain name"),
    (Group::Basic, |members| members.search_string.is_some(), "a search string"),
    (Group::Basic, |members| members.request_interval.is_some(), "a request interval"),
    (Group::Basic, |members| members.failure_threshold.is_some(), "a failure threshold"),
    // Clients send the default of these two for every type.
    (Group::Basic, |members| members.measure_latency == Some(true), "latency measurement"),
    (Group::Basic, |members| members.enable_sni == Some(true), "SNI"),
    (Group::Basic, |members| members.regions.is_some(), "regions"),
    (
        Group::Calculated,
        |members| members.child_health_checks.as_ref().is_some_and(|children| !children.is_empty()),
        "child health checks",
    ),
    (Group::Calculated, |members| members.health_threshold.is_some(), "a health threshold"),
    (Group::Metric, |members| members.insufficient_data_health_status.is_some(), "an insufficient data health state"),
    (Group::RecoveryControl, |members| members.routing_control_arn.is_some(), "a routing control ARN"),
];

impl CheckType {
    fn group(self) -> Group {
        match self {
            CheckType::Http
            | CheckType::Https
            | CheckType::HttpStrMatch
            | CheckType::HttpsStrMatch
            | CheckType::Tcp => Group::Basic,
            CheckType::Calculated => Group::Calculated,
            CheckType::CloudwatchMetric => Group::Metric,
            CheckType::RecoveryControl => Group::RecoveryControl,
        }
    }
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Group::Basic => "Basic",
            Group::Calculated => "Calculated",
            Group::Metric => "CloudWatch metric",
            Group::RecoveryControl => "Recovery control",
        }
    }
}

impl HealthCheckConfig {
    /// Checks the members (API CreateHealthCheck, UpdateHealthCheck: InvalidInput).
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let members = &self.members;
        let group = self.check_type.group();
        if group != Group::Metric && members.alarm_identifier.is_some() {
            let name = group.name();
            return refuse(format!(
                "Invalid parameter : {name} health checks must not have an metric region specified."
            ));
        }
        for (owner, is_given, words) in MEMBERS {
            if owner != group && is_given(members) {
                return refuse(format!("{} health checks must not have {words} specified.", group.name()));
            }
        }
        match group {
            Group::Basic => self.check_basic(),
            Group::Calculated if members.health_threshold.is_none() => {
                refuse("Invalid parameter : Calculated health checks must have a health threshold specified.")
            }
            Group::Calculated => check_children(members),
            Group::Metric if members.alarm_identifier.is_none() => {
                refuse("Invalid parameter : CloudWatch metric health checks must have an alarm identifier specified.")
            }
            Group::RecoveryControl if members.routing_control_arn.is_none() => {
                refuse("Invalid parameter : Recovery control health checks must have a routing control ARN specified.")
            }
            Group::Metric | Group::RecoveryControl => Ok(()),
        }
    }

    fn check_basic(&self) -> Result<(), ApiError> {
        let members = &self.members;
        let (has_address, domain) = (members.ip_address.is_some(), members.fully_qualified_domain_name.as_deref());
        let word = self.check_type.as_str();
        if self.check_type == CheckType::Tcp {
            check_tcp(members)?;
        }
        match self.check_type {
            CheckType::Http | CheckType::Https if members.search_string.is_some() => {
                return refuse(format!("{word} health checks must not have a search string specified."));
            }
            CheckType::HttpStrMatch | CheckType::HttpsStrMatch if members.search_string.is_none() => {
                return refuse(format!("{word} health checks must have a search string specified."));
            }
            _ => {}
        }
        if !has_address && domain.is_none() {
            return refuse("Basic health checks must have an IP address or a fully qualified domain name specified.");
        }
        if let Some(domain) = domain.filter(|domain| !is_host_name(domain)) {
            return refuse(format!("Invalid parameter : '{domain}' is not a valid fully qualified domain name"));
        }
        match &members.resource_path {
            // It becomes part of the request line (RFC 9112 section 3).
            Some(path) if !path.bytes().all(|octet| octet.is_ascii_graphic()) || path.contains('#') => {
                refuse(format!("Invalid parameter : The resource path '{path}' must be percent-encoded"))
            }
            _ => Ok(()),
        }
    }
}

fn check_tcp(members: &ConfigMembers) -> Result<(), ApiError> {
    if members.ip_address.is_some() && members.fully_qualified_domain_name.is_some() {
        return refuse("TCP health checks that have IP address must not have a fully qualified domain name specified.");
    }
    if members.resource_path.is_some() {
        return refuse("TCP health checks must not have a resource path specified.");
    }
    if members.search_string.is_some() {
        return refuse("TCP health checks must not have a search string specified.");
    }
    if members.port.is_none() {
        return refuse("TCP health checks must have a port specified.");
    }
    Ok(())
}

fn check_children(members: &ConfigMembers) -> Result<(), ApiError> {
    let children = members.child_health_checks.as_deref().unwrap_or_default();
    let is_second = |(at, child)| children[..at].contains(child);
    match children.iter().enumerate().find(|(at, child)| is_second((*at, *child))) {
        Some((_, twice)) => {
            refuse(format!("Invalid parameter : The child health check {} is specified twice.", twice.0))
        }
        None => Ok(()),
    }
}

/// It is used in the Host header, in the TLS handshake and in DNS queries.
fn is_host_name(text: &str) -> bool {
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let is_address = text.parse::<std::net::IpAddr>().is_ok();
    !is_address && text.bytes().all(legal) && Name::parse(text).is_ok_and(|name| name != Name::root())
}

fn refuse(message: impl Into<String>) -> Result<(), ApiError> {
    Err(ApiError::invalid_input(message))
}
