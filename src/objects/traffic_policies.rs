//! The rules for traffic policies and their instances.

use super::refusal::refusal;
use super::{CommitError, ErrorCode, Refusal, Snapshot};
use crate::model::{
    HostedZone, InstanceError, PolicySet, Severity, TrafficPolicy, TrafficPolicyId, TrafficPolicyInstance,
    policy_problems, policy_sets, violations,
};

/// The policy with this id.
pub(super) fn find<'s>(objects: &'s dyn Snapshot, id: &TrafficPolicyId) -> Result<&'s TrafficPolicy, CommitError> {
    let message = || format!("There is no traffic policy with the id {}.", id.0);
    let found = objects.traffic_policies().iter().find(|policy| policy.id == *id);
    found.ok_or_else(|| refusal(ErrorCode::NoSuchTrafficPolicy, message()))
}

/// API CreateTrafficPolicy, TrafficPolicyAlreadyExists. The name of a deleted policy is free.
pub(super) fn check_new(objects: &dyn Snapshot, policy: &TrafficPolicy) -> Result<(), CommitError> {
    let is_taken =
        |other: &TrafficPolicy| other.id == policy.id || (other.name == policy.name && other.latest().is_some());
    if objects.traffic_policies().iter().any(is_taken) {
        let message = format!("A traffic policy with the name {} already exists.", policy.name);
        return Err(refusal(ErrorCode::TrafficPolicyAlreadyExists, message));
    }
    Ok(())
}

/// API DeleteTrafficPolicy, TrafficPolicyInUse.
pub(super) fn check_versions(
    objects: &dyn Snapshot,
    before: &TrafficPolicy,
    after: &TrafficPolicy,
) -> Result<(), CommitError> {
    let gone = before.versions.iter().filter(|version| !version.is_deleted && after.version(version.number).is_none());
    let gone: Vec<u16> = gone.map(|version| version.number).collect();
    check_unused(objects, before, &gone)
}

/// See [`check_versions`].
pub(super) fn may_be_removed(objects: &dyn Snapshot, policy: &TrafficPolicy) -> Result<(), CommitError> {
    let all: Vec<u16> = policy.versions.iter().map(|version| version.number).collect();
    check_unused(objects, policy, &all)
}

fn check_unused(objects: &dyn Snapshot, policy: &TrafficPolicy, versions: &[u16]) -> Result<(), CommitError> {
    if versions.is_empty() {
        return Ok(());
    }
    let uses = |one: &TrafficPolicyInstance| one.policy == policy.id && versions.contains(&one.version);
    if objects.zones().iter().any(|zone| zone.attachments.policy_instances.iter().any(uses)) {
        let message = "One or more traffic policy instances were created by using the specified traffic policy.";
        return Err(refusal(ErrorCode::TrafficPolicyInUse, message));
    }
    Ok(())
}

/// A zone with the record sets of its instances, if these differ from those before.
pub(super) fn with_instances(
    objects: &dyn Snapshot,
    before: &HostedZone,
    after: HostedZone,
) -> Result<HostedZone, CommitError> {
    let instances = &after.attachments.policy_instances;
    if before.attachments.policy_instances == *instances {
        return Ok(HostedZone { policy_sets: before.policy_sets.clone(), ..after });
    }
    let mut sets: Vec<PolicySet> = Vec::new();
    for instance in instances {
        sets.extend(policy_sets(&after.name, instance, objects.traffic_policies())?);
    }
    let mut checks = sets.iter().filter_map(|policy| policy.set.health_check.as_ref());
    if let Some(unknown) = checks.find(|id| !objects.health_checks().iter().any(|check| check.id == **id)) {
        let message = format!("No health check exists with the specified ID: {}", unknown.0);
        return Err(refusal(ErrorCode::InvalidInput, message));
    }
    let zone = HostedZone { policy_sets: sets.into(), ..after };
    let (collections, limit) = (objects.cidr_collections(), objects.udp_payload_max());
    let mut problems = policy_problems(&zone, collections, limit);
    // Such as an alias whose target goes with an instance.
    let errors = |zone: &HostedZone| -> Vec<String> {
        let errors = violations(zone, collections, limit).into_iter();
        errors.filter(|one| one.severity == Severity::Error).map(|one| one.message).collect()
    };
    let known = errors(before);
    problems.extend(errors(&zone).into_iter().filter(|message| !known.contains(message)));
    if problems.is_empty() {
        return Ok(zone);
    }
    Err(Refusal::of_all(ErrorCode::InvalidInput, problems).into())
}

impl From<InstanceError> for CommitError {
    fn from(error: InstanceError) -> CommitError {
        let code = match error {
            InstanceError::NoPolicy(..) => ErrorCode::NoSuchTrafficPolicy,
            InstanceError::Document(_) => ErrorCode::InvalidInput,
        };
        refusal(code, error.to_string())
    }
}
