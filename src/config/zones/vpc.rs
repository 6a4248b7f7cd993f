//! Reads a VPC of a zone: a name or id, or a table with a region.

use super::super::document::Diagnostics;
use super::super::table::{At, StringOrTable};
use super::super::value;
use crate::model::Region;

/// A VPC of a zone.
pub(super) struct WrittenVpc {
    /// Its name or id.
    pub(super) name: At<String>,
    /// Its region, if the zone states it.
    pub(super) region: Option<At<Region>>,
}

/// Reads an element of a list of VPCs.
pub(super) fn read_vpc(written: StringOrTable<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<WrittenVpc> {
    let table = match written {
        StringOrTable::String(name) => return Some(WrittenVpc { name: name.map(str::to_owned), region: None }),
        StringOrTable::Table(table) => table,
    };
    table.require("id", "such as id = \"vpc-0123abcd\"", diagnostics);
    table.require("region", "such as region = \"eu-west-1\"; without it write the id alone", diagnostics);
    let region = table.string("region", diagnostics).and_then(|written| {
        let region = value::region(&written, diagnostics)?;
        Some(At::new(region, written.span))
    });
    let name = table.string("id", diagnostics)?.map(str::to_owned);
    Some(WrittenVpc { name, region })
}
