//! Strings that must not be shown: passwords, tokens, and URLs that contain one.

use std::fmt;

/// A string whose debug output is `***`. It has no other output.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// The string itself. Do not use it in log lines, messages or responses.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_secret() {
        let secret = Some(("name", Secret::from("hunter2")));
        assert_eq!(format!("{secret:?}"), "Some((\"name\", ***))");
        assert!(!format!("{secret:#?}").contains("hunter2"));
    }
}
