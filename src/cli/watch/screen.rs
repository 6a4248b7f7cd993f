//! The terminal during a watch: drawn a limited number of times a second, and always restored at
//! the end.

use std::io;
use std::mem::ManuallyDrop;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::{self, Look};
use super::input::Input;
use super::model::Model;

/// The interval between two frames, unless a key is pressed.
const FRAME: Duration = Duration::from_millis(100);

/// The terminal in raw mode. Dropping it restores the terminal; a panic does too.
pub(crate) struct Screen(ManuallyDrop<DefaultTerminal>);

impl Screen {
    /// Switches the terminal to raw mode and the alternate screen.
    pub(crate) fn open() -> anyhow::Result<Screen> {
        ratatui::try_init().map(|terminal| Screen(ManuallyDrop::new(terminal))).context("cannot use this terminal")
    }

    fn draw(&mut self, model: &Model, look: &Look<'_>) -> io::Result<()> {
        self.0.draw(|frame| draw::draw(frame, model, look)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A closed terminal cannot be restored. ratatui's own drop would report that to the closed
        // terminal and end the process before others have cleaned up, so it is not run.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Whether the screen stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Quit,
}

/// What a screen shows around the model, and what its keys do.
pub(crate) trait Show {
    /// The title, the keys and the overlay.
    fn look(&self) -> Look<'_>;

    /// Handles a key, except those of every screen.
    fn press(&mut self, key: KeyCode, model: &mut Model) -> Flow;

    /// Called before each frame.
    fn tick(&mut self, model: &mut Model) -> Flow;
}

/// Draws until the user quits, a signal stops it, or the time is over.
pub(crate) fn run(
    screen: &mut Screen,
    model: &mut Model,
    inputs: &Receiver<Input>,
    show: &mut impl Show,
    time: Option<Duration>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut next = began;
    loop {
        if Instant::now() >= next {
            model.tick(began.elapsed());
            if show.tick(model) == Flow::Quit || time.is_some_and(|time| began.elapsed() >= time) {
                return Ok(());
            }
            screen.draw(model, &show.look()).context("cannot draw on this terminal")?;
            next = Instant::now() + FRAME;
        }
        match inputs.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Input::Event(event, at)) => drop(model.apply(event, at.saturating_duration_since(began))),
            Ok(Input::Key(key)) if quits(key) => return Ok(()),
            Ok(Input::Key(key)) => {
                if show.press(key.code, model) == Flow::Quit {
                    return Ok(());
                }
                next = Instant::now();
            }
            Ok(Input::Resize) => next = Instant::now(),
            Ok(Input::QueriesDone | Input::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Ctrl-C quits, although it is not a signal in raw mode.
fn quits(key: KeyEvent) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd'))
}
