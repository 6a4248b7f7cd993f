//! Restarts end to end: the state that survives when the real binary is killed and started again.
#![cfg(unix)]

use std::fs;
use std::net::TcpListener;

use crate::server::{Lab, Transport, WebServer};

const PRIMARY: &str = "192.0.2.11";
const SECONDARY: &str = "192.0.2.12";

fn zone(primary: u16, secondary: u16) -> String {
    let mut zone = "name = 'lab.test'\n".to_owned();
    for (identifier, role, address, port) in
        [("blue", "primary", PRIMARY, primary), ("green", "secondary", SECONDARY, secondary)]
    {
        zone.push_str(&format!(
            "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{identifier}'\nfailover = '{role}'\nttl = 10\n\
             values = ['{address}']\nhealth_check = '{identifier}'\n\
             [[health_check]]\nname = '{identifier}'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n\
             resource_path = '/'\nrequest_interval = 1\nfailure_threshold = 3\n"
        ));
    }
    zone
}

/// A listener that neither accepts nor refuses: a probe of it has no result for seconds.
fn silent_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

#[test]
fn after_kill_9_the_first_answer_is_right_before_any_probe() {
    let (primary, secondary) = (WebServer::start(), WebServer::start());
    let port = primary.port;
    let lab = Lab::new(&[("lab.test.toml", &zone(port, secondary.port))]);
    primary.stop();
    let server = lab.serve();
    server.wait_for_answer("app.lab.test.", &[SECONDARY]);
    server.wait_for_log("1 of 2 health checks is unhealthy at the start: blue");
    drop(server); // SIGKILL

    // A probe of this port gets no response for two seconds, so current answers come from saved
    // state.
    let silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let server = lab.serve();
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, [SECONDARY]);
    server.wait_for_log("1 of 2 health checks is unhealthy at the start: blue");
    let log = server.log();
    assert!(log.contains("restored the state of 2 health checks from"), "{log}");
    assert!(!log.contains("waiting up to"), "port 53 does not wait for what was restored: {log}");
    drop(server);

    // It is healthy again: the results correct the saved state.
    drop(silent);
    let _primary = WebServer::start_on(port);
    let server = lab.serve();
    server.wait_for_answer("app.lab.test.", &[PRIMARY]);
    assert!(server.stop().success());
}

#[test]
fn a_new_check_is_waited_for_next_to_one_that_was_restored() {
    let (primary, secondary) = (WebServer::start(), WebServer::start());
    let (_held, silent) = silent_port();
    let lab = Lab::new(&[("lab.test.toml", &zone(primary.port, secondary.port))]);
    let server = lab.serve();
    assert!(server.stop().success());
    lab.write("zones/lab.test.toml", &zone(primary.port, silent));
    let server = lab.serve();
    let log = server.log();
    assert!(log.contains("for the first results of health checks: green\n"), "{log}");
}

#[test]
fn a_damaged_journal_is_set_aside_with_a_message() {
    let (primary, secondary) = (WebServer::start(), WebServer::start());
    let lab = Lab::new(&[("lab.test.toml", &zone(primary.port, secondary.port))]);
    primary.stop();
    let server = lab.serve();
    server.wait_for_answer("app.lab.test.", &[SECONDARY]);
    assert!(server.stop().success());

    // One byte in the line of one check is damaged: the other check is still restored.
    let journal = lab.path("state/health.journal");
    let text = fs::read_to_string(&journal).unwrap();
    let place = text.find("green").or(text.find("\"healthy\":true")).unwrap();
    let mut bytes = text.into_bytes();
    bytes[place] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let server = lab.serve();
    server.wait_for_log("is set aside as");
    server.wait_for_answer("app.lab.test.", &[SECONDARY]);
    assert_eq!(fs::read(lab.path("state/health.journal.damaged-1")).unwrap(), bytes);
    assert!(server.stop().success());

    fs::write(&journal, [0xFF; 100]).unwrap();
    let server = lab.serve();
    server.wait_for_answer("app.lab.test.", &[SECONDARY]);
    assert!(server.stop().success());
}

#[test]
fn a_state_directory_that_cannot_be_written_is_a_warning() {
    let (primary, secondary) = (WebServer::start(), WebServer::start());
    let lab = Lab::new(&[("lab.test.toml", &zone(primary.port, secondary.port))]);
    fs::write(lab.path("state"), "a file").unwrap();
    let server = lab.serve();
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, [PRIMARY]);
    server.wait_for_log("after a restart the unsaved changes are lost");
    assert!(server.stop().success());
}

#[test]
fn a_second_server_does_not_take_over_the_state_of_the_first() {
    let lab = Lab::new(&[("lab.test.toml", &zone(1, 2))]);
    let first = lab.serve();
    let second = lab.run(&["serve"]);
    let errors = String::from_utf8_lossy(&second.stderr);
    assert!(
        !second.status.success() && errors.contains("another fiftythree server uses the state directory"),
        "{errors}"
    );
    assert!(errors.contains("hint: stop it, or give this one a directory of its own: --state DIRECTORY"), "{errors}");
    drop(first); // SIGKILL
    drop(lab.serve());
}
