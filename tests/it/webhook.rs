//! The webhook end to end: the real binary sends notifications to a real HTTP server, which
//! sometimes fails.
#![cfg(unix)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::server::{Lab, PATIENCE, WebServer};

fn zone(port: u16) -> String {
    format!(
        "name = 'lab.test'\n[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = 'blue'\nfailover = 'primary'\nttl = 10\n\
         values = ['192.0.2.11']\nhealth_check = 'blue'\n[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = 'green'\n\
         failover = 'secondary'\nttl = 10\nvalues = ['192.0.2.12']\n\
         [[health_check]]\nname = 'blue'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\nresource_path = '/'\n\
         request_interval = 1\nfailure_threshold = 1\n"
    )
}

fn lab(port: u16, webhook: u16) -> Lab {
    let lab = Lab::new(&[("lab.test.toml", &zone(port))]);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &format!("{settings}[webhook]\nurl = 'http://127.0.0.1:{webhook}/secret'\n"));
    lab
}

/// Reads and answers one request. Returns its body.
fn answer(mut stream: TcpStream, status: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = Vec::new();
    let mut part = [0; 4096];
    loop {
        let octets = stream.read(&mut part).unwrap();
        request.extend_from_slice(&part[..octets]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(reply.as_bytes()).unwrap();
    String::from_utf8(request).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_change_is_sent_again_until_it_is_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = listener.local_addr().unwrap().port();
    let (bodies_in, bodies) = mpsc::channel();
    thread::spawn(move || {
        for status in ["503 Service Unavailable", "200 OK", "200 OK"] {
            let body = answer(listener.accept().unwrap().0, status);
            bodies_in.send(body).unwrap();
        }
    });
    let web = WebServer::start();
    let port = web.port;
    let lab = lab(port, hook);
    let server = lab.serve();
    web.stop();
    let [first, second] = std::array::from_fn(|_| bodies.recv_timeout(PATIENCE).unwrap());
    assert_eq!(first, second, "the same, again");
    let json: serde_json::Value = serde_json::from_str(&second).unwrap();
    assert_eq!((&json["check"], &json["status"]), (&"blue".into(), &"unhealthy".into()));
    assert!(json["text"].as_str().unwrap().starts_with("blue is unhealthy: Failure: "), "{second}");
    assert_eq!(json["records"][0], "app.lab.test. A blue");
    let _web = WebServer::start_on(port);
    let third = bodies.recv_timeout(PATIENCE).unwrap();
    assert!(third.contains("\"status\":\"healthy\""), "{third}");
    assert!(!server.log().contains("secret"), "{}", server.log());
    assert!(server.log().contains("retrying"), "{}", server.log());
}

#[test]
fn a_receiver_that_hangs_delays_no_status_change() {
    // The system accepts connections, but no response is ever sent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = WebServer::start();
    let port = web.port;
    let server = lab(port, silent.local_addr().unwrap().port()).serve();
    web.stop();
    server.wait_for_answer("app.lab.test.", &["192.0.2.12"]);
    let web = WebServer::start_on(port);
    let back = server.wait_for_answer("app.lab.test.", &["192.0.2.11"]);
    assert!(back < Duration::from_secs(8), "{back:?}");
    web.stop();
    server.wait_for_answer("app.lab.test.", &["192.0.2.12"]);
    assert!(server.stop().success());
}
