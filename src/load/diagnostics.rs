//! The diagnostics of a load, by file. They are typed: the log, the API and the command line each
//! show them in their own form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{self, LocatedDiagnostic, Style};

/// Errors and warnings about the files of one load. Instead of the texts of the files it keeps the
/// lines that it points to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadDiagnostics {
    files: BTreeMap<PathBuf, Vec<LocatedDiagnostic>>,
}

impl LoadDiagnostics {
    /// Adds diagnostics of any file.
    pub(crate) fn add(&mut self, diagnostics: impl IntoIterator<Item = LocatedDiagnostic>) {
        for diagnostic in diagnostics {
            self.files.entry(diagnostic.path.clone()).or_default().push(diagnostic);
        }
    }

    /// The diagnostics of each file, by path.
    pub(crate) fn by_file(&self) -> impl Iterator<Item = (&PathBuf, &[LocatedDiagnostic])> {
        self.files.iter().map(|(path, diagnostics)| (path, diagnostics.as_slice()))
    }

    /// All diagnostics, by path.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &LocatedDiagnostic> {
        self.files.values().flatten()
    }

    /// The number of errors.
    pub(crate) fn errors(&self) -> usize {
        self.iter().filter(|diagnostic| diagnostic.is_error()).count()
    }

    /// The first error in a file, as `path:line:column: message`.
    pub(crate) fn first_error_in(&self, path: &Path) -> Option<String> {
        let error = self.files.get(path)?.iter().find(|diagnostic| diagnostic.is_error())?;
        let place = [error.line, error.column].into_iter().flatten().map(|number| format!(":{number}"));
        Some(format!("{}{}: {}", path.display(), place.collect::<String>(), error.message))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All diagnostics with the lines that they point to.
    pub(crate) fn render(&self, style: Style) -> String {
        config::render_located(self.iter(), style)
    }
}
