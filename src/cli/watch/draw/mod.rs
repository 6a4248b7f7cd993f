//! Draws the model on a terminal of any size.
//!
//! The sections are, from top to bottom: answers, checks, what happened. With little room, details
//! are left out first, then rows; names are side by side if the width allows.

mod answers;
mod checks;
mod palette;
mod text;
mod timeline;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Padding, Paragraph};

use super::model::Model;
use super::words::clock;

pub(crate) use palette::Palette;

/// The rows that the list of events keeps before other sections get optional rows.
const TIMELINE: u16 = 5;

/// What is drawn around the model.
#[derive(Clone, Debug)]
pub(crate) struct Look<'l> {
    /// The colours.
    pub(crate) palette: Palette,
    /// The title of the screen.
    pub(crate) title: &'l str,
    /// The text after the title, such as the server that is queried.
    pub(crate) aside: String,
    /// The keys and what they do, for the last line.
    pub(crate) keys: &'l [(&'l str, &'l str)],
    /// Names with a colour of their own: answers that end in one of them, and checks of that name.
    pub(crate) sites: &'l [&'l str],
    /// Whether checks have numbers, which are keys.
    pub(crate) numbered: bool,
    /// A box over the sections.
    pub(crate) overlay: Option<Overlay<'l>>,
}

impl Look<'_> {
    /// The colour of the site that a text names with its last word.
    fn site(&self, text: &str) -> Option<Style> {
        let name = text.rsplit(' ').next()?;
        let number = self.sites.iter().position(|site| *site == name)?;
        Some(self.palette.site(number))
    }
}

/// A box over the sections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overlay<'l> {
    /// Its title.
    pub(crate) title: &'l str,
    /// Its lines.
    pub(crate) lines: &'l [String],
    /// Which lines are shown if there is no room for all.
    pub(crate) shown: Shown,
}

/// Which lines are shown if there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    First,
    Last,
}

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, look: &Look<'_>) {
    let area = frame.area();
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    header(frame, head, model, look);
    sections(frame, body, model, look);
    footer(frame, foot, look);
    if let Some(overlay) = look.overlay {
        draw_overlay(frame, body, look, overlay);
    }
}

fn sections(frame: &mut Frame<'_>, area: Rect, model: &Model, look: &Look<'_>) {
    let [answers, checks] = shares_of(area, model, look);
    let [first, second, third] =
        Layout::vertical([Constraint::Length(answers), Constraint::Length(checks), Constraint::Min(0)]).areas(area);
    answers::draw(frame, first, model, look);
    checks::draw(frame, second, model, look);
    timeline::draw(frame, third, model, look);
}

/// The rows of answers and checks. The list of events gets the rest.
fn shares_of(area: Rect, model: &Model, look: &Look<'_>) -> [u16; 2] {
    let room = area.height.saturating_sub(TIMELINE.min(area.height / 4));
    let (answers, checks) = (answers::wanted(area.width, model), checks::wanted(area.width, model, look));
    let fitting = [checks.wrapped, checks.detailed, checks.marked, checks.brief]
        .into_iter()
        .find(|checks| answers + checks <= room);
    if let Some(checks) = fitting {
        return [answers, checks];
    }
    // Not enough for both: half for each, unless one needs less.
    let least = room / 2;
    let answers = answers.min(least.max(room.saturating_sub(checks.brief)));
    [answers, checks.brief.min(room - answers)]
}

fn header(frame: &mut Frame<'_>, area: Rect, model: &Model, look: &Look<'_>) {
    let palette = look.palette;
    let right = format!(" {} ", clock(model.wall(model.now.as_secs_f64())));
    let left = Line::from(vec![
        Span::styled(format!(" {} ", look.title), palette.strong()),
        Span::raw(" "),
        Span::styled(look.aside.clone(), palette.faint()),
    ]);
    let width = text::width(&right);
    let [start, end] = Layout::horizontal([Constraint::Min(0), Constraint::Length(width)]).areas(area);
    frame.render_widget(left, start);
    frame.render_widget(Span::styled(right, palette.faint()), end);
}

fn footer(frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let mut line = Line::from(Span::raw(" "));
    for (key, what) in look.keys {
        let (key, what) =
            (Span::styled(*key, look.palette.accent()), Span::styled(format!(" {what}  "), look.palette.faint()));
        if line.width() + key.width() + what.content.trim_end().chars().count() > usize::from(area.width) {
            break;
        }
        line.push_span(key);
        line.push_span(what);
    }
    frame.render_widget(line, area);
}

/// The head of a section: a rule with its name, and a text at its right end.
fn section(frame: &mut Frame<'_>, area: Rect, look: &Look<'_>, name: Line<'_>, right: &str) -> Rect {
    let has_room = name.width() + right.chars().count() + 6 < usize::from(area.width);
    let mut block = Block::new().borders(Borders::TOP).border_style(look.palette.faint());
    // Only the rule is faint.
    block = block.title_style(Style::new().remove_modifier(Modifier::DIM)).title(name);
    if has_room && !right.is_empty() {
        block = block.title_top(Line::styled(format!(" {right} "), look.palette.faint()).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

fn draw_overlay(frame: &mut Frame<'_>, body: Rect, look: &Look<'_>, overlay: Overlay<'_>) {
    let rows = u16::try_from(overlay.lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(body.height);
    let widest = overlay.lines.iter().map(|line| text::width(line)).max().unwrap_or_default();
    let columns = widest.saturating_add(4).min(body.width);
    let area = Rect {
        x: body.x + (body.width - columns) / 2,
        y: body.y + (body.height - rows) / 2,
        width: columns,
        height: rows,
    };
    let block = Block::bordered()
        .padding(Padding::horizontal(1))
        .border_style(look.palette.accent())
        .title(Line::styled(format!(" {} ", overlay.title), look.palette.strong()));
    let hidden = match overlay.shown {
        Shown::First => 0,
        Shown::Last => overlay.lines.len().saturating_sub(usize::from(rows.saturating_sub(2))),
    };
    let lines: Vec<Line<'_>> = overlay.lines[hidden..].iter().map(|line| Line::raw(line.as_str())).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

#[cfg(test)]
mod tests;
