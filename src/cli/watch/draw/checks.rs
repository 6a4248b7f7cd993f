//! The health checks: status, since when, latencies, last result, what comes next.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, SparklineBar};

use crate::admin::shapes::StatusShape;
use crate::cli::relative_time::recovery;
use crate::cli::tree::wrap_after;
use crate::cli::watch::model::checks::{Check, word};
use crate::cli::watch::model::{AdminSide, Model};
use crate::cli::watch::words::Tone;
use crate::control::humanize_duration;

use super::{Look, section, text};

/// From this width, everything about a check fits into one line.
const WIDE: u16 = 120;
/// The most columns of a name.
const NAME: u16 = 24;
/// The columns of the status.
const STATE: u16 = 9;
/// Such as `3 min 12 s`.
const SINCE: u16 = 10;
/// Such as `1234.5 ms`.
const LATENCY: u16 = 9;
/// Columns of latencies.
const SPARK: u16 = 24;

/// Rows that show all, with wrapped details; that show the details of each check in one row; the
/// details of checks that are not simply healthy; no details.
pub(super) struct Wanted {
    pub(super) wrapped: u16,
    pub(super) detailed: u16,
    pub(super) marked: u16,
    pub(super) brief: u16,
}

pub(super) fn wanted(width: u16, model: &Model, look: &Look<'_>) -> Wanted {
    let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let brief = 1 + rows(model.checks.len()).max(1);
    if width >= WIDE {
        return Wanted { wrapped: brief, detailed: brief, marked: brief, brief };
    }
    let marked = model.checks.iter().filter(|check| has_details(check)).count();
    let room = width.saturating_sub(indent(look) + 1);
    let wrapped: usize = model.checks.iter().map(|check| wrapped(&details(model, check), room).len()).sum();
    Wanted {
        wrapped: brief + rows(wrapped),
        detailed: brief + rows(model.checks.len()),
        marked: brief + rows(marked),
        brief,
    }
}

fn wrapped(details: &str, room: u16) -> Vec<String> {
    wrap_after(0, details, usize::from(room))
}

/// The columns before the name of a check.
fn indent(look: &Look<'_>) -> u16 {
    if look.numbered { 5 } else { 3 }
}

/// Whether there is more to say about it than that it is healthy.
fn has_details(check: &Check) -> bool {
    check.shape.status == StatusShape::Unhealthy || check.may_change().is_some() || !check.notes().is_empty()
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let title = match (model.direct, model.checks.len()) {
        (false, 1..) => "health checks (no record of this name has one; all are shown) ",
        _ => "health checks ",
    };
    // On a wide screen the columns are too far from the right end for a title there.
    let right = if (70..WIDE).contains(&area.width) { "since ── latency of each probe ── last" } else { "" };
    let inner = section(frame, area, look, Line::styled(title, look.palette.strong()), right);
    if model.checks.is_empty() {
        frame.render_widget(Line::styled(format!(" {}", nothing(model)), look.palette.faint()), inner);
        return;
    }
    let wanted = wanted(area.width, model, look);
    let has_details = |check: &Check| {
        area.width < WIDE && (area.height >= wanted.detailed || area.height >= wanted.marked && has_details(check))
    };
    let mut rows = inner.rows().collect::<Vec<_>>().into_iter();
    let widest = model.checks.iter().map(|check| text::width(&check.shape.name)).max().unwrap_or_default();
    let columns = Columns::of(inner.width, widest.min(NAME), look);
    for (number, check) in model.checks.iter().enumerate() {
        let Some(row) = rows.next() else { break };
        if rows.len() == 0 && number + 1 < model.checks.len() {
            let rest = model.checks.len() - number;
            frame.render_widget(Line::styled(format!("   … {rest} more"), look.palette.faint()), row);
            break;
        }
        draw_check(frame, row, model, number, &columns, look);
        if !has_details(check) {
            continue;
        }
        let (details, room) = (details(model, check), inner.width.saturating_sub(columns.indent + 1));
        let lines = if area.height >= wanted.wrapped { wrapped(&details, room) } else { vec![details] };
        for (line, row) in lines.iter().zip(rows.by_ref()) {
            let indent = Span::raw(" ".repeat(usize::from(columns.indent)));
            let line = Line::from(vec![indent, Span::styled(text::fit(line, room), look.palette.faint())]);
            frame.render_widget(line, row);
        }
    }
}

/// Why no checks are shown.
fn nothing(model: &Model) -> String {
    match &model.admin_side {
        AdminSide::Unknown => "waiting for the admin side".to_owned(),
        AdminSide::Available => "the server has no health checks".to_owned(),
        AdminSide::Unavailable(why) => format!("not shown: {why}"),
    }
}

/// The widths of the columns; 0 if there is no room.
struct Columns {
    indent: u16,
    name: u16,
    since: u16,
    spark: u16,
    latency: u16,
}

impl Columns {
    fn of(width: u16, name: u16, look: &Look<'_>) -> Columns {
        let indent = indent(look);
        let mut left = width.saturating_sub(indent + name + 1 + STATE + 1);
        let mut take = |wanted: u16, least: u16| {
            let taken = if left > least { wanted.min(left - 1) } else { 0 };
            left -= if taken > 0 { taken + 1 } else { 0 };
            taken
        };
        let latency = take(LATENCY, LATENCY);
        let since = take(SINCE, SINCE);
        let spark = take(SPARK, 6);
        Columns { indent, name, since, spark, latency }
    }
}

fn draw_check(frame: &mut Frame<'_>, row: Rect, model: &Model, number: usize, columns: &Columns, look: &Look<'_>) {
    let (check, palette) = (&model.checks[number], look.palette);
    let (symbol, tone) = match check.shape.status {
        StatusShape::Healthy => ("●", Tone::Good),
        StatusShape::Unhealthy => ("✕", Tone::Bad),
    };
    let tone = palette.tone(tone);
    let name = look.site(&check.shape.name).unwrap_or_default().patch(palette.strong());
    let key = if look.numbered { format!(" {}", number + 1) } else { String::new() };
    let mut left = vec![
        Span::styled(key, palette.accent()),
        Span::styled(format!(" {symbol} "), tone),
        Span::styled(text::fit(&check.shape.name, columns.name), name),
        Span::raw(" "),
        Span::styled(text::fit(word(check.shape.status), STATE), tone),
        Span::raw(" "),
    ];
    if columns.since > 0 {
        left.push(Span::styled(text::fit(&since(model, check), columns.since), palette.faint()));
        left.push(Span::raw(" "));
    }
    let mut line = Line::from(left);
    let start = u16::try_from(line.width()).unwrap_or(u16::MAX);
    line.push_span(Span::raw(" ".repeat(usize::from(columns.spark + u16::from(columns.spark > 0)))));
    let latency = check.probes.back().map_or_else(String::new, |probe| format!("{:.1} ms", probe.milliseconds));
    if columns.latency > 0 {
        line.push_span(Span::raw(format!("{latency:>width$}", width = usize::from(columns.latency))));
    }
    if row.width >= WIDE {
        let room = row.width.saturating_sub(u16::try_from(line.width()).unwrap_or(u16::MAX) + 3);
        line.push_span(Span::styled(format!("  {}", text::fit(&details(model, check), room)), palette.faint()));
    }
    frame.render_widget(line, row);
    let spark = Rect { x: row.x + start, width: columns.spark.min(row.width.saturating_sub(start)), ..row };
    draw_latencies(frame, spark, check, look);
}

/// A bar for each probe, the latest at the right; failed ones are full and red.
fn draw_latencies(frame: &mut Frame<'_>, area: Rect, check: &Check, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let skipped = check.probes.len().saturating_sub(usize::from(area.width));
    let probes: Vec<_> = check.probes.iter().skip(skipped).collect();
    let longest = probes.iter().filter(|probe| probe.passed).map(|probe| probe.milliseconds).fold(1.0, f64::max);
    // The shortest is still visible, and a failed one is full.
    const FULL: u64 = 8;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 8")]
    let height = |milliseconds: f64| (milliseconds / longest * 7.0).ceil().clamp(1.0, 8.0) as u64;
    let blank = usize::from(area.width) - probes.len();
    let bars = std::iter::repeat_n(SparklineBar::from(0), blank).chain(probes.into_iter().map(|probe| {
        let (height, tone) = if probe.passed { (height(probe.milliseconds), Tone::Good) } else { (FULL, Tone::Bad) };
        SparklineBar::from(height).style(look.palette.tone(tone))
    }));
    frame.render_widget(Sparkline::default().data(bars.collect::<Vec<_>>()).max(FULL), area);
}

/// How long the check has had this status, by the server's clock.
fn since(model: &Model, check: &Check) -> String {
    let Ok(since) = check.shape.since.parse::<Timestamp>() else { return String::new() };
    let now = model.server_now().unwrap_or(since);
    let seconds = u64::try_from(now.duration_since(since).as_secs()).unwrap_or_default();
    if seconds == 0 { "now".to_owned() } else { humanize_duration(Duration::from_secs(seconds)) }
}

/// The last result, and what comes next.
fn details(model: &Model, check: &Check) -> String {
    let overridden = check.shape.overridden.as_ref().map(|overridden| match overridden.reason.as_str() {
        "" => format!("overridden by {}", overridden.author),
        reason => format!("overridden by {}: {reason}", overridden.author),
    });
    let notes = check.notes().into_iter().filter(|note| *note != "overridden").map(str::to_owned);
    let last = check.shape.last_words().map(str::to_owned);
    let next = check.may_change().or_else(|| check.needed());
    let now = model.server_now().unwrap_or_default();
    let recovering = model.recovering.iter().filter(|way| check.shape.records.contains(&way.record));
    let recovering = recovering.map(|way| format!("{} {}", way.record, recovery(way, now)));
    overridden.into_iter().chain(notes).chain(last).chain(next).chain(recovering).collect::<Vec<_>>().join(" · ")
}
