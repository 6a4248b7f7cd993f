//! The log: one line for each start, stop, reload and change of health, to standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Starts the log. `RUST_LOG` says what is logged; without it, `verbosity` does: 0 is info, 1 debug, 2 trace.
pub(super) fn start(format: LogFormat, verbosity: u8) {
    let default = match verbosity {
        // hickory-server, where it carries UDP, tells of every request at info.
        0 => "info,hickory_server=error",
        1 => "info,hickory_server=error,fiftythree=debug",
        _ => "debug,fiftythree=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Auto | LogFormat::Text => log.with_ansi(wants_colour()).with_timer(Clock::fitting()).try_init(),
    };
    // A log that is there already (in tests) serves as well.
    let _ = started;
}

/// Starts a log that goes elsewhere, without colours: to wherever each line's writer takes it.
pub(super) fn start_into<W: io::Write>(writer: impl Fn() -> W + Send + Sync + 'static) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,hickory_server=error"));
    let log = fmt().with_env_filter(filter).with_writer(writer).with_target(false).with_ansi(false);
    // A log that is there already (in tests) serves as well.
    let _ = log.with_timer(SystemTime).try_init();
}

/// Colour is for people; <https://no-color.org> says how they refuse it.
fn wants_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The time in front of each line, unless the reader writes it anyway.
enum Clock {
    Utc,
    /// The journal stamps every line (systemd.exec(5), JOURNAL_STREAM).
    Journal,
}

impl Clock {
    fn fitting() -> Clock {
        let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal();
        if journal { Clock::Journal } else { Clock::Utc }
    }
}

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        match self {
            Clock::Utc => SystemTime.format_time(writer),
            Clock::Journal => Ok(()),
        }
    }
}
