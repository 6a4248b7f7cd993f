//! Behaviour as data: each file under a topic is one scenario, headed by the rule of Route 53 or of an RFC that it shows.
//!
//! A scenario is zone text as users write it, then steps: observations of health checks, edits of the zone files, and
//! queries with what must come back ([`format`] has every key). Each runs twice, on the bytes of DNS messages both times:
//!
//! - **pure**: text → config → health tracker → compiled zones → world → responder, with invented time and seeded dice;
//! - **through sockets**: the same worlds behind the server's own UDP and TCP sockets on loopback, asked by a client that is
//!   bound to the source address of the step. Health is published from the same tracker rather than probed: a probe needs
//!   seconds to make up its mind, and what probing sees has tests of its own.
//!
//! hickory-proto reads the answers, so that our encoder is never its own judge. A step whose source address is not on
//! loopback can only run purely; the count of those stands in the output of `cargo test -- --nocapture`.

mod check;
mod format;
mod lab;
mod message;
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use format::Scenario;
use run::{Outcome, Way};

/// A test for every topic, so that one topic can be run by name, and a list of them all.
macro_rules! topics {
    ($($topic:ident),* $(,)?) => {
        const TOPICS: &[&str] = &[$(stringify!($topic)),*];
        $(#[test] fn $topic() { run_topic(stringify!($topic)); })*
    };
}

topics! {
    additional, alias, any, cname, delegation, edns_client_subnet, failover, geolocation, geoproximity, health, ip_based,
    latency, multivalue, names, negative, private_zones, simple, trees, weighted, wildcards,
}

#[test]
fn every_directory_is_a_topic() {
    let mut directories: Vec<String> =
        entries(&home()).iter().filter(|path| path.is_dir()).map(|path| stem(path)).collect();
    directories.sort();
    assert_eq!(directories, TOPICS);
}

/// Runs every file of a topic both ways; one that fails does not hide the next.
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
    run::run(&scenario, Way::Sockets).map_err(|failure| told("through sockets", failure))
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// What is in a directory and is a topic or a scenario, by name.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}
