//! Where a settings file has a value, for errors that are found when it is used.

use std::ops::Range;

use super::table::Table;
use super::{SourceFile, document, keys};

/// Where a settings file has the string of a key, or an element of its list.
pub fn position_of(file: &SourceFile, table: &str, key: &str, element: Option<usize>) -> Option<Range<usize>> {
    let (root, mut ignored) = document::parse(file);
    let root = Table::open(&root, &keys::SETTINGS, 0..0, &mut ignored);
    let table = root.table(table, &mut ignored)?;
    match element {
        Some(element) => table.strings_as_written(key).get(element).map(|text| text.span.clone()),
        None => table.string_as_written(key).map(|text| text.span),
    }
}
