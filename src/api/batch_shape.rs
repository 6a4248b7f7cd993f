//! A ChangeBatch as clients write it, as XML or JSON, and what it means.
//!
//! The members have the names of the API. The sentences of errors are those that Route 53
//! is known to send.

use serde::Deserialize;

use super::xml::not_in_enumeration;
use super::{constraints, lengths, value_problem};
use crate::model::{
    AliasService, AliasTarget, Change, ChangeAction, ChangeBatch, CidrCollectionId, Content, Continent, Coordinates,
    Country, FailoverRole, GeoLocation, GeoproximityLocation, HealthCheckId, HostedZoneId, RecordData, RecordType,
    Region, ResourceRecordSet, RoutingPolicy, Subdivision, Ttl, geography,
};

/// The most decimal places of a coordinate (API Latitude, Longitude).
const MAX_DECIMAL_PLACES: usize = 2;

/// A ChangeBatch as it was written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct BatchShape {
    pub(super) comment: Option<String>,
    pub(super) changes: Vec<ChangeShape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct ChangeShape {
    pub(super) action: ActionShape,
    pub(super) resource_record_set: RecordSetShape,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ActionShape {
    Create,
    Delete,
    Upsert,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct RecordSetShape {
    pub(super) name: String,
    pub(super) r#type: String,
    pub(super) set_identifier: Option<String>,
    pub(super) weight: Option<i64>,
    pub(super) region: Option<String>,
    pub(super) geo_location: Option<GeoLocationShape>,
    pub(super) failover: Option<FailoverShape>,
    pub(super) multi_value_answer: Option<bool>,
    #[serde(rename = "TTL")]
    pub(super) ttl: Option<i64>,
    pub(super) resource_records: Option<Vec<RecordShape>>,
    pub(super) alias_target: Option<AliasShape>,
    pub(super) health_check_id: Option<String>,
    pub(super) traffic_policy_instance_id: Option<String>,
    pub(super) cidr_routing_config: Option<CidrShape>,
    pub(super) geo_proximity_location: Option<GeoproximityShape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct RecordShape {
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct AliasShape {
    pub(super) hosted_zone_id: Option<String>,
    #[serde(rename = "DNSName")]
    pub(super) dns_name: String,
    pub(super) evaluate_target_health: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct GeoLocationShape {
    pub(super) continent_code: Option<String>,
    pub(super) country_code: Option<String>,
    pub(super) subdivision_code: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum FailoverShape {
    Primary,
    Secondary,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct CidrShape {
    pub(super) collection_id: String,
    pub(super) location_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct GeoproximityShape {
    #[serde(rename = "AWSRegion")]
    pub(super) aws_region: Option<String>,
    pub(super) local_zone_group: Option<String>,
    pub(super) coordinates: Option<CoordinatesShape>,
    pub(super) bias: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, expecting = "an object")]
pub(super) struct CoordinatesShape {
    pub(super) latitude: String,
    pub(super) longitude: String,
}

/// Why a batch is refused before the zone is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BadChanges {
    /// Changes without the form of a change: Route 53's InvalidInput.
    pub(super) input: Vec<String>,
    /// Names and values that are not valid: Route 53's InvalidChangeBatch.
    pub(super) data: Vec<String>,
}

impl BadChanges {
    fn is_empty(&self) -> bool {
        self.input.is_empty() && self.data.is_empty()
    }

    fn input<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|error| self.input.push(error)).ok()
    }

    fn data<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|error| self.data.push(error)).ok()
    }
}

impl BatchShape {
    /// The batch, for this zone if it is known: an alias that names another one targets a resource
    /// outside the zone.
    ///
    /// # Errors
    ///
    /// Every change that is not valid by itself; what contradicts the zone is found when the batch
    /// is applied.
    pub(super) fn read(self, zone: Option<&HostedZoneId>) -> Result<ChangeBatch, BadChanges> {
        let mut errors = BadChanges::default();
        let most = *lengths::RESOURCE_DESCRIPTION.end();
        if self.comment.as_ref().is_some_and(|comment| comment.chars().count() > most) {
            errors.input.push(format!("a comment must have at most {most} characters"));
        }
        let changes: Vec<Change> =
            self.changes.into_iter().filter_map(|change| change.read(zone, &mut errors)).collect();
        if errors.is_empty() { Ok(ChangeBatch { comment: self.comment, changes }) } else { Err(errors) }
    }
}

impl ChangeShape {
    fn read(self, zone: Option<&HostedZoneId>, errors: &mut BadChanges) -> Option<Change> {
        let set = self.resource_record_set;
        // Route 53 ends such sentences with the change.
        let change = format!(
            "in Change with [Action={}, Name={}, Type={}, SetIdentifier={}]",
            self.action.word(),
            set.name,
            set.r#type,
            set.set_identifier.as_deref().unwrap_or("null")
        );
        let name = errors.data(value_problem::read_name(&set.name));
        let record_type = set.r#type.parse::<RecordType>().ok();
        if record_type.is_none() {
            errors.input.push(not_in(&set.r#type, &RecordType::ALL.map(RecordType::as_str)));
        }
        let routing_policy = errors.input(set.policy(&change));
        let content = set.content(record_type?, zone, &change, errors);
        let record_set = ResourceRecordSet {
            name: name?,
            record_type: record_type?,
            set_identifier: set.set_identifier,
            routing_policy: routing_policy?,
            content: content?,
            health_check: set.health_check_id.map(HealthCheckId),
        };
        Some(Change { action: self.action.into(), record_set })
    }
}

impl RecordSetShape {
    /// The policy follows from the member that is present, and needs a set identifier.
    fn policy(&self, change: &str) -> Result<RoutingPolicy, String> {
        let multivalue = self.multi_value_answer.filter(|is_on| *is_on).map(|_| Ok(RoutingPolicy::MultivalueAnswer));
        let present: Vec<Result<RoutingPolicy, String>> = [
            self.weight.map(weighted),
            self.region.as_deref().map(|name| Ok(RoutingPolicy::Latency { region: region(name)? })),
            self.failover.map(|role| Ok(RoutingPolicy::Failover { role: role.into() })),
            self.geo_location.as_ref().map(|area| Ok(RoutingPolicy::Geolocation { location: area.read()? })),
            multivalue,
            self.geo_proximity_location.as_ref().map(GeoproximityShape::read),
            self.cidr_routing_config.as_ref().map(|cidr| Ok(cidr.read())),
        ]
        .into_iter()
        .flatten()
        .collect();
        const EXPECTED: &str = "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, \
                                MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig]";
        let has_identifier = self.set_identifier.is_some();
        match (present.len(), has_identifier) {
            (0, false) => Ok(RoutingPolicy::Simple),
            (0, true) => Err(format!("{EXPECTED}, but found none {change}")),
            (1, false) => Err(format!("Invalid request: Missing field 'SetIdentifier' {change}")),
            (1, true) => present.into_iter().next().expect("there is one"),
            _ => Err(format!("{EXPECTED}, but found more than one {change}")),
        }
    }

    fn content(
        &self,
        record_type: RecordType,
        zone: Option<&HostedZoneId>,
        change: &str,
        errors: &mut BadChanges,
    ) -> Option<Content> {
        let expected = "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
                        TrafficPolicyInstanceId]";
        if self.traffic_policy_instance_id.is_some() {
            let message = "a record set of a traffic policy instance is changed by the operations of instances";
            errors.input.push(message.to_owned());
            return None;
        }
        match (&self.alias_target, self.ttl, &self.resource_records) {
            (Some(alias), None, None) => errors.data(alias.read(zone)).map(Content::Alias),
            (None, Some(ttl), Some(records)) => {
                let ttl = errors.input(Ttl::try_from(ttl).map_err(|_| format!("the TTL {ttl} is out of range")));
                let values: Vec<_> =
                    records.iter().filter_map(|record| errors.data(record.read(record_type))).collect();
                Some(Content::Records { ttl: ttl?, values })
            }
            (None, _, _) => {
                errors.input.push(format!("{expected}, but found none {change}"));
                None
            }
            _ => {
                errors.input.push(format!("{expected}, but found more than one {change}"));
                None
            }
        }
    }
}

impl RecordShape {
    fn read(&self, record_type: RecordType) -> Result<RecordData, String> {
        RecordData::parse(record_type, &self.value).map_err(|error| {
            let problem = value_problem::of_value(record_type, &self.value, &error);
            format!("Invalid Resource Record: '{problem}'")
        })
    }
}

impl AliasShape {
    fn read(&self, zone: Option<&HostedZoneId>) -> Result<AliasTarget, String> {
        let given = self.hosted_zone_id.as_ref().and_then(|id| id.rsplit('/').next());
        let given = given.map(|id| HostedZoneId(id.to_owned()));
        // Without a zone, ids that are not those of AWS services are those of the zone.
        let is_elsewhere = |id: &HostedZoneId| match zone {
            Some(zone) => id != zone,
            None => AliasService::of_zone(id).is_some(),
        };
        Ok(AliasTarget {
            name: value_problem::read_name(&self.dns_name)?,
            hosted_zone: given.filter(is_elsewhere),
            evaluate_target_health: self.evaluate_target_health,
        })
    }
}

impl GeoLocationShape {
    fn read(&self) -> Result<GeoLocation, String> {
        let country = |code: &str| {
            let known = Country::from_code(code).filter(|country| geography::is_country(*country));
            known.ok_or_else(|| format!("'{code}' is not a country code"))
        };
        match (self.continent_code.as_deref(), self.country_code.as_deref(), self.subdivision_code.as_deref()) {
            (Some(code), None, None) => {
                let continent =
                    Continent::from_code(code).ok_or_else(|| format!("'{code}' is not a continent code"))?;
                Ok(GeoLocation::Continent(continent))
            }
            (None, Some("*"), None) => Ok(GeoLocation::Default),
            (None, Some(code), None) => Ok(GeoLocation::Country(country(code)?)),
            (None, Some(code), Some(part)) => {
                let country = country(code)?;
                let subdivision = Subdivision::from_code(part).filter(|part| geography::is_subdivision(country, *part));
                let subdivision = subdivision.ok_or_else(|| format!("'{part}' is not a subdivision of '{code}'"))?;
                Ok(GeoLocation::Subdivision(country, subdivision))
            }
            _ => {
                Err("a GeoLocation has a ContinentCode, or a CountryCode with or without a SubdivisionCode".to_owned())
            }
        }
    }
}

impl GeoproximityShape {
    fn read(&self) -> Result<RoutingPolicy, String> {
        let location = match (&self.aws_region, &self.local_zone_group, &self.coordinates) {
            (Some(name), None, None) => GeoproximityLocation::Region(region(name)?),
            (None, Some(name), None) => {
                let coordinates = geography::local_zone_group(name);
                let coordinates = coordinates.ok_or_else(|| format!("'{name}' is not a Local Zone group"))?;
                GeoproximityLocation::LocalZoneGroup { name: name.clone(), coordinates }
            }
            (None, None, Some(point)) => GeoproximityLocation::Coordinates(Coordinates {
                latitude: degrees("Latitude", &point.latitude, 90.0)?,
                longitude: degrees("Longitude", &point.longitude, 180.0)?,
            }),
            _ => {
                return Err(
                    "a GeoProximityLocation has exactly one of AWSRegion, LocalZoneGroup and Coordinates".to_owned()
                );
            }
        };
        let bias = self.bias.unwrap_or(0);
        let bias = i8::try_from(bias).map_err(|_| format!("a bias must be between -99 and 99, not {bias}"))?;
        Ok(RoutingPolicy::Geoproximity { location, bias })
    }
}

impl CidrShape {
    fn read(&self) -> RoutingPolicy {
        let location = Some(self.location_name.clone()).filter(|name| name != "*");
        RoutingPolicy::IpBased { collection: CidrCollectionId(self.collection_id.clone()), location }
    }
}

impl ActionShape {
    fn word(self) -> &'static str {
        match self {
            ActionShape::Create => "CREATE",
            ActionShape::Delete => "DELETE",
            ActionShape::Upsert => "UPSERT",
        }
    }
}

impl From<ActionShape> for ChangeAction {
    fn from(action: ActionShape) -> ChangeAction {
        match action {
            ActionShape::Create => ChangeAction::Create,
            ActionShape::Delete => ChangeAction::Delete,
            ActionShape::Upsert => ChangeAction::Upsert,
        }
    }
}

impl From<FailoverShape> for FailoverRole {
    fn from(role: FailoverShape) -> FailoverRole {
        match role {
            FailoverShape::Primary => FailoverRole::Primary,
            FailoverShape::Secondary => FailoverRole::Secondary,
        }
    }
}

fn weighted(weight: i64) -> Result<RoutingPolicy, String> {
    let weight = u8::try_from(weight).map_err(|_| format!("a weight must be between 0 and 255, not {weight}"))?;
    Ok(RoutingPolicy::Weighted { weight })
}

fn region(name: &str) -> Result<Region, String> {
    constraints::region(name).map_err(|error| error.message().to_owned())
}

fn degrees(what: &str, text: &str, most: f64) -> Result<f64, String> {
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    // Rust reads more than the API allows, such as `1e1`.
    let is_decimal = text.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'+' | b'-' | b'.'));
    let value = text.parse::<f64>().ok().filter(|value| value.abs() <= most && places <= MAX_DECIMAL_PLACES);
    let value = value.filter(|_| is_decimal);
    value.ok_or_else(|| format!("'{text}' is not a {what} of -{most} to {most} with at most two decimal places"))
}

/// Route 53's sentence for a value that an enumeration does not have.
fn not_in(value: &str, allowed: &[&str]) -> String {
    not_in_enumeration(value, allowed).message().to_owned()
}
