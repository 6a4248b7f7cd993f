//! Valid zone files and the configuration they give.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::model::{
    AddressFamily, AlarmIdentifier, CidrCollectionId, ComparisonOperator, Content, Coordinates, Country, EndpointCheck,
    EndpointProtocol, EndpointTarget, FailoverRole, GeoLocation, GeoproximityLocation, HealthCheckKind,
    InsufficientDataHealthStatus, ManualCheck, MetricCheck, Name, RecordType, Region, ResourceRecordSet,
    RoutingControlState, RoutingPolicy, StatusRange, Timeouts, VpcId,
};

fn read_with(settings: &str, text: &str) -> Configuration {
    let settings = SourceFile::new(PathBuf::from("config/fiftythree.toml"), settings);
    let (settings, diagnostics) = Settings::read(&settings);
    assert_eq!(diagnostics, []);
    let source = SourceFile::new(PathBuf::from("zones/lab.test.toml"), text);
    let reading = read_zones(&[source], &settings.unwrap());
    let errors: Vec<&Diagnostic> = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    reading.configuration
}

fn read(text: &str) -> Configuration {
    read_with("[dns]\nlisten = [\"127.0.0.1:5300\"]", text)
}

/// The sets of one name and type.
fn sets<'c>(configuration: &'c Configuration, name: &str, record_type: RecordType) -> Vec<&'c ResourceRecordSet> {
    let name = Name::parse(name).unwrap();
    let all = &configuration.zones[0].zone.record_sets;
    all.iter().map(|set| &**set).filter(|set| set.name == name && set.record_type == record_type).collect()
}

/// The default addresses of a name of the zone.
fn addresses(configuration: &Configuration, name: &str) -> Vec<(u32, Vec<String>)> {
    let name = Name::parse(name).unwrap();
    configuration.zones[0].zone.default_addresses.iter().filter(|set| set.name == name).map(values).collect()
}

fn values(set: &ResourceRecordSet) -> (u32, Vec<String>) {
    let Content::Records { ttl, values } = &set.content else { panic!("an alias") };
    (*ttl, values.iter().map(ToString::to_string).collect())
}

fn record(rest: &str) -> ResourceRecordSet {
    let text = format!("name = \"lab.test\"\n[[record]]\n{rest}");
    read(&text).zones[0].zone.record_sets[0].as_ref().clone()
}

fn policy(rest: &str) -> RoutingPolicy {
    let head = "name = \"a\"\ntype = \"A\"\nset_identifier = \"one\"\nttl = 60\nvalues = [\"192.0.2.1\"]";
    record(&format!("{head}\n{rest}")).routing_policy
}

fn endpoint(rest: &str) -> EndpointCheck {
    let check = read(&format!("[[health_check]]\nname = \"blue\"\n{rest}")).health_checks[0].clone();
    let HealthCheckKind::Endpoint(endpoint) = check.kind else { panic!("no endpoint check") };
    endpoint
}

#[test]
fn members_that_only_the_api_shows() {
    let settings = "[dns]\nlisten = [\"127.0.0.1:5300\"]\n[[vpc]]\nname = \"lab\"\nid = \"vpc-lab1\"\nregion = \
                    \"eu-central-1\"\ncidrs = [\"10.53.0.0/16\"]\n[[vpc]]\nid = \"vpc-lab2\"\nregion = \"eu-west-1\"\ncidrs = \
                    [\"10.54.0.0/16\"]";
    let text = r#"
        name = "lab.test"
        caller_reference = "2026-03-01 ü"
        tags = { Owner = "dns", "cost center" = "" }
        vpcs = ["lab", { id = "vpc-lab2", region = "eu-west-1" }]
        [[health_check]]
        name = "switch"
        type = "manual"
        status = "healthy"
        caller_reference = "one"
        version = 3
        tags.Name = "The switch"
        [[cidr_collection]]
        name = "offices"
        caller_reference = "two"
        version = 4
        locations = { berlin = ["10.53.1.0/24"] }
        [[reusable_delegation_set]]
        id = "N1"
        caller_reference = "three"
        name_servers = ["ns1.lab.test"]
    "#;
    let configuration = read_with(settings, text);
    let Configuration { zones, health_checks, cidr_collections, delegation_sets, traffic_policies } = configuration;
    assert!(traffic_policies.is_empty());
    assert_eq!((&*delegation_sets[0].id.0, delegation_sets[0].name_servers.len()), ("N1", 1));
    let zone = &zones[0].zone;
    let tags: Vec<_> = zone.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        (zone.caller_reference.as_deref(), tags),
        (Some("2026-03-01 ü"), vec![("Owner", "dns"), ("cost center", "")])
    );
    let vpcs = ["vpc-lab1", "vpc-lab2"].map(|id| VpcId(id.to_owned()));
    assert_eq!(zone.vpcs, vpcs);
    assert_eq!(zone.vpc_regions, [(vpcs[1].clone(), Region::from_name("eu-west-1").unwrap())]);
    let check = &health_checks[0];
    assert_eq!((check.caller_reference.as_deref(), check.version), (Some("one"), 3));
    assert_eq!(check.tags, [("Name".to_owned(), "The switch".to_owned())].into());
    assert_eq!((cidr_collections[0].caller_reference.as_deref(), cidr_collections[0].version), (Some("two"), 4));
    let plain = read("name = \"lab.test\"\n[[health_check]]\nname = \"a\"\ntype = \"manual\"\nstatus = \"healthy\"\n");
    assert_eq!((plain.health_checks[0].version, plain.zones[0].zone.tags.len()), (1, 0));
}

#[test]
fn every_policy_is_the_key_that_is_present() {
    assert_eq!(policy("weight = 0"), RoutingPolicy::Weighted { weight: 0 });
    let region = Region::from_name("eu-central-1").unwrap();
    assert_eq!(policy("region = \"eu-central-1\""), RoutingPolicy::Latency { region });
    assert_eq!(policy("failover = \"secondary\""), RoutingPolicy::Failover { role: FailoverRole::Secondary });
    assert_eq!(policy("multivalue = true"), RoutingPolicy::MultivalueAnswer);
    let germany = GeoLocation::Country(Country::from_code("DE").unwrap());
    assert_eq!(policy("geolocation = { country = \"DE\" }"), RoutingPolicy::Geolocation { location: germany });
    let location = GeoLocation::Default;
    assert_eq!(policy("geolocation = { country = \"*\" }"), RoutingPolicy::Geolocation { location });
    let location = GeoproximityLocation::Coordinates(Coordinates { latitude: 52.52, longitude: -13.0 });
    let written = "geoproximity = { bias = -99, coordinates = { latitude = 52.52, longitude = -13 } }";
    assert_eq!(policy(written), RoutingPolicy::Geoproximity { location, bias: -99 });
}

fn tcp_checks(count: usize) -> String {
    let check = |number| {
        let id = format!("00000000-0000-0000-0000-{number:012}");
        format!(
            "[[health_check]]\nname = \"c{number}\"\nid = \"{id}\"\ntype = \"tcp\"\nip_address = \"::1\"\nport = 1\n"
        )
    };
    (0..count).map(check).collect()
}

fn calculated(children: &[String], threshold: u16) -> String {
    let head = "[[health_check]]\nname = \"site\"\ntype = \"calculated\"\n";
    format!("{head}child_health_checks = {children:?}\nhealth_threshold = {threshold}\n")
}

#[test]
fn a_calculated_check_refers_by_name_or_id() {
    let children = ["c1".to_owned(), "00000000-0000-0000-0000-000000000000".to_owned()];
    // The children may be defined after it.
    let checks = read(&(calculated(&children, 1) + &tcp_checks(2))).health_checks;
    let HealthCheckKind::Calculated(calculated) = &checks[0].kind else { panic!("{checks:?}") };
    assert_eq!(calculated.child_health_checks, [checks[2].id.clone(), checks[1].id.clone()]);
    assert_eq!(calculated.health_threshold, 1);
}

#[test]
fn a_calculated_check_has_at_most_256_children() {
    for (count, is_sound) in [(256, true), (257, false)] {
        let children: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
        let text = tcp_checks(count) + &calculated(&children, 256);
        let source = SourceFile::new(PathBuf::from("checks.toml"), text);
        let reading = read_zones(&[source], &Settings::built_in());
        assert_eq!(reading.is_sound(), is_sound, "{:?}", reading.diagnostics);
    }
}

#[test]
fn an_endpoint_may_have_deadlines_statuses_and_headers_of_its_own() {
    let check = endpoint(
        "type = \"https\"\nfqdn = \"app.lab.test\"\nexpected_status = [\"200-299\", 404, \"418\"]\nverify_certificate = true\n\
         request_headers = { Authorization = \"Bearer a b\", X-Lab = \"1\" }\naddress_family = \"ipv6\"\n\
         connect_timeout = \"500ms\"\nresponse_timeout = 60\n",
    );
    let EndpointProtocol::Https { request, verify_certificate: true, .. } = &check.protocol else {
        panic!("{check:?}")
    };
    let ranges = [(200, 299), (404, 404), (418, 418)].map(|(first, last)| StatusRange { first, last });
    assert_eq!(request.expected_status, ranges);
    let good: Vec<u16> =
        [199, 200, 299, 300, 404, 405, 418].into_iter().filter(|status| request.expects(*status)).collect();
    assert_eq!(good, [200, 299, 404, 418]);
    let header = |name: &str, value: &str| (name.to_owned(), value.into());
    assert_eq!(request.request_headers, [header("Authorization", "Bearer a b"), header("X-Lab", "1")]);
    assert_eq!(check.address_family, AddressFamily::Ipv6);
    let (connect, response) = (Some(Duration::from_millis(500)), Some(Duration::from_secs(60)));
    assert_eq!(check.timeouts, Timeouts { connect, response, body: None });
    // All of that is off by default.
    let plain = endpoint("type = \"http\"\nfqdn = \"app.lab.test\"\n");
    let EndpointProtocol::Http(request) = &plain.protocol else { panic!("{plain:?}") };
    assert_eq!((&request.expected_status, &request.request_headers), (&vec![], &vec![]));
    assert!(request.expects(302) && !request.expects(404));
    assert_eq!((plain.timeouts, plain.address_family), (Timeouts::default(), AddressFamily::Ipv4));
}

#[test]
fn a_metric_check_has_the_defaults_of_cloudwatch() {
    let metric = |rest: &str| {
        let head =
            "[[health_check]]\nname = \"errors\"\ntype = \"metric\"\nprometheus = \"http://[::1]:9090/prefix\"\n";
        let check = read(&format!("{head}query = 'rate(errors{{job=\"web\"}}[1m])'\n{rest}")).health_checks.remove(0);
        let HealthCheckKind::Metric(metric) = check.kind else { panic!("{check:?}") };
        metric
    };
    let expected = MetricCheck {
        prometheus: "http://[::1]:9090/prefix".into(),
        query: "rate(errors{job=\"web\"}[1m])".to_owned(),
        comparison: ComparisonOperator::GreaterThanThreshold,
        threshold: -1.5,
        period: Duration::from_secs(60),
        evaluation_periods: 1,
        insufficient_data_health_status: InsufficientDataHealthStatus::LastKnownStatus,
        alarm: None,
    };
    assert_eq!(metric("comparison = \"greater_than_threshold\"\nthreshold = -1.5"), expected);
    let rest = "comparison = \"less_than_or_equal_to_threshold\"\nthreshold = 3\nperiod = \"5m\"\nevaluation_periods = 100\n\
                insufficient_data_health_status = \"unhealthy\"";
    let expected = MetricCheck {
        comparison: ComparisonOperator::LessThanOrEqualToThreshold,
        threshold: 3.0,
        period: Duration::from_secs(300),
        evaluation_periods: 100,
        insufficient_data_health_status: InsufficientDataHealthStatus::Unhealthy,
        ..expected
    };
    assert_eq!(metric(rest), expected);
}

#[test]
fn an_absent_policy_is_simple_and_so_is_multivalue_false() {
    let head = "name = \"a\"\ntype = \"a\"\nttl = \"5m\"\nvalues = [\"192.0.2.1\"]\n";
    for rest in ["", "multivalue = false"] {
        let set = record(&format!("{head}{rest}"));
        assert_eq!((set.routing_policy, set.record_type), (RoutingPolicy::Simple, RecordType::A));
        assert!(matches!(set.content, Content::Records { ttl: 300, .. }));
    }
}

#[test]
fn a_collection_is_found_by_name_and_by_id() {
    let id = "11111111-2222-8333-8444-555555555555";
    for name in ["offices", id] {
        let written = format!(
            "cidr = {{ collection = \"{name}\", location = \"berlin\" }}\n[[cidr_collection]]\n\
             name = \"offices\"\nid = \"{id}\"\nlocations = {{ berlin = [\"10.53.1.0/24\"] }}"
        );
        let collection = CidrCollectionId(id.to_owned());
        assert_eq!(policy(&written), RoutingPolicy::IpBased { collection, location: Some("berlin".to_owned()) });
    }
}

#[test]
fn names_are_relative_absolute_or_the_apex() {
    for (written, name) in [
        ("www", "www.lab.test."),
        ("www.lab.test.", "www.lab.test."),
        ("WWW", "www.lab.test."),
        ("@", "lab.test."),
        ("*", r"\052.lab.test."),
        (r"\052.a", r"\052.a.lab.test."),
        (r"\100", r"\100.lab.test."),
        ("xlab.test", "xlab.test.lab.test."),
    ] {
        let set = record(&format!("name = '{written}'\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.1\"]"));
        assert_eq!(set.name.to_string(), name);
    }
}

#[test]
fn an_alias_may_name_its_zone_by_id() {
    let text = "name = \"lab.test\"\nid = \"ZLAB\"\n[[record]]\nname = \"@\"\ntype = \"A\"\n\
                alias = { target = \"www\", evaluate_target_health = true, hosted_zone_id = \"ZLAB\" }\n\
                [[record]]\nname = \"www\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.1\"]";
    let configuration = read(text);
    let Content::Alias(target) = &sets(&configuration, "lab.test", RecordType::A)[0].content else { panic!() };
    assert_eq!((target.name.to_string().as_str(), target.evaluate_target_health), ("www.lab.test.", true));
    assert_eq!(configuration.zones[0].zone.id.0, "ZLAB");
}

#[test]
fn a_silent_zone_gets_soa_ns_and_the_address_of_its_name_server() {
    let configuration = read("name = \"lab.test\"");
    let soa = values(sets(&configuration, "lab.test", RecordType::Soa)[0]);
    assert_eq!(soa, (900, vec!["ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400".to_owned()]));
    let ns = values(sets(&configuration, "lab.test", RecordType::Ns)[0]);
    assert_eq!(ns, (172_800, vec!["ns1.lab.test.".to_owned()]));
    assert_eq!(addresses(&configuration, "ns1.lab.test"), [(172_800, vec!["127.0.0.1".to_owned()])]);
    assert_eq!(configuration.zones[0].zone.record_sets.len(), 2);
}

#[test]
fn a_server_on_every_address_is_found_on_loopback() {
    let configuration = read_with("", "name = \"lab.test\"");
    let both = ["127.0.0.1", "::1"].map(|address| (172_800, vec![address.to_owned()]));
    assert_eq!(addresses(&configuration, "ns1.lab.test"), both);
}

#[test]
fn name_servers_of_the_settings_get_addresses_only_in_their_own_zone() {
    let settings = "[dns]\nname_servers = [{ name = \"ns1.lab.test.\", addresses = [\"192.0.2.53\"] }, { name = \"ns.example.org.\", addresses = [\"192.0.2.54\"] }]";
    let configuration = read_with(settings, "name = \"lab.test\"");
    let ns = values(sets(&configuration, "lab.test", RecordType::Ns)[0]).1;
    assert_eq!(ns, ["ns1.lab.test.", "ns.example.org."]);
    assert_eq!(configuration.zones[0].zone.default_addresses.len(), 1);
    assert_eq!(addresses(&configuration, "ns1.lab.test"), [(172_800, vec!["192.0.2.53".to_owned()])]);
    assert!(read_with(settings, "name = \"other.test\"").zones[0].zone.default_addresses.is_empty());
}

#[test]
fn what_a_zone_says_about_its_name_servers_is_used() {
    let ns = |server: &str| format!("[[record]]\nname = '@'\ntype = 'NS'\nttl = 60\nvalues = ['{server}']\n");
    let address = |name: &str| format!("[[record]]\nname = '{name}'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.99']\n");
    let zone = |records: &[String]| read_with("", &format!("name = 'lab.test'\n{}", records.concat()));
    let elsewhere = zone(&[ns("ns.example.org."), address("ns1")]);
    let soa = values(sets(&elsewhere, "lab.test", RecordType::Soa)[0]).1;
    assert!(soa[0].starts_with("ns.example.org. hostmaster.lab.test."));
    assert_eq!(elsewhere.zones[0].zone.record_sets.len(), 3);
    let has_defaults = |records: &[String]| !zone(records).zones[0].zone.default_addresses.is_empty();
    assert!(!has_defaults(&[ns("ns.example.org.")]), "another name server");
    assert!(!has_defaults(&[address("ns1")]), "all addresses, also those of IPv6, are the zone's own");
    assert!(has_defaults(&[address("*")]), "the default name server is no name of a wildcard");
    assert!(has_defaults(&[ns("ns1.lab.test.")]), "its name server is this server");
    assert!(!has_defaults(&[ns("ns1.lab.test."), address("*")]), "the wildcard has the address");
    let alias = "[[record]]\nname = 'www'\ntype = 'A'\nalias = { target = 'ns1', evaluate_target_health = false }\n";
    assert!(has_defaults(&[alias.to_owned()]), "an alias can target a default address");
}

#[test]
fn a_check_has_the_defaults_of_route_53() {
    let check = endpoint("type = \"http\"\nip_address = \"127.0.53.11\"");
    let EndpointProtocol::Http(request) = &check.protocol else { panic!() };
    assert_eq!((request.path(), &request.resource_path, &request.search_string), ("/", &None, &None));
    assert_eq!((check.port, check.request_interval), (80, Duration::from_secs(30)));
    assert_eq!((check.failure_threshold, check.recovery_threshold, check.measure_latency), (3, 3, false));
    let ip_address = IpAddr::V4(Ipv4Addr::new(127, 0, 53, 11));
    assert_eq!(check.target, EndpointTarget::Address { ip_address, fully_qualified_domain_name: None });
}

#[test]
fn https_speaks_the_name_unless_told_not_to() {
    let check = endpoint(
        "type = \"https\"\nfqdn = \"app.lab.test\"\nresource_path = \"health?full=1\"\nsearch_string = \"ok\"",
    );
    let EndpointProtocol::Https { request, enable_sni, .. } = &check.protocol else { panic!() };
    assert_eq!((request.path(), *enable_sni, check.port), ("/health?full=1", true, 443));
    assert_eq!(request.search_string.as_deref(), Some("ok"));
    assert_eq!(check.target, EndpointTarget::Domain("app.lab.test".to_owned()));
    let check = endpoint("type = \"https\"\nfqdn = \"app.lab.test\"\nenable_sni = false");
    assert!(matches!(check.protocol, EndpointProtocol::Https { enable_sni: false, .. }));
}

#[test]
fn what_only_the_api_uses_is_kept() {
    let check = endpoint(
        "type = \"tcp\"\nfqdn = \"a.lab.test\"\nport = 80\nregions = [\"us-east-1\", \"eu-west-1\", \"sa-east-1\"]",
    );
    assert_eq!(
        check.regions.iter().map(|region| region.name()).collect::<Vec<_>>(),
        ["us-east-1", "eu-west-1", "sa-east-1"]
    );
    let kind = |rest: &str| read(&format!("[[health_check]]\nname = \"a\"\n{rest}")).health_checks.remove(0).kind;
    let HealthCheckKind::Metric(metric) = kind(
        "type = \"metric\"\nprometheus = \"http://[::1]:9090\"\nquery = \"up\"\ncomparison = \"less_than_threshold\"\n\
         threshold = 1\nalarm = { region = \"eu-west-1\", name = \"errors\" }",
    ) else {
        panic!()
    };
    let alarm = AlarmIdentifier { region: "eu-west-1".to_owned(), name: "errors".to_owned() };
    assert_eq!(metric.alarm, Some(alarm));
    let HealthCheckKind::Manual(manual) =
        kind("type = \"manual\"\nstatus = \"healthy\"\nrouting_control_arn = \"arn:a\"")
    else {
        panic!()
    };
    assert_eq!(manual, ManualCheck { state: RoutingControlState::On, routing_control_arn: Some("arn:a".to_owned()) });
}

#[test]
fn recovery_follows_failure_unless_it_is_given() {
    let head = "type = \"tcp\"\nip_address = \"::1\"\nport = 5432\nrequest_interval = 1\nfailure_threshold = 5";
    assert_eq!(endpoint(head).recovery_threshold, 5);
    assert_eq!(endpoint(&format!("{head}\nrecovery_threshold = 1")).recovery_threshold, 1);
    assert_eq!(endpoint(head).protocol, EndpointProtocol::Tcp);
}

#[test]
fn a_deleted_check_is_healthy_and_never_asked() {
    let text = "[[health_check]]\nname = \"gone\"\ndeleted = true\n[[health_check]]\nname = \"was\"\ntype = \"http\"\n\
                ip_address = \"127.0.0.1\"\ninverted = true\ndeleted = true";
    for check in read(text).health_checks {
        assert!(check.disabled && !check.inverted);
    }
}

#[test]
fn a_private_zone_belongs_to_vpcs_by_id_or_name() {
    let settings = "[[vpc]]\nid = \"vpc-a\"\nregion = \"eu-central-1\"\ncidrs = [\"10.53.0.0/16\"]\n\
                    [[vpc]]\nname = \"lab\"\nregion = \"eu-central-1\"\ncidrs = [\"10.54.0.0/16\"]";
    let configuration = read_with(settings, "name = \"lab.test\"\nvpcs = [\"vpc-a\", \"lab\"]");
    let zone = &configuration.zones[0].zone;
    assert!(zone.is_private());
    assert_eq!(zone.vpcs[0].0, "vpc-a");
    assert_ne!(zone.id, read("name = \"lab.test\"").zones[0].zone.id);
}

#[test]
fn aliases_that_lead_back_by_way_of_alias_targets_are_a_warning() {
    let file = |zone: &str, target: &str, addresses_of: &str| {
        let text = format!(
            "name = '{zone}'\n[[alias_target]]\nname = '{target}'\nhosted_zone_id = 'ZOWN'\ntarget = '{target}.own.test'\n\
             addresses_of = '{addresses_of}'\n[[record]]\nname = 'loop'\ntype = 'A'\n\
             alias = {{ hosted_zone_id = 'ZOWN', target = '{target}.own.test', evaluate_target_health = true }}\n\
             [[record]]\nname = 'inner'\ntype = 'A'\nalias = {{ target = 'loop', evaluate_target_health = true }}\n"
        );
        SourceFile::new(format!("{zone}.toml"), text)
    };
    let warnings = |files: &[SourceFile]| -> Vec<(String, String)> {
        let reading = read_zones(files, &Settings::built_in());
        assert!(reading.is_sound(), "{:?}", reading.diagnostics);
        let warning = |one: &Diagnostic| (one.path.display().to_string(), one.message.to_string());
        assert!(reading.diagnostics.iter().all(|one| one.span.is_some()));
        reading.diagnostics.iter().map(warning).collect()
    };
    let warning =
        |zone: &str, cycle: &str| (format!("{zone}.toml"), format!("the aliases of type A form a cycle: {cycle}"));
    // Also by way of another alias of the zone.
    assert_eq!(
        warnings(&[file("g.test", "of", "loop.g.test")]),
        [warning("g.test", "loop.g.test. → of.own.test. → loop.g.test.")]
    );
    assert_eq!(
        warnings(&[file("g.test", "of", "inner.g.test")]),
        [warning("g.test", "loop.g.test. → of.own.test. → inner.g.test. → loop.g.test.")]
    );
    // Over two zones, each has a warning.
    let (g, h) = (file("g.test", "of", "inner.h.test"), file("h.test", "other", "loop.g.test"));
    let round = "loop.g.test. → of.own.test. → inner.h.test. → loop.h.test. → other.own.test. → loop.g.test.";
    let back = "loop.h.test. → other.own.test. → loop.g.test. → of.own.test. → inner.h.test. → loop.h.test.";
    assert_eq!(warnings(&[g.clone(), h]), [warning("g.test", round), warning("h.test", back)]);
    // What leads into a cycle, and not back, is not in it.
    let into = file("h.test", "into", "loop.g.test");
    let found = warnings(&[file("g.test", "of", "loop.g.test"), into]);
    assert_eq!(found, [warning("g.test", "loop.g.test. → of.own.test. → loop.g.test.")]);
    // The records of the name lead on to values.
    let values = "name = 'v.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 5\nvalues = ['192.0.2.1']\n";
    assert_eq!(warnings(&[file("g.test", "of", "www.v.test"), SourceFile::new("v.toml", values)]), []);
}
