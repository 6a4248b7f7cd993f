//! What the Route 53 API attaches to zones: it is in files, survives a restart, and has the effect
//! that it says.
#![cfg(unix)]

use std::fs;

use crate::aws::{Client, Reply};
use crate::server::{Lab, Running, Transport, wait_for};

const SETTINGS: &str = "[api]\nlisten = ['127.0.0.1:0']\n[query_log]\nto = 'queries.log'\nzones = []\n";
const ARN: &str = "arn:aws:logs:us-east-1:111122223333:log-group:lab";

fn lab() -> Lab {
    let zone = |name: &str| {
        format!("name = '{name}' # by hand\n\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.1']\n")
    };
    let lab = Lab::new(&[("one.test.toml", &zone("one.test")), ("two.test.toml", &zone("two.test"))]);
    lab.add_settings(SETTINGS);
    lab
}

fn serve(lab: &Lab) -> (Running, Client) {
    let server = lab.serve();
    let client = Client::of(&server, "test", "test");
    (server, client)
}

fn post(client: &Client, path: &str, operation: &str, content: &str) -> Reply {
    let namespace = "https://route53.amazonaws.com/doc/2013-04-01/";
    client.post(path, &format!("<{operation}Request xmlns=\"{namespace}\">{content}</{operation}Request>"))
}

fn created(reply: Reply, status: u16) -> Reply {
    assert_eq!(reply.status, status, "{}", reply.body);
    reply
}

/// The id of the zone with this name.
fn zone(client: &Client, name: &str) -> String {
    let found = client.get(&format!("/hostedzonesbyname?dnsname={name}&maxitems=1"));
    found.element("Id").strip_prefix("/hostedzone/").unwrap().to_owned()
}

fn upsert(client: &Client, zone: &str, name: &str) -> Reply {
    let set = format!(
        "<Name>{name}</Name><Type>A</Type><TTL>10</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.2</Value>\
         </ResourceRecord></ResourceRecords>"
    );
    let change = format!("<Change><Action>UPSERT</Action><ResourceRecordSet>{set}</ResourceRecordSet></Change>");
    let content = format!("<ChangeBatch><Changes>{change}</Changes></ChangeBatch>");
    post(client, &format!("/hostedzone/{zone}/rrset"), "ChangeResourceRecordSets", &content)
}

#[test]
fn only_zones_with_a_query_logging_configuration_are_logged_also_after_a_restart() {
    let lab = lab();
    let (server, client) = serve(&lab);
    let ask = |server: &Running| {
        server.ask("www.one.test.", Transport::Udp);
        server.ask("www.two.test.", Transport::Udp);
    };
    ask(&server);
    let id = zone(&client, "one.test");
    let content =
        format!("<HostedZoneId>{id}</HostedZoneId><CloudWatchLogsLogGroupArn>{ARN}</CloudWatchLogsLogGroupArn>");
    let made = created(post(&client, "/queryloggingconfig", "CreateQueryLoggingConfig", &content), 201);
    let config = format!("/queryloggingconfig/{}", made.element("Id"));
    assert!(made.headers.contains(&config), "{}", made.headers);
    ask(&server);
    let logged = |count: usize| {
        wait_for("lines of the zone with a configuration", || {
            let text = fs::read_to_string(lab.path("queries.log")).unwrap_or_default();
            assert!(!text.contains("two.test"), "{text}");
            (text.lines().count() == count).then_some(text)
        })
    };
    assert!(logged(1).contains(&format!(" {id} www.one.test A NOERROR ")));
    assert!(fs::read_to_string(lab.path("zones/one.test.toml")).unwrap().starts_with("name = 'one.test' # by hand\n"));
    assert!(server.stop().success());

    let (server, client) = serve(&lab);
    ask(&server);
    logged(2);
    assert_eq!(client.get(&config).element("CloudWatchLogsLogGroupArn"), ARN);
    created(client.send("DELETE", &config, &[], ""), 200);
    assert_eq!(client.get(&config).code(), "NoSuchQueryLoggingConfig");
    ask(&server);
    assert!(!server.log().contains("are not logged"), "{}", server.log());
    assert!(server.stop().success());
    logged(2);
}

#[test]
fn a_query_logging_configuration_without_a_query_log_is_reported() {
    let lab = Lab::new(&[("one.test.toml", "name = 'one.test'\n")]);
    lab.add_settings("[api]\nlisten = ['127.0.0.1:0']\n");
    let (server, client) = serve(&lab);
    let id = zone(&client, "one.test");
    let content =
        format!("<HostedZoneId>{id}</HostedZoneId><CloudWatchLogsLogGroupArn>{ARN}</CloudWatchLogsLogGroupArn>");
    created(post(&client, "/queryloggingconfig", "CreateQueryLoggingConfig", &content), 201);
    server.wait_for_log("one.test. has a query logging configuration, but its queries are not logged");
    server.wait_for_log("the settings have no `[query_log]`");
}

#[test]
fn protections_and_features_are_in_the_file_of_the_zone() {
    let lab = lab();
    let (server, client) = serve(&lab);
    let id = zone(&client, "one.test");
    let config = |name: &str| {
        format!(
            "<ResourceRecordSetProtectionConfig><RecordName>{name}</RecordName><RecordType>A</RecordType><Comment>why\
             </Comment></ResourceRecordSetProtectionConfig>"
        )
    };
    let protections = format!("<Protections>{}{}</Protections>", config("www.one.test"), config("new.one.test"));
    let path = format!("/hostedzone/{id}/rrsetprotection");
    created(post(&client, &path, "CreateResourceRecordSetProtections", &protections), 200);
    let again = post(&client, &path, "CreateResourceRecordSetProtections", &protections);
    assert_eq!((again.status, again.code()), (409, "ProtectionAlreadyExists"));
    assert!(again.body.contains("<Errors><ProtectionError><RecordName>www.one.test</RecordName>"), "{}", again.body);
    let features = "<EnableAcceleratedRecovery>true</EnableAcceleratedRecovery>";
    created(post(&client, &format!("/hostedzone/{id}/features"), "UpdateHostedZoneFeatures", features), 200);
    assert!(server.stop().success());

    let (server, client) = serve(&lab);
    let refused = upsert(&client, &id, "www.one.test");
    assert_eq!((refused.status, refused.code()), (400, "InvalidChangeBatch"));
    assert!(refused.element("Message").contains("(why)"), "{}", refused.body);
    assert_eq!(upsert(&client, &id, "new.one.test").code(), "InvalidChangeBatch");
    assert_eq!(server.ask("www.one.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    created(upsert(&client, &id, "other.one.test"), 200);
    assert_eq!(client.get(&format!("/hostedzone/{id}")).element("AcceleratedRecoveryStatus"), "ENABLED");
    let keys = protections.replace("Config>", "Key>").replace("<Comment>why</Comment>", "");
    created(post(&client, &format!("{path}/delete"), "DeleteResourceRecordSetProtections", &keys), 200);
    created(upsert(&client, &id, "www.one.test"), 200);
    assert_eq!(server.ask("www.one.test.", Transport::Udp).addresses, ["192.0.2.2"]);
    let text = fs::read_to_string(lab.path("zones/one.test.toml")).unwrap();
    assert!(text.contains("accelerated_recovery = true\n") && !text.contains("protections"), "{text}");
}

#[test]
fn zones_of_a_reusable_delegation_set_answer_with_its_name_servers() {
    let lab = lab();
    let (server, client) = serve(&lab);
    let set = |reference: &str, more: &str| {
        let content = format!("<CallerReference>{reference}</CallerReference>{more}");
        post(&client, "/delegationset", "CreateReusableDelegationSet", &content)
    };
    // Nothing is configured that zones could share.
    assert_eq!(set("shared", "").code(), "DelegationSetNotAvailable");
    let origin = zone(&client, "one.test");
    let made = created(set("of a zone", &format!("<HostedZoneId>{origin}</HostedZoneId>")), 201);
    let id = made.element("Id").strip_prefix("/delegationset/").unwrap().to_owned();
    assert_eq!(made.element("NameServer"), "ns1.one.test");
    let content =
        format!("<Name>new.test</Name><CallerReference>new</CallerReference><DelegationSetId>{id}</DelegationSetId>");
    created(post(&client, "/hostedzone", "CreateHostedZone", &content), 201);
    assert!(server.stop().success());

    let (server, client) = serve(&lab);
    let new = zone(&client, "new.test");
    let read = client.get(&format!("/hostedzone/{new}"));
    assert_eq!(read.element("NameServer"), "ns1.one.test");
    assert!(read.body.contains(&format!("<Id>/delegationset/{id}</Id>")), "{}", read.body);
    let listed = client.get(&format!("/hostedzone/{new}/rrset"));
    assert!(listed.body.contains("<Value>ns1.one.test.</Value>"), "{}", listed.body);
    assert_eq!(server.ask("ns1.one.test.", Transport::Udp).addresses, ["127.0.0.1"]);
    let path = format!("/delegationset/{id}");
    assert_eq!(client.send("DELETE", &path, &[], "").code(), "DelegationSetInUse");
    created(client.send("DELETE", &format!("/hostedzone/{new}"), &[], ""), 200);
    assert_eq!(client.send("DELETE", &path, &[], "").code(), "DelegationSetInUse", "by the zone that it is from");
    let file = fs::read_to_string(lab.path("zones/reusable_delegation_sets.toml")).unwrap();
    assert!(file.contains(&format!("id = \"{id}\"\n")), "{file}");
    assert!(server.stop().success());
}
