//! The name in a query, read once from the packet: in lower case, with the offset and the hash of
//! every suffix.

use super::SuffixTable;
use crate::model::{MAX_LABEL_OCTETS, MAX_NAME_OCTETS, Name};

/// A name of 255 octets has at most 127 labels.
const MAX_LABELS: usize = 127;
/// The number of bytes copied and hashed at once.
const WORD_OCTETS: usize = 8;
const WIRE_OCTETS: usize = (MAX_NAME_OCTETS + WORD_OCTETS).next_multiple_of(WORD_OCTETS);

/// The name in a question. A worker keeps one and reads each packet into it, so nothing is
/// allocated or cleared.
pub struct QueryName {
    /// The name, with padding so that eight bytes can be read at any offset.
    wire: [u8; WIRE_OCTETS],
    length: usize,
    label_count: usize,
    /// The offset of each label's length octet; the entry after the last label is the root's.
    starts: [u8; MAX_LABELS + 1],
    /// The hash of the suffix that begins at each label; the entry after the last label is the
    /// root's.
    hashes: [u32; MAX_LABELS + 1],
}

/// The bytes are not a domain name: a compression pointer, a label longer than 63 octets, a name
/// longer than 255, or an end before the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedName;

impl Default for QueryName {
    fn default() -> QueryName {
        QueryName {
            wire: [0; WIRE_OCTETS],
            length: 1,
            label_count: 0,
            starts: [0; MAX_LABELS + 1],
            hashes: [0; MAX_LABELS + 1],
        }
    }
}

impl QueryName {
    /// Reads the uncompressed name at `at` in `message` and returns the offset of its end. The
    /// question comes first in a message, so a compression pointer in it cannot have a valid
    /// target.
    pub fn read(&mut self, message: &[u8], at: usize) -> Result<usize, MalformedName> {
        (self.label_count, self.length) = (0, 0);
        let (mut length, mut labels) = (0, 0);
        loop {
            let octet = *message.get(at + length).ok_or(MalformedName)?;
            let next = length + 1 + usize::from(octet);
            if usize::from(octet) > MAX_LABEL_OCTETS || next > MAX_NAME_OCTETS {
                return Err(MalformedName);
            }
            self.starts[labels] = u8::try_from(length).map_err(|_| MalformedName)?;
            length = next;
            if octet == 0 {
                break;
            }
            labels += 1;
        }
        (self.label_count, self.length) = (labels, length);
        self.copy_in_lower_case(message, at);
        self.hash_suffixes();
        Ok(at + length)
    }

    /// Copies the name at `at`, eight bytes at a time, including the bytes after it up to a
    /// multiple of eight.
    fn copy_in_lower_case(&mut self, message: &[u8], at: usize) {
        let words = self.length.div_ceil(WORD_OCTETS);
        let (places, _) = self.wire.as_chunks_mut::<WORD_OCTETS>();
        let places = &mut places[..words];
        match message.get(at..at + words * WORD_OCTETS) {
            Some(octets) => places.copy_from_slice(octets.as_chunks().0),
            None => places.as_flattened_mut()[..self.length].copy_from_slice(&message[at..at + self.length]),
        }
        for place in places {
            *place = lower_case(u64::from_le_bytes(*place)).to_le_bytes();
        }
    }

    /// Reads a name that is known to be well formed.
    pub fn set(&mut self, name: &Name) {
        self.read(name.wire(), 0).expect("a Name is well formed");
    }

    /// The whole name in lower case, root included.
    pub fn wire(&self) -> &[u8] {
        &self.wire[..self.length]
    }

    /// The number of labels without the root.
    pub fn label_count(&self) -> usize {
        self.label_count
    }

    /// The suffix without the leftmost `skip` labels, root included.
    pub fn suffix(&self, skip: usize) -> &[u8] {
        &self.wire[usize::from(self.starts[skip])..self.length]
    }

    /// The hash of the whole name.
    pub(super) fn whole_hash(&self) -> u32 {
        self.hashes[0]
    }

    /// The hash of that suffix.
    fn suffix_hash(&self, skip: usize) -> u32 {
        self.hashes[skip]
    }

    /// The number in `table` of the suffix without the leftmost `skip` labels.
    pub(crate) fn find_suffix(&self, table: &SuffixTable, skip: usize, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        table.find(self.suffix_hash(skip), is_it)
    }

    /// The table entry at which `find_suffix` will start.
    pub(crate) fn prefetch_word(&self, table: &SuffixTable, skip: usize) -> u64 {
        table.home_slot(self.suffix_hash(skip))
    }

    fn hash_suffixes(&mut self) {
        let mut hash = HASH_SEED;
        self.hashes[self.label_count] = fold(hash);
        for index in (0..self.label_count).rev() {
            hash = self.hash_label(hash, usize::from(self.starts[index]), usize::from(self.starts[index + 1]));
            self.hashes[index] = fold(hash);
        }
    }

    /// Mixes the label (with its length octet) at `start..end` into the hash of the labels to the
    /// right of it. Only the user's own names are stored under these hashes, so clients cannot
    /// cause collisions.
    fn hash_label(&self, hash: u64, start: usize, end: usize) -> u64 {
        let word = |at: usize| self.wire[at..].first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets));
        let (mut hash, mut at) = (hash, start);
        while end - at > WORD_OCTETS {
            hash = mix(hash, word(at));
            at += WORD_OCTETS;
        }
        let unused_bits = 64 - 8 * (end - at);
        mix(hash, word(at) & (u64::MAX >> unused_bits))
    }
}

/// An arbitrary odd number with half its bits set (the fraction of the golden ratio).
const HASH_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a whole name, as `QueryName` makes it for a suffix.
pub(super) fn hash_name(name: &Name) -> u32 {
    let mut query = QueryName::default();
    query.set(name);
    query.whole_hash()
}

fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * u128::from(HASH_SEED);
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are folded into one word")]
    {
        product as u64 ^ (product >> 64) as u64
    }
}

/// Converts eight octets to lower case. Length octets are below 64 and capitals are not, so a whole
/// name can be converted at once.
fn lower_case(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let low_bits = word & (0x7f * ONES);
    // In each octet the top bit says: at least `A`, beyond `Z`, ASCII.
    let from_a = low_bits + (0x80 - u64::from(b'A')) * ONES;
    let beyond_z = low_bits + (0x7f - u64::from(b'Z')) * ONES;
    let capitals = from_a & !beyond_z & !word & (0x80 * ONES);
    word | capitals >> 2
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what remains")]
fn fold(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_suffix_is_known_by_place_and_hash() {
        let mut name = QueryName::default();
        assert_eq!(name.read(b"\x03WwW\x03laB\x04test\0after", 0), Ok(14));
        assert_eq!(name.label_count(), 3);
        assert_eq!(name.wire(), b"\x03www\x03lab\x04test\0");
        assert_eq!(name.suffix(1), b"\x03lab\x04test\0");
        assert_eq!(name.suffix(3), b"\0");
        assert_eq!(name.suffix_hash(1), hash_name(&Name::parse("lab.test").unwrap()));
        assert_eq!(name.suffix_hash(3), hash_name(&Name::root()));
        assert_ne!(name.suffix_hash(0), name.suffix_hash(1));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let mut name = QueryName::default();
        let too_long = [[63; 64].as_slice(), &[63; 64], &[63; 64], &[63; 64], &[0]].concat();
        for bad in [b"".as_slice(), b"\x03ww", b"\xc0\x0c", b"\x40", &too_long] {
            assert_eq!(name.read(bad, 0), Err(MalformedName));
        }
        let most_labels = [[1, b'a'].repeat(127), vec![0]].concat();
        assert_eq!(name.read(&most_labels, 0), Ok(255));
        assert_eq!(name.label_count(), 127);
    }

    proptest! {
        #[test]
        fn capitals_and_nothing_else_are_lowered(word in any::<[u8; 8]>()) {
            let lowered = lower_case(u64::from_le_bytes(word)).to_le_bytes();
            prop_assert_eq!(lowered, word.map(|octet| octet.to_ascii_lowercase()));
        }

        #[test]
        fn a_hash_is_the_name_s_whatever_surrounds_it(
            labels in prop::collection::vec("[a-zA-Z]{1,20}", 1..6), behind in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let name = Name::parse(&labels.join(".")).unwrap();
            let (mut alone, mut within) = (QueryName::default(), QueryName::default());
            alone.read(name.wire(), 0).unwrap();
            let message = [&[7; 12], name.wire(), &behind].concat();
            prop_assert_eq!(within.read(&message, 12), Ok(12 + name.wire().len()));
            prop_assert_eq!(within.wire(), alone.wire());
            prop_assert_eq!(&within.hashes[..=labels.len()], &alone.hashes[..=labels.len()]);
        }

        #[test]
        fn any_bytes_are_a_name_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..310) {
            let mut name = QueryName::default();
            if let Ok(end) = name.read(&bytes, at) {
                let again = Name::from_wire(&bytes[at..end]).unwrap();
                prop_assert_eq!(again.wire(), name.wire());
            }
        }
    }
}
