//! All sources of client locations: the configured networks, then the databases in their order.

use std::net::IpAddr;

use arrayvec::ArrayVec;

use super::latency::{LatencyTable, RoundTrips};
use super::{Database, Location, LocationSource, PrefixTable};
use crate::model::{LatencyRow, LocationNetwork, PrefixLength, Region};
use crate::prefetch::{FAR_BYTES, SIDE_BY_SIDE};

/// Locates clients. Immutable. The default has no sources.
#[derive(Debug)]
pub struct GeoLookup {
    /// The configured networks, if there are any.
    networks: Option<PrefixTable<Location>>,
    databases: Vec<Database>,
    is_large: bool,
    latency: LatencyTable,
    /// The location of VPC clients by region: the location of the region.
    regions: Box<[Location]>,
}

/// An address and its location.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located {
    /// The address.
    pub address: IpAddr,
    /// The location.
    pub location: Location,
}

/// A lookup for one client. The first hit wins and is not combined with other sources. Every table
/// that was searched, also without a hit, lengthens the scope to the prefix that its result
/// depended on.
#[derive(Default)]
struct Search {
    location: Location,
    is_over: bool,
}

impl Search {
    /// The result of the next table: a location or nothing, and the number of address bits that
    /// decided it.
    #[inline]
    fn add_result(&mut self, source: LocationSource, found: Option<Location>, depth: PrefixLength) {
        if self.is_over {
            return;
        }
        let scope = self.location.scope.max(depth);
        self.is_over = found.is_some();
        self.location = match found {
            Some(location) => Location { source, scope, ..location },
            None => Location { scope, ..self.location },
        };
    }
}

impl Default for GeoLookup {
    fn default() -> GeoLookup {
        GeoLookup::build(&[], Vec::new(), &[])
    }
}

impl GeoLookup {
    /// The databases in lookup order.
    pub fn build(networks: &[LocationNetwork], databases: Vec<Database>, latency: &[LatencyRow]) -> GeoLookup {
        let placed = networks.iter().map(|network| (network.cidr, Location::of_network(network)));
        let networks = (!networks.is_empty()).then(|| PrefixTable::build(placed));
        let bytes = networks.iter().map(PrefixTable::bytes).chain(databases.iter().map(Database::bytes));
        GeoLookup {
            is_large: bytes.sum::<usize>() > FAR_BYTES,
            networks,
            databases,
            latency: LatencyTable::build(latency),
            regions: Region::all().map(Location::in_vpc).collect(),
        }
    }

    /// Whether lookups read memory that does not fit the caches.
    pub fn is_large(&self) -> bool {
        self.is_large
    }

    /// The databases, for `LocationSource::Database` and reports.
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The location of this address.
    pub(super) fn locate(&self, address: IpAddr) -> Location {
        let mut search = Search::default();
        if let Some(networks) = &self.networks {
            let hit = networks.lookup(address);
            search.add_result(LocationSource::Network, hit.value.copied(), hit.depth);
        }
        for (index, database) in (0..).zip(&self.databases) {
            if search.is_over {
                break;
            }
            let (location, depth) = database.lookup(address);
            search.add_result(LocationSource::Database(index), location, depth);
        }
        search.location
    }

    /// The locations of up to `SIDE_BY_SIDE` addresses, in their order. The results are the same as
    /// one by one, but the memory accesses overlap.
    pub fn locate_each(&self, addresses: &[IpAddr]) -> ArrayVec<Located, SIDE_BY_SIDE> {
        let mut searches: ArrayVec<Search, SIDE_BY_SIDE> = addresses.iter().map(|_| Search::default()).collect();
        if let Some(networks) = &self.networks {
            for (search, hit) in searches.iter_mut().zip(networks.lookup_each(addresses)) {
                search.add_result(LocationSource::Network, hit.value.copied(), hit.depth);
            }
        }
        for (index, database) in (0..).zip(&self.databases) {
            let open = searches.iter().zip(addresses).filter(|(search, _)| !search.is_over);
            let open: ArrayVec<IpAddr, SIDE_BY_SIDE> = open.map(|(_, &address)| address).collect();
            let still_open = searches.iter_mut().filter(|search| !search.is_over);
            for (search, (location, depth)) in still_open.zip(database.lookup_each(&open)) {
                search.add_result(LocationSource::Database(index), location, depth);
            }
        }
        let locations = searches.into_iter().map(|search| search.location);
        addresses.iter().zip(locations).map(|(&address, location)| Located { address, location }).collect()
    }

    /// The location of VPC clients in a region.
    pub(super) fn in_vpc(&self, region: Region) -> &Location {
        &self.regions[region.index()]
    }

    /// The round trips of a client at this address and location. `location` is evaluated only if it
    /// is needed.
    pub(super) fn round_trips<'l>(&'l self, address: IpAddr, location: impl Fn() -> &'l Location) -> RoundTrips<'l> {
        self.latency.round_trips(address, location, &self.regions)
    }

    /// The round trips of VPC clients in a region.
    pub(super) fn round_trips_in_vpc(&self, region: Region) -> RoundTrips<'_> {
        self.latency.round_trips_in_vpc(region, &self.regions)
    }
}
