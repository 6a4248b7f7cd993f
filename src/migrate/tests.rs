//! What is imported, and round trips: what is exported and imported again stays the same.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::account::Account;
use super::bind::{BindFiles, bind_text};
use super::inventory::Inventory;
use super::json_files::json_files;
use super::report::MigrationReport;
use super::toml_files::{NewFile, toml_files};
use crate::config::{Configuration, Settings, SourceFile, Style, read_zones};
use crate::model::{
    AddressFamily, AliasTarget, CHECKER_REGIONS, CalculatedCheck, CidrCollection, CidrCollectionId, Content, Continent,
    Coordinates, Country, EndpointCheck, EndpointProtocol, EndpointTarget, FailoverRole, GeoLocation,
    GeoproximityLocation, HealthCheck, HealthCheckId, HealthCheckKind, HostedZone, HostedZoneId, HttpRequest, Name,
    RecordData, RecordType, Region, ResourceRecordSet, RoutingPolicy, Subdivision, Timeouts, VpcId,
};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// What a server reads from the files.
fn served(files: &[NewFile]) -> Configuration {
    let sources: Vec<SourceFile> = files.iter().map(|file| SourceFile::new(&file.name, file.text.as_str())).collect();
    let reading = read_zones(&sources, &Settings::built_in());
    let errors: Vec<_> = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{files:?}");
    reading.configuration
}

/// Imports a master file, and reads what is written.
fn from_bind(text: &str) -> (Vec<HostedZone>, MigrationReport) {
    let (mut report, dns) = (MigrationReport::default(), Settings::built_in().dns);
    let files = BindFiles { path: Path::new("db.lab.test"), text: text.into(), zone: None };
    let zones: Vec<HostedZone> =
        files.read(&mut report).map(|draft| draft.finish_own(&[], &dns, &mut report)).into_iter().collect();
    let with_own_name_servers = zones.iter().map(|zone| zone.id.clone()).collect();
    let mut inventory = Inventory { zones, with_own_name_servers, ..Inventory::default() };
    let files = toml_files(&mut inventory, &dns, &mut report);
    let zones = served(&files).zones.iter().map(|source| HostedZone::clone(&source.zone)).collect();
    (zones, report)
}

/// Imports JSON, and reads what is written.
fn from_json(files: &[(&str, &str)]) -> (Configuration, MigrationReport) {
    let (mut report, mut account, dns) = (MigrationReport::default(), Account::default(), Settings::built_in().dns);
    for (name, text) in files {
        account.read_json(Path::new(name), &Arc::from(*text), &mut report);
    }
    let mut inventory = account.inventory(&dns, &mut report);
    let files = toml_files(&mut inventory, &dns, &mut report);
    (served(&files), report)
}

/// `name type ttl value…`, sorted.
fn records(zone: &HostedZone) -> Vec<String> {
    let line = |set: &Arc<ResourceRecordSet>| match &set.content {
        Content::Records { ttl, values } => {
            let mut values: Vec<String> = values.iter().map(RecordData::to_text).collect();
            values.sort();
            format!("{} {} {ttl} {}", set.name, set.record_type, values.join(" | "))
        }
        Content::Alias(target) => format!("{} {} alias {}", set.name, set.record_type, target.name),
    };
    let mut lines: Vec<String> = zone.record_sets.iter().map(line).collect();
    lines.sort();
    lines
}

fn lines_of(report: &MigrationReport) -> Vec<String> {
    let line = |one: crate::config::LocatedDiagnostic| {
        format!("{}:{}: {}", one.line.unwrap_or_default(), one.column.unwrap_or_default(), one.message)
    };
    report.located().into_iter().map(line).collect()
}

#[test]
fn a_master_file_becomes_a_zone() {
    let (zones, report) = from_bind(
        "$TTL 1h\n\
         @ IN SOA ns1 hostmaster ( 2024010101 ; serial\n 2h 15m\n 2w 1d )\n\
         \tNS ns1\n\
         \tNS ns2.other.test.\n\
         ns1 A 192.0.2.1\n\
         www 60 IN A 192.0.2.10\n\
         \tIN 60 A 192.0.2.11\n\
         \tTXT \"one \\228\" two\n\
         *.any CNAME www\n\
         $ORIGIN sub\n\
         a.b MX 10 @\n\
         $GENERATE 1-3 host$ A 10.0.0.$\n",
    );
    assert_eq!(lines_of(&report), Vec::<String>::new());
    assert_eq!(
        records(&zones[0]),
        [
            "\\052.any.lab.test. CNAME 3600 www.lab.test.",
            "a.b.sub.lab.test. MX 3600 10 sub.lab.test.",
            "host1.sub.lab.test. A 3600 10.0.0.1",
            "host2.sub.lab.test. A 3600 10.0.0.2",
            "host3.sub.lab.test. A 3600 10.0.0.3",
            "lab.test. NS 3600 ns1.lab.test. | ns2.other.test.",
            "lab.test. SOA 3600 ns1.lab.test. hostmaster.lab.test. 2024010101 7200 900 1209600 86400",
            "ns1.lab.test. A 3600 192.0.2.1",
            "www.lab.test. A 60 192.0.2.10 | 192.0.2.11",
            "www.lab.test. TXT 3600 \"one \\344\" \"two\"",
        ]
    );
}

#[test]
fn each_line_without_a_counterpart_is_reported_and_the_rest_is_imported() {
    let (zones, report) = from_bind(
        "$TTL 300\n\
         @ SOA ns1 h 1 7200 900 1209600 86400\n\
         @ NS ns1.other.test.\n\
         www LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m\n\
         www A 192.0.2.1\n\
         www A 192.0.2.2 x\n\
         www 60 A 192.0.2.3\n\
         www CNAME other\n\
         x CH TXT y\n\
         \tTXT \"of no owner\"\n\
         $UNKNOWN 1\n\
         $INCLUDE ../other\n\
         elsewhere.test. A 192.0.2.4\n\
         a..b A 192.0.2.5\n\
         y TXT \"not closed\n\
         z HTTPS 0 . alpn=h2\n",
    );
    let found = lines_of(&report);
    let expected = [
        "4:1: Route 53 has no record type LOC",
        "6:1: there is too much at the end",
        "9:1: records of class CH are not imported",
        "11:1: the directive $UNKNOWN is not known",
        "12:1: cannot read",
        "14:1: ",
        "15:7: the quotation mark is not closed",
        "16:1: ",
        "7:1: the records of type A of www.lab.test. have different TTLs; all get that of the first, 300",
        "13:1: the A record set elsewhere.test. is left out: it is not in the zone lab.test.",
        "8:1: the CNAME record set www.lab.test. is left out: ",
    ];
    assert_eq!(found.len(), expected.len(), "{}", report.render(Style::Plain));
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} instead of {expected}");
    }
    let all = records(&zones[0]);
    assert!(all.contains(&"www.lab.test. A 300 192.0.2.1 | 192.0.2.3".to_owned()), "{all:?}");
    assert!(all.contains(&"x.lab.test. TXT 300 \"of no owner\"".to_owned()), "{all:?}");
}

#[test]
fn a_ttl_out_of_range_is_not_taken_for_a_type() {
    let (zones, report) = from_bind(
        "$TTL 300\n$TTL -1\n$TTL 99999w\n$TTL 1x\n$TTL 4294967296\n$ORIGIN bad..name\n\
         a 2147483648 A 192.0.2.1\na 4294967296 IN A 192.0.2.1\na IN -1 A 192.0.2.1\na +5 A 192.0.2.1\n\
         a 3551w A 192.0.2.1\na 99999999999999999999w A 192.0.2.1\na 1x A 192.0.2.1\na 1h 2h A 192.0.2.1\n\
         b 1h A 192.0.2.1\nc 1w2d A 192.0.2.1\nd 3550w A 192.0.2.1\ne 2147483647 A 192.0.2.1\nf A 192.0.2.1\n\
         g MX 10 a..b\n",
    );
    let found = lines_of(&report);
    let expected = [
        "2:1: `-1` is not a TTL",
        "3:1: `99999w` is not a TTL",
        "4:1: `1x` is not a TTL",
        "5:1: `4294967296` is not a TTL",
        "6:1: a name has an empty label",
        "7:1: `2147483648` is not a TTL: it is a number from 0 to 2147483647",
        "8:1: `4294967296` is not a TTL",
        "9:1: `-1` is not a TTL",
        "10:1: `+5` is not a TTL",
        "11:1: `3551w` is not a TTL",
        "12:1: `99999999999999999999w` is not a TTL",
        "13:1: `1x` is not a TTL",
        "14:1: the record has two TTLs",
        "20:1: a name has an empty label",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} instead of {expected}");
    }
    let addresses: Vec<String> = records(&zones[0]).into_iter().filter(|line| line.contains(" A ")).collect();
    assert_eq!(
        addresses,
        [
            "b.lab.test. A 3600 192.0.2.1",
            "c.lab.test. A 777600 192.0.2.1",
            "d.lab.test. A 2147040000 192.0.2.1",
            "e.lab.test. A 2147483647 192.0.2.1",
            "f.lab.test. A 300 192.0.2.1",
        ]
    );
}

#[test]
fn the_list_of_route_53_becomes_a_zone_without_amazons_servers() {
    let list = r#"{"ResourceRecordSets": [
        {"Name": "lab.test.", "Type": "NS", "TTL": 172800, "ResourceRecords": [{"Value": "ns-1.awsdns-00.com."}]},
        {"Name": "lab.test.", "Type": "SOA", "TTL": 900, "ResourceRecords": [{"Value":
          "ns-1.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"}]},
        {"Name": "\\052.lab.test.", "Type": "A", "SetIdentifier": "blue", "Weight": 3, "TTL": 60,
         "ResourceRecords": [{"Value": "192.0.2.1"}], "HealthCheckId": "7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11"},
        {"Name": "alias.lab.test.", "Type": "A", "AliasTarget":
          {"HostedZoneId": "Z0LAB", "DNSName": "\\052.lab.test.", "EvaluateTargetHealth": true}},
        {"Name": "bad.lab.test.", "Type": "A", "TTL": 60,
         "ResourceRecords": [{"Value": "192.0.2"}]}
    ]}"#;
    let checks = r#"{"HealthChecks": [{"Id": "7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11", "CallerReference": "r1",
        "HealthCheckConfig": {"IPAddress": "192.0.2.1", "Port": 80, "Type": "HTTP", "RequestInterval": 30,
        "FailureThreshold": 3, "MeasureLatency": false, "Inverted": false, "Disabled": false, "EnableSNI": false},
        "HealthCheckVersion": 1}]}"#;
    let tags = r#"{"ResourceTagSet": {"ResourceType": "healthcheck", "ResourceId": "7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11",
        "Tags": [{"Key": "Name", "Value": "web blue"}]}}"#;
    let (read, report) = from_json(&[("records.json", list), ("checks.json", checks), ("tags.json", tags)]);
    let found = lines_of(&report);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("9:18: the record set A bad.lab.test. is left out: Invalid Resource Record"),
        "{found:?}"
    );
    let zone = &read.zones[0].zone;
    assert_eq!(zone.id.0, "Z0LAB");
    assert!(zone.name_servers().all(|server| server == name("ns1.lab.test")));
    let weighted = zone.record_sets.iter().find(|set| set.set_identifier.is_some()).unwrap();
    assert_eq!(weighted.routing_policy, RoutingPolicy::Weighted { weight: 3 });
    assert_eq!(weighted.health_check.as_ref(), Some(&read.health_checks[0].id));
    assert_eq!(read.health_checks[0].name, "web blue");
    let alias = zone.record_sets.iter().find(|set| set.name == name("alias.lab.test")).unwrap();
    let target = AliasTarget { name: name("*.lab.test"), hosted_zone: None, evaluate_target_health: true };
    assert_eq!(alias.content, Content::Alias(target));
}

#[test]
fn json_that_cannot_be_assigned_says_what_to_do() {
    let (_, report) = from_json(&[
        ("blocks.json", r#"{"CidrBlocks": [{"CidrBlock": "10.0.0.0/8", "LocationName": "a"}], "NextToken": "x"}"#),
        (
            "records.json",
            r#"{"ResourceRecordSets": [{"Name": "a.lab.test.", "Type": "A", "TTL": 1, "ResourceRecords": []}]}"#,
        ),
        ("batch.json", r#"{"Changes": []}"#),
        ("bad.json", "{\n \"HostedZones\": [\n }"),
        (
            "zones.json",
            "{\"HostedZones\": [{\"Id\": \"/hostedzone/Z1\",\n \"Name\": \"p.test.\", \"CallerReference\": \"r\", \"Config\": {\"PrivateZone\": true}}]}",
        ),
        ("other.json", "{\"Buckets\": []}"),
    ]);
    let found = lines_of(&report);
    for expected in [
        "0:0: the list is not complete",
        "0:0: it is not known which CIDR collection",
        "0:0: it is not known which hosted zone",
        "1:13: a change batch is not imported",
        "3:2: this is not the JSON of an `aws route53` command",
        "2:10: the private hosted zone p.test. is left out",
        "1:13: `Buckets` has no counterpart",
    ] {
        assert!(found.iter().any(|found| found.starts_with(expected)), "{expected} is not in {found:#?}");
    }
    assert_eq!(found.len(), 7, "{found:#?}");
}

/// Values as people may write them, some of them with octets that need escapes.
fn any_value() -> impl Strategy<Value = (RecordType, RecordData)> {
    let label = "[a-z0-9_-]{1,8}|\\\\(052|100|056|044|073|134|042|050)[a-z]|\\\\3[0-7][0-7]";
    let host = prop::collection::vec(label, 1..4).prop_map(|labels| labels.join(".") + ".");
    let text = prop::collection::vec("([ !#-\\[\\]-~]|\\\\\"|\\\\\\\\|\\\\[0-3][0-7][0-7]){0,20}", 1..4)
        .prop_map(|strings| strings.iter().map(|string| format!("\"{string}\"")).collect::<Vec<_>>().join(" "));
    let of = |record_type: RecordType| move |text: String| (record_type, text);
    prop_oneof![
        any::<[u8; 4]>().prop_map(|a| (RecordType::A, std::net::Ipv4Addr::from(a).to_string())),
        any::<[u8; 16]>().prop_map(|a| (RecordType::Aaaa, std::net::Ipv6Addr::from(a).to_string())),
        text.clone().prop_map(of(RecordType::Txt)),
        text.prop_map(of(RecordType::Spf)),
        (any::<u16>(), host.clone()).prop_map(|(priority, host)| (RecordType::Mx, format!("{priority} {host}"))),
        (any::<[u16; 3]>(), host.clone())
            .prop_map(|([a, b, c], host)| (RecordType::Srv, format!("{a} {b} {c} {host}"))),
        host.clone().prop_map(of(RecordType::Ptr)),
        (any::<u8>(), "issue|issuewild|iodef", "[ -!#-\\[\\]-~]{0,20}")
            .prop_map(|(flags, tag, value)| (RecordType::Caa, format!("{flags} {tag} \"{value}\""))),
        (any::<[u16; 2]>(), "[sSaAuU]?", "[A-Z+0-9]{0,8}", host.clone()).prop_map(|([a, b], flags, service, host)| {
            (RecordType::Naptr, format!("{a} {b} \"{flags}\" \"{service}\" \"\" {host}"))
        }),
        (any::<u16>(), any::<[u8; 32]>()).prop_map(|(tag, digest)| {
            let digits: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
            (RecordType::Ds, format!("{tag} 13 2 {digits}"))
        }),
        (1..32768u16, host, "h2|h3|h2,h3", 1..=65535u16).prop_map(|(priority, host, alpn, port)| {
            (RecordType::Https, format!("{priority} {host} alpn=\"{alpn}\" port=\"{port}\""))
        }),
    ]
    .prop_filter_map("Route 53 accepts it", |(record_type, text)| {
        Some((record_type, RecordData::parse(record_type, &text).ok()?))
    })
}

fn any_zone() -> impl Strategy<Value = HostedZone> {
    let owner = "[a-z0-9_-]{1,6}|[*]|[*][.]a|\\\\(052|100|056|044|073|134|042|050)[a-z]|\\\\3[0-7][0-7]|w[.]x[.]y";
    let set = (owner, 0..100_000u32, prop::collection::vec(any_value(), 1..6));
    prop::collection::vec(set, 0..12).prop_map(|sets| {
        let apex = name("lab.test");
        let mut zone = super::draft::ZoneDraft::new(apex.clone(), super::report::Place::whole("x")).zone;
        let mut put = |owner: &Name, record_type: RecordType, ttl: u32, data: RecordData| {
            // DS is where a delegation is.
            let is_same = |set: &&mut ResourceRecordSet| set.name == *owner && set.record_type == record_type;
            let mut sets: Vec<ResourceRecordSet> =
                zone.record_sets.iter().map(|set| ResourceRecordSet::clone(set)).collect();
            match sets.iter_mut().find(is_same).map(|set| &mut set.content) {
                Some(Content::Records { values, .. }) if values.contains(&data) => {}
                Some(Content::Records { values, .. }) => values.push(data),
                _ => sets.push(ResourceRecordSet {
                    name: owner.clone(),
                    record_type,
                    set_identifier: None,
                    routing_policy: RoutingPolicy::Simple,
                    content: Content::Records { ttl, values: vec![data] },
                    health_check: None,
                }),
            }
            zone.record_sets = sets.into_iter().map(Arc::new).collect();
        };
        let parse = |record_type, text| RecordData::parse(record_type, text).unwrap();
        put(&apex, RecordType::Soa, 900, parse(RecordType::Soa, "ns.other.test. h.other.test. 7 1 2 3 4"));
        put(&apex, RecordType::Ns, 600, parse(RecordType::Ns, "ns.other.test."));
        for (owner, ttl, values) in sets {
            let Ok(owner) = name(&owner).under(&apex) else { continue };
            for (record_type, data) in values {
                put(&owner, record_type, ttl, data);
            }
        }
        zone
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// TOML → BIND → TOML: the same record data.
    #[test]
    fn a_zone_of_simple_records_survives_a_master_file(zone in any_zone()) {
        let mut report = MigrationReport::default();
        let text = bind_text(&zone, &[], &mut report);
        prop_assert_eq!(report.len(), 0);
        let (zones, report) = from_bind(&text);
        prop_assert_eq!(report.len(), 0, "{}\n{}", report.render(Style::Plain), text);
        prop_assert_eq!(records(&zones[0]), records(&zone), "{}", text);
        // BIND → TOML → BIND.
        let again = bind_text(&zones[0], &[], &mut MigrationReport::default());
        prop_assert_eq!(from_bind(&again).0.iter().map(records).collect::<Vec<_>>(), vec![records(&zone)]);
    }

    /// No text makes the reader panic, and what it imports can be served.
    #[test]
    fn any_text_is_read(text in "([$]?(ORIGIN|TTL|GENERATE|INCLUDE|IN|A|TXT|[(]|[)]|\"|;|\\\\|[.]|@|[0-9]{1,3}|[a-z]|-|/|[$]|[{]|[}]|,)|[ \\n\\t]){0,60}") {
        let _ = from_bind(&text);
    }
}

/// Each batch is accepted by a zone that has the record sets of the batches before it.
#[test]
fn change_batches_can_be_made_one_after_the_other() {
    let alias = |owner: &str, target: &str| ResourceRecordSet {
        name: name(owner),
        set_identifier: None,
        content: Content::Alias(AliasTarget { name: name(target), hosted_zone: None, evaluate_target_health: true }),
        ..member(0, 0, RoutingPolicy::Simple, None)
    };
    let long = |at: usize| {
        let value = RecordData::parse(RecordType::Txt, &format!("\"{}\"", "x".repeat(200))).unwrap();
        ResourceRecordSet {
            name: name(&format!("txt{at}.lab.test")),
            record_type: RecordType::Txt,
            set_identifier: None,
            content: Content::Records { ttl: 60, values: vec![value] },
            ..member(0, 0, RoutingPolicy::Simple, None)
        }
    };
    let (zones, _) = from_bind("$TTL 60\n@ SOA ns1 h 1 7200 900 1209600 86400\n@ NS ns1.other.test.\nz A 192.0.2.1\n");
    let mut zone = zones[0].clone();
    let mut made = zone.clone();
    made.record_sets.retain(|set| set.name == zone.name);
    let aliases = [alias("lab.test", "a.lab.test"), alias("a.lab.test", "z.lab.test")];
    zone.record_sets.extend(aliases.into_iter().chain((0..300).map(long)).map(Arc::new));
    let batches = super::json_files::batches(&zone);
    assert!(batches.len() > 2, "{}", batches.len());
    for batch in &batches {
        made = made.apply(batch, &[], 1232).unwrap();
    }
    assert_eq!(records(&made), records(&zone));
}

#[test]
fn a_file_that_includes_itself_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let (path, inner) = (directory.path().join("lab.test.zone"), directory.path().join("inner"));
    let text = "$TTL 60\n$INCLUDE inner\n$INCLUDE inner\nwww A 192.0.2.1\n";
    fs::write(&path, text).unwrap();
    fs::write(&inner, "$INCLUDE lab.test.zone\n$INCLUDE inner\nin A 192.0.2.2\n").unwrap();
    let mut report = MigrationReport::default();
    let draft = BindFiles { path: &path, text: text.into(), zone: None }.read(&mut report);
    assert!(draft.is_some());
    let found = lines_of(&report);
    let loops = found.iter().filter(|line| line.contains("includes itself")).count();
    assert_eq!((found.len(), loops), (4, 4), "{found:?}");
}

/// A record set of a group at a name that no other set has.
fn member(group: usize, at: usize, policy: RoutingPolicy, check: Option<usize>) -> ResourceRecordSet {
    let value = RecordData::parse(RecordType::A, &format!("192.0.{group}.{at}")).unwrap();
    ResourceRecordSet {
        name: name(&format!("p{group}.policies.lab.test")),
        record_type: RecordType::A,
        set_identifier: Some(format!("{at} \"é\" <&>")),
        routing_policy: policy,
        content: Content::Records { ttl: 60, values: vec![value] },
        health_check: check.map(check_id),
    }
}

fn check_id(number: usize) -> HealthCheckId {
    HealthCheckId(format!("7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c1{number}"))
}

fn collection() -> CidrCollection {
    let block = |text: &str| text.parse().unwrap();
    CidrCollection {
        id: CidrCollectionId("c2d0b2a7-0a52-4b3f-9c27-1f3a7a2b5c11".to_owned()),
        name: "offices".to_owned(),
        caller_reference: None,
        version: 3,
        locations: vec![
            ("berlin".to_owned(), vec![block("10.53.1.0/24"), block("2001:db8:1::/48")]),
            ("tokyo".to_owned(), vec![block("10.53.2.0/24")]),
        ],
    }
}

/// The members of a group, one policy for all.
fn any_group(group: usize) -> impl Strategy<Value = Vec<ResourceRecordSet>> {
    let check = || prop::option::of(0..4usize);
    let region = |at: usize| Region::all().nth(at).unwrap();
    let locations = [
        GeoLocation::Default,
        GeoLocation::Continent(Continent::Europe),
        GeoLocation::Country(Country::from_code("DE").unwrap()),
        GeoLocation::Subdivision(Country::from_code("US").unwrap(), Subdivision::from_code("CA").unwrap()),
    ];
    let cidr = |location: Option<&str>| RoutingPolicy::IpBased {
        collection: collection().id,
        location: location.map(str::to_owned),
    };
    let of = move |policies: Vec<RoutingPolicy>, checks: Vec<Option<usize>>| {
        let sets = policies.into_iter().zip(checks).enumerate();
        sets.map(|(at, (policy, check))| member(group, at, policy, check)).collect::<Vec<_>>()
    };
    let checks = prop::collection::vec(check(), 4);
    let policies = prop_oneof![
        prop::collection::vec(0..=255u8, 1..4)
            .prop_map(|weights| weights.into_iter().map(|weight| RoutingPolicy::Weighted { weight }).collect()),
        prop::sample::subsequence((0..39).collect::<Vec<usize>>(), 1..4)
            .prop_map(move |all| all.into_iter().map(|at| RoutingPolicy::Latency { region: region(at) }).collect()),
        prop::sample::subsequence(locations.to_vec(), 1..=4)
            .prop_map(|all| all.into_iter().map(|location| RoutingPolicy::Geolocation { location }).collect()),
        (1..4usize).prop_map(|count| vec![RoutingPolicy::MultivalueAnswer; count]),
        (-99..=99i8, -9000..9000i32, -18000..18000i32).prop_map(move |(bias, latitude, longitude)| {
            let at = Coordinates { latitude: f64::from(latitude) / 100.0, longitude: f64::from(longitude) / 100.0 };
            vec![
                RoutingPolicy::Geoproximity { location: GeoproximityLocation::Coordinates(at), bias },
                RoutingPolicy::Geoproximity { location: GeoproximityLocation::Region(region(3)), bias: 0 },
            ]
        }),
        Just(vec![cidr(Some("berlin")), cidr(Some("tokyo")), cidr(None)]),
        Just(vec![RoutingPolicy::Failover { role: FailoverRole::Secondary }]),
    ];
    (policies, checks).prop_map(move |(policies, checks)| of(policies, checks))
}

fn any_check(number: usize) -> impl Strategy<Value = HealthCheck> {
    let request = ("(/[a-z?=&]{0,5})?", "([a-z<>&\"]{1,5})?").prop_map(|(path, search)| HttpRequest {
        resource_path: Some(path).filter(|path| !path.is_empty()),
        search_string: Some(search).filter(|search| !search.is_empty()),
        ..HttpRequest::default()
    });
    let protocol = prop_oneof![
        Just(EndpointProtocol::Tcp),
        request.clone().prop_map(EndpointProtocol::Http),
        (request, any::<bool>()).prop_map(|(request, enable_sni)| EndpointProtocol::Https {
            request,
            enable_sni,
            verify_certificate: false
        }),
    ];
    let regions = prop_oneof![Just(Vec::new()), prop::sample::subsequence(CHECKER_REGIONS.to_vec(), 3..=8)];
    let endpoint = (protocol, any::<[bool; 2]>(), 1..=10u8, prop::sample::select(vec![10, 30]), 1..9999u16, regions);
    let endpoint = endpoint.prop_map(|(protocol, [is_named, measure_latency], threshold, interval, port, regions)| {
        let ip_address = std::net::IpAddr::from([192, 0, 2, 1]);
        HealthCheckKind::Endpoint(EndpointCheck {
            protocol,
            target: match is_named {
                true => EndpointTarget::Domain("web.lab.test".to_owned()),
                false => EndpointTarget::Address { ip_address, fully_qualified_domain_name: None },
            },
            port,
            request_interval: std::time::Duration::from_secs(interval),
            failure_threshold: threshold,
            recovery_threshold: threshold,
            measure_latency,
            address_family: AddressFamily::Ipv4,
            timeouts: Timeouts::default(),
            regions: regions.iter().filter_map(|name| Region::from_name(name)).collect(),
        })
    });
    let tags = prop::collection::btree_map("[a-c]{1,2}", "[a-c ]{0,2}", 0..3);
    (endpoint, any::<[bool; 2]>(), tags, 1..9u64).prop_map(move |(kind, [inverted, disabled], tags, version)| {
        HealthCheck {
            id: check_id(number),
            name: format!("check {number}"),
            caller_reference: Some(format!("check {number}")),
            version,
            tags,
            inverted,
            disabled,
            agreement: None,
            kind,
        }
    })
}

/// A zone, checks and a collection with all that Route 53 has.
fn any_inventory() -> impl Strategy<Value = Inventory> {
    let groups = (any_group(0), any_group(1), any_group(2));
    let checks = (any_check(0), any_check(1), any_check(2));
    let tags = prop::collection::btree_map("[a-c]{1,2}", "[a-c ]{0,2}", 0..3);
    let details =
        (prop::option::of("[ -~]{1,20}"), prop::option::of("[!-~]{1,20}"), tags, any::<bool>(), any::<bool>());
    (any_zone(), groups, checks, details).prop_map(|(mut zone, groups, checks, details)| {
        let (comment, caller_reference, tags, is_private, evaluate_target_health) = details;
        let alias = ResourceRecordSet {
            name: name("alias.policies.lab.test"),
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: Content::Alias(AliasTarget {
                name: name("p0.policies.lab.test"),
                hosted_zone: None,
                evaluate_target_health,
            }),
            ..member(0, 0, RoutingPolicy::Simple, None)
        };
        zone.record_sets.extend([groups.0, groups.1, groups.2].concat().into_iter().map(Arc::new));
        zone.record_sets.push(Arc::new(alias));
        zone.id = HostedZoneId("Z0123ABC".to_owned());
        zone.comment = comment;
        zone.caller_reference = caller_reference;
        zone.tags = tags;
        if is_private {
            let vpc = |text: &str| VpcId(text.to_owned());
            zone.vpcs = vec![vpc("vpc-0123abcd"), vpc("vpc-89abcdef")];
            zone.vpc_regions = vec![(vpc("vpc-0123abcd"), Region::from_name("eu-west-1").unwrap())];
        }
        let calculated = HealthCheck {
            id: check_id(3),
            name: "all".to_owned(),
            caller_reference: Some("all".to_owned()),
            kind: HealthCheckKind::Calculated(CalculatedCheck {
                child_health_checks: vec![check_id(0), check_id(1)],
                health_threshold: 2,
            }),
            ..checks.0.clone()
        };
        Inventory {
            zones: vec![zone],
            health_checks: vec![checks.0, checks.1, checks.2, calculated],
            cidr_collections: vec![collection()],
            ..Inventory::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// TOML → JSON → TOML: the same model.
    #[test]
    fn what_route_53_has_survives_its_json(mut inventory in any_inventory()) {
        let mut report = MigrationReport::default();
        let before = served(&toml_files(&mut inventory, &Settings::built_in().dns, &mut report));
        let model = Inventory {
            zones: before.zones.iter().map(|source| HostedZone::clone(&source.zone)).collect(),
            health_checks: before.health_checks.clone(),
            cidr_collections: before.cidr_collections.clone(),
            ..Inventory::default()
        };
        let files = json_files(&model, &mut report);
        prop_assert_eq!(report.len(), 0, "{}", report.render(Style::Plain));
        let files: Vec<(&str, &str)> = files.iter().map(|file| (&*file.name, &*file.text)).collect();
        let (after, report) = from_json(&files);
        prop_assert_eq!(report.len(), 0, "{}\n{:?}", report.render(Style::Plain), files);
        // Lists have an order of their own.
        let zones = |read: &Configuration| {
            let sorted = |zone: &HostedZone| {
                let mut sets = zone.record_sets.clone();
                sets.sort_by_key(|set| (set.name.clone(), set.record_type, set.set_identifier.clone()));
                zone.with_record_sets(sets)
            };
            read.zones.iter().map(|source| sorted(&source.zone)).collect::<Vec<_>>()
        };
        prop_assert_eq!(zones(&after), zones(&before));
        prop_assert_eq!(after.health_checks, before.health_checks);
        prop_assert_eq!(after.cidr_collections, before.cidr_collections);
    }
}

#[test]
fn a_master_file_says_what_it_cannot_say() {
    let (read, _) = from_json(&[(
        "records.json",
        r#"{"ResourceRecordSets": [
          {"Name": "lab.test.", "Type": "SOA", "TTL": 900, "ResourceRecords": [{"Value": "ns1.lab.test. h.lab.test. 1 2 3 4 5"}]},
          {"Name": "app.lab.test.", "Type": "A", "SetIdentifier": "blue", "Failover": "PRIMARY", "TTL": 10,
           "ResourceRecords": [{"Value": "192.0.2.1"}], "HealthCheckId": "7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11"},
          {"Name": "app.lab.test.", "Type": "A", "SetIdentifier": "green", "Failover": "SECONDARY", "TTL": 10,
           "ResourceRecords": [{"Value": "192.0.2.2"}]},
          {"Name": "lab.test.", "Type": "A", "AliasTarget":
           {"HostedZoneId": "Z1", "DNSName": "app.lab.test.", "EvaluateTargetHealth": true}},
          {"Name": "c.lab.test.", "Type": "CNAME", "SetIdentifier": "a", "Weight": 1, "TTL": 60, "ResourceRecords": [{"Value": "a.test."}]},
          {"Name": "c.lab.test.", "Type": "CNAME", "SetIdentifier": "b", "Weight": 9, "TTL": 60, "ResourceRecords": [{"Value": "b.test."}]},
          {"Name": "c.lab.test.", "Type": "CNAME", "SetIdentifier": "c", "Weight": 0, "TTL": 60, "ResourceRecords": [{"Value": "c.test."}]}
        ]}"#,
    )]);
    let mut report = MigrationReport::default();
    let text = bind_text(&read.zones[0].zone, &[], &mut report);
    let expected = "\
; app.lab.test. A: failover; the records of the primary
;   primary, \"blue\", health check 7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11: 10 192.0.2.1
;   not here: secondary, \"green\": 10 192.0.2.2
app 10 IN A 192.0.2.1

; lab.test. A: the records of the alias target
;   simple: alias of app.lab.test.
@ 10 IN A 192.0.2.1

; c.lab.test. CNAME: weighted; the records of all members with a weight, as equals
;   weight 1, \"a\": 60 a.test.
;   weight 9, \"b\": 60 b.test.
;   not here: weight 0, \"c\": 60 c.test.
c 60 IN CNAME b.test.
";
    assert!(text.contains(expected), "{text}");
    assert!(text.starts_with("$ORIGIN lab.test.\n@ 900 IN SOA ns1.lab.test. h.lab.test. 1 2 3 4 5\n@ "), "{text}");
    let found = lines_of(&report);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("app.lab.test. A: a master file has no routing policies"), "{found:?}");
}
