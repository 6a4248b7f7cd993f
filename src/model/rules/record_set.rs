//! Rules for single record sets.

use std::collections::HashSet;

use super::{Context, Diagnostics, Field};
use crate::model::{
    Content, FailoverRole, MAX_TTL, MAX_VALUES, RecordData, RecordType, ResourceRecordSet, RoutingPolicy,
};

/// The longest set identifier, in characters (API ResourceRecordSetIdentifier).
const MAX_SET_IDENTIFIER_CHARACTERS: usize = 128;
/// The strongest bias in either direction (API Bias).
const MAX_BIAS: u8 = 99;

type Rule = fn(&Context<'_>, usize, &ResourceRecordSet, &mut Diagnostics);

pub(super) const RULES: &[Rule] = &[
    name_lies_in_zone,
    cname_is_not_at_apex,
    soa_is_at_apex,
    ns_is_no_wildcard,
    ds_is_not_at_apex,
    set_identifier_fits_the_policy,
    set_identifier_is_not_too_long,
    type_allows_the_policy,
    multivalue_is_no_alias,
    soa_and_cname_have_one_value,
    number_of_values_is_within_limits,
    values_differ,
    ttl_is_within_limits,
    bias_is_within_limits,
    cidr_location_exists,
    ip_based_is_not_private,
    health_check_has_an_effect,
    primary_can_fail_over,
    failover_alias_evaluates,
];

/// Compares whole labels: `notlab.test.` is not within `lab.test.`.
fn name_lies_in_zone(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let (name, zone) = (&set.name, &context.zone.name);
    if !name.is_within(zone) {
        diagnostics.error(at, Field::Name, format!("RRSet with DNS name {name} is not permitted in zone {zone}"));
    }
}

/// The apex has SOA and NS, and a CNAME must be the only type at its name (RFC 1034 section 3.6.2).
/// An alias of type CNAME is a CNAME on the wire.
fn cname_is_not_at_apex(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    if set.record_type == RecordType::Cname && context.is_apex(&set.name) {
        let name = &set.name;
        let message = format!("RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {name}");
        diagnostics.error(at, Field::Type, message).with_hint("at the apex use an alias of type A or AAAA");
    }
}

fn soa_is_at_apex(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    if set.record_type == RecordType::Soa && !context.is_apex(&set.name) {
        diagnostics.error(
            at,
            Field::Type,
            format!("the SOA record must be at the apex of the zone, {}", context.zone.name),
        );
    }
}

/// Developer Guide, "DNS domain name format"; RFC 4592 section 4.2 leaves such delegations
/// undefined.
fn ns_is_no_wildcard(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    if set.record_type == RecordType::Ns && set.name.is_wildcard() {
        diagnostics.error(at, Field::Name, "an NS record set must not have a wildcard name");
    }
}

/// The DS of a zone is published in its parent zone (RFC 4035 section 2.4).
fn ds_is_not_at_apex(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    if set.record_type == RecordType::Ds && context.is_apex(&set.name) {
        let message = format!("RRSet of type DS with DNS name {} is not permitted at apex", set.name);
        diagnostics.error(at, Field::Type, message).with_hint("the DS of this zone belongs in its parent zone");
    }
}

/// API ResourceRecordSet: sets with a policy other than simple have an identifier, simple sets have
/// none.
fn set_identifier_fits_the_policy(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let is_simple = set.routing_policy == RoutingPolicy::Simple;
    match (is_simple, &set.set_identifier) {
        (false, None) => {
            let policy = set.routing_policy.name_with_article();
            let message = format!("Missing field 'SetIdentifier': {policy} record set needs one");
            diagnostics.error(at, Field::Policy, message)
        }
        (true, Some(_)) => {
            let message = "a set identifier needs a routing policy: exactly one of Weight, Region, Failover, GeoLocation, \
                           MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig";
            diagnostics.error(at, Field::SetIdentifier, message)
        }
        _ => return,
    }
    .with_hint("a set identifier distinguishes record sets of one name and type; a simple record set is the only one");
}

fn set_identifier_is_not_too_long(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let Some(identifier) = &set.set_identifier else { return };
    let length = identifier.chars().count();
    if !(1..=MAX_SET_IDENTIFIER_CHARACTERS).contains(&length) {
        let message =
            format!("a set identifier must have 1 to {MAX_SET_IDENTIFIER_CHARACTERS} characters, not {length}");
        diagnostics.error(at, Field::SetIdentifier, message);
    }
}

/// API ResourceRecordSet: NS, SOA and DS can only be simple sets. CNAME sets cannot be multivalue
/// answer sets.
fn type_allows_the_policy(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let is_allowed = match (set.record_type, &set.routing_policy) {
        (_, RoutingPolicy::Simple) => true,
        (RecordType::Ns | RecordType::Soa | RecordType::Ds, _) => false,
        (RecordType::Cname, RoutingPolicy::MultivalueAnswer) => false,
        _ => true,
    };
    if !is_allowed {
        let message = format!("a record set of type {} cannot be {}", set.record_type, set.routing_policy.name());
        diagnostics.error(at, Field::Policy, message);
    }
}

/// API MultiValueAnswer.
fn multivalue_is_no_alias(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    if set.routing_policy == RoutingPolicy::MultivalueAnswer && matches!(set.content, Content::Alias(_)) {
        diagnostics.error(at, Field::Alias, "a multivalue answer record set cannot be an alias");
    }
}

fn soa_and_cname_have_one_value(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let Content::Records { values, .. } = &set.content else { return };
    if has_one_value(set.record_type) && values.len() != 1 {
        let (record_type, count) = (set.record_type, values.len());
        diagnostics.error(
            at,
            Field::Values,
            format!("a record set of type {record_type} must have exactly one value, not {count}"),
        );
    }
}

fn has_one_value(record_type: RecordType) -> bool {
    matches!(record_type, RecordType::Soa | RecordType::Cname)
}

fn number_of_values_is_within_limits(
    context: &Context<'_>,
    at: usize,
    set: &ResourceRecordSet,
    diagnostics: &mut Diagnostics,
) {
    let Content::Records { values, .. } = &set.content else { return };
    let count = values.len();
    if has_one_value(set.record_type) || (1..=MAX_VALUES).contains(&count) {
        return;
    }
    let message = if count == 0 && set.record_type == RecordType::Ns && context.is_apex(&set.name) {
        "A HostedZone must contain at least one NS record for the zone itself.".to_owned()
    } else {
        format!("a record set must have 1 to {MAX_VALUES} values, not {count}")
    };
    diagnostics.error(at, Field::Values, message);
}

/// RFC 2181 section 5: a set has no duplicate records.
fn values_differ(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let Content::Records { values, .. } = &set.content else { return };
    if values.len() < 2 {
        return;
    }
    let mut seen = HashSet::new();
    for value in values {
        if !seen.insert(comparable(value)) {
            diagnostics.error(at, Field::Values, format!("Duplicate Resource Record: '{value}'"));
        }
    }
}

/// Wire bytes with the name at their end in lower case: names that differ in case are equal (RFC
/// 4343).
fn comparable(value: &RecordData) -> Vec<u8> {
    let name_at = match value.record_type() {
        RecordType::Ptr => Some(0),
        other => other.target_offset(),
    };
    let mut octets = value.wire().to_vec();
    octets[name_at.unwrap_or(value.wire().len())..].make_ascii_lowercase();
    octets
}

/// RFC 2181 section 8.
fn ttl_is_within_limits(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let Content::Records { ttl, .. } = &set.content else { return };
    if *ttl > MAX_TTL {
        diagnostics.error(at, Field::Ttl, format!("a TTL must be at most {MAX_TTL} seconds, not {ttl}"));
    }
}

fn bias_is_within_limits(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let RoutingPolicy::Geoproximity { bias, .. } = set.routing_policy else { return };
    if bias.unsigned_abs() > MAX_BIAS {
        diagnostics.error(at, Field::Policy, format!("a bias must be between -{MAX_BIAS} and {MAX_BIAS}, not {bias}"));
    }
}

fn cidr_location_exists(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let RoutingPolicy::IpBased { collection: id, location } = &set.routing_policy else { return };
    let Some(collection) = context.collections.get(id) else {
        diagnostics.error(at, Field::Policy, format!("there is no CIDR collection '{}'", id.0));
        return;
    };
    let Some(location) = location else { return };
    if collection.locations.iter().any(|(name, _)| name == location) {
        return;
    }
    let known = collection.locations.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    diagnostics
        .error(at, Field::Policy, format!("the CIDR collection '{}' has no location '{location}'", collection.name))
        .with_hint(if known.is_empty() {
            "it has none at all".to_owned()
        } else {
            format!("its locations are {known}")
        });
}

/// Developer Guide, "Considerations when working with a private hosted zone".
fn ip_based_is_not_private(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    if context.zone.is_private() && matches!(set.routing_policy, RoutingPolicy::IpBased { .. }) {
        diagnostics.warning(at, Field::Policy, "IP-based record sets are not served in a private zone");
    }
}

/// "In a group of one the record is always answered" (Developer Guide, "How Route 53 chooses
/// records when health checking is configured"); its check then matters only for aliases that
/// evaluate their target, and for groups that do not answer with unhealthy records.
fn health_check_has_an_effect(
    context: &Context<'_>,
    at: usize,
    set: &ResourceRecordSet,
    diagnostics: &mut Diagnostics,
) {
    if set.health_check.is_none() || set.routing_policy != RoutingPolicy::Simple {
        return;
    }
    let group = (&set.name, set.record_type);
    if context.is_evaluated[context.group_of[&group]] || context.withheld.contains(&group) {
        return;
    }
    diagnostics
        .warning(
            at,
            Field::HealthCheck,
            "a health check has no effect on a simple record set, which is always answered",
        )
        .with_hint("use a routing policy with a second record, such as failover");
}

/// The sentence is Route 53's, which requires only this of primaries. It accepts an alias that does
/// not evaluate its target.
fn primary_can_fail_over(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    if !never_fails_over(set) {
        return;
    }
    let finding = match &set.content {
        Content::Records { .. } => {
            let message = "A non-alias primary ResourceRecordSet must have an associated health check.";
            diagnostics.new_error(at, Field::Policy, message)
        }
        Content::Alias(_) => {
            diagnostics.warning(at, Field::Policy, "this primary never fails over: it has no health check")
        }
    };
    finding.with_hint("give it a `health_check`, or make it an alias that evaluates its target's health");
}

fn never_fails_over(set: &ResourceRecordSet) -> bool {
    let is_primary = set.routing_policy == RoutingPolicy::Failover { role: FailoverRole::Primary };
    let evaluates = matches!(&set.content, Content::Alias(target) if target.evaluate_target_health);
    is_primary && set.health_check.is_none() && !evaluates
}

/// The API documentation requires EvaluateTargetHealth for failover aliases, but the API accepts
/// them without it.
fn failover_alias_evaluates(_: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let (RoutingPolicy::Failover { .. }, Content::Alias(target)) = (&set.routing_policy, &set.content) else { return };
    if target.evaluate_target_health || never_fails_over(set) {
        return;
    }
    diagnostics
        .warning(at, Field::Alias, "this failover alias does not evaluate its target's health")
        .with_hint("set evaluate_target_health = true");
}
