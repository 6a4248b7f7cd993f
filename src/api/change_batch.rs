//! A ChangeBatch as JSON, as `aws route53 change-resource-record-sets --change-batch` takes it.
//!
//! The members have the names of the API. The sentences of errors are those that Route 53
//! is known to send.

use serde::Deserialize;

use crate::model::{
    AliasTarget, Change, ChangeAction, ChangeBatch, CidrCollectionId, Content, Continent, Coordinates, Country,
    FailoverRole, GeoLocation, GeoproximityLocation, HealthCheckId, Name, RecordData, RecordType, Region,
    ResourceRecordSet, RoutingPolicy, Subdivision, Ttl, geography,
};

/// The longest comment (API ResourceDescription).
const MAX_COMMENT_CHARACTERS: usize = 256;
/// The most decimal places of a coordinate (API Latitude, Longitude).
const MAX_DECIMAL_PLACES: usize = 2;

/// A ChangeBatch as it was written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BatchShape {
    comment: Option<String>,
    changes: Vec<ChangeShape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeShape {
    action: ActionShape,
    resource_record_set: RecordSetShape,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum ActionShape {
    Create,
    Delete,
    Upsert,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RecordSetShape {
    name: String,
    r#type: String,
    set_identifier: Option<String>,
    weight: Option<i64>,
    region: Option<String>,
    geo_location: Option<GeoLocationShape>,
    failover: Option<FailoverShape>,
    multi_value_answer: Option<bool>,
    #[serde(rename = "TTL")]
    ttl: Option<i64>,
    resource_records: Option<Vec<RecordShape>>,
    alias_target: Option<AliasShape>,
    health_check_id: Option<String>,
    traffic_policy_instance_id: Option<String>,
    cidr_routing_config: Option<CidrShape>,
    geo_proximity_location: Option<GeoproximityShape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RecordShape {
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AliasShape {
    hosted_zone_id: Option<String>,
    #[serde(rename = "DNSName")]
    dns_name: String,
    evaluate_target_health: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GeoLocationShape {
    continent_code: Option<String>,
    country_code: Option<String>,
    subdivision_code: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum FailoverShape {
    Primary,
    Secondary,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CidrShape {
    collection_id: String,
    location_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GeoproximityShape {
    #[serde(rename = "AWSRegion")]
    aws_region: Option<String>,
    local_zone_group: Option<String>,
    coordinates: Option<CoordinatesShape>,
    bias: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CoordinatesShape {
    latitude: String,
    longitude: String,
}

/// Why a text is not a ChangeBatch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadChangeBatch {
    /// It is not JSON of this shape.
    #[error("the change batch is not valid: {0}")]
    Shape(String),
    /// Route 53's InvalidInput: one sentence for each bad change.
    #[error("{}", .0.join("\n"))]
    Input(Vec<String>),
}

/// Reads a ChangeBatch.
///
/// # Errors
///
/// Every change that is not valid by itself; what contradicts the zone is found when the batch is
/// applied.
pub(crate) fn read(json: &[u8]) -> Result<ChangeBatch, BadChangeBatch> {
    let shape: BatchShape = serde_json::from_slice(json).map_err(|error| BadChangeBatch::Shape(error.to_string()))?;
    let mut errors = Vec::new();
    if shape.comment.as_ref().is_some_and(|comment| comment.chars().count() > MAX_COMMENT_CHARACTERS) {
        errors.push(format!("a comment must have at most {MAX_COMMENT_CHARACTERS} characters"));
    }
    let read = |change: ChangeShape| change.read().map_err(|mut found| errors.append(&mut found)).ok();
    let changes: Vec<Change> = shape.changes.into_iter().filter_map(read).collect();
    if errors.is_empty() {
        Ok(ChangeBatch { comment: shape.comment, changes })
    } else {
        Err(BadChangeBatch::Input(errors))
    }
}

impl ChangeShape {
    fn read(self) -> Result<Change, Vec<String>> {
        let set = self.resource_record_set;
        // Route 53 ends such sentences with the change.
        let change = format!(
            "in Change with [Action={}, Name={}, Type={}, SetIdentifier={}]",
            self.action.word(),
            set.name,
            set.r#type,
            set.set_identifier.as_deref().unwrap_or("null")
        );
        let mut errors = Vec::new();
        let name = collect(Name::parse(&set.name).map_err(|error| format!("{error}: '{}'", set.name)), &mut errors);
        let record_type = set.r#type.parse::<RecordType>().ok();
        if record_type.is_none() {
            errors.push(not_in("Type", &set.r#type, &RecordType::ALL.map(RecordType::as_str)));
        }
        let routing_policy = collect(set.policy(&change), &mut errors);
        let content = record_type.and_then(|record_type| set.content(record_type, &change, &mut errors));
        match (name, record_type, routing_policy, content) {
            (Some(name), Some(record_type), Some(routing_policy), Some(content)) if errors.is_empty() => {
                let set_identifier = set.set_identifier;
                let health_check = set.health_check_id.map(HealthCheckId);
                let record_set =
                    ResourceRecordSet { name, record_type, set_identifier, routing_policy, content, health_check };
                Ok(Change { action: self.action.into(), record_set })
            }
            _ => Err(errors),
        }
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

    fn content(&self, record_type: RecordType, change: &str, errors: &mut Vec<String>) -> Option<Content> {
        let expected = "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
                        TrafficPolicyInstanceId]";
        if self.traffic_policy_instance_id.is_some() {
            errors.push("traffic policy instances are not supported yet".to_owned());
            return None;
        }
        match (&self.alias_target, self.ttl, &self.resource_records) {
            (Some(alias), None, None) => collect(alias.read(), errors).map(Content::Alias),
            (None, Some(ttl), Some(records)) => {
                let ttl = collect(Ttl::try_from(ttl).map_err(|_| format!("the TTL {ttl} is out of range")), errors);
                let values: Vec<_> =
                    records.iter().filter_map(|record| collect(record.read(record_type), errors)).collect();
                Some(Content::Records { ttl: ttl?, values })
            }
            (None, _, _) => {
                errors.push(format!("{expected}, but found none {change}"));
                None
            }
            _ => {
                errors.push(format!("{expected}, but found more than one {change}"));
                None
            }
        }
    }
}

impl RecordShape {
    fn read(&self, record_type: RecordType) -> Result<RecordData, String> {
        RecordData::parse(record_type, &self.value)
            .map_err(|error| format!("Invalid Resource Record: '{} encountered with '{}''", error.message, self.value))
    }
}

impl AliasShape {
    fn read(&self) -> Result<AliasTarget, String> {
        let name = Name::parse(&self.dns_name).map_err(|error| format!("{error}: '{}'", self.dns_name))?;
        // The zone of the target follows from its name; here it is always the zone of the alias.
        let _ = &self.hosted_zone_id;
        Ok(AliasTarget { name, evaluate_target_health: self.evaluate_target_health })
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
    Region::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Region::all().map(Region::name).collect();
        not_in("Region", name, &known)
    })
}

fn degrees(what: &str, text: &str, most: f64) -> Result<f64, String> {
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    let value = text.parse::<f64>().ok().filter(|value| value.abs() <= most && places <= MAX_DECIMAL_PLACES);
    value.ok_or_else(|| format!("'{text}' is not a {what} of -{most} to {most} with at most two decimal places"))
}

/// Route 53's sentence for a value that an enumeration does not have.
fn not_in(what: &str, value: &str, allowed: &[&str]) -> String {
    format!(
        "Invalid XML ; cvc-enumeration-valid: Value '{value}' is not facet-valid with respect to enumeration '[{}]' for \
         '{what}'. It must be a value from the enumeration.",
        allowed.join(", ")
    )
}

fn collect<T>(result: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(changes: &str) -> Result<Vec<ResourceRecordSet>, Vec<String>> {
        match read(format!("{{\"Comment\": \"a test\", \"Changes\": [{changes}]}}").as_bytes()) {
            Ok(batch) => Ok(batch.changes.into_iter().map(|change| change.record_set).collect()),
            Err(BadChangeBatch::Input(errors)) => Err(errors),
            Err(error) => Err(vec![error.to_string()]),
        }
    }

    fn set(members: &str) -> Result<ResourceRecordSet, Vec<String>> {
        let change = format!(
            "{{\"Action\": \"UPSERT\", \"ResourceRecordSet\": {{\"Name\": \"x.lab.test\", \"Type\": \"A\", {members}}}}}"
        );
        sets(&change).map(|mut sets| sets.remove(0))
    }

    const VALUES: &str = r#""TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]"#;

    #[test]
    fn a_batch_is_read_as_aws_writes_it() {
        let batch = read(
            br#"{"Comment": "c", "Changes": [{"Action": "CREATE", "ResourceRecordSet": {"Name": "X.lab.test.", "Type": "A",
                "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}],
                "SetIdentifier": "blue", "Weight": 3, "HealthCheckId": "h"}}]}"#,
        );
        let batch = batch.unwrap();
        assert_eq!(batch.comment.as_deref(), Some("c"));
        let [Change { action: ChangeAction::Create, record_set }] = &batch.changes[..] else { panic!("{batch:?}") };
        assert_eq!((record_set.name.to_string(), record_set.record_type), ("x.lab.test.".to_owned(), RecordType::A));
        assert_eq!(record_set.routing_policy, RoutingPolicy::Weighted { weight: 3 });
        assert_eq!(record_set.health_check, Some(HealthCheckId("h".to_owned())));
        let Content::Records { ttl: 60, values } = &record_set.content else { panic!("{record_set:?}") };
        assert_eq!(values.len(), 2);
    }

    #[test]
    fn every_policy_and_an_alias_are_read() {
        let policies = [
            (r#""Region": "eu-central-1""#, "latency"),
            (r#""Failover": "SECONDARY""#, "failover"),
            (r#""GeoLocation": {"ContinentCode": "EU"}"#, "geolocation"),
            (r#""GeoLocation": {"CountryCode": "US", "SubdivisionCode": "CA"}"#, "geolocation"),
            (r#""GeoLocation": {"CountryCode": "*"}"#, "geolocation"),
            (r#""MultiValueAnswer": true"#, "multivalue answer"),
            (r#""GeoProximityLocation": {"AWSRegion": "eu-west-1", "Bias": -20}"#, "geoproximity"),
            (r#""GeoProximityLocation": {"Coordinates": {"Latitude": "52.5", "Longitude": "-13.25"}}"#, "geoproximity"),
            (r#""CidrRoutingConfig": {"CollectionId": "c", "LocationName": "*"}"#, "IP-based"),
        ];
        for (policy, name) in policies {
            let set = set(&format!("\"SetIdentifier\": \"one\", {policy}, {VALUES}")).unwrap();
            assert_eq!(set.routing_policy.name(), name, "{policy}");
        }
        let alias = r#""AliasTarget": {"HostedZoneId": "Z1", "DNSName": "Y.lab.test", "EvaluateTargetHealth": true}"#;
        let Content::Alias(target) = set(alias).unwrap().content else { panic!("no alias") };
        assert_eq!((target.name.to_string(), target.evaluate_target_health), ("y.lab.test.".to_owned(), true));
        assert_eq!(
            set(&format!("\"MultiValueAnswer\": false, {VALUES}")).unwrap().routing_policy,
            RoutingPolicy::Simple
        );
    }

    #[test]
    fn errors_are_route_53s_sentences() {
        let change = "in Change with [Action=UPSERT, Name=x.lab.test, Type=A, SetIdentifier";
        let content = "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
                       TrafficPolicyInstanceId], but found";
        let policy = "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, \
                      GeoProximityLocation, or CidrRoutingConfig], but found";
        let alias = r#""AliasTarget": {"HostedZoneId": "Z1", "DNSName": "y", "EvaluateTargetHealth": true}"#;
        let cases = [
            (r#""TTL": 60"#.to_owned(), format!("{content} none {change}=null]")),
            (format!("{alias}, {VALUES}"), format!("{content} more than one {change}=null]")),
            (
                format!("\"Weight\": 1, {VALUES}"),
                format!("Invalid request: Missing field 'SetIdentifier' {change}=null]"),
            ),
            (format!("\"SetIdentifier\": \"a\", {VALUES}"), format!("{policy} none {change}=a]")),
            (
                format!("\"SetIdentifier\": \"a\", \"Weight\": 1, \"Failover\": \"PRIMARY\", {VALUES}"),
                format!("{policy} more than one {change}=a]"),
            ),
            (
                format!("\"SetIdentifier\": \"a\", \"Weight\": 256, {VALUES}"),
                "a weight must be between 0 and 255, not 256".to_owned(),
            ),
            (
                format!("\"SetIdentifier\": \"a\", \"GeoLocation\": {{\"CountryCode\": \"XX\"}}, {VALUES}"),
                "'XX' is not a country code".to_owned(),
            ),
        ];
        for (members, message) in cases {
            assert_eq!(set(&members).unwrap_err(), [message], "{members}");
        }
    }

    #[test]
    fn every_bad_change_of_a_batch_is_reported() {
        let bad = |value: &str| {
            format!(
                "{{\"Action\": \"CREATE\", \"ResourceRecordSet\": {{\"Name\": \"x.lab.test\", \"Type\": \"A\", \"TTL\": 60, \
                 \"ResourceRecords\": [{{\"Value\": \"{value}\"}}]}}}}"
            )
        };
        let errors = sets(&format!("{}, {}, {}", bad("a"), bad("192.0.2.1"), bad("b"))).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("Invalid Resource Record: '") && errors[0].ends_with("encountered with 'a''"));
    }

    #[test]
    fn what_is_not_a_batch_is_refused_with_its_position() {
        for (text, part) in [
            ("", "EOF"),
            ("{", "EOF"),
            ("[]", "invalid"),
            ("{\"Changes\": 1}", "invalid type"),
            ("{\"Change\": []}", "unknown field `Change`, expected `Comment` or `Changes`"),
            (
                "{\"Changes\": [{\"Action\": \"REPLACE\", \"ResourceRecordSet\": {}}]}",
                "unknown variant `REPLACE`, expected one of `CREATE`, `DELETE`, `UPSERT`",
            ),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("line 1 column"), "{text}: {error}");
        }
        assert!(sets("").unwrap().is_empty(), "an empty batch is refused when it is applied");
    }
}
