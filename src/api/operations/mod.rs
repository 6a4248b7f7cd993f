//! The operations, one file for each area.
//!
//! An operation is a function from a request to a response. [`handler`] names all of them.

mod change_log;
mod cidr_collections;
mod delegation_sets;
mod dnssec;
#[cfg(test)]
mod fixture;
mod geo_locations;
mod health_check_status;
mod health_checks;
mod limits;
mod policy_instances;
mod protections;
mod query_logging;
mod record_sets;
mod store;
mod tags;
mod test_dns_answer;
mod traffic_policies;
mod vpcs;
mod zones;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use change_log::ChangeLog;

use super::constraints;
use super::errors::{ApiError, Code};
use super::listing::Listings;
use super::operation::Operation;
use super::request::{Outcome, PageSize, Request, Response};
use super::throttling::Throttle;
use crate::control::HealthReader;
use crate::model::{StrictRule, StrictRules};
use crate::objects::{ChangeTracker, ObjectStore, Submission};

/// What operations use besides the request.
pub(crate) struct Context {
    /// The hosted zones, health checks and other objects.
    objects: Arc<dyn ObjectStore>,
    /// The last changes, for GetChange.
    change_log: ChangeLog,
    /// The results of health checks, and the world that answers queries.
    health: HealthReader,
    /// The order of the record sets that were listed last.
    listings: Listings,
    /// What is refused only because Route 53 refuses it.
    strict: StrictRules,
    /// `None` unless requests are throttled.
    throttle: Option<Throttle>,
    query_log: QueryLog,
}

/// Whether the server logs queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryLog {
    On,
    Off,
}

impl Context {
    /// Operations on these objects. GetChange says PENDING for `insync_delay`.
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, health: HealthReader, insync_delay: Duration) -> Context {
        Context {
            objects,
            change_log: ChangeLog::new(insync_delay),
            health,
            listings: Listings::default(),
            strict: StrictRules::default(),
            throttle: None,
            query_log: QueryLog::On,
        }
    }

    /// The same on a server with this query log.
    pub(crate) fn with_query_log(self, query_log: QueryLog) -> Context {
        Context { query_log, ..self }
    }

    /// The same in strict mode with these rules.
    pub(crate) fn with_strict_rules(self, strict: StrictRules) -> Context {
        let throttle = strict.contains(StrictRule::Throttling).then(|| Throttle::new(Instant::now()));
        Context { strict, throttle, ..self }
    }

    /// The same in a cluster: GetChange also says PENDING until all nodes have the change.
    pub(crate) fn with_tracker(self, tracker: Option<Arc<dyn ChangeTracker>>) -> Context {
        Context { change_log: self.change_log.with_tracker(tracker), ..self }
    }

    /// A change of a run of the server before this one. GetChange knows it.
    pub(crate) fn restore_change(&self, submission: Submission, submitted_at: SystemTime) {
        self.change_log.restore(submission, submitted_at);
    }

    /// Whether a rule of strict mode is kept.
    pub(super) fn keeps(&self, rule: StrictRule) -> bool {
        self.strict.contains(rule)
    }

    /// The error for a request of an operation that had too many.
    pub(super) fn throttle_request(&self, operation: Operation) -> Result<(), ApiError> {
        self.throttle.as_ref().map_or(Ok(()), |throttle| throttle.request(operation, Instant::now()))
    }

    /// The error for changes of record sets after too many others.
    fn throttle_changes(&self, changes: u32) -> Result<(), ApiError> {
        self.throttle.as_ref().map_or(Ok(()), |throttle| throttle.changes(changes, Instant::now()))
    }
}

/// An operation in progress.
type OperationFuture<'r> = Pin<Box<dyn Future<Output = Outcome> + Send + 'r>>;

/// An operation.
type Handler = for<'r> fn(&'r Context, &'r Request) -> OperationFuture<'r>;

/// The function of an operation.
fn handler(operation: Operation) -> Handler {
    // A test has all of them.
    reader(operation).or_else(|| writer(operation)).expect("an operation reads or changes something")
}

/// Those that read.
fn reader(operation: Operation) -> Option<Handler> {
    Some(match operation {
        Operation::GetAccountLimit => |context, request| now(limits::of_account(context, request)),
        Operation::GetChange => |context, request| now(change_log::get(context, request)),
        Operation::GetCheckerIpRanges => |_, request| now(health_checks::checker_ip_ranges(request)),
        Operation::GetDNSSEC => |context, request| now(dnssec::get(context, request)),
        Operation::GetGeoLocation => |_, request| now(geo_locations::get(request)),
        Operation::GetHealthCheck => |context, request| now(health_checks::get(context, request)),
        Operation::GetHealthCheckCount => |context, request| now(health_checks::count(context, request)),
        Operation::GetHealthCheckLastFailureReason => {
            |context, request| now(health_check_status::last_failure_reason(context, request))
        }
        Operation::GetHealthCheckStatus => |context, request| now(health_check_status::status(context, request)),
        Operation::GetHostedZone => |context, request| Box::pin(zones::get(context, request)),
        Operation::GetHostedZoneCount => |context, request| now(zones::count(context, request)),
        Operation::GetHostedZoneLimit => |context, request| now(limits::of_zone(context, request)),
        Operation::GetQueryLoggingConfig => |context, request| now(query_logging::get(context, request)),
        Operation::GetReusableDelegationSet => |context, request| now(delegation_sets::get(context, request)),
        Operation::GetReusableDelegationSetLimit => |context, request| now(limits::of_delegation_set(context, request)),
        Operation::GetTrafficPolicy => |context, request| now(traffic_policies::get(context, request)),
        Operation::GetTrafficPolicyInstance => |context, request| now(policy_instances::get(context, request)),
        Operation::GetTrafficPolicyInstanceCount => |context, request| now(policy_instances::count(context, request)),
        Operation::ListCidrBlocks => |context, request| now(cidr_collections::list_blocks(context, request)),
        Operation::ListCidrCollections => |context, request| now(cidr_collections::list(context, request)),
        Operation::ListCidrLocations => |context, request| now(cidr_collections::list_locations(context, request)),
        Operation::ListGeoLocations => |_, request| now(geo_locations::list(request)),
        Operation::ListHealthChecks => |context, request| now(health_checks::list(context, request)),
        Operation::ListHostedZones => |context, request| now(zones::list(context, request)),
        Operation::ListHostedZonesByName => |context, request| now(zones::list_by_name(context, request)),
        Operation::ListHostedZonesByVPC => |context, request| now(vpcs::list_zones(context, request)),
        Operation::ListQueryLoggingConfigs => |context, request| now(query_logging::list(context, request)),
        Operation::ListResourceRecordSetProtections => |context, request| now(protections::list(context, request)),
        Operation::ListResourceRecordSets => |context, request| Box::pin(record_sets::list(context, request)),
        Operation::ListReusableDelegationSets => |context, request| now(delegation_sets::list(context, request)),
        Operation::ListTagsForResource => |context, request| now(tags::list(context, request)),
        Operation::ListTagsForResources => |context, request| now(tags::list_several(context, request)),
        Operation::ListTrafficPolicies => |context, request| now(traffic_policies::list(context, request)),
        Operation::ListTrafficPolicyInstances => |context, request| now(policy_instances::list(context, request)),
        Operation::ListTrafficPolicyInstancesByHostedZone => {
            |context, request| now(policy_instances::list_by_zone(context, request))
        }
        Operation::ListTrafficPolicyInstancesByPolicy => {
            |context, request| now(policy_instances::list_by_policy(context, request))
        }
        Operation::ListTrafficPolicyVersions => {
            |context, request| now(traffic_policies::list_versions(context, request))
        }
        Operation::ListVPCAssociationAuthorizations => {
            |context, request| now(vpcs::list_authorizations(context, request))
        }
        Operation::TestDNSAnswer => |context, request| now(test_dns_answer::test(context, request)),
        _ => return None,
    })
}

/// Those that change something.
fn writer(operation: Operation) -> Option<Handler> {
    Some(match operation {
        Operation::ActivateKeySigningKey => |_, request| now(dnssec::of_key(request)),
        Operation::AssociateVPCWithHostedZone => |context, request| Box::pin(vpcs::associate(context, request)),
        Operation::ChangeCidrCollection => |context, request| Box::pin(cidr_collections::change(context, request)),
        Operation::ChangeResourceRecordSets => |context, request| Box::pin(record_sets::change(context, request)),
        Operation::ChangeTagsForResource => |context, request| Box::pin(tags::change(context, request)),
        Operation::CreateCidrCollection => |context, request| Box::pin(cidr_collections::create(context, request)),
        Operation::CreateHealthCheck => |context, request| Box::pin(health_checks::create(context, request)),
        Operation::CreateHostedZone => |context, request| Box::pin(zones::create(context, request)),
        Operation::CreateKeySigningKey => |context, request| now(dnssec::create_key(context, request)),
        Operation::CreateQueryLoggingConfig => |context, request| Box::pin(query_logging::create(context, request)),
        Operation::CreateResourceRecordSetProtections => {
            |context, request| Box::pin(protections::create(context, request))
        }
        Operation::CreateReusableDelegationSet => {
            |context, request| Box::pin(delegation_sets::create(context, request))
        }
        Operation::CreateTrafficPolicy => |context, request| Box::pin(traffic_policies::create(context, request)),
        Operation::CreateTrafficPolicyInstance => {
            |context, request| Box::pin(policy_instances::create(context, request))
        }
        Operation::CreateTrafficPolicyVersion => {
            |context, request| Box::pin(traffic_policies::create_version(context, request))
        }
        Operation::CreateVPCAssociationAuthorization => |context, request| Box::pin(vpcs::authorize(context, request)),
        Operation::DeactivateKeySigningKey => |_, request| now(dnssec::of_key(request)),
        Operation::DeleteCidrCollection => |context, request| Box::pin(cidr_collections::delete(context, request)),
        Operation::DeleteHealthCheck => |context, request| Box::pin(health_checks::delete(context, request)),
        Operation::DeleteHostedZone => |context, request| Box::pin(zones::delete(context, request)),
        Operation::DeleteKeySigningKey => |_, request| now(dnssec::of_key(request)),
        Operation::DeleteQueryLoggingConfig => |context, request| Box::pin(query_logging::delete(context, request)),
        Operation::DeleteResourceRecordSetProtections => {
            |context, request| Box::pin(protections::delete(context, request))
        }
        Operation::DeleteReusableDelegationSet => {
            |context, request| Box::pin(delegation_sets::delete(context, request))
        }
        Operation::DeleteTrafficPolicy => |context, request| Box::pin(traffic_policies::delete(context, request)),
        Operation::DeleteTrafficPolicyInstance => {
            |context, request| Box::pin(policy_instances::delete(context, request))
        }
        Operation::DeleteVPCAssociationAuthorization => {
            |context, request| Box::pin(vpcs::deauthorize(context, request))
        }
        Operation::DisableHostedZoneDNSSEC => |context, request| now(dnssec::disable(context, request)),
        Operation::DisassociateVPCFromHostedZone => |context, request| Box::pin(vpcs::disassociate(context, request)),
        Operation::EnableHostedZoneDNSSEC => |context, request| now(dnssec::enable(context, request)),
        Operation::UpdateHealthCheck => |context, request| Box::pin(health_checks::update(context, request)),
        Operation::UpdateHostedZoneComment => |context, request| Box::pin(zones::update_comment(context, request)),
        Operation::UpdateHostedZoneFeatures => |context, request| Box::pin(zones::update_features(context, request)),
        Operation::UpdateTrafficPolicyComment => {
            |context, request| Box::pin(traffic_policies::update_comment(context, request))
        }
        Operation::UpdateTrafficPolicyInstance => {
            |context, request| Box::pin(policy_instances::update(context, request))
        }
        _ => return None,
    })
}

/// The first items, and the first one of the next page.
fn page<T>(items: &[T], size: PageSize) -> (&[T], Option<&T>) {
    (&items[..size.get().min(items.len())], items.get(size.get()))
}

/// The result of a function that waits for nothing.
fn now<'r>(outcome: Outcome) -> OperationFuture<'r> {
    Box::pin(std::future::ready(outcome))
}

/// Runs the operation of a request.
pub(super) async fn run(context: &Context, request: &Request) -> Outcome {
    let operation = request.operation;
    constraints::check(request)?;
    let outcome = handler(operation)(context, request).await;
    if let Err(error) = &outcome {
        debug_assert!(
            operation.has_error(error.code()) || error.code().is_common(),
            "{} has no error {error}",
            operation.name()
        );
    }
    outcome
}

#[cfg(test)]
mod tests;
