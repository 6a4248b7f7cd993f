//! `fiftythree import` and `export` as users run them: files, a server with the API, exit codes.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::aws::Client;
use crate::server::{Lab, Transport, text};

const BIND: &str = "$TTL 300\n@ IN SOA ns1 h 7 2h 15m 2w 1d\n  NS ns1\nns1 A 127.0.0.1\nwww A 192.0.2.1\nwww A 192.0.2.2\n\
                    $INCLUDE more\nwww LOC 52 22 23.000 N 4 53 32.000 E -2.00m\n";
const ZONE: &str = "name = 'lab.test'\ncomment = 'all kinds'\nid = 'ZLAB'\ntags = { owner = 'ada' }\n\
    [[record]]\nname = 'app'\ntype = 'A'\nset_identifier = 'blue'\nfailover = 'primary'\nttl = 10\nvalues = ['192.0.2.11']\n\
    health_check = 'blue'\n\
    [[record]]\nname = 'app'\ntype = 'A'\nset_identifier = 'green'\nfailover = 'secondary'\nttl = 10\nvalues = ['192.0.2.12']\n\
    [[record]]\nname = '@'\ntype = 'A'\nalias = { target = 'app', evaluate_target_health = true }\n\
    [[record]]\nname = 'near'\ntype = 'TXT'\nset_identifier = 'b c+d'\ncidr = { collection = 'offices', location = 'berlin' }\n\
    ttl = 10\nvalues = ['\"\\344;\"']\n\
    [[health_check]]\nname = 'blue'\nid = '7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11'\ncaller_reference = 'blue'\ntype = 'tcp'\n\
    ip_address = '127.0.0.1'\nport = 9\nrequest_interval = 10\n\
    [[cidr_collection]]\nname = 'offices'\nlocations = { berlin = ['10.53.1.0/24'] }\n";

/// The files of a directory, by name.
fn files(lab: &Lab, directory: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(lab.path(directory)).unwrap().map(|entry| entry.unwrap());
    let pair =
        |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap());
    entries.map(pair).collect()
}

fn run(lab: &Lab, arguments: &[&str], code: i32) -> (String, String) {
    let output = lab.run(arguments);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

#[test]
fn a_master_file_is_imported_served_and_exported_again() {
    let lab = Lab::new(&[]);
    lab.write("db.lab.test", BIND);
    lab.write("more", "mail MX 10 @\n");
    let (_, stderr) = run(&lab, &["import", "db.lab.test", "--output", "zones", "--strict"], 1);
    assert!(stderr.contains("db.lab.test:8:1") && stderr.contains("because of --strict"), "{stderr}");
    assert!(files(&lab, "zones").is_empty());
    let (stdout, stderr) = run(&lab, &["import", "db.lab.test", "--output", "zones"], 0);
    assert_eq!(stdout, "1 hosted zone, 5 record sets\n1 file is in zones\n");
    assert!(stderr.contains("Route 53 has no record type LOC") && stderr.contains("www LOC 52"), "{stderr}");
    assert!(stderr.ends_with("1 thing has no counterpart; see above\n"), "{stderr}");

    let server = lab.serve();
    let mut addresses = server.ask("www.lab.test.", Transport::Udp).addresses;
    addresses.sort();
    assert_eq!(addresses, ["192.0.2.1", "192.0.2.2"]);

    // The same again is no conflict, another text is.
    run(&lab, &["import", "db.lab.test", "--output", "zones"], 0);
    let before = files(&lab, "zones");
    lab.write("db.lab.test", &BIND.replace("192.0.2.2", "192.0.2.3"));
    let (_, stderr) = run(&lab, &["import", "db.lab.test", "--output", "zones"], 1);
    assert!(stderr.contains("zones/lab.test.toml exists"), "{stderr}");
    assert_eq!(files(&lab, "zones"), before);
    run(&lab, &["import", "db.lab.test", "--output", "zones", "--force"], 0);
    assert!(files(&lab, "zones")["lab.test.toml"].contains("192.0.2.3"));

    let (stdout, stderr) = run(&lab, &["export", "lab.test", "--format", "bind", "--stdout"], 0);
    assert_eq!(stderr, "");
    assert!(
        stdout.starts_with("$ORIGIN lab.test.\n@ 300 IN SOA ns1.lab.test. h.lab.test. 7 7200 900 1209600 86400\n"),
        "{stdout}"
    );
    assert!(stdout.contains("mail 300 IN MX 10 lab.test.\n"), "{stdout}");
}

#[test]
fn what_is_not_in_the_directory_is_not_included() {
    let lab = Lab::new(&[]);
    fs::create_dir(lab.path("bind")).unwrap();
    lab.write("secret", "secret TXT x\n");
    lab.write(
        "bind/db.lab.test",
        "$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS ns.other.test.\n$INCLUDE ../secret\n$INCLUDE link\n$INCLUDE db.lab.test\n",
    );
    std::os::unix::fs::symlink("../secret", lab.path("bind/link")).unwrap();
    let (stdout, stderr) = run(&lab, &["import", "bind/db.lab.test", "--stdout"], 0);
    assert_eq!(stderr.matches("is not in the directory of the zone file").count(), 2, "{stderr}");
    assert!(stderr.contains("db.lab.test includes itself"), "{stderr}");
    assert!(!stdout.contains("secret"), "{stdout}");
}

#[test]
fn a_server_is_copied_by_its_api() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.add_settings("[api]\nlisten = ['127.0.0.1:0']\nkeys_file = 'keys.toml'\n");
    lab.write("keys.toml", "[[key]]\naccess_key_id = 'ADA'\nsecret_access_key = 'a secret of hers'\nrights = 'read'\n");
    fs::set_permissions(lab.path("keys.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let server = lab.serve();
    let endpoint = format!("http://{}", Client::of(&server, "ADA", "x").address());
    let import = |secret: &str, directory: &str| {
        let mut command = lab.command(&["import", "--from-endpoint", &endpoint, "--output", directory]);
        command.env("AWS_ACCESS_KEY_ID", "ADA").env("AWS_SECRET_ACCESS_KEY", secret).env_remove("AWS_SESSION_TOKEN");
        command.output().unwrap()
    };
    let refused = import("another", "copy");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("SignatureDoesNotMatch"), "{}", text(&refused.stderr));
    let copied = import("a secret of hers", "copy");
    let stderr = text(&copied.stderr);
    assert!(copied.status.success(), "{stderr}");
    assert!(stderr.contains("1/1 lab.test. record sets: 6"), "{stderr}");
    let copy = files(&lab, "copy");
    let names: Vec<&String> = copy.keys().collect();
    assert_eq!(names, ["cidr_collections.toml", "health_checks.toml", "lab.test.toml"]);
    for line in ["id = \"ZLAB\"", "comment = \"all kinds\"", "owner = \"ada\"", "health_check = \"blue\"", "b c+d"] {
        assert!(copy["lab.test.toml"].contains(line), "{line}: {}", copy["lab.test.toml"]);
    }

    // The same JSON from the files, from the copy and from the server.
    let export = |more: &[&str], directory: &str| {
        let mut command = lab.command(&[&["export", "--format", "json", "--output", directory], more].concat());
        command.env("AWS_ACCESS_KEY_ID", "ADA").env("AWS_SECRET_ACCESS_KEY", "a secret of hers");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        files(&lab, directory)
    };
    let json = export(&[], "json");
    assert_eq!(export(&["--zone-file", "copy"], "json-of-copy"), json);
    assert_eq!(export(&["--from-endpoint", &endpoint], "json-of-server"), json);
    run(&lab, &["import", "json", "--output", "again"], 0);
    assert_eq!(files(&lab, "again"), copy);
}

/// Lists of several pages, tags of more checks than one request may ask for, and what programs
/// attach to a zone.
#[test]
fn all_pages_and_all_kinds_of_objects_are_copied() {
    const CHECKS: usize = 120;
    let record = |at: usize| {
        format!(
            "[[record]]\nname = 'r{at}'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\nset_identifier = 'one & only'\nweight = 1\n"
        )
    };
    let records: String = (0..250).map(record).collect();
    let policy = "7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c21";
    let zone = format!(
        "name = 'lab.test'\nid = 'ZLAB'\ndelegation_set = 'N1'\n\
         query_logging = {{ id = '7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c31', log_group = \
         'arn:aws:logs:us-east-1:123456789012:log-group:/aws/route53/lab' }}\n\
         traffic_policy_instances = [{{ id = '7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c41', name = 'www', type = 'A', ttl = 60, \
         policy = '{policy}', version = 2 }}]\n{records}"
    );
    let check = |at: usize| {
        format!(
            "[[health_check]]\nname = 'web {at}'\nid = '7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5{at:03}'\ntags = {{ Name = 'web {at}' }}\n\
             type = 'tcp'\nip_address = '127.0.0.1'\nport = 9\nrequest_interval = 10\ndisabled = true\n"
        )
    };
    let checks: String = (0..CHECKS).map(check).collect();
    let version = |number: u8| {
        format!(
            "{{ number = {number}, comment = 'the {number}.', document = '{{\"AWSPolicyFormatVersion\":\"2015-10-01\",\
             \"RecordType\":\"A\",\"StartEndpoint\":\"e\",\"Endpoints\":{{\"e\":{{\"Type\":\"value\",\"Value\":\"192.0.2.{number}\"}}}}}}' }}"
        )
    };
    let shared = format!(
        "[[reusable_delegation_set]]\nid = 'N1'\ncaller_reference = 'set'\nname_servers = ['ns1.servers.test', 'ns2.servers.test']\n\
         [[traffic_policy]]\nid = '{policy}'\nname = 'canary'\nversions = [{}, {}]\n{checks}",
        version(1),
        version(2)
    );
    let lab = Lab::new(&[("lab.test.toml", &zone), ("shared.toml", &shared)]);
    lab.add_settings("[api]\nlisten = ['127.0.0.1:0']\n");
    let server = lab.serve();
    let endpoint = format!("http://{}", Client::of(&server, "ADA", "x").address());
    let run = |arguments: &[&str], directory: &str| {
        let mut command = lab.command(&[arguments, &["--output", directory]].concat());
        command.env("AWS_ACCESS_KEY_ID", "ADA").env("AWS_SECRET_ACCESS_KEY", "x").env_remove("AWS_SESSION_TOKEN");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stderr), files(&lab, directory))
    };
    let (progress, copy) = run(&["import", "--from-endpoint", &endpoint, "--strict"], "copy");
    // With SOA, NS and the instance.
    assert!(progress.contains("health checks: 120\n1/1 lab.test. record sets: 253\n"), "{progress}");
    let names: Vec<&String> = copy.keys().collect();
    let expected = ["health_checks.toml", "lab.test.toml", "reusable_delegation_sets.toml", "traffic_policies.toml"];
    assert_eq!(names, expected);
    assert_eq!(copy["lab.test.toml"].matches("one & only").count(), 250);
    for line in ["delegation_set = \"N1\"", "log-group:/aws/route53/lab", "7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c41"] {
        assert!(copy["lab.test.toml"].contains(line), "{line}: {}", copy["lab.test.toml"]);
    }
    // The name of a check is its tag.
    for at in 0..CHECKS {
        assert!(copy["health_checks.toml"].contains(&format!("\nname = \"web {at}\"\n")), "web {at}");
    }
    let (_, json) = run(&["export", "--format", "json"], "json");
    assert_eq!(run(&["export", "--format", "json", "--zone-file", "copy"], "json-of-copy").1, json);
    assert_eq!(run(&["export", "--format", "json", "--from-endpoint", &endpoint], "json-of-server").1, json);
    for name in ["reusable-delegation-sets", "traffic-policies", "traffic-policy-instances", "query-logging-configs"] {
        assert!(json.contains_key(&format!("{name}.json")), "{:?}", json.keys());
    }
}

#[test]
fn the_report_is_json_too() {
    let lab = Lab::new(&[]);
    lab.write("lab.json", "{\"ResourceRecordSets\": [\n {\"Name\": \"x.test.\", \"Type\": \"SOA\", \"TTL\": 1,\n  \"ResourceRecords\": [{\"Value\": \"a.test. b.test. 1 2 3 4 5\"}]},\n {\"Name\": \"a.x.test.\", \"Type\": \"LOC\"}]}");
    let (stdout, _) = run(&lab, &["import", "lab.json", "--output", "new", "--json"], 0);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["files"][0], "x.test.toml");
    let left_out = &report["left_out"][0];
    assert_eq!(
        (&left_out["file"], &left_out["line"], &left_out["column"]),
        (&"lab.json".into(), &4.into(), &11.into()),
        "{report}"
    );
    let (_, stderr) = run(&lab, &["import", "none.json", "--output", "new"], 1);
    assert!(stderr.contains("none.json") && stderr.contains("nothing is written"), "{stderr}");
}

/// An `aws` command that failed leaves an empty file.
#[test]
fn a_file_that_has_nothing_to_import_is_an_error() {
    let lab = Lab::new(&[]);
    fs::create_dir(lab.path("backup")).unwrap();
    for (name, text, expected) in [
        ("Z0123.tags.json", "", "the file is empty"),
        ("Z0123.TAGS.JSON", "\u{feff} \n", "the file is empty"),
        ("null.json", "null", "this is not the JSON of an `aws route53` command"),
        ("one.json", "1", "this is not the JSON of an `aws route53` command"),
        ("list.txt", "[]", "this is not the JSON of an `aws route53` command"),
        ("half.json", "{\"HostedZones\": [", "this is not the JSON of an `aws route53` command"),
        ("object.json", "{}", "nothing is in this JSON"),
        ("db.lab.test", "", "there is no record in this file"),
        ("db.lab.test", "; a comment\n$TTL 300\n", "there is no record in this file"),
        ("db.lab.test", "null", "there is no record in this file"),
        ("db.lab.test", "1\n", "there is no record in this file"),
    ] {
        lab.write(&format!("backup/{name}"), text);
        let named = format!("backup/{name}");
        // Another file that is fine changes nothing.
        lab.write("db.fine.test", "$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS a\na A 192.0.2.1\n");
        for arguments in [&["import", &named][..], &["import", "db.fine.test", &named, "--strict"]] {
            let (_, stderr) = run(&lab, &[arguments, &["--output", "out"]].concat(), 1);
            assert!(stderr.contains(expected) && stderr.contains(&format!("--> {named}")), "{name}: {stderr}");
            assert!(stderr.ends_with("error: nothing is written\n"), "{stderr}");
        }
        fs::remove_file(lab.path(&named)).unwrap();
        assert!(!lab.path("out").exists());
    }
    lab.write("backup/Z0123.tags.json", "");
    let (_, stderr) = run(&lab, &["import", "backup", "--output", "out"], 1);
    assert!(stderr.contains("--> backup/Z0123.tags.json:1:1") && stderr.contains("run it again"), "{stderr}");
    let (_, stderr) = run(&lab, &["import", "backup", "--zone", "x.test", "--stdout"], 1);
    assert!(stderr.contains("the file is empty"), "{stderr}");
    lab.write("zone.json", "{\"HostedZone\": {\"Id\": \"Z1\", \"Name\": \"x.test\"}}");
    let (_, stderr) = run(&lab, &["import", "zone.json", "--zone", "y.test", "--stdout"], 1);
    assert!(stderr.contains("`--zone` names the zone of a BIND zone file"), "{stderr}");
}

#[test]
fn a_byte_order_mark_is_not_a_part_of_the_text() {
    let lab = Lab::new(&[]);
    lab.write("bom", "\u{feff}{\"HostedZone\": {\"Id\": \"/hostedzone/Z0123\", \"Name\": \"x.test.\"}}");
    let (stdout, _) = run(&lab, &["import", "bom", "--stdout", "--strict"], 0);
    assert!(stdout.starts_with("name = \"x.test\"\nid = \"Z0123\"\n"), "{stdout}");
    lab.write("db.x.test", "\u{feff}www 60 A 192.0.2.1\n");
    let (stdout, _) = run(&lab, &["import", "db.x.test", "--stdout", "--strict"], 0);
    assert!(stdout.contains("name = \"www\""), "{stdout}");
    // PowerShell writes UTF-16 for `>`.
    let octets: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(lab.path("wide.json"), octets).unwrap();
    let (_, stderr) = run(&lab, &["import", "wide.json", "--stdout"], 1);
    assert!(stderr.contains("wide.json is UTF-16, not UTF-8"), "{stderr}");
}

#[test]
fn bytes_that_are_not_utf_8_are_reported() {
    let lab = Lab::new(&[]);
    let zone = b"$TTL 5 ; caf\xe9\n@ TXT \"\xe9\"\n TXT \"b\"\n\xe9 TXT c\n TXT d\n";
    fs::write(lab.path("db.x.test"), zone).unwrap();
    let (stdout, stderr) = run(&lab, &["import", "db.x.test", "--stdout"], 0);
    assert!(stdout.contains("values = ['\"b\"']") || stdout.contains("values = [\"\\\"b\\\"\"]"), "{stdout}");
    assert_eq!(stdout.matches("[[record]]").count(), 1, "{stdout}");
    assert!(stderr.contains("--> db.x.test:2:1") && stderr.contains("such as \\228"), "{stderr}");
    assert!(stderr.contains("3 things have no counterpart"), "{stderr}");
    let json = b"{\"HostedZone\": {\"Id\": \"Z1\", \"Name\": \"x.test\", \"Config\": {\"Comment\": \"\xe9\"}}}";
    fs::write(lab.path("x.json"), json).unwrap();
    let (_, stderr) = run(&lab, &["import", "x.json", "--stdout"], 0);
    assert!(stderr.contains("the file has bytes that are not UTF-8"), "{stderr}");
}

/// Also those that a server without settings would make, because the settings may say otherwise.
#[test]
fn soa_and_ns_records_of_a_master_file_stay() {
    let lab = Lab::new(&[]);
    lab.write(
        "db.d.test",
        "@ 900 SOA ns1.d.test. hostmaster.d.test. 1 7200 900 1209600 86400\n@ 172800 NS ns1\nns1 60 A 192.0.2.1\n",
    );
    let (stdout, _) = run(&lab, &["import", "db.d.test", "--stdout", "--strict"], 0);
    for text in ["values = [\"ns1.d.test. hostmaster.d.test. 1 7200 900 1209600 86400\"]", "values = [\"ns1.d.test.\"]"]
    {
        assert!(stdout.contains(text), "{stdout}");
    }
    lab.write("db.e.test", "www 60 A 192.0.2.1\n");
    let (stdout, _) = run(&lab, &["import", "db.e.test", "--stdout", "--strict"], 0);
    assert!(!stdout.contains("SOA") && !stdout.contains("NS"), "{stdout}");
}

/// A limit on the size of files stands for a full disk.
#[test]
fn a_write_that_fails_changes_no_file() {
    let lab = Lab::new(&[]);
    let zone = |address: &str, records: usize| {
        let records: String = (0..records).map(|at| format!("r{at} A {address}\n")).collect();
        format!("$TTL 60\n@ SOA a.test. b.test. 1 2 3 4 5\n@ NS a.test.\n{records}")
    };
    let import = |limit: &str, more: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_fiftythree")).args(["import", "db.a.test", "db.z.test", "--output", "out"]);
        let output = command.args(more).current_dir(lab.path("")).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    lab.write("db.a.test", &zone("192.0.2.1", 1));
    lab.write("db.z.test", &zone("192.0.2.1", 500));
    let (code, stderr) = import("8", &[]);
    assert!(code == Some(1) && stderr.contains("cannot write out/z.test.toml"), "{stderr}");
    assert!(stderr.contains("no file is changed") && !lab.path("out").exists(), "{stderr}");
    assert_eq!(import("unlimited", &[]).0, Some(0));

    let before = files(&lab, "out");
    lab.write("db.a.test", &zone("192.0.2.2", 1));
    lab.write("db.z.test", &zone("192.0.2.2", 500));
    assert_eq!(import("8", &["--force"]).0, Some(1));
    assert_eq!(files(&lab, "out"), before, "also no hidden files");

    // Of a link only the link is replaced.
    fs::rename(lab.path("out/a.test.toml"), lab.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", lab.path("out/a.test.toml")).unwrap();
    assert_eq!(import("unlimited", &[]).0, Some(1));
    assert_eq!(import("unlimited", &["--force"]).0, Some(0));
    assert!(files(&lab, "out").values().all(|text| text.contains("192.0.2.2")));
    assert_eq!(fs::read_to_string(lab.path("elsewhere")).unwrap(), before["a.test.toml"]);
}

/// The settings of the new server can have VPCs whose ids AWS does not make.
#[test]
fn a_private_zone_with_a_vpc_of_the_settings_is_imported() {
    let private = "name = 'lab.test'\nid = 'ZPRIVATE'\nvpcs = ['vpc-lab1']\n";
    let lab = Lab::new(&[("private.toml", private), ("lab.test.toml", "name = 'lab.test'\nid = 'ZPUBLIC'\n")]);
    lab.add_settings(
        "[api]\nlisten = ['127.0.0.1:0']\n[[vpc]]\nid = 'vpc-lab1'\nregion = 'eu-central-1'\ncidrs = ['10.53.0.0/16']\n",
    );
    let server = lab.serve();
    let endpoint = format!("http://{}", Client::of(&server, "ADA", "x").address());
    run(&lab, &["export", "--format", "json", "--output", "json"], 0);
    for (from, output) in [(&["--from-endpoint", &*endpoint][..], "copy"), (&["json"], "copy of json")] {
        let (stdout, stderr) = run(&lab, &[&["import", "--output", output], from].concat(), 0);
        assert!(stdout.starts_with("2 hosted zones, "), "{stdout}");
        assert!(
            stderr.contains("the private hosted zone lab.test. needs the VPC `vpc-lab1` in the settings"),
            "{stderr}"
        );
        assert!(stderr.contains("write a [[vpc]] with id = \"vpc-lab1\", region = \""), "{stderr}");
        let copy = files(&lab, output);
        let names: Vec<&String> = copy.keys().collect();
        assert_eq!(names, ["lab.test.ZPRIVATE.toml", "lab.test.ZPUBLIC.toml"]);
        assert!(copy["lab.test.ZPRIVATE.toml"].contains("vpc-lab1"), "{copy:?}");
        let (_, stderr) = run(&lab, &[&["import", "--output", "strict", "--strict"], from].concat(), 1);
        assert!(stderr.contains("because of --strict"), "{stderr}");
        // With the settings, nothing is missing.
        run(&lab, &["check", "--zones", output], 0);
    }
}

#[test]
fn one_zone_that_cannot_be_served_does_not_block_the_others() {
    let lab = Lab::new(&[]);
    let zone = |id: &str, name: &str, vpcs: &str| {
        let is_private = !vpcs.is_empty();
        format!(
            "{{\"HostedZone\": {{\"Id\": \"{id}\", \"Name\": \"{name}\", \"Config\": {{\"PrivateZone\": {is_private}}}}}, \"VPCs\": [{vpcs}]}}"
        )
    };
    let bad = "{\"VPCId\": \"vpc lab\"}";
    let good = "{\"VPCId\": \"vpc-0123abcd\", \"VPCRegion\": \"eu-west-1\"}";
    lab.write("1.json", &zone("Z1", "one.test.", ""));
    lab.write("2.json", &zone("Z2", "one.test.", ""));
    lab.write("3.json", &zone("Z3", "three.test.", bad));
    lab.write("4.json", &zone("Z4", "four.test.", &format!("{bad}, {good}, {good}")));
    let import = ["import", "1.json", "2.json", "3.json", "4.json"];
    let (stdout, stderr) = run(&lab, &[&import[..], &["--output", "out"]].concat(), 0);
    assert!(stdout.starts_with("2 hosted zones, "), "{stdout}");
    for message in [
        "the hosted zone one.test. (Z2) is left out: the public zone `one.test.` is defined in two files",
        "the private hosted zone three.test. is left out: it has no VPC",
        "the hosted zone four.test. is imported without a VPC: `vpc lab` is not the id of a VPC",
    ] {
        assert!(stderr.contains(message), "{message}: {stderr}");
    }
    let out = files(&lab, "out");
    let names: Vec<&String> = out.keys().collect();
    assert_eq!(names, ["four.test.toml", "one.test.toml"]);
    assert!(!out["four.test.toml"].contains("vpc lab") && out["four.test.toml"].contains("vpc-0123abcd"), "{out:?}");
}
