//! One file's text as a tree of tables, and the faults found in it so far.

use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::fault::{Fault, Place, within};
use super::{Severity, SourceFile};

/// What has been found wrong in one file.
pub(super) struct Findings<'f> {
    file: &'f SourceFile,
    /// Where the syntax is broken. Values there are guesses of the parser, and nothing is said about guesses.
    broken: Vec<Range<usize>>,
    faults: Vec<Fault>,
}

/// Reads a file's text with every syntax error at once; what could be read is returned all the same.
pub(super) fn parse(file: &SourceFile) -> (DeTable<'_>, Findings<'_>) {
    let (root, errors) = DeTable::parse_recoverable(&file.text);
    let mut findings = Findings { file, broken: Vec::new(), faults: Vec::new() };
    for error in &errors {
        findings.syntax_error(error);
    }
    (root.into_inner(), findings)
}

impl<'f> Findings<'f> {
    /// The file's path.
    pub(super) fn path(&self) -> &'f Path {
        &self.file.path
    }

    /// The file's text.
    pub(super) fn text(&self) -> &'f str {
        &self.file.text
    }

    /// Notes an error; the fault comes back for a label and a hint.
    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Fault {
        self.note(Severity::Error, span, message.into())
    }

    /// Notes a warning; the fault comes back for a label and a hint.
    pub(super) fn warning(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Fault {
        self.note(Severity::Warning, span, message.into())
    }

    pub(super) fn note(&mut self, severity: Severity, span: Range<usize>, message: String) -> &mut Fault {
        let fault = match severity {
            Severity::Error => Fault::error(&self.file.path, message),
            Severity::Warning => Fault::warning(&self.file.path, message),
        };
        self.faults.push(fault.at(within(&span, &self.file.text)));
        self.faults.last_mut().expect("one was just pushed")
    }

    /// A place in this file, for a fault that speaks of two.
    pub(super) fn place(&self, span: Range<usize>, label: &str) -> Place {
        Place { path: self.file.path.clone(), span: within(&span, &self.file.text), label: label.to_owned() }
    }

    /// True when the syntax is broken somewhere in the file: what is missing may merely have been unreadable.
    pub(super) fn has_broken_syntax(&self) -> bool {
        !self.broken.is_empty()
    }

    /// True when the syntax is broken within the span, or the span is the parser's stand-in for a value it did not find.
    pub(super) fn is_broken(&self, span: &Range<usize>) -> bool {
        let touches = |broken: &Range<usize>| broken.start <= span.end && span.start <= broken.end;
        self.has_broken_syntax() && (*span == (0..0) || self.broken.iter().any(touches))
    }

    /// True when an error has been noted within the span.
    pub(super) fn has_error_since(&self, mark: usize) -> bool {
        self.faults[mark..].iter().any(Fault::is_error)
    }

    /// How many faults there are so far; `has_error_since` compares.
    pub(super) fn mark(&self) -> usize {
        self.faults.len()
    }

    /// Takes back what was noted since, where another reader will say it better.
    pub(super) fn forget_since(&mut self, mark: usize) {
        self.faults.truncate(mark);
    }

    /// All faults, in the order of the text.
    pub(super) fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.span.as_ref().map(|span| span.start));
        self.faults
    }

    fn syntax_error(&mut self, error: &toml::de::Error) {
        let text = self.text();
        let span = within(&error.span().unwrap_or(text.len()..text.len()), text);
        let hint = syntax_hint(error.message(), text, &span);
        self.broken.push(span.clone());
        let fault = self.error(span, error.message());
        fault.hint = hint.map(str::to_owned);
    }
}

/// The mistakes that people make in TOML, by what the parser says and what stands there.
fn syntax_hint(message: &str, text: &str, span: &Range<usize>) -> Option<&'static str> {
    if is_octal_escape(text, span) {
        return Some("in \"…\" a backslash belongs to TOML; write the value as a literal string: '…'");
    }
    if message.contains("duplicate key") {
        return Some("a key stands once in a table; another record begins with another `[[record]]`");
    }
    if message.contains("string values must be quoted") || message.contains("missing a quote") {
        return Some("text stands in quotes: \"…\" or '…'");
    }
    None
}

/// True when the fault is about a backslash and a digit, such as Route 53's `\052`, within one line.
fn is_octal_escape(text: &str, span: &Range<usize>) -> bool {
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    // The parser points at the backslash, behind it, or at the digits.
    let before = &text[line_start..span.start];
    let from = before.rfind('\\').filter(|at| before.len() - at <= 2).map_or(span.start, |at| line_start + at);
    let mut octets = text[from..].bytes();
    octets.next() == Some(b'\\') && octets.next().is_some_and(|octet| octet.is_ascii_digit())
}
