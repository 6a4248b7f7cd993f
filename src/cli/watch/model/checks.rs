//! Health checks, as the admin side reports them.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::admin::shapes::{CheckShape, NextShape, ResultsShape, StatusShape, TransitionShape};

/// The most latencies that are kept: a wide screen shows no more.
const LATENCIES: usize = 200;
/// The most status changes of a check from before the watch that are shown.
const EARLIER: usize = 2;

/// A check.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// The last report.
    pub(crate) shape: CheckShape,
    /// Its probes, the latest last.
    pub(crate) probes: VecDeque<Probe>,
    /// The latest known status change.
    known: Option<Timestamp>,
}

/// A probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Probe {
    at: Timestamp,
    /// How long it took.
    pub(crate) milliseconds: f64,
    /// Whether it passed.
    pub(crate) passed: bool,
}

/// A status change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusChange {
    /// The check.
    pub(crate) check: String,
    /// The new status.
    pub(crate) to: StatusShape,
    /// The reason that the server gives.
    pub(crate) why: String,
    /// The time by the server's clock.
    pub(crate) at: Timestamp,
    /// The first of the consecutive results that caused it: the first failed probe of an outage.
    pub(crate) began: Option<Timestamp>,
}

impl Check {
    /// A check at its first report.
    pub(crate) fn new(shape: CheckShape) -> Check {
        let mut check = Check { shape, probes: VecDeque::new(), known: None };
        check.add_probes();
        check
    }

    /// Its last status changes from before the watch.
    pub(crate) fn earlier(&mut self) -> Vec<StatusChange> {
        let changes = self.new_changes();
        changes[changes.len().saturating_sub(EARLIER)..].to_vec()
    }

    /// Applies a report, and returns the new status changes.
    pub(crate) fn update(&mut self, shape: CheckShape) -> Vec<StatusChange> {
        self.shape = shape;
        self.add_probes();
        self.new_changes()
    }

    /// The new status changes, oldest first.
    fn new_changes(&mut self) -> Vec<StatusChange> {
        let known = self.known;
        let shape = &self.shape;
        let news = shape.transitions.iter().filter_map(|transition| status_change(shape, transition));
        let mut news: Vec<StatusChange> = news.filter(|change| known.is_none_or(|known| change.at > known)).collect();
        news.reverse();
        self.known = news.last().map(|change| change.at).or(known);
        news
    }

    /// Adds new probes: the recent ones of the report, else its last result.
    fn add_probes(&mut self) {
        let known = self.probes.back().map(|probe| probe.at);
        let probe = |at: &str, milliseconds, passed| Some(Probe { at: at.parse().ok()?, milliseconds, passed });
        let recent = self.shape.recent.iter().filter_map(|sample| probe(&sample.at, sample.total_ms, sample.passed));
        let last = self.shape.last_result.as_ref();
        let last = last.and_then(|last| probe(&last.at, last.total_ms, last.passed));
        let seen = recent.chain(last.filter(|_| self.shape.recent.is_empty()));
        self.probes.extend(seen.filter(|probe| known.is_none_or(|known| probe.at > known)));
        self.probes.drain(..self.probes.len().saturating_sub(LATENCIES));
    }

    /// Such as `overridden`, `disabled`, `no result yet`.
    pub(crate) fn notes(&self) -> Vec<&'static str> {
        let shape = &self.shape;
        let notes = [
            (shape.overridden.is_some(), "overridden"),
            (shape.disabled, "disabled"),
            (shape.inverted, "inverted"),
            (shape.pending, "no result yet"),
        ];
        notes.into_iter().filter(|(is, _)| *is).map(|(_, note)| note).collect()
    }

    /// A status change that may follow: the last result differs from the status.
    pub(crate) fn may_change(&self) -> Option<String> {
        let (last, next) = (self.shape.last_result.as_ref()?, self.shape.next.as_ref()?);
        (last.passed == next.passes && !last.missing).then(|| needed(next))
    }

    /// How many results in a row change the status.
    pub(crate) fn needed(&self) -> Option<String> {
        self.shape.next.as_ref().map(needed)
    }
}

/// Such as `one more failure makes it unhealthy`.
fn needed(next: &NextShape) -> String {
    let (one, many) = if next.passes { ("pass", "passes") } else { ("failure", "failures") };
    let (then, it) = (word(next.then), if next.opinion_only { "this node consider it" } else { "it" });
    match next.results_needed {
        1 => format!("one more {one} makes {it} {then}"),
        count => format!("{count} {many} in a row make {it} {then}"),
    }
}

/// The word of the server's log.
pub(crate) fn word(status: StatusShape) -> &'static str {
    match status {
        StatusShape::Healthy => "healthy",
        StatusShape::Unhealthy => "unhealthy",
    }
}

fn status_change(shape: &CheckShape, transition: &TransitionShape) -> Option<StatusChange> {
    let at = transition.at.parse().ok()?;
    let began = began(&shape.results, transition.to, at);
    Some(StatusChange { check: shape.name.clone(), to: transition.to, why: transition.why.clone(), at, began })
}

/// The first of the consecutive results that caused a status change at this time. Results are
/// sorted latest first.
fn began(results: &[ResultsShape], to: StatusShape, at: Timestamp) -> Option<Timestamp> {
    let passes = to == StatusShape::Healthy;
    let before = results.iter().filter_map(|row| Some((row.passed, row.first.parse::<Timestamp>().ok()?)));
    let mut before = before.skip_while(|(_, first)| *first > at);
    let mut began = None;
    while let Some((_, first)) = before.next().filter(|(passed, _)| *passed == passes) {
        began = Some(first);
    }
    began
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::admin::shapes::SampleShape;

    use super::*;

    /// A check of `/v1/health?history=1`: its last result, its transitions, its rows of results,
    /// the latest first.
    pub(crate) fn shape(
        name: &str,
        status: StatusShape,
        last: (&str, bool, f64),
        transitions: &[(&str, StatusShape)],
        results: &[(&str, bool)],
    ) -> CheckShape {
        let (at, passed, total_ms) = last;
        let other = if status == StatusShape::Healthy { StatusShape::Unhealthy } else { StatusShape::Healthy };
        let text =
            if passed { "Success: HTTP status 200" } else { "Failure: The connection was refused by the endpoint." };
        serde_json::from_value(serde_json::json!({
            "name": name, "id": "an id", "type": "http", "endpoint": "http://127.0.53.11:8080/",
            "status": status, "since": "2026-03-01T22:00:00.000Z", "without_overrides": status,
            "pending": false, "disabled": false, "inverted": false, "overridden": null,
            "last_result": {
                "at": at, "passed": passed, "status": text,
                "connect_ms": null, "first_byte_ms": null, "total_ms": total_ms, "restored": false,
            },
            "next": {
                "probe_at": null, "results_needed": 2, "passes": !passed, "then": other,
                "earliest": "2026-03-01T22:00:09.000Z",
            },
            "records": [format!("app.lab.test. A {name}")],
            "transitions": transitions.iter().map(|(at, to)| serde_json::json!({
                "at": at, "to": to, "why": text,
            })).collect::<Vec<_>>(),
            "results": results.iter().map(|(first, passed)| serde_json::json!({
                "first": first, "last": first, "count": 1, "passed": passed, "status": text, "slowest_ms": total_ms,
            })).collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_outage_began_with_the_first_failure_in_a_row() {
        let results = [
            ("2026-03-01T22:00:06.100Z", false),
            ("2026-03-01T22:00:04.000Z", false),
            ("2026-03-01T22:00:03.900Z", true),
            ("2026-03-01T22:00:02.000Z", false),
        ];
        let down = [("2026-03-01T22:00:06.100Z", StatusShape::Unhealthy)];
        let before = shape("blue", StatusShape::Healthy, ("2026-03-01T22:00:03.900Z", true, 1.0), &[], &results[2..]);
        let after = shape("blue", StatusShape::Unhealthy, ("2026-03-01T22:00:06.100Z", false, 0.2), &down, &results);
        let mut check = Check::new(before);
        assert_eq!(check.earlier(), []);
        let news = check.update(after.clone());
        assert_eq!(news.len(), 1);
        assert_eq!(news[0].began, Some(moment("2026-03-01T22:00:04.000Z")));
        assert_eq!(check.update(after), [], "it is reported once");
    }

    #[test]
    fn a_status_change_by_an_override_has_no_first_result() {
        let down = [("2026-03-01T22:00:06.000Z", StatusShape::Unhealthy)];
        let results = [("2026-03-01T22:00:05.000Z", true)];
        let mut check =
            Check::new(shape("blue", StatusShape::Unhealthy, ("2026-03-01T22:00:05.000Z", true, 1.0), &down, &results));
        assert_eq!(check.earlier()[0].began, None);
    }

    #[test]
    fn a_probe_is_kept_once() {
        let look = || shape("blue", StatusShape::Healthy, ("2026-03-01T22:00:03.900Z", true, 1.5), &[], &[]);
        let mut check = Check::new(look());
        check.update(look());
        assert_eq!(check.probes.len(), 1);
        check.update(shape("blue", StatusShape::Healthy, ("2026-03-01T22:00:04.900Z", false, 0.5), &[], &[]));
        let probes: Vec<_> = check.probes.iter().map(|probe| (probe.milliseconds, probe.passed)).collect();
        assert_eq!(probes, [(1.5, true), (0.5, false)]);
    }

    #[test]
    fn probes_before_the_watch_are_shown_if_the_server_reports_them() {
        let mut look = shape("blue", StatusShape::Healthy, ("2026-03-01T22:00:03.900Z", true, 1.5), &[], &[]);
        let sample = |at: &str, total_ms| SampleShape { at: at.to_owned(), total_ms, passed: true };
        look.recent = vec![sample("2026-03-01T22:00:02.900Z", 1.0), sample("2026-03-01T22:00:03.900Z", 1.5)];
        let mut check = Check::new(look.clone());
        look.recent = vec![sample("2026-03-01T22:00:03.900Z", 1.5), sample("2026-03-01T22:00:04.900Z", 2.0)];
        check.update(look);
        assert_eq!(check.probes.iter().map(|probe| probe.milliseconds).collect::<Vec<_>>(), [1.0, 1.5, 2.0]);
    }

    #[test]
    fn a_status_change_that_may_follow_is_shown_once_results_differ() {
        let well = Check::new(shape("blue", StatusShape::Healthy, ("2026-03-01T22:00:03.900Z", true, 1.5), &[], &[]));
        assert_eq!(well.may_change(), None);
        assert_eq!(well.needed().unwrap(), "2 failures in a row make it unhealthy");
        let mut turning = well.shape.clone();
        turning.last_result.as_mut().unwrap().passed = false;
        turning.next.as_mut().unwrap().results_needed = 1;
        assert_eq!(Check::new(turning).may_change().unwrap(), "one more failure makes it unhealthy");
    }
}
