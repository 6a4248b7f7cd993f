//! Tests each rule with sets that break it and, where useful, with similar valid sets.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{
    AliasTarget, Continent, Coordinates, Country, FailoverRole, GeoLocation, GeoproximityLocation, HealthCheckId,
    HostedZoneId, RecordData, RecordGroup, Region, RoutingPolicy, VpcId,
};
use RoutingPolicy::{Failover, Geolocation, Geoproximity, IpBased, Latency, MultivalueAnswer, Simple, Weighted};

/// The violations of `lab.test.` with its default sets and these sets. Indexes count from the first
/// of these sets.
fn found(sets: &[ResourceRecordSet]) -> Vec<Violation> {
    let mut found = violations(&zone(sets), &[collection()], 1232);
    found.iter_mut().for_each(|violation| violation.record_set -= 2);
    found
}

/// Expects no violations.
fn legal(sets: &[ResourceRecordSet]) {
    assert_eq!(found(sets), []);
}

/// Expects exactly one violation: this one, with this text.
fn one(sets: &[ResourceRecordSet], severity: Severity, record_set: usize, field: Field, message: &str) {
    let found = found(sets);
    assert_eq!(found.len(), 1, "{found:#?}");
    let violation = &found[0];
    assert_eq!(
        (violation.severity, violation.record_set, violation.field),
        (severity, record_set, field),
        "{violation:?}"
    );
    assert!(violation.message.contains(message), "{violation:?}");
}

fn error(sets: &[ResourceRecordSet], record_set: usize, field: Field, message: &str) {
    one(sets, Severity::Error, record_set, field, message);
}

fn warning(sets: &[ResourceRecordSet], record_set: usize, field: Field, message: &str) {
    one(sets, Severity::Warning, record_set, field, message);
}

fn zone(sets: &[ResourceRecordSet]) -> HostedZone {
    let defaults = [
        set("lab.test.", "SOA", &["ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400"]),
        set("lab.test.", "NS", &["ns1.lab.test."]),
    ];
    HostedZone {
        record_sets: [&defaults, sets].concat().into_iter().map(Arc::new).collect(),
        ..HostedZone::new(HostedZoneId("Z1".to_owned()), Name::parse("lab.test.").unwrap())
    }
}

fn collection() -> CidrCollection {
    let locations = ["berlin", "tokyo"].map(|name| (name.to_owned(), Vec::new())).to_vec();
    CidrCollection {
        id: CidrCollectionId("offices".to_owned()),
        name: "offices".to_owned(),
        caller_reference: None,
        version: 1,
        locations,
    }
}

fn set(name: &str, record_type: &str, values: &[&str]) -> ResourceRecordSet {
    let record_type = record_type.parse().unwrap();
    let values = values.iter().map(|value| RecordData::parse(record_type, value).unwrap()).collect();
    ResourceRecordSet {
        name: Name::parse(name).unwrap(),
        record_type,
        set_identifier: None,
        routing_policy: Simple,
        content: Content::Records { ttl: 60, values },
        health_check: None,
    }
}

/// An A record.
fn a(name: &str) -> ResourceRecordSet {
    set(name, "A", &["192.0.2.1"])
}

fn alias(name: &str, record_type: &str, target: &str) -> ResourceRecordSet {
    let target = AliasTarget { name: Name::parse(target).unwrap(), hosted_zone: None, evaluate_target_health: true };
    ResourceRecordSet { content: Content::Alias(target), ..set(name, record_type, &[]) }
}

impl ResourceRecordSet {
    fn with(self, identifier: &str, routing_policy: RoutingPolicy) -> ResourceRecordSet {
        ResourceRecordSet { set_identifier: Some(identifier.to_owned()), routing_policy, ..self }
    }

    fn checked(self) -> ResourceRecordSet {
        ResourceRecordSet { health_check: Some(HealthCheckId("check".to_owned())), ..self }
    }

    fn ttl(mut self, seconds: u32) -> ResourceRecordSet {
        let Content::Records { ttl, .. } = &mut self.content else { panic!("an alias has no TTL") };
        *ttl = seconds;
        self
    }

    fn unevaluated(mut self) -> ResourceRecordSet {
        let Content::Alias(target) = &mut self.content else { panic!("not an alias") };
        target.evaluate_target_health = false;
        self
    }
}

const PRIMARY: RoutingPolicy = Failover { role: FailoverRole::Primary };
const SECONDARY: RoutingPolicy = Failover { role: FailoverRole::Secondary };
const EVERYWHERE: RoutingPolicy = Geolocation { location: GeoLocation::Default };

fn latency(region: &str) -> RoutingPolicy {
    Latency { region: Region::from_name(region).unwrap() }
}

fn ip_based(collection: &str, location: &str) -> RoutingPolicy {
    let location = (location != "*").then(|| location.to_owned());
    IpBased { collection: CidrCollectionId(collection.to_owned()), location }
}

fn at(latitude: f64, longitude: f64) -> RoutingPolicy {
    Geoproximity { location: GeoproximityLocation::Coordinates(Coordinates { latitude, longitude }), bias: 0 }
}

#[test]
fn a_zone_with_every_policy_is_legal() {
    legal(&[
        a("lab.test."),
        set("www.lab.test.", "A", &["192.0.2.1", "192.0.2.2"]),
        set("www.lab.test.", "TXT", &["\"a\""]),
        a("w.lab.test.").with("a", Weighted { weight: 0 }).checked(),
        a("w.lab.test.").with("b", Weighted { weight: 255 }),
        alias("w.lab.test.", "A", "www.lab.test.").with("c", Weighted { weight: 1 }),
        a("l.lab.test.").with("a", latency("eu-west-1")),
        a("l.lab.test.").with("b", latency("us-east-1")),
        a("f.lab.test.").with("a", PRIMARY).checked(),
        a("f.lab.test.").with("b", SECONDARY),
        alias("fa.lab.test.", "A", "f.lab.test.").with("a", PRIMARY),
        a("g.lab.test.").with("a", Geolocation { location: GeoLocation::Continent(Continent::Europe) }),
        a("g.lab.test.").with("b", EVERYWHERE),
        a("p.lab.test.").with("a", at(1.0, 2.0)),
        a("p.lab.test.").with("b", at(1.0, 3.0)),
        a("i.lab.test.").with("a", ip_based("offices", "berlin")),
        a("i.lab.test.").with("b", ip_based("offices", "*")),
        a("m.lab.test.").with("a", MultivalueAnswer),
        a("m.lab.test.").with("b", MultivalueAnswer),
        set("c.lab.test.", "CNAME", &["www.lab.test."]),
        set("*.lab.test.", "CNAME", &["www.lab.test."]),
        alias("lab.test.", "AAAA", "v6.lab.test."),
        set("v6.lab.test.", "AAAA", &["2001:db8::1"]),
    ]);
}

#[test]
fn a_name_lies_in_the_zone_by_whole_labels() {
    error(&[a("notlab.test.")], 0, Field::Name, "RRSet with DNS name notlab.test. is not permitted in zone lab.test.");
    error(&[a("test.")], 0, Field::Name, "is not permitted in zone");
}

#[test]
fn a_cname_is_not_at_the_apex() {
    let message = "RRSet of type CNAME with DNS name lab.test. is not permitted at apex in zone lab.test.";
    error(&[set("lab.test.", "CNAME", &["www.lab.test."])], 0, Field::Type, message);
    let www = set("www.lab.test.", "CNAME", &["a.test."]);
    error(&[www, alias("lab.test.", "CNAME", "www.lab.test.")], 1, Field::Type, message);
}

#[test]
fn a_cname_stands_alone_in_both_directions_and_at_wildcards() {
    for name in ["www.lab.test.", "*.lab.test."] {
        let shown = Name::parse(name).unwrap();
        let (cname, txt) = (set(name, "CNAME", &["a.test."]), set(name, "TXT", &["\"a\""]));
        let after = format!(
            "RRSet of type TXT with DNS name {shown} is not permitted because a conflicting RRSet of type  CNAME with the \
             same DNS name already exists in zone lab.test."
        );
        error(&[cname.clone(), txt.clone()], 1, Field::Type, &after);
        let before = format!(
            "RRSet of type CNAME with DNS name {shown} is not permitted as it conflicts with other records with the same \
             DNS name in zone lab.test."
        );
        error(&[txt, cname], 1, Field::Type, &before);
    }
    let weighted = |id| set("w.lab.test.", "CNAME", &["a.test."]).with(id, Weighted { weight: 1 });
    legal(&[weighted("a"), weighted("b")]);
    let both = found(&[a("w.lab.test."), weighted("a"), weighted("b")]);
    assert_eq!(both.iter().map(|violation| violation.record_set).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_simple_set_is_alone_in_its_group() {
    let (simple, weighted) = (a("x.lab.test."), a("x.lab.test.").with("id", Weighted { weight: 1 }));
    error(
        &[simple.clone(), weighted.clone()],
        1,
        Field::Policy,
        "RRSet with DNS name x.lab.test., type A, SetIdentifier id cannot be created as a non-weighted set exists with the \
         same name and type.",
    );
    error(
        &[weighted, simple.clone()],
        1,
        Field::Policy,
        "RRSet with DNS name x.lab.test., type A cannot be created as other RRSets exist with the same name and type.",
    );
    error(
        &[simple.clone(), simple],
        1,
        Field::Name,
        "Tried to create resource record set [name='x.lab.test.', type='A'] but it already exists",
    );
    legal(&[a("x.lab.test."), set("x.lab.test.", "TXT", &["\"a\""]).with("id", Weighted { weight: 1 })]);
}

#[test]
fn a_group_has_one_policy() {
    let weighted = || a("x.lab.test.").with("a", Weighted { weight: 1 });
    let sets = [weighted(), a("x.lab.test.").with("b", latency("eu-west-1")), a("x.lab.test.").with("c", SECONDARY)];
    assert_eq!(found(&sets).len(), 2);
}

#[test]
fn each_policy_has_its_own_sentence_about_the_others() {
    let simple = || a("x.lab.test.");
    let weighted = || simple().with("a", Weighted { weight: 1 });
    let not_weighted = " cannot be created as a non-weighted set exists with the same name and type.";
    let cases = [
        (
            simple(),
            EVERYWHERE,
            " cannot be created because a non-GEO RRSet with the same name and type already exists.",
        ),
        (
            weighted(),
            EVERYWHERE,
            " cannot be created because a non-GEO RRSet with the same name and type already exists.",
        ),
        (
            weighted(),
            latency("eu-west-1"),
            ", and Region Name=eu-west-1 cannot be created because a non-latency RRSet with the same name and type already \
             exists.",
        ),
        (
            simple(),
            MultivalueAnswer,
            " cannot be created because a non multivalue answer rrset exists with the same name and type.",
        ),
        (simple().with("a", latency("eu-west-1")), Weighted { weight: 1 }, not_weighted),
        (simple(), SECONDARY, not_weighted),
        (weighted(), SECONDARY, " cannot be created as a weighted set exists with the same name and type."),
        (
            simple().with("a", ip_based("offices", "*")),
            SECONDARY,
            " cannot be created as an IP-based set exists with the same name and type.",
        ),
    ];
    for (first, policy, sentence) in cases {
        let message = format!("RRSet with DNS name x.lab.test., type A, SetIdentifier b{sentence}");
        error(&[first, simple().with("b", policy)], 1, Field::Policy, &message);
    }
}

#[test]
fn a_set_identifier_is_there_when_the_policy_is_not_simple() {
    let missing = ResourceRecordSet { set_identifier: None, ..a("x.lab.test.").with("", MultivalueAnswer) };
    error(&[missing], 0, Field::Policy, "Missing field 'SetIdentifier': a multivalue answer record set needs one");
    let missing = ResourceRecordSet { set_identifier: None, ..a("x.lab.test.").with("", ip_based("offices", "*")) };
    error(&[missing], 0, Field::Policy, "Missing field 'SetIdentifier': an IP-based record set needs one");
    error(&[a("x.lab.test.").with("a", Simple)], 0, Field::SetIdentifier, "exactly one of Weight,");
}

#[test]
fn a_set_identifier_has_up_to_128_characters() {
    legal(&[a("x.lab.test.").with(&"ü".repeat(128), MultivalueAnswer)]);
    error(
        &[a("x.lab.test.").with(&"ü".repeat(129), MultivalueAnswer)],
        0,
        Field::SetIdentifier,
        "128 characters, not 129",
    );
    error(&[a("x.lab.test.").with("", MultivalueAnswer)], 0, Field::SetIdentifier, "128 characters, not 0");
}

#[test]
fn a_set_identifier_is_unique_in_its_group() {
    let b = || a("x.lab.test.").with("b", MultivalueAnswer);
    let message = "Tried to create resource record set [name='x.lab.test.', type='A', set-identifier='b'] but it already \
                   exists";
    error(&[b(), b()], 1, Field::SetIdentifier, message);
    legal(&[b(), a("y.lab.test.").with("b", MultivalueAnswer), a("x.lab.test.").with("B", MultivalueAnswer)]);
}

#[test]
fn ns_soa_and_ds_are_simple() {
    let ns = set("sub.lab.test.", "NS", &["ns.test."]).with("a", Weighted { weight: 1 });
    error(&[ns], 0, Field::Policy, "a record set of type NS cannot be weighted");
    let ds = set("sub.lab.test.", "DS", &["1 8 9 ab"]).with("a", latency("eu-west-1"));
    error(&[ds], 0, Field::Policy, "a record set of type DS cannot be latency");
    let mut zone = zone(&[]);
    zone.record_sets[0] = Arc::new((*zone.record_sets[0]).clone().with("a", MultivalueAnswer));
    assert_eq!(violations(&zone, &[], 1232)[0].message, "a record set of type SOA cannot be multivalue answer");
}

#[test]
fn soa_stands_at_the_apex_with_one_value() {
    let text = "ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400";
    error(&[set("sub.lab.test.", "SOA", &[text])], 0, Field::Type, "must be at the apex of the zone, lab.test.");
    let mut zone = zone(&[]);
    zone.record_sets[0] = set("lab.test.", "SOA", &[text, &text.replace(" 1 ", " 2 ")]).into();
    assert_eq!(violations(&zone, &[], 1232)[0].message, "a record set of type SOA must have exactly one value, not 2");
}

#[test]
fn the_ns_set_of_a_zone_is_not_empty() {
    let mut zone = zone(&[]);
    zone.record_sets[1] = set("lab.test.", "NS", &[]).into();
    let found = violations(&zone, &[], 1232);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "A HostedZone must contain at least one NS record for the zone itself.");
}

#[test]
fn ns_has_no_wildcard_name_and_ds_is_not_at_the_apex() {
    error(&[set("*.lab.test.", "NS", &["ns.test."])], 0, Field::Name, "must not have a wildcard name");
    error(&[set("lab.test.", "DS", &["1 8 9 ab"])], 0, Field::Type, "type DS with DNS name lab.test. is not permitted");
}

#[test]
fn a_cname_has_one_value() {
    let message = "a record set of type CNAME must have exactly one value, not 2";
    error(&[set("x.lab.test.", "CNAME", &["a.test.", "b.test."])], 0, Field::Values, message);
    error(&[set("x.lab.test.", "CNAME", &[])], 0, Field::Values, "exactly one value, not 0");
}

#[test]
fn a_multivalue_answer_is_no_alias_and_no_cname() {
    let alias = alias("x.lab.test.", "A", "y.lab.test.").with("a", MultivalueAnswer);
    error(&[alias, a("y.lab.test.")], 0, Field::Alias, "cannot be an alias");
    let cname = set("x.lab.test.", "CNAME", &["a.test."]).with("a", MultivalueAnswer);
    error(&[cname], 0, Field::Policy, "a record set of type CNAME cannot be multivalue answer");
}

#[test]
fn a_set_has_1_to_400_values() {
    let values = (0..401).map(|at| format!("192.0.{}.{}", at / 256, at % 256)).collect::<Vec<_>>();
    let values = values.iter().map(String::as_str).collect::<Vec<_>>();
    warning(
        &[set("x.lab.test.", "A", &values[..400])],
        0,
        Field::Values,
        "6428 octets, which does not fit in a UDP response",
    );
    assert!(found(&[set("x.lab.test.", "A", &values)])[0].message.contains("1 to 400 values, not 401"));
    error(&[set("x.lab.test.", "A", &[])], 0, Field::Values, "1 to 400 values, not 0");
}

/// Different TXT values with this many octets in total.
fn text(octets: usize) -> Vec<String> {
    let strings = |octets: usize| {
        let lengths = (0..octets).step_by(256).map(|at| (octets - at).min(256) - 1);
        lengths.map(|length| format!("\"{}\"", "a".repeat(length))).collect::<Vec<_>>().join(" ")
    };
    let value = |(first, at): (char, usize)| strings((octets - at).min(3000)).replacen('a', &first.to_string(), 1);
    ('A'..='Z').zip((0..octets).step_by(3000)).map(value).collect()
}

/// A TXT set whose message with a question for `x.lab.test.` has this many octets.
fn long(octets: usize) -> ResourceRecordSet {
    let room = octets - 12 - 4 - 12;
    // Each record has twelve octets before its data.
    let records = room.div_ceil(3012);
    let values = text(room - 12 * records);
    assert_eq!(values.len(), records);
    set("x.lab.test.", "TXT", &values.iter().map(String::as_str).collect::<Vec<_>>())
}

fn refused_for_size(sets: &[ResourceRecordSet], record_set: usize, message: &str) {
    one(sets, Severity::NewError, record_set, Field::Values, message);
}

#[test]
fn a_set_fits_a_message() {
    legal(&[long(1232)]);
    warning(&[long(1233)], 0, Field::Values, "this record set takes 1233 octets, which does not fit in a UDP response");
    warning(&[long(65_200)], 0, Field::Values, "takes 65200 octets, which does not fit in a UDP");
    // It does not fit with the longest name and a client subnet, but fits without them.
    warning(
        &[long(65_535)],
        0,
        Field::Values,
        "not every message can carry this record set: with all that may be in it",
    );
    refused_for_size(&[long(65_536)], 0, "no message can carry this record set: it takes 65536 octets");
    // Each set of a group separately.
    let weighted = |set: ResourceRecordSet, id| set.with(id, Weighted { weight: 1 });
    legal(&[weighted(long(1200), "a"), weighted(long(1200), "b")]);
    refused_for_size(&[weighted(long(1200), "a"), weighted(long(70_000), "b")], 1, "it takes 70000 octets");
    // Other settings.
    let found = violations(&zone(&[long(1300)]), &[], 4096);
    assert_eq!(found, []);
}

#[test]
fn names_in_the_zone_are_compressed_where_they_may_be() {
    // Each name has 18 octets; the zone's ten become a pointer of two.
    let names = |count: usize| (0..count).map(|at| format!("{at:07}.lab.test.")).collect::<Vec<_>>();
    let of = |record_type: &str, count: usize, before: &str| {
        let values = names(count).iter().map(|name| format!("{before}{name}")).collect::<Vec<_>>();
        set("x.lab.test.", record_type, &values.iter().map(String::as_str).collect::<Vec<_>>())
    };
    warning(&[of("PTR", 100, "")], 0, Field::Values, &format!("takes {} octets", 28 + 100 * (12 + 10)));
    warning(&[of("MX", 100, "1 ")], 0, Field::Values, &format!("takes {} octets", 28 + 100 * (12 + 12)));
    warning(&[of("SRV", 100, "1 1 1 ")], 0, Field::Values, &format!("takes {} octets", 28 + 100 * (12 + 6 + 18)));
}

#[test]
fn as_many_sets_as_a_multivalue_answer_takes_fit_a_message() {
    let member = |octets: usize, at: usize| {
        let mut member = long(octets).with(&at.to_string(), MultivalueAnswer);
        // Sets of one group differ.
        if let Content::Records { ttl, .. } = &mut member.content {
            *ttl = at as u32;
        }
        member
    };
    // 28 octets of each are the rest of the message.
    let members = |count: usize, octets: usize| (0..count).map(|at| member(octets, at)).collect::<Vec<_>>();
    legal(&members(8, 170));
    warning(&members(8, 180), 0, Field::Values, &format!("this group takes {} octets", 28 + 8 * 152));
    // Nine sets: an answer has at most eight of them.
    warning(&members(9, 180), 0, Field::Values, &format!("this group takes {} octets", 28 + 8 * 152));
    refused_for_size(
        &members(8, 9000),
        0,
        &format!("no message can carry this group: it takes {} octets", 28 + 8 * 8972),
    );
    refused_for_size(&members(100, 9000), 0, "no message can carry this group");
    // The size depends on which eight are selected.
    let mut mixed = members(8, 9000);
    mixed.extend((0..8).map(|at| member(200, 8 + at)));
    warning(&mixed, 0, Field::Values, "not every message can carry this group");
    // It also depends on health.
    let checked = members(8, 9000).into_iter().map(ResourceRecordSet::checked).collect::<Vec<_>>();
    warning(&checked, 0, Field::Values, "not every message can carry this group");
}

#[test]
fn a_referral_fits_a_message_with_its_addresses() {
    let values = (0..400).map(|at| format!("192.0.{}.{}", at / 256, at % 256)).collect::<Vec<_>>();
    let values = values.iter().map(String::as_str).collect::<Vec<_>>();
    let label = "n".repeat(63);
    let server = |at: usize| format!("{at}.{label}.{label}.{label}.sub.lab.test.");
    let servers = (0..8).map(server).collect::<Vec<_>>();
    let ns = || set("sub.lab.test.", "NS", &servers.iter().map(String::as_str).collect::<Vec<_>>());
    let glue = |count: usize| (0..count).map(|at| set(&server(at), "A", &values)).collect::<Vec<_>>();
    // Each address has the whole name before it: 198 octets and a pointer.
    let octets = |count: usize| 14 + 16 + 8 * (4 + 2 + 10 + 2 + 198 + 2) - 8 * 2 + count * 400 * (198 + 2 + 10 + 4);
    let found = |count: usize| {
        found(&[vec![ns()], glue(count)].concat()).into_iter().filter(|one| one.record_set == 0).collect::<Vec<_>>()
    };
    assert!(octets(0) > 1232);
    assert!(found(0)[0].message.contains("which does not fit in a UDP response"), "{:?}", found(0));
    assert_eq!(found(1)[0].severity, Severity::NewError, "{:?}", found(1));
    assert!(octets(1) > 65_535);
    let short = set("sub.lab.test.", "NS", &["ns.sub.lab.test.", "ns.else.test."]);
    legal(&[short, a("ns.sub.lab.test.")]);
    // At the apex the addresses are optional.
    let apex = set("y.lab.test.", "MX", &["1 x.lab.test."]);
    warning(&[apex, set("x.lab.test.", "A", &values)], 1, Field::Values, "this record set takes");
}

#[test]
fn the_values_of_a_set_differ() {
    let twice = set("x.lab.test.", "A", &["1.2.3.4", "1.2.3.5", "1.2.3.4"]);
    error(&[twice], 0, Field::Values, "Duplicate Resource Record: '1.2.3.4'");
    error(&[set("x.lab.test.", "AAAA", &["2001:db8::1", "2001:db8:0::1"])], 0, Field::Values, "'2001:db8::1'");
    for record_type in ["PTR", "NS"] {
        error(&[set("x.lab.test.", record_type, &["A.test.", "a.test"])], 0, Field::Values, "'a.test.'");
    }
    // 65 and 97 are the letters A and a.
    legal(&[set("x.lab.test.", "MX", &["65 a.test.", "97 a.test."]), set("x.lab.test.", "TXT", &["\"a\"", "\"A\""])]);
    assert_eq!(found(&[set("x.lab.test.", "A", &["1.2.3.4", "1.2.3.4", "1.2.3.4"])]).len(), 2);
}

#[test]
fn weighted_sets_share_their_ttl() {
    let member = |id, ttl| a("x.lab.test.").ttl(ttl).with(id, Weighted { weight: 1 });
    error(
        &[member("a", 60), member("b", 60), member("c", 30)],
        2,
        Field::Ttl,
        "weighted sets must contain the same TTL.",
    );
    legal(&[
        alias("x.lab.test.", "A", "y.lab.test.").with("c", Weighted { weight: 1 }),
        member("a", 30),
        a("y.lab.test.").ttl(60),
    ]);
    legal(&[
        a("x.lab.test.").ttl(1).with("a", latency("eu-west-1")),
        a("x.lab.test.").ttl(2).with("b", latency("us-east-1")),
    ]);
}

#[test]
fn a_ttl_has_31_bits() {
    legal(&[a("x.lab.test.").ttl(2_147_483_647), a("y.lab.test.").ttl(0)]);
    error(&[a("x.lab.test.").ttl(2_147_483_648)], 0, Field::Ttl, "at most 2147483647 seconds");
}

#[test]
fn groups_have_limits() {
    let group = |count: usize, policy: fn(usize) -> RoutingPolicy| {
        (0..count).map(|at| a("x.lab.test.").with(&at.to_string(), policy(at))).collect::<Vec<_>>()
    };
    legal(&group(100, |_| Weighted { weight: 1 }));
    error(&group(101, |_| Weighted { weight: 1 }), 100, Field::Policy, "101 weighted record sets, at most 100");
    error(&group(150, |_| MultivalueAnswer), 100, Field::Policy, "150 multivalue answer record sets, at most 100");
    let point: fn(usize) -> RoutingPolicy = |index| at(f64::from(u32::try_from(index).unwrap()), 0.0);
    legal(&group(30, point));
    error(&group(31, point), 30, Field::Policy, "31 geoproximity record sets, at most 30");
}

#[test]
fn a_failover_group_has_one_primary_and_one_secondary() {
    let member = |id, policy| a("x.lab.test.").with(id, policy).checked();
    legal(&[member("a", PRIMARY)]);
    legal(&[member("a", SECONDARY)]);
    error(
        &[member("a", PRIMARY), member("b", PRIMARY)],
        1,
        Field::Policy,
        "role of the primary is already taken by the record set 'a'",
    );
    error(&[member("a", SECONDARY), member("b", SECONDARY)], 1, Field::Policy, "role of the secondary");
}

#[test]
fn no_two_sets_of_a_group_have_the_same_place() {
    let country = |code| Geolocation { location: GeoLocation::Country(Country::from_code(code).unwrap()) };
    let zone_group = || Geoproximity {
        location: GeoproximityLocation::LocalZoneGroup {
            name: "us-east-1-bue-1".to_owned(),
            coordinates: Coordinates { latitude: 0.0, longitude: 0.0 },
        },
        bias: 1,
    };
    let near =
        |region| Geoproximity { location: GeoproximityLocation::Region(Region::from_name(region).unwrap()), bias: 0 };
    let pairs = [
        (latency("eu-west-1"), latency("eu-west-1"), "region eu-west-1"),
        (near("eu-west-1"), near("eu-west-1"), "region eu-west-1"),
        (zone_group(), zone_group(), "local zone group us-east-1-bue-1"),
        (at(0.0, 1.0), at(-0.0, 1.0), "point at latitude 0, longitude 1"),
        (EVERYWHERE, EVERYWHERE, "default location '*'"),
        (ip_based("offices", "berlin"), ip_based("offices", "berlin"), "CIDR location 'berlin'"),
        (ip_based("offices", "*"), ip_based("offices", "*"), "CIDR location '*'"),
    ];
    for (first, second, place) in pairs {
        let sets = [a("x.lab.test.").with("a", first), a("x.lab.test.").with("b", second)];
        error(&sets, 1, Field::Policy, &format!("the {place}"));
    }
    error(
        &[
            a("x.lab.test.").with("a", country("DE")),
            a("x.lab.test.").with("b", EVERYWHERE),
            a("x.lab.test.").with("c", country("DE")),
        ],
        2,
        Field::Policy,
        "the country DE is already taken by the record set 'a'",
    );
    legal(&[a("x.lab.test.").with("a", latency("eu-west-1")), a("y.lab.test.").with("a", latency("eu-west-1"))]);
}

#[test]
fn a_cidr_group_uses_one_collection_and_it_exists() {
    let member = |id, policy| a("x.lab.test.").with(id, policy);
    error(&[member("a", ip_based("homes", "*"))], 0, Field::Policy, "there is no CIDR collection 'homes'");
    error(&[member("a", ip_based("offices", "rome"))], 0, Field::Policy, "'offices' has no location 'rome'");
    let sets = [member("a", ip_based("offices", "berlin")), member("b", ip_based("homes", "*"))];
    let other = CidrCollection { id: CidrCollectionId("homes".to_owned()), ..collection() };
    let found = violations(&zone(&sets), &[collection(), other], 1232);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].record_set, found[0].field), (3, Field::Policy));
    assert!(found[0].message.contains("must use the same CIDR collection as 'a'"));
}

#[test]
fn a_bias_lies_within_99() {
    let biased = |bias| {
        let location = GeoproximityLocation::Region(Region::from_name("eu-west-1").unwrap());
        a("x.lab.test.").with("a", Geoproximity { location, bias })
    };
    legal(&[biased(99)]);
    legal(&[biased(-99)]);
    for bias in [100, -100, i8::MIN, i8::MAX] {
        error(&[biased(bias)], 0, Field::Policy, "between -99 and 99");
    }
}

/// An alias to a resource in this hosted zone of AWS, without evaluation.
fn outside(record_type: &str, hosted_zone: &str, target: &str) -> ResourceRecordSet {
    let target = AliasTarget {
        name: Name::parse(target).unwrap(),
        hosted_zone: Some(HostedZoneId(hosted_zone.to_owned())),
        evaluate_target_health: false,
    };
    ResourceRecordSet { content: Content::Alias(target), ..set("x.lab.test.", record_type, &[]) }
}

#[test]
fn an_alias_to_a_resource_names_its_hosted_zone() {
    let (balancers, name) = ("Z35SXDOTRQ7X7K", "my-lb.us-east-1.elb.amazonaws.com");
    warning(&[outside("A", balancers, name)], 0, Field::Alias, "no `[[alias_target]]` matches my-lb.us-east-1.elb");
    let hint = found(&[outside("A", balancers, name)])[0].hint.clone().unwrap();
    assert!(hint.contains(r#"name = "my-lb", target = "my-lb.us-east-1.elb.amazonaws.com", addresses ="#), "{hint}");
    let attempt = |record_type: &str, zone: &str, name: &str| {
        format!("Tried to create an alias that targets {name}., type {record_type} in zone {zone}, but")
    };
    for (record_type, zone, name, problem, known) in [
        ("A", "Z3AADJGX6KTTL2", name, "the alias target name does not lie within the target zone", balancers),
        ("A", "Z1234", name, "the alias target name does not lie within the target zone", balancers),
        ("A", "Z1234", "www.example.org", "the alias target name does not lie within the target zone", "Z1234"),
        ("A", balancers, "www.lab.test", "the alias target name does not lie within the target zone", "Z1"),
        ("TXT", balancers, name, "that target was not found", "A or AAAA"),
        ("HTTPS", balancers, name, "that target was not found", "A or AAAA"),
    ] {
        let set = [outside(record_type, zone, name)];
        error(&set, 0, Field::Alias, &format!("{} {problem}", attempt(record_type, zone, name)));
        let hint = found(&set)[0].hint.clone().unwrap();
        assert!(hint.contains(known), "{hint}");
    }
    // Without the id, the hint has it.
    let hint = found(&[alias("x.lab.test.", "A", name)])[0].hint.clone().unwrap();
    assert!(hint.contains(balancers), "{hint}");
}

#[test]
fn cloudfront_is_not_for_private_zones() {
    let distribution = |record_type| outside(record_type, "Z2FDTNDATAQYW2", "d1.cloudfront.net");
    for record_type in ["A", "AAAA", "HTTPS"] {
        warning(&[distribution(record_type)], 0, Field::Alias, "no `[[alias_target]]` matches");
    }
    let private = HostedZone { vpcs: vec![VpcId("vpc-lab1".to_owned())], ..zone(&[distribution("A")]) };
    let found = violations(&private, &[], 1232);
    assert!(found.iter().any(|one| one.message.contains("in a private hosted zone cannot")), "{found:?}");
}

#[test]
fn an_alias_target_is_another_set_of_the_zone_and_type() {
    let www = || a("www.lab.test.");
    error(
        &[alias("x.lab.test.", "A", "www.else.test.")],
        0,
        Field::Alias,
        "Tried to create an alias that targets www.else.test., type A in zone Z1, but the alias target name does not lie \
         within the target zone",
    );
    error(
        &[www(), alias("x.lab.test.", "AAAA", "www.lab.test.")],
        1,
        Field::Alias,
        "Tried to create an alias that targets www.lab.test., type AAAA in zone Z1, but that target was not found",
    );
    let hint = found(&[www(), alias("x.lab.test.", "AAAA", "www.lab.test.")])[0].hint.clone().unwrap();
    assert!(hint.contains("www.lab.test. has A"), "{hint}");
    error(
        &[alias("x.lab.test.", "A", "x.lab.test.")],
        0,
        Field::Alias,
        "the alias targets itself: x.lab.test., type A",
    );
    error(&[alias("x.lab.test.", "NS", "lab.test.")], 0, Field::Alias, "a record set of type NS cannot be an alias");
    legal(&[alias("*.lab.test.", "A", "www.lab.test."), www(), alias("y.lab.test.", "A", "*.lab.test.")]);
}

#[test]
fn aliases_do_not_go_round_in_circles() {
    error(
        &[
            alias("a.lab.test.", "A", "b.lab.test."),
            alias("b.lab.test.", "A", "c.lab.test."),
            alias("c.lab.test.", "A", "b.lab.test."),
        ],
        2,
        Field::Alias,
        "cycle: b.lab.test. → c.lab.test. → b.lab.test.",
    );
    // One branch of the group ends at records, the other leads back.
    let branch = |name, id, target| alias(name, "A", target).with(id, Weighted { weight: 1 });
    let sets = [
        branch("a.lab.test.", "1", "d.lab.test."),
        branch("a.lab.test.", "2", "b.lab.test."),
        alias("b.lab.test.", "A", "a.lab.test."),
        a("d.lab.test."),
    ];
    error(&sets, 2, Field::Alias, "cycle: a.lab.test. → b.lab.test. → a.lab.test.");
    // Two paths to the same group are not a cycle.
    legal(&[
        branch("a.lab.test.", "1", "b.lab.test."),
        branch("a.lab.test.", "2", "c.lab.test."),
        alias("b.lab.test.", "A", "c.lab.test."),
        a("c.lab.test."),
    ]);
    // The types are separate.
    legal(&[
        alias("a.lab.test.", "A", "b.lab.test."),
        a("b.lab.test."),
        alias("b.lab.test.", "AAAA", "a.lab.test."),
        set("a.lab.test.", "AAAA", &["2001:db8::1"]),
    ]);
}

#[test]
fn a_long_circle_is_named_in_part_and_a_long_chain_is_walked() {
    let chain = (0..10_000).map(|at| alias(&format!("n{at}.lab.test."), "A", &format!("n{}.lab.test.", at + 1)));
    let mut sets = chain.collect::<Vec<_>>();
    sets.push(a("n10000.lab.test."));
    // From the alias at the sixteenth place before the records on.
    warning(&sets, 9_984, Field::Alias, "there are more than 15 aliases before the records");
    legal(&sets[9_985..]);
    sets[10_000] = alias("n10000.lab.test.", "A", "n0.lab.test.");
    error(&sets, 10_000, Field::Alias, "n7.lab.test. → … (9993 more) → n0.lab.test.");
}

#[test]
fn ip_based_sets_of_a_private_zone_are_warned_about() {
    let mut zone = zone(&[a("x.lab.test.").with("a", ip_based("offices", "*"))]);
    zone.vpcs.push(VpcId("vpc-1".to_owned()));
    let found = violations(&zone, &[collection()], 1232);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].severity, found[0].field), (Severity::Warning, Field::Policy));
}

#[test]
fn a_geolocation_group_without_default_is_warned_about() {
    let europe = || a("x.lab.test.").with("a", Geolocation { location: GeoLocation::Continent(Continent::Europe) });
    warning(&[europe()], 0, Field::Policy, "get no A of x.lab.test.");
    legal(&[europe(), a("x.lab.test.").with("b", EVERYWHERE)]);
    legal(&[a("x.lab.test.").with("b", EVERYWHERE), europe()]);
}

#[test]
fn what_a_delegation_hides_is_warned_about() {
    let ns = || set("sub.lab.test.", "NS", &["ns.sub.lab.test.", "ns.else.test."]);
    legal(&[ns(), a("ns.sub.lab.test."), set("sub.lab.test.", "DS", &["1 8 9 ab"])]);
    warning(
        &[ns(), a("www.sub.lab.test.")],
        1,
        Field::Name,
        "www.sub.lab.test., type A is hidden by the delegation of sub.lab.test.",
    );
    warning(&[a("sub.lab.test."), ns()], 0, Field::Name, "sub.lab.test., type A is hidden");
    warning(&[ns(), set("ns.sub.lab.test.", "TXT", &["\"a\""])], 1, Field::Name, "type TXT is hidden");
    warning(
        &[ns(), set("x.sub.lab.test.", "NS", &["ns.test."])],
        1,
        Field::Name,
        "hidden by the delegation of sub.lab.test.",
    );
    legal(&[ns(), a("notsub.lab.test.")]);
}

#[test]
fn a_health_check_without_effect_is_warned_about() {
    warning(&[a("x.lab.test.").checked()], 0, Field::HealthCheck, "has no effect");
    let weighted = |target: ResourceRecordSet| target.with("a", Weighted { weight: 1 });
    legal(&[a("x.lab.test.").checked(), weighted(alias("y.lab.test.", "A", "x.lab.test."))]);
    let blind = weighted(alias("y.lab.test.", "A", "x.lab.test.").unevaluated());
    warning(&[a("x.lab.test.").checked(), blind], 0, Field::HealthCheck, "has no effect");
    for (when_all_unhealthy, violations_found) in [(WhenAllUnhealthy::None, 0), (WhenAllUnhealthy::LastHealthy, 1)] {
        let name = Name::parse("x.lab.test.").unwrap();
        let group = RecordGroup {
            name,
            record_type: RecordType::A,
            when_all_unhealthy,
            failback_delay: Duration::ZERO,
            slow_start: Duration::ZERO,
        };
        let zone = HostedZone { record_groups: vec![group], ..zone(&[a("x.lab.test.").checked()]) };
        assert_eq!(violations(&zone, &[], 1232).len(), violations_found, "{when_all_unhealthy:?}");
    }
}

#[test]
fn failover_that_cannot_happen_is_warned_about() {
    legal(&[a("x.lab.test.").with("a", SECONDARY)]);
    let blind = |policy| alias("x.lab.test.", "A", "y.lab.test.").unevaluated().with("a", policy);
    warning(&[blind(PRIMARY), a("y.lab.test.")], 0, Field::Policy, "never fails over");
    warning(&[blind(PRIMARY).checked(), a("y.lab.test.")], 0, Field::Alias, "does not evaluate its target's health");
    warning(&[blind(SECONDARY), a("y.lab.test.")], 0, Field::Alias, "does not evaluate its target's health");
}

#[test]
fn a_primary_with_values_has_a_health_check() {
    for set in [a("x.lab.test."), a("*.lab.test."), set("x.lab.test.", "TXT", &["\"a\""])] {
        let found = found(&[set.clone().with("a", PRIMARY)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].severity, found[0].field), (Severity::NewError, Field::Policy));
        assert_eq!(found[0].message, "A non-alias primary ResourceRecordSet must have an associated health check.");
        assert!(found[0].hint.as_deref().is_some_and(|hint| hint.contains("`health_check`")));
        legal(&[set.with("a", PRIMARY).checked()]);
    }
    legal(&[alias("x.lab.test.", "A", "y.lab.test.").with("a", PRIMARY), a("y.lab.test.")]);
}

#[test]
fn all_violations_come_at_once_in_the_order_of_the_sets() {
    let found = found(&[
        set("y.lab.test.", "CNAME", &["a.test.", "b.test."]),
        a("x.lab.test.").with("a", MultivalueAnswer),
        a("x.lab.test.").ttl(u32::MAX).with("a", MultivalueAnswer),
        a("z.test."),
    ]);
    let places = found.iter().map(|violation| (violation.record_set, violation.field)).collect::<Vec<_>>();
    assert_eq!(places, [(0, Field::Values), (2, Field::Ttl), (2, Field::SetIdentifier), (3, Field::Name)]);
}

#[test]
fn every_fault_of_a_big_zone_is_found() {
    let mut sets = (0..10_000).map(|at| a(&format!("n{at}.sub.lab.test."))).collect::<Vec<_>>();
    sets.push(set("sub.lab.test.", "NS", &["ns.test."]));
    let group = (0..10_000).map(|at| a("x.lab.test.").with(&at.to_string(), Weighted { weight: 1 }));
    sets.extend(group);
    assert_eq!(found(&sets).len(), 10_001);
}
