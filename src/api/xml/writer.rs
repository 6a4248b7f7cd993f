//! Writes a response.

use std::fmt::{Display, Write as _};

/// A response, written from its first to its last element.
#[derive(Debug)]
pub(crate) struct Writer {
    text: String,
    root: String,
}

impl Writer {
    /// A document with this root element and namespace.
    pub(crate) fn root(name: &str, namespace: &str) -> Writer {
        let text = format!("<?xml version=\"1.0\"?>\n<{name} xmlns=\"{namespace}\">");
        Writer { text, root: name.to_owned() }
    }

    /// An element with text.
    pub(crate) fn element(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.text, "<{name}>");
        let _ = write!(Escaped(&mut self.text), "{value}");
        let _ = write!(self.text, "</{name}>");
    }

    /// An element with text, if there is a value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.element(name, value);
        }
    }

    /// An element with the elements that `content` writes.
    pub(crate) fn parent(&mut self, name: &str, content: impl FnOnce(&mut Writer)) {
        let _ = write!(self.text, "<{name}>");
        content(self);
        let _ = write!(self.text, "</{name}>");
    }

    /// A list: `<Zones><Zone>…</Zone></Zones>`. An empty list has its outer element too, because
    /// some clients expect it.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        item_name: &str,
        items: impl IntoIterator<Item = T>,
        mut content: impl FnMut(&mut Writer, T),
    ) {
        self.parent(name, |xml| {
            for item in items {
                xml.parent(item_name, |xml| content(xml, item));
            }
        });
    }

    /// The document.
    pub(crate) fn finish(mut self) -> String {
        let _ = write!(self.text, "</{}>", self.root);
        self.text
    }
}

/// Escapes what is written. XML cannot carry some control characters at all (XML 1.0 section 2.2);
/// comments in zone files may have them.
struct Escaped<'t>(&'t mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#13;"), // a reader would make it a line feed
                '\n' | '\t' => self.0.push(character),
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::xml::Element;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["", "plain", "a <b> & \"c\" 'd' ]]>", "tab\tline\nreturn\r", "Zürich \u{1F600}"] {
            let mut xml = Writer::root("Root", "ns");
            xml.element("Text", text);
            let read = Element::read(xml.finish().as_bytes()).unwrap();
            assert_eq!(read.children()[0].text(), text);
        }
    }

    #[test]
    fn characters_that_xml_cannot_carry_are_replaced() {
        let mut xml = Writer::root("Root", "ns");
        xml.element("Text", "a\u{0}b\u{1f}c\u{ffff}");
        assert!(xml.finish().contains("<Text>a\u{fffd}b\u{fffd}c\u{fffd}</Text>"));
    }

    #[test]
    fn an_empty_list_has_its_element() {
        let mut xml = Writer::root("R", "ns");
        xml.list("Tags", "Tag", ["a"; 0], |xml, tag| xml.element("Key", tag));
        xml.list("Tags", "Tag", ["a", "b"], |xml, tag| xml.element("Key", tag));
        xml.optional("None", None::<&str>);
        let expected = "<R xmlns=\"ns\"><Tags></Tags><Tags><Tag><Key>a</Key></Tag><Tag><Key>b</Key></Tag></Tags></R>";
        assert!(xml.finish().ends_with(expected));
    }
}
