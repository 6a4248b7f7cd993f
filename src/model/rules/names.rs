//! Rules for names: a CNAME is the only type at its name, and nothing is answered below a
//! delegation.

use std::collections::{HashMap, HashSet};

use super::{Context, Diagnostics, Field};
use crate::model::{Content, Name, RecordType, ResourceRecordSet};

/// A CNAME must be the only type at its name (RFC 1034 section 3.6.2), also at wildcards. The first
/// type in the file is taken as the correct one. Another rule reports a CNAME at the apex.
pub(super) fn check_cname_is_alone(context: &Context<'_>, diagnostics: &mut Diagnostics) {
    if !context.groups.iter().any(|group| group.record_type == RecordType::Cname) {
        return;
    }
    let mut first_is_cname = HashMap::new();
    for group in context.groups.iter().filter(|group| !context.is_apex(group.name)) {
        let is_cname = group.record_type == RecordType::Cname;
        if *first_is_cname.entry(group.name).or_insert(is_cname) == is_cname {
            continue;
        }
        let (name, record_type, zone) = (group.name, group.record_type, &context.zone.name);
        let message = if is_cname {
            format!(
                "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the \
                 same DNS name in zone {zone}"
            )
        } else {
            // The two spaces are in Route 53's sentence.
            format!(
                "RRSet of type {record_type} with DNS name {name} is not permitted because a conflicting RRSet of type  \
                 CNAME with the same DNS name already exists in zone {zone}"
            )
        };
        for &(at, _) in group.members {
            diagnostics.error(at, Field::Type, message.clone()).with_hint("a CNAME must be the only type at its name");
        }
    }
}

/// Names below a delegation belong to another zone (RFC 1034 section 4.2.1). Records there are
/// never answered, except the addresses of its name servers. At the delegation itself, NS and DS
/// belong to this zone.
pub(super) fn find_occluded(context: &Context<'_>, diagnostics: &mut Diagnostics) {
    let cuts = cuts(context);
    if cuts.is_empty() {
        return;
    }
    let glue_names = glue_names(context);
    for (at, set) in context.zone.record_sets.iter().enumerate() {
        let Some(cut) = highest_cut(context, &cuts, &set.name) else { continue };
        if !is_part_of_delegation(set, &cut, &glue_names) {
            let (name, record_type) = (&set.name, set.record_type);
            diagnostics
                .warning(at, Field::Name, format!("{name}, type {record_type} is hidden by the delegation of {cut}"))
                .with_hint("queries at and below a delegation are referred to its name servers");
        }
    }
}

/// The names that are delegated.
fn cuts<'z>(context: &Context<'z>) -> HashSet<&'z Name> {
    let delegated = context.groups.iter().filter(|group| group.record_type == RecordType::Ns);
    delegated.map(|group| group.name).filter(|name| !context.is_apex(name) && !name.is_wildcard()).collect()
}

/// The names of all name servers in the zone's NS sets.
fn glue_names(context: &Context<'_>) -> HashSet<Name> {
    let mut names = HashSet::new();
    for set in context.zone.record_sets.iter().filter(|set| set.record_type == RecordType::Ns) {
        if let Content::Records { values, .. } = &set.content {
            names.extend(values.iter().filter_map(crate::model::RecordData::target));
        }
    }
    names
}

/// The delegation closest to the apex that the name is at or below.
fn highest_cut(context: &Context<'_>, cuts: &HashSet<&Name>, name: &Name) -> Option<Name> {
    let mut highest = None;
    let mut ancestor = Some(name.clone());
    while let Some(name) = ancestor.filter(|name| !context.is_apex(name)) {
        ancestor = name.parent();
        if cuts.contains(&name) {
            highest = Some(name);
        }
    }
    highest
}

fn is_part_of_delegation(set: &ResourceRecordSet, cut: &Name, glue_names: &HashSet<Name>) -> bool {
    match set.record_type {
        RecordType::Ns | RecordType::Ds => set.name == *cut,
        RecordType::A | RecordType::Aaaa => glue_names.contains(&set.name),
        _ => false,
    }
}
