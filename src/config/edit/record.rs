//! Writes record sets as members of `[[record]]` tables.

use std::fmt::Write as _;

use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use super::References;
use crate::model::{
    AliasTarget, CidrCollectionId, Content, Coordinates, FailoverRole, GeoLocation, GeoproximityLocation, Name,
    RecordData, ResourceRecordSet, RoutingPolicy,
};

/// Values that fit this line are written on it.
const LINE_CHARACTERS: usize = 100;

/// The members of a table, in the order in which a new one has them.
type Members = Vec<(&'static str, Value)>;

/// The text of a new `[[record]]`.
pub(super) fn text(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> String {
    let mut text = "[[record]]\n".to_owned();
    for (key, value) in members(set, zone, references) {
        let _ = writeln!(text, "{key} = {value}");
    }
    text
}

/// Changes the members that differ between `old`, which the table defines, and `new`. All others
/// stay as they are written.
pub(super) fn update(
    table: &mut dyn TableLike,
    old: &ResourceRecordSet,
    new: &ResourceRecordSet,
    zone: &Name,
    references: &References<'_>,
) {
    let (old, new) = (members(old, zone, references), members(new, zone, references));
    for (key, _) in old.iter().filter(|(key, _)| !new.iter().any(|(other, _)| other == key)) {
        table.remove(key);
    }
    for (key, value) in new {
        let before = old.iter().find(|(other, _)| *other == key);
        if before.is_none_or(|(_, before)| before.to_string() != value.to_string()) {
            put(table, key, value);
        }
    }
}

/// A record set as an inline table.
pub(super) fn inline(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> InlineTable {
    members(set, zone, references).into_iter().collect()
}

/// Sets a value and keeps what is written around it, such as a comment on its line.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(existing)) => {
            *value.decor_mut() = existing.decor().clone();
            *existing = value;
        }
        _ => drop(table.insert(key, Item::Value(value))),
    }
}

fn members(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> Members {
    let ResourceRecordSet { name, record_type, set_identifier, routing_policy, content, health_check } = set;
    let mut members: Members = vec![("name", relative(name, zone).into()), ("type", record_type.as_str().into())];
    members.extend(set_identifier.iter().map(|identifier| ("set_identifier", identifier.into())));
    members.extend(policy(routing_policy, references));
    match content {
        Content::Records { ttl, values } => {
            members.extend([("ttl", i64::from(*ttl).into()), ("values", list(values).into())]);
        }
        Content::Alias(target) => members.push(("alias", alias(target, zone).into())),
    }
    members.extend(health_check.iter().map(|check| ("health_check", references.health_check(check).into())));
    members
}

fn policy(policy: &RoutingPolicy, references: &References<'_>) -> Option<(&'static str, Value)> {
    Some(match policy {
        RoutingPolicy::Simple => return None,
        RoutingPolicy::Weighted { weight } => ("weight", i64::from(*weight).into()),
        RoutingPolicy::Latency { region } => ("region", region.name().into()),
        RoutingPolicy::Failover { role: FailoverRole::Primary } => ("failover", "primary".into()),
        RoutingPolicy::Failover { role: FailoverRole::Secondary } => ("failover", "secondary".into()),
        RoutingPolicy::Geolocation { location } => ("geolocation", geolocation(location).into()),
        RoutingPolicy::Geoproximity { location, bias } => ("geoproximity", geoproximity(location, *bias).into()),
        RoutingPolicy::MultivalueAnswer => ("multivalue", true.into()),
        RoutingPolicy::IpBased { collection, location } => {
            ("cidr", cidr(collection, location.as_deref(), references).into())
        }
    })
}

fn geolocation(location: &GeoLocation) -> InlineTable {
    let members: Members = match location {
        GeoLocation::Continent(continent) => vec![("continent", continent.code().into())],
        GeoLocation::Country(country) => vec![("country", country.to_string().into())],
        GeoLocation::Subdivision(country, subdivision) => {
            vec![("country", country.to_string().into()), ("subdivision", subdivision.to_string().into())]
        }
        GeoLocation::Default => vec![("country", "*".into())],
    };
    members.into_iter().collect()
}

fn geoproximity(location: &GeoproximityLocation, bias: i8) -> InlineTable {
    let mut members: Members = vec![match location {
        GeoproximityLocation::Region(region) => ("region", region.name().into()),
        GeoproximityLocation::LocalZoneGroup { name, .. } => ("local_zone_group", name.into()),
        GeoproximityLocation::Coordinates(Coordinates { latitude, longitude }) => {
            let point: Members = vec![("latitude", (*latitude).into()), ("longitude", (*longitude).into())];
            ("coordinates", point.into_iter().collect::<InlineTable>().into())
        }
    }];
    if bias != 0 {
        members.push(("bias", i64::from(bias).into()));
    }
    members.into_iter().collect()
}

fn cidr(collection: &CidrCollectionId, location: Option<&str>, references: &References<'_>) -> InlineTable {
    let collection = references.cidr_collection(collection);
    let members: Members = vec![("collection", collection.into()), ("location", location.unwrap_or("*").into())];
    members.into_iter().collect()
}

fn alias(target: &AliasTarget, zone: &Name) -> InlineTable {
    let AliasTarget { name, evaluate_target_health } = target;
    let members: Members =
        vec![("target", relative(name, zone).into()), ("evaluate_target_health", (*evaluate_target_health).into())];
    members.into_iter().collect()
}

fn list(values: &[RecordData]) -> Array {
    let mut list: Array = values.iter().map(ToString::to_string).collect();
    if list.to_string().chars().count() > LINE_CHARACTERS - "values = ".len() {
        list.iter_mut().for_each(|value| value.decor_mut().set_prefix("\n    "));
        list.set_trailing_comma(true);
        list.set_trailing("\n");
    }
    list
}

/// A name as zone files have it: relative to the zone, `@` for the zone itself, a wildcard as `*`.
fn relative(name: &Name, zone: &Name) -> String {
    let Some(labels) = name.relative_to(zone) else { return name.to_string() };
    if labels.is_empty() {
        return "@".to_owned();
    }
    let text = name.to_string();
    let text = text.strip_suffix(&format!(".{zone}")).unwrap_or(&text);
    match text.strip_prefix("\\052") {
        Some(rest) if name.is_wildcard() => format!("*{rest}"),
        _ => text.to_owned(),
    }
}
