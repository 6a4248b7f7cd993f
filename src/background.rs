//! Background work gives way to workers: loading zones and propagating health yield the processor
//! regularly.
//!
//! A lower priority alone is not enough. A worker that wakes up on a busy core waits until the time
//! slice of the scheduler ends, some milliseconds, in which hundreds of queries arrive. So the long
//! loops of background work call [`yield_point`]. On a thread with a yield budget, a call after
//! `STRETCH` of work yields the core to other threads. On all other threads it only reads a flag.
//! It affects when work is done, never its result.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long background work runs before it yields.
const STRETCH: Duration = Duration::from_micros(50);
/// How long work may be delayed per unit of its own CPU time, in addition to its budget. Delays by
/// priority are not counted.
const AWAY_FOR_WORK: i64 = 4;

#[cfg(not(target_os = "linux"))]
static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// How many small items are processed per yield point, which reads a clock.
const ITEMS_A_STEP: u32 = 8;

thread_local! {
    static PACE: Cell<Option<Pace>> = const { Cell::new(None) };
}

/// The state of a thread that yields.
#[derive(Clone, Copy)]
struct Pace {
    /// When the current stretch began, moved forward by the time that other threads had the core.
    since: Instant,
    /// The CPU time of the thread at that moment.
    worked: Duration,
    /// The delay that remains allowed, in nanoseconds. It is negative after a longer delay.
    left: i64,
    /// The maximum of `left`.
    budget: Duration,
}

/// Lowers the priority of this thread, and of those that it starts, permanently. With nice 10 it
/// gets about a tenth of a core that a worker also wants: it becomes slow but continues.
pub(crate) fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!("cannot lower the priority of a background thread: {error}");
    }
}

/// Runs `work` with this yield budget. Yielding delays it by at most `budget`, four times its CPU
/// time and one time slice of the other threads.
pub(crate) fn with_yield_budget<T>(budget: Duration, work: impl FnOnce() -> T) -> T {
    /// Restores the previous state also after a panic.
    struct Before(Option<Pace>);
    impl Drop for Before {
        fn drop(&mut self) {
            PACE.set(self.0);
        }
    }
    let _before = Before(PACE.replace(Some(Pace::new(budget))));
    work()
}

/// Sets the yield budget of this thread for all its work. Call [`resume`] after each idle period.
pub(crate) fn set_yield_budget(budget: Duration) {
    PACE.set(Some(Pace::new(budget)));
}

/// The yield budget of this thread, to be passed to helper threads.
pub(crate) fn yield_budget() -> Option<Duration> {
    PACE.get().map(|pace| pace.budget)
}

/// Starts a new stretch of work.
pub(crate) fn resume() {
    PACE.set(PACE.get().map(Pace::resumed));
}

/// Adds a yield point to every few items. Use it for items that take a microsecond or two each.
pub(crate) fn yielding<I: IntoIterator>(items: I) -> impl Iterator<Item = I::Item> {
    let mut left = 0;
    items.into_iter().inspect(move |_| {
        if left == 0 {
            yield_point();
            left = ITEMS_A_STEP;
        }
        left -= 1;
    })
}

/// A point in long work where the thread may yield.
#[inline]
pub(crate) fn yield_point() {
    if let Some(pace) = PACE.get() {
        give_way(pace);
    }
}

#[inline(never)]
fn give_way(pace: Pace) {
    let now = Instant::now();
    if now - pace.since < STRETCH {
        return;
    }
    let (worked, before) = (thread_time(), pace.worked);
    let stretch = worked.saturating_sub(before);
    if stretch < STRETCH {
        // Other threads had the core recently, so do not yield again yet.
        PACE.set(Some(Pace { since: now - stretch, ..pace }));
        return;
    }
    if pace.left > 0 {
        thread::yield_now();
    }
    let mut pace = pace.resumed();
    pace.count(stretch, pace.since - now);
    PACE.set(Some(pace));
}

/// The CPU time of this thread. On systems without such a clock it is the elapsed time.
fn thread_time() -> Duration {
    #[cfg(target_os = "linux")]
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap_or_default();
    #[cfg(not(target_os = "linux"))]
    let time = EPOCH.elapsed();
    time
}

impl Pace {
    fn new(budget: Duration) -> Pace {
        Pace { since: Instant::now(), worked: thread_time(), left: nanoseconds(budget), budget }
    }

    fn resumed(self) -> Pace {
        Pace { since: Instant::now(), worked: thread_time(), ..self }
    }

    fn count(&mut self, worked: Duration, away: Duration) {
        let earned = nanoseconds(worked).saturating_mul(AWAY_FOR_WORK);
        let left = self.left.saturating_add(earned).saturating_sub(nanoseconds(away));
        self.left = left.min(nanoseconds(self.budget));
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(100);

    #[test]
    fn only_work_with_a_budget_has_one_however_it_ends() {
        assert_eq!(yield_budget(), None);
        with_yield_budget(BUDGET, || {
            with_yield_budget(Duration::ZERO, || assert_eq!(yield_budget(), Some(Duration::ZERO)));
            assert_eq!(yield_budget(), Some(BUDGET));
        });
        assert_eq!(yield_budget(), None);
        let fault = std::panic::catch_unwind(|| with_yield_budget(BUDGET, || panic!("a fault")));
        assert!(fault.is_err());
        assert_eq!(yield_budget(), None);
    }

    #[test]
    fn a_stretch_ends_in_a_rest_and_begins_anew() {
        let since = || PACE.get().expect("it has a budget").since;
        with_yield_budget(BUDGET, || {
            let began = since();
            let worked = thread_time();
            while thread_time() - worked < STRETCH {}
            yield_point();
            let rested = since();
            assert!(rested - began >= STRETCH);
            resume();
            assert!(since() >= rested);
        });
    }

    #[test]
    fn the_budget_is_used_up_and_earned_again_by_work() {
        let mut pace = Pace::new(BUDGET);
        let millis = Duration::from_millis;
        pace.count(millis(0), millis(99));
        assert!(pace.left > 0);
        pace.count(millis(1), millis(30));
        assert_eq!(pace.left, -25_000_000, "99 and 30 away, of 100 and 4");
        pace.count(millis(7), millis(0));
        assert!(pace.left > 0);
        pace.count(millis(1000), millis(0));
        assert_eq!(pace.left, nanoseconds(BUDGET), "no more than at the start");
    }
}
