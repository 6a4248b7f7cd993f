//! A hash table from names to numbers, probed with the suffix hashes of a question.
//!
//! Open addressing with linear probing over (hash, number) pairs; the names themselves stand with their owners, who say
//! whether a number's name is the one that is looked for.

/// An empty place.
const FREE: u32 = u32::MAX;

/// Numbers by the hash of a name.
#[derive(Debug)]
pub(crate) struct SuffixTable {
    /// Hash and number; as many as a power of two, at most half of them taken.
    places: Box<[(u32, u32)]>,
}

impl SuffixTable {
    /// A table of these hashes, numbered from 0 in their order.
    pub(crate) fn build(hashes: &[u32]) -> SuffixTable {
        let size = (hashes.len() * 2).next_power_of_two().max(2);
        let mut table = SuffixTable { places: vec![(0, FREE); size].into_boxed_slice() };
        for (number, &hash) in (0..).zip(hashes) {
            table.insert(hash, number);
        }
        table
    }

    /// The number whose name has this hash and for which `is_it` holds.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let (stored, number) = self.places[at];
            if number == FREE {
                return None;
            }
            if stored == hash && is_it(number) {
                return Some(number);
            }
            at = (at + 1) & (self.places.len() - 1);
        }
    }

    fn insert(&mut self, hash: u32, number: u32) {
        let mut at = self.home(hash);
        while self.places[at].1 != FREE {
            at = (at + 1) & (self.places.len() - 1);
        }
        self.places[at] = (hash, number);
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_hashes_are_told_apart_by_their_owner() {
        let table = SuffixTable::build(&[7, 7, 9, 7]);
        assert_eq!(table.find(7, |number| number == 3), Some(3));
        assert_eq!(table.find(7, |_| false), None);
        assert_eq!(table.find(9, |_| true), Some(2));
        assert_eq!(table.find(8, |_| true), None);
        assert_eq!(SuffixTable::build(&[]).find(0, |_| true), None);
    }
}
