//! Failover routing: the primary while it is healthy, otherwise the secondary; the primary again if
//! both are unhealthy.

use super::{Candidates, Choice, MemberIndex, PolicyStep, PolicyTrace, first_usable};
use crate::model::{FailoverRole, PrefixLength, ResourceRecordSet, RoutingPolicy};

/// The pair in order of preference. Either may be missing (a single record has to be
/// accepted).
#[derive(Debug, PartialEq)]
pub struct Failover {
    order: [Option<MemberIndex>; 2],
}

impl Failover {
    pub(super) fn new(group: &[&ResourceRecordSet]) -> Failover {
        let member = |role| {
            let found = MemberIndex::number(group).find(|(_, set)| role_of(set) == Some(role));
            found.map(|(member, _)| member)
        };
        Failover { order: [member(FailoverRole::Primary), member(FailoverRole::Secondary)] }
    }

    /// If both are unhealthy, the primary is answered (API HealthCheckId; Developer Guide,
    /// "Active-passive failover").
    pub(super) fn choose<T: PolicyTrace>(&self, candidates: Candidates<'_>, trace: &mut T) -> Choice {
        trace.policy_step(|| {
            let roles = [FailoverRole::Primary, FailoverRole::Secondary].into_iter().zip(self.order);
            PolicyStep::Pair(roles.filter_map(|(role, member)| Some((role, member?))).collect())
        });
        Choice::of(first_usable(self.order.iter().copied().flatten(), candidates), PrefixLength::ZERO)
    }
}

fn role_of(set: &ResourceRecordSet) -> Option<FailoverRole> {
    match set.routing_policy {
        RoutingPolicy::Failover { role } => Some(role),
        _ => None,
    }
}
