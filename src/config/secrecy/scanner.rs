//! Scans the tokens of a text and finds the ranges to cover.

use std::collections::HashMap;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

use super::{Cover, Covered, RULES, Rule, is_plain_key};

/// Scans the tokens and collects the ranges to cover.
pub(super) struct Scanner<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    /// The rule of the current `[table]`.
    section: Rule,
    open: Vec<Open>,
    expected: Expected,
    rules: HashMap<(Rule, String), Rule>,
    pub(super) covered: Covered,
}

/// A bracket that is not closed yet.
#[derive(Clone, Copy)]
struct Open {
    is_list: bool,
    rule: Rule,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Key,
    Value(Rule),
    /// A value has ended: a comma, a bracket or the end of the line.
    After(Rule),
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Scanner<'t> {
        Scanner {
            text,
            tokens: Source::new(text).lex().collect(),
            at: 0,
            section: Rule::Known,
            open: Vec::new(),
            expected: Expected::Key,
            rules: HashMap::new(),
            covered: Covered::default(),
        }
    }

    pub(super) fn run(&mut self) {
        while let Some(kind) = self.kind(self.at) {
            match kind {
                TokenKind::Newline => self.new_line(),
                TokenKind::Whitespace | TokenKind::Eof => self.at += 1,
                TokenKind::Comment => self.cover(self.at..self.at + 1, Cover::Blanks),
                // An `=` without a key may belong to a broken key.
                TokenKind::Equals => self.give_up(),
                _ => match self.expected {
                    Expected::Key => self.key(kind),
                    Expected::Value(rule) => self.value(kind, rule),
                    Expected::After(rule) => self.after(kind, rule),
                },
            }
        }
    }

    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(Token::kind)
    }

    fn written(&self, at: usize) -> &'t str {
        let span = self.tokens[at].span();
        &self.text[span.start()..span.end()]
    }

    /// Covers tokens and continues after them.
    fn cover(&mut self, tokens: Range<usize>, cover: Cover) {
        let (first, last) = (self.tokens[tokens.start].span(), self.tokens[tokens.end - 1].span());
        let span = first.start()..last.end();
        // It may be a header that is not at the start of its line.
        if self.open.is_empty() && self.text[span.clone()].contains(['[', ']']) {
            self.section = Rule::Nothing;
        }
        match self.covered.spans.last_mut() {
            // Touching ranges are merged.
            Some((before, known)) if before.end == span.start && *known == cover => before.end = span.end,
            _ => self.covered.spans.push((span, cover)),
        }
        self.at = tokens.end;
    }

    fn hide(&mut self) {
        self.cover(self.at..self.at + 1, Cover::Stars);
    }

    /// A bracket that is never closed includes what follows, up to a known header on its own line.
    fn new_line(&mut self) {
        self.at += 1;
        if !self.open.is_empty() && self.is_known_header() {
            self.open.clear();
        }
        if self.open.is_empty() {
            self.expected = Expected::Key;
        }
    }

    fn is_known_header(&self) -> bool {
        let mut at = self.skip(self.at, &[TokenKind::Whitespace]);
        if self.kind(at) != Some(TokenKind::LeftSquareBracket) {
            return false;
        }
        at = self.skip(at, &[TokenKind::Whitespace, TokenKind::LeftSquareBracket]);
        let is_bare = self.kind(at) == Some(TokenKind::Atom);
        is_bare && RULES.get(self.written(at)).is_some_and(|rule| *rule == Rule::Tables || *rule == Rule::Nothing)
    }

    fn skip(&self, mut at: usize, kinds: &[TokenKind]) -> usize {
        while self.kind(at).is_some_and(|kind| kinds.contains(&kind)) {
            at += 1;
        }
        at
    }

    /// At the beginning of a line or within an inline table.
    fn key(&mut self, kind: TokenKind) {
        if self.open.is_empty() && kind == TokenKind::LeftSquareBracket {
            return self.header();
        }
        if let Some(equals) = self.equals_ahead() {
            return self.entry(equals);
        }
        match kind {
            TokenKind::RightCurlyBracket | TokenKind::RightSquareBracket if !self.open.is_empty() => self.close(kind),
            TokenKind::Comma if !self.open.is_empty() => self.at += 1,
            _ => {
                self.give_up();
                // It may be a broken header, so the table of the following lines is unknown.
                if self.open.is_empty() {
                    self.section = Rule::Nothing;
                }
            }
        }
    }

    /// The position of the `=`, if there is a key here.
    fn equals_ahead(&self) -> Option<usize> {
        use TokenKind::{Atom, BasicString, Dot, Equals, LiteralString, Whitespace};
        if !matches!(self.kind(self.at), Some(Atom | BasicString | LiteralString)) {
            return None;
        }
        let mut at = self.at + 1;
        let mut may_be_word = false;
        loop {
            match self.kind(at)? {
                Whitespace => {}
                Dot => may_be_word = true,
                Atom | BasicString | LiteralString if may_be_word => may_be_word = false,
                Equals => return Some(at),
                _ => return None,
            }
            at += 1;
        }
    }

    /// A key up to its `=`.
    fn entry(&mut self, equals: usize) {
        let parent = match self.open.last() {
            None => self.section,
            Some(Open { rule: Rule::Nothing, .. }) => Rule::Nothing,
            // A list has no keys, so it was not closed.
            Some(Open { is_list: true, .. }) => Rule::Known,
            Some(Open { rule, .. }) => *rule,
        };
        let rule = self.rule_of(self.at..equals, parent);
        let next = self.skip(equals + 1, &[TokenKind::Whitespace]);
        let is_empty = matches!(self.kind(next), None | Some(TokenKind::Newline | TokenKind::Eof | TokenKind::Equals));
        // It may be Base64, which can also end in `=`.
        self.show_key(self.at..equals, rule != Rule::Nothing, !is_empty);
        self.at = equals + 1;
        self.expected = Expected::Value(rule);
    }

    fn rule_of(&mut self, key: Range<usize>, parent: Rule) -> Rule {
        let mut rule = parent;
        for at in key {
            if matches!(self.kind(at), Some(TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString)) {
                let word = self.written(at).trim_matches(['"', '\'']);
                let known = self.rules.entry((rule, word.to_owned()));
                rule = *known.or_insert_with(|| rule.at(word));
            }
        }
        rule
    }

    /// Covers what must not be shown of a key.
    fn show_key(&mut self, key: Range<usize>, is_known: bool, has_value: bool) {
        for at in key {
            let is_word =
                matches!(self.kind(at), Some(TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString));
            let is_plain = is_plain_key(self.written(at).trim_matches(['"', '\'']));
            if is_word && !(is_known || (is_plain && has_value)) {
                self.cover(at..at + 1, Cover::Stars);
            }
        }
    }

    /// `[table]` or `[[table]]`. After a broken header the table of the following lines is unknown.
    fn header(&mut self) {
        use TokenKind::{Atom, BasicString, Comment, Dot, Eof, LeftSquareBracket, LiteralString, Newline};
        use TokenKind::{RightSquareBracket, Whitespace};
        let first = self.skip(self.at, &[Whitespace, LeftSquareBracket]);
        let last = self.skip(first, &[Whitespace, Atom, BasicString, LiteralString, Dot]);
        let end = self.skip(last, &[Whitespace, RightSquareBracket]);
        let count = |range: Range<usize>, kind| range.filter(|&at| self.kind(at) == Some(kind)).count();
        let brackets = count(self.at..first, LeftSquareBracket);
        let is_closed = brackets <= 2 && brackets == count(last..end, RightSquareBracket);
        let is_alone = matches!(self.kind(end), None | Some(Newline | Comment | Eof));
        let rule = self.rule_of(first..last, Rule::Known);
        self.show_key(first..last, rule != Rule::Nothing, true);
        self.at = end;
        self.section = match rule {
            _ if !is_closed || !is_alone || first == last => Rule::Nothing,
            Rule::Tables => Rule::Known,
            rule => rule,
        };
        if !is_alone {
            self.expected = Expected::After(Rule::Nothing);
        }
    }

    fn value(&mut self, kind: TokenKind, rule: Rule) {
        use TokenKind::{BasicString, LiteralString, MlBasicString, MlLiteralString};
        if rule != Rule::Nothing
            && let Some(equals) = self.equals_ahead()
        {
            return self.entry(equals);
        }
        match kind {
            TokenKind::LeftSquareBracket => self.open(true, rule),
            TokenKind::LeftCurlyBracket => self.open(false, rule),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => self.close(kind),
            TokenKind::Comma => self.comma(),
            BasicString | LiteralString | MlBasicString | MlLiteralString if has_password(self.written(self.at)) => {
                self.hide();
            }
            BasicString | LiteralString if rule.shows_values() && self.is_whole_string() => self.at += 1,
            MlBasicString | MlLiteralString if rule.shows_values() => self.long_string(),
            // The string is not closed, or a quotation mark is missing before it.
            BasicString | LiteralString if rule.shows_values() => self.give_up(),
            BasicString | LiteralString | MlBasicString | MlLiteralString => self.hide(),
            _ => self.bare(rule),
        }
        if self.expected == Expected::Value(rule) && !matches!(kind, TokenKind::LeftSquareBracket | TokenKind::Comma) {
            self.expected = Expected::After(rule);
        }
    }

    /// Whether a string is closed and the next token does not follow immediately, which would mean
    /// that a quotation mark is missing before it.
    fn is_whole_string(&self) -> bool {
        use TokenKind::{Atom, BasicString, Equals, LiteralString, MlBasicString, MlLiteralString};
        let written = self.written(self.at);
        let quote = &written[..1];
        let is_closed = written.len() > 1 && written.ends_with(quote);
        let next = self.kind(self.at + 1);
        let is_followed =
            matches!(next, Some(Atom | BasicString | LiteralString | MlBasicString | MlLiteralString | Equals));
        let names_secret = || RULES.iter().any(|(key, rule)| *rule == Rule::Nothing && written.contains(key));
        is_closed && !is_followed && !(written.contains('=') && names_secret())
    }

    /// A multi-line string. If it is not closed, it may contain the rest of the file.
    fn long_string(&mut self) {
        let span = self.tokens[self.at].span();
        let written = self.written(self.at);
        let first_line = written.find('\n').map_or(written.len(), |at| at + 1);
        if written[first_line..].contains('=') || !written.ends_with(&written[..3]) || written.len() < 6 {
            self.covered.spans.push((span.start() + first_line..span.end(), Cover::Stars));
        }
        self.at += 1;
    }

    /// A word without quotes, up to a space.
    fn bare(&mut self, rule: Rule) {
        use TokenKind::{Comma, Comment, Eof, Newline, RightCurlyBracket, RightSquareBracket, Whitespace};
        let mut end = self.at + 1;
        while self.kind(end).is_some_and(|kind| {
            !matches!(kind, Whitespace | Newline | Comment | Comma | RightCurlyBracket | RightSquareBracket | Eof)
                && kind.encoding().is_none()
        }) {
            end += 1;
        }
        if rule.shows_values() { self.at = end } else { self.cover(self.at..end, Cover::Stars) }
    }

    fn after(&mut self, kind: TokenKind, rule: Rule) {
        let in_list = self.open.last().is_some_and(|open| open.is_list);
        match kind {
            TokenKind::Comma if !self.open.is_empty() => self.comma(),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket if !self.open.is_empty() => self.close(kind),
            _ if rule != Rule::Nothing && (in_list || self.equals_ahead().is_some()) => self.value(kind, rule),
            _ => self.hide(),
        }
    }

    fn open(&mut self, is_list: bool, rule: Rule) {
        self.open.push(Open { is_list, rule });
        self.at += 1;
        self.expected = if is_list { Expected::Value(rule) } else { Expected::Key };
    }

    fn comma(&mut self) {
        self.expected = match self.open.last() {
            None => return self.hide(),
            Some(Open { is_list: true, rule }) => Expected::Value(*rule),
            Some(Open { is_list: false, .. }) => Expected::Key,
        };
        self.at += 1;
    }

    /// Covers what follows, up to a comma, a bracket or the end of the line.
    fn give_up(&mut self) {
        self.hide();
        self.expected = Expected::After(Rule::Nothing);
    }

    /// Closes a bracket. One that does not match is ignored.
    fn close(&mut self, kind: TokenKind) {
        let Some(open) = self.open.last().copied() else { return self.give_up() };
        if open.is_list != (kind == TokenKind::RightSquareBracket) {
            return self.give_up();
        }
        self.open.pop();
        self.at += 1;
        // Only a comma or another bracket may follow.
        self.expected = Expected::After(Rule::Nothing);
    }
}

/// Whether a string contains `user:password@`, as URLs do, in a key that is not for secrets. Mail
/// and SIP addresses have the same form without a password.
fn has_password(string: &str) -> bool {
    let ends_word = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '!' | ',' | ';');
    string.split(ends_word).any(|word| {
        let user = word.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        user.is_some_and(|(scheme, _)| !["mailto", "sip", "sips"].contains(&scheme))
    })
}
