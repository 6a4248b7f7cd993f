//! Requests in, answers out, over loopback; the loop is played by the test.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::control::{OverrideError, OverrideOutcome};
use crate::health::{Override, OverrideId, Tracker};
use crate::history::EventKind;
use crate::test_log::TestLog;
use crate::world::Catalog;

/// The admin, with a loop that grants every request about `app-blue` and knows no other check.
async fn app() -> (SocketAddr, watch::Sender<Readiness>) {
    let (address, ready, _) = start_with(Changes::Programs).await;
    (address, ready)
}

/// The same where these may change something; with what happens there.
async fn start_with(changes: Changes) -> (SocketAddr, watch::Sender<Readiness>, EventLog) {
    let (events, mut inbox) = mpsc::channel(8);
    let (ready_in, readiness) = watch::channel(Readiness::Starting);
    let (_, base) = watch::channel(LoadedConfig::empty(crate::config::Settings::built_in()));
    let (_, last_load) = watch::channel(LastLoad::default());
    let event_log = EventLog::default();
    let catalog = Arc::new(Catalog::build(&[], &[]));
    let (_, world) =
        crate::world::Publisher::new(crate::world::World::new(catalog, &Tracker::new().bits(), Arc::default()));
    let health = HealthView::empty(world.load(), base.borrow().clone(), Timestamp::default());
    let admin = AdminState {
        objects: ServedObjects::new(base.clone(), events.clone()),
        events,
        readiness,
        health: HealthReader::new(health),
        base,
        event_log: event_log.clone(),
        last_load,
        reloads: watch::Sender::default().subscribe(),
        cluster: None,
        in_memory: None,
        listening: Arc::default(),
        changes,
        longest_failover: |_| None,
        started: Timestamp(Duration::from_secs(1)),
        now: || Timestamp(Duration::from_secs(2)),
        meters: Arc::default(),
        query_logging: QueryLogging::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, admin, Hosts::default(), CONNECTIONS));
    tokio::spawn(async move {
        while let Some(event) = inbox.recv().await {
            match event {
                Event::SetOverride(request, answer) if request.pattern.matches("app-blue") => {
                    let details = Override { id: OverrideId(7), request, origin: None };
                    let view = crate::control::OverrideView {
                        details,
                        is_active: true,
                        left: None,
                        checks: vec!["app-blue".into()],
                    };
                    let outcome = OverrideOutcome { changed: vec![view], replaced: None, durable: Ok(()) };
                    assert!(answer.send(Ok(outcome)).is_ok());
                }
                Event::SetOverride(request, answer) => {
                    let error =
                        OverrideError::UnknownCheck { pattern: request.pattern.0, names: vec!["app-blue".into()] };
                    assert!(answer.send(Err(error)).is_ok());
                }
                _ => panic!("not asked for"),
            }
        }
    });
    (address, ready_in, event_log)
}

/// The status and the body of what comes back.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let (head, body) = exchange(address, request).await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
}

/// The head and the body of what comes back.
async fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
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
    let (address, ready) = app().await;
    assert_eq!(get(address, "/healthz", HOST).await, (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/readyz", HOST).await.0, 503);
    ready.send_replace(Readiness::Ready);
    assert_eq!(get(address, "/readyz", HOST).await.0, 200);
    assert_eq!(get(address, "/nothing", HOST).await.0, 404);
    assert_eq!(get(address, "/v1/overrides", HOST).await.0, 200);
}

#[tokio::test]
async fn web_pages_are_not_let_in() {
    let (address, _ready) = app().await;
    assert_eq!(get(address, "/v1/overrides", "Host: evil.test:8053\n").await.0, 403);
    assert_eq!(get(address, "/v1/overrides", "Host: 127.0.0.1\nOrigin: http://evil.test\n").await.0, 403);
    let image = format!("{HOST}Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image\n");
    assert_eq!(get(address, "/v1/overrides", &image).await.0, 403);
    let link = format!("{HOST}Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\n");
    assert_eq!(get(address, "/", &link).await.0, 200);
    assert_eq!(post(address, "Host: 127.0.0.1\nContent-Type: text/plain\n", WISH).await.0, 415);
    assert_eq!(post(address, "Host: 127.0.0.1\n", WISH).await.0, 415);
    assert_eq!(post(address, "Host: evil.test\nContent-Type: application/json\n", WISH).await.0, 403);
}

#[tokio::test]
async fn an_override_is_set_and_shown() {
    let (address, _ready) = app().await;
    let (status, body) = post(address, JSON, WISH).await;
    assert_eq!(status, 201, "{body}");
    let outcome: shapes::OverrideOutcomeShape = serde_json::from_str(&body).unwrap();
    assert_eq!(outcome.overrides[0].until.as_deref(), Some("2126-03-01T22:00:00Z"));
    assert_eq!((outcome.overrides[0].id, outcome.overrides[0].checks.as_slice()), (7, &["app-blue".to_owned()][..]));
    assert_eq!(outcome.warning, None);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let (address, _ready) = app().await;
    let cases = [
        (r#"{"pattern":"web","action":"down"}"#, 404, "app-blue"),
        (r#"{"pattern":"app-blue","action":"sideways"}"#, 400, "sideways"),
        (r#"{"pattern":"app-blue","action":"down","untl":"x"}"#, 400, "untl"),
        (r#"{"pattern":"app-blue","action":"down","until":"22:00"}"#, 400, "22:00"),
        ("", 400, "must be a JSON object"),
        (r#"["app-blue","down"]"#, 400, "must be a JSON object"),
    ];
    for (body, status, says) in cases {
        let answer = post(address, JSON, body).await;
        assert_eq!(answer.0, status, "{body}: {answer:?}");
        assert!(answer.1.contains(says), "{body}: {answer:?}");
    }
    assert_eq!(post(address, JSON, &" ".repeat(600_000)).await.0, 413);
}

/// A parameter that is not read could be a misspelt one that says not to make the change.
#[tokio::test]
async fn unknown_missing_and_wrong_parameters_are_errors_as_json() {
    let (address, _ready) = app().await;
    let mut requests = vec![
        ("POST", "/v1/undo", "missing parameter `id`"),
        ("POST", "/v1/undo?id=C1&id=C2", "duplicate parameter `id`"),
        ("POST", "/v1/undo?id=C1&plan=yes", "`true` or `false`"),
        ("POST", "/v1/undo?id=C1&paln=true", "unknown parameter `paln`"),
        ("POST", "/v1/plan?from=mars", "unknown variant `mars`"),
        ("DELETE", "/v1/overrides", "missing parameter `pattern`"),
        ("DELETE", "/v1/records?name=a.test", "missing parameter `type`"),
        ("GET", "/v1/zones/%FF/records", "not UTF-8"),
    ];
    let posts = ["/v1/plan", "/v1/changes", "/v1/zones", "/v1/overrides", "/v1/reset"];
    requests.extend(posts.map(|path| ("POST", path, "")));
    requests.extend(["/v1/zones", "/v1/records"].map(|path| ("DELETE", path, "")));
    let gets =
        ["status", "events", "health", "zones", "zones/Z1/records", "places", "explain", "transitions", "history"];
    let gets = gets.map(|name| format!("/v1/{name}"));
    requests.extend(gets.iter().map(|path| ("GET", path.as_str(), "")));
    requests.push(("GET", "/v1/overrides", ""));
    for (method, path, says) in requests {
        let (path, says) =
            if says.is_empty() { (format!("{path}?nonsense=1"), "nonsense") } else { (path.into(), says) };
        let request = format!("{method} {path} HTTP/1.1\nConnection: close\nContent-Length: 0\n{JSON}\n");
        let (status, body) = ask(address, &request).await;
        assert_eq!(status, 400, "{method} {path}: {body}");
        let error: ErrorShape = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{method} {path}: {body}"));
        // Those that are missing may be named first.
        let is_named = error.error.contains(says) || (says == "nonsense" && error.error.contains("missing parameter"));
        assert!(is_named, "{method} {path}: {}", error.error);
        assert!(!error.error.contains("deserialize"), "{}", error.error);
    }
}

#[tokio::test]
async fn the_page_comes_with_a_strict_policy() {
    let (address, _ready) = app().await;
    for path in ["/", "/page/main.js", "/page/page.css", "/v1/overrides", "/nothing"] {
        let request = format!("GET {path} HTTP/1.1\nConnection: close\n{HOST}\n");
        let (head, body) = exchange(address, &request).await;
        for wanted in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(wanted), "{path}: {head}");
        }
        assert!(
            !body.contains("unsafe-inline") && !body.contains(" style=") && !body.contains("javascript:"),
            "{path}"
        );
        // Nothing comes from elsewhere.
        assert!(!body.contains("//cdn") && !body.contains("https://"), "{path}");
    }
    assert_eq!(get(address, "/", "Host: evil.test\n").await.0, 403);
}

#[tokio::test]
async fn changes_need_the_token_where_there_is_one() {
    let token = Token::new("c2VjcmV0LXRva2Vu").unwrap();
    let (address, _ready, _) = start_with(Changes::Token(token)).await;
    let with = |value: &str| format!("{JSON}Authorization: {value}\n");
    assert_eq!(post(address, JSON, WISH).await.0, 401);
    assert_eq!(post(address, &with("Bearer c2VjcmV0LXRva2Vv"), WISH).await.0, 401);
    assert_eq!(post(address, &with("Bearer c2VjcmV0LXRva2Vu"), WISH).await.0, 201);
    let clear = "DELETE /v1/overrides?pattern=app-blue HTTP/1.1\nConnection: close\nHost: localhost\n\n";
    assert_eq!(ask(address, clear).await.0, 401);
    assert_eq!(get(address, "/v1/overrides", HOST).await.0, 200);
}

#[tokio::test]
async fn without_a_token_web_pages_change_nothing_and_beyond_loopback_nobody_does() {
    let (address, _ready) = app().await;
    let page = format!("{JSON}Origin: http://localhost\n");
    assert_eq!(post(address, &page, WISH).await.0, 403);
    assert_eq!(post(address, JSON, WISH).await.0, 201);
    let (address, _ready, _) = start_with(Changes::Forbidden).await;
    assert_eq!(post(address, JSON, WISH).await.0, 403);
}

/// A connection on which events come.
async fn watch_events(address: SocketAddr, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /v1/events HTTP/1.1\n{HOST}{headers}\n").replace('\n', "\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads until this text has come; returns all that came.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = String::new();
    let mut chunk = [0; 4096];
    while !seen.contains(text) {
        let bytes = stream.read(&mut chunk).await.unwrap();
        assert!(bytes > 0, "it ended before {text:?} came: {seen}");
        seen.push_str(std::str::from_utf8(&chunk[..bytes]).unwrap());
    }
    seen
}

fn reloaded(number: u64) -> EventKind {
    EventKind::NotReloaded { why: format!("reason {number}") }
}

#[tokio::test]
async fn a_watcher_sees_what_happens_and_goes_on_where_it_was() {
    let (address, _ready, event_log) = start_with(Changes::Programs).await;
    event_log.push(Timestamp::default(), reloaded(1));
    let mut stream = watch_events(address, "").await;
    let seen = read_until(&mut stream, "event: hello\nid: 1000-1\n").await;
    assert!(seen.contains("content-type: text/event-stream"), "{seen}");
    event_log.push(Timestamp::default(), reloaded(2));
    let seen = read_until(&mut stream, "id: 1000-2\n").await;
    assert!(!seen.contains("reason 1"), "{seen}");
    drop(stream);
    (3..=4).for_each(|number| event_log.push(Timestamp::default(), reloaded(number)));
    let mut stream = watch_events(address, "Last-Event-ID: 1000-2\n").await;
    let seen = read_until(&mut stream, "reason 4").await;
    assert!(seen.contains("reason 3") && !seen.contains("reason 2") && !seen.contains("event: lost"), "{seen}");
}

#[tokio::test]
async fn a_watcher_of_another_run_hears_that_something_is_lost() {
    let (address, _ready, _feed) = start_with(Changes::Programs).await;
    for id in ["999-7", "1000-7", "nonsense"] {
        let mut stream = watch_events(address, &format!("Last-Event-ID: {id}\n")).await;
        read_until(&mut stream, "event: lost\nid: 1000-0\ndata: {\"lost\":null}").await;
    }
}

#[tokio::test]
async fn watchers_are_few_and_are_let_go_when_the_server_stops() {
    let (address, ready, _feed) = start_with(Changes::Programs).await;
    ready.send_replace(Readiness::Ready);
    let mut streams = Vec::new();
    for _ in 0..24 {
        let mut stream = watch_events(address, "").await;
        read_until(&mut stream, "event: hello").await;
        streams.push(stream);
    }
    assert_eq!(get(address, "/v1/events", HOST).await.0, 503);
    assert_eq!(get(address, "/healthz", HOST).await.0, 200);
    ready.send_replace(Readiness::Stopping);
    for stream in &mut streams {
        // The end of a chunked body.
        read_until(stream, "event: stopping\ndata: {}\n\n").await;
    }
}

#[tokio::test]
async fn a_watcher_hears_that_the_server_stops_whenever_it_came() {
    let (address, ready, _feed) = start_with(Changes::Programs).await;
    let mut before = watch_events(address, "").await;
    read_until(&mut before, "event: hello").await;
    // It stops before it has answered anything.
    ready.send_replace(Readiness::Stopping);
    read_until(&mut before, "event: stopping\ndata: {}\n\n").await;
    let mut after = watch_events(address, "").await;
    read_until(&mut after, "event: stopping\ndata: {}\n\n").await;
    assert_eq!(get(address, "/readyz", HOST).await.0, 503);
}

#[tokio::test]
async fn a_watcher_that_goes_makes_room() {
    let (address, _ready, _feed) = start_with(Changes::Programs).await;
    for _ in 0..100 {
        let mut stream = watch_events(address, "").await;
        read_until(&mut stream, "event: hello").await;
        drop(stream);
        // The server hears of it a moment later; more than that many at once there never are.
        while get_head(address).await == 503 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The status of a watcher's response.
async fn get_head(address: SocketAddr) -> u16 {
    let mut stream = watch_events(address, "").await;
    let seen = read_until(&mut stream, "\r\n").await;
    seen.split(' ').nth(1).unwrap().parse().unwrap()
}

const TREES: &str = "
name = 'lab.test'
comment = 'Trees'
[[record]]
name = 'shop'
type = 'A'
set_identifier = 'eu'
region = 'eu-central-1'
alias = { target = 'app', evaluate_target_health = true }
[[record]]
name = 'shop'
type = 'A'
set_identifier = 'us'
region = 'us-west-2'
ttl = 10
values = ['192.0.2.9']
[[record]]
name = 'app'
type = 'A'
set_identifier = 'a'
weight = 75
ttl = 10
values = ['192.0.2.1']
health_check = 'manual-a'
[[record]]
name = 'app'
type = 'A'
set_identifier = 'b'
weight = 25
ttl = 10
values = ['192.0.2.2']
[[health_check]]
name = 'manual-a'
type = 'manual'
status = 'healthy'
";

/// The admin of a real loop that serves one zone.
async fn start_zone(zone: &str) -> (SocketAddr, tempfile::TempDir) {
    app_with(zone, ConcurrencyLimits::default()).await
}

/// The same where these may read.
async fn app_with(zone: &str, limits: ConcurrencyLimits) -> (SocketAddr, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("zones")).unwrap();
    std::fs::write(path("zones/lab.test.toml"), zone).unwrap();
    let settings = "[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n\
        [[location.network]]\ncidr = '192.0.2.0/24'\ncountry = 'DE'\n";
    std::fs::write(path("fiftythree.toml"), settings).unwrap();
    let source = crate::store::SettingsSource { file: Some(path("fiftythree.toml")), ..Default::default() };
    let settings = source.read().settings.unwrap();
    let request = crate::load::LoadRequest {
        generation: 0,
        base: LoadedConfig::empty(settings),
        slots: crate::health::Slots::default(),
        trigger: crate::load::Trigger::Requested,
    };
    let sources = crate::load::FileSources::default();
    let outcome = crate::load::load(&source, &sources, request, crate::config::LoadPhase::Start);
    let loaded = *outcome.result.unwrap_or_else(|refused| panic!("{refused}"));
    let (events, inbox) = mpsc::channel(8);
    let (base_in, base) = watch::channel(loaded.base.clone());
    let (last_load_in, last_load) = watch::channel(LastLoad::default());
    let (_, state_writer, _writer_thread) = crate::store::start_state_writer(&path("state")).unwrap();
    let event_log = EventLog::default();
    let objects = ServedObjects::new(base.clone(), events.clone());
    let outputs = crate::control::Outputs {
        shared_overrides: None,
        probes: watch::Sender::new(Arc::from([])),
        metric_checks: watch::Sender::new(Arc::from([])),
        pending: watch::Sender::new(0),
        opinions: watch::Sender::default(),
        jobs: mpsc::unbounded_channel().0,
        base: base_in,
        state_writer,
        notices: mpsc::channel(1).0,
        event_log: event_log.clone(),
        object_events: objects.object_events.clone(),
        last_load: last_load_in,
        reloads: watch::Sender::default(),
    };
    let now = || Timestamp(Duration::from_secs(1_772_402_400));
    let memory = crate::control::SavedState::read(std::iter::empty());
    let (control, _, health) = crate::control::Control::new(loaded, &memory, outputs, now());
    tokio::spawn(control.run(inbox, now));
    let admin = AdminState {
        objects,
        events,
        readiness: watch::channel(Readiness::Ready).1,
        health,
        base,
        event_log,
        last_load,
        reloads: watch::Sender::default().subscribe(),
        cluster: None,
        in_memory: None,
        listening: Arc::default(),
        changes: Changes::Programs,
        longest_failover: |_| Some(Duration::from_secs(30)),
        started: now(),
        now,
        meters: Arc::default(),
        query_logging: crate::query_logging::QueryLogging::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(AppState { admin, limits });
    tokio::spawn(http::serve(listener, router, front(Hosts::default(), CONNECTIONS)));
    (address, directory)
}

async fn read<T: serde::de::DeserializeOwned>(address: SocketAddr, path: &str) -> T {
    let (status, body) = get(address, path, HOST).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// The one zone's records that fit.
async fn records(address: SocketAddr, query: &str) -> shapes::RecordsShape {
    let zones: shapes::ZonesShape = read(address, "/v1/zones").await;
    read(address, &format!("/v1/zones/{}/records?{query}", zones.zones[0].id)).await
}

#[tokio::test]
async fn zones_are_listed_and_their_records_found() {
    let (address, _directory) = start_zone(TREES).await;
    let zones: shapes::ZonesShape = read(address, "/v1/zones?q=TREES").await;
    assert_eq!((zones.matching, zones.zones[0].name.as_str()), (1, "lab.test."));
    assert_eq!((zones.zones[0].checks, zones.zones[0].unhealthy_checks), (1, 0));
    assert_eq!(read::<shapes::ZonesShape>(address, "/v1/zones?q=other").await.matching, 0);
    let names = |found: &shapes::RecordsShape| found.groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>();
    // The apex first, then by labels from the right.
    let all = records(address, "").await;
    assert_eq!(names(&all), ["lab.test.", "lab.test.", "app.lab.test.", "shop.lab.test."]);
    assert_eq!(
        (all.matching, names(&records(address, "limit=1&offset=2").await)),
        (4, vec!["app.lab.test.".to_owned()])
    );
    for (query, name) in [
        ("q=192.0.2.9", "shop.lab.test."),
        ("policy=weighted", "app.lab.test."),
        ("name=shop.LAB.test", "shop.lab.test."),
        ("type=soa", "lab.test."),
        ("state=healthy&policy=weighted", "app.lab.test."),
    ] {
        let found = records(address, query).await;
        assert_eq!((found.matching, names(&found)), (1, vec![name.to_owned()]), "{query}");
    }
    assert_eq!(get(address, "/v1/zones/Z0/records", HOST).await.0, 404);
}

#[tokio::test]
async fn trees_show_what_answers_now() {
    let (address, _directory) = start_zone(TREES).await;
    let app = records(address, "name=app.lab.test").await.groups.remove(0);
    assert_eq!(app.members.iter().map(|member| member.share).collect::<Vec<_>>(), [Some(0.75), Some(0.25)]);
    let shop = records(address, "name=shop.lab.test").await.groups.remove(0);
    let target = shop.members[0].alias.as_ref().unwrap().group.as_ref().unwrap();
    assert_eq!((target.name.as_str(), &target.members), ("app.lab.test.", &app.members));
    assert_eq!(shop.members[1].share, None, "it depends on who asks");

    let request = r#"{"pattern":"manual-a","action":"down"}"#;
    assert_eq!(post(address, JSON, request).await.0, 201);
    let app = records(address, "name=app.lab.test").await.groups.remove(0);
    assert_eq!(app.state, shapes::GroupStateShape::Degraded);
    assert_eq!(
        app.members.iter().map(|member| (member.usable, member.share)).collect::<Vec<_>>(),
        [(false, Some(0.0)), (true, Some(1.0))]
    );
    assert!(app.members[0].check.as_ref().unwrap().overridden);
    assert_eq!(records(address, "state=degraded").await.matching, 1);
}

#[tokio::test]
async fn places_are_those_of_settings_and_records() {
    let (address, _directory) = start_zone(TREES).await;
    let places: shapes::PlacesShape = read(address, "/v1/places").await;
    assert_eq!((places.clients[0].from.as_str(), places.clients[0].place.as_str()), ("192.0.2.1", "Germany"));
    assert!(!places.clients[0].is_exact && places.clients[0].latitude.is_some());
    let of = |places: &shapes::PlacesShape| places.records.iter().map(|place| place.place.clone()).collect::<Vec<_>>();
    assert_eq!(of(&places), ["eu-central-1", "us-west-2"]);
    assert_eq!(of(&read(address, "/v1/places?name=shop.lab.test").await), ["eu-central-1", "us-west-2"]);
    assert_eq!(of(&read(address, "/v1/places?name=app.lab.test").await), [] as [&str; 0]);
}

#[tokio::test]
async fn a_zone_that_cannot_be_read_back_is_left_out_of_the_map() {
    let (address, directory) = start_zone(TREES).await;
    // Nothing has read the zone before: what was read stays in memory for a while.
    std::fs::remove_dir_all(directory.path().join("state/last-good")).unwrap();
    std::fs::remove_file(directory.path().join("zones/lab.test.toml")).unwrap();
    let places: shapes::PlacesShape = read(address, "/v1/places").await;
    assert_eq!((places.left_out, places.records.len(), places.clients.len()), (vec!["lab.test.".to_owned()], 0, 1));
    assert_eq!(get(address, "/v1/places?name=shop.lab.test", HOST).await.0, 503);
}

#[tokio::test]
async fn the_status_says_what_is_served() {
    let (address, _directory) = start_zone(TREES).await;
    let status: shapes::ServerShape = read(address, "/v1/status").await;
    assert_eq!((status.zones, status.records, status.checks.all), (1, 6, 1));
    assert_eq!((status.changes.as_str(), status.may_change, status.ready), ("programs", false, true));
    assert_eq!(status.longest_failover.unwrap().seconds, 30.0);
    let transitions: shapes::TransitionsShape = read(address, "/v1/transitions").await;
    assert_eq!(transitions.transitions, []);
    assert_eq!(post(address, JSON, r#"{"pattern":"*","action":"down"}"#).await.0, 201);
    let transitions: shapes::TransitionsShape = read(address, "/v1/transitions?limit=1").await;
    assert_eq!(transitions.transitions[0].check, "manual-a");
    let health: shapes::HealthShape = read(address, "/v1/health?state=unhealthy&q=MANUAL&limit=0").await;
    assert_eq!((health.matching, health.counts.unhealthy, health.counts.overridden, health.checks.len()), (1, 1, 1, 0));
}

/// Waits until it is so.
async fn until(is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("it never came to that");
}

/// Somebody who asks for this.
fn asker(address: SocketAddr, path: &str) -> tokio::task::JoinHandle<(u16, String)> {
    let path = path.to_owned();
    tokio::spawn(async move { get(address, &path, HOST).await })
}

#[tokio::test]
async fn what_is_large_is_read_in_turn_and_few_wait() {
    let limits = ConcurrencyLimits::default();
    let (address, _directory) = app_with(TREES, limits.clone()).await;
    let zones: shapes::ZonesShape = read(address, "/v1/zones").await;
    let zone = format!("/v1/zones/{}/records", zones.zones[0].id);
    let large = [
        ("/v1/explain?name=app.lab.test", &limits.zones),
        (zone.as_str(), &limits.zones),
        ("/v1/places", &limits.zones),
        ("/v1/health?history=1", &limits.histories),
    ];
    for (path, permits) in large {
        let held = permits.hold().await;
        // Others may look at the same time.
        assert_eq!(get(address, "/v1/health", HOST).await.0, 200);
        let askers: Vec<_> = (0..16).map(|_| asker(address, path)).collect();
        until(|| permits.waiters() == askers.len()).await;
        let (status, body) = get(address, path, HOST).await;
        assert!(status == 503 && body.contains("too many wait already"), "{path}: {status} {body}");
        drop(held);
        for asker in askers {
            assert_eq!(asker.await.unwrap().0, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn who_goes_away_before_its_turn_costs_nothing() {
    let limits = ConcurrencyLimits::default();
    let (address, _directory) = app_with(TREES, limits.clone()).await;
    let held = limits.zones.hold().await;
    // Many more than may wait at once.
    for _ in 0..40 {
        let asker = asker(address, "/v1/explain?name=app.lab.test");
        until(|| limits.zones.waiters() == 1).await;
        asker.abort();
        until(|| limits.zones.waiters() == 0).await;
    }
    drop(held);
    assert_eq!(get(address, "/v1/explain?name=app.lab.test", HOST).await.0, 200);
}

#[tokio::test]
async fn histories_come_page_by_page() {
    let checks: String = (0..230)
        .map(|i| format!("[[health_check]]\nname = 'c{i:03}'\ntype = 'manual'\nstatus = 'healthy'\n"))
        .collect();
    let (address, _directory) = start_zone(&format!("{TREES}{checks}")).await;
    let page = async |query: &str| {
        let health: shapes::HealthShape = read(address, &format!("/v1/health?{query}")).await;
        (health.matching, health.checks.len(), health.checks[0].name.clone())
    };
    assert_eq!(page("q=c").await, (230, 230, "c000".to_owned()));
    assert_eq!(page("q=c&history=1").await, (230, 200, "c000".to_owned()));
    assert_eq!(page("q=c&history=1&limit=1000").await, (230, 200, "c000".to_owned()));
    assert_eq!(page("q=c&history=1&offset=200").await, (230, 30, "c200".to_owned()));
}

#[tokio::test]
async fn nobody_fills_the_log_when_the_token_is_not_usable() {
    let log = TestLog::of_this_thread();
    let count = || log.count("its token cannot be used");
    let directory = tempfile::tempdir().unwrap();
    let changes = Changes::TokenFile(directory.path().join("nothing"));
    let (address, _ready, _) = start_with(changes.clone()).await;
    for _ in 0..20 {
        // What /v1/status asks, for anybody.
        assert!(!changes.page_may(&axum::http::HeaderMap::new()).await);
    }
    assert_eq!(count(), 0);
    for _ in 0..20 {
        assert_eq!(post(address, JSON, WISH).await.0, 503);
    }
    assert_eq!(count(), 1);
    tokio::time::pause();
    tokio::time::advance(crate::log_limit::INTERVAL).await;
    tokio::time::resume();
    assert_eq!(post(address, JSON, WISH).await.0, 503);
    assert_eq!(count(), 2);
}

#[tokio::test]
async fn the_page_has_relative_addresses_alone() {
    let (address, _ready) = app().await;
    for path in page::paths() {
        let (_, text) = get(address, path, HOST).await;
        for absolute in ["=\"/", "\"/v1", "'/v1", "`/v1", "\"/page", "'/page", "url(/", "from \"/"] {
            assert!(!text.contains(absolute), "{path} has {absolute}");
        }
    }
}
