//! Logs panics. The standard library would write them to standard error itself and block on it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

/// Logs the panics of all threads from now on.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|panic| tracing::error!("{}", describe(panic, &Backtrace::capture()))));
}

/// The message that the standard library would write.
fn describe(panic: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let thread = thread::current();
    let message = format!("thread '{}' {panic}", thread.name().unwrap_or("<unnamed>"));
    match backtrace.status() {
        BacktraceStatus::Captured => format!("{message}\n{backtrace}"),
        _ => format!("{message}\nnote: RUST_BACKTRACE=1 in the environment adds a backtrace"),
    }
}
