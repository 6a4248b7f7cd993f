//! The terminal during a watch: drawn a limited number of times a second, and restored in every
//! case at the end.

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

/// From one picture to the next, unless a key was pressed.
const FRAME: Duration = Duration::from_millis(100);

/// The terminal, taken over. Dropping it gives it back; a panic does too.
pub(crate) struct Screen(ManuallyDrop<DefaultTerminal>);

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn open() -> anyhow::Result<Screen> {
        ratatui::try_init().map(|terminal| Screen(ManuallyDrop::new(terminal))).context("cannot use this terminal")
    }

    fn draw(&mut self, model: &Model, look: &Look<'_>) -> io::Result<()> {
        self.0.draw(|frame| draw::draw(frame, model, look)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone cannot be given back. ratatui's own drop would complain of that
        // to the terminal that is gone, and end the process with it before others have cleaned up;
        // so it is not run.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Whether a screen goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Quit,
}

/// Who shows something: how it looks now, and what its keys do.
pub(crate) trait Show {
    /// What stands around the model.
    fn look(&self) -> Look<'_>;

    /// Something was pressed that is no key of every screen.
    fn press(&mut self, key: KeyCode, model: &mut Model) -> Flow;

    /// A moment has passed.
    fn tick(&mut self, model: &mut Model) -> Flow;
}

/// Shows until somebody quits, a signal wants the end, or the time is over.
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
            Ok(Input::Event(event, at)) => drop(model.hear(event, at.saturating_duration_since(began))),
            Ok(Input::Key(key)) if quits(key) => return Ok(()),
            Ok(Input::Key(key)) => {
                if show.press(key.code, model) == Flow::Quit {
                    return Ok(());
                }
                next = Instant::now();
            }
            Ok(Input::Resize) => next = Instant::now(),
            Ok(Input::Asked | Input::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Ctrl-C as everywhere; in raw mode it is no signal.
fn quits(key: KeyEvent) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd'))
}
