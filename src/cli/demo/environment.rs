//! The demo's environment: a server, four backends and a client, all in this process, and what can
//! be changed about them.
//!
//! Everything works as outside the demo: the server reads files, probes over HTTP and answers over
//! UDP. Dropping the environment ends all of it and removes its directory.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::admin::shapes::{ActionShape, OverrideOutcomeShape, OverrideRequestShape};
use crate::cli::admin_client::AdminClient;
use crate::cli::watch::queries::ClientSubnet;
use crate::daemon::Daemon;
use crate::lab::{Backend as WebServer, Responses};
use crate::store::{Overrides, SettingsSource};

use super::scenario::{self, PLACES, Place, SITES, WEIGHTS};

/// How often it looks for a port that is free at all four addresses.
const TRIES: usize = 20;
/// The port of a stopped backend may be in use for a moment by its last connections.
const REBIND: Duration = Duration::from_millis(20);

/// The time of a drain: long enough to see the share shrink.
pub(super) const DRAIN_S: u64 = 20;

/// A server, backends, a client.
pub(super) struct Environment {
    daemon: Daemon,
    backends: Vec<Backend>,
    runtime: Runtime,
    admin_client: AdminClient,
    admin: SocketAddr,
    client: ClientSubnet,
    place: usize,
    weights: [u8; 3],
    drained: bool,
    directory: TempDir,
}

/// A backend, stopped or running.
struct Backend {
    name: &'static str,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl Environment {
    /// Starts all of it, and waits until the server answers.
    pub(super) fn open() -> anyhow::Result<Environment> {
        let directory = tempfile::Builder::new().prefix("fiftythree-demo-").tempdir();
        let directory = directory.context("cannot make a directory for temporary files")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("backends")
            .enable_all()
            .build()
            .context("cannot start threads")?;
        let listeners = runtime.block_on(listeners()).context("cannot listen for the backends")?;
        let mut backends = Vec::new();
        for (site, listener) in SITES.iter().zip(listeners) {
            let address = listener.local_addr()?;
            let serving = Some(runtime.spawn(serve(site.name, listener)));
            backends.push(Backend { name: site.name, address, serving });
        }
        let daemon = start(&directory, &backends)?;
        let admin = daemon.admin().context("the demo's server has no admin side")?;
        let client = Arc::new(Mutex::new(Some(PLACES[0].network())));
        let admin_client = AdminClient::at_with_state(admin, &directory.path().join("state"))?;
        let (place, weights, drained) = (0, WEIGHTS, false);
        Ok(Environment { daemon, backends, runtime, admin_client, admin, client, place, weights, drained, directory })
    }

    /// Where the server answers.
    pub(super) fn server(&self) -> SocketAddr {
        self.daemon.addresses()[0]
    }

    /// Where its admin side is.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The client of its admin side.
    pub(super) fn admin_client(&self) -> &AdminClient {
        &self.admin_client
    }

    /// Whether a backend, by its number, runs.
    pub(super) fn is_running(&self, number: usize) -> bool {
        self.backends[number].serving.is_some()
    }

    /// Closes a backend's listener and all of its connections, as the end of its process does. They
    /// are closed when this returns.
    pub(super) fn stop(&mut self, number: usize) {
        if let Some(serving) = self.backends[number].serving.take() {
            serving.abort();
            // The task ends as aborted.
            let _ = self.runtime.block_on(serving);
        }
    }

    /// Starts a backend again.
    pub(super) fn start(&mut self, number: usize) -> anyhow::Result<()> {
        let backend = &mut self.backends[number];
        if backend.serving.is_some() {
            return Ok(());
        }
        let address = backend.address;
        let mut outcome = self.runtime.block_on(TcpListener::bind(address));
        for _ in 0..TRIES {
            if outcome.is_ok() {
                break;
            }
            thread::sleep(REBIND);
            outcome = self.runtime.block_on(TcpListener::bind(address));
        }
        let listener = outcome.with_context(|| format!("cannot listen on {address} again"))?;
        backend.serving = Some(self.runtime.spawn(serve(backend.name, listener)));
        Ok(())
    }

    /// The client subnet of the queries.
    pub(super) fn client(&self) -> &ClientSubnet {
        &self.client
    }

    /// Where the client is.
    pub(super) fn place(&self) -> Place {
        PLACES[self.place]
    }

    /// Moves the client to the next place.
    pub(super) fn move_client(&mut self) -> Place {
        self.place = (self.place + 1) % PLACES.len();
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.place().network());
        self.place()
    }

    /// The weights of shop.demo.test.
    pub(super) fn weights(&self) -> [u8; 3] {
        self.weights
    }

    /// Moves one part of the weights and rewrites the zone file, which the server notices. Returns
    /// whether there was a part to move.
    pub(super) fn change_weights(&mut self, towards: Towards) -> anyhow::Result<bool> {
        let Some(weights) = towards.moved(self.weights) else { return Ok(false) };
        self.set_weights(weights)?;
        Ok(true)
    }

    /// Rewrites the zone file with these weights.
    pub(super) fn set_weights(&mut self, weights: [u8; 3]) -> anyhow::Result<()> {
        self.weights = weights;
        write_zone(&self.directory, self.weights(), &self.backends)
    }

    /// Drains berlin by an override, or clears the override. Returns whether it is drained now.
    pub(super) fn toggle_drain(&mut self) -> anyhow::Result<bool> {
        let berlin = SITES[0].name;
        if self.drained {
            let _: OverrideOutcomeShape = self.admin_client.delete("/v1/overrides", &[("pattern", berlin)])?;
        } else {
            let request = OverrideRequestShape {
                pattern: berlin.to_owned(),
                action: ActionShape::Drain,
                over_s: Some(DRAIN_S),
                reason: "maintenance".to_owned(),
                author: "demo".to_owned(),
                from: None,
                until: None,
            };
            let _: OverrideOutcomeShape = self.admin_client.post("/v1/overrides", serde_json::to_string(&request)?)?;
        }
        self.drained = !self.drained;
        Ok(self.drained)
    }

    /// A command for another terminal.
    pub(super) fn dig(&self) -> String {
        format!("dig @{} -p {} app.demo.test", self.server().ip(), self.server().port())
    }

    /// The URL of a backend, by its number.
    pub(super) fn url(&self, number: usize) -> String {
        format!("http://{}/", self.backends[number].address)
    }
}

/// The direction in which a part of the weights is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Towards {
    Oregon,
    Berlin,
}

impl Towards {
    /// The weights with one part moved between berlin and oregon, if the one that gives has any.
    fn moved(self, [berlin, dublin, oregon]: [u8; 3]) -> Option<[u8; 3]> {
        match self {
            Towards::Oregon => Some([berlin.checked_sub(1)?, dublin, oregon + 1]),
            Towards::Berlin => Some([berlin + 1, dublin, oregon.checked_sub(1)?]),
        }
    }
}

/// Listeners on one port of the sites' addresses. If only 127.0.0.1 exists, on four ports of it.
async fn listeners() -> anyhow::Result<Vec<TcpListener>> {
    for _ in 0..TRIES {
        let Ok(first) = TcpListener::bind((SITES[0].address, 0)).await else { break };
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        for site in &SITES[1..] {
            let Ok(listener) = TcpListener::bind((site.address, port)).await else { break };
            listeners.push(listener);
        }
        if listeners.len() == SITES.len() {
            return Ok(listeners);
        }
    }
    let mut listeners = Vec::new();
    for _ in &SITES {
        listeners.push(TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?);
    }
    Ok(listeners)
}

fn serve(name: &'static str, listener: TcpListener) -> impl Future<Output = ()> + Send {
    let responses = Responses {
        server: HeaderValue::from_static(name),
        healthy: format!("{name}\n").into(),
        failing: format!("{name} is failing; POST /recover ends that\n").into(),
        status: StatusCode::OK,
        delay: Duration::ZERO,
    };
    WebServer::new(responses, Box::new(|_| {})).serve(listener)
}

fn start(directory: &TempDir, backends: &[Backend]) -> anyhow::Result<Daemon> {
    let files = || -> anyhow::Result<()> {
        std::fs::create_dir(directory.path().join("zones"))?;
        scenario::write(directory.path(), "fiftythree.toml", &scenario::settings())?;
        write_zone(directory, WEIGHTS, backends)
    };
    files().context("cannot write the demo's files")?;
    let file = Some(directory.path().join("fiftythree.toml"));
    let source = SettingsSource { file, overrides: Overrides::default() };
    let Some(settings) = source.read().settings else { bail!("the demo's settings are broken") };
    Daemon::start(source, settings)
}

fn write_zone(directory: &TempDir, weights: [u8; 3], backends: &[Backend]) -> anyhow::Result<()> {
    let endpoints: Vec<SocketAddr> = backends.iter().map(|backend| backend.address).collect();
    let zone = scenario::zone(weights, &endpoints);
    scenario::write(&directory.path().join("zones"), "demo.test.toml", &zone)
        .context("cannot write the demo's zone file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_move_one_part_at_a_time_and_back() {
        let mut weights = WEIGHTS;
        let mut seen = vec![weights];
        while let Some(next) = Towards::Oregon.moved(weights) {
            assert_eq!(Towards::Berlin.moved(next), Some(weights));
            weights = next;
            seen.push(weights);
        }
        assert_eq!((seen.len(), seen[1], weights), (7, [5, 3, 2], [0, 3, 7]));
        assert_eq!(Towards::Berlin.moved([9, 1, 0]), None);
    }
}
