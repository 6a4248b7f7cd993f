//! Queries names repeatedly, at a bounded rate.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::cli::query::{Asker, ExchangeError, Request, Type, outcome, question};
use crate::model::Name;

use super::input::{self, Input};
use super::model::Event;

/// The client subnet of the queries, which may change meanwhile.
pub(crate) type ClientSubnet = Arc<Mutex<Option<IpNet>>>;

/// The queries of a watch.
pub(crate) struct QueryLoop {
    /// The server and the timeout.
    pub(crate) asker: Asker,
    /// The names, in turn.
    pub(crate) names: Vec<(Name, Type)>,
    /// Labels that follow answers with these texts: the sites.
    pub(crate) labels: Vec<(String, String)>,
    /// The client subnet.
    pub(crate) client: ClientSubnet,
    /// The interval between two queries for one name.
    pub(crate) every: Duration,
    /// The number of queries, over all names.
    pub(crate) limit: Option<u64>,
}

impl QueryLoop {
    /// Starts the thread; answers go to `inputs` until the receiver is dropped.
    pub(crate) fn start(self, inputs: Sender<Input>) -> anyhow::Result<()> {
        input::start("queries", move || self.run(&inputs))
    }

    fn run(&self, inputs: &Sender<Input>) {
        let pause = self.every / u32::try_from(self.names.len()).unwrap_or(u32::MAX).max(1);
        let mut next = Instant::now();
        for number in 0..self.limit.unwrap_or(u64::MAX) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            // After a timeout no burst follows.
            next = (next + pause).max(Instant::now());
            let name = usize::try_from(number % self.names.len() as u64).unwrap_or_default();
            if inputs.send(Input::Event(self.ask(name), Instant::now())).is_err() {
                return;
            }
        }
        // The receiver may be dropped already.
        let _ = inputs.send(Input::QueriesDone);
    }

    /// No reply counts as an answer: a resolver would see the same.
    fn ask(&self, number: usize) -> Event {
        let (name, record_type) = &self.names[number];
        let subnet = *self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let request = Request { name, record_type: *record_type, subnet, nsid: false };
        let no_reply = |reason: &str| Event::NoReply { name: number, outcome: format!("(no reply: {reason})") };
        let Ok(question) = question(&request) else { return no_reply("invalid query") };
        match self.asker.ask_udp_then_tcp(&question) {
            Ok(reply) => Event::Answer { name: number, outcome: self.labelled(outcome(&reply)), took: reply.elapsed },
            Err(error) => no_reply(reason(&error)),
        }
    }
}

impl QueryLoop {
    fn labelled(&self, outcome: String) -> String {
        match self.labels.iter().find(|(text, _)| *text == outcome) {
            Some((_, label)) => format!("{outcome} {label}"),
            None => outcome,
        }
    }
}

/// In a word or two, for a column.
fn reason(error: &ExchangeError) -> &'static str {
    match error {
        ExchangeError::Silence { .. } => "timeout",
        ExchangeError::Unreachable { .. } => "unreachable",
        ExchangeError::Unwritable(_) => "invalid query",
        ExchangeError::Malformed { .. } => "malformed",
    }
}
