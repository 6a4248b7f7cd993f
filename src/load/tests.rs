//! Tests of loads, with sources in memory.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use super::memory_sources::MemorySources;
use super::queue::{Job, LoadEvent, LoadInputs, run};
use super::*;
use crate::config::{Severity, Style};
use crate::health::Slots;
use crate::model::{
    Change as RecordChange, ChangeAction, ChangeBatch, Content, HostedZoneId, Name, RecordData, RecordType,
    ResourceRecordSet, RoutingPolicy,
};
use crate::objects::{Author, Change, Commit, CommitError, ObjectId, Quotas};
use crate::store::{Contents, WriteState};
use crate::test_log::TestLog;

const SETTINGS: &str = "[dns]\nlisten = ['127.0.0.1:5300']\n[zones]\ndirectory = 'zones'\n";
const ONE: &str = "name = 'one.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.1']\n";
const TWO: &str = "name = 'two.test'\n";
const CHECK: &str = "[[health_check]]\nname = 'blue'\ntype = 'tcp'\nip_address = '192.0.2.1'\nport = 80\n";

/// What a server keeps between loads.
struct Server {
    sources: MemorySources,
    settings: SettingsSource,
    base: LoadedConfig,
}

fn settings_source() -> SettingsSource {
    SettingsSource { file: Some("fiftythree.toml".into()), ..SettingsSource::default() }
}

fn start(files: &[(&str, &str)]) -> Result<(Server, Summary), Refused> {
    let (sources, settings) = (MemorySources::of(files), settings_source());
    let base = LoadedConfig::without_state(settings.defaults());
    let mut server = Server { sources, settings, base };
    let summary = server.load(LoadPhase::Start)?;
    Ok((server, summary))
}

impl Server {
    fn load(&mut self, phase: LoadPhase) -> Result<Summary, Refused> {
        let outcome = load(&self.settings, &self.sources, request(self.base.clone()), phase);
        let loaded = outcome.result?;
        self.base = loaded.base;
        Ok(loaded.summary)
    }

    fn reload(&mut self) -> Summary {
        self.load(LoadPhase::Reload).unwrap_or_else(|refused| panic!("{refused}"))
    }
}

fn request(base: LoadedConfig) -> LoadRequest {
    LoadRequest { generation: 7, base, slots: Slots::default(), trigger: Trigger::FileChanged }
}

fn started(files: &[(&str, &str)]) -> Server {
    start(files).unwrap_or_else(|refused| panic!("{}", refused.diagnostics().render(Style::Plain))).0
}

fn with_two_zones() -> Server {
    started(&[("fiftythree.toml", SETTINGS), ("zones/one.toml", ONE), ("zones/two.toml", TWO)])
}

#[test]
fn only_what_changed_is_read() {
    let mut server = with_two_zones();
    server.sources.write("zones/two.toml", "name = 'three.test'\n");
    let summary = server.reload();
    assert_eq!(summary.changes, ["three.test. added", "two.test. removed"]);
    assert_eq!((server.sources.reads("zones/one.toml"), server.sources.reads("zones/two.toml")), (1, 1));
    server.sources.delete("zones/two.toml");
    assert_eq!(server.reload().changes, ["three.test. removed"]);
}

#[test]
fn what_only_the_api_shows_changes_no_answer() {
    let record = "[[record]]\nname = 'x'\ntype = 'A'\nset_identifier = 'x'\ncidr = { collection = 'c', location = 'x' }\nttl = 1\n\
         values = ['192.0.2.1']\nhealth_check = 'blue'\n";
    let collection = "[[cidr_collection]]\nname = 'c'\nlocations = { x = ['192.0.2.0/24'] }\n";
    let (one, shared) = (format!("{ONE}{record}"), format!("{CHECK}{collection}"));
    let mut server =
        started(&[("fiftythree.toml", SETTINGS), ("zones/one.toml", &one), ("zones/shared.toml", &shared)]);
    let answers = |server: &Server| server.base.zones().map(|zone| Arc::clone(&zone.compiled)).collect::<Vec<_>>();
    let before = answers(&server);
    let members = "caller_reference = 'r'\ntags = { Owner = 'dns' }\n";
    server.sources.write("zones/one.toml", format!("comment = 'new'\n{members}{one}"));
    let shared = shared.replace("type =", &format!("version = 2\n{members}type ="));
    server.sources.write("zones/shared.toml", shared.replace("locations", "version = 2\nlocations"));
    assert_eq!(server.reload().changes, ["health checks changed"]);
    assert!(answers(&server).iter().zip(&before).all(|(after, before)| Arc::ptr_eq(after, before)));
    let check = &server.base.checks[0];
    assert_eq!((check.version, check.caller_reference.as_deref(), check.tags["Owner"].as_str()), (2, Some("r"), "dns"));
    let zone = server.base.zone_models().next().unwrap().unwrap();
    assert_eq!(
        (zone.caller_reference.as_deref(), zone.comment.as_deref(), zone.tags.len()),
        (Some("r"), Some("new"), 1)
    );
}

#[test]
fn diagnostics_are_typed_and_by_file() {
    let mut server = with_two_zones();
    server.sources.write("zones/two.toml", "name = 'two.test'\nzone = 1\n");
    server.sources.write("zones/one.toml", ONE.replace("192.0.2.1", "192.0.2.256"));
    let summary = server.reload();
    let found: Vec<_> = summary.diagnostics.by_file().map(|(path, found)| (path.to_str().unwrap(), found)).collect();
    let [("zones/one.toml", [one]), ("zones/two.toml", [two])] = found[..] else { panic!("{found:?}") };
    assert_eq!((one.severity, one.line, two.line), (Severity::Error, Some(6), Some(2)));
    assert_eq!((summary.errors, summary.frozen.len()), (2, 2));
    let printed = summary.diagnostics.render(Style::Plain);
    assert!(printed.contains("6 | values = ['192.0.2.256']"), "{printed}");
    // The same errors are equal, whatever was read in between.
    server.sources.write("zones/three.toml", "name = 'three.test'\n");
    let again = server.reload();
    assert_eq!((&again.diagnostics, again.changes), (&summary.diagnostics, vec!["three.test. added".to_owned()]));
}

#[test]
fn of_two_files_with_one_zone_the_new_one_is_reported_and_both_are_named() {
    for new in ["zones/a.toml", "zones/z.toml"] {
        let mut server = with_two_zones();
        server.sources.write(new, ONE);
        let summary = server.reload();
        let all: Vec<_> = summary.diagnostics.iter().collect();
        let [diagnostic] = all[..] else { panic!("{all:?}") };
        assert_eq!((diagnostic.path.to_str(), diagnostic.line), (Some(new), Some(1)));
        for name in ["one.test.", "zones/one.toml", new] {
            assert!(diagnostic.message.contains(name), "{}", diagnostic.message);
        }
        assert_eq!(summary.left_out, [PathBuf::from(new)]);
    }
}

#[test]
fn of_two_files_with_one_check_the_new_one_is_reported_and_both_are_named() {
    let mut server = started(&[("fiftythree.toml", SETTINGS), ("zones/m.toml", CHECK)]);
    server.sources.write("zones/a.toml", CHECK);
    let summary = server.reload();
    let all: Vec<_> = summary.diagnostics.iter().collect();
    let [diagnostic] = all[..] else { panic!("{all:?}") };
    assert_eq!(diagnostic.path.to_str(), Some("zones/a.toml"));
    assert!(
        diagnostic.message.contains("zones/a.toml") && diagnostic.message.contains("zones/m.toml"),
        "{diagnostic:?}"
    );
}

#[test]
fn a_file_that_is_being_written_keeps_its_previous_state() {
    let mut server = with_two_zones();
    server.sources.write_as("zones/two.toml", "name = 'th", WriteState::InProgress);
    server.sources.write_as("fiftythree.toml", "[dns", WriteState::InProgress);
    let summary = server.reload();
    let deferred: Vec<_> = summary.deferred.iter().map(|deferred| deferred.path.to_str().unwrap()).collect();
    assert_eq!((deferred, summary.errors), (vec!["fiftythree.toml", "zones/two.toml"], 0));
    assert_eq!(server.base.zone_outlines().count(), 2);
}

#[test]
fn a_start_finds_the_errors_of_all_files_before_it_fails() {
    let settings = format!("{SETTINGS}[location]\ngeoip = ['a.mmdb', 'b.mmdb']\n[health]\nsentinels = ['gateway']\n");
    let two = format!("{TWO}{CHECK}");
    let one = ONE.replace("ttl = 10", "ttl = -1");
    let files =
        [("fiftythree.toml", &*settings), ("zones/one.toml", &one), ("zones/two.toml", &two), ("a.mmdb", "none")];
    let Err(refused) = start(&files) else { panic!("it started") };
    let Refused::Diagnostics { diagnostics, error_free } = refused else { panic!("{refused}") };
    let files: Vec<_> = diagnostics.by_file().map(|(path, _)| path.to_str().unwrap()).collect();
    assert_eq!(files, ["a.mmdb", "b.mmdb", "fiftythree.toml", "zones/one.toml"]);
    assert_eq!((diagnostics.errors(), error_free.zones), (4, 1));
}

#[test]
fn without_settings_only_the_zones_are_checked() {
    // The default is to listen on every address, of which the server would warn.
    let files = [("fiftythree.toml", "[dns]\nlisten = ['nowhere']\n"), ("zones/one.toml", "name = 7\n")];
    let Err(refused) = start(&files) else { panic!("it started") };
    let found: Vec<_> = refused.diagnostics().iter().map(|one| (one.path.clone(), one.severity)).collect();
    let expected = ["fiftythree.toml", "zones/one.toml"].map(|path| (PathBuf::from(path), Severity::Error));
    assert_eq!(found, expected);
}

#[test]
fn a_lost_geo_database_is_reported_until_it_is_back() {
    let mut server = with_two_zones();
    server.sources.write("fiftythree.toml", format!("{SETTINGS}[location]\ngeoip = ['a.mmdb']\n"));
    for _ in 0..2 {
        let summary = server.reload();
        assert_eq!(summary.diagnostics.by_file().next().unwrap().0, &PathBuf::from("a.mmdb"));
    }
    server.sources.write("fiftythree.toml", SETTINGS);
    assert!(server.reload().diagnostics.is_empty());
}

#[tokio::test]
async fn copies_that_cannot_be_written_again_and_again_are_logged_once() {
    let (log, directory) = (TestLog::of_this_thread(), tempfile::tempdir().unwrap());
    let mut settings = settings_source().defaults();
    settings.state.directory = directory.path().join("state");
    std::fs::write(&settings.state.directory, "a file").unwrap();
    let base = LoadedConfig::empty(settings);
    let inputs = LoadInputs::of(settings_source(), Arc::new(MemorySources::of(&[])), Arc::new(MemorySources::of(&[])));
    let (jobs, queue) = mpsc::unbounded_channel();
    (0..5).for_each(|_| drop(jobs.send(Job::Keep(base.clone()))));
    drop(jobs);
    run(inputs, base, queue, mpsc::channel::<LoadEvent>(1).0).await;
    assert_eq!(log.count("an older copy of it is served, or none"), 1);
}

#[tokio::test]
async fn a_queue_loads_in_order_and_can_be_stopped() {
    let Server { sources, settings, base } = with_two_zones();
    sources.write("zones/two.toml", "name = 'three.test'\n");
    let sources: Arc<dyn Sources> = Arc::new(sources);
    let inputs = LoadInputs { settings: Arc::new(settings), edited: Arc::clone(&sources), requested: sources };
    let (requests, inbox) = mpsc::unbounded_channel();
    let (events, mut outcomes) = mpsc::channel::<LoadEvent>(8);
    let queue = tokio::spawn(run(inputs, base.clone(), inbox, events));
    for generation in [1, 2] {
        assert!(requests.send(Job::Load(LoadRequest { generation, ..request(base.clone()) })).is_ok());
    }
    for expected in [1, 2] {
        let event = tokio::time::timeout(Duration::from_secs(60), outcomes.recv()).await.unwrap();
        let Some(LoadEvent::Ended(outcome)) = event else { panic!("a load ends") };
        assert_eq!(outcome.generation, expected);
        assert_eq!(outcome.result.ok().unwrap().summary.changes, ["three.test. added", "two.test. removed"]);
    }
    queue.abort();
    assert!(queue.await.unwrap_err().is_cancelled());
    assert!(requests.send(Job::Load(request(base))).is_err(), "nothing receives requests any more");
}

#[test]
fn an_edit_that_takes_a_record_away_names_it_and_has_its_text() {
    let more = format!("{ONE}[[record]]\nname = 'new'\ntype = 'A'\nttl = 5\nvalues = ['192.0.2.9']\n");
    let mut server = started(&[("fiftythree.toml", SETTINGS), ("zones/one.toml", &more)]);
    server.sources.write("zones/one.toml", ONE.replace("ttl = 10", "ttl = 20"));
    let summary = server.reload();
    assert_eq!(summary.changes, ["one.test. changed: removed new.one.test. A, changed www.one.test. A"]);
    let [change] = &summary.object_changes[..] else { panic!("{:?}", summary.object_changes) };
    assert_eq!((change.name.as_str(), change.author.name.as_str()), ("one.test.", "an edit of the file"));
    let removed = &change.parts[0];
    assert_eq!((removed.what.as_str(), removed.after.as_deref()), ("new.one.test. A", None));
    let block = removed.before.as_deref().unwrap();
    server.sources.write("zones/one.toml", format!("{ONE}{block}"));
    assert_eq!(server.reload().changes, ["one.test. changed: changed www.one.test. A, added new.one.test. A"]);
}

#[test]
fn secrets_of_a_check_are_not_told() {
    let check = "[[health_check]]\nname = 'load'\ntype = 'metric'\nprometheus = 'http://user:hushed@192.0.2.1:9090'\n\
                 query = 'up'\ncomparison = 'less_than_threshold'\nthreshold = 1\n";
    let mut server = started(&[("fiftythree.toml", SETTINGS), ("zones/one.toml", ONE), ("zones/checks.toml", check)]);
    server
        .sources
        .write("zones/checks.toml", check.replace("query = 'up'", "query = 'down'").replace("hushed", "other"));
    let summary = server.reload();
    let [change] = &summary.object_changes[..] else { panic!("{:?}", summary.object_changes) };
    let told = format!("{change:?}");
    assert!(
        change.in_short().contains("query = \"up\"") && !told.contains("hushed") && !told.contains("other@"),
        "{told}"
    );
    assert!(told.contains("# a secret value changed"), "{told}");
}

impl Server {
    fn commit(&mut self, action: ChangeAction, name: &str, address: &str) -> Result<(), CommitError> {
        let values = vec![RecordData::parse(RecordType::A, address).unwrap()];
        let record_set = ResourceRecordSet {
            name: Name::parse(name).unwrap(),
            record_type: RecordType::A,
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: Content::Records { ttl: 10, values },
            health_check: None,
        };
        let batch = ChangeBatch { comment: None, changes: vec![RecordChange { action, record_set }] };
        let author = Author { name: "a test".to_owned(), operation: "ATest".to_owned() };
        let id = ObjectId::HostedZone(HostedZoneId("ZONE".to_owned()));
        let commit = Commit {
            id,
            expected: None,
            change: Change::RecordSets(batch),
            author,
            submission: None,
            quotas: Quotas::Unlimited,
        };
        let request = CommitRequest { generation: 1, base: self.base.clone(), slots: Slots::default(), commit };
        let outcome = super::commit(&self.settings, &self.sources, &self.sources, request);
        for loaded in outcome.loaded {
            self.base = loaded.result.unwrap_or_else(|refused| panic!("{refused}")).base;
        }
        let (config, _) = outcome.result?;
        self.base = config.base;
        Ok(())
    }

    fn text(&self, path: &str) -> String {
        match self.sources.text(Path::new(path)).unwrap() {
            Contents::Text { source, .. } => source.text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the edit of the last change leaves the places of the record sets known.
    fn has_index(&self) -> bool {
        let file = self.base.file(Path::new("zones/one.toml")).unwrap();
        self.base.models.get(file.id().unwrap(), file.source_hash).is_some_and(|model| model.index.is_some())
    }
}

/// After every change, also next to edits by hand, the server has what it would have after a start.
#[test]
fn a_change_leaves_what_a_start_would_load() {
    let one =
        format!("id = 'ZONE'\n{ONE}\n# Second.\n[[record]]\nname = 'b'\ntype = 'A'\nttl = 1\nvalues = ['192.0.2.2']\n");
    let path = "zones/one.toml";
    let mut server = started(&[("fiftythree.toml", SETTINGS), (path, &one), ("zones/check.toml", CHECK)]);
    let check = |server: &Server| {
        let text = server.text(path);
        let checks = server.text("zones/check.toml");
        let fresh = started(&[("fiftythree.toml", SETTINGS), (path, &text), ("zones/check.toml", &checks)]);
        let model = |server: &Server| server.base.zone_model(&HostedZoneId("ZONE".to_owned())).unwrap();
        assert_eq!(model(server), model(&fresh), "{text}");
        let [now, fresh] = [server, &fresh].map(|server| server.base.file(Path::new(path)).unwrap());
        assert_eq!(now.zone.as_ref().unwrap().compiled, fresh.zone.as_ref().unwrap().compiled, "{text}");
        let parts = |file: &LoadedFile| {
            let zone = file.zone.as_ref().unwrap();
            (file.source_hash, file.bytes, file.may_define, file.warnings.len(), zone.records, zone.example.clone())
        };
        assert_eq!(parts(now), parts(fresh), "{text}");
    };
    let changes = [
        (ChangeAction::Create, "c.one.test", "192.0.2.3"),
        (ChangeAction::Upsert, "b.one.test", "192.0.2.4"),
        (ChangeAction::Create, "a.b.one.test", "192.0.2.5"),
        (ChangeAction::Delete, "c.one.test", "192.0.2.3"),
        (ChangeAction::Upsert, "*.one.test", "192.0.2.6"),
    ];
    for (action, name, address) in changes {
        server.commit(action, name, address).unwrap();
        assert!(server.has_index());
        check(&server);
    }
    // A check gets another id: a record that names it then refers to that.
    let text = server.text(path).replace("name = 'b'\n", "name = 'b'\nhealth_check = 'blue'\n");
    server.sources.write(
        path,
        text.replace("[[record]]\nname = 'b'", "[[record]]\nset_identifier = 'b'\nweight = 1\nname = 'b'"),
    );
    server.commit(ChangeAction::Create, "e.one.test", "192.0.2.1").unwrap();
    server.commit(ChangeAction::Create, "f.one.test", "192.0.2.1").unwrap();
    assert!(server.has_index());
    check(&server);
    let other = "id = '7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11'\nname = 'blue'";
    server.sources.write("zones/check.toml", CHECK.replace("name = 'blue'", other));
    server.reload();
    server.commit(ChangeAction::Create, "g.one.test", "192.0.2.1").unwrap();
    check(&server);
    // What is saved by hand is loaded before the next change, and its comments stay.
    server.sources.write(path, format!("{}\n# By hand.\n", server.text(path)).replace("192.0.2.6", "192.0.2.7"));
    server.commit(ChangeAction::Create, "d.one.test", "192.0.2.8").unwrap();
    check(&server);
    server.commit(ChangeAction::Delete, "*.one.test", "192.0.2.6").unwrap_err();
    server.commit(ChangeAction::Delete, "*.one.test", "192.0.2.7").unwrap();
    check(&server);
    let text = server.text(path);
    assert!(text.contains("# By hand.") && text.contains("# Second.") && text.contains("192.0.2.8"), "{text}");
    server.sources.write(path, format!("{text}name = 'twice'\n"));
    let refused = server.commit(ChangeAction::Upsert, "b.one.test", "192.0.2.9").unwrap_err().to_string();
    assert!(refused.starts_with("the file has to be corrected first"), "{refused}");
    assert_eq!(server.text(path), format!("{text}name = 'twice'\n"));
}
