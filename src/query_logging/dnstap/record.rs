//! A query and its response as octets: a head of fixed length, the query, the response.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::query_logging::Exchange;
use crate::requestor::{Requestor, Transport};

/// Two timestamps, the transport, two addresses with ports, the length of the query.
pub(super) const HEAD_OCTETS: usize = 12 + 12 + 1 + 19 + 19 + 4;

/// An exchange and its timestamps, since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'q> {
    pub(super) queried: Duration,
    pub(super) responded: Duration,
    pub(super) exchange: Exchange<'q>,
}

impl<'q> Record<'q> {
    /// Everything except the two messages, which follow.
    pub(super) fn head(&self) -> [u8; HEAD_OCTETS] {
        let mut head = [0; HEAD_OCTETS];
        head[..12].copy_from_slice(&moment(self.queried));
        head[12..24].copy_from_slice(&moment(self.responded));
        head[24] = self.exchange.requestor.transport() as u8;
        head[25..44].copy_from_slice(&address(Some(self.exchange.requestor.socket_address())));
        head[44..63].copy_from_slice(&address(self.exchange.server));
        let octets = u32::try_from(self.exchange.query.len()).unwrap_or_default();
        head[63..].copy_from_slice(&octets.to_le_bytes());
        head
    }

    /// Decodes the head and both messages.
    pub(super) fn read(octets: &'q [u8]) -> Option<Record<'q>> {
        let (head, messages) = octets.split_first_chunk::<HEAD_OCTETS>()?;
        let length = u32::from_le_bytes(head[63..].try_into().ok()?);
        let (query, response) = messages.split_at_checked(length as usize)?;
        let transport = *Transport::ALL.get(usize::from(head[24]))?;
        let (client, server) = (read_address(&head[25..44])?, read_address(&head[44..63]));
        Some(Record {
            queried: read_moment(&head[..12])?,
            responded: read_moment(&head[12..24])?,
            exchange: Exchange { requestor: Requestor::new(client, transport), server, query, response },
        })
    }
}

fn moment(at: Duration) -> [u8; 12] {
    let mut octets = [0; 12];
    octets[..8].copy_from_slice(&at.as_secs().to_le_bytes());
    octets[8..].copy_from_slice(&at.subsec_nanos().to_le_bytes());
    octets
}

fn read_moment(octets: &[u8]) -> Option<Duration> {
    let (seconds, nanoseconds) = octets.split_first_chunk()?;
    let nanoseconds = u32::from_le_bytes(nanoseconds.try_into().ok()?);
    Some(Duration::new(u64::from_le_bytes(*seconds), nanoseconds))
}

/// The family, the address, the port. Family 0 means no address.
fn address(address: Option<SocketAddr>) -> [u8; 19] {
    let mut octets = [0; 19];
    let Some(address) = address else { return octets };
    match address.ip() {
        IpAddr::V4(ip) => {
            octets[0] = 4;
            octets[1..5].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            octets[0] = 6;
            octets[1..17].copy_from_slice(&ip.octets());
        }
    }
    octets[17..].copy_from_slice(&address.port().to_le_bytes());
    octets
}

fn read_address(octets: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_le_bytes([*octets.get(17)?, *octets.get(18)?]);
    let ip = match octets[0] {
        4 => IpAddr::from(<[u8; 4]>::try_from(&octets[1..5]).ok()?),
        6 => IpAddr::from(<[u8; 16]>::try_from(&octets[1..17]).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn record() -> Record<'static> {
        Record {
            queried: Duration::new(1_800_000_000, 123_456_789),
            responded: Duration::new(1_800_000_000, 123_461_000),
            exchange: Exchange {
                requestor: Requestor::new("192.0.2.1:4242".parse().unwrap(), Transport::Udp),
                server: Some("[2001:db8::53]:53".parse().unwrap()),
                query: b"the query",
                response: b"and the response",
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let over_tcp = Requestor::new(record().exchange.requestor.socket_address(), Transport::Tcp);
        let silent = Exchange { server: None, response: b"", requestor: over_tcp, ..record().exchange };
        for record in [record(), Record { exchange: silent, ..record() }] {
            let exchange = record.exchange;
            let octets = [record.head().as_slice(), exchange.query, exchange.response].concat();
            let read = Record::read(&octets).unwrap();
            assert_eq!(format!("{read:?}"), format!("{record:?}"));
        }
        assert!(Record::read(&record().head()).is_none());
    }
}
