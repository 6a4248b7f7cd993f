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
        let Err(why) = shared.follow(lost.as_deref()).await;
        if lost.as_ref() != Some(&why) {
            tracing::warn!("{why}; the overrides stay as they are, and cannot be changed");
        }
        pause = if began.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        refusing(&mut shared.changes, Some(&why), sleep(pause)).await;
        lost = Some(why);
    }
}

/// Refuses changes while the work is not done, if there is a reason to.
async fn refusing<T>(
    changes: &mut mpsc::Receiver<OverrideChange>,
    why: Option<&str>,
    work: impl Future<Output = T>,
) -> T {
    let Some(why) = why else { return work.await };
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(change) = changes.recv() => change.refuse(&format!("the overrides stay as they are: {why}")),
        }
    }
}

impl SharedOverrides {
    /// Returns when the connection is lost. Until there is one, changes are refused if `lost` says
    /// why.
    async fn follow(&mut self, lost: Option<&str>) -> Result<Infallible, String> {
        let document = self.files.overrides();
        let mut follower =
            refusing(&mut self.changes, lost, document.follow()).await.map_err(|error| of_etcd(&error))?;
        self.tell(follower.current(), None).await?;
        if lost.is_some() {
            tracing::info!("etcd answers again: the overrides are followed");
        }
        loop {
            tokio::select! {
                changed = follower.changed() => {
                    changed.map_err(|error| of_etcd(&error))?;
                    self.tell(follower.current(), None).await?;
                }
                Some(change) = self.changes.recv() => self.change(&mut follower, change).await?,
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
        let made =
            made.unwrap_or_else(|_| Err(NotMade::Lost(format!("etcd: no answer within {} s", WITHIN.as_secs()))));
        match made {
            Ok(Some(changed)) => self.tell(follower.current(), change.answer.map(|answer| (changed, answer))).await,
            Ok(None) => Ok(()),
            Err(NotMade::Refused(error)) => {
                change.answer_with(error);
                Ok(())
            }
            Err(NotMade::Lost(why)) => {
                change.refuse(&format!("the change is not confirmed: {why}"));
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
            let is_done = follower.replace(write_overrides(&overrides)).await;
            if is_done.map_err(|error| NotMade::Lost(of_etcd(&error)))? {
                return Ok(Some(changed));
            }
            self.tell(follower.current(), None).await.map_err(NotMade::Lost)?;
        }
    }
}

fn of_etcd(error: &EtcdError) -> String {
    format!("etcd: {error}")
}
