//! Reads one zone file, without looking at others.

use super::super::document::Diagnostics;
use super::super::keys;
use super::super::table::{At, Table};
use super::definition::{
    Defined, MAX_CALLER_REFERENCE_CHARACTERS, MAX_COMMENT_CHARACTERS, read_caller_reference, read_tags,
};
use super::group::GroupDraft;
use super::vpc::{WrittenVpc, read_vpc};
use super::{ReferenceKind, alias_target, attachments, collection, group, health_check, name, record, traffic_policy};
use crate::background;
use crate::model::{CidrCollection, DelegationSet, Name, Tags, TrafficPolicy};

use super::super::tree::Entries;
use super::super::value;

/// What only a file with a zone can have, besides records.
const NEEDS_ZONE: [&str; 12] = [
    "id",
    "comment",
    "vpcs",
    "caller_reference",
    "tags",
    "record_group",
    "authorized_vpcs",
    "delegation_set",
    "query_logging",
    "accelerated_recovery",
    "protections",
    "traffic_policy_instances",
];

/// A placeholder for a missing zone name (RFC 6761 section 6.4). It is never shown.
const NAMELESS: &str = "zone-without-a-name.invalid.";

/// A zone file with unresolved references.
pub(super) struct Draft {
    pub(super) zone: Option<ZoneDraft>,
    pub(super) health_checks: Vec<Defined<health_check::Draft>>,
    /// The child checks that checks refer to, with positions, even if a check has errors.
    pub(super) child_health_checks: Vec<At<String>>,
    /// The references of records and checks that cannot be read.
    pub(super) unread_references: Vec<(ReferenceKind, At<String>)>,
    pub(super) collections: Vec<Defined<CidrCollection>>,
    pub(super) delegation_sets: Vec<Defined<DelegationSet>>,
    pub(super) traffic_policies: Vec<Defined<TrafficPolicy>>,
    pub(super) alias_targets: Vec<Defined<alias_target::Draft>>,
    /// The health checks that these refer to, even if one has errors.
    pub(super) checks_of_targets: Vec<At<String>>,
}

/// A hosted zone with unresolved references.
pub(super) struct ZoneDraft {
    pub(super) name: At<Name>,
    pub(super) id: Option<At<String>>,
    pub(super) comment: Option<String>,
    /// `None` for a public zone.
    pub(super) vpcs: Option<Vec<WrittenVpc>>,
    pub(super) caller_reference: Option<String>,
    pub(super) tags: Tags,
    pub(super) attachments: attachments::AttachmentsDraft,
    pub(super) records: Vec<record::RecordDraft>,
    pub(super) record_groups: Vec<GroupDraft>,
    /// True when some records could not be read and are missing here.
    pub(super) is_incomplete: bool,
}

/// Reads a file's tables.
pub(super) fn read(root: &Entries<'_>, diagnostics: &mut Diagnostics<'_>) -> Draft {
    let start = diagnostics.text().len().min(1);
    let root = Table::open(root, &keys::ZONE_FILE, 0..start, diagnostics);
    root.integer("version", diagnostics);
    let (mut health_checks, mut child_health_checks, mut unread_references) = (Vec::new(), Vec::new(), Vec::new());
    for table in root.tables("health_check", diagnostics) {
        let check = health_check::read(&table, diagnostics);
        let children = health_check::references(&table);
        if check.as_ref().is_none_or(|check| check.value.is_none()) {
            unread_references.extend(children.iter().map(|child| (ReferenceKind::HealthCheck, child.clone())));
        }
        child_health_checks.extend(children);
        health_checks.extend(check);
    }
    let collections = root.tables("cidr_collection", diagnostics);
    let collections = collections.iter().filter_map(|table| collection::read(table, diagnostics)).collect();
    let sets = root.tables("reusable_delegation_set", diagnostics);
    let delegation_sets =
        sets.iter().filter_map(|table| attachments::read_delegation_set(table, diagnostics)).collect();
    let policies = root.tables("traffic_policy", diagnostics);
    let traffic_policies = policies.iter().filter_map(|table| traffic_policy::read(table, diagnostics)).collect();
    let (mut alias_targets, mut checks_of_targets) = (Vec::new(), Vec::new());
    for table in root.tables("alias_target", diagnostics) {
        let target = alias_target::read(&table, diagnostics);
        let check = alias_target::reference(&table);
        if target.as_ref().is_none_or(|target| target.value.is_none()) {
            unread_references.extend(check.iter().map(|check| (ReferenceKind::HealthCheck, check.clone())));
        }
        checks_of_targets.extend(check);
        alias_targets.extend(target);
    }
    let zone = read_zone(&root, &mut unread_references, diagnostics);
    Draft {
        zone,
        health_checks,
        child_health_checks,
        unread_references,
        collections,
        delegation_sets,
        traffic_policies,
        alias_targets,
        checks_of_targets,
    }
}

/// Reads only the records of a zone with this name; `None` if one of them is unreadable.
pub(super) fn read_records(
    root: &Entries<'_>,
    zone: &Name,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Vec<record::RecordDraft>> {
    let root = Table::open(root, &keys::ZONE_FILE, 0..0, diagnostics);
    root.tables("record", diagnostics).iter().map(|table| record::read(table, zone, diagnostics)).collect()
}

fn read_zone(
    root: &Table<'_>,
    unread_references: &mut Vec<(ReferenceKind, At<String>)>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<ZoneDraft> {
    let records = root.tables("record", diagnostics);
    let groups = root.tables("record_group", diagnostics);
    if !root.has("name") {
        refuse_what_needs_a_zone(root, &records, diagnostics);
    }
    let written = root.string("name", diagnostics);
    let zone = written.as_ref().and_then(|written| name::of_zone(written, diagnostics));
    let origin = zone.clone().unwrap_or_else(|| Name::parse(NAMELESS).expect("a constant name"));
    let mut drafts = Vec::with_capacity(records.len());
    for table in background::yielding(&records) {
        match record::read(table, &origin, diagnostics) {
            Some(draft) if zone.is_some() => drafts.push(draft),
            // Without a zone the records are read only to report their errors.
            _ => unread_references.extend(record::references(table)),
        }
    }
    let record_groups = groups.iter().filter_map(|table| group::read(table, &origin, diagnostics)).collect();
    let is_incomplete = diagnostics.has_broken_syntax() || drafts.len() < records.len();
    let name = At::new(zone?, written?.span);
    let caller_reference = read_caller_reference(root, MAX_CALLER_REFERENCE_CHARACTERS, diagnostics);
    Some(ZoneDraft {
        name,
        id: value::hosted_zone_id(root, "id", diagnostics).map(|id| id.map(|id| id.0)),
        comment: read_comment(root, diagnostics),
        vpcs: read_vpcs(root, diagnostics),
        caller_reference: caller_reference.map(|reference| reference.value),
        tags: read_tags(root, diagnostics),
        attachments: attachments::read(root, &origin, diagnostics),
        records: drafts,
        record_groups,
        is_incomplete,
    })
}

fn refuse_what_needs_a_zone(root: &Table<'_>, records: &[Table<'_>], diagnostics: &mut Diagnostics<'_>) {
    if diagnostics.has_broken_syntax() {
        return;
    }
    let hint = "add `name`, such as name = \"lab.test\"; a file without it can define only checks, collections and alias targets";
    if let Some(record) = records.first() {
        diagnostics.error(record.span.clone(), "records need a zone").label("the file has no `name`").hint(hint);
    }
    for key in NEEDS_ZONE.into_iter().filter(|key| root.has(key)) {
        diagnostics
            .error(root.key_span(key), format!("`{key}` needs a zone"))
            .label("the file has no `name`")
            .hint(hint);
    }
}

fn read_comment(root: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let written = root.string("comment", diagnostics)?;
    if written.value.chars().count() > MAX_COMMENT_CHARACTERS {
        let message = format!("`comment` must have at most {MAX_COMMENT_CHARACTERS} characters");
        diagnostics.error(written.span, message).label(format!("{} characters", written.value.chars().count()));
        return None;
    }
    Some(written.value.to_owned())
}

fn read_vpcs(root: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Vec<WrittenVpc>> {
    let written = root.strings_and_tables("vpcs", diagnostics)?;
    if written.is_empty() && !diagnostics.is_broken(&root.span_of("vpcs")) {
        let diagnostic = diagnostics.error(root.span_of("vpcs"), "`vpcs` must name at least one VPC");
        diagnostic.label("an empty list").hint("leave out `vpcs` to make the zone public");
    }
    Some(written.into_iter().filter_map(|vpc| read_vpc(vpc, diagnostics)).collect())
}
