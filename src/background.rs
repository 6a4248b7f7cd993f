//! Background work gives way to workers: loading zones and propagating health yield the processor
//! regularly.
//!
//! A lower priority alone is not enough. A worker that wakes up on a busy core waits until the time
//! slice of the scheduler ends, some milliseconds, in which hundreds of queries arrive. So the long
//! loops of background work call [`yield_point`]. On a thread with a yield budget, a call after
//! `WORK_SLICE` of work yields the core to other threads. On all other threads it only reads a
//! flag. It affects when work is done, never its result.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long background work runs before it yields.
const WORK_SLICE: Duration = Duration::from_micros(50);
/// How long work may be delayed per unit of its own CPU time, in addition to its budget. Delays by
/// priority are not counted.
const DELAY_PER_WORK: i64 = 4;

#[cfg(not(target_os = "linux"))]
static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// How many small items are processed per yield point, which reads a clock.
const ITEMS_PER_YIELD_POINT: u32 = 8;

thread_local! {
    static YIELD_STATE: Cell<Option<YieldState>> = const { Cell::new(None) };
}

/// The state of a thread that yields.
#[derive(Clone, Copy)]
struct YieldState {
    /// When the current slice began, moved forward by the time that other threads had the core.
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
    struct Before(Option<YieldState>);
    impl Drop for Before {
        fn drop(&mut self) {
            YIELD_STATE.set(self.0);
        }
    }
    let _before = Before(YIELD_STATE.replace(Some(YieldState::new(budget))));
    work()
}

/// Sets the yield budget of this thread for all its work. Call [`resume`] after each idle period.
pub(crate) fn set_yield_budget(budget: Duration) {
    YIELD_STATE.set(Some(YieldState::new(budget)));
}

/// The yield budget of this thread, to be passed to helper threads.
pub(crate) fn yield_budget() -> Option<Duration> {
    YIELD_STATE.get().map(|state| state.budget)
}

/// Starts a new slice of work.
pub(crate) fn resume() {
    YIELD_STATE.set(YIELD_STATE.get().map(YieldState::resumed));
}

/// Adds a yield point to every few items. Use it for items that take a microsecond or two each.
pub(crate) fn yielding<I: IntoIterator>(items: I) -> impl Iterator<Item = I::Item> {
    let mut left = 0;
    items.into_iter().inspect(move |_| {
        if left == 0 {
            yield_point();
            left = ITEMS_PER_YIELD_POINT;
        }
        left -= 1;
    })
}

/// A point in long work where the thread may yield.
#[inline]
pub(crate) fn yield_point() {
    if let Some(state) = YIELD_STATE.get() {
        yield_if_due(state);
    }
}

#[inline(never)]
fn yield_if_due(state: YieldState) {
    let now = Instant::now();
    if now - state.since < WORK_SLICE {
        return;
    }
    let (worked, before) = (thread_time(), state.worked);
    let slice = worked.saturating_sub(before);
    if slice < WORK_SLICE {
        // Other threads had the core recently, so do not yield again yet.
        YIELD_STATE.set(Some(YieldState { since: now - slice, ..state }));
        return;
    }
    if state.left > 0 {
        thread::yield_now();
    }
    let mut state = state.resumed();
    state.count(slice, state.since - now);
    YIELD_STATE.set(Some(state));
}

/// The CPU time of this thread. On systems without such a clock it is the elapsed time.
fn thread_time() -> Duration {
    #[cfg(target_os = "linux")]
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap_or_default();
    #[cfg(not(target_os = "linux"))]
    let time = EPOCH.elapsed();
    time
}

impl YieldState {
    fn new(budget: Duration) -> YieldState {
        YieldState { since: Instant::now(), worked: thread_time(), left: nanoseconds(budget), budget }
    }

    fn resumed(self) -> YieldState {
        YieldState { since: Instant::now(), worked: thread_time(), ..self }
    }

    fn count(&mut self, worked: Duration, away: Duration) {
        let earned = nanoseconds(worked).saturating_mul(DELAY_PER_WORK);
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
    fn a_slice_of_work_ends_in_a_rest_and_begins_anew() {
        let since = || YIELD_STATE.get().expect("it has a budget").since;
        with_yield_budget(BUDGET, || {
            let began = since();
            let worked = thread_time();
            while thread_time() - worked < WORK_SLICE {}
            yield_point();
            let rested = since();
            assert!(rested - began >= WORK_SLICE);
            resume();
            assert!(since() >= rested);
        });
    }

    #[test]
    fn the_budget_is_used_up_and_earned_again_by_work() {
        let mut state = YieldState::new(BUDGET);
        let millis = Duration::from_millis;
        state.count(millis(0), millis(99));
        assert!(state.left > 0);
        state.count(millis(1), millis(30));
        assert_eq!(state.left, -25_000_000, "99 and 30 away, of 100 and 4");
        state.count(millis(7), millis(0));
        assert!(state.left > 0);
        state.count(millis(1000), millis(0));
        assert_eq!(state.left, nanoseconds(BUDGET), "no more than at the start");
    }
}
