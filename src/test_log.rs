//! What the log says during a test.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;

/// The log of the thread that made it, until it is dropped.
pub(crate) struct TestLog {
    lines: Lines,
    _subscribed: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl TestLog {
    pub(crate) fn of_this_thread() -> TestLog {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        TestLog { lines, _subscribed: tracing::subscriber::set_default(subscriber) }
    }

    /// How often it has this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.lines.0.lock().unwrap()).matches(text).count()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
