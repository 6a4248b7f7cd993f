//! The channels between the loop and those who work for it: prober, loader, watcher, signals.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use crate::admin::{Changes, Door, Readiness};
use crate::config::Settings;
use crate::control::{Event, EventLog, LastLoad, LoadRequest, LoadedConfig, Observed, Outputs, Reloads, Trigger};
use crate::health::{Latency, MetricPlan, ProbePlan};
use crate::model::{EndpointProtocol, HealthCheck, HealthCheckKind};
use crate::probe::{self, Authorities, Evaluator, Prober, ProberSettings};
use crate::store::{Fingerprint, SettingsSource, StateWriter, Targets, Watcher, Writers};
use crate::tap::Taps;
use crate::world::Reader;

use super::loader;
use super::open_files::FileShares;
use super::service::Manager;
use super::signals::Hangups;
use super::webhook;

/// Events that may wait for the loop. When it is behind, probes and watchers wait: nothing is lost, nothing grows.
const EVENTS: usize = 1024;

/// Notices that may wait for the webhook; what is beyond is counted and not told.
const NOTICES: usize = 256;
/// How often it is checked whether the watcher still makes progress.
const WATCHER_LOOK: Duration = Duration::from_secs(5);
/// How exactly an override ends in time.
const TICK: Duration = Duration::from_secs(1);

/// One end of every channel of the loop.
pub(super) struct Wiring {
    source: SettingsSource,
    events: mpsc::Sender<Event>,
    inbox: Option<mpsc::Receiver<Event>>,
    plans: watch::Receiver<Arc<[ProbePlan]>>,
    metrics: watch::Receiver<Arc<[MetricPlan]>>,
    pending: watch::Receiver<usize>,
    loads: Option<mpsc::UnboundedReceiver<LoadRequest>>,
    base: watch::Receiver<LoadedConfig>,
    reloads: watch::Receiver<Reloads>,
    feed: EventLog,
    last_load: watch::Receiver<LastLoad>,
}

impl Wiring {
    /// The channels, and the loop's ends of them.
    pub(super) fn new(
        base: &LoadedConfig,
        source: SettingsSource,
        hangups: Hangups,
        state_writer: StateWriter,
    ) -> (Outputs, Wiring) {
        let (events, inbox) = mpsc::channel(EVENTS);
        let (plans_in, plans) = watch::channel(Arc::from([]));
        let (metrics_in, metrics) = watch::channel(Arc::from([]));
        let (pending_in, pending) = watch::channel(0);
        let (loads_in, loads) = mpsc::unbounded_channel();
        let (base_in, base) = watch::channel(base.clone());
        tokio::spawn(reload_on_hangup(hangups, events.clone()));
        tokio::spawn(tick(events.clone()));
        let (reloads_in, reloads) = watch::channel(Reloads::default());
        let (notices, told) = mpsc::channel(NOTICES);
        tokio::spawn(webhook::deliver(told, base.clone()));
        let (feed, (last_load_in, last_load)) = (EventLog::default(), watch::channel(LastLoad::default()));
        let outputs = Outputs {
            plans: plans_in,
            metrics: metrics_in,
            pending: pending_in,
            loads: loads_in,
            base: base_in,
            state_writer,
            notices,
            reloads: reloads_in,
            feed: feed.clone(),
            last_load: last_load_in,
        };
        let (inbox, loads) = (Some(inbox), Some(loads));
        let wiring = Wiring { source, events, inbox, plans, metrics, pending, loads, base, reloads, feed, last_load };
        (outputs, wiring)
    }

    /// What the loop listens to.
    pub(super) fn take_events(&mut self) -> mpsc::Receiver<Event> {
        self.inbox.take().expect("the loop is started once")
    }

    /// Starts prober, loader and watcher. `seen` is what the files looked like before they were loaded.
    pub(super) fn start(
        &mut self,
        settings: &Settings,
        seen: Fingerprint,
        authorities: Authorities,
        files: FileShares,
    ) -> anyhow::Result<()> {
        self.start_prober(authorities, files)?;
        let targets = targets(&self.source, &self.base.borrow().settings);
        if settings.zones.watch {
            let writers = Writers::of(targets.clone(), seen);
            self.start_loader(writers.clone());
            self.start_watcher(targets, writers)?;
        } else {
            self.start_loader(Writers::unknown());
        }
        Ok(())
    }

    fn start_prober(&self, authorities: Authorities, files: FileShares) -> anyhow::Result<()> {
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
        tokio::spawn(prober.run(self.plans.clone()));
        tokio::spawn(forward(results, self.events.clone()));
        tokio::spawn(evaluator.run(self.metrics.clone()));
        tokio::spawn(forward_evaluated(evaluated, self.events.clone()));
        Ok(())
    }

    fn start_loader(&mut self, writers: Writers) {
        let requests = self.loads.take().expect("the loader is started once");
        let base = self.base.borrow().clone();
        tokio::spawn(loader::run(Arc::new(self.source.clone()), base, writers, requests, self.events.clone()));
    }

    fn start_watcher(&self, targets: Targets, writers: Writers) -> anyhow::Result<()> {
        let events = self.events.clone();
        let changed = move || {
            // The loop ends only when the server does.
            let _ = events.blocking_send(Event::Reload(Trigger::Edited));
        };
        let start = move || Watcher::start(writers.clone(), changed.clone());
        let watcher = start().context("cannot start the watcher")?;
        tokio::spawn(follow(watcher, start, targets, self.source.clone(), self.base.clone()));
        Ok(())
    }

    /// Keeps the service manager informed.
    pub(super) fn keep_telling(&self, manager: Manager) {
        manager.keep_telling(self.reloads.clone(), self.events.clone());
    }

    /// What the side door needs.
    pub(super) fn door(
        &self,
        world: Reader,
        readiness: watch::Receiver<Readiness>,
        taps: Taps,
        changes: Changes,
    ) -> Door {
        Door {
            events: self.events.clone(),
            readiness,
            world,
            base: self.base.clone(),
            feed: self.feed.clone(),
            last_load: self.last_load.clone(),
            listening: Arc::default(),
            changes,
            started: super::now(),
            now: super::now,
            longest_failover: probe::longest_failover,
            meters: Arc::clone(&self.base.borrow().meters),
            taps,
        }
    }

    /// How many checks have had no first result.
    pub(super) fn pending(&self) -> usize {
        *self.pending.borrow()
    }

    /// Waits until each check has had one.
    pub(super) async fn no_more_pending(&mut self) {
        // The loop ends only when the server does.
        let _ = self.pending.wait_for(|pending| *pending == 0).await;
    }

    pub(super) async fn send(&self, event: Event) {
        // A loop that is gone needs to hear nothing.
        let _ = self.events.send(event).await;
    }
}

/// Hands the results of probes to the loop.
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

/// Hands the results of metric checks to the loop.
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

/// Lets the loop know that time passes.
async fn tick(events: mpsc::Sender<Event>) {
    let mut seconds = tokio::time::interval(TICK);
    // After a standstill nobody needs the seconds that were missed.
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
        if events.send(Event::Reload(Trigger::Asked)).await.is_err() {
            return;
        }
    }
}

/// Lets the watcher follow what is served: another zones directory, other databases. One that waits for a file system that does not
/// respond is followed by another, which does without what lies there.
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
                    tracing::error!("{unresponsive}; files are watched without it");
                    match start() {
                        Ok(another) => watcher = another,
                        Err(error) => tracing::error!("cannot start the watcher: {error}"),
                    }
                }
            }
        }
        let wanted = targets(&source, &base.borrow_and_update().settings);
        if wanted != watched {
            watcher.retarget(wanted.clone());
            watched = wanted;
        }
    }
}

/// The files on which the world depends.
pub(super) fn targets(source: &SettingsSource, settings: &Settings) -> Targets {
    Targets {
        directory: settings.zones.directory.clone(),
        files: source.file.iter().chain(&settings.location.geoip).cloned().collect(),
    }
}
