//! A node of a cluster: results and the opinions of other nodes in, answers out.

use std::fs;

use super::tests::{APP, BLUE, GREEN, SETTINGS, TestControl, directory, start};
use super::*;
use crate::health::Action;
use crate::health::Observation::{Fail, Pass};
use crate::health::Status::{self, Healthy, Unhealthy};
use crate::health::agreement::{CheckList, FIRST_OPINIONS_TICKS, FRESH_TICKS, NodeOpinions, Opinion};
use crate::health::{CheckFingerprint, Identity};

const CLUSTER: &str = "[cluster]\nendpoints = ['http://127.0.0.1:1']\nnode = 'here'\nregion = 'eu-west-1'\n";
const GATEWAY: &str = "
[[health_check]]
name = 'gateway'
type = 'tcp'
ip_address = '127.0.53.2'
port = 1
request_interval = 1
failure_threshold = 1
";

/// A node with these settings, and this zone file.
fn node_with(settings: &str, zone: &str) -> TestControl {
    let directory = directory(&[("lab.test.toml", zone)]);
    fs::write(directory.path().join("fiftythree.toml"), format!("{SETTINGS}{settings}")).unwrap();
    let mut control = start(directory).unwrap_or_else(|refused| panic!("{refused}"));
    control.at = Timestamp(Duration::from_secs(1_772_402_400));
    control
}

fn node(agreement: &str) -> TestControl {
    node_with(&format!("{CLUSTER}agreement = {agreement}\n"), APP)
}

impl TestControl {
    /// Another node says this about all checks.
    fn hear(&mut self, node: &str, status: Status) {
        self.hear_isolated(node, status, false);
    }

    fn hear_isolated(&mut self, node: &str, status: Status, isolated: bool) {
        let list = Arc::new(self.control.tracker.check_list());
        let opinion = Opinion { status, text: format!("as {node} saw").into(), age_s: 2 };
        let opinions = NodeOpinions::new(self.at, isolated, list, |_| Some(opinion.clone()));
        let opinions = opinions.located(Some("ap-northeast-1".into()), "198.51.100.1".parse().ok());
        self.handle(Event::Opinions(vec![NodeNews::Opinions(node.into(), Arc::new(opinions))]));
    }

    fn observe_times(&mut self, check: &str, observation: Observation, times: usize) {
        (0..times).for_each(|_| self.observe(check, observation));
    }

    fn tick(&mut self, times: u32) {
        for _ in 0..times {
            self.at = Timestamp(self.at.0 + Duration::from_secs(1));
            self.handle(Event::Tick);
        }
    }

    fn app(&self) -> String {
        self.ask("app.lab.test").concat()
    }

    fn last_why(&self) -> String {
        let slot = self.control.tracker.names().find(|(_, name)| &***name == "blue").unwrap().0;
        self.control.check_histories.of(slot).history.last_transition().unwrap().why.to_string()
    }
}

#[test]
fn with_no_other_opinion_a_nodes_own_results_decide() {
    let mut control = node("'all'");
    control.observe("blue", Pass);
    control.observe_times("blue", Fail, 2);
    assert_eq!(control.app(), BLUE);
    control.observe("blue", Fail);
    assert_eq!(control.app(), GREEN);
    assert_eq!(control.last_why(), "0 of 1 node considers it healthy, 1 must; on here: as the test wants");
    control.observe_times("blue", Pass, 3);
    assert_eq!(control.app(), BLUE);
}

#[test]
fn by_default_one_of_three_nodes_is_enough() {
    let mut control = node("'18%'");
    control.observe("blue", Pass);
    control.handle(Event::Started);
    ["tokyo", "berlin"].iter().for_each(|node| control.hear(node, Unhealthy));
    assert_eq!(control.app(), BLUE, "this node considers it healthy");
    control.observe_times("blue", Fail, 3);
    assert_eq!(control.app(), GREEN);
    assert_eq!(control.last_why(), "0 of 3 nodes consider it healthy, 1 must; on here: as the test wants");
    control.hear("tokyo", Healthy);
    assert_eq!(control.app(), BLUE);
    assert_eq!(control.last_why(), "1 of 3 nodes consider it healthy, 1 must; on tokyo: as tokyo saw");
}

#[test]
fn of_more_nodes_more_must_consider_it_healthy() {
    let mut control = node("'18%'");
    control.observe("blue", Pass);
    (0..5).for_each(|number| control.hear(&format!("node-{number}"), Unhealthy));
    assert_eq!(control.app(), GREEN, "one of six is 17 %");
    control.hear("node-0", Healthy);
    assert_eq!(control.app(), BLUE);
}

#[test]
fn the_agreement_of_the_cluster_and_that_of_a_check() {
    // Of this node and two others, this many consider it healthy.
    let cases = [
        ("'majority'", [GREEN, GREEN, BLUE, BLUE]),
        ("'all'", [GREEN, GREEN, GREEN, BLUE]),
        ("'any'", [GREEN, BLUE, BLUE, BLUE]),
        ("2", [GREEN, GREEN, BLUE, BLUE]),
    ];
    for (agreement, expected) in cases {
        let of_check = format!("{APP}agreement = {agreement}\n");
        for mut control in [node(agreement), node_with(&format!("{CLUSTER}agreement = 'any'\n"), &of_check)] {
            let answers = [0, 1, 2, 3].map(|healthy| {
                let status = |number: usize| if number < healthy { Healthy } else { Unhealthy };
                control.observe_times("blue", if status(0) == Healthy { Pass } else { Fail }, 3);
                ["tokyo", "berlin"].iter().zip(1..).for_each(|(node, number)| control.hear(node, status(number)));
                control.app()
            });
            assert_eq!(answers, expected, "{agreement}");
        }
    }
}

#[test]
fn an_opinion_counts_until_it_is_stale_or_its_node_is_gone() {
    let mut control = node("'any'");
    control.observe("blue", Fail);
    assert_eq!(control.app(), GREEN);
    control.hear("tokyo", Healthy);
    assert_eq!(control.app(), BLUE);
    control.tick(FRESH_TICKS - 1);
    assert_eq!(control.app(), BLUE);
    control.tick(1);
    assert_eq!(control.app(), GREEN, "its own opinion");
    control.hear("tokyo", Healthy);
    assert_eq!(control.app(), BLUE);
    control.hear_isolated("tokyo", Healthy, true);
    assert_eq!(control.app(), GREEN, "an isolated node has no opinion that counts");
    control.hear("tokyo", Healthy);
    control.handle(Event::Opinions(vec![NodeNews::Gone("tokyo".into())]));
    assert_eq!(control.app(), GREEN);
}

fn guarded(agreement: &str) -> TestControl {
    let settings = format!("{CLUSTER}agreement = {agreement}\n[health]\nsentinels = ['gateway']\n");
    node_with(&settings, &format!("{APP}{GATEWAY}"))
}

#[test]
fn an_isolated_node_follows_the_others_and_then_keeps_the_last_agreed_status() {
    let mut control = guarded("'any'");
    control.observe("gateway", Pass);
    control.observe("blue", Pass);
    control.hear("tokyo", Healthy);
    control.observe("gateway", Fail);
    assert!(control.health.load().isolated_since().is_some(), "what tokyo sees of the gateway does not matter");
    control.observe_times("blue", Fail, 9);
    assert_eq!(control.app(), BLUE);
    control.hear("tokyo", Unhealthy);
    assert_eq!(control.app(), GREEN, "tokyo still counts");
    control.tick(FRESH_TICKS);
    assert_eq!(control.app(), GREEN, "the last agreed status");
    control.observe("gateway", Pass);
    assert_eq!(control.app(), GREEN, "nobody has seen it since");
    control.at = Timestamp(control.at.0 + Duration::from_secs(5));
    control.observe("blue", Pass);
    assert_eq!(control.app(), BLUE);
}

#[test]
fn a_restart_flips_nothing() {
    let mut control = node("'18%'");
    control.observe_times("blue", Fail, 1);
    control.hear("tokyo", Healthy);
    control.handle(Event::Started);
    assert_eq!(control.app(), BLUE);
    let mut control = control.killed_and_restarted_after(1);
    assert_eq!(control.app(), BLUE, "its own result was a failure");
    control.hear("tokyo", Healthy);
    control.observe_times("blue", Fail, 5);
    control.handle(Event::Started);
    assert_eq!(control.app(), BLUE);
    // Without the others its own results decide, at the latest when it begins to answer.
    let mut control = control.killed_and_restarted_after(1);
    assert_eq!(control.app(), BLUE);
    control.handle(Event::Started);
    assert_eq!(control.app(), GREEN);
    // A server on its own does not keep what a cluster agreed on.
    let mut control = node("'18%'");
    control.observe("blue", Fail);
    control.hear("tokyo", Healthy);
    fs::write(control.directory.path().join("fiftythree.toml"), SETTINGS).unwrap();
    let control = control.killed_and_restarted_after(1);
    assert_eq!(control.app(), GREEN);
}

#[test]
fn a_load_decides_again() {
    let mut control = node("'any'");
    control.observe("blue", Fail);
    control.hear("tokyo", Healthy);
    assert_eq!(control.app(), BLUE);
    control.write("lab.test.toml", &format!("{APP}agreement = 'all'\n"));
    control.reload();
    assert_eq!(control.app(), GREEN, "the check has another rule");
    assert!(control.last_why().starts_with("1 of 2 nodes consider it healthy, 2 must"), "{}", control.last_why());
    control.write("lab.test.toml", &APP.replace("8080", "8081"));
    control.reload();
    assert_eq!(control.app(), GREEN, "no node has seen the new endpoint");
    control.hear("tokyo", Healthy);
    assert_eq!(control.app(), GREEN, "this node has not seen it either");
    control.observe("blue", Pass);
    assert_eq!(control.app(), BLUE);
}

/// A node that learns of a new check, while two others live that do not know it yet.
fn with_new_check() -> TestControl {
    let without = "name = 'lab.test'\n[[record]]\nname = 'app'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.11']\n";
    let mut control = node_with(&format!("{CLUSTER}agreement = '18%'\n"), without);
    control.handle(Event::Started);
    ["tokyo", "berlin"].iter().for_each(|node| control.hear(node, Healthy));
    control.write("lab.test.toml", APP);
    control.reload();
    control
}

#[test]
fn a_new_check_is_healthy_until_all_nodes_have_an_opinion() {
    let mut control = with_new_check();
    control.observe_times("blue", Fail, 2);
    assert_eq!(control.app(), BLUE, "the others have not seen it");
    let view = control.health.load();
    assert_eq!(view.agreed(&view.checks(None).remove(0)), None);
    control.hear("tokyo", Unhealthy);
    assert_eq!(control.app(), BLUE, "berlin has not seen it");
    control.hear("berlin", Unhealthy);
    assert_eq!(control.app(), GREEN);
    assert!(control.last_why().starts_with("0 of 3 nodes consider it healthy, 1 must"), "{}", control.last_why());
    // Its own opinion can be the last one.
    let mut control = with_new_check();
    ["tokyo", "berlin"].iter().for_each(|node| control.hear(node, Unhealthy));
    assert_eq!(control.app(), BLUE);
    control.observe("blue", Pass);
    control.tick(FIRST_OPINIONS_TICKS);
    assert_eq!(control.app(), BLUE, "one of three is enough");
}

#[test]
fn a_new_check_waits_for_no_node_that_is_gone_or_slow() {
    let mut control = with_new_check();
    control.observe("blue", Fail);
    control.hear("tokyo", Unhealthy);
    control.handle(Event::Opinions(vec![NodeNews::Gone("berlin".into())]));
    assert_eq!(control.app(), GREEN);
    let mut control = with_new_check();
    control.observe("blue", Fail);
    control.hear_isolated("tokyo", Healthy, true);
    control.tick(FIRST_OPINIONS_TICKS - 1);
    assert_eq!(control.app(), BLUE);
    control.tick(1);
    assert_eq!(control.app(), GREEN, "berlin has no opinion for too long");
}

/// What another node says after it has changed the port of the check.
fn of_changed_check(control: &TestControl) -> NodeNews {
    let identity = |check: &Arc<Identity>| Identity { fingerprint: CheckFingerprint(1), ..Identity::clone(check) };
    let list = control.control.tracker.check_list();
    let list = Arc::new(CheckList::new(list.checks().iter().map(identity).map(Arc::new)));
    NodeNews::Opinions("tokyo".into(), Arc::new(NodeOpinions::new(control.at, false, list, |_| None)))
}

#[test]
fn a_check_that_another_node_has_changed_already_keeps_its_status() {
    for ends in ["load", "time"] {
        let mut control = node("'18%'");
        control.observe_times("blue", Fail, 1);
        control.hear("tokyo", Healthy);
        control.handle(Event::Started);
        assert_eq!(control.app(), BLUE);
        let news = of_changed_check(&control);
        control.handle(Event::Opinions(vec![news]));
        assert_eq!(control.app(), BLUE, "tokyo asks something else, and this node soon will");
        match ends {
            "load" => {
                control.write("lab.test.toml", &APP.replace("8080", "8081"));
                control.reload();
                control.observe("blue", Fail);
                assert_eq!(control.app(), BLUE);
                control.hear("tokyo", Unhealthy);
            }
            _ => control.tick(FIRST_OPINIONS_TICKS),
        }
        assert_eq!(control.app(), GREEN, "{ends}");
    }
}

#[test]
fn a_changed_check_keeps_its_status_until_all_nodes_have_an_opinion() {
    let mut control = node("'18%'");
    control.observe("blue", Fail);
    ["tokyo", "berlin"].iter().for_each(|node| control.hear(node, Unhealthy));
    assert_eq!(control.app(), GREEN);
    control.write("lab.test.toml", &APP.replace("8080", "8081"));
    control.reload();
    control.observe("blue", Pass);
    control.hear("tokyo", Healthy);
    assert_eq!(control.app(), GREEN);
    // Changed again: every node has to probe again.
    control.write("lab.test.toml", &APP.replace("8080", "8082"));
    control.reload();
    ["tokyo", "berlin"].iter().for_each(|node| control.hear(node, Healthy));
    assert_eq!(control.app(), GREEN);
    control.observe("blue", Fail);
    assert_eq!(control.app(), BLUE);
    // With another threshold the probe is the same, so no opinion is awaited.
    control.write("lab.test.toml", &APP.replace("8080", "8082").replace("threshold = 3", "threshold = 2"));
    control.reload();
    ["tokyo", "berlin"].iter().for_each(|node| control.hear(node, Unhealthy));
    assert_eq!(control.app(), GREEN);
}

#[test]
fn a_drain_follows_the_agreed_health() {
    let mut control = node("'any'");
    control.observe("blue", Pass);
    control.hear("tokyo", Healthy);
    control.handle(Event::Started);
    let (answer, _kept) = oneshot::channel();
    let request = OverrideRequest {
        pattern: Pattern("blue".to_owned()),
        action: Action::Down,
        reason: String::new(),
        author: "ada".to_owned(),
        from: control.at,
        until: None,
    };
    control.handle(Event::SetOverride(request, answer));
    assert_eq!(control.app(), GREEN);
    control.hear("tokyo", Unhealthy);
    control.observe_times("blue", Fail, 3);
    let (answer, _kept) = oneshot::channel();
    control.handle(Event::ClearOverrides(Pattern("blue".to_owned()), answer));
    assert_eq!(control.app(), GREEN, "the agreed status was decided under the override");
}

#[test]
fn what_a_node_says_is_told_when_it_changes() {
    let mut control = node("'18%'");
    let mut changes = control.opinions.clone();
    changes.borrow_and_update();
    control.observe("blue", Pass);
    assert!(changes.has_changed().unwrap());
    changes.borrow_and_update();
    control.observe_times("blue", Fail, 2);
    assert!(!changes.has_changed().unwrap(), "two failures change no opinion");
    control.observe("blue", Fail);
    assert!(changes.has_changed().unwrap());
    control.handle(Event::Address("192.0.2.1".parse().unwrap()));
    let mut own = OwnOpinions::default();
    let stated = own.of(&control.health.load(), Timestamp(control.at.0 + Duration::from_secs(4))).unwrap();
    assert_eq!((stated.region.as_deref(), stated.address), (Some("eu-west-1"), "192.0.2.1".parse().ok()));
    let opinion = stated.opinion(0).unwrap();
    assert_eq!((opinion.status, &*opinion.text, opinion.age_s), (Unhealthy, "as the test wants", 4));
    let again = own.of(&control.health.load(), control.at).unwrap();
    assert!(Arc::ptr_eq(stated.checks(), again.checks()), "one list until the checks change");
}

#[test]
fn a_count_that_so_few_nodes_do_not_reach_is_reported_once() {
    let mut control = node_with(&format!("{CLUSTER}agreement = 3\n"), &format!("{APP}agreement = 4\n"));
    let reported = |control: &mut TestControl, seconds: usize| {
        let Control { opinions, base, .. } = &mut control.control;
        let mut tick = || Some(opinions.as_mut()?.count_to_report(&base.checks)?.to_string());
        (0..seconds).filter_map(|_| tick()).collect::<Vec<String>>()
    };
    let of_check = |are: &str| {
        format!("health check blue needs 4 nodes to consider an endpoint healthy, but {are} live: all of them must")
    };
    assert_eq!(reported(&mut control, 29), [""; 0], "others may start yet");
    assert_eq!(reported(&mut control, 91), [of_check("1 is")]);
    control.hear("tokyo", Healthy);
    assert_eq!(reported(&mut control, 60), [of_check("2 are")], "there are more");
    ["berlin", "lima"].iter().for_each(|node| control.hear(node, Healthy));
    assert_eq!(reported(&mut control, 60), [""; 0]);
    ["berlin", "lima"].iter().for_each(|node| control.handle(Event::Opinions(vec![NodeNews::Gone((*node).into())])));
    assert_eq!(reported(&mut control, 60), [of_check("2 are")], "again");
    control.write("lab.test.toml", &format!("{APP}agreement = 'any'\n"));
    control.reload();
    let of_cluster =
        "`[cluster] agreement` needs 3 nodes to consider an endpoint healthy, but 2 are live: all of them must";
    assert_eq!(reported(&mut control, 60), [of_cluster]);
}

#[test]
fn the_view_has_what_every_node_says() {
    let mut control = node("'18%'");
    control.observe("blue", Pass);
    control.hear("tokyo", Unhealthy);
    control.hear_isolated("berlin", Unhealthy, true);
    control.tick(3);
    let view = control.health.load();
    let check = view.checks(None).remove(0);
    let stated = view.opinions_on(&check, control.at);
    let short = |one: &NodeOpinion| (one.node.to_string(), one.opinion.status, one.counts, one.opinion.age_s);
    assert_eq!(
        stated.iter().map(short).collect::<Vec<_>>(),
        [
            ("here".to_owned(), Healthy, true, 3),
            ("berlin".to_owned(), Unhealthy, false, 5),
            ("tokyo".to_owned(), Unhealthy, true, 5)
        ]
    );
    assert_eq!(stated[2].region.as_deref(), Some("ap-northeast-1"));
    assert_eq!(view.agreed(&check).unwrap().to_string(), "1 of 2 nodes consider it healthy, 1 must");
}

#[test]
fn a_server_on_its_own_has_no_opinions() {
    let mut control = node_with("", APP);
    control.observe("blue", Fail);
    let before = *control.opinions.borrow();
    control.hear("tokyo", Healthy);
    assert_eq!((control.app(), *control.opinions.borrow()), (GREEN.to_owned(), before));
    let view = control.health.load();
    let check = view.checks(None).remove(0);
    assert_eq!((view.opinions_on(&check, control.at), view.agreed(&check)), (Vec::new(), None));
    assert_eq!(control.last_why(), "first result: as the test wants");
}
