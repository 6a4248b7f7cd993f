//! `/v1/plan`: what a change batch would do. Nothing is changed.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::control::PlannedChange;
use crate::objects::Commit;
use crate::plan::{KnownClients, Plan, Side, clients_of_databases};

use super::changes::{OfZone, Refused, refused};
use super::concurrency_limit::ConcurrencyLimits;
use super::query::Query;
use super::{AdminState, json};

/// How many queries are answered: about half a second of work.
const QUERIES: u64 = 200_000;

/// Query parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanQuery {
    /// As for making the changes.
    zone: Option<String>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    from: PlanClients,
}

/// Which clients are simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PlanClients {
    /// Those of the settings and the CIDR collections.
    #[default]
    Known,
    /// Those of the geo databases.
    Geoip,
}

pub(super) async fn batch(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    Query(PlanQuery { zone, author, from }): Query<PlanQuery>,
    body: Bytes,
) -> Response {
    let of = OfZone { zone, author };
    // Zones are read and compiled.
    let permit = match limits.zones.acquire().await {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    permit
        .run_blocking(move || match admin.batch_commit(&of, &body).and_then(|commit| admin.plan(&commit, from)) {
            Ok(plan) => json(StatusCode::OK, &plan),
            Err(error) => refused(error),
        })
        .await
}

impl AdminState {
    /// What a change would do, with the zones and the health that this server has now.
    pub(super) fn plan(&self, commit: &Commit, from: PlanClients) -> Result<Plan, Refused> {
        let view = self.health.load();
        let PlannedChange { config, world } = view.planned(commit, (self.now)())?;
        let [before, after] =
            [Side { config: &view.base, world: &view.world }, Side { config: &config.base, world: &world }];
        let population = match from {
            PlanClients::Known => {
                Some(KnownClients::of(&view.base.settings, config.base.cidr_collections()).population())
            }
            PlanClients::Geoip => clients_of_databases(&view.base),
        };
        let population = population.ok_or_else(|| Refused::Request("the settings name no geo database".to_owned()))?;
        let changes = Some(&*config.change).filter(|change| !change.parts.is_empty());
        Plan::of(before, after, changes, &population, QUERIES).map_err(Refused::Unavailable)
    }
}
