//! The time at the start of each line.

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// The time in front of each line, unless the reader writes it anyway.
pub(super) enum Clock {
    Utc,
    /// The journal stamps every line (systemd.exec(5), JOURNAL_STREAM).
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
