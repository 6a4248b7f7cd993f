//! The demo on a screen: three names on the screen of `watch`, and keys that change things.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::crossterm::event::KeyCode;

use crate::causes::with_causes;
use crate::cli::admin_client::AdminClient;
use crate::cli::query::{Asker, Type};
use crate::cli::watch::draw::{Look, Overlay, Palette, Shown};
use crate::cli::watch::health_polls::{HealthPolls, Target};
use crate::cli::watch::input::{self, Input};
use crate::cli::watch::lines::{Span, print_tallies};
use crate::cli::watch::model::{Event, Model, Subject, Watched};
use crate::cli::watch::queries::QueryLoop;
use crate::cli::watch::screen::{self, Flow, Screen, Show};
use crate::cli::{Form, print};
use crate::model::{Name, RecordType};

use super::environment::{DRAIN_S, Environment, Towards};
use super::log::Log;
use super::scenario::{APP, NEAR, SHOP, SITES};

/// The interval between two queries for one name.
const EVERY: Duration = Duration::from_millis(100);
/// The window of the shares: short, so that a change soon fills it.
const WINDOW: Duration = Duration::from_secs(5);
/// The timeout of a query.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Each site has a colour.
const SITE_NAMES: [&str; SITES.len()] = [SITES[0].name, SITES[1].name, SITES[2].name, SITES[3].name];

const KEYS: [(&str, &str); 7] = [
    ("1-4", "stop/start"),
    ("p", "place"),
    ("+ -", "weights"),
    ("d", "drain"),
    ("l", "log"),
    ("?", "help"),
    ("q", "quit"),
];

/// Runs until the user quits.
pub(super) fn run(log: Log) -> anyhow::Result<()> {
    print("starting a server and four backends …\n")?;
    let environment = Environment::open()?;
    let (sender, inputs) = input::channel();
    input::listen_for_signals(sender.clone())?;
    let mut model = model(&environment);
    let mut screen = Screen::open()?;
    input::read_keys(sender.clone())?;
    ask(&environment, &model, sender)?;
    let mut show = DemoShow::new(environment, log);
    show.note(&mut model);
    screen::run(&mut screen, &mut model, &inputs, &mut show, None)?;
    drop(screen);
    print_tallies(&model, Form::Text, Span::All)?;
    Ok(())
}

fn model(environment: &Environment) -> Model {
    let watched = |name: &str| {
        let subject = Subject { name: name.to_owned(), record_type: RecordType::A.to_string() };
        Watched::new(subject, WINDOW)
    };
    Model::new(environment.server(), Timestamp::now(), [APP, SHOP, NEAR].map(watched).to_vec())
}

fn ask(environment: &Environment, model: &Model, inputs: Sender<Input>) -> anyhow::Result<()> {
    let subjects: Vec<Subject> = model.names.iter().map(|name| name.subject.clone()).collect();
    HealthPolls::of(AdminClient::at(environment.admin())?, Target::Names(subjects)).start(inputs.clone())?;
    let name = |name| (Name::parse(name).expect("the demo's names are fine"), Type(RecordType::A.code()));
    let asking = QueryLoop {
        asker: Asker { server: environment.server(), timeout: TIMEOUT },
        names: [APP, SHOP, NEAR].map(name).to_vec(),
        labels: SITES.map(|site| (site.address.to_string(), site.name.to_owned())).to_vec(),
        client: Arc::clone(environment.client()),
        every: EVERY,
        limit: None,
    };
    asking.start(inputs)
}

/// The overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cover {
    Nothing,
    Help(Vec<String>),
    Log(Vec<String>),
}

struct DemoShow {
    environment: Environment,
    log: Log,
    palette: Palette,
    cover: Cover,
}

impl DemoShow {
    fn new(environment: Environment, log: Log) -> DemoShow {
        DemoShow { environment, log, palette: Palette::fitting(), cover: Cover::Nothing }
    }

    /// Updates the notes of the names.
    fn note(&self, model: &mut Model) {
        let [berlin, dublin, oregon] = self.environment.weights();
        let place = self.environment.place();
        let notes = [
            "failover, primary berlin".to_owned(),
            format!("weighted {berlin} : {dublin} : {oregon}"),
            format!("geolocation, client in {}", place.name),
        ];
        model.names.iter_mut().zip(notes).for_each(|(name, note)| name.note = note);
    }

    fn help(&self) -> Vec<String> {
        let mut lines: Vec<String> = [
            "1 2 3 4  stop a backend: its listener and connections close;",
            "         again: start it",
            "p        move the client: Munich, New York, Osaka, Nairobi",
            "+ -      move a tenth of shop.demo.test from berlin to oregon,",
            "         or back: the zone file is edited and reloaded",
            "d        drain berlin: its weight shrinks; again: clear that",
            "r        reset the counts",
            "l        the server's log",
            "q        quit; Esc closes this, or quits",
            "",
            "A check probes every second; three results in a row change",
            "its status. Stop all four: they answer as if all were healthy.",
            "",
            "In another terminal:",
        ]
        .map(str::to_owned)
        .to_vec();
        let place = self.environment.place().network();
        lines.push(format!("  {} +short", self.environment.dig()));
        lines.push(format!("  {} +subnet={place}", self.environment.dig().replace("app.", "near.")));
        lines.push(format!("  curl {}", self.environment.url(0)));
        lines.push(format!("  fiftythree health berlin --admin {}", self.environment.admin()));
        lines
    }

    /// Does what a key says. Returns a text about it, or `None` if there was nothing to do.
    fn act(&mut self, key: KeyCode) -> anyhow::Result<Option<String>> {
        Ok(match key {
            KeyCode::Char(digit @ '1'..='4') => Some(self.stop_or_start(digit)?),
            KeyCode::Char('p') => {
                let place = self.environment.move_client();
                Some(format!("you moved the client to {}, {}", place.name, place.network()))
            }
            KeyCode::Char('+' | '=') => self.change_weights(Towards::Oregon)?,
            KeyCode::Char('-' | '_') => self.change_weights(Towards::Berlin)?,
            KeyCode::Char('d') => Some(match self.environment.toggle_drain()? {
                true => format!("you drain berlin: its weight shrinks over {DRAIN_S} s"),
                false => "you cleared the drain of berlin".to_owned(),
            }),
            _ => None,
        })
    }

    fn stop_or_start(&mut self, digit: char) -> anyhow::Result<String> {
        let number = usize::from(digit as u8 - b'1');
        let name = SITES[number].name;
        if self.environment.is_running(number) {
            self.environment.stop(number);
            return Ok(format!("you stopped {name}"));
        }
        self.environment.start(number)?;
        Ok(format!("you started {name}"))
    }

    fn change_weights(&mut self, towards: Towards) -> anyhow::Result<Option<String>> {
        let is_changed = self.environment.change_weights(towards)?;
        let [berlin, dublin, oregon] = self.environment.weights();
        Ok(is_changed.then(|| format!("you wrote the weights {berlin} : {dublin} : {oregon} into the zone file")))
    }
}

impl Show for DemoShow {
    fn look(&self) -> Look<'_> {
        let overlay = match &self.cover {
            Cover::Nothing => None,
            Cover::Help(lines) => Some(Overlay { title: "fiftythree demo", lines, shown: Shown::First }),
            Cover::Log(lines) => Some(Overlay { title: "the server's log", lines, shown: Shown::Last }),
        };
        let aside = format!("try: {}", self.environment.dig());
        Look {
            palette: self.palette,
            title: "fiftythree demo",
            aside,
            keys: &KEYS,
            sites: &SITE_NAMES,
            numbered: true,
            overlay,
        }
    }

    fn press(&mut self, key: KeyCode, model: &mut Model) -> Flow {
        match key {
            KeyCode::Esc if self.cover != Cover::Nothing => self.cover = Cover::Nothing,
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Flow::Quit,
            KeyCode::Char('?' | 'h') => {
                self.cover =
                    if matches!(self.cover, Cover::Help(_)) { Cover::Nothing } else { Cover::Help(self.help()) };
            }
            KeyCode::Char('l') => {
                self.cover = if matches!(self.cover, Cover::Log(_)) { Cover::Nothing } else { Cover::Log(Vec::new()) };
            }
            KeyCode::Char('r') => model.reset_counts(),
            key => {
                let action =
                    self.act(key).unwrap_or_else(|error| Some(format!("error: {}", with_causes(error.as_ref()))));
                if let Some(action) = action {
                    model.apply(Event::UserAction(action), model.now);
                    self.note(model);
                }
            }
        }
        self.tick(model)
    }

    fn tick(&mut self, _: &mut Model) -> Flow {
        if let Cover::Log(lines) = &mut self.cover {
            *lines = self.log.lines();
        }
        Flow::Continue
    }
}
