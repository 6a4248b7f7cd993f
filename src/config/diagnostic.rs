//! Diagnostics: what is wrong in a file, where, and what is allowed. They are printed as rustc
//! prints its own, or one per line.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};

use super::secrecy::Covered;
use super::{Disclosure, SourceFile};

/// The most lines of one excerpt. A longer table is cut off.
const MAX_EXCERPT_LINES: usize = 6;

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
    pub related: Option<Place>,
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
pub struct Place {
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
}

/// A diagnostic for readers without access to the file: its position and messages, without lines of
/// the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedFault {
    /// Whether the file can still be used.
    pub severity: Severity,
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; `None` when the diagnostic is about the whole file.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// A few words at the position.
    pub label: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Whether printed diagnostics have terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For files and pipes.
    Plain,
    /// For terminals.
    Coloured,
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

    pub(super) fn related(&mut self, place: Place) -> &mut Diagnostic {
        self.related = Some(place);
        self
    }

    pub(super) fn wants(&mut self, wanted: Reference) -> &mut Diagnostic {
        self.wants = Some(wanted);
        self
    }

    /// The same diagnostic without what is covered at its position.
    pub(super) fn scrubbed(self, covered: &Covered, text: &str) -> Diagnostic {
        let Some(place) = self.span.clone() else { return self };
        let scrub = |words: Cow<'static, str>| match words {
            Cow::Borrowed(own) => Cow::Borrowed(own),
            quoting => covered.scrubbed(quoting, &place, text),
        };
        let (message, label, hint) = (scrub(self.message), self.label.map(&scrub), self.hint.map(&scrub));
        Diagnostic { message, label, hint, ..self }
    }

    /// The same diagnostic without strings that may quote the file.
    pub(super) fn without_text(mut self) -> Diagnostic {
        if let Cow::Owned(_) = self.message {
            self.message = Cow::Borrowed("there is an error here");
            self.hint = Some(Cow::Borrowed(WITHHELD));
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

    /// Line and column, both from 1; the column counts characters. `None` when the diagnostic is
    /// about the whole file.
    pub fn position(&self, sources: &[SourceFile]) -> Option<(usize, usize)> {
        let source = sources.iter().find(|source| source.path == self.path)?;
        Some(Lines::of(source).position(self.span.as_ref()?))
    }

    /// The form for readers without access to the file.
    fn reported(&self, position: Option<(usize, usize)>) -> ReportedFault {
        let (line, column) = position.unzip();
        let printable = |words: &Cow<'static, str>| printable(words).into_owned();
        ReportedFault {
            severity: self.severity,
            path: self.path.clone(),
            line,
            column,
            message: printable(&self.message),
            label: self.label.as_ref().map(printable),
            hint: self.hint.as_ref().map(printable),
        }
    }

    /// `file:line:column: error: message`, the form that editors and log processors recognise.
    pub fn line(&self, sources: &[SourceFile]) -> String {
        self.line_at(self.position(sources))
    }

    fn line_at(&self, position: Option<(usize, usize)>) -> String {
        let (path, severity, message) = (self.path.display(), self.severity.as_str(), printable(&self.message));
        match position {
            Some((line, column)) => format!("{path}:{line}:{column}: {severity}: {message}"),
            None => format!("{path}: {severity}: {message}"),
        }
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

    fn level(self) -> Level<'static> {
        match self {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        }
    }
}

/// Prints every diagnostic with file, line, column, the line itself and the hint, as rustc does.
pub fn render(diagnostics: &[Diagnostic], sources: &[SourceFile], style: Style) -> String {
    if diagnostics.is_empty() {
        // The usual case: skip counting the lines of all files.
        return String::new();
    }
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let sources = source_lines(sources);
    let mut printed = String::new();
    for diagnostic in diagnostics {
        printed.push_str(&render_one(&disclosed(diagnostic, &sources), &sources, &renderer));
        printed.push_str("\n\n");
    }
    printed
}

/// Prints every diagnostic on its own line: `file:line:column: error: message`.
pub fn lines(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> String {
    let sources = source_lines(sources);
    let mut printed = String::new();
    for diagnostic in diagnostics {
        let text = sources.get(diagnostic.path.as_path());
        let position = text.zip(diagnostic.span.as_ref()).map(|(text, span)| text.position(span));
        let _ = writeln!(printed, "{}", disclosed(diagnostic, &sources).line_at(position));
    }
    printed
}

/// Every diagnostic without lines of the text.
pub fn report(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> Vec<ReportedFault> {
    if diagnostics.is_empty() {
        return Vec::new();
    }
    let sources = source_lines(sources);
    let position =
        |diagnostic: &Diagnostic| Some(sources.get(diagnostic.path.as_path())?.position(diagnostic.span.as_ref()?));
    diagnostics.iter().map(|diagnostic| disclosed(diagnostic, &sources).reported(position(diagnostic))).collect()
}

/// The sources by path. Their lines are counted once, not for every diagnostic.
type SourceLines<'s> = HashMap<&'s Path, Lines<'s>>;

/// A diagnostic as far as its file may be shown. Diagnostics of the readers have no secrets
/// already.
fn disclosed<'f>(diagnostic: &'f Diagnostic, sources: &SourceLines<'_>) -> Cow<'f, Diagnostic> {
    match sources.get(diagnostic.path.as_path()).map(|lines| lines.disclosure) {
        Some(Disclosure::Places) => Cow::Owned(diagnostic.clone().without_text()),
        Some(Disclosure::Text) | None => Cow::Borrowed(diagnostic),
    }
}

fn source_lines(sources: &[SourceFile]) -> SourceLines<'_> {
    sources.iter().map(|source| (source.path.as_path(), Lines::of(source))).collect()
}

/// A text, the start of each line, and what may be shown.
struct Lines<'s> {
    text: &'s str,
    starts: Vec<usize>,
    disclosure: Disclosure,
    covered: OnceCell<Covered>,
}

impl<'s> Lines<'s> {
    fn of(source: &'s SourceFile) -> Lines<'s> {
        let SourceFile { text, disclosure, .. } = source;
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, starts, disclosure: *disclosure, covered: OnceCell::new() }
    }

    /// A part of the text with secrets covered.
    fn shown(&self, part: Range<usize>) -> Cow<'s, str> {
        self.covered.get_or_init(|| Covered::of(self.text)).shown(part, self.text)
    }

    /// The number of the line, from 1, that contains the byte, and where the line begins.
    fn line_of(&self, at: usize) -> (usize, usize) {
        let number = self.starts.partition_point(|&start| start <= at);
        (number, self.starts[number - 1])
    }

    fn position(&self, span: &Range<usize>) -> (usize, usize) {
        let at = within(span, self.text).start;
        let (number, start) = self.line_of(at);
        (number, 1 + self.text[start..at].chars().count())
    }
}

fn render_one(diagnostic: &Diagnostic, sources: &SourceLines<'_>, renderer: &Renderer) -> String {
    let title = diagnostic.severity.level().primary_title(printable(&diagnostic.message));
    let hint = diagnostic.hint.as_deref().map(|hint| Level::HELP.with_name("hint").message(printable(hint)));
    let Some(span) = &diagnostic.span else {
        let origin = Origin::path(diagnostic.path.display().to_string());
        return renderer.render(&[title.element(origin).elements(hint)]);
    };
    let primary = Mark { span, label: diagnostic.label.as_deref(), kind: AnnotationKind::Primary };
    let (near, far) = match &diagnostic.related {
        Some(place) if place.path == diagnostic.path => (vec![primary, Mark::context(place)], None),
        Some(place) => (vec![primary], Some((&place.path, [Mark::context(place)]))),
        None => (vec![primary], None),
    };
    let Some(near) = excerpt(&diagnostic.path, &near, sources) else {
        let mut origin = Origin::path(diagnostic.path.display().to_string());
        if let Some((line, column)) = sources.get(diagnostic.path.as_path()).map(|lines| lines.position(span)) {
            origin = origin.line(line).char_column(column);
        }
        return renderer.render(&[title.element(origin).elements(hint)]);
    };
    let far = far.and_then(|(path, marks)| excerpt(path, &marks, sources));
    renderer.render(&[title.element(near).elements(far).elements(hint)])
}

/// A position to underline, and its label.
struct Mark<'f> {
    span: &'f Range<usize>,
    label: Option<&'f str>,
    kind: AnnotationKind,
}

impl Mark<'_> {
    fn context(place: &Place) -> Mark<'_> {
        Mark { span: &place.span, label: Some(&place.label), kind: AnnotationKind::Context }
    }
}

/// The lines around the marks. Only these are rendered, so that printing a diagnostic does not scan
/// the whole file.
fn excerpt<'s>(path: &Path, marks: &[Mark<'_>], sources: &SourceLines<'s>) -> Option<Snippet<'s, Annotation<'s>>> {
    let lines = sources.get(path).filter(|lines| lines.disclosure == Disclosure::Text)?;
    let text = lines.text;
    let spans: Vec<Range<usize>> = marks.iter().map(|mark| few_lines(within(mark.span, text), text)).collect();
    let first = spans.iter().map(|span| span.start).min()?;
    let last = spans.iter().map(|span| span.end).max()?;
    let (line, start) = lines.line_of(first);
    let end = text[last..].find('\n').map_or(text.len(), |at| last + at);
    let annotation = |(mark, span): (&Mark<'_>, &Range<usize>)| {
        let label = mark.label.map(|label| printable(label).into_owned());
        mark.kind.span(span.start - start..span.end - start).label(label)
    };
    let annotations = marks.iter().zip(&spans).map(annotation);
    let snippet = Snippet::source(lines.shown(start..end)).path(path.display().to_string()).line_start(line);
    Some(snippet.annotations(annotations))
}

/// The first lines of a span.
fn few_lines(span: Range<usize>, text: &str) -> Range<usize> {
    let mut ends = text[span.clone()].match_indices('\n').skip(MAX_EXCERPT_LINES - 1);
    let end = ends.next().map_or(span.end, |(at, _)| span.start + at);
    span.start..end
}

/// Escapes control characters, which user input may contain, so that the output stays on one line.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
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
