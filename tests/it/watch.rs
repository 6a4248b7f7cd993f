//! `fiftythree watch` and the screen of `fiftythree demo`: as lines, and in a real terminal (tmux).
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Lab, PATIENCE, Running, WebServer, text};
use serde_json::Value;

const FIFTYTHREE: &str = env!("CARGO_BIN_EXE_fiftythree");
/// How often the terminal is polled.
const STEP: Duration = Duration::from_millis(50);

/// A primary that a web server keeps healthy, and a secondary without a check.
fn zone(port: u16) -> String {
    format!(
        "name = 'lab.test'

[[record]]
name = 'app'
type = 'A'
set_identifier = 'blue'
failover = 'primary'
ttl = 5
values = ['192.0.2.11']
health_check = 'app-blue'

[[record]]
name = 'app'
type = 'A'
set_identifier = 'green'
failover = 'secondary'
ttl = 5
values = ['192.0.2.12']

[[health_check]]
name = 'app-blue'
type = 'http'
ip_address = '127.0.0.1'
port = {port}
request_interval = 1
failure_threshold = 2
"
    )
}

fn watch(running: &Running, arguments: &[&str]) -> Command {
    let (server, admin) = (running.address.to_string(), running.admin());
    let mut command = Command::new(FIFTYTHREE);
    command.args(["watch", "app.lab.test", "--server", &server, "--admin", &admin]).args(arguments);
    command
}

#[test]
fn lines_tell_of_a_failover_and_how_long_it_took() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let running = lab.serve();
    let mut watching =
        watch(&running, &["--json", "--rate", "50", "--for", "60s"]).stdout(Stdio::piped()).spawn().unwrap();
    let (sender, events) = mpsc::channel::<Value>();
    let stdout = BufReader::new(watching.stdout.take().unwrap());
    thread::spawn(move || {
        let lines = stdout.lines().map_while(Result::ok);
        lines.for_each(|line| drop(sender.send(serde_json::from_str(&line).unwrap())));
    });
    let next = |event: &str| loop {
        let value = events.recv_timeout(PATIENCE).unwrap();
        if value["event"] == event {
            return value;
        }
    };
    let first = next("answer");
    assert_eq!((first["answer"].as_str(), &first["before"]), (Some("192.0.2.11"), &Value::Null));
    // Long enough for the answer to count as stable.
    thread::sleep(Duration::from_secs(1));
    web.stop();
    // Either may come first: queries and health requests have separate schedules.
    let (mut changed, mut status_change, mut answered_first) = (Value::Null, Value::Null, false);
    while changed.is_null() || status_change.is_null() {
        let value = events.recv_timeout(PATIENCE).unwrap();
        match value["event"].as_str() {
            Some("answer") => changed = value,
            Some("status_changed") => (status_change, answered_first) = (value, !changed.is_null()),
            _ => {}
        }
    }
    assert_eq!((changed["answer"].as_str(), changed["before"].as_str()), (Some("192.0.2.12"), Some("192.0.2.11")));
    assert_eq!(
        (status_change["check"].as_str(), status_change["status"].as_str()),
        (Some("app-blue"), Some("unhealthy"))
    );
    // Two failures in a row, a second apart.
    let to_change = status_change["seconds_since_first_probe"].as_f64().unwrap();
    let to_answer = status_change["seconds_to_first_changed_answer"].as_f64();
    assert!((0.9..10.0).contains(&to_change), "{status_change}");
    assert_eq!(to_answer.is_some(), answered_first, "{status_change}");
    assert!(to_answer.is_none_or(|seconds| (to_change - 0.3..to_change + 3.0).contains(&seconds)), "{status_change}");
    let kill = format!("kill -TERM {}", watching.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let end = next("end");
    assert_eq!(end["answers"].as_array().unwrap().len(), 2, "{end}");
    assert!(watching.wait().unwrap().success());
}

#[test]
fn so_many_answers_are_asked_for_and_no_more() {
    let lab = Lab::new(&[("lab.test.toml", &zone(1))]);
    let running = lab.serve();
    let output = watch(&running, &["--count", "20", "--rate", "200"]).output().unwrap();
    assert!(output.status.success());
    let shown = text(&output.stdout);
    assert!(shown.lines().last().unwrap().contains("app.lab.test A: 20 answers in "), "{shown}");
}

#[test]
fn without_an_admin_side_it_says_so_and_goes_on() {
    let lab = Lab::new(&[("lab.test.toml", &zone(1))]);
    let running = lab.serve();
    let server = running.address.to_string();
    let arguments = ["watch", "app.lab.test", "--server", &server, "--admin", "127.0.0.1:1", "--for", "1s"];
    let output = Command::new(FIFTYTHREE).args(arguments).output().unwrap();
    assert!(output.status.success());
    let shown = text(&output.stdout);
    assert!(shown.contains("health is not shown: the server's admin side at 127.0.0.1:1 cannot be reached"), "{shown}");
    assert!(shown.contains("app.lab.test A is 192.0.2.1"), "{shown}");
}

#[test]
fn a_server_that_never_replies_is_a_failure() {
    let arguments =
        ["watch", "app.lab.test", "--server", "127.0.0.1:1", "--admin", "127.0.0.1:1", "--count", "1", "--json"];
    let output = Command::new(FIFTYTHREE).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "error: 127.0.0.1:1 did not reply\n");
    assert!(text(&output.stdout).contains("(no reply: unreachable)"), "{}", text(&output.stdout));
}

/// A real terminal with a shell that runs one command and prints its exit status.
struct Terminal {
    socket: String,
}

impl Terminal {
    /// `None` if tmux is not installed, which is printed.
    fn start(name: &str, size: (u16, u16), command: &str) -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("!!!!! NOT CHECKED: {name}. There is no tmux.");
            return None;
        }
        let terminal = Terminal { socket: format!("fiftythree-{name}-{}", std::process::id()) };
        let (columns, rows) = (size.0.to_string(), size.1.to_string());
        // The output after the end shows that the terminal was restored: ordinary screen, with
        // echo.
        let script =
            format!("{command}; echo \"ended with $?\"; stty -a | grep -ow -e '-*echo' -e '-*icanon'; sleep 60");
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, &script]);
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.socket]).args(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Waits until the screen matches, and returns it.
    fn wait_for(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if is_there(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "{what} is not on the screen:\n{screen}");
            thread::sleep(STEP);
        }
    }

    fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| screen.contains(text))
    }

    /// Checks that the program succeeded and the terminal was restored.
    fn wait_for_end(&self) {
        let screen = self.wait_for("the end", |screen| screen.contains("icanon"));
        assert!(screen.contains("ended with 0"), "{screen}");
        assert!(screen.contains("\nicanon") && screen.contains("\necho"), "{screen}");
        assert!(!screen.contains("what happened"), "the screen was not given back:\n{screen}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

#[test]
fn a_watch_fills_the_terminal_follows_its_size_and_gives_it_back() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let running = lab.serve();
    let command = format!("{FIFTYTHREE} watch app.lab.test --server {} --admin {}", running.address, running.admin());
    let Some(terminal) = Terminal::start("watch", (80, 24), &command) else { return };
    let screen = terminal.wait_for_text("● app-blue healthy");
    assert!(screen.contains("▸ 192.0.2.11 ") && screen.contains("100.0 %"), "{screen}");
    web.stop();
    terminal.wait_for_text("app.lab.test A 192.0.2.11 → 192.0.2.12");
    terminal.wait_for_text("✕ app-blue unhealthy");
    terminal.tmux(&["resize-window", "-x", "40", "-y", "10"]);
    let small = terminal.wait_for("the small picture", |screen| {
        screen.lines().all(|line| line.chars().count() <= 40) && screen.contains("q quit")
    });
    assert!(small.contains("✕ app-blue") && small.contains("▸ 192.0.2.12"), "{small}");
    terminal.press("?");
    terminal.wait_for_text("q, Esc, Ctrl-C  quit");
    terminal.press("Escape");
    terminal.wait_for("no help", |screen| !screen.contains("Ctrl-C  quit"));
    terminal.press("q");
    terminal.wait_for_end();
}

#[test]
fn health_checks_are_shown_live_on_a_screen_too() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let running = lab.serve();
    let command = format!("{FIFTYTHREE} health --watch --admin {}", running.admin());
    let Some(terminal) = Terminal::start("health", (80, 24), &command) else { return };
    let screen = terminal.wait_for_text("● app-blue healthy");
    assert!(screen.contains("fiftythree health") && screen.contains("0 unhealthy"), "{screen}");
    web.stop();
    let screen = terminal.wait_for_text("app-blue is unhealthy");
    assert!(screen.contains("✕ app-blue unhealthy") && screen.contains("1 unhealthy"), "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    terminal.press("q");
    terminal.wait_for_end();
    let unknown = format!("{FIFTYTHREE} health nothing --watch --admin {}", running.admin());
    let output = Command::new("sh").args(["-c", &unknown]).output().unwrap();
    assert!(text(&output.stderr).contains("no health check is called `nothing`"), "{}", text(&output.stderr));
}

#[test]
fn ctrl_c_and_sigterm_give_the_terminal_back() {
    let lab = Lab::new(&[("lab.test.toml", &zone(1))]);
    let running = lab.serve();
    let watch = format!("{FIFTYTHREE} watch app.lab.test --server {} --admin {}", running.address, running.admin());
    let Some(terminal) = Terminal::start("ctrl-c", (80, 24), &watch) else { return };
    terminal.wait_for_text("▸ 192.0.2.1");
    terminal.press("C-c");
    terminal.wait_for_end();
    // The shell prints its process id, then replaces itself.
    let pid = lab.path("pid");
    let command = format!("sh -c 'echo $$ > {}; exec {watch}'", pid.display());
    let Some(terminal) = Terminal::start("sigterm", (80, 24), &command) else { return };
    terminal.wait_for_text("▸ 192.0.2.1");
    let kill = format!("kill -TERM $(cat {})", pid.display());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    terminal.wait_for_end();
}

#[test]
fn the_keys_of_the_demo_stop_and_start_move_the_client_and_change_weights() {
    let Some(terminal) = Terminal::start("demo", (100, 40), &format!("{FIFTYTHREE} demo")) else { return };
    let screen = terminal.wait_for("four healthy backends", |screen| screen.matches("● ").count() == 4);
    assert!(screen.contains("weighted 6 : 3 : 1") && screen.contains("client in Munich"), "{screen}");
    // Long enough for answers to count as stable.
    thread::sleep(Duration::from_secs(1));
    terminal.press("p");
    terminal.wait_for_text("client in New York");
    terminal.wait_for_text("near.demo.test A 127.0.53.11 berlin → 127.0.53.13 oregon");
    terminal.press("+");
    terminal.wait_for_text("you wrote the weights 5 : 3 : 2");
    terminal.press("1");
    terminal.wait_for_text("✕ berlin unhealthy");
    terminal.wait_for_text("app.demo.test A 127.0.53.11 berlin → 127.0.53.12 dublin");
    terminal.press("1");
    terminal.wait_for_text("app.demo.test A 127.0.53.12 dublin → 127.0.53.11 berlin");
    terminal.press("d");
    terminal.wait_for_text("overridden by demo: maintenance");
    terminal.press("d");
    terminal.press("l");
    terminal.wait_for_text("health check berlin is unhealthy");
    terminal.press("Escape");
    terminal.press("q");
    terminal.wait_for_end();
}
