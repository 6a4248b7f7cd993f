//! `fiftythree watch`: the answers and the health of a name, live, as a screen or as lines.
//!
//! - [`model`]: the state, without I/O;
//! - [`draw`]: the state on a screen; [`lines`]: the same in lines; [`words`]: the texts of both;
//! - [`queries`], [`health_polls`], [`input`]: the inputs, a thread each;
//! - [`screen`]: the terminal.

pub(crate) mod draw;
pub(crate) mod health_polls;
pub(crate) mod input;
pub(crate) mod lines;
pub(crate) mod model;
pub(crate) mod queries;
pub(crate) mod screen;
pub(crate) mod words;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use ipnet::IpNet;
use jiff::Timestamp;
use ratatui::crossterm::event::KeyCode;

use super::admin_client::AdminClient;
use super::query::{Asker, Type, find_server, parse_name, parse_server, parse_subnet, parse_type, type_name};
use super::{Form, print_error, settings, time_args};
use draw::{Look, Overlay, Palette, Shown};
use health_polls::{HealthPolls, Target};
use input::Input;
use lines::{Bounds, Span};
use model::{Event, Model, Subject, Watched};
use queries::QueryLoop;
use screen::{Flow, Screen, Show};

const EXAMPLES: &str = "\
Examples:
  fiftythree watch app.lab.test                        on a screen; q ends it
  fiftythree watch app.lab.test AAAA --rate 100 --window 30s
  fiftythree watch geo.lab.test --subnet 192.0.2.0/24  as seen by clients in that network
  fiftythree watch app.lab.test --for 1m --json | jq -c 'select(.event == \"status_changed\")'
  fiftythree watch app.lab.test --count 1000 | tail -1  lines, because standard output is not a terminal

It queries the server over UDP, and reads the health checks from the server's admin side. Seconds count from the first \
failed probe to the status change of the check, and to the first changed answer.

Exit code: 0 when the server replied; 1 when it never did; 2 for a wrong command line.";

/// How long a reply may take; then the next query is due.
const TIMEOUT: Duration = Duration::from_millis(500);
/// The interval of the counts in lines.
const TALLY_EVERY: Duration = Duration::from_secs(10);

const KEYS: [(&str, &str); 3] = [("q", "quit"), ("r", "reset counts"), ("?", "help")];

const HELP: [&str; 11] = [
    "q, Esc, Ctrl-C  quit",
    "r               reset the counts",
    "?               show or hide this",
    "",
    "▸ marks the last answer. The bar and the first share are of the",
    "last seconds (--window); then follow the share of all answers and",
    "the count. The small bars of a check are the latencies of its",
    "probes; a full bar is a failed probe.",
    "Seconds count from the first failed probe to the status change,",
    "and to the first changed answer. In a recovery they count from",
    "the first passed probe.",
];

/// Watch the answers of a name and its health checks, live.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct WatchArguments {
    /// The name to query
    name: String,
    /// The record type
    #[arg(name = "TYPE", value_parser = parse_type, default_value = "A")]
    record_type: Type,
    /// The server to query; the default port is 53 [default: the first `dns.listen` of the
    /// settings, else 127.0.0.1:5300]
    #[arg(short, long, value_name = "ADDRESS[:PORT]", value_parser = parse_server)]
    server: Option<SocketAddr>,
    /// The server's admin side, for health [default: that of the settings, else 127.0.0.1:8053]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// Query for clients in this network (EDNS Client Subnet)
    #[arg(long, value_name = "CIDR", value_parser = parse_subnet)]
    subnet: Option<IpNet>,
    /// Queries per second, at most 1000
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// The time that the first shares cover: 10s, 30s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_window)]
    window: Duration,
    /// End after this many answers
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time: 90s, 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = time_args::parse_span)]
    time: Option<Duration>,
    /// Print JSON, one object per line: events `answer`, `status_changed`, `health_unavailable`,
    /// `tally`, and `end` last
    #[arg(long)]
    json: bool,
    /// Print lines on a terminal too
    #[arg(long)]
    lines: bool,
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Watches until the user quits or a limit is reached.
pub(super) fn run(arguments: &WatchArguments) -> anyhow::Result<ExitCode> {
    let text = &arguments.name;
    let name = parse_name(text).map_err(|error| anyhow!("`{text}` is not a domain name: {error}"))?;
    let server = find_server(arguments.server, arguments.config.as_deref())?;
    let subject = Subject { name: name.to_string(), record_type: type_name(arguments.record_type.0) };
    let mut model = Model::new(server, Timestamp::now(), vec![Watched::new(subject.clone(), arguments.window)]);
    let (sender, inputs) = input::channel();
    input::listen_for_signals(sender.clone())?;
    poll_health(arguments, subject, sender.clone())?;
    let asking = QueryLoop {
        asker: Asker { server, timeout: TIMEOUT },
        names: vec![(name, arguments.record_type)],
        labels: Vec::new(),
        client: Arc::new(Mutex::new(arguments.subnet)),
        every: Duration::from_secs(1) / arguments.rate,
        limit: arguments.count,
    };
    if arguments.json || arguments.lines || !has_screen() {
        asking.start(sender)?;
        let bounds = Bounds { time: arguments.time, tally_every: TALLY_EVERY };
        lines::run(&mut model, &inputs, arguments.json.into(), bounds)?;
    } else {
        let mut screen = Screen::open()?;
        input::read_keys(sender.clone())?;
        asking.start(sender)?;
        let mut show = WatchShow::new(arguments, &model);
        screen::run(&mut screen, &mut model, &inputs, &mut show, arguments.time)?;
        drop(screen);
        lines::print_tallies(&model, Form::Text, Span::All)?;
    }
    if model.replies() == 0 {
        print_error(&format!("error: {server} did not reply\n"));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether there is a terminal that can be drawn on.
pub(super) fn has_screen() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A server without an admin side is watched without its health.
fn poll_health(arguments: &WatchArguments, subject: Subject, inputs: Sender<Input>) -> anyhow::Result<()> {
    let admin = match arguments.admin {
        Some(admin) => Ok(admin),
        None => settings::admin_address(arguments.config.as_deref()),
    };
    match admin {
        Ok(admin) => HealthPolls::of(AdminClient::at(admin)?, Target::Names(vec![subject])).start(inputs),
        Err(why) => {
            // The receiver is this thread's own.
            let _ = inputs.send(Input::Event(Event::NoHealth(why.to_string()), std::time::Instant::now()));
            Ok(())
        }
    }
}

fn parse_window(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_secs(1)..=Duration::from_secs(3600);
    time_args::parse_duration(text).and_then(|window| match allowed.contains(&window) {
        true => Ok(window),
        false => Err("write from 1s to 3600s".to_owned()),
    })
}

/// The screen of one name.
struct WatchShow {
    aside: String,
    palette: Palette,
    help: Option<Vec<String>>,
}

impl WatchShow {
    fn new(arguments: &WatchArguments, model: &Model) -> WatchShow {
        let on_behalf = arguments.subnet.map_or_else(String::new, |subnet| format!(" for {subnet}"));
        WatchShow {
            aside: format!("queries {} {} times a second{on_behalf}", model.server, arguments.rate),
            palette: Palette::fitting(),
            help: None,
        }
    }
}

impl Show for WatchShow {
    fn look(&self) -> Look<'_> {
        let overlay =
            self.help.as_deref().map(|lines| Overlay { title: "fiftythree watch", lines, shown: Shown::First });
        let (title, aside) = ("fiftythree watch", self.aside.clone());
        Look { palette: self.palette, title, aside, keys: &KEYS, sites: &[], numbered: false, overlay }
    }

    fn press(&mut self, key: KeyCode, model: &mut Model) -> Flow {
        match key {
            KeyCode::Esc if self.help.is_some() => self.help = None,
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Flow::Quit,
            KeyCode::Char('?' | 'h') => {
                self.help = if self.help.is_some() { None } else { Some(HELP.map(str::to_owned).to_vec()) };
            }
            KeyCode::Char('r') => model.reset_counts(),
            _ => {}
        }
        Flow::Continue
    }

    fn tick(&mut self, _: &mut Model) -> Flow {
        Flow::Continue
    }
}
