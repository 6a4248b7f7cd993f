//! Schedules the probes: one task per probed endpoint, owned here.
//!
//! Checks that probe the same endpoint in the same way and equally often share one probe, and each
//! receives its result (docs/decisions/0034-identical-probes-are-made-once.md).
//!
//! The first probe comes soon, since a new check counts as healthy until then and port 53 may wait
//! for it. The second comes after a part of the interval that differs from check to check, so that
//! a thousand checks that were started together spread over the interval. From then on, one
//! interval passes between the end of a probe and the start of the next (Developer Guide,
//! RequestInterval). Probes start at multiples of a fixed tick; those of one tick share a wake-up.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::health::{CheckSlot, Generation, Observation, ScheduledProbe};
use crate::model::{AddressFamily, EndpointCheck, EndpointProtocol, EndpointTarget, Timeouts};

use crate::background;
use crate::log_limit::LogLimit;

use super::authorities::Authorities;
use super::concurrency::{LATE, RecentProbes, Responsiveness};
use super::environment::Environment;
use super::errors::ProbeNotRun;
use super::http::{HttpProbe, Transport};
use super::resolve::{Host, NoAddress};
use super::tls::{Connectors, ServerNameIndication, Trust};
use super::{Durations, Finding, Observed, ProbedAddress, Report, Timings, tcp};

/// All first probes start within this time (or within the interval, if that is shorter) ...
const FIRST_PROBES_WITHIN: Duration = Duration::from_secs(1);

/// ... unless that is more than this number per second, which is what one core should be used for:
/// 4000 take about a fifth of a core, and endpoints on the same machine need the rest.
const FIRST_PROBES_A_SECOND: f64 = 4000.0;

/// The tick: probes start at multiples of it. With 2000 probes per second, 40 start together, which
/// avoids most wake-ups of the kernel and the runtime. An interval of a second becomes at most 2 %
/// longer.
const TICK: Duration = Duration::from_millis(20);

/// The default limit of concurrent probes: a quarter of the usual 1024 open files.
const PROBES_AT_ONCE: usize = 256;

/// Runs the probes.
#[derive(Debug)]
pub struct Prober {
    running: HashMap<SameProbe, Running>,
    tools: Arc<Tools>,
}

/// The settings of probes.
#[derive(Clone, Debug)]
pub struct ProberSettings {
    /// The deadlines of the steps.
    pub timings: Timings,
    /// How many probes run at once. Others wait; their deadlines have not started.
    pub probes_at_once: usize,
    /// The authorities for checks that verify certificates.
    pub authorities: Authorities,
}

/// Why probes cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// The TLS client could not be built.
    #[error("cannot build the TLS client of the health checks")]
    Tls(#[from] rustls::Error),
    /// The HTTP client of the metric checks could not be built.
    #[error("cannot build the HTTP client of the metric checks")]
    Client(#[from] reqwest::Error),
}

/// What checks that share a probe have in common.
#[derive(Debug)]
struct SameProbe(Arc<EndpointCheck>);

/// The task of one probe. It stops when this is dropped.
#[derive(Debug)]
struct Running {
    listeners: Arc<Listeners>,
    task: JoinHandle<()>,
}

/// The checks that receive the results of one probe.
#[derive(Debug)]
struct Listeners {
    /// Never empty. The first check's id is in the User-Agent.
    checks: Mutex<Arc<[ScheduledProbe]>>,
    /// A check was added that has no result yet.
    joined: Notify,
}

/// What all probes share.
#[derive(Debug)]
struct Tools {
    connectors: Connectors,
    environment: Arc<Environment>,
    warnings: LogLimit,
    timings: Timings,
    results: mpsc::Sender<Observed>,
    /// The time of the first tick.
    epoch: Instant,
}

/// One check, prepared.
#[derive(Debug)]
struct Endpoint {
    /// The first of the checks it was made for.
    lead: (CheckSlot, Generation),
    target: Target,
    port: u16,
    timings: Timings,
    kind: Kind,
}

/// What to probe.
#[derive(Debug)]
enum Target {
    Literal(IpAddr),
    Named(Arc<Host>),
}

#[derive(Debug)]
enum Kind {
    Tcp,
    Http(Box<HttpProbe>),
}

/// The pauses before the first and the second probe; later pauses are one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pauses {
    first: Duration,
    second: Duration,
    interval: Duration,
}

impl Default for ProberSettings {
    fn default() -> ProberSettings {
        ProberSettings {
            timings: Timings::default(),
            probes_at_once: PROBES_AT_ONCE,
            authorities: Authorities::default(),
        }
    }
}

impl Prober {
    /// A prober without probes. If results are not received, probing waits. Must be called within a
    /// tokio runtime.
    pub fn new(settings: &ProberSettings, results: mpsc::Sender<Observed>) -> Result<Prober, ProberError> {
        let tools = Tools {
            connectors: Connectors::new(&settings.authorities)?,
            environment: Environment::start(settings.probes_at_once),
            warnings: LogLimit::default(),
            timings: settings.timings,
            results,
            epoch: Instant::now(),
        };
        Ok(Prober { running: HashMap::new(), tools: Arc::new(tools) })
    }

    /// The environment, shared with metric evaluations.
    #[must_use]
    pub fn environment(&self) -> &Arc<Environment> {
        &self.tools.environment
    }

    /// Follows changes of the schedule until its sender is dropped; then all probes stop.
    pub async fn run(mut self, mut schedule: watch::Receiver<Arc<[ScheduledProbe]>>) {
        loop {
            let wanted = Arc::clone(&schedule.borrow_and_update());
            self.set(&wanted);
            if schedule.changed().await.is_err() {
                return;
            }
        }
    }

    /// Compares the schedule with the running tasks: starts, keeps, stops. A check with another
    /// interval is restarted. Must be called within a tokio runtime.
    pub fn set(&mut self, schedule: &[ScheduledProbe]) {
        let mut before = std::mem::take(&mut self.running);
        let mut starting = Vec::new();
        for (probe, listeners) in by_probe(schedule) {
            match before.remove(&probe).filter(|running| !running.task.is_finished()) {
                Some(running) => {
                    running.listeners.replace(listeners);
                    self.running.insert(probe, running);
                }
                // A task that ended, which only a bug here could cause, is restarted.
                None => starting.push((probe, listeners)),
            }
        }
        // Tasks stop before their replacements start, and start in the order of their slots.
        drop(before);
        starting.sort_unstable_by_key(|(_, listeners)| listeners[0].slot);
        let all = starting.len();
        for (index, (probe, listeners)) in starting.into_iter().enumerate() {
            let pauses = Pauses::of(&listeners[0], index, all);
            self.running.insert(probe, Running::start(listeners, pauses, &self.tools));
        }
    }

    /// The number of checks that are probed.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.values().map(|running| running.listeners.checks().len()).sum()
    }
}

fn by_probe(schedule: &[ScheduledProbe]) -> HashMap<SameProbe, Vec<ScheduledProbe>> {
    let mut probes: HashMap<SameProbe, Vec<ScheduledProbe>> = HashMap::with_capacity(schedule.len());
    for scheduled in schedule {
        probes.entry(SameProbe(Arc::clone(&scheduled.check))).or_default().push(scheduled.clone());
    }
    probes
}

impl SameProbe {
    /// What is probed, where, and how often. Thresholds may differ between the checks.
    fn parts(&self) -> (&EndpointProtocol, &EndpointTarget, u16, AddressFamily, Timeouts, Duration) {
        let EndpointCheck {
            protocol,
            target,
            port,
            request_interval,
            failure_threshold: _,
            recovery_threshold: _,
            measure_latency: _,
            address_family,
            timeouts,
            regions: _,
        } = &*self.0;
        (protocol, target, *port, *address_family, *timeouts, *request_interval)
    }
}

impl PartialEq for SameProbe {
    fn eq(&self, other: &SameProbe) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for SameProbe {}

impl Hash for SameProbe {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Running {
    fn start(checks: Vec<ScheduledProbe>, pauses: Pauses, tools: &Arc<Tools>) -> Running {
        let listeners = Arc::new(Listeners { checks: Mutex::new(checks.into()), joined: Notify::new() });
        let task = tokio::spawn(keep_probing(Arc::clone(&listeners), pauses, Arc::clone(tools)));
        Running { listeners, task }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listeners {
    fn checks(&self) -> Arc<[ScheduledProbe]> {
        Arc::clone(&self.checks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new check does not wait for the interval: the next probe, whose result all checks receive,
    /// comes at once.
    fn replace(&self, checks: Vec<ScheduledProbe>) {
        let before = std::mem::replace(&mut *self.checks.lock().unwrap_or_else(PoisonError::into_inner), checks.into());
        let heard = |scheduled: &ScheduledProbe| before.iter().any(|known| life(known) == life(scheduled));
        if !self.checks().iter().all(heard) {
            self.joined.notify_one();
        }
    }
}

fn life(scheduled: &ScheduledProbe) -> (CheckSlot, Generation) {
    (scheduled.slot, scheduled.generation)
}

impl Pauses {
    fn of(scheduled: &ScheduledProbe, index: usize, of: usize) -> Pauses {
        let interval = scheduled.check.request_interval;
        let all_within = FIRST_PROBES_WITHIN.max(Duration::from_secs_f64(of as f64 / FIRST_PROBES_A_SECOND));
        let first = interval.min(all_within).mul_f64(index as f64 / of as f64);
        // The fractional parts of multiples of the golden ratio fill the range from 0 to 1 evenly
        // for any number of slots. 1 - x is never 0, so there is always a pause.
        let part = 1.0 - (f64::from(scheduled.slot.0) * 0.618_033_988_749_895).fract();
        Pauses { first, second: interval.mul_f64(part), interval }
    }
}

async fn keep_probing(listeners: Arc<Listeners>, pauses: Pauses, tools: Arc<Tools>) {
    let mut endpoint = Endpoint::new(&listeners.checks()[0], &tools);
    let mut recent = RecentProbes::default();
    sleep_until(tools.tick_after(pauses.first)).await;
    let mut pause = pauses.second;
    loop {
        // Boxed: most tasks are in a pause most of the time and need no memory for a probe then.
        let Ok(()) = Box::pin(tools.probe_for(&listeners, &endpoint, &mut recent)).await else { return };
        tokio::select! {
            () = sleep_until(tools.tick_after(pause)) => {}
            () = listeners.joined.notified() => {}
        }
        pause = pauses.interval;
        let checks = listeners.checks();
        if life(&checks[0]) != endpoint.lead {
            endpoint = Endpoint::new(&checks[0], &tools);
        }
    }
}

fn observed(scheduled: &ScheduledProbe, report: Report, began: Instant) -> Observed {
    Observed {
        slot: scheduled.slot,
        generation: scheduled.generation,
        observation: report.observation(),
        report,
        began,
    }
}

impl Tools {
    /// The first tick that is at least this pause from now.
    fn tick_after(&self, pause: Duration) -> Instant {
        let due = Instant::now().duration_since(self.epoch) + pause;
        let late = due.as_nanos() % TICK.as_nanos();
        let early = if late == 0 { 0 } else { TICK.as_nanos() - late };
        self.epoch + due + Duration::from_nanos(u64::try_from(early).unwrap_or(0))
    }

    /// Probes once and sends the result to all checks of the probe. Returns an error if results are
    /// no longer received.
    async fn probe_for(
        &self,
        listeners: &Listeners,
        endpoint: &Endpoint,
        recent: &mut RecentProbes,
    ) -> Result<(), mpsc::error::SendError<Observed>> {
        background::yield_point();
        let began = Instant::now();
        let result = self.probe(endpoint, recent.responsiveness(failures_that_decide(&listeners.checks()))).await;
        if recent.is_discarded(self.environment.was_paused_since(began)) {
            return Ok(());
        }
        let checks = listeners.checks();
        match result {
            Ok(report) => {
                if report.address != ProbedAddress::NoAddress {
                    recent.note(report.observation() == Observation::Fail && report.durations.total > LATE);
                }
                self.report(&checks, report, began).await?;
            }
            Err(error) => {
                // The same for all checks: the cause is this machine.
                if let Some(held_back) = self.warnings.admit(error.to_string()) {
                    tracing::warn!(check = &*checks[0].name, "{error}{held_back}");
                }
            }
        }
        Ok(())
    }

    async fn report(
        &self,
        checks: &[ScheduledProbe],
        report: Report,
        began: Instant,
    ) -> Result<(), mpsc::error::SendError<Observed>> {
        let (last, others) = checks.split_last().expect("a probe has a check that it is made for");
        for scheduled in others {
            self.results.send(observed(scheduled, report.clone(), began)).await?;
        }
        self.results.send(observed(last, report, began)).await
    }

    async fn probe(&self, endpoint: &Endpoint, responsiveness: Responsiveness) -> Result<Report, ProbeNotRun> {
        let (probed, address) = match self.address(endpoint).await? {
            Ok(found) => found,
            Err(finding) => {
                return Ok(Report { finding, address: ProbedAddress::NoAddress, durations: Durations::default() });
            }
        };
        let address = SocketAddr::new(address, endpoint.port);
        let (finding, durations) = self.environment.permits.run(responsiveness, || self.ask(endpoint, address)).await?;
        let report = Report { finding, address: probed, durations };
        if let Target::Named(host) = &endpoint.target
            && report.observation() == Observation::Fail
        {
            host.forget();
        }
        Ok(report)
    }

    async fn ask(&self, endpoint: &Endpoint, address: SocketAddr) -> Result<(Finding, Durations), ProbeNotRun> {
        match &endpoint.kind {
            Kind::Tcp => tcp::probe(address, &endpoint.timings).await,
            Kind::Http(probe) => probe.probe(&self.connectors, address, &endpoint.timings).await,
        }
    }

    async fn address(&self, endpoint: &Endpoint) -> Result<Result<(ProbedAddress, IpAddr), Finding>, ProbeNotRun> {
        let host = match &endpoint.target {
            Target::Literal(address) => return Ok(Ok((ProbedAddress::Literal(*address), *address))),
            Target::Named(host) => host,
        };
        match self.environment.resolver.address(host, endpoint.timings.resolve).await {
            Ok(address) => Ok(Ok((ProbedAddress::Resolved(address), address))),
            Err(NoAddress::None(why)) => Ok(Err(Finding::Unresolved(why))),
            Err(NoAddress::NoResponse(why)) => Ok(Err(Finding::ResolverFailed(why))),
            Err(NoAddress::Local(why)) => Err(ProbeNotRun(why)),
        }
    }
}

/// How many failures in a row make all of these checks unhealthy.
fn failures_that_decide(checks: &[ScheduledProbe]) -> u8 {
    checks.iter().map(|scheduled| scheduled.check.failure_threshold).max().unwrap_or(1)
}

impl Endpoint {
    fn new(scheduled: &ScheduledProbe, tools: &Tools) -> Endpoint {
        let EndpointCheck { protocol, target, port, address_family, timeouts, .. } = &*scheduled.check;
        let (name, address) = match target {
            EndpointTarget::Address { ip_address, fully_qualified_domain_name } => {
                (fully_qualified_domain_name.as_deref(), Some(*ip_address))
            }
            EndpointTarget::Domain(name) => (Some(name.as_str()), None),
        };
        let http = |transport, request| {
            Kind::Http(Box::new(HttpProbe::new(&scheduled.id, transport, request, name, address, *port)))
        };
        let kind = match protocol {
            EndpointProtocol::Tcp => Kind::Tcp,
            EndpointProtocol::Http(request) => http(Transport::Plain, request),
            EndpointProtocol::Https { request, enable_sni, verify_certificate } => {
                let sni = if *enable_sni { ServerNameIndication::Sent } else { ServerNameIndication::Omitted };
                let trust = if *verify_certificate { Trust::Authorities } else { Trust::AnyCertificate };
                http(Transport::Tls(sni, trust), request)
            }
        };
        let target = match target {
            EndpointTarget::Address { ip_address, .. } => Target::Literal(*ip_address),
            EndpointTarget::Domain(name) => Target::Named(tools.environment.resolver.host(name, *address_family)),
        };
        Endpoint { lead: life(scheduled), target, port: *port, timings: tools.timings.with(timeouts), kind }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::SystemTime;

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::health::Reason;
    use crate::health::{Status, Timestamp, Tracker};
    use crate::model::{HealthCheck, HealthCheckId, HealthCheckKind, HttpRequest};
    use crate::probe::test_servers::{Server, until_closed};

    const SOON: Duration = Duration::from_secs(10);

    fn check(name: &str, address: SocketAddr, interval: Duration) -> HealthCheck {
        HealthCheck {
            id: HealthCheckId(name.to_owned()),
            name: name.to_owned(),
            caller_reference: None,
            version: 1,
            tags: Default::default(),
            inverted: false,
            disabled: false,
            agreement: None,
            kind: HealthCheckKind::Endpoint(EndpointCheck {
                protocol: EndpointProtocol::Http(HttpRequest {
                    resource_path: Some(format!("/{name}")),
                    ..HttpRequest::default()
                }),
                target: EndpointTarget::Address { ip_address: address.ip(), fully_qualified_domain_name: None },
                port: address.port(),
                request_interval: interval,
                failure_threshold: 3,
                recovery_threshold: 3,
                measure_latency: false,
                address_family: AddressFamily::default(),
                timeouts: Timeouts::default(),
                regions: Vec::new(),
            }),
        }
    }

    fn schedule(checks: &[HealthCheck]) -> Vec<ScheduledProbe> {
        let mut tracker = Tracker::new();
        tracker.apply(checks, Timestamp::default());
        tracker.probes()
    }

    fn prober(settings: &ProberSettings) -> (Prober, mpsc::Receiver<Observed>) {
        let (sender, receiver) = mpsc::channel(16);
        (Prober::new(settings, sender).unwrap(), receiver)
    }

    async fn next(results: &mut mpsc::Receiver<Observed>) -> Observed {
        timeout(SOON, results.recv()).await.expect("a result comes soon").unwrap()
    }

    async fn good_server() -> Server {
        Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await
    }

    #[tokio::test]
    async fn an_interval_lies_between_the_end_of_a_probe_and_the_next() {
        let interval = Duration::from_millis(100);
        let server = good_server().await;
        let (mut prober, mut results) = prober(&ProberSettings::default());
        let start = Instant::now();
        prober.set(&schedule(&[check("a", server.address, interval)]));
        for _ in 0..5 {
            let observed = next(&mut results).await;
            assert_eq!((observed.slot, observed.observation), (CheckSlot(0), Observation::Pass));
            assert_eq!(observed.report.to_string(), "Success: HTTP Status Code 200, OK");
        }
        // The first check's second probe also comes after a whole interval.
        assert!(start.elapsed() >= interval * 4);
    }

    #[tokio::test]
    async fn a_check_by_name_is_resolved_before_its_probe() {
        let server = good_server().await;
        let by_name = |name: &str| {
            let mut check = check(name, server.address, Duration::from_secs(3600));
            let HealthCheckKind::Endpoint(endpoint) = &mut check.kind else { unreachable!() };
            endpoint.target = EndpointTarget::Domain(name.to_owned());
            check
        };
        let (mut prober, mut results) = prober(&ProberSettings::default());
        prober.set(&schedule(&[by_name("localhost")]));
        let report = next(&mut results).await.report;
        assert_eq!(report.to_string(), "Success: HTTP Status Code: 200. Resolved IP: 127.0.0.1. OK");
        // A name that cannot exist fails without a query.
        let endpoint = Endpoint::new(&schedule(&[by_name("no\0name")])[0], &prober.tools);
        let report = prober.tools.probe(&endpoint, Responsiveness::Unknown).await.unwrap();
        assert_eq!((report.address, report.finding.reason()), (ProbedAddress::NoAddress, Reason::Dns));
        assert!(report.to_string().starts_with("Failure: DNS resolution failed"));
    }

    #[tokio::test]
    async fn deadlines_of_ones_own_take_the_place_of_route_53s() {
        let silent = Server::start(until_closed).await;
        let mut check = check("a", silent.address, Duration::from_secs(3600));
        let HealthCheckKind::Endpoint(endpoint) = &mut check.kind else { unreachable!() };
        endpoint.timeouts.response = Some(Duration::from_millis(100));
        let timings = Timings { status: Duration::from_secs(3600), ..Timings::default() };
        let (mut prober, mut results) = prober(&ProberSettings { timings, ..ProberSettings::default() });
        prober.set(&schedule(&[check]));
        assert_eq!(next(&mut results).await.report.finding, Finding::TimedOut(crate::probe::ProbePhase::Status));
        silent.assert_that_nothing_is_left().await;
        let [one, two, three] = [1, 2, 3].map(Duration::from_secs);
        let own = Timeouts { connect: Some(one), response: Some(two), body: Some(three) };
        let mixed = Timings::default().with(&own);
        assert_eq!((mixed.connect, mixed.tcp_connect, mixed.status, mixed.body), (one, one, two, three));
        assert_eq!(mixed.resolve, Timings::default().resolve);
        assert_eq!(Timings::default().with(&Timeouts::default()), Timings::default());
    }

    #[tokio::test]
    async fn a_name_may_be_asked_over_ipv6() {
        let by_name = |family| {
            let mut check = check("a", "127.0.0.1:9".parse().unwrap(), Duration::from_secs(3600));
            let HealthCheckKind::Endpoint(endpoint) = &mut check.kind else { unreachable!() };
            endpoint.target = EndpointTarget::Domain("::1".to_owned());
            endpoint.address_family = family;
            check
        };
        let (prober, _results) = prober(&ProberSettings::default());
        let asked = async |family| {
            let endpoint = Endpoint::new(&schedule(&[by_name(family)])[0], &prober.tools);
            prober.tools.address(&endpoint).await.unwrap().map(|(asked, _)| asked)
        };
        assert_eq!(asked(AddressFamily::Ipv6).await, Ok(ProbedAddress::Resolved("::1".parse().unwrap())));
        assert!(asked(AddressFamily::Ipv4).await.is_err());
    }

    #[tokio::test]
    async fn plans_that_stay_are_kept_and_those_that_go_stop() {
        let (one, two) = (good_server().await, Server::start(until_closed).await);
        let hour = Duration::from_secs(3600);
        let (mut prober, mut results) = prober(&ProberSettings::default());
        let checks = [check("a", one.address, hour), check("b", two.address, hour)];
        let mut tracker = Tracker::new();
        tracker.apply(&checks, Timestamp::default());
        prober.set(&tracker.probes());
        next(&mut results).await;
        prober.set(&tracker.probes());
        assert_eq!(prober.running(), 2);
        while two.open.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        // The second hangs: stopping it closes its connection.
        tracker.apply(&checks[..1], Timestamp::default());
        prober.set(&tracker.probes());
        two.assert_that_nothing_is_left().await;
        assert_eq!((prober.running(), one.accepted.load(Ordering::SeqCst)), (1, 1));
        // Another path is another endpoint: it is probed at once.
        let mut other = checks[0].clone();
        let HealthCheckKind::Endpoint(endpoint) = &mut other.kind else { unreachable!() };
        endpoint.port = two.address.port();
        tracker.apply(&[other], Timestamp::default());
        prober.set(&tracker.probes());
        while two.accepted.load(Ordering::SeqCst) < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        drop(prober);
        two.assert_that_nothing_is_left().await;
        assert!(results.recv().await.is_none(), "no task is left that could report");
    }

    #[tokio::test]
    async fn identical_probes_run_once_for_all_their_checks() {
        let server = good_server().await;
        let hour = Duration::from_secs(3600);
        let twin = |name: &str, threshold| {
            let mut check = HealthCheck { name: name.to_owned(), ..check("same", server.address, hour) };
            check.id = HealthCheckId(name.to_owned());
            let HealthCheckKind::Endpoint(endpoint) = &mut check.kind else { unreachable!() };
            endpoint.failure_threshold = threshold;
            check
        };
        let (mut prober, mut results) = prober(&ProberSettings::default());
        let mut tracker = Tracker::new();
        tracker.apply(&[twin("a", 1), twin("b", 2)], Timestamp::default());
        prober.set(&tracker.probes());
        let heard = [next(&mut results).await.slot, next(&mut results).await.slot];
        assert_eq!((heard, prober.running()), ([CheckSlot(0), CheckSlot(1)], 2));
        assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
        // A new check does not wait for an hour, and a removed one neither stops nor advances the
        // others' probe.
        tracker.apply(&[twin("a", 1), twin("b", 2), twin("c", 3)], Timestamp::default());
        prober.set(&tracker.probes());
        for slot in 0..3 {
            assert_eq!(next(&mut results).await.slot, CheckSlot(slot));
        }
        tracker.apply(&[twin("b", 2), twin("c", 3)], Timestamp::default());
        prober.set(&tracker.probes());
        sleep(Duration::from_millis(100)).await;
        assert_eq!((prober.running(), server.accepted.load(Ordering::SeqCst)), (2, 2));
        // Another interval restarts the probe.
        let mut often = twin("b", 2);
        let HealthCheckKind::Endpoint(endpoint) = &mut often.kind else { unreachable!() };
        endpoint.request_interval = hour / 2;
        tracker.apply(&[often, twin("c", 3)], Timestamp::default());
        prober.set(&tracker.probes());
        assert_eq!(next(&mut results).await.slot, CheckSlot(1));
        assert_eq!((prober.running(), server.accepted.load(Ordering::SeqCst)), (2, 3));
    }

    #[tokio::test]
    async fn no_more_probes_run_at_once_than_are_allowed() {
        let server = Server::start(until_closed).await;
        let timings = Timings { status: Duration::from_secs(3600), ..Timings::default() };
        let (mut prober, _results) =
            prober(&ProberSettings { timings, probes_at_once: 8, ..ProberSettings::default() });
        let checks: Vec<HealthCheck> =
            (0..30).map(|name| check(&name.to_string(), server.address, Duration::from_millis(1))).collect();
        prober.set(&schedule(&checks));
        // Probes that hang give up their places until all have started once; after that they have
        // at most two.
        while server.accepted.load(Ordering::SeqCst) < 30 {
            sleep(Duration::from_millis(5)).await;
            assert!(server.open.load(Ordering::SeqCst) <= 8);
        }
    }

    #[tokio::test]
    async fn endpoints_that_hang_for_ever_do_not_delay_a_healthy_one() {
        let (good, hung) = (good_server().await, Server::start(until_closed).await);
        let timings = Timings { status: Duration::from_secs(3600), ..Timings::default() };
        let (mut prober, mut results) =
            prober(&ProberSettings { timings, probes_at_once: 8, ..ProberSettings::default() });
        let interval = Duration::from_millis(20);
        let mut checks: Vec<HealthCheck> =
            (0..30).map(|name| check(&name.to_string(), hung.address, interval)).collect();
        checks.push(check("good", good.address, interval));
        prober.set(&schedule(&checks));
        // With one queue for all places, the first eight would keep them.
        for _ in 0..100 {
            let observed = timeout(SOON * 6, results.recv()).await.expect("a result comes soon").unwrap();
            assert_eq!((observed.slot, observed.observation), (CheckSlot(30), Observation::Pass));
        }
    }

    #[tokio::test]
    async fn a_probe_that_the_process_slept_through_counts_as_not_made() {
        let silent = Server::start(until_closed).await;
        let timings = Timings { status: Duration::from_millis(100), ..Timings::default() };
        let (mut prober, mut results) = prober(&ProberSettings { timings, ..ProberSettings::default() });
        let checks: Vec<HealthCheck> =
            (0..3).map(|name| check(&name.to_string(), silent.address, Duration::from_millis(500))).collect();
        let pauses = Arc::clone(&prober.tools.environment.pauses);
        let absent = tokio::spawn(async move {
            loop {
                pauses.look(Instant::now(), SystemTime::now());
                pauses.look(Instant::now(), SystemTime::now() + Duration::from_secs(3600));
                sleep(Duration::from_millis(1)).await;
            }
        });
        prober.set(&schedule(&checks));
        // However often the process is paused, no two results in a row are discarded.
        for heard in 1..=6 {
            assert_eq!(next(&mut results).await.observation, Observation::Fail);
            assert!(silent.accepted.load(Ordering::SeqCst) >= 2 * heard);
        }
        absent.abort();
    }

    #[tokio::test]
    async fn the_prober_follows_the_plans_until_their_sender_is_gone() {
        let server = good_server().await;
        let (prober, mut results) = prober(&ProberSettings::default());
        let (sender, receiver) = watch::channel(Arc::from(Vec::new()));
        let running = tokio::spawn(prober.run(receiver));
        sender.send_replace(schedule(&[check("a", server.address, Duration::from_millis(10))]).into());
        next(&mut results).await;
        next(&mut results).await;
        drop(sender);
        timeout(SOON, running).await.expect("it stops").unwrap();
        while results.recv().await.is_some() {}
    }

    #[tokio::test]
    async fn a_server_that_stops_is_unhealthy_within_the_promised_time() {
        let interval = Duration::from_millis(200);
        let server = good_server().await;
        let (mut prober, mut results) = prober(&ProberSettings::default());
        let mut tracker = Tracker::new();
        tracker.apply(&[check("a", server.address, interval)], Timestamp::default());
        prober.set(&tracker.probes());
        let mut stopped = Instant::now();
        let transition = loop {
            let Observed { slot, generation, observation, .. } = next(&mut results).await;
            if tracker.pending() == 1 {
                assert_eq!(observation, Observation::Pass);
                stopped = Instant::now();
                server.stop();
            }
            if let Some(transition) =
                tracker.observe(slot, generation, observation, Timestamp::default()).into_transitions().pop()
            {
                break transition;
            }
        };
        assert_eq!(transition.to, Status::Unhealthy);
        assert!(stopped.elapsed() <= interval * 3 + Duration::from_secs(1));
    }

    #[test]
    fn first_probes_come_soon_and_second_ones_are_spread_over_the_interval() {
        let checks: Vec<HealthCheck> = (0..1000)
            .map(|name| check(&name.to_string(), "127.0.0.1:1".parse().unwrap(), Duration::from_secs(30)))
            .collect();
        let short = check("a", "127.0.0.1:1".parse().unwrap(), Duration::from_millis(100));
        let (schedule, one) = (schedule(&checks), schedule(&[short]));
        let pauses: Vec<Pauses> = schedule
            .iter()
            .enumerate()
            .map(|(index, scheduled)| Pauses::of(scheduled, index, schedule.len()))
            .collect();
        assert!(pauses.iter().all(|pauses| pauses.first < FIRST_PROBES_WITHIN));
        for second in 0..30 {
            let within = Duration::from_secs(second)..Duration::from_secs(second + 1);
            let probes = pauses.iter().filter(|pauses| within.contains(&pauses.second)).count();
            assert!((25..=42).contains(&probes), "{probes} second probes in second {second}");
        }
        assert!(pauses.iter().all(|pauses| !pauses.second.is_zero() && pauses.second <= pauses.interval));
        assert!(Pauses::of(&one[0], 9, 10).first < Duration::from_millis(100));
    }
}
