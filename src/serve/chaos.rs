//! The texts about the server itself, in class CHAOS (RFC 4892): its version and its identifier.

/// What clients may ask about.
const NAMES: [(&[u8], Text); 4] = [
    (b"\x07version\x04bind\0", Text::Version),
    (b"\x07version\x06server\0", Text::Version),
    (b"\x02id\x06server\0", Text::Identifier),
    (b"\x08hostname\x04bind\0", Text::Identifier),
];
/// TXT in class CHAOS.
const TYPE_AND_CLASS: [u8; 4] = [0, 16, 0, 3];
/// The product and its version.
const VERSION: &str = concat!("fiftythree ", env!("CARGO_PKG_VERSION"));

#[derive(Clone, Copy)]
enum Text {
    Version,
    /// The server identifier, if it has one.
    Identifier,
}

/// The text that this question asks for. `identifier` is empty if the server has none.
pub(super) fn text_for<'s>(question: &[u8], identifier: &'s [u8]) -> Option<&'s [u8]> {
    let name = question.strip_suffix(&TYPE_AND_CLASS)?;
    let (_, text) = NAMES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    match text {
        Text::Version => Some(VERSION.as_bytes()),
        Text::Identifier => Some(identifier).filter(|identifier| !identifier.is_empty()),
    }
}
