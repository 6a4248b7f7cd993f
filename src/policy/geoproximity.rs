//! Geoproximity routing: the member with the smallest biased distance to the client.

use super::{Candidates, Choice, Distance, MemberIndex, PolicyStep, PolicyTrace, by_cost, least};
use crate::geo::{Client, Point};
use crate::model::{GeoproximityLocation, ResourceRecordSet, RoutingPolicy};

/// The location and bias of each member.
#[derive(Debug, PartialEq)]
pub struct Geoproximity {
    members: Box<[BiasedPoint]>,
    /// Members by set identifier: the first wins a tie (docs/decisions).
    order: Box<[MemberIndex]>,
}

#[derive(Debug, PartialEq)]
struct BiasedPoint {
    point: Point,
    /// Applies the bias to a distance.
    factor: f64,
}

impl Geoproximity {
    pub(super) fn new(group: &[&ResourceRecordSet]) -> Geoproximity {
        let members: Box<[BiasedPoint]> = group.iter().filter_map(|set| biased_point_of(set)).collect();
        let mut order: Box<[MemberIndex]> = MemberIndex::number(&members).map(|(member, _)| member).collect();
        order.sort_by_key(|&member| &group[usize::from(member)].set_identifier);
        Geoproximity { members, order }
    }

    /// The smallest biased distance among the healthy members, otherwise among all. A client
    /// without a known location is equally far from all members.
    pub(super) fn choose<T: PolicyTrace>(
        &self,
        candidates: Candidates<'_>,
        client: &Client<'_>,
        trace: &mut T,
    ) -> Choice {
        let location = client.location();
        let client = location.point.as_ref().map(Point::normalized);
        let cost = |member: MemberIndex| client.map_or(0.0, |client| self.members[usize::from(member)].cost(&client));
        trace.policy_step(|| {
            let distance = |member: MemberIndex| {
                let BiasedPoint { point, factor } = &self.members[usize::from(member)];
                let km = client.map(|client| client.distance_km(point));
                Distance { member, km, biased_km: km.map(|km| km * factor) }
            };
            PolicyStep::Distances(by_cost(&self.order, cost).into_iter().map(distance).collect())
        });
        Choice::of(least(&self.order, candidates, cost), location.scope)
    }
}

impl BiasedPoint {
    /// A sort key that orders members by biased distance to the client, to within a metre.
    fn cost(&self, client: &Point) -> f64 {
        Point::angle(client.chord_squared(&self.point)) * self.factor
    }
}

fn biased_point_of(set: &ResourceRecordSet) -> Option<BiasedPoint> {
    let RoutingPolicy::Geoproximity { location, bias } = &set.routing_policy else { return None };
    let coordinates = match location {
        GeoproximityLocation::Region(region) => region.coordinates(),
        GeoproximityLocation::LocalZoneGroup { coordinates, .. } | GeoproximityLocation::Coordinates(coordinates) => {
            *coordinates
        }
    };
    Some(BiasedPoint { point: Point::from(coordinates).normalized(), factor: bias_factor(*bias) })
}

/// Biased distance = distance * (1 - bias/100), for both signs (Developer Guide, "Geoproximity
/// routing", as of 2025; the 2023 guide divided for negative bias, docs/decisions).
fn bias_factor(bias: i8) -> f64 {
    1.0 - f64::from(bias) / 100.0
}

#[cfg(test)]
mod tests {
    use super::bias_factor;

    #[test]
    fn bias_scales_the_distance() {
        assert!((1000.0 * bias_factor(50) - 500.0).abs() < 1e-9);
        assert!((1000.0 * bias_factor(-50) - 1500.0).abs() < 1e-9);
        assert!((3000.0 * bias_factor(-50) - 4500.0).abs() < 1e-9);
    }
}
