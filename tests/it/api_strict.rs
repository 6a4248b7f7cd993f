//! Strict mode of the Route 53 API: each rule is kept when its switch is on, and only then.
#![cfg(unix)]

use std::thread;

use crate::aws::{Client, Reply};
use crate::server::{Lab, Running, wait_for};

/// More requests than any bucket holds.
const MANY: usize = 500;

fn server(strict: &str) -> (Lab, Running, Client) {
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\nid = 'Z0LAB'\n")]);
    lab.add_settings(&format!("[api]\nlisten = ['127.0.0.1:0']\nstrict = {strict}\n"));
    let running = lab.serve();
    let client = Client::of(&running, "test", "test");
    (lab, running, client)
}

/// Runs a test with three servers: without strict mode, with this rule, and with all others.
fn compare(rule: &str, test: impl Fn(&Client, bool)) {
    let names = [
        "reserved_names",
        "health_check_addresses",
        "request_intervals",
        "cidr_blocks",
        "element_order",
        "throttling",
        "quotas",
    ];
    assert!(names.contains(&rule));
    let others: Vec<_> = names.into_iter().filter(|name| *name != rule).collect();
    for (strict, is_kept) in [("false", false), (&format!("['{rule}']"), true), (&format!("{others:?}"), false)] {
        let (_lab, running, client) = server(strict);
        test(&client, is_kept);
        assert_eq!(running.stdout().contains("    strict: "), strict != "false", "{}", running.stdout());
    }
}

fn body(operation: &str, content: &str) -> String {
    format!(
        "<{operation}Request xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">{content}</{operation}Request>"
    )
}

fn create_zone(client: &Client, name: &str, vpc: &str) -> Reply {
    let content = format!("<Name>{name}</Name>{vpc}<CallerReference>{name}{}</CallerReference>", vpc.len());
    client.post("/hostedzone", &body("CreateHostedZone", &content))
}

/// A check that probes nothing, because it is disabled.
fn create_check(client: &Client, address: &str, interval: &str) -> Reply {
    let content = format!(
        "<CallerReference>{address} {interval}</CallerReference><HealthCheckConfig><IPAddress>{address}</IPAddress>\
         <Port>9</Port><Type>TCP</Type><RequestInterval>{interval}</RequestInterval><Disabled>true</Disabled>\
         </HealthCheckConfig>"
    );
    client.post("/healthcheck", &body("CreateHealthCheck", &content))
}

fn create_collection(client: &Client, name: &str) -> Reply {
    let content = format!("<Name>{name}</Name><CallerReference>{name}</CallerReference>");
    client.post("/cidrcollection", &body("CreateCidrCollection", &content))
}

/// Accepted, or refused with a code and a message.
fn outcome(reply: &Reply) -> Result<(), (&str, &str)> {
    if reply.status < 300 { Ok(()) } else { Err((reply.code(), reply.element("Message"))) }
}

#[test]
fn reserved_names_are_no_public_zones() {
    let vpc = "<VPC><VPCRegion>eu-west-1</VPCRegion><VPCId>vpc-0123abcd</VPCId></VPC>";
    compare("reserved_names", |client, is_kept| {
        for name in ["example.com", "www.Example.COM", "test"] {
            let reply = create_zone(client, name, "");
            let message = format!("{} is reserved by AWS!", name.to_lowercase());
            let expected = if is_kept { Err(("InvalidDomainName", message.as_str())) } else { Ok(()) };
            assert_eq!(outcome(&reply), expected, "{name}: {}", reply.body);
        }
        for (name, vpc) in [("notexample.com", ""), ("example.com", vpc), ("example.net", "")] {
            assert_eq!(outcome(&create_zone(client, name, vpc)), Ok(()), "{name}");
        }
    });
}

#[test]
fn health_checks_have_public_addresses() {
    compare("health_check_addresses", |client, is_kept| {
        let reply = create_check(client, "10.0.0.1", "30");
        let message = "Invalid parameter : The IP address 10.0.0.1 is forbidden";
        assert_eq!(outcome(&reply), if is_kept { Err(("InvalidInput", message)) } else { Ok(()) });
        let public = create_check(client, "1.2.3.4", "30");
        assert_eq!(outcome(&public), Ok(()));
        let path = format!("/healthcheck/{}", public.element("Id"));
        let updated = client.post(&path, &body("UpdateHealthCheck", "<IPAddress>10.0.0.1</IPAddress>"));
        assert_eq!(outcome(&updated), if is_kept { Err(("InvalidInput", message)) } else { Ok(()) });
    });
}

#[test]
fn request_intervals_are_10_and_30() {
    compare("request_intervals", |client, is_kept| {
        let reply = create_check(client, "1.2.3.4", "20");
        let message = "Invalid parameter : The request interval must be 10 or 30 seconds, not 20";
        assert_eq!(outcome(&reply), if is_kept { Err(("InvalidInput", message)) } else { Ok(()) });
        assert_eq!(reply.element("RequestInterval"), if is_kept { "" } else { "20" });
        assert_eq!(outcome(&create_check(client, "1.2.3.4", "10")), Ok(()));
        assert_eq!(outcome(&create_check(client, "1.2.3.4", "9")).unwrap_err().0, "InvalidInput", "in every mode");
    });
}

#[test]
fn cidr_blocks_have_24_and_48_bits() {
    compare("cidr_blocks", |client, is_kept| {
        let id = create_collection(client, "offices").element("Id").to_owned();
        let put = |block: &str| {
            let change = format!(
                "<LocationName>berlin</LocationName><Action>PUT</Action><CidrList><Cidr>{block}</Cidr></CidrList>"
            );
            let content = format!("<Changes><member>{change}</member></Changes>");
            client.post(&format!("/cidrcollection/{id}"), &body("ChangeCidrCollection", &content))
        };
        assert_eq!(outcome(&put("192.0.2.0/24")), Ok(()));
        for (block, longest) in [("198.51.100.7/32", 24), ("2001:db8::/64", 48)] {
            let reply = put(block);
            let message =
                format!("Invalid parameter : '{block}' is not a CIDR block with a prefix length of 1 to {longest}");
            let expected = if is_kept { Err(("InvalidInput", message.as_str())) } else { Ok(()) };
            assert_eq!(outcome(&reply), expected, "{}", reply.body);
        }
    });
}

#[test]
fn elements_are_in_the_order_of_the_reference() {
    compare("element_order", |client, is_kept| {
        let content = "<CallerReference>1</CallerReference><Name>order.test</Name>";
        let reply = client.post("/hostedzone", &body("CreateHostedZone", content));
        if is_kept {
            let (code, message) = outcome(&reply).unwrap_err();
            assert_eq!(code, "InvalidInput");
            let says = "Invalid XML ; cvc-complex-type.2.4.a: Invalid content was found starting with element 'Name'.";
            assert!(message.starts_with(says), "{message}");
        } else {
            assert_eq!(outcome(&reply), Ok(()));
        }
        assert_eq!(outcome(&create_zone(client, "right.test", "")), Ok(()));
    });
}

#[test]
fn requests_and_changes_are_throttled() {
    compare("throttling", |client, is_kept| {
        // The bucket with the fewest new tokens. A request that is wrong takes one too.
        let throttled = || client.post("/healthcheck", "<nothing/>").code() == "Throttling";
        let requests = if is_kept { MANY } else { 120 };
        assert_eq!((0..requests).any(|_| throttled()), is_kept);
        wait_for("another token", || (!throttled()).then_some(()));

        let set = |at: usize| {
            format!(
                "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>{at}.lab.test</Name><Type>A</Type><TTL>1</TTL>\
                 <ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>\
                 </ResourceRecordSet></Change>"
            )
        };
        let changes: String = (0..500).map(set).collect();
        let content =
            body("ChangeResourceRecordSets", &format!("<ChangeBatch><Changes>{changes}</Changes></ChangeBatch>"));
        let replies: Vec<Reply> = (0..4).map(|_| client.post("/hostedzone/Z0LAB/rrset", &content)).collect();
        let refused: Vec<_> = replies.iter().filter_map(|reply| outcome(reply).err()).collect();
        assert_eq!(refused.is_empty(), !is_kept, "{refused:?}");
        assert!(refused.iter().all(|error| *error == ("Throttling", "Rate exceeded")), "{refused:?}");
        assert!(replies.iter().all(|reply| reply.status == 200 || reply.status == 400));
    });
}

#[test]
fn an_account_has_quotas() {
    compare("quotas", |client, is_kept| {
        for at in 0..5 {
            assert_eq!(outcome(&create_collection(client, &format!("c{at}"))), Ok(()));
        }
        let message = "Limits Exceeded: Cannot create more CIDR collections.";
        let sixth = create_collection(client, "c5");
        assert_eq!(outcome(&sixth), if is_kept { Err(("LimitsExceeded", message)) } else { Ok(()) });
        assert_eq!(outcome(&create_collection(client, "c4")), Ok(()), "the same request again creates nothing");
    });
}

#[test]
fn requests_at_the_same_time_cannot_exceed_a_quota_together() {
    let (_lab, _running, client) = server("['quotas']");
    // A busy machine may be late. The same request again creates nothing twice.
    let is_final = |reply: &Reply| reply.code() != "ServiceUnavailable";
    let create = &|at: usize| {
        let replies = std::iter::repeat_with(|| create_collection(&client, &format!("c{at}")));
        replies.take(100).find(is_final).unwrap()
    };
    let replies: Vec<Reply> = thread::scope(|scope| {
        let requests: Vec<_> = (0..8).map(|at| scope.spawn(move || create(at))).collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    let refused: Vec<_> = replies.iter().filter_map(|reply| outcome(reply).err()).collect();
    assert_eq!(refused, [("LimitsExceeded", "Limits Exceeded: Cannot create more CIDR collections."); 3]);
    assert_eq!(client.get("/cidrcollection").body.matches("<Id>").count(), 5);
}

#[test]
fn one_switch_and_one_flag_turn_all_rules_on() {
    let all = "    strict: reserved_names, health_check_addresses, request_intervals, cidr_blocks, element_order, \
               throttling, quotas\n";
    let (_lab, running, client) = server("true");
    assert!(running.stdout().contains(all), "{}", running.stdout());
    assert_eq!(create_zone(&client, "example.com", "").code(), "InvalidDomainName");

    let lab = Lab::new(&[]);
    let running = lab.serve_with(&["--api", "127.0.0.1:0", "--strict"], &[]);
    let client = Client::of(&running, "test", "test");
    assert!(running.stdout().contains(all), "{}", running.stdout());
    assert_eq!(create_check(&client, "127.0.0.1", "30").code(), "InvalidInput");

    let output = Lab::new(&[]).run(&["serve", "--strict"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("--strict needs the Route 53 API"), "{text}");
}
