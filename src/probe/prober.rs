//! Who is probed when: one task a check, each owned here.
//!
//! The first probe of a check comes soon, since a new check counts as healthy until then and port 53 may be waiting for
//! it. The second comes after a part of the interval that differs from check to check, so that a thousand checks that
//! were started together spread over the interval. From then on an interval lies between the end of one probe and the
//! start of the next (Developer Guide, RequestInterval).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::health::{CheckSlot, Generation, ProbePlan};
use crate::model::{AddressFamily, EndpointCheck, EndpointProtocol, EndpointTarget};

use super::errors::Unmade;
use super::http::{Clients, HttpProbe, Transport};
use super::limits::probes_at_once;
use super::resolve::Resolver;
use super::tls::{Authorities, ServerNameIndication, Trust};
use super::{Asked, Durations, Finding, Observed, Report, Timings, tcp};

/// All first probes are under way within this time (or within the interval, if that is shorter).
const FIRST_PROBES_WITHIN: Duration = Duration::from_secs(1);

/// Runs the probes.
#[derive(Debug)]
pub struct Prober {
    running: HashMap<CheckSlot, Running>,
    tools: Arc<Tools>,
}

/// How probes are made.
#[derive(Clone, Debug)]
pub struct ProberSettings {
    /// The deadlines of each step.
    pub timings: Timings,
    /// How many probes run at once; others wait their turn, off the clock.
    pub probes_at_once: usize,
    /// Whose certificates are valid for checks that judge them.
    pub authorities: Authorities,
}

/// Why probes cannot be made at all.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// The HTTP client could not be built.
    #[error("cannot build the HTTP client of the health checks")]
    Client(#[from] reqwest::Error),
}

/// The task of one check; it stops when this is dropped.
#[derive(Debug)]
struct Running {
    generation: Generation,
    interval: Duration,
    task: JoinHandle<()>,
}

/// What all probes share.
#[derive(Debug)]
struct Tools {
    clients: Clients,
    resolver: Resolver,
    turns: Semaphore,
    timings: Timings,
    results: mpsc::Sender<Observed>,
}

/// One check, prepared.
#[derive(Debug)]
struct Endpoint {
    target: EndpointTarget,
    address_family: AddressFamily,
    port: u16,
    timings: Timings,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tcp,
    Http(Box<HttpProbe>),
}

/// The pauses before the first and the second probe; afterwards it is the interval.
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
            probes_at_once: probes_at_once(),
            authorities: Authorities::default(),
        }
    }
}

impl Prober {
    /// A prober without probes. When the results are not fetched, probing waits.
    pub fn new(settings: &ProberSettings, results: mpsc::Sender<Observed>) -> Result<Prober, ProberError> {
        let tools = Tools {
            clients: Clients::new(&settings.authorities)?,
            resolver: Resolver::default(),
            turns: Semaphore::new(settings.probes_at_once.clamp(1, Semaphore::MAX_PERMITS)),
            timings: settings.timings,
            results,
        };
        Ok(Prober { running: HashMap::new(), tools: Arc::new(tools) })
    }

    /// Follows the plans as they change, until their sender is gone; then all probes stop.
    pub async fn run(mut self, mut plans: watch::Receiver<Arc<[ProbePlan]>>) {
        loop {
            let wanted = Arc::clone(&plans.borrow_and_update());
            self.set(&wanted);
            if plans.changed().await.is_err() {
                return;
            }
        }
    }

    /// Compares the plans with what runs, by slot and generation: starts, keeps, stops. A check with another interval
    /// is started anew. Must be called within a tokio runtime.
    pub fn set(&mut self, plans: &[ProbePlan]) {
        let mut before = std::mem::take(&mut self.running);
        let mut starting = Vec::new();
        for plan in plans {
            match before.remove(&plan.slot) {
                Some(running) if running.goes_on_as(plan) => {
                    self.running.insert(plan.slot, running);
                }
                _ => starting.push(plan),
            }
        }
        // Stopped before others start in their place.
        drop(before);
        for (place, plan) in starting.iter().enumerate() {
            let pauses = Pauses::of(plan, place, starting.len());
            self.running.insert(plan.slot, Running::start(plan, pauses, &self.tools));
        }
    }

    /// How many checks are being probed.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }
}

impl Running {
    fn start(plan: &ProbePlan, pauses: Pauses, tools: &Arc<Tools>) -> Running {
        let task = tokio::spawn(keep_probing(plan.clone(), pauses, Arc::clone(tools)));
        Running { generation: plan.generation, interval: plan.check.request_interval, task }
    }

    /// A task that ended by itself, which only a fault of ours could bring about, is started anew.
    fn goes_on_as(&self, plan: &ProbePlan) -> bool {
        self.generation == plan.generation && self.interval == plan.check.request_interval && !self.task.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pauses {
    fn of(plan: &ProbePlan, place: usize, of: usize) -> Pauses {
        let interval = plan.check.request_interval;
        let first = interval.min(FIRST_PROBES_WITHIN).mul_f64(place as f64 / of as f64);
        // Multiples of the golden ratio, without their whole part, fill the range from 0 to 1 evenly for any number of
        // slots; 1 - x, so that the pause is never nothing.
        let part = 1.0 - (f64::from(plan.slot.0) * 0.618_033_988_749_895).fract();
        Pauses { first, second: interval.mul_f64(part), interval }
    }
}

async fn keep_probing(plan: ProbePlan, pauses: Pauses, tools: Arc<Tools>) {
    let endpoint = Endpoint::new(&plan, tools.timings);
    sleep(pauses.first).await;
    let mut pause = pauses.second;
    loop {
        match tools.probe(&endpoint).await {
            Ok(report) => {
                let Ok(()) = tools.results.send(observed(&plan, report)).await else { return };
            }
            Err(unmade) => tracing::warn!(check = &*plan.name, "{unmade}"),
        }
        sleep(pause).await;
        pause = pauses.interval;
    }
}

fn observed(plan: &ProbePlan, report: Report) -> Observed {
    Observed { slot: plan.slot, generation: plan.generation, observation: report.observation(), report }
}

impl Tools {
    async fn probe(&self, endpoint: &Endpoint) -> Result<Report, Unmade> {
        let (asked, address) = match self.address(endpoint).await {
            Ok(found) => found,
            Err(finding) => return Ok(Report { finding, asked: Asked::Nobody, durations: Durations::default() }),
        };
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let address = SocketAddr::new(address, endpoint.port);
        let (finding, durations) = match &endpoint.kind {
            Kind::Tcp => tcp::probe(address, &endpoint.timings).await?,
            Kind::Http(probe) => probe.probe(&self.clients, address, &endpoint.timings).await?,
        };
        Ok(Report { finding, asked, durations })
    }

    async fn address(&self, endpoint: &Endpoint) -> Result<(Asked, IpAddr), Finding> {
        match &endpoint.target {
            EndpointTarget::Address { ip_address, .. } => Ok((Asked::Literal(*ip_address), *ip_address)),
            EndpointTarget::Domain(name) => {
                let family = endpoint.address_family;
                let address = self.resolver.address(name, family, endpoint.timings.resolve).await?;
                Ok((Asked::Resolved(address), address))
            }
        }
    }
}

impl Endpoint {
    fn new(plan: &ProbePlan, timings: Timings) -> Endpoint {
        let EndpointCheck { protocol, target, port, address_family, timeouts, .. } = &*plan.check;
        let (name, address) = match target {
            EndpointTarget::Address { ip_address, fully_qualified_domain_name } => {
                (fully_qualified_domain_name.as_deref(), Some(*ip_address))
            }
            EndpointTarget::Domain(name) => (Some(name.as_str()), None),
        };
        let http = |transport, request| {
            Kind::Http(Box::new(HttpProbe::new(&plan.id, transport, request, name, address, *port)))
        };
        let kind = match protocol {
            EndpointProtocol::Tcp => Kind::Tcp,
            EndpointProtocol::Http(request) => http(Transport::Plain, request),
            EndpointProtocol::Https { request, enable_sni, judge_certificate } => {
                let sni = if *enable_sni { ServerNameIndication::Sent } else { ServerNameIndication::Omitted };
                let trust = if *judge_certificate { Trust::Authorities } else { Trust::Anybody };
                http(Transport::Tls(sni, trust), request)
            }
        };
        Endpoint {
            target: target.clone(),
            address_family: *address_family,
            port: *port,
            timings: timings.with(timeouts),
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::health::{Moment, Observation, Status, Tracker};
    use crate::model::{HealthCheck, HealthCheckId, HealthCheckKind, HttpRequest, Timeouts};
    use crate::probe::Reason;
    use crate::probe::nasty::{Server, until_closed};

    const SOON: Duration = Duration::from_secs(10);

    fn check(name: &str, address: SocketAddr, interval: Duration) -> HealthCheck {
        HealthCheck {
            id: HealthCheckId(name.to_owned()),
            name: name.to_owned(),
            inverted: false,
            disabled: false,
            kind: HealthCheckKind::Endpoint(EndpointCheck {
                protocol: EndpointProtocol::Http(HttpRequest {
                    resource_path: "/".to_owned(),
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
            }),
        }
    }

    fn plans(checks: &[HealthCheck]) -> Vec<ProbePlan> {
        let mut tracker = Tracker::new();
        tracker.apply(checks, Moment::default());
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
        prober.set(&plans(&[check("a", server.address, interval)]));
        for _ in 0..5 {
            let observed = next(&mut results).await;
            assert_eq!((observed.slot, observed.observation), (CheckSlot(0), Observation::Pass));
            assert_eq!(observed.report.to_string(), "Success: HTTP Status Code 200, OK");
        }
        // Of the first check the second probe, too, comes after a whole interval.
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
        prober.set(&plans(&[by_name("localhost")]));
        let report = next(&mut results).await.report;
        assert_eq!(report.to_string(), "Success: HTTP Status Code: 200. Resolved IP: 127.0.0.1. OK");
        // A name that cannot be one fails without anybody being asked.
        let endpoint = Endpoint::new(&plans(&[by_name("no\0name")])[0], Timings::default());
        let report = prober.tools.probe(&endpoint).await.unwrap();
        assert_eq!((report.asked, report.finding.reason()), (Asked::Nobody, Reason::Dns));
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
        prober.set(&plans(&[check]));
        assert_eq!(next(&mut results).await.report.finding, Finding::TimedOut(crate::probe::Step::Status));
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
            Endpoint::new(&plans(&[check])[0], Timings::default())
        };
        let (prober, _results) = prober(&ProberSettings::default());
        let asked = async |family| prober.tools.address(&by_name(family)).await.map(|(asked, _)| asked);
        assert_eq!(asked(AddressFamily::Ipv6).await, Ok(Asked::Resolved("::1".parse().unwrap())));
        assert!(asked(AddressFamily::Ipv4).await.is_err());
    }

    #[tokio::test]
    async fn plans_that_stay_are_kept_and_those_that_go_stop() {
        let (one, two) = (good_server().await, Server::start(until_closed).await);
        let hour = Duration::from_secs(3600);
        let (mut prober, mut results) = prober(&ProberSettings::default());
        let checks = [check("a", one.address, hour), check("b", two.address, hour)];
        let mut tracker = Tracker::new();
        tracker.apply(&checks, Moment::default());
        prober.set(&tracker.probes());
        next(&mut results).await;
        prober.set(&tracker.probes());
        assert_eq!(prober.running(), 2);
        while two.open.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        // The second hangs: stopping it closes its connection.
        tracker.apply(&checks[..1], Moment::default());
        prober.set(&tracker.probes());
        two.assert_that_nothing_is_left().await;
        assert_eq!((prober.running(), one.accepted.load(Ordering::SeqCst)), (1, 1));
        // Another path is another endpoint: it is asked at once.
        let mut other = checks[0].clone();
        let HealthCheckKind::Endpoint(endpoint) = &mut other.kind else { unreachable!() };
        endpoint.port = two.address.port();
        tracker.apply(&[other], Moment::default());
        prober.set(&tracker.probes());
        while two.accepted.load(Ordering::SeqCst) < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        drop(prober);
        two.assert_that_nothing_is_left().await;
        assert!(results.recv().await.is_none(), "no task is left that could report");
    }

    #[tokio::test]
    async fn no_more_probes_run_at_once_than_are_allowed() {
        let server = Server::start(until_closed).await;
        let timings = Timings { status: Duration::from_secs(3600), ..Timings::default() };
        let (mut prober, _results) =
            prober(&ProberSettings { timings, probes_at_once: 2, ..ProberSettings::default() });
        let checks: Vec<HealthCheck> =
            (0..5).map(|name| check(&name.to_string(), server.address, Duration::from_millis(1))).collect();
        prober.set(&plans(&checks));
        while server.accepted.load(Ordering::SeqCst) < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(100)).await;
        assert_eq!(server.accepted.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn the_prober_follows_the_plans_until_their_sender_is_gone() {
        let server = good_server().await;
        let (prober, mut results) = prober(&ProberSettings::default());
        let (sender, receiver) = watch::channel(Arc::from(Vec::new()));
        let running = tokio::spawn(prober.run(receiver));
        sender.send_replace(plans(&[check("a", server.address, Duration::from_millis(10))]).into());
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
        tracker.apply(&[check("a", server.address, interval)], Moment::default());
        prober.set(&tracker.probes());
        let mut stopped = Instant::now();
        let transition = loop {
            let Observed { slot, generation, observation, .. } = next(&mut results).await;
            if tracker.pending() == 1 {
                assert_eq!(observation, Observation::Pass);
                stopped = Instant::now();
                server.stop();
            }
            if let Some(transition) = tracker.observe(slot, generation, observation, Moment::default()).pop() {
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
        let (plans, one) = (plans(&checks), plans(&[short]));
        let pauses: Vec<Pauses> =
            plans.iter().enumerate().map(|(place, plan)| Pauses::of(plan, place, plans.len())).collect();
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
