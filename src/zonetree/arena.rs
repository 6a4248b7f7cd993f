//! The memory layout of names and their plain record sets: one entry per name. All data that a
//! plain answer needs is contiguous, so a lookup touches one slot of the hash table and one entry.
//!
//! ```text
//! name    length of labels, flags, groups, 0 │ cut? │ wildcard? │ labels, or offset │ its groups
//! group   type, count  │ TTL │ length? │ data      plain: one simple set, only its records
//!         type, 0xffff │ number                   any other: in the zone's list of groups
//! ```
//!
//! Names and groups begin at multiples of four bytes, which is the unit of their numbers. All
//! fields are four-byte words, except the first four, which are single bytes. The length field is
//! absent if the type and the count determine it. A name that exists only as an ancestor of longer
//! names shares the labels of one of them.

use std::ops::Range;

use super::{GroupIndex, NodeIndex, Records, records};
use crate::model::{RecordType, Ttl};

/// The unit of the numbers of names and groups, in bytes.
const UNIT: usize = 4;
/// The count that marks a group as not plain: more than a set can hold.
const ELSEWHERE: u16 = u16::MAX;

const HAS_CUT: u8 = 1;
const HAS_WILDCARD: u8 = 2;
const BORROWS_LABELS: u8 = 4;

/// All entries of a zone.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Arena(Box<[u8]>);

/// A name to write.
pub(super) struct NewName<'a> {
    pub(super) labels: &'a [u8],
    /// The offset of the labels if they are already in the arena.
    pub(super) borrowed: Option<u32>,
    pub(super) has_cut: bool,
    pub(super) has_wildcard: bool,
    pub(super) groups: u8,
}

/// The offset of a written name, and of the fields in it that are filled in later.
pub(super) struct Written {
    pub(super) node: NodeIndex,
    pub(super) cut: Option<usize>,
    pub(super) wildcard: Option<usize>,
    /// The offset of its labels.
    pub(super) labels: u32,
}

impl Arena {
    /// The labels of a name, relative to the zone's name.
    pub(super) fn labels(&self, node: NodeIndex) -> &[u8] {
        let at = offset(node.0);
        let (length, flags) = (usize::from(self.0[at]), self.0[at + 1]);
        let mut start = after_header(at, flags);
        if flags & BORROWS_LABELS != 0 {
            start = self.word(start) as usize;
        }
        &self.0[start..start + length]
    }

    /// The header of an entry.
    pub(super) fn first_word(&self, node: NodeIndex) -> u32 {
        self.word(offset(node.0))
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The highest delegation point at or above a name.
    pub(super) fn cut(&self, node: NodeIndex) -> Option<NodeIndex> {
        let at = offset(node.0);
        (self.0[at + 1] & HAS_CUT != 0).then(|| NodeIndex(self.word(at + UNIT)))
    }

    /// The wildcard right below a name.
    pub(super) fn wildcard(&self, node: NodeIndex) -> Option<NodeIndex> {
        let at = offset(node.0);
        let flags = self.0[at + 1];
        (flags & HAS_WILDCARD != 0).then(|| NodeIndex(self.word(at + UNIT + usize::from(flags & HAS_CUT) * UNIT)))
    }

    /// The groups at a name.
    pub(super) fn groups(&self, node: NodeIndex) -> Groups<'_> {
        let at = offset(node.0);
        let (length, flags, left) = (usize::from(self.0[at]), self.0[at + 1], self.0[at + 2]);
        let labels = if flags & BORROWS_LABELS != 0 { UNIT } else { length };
        Groups { arena: self, at: aligned(after_header(at, flags) + labels), left }
    }

    /// The type of a plain group.
    pub(super) fn record_type(&self, group: GroupIndex) -> RecordType {
        record_type_of(head_of(self.word(offset(group.0))).0)
    }

    /// The records of a plain group.
    pub(super) fn records(&self, group: GroupIndex) -> Records<'_> {
        let at = offset(group.0);
        let ((code, count), ttl) = (head_of(self.word(at)), self.word(at + UNIT));
        let record_type = record_type_of(code);
        Records::new(record_type, ttl, count, &self.0[self.data_of(at, record_type, count)])
    }

    /// The offset of the data of the plain group at `at`.
    fn data_of(&self, at: usize, record_type: RecordType, count: u16) -> Range<usize> {
        let (start, length) = match records::fixed_octets(record_type) {
            Some(each) => (at + 2 * UNIT, each * usize::from(count)),
            None => (at + 3 * UNIT, self.word(at + 2 * UNIT) as usize),
        };
        start..start + length
    }

    fn word(&self, at: usize) -> u32 {
        let octets = self.0[at..].first_chunk::<4>().expect("fields are written whole");
        u32::from_le_bytes(*octets)
    }
}

/// The groups at a name, one after the other.
pub(super) struct Groups<'a> {
    arena: &'a Arena,
    at: usize,
    left: u8,
}

impl Groups<'_> {
    /// The group of this type.
    #[inline]
    pub(super) fn of_type(mut self, record_type: RecordType) -> Option<GroupIndex> {
        while self.left > 0 {
            let (code, count) = self.head();
            if code == record_type.code() {
                return Some(self.group(count));
            }
            self.step(code, count);
        }
        None
    }

    /// The code of the next group's type, and its count.
    fn head(&self) -> (u16, u16) {
        head_of(self.arena.word(self.at))
    }

    fn group(&self, count: u16) -> GroupIndex {
        match count {
            ELSEWHERE => GroupIndex::elsewhere(self.arena.word(self.at + UNIT)),
            _ => GroupIndex(number(self.at)),
        }
    }

    fn step(&mut self, code: u16, count: u16) {
        self.left -= 1;
        self.at = match count {
            ELSEWHERE => self.at + 2 * UNIT,
            _ => aligned(self.arena.data_of(self.at, record_type_of(code), count).end),
        };
    }
}

impl Iterator for Groups<'_> {
    /// The code of its type, and the group.
    type Item = (u16, GroupIndex);

    fn next(&mut self) -> Option<(u16, GroupIndex)> {
        if self.left == 0 {
            return None;
        }
        let (code, count) = self.head();
        let group = self.group(count);
        self.step(code, count);
        Some((code, group))
    }
}

/// An arena under construction.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// An arena with room for this number of bytes.
    pub(super) fn with_capacity(octets: usize) -> Writer {
        Writer(Vec::with_capacity(octets))
    }

    /// Begins the entry of a name. Its groups follow.
    pub(super) fn name(&mut self, name: &NewName<'_>) -> Written {
        self.align();
        let node = NodeIndex(number(self.0.len()));
        let length = u8::try_from(name.labels.len()).expect("a name is short");
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(name.has_cut, HAS_CUT)
            | flag(name.has_wildcard, HAS_WILDCARD)
            | flag(name.borrowed.is_some(), BORROWS_LABELS);
        self.0.extend([length, flags, name.groups, 0]);
        let cut = name.has_cut.then(|| self.word(0));
        let wildcard = name.has_wildcard.then(|| self.word(0));
        let labels = match name.borrowed {
            Some(labels) => {
                self.word(labels);
                labels
            }
            None => {
                let labels = count(self.0.len());
                self.0.extend(name.labels);
                labels
            }
        };
        self.align();
        Written { node, cut, wildcard, labels }
    }

    /// Writes a reference to a group in the list of groups.
    pub(super) fn elsewhere(&mut self, record_type: RecordType, number: u32) -> GroupIndex {
        self.halves(record_type.code(), ELSEWHERE);
        self.word(number);
        GroupIndex::elsewhere(number)
    }

    /// Writes a plain group. `append` writes its data.
    pub(super) fn plain(
        &mut self,
        record_type: RecordType,
        count_of_values: u16,
        ttl: Ttl,
        append: impl FnOnce(&mut Vec<u8>),
    ) -> GroupIndex {
        let at = self.0.len();
        self.halves(record_type.code(), count_of_values);
        self.word(ttl);
        let length = records::fixed_octets(record_type).is_none().then(|| self.word(0));
        let start = self.0.len();
        append(&mut self.0);
        if let Some(length) = length {
            let octets = count(self.0.len() - start);
            put(&mut self.0, length, octets);
        }
        self.align();
        GroupIndex(number(at))
    }

    /// Fills in a number that was not known when its field was written.
    pub(super) fn set(&mut self, at: usize, node: NodeIndex) {
        put(&mut self.0, at, node.0);
    }

    /// The finished arena.
    pub(super) fn finish(self) -> Arena {
        Arena(self.0.into_boxed_slice())
    }

    fn halves(&mut self, one: u16, other: u16) {
        self.0.extend(one.to_le_bytes());
        self.0.extend(other.to_le_bytes());
    }

    fn word(&mut self, word: u32) -> usize {
        let at = self.0.len();
        self.0.extend(word.to_le_bytes());
        at
    }

    fn align(&mut self) {
        self.0.resize(aligned(self.0.len()), 0);
    }
}

fn after_header(at: usize, flags: u8) -> usize {
    at + UNIT + (flags & (HAS_CUT | HAS_WILDCARD)).count_ones() as usize * UNIT
}

fn put(octets: &mut [u8], at: usize, word: u32) {
    octets[at..at + UNIT].copy_from_slice(&word.to_le_bytes());
}

fn aligned(at: usize) -> usize {
    at.next_multiple_of(UNIT)
}

/// The first word of a group: the code of its type, and its count.
fn head_of(word: u32) -> (u16, u16) {
    (word as u16, (word >> 16) as u16)
}

fn record_type_of(code: u16) -> RecordType {
    RecordType::from_code(code).expect("only types of ours are written")
}

fn offset(number: u32) -> usize {
    number as usize * UNIT
}

/// The largest zone file, 256 MiB with only names of 127 labels, takes less than 1 GiB of entries.
fn number(at: usize) -> u32 {
    u32::try_from(at / UNIT).ok().filter(|number| number & GroupIndex::ELSEWHERE == 0).expect("a zone is bounded")
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a zone is bounded")
}
