//! A log that is not read or cannot be written delays nothing: answers, failover, SIGTERM. And the
//! log under systemd.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use fiftythree::config::LogFormat;
use fiftythree::logging;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::server::{Lab, PATIENCE, Running, Transport, WebServer, text};

const STEP: Duration = Duration::from_millis(20);

/// The default capacity of a pipe.
const PIPE_BYTES: usize = 64 * 1024;

const ZONE: &str = "zones/lab.test.toml";

fn zone(port: u16) -> String {
    let record = |role: &str, rest: &str| {
        format!(
            "[[record]]\nname = 'www'\ntype = 'A'\nset_identifier = '{role}'\nfailover = '{role}'\nttl = 10\n{rest}\n"
        )
    };
    format!(
        "name = 'lab.test'\n{}{}\
         [[health_check]]\nname = 'blue'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n\
         request_interval = 1\nfailure_threshold = 1\n",
        record("primary", "values = ['192.0.2.1']\nhealth_check = 'blue'"),
        record("secondary", "values = ['192.0.2.2']"),
    )
}

/// Serves with this standard error and makes the endpoint of the primary fail.
fn fail_over(stderr: impl Into<Stdio>) -> (Lab, Running) {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let server = lab.serve_logging_to(stderr, &[], &[]);
    assert_eq!(server.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    web.stop();
    server.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    (lab, server)
}

/// A full pipe without a reader.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // On a system with smaller pipes this thread blocks, but the pipe is full too.
    let filling = thread::spawn(move || filler.write_all(&[b'\n'; PIPE_BYTES]));
    let began = Instant::now();
    while !filling.is_finished() && began.elapsed() < Duration::from_secs(1) {
        sleep(STEP);
    }
    (reader, writer)
}

/// A value of `/metrics`.
fn metric(server: &Running, name: &str) -> u64 {
    let address = server.admin();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}:\n{page}"));
    line.trim().parse().unwrap()
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        sleep(STEP);
    }
}

// --- logs that are not read or cannot be written ------------------------------------------------

#[test]
fn a_full_disk_ends_nothing_and_is_counted() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (_lab, server) = fail_over(full);
    let lost = "fiftythree_log_dropped_total{reason=\"write\"}";
    wait_until("lines that the disk did not take", || metric(&server, lost) > 3);
    assert_eq!(metric(&server, "fiftythree_log_dropped_total{reason=\"full\"}"), 0);
    assert!(server.stop().success());
}

#[test]
fn a_pipe_whose_reader_has_gone_ends_nothing() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let (_lab, server) = fail_over(writer);
    assert!(server.stop().success());
}

#[test]
fn a_full_pipe_holds_up_nothing() {
    let (_reader, writer) = full_pipe();
    let (_lab, server) = fail_over(writer);
    let began = Instant::now();
    assert!(server.stop().success());
    // One second for the log, and the allowance for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_full_pipe_for_standard_output_too_holds_up_nothing() {
    let (_reader, writer) = full_pipe();
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\n")]);
    let ready = lab.path("ready");
    let systemd = UnixDatagram::bind(&ready).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
    command.args(["serve", "--config"]).arg(lab.path("fiftythree.toml")).env("NOTIFY_SOCKET", &ready);
    let mut child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
    let mut news = [0; 1000];
    let bytes = systemd.recv(&mut news).unwrap();
    assert!(text(&news[..bytes]).starts_with("READY=1\n"), "{}", text(&news[..bytes]));
    let kill = format!("kill {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    wait_until("the end", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_frozen_terminal_holds_up_nothing() {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().write(true).open(path).unwrap();
    // A terminal without a reader accepts some kilobytes. A thread waits to write the rest.
    let (mut filler, written) = (terminal.try_clone().unwrap(), std::sync::mpsc::channel());
    thread::spawn(move || while filler.write_all(b"12345678").is_ok() && written.0.send(()).is_ok() {});
    while written.1.recv_timeout(Duration::from_millis(500)).is_ok() {}
    let (_lab, server) = fail_over(terminal);
    assert!(server.stop().success());
}

#[test]
fn a_stream_that_somebody_made_non_blocking_loses_nothing() {
    let (mut reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.write(&[b'\n'; 4096]).map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock) {}
    let (_lab, server) = fail_over(OwnedFd::from(writer));
    let log = thread::spawn(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        log
    });
    assert!(server.stop().success());
    let log = log.join().unwrap();
    for line in ["starts\n", "blue is unhealthy", " INFO stopped\n"] {
        assert!(log.contains(line), "{line} is not in\n{}", log.trim());
    }
}

/// Each load of such a file logs some hundred kilobytes, because its errors differ from those of
/// the previous load.
fn broken_zone(edit: u32) -> String {
    let value = 1000 + edit;
    let record =
        |number| format!("[[record]]\nname = 'a{number}'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.{value}']\n");
    "name = 'lab.test'\n".to_owned() + &(0..1000).map(record).collect::<String>()
}

#[test]
fn when_a_log_is_read_again_one_line_says_how_much_was_lost() {
    let (mut reader, writer) = full_pipe();
    let (lab, server) = fail_over(writer);
    let lost = "fiftythree_log_dropped_total{reason=\"full\"}";
    let mut edits = 0;
    wait_until("a queue that is full", || {
        edits += 1;
        lab.write(ZONE, &broken_zone(edits));
        server.signal("HUP");
        metric(&server, lost) > 1
    });
    assert_eq!(server.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.2"]);
    let reading = thread::spawn(move || {
        let (mut log, mut bytes) = (String::new(), [0; 8192]);
        loop {
            match reader.read(&mut bytes).unwrap() {
                0 => return log,
                length => log += &text(&bytes[..length]),
            }
        }
    });
    // It is read soon, so the final log lines find space.
    sleep(Duration::from_secs(1));
    let counted = metric(&server, lost);
    assert!(server.stop().success());
    let log = reading.join().unwrap();
    let reports: Vec<&str> = log.lines().filter(|line| line.contains("the log can be written again")).collect();
    let [report] = reports[..] else { panic!("{reports:?}") };
    assert!(report.contains(&format!(" {counted} messages were lost")), "{report}, {counted} by the metric");
    assert!(log.ends_with(" INFO stopped\n"), "{}", &log[log.len() - 300..]);
}

#[test]
fn a_service_manager_that_does_not_read_holds_up_nothing() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let path = lab.path("notify");
    let _manager = UnixDatagram::bind(&path).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"STATUS=full\n", &path).is_ok() {}
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")];
    let server = lab.serve_with(&[], &variables);
    server.wait_for_log("cannot notify systemd");
    web.stop();
    server.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    assert!(server.stop().success());
}

// --- systemd ------------------------------------------------------------------------------------

/// A stream like the one that the journal gives to services, and its name.
fn journal() -> (UnixStream, OwnedFd, String) {
    let (reader, writer) = UnixStream::pair().unwrap();
    let writer = File::from(OwnedFd::from(writer));
    let metadata = writer.metadata().unwrap();
    (reader, OwnedFd::from(writer), format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// The log of a server that finds errors on reload.
fn log_of_a_reload(name_of: impl Fn(&str) -> String) -> String {
    let (mut reader, writer, stream) = journal();
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\n")]);
    let server = lab.serve_logging_to(writer, &[], &[("JOURNAL_STREAM", &name_of(&stream))]);
    lab.write(ZONE, "name = 'lab.test'\n[[record]]\nname = 'a'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.256']\n");
    server.signal("HUP");
    let mut log = String::new();
    let mut bytes = [0; 8192];
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    while !log.contains("192.0.2.256") {
        let length = reader.read(&mut bytes).unwrap();
        log += &text(&bytes[..length]);
    }
    assert!(server.stop().success());
    reader.read_to_string(&mut log).unwrap();
    log
}

#[test]
fn the_journal_has_priorities_on_every_line_and_no_time() {
    let log = log_of_a_reload(str::to_owned);
    let unmarked = log.lines().find(|line| !["<3>", "<4>", "<6>"].iter().any(|priority| line.starts_with(priority)));
    assert_eq!(unmarked, None, "{log}");
    assert!(log.starts_with("<6>  INFO fiftythree "), "{log}");
    let of_errors = log.lines().filter(|line| line.starts_with("<3>")).collect::<Vec<_>>().join("\n");
    assert!(of_errors.contains("192.0.2.256"), "the excerpt of the file is a part of the error:\n{log}");
}

/// A shell under the journal also passes `$JOURNAL_STREAM` to a child with another standard error.
#[test]
fn another_stream_than_the_journals_has_times_and_no_priorities() {
    for wrong in [|stream: &str| format!("{stream}0"), |_: &str| "nonsense".to_owned(), |_: &str| String::new()] {
        let log = log_of_a_reload(wrong);
        assert!(log.lines().all(|line| !line.starts_with('<')), "{log}");
        assert!(log.starts_with("20"), "{log}");
    }
}

/// The log of a server that finds errors at startup.
fn log_of_a_failed_start(arguments: &[&str]) -> String {
    let (mut reader, writer, stream) = journal();
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\n[[record]]\nname = 'a'\n")]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
    command.args(["serve", "--config"]).arg(lab.path("fiftythree.toml")).args(arguments).env("JOURNAL_STREAM", stream);
    let status = command.stderr(writer).status().unwrap();
    drop(command);
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    log
}

#[test]
fn a_start_that_fails_tells_the_journal_by_priority() {
    let log = log_of_a_failed_start(&[]);
    assert!(log.lines().all(|line| line.starts_with("<3>") || line.starts_with("<6>")), "{log}");
    assert!(log.contains("\n<3>error: cannot start"), "{log}");
}

#[test]
fn json_for_the_journal_has_priorities_too() {
    let log = log_of_a_failed_start(&["--log-format", "json"]);
    for line in log.lines() {
        let json: serde_json::Value = serde_json::from_str(&line[3..]).unwrap_or_else(|_| panic!("{line}"));
        let expected = if json["level"] == "ERROR" { "<3>" } else { "<6>" };
        assert_eq!(&line[..3], expected, "{line}");
    }
    let last = log.lines().last().unwrap();
    assert!(last.contains("\"message\":\"cannot start: "), "{log}");
}

// --- panics -------------------------------------------------------------------------------------

/// The variable that makes `panics_are_logged` panic, as the process that the tests watch.
const PANICS: &str = "FIFTYTHREE_TEST_PANICS";

/// Panics in a thread and continues.
fn panic_and_continue() -> ! {
    let log = logging::start(LogFormat::Text, 0).unwrap();
    let panicked = thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("of no {}", "use")).unwrap().join();
    assert!(panicked.is_err());
    tracing::info!("it goes on");
    drop(log);
    std::process::exit(53);
}

fn panicking() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "log::panics_are_logged", "--nocapture", "-q"]).stdout(Stdio::null()).env(PANICS, "yes");
    command.env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
    command
}

#[test]
fn panics_are_logged() {
    if std::env::var_os(PANICS).is_some() {
        panic_and_continue();
    }
    let said = text(&panicking().env_remove("RUST_BACKTRACE").output().unwrap().stderr);
    assert!(said.contains(" ERROR thread 'worker' panicked at tests/it/log.rs:"), "{said}");
    assert!(said.contains(":\nof no use\nnote: RUST_BACKTRACE=1") && said.contains(" INFO it goes on\n"), "{said}");
    let with_backtrace = text(&panicking().env("RUST_BACKTRACE", "1").output().unwrap().stderr);
    assert!(with_backtrace.contains("of no use\n   0: "), "{with_backtrace}");
}

#[test]
fn a_panic_message_that_is_not_read_blocks_nothing() {
    let (_reader, writer) = full_pipe();
    let mut child = panicking().stderr(writer).spawn().unwrap();
    let mut status = None;
    wait_until("the end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(53));
}

#[test]
fn unchanged_errors_are_repeated_only_for_a_requested_reload() {
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\n"), ("other.toml", "name = 'other.test'\n")]);
    let running = lab.serve();
    lab.write("zones/lab.test.toml", "name = 7\n");
    running.wait_for_log("diagnostics in the files");
    lab.write("zones/other.toml", "name = 'third.test'\n");
    running.wait_for_log("third.test. added");
    assert!(!running.log().contains("the same errors as before"), "{}", running.log());
    running.signal("HUP");
    running.wait_for_log("the files have the same errors as before");
    assert_eq!(running.log().matches("diagnostics in the files").count(), 1, "{}", running.log());
}
