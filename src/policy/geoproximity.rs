//! Geoproximity routing: the member with the smallest biased distance to the client.

use super::{Candidates, Choice, Distance, Note, Trace, least};
use crate::geo::{Client, Point};
use crate::model::{GeoproximityLocation, ResourceRecordSet, RoutingPolicy};

/// Where each member is and how strongly it attracts.
#[derive(Debug, PartialEq)]
pub struct Geoproximity {
    members: Box<[Attraction]>,
    /// Members by set identifier: who comes first wins a tie (docs/decisions).
    order: Box<[u16]>,
}

#[derive(Debug, PartialEq)]
struct Attraction {
    point: Point,
    /// What the bias makes of a distance.
    factor: f64,
}

impl Geoproximity {
    pub(super) fn new(group: &[&ResourceRecordSet]) -> Geoproximity {
        let members: Box<[Attraction]> = group.iter().filter_map(|set| attraction_of(set)).collect();
        let mut order: Box<[u16]> = (0..).zip(&members).map(|(member, _)| member).collect();
        order.sort_by_key(|&member| &group[usize::from(member)].set_identifier);
        Geoproximity { members, order }
    }

    /// The smallest biased distance among the healthy, then among all. Who cannot be located is equally far from everywhere.
    pub(super) fn choose<T: Trace>(&self, candidates: Candidates<'_>, client: &Client<'_>, trace: &mut T) -> Choice {
        let place = client.place();
        let cost = |member: u16, least: f64| {
            let attraction = &self.members[usize::from(member)];
            place.point.as_ref().map_or(0.0, |client| attraction.biased_km(client, least))
        };
        trace.note(|| {
            let distance = |&member: &u16| {
                let point = &self.members[usize::from(member)].point;
                let km = place.point.as_ref().map(|client| client.distance_km(point));
                Distance { member, km, biased_km: km.map(|_| cost(member, f64::INFINITY)) }
            };
            Note::Distances(self.order.iter().map(distance).collect())
        });
        Choice::of(least(&self.order, candidates, cost), place.scope)
    }
}

impl Attraction {
    /// The biased distance of a client, or any number above `least` where it is more than that: a distance is only worked out
    /// when it may win.
    fn biased_km(&self, client: &Point, least: f64) -> f64 {
        // A billionth in favour of those who may win, for what rounding does.
        const DOUBT: f64 = 1.0 + 1e-9;
        let at_least = Point::least_km_squared(client.chord_squared(&self.point)) * self.factor * self.factor;
        if at_least > least * least * DOUBT {
            return f64::INFINITY;
        }
        client.distance_km(&self.point) * self.factor
    }
}

fn attraction_of(set: &ResourceRecordSet) -> Option<Attraction> {
    let RoutingPolicy::Geoproximity { location, bias } = &set.routing_policy else { return None };
    let coordinates = match location {
        GeoproximityLocation::Region(region) => region.coordinates(),
        GeoproximityLocation::LocalZoneGroup { coordinates, .. } | GeoproximityLocation::Coordinates(coordinates) => {
            *coordinates
        }
    };
    Some(Attraction { point: Point::from(coordinates), factor: bias_factor(*bias) })
}

/// Biased distance = distance * (1 - bias/100), for both signs (Developer Guide, "Geoproximity routing", as of 2025; the
/// guide of 2023 divided for negative bias, docs/decisions).
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
