//! `[[record]]`: one resource record set.

use std::borrow::Cow;
use std::ops::Range;

use super::super::document::Diagnostics;
use super::super::table::{At, Table};
use super::super::{value, words};
use super::{ReferenceKind, name, policy};
use crate::model::Field;
use crate::model::{AliasService, AliasTarget, Content, Name, RecordData, RecordType, ResourceRecordSet, Ttl};

/// The keys of the content: `ttl` and `values`, or `alias`.
const CONTENT: [&str; 3] = ["ttl", "values", "alias"];

/// A record set with unresolved references.
pub(super) struct RecordDraft {
    /// Without its health check and its collection.
    pub(super) set: ResourceRecordSet,
    pub(super) health_check: Option<At<String>>,
    pub(super) cidr: Option<policy::CidrReference>,
    /// The target of an alias that names a hosted zone which may be its own: its name is relative
    /// then.
    pub(super) relative_target: Option<At<String>>,
    pub(super) spans: Spans,
    /// True when part of it could not be read. No further diagnostics are made about it then.
    pub(super) is_faulty: bool,
}

/// The positions of the parts of a record.
pub(super) struct Spans {
    name: Range<usize>,
    record_type: Range<usize>,
    ttl: Range<usize>,
    values: Range<usize>,
    set_identifier: Range<usize>,
    policy: Range<usize>,
    alias: Range<usize>,
    health_check: Range<usize>,
}

impl Spans {
    fn of(table: &Table<'_>) -> Spans {
        let whole = || table.span.clone();
        let mut spans = Spans {
            name: whole(),
            record_type: whole(),
            ttl: whole(),
            values: whole(),
            set_identifier: whole(),
            policy: whole(),
            alias: whole(),
            health_check: whole(),
        };
        for (key, span) in table.spans() {
            match key {
                "name" => spans.name = span,
                "type" => spans.record_type = span,
                "ttl" => spans.ttl = span,
                "values" => spans.values = span,
                "set_identifier" => spans.set_identifier = span,
                "alias" => spans.alias = span,
                "health_check" => spans.health_check = span,
                _ => spans.policy = policy::span(table),
            }
        }
        spans
    }

    pub(super) fn get(&self, field: Field) -> Range<usize> {
        match field {
            Field::Name => self.name.clone(),
            Field::Type => self.record_type.clone(),
            Field::Ttl => self.ttl.clone(),
            Field::Values => self.values.clone(),
            Field::SetIdentifier => self.set_identifier.clone(),
            Field::Policy => self.policy.clone(),
            Field::Alias => self.alias.clone(),
            Field::HealthCheck => self.health_check.clone(),
        }
    }
}

/// Reads a record; `None` when so much is unreadable that the zone's rules cannot be checked.
pub(super) fn read(table: &Table<'_>, zone: &Name, diagnostics: &mut Diagnostics<'_>) -> Option<RecordDraft> {
    let mark = diagnostics.mark();
    let name = read_name(table, zone, diagnostics);
    let record_type = read_type(table, diagnostics);
    let set_identifier = table.string("set_identifier", diagnostics);
    let policy = policy::read(table, diagnostics);
    let ContentDraft { content, target, relative_target } = read_content(table, record_type, zone, diagnostics);
    let health_check = table.string("health_check", diagnostics).map(|text| text.map(str::to_owned));
    let (routing_policy, cidr) = policy?;
    let set = ResourceRecordSet {
        name: name?,
        record_type: record_type?,
        set_identifier: set_identifier.map(|text| text.value.to_owned()),
        routing_policy,
        content: content?,
        health_check: None,
    };
    let is_misspelt = CONTENT.iter().any(|key| table.is_misspelt(key));
    let is_faulty = diagnostics.has_error_since(mark) || is_misspelt || !table.is_whole(diagnostics);
    let alias = target.unwrap_or_else(|| table.span_of("alias"));
    let spans = Spans { alias, ..Spans::of(table) };
    Some(RecordDraft { set, health_check, cidr, relative_target, spans, is_faulty })
}

/// The definitions that a record refers to, even if the record itself cannot be read.
pub(super) fn references(table: &Table<'_>) -> Vec<(ReferenceKind, At<String>)> {
    let check = table.string_as_written("health_check").map(|name| (ReferenceKind::HealthCheck, name));
    let collection = table.inner_string_as_written("cidr", "collection");
    let collection = collection.map(|name| (ReferenceKind::Collection, name));
    check.into_iter().chain(collection).map(|(kind, name)| (kind, name.map(str::to_owned))).collect()
}

pub(super) fn read_name(table: &Table<'_>, zone: &Name, diagnostics: &mut Diagnostics<'_>) -> Option<Name> {
    table.require("name", "such as name = \"www\"; the zone itself is name = \"@\"", diagnostics);
    let written = table.string("name", diagnostics)?;
    name::in_zone(&written, zone, diagnostics)
}

pub(super) fn read_type(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<RecordType> {
    table.require("type", "such as type = \"A\"", diagnostics);
    let written = table.string("type", diagnostics)?;
    let found = written.value.parse().ok();
    if found.is_none() {
        let known = RecordType::ALL.map(RecordType::as_str);
        let diagnostic = diagnostics.error(written.span, format!("unknown record type `{}`", written.value));
        diagnostic.label(format!("expected {}", words::one_of(&known)));
        if ["ALIAS", "ANAME"].contains(&written.value.to_ascii_uppercase().as_str()) {
            diagnostic
                .hint("an alias has the type of its target, and `alias = { target = …, evaluate_target_health = … }`");
        } else if let Some(meant) = words::meant(written.value, &known) {
            diagnostic.hint(format!("did you mean `{meant}`?"));
        }
    }
    found
}

/// The content of a record, and the position of an alias target.
#[derive(Default)]
struct ContentDraft {
    content: Option<Content>,
    target: Option<Range<usize>>,
    relative_target: Option<At<String>>,
}

/// Either `ttl` and `values`, or `alias`.
fn read_content(
    table: &Table<'_>,
    record_type: Option<RecordType>,
    zone: &Name,
    diagnostics: &mut Diagnostics<'_>,
) -> ContentDraft {
    check_exactly_one_content(table, diagnostics);
    if table.has("alias") {
        let Some(alias) = table.table("alias", diagnostics) else { return ContentDraft::default() };
        let (content, relative_target) = read_alias(&alias, zone, diagnostics).unzip();
        let relative_target = relative_target.flatten();
        return ContentDraft { content, target: Some(alias.span_of("target")), relative_target };
    }
    let ttl = table.duration("ttl", diagnostics);
    let ttl = ttl.and_then(|ttl| Ttl::try_from(ttl.value.as_secs()).ok());
    let values = read_values(table, record_type, zone, diagnostics);
    // A bad TTL or value is already an error. The set is kept, so that the other sets of its group
    // are checked correctly.
    let content = Content::Records { ttl: ttl.unwrap_or_default(), values };
    ContentDraft { content: Some(content), ..ContentDraft::default() }
}

/// Uses the sentence of Route 53's InvalidInput.
fn check_exactly_one_content(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) {
    let [ttl, values, alias] = CONTENT.map(|key| table.has(key) || table.is_misspelt(key));
    if (alias && !ttl && !values) || (!alias && ttl && values) || !table.is_whole(diagnostics) {
        return;
    }
    let expected =
        "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]";
    if alias {
        let other = if values { "values" } else { "ttl" };
        let diagnostic = diagnostics.error(table.key_span(other), format!("{expected}, but found more than one"));
        diagnostic.label(format!("`{other}` together with `alias`"));
        diagnostic.hint("an alias answers with the values and TTL of its target; leave out `ttl` and `values`");
        return;
    }
    let diagnostic = diagnostics.error(table.span.clone(), format!("{expected}, but found none"));
    match (ttl, values) {
        (true, false) => diagnostic.label("`values` is missing").hint("such as values = [\"192.0.2.11\"]"),
        (false, true) => diagnostic.label("`ttl` is missing").hint("such as ttl = 300"),
        _ => diagnostic
            .label("neither `ttl` and `values` nor `alias`")
            .hint("write ttl = 300 and values = […], or alias = { target = \"app\", evaluate_target_health = true }"),
    };
}

/// The alias, and its target as it is written if that depends on the id of the zone.
fn read_alias(
    table: &Table<'_>,
    zone: &Name,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<(Content, Option<At<String>>)> {
    table.require("target", "such as target = \"app\": a name of the same zone", diagnostics);
    let hint = "true: unhealthy while the target is unhealthy; false: always healthy";
    table.require("evaluate_target_health", hint, diagnostics);
    let evaluate = table.boolean("evaluate_target_health", diagnostics);
    let hosted_zone = value::hosted_zone_id(table, "hosted_zone_id", diagnostics).map(|id| id.value);
    let target = table.string("target", diagnostics)?;
    let name = match (&hosted_zone, Name::parse(target.value)) {
        (None, _) => name::in_zone(&target, zone, diagnostics)?,
        (Some(_), Ok(name)) => name,
        (Some(_), Err(error)) => {
            name::bad_name(&target, &error, diagnostics);
            return None;
        }
    };
    let is_of_service = hosted_zone.as_ref().is_some_and(|id| AliasService::of_zone(id).is_some());
    let relative_target = (hosted_zone.is_some() && !is_of_service).then(|| target.map(str::to_owned));
    // A missing boolean is already an error.
    let evaluate_target_health = evaluate.is_some_and(|evaluate| evaluate.value);
    Some((Content::Alias(AliasTarget { name, hosted_zone, evaluate_target_health }), relative_target))
}

fn read_values(
    table: &Table<'_>,
    record_type: Option<RecordType>,
    zone: &Name,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<RecordData> {
    let written = table.strings("values", diagnostics).unwrap_or_default();
    let Some(record_type) = record_type else { return Vec::new() };
    written.iter().filter_map(|text| read_value(text, record_type, zone, diagnostics)).collect()
}

fn read_value(
    written: &At<&str>,
    record_type: RecordType,
    zone: &Name,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<RecordData> {
    match RecordData::parse(record_type, written.value) {
        Ok(data) => Some(data),
        Err(error) => {
            let absolute = made_absolute(written.value, record_type, zone);
            let span = error.character.and_then(|character| diagnostics.character(&written.span, character));
            let diagnostic = diagnostics.error(span.unwrap_or_else(|| written.span.clone()), error.message);
            diagnostic.label(format!("not a value of type {record_type}"));
            diagnostic.hint = absolute.or(error.hint).map(Cow::Owned);
            None
        }
    }
}

/// For a value that ends in a name without a dot: a hint with the absolute name. Names in values
/// are absolute, and a top-level name is hardly ever intended.
fn made_absolute(value: &str, record_type: RecordType, zone: &Name) -> Option<String> {
    let name = value.split_ascii_whitespace().next_back().filter(|name| !name.contains('.'))?;
    let absolute = format!("{value}.{zone}");
    RecordData::parse(record_type, &absolute).ok()?;
    Some(format!("names in values are absolute: write `{absolute}`; for the top-level name itself, `{name}.`"))
}
