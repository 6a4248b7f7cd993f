//! The admin side: the status page, the JSON API and the metrics over HTTP, on loopback by default.
//!
//! ```text
//!  GET    /                           the status page
//!  GET    /healthz                    200 while the process runs
//!  GET    /metrics                    metrics for Prometheus
//!  GET    /readyz                     200 once queries are answered, 503 before and while it stops
//!  GET    /v1/status                  a summary of the server
//!  GET    /v1/events                  events, as server-sent events
//!  GET    /v1/health?name=…&history=1 health checks: status, results, history
//!  GET    /v1/zones?q=…               the zones
//!  GET    /v1/zones/{id}/records?q=…  the records of a zone, as trees of policies
//!  GET    /v1/places?name=…           locations of clients and records
//!  GET    /v1/explain?name=…&type=…   why a query gets its answer; also from, subnet, resolver,
//!                                     as_if, seed
//!  POST   /v1/changes?zone=…          makes the changes of a batch
//!  POST   /v1/plan?zone=…&from=…      what a batch would do
//!  POST   /v1/undo?id=…&plan=true     undoes a change, or says what that would do
//!  GET    /v1/transitions             status changes of all checks
//!  GET    /v1/history?zone=…&limit=…  the last events, also of before a restart; changes in full
//!  GET    /v1/overrides               the overrides
//!  POST   /v1/overrides               sets one: pattern, action, reason, author, from, until
//!  DELETE /v1/overrides?pattern=…     clears one
//! ```
//!
//! Every client that reaches the port can read. `token` has the rules for changes. [`crate::http`]
//! limits connections and rejects requests that web pages of other sites send through a user's
//! browser. This module decides nothing: it reads what the control loop publishes, sends changes to
//! the loop as events, and turns both into JSON.

mod changes;
mod concurrency_limit;
mod events;
mod explain;
mod guard;
mod health;
mod history;
mod metrics;
mod overrides;
mod page;
mod places;
mod plan;
mod query;
mod reports;
mod reset;
pub(crate) mod shapes;
mod status;
mod token;
mod tree;
mod undo;
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
use axum::routing::{delete, get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::cluster::ClusterFiles;
use crate::control::{Event, EventLog, HealthReader, HealthView, LastLoad, Reloads, ServedObjects};
use crate::health::Timestamp;
use crate::http::{self, Class, Front, Hosts, Limits};
use crate::load::{InMemorySources, LoadedConfig};
use crate::model::HealthCheck;
use crate::query_logging::QueryLogging;
use crate::stats::Meters;

use concurrency_limit::ConcurrencyLimits;
use shapes::ErrorShape;
pub(crate) use token::{Changes, TOKEN_VARIABLE, Token};

/// Most open connections; each needs a file descriptor. 64 serve requests, 32 events, the rest
/// essential paths.
pub(crate) const CONNECTIONS: usize = 128;
/// Largest request body in bytes: twice what a batch of 1000 values and 32 000 characters needs.
const BODY_BYTES: usize = 512 * 1024;

/// Most unavailable files that `/readyz` lists.
const NAMED: usize = 10;

/// Whether the server answers queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Queries are not answered yet.
    Starting,
    /// Queries are answered.
    Ready,
    /// Only queries in flight are answered.
    Stopping,
}

/// What all handlers share: the channel to the control loop, and what it publishes.
#[derive(Clone)]
pub(crate) struct AdminState {
    /// Events to the control loop.
    pub(crate) events: mpsc::Sender<Event>,
    /// Readiness of the server.
    pub(crate) readiness: watch::Receiver<Readiness>,
    /// The health checks, as the loop last published them.
    pub(crate) health: HealthReader,
    /// The configuration that the snapshot was compiled from.
    pub(crate) base: watch::Receiver<LoadedConfig>,
    /// Its objects, to be changed.
    pub(crate) objects: ServedObjects,
    /// The last events.
    pub(crate) event_log: EventLog,
    /// The result of the last load.
    pub(crate) last_load: watch::Receiver<LastLoad>,
    /// Requested loads and those that are done.
    pub(crate) reloads: watch::Receiver<Reloads>,
    /// The files that nodes share, if there is a cluster.
    pub(crate) cluster: Option<Arc<ClusterFiles>>,
    /// The zone files, if they are only in memory.
    pub(crate) in_memory: Option<Arc<InMemorySources>>,
    /// Addresses on which DNS is answered; empty before.
    pub(crate) listening: Arc<OnceLock<Vec<SocketAddr>>>,
    /// Which requests may make changes.
    pub(crate) changes: Changes,
    /// The longest time from an endpoint's failure to changed answers; `None` for a check without
    /// probes.
    pub(crate) longest_failover: fn(&HealthCheck) -> Option<Duration>,
    /// When the server was started.
    pub(crate) started: Timestamp,
    /// Reads the clock.
    pub(crate) now: fn() -> Timestamp,
    /// Counters of the workers.
    pub(crate) meters: Arc<Meters>,
    /// The query log and dnstap.
    pub(crate) query_logging: QueryLogging,
}

/// The state of the router.
#[derive(Clone)]
struct AppState {
    admin: AdminState,
    limits: ConcurrencyLimits,
}

/// Serves the admin side on `listener` until the future is dropped, with at most `connections` open
/// connections.
pub(crate) async fn serve(listener: TcpListener, admin: AdminState, hosts: Hosts, connections: usize) {
    let app = AppState { admin, limits: ConcurrencyLimits::default() };
    http::serve(listener, router(app), front(hosts, connections)).await;
}

fn front(hosts: Hosts, connections: usize) -> Front {
    let refusal = |status, error: &str| page::protected(refusal(status, error));
    Front { limits: Limits { connections, body: BODY_BYTES }, hosts: Some(hosts), class_of, refusal, tls: None }
}

/// Health probes of an orchestrator and overrides must work under every load, so they are
/// essential.
fn class_of(path: &str) -> Class {
    match path {
        "/healthz" | "/readyz" | "/v1/overrides" => Class::Essential,
        "/v1/events" => Class::Stream,
        _ => Class::Ordinary,
    }
}

fn router(app: AppState) -> Router {
    let changes = app.admin.changes.clone();
    page::routes()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/v1/status", get(status::status))
        .route("/v1/events", get(events::watch))
        .route("/metrics", get(metrics::scrape))
        .route("/v1/health", get(health::report))
        .route("/v1/zones", get(zones::list).post(changes::create_zone).delete(changes::delete_zone))
        .route("/v1/changes", post(changes::batch))
        .route("/v1/plan", post(plan::batch))
        .route("/v1/undo", post(undo::undo))
        .route("/v1/reset", post(reset::reset))
        .route("/v1/records", delete(changes::delete_record))
        .route("/v1/zones/{id}/records", get(zones::records))
        .route("/v1/places", get(places::places))
        .route("/v1/explain", get(explain::report))
        .route("/v1/transitions", get(health::transitions))
        .route("/v1/history", get(history::report))
        .route("/v1/overrides", get(overrides::list).post(overrides::set).delete(overrides::clear))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is no such path") })
        .method_not_allowed_fallback(|| async {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "this path does not have this method")
        })
        .layer(from_fn_with_state(token::Guard::new(changes), token::guard))
        .layer(from_fn(guard::guard))
        .layer(from_fn(page::protect))
        .with_state(app)
}

/// An unavailable zone does not make the server unready, since its other zones are served.
async fn ready(axum::extract::State(admin): axum::extract::State<AdminState>) -> Response {
    let unavailable = admin
        .last_load
        .borrow()
        .summary
        .unavailable
        .iter()
        .take(NAMED)
        .map(|one| format!("{one}\n"))
        .collect::<String>();
    match admin.is_ready() {
        true => format!("ready\n{unavailable}").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response(),
    }
}

impl FromRef<AppState> for AdminState {
    fn from_ref(app: &AppState) -> AdminState {
        app.admin.clone()
    }
}

impl FromRef<AppState> for ConcurrencyLimits {
    fn from_ref(app: &AppState) -> ConcurrencyLimits {
        app.limits.clone()
    }
}

impl AdminState {
    /// The prefix of event ids. Event numbers start again at each start of the server.
    fn base_of_ids(&self) -> String {
        self.started.0.as_millis().to_string()
    }

    fn is_ready(&self) -> bool {
        *self.readiness.borrow() == Readiness::Ready
    }

    /// The health checks as they are now. The error is a 503 response: without the loop, the last
    /// view is out of date.
    fn health(&self) -> Result<Arc<HealthView>, Box<Response>> {
        if self.events.is_closed() {
            return Err(loop_has_stopped());
        }
        Ok(self.health.load())
    }

    /// Sends an event to the control loop and waits for its reply. The error is a 503 response.
    async fn ask<T>(&self, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Result<T, Box<Response>> {
        let (answer, outcome) = oneshot::channel();
        self.events.send(event(answer)).await.map_err(|_| loop_has_stopped())?;
        outcome.await.map_err(|_| loop_has_stopped())
    }
}

/// Reads a body that must be a JSON object. Serde would take a list of its values too.
fn json_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(body).map_err(|error| error.to_string()),
        _ => Err("the body must be a JSON object".to_owned()),
    }
}

fn loop_has_stopped() -> Box<Response> {
    Box::new(refusal(StatusCode::SERVICE_UNAVAILABLE, "the control loop has stopped"))
}

fn json(status: StatusCode, shape: &impl Serialize) -> Response {
    let mut text = serde_json::to_string_pretty(shape).expect("shapes consist of strings, numbers and lists");
    text.push('\n');
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

fn refusal(status: StatusCode, error: &str) -> Response {
    json(status, &ErrorShape { error: error.to_owned(), known: Vec::new() })
}
