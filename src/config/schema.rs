//! Generates the JSON Schemas of all kinds of file, for editors, from the key lists that the
//! readers use.

use serde_json::{Map, Value, json};

use super::keys::{self, Bounds, Key, Keys, Need, Shape};
use crate::model::Agreement;

/// The schema of the settings file, shipped as `config/fiftythree.schema.json`.
pub fn settings_schema() -> String {
    schema("fiftythree: settings", &keys::SETTINGS)
}

/// The schema of zone files, shipped as `zones/zone.schema.json`.
pub fn zone_schema() -> String {
    schema("fiftythree: hosted zone, health checks, CIDR collections", &keys::ZONE_FILE)
}

/// The schema of place files, shipped as `config/places.schema.json`.
pub fn places_schema() -> String {
    schema("fiftythree: places of simulated clients", &keys::PLACES)
}

fn schema(title: &str, root: &Keys) -> String {
    let mut schema = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "title": title });
    add(&mut schema, table(root));
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema contains only strings, numbers and lists");
    text.push('\n');
    text
}

fn table(keys: &Keys) -> Value {
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    let required: Vec<&str> = keys.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    if !required.is_empty() {
        add(&mut schema, json!({ "required": required }));
    }
    let properties: Map<String, Value> = keys.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    add(&mut schema, json!({ "properties": properties }));
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = json!({ "description": key.about });
    add(&mut schema, shape(key.shape));
    schema
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::String => json!({ "type": "string" }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Strings => strings(),
        Shape::StringsOrTables(keys) => {
            json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }, table(keys)] } })
        }
        Shape::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Number { least, most } => json!({ "type": "number", "minimum": least, "maximum": most }),
        Shape::AnyNumber => json!({ "type": "number" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Switches(words) => json!({
            "anyOf": [{ "type": "boolean" }, { "type": "array", "items": { "enum": words } }],
        }),
        Shape::Duration(bounds) => duration(bounds),
        // The reader checks the bounds.
        Shape::Size { .. } => json!({ "type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB)$" }),
        Shape::Table(keys) => table(keys),
        Shape::Tables(keys) => json!({ "type": "array", "items": table(keys) }),
        Shape::Statuses => json!({
            "type": "array",
            "items": {
                "type": ["integer", "string"],
                "minimum": 200,
                "maximum": 599,
                "pattern": "^[2-5][0-9][0-9](-[2-5][0-9][0-9])?$",
            },
        }),
        Shape::Agreement => json!({
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": Agreement::MAX_COUNT,
            "pattern": "^([0-9]{1,2}%|majority|all|any)$",
        }),
        Shape::NamedStrings => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::NamedStringLists => json!({ "type": "object", "additionalProperties": strings() }),
        Shape::NamedDurations(bounds) => json!({ "type": "object", "additionalProperties": duration(bounds) }),
    }
}

fn strings() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

/// An integer of seconds, or a string with a unit. The reader checks the bounds of strings.
fn duration(bounds: Bounds) -> Value {
    let (least, most) = bounds.in_seconds();
    json!({ "type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": bounds.pattern() })
}

/// Adds the members of `more` to `schema` and keeps their order.
fn add(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn check(path: &str, schema: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("FIFTYTHREE_BLESS").is_some() {
            std::fs::write(&path, schema).unwrap();
        }
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(shipped == schema, "run FIFTYTHREE_BLESS=1 cargo test --lib schema to rewrite {}", path.display());
    }

    #[test]
    fn the_shipped_schemas_are_those_of_the_readers() {
        check("config/fiftythree.schema.json", &settings_schema());
        check("zones/zone.schema.json", &zone_schema());
        check("config/places.schema.json", &places_schema());
    }
}
