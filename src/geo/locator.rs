//! Everything that is known about where clients are: the user's networks, then the databases in their order.

use std::net::IpAddr;

use super::latency::{LatencyTable, RoundTrips};
use super::{Database, Place, PlaceSource, PrefixTable};
use crate::model::{LatencyRow, LocationNetwork, Region};

/// Finds places; immutable. The default knows nothing.
#[derive(Debug)]
pub struct Locator {
    /// The user's networks, when there are any.
    networks: Option<PrefixTable<Place>>,
    databases: Vec<Database>,
    latency: LatencyTable,
    /// The place of the clients of each region's VPCs, which is where the region is, by region.
    regions: Box<[Place]>,
}

impl Default for Locator {
    fn default() -> Locator {
        Locator::build(&[], Vec::new(), &[])
    }
}

impl Locator {
    /// The databases in the order in which they are asked.
    pub fn build(networks: &[LocationNetwork], databases: Vec<Database>, latency: &[LatencyRow]) -> Locator {
        let placed = networks.iter().map(|network| (network.cidr, Place::of_network(network)));
        Locator {
            networks: (!networks.is_empty()).then(|| PrefixTable::build(placed)),
            databases,
            latency: LatencyTable::build(latency),
            regions: Region::all().map(Place::in_vpc).collect(),
        }
    }

    /// The databases, for `PlaceSource::Database` and for reports.
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The first hit wins and is not mixed with what others say of the address. Every table that was asked, also in vain,
    /// lengthens the scope to what its result depended on.
    pub(super) fn locate(&self, address: IpAddr) -> Place {
        let mut scope = 0;
        if let Some(networks) = &self.networks {
            let hit = networks.lookup(address);
            scope = hit.depth;
            if let Some(place) = hit.value {
                return Place { scope, ..*place };
            }
        }
        for (index, database) in (0..).zip(&self.databases) {
            let (place, depth) = database.lookup(address);
            scope = scope.max(depth);
            if let Some(place) = place {
                return Place { source: PlaceSource::Database(index), scope, ..place };
            }
        }
        Place { scope, ..Place::default() }
    }

    /// Where the clients of a region's VPCs are.
    pub(super) fn in_vpc(&self, region: Region) -> &Place {
        &self.regions[region.index()]
    }

    /// The round trips of a client at this address, and at this place, which is asked for only where it matters.
    pub(super) fn round_trips<'l>(&'l self, address: IpAddr, place: impl Fn() -> &'l Place) -> RoundTrips<'l> {
        self.latency.round_trips(address, place, &self.regions)
    }

    /// The round trips of the clients of a region's VPCs.
    pub(super) fn round_trips_in_vpc(&self, region: Region) -> RoundTrips<'_> {
        self.latency.round_trips_in_vpc(region, &self.regions)
    }
}
