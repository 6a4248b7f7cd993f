//! Reads the body of a request as a tree of elements, within bounds of memory and time.
//!
//! Attributes, comments and processing instructions are skipped. There are no document type
//! declarations, so there are no entities beyond the five of XML (XML 1.0 section 4.6).

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// The deepest shape of the API has 8 levels: `ChangeResourceRecordSetsRequest`, `ChangeBatch`,
/// `Changes`, `Change`, `ResourceRecordSet`, `GeoProximityLocation`, `Coordinates`, `Latitude`.
const MOST_LEVELS: usize = 16;
/// The largest batch has 1000 changes of about 30 elements.
const MOST_ELEMENTS: usize = 65_536;
/// The longest name of the API has 45 characters. With namespace declarations a tag is longer.
const MOST_TAG_BYTES: usize = 1024;

/// An element: its name, its text, and its child elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
    order: ElementOrder,
}

/// In which order the children of an element must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ElementOrder {
    #[default]
    Any,
    /// That of the API reference.
    Reference,
}

/// Why a body is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadXml {
    /// It is not UTF-8, or says that it has another encoding.
    #[error("the body must be UTF-8")]
    Encoding,
    /// It is not well-formed.
    #[error("the body is not well-formed XML: {0}")]
    Syntax(String),
    /// It has a document type declaration.
    #[error("a document type declaration is not allowed")]
    DocumentType,
    /// It refers to an entity that is not one of XML's own.
    #[error("the entity `{0}` is not defined")]
    Entity(String),
    /// It exceeds a bound.
    #[error("{0}")]
    TooMuch(&'static str),
}

impl Element {
    /// An element with text or with child elements.
    pub(crate) fn new(name: &str, text: String, children: Vec<Element>) -> Element {
        Element { name: name.to_owned(), text, children, order: ElementOrder::Any }
    }

    /// The first child element with this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child element with this name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(Element::text)
    }

    /// Reads a document with elements in any order.
    pub(crate) fn read(body: &[u8]) -> Result<Element, BadXml> {
        Element::read_within(body, MOST_ELEMENTS)
    }

    /// Reads a document with at most this number of elements, in any order.
    pub(crate) fn read_within(body: &[u8], most_elements: usize) -> Result<Element, BadXml> {
        Element::read_tree(body, Tree { most_elements, ..Tree::default() })
    }

    /// Reads a document whose elements have this order.
    pub(crate) fn read_in(body: &[u8], order: ElementOrder) -> Result<Element, BadXml> {
        Element::read_tree(body, Tree { order, most_elements: MOST_ELEMENTS, ..Tree::default() })
    }

    fn read_tree(body: &[u8], mut tree: Tree) -> Result<Element, BadXml> {
        let text = std::str::from_utf8(body).map_err(|_| BadXml::Encoding)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !text.chars().all(is_xml_character) {
            return Err(BadXml::Syntax("it has a control character".to_owned()));
        }
        let mut reader = Reader::from_str(text);
        loop {
            let event = reader.read_event().map_err(|error| BadXml::Syntax(error.to_string()))?;
            if let Event::Eof = event {
                return tree.finish();
            }
            tree.take(event)?;
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The text, with white space as it was sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn children(&self) -> &[Element] {
        &self.children
    }

    pub(super) fn order(&self) -> ElementOrder {
        self.order
    }
}

/// XML 1.0 section 2.2.
fn is_xml_character(character: char) -> bool {
    !matches!(character, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// The document, as far as it is read.
#[derive(Default)]
struct Tree {
    /// The elements that are open, the root first.
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    order: ElementOrder,
    most_elements: usize,
}

impl Tree {
    fn take(&mut self, event: Event<'_>) -> Result<(), BadXml> {
        match event {
            Event::Start(tag) => self.begin(&tag),
            Event::Empty(tag) => {
                self.begin(&tag)?;
                self.end()
            }
            // The reader has compared the names.
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content().map_err(|_| BadXml::Encoding)?),
            Event::CData(text) => self.text(&text.xml10_content().map_err(|_| BadXml::Encoding)?),
            Event::GeneralRef(reference) => self.character(&reference),
            Event::DocType(_) => Err(BadXml::DocumentType),
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(name)) if !is_utf8_name(&name) => Err(BadXml::Encoding),
                Some(Err(error)) => Err(BadXml::Syntax(error.to_string())),
                _ => Ok(()),
            },
            Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), BadXml> {
        self.elements += 1;
        if self.root.is_some() {
            return Err(BadXml::Syntax("there is more than one root element".to_owned()));
        }
        if self.open.len() >= MOST_LEVELS {
            return Err(BadXml::TooMuch("the elements are nested too deeply"));
        }
        if self.elements > self.most_elements {
            return Err(BadXml::TooMuch("there are too many elements"));
        }
        if tag.len() > MOST_TAG_BYTES {
            return Err(BadXml::TooMuch("a tag is too long"));
        }
        for attribute in tag.attributes() {
            attribute.map_err(|error| BadXml::Syntax(error.to_string()))?;
        }
        let name = std::str::from_utf8(tag.local_name().into_inner()).map_err(|_| BadXml::Encoding)?.to_owned();
        if name.is_empty() {
            return Err(BadXml::Syntax("an element has no name".to_owned()));
        }
        self.open.push(Element { name, order: self.order, ..Element::default() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), BadXml> {
        let element = self.open.pop().ok_or_else(|| BadXml::Syntax("an end tag without its start tag".to_owned()))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), BadXml> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.chars().all(char::is_whitespace) => {}
            None => return Err(BadXml::Syntax("there is text outside the root element".to_owned())),
        }
        Ok(())
    }

    /// `&amp;` or `&#65;`.
    fn character(&mut self, reference: &BytesRef<'_>) -> Result<(), BadXml> {
        let name = reference.decode().map_err(|_| BadXml::Encoding)?;
        if let Some(character) = reference.resolve_char_ref().map_err(|error| BadXml::Syntax(error.to_string()))? {
            if !is_xml_character(character) {
                return Err(BadXml::Syntax("it has a control character".to_owned()));
            }
            return self.text(character.encode_utf8(&mut [0; 4]));
        }
        match quick_xml::escape::resolve_xml_entity(&name) {
            Some(text) => self.text(text),
            None => Err(BadXml::Entity(name.chars().take(40).collect())),
        }
    }

    fn finish(self) -> Result<Element, BadXml> {
        match self.root {
            _ if !self.open.is_empty() => Err(BadXml::Syntax("an element is not closed".to_owned())),
            Some(root) => Ok(root),
            None => Err(BadXml::Syntax("there is no root element".to_owned())),
        }
    }
}

/// ASCII is a part of UTF-8.
fn is_utf8_name(encoding: &[u8]) -> bool {
    [&b"utf-8"[..], b"utf8", b"us-ascii"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Element, BadXml> {
        Element::read(text.as_bytes())
    }

    #[test]
    fn text_and_children_are_read() {
        let root = read(
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a -->\n<r:Root xmlns:r='n'>\n <A>1 &lt; 2 &#x41;\
             &#66;<![CDATA[<c>]]></A><B/>\r\n</r:Root>\n",
        )
        .unwrap();
        assert_eq!((root.name(), root.text()), ("Root", "\n \n"));
        let children: Vec<_> = root.children().iter().map(|child| (child.name(), child.text())).collect();
        assert_eq!(children, [("A", "1 < 2 AB<c>"), ("B", "")]);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in [
            "",
            "  ",
            "text",
            "<A>",
            "<A></B>",
            "</A>",
            "<A/><B/>",
            "<A/>text",
            "<A>&</A>",
            "<A>&amp</A>",
            "<A>&#xD800;</A>",
            "<A>&#0;</A>",
            "<A>&#1;</A>",
            "<A>\u{1}</A>",
            "<A b='1' b='2'/>",
            "<A b=1/>",
            "<A b/>",
            "<A",
            "<A><!-- </A>",
            "<A><![CDATA[ </A>",
            "<>x</>",
        ] {
            assert!(matches!(read(text), Err(BadXml::Syntax(_))), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn entities_and_encodings_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;&b;\">]><a>&c;</a>";
        assert_eq!(read(bomb), Err(BadXml::DocumentType));
        assert_eq!(read("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), Err(BadXml::DocumentType));
        assert_eq!(read("<a>&nbsp;</a>"), Err(BadXml::Entity("nbsp".to_owned())));
        assert_eq!(read("<?xml version='1.0' encoding='ISO-8859-1'?><a/>"), Err(BadXml::Encoding));
        assert_eq!(Element::read(b"<a>\xe9</a>"), Err(BadXml::Encoding));
        let utf16: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(Element::read(&utf16).is_err());
        assert_eq!(Element::read(&[b"\xff\xfe", &utf16[..]].concat()), Err(BadXml::Encoding));
    }

    #[test]
    fn depth_number_and_tags_are_bounded() {
        let too_much = |text: &str| matches!(read(text), Err(BadXml::TooMuch(_)));
        assert!(too_much(&"<a>".repeat(1_000_000)));
        assert!(read(&("<a>".repeat(MOST_LEVELS) + &"</a>".repeat(MOST_LEVELS))).is_ok());
        assert!(too_much(&format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS))));
        assert!(too_much(&format!("<a b='{}'/>", "x".repeat(1_000_000))));
        let attributes: String = (0..100_000).map(|number| format!(" a{number}='x'")).collect();
        assert!(too_much(&format!("<a{attributes}/>")));
    }
}
