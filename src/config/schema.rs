//! JSON Schemas of both kinds of file, for editors.

/// The schema of the settings file.
pub fn settings_schema() -> String {
    String::new()
}

/// The schema of zone files.
pub fn zone_schema() -> String {
    String::new()
}
