//! Round trip times between clients and regions: configured measurements, or an estimate by
//! distance.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Location, LocationSource, PrefixTable};
use crate::model::{Country, LatencyClients, LatencyRow, PrefixLength, Region};

/// The expected round trip time over a great circle, in ms
/// (docs/decisions/0050-latency-from-distance.md). Light in fibre travels 200 km per ms, so 100 km
/// there and back take 1 ms. Cables are half as long again as the great circle. The last miles at
/// both ends take 5 ms, regardless of the distance.
pub fn estimated_ms(distance_km: f64) -> f64 {
    const FIBRE_KM_PER_MS_ROUND_TRIP: f64 = 100.0;
    const PATH_STRETCH: f64 = 1.5;
    const LAST_MILES_MS: f64 = 5.0;
    LAST_MILES_MS + PATH_STRETCH * distance_km / FIBRE_KM_PER_MS_ROUND_TRIP
}

/// The rows of `[[location.latency]]` by their clients. Of two rows about the same clients the
/// later one counts.
#[derive(Debug, Default)]
pub(super) struct LatencyTable {
    /// `None` if there are none.
    by_cidr: Option<PrefixTable<Measured>>,
    by_country: BTreeMap<Country, Measured>,
    by_region: BTreeMap<Region, Measured>,
}

/// Measured milliseconds by region.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured(Box<[Option<f64>]>);

impl Measured {
    fn of_row(row: &LatencyRow) -> Measured {
        let mut ms = vec![None; Region::COUNT].into_boxed_slice();
        for &(region, measured) in &row.round_trip_ms {
            ms[region.index()] = Some(measured);
        }
        Measured(ms)
    }

    fn ms_to(&self, region: Region) -> Option<f64> {
        self.0[region.index()]
    }

    fn is_complete(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }
}

impl LatencyTable {
    pub(super) fn build(rows: &[LatencyRow]) -> LatencyTable {
        let mut table = LatencyTable::default();
        let mut networks = Vec::new();
        for row in rows {
            let measured = Measured::of_row(row);
            match row.clients {
                LatencyClients::Cidr(cidr) => networks.push((cidr, measured)),
                LatencyClients::Country(country) => drop(table.by_country.insert(country, measured)),
                LatencyClients::Region(region) => drop(table.by_region.insert(region, measured)),
            }
        }
        LatencyTable { by_cidr: (!networks.is_empty()).then(|| PrefixTable::build(networks)), ..table }
    }

    /// The row for a client by its address, or else by its location, which is evaluated only if
    /// needed.
    pub(super) fn round_trips<'c>(
        &'c self,
        address: IpAddr,
        location: impl Fn() -> &'c Location,
        regions: &'c [Location],
    ) -> RoundTrips<'c> {
        let hit = self.by_cidr.as_ref().map(|networks| networks.lookup(address));
        let (measured, scope) = hit.map_or((None, PrefixLength::ZERO), |hit| (hit.value, hit.depth));
        if measured.is_some_and(Measured::is_complete) {
            return RoundTrips { scope, measured, location: None, regions };
        }
        let location = location();
        let measured = measured.or_else(|| self.row_of_location(location));
        RoundTrips { scope: scope.max(location.scope), measured, location: Some(location), regions }
    }

    /// A client of a private zone counts as being in the region of its VPC, regardless of its
    /// address (Developer Guide, "Latency-based routing" for private hosted zones). Only a row
    /// about that region applies.
    pub(super) fn round_trips_in_vpc<'c>(&'c self, region: Region, regions: &'c [Location]) -> RoundTrips<'c> {
        let (measured, location) = (self.by_region.get(&region), Some(&regions[region.index()]));
        RoundTrips { scope: PrefixLength::ZERO, measured, location, regions }
    }

    fn row_of_location(&self, location: &Location) -> Option<&Measured> {
        let by_country = location.country.and_then(|country| self.by_country.get(&country));
        by_country.or_else(|| location.region.and_then(|region| self.by_region.get(&region)))
    }
}

/// The source of a round trip time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripBasis {
    /// A row of `[[location.latency]]`.
    Measured,
    /// The client is in the region.
    Home,
    /// Estimated from the distance.
    Distance,
    /// Unknown.
    Unknown,
}

/// The round trips between one client and the regions.
#[derive(Debug)]
pub struct RoundTrips<'c> {
    /// The number of leading address bits that decide the round trips.
    pub scope: PrefixLength,
    measured: Option<&'c Measured>,
    location: Option<&'c Location>,
    /// The location of each region.
    regions: &'c [Location],
}

impl RoundTrips<'_> {
    /// The round trip time in milliseconds: as measured, or else 0 for the region of the client, or
    /// else estimated by distance. `None` if there is no measurement and the client cannot be
    /// located.
    pub fn ms_to(&self, region: Region) -> Option<f64> {
        let home = self.location.filter(|location| location.region == Some(region));
        // The region of the VPC always wins, even over measurements (Developer Guide, as above).
        if home.is_some_and(|location| location.source == LocationSource::Vpc) {
            return Some(0.0);
        }
        let measured = self.measured.and_then(|row| row.ms_to(region));
        measured.or_else(|| home.map(|_| 0.0)).or_else(|| self.estimated_ms_to(region))
    }

    /// A number in the same order as `ms_to`, and equal for all regions if the client cannot be
    /// located. Without measured rows it is cheaper, because it does not compute the distance.
    pub fn rank_of(&self, region: Region) -> f64 {
        const HOME: f64 = -1.0;
        if self.measured.is_some() {
            return self.ms_to(region).unwrap_or_default();
        }
        let Some(location) = self.location else { return 0.0 };
        if location.region == Some(region) {
            return HOME;
        }
        let point = location.point.as_ref().zip(self.regions[region.index()].point.as_ref());
        point.map_or(0.0, |(client, region)| client.chord_squared(region))
    }

    /// The source of the result of `ms_to`.
    pub fn basis_of(&self, region: Region) -> TripBasis {
        let home = self.location.filter(|location| location.region == Some(region));
        if home.is_some_and(|location| location.source == LocationSource::Vpc) {
            return TripBasis::Home;
        }
        match (self.measured.and_then(|row| row.ms_to(region)), home, self.estimated_ms_to(region)) {
            (Some(_), ..) => TripBasis::Measured,
            (None, Some(_), _) => TripBasis::Home,
            (None, None, Some(_)) => TripBasis::Distance,
            (None, None, None) => TripBasis::Unknown,
        }
    }

    fn estimated_ms_to(&self, region: Region) -> Option<f64> {
        let (client, region) = (self.location?.point?, self.regions[region.index()].point?);
        Some(estimated_ms(client.distance_km(&region)))
    }
}
