//! A zone that is being imported: record sets with the places where they are written. What Route 53
//! refuses is left out and reported.

use std::collections::HashSet;
use std::sync::Arc;

use super::report::{MigrationReport, Place};
use crate::config::{DnsSettings, SOA_TIMINGS, SOA_TTL, default_record_sets};
use crate::model::{
    CidrCollection, Content, Field, HostedZone, HostedZoneId, Name, RecordData, RecordSetKey, RecordType,
    ResourceRecordSet, RoutingPolicy, Severity, violations,
};

/// A zone, and its record sets.
#[derive(Debug)]
pub(super) struct ZoneDraft {
    /// Without record sets.
    pub(super) zone: HostedZone,
    /// Its id where it comes from.
    pub(super) source_id: HostedZoneId,
    pub(super) place: Place,
    pub(super) sets: Vec<(ResourceRecordSet, Place)>,
}

impl ZoneDraft {
    /// A public zone without record sets.
    pub(super) fn new(name: Name, place: Place) -> ZoneDraft {
        let source_id = crate::config::derived_zone_id(&name, &[]);
        let zone = HostedZone::new(source_id.clone(), name);
        ZoneDraft { zone, source_id, place, sets: Vec::new() }
    }

    /// The zone with the record sets that Route 53 accepts, and with default ones as `dns` gives
    /// them.
    pub(super) fn finish(
        self,
        collections: &[CidrCollection],
        dns: &DnsSettings,
        report: &mut MigrationReport,
    ) -> HostedZone {
        let mut zone = self.finish_own(collections, dns, report);
        let defaults = default_record_sets(&zone, dns);
        zone.record_sets.extend(defaults.into_iter().map(Arc::new));
        zone
    }

    /// The zone with the record sets that Route 53 accepts next to the default ones, but without
    /// these.
    pub(super) fn finish_own(
        mut self,
        collections: &[CidrCollection],
        dns: &DnsSettings,
        report: &mut MigrationReport,
    ) -> HostedZone {
        self.leave_out_amazons_name_servers(report);
        self.leave_out_unusable(collections, report);
        loop {
            let own = self.sets.iter().map(|(set, _)| Arc::new(set.clone())).collect();
            let zone = self.zone.with_record_sets(own);
            let mut whole = zone.clone();
            whole.record_sets.extend(default_record_sets(&zone, dns).into_iter().map(Arc::new));
            let is_own = |at: usize| at < self.sets.len();
            let refused: Vec<_> = violations(&whole, collections, dns.udp_payload_max)
                .into_iter()
                .filter(|violation| violation.severity != Severity::Warning && is_own(violation.record_set))
                .collect();
            if refused.is_empty() {
                return zone;
            }
            let mut left_out = HashSet::new();
            for violation in refused {
                let (set, place) = &self.sets[violation.record_set];
                // A set that two rules refuse is left out once.
                if left_out.insert(violation.record_set) {
                    let message = format!("{} is left out: {}", set_in_words(set), violation.message);
                    let diagnostic = report.add(place, message);
                    if let (Some(hint), false) = (violation.hint, violation.field == Field::Name) {
                        diagnostic.hint(hint);
                    }
                }
            }
            let mut at = 0;
            self.sets.retain(|_| {
                at += 1;
                !left_out.contains(&(at - 1))
            });
        }
    }

    /// Leaves out NS and SOA that name Amazon's servers: resolvers would follow them, and not ask
    /// this server.
    fn leave_out_amazons_name_servers(&mut self, report: &mut MigrationReport) {
        let apex = self.zone.name.clone();
        let is_apex = |set: &ResourceRecordSet, record_type| set.record_type == record_type && set.name == apex;
        let is_amazons = |set: &ResourceRecordSet| {
            is_apex(set, RecordType::Ns)
                && set.content.values().iter().filter_map(RecordData::target).any(|name| is_amazons_server(&name))
        };
        if !self.sets.iter().any(|(set, _)| is_amazons(set)) {
            return;
        }
        self.sets.retain(|(set, place)| {
            if is_apex(set, RecordType::Soa) && !has_amazons_times(set) {
                let message = "the SOA record is left out with Amazon's name servers, and its times are not Route 53's \
                               defaults";
                let hint = "write a [[record]] of type SOA with your name server to keep the times, such as that of \
                            negative answers";
                report.add(place, message).hint(hint);
            }
            !is_amazons(set) && !is_apex(set, RecordType::Soa)
        });
    }

    /// Leaves out record sets of other zones, duplicates, and those that refer to a CIDR collection
    /// or a hosted zone that cannot be here.
    fn leave_out_unusable(&mut self, collections: &[CidrCollection], report: &mut MigrationReport) {
        let mut keys: HashSet<RecordSetKey> = HashSet::new();
        let apex = &self.zone.name;
        self.sets.retain(|(set, place)| {
            let why = match &set.routing_policy {
                _ if !set.name.is_within(apex) => format!("it is not in the zone {apex}"),
                RoutingPolicy::IpBased { collection, .. } if !collections.iter().any(|one| one.id == *collection) => {
                    format!("the CIDR collection {} is not imported", collection.0)
                }
                _ if has_invalid_target_zone(set) => {
                    "the hosted zone id of its alias target is not valid in Route 53".to_owned()
                }
                _ if !keys.insert(set.key()) => {
                    "there is another record set with its name, type and set identifier".into()
                }
                _ => return true,
            };
            report.add(place, format!("{} is left out: {why}", set_in_words(set)));
            false
        });
    }
}

/// `the A record set www.lab.test.`, with its set identifier.
pub(super) fn set_in_words(set: &ResourceRecordSet) -> String {
    let identifier = set.set_identifier.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
    format!("the {} record set {}{identifier}", set.record_type, set.name.readable())
}

fn has_invalid_target_zone(set: &ResourceRecordSet) -> bool {
    let Content::Alias(target) = &set.content else { return false };
    target.hosted_zone.as_ref().is_some_and(|id| !crate::config::is_zone_id(&id.0))
}

/// `ns-2048.awsdns-64.net.` (Developer Guide, "NS and SOA records that Amazon Route 53 creates").
pub(super) fn is_amazons_server(name: &Name) -> bool {
    let mut labels = name.labels();
    let is_numbered = labels.next().is_some_and(|label| label.starts_with(b"ns-"));
    is_numbered && labels.next().is_some_and(|label| label.starts_with(b"awsdns-"))
}

fn has_amazons_times(set: &ResourceRecordSet) -> bool {
    let Content::Records { ttl, values } = &set.content else { return false };
    *ttl == SOA_TTL && values.iter().all(|value| value.to_text().ends_with(SOA_TIMINGS))
}
