//! An explanation as a tree.

use crate::cli::output::first_of;
use crate::cli::paint::{Colour, Paint};
use crate::cli::tree::{Branch, column_count};
use crate::explain::json::{
    AliasShape, AnswerShape, CandidateOutcome, CandidateShape, CheckShape, ClientShape, Explanation, GroupShape,
    LastChangeShape, MessageShape, RecordShape, ShareShape, StepShape, ZoneShape,
};

/// The most candidates that are shown; the others are counted.
const MOST_CANDIDATES: usize = 20;
/// The most shares that are shown.
const MOST_SHARES: usize = 20;
/// The most values of one record that are shown.
const MOST_VALUES: usize = 4;

/// The whole explanation.
pub(super) fn text(explanation: &Explanation, paint: Paint, width: usize) -> String {
    let mut tree = root(explanation);
    tree = tree.with_all(explanation.zone.as_ref().map(zone));
    tree = tree.with_all(explanation.client.as_ref().map(client));
    tree = tree.with_all(explanation.steps.iter().map(step));
    tree = tree.with_all(answer(&explanation.answer, explanation.zone.as_ref()));
    tree = tree.with_all(shares(explanation));
    let legend = "● answers   ○ could answer   ✗ unhealthy   · not for this client";
    let has_groups = explanation.steps.iter().any(|step| matches!(step, StepShape::Group(_)));
    let legend = if has_groups { format!("\n{}\n", paint.paint(Colour::Dim, legend)) } else { String::new() };
    format!("{}{legend}", tree.draw(paint, width))
}

fn root(explanation: &Explanation) -> Branch {
    let question = &explanation.question;
    let subnet = question.subnet.as_ref().map(|subnet| format!(" for clients in {subnet}")).unwrap_or_default();
    let mut root = Branch::text(format!("asked by {}{subnet}", question.resolver))
        .column(format!("{} {}  ", question.name, question.record_type), Some(Colour::Strong));
    if !question.as_if.is_empty() {
        root = root.with(line("as if", question.as_if.join(", ")));
    }
    root.with(line("source", question.source.clone()))
}

/// The width of the column with the label of each line.
fn line(what: &str, text: impl Into<String>) -> Branch {
    Branch::text(text).column(format!("{what:<9}"), Some(Colour::Strong))
}

fn zone(zone: &ZoneShape) -> Branch {
    line("zone", format!("{}, {}", zone.name, zone.why))
}

fn client(client: &ClientShape) -> Branch {
    let location = match &client.location {
        Some(location) => line("location", format!("{location}: {}", client.location_source)),
        None => line("location", client.location_source.clone()),
    };
    line("client", format!("{}: {}", client.network, client.address_source)).with(location)
}

fn step(step: &StepShape) -> Branch {
    match step {
        StepShape::Name(name) => line("name", format!("{} {}", name.name, name.why.trim_start_matches("it "))),
        StepShape::Group(group) => policy(group),
        StepShape::Alias(alias) => line("alias", format!("of {} {}: {}", alias.target, alias.record_type, alias.why)),
        StepShape::NegativeAnswer(negative_answer) => {
            line(&negative_answer.kind.to_lowercase(), negative_answer.why.clone())
        }
    }
}

fn policy(group: &GroupShape) -> Branch {
    let widths = Widths::of(&group.candidates);
    let shown = group.candidates.iter().take(MOST_CANDIDATES).map(|candidate| widths.candidate(candidate));
    let more = group.candidates.len().saturating_sub(MOST_CANDIDATES);
    let more = (more > 0).then(|| Branch::text(format!("and {more} more; --json has them all")).coloured(Colour::Dim));
    let policy = format!("{} {}, {}: {}", group.name, group.record_type, group.policy, group.rule);
    let draw = group.draw.as_ref().map(|draw| line("rng", draw.clone()));
    let origin = group.traffic_policy.as_ref().map(|origin| line("from", origin.clone()));
    line("policy", policy)
        .with_all(origin)
        .with_all(shown)
        .with_all(more)
        .with_all(draw)
        .with(line("so", group.why.clone()))
}

/// The widths of the columns of candidates.
struct Widths {
    id: usize,
    role: usize,
    measure: usize,
    /// Whether any share is neither 0 nor 1.
    shares: bool,
}

impl Widths {
    fn of(candidates: &[CandidateShape]) -> Widths {
        let widest = |column: &dyn Fn(&CandidateShape) -> usize| {
            let widest = candidates.iter().take(MOST_CANDIDATES).map(column).max().unwrap_or(0);
            if widest == 0 { 0 } else { widest + 2 }
        };
        Widths {
            id: widest(&|candidate| column_count(id(candidate))),
            role: widest(&|candidate| column_count(&candidate.role)),
            measure: widest(&|candidate| candidate.measure.as_deref().map_or(0, column_count)),
            shares: candidates.iter().any(|candidate| candidate.share > 0.0 && candidate.share < 1.0),
        }
    }

    fn candidate(&self, candidate: &CandidateShape) -> Branch {
        let (mark, colour) = match candidate.outcome {
            CandidateOutcome::Chosen => ("● ", Some(Colour::Good)),
            CandidateOutcome::Eligible => ("○ ", None),
            CandidateOutcome::NotPreferred => ("○ ", None),
            CandidateOutcome::Unhealthy => ("✗ ", Some(Colour::Bad)),
            CandidateOutcome::NotForClient => ("· ", Some(Colour::Dim)),
        };
        let id_colour = match candidate.outcome {
            CandidateOutcome::NotForClient => Some(Colour::Dim),
            _ => colour,
        };
        let mut branch = Branch::text(candidate.why.clone())
            .column(mark, colour)
            .column(format!("{:<1$}", id(candidate), self.id), id_colour)
            .column(format!("{:<1$}", candidate.role, self.role), None)
            .column(format!("{:<1$}", candidate.measure.as_deref().unwrap_or_default(), self.measure), None);
        if self.shares {
            branch = branch.column(format!("{:>6}  ", percent(candidate.share)), None);
        }
        branch
            .with(Branch::text(answers_with(candidate)).coloured(Colour::Dim))
            .with_all(candidate.check.as_ref().map(|check| Branch::text(health(check)).coloured(Colour::Dim)))
            .with_all(candidate.last_change.as_ref().map(|change| Branch::text(changed(change)).coloured(Colour::Dim)))
    }
}

fn id(candidate: &CandidateShape) -> &str {
    candidate.set_identifier.as_deref().unwrap_or("the record")
}

fn answers_with(candidate: &CandidateShape) -> String {
    let target = |alias: &AliasShape| match &alias.alias_target {
        Some(name) => format!("{} (alias target `{name}`)", alias.target),
        None => alias.target.clone(),
    };
    match (&candidate.alias, candidate.ttl) {
        (Some(alias), _) if alias.evaluate_target_health => {
            format!("alias of {}, whose health counts (EvaluateTargetHealth)", target(alias))
        }
        (Some(alias), _) => format!("alias of {}, whose health does not count", target(alias)),
        (None, ttl) => format!("{}, TTL {} s", first_of(&candidate.values, MOST_VALUES), ttl.unwrap_or_default()),
    }
}

/// Such as `changed 3 min ago by key terraform: ChangeResourceRecordSets`.
fn changed(change: &LastChangeShape) -> String {
    let LastChangeShape { ago, change, author, operation, .. } = change;
    format!("{change} {ago} ago by {author}: {operation}")
}

/// Such as `health check blue: healthy for 3 min; last result: Success: HTTP Status Code 200, OK`.
fn health(check: &CheckShape) -> String {
    let mut text = format!("health check {}: {}", check.name, if check.healthy { "healthy" } else { "unhealthy" });
    if check.as_if {
        text.push_str(", as assumed");
    }
    if check.disabled {
        text.push_str(", disabled");
    }
    if let (Some(since), Some(ago)) = (&check.since, &check.ago) {
        text.push_str(&format!(" since {since} ({ago})"));
    }
    if let Some(overridden) = &check.overridden {
        text.push_str(&format!("; {overridden}"));
    }
    if let Some(agreement) = check.agreement.as_ref().filter(|_| !check.as_if) {
        text.push_str(&format!("; {agreement}"));
    }
    if let Some(result) = check.last_result.as_ref().filter(|_| !check.as_if) {
        text.push_str(&format!("; last result: {result}"));
    }
    text
}

fn answer(answer: &AnswerShape, zone: Option<&ZoneShape>) -> Vec<Branch> {
    let authority = if answer.authoritative { "authoritative" } else { "not authoritative" };
    let records = answer.answer.iter().map(|one| record(one, "")).chain(end(answer, zone));
    let answer_line =
        line("answer", format!("{}, {authority}, {}", answer.rcode, count(&answer.answer))).with_all(records);
    let ttl = (!answer.ttl_why.is_empty()).then(|| line("ttl", answer.ttl_why.clone()));
    let scope = line("scope", format!("/{}: {}", answer.scope, answer.scope_why));
    [Some(answer_line), ttl, size(&answer.messages), Some(scope)].into_iter().flatten().collect()
}

/// The number of records, and their order.
fn count(records: &[RecordShape]) -> String {
    let sets = records.chunk_by(|one, other| (&one.name, &one.record_type) == (&other.name, &other.record_type));
    let has_several = sets.clone().any(|set| set.len() > 1);
    match (records.len(), sets.count()) {
        (0, _) => "no records".to_owned(),
        (1, _) => "1 record".to_owned(),
        (count, 1) => format!("{count} records, in random order on the wire"),
        (count, _) if has_several => {
            format!("{count} records, in this order on the wire, the values of a set at random")
        }
        (count, _) => format!("{count} records, in this order on the wire"),
    }
}

/// The records after the answer section: the SOA of a negative answer, a delegation, the addresses
/// of names in the answer. Not the zone's own name servers, with which nearly every answer ends.
fn end(answer: &AnswerShape, zone: Option<&ZoneShape>) -> Vec<Branch> {
    let is_own = |one: &RecordShape| one.record_type == "NS" && zone.is_none_or(|zone| one.name == zone.name);
    let own_servers: Vec<&str> =
        answer.authority.iter().filter(|one| is_own(one)).map(|one| one.data.as_str()).collect();
    let authority = answer.authority.iter().filter(|one| !is_own(one)).map(|one| record(one, "authority: "));
    let additional = answer.additional.iter().filter(|one| !own_servers.contains(&one.name.as_str()));
    authority.chain(additional.map(|one| record(one, "additional: "))).collect()
}

/// Whether each kind of message can carry the answer: one line if all can.
fn size(messages: &[MessageShape]) -> Option<Branch> {
    let first = messages.first()?;
    if messages.iter().all(|message| message.why == first.why) {
        return Some(line(
            "size",
            format!("{} bytes over {}, {} in every message", first.bytes, first.transport, first.why),
        ));
    }
    let row = |message: &MessageShape| {
        let colour = if message.truncated { Some(Colour::Bad) } else { None };
        Branch::text(message.why.clone())
            .column(format!("{:<18}", message.transport), None)
            .column(format!("{:>5} of {:>5} bytes  ", message.bytes, message.max_bytes), colour)
    };
    Some(line("size", "by the message that carries it").with_all(messages.iter().map(row)))
}

fn record(record: &RecordShape, section: &str) -> Branch {
    let RecordShape { name, ttl, record_type, data } = record;
    Branch::text(format!("{section}{name} {ttl} {record_type} {data}")).coloured(Colour::Good)
}

/// The shares, if answers differ.
fn shares(explanation: &Explanation) -> Option<Branch> {
    let shares = &explanation.shares;
    if shares.iter().all(|share| share.share > 0.999_999) {
        return None;
    }
    let names = shares.iter().map(|share| column_count(&called(share))).max().unwrap_or(0);
    let row = |share: &ShareShape| {
        Branch::text(first_of(&share.values, MOST_VALUES))
            .column(format!("{:>6}  ", percent(share.share)), None)
            .column(format!("{:<1$}  ", called(share), names), None)
    };
    let more = shares.len().saturating_sub(MOST_SHARES);
    let more = (more > 0).then(|| Branch::text(format!("and {more} more; --json has them all")));
    let what = match explanation.shares_complete {
        true => "the share of answers to such a client with each record",
        false => "the share of answers to such a client with each record; some branches were not followed",
    };
    Some(line("shares", what).with_all(shares.iter().take(MOST_SHARES).map(row)).with_all(more))
}

fn called(share: &ShareShape) -> String {
    let id = share.set_identifier.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    format!("{} {}{id}", share.name, share.record_type)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
