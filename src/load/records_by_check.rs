//! An index of records by health check, for reports when a check changes.

use std::collections::HashMap;
use std::fmt;

use crate::health::CheckSlot;
use crate::model::{Content, HealthCheckId, HostedZone, ResourceRecordSet};

/// How many records a log line lists.
const NAMED: usize = 5;

/// The records of each check.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordsByCheck {
    records: HashMap<CheckSlot, Vec<String>>,
}

/// The records of one check, for a log line.
pub(crate) struct AffectedRecords<'m>(&'m [String]);

/// The records of a zone that have a health check.
pub(super) fn of_zone(
    zone: &HostedZone,
    slot_of: &dyn Fn(&HealthCheckId) -> Option<CheckSlot>,
) -> Vec<(CheckSlot, String)> {
    let moved = |(set, check): (&ResourceRecordSet, &HealthCheckId)| Some((slot_of(check)?, describe(set)));
    zone.answered_sets().flat_map(|set| checks_of(zone, set)).filter_map(moved).collect()
}

/// The check of a record set, and that of the resource whose health it evaluates.
fn checks_of<'z>(
    zone: &'z HostedZone,
    set: &'z ResourceRecordSet,
) -> impl Iterator<Item = (&'z ResourceRecordSet, &'z HealthCheckId)> {
    let resource = match &set.content {
        Content::Alias(target) if zone.evaluates(target) => zone.resource_of(target),
        _ => None,
    };
    let of_resource = resource.and_then(|resource| resource.health_check.as_ref());
    set.health_check.iter().chain(of_resource).map(move |check| (set, check))
}

impl RecordsByCheck {
    /// The index of all zones.
    pub(super) fn of_zones<'z>(zones: impl IntoIterator<Item = &'z [(CheckSlot, String)]>) -> RecordsByCheck {
        let mut records_by_check = RecordsByCheck::default();
        for (slot, record) in zones.into_iter().flatten() {
            records_by_check.records.entry(*slot).or_default().push(record.clone());
        }
        records_by_check
    }

    /// The records of one check, for a log line.
    pub(crate) fn of(&self, slot: CheckSlot) -> AffectedRecords<'_> {
        AffectedRecords(self.all_of(slot))
    }

    /// The records of one check.
    pub(crate) fn all_of(&self, slot: CheckSlot) -> &[String] {
        self.records.get(&slot).map_or(&[], Vec::as_slice)
    }
}

/// For example `app.lab.test. A blue`.
fn describe(set: &ResourceRecordSet) -> String {
    match &set.set_identifier {
        Some(identifier) => format!("{} {} {identifier}", set.name, set.record_type),
        None => format!("{} {}", set.name, set.record_type),
    }
}

impl fmt::Display for AffectedRecords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let named = &self.0[..self.0.len().min(NAMED)];
        f.write_str(&named.join(", "))?;
        match self.0.len() - named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_names_few_records() {
        let records: Vec<String> = (0..7).map(|number| format!("r{number}")).collect();
        assert_eq!(AffectedRecords(&records).to_string(), "r0, r1, r2, r3, r4 and 2 more");
        assert_eq!(AffectedRecords(&records[..2]).to_string(), "r0, r1");
        assert_eq!(AffectedRecords(&[]).to_string(), "none");
    }
}
