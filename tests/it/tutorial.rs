//! `docs/tutorial.md`, done as a reader would: each command and each edit in order, and all output
//! that the page shows.
//!
//! In the page:
//!
//! - `console` blocks: what follows `$ ` is typed, the rest must be shown. A block without a
//!   command is more output of the server.
//! - `diff` blocks: an edit of the file after `+++`. `@@` separates its parts.
//! - `<http://…>` is a page that opens.
//! - `…` is any text; alone on a line, any number of lines. As many spaces as there are count as
//!   one.
#![cfg(unix)]

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{PATIENCE, collect, get, text, wait_for};

const CLONE: &str = "## From a clone";
const IMAGE: &str = "## From the image";
/// The program as the page calls it.
const PROGRAM: &str = "target/release/fiftythree";
/// Commands that ask and change nothing. They may be repeated until the answer is as shown.
const ASK: [&str; 5] = ["dig ", " query ", " health", " explain ", " check "];
/// The ports of the page. Free ones take their places, except in containers.
const PORTS: [&str; 4] = ["5300", "8053", "8080", "8081"];

/// Something that the reader does or sees.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Type {
        command: String,
        shown: Vec<String>,
    },
    /// The server shows these lines, perhaps among others.
    Log(Vec<String>),
    Edit {
        file: String,
        parts: Vec<Replacement>,
    },
    Open {
        address: String,
        path: String,
    },
}

/// A part of an edit: these lines are replaced.
#[derive(Debug, Default, PartialEq, Eq)]
struct Replacement {
    old: String,
    new: String,
}

#[test]
fn from_a_clone() {
    play(CLONE, 20, PORTS.map(|port| (port, free_port())));
}

#[test]
#[ignore = "needs a container engine with the image `fiftythree`; .ci/container runs it"]
fn from_the_image() {
    play(IMAGE, 8, PORTS.map(|port| (port, port.to_owned())));
}

/// With fewer steps than these, this test would no longer parse the page correctly.
fn play(section: &str, fewest_steps: usize, ports: [(&'static str, String); 4]) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md")).unwrap();
    let steps = steps(&page, section);
    assert!(steps.len() >= fewest_steps, "only {} steps found", steps.len());
    let mut reader = Reader::new(ports);
    for (line, step) in &steps {
        if let Err(problem) = reader.does(step) {
            panic!("docs/tutorial.md:{line}: {step:#?}\n{problem}\n--- the server:\n{}", reader.server_output());
        }
    }
}

// --- reading the page ---------------------------------------------------------------------------

/// The steps of a section, each with its line number.
fn steps(page: &str, section: &str) -> Vec<(usize, Step)> {
    let mut steps = Vec::new();
    let mut lines = page.lines().enumerate().skip_while(|(_, line)| *line != section).skip(1);
    while let Some((index, line)) = lines.next().filter(|(_, line)| !line.starts_with("## ")) {
        let number = index + 1;
        if let Some((_, url)) = line.split_once("<http://") {
            let (address, path) = url.split_once('>').unwrap().0.split_once('/').unwrap();
            steps.push((number, Step::Open { address: address.to_owned(), path: format!("/{path}") }));
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|(_, line)| *line != "```").collect();
        match kind {
            "console" => steps.extend(console(&block)),
            "diff" => steps.push((number, edit(block.iter().map(|(_, line)| *line)))),
            _ => {}
        }
    }
    steps
}

fn console(block: &[(usize, &str)]) -> Vec<(usize, Step)> {
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (index, line) in block {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push((index + 1, Step::Type { command: command.to_owned(), shown: Vec::new() }));
            continue;
        }
        if steps.is_empty() {
            steps.push((index + 1, Step::Log(Vec::new())));
        }
        match &mut steps.last_mut().unwrap().1 {
            Step::Type { shown, .. } | Step::Log(shown) => shown.push((*line).to_owned()),
            Step::Edit { .. } | Step::Open { .. } => unreachable!("not in a console"),
        }
    }
    steps
}

fn edit<'a>(mut block: impl Iterator<Item = &'a str>) -> Step {
    let file = block.next().and_then(|line| line.strip_prefix("+++ ")).expect("a diff names its file").to_owned();
    let mut parts = vec![Replacement::default()];
    for line in block {
        if line.starts_with("@@") {
            parts.push(Replacement::default());
            continue;
        }
        let (sign, line) = line.split_at(1);
        let part = parts.last_mut().unwrap();
        if sign != "+" {
            part.old += &format!("{line}\n");
        }
        if sign != "-" {
            part.new += &format!("{line}\n");
        }
    }
    Step::Edit { file, parts }
}

// --- doing it -----------------------------------------------------------------------------------

/// Somebody who follows the page in an empty directory.
struct Reader {
    directory: tempfile::TempDir,
    /// Each port of the page and the one used here.
    ports: [(&'static str, String); 4],
    /// What runs until Ctrl-C, and its output.
    programs: Vec<(Child, Arc<Mutex<String>>)>,
    /// The output of the server, and how many lines of it the page has shown.
    server: Arc<Mutex<String>>,
    lines_shown: usize,
}

impl Reader {
    fn new(ports: [(&'static str, String); 4]) -> Reader {
        Reader {
            directory: tempfile::tempdir().unwrap(),
            ports,
            programs: Vec::new(),
            server: Arc::default(),
            lines_shown: 0,
        }
    }

    fn does(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Type { command, shown } if runs_until_stopped(command) => self.start(command, shown),
            Step::Type { command, shown } => self.run(command, shown),
            Step::Log(shown) => self.sees_in_the_log(shown),
            Step::Edit { file, parts } => self.edit(file, parts),
            Step::Open { address, path } => {
                let page = get(&self.with_free_ports(address), path, "text/html").unwrap_or_default();
                if page.contains("<title>") { Ok(()) } else { Err(format!("this is not a page:\n{page}")) }
            }
        }
    }

    /// Starts a program, and waits until it has shown this.
    fn start(&mut self, command: &str, shown: &[String]) -> Result<(), String> {
        let mut child = self.shell(command).stdout(Stdio::piped()).spawn().unwrap();
        let output = collect(child.stdout.take().unwrap());
        if command.contains(" serve ") {
            self.server = Arc::clone(&output);
        }
        self.programs.push((child, Arc::clone(&output)));
        self.waits_for(shown, || output.lock().unwrap().clone())
    }

    /// Runs a command once if it asks for a change, and else until it shows this.
    fn run(&mut self, command: &str, shown: &[String]) -> Result<(), String> {
        if ASK.iter().any(|name| command.contains(name)) {
            return self.waits_for(shown, || self.output_of(command));
        }
        let output = self.output_of(command);
        if command.contains(" init ") {
            self.take_free_ports();
        }
        let output = self.as_on_the_page(&output);
        if has_lines(shown, &output) { Ok(()) } else { Err(format!("--- shown here:\n{output}")) }
    }

    fn output_of(&self, command: &str) -> String {
        if let Some(url) = command.strip_prefix("curl -X POST http://") {
            return post(&self.with_free_ports(url));
        }
        text(&self.shell(command).output().unwrap().stdout)
    }

    fn sees_in_the_log(&mut self, shown: &[String]) -> Result<(), String> {
        for line in shown {
            let began = Instant::now();
            self.lines_shown = loop {
                let output = self.server_output();
                let mut lines = output.lines().enumerate().skip(self.lines_shown);
                if let Some((index, _)) = lines.find(|(_, actual)| line_matches(line, actual)) {
                    break index + 1;
                }
                if began.elapsed() > PATIENCE {
                    return Err(format!("the server does not show `{line}`"));
                }
                thread::sleep(Duration::from_millis(20));
            };
        }
        Ok(())
    }

    fn edit(&self, file: &str, parts: &[Replacement]) -> Result<(), String> {
        let path = self.directory.path().join(file);
        let mut content = fs::read_to_string(&path).unwrap();
        for part in parts {
            let (old, new) = (self.with_free_ports(&part.old), self.with_free_ports(&part.new));
            // From the beginning of a line.
            let (old, new) = (format!("\n{old}"), format!("\n{new}"));
            if content.matches(&old).count() != 1 {
                return Err(format!("{file} does not have these lines once:{old}--- but is:\n{content}"));
            }
            content = content.replace(&old, &new);
        }
        fs::write(&path, content).unwrap();
        Ok(())
    }

    /// Waits until `output` is as the page shows it.
    fn waits_for(&self, shown: &[String], output: impl Fn() -> String) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let actual = self.as_on_the_page(&output());
            if has_lines(shown, &actual) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("--- shown here:\n{actual}"));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// A line for a shell, with both of its outputs in one.
    fn shell(&self, command: &str) -> Command {
        let program = format!("'{}'", env!("CARGO_BIN_EXE_fiftythree"));
        let mut line = self.with_free_ports(command).replace(PROGRAM, &program);
        if let Some(question) = line.strip_prefix("dig +short @127.0.0.1 -p ").filter(|_| !has_dig()) {
            let (port, name) = question.split_once(' ').unwrap();
            line = format!("{program} query {name} --short --server 127.0.0.1:{port}");
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec {line} 2>&1")]).current_dir(self.directory.path()).stdin(Stdio::null());
        for variable in ["FIFTYTHREE_CONFIG", "FIFTYTHREE_ADMIN_TOKEN", "RUST_LOG", "JOURNAL_STREAM"] {
            shell.env_remove(variable);
        }
        shell
    }

    /// In the files of `init`.
    fn take_free_ports(&self) {
        for file in ["fiftythree.toml", "zones/home.test.toml"] {
            let path = self.directory.path().join("my-dns").join(file);
            let content = fs::read_to_string(&path).unwrap();
            fs::write(&path, self.with_free_ports(&content)).unwrap();
        }
    }

    fn with_free_ports(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (page, free)| text.replace(page, free))
    }

    fn as_on_the_page(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (page, free)| text.replace(free, page))
    }

    fn server_output(&self) -> String {
        self.as_on_the_page(&self.server.lock().unwrap())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for (child, _) in &mut self.programs {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn runs_until_stopped(command: &str) -> bool {
    command.starts_with(PROGRAM) && [" serve ", " demo backend "].iter().any(|name| command.contains(name))
}

fn has_dig() -> bool {
    Command::new("dig").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// As `curl -X POST` does it.
fn post(url: &str) -> String {
    use std::io::{Read as _, Write as _};
    let (address, path) = url.split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// A port that is free for UDP and TCP, and does not contain one of the page.
fn free_port() -> String {
    wait_for("free port", || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let port = address.port().to_string();
        (TcpListener::bind(address).is_ok() && !PORTS.iter().any(|page| port.contains(page))).then_some(port)
    })
}

// --- comparing ----------------------------------------------------------------------------------

fn has_lines(shown: &[String], output: &str) -> bool {
    lines_match(shown, &output.lines().collect::<Vec<_>>())
}

/// Whether all lines are as shown; `…` alone is any number of them.
fn lines_match(shown: &[impl AsRef<str>], actual: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return actual.is_empty() };
    if first.as_ref() == "…" {
        return (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..]));
    }
    actual.split_first().is_some_and(|(line, others)| line_matches(first.as_ref(), line) && lines_match(rest, others))
}

fn line_matches(shown: &str, actual: &str) -> bool {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, actual) = (squeeze(shown), squeeze(actual));
    let mut parts = shown.split('…');
    let Some(mut rest) = actual.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn output_that_differs_is_noticed() {
    let good: &[(&[&str], &[&str])] = &[
        (&["a  b"], &["a\tb "]),
        (&["…", "since … s  10.1"], &["x", "since 0.0 s  10.1"]),
        (&["id: …, x …"], &["id: 17, x y"]),
        (&["a", "…"], &["a"]),
        (&["…", "b", "…", "d"], &["a", "b", "c", "b", "d"]),
        (&[], &[]),
    ];
    let bad: &[(&[&str], &[&str])] = &[
        (&["a b"], &["ab"]),
        (&["a"], &[]),
        (&["a"], &["a", "b"]),
        (&[], &["a"]),
        (&["1.2"], &["1x2"]),
        (&["a … b"], &["a x c"]),
        (&["a … bc"], &["a bc d"]),
        (&["ab…ba"], &["aba"]),
        (&["…", "192.0.2.20"], &["192.0.2.20", "127.0.0.1"]),
    ];
    for (shown, actual) in good {
        assert!(lines_match(shown, actual), "{shown:?} {actual:?}");
    }
    for (shown, actual) in bad {
        assert!(!lines_match(shown, actual), "{shown:?} {actual:?}");
    }
}

#[test]
fn steps_are_found_in_the_section_only() {
    let page = "```console\n$ no\n```\n## From a clone\nOpen <http://h:1/x>.\n```sh\nno\n```\n```console\n$ a\nb\n$ c\n```\n\
                ```diff\n+++ f\n x\n-y\n+z\n@@\n+w\n```\n```console\nlog\n```\n## Next\n```console\n$ no\n```\n";
    let part = |old: &str, new: &str| Replacement { old: old.to_owned(), new: new.to_owned() };
    let typed = |command: &str, shown: &[&str]| Step::Type {
        command: command.to_owned(),
        shown: shown.iter().map(|line| (*line).to_owned()).collect(),
    };
    let expected = [
        (5, Step::Open { address: "h:1".to_owned(), path: "/x".to_owned() }),
        (10, typed("a", &["b"])),
        (12, typed("c", &[])),
        (14, Step::Edit { file: "f".to_owned(), parts: vec![part("x\ny\n", "x\nz\n"), part("", "w\n")] }),
        (23, Step::Log(vec!["log".to_owned()])),
    ];
    assert_eq!(steps(page, CLONE), expected);
}
