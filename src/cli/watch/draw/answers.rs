//! The answers of each name: their shares of the last seconds, and of all.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::cli::watch::model::tally::{Outcome, Tally};
use crate::cli::watch::model::{Model, Watched};
use crate::cli::watch::words::{Tone, percent};

use super::{Look, section, text};

/// The least width of a name's column: an address, a bar, a share.
const NARROWEST: u16 = 46;
/// The most answers of a name that are shown.
const ROWS: u16 = 8;
/// From this width, the share of all and the count are shown too.
const WIDE: u16 = 58;

/// The rows that show everything.
pub(super) fn wanted(width: u16, model: &Model) -> u16 {
    let rows = model.names.iter().map(|name| 1 + rows(name));
    if are_beside(width, model) { rows.max().unwrap_or_default() } else { rows.sum() }
}

fn rows(name: &Watched) -> u16 {
    u16::try_from(name.tally.outcomes().len()).unwrap_or(ROWS).clamp(1, ROWS)
}

/// Whether names are shown side by side.
fn are_beside(width: u16, model: &Model) -> bool {
    let names = u16::try_from(model.names.len()).unwrap_or(u16::MAX);
    names > 1 && width / names >= NARROWEST
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: &Look<'_>) {
    let areas = match are_beside(area.width, model) {
        true => Layout::horizontal(model.names.iter().map(|_| Constraint::Fill(1))).spacing(2).split(area),
        false => Layout::vertical(heights(area.height, model)).split(area),
    };
    for (name, area) in model.names.iter().zip(areas.iter()) {
        draw_name(frame, *area, name, look);
    }
}

/// Each name gets the rows that it needs. If there are too few, the largest ones get less.
fn heights(room: u16, model: &Model) -> Vec<Constraint> {
    let mut heights: Vec<u16> = model.names.iter().map(|name| 1 + rows(name)).collect();
    while heights.iter().sum::<u16>() > room {
        match heights.iter_mut().max() {
            Some(most) if *most > 0 => *most -= 1,
            _ => break,
        }
    }
    heights.into_iter().map(Constraint::Length).collect()
}

fn draw_name(frame: &mut Frame<'_>, area: Rect, name: &Watched, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    if area.height == 1 {
        frame.render_widget(in_one_line(name, look), area);
        return;
    }
    let mut title = vec![Span::styled(format!("{} ", name.subject), look.palette.strong())];
    if !name.note.is_empty() {
        title.push(Span::styled(format!("{} ", name.note), look.palette.accent()));
    }
    let tally = &name.tally;
    let right = match area.width >= WIDE {
        true => format!("last {} s ── all ── answers", tally.window().as_secs()),
        false => format!("last {} s", tally.window().as_secs()),
    };
    let inner = section(frame, area, look, Line::from(title), &right);
    let outcomes = tally.outcomes();
    if outcomes.is_empty() {
        frame.render_widget(Line::styled(" no answer yet", look.palette.faint()), inner);
        return;
    }
    // The alignment does not depend on which rows are shown.
    let widest = outcomes.iter().map(|outcome| text::width(&outcome.text)).max().unwrap_or_default();
    let column = widest.clamp(9, (inner.width / 2).max(9));
    for (row, outcome) in inner.rows().zip(shown(&outcomes, inner.height)) {
        frame.render_widget(line(row.width, column, tally, outcome, look), row);
    }
}

/// The most frequent answer, if there is no room for a list.
fn in_one_line<'l>(name: &Watched, look: &Look<'_>) -> Line<'l> {
    let most = name.tally.outcomes().first().map_or_else(
        || "no answer yet".to_owned(),
        |outcome| format!("{} {}", outcome.text, percent(name.tally.recent_share(outcome)).trim_start()),
    );
    let title = Span::styled(format!("{}  ", name.subject), look.palette.strong());
    Line::from(vec![title, Span::raw(most)])
}

/// The most frequent answers that fit, in an order that does not change with every answer.
fn shown<'o>(outcomes: &[&'o Outcome], room: u16) -> Vec<&'o Outcome> {
    let mut shown: Vec<&Outcome> = outcomes.iter().take(usize::from(room)).copied().collect();
    shown.sort_by(|one, other| natural(&one.text).cmp(&natural(&other.text)));
    shown
}

/// 127.0.0.9 comes before 127.0.0.10.
fn natural(text: &str) -> (Option<std::net::IpAddr>, &str) {
    (text.split([',', ' ']).next().and_then(|first| first.parse().ok()), text)
}

fn line<'l>(width: u16, column: u16, tally: &Tally, outcome: &Outcome, look: &Look<'_>) -> Line<'l> {
    let (recent, all) = (tally.recent_share(outcome), tally.share(outcome));
    let is_last = tally.last() == Some(&outcome.text);
    let comes = outcome.recent > 0;
    let palette = look.palette;
    let wide = if width >= WIDE { format!("  {}  {:>7}", percent(all), outcome.count) } else { String::new() };
    let figures = percent(recent);
    let taken = 1 + 2 + column + 1 + 1 + text::width(&figures) + text::width(&wide) + 1;
    let bar = text::bar(recent, width.saturating_sub(taken));
    let is_silence = outcome.text.starts_with('(');
    let style = match (comes, is_silence) {
        (false, _) => palette.faint(),
        (true, true) => palette.tone(Tone::Bad),
        (true, false) => look.site(&outcome.text).unwrap_or_default(),
    };
    let bar_style = match is_silence {
        true => palette.tone(Tone::Bad),
        false => look.site(&outcome.text).unwrap_or(palette.accent()),
    };
    Line::from(vec![
        Span::styled(if is_last { " ▸ " } else { "   " }, palette.accent()),
        Span::styled(text::fit(&outcome.text, column), style),
        Span::raw(" "),
        Span::styled(bar, bar_style),
        Span::raw(" "),
        Span::styled(figures, if comes { palette.strong() } else { palette.faint() }),
        Span::styled(wide, palette.faint()),
    ])
}
