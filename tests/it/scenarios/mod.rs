//! Behaviour as data: each file in a topic directory is one scenario. It begins with the rule of
//! Route 53 or of an RFC that it shows.
//!
//! A scenario has zone files as users write them, then steps: observations of health checks, edits
//! of the zone files, and queries with the expected responses ([`format`] has every key). Each
//! scenario runs three times, always on the bytes of DNS messages:
//!
//! - **pure**: zone files → config → health tracker → compiled zones → world → responder, with
//!   simulated time and seeded random numbers. An answer that allocates fails.
//! - **through sockets**: the same worlds behind the real UDP and TCP sockets of the server on
//!   loopback. The client is bound to the source address of the step. Health comes from the same
//!   tracker, without probes: a probe needs seconds for a status change, and probes have their own
//!   tests.
//! - **through hickory-server**: the same with UDP served by the portable implementation, so that
//!   both give equal answers.
//!
//! hickory-proto parses the responses, so our encoder does not judge itself. A step with a source
//! address outside loopback runs only pure; `cargo test -- --nocapture` prints the number of those.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test an unwrap is an assertion, and its output is captured"
)]

mod check;
mod format;
mod lab;
mod message;
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use fiftythree::serve::UdpPath;
use format::Scenario;
use run::{Outcome, Way};

/// One test per topic, so that a topic can be run by name, and a list of all.
macro_rules! topics {
    ($($topic:ident),* $(,)?) => {
        const TOPICS: &[&str] = &[$(stringify!($topic)),*];
        $(#[test] fn $topic() { run_topic(stringify!($topic)); })*
    };
}

topics! {
    additional, alias, any, cname, delegation, edns_client_subnet, failover, geolocation, geoproximity, health, ip_based,
    latency, multivalue, names, negative, private_zones, record_groups, simple, trees, weighted, wildcards,
}

#[test]
fn every_directory_is_a_topic() {
    let mut directories: Vec<String> =
        entries(&home()).iter().filter(|path| path.is_dir()).map(|path| stem(path)).collect();
    directories.sort();
    assert_eq!(directories, TOPICS);
}

#[test]
fn a_typo_in_a_scenario_is_an_error() {
    let text = "rule = 'r'\nzones = []\n[[step]]\nquery = 'lab.test A'\nexpect = { anwser = [] }";
    let error = toml::from_str::<Scenario>(text).unwrap_err().to_string();
    assert!(error.contains("anwser"), "{error}");
}

/// The runner must be able to fail: each of these expectations is wrong in one way.
#[test]
fn a_wrong_expectation_fails() {
    let zone =
        "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1', '192.0.2.2']\n";
    let wrong = [
        ("rcode = 'NXDOMAIN'", "rcode"),
        ("aa = false, count = 2", "AA"),
        ("tc = true", "TC"),
        ("answer = []", "answer"),
        ("answer = ['www.lab.test. 60 A 192.0.2.1']", "answer"),
        ("answer = ['www.lab.test. 61 A 192.0.2.1', 'www.lab.test. 60 A 192.0.2.2']", "answer"),
        ("answer_from = ['www.lab.test. 60 A 192.0.2.1']", "answer"),
        ("count = 1", "count"),
        ("count = 2, authority = []", "authority"),
        ("count = 2, additional = []", "additional"),
        ("count = 2, scope = 1", "scope"),
        ("count = 2, scope_at_least = 1", "scope"),
        ("count = 2, client_subnet = false", "client subnet"),
        ("count = 2 }\ndraws = 100\nshares = { '192.0.2.1' = 0.5", "share"),
        ("count = 2 }\ndraws = 100\nfirsts = { '192.0.2.1' = 0.9", "first places"),
        ("count = 2 }\nshares = { '192.0.2.1' = 1.0", "draws"),
        ("", "nothing"),
    ];
    for (expect, about) in wrong {
        let step = format!("[[step]]\nquery = 'www.lab.test A'\nsubnet = '203.0.113.0/24'\nexpect = {{ {expect} }}");
        let text = format!("rule = 'r'\nzones = [\"\"\"\n{zone}\"\"\"]\n{step}");
        let scenario: Scenario = toml::from_str(&text).unwrap();
        let failure = run::run(&scenario, Way::Pure).expect_err(expect);
        assert!(failure.contains(about), "{expect}: {failure}");
    }
}

/// Runs every file of a topic in all ways. A failure does not hide the next.
fn run_topic(topic: &str) {
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let (mut failures, mut ran, mut steps_not_on_loopback) = (Vec::new(), 0, 0);
    for path in entries(&home().join(topic)) {
        let name = format!("{topic}/{}", stem(&path));
        if !name.contains(&wanted) {
            continue;
        }
        ran += 1;
        match run_file(&path) {
            Ok(outcome) => steps_not_on_loopback += outcome.steps_not_on_loopback,
            Err(failure) => failures.push(format!("{name}\n{failure}")),
        }
    }
    println!("{topic}: {ran} scenarios, {} failed, {steps_not_on_loopback} steps ran only purely", failures.len());
    assert!(failures.is_empty(), "{} of {ran} scenarios failed\n\n{}", failures.len(), failures.join("\n"));
}

fn run_file(path: &Path) -> Result<Outcome, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let scenario: Scenario = toml::from_str(&text).map_err(|error| error.to_string())?;
    let told = |way: &str, failure: String| format!("  shows: {}\n  {way}: {failure}", scenario.rule);
    run::run(&scenario, Way::Pure).map_err(|failure| told("pure", failure))?;
    let portable = run::run(&scenario, Way::Sockets(UdpPath::Portable));
    portable.map_err(|failure| told("through hickory-server", failure))?;
    run::run(&scenario, Way::Sockets(UdpPath::default())).map_err(|failure| told("through sockets", failure))
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// The topics or scenarios in a directory, by name.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}
