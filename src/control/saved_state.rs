//! The state that is saved across restarts, as lines of the journal.
//!
//! ```text
//!  {"clock":1790000000000}                                the time of the lines after it
//!  {"check":{"id":…,"fingerprint":…,"state":{…},"runs":[…],"transitions":[…]}}  a whole check
//!  {"result":{"id":…,"fingerprint":…,"state":{…},"run":{…}}}       a result
//!  {"transition":{"id":…,"transition":{…}}}                       a change of status
//!  {"override":{"id":1,"pattern":"app-*","action":"down",…}}  an override
//!  {"cleared":[1]}                                            cleared or expired overrides
//!  {"recovering":{"zone":…,"name":…,"type":…,"set":…,"since":…}}    a record that is recovering
//! ```
//!
//! Lines are read in order. A line states everything that it changes and leaves the rest as it was.
//! A journal that was cut anywhere is therefore a valid state of a slightly earlier time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::health::{
    CheckFingerprint, History, Identity, Latency, Observation, Override, OverrideId, Overrides, PastTransition,
    RestoredCheck, Run, SavedCheckState, Status, Timestamp,
};
use crate::history::OverrideLine;
use crate::model::{HealthCheckId, HostedZoneId, Name};
use crate::world::RecordKey;

use super::time_format::earlier;

/// The saved state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SavedState {
    /// The state of each check.
    pub(super) checks: HashMap<HealthCheckId, SavedCheck>,
    /// The overrides.
    pub(super) overrides: Overrides,
    /// Records that are recovering, and when each became healthy.
    pub(super) recoveries: BTreeMap<RecordKey, Timestamp>,
    /// The time of the last line.
    pub(super) as_of: Timestamp,
    /// Intact lines that were not understood, written by another version.
    pub(super) strange: usize,
}

/// The saved state of one check.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SavedCheck {
    fingerprint: Option<CheckFingerprint>,
    state: Option<SavedCheckState>,
    pub(super) history: Arc<History>,
}

/// A line in its JSON form. The names of version 0.1 are read too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Clock(u64),
    Check(CheckLine),
    #[serde(alias = "seen")]
    Result(ResultLine),
    #[serde(alias = "turned")]
    Transition(ChangeLine),
    Override(OverrideLine),
    Cleared(Vec<u64>),
    #[serde(alias = "returning")]
    Recovering(RecoveringLine),
}

#[derive(Debug, Serialize, Deserialize)]
struct CheckLine {
    id: String,
    #[serde(alias = "question")]
    fingerprint: u64,
    state: Option<StateLine>,
    runs: Vec<RunLine>,
    transitions: Vec<TransitionLine>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ResultLine {
    id: String,
    #[serde(alias = "question")]
    fingerprint: u64,
    state: Option<StateLine>,
    run: RunLine,
}

#[derive(Debug, Serialize, Deserialize)]
struct ChangeLine {
    id: String,
    transition: TransitionLine,
}

/// Times are in milliseconds since 1970, durations in microseconds.
#[derive(Debug, Serialize, Deserialize)]
struct StateLine {
    healthy: bool,
    #[serde(alias = "contrary")]
    opposing: Option<u8>,
    since: u64,
    /// The status that the nodes of a cluster agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agreed: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RunLine {
    passed: bool,
    /// The metric had no data: the evaluation neither passed nor failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    missing: bool,
    status: String,
    first: u64,
    last: u64,
    results: u32,
    connect: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_handshake: Option<u64>,
    first_byte: Option<u64>,
    total: u64,
    slowest: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct TransitionLine {
    at: u64,
    healthy: bool,
    why: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecoveringLine {
    zone: String,
    name: String,
    #[serde(rename = "type")]
    record_type: String,
    set: Option<String>,
    /// When it became healthy; `None` if it is unhealthy again or fully recovered.
    since: Option<u64>,
}

impl SavedState {
    /// Reads the lines of a journal.
    pub(crate) fn read<'l>(lines: impl IntoIterator<Item = &'l str>) -> SavedState {
        let mut saved_state = SavedState::default();
        for line in lines {
            match serde_json::from_str(line) {
                Ok(line) => saved_state.take(line),
                Err(_) => saved_state.strange += 1,
            }
        }
        saved_state
    }

    /// The saved state of a check, for the tracker. On its own, a server does not keep what the
    /// nodes of a cluster agreed on.
    pub(super) fn saved_check(&self, id: &HealthCheckId, in_cluster: bool) -> Option<RestoredCheck> {
        let SavedCheck { fingerprint, state, .. } = self.checks.get(id)?;
        let state = (*state)?;
        let state = SavedCheckState { agreed: state.agreed.filter(|_| in_cluster), ..state };
        Some(RestoredCheck { fingerprint: (*fingerprint)?, state, as_of: self.as_of })
    }

    /// The records that were recovering, on a clock that may have been set back since.
    pub(super) fn recoveries_at(&self, at: Timestamp) -> Vec<(RecordKey, Timestamp)> {
        let set_back = self.as_of.since(at);
        self.recoveries.iter().map(|(record, &since)| (record.clone(), earlier(since, set_back))).collect()
    }

    fn take(&mut self, line: Line) {
        match line {
            // After the clock was set back, time continues from here.
            Line::Clock(at) => self.as_of = timestamp(at),
            Line::Check(CheckLine { id, fingerprint, state, runs, transitions }) => {
                let mut history = History::default();
                runs.into_iter().for_each(|run| history.put_run(run.into()));
                transitions.into_iter().for_each(|transition| history.add_transition(transition.into()));
                let saved_state = SavedCheck {
                    fingerprint: Some(CheckFingerprint(fingerprint)),
                    state: state.map(Into::into),
                    history: history.into(),
                };
                self.checks.insert(HealthCheckId(id), saved_state);
            }
            Line::Result(ResultLine { id, fingerprint, state, run }) => {
                self.note(run.last);
                let check = self.checks.entry(HealthCheckId(id)).or_default();
                (check.fingerprint, check.state) = (Some(CheckFingerprint(fingerprint)), state.map(Into::into));
                Arc::make_mut(&mut check.history).put_run(run.into());
            }
            Line::Transition(ChangeLine { id, transition }) => {
                self.note(transition.at);
                let check = self.checks.entry(HealthCheckId(id)).or_default();
                Arc::make_mut(&mut check.history).add_transition(transition.into());
            }
            Line::Override(line) => self.overrides.put(line.into()),
            Line::Cleared(ids) => ids.into_iter().for_each(|id| self.overrides.remove(OverrideId(id))),
            Line::Recovering(line) => match (line.record(), line.since) {
                (Some(record), Some(since)) => drop(self.recoveries.insert(record, timestamp(since))),
                (Some(record), None) => drop(self.recoveries.remove(&record)),
                (None, _) => self.strange += 1,
            },
        }
    }

    fn note(&mut self, at: u64) {
        self.as_of = self.as_of.max(timestamp(at));
    }
}

/// The time from which the lines after it hold.
pub(super) fn clock_line(at: Timestamp) -> String {
    text(&Line::Clock(milliseconds(at)))
}

/// The whole state of one check.
pub(super) fn check_line(identity: &Identity, state: Option<SavedCheckState>, history: &History) -> String {
    text(&Line::Check(CheckLine {
        id: identity.id.0.clone(),
        fingerprint: identity.fingerprint.0,
        state: state.map(Into::into),
        runs: history.runs().map(Into::into).collect(),
        transitions: history.transitions().map(Into::into).collect(),
    }))
}

/// One more result: its run, and the state after it.
pub(super) fn result_line(identity: &Identity, state: Option<SavedCheckState>, run: &Run) -> String {
    text(&Line::Result(ResultLine {
        id: identity.id.0.clone(),
        fingerprint: identity.fingerprint.0,
        state: state.map(Into::into),
        run: run.into(),
    }))
}

/// A change of status.
pub(super) fn transition_line(id: &HealthCheckId, transition: &PastTransition) -> String {
    text(&Line::Transition(ChangeLine { id: id.0.clone(), transition: transition.into() }))
}

/// An override.
pub(super) fn override_line(granted: &Override) -> String {
    text(&Line::Override(granted.into()))
}

/// Overrides that were cleared or have expired.
pub(super) fn cleared_line(ids: &[OverrideId]) -> String {
    text(&Line::Cleared(ids.iter().map(|id| id.0).collect()))
}

/// A record that is recovering since then, or not any more.
pub(super) fn recovery_line(record: &RecordKey, since: Option<Timestamp>) -> String {
    text(&Line::Recovering(RecoveringLine {
        zone: record.zone.0.clone(),
        name: record.name.to_string(),
        record_type: record.record_type.to_string(),
        set: record.set_identifier.clone(),
        since: since.map(milliseconds),
    }))
}

impl RecoveringLine {
    fn record(&self) -> Option<RecordKey> {
        let (name, record_type) = (Name::parse(&self.name).ok()?, self.record_type.parse().ok()?);
        let set_identifier = self.set.clone();
        Some(RecordKey { zone: HostedZoneId(self.zone.clone()), name, record_type, set_identifier })
    }
}

fn text(line: &Line) -> String {
    serde_json::to_string(line).expect("a line has only strings, numbers and lists of them")
}

impl From<SavedCheckState> for StateLine {
    fn from(state: SavedCheckState) -> StateLine {
        let SavedCheckState { status, opposing, since, agreed } = state;
        let agreed = agreed.map(|agreed| agreed == Status::Healthy);
        StateLine { healthy: status == Status::Healthy, opposing, since: milliseconds(since), agreed }
    }
}

impl From<StateLine> for SavedCheckState {
    fn from(line: StateLine) -> SavedCheckState {
        let StateLine { healthy, opposing, since, agreed } = line;
        let agreed = agreed.map(status);
        SavedCheckState { status: status(healthy), opposing, since: timestamp(since), agreed }
    }
}

impl From<&Run> for RunLine {
    fn from(run: &Run) -> RunLine {
        let Run { observation, status, first, last, results, latency, slowest } = run;
        let Latency { connect, tls_handshake, first_byte, total } = latency;
        RunLine {
            passed: *observation == Observation::Pass,
            missing: *observation == Observation::Missing,
            status: status.to_string(),
            first: milliseconds(*first),
            last: milliseconds(*last),
            results: *results,
            connect: connect.map(microseconds),
            tls_handshake: tls_handshake.map(microseconds),
            first_byte: first_byte.map(microseconds),
            total: microseconds(*total),
            slowest: microseconds(*slowest),
        }
    }
}

impl From<RunLine> for Run {
    fn from(line: RunLine) -> Run {
        let RunLine {
            passed,
            missing,
            status,
            first,
            last,
            results,
            connect,
            tls_handshake,
            first_byte,
            total,
            slowest,
        } = line;
        Run {
            observation: match (passed, missing) {
                (true, _) => Observation::Pass,
                (false, true) => Observation::Missing,
                (false, false) => Observation::Fail,
            },
            status: status.into(),
            first: timestamp(first),
            last: timestamp(last),
            results,
            latency: Latency {
                connect: connect.map(Duration::from_micros),
                tls_handshake: tls_handshake.map(Duration::from_micros),
                first_byte: first_byte.map(Duration::from_micros),
                total: Duration::from_micros(total),
            },
            slowest: Duration::from_micros(slowest),
        }
    }
}

impl From<&PastTransition> for TransitionLine {
    fn from(transition: &PastTransition) -> TransitionLine {
        let PastTransition { at, to, why } = transition;
        TransitionLine { at: milliseconds(*at), healthy: *to == Status::Healthy, why: why.to_string() }
    }
}

impl From<TransitionLine> for PastTransition {
    fn from(line: TransitionLine) -> PastTransition {
        let TransitionLine { at, healthy, why } = line;
        PastTransition { at: timestamp(at), to: status(healthy), why: why.into() }
    }
}

fn status(healthy: bool) -> Status {
    if healthy { Status::Healthy } else { Status::Unhealthy }
}

fn milliseconds(at: Timestamp) -> u64 {
    at.to_milliseconds()
}

fn timestamp(milliseconds: u64) -> Timestamp {
    Timestamp::from_milliseconds(milliseconds)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Action, Drain, Origin, OverrideRequest, Pattern, WeightShare};

    fn at(second: u64) -> Timestamp {
        Timestamp(Duration::from_secs(second))
    }

    fn run(first: u64, results: u32) -> Run {
        Run {
            observation: Observation::Fail,
            status: "Failure: \"quoted\"\nand more".into(),
            first: at(first),
            last: at(first + u64::from(results) - 1),
            results,
            latency: Latency {
                connect: Some(Duration::from_micros(120)),
                tls_handshake: Some(Duration::from_micros(1700)),
                first_byte: None,
                total: Duration::from_millis(3),
            },
            slowest: Duration::from_millis(9),
        }
    }

    #[test]
    fn lines_are_read_as_they_were_written() {
        let (blue, fingerprint) = (HealthCheckId("blue".to_owned()), CheckFingerprint(u64::MAX));
        let identity = Identity { id: blue.clone(), fingerprint };
        let unhealthy =
            SavedCheckState { status: Status::Unhealthy, opposing: None, since: at(7), agreed: Some(Status::Healthy) };
        let state = |opposing| Some(SavedCheckState { opposing, ..unhealthy });
        let mut history = History::default();
        let missing = Run { observation: Observation::Missing, ..run(0, 1) };
        history.put_run(missing.clone());
        history.put_run(run(1, 3));
        let transition = PastTransition { at: at(2), to: Status::Unhealthy, why: "because".into() };
        history.add_transition(transition.clone());
        let mut lines = vec![clock_line(at(9)), check_line(&identity, state(None), &history)];
        let saved_state = SavedState::read(lines.iter().map(String::as_str));
        assert_eq!((saved_state.as_of, &*saved_state.checks[&blue].history), (at(9), &history));
        assert_eq!(
            saved_state.saved_check(&blue, true),
            Some(RestoredCheck { fingerprint, state: state(None).unwrap(), as_of: at(9) })
        );

        lines.push(result_line(&identity, state(Some(1)), &run(1, 12)));
        lines.push(transition_line(&blue, &PastTransition { at: at(13), ..transition }));
        assert!(lines[2].starts_with("{\"result\":") && lines[3].starts_with("{\"transition\":"), "{lines:?}");
        lines.push("{\"from\":\"tomorrow\"}".to_owned());
        assert!(lines.iter().all(|line| !line.contains('\n')));
        let saved_state = SavedState::read(lines.iter().map(String::as_str));
        assert_eq!((saved_state.as_of, saved_state.strange), (at(13), 1));
        assert_eq!(saved_state.saved_check(&blue, true).unwrap().state, state(Some(1)).unwrap());
        let history = &saved_state.checks[&blue].history;
        assert_eq!(history.runs().collect::<Vec<_>>(), [&missing, &run(1, 12)]);
        assert_eq!(history.transitions().count(), 2);
        assert_eq!(saved_state.saved_check(&HealthCheckId("green".to_owned()), true), None);
    }

    #[test]
    fn overrides_are_read_as_they_were_written_until_they_are_cleared() {
        let granted = |id, action, until| {
            let (reason, author) = ("kernel \"update\"".to_owned(), "ada".to_owned());
            let request =
                OverrideRequest { pattern: Pattern(format!("app-{id}*")), action, reason, author, from: at(1), until };
            let origin = (id == 2).then(|| Origin { node: "one".to_owned(), at: at(1) });
            Override { id: OverrideId(id), request, origin }
        };
        let half = Drain { over: Duration::from_secs(300), begins: WeightShare::from_parts(128).unwrap() };
        let (first, second) = (granted(1, Action::Drain(half), Some(at(9))), granted(2, Action::Up, None));
        let lines = [override_line(&first), override_line(&second), cleared_line(&[OverrideId(1)])];
        let read = |count| SavedState::read(lines[..count].iter().map(String::as_str)).overrides;
        assert_eq!(read(1).all(), std::slice::from_ref(&first));
        assert_eq!(read(2).all(), [first, second.clone()]);
        assert_eq!(read(3).all(), [second]);
    }

    #[test]
    fn recovering_records_are_saved_until_they_have_recovered() {
        let record = |set: &str| RecordKey {
            zone: HostedZoneId("Z1".to_owned()),
            name: Name::parse(r"\052.a\040b.lab.test").unwrap(),
            record_type: crate::model::RecordType::Aaaa,
            set_identifier: Some(set.to_owned()),
        };
        let lines = [
            recovery_line(&record("a \"b\""), Some(at(7))),
            recovery_line(&record("b"), Some(at(8))),
            recovery_line(&record("b"), Some(at(9))),
            recovery_line(&record("a \"b\""), None),
        ];
        let read = |count| SavedState::read(lines[..count].iter().map(String::as_str));
        assert_eq!(read(2).recoveries, BTreeMap::from([(record("a \"b\""), at(7)), (record("b"), at(8))]));
        assert_eq!(read(4).recoveries, BTreeMap::from([(record("b"), at(9))]));
        assert_eq!(read(4).strange, 0);
    }
}
