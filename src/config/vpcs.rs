//! `[[vpc]]`: named client networks.

use std::collections::HashMap;
use std::ops::Range;

use ipnet::IpNet;

use super::document::Diagnostics;
use super::table::{At, Table};
use super::value::read_list;
use super::{id, value, words};
use crate::model::{Vpc, VpcId};

/// Adds the VPCs of `[[vpc]]` tables, and their names.
pub(super) fn read_vpcs(
    tables: &[Table<'_>],
    vpcs: &mut Vec<Vpc>,
    names: &mut HashMap<String, VpcId>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let mut blocks: HashMap<IpNet, (VpcId, Range<usize>)> = HashMap::new();
    for table in tables {
        let Some((id, name)) = read_vpc_id(table, vpcs, names, diagnostics) else { continue };
        table.require("region", "such as region = \"eu-central-1\": the AWS region of its clients", diagnostics);
        table.require("cidrs", "such as cidrs = [\"10.53.0.0/16\"]", diagnostics);
        let region = table.string("region", diagnostics).and_then(|text| value::region(&text, diagnostics));
        let cidrs = read_list(table, "cidrs", diagnostics, value::network);
        if cidrs.as_ref().is_some_and(Vec::is_empty)
            && table.strings("cidrs", diagnostics).is_some_and(|t| t.is_empty())
        {
            diagnostics.error(table.span_of("cidrs"), "`cidrs` must name at least one network").label("an empty list");
        }
        for cidr in cidrs.iter().flatten() {
            claim_block(cidr, &id, &mut blocks, diagnostics);
        }
        if let Some(name) = name {
            names.insert(name.to_owned(), id.clone());
        }
        let (Some(region), Some(cidrs)) = (region, cidrs) else { continue };
        let cidrs = cidrs.into_iter().map(|cidr| cidr.value).collect();
        vpcs.push(Vpc { id, region, cidrs });
    }
}

/// Reads the id and the name of a VPC. Without `id` the id is derived from the name. Both are
/// unique.
fn read_vpc_id<'d>(
    table: &Table<'d>,
    vpcs: &[Vpc],
    names: &HashMap<String, VpcId>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<(VpcId, Option<&'d str>)> {
    let name = table.string("name", diagnostics);
    let written = table.string("id", diagnostics);
    if !table.has("name") && !table.has("id") {
        table.require("id", "such as id = \"vpc-lab1\"; zones refer to it in `vpcs`", diagnostics);
        return None;
    }
    for text in [&name, &written].into_iter().flatten().filter(|text| !is_name(text.value)) {
        let message = format!("`{}` is not a valid VPC name or id", text.value);
        diagnostics.error(text.span.clone(), message).label("expected up to 64 letters, digits, `-` and `_`");
    }
    let id = written.as_ref().map(|text| VpcId(text.value.to_owned()));
    let id = id.or_else(|| name.as_ref().map(|name| id::vpc_id(name.value)))?;
    let taken = vpcs.iter().any(|vpc| vpc.id == id) || name.as_ref().is_some_and(|name| names.contains_key(name.value));
    if taken {
        let span = if table.has("id") { table.span_of("id") } else { table.span_of("name") };
        diagnostics.error(span, format!("the VPC `{}` is defined twice", id.0)).label("the second time");
        return None;
    }
    Some((id, name.map(|name| name.value)))
}

/// Whether a VPC can have this name or id.
pub(super) fn is_name(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(is_legal)
}

fn claim_block(
    cidr: &At<IpNet>,
    id: &VpcId,
    blocks: &mut HashMap<IpNet, (VpcId, Range<usize>)>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let Some((owner, first)) = blocks.insert(cidr.value, (id.clone(), cidr.span.clone())) else { return };
    let related = diagnostics.related_span(first, "first here");
    let message = if owner == *id {
        format!("the block `{}` is listed twice in the VPC `{}`", cidr.value, id.0)
    } else {
        format!("the block `{}` already belongs to the VPC `{}`", cidr.value, owner.0)
    };
    let diagnostic = diagnostics.error(cidr.span.clone(), message);
    diagnostic.label("the second time").related(related).hint("blocks of two VPCs can overlap, but not be the same");
}

/// The VPC with this name or id, as a zone refers to it. A VPC id of AWS that the settings do not
/// have is accepted: a program associates VPCs with zones without access to the settings.
pub(super) fn vpc(
    written: &At<&str>,
    vpcs: &[Vpc],
    names: &HashMap<String, VpcId>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<VpcId> {
    let by_id = || vpcs.iter().find(|vpc| vpc.id.0 == written.value).map(|vpc| vpc.id.clone());
    let found = names.get(written.value).cloned().or_else(by_id);
    if found.is_none() && id::is_vpc_id(written.value) {
        diagnostics
            .warning(written.span.clone(), format!("no `[[vpc]]` in the settings has the id `{}`", written.value))
            .label("matches no client")
            .hint("write a `[[vpc]]` with its networks in the settings file");
        return Some(VpcId(written.value.to_owned()));
    }
    if found.is_none() {
        let ids = vpcs.iter().map(|vpc| vpc.id.0.as_str());
        let mut known: Vec<&str> = ids.chain(names.keys().map(String::as_str)).collect();
        known.sort_unstable();
        diagnostics
            .error(written.span.clone(), format!("unknown VPC `{}`", written.value))
            .label("no `[[vpc]]` in the settings has this name or id")
            .hint(words::did_you_mean(written.value, &known, "write a `[[vpc]]` in the settings file"));
    }
    found
}
