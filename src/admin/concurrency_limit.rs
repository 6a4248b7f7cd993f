//! Limits concurrent requests that need much memory: those that read a zone from disk, and those
//! for the histories of health checks. Two of a kind run at once, sixteen wait, and the next one
//! gets 503.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal;

/// Requests of a kind that run at once. A zone of 400 000 records takes hundreds of megabytes while
/// it is read.
const READING: usize = 2;
/// Requests of a kind that wait. Of the 64 requests at once, 28 stay free for `/metrics` and small
/// ones.
const WAITING: usize = 16;

/// One limit per kind, so that requests for health do not wait for large zones.
#[derive(Clone, Debug, Default)]
pub(super) struct Readers {
    /// Requests that read zones.
    pub(super) zones: Turns,
    /// Requests for the histories of checks.
    pub(super) histories: Turns,
}

/// The limit of one kind.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    reading: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Permission to run; the next request gets it when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(OwnedSemaphorePermit);

impl Default for Turns {
    fn default() -> Turns {
        Turns { reading: Arc::new(Semaphore::new(READING)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Turns {
    /// Waits for a turn. The error is a 503 response, if too many requests wait. A client that
    /// disconnects gives its place back.
    pub(super) async fn next(&self) -> Result<Turn, Box<Response>> {
        let busy =
            "the server is busy reading zones or histories for others, and too many wait already: try again later";
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        let _place = place.map_err(|_| refusal(StatusCode::SERVICE_UNAVAILABLE, busy))?;
        let turn = Arc::clone(&self.reading).acquire_owned().await;
        Ok(Turn(turn.expect("the semaphore is never closed")))
    }
}

impl Turn {
    /// Runs `work` on a blocking thread. The turn lasts until it is done, even if the client has
    /// disconnected.
    pub(super) async fn spend(self, work: impl FnOnce() -> Response + Send + 'static) -> Response {
        let outcome = tokio::task::spawn_blocking(move || {
            let _turn = self.0;
            work()
        });
        let failed = |_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "the response could not be made");
        outcome.await.unwrap_or_else(failed)
    }
}

#[cfg(test)]
impl Turns {
    /// Takes all turns; later requests wait until they are dropped.
    pub(super) async fn hold(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for _ in 0..READING {
            turns.push(self.next().await.unwrap());
        }
        turns
    }

    /// Number of requests that wait.
    pub(super) fn waiters(&self) -> usize {
        WAITING - self.waiting.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn two_read_at_once_and_sixteen_wait() {
        let turns = Turns::default();
        let held = turns.hold().await;
        let mut waiters: Vec<_> = (0..WAITING).map(|_| waiter(&turns)).collect();
        while turns.waiters() < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(turns.next().await.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        // Who goes away makes room.
        let gone = waiters.pop().unwrap();
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(turns.waiters(), WAITING - 1);
        drop(held);
        for waiter in waiters {
            assert!(waiter.await.unwrap());
        }
        assert_eq!(turns.waiters(), 0);
    }

    /// Somebody who waits for a turn and lets go of it.
    fn waiter(turns: &Turns) -> tokio::task::JoinHandle<bool> {
        let turns = turns.clone();
        tokio::spawn(async move { turns.next().await.is_ok() })
    }

    #[tokio::test]
    async fn a_turn_lasts_until_the_answer_is_made() {
        let turns = Turns::default();
        let reading = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut readers = Vec::new();
        for _ in 0..12 {
            let (turns, reading, most) = (turns.clone(), Arc::clone(&reading), Arc::clone(&most));
            readers.push(tokio::spawn(async move {
                let turn = turns.next().await.unwrap();
                let work = move || {
                    most.fetch_max(1 + reading.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    reading.fetch_sub(1, Ordering::SeqCst);
                    refusal(StatusCode::OK, "")
                };
                // Its client goes away at once.
                tokio::select! { biased; response = turn.spend(work) => drop(response), () = tokio::task::yield_now() => {} }
            }));
        }
        for reader in readers {
            reader.await.unwrap();
        }
        let _all = turns.hold().await;
        assert_eq!((reading.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, READING));
    }
}
