//! Edited files: what they define, and what stays as it was written.

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::config::zones::SharedDefinitions;
use crate::config::{Settings, read_zones};
use crate::model::{Change, ChangeAction, ChangeBatch, Content, RecordData, RoutingPolicy};

const ZONE: &str = r#"# The lab's zone.
name = "lab.test" # its apex

# --- web ---

# The web server.
[[record]]
name = "www"   # aligned
type = "A"
ttl = "1m"
values = [
    "192.0.2.1", # old
    "192.0.2.2",
]

# Blue gets most.
[[record]]
name = "app"
type = "A"
set_identifier = "blue"
weight = 3
ttl = 5
values = ["192.0.2.11"]
health_check = "blue" # every second

[[record]]
name = "app"
type = "A"
set_identifier = "green"
weight = 1
ttl = 5
values = ["192.0.2.12"]

[[record_group]]
name = "app"
type = "A"
when_all_unhealthy = "none"

# --- checks ---

[[health_check]]
name = "blue"
type = "tcp"
ip_address = "192.0.2.11"
port = 80
"#;

fn settings() -> Settings {
    let settings = SourceFile::new(PathBuf::from("fiftythree.toml"), "[dns]\nlisten = [\"127.0.0.1:5300\"]");
    Settings::read(&settings).0.unwrap()
}

/// The zone of the text, and its definitions.
fn read(text: &str) -> (HostedZone, Vec<HealthCheck>, Vec<CidrCollection>) {
    let reading = read_zones(&[file(text)], &settings());
    let errors: Vec<_> = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    let configuration = reading.configuration;
    let zone = HostedZone::clone(&configuration.zones[0].zone);
    (zone, configuration.health_checks, configuration.cidr_collections)
}

fn file(text: &str) -> SourceFile {
    SourceFile::new(PathBuf::from("lab.test.toml"), text)
}

/// Edits the text, and holds what it then defines against the change itself. Record sets may be in
/// another order.
fn edited(text: &str, change: impl FnOnce(&mut HostedZone)) -> String {
    let (before, checks, collections) = read(text);
    let mut after = before.clone();
    change(&mut after);
    let edited = edit_record_sets(&file(text), &before, &after, &References::to(&checks, &collections)).unwrap();
    assert_same(&read(&edited).0, &after, &edited);
    edited
}

fn assert_same(read: &HostedZone, expected: &HostedZone, text: &str) {
    let sorted = |zone: &HostedZone| {
        let mut sets: Vec<_> = zone.record_sets.iter().map(|set| (format!("{:?}", set.key()), set.clone())).collect();
        sets.sort_by(|one, other| one.0.cmp(&other.0));
        sets
    };
    assert_eq!(sorted(read), sorted(expected), "{text}");
    assert_eq!(read.record_groups, expected.record_groups, "{text}");
}

fn at(zone: &HostedZone, name: &str, identifier: Option<&str>) -> usize {
    let name = Name::parse(name).unwrap();
    let is = |set: &ResourceRecordSet| set.name == name && set.set_identifier.as_deref() == identifier;
    zone.record_sets.iter().position(|set| is(set)).unwrap()
}

fn records(ttl: u32, values: &[&str]) -> Content {
    Content::Records {
        ttl,
        values: values.iter().map(|value| RecordData::parse(RecordType::A, value).unwrap()).collect(),
    }
}

fn simple(name: &str, value: &str) -> ResourceRecordSet {
    ResourceRecordSet {
        name: Name::parse(name).unwrap(),
        record_type: RecordType::A,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: records(60, &[value]),
        health_check: None,
    }
}

#[test]
fn an_update_changes_only_the_members_that_differ() {
    let changed = edited(ZONE, |zone| {
        let blue = at(zone, "app.lab.test", Some("blue"));
        Arc::make_mut(&mut zone.record_sets[blue]).routing_policy = RoutingPolicy::Weighted { weight: 30 };
    });
    assert_eq!(changed, ZONE.replace("weight = 3\n", "weight = 30\n"));
    let changed = edited(ZONE, |zone| {
        let www = at(zone, "www.lab.test", None);
        Arc::make_mut(&mut zone.record_sets[www]).content = records(60, &["192.0.2.9"]);
    });
    let old = "values = [\n    \"192.0.2.1\", # old\n    \"192.0.2.2\",\n]";
    assert_eq!(changed, ZONE.replace(old, "values = [\"192.0.2.9\"]"), "the TTL of one minute stays as written");
    let changed = edited(ZONE, |zone| {
        let blue = at(zone, "app.lab.test", Some("blue"));
        Arc::make_mut(&mut zone.record_sets[blue]).health_check = None;
    });
    assert_eq!(changed, ZONE.replace("health_check = \"blue\" # every second\n", ""));
}

#[test]
fn a_new_record_follows_those_of_its_name_or_all_records() {
    let green = "values = [\"192.0.2.12\"]\n";
    let block =
        |name: &str| format!("\n[[record]]\nname = \"{name}\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.20\"]\n");
    let changed = edited(ZONE, |zone| zone.record_sets.push(simple("new.lab.test", "192.0.2.20").into()));
    assert_eq!(changed, ZONE.replace(green, &format!("{green}{}", block("new"))));
    let changed = edited(ZONE, |zone| {
        let text = RecordData::parse(RecordType::Txt, r#""say \"hi\"""#).unwrap();
        let content = Content::Records { ttl: 60, values: vec![text] };
        let set = simple("www.lab.test", "192.0.2.1");
        zone.record_sets.push(Arc::new(ResourceRecordSet { record_type: RecordType::Txt, content, ..set }));
    });
    let www = "    \"192.0.2.2\",\n]\n";
    let txt = "\n[[record]]\nname = \"www\"\ntype = \"TXT\"\nttl = 60\nvalues = ['\"say \\\"hi\\\"\"']\n";
    assert_eq!(changed, ZONE.replace(www, &format!("{www}{txt}")));
    let changed = edited("name = \"lab.test\"", |zone| {
        zone.record_sets.push(simple("lab.test", "192.0.2.20").into());
        zone.record_sets.push(simple("*.lab.test", "192.0.2.20").into());
    });
    assert_eq!(changed, format!("name = \"lab.test\"\n{}{}", block("@"), block("*")));
}

#[test]
fn a_removed_record_takes_the_comment_right_above_it_along() {
    let changed = edited(ZONE, |zone| {
        let www = at(zone, "www.lab.test", None);
        zone.record_sets.remove(www);
    });
    let (start, end) = (ZONE.find("# The web").unwrap(), ZONE.find("# Blue").unwrap());
    assert_eq!(changed, format!("{}{}", &ZONE[..start], &ZONE[end..]));
    let changed = edited(ZONE, |zone| {
        zone.record_sets.retain(|set| set.set_identifier.is_none());
        zone.record_groups.clear();
    });
    let (start, end) = (ZONE.find("# Blue").unwrap(), ZONE.find("# --- checks").unwrap());
    assert_eq!(changed, format!("{}{}", &ZONE[..start], &ZONE[end..]), "and the settings of the group");
}

/// The default records depend on one another, so all of them are written.
#[test]
fn the_default_records_are_written_when_one_of_them_changes() {
    let changed = edited("name = \"lab.test\"\n", |zone| {
        let ns = zone.record_sets.iter().position(|set| set.record_type == RecordType::Ns).unwrap();
        let server = RecordData::parse(RecordType::Ns, "ns9.lab.test.").unwrap();
        Arc::make_mut(&mut zone.record_sets[ns]).content = Content::Records { ttl: 300, values: vec![server] };
    });
    assert_eq!(changed.matches("[[record]]").count(), 2, "SOA and NS: {changed}");
    let changed = edited("name = \"lab.test\"\n", |zone| {
        let soa = zone.record_sets.iter().position(|set| set.record_type == RecordType::Soa).unwrap();
        let Content::Records { ttl, .. } = &mut Arc::make_mut(&mut zone.record_sets[soa]).content else { panic!() };
        *ttl = 60;
    });
    assert_eq!(changed.matches("[[record]]").count(), 2, "{changed}");
    let changed =
        edited("name = \"lab.test\"\n", |zone| zone.record_sets.push(simple("a.lab.test", "192.0.2.1").into()));
    assert_eq!(changed.matches("[[record]]").count(), 1, "{changed}");
}

#[test]
fn every_policy_is_written_as_it_is_read() {
    let policies = [
        "weight = 0",
        "region = \"eu-central-1\"",
        "geolocation = { continent = \"EU\" }",
        "geolocation = { country = \"US\", subdivision = \"CA\" }",
        "geolocation = { country = \"*\" }",
        "geoproximity = { region = \"eu-west-1\", bias = -20 }",
        "geoproximity = { local_zone_group = \"us-west-2-den-1\" }",
        "geoproximity = { coordinates = { latitude = 52.5, longitude = -13.25 } }",
        "multivalue = true",
        "cidr = { collection = \"offices\", location = \"berlin\" }",
        "cidr = { collection = \"offices\", location = \"*\" }",
    ];
    let rest = "\n[[cidr_collection]]\nname = \"offices\"\nlocations = { berlin = [\"10.53.0.0/24\"] }\n";
    for policy in policies {
        let record = |identifier: &str| {
            format!(
                "\n[[record]]\nname = \"x\"\ntype = \"A\"\nset_identifier = \"{identifier}\"\n{policy}\nttl = 60\nvalues = \
                 [\"192.0.2.1\"]\n"
            )
        };
        let whole = format!("name = \"lab.test\"\n{}{rest}", record("one"));
        let set = read(&whole).0.record_sets.iter().find(|set| set.set_identifier.is_some()).unwrap().clone();
        let empty = format!("name = \"lab.test\"\n{rest}");
        let changed = edited(&empty, |zone| zone.record_sets.push(set));
        assert!(changed.contains(&record("one")), "{changed}");
    }
    let failover = "\n[[record]]\nname = \"x\"\ntype = \"A\"\nset_identifier = \"one\"\nfailover = \"secondary\"\nalias = { \
                    target = \"@\", evaluate_target_health = true }\n\n[[record]]\nname = \"@\"\ntype = \"A\"\nttl = \
                    60\nvalues = [\"192.0.2.1\"]\n";
    let sets = read(&format!("name = \"lab.test\"\n{failover}")).0.record_sets;
    let changed = edited("name = \"lab.test\"\n", |zone| zone.record_sets = sets);
    assert_eq!(changed, format!("name = \"lab.test\"\n{failover}"));
}

#[test]
fn long_lists_are_written_one_value_a_line() {
    let values: Vec<String> = (1..=9).map(|last| format!("192.0.2.{last}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let changed = edited("name = \"lab.test\"\n", |zone| {
        let set = simple("x.lab.test", "192.0.2.1");
        zone.record_sets.push(Arc::new(ResourceRecordSet { content: records(60, &values), ..set }));
    });
    assert!(changed.contains("values = [\n    \"192.0.2.1\",\n"), "{changed}");
    assert!(changed.ends_with("    \"192.0.2.9\",\n]\n"), "{changed}");
}

#[test]
fn windows_line_ends_stay() {
    let text = ZONE.replace('\n', "\r\n");
    let changed = edited(&text, |zone| {
        let www = at(zone, "www.lab.test", None);
        zone.record_sets.remove(www);
        zone.record_sets.push(simple("new.lab.test", "192.0.2.20").into());
        let blue = at(zone, "app.lab.test", Some("blue"));
        Arc::make_mut(&mut zone.record_sets[blue]).routing_policy = RoutingPolicy::Weighted { weight: 30 };
    });
    assert_eq!(changed.matches('\n').count(), changed.matches("\r\n").count(), "{changed:?}");
}

#[test]
fn inline_lists_and_dotted_tables_are_edited_as_one_document() {
    let text = "name = \"lab.test\" # its apex\nrecord = [\n    # first\n    { name = \"a\", type = \"A\", ttl = 60, values = \
                [\"192.0.2.1\"] },\n    { name = \"b\", type = \"A\", ttl = 60, values = [\"192.0.2.2\"] },\n]\n";
    let changed = edited(text, |zone| {
        let b = at(zone, "b.lab.test", None);
        Arc::make_mut(&mut zone.record_sets[b]).content = records(61, &["192.0.2.2"]);
        zone.record_sets.push(simple("c.lab.test", "192.0.2.3").into());
    });
    assert!(changed.contains("# its apex") && changed.contains("# first") && changed.contains("ttl = 61"), "{changed}");
    edited(text, |zone| zone.record_sets.retain(|set| set.name != Name::parse("a.lab.test").unwrap()));
    let dotted = "name = \"lab.test\"\n[[record]]\nname = \"a\"\ntype = \"A\"\nset_identifier = \"x\"\ngeolocation.country = \
                  \"DE\" # here\nttl = 60\nvalues = [\"192.0.2.1\"]\n[[record]]\nname = \"a\"\ntype = \"A\"\nset_identifier \
                  = \"y\"\ngeolocation.country = \"*\"\nttl = 60\nvalues = [\"192.0.2.1\"]\n";
    let changed = edited(dotted, |zone| {
        let a = at(zone, "a.lab.test", Some("x"));
        Arc::make_mut(&mut zone.record_sets[a]).content = records(61, &["192.0.2.1"]);
    });
    assert_eq!(changed, dotted.replacen("ttl = 60", "ttl = 61", 1));
}

#[test]
fn a_file_that_no_longer_has_the_record_is_refused() {
    let (before, checks, collections) = read(ZONE);
    let mut after = before.clone();
    after.record_sets.retain(|set| set.set_identifier.is_none());
    after.record_groups.clear();
    let other = file("name = \"lab.test\"\n");
    let refused = edit_record_sets(&other, &before, &after, &References::to(&checks, &collections));
    assert_eq!(refused, Err(EditError::Changed));
}

fn any_change() -> impl Strategy<Value = Change> {
    let action = prop_oneof![Just(ChangeAction::Create), Just(ChangeAction::Delete), Just(ChangeAction::Upsert)];
    let owner = prop_oneof![Just("www"), Just("app"), Just("a"), Just("*.a")];
    let policy = prop_oneof![
        Just((None, RoutingPolicy::Simple)),
        Just((Some("blue"), RoutingPolicy::Weighted { weight: 3 })),
        Just((Some("green"), RoutingPolicy::Weighted { weight: 0 })),
        Just((Some("blue"), RoutingPolicy::MultivalueAnswer)),
    ];
    (action, owner, policy, 1..3u8, 60..62u32).prop_map(|(action, owner, (identifier, routing_policy), value, ttl)| {
        let set = simple(&format!("{owner}.lab.test"), "192.0.2.1");
        let content = records(ttl, &[&format!("192.0.2.{value}")]);
        let set_identifier = identifier.map(str::to_owned);
        Change { action, record_set: ResourceRecordSet { set_identifier, routing_policy, content, ..set } }
    })
}

/// A file, and what a reading of it gives.
struct Indexed {
    file: SourceFile,
    common: SharedDefinitions,
    zone: Arc<HostedZone>,
    index: Option<RecordIndex>,
    has_warnings: bool,
}

impl Indexed {
    fn read(text: &str) -> Indexed {
        let file = file(text);
        let common = SharedDefinitions::read([&file]).unwrap();
        let (reading, index) = zone_with_index(&common, &file, &settings()).unwrap();
        let has_warnings = !reading.warnings.is_empty();
        Indexed { zone: reading.zone.unwrap(), file, common, index, has_warnings }
    }

    /// The edit of the record sets alone; it must be that of the whole file. `None` if there is
    /// none.
    fn edit(&self, after: &HostedZone) -> Option<String> {
        let Indexed { file, common, zone, index, has_warnings } = self;
        let index = index.as_ref().filter(|_| !has_warnings)?;
        let settings = &settings();
        let indexed = IndexedFile { path: &file.path, text: &file.text, zone, index, common, settings };
        let references = References::to(&common.health_checks, &common.cidr_collections);
        let IndexedEdit { text, zone, index } = indexed.edit(after, &references)?;
        assert_eq!(text, edit_record_sets(file, &self.zone, after, &references).unwrap());
        let whole = Indexed::read(&text);
        assert_eq!((&zone, Some(&index)), (&*whole.zone, whole.index.as_ref()), "{text}");
        assert!(!whole.has_warnings, "{text}");
        assert_same(&zone, after, &text);
        Some(text)
    }

    fn edit_with(&self, change: impl FnOnce(&mut HostedZone)) -> Option<String> {
        let mut after = HostedZone::clone(&self.zone);
        change(&mut after);
        self.edit(&after)
    }
}

const PLAIN: &str = "name = \"lab.test\"\n\n# One.\n[[record]]\nname = \"a\"\ntype = \"A\"\nttl = 60 # a minute\nvalues = \
                     [\"192.0.2.1\"]\n[[record]]\nname = \"b\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.2\"]\n\n\n# \
                     The end.\n";

#[test]
fn record_sets_are_edited_alone() {
    let plain = Indexed::read(PLAIN);
    let added = plain.edit_with(|zone| zone.record_sets.push(simple("c.lab.test", "192.0.2.3").into())).unwrap();
    let changed = Indexed::read(&added).edit_with(|zone| {
        let a = at(zone, "a.lab.test", None);
        Arc::make_mut(&mut zone.record_sets[a]).content = records(61, &["192.0.2.9"]);
    });
    let removed = Indexed::read(&changed.unwrap()).edit_with(|zone| {
        zone.record_sets.retain(|set| set.name != Name::parse("b.lab.test").unwrap());
    });
    let expected = "name = \"lab.test\"\n\n# One.\n[[record]]\nname = \"a\"\ntype = \"A\"\nttl = 61 # a minute\nvalues = \
                    [\"192.0.2.9\"]\n\n[[record]]\nname = \"c\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.3\"]\n\n\n# \
                    The end.\n";
    assert_eq!(removed.unwrap(), expected);
}

#[test]
fn what_means_more_than_one_record_set_is_not_edited_alone() {
    let plain = Indexed::read(PLAIN);
    let ns = |zone: &HostedZone| zone.record_sets.iter().position(|set| set.record_type == RecordType::Ns).unwrap();
    let kept = [
        plain.edit_with(|zone| zone.comment = Some("new".to_owned())),
        // A default record set, an address of a default name server, the last record set.
        plain.edit_with(|zone| {
            let ns = ns(zone);
            zone.record_sets.remove(ns);
        }),
        plain.edit_with(|zone| {
            let value = RecordData::parse(RecordType::Aaaa, "2001:db8::1").unwrap();
            let content = Content::Records { ttl: 60, values: vec![value] };
            let set = simple("ns1.lab.test", "192.0.2.1");
            zone.record_sets.push(Arc::new(ResourceRecordSet { record_type: RecordType::Aaaa, content, ..set }));
        }),
        plain.edit_with(|zone| drop(zone.record_sets.drain(..2))),
        // A warning: a health check of one record set.
        plain.edit_with(|zone| {
            Arc::make_mut(&mut zone.record_sets[0]).health_check =
                Some(HealthCheckId("7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11".to_owned()));
        }),
        // A delegation, and what it would hide.
        plain.edit_with(|zone| {
            let value = RecordData::parse(RecordType::Ns, "ns.elsewhere.test.").unwrap();
            let content = Content::Records { ttl: 60, values: vec![value] };
            let set = simple("d.lab.test", "192.0.2.1");
            zone.record_sets.push(Arc::new(ResourceRecordSet { record_type: RecordType::Ns, content, ..set }));
        }),
        // Settings of the group.
        Indexed::read(
            &ZONE.replace("# --- checks", "[[record]]\nname=\"b\"\ntype=\"A\"\nttl=1\nvalues=[\"192.0.2.1\"]\n# -"),
        )
        .edit_with(|zone| zone.record_sets.retain(|set| set.set_identifier.as_deref() != Some("blue"))),
        // What looks like a comment is the end of a string.
        Indexed::read(
            &PLAIN.replace("192.0.2.1\"]", "192.0.2.1\"]\nmultivalue = true\nset_identifier = \"\"\"\n# x\"\"\""),
        )
        .edit_with(|zone| zone.record_sets.retain(|set| set.name != Name::parse("b.lab.test").unwrap())),
    ];
    assert!(kept.iter().all(Option::is_none), "{kept:?}");
    let inline = "name = \"lab.test\"\nrecord = [{ name = \"a\", type = \"A\", ttl = 60, values = [\"192.0.2.1\"] }]\n";
    assert!(Indexed::read(inline).index.is_none());
}

/// Texts with every layout.
fn any_text() -> impl Strategy<Value = String> {
    let apex =
        "[[record]]\nname = \"@\"\ntype = \"NS\"\nttl = 60\nvalues = [\"ns.elsewhere.test.\"]\n\n[[record_group]]";
    let group = ZONE.find("[[record_group]]").unwrap();
    let without_group = format!("{}{}", &ZONE[..group], &ZONE[ZONE.find("# --- checks").unwrap()..]);
    let layouts = [
        ZONE.to_owned(),
        without_group.clone(),
        without_group.replace('\n', "\r\n"),
        without_group.replace("\n\n", "\n"),
        without_group.replace("\n\n", "\n\n\n # more\n\n  "),
        ZONE.replace("[[record_group]]", apex),
        PLAIN.to_owned(),
        PLAIN.trim_end().trim_end_matches("# The end.").trim_end().to_owned(),
    ];
    prop::sample::select(layouts.to_vec())
}

proptest! {
    /// Whatever is edited alone gives the text, the zone and the index that the whole file gives.
    #[test]
    fn record_sets_edited_alone_are_those_of_the_whole_file(
        mut text in any_text(),
        batches in prop::collection::vec(prop::collection::vec(any_change(), 1..4), 1..8),
    ) {
        for mut changes in batches {
            let before = Indexed::read(&text);
            for change in changes.iter_mut().filter(|change| change.action == ChangeAction::Delete) {
                let existing = before.zone.record_sets.iter().find(|set| set.key() == change.record_set.key());
                change.record_set = existing.map_or(&change.record_set, |set| &**set).clone();
            }
            let batch = ChangeBatch { comment: None, changes };
            let applied = before.zone.apply(&batch, &before.common.cidr_collections, 1232);
            if !before.has_warnings {
                let near = before.zone.apply_to_sound(&batch, &before.common.cidr_collections, 1232);
                prop_assert_eq!(&near, &applied);
            }
            let Ok(after) = applied else { continue };
            let alone = before.edit(&after);
            let references = References::to(&before.common.health_checks, &before.common.cidr_collections);
            let whole = edit_record_sets(&before.file, &before.zone, &after, &references).unwrap();
            prop_assert!(alone.is_none_or(|alone| alone == whole));
            text = whole;
        }
    }

    /// Deletions of sets as they are, and other changes that the zone accepts.
    #[test]
    fn any_sequence_of_changes_gives_the_zone_that_apply_gives(
        batches in prop::collection::vec(prop::collection::vec(any_change(), 1..4), 1..8),
        windows in any::<bool>(),
    ) {
        let mut text = if windows { ZONE.replace('\n', "\r\n") } else { ZONE.to_owned() };
        for mut changes in batches {
            let (before, checks, collections) = read(&text);
            for change in changes.iter_mut().filter(|change| change.action == ChangeAction::Delete) {
                let existing = before.record_sets.iter().find(|set| set.key() == change.record_set.key());
                change.record_set = existing.map_or(&change.record_set, |set| &**set).clone();
            }
            let batch = ChangeBatch { comment: None, changes };
            let Ok(after) = before.apply(&batch, &collections, 1232) else { continue };
            let changed = edit_record_sets(&file(&text), &before, &after, &References::to(&checks, &collections)).unwrap();
            assert_same(&read(&changed).0, &after, &changed);
            for comment in ["# The lab's zone.", "# its apex", "# --- web ---", "# --- checks ---"] {
                prop_assert!(changed.contains(comment), "{}", changed);
            }
            text = changed;
        }
    }
}
