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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AliasResource, AliasTarget, HostedZoneId, NamePattern, VpcId};
    use crate::zonetree::fixture::{lab, set};

    /// A zone with A records of these names.
    fn zone(name: &str, owners: &[&str]) -> HostedZone {
        let set = |owner: &&str| ResourceRecordSet { name: Name::parse(owner).unwrap(), ..set("www 60 A 192.0.2.1") };
        let record_sets = owners.iter().map(set).map(Arc::new).collect();
        HostedZone { id: HostedZoneId(name.to_owned()), name: Name::parse(name).unwrap(), record_sets, ..lab([]) }
    }

    /// A resource with the addresses of a name.
    fn resource(name: &str) -> AliasResource {
        let alias = set("www ALIAS A target");
        let Content::Alias(target) = alias.content else { panic!("an alias") };
        let content = Content::Alias(AliasTarget { name: Name::parse(name).unwrap(), ..target });
        AliasResource {
            name: name.to_owned(),
            hosted_zone_id: None,
            service: None,
            target: NamePattern::parse(name).unwrap(),
            record_sets: vec![ResourceRecordSet { content, ..set("www 60 A 192.0.2.1") }],
            health_check: None,
        }
    }

    #[test]
    fn the_order_of_the_zones_makes_no_difference() {
        let parent = zone("other.test", &["www.other.test", "www.child.other.test"]);
        let child = zone("child.other.test", &["www.child.other.test", "api.child.other.test"]);
        let private = HostedZone { vpcs: vec![VpcId("vpc-1".to_owned())], ..zone("api.child.other.test", &[]) };
        let unrelated = zone("else.test", &["www.else.test"]);
        let names = ["www.child.other.test", "www.other.test", "api.child.other.test"];
        let resources = AliasResources::new(names.map(resource).into());
        let found = resources.with_zones(&[&parent, &child, &private, &unrelated]);
        for zones in [
            [&child, &parent, &unrelated, &private],
            [&private, &unrelated, &child, &parent],
            [&unrelated, &private, &parent, &child],
        ] {
            assert_eq!(resources.with_zones(&zones), found);
        }
        let holder = |name: &str| found.zone_of(&Name::parse(name).unwrap()).map(|zone| zone.record_sets.len());
        assert_eq!([holder("www.child.other.test"), holder("www.other.test")], [Some(2), Some(1)]);
    }
}
