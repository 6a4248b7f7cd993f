//! The files of the cluster as sources of a load, next to those on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::SourceFile;
use crate::load::{FileWrite, Sources};
use crate::objects::Author;
use crate::store::{Contents, ReplaceError, Stamp, WriteState};
use crate::visible_text::visible;

use super::files::ClusterFiles;
use super::mirror::{MirrorFile, name_of, path_of};

/// The files of the cluster, and those on disk.
pub(crate) struct ClusterSources {
    disk: Box<dyn Sources>,
    files: Arc<ClusterFiles>,
    /// Where a write waits for etcd; the threads of loads are not the runtime's.
    runtime: Handle,
}

impl ClusterSources {
    /// The files of the cluster next to those on disk. Call it on a thread of the runtime.
    pub(crate) fn new(files: Arc<ClusterFiles>, disk: impl Sources + 'static) -> ClusterSources {
        ClusterSources { disk: Box::new(disk), files, runtime: Handle::current() }
    }

    /// The name of a file of the cluster.
    fn name<'p>(&self, path: &'p Path) -> Option<&'p str> {
        name_of(path).filter(|_| path.parent() == Some(self.files.directory()))
    }
}

fn stamp_of(file: &MirrorFile) -> Stamp {
    Stamp::of_version(file.stamp, file.text.len() as u64)
}

impl Sources for ClusterSources {
    fn zone_files(&self, directory: &Path) -> Result<Vec<(PathBuf, Option<Stamp>)>, String> {
        if directory == self.files.directory() {
            let mirror = self.files.mirror();
            let file = |(name, file): (&str, &MirrorFile)| (path_of(directory, name), Some(stamp_of(file)));
            let unavailable = mirror.unavailable().map(|name| (path_of(directory, name), None));
            return Ok(mirror.files().map(file).chain(unavailable).collect());
        }
        // A node need not have zones of its own.
        if self.disk.stamp(directory).is_none() { Ok(Vec::new()) } else { self.disk.zone_files(directory) }
    }

    fn may_be_emptied(&self, directory: &Path) -> bool {
        directory == self.files.directory() || self.disk.may_be_emptied(directory)
    }

    fn has_cluster(&self) -> bool {
        true
    }

    fn revision(&self) -> i64 {
        self.files.mirror().followed
    }

    fn author(&self, path: &Path) -> Option<Author> {
        let mirror = self.files.mirror();
        let entry = mirror.file(self.name(path)?)?.entry.clone()?;
        let (name, operation) = entry.author.clone()?;
        Some(Author { name: visible(&format!("{name} on node {}", entry.node)), operation: visible(&operation) })
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        match self.name(path) {
            Some(name) => self.files.mirror().file(name).map(stamp_of),
            None if path == self.files.directory() => Some(Stamp::of_version(0, 0)),
            None => self.disk.stamp(path),
        }
    }

    fn is_in_progress(&self, path: &Path) -> bool {
        self.name(path).is_none() && self.disk.is_in_progress(path)
    }

    fn text(&self, path: &Path) -> Result<Contents, String> {
        let Some(name) = self.name(path) else { return self.disk.text(path) };
        let mirror = self.files.mirror();
        let Some(file) = mirror.file(name) else {
            return mirror.damage(name).map_or(Ok(Contents::Absent), |damage| Err(damage.to_string()));
        };
        let source = SourceFile::new(path, Arc::clone(&file.text));
        Ok(Contents::Text { source, stamp: Some(stamp_of(file)), state: WriteState::Finished })
    }

    fn bytes(&self, path: &Path, at_most: u64) -> Result<Vec<u8>, String> {
        self.disk.bytes(path, at_most)
    }

    fn remove_replaced(&self) {
        self.disk.remove_replaced();
    }

    fn look_at_replaced(&self) -> bool {
        self.disk.look_at_replaced()
    }

    fn write(&self, write: &FileWrite<'_>) -> Result<(), ReplaceError> {
        match self.name(write.path) {
            Some(name) => self.runtime.block_on(self.files.write(name, write)),
            None => {
                Err(ReplaceError::Shared("with `[cluster]`, programs change only the files of the cluster".to_owned()))
            }
        }
    }
}
