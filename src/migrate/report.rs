//! What has no counterpart, and where it is written.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Diagnostic, Disclosure, LocatedDiagnostic, SourceFile, Style, locate, render_located};

/// Where something is written: a file, or the URL that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: Arc<Path>,
    /// The byte range of the text of a file.
    pub(super) span: Option<Range<usize>>,
}

impl Place {
    /// A whole file, or all that came from a URL.
    pub(super) fn whole(path: impl Into<PathBuf>) -> Place {
        Place { path: path.into().into(), span: None }
    }

    /// A part of it.
    pub(super) fn at(&self, span: Range<usize>) -> Place {
        Place { path: Arc::clone(&self.path), span: Some(span) }
    }
}

/// Everything that is left out or becomes something else, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct MigrationReport {
    sources: Vec<SourceFile>,
    diagnostics: Vec<Diagnostic>,
}

impl MigrationReport {
    /// Keeps the text of a file, so that its lines can be shown.
    pub(super) fn source(&mut self, path: &Path, text: Arc<str>) {
        // Files of other formats have no keys whose values are secret.
        self.sources.push(SourceFile { path: path.to_owned(), text, disclosure: Disclosure::Everything });
    }

    /// Reports something that is left out.
    pub(super) fn add(&mut self, place: &Place, message: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        let diagnostic = Diagnostic::warning(&place.path, message);
        self.push(place, diagnostic)
    }

    /// Reports a file that cannot be read.
    pub(super) fn error(&mut self, place: &Place, message: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(&place.path, message);
        self.push(place, diagnostic)
    }

    fn push(&mut self, place: &Place, diagnostic: Diagnostic) -> &mut Diagnostic {
        let at = self.diagnostics.len();
        self.diagnostics.push(match &place.span {
            Some(span) => diagnostic.at(span.clone()),
            None => diagnostic,
        });
        &mut self.diagnostics[at]
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether a file could not be read at all.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// With lines and columns.
    pub(crate) fn located(&self) -> Vec<LocatedDiagnostic> {
        locate(&self.diagnostics, &self.sources)
    }

    /// For a terminal.
    pub(crate) fn render(&self, style: Style) -> String {
        render_located(&self.located(), style)
    }
}
