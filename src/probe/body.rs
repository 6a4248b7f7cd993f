//! Searches a string in the first 5120 bytes of a body, which arrives in pieces and may be
//! compressed.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// "The entire string must appear in the first 5,120 bytes of the response body" (API
/// SearchString).
const SEARCHED_OCTETS: usize = 5120;

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Yes,
    No,
    /// Not in the part that could be decoded; the reason why the rest could not.
    Undecodable(String),
}

/// One search. It reads no more of the body than it needs.
pub(super) struct Search<'s> {
    string: &'s [u8],
    body: Decoder,
    /// The number of decoded bytes that were searched already.
    searched: usize,
    is_empty: bool,
}

/// The decoder of the body.
enum Decoder {
    Identity(Beginning),
    /// An unsupported coding. The body is searched as it is; the string may be legible
    /// nevertheless.
    Unknown(String, Beginning),
    /// One member or several (RFC 1952, section 2.2).
    Gzip(MultiGzDecoder<Beginning>),
    /// `deflate` before its first bytes, which show the variant.
    Undecided(Vec<u8>),
    /// HTTP's `deflate` (RFC 9110, section 8.4.1.2).
    Zlib(ZlibDecoder<Beginning>),
    /// The variant that "some non-conformant implementations send" (same section).
    Deflate(DeflateDecoder<Beginning>),
}

/// The first 5120 bytes. Writes beyond that are refused, so a decompression bomb is not expanded.
#[derive(Default)]
struct Beginning(Vec<u8>);

impl<'s> Search<'s> {
    /// A search in a body with these codings, in lower case.
    pub(super) fn new(string: &'s [u8], codings: &[String]) -> Search<'s> {
        Search { string, body: Decoder::new(codings), searched: 0, is_empty: true }
    }

    /// Processes the next piece; returns the result as soon as it is certain.
    pub(super) fn read(&mut self, octets: &[u8]) -> Option<Found> {
        if octets.is_empty() {
            return None;
        }
        self.is_empty = false;
        let written = self.body.write(octets);
        if written.is_err() {
            // The part that was decoded before the error is searched too.
            let _ = self.body.finish();
        }
        match (self.look(), written) {
            (Some(found), _) => Some(found),
            (None, Err(_)) => Some(self.body.undecodable()),
            (None, Ok(())) => None,
        }
    }

    /// The body is complete.
    pub(super) fn end(mut self) -> Found {
        let finished = if self.is_empty { Ok(()) } else { self.body.finish() };
        match (self.look(), finished) {
            (Some(found), _) => found,
            (None, Err(_)) => self.body.undecodable(),
            (None, Ok(())) => self.missing(),
        }
    }

    fn look(&mut self) -> Option<Found> {
        let decoded = self.body.decoded();
        // The string may begin in the part that was searched before.
        let from = self.searched.saturating_sub(self.string.len().saturating_sub(1));
        if contains(&decoded[from..], self.string) {
            return Some(Found::Yes);
        }
        self.searched = decoded.len();
        (self.searched == SEARCHED_OCTETS).then(|| self.missing())
    }

    fn missing(&self) -> Found {
        match &self.body {
            Decoder::Unknown(coding, _) => Found::Undecodable(format!("it is encoded as {coding}")),
            _ => Found::No,
        }
    }
}

impl Decoder {
    fn new(codings: &[String]) -> Decoder {
        match codings {
            [] => Decoder::Identity(Beginning::default()),
            [one] if one == "gzip" || one == "x-gzip" => Decoder::Gzip(MultiGzDecoder::new(Beginning::default())),
            [one] if one == "deflate" => Decoder::Undecided(Vec::new()),
            others => Decoder::Unknown(named(others), Beginning::default()),
        }
    }

    /// The decoder for a `deflate` body with these first bytes.
    fn of_deflate(begun: [u8; 2]) -> Decoder {
        // CM and FCHECK (RFC 1950, section 2.2). As raw deflate, these bytes would be a stored
        // block with non-zero padding, which no encoder writes.
        if begun[0] & 0x0f == 8 && u16::from_be_bytes(begun).is_multiple_of(31) {
            Decoder::Zlib(ZlibDecoder::new(Beginning::default()))
        } else {
            Decoder::Deflate(DeflateDecoder::new(Beginning::default()))
        }
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Decoder::Identity(beginning) | Decoder::Unknown(_, beginning) => beginning.write_all(octets),
            Decoder::Gzip(decoder) => decoder.write_all(octets).and_then(|()| decoder.flush()),
            Decoder::Zlib(decoder) => decoder.write_all(octets).and_then(|()| decoder.flush()),
            Decoder::Deflate(decoder) => decoder.write_all(octets).and_then(|()| decoder.flush()),
            Decoder::Undecided(begun) => {
                begun.extend(octets);
                let &[first, second, ..] = begun.as_slice() else { return Ok(()) };
                let octets = std::mem::replace(self, Decoder::of_deflate([first, second]));
                if let Decoder::Undecided(octets) = octets { self.write(&octets) } else { Ok(()) }
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Decoder::Identity(_) | Decoder::Unknown(..) => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Zlib(decoder) => decoder.try_finish(),
            Decoder::Deflate(decoder) => decoder.try_finish(),
            Decoder::Undecided(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn decoded(&self) -> &[u8] {
        match self {
            Decoder::Identity(beginning) | Decoder::Unknown(_, beginning) => &beginning.0,
            Decoder::Gzip(decoder) => &decoder.get_ref().0,
            Decoder::Zlib(decoder) => &decoder.get_ref().0,
            Decoder::Deflate(decoder) => &decoder.get_ref().0,
            Decoder::Undecided(_) => &[],
        }
    }

    fn undecodable(&self) -> Found {
        let coding = if matches!(self, Decoder::Gzip(_)) { "gzip" } else { "deflate" };
        Found::Undecodable(format!("its {coding} data are damaged or cut short"))
    }
}

/// The codings for the status message. An endpoint's own text is not copied into logs.
fn named(codings: &[String]) -> String {
    let is_token = |name: &String| name.len() <= 20 && name.bytes().all(|o| o.is_ascii_alphanumeric() || o == b'-');
    let names = codings.iter().rev().map(|name| if is_token(name) { name.as_str() } else { "an unknown coding" });
    names.collect::<Vec<_>>().join(", ")
}

impl Write for Beginning {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = octets.len().min(SEARCHED_OCTETS - self.0.len());
        self.0.extend(&octets[..taken]);
        Ok(taken) // when full: nothing, which `write_all` and the decoders take for an error
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn contains(octets: &[u8], string: &[u8]) -> bool {
    string.is_empty() || octets.windows(string.len()).any(|window| window == string)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn search(string: &str, coding: &str, body: &[u8], piece: usize) -> Found {
        let codings: Vec<String> = coding.split_whitespace().map(str::to_owned).collect();
        let mut search = Search::new(string.as_bytes(), &codings);
        for octets in body.chunks(piece) {
            if let Some(found) = search.read(octets) {
                return found;
            }
        }
        search.end()
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(body: &[u8], level: Compression) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), level);
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn is_undecodable(found: &Found, why: &str) -> bool {
        matches!(found, Found::Undecodable(reason) if reason == why)
    }

    #[test]
    fn the_string_lies_whole_in_the_first_5120_bytes_however_they_come() {
        for (before, found) in [(0, Found::Yes), (5114, Found::Yes), (5115, Found::No), (9000, Found::No)] {
            let body = [vec![b'.'; before], b"needle".to_vec(), vec![b'.'; 20_000]].concat();
            let (one, other) = body.split_at(before + 3);
            let bodies = [
                ("", body.clone()),
                ("gzip", gzip(&body)),
                ("x-gzip", [gzip(b""), gzip(one), gzip(other)].concat()),
                ("deflate", zlib(&body)),
                ("deflate", deflate(&body, Compression::best())),
                ("deflate", deflate(&body, Compression::none())),
            ];
            for (coding, body) in bodies {
                for piece in [1, 7, 4096, 1 << 20] {
                    let result = search("needle", coding, &body, piece);
                    assert_eq!(result, found, "{before} bytes before it, {coding}, {piece} at a time");
                }
            }
        }
    }

    #[test]
    fn a_short_body_is_searched_to_its_end() {
        for coding in ["", "gzip", "deflate", "br"] {
            assert_eq!(search("", coding, b"", 1), Found::Yes, "{coding}");
        }
        for coding in ["", "gzip", "deflate"] {
            assert_eq!(search("needle", coding, b"", 1), Found::No, "{coding}");
        }
        for piece in [1, 3, 100] {
            assert_eq!(search("needle", "gzip", &gzip(b"thread"), piece), Found::No);
            assert_eq!(search("needle", "deflate", &zlib(b"thread"), piece), Found::No);
            assert_eq!(search("needle", "deflate", &deflate(b"thread", Compression::best()), piece), Found::No);
        }
    }

    #[test]
    fn what_cannot_be_decoded_says_why() {
        let whole = gzip(b"hay hay hay");
        let with_crc_of_another = [&whole[..whole.len() - 8], &gzip(b"another")[..8]].concat();
        let with_garbage = [whole.clone(), b"garbage, and no second member".to_vec()].concat();
        let two_and_a_half = [whole.clone(), whole[..9].to_vec()].concat();
        let cases: [(&str, &[u8], &str); 11] = [
            ("gzip", b"not gzip at all, is it?", "its gzip data are damaged or cut short"),
            ("gzip", &whole[..12], "its gzip data are damaged or cut short"),
            ("gzip", &with_crc_of_another, "its gzip data are damaged or cut short"),
            ("gzip", &with_garbage, "its gzip data are damaged or cut short"),
            ("gzip", &two_and_a_half, "its gzip data are damaged or cut short"),
            ("deflate", b"x", "its deflate data are damaged or cut short"),
            ("deflate", b"not deflate at all", "its deflate data are damaged or cut short"),
            ("deflate", &zlib(b"hay hay hay")[..8], "its deflate data are damaged or cut short"),
            ("br", b"\x0b\x02\x80", "it is encoded as br"),
            ("gzip deflate", b"..", "it is encoded as deflate, gzip"),
            ("br\u{1b}[2J", b"..", "it is encoded as an unknown coding"),
        ];
        for (coding, body, why) in cases {
            for piece in [1, 1000] {
                let found = search("needle", coding, body, piece);
                assert!(is_undecodable(&found, why), "{coding} {body:?} {piece} at a time: {found:?}");
            }
        }
    }

    #[test]
    fn a_string_before_the_damage_is_found() {
        let damaged = |mut octets: Vec<u8>| {
            *octets.last_mut().unwrap() ^= 0xff;
            octets
        };
        let body = b"a needle";
        let bodies = [
            ("gzip", damaged(gzip(body))),
            ("gzip", [gzip(body), b"garbage".to_vec()].concat()),
            ("gzip", gzip(body)[..gzip(body).len() - 8].to_vec()),
            ("deflate", damaged(zlib(body))),
            ("deflate", [deflate(body, Compression::none())[..13].to_vec(), vec![0xff; 20]].concat()),
            ("br", body.to_vec()),
        ];
        for (coding, body) in bodies {
            for piece in [1, 5, 1000] {
                assert_eq!(search("needle", coding, &body, piece), Found::Yes, "{coding} {body:?}");
            }
        }
    }

    #[test]
    fn a_bomb_is_not_unfolded() {
        let bomb = vec![b'.'; 100_000_000];
        for (coding, octets) in [("gzip", gzip(&bomb)), ("deflate", zlib(&bomb))] {
            let codings = [coding.to_owned()];
            let mut search = Search::new(b"needle", &codings);
            assert_eq!(search.read(&octets), Some(Found::No));
            assert_eq!(search.body.decoded().len(), SEARCHED_OCTETS);
        }
    }
}
