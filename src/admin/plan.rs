//! `/v1/plan`: what a change batch would do. Nothing is changed.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::control::PlannedChange;
use crate::objects::Commit;
use crate::plan::{KnownClients, Plan, Side};

use super::changes::{OfZone, Refused, refused};
use super::concurrency_limit::ConcurrencyLimits;
use super::{AdminState, json};

/// How many queries are answered: about half a second of work.
const QUERIES: u64 = 200_000;

pub(super) async fn batch(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    Query(of): Query<OfZone>,
    body: Bytes,
) -> Response {
    // Zones are read and compiled.
    let permit = match limits.zones.acquire().await {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    permit
        .run_blocking(move || match admin.batch_commit(&of, &body).and_then(|commit| admin.plan(&commit)) {
            Ok(plan) => json(StatusCode::OK, &plan),
            Err(error) => refused(error),
        })
        .await
}

impl AdminState {
    /// What a change would do, with the zones and the health that this server has now.
    pub(super) fn plan(&self, commit: &Commit) -> Result<Plan, Refused> {
        let view = self.health.load();
        let PlannedChange { config, world } = view.planned(commit, (self.now)())?;
        let [before, after] =
            [Side { config: &view.base, world: &view.world }, Side { config: &config.base, world: &world }];
        let clients = KnownClients::of(&view.base.settings, config.base.cidr_collections());
        let changes = Some(&*config.change).filter(|change| !change.parts.is_empty());
        Plan::of(before, after, changes, &clients.population(), QUERIES).map_err(Refused::Unavailable)
    }
}
