//! What plans say about small zones.

use std::path::Path;

use super::*;
use crate::health::{Timestamp, Tracker};
use crate::load::{Loaded, Scope, differences, load_offline};
use crate::store::{Overrides, SettingsSource};

const SETTINGS: &str = "[[location.network]]\ncidr = '192.0.2.0/25'\ncountry = 'DE'\n[[location.network]]\ncidr = \
                        '198.51.100.0/24'\ncountry = 'US'\n";

const ZONE: &str = "name = 'lab.test'
[[record]]
name = 'www'
type = 'A'
ttl = 60
values = ['192.0.2.1']
[[record]]
name = '@'
type = 'A'
alias = { target = 'www', evaluate_target_health = false }
[[record]]
name = 'cname'
type = 'CNAME'
ttl = 60
values = ['www.lab.test.']
[[record]]
name = '*.wild'
type = 'A'
ttl = 60
values = ['192.0.2.3']
[[record]]
name = 'geo'
type = 'A'
set_identifier = 'de'
geolocation = { country = 'DE' }
ttl = 60
values = ['192.0.2.4']
[[record]]
name = 'geo'
type = 'A'
set_identifier = 'rest'
geolocation = { country = '*' }
ttl = 60
values = ['192.0.2.5']
";

fn load(directory: &Path, zone: &str) -> Loaded {
    let zones = directory.join("zones");
    std::fs::create_dir_all(&zones).unwrap();
    std::fs::write(zones.join("lab.test.toml"), zone).unwrap();
    std::fs::write(directory.join("fiftythree.toml"), format!("[zones]\ndirectory = 'zones'\n{SETTINGS}")).unwrap();
    let settings = SettingsSource { file: Some(directory.join("fiftythree.toml")), overrides: Overrides::default() };
    load_offline(&settings, &[], Scope::Everything).unwrap_or_else(|refused| panic!("{refused}"))
}

fn world(loaded: &Loaded) -> World {
    let mut tracker = Tracker::new();
    tracker.apply(&loaded.base.checks, Timestamp::default());
    World::new(loaded.catalog.clone(), &tracker.bits(), loaded.base.geo_lookup.clone())
}

/// The plan for a zone in the place of [`ZONE`].
fn plan(zone: &str) -> Plan {
    plan_between(ZONE, zone)
}

/// The plan for one text of a zone in the place of another.
fn plan_between(before: &str, after: &str) -> Plan {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (old, new) = (load(directories[0].path(), before), load(directories[1].path(), after));
    let changes = differences(&old.base, &new.base);
    let worlds = [world(&old), world(&new)];
    let clients = KnownClients::of(&new.base.settings, new.base.cidr_collections());
    let before = Side { config: &old.base, world: &worlds[0] };
    let after = Side { config: &new.base, world: &worlds[1] };
    Plan::of(before, after, &changes, &clients.population(), 100_000).unwrap()
}

/// What differs between two texts of a file, without what clients get.
fn changes_between(before: &str, after: &str) -> Vec<ObjectChange> {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (old, new) = (load(directories[0].path(), before), load(directories[1].path(), after));
    let changes = differences(&old.base, &new.base);
    changes.into_iter().filter(|change| !change.parts.is_empty()).collect()
}

fn answers(plan: &Plan) -> Vec<String> {
    let of = |shares: &[RecordShare]| {
        let of = |share: &RecordShare| format!("{} {}", share.values.join(","), share.percent);
        shares.iter().map(of).collect::<Vec<_>>().join("; ")
    };
    let lines = plan.answers.iter().flat_map(|answers| {
        let line = move |one: &ClientAnswers| {
            let places = if one.is_everywhere { "all".to_owned() } else { one.places.join(", ") };
            format!("{} {} {places}: {} → {}", answers.name, answers.record_type, of(&one.before), of(&one.after))
        };
        answers.clients.iter().map(line)
    });
    lines.collect()
}

#[test]
fn the_same_zone_is_nothing_to_do() {
    let plan = plan(ZONE);
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(plan.answers, []);
}

#[test]
fn names_that_lead_to_a_changed_record_set_change_too() {
    let plan = plan(&ZONE.replace("192.0.2.1'", "192.0.2.9'").replace("192.0.2.3", "192.0.2.8"));
    let parts: Vec<_> = plan.changes[0].parts.iter().map(|part| (&*part.change, &*part.what)).collect();
    assert_eq!(parts, [("changed", "www.lab.test. A"), ("changed", "\\052.wild.lab.test. A")]);
    let mut answers = answers(&plan);
    answers.sort();
    assert_eq!(
        answers,
        [
            "\\052.wild.lab.test. A all: 192.0.2.3 100 → 192.0.2.8 100",
            "cname.lab.test. A all: 192.0.2.1 100 → 192.0.2.9 100",
            "lab.test. A all: 192.0.2.1 100 → 192.0.2.9 100",
            "www.lab.test. A all: 192.0.2.1 100 → 192.0.2.9 100",
        ]
    );
}

#[test]
fn only_the_clients_that_get_something_else_are_listed() {
    let plan = plan(&ZONE.replace("192.0.2.4", "192.0.2.7"));
    assert_eq!(answers(&plan), ["geo.lab.test. A 192.0.2.0/25 (DE): 192.0.2.4 100 → 192.0.2.7 100"]);
    assert_eq!(plan.places, ["192.0.2.0/25 (DE)", "198.51.100.0/24 (US)", "other clients"]);
}

/// Each client has the same random number before and after.
#[test]
fn another_weight_changes_the_shares_of_all_clients() {
    let member = |identifier: &str, weight: u8, address: &str| {
        format!(
            "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{identifier}'\nweight = {weight}\nttl = 60\n\
             values = ['{address}']\n"
        )
    };
    let green = member("green", 1, "192.0.2.12");
    let zone = |blue: u8| format!("{ZONE}{}{green}", member("blue", blue, "192.0.2.11"));
    let plan = plan_between(&zone(1), &zone(3));
    assert_eq!(plan.changes[0].parts.len(), 1, "{plan:?}");
    let [PlannedAnswers { name, clients, .. }] = &plan.answers[..] else { panic!("{plan:?}") };
    let [ClientAnswers { is_everywhere: true, before, after, .. }] = &clients[..] else { panic!("{plan:?}") };
    assert_eq!(name, "app.lab.test.");
    for (shares, expected) in [(before, [("blue", 50.0), ("green", 50.0)]), (after, [("blue", 75.0), ("green", 25.0)])]
    {
        assert_eq!(shares.len(), 2, "{plan:?}");
        for (identifier, percent) in expected {
            let share = shares.iter().find(|share| share.set_identifier.as_deref() == Some(identifier)).unwrap();
            assert!((share.percent - percent).abs() < 4.0, "{plan:?}");
        }
    }
    // A weight of 0 gets no client while another has one.
    let plan = plan_between(&zone(1), &zone(0));
    let after = &plan.answers[0].clients[0].after;
    assert_eq!((after.len(), after[0].set_identifier.as_deref(), after[0].percent), (1, Some("green"), 100.0));
}

#[test]
fn a_change_that_no_client_sees_is_one() {
    let plan = plan(
        &ZONE.replace("name = 'lab.test'", "name = 'lab.test'\ncomment = 'new'").replacen("ttl = 60", "ttl = 30", 1),
    );
    assert_eq!(plan.changes[0].parts.len(), 2);
    assert_eq!(answers(&plan), [""; 0]);
    assert_eq!(plan.same_answers, ["lab.test. A", "www.lab.test. A", "cname.lab.test. A"]);
}

#[test]
fn records_that_are_gone_are_no_records() {
    let plan = plan(&ZONE.replace("name = '*.wild'", "name = '*.free'"));
    let mut answers = answers(&plan);
    answers.sort();
    assert_eq!(
        answers,
        ["\\052.free.lab.test. A all:  100 → 192.0.2.3 100", "\\052.wild.lab.test. A all: 192.0.2.3 100 →  100",]
    );
}

/// A file with everything that a zone file can have.
const EVERYTHING: &str = r#"
name = 'lab.test'
id = 'Z1'
comment = 'a comment'
vpcs = ['vpc-0123abcd', { id = 'vpc-1123abcd', region = 'eu-west-1' }]
caller_reference = 'zone-1'
tags = { Owner = 'dns' }
authorized_vpcs = [{ id = 'vpc-2123abcd', region = 'eu-west-2' }]
delegation_set = 'N1'
query_logging = { id = '11111111-1111-4111-8111-111111111111', log_group = 'arn:aws:logs:us-east-1:1:log-group:a:*' }
accelerated_recovery = false
traffic_policy_instances = [{ id = '22222222-2222-4222-8222-222222222222', name = 'tp', type = 'A', ttl = 61, policy = '33333333-3333-4333-8333-333333333333', version = 1 }]
protections = [{ name = 'www', type = 'A', comment = 'why' }]
[[record]]
name = 'www'
type = 'A'
ttl = 60
values = ['192.0.2.1']
[[record]]
name = 'w'
type = 'A'
set_identifier = 'one'
weight = 1
ttl = 60
values = ['192.0.2.2']
health_check = 'web'
[[record]]
name = 'lat'
type = 'A'
set_identifier = 'one'
region = 'eu-central-1'
ttl = 60
values = ['192.0.2.3']
[[record]]
name = 'fail'
type = 'A'
set_identifier = 'one'
failover = 'secondary'
ttl = 60
values = ['192.0.2.4']
[[record]]
name = 'geo'
type = 'A'
set_identifier = 'one'
geolocation = { country = 'DE' }
ttl = 60
values = ['192.0.2.5']
[[record]]
name = 'prox'
type = 'A'
set_identifier = 'one'
geoproximity = { region = 'eu-west-1', bias = 7 }
ttl = 60
values = ['192.0.2.6']
[[record]]
name = 'cidr'
type = 'A'
set_identifier = 'one'
cidr = { collection = 'homes', location = 'berlin' }
ttl = 60
values = ['192.0.2.7']
[[record]]
name = 'multi'
type = 'A'
set_identifier = 'one'
multivalue = true
ttl = 60
values = ['192.0.2.8']
[[record]]
name = 'alias'
type = 'A'
alias = { target = 'www', evaluate_target_health = false }
[[record]]
name = 'elb'
type = 'A'
alias = { hosted_zone_id = 'Z215JYRZR1TBD5', target = 'my-lb-1.eu-central-1.elb.amazonaws.com', evaluate_target_health = false }
[[record_group]]
name = 'w'
type = 'A'
when_all_unhealthy = 'none'
failback_delay = 11
slow_start = 12
[[health_check]]
name = 'web'
id = '44444444-4444-4444-8444-444444444444'
type = 'https'
caller_reference = 'check-1'
version = 3
tags = { Team = 'web' }
ip_address = '192.0.2.10'
fqdn = 'www.lab.test'
port = 8443
resource_path = '/health'
search_string = 'fine'
request_interval = 31
failure_threshold = 4
recovery_threshold = 5
agreement = 'majority'
enable_sni = false
measure_latency = true
expected_status = ['200-299']
request_headers = { Authorization = 'Bearer A', X-Lab = 'one' }
connect_timeout = 3
response_timeout = 4
body_timeout = 5
verify_certificate = true
regions = ['us-east-1', 'eu-west-1', 'us-west-2']
inverted = false
disabled = false
[[health_check]]
name = 'family'
type = 'http'
fqdn = 'x.lab.test'
address_family = 'ipv4'
[[health_check]]
name = 'tcp'
type = 'tcp'
ip_address = '192.0.2.11'
port = 25
[[health_check]]
name = 'all'
type = 'calculated'
child_health_checks = ['web']
health_threshold = 1
[[health_check]]
name = 'metric'
type = 'metric'
prometheus = 'http://192.0.2.12:9090'
query = 'up'
comparison = 'less_than_threshold'
threshold = 1
period = 62
evaluation_periods = 2
insufficient_data_health_status = 'healthy'
alarm = { region = 'us-east-1', name = 'up' }
[[health_check]]
name = 'manual'
type = 'manual'
status = 'healthy'
routing_control_arn = 'arn:lab'
[[cidr_collection]]
name = 'homes'
id = '55555555-5555-4555-8555-555555555555'
caller_reference = 'homes-1'
version = 2
locations = { berlin = ['10.53.1.0/24'] }
[[reusable_delegation_set]]
id = 'N1'
caller_reference = 'set-1'
hosted_zone = 'Z9'
name_servers = ['ns1.servers.test']
[[traffic_policy]]
id = '33333333-3333-4333-8333-333333333333'
name = 'policy'
versions = [{ number = 1, comment = 'first', document = '{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"A","StartEndpoint":"one","Endpoints":{"one":{"Type":"value","Value":"192.0.2.13"}}}' }]
[[alias_target]]
name = 'balancer'
target = 'my-lb-1.eu-central-1.elb.amazonaws.com'
hosted_zone_id = 'Z215JYRZR1TBD5'
addresses = ['192.0.2.77']
ttl = 63
health_check = 'manual'
[[alias_target]]
name = 'other'
target = '*.other.test'
service = 'network_load_balancer'
addresses_of = 'www.lab.test'
"#;

/// One edit of each member of [`EVERYTHING`].
const EDITS: &[(&str, &str)] = &[
    ("id = 'Z1'", "id = 'Z2'"),
    ("name = 'lab.test'", "name = 'lab2.test'"),
    ("comment = 'a comment'", "comment = 'another'"),
    ("vpcs = ['vpc-0123abcd', ", "vpcs = ['vpc-9123abcd', "),
    ("region = 'eu-west-1' }]", "region = 'eu-west-3' }]"),
    ("'zone-1'", "'zone-2'"),
    ("Owner = 'dns'", "Owner = 'lab'"),
    ("id = 'vpc-2123abcd'", "id = 'vpc-3123abcd'"),
    ("region = 'eu-west-2'", "region = 'eu-west-3'"),
    ("delegation_set = 'N1'\n", ""),
    ("11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-111111111112"),
    ("log-group:a", "log-group:b"),
    ("accelerated_recovery = false", "accelerated_recovery = true"),
    ("22222222-2222-4222-8222-222222222222", "22222222-2222-4222-8222-222222222223"),
    ("name = 'tp'", "name = 'tp2'"),
    ("ttl = 61", "ttl = 64"),
    ("comment = 'why'", "comment = 'because'"),
    ("192.0.2.1'", "192.0.2.200'"),
    ("type = 'A'\nttl = 60\nvalues = ['192.0.2.1']", "type = 'A'\nttl = 65\nvalues = ['192.0.2.1']"),
    ("set_identifier = 'one'\nweight", "set_identifier = 'two'\nweight"),
    ("weight = 1", "weight = 2"),
    ("health_check = 'web'", "health_check = 'tcp'"),
    ("region = 'eu-central-1'", "region = 'eu-central-2'"),
    ("failover = 'secondary'", "failover = 'primary'\nhealth_check = 'web'"),
    ("country = 'DE'", "country = 'FR'"),
    ("bias = 7", "bias = 8"),
    ("location = 'berlin' }", "location = '*' }"),
    ("multivalue = true", "weight = 1"),
    (
        "alias = { target = 'www', evaluate_target_health = false",
        "alias = { target = 'www', evaluate_target_health = true",
    ),
    ("when_all_unhealthy = 'none'", "when_all_unhealthy = 'last_healthy'"),
    ("failback_delay = 11", "failback_delay = 13"),
    ("slow_start = 12", "slow_start = 14"),
    ("44444444-4444-4444-8444-444444444444", "44444444-4444-4444-8444-444444444445"),
    ("'check-1'", "'check-2'"),
    ("version = 3", "version = 4"),
    ("Team = 'web'", "Team = 'mail'"),
    ("192.0.2.10'", "192.0.2.201'"),
    ("fqdn = 'www.lab.test'", "fqdn = 'www2.lab.test'"),
    ("port = 8443", "port = 8444"),
    ("'/health'", "'/healthy'"),
    ("'fine'", "'good'"),
    ("request_interval = 31", "request_interval = 32"),
    ("failure_threshold = 4", "failure_threshold = 6"),
    ("recovery_threshold = 5", "recovery_threshold = 6"),
    ("agreement = 'majority'", "agreement = 'all'"),
    ("enable_sni = false", "enable_sni = true"),
    ("measure_latency = true", "measure_latency = false"),
    ("'200-299'", "'200-298'"),
    ("'Bearer A'", "'Bearer B'"),
    ("X-Lab = 'one'", "X-Lab = 'two'"),
    ("X-Lab = 'one'", "X-Lab2 = 'one'"),
    ("connect_timeout = 3", "connect_timeout = 2"),
    ("response_timeout = 4", "response_timeout = 3"),
    ("body_timeout = 5", "body_timeout = 6"),
    ("verify_certificate = true", "verify_certificate = false"),
    ("'us-west-2']", "'us-west-1']"),
    ("inverted = false", "inverted = true"),
    ("disabled = false", "disabled = true"),
    ("disabled = false", "deleted = true"),
    ("address_family = 'ipv4'", "address_family = 'ipv6'"),
    ("name = 'tcp'\ntype = 'tcp'", "name = 'tcp2'\ntype = 'tcp'"),
    ("child_health_checks = ['web']", "child_health_checks = ['tcp']"),
    ("health_threshold = 1", "health_threshold = 0"),
    ("192.0.2.12:9090", "192.0.2.12:9091"),
    ("query = 'up'", "query = 'down'"),
    ("less_than_threshold", "greater_than_threshold"),
    ("\nthreshold = 1", "\nthreshold = 2"),
    ("period = 62", "period = 65"),
    ("evaluation_periods = 2", "evaluation_periods = 3"),
    ("insufficient_data_health_status = 'healthy'", "insufficient_data_health_status = 'unhealthy'"),
    ("region = 'us-east-1', name = 'up'", "region = 'us-east-1', name = 'on'"),
    ("region = 'us-east-1', name = 'up'", "region = 'us-east-2', name = 'up'"),
    ("status = 'healthy'\nrouting", "status = 'unhealthy'\nrouting"),
    ("'arn:lab'", "'arn:lab2'"),
    ("55555555-5555-4555-8555-555555555555", "55555555-5555-4555-8555-555555555556"),
    ("'homes-1'", "'homes-2'"),
    ("version = 2", "version = 3"),
    ("10.53.1.0/24", "10.53.2.0/24"),
    ("'set-1'", "'set-2'"),
    ("hosted_zone = 'Z9'", "hosted_zone = 'Z8'"),
    ("ns1.servers.test", "ns2.servers.test"),
    ("name = 'policy'", "name = 'policy2'"),
    ("comment = 'first'", "comment = 'second'"),
    ("192.0.2.13", "192.0.2.14"),
    ("name = 'balancer'", "name = 'balancer2'"),
    (
        "target = 'my-lb-1.eu-central-1.elb.amazonaws.com'\nhosted",
        "target = 'my-lb-2.eu-central-1.elb.amazonaws.com'\nhosted",
    ),
    ("\nhosted_zone_id = 'Z215JYRZR1TBD5'", ""),
    ("192.0.2.77", "192.0.2.78"),
    ("ttl = 63", "ttl = 66"),
    ("health_check = 'manual'\n", ""),
    ("*.other.test", "*.other2.test"),
    ("'network_load_balancer'", "'classic_load_balancer'"),
    ("addresses_of = 'www.lab.test'", "addresses_of = 'w.lab.test'"),
];

/// What a plan does not show would be made without anybody knowing.
#[test]
fn every_member_of_a_zone_file_is_in_a_plan() {
    for (from, to) in EDITS {
        let edited = EVERYTHING.replacen(from, to, 1);
        assert_ne!(edited, EVERYTHING, "{from}");
        let changes = changes_between(EVERYTHING, &edited);
        assert!(!changes.is_empty(), "{from} → {to}");
        let shown = format!("{changes:?}");
        assert!(!shown.contains("Bearer"), "{shown}");
    }
    // Every table can be removed, and is added by the opposite edit.
    let tables: Vec<&str> = EVERYTHING.split("[[").collect();
    for at in 1..tables.len() {
        let is_used = ["'web'", "'homes'", "'policy'", "id = 'N1'", "'www'", "'w'", "'manual'"];
        if is_used.iter().any(|name| tables[at].contains(&format!("name = {name}")) || tables[at].contains("id = 'N1'"))
        {
            continue;
        }
        let without = [&tables[..at], &tables[at + 1..]].concat().join("[[");
        assert!(!changes_between(EVERYTHING, &without).is_empty(), "{}", tables[at]);
        assert!(!changes_between(&without, EVERYTHING).is_empty(), "{}", tables[at]);
    }
    assert!(changes_between(EVERYTHING, EVERYTHING).is_empty());
}

#[test]
fn an_alias_target_changes_the_answers_of_its_aliases() {
    let zone = "name = 'lab.test'\n[[record]]\nname = 'elb'\ntype = 'A'\nalias = { hosted_zone_id = 'Z215JYRZR1TBD5', target \
                = 'my-lb-1.eu-central-1.elb.amazonaws.com', evaluate_target_health = false }\n[[alias_target]]\nname = \
                'lb'\ntarget = 'my-lb-1.eu-central-1.elb.amazonaws.com'\naddresses = ['192.0.2.77']\n";
    let (before, _) = zone.split_once("[[alias_target]]").unwrap();
    for (edited, expected) in [(zone.replace(".77", ".78"), "192.0.2.78 100"), (before.to_owned(), " 100")] {
        let plan = plan_between(zone, &edited);
        assert_eq!(plan.changes.iter().map(|change| &*change.kind).collect::<Vec<_>>(), ["alias_target"], "{plan:?}");
        assert_eq!(answers(&plan), [format!("elb.lab.test. A all: 192.0.2.77 100 → {expected}")]);
    }
}

#[test]
fn a_changed_secret_is_a_change_that_shows_no_secret() {
    let check = "[[health_check]]\nname = 'web'\ntype = 'http'\nip_address = '192.0.2.1'\nport = 80\nrequest_headers = { \
                 Authorization = 'Bearer A', X-Lab = 'one' }\n";
    let text = |plan: &Plan, before: bool| {
        let part = &plan.changes[0].parts[0];
        if before { part.before.clone() } else { part.after.clone() }.unwrap()
    };
    let zone = format!("{ZONE}{check}");
    let plan = plan_between(&zone, &zone.replace("Bearer A", "Bearer B"));
    assert!(!text(&plan, true).contains('#'), "{plan:?}");
    assert!(text(&plan, false).contains("} # a secret value changed\n"), "{plan:?}");
    let plan = plan_between(&zone, &zone.replace("port = 80", "port = 81"));
    assert!(!text(&plan, false).contains('#'), "{plan:?}");
}
