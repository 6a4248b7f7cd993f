//! A ChangeBatch as JSON, as `aws route53 change-resource-record-sets --change-batch` takes it.

use serde_json::Value;

use super::batch_shape::{BadChanges, BatchShape};
use crate::model::ChangeBatch;

/// Why a text is not a ChangeBatch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadChangeBatch {
    /// It is not JSON of this shape.
    #[error("the change batch is not valid: {0}")]
    Shape(String),
    /// One sentence for each bad change.
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
    if let Some(problem) = serde_json::from_slice(json).ok().and_then(|value| misplaced_list(&value, BATCH)) {
        return Err(BadChangeBatch::Shape(problem));
    }
    let shape: BatchShape = serde_json::from_slice(json).map_err(|error| BadChangeBatch::Shape(error.to_string()))?;
    // The zone of a batch follows from the names; what an alias targets in it is in the same zone.
    shape.read(None).map_err(|BadChanges { input, data }| BadChangeBatch::Input([input, data].concat()))
}

/// The members that are lists.
const LISTS: [&str; 2] = ["Changes", "ResourceRecords"];
/// What the whole is called in errors.
const BATCH: &str = "the batch";
/// The members that are objects.
const OBJECTS: [&str; 7] = [
    BATCH,
    "ResourceRecordSet",
    "AliasTarget",
    "GeoLocation",
    "CidrRoutingConfig",
    "GeoProximityLocation",
    "Coordinates",
];

/// A list in the place of an object, which Serde takes for the members of the object.
fn misplaced_list(value: &Value, what: &str) -> Option<String> {
    match value {
        Value::Array(items) if LISTS.contains(&what) => items.iter().find_map(|item| match item {
            Value::Array(_) => Some(format!("{what} must be a list of objects, not of lists")),
            item => misplaced_list(item, what),
        }),
        Value::Array(_) if OBJECTS.contains(&what) => Some(format!("{what} must be an object, not a list")),
        Value::Object(members) => members.iter().find_map(|(key, value)| misplaced_list(value, key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, ChangeAction, Content, HealthCheckId, RecordType, ResourceRecordSet, RoutingPolicy};

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
        for (text, problem) in [
            ("[\"x\", []]", "the batch must be an object, not a list"),
            ("{\"Changes\": [[\"CREATE\", {}]]}", "Changes must be a list of objects, not of lists"),
            (
                "{\"Changes\": [{\"Action\": \"CREATE\", \"ResourceRecordSet\": [\"a\"]}]}",
                "ResourceRecordSet must be an object, not a list",
            ),
            ("5", "invalid type: integer `5`, expected an object at line 1 column 1"),
            ("{\"Changes\": [5]}", "invalid type: integer `5`, expected an object at line 1 column 14"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("the change batch is not valid: {problem}"), "{text}");
        }
        assert!(sets("").unwrap().is_empty(), "an empty batch is refused when it is applied");
    }
}
