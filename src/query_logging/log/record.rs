//! The fields of a query as octets. A worker copies them into the ring; the thread reads and
//! formats them.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::model::{PrefixLength, QueryType};
use crate::query_logging::QueryEvent;
use crate::requestor::Transport;

/// The id of a hosted zone has at most 32 characters.
const MOST_ID_OCTETS: usize = 32;
/// RFC 1035 section 2.3.4.
const MOST_NAME_OCTETS: usize = 255;
/// The fixed part before the two parts of variable length: time, type, code, transport, two
/// addresses, lengths.
const HEAD_OCTETS: usize = 8 + 2 + 1 + 1 + 17 + 18 + 2;
/// The longest record.
pub(super) const MOST_OCTETS: usize = HEAD_OCTETS + MOST_ID_OCTETS + MOST_NAME_OCTETS;

/// The prefix length of a record without a subnet.
const NO_PREFIX: u8 = u8::MAX;

/// The fields of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'q> {
    /// Milliseconds since 1970.
    pub(super) at_ms: u64,
    /// Empty if no zone answers.
    pub(super) zone_id: &'q str,
    /// In wire format as received; empty if it could not be parsed.
    pub(super) name: &'q [u8],
    pub(super) qtype: QueryType,
    pub(super) response_code: u8,
    pub(super) transport: Transport,
    pub(super) resolver: IpAddr,
    pub(super) subnet: Option<(IpAddr, PrefixLength)>,
}

impl<'q> Record<'q> {
    pub(super) fn of(at: Duration, event: &QueryEvent<'q>) -> Record<'q> {
        // Type and class follow the name.
        let name = &event.question[..event.question.len().saturating_sub(4)];
        Record {
            at_ms: u64::try_from(at.as_millis()).unwrap_or_default(),
            zone_id: event.zone_id.filter(|id| id.len() <= MOST_ID_OCTETS).unwrap_or_default(),
            name: if name.len() <= MOST_NAME_OCTETS { name } else { &[] },
            qtype: event.qtype,
            response_code: event.response_code,
            transport: event.requestor.transport(),
            resolver: event.requestor.address(),
            subnet: event.subnet,
        }
    }

    /// Encodes the record. Returns its length in octets.
    pub(super) fn write(&self, out: &mut [u8; MOST_OCTETS]) -> usize {
        let mut writer = FieldWriter { out, at: 0 };
        writer.put(&self.at_ms.to_le_bytes());
        writer.put(&self.qtype.0.to_le_bytes());
        writer.put(&[self.response_code, self.transport as u8]);
        writer.put_address(self.resolver);
        let no_subnet = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), PrefixLength(NO_PREFIX));
        let (subnet, prefix) = self.subnet.unwrap_or(no_subnet);
        writer.put_address(subnet);
        // The lengths are at most 32 and 255.
        writer.put(&[prefix.0, self.zone_id.len() as u8, self.name.len() as u8]);
        writer.put(self.zone_id.as_bytes());
        writer.put(self.name);
        writer.at
    }

    /// Decodes the output of `write`.
    pub(super) fn read(octets: &'q [u8]) -> Option<Record<'q>> {
        let (head, rest) = octets.split_first_chunk::<HEAD_OCTETS>()?;
        let (id_octets, name_octets) = (usize::from(head[HEAD_OCTETS - 2]), usize::from(head[HEAD_OCTETS - 1]));
        let (zone_id, name) = rest.split_at_checked(id_octets)?;
        let prefix = head[46];
        Some(Record {
            at_ms: u64::from_le_bytes(head[..8].try_into().ok()?),
            zone_id: std::str::from_utf8(zone_id).ok()?,
            name: name.get(..name_octets)?,
            qtype: QueryType(u16::from_le_bytes([head[8], head[9]])),
            response_code: head[10],
            transport: *Transport::ALL.get(usize::from(head[11]))?,
            resolver: address(head[12..29].try_into().ok()?),
            subnet: (prefix != NO_PREFIX).then_some((address(head[29..46].try_into().ok()?), PrefixLength(prefix))),
        })
    }
}

struct FieldWriter<'o> {
    out: &'o mut [u8; MOST_OCTETS],
    at: usize,
}

impl FieldWriter<'_> {
    fn put(&mut self, octets: &[u8]) {
        self.out[self.at..self.at + octets.len()].copy_from_slice(octets);
        self.at += octets.len();
    }

    fn put_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                self.put(&[4]);
                self.put(&address.octets());
                self.at += 12;
            }
            IpAddr::V6(address) => {
                self.put(&[6]);
                self.put(&address.octets());
            }
        }
    }
}

fn address(octets: [u8; 17]) -> IpAddr {
    match octets {
        [4, a, b, c, d, ..] => IpAddr::from([a, b, c, d]),
        [_, address @ ..] => IpAddr::from(address),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::requestor::Requestor;

    pub(crate) const NAME: &[u8] = b"\x03wWw\x03lab\x04test\0";

    pub(crate) fn record() -> Record<'static> {
        Record {
            at_ms: 1_513_152_962_130,
            zone_id: "Z123412341234",
            name: NAME,
            qtype: QueryType(1),
            response_code: 0,
            transport: Transport::Udp,
            resolver: "192.168.1.1".parse().unwrap(),
            subnet: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let long = [b'a'; MOST_NAME_OCTETS];
        let id = "Z".repeat(MOST_ID_OCTETS);
        for record in [
            record(),
            Record {
                subnet: Some(("198.51.100.0".parse().unwrap(), PrefixLength(24))),
                transport: Transport::Tcp,
                ..record()
            },
            Record { resolver: "2001:db8::1".parse().unwrap(), zone_id: "", name: &[], response_code: 16, ..record() },
            Record {
                subnet: Some(("2001:db8::".parse().unwrap(), PrefixLength(128))),
                name: &long,
                zone_id: &id,
                ..record()
            },
        ] {
            let mut out = [0xff; MOST_OCTETS];
            let octets = record.write(&mut out);
            assert_eq!(Record::read(&out[..octets]), Some(record));
            assert_eq!(Record::read(&out[..octets - 1]), None);
        }
    }

    #[test]
    fn of_a_question_the_name_is_kept() {
        let question = [NAME, &[0, 1, 0, 1]].concat();
        let event = QueryEvent {
            has_logging_config: false,
            question: &question,
            zone_id: Some("Z123412341234"),
            zone_name: b"\x03lab\x04test\0",
            qtype: QueryType(1),
            response_code: 0,
            requestor: Requestor::at("192.168.1.1".parse().unwrap()),
            subnet: None,
        };
        assert_eq!(Record::of(Duration::from_millis(1_513_152_962_130), &event), record());
        assert_eq!(Record::of(Duration::ZERO, &QueryEvent { question: &[], ..event }).name, b"");
    }
}
