//! The state of a watch: changed by events, shown by `draw` and `lines`, without I/O.
//!
//! - [`tally`]: the answers of a name, how often each came, and when that changed;
//! - [`checks`]: the health checks behind the names;
//! - [`timeline`]: what happened.

pub(crate) mod checks;
pub(crate) mod tally;
pub(crate) mod timeline;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::admin::shapes::{CheckShape, HealthShape, RecoveringShape, StatusShape};

use checks::{Check, StatusChange};
use tally::Tally;
use timeline::{Entry, EntryKind, Seconds, Timeline, seconds};

/// The most checks that are shown when no record of the names uses any.
pub(crate) const CHECKS: usize = 16;

/// A name and type that is queried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// With the trailing dot.
    pub(crate) name: String,
    /// Such as `A`.
    pub(crate) record_type: String,
}

/// A name that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// A name and type that is queried.
    pub(crate) subject: Subject,
    /// A note for its title, such as `failover`.
    pub(crate) note: String,
    /// Its answers, counted.
    pub(crate) tally: Tally,
    /// How long the last answer took.
    pub(crate) took: Option<Duration>,
}

/// The state of the admin side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdminSide {
    /// It has not answered yet.
    Unknown,
    /// It answers.
    Available,
    /// It does not answer, and why.
    Unavailable(String),
}

/// An event that changes the model.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A name, by its number, answered this.
    Answer { name: usize, outcome: String, took: Duration },
    /// A query for a name, by its number, got no reply; the text that counts as its answer.
    NoReply { name: usize, outcome: String },
    /// A response of the admin side; its `now` is the time of the event.
    Health(Box<HealthShape>),
    /// The admin side did not respond, and why.
    NoHealth(String),
    /// The user did something.
    UserAction(String),
}

/// The state of a watch.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// The server that is queried.
    pub(crate) server: SocketAddr,
    /// The wall clock when the watch began.
    pub(crate) began: Timestamp,
    /// Time since then.
    pub(crate) now: Duration,
    /// The names, in the order in which they are shown.
    pub(crate) names: Vec<Watched>,
    /// Their health checks.
    pub(crate) checks: Vec<Check>,
    /// Whether records of the names use these checks; else all checks are shown.
    pub(crate) direct: bool,
    /// The admin side.
    pub(crate) admin_side: AdminSide,
    /// Whether all sentinels of the server fail, so that it ignores results.
    pub(crate) is_isolated: bool,
    /// Records that come back after an outage.
    pub(crate) recovering: Vec<RecoveringShape>,
    /// What happened.
    pub(crate) timeline: Timeline,
    replies: u64,
    /// The server's clock at its last response, and the time of that.
    server_clock: Option<(Timestamp, Duration)>,
}

impl Watched {
    /// A name that was not queried yet; shares are those of the last `window`.
    pub(crate) fn new(subject: Subject, window: Duration) -> Watched {
        Watched { subject, note: String::new(), tally: Tally::new(window), took: None }
    }
}

impl Subject {
    /// Whether a record that uses a check, such as `app.lab.test. A blue`, is one of this name and
    /// type.
    fn has(&self, record: &str) -> bool {
        let mut words = record.split(' ');
        words.next().is_some_and(|name| name.eq_ignore_ascii_case(&self.name))
            && words.next() == Some(&self.record_type)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name.strip_suffix('.').unwrap_or(&self.name), self.record_type)
    }
}

impl Model {
    /// The state at the beginning.
    pub(crate) fn new(server: SocketAddr, began: Timestamp, names: Vec<Watched>) -> Model {
        Model {
            server,
            began,
            now: Duration::ZERO,
            names,
            checks: Vec::new(),
            direct: true,
            admin_side: AdminSide::Unknown,
            is_isolated: false,
            recovering: Vec::new(),
            timeline: Timeline::default(),
            replies: 0,
            server_clock: None,
        }
    }

    /// The time by the server's clock.
    pub(crate) fn server_now(&self) -> Option<Timestamp> {
        let (clock, seen) = self.server_clock?;
        clock.checked_add(self.now.saturating_sub(seen)).ok()
    }

    /// Advances the time.
    pub(crate) fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let now = self.now;
        self.names.iter_mut().for_each(|name| name.tally.forget(now));
    }

    /// Applies an event of this time, and returns the new entries.
    pub(crate) fn apply(&mut self, event: Event, at: Duration) -> Vec<Entry> {
        self.tick(at);
        let news = match event {
            Event::Answer { name, outcome, took } => {
                self.replies += 1;
                self.names[name].took = Some(took);
                self.answer(name, &outcome, at)
            }
            Event::NoReply { name, outcome } => self.answer(name, &outcome, at),
            Event::Health(health) => self.health(*health, at),
            Event::NoHealth(why) => {
                self.admin_side = AdminSide::Unavailable(why);
                Vec::new()
            }
            Event::UserAction(action) => vec![Entry { at: seconds(at), kind: EntryKind::UserAction(action) }],
        };
        news.into_iter().filter(|entry| self.timeline.add(entry.clone())).collect()
    }

    fn answer(&mut self, name: usize, outcome: &str, at: Duration) -> Vec<Entry> {
        let changes = self.names[name].tally.add(outcome, at).into_iter();
        changes.map(|change| Entry { at: seconds(change.at()), kind: EntryKind::Answer { name, change } }).collect()
    }

    fn health(&mut self, health: HealthShape, at: Duration) -> Vec<Entry> {
        self.admin_side = AdminSide::Available;
        self.is_isolated = health.connectivity.is_some_and(|connectivity| connectivity.isolated_since.is_some());
        self.recovering = health.recovering;
        let Ok(now) = health.now.parse::<Timestamp>() else { return Vec::new() };
        self.server_clock = Some((now, at));
        // The server's clock and ours may differ: its times count from its `now`.
        let local = |moment: Timestamp| seconds(at) - now.duration_since(moment).as_secs_f64();
        let mut known = std::mem::take(&mut self.checks);
        let mut news = Vec::new();
        for shape in self.chosen(health.checks) {
            let place = known.iter().position(|check| check.shape.id == shape.id);
            let check = match place.map(|place| known.swap_remove(place)) {
                Some(mut check) => {
                    news.extend(check.update(shape).into_iter().map(|change| entry(change, local)));
                    check
                }
                None => {
                    let mut check = Check::new(shape);
                    // Earlier changes are shown, but are not new.
                    let earlier = check.earlier().into_iter().map(|change| entry(change, local));
                    earlier.for_each(|entry| {
                        self.timeline.add(entry);
                    });
                    check
                }
            };
            self.checks.push(check);
        }
        news
    }

    /// The checks to show.
    fn chosen(&mut self, shapes: Vec<CheckShape>) -> Vec<CheckShape> {
        let names: Vec<Subject> = self.names.iter().map(|name| name.subject.clone()).collect();
        let (shapes, direct) = choose(shapes, &names);
        self.direct = direct;
        shapes
    }

    /// Replies so far, to all names.
    pub(crate) fn replies(&self) -> u64 {
        self.replies
    }

    /// Starts counting again.
    pub(crate) fn reset_counts(&mut self) {
        self.names.iter_mut().for_each(|name| name.tally = Tally::new(name.tally.window()));
    }

    /// The wall clock at a time of the watch.
    pub(crate) fn wall(&self, at: Seconds) -> Timestamp {
        let span = jiff::SignedDuration::try_from_secs_f64(at).unwrap_or_default();
        self.began.checked_add(span).unwrap_or(self.began)
    }
}

/// The checks that records of some names use, in the order of their own names, and whether there
/// are any; else the unhealthy ones, then the others. Without names all checks, those that are
/// unhealthy first if there are many.
pub(crate) fn choose(mut shapes: Vec<CheckShape>, names: &[Subject]) -> (Vec<CheckShape>, bool) {
    if names.is_empty() {
        let are_many = shapes.len() > CHECKS;
        let key = |shape: &CheckShape| (are_many && shape.status == StatusShape::Healthy, shape.name.clone());
        shapes.sort_by_cached_key(key);
        return (shapes, true);
    }
    let behind = |shape: &CheckShape| shape.records.iter().any(|record| names.iter().any(|name| name.has(record)));
    let direct = shapes.iter().any(behind);
    if direct {
        shapes.retain(behind);
    } else {
        shapes.sort_by_key(|shape| shape.status == StatusShape::Healthy);
    }
    shapes.truncate(CHECKS);
    shapes.sort_by(|one, other| one.name.cmp(&other.name));
    (shapes, direct)
}

fn entry(change: StatusChange, local: impl Fn(Timestamp) -> Seconds) -> Entry {
    let StatusChange { check, to, why, at, began } = change;
    Entry { at: local(at), kind: EntryKind::StatusChange { check, to, why, began: began.map(local) } }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::checks::tests::shape;
    use super::tally::{Before, Change};
    use super::*;

    pub(crate) fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    pub(crate) fn model() -> Model {
        let window = Duration::from_secs(10);
        let subject = Subject { name: "app.lab.test.".to_owned(), record_type: "A".to_owned() };
        let names = vec![Watched::new(subject, window)];
        let began = "2026-03-01T22:00:00Z".parse().unwrap();
        Model::new("127.0.0.1:5300".parse().unwrap(), began, names)
    }

    pub(crate) fn answer(outcome: &str) -> Event {
        Event::Answer { name: 0, outcome: outcome.to_owned(), took: Duration::from_micros(300) }
    }

    pub(crate) fn health(now: &str, checks: &[CheckShape]) -> Event {
        let started = "2026-03-01T21:00:00.000Z";
        let health = serde_json::json!({ "now": now, "started": started, "checks": checks, "overrides": [] });
        Event::Health(Box::new(serde_json::from_value(health).unwrap()))
    }

    /// A primary that dies after 4 s, at 10 answers and 2 looks a second. The server's clock is an
    /// hour ahead.
    pub(crate) fn failover() -> (Model, Vec<Entry>) {
        let (mut model, mut news) = (model(), Vec::new());
        let results = [("2026-03-01T23:00:04.000Z", false), ("2026-03-01T22:30:00.000Z", true)];
        let down = [("2026-03-01T23:00:06.000Z", StatusShape::Unhealthy)];
        for step in 0..90u64 {
            let (now, answer) = (at(step * 100), answer(if step < 61 { "127.0.53.11" } else { "127.0.53.12" }));
            news.extend(model.apply(answer, now));
            if step % 5 != 3 {
                continue;
            }
            let moment = format!("2026-03-01T23:00:{:02}.{}00Z", step / 10, step % 10);
            let (second, is_down) = (step / 10, step >= 60);
            let last = format!("2026-03-01T23:00:{second:02}.000Z");
            let blue = match is_down {
                true => shape("blue", StatusShape::Unhealthy, (&last, false, 0.2), &down, &results),
                false => shape(
                    "blue",
                    StatusShape::Healthy,
                    (&last, second < 4, 1.5),
                    &[],
                    &results[usize::from(second < 4)..],
                ),
            };
            let green = shape("green", StatusShape::Healthy, (&last, true, 2.5), &[], &results[1..]);
            news.extend(model.apply(health(&moment, &[green, blue]), now));
        }
        (model, news)
    }

    #[test]
    fn an_outage_has_a_status_change_and_a_changed_answer() {
        let (model, news) = failover();
        let [first, changed, down] = &news[..] else { panic!("{news:?}") };
        assert!(
            matches!(&first.kind, EntryKind::Answer { change: Change::Arrived { before: Before::Nothing, .. }, .. }),
            "{first:?}"
        );
        let EntryKind::Answer { change: Change::Arrived { outcome, .. }, .. } = &changed.kind else {
            panic!("{changed:?}")
        };
        assert_eq!((outcome.as_str(), changed.at), ("127.0.53.12", 6.1));
        // The clocks differ by an hour; the server's times count from its own clock.
        let EntryKind::StatusChange { check, began, .. } = &down.kind else { panic!("{down:?}") };
        assert_eq!(check, "blue");
        assert!((down.at - 6.0).abs() < 0.001 && (began.unwrap() - 4.0).abs() < 0.001, "{down:?}");
        assert!((model.timeline.since_outage(changed).unwrap().0 - 2.1).abs() < 0.001);
        assert!((model.timeline.first_answer(down).unwrap() - 2.1).abs() < 0.001);
    }

    #[test]
    fn checks_are_in_the_order_of_their_names_and_keep_their_probes() {
        let (model, _) = failover();
        let checks: Vec<_> = model.checks.iter().map(|check| (check.shape.name.as_str(), check.probes.len())).collect();
        assert_eq!(checks, [("blue", 9), ("green", 9)]);
        assert!(model.direct);
    }

    #[test]
    fn only_the_checks_of_the_name_are_shown_if_there_are_any() {
        let mut other = shape("other", StatusShape::Healthy, ("2026-03-01T22:00:00.000Z", true, 1.0), &[], &[]);
        other.records = vec!["app.lab.test. AAAA other".to_owned(), "app2.lab.test. A other".to_owned()];
        let mine = shape("mine", StatusShape::Healthy, ("2026-03-01T22:00:00.000Z", true, 1.0), &[], &[]);
        let names = |checks: &[CheckShape]| {
            let mut model = model();
            model.apply(health("2026-03-01T22:00:00.000Z", checks), at(0));
            (model.checks.iter().map(|check| check.shape.name.clone()).collect::<Vec<_>>(), model.direct)
        };
        assert_eq!(names(&[other.clone(), mine]), (vec!["mine".to_owned()], true));
        assert_eq!(names(&[other]), (vec!["other".to_owned()], false));
    }

    #[test]
    fn without_names_all_checks_are_shown_and_unhealthy_ones_first_if_there_are_many() {
        let shape = |name: &str, status| shape(name, status, ("2026-03-01T22:00:00.000Z", true, 1.0), &[], &[]);
        let names = |count: usize| {
            let healthy = (0..count).map(|number| shape(&format!("c{number:02}"), StatusShape::Healthy));
            let shapes = healthy.chain([shape("down", StatusShape::Unhealthy)]).collect();
            let (chosen, direct) = choose(shapes, &[]);
            assert!(direct && chosen.len() == count + 1);
            [chosen[0].name.clone(), chosen[count].name.clone()]
        };
        assert_eq!(names(2), ["c00", "down"]);
        assert_eq!(names(40), ["down", "c39"]);
    }

    #[test]
    fn status_changes_before_the_watch_are_shown_and_are_not_new() {
        let down = [("2026-03-01T21:59:00.000Z", StatusShape::Unhealthy)];
        let blue = shape("blue", StatusShape::Unhealthy, ("2026-03-01T22:00:00.000Z", false, 0.2), &down, &[]);
        let mut model = model();
        assert_eq!(model.apply(health("2026-03-01T22:00:01.000Z", &[blue]), at(1000)), []);
        assert_eq!(model.timeline.latest().map(|entry| entry.at).collect::<Vec<_>>(), [-60.0]);
    }

    #[test]
    fn an_admin_side_that_cannot_be_reached_is_known_until_it_answers() {
        let mut model = model();
        model.apply(Event::NoHealth("it cannot be reached".to_owned()), at(0));
        assert_eq!(model.admin_side, AdminSide::Unavailable("it cannot be reached".to_owned()));
        model.apply(health("2026-03-01T22:00:00.000Z", &[]), at(1));
        assert_eq!(model.admin_side, AdminSide::Available);
    }

    #[test]
    fn wall_clock_and_seconds_agree() {
        assert_eq!(model().wall(-1.5).to_string(), "2026-03-01T21:59:58.5Z");
    }
}
