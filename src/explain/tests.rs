//! Explanations of small worlds: each rule in its own words.

use std::sync::Arc;

use super::json::{CandidateOutcome, GroupShape, LookupResult, MessageShape, RecordShape, StepShape};
use super::*;
use crate::answer::fixture::{
    lab, lab_with_resource, member, name, primary, record_group, secondary, set, with_unavailable, world,
};
use crate::model::{
    AliasResource, AliasResources, AliasTarget, Content, HostedZoneId, NamePattern, PolicySet, RecordGroup,
    ResourceRecordSet, RoutingPolicy, VpcId, WhenAllUnhealthy, ZoneIdentity,
};

/// The explanation in a world of this zone, where these checks are unhealthy.
fn explained(zone: &HostedZone, down: &[u32], asked: &str, resolver: &str) -> Explanation {
    asked_with(zone, down, (asked, "A"), resolver)
}

fn asked_with(zone: &HostedZone, down: &[u32], (asked, asked_type): (&str, &str), resolver: &str) -> Explanation {
    let world = world(std::slice::from_ref(zone), down);
    let model = Arc::new(zone.clone());
    let question = Question {
        name: name(asked),
        query_type: query_type(asked_type).unwrap(),
        resolver: resolver.parse().unwrap(),
        client_subnet: None,
        seed: 1,
    };
    let check = |id: &HealthCheckId| {
        let healthy = !down.iter().any(|slot| slot.to_string() == id.0);
        Some(CheckShape { name: format!("check-{}", id.0), healthy, ..CheckShape::default() })
    };
    let context = ExplainContext {
        world: &world,
        model: &|_| Ok(Arc::clone(&model)),
        checks: &check,
        networks: &[],
        uses_client_subnet: true,
        udp_payload_max: 1232,
        as_if: &[],
        source: "a test",
    };
    explain(&question, &context).unwrap()
}

#[test]
fn records_of_a_traffic_policy_say_from_which_policy_and_rule_they_are() {
    let mut zone = lab([]);
    let of = |set: ResourceRecordSet, rule: &str| PolicySet {
        set,
        instance: "i".to_owned(),
        origin: format!("traffic policy canary, version 2, rule {rule}"),
    };
    zone.policy_sets = [of(set("www ALIAS A nested"), "top"), of(set("nested 60 A 192.0.2.1"), "split")].into();
    let explanation = explained(&zone, &[], "www", "192.0.2.1");
    let origin = |step: &StepShape| match step {
        StepShape::Group(group) => group.traffic_policy.clone(),
        _ => None,
    };
    let origins: Vec<String> = explanation.steps.iter().filter_map(origin).collect();
    assert_eq!(origins, ["top", "split"].map(|rule| format!("traffic policy canary, version 2, rule {rule}")));
}

#[test]
fn a_zone_without_records_says_why() {
    let zone = ZoneIdentity { id: HostedZoneId("Z1".to_owned()), name: name("child"), vpcs: Vec::new() };
    let world = with_unavailable(&[lab([])], &[], &[zone]);
    let question = QueryOptions::default().question(name("www.child"), 1);
    let context = ExplainContext {
        world: &world,
        model: &|_| Err("child.toml is broken".to_owned()),
        checks: &|_| None,
        networks: &[],
        uses_client_subnet: true,
        udp_payload_max: 1232,
        as_if: &[],
        source: "a test",
    };
    let explanation = explain(&question, &context).unwrap();
    assert_eq!(explanation.zone.unwrap().name, "child.lab.test.");
    assert_eq!((explanation.answer.rcode.as_str(), explanation.answer.authoritative), ("SERVFAIL", false));
    let [StepShape::NegativeAnswer(negative_answer)] = &*explanation.steps else { panic!("{:?}", explanation.steps) };
    assert_eq!((negative_answer.kind.as_str(), negative_answer.why.as_str()), ("SERVFAIL", "child.toml is broken"));
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

fn outcomes(group: &GroupShape) -> Vec<(&str, CandidateOutcome)> {
    group.candidates.iter().map(|one| (one.set_identifier.as_deref().unwrap(), one.outcome)).collect()
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
    assert_eq!(
        outcomes(groups(&well)[0]),
        [("blue", CandidateOutcome::Chosen), ("green", CandidateOutcome::NotPreferred)]
    );
    assert_eq!(groups(&well)[0].candidates[1].why, "the primary is healthy");
    let failed_over = at(pair(), &[1], "app");
    assert_eq!(
        outcomes(groups(&failed_over)[0]),
        [("blue", CandidateOutcome::Unhealthy), ("green", CandidateOutcome::Chosen)]
    );
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
    assert_eq!(groups(&well)[0].candidates[2].outcome, CandidateOutcome::NotPreferred);
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
    assert_eq!(outcomes(groups(&down)[0]), [("near", CandidateOutcome::Unhealthy), ("far", CandidateOutcome::Chosen)]);
    assert_eq!(groups(&down)[0].candidates[0].why, "unhealthy: no record of its target inner.lab.test. is healthy");
}

#[test]
fn a_resource_is_not_the_records_of_the_same_name_in_another_zone() {
    let zone = lab_with_resource();
    let told = |down: &[u32], asked: &str| {
        let explanation = explained(&zone, down, asked, "192.0.2.7");
        let told: Vec<(String, String)> =
            groups(&explanation).iter().map(|group| (group.name.clone(), group.policy.clone())).collect();
        let mut shares: Vec<_> = explanation.shares.iter().map(|one| (one.values.join(" "), one.share)).collect();
        shares.sort_by(|one, other| one.0.cmp(&other.0));
        (told, shares, explanation)
    };
    let steps = |steps: &[(&str, &str)]| -> Vec<(String, String)> {
        steps.iter().map(|(name, policy)| (format!("{name}.test."), (*policy).to_owned())).collect()
    };
    let (groups_told, shares, well) = told(&[], "www");
    assert_eq!(groups_told, steps(&[("www.lab", "simple"), ("www.other", "simple"), ("www.other", "weighted")]));
    assert_eq!(shares, [("192.0.2.1".to_owned(), 0.5), ("192.0.2.2".to_owned(), 0.5)]);
    let whys = well.steps.iter().filter_map(|step| match step {
        StepShape::Alias(alias) => Some(alias.why.as_str()),
        _ => None,
    });
    let answers = [
        "the alias target `balancer` answers for this name",
        "an alias answers as its target would, under its own name",
    ];
    assert_eq!(whys.collect::<Vec<_>>(), answers);
    let (groups_told, _, down) = told(&[1, 2], "www");
    assert_eq!(groups_told.len(), 3, "{down:?}");
    assert!(groups(&down)[2].why.contains("when_all_unhealthy = \"none\""), "{:?}", groups(&down)[2].why);
    // The same DNS name in another hosted zone.
    let (groups_told, shares, _) = told(&[], "two");
    assert_eq!(groups_told, steps(&[("two.lab", "simple"), ("www.other", "simple")]));
    assert_eq!(shares, [("192.0.2.3".to_owned(), 1.0)]);
}

#[test]
fn aliases_that_lead_back_by_way_of_an_alias_target_are_told_as_a_cycle() {
    let alias = |owner: &str, target: &str, id: Option<&str>| ResourceRecordSet {
        content: Content::Alias(AliasTarget {
            name: name(target),
            hosted_zone: id.map(|id| HostedZoneId(id.to_owned())),
            evaluate_target_health: true,
        }),
        ..set(&format!("{owner} 60 A 192.0.2.9"))
    };
    let resource = |target: &str, addresses_of: &str| AliasResource {
        name: target.to_owned(),
        hosted_zone_id: None,
        service: None,
        target: NamePattern::parse(&name(target).to_string()).unwrap(),
        record_sets: vec![alias("any", addresses_of, None)],
        health_check: None,
    };
    let sets =
        [alias("loop", "round", Some("ZOWN")), alias("before", "loop", None), alias("lost", "without", Some("ZOWN"))];
    let resources = AliasResources::new(vec![resource("round", "loop"), resource("without", "nothing")]);
    let zone = lab(sets);
    let zone = HostedZone { alias_resources: resources.with_zones(&[&zone]).into(), ..zone };
    let why = |asked: &str| negative_answer(&explained(&zone, &[], asked, "192.0.2.7")).to_owned();
    for asked in ["loop", "before"] {
        let why = why(asked);
        assert!(why.contains("they form a cycle"), "{asked}: {why}");
    }
    assert_eq!(why("lost"), "The target of the alias, nothing.lab.test., does not exist.");
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
        (name.found, explanation.answer.rcode.clone())
    };
    assert_eq!(leads("x.y.wild"), (LookupResult::Wildcard, "NOERROR".to_owned()));
    assert_eq!(leads("www.child"), (LookupResult::Delegation, "NOERROR".to_owned()));
    assert_eq!(leads("b"), (LookupResult::EmptyNonTerminal, "NOERROR".to_owned()));
    assert_eq!(leads("nobody"), (LookupResult::Nothing, "NXDOMAIN".to_owned()));
    let missing = at(sets(), &[], "note");
    let Some(StepShape::NegativeAnswer(negative_answer)) = missing.steps.last() else { panic!("{missing:?}") };
    assert_eq!(negative_answer.why, "note.lab.test. exists, but it has no records of type A.");
    assert_eq!(missing.answer.ttl_why, "900 s: the lesser of the SOA's TTL and its minimum field (RFC 2308)");
    let chain = at(sets(), &[], "to");
    assert_eq!(
        chain.answer.answer.iter().map(|one| one.data.as_str()).collect::<Vec<_>>(),
        ["a.b.lab.test.", "192.0.2.2"]
    );
    assert_eq!(chain.shares.len(), 2);
}

/// The explanation of a question of this type.
fn of_type(sets: Vec<ResourceRecordSet>, asked: &str, query_type: &str) -> Explanation {
    asked_with(&lab(sets), &[], (asked, query_type), "192.0.2.7")
}

fn lines(records: &[RecordShape]) -> Vec<String> {
    records.iter().map(|one| format!("{} {} {} {}", one.name, one.ttl, one.record_type, one.data)).collect()
}

fn negative_answer(explanation: &Explanation) -> &str {
    let Some(StepShape::NegativeAnswer(negative_answer)) = explanation.steps.last() else { panic!("{explanation:?}") };
    &negative_answer.why
}

fn chain() -> Vec<ResourceRecordSet> {
    vec![
        set("one 60 CNAME two.lab.test."),
        set("two 30 CNAME three.lab.test."),
        set("three 20 A 192.0.2.1 | 192.0.2.2"),
        set("gone 60 CNAME nobody.lab.test."),
        set("out 60 CNAME www.elsewhere.test."),
        set("below 60 CNAME www.child.lab.test."),
        set("cut 60 CNAME child.lab.test."),
        set("child 300 NS ns.child.lab.test. | ns.elsewhere.test."),
        set("ns.child 70 A 192.0.2.53"),
        set("into 60 CNAME same.lab.test."),
        set("same ALIAS A three"),
    ]
}

#[test]
fn a_cname_chain_is_told_in_its_order_to_its_end() {
    let found = of_type(chain(), "one", "A");
    let one = ["one.lab.test. 60 CNAME two.lab.test.", "two.lab.test. 30 CNAME three.lab.test."];
    let addresses = ["three.lab.test. 20 A 192.0.2.1", "three.lab.test. 20 A 192.0.2.2"];
    assert_eq!(lines(&found.answer.answer), [one, addresses].concat());
    assert_eq!(found.answer.ttl_why, "each record's own TTL");
    let names = found.steps.iter().filter_map(|step| match step {
        StepShape::Name(name) => Some(name.name.as_str()),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), ["one.lab.test.", "two.lab.test.", "three.lab.test."]);
    assert_eq!(of_type(chain(), "into", "A").answer.ttl_why, "each record's own TTL, an alias with its target's");
    assert_eq!(of_type(chain(), "out", "A").answer.ttl_why, "60 s: the record's own TTL");
}

#[test]
fn a_chain_without_an_end_has_the_soa_and_its_ttl() {
    let soa = "lab.test. 900 SOA ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400";
    let ttl = "; for the negative answer 900 s: the lesser of the SOA's TTL and its minimum field (RFC 2308)";
    let nothing = of_type(chain(), "gone", "A");
    assert_eq!((nothing.answer.rcode.as_str(), lines(&nothing.answer.authority)), ("NXDOMAIN", vec![soa.to_owned()]));
    assert_eq!(nothing.answer.ttl_why, format!("60 s: the record's own TTL{ttl}"));
    assert_eq!(negative_answer(&nothing), "nobody.lab.test. does not exist in the zone lab.test.");
    let no_data = of_type(chain(), "one", "AAAA");
    assert_eq!((no_data.answer.rcode.as_str(), lines(&no_data.answer.authority)), ("NOERROR", vec![soa.to_owned()]));
    assert_eq!(no_data.answer.ttl_why, format!("each record's own TTL{ttl}"));
    assert_eq!(negative_answer(&no_data), "three.lab.test. exists, but it has no records of type AAAA.");
}

#[test]
fn a_chain_into_a_delegation_has_its_name_servers() {
    for asked in ["below", "cut"] {
        let found = of_type(chain(), asked, "A");
        let servers = ["child.lab.test. 300 NS ns.child.lab.test.", "child.lab.test. 300 NS ns.elsewhere.test."];
        assert_eq!(lines(&found.answer.authority), servers);
        assert_eq!(lines(&found.answer.additional), ["ns.child.lab.test. 70 A 192.0.2.53"]);
        assert!(found.answer.authoritative);
        assert_eq!(
            found.answer.ttl_why,
            "60 s: the record's own TTL; for the delegation 300 s: the delegation's own TTL"
        );
    }
    // DS at the cut is this zone's to deny.
    let ds = of_type(chain(), "cut", "DS");
    assert_eq!(ds.answer.authority[0].record_type, "SOA");
    assert_eq!(negative_answer(&ds), "child.lab.test. exists, but it has no records of type DS.");
}

#[test]
fn any_is_one_record_set_of_the_name_and_follows_no_cname() {
    let found = of_type(pair(), "app", "ANY");
    assert_eq!((found.question.record_type.as_str(), groups(&found)[0].record_type.as_str()), ("ANY", "A"));
    assert_eq!(lines(&found.answer.answer), ["app.lab.test. 60 A 192.0.2.1"]);
    let cname = of_type(chain(), "one", "any");
    assert_eq!(lines(&cname.answer.answer), ["one.lab.test. 60 CNAME two.lab.test."]);
    assert_eq!(cname.shares.len(), 1);
    assert_eq!(of_type(chain(), "nobody", "ANY").answer.rcode, "NXDOMAIN");
    // Types that Route 53 does not have can be queried too.
    assert_eq!(
        negative_answer(&of_type(pair(), "app", "HINFO")),
        "app.lab.test. exists, but it has no records of type HINFO."
    );
    for (text, says) in
        [("AXFR", "not a type of records"), ("OPT", "not a type of records"), ("AAAAA", "Route 53 has SOA")]
    {
        assert!(query_type(text).unwrap_err().contains(says), "{text}");
    }
}

#[test]
fn what_fits_no_message_is_told() {
    let values = |count: usize| (0..count).map(|at| format!("192.0.{}.{}", at / 250, at % 250)).collect::<Vec<_>>();
    let told = |count: usize| {
        let found = of_type(vec![set(&format!("www 60 A {}", values(count).join(" | ")))], "www", "A");
        assert_eq!(found.answer.answer.len(), count);
        let message = |one: &MessageShape| {
            (one.transport.clone(), one.max_bytes, one.bytes, one.truncated, one.records[0], one.why.clone())
        };
        found.answer.messages.iter().map(message).collect::<Vec<_>>()
    };
    let (plain, edns, tcp) = ("UDP without EDNS".to_owned(), "UDP with EDNS".to_owned(), "TCP".to_owned());
    let whole = || "whole".to_owned();
    let again = || "truncated (TC): the client repeats the query over TCP".to_owned();
    // The header, the question, 16 octets for each address, and the zone's name server: pointer,
    // head, `ns1` and a pointer.
    let octets = |count: usize| 12 + 18 + 16 * count + 2 + 10 + 6;
    assert_eq!(
        told(1),
        [
            (plain.clone(), 512, octets(1), false, 1, whole()),
            (edns.clone(), 1232, octets(1) + 11, false, 1, whole()),
            (tcp.clone(), 65_535, octets(1), false, 1, whole()),
        ]
    );
    let help = "whole, without 1 optional records".to_owned();
    assert_eq!(told(30)[0], (plain.clone(), 512, octets(30) - 18, false, 30, help));
    assert_eq!(told(31)[0], (plain.clone(), 512, 30, true, 0, again()));
    assert_eq!(told(31)[1], (edns.clone(), 1232, octets(31) + 11, false, 31, whole()));
    assert_eq!(told(400)[1..], [(edns, 1232, 41, true, 0, again()), (tcp, 65_535, octets(400), false, 400, whole())]);
    // More than any message holds: twenty values of fifteen strings.
    let value = |at: usize| (0..15).map(|_| format!("\"{at:03}{}\"", "a".repeat(250))).collect::<Vec<_>>().join(" ");
    let values = (0..20).map(value).collect::<Vec<_>>().join(" | ");
    let found = of_type(vec![set(&format!("txt 60 TXT {values}"))], "txt", "TXT");
    let last = found.answer.messages.last().unwrap();
    assert_eq!((last.truncated, last.records), (true, [0, 0, 0]));
    assert_eq!(last.why, "truncated (TC): no message can carry this answer, and no client gets it");
}

#[test]
fn a_group_that_withholds_its_answer_says_so() {
    let mut zone = lab(pair());
    zone.record_groups = vec![RecordGroup { when_all_unhealthy: WhenAllUnhealthy::None, ..record_group("app", 0, 0) }];
    let explanation = explained(&zone, &[1, 2], "app", "192.0.2.7");
    assert!(groups(&explanation)[0].why.contains("when_all_unhealthy = \"none\""), "{explanation:?}");
    assert!(explanation.answer.ttl_why.starts_with("30 s: resolvers cache this"), "{}", explanation.answer.ttl_why);
    zone.record_groups[0].when_all_unhealthy = WhenAllUnhealthy::LastHealthy;
    // Nothing was ever healthy in this world, so there is nothing to keep.
    let explanation = explained(&zone, &[1, 2], "app", "192.0.2.7");
    assert!(groups(&explanation)[0].why.contains("fail-open"), "{explanation:?}");
}

#[test]
fn a_private_zone_and_its_vpc_are_named() {
    let zone = HostedZone { vpcs: vec![VpcId("vpc-lab1".to_owned())], ..lab(pair()) };
    let explanation = explained(&zone, &[], "app", "10.53.7.7");
    assert_eq!(explanation.vpc.unwrap().id, "vpc-lab1");
    assert!(explanation.zone.unwrap().private);
    assert!(explanation.client.unwrap().location_source.contains("vpc-lab1"));
    let refused = explained(&zone, &[], "app", "192.0.2.7");
    assert_eq!((refused.answer.rcode.as_str(), refused.zone), ("REFUSED", None));
}

#[test]
fn a_client_behind_a_resolver_is_told_as_resolvers_do() {
    let asked = |from: &str, resolver: Option<&str>| {
        let from = Some(from.parse().unwrap());
        let resolver = resolver.map(|text| text.parse().unwrap());
        QueryOptions { from, resolver, ..QueryOptions::default() }.question(name("app"), 1)
    };
    let alone = asked("192.0.2.7", None);
    assert_eq!((alone.resolver.to_string().as_str(), alone.client_subnet), ("192.0.2.7", None));
    let behind = asked("192.0.2.7", Some("198.51.100.53"));
    let subnet = behind.client_subnet.unwrap();
    assert_eq!((subnet.address.to_string().as_str(), subnet.source_prefix.0), ("192.0.2.0", 24));
    assert_eq!(behind.resolver.to_string(), "198.51.100.53");
    let subnet = asked("2001:db8:1:2:3::4", Some("::1")).client_subnet.unwrap();
    assert_eq!((subnet.address.to_string().as_str(), subnet.source_prefix.0), ("2001:db8:1::", 56));
}
