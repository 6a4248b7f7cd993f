//! Everything that is known about where clients are: the user's networks, then the databases in their order.

use std::net::IpAddr;

use super::latency::LatencyTable;
use super::{Database, Place, PlaceSource, PrefixTable};
use crate::model::{LatencyRow, LocationNetwork};

/// Finds places; immutable. The default knows nothing.
#[derive(Debug, Default)]
pub struct Locator {
    networks: PrefixTable<Place>,
    databases: Vec<Database>,
    latency: LatencyTable,
}

impl Locator {
    /// The databases in the order in which they are asked.
    pub fn build(networks: &[LocationNetwork], databases: Vec<Database>, latency: &[LatencyRow]) -> Locator {
        let networks = networks.iter().map(|network| (network.cidr, Place::of_network(network)));
        Locator { networks: PrefixTable::build(networks), databases, latency: LatencyTable::build(latency) }
    }

    /// The databases, for `PlaceSource::Database` and for reports.
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The first hit wins and is not mixed with what others say of the address. Every table that was asked, also in vain,
    /// lengthens the scope to what its result depended on.
    pub(super) fn locate(&self, address: IpAddr) -> Place {
        let hit = self.networks.lookup(address);
        if let Some(place) = hit.value {
            return Place { scope: hit.depth, ..*place };
        }
        let mut scope = hit.depth;
        for (index, database) in (0..).zip(&self.databases) {
            let hit = database.lookup(address);
            scope = scope.max(hit.depth);
            if let Some(place) = hit.value {
                return Place { source: PlaceSource::Database(index), scope, ..*place };
            }
        }
        Place { scope, ..Place::default() }
    }

    pub(super) fn latency(&self) -> &LatencyTable {
        &self.latency
    }
}
