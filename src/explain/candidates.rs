//! A policy's steps in words: what became of each record of a group, and why, as the Developer
//! Guide puts it.

use super::json::{AliasShape, CandidateOutcome, CandidateShape, CheckShape, GroupShape};
use super::names::Names;
use super::recorder::PolicySteps;
use super::{ClientFacts, ExplainContext};
use crate::geo::TripBasis;
use crate::model::{Content, FailoverRole, GeoLocation, GroupKey, ResourceRecordSet, RoutingPolicy, WhenAllUnhealthy};
use crate::policy::{Choice, DrawBy, MemberIndex, PolicyStep};

/// How one group chose for one client.
pub(super) struct GroupExplainer<'t> {
    context: &'t ExplainContext<'t>,
    names: &'t Names<'t>,
    key: &'t GroupKey,
    sets: Vec<&'t ResourceRecordSet>,
    steps: &'t PolicySteps,
    client: &'t ClientFacts,
    choice: Choice,
    usable: Vec<bool>,
    reserve: Vec<bool>,
    weight_shares: Option<Vec<u8>>,
    fails_open: bool,
    /// Who may answer this client, the most wanted first.
    order: Vec<MemberIndex>,
}

impl<'t> GroupExplainer<'t> {
    pub(super) fn new(
        context: &'t ExplainContext<'t>,
        names: &'t Names<'t>,
        key: &'t GroupKey,
        steps: &'t PolicySteps,
        client: &'t ClientFacts,
    ) -> GroupExplainer<'t> {
        let candidates = |step: &PolicyStep| match step {
            PolicyStep::Candidates { usable, reserve, weight_shares, fails_open } => {
                Some((usable.clone(), reserve.clone(), weight_shares.clone(), *fails_open))
            }
            _ => None,
        };
        let (usable, reserve, weight_shares, fails_open) = steps.0.iter().find_map(candidates).unwrap_or_default();
        let (sets, choice, order) = (names.sets(key), steps.choice(), order(steps, &usable));
        GroupExplainer {
            context,
            names,
            key,
            sets,
            steps,
            client,
            choice,
            usable,
            reserve,
            weight_shares,
            fails_open,
            order,
        }
    }

    pub(super) fn group(&self) -> GroupShape {
        let all = MemberIndex::number(&self.sets).map(|(member, _)| member);
        let rest = all.filter(|member| !self.order.contains(member));
        let candidates = self.order.iter().copied().chain(rest).filter_map(|member| self.candidate(member)).collect();
        GroupShape {
            name: self.key.name.to_string(),
            record_type: self.key.record_type.to_string(),
            policy: self.policy().name().to_owned(),
            rule: rule(self.policy()).to_owned(),
            traffic_policy: self.names.0.traffic_policy_of(self.key).map(str::to_owned),
            candidates,
            why: self.why(),
            draw: self.draw(),
            scope: self.choice.scope.0,
        }
    }

    fn policy(&self) -> &RoutingPolicy {
        self.sets.first().map_or(&RoutingPolicy::Simple, |set| &set.routing_policy)
    }

    fn candidate(&self, member: MemberIndex) -> Option<CandidateShape> {
        let set = *self.sets.get(usize::from(member))?;
        let check = set.health_check.as_ref().and_then(self.context.checks);
        let shares = self.steps.shares();
        let (ttl, values, alias) = match &set.content {
            Content::Records { ttl, values } => (Some(*ttl), values.iter().map(ToString::to_string).collect(), None),
            Content::Alias(target) => {
                let alias_target = self.names.0.resource_of(target).map(|resource| resource.name.clone());
                let (target, evaluate_target_health) = (target.name.to_string(), target.evaluate_target_health);
                (None, Vec::new(), Some(AliasShape { target, alias_target, evaluate_target_health }))
            }
        };
        let outcome = self.outcome(member);
        let mut shape = CandidateShape {
            set_identifier: set.set_identifier.clone(),
            role: role(&set.routing_policy),
            measure: None,
            outcome,
            why: self.why_of(member, set, outcome, check.as_ref()),
            share: shares.iter().find(|(known, _)| *known == member).map_or(0.0, |(_, share)| *share),
            usable: self.is_usable(member),
            check,
            ttl,
            values,
            last_change: None,
            alias,
            round_trip_ms: None,
            distance_km: None,
            biased_km: None,
        };
        self.measure(member, set, &mut shape);
        Some(shape)
    }

    fn is_usable(&self, member: MemberIndex) -> bool {
        self.usable.get(usize::from(member)).copied().unwrap_or_default()
    }

    /// Healthy, but draining or in a failback delay: it answers only if no usable record can.
    fn is_in_reserve(&self, member: MemberIndex) -> bool {
        self.reserve.get(usize::from(member)).copied().unwrap_or_default()
    }

    /// Its share of its weight, in percent, if less than 100.
    fn part(&self, member: MemberIndex) -> Option<f64> {
        let &parts = self.weight_shares.as_ref()?.get(usize::from(member))?;
        (parts < u8::MAX).then(|| f64::from(parts) * 100.0 / f64::from(u8::MAX))
    }

    /// No record was usable, so all count as healthy.
    fn failed_open(&self) -> bool {
        let first = self.choice.members.first();
        first.is_some_and(|&first| !self.is_usable(first) && !self.is_in_reserve(first))
    }

    fn outcome(&self, member: MemberIndex) -> CandidateOutcome {
        let may_win = self.steps.shares().iter().any(|&(known, share)| known == member && share > 0.0);
        match () {
            () if self.choice.members.contains(&member) => CandidateOutcome::Chosen,
            () if may_win => CandidateOutcome::Eligible,
            () if !self.order.contains(&member) => CandidateOutcome::NotForClient,
            () if self.is_usable(member) => CandidateOutcome::NotPreferred,
            () => CandidateOutcome::Unhealthy,
        }
    }

    fn why_of(
        &self,
        member: MemberIndex,
        set: &ResourceRecordSet,
        outcome: CandidateOutcome,
        check: Option<&CheckShape>,
    ) -> String {
        match outcome {
            CandidateOutcome::Chosen if self.failed_open() => {
                format!("{}, but so are all others, so all count as healthy", self.unhealthy(set, check))
            }
            CandidateOutcome::Chosen if self.is_in_reserve(member) && !self.is_usable(member) => {
                "not in use (draining or in its failback delay), but nothing else is healthy".to_owned()
            }
            CandidateOutcome::Chosen | CandidateOutcome::Eligible if self.part(member).is_some() => {
                let part = self.part(member).unwrap_or_default();
                format!("draining or starting slowly, with {part:.0} % of its weight")
            }
            CandidateOutcome::Chosen => self.chosen(set),
            CandidateOutcome::Eligible if !self.is_usable(member) => {
                format!("{}, but so are all others, so all count as healthy", self.unhealthy(set, check))
            }
            CandidateOutcome::Eligible => "it could have been drawn as well".to_owned(),
            CandidateOutcome::NotPreferred | CandidateOutcome::Unhealthy if self.is_in_reserve(member) => {
                "not in use while others are healthy: draining or in its failback delay".to_owned()
            }
            CandidateOutcome::NotPreferred => why_not_preferred(&set.routing_policy).to_owned(),
            CandidateOutcome::Unhealthy => self.unhealthy(set, check),
            CandidateOutcome::NotForClient => self.not_for_client(set),
        }
    }

    /// Why the one that answers does.
    fn chosen(&self, set: &ResourceRecordSet) -> String {
        let is_first = self.order.first().is_none_or(|first| self.choice.members.contains(first));
        let among = if is_first { "" } else { " of the healthy ones" };
        match &set.routing_policy {
            RoutingPolicy::Simple => "the only record of its name and type".to_owned(),
            RoutingPolicy::Weighted { weight: 0 } => {
                "a standby of weight 0, drawn evenly: no record with a weight is healthy".to_owned()
            }
            RoutingPolicy::Weighted { .. } if self.draw_among() == 1 => {
                "no other healthy record has a weight".to_owned()
            }
            RoutingPolicy::Weighted { .. } => "drawn by its weight".to_owned(),
            RoutingPolicy::Latency { .. } if self.is_for_china() => "it answers all clients in China".to_owned(),
            RoutingPolicy::Latency { .. } => format!("the lowest latency{among}"),
            RoutingPolicy::Failover { role: FailoverRole::Primary } => "the primary, and healthy".to_owned(),
            RoutingPolicy::Failover { role: FailoverRole::Secondary } if is_first => {
                "the secondary, and there is no primary".to_owned()
            }
            RoutingPolicy::Failover { .. } => "the secondary is healthy and the primary is not".to_owned(),
            RoutingPolicy::Geolocation { location: GeoLocation::Default } if is_first => {
                "the default: no other record is for an area that contains the client".to_owned()
            }
            RoutingPolicy::Geolocation { .. } => format!("the smallest area that contains the client{among}"),
            RoutingPolicy::Geoproximity { .. } => format!("the smallest distance{among}, bias included"),
            RoutingPolicy::MultivalueAnswer => "one of up to eight healthy records".to_owned(),
            RoutingPolicy::IpBased { location: None, .. } if is_first => {
                "the default: no block of another record's location decides".to_owned()
            }
            RoutingPolicy::IpBased { .. } => format!("the longest block that contains the client{among}"),
        }
    }

    fn is_for_china(&self) -> bool {
        let trips = self.steps.0.iter().filter_map(|step| match step {
            PolicyStep::RoundTrips(trips) => Some(trips),
            _ => None,
        });
        trips.flatten().any(|trip| trip.for_china && self.choice.members.contains(&trip.member))
    }

    fn unhealthy(&self, set: &ResourceRecordSet, check: Option<&CheckShape>) -> String {
        if let Some(check) = check.filter(|check| !check.healthy) {
            return unhealthy_check(check);
        }
        match &set.content {
            Content::Alias(target) if target.hosted_zone.is_some() => match self.names.0.resource_of(target) {
                Some(resource) => format!("unhealthy: so is the health check of its alias target `{}`", resource.name),
                None => format!("unhealthy: no `[[alias_target]]` matches its target {}", target.name),
            },
            Content::Alias(target) if self.names.sets(&self.names.0.target_of(self.key, target)).is_empty() => {
                format!("unhealthy: its target {} has no {} records", target.name, self.key.record_type)
            }
            Content::Alias(target) if target.evaluate_target_health => {
                format!("unhealthy: no record of its target {} is healthy", target.name)
            }
            _ => "unhealthy".to_owned(),
        }
    }

    fn not_for_client(&self, set: &ResourceRecordSet) -> String {
        match &set.routing_policy {
            RoutingPolicy::Geolocation { .. } if self.client.is_located => {
                "the client is not there, or a smaller area decides".to_owned()
            }
            RoutingPolicy::Geolocation { .. } => "the client's location is unknown".to_owned(),
            RoutingPolicy::IpBased { location: Some(_), .. } => {
                "no block of this location decides for the client".to_owned()
            }
            _ => "not for this client".to_owned(),
        }
    }

    /// The reason for the choice, in a sentence about the whole group.
    fn why(&self) -> String {
        let Some(&first) = self.choice.members.first() else { return self.why_no_record() };
        let Some(set) = self.sets.get(usize::from(first)) else { return String::new() };
        if self.failed_open() {
            let all = if self.sets.len() == 1 { "It is unhealthy" } else { "Nothing is healthy" };
            let id = self.called(first);
            return match self.sets.len() {
                1 => format!("{all}, and there is no other record, so {id} answers anyway."),
                _ => format!("{all}, so all records count as healthy, and {id} answers (fail-open)."),
            };
        }
        let kept = self.keeps_last_healthy();
        match &set.routing_policy {
            RoutingPolicy::Simple => "There is one record, and it answers with all its values.".to_owned(),
            RoutingPolicy::MultivalueAnswer => {
                let (chosen, of) = (self.choice.members.len(), self.usable.iter().filter(|usable| **usable).count());
                format!("{chosen} of {of} healthy records answer.{kept}")
            }
            _ => format!("{} answers: {}.{kept}", self.called(first), self.chosen(set)),
        }
    }

    fn why_no_record(&self) -> String {
        match self.policy() {
            RoutingPolicy::Geolocation { .. } if self.order.is_empty() => {
                "No record is for an area that contains the client, and there is no default: no answer.".to_owned()
            }
            RoutingPolicy::IpBased { .. } if self.names.0.is_private() => {
                "IP-based routing is not supported in private hosted zones: no answer.".to_owned()
            }
            RoutingPolicy::IpBased { .. } if self.order.is_empty() => {
                "No block of a record's location decides for the client, and there is no default: no answer.".to_owned()
            }
            _ if !self.fails_open => {
                "Nothing is healthy, and this group then gives no answer (when_all_unhealthy = \"none\").".to_owned()
            }
            _ => "No record answers.".to_owned(),
        }
    }

    /// Members that answer though a check says otherwise: the group keeps answering as when
    /// something was healthy.
    fn keeps_last_healthy(&self) -> &'static str {
        let rule = self.names.0.settings_of(self.key).map(|settings| settings.when_all_unhealthy);
        let is_down = |set: &ResourceRecordSet| {
            let check = set.health_check.as_ref().and_then(self.context.checks);
            check.is_some_and(|check| !check.healthy)
        };
        let chosen = || self.choice.members.iter().filter_map(|&member| self.sets.get(usize::from(member)));
        match rule {
            Some(WhenAllUnhealthy::LastHealthy) if chosen().any(|set| is_down(set)) => {
                " Nothing is healthy now: the records that were healthy last answer (when_all_unhealthy = \"last_healthy\")."
            }
            _ => "",
        }
    }

    fn called(&self, member: MemberIndex) -> String {
        let set = self.sets.get(usize::from(member));
        let id = set.and_then(|set| set.set_identifier.clone());
        id.unwrap_or_else(|| "the record".to_owned())
    }

    /// Tickets as a weight, rounded up: while anything drains or starts slowly there are 255 of
    /// them to each point of it.
    fn weight(&self, tickets: u32) -> u32 {
        if self.weight_shares.is_some() { tickets.div_ceil(u32::from(u8::MAX)) } else { tickets }
    }

    /// How many could have been drawn.
    fn draw_among(&self) -> usize {
        self.steps.shares().iter().filter(|(_, share)| *share > 0.0).count()
    }

    fn draw(&self) -> Option<String> {
        let draw = self.steps.0.iter().find_map(|step| match step {
            PolicyStep::Draw(draw) => Some(draw),
            _ => None,
        });
        let draw = draw.filter(|_| self.draw_among() > 1)?;
        let all: u32 = draw.tickets.iter().map(|(_, tickets)| self.weight(*tickets)).sum();
        let &first = self.choice.members.first()?;
        let won =
            draw.tickets.iter().find(|(member, _)| *member == first).map_or(0, |(_, tickets)| self.weight(*tickets));
        Some(match draw.by {
            _ if draw.winners > 1 => format!("{} of {} at random, in random order", draw.winners, draw.tickets.len()),
            DrawBy::Weight => format!("{} won with weight {won} of {all}", self.called(first)),
            DrawBy::Evenly => format!("{} won, one of {all} with equal chances", self.called(first)),
        })
    }

    /// The figures that the policy went by.
    fn measure(&self, member: MemberIndex, set: &ResourceRecordSet, shape: &mut CandidateShape) {
        for step in &self.steps.0 {
            match step {
                PolicyStep::Draw(draw) if matches!(set.routing_policy, RoutingPolicy::Weighted { .. }) => {
                    let all: u32 = draw.tickets.iter().map(|(_, tickets)| self.weight(*tickets)).sum();
                    let own = draw.tickets.iter().find(|(known, _)| *known == member);
                    let own = own.map(|(_, tickets)| self.weight(*tickets));
                    shape.measure = own.filter(|own| *own > 0).map(|own| format!("{own} of {all}"));
                }
                PolicyStep::RoundTrips(trips) => {
                    let Some(trip) = trips.iter().find(|trip| trip.member == member) else { continue };
                    shape.round_trip_ms = trip.ms;
                    shape.measure = Some(round_trip(trip.ms, trip.basis));
                }
                PolicyStep::Distances(distances) => {
                    let Some(distance) = distances.iter().find(|distance| distance.member == member) else { continue };
                    (shape.distance_km, shape.biased_km) = (distance.km, distance.biased_km);
                    shape.measure = Some(kilometres(distance.km, distance.biased_km));
                }
                PolicyStep::Blocks { blocks, .. } => {
                    let block = blocks.iter().find(|block| block.matches && block.member == Some(member));
                    shape.measure = block.and_then(|block| self.client.block(block.length));
                }
                _ => {}
            }
        }
    }
}

/// The members in the policy's order of preference; those that it does not look at for this client
/// are left out.
fn order(steps: &PolicySteps, usable: &[bool]) -> Vec<MemberIndex> {
    let everybody = || MemberIndex::number(usable).map(|(member, _)| member).collect();
    let order = steps.0.iter().find_map(|step| match step {
        PolicyStep::Pair(pair) => Some(pair.iter().map(|(_, member)| *member).collect()),
        PolicyStep::Areas(areas) => Some(areas.iter().filter_map(|(_, member)| *member).collect()),
        PolicyStep::Blocks { preferred, .. } => Some(preferred.clone()),
        PolicyStep::RoundTrips(trips) => Some(trips.iter().map(|trip| trip.member).collect()),
        PolicyStep::Distances(distances) => Some(distances.iter().map(|distance| distance.member).collect()),
        _ => None,
    });
    let mut order: Vec<MemberIndex> = order.unwrap_or_else(everybody);
    let mut seen = std::collections::HashSet::new();
    order.retain(|member| seen.insert(*member));
    order
}

/// What the policy does (Developer Guide, "Choosing a routing policy").
fn rule(policy: &RoutingPolicy) -> &'static str {
    match policy {
        RoutingPolicy::Simple => "all values of the one record",
        RoutingPolicy::Weighted { .. } => "a healthy record at random, each by its weight over the sum of weights",
        RoutingPolicy::Latency { .. } => "the healthy record in the region with the lowest latency to the client",
        RoutingPolicy::Failover { .. } => "the primary while it is healthy, else the secondary",
        RoutingPolicy::Geolocation { .. } => "the healthy record for the smallest area that contains the client",
        RoutingPolicy::Geoproximity { .. } => "the healthy record with the smallest distance, changed by its bias",
        RoutingPolicy::MultivalueAnswer => "up to eight healthy records at random",
        RoutingPolicy::IpBased { .. } => "the healthy record for the longest CIDR block that contains the client",
    }
}

fn why_not_preferred(policy: &RoutingPolicy) -> &'static str {
    match policy {
        RoutingPolicy::Weighted { .. } => "weight 0: a standby for when no record with a weight is healthy",
        RoutingPolicy::Latency { .. } => "a higher latency",
        RoutingPolicy::Failover { role: FailoverRole::Secondary } => "the primary is healthy",
        RoutingPolicy::Failover { role: FailoverRole::Primary } => "the secondary answers",
        RoutingPolicy::Geolocation { .. } => "a larger area",
        RoutingPolicy::Geoproximity { .. } => "farther away, bias included",
        RoutingPolicy::IpBased { .. } => "a shorter block",
        RoutingPolicy::MultivalueAnswer | RoutingPolicy::Simple => "another one answers",
    }
}

/// What a record is to its policy.
fn role(policy: &RoutingPolicy) -> String {
    match policy {
        RoutingPolicy::Simple | RoutingPolicy::MultivalueAnswer => String::new(),
        RoutingPolicy::Weighted { weight } => format!("weight {weight}"),
        RoutingPolicy::Latency { region } => region.to_string(),
        RoutingPolicy::Failover { role: FailoverRole::Primary } => "PRIMARY".to_owned(),
        RoutingPolicy::Failover { role: FailoverRole::Secondary } => "SECONDARY".to_owned(),
        RoutingPolicy::Geolocation { location } => match location {
            GeoLocation::Continent(continent) => format!("continent {}", continent.code()),
            GeoLocation::Country(country) => format!("country {country}"),
            GeoLocation::Subdivision(country, subdivision) => format!("subdivision {country}-{subdivision}"),
            GeoLocation::Default => "default".to_owned(),
        },
        RoutingPolicy::Geoproximity { location, bias } => {
            if *bias == 0 {
                location.to_string()
            } else {
                format!("{location}, bias {bias:+}")
            }
        }
        RoutingPolicy::IpBased { location, .. } => format!("location {}", location.as_deref().unwrap_or("*")),
    }
}

fn round_trip(ms: Option<f64>, basis: TripBasis) -> String {
    match (ms, basis) {
        (Some(ms), TripBasis::Measured) => format!("{ms:.1} ms, as measured"),
        (Some(ms), TripBasis::Home) => format!("{ms:.1} ms, the client's own region"),
        (Some(ms), _) => format!("{ms:.1} ms, by distance"),
        (None, _) => "unknown, because the client's location is".to_owned(),
    }
}

fn kilometres(km: Option<f64>, biased: Option<f64>) -> String {
    match (km, biased) {
        (Some(km), Some(biased)) if (km - biased).abs() > 0.5 => format!("{km:.0} km, as if {biased:.0} km"),
        (Some(km), _) => format!("{km:.0} km"),
        (None, _) => "unknown, because the client's location is".to_owned(),
    }
}

/// Such as `health check blue is unhealthy for 3 min: Failure: …`.
fn unhealthy_check(check: &CheckShape) -> String {
    if check.as_if {
        return format!("health check {} is down, as assumed", check.name);
    }
    let ago = check.ago.as_ref().map(|ago| format!(" for {ago}")).unwrap_or_default();
    let because = match (&check.overridden, &check.agreement, &check.last_result) {
        (Some(overridden), ..) => format!(", {overridden}"),
        (None, Some(agreement), Some(result)) => format!(": {agreement}; here: {result}"),
        (None, Some(why), None) | (None, None, Some(why)) => format!(": {why}"),
        (None, None, None) => String::new(),
    };
    format!("health check {} is unhealthy{ago}{because}", check.name)
}
