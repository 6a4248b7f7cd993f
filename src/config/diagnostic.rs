//! Diagnostics: what is wrong in a file, where, and what is allowed.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Disclosure;
use super::secrecy::Covered;
use crate::model::{HostedZoneId, Name};

/// The hint for a copy of a file that is gone, whose text must not be shown.
const GONE: &str = "the file is gone; this is about the copy of it that is served, whose text is not shown";
/// The hint for a file whose text must not be shown.
const WITHHELD: &str = "the path is a symbolic link that leads out of its directory, so its text is not shown; \
                        run `fiftythree check` with the path of the file itself to see it";

/// An error or a warning about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the file can still be used.
    pub severity: Severity,
    /// The file.
    pub path: PathBuf,
    /// The byte range of the text; `None` when the diagnostic is about the whole file.
    pub span: Option<Range<usize>>,
    /// What is wrong: one sentence without a full stop. A borrowed string is a constant of this
    /// program; an owned one may quote the file. The same holds for labels and hints.
    pub message: Cow<'static, str>,
    /// A few words at the position.
    pub label: Option<Cow<'static, str>>,
    /// What to write instead.
    pub hint: Option<Cow<'static, str>>,
    /// A second position, such as the first use of a duplicate name.
    pub related: Option<RelatedSpan>,
    /// The definition that the file refers to and no file has. `select_sources` uses it to find the
    /// file that had it.
    pub(super) wants: Option<Reference>,
    /// Whether an earlier version of this server accepted the text.
    pub(super) is_newly_refused: bool,
}

/// The severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be served in its current state.
    Error,
    /// The file is served, but should be checked.
    Warning,
}

/// A position in a file, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelatedSpan {
    /// The file.
    pub path: PathBuf,
    /// The byte range of the text.
    pub span: Range<usize>,
    /// A few words at the position.
    pub label: String,
}

/// A reference to a definition, by name or id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reference {
    /// A `[[health_check]]`.
    HealthCheck(String),
    /// A `[[cidr_collection]]`, or one of its locations.
    Collection(String),
    /// A `[[traffic_policy]]`, by its id.
    TrafficPolicy(String),
    /// The `[[alias_target]]` of an alias to this name in this hosted zone.
    AliasTarget(HostedZoneId, Name),
}

impl Diagnostic {
    /// An error about the whole file; `at` and the other methods add details.
    pub fn error(path: &Path, message: impl Into<Cow<'static, str>>) -> Diagnostic {
        Diagnostic::new(Severity::Error, path, message.into())
    }

    /// A warning about the whole file; `at` and the other methods add details.
    pub fn warning(path: &Path, message: impl Into<Cow<'static, str>>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, path, message.into())
    }

    fn new(severity: Severity, path: &Path, message: Cow<'static, str>) -> Diagnostic {
        Diagnostic {
            severity,
            path: path.to_owned(),
            span: None,
            message,
            label: None,
            hint: None,
            related: None,
            wants: None,
            is_newly_refused: false,
        }
    }

    /// Sets the position in the file.
    pub fn at(mut self, span: Range<usize>) -> Diagnostic {
        self.span = Some(span);
        self
    }

    /// Sets the few words at the position.
    pub fn label(&mut self, label: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        self.label = Some(label.into());
        self
    }

    /// Sets the hint: what to write instead.
    pub fn hint(&mut self, hint: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn related(&mut self, span: RelatedSpan) -> &mut Diagnostic {
        self.related = Some(span);
        self
    }

    /// The same conflict, reported at its other position.
    pub(super) fn turned_round(mut self) -> Diagnostic {
        if let (Some(related), Some(span)) = (&mut self.related, &mut self.span) {
            std::mem::swap(&mut related.path, &mut self.path);
            std::mem::swap(&mut related.span, span);
        }
        self
    }

    pub(super) fn wants(&mut self, wanted: Reference) -> &mut Diagnostic {
        self.wants = Some(wanted);
        self
    }

    /// The same diagnostic without what is covered at its position.
    pub(super) fn scrubbed(self, covered: &Covered, text: &str) -> Diagnostic {
        let Some(span) = self.span.clone() else { return self };
        let scrub = |words: Cow<'static, str>| match words {
            Cow::Borrowed(own) => Cow::Borrowed(own),
            quoting => covered.scrubbed(quoting, &span, text),
        };
        let (message, label, hint) = (scrub(self.message), self.label.map(&scrub), self.hint.map(&scrub));
        Diagnostic { message, label, hint, ..self }
    }

    /// The same diagnostic without strings that may quote the file, as far as `disclosure` demands
    /// it.
    pub(super) fn disclosed(mut self, disclosure: Disclosure) -> Diagnostic {
        let why = match disclosure {
            Disclosure::Text | Disclosure::Everything => return self,
            Disclosure::PositionsOnly => WITHHELD,
            Disclosure::Gone => GONE,
        };
        if let Cow::Owned(_) = self.message {
            self.message = Cow::Borrowed("there is an error here");
            self.hint = Some(Cow::Borrowed(why));
        }
        let own = |words: &Cow<'static, str>| matches!(words, Cow::Borrowed(_));
        self.label = self.label.filter(own);
        self.hint = self.hint.filter(own);
        self
    }

    /// True for an error: the file cannot be served in its current state.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// The span limited to the text and widened to character boundaries.
pub(super) fn within(span: &Range<usize>, text: &str) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
