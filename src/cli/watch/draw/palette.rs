//! A few of the terminal's own sixteen colours, readable on light and dark backgrounds; none with
//! `NO_COLOR`.
//!
//! No information depends on colour alone.

use ratatui::style::{Color, Modifier, Style};

use crate::cli::watch::words::Tone;

/// The colours in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Palette {
    Colours,
    /// <https://no-color.org>
    Plain,
}

impl Palette {
    /// According to the environment.
    pub(crate) fn fitting() -> Palette {
        match std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            true => Palette::Colours,
            false => Palette::Plain,
        }
    }

    /// Important text.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Less important text.
    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn tone(self, tone: Tone) -> Style {
        match (self, tone) {
            (_, Tone::Neutral) => Style::new(),
            (Palette::Plain, Tone::Good) => Style::new(),
            (Palette::Plain, Tone::Bad) => self.strong(),
            (Palette::Colours, Tone::Good) => Style::new().fg(Color::Green),
            (Palette::Colours, Tone::Bad) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// A warning.
    pub(super) fn warning(self) -> Style {
        match self {
            Palette::Plain => self.strong(),
            Palette::Colours => Style::new().fg(Color::Yellow),
        }
    }

    /// A site, by its number. Green and red are for the status of checks.
    pub(super) fn site(self, number: usize) -> Style {
        const COLOURS: [Color; 4] = [Color::Cyan, Color::Magenta, Color::Yellow, Color::Blue];
        match self {
            Palette::Plain => Style::new(),
            Palette::Colours => Style::new().fg(COLOURS[number % COLOURS.len()]),
        }
    }

    /// Bars, keys and marks.
    pub(super) fn accent(self) -> Style {
        match self {
            Palette::Plain => Style::new(),
            Palette::Colours => Style::new().fg(Color::Cyan),
        }
    }
}
