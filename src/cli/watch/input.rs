//! The inputs of a watch: answers, health, keys and signals, each from its own thread, in one
//! channel.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ratatui::crossterm::event::{self, KeyEvent, KeyEventKind};

use crate::daemon::Signals;

use super::model::Event;

/// How long the thread for keys waits at a time. It outlives the screen by at most this time.
const KEY_TIMEOUT: Duration = Duration::from_millis(100);

/// An input.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// For the model.
    Event(Event, Instant),
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal was resized.
    Resize,
    /// All queries are done.
    QueriesDone,
    /// A signal to stop.
    Stop,
}

/// Sends keys and sizes until the receiver is dropped.
pub(crate) fn read_keys(inputs: Sender<Input>) -> anyhow::Result<()> {
    start("keys", move || {
        loop {
            let input = match event::poll(KEY_TIMEOUT).and_then(|is_there| is_there.then(event::read).transpose()) {
                Ok(Some(event::Event::Key(key))) if key.kind != KeyEventKind::Release => Input::Key(key),
                Ok(Some(event::Event::Resize(..))) => Input::Resize,
                Ok(_) => continue,
                // The terminal is closed.
                Err(_) => Input::Stop,
            };
            let is_last = matches!(input, Input::Stop);
            if inputs.send(input).is_err() || is_last {
                return;
            }
        }
    })
}

/// Sends `Stop` at each signal to stop.
pub(crate) fn listen_for_signals(inputs: Sender<Input>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    // Registered before the screen opens, so that no signal ends the process with the screen half
    // drawn.
    let mut signals = runtime.block_on(async { Signals::listen() }).context("cannot listen for signals")?;
    let mut hangup = runtime.block_on(async { Hangup::listen() }).context("cannot listen for signals")?;
    start("signals", move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = signals.stop() => {}
                    () = hangup.wait() => {}
                }
                if inputs.send(Input::Stop).is_err() {
                    return;
                }
            }
        });
    })
}

/// Starts a thread that ends with the program.
pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).context("cannot start threads")?;
    Ok(())
}

/// The channel for all inputs.
pub(crate) fn channel() -> (Sender<Input>, mpsc::Receiver<Input>) {
    mpsc::channel()
}

/// SIGHUP: the terminal was closed.
#[cfg(unix)]
struct Hangup(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangup {
    fn listen() -> std::io::Result<Hangup> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Hangup)
    }

    async fn wait(&mut self) {
        let _ = self.0.recv().await;
    }
}

/// Systems without signals.
#[cfg(not(unix))]
struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    fn listen() -> std::io::Result<Hangup> {
        Ok(Hangup)
    }

    async fn wait(&mut self) {
        std::future::pending().await
    }
}
