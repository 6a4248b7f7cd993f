//! The demo on a screen: the watch's picture of three names, and keys that move things.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::crossterm::event::KeyCode;

use crate::causes::with_causes;
use crate::cli::query::{Asker, Type};
use crate::cli::watch::asking::Asking;
use crate::cli::watch::draw::{Look, Overlay, Palette, Shown};
use crate::cli::watch::input::{self, Input};
use crate::cli::watch::lines::{Span, tell_tallies};
use crate::cli::watch::looking::Looking;
use crate::cli::watch::model::{Event, Model, Subject, Watched};
use crate::cli::watch::screen::{self, Flow, Screen, Show};
use crate::cli::{Form, print};
use crate::model::{Name, RecordType};

use super::log::Log;
use super::stage::{DRAIN_S, Stage, Towards};
use super::world::{APP, NEAR, SHOP, SITES};

/// From one question for a name to the next one for it.
const EVERY: Duration = Duration::from_millis(100);
/// Shares are those of so many last seconds: short, so that a change is soon all there is to see.
const WINDOW: Duration = Duration::from_secs(5);
/// How long a reply may take.
const TIMEOUT: Duration = Duration::from_millis(500);

const KEYS: [(&str, &str); 7] = [
    ("1-4", "kill/revive"),
    ("p", "place"),
    ("+ -", "weights"),
    ("d", "drain"),
    ("l", "log"),
    ("?", "help"),
    ("q", "quit"),
];

/// Plays until somebody quits.
pub(super) fn run(log: Log) -> anyhow::Result<()> {
    print("starting a server and four backends …\n");
    let stage = Stage::open()?;
    let (sender, inputs) = input::channel();
    input::listen_for_signals(sender.clone())?;
    let mut model = model(&stage);
    let mut screen = Screen::open()?;
    input::read_keys(sender.clone())?;
    ask(&stage, &model, sender)?;
    let mut show = DemoShow::new(stage, log);
    show.note(&mut model);
    screen::run(&mut screen, &mut model, &inputs, &mut show, None)?;
    drop(screen);
    tell_tallies(&model, Form::Text, Span::All);
    Ok(())
}

fn model(stage: &Stage) -> Model {
    let watched = |name: &str| {
        let subject = Subject { name: name.to_owned(), record_type: RecordType::A.to_string() };
        Watched::new(subject, WINDOW)
    };
    Model::new(stage.server(), Timestamp::now(), [APP, SHOP, NEAR].map(watched).to_vec())
}

fn ask(stage: &Stage, model: &Model, inputs: Sender<Input>) -> anyhow::Result<()> {
    let subjects: Vec<Subject> = model.names.iter().map(|name| name.subject.clone()).collect();
    Looking::at(stage.admin(), subjects)?.start(inputs.clone())?;
    let name = |name| (Name::parse(name).expect("the demo's names are fine"), Type(RecordType::A.code()));
    let asking = Asking {
        asker: Asker { server: stage.server(), timeout: TIMEOUT },
        names: [APP, SHOP, NEAR].map(name).to_vec(),
        labels: SITES.map(|site| (site.address.to_string(), site.name.to_owned())).to_vec(),
        client: Arc::clone(stage.client()),
        every: EVERY,
        limit: None,
    };
    asking.start(inputs)
}

/// What lies over the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cover {
    Nothing,
    Help(Vec<String>),
    Log(Vec<String>),
}

struct DemoShow {
    stage: Stage,
    log: Log,
    palette: Palette,
    cover: Cover,
}

impl DemoShow {
    fn new(stage: Stage, log: Log) -> DemoShow {
        DemoShow { stage, log, palette: Palette::fitting(), cover: Cover::Nothing }
    }

    /// Writes beside the names what may be changed about them.
    fn note(&self, model: &mut Model) {
        let [berlin, dublin, oregon] = self.stage.weights();
        let place = self.stage.place();
        let notes = [
            "failover, primary berlin".to_owned(),
            format!("weighted {berlin} : {dublin} : {oregon}"),
            format!("geolocation, client in {}", place.name),
        ];
        model.names.iter_mut().zip(notes).for_each(|(name, note)| name.note = note);
    }

    fn help(&self) -> Vec<String> {
        let mut lines: Vec<String> = [
            "1 2 3 4  kill a backend: its listener and connections close;",
            "         again: revive it",
            "p        move the client: Munich, New York, Osaka, Nairobi",
            "+ -      weights of shop.demo.test, in the zone file, which",
            "         the server reads by itself",
            "d        drain berlin: its weight shrinks; again: free it",
            "r        count anew",
            "l        the server's log",
            "q        quit; Esc closes this, or quits",
            "",
            "A check probes every second; three results in a row turn it.",
            "Kill all four: everything unhealthy answers as if healthy.",
            "",
            "In another terminal:",
        ]
        .map(str::to_owned)
        .to_vec();
        let place = self.stage.place().network();
        lines.push(format!("  {} +short", self.stage.dig()));
        lines.push(format!("  {} +subnet={place}", self.stage.dig().replace("app.", "near.")));
        lines.push(format!("  curl {}", self.stage.url(0)));
        lines.push(format!("  fiftythree health berlin --admin {}", self.stage.admin()));
        lines
    }

    /// What was done, in words; `None` when there was nothing to do.
    fn act(&mut self, key: KeyCode) -> anyhow::Result<Option<String>> {
        Ok(match key {
            KeyCode::Char(digit @ '1'..='4') => Some(self.kill_or_revive(digit)?),
            KeyCode::Char('p') => {
                let place = self.stage.move_client();
                Some(format!("you moved the client to {}, {}", place.name, place.network()))
            }
            KeyCode::Char('+' | '=') => self.weigh(Towards::Oregon)?,
            KeyCode::Char('-' | '_') => self.weigh(Towards::Berlin)?,
            KeyCode::Char('d') => Some(match self.stage.toggle_drain()? {
                true => format!("you drain berlin: its weight shrinks over {DRAIN_S} s"),
                false => "you let the probes of berlin decide again".to_owned(),
            }),
            _ => None,
        })
    }

    fn kill_or_revive(&mut self, digit: char) -> anyhow::Result<String> {
        let number = usize::from(digit as u8 - b'1');
        let name = SITES[number].name;
        if self.stage.is_alive(number) {
            self.stage.kill(number);
            return Ok(format!("you killed {name}"));
        }
        self.stage.revive(number)?;
        Ok(format!("you revived {name}"))
    }

    fn weigh(&mut self, towards: Towards) -> anyhow::Result<Option<String>> {
        let is_changed = self.stage.change_weights(towards)?;
        let [berlin, dublin, oregon] = self.stage.weights();
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
        let aside = format!("try: {}", self.stage.dig());
        Look { palette: self.palette, title: "fiftythree demo", aside, keys: &KEYS, numbered: true, overlay }
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
            KeyCode::Char('r') => model.count_anew(),
            key => {
                let deed =
                    self.act(key).unwrap_or_else(|error| Some(format!("that failed: {}", with_causes(error.as_ref()))));
                if let Some(deed) = deed {
                    model.hear(Event::Deed(deed), model.now);
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
