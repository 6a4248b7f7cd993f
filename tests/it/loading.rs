//! Files that do not open, do not end or do not respond: the real binary continues to serve, loads
//! every other edit, and stops on request.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Lab, PATIENCE, Transport, get, text};

/// The promised time, and the allowance for a busy machine.
const LONGEST_END: Duration = Duration::from_secs(8);

fn zone(name: &str, address: &str) -> String {
    format!("name = '{name}'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 5\nvalues = ['{address}']\n")
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
}

/// Waits for a process to end within `most`.
fn wait(child: &mut Child, most: Duration) -> Duration {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > most {
            child.kill().unwrap();
            panic!("it has not ended after {most:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// A library that blocks a process while a file `NAME.hang` exists and the process opens `NAME`,
/// like a mount without its server; with `NAME.hang-stat`, while the process stats it.
fn hanging_opens(lab: &Lab) -> PathBuf {
    let (source, library) = (lab.path("hang.c"), lab.path("hang.so"));
    fs::write(&source, HANG).unwrap();
    // The C compiler that also builds the dependencies.
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(compiled.unwrap().success());
    library
}

const HANG: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
static void hang(const char *path, const char *suffix) {
    char marker[4200];
    snprintf(marker, sizeof marker, "%s%s", path, suffix);
    while (access(marker, F_OK) == 0) usleep(20000);
}
#define OPEN(NAME) int NAME(const char *path, int flags, ...) { \
    static int (*real)(const char *, int, ...); \
    if (!real) real = dlsym(RTLD_NEXT, #NAME); \
    va_list list; va_start(list, flags); int mode = va_arg(list, int); va_end(list); \
    hang(path, ".hang"); \
    return real(path, flags, mode); }
OPEN(open)
OPEN(open64)
int statx(int directory, const char *path, int flags, unsigned mask, struct statx *result) {
    static int (*real)(int, const char *, int, unsigned, struct statx *);
    if (!real) real = dlsym(RTLD_NEXT, "statx");
    if (path && path[0] == '/') hang(path, ".hang-stat");
    return real(directory, path, flags, mask, result);
}
"#;

#[test]
fn commands_and_the_start_refuse_what_does_not_open_or_end_and_say_where() {
    let lab = Lab::new(&[("good.test.toml", &zone("good.test", "192.0.2.1"))]);
    make_pipe(&lab.path("pipe"));
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    // Each replaces or adds a line of the settings.
    let authorities = "[health]\ncertificate_authorities = ['pipe']\n";
    let cases = [("geo database", "[location]\ngeoip = ['pipe']\n"), ("authorities", authorities)];
    for (what, more) in cases {
        lab.write("fiftythree.toml", &format!("{settings}{more}"));
        let mut child = lab.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait(&mut child, PATIENCE);
        let stderr = text(&child.wait_with_output().unwrap().stderr);
        assert!(stderr.contains("pipe") && stderr.contains("it is not a regular file"), "{what}: {stderr}");
    }
    fs::remove_file(lab.path("fiftythree.toml")).unwrap();
    make_pipe(&lab.path("fiftythree.toml"));
    for command in ["serve", "check"] {
        let mut child = lab.command(&[command]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait(&mut child, PATIENCE);
        let stderr = text(&child.wait_with_output().unwrap().stderr);
        assert!(stderr.contains("it is not a regular file"), "{command}: {stderr}");
    }
    lab.write("fiftythree.toml", &settings);
    for target in ["/dev/zero", "/proc/kmsg", "../pipe"] {
        let link = lab.path("zones/bad.test.toml");
        symlink(target, &link).unwrap();
        for command in ["serve", "check"] {
            let mut child = lab.command(&[command]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            wait(&mut child, PATIENCE);
            let stderr = text(&child.wait_with_output().unwrap().stderr);
            assert!(stderr.contains("bad.test.toml") && stderr.contains("cannot be read"), "{target}: {stderr}");
        }
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_keeps_what_was_served_and_holds_up_no_other_edit() {
    let (good, bad) = (zone("good.test", "192.0.2.1"), zone("bad.test", "192.0.2.2"));
    let lab = Lab::new(&[("good.test.toml", &good), ("bad.test.toml", &bad)]);
    fs::write(lab.path("token"), "0123456789abcdef").unwrap();
    let running = lab.serve();
    let bad = lab.path("zones/bad.test.toml");
    fs::remove_file(&bad).unwrap();
    make_pipe(&bad);
    running.wait_for_log("it is not a regular file");
    lab.write("zones/good.test.toml", &zone("good.test", "192.0.2.3"));
    running.wait_for_answer("www.good.test.", &["192.0.2.3"]);
    running.wait_for_answer("www.bad.test.", &["192.0.2.2"]);
    fs::remove_file(&bad).unwrap();
    lab.write("zones/bad.test.toml", &zone("bad.test", "192.0.2.4"));
    running.wait_for_answer("www.bad.test.", &["192.0.2.4"]);
    let began = Instant::now();
    assert!(running.stop().success());
    assert!(began.elapsed() < LONGEST_END);
}

#[test]
fn a_file_system_that_does_not_respond_costs_one_load_and_no_other_edit() {
    let (good, bad) = (zone("good.test", "192.0.2.1"), zone("bad.test", "192.0.2.2"));
    let lab = Lab::new(&[("good.test.toml", &good), ("bad.test.toml", &bad)]);
    let library = hanging_opens(&lab);
    let running = lab.serve_with(&[], &[("LD_PRELOAD", library.to_str().unwrap())]);
    let marker = lab.path("zones/bad.test.toml.hang");
    fs::write(&marker, "").unwrap();
    lab.write("zones/bad.test.toml", &zone("bad.test", "192.0.2.4"));
    thread::sleep(Duration::from_secs(1));
    lab.write("zones/good.test.toml", &zone("good.test", "192.0.2.3"));
    // Only now does the load time out; the watcher may have started late.
    thread::sleep(Duration::from_secs(10));
    running.wait_for_log("bad.test.toml: the file system has not responded for 3");
    running.wait_for_answer("www.good.test.", &["192.0.2.3"]);
    assert_eq!(running.ask("www.bad.test.", Transport::Udp).addresses, ["192.0.2.2"]);
    // The next edit is loaded at once, and the blocked file is logged.
    lab.write("zones/good.test.toml", &zone("good.test", "192.0.2.5"));
    running.wait_for_answer("www.good.test.", &["192.0.2.5"]);
    let metrics = get(&running.admin(), "/metrics", "text/plain").unwrap();
    assert!(metrics.contains("\nfiftythree_config_reloads_unresponsive_total 1\n"), "{metrics}");
    fs::remove_file(marker).unwrap();
    running.wait_for_answer("www.bad.test.", &["192.0.2.4"]);
    running.wait_for_log("the files have no errors any more");
}

#[test]
fn a_server_whose_files_do_not_respond_at_startup_stops_on_request_or_continues_without_them() {
    let lab = Lab::new(&[("good.test.toml", &zone("good.test", "192.0.2.1"))]);
    let library = hanging_opens(&lab);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    fs::write(lab.path("token"), "0123456789abcdef").unwrap();
    lab.write("fiftythree.toml", &format!("{settings}token_file = 'token'\n"));
    drop(lab.serve());
    for name in ["zones/good.test.toml", "fiftythree.toml", "token"] {
        let marker = lab.path(&format!("{name}.hang"));
        fs::write(&marker, "").unwrap();
        let mut command = lab.command(&["serve"]);
        let mut child =
            command.env("LD_PRELOAD", &library).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_secs(1));
        signal(&child, "TERM");
        wait(&mut child, LONGEST_END);
        fs::remove_file(marker).unwrap();
    }
    // The last good source of an unresponsive file is served, and without a token no client may
    // change anything.
    for name in ["zones/good.test.toml", "token"] {
        fs::write(lab.path(&format!("{name}.hang")), "").unwrap();
    }
    let began = Instant::now();
    let mut command = lab.command(&["serve"]);
    let mut child = command.env("LD_PRELOAD", &library).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let lines: Vec<String> = stdout.lines().map_while(Result::ok).take_while(|line| !line.contains("try:")).collect();
    assert!(lines.concat().contains("1 zone"), "{lines:?} after {:?}", began.elapsed());
    signal(&child, "TERM");
    wait(&mut child, LONGEST_END);
}

#[test]
fn a_watcher_that_waits_for_a_file_system_is_followed_by_another() {
    let (good, bad) = (zone("good.test", "192.0.2.1"), zone("bad.test", "192.0.2.2"));
    let lab = Lab::new(&[("good.test.toml", &good), ("bad.test.toml", &bad)]);
    let library = hanging_opens(&lab);
    let running = lab.serve_with(&[], &[("LD_PRELOAD", library.to_str().unwrap())]);
    let marker = lab.path("zones/bad.test.toml.hang-stat");
    fs::write(&marker, "").unwrap();
    thread::sleep(Duration::from_secs(5));
    lab.write("zones/good.test.toml", &zone("good.test", "192.0.2.3"));
    thread::sleep(Duration::from_secs(15));
    assert_eq!(running.ask("www.good.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    running.wait_for_log("it is not watched");
    running.wait_for_answer("www.good.test.", &["192.0.2.3"]);
    assert_eq!(running.ask("www.bad.test.", Transport::Udp).addresses, ["192.0.2.2"]);
    fs::remove_file(marker).unwrap();
    lab.write("zones/bad.test.toml", &zone("bad.test", "192.0.2.4"));
    running.wait_for_answer("www.bad.test.", &["192.0.2.4"]);
}
