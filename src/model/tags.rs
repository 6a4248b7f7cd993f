//! The tags of hosted zones and health checks, and their limits.

use std::collections::BTreeMap;

/// Values by key (API Tag).
pub type Tags = BTreeMap<String, String>;

/// The most tags of a hosted zone or a health check (AWS General Reference, "Tag naming limits and
/// requirements").
pub const MAX_TAGS: usize = 50;
/// The longest key and value, in characters (API TagKey, TagValue).
pub const MAX_TAG_KEY_CHARACTERS: usize = 128;
/// See [`MAX_TAG_KEY_CHARACTERS`].
pub const MAX_TAG_VALUE_CHARACTERS: usize = 256;

/// Whether tags can have this character: letters, numbers, spaces and these signs (AWS General
/// Reference, "Tag naming limits and requirements").
#[must_use]
pub fn is_tag_character(character: char) -> bool {
    let is_space = character.is_whitespace() && !character.is_control();
    character.is_alphanumeric() || is_space || "_.:/=+-@".contains(character)
}
