//! Inputs that felled other DNS servers, one test each, with the advisory that described it.
//!
//! Inputs to protocols that this server does not speak (TLS, HTTPS, QUIC, recursion) are not here.
//! The front of the HTTP listener has its limits tested in `src/http`.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fiftythree::answer::Timestamp;
use fiftythree::cookie_secrets::{CookieSecret, CookieSecrets};
use fiftythree::serve::{Cookies, MAX_TCP_OCTETS, Received, Requestor, Responder, ResponderSettings, Transport};
use fiftythree::world::World;
use hickory_proto::op::{Message, ResponseCode};
use proptest::prelude::*;

use crate::server::{self, Lab, PATIENCE, text};
use crate::support;

const ZONE: &str = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";

fn lab_world() -> World {
    support::world("", &[ZONE.to_owned()], Vec::new())
}

fn requestor() -> Requestor {
    Requestor::new(SocketAddr::new(Ipv4Addr::new(203, 0, 113, 7).into(), 4242), Transport::Udp)
}

fn responder() -> Responder {
    let secret = CookieSecret::generate().unwrap();
    let cookies = Some(Cookies::new(CookieSecrets::of(secret)));
    Responder::new(ResponderSettings { cookies, chaos: true, ..ResponderSettings::default() }, 53)
}

/// The response at this second; empty if there is none.
fn respond_at(responder: &mut Responder, world: &World, packet: &[u8], second: u64) -> Vec<u8> {
    let mut out = vec![0; MAX_TCP_OCTETS];
    let at = Timestamp(Duration::from_secs(second));
    let octets = responder.respond(world, &Received::new(packet, requestor(), at), &mut out);
    out.truncate(octets);
    out
}

fn respond(responder: &mut Responder, world: &World, packet: &[u8]) -> Vec<u8> {
    respond_at(responder, world, packet, 1_800_000_000)
}

/// A header with these counts and one question for www.lab.test.
fn question(opcode: u8, qtype: u16, class: u16, counts: [u16; 3]) -> Vec<u8> {
    let mut packet = vec![0x53, 0x53, opcode << 3, 0, 0, 1];
    packet.extend(counts.map(u16::to_be_bytes).concat());
    packet.extend(b"\x03www\x03lab\x04test\0");
    packet.extend([qtype, class].map(u16::to_be_bytes).concat());
    packet
}

/// BIND, CVE-2026-5946.
#[test]
fn every_class_opcode_and_type_gets_a_response_or_silence() {
    let (world, mut responder) = (lab_world(), responder());
    let types: Vec<u16> = (0..=261).chain([32_768, 32_769, 65_280, 65_535]).collect();
    for class in [0, 1, 2, 3, 4, 5, 254, 255, 256, 65_535] {
        for opcode in 0..16 {
            for &qtype in &types {
                let packet = question(opcode, qtype, class, [0; 3]);
                let response = Message::from_vec(&respond(&mut responder, &world, &packet)).unwrap();
                let is_answered = response.response_code == ResponseCode::NoError;
                assert!(!is_answered || (class, opcode) == (1, 0), "class {class}, opcode {opcode}, type {qtype}");
            }
        }
    }
}

/// NSD (CVE-2026-12244, CVE-2026-12246) and BIND (CVE-2025-13878): crafted SVCB, huge APL,
/// malformed BRID and HHIT in a zone.
#[test]
fn hostile_record_data_in_a_zone_are_errors_of_their_lines() {
    let parameters: String = (1..2000).map(|key| format!(" key{key}=\\\"{}\\\"", "x".repeat(30))).collect();
    let values = [
        ("SVCB", "1 . mandatory=alpn,alpn,port".to_owned()),
        ("SVCB", format!("1 .{parameters}")),
        ("HTTPS", "1 . ipv4hint=".to_owned() + &vec!["192.0.2.1"; 20_000].join(",")),
        ("HTTPS", "1 . key65535=\\\"\\\"".to_owned()),
        ("SVCB", "0 www.lab.test. alpn=h2 ech=!!!!".to_owned()),
        ("TXT", format!("\\\"{}\\\"", "x".repeat(70_000))),
        ("CAA", "256 issue \\\"ca.test\\\"".to_owned()),
        ("NAPTR", "1 1 \\\"u\\\" \\\"x\\\" \\\"!((((((((((.*)*)*)*)*)*)*)*)*)*!x!\\\" .trailing".to_owned()),
        ("APL", vec!["1:192.0.2.0/24"; 10_000].join(" ")),
        ("BRID", "AAAA".to_owned()),
        ("HHIT", "AAAA".to_owned()),
        ("TYPE65280", "\\\\# 3 abcdef".to_owned()),
    ];
    for (record_type, value) in values {
        let record = format!("[[record]]\nname = 'x'\ntype = '{record_type}'\nttl = 60\nvalues = [\"{value}\"]\n");
        let lab = Lab::new(&[("lab.toml", &format!("{ZONE}{record}"))]);
        let began = Instant::now();
        let output = lab.run(&["check"]);
        let said = text(&output.stdout) + &text(&output.stderr);
        let start: String = value.chars().take(40).collect();
        assert_eq!(output.status.code(), Some(1), "{record_type} {start}: {said}");
        assert!(said.contains("lab.toml") && !said.contains("panicked"), "{record_type} {start}: {said}");
        assert!(began.elapsed() < PATIENCE, "{record_type} {start}");
    }
}

/// NSD: a very long CNAME chain, and circles.
#[test]
fn a_long_chain_of_cnames_ends() {
    use std::fmt::Write as _;
    let mut zone = ZONE.to_owned();
    let mut cname = |name: &str, target: &str| {
        let _ =
            write!(zone, "[[record]]\nname = '{name}'\ntype = 'CNAME'\nttl = 60\nvalues = ['{target}.lab.test.']\n");
    };
    (0..2000).for_each(|link| cname(&format!("c{link}"), &format!("c{}", link + 1)));
    cname("c2000", "www");
    cname("self", "self");
    cname("one", "other");
    cname("other", "one");
    let (world, mut responder) = (support::world("", &[zone], Vec::new()), responder());
    for (label, at_least) in [("c0", 8), ("c1999", 3), ("self", 1), ("one", 2)] {
        let mut packet = vec![0x53, 0x53, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.as_bytes());
        packet.extend(b"\x03lab\x04test\0\0\x01\0\x01\0\0\x29\x10\0\0\0\0\0\0\0");
        let response = Message::from_vec(&respond(&mut responder, &world, &packet)).unwrap();
        let answers = response.answers.len();
        assert!((at_least..64).contains(&answers) || response.truncation, "{label}: {answers}");
    }
}

/// NSD and PowerDNS: cookies whose timestamp is beyond 2038, or wraps.
#[test]
fn cookies_work_after_2038_and_2106() {
    let (world, mut responder) = (lab_world(), responder());
    for second in [1_800_000_000, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 6_000_000_000] {
        let ask = |responder: &mut Responder, cookie: &[u8], second| {
            let mut packet = question(0, 1, 1, [0, 0, 1]);
            let octets = u8::try_from(cookie.len()).unwrap();
            packet.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 4 + octets, 0, 10, 0, octets]);
            packet.extend(cookie);
            let response = respond_at(responder, &world, &packet, second);
            response[response.len() - 24..].to_vec()
        };
        let cookie = ask(&mut responder, &[7; 8], second);
        // A valid cookie that is not half an hour old comes back as it is.
        assert_eq!(ask(&mut responder, &cookie, second + 1000), cookie, "{second}");
        assert_ne!(ask(&mut responder, &cookie, second + 4000), cookie, "{second}");
    }
}

/// hickory-proto (RUSTSEC-2026-0119) and PowerDNS (CVE-2026-52682): packets whose decoding costs
/// the square of their length.
#[test]
fn the_longest_packets_are_decoded_in_time() {
    const LONGEST: usize = 4096;
    let (world, mut responder) = (lab_world(), responder());
    // Pointers to pointers.
    let mut pointers = vec![0x53, 0x53, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    while pointers.len() < LONGEST - 2 {
        let target = u16::try_from(pointers.len()).unwrap() + 2;
        pointers.extend((0xc000 | target).to_be_bytes());
    }
    // As many records and options as fit.
    let mut records = question(0, 1, 1, [0, 0, u16::MAX]);
    while records.len() < LONGEST - 11 {
        records.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\0");
    }
    let mut options = question(0, 1, 1, [0, 0, 1]);
    let octets = u16::try_from(LONGEST - options.len() - 11).unwrap() / 4 * 4;
    options.extend(b"\0\0\x29\x10\0\0\0\0\0");
    options.extend(octets.to_be_bytes());
    options.extend([0, 10, 0, 0].repeat(usize::from(octets) / 4));
    let labels = [vec![0x53, 0x53, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], [1, b'x'].repeat(2000)].concat();
    let questions = [vec![0x53, 0x53, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 1].repeat(800)].concat();
    let began = Instant::now();
    for packet in [pointers, records, options, labels, questions] {
        for _ in 0..2000 {
            respond(&mut responder, &world, &packet);
        }
    }
    // Without optimisation, on a busy machine: a millisecond each. The square of 4096 would take
    // minutes.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// BIND (CVE-2026-5947) and PowerDNS (CVE-2026-42002): SIG(0), TSIG and TKEY during a flood.
#[test]
fn signatures_cost_no_more_than_other_queries() {
    let (world, mut responder) = (lab_world(), responder());
    let sig0 = b"\0\0\x18\0\xff\0\0\0\0\0\x1f\0\0\x0d\0\0\0\0\0\x53\0\0\0\x53\0\0\0\x12\x34\x03key\0signature";
    let tsig = b"\x03key\0\0\xfa\0\xff\0\0\0\0\0\x18\x04hmac\0TIMESTFU\0\x02MAID\0\0\0\0";
    let tkey = b"\x03key\0\0\xf9\0\xff\0\0\0\0\0\0";
    let with = |record: &[u8]| [&question(0, 1, 1, [0, 0, 1]), record].concat();
    for (packet, expected) in [
        (with(sig0), ResponseCode::NoError),
        (with(tsig), ResponseCode::NotAuth),
        (with(tkey), ResponseCode::NoError),
        (question(0, 249, 255, [0; 3]), ResponseCode::Refused),
        (question(0, 249, 1, [0; 3]), ResponseCode::NotImp),
    ] {
        let mut out = vec![0; MAX_TCP_OCTETS];
        let received = Received::new(&packet, requestor(), Timestamp::default());
        responder.respond(&world, &received, &mut out);
        let allocations = allocation_counter::measure(|| {
            for _ in 0..1000 {
                responder.respond(&world, &received, &mut out);
            }
        });
        assert_eq!(allocations.count_total, 0);
        let octets = responder.respond(&world, &received, &mut out);
        assert_eq!(Message::from_vec(&out[..octets]).unwrap().response_code, expected);
    }
}

/// hickory (#3883, #3906): a connection that never sends anything and holds the loop that accepts.
#[test]
fn silent_connections_hold_nobody_up() {
    let lab = Lab::new(&[("lab.toml", ZONE)]);
    let running = lab.serve();
    let connect = || TcpStream::connect(running.address).unwrap();
    let silent: Vec<TcpStream> = (0..60).map(|_| connect()).collect();
    let mut half = connect();
    half.write_all(&[0, 30, 0x53]).unwrap();
    let began = Instant::now();
    assert_eq!(running.ask("www.lab.test.", server::Transport::Tcp).addresses, ["192.0.2.1"]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(silent);
    // What was half sent is answered when the rest arrives.
    let packet = question(0, 1, 1, [0; 3]);
    assert_eq!(packet.len(), 30);
    half.write_all(&packet[1..]).unwrap();
    half.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut length = [0; 2];
    half.read_exact(&mut length).unwrap();
    assert!(u16::from_be_bytes(length) > 30);
}

proptest! {
    /// Any option, also ones that are cut or repeated, gets a response that fits.
    #[test]
    fn any_edns_options_get_a_response(
        options in prop::collection::vec((0u16..20, prop::collection::vec(any::<u8>(), 0..50)), 0..10), size: u16,
    ) {
        let mut packet = question(0, 1, 1, [0, 0, 1]);
        let data: Vec<u8> = options.iter().flat_map(|(code, data)| {
            [&code.to_be_bytes(), &u16::try_from(data.len()).unwrap().to_be_bytes(), data.as_slice()].concat()
        }).collect();
        packet.extend([0, 0, 41]);
        packet.extend(size.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        packet.extend(data);
        let response = respond(&mut responder(), &lab_world(), &packet);
        prop_assert!(response.len() <= usize::from(size.clamp(512, 1232)));
        let response = Message::from_vec(&response).unwrap();
        prop_assert!(matches!(response.response_code, ResponseCode::NoError | ResponseCode::FormErr));
    }
}
