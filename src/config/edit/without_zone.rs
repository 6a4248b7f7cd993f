//! Removes a zone from its file.

use toml_edit::DocumentMut;

use super::super::SourceFile;
use super::EditError;
use super::document::parse;

/// The keys that define a zone and its record sets.
const ZONE_KEYS: [&str; 14] = [
    "name",
    "id",
    "comment",
    "vpcs",
    "caller_reference",
    "tags",
    "authorized_vpcs",
    "delegation_set",
    "query_logging",
    "accelerated_recovery",
    "protections",
    "traffic_policy_instances",
    "record",
    "record_group",
];

/// The text without its zone: the health checks and CIDR collections of the file. `None` if it has
/// none, so that the file can be removed.
pub fn without_zone(file: &SourceFile) -> Result<Option<String>, EditError> {
    let mut document: DocumentMut = parse(&file.text)?;
    let has_others = document.iter().any(|(key, _)| !ZONE_KEYS.contains(&key) && key != "version");
    if !has_others {
        return Ok(None);
    }
    for key in ZONE_KEYS {
        document.remove(key);
    }
    Ok(Some(document.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_collections_stay() {
        let text = "version = 1\nname = \"lab.test\"\ntags = { a = \"b\" }\n\n[[record]]\nname = \"www\"\n\n# The check\n\
                    [[health_check]]\nname = \"blue\"\n";
        let left = without_zone(&SourceFile::new("lab.test.toml", text)).unwrap();
        assert_eq!(left.as_deref(), Some("version = 1\n\n# The check\n[[health_check]]\nname = \"blue\"\n"));
        let text = "version = 1\nname = \"lab.test\"\n[[record]]\nname = \"www\"\n";
        assert_eq!(without_zone(&SourceFile::new("lab.test.toml", text)), Ok(None));
    }
}
