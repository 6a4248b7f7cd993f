//! Per-record answer counters, for the names that the settings list.

use crate::model::{HostedZone, Name, RecordType};
use crate::stats::{AnswerLabels, Meters};
use crate::world::CountedGroups;
use crate::zonetree::{Found, QueryName, Zone};

/// The counted groups of a zone; `None` if there are none, as in most zones.
pub(super) fn groups(source: &HostedZone, compiled: &Zone, names: &[Name], meters: &Meters) -> Option<CountedGroups> {
    let mut groups = CountedGroups::default();
    let mut any = false;
    for name in names.iter().filter(|name| name.is_within(compiled.name())) {
        let sets = || source.answered_sets().filter(|set| set.name == *name);
        let mut types: Vec<RecordType> = sets().map(|set| set.record_type).collect();
        types.sort_unstable();
        types.dedup();
        let mut asked = QueryName::default();
        asked.set(name);
        // A wildcard is matched as a plain name here.
        let Found::Name(node) = compiled.find(&asked) else { continue };
        for record_type in types {
            let Some(group) = compiled.group(node, record_type) else { continue };
            // Members are in the order of the source.
            let members = sets().filter(|set| set.record_type == record_type).map(|set| {
                meters.answer_number(AnswerLabels {
                    zone: source.name.to_string(),
                    name: name.readable(),
                    policy: set.routing_policy.name(),
                    target: set.set_identifier.clone().unwrap_or_else(|| "-".to_owned()),
                })
            });
            groups.add(group, members.collect());
            any = true;
        }
    }
    any.then_some(groups)
}
