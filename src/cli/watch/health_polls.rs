//! Polls the admin side for the health checks that are shown.

use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use crate::admin::shapes::HealthShape;
use crate::cli::admin_client::AdminClient;

use super::input::{self, Input};
use super::model::{Event, Subject, choose};

/// The shortest time between two requests: it follows checks that probe every second.
const EVERY: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST: Duration = Duration::from_secs(5);
/// The pause is this many times the time of a request, so that a server with very many checks
/// spends little on it.
const PAUSE_FACTOR: u32 = 20;
/// With more checks than this, those of the names are requested one by one.
const FEW: usize = 64;
/// How often the checks of the names are looked up again: files change rarely.
const CHOOSE_EVERY: Duration = Duration::from_secs(30);

/// Requests the health until the receiver is dropped.
pub(crate) struct HealthPolls {
    admin: AdminClient,
    target: Target,
    /// What is requested for names, and since when; nothing at first.
    scope: Option<(Scope, Instant)>,
}

/// Whose checks are shown.
pub(crate) enum Target {
    /// Those that the records of these names use.
    Names(Vec<Subject>),
    /// Those that this glob matches, or all.
    Checks(Option<String>),
}

/// Which checks are requested for names.
enum Scope {
    /// All: there are few.
    All,
    /// These.
    Some(Vec<String>),
}

impl HealthPolls {
    /// Will request from this admin side.
    pub(crate) fn of(admin: AdminClient, target: Target) -> HealthPolls {
        HealthPolls { admin, target, scope: None }
    }

    /// Starts the thread; the answers go to `inputs`.
    pub(crate) fn start(mut self, inputs: Sender<Input>) -> anyhow::Result<()> {
        input::start("looking", move || {
            loop {
                let began = Instant::now();
                let event = match self.look() {
                    Ok(health) => Event::Health(Box::new(health)),
                    Err(error) => Event::NoHealth(error.to_string().lines().next().unwrap_or_default().to_owned()),
                };
                let took = began.elapsed();
                // The server's `now` is from some time between the request and its response.
                if inputs.send(Input::Event(event, began + took / 2)).is_err() {
                    return;
                }
                thread::sleep((took * PAUSE_FACTOR).clamp(EVERY, LONGEST));
            }
        })
    }

    fn look(&mut self) -> anyhow::Result<HealthShape> {
        let subjects = match &self.target {
            Target::Names(subjects) => subjects,
            Target::Checks(None) => return self.admin.health(&[("history", "1")]),
            Target::Checks(Some(name)) => return self.admin.health(&[("history", "1"), ("name", name)]),
        };
        let scope = match self.scope.take() {
            Some((scope, since)) if since.elapsed() < CHOOSE_EVERY => (scope, since),
            _ => (self.choose(subjects)?, Instant::now()),
        };
        let (scope, _) = self.scope.insert(scope);
        match scope {
            Scope::All => self.admin.get("/v1/health", &[("history", "1")]),
            Scope::Some(names) => look_at(&self.admin, names),
        }
    }

    fn choose(&self, subjects: &[Subject]) -> anyhow::Result<Scope> {
        let all: HealthShape = self.admin.get("/v1/health", &[])?;
        if all.checks.len() <= FEW {
            return Ok(Scope::All);
        }
        let (chosen, _) = choose(all.checks, subjects);
        Ok(Scope::Some(chosen.into_iter().map(|check| check.name).collect()))
    }
}

/// Requests checks one by one. The clock of the last response counts for all.
fn look_at(admin: &AdminClient, names: &[String]) -> anyhow::Result<HealthShape> {
    let mut all: Option<HealthShape> = None;
    for name in names {
        let mut one: HealthShape = admin.get("/v1/health", &[("history", "1"), ("name", name)])?;
        // A name may be a glob that matches others.
        one.checks.retain(|check| check.name == *name);
        one.checks.extend(all.take().into_iter().flat_map(|all| all.checks));
        all = Some(one);
    }
    all.map_or_else(|| admin.get("/v1/health", &[]), Ok)
}
