//! The demo that plays by itself: a story in lines, each step measured and held against what was
//! promised.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::shapes::{HealthShape, StatusShape};
use crate::cli::query::{Asker, Type, Wanted, outcome, question};
use crate::cli::watch::input::{self, Input};
use crate::cli::watch::model::checks::{Check, Verdict};
use crate::cli::{Form, print};
use crate::model::{Name, RecordType};

use super::stage::Stage;
use super::world::{APP, INTERVAL_S, NEAR, PLACES, SHOP, SITES, THRESHOLD, WEIGHTS};

/// From one question to the next while an answer is awaited: what is measured is exact to this.
const STEP: Duration = Duration::from_millis(10);
/// How long a reply may take, twice.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Three results in a row, a second apart, need at most as many seconds; the rest is for busy
/// machines.
const TURN: Duration = Duration::from_secs(THRESHOLD * INTERVAL_S + 2);
/// An edited file is read after a quarter of a second without another edit; the rest is for busy
/// machines.
const RELOAD: Duration = Duration::from_secs(2);
/// A step that is not done after so long will not be.
const PATIENCE: Duration = Duration::from_secs(15);
/// Questions that measure shares.
const DRAWS: u32 = 600;
/// A share of so many draws is off by more than this once in 10 000 times: four times √(0.25 /
/// 600).
const TOLERANCE: f64 = 0.082;
/// So many answers in a row that one share in three would give once in 10¹⁰ times.
const CERTAIN: usize = 20;

/// The play.
struct Script {
    stage: Stage,
    form: Form,
    began: Instant,
    inputs: Receiver<Input>,
    measured: Vec<Measured>,
}

/// Something that was promised, and what became of it.
#[derive(Clone, Debug)]
struct Measured {
    what: &'static str,
    took: Option<Duration>,
    promised: Promise,
    is_kept: bool,
}

/// What was promised.
#[derive(Clone, Copy, Debug)]
enum Promise {
    Within(Duration),
    Answers(&'static str),
}

/// Plays all of it; whether every promise was kept.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let (sender, inputs) = input::channel();
    input::listen_for_signals(sender)?;
    let began = Instant::now();
    let stage = Stage::open()?;
    let mut script = Script { stage, form, began, inputs, measured: Vec::new() };
    script.play()?;
    script.end();
    Ok(script.measured.iter().all(|measured| measured.is_kept))
}

impl Script {
    fn play(&mut self) -> anyhow::Result<()> {
        self.introduce();
        self.expect("app answers its primary", APP, "berlin")?;
        self.primary_dies()?;
        self.primary_comes_back()?;
        self.weights_change()?;
        self.client_moves()?;
        self.all_die()?;
        self.all_come_back()
    }

    fn introduce(&self) {
        let took = self.began.elapsed().as_secs_f64();
        let (dig, server) = (self.stage.dig(), self.stage.server());
        self.say("started", &format!("a server on {server} and four backends, after {took:.1} s; also try: {dig}"));
        self.say("names", "app.demo.test is failover (berlin, then dublin), shop.demo.test weighted 6 : 3 : 1, near.demo.test geolocation");
        self.say(
            "checks",
            &format!("each probes its backend every {INTERVAL_S} s; {THRESHOLD} results in a row turn it"),
        );
    }

    fn primary_dies(&mut self) -> anyhow::Result<()> {
        let (killed, clock) = (Instant::now(), Timestamp::now());
        self.stage.kill(0);
        self.say("killed", "berlin: its port is closed, its connections too");
        let took = self.wait_for(APP, "dublin", killed)?;
        self.tell_steps(clock, StatusShape::Unhealthy)?;
        self.measure("failover: berlin dies, dublin answers", took, Promise::Within(TURN));
        self.expect("a client in Munich is sent to the default", NEAR, "dublin")?;
        let shares = self.shares(SHOP)?;
        let without = !shares.contains_key("berlin");
        self.say("shares", &format!("shop.demo.test without berlin: {}", told(&shares)));
        self.keep("shop goes on without berlin", "dublin and oregon", without);
        Ok(())
    }

    fn primary_comes_back(&mut self) -> anyhow::Result<()> {
        let (revived, clock) = (Instant::now(), Timestamp::now());
        self.stage.revive(0)?;
        self.say("revived", "berlin");
        let took = self.wait_for(APP, "berlin", revived)?;
        self.tell_steps(clock, StatusShape::Healthy)?;
        self.measure("failback: berlin is back and answers", took, Promise::Within(TURN));
        Ok(())
    }

    fn weights_change(&mut self) -> anyhow::Result<()> {
        let before = self.shares(SHOP)?;
        self.say("shares", &format!("shop.demo.test at 6 : 3 : 1: {}", told(&before)));
        self.keep("weights 6 : 3 : 1 hold", "60, 30, 10 %", holds(&before, [0.6, 0.3, 0.1]));
        let written = Instant::now();
        self.stage.set_weights(WEIGHTS.len() - 1)?;
        self.say("edited", "the zone file: the weights are 0 : 0 : 1 now");
        let took = self.wait_for_all(SHOP, "oregon", written)?;
        self.measure("reload: the edited weights are in force", took, Promise::Within(RELOAD));
        self.stage.set_weights(0)?;
        self.say("edited", "the zone file: 6 : 3 : 1 again");
        Ok(())
    }

    fn client_moves(&mut self) -> anyhow::Result<()> {
        let mut are_right = true;
        for _ in PLACES {
            let place = self.stage.move_client();
            let answer = self.ask(NEAR)?;
            self.say(
                "moved",
                &format!("the client to {} ({}): near.demo.test is {answer}", place.name, place.network()),
            );
            are_right &= answer == place.nearest;
        }
        self.keep("geolocation: each place is sent where it belongs", "berlin, oregon, tokyo, dublin", are_right);
        Ok(())
    }

    fn all_die(&mut self) -> anyhow::Result<()> {
        let killed = Instant::now();
        (0..SITES.len()).for_each(|number| self.stage.kill(number));
        self.say("killed", "all four");
        let took = self.wait_for_checks(StatusShape::Unhealthy, killed)?;
        self.measure("all four are found dead", took, Promise::Within(TURN));
        self.expect("fail-open: app answers its primary, as if all were healthy", APP, "berlin")?;
        let shares = self.shares(SHOP)?;
        self.say("shares", &format!("shop.demo.test with all of them down: {}", told(&shares)));
        self.keep("fail-open: shop's weights hold", "60, 30, 10 %", holds(&shares, [0.6, 0.3, 0.1]));
        Ok(())
    }

    fn all_come_back(&mut self) -> anyhow::Result<()> {
        let revived = Instant::now();
        (0..SITES.len()).try_for_each(|number| self.stage.revive(number))?;
        self.say("revived", "all four");
        let took = self.wait_for_checks(StatusShape::Healthy, revived)?;
        self.measure("all four are well again", took, Promise::Within(TURN));
        Ok(())
    }

    // --- asking
    // ----------------------------------------------------------------------------------------------------------

    /// Who answers: a site's name, or what was answered instead.
    fn ask(&self, name: &str) -> anyhow::Result<String> {
        self.go_on()?;
        let name = Name::parse(name).expect("the demo's names are fine");
        let subnet = *self.stage.client().lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Wanted { name: &name, record_type: Type(RecordType::A.code()), subnet, nsid: false };
        let asker = Asker { server: self.stage.server(), timeout: TIMEOUT };
        let answer = outcome(&asker.ask_udp_then_tcp(&question(&wanted)?).context("the demo's server is silent")?);
        let site = SITES.iter().find(|site| site.address.to_string() == answer);
        Ok(site.map_or(answer, |site| site.name.to_owned()))
    }

    /// Asks until this answers, and says how long that took since then; `None` when it never did.
    fn wait_for(&self, name: &str, site: &str, since: Instant) -> anyhow::Result<Option<Duration>> {
        while since.elapsed() < PATIENCE {
            if self.ask(name)? == site {
                return Ok(Some(since.elapsed()));
            }
            thread::sleep(STEP);
        }
        Ok(None)
    }

    /// The same until nothing else answers any more; the first of those answers counts.
    fn wait_for_all(&self, name: &str, site: &str, since: Instant) -> anyhow::Result<Option<Duration>> {
        let mut first = None;
        let mut row = 0;
        while since.elapsed() < PATIENCE {
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
        while since.elapsed() < PATIENCE {
            self.go_on()?;
            let health: HealthShape = self.stage.door().get("/v1/health", &[])?;
            if health.checks.iter().all(|check| check.status == status) {
                return Ok(Some(since.elapsed()));
            }
            thread::sleep(STEP);
        }
        Ok(None)
    }

    /// How often each site answers.
    fn shares(&self, name: &str) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut shares = BTreeMap::new();
        for _ in 0..DRAWS {
            *shares.entry(self.ask(name)?).or_default() += 1.0 / f64::from(DRAWS);
        }
        Ok(shares)
    }

    /// What the check of berlin saw of its backend's death or return, in seconds since then.
    fn tell_steps(&self, since: Timestamp, to: StatusShape) -> anyhow::Result<()> {
        let wanted = [("history", "1"), ("name", SITES[0].name)];
        let health: HealthShape = self.stage.door().get("/v1/health", &wanted)?;
        let mut verdicts = health.checks.into_iter().flat_map(|shape| Check::new(shape).earlier());
        let Some(Verdict { at, began: Some(began), .. }) = verdicts.rfind(|verdict| verdict.to == to) else {
            return Ok(());
        };
        let seconds = |moment: Timestamp| moment.duration_since(since).as_secs_f64();
        let (row, verdict) = match to {
            StatusShape::Healthy => ("passed", "healthy"),
            StatusShape::Unhealthy => ("failed", "unhealthy"),
        };
        let (first, turned) = (seconds(began), seconds(at));
        self.say(
            "seen",
            &format!("the first probe {row} after {first:.1} s, berlin was {verdict} after {turned:.1} s"),
        );
        Ok(())
    }

    /// A signal ends the play between two questions.
    fn go_on(&self) -> anyhow::Result<()> {
        match self.inputs.try_recv() {
            Ok(Input::Stop) => bail!("stopped by a signal"),
            Ok(_) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(()),
        }
    }

    // --- telling
    // ---------------------------------------------------------------------------------------------------------

    fn say(&self, event: &str, text: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        match self.form {
            Form::Text => print(&format!("{seconds:5.1} s  {event:8} {text}\n")),
            Form::Json => print(&format!("{}\n", json!({ "event": event, "seconds": seconds, "text": text }))),
        }
    }

    /// Holds one answer against what is promised.
    fn expect(&mut self, what: &'static str, name: &str, site: &'static str) -> anyhow::Result<()> {
        let answer = self.ask(name)?;
        self.say("asked", &format!("{}: {answer}", name.trim_end_matches('.')));
        self.keep(what, site, answer == site);
        Ok(())
    }

    fn measure(&mut self, what: &'static str, took: Option<Duration>, promised: Promise) {
        let is_kept = matches!((took, promised), (Some(took), Promise::Within(limit)) if took <= limit);
        let told = took.map_or_else(|| format!("not within {} s", PATIENCE.as_secs()), seconds);
        self.say("measured", &format!("{what}: {told}"));
        self.measured.push(Measured { what, took, promised, is_kept });
    }

    fn keep(&mut self, what: &'static str, answers: &'static str, is_kept: bool) {
        self.measured.push(Measured { what, took: None, promised: Promise::Answers(answers), is_kept });
    }

    fn end(&self) {
        match self.form {
            Form::Text => print(&self.table()),
            Form::Json => print(&format!("{}\n", self.json())),
        }
    }

    fn table(&self) -> String {
        let width = self.measured.iter().map(|measured| measured.what.chars().count()).max().unwrap_or_default();
        let mut text = format!("\n{:width$}  {:>8}  {:8}  promised\n", "what", "measured", "");
        for Measured { what, took, promised, is_kept } in &self.measured {
            let took = took.map_or_else(String::new, seconds);
            let kept = if *is_kept { "kept" } else { "NOT KEPT" };
            text.push_str(&format!("{what:width$}  {took:>8}  {kept:8}  {}\n", promised.text()));
        }
        let kept = self.measured.iter().filter(|measured| measured.is_kept).count();
        let (all, took) = (self.measured.len(), self.began.elapsed().as_secs_f64());
        text + &format!("\n{kept} of {all} promises kept, in {took:.1} s\n")
    }

    fn json(&self) -> Value {
        let row = |measured: &Measured| {
            json!({
                "what": measured.what,
                "seconds": measured.took.map(|took| took.as_secs_f64()),
                "promised": measured.promised.text(),
                "kept": measured.is_kept,
            })
        };
        json!({
            "event": "end",
            "seconds": self.began.elapsed().as_secs_f64(),
            "kept": self.measured.iter().all(|measured| measured.is_kept),
            "measured": self.measured.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

impl Promise {
    fn text(self) -> String {
        match self {
            Promise::Within(limit) => format!("within {} s", limit.as_secs()),
            Promise::Answers(answers) => answers.to_owned(),
        }
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// Such as `berlin 60.2 %, dublin 29.8 %`.
fn told(shares: &BTreeMap<String, f64>) -> String {
    shares.iter().map(|(site, share)| format!("{site} {:.1} %", share * 100.0)).collect::<Vec<_>>().join(", ")
}

/// Whether berlin, dublin and oregon, and nobody else, have these shares.
fn holds(shares: &BTreeMap<String, f64>, expected: [f64; 3]) -> bool {
    let of = |site: &str| shares.get(site).copied().unwrap_or_default();
    let expected = SITES.iter().zip(expected);
    shares.len() == 3 && expected.into_iter().all(|(site, share)| (of(site.name) - share).abs() < TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_held_against_the_weights() {
        let shares = |berlin: f64, dublin: f64, oregon: f64| {
            let shares = [("berlin", berlin), ("dublin", dublin), ("oregon", oregon)];
            shares.into_iter().filter(|(_, share)| *share > 0.0).map(|(site, share)| (site.to_owned(), share)).collect()
        };
        assert!(holds(&shares(0.58, 0.31, 0.11), [0.6, 0.3, 0.1]));
        assert!(!holds(&shares(0.33, 0.33, 0.34), [0.6, 0.3, 0.1]));
        assert!(!holds(&shares(0.65, 0.35, 0.0), [0.6, 0.3, 0.1]));
    }
}
