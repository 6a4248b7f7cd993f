//! The length of an address prefix.

use std::fmt;
use std::net::IpAddr;

/// A number of leading address bits, 0 to 128: of a network, or as SOURCE or SCOPE PREFIX-LENGTH of
/// a client subnet (RFC 7871 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrefixLength(pub u8);

impl PrefixLength {
    /// No bit: all addresses.
    pub const ZERO: PrefixLength = PrefixLength(0);
    /// All bits of an IPv4 address.
    pub const IPV4: PrefixLength = PrefixLength(32);
    /// All bits of an IPv6 address.
    pub const IPV6: PrefixLength = PrefixLength(128);

    /// All bits of this address.
    #[inline]
    pub fn whole(address: IpAddr) -> PrefixLength {
        if address.is_ipv4() { PrefixLength::IPV4 } else { PrefixLength::IPV6 }
    }
}

/// The number alone, as after the slash of a network.
impl fmt::Display for PrefixLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
