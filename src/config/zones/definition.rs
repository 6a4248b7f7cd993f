//! What hosted zones, health checks and CIDR collections have in common: ids, caller references,
//! versions and tags.

use super::super::document::Diagnostics;
use super::super::id;
use super::super::table::{At, Table};
use crate::model::{MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS, Tags, is_tag_character};

/// The longest comment of a zone or in it (API ResourceDescription).
pub(super) const MAX_COMMENT_CHARACTERS: usize = 256;
/// API Nonce.
pub(super) const MAX_CALLER_REFERENCE_CHARACTERS: usize = 128;

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

/// The `caller_reference`, of at most `most` characters.
pub(super) fn read_caller_reference(
    table: &Table<'_>,
    most: usize,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<At<String>> {
    let written = table.string("caller_reference", diagnostics)?;
    let count = written.value.chars().count();
    if !(1..=most).contains(&count) {
        let message = format!("`caller_reference` must have 1 to {most} characters");
        diagnostics.error(written.span, message).label(format!("{count} characters"));
        return None;
    }
    Some(written.map(str::to_owned))
}

/// The `version` of a definition.
pub(super) fn read_version(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> u64 {
    let written = table.integer("version", diagnostics);
    written.and_then(|version| u64::try_from(version.value).ok()).unwrap_or(1)
}

/// The `tags`.
pub(super) fn read_tags(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Tags {
    let Some(written) = table.named_strings("tags", diagnostics) else { return Tags::new() };
    if written.len() > MAX_TAGS {
        let message = format!("`tags` must have at most {MAX_TAGS} tags");
        diagnostics.error(table.span_of("tags"), message).label(format!("{} tags", written.len()));
    }
    for (key, value) in &written {
        check_tag_text(key, "key", 1..=MAX_TAG_KEY_CHARACTERS, diagnostics);
        check_tag_text(value, "value", 0..=MAX_TAG_VALUE_CHARACTERS, diagnostics);
    }
    written.into_iter().map(|(key, value)| (key.value.to_owned(), value.value.to_owned())).collect()
}

fn check_tag_text(
    written: &At<&str>,
    what: &str,
    allowed: std::ops::RangeInclusive<usize>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let count = written.value.chars().count();
    if !allowed.contains(&count) {
        let message = format!("the {what} of a tag must have {} to {} characters", allowed.start(), allowed.end());
        diagnostics.error(written.span.clone(), message).label(format!("{count} characters"));
    }
    if !written.value.chars().all(is_tag_character) {
        let message = format!("the {what} of a tag has a character that is not allowed");
        let diagnostic = diagnostics.error(written.span.clone(), message);
        diagnostic.label("expected letters, digits, spaces and `_` `.` `:` `/` `=` `+` `-` `@`");
    }
}

/// A boolean with a default.
pub(super) fn flag(table: &Table<'_>, key: &str, default: bool, diagnostics: &mut Diagnostics<'_>) -> bool {
    table.boolean(key, diagnostics).map_or(default, |flag| flag.value)
}
