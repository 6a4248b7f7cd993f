//! Starts and stops the server.
//!
//! The steps of a start: read and compile the settings and zones; restore the saved state; start
//! the probes; wait, for a bounded time, for the first results of checks without a saved state;
//! open port 53. The first answers therefore already reflect the health of the endpoints.
//!
//! `run` is the server as its own process, stopped by signals. `Daemon` is a server inside another
//! program, stopped by that program.

mod admin_token;
mod announce;
mod api;
mod bad_setting;
mod cluster;
mod cookies;
mod dns;
mod embedded;
mod open_files;
mod overrides;
mod service;
mod shared_cookies;
mod signals;
mod stopping;
mod webhook;
mod wiring;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::{self, Changes, Readiness};
use crate::background;
use crate::cluster::ClusterFiles;
use crate::config::{Diagnostic, Settings, SourceFile, Style};
use crate::control::{Control, Event, EventLog, SavedState};
use crate::files;
use crate::health::Timestamp;
use crate::history::{History, Restored};
use crate::http::{self, Hosts};
use crate::lab::Backends;
use crate::load::queue::{FirstLoad, first_load};
use crate::load::{FileSources, Loaded, LoadedConfig, Refused, Summary, with_files};
use crate::privilege::Privileges;
use crate::probe::Authorities;
use crate::query_logging::QueryLogging;
use crate::serve::{self, Bound, Serving, UdpPath};
use crate::store::{self, Fingerprint, LeftBehind, SettingsSource, StateLock, StateWriter, StateWriterThread};

pub(crate) use embedded::Daemon;
pub(crate) use signals::{Signals, end_on_signals};

use admin_token::Permission;
use announce::announce;
use api::{ApiListeners, ApiUrl};
use dns::cannot_listen;
use open_files::FileShares;
use service::{Manager, Notification};
use signals::Hangups;
use stopping::Stopping;
use wiring::Wiring;

/// Threads for probes, TCP and the control loop. The UDP workers have their own threads.
const CONTROL_THREADS: usize = 2;
/// How long these threads may yield, in addition to four times their CPU time. Failover is prompt
/// even on a busy machine.
const CONTROL_YIELD_BUDGET: Duration = Duration::from_millis(5);
/// How long queries in flight may take after a request to stop; no answer takes that long. Together
/// with the steps after it, this is less than the time after which `signals` ends the process.
const DRAIN: Duration = Duration::from_millis(3500);
/// How long saving the state may take at the end. A disk that hangs must not delay the end.
const WRITING: Duration = Duration::from_secs(1);
/// How many checks a log line lists by name.
const NAMED: usize = 10;

/// What is known when the server is ready.
struct Ready {
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    api: Option<ApiUrl>,
    permission: Permission,
    base: LoadedConfig,
    summary: Summary,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Queries in flight were completed, as far as they could be in time, and the state was saved.
    Orderly,
    /// A second signal did not wait for that.
    AtOnce,
}

/// The keys, certificates and secrets that would stop a start. Only a start reads them, and
/// `fiftythree check`.
pub(crate) fn bad_settings(settings: &Settings, source: Option<&SourceFile>) -> Vec<Diagnostic> {
    let api = settings.api.iter().flat_map(api::check_files);
    let cluster = settings.cluster.iter().flat_map(cluster::check_files);
    api.chain(cluster).map(|bad| bad.diagnostic(source)).collect()
}

/// Serves until a signal stops it.
pub(crate) fn run(source: SettingsSource, settings: Settings, privileges: Privileges) -> anyhow::Result<Ended> {
    let runtime = runtime()?;
    let log_format = settings.log.format;
    let outcome = runtime.block_on(async {
        let stopping = Stopping::BySignals(Signals::listen().context("cannot listen for signals")?);
        let hangups = Hangups::listen().context("cannot listen for signals")?;
        boot_and_serve(source, settings, Some(privileges), stopping, hangups, |ready| announce(log_format, &ready))
            .await
    });
    // Do not wait for probes that hang.
    runtime.shutdown_background();
    outcome
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .on_thread_start(|| background::set_yield_budget(CONTROL_YIELD_BUDGET))
        .on_thread_unpark(background::resume)
        .enable_all()
        .build()
        .context("cannot start threads")
}

async fn boot_and_serve(
    source: SettingsSource,
    settings: Settings,
    privileges: Option<Privileges>,
    mut stopping: Stopping,
    hangups: Hangups,
    tell: impl FnOnce(Ready),
) -> anyhow::Result<Ended> {
    tracing::info!("fiftythree {} starts", env!("CARGO_PKG_VERSION"));
    let files = claim_files(&settings);
    // Check the port now, so that a port in use is reported before the wait for health checks.
    Bound::check(&settings.dns.listen, settings.dns.workers, UdpPath::default()).map_err(cannot_listen)?;
    let api = ApiListeners::open(&settings).await?;
    let Some(prepared) = prepare_unless_stopped(&source, &settings, &mut stopping).await? else {
        return Ok(Ended::Orderly);
    };
    let Prepared { mut claim, authorities, permission, seen, loaded, saved, writer, writer_thread, past, cluster } =
        prepared;
    report_start(&loaded.summary);
    // Before the first probes, which then succeed.
    let _backends = Backends::start(&settings.lab.backends);
    let (summary, base) = (loaded.summary.clone(), loaded.base.clone());
    let PastEvents { history, restored } = past;
    let event_log = EventLog::new(history, restored.events);
    let (outputs, mut wiring) = Wiring::new(&base, source, hangups, writer, event_log, cluster);
    let (control, reader, health) = Control::new(loaded, &saved, outputs, now());
    let awaited = control.pending_checks();
    let mut running = tokio::spawn(control.run(wiring.take_events(), now));
    wiring.start_opinions(health.clone()).await;
    wiring.start(&settings, seen, authorities, files)?;
    let (ready, readiness) = watch::channel(Readiness::Starting);
    let query_logging = start_query_logging(&settings)?;
    let admin = wiring.admin(health.clone(), readiness, query_logging.clone(), permission.changes.clone());
    let listening = Arc::clone(&admin.listening);
    let admin = open_admin_side(&mut wiring, &settings, files.admin, admin);
    let manager = stopping.manager();
    notify_awaited(manager, awaited.len());
    tokio::select! {
        () = wait_for_first_results(&mut wiring, &awaited, settings.health.wait_for_first_result) => {}
        why = stopping.wanted() => {
            ready.send_replace(Readiness::Stopping);
            tracing::info!("{why}: stopped before serving");
            end(&wiring, running, writer_thread).await;
            return Ok(Ended::Orderly);
        }
    }

    wiring.send(Event::Started).await;
    let (addresses, serving) = dns::open(&mut wiring, &settings, privileges, files, &reader, &query_logging).await?;
    let _ = listening.set(addresses.clone());
    let api = api.map(|api| api.serve(&mut wiring, health, restored.changes)).transpose()?;
    wiring.register(&addresses).await;
    ready.send_replace(Readiness::Ready);
    claim.keep_file();
    manager.notify(Notification::Ready(&format!("serving {}", summary.totals())));
    wiring.keep_notifying(manager);
    tell(Ready { addresses, admin, api, permission, base, summary });

    let why = until_stopped(&mut stopping, &mut running).await;
    ready.send_replace(Readiness::Stopping);
    manager.notify(Notification::Stopping);
    if drain_until_second_signal(serving, why, &mut stopping).await == Ended::AtOnce {
        return Ok(Ended::AtOnce);
    }
    let finish_query_logging = tokio::task::spawn_blocking(move || query_logging.finish(WRITING));
    let ((), _) = tokio::join!(end(&wiring, running, writer_thread), finish_query_logging);
    drop(claim);
    tracing::info!("stopped");
    Ok(Ended::Orderly)
}

fn claim_files(settings: &Settings) -> FileShares {
    let sockets = serve::socket_count(&settings.dns.listen, settings.dns.workers);
    open_files::claim(sockets + Backends::open_files(settings.lab.backends.len()) + ApiListeners::open_files(settings))
}

fn notify_awaited(manager: Manager, awaited: usize) {
    if awaited > 0 {
        manager.notify(Notification::Status(&format!("waiting for the first results of {awaited} health checks")));
    }
}

/// The system clock.
fn now() -> Timestamp {
    // A clock before 1970 counts as 1970.
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The parts that are ready before anything is probed or served.
struct Prepared {
    claim: StateLock,
    authorities: Authorities,
    permission: Permission,
    /// The fingerprint of the files before they were loaded.
    seen: Fingerprint,
    loaded: Loaded,
    saved: SavedState,
    writer: StateWriter,
    writer_thread: StateWriterThread,
    past: PastEvents,
    cluster: Option<Arc<ClusterFiles>>,
}

/// The history, and what it remembers.
#[derive(Default)]
struct PastEvents {
    history: History,
    restored: Restored,
}

/// Returns `None` if a request to stop arrives before everything is read.
async fn prepare_unless_stopped(
    source: &SettingsSource,
    settings: &Settings,
    stopping: &mut Stopping,
) -> anyhow::Result<Option<Prepared>> {
    tokio::select! {
        prepared = prepare(source, settings) => prepared.map(Some),
        why = stopping.wanted() => {
            tracing::info!("{why}: stopped before the files were read");
            Ok(None)
        }
    }
}

/// Reads everything. This may wait for a file system, so it runs on another thread and signals are
/// still handled.
async fn prepare(source: &SettingsSource, settings: &Settings) -> anyhow::Result<Prepared> {
    let claimed = settings.clone();
    let claim = with_files(move || claim_state(&claimed)).await??;
    if settings.api.is_some() && settings.cluster.is_none() {
        let new_zones = settings.new_zones_directory();
        with_files(move || make_new_zones_directory(&new_zones)).await?;
    }
    let files = settings.health.certificate_authorities.clone();
    let authorities = with_files(move || Authorities::read(&files)).await?;
    let authorities = authorities.context("cannot read the certificate authorities of health checks")?;
    let PastEvents { history, restored } = past_events(source, settings).await;
    let cluster = cluster::open(settings).await?;
    let sources = cluster::sources(cluster.as_ref(), FileSources::default());
    let loading = first_load(source, settings, &history, &sources);
    let FirstLoad { seen, loaded } = loading.await.map_err(cannot_start)?;
    if !source.overrides.in_memory {
        clean_up_after_kills(settings).await?;
    }
    let of_state = settings.clone();
    let (saved, writer, writer_thread) = with_files(move || open_state(&of_state)).await??;
    let permission = Permission::find(settings, source.overrides.in_memory).await?;
    let past = PastEvents { history, restored };
    Ok(Prepared { claim, authorities, permission, seen, loaded: *loaded, saved, writer, writer_thread, past, cluster })
}

/// Opens the history. Without one, everything else works.
async fn past_events(source: &SettingsSource, settings: &Settings) -> PastEvents {
    if source.overrides.in_memory {
        return PastEvents::default();
    }
    let state = settings.state.directory.clone();
    let opened = with_files(move || History::open(&state)).await.map_err(anyhow::Error::from);
    match opened.and_then(|opened| Ok(opened?)) {
        Ok((history, restored)) => PastEvents { history, restored },
        Err(error) => {
            tracing::warn!("there is no history: {error}");
            PastEvents::default()
        }
    }
}

/// Locks the state directory: two servers that shared one would lose each other's overrides.
fn claim_state(settings: &Settings) -> anyhow::Result<StateLock> {
    let directory = &settings.state.directory;
    let claim = files::operate(directory, || Ok(StateLock::of(directory)))?.map_err(|claimed| {
        anyhow!("{claimed}\n  hint: stop it, or give this one a directory of its own: --state DIRECTORY")
    })?;
    // Earlier versions created it with the permissions of the umask.
    if let Err(error) = files::operate(directory, || Ok(store::restrict_access(directory)))? {
        tracing::warn!("{error}");
    }
    Ok(claim)
}

/// Zones are served also if none can be created.
fn make_new_zones_directory(directory: &Path) {
    let made = files::operate(directory, || Ok(store::make_writable_directory(directory)));
    if let Err(problem) = made.unwrap_or_else(|error| Err(error.to_string())) {
        tracing::error!("the API cannot create zones: {problem}");
    }
}

/// The saved state of the last run, and the state writer of this one.
fn open_state(settings: &Settings) -> anyhow::Result<(SavedState, StateWriter, StateWriterThread)> {
    let (found, writer, writer_thread) =
        store::start_state_writer(&settings.state.directory).context("cannot start threads")?;
    if let Some(damage) = &found.damage {
        tracing::error!("{damage}; {} intact lines are used", found.lines.len());
    }
    Ok((SavedState::read(found.lines.iter().map(String::as_str)), writer, writer_thread))
}

/// Stops the loop and waits until the state is written.
async fn end(wiring: &Wiring, running: JoinHandle<()>, writer_thread: StateWriterThread) {
    wiring.leave().await;
    if !running.is_finished() {
        wiring.send(Event::Stop).await;
        // If the loop panics now, nothing depends on it any more.
        let _ = running.await;
    }
    let (history, served) = (wiring.history(), wiring.served());
    let finish = move || {
        // What other nodes changed in the last second is not in the copies yet.
        if let Err(error) = served.keep_sources() {
            tracing::warn!("{error}; a start without etcd may serve an older copy");
        }
        writer_thread.finish(WRITING);
        history.finish(WRITING);
    };
    let _ = tokio::task::spawn_blocking(finish).await;
}

/// Starts the query log and dnstap, if enabled. Their server identity is the NSID, or else the host
/// name.
fn start_query_logging(settings: &Settings) -> anyhow::Result<QueryLogging> {
    let nsid = settings.dns.nsid.as_ref().map(|nsid| String::from_utf8_lossy(nsid).into_owned());
    let identity = nsid.unwrap_or_else(machine_name);
    QueryLogging::start(settings.query_log.as_ref(), settings.dnstap.as_ref(), &identity)
        .context("cannot start threads")
}

fn machine_name() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

/// Opens the admin side. If this fails, queries are answered all the same.
fn open_admin_side(
    wiring: &mut Wiring,
    settings: &Settings,
    connections: usize,
    admin: admin::AdminState,
) -> Option<SocketAddr> {
    let wanted = settings.admin.listen?;
    let bound = http::bind(wanted).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            tracing::error!(
                "cannot listen on {wanted} (TCP): {error}; status, metrics and overrides are not available: \
                 choose another address with `[admin] listen` or --admin ADDRESS:PORT"
            );
            return None;
        }
    };
    if !address.ip().is_loopback() {
        let changes = match admin.changes {
            Changes::Forbidden => "no changes are possible without `[admin] token_file`",
            Changes::Programs | Changes::TokenFile(_) | Changes::Token(_) => "changes require the token",
        };
        tracing::warn!("the admin side listens on {address}: everyone who can reach it can see everything; {changes}");
    }
    wiring.spawn(admin::serve(listener, admin, hosts(settings), connections));
    Some(address)
}

/// The host names that the admin side accepts.
fn hosts(settings: &Settings) -> Hosts {
    let public = settings.admin.public_url.as_ref();
    let names = settings.admin.allowed_hosts.iter().cloned().chain(public.map(|public| public.host.clone()));
    Hosts::new(names.collect(), public.map(|public| public.origin.clone()))
}

fn cannot_start(refused: Refused) -> anyhow::Error {
    let Refused::Diagnostics { diagnostics, .. } = &refused else {
        return anyhow!(refused).context("cannot start");
    };
    tracing::error!("diagnostics in the files:\n{}", diagnostics.render(Style::Plain).trim_end());
    anyhow!("cannot start: {refused}, and there is no last good source to serve instead")
}

/// A change that is killed between its steps leaves a hidden file, which can have what somebody
/// saved at that moment.
async fn clean_up_after_kills(settings: &Settings) -> anyhow::Result<()> {
    let directories = settings.zone_directories_on_disk();
    let clean_up = move || directories.iter().flat_map(|directory| store::clean_up_after_kills(directory)).collect();
    let left: Vec<LeftBehind> = with_files(clean_up).await?;
    for LeftBehind { file, saved } in left {
        let file = file.display();
        match saved {
            Ok(saved) => tracing::warn!(
                "{file} was saved while the server was killed during a change of it: the saved text is in {}; compare it with the file",
                saved.display()
            ),
            Err((hidden, error)) => tracing::warn!(
                "{} was left when the server was killed during a change of {file}, and cannot be removed: {error}",
                hidden.display()
            ),
        }
    }
    Ok(())
}

fn report_start(summary: &Summary) {
    if !summary.diagnostics.is_empty() {
        tracing::warn!("diagnostics in the files:\n{}", summary.diagnostics.render(Style::Plain).trim_end());
    }
    for path in &summary.frozen {
        tracing::error!("{} has errors: its last good version is served", path.display());
    }
    for path in &summary.left_out {
        tracing::error!("{} is not served", path.display());
    }
    for one in &summary.unavailable {
        tracing::error!("{one}");
    }
    if let Some(warning) = &summary.state_warning {
        tracing::warn!("{warning}; if a file is broken at the next restart, an older copy of it is served, or none");
    }
    if summary.zones == 0 {
        tracing::warn!("there are no zones: every query is answered with REFUSED");
    }
}

/// Waits, for a bounded time, for the first results of the checks without a saved state.
async fn wait_for_first_results(wiring: &mut Wiring, names: &[Arc<str>], wait: Duration) {
    if names.is_empty() || wait.is_zero() {
        return;
    }
    let named = names.iter().take(NAMED).map(|name| &**name).collect::<Vec<_>>().join(", ");
    let more = if names.len() > NAMED { ", …" } else { "" };
    tracing::info!("waiting up to {} s for the first results of health checks: {named}{more}", wait.as_secs_f64());
    let began = Instant::now();
    match tokio::time::timeout(wait, wiring.no_more_pending()).await {
        Ok(()) => tracing::info!("every health check has a result, after {:.1} s", began.elapsed().as_secs_f64()),
        Err(_) => {
            let silent = wiring.pending();
            tracing::warn!("{silent} of {} health checks have no result yet; they count as healthy", names.len());
        }
    }
}

/// Waits for a request to stop and returns its reason.
async fn until_stopped(stopping: &mut Stopping, running: &mut JoinHandle<()>) -> &'static str {
    tokio::select! {
        why = stopping.wanted() => why,
        _ = running => {
            tracing::error!("the control loop has failed: queries are still answered, but with no changes until a restart");
            stopping.wanted().await
        }
    }
}

/// Waits for the workers to finish, or for a second signal, which means not to wait.
async fn drain_until_second_signal(serving: Serving, why: &str, stopping: &mut Stopping) -> Ended {
    tracing::info!(
        "{why}: completing queries in flight, up to {} s; a second signal stops at once",
        DRAIN.as_secs_f64()
    );
    tokio::select! {
        () = drain(serving) => Ended::Orderly,
        why = stopping.at_once() => {
            tracing::warn!("{why}: stopping at once");
            Ended::AtOnce
        }
    }
}

/// Waits, for a bounded time, for the workers to finish.
async fn drain(serving: Serving) {
    let stopped = tokio::task::spawn_blocking(move || serving.stop());
    if tokio::time::timeout(DRAIN, stopped).await.is_err() {
        tracing::warn!("queries were still in flight after {} s", DRAIN.as_secs_f64());
    }
}
