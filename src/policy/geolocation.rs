//! Geolocation routing: the smallest area that contains the client, then larger ones.

use super::{Candidates, Choice, MemberIndex, PolicyStep, PolicyTrace, first_usable};
use crate::geo::{Client, Location};
use crate::model::{GeoLocation, PrefixLength, ResourceRecordSet, RoutingPolicy};

/// Members by area, sorted for binary search.
#[derive(Debug, PartialEq)]
pub struct Geolocation {
    areas: Box<[(u64, MemberIndex)]>,
    default: Option<MemberIndex>,
}

impl Geolocation {
    pub(super) fn new(group: &[&ResourceRecordSet]) -> Geolocation {
        let located =
            || MemberIndex::number(group).filter_map(|(member, set)| area_of(set).map(|location| (location, member)));
        let mut areas: Box<[(u64, MemberIndex)]> =
            located().filter_map(|(area, member)| Some((key(area)?, member))).collect();
        areas.sort_unstable();
        let default = located().find(|(location, _)| *location == GeoLocation::Default).map(|(_, member)| member);
        Geolocation { areas, default }
    }

    /// Subdivision, country, continent, default: the smallest area with a healthy member; if there
    /// is none, the smallest area with any member (API HealthCheckId). Without a matching area the
    /// answer is NODATA (Developer Guide, "Geolocation routing").
    pub(super) fn choose<T: PolicyTrace>(
        &self,
        candidates: Candidates<'_>,
        client: &Client<'_>,
        trace: &mut T,
    ) -> Choice {
        if self.areas.is_empty() {
            // The client's location makes no difference here, so it is not looked up.
            trace.policy_step(|| PolicyStep::Areas(vec![(GeoLocation::Default, self.default)]));
            return Choice::of(first_usable(self.default.into_iter(), candidates), PrefixLength::ZERO);
        }
        let location = client.location();
        trace.policy_step(|| {
            let areas = areas_around(location).into_iter().flatten();
            PolicyStep::Areas(areas.map(|area| (area, self.member_for(area))).collect())
        });
        let fitting = areas_around(location).into_iter().filter_map(|area| self.member_for(area?));
        Choice::of(first_usable(fitting, candidates), location.scope)
    }

    fn member_for(&self, area: GeoLocation) -> Option<MemberIndex> {
        let Some(key) = key(area) else { return self.default };
        let at = self.areas.binary_search_by_key(&key, |&(key, _)| key).ok()?;
        Some(self.areas[at].1)
    }
}

/// The areas that contain a location, from the smallest to the default.
fn areas_around(location: &Location) -> [Option<GeoLocation>; 4] {
    let subdivision = location.country.zip(location.subdivision);
    [
        subdivision.map(|(country, subdivision)| GeoLocation::Subdivision(country, subdivision)),
        location.country.map(GeoLocation::Country),
        location.continent.map(GeoLocation::Continent),
        Some(GeoLocation::Default),
    ]
}

/// A number for each area; the default has none.
fn key(area: GeoLocation) -> Option<u64> {
    let packed = |kind: u8, country: [u8; 2], subdivision: [u8; 3]| {
        let [a, b] = country;
        let [x, y, z] = subdivision;
        u64::from_be_bytes([0, 0, kind, a, b, x, y, z])
    };
    match area {
        GeoLocation::Continent(continent) => Some(packed(1, [0, continent as u8], [0; 3])),
        GeoLocation::Country(country) => Some(packed(2, country.0, [0; 3])),
        GeoLocation::Subdivision(country, subdivision) => Some(packed(3, country.0, subdivision.0)),
        GeoLocation::Default => None,
    }
}

fn area_of(set: &ResourceRecordSet) -> Option<GeoLocation> {
    match set.routing_policy {
        RoutingPolicy::Geolocation { location } => Some(location),
        _ => None,
    }
}
