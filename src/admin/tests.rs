//! Requests in, answers out, over loopback; the loop is played by the test.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::control::{NotSteered, Steered};
use crate::health::{Override, OverrideId};

/// The door, with a loop that grants every wish about `app-blue` and knows no other check.
async fn house() -> (SocketAddr, watch::Sender<bool>) {
    let (events, mut inbox) = mpsc::channel(8);
    let (ready_in, ready) = watch::channel(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Door { events, ready, meters: Arc::default() }));
    tokio::spawn(async move {
        while let Some(event) = inbox.recv().await {
            match event {
                Event::SetOverride(wish, answer) if wish.pattern.matches("app-blue") => {
                    let granted = Override { id: OverrideId(7), wish };
                    let view =
                        crate::control::OverrideView { granted, is_active: true, checks: vec!["app-blue".into()] };
                    let steered = Steered { changed: vec![view], replaced: None, durable: Ok(()) };
                    assert!(answer.send(Ok(steered)).is_ok());
                }
                Event::SetOverride(wish, answer) => {
                    let error = NotSteered::UnknownCheck { pattern: wish.pattern.0, names: vec!["app-blue".into()] };
                    assert!(answer.send(Err(error)).is_ok());
                }
                Event::ListOverrides(answer) => assert!(answer.send(Vec::new()).is_ok()),
                _ => panic!("not asked for"),
            }
        }
    });
    (address, ready_in)
}

/// The status and the body of what comes back.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response.split_once("\r\n\r\n").unwrap().1.to_owned())
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\nConnection: close\n{headers}\n")).await
}

async fn post(address: SocketAddr, headers: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!("POST /v1/overrides HTTP/1.1\nConnection: close\nContent-Length: {length}\n{headers}\n");
    ask(address, &(head + body)).await
}

const HOST: &str = "Host: 127.0.0.1:8053\n";
const JSON: &str = "Host: localhost\nContent-Type: application/json\n";
const WISH: &str = r#"{"pattern":"app-blue","action":"down","until":"2126-03-01T22:00:00Z"}"#;

#[tokio::test]
async fn it_is_healthy_at_once_and_ready_when_it_says_so() {
    let (address, ready) = house().await;
    assert_eq!(get(address, "/healthz", HOST).await, (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/readyz", HOST).await.0, 503);
    ready.send_replace(true);
    assert_eq!(get(address, "/readyz", HOST).await.0, 200);
    assert_eq!(get(address, "/nothing", HOST).await.0, 404);
    assert_eq!(get(address, "/v1/overrides", HOST).await.0, 200);
}

#[tokio::test]
async fn web_pages_are_not_let_in() {
    let (address, _ready) = house().await;
    assert_eq!(get(address, "/v1/overrides", "Host: evil.test:8053\n").await.0, 403);
    assert_eq!(get(address, "/v1/overrides", "Host: 127.0.0.1\nOrigin: http://evil.test\n").await.0, 403);
    assert_eq!(post(address, "Host: 127.0.0.1\nContent-Type: text/plain\n", WISH).await.0, 415);
    assert_eq!(post(address, "Host: 127.0.0.1\n", WISH).await.0, 415);
    assert_eq!(post(address, "Host: evil.test\nContent-Type: application/json\n", WISH).await.0, 403);
}

#[tokio::test]
async fn an_override_is_set_and_shown() {
    let (address, _ready) = house().await;
    let (status, body) = post(address, JSON, WISH).await;
    assert_eq!(status, 201, "{body}");
    let steered: shapes::SteeredShape = serde_json::from_str(&body).unwrap();
    assert_eq!(steered.overrides[0].until.as_deref(), Some("2126-03-01T22:00:00Z"));
    assert_eq!((steered.overrides[0].id, steered.overrides[0].checks.as_slice()), (7, &["app-blue".to_owned()][..]));
    assert_eq!(steered.warning, None);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let (address, _ready) = house().await;
    let cases = [
        (r#"{"pattern":"web","action":"down"}"#, 404, "app-blue"),
        (r#"{"pattern":"app-blue","action":"sideways"}"#, 400, "sideways"),
        (r#"{"pattern":"app-blue","action":"down","untl":"x"}"#, 400, "untl"),
        (r#"{"pattern":"app-blue","action":"down","until":"22:00"}"#, 400, "22:00"),
        ("", 400, "EOF"),
    ];
    for (body, status, says) in cases {
        let answer = post(address, JSON, body).await;
        assert_eq!(answer.0, status, "{body}: {answer:?}");
        assert!(answer.1.contains(says), "{body}: {answer:?}");
    }
    assert_eq!(post(address, JSON, &" ".repeat(100_000)).await.0, 413);
}
