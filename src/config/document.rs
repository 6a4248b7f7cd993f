//! Parses one file into a tree of tables and collects the diagnostics about it.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::diagnostic::{Diagnostic, RelatedSpan, within};
use super::secrecy::Covered;
use super::tree::{self, Entries};
use super::{Disclosure, Severity, SourceFile};
use super::{lookalikes, other_formats};

/// The diagnostics of one file.
pub(super) struct Diagnostics<'f> {
    file: &'f SourceFile,
    /// Where the syntax is broken, in order and disjoint. The parser guesses values there, so no
    /// diagnostics are made about them.
    broken: Vec<Range<usize>>,
    diagnostics: Vec<Diagnostic>,
}

/// Parses a file and reports every syntax error; returns what could be read.
pub(super) fn parse(file: &SourceFile) -> (Entries<'_>, Diagnostics<'_>) {
    parse_plain(file).unwrap_or_else(|| match other_formats::form_of(&file.text) {
        Some(form) => foreign_document(file, form),
        None => parse_document(file),
    })
}

/// Parses a file without syntax errors and of the simple structure; `None` for any other.
pub(super) fn parse_plain(file: &SourceFile) -> Option<(Entries<'_>, Diagnostics<'_>)> {
    let root = tree::plain(&file.text)?;
    Some((root, Diagnostics { file, broken: Vec::new(), diagnostics: Vec::new() }))
}

/// A file in another format gets one error, not one per line.
fn foreign_document<'f>(file: &'f SourceFile, form: other_formats::Form) -> (Entries<'f>, Diagnostics<'f>) {
    let mut diagnostics = Diagnostics { file, broken: Vec::new(), diagnostics: Vec::new() };
    diagnostics.broken.push(0..file.text.len());
    diagnostics.error(form.line, form.message).hint(form.hint);
    (Entries::default(), diagnostics)
}

fn parse_document(file: &SourceFile) -> (Entries<'_>, Diagnostics<'_>) {
    let (mut root, mut errors) = DeTable::parse_recoverable(&file.text);
    let end_of_unclosed_list = end_of_unclosed_list(&errors, &file.text);
    if let Some(from) = end_of_unclosed_list {
        (root, errors) = DeTable::parse_recoverable(&file.text[..from]);
        errors.retain(|error| !error.message().contains("unclosed array"));
    }
    let mut diagnostics = Diagnostics { file, broken: Vec::new(), diagnostics: Vec::new() };
    for error in &errors {
        diagnostics.syntax_error(error);
    }
    if let Some(from) = end_of_unclosed_list {
        diagnostics.never_closed(from);
    }
    diagnostics.broken = disjoint(diagnostics.broken);
    (tree::of_document(root.into_inner()), diagnostics)
}

/// The first line after a list that is never closed. The parser takes everything that follows as
/// list elements and reports an error for every word. Such a list is recognised by a line
/// `[[header]]` or `key = …` that is parsed as an element.
fn end_of_unclosed_list(errors: &[toml::de::Error], text: &str) -> Option<usize> {
    let starts = errors.iter().filter_map(|error| {
        let at = error.span()?.start.min(text.len());
        let line_start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next()?.trim();
        let is_header = line.starts_with('[') && line.contains(']') && !line.contains(['"', '\'', ',']);
        let is_key = line.split_once('=').is_some_and(|(key, _)| {
            let key = key.trim();
            !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"_-".contains(&octet))
        });
        let is_bare_word = error.message().contains("string values must be quoted");
        let is_first = text[line_start..at].trim().is_empty();
        let is_element = is_first && error.message().contains("missing comma between array elements");
        ((is_element && (is_header || is_key)) || (is_bare_word && is_header)).then_some(line_start)
    });
    starts.min()
}

/// The spans in order, with touching ones merged.
fn disjoint(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let mut disjoint: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match disjoint.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => disjoint.push(span),
        }
    }
    disjoint
}

impl<'f> Diagnostics<'f> {
    /// The file's path.
    pub(super) fn path(&self) -> &'f Path {
        &self.file.path
    }

    /// The file's text.
    pub(super) fn text(&self) -> &'f str {
        &self.file.text
    }

    /// Adds an error and returns it, so that the caller can set a label and a hint.
    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        self.note(Severity::Error, span, message.into())
    }

    /// Adds a warning and returns it, so that the caller can set a label and a hint.
    pub(super) fn warning(&mut self, span: Range<usize>, message: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        self.note(Severity::Warning, span, message.into())
    }

    pub(super) fn note(
        &mut self,
        severity: Severity,
        span: Range<usize>,
        message: Cow<'static, str>,
    ) -> &mut Diagnostic {
        let diagnostic = match severity {
            Severity::Error => Diagnostic::error(&self.file.path, message),
            Severity::Warning => Diagnostic::warning(&self.file.path, message),
        };
        self.diagnostics.push(diagnostic.at(within(&span, &self.file.text)));
        self.diagnostics.last_mut().expect("one was just pushed")
    }

    /// The position of a character's first occurrence within a span; `None` when it is written as a
    /// TOML escape.
    pub(super) fn character(&self, span: &Range<usize>, character: char) -> Option<Range<usize>> {
        let at = span.start + self.text().get(span.clone())?.find(character)?;
        Some(at..at + character.len_utf8())
    }

    /// Adds diagnostics from elsewhere.
    pub(super) fn extend(&mut self, diagnostics: Vec<Diagnostic>) {
        self.diagnostics.extend(diagnostics);
    }

    /// A position in this file, as the second position of a diagnostic.
    pub(super) fn related_span(&self, span: Range<usize>, label: &str) -> RelatedSpan {
        RelatedSpan { path: self.file.path.clone(), span: within(&span, &self.file.text), label: label.to_owned() }
    }

    /// True when the file has a syntax error: what seems to be missing may only be unreadable.
    pub(super) fn has_broken_syntax(&self) -> bool {
        !self.broken.is_empty()
    }

    /// True when the syntax is broken within the span, or the span is the parser's placeholder for
    /// a missing value.
    pub(super) fn is_broken(&self, span: &Range<usize>) -> bool {
        let before = self.broken.partition_point(|broken| broken.start <= span.end);
        let touches = self.broken[..before].last().is_some_and(|broken| span.start <= broken.end);
        touches || (self.has_broken_syntax() && *span == (0..0))
    }

    /// True when an error was added since `mark` was taken.
    pub(super) fn has_error_since(&self, mark: usize) -> bool {
        self.diagnostics[mark..].iter().any(Diagnostic::is_error)
    }

    /// The number of diagnostics so far, for `has_error_since`.
    pub(super) fn mark(&self) -> usize {
        self.diagnostics.len()
    }

    /// Removes the diagnostics added since `mark`; another reader reports them better.
    pub(super) fn forget_since(&mut self, mark: usize) {
        self.diagnostics.truncate(mark);
    }

    /// All diagnostics in the order of the text, with secrets covered.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        if self.diagnostics.is_empty() {
            return self.diagnostics;
        }
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| span.start));
        for diagnostic in self.diagnostics.iter_mut().filter(|diagnostic| diagnostic.is_error()) {
            let marked = diagnostic.span.as_ref().and_then(|span| self.file.text.get(span.clone()));
            // An invisible character is the most likely reason.
            if let Some(hint) = marked.and_then(lookalikes::in_value) {
                diagnostic.hint(hint);
            }
        }
        match self.file.disclosure {
            Disclosure::Text => {
                let covered = Covered::of(&self.file.text);
                let scrub = |diagnostic: Diagnostic| diagnostic.scrubbed(&covered, &self.file.text);
                self.diagnostics.into_iter().map(scrub).collect()
            }
            Disclosure::Everything => self.diagnostics,
            disclosure @ (Disclosure::PositionsOnly | Disclosure::Gone) => {
                self.diagnostics.into_iter().map(|diagnostic| diagnostic.disclosed(disclosure)).collect()
            }
        }
    }

    /// Reports a list that is never closed once, at the last line before the text that it takes in,
    /// and treats the rest of the file as unread. An error that is there already, such as a missing
    /// quotation mark, takes precedence.
    fn never_closed(&mut self, from: usize) {
        let text = self.text();
        let mut end = from;
        let mut line_start = from;
        for line in text[..from].split_inclusive('\n').rev() {
            line_start -= line.len();
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                end = line_start + line.trim_end().len();
                break;
            }
        }
        let is_reported = self.broken.iter().any(|broken| line_start <= broken.end && broken.start < from);
        self.broken.push(line_start..text.len());
        if !is_reported {
            self.error(end..end, "the list is not closed")
                .label("expected `]`")
                .hint("the rest of the file was not checked");
        }
    }

    /// The lookalike character in the line of a syntax error, and the hint about it.
    fn lookalike(&self, span: &Range<usize>) -> Option<(Range<usize>, Option<Cow<'static, str>>)> {
        let text = self.text();
        let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
        let (at, hint) = lookalikes::in_line(text[start..].lines().next()?)?;
        let character = text[start + at..].chars().next()?;
        Some((start + at..start + at + character.len_utf8(), Some(hint.into())))
    }

    fn syntax_error(&mut self, error: &toml::de::Error) {
        let text = self.text();
        let span = within(&error.span().unwrap_or(text.len()..text.len()), text);
        let syntax = explain(error.message(), text, &span);
        self.broken.push(span);
        let (span, hint) = self.lookalike(&syntax.span).unwrap_or((syntax.span, syntax.hint));
        let diagnostic = self.error(span, syntax.message);
        diagnostic.hint = hint;
    }
}

/// A syntax error with a helpful message.
struct SyntaxMessage {
    span: Range<usize>,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
}

/// Common mistakes in TOML, recognised by the parser's message and the text at the position.
fn explain(message: &str, text: &str, span: &Range<usize>) -> SyntaxMessage {
    let span = span.clone();
    if let Some(escape) = octal_escape(text, &span) {
        let message = format!("`{}` is not a valid escape in a TOML string", &text[escape.clone()]);
        let literal = literal_string(text, &escape).unwrap_or_else(|| "'…'".to_owned());
        let hint = format!("in \"…\" the backslash is TOML's escape character; write a literal string: {literal}");
        return SyntaxMessage { span: escape, message: message.into(), hint: Some(hint.into()) };
    }
    let is_value = message.contains("string values must be quoted") || message.contains("invalid float");
    if is_value && span.is_empty() {
        return SyntaxMessage { span, message: "a value is missing".into(), hint: None };
    }
    if is_value || message.contains("invalid integer") {
        let hint = "put strings in quotes: \"…\" or '…'";
        return SyntaxMessage {
            span,
            message: "neither a number nor a string in quotes".into(),
            hint: Some(hint.into()),
        };
    }
    if message.contains("invalid basic string, expected `\"`")
        || message.contains("invalid literal string, expected `'`")
    {
        let hint = "a string ends on the same line, with the quotation mark it begins with: \"…\" or '…'";
        return SyntaxMessage { span, message: "the string is not closed".into(), hint: Some(hint.into()) };
    }
    let is_twice = message.contains("duplicate key");
    let hint =
        is_twice.then(|| "a table can have each key only once; each record begins with its own `[[record]]`".into());
    SyntaxMessage { span, message: message.to_owned().into(), hint }
}

/// A Route 53 escape, such as `\052`, at a parser error. The parser points at the backslash or just
/// after it.
fn octal_escape(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let from = text[..span.start].rfind('\\').filter(|at| span.start - at <= 2).unwrap_or(span.start);
    let rest = text[from..].strip_prefix('\\')?;
    let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| from..from + 1 + digits)
}

/// The basic string around the escape as a literal string.
fn literal_string(text: &str, escape: &Range<usize>) -> Option<String> {
    let line_start = text[..escape.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next()?;
    let at = escape.start - line_start;
    let mut opened: Option<usize> = None;
    let mut bytes = line.bytes().enumerate();
    while let Some((here, byte)) = bytes.next() {
        match (byte, opened) {
            (b'\\', Some(_)) => drop(bytes.next()),
            (b'"', None) => opened = Some(here),
            (b'"', Some(start)) if here > at && start < at => {
                let content = line[start + 1..here].replace("\\\"", "\"").replace("\\\\", "\\");
                return (!content.contains('\'')).then(|| format!("'{content}'"));
            }
            (b'"', Some(_)) => opened = None,
            _ => {}
        }
    }
    None
}
