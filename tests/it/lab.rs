//! `[lab] backends`: web servers that the real server starts, and answers that follow them.
#![cfg(target_os = "linux")] // other systems have one loopback address

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::server::{Lab, PATIENCE, Running, Transport, WebServer, get};

/// Two free addresses with the same port, not used by other tests.
fn free_addresses() -> [SocketAddr; 2] {
    for _ in 0..20 {
        let first = TcpListener::bind("127.0.153.11:0").unwrap().local_addr().unwrap();
        let second = SocketAddr::from(([127, 0, 153, 12], first.port()));
        if TcpListener::bind(second).is_ok() {
            return [first, second];
        }
    }
    panic!("no port is free at two addresses");
}

fn zone(backends: [SocketAddr; 2]) -> String {
    let mut zone = "name = 'lab.test'\n".to_owned();
    for (backend, (name, role)) in backends.iter().zip([("blue", "primary"), ("green", "secondary")]) {
        zone.push_str(&format!(
            "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{name}'\nfailover = '{role}'\nttl = 5\n\
             values = ['{ip}']\nhealth_check = '{name}'\n\
             [[health_check]]\nname = '{name}'\ntype = 'http'\nip_address = '{ip}'\nport = {port}\n\
             request_interval = 1\nfailure_threshold = 2\n",
            ip = backend.ip(),
            port = backend.port()
        ));
    }
    zone
}

fn add_backends(lab: &Lab, backends: &[SocketAddr]) {
    let settings = std::fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    let (kept, _) = settings.split_once("[lab]").unwrap_or((&settings, ""));
    let list: Vec<String> = backends.iter().map(|backend| format!("'{backend}'")).collect();
    lab.write("fiftythree.toml", &format!("{kept}[lab]\nbackends = [{}]\n", list.join(", ")));
}

fn post(backend: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(backend).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: {backend}\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn warnings(server: &Running) -> Vec<String> {
    server.log().lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).map(str::to_owned).collect()
}

#[test]
fn a_backend_that_fails_changes_the_answer_and_its_recovery_changes_it_back() {
    let backends = free_addresses();
    let [blue, green] = backends.map(|backend| backend.ip().to_string());
    let lab = Lab::new(&[("lab.test.toml", &zone(backends))]);
    add_backends(&lab, &backends);
    let server = lab.serve();
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, [blue.as_str()]);
    assert!(warnings(&server).is_empty(), "{}", server.log());
    let state = || get(&backends[0].to_string(), "/", "*/*").unwrap();
    assert_eq!(
        state(),
        format!("{0} is healthy. To break it: curl -X POST http://{0}/fail\n", backends[0]),
        "{}",
        server.log()
    );

    assert!(post(backends[0], "/fail").starts_with("HTTP/1.1 200"));
    assert_eq!(state(), format!("{0} is failing. To repair it: curl -X POST http://{0}/recover\n", backends[0]));
    server.wait_for_answer("app.lab.test.", &[&green]);
    server.wait_for_log("health check blue is unhealthy");
    assert!(post(backends[0], "/recover").starts_with("HTTP/1.1 200"));
    server.wait_for_answer("app.lab.test.", &[&blue]);

    // Another list takes effect at a restart.
    add_backends(&lab, &backends[..1]);
    server.signal("HUP");
    server.wait_for_log("lab.backends has changed; the change takes effect at the next restart");
    assert!(server.stop().success());
    assert!(backends.iter().all(|backend| TcpStream::connect(backend).is_err()), "they stop with the server");
}

#[test]
fn a_taken_port_is_one_warning_and_the_server_runs() {
    let (one, other) = (WebServer::start(), WebServer::start());
    let taken = [one.port, other.port].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let lab = Lab::new(&[("lab.test.toml", &zone(taken))]);
    add_backends(&lab, &taken);
    let server = lab.serve();
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, ["127.0.0.1"]);
    server.wait_for_log("every health check has a result");
    let warnings = warnings(&server);
    assert_eq!(warnings.len(), 1, "{}", server.log());
    let wanted = format!("cannot start the lab backends {}, {}: Address already in use", taken[0], taken[1]);
    assert!(warnings[0].contains(&wanted) && warnings[0].contains("`[lab] backends`"), "{}", warnings[0]);
}

#[test]
fn unhealthy_checks_at_the_start_are_one_line() {
    let backends = free_addresses();
    let lab = Lab::new(&[("lab.test.toml", &zone(backends))]);
    let server = lab.serve();
    server.wait_for_log("2 of 2 health checks are unhealthy at the start: blue, green");
    assert_eq!(warnings(&server).len(), 1, "{}", server.log());
    // After the start each change has its line.
    add_backends(&lab, &backends);
    drop(server);
    let server = lab.serve();
    server.wait_for_log("health check blue is healthy");
    assert!(server.stop().success());
}
