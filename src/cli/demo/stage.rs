//! The demo's stage: a server, four backends and a client that may move, all in this process, and
//! the levers to move them.
//!
//! Everything is as it would be for real: the server reads files, probes over HTTP and answers over
//! UDP. Dropping the stage ends all of it and removes its directory.

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
use crate::cli::side_door::SideDoor;
use crate::cli::watch::asking::Client;
use crate::daemon::Daemon;
use crate::store::{Overrides, SettingsSource};

use super::endpoint::{Endpoint, Manner};
use super::world::{self, PLACES, Place, SITES, WEIGHTS};

/// How often a port is looked for that is free at all four addresses.
const TRIES: usize = 20;
/// A killed backend's port may be held for a moment by what is left of its connections.
const REBIND: Duration = Duration::from_millis(20);

/// Over what time a drain takes berlin's weight: so long that its share is seen to shrink.
pub(super) const DRAIN_S: u64 = 20;

/// A server, backends, a client.
pub(super) struct Stage {
    daemon: Daemon,
    backends: Vec<Backend>,
    runtime: Runtime,
    door: SideDoor,
    admin: SocketAddr,
    client: Client,
    place: usize,
    weights: usize,
    drained: bool,
    directory: TempDir,
}

/// A backend, dead or alive.
struct Backend {
    name: &'static str,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl Stage {
    /// Starts all of it, and waits until the server answers.
    pub(super) fn open() -> anyhow::Result<Stage> {
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
        let door = SideDoor::at(admin)?;
        let (place, weights, drained) = (0, 0, false);
        Ok(Stage { daemon, backends, runtime, door, admin, client, place, weights, drained, directory })
    }

    /// Where the server answers.
    pub(super) fn server(&self) -> SocketAddr {
        self.daemon.addresses()[0]
    }

    /// Where its admin side is.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its admin side.
    pub(super) fn door(&self) -> &SideDoor {
        &self.door
    }

    /// Whether a backend, by its number, is alive.
    pub(super) fn is_alive(&self, number: usize) -> bool {
        self.backends[number].serving.is_some()
    }

    /// Closes a backend's listener and all of its connections, as the end of its process would.
    /// When this returns, it is dead.
    pub(super) fn kill(&mut self, number: usize) {
        if let Some(serving) = self.backends[number].serving.take() {
            serving.abort();
            // That it was aborted is no news.
            let _ = self.runtime.block_on(serving);
        }
    }

    /// Starts a backend again.
    pub(super) fn revive(&mut self, number: usize) -> anyhow::Result<()> {
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

    /// On whose behalf questions are asked.
    pub(super) fn client(&self) -> &Client {
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
        WEIGHTS[self.weights]
    }

    /// Rewrites the zone file with the next weights, or those before. The server sees that by
    /// itself. Whether there were any.
    pub(super) fn change_weights(&mut self, towards: Towards) -> anyhow::Result<bool> {
        let next = match towards {
            Towards::Oregon => Some(self.weights + 1).filter(|next| *next < WEIGHTS.len()),
            Towards::Berlin => self.weights.checked_sub(1),
        };
        let Some(next) = next else { return Ok(false) };
        self.set_weights(next)?;
        Ok(true)
    }

    /// The same, to these of `WEIGHTS`.
    pub(super) fn set_weights(&mut self, number: usize) -> anyhow::Result<()> {
        self.weights = number;
        write_zone(&self.directory, self.weights(), &self.backends)
    }

    /// Drains berlin by people's word, or takes that back; whether it is drained now.
    pub(super) fn toggle_drain(&mut self) -> anyhow::Result<bool> {
        let berlin = SITES[0].name;
        if self.drained {
            let _: OverrideOutcomeShape = self.door.delete("/v1/overrides", &[("pattern", berlin)])?;
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
            let _: OverrideOutcomeShape = self.door.post("/v1/overrides", serde_json::to_string(&request)?)?;
        }
        self.drained = !self.drained;
        Ok(self.drained)
    }

    /// What to type into another terminal.
    pub(super) fn dig(&self) -> String {
        format!("dig @{} -p {} app.demo.test", self.server().ip(), self.server().port())
    }

    /// Where a backend, by its number, is to be found.
    pub(super) fn url(&self, number: usize) -> String {
        format!("http://{}/", self.backends[number].address)
    }
}

/// In which direction weights are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Towards {
    Oregon,
    Berlin,
}

/// Listeners at one port of the sites' addresses. Where the loopback has one address alone, at four
/// ports of that.
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
    let manner = Manner {
        name: HeaderValue::from_static(name),
        body: format!("{name}\n").into(),
        status: StatusCode::OK,
        delay: Duration::ZERO,
    };
    Arc::new(Endpoint::new(manner, Box::new(|_| {}))).serve(listener)
}

fn start(directory: &TempDir, backends: &[Backend]) -> anyhow::Result<Daemon> {
    let files = || -> anyhow::Result<()> {
        std::fs::create_dir(directory.path().join("zones"))?;
        world::write(directory.path(), "fiftythree.toml", &world::settings())?;
        write_zone(directory, WEIGHTS[0], backends)
    };
    files().context("cannot write the demo's files")?;
    let file = Some(directory.path().join("fiftythree.toml"));
    let source = SettingsSource { file, overrides: Overrides::default() };
    let Some(settings) = source.read().settings else { bail!("the demo's settings are broken") };
    Daemon::start(source, settings)
}

fn write_zone(directory: &TempDir, weights: [u8; 3], backends: &[Backend]) -> anyhow::Result<()> {
    let endpoints: Vec<SocketAddr> = backends.iter().map(|backend| backend.address).collect();
    let zone = world::zone(weights, &endpoints);
    world::write(&directory.path().join("zones"), "demo.test.toml", &zone).context("cannot write the demo's zone file")
}
