//! Answers, section by section. The rules of the policies are tested in `tests/it/scenarios`.

use super::fixture::{lab, member, name, primary, secondary, set, with_unavailable, world};
use super::*;
use crate::health::{CheckBits, CheckSlot, Timestamp};
use crate::model::{HostedZone, HostedZoneId, Name, RecordType, VpcId, ZoneIdentity};
use crate::policy::SeededRng;
use crate::world::World;

/// The answer in lines: `rcode aa`, then `section owner ttl type count`.
fn ask(world: &World, asked: &Name, qtype: impl Into<QueryType>, source: &str) -> Vec<String> {
    let mut question = QueryName::default();
    question.set(asked);
    let requestor = Requestor::at(source.parse().unwrap());
    let query = Query::new(&question, qtype.into(), &requestor);
    let answer = resolve(&query, world, &mut SeededRng::new(1));
    let zone = &question.wire()[question.wire().len() - answer.zone_octets..];
    let line = |section: &str, part: &Part<'_>| {
        let owner = match part.owner {
            Owner::Question => asked.to_string(),
            Owner::InZone(labels) => Name::from_wire(&[labels, zone].concat()).unwrap().to_string(),
        };
        let Records { record_type, ttl, count, .. } = part.records;
        format!("{section} {owner} {ttl} {record_type} {count}")
    };
    let head = format!("{:?}{}", answer.rcode, if answer.authoritative { " aa" } else { "" });
    let answers = answer.answer.iter().map(|part| line("answer", part));
    let (authority, additional) = answer.closing_parts();
    let authority = authority.iter().map(|part| line("authority", part));
    let additional = additional.iter().map(|part| line("additional", part));
    [head].into_iter().chain(answers).chain(authority).chain(additional).collect()
}

fn asked(sets: &[&str], asked: &str, record_type: RecordType) -> Vec<String> {
    let world = world(&[lab(sets.iter().map(|line| set(line)))], &[]);
    ask(&world, &name(asked), record_type, "127.0.0.1")
}

const NS: &str = "authority lab.test. 172800 NS 1";
const SOA: &str = "authority lab.test. 900 SOA 1";

#[test]
fn a_positive_answer_names_the_zones_servers_and_their_addresses() {
    let sets = ["www 60 A 192.0.2.1 | 192.0.2.2", "ns1 300 A 192.0.2.53"];
    let additional = "additional ns1.lab.test. 300 A 1";
    assert_eq!(asked(&sets, "www", RecordType::A), ["NoError aa", "answer www.lab.test. 60 A 2", NS, additional]);
    assert_eq!(asked(&sets, "@", RecordType::Ns), ["NoError aa", "answer lab.test. 172800 NS 1", additional]);
}

#[test]
fn no_data_and_no_name_carry_the_soa_with_the_lesser_ttl() {
    let sets = ["a.b 60 A 192.0.2.1"];
    assert_eq!(asked(&sets, "a.b", RecordType::Aaaa), ["NoError aa", SOA]);
    assert_eq!(asked(&sets, "b", RecordType::A), ["NoError aa", SOA]);
    assert_eq!(asked(&sets, "c", RecordType::A), ["NxDomain aa", SOA]);
    let world = world(&[lab([])], &[]);
    assert_eq!(ask(&world, &name("@"), QueryType(13), "127.0.0.1"), ["NoError aa", SOA]);
    assert_eq!(ask(&world, &Name::parse("notlab.test").unwrap(), QueryType(1), "127.0.0.1"), ["Refused"]);
}

#[test]
fn a_cname_chain_is_followed_inside_the_zone() {
    let sets = [
        "a 60 CNAME b.lab.test.",
        "b 60 CNAME c.lab.test.",
        "c 60 A 192.0.2.1",
        "out 60 CNAME www.elsewhere.test.",
        "gone 60 CNAME nobody.lab.test.",
        "*.wild 60 A 192.0.2.2",
        "towild 60 CNAME any.wild.lab.test.",
    ];
    let chain = |owner, n| format!("answer {owner}.lab.test. 60 {n}");
    let [a, b, c] = [chain("a", "CNAME 1"), chain("b", "CNAME 1"), chain("c", "A 1")];
    assert_eq!(asked(&sets, "a", RecordType::A), ["NoError aa", &a, &b, &c, NS]);
    assert_eq!(asked(&sets, "a", RecordType::Aaaa), ["NoError aa", &a, &b, SOA]);
    assert_eq!(asked(&sets, "a", RecordType::Cname), ["NoError aa", &a, NS]);
    assert_eq!(asked(&sets, "out", RecordType::A), ["NoError aa", "answer out.lab.test. 60 CNAME 1", NS]);
    assert_eq!(asked(&sets, "gone", RecordType::A), ["NxDomain aa", "answer gone.lab.test. 60 CNAME 1", SOA]);
    let to_wild = ["NoError aa", "answer towild.lab.test. 60 CNAME 1", "answer any.wild.lab.test. 60 A 1", NS];
    assert_eq!(asked(&sets, "towild", RecordType::A), to_wild);
}

#[test]
fn a_zone_without_records_is_servfail_and_no_parent_of_it_answers_for_its_names() {
    let zone = |apex: &str, vpcs: &[&str]| {
        let vpcs = vpcs.iter().map(|vpc| VpcId((*vpc).to_owned())).collect();
        ZoneIdentity { id: HostedZoneId(format!("Z{apex}")), name: name(apex), vpcs }
    };
    let parent = lab([
        set("www 60 A 192.0.2.1"),
        set("*.child 60 A 192.0.2.2"),
        set("to 60 CNAME www.child.lab.test."),
        set("cut 60 NS ns.elsewhere.test."),
        set("cut 60 DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000"),
    ]);
    let unavailable = [zone("child", &[]), zone("cut", &[]), zone("corp", &["vpc-lab1"])];
    let world = with_unavailable(&[parent], &[], &unavailable);
    let ask = |asked: &str, record_type: RecordType, source: &str| ask(&world, &name(asked), record_type, source);
    for asked in ["child", "www.child", "a.b.child", "cut", "www.cut"] {
        for record_type in [RecordType::A, RecordType::Soa, RecordType::Ns] {
            assert_eq!(ask(asked, record_type, "127.0.0.1"), ["ServFail"], "{asked} {record_type}");
        }
    }
    // The parent's own names, and its referral.
    assert_eq!(ask("www", RecordType::A, "127.0.0.1"), ["NoError aa", "answer www.lab.test. 60 A 1", NS]);
    assert_eq!(ask("to", RecordType::A, "127.0.0.1"), ["NoError aa", "answer to.lab.test. 60 CNAME 1", NS]);
    assert_eq!(ask("cut", RecordType::Ds, "127.0.0.1"), ["NoError aa", "answer cut.lab.test. 60 DS 1", NS]);
    assert_eq!(ask("child", RecordType::Ds, "127.0.0.1"), ["ServFail"]);
    // A private zone is unavailable only for its VPC, for which it is final.
    assert_eq!(ask("www.corp", RecordType::A, "10.53.0.1"), ["ServFail"]);
    assert_eq!(ask("www.corp", RecordType::A, "127.0.0.1"), ["NxDomain aa", SOA]);
}

#[test]
fn a_cname_circle_ends() {
    let lines = asked(&["a 60 CNAME b.lab.test.", "b 60 CNAME a.lab.test."], "a", RecordType::A);
    assert_eq!(lines, ["NoError aa", "answer a.lab.test. 60 CNAME 1", "answer b.lab.test. 60 CNAME 1"]);
}

#[test]
fn a_referral_is_not_authoritative_and_brings_glue() {
    let sets = [
        "child 300 NS ns.child.lab.test. | ns.elsewhere.test.",
        "ns.child 60 A 192.0.2.1",
        "child 60 DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000",
        "to 60 CNAME www.child.lab.test.",
    ];
    let referral = ["authority child.lab.test. 300 NS 2", "additional ns.child.lab.test. 60 A 1"];
    for below in ["child", "www.child", "ns.child"] {
        assert_eq!(asked(&sets, below, RecordType::A), ["NoError", referral[0], referral[1]]);
    }
    assert_eq!(asked(&sets, "child", RecordType::Ds), ["NoError aa", "answer child.lab.test. 60 DS 1", NS]);
    let led = ["NoError aa", "answer to.lab.test. 60 CNAME 1", referral[0], referral[1]];
    assert_eq!(asked(&sets, "to", RecordType::A), led);
}

#[test]
fn a_referral_to_thirteen_name_servers_brings_all_their_addresses() {
    let names: Vec<String> = (1..=13).map(|number| format!("ns{number}.child")).collect();
    let values: Vec<String> = names.iter().map(|name| format!("{name}.lab.test.")).collect();
    let referral = set(&format!("child 300 NS {}", values.join(" | ")));
    let glue = names
        .iter()
        .flat_map(|name| [set(&format!("{name} 60 A 192.0.2.1")), set(&format!("{name} 60 AAAA 2001:db8::1"))]);
    let world = world(&[lab([referral].into_iter().chain(glue))], &[]);
    let lines = ask(&world, &name("www.child"), RecordType::A, "127.0.0.1");
    assert_eq!(lines.iter().filter(|line| line.starts_with("additional")).count(), 26, "{lines:?}");
}

#[test]
fn an_alias_is_invisible_and_of_one_type() {
    let sets = ["app 30 A 192.0.2.1", "@ ALIAS A app", "*.wild ALIAS A app"];
    assert_eq!(asked(&sets, "@", RecordType::A), ["NoError aa", "answer lab.test. 30 A 1", NS]);
    assert_eq!(asked(&sets, "@", RecordType::Aaaa), ["NoError aa", SOA]);
    assert_eq!(asked(&sets, "x.y.wild", RecordType::A), ["NoError aa", "answer x.y.wild.lab.test. 30 A 1", NS]);
}

#[test]
fn helpful_addresses_come_once_and_from_their_own_policy() {
    let sets = || {
        [
            set("@ 60 MX 10 mail.lab.test. | 20 mail.lab.test. | 30 mx.elsewhere.test."),
            member("a", primary(), Some(1), "mail 60 A 192.0.2.1"),
            member("b", secondary(), None, "mail 30 A 192.0.2.2"),
        ]
    };
    let mail = |ttl| format!("additional mail.lab.test. {ttl} A 1");
    let lines = |unhealthy: &[u32]| ask(&world(&[lab(sets())], unhealthy), &name("@"), RecordType::Mx, "127.0.0.1");
    assert_eq!(lines(&[]), ["NoError aa", "answer lab.test. 60 MX 3", NS, &mail(60)]);
    assert_eq!(lines(&[1]), ["NoError aa", "answer lab.test. 60 MX 3", NS, &mail(30)]);
}

#[test]
fn any_is_answered_with_one_set() {
    let lines = asked(&["www 60 A 192.0.2.1", "www 60 TXT \"a\""], "www", RecordType::A);
    assert_eq!(lines.len(), 3);
    let world = world(&[lab([set("www 60 A 192.0.2.1"), set("c 60 CNAME www.lab.test.")])], &[]);
    assert_eq!(
        ask(&world, &name("www"), QueryType(255), "127.0.0.1"),
        ["NoError aa", "answer www.lab.test. 60 A 1", NS]
    );
    let cname = ["NoError aa", "answer c.lab.test. 60 CNAME 1", NS, "additional www.lab.test. 60 A 1"];
    assert_eq!(ask(&world, &name("c"), QueryType(255), "127.0.0.1"), cname);
    assert_eq!(ask(&world, &name("no"), QueryType(255), "127.0.0.1"), ["NxDomain aa", SOA]);
}

#[test]
fn a_private_zone_is_seen_by_its_vpc_alone_and_is_final() {
    let public = lab([set("www 60 A 192.0.2.1"), set("only.sub 60 A 192.0.2.1")]);
    let private = HostedZone { vpcs: vec![VpcId("vpc-lab1".to_owned())], ..lab([set("www 5 A 10.53.0.1")]) };
    let world = world(&[public, private], &[]);
    let ask = |owner, source| ask(&world, &name(owner), QueryType(1), source).swap_remove(1);
    assert_eq!(ask("www", "192.0.2.99"), "answer www.lab.test. 60 A 1");
    assert_eq!(ask("www", "10.53.7.7"), "answer www.lab.test. 5 A 1");
    assert_eq!(ask("only.sub", "10.53.7.7"), SOA);
}

#[test]
fn a_flip_changes_the_answer_and_only_a_new_world_shows_it() {
    let sets =
        [member("a", primary(), Some(4), "app 60 A 192.0.2.1"), member("b", secondary(), None, "app 30 A 192.0.2.2")];
    let before = world(&[lab(sets)], &[]);
    let after = before.with_health(&CheckBits::with_unhealthy([CheckSlot(4)]), &[CheckSlot(4)], Timestamp::default());
    let ask = |world| ask(world, &name("app"), QueryType(1), "127.0.0.1").swap_remove(1);
    assert_eq!(ask(&before), "answer app.lab.test. 60 A 1");
    assert_eq!(ask(&after), "answer app.lab.test. 30 A 1");
    assert_eq!(
        ask(&after.with_health(&CheckBits::default(), &[CheckSlot(4)], Timestamp::default())),
        "answer app.lab.test. 60 A 1"
    );
}
