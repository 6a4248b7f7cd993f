//! What happened, the latest first.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::cli::watch::model::Model;
use crate::cli::watch::model::timeline::Entry;
use crate::cli::watch::words::{Phrase, clock, fine_clock, phrase};

use super::{Look, section};

/// Tenths of seconds are shown from here on.
const WIDE: u16 = 60;

/// Such as ` +12.3 s  `; the seconds since the outage.
const SECONDS: usize = 11;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let title = Line::styled("what happened ", look.palette.strong());
    let inner = section(frame, area, look, title, "+ seconds since the first failed, or passed, probe");
    for (row, entry) in inner.rows().zip(model.timeline.latest()) {
        frame.render_widget(line(model, entry, row.width, look), row);
    }
}

fn line<'l>(model: &Model, entry: &Entry, width: u16, look: &Look<'_>) -> Line<'l> {
    let Phrase { who, what, why, mood, .. } = phrase(model, entry);
    let palette = look.palette;
    let wall = model.wall(entry.at);
    let clock = if width >= WIDE { fine_clock(wall) } else { clock(wall) };
    let since = model.timeline.since_outage(entry).map_or_else(String::new, |(since, _)| format!("{since:+.1} s"));
    let mut line = Line::from(vec![
        Span::styled(format!(" {clock}"), palette.faint()),
        Span::styled(format!("{since:>width$}  ", width = SECONDS - 2), palette.accent()),
    ]);
    if !who.is_empty() {
        line.push_span(Span::styled(who, palette.strong()));
        line.push_span(Span::raw(" "));
    }
    line.push_span(Span::styled(what, if entry.is_deed() { palette.warning() } else { palette.mood(mood) }));
    if !why.is_empty() {
        line.push_span(Span::styled(format!("  {why}"), palette.faint()));
    }
    line
}
