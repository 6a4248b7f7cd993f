//! Lookups compared with a naive scan, and health propagated through aliases.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixture::{lab, member, name, primary, record_group, secondary, set, slot_of};
use super::*;
use crate::health::{CheckBits, Timestamp};
use crate::model::{
    AliasResource, AliasResources, AliasTarget, Content as ModelContent, HealthCheckId, HostedZone, NamePattern,
    RecordGroup, ResourceRecordSet, RoutingPolicy,
};
use crate::policy::{BitIndex, CidrTables};

fn compile(zone: &HostedZone) -> Zone {
    Zone::compile(zone, &slot_of, &CidrTables::default())
}

fn zone(sets: &[&str]) -> Zone {
    compile(&lab(sets.iter().map(|line| set(line))))
}

/// The result of a lookup as text: the labels of the node relative to the zone.
fn leads(zone: &Zone, asked: &Name) -> String {
    let mut question = QueryName::default();
    question.set(asked);
    let label = |node| {
        let wire = [zone.labels(node), zone.name().wire()].concat();
        Name::from_wire(&wire).unwrap().to_string()
    };
    match zone.find(&question) {
        Found::Name(node) => format!("name {}", label(node)),
        Found::Wildcard(node) => format!("wildcard {}", label(node)),
        Found::Delegation(node) => format!("delegation {}", label(node)),
        Found::Nothing => "nothing".to_owned(),
    }
}

#[test]
fn wildcards_answer_at_any_depth_and_existing_names_block_them() {
    let zone = zone(&["*.x 60 A 192.0.2.1", "a.b.x 60 A 192.0.2.2", "_sip._tcp.x 60 A 192.0.2.3"]);
    let leads = |text| leads(&zone, &name(text));
    assert_eq!(leads("deep.down.x"), r"wildcard \052.x.lab.test.");
    assert_eq!(leads("_any.x"), r"wildcard \052.x.lab.test.");
    assert_eq!(leads("a.b.x"), "name a.b.x.lab.test.");
    // b.x is an empty non-terminal: it exists, and blocks the wildcard for what is below it.
    assert_eq!(leads("b.x"), "name b.x.lab.test.");
    assert_eq!(leads("c.b.x"), "nothing");
    assert_eq!(leads("*.x"), r"name \052.x.lab.test.");
    assert_eq!(leads("x"), "name x.lab.test.");
    assert_eq!(leads("y"), "nothing");
    assert_eq!(leads("other._tcp.x"), "nothing");
}

#[test]
fn what_lies_below_a_delegation_is_referred_to_its_highest_point() {
    let zone = zone(&[
        "child 60 NS ns.child.lab.test.",
        "ns.child 60 A 192.0.2.1",
        "deep.child 60 NS ns.elsewhere.test.",
        "* 60 A 192.0.2.9",
    ]);
    let leads = |text| leads(&zone, &name(text));
    for below in ["child", "ns.child", "new.child", "deep.child", "very.deep.child"] {
        assert_eq!(leads(below), "delegation child.lab.test.", "{below}");
    }
    assert_eq!(leads("kind"), r"wildcard \052.lab.test.");
}

/// RFC 4592 by definition: existing names and their ancestors; the closest encloser; its asterisk.
fn naive(names: &[Name], cuts: &[Name], asked: &Name) -> String {
    let apex = name("@");
    let ancestors = |of: &Name| {
        let up = std::iter::successors(Some(of.clone()), Name::parent);
        up.take_while(|name| name.is_within(&apex)).collect::<Vec<_>>()
    };
    let existing: BTreeSet<Name> = names.iter().chain([&apex]).flat_map(ancestors).collect();
    let enclosers = ancestors(asked);
    if let Some(cut) = enclosers.iter().rev().find(|name| cuts.contains(name)) {
        return format!("delegation {cut}");
    }
    let closest = enclosers.iter().find(|name| existing.contains(name)).unwrap();
    if closest == asked {
        return format!("name {asked}");
    }
    let wildcard = Name::parse("*").unwrap().under(closest).unwrap();
    if existing.contains(&wildcard) { format!("wildcard {wildcard}") } else { "nothing".to_owned() }
}

fn any_name() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["a", "b", "c", r"\\052"], 1..4).prop_map(|labels| labels.join("."))
}

proptest! {
    #[test]
    fn find_equals_a_naive_scan(
        names in prop::collection::btree_set(any_name(), 0..12),
        cuts in prop::collection::btree_set(any_name(), 0..2),
        asked in any_name(),
    ) {
        let wild = |text: &String| text.contains(r"\052");
        let cuts: Vec<String> = cuts.into_iter().filter(|text| !wild(text)).collect();
        let sets: Vec<ResourceRecordSet> = names.iter().map(|text| set(&format!("{text} 60 A 192.0.2.1")))
            .chain(cuts.iter().map(|text| set(&format!("{text} 60 NS ns.elsewhere.test."))))
            .collect();
        let zone = compile(&lab(sets));
        let to_names = |labels: &mut dyn Iterator<Item = &String>| labels.map(|text| name(text)).collect::<Vec<_>>();
        let all = to_names(&mut names.iter().chain(&cuts));
        prop_assert_eq!(leads(&zone, &name(&asked)), naive(&all, &to_names(&mut cuts.iter()), &name(&asked)));
    }
}

/// Which members of a group are usable when these checks are unhealthy.
fn usable(zone: &Zone, owner: &str, unhealthy: &[u32]) -> Vec<bool> {
    let checks = CheckBits::with_unhealthy(unhealthy.iter().map(|&slot| CheckSlot(slot)));
    // The bits before these belong to another zone and must not change.
    let mut bits = Bits::new(3 + zone.bit_count());
    zone.propagate(&checks, &mut bits, BitIndex(3), PropagationReason::Begin, Timestamp::default());
    let words = bits.usable();
    assert!(words.first().is_none_or(|word| word & 0b111 == 0));
    let mut question = QueryName::default();
    question.set(&name(owner));
    let Found::Name(node) = zone.find(&question) else { panic!("{owner} is there") };
    let group = &zone.groups[zone.group(node, RecordType::A).and_then(GroupIndex::listed).unwrap()];
    let candidates = Candidates::new(
        UsableBits::new(words, BitIndex(3)),
        group.first_bit,
        u16::try_from(group.members.len()).unwrap(),
    );
    candidates.all().map(|member| candidates.is_usable(member)).collect()
}

#[test]
fn health_climbs_through_aliases() {
    let zone = compile(&lab([
        member("a", primary(), Some(1), "inner 60 A 192.0.2.1"),
        member("b", secondary(), Some(2), "inner 60 A 192.0.2.2"),
        set("middle ALIAS A inner"),
        member("c", primary(), Some(3), "outer ALIAS A middle"),
        member("d", secondary(), None, "outer BLIND A inner"),
    ]));
    assert_eq!(usable(&zone, "outer", &[]), [true, true]);
    assert_eq!(usable(&zone, "outer", &[1]), [true, true]);
    assert_eq!(usable(&zone, "outer", &[1, 2]), [false, true]);
    assert_eq!(usable(&zone, "outer", &[3]), [false, true]);
    assert_eq!(usable(&zone, "inner", &[2]), [true, false]);
    assert_eq!(zone.checks(), [CheckSlot(1), CheckSlot(2), CheckSlot(3)]);
}

#[test]
fn a_group_without_health_takes_no_bits() {
    let zone = zone(&["www 60 A 192.0.2.1", "alias ALIAS A www"]);
    assert_eq!(zone.bit_count(), 0);
    assert_eq!(usable(&zone, "alias", &[1]), [true]);
}

#[test]
fn an_alias_that_leads_nowhere_or_in_a_circle_is_unhealthy() {
    let circle = zone(&["a ALIAS A b", "b ALIAS A c", "c ALIAS A a"]);
    assert!(usable(&circle, "a", &[]).contains(&false));
    let gone = zone(&["a ALIAS A gone"]);
    assert_eq!(usable(&gone, "a", &[]), [false]);
}

#[test]
fn a_denial_is_short_however_often_aliases_meet() {
    // Four ways from each step to the next: 2^32 in all.
    let steps = (0..16).flat_map(|step| {
        let way = move |way: u32| {
            let line = format!("n{step} ALIAS A n{}", step + 1);
            member(&way.to_string(), RoutingPolicy::Weighted { weight: 1 }, None, &line)
        };
        (0..4).map(way)
    });
    let mut zone = lab(steps.chain([set("n16 30 A 192.0.2.1")]));
    zone.record_groups = vec![RecordGroup { when_all_unhealthy: WhenAllUnhealthy::None, ..record_group("n0", 0, 0) }];
    let compiled = compile(&zone);
    let mut question = QueryName::default();
    question.set(&name("n0"));
    let Found::Name(node) = compiled.find(&question) else { panic!("n0 is there") };
    assert_eq!(compiled.negative_ttl_cap(compiled.group(node, RecordType::A).unwrap()), Some(30));
}

/// A load balancer with a check, whose addresses are those of this record set.
fn balancer(record_set: ResourceRecordSet) -> AliasResource {
    let health_check = Some(HealthCheckId("0".to_owned()));
    AliasResource {
        name: "balancer".to_owned(),
        hosted_zone_id: None,
        service: None,
        target: NamePattern::parse("*.us-east-1.elb.amazonaws.com").unwrap(),
        record_sets: vec![ResourceRecordSet { health_check: health_check.clone(), ..record_set }],
        health_check,
    }
}

#[test]
fn resources_are_groups_that_only_aliases_lead_to() {
    let sets = ["www 60 A 192.0.2.1", "app ALIAS A www"];
    let with = |sets: &[&str], resource: AliasResource| {
        let mut zone = lab(sets.iter().map(|line| set(line)));
        zone.alias_resources = AliasResources::new(vec![resource]).into();
        zone
    };
    let plain = with(&sets, balancer(set("lb 60 A 192.0.2.80")));
    assert_eq!(compile(&plain), zone(&sets), "a zone without such aliases is compiled to the same");
    let outside = |owner: &str| {
        let target = AliasTarget {
            name: Name::parse("x.us-east-1.elb.amazonaws.com").unwrap(),
            hosted_zone: Some(HostedZoneId("Z35SXDOTRQ7X7K".to_owned())),
            evaluate_target_health: true,
        };
        ResourceRecordSet { content: ModelContent::Alias(target), ..set(owner) }
    };
    let mut source = plain.clone();
    source.record_sets.extend([outside("a 60 A 192.0.2.9"), outside("b 60 A 192.0.2.9")].map(Into::into));
    source.record_sets.push(outside("a 60 AAAA 2001:db8::9").into());
    let zone = compile(&source);
    let groups = zone.groups.len();
    // Two aliases to one group, and one to a group without data.
    assert_eq!(groups, compile(&plain).groups.len() + 3 + 2);
    assert_eq!(zone.checks(), [CheckSlot(0)]);
    let of_name = zone.groups_at(zone.apex).count();
    assert_eq!(of_name, 2, "no name has the groups of resources");
}
