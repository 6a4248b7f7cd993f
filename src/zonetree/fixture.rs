//! Zones for unit tests; each record set is one line.

use std::sync::Arc;
use std::time::Duration;

use crate::health::CheckSlot;
use crate::model::{
    AliasResource, AliasResources, AliasTarget, Content, FailoverRole, HealthCheckId, HostedZone, HostedZoneId, Name,
    NamePattern, RecordData, RecordGroup, RecordType, ResourceRecordSet, RoutingPolicy, WhenAllUnhealthy,
};

/// A public zone `lab.test` with SOA and NS, and these record sets.
pub(crate) fn lab(record_sets: impl IntoIterator<Item = ResourceRecordSet>) -> HostedZone {
    let apex = ["@ 900 SOA ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400", "@ 172800 NS ns1.lab.test."];
    HostedZone {
        record_sets: apex.into_iter().map(set).chain(record_sets).map(Arc::new).collect(),
        ..HostedZone::new(HostedZoneId("ZLAB".to_owned()), name("@"))
    }
}

/// `lab.test`, where `www` is an alias to the resource `balancer`: `www.other.test` in the hosted
/// zone `ZONE1`. It has the addresses of `www.other.test` in the zone `other.test`: two weighted
/// records, which do not answer if both are unhealthy. In the hosted zone `ZONE2`, the target of
/// `two`, the same name is another resource.
pub(crate) fn lab_with_resource() -> HostedZone {
    let www = Name::parse("www.other.test").unwrap();
    let alias = |owner: &str, id: Option<&str>| ResourceRecordSet {
        content: Content::Alias(AliasTarget {
            name: www.clone(),
            hosted_zone: id.map(|id| HostedZoneId(id.to_owned())),
            evaluate_target_health: true,
        }),
        ..set(&format!("{owner} 60 A 192.0.2.9"))
    };
    let resource = |name: &str, id: &str, record_set| AliasResource {
        name: name.to_owned(),
        hosted_zone_id: Some(HostedZoneId(id.to_owned())),
        service: None,
        target: NamePattern::parse("www.other.test").unwrap(),
        record_sets: vec![record_set],
        health_check: None,
    };
    let weighted = |id: u32| ResourceRecordSet {
        name: www.clone(),
        ..member(&id.to_string(), RoutingPolicy::Weighted { weight: 1 }, Some(id), &format!("www 60 A 192.0.2.{id}"))
    };
    let settings =
        RecordGroup { name: www.clone(), when_all_unhealthy: WhenAllUnhealthy::None, ..record_group("www", 0, 0) };
    let other = HostedZone {
        name: Name::parse("other.test").unwrap(),
        record_sets: [1, 2].map(weighted).map(Arc::new).into(),
        record_groups: vec![settings],
        ..lab([])
    };
    let resources = AliasResources::new(vec![
        resource("balancer", "ZONE1", alias("www", None)),
        resource("fixed", "ZONE2", set("www 60 A 192.0.2.3")),
    ]);
    let zone = lab([alias("www", Some("ZONE1")), alias("two", Some("ZONE2"))]);
    HostedZone { alias_resources: resources.with_zones(&[&zone, &other]).into(), ..zone }
}

/// A name relative to `lab.test`.
pub(crate) fn name(relative: &str) -> Name {
    match relative {
        "@" => Name::parse("lab.test").unwrap(),
        labels => Name::parse(&format!("{labels}.lab.test")).unwrap(),
    }
}

/// A simple record set: `www 60 A 192.0.2.1 | 192.0.2.2`, or `www ALIAS A target` with evaluated
/// health.
pub(crate) fn set(line: &str) -> ResourceRecordSet {
    let mut words = line.splitn(4, ' ');
    let mut word = || words.next().unwrap();
    let (owner, ttl, record_type, rest) = (word(), word(), word().parse::<RecordType>().unwrap(), word());
    let content = match ttl {
        "ALIAS" | "BLIND" => {
            Content::Alias(AliasTarget { name: name(rest), hosted_zone: None, evaluate_target_health: ttl == "ALIAS" })
        }
        _ => Content::Records {
            ttl: ttl.parse().unwrap(),
            values: rest.split(" | ").map(|text| RecordData::parse(record_type, text).unwrap()).collect(),
        },
    };
    ResourceRecordSet {
        name: name(owner),
        record_type,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content,
        health_check: None,
    }
}

/// The same set as a member of a group: set identifier, policy, and the health check of that number
/// if any.
pub(crate) fn member(id: &str, policy: RoutingPolicy, check: Option<u32>, line: &str) -> ResourceRecordSet {
    ResourceRecordSet {
        set_identifier: Some(id.to_owned()),
        routing_policy: policy,
        health_check: check.map(|slot| HealthCheckId(slot.to_string())),
        ..set(line)
    }
}

/// The failback delay and slow start of the A records of this name, in seconds.
pub(crate) fn record_group(owner: &str, failback_delay: u64, slow_start: u64) -> RecordGroup {
    let [failback_delay, slow_start] = [failback_delay, slow_start].map(Duration::from_secs);
    let (record_type, when_all_unhealthy) = (RecordType::A, WhenAllUnhealthy::All);
    RecordGroup { name: name(owner), record_type, when_all_unhealthy, failback_delay, slow_start }
}

/// The slot of check number `number`.
pub(crate) fn slot_of(id: &HealthCheckId) -> Option<CheckSlot> {
    id.0.parse().ok().map(CheckSlot)
}

/// One side of a failover pair.
pub(crate) fn primary() -> RoutingPolicy {
    RoutingPolicy::Failover { role: FailoverRole::Primary }
}

/// The other side.
pub(crate) fn secondary() -> RoutingPolicy {
    RoutingPolicy::Failover { role: FailoverRole::Secondary }
}
