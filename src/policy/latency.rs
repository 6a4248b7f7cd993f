//! Latency routing: the member whose region has the shortest round trip to the client.

use super::{Candidates, Choice, MemberIndex, PolicyStep, PolicyTrace, RoundTrip, by_cost, least};
use crate::geo::Client;
use crate::model::{Country, PrefixLength, Region, ResourceRecordSet, RoutingPolicy};

/// The region whose member answers all clients in China (API ResourceRecordSetRegion).
const CHINA_REGION: &str = "cn-north-1";
const CHINA: Country = Country(*b"CN");

/// The regions of the members.
#[derive(Debug, PartialEq)]
pub struct Latency {
    regions: Box<[Region]>,
    /// Members by the name of their region: the first wins a tie (docs/decisions).
    order: Box<[MemberIndex]>,
    china: Option<MemberIndex>,
}

impl Latency {
    pub(super) fn new(group: &[&ResourceRecordSet]) -> Latency {
        let regions: Box<[Region]> = group.iter().filter_map(|set| region_of(set)).collect();
        let mut order: Box<[MemberIndex]> = MemberIndex::number(&regions).map(|(member, _)| member).collect();
        order.sort_by_key(|&member| regions[usize::from(member)]);
        let china = order.iter().copied().find(|&member| regions[usize::from(member)].name() == CHINA_REGION);
        Latency { regions, order, china }
    }

    /// The lowest round trip among the healthy members, otherwise among all. A client without a
    /// known location has the same round trip to all.
    pub(super) fn choose<T: PolicyTrace>(
        &self,
        candidates: Candidates<'_>,
        client: &Client<'_>,
        trace: &mut T,
    ) -> Choice {
        let trips = client.round_trips();
        let location = self.china.map(|_| client.location());
        let in_china = self.china.filter(|_| location.is_some_and(|location| location.country == Some(CHINA)));
        let cost = |member: MemberIndex| {
            if in_china == Some(member) { f64::NEG_INFINITY } else { trips.rank_of(self.regions[usize::from(member)]) }
        };
        trace.policy_step(|| {
            let trip = |member: MemberIndex| {
                let region = self.regions[usize::from(member)];
                let (ms, basis) = (trips.ms_to(region), trips.basis_of(region));
                RoundTrip { member, region, ms, basis, for_china: in_china == Some(member) }
            };
            PolicyStep::RoundTrips(by_cost(&self.order, cost).into_iter().map(trip).collect())
        });
        Choice::of(
            least(&self.order, candidates, cost),
            trips.scope.max(location.map_or(PrefixLength::ZERO, |location| location.scope)),
        )
    }
}

fn region_of(set: &ResourceRecordSet) -> Option<Region> {
    match set.routing_policy {
        RoutingPolicy::Latency { region } => Some(region),
        _ => None,
    }
}
