//! What commands see and change without a server.

use std::collections::BTreeMap;

use crate::config::SourceFile;
use crate::load::{FileWrite, Reach};
use crate::objects::Author;
use crate::store::ReplaceError;

use super::etcd::{EtcdError, Range, StoreRevision, read_all};
use super::files::ClusterFiles;
use super::mirror::path_of;
use super::node_state::{NodeState, node};
use super::write::Writer;

/// What `fiftythree cluster status` shows.
#[derive(Clone, Debug)]
pub(crate) struct ClusterStatus {
    /// The last change of a file.
    pub(crate) revision: StoreRevision,
    /// The nodes that live, by name.
    pub(crate) nodes: BTreeMap<String, NodeState>,
    /// Servers that have the name of a node, and do not count.
    pub(crate) refused: BTreeMap<String, NodeState>,
    /// Why keys of nodes cannot be read.
    pub(crate) unreadable: Vec<String>,
}

impl ClusterFiles {
    /// All files.
    pub(crate) fn texts(&self) -> Vec<SourceFile> {
        let mirror = self.mirror();
        mirror.files().map(|(name, file)| SourceFile::new(path_of(self.directory(), name), file.text.clone())).collect()
    }

    /// Whether etcd has a version of the layout. Without one, nodes that have files believe
    /// nothing.
    pub(crate) fn has_version(&self) -> bool {
        self.mirror().version != 0
    }

    /// The files that are damaged in etcd, with the reason.
    pub(crate) fn damaged(&self) -> BTreeMap<String, String> {
        self.mirror().all_damaged().map(|damage| (damage.name.clone(), damage.to_string())).collect()
    }

    /// Gives a file another text, or removes it, if it has the text that was read. A
    /// damaged file has none.
    pub(crate) async fn write_text(
        &self,
        name: &str,
        before: Option<&str>,
        after: Option<&str>,
        author: &Author,
    ) -> Result<(), ReplaceError> {
        let (path, decided_on) = (path_of(self.directory(), name), self.mirror().followed);
        let (author, reach) = (Some(author), Reach::Others);
        let write = FileWrite { path: &path, before, after, author, submission: None, reach, decided_on };
        self.write_by(Writer::Apply, name, &write).await
    }

    /// All files are written: from now on nodes believe what etcd has.
    pub(crate) async fn complete(&self) -> Result<(), String> {
        self.write_version().await.map_err(|error| error.to_string())
    }

    /// The nodes, and the last change that they should have.
    pub(crate) async fn status(&self) -> Result<ClusterStatus, EtcdError> {
        let changed = self.etcd.range(Range::key(self.keys.changed())).await?.pairs.pop();
        let (mut unreadable, mut nodes, mut refused) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (prefix, into) in [(self.keys.nodes(), &mut nodes), (self.keys.all_refused(), &mut refused)] {
            for pair in read_all(&*self.etcd, &prefix, None).await?.1 {
                match node(&pair, &prefix) {
                    Ok((name, state)) => drop(into.insert(name, state)),
                    Err(why) => unreadable.push(why),
                }
            }
        }
        // What a run of the node wrote while an earlier one had the name.
        refused.retain(|name, second| nodes.get(name).is_none_or(|node| !node.continues(second)));
        Ok(ClusterStatus { revision: changed.map_or(0, |pair| pair.changed), nodes, refused, unreadable })
    }
}
