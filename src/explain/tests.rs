//! Explanations of small worlds: each rule in its own words.

use std::sync::Arc;

use super::shape::{GroupShape, LeadsTo, StepShape, Verdict};
use super::*;
use crate::answer::fixture::{lab, member, name, primary, record_group, secondary, set, world};
use crate::model::{RecordGroup, ResourceRecordSet, RoutingPolicy, VpcId, WhenAllUnhealthy};

/// The explanation in a world of this zone, where these checks are unhealthy.
fn explained(zone: &HostedZone, down: &[u32], asked: &str, resolver: &str) -> Explanation {
    let world = world(std::slice::from_ref(zone), down);
    let model = Arc::new(zone.clone());
    let question = Question {
        name: name(asked),
        record_type: RecordType::A,
        resolver: resolver.parse().unwrap(),
        client_subnet: None,
        seed: 1,
    };
    let check = |id: &HealthCheckId| {
        let healthy = !down.iter().any(|slot| slot.to_string() == id.0);
        Some(CheckShape { name: format!("check-{}", id.0), healthy, ..CheckShape::default() })
    };
    let stage = Stage {
        world: &world,
        model: &|_| Ok(Arc::clone(&model)),
        checks: &check,
        networks: &[],
        uses_client_subnet: true,
        as_if: &[],
        seen: "a test",
    };
    explain(&question, &stage).unwrap()
}

fn at(sets: Vec<ResourceRecordSet>, down: &[u32], asked: &str) -> Explanation {
    explained(&lab(sets), down, asked, "192.0.2.7")
}

fn groups<'e>(explanation: &'e Explanation) -> Vec<&'e GroupShape> {
    let group = |step: &'e StepShape| match step {
        StepShape::Group(group) => Some(group),
        _ => None,
    };
    explanation.steps.iter().filter_map(group).collect()
}

fn verdicts(group: &GroupShape) -> Vec<(&str, Verdict)> {
    group.candidates.iter().map(|one| (one.set_identifier.as_deref().unwrap(), one.verdict)).collect()
}

fn pair() -> Vec<ResourceRecordSet> {
    vec![
        member("blue", primary(), Some(1), "app 60 A 192.0.2.1"),
        member("green", secondary(), Some(2), "app 30 A 192.0.2.2"),
    ]
}

#[test]
fn failover_names_who_answers_and_why() {
    let well = at(pair(), &[], "app");
    assert_eq!(verdicts(groups(&well)[0]), [("blue", Verdict::Chosen), ("green", Verdict::Behind)]);
    assert_eq!(groups(&well)[0].candidates[1].why, "the primary is healthy");
    let failed_over = at(pair(), &[1], "app");
    assert_eq!(verdicts(groups(&failed_over)[0]), [("blue", Verdict::Unhealthy), ("green", Verdict::Chosen)]);
    assert_eq!(groups(&failed_over)[0].candidates[0].why, "health check check-1 is unhealthy");
    assert_eq!(groups(&failed_over)[0].why, "green answers: the secondary is healthy and the primary is not.");
    assert_eq!(failed_over.answer.answer[0].data, "192.0.2.2");
    assert_eq!(failed_over.answer.ttl_why, "30 s: the record's own TTL");
    let all_down = at(pair(), &[1, 2], "app");
    assert_eq!(
        groups(&all_down)[0].why,
        "Nothing is healthy, so all records count as healthy, and blue answers (fail-open)."
    );
}

#[test]
fn weights_are_told_as_shares_and_zero_as_a_standby() {
    let weighted = |id, weight, check| {
        member(id, RoutingPolicy::Weighted { weight }, Some(check), &format!("app 60 A 192.0.2.{check}"))
    };
    let sets = || vec![weighted("a", 30, 1), weighted("b", 10, 2), weighted("c", 0, 3)];
    let shares = |explanation: &Explanation| {
        let group = groups(explanation)[0].candidates.iter().map(|candidate| candidate.share).collect::<Vec<_>>();
        let all: f64 = explanation.shares.iter().map(|share| share.share).sum();
        assert!((all - 1.0).abs() < 1e-9, "{all}");
        group
    };
    let well = at(sets(), &[], "app");
    assert_eq!(shares(&well), [0.75, 0.25, 0.0]);
    assert_eq!(groups(&well)[0].candidates[2].verdict, Verdict::Behind);
    assert_eq!(shares(&at(sets(), &[1], "app")), [0.0, 1.0, 0.0]);
    let standby = at(sets(), &[1, 2], "app");
    assert_eq!(shares(&standby), [0.0, 0.0, 1.0]);
    assert_eq!(
        groups(&standby)[0].why,
        "c answers: a standby of weight 0, drawn evenly: no record with a weight is healthy."
    );
}

#[test]
fn aliases_are_followed_and_their_targets_health_is_told() {
    let tree = || {
        vec![
            member("near", primary(), None, "top ALIAS A inner"),
            member("far", secondary(), None, "top 60 A 192.0.2.9"),
            member("one", RoutingPolicy::Weighted { weight: 1 }, Some(1), "inner 20 A 192.0.2.1"),
            member("two", RoutingPolicy::Weighted { weight: 1 }, Some(2), "inner 20 A 192.0.2.2"),
        ]
    };
    let well = at(tree(), &[], "top");
    assert_eq!(groups(&well).len(), 2);
    assert_eq!(well.answer.ttl_why, "20 s: an alias answers with its target's TTL");
    assert_eq!(well.shares.iter().map(|share| share.share).collect::<Vec<_>>(), [0.5, 0.5]);
    let down = at(tree(), &[1, 2], "top");
    assert_eq!(verdicts(groups(&down)[0]), [("near", Verdict::Unhealthy), ("far", Verdict::Chosen)]);
    assert_eq!(groups(&down)[0].candidates[0].why, "unhealthy: no record of its target inner.lab.test. is healthy");
}

#[test]
fn names_lead_to_wildcards_delegations_and_nothing() {
    let sets = || {
        vec![
            set("*.wild 60 A 192.0.2.1"),
            set("a.b 60 A 192.0.2.2"),
            set("child 60 NS ns.elsewhere.test."),
            set("note 60 TXT \"t\""),
            set("to 60 CNAME a.b.lab.test."),
        ]
    };
    let leads = |asked: &str| {
        let explanation = at(sets(), &[], asked);
        let Some(StepShape::Name(name)) = explanation.steps.first() else { panic!("{explanation:?}") };
        (name.leads_to, explanation.answer.rcode.clone())
    };
    assert_eq!(leads("x.y.wild"), (LeadsTo::Wildcard, "NOERROR".to_owned()));
    assert_eq!(leads("www.child"), (LeadsTo::Delegation, "NOERROR".to_owned()));
    assert_eq!(leads("b"), (LeadsTo::EmptyNonTerminal, "NOERROR".to_owned()));
    assert_eq!(leads("nobody"), (LeadsTo::Nothing, "NXDOMAIN".to_owned()));
    let missing = at(sets(), &[], "note");
    let Some(StepShape::Denial(denial)) = missing.steps.last() else { panic!("{missing:?}") };
    assert_eq!(denial.why, "The name exists, but it has no records of type A.");
    assert_eq!(missing.answer.ttl_why, "900 s: the lesser of the SOA's TTL and its minimum field (RFC 2308)");
    let chain = at(sets(), &[], "to");
    assert_eq!(
        chain.answer.answer.iter().map(|one| one.data.as_str()).collect::<Vec<_>>(),
        ["a.b.lab.test.", "192.0.2.2"]
    );
    assert_eq!(chain.shares.len(), 2);
}

#[test]
fn a_group_that_withholds_its_answer_says_so() {
    let mut zone = lab(pair());
    zone.record_groups = vec![RecordGroup { when_all_unhealthy: WhenAllUnhealthy::None, ..record_group("app", 0, 0) }];
    let explanation = explained(&zone, &[1, 2], "app", "192.0.2.7");
    assert!(groups(&explanation)[0].why.contains("when_all_unhealthy = \"none\""), "{explanation:?}");
    assert!(explanation.answer.ttl_why.starts_with("30 s: nothing healthy"), "{}", explanation.answer.ttl_why);
    zone.record_groups[0].when_all_unhealthy = WhenAllUnhealthy::LastHealthy;
    // Nothing was ever healthy in this world, so there is no picture to keep.
    let explanation = explained(&zone, &[1, 2], "app", "192.0.2.7");
    assert!(groups(&explanation)[0].why.contains("fail-open"), "{explanation:?}");
}

#[test]
fn a_private_zone_and_its_vpc_are_named() {
    let zone = HostedZone { vpcs: vec![VpcId("vpc-lab1".to_owned())], ..lab(pair()) };
    let explanation = explained(&zone, &[], "app", "10.53.7.7");
    assert_eq!(explanation.vpc.unwrap().id, "vpc-lab1");
    assert!(explanation.zone.unwrap().private);
    assert!(explanation.client.unwrap().said_by.contains("vpc-lab1"));
    let refused = explained(&zone, &[], "app", "192.0.2.7");
    assert_eq!((refused.answer.rcode.as_str(), refused.zone), ("REFUSED", None));
}

#[test]
fn a_client_behind_a_resolver_is_told_as_resolvers_do() {
    let asked = |from: &str, resolver: Option<&str>| {
        let from = Some(from.parse().unwrap());
        let resolver = resolver.map(|text| text.parse().unwrap());
        Asked { from, resolver, ..Asked::default() }.question(name("app"), 1)
    };
    let alone = asked("192.0.2.7", None);
    assert_eq!((alone.resolver.to_string().as_str(), alone.client_subnet), ("192.0.2.7", None));
    let behind = asked("192.0.2.7", Some("198.51.100.53"));
    let subnet = behind.client_subnet.unwrap();
    assert_eq!((subnet.address.to_string().as_str(), subnet.source_prefix), ("192.0.2.0", 24));
    assert_eq!(behind.resolver.to_string(), "198.51.100.53");
    let subnet = asked("2001:db8:1:2:3::4", Some("::1")).client_subnet.unwrap();
    assert_eq!((subnet.address.to_string().as_str(), subnet.source_prefix), ("2001:db8:1::", 56));
}
