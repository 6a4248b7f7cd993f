//! Faults: what is wrong in a file, where, what is allowed instead; printed the way rustc prints, or one line each.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::SourceFile;

/// Lines of one excerpt: a table that spans more is cut, so that a fault stays readable.
const MAX_EXCERPT_LINES: usize = 6;

/// Something wrong, or doubtful, in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The file.
    pub path: PathBuf,
    /// The octets of its text that are meant; `None` when the file as a whole is.
    pub span: Option<Range<usize>>,
    /// One sentence without a full stop: what is wrong.
    pub message: String,
    /// A few words right at the place.
    pub label: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
    /// Another place that belongs to it, such as where a name was first used.
    pub related: Option<Place>,
    /// What the file asks for and nobody defines; tells `settle` whom to ask.
    pub(super) wants: Option<Wanted>,
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be served as it stands.
    Error,
    /// The file is served; somebody should look at it.
    Warning,
}

/// A place in a file, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The octets of its text.
    pub span: Range<usize>,
    /// A few words right at the place.
    pub label: String,
}

/// A definition that a reference asks for, by name or id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// A `[[health_check]]`.
    HealthCheck(String),
    /// A `[[cidr_collection]]`, or one of its locations.
    Collection(String),
}

/// Whether printed faults carry terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For files and pipes.
    Plain,
    /// For terminals.
    Coloured,
}

impl Fault {
    /// An error about the file as a whole; `at` and the others say more.
    pub fn error(path: &Path, message: impl Into<String>) -> Fault {
        Fault::new(Severity::Error, path, message.into())
    }

    /// A warning about the file as a whole; `at` and the others say more.
    pub fn warning(path: &Path, message: impl Into<String>) -> Fault {
        Fault::new(Severity::Warning, path, message.into())
    }

    fn new(severity: Severity, path: &Path, message: String) -> Fault {
        let path = path.to_owned();
        Fault { severity, path, span: None, message, label: None, hint: None, related: None, wants: None }
    }

    /// Says where in the file.
    pub fn at(mut self, span: Range<usize>) -> Fault {
        self.span = Some(span);
        self
    }

    /// Puts a few words right at the place.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Fault {
        self.label = Some(label.into());
        self
    }

    /// Says what to write instead.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Fault {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn related(&mut self, place: Place) -> &mut Fault {
        self.related = Some(place);
        self
    }

    pub(super) fn wants(&mut self, wanted: Wanted) -> &mut Fault {
        self.wants = Some(wanted);
        self
    }

    /// True when the file cannot be served as it stands.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Line and column, both from 1; the column counts characters. `None` when the file as a whole is meant.
    pub fn position(&self, sources: &[SourceFile]) -> Option<(usize, usize)> {
        let source = sources.iter().find(|source| source.path == self.path)?;
        let text: &str = &source.text;
        let start = within(self.span.as_ref()?, text).start;
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + text[..line_start].bytes().filter(|&octet| octet == b'\n').count();
        Some((line, 1 + text[line_start..start].chars().count()))
    }

    /// `file:line:column: error: message`, the form that editors and log files know.
    pub fn line(&self, sources: &[SourceFile]) -> String {
        let (path, severity, message) = (self.path.display(), self.severity.as_str(), &self.message);
        match self.position(sources) {
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

/// Prints every fault with file, line, column, the line itself and the hint, as rustc does.
pub fn render(faults: &[Fault], sources: &[SourceFile], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let mut printed = String::new();
    for fault in faults {
        printed.push_str(&render_one(fault, sources, &renderer));
        printed.push_str("\n\n");
    }
    printed
}

/// Prints every fault on a line of its own: `file:line:column: error: message`.
pub fn lines(faults: &[Fault], sources: &[SourceFile]) -> String {
    let mut printed = String::new();
    for fault in faults {
        let _ = writeln!(printed, "{}", fault.line(sources));
    }
    printed
}

fn render_one(fault: &Fault, sources: &[SourceFile], renderer: &Renderer) -> String {
    let title = fault.severity.level().primary_title(fault.message.as_str());
    let hint = fault.hint.as_deref().map(|hint| Level::HELP.with_name("hint").message(hint));
    let Some(excerpt) = fault.span.as_ref().and_then(|span| excerpt(&fault.path, span, sources)) else {
        let origin = annotate_snippets::Origin::path(fault.path.display().to_string());
        return renderer.render(&[title.element(origin).elements(hint)]);
    };
    let primary = AnnotationKind::Primary.span(excerpt.span.clone()).label(fault.label.as_deref());
    let mut group = title.element(excerpt.snippet().annotation(primary));
    if let Some(place) = &fault.related
        && let Some(excerpt) = self::excerpt(&place.path, &place.span, sources)
    {
        let context = AnnotationKind::Context.span(excerpt.span.clone()).label(place.label.as_str());
        group = group.element(excerpt.snippet().annotation(context));
    }
    renderer.render(&[group.elements(hint)])
}

/// The lines around a span, cut out of a file so that printing a fault does not cost a walk through all of it.
struct Excerpt<'s> {
    path: String,
    text: &'s str,
    first_line: usize,
    span: Range<usize>,
}

impl<'s> Excerpt<'s> {
    fn snippet<T: Clone>(&self) -> Snippet<'s, T> {
        Snippet::source(self.text).path(self.path.clone()).line_start(self.first_line)
    }
}

fn excerpt<'s>(path: &Path, span: &Range<usize>, sources: &'s [SourceFile]) -> Option<Excerpt<'s>> {
    let source = sources.iter().find(|source| source.path == path)?;
    let text: &str = &source.text;
    let span = within(span, text);
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let lines = text[start..].split_inclusive('\n').scan(start, |end, line| {
        let before = *end;
        *end += line.len();
        Some((before, *end))
    });
    let end = lines
        .take(MAX_EXCERPT_LINES)
        .take_while(|(before, _)| *before <= span.start.max(span.end.saturating_sub(1)))
        .last();
    let end = end.map_or(text.len(), |(_, end)| end);
    let text_end = start + text[start..end].trim_end_matches(['\n', '\r']).len();
    let span = span.start.min(text_end) - start..span.end.min(text_end) - start;
    let first_line = 1 + text[..start].bytes().filter(|&octet| octet == b'\n').count();
    Some(Excerpt { path: path.display().to_string(), text: &source.text[start..text_end], first_line, span })
}

/// A span that surely lies in the text, on character boundaries.
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
