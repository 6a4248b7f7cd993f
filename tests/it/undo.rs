//! `fiftythree undo` end to end: the inverse of a change is a change like any other, also after a
//! kill; later changes are conflicts. And large removals, which have to be forced.
#![cfg(unix)]

use std::fs;

use crate::aws::Client;
use crate::server::{Lab, Running, Transport, text, wait_for};

const ZONE: &str = "# The zone.\nname = \"lab.test\"\n\n# The web server.\n[[record]]\nname = \"www\"\ntype = \"A\"\nttl = 5\n\
                    values = [\"192.0.2.1\"]\n";

const SETTINGS: &str = "[dns]\nlisten = ['127.0.0.1:0']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n[admin]\n\
                        listen = '127.0.0.1:0'\n";

/// The namespace of the API's elements.
const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

fn lab(zone: &str, settings: &str) -> Lab {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("zones")).unwrap();
    lab.write("zones/lab.test.toml", zone);
    lab.write("fiftythree.toml", settings);
    lab
}

/// Runs a command against the server; returns its output, or else its errors.
fn run(lab: &Lab, running: &Running, arguments: &[&str]) -> Result<String, String> {
    let admin = running.admin().to_string();
    let output = lab.run(&[arguments, &["--admin", &admin, "--config", "fiftythree.toml"]].concat());
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn addresses(running: &Running, name: &str) -> Vec<String> {
    running.ask(name, Transport::Udp).addresses
}

/// The changes of an object, the latest first.
fn changes(lab: &Lab, running: &Running, object: &str) -> Vec<serde_json::Value> {
    let history = run(lab, running, &["history", "--zone", object, "--json"]).unwrap();
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    history["events"].as_array().unwrap().iter().rev().map(|one| one["event"].clone()).collect()
}

/// The id of the latest change of an object.
fn last_change(lab: &Lab, running: &Running, object: &str) -> String {
    let changes = changes(lab, running, object);
    let change = changes.first().unwrap_or_else(|| panic!("no change of {object}"));
    change["change_id"].as_str().unwrap_or_else(|| panic!("{change}")).to_owned()
}

#[test]
fn changes_of_record_sets_are_undone_also_after_a_kill_and_an_undo_too() {
    let lab = lab(ZONE, SETTINGS);
    let running = lab.serve();
    let printed = run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.7"]).unwrap();
    let changed = last_change(&lab, &running, "lab.test");
    assert_eq!(printed, format!("www.lab.test A is set\nundo it with `fiftythree undo {changed}`\n"));
    run(&lab, &running, &["record", "set", "new.lab.test", "A", "192.0.2.8"]).unwrap();
    let added = last_change(&lab, &running, "lab.test");
    drop(running); // SIGKILL

    let running = lab.serve();
    // Another record set was changed since.
    let undone = run(&lab, &running, &["undo", &changed]).unwrap();
    assert!(undone.starts_with(&format!("{changed} is undone by C")), "{undone}");
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.1"]);
    assert_eq!(addresses(&running, "new.lab.test."), ["192.0.2.8"]);
    let undo = last_change(&lab, &running, "lab.test");
    drop(running); // SIGKILL

    let running = lab.serve();
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.1"]);
    run(&lab, &running, &["undo", &added]).unwrap();
    assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap().trim_end(), ZONE.trim_end());
    run(&lab, &running, &["undo", &undo]).unwrap();
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.7"]);
    let history = run(&lab, &running, &["history", "--zone", "lab.test"]).unwrap();
    assert!(history.contains("Undo of lab.test. by ") && history.contains(&format!(": undoes {undo}")), "{history}");
    let error = run(&lab, &running, &["undo", "CUNKNOWN"]).unwrap_err();
    assert!(error.contains("the history has no change with the id CUNKNOWN"), "{error}");
    run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.7"]).unwrap();
    let nothing = last_change(&lab, &running, "lab.test");
    let error = run(&lab, &running, &["undo", &nothing]).unwrap_err();
    assert!(error.contains(&format!("{nothing} cannot be undone: it changed nothing")), "{error}");
    assert!(running.stop().success());
}

#[test]
fn later_changes_and_edits_of_the_same_record_set_are_conflicts() {
    let lab = lab(ZONE, SETTINGS);
    let running = lab.serve();
    run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.7"]).unwrap();
    let first = last_change(&lab, &running, "lab.test");
    run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.8"]).unwrap();
    let second = last_change(&lab, &running, "lab.test");
    let error = run(&lab, &running, &["undo", &first]).unwrap_err();
    assert!(error.contains("later changes touched the same:\n  www.lab.test. A has changed since: "), "{error}");
    assert!(error.contains(&format!("({second})")), "{error}");
    run(&lab, &running, &["undo", &second]).unwrap();
    run(&lab, &running, &["undo", &first]).unwrap();
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.1"]);

    // An edit by hand is a conflict, and can be undone itself.
    run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.7"]).unwrap();
    let third = last_change(&lab, &running, "lab.test");
    lab.write("zones/lab.test.toml", &ZONE.replace("192.0.2.1", "192.0.2.9"));
    running.wait_for_answer("www.lab.test.", &["192.0.2.9"]);
    let error = run(&lab, &running, &["undo", &third]).unwrap_err();
    assert!(error.contains("www.lab.test. A has changed since: Edit of "), "{error}");
    let edit = wait_for("the edit in the history", || {
        let latest = changes(&lab, &running, "lab.test").into_iter().next()?;
        (latest["operation"] == "Edit").then(|| latest["change_id"].as_str().unwrap().to_owned())
    });
    run(&lab, &running, &["undo", &edit]).unwrap();
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.7"]);

    // One that the server did not see is a conflict too.
    assert!(running.stop().success());
    lab.write("zones/lab.test.toml", &ZONE.replace("192.0.2.1", "192.0.2.9"));
    let running = lab.serve();
    let error = run(&lab, &running, &["undo", &third]).unwrap_err();
    assert!(error.contains("www.lab.test. A has changed since"), "{error}");
    assert!(running.stop().success());
}

#[test]
fn a_deleted_zone_comes_back_with_its_id() {
    let lab = lab(ZONE, SETTINGS);
    let running = lab.serve();
    run(&lab, &running, &["zone", "create", "app.test", "--comment", "The app"]).unwrap();
    let created = changes(&lab, &running, "app.test");
    run(&lab, &running, &["zone", "delete", "app.test"]).unwrap();
    let deleted = last_change(&lab, &running, "app.test");
    run(&lab, &running, &["undo", &deleted]).unwrap();
    let file = fs::read_to_string(lab.path("zones/app.test.toml")).unwrap();
    assert!(file.contains(&format!("id = {}", created[0]["id"])) && file.contains("comment = \"The app\""), "{file}");
    run(&lab, &running, &["record", "set", "www.app.test", "A", "192.0.2.9"]).unwrap();

    // Its creation cannot be undone while it has what was added since.
    let creation = created[0]["change_id"].as_str().unwrap();
    let error = run(&lab, &running, &["undo", creation]).unwrap_err();
    assert!(error.contains("www.app.test. A was added since: ChangeResourceRecordSets of "), "{error}");

    // A zone file that somebody removes comes back with all records.
    fs::remove_file(lab.path("zones/app.test.toml")).unwrap();
    running.signal("HUP");
    running.wait_for_answer("www.app.test.", &[]);
    let removed = wait_for("the edit in the history", || {
        let latest = changes(&lab, &running, "app.test").into_iter().next()?;
        (latest["operation"] == "Edit").then(|| latest["change_id"].as_str().unwrap().to_owned())
    });
    run(&lab, &running, &["undo", &removed]).unwrap();
    assert_eq!(addresses(&running, "www.app.test."), ["192.0.2.9"]);
    let undo = last_change(&lab, &running, "app.test");
    run(&lab, &running, &["undo", &undo]).unwrap();
    assert_eq!(addresses(&running, "www.app.test."), [""; 0]);
    assert!(!lab.path("zones/app.test.toml").exists());
    assert!(running.stop().success());
}

#[test]
fn edits_of_members_checks_and_groups_are_undone() {
    let zone = format!(
        "{ZONE}\n[[record]]\nname = \"app\"\ntype = \"A\"\nset_identifier = \"blue\"\nweight = 1\nttl = 5\nvalues = \
         [\"192.0.2.2\"]\nhealth_check = \"blue\"\n\n[[record_group]]\nname = \"app\"\ntype = \"A\"\nslow_start = 60\n"
    );
    let check =
        "[[health_check]]\nname = \"blue\"\ntype = \"manual\"\nstatus = \"healthy\"\ntags = { team = \"web\" }\n";
    let lab = lab(&zone, SETTINGS);
    lab.write("zones/checks.toml", check);
    let running = lab.serve();
    let edit_of = |object: &str| {
        wait_for("the edit in the history", || {
            let latest = changes(&lab, &running, object).into_iter().next()?;
            (latest["operation"] == "Edit").then(|| latest["change_id"].as_str().unwrap().to_owned())
        })
    };
    // A comment, a record set and the settings of a group at once.
    let edited = zone.replace("name = \"lab.test\"", "name = \"lab.test\"\ncomment = \"edited\"");
    let (edited, _) = edited.split_once("\n[[record_group]]").unwrap();
    lab.write("zones/lab.test.toml", &edited.replace("192.0.2.1", "192.0.2.9"));
    running.wait_for_answer("www.lab.test.", &["192.0.2.9"]);
    let edit = edit_of("lab.test");
    run(&lab, &running, &["undo", &edit]).unwrap();
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.1"]);
    assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap(), zone);

    // A health check, with its id: the record set refers to it again.
    lab.write(
        "zones/checks.toml",
        &check.replace("status = \"healthy\"", "status = \"unhealthy\"").replace("web", "api"),
    );
    let edit = edit_of("blue");
    run(&lab, &running, &["undo", &edit]).unwrap();
    let file = fs::read_to_string(lab.path("zones/checks.toml")).unwrap();
    assert!(file.contains("team = \"web\"") && file.contains("status = \"healthy\""), "{file}");
    assert!(running.stop().success());
}

#[test]
fn a_plan_says_what_an_undo_would_do() {
    let lab = lab(ZONE, SETTINGS);
    let running = lab.serve();
    run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.7", "--ttl", "5"]).unwrap();
    let change = last_change(&lab, &running, "lab.test");
    let admin = running.admin().to_string();
    let output = lab.run(&["undo", &change, "--plan", "--admin", &admin, "--config", "fiftythree.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("all clients: 192.0.2.7 → 192.0.2.1\n"), "{printed}");
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.7"]);
    assert!(running.stop().success());
}

#[test]
fn a_large_removal_has_to_be_forced() {
    let record =
        |number: u32| format!("\n[[record]]\nname = \"r{number}\"\ntype = \"A\"\nttl = 5\nvalues = [\"192.0.2.1\"]\n");
    let zone: String = (0..20).map(record).collect();
    let zone = format!("name = \"lab.test\"\n{zone}");
    let lab = lab(&zone, &format!("{SETTINGS}[api]\nlisten = ['127.0.0.1:0']\nlargest_removal = '50%'\n"));
    let delete = |number: u32| {
        format!(
            "{{\"Action\": \"DELETE\", \"ResourceRecordSet\": {{\"Name\": \"r{number}.lab.test\", \"Type\": \"A\", \"TTL\": 5, \
             \"ResourceRecords\": [{{\"Value\": \"192.0.2.1\"}}]}}}}"
        )
    };
    let batch = |count| format!("{{\"Changes\": [{}]}}", (0..count).map(delete).collect::<Vec<_>>().join(", "));
    let running = lab.serve();
    // SOA and NS count too: 11 of 22 are exactly half.
    lab.write("batch.json", &batch(12));
    for offline in [false, true] {
        let error = match offline {
            false => run(&lab, &running, &["change", "batch.json", "--server"]).unwrap_err(),
            true => text(&lab.run(&["change", "batch.json", "--config", "fiftythree.toml"]).stderr),
        };
        assert!(
            error.contains("removes 12 of the 22 resource record sets of the hosted zone, and at most 50% are allowed"),
            "{error}"
        );
        assert!(error.contains("To make it anyway: `fiftythree change --force`"), "{error}");
        assert!(!error.contains("Comment"), "{error}");
    }
    let plan = ["plan", "batch.json", "--config", "fiftythree.toml"];
    let error = text(&lab.run(&plan).stderr);
    assert!(error.contains("To make it anyway: `fiftythree change --force`"), "{error}");
    let forced = lab.run(&[&plan[..], &["--force"]].concat());
    assert_eq!(forced.status.code(), Some(2), "{}", text(&forced.stderr));
    // A client of the API has only the Comment.
    let api = Client::of(&running, "test", "test");
    let changes: String = (0..12)
        .map(|number| {
            format!(
                "<Change><Action>DELETE</Action><ResourceRecordSet><Name>r{number}.lab.test</Name><Type>A</Type>\
                 <TTL>5</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>\
                 </ResourceRecordSet></Change>"
            )
        })
        .collect();
    let zones = api.get("/hostedzone");
    let refused = api.post(
        &format!("{}/rrset", zones.element("Id")),
        &format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"{NAMESPACE}\"><ChangeBatch><Changes>{changes}</Changes></ChangeBatch>\
             </ChangeResourceRecordSetsRequest>"
        ),
    );
    assert_eq!((refused.status, refused.code()), (400, "InvalidChangeBatch"), "{}", refused.body);
    let how = "To make it anyway: put largest_removal=force into the Comment of the batch";
    assert!(refused.body.contains(how) && !refused.body.contains("--force"), "{}", refused.body);
    assert_eq!(addresses(&running, "r0.lab.test."), ["192.0.2.1"]);
    run(&lab, &running, &["change", "batch.json", "--server", "--force"]).unwrap();
    assert_eq!(addresses(&running, "r0.lab.test."), [""; 0]);

    // The undo adds them again; its own undo removes them.
    let undo = last_change(&lab, &running, "lab.test");
    run(&lab, &running, &["undo", &undo]).unwrap();
    assert_eq!(addresses(&running, "r0.lab.test."), ["192.0.2.1"]);
    let undo = last_change(&lab, &running, "lab.test");
    let error = run(&lab, &running, &["undo", &undo]).unwrap_err();
    assert!(error.contains("removes 12 of the 22") && error.contains("`fiftythree undo --force`"), "{error}");
    run(&lab, &running, &["undo", &undo, "--force"]).unwrap();
    assert_eq!(addresses(&running, "r0.lab.test."), [""; 0]);
    assert!(running.stop().success());
}

/// Each kind of object that only programs delete as a whole.
#[test]
fn deleted_objects_come_back_with_their_ids() {
    let settings = SETTINGS
        .replace("[zones]", "name_servers = [{ name = 'ns1.servers.test' }, { name = 'ns2.servers.test' }]\n[zones]")
        + "[api]\nlisten = ['127.0.0.1:0']\n";
    let lab = lab(ZONE, &settings);
    let running = lab.serve();
    let api = Client::of(&running, "test", "test");
    let create = |path: &str, operation: &str, members: &str| {
        let reply =
            api.post(path, &format!("<{operation}Request xmlns=\"{NAMESPACE}\">{members}</{operation}Request>"));
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.element("Id").trim_start_matches("/delegationset/").to_owned()
    };
    let reference = "<CallerReference>1</CallerReference>";
    let config = "<IPAddress>192.0.2.7</IPAddress><Port>80</Port><Type>TCP</Type>";
    let check = create(
        "/healthcheck",
        "CreateHealthCheck",
        &format!("{reference}<HealthCheckConfig>{config}</HealthCheckConfig>"),
    );
    let collection = create("/cidrcollection", "CreateCidrCollection", &format!("<Name>offices</Name>{reference}"));
    let set = create("/delegationset", "CreateReusableDelegationSet", reference);
    let document = "{\"AWSPolicyFormatVersion\":\"2015-10-01\",\"RecordType\":\"A\",\"StartEndpoint\":\"one\",\
                    \"Endpoints\":{\"one\":{\"Type\":\"value\",\"Value\":\"192.0.2.7\"}}}";
    let policy =
        create("/trafficpolicy", "CreateTrafficPolicy", &format!("<Name>one</Name><Document>{document}</Document>"));
    for (id, path, list) in [
        (&check, format!("/healthcheck/{check}"), "/healthcheck"),
        (&collection, format!("/cidrcollection/{collection}"), "/cidrcollection"),
        (&set, format!("/delegationset/{set}"), "/delegationset"),
        (&policy, format!("/trafficpolicy/{policy}/1"), "/trafficpolicies"),
    ] {
        let listed = || api.get(list).body.contains(id);
        assert!(listed(), "{path}");
        let deleted = api.send("DELETE", &path, &[], "");
        assert_eq!(deleted.status, 200, "{path}: {}", deleted.body);
        assert!(!listed(), "{path}");
        // The check may have a status meanwhile.
        let change = last_change(&lab, &running, id);
        run(&lab, &running, &["undo", &change]).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(listed(), "{path}");
    }
    assert!(running.stop().success());
}

/// An alias target has no operation of the API, so only files and undo change it.
#[test]
fn edits_of_alias_targets_are_undone() {
    let target = "\n# A load balancer.\n[[alias_target]]\nname = \"lb\"\ntarget = \
                  \"my-lb-1.eu-central-1.elb.amazonaws.com\"\naddresses = [\"192.0.2.77\"]\n";
    let zone = format!(
        "{ZONE}\n[[record]]\nname = \"elb\"\ntype = \"A\"\nalias = {{ hosted_zone_id = \"Z215JYRZR1TBD5\", target = \
         \"my-lb-1.eu-central-1.elb.amazonaws.com\", evaluate_target_health = false }}\n"
    );
    let lab = lab(&format!("{zone}{target}"), SETTINGS);
    let running = lab.serve();
    let edit = |text: &str, answer: &[&str]| {
        let before = changes(&lab, &running, "lb").len();
        lab.write("zones/lab.test.toml", text);
        running.wait_for_answer("elb.lab.test.", answer);
        wait_for("the edit in the history", || {
            let changes = changes(&lab, &running, "lb");
            (changes.len() > before).then(|| changes[0]["change_id"].as_str().unwrap().to_owned())
        })
    };
    let changed = edit(&format!("{zone}{}", target.replace(".77", ".78")), &["192.0.2.78"]);
    run(&lab, &running, &["undo", &changed]).unwrap();
    assert_eq!(addresses(&running, "elb.lab.test."), ["192.0.2.77"]);
    assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap(), format!("{zone}{target}"));

    let removed = edit(&zone, &[]);
    run(&lab, &running, &["undo", &removed]).unwrap();
    assert_eq!(addresses(&running, "elb.lab.test."), ["192.0.2.77"]);
    let undo = last_change(&lab, &running, "lb");
    run(&lab, &running, &["undo", &undo]).unwrap();
    assert_eq!(addresses(&running, "elb.lab.test."), [""; 0]);
    assert!(running.stop().success());
}

/// Programs cannot rename a zone. To remove or add one would be half of an undo.
#[test]
fn zones_that_an_edit_renamed_are_in_the_history_and_undo_says_what_to_write() {
    let lab = lab(ZONE, SETTINGS);
    let with_id = ZONE.replace("name = \"lab.test\"", "name = \"y.test\"\nid = \"ZYY\"");
    lab.write("zones/y.toml", &with_id);
    let running = lab.serve();
    let edit = |file: &str, text: &str, names: &[&str]| {
        let before = changes(&lab, &running, names[0]).len();
        lab.write(file, text);
        let id = wait_for("the edit in the history", || {
            let changes = changes(&lab, &running, names[0]);
            (changes.len() > before).then(|| changes[0]["change_id"].as_str().unwrap().to_owned())
        });
        for name in names {
            assert_eq!(last_change(&lab, &running, name), id, "{name}");
        }
        id
    };
    let refused = |change: &str, file: &str, lines: &[&str]| {
        let error = run(&lab, &running, &["undo", change]).unwrap_err();
        assert!(error.contains("which only an edit of the file can do") && error.contains(file), "{error}");
        assert!(lines.iter().all(|line| error.contains(&format!("\n  {line}\n"))), "{error}");
        assert_eq!(run(&lab, &running, &["undo", change, "--plan"]).unwrap_err(), error);
    };
    let renamed = edit("zones/lab.test.toml", &ZONE.replace("lab.test", "lab2.test"), &["lab2.test", "lab.test"]);
    running.wait_for_answer("www.lab2.test.", &["192.0.2.1"]);
    refused(&renamed, "zones/lab.test.toml", &["name = \"lab.test\""]);
    assert_eq!(addresses(&running, "www.lab.test."), [""; 0]);

    let renamed = edit("zones/y.toml", &with_id.replace("y.test", "yy.test"), &["yy.test", "y.test"]);
    refused(&renamed, "zones/y.toml", &["name = \"y.test\"", "id = \"ZYY\""]);
    let other_id = with_id.replace("y.test", "yy.test").replace("ZYY", "ZZZ");
    let identified = edit("zones/y.toml", &other_id, &["ZZZ", "yy.test"]);
    refused(&identified, "zones/y.toml", &["name = \"yy.test\"", "id = \"ZYY\""]);
    let without_id = edit("zones/y.toml", &other_id.replace("id = \"ZZZ\"\n", ""), &["yy.test"]);
    refused(&without_id, "zones/y.toml", &["name = \"yy.test\"", "id = \"ZZZ\""]);
    assert!(running.stop().success());
}

#[test]
fn an_added_zone_file_is_in_the_history_and_is_removed_by_undo() {
    let lab = lab(ZONE, SETTINGS);
    let running = lab.serve();
    let added_zone = ZONE.replace("lab.test", "added.test");
    lab.write("zones/added.toml", &added_zone);
    running.wait_for_answer("www.added.test.", &["192.0.2.1"]);
    let added = wait_for("the edit in the history", || {
        let change = changes(&lab, &running, "added.test").into_iter().next()?;
        Some(change["change_id"].as_str().unwrap().to_owned())
    });
    run(&lab, &running, &["record", "set", "new.added.test", "A", "192.0.2.9"]).unwrap();
    let since = last_change(&lab, &running, "added.test");
    let error = run(&lab, &running, &["undo", &added]).unwrap_err();
    assert!(error.contains("new.added.test. A was added since"), "{error}");
    run(&lab, &running, &["undo", &since]).unwrap();
    run(&lab, &running, &["undo", &added]).unwrap();
    assert_eq!(addresses(&running, "www.added.test."), [""; 0]);
    assert!(!lab.path("zones/added.toml").exists());
    let undo = last_change(&lab, &running, "added.test");
    run(&lab, &running, &["undo", &undo]).unwrap();
    assert_eq!(addresses(&running, "www.added.test."), ["192.0.2.1"]);
    assert!(running.stop().success());
}
