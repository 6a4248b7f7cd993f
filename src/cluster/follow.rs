//! Follows etcd: lists all files, then watches what changes. After any doubt it lists again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};

use super::document::DocumentVersion;
use super::etcd::{EtcdError, KeyChange, Range, Watch, WatchBatch};
use super::files::{ClusterFiles, Link};
use super::keys::is_file_name;
use super::list::{Fetched, ListError, fetch};
use super::mirror::{Damage, Mirror, StoredFile};

/// How often a node asks etcd whether its watch is behind.
const LOOK: Duration = Duration::from_secs(5);
/// Why the link is lost when a change had no answer.
pub(super) const UNANSWERED: &str = "it does not answer in time";
/// How long the report of a change may take before the watch is replaced.
const LATE: Duration = Duration::from_secs(2);
/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Takes everything that etcd has, within this time. Returns whether that was possible.
pub(crate) async fn connect(files: &ClusterFiles, within: Duration) -> bool {
    let listed = timeout(within, take_list(files)).await;
    let why = match listed {
        Ok(Ok(_)) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", within.as_secs()),
    };
    files.set_link(Link::Lost(why));
    false
}

/// Follows etcd until the server stops. Calls `tell` when files have other texts.
pub(crate) async fn follow(files: Arc<ClusterFiles>, mut tell: impl FnMut() + Send) {
    let (mut pause, mut reported) = (FIRST_PAUSE, None);
    loop {
        let began = Instant::now();
        let Err(error) = follow_once(&files, &mut tell, &mut reported).await;
        let why = error.to_string();
        if matches!(error, ListError::Etcd(EtcdError::Compacted)) {
            tracing::info!("etcd: {why}; all files are compared again");
        } else if reported.as_ref() != Some(&why) {
            tracing::warn!("etcd: {why}; the files are served as they are, and cannot be changed");
            reported = Some(why.clone());
        }
        files.set_link(Link::Lost(why));
        pause = if began.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        sleep(pause).await;
    }
}

/// Returns when the connection is lost.
async fn follow_once(
    files: &ClusterFiles,
    tell: &mut (impl FnMut() + Send),
    reported: &mut Option<String>,
) -> Result<Infallible, ListError> {
    if take_list(files).await? {
        tell();
    }
    let from = files.mirror().followed + 1;
    let mut watch = files.etcd.watch(&files.keys.files(), from).await?;
    let mut version = files.version().follow().await?;
    take_version(files, version.current())?;
    files.set_link(Link::Following);
    if reported.take().is_some() {
        tracing::info!("the files of etcd are followed again: {}", files.count());
    }
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            changed = version.changed() => {
                changed?;
                take_version(files, version.current())?;
            }
            batch = watch.next() => take_batch(files, &batch?, tell).await?,
            _ = looks.tick() => look(files, &mut *watch, tell).await?,
            () = files.doubted.notified() => return Err(EtcdError::Unreachable(UNANSWERED.to_owned()).into()),
        }
    }
}

/// Takes all files as etcd has them. Returns whether any of them differs.
async fn take_list(files: &ClusterFiles) -> Result<bool, ListError> {
    let listing = files.list().await?;
    let differs = {
        let mut mirror = files.mirror();
        listing.damaged.iter().filter(|damage| mirror.is_news(damage)).for_each(|damage| report(&mirror, damage));
        mirror.version = listing.version;
        mirror.take_list(listing.revision, listing.shared, listing.files, listing.damaged)
    };
    files.publish_followed();
    files.set_link(Link::Following);
    Ok(differs)
}

/// Takes the version of the layout. `apply` writes the first one after the files.
fn take_version(files: &ClusterFiles, found: &DocumentVersion) -> Result<(), ListError> {
    if found.changed != files.mirror().version {
        files.check_version(found)?;
        files.mirror().version = found.changed;
    }
    Ok(())
}

async fn take_batch(
    files: &ClusterFiles,
    batch: &WatchBatch,
    tell: &mut (impl FnMut() + Send),
) -> Result<(), ListError> {
    if batch.changes.iter().any(|change| matches!(change, KeyChange::Deleted(..))) {
        // Files that are removed with the version of the layout were not removed by a node.
        take_version(files, &files.version().read().await?)?;
    }
    files.waiting.take(&files.keys, &files.node, &batch.changes);
    let (applied, before) = {
        let mut mirror = files.mirror();
        let before = mirror.foreign;
        let applied = mirror.take_batch(&files.keys, batch);
        applied.damaged.iter().for_each(|damage| report(&mirror, damage));
        (applied, before)
    };
    for stored in applied.to_fetch {
        let at = stored.changed;
        take_fetched(files, fetch(&*files.etcd, &files.keys, stored, at).await?, |mirror, stored, text| {
            mirror.put(stored, text, 0);
        });
    }
    for name in applied.to_verify {
        let Some(stored) = files.mirror().stored(&name) else { continue };
        let at = stored.changed.max(batch.revision);
        take_fetched(files, fetch(&*files.etcd, &files.keys, stored, at).await?, |mirror, stored, text| {
            mirror.verified(stored, text, at);
        });
    }
    let foreign = {
        let mut mirror = files.mirror();
        mirror.follow(batch.revision);
        mirror.foreign != before
    };
    files.publish_followed();
    applied.entries.iter().for_each(|(at, entry)| files.changes.add(*at, entry));
    if foreign {
        tell();
    }
    Ok(())
}

/// Takes a file that was read, or notes that it is damaged.
fn take_fetched(files: &ClusterFiles, fetched: Fetched, take: impl FnOnce(&mut Mirror, StoredFile, Arc<str>)) {
    let mut mirror = files.mirror();
    match fetched {
        Fetched::File(stored, text) => take(&mut mirror, stored, text),
        Fetched::Damaged(damage) => {
            if let Some(damage) = mirror.take_damage(damage) {
                report(&mirror, &damage);
            }
        }
    }
}

fn report(mirror: &Mirror, damage: &Damage) {
    match mirror.file(&damage.name) {
        _ if !is_file_name(&damage.name) => tracing::error!("{damage}"),
        Some(_) => tracing::error!("{damage}; this node serves the copy that it has"),
        None => tracing::error!("{damage}; this node has no copy of it"),
    }
}

/// Asks for the last change: the watch must report it soon.
async fn look(files: &ClusterFiles, watch: &mut dyn Watch, tell: &mut (impl FnMut() + Send)) -> Result<(), ListError> {
    let last = files.etcd.range(Range::key(files.keys.changed())).await?.pairs.pop().map_or(0, |pair| pair.changed);
    let until = Instant::now() + LATE;
    while files.mirror().followed < last {
        let batch = timeout_at(until, watch.next()).await;
        let batch = batch.map_err(|_| EtcdError::Unreachable("the watch does not report changes".to_owned()))??;
        take_batch(files, &batch, tell).await?;
    }
    Ok(())
}
