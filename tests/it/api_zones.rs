//! Hosted zones and record sets over the Route 53 API, and what port 53 answers then.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;

use hickory_proto::rr::RecordType;

use crate::aws::{Client, Reply};
use crate::server::{Lab, Running, Transport, ask_from, text};

const PLACES: &str = "[[location.network]]
cidr = '198.51.100.0/24'
country = 'US'
region = 'us-west-1'

[[location.network]]
cidr = '203.0.113.0/24'
country = 'JP'
region = 'ap-northeast-1'
";

fn server() -> (Lab, Running, Client) {
    let lab = Lab::new(&[("other.test.toml", "name = 'other.test'\n")]);
    lab.add_settings(&format!("{PLACES}\n[api]\nlisten = ['127.0.0.1:0']\ninsync_delay = '1m'\n"));
    let running = lab.serve();
    let client = Client::of(&running, "test", "test");
    (lab, running, client)
}

fn post(client: &Client, path: &str, operation: &str, content: &str) -> Reply {
    let namespace = "https://route53.amazonaws.com/doc/2013-04-01/";
    client.post(path, &format!("<{operation}Request xmlns=\"{namespace}\">{content}</{operation}Request>"))
}

/// Creates a zone and returns its id.
fn create(client: &Client, name: &str) -> String {
    let content = format!("<Name>{name}</Name><CallerReference>{name}</CallerReference>");
    let created = post(client, "/hostedzone", "CreateHostedZone", &content);
    assert_eq!(created.status, 201, "{}", created.body);
    let id = created.element("Id").strip_prefix("/hostedzone/").unwrap().to_owned();
    assert!(created.headers.contains(&format!("/2013-04-01/hostedzone/{}", id.to_lowercase())), "{}", created.headers);
    id
}

fn change(client: &Client, zone: &str, changes: &[(&str, String)]) -> Reply {
    let change = |(action, set): &(&str, String)| {
        format!("<Change><Action>{action}</Action><ResourceRecordSet>{set}</ResourceRecordSet></Change>")
    };
    let changes: String = changes.iter().map(change).collect();
    let content = format!("<ChangeBatch><Changes>{changes}</Changes></ChangeBatch>");
    // botocore sends the slash.
    post(client, &format!("/hostedzone/{zone}/rrset/"), "ChangeResourceRecordSets", &content)
}

fn make(client: &Client, zone: &str, sets: &[String]) {
    let changes: Vec<_> = sets.iter().map(|set| ("CREATE", set.clone())).collect();
    let reply = change(client, zone, &changes);
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn simple(name: &str, address: &str) -> String {
    format!("<Name>{name}</Name><Type>A</Type>{}", values(address))
}

fn values(address: &str) -> String {
    format!("<TTL>10</TTL><ResourceRecords><ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords>")
}

/// A set whose identifier is its address.
fn member(name: &str, before: &str, address: &str, after: &str) -> String {
    let values = values(address);
    format!("<Name>{name}</Name><Type>A</Type><SetIdentifier>{address}</SetIdentifier>{before}{values}{after}")
}

#[test]
fn a_new_zone_is_answered_changed_listed_and_deleted() {
    let (lab, server, client) = server();
    let id = create(&client, "new.test");
    make(&client, &id, &[simple("www.new.test", "192.0.2.1"), simple("*.new.test", "192.0.2.2")]);
    assert_eq!(server.ask("www.new.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    assert_eq!(server.ask("any.new.test.", Transport::Udp).addresses, ["192.0.2.2"]);
    let alias = format!(
        "<Name>alias.new.test</Name><Type>A</Type><AliasTarget><HostedZoneId>{id}</HostedZoneId><DNSName>WWW.new.test\
         </DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>"
    );
    let changed = change(&client, &id, &[("UPSERT", simple("www.new.test", "192.0.2.3")), ("CREATE", alias.clone())]);
    assert_eq!((changed.status, changed.element("Status")), (200, "PENDING"), "{}", changed.body);
    // The delay is only what GetChange says.
    assert_eq!(server.ask("alias.new.test.", Transport::Udp).addresses, ["192.0.2.3"]);
    let listed = client.get(&format!("/hostedzone/{id}/rrset?maxitems=1&name=alias.new.test&type=A"));
    assert_eq!((listed.element("DNSName"), listed.element("NextRecordName")), ("www.new.test.", "www.new.test."));

    let refused = change(&client, &id, &[("CREATE", simple("x.new.test", "192.0.2.9")), ("CREATE", alias.clone())]);
    assert_eq!((refused.status, refused.code()), (400, "InvalidChangeBatch"));
    assert_eq!(server.ask("x.new.test.", Transport::Udp).addresses, ["192.0.2.2"], "nothing is changed");
    let path = format!("/hostedzone/{id}");
    assert_eq!(client.send("DELETE", &path, &[], "").code(), "HostedZoneNotEmpty");
    let rest = [alias, simple("www.new.test", "192.0.2.3"), simple("*.new.test", "192.0.2.2")];
    let gone = change(&client, &id, &rest.map(|set| ("DELETE", set)));
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(client.send("DELETE", &path, &[], "").status, 200);
    assert_eq!(client.get(&path).code(), "NoSuchHostedZone");
    assert!(server.ask("www.new.test.", Transport::Udp).addresses.is_empty());
    let files =
        fs::read_dir(lab.path("zones")).unwrap().filter_map(|file| file.unwrap().file_name().into_string().ok());
    assert!(!files.into_iter().any(|file| file.contains("new.test") && file.ends_with(".toml")));
}

#[test]
fn a_new_zone_lists_ns_and_soa_and_answers_for_its_name_server() {
    let (lab, server, client) = server();
    let id = create(&client, "new.test");
    let listed = || {
        let body = client.get(&format!("/hostedzone/{id}/rrset")).body;
        let names = |part: &str| part.split_once("</Name><Type>").map(|(name, rest)| format!("{name} {}", &rest[..2]));
        body.split("<Name>").skip(1).filter_map(names).collect::<Vec<_>>()
    };
    let is_default = || server.ask("ns1.new.test.", Transport::Udp).addresses == ["127.0.0.1"];
    let defaults = ["new.test. NS", "new.test. SO"];
    assert_eq!(listed(), defaults);
    assert_eq!(client.get(&format!("/hostedzone/{id}")).element("ResourceRecordSetCount"), "2");
    assert!(is_default());
    // A client's own record set replaces the default address, which comes back after it.
    let own = simple("ns1.new.test", "192.0.2.53");
    assert_eq!(change(&client, &id, &[("DELETE", own.clone())]).code(), "InvalidChangeBatch");
    make(&client, &id, std::slice::from_ref(&own));
    assert_eq!(server.ask("ns1.new.test.", Transport::Udp).addresses, ["192.0.2.53"]);
    assert_eq!(listed(), ["new.test. NS", "new.test. SO", "ns1.new.test. A<"]);
    assert_eq!(change(&client, &id, &[("DELETE", own)]).status, 200);
    assert!(is_default());
    // So it does after a change of the NS set, which is written to the file.
    let ns = "<Name>new.test</Name><Type>NS</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>ns1.new.test.</Value>\
              </ResourceRecord></ResourceRecords>";
    assert_eq!(change(&client, &id, &[("UPSERT", ns.to_owned())]).status, 200);
    assert!(is_default() && listed() == defaults);
    let text = fs::read_to_string(lab.path("zones/new.test.toml")).unwrap();
    assert_eq!(text.matches("[[record]]").count(), 2, "{text}");
    let elsewhere = ns.replace("ns1.new.test.", "ns.other.test.");
    assert_eq!(change(&client, &id, &[("UPSERT", elsewhere)]).status, 200);
    assert!(server.ask("ns1.new.test.", Transport::Udp).addresses.is_empty(), "it is no name server");
    assert_eq!(client.send("DELETE", &format!("/hostedzone/{id}"), &[], "").status, 200);
}

/// The log has the reason.
#[test]
fn an_error_of_the_server_names_no_file_to_a_client() {
    let (lab, server, client) = server();
    let id = create(&client, "new.test");
    lab.write("zones/new.test.toml", "name = 'new.test'\nid = 7\n");
    let refused = change(&client, &id, &[("CREATE", simple("x.new.test", "192.0.2.9"))]);
    assert_eq!((refused.status, refused.code()), (503, "ServiceUnavailable"));
    assert!(refused.element("Message").starts_with("The server cannot do this now. Try again;"), "{}", refused.body);
    assert!(!refused.body.contains("new.test"), "{}", refused.body);
    server.wait_for_log("new.test.toml");
}

#[test]
fn every_policy_that_comes_in_by_the_api_is_answered() {
    let (_lab, server, client) = server();
    let id = create(&client, "new.test");
    let geo = |area: &str| format!("<GeoLocation><CountryCode>{area}</CountryCode></GeoLocation>");
    let near = |region: &str| format!("<GeoProximityLocation><AWSRegion>{region}</AWSRegion></GeoProximityLocation>");
    let (zero, five) = ("<Weight>0</Weight>", "<Weight>5</Weight>");
    let multivalue = "<MultiValueAnswer>true</MultiValueAnswer>";
    make(
        &client,
        &id,
        &[
            member("weighted.new.test", zero, "192.0.2.1", ""),
            member("weighted.new.test", five, "192.0.2.2", ""),
            member("latency.new.test", "<Region>us-west-1</Region>", "192.0.2.1", ""),
            member("latency.new.test", "<Region>ap-northeast-1</Region>", "192.0.2.2", ""),
            member("failover.new.test", "<Failover>SECONDARY</Failover>", "192.0.2.1", ""),
            member("geo.new.test", &geo("US"), "192.0.2.1", ""),
            member("geo.new.test", &geo("*"), "192.0.2.2", ""),
            member("near.new.test", "", "192.0.2.1", &near("us-west-2")),
            member("near.new.test", "", "192.0.2.2", &near("ap-northeast-3")),
            member("multi.new.test", multivalue, "192.0.2.1", ""),
            member("multi.new.test", multivalue, "192.0.2.2", ""),
        ],
    );
    let asked = |name: &str, subnet: &str| -> BTreeSet<String> {
        let answer = ask_from(server.address, &format!("{name}.new.test."), RecordType::A, Some(subnet));
        answer.addresses.into_iter().collect()
    };
    let (america, japan) = ("198.51.100.0/24", "203.0.113.0/24");
    let (first, second) = (BTreeSet::from(["192.0.2.1".to_owned()]), BTreeSet::from(["192.0.2.2".to_owned()]));
    for name in ["latency", "geo", "near"] {
        assert_eq!((asked(name, america), asked(name, japan)), (first.clone(), second.clone()), "{name}");
    }
    assert_eq!(asked("weighted", america), second);
    assert_eq!(asked("failover", america), first);
    assert_eq!(asked("multi", america), &first | &second);
}

/// An alias to a load balancer of us-east-1.
fn to_balancer(name: &str, record_type: &str, target: &str, policy: &str) -> String {
    let alias = format!(
        "<AliasTarget><HostedZoneId>Z35SXDOTRQ7X7K</HostedZoneId><DNSName>{target}</DNSName><EvaluateTargetHealth>true\
         </EvaluateTargetHealth></AliasTarget>"
    );
    format!("<Name>{name}</Name><Type>{record_type}</Type>{policy}{alias}")
}

const TARGETS: &str = "[[alias_target]]
name = 'any balancer'
target = '*.us-east-1.elb.amazonaws.com'
addresses = ['192.0.2.80', '2001:db8::80']
health_check = 'balancer'

[[health_check]]
name = 'balancer'
type = 'manual'
status = 'healthy'
";

#[test]
fn an_alias_to_a_load_balancer_is_accepted_and_answers_once_a_file_describes_it() {
    let (lab, server, client) = server();
    let id = create(&client, "new.test");
    let target = "dualstack.My-LB-123.us-east-1.elb.amazonaws.com";
    make(&client, &id, &[to_balancer("new.test", "A", target, ""), to_balancer("new.test", "AAAA", target, "")]);
    // As it was sent, in lower case and with a dot at the end.
    let listed = client.get(&format!("/hostedzone/{id}/rrset?name=new.test&type=A&maxitems=1"));
    let listed = ["HostedZoneId", "DNSName", "EvaluateTargetHealth"].map(|name| listed.element(name).to_owned());
    assert_eq!(listed, ["Z35SXDOTRQ7X7K", "dualstack.my-lb-123.us-east-1.elb.amazonaws.com.", "true"]);
    assert!(server.ask("new.test.", Transport::Udp).addresses.is_empty());
    let checked = lab.run(&["check"]);
    let said = text(&checked.stderr) + &text(&checked.stdout);
    assert!(said.contains("no `[[alias_target]]` matches my-lb-123.us-east-1.elb.amazonaws.com"), "{said}");

    lab.write("zones/alias_targets.toml", TARGETS);
    server.wait_for_answer("new.test.", &["192.0.2.80"]);
    let ipv6 = ask_from(server.address, "new.test.", RecordType::AAAA, None);
    assert_eq!(ipv6.addresses, ["2001:db8::80"]);
    let explain = |name: &str| {
        let said = text(&lab.run(&["explain", name, "--admin", &server.admin()]).stdout);
        // Long lines are wrapped.
        said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    };
    let said = explain("new.test");
    assert!(said.contains("the alias target `any balancer` answers for this name"), "{said}");

    // A pair that the API makes fails over with the check of the load balancer.
    let side = |role: &str| format!("<SetIdentifier>{role}</SetIdentifier><Failover>{role}</Failover>");
    let standby = member("www.new.test", "<Failover>SECONDARY</Failover>", "192.0.2.81", "");
    make(&client, &id, &[to_balancer("www.new.test", "A", target, &side("PRIMARY")), standby]);
    assert_eq!(server.ask("www.new.test.", Transport::Udp).addresses, ["192.0.2.80"]);
    lab.write("zones/alias_targets.toml", &TARGETS.replace("'healthy'", "'unhealthy'"));
    server.wait_for_answer("www.new.test.", &["192.0.2.81"]);
    let said = explain("www.new.test");
    assert!(said.contains("so is the health check of its alias target `any balancer`"), "{said}");
}

#[test]
fn a_change_of_another_zone_reaches_the_aliases_that_answer_with_its_records() {
    let (lab, server, client) = server();
    let (backend, id) = (create(&client, "backend.test"), create(&client, "new.test"));
    make(&client, &backend, &[simple("web.backend.test", "192.0.2.1")]);
    let target = "[[alias_target]]\nname = 'web'\ntarget = '*.us-east-1.elb.amazonaws.com'\n";
    lab.write("zones/alias_targets.toml", &format!("{target}addresses_of = 'web.backend.test'\n"));
    make(&client, &id, &[to_balancer("www.new.test", "A", "web.us-east-1.elb.amazonaws.com", "")]);
    server.wait_for_answer("www.new.test.", &["192.0.2.1"]);
    let upsert = |address: &str| {
        let changed = change(&client, &backend, &[("UPSERT", simple("web.backend.test", address))]);
        assert_eq!(changed.status, 200, "{}", changed.body);
    };
    // A change by the API is answered as soon as it is acknowledged, here too.
    upsert("192.0.2.2");
    assert_eq!(server.ask("www.new.test.", Transport::Udp).addresses, ["192.0.2.2"]);
    let path = lab.path("zones/backend.test.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("192.0.2.2", "192.0.2.3")).unwrap();
    server.wait_for_answer("www.new.test.", &["192.0.2.3"]);
    upsert("192.0.2.4");
    assert_eq!(server.ask("www.new.test.", Transport::Udp).addresses, ["192.0.2.4"]);
    let explained = lab.run(&["explain", "www.new.test", "--admin", &server.admin()]);
    let said = text(&explained.stdout);
    assert!(said.contains("web.backend.test.") && said.contains("192.0.2.4"), "{said}");
    assert_eq!(change(&client, &backend, &[("DELETE", simple("web.backend.test", "192.0.2.4"))]).status, 200);
    assert!(server.ask("www.new.test.", Transport::Udp).addresses.is_empty());
}

#[test]
fn what_an_alias_to_a_resource_cannot_be_is_refused_with_route_53s_sentences() {
    let (_lab, _server, client) = server();
    let id = create(&client, "new.test");
    let outside = "but the alias target name does not lie within the target zone";
    for (set, part) in [
        (to_balancer("www.new.test", "A", "my-lb.us-west-2.elb.amazonaws.com", ""), outside),
        (
            to_balancer("www.new.test", "A", "my-lb.us-east-1.elb.amazonaws.com", "")
                .replace("Z35SXDOTRQ7X7K", "Z0123456789ABC"),
            outside,
        ),
        (to_balancer("www.new.test", "TXT", "my-lb.us-east-1.elb.amazonaws.com", ""), "but that target was not found"),
        (
            to_balancer("www.new.test", "A", "d111.cloudfront.net", "").replace("Z35SXDOTRQ7X7K", "Z2FDTNDATAQYW2"),
            "EvaluateTargetHealth cannot be true",
        ),
    ] {
        let refused = change(&client, &id, &[("CREATE", set)]);
        assert_eq!((refused.status, refused.code()), (400, "InvalidChangeBatch"), "{}", refused.body);
        assert!(refused.body.contains(part), "{}", refused.body);
    }
}

#[test]
fn a_zone_file_by_hand_is_an_object_of_the_api_and_keeps_what_it_says() {
    let (lab, server, client) = server();
    let text = "# by hand\nname = 'other.test'\n\n[[record]] # the mail server\nname = 'mail'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.1']\n";
    lab.write("zones/other.test.toml", text);
    server.wait_for_answer("mail.other.test.", &["192.0.2.1"]);
    let found = client.get("/hostedzonesbyname?dnsname=other.test&maxitems=1");
    let id = found.element("Id").strip_prefix("/hostedzone/").unwrap();
    let mx = "<Name>other.test</Name><Type>MX</Type><TTL>10</TTL><ResourceRecords><ResourceRecord><Value>10 Mail.other.test\
              </Value></ResourceRecord></ResourceRecords>";
    make(&client, id, &[mx.to_owned()]);
    let comment = post(&client, &format!("/hostedzone/{id}"), "UpdateHostedZoneComment", "<Comment>c</Comment>");
    assert_eq!((comment.status, comment.element("Comment")), (200, "c"), "{}", comment.body);
    // Without a comment, clients send no body.
    let path = format!("/hostedzone/{id}");
    let removed = client.post(&path, "");
    assert_eq!((removed.status, removed.body.contains("<Comment>")), (200, false), "{}", removed.body);
    assert_eq!(client.post(&format!("{path}/rrset"), "").code(), "MalformedInput");
    assert_eq!(post(&client, &path, "UpdateHostedZoneComment", "<Comment>c</Comment>").status, 200);
    let tags = "<AddTags><Tag><Key>env</Key><Value>lab</Value></Tag></AddTags>";
    assert_eq!(post(&client, &format!("/tags/hostedzone/{id}"), "ChangeTagsForResource", tags).status, 200);
    let text = fs::read_to_string(lab.path("zones/other.test.toml")).unwrap();
    for part in
        ["# by hand\n", "# the mail server\n", "values = [\"10 Mail.other.test\"]", "comment = \"c\"", "env = \"lab\""]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // As it was sent: without a dot at the end.
    let listed = client.get(&format!("/hostedzone/{id}/rrset?name=other.test&type=MX&maxitems=1"));
    assert_eq!(listed.element("Value"), "10 Mail.other.test");
}
