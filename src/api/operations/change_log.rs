//! The last changes, which GetChange reports.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::ids;
use crate::api::time::iso_8601;
use crate::api::xml::Writer;
use crate::objects::{ChangeProgress, ChangeTracker, Submission};

/// How many changes are known; older ones are forgotten.
const MOST_CHANGES: usize = 10_000;

/// A change that was made (API ChangeInfo).
#[derive(Clone, Debug)]
pub(super) struct ChangeInfo {
    id: String,
    submitted_at: SystemTime,
    comment: Option<String>,
    /// How long it is reported as PENDING.
    delay: Duration,
    /// Whether all nodes of the cluster, if there is one, have it.
    is_everywhere: bool,
}

/// The last changes.
///
/// A change is in the answers before it is acknowledged. With a delay, GetChange nevertheless says
/// PENDING that long, so that programs can be tested with a change that takes time.
#[derive(Default)]
pub(super) struct ChangeLog {
    insync_delay: Duration,
    known: Mutex<Known>,
    /// Knows when all nodes of a cluster have a change.
    tracker: Option<Arc<dyn ChangeTracker>>,
}

#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<String, ChangeInfo>,
    oldest_first: VecDeque<String>,
}

impl ChangeLog {
    /// An empty log of changes that are PENDING this long.
    pub(super) fn new(insync_delay: Duration) -> ChangeLog {
        ChangeLog { insync_delay, ..ChangeLog::default() }
    }

    /// The same in a cluster.
    pub(super) fn with_tracker(self, tracker: Option<Arc<dyn ChangeTracker>>) -> ChangeLog {
        ChangeLog { tracker, ..self }
    }

    /// A change that the request is about to make. Its id is in the history too.
    pub(super) fn begin(&self, request: &Request, comment: Option<&str>) -> Result<Submission, ApiError> {
        let submission = Submission { id: ids::change()?, comment: comment.map(str::to_owned) };
        // An operation makes at most one change.
        let _ = request.submission.set(submission.clone());
        Ok(submission)
    }

    /// Adds a change that was just made.
    pub(super) fn add(&self, submission: Submission) -> ChangeInfo {
        self.restore(submission, SystemTime::now())
    }

    /// Adds a change of a run of the server before this one.
    pub(super) fn restore(&self, submission: Submission, submitted_at: SystemTime) -> ChangeInfo {
        let Submission { id, comment } = submission;
        let is_everywhere = self.progress(&id).is_none_or(|progress| progress.is_everywhere);
        let info = ChangeInfo { id, submitted_at, comment, delay: self.insync_delay, is_everywhere };
        let mut known = self.lock();
        known.oldest_first.push_back(info.id.clone());
        known.by_id.insert(info.id.clone(), info.clone());
        while known.oldest_first.len() > MOST_CHANGES {
            let oldest = known.oldest_first.pop_front().expect("it has more than none");
            known.by_id.remove(&oldest);
        }
        info
    }

    /// The change with this id.
    pub(super) fn get(&self, id: &str) -> Result<ChangeInfo, ApiError> {
        let mut found = self.lock().by_id.get(id).cloned();
        if let Some(ChangeProgress { submission, submitted_at, is_everywhere }) = self.progress(id) {
            let made_here = found.map(|info| ChangeInfo { is_everywhere, ..info });
            let Submission { id, comment } = submission;
            let made_there = || ChangeInfo { id, submitted_at, comment, delay: self.insync_delay, is_everywhere };
            found = Some(made_here.unwrap_or_else(made_there));
        }
        found.ok_or_else(|| ApiError::new(Code::NoSuchChange, format!("Could not find resource with ID: {id}")))
    }

    fn progress(&self, id: &str) -> Option<ChangeProgress> {
        self.tracker.as_ref()?.progress(id)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // Nothing is half done when a thread panics.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// GetChange.
pub(super) fn get(context: &Context, request: &Request) -> Outcome {
    let info = context.change_log.get(request.id("Id"))?;
    Ok(request.response(|xml| info.write(xml)))
}

impl ChangeInfo {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The element `ChangeInfo`.
    pub(super) fn write(&self, xml: &mut Writer) {
        self.write_at(SystemTime::now(), xml);
    }

    fn write_at(&self, now: SystemTime, xml: &mut Writer) {
        // A clock that was set back makes no change pending.
        let age = now.duration_since(self.submitted_at).unwrap_or(self.delay);
        xml.parent("ChangeInfo", |xml| {
            xml.element("Id", format_args!("/change/{}", self.id));
            xml.element("Status", if age < self.delay || !self.is_everywhere { "PENDING" } else { "INSYNC" });
            xml.element("SubmittedAt", iso_8601(self.submitted_at));
            xml.optional("Comment", self.comment.as_deref());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(number: usize) -> Submission {
        Submission { id: format!("C{number}"), comment: Some("a <comment>".to_owned()) }
    }

    fn status(info: &ChangeInfo, after: Duration) -> String {
        let mut xml = Writer::root("R", "ns");
        info.write_at(info.submitted_at + after, &mut xml);
        let text = xml.finish();
        text[text.find("<Status>").unwrap() + 8..text.find("</Status>").unwrap()].to_owned()
    }

    #[test]
    fn a_change_is_pending_for_the_delay() {
        let at_once = ChangeLog::default().add(submission(0));
        assert_eq!(status(&at_once, Duration::ZERO), "INSYNC");
        let log = ChangeLog::new(Duration::from_secs(2));
        let info = log.add(submission(1));
        let known = log.get(&info.id).unwrap();
        assert_eq!(status(&known, Duration::from_millis(1999)), "PENDING");
        assert_eq!(status(&known, Duration::from_secs(2)), "INSYNC");
    }

    #[test]
    fn the_oldest_changes_are_forgotten() {
        let log = ChangeLog::default();
        let first = log.add(submission(0));
        let second = log.add(submission(1));
        for number in 1..MOST_CHANGES {
            log.add(submission(number + 1));
        }
        let unknown = log.get(&first.id).unwrap_err();
        assert_eq!(
            (unknown.code(), unknown.message()),
            (Code::NoSuchChange, &*format!("Could not find resource with ID: {}", first.id))
        );
        assert!(log.get(&second.id).is_ok());
        assert_eq!(log.lock().by_id.len(), MOST_CHANGES);
    }
}
