//! Files that the settings name and a server cannot use.

use std::path::Path;

use crate::config::{Diagnostic, SourceFile, position_of};

/// A setting that names such a file.
pub(crate) struct BadSetting {
    /// The table and the key of the setting.
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    /// Which element of the list, if it is one.
    pub(super) element: Option<usize>,
    /// What is wrong.
    pub(super) message: String,
}

impl BadSetting {
    /// The diagnostic at the position of the setting.
    pub(super) fn diagnostic(self, source: Option<&SourceFile>) -> Diagnostic {
        let BadSetting { table, key, element, message } = self;
        // Without a file of settings, the environment has the keys of the API.
        let Some(source) = source else { return Diagnostic::error(Path::new("environment"), message) };
        let error = Diagnostic::error(&source.path, message);
        match position_of(source, table, key, element) {
            Some(span) => {
                let mut error = error.at(span);
                error.label("named here");
                error
            }
            None => error,
        }
    }
}
