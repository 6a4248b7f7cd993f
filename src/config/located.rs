//! Diagnostics with their line, their column and the lines that they point to, so that the text of
//! the file is no longer needed. They are printed as rustc prints its own, or one per line.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, RelatedSpan, Severity, within};
use super::secrecy::Covered;
use super::{Disclosure, SourceFile};

/// The most lines of one excerpt. A longer table is cut off.
const MAX_EXCERPT_LINES: usize = 6;

/// Explains the asterisks in excerpts, once after all diagnostics.
const MASKED: &str = "note: asterisks replace values that may be secret: those of secret keys and of unknown keys, and \
                      lines that are not TOML\n\n";

/// A diagnostic as far as it may be shown: its position, its messages and the lines that it points
/// to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedDiagnostic {
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
    /// The lines of its file and those of another file, if it is about two.
    excerpts: Vec<Excerpt>,
}

/// Some lines of a file without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    path: PathBuf,
    /// The number of the first line.
    first_line: usize,
    text: String,
    is_masked: bool,
    marks: Vec<Mark>,
}

/// A position to underline, and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    span: Range<usize>,
    label: Option<String>,
    kind: MarkKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MarkKind {
    Primary,
    Related,
}

/// Whether printed diagnostics have terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For files and pipes.
    Plain,
    /// For terminals.
    Coloured,
}

/// Finds the lines of diagnostics in the texts that they are about.
pub fn locate(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> Vec<LocatedDiagnostic> {
    if diagnostics.is_empty() {
        // The usual case: skip counting the lines of all files.
        return Vec::new();
    }
    let sources: Sources<'_> = sources.iter().map(|source| (source.path.as_path(), Lines::of(source))).collect();
    diagnostics.iter().map(|diagnostic| located(diagnostic, &sources)).collect()
}

/// Prints every diagnostic with file, line, column, the line itself and the hint, as rustc does.
pub fn render(diagnostics: &[Diagnostic], sources: &[SourceFile], style: Style) -> String {
    render_located(&locate(diagnostics, sources), style)
}

/// The same for diagnostics that are located already.
pub fn render_located<'d>(diagnostics: impl IntoIterator<Item = &'d LocatedDiagnostic>, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let (mut printed, mut is_masked) = (String::new(), false);
    for diagnostic in diagnostics {
        printed.push_str(&diagnostic.render(&renderer));
        printed.push_str("\n\n");
        is_masked |= diagnostic.excerpts.iter().any(|excerpt| excerpt.is_masked);
    }
    if is_masked {
        printed.push_str(MASKED);
    }
    printed
}

/// Prints every diagnostic on its own line: `file:line:column: error: message`.
pub fn lines(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> String {
    let mut printed = String::new();
    for diagnostic in locate(diagnostics, sources) {
        let _ = writeln!(printed, "{}", diagnostic.in_one_line());
    }
    printed
}

impl LocatedDiagnostic {
    /// True for an error: the file cannot be served in its current state.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// `file:line:column: error: message`, the form that editors and log processors recognise.
    fn in_one_line(&self) -> String {
        let (path, severity, message) = (self.path.display(), self.severity.as_str(), &self.message);
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{path}:{line}:{column}: {severity}: {message}"),
            _ => format!("{path}: {severity}: {message}"),
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&*self.message);
        let hint = self.hint.as_deref().map(|hint| Level::HELP.with_name("hint").message(hint));
        if self.excerpts.is_empty() {
            let mut origin = Origin::path(self.path.display().to_string());
            if let (Some(line), Some(column)) = (self.line, self.column) {
                origin = origin.line(line).char_column(column);
            }
            return renderer.render(&[title.element(origin).elements(hint)]);
        }
        let excerpts = self.excerpts.iter().map(Excerpt::snippet);
        renderer.render(&[title.elements(excerpts).elements(hint)])
    }
}

impl Excerpt {
    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        let annotation = |mark: &Mark| {
            let kind = match mark.kind {
                MarkKind::Primary => AnnotationKind::Primary,
                MarkKind::Related => AnnotationKind::Context,
            };
            kind.span(mark.span.clone()).label(mark.label.clone())
        };
        let snippet = Snippet::source(&*self.text).path(self.path.display().to_string()).line_start(self.first_line);
        snippet.annotations(self.marks.iter().map(annotation))
    }
}

/// The sources by path. Their lines are counted once, not for every diagnostic.
type Sources<'s> = HashMap<&'s Path, Lines<'s>>;

fn located(diagnostic: &Diagnostic, sources: &Sources<'_>) -> LocatedDiagnostic {
    let lines = sources.get(diagnostic.path.as_path());
    let (line, column) = lines.zip(diagnostic.span.as_ref()).map(|(lines, span)| lines.position(span)).unzip();
    // Diagnostics of the readers have no secrets already.
    let shown = match lines.map(|lines| lines.disclosure) {
        Some(Disclosure::Text | Disclosure::Everything) | None => Cow::Borrowed(diagnostic),
        Some(disclosure) => Cow::Owned(diagnostic.clone().disclosed(disclosure)),
    };
    let printable = |words: &Cow<'static, str>| printable(words).into_owned();
    LocatedDiagnostic {
        severity: shown.severity,
        path: shown.path.clone(),
        line,
        column,
        message: printable(&shown.message),
        label: shown.label.as_ref().map(printable),
        hint: shown.hint.as_ref().map(printable),
        excerpts: excerpts(&shown, sources),
    }
}

/// The lines of the file, then those of the other file. None if those of its file may not be shown.
fn excerpts(diagnostic: &Diagnostic, sources: &Sources<'_>) -> Vec<Excerpt> {
    let Some(span) = &diagnostic.span else { return Vec::new() };
    let mark = |span: &Range<usize>, label: Option<&str>, kind| Mark {
        span: span.clone(),
        label: label.map(|label| printable(label).into_owned()),
        kind,
    };
    let primary = mark(span, diagnostic.label.as_deref(), MarkKind::Primary);
    let related = |other: &RelatedSpan| mark(&other.span, Some(&other.label), MarkKind::Related);
    let (near, far) = match &diagnostic.related {
        Some(other) if other.path == diagnostic.path => (vec![primary, related(other)], None),
        Some(other) => (vec![primary], Some((&other.path, vec![related(other)]))),
        None => (vec![primary], None),
    };
    let Some(near) = excerpt(&diagnostic.path, near, sources) else { return Vec::new() };
    let far = far.and_then(|(path, marks)| excerpt(path, marks, sources));
    [Some(near), far].into_iter().flatten().collect()
}

/// The lines around the marks. Only these are kept and printed, not the whole file.
fn excerpt(path: &Path, mut marks: Vec<Mark>, sources: &Sources<'_>) -> Option<Excerpt> {
    let is_shown = |lines: &&Lines<'_>| matches!(lines.disclosure, Disclosure::Text | Disclosure::Everything);
    let lines = sources.get(path).filter(is_shown)?;
    let text = lines.text;
    marks.iter_mut().for_each(|mark| mark.span = few_lines(within(&mark.span, text), text));
    let first = marks.iter().map(|mark| mark.span.start).min()?;
    let last = marks.iter().map(|mark| mark.span.end).max()?;
    let (first_line, start) = lines.line_of(first);
    let end = text[last..].find('\n').map_or(text.len(), |at| last + at);
    marks.iter_mut().for_each(|mark| mark.span = mark.span.start - start..mark.span.end - start);
    let covered = lines.covered();
    let is_masked = covered.has_asterisks(&(start..end));
    let text = covered.shown(start..end, text).into_owned();
    Some(Excerpt { path: path.to_owned(), first_line, text, is_masked, marks })
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

    fn covered(&self) -> &Covered {
        let has_secrets = self.disclosure != Disclosure::Everything;
        self.covered.get_or_init(|| if has_secrets { Covered::of(self.text) } else { Covered::default() })
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
