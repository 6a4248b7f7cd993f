//! The command line: the real binary, its output and its exit codes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::fs;

use crate::server::{Lab, text};

const ZONE: &str = "name = 'lab.test'

[[record]]
name = 'www'
type = 'A'
ttl = 60
values = ['192.0.2.1', '192.0.2.2']

[[record]]
name = 'weighted'
type = 'A'
set_identifier = 'one'
weight = 3
ttl = 60
values = ['192.0.2.11']

[[record]]
name = 'weighted'
type = 'A'
set_identifier = 'two'
weight = 1
ttl = 60
values = ['192.0.2.12']

[[record]]
name = 'note'
type = 'TXT'
ttl = 60
values = ['\"it says \\042hello\\042\" \"and goes on\"']
";

#[test]
fn check_is_content_with_good_files() {
    let output = Lab::new(&[("lab.test.toml", ZONE)]).run(&["check"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("in 1 zone are fine"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn check_shows_all_faults_of_all_files_with_their_places() {
    let broken = ZONE.replace("'192.0.2.2'", "'192.0.2.256'").replace("weight = 1\n", "weight = 256\n");
    let lab = Lab::new(&[("lab.test.toml", &broken), ("other.toml", "name = 'other.test'\nzone = 1\n")]);
    let output = lab.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    for place in ["zones/lab.test.toml:7:", "zones/lab.test.toml:21:", "zones/other.toml:2:"] {
        assert!(shown.contains(place), "{place} in\n{shown}");
    }
    assert!(text(&output.stdout).starts_with("3 errors in 2 files"), "{}", text(&output.stdout));
}

#[test]
fn check_speaks_json() {
    let lab = Lab::new(&[("lab.test.toml", &ZONE.replace("'192.0.2.2'", "'192.0.2.256'"))]);
    let output = lab.run(&["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["errors"], &json["diagnostics"][0]["line"]), (&1.into(), &7.into()));
}

#[test]
fn check_reports_unknown_references_of_records_that_have_other_errors() {
    let zone = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'AB'\nttl = 60\nvalues = ['192.0.2.1']\n\
                health_check = 'blu'\n[[health_check]]\nname = 'all'\ntype = 'calculated'\nhealth_threshold = -1\n\
                child_health_checks = ['gren']\n";
    let shown = text(&Lab::new(&[("lab.test.toml", zone)]).run(&["check"]).stderr);
    for message in ["unknown record type `AB`", "unknown health check `blu`", "unknown health check `gren`"] {
        assert!(shown.contains(message), "{message} in\n{shown}");
    }
}

#[test]
fn check_and_the_start_report_the_same() {
    let settings = "[dns]\nlisten = ['0.0.0.0:0']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n\
                    [location]\ngeoip = ['none.mmdb']\n[health]\nsentinels = ['gateway']\n";
    const THIRD: &str = "name = 'third.test'\n[[health_check]]\nname = 'blue'\ntype = 'tcp'\n\
                         ip_address = '192.0.2.1'\nport = 80\n";
    let broken = ZONE.replace("ttl = 60", "ttl = 'soon'");
    let lab = Lab::new(&[("lab.test.toml", ZONE), ("other.toml", &broken), ("third.toml", THIRD)]);
    lab.write("fiftythree.toml", settings);
    let checked = text(&lab.run(&["check", "--config", "fiftythree.toml"]).stderr);
    let log = text(&lab.run(&["serve", "--config", "fiftythree.toml"]).stderr);
    for message in
        ["'soon'", "is defined in two files", "none.mmdb", "unknown health check `gateway`", "loopback address"]
    {
        assert!(checked.contains(message), "{message} in\n{checked}");
        assert!(log.contains(message), "{message} in\n{log}");
    }
    assert!(log.contains("cannot start"), "{log}");
}

#[test]
fn a_wrong_listen_address_brings_no_other_message() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.write("fiftythree.toml", "[dns]\nlisten = ['nowhere']\n");
    let output = lab.run(&["check", "--config", "fiftythree.toml", "--zones", "zones"]);
    assert!(text(&output.stdout).starts_with("1 error in 1 file;"), "{}", text(&output.stdout));
}

#[test]
fn masked_lines_are_explained() {
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\npasswort = 'of mine'\n")]);
    let shown = text(&lab.run(&["check"]).stderr);
    assert!(shown.contains("passwort = *********"), "{shown}");
    assert_eq!(shown.matches("note: asterisks replace values that may be secret").count(), 1, "{shown}");
    let plain = text(&Lab::new(&[("lab.test.toml", "name = 7\n")]).run(&["check"]).stderr);
    assert!(!plain.contains("asterisks"), "{plain}");
}

#[test]
fn check_takes_single_files() {
    let lab = Lab::new(&[("lab.test.toml", ZONE), ("broken.toml", "name = ")]);
    assert!(lab.run(&["check", "zones/lab.test.toml"]).status.success());
    assert_eq!(lab.run(&["check", "zones/broken.toml"]).status.code(), Some(1));
    assert_eq!(lab.run(&["check", "zones/none.toml"]).status.code(), Some(1));
}

#[test]
fn the_environment_may_name_the_node_of_a_cluster() {
    let lab = Lab::new(&[]);
    lab.add_settings("[cluster]\nendpoints = ['http://127.0.0.1:2379']\n");
    let check = |node: &str| lab.command(&["check"]).env("FIFTYTHREE_CLUSTER_NODE", node).output().unwrap();
    let good = check("fiftythree-0");
    assert!(good.status.success(), "{}", text(&good.stderr));
    for (node, error) in [("", "`[cluster]` needs `node`"), ("a/b", "`a/b` is not a name for a node")] {
        let bad = check(node);
        assert_eq!(bad.status.code(), Some(1), "{node}");
        let said = format!("{}{}", text(&bad.stdout), text(&bad.stderr));
        assert!(said.contains(error) && said.contains("FIFTYTHREE_CLUSTER_NODE"), "{said}");
    }
}

#[test]
fn check_finds_the_geo_database_that_serve_would_refuse() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.write("broken.mmdb", "no database");
    lab.write("fiftythree.toml", "[zones]\ndirectory = 'zones'\n[location]\ngeoip = ['broken.mmdb']\n");
    let output = lab.run(&["check", "--config", "fiftythree.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("broken.mmdb"), "{}", text(&output.stderr));
    assert!(lab.run(&["check", "--config", "fiftythree.toml", "zones/lab.test.toml"]).status.success());
}

#[test]
fn a_wrong_command_line_is_code_2() {
    assert_eq!(Lab::new(&[]).run(&["srve"]).status.code(), Some(2));
}

#[test]
fn the_version_is_for_people_and_for_machines() {
    let lab = Lab::new(&[]);
    let version = env!("CARGO_PKG_VERSION");
    assert!(text(&lab.run(&["version"]).stdout).starts_with(&format!("fiftythree {version} (")));
    let json: serde_json::Value = serde_json::from_slice(&lab.run(&["version", "--json"]).stdout).unwrap();
    assert_eq!((&json["version"], &json["system"]), (&version.into(), &std::env::consts::OS.into()));
}

#[test]
fn a_server_without_anything_good_refuses_to_start_and_lists_the_faults() {
    let lab = Lab::new(&[("lab.test.toml", &ZONE.replace("ttl = 60", "ttl = 'soon'"))]);
    let output = lab.run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let log = text(&output.stderr);
    assert_eq!(log.matches("lab.test.toml:").count(), 4, "{log}");
    assert!(log.contains("cannot start: 4 errors in the files"), "{log}");
}

#[test]
fn a_settings_file_that_was_named_must_exist_and_be_good() {
    let lab = Lab::new(&[]);
    let output = lab.run(&["serve", "--config", "none.toml"]);
    assert_eq!((output.status.code(), text(&output.stderr).contains("none.toml")), (Some(1), true));
    lab.write("fiftythree.toml", "[dns]\nlisten = ['nowhere']\n");
    let output = lab.run(&["serve"]);
    assert_eq!((output.status.code(), text(&output.stderr).contains("fiftythree.toml:2:")), (Some(1), true));
}

#[test]
fn two_servers_do_not_share_a_port() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    let server = lab.serve();
    let output = lab.run(&["serve", "--listen", &server.address.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let log = text(&output.stderr);
    assert!(log.contains("cannot listen on") && log.contains("another program uses this port"), "{log}");
    assert!(log.contains("with `[dns] listen` or --listen ADDRESS:PORT"), "{log}");
    assert_eq!(log.matches("os error").count(), 1, "{log}");
}

#[test]
fn the_admin_side_can_be_switched_off_on_the_command_line() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    let server = lab.serve_with(&["--admin", "off"], &[]);
    assert_eq!(server.ask("www.lab.test.", crate::server::Transport::Udp).addresses.len(), 2);
    assert!(!server.stdout().contains("admin on"), "{}", server.stdout());
}

#[test]
fn an_error_of_the_system_is_said_once() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    // An IPv6-only socket cannot have an IPv4 address.
    let output = lab.run(&["serve", "--listen", "[::ffff:127.0.0.1]:0"]);
    let log = text(&output.stderr);
    assert_eq!((output.status.code(), log.matches("os error").count()), (Some(1), 1), "{log}");
}

#[test]
fn two_settings_that_want_one_port_are_both_named() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &settings.replace("listen = '127.0.0.1:0'", "listen = '0.0.0.0:53001'"));
    let refused = |arguments: &[&str], expected: &[&str]| {
        let output = lab.run(arguments);
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        for part in expected {
            assert!(said.contains(part), "{arguments:?}: {part} is not in\n{said}");
        }
    };
    let both = "`--listen` and `[admin] listen` need the same port: `127.0.0.1:53001` and `0.0.0.0:53001`";
    refused(&["serve", "--listen", "127.0.0.1:53001"], &[both, "fiftythree.toml:9:10"]);
    let flags = "`--listen` and `--admin` need the same port: `127.0.0.1:53002`";
    refused(&["serve", "--listen", "127.0.0.1:53002", "--admin", "127.0.0.1:53002"], &[flags, "--> command line"]);
    let twice = "`127.0.0.1:53002` and `0.0.0.0:53002` in `--listen` need the same port";
    refused(&["serve", "--listen", "127.0.0.1:53002", "--listen", "0.0.0.0:53002"], &[twice]);
    lab.write(
        "fiftythree.toml",
        &settings.replace("['127.0.0.1:0']", "['127.0.0.1:8053']").replace("[admin]\nlisten = '127.0.0.1:0'\n", ""),
    );
    let default = "`[dns] listen` and `[admin] listen` (the default) need the same port: `127.0.0.1:8053`";
    refused(&["check"], &[default, "fiftythree.toml:2:11"]);
    refused(&["serve"], &[default]);
}

#[test]
fn name_servers_that_only_this_machine_reaches_are_a_warning() {
    let lab = Lab::new(&[("lab.test.toml", ZONE), ("other.toml", "name = 'other.test'\n")]);
    let warning =
        "warning: the name server `ns1.lab.test.` has a loopback address for all clients (also in 1 other zone)";
    assert!(!text(&lab.run(&["check"]).stderr).contains("warning"));
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &settings.replace("['127.0.0.1:0']", "['0.0.0.0:0']"));
    let output = lab.run(&["check"]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains(warning) && said.contains("`[dns] name_servers`"), "{said}");
    let server = lab.serve();
    server.wait_for_log(warning);
    // Explicitly named servers are not changed.
    let named = "['0.0.0.0:0']\nname_servers = [{ name = 'ns.example.net.', addresses = ['192.0.2.53'] }]";
    lab.write("fiftythree.toml", &settings.replace("['127.0.0.1:0']", named));
    assert!(!text(&lab.run(&["check"]).stderr).contains("warning"));
}

#[test]
fn international_names_get_a_hint_wherever_they_are_typed() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    for arguments in [
        &["query", "münchen.test", "--server", "127.0.0.1:1"][..],
        &["explain", "münchen.test"],
        &["watch", "münchen.test", "--server", "127.0.0.1:1"],
        &["simulate", "--from", "geoip", "--name", "münchen.test"],
    ] {
        let said = text(&lab.run(arguments).stderr);
        assert!(said.contains("'ü'") && said.contains("hint: international names are written in Punycode"), "{said}");
    }
}

#[test]
fn a_file_in_another_encoding_is_said_to_be_that() {
    let utf_16: Vec<u8> = "name = 'lab.test'\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lab = Lab::new(&[]);
    fs::write(lab.path("zones/lab.test.toml"), [&[0xff, 0xfe][..], &utf_16].concat()).unwrap();
    let output = lab.run(&["check"]);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("the file is UTF-16, not UTF-8"), "{said}");
    assert_eq!(said.matches("error:").count(), 1, "{said}");
}

#[test]
fn checks_without_results_of_their_own_have_words_in_that_column() {
    let checks = "[[health_check]]\nname = 'shut'\ntype = 'manual'\nstatus = 'unhealthy'\n\
                  [[health_check]]\nname = 'site'\ntype = 'calculated'\nchild_health_checks = ['shut']\nhealth_threshold = 1\n";
    let lab = Lab::new(&[("lab.test.toml", &format!("{ZONE}{checks}"))]);
    let server = lab.serve();
    let said = text(&lab.run(&["health", "--admin", &server.admin()]).stdout);
    let row =
        |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{said}")).to_owned();
    assert!(row("site ").ends_with("  0 of 1 child health checks are healthy, 1 must be"), "{said}");
    assert!(row("shut ").ends_with("  as its file says"), "{said}");
}

#[test]
fn query_asks_the_server_in_all_its_ways() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    let server = lab.serve();
    let address = server.address.to_string();
    let query = |arguments: &[&str]| {
        let output = lab.run(&[&["query", "--server", &address], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let shown = query(&["www.lab.test", "--nsid", "--subnet", "10.53.1.77/24"]);
    for part in [
        "status: NOERROR",
        "flags: qr aa;",
        "ANSWER: 2",
        "; NSID: 6c 61 62 2d 31 (\"lab-1\")",
        "; CLIENT-SUBNET: 10.53.1.0/24/0",
        ";www.lab.test.\t\t\tIN\tA",
        "www.lab.test.\t60\tIN\tA\t192.0.2.1",
        "(UDP)",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(query(&["www.lab.test", "--tcp"]).contains("(TCP)"));
    assert!(query(&["none.lab.test"]).contains("status: NXDOMAIN"));
    assert!(query(&["example.com"]).contains("status: REFUSED"));
    let refused = lab.run(&["query", "--server", &address, "example.com", "--short"]);
    assert_eq!((text(&refused.stdout), text(&refused.stderr)), (String::new(), "example.com. A: REFUSED\n".to_owned()));
    assert_eq!(query(&["note.lab.test", "TXT", "--short"]), "\"it says \\042hello\\042\" \"and goes on\"\n");
    let json: serde_json::Value = serde_json::from_str(&query(&["www.lab.test", "--json"])).unwrap();
    assert_eq!(json["answer"].as_array().unwrap().len(), 2);

    // 400 draws with odds of 3 to 1: the rarer answer comes 100 times, give or take 9; 40 is 7
    // times that away.
    let tally: serde_json::Value =
        serde_json::from_str(&query(&["weighted.lab.test", "--count", "400", "--json"])).unwrap();
    assert_eq!(tally["answers"][0]["answer"], "192.0.2.11");
    let rarer = tally["answers"][1]["count"].as_u64().unwrap();
    assert!((40..=160).contains(&rarer), "{tally}");
}

#[test]
fn an_override_without_an_author_has_the_login_name() {
    let check = "[[health_check]]\nname = 'blue'\ntype = 'tcp'\nip_address = '127.0.0.1'\nport = 1\n";
    let lab = Lab::new(&[("lab.test.toml", &(ZONE.to_owned() + check))]);
    let server = lab.serve();
    let admin = server.admin();
    let mut command = lab.command(&["override", "set", "blue", "down", "--json", "--admin", &admin]);
    let output = command.env_remove("USER").env_remove("LOGNAME").output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let user = std::process::Command::new("id").arg("-un").output().unwrap();
    assert_eq!(json["overrides"][0]["author"], text(&user.stdout).trim(), "{json}");
}

#[test]
fn a_self_test_tells_a_server_that_answers_from_one_that_does_not() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    let server = lab.serve();
    let address = server.address.to_string();
    assert!(lab.run(&["query", "--self", "--server", &address]).status.success());
    let json = lab.run(&["query", "--self", "--server", &address, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json["server"] == *address && json["query_time_ms"].as_f64().unwrap() > 0.0, "{json}");
    assert!(server.stop().success());
    let output = lab.run(&["query", "--self", "--server", &address, "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_log_is_json_when_asked() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    // Standard output is not read in this mode: its content is in the log.
    let server = lab.serve_with(&["--log-format", "json"], &[]);
    server.wait_for_log("\"listening\"");
    for line in server.log().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["message"].is_string() && event["timestamp"].is_string(), "{line}");
    }
}

/// The output of `explain` for a name in files, without the lines about its source.
fn explained(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(&[&["explain"], arguments, &["--zone-file", "zones"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

const FAILOVER: &str = "name = 'lab.test'

[[record]]
name = 'app'
type = 'A'
set_identifier = 'blue'
failover = 'primary'
ttl = 10
values = ['192.0.2.11']
health_check = 'blue'

[[record]]
name = 'app'
type = 'A'
set_identifier = 'green'
failover = 'secondary'
ttl = 5
values = ['192.0.2.12']

[[health_check]]
name = 'blue'
type = 'manual'
status = 'healthy'
";

#[test]
fn explain_shows_the_tree_of_reasons_from_files() {
    let lab = Lab::new(&[("lab.test.toml", FAILOVER)]);
    let expected = "\
app.lab.test. A  asked by 192.0.2.7
├─ as if    blue=down
├─ source   files, where health checks are healthy unless --as-if or their file says otherwise
├─ zone     lab.test., the most specific public zone
├─ client   192.0.2.7/32: the resolver's address, as there is no client subnet
│  └─ location the location is unknown
├─ name     app.lab.test. exists, with A
├─ policy   app.lab.test. A, failover: the primary while it is healthy, else the secondary
│  ├─ ✗ blue   PRIMARY    health check blue is down, as assumed
│  │  ├─ 192.0.2.11, TTL 10 s
│  │  └─ health check blue: unhealthy, as assumed
│  ├─ ● green  SECONDARY  the secondary is healthy and the primary is not
│  │  └─ 192.0.2.12, TTL 5 s
│  └─ so       green answers: the secondary is healthy and the primary is not.
├─ answer   NOERROR, authoritative, 1 record
│  └─ app.lab.test. 5 A 192.0.2.12
├─ ttl      5 s: the record's own TTL
├─ size     84 bytes over UDP without EDNS, whole in every message
└─ scope    /0: no policy depends on the client's location; not sent, as the query has no client subnet

● answers   ○ could answer   ✗ unhealthy   · not for this client
";
    assert_eq!(explained(&lab, &["app.lab.test", "--from", "192.0.2.7", "--as-if", "blue=down"]), expected);
}

const CHAIN: &str = "name = 'lab.test'
[[record]]
name = '@'
type = 'NS'
ttl = 60
values = ['ns.elsewhere.test.']
[[record]]
name = 'one'
type = 'CNAME'
ttl = 60
values = ['two.lab.test.']
[[record]]
name = 'two'
type = 'CNAME'
ttl = 60
values = ['three.lab.test.']
[[record]]
name = 'three'
type = 'A'
ttl = 60
values = ['192.0.2.1', '192.0.2.2']
[[record]]
name = 'below'
type = 'CNAME'
ttl = 60
values = ['www.child.lab.test.']
[[record]]
name = 'child'
type = 'NS'
ttl = 60
values = ['ns.child.lab.test.']
[[record]]
name = 'ns.child'
type = 'A'
ttl = 60
values = ['192.0.2.53']
";

#[test]
fn explain_shows_the_order_and_the_end_of_a_cname_chain() {
    let many: Vec<String> = (0..90).map(|value| format!("'192.0.2.{value}'")).collect();
    let many = format!("[[record]]\nname = 'many'\ntype = 'A'\nttl = 60\nvalues = [{}]\n", many.join(", "));
    let https = "[[record]]\nname = 'alternative'\ntype = 'HTTPS'\nttl = 60\nvalues = ['1 three.lab.test.']\n";
    let lab = Lab::new(&[("lab.test.toml", &(CHAIN.to_owned() + &many + https))]);
    let shows = |arguments: &[&str], lines: &[&str]| {
        let shown = explained(&lab, arguments);
        let mut rest = shown.as_str();
        for line in lines {
            let at = rest.find(line).unwrap_or_else(|| panic!("`{line}` does not follow in:\n{shown}"));
            rest = &rest[at + line.len()..];
        }
    };
    shows(
        &["one.lab.test"],
        &[
            "4 records, in this order on the wire, the values of a set at random",
            "one.lab.test. 60 CNAME two.lab.test.",
            "two.lab.test. 60 CNAME three.lab.test.",
            "three.lab.test. 60 A 192.0.2.1",
        ],
    );
    shows(
        &["one.lab.test", "AAAA"],
        &[
            "nodata   three.lab.test. exists, but it has no records of type AAAA.",
            "2 records, in this order on the wire",
            "two.lab.test. 60 CNAME three.lab.test.",
            "authority: lab.test. 900 SOA",
            "ttl      each record's own TTL; for the negative answer 900 s: the lesser of",
        ],
    );
    shows(
        &["below.lab.test"],
        &[
            "1 record",
            "below.lab.test. 60 CNAME www.child.lab.test.",
            "authority: child.lab.test. 60 NS ns.child.lab.test.",
            "additional: ns.child.lab.test. 60 A 192.0.2.53",
            "for the delegation 60 s: the delegation's own TTL",
        ],
    );
    // The addresses of names in the answer, but not those of the zone's name servers.
    shows(
        &["alternative.lab.test", "HTTPS"],
        &["answer", "HTTPS 1 three.lab.test.", "additional: three.lab.test. 60 A"],
    );
    let own = Lab::new(&[("lab.test.toml", &(ZONE.to_owned() + &https.replace("three", "www")))]);
    let shown = explained(&own, &["alternative.lab.test", "HTTPS"]);
    assert!(shown.contains("additional: www.lab.test. 60 A") && !shown.contains("additional: ns1."), "{shown}");
    let shown = explained(&own, &["lab.test", "NS"]);
    assert!(shown.contains("additional: ns1.lab.test. "), "{shown}");
    shows(&["one.lab.test", "ANY"], &["one.lab.test. ANY", "1 record", "one.lab.test. 60 CNAME two.lab.test."]);
    shows(
        &["many.lab.test"],
        &[
            "90 records, in random order on the wire",
            "size     by the message that carries it",
            "UDP without EDNS     31 of   512 bytes  truncated (TC): the client repeats the query over TCP",
            "UDP with EDNS        42 of  1232 bytes  truncated (TC): the client repeats the query over TCP",
            "TCP",
            "of 65535 bytes  whole",
        ],
    );
}

#[test]
fn explain_makes_the_same_draw_for_the_same_seed() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    let once = |seed: &str| explained(&lab, &["weighted.lab.test", "--seed", seed, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&once("7")).unwrap();
    assert_eq!(json["question"]["seed"], 7);
    assert_eq!(json["shares"][0]["share"], 0.75);
    assert_eq!(once("7"), once("7"));
    let answers: std::collections::BTreeSet<String> = (0..20)
        .map(|seed| {
            serde_json::from_str::<serde_json::Value>(&once(&seed.to_string())).unwrap()["answer"]["answer"].to_string()
        })
        .collect();
    assert_eq!(answers.len(), 2, "{answers:?}");
}

#[test]
fn explain_reports_its_obstacles() {
    let lab = Lab::new(&[("lab.test.toml", FAILOVER)]);
    let cases: [(&[&str], &str); 4] = [
        (&["app.lab.test", "--admin", "127.0.0.1:1"], "--zone-file FILE"),
        (&["app.lab.test", "--zone-file", "zones", "--as-if", "blu=down"], "there is: blue"),
        (&["app.lab.test", "--zone-file", "zones/none.toml"], "there is no such file"),
        (&["app.lab.test", "--zone-file", "zones", "--config", "none.toml"], "none.toml"),
    ];
    for (arguments, says) in cases {
        let output = lab.run(&[&["explain"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn explain_asks_the_running_server_and_knows_its_health() {
    let lab = Lab::new(&[("lab.test.toml", FAILOVER)]);
    let server = lab.serve();
    let explain = |arguments: &[&str]| {
        let admin = server.admin();
        let output = lab.run(&[&["explain", "app.lab.test", "--admin", &admin, "--json"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let address = |json: &serde_json::Value| json["answer"]["answer"][0]["data"].clone();
    let well = explain(&[]);
    assert_eq!(address(&well), "192.0.2.11");
    assert_eq!(address(&explain(&["--as-if", "blue=down"])), "192.0.2.12");
    let admin = server.admin();
    let set = lab.run(&["override", "set", "blue", "down", "--reason", "update", "--author", "ada", "--admin", &admin]);
    assert!(set.status.success(), "{}", text(&set.stderr));
    let failed_over = explain(&[]);
    assert_eq!(address(&failed_over), "192.0.2.12");
    let group = failed_over["steps"].as_array().unwrap().iter().find(|step| step["step"] == "group").unwrap();
    let blue = &group["candidates"][0];
    assert_eq!((&blue["set_identifier"], &blue["outcome"]), (&"blue".into(), &"unhealthy".into()));
    assert!(blue["check"]["overridden"].as_str().unwrap().contains("overridden to down by ada"), "{blue}");
    assert_eq!(address(&explain(&["--as-if", "blue=up"])), "192.0.2.11");
}

/// The documents show the real output: every `$ fiftythree …` on these pages needs no server, and
/// is run in the directory of the repository.
#[test]
fn transcripts_in_the_documents_are_what_is_printed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents =
        ["docs/explain.md", "docs/simulate.md"].map(|path| std::fs::read_to_string(root.join(path)).unwrap());
    let mut shown = 0;
    for block in documents.iter().flat_map(|document| document.split("```console\n").skip(1)) {
        let (command, rest) = block.strip_prefix("$ fiftythree ").unwrap().split_once('\n').unwrap();
        let expected = rest.split("```").next().unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_fiftythree"))
            .args(command.split(' '))
            .current_dir(root)
            .env_remove("COLUMNS")
            .env("FIFTYTHREE_CONFIG", "config/fiftythree.toml")
            .output()
            .unwrap();
        assert_eq!(text(&output.stdout), expected, "{command}: {}", text(&output.stderr));
        shown += 1;
    }
    assert!(shown > 1);
}

const PLACES: &str = "[[place]]
name = 'Berlin'
weight = 3
networks = ['192.0.2.0/24']

[[place]]
name = 'Tokyo'
networks = ['203.0.113.0/24']
";

fn simulated(lab: &Lab, arguments: &[&str]) -> serde_json::Value {
    let output = lab.run(&[&["simulate", "--from", "places.toml", "-n", "4000", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Clients of the record with this identifier, before and after.
fn clients_of(json: &serde_json::Value, id: &str) -> [Option<u64>; 2] {
    let records = json["names"][0]["records"].as_array().unwrap();
    let record = records.iter().find(|record| record["record"]["set_identifier"] == id).unwrap();
    [record["before"]["clients"].as_u64(), record["after"]["clients"].as_u64()]
}

#[test]
fn simulate_says_who_gets_what_when_a_check_is_down() {
    let lab = Lab::new(&[("lab.test.toml", FAILOVER)]);
    lab.write("places.toml", PLACES);
    let json = simulated(&lab, &["--healthy", "--as-if", "blue=down"]);
    assert_eq!(clients_of(&json, "blue"), [Some(4000), Some(0)]);
    assert_eq!(clients_of(&json, "green"), [Some(0), Some(4000)]);
    let berlin = json["places"][0]["clients"].as_u64().unwrap();
    // Five standard deviations of 3000 are 137.
    assert!((2863..3137).contains(&berlin), "{json}");
    assert_eq!(json["names"][0]["records"][0]["after"]["places"]["Berlin"].as_u64(), Some(0));
    assert_eq!(simulated(&lab, &["--healthy", "--as-if", "blue=down"]), json, "the same seed");
    assert_ne!(simulated(&lab, &["--healthy", "--as-if", "blue=down", "--seed", "54"])["places"], json["places"]);
    assert_eq!(clients_of(&simulated(&lab, &["--healthy"]), "blue"), [Some(4000), None]);
}

#[test]
fn simulate_compares_with_proposed_files() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.write("places.toml", PLACES);
    std::fs::create_dir(lab.path("new")).unwrap();
    lab.write("new/lab.test.toml", &ZONE.replace("weight = 3", "weight = 1"));
    let json = simulated(&lab, &["--healthy", "--zone-file", "new"]);
    let [before, after] = clients_of(&json, "one").map(Option::unwrap);
    assert!((2863..3137).contains(&before) && (1842..2158).contains(&after), "{json}");
}

#[test]
fn simulate_begins_with_the_running_servers_health() {
    let lab = Lab::new(&[("lab.test.toml", FAILOVER)]);
    lab.write("places.toml", PLACES);
    let server = lab.serve();
    let admin = server.admin();
    let set = lab.run(&["override", "set", "blue", "down", "--admin", &admin]);
    assert!(set.status.success(), "{}", text(&set.stderr));
    let json = simulated(&lab, &["--admin", &admin, "--as-if", "blue=up"]);
    assert_eq!(clients_of(&json, "blue"), [Some(0), Some(4000)]);
    assert!(json["before"].as_str().unwrap().ends_with("unhealthy blue"), "{json}");
}

#[test]
fn simulate_shows_the_faults_of_its_places() {
    let lab = Lab::new(&[("lab.test.toml", FAILOVER)]);
    lab.write("places.toml", &PLACES.replace("weight = 3", "weight = 0"));
    let simulate = |from: &str| lab.run(&["simulate", "--from", from, "--healthy"]);
    let output = simulate("places.toml");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("places.toml:3:10"), "{}", text(&output.stderr));
    for from in ["none.toml", "geoip"] {
        assert_eq!(simulate(from).status.code(), Some(1), "{from}");
    }
}
