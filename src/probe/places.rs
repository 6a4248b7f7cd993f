//! How many probes run at once, and that those which hang do not take the places of those which answer.
//!
//! ```text
//!             ┌────────────── places for probes that begin: half ─────────────┐
//!  probe ────▶│ done within LATE                                              │──▶ result
//!             └──┬────────────────────────────────────────────────────────────┘
//!                │ late                       ▲ cut short when somebody waits for its place: begins anew in a late one
//!             ┌──▼── late places: a quarter ──┴─┐   ┌── places of endpoints that have hung for a row: a quarter ──┐
//!             │ as long as the deadlines allow  │   │ as long as the deadlines allow                              │
//!             └─────────────────────────────────┘   └─────────────────────────────────────────────────────────────┘
//! ```
//!
//! A probe that begins has no one before it that takes longer than [`LATE`]: so it waits no longer than
//! `LATE × (probes that begin with it ÷ half of the places)`, however many endpoints hang. One that hangs goes on in a late
//! place; when there is none and its own is wanted, it is cut short, says nothing, and begins anew in a late place. An
//! endpoint whose last probes all hung, for as many as make its checks unhealthy, does not take part in this: one more such
//! probe changes no verdict, so it waits for one of the places that are set aside for those. Nor does one that has never
//! answered take a late place: it goes on in one of those as well.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

/// A probe that takes longer is late. Almost all endpoints that answer at all do so earlier: a connection to the other side of
/// the world with TLS takes about 0.5 s.
pub(super) const LATE: Duration = Duration::from_millis(500);

/// With fewer there would be no quarter.
const FEWEST: usize = 4;

/// The places.
#[derive(Debug)]
pub(super) struct Places {
    beginning: Semaphore,
    late: Semaphore,
    hung: Semaphore,
    wanted: Mutex<Wanted>,
}

/// What is known of the endpoint that is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lately {
    /// Nothing: it has not been asked.
    Unknown,
    /// It has answered, and has not hung so often in a row since that its checks are unhealthy.
    Answers,
    /// Its last probes all hung, and its checks are unhealthy.
    Hangs,
}

/// What came of the last probes of an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    has_answered: bool,
    /// So many in a row hung.
    hung: u8,
    /// The last one did not count, since the process did not run all the time.
    was_dismissed: bool,
}

/// Who wants the place of a late probe, and who might give one up.
#[derive(Debug, Default)]
struct Wanted {
    /// Probes that wait for a place to begin in and for which no other has been cut short.
    places: usize,
    /// Late probes in places to begin in, longest first.
    late: VecDeque<oneshot::Sender<()>>,
}

/// A place to begin in.
struct Beginning<'p> {
    places: &'p Places,
    /// Once its probe is late: hears that somebody else wants it.
    wanted: Option<oneshot::Receiver<()>>,
    was_wanted: bool,
    _permit: SemaphorePermit<'p>,
}

impl Past {
    /// `deciding` is how many failures in a row make all of its checks unhealthy.
    pub(super) fn lately(self, deciding: u8) -> Lately {
        match self {
            Past { has_answered: false, hung: 0, .. } => Lately::Unknown,
            // The first result decides.
            Past { has_answered: false, .. } => Lately::Hangs,
            Past { hung, .. } if hung > 0 && hung >= deciding => Lately::Hangs,
            Past { .. } => Lately::Answers,
        }
    }

    /// The endpoint was asked: a probe that is late and fails has hung.
    pub(super) fn note(&mut self, has_hung: bool) {
        match has_hung {
            true => self.hung = self.hung.saturating_add(1),
            false => (self.has_answered, self.hung) = (true, 0),
        }
    }

    /// Whether the result of a probe must not count, if the process was absent meanwhile. Never two in a row: on a machine that
    /// is always late endpoints would otherwise never be seen to fail.
    pub(super) fn is_dismissed(&mut self, was_absent: bool) -> bool {
        self.was_dismissed = was_absent && !self.was_dismissed;
        self.was_dismissed
    }
}

impl Places {
    pub(super) fn new(places: usize) -> Places {
        let places = places.clamp(FEWEST, Semaphore::MAX_PERMITS);
        let quarter = places / 4;
        Places {
            beginning: Semaphore::new(places - 2 * quarter),
            late: Semaphore::new(quarter),
            hung: Semaphore::new(quarter),
            wanted: Mutex::default(),
        }
    }

    /// Makes a probe when there is a place for it. `probe` may be called twice: what the first call began is then dropped.
    pub(super) async fn make<T, F: Future<Output = T>>(&self, lately: Lately, probe: impl Fn() -> F) -> T {
        let others = match lately {
            Lately::Answers => &self.late,
            // So that those which begin to hang need not wait for those which have never done anything else.
            Lately::Unknown | Lately::Hangs => &self.hung,
        };
        if lately != Lately::Hangs
            && let Some(result) = self.begin(probe(), others).await
        {
            return result;
        }
        let _place = others.acquire().await.expect(NEVER_CLOSED);
        probe().await
    }

    /// Nothing when it was cut short. When it is late, it goes on in one of the other places.
    async fn begin<T>(&self, probe: impl Future<Output = T>, others: &Semaphore) -> Option<T> {
        let mut place = self.place_to_begin().await;
        let mut probing = pin!(probe);
        if let Ok(result) = timeout_at(Instant::now() + LATE, &mut probing).await {
            return Some(result);
        }
        tokio::select! {
            biased;
            result = &mut probing => Some(result),
            other = others.acquire() => {
                drop(place);
                let _place = other.expect(NEVER_CLOSED);
                Some(probing.await)
            }
            () = place.wanted_by_another() => None,
        }
    }

    async fn place_to_begin(&self) -> Beginning<'_> {
        let permit = match self.beginning.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                self.wanted().ask_for_one();
                self.beginning.acquire().await.expect(NEVER_CLOSED)
            }
        };
        Beginning { places: self, wanted: None, was_wanted: false, _permit: permit }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NEVER_CLOSED: &str = "the semaphore is never closed";

impl Wanted {
    /// Cuts the one short that has been late for longest. Without one, the next that is late gives its place up.
    fn ask_for_one(&mut self) {
        while let Some(late) = self.late.pop_front() {
            if late.send(()).is_ok() {
                return;
            }
        }
        self.places += 1;
    }
}

impl Beginning<'_> {
    /// Waits until somebody wants this place of a late probe.
    async fn wanted_by_another(&mut self) {
        let receiver = {
            let mut wanted = self.places.wanted();
            if wanted.places > 0 {
                // It is given back at once, which counts one less.
                return;
            }
            let (sender, receiver) = oneshot::channel();
            wanted.late.retain(|late| !late.is_closed());
            wanted.late.push_back(sender);
            receiver
        };
        // Dropped only with the place, which has to know whether it was asked for.
        self.was_wanted = self.wanted.insert(receiver).await.is_ok();
    }
}

impl Drop for Beginning<'_> {
    /// A place that was asked for goes to whom asked; any other to somebody for whom then no probe need be cut short.
    fn drop(&mut self) {
        let mut wanted = self.places.wanted();
        let was_wanted = self.was_wanted || self.wanted.as_mut().is_some_and(|wanted| wanted.try_recv().is_ok());
        if !was_wanted {
            wanted.places = wanted.places.saturating_sub(1);
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

    /// The longest time from one result of a healthy endpoint to the next, or of one that hangs to its becoming unhealthy.
    #[derive(Clone, Copy, Debug, Default)]
    struct Longest {
        between_results: Duration,
        to_unhealthy: Duration,
    }

    /// Probes an endpoint as the prober does, for a minute and a half of simulated time.
    async fn probe(places: Arc<Places>, endpoint: Endpoint, first: Duration) -> Longest {
        let (start, mut longest, mut row, mut past) = (Instant::now(), Longest::default(), 0, Past::default());
        sleep(first).await;
        let mut last = Instant::now();
        while start.elapsed() < Duration::from_secs(90) {
            let took = places
                .make(past.lately(THRESHOLD), || async {
                    let hangs = start.elapsed() >= endpoint.hangs_from;
                    sleep(if hangs { HUNG } else { ANSWERED }).await;
                    if hangs { HUNG } else { ANSWERED }
                })
                .await;
            row = if took > LATE { row + 1 } else { 0 };
            past.note(took > LATE);
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
    fn simulate(places: usize, endpoints: &[Endpoint]) -> Vec<Longest> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let places = Arc::new(Places::new(places));
            let mut probes = JoinSet::new();
            for (place, endpoint) in endpoints.iter().enumerate() {
                let first = INTERVAL.mul_f64(place as f64 * 0.618_034 % 1.0);
                let probing = probe(Arc::clone(&places), *endpoint, first);
                probes.spawn(async move { (place, probing.await) });
            }
            let mut longest = probes.join_all().await;
            longest.sort_unstable_by_key(|(place, _)| *place);
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
        // Of 768 places 384 are to begin in: 2000 that hang from the start want each of them five times, for `LATE`.
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
    fn an_endpoint_hangs_after_a_row_that_makes_its_checks_unhealthy() {
        let mut past = Past::default();
        assert_eq!(past.lately(3), Lately::Unknown);
        past.note(true);
        assert_eq!(past.lately(3), Lately::Hangs, "the first result decides");
        past.note(false);
        for _ in 0..3 {
            assert_eq!(past.lately(3), Lately::Answers);
            past.note(true);
        }
        assert_eq!(past.lately(3), Lately::Hangs);
        past.note(false);
        assert_eq!(past.lately(3), Lately::Answers);
        assert!(
            [true, true, true, false, true].map(|absent| past.is_dismissed(absent)) == [true, false, true, false, true]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_at_once_than_there_are_places_and_none_is_lost() {
        let (places, running) = (Arc::new(Places::new(16)), Arc::new(Mutex::new((0, 0))));
        let mut probes = JoinSet::new();
        for number in 0..200_u64 {
            let (places, running) = (Arc::clone(&places), Arc::clone(&running));
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
                places.make([Lately::Hangs, Lately::Answers, Lately::Unknown][number as usize % 3], probe).await;
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
        assert_eq!([&places.beginning, &places.late, &places.hung].map(Semaphore::available_permits), [8, 4, 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// However many hang, from whenever on, and however few places there are: none that answers waits longer than the
        /// others that begin with it take.
        #[test]
        fn the_wait_is_bounded(
            places in 8_usize..200,
            hanging in proptest::collection::vec(0_u64..50, 0..300),
            answering in 1_usize..20,
        ) {
            let hanging: Vec<Endpoint> =
                hanging.into_iter().map(|second| Endpoint { hangs_from: Duration::from_secs(second) }).collect();
            let all = hanging.len() + answering;
            let longest = simulate(places, &[&vec![HEALTHY; answering][..], &hanging].concat());
            let rounds = u32::try_from(all.div_ceil(places - places / 4 * 2)).unwrap();
            let bound = INTERVAL + ANSWERED + (LATE + ANSWERED) * rounds;
            prop_assert!(slowest(&longest[..answering]) <= bound, "{:?} > {bound:?}", slowest(&longest[..answering]));
        }
    }
}
