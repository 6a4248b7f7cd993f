//! Health checks, CIDR collections and TestDNSAnswer over the Route 53 API, on a real server.
#![cfg(unix)]

use hickory_proto::rr::RecordType;

use crate::aws::{Client, Reply};
use crate::server::{Answer, Lab, Running, Transport, WebServer, ask_from, wait_for};

const PRIMARY: &str = "192.0.2.11";
const SECONDARY: &str = "192.0.2.12";

fn server() -> (Lab, Running, Client) {
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\nid = 'Z0LAB'\n")]);
    lab.add_settings("[api]\nlisten = ['127.0.0.1:0']\n");
    let running = lab.serve();
    let client = Client::of(&running, "test", "test");
    (lab, running, client)
}

/// The root element of a request with this content.
fn body(operation: &str, content: &str) -> String {
    format!(
        "<{operation}Request xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">{content}</{operation}Request>"
    )
}

fn create_check(client: &Client, reference: &str, config: &str) -> Reply {
    let content =
        format!("<CallerReference>{reference}</CallerReference><HealthCheckConfig>{config}</HealthCheckConfig>");
    client.post("/healthcheck", &body("CreateHealthCheck", &content))
}

fn change_records(client: &Client, sets: &[String]) {
    let change = |set: &String| {
        let set = format!("<ResourceRecordSet><Type>A</Type>{set}</ResourceRecordSet>");
        format!("<Change><Action>UPSERT</Action>{set}</Change>")
    };
    let changes: String = sets.iter().map(change).collect();
    let content = format!("<ChangeBatch><Changes>{changes}</Changes></ChangeBatch>");
    let reply = client.post("/hostedzone/Z0LAB/rrset", &body("ChangeResourceRecordSets", &content));
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn values(address: &str) -> String {
    format!("<TTL>10</TTL><ResourceRecords><ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords>")
}

fn http(port: u16) -> String {
    format!(
        "<IPAddress>127.0.0.1</IPAddress><Port>{port}</Port><Type>HTTP_STR_MATCH</Type><SearchString>ok</SearchString>\
         <RequestInterval>10</RequestInterval><FailureThreshold>1</FailureThreshold>"
    )
}

#[test]
fn a_check_made_through_the_api_fails_a_record_over() {
    let (lab, server, client) = server();
    let backend = WebServer::start();
    let created = create_check(&client, "blue", &http(backend.port));
    assert_eq!(created.status, 201, "{}", created.body);
    let id = created.element("Id").to_owned();
    assert!(created.headers.contains(&format!("/2013-04-01/healthcheck/{id}")), "{}", created.headers);
    let role = |role: &str, address: &str, check: &str| {
        format!(
            "<Name>app.lab.test</Name><SetIdentifier>{role}</SetIdentifier><Failover>{role}</Failover>{}{check}",
            values(address)
        )
    };
    let check = format!("<HealthCheckId>{id}</HealthCheckId>");
    change_records(&client, &[role("PRIMARY", PRIMARY, &check), role("SECONDARY", SECONDARY, "")]);
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, [PRIMARY]);
    let status = format!("/healthcheck/{id}/status");
    let first = wait_for("a result", || Some(client.get(&status)).filter(|reply| reply.body.contains("<Status>")));
    assert_eq!(first.element("Status"), "Success: HTTP Status Code 200, OK");
    let reason = format!("/healthcheck/{id}/lastfailurereason");
    assert!(!client.get(&reason).body.contains("<Status>"), "it has not failed");

    // A second is the shortest interval of this server; an update through the API keeps it.
    let file = wait_for("the file of the check", || {
        let files = std::fs::read_dir(lab.path("zones")).unwrap().map(|file| file.unwrap().path());
        files.into_iter().find(|file| {
            std::fs::read_to_string(file).is_ok_and(|text| text.contains(&id) && text.contains("health_check]]"))
        })
    });
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("request_interval = 10"), "{text}");
    std::fs::write(&file, text.replace("request_interval = 10", "request_interval = 1")).unwrap();
    let update =
        body("UpdateHealthCheck", "<HealthCheckVersion>1</HealthCheckVersion><FailureThreshold>2</FailureThreshold>");
    let updated = client.post(&format!("/healthcheck/{id}"), &update);
    assert_eq!((updated.status, updated.element("HealthCheckVersion")), (200, "2"), "{}", updated.body);
    assert_eq!(client.post(&format!("/healthcheck/{id}"), &update).code(), "HealthCheckVersionMismatch");
    assert!(std::fs::read_to_string(&file).unwrap().contains("request_interval = 1\n"));

    backend.stop();
    let (_, seen) = server.follow("app.lab.test.", SECONDARY);
    assert_eq!(seen, [PRIMARY, SECONDARY]);
    let failure = client.get(&reason);
    assert!(failure.element("Status").starts_with("Failure: "), "{}", failure.body);
    let tested = client.get("/testdnsanswer?hostedzoneid=Z0LAB&recordname=app.lab.test&recordtype=A");
    assert_eq!((tested.element("RecordDataEntry"), tested.element("ResponseCode")), (SECONDARY, "NOERROR"));

    assert_eq!(client.send("DELETE", &format!("/healthcheck/{id}"), &[], "").status, 200);
    assert_eq!(client.get(&status).code(), "NoSuchHealthCheck");
    server.wait_for_answer("app.lab.test.", &[PRIMARY]);
}

#[test]
fn creation_is_idempotent_and_checks_are_listed_in_pages() {
    let (_lab, _server, client) = server();
    let first = create_check(&client, "a", &http(1));
    let again = create_check(&client, "a", &http(1));
    assert_eq!((again.status, again.element("Id")), (201, first.element("Id")), "{}", again.body);
    let other = create_check(&client, "a", &http(2));
    assert_eq!((other.status, other.code()), (409, "HealthCheckAlreadyExists"));
    let children = format!("<ChildHealthCheck>{}</ChildHealthCheck>", first.element("Id"));
    let sum = "<Type>CALCULATED</Type><HealthThreshold>1</HealthThreshold>";
    let sum = create_check(&client, "sum", &format!("{sum}<ChildHealthChecks>{children}</ChildHealthChecks>"));
    assert_eq!(sum.status, 201, "{}", sum.body);
    let refused = client.get(&format!("/healthcheck/{}/status", sum.element("Id")));
    assert_eq!((refused.status, refused.code()), (400, "InvalidInput"));
    assert_eq!(client.get("/healthcheckcount").element("HealthCheckCount"), "2");
    let page = client.get("/healthcheck?maxitems=1");
    assert_eq!((page.element("IsTruncated"), page.element("MaxItems")), ("true", "1"));
    let next = client.get(&format!("/healthcheck?marker={}", page.element("NextMarker")));
    assert_eq!((next.element("IsTruncated"), next.element("Id")), ("false", page.element("NextMarker")));
}

#[test]
fn a_collection_made_through_the_api_routes_by_client_subnet() {
    let (_lab, server, client) = server();
    let content = "<Name>offices</Name><CallerReference>1</CallerReference>";
    let created = client.post("/cidrcollection", &body("CreateCidrCollection", content));
    assert_eq!((created.status, created.element("Version")), (201, "1"), "{}", created.body);
    let id = created.element("Id").to_owned();
    let change = |action: &str, location: &str, block: &str| {
        let list = format!("<CidrList><Cidr>{block}</Cidr></CidrList>");
        let names = format!("<LocationName>{location}</LocationName><Action>{action}</Action>");
        format!("<member>{names}{list}</member>")
    };
    let commit = |changes: &[String]| {
        let content = format!("<Changes>{}</Changes>", changes.concat());
        client.post(&format!("/cidrcollection/{id}"), &body("ChangeCidrCollection", &content))
    };
    let reply = commit(&[change("PUT", "berlin", "198.51.100.0/24"), change("PUT", "paris", "203.0.113.0/24")]);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let changed = client.get(&format!("/change/{}", reply.element("Id").trim_start_matches("/change/")));
    assert_eq!(changed.element("Status"), "INSYNC", "{}", changed.body);
    let set = |location: &str, address: &str| {
        let identifier = if location == "*" { "other" } else { location };
        format!(
            "<Name>near.lab.test</Name><SetIdentifier>{identifier}</SetIdentifier>{}<CidrRoutingConfig><CollectionId>{id}\
             </CollectionId><LocationName>{location}</LocationName></CidrRoutingConfig>",
            values(address)
        )
    };
    change_records(&client, &[set("berlin", PRIMARY), set("paris", SECONDARY), set("*", "192.0.2.13")]);
    let asked = |subnet: &str| -> Answer { ask_from(server.address, "near.lab.test.", RecordType::A, Some(subnet)) };
    assert_eq!(asked("198.51.100.0/24").addresses, [PRIMARY]);
    assert_eq!(asked("203.0.113.0/24").addresses, [SECONDARY]);
    assert_eq!(asked("192.0.2.0/24").addresses, ["192.0.2.13"]);
    let tested =
        "/testdnsanswer?edns0clientsubnetip=203.0.113.9&hostedzoneid=Z0LAB&recordname=near.lab.test&recordtype=A";
    assert_eq!(client.get(tested).element("RecordDataEntry"), SECONDARY);

    // A block moves in one request.
    assert_eq!(commit(&[change("PUT", "paris", "198.51.100.0/24")]).code(), "CidrBlockInUseException");
    let moves = [change("PUT", "paris", "198.51.100.0/24"), change("DELETE_IF_EXISTS", "paris", "203.0.113.0/24")];
    let moves = [
        &moves[..],
        &[change("DELETE_IF_EXISTS", "berlin", "198.51.100.0/24")],
        &[change("PUT", "berlin", "203.0.113.0/24")],
    ];
    assert_eq!(commit(&moves.concat()).status, 200);
    assert_eq!(asked("198.51.100.0/24").addresses, [SECONDARY]);
    assert_eq!(commit(&[change("DELETE_IF_EXISTS", "berlin", "203.0.113.0/24")]).code(), "CidrBlockInUseException");
    let blocks = client.get(&format!("/cidrcollection/{id}/cidrblocks?maxresults=1"));
    let (block, next) = (blocks.element("CidrBlock"), blocks.element("NextToken").replace('/', "%2F"));
    assert_eq!(block, "203.0.113.0/24", "{}", blocks.body);
    let rest = client.get(&format!("/cidrcollection/{id}/cidrblocks?nexttoken={next}"));
    assert_eq!((rest.element("CidrBlock"), rest.element("NextToken")), ("198.51.100.0/24", ""), "{}", rest.body);
    let unknown = client.get(&format!("/cidrcollection/{id}/cidrblocks?location=rome"));
    assert_eq!((unknown.status, unknown.code()), (404, "NoSuchCidrLocationException"));
    assert_eq!(client.send("DELETE", &format!("/cidrcollection/{id}"), &[], "").code(), "CidrCollectionInUseException");
}
