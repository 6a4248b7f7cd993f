//! Limits how many probes run at the same time, so that probes that hang do not delay others.
//!
//! ```text
//!           ┌──────────── beginning: half of the permits ──────────┐
//!  probe ──▶│ at most LATE, then it moves on                       │──▶ result
//!           └──┬───────────────────────────────────────────────────┘
//!              │ late        ▲ no permit to move on with, and another probe waits:
//!              │             │ cancelled, and restarted when there is one
//!           ┌──▼── late: a quarter ──────┐  ┌── hung: a quarter ─────────┐
//!           │ the endpoint has answered  │  │ it never has, or not for   │
//!           │ before                     │  │ `failure_threshold` probes │
//!           └────────────────────────────┘  └────────────────────────────┘
//! ```
//!
//! Every permit for beginning is free again within [`LATE`] when another probe waits for it. A
//! probe therefore waits at most `LATE × (probes waiting before it ÷ half of the permits)`, no
//! matter how many endpoints hang. An endpoint whose checks are unhealthy because it hangs starts
//! in a `hung` permit at once: one more failure changes no status. An endpoint that begins to hang
//! finds a
//! `late` permit, which those endpoints never take.
//!
//! docs/decisions/0045-places-for-probes.md has the alternatives.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

/// A probe that takes longer is late. Almost all endpoints that answer do so earlier: a TLS
/// connection to the other side of the world takes about 0.5 s.
pub(super) const LATE: Duration = Duration::from_millis(500);

/// With fewer permits there would be no quarter.
const FEWEST: usize = 4;

/// The permits for probes.
#[derive(Debug)]
pub(super) struct ProbePermits {
    beginning: Semaphore,
    late: Semaphore,
    hung: Semaphore,
    wanted: Mutex<Demand>,
}

/// What is known about the endpoint of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Responsiveness {
    /// Not probed yet.
    Unknown,
    /// It has answered, and its checks are not unhealthy because it hangs.
    Answers,
    /// Its recent probes hung, and its checks are unhealthy.
    Hangs,
}

/// The outcomes of the recent probes of one endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecentProbes {
    has_answered: bool,
    /// How many probes in a row hung.
    hung: u8,
    /// The last result was discarded, because the process was paused.
    was_discarded: bool,
}

/// The demand for permits to begin with, and the probes that can give one up.
#[derive(Debug, Default)]
struct Demand {
    /// Waiting probes for which no late probe has been cancelled.
    permits: usize,
    /// Late probes with permits to begin, longest first.
    late: VecDeque<oneshot::Sender<()>>,
}

/// A permit to begin.
struct StartPermit<'p> {
    permits: &'p ProbePermits,
    /// Set when the probe is late: receives the request for this permit.
    wanted: Option<oneshot::Receiver<()>>,
    was_wanted: bool,
    _permit: SemaphorePermit<'p>,
}

impl RecentProbes {
    /// `failure_threshold` is how many failures in a row make all checks of the endpoint unhealthy.
    pub(super) fn responsiveness(self, failure_threshold: u8) -> Responsiveness {
        match self {
            RecentProbes { has_answered: false, hung: 0, .. } => Responsiveness::Unknown,
            // The first result decides the first state (decision 0032).
            RecentProbes { has_answered: false, .. } => Responsiveness::Hangs,
            RecentProbes { hung, .. } if hung > 0 && hung >= failure_threshold => Responsiveness::Hangs,
            RecentProbes { .. } => Responsiveness::Answers,
        }
    }

    /// Records a probe. One that is late and fails has hung.
    pub(super) fn note(&mut self, has_hung: bool) {
        match has_hung {
            true => self.hung = self.hung.saturating_add(1),
            false => (self.has_answered, self.hung) = (true, 0),
        }
    }

    /// Whether to discard a result because the process was paused. Never two in a row: on an
    /// overloaded machine, whose timers are always late, no endpoint would ever fail.
    pub(super) fn is_discarded(&mut self, was_paused: bool) -> bool {
        self.was_discarded = was_paused && !self.was_discarded;
        self.was_discarded
    }
}

impl ProbePermits {
    pub(super) fn new(permits: usize) -> ProbePermits {
        let permits = permits.clamp(FEWEST, Semaphore::MAX_PERMITS);
        let quarter = permits / 4;
        ProbePermits {
            beginning: Semaphore::new(permits - 2 * quarter),
            late: Semaphore::new(quarter),
            hung: Semaphore::new(quarter),
            wanted: Mutex::default(),
        }
    }

    /// Runs a probe when there is a permit for it. `probe` is called again when the first call was
    /// cancelled.
    pub(super) async fn run<T, F: Future<Output = T>>(
        &self,
        responsiveness: Responsiveness,
        probe: impl Fn() -> F,
    ) -> T {
        let others = match responsiveness {
            Responsiveness::Answers => &self.late,
            // An endpoint that begins to hang must not wait for those that always have.
            Responsiveness::Unknown | Responsiveness::Hangs => &self.hung,
        };
        if responsiveness != Responsiveness::Hangs
            && let Some(result) = self.begin(probe(), others).await
        {
            return result;
        }
        let _permit = others.acquire().await.expect(NEVER_CLOSED);
        probe().await
    }

    /// Returns `None` if the probe was cancelled. A late probe moves to one of the other permits.
    async fn begin<T>(&self, probe: impl Future<Output = T>, others: &Semaphore) -> Option<T> {
        let mut permit = self.start_permit().await;
        let mut probing = pin!(probe);
        if let Ok(result) = timeout_at(Instant::now() + LATE, &mut probing).await {
            return Some(result);
        }
        tokio::select! {
            biased;
            result = &mut probing => Some(result),
            other = others.acquire() => {
                drop(permit);
                let _permit = other.expect(NEVER_CLOSED);
                Some(probing.await)
            }
            () = permit.wait_until_wanted() => None,
        }
    }

    async fn start_permit(&self) -> StartPermit<'_> {
        let permit = match self.beginning.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                self.wanted().request_one();
                self.beginning.acquire().await.expect(NEVER_CLOSED)
            }
        };
        StartPermit { permits: self, wanted: None, was_wanted: false, _permit: permit }
    }

    fn wanted(&self) -> MutexGuard<'_, Demand> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NEVER_CLOSED: &str = "the semaphore is never closed";

impl Demand {
    /// Cancels the probe that has been late for longest; without one, the next that becomes late.
    fn request_one(&mut self) {
        while let Some(late) = self.late.pop_front() {
            if late.send(()).is_ok() {
                return;
            }
        }
        self.permits += 1;
    }
}

impl StartPermit<'_> {
    /// Waits until another probe wants the permit of this late one.
    async fn wait_until_wanted(&mut self) {
        let receiver = {
            let mut wanted = self.permits.wanted();
            if wanted.permits > 0 {
                // Dropping this permit serves that probe, and counts it.
                return;
            }
            let (sender, receiver) = oneshot::channel();
            wanted.late.retain(|late| !late.is_closed());
            wanted.late.push_back(sender);
            receiver
        };
        // Kept in `self`, because `drop` has to know whether a request arrived.
        self.was_wanted = self.wanted.insert(receiver).await.is_ok();
    }
}

impl Drop for StartPermit<'_> {
    /// A permit that was not requested serves a waiting probe for which none need be cancelled now.
    fn drop(&mut self) {
        let mut wanted = self.permits.wanted();
        let was_wanted = self.was_wanted || self.wanted.as_mut().is_some_and(|wanted| wanted.try_recv().is_ok());
        if !was_wanted {
            wanted.permits = wanted.permits.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);
    const ANSWERED: Duration = Duration::from_millis(10);
    const HUNG: Duration = Duration::from_secs(4);
    const THRESHOLD: u8 = 3;

    /// How long a probe takes from some moment on; before it, it answers.
    #[derive(Clone, Copy, Debug)]
    struct Endpoint {
        hangs_from: Duration,
    }

    const HEALTHY: Endpoint = Endpoint { hangs_from: Duration::MAX };

    /// The longest time between two results of a healthy endpoint, and how long one that hangs
    /// takes to become unhealthy.
    #[derive(Clone, Copy, Debug, Default)]
    struct Longest {
        between_results: Duration,
        to_unhealthy: Duration,
    }

    /// Probes an endpoint as the prober does, for a minute and a half of simulated time.
    async fn probe(permits: Arc<ProbePermits>, endpoint: Endpoint, first: Duration) -> Longest {
        let (start, mut longest, mut row, mut recent) =
            (Instant::now(), Longest::default(), 0, RecentProbes::default());
        sleep(first).await;
        let mut last = Instant::now();
        while start.elapsed() < Duration::from_secs(90) {
            let took = permits
                .run(recent.responsiveness(THRESHOLD), || async {
                    let hangs = start.elapsed() >= endpoint.hangs_from;
                    sleep(if hangs { HUNG } else { ANSWERED }).await;
                    if hangs { HUNG } else { ANSWERED }
                })
                .await;
            row = if took > LATE { row + 1 } else { 0 };
            recent.note(took > LATE);
            if row == 0 {
                longest.between_results = longest.between_results.max(last.elapsed());
                last = Instant::now();
            } else if row == u32::from(THRESHOLD) {
                longest.to_unhealthy = start.elapsed().saturating_sub(endpoint.hangs_from);
            }
            sleep(INTERVAL).await;
        }
        longest
    }

    /// All at once; each endpoint begins at another time of the first interval.
    fn simulate(permits: usize, endpoints: &[Endpoint]) -> Vec<Longest> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let permits = Arc::new(ProbePermits::new(permits));
            let mut probes = JoinSet::new();
            for (permit, endpoint) in endpoints.iter().enumerate() {
                let first = INTERVAL.mul_f64(permit as f64 * 0.618_034 % 1.0);
                let probing = probe(Arc::clone(&permits), *endpoint, first);
                probes.spawn(async move { (permit, probing.await) });
            }
            let mut longest = probes.join_all().await;
            longest.sort_unstable_by_key(|(permit, _)| *permit);
            longest.into_iter().map(|(_, longest)| longest).collect()
        })
    }

    /// It became unhealthy, and in time.
    fn within(to_unhealthy: Duration, formula: Duration) -> bool {
        !to_unhealthy.is_zero() && to_unhealthy <= formula + Duration::from_millis(50)
    }

    fn slowest(longest: &[Longest]) -> Duration {
        longest.iter().map(|longest| longest.between_results).max().unwrap_or_default()
    }

    #[test]
    fn endpoints_that_hang_delay_none_that_answers() {
        // 384 of 768 permits are for beginning: 2000 hung endpoints fill them 5.2 times, for
        // `LATE`.
        let endpoints = [&[HEALTHY; 100][..], &[Endpoint { hangs_from: Duration::ZERO }; 2000]].concat();
        let longest = simulate(768, &endpoints);
        let round = INTERVAL + ANSWERED;
        assert!(slowest(&longest[..100]) <= round + LATE * 6, "{:?}", slowest(&longest[..100]));
        // All at once after half a minute, spread over their interval.
        let late = Endpoint { hangs_from: Duration::from_secs(30) };
        let longest = simulate(768, &[&[HEALTHY; 100][..], &[late; 2000]].concat());
        assert!(slowest(&longest[..100]) <= round + LATE * 6, "{:?}", slowest(&longest[..100]));
    }

    #[test]
    fn one_that_begins_to_hang_among_many_fails_over_by_the_formula() {
        let mut endpoints = vec![Endpoint { hangs_from: Duration::ZERO }; 2000];
        endpoints[1000] = Endpoint { hangs_from: Duration::from_secs(45) };
        let longest = simulate(768, &endpoints);
        let formula = (INTERVAL + HUNG) * u32::from(THRESHOLD);
        assert!(within(longest[1000].to_unhealthy, formula), "{:?}", longest[1000]);
    }

    #[test]
    fn many_may_begin_to_hang_at_once_as_long_as_there_are_places() {
        let rack = Endpoint { hangs_from: Duration::from_secs(30) };
        let longest = simulate(768, &[&[rack; 300][..], &[HEALTHY; 1000]].concat());
        let formula = (INTERVAL + HUNG) * u32::from(THRESHOLD);
        assert!(longest[..300].iter().all(|longest| within(longest.to_unhealthy, formula)));
        assert!(slowest(&longest[300..]) <= INTERVAL + ANSWERED + Duration::from_millis(50));
    }

    #[test]
    fn an_endpoint_hangs_after_a_streak_that_makes_its_checks_unhealthy() {
        let mut recent = RecentProbes::default();
        assert_eq!(recent.responsiveness(3), Responsiveness::Unknown);
        recent.note(true);
        assert_eq!(recent.responsiveness(3), Responsiveness::Hangs, "the first result decides");
        recent.note(false);
        for _ in 0..3 {
            assert_eq!(recent.responsiveness(3), Responsiveness::Answers);
            recent.note(true);
        }
        assert_eq!(recent.responsiveness(3), Responsiveness::Hangs);
        recent.note(false);
        assert_eq!(recent.responsiveness(3), Responsiveness::Answers);
        assert!(
            [true, true, true, false, true].map(|absent| recent.is_discarded(absent))
                == [true, false, true, false, true]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_at_once_than_there_are_places_and_none_is_lost() {
        let (permits, running) = (Arc::new(ProbePermits::new(16)), Arc::new(Mutex::new((0, 0))));
        let mut probes = JoinSet::new();
        for number in 0..200_u64 {
            let (permits, running) = (Arc::clone(&permits), Arc::clone(&running));
            probes.spawn(async move {
                let probe = || async {
                    struct Running<'r>(&'r Mutex<(i32, i32)>);
                    impl Drop for Running<'_> {
                        fn drop(&mut self) {
                            self.0.lock().unwrap().0 -= 1;
                        }
                    }
                    {
                        let mut counts = running.lock().unwrap();
                        *counts = (counts.0 + 1, counts.1.max(counts.0 + 1));
                    }
                    let _running = Running(&running);
                    sleep(Duration::from_millis(number * 20)).await;
                };
                permits
                    .run(
                        [Responsiveness::Hangs, Responsiveness::Answers, Responsiveness::Unknown][number as usize % 3],
                        probe,
                    )
                    .await;
            });
            if number % 7 == 0 {
                // One that is given up while it waits or runs takes nothing along.
                probes.spawn(async {}).abort();
            }
        }
        let some: Vec<_> = (0..20).map(|_| probes.spawn(std::future::pending())).collect();
        some.iter().for_each(tokio::task::AbortHandle::abort);
        while probes.join_next().await.is_some() {}
        let (now, most) = *running.lock().unwrap();
        assert_eq!((now, most), (0, 16));
        assert_eq!([&permits.beginning, &permits.late, &permits.hung].map(Semaphore::available_permits), [8, 4, 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// The wait has a bound, however many endpoints hang and however few permits there are.
        #[test]
        fn the_wait_is_bounded(
            permits in 8_usize..200,
            hanging in proptest::collection::vec(0_u64..50, 0..300),
            answering in 1_usize..20,
        ) {
            let hanging: Vec<Endpoint> =
                hanging.into_iter().map(|second| Endpoint { hangs_from: Duration::from_secs(second) }).collect();
            let all = hanging.len() + answering;
            let longest = simulate(permits, &[&vec![HEALTHY; answering][..], &hanging].concat());
            let rounds = u32::try_from(all.div_ceil(permits - permits / 4 * 2)).unwrap();
            let bound = INTERVAL + ANSWERED + (LATE + ANSWERED) * rounds;
            prop_assert!(slowest(&longest[..answering]) <= bound, "{:?} > {bound:?}", slowest(&longest[..answering]));
        }
    }
}
