//! Text that is edited as one TOML document: a block, or a whole file.

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, TableLike, Value};

use super::EditError;

pub(super) fn parse(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| EditError::Syntax(error.message().to_owned()))
}

/// The text of an edited document, with the line ends of `before`: the editor writes every line end
/// as one newline.
pub(super) fn print(document: &DocumentMut, before: &str) -> String {
    let edited = document.to_string();
    if before.contains("\r\n") { edited.replace("\r\n", "\n").replace('\n', "\r\n") } else { edited }
}

/// The table at this position of a list.
pub(super) fn table_at<'d>(
    document: &'d mut DocumentMut,
    list: &str,
    at: usize,
) -> Result<&'d mut dyn TableLike, EditError> {
    let table: Option<&mut dyn TableLike> = match document.get_mut(list) {
        Some(Item::ArrayOfTables(tables)) => tables.get_mut(at).map(|table| table as _),
        Some(Item::Value(Value::Array(list))) => {
            list.get_mut(at).and_then(Value::as_inline_table_mut).map(|table| table as _)
        }
        _ => None,
    };
    table.ok_or(EditError::Changed)
}

/// Adds a table to a list.
pub(super) fn push(document: &mut DocumentMut, list: &str, members: InlineTable) {
    match document.entry(list).or_insert(Item::ArrayOfTables(ArrayOfTables::new())) {
        Item::Value(Value::Array(list)) => list.push(members),
        Item::ArrayOfTables(tables) => tables.push(members.into_table()),
        _ => {}
    }
}

pub(super) fn remove_all(document: &mut DocumentMut, list: &str, mut positions: Vec<usize>) {
    positions.sort_unstable();
    for at in positions.into_iter().rev() {
        match document.get_mut(list) {
            Some(Item::ArrayOfTables(tables)) => drop(tables.remove(at)),
            Some(Item::Value(Value::Array(list))) => drop(list.remove(at)),
            _ => {}
        }
    }
}
