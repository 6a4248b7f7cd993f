//! The channels between the control loop and its workers: prober, loader, watcher, signals.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::admin::{AdminState, Changes, Readiness};
use crate::cluster::{ClusterFiles, SealedDocument};
use crate::config::Settings;
use crate::control::{
    Event, EventLog, HealthReader, LastLoad, Observed, Outputs, OverrideChange, Reloads, ServedObjects,
};
use crate::health::{Latency, ScheduledMetric, ScheduledProbe};
use crate::history::History;
use crate::load::queue::{self, Job, LoadInputs};
use crate::load::{FileSources, InMemorySources, LoadedConfig, Trigger};
use crate::model::{EndpointProtocol, HealthCheck, HealthCheckKind};
use crate::objects::ChangeTracker;
use crate::probe::{self, Authorities, Evaluator, Prober, ProberSettings};
use crate::query_logging::QueryLogging;
use crate::stats::Meters;
use crate::store::{Fingerprint, SettingsSource, StateWriter, Targets, Watcher, Writers};

use super::cluster;
use super::open_files::FileShares;
use super::overrides;
use super::service::Manager;
use super::signals::Hangups;
use super::webhook;

/// How many events can be queued for the loop. When the queue is full, probes and watchers wait:
/// nothing is lost and memory is bounded.
const EVENTS: usize = 1024;

/// How many notices can be queued for the webhook. Further ones are dropped and counted.
const NOTICES: usize = 256;
/// How many changes of overrides can wait for etcd. Further ones are refused.
const OVERRIDE_CHANGES: usize = 64;
/// How often the progress of the watcher is checked.
const WATCHER_LOOK: Duration = Duration::from_secs(5);
/// The time resolution of overrides and recoveries.
const TICK: Duration = Duration::from_secs(1);

/// The ends of the loop's channels that its workers use.
pub(super) struct Wiring {
    source: SettingsSource,
    events: mpsc::Sender<Event>,
    inbox: Option<mpsc::Receiver<Event>>,
    probes: watch::Receiver<Arc<[ScheduledProbe]>>,
    metric_checks: watch::Receiver<Arc<[ScheduledMetric]>>,
    pending: watch::Receiver<usize>,
    /// Counts the changes of what this node says about health.
    opinions: watch::Receiver<u64>,
    jobs: Option<mpsc::UnboundedReceiver<Job>>,
    base: watch::Receiver<LoadedConfig>,
    objects: ServedObjects,
    reloads: watch::Receiver<Reloads>,
    event_log: EventLog,
    last_load: watch::Receiver<LastLoad>,
    /// The zone files, if they are only in memory.
    in_memory: Option<Arc<InMemorySources>>,
    /// The files that nodes share, if there is a cluster.
    cluster: Option<Arc<ClusterFiles>>,
    /// The loop's changes of the overrides that nodes share.
    override_changes: Option<mpsc::Receiver<OverrideChange>>,
    /// The workers. They end when this is dropped.
    tasks: JoinSet<()>,
}

impl Wiring {
    /// Creates the channels.
    pub(super) fn new(
        base: &LoadedConfig,
        source: SettingsSource,
        hangups: Hangups,
        state_writer: StateWriter,
        event_log: EventLog,
        cluster: Option<Arc<ClusterFiles>>,
    ) -> (Outputs, Wiring) {
        let (events, inbox) = mpsc::channel(EVENTS);
        let (probes_in, probes) = watch::channel(Arc::from([]));
        let (metric_checks_in, metric_checks) = watch::channel(Arc::from([]));
        let (pending_in, pending) = watch::channel(0);
        let (opinions_in, opinions) = watch::channel(0);
        let (jobs_in, jobs) = mpsc::unbounded_channel();
        let (base_in, base) = watch::channel(base.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(reload_on_hangup(hangups, events.clone()));
        tasks.spawn(tick(events.clone()));
        let (reloads_in, reloads) = watch::channel(Reloads::default());
        let (notices, queued_notices) = mpsc::channel(NOTICES);
        tasks.spawn(webhook::deliver(queued_notices, base.clone()));
        let (last_load_in, last_load) = watch::channel(LastLoad::default());
        let objects = ServedObjects::new(base.clone(), events.clone());
        let (shared_overrides, override_changes) = cluster.as_ref().map(|_| mpsc::channel(OVERRIDE_CHANGES)).unzip();
        let outputs = Outputs {
            probes: probes_in,
            metric_checks: metric_checks_in,
            pending: pending_in,
            opinions: opinions_in,
            jobs: jobs_in,
            base: base_in,
            state_writer,
            notices,
            reloads: reloads_in,
            event_log: event_log.clone(),
            object_events: objects.object_events.clone(),
            last_load: last_load_in,
            shared_overrides,
        };
        let (inbox, jobs) = (Some(inbox), Some(jobs));
        let wiring = Wiring {
            source,
            events,
            inbox,
            probes,
            metric_checks,
            pending,
            opinions,
            jobs,
            base,
            objects,
            reloads,
            event_log,
            last_load,
            in_memory: None,
            cluster,
            override_changes,
            tasks,
        };
        (outputs, wiring)
    }

    /// The receiver of the loop's events. Can be taken once.
    pub(super) fn take_events(&mut self) -> mpsc::Receiver<Event> {
        self.inbox.take().expect("the loop is started once")
    }

    /// Where settings come from.
    pub(super) fn source(&self) -> &SettingsSource {
        &self.source
    }

    /// Runs a task until it ends or the server stops.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Starts the prober, the loader and the watcher. `seen` is the fingerprint of the files before
    /// they were loaded.
    pub(super) fn start(
        &mut self,
        settings: &Settings,
        seen: Fingerprint,
        authorities: Authorities,
        files: FileShares,
    ) -> anyhow::Result<()> {
        self.start_prober(authorities, files)?;
        let targets = self.source.targets(&self.base.borrow().settings);
        if self.source.overrides.in_memory {
            self.start_in_memory(settings)?;
        } else if settings.zones.watch {
            let writers = Writers::of(targets.clone(), seen);
            self.start_loader(writers.clone());
            self.start_watcher(targets, writers)?;
        } else {
            self.start_loader(Writers::ByAge);
        }
        if let Some((files, changes)) = self.cluster.clone().zip(self.override_changes.take()) {
            self.tasks.spawn(cluster::run(Arc::clone(&files), self.events.clone()));
            self.tasks.spawn(overrides::run(files, changes, self.events.clone()));
        }
        Ok(())
    }

    /// Begins to exchange opinions of health with the other nodes, if there is a cluster.
    pub(super) async fn start_opinions(&mut self, health: HealthReader) {
        if let Some(files) = self.cluster.clone() {
            let (events, changes) = (self.events.clone(), self.opinions.clone());
            let exchange = cluster::exchange_opinions(&files, events, health, changes).await;
            self.tasks.spawn(exchange);
        }
    }

    fn start_prober(&mut self, authorities: Authorities, files: FileShares) -> anyhow::Result<()> {
        let (results_in, results) = mpsc::channel(EVENTS);
        if authorities.is_empty() && self.base.borrow().checks.iter().any(judges_certificates) {
            tracing::error!(
                "no certificate authority is known: health checks with verify_certificate fail until \
                 [health] certificate_authorities names a PEM file"
            );
        }
        let prober_settings = ProberSettings { authorities, probes_at_once: files.probes, ..ProberSettings::default() };
        let prober = Prober::new(&prober_settings, results_in)?;
        let (evaluated_in, evaluated) = mpsc::channel(EVENTS);
        let evaluator = Evaluator::new(prober.environment(), evaluated_in)?;
        self.tasks.spawn(prober.run(self.probes.clone()));
        self.tasks.spawn(forward(results, self.events.clone()));
        self.tasks.spawn(evaluator.run(self.metric_checks.clone()));
        self.tasks.spawn(forward_evaluated(evaluated, self.events.clone()));
        Ok(())
    }

    fn start_loader(&mut self, writers: Writers) {
        let cluster = self.cluster.as_ref();
        let edited = cluster::sources(cluster, FileSources::new(writers));
        let requested = cluster::sources(cluster, FileSources::keeping_replaced());
        self.start_queue(LoadInputs::of(self.source.clone(), edited, requested));
    }

    fn start_in_memory(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let read = InMemorySources::read(&settings.zone_directories_on_disk()).map_err(anyhow::Error::msg);
        let sources = Arc::new(read.context("cannot read the zone files")?);
        self.in_memory = Some(Arc::clone(&sources));
        self.start_queue(LoadInputs::in_memory(self.source.clone(), sources));
        Ok(())
    }

    fn start_queue(&mut self, inputs: LoadInputs) {
        let jobs = self.jobs.take().expect("the loader is started once");
        let base = self.base.borrow().clone();
        self.tasks.spawn(queue::run(inputs, base, jobs, self.events.clone()));
    }

    fn start_watcher(&mut self, targets: Targets, writers: Writers) -> anyhow::Result<()> {
        let events = self.events.clone();
        let changed = move || {
            // The loop runs as long as the server.
            let _ = events.blocking_send(Event::Reload(Trigger::FileChanged));
        };
        let start = move || Watcher::start(writers.clone(), changed.clone());
        let watcher = start().context("cannot start the watcher")?;
        self.tasks.spawn(follow(watcher, start, targets, self.source.clone(), self.base.clone()));
        Ok(())
    }

    /// Sends notifications to the service manager.
    pub(super) fn keep_notifying(&mut self, manager: Manager) {
        manager.keep_notifying(&mut self.tasks, self.reloads.clone(), self.events.clone());
    }

    /// The state of the admin side.
    pub(super) fn admin(
        &self,
        health: HealthReader,
        readiness: watch::Receiver<Readiness>,
        query_logging: QueryLogging,
        changes: Changes,
    ) -> AdminState {
        AdminState {
            events: self.events.clone(),
            readiness,
            health,
            base: self.base.clone(),
            objects: self.objects(),
            event_log: self.event_log.clone(),
            last_load: self.last_load.clone(),
            reloads: self.reloads.clone(),
            cluster: self.cluster.clone(),
            in_memory: self.in_memory.clone(),
            listening: Arc::default(),
            changes,
            started: super::now(),
            now: super::now,
            longest_failover: probe::longest_failover,
            meters: self.meters(),
            query_logging,
        }
    }

    /// What is served.
    pub(super) fn served(&self) -> LoadedConfig {
        self.base.borrow().clone()
    }

    /// The history.
    pub(super) fn history(&self) -> History {
        self.event_log.history().clone()
    }

    /// Tells the other nodes of the cluster, if there is one, that this one answers queries.
    pub(super) async fn register(&mut self, addresses: &[SocketAddr]) {
        if let Some(files) = self.cluster.clone() {
            let settings = Arc::clone(&self.base.borrow().settings);
            if let Some(address) = cluster::own_address(&settings, addresses).await {
                self.send(Event::Address(address)).await;
            }
            self.tasks.spawn(cluster::register(files, addresses.to_vec(), self.base.clone()));
        }
    }

    /// Tells them that it stops.
    pub(super) async fn leave(&self) {
        if let Some(files) = &self.cluster {
            crate::cluster::leave(files).await;
        }
    }

    /// The secrets of DNS cookies, if nodes share them.
    pub(super) fn shared_cookie_secrets(&self) -> Option<SealedDocument> {
        self.cluster.as_ref()?.cookie_secrets()
    }

    /// Knows when all nodes have a change.
    pub(super) fn change_tracker(&self) -> Option<Arc<dyn ChangeTracker>> {
        self.cluster.clone().map(|files| files as Arc<dyn ChangeTracker>)
    }

    /// The counters of all workers.
    pub(super) fn meters(&self) -> Arc<Meters> {
        Arc::clone(&self.base.borrow().meters)
    }

    /// The objects that the server serves.
    pub(super) fn objects(&self) -> ServedObjects {
        self.objects.clone()
    }

    /// The number of checks without a result.
    pub(super) fn pending(&self) -> usize {
        *self.pending.borrow()
    }

    /// Waits until every check has a result.
    pub(super) async fn no_more_pending(&mut self) {
        // The loop runs as long as the server.
        let _ = self.pending.wait_for(|pending| *pending == 0).await;
    }

    pub(super) async fn send(&self, event: Event) {
        // A loop that has ended needs no events.
        let _ = self.events.send(event).await;
    }
}

/// Forwards probe results to the loop.
async fn forward(mut results: mpsc::Receiver<probe::Observed>, events: mpsc::Sender<Event>) {
    while let Some(result) = results.recv().await {
        let probe::Observed { slot, generation, observation, report, began } = result;
        let probe::Durations { connect, tls_handshake, first_byte, total } = report.durations;
        let (latency, took) = (Latency { connect, tls_handshake, first_byte, total }, began.elapsed());
        let reason = report.finding.reason();
        let observed = Observed { slot, generation, observation, reason, status: Box::new(report), latency, took };
        if events.send(Event::Observed(observed)).await.is_err() {
            return;
        }
    }
}

fn judges_certificates(check: &HealthCheck) -> bool {
    let HealthCheckKind::Endpoint(endpoint) = &check.kind else { return false };
    matches!(endpoint.protocol, EndpointProtocol::Https { verify_certificate: true, .. })
}

/// Forwards the results of metric checks to the loop.
async fn forward_evaluated(mut results: mpsc::Receiver<probe::Evaluated>, events: mpsc::Sender<Event>) {
    while let Some(result) = results.recv().await {
        let probe::Evaluated { slot, generation, observation, report, took } = result;
        let latency = Latency { total: took, ..Latency::default() };
        let reason = report.reason();
        let observed = Observed { slot, generation, observation, reason, status: Box::new(report), latency, took };
        if events.send(Event::Observed(observed)).await.is_err() {
            return;
        }
    }
}

/// Sends a tick every second.
async fn tick(events: mpsc::Sender<Event>) {
    let mut seconds = tokio::time::interval(TICK);
    // After a suspension, missed ticks are not made up for.
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        if events.send(Event::Tick).await.is_err() {
            return;
        }
    }
}

async fn reload_on_hangup(mut hangups: Hangups, events: mpsc::Sender<Event>) {
    while hangups.next().await.is_some() {
        tracing::info!("SIGHUP: reloading");
        if events.send(Event::Reload(Trigger::Requested)).await.is_err() {
            return;
        }
    }
}

/// Makes the watcher follow the configuration in force: another zones directory, other databases. A
/// watcher that waits for a file system that does not respond is replaced by one that skips the
/// files there.
async fn follow(
    mut watcher: Watcher,
    start: impl Fn() -> io::Result<Watcher>,
    mut watched: Targets,
    source: SettingsSource,
    mut base: watch::Receiver<LoadedConfig>,
) {
    let mut looks = tokio::time::interval(WATCHER_LOOK);
    loop {
        tokio::select! {
            changed = base.changed() => if changed.is_err() { return },
            _ = looks.tick() => {
                if let Some(unresponsive) = watcher.unresponsive() {
                    tracing::error!("{unresponsive}; it is not watched");
                    match start() {
                        Ok(another) => watcher = another,
                        Err(error) => tracing::error!("cannot start the watcher: {error}"),
                    }
                }
            }
        }
        let wanted = source.targets(&base.borrow_and_update().settings);
        if wanted != watched {
            watcher.retarget(wanted.clone());
            watched = wanted;
        }
    }
}
