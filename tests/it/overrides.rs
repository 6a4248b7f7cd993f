//! Overrides end to end: the real binary, controlled by its command line over the admin interface.
#![cfg(unix)]

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::server::{Lab, Running, Transport, WebServer, get, text};

const PRIMARY: &str = "192.0.2.11";
const SECONDARY: &str = "192.0.2.12";

fn zone(port: u16) -> String {
    let mut zone = "name = 'lab.test'\n".to_owned();
    for (identifier, role, address) in [("app-blue", "primary", PRIMARY), ("app-green", "secondary", SECONDARY)] {
        zone.push_str(&format!(
            "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{identifier}'\nfailover = '{role}'\nttl = 10\n\
             values = ['{address}']\nhealth_check = '{identifier}'\n\
             [[health_check]]\nname = '{identifier}'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n\
             resource_path = '/'\nrequest_interval = 1\n"
        ));
    }
    zone
}

fn steer(lab: &Lab, server: &Running, arguments: &[&str]) -> Output {
    let admin = server.admin();
    lab.run(&[&["override"], arguments, &["--admin", &admin]].concat())
}

fn answer(server: &Running) -> Vec<String> {
    server.ask("app.lab.test.", Transport::Udp).addresses
}

#[test]
fn people_turn_an_answer_see_why_and_turn_it_back() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let server = lab.serve();
    assert_eq!(answer(&server), [PRIMARY]);

    let words = ["set", "app-blue", "down", "--reason", "kernel update", "--until", "22:00", "--author", "ada"];
    let set = steer(&lab, &server, &words);
    assert!(set.status.success(), "{}", text(&set.stderr));
    assert!(text(&set.stdout).contains("app-blue down, from "), "{}", text(&set.stdout));
    assert_eq!(answer(&server), [SECONDARY], "it counts when the command returns");
    server.wait_for_log("health check app-blue is unhealthy");
    server.wait_for_log("overridden to down by ada from");

    let list = text(&steer(&lab, &server, &["list"]).stdout);
    assert!(list.contains("22:00:00, by ada: kernel update"), "{list}");
    let list = text(&steer(&lab, &server, &["list", "--json"]).stdout);
    assert!(list.contains("\"pattern\": \"app-blue\""), "{list}");

    let health = |arguments: &[&str]| {
        let admin = server.admin();
        lab.run(&[&["health"], arguments, &["--admin", &admin]].concat())
    };
    let overview = text(&health(&[]).stdout);
    assert!(overview.contains("2 health checks, 1 unhealthy"), "{overview}");
    assert!(overview.contains("unhealthy (overridden)"), "{overview}");
    assert!(overview.contains("Success: HTTP Status Code 200, OK"), "{overview}");
    let details = text(&health(&["app-blue"]).stdout);
    for says in [
        "kernel update",
        "app.lab.test. A app-blue",
        "first byte",
        "overridden to down by ada",
        "more failures in a row make it",
    ] {
        assert!(details.contains(says), "{says} in\n{details}");
    }
    let json: serde_json::Value = serde_json::from_slice(&health(&["--json"]).stdout).unwrap();
    assert_eq!(json["checks"][0]["status"], "unhealthy");
    assert_eq!(json["checks"][0]["overridden"]["reason"], "kernel update");
    assert_eq!(json["checks"][0]["last_result"]["passed"], true);
    assert_eq!(json["checks"][1]["records"][0], "app.lab.test. A app-green");
    let unknown = health(&["unknown"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("app-blue, app-green"), "{}", text(&unknown.stderr));

    let unknown = steer(&lab, &server, &["set", "app-bleu", "down"]);
    assert_eq!(unknown.status.code(), Some(1));
    let error = text(&unknown.stderr);
    assert!(error.contains("no health check is called `app-bleu`") && error.contains("app-blue, app-green"), "{error}");

    let cleared = steer(&lab, &server, &["clear", "app-blue", "--json"]);
    let cleared: serde_json::Value = serde_json::from_slice(&cleared.stdout).unwrap();
    assert_eq!((&cleared["overrides"][0]["pattern"], &cleared["replaced"]), (&"app-blue".into(), &false.into()));
    assert_eq!(answer(&server), [PRIMARY]);
    assert_eq!(steer(&lab, &server, &["clear", "app-blue"]).status.code(), Some(1));
    assert!(text(&steer(&lab, &server, &["list"]).stdout).contains("no overrides"));

    // It expires.
    let set = steer(&lab, &server, &["set", "*-blue", "down", "--for", "2s", "--json"]);
    let set: serde_json::Value = serde_json::from_slice(&set.stdout).unwrap();
    assert_eq!(set["overrides"][0]["checks"], serde_json::json!(["app-blue"]));
    assert_eq!(answer(&server), [SECONDARY]);
    server.wait_for_answer("app.lab.test.", &[PRIMARY]);
    server.wait_for_log("override of *-blue has ended");
    assert!(server.stop().success());
}

#[test]
fn kill_9_never_loses_an_override_that_was_acknowledged() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    for round in 0..6_u64 {
        let server = lab.serve();
        let action = if round % 2 == 0 { "down" } else { "up" };
        assert!(steer(&lab, &server, &["set", "app-blue", action]).status.success());
        // At another moment within the second in which the journal is synced.
        thread::sleep(Duration::from_millis(round * 7));
        drop(server); // SIGKILL
        let server = lab.serve();
        let expected = if action == "down" { SECONDARY } else { PRIMARY };
        assert_eq!(answer(&server), [expected], "round {round}:\n{}", server.log());
        assert!(server.log().contains("override of app-blue is restored"), "{}", server.log());
    }
    let server = lab.serve();
    assert!(steer(&lab, &server, &["clear", "*"]).status.success());
    drop(server);
    let server = lab.serve();
    assert!(!server.log().contains("is restored: overridden"), "{}", server.log());
}

#[test]
fn a_server_that_is_not_there_is_said_so() {
    let lab = Lab::new(&[]);
    let output = lab.run(&["override", "list", "--admin", "127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("127.0.0.1:9 cannot be reached"), "{}", text(&output.stderr));
}

const TOKEN: &str = "c2VjcmV0LW9mLXRoaXMtbGFi";

#[test]
fn with_a_token_changes_need_it_and_commands_find_it() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let settings = std::fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &(settings + "token_file = 'token'\n"));
    lab.write("token", TOKEN);
    lab.write("wrong", "another-token-altogether");
    let server = lab.serve();

    let wrong = steer(&lab, &server, &["set", "app-blue", "down", "--token-file", "wrong"]);
    assert_eq!(wrong.status.code(), Some(1));
    let said = text(&wrong.stderr);
    assert!(said.contains("this is not the admin token") && said.contains("--token-file"), "{said}");
    assert_eq!(answer(&server), [PRIMARY]);

    let set = steer(&lab, &server, &["set", "app-blue", "down"]);
    assert!(set.status.success(), "the settings name the file: {}", text(&set.stderr));
    assert_eq!(answer(&server), [SECONDARY]);

    // A changed token applies at once, and the old one is rejected.
    lab.write("token", "the-token-of-tomorrow");
    lab.write("old", TOKEN);
    assert_eq!(steer(&lab, &server, &["clear", "*", "--token-file", "old"]).status.code(), Some(1));
    assert!(steer(&lab, &server, &["clear", "*"]).status.success());

    // Reading needs no token.
    assert!(steer(&lab, &server, &["list", "--token-file", "wrong"]).status.success());
    // Without the token file no client may change anything. Answers continue.
    std::fs::remove_file(lab.path("token")).unwrap();
    let gone = steer(&lab, &server, &["set", "app-blue", "down", "--token-file", "old"]);
    assert!(text(&gone.stderr).contains("not usable"), "{}", text(&gone.stderr));
    assert_eq!(answer(&server), [PRIMARY]);
    assert!(!server.log().contains(TOKEN) && !server.log().contains("tomorrow"), "{}", server.log());
    assert!(!lab.path("state/admin.token").exists(), "the server makes no second token");
}

fn made_token(lab: &Lab) -> String {
    let path = lab.path("state/admin.token");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[test]
fn on_loopback_the_server_makes_a_token_and_keeps_it() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let server = lab.serve();
    let token = made_token(&lab);
    assert_eq!(token.len(), 32);
    let status = get(&server.admin(), "/v1/status", "*/*").unwrap();
    assert!(status.contains("\"changes\": \"token\""), "{status}");
    assert!(steer(&lab, &server, &["set", "app-blue", "down"]).status.success(), "the command finds it");
    assert_eq!(answer(&server), [SECONDARY]);
    drop(server);

    let server = lab.serve();
    assert_eq!(made_token(&lab), token, "it is kept over a restart");
    assert!(steer(&lab, &server, &["clear", "app-blue"]).status.success());
    // Standard output is a pipe.
    let shown = server.stdout() + &server.log();
    assert!(shown.contains("status page: http://127.0.0.1:") && !shown.contains(&token), "{shown}");

    // The settings of another server name another state directory.
    let other = Lab::new(&[]);
    let refused = steer(&other, &server, &["set", "app-blue", "down"]);
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    assert!(error.contains("changes need the admin token") && error.contains("`admin.token`"), "{error}");
    let file = lab.path("state/admin.token").display().to_string();
    assert!(steer(&other, &server, &["set", "app-blue", "down", "--token-file", &file]).status.success());
}

#[test]
fn without_a_place_for_the_token_there_is_one_warning_and_commands_work() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    std::fs::create_dir_all(lab.path("state/admin.token/taken")).unwrap();
    let server = lab.serve();
    server.wait_for_log("cannot write the admin token");
    server.wait_for_log("every health check has a result");
    assert_eq!(server.log().matches(" WARN ").count(), 1, "{}", server.log());
    let status = get(&server.admin(), "/v1/status", "*/*").unwrap();
    assert!(status.contains("\"changes\": \"programs\""), "{status}");
    assert!(steer(&lab, &server, &["set", "app-blue", "down"]).status.success());
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_shows_the_link_with_the_token() {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().write(true).open(path).unwrap();
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\n")]);
    let mut child = lab.command(&["serve"]).stdout(terminal).stderr(Stdio::null()).spawn().unwrap();
    let (mut shown, mut buffer) = (String::new(), [0; 4096]);
    let mut master = File::from(master);
    while !shown.contains("serving") {
        let bytes = master.read(&mut buffer).unwrap();
        shown.push_str(&text(&buffer[..bytes]));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(shown.contains(&format!("/#token={}", made_token(&lab))), "{shown}");
}

#[test]
fn beyond_loopback_nothing_changes_without_a_token() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let server = lab.serve_with(&["--admin", "0.0.0.0:0"], &[]);
    let port = server.admin().rsplit(':').next().unwrap().to_owned();
    let admin = format!("127.0.0.1:{port}");
    let refused = lab.run(&["override", "set", "app-blue", "down", "--admin", &admin]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("from beyond loopback and has no token"), "{}", text(&refused.stderr));
    assert!(lab.run(&["override", "list", "--admin", &admin]).status.success());
    assert_eq!(answer(&server), [PRIMARY]);
    server.wait_for_log("no changes are possible without `[admin] token_file`");
}

/// How many of a hundred answers contain this address.
fn percent(server: &Running, address: &str) -> u32 {
    let hits = (0..200).filter(|_| server.ask("even.lab.test.", Transport::Udp).addresses == [address]).count();
    u32::try_from(hits).unwrap_or(u32::MAX) / 2
}

#[test]
fn a_drain_fades_is_seen_everywhere_and_outlives_a_kill() {
    let web = WebServer::start();
    let weighted = zone(web.port)
        .replace("'app'", "'even'")
        .replace("failover = 'primary'", "weight = 1")
        .replace("failover = 'secondary'", "weight = 1");
    let lab = Lab::new(&[("lab.test.toml", &weighted)]);
    let server = lab.serve();
    // 200 answers: five standard deviations are 18 per cent.
    assert!((32..=68).contains(&percent(&server, PRIMARY)));
    let no_over = steer(&lab, &server, &["set", "app-blue", "drain"]);
    assert_eq!(no_over.status.code(), Some(2), "{}", text(&no_over.stderr));
    let never = steer(&lab, &server, &["set", "app-blue", "drain", "--over", "1h", "--for", "1m"]);
    assert!(text(&never.stderr).contains("end before the drain is complete"), "{}", text(&never.stderr));
    let up = steer(&lab, &server, &["set", "app-blue", "up", "--over", "1h"]);
    assert!(text(&up.stderr).contains("`over_s` is for the action `drain`"), "{}", text(&up.stderr));

    let words = ["set", "app-b*", "drain", "--over", "8s", "--reason", "new disks", "--author", "ada"];
    let set = steer(&lab, &server, &words);
    assert!(set.status.success(), "{}", text(&set.stderr));
    assert!(text(&set.stdout).contains("app-b* drain ("), "{}", text(&set.stdout));
    thread::sleep(Duration::from_secs(3));
    let overview = text(&lab.run(&["health", "--admin", &server.admin()]).stdout);
    assert!(overview.contains("unhealthy (draining, "), "{overview}");
    drop(server); // SIGKILL
    let server = lab.serve();
    assert!(server.log().contains("override of app-b* is restored: drained by ada over 8 s"), "{}", server.log());
    let json: serde_json::Value =
        serde_json::from_slice(&lab.run(&["health", "--json", "--admin", &server.admin()]).stdout).unwrap();
    let left = json["checks"][0]["overridden"]["drain"]["left_percent"].as_u64().unwrap();
    assert!(left < 65, "it goes on where it was: {left}");
    server.wait_for_log("health check app-blue is drained");
    assert_eq!(percent(&server, PRIMARY), 0);
    let list = text(&steer(&lab, &server, &["list"]).stdout);
    assert!(list.contains("drain (nothing left)") && list.contains("new disks"), "{list}");
    assert!(steer(&lab, &server, &["clear", "*"]).status.success());
    assert!((32..=68).contains(&percent(&server, PRIMARY)));
    assert!(server.stop().success());
}

#[test]
fn statuses_stay_while_the_sentinel_is_down() {
    let (web, gateway) = (WebServer::start(), WebServer::start());
    let sentinel = format!(
        "[[health_check]]\nname = 'gateway'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {}\nresource_path = '/'\n\
         request_interval = 1\nfailure_threshold = 1\n",
        gateway.port
    );
    let lab = Lab::new(&[("lab.test.toml", &(zone(web.port) + &sentinel))]);
    let settings = std::fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &format!("{settings}[health]\nsentinels = ['gateway']\n"));
    let server = lab.serve();
    assert_eq!(answer(&server), [PRIMARY]);
    drop(gateway);
    server.wait_for_log("this server is isolated: all sentinels are unhealthy (gateway)");
    drop(web);
    // By now more than three probes in a row have failed.
    thread::sleep(Duration::from_secs(6));
    let overview = text(&lab.run(&["health", "--admin", &server.admin()]).stdout);
    assert!(overview.contains("this server is isolated since"), "{overview}");
    assert!(overview.contains("3 health checks, 1 unhealthy"), "{overview}");
    // An override says that it is healthy.
    assert!(steer(&lab, &server, &["set", "gateway", "up"]).status.success());
    server.wait_for_log("this server is connected again");
    server.wait_for_log("health check app-blue is unhealthy");
    assert!(server.stop().success());
}
