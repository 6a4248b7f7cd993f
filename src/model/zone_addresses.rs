//! What alias resources with the addresses of names need of the zones that have these names.

use std::collections::HashSet;
use std::sync::Arc;

use super::{AliasResources, Content, HostedZone, Name, RecordType, ResourceRecordSet, ZoneAddresses};

impl AliasResources {
    /// The same with the records of the zones whose addresses resources have. Of these zones, the
    /// public one with the longest name has the records of a name. A private one has them only for
    /// its own aliases.
    pub fn with_zones(&self, zones: &[&HostedZone]) -> AliasResources {
        // In the order of the names: the order in which zones are read makes no difference.
        let mut holders: Vec<(&HostedZone, Vec<&Name>)> = Vec::new();
        for name in self.names() {
            let with_name = zones.iter().filter(|zone| !zone.is_private() && name.is_within(&zone.name));
            let Some(&holder) = with_name.max_by_key(|zone| zone.name.label_count()) else { continue };
            match holders.iter_mut().find(|(known, _)| known.name == holder.name) {
                Some((_, names)) => names.push(name),
                None => holders.push((holder, vec![name])),
            }
        }
        self.with_zone_addresses(holders.iter().map(|(zone, names)| addresses_of(zone, names)).collect())
    }
}

/// What resources with the addresses of these names need of a zone.
fn addresses_of(zone: &HostedZone, names: &[&Name]) -> ZoneAddresses {
    let is_address = |set: &&ResourceRecordSet| matches!(set.record_type, RecordType::A | RecordType::Aaaa);
    let sets: Vec<&ResourceRecordSet> = zone.answered_sets().filter(is_address).collect();
    let (mut known, mut record_sets) = (HashSet::new(), Vec::new());
    let mut rest: Vec<&Name> = names.iter().copied().filter(|name| known.insert(*name)).collect();
    while let Some(name) = rest.pop() {
        for set in sets.iter().filter(|set| set.name == *name) {
            record_sets.push(Arc::new((*set).clone()));
            if let Content::Alias(target) = &set.content
                && target.hosted_zone.is_none()
                && known.insert(&target.name)
            {
                rest.push(&target.name);
            }
        }
    }
    let record_groups = zone.record_groups.iter().filter(|group| known.contains(&group.name)).cloned().collect();
    ZoneAddresses { zone: zone.name.clone(), record_sets, record_groups }
}
