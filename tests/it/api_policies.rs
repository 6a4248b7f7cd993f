//! Traffic policies over the Route 53 API, and what port 53 answers then.
#![cfg(unix)]

use std::fs;

use hickory_proto::rr::RecordType;

use crate::aws::{Client, Reply};
use crate::server::{Lab, Running, Transport, ask_from, get, text};

const SETTINGS: &str = "[[location.network]]
cidr = '198.51.100.0/24'
country = 'US'
[[location.network]]
cidr = '203.0.113.0/24'
country = 'JP'
[api]
listen = ['127.0.0.1:0']
";

const ZONE: &str = "name = 'lab.test' # by hand

[[record]]
name = 'lb'
type = 'A'
ttl = 5
values = ['192.0.2.8']

[[alias_target]]
name = 'lb'
target = 'lb-*.eu-west-1.elb.amazonaws.com'
addresses_of = 'lb.lab.test'

[[health_check]]
name = 'tokyo'
id = '11111111-1111-4111-8111-111111111111'
type = 'manual'
status = 'healthy'
";

/// Clients in Japan get Tokyo, or its standby; all others a load balancer of the zone.
const DOCUMENT: &str = r#"{"AWSPolicyFormatVersion": "2015-10-01", "RecordType": "A", "StartRule": "where",
    "Endpoints": {"tokyo": {"Type": "value", "Value": "192.0.2.1"}, "standby": {"Type": "value", "Value": "192.0.2.2"},
        "lb": {"Type": "elastic-load-balancer", "Value": "lb-1.eu-west-1.elb.amazonaws.com"}},
    "Rules": {
        "where": {"RuleType": "geo", "Locations": [
            {"Country": "JP", "RuleReference": "japan", "EvaluateTargetHealth": true},
            {"IsDefault": true, "EndpointReference": "lb", "EvaluateTargetHealth": "true"}]},
        "japan": {"RuleType": "failover",
            "Primary": {"EndpointReference": "tokyo", "HealthCheck": "11111111-1111-4111-8111-111111111111"},
            "Secondary": {"EndpointReference": "standby"}}}}"#;

fn serve(lab: &Lab) -> (Running, Client) {
    let server = lab.serve();
    let client = Client::of(&server, "test", "test");
    (server, client)
}

fn post(client: &Client, path: &str, operation: &str, content: &str) -> Reply {
    let namespace = "https://route53.amazonaws.com/doc/2013-04-01/";
    let reply = client.post(path, &format!("<{operation}Request xmlns=\"{namespace}\">{content}</{operation}Request>"));
    assert!(reply.status < 300, "{}", reply.body);
    reply
}

fn answers(server: &Running, name: &str) -> [Vec<String>; 2] {
    ["198.51.100.0/24", "203.0.113.0/24"].map(|client| {
        let answer = ask_from(server.address, name, RecordType::A, Some(client));
        answer.addresses
    })
}

/// The status page lists the instance, and the records of its other rules below it. A simulation
/// queries its name.
fn says_where_the_records_are_from(lab: &Lab, server: &Running, zone: &str) {
    let records = get(&server.admin(), &format!("/v1/zones/{zone}/records?type=A"), "application/json").unwrap();
    let records: serde_json::Value = serde_json::from_str(&records).unwrap();
    let groups = records["groups"].as_array().unwrap();
    let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| name.contains("_traffic-policy")).count(), 0, "{names:?}");
    let www = groups.iter().find(|group| group["name"] == "www.lab.test.").unwrap();
    assert_eq!(www["traffic_policy"], "traffic policy where, version 1, rule where");
    let mut branches = www["members"].as_array().unwrap().iter().map(|member| &member["alias"]["group"]);
    let is_helper =
        |group: &&serde_json::Value| group["name"].as_str().is_some_and(|name| name.contains("_traffic-policy"));
    let japan = branches.find(is_helper).unwrap_or_else(|| panic!("{www}"));
    assert_eq!(japan["traffic_policy"], "traffic policy where, version 1, rule japan", "{www}");
    let lb = groups.iter().find(|group| group["name"] == "lb.lab.test.").unwrap();
    assert!(lb.get("traffic_policy").is_none(), "{lb}");

    lab.write("places.toml", "[[place]]\nname = 'Tokyo'\nnetworks = ['203.0.113.0/24']\n");
    let simulated = lab.run(&["simulate", "--from", "places.toml", "-n", "50", "--healthy", "--json"]);
    let simulated: serde_json::Value = serde_json::from_slice(&simulated.stdout).unwrap();
    let names: Vec<_> = simulated["names"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["www.lab.test."], "{simulated}");
    assert_eq!(simulated["names"][0]["records"][0]["record"]["values"][0], "192.0.2.1", "{simulated}");
}

#[test]
fn an_instance_answers_by_its_policy_and_after_a_restart_too() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.add_settings(SETTINGS);
    let (server, client) = serve(&lab);
    let zone = client.get("/hostedzone").element("Id").strip_prefix("/hostedzone/").unwrap().to_owned();
    let content = format!("<Name>where</Name><Document>{DOCUMENT}</Document>");
    let policy = post(&client, "/trafficpolicy", "CreateTrafficPolicy", &content);
    let id = policy.element("Id").to_owned();
    let content = format!(
        "<HostedZoneId>{zone}</HostedZoneId><Name>www.lab.test</Name><TTL>30</TTL><TrafficPolicyId>{id}</TrafficPolicyId>\
         <TrafficPolicyVersion>1</TrafficPolicyVersion>"
    );
    let made = post(&client, "/trafficpolicyinstance", "CreateTrafficPolicyInstance", &content);
    let instance = made.element("Id").to_owned();
    assert_eq!(made.element("State"), "Applied");
    let by_policy = [["192.0.2.8"], ["192.0.2.1"]];
    assert_eq!(answers(&server, "www.lab.test."), by_policy);
    let listed = client.get(&format!("/hostedzone/{zone}/rrset"));
    assert!(listed.body.contains(&format!("<TrafficPolicyInstanceId>{instance}</TrafficPolicyInstanceId>")));
    assert!(!listed.body.contains("_traffic-policy"), "{}", listed.body);
    assert!(server.stop().success());

    // What is in files is the policy and the instance; a health check of the policy fails it over.
    let path = lab.path("zones/lab.test.toml");
    let file = fs::read_to_string(&path).unwrap();
    assert!(file.starts_with("name = 'lab.test' # by hand\n") && !file.contains("192.0.2.1'"), "{file}");
    let (server, client) = serve(&lab);
    assert_eq!(answers(&server, "www.lab.test."), by_policy);
    let explained = lab.run(&["explain", "www.lab.test", "--from", "203.0.113.1", "--admin", &server.admin()]);
    let said = text(&explained.stdout);
    assert!(said.contains("traffic policy where, version 1, rule where"), "{said}{}", text(&explained.stderr));
    assert!(said.contains("traffic policy where, version 1, rule japan"), "{said}");
    says_where_the_records_are_from(&lab, &server, &zone);
    fs::write(&path, file.replace("status = 'healthy'", "status = 'unhealthy'")).unwrap();
    let failed_over = || answers(&server, "www.lab.test.") == [["192.0.2.8"], ["192.0.2.2"]];
    crate::server::wait_for("the standby", || failed_over().then_some(()));

    let second = DOCUMENT.replace("192.0.2.2", "192.0.2.9").replace("lb-1.eu-west-1.elb.amazonaws.com", "lb.lab.test.");
    let content = format!("<Document>{second}</Document><Comment>another standby</Comment>");
    post(&client, &format!("/trafficpolicy/{id}"), "CreateTrafficPolicyVersion", &content);
    let content =
        format!("<TTL>5</TTL><TrafficPolicyId>{id}</TrafficPolicyId><TrafficPolicyVersion>2</TrafficPolicyVersion>");
    let path = format!("/trafficpolicyinstance/{instance}");
    post(&client, &path, "UpdateTrafficPolicyInstance", &content);
    assert_eq!(answers(&server, "www.lab.test."), [["192.0.2.8"], ["192.0.2.9"]]);
    assert_eq!(client.send("DELETE", &format!("/trafficpolicy/{id}/2"), &[], "").code(), "TrafficPolicyInUse");
    assert_eq!(client.send("DELETE", &path, &[], "").status, 200);
    assert!(server.ask("www.lab.test.", Transport::Udp).addresses.is_empty());
    assert_eq!(client.send("DELETE", &format!("/trafficpolicy/{id}/2"), &[], "").status, 200);
    assert_eq!(server.ask("lb.lab.test.", Transport::Udp).addresses, ["192.0.2.8"]);
    assert!(server.stop().success());
}
