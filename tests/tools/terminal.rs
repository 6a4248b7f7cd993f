//! `fiftythree watch` and the screen of `fiftythree demo` in a real terminal: tmux.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Lab, PATIENCE, WebServer, text};

const FIFTYTHREE: &str = env!("CARGO_BIN_EXE_fiftythree");
/// How often the terminal is polled.
const STEP: Duration = Duration::from_millis(50);

/// A primary that a web server keeps healthy, and a secondary without a check.
fn zone(port: u16) -> String {
    let record = |identifier: &str, role: &str, address: &str, more: &str| {
        format!(
            "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{identifier}'\nfailover = '{role}'\nttl = 5\n\
             values = ['{address}']\n{more}\n"
        )
    };
    let blue = record("blue", "primary", "192.0.2.11", "health_check = 'app-blue'");
    let green = record("green", "secondary", "192.0.2.12", "");
    format!(
        "name = 'lab.test'\n{blue}{green}[[health_check]]\nname = 'app-blue'\ntype = 'http'\n\
         ip_address = '127.0.0.1'\nport = {port}\nrequest_interval = 1\nfailure_threshold = 2\n"
    )
}

/// A real terminal with a shell that runs one command and prints its exit status.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(name: &str, size: (u16, u16), command: &str) -> Terminal {
        let terminal = Terminal { socket: format!("fiftythree-{name}-{}", std::process::id()) };
        let (columns, rows) = (size.0.to_string(), size.1.to_string());
        // The output after the end shows that the terminal was restored: ordinary screen, with
        // echo.
        let script =
            format!("{command}; echo \"ended with $?\"; stty -a | grep -ow -e '-*echo' -e '-*icanon'; sleep 60");
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, &script]);
        terminal
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
        // The flags of the terminal are printed one after the other.
        let screen = self.wait_for("the end", |screen| screen.contains("icanon") && screen.contains("\necho"));
        assert!(screen.contains("ended with 0") && screen.contains("\nicanon"), "{screen}");
        assert!(!screen.contains("what happened"), "the screen was not given back:\n{screen}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

pub(crate) fn a_watch_fills_the_terminal_follows_its_size_and_gives_it_back() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let running = lab.serve();
    let command = format!("{FIFTYTHREE} watch app.lab.test --server {} --admin {}", running.address, running.admin());
    let terminal = Terminal::start("watch", (80, 24), &command);
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

pub(crate) fn health_checks_are_shown_live_on_a_screen_too() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let running = lab.serve();
    let command = format!("{FIFTYTHREE} health --watch --admin {}", running.admin());
    let terminal = Terminal::start("health", (80, 24), &command);
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

pub(crate) fn ctrl_c_and_sigterm_give_the_terminal_back() {
    let lab = Lab::new(&[("lab.test.toml", &zone(1))]);
    let running = lab.serve();
    let watch = format!("{FIFTYTHREE} watch app.lab.test --server {} --admin {}", running.address, running.admin());
    let terminal = Terminal::start("ctrl-c", (80, 24), &watch);
    terminal.wait_for_text("▸ 192.0.2.1");
    terminal.press("C-c");
    terminal.wait_for_end();
    // The shell prints its process id, then replaces itself.
    let pid = lab.path("pid");
    let command = format!("sh -c 'echo $$ > {}; exec {watch}'", pid.display());
    let terminal = Terminal::start("sigterm", (80, 24), &command);
    terminal.wait_for_text("▸ 192.0.2.1");
    let kill = format!("kill -TERM $(cat {})", pid.display());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    terminal.wait_for_end();
}

pub(crate) fn the_keys_of_the_demo_stop_and_start_move_the_client_and_change_weights() {
    let terminal = Terminal::start("demo", (100, 40), &format!("{FIFTYTHREE} demo"));
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
