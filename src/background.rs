//! The pace of work that can wait: whoever loads zones or settles health beside workers gives way to them, again and again.
//!
//! A lower priority alone makes no good neighbour: a worker that wakes on a core where something else runs waits until the
//! scheduler's slice is over, some milliseconds, in which hundreds of queries come. So the long loops of such work say [`yield_point`],
//! and on a thread that is patient a step after a stretch of work hands the core to whoever wants it. Everywhere else it is a
//! look at a flag. It says when work is done, never what comes of it.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long patient work goes on before it gives way.
const STRETCH: Duration = Duration::from_micros(50);
/// How long work may stay away for the time that it takes itself, besides its patience. What others take of the core by their
/// priority comes on top.
const AWAY_FOR_WORK: i64 = 4;

#[cfg(not(target_os = "linux"))]
static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// How many small items there are to a step: it reads a clock.
const ITEMS_A_STEP: u32 = 8;

thread_local! {
    static PACE: Cell<Option<Pace>> = const { Cell::new(None) };
}

/// How a thread stands that gives way.
#[derive(Clone, Copy)]
struct Pace {
    /// When its stretch began, or would have begun had others not had the core meanwhile.
    since: Instant,
    /// How long the thread had worked by then.
    worked: Duration,
    /// How long it may stay away yet; below zero when it was away for longer than that. Nanoseconds.
    left: i64,
    /// How much that is at most.
    patience: Duration,
}

/// Gives this thread, and those that it starts, a lower priority for good: at 10 it gets about a tenth of a core that a worker
/// wants as well, so that it is slow there, but goes on.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!("a thread that can wait has the priority of everybody else: {error}");
    }
}

/// Does work that can wait. By giving way it waits no longer than `patience`, four times what it takes, and one turn of the others.
pub fn with_yield_budget<T>(patience: Duration, work: impl FnOnce() -> T) -> T {
    /// However the work ends.
    struct Before(Option<Pace>);
    impl Drop for Before {
        fn drop(&mut self) {
            PACE.set(self.0);
        }
    }
    let _before = Before(PACE.replace(Some(Pace::new(patience))));
    work()
}

/// From now on all work of this thread can wait. After each time that it had none it says [`resume`].
pub fn set_yield_budget(patience: Duration) {
    PACE.set(Some(Pace::new(patience)));
}

/// The patience of this thread: its helpers have the same.
pub fn yield_budget() -> Option<Duration> {
    PACE.get().map(|pace| pace.patience)
}

/// A stretch of work begins.
pub fn resume() {
    PACE.set(PACE.get().map(Pace::resumed));
}

/// Steps among many items that take a microsecond or two each.
pub fn yielding<I: IntoIterator>(items: I) -> impl Iterator<Item = I::Item> {
    let mut left = 0;
    items.into_iter().inspect(move |_| {
        if left == 0 {
            yield_point();
            left = ITEMS_A_STEP;
        }
        left -= 1;
    })
}

/// A place in a long work where it may rest.
#[inline]
pub fn yield_point() {
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
        // Others had the core: they need not be given it again so soon.
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

/// How long this thread has worked. Where no clock says so, others are taken to have had nothing.
fn thread_time() -> Duration {
    #[cfg(target_os = "linux")]
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap_or_default();
    #[cfg(not(target_os = "linux"))]
    let time = EPOCH.elapsed();
    time
}

impl Pace {
    fn new(patience: Duration) -> Pace {
        Pace { since: Instant::now(), worked: thread_time(), left: nanoseconds(patience), patience }
    }

    fn resumed(self) -> Pace {
        Pace { since: Instant::now(), worked: thread_time(), ..self }
    }

    fn count(&mut self, worked: Duration, away: Duration) {
        let earned = nanoseconds(worked).saturating_mul(AWAY_FOR_WORK);
        let left = self.left.saturating_add(earned).saturating_sub(nanoseconds(away));
        self.left = left.min(nanoseconds(self.patience));
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    #[test]
    fn only_patient_work_is_patient_however_it_ends() {
        assert_eq!(yield_budget(), None);
        with_yield_budget(PATIENCE, || {
            with_yield_budget(Duration::ZERO, || assert_eq!(yield_budget(), Some(Duration::ZERO)));
            assert_eq!(yield_budget(), Some(PATIENCE));
        });
        assert_eq!(yield_budget(), None);
        let fault = std::panic::catch_unwind(|| with_yield_budget(PATIENCE, || panic!("a fault")));
        assert!(fault.is_err());
        assert_eq!(yield_budget(), None);
    }

    #[test]
    fn a_stretch_ends_in_a_rest_and_begins_anew() {
        let since = || PACE.get().expect("it is patient").since;
        with_yield_budget(PATIENCE, || {
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
    fn patience_ends_and_comes_back_with_work() {
        let mut pace = Pace::new(PATIENCE);
        let millis = Duration::from_millis;
        pace.count(millis(0), millis(99));
        assert!(pace.left > 0);
        pace.count(millis(1), millis(30));
        assert_eq!(pace.left, -25_000_000, "99 and 30 away, of 100 and 4");
        pace.count(millis(7), millis(0));
        assert!(pace.left > 0);
        pace.count(millis(1000), millis(0));
        assert_eq!(pace.left, nanoseconds(PATIENCE), "no more than at the start");
    }
}
