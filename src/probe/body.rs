//! A string in the first 5120 bytes of a body, as it comes in pieces and perhaps compressed.

use std::io::{self, Write};

use flate2::write::{GzDecoder, ZlibDecoder};
use hyper::header::{CONTENT_ENCODING, HeaderMap};

/// "The entire string must appear in the first 5,120 bytes of the response body" (API SearchString).
const SEARCHED_OCTETS: usize = 5120;

/// One search, which reads no more than it needs.
pub(super) struct Search<'s> {
    string: &'s [u8],
    body: Decoder,
    /// How much of the body was searched already.
    searched: usize,
}

/// What the body is decoded by on its way to the beginning that is kept.
enum Decoder {
    Identity(Beginning),
    Gzip(GzDecoder<Beginning>),
    /// HTTP's name for what zlib writes (RFC 9110, section 8.4.1.2).
    Deflate(ZlibDecoder<Beginning>),
}

/// The first 5120 bytes; it takes no more, so that a few bytes that unfold into gigabytes are not unfolded.
#[derive(Default)]
struct Beginning(Vec<u8>);

impl<'s> Search<'s> {
    /// A search in the body that has these headers.
    pub(super) fn new(string: &'s [u8], headers: &HeaderMap) -> Search<'s> {
        let coding = headers.get(CONTENT_ENCODING).map_or(&b""[..], |coding| coding.as_bytes());
        let body = if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") {
            Decoder::Gzip(GzDecoder::new(Beginning::default()))
        } else if coding.eq_ignore_ascii_case(b"deflate") {
            Decoder::Deflate(ZlibDecoder::new(Beginning::default()))
        } else {
            Decoder::Identity(Beginning::default())
        };
        Search { string, body, searched: 0 }
    }

    /// Takes the next piece; says whether the string is there as soon as that is certain.
    pub(super) fn read(&mut self, octets: &[u8]) -> io::Result<Option<bool>> {
        let written = self.body.write(octets);
        let found = self.look();
        match written {
            _ if found.is_some() => Ok(found),
            Ok(()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The body is over.
    pub(super) fn end(mut self) -> io::Result<bool> {
        let finished = self.body.finish();
        match self.look() {
            Some(found) => Ok(found),
            None => finished.map(|()| self.string.is_empty()),
        }
    }

    fn look(&mut self) -> Option<bool> {
        let read = &self.body.beginning().0;
        // The string may begin in what was searched before.
        let from = self.searched.saturating_sub(self.string.len().saturating_sub(1));
        if contains(&read[from..], self.string) {
            return Some(true);
        }
        self.searched = read.len();
        (read.len() == SEARCHED_OCTETS).then_some(false)
    }
}

impl Decoder {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Decoder::Identity(beginning) => beginning.write_all(octets),
            Decoder::Gzip(decoder) => decoder.write_all(octets).and_then(|()| decoder.flush()),
            Decoder::Deflate(decoder) => decoder.write_all(octets).and_then(|()| decoder.flush()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Decoder::Identity(_) => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Deflate(decoder) => decoder.try_finish(),
        }
    }

    fn beginning(&self) -> &Beginning {
        match self {
            Decoder::Identity(beginning) => beginning,
            Decoder::Gzip(decoder) => decoder.get_ref(),
            Decoder::Deflate(decoder) => decoder.get_ref(),
        }
    }
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
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn headers(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, hyper::header::HeaderValue::from_static(coding))])
    }

    fn search(string: &str, coding: &'static str, body: &[u8], piece: usize) -> io::Result<bool> {
        let headers = headers(coding);
        let mut search = Search::new(string.as_bytes(), &headers);
        for octets in body.chunks(piece) {
            if let Some(found) = search.read(octets)? {
                return Ok(found);
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

    #[test]
    fn the_string_lies_whole_in_the_first_5120_bytes_however_they_come() {
        for (before, found) in [(0, true), (5113, true), (5114, true), (5115, false), (9000, false)] {
            let body = [vec![b'.'; before], b"needle".to_vec(), vec![b'.'; 20_000]].concat();
            for piece in [1, 7, 5120, 1 << 20] {
                for (coding, body) in [("identity", body.clone()), ("GZIP", gzip(&body)), ("deflate", zlib(&body))] {
                    let result = search("needle", coding, &body, piece).unwrap();
                    assert_eq!(result, found, "{before} bytes before it, {coding}, {piece} at a time");
                }
            }
        }
    }

    #[test]
    fn a_short_body_is_searched_to_its_end() {
        assert!(!search("needle", "gzip", &gzip(b"thread"), 3).unwrap());
        assert!(!search("needle", "identity", b"", 1).unwrap());
        assert!(search("", "identity", b"", 1).unwrap());
    }

    #[test]
    fn what_is_not_compressed_as_it_says_is_an_error() {
        assert!(search("needle", "gzip", b"a needle, not gzip", 100).is_err());
        assert!(search("needle", "deflate", b"a needle, not zlib", 100).is_err());
        // Cut short before the string.
        assert!(search("needle", "gzip", &gzip(b"hay hay hay")[..12], 100).is_err());
    }

    #[test]
    fn a_bomb_is_not_unfolded() {
        let bomb = gzip(&vec![b'.'; 100_000_000]);
        let headers = headers("gzip");
        let mut search = Search::new(b"needle", &headers);
        assert_eq!(search.read(&bomb).unwrap(), Some(false));
        assert_eq!(search.body.beginning().0.len(), SEARCHED_OCTETS);
    }
}
