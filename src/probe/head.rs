//! The head of a response: parses what health checks need, as leniently as curl
//! (docs/decisions/0038-endpoint-checks-read-http-themselves.md).

use memchr::memchr;

/// The limit of response headers (Developer Guide).
const MOST_HEADER_OCTETS: usize = 16_384;

/// The headers that a check uses. All others are ignored.
const NEEDED: [&str; 3] = ["content-encoding", "content-length", "transfer-encoding"];
const CONTENT_ENCODING: usize = 0;
const CONTENT_LENGTH: usize = 1;
const TRANSFER_ENCODING: usize = 2;

const PROTOCOL: &[u8] = b"HTTP/";
const CHUNKED: &str = "chunked";

/// Why the bytes are not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("it does not begin with a status line of HTTP/1")]
    StatusLine,
    #[error("the status line has no status code from 100 to 999")]
    StatusCode,
    #[error("a header line has no colon")]
    NoColon,
    #[error("the first header line begins with white space")]
    LeadingWhiteSpace,
    #[error("the headers contain a NUL byte")]
    NulByte,
    #[error("more than {MOST_HEADER_OCTETS} bytes of headers")]
    TooLong,
    #[error("`Content-Length` is not a number")]
    ContentLength,
    #[error("the size of a chunk is not a hexadecimal number")]
    ChunkSize,
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
    #[error("its first 128 KiB do not decide the check")]
    Endless,
}

/// How the end of a body is determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this number of bytes.
    Length(u64),
    /// By a chunk of size 0.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// The result of parsing a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// From 100 to 999.
    pub(super) status: u16,
    /// How the end of the body is determined.
    pub(super) framing: Framing,
    /// The content codings, in lower case and in the order in which they were applied: the last is
    /// decoded first. `identity` is left out.
    pub(super) codings: Vec<String>,
}

/// Parses a head incrementally, line by line.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    status: Option<u16>,
    /// The values of the [`NEEDED`] headers.
    values: [Option<Vec<u8>>; 3],
    above: Above,
    /// The line in progress.
    line: Vec<u8>,
    /// The total length of all headers so far.
    octets: usize,
}

/// The header that a folded line continues.
#[derive(Clone, Copy, Debug, Default)]
enum Above {
    #[default]
    StatusLine,
    Unneeded,
    Needed(usize),
}

impl HeadReader {
    /// Consumes the bytes that belong to the head and returns whether the head is complete.
    pub(super) fn read(&mut self, octets: &mut &[u8]) -> Result<bool, Malformed> {
        while let Some(end) = memchr(b'\n', octets) {
            let (end_of_line, rest) = octets.split_at(end + 1);
            *octets = rest;
            self.count(end_of_line)?;
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(end_of_line);
            if self.read_line(trim_line_end(&line))? {
                return Ok(true);
            }
        }
        self.count(octets)?;
        self.line.extend_from_slice(octets);
        *octets = &[];
        // A server that speaks first in another protocol is detected at once.
        if self.status.is_none() && !may_become_status_line(&self.line) {
            return Err(Malformed::StatusLine);
        }
        Ok(false)
    }

    /// The head, once it is complete. The end of the connection after the status line completes it
    /// too, as for curl: scripts often send no more.
    pub(super) fn finish(self) -> Result<Option<Head>, Malformed> {
        let Some(status) = self.status else { return Ok(None) };
        if is_interim(status) {
            return Ok(None);
        }
        let transfer = codings(self.values[TRANSFER_ENCODING].as_deref());
        let framing = match self.values[CONTENT_LENGTH].as_deref() {
            _ if status == 204 || status == 304 => Framing::Length(0), // RFC 9112, section 6.3
            // In HTTP/1.0 too: "process the message" (RFC 9112, section 6.1).
            _ if transfer.iter().any(|coding| coding == CHUNKED) => Framing::Chunked,
            Some(length) if transfer.is_empty() => content_length(length)?,
            _ => Framing::UntilClose,
        };
        let applied = codings(self.values[CONTENT_ENCODING].as_deref()).into_iter().chain(transfer);
        Ok(Some(Head { status, framing, codings: applied.filter(|coding| coding != CHUNKED).rev().collect() }))
    }

    /// The status line is not a header, but no line may be longer than the limit for all headers.
    fn count(&mut self, octets: &[u8]) -> Result<(), Malformed> {
        if self.status.is_some() {
            self.octets += octets.len();
        }
        let line = self.line.len() + octets.len();
        if self.octets.max(line) > MOST_HEADER_OCTETS { Err(Malformed::TooLong) } else { Ok(()) }
    }

    fn read_line(&mut self, line: &[u8]) -> Result<bool, Malformed> {
        match self.status {
            // Robustness towards data that ended an earlier message (RFC 9112, section 2.2).
            None if line.is_empty() => {}
            None => self.status = Some(status_code(line)?),
            Some(status) if line.is_empty() => {
                if !is_interim(status) {
                    return Ok(true);
                }
                *self = HeadReader::default();
            }
            Some(_) if line.starts_with(b" ") || line.starts_with(b"\t") => self.unfold(line)?,
            Some(_) => self.read_header(line)?,
        }
        if memchr(0, line).is_some() { Err(Malformed::NulByte) } else { Ok(false) }
    }

    /// "A user agent that receives an obs-fold in a response message … MUST replace each received
    /// obs-fold with one or more SP octets" (RFC 9112, section 5.2).
    fn unfold(&mut self, line: &[u8]) -> Result<(), Malformed> {
        match self.above {
            Above::StatusLine => return Err(Malformed::LeadingWhiteSpace),
            Above::Unneeded => {}
            Above::Needed(header) => {
                let value = self.values[header].get_or_insert_default();
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
        }
        Ok(())
    }

    fn read_header(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = memchr(b':', line).ok_or(Malformed::NoColon)?;
        let (name, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
        let Some(header) = NEEDED.iter().position(|needed| name.eq_ignore_ascii_case(needed.as_bytes())) else {
            self.above = Above::Unneeded;
            return Ok(());
        };
        let values = self.values[header].get_or_insert_default();
        // Several lines are one list (RFC 9110, section 5.3). The last of several lengths counts,
        // as for curl.
        if header == CONTENT_LENGTH {
            values.clear();
        } else {
            values.push(b',');
        }
        values.extend_from_slice(value.trim_ascii());
        self.above = Above::Needed(header);
        Ok(())
    }
}

/// 101 is final: the probe did not ask for it, and no other response follows.
fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

/// The line without its line feed and preceding carriage returns. A bare line feed ends a line too
/// (RFC 9112, section 2.2).
fn trim_line_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|octet| !b"\r\n".contains(octet)).map_or(0, |last| last + 1);
    &line[..end]
}

fn may_become_status_line(line: &[u8]) -> bool {
    line.trim_ascii_start().iter().zip(PROTOCOL).all(|(octet, expected)| octet.eq_ignore_ascii_case(expected))
}

/// Any minor version of HTTP/1 (RFC 9110, section 2.5), and HTTP/2 written like HTTP/1, which some
/// gateways send. The reason phrase after the code is ignored (RFC 9112, section 4).
fn status_code(line: &[u8]) -> Result<u16, Malformed> {
    let (protocol, version) = line.split_at_checked(PROTOCOL.len()).ok_or(Malformed::StatusLine)?;
    let (version, rest) = version.split_at(memchr(b' ', version).ok_or(Malformed::StatusLine)?);
    let known = matches!(version, [b'1', b'.', b'0'..=b'9'] | b"2" | b"2.0");
    if !protocol.eq_ignore_ascii_case(PROTOCOL) || !known {
        return Err(Malformed::StatusLine);
    }
    let spaces = rest.iter().take_while(|&&octet| octet == b' ').count();
    match rest[spaces..] {
        [_, _, _, b'0'..=b'9', ..] => Err(Malformed::StatusCode),
        [first @ b'1'..=b'9', second @ b'0'..=b'9', third @ b'0'..=b'9', ..] => {
            Ok([first, second, third].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
        }
        _ => Err(Malformed::StatusCode),
    }
}

/// The names of a list, without those that have no effect.
fn codings(list: Option<&[u8]>) -> Vec<String> {
    let names = list.unwrap_or_default().split(|&octet| octet == b',').map(<[u8]>::trim_ascii);
    let names = names.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase());
    names.filter(|name| !matches!(name.as_str(), "" | "identity" | "none")).collect()
}

/// The leading digits. A length that does not fit into a number never ends the body.
fn content_length(value: &[u8]) -> Result<Framing, Malformed> {
    let value = value.trim_ascii_start();
    let value = value.strip_prefix(b"+").unwrap_or(value);
    let digits = value.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let digits = std::str::from_utf8(&value[..digits]).unwrap_or_default();
    match digits.parse() {
        _ if digits.is_empty() => Err(Malformed::ContentLength),
        Ok(length) => Ok(Framing::Length(length)),
        Err(_) => Ok(Framing::UntilClose),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The head of these bytes when they arrive in pieces of one size, and the remaining bytes.
    fn read(octets: &[u8], piece: usize) -> Result<(Option<Head>, Vec<u8>), Malformed> {
        let mut reader = HeadReader::default();
        let (mut complete, mut left) = (false, Vec::new());
        for mut octets in octets.chunks(piece.max(1)) {
            complete = complete || reader.read(&mut octets)?;
            left.extend_from_slice(octets);
        }
        Ok((reader.finish()?, left))
    }

    fn head(octets: &[u8]) -> Head {
        read(octets, octets.len()).unwrap().0.unwrap()
    }

    #[test]
    fn headers_that_matter_are_read_and_others_are_not() {
        let octets = b"HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\n\
            HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 3\r\ncontent-ENCODING : identity\r\nContent-Encoding:\r\n\tGZIP ,\r\n br\r\n\
            Content-Length: 6\r\n\r\nneedle";
        let codings = vec!["br".to_owned(), "gzip".to_owned()];
        let expected = Head { status: 200, framing: Framing::Length(6), codings };
        for piece in 1..octets.len() {
            let (head, left) = read(octets, piece).unwrap();
            assert_eq!((head.as_ref(), &left[..]), (Some(&expected), &b"needle"[..]), "{piece}");
        }
    }

    #[test]
    fn transfer_codings_are_undone_first() {
        let octets =
            b"HTTP/1.0 200\nContent-Encoding: gzip\nTransfer-Encoding: deflate\nTransfer-Encoding: Chunked\n\n";
        let codings = vec!["deflate".to_owned(), "gzip".to_owned()];
        assert_eq!(head(octets), Head { status: 200, framing: Framing::Chunked, codings });
    }

    #[test]
    fn a_head_has_a_bound_however_it_is_filled() {
        let begun = b"HTTP/1.1 200 OK\r\n";
        let endless: [&[u8]; 3] = [
            &[begun, &b"a: b\r\n".repeat(4000)[..]].concat(),
            &[begun, &b"a: "[..], &[b'a'; 20_000]].concat(),
            &[&b"HTTP/1.1 200 "[..], &[b'a'; 20_000]].concat(),
        ];
        for octets in endless {
            let mut reader = HeadReader::default();
            let mut pieces = octets.chunks(100);
            let failed = pieces.find_map(|mut piece| reader.read(&mut piece).err());
            assert_eq!(failed, Some(Malformed::TooLong));
            assert!(reader.line.len() <= MOST_HEADER_OCTETS);
        }
        // Each interim response has its own limit; the exchange has another for all of them.
        let interim = [begun.as_slice(), &b"a: b\r\n".repeat(2000), b"\r\n"].concat();
        let interim = String::from_utf8(interim).unwrap().replace("200", "103");
        assert_eq!(head(&[&interim.as_bytes().repeat(3), begun.as_slice(), b"\r\n"].concat()).status, 200);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_the_same_in_any_pieces(tail in "[HTP/1.0 2:a\r\n\t\u{0}]{0,60}", piece in 1usize..20) {
            for begin in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: "] {
                let octets = [begin.as_bytes(), tail.as_bytes()].concat();
                let whole = read(&octets, octets.len());
                prop_assert_eq!(read(&octets, piece), whole);
            }
        }
    }
}
