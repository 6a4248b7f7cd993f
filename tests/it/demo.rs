//! `fiftythree demo`, with the real binary.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{PATIENCE, text};

/// A running backend and its response.
struct Backend {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Backend {
    fn start(arguments: &[&str]) -> Backend {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
        command.args(["demo", "backend", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut backend = Backend { child, lines, address: String::new() };
        let line = backend.line();
        backend.address = line.split_once("http://").expect(&line).1.trim().to_owned();
        backend
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{request} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        text(&reply)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_backend_returns_its_name_and_fails_on_request() {
    let mut backend = Backend::start(&["--name", "blue", "--status", "201"]);
    let reply = backend.ask("GET /health");
    assert!(reply.starts_with("HTTP/1.1 201 ") && reply.ends_with("\r\n\r\nblue\n"), "{reply}");
    backend.ask("POST /fail");
    assert_eq!(backend.line(), "blue fails from now on\n");
    assert!(backend.ask("GET /health").starts_with("HTTP/1.1 503 "));
    backend.ask("POST /recover");
    assert!(backend.ask("GET /health").starts_with("HTTP/1.1 201 "));
}

#[test]
fn a_backend_takes_the_time_it_was_given() {
    let backend = Backend::start(&["--delay", "300ms"]);
    let began = Instant::now();
    backend.ask("GET /");
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
}

/// Also while a client waits for an answer.
#[test]
fn a_signal_ends_a_backend_at_once() {
    let mut backend = Backend::start(&["--delay", "60s"]);
    let mut waiting = TcpStream::connect(&backend.address).unwrap();
    waiting.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    let began = Instant::now();
    let kill = format!("kill -TERM {}", backend.child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert!(backend.child.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// A signal during the demo or its start leaves no processes or files.
#[test]
fn a_signal_ends_the_script_and_removes_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
    command.args(["demo", "--script"]).env("TMPDIR", directory.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("started"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(1), "error: stopped by a signal\n"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_script_ends_with_what_was_measured_and_all_is_as_expected() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
    let output = command.args(["demo", "--script", "--log"]).arg(log.path()).output().unwrap();
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("12 of 12 steps as expected"), "{shown}");
    assert!(!shown.contains("FAILED"), "{shown}");
    // The times are measured: three results in a row take at least two seconds between the first
    // and the last.
    for what in ["failover: berlin stops, dublin answers", "failback: berlin is back and answers"] {
        let row = shown.lines().filter_map(|line| line.strip_prefix(what)).next_back().expect(what);
        let seconds: f64 = row.trim_start().split(' ').next().unwrap().parse().expect(row);
        assert!((2.0..=5.0).contains(&seconds), "{what}: {seconds}\n{shown}");
    }
    let logged = std::fs::read_to_string(log.path()).unwrap();
    assert!(logged.contains("health check berlin is unhealthy"), "{logged}");
    assert!(!shown.contains("WARN"), "{shown}");
}

#[test]
fn the_script_prints_json_too() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
    let output = command.args(["demo", "--json"]).output().unwrap();
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let end = lines.last().unwrap();
    assert_eq!((end["event"].as_str(), end["passed"].as_bool()), (Some("end"), Some(true)), "{end}");
    assert!(lines.iter().any(|line| line["event"] == "stopped"));
    assert_eq!(end["measured"].as_array().unwrap().len(), 12);
}
