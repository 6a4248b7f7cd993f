//! The shape HealthCheckConfig, read from XML and written to it.

use std::net::IpAddr;

use crate::api::errors::ApiError;
use crate::api::lengths;
use crate::api::xml::{Element, Members, Writer, not_in_enumeration, sized, text_of};
use crate::model::{
    AlarmIdentifier, CHECKER_REGIONS, HealthCheckId, InsufficientDataHealthStatus, MIN_CHECKER_REGIONS, Region,
};

/// API HealthCheckType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckType {
    Http,
    Https,
    HttpStrMatch,
    HttpsStrMatch,
    Tcp,
    Calculated,
    CloudwatchMetric,
    RecoveryControl,
}

/// What a health check is configured with (API HealthCheckConfig).
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) struct HealthCheckConfig {
    pub(super) check_type: CheckType,
    pub(super) members: ConfigMembers,
}

/// The members that depend on the type. UpdateHealthCheck has most of them too.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ConfigMembers {
    pub(super) ip_address: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) resource_path: Option<String>,
    pub(super) fully_qualified_domain_name: Option<String>,
    pub(super) search_string: Option<String>,
    pub(super) request_interval: Option<u8>,
    pub(super) failure_threshold: Option<u8>,
    pub(super) measure_latency: Option<bool>,
    pub(super) inverted: Option<bool>,
    pub(super) disabled: Option<bool>,
    pub(super) health_threshold: Option<u16>,
    pub(super) child_health_checks: Option<Vec<HealthCheckId>>,
    pub(super) enable_sni: Option<bool>,
    pub(super) regions: Option<Vec<Region>>,
    pub(super) alarm_identifier: Option<AlarmIdentifier>,
    pub(super) insufficient_data_health_status: Option<InsufficientDataHealthStatus>,
    pub(super) routing_control_arn: Option<String>,
}

/// The members of HealthCheckConfig, in the order of the API.
const NAMES: [&str; 18] = [
    "IPAddress",
    "Port",
    "Type",
    "ResourcePath",
    "FullyQualifiedDomainName",
    "SearchString",
    "RequestInterval",
    "FailureThreshold",
    "MeasureLatency",
    "Inverted",
    "Disabled",
    "HealthThreshold",
    "ChildHealthChecks",
    "EnableSNI",
    "Regions",
    "AlarmIdentifier",
    "InsufficientDataHealthStatus",
    "RoutingControlArn",
];

/// API ResourcePath, FullyQualifiedDomainName, SearchString.
const MAX_CHARACTERS: usize = 255;
/// API ChildHealthCheckList.
const MAX_CHILDREN: usize = 256;
/// API RequestInterval, in seconds. Route 53 has no intervals between these two.
pub(super) const MIN_REQUEST_INTERVAL: u8 = 10;
pub(super) const MAX_REQUEST_INTERVAL: u8 = 30;
/// API HealthCheckRegionList, ResettableElementNameList.
pub(super) const MAX_LISTED: usize = 64;
/// Regions of isolated partitions, whose place is not known: an alarm can be there (API
/// CloudWatchRegion).
const ISOLATED_REGIONS: [&str; 7] = [
    "eu-isoe-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
];

impl CheckType {
    const ALL: [CheckType; 8] = [
        CheckType::Http,
        CheckType::Https,
        CheckType::HttpStrMatch,
        CheckType::HttpsStrMatch,
        CheckType::Tcp,
        CheckType::Calculated,
        CheckType::CloudwatchMetric,
        CheckType::RecoveryControl,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            CheckType::Http => "HTTP",
            CheckType::Https => "HTTPS",
            CheckType::HttpStrMatch => "HTTP_STR_MATCH",
            CheckType::HttpsStrMatch => "HTTPS_STR_MATCH",
            CheckType::Tcp => "TCP",
            CheckType::Calculated => "CALCULATED",
            CheckType::CloudwatchMetric => "CLOUDWATCH_METRIC",
            CheckType::RecoveryControl => "RECOVERY_CONTROL",
        }
    }

    pub(super) fn is_https(self) -> bool {
        matches!(self, CheckType::Https | CheckType::HttpsStrMatch)
    }
}

impl HealthCheckConfig {
    /// Reads the element `HealthCheckConfig`.
    pub(in crate::api) fn read(element: &Element) -> Result<HealthCheckConfig, ApiError> {
        let members = Members::of(element, &NAMES)?;
        let words = CheckType::ALL.map(CheckType::as_str);
        let word = members.required_choice("Type", &words)?;
        let check_type = CheckType::ALL.into_iter().find(|check_type| check_type.as_str() == word);
        let check_type = check_type.expect("it is one of the words");
        let mut members = ConfigMembers::read(members)?;
        for text in [&mut members.resource_path, &mut members.fully_qualified_domain_name, &mut members.search_string] {
            // Clients send an empty element for an option without a value.
            text.take_if(|text| text.is_empty());
        }
        Ok(HealthCheckConfig { check_type, members })
    }

    /// Writes the element `HealthCheckConfig`.
    pub(in crate::api) fn write(&self, xml: &mut Writer) {
        let members = &self.members;
        xml.parent("HealthCheckConfig", |xml| {
            xml.optional("IPAddress", members.ip_address);
            xml.optional("Port", members.port);
            xml.element("Type", self.check_type.as_str());
            xml.optional("ResourcePath", members.resource_path.as_deref());
            xml.optional("FullyQualifiedDomainName", members.fully_qualified_domain_name.as_deref());
            xml.optional("SearchString", members.search_string.as_deref());
            xml.optional("RequestInterval", members.request_interval);
            xml.optional("FailureThreshold", members.failure_threshold);
            xml.optional("MeasureLatency", members.measure_latency);
            xml.optional("Inverted", members.inverted);
            xml.optional("Disabled", members.disabled);
            xml.optional("HealthThreshold", members.health_threshold);
            if let Some(children) = &members.child_health_checks {
                xml.parent("ChildHealthChecks", |xml| {
                    children.iter().for_each(|child| xml.element("ChildHealthCheck", &child.0));
                });
            }
            xml.optional("EnableSNI", members.enable_sni);
            if let Some(regions) = &members.regions {
                xml.parent("Regions", |xml| regions.iter().for_each(|region| xml.element("Region", region)));
            }
            if let Some(alarm) = &members.alarm_identifier {
                xml.parent("AlarmIdentifier", |xml| {
                    xml.element("Region", &alarm.region);
                    xml.element("Name", &alarm.name);
                });
            }
            let status = members.insufficient_data_health_status;
            xml.optional("InsufficientDataHealthStatus", status.map(|status| format!("{status:?}")));
            xml.optional("RoutingControlArn", members.routing_control_arn.as_deref());
        });
    }
}

impl ConfigMembers {
    /// Reads the members that the element may have.
    pub(super) fn read(members: Members<'_>) -> Result<ConfigMembers, ApiError> {
        let text = |name| Ok::<_, ApiError>(members.sized_text(name, 0..=MAX_CHARACTERS)?.map(str::to_owned));
        Ok(ConfigMembers {
            ip_address: read_address(members)?,
            port: integer(members, "Port", 1, u16::MAX)?,
            resource_path: text("ResourcePath")?,
            fully_qualified_domain_name: text("FullyQualifiedDomainName")?,
            search_string: text("SearchString")?,
            request_interval: integer(members, "RequestInterval", MIN_REQUEST_INTERVAL, MAX_REQUEST_INTERVAL)?,
            failure_threshold: integer(members, "FailureThreshold", 1, 10)?,
            measure_latency: members.boolean("MeasureLatency")?,
            inverted: members.boolean("Inverted")?,
            disabled: members.boolean("Disabled")?,
            health_threshold: integer(members, "HealthThreshold", 0, 256)?,
            child_health_checks: read_children(members)?,
            enable_sni: members.boolean("EnableSNI")?,
            regions: read_regions(members)?,
            alarm_identifier: members.child("AlarmIdentifier").map(read_alarm).transpose()?,
            insufficient_data_health_status: read_insufficient_data(members)?,
            routing_control_arn: members.sized_text("RoutingControlArn", 1..=MAX_CHARACTERS)?.map(str::to_owned),
        })
    }
}

fn integer<T>(members: Members<'_>, name: &str, least: T, most: T) -> Result<Option<T>, ApiError>
where
    T: Into<i64> + TryFrom<i64>,
{
    let number = members.integer(name, least.into()..=most.into())?;
    Ok(number.and_then(|number| T::try_from(number).ok()))
}

/// Private addresses are allowed: what this server probes is usually in its own network.
fn read_address(members: Members<'_>) -> Result<Option<IpAddr>, ApiError> {
    let Some(text) = members.text("IPAddress")?.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => Err(forbidden(address)),
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(ApiError::invalid_input(format!("Invalid parameter : '{text}' is not a valid IP address"))),
    }
}

/// The error for an address that no check may have.
pub(super) fn forbidden(address: IpAddr) -> ApiError {
    ApiError::invalid_input(format!("Invalid parameter : The IP address {address} is forbidden"))
}

/// The items of a list number at most `most`.
pub(super) fn check_number(list: &str, items: usize, most: usize) -> Result<(), ApiError> {
    if items <= most {
        return Ok(());
    }
    Err(ApiError::invalid_input(format!("Invalid parameter : {list} can have at most {most} items, not {items}")))
}

fn read_children(members: Members<'_>) -> Result<Option<Vec<HealthCheckId>>, ApiError> {
    let Some(items) = members.list("ChildHealthChecks", "ChildHealthCheck")? else { return Ok(None) };
    check_number("ChildHealthChecks", items.len(), MAX_CHILDREN)?;
    let child = |item| Ok(HealthCheckId(sized(item, lengths::HEALTH_CHECK_ID)?.trim().to_owned()));
    Ok(Some(items.iter().map(child).collect::<Result<_, ApiError>>()?))
}

fn read_regions(members: Members<'_>) -> Result<Option<Vec<Region>>, ApiError> {
    let Some(items) = members.list("Regions", "Region")? else { return Ok(None) };
    check_number("Regions", items.len(), MAX_LISTED)?;
    let mut regions = Vec::new();
    for item in items {
        let name = text_of(item)?.trim();
        let region = Region::from_name(name)
            .filter(|_| CHECKER_REGIONS.contains(&name))
            .ok_or_else(|| not_in_enumeration(name, &CHECKER_REGIONS))?;
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    if regions.len() < MIN_CHECKER_REGIONS {
        let message =
            format!("Invalid parameter : A health check must have at least {MIN_CHECKER_REGIONS} different regions");
        return Err(ApiError::invalid_input(message));
    }
    Ok(Some(regions))
}

fn read_alarm(element: &Element) -> Result<AlarmIdentifier, ApiError> {
    let members = Members::of(element, &["Region", "Name"])?;
    let region = members.required_sized_text("Region", 1..=64)?;
    if Region::from_name(region).is_none() && !ISOLATED_REGIONS.contains(&region) {
        let known: Vec<&str> = Region::all().map(Region::name).chain(ISOLATED_REGIONS).collect();
        return Err(not_in_enumeration(region, &known));
    }
    let name = members.required_sized_text("Name", 1..=256)?;
    Ok(AlarmIdentifier { region: region.to_owned(), name: name.to_owned() })
}

fn read_insufficient_data(members: Members<'_>) -> Result<Option<InsufficientDataHealthStatus>, ApiError> {
    use InsufficientDataHealthStatus::{Healthy, LastKnownStatus, Unhealthy};
    let word = members.choice("InsufficientDataHealthStatus", &["Healthy", "Unhealthy", "LastKnownStatus"])?;
    Ok(word.map(|word| match word {
        "Healthy" => Healthy,
        "Unhealthy" => Unhealthy,
        _ => LastKnownStatus,
    }))
}
