//! `fiftythree health --watch` on a terminal: the health checks, live, on the screen of `watch`.

use std::process::ExitCode;

use jiff::Timestamp;
use ratatui::crossterm::event::KeyCode;

use crate::admin::shapes::StatusShape;
use crate::cli::admin_client::AdminClient;
use crate::cli::print_error;
use crate::cli::watch::draw::{Look, Overlay, Palette, Shown};
use crate::cli::watch::health_polls::{HealthPolls, Target};
use crate::cli::watch::input;
use crate::cli::watch::model::{AdminSide, Model};
use crate::cli::watch::screen::{self, Flow, Screen, Show};

const TITLE: &str = "fiftythree health";

const KEYS: [(&str, &str); 2] = [("q", "quit"), ("?", "help")];

const HELP: [&str; 9] = [
    "q, Esc, Ctrl-C  quit",
    "?               show or hide this",
    "",
    "The row of bars is the latency of each probe that was seen; a",
    "probe that failed is full.",
    "What happened lists the changes of each check, the latest first,",
    "with the seconds since the first failed, or passed, probe.",
    "`fiftythree health NAME` shows the whole history of a check,",
    "`fiftythree watch NAME` the answers of a domain name.",
];

/// Shows all checks, or those that a glob matches, until someone quits.
pub(super) fn run(admin: AdminClient, pattern: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut model = Model::new(admin.server(), Timestamp::now(), Vec::new());
    let (sender, inputs) = input::channel();
    input::listen_for_signals(sender.clone())?;
    let mut screen = Screen::open()?;
    input::read_keys(sender.clone())?;
    HealthPolls::of(admin, Target::Checks(pattern.map(str::to_owned))).start(sender)?;
    let mut show = HealthShow { aside: String::new(), palette: Palette::fitting(), help: None };
    screen::run(&mut screen, &mut model, &inputs, &mut show, None)?;
    drop(screen);
    match model.admin_side {
        AdminSide::Unavailable(why) if model.checks.is_empty() => {
            print_error(&format!("error: {why}\n"));
            Ok(ExitCode::FAILURE)
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

struct HealthShow {
    aside: String,
    palette: Palette,
    help: Option<Vec<String>>,
}

impl Show for HealthShow {
    fn look(&self) -> Look<'_> {
        let overlay = self.help.as_deref().map(|lines| Overlay { title: TITLE, lines, shown: Shown::First });
        let (title, aside) = (TITLE, self.aside.clone());
        Look { palette: self.palette, title, aside, keys: &KEYS, sites: &[], numbered: false, overlay }
    }

    fn press(&mut self, key: KeyCode, _: &mut Model) -> Flow {
        match key {
            KeyCode::Esc if self.help.is_some() => self.help = None,
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Flow::Quit,
            KeyCode::Char('?' | 'h') => {
                self.help = if self.help.is_some() { None } else { Some(HELP.map(str::to_owned).to_vec()) };
            }
            _ => {}
        }
        Flow::Continue
    }

    fn tick(&mut self, model: &mut Model) -> Flow {
        self.aside = summary(model);
        Flow::Continue
    }
}

/// Such as `127.0.0.1:8053 · 6 health checks, 2 unhealthy`.
fn summary(model: &Model) -> String {
    let server = model.server;
    match &model.admin_side {
        AdminSide::Unknown => return format!("asks {server}"),
        AdminSide::Unavailable(why) => return why.clone(),
        AdminSide::Available => {}
    }
    let count = model.checks.len();
    let unhealthy = model.checks.iter().filter(|check| check.shape.status == StatusShape::Unhealthy).count();
    let isolated = if model.is_isolated { " · isolated: all sentinels fail, results are ignored" } else { "" };
    let plural = if count == 1 { "" } else { "s" };
    format!("{server} · {count} health check{plural}, {unhealthy} unhealthy{isolated}")
}
