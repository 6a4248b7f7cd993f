//! Rules for the record sets of one name and type together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Context, Diagnostics, Field, Group, describe, describe_key, quote_identifier};
use crate::model::{
    Content, FailoverRole, GeoLocation, GeoproximityLocation, MAX_MEMBERS, ResourceRecordSet, RoutingPolicy,
};

/// The most members of a geoproximity group (Developer Guide, "Quotas on records").
const MAX_GEOPROXIMITY_MEMBERS: usize = 30;

type Rule = fn(&Context<'_>, &Group<'_>, &mut Diagnostics);

pub(super) const RULES: &[Rule] = &[
    simple_is_alone,
    policy_is_the_same,
    set_identifiers_differ,
    size_is_within_limits,
    weighted_ttl_is_the_same,
    places_differ,
    collection_is_the_same,
    geolocation_has_a_default,
];

/// The sentences are the API's. The first set in the file is taken as the correct one.
fn simple_is_alone(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let (_, first) = group.members[0];
    let first_is_simple = first.routing_policy == RoutingPolicy::Simple;
    for &(at, set) in &group.members[1..] {
        let what = describe(set);
        match (first_is_simple, set.routing_policy == RoutingPolicy::Simple) {
            (true, true) => {
                let key = describe_key(&set.name, set.record_type, None);
                let message = format!("Tried to create resource record set {key} but it already exists");
                diagnostics
                    .error(at, Field::Name, message)
                    .with_hint("a record set can have several values: combine them");
            }
            (true, false) => {
                diagnostics
                    .error(at, Field::Policy, cannot_join(set, first))
                    .with_hint("a simple record set must be alone with its name and type");
            }
            (false, true) => {
                let message =
                    format!("RRSet with {what} cannot be created as other RRSets exist with the same name and type.");
                diagnostics
                    .error(at, Field::Policy, message)
                    .with_hint("a simple record set must be alone with its name and type");
            }
            (false, false) => {}
        }
    }
}

fn policy_is_the_same(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let (_, first) = group.members[0];
    let expected = first.routing_policy.name();
    for &(at, set) in &group.members[1..] {
        let policies = [&first.routing_policy, &set.routing_policy];
        if policies.contains(&&RoutingPolicy::Simple) || set.routing_policy.name() == expected {
            continue;
        }
        let other = set.routing_policy.name();
        diagnostics.error(at, Field::Policy, cannot_join(set, first)).with_hint(format!(
            "this one is {other}, {} is {expected}: all record sets of one name and type must have the same routing policy",
            quote_identifier(first)
        ));
    }
}

/// Why a set with a routing policy cannot join a group whose first set has another one. The
/// sentences are Route 53's, as far as known: each policy has its own, and none names the group's
/// policy.
fn cannot_join(set: &ResourceRecordSet, first: &ResourceRecordSet) -> String {
    let what = describe(set);
    match (&set.routing_policy, &first.routing_policy) {
        (RoutingPolicy::Geolocation { .. }, _) => format!(
            "RRSet with {what} cannot be created because a non-GEO RRSet with the same name and type already exists."
        ),
        (RoutingPolicy::Latency { region }, _) => format!(
            "RRSet with {what}, and Region Name={region} cannot be created because a non-latency RRSet with the same name \
             and type already exists."
        ),
        (RoutingPolicy::MultivalueAnswer, _) => format!(
            "RRSet with {what} cannot be created because a non multivalue answer rrset exists with the same name and type."
        ),
        (RoutingPolicy::Weighted { .. }, _) | (_, RoutingPolicy::Simple) => {
            format!("RRSet with {what} cannot be created as a non-weighted set exists with the same name and type.")
        }
        (_, other) => {
            let other = other.name_with_article();
            format!("RRSet with {what} cannot be created as {other} set exists with the same name and type.")
        }
    }
}

/// Name, type and set identifier identify a set.
fn set_identifiers_differ(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let mut seen = std::collections::HashSet::new();
    for &(at, set) in group.members {
        let Some(identifier) = &set.set_identifier else { continue };
        if !seen.insert(identifier) {
            let key = describe_key(&set.name, set.record_type, Some(identifier));
            let message = format!("Tried to create resource record set {key} but it already exists");
            diagnostics
                .error(at, Field::SetIdentifier, message)
                .with_hint("each set of one name and type needs its own");
        }
    }
}

/// Failover groups need no limit here: their roles allow only two members.
fn size_is_within_limits(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let (_, first) = group.members[0];
    let most = match first.routing_policy {
        RoutingPolicy::Simple | RoutingPolicy::Failover { .. } => return,
        RoutingPolicy::Geoproximity { .. } => MAX_GEOPROXIMITY_MEMBERS,
        _ => MAX_MEMBERS,
    };
    if let Some(&(at, _)) = group.members.get(most) {
        let (policy, count) = (first.routing_policy.name(), group.members.len());
        let (name, record_type) = (group.name, group.record_type);
        let message =
            format!("{name}, type {record_type} has {count} {policy} record sets, at most {most} are allowed");
        diagnostics.error(at, Field::Policy, message);
    }
}

/// API TTL: resolvers cache answers for the TTL of a set, so different TTLs would change the
/// weights.
fn weighted_ttl_is_the_same(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let mut expected = None;
    for &(at, set) in group.members {
        let (RoutingPolicy::Weighted { .. }, Content::Records { ttl, .. }) = (&set.routing_policy, &set.content) else {
            continue;
        };
        let (first_ttl, first) = *expected.get_or_insert((*ttl, set));
        if *ttl != first_ttl {
            let (first, name, record_type) = (quote_identifier(first), &set.name, set.record_type);
            let identifier = set.set_identifier.as_ref().map(|id| format!(", SetIdentifier {id}")).unwrap_or_default();
            let message = format!(
                "RRSet with DNS name {name} and type {record_type}{identifier} cannot be created as weighted sets must \
                 contain the same TTL."
            );
            diagnostics
                .error(at, Field::Ttl, message)
                .with_hint(format!("it is {ttl} here and {first_ttl} in {first}"));
        }
    }
}

/// API Region, GeoLocation, GeoProximityLocation, CidrRoutingConfig, Failover: two sets of one
/// group cannot have the same location or role.
fn places_differ(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let mut taken = HashMap::<String, &ResourceRecordSet>::new();
    for &(at, set) in group.members {
        let Some(key) = policy_key(&set.routing_policy) else { continue };
        match taken.entry(key) {
            Entry::Occupied(first) => {
                let (key, first) = (first.key(), quote_identifier(first.get()));
                diagnostics.error(at, Field::Policy, format!("the {key} is already taken by the record set {first}"));
            }
            Entry::Vacant(free) => {
                free.insert(set);
            }
        }
    }
}

/// The property that no other set of the group may have.
fn policy_key(policy: &RoutingPolicy) -> Option<String> {
    match policy {
        RoutingPolicy::Simple | RoutingPolicy::Weighted { .. } | RoutingPolicy::MultivalueAnswer => None,
        RoutingPolicy::Latency { region } => Some(format!("region {region}")),
        RoutingPolicy::Failover { role: FailoverRole::Primary } => Some("role of the primary".to_owned()),
        RoutingPolicy::Failover { role: FailoverRole::Secondary } => Some("role of the secondary".to_owned()),
        RoutingPolicy::Geolocation { location } => Some(area(*location)),
        RoutingPolicy::Geoproximity { location, .. } => Some(point(location)),
        RoutingPolicy::IpBased { collection, location: Some(location) } => {
            Some(format!("CIDR location '{location}' of the collection {}", collection.0))
        }
        RoutingPolicy::IpBased { location: None, .. } => Some("CIDR location '*'".to_owned()),
    }
}

fn area(location: GeoLocation) -> String {
    match location {
        GeoLocation::Continent(continent) => format!("continent {}", continent.code()),
        GeoLocation::Country(country) => format!("country {country}"),
        GeoLocation::Subdivision(country, subdivision) => format!("subdivision {country}-{subdivision}"),
        GeoLocation::Default => "default location '*'".to_owned(),
    }
}

fn point(location: &GeoproximityLocation) -> String {
    match location {
        GeoproximityLocation::Region(region) => format!("region {region}"),
        GeoproximityLocation::LocalZoneGroup { name, .. } => format!("local zone group {name}"),
        GeoproximityLocation::Coordinates(at) => {
            // Adding zero turns negative zero into positive zero, which is the same location.
            format!("point at latitude {}, longitude {}", at.latitude + 0.0, at.longitude + 0.0)
        }
    }
}

/// Developer Guide, "IP-based routing".
fn collection_is_the_same(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let mut expected = None;
    for &(at, set) in group.members {
        let RoutingPolicy::IpBased { collection, .. } = &set.routing_policy else { continue };
        let (first_collection, first) = *expected.get_or_insert((collection, set));
        if collection != first_collection {
            let first = quote_identifier(first);
            let message =
                format!("all IP-based record sets of one name and type must use the same CIDR collection as {first}");
            diagnostics.error(at, Field::Policy, message);
        }
    }
}

/// Developer Guide, "Geolocation routing": clients outside all areas of the group get "no answer".
fn geolocation_has_a_default(_: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let mut locations = group.members.iter().filter_map(|(at, set)| match set.routing_policy {
        RoutingPolicy::Geolocation { location } => Some((*at, location)),
        _ => None,
    });
    let Some((at, first)) = locations.next() else { return };
    if first == GeoLocation::Default || locations.any(|(_, location)| location == GeoLocation::Default) {
        return;
    }
    let (name, record_type) = (group.name, group.record_type);
    let message = format!("clients elsewhere, and clients that cannot be located, get no {record_type} of {name}");
    diagnostics
        .warning(at, Field::Policy, message)
        .with_hint("add a record set for all other clients: country = \"*\"");
}
