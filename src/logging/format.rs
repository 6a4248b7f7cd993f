//! The timestamp of log lines.

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// The timestamp of a line, unless the reader of the log adds its own.
pub(super) enum Clock {
    Utc,
    /// None: the journal adds a timestamp to every line (systemd.exec(5), JOURNAL_STREAM).
    Journal,
}

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        match self {
            Clock::Utc => SystemTime.format_time(writer),
            Clock::Journal => Ok(()),
        }
    }
}
