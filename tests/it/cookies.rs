//! DNS cookies of the real binary, and the commands that replace their secrets.

use std::fs;
use std::net::{SocketAddr, UdpSocket};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};

use crate::server::{Lab, PATIENCE, text, wait_for};

const ZONE: &str = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";
const COOKIE: u16 = 10;

/// The cookie in the response to a query with this one.
fn cookie_from(server: SocketAddr, cookie: &[u8]) -> Vec<u8> {
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii("www.lab.test.").unwrap(), RecordType::A));
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::Unknown(COOKIE, cookie.to_vec()));
    message.set_edns(edns);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(&message.to_vec().unwrap(), server).unwrap();
    let mut buffer = [0; 4096];
    let octets = client.recv(&mut buffer).unwrap();
    let response = Message::from_vec(&buffer[..octets]).unwrap();
    match response.edns.unwrap().option(EdnsCode::Cookie) {
        Some(EdnsOption::Unknown(COOKIE, cookie)) => cookie.clone(),
        other => panic!("no cookie: {other:?}"),
    }
}

#[test]
fn the_server_makes_a_secret_and_takes_the_next_one_while_it_runs() {
    let lab = Lab::new(&[("lab.toml", ZONE)]);
    let server = lab.serve();
    let command = |verb: &str| {
        let output = lab.run(&["cookie-secret", verb, "--config", "fiftythree.toml"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let first = cookie_from(server.address, &[7; 8]);
    assert_eq!(cookie_from(server.address, &first), first, "a fresh cookie stays");
    let made = command("list");
    assert!(made.starts_with("active  ") && made.lines().count() == 1, "{made}");

    let added = command("add");
    assert_eq!(added.lines().next(), made.lines().next());
    let activated = command("activate");
    let digits = |text: &str| text.lines().map(|line| line.split_once("  ").unwrap().1.to_owned()).collect::<Vec<_>>();
    assert_eq!(digits(&activated), digits(&added).into_iter().rev().collect::<Vec<_>>());
    // The cookie of the previous secret is valid, and replaced.
    let second = wait_for("a cookie of the new secret", || {
        Some(cookie_from(server.address, &first)).filter(|cookie| *cookie != first)
    });
    assert_eq!(cookie_from(server.address, &second), second);
    assert_eq!(digits(&command("drop")), digits(&activated)[..1]);

    // Damage changes nothing.
    fs::write(lab.path("state/cookie-secrets"), "nonsense").unwrap();
    server.wait_for_log("are not usable: a secret must have 32 hexadecimal digits; the previous ones stay in force");
    assert_eq!(cookie_from(server.address, &second), second);
}

#[test]
fn a_named_file_is_used_and_what_is_impossible_is_refused() {
    let lab = Lab::new(&[("lab.toml", ZONE)]);
    lab.add_settings("[cookies]\nsecrets_file = 'secrets'\n");
    let run = |arguments: &[&str]| {
        let output = lab.run(&[&["cookie-secret"], arguments].concat());
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    assert_eq!(run(&["list"]), (Some(1), "error: there are no secrets; add one, or start the server\n".to_owned()));
    let secret = "445536bcd2513298075a5d379663c962";
    assert_eq!(run(&["add", secret]), (Some(0), format!("active  {secret}\n")));
    assert_eq!(run(&["drop"]), (Some(1), "error: there is no second secret; add one first\n".to_owned()));
    assert_eq!(run(&["add", secret]), (Some(1), "error: this secret is in use already\n".to_owned()));
    let (_, json) = run(&["list", "--json"]);
    assert!(json.contains(&format!("\"active\": \"{secret}\"")), "{json}");
    assert_eq!(fs::read_to_string(lab.path("secrets")).unwrap(), format!("{secret}\n"));
    let server = lab.serve();
    let cookie = cookie_from(server.address, &[7; 8]);
    drop(server);
    // Another server with the same secret accepts it: it returns the same one.
    let other = lab.serve();
    assert_eq!(cookie_from(other.address, &cookie), cookie);
}
