//! Writes a zone as one master file.
//!
//! A master file has one set of records for each name and type, which every client gets. Where a
//! zone chooses, the file has the records that most clients should get, by the rule of
//! [`choice`]; the others are comments next to them. Aliases become the records of their targets.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::record_data::{data_text, name_text};
use crate::migrate::report::{MigrationReport, Place};
use crate::model::{
    AliasTarget, Content, FailoverRole, GeoLocation, HealthCheck, HostedZone, MAX_ALIAS_CHAIN, Name, RecordData,
    RecordType, ResourceRecordSet, RoutingPolicy, Ttl,
};

/// The record sets of one name and type.
type Group<'z> = Vec<&'z ResourceRecordSet>;

/// Writes one zone.
struct Writer<'z> {
    zone: &'z HostedZone,
    groups: HashMap<(&'z Name, RecordType), Group<'z>>,
    /// The names of health checks, by id.
    checks: HashMap<&'z str, &'z str>,
}

/// Records that a name gets in the file.
#[derive(Clone, Debug, Default)]
struct Written {
    ttl: Option<Ttl>,
    values: Vec<RecordData>,
    /// Targets of aliases that have no records here.
    missing: Vec<Name>,
}

/// The master file of a zone. What a master file cannot say is reported.
pub(crate) fn bind_text(zone: &HostedZone, checks: &[HealthCheck], report: &mut MigrationReport) -> String {
    let place = Place::whole(zone.name.readable());
    let mut groups: HashMap<(&Name, RecordType), Group<'_>> = HashMap::new();
    let mut order = Vec::new();
    for set in zone.answered_sets() {
        let key = (&set.name, set.record_type);
        let group = groups.entry(key).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(set);
    }
    let is_apex = |key: &&(&Name, RecordType), record_type| key.0 == &zone.name && key.1 == record_type;
    // BIND requires SOA first; then the name servers, as people expect.
    order.sort_by_key(|key| (!is_apex(&key, RecordType::Soa), !is_apex(&key, RecordType::Ns)));
    let checks = checks.iter().map(|check| (check.id.0.as_str(), check.name.as_str())).collect();
    let writer = Writer { zone, groups, checks };
    let mut text = format!("$ORIGIN {}\n", name_text(&zone.name));
    if let Some(comment) = &zone.comment {
        comment.lines().for_each(|line| push_comment(&mut text, line));
    }
    for key in order {
        writer.group(&mut text, key, &place, report);
    }
    text
}

impl Writer<'_> {
    fn group(&self, text: &mut String, key: (&Name, RecordType), place: &Place, report: &mut MigrationReport) {
        let group = &self.groups[&key];
        let chosen = choice(group);
        let written = self.records(key, 0);
        let what = format!("{} {}", key.0.readable(), key.1);
        if !is_plain(group) {
            text.push('\n');
            push_comment(text, &format!("{what}: {}", rule(group)));
            for set in group {
                let is_chosen = chosen.iter().any(|one| std::ptr::eq(*one, *set));
                push_comment(text, &format!("  {}{}", if is_chosen { "" } else { "not here: " }, self.described(set)));
            }
        }
        if group.iter().any(|set| set.routing_policy != RoutingPolicy::Simple || set.health_check.is_some()) {
            report.add(place, format!("{what}: {}", loss(group)));
        }
        for target in &written.missing {
            let target = target.readable();
            push_comment(text, &format!("the target {target} has no records of type {} in this zone", key.1));
            report.add(place, format!("{what} is not written: its alias target {target} is not in the zone"));
        }
        let ttl = written.ttl.unwrap_or_default();
        for value in &written.values {
            let _ = writeln!(text, "{} {ttl} IN {} {}", self.owner(key.0), key.1, data_text(value));
        }
    }

    /// The records of a group: those of the chosen members, and of the targets of chosen aliases.
    fn records(&self, key: (&Name, RecordType), depth: usize) -> Written {
        let mut written = Written::default();
        let Some(group) = self.groups.get(&key) else {
            written.missing.push(key.0.clone());
            return written;
        };
        for set in choice(group) {
            let part = match &set.content {
                Content::Records { ttl, values } => {
                    Written { ttl: Some(*ttl), values: values.clone(), missing: Vec::new() }
                }
                Content::Alias(target) if depth < MAX_ALIAS_CHAIN && target.hosted_zone.is_none() => {
                    self.records((&target.name, key.1), depth + 1)
                }
                Content::Alias(target) => self.resource(target, key.1),
            };
            // One set of records has one TTL (RFC 2181 section 5.2).
            written.ttl = [written.ttl, part.ttl].into_iter().flatten().min();
            written.missing.extend(part.missing);
            for value in part.values {
                // A name has one CNAME record (RFC 2181 section 10.1).
                let is_full = key.1 == RecordType::Cname && !written.values.is_empty();
                if !is_full && !written.values.contains(&value) {
                    written.values.push(value);
                }
            }
        }
        written
    }

    /// The records of a resource outside the zone, if an `[[alias_target]]` table has them.
    fn resource(&self, target: &AliasTarget, record_type: RecordType) -> Written {
        let set = self.zone.resource_of(target).and_then(|resource| resource.record_set(record_type));
        match set.map(|set| &set.content) {
            Some(Content::Records { ttl, values }) => {
                Written { ttl: Some(*ttl), values: values.clone(), missing: Vec::new() }
            }
            _ => Written { missing: vec![target.name.clone()], ..Written::default() },
        }
    }

    /// The name without that of the zone.
    fn owner(&self, name: &Name) -> String {
        if *name == self.zone.name {
            return "@".to_owned();
        }
        let (text, apex) = (name_text(name), name_text(&self.zone.name));
        text.strip_suffix(&apex).and_then(|text| text.strip_suffix('.')).map_or(text.clone(), str::to_owned)
    }

    /// `weight 3, "blue", health check app: 192.0.2.1`
    fn described(&self, set: &ResourceRecordSet) -> String {
        let mut parts = vec![policy(&set.routing_policy)];
        parts.extend(set.set_identifier.as_ref().map(|identifier| format!("{identifier:?}")));
        parts.extend(
            set.health_check
                .as_ref()
                .map(|id| format!("health check {}", self.checks.get(id.0.as_str()).copied().unwrap_or(&id.0))),
        );
        let content = match &set.content {
            Content::Alias(target) => format!("alias of {}", target.name.readable()),
            Content::Records { ttl, values } => {
                let values: Vec<String> = values.iter().map(data_text).collect();
                format!("{ttl} {}", values.join(", "))
            }
        };
        format!("{}: {content}", parts.join(", "))
    }
}

/// The members that are written: the primary; those with a weight; the default location; else all.
fn choice<'z>(group: &[&'z ResourceRecordSet]) -> Group<'z> {
    let is_preferred = |set: &ResourceRecordSet| match &set.routing_policy {
        RoutingPolicy::Failover { role } => *role == FailoverRole::Primary,
        RoutingPolicy::Weighted { weight } => *weight > 0,
        RoutingPolicy::Geolocation { location } => *location == GeoLocation::Default,
        RoutingPolicy::IpBased { location, .. } => location.is_none(),
        _ => true,
    };
    let preferred: Group<'z> = group.iter().copied().filter(|set| is_preferred(set)).collect();
    let mut chosen = if preferred.is_empty() { group.to_vec() } else { preferred };
    // Of several CNAME records, the first is kept: the one with the greatest weight.
    chosen.sort_by_key(|set| match set.routing_policy {
        RoutingPolicy::Weighted { weight } => std::cmp::Reverse(weight),
        _ => std::cmp::Reverse(0),
    });
    chosen
}

/// Whether the file says all of it.
fn is_plain(group: &[&ResourceRecordSet]) -> bool {
    let is_plain = |set: &&ResourceRecordSet| {
        set.routing_policy == RoutingPolicy::Simple
            && set.health_check.is_none()
            && matches!(set.content, Content::Records { .. })
    };
    group.iter().all(is_plain)
}

/// What the file has for the group.
fn rule(group: &[&ResourceRecordSet]) -> &'static str {
    match group[0].routing_policy {
        RoutingPolicy::Simple if matches!(group[0].content, Content::Alias(_)) => "the records of the alias target",
        RoutingPolicy::Simple => "has a health check",
        RoutingPolicy::Failover { .. } => "failover; the records of the primary",
        RoutingPolicy::Weighted { .. } => "weighted; the records of all members with a weight, as equals",
        RoutingPolicy::Geolocation { .. } => "geolocation; the records of the default location, else of all",
        RoutingPolicy::IpBased { .. } => "IP-based; the records of the default location, else of all",
        RoutingPolicy::MultivalueAnswer => "multivalue answer; the records of all members",
        RoutingPolicy::Latency { .. } => "latency; the records of all members",
        RoutingPolicy::Geoproximity { .. } => "geoproximity; the records of all members",
    }
}

fn loss(group: &[&ResourceRecordSet]) -> String {
    match group[0].routing_policy {
        RoutingPolicy::Simple => "a master file has no health checks".to_owned(),
        _ => format!("a master file has no routing policies: {}", rule(group)),
    }
}

/// `weight 3`, `country DE`.
fn policy(policy: &RoutingPolicy) -> String {
    match policy {
        RoutingPolicy::Weighted { weight } => format!("weight {weight}"),
        RoutingPolicy::Latency { region } => format!("region {region}"),
        RoutingPolicy::Failover { role: FailoverRole::Primary } => "primary".to_owned(),
        RoutingPolicy::Failover { role: FailoverRole::Secondary } => "secondary".to_owned(),
        RoutingPolicy::Geolocation { location } => match location {
            GeoLocation::Continent(continent) => format!("continent {}", continent.code()),
            GeoLocation::Country(country) => format!("country {country}"),
            GeoLocation::Subdivision(country, subdivision) => format!("subdivision {country}-{subdivision}"),
            GeoLocation::Default => "default location".to_owned(),
        },
        RoutingPolicy::Geoproximity { location, bias } => format!("near {location}, bias {bias}"),
        RoutingPolicy::IpBased { location, .. } => format!("location {}", location.as_deref().unwrap_or("*")),
        RoutingPolicy::Simple | RoutingPolicy::MultivalueAnswer => policy.name().to_owned(),
    }
}

/// A line of comment; control characters would end it.
fn push_comment(text: &mut String, comment: &str) {
    let clean: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(text, "; {}", clean.trim_end());
}
