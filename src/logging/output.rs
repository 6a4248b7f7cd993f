//! Writes messages to a stream, with a prefix for each line, and recovers from partial writes.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use tracing::Level;

use super::journald::priority;

/// How long to wait before a write to a non-blocking stream is repeated.
const RETRY: Duration = Duration::from_millis(20);

/// The prefix of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    None,
    /// The priority, for the journal.
    Priority,
}

/// A stream that messages are written to.
pub(super) struct Output<W> {
    writer: W,
    prefix: Prefix,
    /// The last message was written in part: the next one starts a new line.
    is_torn: bool,
}

impl<W: Write> Output<W> {
    pub(super) fn new(writer: W, prefix: Prefix) -> Output<W> {
        Output { writer, prefix, is_torn: false }
    }

    /// Writes a message. Blocks as long as the stream does.
    pub(super) fn write(&mut self, level: Level, text: &[u8]) -> io::Result<()> {
        let mut lines = Vec::with_capacity(text.len() + 16);
        if self.is_torn {
            lines.push(b'\n');
        }
        // The journal creates an entry for each line, so each line needs the priority.
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if self.prefix == Prefix::Priority {
                lines.extend_from_slice(priority(level).as_bytes());
            }
            lines.extend_from_slice(line);
        }
        self.write_all(&lines)
    }

    fn write_all(&mut self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match self.writer.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    rest = &rest[bytes..];
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Programs on the same terminal or pipe share its flags, and some make it
                // non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
                Err(error) => return Err(error),
            }
        }
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts up to three bytes per call, or returns the next prepared result.
    #[derive(Default)]
    struct Stubborn {
        taken: Vec<u8>,
        answers: Vec<Option<io::ErrorKind>>,
    }

    impl Write for Stubborn {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(Some(error)) = self.answers.pop() {
                return Err(error.into());
            }
            let bytes = &bytes[..bytes.len().min(3)];
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_of_a_message_has_its_priority() {
        let mut output = Output::new(Stubborn::default(), Prefix::Priority);
        output.write(Level::ERROR, b"ERROR two\nlines\n").unwrap();
        output.write(Level::WARN, b"WARN\n").unwrap();
        output.write(Level::INFO, b"INFO\n").unwrap();
        output.write(Level::TRACE, b"TRACE\n").unwrap();
        let taken = String::from_utf8(output.writer.taken).unwrap();
        assert_eq!(taken, "<3>ERROR two\n<3>lines\n<4>WARN\n<6>INFO\n<7>TRACE\n");
    }

    #[test]
    fn what_is_interrupted_or_would_block_is_written_whole() {
        use io::ErrorKind::{Interrupted, WouldBlock};
        let answers = vec![Some(WouldBlock), Some(Interrupted), None, Some(WouldBlock), Some(WouldBlock), None];
        let mut output = Output::new(Stubborn { answers, ..Stubborn::default() }, Prefix::None);
        output.write(Level::INFO, b"one line\n").unwrap();
        assert_eq!(output.writer.taken, b"one line\n");
    }

    #[test]
    fn a_cut_line_is_ended_before_the_next_one() {
        let answers = vec![Some(io::ErrorKind::StorageFull), Some(io::ErrorKind::StorageFull), None];
        let mut output = Output::new(Stubborn { answers, ..Stubborn::default() }, Prefix::None);
        output.write(Level::INFO, b"first\n").unwrap_err();
        output.write(Level::INFO, b"second\n").unwrap_err();
        output.write(Level::INFO, b"third\n").unwrap();
        output.write(Level::INFO, b"fourth\n").unwrap();
        assert_eq!(String::from_utf8(output.writer.taken).unwrap(), "fir\nthird\nfourth\n");
    }
}
