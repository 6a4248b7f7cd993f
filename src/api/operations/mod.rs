//! The operations, one file for each area.
//!
//! An operation is a function from a request to a response. To add one, write it in the file of its
//! area and name it in [`handler`].

mod change_log;
mod cidr_collections;
mod geo_locations;
mod health_check_status;
mod health_checks;
mod store;
mod test_dns_answer;

use std::pin::Pin;
use std::sync::Arc;

pub(crate) use change_log::ChangeLog;

use super::errors::{ApiError, Code};
use super::operation::Operation;
use super::request::{Outcome, Request};
use crate::control::HealthReader;
use crate::objects::ObjectStore;

/// What operations use besides the request.
pub(crate) struct Context {
    /// The hosted zones, health checks and CIDR collections.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The last changes, for GetChange.
    pub(crate) change_log: ChangeLog,
    /// The results of health checks, and the world that answers queries.
    pub(crate) health: HealthReader,
}

/// An operation that is running.
type Running<'r> = Pin<Box<dyn Future<Output = Outcome> + Send + 'r>>;

/// An operation.
type Handler = for<'r> fn(&'r Context, &'r Request) -> Running<'r>;

/// The function of an operation; `None` if this server does not have it yet.
fn handler(operation: Operation) -> Option<Handler> {
    Some(match operation {
        Operation::ChangeCidrCollection => |context, request| Box::pin(cidr_collections::change(context, request)),
        Operation::CreateCidrCollection => |context, request| Box::pin(cidr_collections::create(context, request)),
        Operation::CreateHealthCheck => |context, request| Box::pin(health_checks::create(context, request)),
        Operation::DeleteCidrCollection => |context, request| Box::pin(cidr_collections::delete(context, request)),
        Operation::DeleteHealthCheck => |context, request| Box::pin(health_checks::delete(context, request)),
        Operation::GetGeoLocation => |_, request| now(geo_locations::get(request)),
        Operation::GetHealthCheck => |context, request| now(health_checks::get(context, request)),
        Operation::GetHealthCheckCount => |context, request| now(health_checks::count(context, request)),
        Operation::GetHealthCheckLastFailureReason => {
            |context, request| now(health_check_status::last_failure_reason(context, request))
        }
        Operation::GetHealthCheckStatus => |context, request| now(health_check_status::status(context, request)),
        Operation::ListCidrBlocks => |context, request| now(cidr_collections::list_blocks(context, request)),
        Operation::ListCidrCollections => |context, request| now(cidr_collections::list(context, request)),
        Operation::ListCidrLocations => |context, request| now(cidr_collections::list_locations(context, request)),
        Operation::ListGeoLocations => |_, request| now(geo_locations::list(request)),
        Operation::ListHealthChecks => |context, request| now(health_checks::list(context, request)),
        Operation::TestDNSAnswer => |context, request| now(test_dns_answer::test(context, request)),
        Operation::UpdateHealthCheck => |context, request| Box::pin(health_checks::update(context, request)),
        _ => return None,
    })
}

/// The result of a function that waits for nothing.
fn now<'r>(outcome: Outcome) -> Running<'r> {
    Box::pin(std::future::ready(outcome))
}

/// Runs the operation of a request.
pub(super) async fn run(context: &Context, request: &Request) -> Outcome {
    let operation = request.operation;
    let Some(handler) = handler(operation) else {
        let message = format!("fiftythree does not have {} yet", operation.name());
        return Err(ApiError::new(Code::NotImplemented, message));
    };
    let outcome = handler(context, request).await;
    if let Err(error) = &outcome {
        debug_assert!(
            operation.has_error(error.code()) || error.code().is_common(),
            "{} has no error {error}",
            operation.name()
        );
    }
    outcome
}
