//! The violations that a change can cause, found without checking the rest of the zone.

use foldhash::HashSet;

use super::{Violation, violations};
use crate::model::{CidrCollection, Content, HostedZone, Name, RecordData, RecordType, ResourceRecordSet};

/// The violations of a zone that had none before `touched` changed: the record sets that were
/// replaced, removed or added, as they were and as they are. Empty exactly if the zone has none.
///
/// The rules relate a record set only to those of its name, to aliases and their targets, and to
/// delegations and the addresses of their name servers. A zone of these sets alone is checked. What
/// a delegation hides is everywhere, so a change of one needs the whole zone.
pub fn violations_near(
    zone: &HostedZone,
    touched: &[&ResourceRecordSet],
    collections: &[CidrCollection],
    udp_payload_max: u16,
) -> Vec<Violation> {
    if touched.iter().any(|set| set.record_type == RecordType::Ns) {
        return violations(zone, collections, udp_payload_max);
    }
    let mut names: HashSet<&Name> = touched.iter().flat_map(|set| [Some(&set.name), target(set)]).flatten().collect();
    let mut servers = Vec::new();
    for set in &zone.record_sets {
        names.extend(target(set));
        servers.extend(name_servers(set));
    }
    names.extend(&servers);
    let is_near = |set: &ResourceRecordSet| {
        set.record_type == RecordType::Ns || target(set).is_some() || names.contains(&set.name)
    };
    let near = zone.record_sets.iter().filter(|set| is_near(set)).cloned().collect();
    violations(&zone.with_record_sets(near), collections, udp_payload_max)
}

/// The target of an alias.
fn target(set: &ResourceRecordSet) -> Option<&Name> {
    match &set.content {
        Content::Alias(target) => Some(&target.name),
        Content::Records { .. } => None,
    }
}

fn name_servers(set: &ResourceRecordSet) -> impl Iterator<Item = Name> {
    let values = match &set.content {
        Content::Records { values, .. } if set.record_type == RecordType::Ns => &values[..],
        _ => &[],
    };
    values.iter().filter_map(RecordData::target)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{AliasTarget, HealthCheckId, HostedZoneId, RecordGroup, RoutingPolicy, WhenAllUnhealthy};

    const DS: &str = "1 8 2 0000000000000000000000000000000000000000000000000000000000000000";

    fn lab() -> HostedZone {
        let name = Name::parse("lab.test").unwrap();
        let apex = [
            (RecordType::Soa, "ns.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400"),
            (RecordType::Ns, "ns.lab.test."),
        ];
        let set = |(record_type, value)| ResourceRecordSet {
            name: name.clone(),
            record_type,
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: Content::Records { ttl: 60, values: vec![RecordData::parse(record_type, value).unwrap()] },
            health_check: None,
        };
        HostedZone {
            record_sets: apex.map(set).map(Arc::new).into(),
            ..HostedZone::new(HostedZoneId("Z1".to_owned()), name)
        }
    }

    /// Few names and every relation between record sets, so that changes meet.
    fn any_set() -> impl Strategy<Value = ResourceRecordSet> {
        let owner = prop_oneof![Just("a"), Just("b"), Just("c.a"), Just("d.c.a"), Just("ns"), Just("*.b")];
        let kind = prop_oneof![
            8 => Just((RecordType::A, "192.0.2.1")),
            1 => Just((RecordType::Aaaa, "2001:db8::1")),
            1 => Just((RecordType::Cname, "a.lab.test.")),
            1 => Just((RecordType::Ns, "ns.lab.test.")),
            1 => Just((RecordType::Ds, DS)),
            1 => Just((RecordType::Mx, "1 b.lab.test.")),
        ];
        let alias = prop_oneof![5 => Just(None), 1 => Just(Some("a")), 1 => Just(Some("b")), 1 => Just(Some("c.a"))];
        let policy = prop_oneof![3 => Just(None), 1 => Just(Some(("blue", 1))), 1 => Just(Some(("green", 2)))];
        (owner, kind, alias, policy, any::<(bool, bool)>(), 1..3u32).prop_map(
            |(owner, (record_type, value), alias, policy, (checked, evaluates), times)| {
                let name = |owner: &str| Name::parse(&format!("{owner}.lab.test")).unwrap();
                let value = RecordData::parse(record_type, value).unwrap();
                let content = match alias {
                    Some(target) => Content::Alias(AliasTarget {
                        name: name(target),
                        hosted_zone: None,
                        evaluate_target_health: evaluates,
                    }),
                    None => Content::Records { ttl: 60 * times, values: vec![value] },
                };
                let weighted = |(_, weight)| RoutingPolicy::Weighted { weight };
                ResourceRecordSet {
                    name: name(owner),
                    record_type,
                    set_identifier: policy.map(|(identifier, _)| identifier.to_owned()),
                    routing_policy: policy.map_or(RoutingPolicy::Simple, weighted),
                    content,
                    health_check: checked.then(|| HealthCheckId("check".to_owned())),
                }
            },
        )
    }

    fn withholding(owner: &str) -> RecordGroup {
        RecordGroup {
            name: Name::parse(owner).unwrap(),
            record_type: RecordType::A,
            when_all_unhealthy: WhenAllUnhealthy::None,
            failback_delay: Default::default(),
            slow_start: Default::default(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]
        #[test]
        fn a_change_breaks_a_rule_near_it_or_none(
            sets in prop::collection::vec(any_set(), 0..9),
            changes in prop::collection::vec((any_set(), 0..12usize), 1..3),
            withholds in any::<bool>(),
        ) {
            // The sets that keep the zone sound, so that each case counts.
            let mut zone = lab();
            zone.record_groups = withholds.then(|| withholding("a.lab.test")).into_iter().collect();
            for set in sets {
                zone.record_sets.push(Arc::new(set));
                if !violations(&zone, &[], 1232).is_empty() {
                    zone.record_sets.pop();
                }
            }
            let (mut after, mut touched) = (zone.clone(), Vec::new());
            for (set, at) in changes {
                let set = Arc::new(set);
                match after.record_sets.get_mut(at) {
                    Some(old) if at > 1 && set.name.to_string().len() > 11 => {
                        touched.push(std::mem::replace(old, Arc::clone(&set)));
                        touched.push(set);
                    }
                    Some(_) if at > 1 => touched.push(after.record_sets.remove(at)),
                    _ => {
                        touched.push(Arc::clone(&set));
                        after.record_sets.push(set);
                    }
                }
            }
            let touched: Vec<&ResourceRecordSet> = touched.iter().map(|set| &**set).collect();
            let near = violations_near(&after, &touched, &[], 1232);
            let all = violations(&after, &[], 1232);
            prop_assert_eq!(near.is_empty(), all.is_empty(), "{:?}\n{:?}\n{:?}", near, all, after.record_sets);
        }
    }
}
