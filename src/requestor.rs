//! The requestor of a query (RFC 6891 section 3): its address and the transport of its query.
//!
//! One value goes from the socket to the answer, the counters and the query log.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The transport of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram. The response must fit the limit of the client.
    Udp,
    /// A stream of length-prefixed messages (RFC 7766).
    Tcp,
}

impl Transport {
    /// All of them, in the order of their numbers.
    pub const ALL: [Transport; 2] = [Transport::Udp, Transport::Tcp];
    /// How many there are.
    pub const COUNT: usize = Transport::ALL.len();
}

/// `UDP` or `TCP`.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        })
    }
}

/// Who sends a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requestor {
    address: IpAddr,
    port: u16,
    transport: Transport,
}

impl Requestor {
    /// The requestor at the source of a packet or connection. An IPv4-mapped IPv6 address becomes
    /// the IPv4 address in it.
    #[inline]
    pub const fn new(source: SocketAddr, transport: Transport) -> Requestor {
        Requestor { address: source.ip().to_canonical(), port: source.port(), transport }
    }

    /// The requestor at this address, where only the address matters: over UDP, from port 0.
    pub const fn at(address: IpAddr) -> Requestor {
        Requestor::new(SocketAddr::new(address, 0), Transport::Udp)
    }

    /// The address, never IPv4-mapped.
    #[inline]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The address and the port.
    pub const fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// The transport of the query.
    #[inline]
    pub const fn transport(&self) -> Transport {
        self.transport
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let requestor = Requestor::new("[::ffff:192.0.2.1]:4242".parse().unwrap(), Transport::Tcp);
        assert_eq!(requestor.socket_address(), "192.0.2.1:4242".parse().unwrap());
        assert_eq!(requestor, Requestor::new("192.0.2.1:4242".parse().unwrap(), Transport::Tcp));
    }
}
