//! Rules for message sizes: record sets that never fit in a message, or only in some.

use super::{Context, Diagnostics, Field, Group, Violation};
use crate::model::name::MAX_NAME_OCTETS;
use crate::model::{Content, Name, RecordData, RecordType, ResourceRecordSet, RoutingPolicy};

/// The longest message: the length prefix over TCP has two octets (RFC 1035 section 4.2.2).
const MAX_MESSAGE_OCTETS: usize = 65_535;
/// The header, and the question without its name (RFC 1035 sections 4.1.1 and 4.1.2).
const FRAME_OCTETS: usize = 12 + 4;
/// A compression pointer (RFC 1035 section 4.1.4).
const POINTER_OCTETS: usize = 2;
/// Type, class, TTL and RDLENGTH of a record (RFC 1035 section 4.1.3).
const HEAD_OCTETS: usize = 10;
/// OPT with the longest client subnet (RFC 6891 section 6.1.2, RFC 7871 section 6).
const OPT_OCTETS: usize = 11 + 4 + 4 + 16;
/// A message without its records, with the longest name.
const LONGEST_FRAME_OCTETS: usize = FRAME_OCTETS + MAX_NAME_OCTETS + OPT_OCTETS;
/// The most record sets of a multivalue answer (Developer Guide, "Multivalue answer routing").
const MAX_MULTIVALUE_MEMBERS: usize = 8;
/// The most address record sets in a referral: A and AAAA of sixteen name servers.
const MAX_GLUE_SETS: usize = 32;

/// The lengths of the shortest and the longest message with a record set and no optional records.
#[derive(Clone, Copy, Default)]
struct Octets {
    least: usize,
    most: usize,
}

/// A message contains all records of a set or is truncated (RFC 2181 section 9). A set that does
/// not fit over TCP either never reaches a client.
pub(super) fn check(context: &Context<'_>, group: &Group<'_>, diagnostics: &mut Diagnostics) {
    let (first, first_set) = group.members[0];
    let delegates = group.record_type == RecordType::Ns && !context.is_apex(group.name);
    if !delegates && is_short(context, group) {
        return;
    }
    if first_set.routing_policy == RoutingPolicy::MultivalueAnswer {
        judge(context, group, first, multivalue(context, group, POINTER_OCTETS), "this group", diagnostics);
    } else {
        for &(at, set) in group.members {
            let records = if delegates { referral(context, set) } else { alone(context, set, POINTER_OCTETS) };
            judge(context, group, at, records, "this record set", diagnostics);
        }
    }
}

/// Whether all records of a group together fit in any message, as is nearly always the case.
fn is_short(context: &Context<'_>, group: &Group<'_>) -> bool {
    let octets = |set: &ResourceRecordSet| match &set.content {
        Content::Records { values, .. } => {
            values.iter().map(|value| POINTER_OCTETS + HEAD_OCTETS + value.wire().len()).sum()
        }
        Content::Alias(_) => 0,
    };
    let records: usize = group.members.iter().map(|(_, set)| octets(set)).sum();
    LONGEST_FRAME_OCTETS + records <= context.udp_payload_max
}

/// Reports when messages with these records are too long, for queries by the group's name.
fn judge(
    context: &Context<'_>,
    group: &Group<'_>,
    at: usize,
    records: Octets,
    what: &str,
    diagnostics: &mut Diagnostics,
) {
    // Aliases, wildcards and EDNS make messages with the same records longer.
    let name_octets = group.name.wire().len();
    let least = FRAME_OCTETS + name_octets + records.least;
    let most = FRAME_OCTETS + name_octets + records.most;
    let longest = LONGEST_FRAME_OCTETS + records.most;
    if least > MAX_MESSAGE_OCTETS {
        let message = format!(
            "no message can carry {what}: it takes {least} octets, and a message has at most {MAX_MESSAGE_OCTETS}"
        );
        diagnostics.new_error(at, Field::Values, message).with_hint("spread the values over several names");
    } else if longest > MAX_MESSAGE_OCTETS {
        let message = format!(
            "not every message can carry {what}: with all that may be in it, it takes {longest} octets, and a message has at \
             most {MAX_MESSAGE_OCTETS}"
        );
        diagnostics.warning(at, Field::Values, message).with_hint("spread the values over several names");
    } else if most > context.udp_payload_max {
        warn_of_udp(diagnostics, at, context.udp_payload_max, &format!("{what} takes {most} octets"));
    }
}

fn warn_of_udp(diagnostics: &mut Diagnostics, at: usize, limit: usize, what: &str) {
    let message = format!("{what}, which does not fit in a UDP response: clients must retry over TCP");
    let finding: &mut Violation = diagnostics.warning(at, Field::Values, message);
    finding.with_hint(format!("`dns.udp_payload_max` limits UDP responses to {limit} octets"));
}

/// The records of one set. For an alias, the target's group is checked instead.
fn alone(context: &Context<'_>, set: &ResourceRecordSet, owner_octets: usize) -> Octets {
    let Content::Records { values, .. } = &set.content else { return Octets::default() };
    let octets = values.iter().map(|value| owner_octets + HEAD_OCTETS + data_octets(value, &context.zone.name)).sum();
    Octets { least: octets, most: octets }
}

/// As many sets as an answer can have; fewer when health can exclude some.
fn multivalue(context: &Context<'_>, group: &Group<'_>, owner_octets: usize) -> Octets {
    let mut octets: Vec<usize> = group.members.iter().map(|(_, set)| alone(context, set, owner_octets).most).collect();
    octets.sort_unstable();
    let answered = octets.len().min(MAX_MULTIVALUE_MEMBERS);
    let may_be_few = group.members.iter().any(|(_, set)| set.health_check.is_some());
    let fewest = if may_be_few { 1 } else { answered };
    Octets { least: octets[..fewest].iter().sum(), most: octets[octets.len() - answered..].iter().sum() }
}

/// The NS set of a delegation, and the addresses of its name servers, without which a referral is
/// truncated (RFC 9471).
fn referral(context: &Context<'_>, set: &ResourceRecordSet) -> Octets {
    let owner_octets = |name: &Name| name.relative_to(&context.zone.name).map_or(0, <[u8]>::len) + POINTER_OCTETS;
    let Content::Records { values, .. } = &set.content else { return Octets::default() };
    let mut octets = alone(context, set, owner_octets(&set.name));
    let servers = values.iter().filter_map(RecordData::target).filter(|name| name.is_within(&context.zone.name));
    let groups = servers.flat_map(|name| [RecordType::A, RecordType::Aaaa].map(|kind| (name.clone(), kind)));
    let groups = groups.filter_map(|(name, kind)| context.group_of.get(&(&name, kind)).map(|&at| &context.groups[at]));
    for group in groups.take(MAX_GLUE_SETS) {
        let glue = any_answer(context, group, owner_octets(group.name));
        octets = Octets { least: octets.least + glue.least, most: octets.most + glue.most };
    }
    octets
}

/// The records of a group's answer, whichever the policy selects. Aliases are not counted, because
/// their answer varies.
fn any_answer(context: &Context<'_>, group: &Group<'_>, owner_octets: usize) -> Octets {
    let (_, first) = group.members[0];
    if first.routing_policy == RoutingPolicy::MultivalueAnswer {
        return multivalue(context, group, owner_octets);
    }
    let octets = group.members.iter().map(|(_, set)| alone(context, set, owner_octets).most);
    Octets { least: octets.clone().min().unwrap_or(0), most: octets.max().unwrap_or(0) }
}

/// The length of the data in a message. Names at the end are compressed for the types of RFC 1035
/// (RFC 3597 section 4).
fn data_octets(value: &RecordData, zone: &Name) -> usize {
    let octets = value.wire().len();
    let target = match value.record_type() {
        RecordType::Ns | RecordType::Cname | RecordType::Mx => value.target(),
        RecordType::Ptr => Name::from_wire(value.wire()),
        _ => None,
    };
    let is_compressed = target.is_some_and(|target| target.is_within(zone));
    if is_compressed { octets - zone.wire().len() + POINTER_OCTETS } else { octets }
}
