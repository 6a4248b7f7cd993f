//! Record sets in the order of ListResourceRecordSets.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{HostedZone, HostedZoneId, Name, RecordType};
use crate::objects::Revision;

/// The zones whose order is cached. Clients read a zone page after page.
const CACHED: usize = 8;

/// The record sets of a zone in order, and the names of its traffic policy instances: keys, and
/// indexes into the one followed by the other.
#[derive(Debug)]
pub(super) struct Listing {
    keys: Vec<Box<[u8]>>,
    sets: Vec<u32>,
}

/// The listings that were used last.
#[derive(Debug, Default)]
pub(super) struct Listings {
    cached: Mutex<VecDeque<(HostedZoneId, Revision, Arc<Listing>)>>,
}

impl Listings {
    /// The listing of a zone in this state.
    pub(super) fn of(&self, revision: Revision, zone: &HostedZone) -> Arc<Listing> {
        let is_same = |(id, cached, _): &(HostedZoneId, Revision, _)| *id == zone.id && *cached == revision;
        if let Some((.., listing)) = self.lock().iter().find(|cached| is_same(cached)) {
            return Arc::clone(listing);
        }
        let listing = Arc::new(Listing::of(zone));
        let mut cached = self.lock();
        cached.retain(|(id, ..)| *id != zone.id);
        cached.truncate(CACHED - 1);
        cached.push_front((zone.id.clone(), revision, Arc::clone(&listing)));
        listing
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(HostedZoneId, Revision, Arc<Listing>)>> {
        // Nothing is half done when a thread panics.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listing {
    fn of(zone: &HostedZone) -> Listing {
        let sets = zone.record_sets.iter().map(|set| (&set.name, set.record_type, set.set_identifier.as_deref()));
        let roots = zone.attachments.policy_instances.iter().map(|one| (&one.name, one.record_type, None));
        let keyed = sets.chain(roots).zip(0..).map(|((name, record_type, identifier), at)| {
            (start_of(name, Some(record_type), identifier).into_boxed_slice(), at)
        });
        let mut keyed: Vec<(Box<[u8]>, u32)> = keyed.collect();
        keyed.sort_unstable();
        let (keys, sets) = keyed.into_iter().unzip();
        Listing { keys, sets }
    }

    /// The position of the first record set at or after `start`.
    pub(super) fn position(&self, start: &[u8]) -> usize {
        self.keys.partition_point(|key| **key < *start)
    }

    /// At most `most` record sets from position `first` on.
    pub(super) fn page(&self, first: usize, most: usize) -> &[u32] {
        let rest = &self.sets[first.min(self.sets.len())..];
        &rest[..most.min(rest.len())]
    }
}

/// A key for the order of ListResourceRecordSets: by the name with reversed labels and a dot at the
/// end, as in `com.example.www.`, by type, by set identifier. Names are compared with escapes, as
/// they are written.
pub(super) fn start_of(name: &Name, record_type: Option<RecordType>, identifier: Option<&str>) -> Vec<u8> {
    let mut key = reversed(name);
    // No name and no type contains the octet zero.
    if let Some(record_type) = record_type {
        let _ = write!(key, "\0{record_type}");
    }
    if let Some(identifier) = identifier {
        let _ = write!(key, "\0{identifier}");
    }
    key
}

/// The name with its labels reversed: `com.example.www.` for `www.example.com.`.
pub(super) fn reversed(name: &Name) -> Vec<u8> {
    let text = name.to_string();
    let mut key = Vec::with_capacity(text.len() + 8);
    // A dot in a label is an escape.
    for label in text.split_terminator('.').rev() {
        key.extend_from_slice(label.as_bytes());
        key.push(b'.');
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut names: Vec<Name> = names.iter().map(|name| Name::parse(name).unwrap()).collect();
        names.sort_by_key(reversed);
        names.iter().map(Name::to_string).collect()
    }

    #[test]
    fn names_are_ordered_by_reversed_labels_with_a_dot_at_the_end() {
        let names =
            ["b.example.com", "*.example.com", "b-1.example.com", "example.com", "a.b.example.com", "example-a.com"];
        let expected = [
            "example-a.com.", // because `-` is before `.`
            "example.com.",
            r"\052.example.com.",
            "b-1.example.com.",
            "b.example.com.",
            "a.b.example.com.",
        ];
        assert_eq!(sorted(&names), expected);
    }

    #[test]
    fn types_and_identifiers_only_separate_equal_names() {
        let name = |text| Name::parse(text).unwrap();
        let keys = [
            start_of(&name("a.test"), None, None),
            start_of(&name("a.test"), Some(RecordType::A), None),
            start_of(&name("a.test"), Some(RecordType::A), Some("b")),
            start_of(&name("a.test"), Some(RecordType::Aaaa), Some("a")),
            start_of(&name("a.test"), Some(RecordType::Txt), None),
            start_of(&name("a.a.test"), Some(RecordType::A), None),
        ];
        assert!(keys.is_sorted(), "{keys:?}");
    }
}
