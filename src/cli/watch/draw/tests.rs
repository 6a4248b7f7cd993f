//! Screens at several sizes, compared with committed files. `FIFTYTHREE_BLESS=1` rewrites them;
//! look at the difference.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use crate::admin::shapes::StatusShape;
use crate::cli::watch::model::checks::tests::shape;
use crate::cli::watch::model::tests::{answer, at, failover, health, model};
use crate::cli::watch::model::{Event, Model, Subject, Watched};

use super::*;

const KEYS: [(&str, &str); 3] = [("q", "quit"), ("r", "reset counts"), ("?", "help")];

fn look<'l>() -> Look<'l> {
    let aside = "queries 127.0.0.1:5300 10 times a second".to_owned();
    let palette = Palette::Colours;
    Look { palette, title: "fiftythree watch", aside, keys: &KEYS, sites: &[], numbered: false, overlay: None }
}

fn drawn(model: &Model, look: &Look<'_>, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, look)).unwrap();
    terminal.backend().buffer().clone()
}

/// The text; clocks, which depend on the time zone, are blanked.
fn letters(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in buffer.area.rows() {
        let line: String = row.columns().map(|cell| buffer[(cell.x, cell.y)].symbol()).collect();
        let _ = writeln!(out, "{}", without_clocks(&line).trim_end());
    }
    out
}

fn without_clocks(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    let mut out = letters.clone();
    for start in 0..letters.len().saturating_sub(7) {
        let is_digit = |at: usize| letters[start + at].is_ascii_digit();
        if [0, 1, 3, 4, 6, 7].into_iter().all(is_digit) && letters[start + 2] == ':' && letters[start + 5] == ':' {
            out[start..start + 8].copy_from_slice(&['h', 'h', ':', 'm', 'm', ':', 's', 's']);
        }
    }
    out.into_iter().collect()
}

/// Compares a screen with its file.
fn same(name: &str, picture: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli/watch/draw/pictures").join(format!("{name}.txt"));
    if std::env::var_os("FIFTYTHREE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, picture).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(picture == expected, "{}:\n{expected}\nbut it is\n{picture}", path.display());
}

/// Three names, four checks, an action: what `fiftythree demo` shows.
fn three_names() -> Model {
    let mut model = model();
    for name in ["shop.lab.test.", "near.lab.test."] {
        let subject = Subject { name: name.to_owned(), record_type: "A".to_owned() };
        model.names.push(Watched::new(subject, Duration::from_secs(10)));
    }
    for (name, note) in model.names.iter_mut().zip(["failover", "weighted 6 : 3 : 1", "geolocation"]) {
        name.note = note.to_owned();
    }
    for step in 0..100u64 {
        let weighted = [11, 11, 11, 11, 11, 11, 12, 12, 12, 13][usize::try_from(step * 7 % 10).unwrap()];
        for (name, last) in [(0, 11), (1, weighted), (2, 14)] {
            let (outcome, took) = (format!("127.0.53.{last}"), Duration::from_micros(300));
            model.apply(Event::Answer { name, outcome, took }, at(step * 100));
        }
    }
    let checks = ["frankfurt", "dublin", "virginia", "tokyo"];
    let checks =
        checks.map(|name| shape(name, StatusShape::Healthy, ("2026-03-01T22:00:10.000Z", true, 0.6), &[], &[]));
    model.apply(health("2026-03-01T22:00:10.000Z", &checks), at(10_000));
    model.apply(Event::UserAction("stopped frankfurt".to_owned()), at(10_000));
    model
}

#[test]
fn a_failover_at_the_usual_size() {
    same("failover-80x24", &letters(&drawn(&failover().0, &look(), 80, 24)));
}

#[test]
fn a_failover_on_a_very_small_terminal() {
    same("failover-40x10", &letters(&drawn(&failover().0, &look(), 40, 10)));
}

#[test]
fn a_failover_on_a_large_terminal() {
    same("failover-200x60", &letters(&drawn(&failover().0, &look(), 200, 60)));
}

#[test]
fn three_names_at_the_usual_size() {
    same("three-names-80x24", &letters(&drawn(&three_names(), &Look { numbered: true, ..look() }, 80, 24)));
}

#[test]
fn three_names_on_a_very_small_terminal() {
    same("three-names-40x10", &letters(&drawn(&three_names(), &Look { numbered: true, ..look() }, 40, 10)));
}

#[test]
fn three_names_are_side_by_side_on_a_large_terminal() {
    same("three-names-200x60", &letters(&drawn(&three_names(), &Look { numbered: true, ..look() }, 200, 60)));
}

#[test]
fn without_an_admin_side_the_screen_says_so() {
    let mut model = model();
    model.apply(answer("127.0.53.11"), at(0));
    model.apply(Event::NoHealth("the server's admin side at 127.0.0.1:8053 cannot be reached".to_owned()), at(10));
    same("no-admin-side-80x24", &letters(&drawn(&model, &look(), 80, 24)));
}

#[test]
fn a_reason_goes_on_where_rows_are_free() {
    let drawn = |height| letters(&drawn(&failover().0, &look(), 60, height));
    let (high, low) = (drawn(24), drawn(13));
    let rest = "\n   passes in a row make it healthy\n";
    assert!(high.contains(rest) && !low.contains(rest), "{high}{low}");
    let rest = "\n                      connection was refused by the\n                      endpoint.\n";
    assert!(high.contains(rest) && !low.contains(rest), "{high}{low}");
}

/// The health checks alone: what `fiftythree health --watch` shows.
#[test]
fn the_health_checks_alone_at_the_usual_size() {
    let mut model = model();
    model.names.clear();
    let down = [("2026-03-01T22:00:06.000Z", StatusShape::Unhealthy)];
    let results = [("2026-03-01T22:00:04.000Z", false), ("2026-03-01T21:30:00.000Z", true)];
    let blue = shape("blue", StatusShape::Unhealthy, ("2026-03-01T22:00:06.000Z", false, 0.2), &down, &results);
    let green = shape("green", StatusShape::Healthy, ("2026-03-01T22:00:06.000Z", true, 2.5), &[], &results[1..]);
    model.apply(health("2026-03-01T22:00:07.000Z", &[green, blue]), at(7000));
    same("health-80x24", &letters(&drawn(&model, &Look { title: "fiftythree health", ..look() }, 80, 24)));
}

#[test]
fn answers_and_the_check_of_a_site_have_one_colour() {
    let (mut model, sites) = (failover().0, ["green", "blue"]);
    model.apply(answer("127.0.53.12 blue"), at(9000));
    let colours = |palette| {
        let buffer = drawn(&model, &Look { palette, sites: &sites, ..look() }, 80, 24);
        let rows: Vec<String> = letters(&buffer).lines().map(str::to_owned).collect();
        let colour = |text: &str| {
            let row = rows.iter().position(|row| row.contains(text)).unwrap();
            let column = rows[row].chars().collect::<Vec<_>>().windows(4).position(|four| four == ['b', 'l', 'u', 'e']);
            buffer[(u16::try_from(column.unwrap()).unwrap(), u16::try_from(row).unwrap())].fg
        };
        [colour("127.0.53.12 blue"), colour("blue  unhealthy")]
    };
    assert_eq!(colours(Palette::Colours), [Color::Magenta; 2]);
    assert_eq!(colours(Palette::Plain), [Color::Reset; 2]);
}

#[test]
fn help_covers_the_middle() {
    let lines = ["q  quit", "?  help"].map(str::to_owned);
    let overlay = Some(Overlay { title: "help", lines: &lines, shown: Shown::First });
    same("help-80x24", &letters(&drawn(&failover().0, &Look { overlay, ..look() }, 80, 24)));
}

/// A terminal may be dragged to any size.
#[test]
fn nothing_panics_at_any_size() {
    let lines = vec!["a line that is longer than some terminals are wide".to_owned(); 20];
    let overlay = Some(Overlay { title: "help", lines: &lines, shown: Shown::First });
    for model in [model(), failover().0, three_names()] {
        for (width, height) in (0..25).flat_map(|width| (0..14).step_by(3).map(move |height| (width, height))) {
            drawn(&model, &Look { numbered: true, overlay, ..look() }, width, height);
            drawn(&model, &look(), width * 9, height * 2);
        }
    }
}

#[test]
fn an_unhealthy_check_is_red_and_a_healthy_one_is_green_except_without_colours() {
    let colours = |palette| {
        let buffer = drawn(&failover().0, &Look { palette, ..look() }, 80, 24);
        let colour = |symbol| buffer.content().iter().find(|cell| cell.symbol() == symbol).unwrap().fg;
        [colour("✕"), colour("●")]
    };
    assert_eq!(colours(Palette::Colours), [Color::Red, Color::Green]);
    assert_eq!(colours(Palette::Plain), [Color::Reset, Color::Reset]);
    let buffer = drawn(&failover().0, &Look { palette: Palette::Plain, ..look() }, 80, 24);
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}
