//! The rules for a whole zone: errors that Route 53 rejects, and warnings about what is hardly ever
//! intended.
//!
//! The rules check a complete [`HostedZone`] and report all violations. Each rule is a function:
//! [`record_set`] checks single sets, [`group`] the sets of one name and type, [`alias`] alias
//! targets in the zone, [`resource`] those outside, [`names`] CNAMEs and delegations, [`size`]
//! message sizes. Where Route 53's own sentence is known, it is used.

mod alias;
mod group;
mod names;
mod near;
mod record_set;
mod resource;
mod size;

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

pub use alias::MAX_ALIAS_CHAIN;
pub(super) use alias::target_not_found;
pub use near::violations_near;

use super::{
    CidrCollection, CidrCollectionId, Content, HostedZone, Name, RecordType, ResourceRecordSet, TrafficPolicyInstance,
    WhenAllUnhealthy,
};
use crate::background;

/// A violation of a rule by a record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The set, as an index into the zone's record sets.
    pub record_set: usize,
    /// Its severity.
    pub severity: Severity,
    /// The part of the set that is wrong.
    pub field: Field,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if there is a suggestion.
    pub hint: Option<String>,
}

/// The severity of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Route 53 rejects it.
    Error,
    /// Route 53 rejects it, but earlier versions of this server did not. A zone that was served
    /// before stays in use, with a warning.
    NewError,
    /// Route 53 accepts it, but it is probably a mistake.
    Warning,
}

/// The part of a record set that a violation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The owner name.
    Name,
    /// The record type.
    Type,
    /// The TTL.
    Ttl,
    /// The values.
    Values,
    /// The set identifier.
    SetIdentifier,
    /// The routing policy: weight, region, failover, geolocation, geoproximity, cidr, multivalue.
    Policy,
    /// The alias target.
    Alias,
    /// The health check.
    HealthCheck,
}

/// All violations of the zone, in the order of the record sets. Country and subdivision codes are
/// not checked here. Messages over UDP have at most `udp_payload_max` octets.
pub fn violations(zone: &HostedZone, collections: &[CidrCollection], udp_payload_max: u16) -> Vec<Violation> {
    let placed = Placed::of(zone);
    let context = Context::build(zone, collections, &placed, udp_payload_max.into());
    let mut diagnostics = Diagnostics::default();
    for (at, set) in background::yielding(&zone.record_sets).enumerate() {
        record_set::RULES.iter().for_each(|rule| rule(&context, at, set, &mut diagnostics));
        alias::check_target(&context, at, set, &mut diagnostics);
        resource::check_target(&context, at, set, &mut diagnostics);
    }
    for group in background::yielding(&context.groups) {
        group::RULES.iter().for_each(|rule| rule(&context, group, &mut diagnostics));
        size::check(&context, group, &mut diagnostics);
    }
    alias::find_cycles(&context, &mut diagnostics);
    names::check_cname_is_alone(&context, &mut diagnostics);
    names::find_occluded(&context, &mut diagnostics);
    // Default addresses come after the record sets. Who wrote the zone did not write them.
    diagnostics.0.retain(|violation| violation.record_set < zone.record_sets.len());
    diagnostics.0.sort_by_key(|violation| violation.record_set);
    diagnostics.0
}

/// Why the record sets of the zone's traffic policy instances cannot be answered with its own: what
/// Route 53 would reject if all of them were its own.
pub fn policy_problems(zone: &HostedZone, collections: &[CidrCollection], udp_payload_max: u16) -> Vec<String> {
    if zone.policy_sets.is_empty() {
        return Vec::new();
    }
    let errors = |zone: &HostedZone| -> Vec<String> {
        let violations = violations(zone, collections, udp_payload_max).into_iter();
        violations.filter(|one| one.severity != Severity::Warning).map(|one| one.message).collect()
    };
    let sets = zone.policy_sets.iter().map(|policy| Arc::new(policy.set.clone()));
    let all = zone.with_record_sets(zone.record_sets.iter().cloned().chain(sets).collect());
    let roots = zone.record_sets.iter().filter(|set| {
        let is_root = |one: &&TrafficPolicyInstance| one.record_type == set.record_type && one.name == set.name;
        zone.attachments.policy_instances.iter().any(|one| is_root(&one))
    });
    let taken: Vec<String> =
        roots.map(|set| format!("a traffic policy instance has the record sets of {}", describe(set))).collect();
    if !taken.is_empty() {
        return taken;
    }
    let own = errors(&HostedZone { policy_sets: Arc::default(), ..zone.with_record_sets(zone.record_sets.clone()) });
    let all = errors(&HostedZone { policy_sets: Arc::default(), ..all });
    all.into_iter().filter(|message| !own.contains(message)).collect()
}

/// The zone with indexes for fast lookup.
struct Context<'z> {
    zone: &'z HostedZone,
    collections: HashMap<&'z CidrCollectionId, &'z CidrCollection>,
    /// Ordered by their first members.
    groups: Vec<Group<'z>>,
    group_of: &'z HashMap<(&'z Name, RecordType), usize>,
    /// By index of the group: whether an alias evaluates its health.
    is_evaluated: Vec<bool>,
    /// The groups that answer with no records while none of their records is healthy.
    withheld: HashSet<(&'z Name, RecordType)>,
    /// The longest message over UDP, in octets.
    udp_payload_max: usize,
}

/// All record sets of one name and type.
struct Group<'z> {
    name: &'z Name,
    record_type: RecordType,
    /// Index and set, in the order of the file. Never empty.
    members: &'z [(usize, &'z ResourceRecordSet)],
}

/// All record sets, ordered by group, in one allocation because most groups have one set.
struct Placed<'z> {
    members: Vec<(usize, &'z ResourceRecordSet)>,
    group_of: HashMap<(&'z Name, RecordType), usize>,
}

impl<'z> Placed<'z> {
    fn of(zone: &'z HostedZone) -> Placed<'z> {
        let sets: Vec<&ResourceRecordSet> = zone.answered_sets().collect();
        let mut group_of = HashMap::with_capacity(sets.len());
        let mut number = |set: &'z ResourceRecordSet| {
            let next = group_of.len();
            *group_of.entry((&set.name, set.record_type)).or_insert(next)
        };
        let mut placed: Vec<(usize, usize)> = background::yielding(&sets).map(|set| number(set)).zip(0..).collect();
        placed.sort_unstable();
        Placed { members: placed.into_iter().map(|(_, at)| (at, sets[at])).collect(), group_of }
    }

    /// Ordered by their first members.
    fn groups(&'z self) -> Vec<Group<'z>> {
        let is_same = |(_, one): &(usize, &ResourceRecordSet), (_, other): &(usize, &ResourceRecordSet)| {
            one.record_type == other.record_type && one.name == other.name
        };
        let group = |members: &'z [(usize, &'z ResourceRecordSet)]| {
            let (_, first) = members[0];
            Group { name: &first.name, record_type: first.record_type, members }
        };
        self.members.chunk_by(is_same).map(group).collect()
    }
}

impl<'z> Context<'z> {
    fn build(
        zone: &'z HostedZone,
        collections: &'z [CidrCollection],
        placed: &'z Placed<'z>,
        udp_payload_max: usize,
    ) -> Context<'z> {
        let (groups, group_of) = (placed.groups(), &placed.group_of);
        let mut is_evaluated = vec![false; groups.len()];
        for set in &zone.record_sets {
            if let Content::Alias(target) = &set.content
                && target.evaluate_target_health
                && let Some(&index) = group_of.get(&(&target.name, set.record_type))
            {
                is_evaluated[index] = true;
            }
        }
        let collections = collections.iter().map(|collection| (&collection.id, collection)).collect();
        let withholding = zone.record_groups.iter().filter(|group| group.when_all_unhealthy == WhenAllUnhealthy::None);
        let withheld = withholding.map(|group| (&group.name, group.record_type)).collect();
        Context { zone, collections, groups, group_of, is_evaluated, withheld, udp_payload_max }
    }

    fn is_apex(&self, name: &Name) -> bool {
        *name == self.zone.name
    }
}

/// Collects violations. Its methods return a handle for adding a hint.
#[derive(Default)]
struct Diagnostics(Vec<Violation>);

impl Diagnostics {
    fn error(&mut self, record_set: usize, field: Field, message: impl Into<String>) -> &mut Violation {
        self.push(record_set, Severity::Error, field, message.into())
    }

    fn new_error(&mut self, record_set: usize, field: Field, message: impl Into<String>) -> &mut Violation {
        self.push(record_set, Severity::NewError, field, message.into())
    }

    fn warning(&mut self, record_set: usize, field: Field, message: impl Into<String>) -> &mut Violation {
        self.push(record_set, Severity::Warning, field, message.into())
    }

    fn push(&mut self, record_set: usize, severity: Severity, field: Field, message: String) -> &mut Violation {
        self.0.push(Violation { record_set, severity, field, message, hint: None });
        self.0.last_mut().expect("one was just pushed")
    }
}

impl Violation {
    fn with_hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}

/// `DNS name x., type A` and, when there is one, `, SetIdentifier id`: as in Route 53's sentences.
fn describe(set: &ResourceRecordSet) -> String {
    let base = format!("DNS name {}, type {}", set.name, set.record_type);
    match &set.set_identifier {
        Some(identifier) => format!("{base}, SetIdentifier {identifier}"),
        None => base,
    }
}

/// `[name='x.', type='A', set-identifier='blue']`: as in Route 53's sentences.
pub(super) fn describe_key(name: &Name, record_type: RecordType, set_identifier: Option<&str>) -> String {
    let identifier = set_identifier.map(|identifier| format!(", set-identifier='{identifier}'")).unwrap_or_default();
    format!("[name='{name}', type='{record_type}'{identifier}]")
}

/// The set's identifier in quotation marks, or `without set identifier`.
fn quote_identifier(set: &ResourceRecordSet) -> String {
    set.set_identifier
        .as_ref()
        .map_or_else(|| "without set identifier".to_owned(), |identifier| format!("'{identifier}'"))
}

#[cfg(test)]
mod tests;
