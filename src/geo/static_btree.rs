//! The ladder: which of many sorted keys is the last that is not above a given one.
//!
//! Keys stand in *nodes* of 64 octets, which is what a processor fetches at once. The lowest rung holds all keys; each one
//! above it holds the first key of every node below, until one node is left. A look for a key reads one node a rung. Of half a
//! million keys five rungs are needed, and all but the lowest two are small enough to stay near the processor. How the keys
//! are spread plays no part: addresses of IPv6 crowd into few of their leading bits, which an index by these would not help.

use crate::prefetch::fetch;

/// Sixteen addresses of IPv4, or the upper halves of eight of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Node<K, const N: usize>([K; N]);

impl<K: Copy + Ord, const N: usize> Node<K, N> {
    /// At least one key, at most `N`; the last is repeated where there are fewer.
    fn new(keys: &[K]) -> Node<K, N> {
        Node(std::array::from_fn(|slot| keys[slot.min(keys.len() - 1)]))
    }
}

/// The last of sorted keys that is not above this one; the first is not. All are compared, which takes a few instructions for all at
/// once and no branch: where a key lies cannot be guessed.
#[inline]
pub(super) fn last_not_above<K: Copy + Ord, const N: usize>(keys: &[K; N], key: K) -> usize {
    let not_above: u32 = keys.iter().map(|&each| u32::from(each <= key)).sum();
    not_above as usize - 1
}

/// Sorted keys, of which the first is not above any that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StaticBTree<K, const N: usize> {
    /// From the highest, which is one node. None at all for a single key.
    rungs: Box<[Box<[Node<K, N>]>]>,
    last: usize,
}

impl<K: Copy + Ord + Into<u64>, const N: usize> StaticBTree<K, N> {
    /// Over at least one key.
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

    /// The number of the last key that is not above this one.
    #[inline]
    pub(super) fn last_not_above(&self, key: K) -> usize {
        let mut node = 0;
        for rung in &self.rungs {
            // Behind the last key of a rung stand its repetitions, which lead beyond the end of the next.
            node = node.min(rung.len() - 1);
            node = node * N + last_not_above(&rung[node].0, key);
        }
        node.min(self.last)
    }

    /// The same for each of these keys, side by side: all of them step down a rung before any goes on, so that the processor
    /// waits for the nodes of all at once.
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

    pub(super) fn octets(&self) -> usize {
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
