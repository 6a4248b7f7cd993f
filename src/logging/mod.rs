//! The log: one line for each start, stop, reload and change of health, on standard error.
//!
//! ```text
//!  any thread ──▶ Queue, bounded ──▶ the thread `log` ──▶ standard error
//! ```
//!
//! A log that is not read or cannot be written must not block the server. A thread that logs puts
//! the message into the queue and continues. A message is dropped and counted if the queue is full
//! or the write fails; a line reports the count once the log can be written again. Panics are
//! logged the same way. There is one log in a process, because there is one `tracing` subscriber.

mod format;
mod journald;
mod output;
mod panics;
mod queue;

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{MakeWriter, SubscriberBuilder, format as layout};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

use format::Clock;
use output::{Output, Prefix};
pub use queue::Lost;
use queue::Queue;

/// How long the end of the program waits for the log to be written. Normally this takes
/// microseconds; a log that is not read must not delay a restart.
const FLUSH: Duration = Duration::from_secs(1);

/// What is logged unless `RUST_LOG` or `--verbose` is set. hickory-server, where it carries UDP,
/// logs every request at info.
const DEFAULT_FILTER: &str = "info,hickory_server=error";

/// The queue of this process, set when the log starts.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// A handle to the log. Dropping it waits, for a bounded time, until the log is written.
#[derive(Debug)]
pub struct Log {
    format: LogFormat,
}

/// Starts the log on standard error. `RUST_LOG` is the filter; without it, `verbosity` selects the
/// level: 0 is info, 1 debug, 2 trace.
///
/// # Errors If the system cannot start a thread.
pub fn start(format: LogFormat, verbosity: u8) -> io::Result<Log> {
    let default = match verbosity {
        0 => DEFAULT_FILTER,
        1 => "info,hickory_server=error,fiftythree=debug",
        _ => "debug,fiftythree=trace",
    };
    let prefix = if journald::reads_stderr() { Prefix::Priority } else { Prefix::None };
    let (queue, log) = builder(default, Output::new(io::stderr(), prefix))?;
    let started = match format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Auto | LogFormat::Text => {
            let clock = if prefix == Prefix::Priority { Clock::Journal } else { Clock::Utc };
            log.with_ansi(wants_colour()).with_timer(clock).try_init()
        }
    };
    adopt(queue, started.is_ok());
    panics::log_panics();
    Ok(Log { format })
}

/// Starts a log that goes to `writer`, without colours. Panics are still written to standard error.
///
/// # Errors If the system cannot start a thread.
pub fn start_into(writer: impl io::Write + Send + 'static) -> io::Result<()> {
    let (queue, log) = builder(DEFAULT_FILTER, Output::new(writer, Prefix::None))?;
    adopt(queue, log.with_ansi(false).with_timer(SystemTime).try_init().is_ok());
    Ok(())
}

/// The number of messages that this process has lost.
pub fn lost() -> Lost {
    QUEUE.get().map(|queue| queue.lost()).unwrap_or_default()
}

/// Waits, for a bounded time, until the log is written. For exits that drop no `Log`.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FLUSH);
    }
}

impl Log {
    /// Writes the error that ends the program: as `error: …` like every command, or as a log line
    /// with JSON logs.
    pub fn fail(&self, error: &str) {
        match self.format {
            LogFormat::Json => tracing::error!("{error}"),
            LogFormat::Auto | LogFormat::Text => {
                if let Some(queue) = QUEUE.get() {
                    queue.put(Level::ERROR, format!("error: {error}\n").as_bytes());
                }
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        flush();
    }
}

type Builder = SubscriberBuilder<layout::DefaultFields, layout::Format, EnvFilter, Writers>;

fn builder(default: &str, output: Output<impl io::Write + Send + 'static>) -> io::Result<(Arc<Queue>, Builder)> {
    let queue = Queue::start(output)?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = fmt().with_env_filter(filter).with_writer(Writers(Arc::clone(&queue))).with_target(false);
    Ok((queue, builder))
}

/// Sets the queue of this process, unless a log exists already (in tests); then that one is used.
fn adopt(queue: Arc<Queue>, is_first: bool) {
    if is_first {
        let _ = QUEUE.set(queue);
    }
}

/// Colours are for terminals; `NO_COLOR` disables them (<https://no-color.org>).
fn wants_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Creates `tracing`'s writers: each puts one event into the queue.
struct Writers(Arc<Queue>);

/// Writes one event to the queue. It never fails, because `tracing-subscriber` reports a failed
/// write to standard error, and panics if that fails as well.
struct Line<'q> {
    queue: &'q Queue,
    level: Level,
}

impl<'q> MakeWriter<'q> for Writers {
    type Writer = Line<'q>;

    fn make_writer(&'q self) -> Line<'q> {
        Line { queue: &self.0, level: Level::INFO }
    }

    fn make_writer_for(&'q self, event: &Metadata<'_>) -> Line<'q> {
        Line { queue: &self.0, level: *event.level() }
    }
}

impl io::Write for Line<'_> {
    /// `tracing` writes each event with one call.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.queue.put(self.level, text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
