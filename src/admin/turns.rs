//! How many may read something large at once: a zone is read from disk and parsed again, histories become megabytes of text,
//! and each takes its memory for as long.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal;

/// What is read at once of a kind: a zone of 400 000 records takes hundreds of megabytes while it is read.
const READING: usize = 2;
/// Who may wait for a turn of a kind. With those who read, 28 of the 64 requests at once stay free for `/metrics` and what is
/// small.
const WAITING: usize = 16;

/// Turns by kind, so that whoever looks at health does not wait behind large zones.
#[derive(Clone, Debug, Default)]
pub(super) struct Readers {
    /// For reading zones.
    pub(super) zones: Turns,
    /// For the histories of checks.
    pub(super) histories: Turns,
}

/// The turns of one kind.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    reading: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// One of those who read; when it is dropped it is the next one's turn.
#[derive(Debug)]
pub(super) struct Turn(OwnedSemaphorePermit);

impl Default for Turns {
    fn default() -> Turns {
        Turns { reading: Arc::new(Semaphore::new(READING)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Turns {
    /// Waits for a turn, unless too many wait already. Whoever goes away while waiting has cost nothing.
    pub(super) async fn next(&self) -> Result<Turn, Box<Response>> {
        let busy =
            "the server is busy reading zones or histories for others, and too many wait already: try again later";
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        let _place = place.map_err(|_| refusal(StatusCode::SERVICE_UNAVAILABLE, busy))?;
        let turn = Arc::clone(&self.reading).acquire_owned().await;
        Ok(Turn(turn.expect("nobody closes the semaphore")))
    }
}

impl Turn {
    /// Does something long, not on the threads of the loop. The turn lasts until the answer is in words, even when nobody
    /// waits for it any more.
    pub(super) async fn spend(self, work: impl FnOnce() -> Response + Send + 'static) -> Response {
        let outcome = tokio::task::spawn_blocking(move || {
            let _turn = self.0;
            work()
        });
        let failed = |_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be put into words");
        outcome.await.unwrap_or_else(failed)
    }
}

#[cfg(test)]
impl Turns {
    /// Takes all turns: whoever comes then waits until they are dropped.
    pub(super) async fn hold(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for _ in 0..READING {
            turns.push(self.next().await.unwrap());
        }
        turns
    }

    /// How many wait.
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
