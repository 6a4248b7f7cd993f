//! Secrets in broken files appear neither in the log of the real server nor over HTTP.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::server::{Lab, PATIENCE, Running};

const TOKEN: &str = "token-5f2c9a7e1b";
const HEADER: &str = "header-83d1c60f4a";
const HOOK: &str = "hook-47ab12ef90";
const PASSWORD: &str = "password-0c9d8e7f6a";
const SECRETS: [&str; 4] = [TOKEN, HEADER, HOOK, PASSWORD];

/// The beginning of a stream that may not end.
fn read(server: &Running, path: &str) -> String {
    let address = server.admin();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(octets @ 1..) = stream.read(&mut buffer) {
        text.extend_from_slice(&buffer[..octets]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Everything that is public, once the status contains `word`.
fn everything(server: &Running, word: &str) -> String {
    let began = Instant::now();
    loop {
        let status = read(server, "/v1/status");
        if status.contains(word) {
            let paths = ["/v1/events", "/v1/health", "/v1/zones", "/metrics"];
            return paths.iter().map(|path| read(server, path)).fold(status, |all, one| all + &one) + &server.log();
        }
        assert!(began.elapsed() < PATIENCE, "{word} is not in {status}\n{}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
}

fn assert_no_secret(shown: &str) {
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} is in\n{shown}");
    }
}

#[test]
fn broken_files_show_no_secret_in_the_log_nor_over_http() {
    let zone = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";
    let lab = Lab::new(&[("lab.test.toml", zone)]);
    lab.write("token", TOKEN);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &format!("{settings}token_file = 'token'\n"));
    let server = lab.serve();

    // The token itself as a zone file.
    symlink("../token", lab.path("zones/token.toml")).unwrap();
    let shown = everything(&server, "zones/token.toml");
    assert_no_secret(&shown);
    assert!(shown.contains("\"line\": 1"), "{shown}");
    fs::remove_file(lab.path("zones/token.toml")).unwrap();

    // Headers and a password, on broken lines and next to them.
    let checks = format!(
        "[[health_check]]\nname = 'one'\ntype = 'http'\nip_address = '192.0.2.1'\n\
         request_headers = {{ Authorization = \"Bearer {HEADER} }}\n\
         [[health_check]]\nname = 'two'\ntype = 'metric'\nprometheus = 'lab:{PASSWORD}@127.0.0.1'\n"
    );
    lab.write("zones/checks.toml", &checks);
    let shown = everything(&server, "zones/checks.toml");
    assert_no_secret(&shown);
    assert!(shown.contains("the string is not closed"), "{shown}");
    assert!(server.log().contains("request_headers = { Authorization = ***"), "{}", server.log());
    // The log contains the lines themselves.
    assert!(!read(&server, "/v1/status").contains("request_headers = {"), "{shown}");
    fs::remove_file(lab.path("zones/checks.toml")).unwrap();

    // A webhook URL on a line with another error.
    let broken = settings + &format!("[webhook]\nurl = \"https://hooks.example.test/{HOOK}\" retries = 3\n");
    lab.write("fiftythree.toml", &broken);
    server.signal("HUP");
    let shown = everything(&server, "fiftythree.toml\"");
    assert_no_secret(&shown);

    // `check` shows lines without secrets.
    let checked = lab.run(&["check"]);
    let shown = String::from_utf8_lossy(&checked.stderr);
    assert!(!checked.status.success() && shown.contains("url = ***"), "{shown}");
    assert_no_secret(&shown);
    assert!(server.stop().success());
}
