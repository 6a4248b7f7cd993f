//! Colours on a terminal.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// No colours: a file, a pipe, or `NO_COLOR`.
    Plain,
    /// With the 16 standard colours.
    Coloured,
}

/// The meaning of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// Chosen, or better.
    Good,
    /// Unhealthy, or worse.
    Bad,
    /// Less important.
    Dim,
    /// Important.
    Strong,
}

impl Paint {
    /// For standard output: colours on a terminal, except with `NO_COLOR` (no-color.org).
    pub(super) fn of_stdout() -> Paint {
        let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !is_off { Paint::Coloured } else { Paint::Plain }
    }

    /// The text in a colour.
    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        if self == Paint::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = match colour {
            Colour::Good => AnsiColor::Green.on_default(),
            Colour::Bad => AnsiColor::Red.on_default(),
            Colour::Dim => Style::new().dimmed(),
            Colour::Strong => Style::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}
