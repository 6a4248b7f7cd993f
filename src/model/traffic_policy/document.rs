//! The document of a traffic policy: JSON, format 2015-10-01 or 2023-05-09 (API reference, "Traffic
//! Policy Document Format").

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{
    Continent, Coordinates, Country, FailoverRole, GeoLocation, GeoproximityLocation, HealthCheckId, RecordType,
    Region, RoutingPolicy, Subdivision, geography,
};

/// API TrafficPolicyDocument.
pub const MAX_DOCUMENT_CHARACTERS: usize = 102_400;
/// The most decimal places of coordinates.
const MAX_DECIMAL_PLACES: usize = 2;
/// The format with Local Zones.
const WITH_LOCATIONS: &str = "2023-05-09";
const FORMATS: [&str; 2] = ["2015-10-01", WITH_LOCATIONS];
/// What endpoints can be besides values: resources of AWS.
const RESOURCES: [&str; 6] = [
    "cloudfront",
    "elastic-load-balancer",
    "application-load-balancer",
    "network-load-balancer",
    "elastic-beanstalk",
    "s3-website",
];
const RECORD_TYPES: [RecordType; 10] = [
    RecordType::A,
    RecordType::Aaaa,
    RecordType::Caa,
    RecordType::Cname,
    RecordType::Mx,
    RecordType::Naptr,
    RecordType::Ptr,
    RecordType::Spf,
    RecordType::Srv,
    RecordType::Txt,
];

/// A document that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyDocument {
    /// The type of all record sets.
    pub record_type: RecordType,
    pub(super) start: Reference,
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    pub(super) rules: BTreeMap<String, Rule>,
}

/// Why a text is no document of a traffic policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDocument(String);

/// Where a start or an item leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Endpoint(String),
    Rule(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The type of the AWS resource; `None` for a value.
    pub(super) resource: Option<String>,
    /// The region of an S3 website.
    pub(super) region: Option<String>,
    pub(super) value: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) items: Vec<RuleItem>,
}

/// What becomes one record set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RuleItem {
    pub(super) reference: Reference,
    pub(super) routing_policy: RoutingPolicy,
    pub(super) evaluate_target_health: bool,
    pub(super) health_check: Option<HealthCheckId>,
}

impl PolicyDocument {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// What is not of the format; references to nothing; rules that lead to themselves.
    pub fn read(text: &str) -> Result<PolicyDocument, InvalidDocument> {
        let root: Value = serde_json::from_str(text).map_err(|error| InvalidDocument(error.to_string()))?;
        let root = Object::of(&root, "the document")?;
        let known = ["AWSPolicyFormatVersion", "RecordType", "StartEndpoint", "StartRule", "Endpoints", "Rules"];
        root.only(&known)?;
        let format = root.required_text("AWSPolicyFormatVersion")?;
        if !FORMATS.contains(&format.as_str()) {
            return Err(invalid(format!("AWSPolicyFormatVersion is {format:?}, and not one of {FORMATS:?}")));
        }
        let document = PolicyDocument {
            record_type: record_type(&root.required_text("RecordType")?)?,
            start: start(&root)?,
            endpoints: root.objects("Endpoints")?.into_iter().map(endpoint).collect::<Result<_, _>>()?,
            rules: root.objects("Rules")?.into_iter().map(|named| rule(named, &format)).collect::<Result<_, _>>()?,
        };
        document.check_references()?;
        Ok(document)
    }

    fn check_references(&self) -> Result<(), InvalidDocument> {
        let items = self.rules.values().flat_map(|rule| &rule.items);
        for reference in items.map(|item| &item.reference).chain([&self.start]) {
            let (is_known, id) = match reference {
                Reference::Endpoint(id) => (self.endpoints.contains_key(id), id),
                Reference::Rule(id) => (self.rules.contains_key(id), id),
            };
            if !is_known {
                return Err(invalid(format!("there is no endpoint or rule {id:?}")));
            }
        }
        // Rules are taken away whose rules are gone; those that are left lead to themselves.
        let mut left: BTreeMap<&String, &Rule> = self.rules.iter().collect();
        loop {
            let is_leaf = |rule: &Rule| !rule.items.iter().any(|item| leads_to(&item.reference, &left));
            let leaves: Vec<&String> = left.iter().filter(|(_, rule)| is_leaf(rule)).map(|(id, _)| *id).collect();
            if leaves.is_empty() {
                break;
            }
            left.retain(|id, _| !leaves.contains(id));
        }
        match left.keys().next() {
            None => Ok(()),
            Some(id) => Err(invalid(format!("the rule {id:?} leads to itself"))),
        }
    }
}

fn leads_to(reference: &Reference, rules: &BTreeMap<&String, &Rule>) -> bool {
    matches!(reference, Reference::Rule(id) if rules.contains_key(id))
}

fn record_type(text: &str) -> Result<RecordType, InvalidDocument> {
    let known = text.parse().ok().filter(|record_type| RECORD_TYPES.contains(record_type));
    known.ok_or_else(|| invalid(format!("RecordType {text:?} is not one that a traffic policy can have")))
}

fn start(root: &Object<'_>) -> Result<Reference, InvalidDocument> {
    match (root.text("StartEndpoint")?, root.text("StartRule")?) {
        (Some(id), None) => Ok(Reference::Endpoint(id)),
        (None, Some(id)) => Ok(Reference::Rule(id)),
        _ => Err(invalid("a document has exactly one of StartEndpoint and StartRule")),
    }
}

fn endpoint((id, object): (String, Object<'_>)) -> Result<(String, Endpoint), InvalidDocument> {
    object.only(&["Type", "Value", "Region"])?;
    let kind = object.text("Type")?.unwrap_or_else(|| "value".to_owned());
    if kind != "value" && !RESOURCES.contains(&kind.as_str()) {
        return Err(invalid(format!("the endpoint {id:?} has the unknown type {kind:?}")));
    }
    let region = object.text("Region")?;
    if region.is_some() != (kind == "s3-website") {
        return Err(invalid(format!("the endpoint {id:?}: exactly the type \"s3-website\" has a Region")));
    }
    let value = object.required_text("Value")?;
    Ok((id, Endpoint { resource: (kind != "value").then_some(kind), region, value }))
}

fn rule((id, object): (String, Object<'_>), format: &str) -> Result<(String, Rule), InvalidDocument> {
    let kind = object.required_text("RuleType")?;
    let items = match kind.as_str() {
        "failover" => failover(&object)?,
        "geo" => items(&object, "Locations", geo)?,
        "latency" => items(&object, "Regions", latency)?,
        "geoproximity" => items(&object, "GeoproximityLocations", |item| geoproximity(item, format))?,
        "multivalue" => items(&object, "Items", |_| Ok((RoutingPolicy::MultivalueAnswer, &[])))?,
        "weighted" => items(&object, "Items", weighted)?,
        _ => return Err(invalid(format!("the rule {id:?} has the unknown type {kind:?}"))),
    };
    let is_alias = |item: &RuleItem| matches!(item.reference, Reference::Rule(_));
    if kind == "multivalue" && items.iter().any(is_alias) {
        return Err(invalid(format!("the rule {id:?}: the items of a multivalue rule are endpoints")));
    }
    Ok((id, Rule { items }))
}

/// The members of an item that depend on its rule, besides those that all have.
type OwnKeys = &'static [&'static str];

fn failover(object: &Object<'_>) -> Result<Vec<RuleItem>, InvalidDocument> {
    object.only(&["RuleType", "Primary", "Secondary"])?;
    let side = |key: &str, role| {
        let side = object.object(key)?;
        side.map(|side| item(&side, RoutingPolicy::Failover { role }, &[])).transpose()
    };
    let sides = [side("Primary", FailoverRole::Primary)?, side("Secondary", FailoverRole::Secondary)?];
    let sides: Vec<RuleItem> = sides.into_iter().flatten().collect();
    if sides.is_empty() { Err(invalid("a failover rule has a Primary or a Secondary")) } else { Ok(sides) }
}

fn items(
    object: &Object<'_>,
    list: &str,
    policy: impl Fn(&Object<'_>) -> Result<(RoutingPolicy, OwnKeys), InvalidDocument>,
) -> Result<Vec<RuleItem>, InvalidDocument> {
    object.only(&["RuleType", list])?;
    let elements = object.0.get(list).and_then(Value::as_array);
    let elements = elements.filter(|elements| !elements.is_empty());
    let elements = elements.ok_or_else(|| invalid(format!("{} needs a list {list}", object.1)))?;
    let read = |element: &Value| {
        let element = Object::of(element, list)?;
        let (policy, own) = policy(&element)?;
        item(&element, policy, own)
    };
    elements.iter().map(read).collect()
}

fn item(object: &Object<'_>, routing_policy: RoutingPolicy, own: OwnKeys) -> Result<RuleItem, InvalidDocument> {
    let shared = ["EndpointReference", "RuleReference", "EvaluateTargetHealth", "HealthCheck"];
    object.only(&[&shared[..], own].concat())?;
    let reference = match (object.text("EndpointReference")?, object.text("RuleReference")?) {
        (Some(id), None) => Reference::Endpoint(id),
        (None, Some(id)) => Reference::Rule(id),
        _ => return Err(invalid(format!("{}: exactly one of EndpointReference and RuleReference", object.1))),
    };
    Ok(RuleItem {
        reference,
        routing_policy,
        evaluate_target_health: object.boolean("EvaluateTargetHealth")?.unwrap_or(false),
        health_check: object.text("HealthCheck")?.filter(|id| !id.is_empty()).map(HealthCheckId),
    })
}

fn weighted(item: &Object<'_>) -> Result<(RoutingPolicy, OwnKeys), InvalidDocument> {
    let weight = item.required_text("Weight")?;
    let weight = weight.parse().map_err(|_| invalid(format!("a Weight is 0 to 255, and not {weight}")))?;
    Ok((RoutingPolicy::Weighted { weight }, &["Weight"]))
}

fn latency(item: &Object<'_>) -> Result<(RoutingPolicy, OwnKeys), InvalidDocument> {
    Ok((RoutingPolicy::Latency { region: region(&item.required_text("Region")?)? }, &["Region"]))
}

fn geo(item: &Object<'_>) -> Result<(RoutingPolicy, OwnKeys), InvalidDocument> {
    let given = |key: &str| Ok(item.text(key)?.filter(|code| !code.is_empty()));
    let parts = (given("Continent")?, given("Country")?, given("Subdivision")?);
    let unknown = |code: &str| invalid(format!("there is no location {code:?}"));
    let country = |code: &str| {
        Country::from_code(code).filter(|country| geography::is_country(*country)).ok_or_else(|| unknown(code))
    };
    let location = match (item.boolean("IsDefault")?.unwrap_or(false), parts) {
        (true, (None, None, None)) => GeoLocation::Default,
        // The default of the API is written so too.
        (_, (None, Some(code), None)) if code == "*" => GeoLocation::Default,
        (false, (Some(code), None, None)) => {
            GeoLocation::Continent(Continent::from_code(&code).ok_or_else(|| unknown(&code))?)
        }
        (false, (None, Some(code), None)) => GeoLocation::Country(country(&code)?),
        (false, (None, Some(code), Some(part))) => {
            let country = country(&code)?;
            let subdivision = Subdivision::from_code(&part).filter(|part| geography::is_subdivision(country, *part));
            GeoLocation::Subdivision(country, subdivision.ok_or_else(|| unknown(&part))?)
        }
        _ => return Err(invalid("a location is the default, a Continent, or a Country with or without a Subdivision")),
    };
    Ok((RoutingPolicy::Geolocation { location }, &["IsDefault", "Continent", "Country", "Subdivision"]))
}

/// The format of 2023 has the place of an item in an object `Location`.
fn geoproximity(item: &Object<'_>, format: &str) -> Result<(RoutingPolicy, OwnKeys), InvalidDocument> {
    let bias = item.text("Bias")?.unwrap_or_else(|| "0".to_owned());
    let bias = bias.parse().ok().filter(|bias: &i8| (-99..=99).contains(bias));
    let bias = bias.ok_or_else(|| invalid("a Bias is -99 to 99"))?;
    let location = match item.object("Location")? {
        Some(location) if format == WITH_LOCATIONS => place(&location)?,
        Some(_) => return Err(invalid(format!("a Location needs the format {WITH_LOCATIONS}"))),
        None => match item.text("Region")? {
            Some(name) => {
                GeoproximityLocation::Region(region(name.strip_prefix("aws:route53:").unwrap_or(name.as_str()))?)
            }
            None => coordinates(item)?,
        },
    };
    Ok((RoutingPolicy::Geoproximity { location, bias }, &["Bias", "Location", "Region", "Latitude", "Longitude"]))
}

fn place(location: &Object<'_>) -> Result<GeoproximityLocation, InvalidDocument> {
    location.only(&["Type", "LocationName", "Latitude", "Longitude"])?;
    let kind = location.required_text("Type")?;
    match kind.as_str() {
        "Coordinate" => coordinates(location),
        "Region" => Ok(GeoproximityLocation::Region(region(&location.required_text("LocationName")?)?)),
        "LocalZone" => {
            let name = location.required_text("LocationName")?;
            let coordinates = geography::local_zone_group(&name);
            let coordinates = coordinates.ok_or_else(|| invalid(format!("{name:?} is not a Local Zone group")))?;
            Ok(GeoproximityLocation::LocalZoneGroup { name, coordinates })
        }
        _ => Err(invalid(format!("a Location has the type Region, LocalZone or Coordinate, and not {kind:?}"))),
    }
}

fn coordinates(object: &Object<'_>) -> Result<GeoproximityLocation, InvalidDocument> {
    let degrees = |key: &str, most: f64| {
        let text = object.required_text(key)?;
        let places = text.split_once('.').map_or(0, |(_, places)| places.len());
        let value = text.parse::<f64>().ok().filter(|value| value.abs() <= most && places <= MAX_DECIMAL_PLACES);
        value.ok_or_else(|| invalid(format!("a {key} is -{most} to {most} with two decimal places, and not {text}")))
    };
    let (latitude, longitude) = (degrees("Latitude", 90.0)?, degrees("Longitude", 180.0)?);
    Ok(GeoproximityLocation::Coordinates(Coordinates { latitude, longitude }))
}

fn region(name: &str) -> Result<Region, InvalidDocument> {
    Region::from_name(name).ok_or_else(|| invalid(format!("there is no region {name:?}")))
}

fn invalid(why: impl Into<String>) -> InvalidDocument {
    InvalidDocument(why.into())
}

/// An object, and what messages call it.
struct Object<'v>(&'v Map<String, Value>, String);

impl<'v> Object<'v> {
    fn of(value: &'v Value, what: &str) -> Result<Object<'v>, InvalidDocument> {
        let object = value.as_object().ok_or_else(|| invalid(format!("{what} is not an object")))?;
        Ok(Object(object, what.to_owned()))
    }

    fn only(&self, keys: &[&str]) -> Result<(), InvalidDocument> {
        match self.0.keys().find(|key| !keys.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(invalid(format!("{} has the unknown member {key:?}", self.1))),
        }
    }

    /// A string, or the text of a number.
    fn text(&self, key: &str) -> Result<Option<String>, InvalidDocument> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(invalid(format!("{} of {} is not a string", key, self.1))),
        }
    }

    fn required_text(&self, key: &str) -> Result<String, InvalidDocument> {
        self.text(key)?.ok_or_else(|| invalid(format!("{} has no {key}", self.1)))
    }

    /// A boolean, also as a string.
    fn boolean(&self, key: &str) -> Result<Option<bool>, InvalidDocument> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(invalid(format!("{key} of {} is not true or false", self.1))),
        }
    }

    fn object(&self, key: &str) -> Result<Option<Object<'v>>, InvalidDocument> {
        self.0.get(key).filter(|value| !value.is_null()).map(|value| Object::of(value, key)).transpose()
    }

    /// The objects of an object, by their keys.
    fn objects(&self, key: &str) -> Result<Vec<(String, Object<'v>)>, InvalidDocument> {
        let Some(objects) = self.object(key)? else { return Ok(Vec::new()) };
        objects.0.iter().map(|(id, value)| Ok((id.clone(), Object::of(value, id)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(start: &str, rules: &str) -> Result<PolicyDocument, InvalidDocument> {
        PolicyDocument::read(&format!(
            r#"{{"AWSPolicyFormatVersion":"2023-05-09","RecordType":"A",{start},
                "Endpoints":{{"a":{{"Type":"value","Value":"192.0.2.1"}},"b":{{"Value":"192.0.2.2"}}}},"Rules":{{{rules}}}}}"#
        ))
    }

    fn policies(rule: &str) -> Result<Vec<RoutingPolicy>, InvalidDocument> {
        let document = document(r#""StartRule":"r""#, &format!("\"r\":{rule}"))?;
        Ok(document.rules["r"].items.iter().map(|item| item.routing_policy.clone()).collect())
    }

    #[test]
    fn every_rule_is_read_with_texts_in_the_place_of_numbers_and_booleans() {
        let region = |name| Region::from_name(name).unwrap();
        let near = |location, bias| RoutingPolicy::Geoproximity { location, bias };
        let geo = |location| RoutingPolicy::Geolocation { location };
        let cases = [
            (
                r#"{"RuleType":"failover","Primary":{"EndpointReference":"a","HealthCheck":"h"},
                    "Secondary":{"EndpointReference":"b"}}"#,
                vec![
                    RoutingPolicy::Failover { role: FailoverRole::Primary },
                    RoutingPolicy::Failover { role: FailoverRole::Secondary },
                ],
            ),
            (
                r#"{"RuleType":"geo","Locations":[{"EndpointReference":"a","IsDefault":"true"},
                    {"EndpointReference":"b","Continent":"EU","IsDefault":"false"},
                    {"EndpointReference":"b","Country":"US","Subdivision":"CA"}]}"#,
                vec![
                    geo(GeoLocation::Default),
                    geo(GeoLocation::Continent(Continent::Europe)),
                    geo(GeoLocation::Subdivision(
                        Country::from_code("US").unwrap(),
                        Subdivision::from_code("CA").unwrap(),
                    )),
                ],
            ),
            (
                r#"{"RuleType":"latency","Regions":[{"EndpointReference":"a","Region":"eu-west-1"}]}"#,
                vec![RoutingPolicy::Latency { region: region("eu-west-1") }],
            ),
            (
                r#"{"RuleType":"geoproximity","GeoproximityLocations":[
                    {"EndpointReference":"a","Region":"aws:route53:us-east-1","Bias":"-10"},
                    {"EndpointReference":"a","Latitude":"52.52","Longitude":"-13"},
                    {"EndpointReference":"b","Location":{"Type":"Region","LocationName":"us-west-2"},"Bias":5},
                    {"EndpointReference":"b","Location":{"Type":"Coordinate","Latitude":1.5,"Longitude":2}}]}"#,
                vec![
                    near(GeoproximityLocation::Region(region("us-east-1")), -10),
                    near(GeoproximityLocation::Coordinates(Coordinates { latitude: 52.52, longitude: -13.0 }), 0),
                    near(GeoproximityLocation::Region(region("us-west-2")), 5),
                    near(GeoproximityLocation::Coordinates(Coordinates { latitude: 1.5, longitude: 2.0 }), 0),
                ],
            ),
            (
                r#"{"RuleType":"multivalue","Items":[{"EndpointReference":"a","HealthCheck":"h"},{"EndpointReference":"b"}]}"#,
                vec![RoutingPolicy::MultivalueAnswer; 2],
            ),
            (
                r#"{"RuleType":"weighted","Items":[{"EndpointReference":"a","Weight":"0"},{"EndpointReference":"b","Weight":255}]}"#,
                vec![RoutingPolicy::Weighted { weight: 0 }, RoutingPolicy::Weighted { weight: 255 }],
            ),
        ];
        for (rule, expected) in cases {
            assert_eq!(policies(rule).unwrap(), expected, "{rule}");
        }
        let local = geography::local_zone_groups().next().unwrap();
        let rule = format!(
            r#"{{"RuleType":"geoproximity","GeoproximityLocations":[{{"EndpointReference":"a",
               "Location":{{"Type":"LocalZone","LocationName":"{local}"}}}}]}}"#
        );
        let found = policies(&rule).unwrap();
        assert!(matches!(&found[0], RoutingPolicy::Geoproximity {
            location: GeoproximityLocation::LocalZoneGroup { name, .. }, ..
        } if name == local));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rule = |item: &str| format!(r#"{{"RuleType":"weighted","Items":[{item}]}}"#);
        for (bad, why) in [
            (r#"{"RuleType":"cidr","Items":[]}"#.to_owned(), "unknown type \"cidr\""),
            (r#"{"RuleType":"weighted","Items":[]}"#.to_owned(), "needs a list Items"),
            (rule(r#"{"Weight":1}"#), "exactly one of EndpointReference and RuleReference"),
            (rule(r#"{"EndpointReference":"c","Weight":1}"#), "no endpoint or rule \"c\""),
            (rule(r#"{"EndpointReference":"a","Weight":256}"#), "0 to 255"),
            (rule(r#"{"EndpointReference":"a","Weight":1,"Region":"x"}"#), "unknown member \"Region\""),
            (rule(r#"{"RuleReference":"r","Weight":1}"#), "\"r\" leads to itself"),
            (r#"{"RuleType":"multivalue","Items":[{"RuleReference":"r"}]}"#.to_owned(), "are endpoints"),
            (r#"{"RuleType":"latency","Regions":[{"EndpointReference":"a","Region":"mars-1"}]}"#.to_owned(), "mars-1"),
            (r#"{"RuleType":"geo","Locations":[{"EndpointReference":"a","Country":"XX"}]}"#.to_owned(), "\"XX\""),
            (r#"{"RuleType":"failover"}"#.to_owned(), "a Primary or a Secondary"),
        ] {
            let error = policies(&bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(document(r#""StartEndpoint":"a""#, "").is_ok());
        for (bad, why) in [
            ("", "EOF"),
            ("[]", "not an object"),
            (r#"{"AWSPolicyFormatVersion":"2020-01-01"}"#, "AWSPolicyFormatVersion"),
            (r#"{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"NS"}"#, "RecordType"),
            (r#"{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"A"}"#, "StartEndpoint and StartRule"),
            (
                r#"{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"A","StartRule":"r","Rules":{"r":{"RuleType":
                    "geoproximity","GeoproximityLocations":[{"Location":{}}]}}}"#,
                "needs the format 2023-05-09",
            ),
            (
                r#"{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"A","StartEndpoint":"e","Endpoints":{"e":{"Type":
                    "s3-website","Value":"x"}}}"#,
                "Region",
            ),
        ] {
            let error = PolicyDocument::read(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
