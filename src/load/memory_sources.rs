//! Sources in memory, for tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::SourceFile;
use crate::store::{Contents, ReplaceError, Stamp, WriteState};

use super::{FileWrite, Sources};

/// Files by path. Every write gives a file another stamp.
#[derive(Debug, Default)]
pub(crate) struct MemorySources {
    files: Mutex<BTreeMap<PathBuf, File>>,
}

#[derive(Clone, Debug)]
struct File {
    bytes: Vec<u8>,
    version: u64,
    state: WriteState,
    reads: usize,
}

impl MemorySources {
    pub(crate) fn of(files: &[(&str, &str)]) -> MemorySources {
        let sources = MemorySources::default();
        files.iter().for_each(|(path, text)| sources.write(path, text));
        sources
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        self.write_as(path, text, WriteState::Finished);
    }

    /// The same with a writer that may not be done.
    pub(crate) fn write_as(&self, path: &str, text: impl AsRef<[u8]>, state: WriteState) {
        let mut files = self.files();
        let version = files.get(Path::new(path)).map_or(1, |file| file.version + 1);
        files.insert(path.into(), File { bytes: text.as_ref().to_vec(), version, state, reads: 0 });
    }

    pub(crate) fn delete(&self, path: &str) {
        self.files().remove(Path::new(path));
    }

    /// How often a file was read since it was written.
    pub(crate) fn reads(&self, path: &str) -> usize {
        self.files()[Path::new(path)].reads
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, File>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File {
    fn stamp(&self) -> Stamp {
        Stamp::of_version(self.version, self.bytes.len() as u64)
    }
}

impl Sources for MemorySources {
    fn zone_files(&self, directory: &Path) -> Result<Vec<(PathBuf, Option<Stamp>)>, String> {
        let files = self.files();
        let in_directory = files.iter().filter(|(path, _)| path.parent() == Some(directory));
        Ok(in_directory.map(|(path, file)| (path.clone(), Some(file.stamp()))).collect())
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.files().get(path).map(File::stamp)
    }

    fn is_in_progress(&self, path: &Path) -> bool {
        self.files().get(path).is_some_and(|file| file.state == WriteState::InProgress)
    }

    fn text(&self, path: &Path) -> Result<Contents, String> {
        let mut files = self.files();
        let Some(file) = files.get_mut(path) else { return Ok(Contents::Absent) };
        if file.state == WriteState::InProgress {
            return Ok(Contents::InProgress);
        }
        file.reads += 1;
        let text = String::from_utf8(file.bytes.clone()).map_err(|error| error.to_string())?;
        let (source, stamp) = (SourceFile::new(path, text), Some(file.stamp()));
        Ok(Contents::Text { source, stamp, state: file.state })
    }

    fn bytes(&self, path: &Path, _: u64) -> Result<Vec<u8>, String> {
        self.files().get(path).map(|file| file.bytes.clone()).ok_or_else(|| "there is no such file".to_owned())
    }

    fn write(&self, write: &FileWrite<'_>) -> Result<(), ReplaceError> {
        let mut files = self.files();
        let version = match (files.get(write.path), write.before) {
            (Some(file), Some(before)) if file.bytes == before.as_bytes() => file.version + 1,
            (None, None) => 1,
            _ => return Err(ReplaceError::Changed),
        };
        match write.after {
            Some(after) => {
                let (bytes, state) = (after.as_bytes().to_vec(), WriteState::Finished);
                files.insert(write.path.into(), File { bytes, version, state, reads: 0 });
            }
            None => drop(files.remove(write.path)),
        }
        Ok(())
    }
}
