//! Connects the control loop to the overrides that the nodes of a cluster share.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::cluster::{ClusterFiles, DocumentFollower, DocumentVersion, EtcdError};
use crate::control::{
    Answer, ChangedOverrides, Event, NewOverrides, OverrideChange, OverrideError, decide_overrides, read_overrides,
    write_overrides,
};

/// How long a change may take.
const WITHIN: Duration = Duration::from_secs(4);
/// How long changes wait while no endpoint does anything: an etcd without one of its members has
/// another leader after one or two seconds.
const ELECTION: Duration = Duration::from_secs(3);
/// The pause before a transaction is sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The overrides in etcd, for the loop.
struct SharedOverrides {
    files: Arc<ClusterFiles>,
    changes: mpsc::Receiver<OverrideChange>,
    events: mpsc::Sender<Event>,
}

/// Why a change was not made, or perhaps was not.
enum NotMade {
    /// The overrides do not allow it.
    Refused(OverrideError),
    /// etcd did not confirm it.
    Lost(String),
}

/// The connection to etcd is lost, or what etcd has cannot be used.
struct Lost {
    why: String,
    since: Instant,
}

/// Follows the overrides in etcd, and changes them there, until the server stops.
pub(super) async fn run(
    files: Arc<ClusterFiles>,
    changes: mpsc::Receiver<OverrideChange>,
    events: mpsc::Sender<Event>,
) {
    let mut shared = SharedOverrides { files, changes, events };
    let (mut pause, mut lost) = (FIRST_PAUSE, None);
    loop {
        let began = Instant::now();
        let Err(Lost { why, since }) = shared.follow(&mut lost).await;
        let before: Option<Lost> = lost.take();
        if before.as_ref().is_none_or(|before| before.why != why) {
            tracing::warn!("{why}; the overrides stay as they are, and cannot be changed");
        }
        pause = if began.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        let lost = lost.insert(Lost { why, since: before.map_or(since, |before| before.since) });
        refusing(&mut shared.changes, Some(lost), sleep(pause)).await;
    }
}

/// Refuses changes while the work is not done, if the connection is lost for long enough.
async fn refusing<T>(
    changes: &mut mpsc::Receiver<OverrideChange>,
    lost: Option<&Lost>,
    work: impl Future<Output = T>,
) -> T {
    let Some(Lost { why, since }) = lost else { return work.await };
    let mut work = pin!(work);
    if let Ok(done) = timeout_at(*since + ELECTION, &mut work).await {
        return done;
    }
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(change) = changes.recv() => change.refuse(&format!("the overrides stay as they are: {why}")),
        }
    }
}

impl SharedOverrides {
    /// Returns when the connection is lost. Until there is one, changes are refused if it was
    /// `lost`.
    async fn follow(&mut self, lost: &mut Option<Lost>) -> Result<Infallible, Lost> {
        let document = self.files.overrides();
        let following = refusing(&mut self.changes, lost.as_ref(), document.follow()).await;
        let mut follower = following.map_err(|error| Lost::now(of_etcd(&error)))?;
        self.tell(follower.current(), None).await.map_err(Lost::now)?;
        if lost.take().is_some() {
            tracing::info!("the overrides of the cluster are followed again");
        }
        loop {
            tokio::select! {
                changed = follower.changed() => {
                    changed.map_err(|error| Lost::now(of_etcd(&error)))?;
                    self.tell(follower.current(), None).await.map_err(Lost::now)?;
                }
                Some(change) = self.changes.recv() => {
                    let since = Instant::now();
                    self.change(&mut follower, change).await.map_err(|why| Lost { why, since })?;
                }
            }
        }
    }

    /// Hands the current overrides to the loop.
    async fn tell(&self, current: &DocumentVersion, answer: Option<(ChangedOverrides, Answer)>) -> Result<(), String> {
        let overrides = current.text.as_deref().map(read_overrides).transpose()?;
        let event = Event::SharedOverrides(Box::new(NewOverrides { overrides, answer }));
        // A loop that has ended needs no events.
        let _ = self.events.send(event).await;
        Ok(())
    }

    /// Makes a change, or refuses it. The error is the reason why what etcd has is not known any
    /// more.
    async fn change(&self, follower: &mut DocumentFollower, change: OverrideChange) -> Result<(), String> {
        let made = timeout_at(Instant::now() + WITHIN, self.make(follower, &change)).await;
        let late = |_| Err(NotMade::Lost("etcd: it does not answer in time".to_owned()));
        match made.unwrap_or_else(late) {
            Ok(Some(changed)) => self.tell(follower.current(), change.answer.map(|answer| (changed, answer))).await,
            Ok(None) => Ok(()),
            Err(NotMade::Refused(error)) => {
                change.answer_with(error);
                Ok(())
            }
            Err(NotMade::Lost(why)) => {
                change.refuse(&format!("the change may have been made; {why}"));
                Err(why)
            }
        }
    }

    /// Decides a change on what etcd has, until no other node was faster. `None` if nothing
    /// changes.
    async fn make(
        &self,
        follower: &mut DocumentFollower,
        change: &OverrideChange,
    ) -> Result<Option<ChangedOverrides>, NotMade> {
        loop {
            let overrides = follower.current().text.as_deref().map(read_overrides).transpose();
            let mut overrides = overrides.map_err(NotMade::Lost)?.unwrap_or_default();
            let decided = decide_overrides(&mut overrides, &change.requested, self.files.node(), change.at);
            let Some(changed) = decided.map_err(NotMade::Refused)? else { return Ok(None) };
            if replace(follower, &write_overrides(&overrides)).await? {
                return Ok(Some(changed));
            }
            self.tell(follower.current(), None).await.map_err(NotMade::Lost)?;
        }
    }
}

/// Replaces the document, also if no endpoint does it at first. It may be sent several times.
async fn replace(follower: &mut DocumentFollower, text: &[u8]) -> Result<bool, NotMade> {
    let until = Instant::now() + ELECTION;
    loop {
        match follower.replace(text.to_vec()).await {
            Err(EtcdError::Unreachable(_)) if Instant::now() + PAUSE < until => sleep(PAUSE).await,
            Err(EtcdError::Unreachable(why)) => return Err(NotMade::Lost(format!("etcd: {why}"))),
            Err(error) => return Err(NotMade::Refused(OverrideError::Unavailable(error.to_string()))),
            Ok(is_done) => return Ok(is_done),
        }
    }
}

impl Lost {
    fn now(why: String) -> Lost {
        Lost { why, since: Instant::now() }
    }
}

fn of_etcd(error: &EtcdError) -> String {
    format!("etcd: {error}")
}
