//! The log: one line for each start, stop, reload and change of health, on standard error.
//!
//! ```text
//!  any thread ──▶ Queue, bounded ──▶ the thread `log` ──▶ standard error
//! ```
//!
//! A log that nobody reads or that cannot be written must not hold up the server: whoever logs puts a message into the
//! queue and goes on. What finds no room, or cannot be written, is dropped and counted; one line reports it once the log
//! is written again. Panics take the same way. There is one log in a process, as there is one `tracing` subscriber.

mod format;
mod journal;
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

/// How long the end of the program waits for the log to be written. A log that is read takes microseconds; one that
/// nobody reads must not delay a restart.
const FLUSH: Duration = Duration::from_secs(1);

/// What is logged unless `RUST_LOG` or `--verbose` chooses. hickory-server, where it carries UDP, logs every request at
/// info.
const DEFAULT_FILTER: &str = "info,hickory_server=error";

/// The queue of this process, once the log has started.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// The started log. Dropping it waits, for a bounded time, until what was logged is written.
#[derive(Debug)]
pub struct Log {
    format: LogFormat,
}

/// Starts the log on standard error. `RUST_LOG` chooses what is logged; without it, `verbosity` does: 0 is info, 1
/// debug, 2 trace.
///
/// # Errors
/// When the system gives no thread.
pub fn start(format: LogFormat, verbosity: u8) -> io::Result<Log> {
    let default = match verbosity {
        0 => DEFAULT_FILTER,
        1 => "info,hickory_server=error,fiftythree=debug",
        _ => "debug,fiftythree=trace",
    };
    let prefix = if journal::reads_stderr() { Prefix::Priority } else { Prefix::None };
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

/// Starts a log that goes elsewhere, without colours. Panics stay on standard error.
///
/// # Errors
/// When the system gives no thread.
pub fn start_into(writer: impl io::Write + Send + 'static) -> io::Result<()> {
    let (queue, log) = builder(DEFAULT_FILTER, Output::new(writer, Prefix::None))?;
    adopt(queue, log.with_ansi(false).with_timer(SystemTime).try_init().is_ok());
    Ok(())
}

/// How many messages this process has lost.
pub fn lost() -> Lost {
    QUEUE.get().map(|queue| queue.lost()).unwrap_or_default()
}

/// Waits, for a bounded time, until what was logged is written: for ends that drop nothing.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FLUSH);
    }
}

impl Log {
    /// Writes the error that ends the program, as every command does; as a log line where a machine reads the log.
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

/// Makes a queue the one of this process, unless a log exists already (in tests), which serves as well.
fn adopt(queue: Arc<Queue>, is_first: bool) {
    if is_first {
        let _ = QUEUE.set(queue);
    }
}

/// Colour is for people; <https://no-color.org> says how they refuse it.
fn wants_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Makes `tracing`'s writers: each puts one event into the queue.
struct Writers(Arc<Queue>);

/// One event's way into the queue. It never fails: of a failing writer `tracing-subscriber` tells standard error, and
/// panics where that fails too.
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
    /// One call is one event, as `tracing` writes.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.queue.put(self.level, text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
