//! Domain names: wire form, lower case, with Route 53's text form (octal escapes).
//!
//! A name is kept as uncompressed wire bytes (RFC 1035 section 3.1): length octet, label, …, zero.
//! Text uses Route 53's escapes, which are **octal** (`\052` is `*`), not the decimal ones of
//! master files.

use std::borrow::Cow;
use std::fmt;

/// The longest name on the wire, length octets and root included (RFC 1035 section 2.3.4).
pub const MAX_NAME_OCTETS: usize = 255;
/// The longest label (RFC 1035 section 2.3.4).
pub const MAX_LABEL_OCTETS: usize = 63;

/// A fully qualified domain name in lower case, as uncompressed wire bytes that end in the root
/// label.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    wire: Box<[u8]>,
}

/// Why a string is not a valid domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was written.
    #[error("a domain name must not be empty")]
    Empty,
    /// Two dots in a row, or a dot at the start.
    #[error("a domain name must not contain an empty label (two dots in a row, or a leading dot)")]
    EmptyLabel,
    /// A label of more than 63 octets.
    #[error("a label must not be longer than 63 octets")]
    LabelTooLong,
    /// A name of more than 255 octets on the wire.
    #[error("a domain name must not be longer than 255 octets")]
    TooLong,
    /// A backslash that is not followed by three octal digits up to `\377`: names have no other
    /// escapes.
    #[error("`\\` must be followed by three octal digits between \\000 and \\377")]
    BadEscape,
    /// A control character, a space or an octet above 126 that is not escaped.
    #[error("the character {0:?} must be written as an octal escape")]
    UnsupportedCharacter(char),
}

impl NameError {
    /// What to write instead, if there is a suggestion.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            NameError::UnsupportedCharacter(letter) if !letter.is_ascii() => {
                Some("international names are written in Punycode, such as `xn--bcher-kva`")
            }
            NameError::UnsupportedCharacter(' ') => Some("a space is `\\040`"),
            _ => None,
        }
    }
}

impl Name {
    /// The root of the tree, `.`.
    pub fn root() -> Name {
        Name { wire: Box::new([0]) }
    }

    /// Parses a name in Route 53's text form. Every name is fully qualified; the trailing dot is
    /// optional (Developer Guide, "DNS domain name format"). Upper case becomes lower case.
    pub fn parse(text: &str) -> Result<Name, NameError> {
        let mut wire = parse_wire(text)?;
        wire.make_ascii_lowercase();
        Ok(Name { wire: wire.into_boxed_slice() })
    }

    /// Makes a name of the wire bytes of an uncompressed name, in lower case. `None` when they are
    /// not well formed.
    pub fn from_wire(wire: &[u8]) -> Option<Name> {
        let mut at = 0;
        loop {
            let length = usize::from(*wire.get(at)?);
            if length > MAX_LABEL_OCTETS {
                return None;
            }
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if at != wire.len() || at > MAX_NAME_OCTETS {
            return None;
        }
        Some(Name { wire: wire.to_ascii_lowercase().into_boxed_slice() })
    }

    /// The name at the start of these wire bytes; `None` when there is none.
    pub fn from_start_of_wire(wire: &[u8]) -> Option<Name> {
        let mut end = 0;
        while *wire.get(end)? != 0 {
            end += 1 + usize::from(wire[end]);
        }
        Name::from_wire(&wire[..=end])
    }

    /// The uncompressed wire form, lower case, with the root label.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The labels from left to right, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        Labels { rest: &self.wire }
    }

    /// The number of labels; the root has none.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        let length = usize::from(self.wire[0]);
        (length > 0).then(|| Name { wire: self.wire[1 + length..].into() })
    }

    /// True when the name is `ancestor` or below it, by whole labels.
    pub fn is_within(&self, ancestor: &Name) -> bool {
        self.relative_to(ancestor).is_some()
    }

    /// The wire bytes of the labels to the left of `ancestor` (empty for `ancestor` itself); `None`
    /// when the name is not within `ancestor`.
    pub fn relative_to(&self, ancestor: &Name) -> Option<&[u8]> {
        let keep = self.wire.len().checked_sub(ancestor.wire.len())?;
        if self.wire[keep..] != *ancestor.wire {
            return None;
        }
        let mut at = 0;
        while at < keep {
            at += 1 + usize::from(self.wire[at]);
        }
        (at == keep).then_some(&self.wire[..keep])
    }

    /// This name with `origin` appended.
    pub fn under(&self, origin: &Name) -> Result<Name, NameError> {
        let labels = &self.wire[..self.wire.len() - 1];
        let mut wire = Vec::with_capacity(labels.len() + origin.wire.len());
        wire.extend_from_slice(labels);
        wire.extend_from_slice(&origin.wire);
        if wire.len() > MAX_NAME_OCTETS {
            return Err(NameError::TooLong);
        }
        Ok(Name { wire: wire.into_boxed_slice() })
    }

    /// True when the leftmost label is exactly `*` (RFC 4592 section 2.1.1): anywhere else an
    /// asterisk is an ordinary octet.
    pub fn is_wildcard(&self) -> bool {
        self.wire.starts_with(&[1, b'*'])
    }

    /// The name as people write it: [`readable_name`].
    pub fn readable(&self) -> String {
        readable_name(&self.to_string()).into_owned()
    }
}

/// A text that begins with a name in Route 53's form, as people write it: a wildcard begins with
/// `*`, not with its escape. All other octets stay escaped.
pub fn readable_name(text: &str) -> Cow<'_, str> {
    match text.strip_prefix("\\052.") {
        Some(rest) => format!("*.{rest}").into(),
        None => text.into(),
    }
}

/// Parses a name in Route 53's text form and keeps its case, as for record data.
pub(crate) fn parse_wire(text: &str) -> Result<Vec<u8>, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text == "." {
        return Ok(vec![0]);
    }
    // Without escapes: one length octet more than there are dots, and the root.
    let mut wire = Vec::with_capacity(text.len() + 1 + usize::from(!text.ends_with('.')));
    wire.push(0);
    let mut label_start = 0;
    let mut octets = text.as_bytes().iter().copied().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'.' => {
                close_label(&mut wire, label_start)?;
                label_start = wire.len();
                wire.push(0);
            }
            b'\\' => {
                let digits = text.as_bytes().get(at + 1..at + 4).ok_or(NameError::BadEscape)?;
                wire.push(octal(digits).ok_or(NameError::BadEscape)?);
                octets.nth(2);
            }
            b'!'..=b'~' => wire.push(octet),
            _ => {
                return Err(NameError::UnsupportedCharacter(text[at..].chars().next().unwrap_or('?')));
            }
        }
    }
    if wire.len() > label_start + 1 {
        close_label(&mut wire, label_start)?;
        wire.push(0);
    }
    if wire.len() > MAX_NAME_OCTETS {
        return Err(NameError::TooLong);
    }
    Ok(wire)
}

/// Writes the length octet of the label that starts at `start`.
fn close_label(wire: &mut [u8], start: usize) -> Result<(), NameError> {
    let length = wire.len() - start - 1;
    if length == 0 {
        return Err(NameError::EmptyLabel);
    }
    if length > MAX_LABEL_OCTETS {
        return Err(NameError::LabelTooLong);
    }
    wire[start] = u8::try_from(length).map_err(|_| NameError::LabelTooLong)?;
    Ok(())
}

/// The octet of three octal digits; `None` when they are not octal digits or above `\377`.
pub(crate) fn octal(digits: &[u8]) -> Option<u8> {
    let [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] = digits else {
        return None;
    };
    Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
}

struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.rest.first()?);
        if length == 0 {
            return None;
        }
        let (label, rest) = self.rest[1..].split_at(length);
        self.rest = rest;
        Some(label)
    }
}

/// Route 53's own output form: `a-z 0-9 - _` and dots stand for themselves, every other octet is an
/// octal escape, and the trailing dot is always there (Developer Guide, "DNS domain name format").
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wire.len() == 1 {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03o}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn the_trailing_dot_is_optional_and_case_is_folded() {
        assert_eq!(name("WWW.Lab.Test"), name("www.lab.test."));
        assert_eq!(name("www.lab.test").to_string(), "www.lab.test.");
        assert_eq!(name("."), Name::root());
    }

    #[test]
    fn escapes_are_octal() {
        assert_eq!(name(r"\052.lab.test"), name("*.lab.test"));
        assert_eq!(name("*.lab.test").to_string(), r"\052.lab.test.");
        assert_eq!(name("@.lab.test").to_string(), r"\100.lab.test.");
        assert_eq!(name(r"a\056b.test").label_count(), 2);
        for bad in [r"\", r"\5", r"\05", r"\400", r"\099", r"\.", r"\\"] {
            assert_eq!(Name::parse(bad), Err(NameError::BadEscape), "{bad}");
        }
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(Name::parse(""), Err(NameError::Empty));
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(".a"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(".."), Err(NameError::EmptyLabel));
        assert!(Name::parse(&"a".repeat(63)).is_ok());
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LabelTooLong));
        let label = "a".repeat(62);
        assert_eq!(name(&[label.as_str(); 4].join(".")).wire().len(), 253);
        assert_eq!(Name::parse(&[label.as_str(); 5].join(".")), Err(NameError::TooLong));
        assert_eq!(Name::parse("a b"), Err(NameError::UnsupportedCharacter(' ')));
        assert_eq!(Name::parse("bücher.test"), Err(NameError::UnsupportedCharacter('ü')));
    }

    #[test]
    fn lying_within_needs_a_label_boundary() {
        assert!(name("a.lab.test").is_within(&name("lab.test")));
        assert!(name("lab.test").is_within(&name("lab.test")));
        assert!(name("lab.test").is_within(&Name::root()));
        assert!(!name("notlab.test").is_within(&name("lab.test")));
        // The wire bytes of a longer label may end in another name's wire bytes: `\003lab\004test`
        // inside one label.
        assert!(!name(r"xx\003lab.test").is_within(&name("lab.test")));
    }

    #[test]
    fn only_a_whole_leftmost_label_is_a_wildcard() {
        assert!(name("*.lab.test").is_wildcard());
        assert!(!name("a.*.lab.test").is_wildcard());
        assert!(!name("*a.lab.test").is_wildcard());
        assert_eq!(name("*.lab.test").readable(), "*.lab.test.");
        assert_eq!(name("a.*.lab.test").readable(), "a.\\052.lab.test.");
        assert_eq!(name("*a.lab.test").readable(), "\\052a.lab.test.");
        assert_eq!(readable_name("\\052.lab.test. A blue"), "*.lab.test. A blue");
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_is_identity(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend(label.to_ascii_lowercase());
            }
            wire.push(0);
            let name = Name::from_wire(&wire).unwrap();
            prop_assert_eq!(Name::parse(&name.to_string()).unwrap(), name);
        }

        #[test]
        fn any_text_is_a_name_or_an_error(text in ".{0,300}") {
            if let Ok(name) = Name::parse(&text) {
                prop_assert!(name.wire().len() <= MAX_NAME_OCTETS);
                prop_assert_eq!(Name::from_wire(name.wire()).unwrap(), name);
            }
        }
    }
}
