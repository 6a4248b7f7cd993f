//! `[[cidr_collection]]`: named locations and their networks.

use std::collections::HashMap;
use std::ops::Range;

use ipnet::IpNet;

use super::super::document::Diagnostics;
use super::super::table::{At, Table};
use super::super::{id, value};
use super::definition::{Defined, read_caller_reference, read_uuid, read_version};
use crate::model::{CidrCollection, CidrCollectionId};

/// API CidrNonce: ASCII.
const MAX_CALLER_REFERENCE_CHARACTERS: usize = 64;
/// API CollectionName, CidrLocationNameDefaultNotAllowed.
const MAX_NAME_CHARACTERS: usize = 64;
const MAX_LOCATION_CHARACTERS: usize = 16;
/// The longest prefixes in Route 53 (Developer Guide, "IP-based routing"). Longer ones work here,
/// with a warning.
const MAX_IPV4_PREFIX: u8 = 24;
const MAX_IPV6_PREFIX: u8 = 48;

/// Reads a collection; `None` when it has no name.
pub(super) fn read(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Defined<CidrCollection>> {
    let mark = diagnostics.mark();
    table.require("name", "such as name = \"offices\"", diagnostics);
    table.require("locations", "such as locations = { berlin = [\"10.53.1.0/24\"] }", diagnostics);
    let name = table.string("name", diagnostics);
    if let Some(name) = &name {
        check_name(name, MAX_NAME_CHARACTERS, diagnostics);
    }
    let id = read_uuid(table, diagnostics);
    let caller_reference = read_ascii_reference(table, diagnostics);
    let version = read_version(table, diagnostics);
    let locations = read_locations(table, diagnostics);
    let name = name?.map(str::to_owned);
    let id = id.unwrap_or_else(|| At::new(id::collection_id(&name.value).0, name.span.clone()));
    let is_faulty = diagnostics.has_error_since(mark) || !table.is_whole(diagnostics);
    let collection = CidrCollection {
        id: CidrCollectionId(id.value.clone()),
        name: name.value.clone(),
        caller_reference,
        version,
        locations,
    };
    Some(Defined { name, id, value: (!is_faulty).then_some(collection) })
}

fn read_ascii_reference(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let written = read_caller_reference(table, MAX_CALLER_REFERENCE_CHARACTERS, diagnostics)?;
    if !written.value.is_ascii() {
        let message = "the `caller_reference` of a CIDR collection must be ASCII";
        diagnostics.error(written.span, message).label("a character that is not ASCII");
        return None;
    }
    Some(written.value)
}

/// 1 to `most` of `[0-9A-Za-z_-]`.
fn check_name(written: &At<&str>, most: usize, diagnostics: &mut Diagnostics<'_>) {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !(1..=most).contains(&written.value.len()) || !written.value.bytes().all(legal) {
        let diagnostic = diagnostics.error(written.span.clone(), format!("`{}` is not a valid name", written.value));
        diagnostic.label(format!("expected 1 to {most} letters, digits, `_` and `-`"));
        if written.value == "*" {
            diagnostic
                .hint("`*` is not part of a collection: for all other clients, write location = \"*\" in a record");
        }
    }
}

fn read_locations(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<(String, Vec<IpNet>)> {
    let mut locations = Vec::new();
    let mut seen = HashMap::new();
    for (name, written) in table.named_string_lists("locations", diagnostics).unwrap_or_default() {
        check_name(&name, MAX_LOCATION_CHARACTERS, diagnostics);
        if written.is_empty() {
            let diagnostic =
                diagnostics.error(name.span.clone(), format!("the location `{}` has no networks", name.value));
            diagnostic.label("an empty list");
        }
        let mut blocks = Vec::new();
        for text in &written {
            let Some(block) = read_block(text, diagnostics) else { continue };
            claim(text, block, name.value, &mut seen, diagnostics);
            blocks.push(block);
        }
        locations.push((name.value.to_owned(), blocks));
    }
    locations
}

fn read_block(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<IpNet> {
    let block = value::network(written, diagnostics)?;
    let longest = if block.addr().is_ipv4() { MAX_IPV4_PREFIX } else { MAX_IPV6_PREFIX };
    if block.prefix_len() == 0 {
        let diagnostic = diagnostics.error(written.span.clone(), format!("`{block}` contains every address"));
        diagnostic.label("not allowed in a collection");
        diagnostic.hint("for all other clients, write a record with location = \"*\"");
        return None;
    }
    if block.prefix_len() > longest {
        let message = format!("`{block}` is longer than /{longest}, the longest prefix that Route 53 accepts");
        let diagnostic = diagnostics.warning(written.span.clone(), message);
        diagnostic.label("works here, but not in Route 53");
    }
    Some(block)
}

/// A block can be in only one location of a collection (API CidrBlockInUseException).
fn claim<'d>(
    written: &At<&str>,
    block: IpNet,
    location: &'d str,
    seen: &mut HashMap<IpNet, (&'d str, Range<usize>)>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let Some((owner, first)) = seen.insert(block, (location, written.span.clone())) else { return };
    let related = diagnostics.related_span(first, "first here");
    let message = if owner == location {
        format!("the block `{block}` is listed twice in the location `{location}`")
    } else {
        format!("the block `{block}` is already in the location `{owner}`")
    };
    diagnostics.error(written.span.clone(), message).label("the second time").related(related);
}
