//! The files of the cluster on this node, shared by what follows etcd, what serves the files and
//! what changes them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::config::{ClusterSettings, SourceFile};
use crate::objects::{ChangeProgress, ChangeTracker};

use super::document::Document;
use super::etcd::{Etcd, LeaseId, StoreRevision};
use super::gateway::{BadCluster, Gateway};
use super::keys::Keys;
use super::layout::Layout;
use super::mirror::Mirror;
use super::node_state::Nodes;
use super::progress::Changes;
use super::seal::{ClusterSecret, SealedDocument};
use super::turns::WaitingNodes;

/// The files of the cluster.
pub(crate) struct ClusterFiles {
    pub(super) etcd: Arc<dyn Etcd>,
    pub(super) keys: Keys,
    /// The version of the layout, which every write expects.
    pub(super) layout: Arc<Layout>,
    /// The name of this node.
    pub(super) node: String,
    /// What all nodes have, if they share secrets.
    secret: Option<Arc<ClusterSecret>>,
    directory: PathBuf,
    mirror: Mutex<Mirror>,
    followed: watch::Sender<StoreRevision>,
    link: watch::Sender<Link>,
    /// When the link was lost last, unless it never was.
    lost_at: Mutex<Option<Instant>>,
    /// A change was not answered: the link may be lost.
    pub(super) doubted: Notify,
    /// Who waits for its turn to change a file.
    pub(super) waiting: WaitingNodes,
    /// The changes of all nodes.
    pub(super) changes: Changes,
    nodes: watch::Sender<Nodes>,
    /// Why the other nodes do not count this one, if it tried to register and could not.
    pub(super) not_registered: Mutex<Option<String>>,
    /// The lease of this node, while it is registered.
    pub(super) lease: watch::Sender<Option<LeaseId>>,
}

/// Whether this node follows etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It has not reached etcd yet.
    Connecting,
    /// Its files are those of etcd.
    Following,
    /// It does not reach etcd, or does not use what it has. The reason.
    Lost(String),
}

/// What the metrics say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Whether this node follows etcd.
    pub(crate) is_connected: bool,
    /// The number of files.
    pub(crate) files: usize,
    /// The number of nodes.
    pub(crate) nodes: usize,
    /// Whether the other nodes count this one.
    pub(crate) is_registered: bool,
    /// This node answers with every change up to this revision.
    pub(crate) revision: StoreRevision,
}

impl ClusterFiles {
    /// The cluster of these settings, with the copies of the last run. Reads the files that the
    /// settings name, but does not connect.
    pub(crate) fn open(
        settings: &ClusterSettings,
        copies: Vec<(PathBuf, Option<SourceFile>)>,
    ) -> Result<ClusterFiles, BadCluster> {
        let etcd = Arc::new(Gateway::new(settings)?);
        let secret = settings.secret_file.as_deref().map(ClusterSecret::read).transpose()?;
        Ok(ClusterFiles { secret: secret.map(Arc::new), ..ClusterFiles::new(etcd, settings, copies) })
    }

    /// The copies of the last run, until etcd says what is current.
    pub(crate) fn new(
        etcd: Arc<dyn Etcd>,
        settings: &ClusterSettings,
        copies: Vec<(PathBuf, Option<SourceFile>)>,
    ) -> ClusterFiles {
        let keys = Keys::new(&settings.prefix);
        ClusterFiles {
            etcd,
            layout: Arc::new(Layout::new(keys.version())),
            keys,
            node: settings.node.clone(),
            secret: None,
            directory: settings.directory(),
            mirror: Mutex::new(Mirror::of_copies(copies)),
            followed: watch::Sender::new(0),
            link: watch::Sender::new(Link::Connecting),
            lost_at: Mutex::default(),
            doubted: Notify::new(),
            waiting: WaitingNodes::default(),
            changes: Changes::default(),
            nodes: watch::Sender::default(),
            not_registered: Mutex::default(),
            lease: watch::Sender::default(),
        }
    }

    /// What stands for the directory of the files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name of this node.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// The overrides of all nodes.
    pub(crate) fn overrides(&self) -> Document {
        Document::new(Arc::clone(&self.etcd), self.keys.overrides(), Arc::clone(&self.layout))
    }

    /// The version of the layout.
    pub(super) fn version(&self) -> Document {
        Document::new(Arc::clone(&self.etcd), self.keys.version(), Arc::clone(&self.layout))
    }

    /// The secrets of DNS cookies; `None` if the nodes share no secrets.
    pub(crate) fn cookie_secrets(&self) -> Option<SealedDocument> {
        let document = Document::new(Arc::clone(&self.etcd), self.keys.cookie_secrets(), Arc::clone(&self.layout));
        Some(SealedDocument::new(document, Arc::clone(self.secret.as_ref()?)))
    }

    /// Another one if the secrets of two nodes differ.
    pub(crate) fn secret_id(&self) -> &str {
        self.secret.as_ref().map_or("none", |secret| secret.id())
    }

    /// Whether this node follows etcd.
    pub(crate) fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// The nodes that live, as far as this one knows.
    pub(crate) fn nodes(&self) -> Nodes {
        self.nodes.borrow().clone()
    }

    /// Why the other nodes do not count this one, if it tried to register and could not.
    pub(crate) fn not_registered(&self) -> Option<String> {
        self.not_registered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_not_registered(&self, why: Option<&str>) {
        *self.not_registered.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    /// Where the nodes are published.
    pub(crate) fn nodes_sender(&self) -> watch::Sender<Nodes> {
        self.nodes.clone()
    }

    /// How far the files follow etcd.
    pub(crate) fn followed(&self) -> watch::Receiver<StoreRevision> {
        self.followed.subscribe()
    }

    /// With every change up to which revision this node answers, if what it serves was loaded from
    /// the files when they were at `loaded`. Its own changes are served before etcd reports them.
    pub(crate) fn applied(&self, loaded: StoreRevision) -> StoreRevision {
        let mirror = self.mirror();
        if mirror.foreign <= loaded { mirror.followed } else { loaded }
    }

    /// What the metrics say, if what is served was loaded from the files when they were at
    /// `loaded`.
    pub(crate) fn reading(&self, loaded: StoreRevision) -> Reading {
        Reading {
            is_connected: *self.link.borrow() == Link::Following,
            files: self.count(),
            nodes: self.nodes().len(),
            is_registered: self.lease.borrow().is_some() && self.not_registered().is_none(),
            revision: self.applied(loaded),
        }
    }

    /// The last change of a file that this node knows.
    pub(crate) fn last_change(&self) -> StoreRevision {
        self.mirror().last_change()
    }

    /// How many files there are.
    pub(crate) fn count(&self) -> usize {
        self.mirror().files().count()
    }

    pub(super) fn mirror(&self) -> MutexGuard<'_, Mirror> {
        // Nothing is half done when a thread panics.
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for it how far the files follow.
    pub(super) fn publish_followed(&self) {
        let followed = self.mirror().followed;
        self.followed.send_if_modified(|known| std::mem::replace(known, followed) != followed);
    }

    /// Waits until the files have everything up to this revision.
    pub(super) async fn wait_for(&self, revision: StoreRevision) {
        let mut followed = self.followed.subscribe();
        // The sender lives as long as this.
        let _ = followed.wait_for(|followed| *followed >= revision).await;
    }

    pub(super) fn set_link(&self, link: Link) {
        self.link.send_if_modified(|known| {
            let differs = *known != link;
            if matches!(link, Link::Lost(_)) && !matches!(known, Link::Lost(_)) {
                *self.lost_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            *known = link;
            differs
        });
    }

    /// A change that began at `since` was not answered. Further ones do not wait as long as it did.
    pub(super) fn doubt(&self, why: &str, since: Instant) {
        self.set_link(Link::Lost(why.to_owned()));
        *self.lost_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(since);
        self.doubted.notify_one();
    }

    /// The link, after a wait for a lost one to return. It ends so long after the loss.
    pub(super) async fn link_within(&self, patience: Duration) -> Link {
        let lost_at = *self.lost_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut link = self.link.subscribe();
        if let Some(lost_at) = lost_at {
            // The sender lives as long as this.
            let _ = timeout_at(lost_at + patience, link.wait_for(|link| !matches!(link, Link::Lost(_)))).await;
        }
        link.borrow().clone()
    }
}

impl ChangeTracker for ClusterFiles {
    fn progress(&self, id: &str) -> Option<ChangeProgress> {
        self.changes.progress(id, &self.nodes())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Link::Connecting => f.write_str("etcd was not reached yet"),
            Link::Following => f.write_str("connected to etcd"),
            Link::Lost(why) => write!(f, "etcd: {why}"),
        }
    }
}
