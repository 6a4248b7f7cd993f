//! What health checks and CIDR collections have in common: records refer to them by name or id.

use super::super::document::Diagnostics;
use super::super::id;
use super::super::table::{At, Table};

/// A definition that records refer to by name or id.
pub(super) struct Defined<T> {
    pub(super) name: At<String>,
    pub(super) id: At<String>,
    /// `None` when it has errors: references to it are known, but it cannot be used.
    pub(super) value: Option<T>,
}

/// The `id` that the user set, a lower-case UUID.
pub(super) fn read_uuid(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<At<String>> {
    let written = table.string("id", diagnostics)?;
    if !id::is_uuid(written.value) {
        let diagnostic = diagnostics.error(written.span, format!("`{}` is not a valid id", written.value));
        diagnostic.label("expected a UUID in lower case");
        diagnostic.hint("leave out `id`: it is then derived from the name");
        return None;
    }
    Some(written.map(str::to_owned))
}

/// A boolean with a default.
pub(super) fn flag(table: &Table<'_>, key: &str, default: bool, diagnostics: &mut Diagnostics<'_>) -> bool {
    table.boolean(key, diagnostics).map_or(default, |flag| flag.value)
}
