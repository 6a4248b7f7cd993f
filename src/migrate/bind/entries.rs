//! A master file as entries: the tokens of a line, or of several lines in parentheses (RFC 1035
//! section 5.1).

use std::ops::Range;

/// A directive or a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    /// Whether it begins with white space: its owner is that of the record before it.
    pub(super) is_indented: bool,
    /// At least one.
    pub(super) tokens: Vec<Token<'t>>,
}

/// A word, with its quotation marks and escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
}

/// A text that is not an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadEntry {
    pub(super) span: Range<usize>,
    pub(super) message: &'static str,
}

impl Token<'_> {
    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

impl Entry<'_> {
    pub(super) fn span(&self) -> Range<usize> {
        let (first, last) = (self.tokens[0], self.tokens[self.tokens.len() - 1]);
        first.start..last.span().end
    }
}

/// The entries of a text, one after the other.
pub(super) struct Entries<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Entries<'t> {
    pub(super) fn of(text: &'t str) -> Entries<'t> {
        Entries { text, at: 0 }
    }

    /// The next byte.
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// To the end of the line, for what cannot be read.
    fn skip_line(&mut self) {
        while self.peek().is_some_and(|octet| octet != b'\n') {
            self.at += 1;
        }
    }

    /// A token from here to the next white space, parenthesis or comment that is not in quotation
    /// marks.
    fn token(&mut self) -> Result<Token<'t>, BadEntry> {
        let (start, mut quote) = (self.at, None);
        while let Some(octet) = self.peek() {
            match (quote, octet) {
                (_, b'\\') => {
                    self.at += usize::from(self.text.as_bytes().get(self.at + 1).is_some_and(|&o| o != b'\n'));
                }
                (Some(_), b'"') => quote = None,
                (None, b'"') => quote = Some(self.at),
                (Some(_), b'\n') => break,
                (None, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b';') => break,
                _ => {}
            }
            self.at += 1;
        }
        // An escaped character may have several octets.
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        match quote {
            Some(quote) => Err(BadEntry { span: quote..self.at, message: "the quotation mark is not closed" }),
            None => Ok(Token { text: &self.text[start..self.at], start }),
        }
    }

    /// The entry that begins here, or `None` for an empty line.
    fn entry(&mut self) -> Result<Option<Entry<'t>>, BadEntry> {
        let is_indented = matches!(self.peek(), Some(b' ' | b'\t'));
        let (mut tokens, mut open) = (Vec::new(), None);
        while let Some(octet) = self.peek() {
            match octet {
                b'\n' if open.is_none() => break,
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b';' => self.skip_line(),
                b'(' if open.is_none() => {
                    open = Some(self.at);
                    self.at += 1;
                }
                b')' if open.is_some() => {
                    open = None;
                    self.at += 1;
                }
                b'(' | b')' => {
                    let message = "a parenthesis is not expected here";
                    return Err(BadEntry { span: self.at..self.at + 1, message });
                }
                _ => tokens.push(self.token()?),
            }
        }
        if let Some(open) = open {
            let message = "the parenthesis is not closed; what follows it is not read";
            return Err(BadEntry { span: open..open + 1, message });
        }
        Ok((!tokens.is_empty()).then_some(Entry { is_indented, tokens }))
    }
}

impl<'t> Iterator for Entries<'t> {
    type Item = Result<Entry<'t>, BadEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.text.len() {
            match self.entry() {
                Ok(None) => self.at += 1,
                Ok(Some(entry)) => {
                    self.at += 1;
                    return Some(Ok(entry));
                }
                Err(bad) => {
                    self.skip_line();
                    return Some(Err(bad));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<(bool, Vec<&str>), &'static str>> {
        let texts = |entry: Entry<'_>| {
            entry.tokens.iter().for_each(|token| assert_eq!(&text[token.span()], token.text));
            (entry.is_indented, entry.tokens.iter().map(|token| &text[token.span()]).collect())
        };
        Entries::of(text).map(|entry| entry.map(texts).map_err(|bad| bad.message)).collect()
    }

    #[test]
    fn lines_parentheses_quotes_and_comments_make_entries() {
        assert_eq!(
            read(
                "$TTL 1h ; an hour\n\n  \n@ SOA a b ( 1 ; serial\n 2 3\n\t4 5 )\r\n\tTXT \"a;( b\\\"\" c\\ d k=\"v w\";x"
            ),
            [
                Ok((false, vec!["$TTL", "1h"])),
                Ok((false, vec!["@", "SOA", "a", "b", "1", "2", "3", "4", "5"])),
                Ok((true, vec!["TXT", "\"a;( b\\\"\"", "c\\ d", "k=\"v w\""])),
            ]
        );
        assert_eq!(read(""), []);
        assert_eq!(read("a\\"), [Ok((false, vec!["a\\"]))]);
        assert_eq!(read("é\\é ü"), [Ok((false, vec!["é\\é", "ü"]))]);
    }

    #[test]
    fn a_bad_entry_does_not_hide_the_next() {
        let fine = || Ok((false, vec!["b", "A", "1"]));
        assert_eq!(read("a TXT \"x\nb A 1"), [Err("the quotation mark is not closed"), fine()]);
        assert_eq!(read("a ) x\nb A 1"), [Err("a parenthesis is not expected here"), fine()]);
        assert_eq!(read("a ( ( x\nb A 1"), [Err("a parenthesis is not expected here"), fine()]);
        assert_eq!(
            read("b A 1\na ( x\nc A 1"),
            [fine(), Err("the parenthesis is not closed; what follows it is not read")]
        );
    }
}
