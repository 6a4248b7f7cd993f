//! The side door for people and machines: the status page and a small JSON API over HTTP, on loopback unless the settings
//! say otherwise.
//!
//! ```text
//!  GET    /                           the status page
//!  GET    /healthz                    200 while the process runs
//!  GET    /metrics                    figures for a Prometheus
//!  GET    /readyz                     200 once queries are answered, 503 before and while it stops
//!  GET    /v1/status                  the server at a glance
//!  GET    /v1/events                  what happens, as server-sent events
//!  GET    /v1/health?name=…&history=1 what is believed of health checks, and why
//!  GET    /v1/zones?q=…               the zones
//!  GET    /v1/zones/{id}/records?q=…  the records of one, as the trees that their policies form
//!  GET    /v1/places?name=…           where clients and records are
//!  GET    /v1/explain?name=…&type=…   why a question is answered as it is: from, subnet, resolver, as_if, seed
//!  GET    /v1/transitions             what changed, over all checks
//!  GET    /v1/overrides               what people say of health checks
//!  POST   /v1/overrides               say it: {"pattern", "action", "reason", "author", "from", "until"}
//!  DELETE /v1/overrides?pattern=…     take it back
//! ```
//!
//! Whoever reaches the port may read; `token` says who may change something. [`crate::http`] bounds connections and keeps
//! strangers' web pages from reaching it through a person's browser. Nothing here decides anything: requests become events of the control loop, and its answers
//! become JSON.

mod events;
mod explain;
mod guard;
mod health;
mod metrics;
mod overrides;
mod page;
mod places;
pub mod shapes;
mod status;
mod token;
mod tree;
mod turns;
mod zones;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::control::{Event, EventLog, LastLoad, LoadedConfig};
use crate::health::Timestamp;
use crate::http::{self, Class, Front, Hosts, Limits};
use crate::model::HealthCheck;
use crate::stats::Meters;
use crate::tap::Taps;
use crate::world::Reader;

use shapes::ErrorShape;
pub use token::{BadToken, Changes, TOKEN_VARIABLE, Token};
use turns::Readers;

/// The most connections at once, each with a file: 64 requests, several people who watch, the rest for what is essential.
pub const CONNECTIONS: usize = 128;
/// The largest body: an override with the longest texts, several times over.
const BODY_OCTETS: usize = 16 * 1024;

/// Files that `/readyz` names.
const NAMED: usize = 10;

/// Where the server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Queries are not answered yet.
    Starting,
    /// They are answered.
    Ready,
    /// What is in flight is finished, no more.
    Stopping,
}

/// The way to the loop and to what it shows, shared by all requests.
#[derive(Clone)]
pub struct Door {
    /// To the control loop.
    pub events: mpsc::Sender<Event>,
    /// Whether queries are answered.
    pub readiness: watch::Receiver<Readiness>,
    /// What queries are answered from.
    pub world: Reader,
    /// What it is made of.
    pub base: watch::Receiver<LoadedConfig>,
    /// What happens.
    pub feed: EventLog,
    /// What came of the last load.
    pub last_load: watch::Receiver<LastLoad>,
    /// Where DNS is answered, once it is.
    pub listening: Arc<OnceLock<Vec<SocketAddr>>>,
    /// Who may change something.
    pub changes: Changes,
    /// How long the endpoint of a check may be dead before the answers know; `None` for a check that asks nobody.
    pub longest_failover: fn(&HealthCheck) -> Option<Duration>,
    /// Since when the server runs.
    pub started: Timestamp,
    /// Reads the clock.
    pub now: fn() -> Timestamp,
    /// What the workers count.
    pub meters: Arc<Meters>,
    /// Who is told of queries.
    pub taps: Taps,
}

/// What handlers may ask for.
#[derive(Clone)]
struct House {
    door: Door,
    readers: Readers,
}

/// Answers requests for as long as it is polled, over no more than so many connections.
pub async fn serve(listener: TcpListener, door: Door, hosts: Hosts, connections: usize) {
    let house = House { door, readers: Readers::default() };
    http::serve(listener, router(house), front(hosts, connections)).await;
}

fn front(hosts: Hosts, connections: usize) -> Front {
    let refusal = |status, error: &str| page::protected(refusal(status, error));
    Front { limits: Limits { connections, body: BODY_OCTETS }, hosts, class_of, refusal }
}

/// An orchestrator restarts a server whose health it cannot ask, and overrides are what people steer by in an emergency.
fn class_of(path: &str) -> Class {
    match path {
        "/healthz" | "/readyz" | "/v1/overrides" => Class::Essential,
        "/v1/events" => Class::Stream,
        _ => Class::Ordinary,
    }
}

fn router(house: House) -> Router {
    let changes = house.door.changes.clone();
    page::routes()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/v1/status", get(status::status))
        .route("/v1/events", get(events::watch))
        .route("/metrics", get(metrics::scrape))
        .route("/v1/health", get(health::report))
        .route("/v1/zones", get(zones::list))
        .route("/v1/zones/{id}/records", get(zones::records))
        .route("/v1/places", get(places::places))
        .route("/v1/explain", get(explain::report))
        .route("/v1/transitions", get(health::transitions))
        .route("/v1/overrides", get(overrides::list).post(overrides::set).delete(overrides::clear))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async { refusal(StatusCode::METHOD_NOT_ALLOWED, "not by this method") })
        .layer(from_fn_with_state(token::Guard::new(changes), token::guard))
        .layer(from_fn(guard::guard))
        .layer(from_fn(page::protect))
        .with_state(house)
}

/// Zones that answer SERVFAIL do not make the server unready: others would be without answers too.
async fn ready(axum::extract::State(door): axum::extract::State<Door>) -> Response {
    let unavailable = door
        .last_load
        .borrow()
        .summary
        .unavailable
        .iter()
        .take(NAMED)
        .map(|one| format!("{one}\n"))
        .collect::<String>();
    match door.is_ready() {
        true => format!("ready\n{unavailable}").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response(),
    }
}

impl FromRef<House> for Door {
    fn from_ref(house: &House) -> Door {
        house.door.clone()
    }
}

impl FromRef<House> for Readers {
    fn from_ref(house: &House) -> Readers {
        house.readers.clone()
    }
}

impl Door {
    /// What the ids of events begin with: numbers are given anew at each start.
    fn base_of_ids(&self) -> String {
        self.started.0.as_millis().to_string()
    }

    fn is_ready(&self) -> bool {
        *self.readiness.borrow() == Readiness::Ready
    }

    /// Lets the loop answer something.
    async fn ask<T>(&self, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Result<T, Box<Response>> {
        let gone = || Box::new(refusal(StatusCode::SERVICE_UNAVAILABLE, "the control loop has stopped"));
        let (answer, outcome) = oneshot::channel();
        self.events.send(event(answer)).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())
    }
}

fn json(status: StatusCode, shape: &impl Serialize) -> Response {
    let mut text = serde_json::to_string_pretty(shape).expect("shapes are texts, numbers and lists of them");
    text.push('\n');
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

fn refusal(status: StatusCode, error: &str) -> Response {
    json(status, &ErrorShape { error: error.to_owned(), known: Vec::new() })
}
