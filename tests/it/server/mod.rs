//! The real binary with its own files, queried over loopback. Shared by the tests that need it.
#![allow(dead_code)] // each test binary uses its part of this
#![allow(clippy::unwrap_used)] // a test may fail so

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption};
use hickory_proto::rr::{Name, RData, RecordType};

/// Far longer than any operation takes: only a bug or a very busy machine makes a test wait this
/// long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The polling interval.
const STEP: Duration = Duration::from_millis(10);

/// A directory with settings and zones.
pub(crate) struct Lab {
    directory: tempfile::TempDir,
}

/// A running server.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// A short form of the answer: its code and its sorted addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: ResponseCode,
    pub(crate) addresses: Vec<String>,
}

impl Lab {
    /// Creates settings with a free port, and these zone files.
    pub(crate) fn new(zones: &[(&str, &str)]) -> Lab {
        let lab = Lab { directory: tempfile::tempdir().unwrap() };
        lab.write(
            "fiftythree.toml",
            "[dns]\nlisten = ['127.0.0.1:0']\nnsid = 'lab-1'\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n\
             [admin]\nlisten = '127.0.0.1:0'\n",
        );
        fs::create_dir(lab.path("zones")).unwrap();
        zones.iter().for_each(|(name, text)| lab.write(&format!("zones/{name}"), text));
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file atomically, as good editors do: to a temporary file, then renamed.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let (temporary, path) = (self.path(".temporary"), self.path(name));
        fs::write(&temporary, text).unwrap();
        fs::rename(&temporary, path).unwrap();
    }

    /// Appends these settings to those of `Lab::new`.
    pub(crate) fn add_settings(&self, more: &str) {
        let settings = fs::read_to_string(self.path("fiftythree.toml")).unwrap() + more;
        self.write("fiftythree.toml", &settings);
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A command that is not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
        command.args(arguments).current_dir(self.directory.path());
        command
            .env("FIFTYTHREE_CONFIG", self.path("fiftythree.toml"))
            .env_remove("RUST_LOG")
            .env_remove("JOURNAL_STREAM");
        command
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn serve(&self) -> Running {
        self.serve_with(&[], &[])
    }

    /// The same with more arguments and variables.
    pub(crate) fn serve_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        self.serve_logging_to(Stdio::piped(), arguments, variables)
    }

    /// The same with this standard error. `Running::log` works only if this function creates the
    /// pipe.
    pub(crate) fn serve_logging_to(
        &self,
        stderr: impl Into<Stdio>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Running {
        let mut command = self.command(&["serve"]);
        command.args(arguments).envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        // It has another handle of the standard error.
        drop(command);
        let log = child.stderr.take().map(collect).unwrap_or_default();
        let stdout = collect(child.stdout.take().unwrap());
        let began = Instant::now();
        let address = loop {
            let text = stdout.lock().unwrap().clone() + &log.lock().unwrap();
            if let Some(address) = listening(&text) {
                break address;
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended ({status}):\n{}", log.lock().unwrap());
            }
            assert!(began.elapsed() < PATIENCE, "the server does not listen:\n{text}\n{}", log.lock().unwrap());
            thread::sleep(STEP);
        };
        Running { child, address, log, stdout }
    }
}

/// The address in the log line about listening, once that line is complete; text or JSON.
fn listening(text: &str) -> Option<SocketAddr> {
    let (_, rest) = text.split_once("listening on ").or_else(|| text.split_once("\"address\":\""))?;
    rest.split_once([',', '"'])?.0.parse().ok()
}

/// The output of a process, as it comes.
pub(crate) fn collect(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = sink.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

impl Running {
    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// Waits until the log contains this.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let began = Instant::now();
        while !self.log().contains(text) {
            assert!(began.elapsed() < PATIENCE, "the log does not say `{text}`:\n{}", self.log());
            thread::sleep(STEP);
        }
    }

    /// The address of the admin interface.
    pub(crate) fn admin(&self) -> String {
        let began = Instant::now();
        loop {
            let text = self.stdout();
            if let Some((_, rest)) = text.split_once("status page: http://")
                && let Some((address, _)) = rest.split_once('/')
            {
                return address.to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "there is no admin side:\n{text}\n{}", self.log());
            thread::sleep(STEP);
        }
    }

    pub(crate) fn ask(&self, name: &str, transport: Transport) -> Answer {
        ask(self.address, name, transport)
    }

    /// Queries until the answer has these addresses. Returns how long it took.
    pub(crate) fn wait_for_answer(&self, name: &str, addresses: &[&str]) -> Duration {
        let began = Instant::now();
        loop {
            let answer = self.ask(name, Transport::Udp);
            if answer.addresses == addresses {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "{name} is {answer:?}, not {addresses:?}:\n{}", self.log());
            thread::sleep(STEP);
        }
    }

    /// Queries continuously until the answer is this one address. Returns how long it took, and
    /// each answer that differed from the previous one.
    pub(crate) fn follow(&self, name: &str, address: &str) -> (Duration, Vec<String>) {
        let began = Instant::now();
        let mut seen: Vec<String> = Vec::new();
        while seen.last().is_none_or(|last| last != address) {
            let answer = self.ask(name, Transport::Udp).addresses.join(", ");
            if seen.last() != Some(&answer) {
                seen.push(answer);
            }
            assert!(began.elapsed() < PATIENCE, "{name} was {seen:?}, not {address}:\n{}", self.log());
            thread::sleep(STEP);
        }
        (began.elapsed(), seen)
    }

    /// Sends a signal by name, through the shell, since no dependency can.
    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Stops the server as an init system does.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not stop:\n{}", self.log());
            thread::sleep(STEP);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Queries addresses. A datagram may be lost on a busy machine, so it is sent again.
pub(crate) fn ask(server: SocketAddr, name: &str, transport: Transport) -> Answer {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let bytes = question.to_vec().unwrap();
    let reply = match transport {
        Transport::Udp => (0..5).find_map(|_| ask_udp(server, &bytes)).expect("no answer over UDP"),
        Transport::Tcp => ask_tcp(server, &bytes),
    };
    read_answer(&reply, &question)
}

/// Sends one query over UDP from any address. `None` if there is no response within a second.
pub(crate) fn try_ask(server: SocketAddr, name: &str) -> Option<Answer> {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket.connect(server).ok()?;
    socket.send(&question.to_vec().unwrap()).ok()?;
    let mut reply = [0; 4096];
    let octets = socket.recv(&mut reply).ok()?;
    Some(read_answer(&reply[..octets], &question))
}

fn read_answer(reply: &[u8], question: &Message) -> Answer {
    let reply = Message::from_vec(reply).unwrap();
    assert_eq!(reply.metadata.id, question.metadata.id);
    let addresses = reply.answers.iter().filter_map(|record| match &record.data {
        RData::A(address) => Some(Ipv4Addr::from(*address).to_string()),
        RData::AAAA(address) => Some(Ipv6Addr::from(*address).to_string()),
        _ => None,
    });
    Answer { code: reply.metadata.response_code, addresses: addresses.collect() }
}

/// Sends a query over UDP with this client subnet.
pub(crate) fn ask_from(server: SocketAddr, name: &str, record_type: RecordType, subnet: Option<&str>) -> Answer {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
    if let Some(subnet) = subnet {
        let (address, prefix) = subnet.split_once('/').unwrap();
        let subnet = ClientSubnet::new(address.parse().unwrap(), prefix.parse().unwrap(), 0);
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Subnet(subnet));
        question.edns = Some(edns);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).unwrap();
    let mut reply = [0; 4096];
    let octets = socket.recv(&mut reply).unwrap();
    read_answer(&reply[..octets], &question)
}

fn ask_udp(server: SocketAddr, question: &[u8]) -> Option<Vec<u8>> {
    let any_port = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(any_port).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket.connect(server).unwrap();
    socket.send(question).ok()?;
    let mut reply = [0; 4096];
    let octets = socket.recv(&mut reply).ok()?;
    Some(reply[..octets].to_vec())
}

fn ask_tcp(server: SocketAddr, question: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = u16::try_from(question.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, question].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply).unwrap();
    reply
}

/// The body of the response; `None` if the server does not respond.
pub(crate) fn get(address: &str, path: &str, accept: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return Some(unchunked(body));
    }
    Some(body.to_owned())
}

/// A body without the lengths of its chunks.
pub(crate) fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
        if length == 0 {
            break;
        }
    }
    whole
}

/// A web server that responds OK to everything until it is stopped. Then connections are refused.
pub(crate) struct WebServer {
    pub(crate) port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Starts one on a free port.
    pub(crate) fn start() -> WebServer {
        WebServer::start_on(0)
    }

    /// Starts one on this loopback port. Connections of a previous server may block the port for a
    /// moment.
    pub(crate) fn start_on(port: u16) -> WebServer {
        WebServer::start_at((Ipv4Addr::LOCALHOST, port).into())
    }

    /// The same on any address of this host.
    pub(crate) fn start_at(address: SocketAddr) -> WebServer {
        let began = Instant::now();
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(began.elapsed() < PATIENCE, "cannot bind {address}: {error}"),
            }
            thread::sleep(STEP);
        };
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => say_ok(stream),
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        WebServer { port, stop, thread: Some(thread) }
    }

    /// Returns when connections are refused.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.end();
    }
}

fn say_ok(mut stream: TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut request = [0; 1024];
    let _ = stream.read(&mut request);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
}

/// `lab.test`: a name whose one address depends on a check of this port.
pub(crate) fn checked_zone(port: u16) -> String {
    format!(
        "name = 'lab.test'\nid = 'Z0LAB'\n[[record]]\nname = 'app'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.11']\n\
         health_check = 'blue'\n[[health_check]]\nname = 'blue'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n\
         request_interval = 1\nfailure_threshold = 1\n"
    )
}

/// Waits until `found` returns a value.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "there is no {what}");
        thread::sleep(STEP);
    }
}

/// Runs an asynchronous test.
pub(crate) fn block_on<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// The output of a process as a string.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path as it appears in messages.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
