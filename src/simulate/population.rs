//! Simulated clients. The address of a client is computed from its number and a seed, so that it
//! does not depend on the order or the thread.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::ClientPlace;
use crate::geo::Database;

/// The clients of a simulation.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    places: Vec<String>,
    /// The cumulative weights of the places.
    weights: Vec<u64>,
    addresses: Vec<PlaceAddresses>,
}

/// The addresses of a place.
#[derive(Clone, Debug, Default)]
struct PlaceAddresses {
    ranges: Vec<AddressRange>,
    /// The cumulative sizes of the ranges.
    sizes: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

/// There are no clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are no clients to simulate")]
pub(crate) struct EmptyPopulation;

impl Population {
    /// The clients of places. A place is drawn by weight, a network of it by size, and an address
    /// of that at random.
    pub(crate) fn of_places(places: &[ClientPlace]) -> Result<Population, EmptyPopulation> {
        let places = places.iter().map(|place| {
            let ranges = place.networks.iter().map(|network| (network.network(), network.broadcast()));
            (place.name.clone(), u64::from(place.weight), PlaceAddresses::of(ranges))
        });
        Population::of(places.collect())
    }

    /// All addresses whose location a database knows, by country: each IPv4 address counts as one
    /// client, and so does each /56 of IPv6, which is what a household has (RFC 6177). Of more than
    /// about `most_ranges` networks, clients are in every n-th, and in at least one of each
    /// country.
    pub(crate) fn of_databases(databases: &[Database], most_ranges: usize) -> Result<Population, EmptyPopulation> {
        let step = databases.iter().map(Database::intervals).sum::<usize>().div_ceil(most_ranges).max(1);
        let mut countries: BTreeMap<String, (u64, Vec<(IpAddr, IpAddr)>)> = BTreeMap::new();
        for (number, (first, last, place)) in databases.iter().flat_map(Database::ranges).enumerate() {
            let country = place.country.map_or_else(|| "no country".to_owned(), |country| country.to_string());
            let (weight, ranges) = countries.entry(country).or_default();
            *weight = weight.saturating_add(AddressRange { first, last }.size());
            if ranges.is_empty() || number.is_multiple_of(step) {
                ranges.push((first, last));
            }
        }
        let places = countries.into_iter();
        let places =
            places.map(|(country, (weight, ranges))| (country, weight, PlaceAddresses::of(ranges.into_iter())));
        Population::of(places.collect())
    }

    fn of(places: Vec<(String, u64, PlaceAddresses)>) -> Result<Population, EmptyPopulation> {
        let mut sum = 0;
        let weights = places.iter().map(|(_, weight, _)| {
            sum += weight;
            sum
        });
        let weights: Vec<u64> = weights.collect();
        if sum == 0 {
            return Err(EmptyPopulation);
        }
        let (places, addresses) = places.into_iter().map(|(name, _, addresses)| (name, addresses)).unzip();
        Ok(Population { places, weights, addresses })
    }

    /// The places' names, by number.
    pub(crate) fn places(&self) -> &[String] {
        &self.places
    }

    /// The place and the address of client number `client`.
    pub(crate) fn client(&self, client: u64, seed: u64) -> (usize, IpAddr) {
        let draw = |what| mix(mix(seed, client), what);
        // These three draws and those of the answers use separate random numbers.
        let [place, range, address] = [u64::MAX - 1, u64::MAX - 2, u64::MAX - 3].map(draw);
        let place = pick(&self.weights, place);
        (place, self.addresses[place].address(range, address))
    }
}

impl PlaceAddresses {
    fn of(ranges: impl Iterator<Item = (IpAddr, IpAddr)>) -> PlaceAddresses {
        let mut addresses = PlaceAddresses::default();
        for (first, last) in ranges {
            let range = AddressRange { first, last };
            addresses.sizes.push(addresses.size().saturating_add(range.size()));
            addresses.ranges.push(range);
        }
        addresses
    }

    fn size(&self) -> u64 {
        self.sizes.last().copied().unwrap_or(0)
    }

    fn address(&self, range: u64, address: u64) -> IpAddr {
        let AddressRange { first, last } = self.ranges[pick(&self.sizes, range)];
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let count = u64::from(last.to_bits() - first.to_bits()) + 1;
                let offset = u32::try_from(part_of(count, address)).unwrap_or(u32::MAX);
                Ipv4Addr::from_bits(first.to_bits().saturating_add(offset)).into()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let wide = u128::from(address) << 64 | u128::from(mix(address, 1));
                let offset = match (last.to_bits() - first.to_bits()).checked_add(1) {
                    Some(count) => wide % count,
                    None => wide,
                };
                Ipv6Addr::from_bits(first.to_bits() + offset).into()
            }
            (first, _) => first,
        }
    }
}

impl AddressRange {
    /// In clients.
    fn size(&self) -> u64 {
        /// A household has a /56.
        const HOUSEHOLD_BITS: u32 = 128 - 56;
        match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => u64::from(last.to_bits() - first.to_bits()) + 1,
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let households = (last.to_bits() >> HOUSEHOLD_BITS) - (first.to_bits() >> HOUSEHOLD_BITS) + 1;
                u64::try_from(households).unwrap_or(u64::MAX)
            }
            _ => 1,
        }
    }
}

/// The entry of `sums` into which a random number falls.
fn pick(sums: &[u64], random: u64) -> usize {
    let ticket = part_of(sums.last().copied().unwrap_or(1), random);
    sums.partition_point(|sum| *sum <= ticket)
}

/// A number in `0..whole`, each equally likely as far as 64 bits can tell.
fn part_of(whole: u64, random: u64) -> u64 {
    u64::try_from((u128::from(whole) * u128::from(random)) >> 64).expect("a part of 64 bits has 64 bits")
}

/// A pseudorandom number that depends on both (the finalizer of SplitMix64, twice).
pub(super) fn mix(seed: u64, number: u64) -> u64 {
    let scramble = |word: u64| {
        let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    };
    scramble(scramble(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
