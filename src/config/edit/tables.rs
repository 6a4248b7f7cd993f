//! Adds, updates and removes one table of a list, such as a `[[health_check]]`.

use super::EditError;
use super::blocks::{self, Edits};
use super::document::{self, parse, push, remove_all, table_at};
use super::members::{self, Members};
use crate::config::tree;

/// The change of one table. `usize` is its place in the list.
pub(super) enum TableEdit<'m> {
    Add(&'m Members),
    Update(usize, &'m Members, &'m Members),
    Remove(usize),
}

/// What is left of a file whose only table is removed. An empty file would count as an accident,
/// and its last good version would stay in use.
const NOTHING: &str = "version = 1\n";

/// Changes a table of the list `key`.
pub(super) fn edit_table(text: &str, key: &str, edit: &TableEdit<'_>) -> Result<String, EditError> {
    let edited = match tree::plain(text).and_then(|root| blocks::of_list(&root, key, text)) {
        Some(blocks) => edit_block(text, key, &blocks, edit),
        None => edit_document(text, key, edit),
    }?;
    Ok(if edited.trim().is_empty() { NOTHING.to_owned() } else { edited })
}

fn edit_block(text: &str, key: &str, blocks: &[blocks::Block], edit: &TableEdit<'_>) -> Result<String, EditError> {
    let mut edits = Edits::of(text);
    let block = |at: usize| blocks.get(at).ok_or(EditError::Changed);
    match edit {
        TableEdit::Add(new) => edits.add(blocks.last(), &format!("[[{key}]]\n{}", members::lines(new))),
        TableEdit::Remove(at) => edits.remove(block(*at)?),
        TableEdit::Update(at, old, new) => {
            let block = block(*at)?;
            let before = &text[block.clone()];
            let mut document = parse(before)?;
            members::update(table_at(&mut document, key, 0)?, old, new);
            edits.replace(block, document::print(&document, before));
        }
    }
    Ok(edits.finish())
}

fn edit_document(text: &str, key: &str, edit: &TableEdit<'_>) -> Result<String, EditError> {
    let mut document = parse(text)?;
    match edit {
        TableEdit::Add(new) => push(&mut document, key, members::written(new).collect()),
        TableEdit::Remove(at) => remove_all(&mut document, key, vec![*at]),
        TableEdit::Update(at, old, new) => members::update(table_at(&mut document, key, *at)?, old, new),
    }
    Ok(document::print(&document, text))
}
