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
pub(super) struct ConcurrencyLimits {
    /// Requests that read zones.
    pub(super) zones: ConcurrencyLimit,
    /// Requests for the histories of checks.
    pub(super) histories: ConcurrencyLimit,
}

/// The limit of one kind.
#[derive(Clone, Debug)]
pub(super) struct ConcurrencyLimit {
    reading: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Permission to run; the next request gets it when it is dropped.
#[derive(Debug)]
pub(super) struct Permit(OwnedSemaphorePermit);

impl Default for ConcurrencyLimit {
    fn default() -> ConcurrencyLimit {
        ConcurrencyLimit { reading: Arc::new(Semaphore::new(READING)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl ConcurrencyLimit {
    /// Waits for a permit. The error is a 503 response, if too many requests wait. A client that
    /// disconnects stops waiting.
    pub(super) async fn acquire(&self) -> Result<Permit, Box<Response>> {
        let busy =
            "the server is busy reading zones or histories for others, and too many wait already: try again later";
        let waiting = Arc::clone(&self.waiting).try_acquire_owned();
        let _waiting = waiting.map_err(|_| refusal(StatusCode::SERVICE_UNAVAILABLE, busy))?;
        let permit = Arc::clone(&self.reading).acquire_owned().await;
        Ok(Permit(permit.expect("the semaphore is never closed")))
    }
}

impl Permit {
    /// Runs `work` on a blocking thread. The permit lasts until it is done, even if the client has
    /// disconnected.
    pub(super) async fn run_blocking(self, work: impl FnOnce() -> Response + Send + 'static) -> Response {
        let outcome = tokio::task::spawn_blocking(move || {
            let _permit = self.0;
            work()
        });
        let failed = |_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "the response could not be made");
        outcome.await.unwrap_or_else(failed)
    }
}

#[cfg(test)]
impl ConcurrencyLimit {
    /// Takes all permits; later requests wait until they are dropped.
    pub(super) async fn hold(&self) -> Vec<Permit> {
        let mut permits = Vec::new();
        for _ in 0..READING {
            permits.push(self.acquire().await.unwrap());
        }
        permits
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
        let limit = ConcurrencyLimit::default();
        let held = limit.hold().await;
        let mut waiters: Vec<_> = (0..WAITING).map(|_| waiter(&limit)).collect();
        while limit.waiters() < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(limit.acquire().await.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        // Who goes away makes room.
        let gone = waiters.pop().unwrap();
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(limit.waiters(), WAITING - 1);
        drop(held);
        for waiter in waiters {
            assert!(waiter.await.unwrap());
        }
        assert_eq!(limit.waiters(), 0);
    }

    /// A request that waits for a permit and drops it.
    fn waiter(limit: &ConcurrencyLimit) -> tokio::task::JoinHandle<bool> {
        let limit = limit.clone();
        tokio::spawn(async move { limit.acquire().await.is_ok() })
    }

    #[tokio::test]
    async fn a_permit_lasts_until_the_answer_is_made() {
        let limit = ConcurrencyLimit::default();
        let reading = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut readers = Vec::new();
        for _ in 0..12 {
            let (limit, reading, most) = (limit.clone(), Arc::clone(&reading), Arc::clone(&most));
            readers.push(tokio::spawn(async move {
                let permit = limit.acquire().await.unwrap();
                let work = move || {
                    most.fetch_max(1 + reading.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    reading.fetch_sub(1, Ordering::SeqCst);
                    refusal(StatusCode::OK, "")
                };
                // Its client goes away at once.
                tokio::select! { biased; response = permit.run_blocking(work) => drop(response), () = tokio::task::yield_now() => {} }
            }));
        }
        for reader in readers {
            reader.await.unwrap();
        }
        let _all = limit.hold().await;
        assert_eq!((reading.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, READING));
    }
}
