//! Reads the values of a table by its key list, and reports every value that does not fit.
//!
//! Every getter returns what it could read and adds a diagnostic for the rest, so that the caller
//! goes on with the next key.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use super::document::Diagnostics;
use super::keys::{Key, Keys, Shape};
use super::scalar::{self, Amount};
use super::tree::{Entries, Entry, Node, Value};
use super::words;
use crate::model::Agreement;

/// A value and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> At<T> {
    pub(super) fn new(value: T, span: Range<usize>) -> At<T> {
        At { value, span }
    }

    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), span: self.span }
    }
}

/// Values with the user's own keys.
pub(super) type Named<'d, T> = Vec<(At<&'d str>, T)>;

/// An element of a list of numbers and strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberOrString<'d> {
    Number(i64),
    String(&'d str),
}

/// An element of a list of strings and tables.
pub(super) enum StringOrTable<'d> {
    String(At<&'d str>),
    Table(Table<'d>),
}

/// A table that is being read.
pub(super) struct Table<'d> {
    entries: &'d Entries<'d>,
    keys: &'static Keys,
    has_unknown_keys: bool,
    /// The position for messages about missing keys: the header, or the whole inline table.
    pub(super) span: Range<usize>,
}

impl<'d> Table<'d> {
    /// Opens a table and reports unknown keys.
    pub(super) fn open(
        entries: &'d Entries<'d>,
        keys: &'static Keys,
        span: Range<usize>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Table<'d> {
        let mut has_unknown_keys = false;
        for entry in entries.iter().filter(|entry| keys.get(&entry.key).is_none()) {
            has_unknown_keys = true;
            unknown_key(&entry.key, entry.key_span(), &entry.node.span(), keys, diagnostics);
        }
        Table { entries, keys, has_unknown_keys, span }
    }

    /// True when the key is present, even if its value is unreadable.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.get(key).is_some()
    }

    /// The position of the key's value, or else of the table.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.entries.get(key).map_or_else(|| self.span.clone(), |entry| entry.node.span())
    }

    /// The keys that are present, and the positions of their values.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&'d str, Range<usize>)> {
        self.entries.iter().map(|entry| (&*entry.key, entry.node.span()))
    }

    /// The position of the key itself, or else of the table.
    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        self.entries.get(key).map_or_else(|| self.span.clone(), Entry::key_span)
    }

    pub(super) fn string(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<&'d str>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let text = value.as_text();
        if text.is_none() {
            wrong_shape(key, value, span.clone(), diagnostics);
        }
        Some(At::new(text?, span))
    }

    /// A string; other values give no diagnostic.
    pub(super) fn string_as_written(&self, key: &str) -> Option<At<&'d str>> {
        let node = &self.entries.get(key)?.node;
        Some(At::new(node.value.as_text()?, node.span()))
    }

    /// One of the words that the key allows.
    pub(super) fn choice(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<&'static str>> {
        let written = self.string(key, diagnostics)?;
        let Shape::Choice(words) = self.key(key).shape else { unreachable!("`{key}` is read as a choice") };
        let found = known_word(key, &written, words, diagnostics)?;
        Some(At::new(found, written.span))
    }

    pub(super) fn boolean(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<bool>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let boolean = value.as_boolean();
        if boolean.is_none() {
            wrong_shape(key, value, span.clone(), diagnostics);
        }
        Some(At::new(boolean?, span))
    }

    /// The words of a list; all that the key allows for `true`, none for `false`.
    pub(super) fn switches(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Vec<&'static str>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let Shape::Switches(words) = key.shape else { unreachable!("`{}` is read as switches", key.name) };
        match value.as_boolean() {
            Some(true) => return Some(words.to_vec()),
            Some(false) => return Some(Vec::new()),
            None => {}
        }
        let written = strings(key, value, span, diagnostics)?;
        Some(written.iter().filter_map(|text| known_word("rule", text, words, diagnostics)).collect())
    }

    /// An integer within the bounds of the key.
    pub(super) fn integer(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<i64>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let Shape::Integer { least, most } = key.shape else { unreachable!("`{}` is read as an integer", key.name) };
        let number = scalar::integer(value);
        match number {
            Some(Some(number)) if (least..=most).contains(&number) => Some(At::new(number, span)),
            Some(_) => {
                let range = if least == most { least.to_string() } else { format!("from {least} to {most}") };
                diagnostics.error(span, format!("`{}` must be {range}", key.name)).label("out of range");
                None
            }
            None => {
                wrong_shape(key, value, span, diagnostics);
                None
            }
        }
    }

    /// How many nodes must consider an endpoint healthy.
    pub(super) fn agreement(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<Agreement>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let agreement = match (scalar::integer(value), value.as_text()) {
            (Some(number), _) => Agreement::at_least(number.unwrap_or(i64::MAX)),
            (None, Some(text)) => text.parse().ok(),
            (None, None) => {
                wrong_shape(key, value, span, diagnostics);
                return None;
            }
        };
        if agreement.is_none() {
            let message = format!("`{}` must be {}", key.name, key.shape.describe());
            let diagnostic = diagnostics.error(span.clone(), message);
            diagnostic.label(format!("expected \"0%\" to \"99%\", a word, or 1 to {}", Agreement::MAX_COUNT));
        }
        if let Some(Agreement::AtLeast(count @ Agreement::MANY..)) = agreement {
            let message = format!("`{}` is a count of nodes: {count} of them, or all if there are fewer", key.name);
            let diagnostic = diagnostics.warning(span.clone(), message);
            diagnostic.label("a number of nodes");
            if count < 100 {
                diagnostic.hint(format!("write \"{count}%\" for a percentage"));
            }
        }
        Some(At::new(agreement?, span))
    }

    /// A number, integer or float, as written.
    pub(super) fn number(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<scalar::Number<'d>>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let number = scalar::number(value);
        if number.is_none() {
            wrong_shape(key, value, span.clone(), diagnostics);
        }
        Some(At::new(number?, span))
    }

    /// A duration within the bounds of the key.
    pub(super) fn duration(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<Duration>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        read_duration(key, value, span, diagnostics)
    }

    /// The bytes of a size within the bounds of the key.
    pub(super) fn size(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<At<u64>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let Shape::Size { most } = key.shape else { unreachable!("`{}` is read as a size", key.name) };
        let Value::String(text) = value else {
            wrong_shape(key, value, span, diagnostics);
            return None;
        };
        let size = scalar::size(text);
        if let Some(bytes) = size.filter(|bytes| *bytes <= most) {
            return Some(At::new(bytes, span));
        }
        let message = match size {
            Some(_) => format!("`{}` must be {}", key.name, key.shape.describe()),
            None => format!("`{}` is not a valid size", key.name),
        };
        let label = if size.is_some() { "out of range" } else { "expected a number and its unit" };
        diagnostics
            .error(span, message)
            .label(label)
            .hint("the units are KiB, MiB and GiB; write, for example, \"64MiB\"");
        None
    }

    /// The strings of a list.
    pub(super) fn strings(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Vec<At<&'d str>>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        strings(key, value, span, diagnostics)
    }

    /// True when the key's list has no elements, not even unreadable ones.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let elements = self.entries.get(key).and_then(|entry| entry.node.value.as_list());
        elements.is_some_and(<[_]>::is_empty)
    }

    /// The strings of a list; other elements give no diagnostic.
    pub(super) fn strings_as_written(&self, key: &str) -> Vec<At<&'d str>> {
        let elements = self.entries.get(key).and_then(|entry| entry.node.value.as_list());
        let text = |element: &'d Node<'d>| Some(At::new(element.value.as_text()?, element.span()));
        elements.into_iter().flatten().filter_map(text).collect()
    }

    /// A string in a table within the table, without diagnostics.
    pub(super) fn inner_string_as_written(&self, table: &str, key: &str) -> Option<At<&'d str>> {
        let node = &self.entries.get(table)?.node.value.as_table()?.get(key)?.node;
        Some(At::new(node.value.as_text()?, node.span()))
    }

    /// A table within the table.
    pub(super) fn table(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Table<'d>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let Shape::Table(keys) = key.shape else { unreachable!("`{}` is read as a table", key.name) };
        let Some(entries) = value.as_table() else {
            wrong_shape(key, value, span, diagnostics);
            return None;
        };
        Some(Table::open(entries, keys, span, diagnostics))
    }

    /// The tables of a list, written as `[[key]]` or inline.
    pub(super) fn tables(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Vec<Table<'d>> {
        let Some((key, value, span)) = self.value(key, diagnostics) else { return Vec::new() };
        let Shape::Tables(keys) = key.shape else { unreachable!("`{}` is read as tables", key.name) };
        let Some(elements) = value.as_list() else {
            let diagnostic = wrong_shape_diagnostic(key, value, span, diagnostics);
            if value.as_table().is_some() {
                diagnostic.hint(format!("write `[[{}]]`, with two brackets", key.name));
            }
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(elements.len());
        for element in elements.iter() {
            match element.value.as_table() {
                Some(entries) => tables.push(Table::open(entries, keys, element.span(), diagnostics)),
                None => wrong_shape(key, &element.value, element.span(), diagnostics),
            }
        }
        tables
    }

    /// The strings and tables of a list.
    pub(super) fn strings_and_tables(
        &self,
        key: &str,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Vec<StringOrTable<'d>>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let Shape::StringsOrTables(keys) = key.shape else {
            unreachable!("`{}` is read as strings and tables", key.name)
        };
        let Some(elements) = value.as_list() else {
            wrong_list(key, value, span, diagnostics);
            return None;
        };
        let mut list = Vec::new();
        for element in elements {
            let span = element.span();
            match (element.value.as_text(), element.value.as_table()) {
                (Some(text), _) => list.push(StringOrTable::String(At::new(text, span))),
                (_, Some(entries)) => list.push(StringOrTable::Table(Table::open(entries, keys, span, diagnostics))),
                _ if diagnostics.is_broken(&span) => {}
                _ => wrong_shape(key, &element.value, span, diagnostics),
            }
        }
        // As in `strings`.
        (!list.is_empty() || elements.is_empty()).then_some(list)
    }

    /// The integers and strings of a list.
    pub(super) fn numbers_and_strings(
        &self,
        key: &str,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Vec<At<NumberOrString<'d>>>> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let Some(elements) = value.as_list() else {
            wrong_shape(key, value, span, diagnostics);
            return None;
        };
        let mut list = Vec::new();
        for element in elements.iter() {
            let (inner, span) = (&element.value, element.span());
            match (scalar::integer(inner), inner.as_text()) {
                (Some(number), _) => list.push(At::new(NumberOrString::Number(number.unwrap_or(i64::MAX)), span)),
                (None, Some(text)) => list.push(At::new(NumberOrString::String(text), span)),
                _ if diagnostics.is_broken(&span) => {}
                _ => wrong_shape(key, inner, span, diagnostics),
            }
        }
        (!list.is_empty() || elements.is_empty()).then_some(list)
    }

    /// The strings of a table with the user's own keys.
    pub(super) fn named_strings(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Named<'d, At<&'d str>>> {
        let (key, entries) = self.map(key, diagnostics)?;
        let mut named = Vec::new();
        for entry in entries.iter() {
            let span = entry.node.span();
            match entry.node.value.as_text() {
                _ if diagnostics.is_broken(&span) => {}
                Some(text) => named.push((At::new(&*entry.key, entry.key_span()), At::new(text, span))),
                None => {
                    let diagnostic =
                        diagnostics.error(span, format!("`{}` in `{}` must be a string", entry.key, key.name));
                    diagnostic.label(format!("found {}", scalar::describe(&entry.node.value)));
                }
            }
        }
        Some(named)
    }

    /// The lists of strings of a table with the user's own keys.
    pub(super) fn named_string_lists(
        &self,
        key: &str,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Named<'d, Vec<At<&'d str>>>> {
        let (key, entries) = self.map(key, diagnostics)?;
        let mut named = Vec::new();
        for entry in entries.iter() {
            let span = entry.node.span();
            if diagnostics.is_broken(&span) {
                continue;
            }
            if let Some(texts) = strings(key, &entry.node.value, span, diagnostics) {
                named.push((At::new(&*entry.key, entry.key_span()), texts));
            }
        }
        Some(named)
    }

    /// The durations of a table with the user's own keys; `None` for one that could not be read.
    pub(super) fn named_durations(
        &self,
        key: &str,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Named<'d, Option<At<Duration>>>> {
        let (key, entries) = self.map(key, diagnostics)?;
        let mut named = Vec::new();
        for entry in entries.iter() {
            let span = entry.node.span();
            if diagnostics.is_broken(&span) {
                continue;
            }
            let duration = read_duration(key, &entry.node.value, span, diagnostics);
            named.push((At::new(&*entry.key, entry.key_span()), duration));
        }
        Some(named)
    }

    /// Reports a missing required key, unless it is misspelt, which is an error already, or a
    /// syntax error may hide it.
    pub(super) fn require(&self, key: &str, hint: &'static str, diagnostics: &mut Diagnostics<'_>) {
        if !self.has(key) && !self.is_misspelt(key) && self.is_whole(diagnostics) {
            let message = format!("{} needs `{key}`", self.keys.what);
            diagnostics.error(self.span.clone(), message).label(format!("`{key}` is missing")).hint(hint);
        }
    }

    /// Whether an unknown key of the table seems to mean this one. That is an error already, so
    /// what follows from the missing key is not.
    pub(super) fn is_misspelt(&self, key: &str) -> bool {
        let means_it = |entry: &Entry<'_>| {
            self.keys.get(&entry.key).is_none() && meant_key(&entry.key, self.keys).as_deref() == Some(key)
        };
        self.has_unknown_keys && self.entries.iter().any(means_it)
    }

    /// True when no syntax error lies between this table's header and the next.
    pub(super) fn is_whole(&self, diagnostics: &Diagnostics<'_>) -> bool {
        if !diagnostics.has_broken_syntax() {
            return true;
        }
        let text = diagnostics.text();
        let end = self.span.end.min(text.len());
        let next = text.get(end..).and_then(|rest| rest.find("\n[")).map_or(text.len(), |at| end + at);
        !diagnostics.is_broken(&(self.span.start..next))
    }

    fn map(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<(&'static Key, &'d Entries<'d>)> {
        let (key, value, span) = self.value(key, diagnostics)?;
        let entries = value.as_table();
        if entries.is_none() {
            wrong_shape(key, value, span, diagnostics);
        }
        Some((key, entries?))
    }

    fn value(&self, key: &str, diagnostics: &Diagnostics<'_>) -> Option<(&'static Key, &'d Value<'d>, Range<usize>)> {
        let node = &self.entries.get(key)?.node;
        let may_be_broken = match &node.value {
            Value::String(_) | Value::Integer(..) | Value::Float(_) => true,
            // The position of a `[table]` is its header: an error inside does not make the whole
            // unreadable.
            Value::List(elements) => !elements.iter().any(|element| element.value.as_table().is_some()),
            Value::Boolean(_) | Value::Datetime | Value::Table(_) => false,
        };
        if may_be_broken && diagnostics.is_broken(&node.span()) {
            return None;
        }
        Some((self.key(key), &node.value, node.span()))
    }

    fn key(&self, key: &str) -> &'static Key {
        self.keys.get(key).unwrap_or_else(|| unreachable!("{} reads `{key}`, which it does not list", self.keys.what))
    }
}

fn unknown_key(name: &str, span: Range<usize>, value: &Range<usize>, keys: &Keys, diagnostics: &mut Diagnostics<'_>) {
    if diagnostics.is_broken(&span) || diagnostics.is_broken(value) {
        return;
    }
    let known: Vec<&str> = keys.keys.iter().map(|key| key.name).collect();
    let diagnostic = diagnostics.error(span, format!("unknown key `{name}` in {}", keys.what));
    diagnostic.label(format!("expected {}", words::one_of(&known)));
    if let Some(hint) = keys.unsupported(name) {
        diagnostic.hint(hint);
    } else if let Some(meant) = meant_key(name, keys) {
        diagnostic.hint(format!("did you mean `{meant}`?"));
    }
}

/// The key that an unknown name probably means.
fn meant_key(name: &str, keys: &Keys) -> Option<String> {
    let known: Vec<&str> = keys.keys.iter().map(|key| key.name).collect();
    keys.key_by_other_name(name).or_else(|| words::meant(name, &known))
}

fn read_duration(
    key: &Key,
    value: &Value<'_>,
    span: Range<usize>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<At<Duration>> {
    let bounds = key.shape.duration().unwrap_or_else(|| unreachable!("`{}` is read as a duration", key.name));
    match scalar::duration(value) {
        Amount::Of(duration) if bounds.holds(duration) => return Some(At::new(duration, span)),
        Amount::Of(_) => {
            let message = format!("`{}` must be {}", key.name, bounds.describe());
            diagnostics.error(span, message).label("out of range");
        }
        Amount::Unreadable => {
            let message = format!("`{}` is not a valid duration", key.name);
            diagnostics
                .error(span, message)
                .label(format!("expected {}", bounds.describe()))
                .hint(format!("write whole seconds, such as 10, or a number and its unit: {}", bounds.examples()));
        }
        Amount::OtherShape => wrong_shape(key, value, span, diagnostics),
    }
    None
}

fn strings<'d>(
    key: &Key,
    value: &'d Value<'d>,
    span: Range<usize>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Vec<At<&'d str>>> {
    let Some(elements) = value.as_list() else {
        wrong_list(key, value, span, diagnostics);
        return None;
    };
    let mut texts = Vec::with_capacity(elements.len());
    for element in elements.iter() {
        match element.value.as_text() {
            Some(text) => texts.push(At::new(text, element.span())),
            None if diagnostics.is_broken(&element.span()) => {}
            None => wrong_shape(key, &element.value, element.span(), diagnostics),
        }
    }
    // A list without a readable element is not an empty list.
    (!texts.is_empty() || elements.is_empty()).then_some(texts)
}

/// The word that is written; `what` they are.
fn known_word(
    what: &str,
    written: &At<&str>,
    words: &[&'static str],
    diagnostics: &mut Diagnostics<'_>,
) -> Option<&'static str> {
    let found = words.iter().find(|word| **word == written.value);
    if found.is_none() {
        let message = format!("unknown {what} `{}`", written.value);
        let diagnostic = diagnostics.error(written.span.clone(), message);
        diagnostic.label(format!("expected {}", words::one_of(words)));
        if let Some(meant) = words::meant(written.value, words) {
            diagnostic.hint(format!("did you mean `{meant}`?"));
        }
    }
    found.copied()
}

/// A single string where a list is expected gets a hint.
fn wrong_list(key: &Key, value: &Value<'_>, span: Range<usize>, diagnostics: &mut Diagnostics<'_>) {
    let brackets = value.as_text().map(|text| format!("write a list: [{text:?}]"));
    let diagnostic = wrong_shape_diagnostic(key, value, span, diagnostics);
    diagnostic.hint = brackets.map(Cow::Owned);
}

fn wrong_shape(key: &Key, value: &Value<'_>, span: Range<usize>, diagnostics: &mut Diagnostics<'_>) {
    wrong_shape_diagnostic(key, value, span, diagnostics);
}

fn wrong_shape_diagnostic<'r>(
    key: &Key,
    value: &Value<'_>,
    span: Range<usize>,
    diagnostics: &'r mut Diagnostics<'_>,
) -> &'r mut super::Diagnostic {
    let wanted = key.shape.describe();
    let diagnostic = diagnostics.error(span, format!("`{}` must be {wanted}", key.name));
    diagnostic.label(format!("found {}", scalar::describe(value)))
}
