//! Asks the admin side how the checks behind the names are.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use crate::admin::shapes::HealthShape;
use crate::cli::side_door::SideDoor;

use super::input::{self, Input};
use super::model::{Event, Subject, choose};

/// From one look to the next: often enough to follow checks that probe every second.
const EVERY: Duration = Duration::from_millis(250);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(5);
/// A look may take a twentieth of the time: a server with very many checks has better things to do.
const SHARE: u32 = 20;
/// With more checks than this, those behind the names are asked for one by one.
const FEW: usize = 64;
/// How often it is looked which checks there are: files change rarely.
const CHOOSE_EVERY: Duration = Duration::from_secs(30);

/// Reads the health until the receiver is dropped.
pub(crate) struct Looking {
    door: SideDoor,
    subjects: Vec<Subject>,
    /// What is looked at, and since when; nothing at first.
    scope: Option<(Scope, Instant)>,
}

/// Which checks are looked at.
enum Scope {
    /// There are few.
    All,
    /// These.
    Some(Vec<String>),
}

impl Looking {
    /// Will look at this admin side.
    pub(crate) fn at(admin: SocketAddr, subjects: Vec<Subject>) -> anyhow::Result<Looking> {
        Ok(Looking { door: SideDoor::at(admin)?, subjects, scope: None })
    }

    /// Begins to look; what is seen goes to `inputs`.
    pub(crate) fn start(mut self, inputs: Sender<Input>) -> anyhow::Result<()> {
        input::start("looking", move || {
            loop {
                let began = Instant::now();
                let event = match self.look() {
                    Ok(health) => Event::Health(Box::new(health)),
                    Err(error) => Event::NoHealth(error.to_string().lines().next().unwrap_or_default().to_owned()),
                };
                let took = began.elapsed();
                // The server said `now` somewhere between the question and its answer.
                if inputs.send(Input::Event(event, began + took / 2)).is_err() {
                    return;
                }
                thread::sleep((took * SHARE).clamp(EVERY, LONGEST));
            }
        })
    }

    fn look(&mut self) -> anyhow::Result<HealthShape> {
        let scope = match self.scope.take() {
            Some((scope, since)) if since.elapsed() < CHOOSE_EVERY => (scope, since),
            _ => (self.choose()?, Instant::now()),
        };
        let (scope, _) = self.scope.insert(scope);
        match scope {
            Scope::All => self.door.get("/v1/health", &[("history", "1")]),
            Scope::Some(names) => look_at(&self.door, names),
        }
    }

    fn choose(&self) -> anyhow::Result<Scope> {
        let all: HealthShape = self.door.get("/v1/health", &[])?;
        if all.checks.len() <= FEW {
            return Ok(Scope::All);
        }
        let (chosen, _) = choose(all.checks, &self.subjects);
        Ok(Scope::Some(chosen.into_iter().map(|check| check.name).collect()))
    }
}

/// One by one; the last one's clock counts for all.
fn look_at(door: &SideDoor, names: &[String]) -> anyhow::Result<HealthShape> {
    let mut all: Option<HealthShape> = None;
    for name in names {
        let mut one: HealthShape = door.get("/v1/health", &[("history", "1"), ("name", name)])?;
        // A name may be a glob that matches others.
        one.checks.retain(|check| check.name == *name);
        one.checks.extend(all.take().into_iter().flat_map(|all| all.checks));
        all = Some(one);
    }
    all.map_or_else(|| door.get("/v1/health", &[]), Ok)
}
