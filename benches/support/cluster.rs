//! A cluster in which everything can break, in simulated time: nodes with the real tracker and the
//! real agreement, an etcd that forwards opinions, endpoints, and links between them.
//!
//! One seed gives one run, so a run that fails can be repeated. Every change of a status at a node
//! is held against the rules and what etcd had, and once a second every status that nothing under
//! way can change any more. A difference is a panic that names the seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fiftythree::health::agreement::{
    CheckList, Checkers, NodeNews, NodeOpinions, NodeReader, Opinion, OtherNodes, agreed_status, encode_list,
    encode_opinions,
};
use fiftythree::health::{
    CheckSlot, Generation, Identity, Observation, ResultOutcome, ScheduledProbe, Status, Terms, Timestamp, Tracker,
};
use fiftythree::model::{
    AddressFamily, Agreement, EndpointCheck, EndpointProtocol, EndpointTarget, HealthCheck, HealthCheckId,
    HealthCheckKind, Timeouts,
};

/// Milliseconds since the run began, by the clock of the universe.
type Time = u64;

const SECOND: Time = 1000;
/// As the server: opinions that change together are published together.
const QUIET: Time = 50;
/// As the server: opinions are repeated so often.
const HEARTBEAT: Time = 3 * SECOND;
/// As the server: etcd forgets a node that has been silent for so long.
const LEASE: Time = 10 * SECOND;
/// From a node to etcd, or from etcd to a node, at most.
const LONGEST_DELAY: Time = 200;
/// By then every connected node knows what etcd has: the way there, and one tick.
const CONVERGED: Time = LONGEST_DELAY + SECOND;
/// The sentinel of every node: the check with the first slot. It sees the uplink and no endpoint.
const SENTINEL: usize = 0;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: usize,
    pub(crate) endpoints: usize,
    pub(crate) agreement: Agreement,
    /// Nodes that tell each other nothing, as without `[cluster]`.
    pub(crate) alone: bool,
    pub(crate) duration_s: u64,
    /// Of a thousand probes of a working endpoint so many fail by chance.
    pub(crate) lost_probes: u32,
    pub(crate) faults: Faults,
}

/// How often something breaks, in times an hour: of each endpoint, or of each node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// An endpoint fails.
    pub(crate) endpoint: f64,
    /// A node loses the path to one endpoint.
    pub(crate) path: f64,
    /// The paths of a third of all nodes to one endpoint are lost, per endpoint.
    pub(crate) region: f64,
    /// A node loses etcd.
    pub(crate) etcd: f64,
    /// A node loses its uplink: etcd and all endpoints.
    pub(crate) uplink: f64,
    /// A node crashes; it restarts without saved state.
    pub(crate) crash: f64,
    /// A node's clock jumps by up to an hour, in either direction.
    pub(crate) clock: f64,
    /// The check of an endpoint is changed, so that it asks something else.
    pub(crate) change: f64,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Changes to unhealthy while the endpoint worked, over all nodes.
    pub(crate) false_failovers: u64,
    /// Of these, at nodes that were connected to etcd.
    pub(crate) false_failovers_connected: u64,
    /// Working endpoints that one node or more considered unhealthy, in milliseconds × nodes.
    pub(crate) false_time: u64,
    /// From the failure of an endpoint until a node that could know considered it unhealthy.
    pub(crate) detections: Vec<Time>,
    /// The same until the last such node did, per failure.
    pub(crate) detections_everywhere: Vec<Time>,
    /// Failures that ended before all nodes had noticed.
    pub(crate) unnoticed: u64,
    /// All changes of status, over all nodes.
    pub(crate) transitions: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Probe {
        node: usize,
        life: u32,
        check: usize,
        generation: u64,
    },
    /// A node loads the checks as they are now.
    Load {
        node: usize,
        life: u32,
    },
    Tick {
        node: usize,
        life: u32,
    },
    Publish {
        node: usize,
        life: u32,
        heartbeat: bool,
    },
    /// Opinions arrive at etcd.
    Arrive {
        node: usize,
        life: u32,
        sequence: u64,
    },
    /// The response to a node that asked etcd for everything.
    List {
        to: usize,
        life: u32,
        session: u32,
    },
    /// etcd tells a node what it has about another.
    Tell {
        to: usize,
        life: u32,
        session: u32,
        about: usize,
    },
    Expire {
        node: usize,
        revision: u64,
    },
    Break(Fault),
    Mend(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Endpoint(usize),
    Path(usize, usize),
    Region(usize, usize),
    Etcd(usize),
    Uplink(usize),
    Crash(usize),
    Clock(usize),
    Change(usize),
}

struct Node {
    name: Arc<str>,
    /// Counts restarts; events of an earlier life are void.
    life: u32,
    /// Counts connections to etcd; what was under way on an earlier one is lost.
    session: u32,
    is_running: bool,
    tracker: Tracker,
    list: Arc<CheckList>,
    /// Since when each check waits for the first opinions of all nodes.
    waits_since: Vec<Option<Time>>,
    plans: Vec<ScheduledProbe>,
    others: OtherNodes,
    reader: NodeReader,
    is_isolated: bool,
    clock: i64,
    publishes: bool,
    sent: VecDeque<(u64, Arc<NodeOpinions>)>,
    sequence: u64,
    /// Broken things that stop the node from reaching etcd, and endpoints.
    etcd_faults: u32,
    uplink_faults: u32,
    path_faults: BTreeMap<usize, u32>,
    connected_since: Time,
    is_listed: bool,
}

/// What etcd has about one node.
#[derive(Default)]
struct Key {
    revision: u64,
    opinions: Option<Arc<NodeOpinions>>,
    /// What it had before, and until when: another node may not know better yet.
    past: VecDeque<(Time, Option<Arc<NodeOpinions>>)>,
}

/// One run.
pub(crate) struct Run {
    seed: u64,
    cluster: Cluster,
    random: fastrand::Rng,
    now: Time,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    sequence: u64,
    revision: u64,
    checks: Vec<HealthCheck>,
    nodes: Vec<Node>,
    etcd: Vec<Key>,
    /// Broken things that stop an endpoint, and since when it fails.
    endpoint_faults: Vec<u32>,
    failed_since: Vec<Option<Time>>,
    noticed: Vec<Vec<bool>>,
    /// Until when a status may differ: etcd, a link or an opinion changed before.
    unsettled_until: Time,
    outcome: Outcome,
}

impl Cluster {
    /// Runs it to the end.
    pub(crate) fn run(self, seed: u64) -> Outcome {
        let mut run = Run::new(self, seed);
        run.schedule_faults();
        while let Some(Reverse((at, _, event))) = run.events.pop() {
            if at > self.duration_s * SECOND {
                break;
            }
            run.now = at;
            run.handle(event);
        }
        run.outcome
    }
}

impl Run {
    fn new(cluster: Cluster, seed: u64) -> Run {
        let checks: Vec<HealthCheck> = (0..=cluster.endpoints).map(check).collect();
        let mut run = Run {
            seed,
            cluster,
            random: fastrand::Rng::with_seed(seed),
            now: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            revision: 0,
            checks,
            nodes: Vec::new(),
            etcd: (0..cluster.nodes).map(|_| Key::default()).collect(),
            endpoint_faults: vec![0; cluster.endpoints + 1],
            failed_since: vec![None; cluster.endpoints + 1],
            noticed: vec![vec![false; cluster.nodes]; cluster.endpoints + 1],
            unsettled_until: 0,
            outcome: Outcome::default(),
        };
        for number in 0..cluster.nodes {
            run.nodes.push(Node::new(number, cluster.endpoints));
            run.start(number);
        }
        run
    }

    fn schedule(&mut self, after: Time, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.now + after, self.sequence, event)));
    }

    fn delay(&mut self) -> Time {
        // Mostly quick, sometimes slow.
        if self.random.u32(..20) == 0 { self.random.u64(1..=LONGEST_DELAY) } else { self.random.u64(1..=10) }
    }

    // --- faults ---------------------------------------------------------------------------------

    /// Draws all faults of the run: what breaks, when, and for how long.
    fn schedule_faults(&mut self) {
        let Cluster { nodes, endpoints, duration_s, faults, .. } = self.cluster;
        let times = |per_hour: f64, of: usize| (per_hour * of as f64 * duration_s as f64 / 3600.0).round() as u64;
        let any_endpoint = |random: &mut fastrand::Rng| random.usize(1..=endpoints);
        let any_node = |random: &mut fastrand::Rng| random.usize(..nodes);
        let mut all: Vec<Fault> = Vec::new();
        let random = &mut self.random;
        all.extend((0..times(faults.endpoint, endpoints)).map(|_| Fault::Endpoint(any_endpoint(random))));
        all.extend((0..times(faults.path, nodes)).map(|_| Fault::Path(any_node(random), any_endpoint(random))));
        all.extend((0..times(faults.region, endpoints)).map(|_| Fault::Region(any_node(random), any_endpoint(random))));
        all.extend((0..times(faults.etcd, nodes)).map(|_| Fault::Etcd(any_node(random))));
        all.extend((0..times(faults.uplink, nodes)).map(|_| Fault::Uplink(any_node(random))));
        all.extend((0..times(faults.crash, nodes)).map(|_| Fault::Crash(any_node(random))));
        all.extend((0..times(faults.clock, nodes)).map(|_| Fault::Clock(any_node(random))));
        all.extend((0..times(faults.change, endpoints)).map(|_| Fault::Change(any_endpoint(random))));
        for fault in all {
            // All nodes have their first results by then, and the last fault has an end within the
            // run.
            let begin = self.random.u64(30 * SECOND..=(duration_s * SECOND).max(31 * SECOND));
            let length = self.random.u64(20 * SECOND..=300 * SECOND);
            self.schedule(begin, Event::Break(fault));
            self.schedule(begin + length, Event::Mend(fault));
        }
    }

    fn change(&mut self, fault: Fault, by: i32) {
        let add = |count: &mut u32| *count = count.checked_add_signed(by).expect("what mends was broken");
        match fault {
            Fault::Endpoint(endpoint) => {
                add(&mut self.endpoint_faults[endpoint]);
                self.endpoint_changed(endpoint);
            }
            Fault::Path(node, endpoint) => add(self.nodes[node].path_faults.entry(endpoint).or_default()),
            Fault::Region(first, endpoint) => {
                for number in 0..self.cluster.nodes.div_ceil(3) {
                    let node = (first + number) % self.cluster.nodes;
                    add(self.nodes[node].path_faults.entry(endpoint).or_default());
                }
            }
            Fault::Etcd(node) | Fault::Uplink(node) => {
                let was_connected = self.is_connected(node);
                let Node { etcd_faults, uplink_faults, .. } = &mut self.nodes[node];
                add(if matches!(fault, Fault::Etcd(_)) { etcd_faults } else { uplink_faults });
                if self.is_connected(node) && !was_connected {
                    self.connect(node);
                }
            }
            Fault::Crash(node) => {
                if by > 0 && self.nodes[node].is_running {
                    self.nodes[node].is_running = false;
                } else if by < 0 && !self.nodes[node].is_running {
                    self.start(node);
                }
            }
            Fault::Clock(node) => self.nodes[node].clock = self.random.i64(-3_600_000..=3_600_000),
            Fault::Change(endpoint) => self.change_check(endpoint),
        }
        self.unsettle();
    }

    /// Somebody changes a check. Nodes that are connected learn of it a moment later.
    fn change_check(&mut self, number: usize) {
        let HealthCheckKind::Endpoint(endpoint) = &mut self.checks[number].kind else { unreachable!() };
        endpoint.port += 1;
        for node in (0..self.cluster.nodes).filter(|node| self.can_know(*node)).collect::<Vec<_>>() {
            let (delay, life) = (self.delay(), self.nodes[node].life);
            self.schedule(delay, Event::Load { node, life });
        }
    }

    fn load(&mut self, node: usize) {
        if !self.is_connected(node) {
            return;
        }
        let (now, at) = (self.now, self.clock_of(node));
        let checks = std::mem::take(&mut self.checks);
        let restarted = self.nodes[node].load(&checks, at);
        self.checks = checks;
        for slot in restarted {
            let check = slot.0 as usize;
            self.nodes[node].waits_since[check] = Some(now);
            let first = self.random.u64(..SECOND);
            self.schedule_probe(node, check, first);
        }
        let all = (0..=self.cluster.endpoints as u32).map(CheckSlot).collect();
        self.agree(node, all);
        self.publish_soon(node);
        self.unsettle();
    }

    fn schedule_probe(&mut self, node: usize, check: usize, after: Time) {
        let Node { life, plans, .. } = &self.nodes[node];
        let (life, Generation(generation)) = (*life, plans[check].generation);
        self.schedule(after, Event::Probe { node, life, check, generation });
    }

    fn publish_soon(&mut self, node: usize) {
        let life = self.nodes[node].life;
        if !self.nodes[node].publishes {
            self.nodes[node].publishes = true;
            self.schedule(QUIET, Event::Publish { node, life, heartbeat: false });
        }
    }

    fn endpoint_changed(&mut self, endpoint: usize) {
        match (self.failed_since[endpoint], self.endpoint_faults[endpoint] > 0) {
            (None, true) => {
                self.failed_since[endpoint] = Some(self.now);
                self.noticed[endpoint].fill(false);
            }
            (Some(_), false) => {
                let all = self.is_noticed_everywhere(endpoint);
                self.outcome.unnoticed += u64::from(!all);
                self.failed_since[endpoint] = None;
            }
            _ => {}
        }
    }

    fn is_noticed_everywhere(&self, endpoint: usize) -> bool {
        (0..self.cluster.nodes).all(|node| self.noticed[endpoint][node] || !self.can_know(node))
    }

    /// Whether a node gets results and opinions.
    fn can_know(&self, node: usize) -> bool {
        self.nodes[node].is_running && self.is_connected(node)
    }

    fn is_connected(&self, node: usize) -> bool {
        let Node { etcd_faults, uplink_faults, .. } = &self.nodes[node];
        etcd_faults + uplink_faults == 0
    }

    // --- one node -------------------------------------------------------------------------------

    fn start(&mut self, node: usize) {
        let at = self.clock_of(node);
        let checks = std::mem::take(&mut self.checks);
        self.nodes[node].restart(&checks, at);
        self.checks = checks;
        let life = self.nodes[node].life;
        for check in 0..=self.cluster.endpoints {
            let first = self.random.u64(..SECOND);
            self.schedule_probe(node, check, first);
        }
        let (tick, heartbeat) = (self.random.u64(1..=SECOND), self.random.u64(1..=HEARTBEAT));
        self.schedule(tick, Event::Tick { node, life });
        self.schedule(heartbeat, Event::Publish { node, life, heartbeat: true });
        if self.is_connected(node) {
            self.connect(node);
        }
    }

    /// A node lists what etcd has, and watches from there.
    fn connect(&mut self, node: usize) {
        self.nodes[node].session += 1;
        self.nodes[node].connected_since = self.now;
        self.nodes[node].is_listed = false;
        let Node { life, session, .. } = self.nodes[node];
        let delay = self.delay();
        self.schedule(delay, Event::List { to: node, life, session });
    }

    fn clock_of(&self, node: usize) -> Timestamp {
        let skewed =
            i64::try_from(self.now).expect("a simulation is short") + 1_700_000_000_000 + self.nodes[node].clock;
        Timestamp(Duration::from_millis(u64::try_from(skewed).expect("clocks are after 1970")))
    }

    #[allow(clippy::needless_pass_by_value, reason = "an event is handled once")]
    fn handle(&mut self, event: Event) {
        let is_alive = |run: &Run, node: usize, life: u32| run.nodes[node].is_running && run.nodes[node].life == life;
        match event {
            Event::Probe { node, life, check, generation }
                if is_alive(self, node, life) && self.nodes[node].plans[check].generation == Generation(generation) =>
            {
                self.probe(node, check);
            }
            Event::Load { node, life } if is_alive(self, node, life) => self.load(node),
            Event::Tick { node, life } if is_alive(self, node, life) => {
                let mut changed = self.nodes[node].others.tick();
                changed.extend(self.nodes[node].tracker.tick_awaiting());
                self.agree(node, changed);
                self.measure(node);
                self.schedule(SECOND, Event::Tick { node, life });
            }
            Event::Publish { node, life, heartbeat } if is_alive(self, node, life) => {
                self.publish(node);
                if heartbeat {
                    self.schedule(HEARTBEAT, Event::Publish { node, life, heartbeat });
                }
            }
            Event::Arrive { node, life, sequence } if is_alive(self, node, life) => self.arrive(node, sequence),
            Event::List { to, life, session } if is_alive(self, to, life) && self.nodes[to].session == session => {
                self.nodes[to].is_listed = true;
                self.load(to);
                self.hear(to, &(0..self.cluster.nodes).collect::<Vec<_>>());
            }
            Event::Tell { to, life, session, about }
                if is_alive(self, to, life) && self.nodes[to].session == session && self.nodes[to].is_listed =>
            {
                self.hear(to, &[about]);
            }
            Event::Expire { node, revision } if self.etcd[node].revision == revision => {
                self.change_key(node, None);
            }
            Event::Break(fault) => self.change(fault, 1),
            Event::Mend(fault) => self.change(fault, -1),
            _ => {}
        }
    }

    fn probe(&mut self, node: usize, check: usize) {
        let is_up = check == SENTINEL || self.endpoint_faults[check] == 0;
        let path = self.nodes[node].path_faults.get(&check).copied().unwrap_or(0);
        let is_reached = self.nodes[node].uplink_faults + path == 0;
        let is_lost = check != SENTINEL && self.random.u32(..1000) < self.cluster.lost_probes;
        let observation = if is_up && is_reached && !is_lost { Observation::Pass } else { Observation::Fail };
        // A probe that fails takes its time.
        let took = if observation == Observation::Pass { self.random.u64(1..=200) } else { self.random.u64(1..=4000) };
        let interval = if check == SENTINEL { 2 * SECOND } else { 10 * SECOND };
        self.schedule_probe(node, check, interval + took);
        let at = self.clock_of(node);
        let changed = self.nodes[node].observe(check, observation, at);
        if changed {
            self.agree(node, vec![CheckSlot(check as u32)]);
        }
        let isolated = self.nodes[node].own_sentinel_is_down();
        let is_other = isolated != self.nodes[node].is_isolated;
        if is_other {
            self.nodes[node].is_isolated = isolated;
            if isolated {
                self.nodes[node].tracker.reset_streaks(&|slot| slot.0 as usize == SENTINEL);
            }
            let all = (0..=self.cluster.endpoints as u32).map(CheckSlot).collect();
            self.agree(node, all);
        }
        if changed || is_other {
            self.publish_soon(node);
        }
    }

    /// Lets a node decide again, and holds the outcome against the rules.
    fn agree(&mut self, node: usize, slots: Vec<CheckSlot>) {
        let at = self.clock_of(node);
        let Cluster { agreement, alone, .. } = self.cluster;
        let Node { tracker, others, is_isolated, .. } = &mut self.nodes[node];
        let none = OtherNodes::default();
        let others = if alone { &none } else { &*others };
        let terms = Terms { others, agreement, is_isolated: *is_isolated };
        let slots = slots.into_iter().chain(tracker.awaiting()).collect::<Vec<_>>();
        for transition in tracker.agree(slots, &terms, at) {
            self.changed(node, transition.slot.0 as usize, transition.to);
        }
        let Node { tracker, waits_since, .. } = &mut self.nodes[node];
        for (check, since) in waits_since.iter_mut().enumerate() {
            *since = since.filter(|_| tracker.awaits_opinions(CheckSlot(check as u32)));
        }
    }

    fn changed(&mut self, node: usize, check: usize, to: Status) {
        self.outcome.transitions += 1;
        if check == SENTINEL {
            return;
        }
        self.must_follow_the_rules(node, check, to);
        match (to, self.failed_since[check]) {
            (Status::Unhealthy, None) => {
                self.outcome.false_failovers += 1;
                self.outcome.false_failovers_connected += u64::from(self.is_connected(node));
            }
            (Status::Unhealthy, Some(since)) if self.can_know(node) && !self.noticed[check][node] => {
                self.noticed[check][node] = true;
                self.outcome.detections.push(self.now - since);
                if self.is_noticed_everywhere(check) {
                    self.outcome.detections_everywhere.push(self.now - since);
                }
            }
            _ => {}
        }
    }

    // --- etcd -----------------------------------------------------------------------------------

    fn publish(&mut self, node: usize) {
        let at = self.clock_of(node);
        let list = Arc::clone(&self.nodes[node].list);
        let is_connected = self.is_connected(node);
        self.nodes[node].publishes = false;
        if self.cluster.alone || !is_connected {
            return;
        }
        let state = &mut self.nodes[node];
        let opinions = NodeOpinions::new(at, state.is_isolated, Arc::clone(&list), |check| {
            let slot = state.tracker.slot_of(&check.id)?;
            let status = state.tracker.opinion(slot)?;
            Some(Opinion { status, text: status.as_str().into(), age_s: 0 })
        });
        // Through the form that is in etcd, as other nodes read it.
        let stranger = Arc::new(CheckList::new([]));
        let read = state.reader.read_opinions(encode_opinions(&opinions).as_bytes(), &stranger);
        // The list is written when it is another one.
        let opinions = read.unwrap_or_else(|_| {
            let chunks = encode_list(&list);
            chunks
                .iter()
                .for_each(|chunk| state.reader.read_list_chunk(chunk.as_bytes()).expect("it was just written"));
            state.reader.read_opinions(encode_opinions(&opinions).as_bytes(), &stranger).expect("it was just written")
        });
        state.sequence += 1;
        let (life, sequence) = (state.life, state.sequence);
        state.sent.push_back((sequence, Arc::new(opinions)));
        let delay = self.delay();
        self.schedule(delay, Event::Arrive { node, life, sequence });
    }

    fn arrive(&mut self, node: usize, sequence: u64) {
        let sent = &mut self.nodes[node].sent;
        // An earlier one that is still under way comes too late.
        while sent.front().is_some_and(|(number, _)| *number < sequence) {
            sent.pop_front();
        }
        if sent.front().is_none_or(|(number, _)| *number != sequence) {
            return;
        }
        let (_, opinions) = sent.pop_front().expect("it was just looked at");
        if self.is_connected(node) {
            self.change_key(node, Some(opinions));
            let revision = self.etcd[node].revision;
            self.schedule(LEASE, Event::Expire { node, revision });
        }
    }

    fn change_key(&mut self, about: usize, opinions: Option<Arc<NodeOpinions>>) {
        let is_other = match (&self.etcd[about].opinions, &opinions) {
            (Some(before), Some(after)) => !before.agrees_with(after),
            (before, after) => before.is_some() || after.is_some(),
        };
        self.revision += 1;
        let (now, key) = (self.now, &mut self.etcd[about]);
        key.revision = self.revision;
        let before = std::mem::replace(&mut key.opinions, opinions);
        if is_other {
            key.past.push_back((now, before));
            key.past.retain(|(until, _)| until + LONGEST_DELAY >= now);
            self.unsettle();
        }
        for to in (0..self.cluster.nodes).filter(|to| *to != about) {
            if self.nodes[to].is_running && self.is_connected(to) {
                self.tell(to, about);
            }
        }
    }

    fn tell(&mut self, to: usize, about: usize) {
        let delay = self.delay();
        let Node { life, session, .. } = self.nodes[to];
        self.schedule(delay, Event::Tell { to, life, session, about });
    }

    /// A node hears what etcd has about others, and decides once.
    fn hear(&mut self, to: usize, about: &[usize]) {
        if !self.is_connected(to) {
            return;
        }
        let mut changed = Vec::new();
        for about in about.iter().copied().filter(|about| *about != to) {
            let (name, opinions) = (Arc::clone(&self.nodes[about].name), self.etcd[about].opinions.clone());
            let Node { others, tracker, .. } = &mut self.nodes[to];
            let news = opinions.map_or(NodeNews::Gone(Arc::clone(&name)), |known| NodeNews::Opinions(name, known));
            let moved = others.moved(&news, &|check| tracker.slot_asking(check));
            changed.extend(others.take(&news, &|check| tracker.slot_asking(check)));
            for slot in moved.into_iter().filter(|slot| !tracker.awaits_opinions(*slot)).collect::<Vec<_>>() {
                self.nodes[to].tracker.hold_for_others([slot]);
                self.nodes[to].waits_since[slot.0 as usize] = Some(self.now);
            }
        }
        self.agree(to, changed);
    }

    // --- the rules ------------------------------------------------------------------------------

    fn unsettle(&mut self) {
        self.unsettled_until = self.unsettled_until.max(self.now + CONVERGED);
    }

    /// A change of a status must follow from opinions that etcd has, or had so lately that the node
    /// may not know better. An isolated node without opinions of others changes nothing.
    fn must_follow_the_rules(&self, node: usize, check: usize, to: Status) {
        let Run { seed, now, cluster, .. } = self;
        let Node { tracker, others, waits_since, is_isolated, is_listed, connected_since, .. } = &self.nodes[node];
        let slot = CheckSlot(check as u32);
        let hears = others.checkers(slot).reporting > 0;
        assert!(
            !is_isolated || hears,
            "seed {seed}: at {now} ms node {node}, isolated and cut off, changed the status of {check}"
        );
        // Before every node that this one counts has an opinion, a check that was changed stays as
        // it is: 9 s for sure, as ticks are a second apart.
        let is_young = waits_since[check].is_some_and(|since| *now < since + 9 * SECOND);
        let waits_for = others.nodes().filter(|(_, node)| node.counts() && node.opinion(slot).is_none()).count();
        assert!(
            !is_young || cluster.alone || waits_for == 0 && (*is_isolated || tracker.opinion(slot).is_some()),
            "seed {seed}: at {now} ms node {node} changed the status of {check}, and {waits_for} had no opinion"
        );
        if cluster.alone || !is_listed || !self.is_connected(node) || *now <= connected_since + CONVERGED {
            return;
        }
        // The opinions that speak most for this status.
        let preferred = [Some(to), None, Some(to.opposite())];
        let best = |key: &Key| {
            let past = key.past.iter().filter(|(until, _)| until + LONGEST_DELAY >= *now).map(|(_, past)| past);
            let values: Vec<Option<Status>> =
                past.chain([&key.opinions]).map(|opinions| self.status_of(opinions.as_ref(), node, check)).collect();
            preferred.into_iter().find(|status| values.contains(status)).flatten()
        };
        let others = (0..cluster.nodes).filter(|other| *other != node).map(|other| best(&self.etcd[other]));
        let checkers = others.fold(Checkers::default(), Checkers::and).and(self.own_opinion(node, check));
        let possible = agreed_status(cluster.agreement, checkers).is_none_or(|agreed| agreed.status == to);
        assert!(possible, "seed {seed}: at {now} ms node {node} made {check} {}: at best {checkers:?}", to.as_str());
    }

    fn own_opinion(&self, node: usize, check: usize) -> Option<Status> {
        let Node { tracker, is_isolated, .. } = &self.nodes[node];
        tracker.opinion(CheckSlot(check as u32)).filter(|_| !is_isolated)
    }

    /// What nodes that know what etcd has must believe; `None` without opinions.
    fn expected(&self, node: usize, check: usize) -> Option<Status> {
        let others = (0..self.cluster.nodes).filter(|other| *other != node);
        let opinions = others.map(|other| self.status_of(self.etcd[other].opinions.as_ref(), node, check));
        let checkers = opinions.fold(Checkers::default(), Checkers::and).and(self.own_opinion(node, check));
        agreed_status(self.cluster.agreement, checkers).map(|agreed| agreed.status)
    }

    /// What a node says about a check, if it counts and asks what this node asks.
    fn status_of(&self, opinions: Option<&Arc<NodeOpinions>>, node: usize, check: usize) -> Option<Status> {
        let opinions = opinions.filter(|opinions| !opinions.isolated)?;
        let asked =
            |known: &Arc<Identity>| self.nodes[node].tracker.slot_asking(known) == Some(CheckSlot(check as u32));
        let index = opinions.checks().checks().iter().position(asked)?;
        opinions.opinion(index).map(|opinion| opinion.status)
    }

    /// Once a second: counts wrong time, and compares with the rules when nothing is under way.
    fn measure(&mut self, node: usize) {
        for check in 1..=self.cluster.endpoints {
            let status = self.nodes[node].tracker.status(CheckSlot(check as u32)).expect("the check exists");
            if status == Status::Unhealthy && self.failed_since[check].is_none() {
                self.outcome.false_time += SECOND;
            }
            let is_settled = self.now > self.unsettled_until.max(self.nodes[node].connected_since + CONVERGED);
            if !is_settled || self.cluster.alone || !self.is_connected(node) {
                continue;
            }
            let Node { tracker, waits_since, .. } = &self.nodes[node];
            if tracker.awaits_opinions(CheckSlot(check as u32)) {
                let since = waits_since[check].expect("it waits since a moment");
                assert!(self.now <= since + 10 * SECOND, "seed {}: node {node} waits for {check}", self.seed);
                continue;
            }
            if let Some(expected) = self.expected(node, check) {
                let (seed, now) = (self.seed, self.now);
                assert_eq!(status, expected, "seed {seed}: at {now} ms node {node} is wrong about {check}");
            }
        }
    }
}

impl Node {
    fn new(number: usize, endpoints: usize) -> Node {
        Node {
            name: format!("node-{number:03}").into(),
            life: 0,
            session: 0,
            is_running: false,
            tracker: Tracker::new(),
            list: Arc::new(CheckList::new([])),
            waits_since: vec![None; endpoints + 1],
            plans: Vec::new(),
            others: OtherNodes::default(),
            reader: NodeReader::default(),
            is_isolated: false,
            clock: 0,
            publishes: false,
            sent: VecDeque::new(),
            sequence: 0,
            etcd_faults: 0,
            uplink_faults: 0,
            path_faults: BTreeMap::new(),
            connected_since: 0,
            is_listed: false,
        }
    }

    fn restart(&mut self, checks: &[HealthCheck], at: Timestamp) {
        self.life += 1;
        self.is_running = true;
        self.tracker = Tracker::new();
        self.tracker.apply(checks, at);
        let terms = Terms { others: &OtherNodes::default(), agreement: Agreement::default(), is_isolated: false };
        drop(self.tracker.agree(self.tracker.slots().all(), &terms, at));
        self.plans = self.tracker.probes();
        self.list = Arc::new(self.tracker.check_list());
        self.waits_since.fill(None);
        self.others = OtherNodes::default();
        self.sent.clear();
        (self.is_isolated, self.publishes) = (false, false);
    }

    /// Takes the checks. Returns those that ask something else than before.
    fn load(&mut self, checks: &[HealthCheck], at: Timestamp) -> Vec<CheckSlot> {
        let restarted = self.tracker.apply(checks, at).restarted;
        if !restarted.is_empty() {
            let Node { tracker, others, .. } = self;
            tracker.await_opinions(&restarted);
            others.resolve(&|check| tracker.slot_asking(check));
            self.plans = self.tracker.probes();
            self.list = Arc::new(self.tracker.check_list());
        }
        restarted
    }

    /// Counts a result, as the control loop does. Returns whether the node's own opinion changed.
    fn observe(&mut self, check: usize, observation: Observation, at: Timestamp) -> bool {
        let sentinel_is_pending = self.tracker.is_pending(CheckSlot(SENTINEL as u32));
        let is_first = self.tracker.is_pending(CheckSlot(check as u32));
        let is_unreliable = check != SENTINEL
            && (self.is_isolated || is_first && sentinel_is_pending && observation == Observation::Fail);
        if is_unreliable {
            return false;
        }
        let generation: Generation = self.plans[check].generation;
        match self.tracker.observe(CheckSlot(check as u32), generation, observation, at) {
            ResultOutcome::Counted(counted) => counted.opinion_changed,
            ResultOutcome::Ignored => panic!("every check is probed"),
        }
    }

    fn own_sentinel_is_down(&self) -> bool {
        self.tracker.own_status(CheckSlot(SENTINEL as u32)) == Some(Status::Unhealthy)
    }
}

/// Slots are given in order, so the check of an endpoint has its number as slot.
fn check(number: usize) -> HealthCheck {
    let threshold = if number == SENTINEL { 1 } else { 3 };
    HealthCheck {
        id: HealthCheckId(format!("{number:08x}-0000-4000-8000-000000000000")),
        name: format!("endpoint-{number}"),
        caller_reference: None,
        version: 1,
        tags: Default::default(),
        inverted: false,
        disabled: false,
        agreement: None,
        kind: HealthCheckKind::Endpoint(EndpointCheck {
            protocol: EndpointProtocol::Tcp,
            target: EndpointTarget::Domain(format!("endpoint-{number}.lab.test")),
            port: 80,
            request_interval: Duration::from_secs(10),
            failure_threshold: threshold,
            recovery_threshold: threshold,
            measure_latency: false,
            address_family: AddressFamily::default(),
            timeouts: Timeouts::default(),
            regions: Vec::new(),
        }),
    }
}
