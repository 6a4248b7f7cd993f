//! Members of tables: how they are written, and how an edit changes only those that differ.

use std::fmt::Write as _;
use std::time::Duration;

use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use crate::model::Tags;

/// Values that fit this line are written on it.
const LINE_CHARACTERS: usize = 100;

/// The members of a table, in the order in which a new one has them.
pub(super) type Members = Vec<(&'static str, Member)>;

/// The value of one key.
#[derive(Clone, Debug)]
pub(super) enum Member {
    Value(Value),
    /// What is meant without the key.
    Default(Value),
    /// A table with the user's own keys, which are edited one by one.
    Table(Vec<(String, Value)>),
    Absent,
}

impl Member {
    pub(super) fn of(value: impl Into<Value>) -> Member {
        Member::Value(value.into())
    }

    pub(super) fn optional(value: Option<impl Into<Value>>) -> Member {
        value.map_or(Member::Absent, Member::of)
    }

    /// A value that is left out of a new table if it is the default.
    pub(super) fn or_default(value: impl Into<Value>, is_default: bool) -> Member {
        if is_default { Member::Default(value.into()) } else { Member::of(value) }
    }

    /// The version of a definition; the first one is left out.
    pub(super) fn version(version: u64) -> Member {
        Member::or_default(i64::try_from(version).unwrap_or(i64::MAX), version == 1)
    }

    pub(super) fn tags(tags: &Tags) -> Member {
        let entries: Vec<_> = tags.iter().map(|(key, value)| (key.clone(), string(value))).collect();
        if entries.is_empty() { Member::Absent } else { Member::Table(entries) }
    }

    fn value(&self) -> Option<&Value> {
        match self {
            Member::Value(value) | Member::Default(value) => Some(value),
            Member::Table(_) | Member::Absent => None,
        }
    }

    /// What a new table has.
    fn written(&self) -> Option<Value> {
        match self {
            Member::Value(value) => Some(value.clone()),
            Member::Table(entries) => Some(inline(entries).into()),
            Member::Default(_) | Member::Absent => None,
        }
    }

    /// Changes the table, which has `before`.
    fn put_into(&self, table: &mut dyn TableLike, key: &str, before: Option<&Member>) {
        let is_as_before = |value: &Value| before.and_then(Member::value).is_some_and(|before| is_same(before, value));
        match self {
            Member::Absent if matches!(before, Some(Member::Absent)) => {}
            Member::Default(value) if is_as_before(value) => {}
            Member::Absent | Member::Default(_) => drop(table.remove(key)),
            Member::Value(value) if is_as_before(value) && table.contains_key(key) => {}
            Member::Value(value) => put(table, key, value.clone()),
            Member::Table(entries) => match before {
                Some(Member::Table(before)) => put_entries(table, key, before, entries),
                _ => put_entries(table, key, &[], entries),
            },
        }
    }
}

/// The members of a new table.
pub(super) fn written(members: &Members) -> impl Iterator<Item = (&'static str, Value)> {
    members.iter().filter_map(|(key, member)| Some((*key, member.written()?)))
}

/// Such members, each on its line.
pub(super) fn lines(members: &Members) -> String {
    written(members).fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key} = {value}");
        text
    })
}

/// Changes the members that differ between `old`, which the table defines, and `new`. All others
/// stay as they are written.
pub(super) fn update(table: &mut dyn TableLike, old: &Members, new: &Members) {
    for (key, _) in old.iter().filter(|(key, _)| !new.iter().any(|(other, _)| other == key)) {
        table.remove(key);
    }
    for (key, member) in new {
        let before = old.iter().find(|(other, _)| other == key).map(|(_, before)| before);
        member.put_into(table, key, before);
    }
}

/// A string on one line: a change of line ends must not change it.
pub(super) fn string(text: &str) -> Value {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let mut written = String::from('"');
    for character in text.chars() {
        let _ = match character {
            '"' | '\\' => write!(written, "\\{character}"),
            character if character.is_control() => write!(written, "\\u{:04x}", u32::from(character)),
            character => write!(written, "{character}"),
        };
    }
    written.push('"');
    written.parse().unwrap_or_else(|_| text.into())
}

/// Whole seconds as an integer, as Route 53 has them.
pub(super) fn duration(duration: Duration) -> Value {
    match (i64::try_from(duration.as_secs()), duration.subsec_nanos()) {
        (Ok(seconds), 0) => seconds.into(),
        _ => format!("{}ms", duration.as_millis()).into(),
    }
}

/// A list, on one line if it fits.
pub(super) fn list(values: impl Iterator<Item = Value>) -> Array {
    let mut list: Array = values.collect();
    if list.to_string().chars().count() > LINE_CHARACTERS - "values = ".len() {
        list.iter_mut().for_each(|value| value.decor_mut().set_prefix("\n    "));
        list.set_trailing_comma(true);
        list.set_trailing("\n");
    }
    list
}

fn inline(entries: &[(String, Value)]) -> InlineTable {
    entries.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()
}

fn is_same(one: &Value, other: &Value) -> bool {
    one.to_string() == other.to_string()
}

/// Sets a value and keeps what is written around it, such as a comment on its line.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(existing)) => {
            *value.decor_mut() = existing.decor().clone();
            *existing = value;
        }
        _ => drop(table.insert(key, Item::Value(value))),
    }
}

/// Changes the entries that differ.
fn put_entries(table: &mut dyn TableLike, key: &str, before: &[(String, Value)], entries: &[(String, Value)]) {
    let Some(existing) = table.get_mut(key).and_then(Item::as_table_like_mut) else {
        return put(table, key, inline(entries).into());
    };
    let gone: Vec<String> = existing.iter().map(|(name, _)| name.to_owned()).collect();
    let gone = gone.iter().filter(|name| !entries.iter().any(|(other, _)| other == *name));
    let mut is_changed = false;
    for name in gone {
        existing.remove(name);
        is_changed = true;
    }
    for (name, value) in entries {
        let old = before.iter().find(|(other, _)| other == name);
        if !existing.contains_key(name) || old.is_none_or(|(_, old)| !is_same(old, value)) {
            put(existing, name, value.clone());
            is_changed = true;
        }
    }
    if let Some(Item::Value(Value::InlineTable(inline))) = table.get_mut(key)
        && is_changed
        && is_on_one_line(inline)
    {
        inline.fmt();
    }
}

/// Whether no key of the table begins a line. Their values may have several.
fn is_on_one_line(table: &mut InlineTable) -> bool {
    table.iter_mut().all(|(key, _)| {
        let prefix = key.leaf_decor().prefix().and_then(toml_edit::RawString::as_str);
        prefix.is_none_or(|prefix| !prefix.contains('\n'))
    })
}
