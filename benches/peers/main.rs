//! Comparison of servers over loopback: CPU time per query, latencies, and the effect of a second
//! worker. Linux only.
//!
//! ```text
//!   this process ─┬─ floor, fiftythree, gdnsd, Knot, NSD    each pinned to core 0, one UDP worker
//!                 └─ load                                   pinned to core 1
//! ```
//!
//! With two workers, each worker has a core that it shares with the load of its own clients.
//!
//! `cargo bench --bench peers` runs all of it; `-- policies`, `-- workers` or `-- latency` runs a
//! part. `--rounds 5 --seconds 3` sets how often and how long, `--only weighted cidr` or `--only
//! large-file` selects answers or disturbances. Servers take turns within a round. CPU time is the
//! median over the rounds of the scheduler's count (`schedstat`, nanoseconds). The clock that
//! separates user and system time (`/proc/PID/stat`) ticks every 10 ms, so these shares are those
//! of all rounds together. A server that is not installed is skipped with a message.
//!
//! Without `--bench`, as under `cargo test`, only our server is queried briefly.
//! docs/performance.md has the results. Everything stays on loopback and ends by itself.

#![allow(clippy::print_stdout, reason = "its tables are what it is for")]

mod load;
mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::fs;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, scope, sleep, spawn};
use std::time::Duration;

use load::{Load, Outcome};
use servers::{Ground, Kind, Server};
use support::{TYPE_A, city, query, zones};

/// Outstanding queries in a closed loop and the sockets that send them, close to the defaults of
/// dnsperf.
const UNDER_WAY: usize = 200;
const SOCKETS: usize = 20;
/// Clients per worker with two workers. The system distributes clients by their port, and more
/// clients are more evenly spread.
const SOCKETS_BESIDE: usize = 100;
/// Different queries of a mix.
const QUERIES: usize = 100_000;

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
const BOTH_CORES: &str = "0,1";

/// What to run and for how long.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    time: Duration,
    names: u32,
    networks: u32,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [mode, rest @ ..] = &arguments[..]
        && mode == "--load"
    {
        return load::main(rest);
    }
    let number = |flag: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(otherwise)
    };
    let directory = tempfile::tempdir().expect("there is room for a directory");
    if !arguments.iter().any(|argument| argument == "--bench") {
        let effort = Effort { rounds: 1, time: Duration::from_millis(100), names: 100, networks: 5000 };
        return a_moment(directory.path(), effort);
    }
    let effort = Effort {
        rounds: number("--rounds", 5) as usize,
        time: Duration::from_secs(number("--seconds", 3)),
        names: number("--names", 10_000) as u32,
        networks: number("--networks", u64::from(city::CITY_NETWORKS)) as u32,
    };
    let parts = ["policies", "workers", "latency"];
    let split = arguments.iter().position(|argument| argument == "--only").unwrap_or(arguments.len());
    let (modes, rows) = arguments.split_at(split);
    let only = |row: &str| rows.is_empty() || rows.iter().any(|wanted| wanted == row);
    let named = |part: &str| modes.iter().any(|argument| argument == part);
    let wanted = |part: &str| named(part) || !parts.iter().any(|part| named(part));
    println!("a city database of {} networks, a zone of {} names", effort.networks, effort.names);
    let ground = Ground::new(directory.path(), effort.names, effort.networks);
    let mixes: Vec<Mix> = mixes(effort).into_iter().filter(|mix| only(mix.name)).collect();
    if wanted("policies") {
        policies(&ground, effort, &mixes);
    }
    if wanted("workers") {
        workers(&ground, effort);
    }
    if wanted("latency") {
        latency(&ground, effort, &only);
    }
}

/// Under `cargo test`: our server answers, correctly.
fn a_moment(directory: &Path, effort: Effort) {
    let ground = Ground::new(directory, effort.names, effort.networks);
    let server = ground.start(Kind::Ours, 1, BOTH_CORES).expect("our own server starts");
    for mix in mixes(effort) {
        let queries = mix.write(directory);
        let load = Load { cores: BOTH_CORES, ..closed(&server, effort) };
        let outcome = load::run(&load, &queries);
        assert!(outcome.answers > 0 && outcome.refused == 0, "{}, {}: {outcome:?}", mix.what, mix.clients.what());
    }
}

/// Queries of one kind.
struct Mix {
    name: &'static str,
    what: &'static str,
    clients: Clients,
    effort: Effort,
}

/// The clients of the queries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    /// No client subnet: all queries come from loopback.
    Same,
    /// By client subnet, from all over the database.
    Random,
}

impl Clients {
    fn what(self) -> &'static str {
        match self {
            Clients::Same => "one client",
            Clients::Random => "random client subnets",
        }
    }
}

/// First the kinds with one client, then those with clients from everywhere.
fn mixes(effort: Effort) -> Vec<Mix> {
    let plain = [("h", "one of many names"), ("nobody", "a name that is not there")];
    let same = plain.into_iter().chain(zones::POLICIES).map(|(name, what)| (name, what, Clients::Same));
    let random = [("h", "one of many names")].into_iter().chain(zones::POLICIES);
    let by_place = random.filter(|(name, _)| *name == "h" || zones::BY_PLACE.contains(name));
    same.chain(by_place.map(|(name, what)| (name, what, Clients::Random)))
        .map(|(name, what, clients)| Mix { name, what, clients, effort })
        .collect()
}

impl Mix {
    fn write(&self, directory: &Path) -> PathBuf {
        let path = directory.join(format!("{}-{}.queries", self.name, self.clients as u8));
        let mut rng = fastrand::Rng::with_seed(53);
        let queries: Vec<Vec<u8>> = (0..QUERIES)
            .map(|_| {
                let name = match self.name {
                    "h" => format!("h{}", rng.u32(..self.effort.names)),
                    "nobody" => format!("nobody{}", rng.u32(..1_000_000_000)),
                    name => name.to_owned(),
                };
                let client = match self.clients {
                    Clients::Same => None,
                    Clients::Random => Some(city::client(self.effort.networks, &mut rng)),
                };
                query(&format!("{name}.bench.test"), TYPE_A, client)
            })
            .collect();
        load::write_queries(&path, &queries);
        path
    }
}

fn closed(server: &Server, effort: Effort) -> Load {
    Load {
        server: server.address,
        sockets: SOCKETS,
        ports: Vec::new(),
        under_way: UNDER_WAY,
        rate: 0,
        time: effort.time,
        cores: LOAD_CORE,
    }
}

/// CPU time of a server under load.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// µs per answer.
    together: f64,
    /// User and system time in ticks.
    ticks: [f64; 2],
    rate: f64,
    lost: f64,
}

/// Runs these loads at the same time.
fn cost(server: &Server, loads: &[Load], queries: &Path) -> Cost {
    let before = (server.nanoseconds(), server.ticks());
    let outcomes: Vec<Outcome> = scope(|scope| {
        let running: Vec<_> = loads.iter().map(|load| scope.spawn(|| load::run(load, queries))).collect();
        running.into_iter().map(|load| load.join().expect("a load ends")).collect()
    });
    let after = (server.nanoseconds(), server.ticks());
    let sum = |field: fn(&Outcome) -> f64| outcomes.iter().map(field).sum::<f64>();
    let (answers, lost, rate) = (sum(|o| o.answers as f64), sum(|o| o.lost as f64), sum(|o| o.rate));
    assert!(outcomes.iter().all(|outcome| outcome.refused == 0), "{} gives wrong answers", server.kind.name());
    let ticks = [0, 1].map(|number| after.1[number] - before.1[number]);
    Cost { together: (after.0 - before.0) / 1000.0 / answers.max(1.0), ticks, rate, lost }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    quantile(0.5, values)
}

/// The quantile: the value below which this share of all values lies.
fn quantile(part: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get((values.len() as f64 * part) as usize).copied().unwrap_or_default()
}

/// Rounds in one: CPU time µs an answer, user's and system's and together, answers a second,
/// queries lost.
#[derive(Clone, Copy, Default)]
struct Costs {
    user: f64,
    system: f64,
    together: f64,
    rate: f64,
    lost: f64,
}

fn of_rounds(rounds: &[Cost]) -> Costs {
    let together = median(rounds.iter().map(|cost| cost.together));
    let [user, system] = [0, 1].map(|number| rounds.iter().map(|cost| cost.ticks[number]).sum::<f64>());
    let share = |ticks: f64| together * ticks / (user + system).max(1.0);
    let (rate, lost) = (median(rounds.iter().map(|cost| cost.rate)), rounds.iter().map(|cost| cost.lost).sum());
    Costs { user: share(user), system: share(system), together, rate, lost }
}

/// Starts the installed servers and prints which are missing.
fn start(ground: &Ground, kinds: &[Kind], workers: usize, cores: &str) -> Vec<Server> {
    let started = kinds.iter().filter_map(|&kind| match ground.start(kind, workers, cores) {
        Ok(server) => Some(server),
        Err(error) => {
            println!("!!!!! NOT MEASURED: {}: {error}", kind.name());
            None
        }
    });
    started.collect()
}

fn policies(ground: &Ground, effort: Effort, mixes: &[Mix]) {
    let servers = start(ground, &Kind::ALL, 1, SERVER_CORE);
    println!(
        "\n| Answer | Clients | Server | User µs | above the floor | System µs | Together | ÷ floor | ÷ gdnsd | Lost |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for mix in mixes {
        let queries = mix.write(&ground.directory);
        let asked: Vec<&Server> = servers.iter().filter(|server| server.kind.has(mix.name)).collect();
        let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); asked.len()];
        for _ in 0..effort.rounds {
            for (server, costs) in asked.iter().zip(&mut costs) {
                costs.push(cost(server, &[closed(server, effort)], &queries));
            }
        }
        let costs: Vec<Costs> = costs.iter().map(|rounds| of_rounds(rounds)).collect();
        let of = |kind: Kind| asked.iter().position(|server| server.kind == kind).map(|at| costs[at]);
        let floor = of(Kind::Floor).unwrap_or_default();
        let gdnsd = of(Kind::Gdnsd).map(|gdnsd| gdnsd.together);
        for (server, cost) in asked.iter().zip(&costs) {
            let together = cost.together;
            let ratio = gdnsd.map_or("–".to_owned(), |gdnsd| format!("{:.2}", together / gdnsd));
            println!(
                "| {} | {} | {} | {:.2} | {:.2} | {:.2} | {together:.2} | {:.2} | {ratio} | {} |",
                mix.what,
                mix.clients.what(),
                server.kind.name(),
                cost.user,
                cost.user - floor.user,
                cost.system,
                together / floor.together,
                cost.lost,
            );
        }
    }
}

/// One worker on a core, and two on two, each with its own clients, so a core has the same work in
/// both cases. The additional cost of two workers is the cost of what they share.
fn workers(ground: &Ground, effort: Effort) {
    let kinds = [Kind::Floor, Kind::Ours, Kind::Gdnsd];
    let (one, two) = (start(ground, &kinds, 1, BOTH_CORES), start(ground, &kinds, 2, BOTH_CORES));
    let pairs = |servers: &[Server], cores: &[&'static str]| -> Vec<_> {
        servers.iter().map(|server| server.pair(cores, SOCKETS_BESIDE)).collect()
    };
    let (pairs_of_one, pairs_of_two) = (pairs(&one, &[SERVER_CORE]), pairs(&two, &[SERVER_CORE, LOAD_CORE]));
    println!("\n| Answer | Server | Workers | User µs | System µs | Together | ÷ one worker | Answers a second |");
    println!("|---|---|---|---|---|---|---|---|");
    for (name, what) in [("h", "one of many names"), ("weighted", "weighted")] {
        let queries = Mix { name, what, clients: Clients::Same, effort }.write(&ground.directory);
        for (one, pairs_of_one) in one.iter().zip(&pairs_of_one) {
            let Some(at) = two.iter().position(|two| two.kind == one.kind) else { continue };
            let mut costs = [Vec::new(), Vec::new()];
            for _ in 0..effort.rounds {
                let both = [(one, pairs_of_one), (&two[at], &pairs_of_two[at])];
                for ((server, pairs), costs) in both.into_iter().zip(&mut costs) {
                    let loads = pairs.iter().map(|(cores, ports)| Load {
                        sockets: ports.len(),
                        ports: ports.clone(),
                        cores,
                        ..closed(server, effort)
                    });
                    costs.push(cost(server, &loads.collect::<Vec<_>>(), &queries));
                }
            }
            let single = of_rounds(&costs[0]).together;
            for (workers, costs) in (1..).zip(&costs) {
                let Costs { user, system, together, rate, .. } = of_rounds(costs);
                let (who, ratio) = (one.kind.name(), together / single);
                println!(
                    "| {what} | {who} | {workers} | {user:.2} | {system:.2} | {together:.2} | {ratio:.2} | {rate:.0} |"
                );
            }
        }
    }
}

/// Latencies at half of the rate that both gdnsd and our server reach, idle and while zones change.
/// In the idle rounds an editor writes files that no server reads, so the load on the machine is
/// the same.
fn latency(ground: &Ground, effort: Effort, only: &dyn Fn(&str) -> bool) {
    let servers = start(ground, &[Kind::Gdnsd, Kind::Ours], 1, SERVER_CORE);
    let queries = Mix { name: "h", what: "", clients: Clients::Same, effort }.write(&ground.directory);
    let most = servers.iter().map(|server| load::run(&closed(server, effort), &queries).rate);
    let rate = (most.fold(f64::INFINITY, f64::min) / 2.0) as u64;
    println!("\n{rate} queries a second, half of what the slower of the two answers; µs from when a query was due");
    println!(
        "\n| Server | While | Half within | 99 % within, a quarter of rounds | 99 % within, half of rounds | ÷ otherwise | Lost | Left out % |\n\
         |---|---|---|---|---|---|---|"
    );
    let load = |server: &Server| Load { rate, sockets: SOCKETS, ..closed(server, effort) };
    let mut outcomes = vec![Vec::new(); servers.len()];
    for _ in 0..effort.rounds {
        for (server, outcomes) in servers.iter().zip(&mut outcomes) {
            outcomes.push(load::run(&load(server), &queries));
        }
    }
    for (server, outcomes) in servers.iter().zip(&outcomes) {
        tell_latency(server, "nothing else happens", outcomes, None);
    }
    drop(servers);
    let troubles = [Trouble::LargeFile, Trouble::SmallZones, Trouble::Flips];
    for trouble in troubles.into_iter().filter(|trouble| only(trouble.word())) {
        let ground = Ground { directory: ground.directory.join(trouble.word()), ..*ground };
        fs::create_dir_all(&ground.directory).expect("a directory can be made");
        fs::copy(ground.directory.join("../city.mmdb"), ground.city()).expect("the database is there");
        trouble.prepare(&ground);
        for server in start(&ground, &[Kind::Ours], 1, SERVER_CORE) {
            let (mut quiet, mut troubled) = (Vec::new(), Vec::new());
            for _ in 0..effort.rounds {
                for (served, outcomes) in [(false, &mut quiet), (true, &mut troubled)] {
                    let going_on = trouble.begin(&ground, served);
                    sleep(SETTLING);
                    outcomes.push(load::run(&load(&server), &queries));
                    going_on.end();
                }
            }
            tell_latency(&server, trouble.otherwise(), &quiet, None);
            tell_latency(&server, trouble.what(), &troubled, Some(&quiet));
            println!("  ({}: {})", trouble.word(), trouble.seen(&ground));
        }
    }
}

/// Waits until a disturbance has begun or ended.
const SETTLING: Duration = Duration::from_secs(2);

/// Medians of the rounds, and the lower quartile of the 99th percentile: other activity on the
/// machine lengthens it in every other round, and the quartile reflects quiet rounds. The ratio is
/// that of the quartiles.
fn tell_latency(server: &Server, during: &str, outcomes: &[Outcome], quiet: Option<&[Outcome]>) {
    let of = |part: f64, field: fn(&Outcome) -> f64| quantile(part, outcomes.iter().map(field));
    let lost: u64 = outcomes.iter().map(|outcome| outcome.lost).sum();
    let (p50, p99, least) = (of(0.5, |o| o.p50), of(0.5, |o| o.p99), of(0.25, |o| o.p99));
    let ratio = quiet.map_or("–".to_owned(), |quiet| {
        format!("{:.2}", least / quantile(0.25, quiet.iter().map(|outcome| outcome.p99)))
    });
    let left_out = 100.0 * of(0.5, |o| (o.unsent + o.left_out) as f64 / (o.answers + o.unsent).max(1) as f64);
    let who = server.kind.name();
    println!("| {who} | {during} | {p50:.0} | {least:.0} | {p99:.0} | {ratio} | {lost} | {left_out:.1} |");
}

/// Disturbances of a server.
#[derive(Clone, Copy)]
enum Trouble {
    LargeFile,
    SmallZones,
    Flips,
}

/// A disturbance that runs until it is stopped.
struct Troubled {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Troubled {
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

const SMALL_ZONES: u32 = 50;
const CHECKS: u16 = 1000;
/// Listeners for the checks, one each, on loopback addresses that are not used otherwise.
const CHECK_PORT: u16 = 6390;

impl Trouble {
    fn word(self) -> &'static str {
        match self {
            Trouble::LargeFile => "large-file",
            Trouble::SmallZones => "small-zones",
            Trouble::Flips => "flips",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Trouble::LargeFile => "a file of 10 000 records is edited every second",
            Trouble::SmallZones => "50 zones reload, twice a second",
            Trouble::Flips => "1000 health checks flip every second",
        }
    }

    fn otherwise(self) -> &'static str {
        match self {
            Trouble::LargeFile | Trouble::SmallZones => "files of this kind that are not served are edited",
            Trouble::Flips => "the 1000 health checks fail every second",
        }
    }

    fn zones(ground: &Ground) -> PathBuf {
        ground.directory.join("fiftythree-1/zones")
    }

    fn prepare(self, ground: &Ground) {
        let zones = Trouble::zones(ground);
        fs::create_dir_all(&zones).expect("a directory can be made");
        let write = |name: &str, text: String| fs::write(zones.join(name), text).expect("a file can be written");
        match self {
            Trouble::LargeFile => write("large.test.toml", zones::plain("large.test", 10_000)),
            Trouble::SmallZones => {
                (0..SMALL_ZONES).for_each(|number| write(&format!("small{number}.test.toml"), small(number, 0)));
            }
            Trouble::Flips => write("flips.test.toml", flips()),
        }
    }

    /// `served`: disturb the files of the server, or only the machine with the same work elsewhere.
    fn begin(self, ground: &Ground, served: bool) -> Troubled {
        let directory = if served { Trouble::zones(ground) } else { ground.directory.join("not-served") };
        fs::create_dir_all(&directory).expect("a directory can be made");
        let port = if served { CHECK_PORT } else { CHECK_PORT + 2 };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // Prepared in advance: the work of the editor must not count as disturbance of the server.
        let edits = [1, 2].map(|turn| self.edit(turn));
        let thread = spawn(move || {
            stay_behind();
            let mut listeners = Vec::new();
            for edit in edits.iter().cycle().take_while(|_| !stopped.load(Ordering::Relaxed)) {
                edit.iter().for_each(|(name, text)| replace(&directory, name, text));
                if matches!(self, Trouble::Flips) {
                    let closed = listeners.is_empty();
                    listeners.clear();
                    if closed {
                        listeners.extend((0..CHECKS).filter_map(|check| TcpListener::bind(at(check, port)).ok()));
                    }
                }
                sleep(self.pause());
            }
        });
        Troubled { stop, thread }
    }

    /// The files after an edit.
    fn edit(self, turn: u32) -> Vec<(String, String)> {
        match self {
            Trouble::LargeFile => {
                let text = zones::plain("large.test", 10_000) + &zones::one_more("turn", turn);
                vec![("large.test.toml".to_owned(), text)]
            }
            Trouble::SmallZones => {
                (0..SMALL_ZONES).map(|number| (format!("small{number}.test.toml"), small(number, turn))).collect()
            }
            Trouble::Flips => Vec::new(),
        }
    }

    fn pause(self) -> Duration {
        match self {
            Trouble::LargeFile | Trouble::Flips => Duration::from_secs(1),
            Trouble::SmallZones => Duration::from_millis(500),
        }
    }

    /// The line in the server log about it.
    fn seen(self, ground: &Ground) -> String {
        let log = fs::read_to_string(ground.log(Kind::Ours, 1)).unwrap_or_default();
        let lines = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        match self {
            Trouble::Flips => format!("{} flips in the log", lines("is unhealthy") + lines("is healthy")),
            _ => format!("{} reloads in the log", lines("loaded")),
        }
    }
}

/// Lowers the priority of the calling thread below servers and loads.
#[cfg(target_os = "linux")]
fn stay_behind() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let behind = Command::new("chrt").args(["--idle", "--pid", "0", &thread]).status();
    assert!(behind.is_ok_and(|status| status.success()), "chrt is installed");
}

#[cfg(not(target_os = "linux"))]
fn stay_behind() {
    println!("!!!!! the editor takes from servers and loads what it needs of the cores");
}

/// Writes like an editor: to a temporary file, then renamed.
fn replace(directory: &Path, name: &str, text: &str) {
    let temporary = directory.join(format!(".{name}"));
    fs::write(&temporary, text).expect("a file can be written");
    fs::rename(temporary, directory.join(name)).expect("a file can be renamed");
}

fn small(number: u32, turn: u32) -> String {
    zones::plain(&format!("small{number}.test"), 20) + &zones::one_more("turn", turn)
}

fn at(check: u16, port: u16) -> (IpAddr, u16) {
    let [high, low] = check.to_be_bytes();
    (IpAddr::from([127, 63, high, low + u8::from(low == 0)]), port + u16::from(low == 0))
}

/// A pair of failover records for each check.
fn flips() -> String {
    let records: String = (0..CHECKS).map(|check| zones::checked(check, at(check, CHECK_PORT))).collect();
    zones::plain("flips.test", 1) + &records
}
