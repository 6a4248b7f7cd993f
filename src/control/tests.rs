//! Observations and edits in, answers out: no sockets, no threads.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::*;
use crate::answer::{Query, Rcode, Requestor, resolve};
use crate::config::{LoadPhase, Style};
use crate::health::{self, Status};
use crate::health::{Action, Slots};
use crate::history::{EventRecord, History};
use crate::load::{FileSources, LoadRequest, NoModel, Refused, commit, load};
use crate::model::{Content, HostedZoneId, Name, RecordType};
use crate::policy::SeededRng;
use crate::store::{self, Overrides, SettingsSource, StateWriterThread};
use crate::zonetree::QueryName;

const LOCALHOST: Requestor = Requestor::at(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST));

pub(super) const SETTINGS: &str = "
[dns]
listen = ['127.0.0.1:5300']
[zones]
directory = 'zones'
[state]
directory = 'state'
";

pub(super) const APP: &str = "
name = 'lab.test'

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
ttl = 10
values = ['192.0.2.12']

[[health_check]]
name = 'blue'
type = 'tcp'
ip_address = '127.0.53.11'
port = 8080
request_interval = 1
failure_threshold = 3
";

pub(super) const OTHER: &str = "
name = 'other.test'
[[record]]
name = 'www'
type = 'A'
ttl = 10
values = ['192.0.2.80']
";

/// A loop with files of its own, whose loads are done when the test says so.
pub(super) struct TestControl {
    pub(super) directory: tempfile::TempDir,
    source: SettingsSource,
    pub(super) control: Control,
    pub(super) reader: Reader,
    pub(super) health: HealthReader,
    pub(super) probes: watch::Receiver<Arc<[ScheduledProbe]>>,
    pending: watch::Receiver<usize>,
    jobs: mpsc::UnboundedReceiver<Job>,
    writer_thread: StateWriterThread,
    pub(super) notices: mpsc::Receiver<Notice>,
    pub(super) reloads: watch::Sender<Reloads>,
    pub(super) at: Timestamp,
    pub(super) opinions: watch::Receiver<u64>,
}

pub(super) fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("zones")).unwrap();
    fs::write(directory.path().join("fiftythree.toml"), SETTINGS).unwrap();
    for (name, text) in files {
        fs::write(directory.path().join("zones").join(name), text).unwrap();
    }
    directory
}

pub(super) fn start(directory: tempfile::TempDir) -> Result<TestControl, Refused> {
    start_at(directory, Timestamp::default())
}

/// What a server with this directory serves first.
pub(super) fn load_at_start(directory: &Path, history: History) -> (SettingsSource, Result<Loaded, Refused>) {
    let file = directory.join("fiftythree.toml");
    let source = SettingsSource { file: Some(file), overrides: Overrides::default() };
    let Some(settings) = source.read().settings else { panic!("{:?}", source.read().diagnostics) };
    let base = LoadedConfig::empty(settings).with_history(history);
    let request = LoadRequest { generation: 0, base, slots: Slots::default(), trigger: Trigger::Requested };
    let outcome = load(&source, &FileSources::default(), request, LoadPhase::Start);
    (source, outcome.result.map(|loaded| *loaded))
}

fn start_at(directory: tempfile::TempDir, at: Timestamp) -> Result<TestControl, Refused> {
    let (source, loaded) = load_at_start(directory.path(), History::default());
    let mut loaded = loaded?;
    // Sources without a cluster leave it out.
    let cluster = source.read().settings.and_then(|settings| settings.cluster);
    Arc::make_mut(&mut loaded.base.settings).cluster = cluster;
    let (probes_in, probes) = watch::channel(Arc::from([]));
    let (metric_checks, _) = watch::channel(Arc::from([]));
    let (pending_in, pending) = watch::channel(0);
    let (opinions_in, opinions) = watch::channel(0);
    let (jobs_in, jobs) = mpsc::unbounded_channel();
    let (base, _) = watch::channel(loaded.base.clone());
    let (found, state_writer, writer_thread) = store::start_state_writer(&directory.path().join("state")).unwrap();
    let (notices_in, notices) = mpsc::channel(2);
    let saved_state = SavedState::read(found.lines.iter().map(String::as_str));
    let (reloads, _) = watch::channel(Reloads::default());
    let outputs = Outputs {
        shared_overrides: None,
        probes: probes_in,
        metric_checks,
        pending: pending_in,
        opinions: opinions_in,
        jobs: jobs_in,
        base,
        state_writer,
        notices: notices_in,
        reloads: reloads.clone(),
        event_log: EventLog::default(),
        object_events: ObjectEvents::default(),
        last_load: watch::Sender::default(),
    };
    let (control, reader, health) = Control::new(loaded, &saved_state, outputs, at);
    Ok(TestControl {
        directory,
        source,
        control,
        reader,
        health,
        probes,
        pending,
        jobs,
        writer_thread,
        notices,
        reloads,
        at,
        opinions,
    })
}

pub(super) fn control(files: &[(&str, &str)]) -> TestControl {
    start(directory(files)).unwrap_or_else(|refused| panic!("{refused}"))
}

impl TestControl {
    /// The diagnostics that were reported last, as the log has them.
    pub(super) fn diagnostics(&self) -> String {
        self.control.last_diagnostics.render(Style::Plain)
    }

    pub(super) fn handle(&mut self, event: Event) {
        let at = self.at;
        assert_eq!(self.control.handle([event], &|| at), Flow::Continue);
    }

    /// As if it were killed, and started again this many seconds later.
    pub(super) fn killed_and_restarted_after(self, seconds: u64) -> TestControl {
        let TestControl { directory, control, writer_thread, at, .. } = self;
        drop(control);
        writer_thread.finish(Duration::from_secs(30));
        let at = Timestamp(at.0 + Duration::from_secs(seconds));
        start_at(directory, at).unwrap_or_else(|refused| panic!("{refused}"))
    }

    pub(super) fn observe(&mut self, check: &str, observation: Observation) {
        self.observe_after(check, observation, Duration::from_millis(1));
    }

    /// The result of a probe that took so long.
    fn observe_after(&mut self, check: &str, observation: Observation, took: Duration) {
        let probes = Arc::clone(&self.probes.borrow());
        let scheduled = probes.iter().find(|scheduled| &*scheduled.name == check).unwrap();
        let (slot, generation) = (scheduled.slot, scheduled.generation);
        self.handle(Event::Observed(Observed {
            slot,
            generation,
            observation,
            reason: if observation == Observation::Pass { Reason::Good } else { Reason::Timeout },
            status: Box::new("as the test wants"),
            latency: Latency::default(),
            took,
        }));
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join("zones").join(name), text).unwrap();
    }

    /// Does the jobs that were asked for, as the loader would. Returns how many were loads.
    pub(super) fn do_loads(&mut self) -> usize {
        let mut loads = 0;
        while let Ok(job) = self.jobs.try_recv() {
            match job {
                Job::Load(request) => {
                    let outcome = load(&self.source, &FileSources::default(), request, LoadPhase::Reload);
                    self.handle(Event::Compiled(outcome));
                    loads += 1;
                }
                Job::Commit(request) => {
                    let sources = FileSources::default();
                    let outcome = commit(&self.source, &sources, &sources, *request);
                    self.handle(Event::Committed(Box::new(outcome)));
                }
                Job::Keep(base) => base.keep_sources().unwrap(),
            }
        }
        loads
    }

    fn next_load(&mut self) -> LoadRequest {
        match self.jobs.try_recv() {
            Ok(Job::Load(request)) => request,
            _ => panic!("no load was asked for"),
        }
    }

    pub(super) fn reload(&mut self) {
        self.handle(Event::Reload(Trigger::FileChanged));
        assert_eq!(self.do_loads(), 1);
    }

    pub(super) fn ask(&self, name: &str) -> Vec<String> {
        let mut question = QueryName::default();
        question.set(&Name::parse(name).unwrap());
        self.ask_with(&question, &mut SeededRng::new(1))
    }

    fn ask_with(&self, question: &QueryName, rng: &mut SeededRng) -> Vec<String> {
        let query = Query::new(question, RecordType::A.into(), &LOCALHOST);
        let world = self.reader.load();
        let answer = resolve(&query, &world, rng);
        let records = answer.answer.iter().flat_map(|part| part.records.iter());
        records.map(|data| Ipv4Addr::from(<[u8; 4]>::try_from(data.bytes).unwrap()).to_string()).collect()
    }

    pub(super) fn zone_id(&self, name: &str) -> HostedZoneId {
        let name = Name::parse(name).unwrap();
        self.reader.load().catalog().zones().find(|zone| *zone.name() == name).unwrap().id().clone()
    }
}

pub(super) const BLUE: &str = "192.0.2.11";
pub(super) const GREEN: &str = "192.0.2.12";

use Observation::{Fail, Pass, ResolverFailure};

#[test]
fn answers_follow_the_results() {
    let mut control = control(&[("lab.test.toml", APP)]);
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    assert_eq!(*control.pending.borrow(), 1);
    let steps = [(Pass, BLUE), (Fail, BLUE), (Fail, BLUE), (Fail, GREEN), (Pass, GREEN), (Pass, GREEN), (Pass, BLUE)];
    for (number, (observation, expected)) in steps.into_iter().enumerate() {
        control.observe("blue", observation);
        assert_eq!(control.ask("app.lab.test"), [expected], "after step {number}");
        assert_eq!(*control.pending.borrow(), 0);
    }
}

#[test]
fn a_resolver_failure_neither_decides_the_first_status_nor_delays_the_start() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", ResolverFailure);
    assert_eq!((control.ask("app.lab.test"), *control.pending.borrow()), (vec![BLUE.to_owned()], 0));
    // Names are looked up now, and the endpoint is down: that decides.
    control.observe("blue", Fail);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    (0..3).for_each(|_| control.observe("blue", Pass));
    (0..2).for_each(|_| control.observe("blue", ResolverFailure));
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    control.observe("blue", ResolverFailure);
    assert_eq!(control.ask("app.lab.test"), [GREEN], "later it is a failure like others");
}

#[test]
fn a_check_and_its_calculated_check_change_in_one_world() {
    let calculated = "
[[health_check]]
name = 'site'
type = 'calculated'
child_health_checks = ['blue']
health_threshold = 1
";
    let other = APP.replace("'app'", "'web'").replace("= 'blue'\n\n", "= 'site'\n\n");
    let records = &other[other.find("[[record]]").unwrap()..other.find("[[health_check]]").unwrap()];
    let mut control = control(&[("lab.test.toml", &format!("{APP}{calculated}{records}"))]);
    let both = |control: &TestControl| (control.ask("app.lab.test"), control.ask("web.lab.test"));
    assert_eq!(control.probes.borrow().len(), 1);
    for (observation, expected) in [(Fail, GREEN), (Pass, GREEN), (Pass, GREEN), (Pass, BLUE)] {
        control.observe("blue", observation);
        assert_eq!(both(&control), (vec![expected.to_owned()], vec![expected.to_owned()]));
    }
}

#[test]
fn an_edit_is_served_and_unchanged_zones_are_not_compiled_again() {
    let mut control = control(&[("lab.test.toml", APP), ("other.test.toml", OTHER)]);
    let (lab, other) = (control.zone_id("lab.test"), control.zone_id("other.test"));
    let before = control.reader.load();
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.81"));
    control.reload();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.81"]);
    let after = control.reader.load();
    let same = |id| Arc::ptr_eq(before.catalog().zone(id).unwrap(), after.catalog().zone(id).unwrap());
    assert_eq!((same(&lab), same(&other)), (true, false));
}

#[test]
fn the_loop_and_no_worker_frees_the_zones_of_before_a_reload() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    // A worker that gets no query during two reloads.
    let mut worker = control.reader.cached();
    let before = Arc::downgrade(worker.load().catalog());
    for address in ["192.0.2.81", "192.0.2.82"] {
        control.write("other.test.toml", &OTHER.replace("192.0.2.80", address));
        control.reload();
        control.handle(Event::Tick);
    }
    worker.load();
    assert!(before.upgrade().is_some(), "the worker was not the last to hold it");
    control.handle(Event::Tick);
    assert!(before.upgrade().is_none(), "its memory is given back");
    assert!(control.control.retired.len() <= 1);
}

#[test]
fn a_reload_keeps_the_state_of_a_check() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", Fail);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    // A check whose name comes earlier must not take the slot.
    control.write("a.toml", "[[health_check]]\nname = 'a'\ntype = 'tcp'\nip_address = '127.0.53.99'\nport = 1\n");
    control.reload();
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    assert_eq!((control.probes.borrow().len(), *control.pending.borrow()), (2, 1));
    control.observe("a", Fail);
    (0..3).for_each(|_| control.observe("blue", Pass));
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
}

#[test]
fn results_of_a_removed_check_are_ignored() {
    let mut control = control(&[("lab.test.toml", APP)]);
    let scheduled = control.probes.borrow()[0].clone();
    let end = APP.find("[[health_check]]").unwrap();
    let unchecked = APP[..end].replace("health_check = 'blue'", "");
    let weighted = unchecked.replace("failover = 'primary'", "weight = 1");
    control.write("lab.test.toml", &weighted.replace("failover = 'secondary'", "weight = 0"));
    control.reload();
    assert!(control.probes.borrow().is_empty());
    let ScheduledProbe { slot, generation, .. } = scheduled;
    for _ in 0..5 {
        let status = Box::new("too late");
        control.handle(Event::Observed(Observed {
            slot,
            generation,
            observation: Fail,
            reason: Reason::Timeout,
            status,
            latency: Latency::default(),
            took: Duration::ZERO,
        }));
    }
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
}

#[test]
fn a_broken_file_keeps_its_zone_and_other_files_are_loaded() {
    let mut control = control(&[("lab.test.toml", APP), ("other.test.toml", OTHER)]);
    control.write("lab.test.toml", &APP.replace("'192.0.2.11'", "'192.0.2.999'"));
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.81"));
    control.reload();
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    assert_eq!(control.ask("www.other.test"), ["192.0.2.81"]);
    assert!(control.diagnostics().contains("192.0.2.999"), "{}", control.diagnostics());
    // Its check goes on as well.
    control.observe("blue", Fail);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
}

#[test]
fn a_zone_is_served_although_its_file_is_lost() {
    let third = |address: &str| OTHER.replace("other.test", "third.test").replace("192.0.2.80", address);
    let mut control =
        control(&[("lab.test.toml", APP), ("other.test.toml", OTHER), ("third.test.toml", &third("192.0.2.1"))]);
    fs::remove_dir_all(control.directory.path().join("state/last-good")).unwrap();
    let goes_on = |control: &TestControl, third: &str| {
        assert_eq!(control.ask("app.lab.test"), [BLUE]);
        assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
        assert_eq!(control.ask("www.third.test"), [third]);
    };
    let frozen = |control: &TestControl| {
        let last = control.control.outputs.last_load.borrow();
        assert!(last.summary.left_out.is_empty(), "{:?}", last.summary.left_out);
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        last.summary.frozen.iter().map(name).collect::<Vec<_>>()
    };
    control.write("lab.test.toml", "");
    control.reload();
    goes_on(&control, "192.0.2.1");
    control.write("other.test.toml", &format!("{OTHER}x = ["));
    control.reload();
    goes_on(&control, "192.0.2.1");
    assert_eq!(frozen(&control), ["lab.test.toml", "other.test.toml"]);
    assert!(control.diagnostics().contains("will not be served after a restart"), "{}", control.diagnostics());
    // Others change as ever.
    control.write("third.test.toml", &third("192.0.2.2"));
    control.reload();
    goes_on(&control, "192.0.2.2");
    // Whether a file gets along with one whose check it may define again, or whose zone it has,
    // nobody can tell.
    let check = "[[health_check]]\nname = 'new'\ntype = 'tcp'\nip_address = '127.0.53.11'\nport = 1\n";
    for new in [check, &OTHER.replace("other.test", "lab.test")] {
        control.write("new.toml", new);
        control.reload();
        goes_on(&control, "192.0.2.2");
        let last_load = control.control.outputs.last_load.borrow().clone();
        let hints: Vec<&str> =
            last_load.diagnostics.iter().filter_map(|diagnostic| diagnostic.hint.as_deref()).collect();
        assert!(
            last_load.refused.is_some() && hints.iter().any(|hint| hint.contains("correct this file")),
            "{new}\n{hints:?}"
        );
        fs::remove_file(control.directory.path().join("zones/new.toml")).unwrap();
    }
    control.write("lab.test.toml", APP);
    control.write("other.test.toml", &OTHER.replace("ttl = 10", "ttl = 20"));
    control.reload();
    goes_on(&control, "192.0.2.2");
    assert_eq!((frozen(&control), control.diagnostics()), (vec![], String::new()));
}

#[test]
fn zones_stay_when_all_files_vanish_together() {
    let mut control = control(&[("lab.test.toml", APP), ("other.test.toml", OTHER)]);
    fs::rename(control.directory.path().join("zones"), control.directory.path().join("elsewhere")).unwrap();
    control.reload();
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    assert!(control.diagnostics().contains("zones directory"), "{}", control.diagnostics());
    fs::rename(control.directory.path().join("elsewhere"), control.directory.path().join("zones")).unwrap();
    fs::remove_file(control.directory.path().join("zones/other.test.toml")).unwrap();
    control.reload();
    assert_eq!(control.ask("www.other.test"), [""; 0]);
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
}

#[test]
fn the_records_of_a_zone_can_be_read_again() {
    let mut control = control(&[("lab.test.toml", APP), ("other.test.toml", OTHER)]);
    let id = |control: &TestControl| {
        control.control.base.zone_model(&zone_id(control, "other.test.")).map(|zone| zone.id.clone())
    };
    assert_eq!(id(&control), Ok(zone_id(&control, "other.test.")));
    let addresses = |control: &TestControl| {
        let zone = control.control.base.zone_model(&zone_id(control, "other.test.")).unwrap();
        let set = zone.record_sets.iter().find(|set| set.name.to_string() == "www.other.test.").unwrap();
        let Content::Records { values, .. } = &set.content else { panic!("it has records") };
        values.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&control), ["192.0.2.80"]);
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.81"));
    assert_eq!(addresses(&control), ["192.0.2.80"], "as it is served, not as it stands in the file");
    control.reload();
    assert_eq!(addresses(&control), ["192.0.2.81"]);
    let unknown = HostedZoneId("Z0".to_owned());
    assert_eq!(control.control.base.zone_model(&unknown).unwrap_err(), NoModel::Unknown(unknown));
}

/// The id of the zone of this name, as it is served.
fn zone_id(control: &TestControl, name: &str) -> HostedZoneId {
    let world = control.reader.load();
    let zone = world.catalog().zones().find(|zone| zone.name().to_string() == name).unwrap();
    zone.id().clone()
}

#[test]
fn a_restart_serves_the_last_good_source_of_a_broken_file() {
    let control = control(&[("lab.test.toml", APP)]);
    control.write("lab.test.toml", "name = 'lab.test'\n[[record]]\nname = ");
    let TestControl { directory, .. } = control;
    let control = start(directory).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
}

/// A zone as an earlier version took it, whose primary has no health check.
fn refused_today() -> String {
    APP.replace("health_check = 'blue'", "")
}

/// The control after an upgrade: this text is in its file, and the copy of what was served before
/// is the same.
fn upgraded(text: &str) -> TestControl {
    let TestControl { directory, .. } = control(&[("lab.test.toml", APP), ("other.test.toml", OTHER)]);
    fs::write(directory.path().join("zones/lab.test.toml"), text).unwrap();
    let copies = fs::read_dir(directory.path().join("state/last-good")).unwrap().map(|entry| entry.unwrap().path());
    let copy = copies.into_iter().find(|path| path.to_str().unwrap().ends_with("lab.test.toml")).unwrap();
    fs::write(copy, text).unwrap();
    start(directory).unwrap_or_else(|refused| panic!("{refused}"))
}

#[test]
fn a_zone_that_only_a_newer_rule_refuses_goes_on_from_its_copy() {
    let mut control = upgraded(&refused_today());
    let refused = |control: &TestControl| control.diagnostics().contains("must have an associated health check");
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    assert!(refused(&control), "{}", control.diagnostics());
    assert!(control.control.base.zone_model(&zone_id(&control, "lab.test.")).is_ok());
    // Others change as ever, and so do settings, for which it is read again.
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.81"));
    let settings = SETTINGS.to_owned() + "[[vpc]]\nid = 'vpc-1'\nregion = 'eu-central-1'\ncidrs = ['10.0.0.0/8']\n";
    fs::write(control.directory.path().join("fiftythree.toml"), settings).unwrap();
    control.reload();
    assert_eq!(
        (control.ask("app.lab.test"), control.ask("www.other.test")),
        (vec![BLUE.into()], vec!["192.0.2.81".into()])
    );
    assert!(refused(&control), "{}", control.diagnostics());
    // An edit that leaves the fault is not served.
    control.write("lab.test.toml", &refused_today().replace(BLUE, "192.0.2.13"));
    control.reload();
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    let mut control = control.killed_and_restarted_after(1);
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    control.write("lab.test.toml", &APP.replace(BLUE, "192.0.2.14"));
    control.reload();
    assert_eq!((control.ask("app.lab.test"), control.diagnostics()), (vec!["192.0.2.14".into()], String::new()));
}

#[test]
fn without_a_copy_a_newer_rule_refuses_the_start() {
    let Err(refused) = start(directory(&[("lab.test.toml", &refused_today())])) else { panic!("it started") };
    let text = refused.diagnostics().render(Style::Plain);
    assert!(text.contains("must have an associated health check"), "{text}");
}

#[test]
fn without_a_last_good_source_a_broken_file_refuses_the_start_with_all_faults() {
    let broken = APP.replace("ttl = 10", "ttl = -1").replace("192.0.2.12", "192.0.2.1200");
    let Err(refused) = start(directory(&[("lab.test.toml", &broken)])) else { panic!("it started") };
    let text = refused.diagnostics().render(Style::Plain);
    assert!(text.contains("-1") && text.contains("192.0.2.1200"), "{text}");
}

const CHILD: &str = "
name = 'child.other.test'
[[record]]
name = 'www'
type = 'A'
ttl = 10
values = ['192.0.2.90']
";

/// A wildcard of the parent's, which must not answer for a child that cannot be served.
const PARENT: &str = "
name = 'other.test'
[[record]]
name = '*'
type = 'A'
ttl = 10
values = ['192.0.2.80']
";

/// A server that stopped, having served a parent zone, its child, and another.
fn stopped_with_child() -> tempfile::TempDir {
    control(&[("child.toml", CHILD), ("lab.test.toml", APP), ("other.toml", PARENT)]).directory
}

/// The copy of this zone file in the state directory.
fn copy(directory: &tempfile::TempDir, name: &str) -> PathBuf {
    let copies = fs::read_dir(directory.path().join("state/last-good")).unwrap();
    let is_it = |path: &PathBuf| path.to_str().unwrap().ends_with(&format!("%2F{name}"));
    copies.map(|entry| entry.unwrap().path()).find(is_it).unwrap()
}

impl TestControl {
    fn rcode(&self, name: &str) -> Rcode {
        let mut question = QueryName::default();
        question.set(&Name::parse(name).unwrap());
        let query = Query::new(&question, RecordType::A.into(), &LOCALHOST);
        resolve(&query, &self.reader.load(), &mut SeededRng::new(0)).rcode
    }

    /// The zones that answer SERVFAIL, as people hear of them.
    fn unavailable(&self) -> Vec<String> {
        let last = self.control.outputs.last_load.borrow();
        last.summary.unavailable.iter().map(|one| one.zone.clone().unwrap()).collect()
    }

    fn left_out(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        self.control.outputs.last_load.borrow().summary.left_out.iter().map(name).collect()
    }
}

/// Does something to a file.
type Damage = fn(&PathBuf);

#[test]
fn a_broken_file_without_a_usable_copy_is_servfail_and_everything_else_is_served() {
    let damages: [(&str, Damage); 5] = [
        ("removed", |copy| fs::remove_file(copy).unwrap()),
        ("emptied", |copy| fs::write(copy, "").unwrap()),
        ("cut", |copy| {
            let text = fs::read(copy).unwrap();
            fs::write(copy, &text[..text.len() / 2]).unwrap();
        }),
        ("altered", |copy| {
            let text = fs::read_to_string(copy).unwrap();
            fs::write(copy, text.replace("192.0.2.90", "192.0.2.91")).unwrap();
        }),
        ("no file", |copy| {
            fs::remove_file(copy).unwrap();
            fs::create_dir(copy).unwrap();
        }),
    ];
    let breaks: [(&str, Damage); 4] = [
        ("a fault", |file| fs::write(file, CHILD.replace("ttl = 10", "ttl = -1")).unwrap()),
        ("no name to be seen", |file| fs::write(file, "[[record]\n").unwrap()),
        ("emptied", |file| fs::write(file, "\n").unwrap()),
        ("unreadable", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
    ];
    for ((damage, how), (broken, breaks)) in damages.iter().flat_map(|one| breaks.iter().map(move |two| (one, two))) {
        let directory = stopped_with_child();
        how(&copy(&directory, "child.toml"));
        breaks(&directory.path().join("zones/child.toml"));
        let control = start(directory).unwrap_or_else(|refused| panic!("{damage}, {broken}: {refused}"));
        assert_eq!(control.rcode("www.child.other.test"), Rcode::ServFail, "copy {damage}, file {broken}");
        assert_eq!(control.unavailable(), ["child.other.test."], "copy {damage}, file {broken}");
        assert_eq!(
            (control.ask("app.lab.test"), control.ask("any.other.test")),
            (vec![BLUE.to_owned()], vec!["192.0.2.80".to_owned()])
        );
        let diagnostics = control.diagnostics();
        assert!(diagnostics.contains("every query for child.other.test. is answered with SERVFAIL"), "{diagnostics}");
    }
}

#[test]
fn an_unavailable_zone_stays_so_until_its_file_is_mended_or_removed() {
    let directory = stopped_with_child();
    fs::write(copy(&directory, "child.toml"), "").unwrap();
    fs::write(directory.path().join("zones/child.toml"), "[[record]\n").unwrap();
    let mut control = start(directory).unwrap_or_else(|refused| panic!("{refused}"));
    let is_unavailable = |control: &TestControl| {
        assert_eq!(
            (control.rcode("www.child.other.test"), control.unavailable()),
            (Rcode::ServFail, vec!["child.other.test.".to_owned()])
        );
    };
    // Others are edited; the settings too; the file is emptied, or unreadable; the directory
    // vanishes.
    control.write("other.toml", &PARENT.replace("192.0.2.80", "192.0.2.81"));
    control.reload();
    is_unavailable(&control);
    assert_eq!(control.ask("any.other.test"), ["192.0.2.81"]);
    fs::write(
        control.directory.path().join("fiftythree.toml"),
        format!("{SETTINGS}[location]\nclient_subnet = 'use'\n[metrics]\ncount_answers = ['app.lab.test']\n"),
    )
    .unwrap();
    control.reload();
    is_unavailable(&control);
    control.write("child.toml", "");
    control.reload();
    is_unavailable(&control);
    let zones = control.directory.path().join("zones");
    fs::rename(&zones, control.directory.path().join("elsewhere")).unwrap();
    control.reload();
    is_unavailable(&control);
    fs::rename(control.directory.path().join("elsewhere"), &zones).unwrap();
    // Its records cannot be told, and why.
    let id = zone_id(&control, "child.other.test.");
    let error = control.control.base.zone_model(&id).unwrap_err().to_string();
    assert!(error.contains("child.toml is broken and no usable copy of it is kept"), "{error}");
    // A copy that somebody made of it does not become the zone.
    control.write("child (copy).toml", &CHILD.replace("192.0.2.90", "192.0.2.99"));
    control.reload();
    is_unavailable(&control);
    assert_eq!(control.left_out(), ["child (copy).toml"]);
    let mut control = control.killed_and_restarted_after(1);
    is_unavailable(&control);
    assert_eq!(control.left_out(), ["child (copy).toml"]);
    control.write("child.toml", CHILD);
    control.reload();
    assert_eq!((control.ask("www.child.other.test"), control.unavailable()), (vec!["192.0.2.90".to_owned()], vec![]));
    // From then on there is a copy again.
    fs::remove_file(control.directory.path().join("zones/child (copy).toml")).unwrap();
    control.write("child.toml", "[[record]\n");
    let mut control = control.killed_and_restarted_after(1);
    assert_eq!((control.ask("www.child.other.test"), control.unavailable()), (vec!["192.0.2.90".to_owned()], vec![]));
    fs::remove_file(control.directory.path().join("zones/child.toml")).unwrap();
    control.reload();
    assert_eq!(control.ask("www.child.other.test"), ["192.0.2.81"], "the parent's wildcard");
}

#[test]
fn names_whose_answers_are_counted_may_lie_outside_a_zone() {
    let directory = directory(&[("child.toml", CHILD), ("lab.test.toml", APP)]);
    let settings =
        format!("{SETTINGS}[metrics]\ncount_answers = ['app.lab.test', 'lab.test', 'www.child.other.test']\n");
    fs::write(directory.path().join("fiftythree.toml"), settings).unwrap();
    let control = start(directory).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(
        (control.ask("app.lab.test"), control.ask("www.child.other.test")),
        (vec![BLUE.to_owned()], vec!["192.0.2.90".to_owned()])
    );
}

#[test]
fn a_file_that_the_version_without_an_index_served_is_known_by_its_copy() {
    let directory = stopped_with_child();
    fs::remove_file(directory.path().join("state/zone-index")).unwrap();
    fs::write(copy(&directory, "child.toml"), "name = 'child.oth").unwrap();
    fs::write(directory.path().join("zones/child.toml"), CHILD.replace("ttl = 10", "ttl = -1")).unwrap();
    let control = start(directory).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(
        (control.rcode("www.child.other.test"), control.ask("app.lab.test")),
        (Rcode::ServFail, vec![BLUE.to_owned()])
    );
}

#[test]
fn a_stray_copy_refuses_no_start_and_the_file_that_was_there_first_can_be_edited() {
    let mut control = control(&[("lab.test.toml", APP), ("other.test.toml", OTHER)]);
    for (name, text) in
        [("lab (copy).toml", APP.replace("192.0.2.11", "192.0.2.66")), ("other2.toml", OTHER.to_owned())]
    {
        control.write(name, &text);
    }
    control.reload();
    for _ in 0..2 {
        assert_eq!(control.left_out(), ["lab (copy).toml", "other2.toml"]);
        assert_eq!(
            (control.ask("app.lab.test"), control.ask("www.other.test")),
            (vec![BLUE.to_owned()], vec!["192.0.2.80".to_owned()])
        );
        control = control.killed_and_restarted_after(1);
    }
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.81"));
    control.reload();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.81"]);
    // A new file that is broken by itself still refuses it.
    control.write("new.toml", "name = 7");
    let TestControl { directory, .. } = control;
    assert!(start(directory).is_err());
}

#[test]
fn edits_during_a_load_are_loaded_after_it() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    control.handle(Event::Reload(Trigger::FileChanged));
    let first = control.next_load();
    control.handle(Event::Reload(Trigger::FileChanged));
    control.handle(Event::Reload(Trigger::Requested));
    assert!(control.jobs.try_recv().is_err(), "one load at a time");
    let outcome = load(&control.source, &FileSources::default(), first, LoadPhase::Reload);
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.82"));
    control.handle(Event::Compiled(outcome));
    assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
    assert_eq!(control.do_loads(), 1);
    assert_eq!(control.ask("www.other.test"), ["192.0.2.82"]);
}

#[test]
fn a_reload_that_was_asked_for_is_over_when_nothing_is_being_loaded_any_more() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let reloads = control.reloads.subscribe();
    let counts = || (reloads.borrow().requested, reloads.borrow().done);
    control.reload();
    assert_eq!(counts(), (0, 0));
    control.handle(Event::Reload(Trigger::FileChanged));
    control.handle(Event::Reload(Trigger::Requested));
    let edit = control.next_load();
    control.write("other.test.toml", "name = 1");
    // What was asked for comes after the edit's load, which is of before.
    control.handle(Event::Compiled(load(&control.source, &FileSources::default(), edit, LoadPhase::Reload)));
    assert_eq!(counts(), (1, 0));
    assert_eq!(control.do_loads(), 1);
    assert_eq!(counts(), (1, 1));
    let outcome = reloads.borrow().outcome.to_string();
    assert!(outcome.starts_with("serving 3 records in 1 zone, 0 health checks; errors in the files: 1, "), "{outcome}");
    assert!(outcome.contains("other.test.toml") && !outcome.contains('\n'), "{outcome}");
}

#[test]
fn a_stale_load_is_dropped() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    control.handle(Event::Reload(Trigger::FileChanged));
    let request = control.next_load();
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.83"));
    let outcome = load(&control.source, &FileSources::default(), request, LoadPhase::Reload);
    control.handle(Event::Compiled(LoadOutcome { generation: outcome.generation + 7, ..outcome }));
    assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
}

#[test]
fn settings_change_live_where_they_can_and_ask_for_a_restart_where_not() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let edited =
        SETTINGS.replace("5300", "5301") + "\n[[vpc]]\nid = 'vpc-1'\nregion = 'eu-central-1'\ncidrs = ['10.0.0.0/8']\n";
    fs::write(control.directory.path().join("fiftythree.toml"), edited).unwrap();
    control.handle(Event::Reload(Trigger::Requested));
    let request = control.next_load();
    let outcome = load(&control.source, &FileSources::default(), request, LoadPhase::Reload);
    let Ok(loaded) = &outcome.result else { panic!("refused") };
    assert_eq!(loaded.summary.needs_restart, ["dns.listen"]);
    assert_eq!(loaded.base.settings.vpcs.len(), 1);
    assert_eq!(loaded.base.settings.dns.listen[0].port(), 5300);
    // Broken settings: those in force stay, and the zones go on.
    control.handle(Event::Compiled(outcome));
    fs::write(control.directory.path().join("fiftythree.toml"), "[dns]\nlisten = 5300\n").unwrap();
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.84"));
    control.reload();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.84"]);
    assert!(control.diagnostics().contains("listen"), "{}", control.diagnostics());
}

#[test]
fn a_geo_database_that_is_none_is_refused_by_name_and_changes_nothing_later() {
    let with_geo = SETTINGS.to_owned() + "\n[location]\ngeoip = ['broken.mmdb']\n";
    let files = directory(&[("other.test.toml", OTHER)]);
    fs::write(files.path().join("fiftythree.toml"), &with_geo).unwrap();
    fs::write(files.path().join("broken.mmdb"), "no database").unwrap();
    let Err(refused) = start(files) else { panic!("it started") };
    let text = refused.diagnostics().render(Style::Plain);
    assert!(text.contains("broken.mmdb"), "{text}");

    let mut control = control(&[("other.test.toml", OTHER)]);
    fs::write(control.directory.path().join("broken.mmdb"), "no database").unwrap();
    fs::write(control.directory.path().join("fiftythree.toml"), &with_geo).unwrap();
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.85"));
    control.reload();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.85"]);
    assert!(control.diagnostics().contains("broken.mmdb"), "{}", control.diagnostics());
}

#[test]
fn another_zones_directory_is_served_unless_it_holds_nothing() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let settings = control.directory.path().join("fiftythree.toml");
    for nothing in ["missing", "empty"] {
        fs::write(&settings, SETTINGS.replace("'zones'", &format!("'{nothing}'"))).unwrap();
        control.reload();
        assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
        fs::create_dir(control.directory.path().join("empty")).unwrap_or_default();
    }
    let moved = OTHER.replace("192.0.2.80", "192.0.2.86");
    fs::write(control.directory.path().join("empty/other.test.toml"), moved).unwrap();
    control.reload();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.86"]);
}

#[test]
fn a_state_directory_that_cannot_be_written_is_only_a_warning() {
    let files = directory(&[("other.test.toml", OTHER)]);
    fs::write(files.path().join("state"), "a file, no directory").unwrap();
    let control = start(files).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
}

#[test]
fn after_a_kill_the_saved_status_counts_and_the_streak_continues() {
    let mut control = control(&[("lab.test.toml", APP)]);
    for observation in [Pass, Fail, Fail, Fail, Pass, Pass] {
        control.observe("blue", observation);
    }
    // The check asks every second: two seconds later no result was missed.
    let mut control = control.killed_and_restarted_after(2);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    assert_eq!(*control.pending.borrow(), 0, "nothing is waited for");
    control.observe("blue", Pass);
    assert_eq!(control.ask("app.lab.test"), [BLUE], "the third pass in a row");
}

#[test]
fn an_old_saved_state_counts_until_the_first_result() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", Fail);
    let mut control = control.killed_and_restarted_after(3600);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    // Still the same a restart later: it does not become younger by being written down again.
    let mut twice = {
        control.at = Timestamp(control.at.0 + Duration::from_secs(1));
        control.killed_and_restarted_after(0)
    };
    assert_eq!(twice.ask("app.lab.test"), [GREEN]);
    twice.observe("blue", Pass);
    assert_eq!(twice.ask("app.lab.test"), [BLUE]);
}

#[test]
fn history_is_restored() {
    let mut control = control(&[("lab.test.toml", APP)]);
    for (second, observation) in (1..).zip([Pass, Pass, Fail, Fail, Fail, Fail]) {
        control.at = Timestamp(Duration::from_secs(second));
        control.observe("blue", observation);
    }
    let before = control.control.check_histories.of(CheckSlot(0)).history.clone();
    let counts: Vec<u32> = before.runs().map(|run| run.results).collect();
    assert_eq!(counts, [2, 4]);
    assert_eq!(&*before.last_transition().unwrap().why, "3 failures in a row: as the test wants");
    let control = control.killed_and_restarted_after(1);
    assert_eq!(control.control.check_histories.of(CheckSlot(0)).history.clone(), before);
}

#[test]
fn the_last_result_is_a_restored_one_after_a_restart_and_not_after_the_clock_was_set() {
    let mut control =
        start_at(directory(&[("lab.test.toml", APP)]), Timestamp(Duration::from_secs(1000))).ok().unwrap();
    let is_restored = |control: &TestControl| control.health.load().checks(None)[0].is_restored();
    control.at = Timestamp(Duration::from_secs(10));
    control.observe("blue", Fail);
    assert!(!is_restored(&control));
    let mut control = control.killed_and_restarted_after(2000);
    assert!(is_restored(&control));
    control.observe("blue", Fail);
    assert!(!is_restored(&control));
}

#[test]
fn a_check_that_asks_something_else_after_a_restart_is_pending() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", Fail);
    control.write("lab.test.toml", &APP.replace("8080", "8081"));
    let control = control.killed_and_restarted_after(1);
    assert_eq!(*control.pending.borrow(), 1);
}

#[test]
fn a_damaged_saved_state_does_not_prevent_the_start() {
    let mut first = control(&[("lab.test.toml", APP)]);
    first.observe("blue", Fail);
    let control = first.killed_and_restarted_after(0);
    let journal = control.directory.path().join("state/health.journal");
    drop(control.control);
    control.writer_thread.finish(Duration::from_secs(30));
    let text = fs::read(&journal).unwrap();
    for end in 0..=text.len() {
        fs::write(&journal, &text[..end]).unwrap();
        let found = store::Journal::new(&control.directory.path().join("state")).recover();
        SavedState::read(found.lines.iter().map(String::as_str));
        assert_eq!(found.damage, None);
    }
    fs::write(&journal, "no journal\n").unwrap();
    let again = start(control.directory).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(again.ask("app.lab.test"), [BLUE]);
    assert!(journal.with_extension("journal.damaged-1").exists());
}

fn request(pattern: &str, action: Action, until: Option<u64>) -> OverrideRequest {
    let (reason, author) = ("kernel update".to_owned(), "ada".to_owned());
    let until = until.map(|second| Timestamp(Duration::from_secs(second)));
    OverrideRequest { pattern: Pattern(pattern.to_owned()), action, reason, author, from: Timestamp::default(), until }
}

impl TestControl {
    fn change_overrides(&mut self, event: impl FnOnce(Answer) -> Event) -> Result<OverrideOutcome, OverrideError> {
        let (answer, outcome) = oneshot::channel();
        self.handle(event(answer));
        outcome.blocking_recv().unwrap()
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.at = Timestamp(self.at.0 + Duration::from_secs(seconds));
        self.handle(Event::Tick);
    }
}

#[test]
fn an_override_changes_answers_until_it_is_cleared() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", Pass);
    let outcome =
        control.change_overrides(|answer| Event::SetOverride(request("bl*", Action::Down, None), answer)).unwrap();
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    assert_eq!(outcome.changed[0].checks, ["blue".into()]);
    assert!(outcome.durable.is_ok());
    control.observe("blue", Pass);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    let cleared = control.change_overrides(|answer| Event::ClearOverrides(Pattern("*".to_owned()), answer)).unwrap();
    assert_eq!(cleared.changed.len(), 1);
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    let history = control.control.check_histories.of(CheckSlot(0)).history.clone();
    let why: Vec<&str> = history.transitions().map(|past| &*past.why).collect();
    assert_eq!(why, ["overridden to down by ada from 1970-01-01T00:00:00Z: kernel update", "the override has ended"]);
}

#[test]
fn an_override_that_was_answered_is_in_the_view() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", Pass);
    let before = control.health.load();
    control.change_overrides(|answer| Event::SetOverride(request("blue", Action::Down, None), answer)).unwrap();
    let (view, at) = (control.health.load(), control.at);
    let check = &view.checks(None)[0];
    assert_eq!((check.view.final_status, check.view.without_overrides), (Status::Unhealthy, Status::Healthy));
    assert_eq!(view.override_of(check, at), Some(&view.overrides(at)[0].details));
    assert!(Arc::ptr_eq(&view.world, &control.reader.load()), "view and world belong together");
    assert_eq!((before.checks(None)[0].view.final_status, before.overrides(at).len()), (Status::Healthy, 0));
}

#[test]
fn with_a_cluster_an_override_is_in_force_when_the_cluster_has_it() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", Pass);
    control.change_overrides(|answer| Event::SetOverride(request("b*", Action::Up, None), answer)).unwrap();
    let (changes_in, mut changes) = mpsc::channel(2);
    control.control.outputs.shared_overrides = Some(changes_in);
    let (answer, mut outcome) = oneshot::channel();
    control.handle(Event::SetOverride(request("blue", Action::Down, None), answer));
    assert_eq!((control.ask("app.lab.test"), outcome.try_recv().is_err()), (vec![BLUE.to_owned()], true));
    let change = changes.try_recv().unwrap();
    let mut shared = health::Overrides::default();
    let changed = decide_overrides(&mut shared, &change.requested, "one", change.at).unwrap().unwrap();
    let answer = change.answer.map(|answer| (changed, answer));
    control.handle(Event::SharedOverrides(Box::new(NewOverrides { overrides: Some(shared.clone()), answer })));
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    let outcome = outcome.blocking_recv().unwrap().unwrap();
    assert_eq!(outcome.changed[0].details.origin.as_ref().unwrap().node, "one");
    // The one that this node had before is added, and another node clears all of them.
    let adopt = changes.try_recv().unwrap();
    decide_overrides(&mut shared, &adopt.requested, "one", adopt.at).unwrap().unwrap();
    control.handle(Event::SharedOverrides(Box::new(NewOverrides { overrides: Some(shared.clone()), answer: None })));
    assert_eq!(control.health.load().overrides(control.at).len(), 2);
    assert!(changes.try_recv().is_err());
    let all = shared.clear(&Pattern("*".to_owned()));
    assert_eq!(all.len(), 2);
    control.handle(Event::SharedOverrides(Box::new(NewOverrides { overrides: Some(shared), answer: None })));
    assert_eq!((control.ask("app.lab.test"), control.control.overrides.all().len()), (vec![BLUE.to_owned()], 0));
    // Without etcd a change is refused, and one that no check has does not get there.
    let (answer, outcome) = oneshot::channel();
    control.handle(Event::ClearOverrides(Pattern("blue".to_owned()), answer));
    changes.try_recv().unwrap().refuse("etcd is away");
    assert!(matches!(outcome.blocking_recv().unwrap(), Err(OverrideError::Unavailable(why)) if why == "etcd is away"));
    let unknown = control.change_overrides(|answer| Event::SetOverride(request("bleu", Action::Up, None), answer));
    assert!(matches!(unknown, Err(OverrideError::UnknownCheck { .. })));
    drop(changes);
    let stopping = control.change_overrides(|answer| Event::SetOverride(request("blue", Action::Up, None), answer));
    assert!(matches!(stopping, Err(OverrideError::Unavailable(_))));
}

/// A zone with as many checks, each with a record of its own.
fn zone_with_checks(count: usize) -> String {
    let check = |number| {
        format!(
            "[[record]]\nname = 'r{number}'\ntype = 'A'\nset_identifier = 'a'\nmultivalue = true\nttl = 10\n\
             values = ['192.0.2.1']\nhealth_check = 'c{number:04}'\n\
             [[health_check]]\nname = 'c{number:04}'\ntype = 'tcp'\nip_address = '127.0.53.11'\nport = 8080\n"
        )
    };
    "name = 'lab.test'\n".to_owned() + &(0..count).map(check).collect::<String>()
}

#[test]
fn results_that_wait_are_published_in_one_world_and_reported_in_order() {
    const CHECKS: usize = 2 * BATCH + 88;
    let TestControl { control, reader, probes, .. } = control(&[("lab.test.toml", &zone_with_checks(CHECKS))]);
    let event_log = control.outputs.event_log.clone();
    let (events, inbox) = mpsc::channel(CHECKS);
    for ScheduledProbe { slot, generation, .. } in probes.borrow().iter() {
        let result = Observed {
            slot: *slot,
            generation: *generation,
            observation: Fail,
            reason: Reason::Timeout,
            status: Box::new("no response"),
            latency: Latency::default(),
            took: Duration::ZERO,
        };
        assert!(events.try_send(Event::Observed(result)).is_ok());
    }
    drop(events);
    let worlds = std::sync::Mutex::new(vec![reader.load()]);
    let see_world = || {
        let mut worlds = worlds.lock().unwrap();
        if !Arc::ptr_eq(worlds.last().unwrap(), &reader.load()) {
            worlds.push(reader.load());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(control.run(inbox, || {
        see_world();
        Timestamp::default()
    }));
    see_world();
    assert_eq!(worlds.lock().unwrap().len() - 1, CHECKS.div_ceil(BATCH), "one world for a batch");
    let reported: Vec<String> = event_log.since(0).records.iter().map(|(_, record)| checks_of(record)).collect();
    let expected: Vec<String> = (0..CHECKS).map(|number| format!("c{number:04}")).collect();
    assert_eq!(reported, expected[CHECKS - reported.len()..]);
}

fn checks_of(record: &EventRecord) -> String {
    match &record.what {
        EventKind::StatusChanged { check, .. } => check.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_override_that_was_acknowledged_survives_a_kill() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.observe("blue", Pass);
    control.change_overrides(|answer| Event::SetOverride(request("blue", Action::Down, Some(100)), answer)).unwrap();
    let mut control = control.killed_and_restarted_after(50);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    assert_eq!(
        control.control.check_histories.of(CheckSlot(0)).history.clone().transitions().count(),
        1,
        "it is no news"
    );
    control.observe("blue", Pass);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    control.pass(49);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    control.pass(1);
    assert_eq!(control.ask("app.lab.test"), [BLUE], "its time is over");
    let control = control.killed_and_restarted_after(0);
    assert!(control.control.overrides.all().is_empty());
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
}

#[test]
fn an_override_begins_and_ends_at_its_times() {
    let mut control = control(&[("lab.test.toml", APP)]);
    let later = OverrideRequest { from: Timestamp(Duration::from_secs(10)), ..request("blue", Action::Down, Some(20)) };
    control.change_overrides(|answer| Event::SetOverride(later, answer)).unwrap();
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    control.pass(10);
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
    control.pass(10);
    assert_eq!(control.ask("app.lab.test"), [BLUE]);
    // One whose time passed while the server was away.
    control.change_overrides(|answer| Event::SetOverride(request("blue", Action::Down, Some(30)), answer)).unwrap();
    assert_eq!(control.killed_and_restarted_after(10).ask("app.lab.test"), [BLUE]);
}

#[test]
fn an_override_applies_to_checks_that_are_added_later() {
    let mut control = control(&[("lab.test.toml", APP)]);
    control.change_overrides(|answer| Event::SetOverride(request("b*", Action::Down, None), answer)).unwrap();
    control.write("lab.test.toml", &APP.replace("'blue'", "'bleu'"));
    control.reload();
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let mut control = control(&[("lab.test.toml", APP)]);
    let unknown =
        control.change_overrides(|answer| Event::SetOverride(request("bleu", Action::Down, None), answer)).unwrap_err();
    assert!(matches!(unknown, OverrideError::UnknownCheck { names, .. } if names == ["blue".into()]));
    let unknown =
        control.change_overrides(|answer| Event::ClearOverrides(Pattern("blue".to_owned()), answer)).unwrap_err();
    assert!(matches!(unknown, OverrideError::UnknownOverride { .. }));
    let lines = OverrideRequest { reason: "a\nb".to_owned(), ..request("blue", Action::Down, None) };
    let refused = control.change_overrides(|answer| Event::SetOverride(lines, answer)).unwrap_err();
    assert!(matches!(refused, OverrideError::BadText { what: "reason", .. }));
}

#[test]
fn an_override_that_cannot_be_saved_counts() {
    let files = directory(&[("lab.test.toml", APP)]);
    fs::write(files.path().join("state"), "a file, no directory").unwrap();
    let mut control = start(files).unwrap_or_else(|refused| panic!("{refused}"));
    let outcome =
        control.change_overrides(|answer| Event::SetOverride(request("blue", Action::Down, None), answer)).unwrap();
    assert!(outcome.durable.is_err());
    assert_eq!(control.ask("app.lab.test"), [GREEN]);
}

#[test]
fn a_full_queue_of_notices_delays_nothing_and_the_next_notice_counts_the_lost_ones() {
    let mut control = control(&[("lab.test.toml", APP)]);
    for observation in [Fail, Pass, Pass, Pass, Fail, Fail, Fail, Pass, Pass, Pass] {
        control.observe("blue", observation);
    }
    let turned = |notice: Notice| match notice.what {
        HealthNoticeKind::StatusChanged(check) => (check, notice.lost),
        other => panic!("{other:?}"),
    };
    let next = |control: &mut TestControl| {
        control.notices.try_recv().map(turned).map(|(check, lost)| (check.status, lost)).ok()
    };
    assert_eq!(next(&mut control), Some((Status::Unhealthy, 0)));
    assert_eq!(next(&mut control), Some((Status::Healthy, 0)));
    assert_eq!(next(&mut control), None, "there is room for two");
    (0..3).for_each(|_| control.observe("blue", Fail));
    let (check, lost) = turned(control.notices.try_recv().unwrap());
    assert_eq!((&*check.name, check.status, lost), ("blue", Status::Unhealthy, 2));
    assert_eq!((check.records, check.record_count), (vec!["app.lab.test. A blue".to_owned()], 1));
}

/// Two weighted records and a pair with the same checks, under rules of their own, and a calculated
/// check that counts one.
fn weighted_zone(group: &str) -> String {
    let mut zone = format!("name = 'lab.test'\n[[record_group]]\nname = 'even'\ntype = 'A'\n{group}\n");
    let record = |owner: &str, id: &str, policy: &str, address: &str, check: &str| {
        format!(
            "[[record]]\nname = '{owner}'\ntype = 'A'\nset_identifier = '{id}'\n{policy}\nttl = 10\n\
             values = ['{address}']\nhealth_check = '{check}'\n"
        )
    };
    for (id, address) in [("blue", BLUE), ("green", GREEN)] {
        zone += &record("even", id, "weight = 100", address, id);
        zone += &format!(
            "[[health_check]]\nname = '{id}'\ntype = 'tcp'\nip_address = '127.0.53.1'\nport = {}\n\
             request_interval = 1\nfailure_threshold = 1\n",
            address.len() + usize::from(id == "blue")
        );
    }
    zone += &record("pair", "blue", "failover = 'primary'", BLUE, "blue");
    zone += &record("pair", "green", "failover = 'secondary'", GREEN, "green");
    zone += &record("site", "site", "failover = 'primary'", BLUE, "site");
    zone += &record("site", "green", "failover = 'secondary'", GREEN, "green");
    zone + "[[health_check]]\nname = 'site'\ntype = 'calculated'\nchild_health_checks = ['blue']\nhealth_threshold = 1\n"
}

fn start_weighted(group: &str) -> TestControl {
    let mut control = control(&[("lab.test.toml", &weighted_zone(group))]);
    ["blue", "green"].iter().for_each(|check| control.observe(check, Pass));
    control
}

fn drain(seconds: u64) -> Action {
    Action::Drain(crate::health::Drain::over(Duration::from_secs(seconds)))
}

impl TestControl {
    /// In how many of a hundred answers blue stands.
    fn blue(&self) -> u32 {
        const DRAWS: u32 = 20_000;
        let mut question = QueryName::default();
        question.set(&Name::parse("even.lab.test").unwrap());
        let mut rng = SeededRng::new(7);
        let blue = (0..DRAWS).filter(|_| self.ask_with(&question, &mut rng) == [BLUE]).count();
        (u32::try_from(blue).unwrap() * 100 + DRAWS / 2) / DRAWS
    }

    fn set(&mut self, pattern: &str, action: Action, until: Option<u64>) {
        self.change_overrides(|answer| Event::SetOverride(request(pattern, action, until), answer)).unwrap();
    }

    fn clear(&mut self, pattern: &str) {
        self.change_overrides(|answer| Event::ClearOverrides(Pattern(pattern.to_owned()), answer)).unwrap();
    }

    fn take_notices(&mut self) -> Vec<HealthNoticeKind> {
        std::iter::from_fn(|| self.notices.try_recv().ok()).map(|notice| notice.what).collect()
    }
}

fn is_near(got: u32, expected: u32) {
    // Five standard deviations of 20 000 draws are 1.8 per cent.
    assert!(got.abs_diff(expected) <= 2, "{got} is not {expected}");
}

#[test]
fn a_drain_reduces_the_weight_to_nothing_over_its_time() {
    let mut control = start_weighted("");
    is_near(control.blue(), 50);
    control.set("blue", drain(100), Some(1000));
    // Answers that cannot be shared are others at once, and a calculated check counts it as
    // unhealthy at once.
    assert_eq!(
        (control.ask("pair.lab.test"), control.ask("site.lab.test")),
        (vec![GREEN.to_owned()], vec![GREEN.to_owned()])
    );
    is_near(control.blue(), 50);
    control.pass(50);
    is_near(control.blue(), 33);
    control.pass(40);
    is_near(control.blue(), 9);
    control.notices.try_recv().unwrap();
    control.take_notices();
    control.pass(10);
    assert_eq!(control.blue(), 0);
    let [HealthNoticeKind::Drained(check)] = &control.take_notices()[..] else { panic!("there is no notice") };
    assert_eq!((&*check.name, check.status), ("blue", Status::Unhealthy));
    // Out, not a standby: with green down as well, all answer, as Route 53 has it.
    control.observe("green", Fail);
    is_near(control.blue(), 50);
    control.observe("green", Pass);
    control.pass(900);
    is_near(control.blue(), 50);
    assert_eq!(control.ask("pair.lab.test"), [BLUE]);
}

#[test]
fn a_drain_continues_after_a_restart() {
    let mut control = start_weighted("");
    control.set("b*", drain(100), None);
    control.pass(30);
    is_near(control.blue(), 41); // 70 : 100
    let mut control = control.killed_and_restarted_after(20);
    is_near(control.blue(), 33);
    control.pass(49);
    assert!(control.blue() <= 2, "{}", control.blue());
    let mut control = control.killed_and_restarted_after(1);
    assert_eq!(control.blue(), 0);
    control.clear("b*");
    is_near(control.blue(), 50);
}

#[test]
fn a_draining_record_that_fails_is_not_answered_unless_it_is_alone() {
    let mut control = start_weighted("");
    control.set("blue", drain(100), None);
    control.pass(20);
    control.observe("blue", Fail);
    assert_eq!(control.blue(), 0);
    control.observe("blue", Pass);
    control.pass(30);
    is_near(control.blue(), 33);
    control.observe("green", Fail);
    assert_eq!((control.blue(), control.ask("pair.lab.test")), (100, vec![BLUE.to_owned()]));
    control.observe("green", Pass);
    assert_eq!(control.ask("pair.lab.test"), [GREEN]);
}

#[test]
fn an_override_set_after_a_drain_takes_precedence() {
    let mut control = start_weighted("");
    control.set("*", drain(100), None);
    control.pass(50);
    is_near(control.blue(), 50); // both have half of theirs
    control.set("green", Action::Up, None);
    is_near(control.blue(), 33);
    control.set("blue", Action::Down, None);
    assert_eq!(control.blue(), 0);
    control.clear("blue");
    is_near(control.blue(), 33);
    control.clear("*");
    is_near(control.blue(), 50);
}

#[test]
fn a_clock_that_is_set_back_does_not_change_what_has_begun() {
    let mut control = start_weighted("slow_start = '100s'");
    control.pass(100_000);
    control.set("blue", drain(100), None);
    control.pass(50);
    is_near(control.blue(), 33);
    control.at = Timestamp(control.at.0.saturating_sub(Duration::from_secs(50_000)));
    control.handle(Event::Tick);
    is_near(control.blue(), 33);
    control.pass(40);
    is_near(control.blue(), 9);
    // While the server is away, too.
    let at = Timestamp(control.at.0.saturating_sub(Duration::from_secs(20_000)));
    let TestControl { directory, control, writer_thread, .. } = control;
    drop(control);
    writer_thread.finish(Duration::from_secs(30));
    let mut control = start_at(directory, at).unwrap_or_else(|refused| panic!("{refused}"));
    is_near(control.blue(), 9);
    control.pass(10);
    assert_eq!(control.blue(), 0);
    // A slow start stays where it is as well.
    control.clear("blue");
    control.pass(50);
    is_near(control.blue(), 33);
    control.at = Timestamp(control.at.0.saturating_sub(Duration::from_secs(5_000)));
    control.handle(Event::Tick);
    is_near(control.blue(), 33);
    control.pass(50);
    is_near(control.blue(), 50);
}

#[test]
fn failback_and_slow_start_continue_across_restarts_and_edits() {
    let rules = "failback_delay = '60s'\nslow_start = '100s'";
    let mut control = start_weighted(rules);
    control.observe("blue", Fail);
    control.pass(10);
    control.observe("blue", Pass);
    assert_eq!(control.blue(), 0);
    control.pass(30);
    let mut control = control.killed_and_restarted_after(20);
    assert_eq!(control.blue(), 0);
    control.pass(10);
    assert!((1..=2).contains(&control.blue()) || control.blue() == 0);
    control.pass(50);
    is_near(control.blue(), 33);
    // The group is edited while it grows: another record, another slow start.
    control.write("lab.test.toml", &weighted_zone(&rules.replace("100s", "200s")).replace("ttl = 10", "ttl = 20"));
    control.reload();
    is_near(control.blue(), 20); // a quarter of its weight
    control.pass(150);
    is_near(control.blue(), 50);
    assert_eq!(control.reader.load().recoveries().count(), 0);
    let control = control.killed_and_restarted_after(0);
    is_near(control.blue(), 50);
}

#[test]
fn many_records_recover_across_reloads_and_the_log_lists_few() {
    const GROUPS: usize = 30;
    let zone = |name: &str, groups: std::ops::Range<usize>| {
        let mut zone = format!("name = '{name}'\n");
        for group in groups {
            zone += &format!("[[record_group]]\nname = 'g{group}'\ntype = 'A'\nfailback_delay = '60s'\n");
            for (id, role, address) in [("blue", "primary", BLUE), ("green", "secondary", GREEN)] {
                zone += &format!(
                    "[[record]]\nname = 'g{group}'\ntype = 'A'\nset_identifier = '{id}'\nfailover = '{role}'\nttl = 10\n\
                     values = ['{address}']\nhealth_check = 'blue'\n"
                );
            }
        }
        zone
    };
    let check = "[[health_check]]\nname = 'blue'\ntype = 'tcp'\nip_address = '127.0.53.1'\nport = 1\n\
                 request_interval = 1\nfailure_threshold = 1\n";
    let (one, other) = (zone("one.test", 0..GROUPS) + check, zone("other.test", 0..GROUPS));
    let mut control = control(&[("one.test.toml", &one), ("other.test.toml", &other)]);
    control.observe("blue", Pass);
    control.observe("blue", Fail);
    let healthless = control.reader.load();
    control.observe("blue", Pass);
    let recovered = control.reader.load();
    let tell = |control: &TestControl, before: &World, after: &World| {
        timers::save_recoveries(&control.control.outputs.state_writer, before, after, control.at)
    };
    let lines = tell(&control, &healthless, &recovered);
    assert_eq!(lines.len(), LISTED_LINES + 1, "{lines:#?}");
    assert!(lines[0].contains("g0.one.test. A blue is healthy again and waits"), "{}", lines[0]);
    assert_eq!(lines[LISTED_LINES], format!("{} more records began to recover", 4 * GROUPS - LISTED_LINES));
    // The first zone loses two groups, so that all bits behind them are other ones.
    control.write("one.test.toml", &(zone("one.test", 2..GROUPS) + check));
    control.reload();
    let keys = |world: &World| world.recoveries().map(|way| (way.record, way.since)).collect::<Vec<_>>();
    let mut expected = keys(&recovered);
    let gone = |name: &str| name.starts_with("g0.one.") || name.starts_with("g1.one.");
    expected.retain(|(record, _)| !gone(&record.name.to_string()));
    assert_eq!(expected.len(), 4 * GROUPS - 4);
    let mut got = keys(&control.reader.load());
    expected.sort();
    got.sort();
    assert_eq!(got, expected);
    let waiting = control.reader.load();
    control.pass(60);
    let lines = tell(&control, &waiting, &control.reader.load());
    assert_eq!(lines.len(), LISTED_LINES + 1, "{lines:#?}");
    assert!(lines[0].contains("has recovered to full weight"), "{}", lines[0]);
    let more = format!("{} more records recovered to full weight", 4 * GROUPS - 4 - LISTED_LINES);
    assert_eq!(lines[LISTED_LINES], more);
}

#[test]
fn first_results_restarts_and_overrides_start_no_recovery() {
    let rules = "failback_delay = '60s'\nslow_start = '100s'";
    let zone =
        weighted_zone(rules).replace("name = 'blue'\ntype = 'tcp'", "name = 'blue'\ninverted = true\ntype = 'tcp'");
    // A new inverted check is unhealthy until its first result, which decides.
    let mut control = control(&[("lab.test.toml", &zone)]);
    control.observe("green", Pass);
    assert_eq!(control.blue(), 0);
    control.observe("blue", Fail);
    is_near(control.blue(), 50);
    // A check that was known to be unhealthy before the restart recovers with its first result.
    control.observe("blue", Pass);
    let mut control = control.killed_and_restarted_after(10_000);
    control.observe("blue", Fail);
    assert_eq!(control.blue(), 0);
    control.pass(30);
    // A person does not want to wait.
    control.set("blue", Action::Up, None);
    is_near(control.blue(), 50);
    control.clear("blue");
    is_near(control.blue(), 50);
    // A drain that is taken back half way grows from there; one that came to its end is a recovery.
    control.set("blue", drain(100), None);
    control.pass(50);
    control.clear("blue");
    is_near(control.blue(), 33);
    control.pass(50);
    is_near(control.blue(), 50);
    control.set("blue", drain(100), None);
    control.pass(100);
    control.clear("blue");
    control.pass(59);
    assert_eq!(control.blue(), 0);
    control.pass(1 + 50);
    is_near(control.blue(), 33);
}

/// The outcome zone with a sentinel, or two.
fn start_with_sentinels(sentinels: &str, group: &str) -> TestControl {
    let guards = ["gateway", "isp"].map(|name| {
        format!(
            "[[health_check]]\nname = '{name}'\ntype = 'tcp'\nip_address = '127.0.53.2'\nport = {}\n\
             request_interval = 1\nfailure_threshold = 1\n",
            name.len()
        )
    });
    let directory = directory(&[("lab.test.toml", &(weighted_zone(group) + &guards.concat()))]);
    fs::write(directory.path().join("fiftythree.toml"), format!("{SETTINGS}[health]\nsentinels = {sentinels}\n"))
        .unwrap();
    start(directory).unwrap_or_else(|refused| panic!("{refused}"))
}

#[test]
fn while_all_sentinels_are_unhealthy_no_status_changes() {
    let mut control = start_with_sentinels("['gateway', 'isp']", "");
    ["gateway", "isp", "blue", "green"].iter().for_each(|check| control.observe(check, Pass));
    control.at = Timestamp(Duration::from_secs(1000));
    control.observe("gateway", Fail);
    control.observe("green", Fail);
    assert_eq!(control.blue(), 100, "one sentinel is still there");
    control.observe("green", Pass);
    control.pass(60);
    control.take_notices();
    control.observe("isp", Fail);
    assert!(matches!(&control.take_notices()[..], [_, HealthNoticeKind::ServerIsolated(names)] if names.len() == 2));
    (0..9).for_each(|_| ["blue", "green"].iter().for_each(|check| control.observe(check, Fail)));
    is_near(control.blue(), 50);
    // People's word counts.
    control.set("blue", Action::Down, None);
    assert_eq!(control.blue(), 0);
    control.clear("blue");
    is_near(control.blue(), 50);
    // A restart begins with the uplink gone, as it was.
    let mut control = control.killed_and_restarted_after(5);
    control.observe("blue", Fail);
    is_near(control.blue(), 50);
    control.pass(10);
    assert!(control.take_notices().iter().any(|what| matches!(what, HealthNoticeKind::ServerIsolated(_))));
    control.observe("isp", Pass);
    assert!(control.take_notices().iter().any(|what| matches!(what, HealthNoticeKind::ServerReconnected(_))));
    // What was begun while it was gone says nothing; what is begun now does.
    control.observe_after("green", Fail, Duration::from_secs(4));
    is_near(control.blue(), 50);
    control.pass(5);
    control.observe_after("green", Fail, Duration::from_secs(4));
    assert_eq!(control.blue(), 100);
}

#[test]
fn recoveries_do_not_advance_while_the_server_is_isolated() {
    let mut control = start_with_sentinels("['gateway']", "failback_delay = '60s'");
    ["gateway", "blue", "green"].iter().for_each(|check| control.observe(check, Pass));
    control.observe("blue", Fail);
    control.observe("blue", Pass);
    control.pass(30);
    control.observe("gateway", Fail);
    (0..100).for_each(|_| control.pass(1));
    assert_eq!(control.blue(), 0);
    control.observe("gateway", Pass);
    control.pass(29);
    assert_eq!(control.blue(), 0);
    control.pass(1);
    is_near(control.blue(), 50);
}

#[test]
fn no_check_fails_before_the_first_results_of_the_sentinels() {
    let mut control = start_with_sentinels("['gateway']", "");
    control.observe("green", Fail);
    is_near(control.blue(), 50);
    assert!(control.control.pending_checks().iter().any(|name| &**name == "green"));
    control.observe("gateway", Fail);
    control.observe("green", Fail);
    is_near(control.blue(), 50);
    control.pass(1);
    control.observe("gateway", Pass);
    control.observe_after("green", Fail, Duration::ZERO);
    assert_eq!(control.blue(), 100);
}

#[test]
fn an_edit_changes_the_sentinels_and_an_unknown_one_refuses_the_start() {
    let mut control = start_with_sentinels("['gateway']", "");
    ["gateway", "blue", "green"].iter().for_each(|check| control.observe(check, Pass));
    control.observe("gateway", Fail);
    control.observe("green", Fail);
    is_near(control.blue(), 50);
    fs::write(control.directory.path().join("fiftythree.toml"), SETTINGS).unwrap();
    control.reload();
    control.pass(1);
    control.observe_after("green", Fail, Duration::ZERO);
    assert_eq!(control.blue(), 100);
    let files = directory(&[("lab.test.toml", APP)]);
    fs::write(files.path().join("fiftythree.toml"), format!("{SETTINGS}[health]\nsentinels = ['blu']\n")).unwrap();
    let Err(refused) = start(files) else { panic!("it starts") };
    let text = refused.diagnostics().render(Style::Plain);
    assert!(text.contains("did you mean `blue`?"), "{text}");
}
