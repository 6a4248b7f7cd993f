//! Reads names in zone files: relative to the zone, absolute with a trailing dot, or `@`.

use super::super::document::Diagnostics;
use super::super::table::At;
use crate::model::{Name, NameError};

/// The name of a record or of an alias target.
pub(super) fn in_zone(written: &At<&str>, zone: &Name, diagnostics: &mut Diagnostics<'_>) -> Option<Name> {
    let text = written.value;
    if text == "@" {
        return Some(zone.clone());
    }
    let name = match Name::parse(text) {
        Ok(name) => name,
        Err(error) => {
            bad_name(written, &error, diagnostics);
            return None;
        }
    };
    if text.ends_with('.') {
        return Some(name);
    }
    if name.is_within(zone) {
        let relative = relative_text(text, &name, zone);
        let zone_text = zone.to_string();
        let message = format!("`{text}` ends in the zone's name, but has no trailing dot");
        let diagnostic = diagnostics.error(written.span.clone(), message);
        diagnostic.label(format!("this means `{text}.{zone_text}`")).hint(format!("write `{relative}` or `{text}.`"));
        return None;
    }
    match name.under(zone) {
        Ok(name) => Some(name),
        Err(error) => {
            bad_name(written, &error, diagnostics);
            None
        }
    }
}

/// The zone's own name.
pub(super) fn of_zone(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<Name> {
    match Name::parse(written.value) {
        Ok(name) if name == Name::root() => {
            diagnostics.error(written.span.clone(), "the root zone cannot be a hosted zone").label("expected a name");
            None
        }
        Ok(name) if name.is_wildcard() => {
            let diagnostic = diagnostics.error(written.span.clone(), "a zone's name cannot begin with `*`");
            diagnostic.label("a wildcard").hint("write the records of `*` in the parent zone");
            None
        }
        Ok(name) => Some(name),
        Err(error) => {
            bad_name(written, &error, diagnostics);
            None
        }
    }
}

pub(super) fn bad_name(written: &At<&str>, error: &NameError, diagnostics: &mut Diagnostics<'_>) {
    let diagnostic = diagnostics.error(written.span.clone(), error.to_string());
    diagnostic.label("not a domain name");
    diagnostic.hint = match error {
        NameError::Empty => Some("the zone itself is `@`".into()),
        _ => error.hint().map(Into::into),
    };
}

/// The labels of `text` to the left of the zone's name.
fn relative_text(text: &str, name: &Name, zone: &Name) -> String {
    let count = name.label_count() - zone.label_count();
    let labels: Vec<&str> = text.split('.').take(count).collect();
    if labels.is_empty() { "@".to_owned() } else { labels.join(".") }
}
