//! Connects the server to the files that it shares with other nodes through etcd.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::causes::with_causes;
use crate::cluster::{self, BadClusterFile, ClusterFiles, ClusterSources, NodeState, Opinions};
use crate::config::{ClusterSettings, Settings};
use crate::control::{Event, HealthReader, OwnOpinions};
use crate::health::agreement::FIRST_OPINIONS_TICKS;
use crate::load::{FileSources, LoadedConfig, Sources, Trigger, with_files};
use crate::store::SourceCache;

use super::bad_setting::BadSetting;

/// How long a start waits for etcd before it serves the copies of the last run.
const CONNECT: Duration = Duration::from_secs(3);
/// How long it then waits for what other nodes say about health.
const FIRST_OPINIONS: Duration = Duration::from_secs(1);
/// How long a node that starts waits for results of all checks before it says what it thinks.
const FIRST_RESULTS: Duration = Duration::from_secs(FIRST_OPINIONS_TICKS as u64);
/// How long the name of etcd may take to be resolved, to learn the own address.
const RESOLVE: Duration = Duration::from_secs(1);
/// How many reports of other nodes can be queued for the control loop.
const NEWS: usize = 16;

/// The files of the cluster as etcd has them, or else as the last run had them. `None` without a
/// cluster.
pub(super) async fn open(settings: &Settings) -> anyhow::Result<Option<Arc<ClusterFiles>>> {
    let Some(cluster) = settings.cluster.clone() else { return Ok(None) };
    let state = settings.state.directory.clone();
    let open = move || {
        let directory = cluster.directory();
        let cache = SourceCache::new(&state);
        let served = cache.served_before(std::slice::from_ref(&directory));
        let copies = served.into_iter().map(|file| (file.path.clone(), cache.copy_of(&file.path))).collect();
        ClusterFiles::open(&cluster, copies)
    };
    let files = with_files(open).await?.context("cannot use `[cluster]`")?;
    if !cluster::connect(&files, CONNECT).await {
        let link = files.link();
        let why = link.borrow().to_string();
        match files.count() {
            0 => tracing::error!("{why}; no file of the cluster is served until it is reached"),
            1 => tracing::error!("{why}; 1 file of the cluster is served as the last run had it"),
            count => tracing::error!("{why}; {count} files of the cluster are served as the last run had them"),
        }
    }
    Ok(Some(Arc::new(files)))
}

/// What would stop the start because of the certificates and secrets of the cluster.
pub(super) fn check_files(settings: &ClusterSettings) -> Vec<BadSetting> {
    let bad = |BadClusterFile { key, element, why }| BadSetting {
        table: "cluster",
        key,
        element,
        message: with_causes(&why),
    };
    cluster::bad_files(settings).into_iter().map(bad).collect()
}

/// The sources of a load.
pub(super) fn sources(cluster: Option<&Arc<ClusterFiles>>, disk: FileSources) -> Arc<dyn Sources> {
    match cluster {
        Some(files) => Arc::new(ClusterSources::new(Arc::clone(files), disk)),
        None => Arc::new(disk),
    }
}

/// Follows etcd until the server stops.
pub(super) async fn run(files: Arc<ClusterFiles>, events: mpsc::Sender<Event>) {
    let (changes, mut changed) = mpsc::channel(1);
    // One load takes everything that changed before it.
    let tell = move || {
        let _ = changes.try_send(());
    };
    let load = async {
        while changed.recv().await.is_some() {
            if events.send(Event::Reload(Trigger::FileChanged)).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(cluster::follow(files, tell), load);
}

/// Exchanges opinions of health with the other nodes until the server stops. Returns when the
/// control loop has what they say now, so that it decides on the first results with them.
pub(super) async fn exchange_opinions(
    files: &Arc<ClusterFiles>,
    events: mpsc::Sender<Event>,
    health: HealthReader,
    changes: watch::Receiver<u64>,
) -> impl Future<Output = ()> + Send + 'static {
    let opinions = Opinions::new(Arc::clone(files));
    let (heard, first) = opinions.first(FIRST_OPINIONS).await;
    // A loop that has ended needs no events, here and below.
    let _ = events.send(Event::Opinions(first)).await;
    let own = Arc::new(Mutex::new(OwnOpinions::default()));
    let started = Instant::now();
    let state = move || {
        let (own, health) = (Arc::clone(&own), health.clone());
        // With many checks this takes milliseconds.
        let of = move || own.lock().unwrap_or_else(PoisonError::into_inner).of(&health.load(), super::now());
        async move {
            let opinions = tokio::task::spawn_blocking(of).await.ok().flatten();
            // Those of the last run count meanwhile, if it ended a moment ago.
            opinions.filter(|opinions| opinions.is_complete() || started.elapsed() >= FIRST_RESULTS)
        }
    };
    async move {
        let (news_in, mut news) = mpsc::channel(NEWS);
        let forward = async {
            while let Some(news) = news.recv().await {
                let _ = events.send(Event::Opinions(news)).await;
            }
        };
        tokio::join!(opinions.follow(heard, news_in), opinions.publish(changes, state), forward);
    }
}

/// The address that operators know this node by: the first on which it answers queries, or, if it
/// does on all, the one from which it reaches etcd.
pub(super) async fn own_address(settings: &Settings, listening: &[SocketAddr]) -> Option<IpAddr> {
    let specified = listening.iter().map(SocketAddr::ip).find(|address| !address.is_unspecified());
    if specified.is_some() {
        return specified;
    }
    let endpoint = settings.cluster.as_ref()?.endpoints.first()?;
    let (_, authority) = endpoint.split_once("://")?;
    let authority = authority.trim_end_matches('/');
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let authority = if has_port { authority.to_owned() } else { format!("{authority}:443") };
    let etcd = timeout(RESOLVE, lookup_host(authority)).await.ok()?.ok()?.next()?;
    let any: IpAddr = if etcd.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // This sends nothing: the system only chooses the address.
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect(etcd).await.ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Tells the other nodes what this one serves, and knows what they do, until the server stops.
pub(super) async fn register(
    files: Arc<ClusterFiles>,
    addresses: Vec<SocketAddr>,
    mut base: watch::Receiver<LoadedConfig>,
) {
    let settings = Arc::clone(&base.borrow().settings);
    let state = NodeState {
        region: settings.cluster.as_ref().and_then(|cluster| cluster.region).map(|region| region.name().to_owned()),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: cluster::milliseconds(),
        home: cluster::home(&settings.state.directory),
        revision: 0,
        files: None,
        settings: cluster::settings_hashes(&settings, files.secret_id()),
    };
    let (applied_in, applied) = watch::channel(0);
    let watched = Arc::clone(&files);
    let watch = async move {
        let mut followed = watched.followed();
        loop {
            let now = watched.applied(base.borrow_and_update().sources_revision);
            applied_in.send_if_modified(|applied| std::mem::replace(applied, now) != now);
            let changed = tokio::select! {
                changed = base.changed() => changed,
                changed = followed.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    };
    let nodes = files.nodes_sender();
    tokio::join!(cluster::register(Arc::clone(&files), state, applied), cluster::follow_nodes(files, nodes), watch);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn address(endpoint: &str, listening: &[&str]) -> Option<IpAddr> {
        let text = format!("[cluster]\nendpoints = ['{endpoint}']\nnode = 'a'\n");
        let (settings, _) = Settings::read(&crate::config::SourceFile::new("/fiftythree.toml", text));
        let listening: Vec<SocketAddr> = listening.iter().map(|address| address.parse().unwrap()).collect();
        own_address(&settings.unwrap(), &listening).await
    }

    #[tokio::test]
    async fn the_own_address_is_one_that_it_listens_on_or_reaches_etcd_from() {
        let of = |text: &str| Some(text.parse().unwrap());
        assert_eq!(address("http://127.0.0.1:2379", &["0.0.0.0:53", "192.0.2.1:53"]).await, of("192.0.2.1"));
        for endpoint in ["http://127.0.0.1:2379", "https://127.0.0.1"] {
            assert_eq!(address(endpoint, &["0.0.0.0:53", "[::]:53"]).await, of("127.0.0.1"), "{endpoint}");
        }
        assert_eq!(address("http://no.such.name.invalid", &["0.0.0.0:53"]).await, None);
    }
}
