//! Which record sets fit no message, and which fit only some.

use super::{Context, Diagnostics, Field, Group, Violation};
use crate::model::name::MAX_NAME_OCTETS;
use crate::model::{Content, Name, RecordData, RecordType, ResourceRecordSet, RoutingPolicy};

/// The longest message, whose length has two octets over TCP (RFC 1035 section 4.2.2).
const MAX_MESSAGE_OCTETS: usize = 65_535;
/// The header, and the question behind its name (RFC 1035 sections 4.1.1 and 4.1.2).
const FRAME_OCTETS: usize = 12 + 4;
/// A compression pointer (RFC 1035 section 4.1.4).
const POINTER_OCTETS: usize = 2;
/// Type, class, TTL and RDLENGTH of a record (RFC 1035 section 4.1.3).
const HEAD_OCTETS: usize = 10;
/// OPT with the longest client subnet (RFC 6891 section 6.1.2, RFC 7871 section 6).
const OPT_OCTETS: usize = 11 + 4 + 4 + 16;
/// All of a message but its records, when the name is as long as names get.
const LONGEST_FRAME_OCTETS: usize = FRAME_OCTETS + MAX_NAME_OCTETS + OPT_OCTETS;
/// The most record sets of a multivalue answer (Developer Guide, "Multivalue answer routing").
const MAX_MULTIVALUE_MEMBERS: usize = 8;
/// The most record sets of addresses that a referral takes along: A and AAAA of sixteen name
/// servers.
const MAX_GLUE_SETS: usize = 32;

/// How long messages with a record set are that hold nothing but what they must: the shortest and
/// the longest there are.
#[derive(Clone, Copy, Default)]
struct Octets {
    least: usize,
    most: usize,
}

/// The records of a set go into one message whole, or the message is truncated (RFC 2181 section
/// 9). Where there is no message over TCP either, no client ever gets the set.
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

/// Whether all records of a group together fit any message, as they do nearly always.
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

/// Says whether messages with these records, asked for by the group's name, are too long.
fn judge(
    context: &Context<'_>,
    group: &Group<'_>,
    at: usize,
    records: Octets,
    what: &str,
    diagnostics: &mut Diagnostics,
) {
    // Aliases, wildcards and clients with EDNS make the messages longer that have as many records.
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
    let message = format!("{what}, which no answer over UDP can carry: clients have to ask again over TCP");
    let finding: &mut Violation = diagnostics.warning(at, Field::Values, message);
    finding.with_hint(format!("the settings limit answers over UDP to {limit} octets (`dns.udp_payload_max`)"));
}

/// The records of one set. Of an alias its target's group is judged.
fn alone(context: &Context<'_>, set: &ResourceRecordSet, owner_octets: usize) -> Octets {
    let Content::Records { values, .. } = &set.content else { return Octets::default() };
    let octets = values.iter().map(|value| owner_octets + HEAD_OCTETS + data_octets(value, &context.zone.name)).sum();
    Octets { least: octets, most: octets }
}

/// As many of the sets as one answer takes; fewer where health may leave some out.
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

/// What a group answers with, whatever its policy chooses. Of an alias nothing is counted: where it
/// leads depends.
fn any_answer(context: &Context<'_>, group: &Group<'_>, owner_octets: usize) -> Octets {
    let (_, first) = group.members[0];
    if first.routing_policy == RoutingPolicy::MultivalueAnswer {
        return multivalue(context, group, owner_octets);
    }
    let octets = group.members.iter().map(|(_, set)| alone(context, set, owner_octets).most);
    Octets { least: octets.clone().min().unwrap_or(0), most: octets.max().unwrap_or(0) }
}

/// How long the data are in a message, where names at their end are compressed for the types of RFC
/// 1035 (RFC 3597 section 4).
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
