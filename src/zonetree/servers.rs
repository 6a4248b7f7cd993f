//! The closing records of a positive answer: the zone's NS set and the addresses of its servers,
//! encoded when the zone is compiled.
//!
//! Nearly every answer ends in these records, and they are the same except for the compression
//! pointers to the zone's name. They are stored as a message has them, and an answer copies them in
//! one block. If a policy or health determines the address of a server, there is no such block, and
//! the addresses are chosen for each answer.

use super::{GroupIndex, MemberContent, NodeIndex, Records, Zone};
use crate::model::RecordType;
use crate::policy::MemberIndex;

const CLASS_IN: u16 = 1;
/// A block that does not fit into an answer without EDNS is not worth the memory.
const MOST_OCTETS: usize = 512;

/// The records in wire format, with room for the pointers.
#[derive(Debug, PartialEq)]
pub(super) struct Ready {
    octets: Box<[u8]>,
    /// The offsets of pointers to the zone's name, then the offset and length of the labels of each
    /// server with addresses here.
    places: Box<[u16]>,
    pointers: u16,
    authority: u16,
    additional: u16,
}

/// A zone's NS set and the addresses of its servers.
#[derive(Clone, Copy, Debug)]
pub struct ZoneServers<'z> {
    zone: &'z Zone,
    ready: &'z Ready,
}

impl Ready {
    /// Builds the block for a zone that is compiled except for it.
    pub(super) fn of(zone: &Zone) -> Option<Ready> {
        let is_plain = |(_, group): (NodeIndex, GroupIndex)| group.listed().is_none();
        if !address_groups(zone).all(is_plain) {
            return None;
        }
        let mut writer = Writer::default();
        let mut parts = parts(zone);
        let authority = parts.next().map(|(labels, records)| writer.part(labels, &records))?;
        let additional = parts.map(|(labels, records)| writer.addresses(labels, &records)).sum();
        let Writer { octets, pointers, owners } = writer;
        (octets.len() <= MOST_OCTETS).then(|| Ready {
            octets: octets.into(),
            places: [pointers.as_slice(), owners.as_flattened()].concat().into(),
            pointers: u16::try_from(pointers.len()).expect("there are fewer than octets"),
            authority,
            additional,
        })
    }

    /// The first octets of what an answer copies.
    pub(super) fn first_word(&self) -> u64 {
        let place = self.places.first().copied().unwrap_or_default();
        self.octets.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets)) ^ u64::from(place)
    }
}

impl<'z> ZoneServers<'z> {
    pub(super) fn new(zone: &'z Zone, ready: &'z Ready) -> ZoneServers<'z> {
        ZoneServers { zone, ready }
    }

    /// The records, authority section first, in wire format except for the pointers.
    pub fn octets(&self) -> &'z [u8] {
        &self.ready.octets
    }

    /// The offsets in `octets` of the two-octet pointers to the zone's name.
    pub fn pointers(&self) -> &'z [u16] {
        &self.ready.places[..usize::from(self.ready.pointers)]
    }

    /// The number of records in the authority section and in the additional section.
    pub fn counts(&self) -> [u16; 2] {
        [self.ready.authority, self.ready.additional]
    }

    /// Whether one of the servers with addresses here has these labels relative to the zone's name,
    /// in any case.
    pub fn has(&self, labels: &[u8]) -> bool {
        let (owners, _) = self.ready.places[usize::from(self.ready.pointers)..].as_chunks::<2>();
        owners.iter().any(|&[start, length]| {
            let start = usize::from(start);
            self.ready.octets[start..start + usize::from(length)].eq_ignore_ascii_case(labels)
        })
    }

    /// Set by set, the NS set first: the owner's labels relative to the zone's name, and the
    /// records.
    pub fn parts(&self) -> impl Iterator<Item = (&'z [u8], Records<'z>)> + use<'z> {
        parts(self.zone)
    }
}

fn parts(zone: &Zone) -> impl Iterator<Item = (&[u8], Records<'_>)> {
    let records = |group| match zone.content(group, MemberIndex(0)) {
        MemberContent::Records(records, _) => Some(records),
        MemberContent::Alias(_) => None,
    };
    let name_servers = records(zone.name_servers).map(|records| (&[][..], records));
    let addresses = address_groups(zone).filter_map(move |(node, group)| Some((zone.labels(node), records(group)?)));
    name_servers.into_iter().chain(addresses)
}

fn server_nodes(zone: &Zone) -> &[NodeIndex] {
    match zone.content(zone.name_servers, MemberIndex(0)) {
        MemberContent::Records(_, additional_targets) => additional_targets,
        MemberContent::Alias(_) => &[],
    }
}

fn address_groups(zone: &Zone) -> impl Iterator<Item = (NodeIndex, GroupIndex)> {
    let of_type = |node, record_type| zone.group(node, record_type).map(|group| (node, group));
    let both = move |node| [RecordType::A, RecordType::Aaaa].into_iter().filter_map(move |kind| of_type(node, kind));
    server_nodes(zone).iter().copied().flat_map(both)
}

#[derive(Default)]
struct Writer {
    octets: Vec<u8>,
    pointers: Vec<u16>,
    /// Begin and length of labels.
    owners: Vec<[u16; 2]>,
}

impl Writer {
    /// Writes a record set and returns its number of records.
    fn part(&mut self, labels: &[u8], records: &Records<'_>) -> u16 {
        for data in records.iter() {
            self.octets.extend(labels);
            self.pointer();
            self.octets.extend([records.record_type.code(), CLASS_IN].map(u16::to_be_bytes).as_flattened());
            self.octets.extend(records.ttl.to_be_bytes());
            self.octets.extend(u16::try_from(data.bytes.len()).expect("record data fit RDLENGTH").to_be_bytes());
            let start = self.at();
            self.octets.extend(data.bytes);
            self.pointers.extend(data.pointers.into_iter().flatten().map(|offset| start + offset));
        }
        records.count
    }

    /// The same for addresses of a server.
    fn addresses(&mut self, labels: &[u8], records: &Records<'_>) -> u16 {
        self.owners.push([self.at(), u16::try_from(labels.len()).expect("a name is short")]);
        self.part(labels, records)
    }

    fn pointer(&mut self) {
        let at = self.at();
        self.pointers.push(at);
        self.octets.extend([0; 2]);
    }

    /// Larger blocks are not kept, so the numbers have no meaning there.
    fn at(&self) -> u16 {
        u16::try_from(self.octets.len()).unwrap_or_default()
    }
}
