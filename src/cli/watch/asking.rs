//! Asks for names again and again, at a bounded rate.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::cli::query::{Asker, ExchangeError, Type, Wanted, outcome, question};
use crate::model::Name;

use super::input::{self, Input};
use super::model::Event;

/// The network on whose behalf it asks, which may change while it does.
pub(crate) type Client = Arc<Mutex<Option<IpNet>>>;

/// What is asked.
pub(crate) struct Asking {
    /// Whom, and how with_yield_budget.
    pub(crate) asker: Asker,
    /// For what, in turn.
    pub(crate) names: Vec<(Name, Type)>,
    /// What stands behind answers that are these texts: whose they are.
    pub(crate) labels: Vec<(String, String)>,
    /// On whose behalf.
    pub(crate) client: Client,
    /// From one question for a name to the next one for it.
    pub(crate) every: Duration,
    /// How often, over all names.
    pub(crate) limit: Option<u64>,
}

impl Asking {
    /// Begins to ask; answers go to `inputs` until the receiver is dropped.
    pub(crate) fn start(self, inputs: Sender<Input>) -> anyhow::Result<()> {
        input::start("asking", move || self.run(&inputs))
    }

    fn run(&self, inputs: &Sender<Input>) {
        let pause = self.every / u32::try_from(self.names.len()).unwrap_or(u32::MAX).max(1);
        let mut next = Instant::now();
        for number in 0..self.limit.unwrap_or(u64::MAX) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            // What a silent server cost is not made up for by a burst.
            next = (next + pause).max(Instant::now());
            let name = usize::try_from(number % self.names.len() as u64).unwrap_or_default();
            if inputs.send(Input::Event(self.ask(name), Instant::now())).is_err() {
                return;
            }
        }
        // Who does not listen any more does not wait for this.
        let _ = inputs.send(Input::Asked);
    }

    /// No reply is an answer too: it is what a resolver would have.
    fn ask(&self, number: usize) -> Event {
        let (name, record_type) = &self.names[number];
        let subnet = *self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Wanted { name, record_type: *record_type, subnet, nsid: false };
        let silence = |reason: &str| Event::Silence { name: number, outcome: format!("(no reply: {reason})") };
        let Ok(question) = question(&wanted) else { return silence("this cannot be asked") };
        match self.asker.ask_udp_then_tcp(&question) {
            Ok(reply) => Event::Answer { name: number, outcome: self.labelled(outcome(&reply)), took: reply.elapsed },
            Err(error) => silence(reason(&error)),
        }
    }
}

impl Asking {
    fn labelled(&self, outcome: String) -> String {
        match self.labels.iter().find(|(text, _)| *text == outcome) {
            Some((_, label)) => format!("{outcome} {label}"),
            None => outcome,
        }
    }
}

/// In a word or two: it stands in a column.
fn reason(error: &ExchangeError) -> &'static str {
    match error {
        ExchangeError::Silence { .. } => "silence",
        ExchangeError::Unreachable { .. } => "unreachable",
        ExchangeError::Unwritable(_) => "this cannot be asked",
        ExchangeError::Malformed { .. } => "malformed",
    }
}
