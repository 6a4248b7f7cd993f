//! The list of events, the latest first.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::cli::tree::wrap_after;
use crate::cli::watch::model::Model;
use crate::cli::watch::model::timeline::Entry;
use crate::cli::watch::words::{Phrase, clock, fine_clock, phrase};

use super::{Look, section, text};

/// From this width, times have tenths of seconds.
const WIDE: u16 = 60;

/// Such as ` +12.3 s  `; the seconds since the outage.
const SECONDS: usize = 11;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let title = Line::styled("what happened ", look.palette.strong());
    let inner = section(frame, area, look, title, "+ seconds since the first failed, or passed, probe");
    let mut rows = inner.rows().collect::<Vec<_>>().into_iter();
    let mut free = usize::from(inner.height).saturating_sub(model.timeline.latest().count());
    for entry in model.timeline.latest() {
        let mut lines = lines(model, entry, inner.width, look, Reason::Wrapped);
        // Reasons continue below only in rows that no entry needs.
        if lines.len() - 1 > free {
            lines = self::lines(model, entry, inner.width, look, Reason::Cut);
        }
        free -= lines.len() - 1;
        for (line, row) in lines.into_iter().zip(rows.by_ref()) {
            frame.render_widget(line, row);
        }
    }
}

/// What happens to a reason that is too long for its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Wrapped,
    Cut,
}

/// An entry and the rest of its reason.
fn lines<'l>(model: &Model, entry: &Entry, width: u16, look: &Look<'_>, reason: Reason) -> Vec<Line<'l>> {
    let Phrase { who, what, why, tone, .. } = phrase(model, entry);
    let palette = look.palette;
    let wall = model.wall(entry.at);
    let clock = if width >= WIDE { fine_clock(wall) } else { clock(wall) };
    let clock_width = clock.len();
    let since = model.timeline.since_outage(entry).map_or_else(String::new, |(since, _)| format!("{since:+.1} s"));
    let mut line = Line::from(vec![
        Span::styled(format!(" {clock}"), palette.faint()),
        Span::styled(format!("{since:>width$}  ", width = SECONDS - 2), palette.accent()),
    ]);
    if !who.is_empty() {
        line.push_span(Span::styled(who, palette.strong()));
        line.push_span(Span::raw(" "));
    }
    line.push_span(Span::styled(what, if entry.is_user_action() { palette.warning() } else { palette.tone(tone) }));
    if why.is_empty() {
        return vec![line];
    }
    let indent = " ".repeat(1 + clock_width + SECONDS);
    let room = usize::from(width).saturating_sub(indent.len());
    let taken = line.width().saturating_sub(indent.len()) + 1;
    let parts = match reason {
        Reason::Wrapped => wrap_after(taken, &why, room),
        Reason::Cut => vec![text::fit(&why, u16::try_from(room.saturating_sub(taken + 1)).unwrap_or_default())],
    };
    let mut parts = parts.into_iter();
    let first = parts.next().unwrap_or_default();
    line.push_span(Span::styled(format!("  {first}"), palette.faint()));
    let rest = parts.map(|part| Line::from(Span::styled(format!("{indent}{part}"), palette.faint())));
    std::iter::once(line).chain(rest).collect()
}
