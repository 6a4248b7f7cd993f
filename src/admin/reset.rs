//! `/v1/reset`: resets the zone files of a server with --in-memory to those of its start.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::control::Event;
use crate::health::Pattern;
use crate::load::Trigger;

use super::query::{NoParameters, Query};
use super::shapes::ResetShape;
use super::{AdminState, json, loop_has_stopped, refusal};

pub(super) async fn reset(State(admin): State<AdminState>, Query(NoParameters {}): Query<NoParameters>) -> Response {
    let Some(sources) = &admin.in_memory else {
        let error = "only a server that was started with --in-memory can be reset";
        return refusal(StatusCode::CONFLICT, error);
    };
    sources.reset();
    match admin.reload().await {
        Ok(shape) => json(StatusCode::OK, &shape),
        Err(response) => *response,
    }
}

impl AdminState {
    /// Clears all overrides, loads everything again and waits for the outcome.
    async fn reload(&self) -> Result<ResetShape, Box<Response>> {
        // An error means that there are none.
        let _ = self.ask(|answer| Event::ClearOverrides(Pattern("*".to_owned()), answer)).await?;
        self.events.send(Event::Reload(Trigger::Requested)).await.map_err(|_| loop_has_stopped())?;
        // The loop handles events in order: after its answer, the load is counted.
        self.ask(Event::Ping).await?;
        let mut reloads = self.reloads.clone();
        let requested = reloads.borrow().requested;
        let done = reloads.wait_for(|reloads| reloads.done >= requested).await.map_err(|_| loop_has_stopped())?;
        Ok(ResetShape { outcome: done.outcome.to_string() })
    }
}
