//! The tables of CIDR collections. Each collection is flattened once for all groups that use it,
//! and reused while it does not change.
//!
//! A table stores locations by number, and a group maps these numbers to its members. Ten thousand
//! records that use a collection of a hundred thousand blocks therefore share one copy of the
//! blocks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::geo::PrefixTable;
use crate::model::{CidrCollection, CidrCollectionId, PrefixLength};

/// One table per collection. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CidrTables(Arc<HashMap<CidrCollectionId, CidrTable>>);

/// For each address, the blocks that contain it, the longest first.
pub(super) type Blocks = PrefixTable<Box<[Block]>>;

/// The prefix length of a block, and its location.
pub(super) type Block = (PrefixLength, LocationIndex);

/// The number of a location within its collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LocationIndex(u32);

/// A collection, flattened.
#[derive(Clone, Debug)]
pub(super) struct CidrTable {
    pub(super) blocks: Arc<Blocks>,
    locations: Arc<HashMap<Box<str>, LocationIndex>>,
}

impl CidrTables {
    /// The tables of these collections.
    pub fn build(collections: &[CidrCollection]) -> CidrTables {
        CidrTables::default().succeeded(&[], collections)
    }

    /// The tables of `collections`. Tables in `before` are reused for collections that did not
    /// change.
    #[must_use]
    pub fn succeeded(&self, before: &[CidrCollection], collections: &[CidrCollection]) -> CidrTables {
        let before: HashMap<_, _> = before.iter().map(|collection| (&collection.id, collection)).collect();
        let table = |collection: &CidrCollection| {
            let is_as_before = before.get(&collection.id).is_some_and(|old| old.locations == collection.locations);
            let kept = is_as_before.then(|| self.0.get(&collection.id).cloned()).flatten();
            (collection.id.clone(), kept.unwrap_or_else(|| CidrTable::build(collection)))
        };
        CidrTables(Arc::new(collections.iter().map(table).collect()))
    }

    pub(super) fn find(&self, id: &CidrCollectionId) -> Option<&CidrTable> {
        self.0.get(id)
    }
}

impl CidrTable {
    fn build(collection: &CidrCollection) -> CidrTable {
        let numbered = || (0..).map(LocationIndex).zip(&collection.locations);
        let blocks = numbered().flat_map(|(number, (_, blocks))| blocks.iter().map(move |&block| (block, number)));
        let locations = numbered().map(|(number, (name, _))| (name.as_str().into(), number)).collect();
        CidrTable { blocks: Arc::new(PrefixTable::build_chains(blocks)), locations: Arc::new(locations) }
    }

    pub(super) fn location(&self, name: &str) -> Option<LocationIndex> {
        self.locations.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection(name: &str, block: &str) -> CidrCollection {
        let locations = vec![("berlin".to_owned(), vec![block.parse().unwrap()])];
        CidrCollection {
            id: CidrCollectionId(name.to_owned()),
            name: name.to_owned(),
            caller_reference: None,
            version: 1,
            locations,
        }
    }

    #[test]
    fn a_collection_that_stays_as_it_is_keeps_its_table() {
        let before = [collection("offices", "10.0.0.0/8"), collection("homes", "192.0.2.0/24")];
        let offices = CidrCollection { version: 2, ..collection("offices", "10.0.0.0/8") };
        let after = [collection("homes", "198.51.100.0/24"), offices];
        let (old, new) = (CidrTables::build(&before), CidrTables::build(&before).succeeded(&before, &after));
        let kept = old.succeeded(&before, &after);
        let blocks = |tables: &CidrTables, name: &str| {
            Arc::clone(&tables.find(&CidrCollectionId(name.to_owned())).unwrap().blocks)
        };
        assert!(Arc::ptr_eq(&blocks(&old, "offices"), &blocks(&kept, "offices")));
        assert_eq!(blocks(&new, "homes"), blocks(&kept, "homes"));
        assert_ne!(blocks(&old, "homes"), blocks(&kept, "homes"));
    }
}
