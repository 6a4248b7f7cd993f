//! A file's text as a tree of tables, lists and single values, each with its position.
//!
//! Most files have no errors and a simple structure: keys with values, and `[[tables]]` of keys
//! with values. [`plain`] builds the tree of such a file directly from the parser's events, in a
//! fraction of the time that a whole document takes. For any other file it returns nothing, and the
//! tree is built from the document, whose parser continues after errors.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::parser::{EventReceiver, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

use crate::background;

/// How deep lists and tables may be nested: as deep as `toml` allows.
const MAX_DEPTH: u32 = 80;
/// Zone files have fewer keys at the root. Keys are searched linearly here, so a longer file goes
/// through the document.
const MOST_AT_ROOT: usize = 64;

/// Tokens of records are a little longer than this; it is used to reserve memory.
const OCTETS_A_TOKEN: usize = 2;
/// They take some microseconds.
const TOKENS_AT_A_STRETCH: usize = 256;

/// A value and its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node<'d> {
    pub(super) value: Value<'d>,
    position: Position,
}

/// A position. 32 bits are enough: files are smaller than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    start: u32,
    end: u32,
}

/// The value of a key or an element of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'d> {
    String(Cow<'d, str>),
    /// The digits as written, without underscores and prefix, and the base.
    Integer(Cow<'d, str>, u32),
    /// As written, without underscores.
    Float(Cow<'d, str>),
    Boolean(bool),
    Datetime,
    List(Vec<Node<'d>>),
    Table(Entries<'d>),
}

/// A table's keys and values, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entries<'d>(Vec<Entry<'d>>);

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry<'d> {
    pub(super) key: Cow<'d, str>,
    key_position: Position,
    pub(super) node: Node<'d>,
}

impl Node<'_> {
    /// Its position.
    pub(super) fn span(&self) -> Range<usize> {
        self.position.span()
    }
}

impl Entry<'_> {
    /// The position of the key.
    pub(super) fn key_span(&self) -> Range<usize> {
        self.key_position.span()
    }
}

impl<'d> Entries<'d> {
    /// The entry with this key.
    pub(super) fn get(&self, key: &str) -> Option<&Entry<'d>> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// All entries, ordered by key.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Entry<'d>> {
        self.0.iter()
    }
}

impl Value<'_> {
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }
}

impl<'d> Value<'d> {
    pub(super) fn as_list(&self) -> Option<&[Node<'d>]> {
        match self {
            Value::List(nodes) => Some(nodes),
            _ => None,
        }
    }

    pub(super) fn as_table(&self) -> Option<&Entries<'d>> {
        match self {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }
}

impl Position {
    fn of(span: Range<usize>) -> Position {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Position { start: narrow(span.start), end: narrow(span.end) }
    }

    fn between(first: Span, last: Span) -> Position {
        Position::of(first.start()..last.end())
    }

    fn span(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The tree of a document.
pub(super) fn of_document(table: DeTable<'_>) -> Entries<'_> {
    Entries(table.into_iter().map(|(key, value)| of_entry(key, value)).collect())
}

fn of_entry<'d>(key: Spanned<Cow<'d, str>>, value: Spanned<DeValue<'d>>) -> Entry<'d> {
    let key_position = Position::of(key.span());
    Entry { key: key.into_inner(), key_position, node: of_value(value) }
}

fn of_value(value: Spanned<DeValue<'_>>) -> Node<'_> {
    let position = Position::of(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text),
        DeValue::Integer(written) => Value::Integer(written.as_str().to_owned().into(), written.radix()),
        DeValue::Float(written) => Value::Float(written.as_str().to_owned().into()),
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(elements) => Value::List(elements.into_iter().map(of_value).collect()),
        DeValue::Table(table) => Value::Table(of_document(table)),
    };
    Node { value, position }
}

/// The tree of a file without errors and of the simple structure; `None` for any other.
pub(super) fn plain(text: &str) -> Option<Entries<'_>> {
    let source = Source::new(text);
    let mut tokens = Vec::with_capacity(text.len() / OCTETS_A_TOKEN);
    let mut lexer = source.lex();
    while let Some(token) = lexer.next() {
        tokens.push(token);
        tokens.extend(lexer.by_ref().take(TOKENS_AT_A_STRETCH));
        background::yield_point();
    }
    let mut errors: Option<ParseError> = None;
    let mut builder = Builder::new(source);
    let mut whole = ValidateWhitespace::new(&mut builder, source);
    parse_document(&tokens, &mut RecursionGuard::new(&mut whole, MAX_DEPTH), &mut errors);
    if errors.is_some() {
        return None;
    }
    builder.finish()
}

/// Receives the parser's events and builds the tree.
struct Builder<'d> {
    source: Source<'d>,
    root: Vec<Entry<'d>>,
    /// The indexes in `root` of the lists that are written as `[[tables]]`.
    lists: Vec<usize>,
    /// The current `[[table]]`: the index of its list in `root`, and its entries so far.
    current: Option<(usize, Node<'d>)>,
    /// The open lists and tables in the value of the current key.
    open: Vec<Open<'d>>,
    key: Option<(Cow<'d, str>, Position)>,
    header: Option<Span>,
    is_plain: bool,
}

/// A list or an inline table that is not closed yet.
enum Open<'d> {
    List(Span, Vec<Node<'d>>),
    Table(Span, Vec<Entry<'d>>, Option<(Cow<'d, str>, Position)>),
}

impl<'d> Builder<'d> {
    fn new(source: Source<'d>) -> Builder<'d> {
        let (root, lists, open) = (Vec::new(), Vec::new(), Vec::new());
        Builder { source, root, lists, current: None, open, key: None, header: None, is_plain: true }
    }

    fn finish(mut self) -> Option<Entries<'d>> {
        self.close_table();
        let is_done = self.is_plain && self.open.is_empty() && self.key.is_none() && self.header.is_none();
        is_done.then(|| by_key(self.root)).flatten()
    }

    /// Adds a value to its parent.
    fn put(&mut self, node: Node<'d>) {
        let (key, entries) = match self.open.last_mut() {
            Some(Open::List(_, nodes)) => return nodes.push(node),
            Some(Open::Table(_, entries, key)) => (key.take(), entries),
            None => {
                let key = self.key.take();
                match &mut self.current {
                    Some((_, Node { value: Value::Table(entries), .. })) => (key, &mut entries.0),
                    _ => (key, &mut self.root),
                }
            }
        };
        match key {
            Some((key, key_position)) => entries.push(Entry { key, key_position, node }),
            None => self.is_plain = false,
        }
    }

    /// Adds the `[[table]]` that ends here to its list.
    fn close_table(&mut self) {
        let Some((list, Node { value: Value::Table(entries), position })) = self.current.take() else { return };
        let Some(entries) = by_key(entries.0) else { return self.is_plain = false };
        match &mut self.root[list].node.value {
            Value::List(tables) => tables.push(Node { value: Value::Table(entries), position }),
            _ => self.is_plain = false,
        }
    }

    /// Begins a `[[table]]`, and its list if it is the first one. A key of that name with another
    /// value is an error.
    fn open_table(&mut self, key: Cow<'d, str>, key_position: Position, position: Position) {
        self.is_plain &= self.root.len() <= MOST_AT_ROOT;
        if !self.is_plain {
            return;
        }
        let known = self.root.iter().position(|entry| entry.key == key);
        let list = known.unwrap_or(self.root.len());
        if known.is_none() {
            self.root.push(Entry { key, key_position, node: Node { value: Value::List(Vec::new()), position } });
            self.lists.push(list);
        }
        self.is_plain &= self.lists.contains(&list);
        self.current = Some((list, Node { value: Value::Table(Entries(Vec::with_capacity(4))), position }));
    }

    fn end_of_list(&mut self, end: Span) {
        match self.open.pop() {
            Some(Open::List(start, nodes)) => {
                self.put(Node { value: Value::List(nodes), position: Position::between(start, end) });
            }
            _ => self.is_plain = false,
        }
    }

    fn end_of_table(&mut self, end: Span) {
        match self.open.pop() {
            Some(Open::Table(start, entries, None)) => match by_key(entries) {
                Some(entries) => {
                    self.put(Node { value: Value::Table(entries), position: Position::between(start, end) });
                }
                None => self.is_plain = false,
            },
            _ => self.is_plain = false,
        }
    }

    /// The value of a scalar; `None` when it must go through the document.
    fn read(&self, span: Span, encoding: Option<Encoding>, errors: &mut dyn ErrorSink) -> Option<Value<'d>> {
        let raw = self.source.get(span)?;
        let raw = toml_parser::Raw::new_unchecked(raw.as_str(), encoding, span);
        let mut decoded = Cow::Borrowed("");
        match raw.decode_scalar(&mut decoded, errors) {
            ScalarKind::String => Some(Value::String(decoded)),
            ScalarKind::Boolean(boolean) => Some(Value::Boolean(boolean)),
            ScalarKind::Float => Some(Value::Float(decoded)),
            ScalarKind::Integer(radix) => Some(Value::Integer(decoded, radix.value())),
            ScalarKind::DateTime => None,
        }
    }
}

/// The entries ordered by key; `None` when a key occurs twice.
fn by_key(mut entries: Vec<Entry<'_>>) -> Option<Entries<'_>> {
    entries.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    let is_twice = entries.windows(2).any(|pair| pair[0].key == pair[1].key);
    (!is_twice).then_some(Entries(entries))
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.is_plain = false;
    }

    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        background::yield_point();
        self.close_table();
        self.is_plain &= self.key.is_none() && self.open.is_empty();
        self.header = Some(span);
    }

    fn array_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        match (self.header.take(), self.key.take()) {
            (Some(start), Some((key, key_position))) => {
                self.open_table(key, key_position, Position::between(start, span));
            }
            _ => self.is_plain = false,
        }
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.open.push(Open::Table(span, Vec::new(), None));
        true
    }

    fn inline_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end_of_table(span);
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        // Most records have one value.
        self.open.push(Open::List(span, Vec::with_capacity(1)));
        true
    }

    fn array_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end_of_list(span);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, errors: &mut dyn ErrorSink) {
        let mut key = Cow::Borrowed("");
        if let Some(raw) = self.source.get(span) {
            toml_parser::Raw::new_unchecked(raw.as_str(), encoding, span).decode_key(&mut key, errors);
        }
        let position = match self.open.last_mut() {
            Some(Open::Table(_, _, position)) => position,
            Some(Open::List(..)) => return self.is_plain = false,
            None => &mut self.key,
        };
        self.is_plain &= position.replace((key, Position::of(span.start()..span.end()))).is_none();
    }

    fn key_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.is_plain = false;
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, errors: &mut dyn ErrorSink) {
        match self.read(span, encoding, errors) {
            Some(value) => self.put(Node { value, position: Position::of(span.start()..span.end()) }),
            None => self.is_plain = false,
        }
    }

    fn error(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.is_plain = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(text: &str) -> Option<Entries<'_>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        errors.is_empty().then(|| of_document(root.into_inner()))
    }

    #[test]
    fn what_zone_files_hold_is_plain() {
        let text = "# a comment\nname = 'lab.test' # another\nversion = 1\n\n[[record]]\nname = \"\\u0077ww\"\nttl = 1_0\n\
                    values = [\n  '192.0.2.1', # one\n  \"192.0.2.2\",\n]\n[[health_check]]\nname='a'\nheaders = { 'x-y' = \"z\" }\n\
                    [[record]]\nweight = 0x10\nmultivalue = false\ngeoproximity = { coordinates = { latitude = -1.5, longitude = 2 } }\n";
        let plain = plain(text).expect("it is plain");
        assert_eq!(Some(&plain), whole(text).as_ref());
        assert_eq!(plain.get("record").and_then(|entry| entry.node.value.as_list()).map(<[_]>::len), Some(2));
    }

    #[test]
    fn what_is_not_plain_or_not_toml_is_left_to_the_document() {
        for text in [
            "a = 1\na = 2",
            "[a]\nb = 1",
            "a.b = 1",
            "a = { b.c = 1 }",
            "a = [1]\n[[a]]\n",
            "a = [{}]\n[[a]]\n",
            "a = []\n[[a]]\n",
            "[[a]]\n[[a.b]]",
            "a = 1979-05-27",
            "a = ",
            "a = [1, 2",
            "a = \"\\052\"",
            "[[a]\n",
            "a = 1 b = 2",
            "a = 01",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn a_root_that_is_too_long_is_left_to_the_document() {
        let lists = |count: usize| (0..count).map(|number| format!("[[t{number}]]\n")).collect::<String>();
        assert!(plain(&lists(MOST_AT_ROOT)).is_some());
        assert_eq!(plain(&lists(MOST_AT_ROOT + 2)), None);
    }

    fn any_piece() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("name"),
            Just("record"),
            Just("'k'"),
            Just("\"k\""),
            Just(" = "),
            Just("="),
            Just("\n"),
            Just("[["),
            Just("]]"),
            Just("["),
            Just("]"),
            Just("{"),
            Just("}"),
            Just(", "),
            Just("'text'"),
            Just("\"te\\nxt\""),
            Just("\"\\052\""),
            Just("1"),
            Just("-0x1f"),
            Just("1.5"),
            Just("true"),
            Just("1979-05-27"),
            Just("."),
            Just("# comment"),
            Just("\"\"\"a\nb\"\"\""),
            Just("\u{7f}"),
            Just("\n[[record]]\n"),
            Just("\nname = 'a'\n"),
            Just("values = ['1', '2']\n"),
            Just("t = { a = 1, b = { c = [] } }\n"),
            Just("\r\n"),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_plain_tree_is_that_of_the_document(pieces in prop::collection::vec(any_piece(), 0..16)) {
            let text = pieces.concat();
            if let Some(plain) = plain(&text) {
                prop_assert_eq!(Some(plain), whole(&text));
            }
        }
    }
}
