//! The server's log during a demo: kept for the log view, and written to a file with `--log`, never
//! over the screen.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

/// The most lines that are kept: more than a screen shows.
const LINES: usize = 200;

/// The log.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<LogLines>>);

#[derive(Debug, Default)]
struct LogLines {
    lines: VecDeque<String>,
    file: Option<File>,
}

impl Log {
    /// Starts it, with a file if one is named.
    pub(super) fn start(file: Option<&Path>) -> anyhow::Result<Log> {
        let file = file.map(|path| File::create(path).with_context(|| format!("cannot write {}", path.display())));
        let log = Log(Arc::new(Mutex::new(LogLines { lines: VecDeque::new(), file: file.transpose()? })));
        let writer = log.clone();
        crate::logging::start_into(writer).context("cannot start threads")?;
        Ok(log)
    }

    /// Its lines, the latest last.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lines.iter().cloned().collect()
    }
}

impl Write for Log {
    /// One call is one line, as `tracing` writes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in String::from_utf8_lossy(bytes).lines() {
            if kept.lines.len() == LINES {
                kept.lines.pop_front();
            }
            kept.lines.push_back(line.to_owned());
        }
        if let Some(file) = &mut kept.file {
            file.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_lines_are_kept() {
        let mut log = Log::default();
        for number in 0..LINES + 2 {
            log.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        let lines = log.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "line 2"));
    }
}
