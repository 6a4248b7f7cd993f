//! A static B-tree: finds the last of many sorted keys that is not above a given key.
//!
//! Keys are stored in *nodes* of 64 bytes, one cache line. The lowest level holds all keys. Each
//! higher level holds the first key of every node below it, up to a level with a single node. A
//! lookup reads one node per level. Half a million keys need five levels, and all but the lowest
//! two are small enough to stay in the caches. The distribution of the keys does not matter. An
//! index by leading bits would not help IPv6, because its addresses share most of them.

use crate::prefetch::fetch;

/// Sixteen IPv4 addresses, or the upper halves of eight IPv6 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Node<K, const N: usize>([K; N]);

impl<K: Copy + Ord, const N: usize> Node<K, N> {
    /// At least one key, at most `N`. A partly filled node repeats its last key.
    fn new(keys: &[K]) -> Node<K, N> {
        Node(std::array::from_fn(|slot| keys[slot.min(keys.len() - 1)]))
    }
}

/// The index of the last sorted key that is not above this one; the first is not. It compares with
/// all keys in a few SIMD instructions and without a branch, since the position of a key cannot be
/// predicted.
#[inline]
pub(super) fn last_not_above<K: Copy + Ord, const N: usize>(keys: &[K; N], key: K) -> usize {
    let not_above: u32 = keys.iter().map(|&each| u32::from(each <= key)).sum();
    not_above as usize - 1
}

/// Sorted keys. The first must not be above any key that is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StaticBTree<K, const N: usize> {
    /// The levels from the highest, which is one node. Empty for a single key.
    rungs: Box<[Box<[Node<K, N>]>]>,
    last: usize,
}

impl<K: Copy + Ord + Into<u64>, const N: usize> StaticBTree<K, N> {
    /// Builds a tree of at least one key.
    pub(super) fn new(mut keys: Vec<K>) -> StaticBTree<K, N> {
        let last = keys.len() - 1;
        let mut rungs = Vec::new();
        while keys.len() > 1 {
            rungs.push(keys.chunks(N).map(Node::new).collect());
            keys = keys.into_iter().step_by(N).collect();
        }
        rungs.reverse();
        StaticBTree { rungs: rungs.into(), last }
    }

    /// The index of the last key that is not above this one.
    #[inline]
    pub(super) fn last_not_above(&self, key: K) -> usize {
        let mut node = 0;
        for rung in &self.rungs {
            // The repetitions after the last key of a level lead beyond the end of the next level.
            node = node.min(rung.len() - 1);
            node = node * N + last_not_above(&rung[node].0, key);
        }
        node.min(self.last)
    }

    /// The same for several keys together. All of them descend one level before the next, so that
    /// the memory accesses overlap.
    pub(super) fn last_not_above_each(&self, keys: &[K], found: &mut [usize]) {
        found.fill(0);
        for rung in &self.rungs {
            fetch(found.iter().map(|&node| rung[node.min(rung.len() - 1)].0[0].into()));
            for (node, &key) in found.iter_mut().zip(keys) {
                let at = (*node).min(rung.len() - 1);
                *node = at * N + last_not_above(&rung[at].0, key);
            }
        }
        found.iter_mut().for_each(|found| *found = (*found).min(self.last));
    }

    pub(super) fn bytes(&self) -> usize {
        self.rungs.iter().map(|rung| size_of_val(&**rung)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_key_that_is_not_above_is_found(
            keys in prop::collection::btree_set(1u32..600, 0..400), wanted in prop::collection::vec(0u32..610, 20),
        ) {
            let keys: Vec<u32> = std::iter::once(0).chain(keys).collect();
            let (wide, narrow) = (StaticBTree::<u32, 16>::new(keys.clone()), StaticBTree::<u32, 4>::new(keys.clone()));
            for key in wanted.iter().copied().chain([0, u32::MAX]) {
                let expected = keys.partition_point(|&each| each <= key) - 1;
                prop_assert_eq!(wide.last_not_above(key), expected);
                prop_assert_eq!(narrow.last_not_above(key), expected);
            }
            let mut found = [7; 20];
            narrow.last_not_above_each(&wanted, &mut found);
            prop_assert_eq!(found.to_vec(), wanted.iter().map(|&key| narrow.last_not_above(key)).collect::<Vec<_>>());
        }
    }
}
