//! Who asks: made once a query, located when somebody wants to know.

use std::cell::OnceCell;
use std::net::IpAddr;

use super::{GeoLookup, Located, Place, RoundTrips};
use crate::model::Region;

/// The client of one query.
#[derive(Debug)]
pub struct Client<'w> {
    geo_lookup: &'w GeoLookup,
    address: IpAddr,
    prefix: u8,
    vpc: Option<Region>,
    located: Option<&'w Located>,
    place: OnceCell<Place>,
}

impl<'w> Client<'w> {
    /// By EDNS Client Subnet, or by the address the query came from and its full length. An IPv4-mapped IPv6 address is the
    /// IPv4 address in it, and `prefix` and every scope are then counted within that.
    pub fn new(geo_lookup: &'w GeoLookup, address: IpAddr, prefix: u8) -> Client<'w> {
        let (address, prefix) = canonical(address, prefix);
        Client { geo_lookup, address, prefix, vpc: None, located: None, place: OnceCell::new() }
    }

    /// The same client, of whom somebody may have found out already where it is; what is said of another address is passed over.
    #[must_use]
    pub fn located(self, located: Option<&'w Located>) -> Client<'w> {
        Client { located, ..self }
    }

    /// Of a private zone: the place is the VPC's region, and the address, which is the resolver's, decides nothing.
    pub fn in_vpc(geo_lookup: &'w GeoLookup, address: IpAddr, region: Region) -> Client<'w> {
        let client = Client::new(geo_lookup, address, u8::MAX);
        Client { vpc: Some(region), ..client }
    }

    /// The first address of the client's prefix, or the client's own.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits of the address are the client's; 32 or 128 when all of it is known.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Where the client is. A prefix is located by its first address.
    pub fn place(&self) -> &Place {
        self.place.get_or_init(|| match (self.vpc, self.located) {
            (Some(region), _) => *self.geo_lookup.in_vpc(region),
            (None, Some(located)) if located.address == self.address => located.place,
            (None, _) => self.geo_lookup.locate(self.address),
        })
    }

    /// Whether its address had to be looked for.
    pub fn is_located(&self) -> bool {
        self.vpc.is_none() && self.place.get().is_some()
    }

    /// How far the regions are from the client, in time.
    pub fn round_trips(&self) -> RoundTrips<'_> {
        match self.vpc {
            Some(region) => self.geo_lookup.round_trips_in_vpc(region),
            None => self.geo_lookup.round_trips(self.address, || self.place()),
        }
    }
}

/// The IPv4 address within an IPv4-mapped one, as far as the prefix lies within it; no prefix longer than its family's.
fn canonical(address: IpAddr, prefix: u8) -> (IpAddr, u8) {
    const MAPPED: u8 = 96;
    match address {
        IpAddr::V4(_) => (address, prefix.min(32)),
        IpAddr::V6(ipv6) => match ipv6.to_ipv4_mapped() {
            Some(ipv4) if prefix >= MAPPED => (ipv4.into(), prefix.min(128) - MAPPED),
            _ => (address, prefix.min(128)),
        },
    }
}
