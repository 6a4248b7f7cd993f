//! A UDP worker makes no system calls except receive and send, also while its world is replaced.
//! strace traces it while it answers every kind of query. A contended lock would show too, since
//! waiting for one is a system call.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::server::{Lab, Running};
use crate::support::{TYPE_A, city, query, zones};

/// Networks in the database.
const NETWORKS: u32 = 20_000;
/// Queries sent before the first answer is read, so that they form batches.
const AT_ONCE: usize = 16;
/// How often each kind of query is sent.
const TIMES: usize = 10;

pub(crate) fn a_worker_receives_and_sends_and_does_nothing_else() {
    let lab = Lab::new(&[("bench.test.toml", &zones::every_policy(100))]);
    fs::write(lab.path("city.mmdb"), city::file(NETWORKS)).unwrap();
    lab.write(
        "fiftythree.toml",
        "[dns]\nlisten = ['127.0.0.1:0']\nworkers = 1\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n\
         [admin]\nlisten = 'off'\n[location]\ngeoip = ['city.mmdb']\n",
    );
    let server = lab.serve();
    let trace = lab.path("trace");
    let tracer = Tracer::attach(&worker(&server), &trace);
    let sends = || fs::read_to_string(&trace).unwrap().matches("sendmmsg(").count();
    let mut sent = ask_everything(server.address);
    let at_first = sends();
    thread::scope(|scope| {
        scope.spawn(|| {
            lab.write("zones/bench.test.toml", &(zones::every_policy(100) + &zones::one_more("turn", 1)));
            server.wait_for_log("bench.test. changed");
        });
        // During loading and publishing, and afterwards.
        while !server.log().contains("bench.test. changed") {
            sent += ask_everything(server.address);
        }
    });
    let until_then = sends();
    sent += ask_everything(server.address);
    tracer.end();
    assert!(0 < at_first && at_first < until_then && until_then < sends(), "strace traced all the time");
    assert!(sends() < sent, "{} calls send the answers to {sent} queries", sends());
    let text = fs::read_to_string(&trace).unwrap();
    let calls = text.lines().filter_map(|line| line.split_once('(')).map(|(name, _)| name);
    let others: Vec<&str> = calls.filter(|name| !["recvmmsg", "sendmmsg"].contains(name)).collect();
    assert!(others.is_empty(), "system calls other than receive and send: {others:?}");
}

/// The thread that answers over UDP.
fn worker(server: &Running) -> String {
    let threads = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let mut threads = threads.map(|thread| thread.unwrap().path());
    // Other threads may end while this looks: a thread that is gone has no name.
    let is_worker = |thread: &Path| fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("udp"));
    let worker = threads.find(|thread| is_worker(thread)).expect("a thread is named so");
    worker.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Sends every kind of query in batches and reads all answers. Returns their number.
fn ask_everything(server: SocketAddr) -> usize {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut rng = fastrand::Rng::with_seed(53);
    let policies = zones::POLICIES.iter().map(|(name, _)| *name);
    let mut answers = 0;
    for name in policies.chain(["nobody", "any.wild", "docs", "www.child", "h7"]).flat_map(|name| [name; TIMES]) {
        for number in 0..AT_ONCE {
            let client = (number % 2 == 1).then(|| city::client(NETWORKS, &mut rng));
            socket.send(&query(&format!("{name}.bench.test"), TYPE_A, client)).unwrap();
        }
        for _ in 0..AT_ONCE {
            let mut answer = [0; 4096];
            let octets = socket.recv(&mut answer).expect("every query is answered");
            // RFC 1035 section 4.1.1: RCODE 0 or 3.
            assert!(octets > 12 && [0, 3].contains(&(answer[3] & 0xf)), "{name}: {:?}", &answer[..octets]);
            answers += 1;
        }
    }
    answers
}

/// strace, attached to a thread.
struct Tracer {
    strace: Child,
    /// Kept open for the output of strace.
    _output: Lines<BufReader<ChildStderr>>,
}

impl Tracer {
    fn attach(thread: &str, trace: &Path) -> Tracer {
        let mut command = Command::new("strace");
        command.args(["-p", thread, "-o"]).arg(trace).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut strace = command.spawn().unwrap();
        let mut output = BufReader::new(strace.stderr.take().unwrap()).lines();
        // `Process 1234 attached`, or the error.
        let first = output.next().unwrap().unwrap();
        assert!(first.ends_with("attached"), "{first}");
        Tracer { strace, _output: output }
    }

    fn end(mut self) {
        let kill = format!("kill -INT {}", self.strace.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.strace.wait().unwrap();
    }
}
