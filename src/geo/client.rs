//! The client of a query. It is located only when a policy needs its location.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};

use super::{GeoLookup, Located, Location, RoundTrips};
use crate::model::{PrefixLength, Region};

/// The client of one query.
#[derive(Debug)]
pub struct Client<'w> {
    geo_lookup: &'w GeoLookup,
    address: IpAddr,
    prefix: PrefixLength,
    vpc: Option<Region>,
    located: Option<&'w Located>,
    location: OnceCell<Location>,
}

impl<'w> Client<'w> {
    /// A client from EDNS Client Subnet, or from the source address of the query with its full
    /// length. An IPv4-mapped IPv6 address becomes the IPv4 address in it; `prefix` and every scope
    /// are then counted within that.
    pub fn new(geo_lookup: &'w GeoLookup, address: IpAddr, prefix: PrefixLength) -> Client<'w> {
        let (address, prefix) = canonical(address, prefix);
        Client { geo_lookup, address, prefix, vpc: None, located: None, location: OnceCell::new() }
    }

    /// The same client with its location, if already known. A location for another address is
    /// ignored.
    #[must_use]
    pub fn located(self, located: Option<&'w Located>) -> Client<'w> {
        Client { located, ..self }
    }

    /// A client of a private zone. Its location is the region of the VPC; its address, which is the
    /// address of the resolver, has no influence.
    pub fn in_vpc(geo_lookup: &'w GeoLookup, address: IpAddr, region: Region) -> Client<'w> {
        let client = Client::new(geo_lookup, address, PrefixLength::whole(address));
        Client { vpc: Some(region), ..client }
    }

    /// The first address of the client's prefix, or the address of the client.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The known prefix length of the address; 32 or 128 if the whole address is known.
    pub fn prefix(&self) -> PrefixLength {
        self.prefix
    }

    /// The location of the client. A prefix is located by its first address.
    pub fn location(&self) -> &Location {
        self.location.get_or_init(|| match (self.vpc, self.located) {
            (Some(region), _) => *self.geo_lookup.in_vpc(region),
            (None, Some(located)) if located.address == self.address => located.location,
            (None, _) => self.geo_lookup.locate(self.address),
        })
    }

    /// Whether the location was looked up.
    pub fn is_located(&self) -> bool {
        self.vpc.is_none() && self.location.get().is_some()
    }

    /// The round trips between the client and the regions.
    pub fn round_trips(&self) -> RoundTrips<'_> {
        match self.vpc {
            Some(region) => self.geo_lookup.round_trips_in_vpc(region),
            None => self.geo_lookup.round_trips(self.address, || self.location()),
        }
    }
}

/// The IPv4 address in an IPv4-mapped address, if the prefix lies within it. The prefix is limited
/// to the length of its family.
fn canonical(address: IpAddr, prefix: PrefixLength) -> (IpAddr, PrefixLength) {
    const MAPPED: u8 = 96;
    match address {
        IpAddr::V4(_) => (address, prefix.min(PrefixLength::IPV4)),
        IpAddr::V6(ipv6) => {
            // As one number: octet by octet, every later copy of an address would be too.
            let bits = ipv6.to_bits();
            if bits >> u32::BITS != 0xffff || prefix.0 < MAPPED {
                return (address, prefix.min(PrefixLength::IPV6));
            }
            #[expect(clippy::cast_possible_truncation, reason = "the last 32 bits")]
            let ipv4 = Ipv4Addr::from_bits(bits as u32);
            (ipv4.into(), PrefixLength(prefix.min(PrefixLength::IPV6).0 - MAPPED))
        }
    }
}
