//! Leaves: the records of one set in wire format, ready to be copied into an answer.
//!
//! A leaf holds the data of its records without their owner. The owner is the name in the query
//! (wildcards, aliases). Names in the data that end in the zone's name end in a compression pointer
//! instead. Its value depends on the offset of the zone's name in the question; `Data::pointers`
//! lists the positions.

use crate::model::{Name, RecordData, RecordType, Ttl};

/// No pointer to write.
const NONE: u16 = u16::MAX;

/// The records of one set, ready to be written.
#[derive(Clone, Copy, Debug)]
pub struct Records<'z> {
    /// Their type.
    pub record_type: RecordType,
    /// Their TTL in seconds.
    pub ttl: Ttl,
    /// The number of records, at most 400.
    pub count: u16,
    bytes: &'z [u8],
}

/// The data of one record, and the positions of pointers to the zone's name in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'z> {
    /// The bytes after RDLENGTH.
    pub bytes: &'z [u8],
    /// Offsets in `bytes` of two octets each that must become a compression pointer to the zone's
    /// name.
    pub pointers: [Option<u16>; 2],
}

impl Data<'_> {
    /// The data with the zone's name where they have a compression pointer to it.
    pub fn whole(&self, zone: &Name) -> Vec<u8> {
        let (mut wire, mut at) = (Vec::with_capacity(self.bytes.len() + zone.wire().len()), 0);
        for pointer in self.pointers.into_iter().flatten().map(usize::from) {
            wire.extend(&self.bytes[at..pointer]);
            wire.extend(zone.wire());
            at = pointer + 2;
        }
        wire.extend(&self.bytes[at..]);
        wire
    }
}

impl<'z> Records<'z> {
    pub(super) fn new(record_type: RecordType, ttl: Ttl, count: u16, bytes: &'z [u8]) -> Records<'z> {
        Records { record_type, ttl, count, bytes }
    }

    /// The same records with another TTL.
    pub fn with_ttl(self, ttl: Ttl) -> Records<'z> {
        Records { ttl, ..self }
    }

    /// The target of a CNAME inside the zone, as labels relative to the zone's name.
    pub fn target_labels(&self) -> Option<&'z [u8]> {
        let data = self.iter().next()?;
        // The zone's name is replaced by room for a pointer.
        data.bytes.get(..data.bytes.len().checked_sub(2)?)
    }

    /// Whether the set has SVCB or HTTPS records in AliasMode, with priority 0 (RFC 9460 section
    /// 2.4.2).
    pub fn are_service_aliases(&self) -> bool {
        let is_alias = |data: Data<'_>| data.bytes.starts_with(&[0, 0]);
        matches!(self.record_type, RecordType::Svcb | RecordType::Https) && self.iter().next().is_some_and(is_alias)
    }

    /// Whether both hold the same data in the same order.
    pub fn has_data_of(&self, other: &Records<'_>) -> bool {
        self.bytes == other.bytes
    }

    /// The data of all records, concatenated. Each has `N` octets, which the type determines: 4 for
    /// A and 16 for AAAA.
    pub fn all_of<const N: usize>(&self) -> &'z [[u8; N]] {
        debug_assert_eq!(fixed_octets(self.record_type), Some(N));
        self.bytes.as_chunks().0
    }

    /// The data of each record, in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = Data<'z>> + use<'z> {
        let (record_type, mut rest) = (self.record_type, self.bytes);
        (0..self.count).map(move |_| {
            let (data, after) = split_data(record_type, rest);
            rest = after;
            data
        })
    }
}

/// Appends the leaf form of `values` to `leaf`.
pub(super) fn append(leaf: &mut Vec<u8>, values: &[RecordData], zone: &[u8]) {
    for value in values {
        match Shape::of(value.record_type()) {
            Shape::Fixed(_) => leaf.extend(value.wire()),
            Shape::Counted => {
                leaf.extend(octets(value.wire()).to_be_bytes());
                leaf.extend(value.wire());
            }
            Shape::Compressed(names) => {
                let (bytes, pointers) = compress(value.wire(), names, zone);
                leaf.extend(octets(&bytes).to_be_bytes());
                pointers.iter().for_each(|pointer| leaf.extend(pointer.to_be_bytes()));
                leaf.extend(bytes);
            }
        }
    }
}

/// The data length of this type in octets, if it is fixed.
pub(super) fn fixed_octets(record_type: RecordType) -> Option<usize> {
    match Shape::of(record_type) {
        Shape::Fixed(octets) => Some(octets),
        _ => None,
    }
}

fn octets(data: &[u8]) -> u16 {
    u16::try_from(data.len()).expect("record data fit RDLENGTH")
}

/// The layout of a type's data in a leaf.
#[derive(Clone, Copy)]
enum Shape {
    /// Fixed length: only the data.
    Fixed(usize),
    /// A length, then the data.
    Counted,
    /// A length, two pointer offsets, then the data, with names starting at this offset.
    Compressed(Names),
}

/// The position of the names in the data of a compressible type.
#[derive(Clone, Copy)]
struct Names {
    /// Octets before the first name.
    skip: usize,
    /// The number of consecutive names.
    count: usize,
}

impl Shape {
    /// Only the types of RFC 1035 can have compressed names in their data (RFC 3597 section 4).
    fn of(record_type: RecordType) -> Shape {
        match record_type {
            RecordType::A => Shape::Fixed(4),
            RecordType::Aaaa => Shape::Fixed(16),
            RecordType::Ns | RecordType::Cname | RecordType::Ptr => Shape::Compressed(Names { skip: 0, count: 1 }),
            RecordType::Mx => Shape::Compressed(Names { skip: 2, count: 1 }),
            RecordType::Soa => Shape::Compressed(Names { skip: 0, count: 2 }),
            _ => Shape::Counted,
        }
    }
}

fn split_data(record_type: RecordType, bytes: &[u8]) -> (Data<'_>, &[u8]) {
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    match Shape::of(record_type) {
        Shape::Fixed(length) => (Data { bytes: &bytes[..length], pointers: [None; 2] }, &bytes[length..]),
        Shape::Counted => {
            let end = 2 + usize::from(word(0));
            (Data { bytes: &bytes[2..end], pointers: [None; 2] }, &bytes[end..])
        }
        Shape::Compressed(_) => {
            let end = 6 + usize::from(word(0));
            let pointers = [word(2), word(4)].map(|at| (at != NONE).then_some(at));
            (Data { bytes: &bytes[6..end], pointers }, &bytes[end..])
        }
    }
}

/// Replaces the zone's name at the end of each name in the data by room for a pointer.
fn compress(wire: &[u8], names: Names, zone: &[u8]) -> (Vec<u8>, [u16; 2]) {
    let mut bytes = wire[..names.skip].to_vec();
    let mut pointers = [NONE; 2];
    let mut at = names.skip;
    for pointer in pointers.iter_mut().take(names.count) {
        let end = at + name_length(&wire[at..]);
        let name = &wire[at..end];
        match relative_length(name, zone) {
            Some(length) => {
                bytes.extend(&name[..length]);
                *pointer = u16::try_from(bytes.len()).expect("a name is short");
                bytes.extend([0, 0]);
            }
            None => bytes.extend(name),
        }
        at = end;
    }
    bytes.extend(&wire[at..]);
    (bytes, pointers)
}

/// The length of the name at the start of `wire`, root included.
fn name_length(wire: &[u8]) -> usize {
    let mut at = 0;
    while wire[at] != 0 {
        at += 1 + usize::from(wire[at]);
    }
    at + 1
}

/// The length in octets of the part of `name` before `zone`, in any case; `None` if the name is not
/// in the zone.
fn relative_length(name: &[u8], zone: &[u8]) -> Option<usize> {
    let keep = name.len().checked_sub(zone.len())?;
    let mut at = 0;
    while at < keep {
        at += 1 + usize::from(name[at]);
    }
    (at == keep && name[keep..].eq_ignore_ascii_case(zone)).then_some(keep)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    #[test]
    fn fixed_data_take_no_more_than_their_octets() {
        let values = ["192.0.2.1", "192.0.2.2"].map(|text| RecordData::parse(RecordType::A, text).unwrap());
        let mut arena = Vec::new();
        append(&mut arena, &values, Name::parse("lab.test").unwrap().wire());
        assert_eq!(arena.len(), 8);
        let records = Records::new(RecordType::A, 60, 2, &arena);
        let data: Vec<_> = records.iter().map(|data| data.bytes.to_vec()).collect();
        assert_eq!(data, [[192, 0, 2, 1], [192, 0, 2, 2]]);
    }

    #[test]
    fn names_in_the_zone_end_in_a_pointer_and_others_do_not() {
        let zone = b"\x03lab\x04test\0";
        let (bytes, pointers) = compress(b"\x00\x0a\x04mail\x03LAB\x04test\0", Names { skip: 2, count: 1 }, zone);
        assert_eq!((bytes.as_slice(), pointers), (b"\x00\x0a\x04mail\0\0".as_slice(), [7, NONE]));
        let (bytes, pointers) = compress(b"\x03mx1\x07example\0", Names { skip: 0, count: 1 }, zone);
        assert_eq!((bytes.as_slice(), pointers), (b"\x03mx1\x07example\0".as_slice(), [NONE, NONE]));
        // The zone's own name, and a label that merely ends in its bytes.
        assert_eq!(relative_length(zone, zone), Some(0));
        assert_eq!(relative_length(b"\x06xx\x03lab\x04test\0", zone), None);
    }
}
