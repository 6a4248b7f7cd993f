//! Finds the end of a response's body (RFC 9112, section 6.3) and removes the transfer coding.

use super::head::{Framing, Malformed};

/// Extracts the body from the received bytes.
#[derive(Debug)]
pub(super) struct BodyReader(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Octets(u64),
    UntilClose,
    Chunk(Chunk),
    Complete,
}

/// The next part of a chunk (RFC 9112, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// The digits of its size so far, if any.
    Size(Option<u64>),
    /// Extensions and white space, up to the end of the line.
    AfterSize(u64),
    Data(u64),
    /// The line end after the data.
    AfterData,
}

impl BodyReader {
    pub(super) fn new(framing: Framing) -> BodyReader {
        BodyReader(match framing {
            Framing::Length(0) => State::Complete,
            Framing::Length(octets) => State::Octets(octets),
            Framing::Chunked => State::Chunk(Chunk::Size(None)),
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// Whether the body is complete. The trailer after the last chunk is not read.
    pub(super) fn is_complete(&self) -> bool {
        self.0 == State::Complete
    }

    /// Whether the body may end with the connection.
    pub(super) fn may_end(&self) -> bool {
        matches!(self.0, State::Complete | State::UntilClose)
    }

    /// Consumes the next piece of `octets`, which is not empty, and returns the part that belongs
    /// to the body.
    pub(super) fn read<'o>(&mut self, octets: &mut &'o [u8]) -> Result<&'o [u8], Malformed> {
        match self.0 {
            State::Complete | State::UntilClose => Ok(std::mem::take(octets)),
            State::Octets(left) => {
                let (data, left) = take(octets, left);
                self.0 = if left == 0 { State::Complete } else { State::Octets(left) };
                Ok(data)
            }
            State::Chunk(Chunk::Data(left)) => {
                let (data, left) = take(octets, left);
                self.0 = State::Chunk(if left == 0 { Chunk::AfterData } else { Chunk::Data(left) });
                Ok(data)
            }
            State::Chunk(chunk) => {
                let Some((&octet, rest)) = octets.split_first() else { return Ok(&[]) };
                *octets = rest;
                self.0 = between_data(chunk, octet)?;
                Ok(&[])
            }
        }
    }
}

/// At most this number of bytes from the start, and how many are still missing.
fn take<'o>(octets: &mut &'o [u8], most: u64) -> (&'o [u8], u64) {
    let taken = usize::try_from(most).map_or(octets.len(), |most| most.min(octets.len()));
    let (data, rest) = octets.split_at(taken);
    *octets = rest;
    (data, most - taken as u64)
}

/// One byte of the lines around the data. A bare line feed ends a line too.
fn between_data(chunk: Chunk, octet: u8) -> Result<State, Malformed> {
    Ok(match (chunk, octet) {
        (Chunk::AfterSize(0), b'\n') | (Chunk::Size(Some(0)), b'\n') => State::Complete,
        (Chunk::AfterSize(size) | Chunk::Size(Some(size)), b'\n') => State::Chunk(Chunk::Data(size)),
        (Chunk::AfterSize(size), _) => State::Chunk(Chunk::AfterSize(size)),
        (Chunk::AfterData, b'\n') => State::Chunk(Chunk::Size(None)),
        (Chunk::AfterData, b'\r') => State::Chunk(Chunk::AfterData),
        (Chunk::AfterData, _) => return Err(Malformed::ChunkEnd),
        (Chunk::Size(size), octet) => match (char::from(octet).to_digit(16), size) {
            (Some(digit), _) => {
                let size = size.unwrap_or(0).checked_mul(16).ok_or(Malformed::ChunkSize)?;
                State::Chunk(Chunk::Size(Some(size + u64::from(digit))))
            }
            (None, Some(size)) => State::Chunk(Chunk::AfterSize(size)),
            (None, None) => return Err(Malformed::ChunkSize),
        },
        (Chunk::Data(left), _) => State::Chunk(Chunk::Data(left)), // read elsewhere
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(framing: Framing, octets: &[u8], piece: usize) -> Result<(Vec<u8>, bool), Malformed> {
        let mut reader = BodyReader::new(framing);
        let mut body = Vec::new();
        for mut octets in octets.chunks(piece.max(1)) {
            while !octets.is_empty() && !reader.is_complete() {
                body.extend_from_slice(reader.read(&mut octets)?);
            }
        }
        Ok((body, reader.may_end()))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let chunked = b"3;a=\"b\"\r\nnee\r\n3 \ndle\n0\r\nTrailer: x\r\n\r\nmore";
        for piece in 1..=chunked.len() {
            assert_eq!(read(Framing::Chunked, chunked, piece), Ok((b"needle".to_vec(), true)));
            assert!(!read(Framing::Chunked, &chunked[..20], piece).unwrap().1);
            assert_eq!(read(Framing::Length(6), b"needlemore", piece), Ok((b"needle".to_vec(), true)));
            assert_eq!(read(Framing::Length(7), b"needle", piece), Ok((b"needle".to_vec(), false)));
            assert_eq!(read(Framing::UntilClose, b"needle", piece), Ok((b"needle".to_vec(), true)));
        }
        assert_eq!(read(Framing::Length(0), b"more", 9), Ok((Vec::new(), true)));
    }

    #[test]
    fn chunks_that_lie_are_found_out() {
        for (octets, why) in [
            (&b"x\r\n"[..], Malformed::ChunkSize),
            (b"\r\n", Malformed::ChunkSize),
            (b"-1\r\n", Malformed::ChunkSize),
            (b"ffffffffffffffff0\r\n", Malformed::ChunkSize),
            (b"1\r\nab", Malformed::ChunkEnd),
        ] {
            assert_eq!(read(Framing::Chunked, octets, 3), Err(why), "{}", octets.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_the_same_in_any_pieces(octets in "[0-3a;\r\n ]{0,40}", piece in 1usize..20) {
            let whole = read(Framing::Chunked, octets.as_bytes(), octets.len());
            prop_assert_eq!(read(Framing::Chunked, octets.as_bytes(), piece), whole);
        }
    }
}
