//! Failover end to end: the real binary, two web servers, real sockets and real time.
#![cfg(unix)]

use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Lab, Transport, WebServer, shown};

const PRIMARY: &str = "192.0.2.11";
const SECONDARY: &str = "192.0.2.12";
const INTERVAL: Duration = Duration::from_secs(1);
const THRESHOLD: u32 = 3;
/// The promised time: the last of `THRESHOLD` probes begins at most this many intervals after the
/// endpoint fails, and a refused connection takes no time. One second is for everything else.
const PROMISED: Duration = Duration::from_secs(1 + THRESHOLD as u64);
/// A test machine may have two cores and run other tests, so threads may wait. The measured time is
/// printed and is far below this on an idle machine.
const SLACK: Duration = Duration::from_secs(3);

fn zone(primary: u16, secondary: u16) -> String {
    let record = |identifier: &str, role: &str, address: &str| {
        format!(
            "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{identifier}'\nfailover = '{role}'\nttl = 10\n\
             values = ['{address}']\nhealth_check = '{identifier}'\n"
        )
    };
    let check = |name: &str, port: u16| {
        format!(
            "[[health_check]]\nname = '{name}'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n\
             resource_path = '/'\nsearch_string = 'ok'\nrequest_interval = {}\nfailure_threshold = {THRESHOLD}\n",
            INTERVAL.as_secs()
        )
    };
    [
        "name = 'lab.test'\n".to_owned(),
        record("blue", "primary", PRIMARY),
        record("green", "secondary", SECONDARY),
        check("blue", primary),
        check("green", secondary),
    ]
    .concat()
}

#[test]
fn the_answer_fails_over_in_time_and_comes_back() {
    let (primary, secondary) = (WebServer::start(), WebServer::start());
    let port = primary.port;
    let lab = Lab::new(&[("lab.test.toml", &zone(port, secondary.port))]);
    let server = lab.serve();
    server.wait_for_log("every health check has a result");
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_eq!(server.ask("app.lab.test.", transport).addresses, [PRIMARY], "{transport:?}");
    }

    // A client that queries continuously sees the one answer, then the other, and nothing else.
    primary.stop();
    let died = Instant::now();
    let (taken, seen) = server.follow("app.lab.test.", SECONDARY);
    assert_eq!(seen, [PRIMARY, SECONDARY]);
    eprintln!("failover after {taken:.2?}, promised within {PROMISED:?}");
    assert!(taken <= PROMISED + SLACK, "the failover took {taken:?}");
    // One failure must not be enough, because the threshold is higher.
    assert!(died.elapsed() >= INTERVAL * (THRESHOLD - 2), "the failover took only {taken:?}");
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_eq!(server.ask("app.lab.test.", transport).addresses, [SECONDARY], "{transport:?}");
    }
    server.wait_for_log("health check blue is unhealthy");
    assert!(server.log().contains("app.lab.test. A blue"), "{}", server.log());

    let primary = WebServer::start_on(port);
    let (taken, seen) = server.follow("app.lab.test.", PRIMARY);
    assert_eq!(seen, [SECONDARY, PRIMARY]);
    eprintln!("back after {taken:.2?}");
    assert!(taken <= PROMISED + SLACK, "the way back took {taken:?}");
    assert_eq!(server.ask("app.lab.test.", Transport::Tcp).addresses, [PRIMARY]);
    server.wait_for_log("health check blue is healthy");
    // The log has one change to unhealthy and one to healthy.
    assert_eq!(server.log().matches("health check blue is").count(), 2, "{}", server.log());

    // If all are unhealthy, the primary answers as if all were healthy.
    primary.stop();
    secondary.stop();
    server.wait_for_log("health check green is unhealthy");
    server.wait_for_answer("app.lab.test.", &[PRIMARY]);
    assert!(server.stop().success());
}

#[test]
fn what_is_dead_at_the_start_is_never_answered() {
    let (primary, secondary) = (WebServer::start(), WebServer::start());
    let zone = zone(primary.port, secondary.port);
    primary.stop();
    let lab = Lab::new(&[("lab.test.toml", &zone)]);
    let server = lab.serve();
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, [SECONDARY]);
    assert!(
        server.log().contains("waiting up to 10 s for the first results of health checks: blue, green"),
        "{}",
        server.log()
    );
}

const WWW: &str = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";

#[test]
fn edits_are_served_and_a_broken_file_keeps_what_was_good() {
    let lab = Lab::new(&[("lab.test.toml", WWW)]);
    let file = lab.path("zones/lab.test.toml");
    let server = lab.serve();
    assert_eq!(server.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.1"]);

    lab.write("zones/lab.test.toml", &WWW.replace("192.0.2.1", "192.0.2.2"));
    let taken = server.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    eprintln!("an edit is served after {taken:.2?}");

    // Written in place, as simple editors do.
    std::fs::write(&file, WWW.replace("'192.0.2.1'", "'192.0.2.300'")).unwrap();
    server.wait_for_log("192.0.2.300");
    assert!(server.log().contains(&format!("{}:6:", shown(&file))), "{}", server.log());
    assert_eq!(server.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.2"]);

    // Other files are still loaded.
    lab.write("zones/other.test.toml", &WWW.replace("lab.test", "other.test"));
    server.wait_for_answer("www.other.test.", &["192.0.2.1"]);

    server.signal("HUP");
    server.wait_for_log("reloaded: nothing changed");
    assert!(server.stop().success());

    // The broken file still exists: its last good source is served.
    let server = lab.serve();
    assert_eq!(server.ask("www.lab.test.", Transport::Tcp).addresses, ["192.0.2.2"]);
    assert!(server.log().contains("last good"), "{}", server.log());

    lab.write("zones/lab.test.toml", WWW);
    server.wait_for_answer("www.lab.test.", &["192.0.2.1"]);

    // A missing directory removes nothing.
    std::fs::rename(lab.path("zones"), lab.path("elsewhere")).unwrap();
    server.wait_for_log("the zones directory cannot be read");
    assert_eq!(server.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    std::fs::rename(lab.path("elsewhere"), lab.path("zones")).unwrap();
    std::fs::remove_file(lab.path("zones/other.test.toml")).unwrap();
    server.wait_for_answer("www.other.test.", &[]);
    assert!(server.stop().success());
}

#[test]
fn a_server_that_waits_for_health_checks_stops_on_request() {
    // The listener neither accepts nor refuses: its queue is full.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let lab = Lab::new(&[("lab.test.toml", &zone(port, port))]);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_fiftythree"))
        .args(["serve", "--config"])
        .arg(lab.path("fiftythree.toml"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    let kill = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}
