//! The name a client asks for, read once from the packet: lower case, with the place and the hash of every suffix.

use super::SuffixTable;
use crate::model::{MAX_LABEL_OCTETS, MAX_NAME_OCTETS, Name};

/// A name of 255 octets has at most 127 labels.
const MAX_LABELS: usize = 127;

/// The name in a question. Workers keep one and read each packet into it, so that nothing is allocated or cleared.
pub struct QueryName {
    wire: [u8; MAX_NAME_OCTETS],
    length: usize,
    label_count: usize,
    /// Where each label's length octet stands; the entry after the last label is the root's.
    starts: [u8; MAX_LABELS + 1],
    /// The hash of the suffix that begins at each label; the entry after the last label is the root's.
    hashes: [u32; MAX_LABELS + 1],
}

/// The bytes are no domain name: a compression pointer, a label of more than 63 octets, a name of more than 255, or an
/// end before the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedName;

impl Default for QueryName {
    fn default() -> QueryName {
        QueryName {
            wire: [0; MAX_NAME_OCTETS],
            length: 1,
            label_count: 0,
            starts: [0; MAX_LABELS + 1],
            hashes: [0; MAX_LABELS + 1],
        }
    }
}

impl QueryName {
    /// Reads the uncompressed name at `at` in `message` and returns where it ends. A question comes first in a message,
    /// so that there is nothing a compression pointer in it could rightly point to.
    pub fn read(&mut self, message: &[u8], at: usize) -> Result<usize, MalformedName> {
        self.label_count = 0;
        self.length = 0;
        loop {
            let octet = *message.get(at + self.length).ok_or(MalformedName)?;
            let next = self.length + 1 + usize::from(octet);
            if usize::from(octet) > MAX_LABEL_OCTETS || next > MAX_NAME_OCTETS {
                return Err(MalformedName);
            }
            self.starts[self.label_count] = u8::try_from(self.length).map_err(|_| MalformedName)?;
            let label = message.get(at + self.length..at + next).ok_or(MalformedName)?;
            self.wire[self.length..next].copy_from_slice(label);
            self.length = next;
            if octet == 0 {
                break;
            }
            self.label_count += 1;
        }
        // Length octets are below 64 and capitals are not: the whole name may be lowered at once.
        self.wire[..self.length].make_ascii_lowercase();
        self.hash_suffixes();
        Ok(at + self.length)
    }

    /// Reads a name that is known to be well formed.
    pub fn set(&mut self, name: &Name) {
        self.read(name.wire(), 0).expect("a Name is well formed");
    }

    /// The whole name in lower case, root included.
    pub fn wire(&self) -> &[u8] {
        &self.wire[..self.length]
    }

    /// How many labels it has; the root has none.
    pub fn label_count(&self) -> usize {
        self.label_count
    }

    /// The suffix that remains when the leftmost `skip` labels are taken away, root included.
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

    fn hash_suffixes(&mut self) {
        let mut hash = HASH_SEED;
        self.hashes[self.label_count] = fold(hash);
        for index in (0..self.label_count).rev() {
            let label = usize::from(self.starts[index])..usize::from(self.starts[index + 1]);
            hash = hash_label(hash, &self.wire[label]);
            self.hashes[index] = fold(hash);
        }
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

/// Mixes one label (with its length octet) into the hash of what stands to the right of it. Only the user's own names are
/// ever stored under these hashes, so nobody can choose colliding ones.
fn hash_label(hash: u64, label: &[u8]) -> u64 {
    let mut hash = hash;
    for chunk in label.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let product = u128::from(hash ^ u64::from_le_bytes(word)) * u128::from(HASH_SEED);
        #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are folded into one word")]
        {
            hash = product as u64 ^ (product >> 64) as u64;
        }
    }
    hash
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
        fn any_bytes_are_a_name_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..310) {
            let mut name = QueryName::default();
            if let Ok(end) = name.read(&bytes, at) {
                let again = Name::from_wire(&bytes[at..end]).unwrap();
                prop_assert_eq!(again.wire(), name.wire());
            }
        }
    }
}
