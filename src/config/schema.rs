//! JSON Schemas of all kinds of file, for editors: made from the same lists of keys that the readers use.

use std::fmt::Write as _;

use super::keys::{self, Bounds, Key, Keys, Need, Shape};

/// The schema of the settings file, shipped as `config/fiftythree.schema.json`.
pub fn settings_schema() -> String {
    schema("fiftythree: settings", &keys::SETTINGS)
}

/// The schema of zone files, shipped as `zones/zone.schema.json`.
pub fn zone_schema() -> String {
    schema("fiftythree: hosted zone, health checks, CIDR collections", &keys::ZONE_FILE)
}

/// The schema of files of places, shipped as `config/places.schema.json`.
pub fn places_schema() -> String {
    schema("fiftythree: places that simulated clients come from", &keys::PLACES)
}

fn schema(title: &str, root: &Keys) -> String {
    let mut json = Json::default();
    json.open('{');
    json.text("$schema", "http://json-schema.org/draft-07/schema#");
    json.text("title", title);
    table(&mut json, root);
    json.close('}');
    json.text.push('\n');
    json.text
}

fn table(json: &mut Json, keys: &Keys) {
    json.text("type", "object");
    json.raw("additionalProperties", "false");
    let required: Vec<&str> = keys.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    if !required.is_empty() {
        json.texts("required", &required);
    }
    json.key("properties");
    json.open('{');
    for key in keys.keys {
        property(json, key);
    }
    json.close('}');
}

fn property(json: &mut Json, key: &Key) {
    json.key(key.name);
    json.open('{');
    json.text("description", key.about);
    shape(json, key.shape);
    json.close('}');
}

fn shape(json: &mut Json, shape: Shape) {
    match shape {
        Shape::Text => json.text("type", "string"),
        Shape::Choice(words) => json.texts("enum", words),
        Shape::Texts => list_of_texts(json),
        Shape::Integer { least, most } => between(json, "integer", least, most),
        Shape::Number { least, most } => between(json, "number", least, most),
        Shape::AnyNumber => json.text("type", "number"),
        Shape::Boolean => json.text("type", "boolean"),
        Shape::Duration(bounds) => duration(json, bounds),
        Shape::Table(keys) => table(json, keys),
        Shape::Tables(keys) => {
            json.text("type", "array");
            json.inner("items", |json| table(json, keys));
        }
        Shape::Statuses => {
            json.text("type", "array");
            json.inner("items", |json| {
                json.texts("type", &["integer", "string"]);
                json.raw("minimum", "200");
                json.raw("maximum", "599");
                json.text("pattern", "^[2-5][0-9][0-9](-[2-5][0-9][0-9])?$");
            });
        }
        Shape::NamedText => {
            json.text("type", "object");
            json.inner("additionalProperties", |json| json.text("type", "string"));
        }
        Shape::NamedTexts => {
            json.text("type", "object");
            json.inner("additionalProperties", list_of_texts);
        }
        Shape::NamedDurations(bounds) => {
            json.text("type", "object");
            json.inner("additionalProperties", |json| duration(json, bounds));
        }
    }
}

fn list_of_texts(json: &mut Json) {
    json.text("type", "array");
    json.inner("items", |json| json.text("type", "string"));
}

fn between(json: &mut Json, kind: &str, least: i64, most: i64) {
    json.text("type", kind);
    json.raw("minimum", &least.to_string());
    json.raw("maximum", &most.to_string());
}

/// Whole seconds, or a text with a unit. Bounds of texts are the reader's business.
fn duration(json: &mut Json, bounds: Bounds) {
    let (least, most) = bounds.in_seconds();
    json.texts("type", &["integer", "string"]);
    json.raw("minimum", &least.to_string());
    json.raw("maximum", &most.to_string());
    json.text("pattern", bounds.pattern());
}

/// JSON as it is written out, indented by two spaces.
#[derive(Default)]
struct Json {
    text: String,
    depth: usize,
    /// True when nothing stands yet in the innermost object.
    is_empty: bool,
}

impl Json {
    fn key(&mut self, key: &str) {
        self.text.push_str(if self.is_empty { "\n" } else { ",\n" });
        self.is_empty = false;
        let indent = 2 * self.depth;
        let _ = write!(self.text, "{:indent$}{}: ", "", quoted(key));
    }

    fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.depth += 1;
        self.is_empty = true;
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        let indent = 2 * self.depth;
        let _ = write!(self.text, "\n{:indent$}{bracket}", "");
        self.is_empty = false;
    }

    fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text.push_str(value);
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quoted(value));
    }

    fn texts(&mut self, key: &str, values: &[&str]) {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.raw(key, &format!("[{}]", values.join(", ")));
    }

    fn inner(&mut self, key: &str, write: impl FnOnce(&mut Json)) {
        self.key(key);
        self.open('{');
        write(self);
        self.close('}');
    }
}

/// Our texts hold no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
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
        assert!(shipped == schema, "FIFTYTHREE_BLESS=1 cargo test schema writes {} anew", path.display());
    }

    #[test]
    fn the_shipped_schemas_are_those_of_the_readers() {
        check("config/fiftythree.schema.json", &settings_schema());
        check("zones/zone.schema.json", &zone_schema());
        check("config/places.schema.json", &places_schema());
    }
}
