//! Few colours of the terminal's own sixteen, so that light and dark ones both can read them; none
//! with `NO_COLOR`.
//!
//! No information depends on colour alone.

use ratatui::style::{Color, Modifier, Style};

use crate::cli::watch::words::Mood;

/// Which colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Palette {
    Colours,
    /// <https://no-color.org>
    Plain,
}

impl Palette {
    /// As the environment wants it.
    pub(crate) fn fitting() -> Palette {
        match std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            true => Palette::Colours,
            false => Palette::Plain,
        }
    }

    /// What matters.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What may be passed over.
    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn mood(self, mood: Mood) -> Style {
        match (self, mood) {
            (_, Mood::Neutral) => Style::new(),
            (Palette::Plain, Mood::Good) => Style::new(),
            (Palette::Plain, Mood::Bad) => self.strong(),
            (Palette::Colours, Mood::Good) => Style::new().fg(Color::Green),
            (Palette::Colours, Mood::Bad) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// A warning.
    pub(super) fn warning(self) -> Style {
        match self {
            Palette::Plain => self.strong(),
            Palette::Colours => Style::new().fg(Color::Yellow),
        }
    }

    /// Bars, keys and what else is to be found at a glance.
    pub(super) fn accent(self) -> Style {
        match self {
            Palette::Plain => Style::new(),
            Palette::Colours => Style::new().fg(Color::Cyan),
        }
    }
}
