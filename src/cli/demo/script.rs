//! `fiftythree demo --script`: a fixed sequence of steps. Each is measured and compared with what
//! is expected.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::shapes::{HealthShape, StatusShape};
use crate::cli::query::{Asker, Request, Type, outcome, question};
use crate::cli::watch::input::{self, Input};
use crate::cli::watch::model::checks::{Check, StatusChange};
use crate::cli::{Form, print};
use crate::model::{Name, RecordType};

use super::environment::Environment;
use super::scenario::{APP, INTERVAL_S, NEAR, PLACES, SHOP, SITES, THRESHOLD, WEIGHTS};

/// The interval between two queries while it waits for an answer: the precision of the
/// measurements.
const STEP: Duration = Duration::from_millis(10);
/// The timeout of each of two tries.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Three results in a row, a second apart, take at most three seconds; the rest is for busy
/// machines.
const STATUS_CHANGE: Duration = Duration::from_secs(THRESHOLD * INTERVAL_S + 2);
/// An edited file is read after a quarter of a second without another edit; the rest is for busy
/// machines.
const RELOAD: Duration = Duration::from_secs(2);
/// A step fails after this time.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// The number of queries that measure shares.
const DRAWS: u32 = 600;
/// A share of `DRAWS` draws differs by more than this once in 10 000 times: four times √(0.25 /
/// 600).
const TOLERANCE: f64 = 0.082;
/// This many equal answers in a row that a share of one in three gives them once in 10¹⁰ times.
const CERTAIN: usize = 20;

/// A running script.
struct Script {
    environment: Environment,
    form: Form,
    began: Instant,
    inputs: Receiver<Input>,
    measured: Vec<Measured>,
}

/// A measured step and what was expected.
#[derive(Clone, Debug)]
struct Measured {
    what: &'static str,
    took: Option<Duration>,
    expected: Expected,
    is_as_expected: bool,
}

/// What is expected of a step.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Within(Duration),
    Answers(&'static str),
}

/// Runs all steps. Returns whether all were as expected.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let (sender, inputs) = input::channel();
    input::listen_for_signals(sender)?;
    let began = Instant::now();
    let environment = Environment::open()?;
    let mut script = Script { environment, form, began, inputs, measured: Vec::new() };
    script.run()?;
    script.end()?;
    Ok(script.measured.iter().all(|measured| measured.is_as_expected))
}

impl Script {
    fn run(&mut self) -> anyhow::Result<()> {
        self.introduce()?;
        self.expect("app answers its primary", APP, "berlin")?;
        self.primary_stops()?;
        self.primary_comes_back()?;
        self.weights_change()?;
        self.client_moves()?;
        self.all_stop()?;
        self.all_come_back()
    }

    fn introduce(&self) -> anyhow::Result<()> {
        let took = self.began.elapsed().as_secs_f64();
        let (dig, server) = (self.environment.dig(), self.environment.server());
        self.say("started", &format!("a server on {server} and four backends, after {took:.1} s; also try: {dig}"))?;
        self.say("names", "app.demo.test is failover (berlin, then dublin), shop.demo.test weighted 6 : 3 : 1, near.demo.test geolocation")?;
        self.say(
            "checks",
            &format!("each probes its backend every {INTERVAL_S} s; {THRESHOLD} results in a row change its status"),
        )
    }

    fn primary_stops(&mut self) -> anyhow::Result<()> {
        let (stopped, clock) = (Instant::now(), Timestamp::now());
        self.environment.stop(0);
        self.say("stopped", "berlin: its port and its connections are closed")?;
        let took = self.wait_for(APP, "dublin", stopped)?;
        self.print_steps(clock, StatusShape::Unhealthy)?;
        self.measure("failover: berlin stops, dublin answers", took, Expected::Within(STATUS_CHANGE))?;
        self.expect("a client in Munich is sent to the default", NEAR, "dublin")?;
        let shares = self.shares(SHOP)?;
        let without = !shares.contains_key("berlin");
        self.say("shares", &format!("shop.demo.test without berlin: {}", listed(&shares)))?;
        self.record("shop goes on without berlin", "dublin and oregon", without);
        Ok(())
    }

    fn primary_comes_back(&mut self) -> anyhow::Result<()> {
        let (started, clock) = (Instant::now(), Timestamp::now());
        self.environment.start(0)?;
        self.say("started", "berlin")?;
        let took = self.wait_for(APP, "berlin", started)?;
        self.print_steps(clock, StatusShape::Healthy)?;
        self.measure("failback: berlin is back and answers", took, Expected::Within(STATUS_CHANGE))?;
        Ok(())
    }

    fn weights_change(&mut self) -> anyhow::Result<()> {
        let before = self.shares(SHOP)?;
        self.say("shares", &format!("shop.demo.test at 6 : 3 : 1: {}", listed(&before)))?;
        self.record("weights 6 : 3 : 1 hold", "60, 30, 10 %", holds(&before, [0.6, 0.3, 0.1]));
        let written = Instant::now();
        self.environment.set_weights([0, 0, 10])?;
        self.say("edited", "the zone file: the weights are 0 : 0 : 10 now")?;
        let took = self.wait_for_all(SHOP, "oregon", written)?;
        self.measure("reload: the edited weights are in force", took, Expected::Within(RELOAD))?;
        self.environment.set_weights(WEIGHTS)?;
        self.say("edited", "the zone file: 6 : 3 : 1 again")?;
        Ok(())
    }

    fn client_moves(&mut self) -> anyhow::Result<()> {
        let mut are_right = true;
        for _ in PLACES {
            let place = self.environment.move_client();
            let answer = self.ask(NEAR)?;
            self.say(
                "moved",
                &format!("the client to {} ({}): near.demo.test is {answer}", place.name, place.network()),
            )?;
            are_right &= answer == place.nearest;
        }
        self.record("geolocation: each place is sent where it belongs", "berlin, oregon, tokyo, dublin", are_right);
        Ok(())
    }

    fn all_stop(&mut self) -> anyhow::Result<()> {
        let stopped = Instant::now();
        (0..SITES.len()).for_each(|number| self.environment.stop(number));
        self.say("stopped", "all four")?;
        let took = self.wait_for_checks(StatusShape::Unhealthy, stopped)?;
        self.measure("all four are unhealthy", took, Expected::Within(STATUS_CHANGE))?;
        self.expect("fail-open: app answers its primary, as if all were healthy", APP, "berlin")?;
        let shares = self.shares(SHOP)?;
        self.say("shares", &format!("shop.demo.test with all of them down: {}", listed(&shares)))?;
        self.record("fail-open: shop's weights hold", "60, 30, 10 %", holds(&shares, [0.6, 0.3, 0.1]));
        Ok(())
    }

    fn all_come_back(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        (0..SITES.len()).try_for_each(|number| self.environment.start(number))?;
        self.say("started", "all four")?;
        let took = self.wait_for_checks(StatusShape::Healthy, started)?;
        self.measure("all four are healthy again", took, Expected::Within(STATUS_CHANGE))?;
        Ok(())
    }

    // --- queries ---

    /// The site in the answer, or the answer itself.
    fn ask(&self, name: &str) -> anyhow::Result<String> {
        self.check_signals()?;
        let name = Name::parse(name).expect("the demo's names are fine");
        let subnet = *self.environment.client().lock().unwrap_or_else(PoisonError::into_inner);
        let request = Request { name: &name, record_type: Type(RecordType::A.code()), subnet, nsid: false };
        let asker = Asker { server: self.environment.server(), timeout: TIMEOUT };
        let answer =
            outcome(&asker.ask_udp_then_tcp(&question(&request)?).context("the demo's server does not reply")?);
        let site = SITES.iter().find(|site| site.address.to_string() == answer);
        Ok(site.map_or(answer, |site| site.name.to_owned()))
    }

    /// Queries until this site answers, and returns how long that took since then, or `None`.
    fn wait_for(&self, name: &str, site: &str, since: Instant) -> anyhow::Result<Option<Duration>> {
        while since.elapsed() < STEP_TIMEOUT {
            if self.ask(name)? == site {
                return Ok(Some(since.elapsed()));
            }
            thread::sleep(STEP);
        }
        Ok(None)
    }

    /// The same until only this site answers; the first of those answers counts.
    fn wait_for_all(&self, name: &str, site: &str, since: Instant) -> anyhow::Result<Option<Duration>> {
        let mut first = None;
        let mut row = 0;
        while since.elapsed() < STEP_TIMEOUT {
            if self.ask(name)? != site {
                (first, row) = (None, 0);
            } else {
                first = first.or(Some(since.elapsed()));
                row += 1;
            }
            if row == CERTAIN {
                return Ok(first);
            }
            thread::sleep(STEP);
        }
        Ok(None)
    }

    fn wait_for_checks(&self, status: StatusShape, since: Instant) -> anyhow::Result<Option<Duration>> {
        while since.elapsed() < STEP_TIMEOUT {
            self.check_signals()?;
            let health: HealthShape = self.environment.admin_client().get("/v1/health", &[])?;
            if health.checks.iter().all(|check| check.status == status) {
                return Ok(Some(since.elapsed()));
            }
            thread::sleep(STEP);
        }
        Ok(None)
    }

    /// The share of each site.
    fn shares(&self, name: &str) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut shares = BTreeMap::new();
        for _ in 0..DRAWS {
            *shares.entry(self.ask(name)?).or_default() += 1.0 / f64::from(DRAWS);
        }
        Ok(shares)
    }

    /// Prints what the check of berlin saw after its backend stopped or started.
    fn print_steps(&self, since: Timestamp, to: StatusShape) -> anyhow::Result<()> {
        let wanted = [("history", "1"), ("name", SITES[0].name)];
        let health: HealthShape = self.environment.admin_client().get("/v1/health", &wanted)?;
        let mut changes = health.checks.into_iter().flat_map(|shape| Check::new(shape).earlier());
        let Some(StatusChange { at, began: Some(began), .. }) = changes.rfind(|change| change.to == to) else {
            return Ok(());
        };
        let seconds = |moment: Timestamp| moment.duration_since(since).as_secs_f64();
        let (result, status) = match to {
            StatusShape::Healthy => ("passed", "healthy"),
            StatusShape::Unhealthy => ("failed", "unhealthy"),
        };
        let (first, changed) = (seconds(began), seconds(at));
        self.say(
            "seen",
            &format!("the first probe {result} after {first:.1} s, berlin was {status} after {changed:.1} s"),
        )?;
        Ok(())
    }

    /// A signal ends the script between two queries.
    fn check_signals(&self) -> anyhow::Result<()> {
        match self.inputs.try_recv() {
            Ok(Input::Stop) => bail!("stopped by a signal"),
            Ok(_) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(()),
        }
    }

    // --- output ---

    fn say(&self, event: &str, text: &str) -> anyhow::Result<()> {
        let seconds = self.began.elapsed().as_secs_f64();
        match self.form {
            Form::Text => print(&format!("{seconds:5.1} s  {event:8} {text}\n"))?,
            Form::Json => print(&format!("{}\n", json!({ "event": event, "seconds": seconds, "text": text })))?,
        }
        Ok(())
    }

    /// Compares one answer with the expected one.
    fn expect(&mut self, what: &'static str, name: &str, site: &'static str) -> anyhow::Result<()> {
        let answer = self.ask(name)?;
        self.say("asked", &format!("{}: {answer}", name.trim_end_matches('.')))?;
        self.record(what, site, answer == site);
        Ok(())
    }

    fn measure(&mut self, what: &'static str, took: Option<Duration>, expected: Expected) -> anyhow::Result<()> {
        let is_as_expected = matches!((took, expected), (Some(took), Expected::Within(limit)) if took <= limit);
        let told = took.map_or_else(|| format!("not within {} s", STEP_TIMEOUT.as_secs()), seconds);
        self.say("measured", &format!("{what}: {told}"))?;
        self.measured.push(Measured { what, took, expected, is_as_expected });
        Ok(())
    }

    fn record(&mut self, what: &'static str, answers: &'static str, is_as_expected: bool) {
        self.measured.push(Measured { what, took: None, expected: Expected::Answers(answers), is_as_expected });
    }

    fn end(&self) -> anyhow::Result<()> {
        match self.form {
            Form::Text => print(&self.table())?,
            Form::Json => print(&format!("{}\n", self.json()))?,
        }
        Ok(())
    }

    fn table(&self) -> String {
        let width = self.measured.iter().map(|measured| measured.what.chars().count()).max().unwrap_or_default();
        let mut text = format!("\n{:width$}  {:>8}  {:8}  expected\n", "what", "measured", "");
        for Measured { what, took, expected, is_as_expected } in &self.measured {
            let took = took.map_or_else(String::new, seconds);
            let outcome = if *is_as_expected { "ok" } else { "FAILED" };
            text.push_str(&format!("{what:width$}  {took:>8}  {outcome:8}  {}\n", expected.text()));
        }
        let passed = self.measured.iter().filter(|measured| measured.is_as_expected).count();
        let (all, took) = (self.measured.len(), self.began.elapsed().as_secs_f64());
        text + &format!("\n{passed} of {all} steps as expected, in {took:.1} s\n")
    }

    fn json(&self) -> Value {
        let row = |measured: &Measured| {
            json!({
                "what": measured.what,
                "seconds": measured.took.map(|took| took.as_secs_f64()),
                "expected": measured.expected.text(),
                "passed": measured.is_as_expected,
            })
        };
        json!({
            "event": "end",
            "seconds": self.began.elapsed().as_secs_f64(),
            "passed": self.measured.iter().all(|measured| measured.is_as_expected),
            "measured": self.measured.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

impl Expected {
    fn text(self) -> String {
        match self {
            Expected::Within(limit) => format!("within {} s", limit.as_secs()),
            Expected::Answers(answers) => answers.to_owned(),
        }
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// Such as `berlin 60.2 %, dublin 29.8 %`.
fn listed(shares: &BTreeMap<String, f64>) -> String {
    shares.iter().map(|(site, share)| format!("{site} {:.1} %", share * 100.0)).collect::<Vec<_>>().join(", ")
}

/// Whether berlin, dublin and oregon, and no other site, have these shares.
fn holds(shares: &BTreeMap<String, f64>, expected: [f64; 3]) -> bool {
    let of = |site: &str| shares.get(site).copied().unwrap_or_default();
    let expected = SITES.iter().zip(expected);
    shares.len() == 3 && expected.into_iter().all(|(site, share)| (of(site.name) - share).abs() < TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_compared_with_the_weights() {
        let shares = |berlin: f64, dublin: f64, oregon: f64| {
            let shares = [("berlin", berlin), ("dublin", dublin), ("oregon", oregon)];
            shares.into_iter().filter(|(_, share)| *share > 0.0).map(|(site, share)| (site.to_owned(), share)).collect()
        };
        assert!(holds(&shares(0.58, 0.31, 0.11), [0.6, 0.3, 0.1]));
        assert!(!holds(&shares(0.33, 0.33, 0.34), [0.6, 0.3, 0.1]));
        assert!(!holds(&shares(0.65, 0.35, 0.0), [0.6, 0.3, 0.1]));
    }
}
