//! Runs a simulation on all cores and shows its progress.

use std::io::IsTerminal as _;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::cli::offline::OfflineServer;
use crate::cli::print_error;
use crate::simulate::{ClientCounts, Population, Subject, simulate};
use crate::world::World;

/// Clients that a thread takes at a time: some ten milliseconds of work.
const AT_ONCE: u64 = 2_000;
/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(200);

/// The clients and their queries.
pub(super) struct Simulator<'r> {
    pub(super) subjects: &'r [Subject],
    pub(super) population: &'r Population,
    pub(super) clients: u64,
    pub(super) seed: u64,
}

impl Simulator<'_> {
    /// All clients, counted. An error is in words.
    pub(super) fn count(&self, world: &World, offline: &OfflineServer) -> Result<ClientCounts, String> {
        let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let whole: Mutex<Result<Option<ClientCounts>, String>> = Mutex::new(Ok(None));
        let work = || {
            loop {
                let from = next.fetch_add(AT_ONCE, Ordering::Relaxed);
                if from >= self.clients {
                    return;
                }
                let clients = from..(from + AT_ONCE).min(self.clients);
                let count = clients.end - clients.start;
                let part = simulate(world, &|id| offline.model(id), self.subjects, self.population, clients, self.seed);
                add(&mut whole.lock().expect("no thread panics with the lock"), part);
                done.fetch_add(count, Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            let cores = thread::available_parallelism().map_or(1, NonZero::get);
            for _ in 0..cores {
                scope.spawn(work);
            }
            self.show(&done);
        });
        whole.into_inner().expect("no thread panics with the lock").map(Option::unwrap_or_default)
    }

    /// Shows how far it is, until it is done, on a terminal.
    fn show(&self, done: &AtomicU64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let mut shown = false;
        loop {
            thread::sleep(EVERY);
            let done = done.load(Ordering::Relaxed);
            if done >= self.clients {
                break;
            }
            print_error(&format!("\r{done} of {} clients", self.clients));
            shown = true;
        }
        if shown {
            // ECMA-48 EL: the line is wiped for what comes.
            print_error("\r\x1b[K");
        }
    }
}

fn add(whole: &mut Result<Option<ClientCounts>, String>, part: Result<ClientCounts, String>) {
    match (whole, part) {
        (Ok(Some(sum)), Ok(part)) => sum.merge(part),
        (Ok(empty), Ok(part)) => *empty = Some(part),
        (whole @ Ok(_), Err(error)) => *whole = Err(error),
        (Err(_), _) => {}
    }
}
