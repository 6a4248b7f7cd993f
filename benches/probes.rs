//! CPU time and memory of health checks: our prober and a bare loop of hyper (connect, GET, close)
//! in the same run.
//!
//! ```text
//!  this process ─┬─ server      answers on 127.53.0.1 … 127.53.0.200
//!                ├─ bare        ┐ hyper, evenly spread over time   } in turn, each in a process of
//!                ├─ beat        │ hyper, in steps as the prober    } its own, so that CPU time and
//!                └─ prober      ┘ `Prober` and `Tracker`           } memory are its own
//! ```
//!
//! `cargo bench --bench probes -- --checks 20000 --seconds 20 --rounds 3`. Without `--bench`, as
//! under `cargo test`, it runs briefly with few checks. docs/performance.md has the results. It
//! uses loopback only and ends by itself.

#![allow(clippy::print_stdout)] // its table is what it is for

use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fiftythree::health::{Observation, Timestamp, Tracker};
use fiftythree::model::{
    AddressFamily, EndpointCheck, EndpointProtocol, EndpointTarget, HealthCheck, HealthCheckId, HealthCheckKind,
    HttpRequest, Timeouts,
};
use fiftythree::probe::{Prober, ProberSettings};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// A closed connection holds its port for a minute, and there are 28 000 ports towards one address:
/// at 2000 probes a second 5 addresses would do; with 200 the kernel also finds a free port at
/// once.
const ADDRESSES: u8 = 200;

/// The clock of /proc ticks every 10 ms, so shorter runs are not meaningful.
const SHORTEST_MEASURE_S: u64 = 5;

const INTERVAL: Duration = Duration::from_secs(10);

/// The bare loop starts the due requests at each tick, with the resolution of tokio timers ...
const TICK: Duration = Duration::from_millis(1);

/// ... or on the beat of the prober, which saves the same wake-ups.
const BEAT: Duration = Duration::from_millis(20);

/// The goal for both: CPU time relative to the bare loop, and memory.
const GOAL_RATIO: f64 = 1.25;
const GOAL_MIB: f64 = 100.0;

/// What to run and for how long.
#[derive(Clone, Copy, Debug)]
struct Settings {
    checks: u32,
    seconds: u64,
    /// Warm-up: all checks start within a second, then they spread.
    settling: Duration,
    rounds: usize,
    /// 0 for the single-threaded runtime of the control plane.
    threads: u32,
}

/// The cost of one process.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    probes: u64,
    user_us: f64,
    system_us: f64,
    resident_mib: f64,
    peak_mib: f64,
}

/// The roles that run in turn: the argument of the process and the label in the table.
const ROLES: [(&str, &str); 3] =
    [("bare", "bare hyper, evenly"), ("beat", "bare hyper, on the beat"), ("prober", "prober")];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let settings = Settings::from(&arguments);
    match arguments.first().map(String::as_str) {
        Some("server") => runtime(0).block_on(serve()),
        Some("bare") => print_spent(runtime(settings.threads).block_on(bare(settings, port(&arguments), TICK))),
        Some("beat") => print_spent(runtime(settings.threads).block_on(bare(settings, port(&arguments), BEAT))),
        Some("prober") => print_spent(runtime(settings.threads).block_on(prober(settings, port(&arguments)))),
        _ => compare(settings),
    }
}

impl Settings {
    fn from(arguments: &[String]) -> Settings {
        let number = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            Some(arguments.get(at + 1)?.parse::<u32>().expect("a number follows the option"))
        };
        // cargo passes `--bench` to measure, and nothing under `cargo test`.
        let short = !arguments.iter().any(|argument| argument == "--bench") || arguments.iter().any(|a| a == "--test");
        let or = |name, measured, held| number(name).unwrap_or(if short { held } else { measured });
        Settings {
            checks: or("--checks", 20_000, 200),
            seconds: or("--seconds", 20, 1).into(),
            settling: Duration::from_secs(or("--settling", 5, 1).into()),
            rounds: or("--rounds", 3, 1) as usize,
            threads: or("--threads", 0, 0),
        }
    }

    fn arguments(self) -> Vec<String> {
        let numbers = [
            ("--checks", u64::from(self.checks)),
            ("--seconds", self.seconds),
            ("--settling", self.settling.as_secs()),
            ("--threads", u64::from(self.threads)),
        ];
        numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]).collect()
    }

    fn a_second(self) -> f64 {
        f64::from(self.checks) / INTERVAL.as_secs_f64()
    }
}

fn runtime(threads: u32) -> tokio::runtime::Runtime {
    let mut builder = match threads {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(threads.max(1) as usize).enable_all().build().expect("the system has threads and epoll")
}

// The whole run: alternating rounds, and the medians.

fn compare(settings: Settings) {
    let (server, port) = start_server();
    let Settings { checks, seconds, rounds, .. } = settings;
    println!("{checks} checks every {} s, {rounds} rounds of {seconds} s each", INTERVAL.as_secs());
    println!("{}", cpu_model());
    let mut rounds: Vec<[Spent; 3]> = Vec::new();
    for round in 1..=settings.rounds {
        let spent = ROLES.map(|(role, _)| run(role, settings, port));
        for ((_, name), spent) in ROLES.iter().zip(spent) {
            println!("round {round}: {name}: {}", line(spent));
        }
        rounds.push(spent);
    }
    println!("\n| medians | user µs | system µs | CPU µs a probe | of a core | resident MiB | peak MiB |");
    println!("|---|---|---|---|---|---|---|");
    for (number, (_, name)) in ROLES.iter().enumerate() {
        let spent = medians(rounds.iter().map(|round| round[number]));
        let Spent { user_us, system_us, resident_mib, peak_mib, .. } = spent;
        let all = median(rounds.iter().map(|round| a_probe(round[number])));
        let share = all * settings.a_second() / 1e4;
        println!(
            "| {name} | {user_us:.1} | {system_us:.1} | {all:.1} | {share:.1} % | {resident_mib:.1} | {peak_mib:.1} |"
        );
    }
    assert!(rounds.iter().flatten().all(|spent| spent.probes > 0), "a process made no probe");
    if seconds < SHORTEST_MEASURE_S {
        println!("\ntoo short to compare");
        stop(server);
        return;
    }
    let [to_bare, to_beat] = [0, 1].map(|other| {
        let ratios = rounds.iter().map(|round| a_probe(round[2]) / a_probe(round[other]));
        median(ratios)
    });
    println!("\nratio to the bare loop {to_bare:.3}, to the one on the beat {to_beat:.3} (goal {GOAL_RATIO})");
    println!("peak of the prober {:.1} MiB (goal {GOAL_MIB})", median(rounds.iter().map(|round| round[2].peak_mib)));
    stop(server);
}

fn start_server() -> (Child, u16) {
    let mut server = this_program().arg("server").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    let output = server.stdout.take().expect("it was asked for");
    BufReader::new(output).read_line(&mut line).expect("the server says its port");
    (server, line.trim().parse().expect("a port"))
}

/// The server ends when its standard input closes, also if this process dies.
fn stop(mut server: Child) {
    drop::<Option<ChildStdin>>(server.stdin.take());
    server.wait().expect("it was started");
}

fn run(role: &str, settings: Settings, port: u16) -> Spent {
    let arguments = [role.to_owned(), "--port".to_owned(), port.to_string()];
    let output = this_program().args(arguments).args(settings.arguments()).stderr(Stdio::inherit()).output();
    let output = output.expect("this program can be started");
    assert!(output.status.success(), "{role} failed");
    let text = String::from_utf8(output.stdout).expect("numbers are text");
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    let [probes, user_us, system_us, resident_mib, peak_mib] = numbers[..] else { panic!("{role} said {text}") };
    Spent { probes: probes as u64, user_us, system_us, resident_mib, peak_mib }
}

/// With the maximum number of open files, like a service (LimitNOFILE).
fn this_program() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""]);
    command.arg(env::current_exe().expect("this program has a file"));
    command
}

fn print_spent(spent: Spent) {
    let Spent { probes, user_us, system_us, resident_mib, peak_mib } = spent;
    println!("{probes} {user_us} {system_us} {resident_mib} {peak_mib}");
}

fn port(arguments: &[String]) -> u16 {
    let at = arguments.iter().position(|argument| argument == "--port").expect("a port is given");
    arguments[at + 1].parse().expect("a port")
}

fn a_probe(spent: Spent) -> f64 {
    spent.user_us + spent.system_us
}

fn line(spent: Spent) -> String {
    let Spent { probes, user_us, system_us, resident_mib, peak_mib } = spent;
    let all = a_probe(spent);
    format!("{probes} probes, {user_us:.1} + {system_us:.1} = {all:.1} µs, {resident_mib:.1} MiB (peak {peak_mib:.1})")
}

fn medians(spent: impl Iterator<Item = Spent> + Clone) -> Spent {
    Spent {
        probes: spent.clone().map(|spent| spent.probes).sum(),
        user_us: median(spent.clone().map(|spent| spent.user_us)),
        system_us: median(spent.clone().map(|spent| spent.system_us)),
        resident_mib: median(spent.clone().map(|spent| spent.resident_mib)),
        peak_mib: median(spent.map(|spent| spent.peak_mib)),
    }
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

// The cost of this process so far.

#[derive(Clone, Copy)]
struct Clock {
    user_ticks: f64,
    system_ticks: f64,
}

/// Linux reports CPU time in hundredths of a second on all platforms of Rust.
const TICK_US: f64 = 10_000.0;

impl Clock {
    fn read() -> Clock {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field is the program's name in parentheses; utime and stime are fields 14 and
        // 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse().ok()).unwrap_or(0.0);
        Clock { user_ticks: ticks(14), system_ticks: ticks(15) }
    }

    fn spent_since(self, before: Clock, probes: u64) -> Spent {
        let each = |ticks: f64| ticks * TICK_US / probes.max(1) as f64;
        Spent {
            probes,
            user_us: each(self.user_ticks - before.user_ticks),
            system_us: each(self.system_ticks - before.system_ticks),
            resident_mib: memory_mib("VmRSS:"),
            peak_mib: memory_mib("VmHWM:"),
        }
    }
}

fn memory_mib(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, {}", model.trim_start_matches(['\t', ' ', ':']))
}

// The server: the minimum that answers a health check.

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

async fn serve() {
    let first = TcpListener::bind((address(0), 0)).await.expect("loopback addresses are ours");
    let port = first.local_addr().expect("it is bound").port();
    tokio::spawn(accept(first));
    for number in 1..ADDRESSES {
        tokio::spawn(accept(TcpListener::bind((address(number), port)).await.expect("the port is free elsewhere too")));
    }
    println!("{port}");
    let end_of_input = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    let _ = end_of_input.await;
}

fn address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 53, 0, number + 1))
}

async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream))),
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    let mut read = 0;
    while !buffer[..read].ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer[read..]).await {
            Ok(octets) if octets > 0 => read += octets,
            _ => return,
        }
    }
    let _ = stream.write_all(ANSWER).await;
    let _ = stream.read(&mut buffer).await;
}

// The bare loop: the same connections, requests and closes as the checks, and nothing else.

async fn bare(settings: Settings, port: u16, tick: Duration) -> Spent {
    let probes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&probes);
    tokio::spawn(async move {
        let mut ticks = interval(tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let start = Instant::now();
        for number in 0.. {
            while f64::from(number) > start.elapsed().as_secs_f64() * settings.a_second() {
                ticks.tick().await;
            }
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                if get(endpoint(number, port), number).await.is_ok_and(|status| status == 200) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    measure(settings, || probes.load(Ordering::Relaxed)).await
}

async fn get(endpoint: SocketAddr, number: u32) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(endpoint).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path(number)).header("host", endpoint.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request);
    tokio::select! {
        biased;
        response = response => Ok(response?.status().as_u16()),
        ended = connection => { ended?; Ok(0) }
    }
}

fn endpoint(number: u32, port: u16) -> SocketAddr {
    SocketAddr::new(address((number % u32::from(ADDRESSES)) as u8), port)
}

fn path(number: u32) -> String {
    format!("/health/{number}")
}

async fn measure(settings: Settings, probes: impl Fn() -> u64) -> Spent {
    sleep(settings.settling).await;
    let (clock, before) = (Clock::read(), probes());
    sleep(Duration::from_secs(settings.seconds)).await;
    Clock::read().spent_since(clock, probes() - before)
}

// Our prober: every check has its own endpoint, and a tracker gets the results.

async fn prober(settings: Settings, port: u16) -> Spent {
    let checks: Vec<HealthCheck> = (0..settings.checks).map(|number| check(number, port)).collect();
    let mut tracker = Tracker::new();
    tracker.apply(&checks, Timestamp::default());
    drop(checks);
    let (sender, mut results) = mpsc::channel(1024);
    let prober = Prober::new(&ProberSettings::default(), sender).expect("HTTP clients can be built");
    let (schedule, receiver) = watch::channel(Arc::from(tracker.probes()));
    tokio::spawn(prober.run(receiver));
    let probes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&probes);
    let hearing = tokio::spawn(async move {
        let start = Instant::now();
        while let Some(observed) = results.recv().await {
            if observed.observation == Observation::Fail {
                eprintln!("{}", observed.report);
            }
            let at = Timestamp(start.elapsed());
            tracker.observe(observed.slot, observed.generation, observed.observation, at);
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let spent = measure(settings, || probes.load(Ordering::Relaxed)).await;
    drop(schedule);
    hearing.await.expect("every probe is good, and all end with their schedule");
    spent
}

fn check(number: u32, port: u16) -> HealthCheck {
    let endpoint = endpoint(number, port);
    HealthCheck {
        id: HealthCheckId(format!("{number:08x}-0000-4000-8000-000000000000")),
        name: format!("check-{number}"),
        caller_reference: None,
        version: 1,
        tags: Default::default(),
        inverted: false,
        disabled: false,
        agreement: None,
        kind: HealthCheckKind::Endpoint(EndpointCheck {
            protocol: EndpointProtocol::Http(HttpRequest {
                resource_path: Some(path(number)),
                ..HttpRequest::default()
            }),
            target: EndpointTarget::Address { ip_address: endpoint.ip(), fully_qualified_domain_name: None },
            port: endpoint.port(),
            request_interval: INTERVAL,
            failure_threshold: 3,
            recovery_threshold: 3,
            measure_latency: false,
            address_family: AddressFamily::default(),
            timeouts: Timeouts::default(),
            regions: Vec::new(),
        }),
    }
}
