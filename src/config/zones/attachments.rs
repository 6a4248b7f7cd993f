//! Reads what is attached to a zone: authorizations, protections, query logging, features, traffic
//! policy instances; and `[[reusable_delegation_set]]`.

use std::collections::HashSet;
use std::ops::Range;

use super::super::document::Diagnostics;
use super::super::table::{At, Table};
use super::super::{id, value};
use super::definition::{
    Defined, MAX_CALLER_REFERENCE_CHARACTERS, MAX_COMMENT_CHARACTERS, read_caller_reference, read_uuid,
};
use super::vpc::read_vpc;
use super::{record, traffic_policy};
use crate::model::{
    DelegationSet, DelegationSetId, Name, QueryLoggingConfig, RecordSetProtection, Region, VpcId, ZoneAttachments,
};

/// What is attached to a zone, with positions.
#[derive(Default)]
pub(super) struct AttachmentsDraft {
    pub(super) attachments: ZoneAttachments,
    pub(super) instance_spans: Vec<Range<usize>>,
}

/// What is attached to the zone `zone`, and where its traffic policy instances are written.
pub(super) fn read(root: &Table<'_>, zone: &Name, diagnostics: &mut Diagnostics<'_>) -> AttachmentsDraft {
    let (policy_instances, instance_spans) = traffic_policy::read_instances(root, zone, diagnostics);
    let attachments = ZoneAttachments {
        authorized_vpcs: read_authorized_vpcs(root, diagnostics),
        delegation_set: read_delegation_set_id(root, "delegation_set", diagnostics).map(|id| DelegationSetId(id.value)),
        query_logging: read_query_logging(root, diagnostics),
        accelerated_recovery: root.boolean("accelerated_recovery", diagnostics).map(|flag| flag.value),
        protections: read_protections(root, zone, diagnostics),
        policy_instances,
    };
    AttachmentsDraft { attachments, instance_spans }
}

fn read_authorized_vpcs(root: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<(VpcId, Option<Region>)> {
    let mut vpcs: Vec<(VpcId, Option<Region>)> = Vec::new();
    for written in root.strings_and_tables("authorized_vpcs", diagnostics).unwrap_or_default() {
        let Some(vpc) = read_vpc(written, diagnostics) else { continue };
        let name = vpc.name;
        if !name.value.starts_with("vpc-") {
            let diagnostic = diagnostics.error(name.span, format!("`{}` is not the id of a VPC", name.value));
            diagnostic.label("expected an id such as \"vpc-0123abcd\"");
        } else if vpcs.iter().any(|(other, _)| other.0 == name.value) {
            let message = format!("the VPC `{}` is listed twice", name.value);
            diagnostics.error(name.span, message).label("the second time");
        } else {
            vpcs.push((VpcId(name.value), vpc.region.map(|region| region.value)));
        }
    }
    vpcs
}

fn read_delegation_set_id(table: &Table<'_>, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<String>> {
    let written = table.string(key, diagnostics)?;
    if !id::is_delegation_set_id(written.value) {
        let message = format!("`{}` is not a valid id of a reusable delegation set", written.value);
        diagnostics.error(written.span, message).label("expected `N` and up to 31 capital letters and digits");
        return None;
    }
    Some(written.map(str::to_owned))
}

fn read_query_logging(root: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<QueryLoggingConfig> {
    let table = root.table("query_logging", diagnostics)?;
    table.require("id", "a UUID of your own", diagnostics);
    let hint = "such as log_group = \"arn:aws:logs:us-east-1:000000000000:log-group:lab\"";
    table.require("log_group", hint, diagnostics);
    let id = read_uuid(&table, diagnostics)?.value;
    Some(QueryLoggingConfig { id, log_group: table.string("log_group", diagnostics)?.value.to_owned() })
}

fn read_protections(root: &Table<'_>, zone: &Name, diagnostics: &mut Diagnostics<'_>) -> Vec<RecordSetProtection> {
    let (mut protections, mut seen) = (Vec::new(), HashSet::new());
    for table in root.tables("protections", diagnostics) {
        let (name, record_type) =
            (record::read_name(&table, zone, diagnostics), record::read_type(&table, diagnostics));
        let comment = table.string("comment", diagnostics);
        let (Some(name), Some(record_type)) = (name, record_type) else { continue };
        let span = table.span_of("name");
        if let Some(comment) = comment.as_ref().filter(|one| one.value.chars().count() > MAX_COMMENT_CHARACTERS) {
            let message = format!("`comment` must have at most {MAX_COMMENT_CHARACTERS} characters");
            diagnostics.error(comment.span.clone(), message).label("too long");
        }
        if !name.is_within(zone) {
            diagnostics.error(span, format!("{name} is not in the zone {zone}")).label("a name of another zone");
        } else if seen.insert((name.clone(), record_type)) {
            let comment = comment.map(|comment| comment.value.to_owned());
            protections.push(RecordSetProtection { name, record_type, comment });
        } else {
            diagnostics.error(span, format!("{name} {record_type} is protected twice")).label("the second time");
        }
    }
    protections
}

/// Reads a reusable delegation set; `None` when it has no id.
pub(super) fn read_delegation_set(
    table: &Table<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Defined<DelegationSet>> {
    let mark = diagnostics.mark();
    table.require("id", "such as id = \"N0123456789\"", diagnostics);
    table.require("name_servers", "such as name_servers = [\"ns1.lab.test\"]", diagnostics);
    let id = read_delegation_set_id(table, "id", diagnostics);
    let caller_reference = read_caller_reference(table, MAX_CALLER_REFERENCE_CHARACTERS, diagnostics);
    let hosted_zone = value::hosted_zone_id(table, "hosted_zone", diagnostics).map(|id| id.value);
    let mut name_servers = Vec::new();
    for written in table.strings("name_servers", diagnostics).unwrap_or_default() {
        match Name::parse(written.value) {
            Ok(name) => name_servers.push(name),
            Err(error) => super::name::bad_name(&written, &error, diagnostics),
        }
    }
    let id = id?;
    let is_faulty = diagnostics.has_error_since(mark) || !table.is_whole(diagnostics);
    let set = DelegationSet {
        id: DelegationSetId(id.value.clone()),
        caller_reference: caller_reference.map(|reference| reference.value),
        hosted_zone,
        name_servers,
    };
    Some(Defined { name: id.clone(), id, value: (!is_faulty).then_some(set) })
}
