//! Writes record sets as members of `[[record]]` tables.

use toml_edit::{InlineTable, TableLike, Value};

use super::References;
use super::members::{self, Member, list, string};
use crate::model::{
    AliasTarget, CidrCollectionId, Content, Coordinates, FailoverRole, GeoLocation, GeoproximityLocation, Name,
    RecordGroup, ResourceRecordSet, RoutingPolicy, WhenAllUnhealthy,
};

/// The members of a table, in the order in which a new one has them.
type Members = Vec<(&'static str, Value)>;

/// The text of a new `[[record]]`.
pub(super) fn text(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> String {
    format!("[[record]]\n{}", members::lines(&all(set, zone, references)))
}

/// The text of a new `[[record_group]]`.
pub(super) fn group_text(group: &RecordGroup, zone: &Name) -> String {
    let RecordGroup { name, record_type, when_all_unhealthy, failback_delay, slow_start } = group;
    let when_all_unhealthy = match when_all_unhealthy {
        WhenAllUnhealthy::All => Member::Default("all".into()),
        WhenAllUnhealthy::None => Member::of("none"),
        WhenAllUnhealthy::LastHealthy => Member::of("last_healthy"),
    };
    let members = vec![
        ("name", Member::of(relative(name, zone))),
        ("type", Member::of(record_type.as_str())),
        ("when_all_unhealthy", when_all_unhealthy),
        ("failback_delay", Member::or_default(members::duration(*failback_delay), failback_delay.is_zero())),
        ("slow_start", Member::or_default(members::duration(*slow_start), slow_start.is_zero())),
    ];
    format!("[[record_group]]\n{}", members::lines(&members))
}

/// Changes the members that differ between `old`, which the table defines, and `new`.
pub(super) fn update(
    table: &mut dyn TableLike,
    old: &ResourceRecordSet,
    new: &ResourceRecordSet,
    zone: &Name,
    references: &References<'_>,
) {
    members::update(table, &all(old, zone, references), &all(new, zone, references));
}

/// A record set as an inline table.
pub(super) fn inline(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> InlineTable {
    members(set, zone, references).into_iter().collect()
}

fn all(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> members::Members {
    members(set, zone, references).into_iter().map(|(key, value)| (key, Member::Value(value))).collect()
}

fn members(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> Members {
    let ResourceRecordSet { name, record_type, set_identifier, routing_policy, content, health_check } = set;
    let mut members: Members = vec![("name", relative(name, zone).into()), ("type", record_type.as_str().into())];
    members.extend(set_identifier.iter().map(|identifier| ("set_identifier", string(identifier))));
    members.extend(policy(routing_policy, references));
    match content {
        Content::Records { ttl, values } => {
            members.extend([
                ("ttl", i64::from(*ttl).into()),
                ("values", list(values.iter().map(|value| value.as_written().into_owned().into())).into()),
            ]);
        }
        Content::Alias(target) => members.push(("alias", alias(target, zone).into())),
    }
    members.extend(health_check.iter().map(|check| ("health_check", string(references.health_check(check)))));
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
    let AliasTarget { name, hosted_zone, evaluate_target_health } = target;
    let hosted_zone = hosted_zone.iter().map(|id| ("hosted_zone_id", string(&id.0)));
    let members =
        [("target", relative(name, zone).into()), ("evaluate_target_health", (*evaluate_target_health).into())];
    hosted_zone.chain(members).collect()
}

/// A name as zone files have it: relative to the zone, `@` for the zone itself, a wildcard as `*`.
pub(super) fn relative(name: &Name, zone: &Name) -> String {
    let Some(labels) = name.relative_to(zone) else { return name.to_string() };
    if labels.is_empty() {
        return "@".to_owned();
    }
    let text = name.readable();
    text.strip_suffix(&format!(".{zone}")).unwrap_or(&text).to_owned()
}
