//! Runs a scenario step by step, pure or through sockets.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use fiftythree::answer::Timestamp;
use fiftythree::query_logging::QueryLogging;
use fiftythree::serve::{
    Bound, MAX_TCP_OCTETS, Observers, Received, Requestor, Responder, Serving, TcpLimits, Transport, UdpPath,
};
use fiftythree::stats::Meters;
use fiftythree::world::{Publisher, Reader, World};

use super::check::{Expected, Value, check};
use super::format::{Scenario, Step};
use super::lab::Lab;
use super::message::{Resource, Response, query};

/// The seed of the random numbers, the same in every run.
const SEED: u64 = 53;
/// Five standard deviations: one correct draw in 1.7 million deviates further, and there are about
/// a hundred draws.
const SIGMAS: f64 = 5.0;
/// Draws through sockets. Each costs a round trip, and the random numbers are those of the pure
/// run.
const MOST_DRAWS_THROUGH_SOCKETS: u32 = 300;
/// A timeout that nothing on loopback reaches, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The transport of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Pure,
    /// Through the sockets of the server, with this UDP implementation.
    Sockets(UdpPath),
}

/// The result of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Queries skipped because no socket here can have their source address.
    pub(crate) steps_not_on_loopback: usize,
}

/// Runs every step. The error contains the step, the query, and the expected and received response.
pub(crate) fn run(scenario: &Scenario, way: Way) -> Result<Outcome, String> {
    let lab = match (Lab::open(scenario), scenario.refused.is_empty()) {
        (Ok(lab), true) => lab,
        (Ok(_), false) => return Err("the zones are accepted".to_owned()),
        (Err(said), true) => return Err(format!("the zones are refused:\n{said}")),
        (Err(said), false) => return mentions(&said, &scenario.refused).map(|()| Outcome::default()),
    };
    let mut server = Server::start(lab, way)?;
    let mut outcome = Outcome::default();
    for (number, step) in (1..).zip(&scenario.steps) {
        let at = |error: String| format!("step {number} ({}): {error}", step.query.as_deref().unwrap_or("no query"));
        server.step(step, &mut outcome).map_err(at)?;
    }
    Ok(outcome)
}

fn mentions(said: &str, wanted: &[String]) -> Result<(), String> {
    match wanted.iter().find(|word| !said.to_lowercase().contains(&word.to_lowercase())) {
        Some(word) => Err(format!("the messages about the zones do not contain `{word}`:\n{said}")),
        None => Ok(()),
    }
}

/// A lab that can be queried.
struct Server {
    lab: Lab,
    publisher: Publisher,
    reader: Reader,
    line: Line,
}

/// The connection between client and server.
enum Line {
    Pure(Box<Responder>),
    Sockets { address: SocketAddr, path: UdpPath, _serving: Serving },
}

impl Server {
    fn start(lab: Lab, way: Way) -> Result<Server, String> {
        let (publisher, reader) = Publisher::new(lab.world());
        let line = match way {
            Way::Pure => Line::Pure(Box::new(Responder::new(lab.responses(), SEED))),
            Way::Sockets(path) => listen(&lab, &reader, path).map_err(|error| error.to_string())?,
        };
        Ok(Server { lab, publisher, reader, line })
    }

    fn step(&mut self, step: &Step, outcome: &mut Outcome) -> Result<(), String> {
        match (&step.query, step.observe.is_empty(), step.reload.is_empty(), step.wait, step.people.is_empty()) {
            (None, false, true, None, true) => self.observe(step),
            (None, true, true, Some(seconds), true) => self.wait(seconds),
            (None, true, true, None, false) => self.steer(step),
            (None, true, false, None, true) => self.reload(step),
            (Some(text), true, true, None, true) => self.ask(step, text, outcome),
            _ => Err("a step is one of `observe`, `wait`, `people`, `reload` and `query`".to_owned()),
        }
    }

    /// Applies the observations in turn. Each status change is published separately, as in the
    /// control loop.
    fn observe(&mut self, step: &Step) -> Result<(), String> {
        for _ in 0..step.times.unwrap_or(1) {
            for (check, &seen) in &step.observe {
                let flipped = self.lab.observe(check, seen)?;
                if !flipped.is_empty() {
                    let world = self.lab.world_after(&self.reader.load(), &flipped);
                    self.publisher.publish(world);
                }
            }
        }
        Ok(())
    }

    /// Advances time second by second, as in the control loop.
    fn wait(&mut self, seconds: u64) -> Result<(), String> {
        for _ in 0..seconds {
            if let Some(world) = self.lab.world_a_second_after(&self.reader.load()) {
                self.publisher.publish(world);
            }
        }
        Ok(())
    }

    fn steer(&mut self, step: &Step) -> Result<(), String> {
        let changed = self.lab.steer(&step.people)?;
        let world = self.lab.world_after(&self.reader.load(), &changed);
        self.publisher.publish(world);
        Ok(())
    }

    fn reload(&mut self, step: &Step) -> Result<(), String> {
        let said = self.lab.reload(&step.reload)?;
        self.publisher.publish(self.lab.world_reloaded(&self.reader.load()));
        if step.refused.is_empty() && said.contains("Error") {
            return Err(format!("the edited zones are refused:\n{said}"));
        }
        mentions(&said, &step.refused)
    }

    fn ask(&mut self, step: &Step, text: &str, outcome: &mut Outcome) -> Result<(), String> {
        let source = step.from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if matches!(self.line, Line::Sockets { .. }) && !source.is_loopback() {
            outcome.steps_not_on_loopback += 1;
            return Ok(());
        }
        if step.expects_nothing() {
            return Err("nothing is expected of the answer".to_owned());
        }
        if step.draws.is_none() && !(step.shares.is_empty() && step.firsts.is_empty()) {
            return Err("shares need draws".to_owned());
        }
        let (packet, question_end) = query(step, text)?;
        let transport = if step.tcp { Transport::Tcp } else { Transport::Udp };
        let draws = match self.line {
            Line::Pure(_) => step.draws.unwrap_or(1),
            Line::Sockets { .. } => step.draws.unwrap_or(1).min(MOST_DRAWS_THROUGH_SOCKETS),
        };
        let expected = Expected::read(&step.expect)?;
        let mut shares = Tally::of(&step.shares);
        let mut firsts = Tally::of(&step.firsts);
        let world = self.reader.load();
        // Most of many draws are identical, octet by octet: those are parsed once.
        let mut seen: HashMap<Vec<u8>, Vec<Resource>> = HashMap::new();
        for _ in 0..draws {
            let mut bytes = self.line.exchange(&world, &packet, source, transport)?;
            if !step.expect.tc && self.line.cuts_early(&bytes) {
                bytes = self.line.exchange(&world, &packet, source, Transport::Tcp)?;
            }
            let answers = match seen.entry(bytes) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let response = Response::read(new.key(), &packet, question_end)?;
                    check(step, &expected, &response)?;
                    new.insert(response.answers)
                }
            };
            shares.count(answers);
            firsts.count(answers.get(..1).unwrap_or_default());
        }
        shares.check("share", draws)?;
        firsts.check("share of first places", draws)
    }
}

/// Opens the sockets of the server on a free loopback port.
fn listen(lab: &Lab, reader: &Reader, path: UdpPath) -> std::io::Result<Line> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = Bound::bind(&[any_port], 1, path).map_err(std::io::Error::other)?;
    let address = bound.addresses()[0];
    let serving = bound.serve(
        reader,
        &lab.responses(),
        TcpLimits::default(),
        Observers { meters: &Meters::default(), query_logging: &QueryLogging::default() },
        SEED,
    )?;
    Ok(Line::Sockets { address, path, _serving: serving })
}

impl Line {
    /// Whether this is a response that the portable implementation has truncated, perhaps without
    /// need: hickory-server writes longer messages than we do. Then a client retries over TCP.
    fn cuts_early(&self, response: &[u8]) -> bool {
        let is_truncated = response.get(2).is_some_and(|flags| flags & 2 != 0);
        is_truncated && matches!(self, Line::Sockets { path: UdpPath::Portable, .. })
    }

    fn exchange(
        &mut self,
        world: &World,
        packet: &[u8],
        source: IpAddr,
        transport: Transport,
    ) -> Result<Vec<u8>, String> {
        match (self, transport) {
            (Line::Pure(responder), _) => {
                let (mut out, mut octets) = (vec![0; MAX_TCP_OCTETS], 0);
                let requestor = Requestor::new((source, 4242).into(), transport);
                let received = Received::new(packet, requestor, Timestamp::default());
                let counted = allocation_counter::measure(|| {
                    octets = responder.respond(world, &received, &mut out);
                });
                if counted.count_total > 0 {
                    return Err(format!("answering allocates, {} times", counted.count_total));
                }
                out.truncate(octets);
                if octets == 0 { Err("silence".to_owned()) } else { Ok(out) }
            }
            (Line::Sockets { address, .. }, Transport::Udp) => {
                over_udp(*address, packet, source).map_err(|e| e.to_string())
            }
            (Line::Sockets { address, .. }, Transport::Tcp) => over_tcp(*address, packet).map_err(|e| e.to_string()),
        }
    }
}

fn over_udp(server: SocketAddr, packet: &[u8], source: IpAddr) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((source, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(packet)?;
    let mut response = vec![0; usize::from(u16::MAX)];
    let octets = socket.recv(&mut response)?;
    response.truncate(octets);
    Ok(response)
}

/// Over TCP the source address is the choice of the system, 127.0.0.1: std cannot bind before it
/// connects.
fn over_tcp(server: SocketAddr, packet: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u16::try_from(packet.len()).expect("queries are short");
    stream.write_all(&[&length.to_be_bytes(), packet].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut response)?;
    Ok(response)
}

/// Compares how often values were seen with how often they should be.
struct Tally<'s> {
    values: Vec<Tallied<'s>>,
}

struct Tallied<'s> {
    text: &'s str,
    value: Value,
    share: f64,
    seen: u32,
}

impl<'s> Tally<'s> {
    fn of(shares: &'s BTreeMap<String, f64>) -> Tally<'s> {
        let tallied = |(text, &share): (&'s String, &f64)| Tallied { text, value: Value::read(text), share, seen: 0 };
        Tally { values: shares.iter().map(tallied).collect() }
    }

    fn count(&mut self, answers: &[Resource]) {
        for Tallied { value, seen, .. } in &mut self.values {
            *seen += u32::from(answers.iter().any(|answer| value.is_in(answer)));
        }
    }

    /// A share of 0 or 1 has no deviation, so it must be met exactly.
    fn check(&self, what: &str, draws: u32) -> Result<(), String> {
        for &Tallied { text, share, seen, .. } in &self.values {
            let got = f64::from(seen) / f64::from(draws);
            let deviation = (share * (1.0 - share) / f64::from(draws)).sqrt();
            if (got - share).abs() > SIGMAS * deviation + 1e-12 {
                return Err(format!("{what} of {text}: expected {share:.4} ± {:.4}, got {got:.4}", SIGMAS * deviation));
            }
        }
        Ok(())
    }
}
