//! Prints record data: reads the wire bytes that a parser made field by field, and writes each kind
//! of field as text.

use std::fmt::Write;

/// The rest of a record's wire bytes. They come from the parsers of this module, so they are well
/// formed.
pub(super) struct Fields<'w> {
    rest: &'w [u8],
}

impl<'w> Fields<'w> {
    pub(super) fn new(wire: &'w [u8]) -> Fields<'w> {
        Fields { rest: wire }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn octet(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub(super) fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    pub(super) fn long(&mut self) -> u32 {
        u32::from(self.short()) << 16 | u32::from(self.short())
    }

    /// As many octets as the caller knows to be there.
    pub(super) fn take(&mut self, length: usize) -> &'w [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// All remaining octets.
    pub(super) fn rest(&mut self) -> &'w [u8] {
        self.take(self.rest.len())
    }

    /// The octets after one length octet.
    pub(super) fn string(&mut self) -> &'w [u8] {
        let length = usize::from(self.octet());
        self.take(length)
    }

    /// A name with its trailing dot. Letters, digits, `-` and `_` are written as they are, every
    /// other octet as an octal escape (Developer Guide, "DNS domain name format"); unlike owner
    /// names it keeps its case.
    pub(super) fn name(&mut self) -> String {
        let mut text = String::new();
        loop {
            let label = self.string();
            if label.is_empty() {
                break;
            }
            for &octet in label {
                match octet {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(octet)),
                    _ => push_octal(&mut text, octet),
                }
            }
            text.push('.');
        }
        if text.is_empty() { ".".to_owned() } else { text }
    }
}

/// A string in quotation marks.
pub(super) fn print_string(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(octet));
            }
            b' '..=b'~' => text.push(char::from(octet)),
            _ => push_octal(&mut text, octet),
        }
    }
    text.push('"');
    text
}

/// Hexadecimal digits in lower case.
pub(super) fn print_hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        write!(text, "{octet:02x}").expect("writing into a string cannot fail");
        text
    })
}

fn push_octal(text: &mut String, octet: u8) {
    write!(text, "\\{octet:03o}").expect("writing into a string cannot fail");
}
