//! Replaces the name of a health check by its id in the files that refer to it, before the check is
//! deleted: an id that no check has is legal, a name that no check has is an error.

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::super::SourceFile;
use super::{EditError, document};
use crate::model::HealthCheck;

/// The text of a file that refers to the check by its id. `None` if the file does not have its
/// name.
pub fn pin_health_check(file: &SourceFile, check: &HealthCheck) -> Result<Option<String>, EditError> {
    if memchr::memmem::find(file.text.as_bytes(), check.name.as_bytes()).is_none() {
        return Ok(None);
    }
    let mut parsed: DocumentMut = document::parse(&file.text)?;
    let mut pinned = 0;
    for list in ["record", "alias_target"] {
        for_each_table(&mut parsed, list, &mut |table| {
            pinned += table.get_mut("health_check").and_then(Item::as_value_mut).map_or(0, |value| pin(value, check));
        });
    }
    for_each_table(&mut parsed, "health_check", &mut |table| {
        let children = table.get_mut("child_health_checks").and_then(Item::as_array_mut);
        pinned +=
            children.into_iter().flat_map(|children| children.iter_mut()).map(|value| pin(value, check)).sum::<usize>();
    });
    Ok((pinned > 0).then(|| document::print(&parsed, &file.text)))
}

fn for_each_table(document: &mut DocumentMut, list: &str, edit: &mut dyn FnMut(&mut dyn TableLike)) {
    match document.get_mut(list) {
        Some(Item::ArrayOfTables(tables)) => tables.iter_mut().for_each(|table| edit(table)),
        Some(Item::Value(Value::Array(list))) => {
            list.iter_mut().filter_map(Value::as_inline_table_mut).for_each(|table| edit(table));
        }
        _ => {}
    }
}

/// Replaces the name by the id; comments next to it stay. Returns how many were replaced.
fn pin(value: &mut Value, check: &HealthCheck) -> usize {
    if value.as_str() != Some(&check.name) {
        return 0;
    }
    let decor = value.decor().clone();
    *value = Value::from(check.id.0.as_str());
    *value.decor_mut() = decor;
    1
}
