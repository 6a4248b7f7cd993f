//! What `fiftythree demo` promises, kept by the real binary.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a test may fail so

mod server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use server::{PATIENCE, text};

/// A backend that runs, and what it says.
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
fn a_backend_says_its_name_and_fails_when_told_to() {
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

/// Even while somebody waits for an answer.
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
