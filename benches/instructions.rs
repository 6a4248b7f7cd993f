//! Instructions per answer, counted by valgrind: one packet in, one packet out.
//!
//! `cargo bench --bench instructions` prints the table of docs/performance.md. It needs valgrind.
//! Words after `--` select rows: `cargo bench --bench instructions -- weighted alias`. Times vary
//! with the load of the machine; instruction counts are exactly repeatable. Each row is the
//! difference of two runs of one kind of query, one with twice as many queries, so the work before
//! the first answer cancels out. For details run the binary under callgrind: `valgrind
//! --tool=callgrind target/release/deps/instructions-… --answer weighted same 20000`, then
//! `callgrind_annotate`.
//!
//! `cargo test --bench instructions` answers each kind a few times and counts nothing.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

mod support;

use std::env;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use fiftythree::answer::Timestamp;
use fiftythree::cookie_secrets::{CookieSecret, CookieSecrets};
use fiftythree::serve::{
    Cookies, MAX_UDP_OCTETS, RateLimit, RateLimitSettings, Received, Requestor, Responder, ResponderSettings,
};
use support::{TYPE_A, city, query, received, responder, zones};

/// The number of networks affects instructions only by a few steps of a search; it affects time
/// much more.
const NETWORKS: u32 = 20_000;
/// Other names in the zone.
const NAMES: u32 = 100;
/// Counts only inside of this function: building the world takes some instructions more or fewer
/// each time, because hash tables have random seeds.
const RESPOND: &str = "--toggle-collect=fiftythree::serve::respond::Responder::respond";
/// Different packets per kind.
const PACKETS: usize = 256;
/// The number of answers in the shorter run.
const ANSWERS: usize = 10_000;

/// A group of a hundred over a large collection; its clients come from all over the collection.
const LARGE: &str = "g7";

/// A query for a plain name, from one of so many sources that are no loopback.
const LIMITED: &str = "limited";
const SOURCES: u32 = 100_000;
/// The same with a valid cookie, from one source.
const COOKIE: &str = "cookie";

/// Queries other than the policies.
const OTHERS: [(&str, &str); 9] = [
    ("nobody", "a name that is not there"),
    ("x.wild", "wildcard"),
    ("docs", "CNAME to an address"),
    ("www.child", "referral"),
    ("h7", "one of many plain names"),
    ("ns1", "the name server's address"),
    (LARGE, "IP-based, of 100 over 100 000 networks"),
    (LIMITED, "one of many plain names, with rate limiting"),
    (COOKIE, "one of many plain names, with a valid cookie"),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [mode, name, clients, answers] = &arguments[..]
        && mode == "--answer"
    {
        return answer(name, Clients::read(clients), answers.parse().expect("a number of answers"));
    }
    if arguments.iter().any(|argument| argument == "--bench") {
        let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
        let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name);
        return count(kinds().filter(|(name, _)| chosen(name)));
    }
    for (name, _) in kinds() {
        answer(name, Clients::Same, 10);
        answer(name, Clients::Random, 10);
    }
}

/// The clients of the queries.
#[derive(Clone, Copy)]
enum Clients {
    /// Always the same client, without a client subnet.
    Same,
    /// Clients from all over the database, by client subnet.
    Random,
}

impl Clients {
    fn read(word: &str) -> Clients {
        if word == "same" { Clients::Same } else { Clients::Random }
    }

    fn word(self) -> &'static str {
        match self {
            Clients::Same => "same",
            Clients::Random => "random",
        }
    }
}

fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    zones::POLICIES.into_iter().chain(OTHERS)
}

fn answer(name: &str, clients: Clients, answers: usize) {
    match name {
        LIMITED => return answer_limited(clients, answers),
        COOKIE => return answer_with_cookie(answers),
        _ => {}
    }
    let (zone, networks) = match name {
        LARGE => (zones::large_collection(10), zones::COLLECTION_NETWORKS / 17 * 16),
        _ => (zones::every_policy(NAMES), NETWORKS),
    };
    let world = support::world("", &[zone], vec![city::database(NETWORKS)]);
    let mut responder = responder();
    let mut rng = fastrand::Rng::with_seed(53);
    let name = format!("{name}.{}", zones::ZONE);
    let is_large = name.starts_with(LARGE);
    let mut client = || match clients {
        Clients::Same => None,
        Clients::Random if is_large => Some(zones::collection_network(rng.u32(..networks)).into()),
        Clients::Random => Some(city::client(networks, &mut rng)),
    };
    let packets: Vec<Vec<u8>> = (0..PACKETS).map(|_| query(&name, TYPE_A, client())).collect();
    let mut out = [0; MAX_UDP_OCTETS];
    for packet in packets.iter().cycle().take(answers) {
        let octets = responder.respond(&world, &received(packet), &mut out);
        assert!(octets > packet.len(), "an answer is longer than its question");
    }
}

/// Answers within the limit of their source, from one source or from all of them in turn. Time
/// passes as at 10 000 queries a second.
fn answer_limited(clients: Clients, answers: usize) {
    let limits = RateLimitSettings {
        rate: 100_000,
        instant: 100_000,
        slip: 1,
        dry_run: false,
        allow: Vec::new(),
        tcp_time: Duration::ZERO,
    };
    let rate_limit = Some(RateLimit::new(limits).expect("the system has random numbers"));
    let mut responder = Responder::new(ResponderSettings { rate_limit, ..ResponderSettings::default() }, 53);
    let world = support::world("", &[zones::every_policy(NAMES)], Vec::new());
    let packet = query(&format!("h7.{}", zones::ZONE), TYPE_A, None);
    let mut out = [0; MAX_UDP_OCTETS];
    for number in (0..u32::MAX).take(answers) {
        let source = match clients {
            Clients::Same => 7,
            // Coprime to their number, so it comes to all of them.
            Clients::Random => number.wrapping_mul(7919) % SOURCES,
        };
        let at = Timestamp(Duration::from_micros(u64::from(number / 64) * 6400));
        let requestor = Requestor::at(Ipv4Addr::from_bits(0x0a00_0000 + source * 61).into());
        let octets = responder.respond(&world, &Received::new(&packet, requestor, at), &mut out);
        assert!(octets > packet.len(), "an answer is longer than its question");
    }
}

fn answer_with_cookie(answers: usize) {
    let secret = CookieSecret::generate().expect("the system has random numbers");
    let cookies = Some(Cookies::new(CookieSecrets::of(secret)));
    let mut responder = Responder::new(ResponderSettings { cookies, ..ResponderSettings::default() }, 53);
    let world = support::world("", &[zones::every_policy(NAMES)], Vec::new());
    let with = |cookie: &[u8]| {
        let mut packet = query(&format!("h7.{}", zones::ZONE), TYPE_A, None);
        let octets = u8::try_from(cookie.len()).expect("a cookie is short");
        packet.truncate(packet.len() - 2);
        packet.extend([0, 4 + octets, 0, 10, 0, octets]);
        packet.extend(cookie);
        packet
    };
    let mut out = [0; MAX_UDP_OCTETS];
    let octets = responder.respond(&world, &received(&with(&[7; 8])), &mut out);
    // The cookie is the last option, and OPT the last record.
    let packet = with(&out[octets - 24..octets]);
    for _ in 0..answers {
        let octets = responder.respond(&world, &received(&packet), &mut out);
        assert!(out[..octets].ends_with(&packet[packet.len() - 24..]), "a valid cookie comes back");
    }
}

fn count(kinds: impl Iterator<Item = (&'static str, &'static str)>) {
    println!("| answer | instructions, one client | clients all over a database |");
    println!("|---|---|---|");
    for (name, what) in kinds {
        let each = [Clients::Same, Clients::Random].map(|clients| {
            let [fewer, more] = [ANSWERS, 2 * ANSWERS].map(|answers| instructions(name, clients, answers));
            (more - fewer) / ANSWERS as u64
        });
        println!("| {what} | {} | {} |", each[0], each[1]);
    }
}

/// The instructions of a process with this many answers.
fn instructions(name: &str, clients: Clients, answers: usize) -> u64 {
    let binary = env::current_exe().expect("a process knows its binary");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", RESPOND])
        .arg(binary)
        .args(["--answer", name, clients.word(), &answers.to_string()])
        .output()
        .expect("valgrind is installed: apt-get install valgrind");
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    collected.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("valgrind counts nothing: {said}"))
}
