//! Zone files in memory: `fiftythree serve --in-memory` reads the files once and writes nothing.
//! Changes are lost when the server stops, and a reset undoes all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::SourceFile;
use crate::store::{Contents, ReplaceError, Stamp, WriteState, Writers, read_text};

use super::{FileSources, FileWrite, Sources};

/// Zone files in memory. The settings and the geo databases are on disk.
#[derive(Debug)]
pub(crate) struct InMemorySources {
    disk: FileSources,
    directories: Vec<PathBuf>,
    initial: BTreeMap<PathBuf, SourceFile>,
    files: Mutex<Files>,
}

/// The files, and a number that each write raises, so that each has a stamp of its own.
#[derive(Debug, Default)]
struct Files {
    texts: BTreeMap<PathBuf, (SourceFile, u64)>,
    writes: u64,
}

impl InMemorySources {
    /// The zone files of these directories as they are now. A directory that is not there has none.
    pub(crate) fn read(directories: &[PathBuf]) -> Result<InMemorySources, String> {
        let disk = FileSources::default();
        let mut initial = BTreeMap::new();
        let there = directories.iter().filter(|directory| disk.stamp(directory).is_some());
        let listed: Result<Vec<_>, _> = there.map(|directory| disk.zone_files(directory)).collect();
        for (path, _) in listed?.into_iter().flatten() {
            if let Contents::Text { source, .. } = read_text(&path, &Writers::Unknown)? {
                initial.insert(path, source);
            }
        }
        let directories = directories.to_vec();
        let sources = InMemorySources { disk, directories, initial, files: Mutex::default() };
        sources.reset();
        Ok(sources)
    }

    /// Every file as it was read at the start. The caller loads them.
    pub(crate) fn reset(&self) {
        let mut files = self.files();
        files.texts.clear();
        for (path, source) in &self.initial {
            files.write(path, source.clone());
        }
    }

    /// Whether the path is one of a zone file.
    fn has(&self, path: &Path) -> bool {
        self.directories.iter().any(|directory| path.parent() == Some(directory))
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn write(&mut self, path: &Path, source: SourceFile) {
        self.writes += 1;
        self.texts.insert(path.to_owned(), (source, self.writes));
    }

    fn of(&self, path: &Path, read: &str) -> Result<&SourceFile, ReplaceError> {
        let file = self.texts.get(path).map(|(source, _)| source);
        file.filter(|source| &*source.text == read).ok_or(ReplaceError::Changed)
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.texts.get(path).map(|(source, number)| Stamp::of_version(*number, source.text.len() as u64))
    }
}

impl Sources for InMemorySources {
    fn zone_files(&self, directory: &Path) -> Result<Vec<(PathBuf, Option<Stamp>)>, String> {
        let files = self.files();
        let in_directory = files.texts.keys().filter(|path| path.parent() == Some(directory));
        Ok(in_directory.map(|path| (path.clone(), files.stamp(path))).collect())
    }

    fn may_be_emptied(&self, _: &Path) -> bool {
        true
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.files().stamp(path).or_else(|| self.disk.stamp(path))
    }

    fn is_in_progress(&self, path: &Path) -> bool {
        !self.has(path) && self.disk.is_in_progress(path)
    }

    fn text(&self, path: &Path) -> Result<Contents, String> {
        let files = self.files();
        if let Some((source, _)) = files.texts.get(path) {
            let stamp = files.stamp(path);
            return Ok(Contents::Text { source: source.clone(), stamp, state: WriteState::Finished });
        }
        if self.has(path) { Ok(Contents::Absent) } else { self.disk.text(path) }
    }

    fn bytes(&self, path: &Path, at_most: u64) -> Result<Vec<u8>, String> {
        self.disk.bytes(path, at_most)
    }

    fn write(&self, write: &FileWrite<'_>) -> Result<(), ReplaceError> {
        let (path, mut files) = (write.path, self.files());
        match (write.before, write.after) {
            (Some(before), Some(after)) => {
                let source = SourceFile { text: after.into(), ..files.of(path, before)?.clone() };
                files.write(path, source);
            }
            (None, Some(_)) if files.texts.contains_key(path) => return Err(ReplaceError::Changed),
            (None, Some(after)) => files.write(path, SourceFile::new(path, after)),
            (Some(before), None) => {
                files.of(path, before)?;
                files.texts.remove(path);
            }
            (None, None) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stay_in_memory_and_a_reset_undoes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lab.test.toml");
        std::fs::write(&path, "old").unwrap();
        let sources = InMemorySources::read(&[directory.path().to_owned()]).unwrap();
        let new = directory.path().join("new.test.toml");
        let names =
            || sources.zone_files(directory.path()).unwrap().into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        let text = |path: &Path| match sources.text(path).unwrap() {
            Contents::Text { source, .. } => source.text.to_string(),
            other => panic!("{other:?}"),
        };
        let before = sources.stamp(&path);
        let write = |path: &Path, before, after| sources.write(&FileWrite::plain(path, before, after));
        write(&path, Some("old"), Some("new")).unwrap();
        assert!(write(&path, Some("old"), Some("newer")).is_err());
        assert_ne!(sources.stamp(&path), before);
        write(&new, None, Some("created")).unwrap();
        assert!(write(&new, None, Some("again")).is_err());
        assert_eq!((names(), text(&path)), (vec![path.clone(), new.clone()], "new".to_owned()));
        write(&path, Some("new"), None).unwrap();
        assert!(matches!(sources.text(&path).unwrap(), Contents::Absent));
        sources.reset();
        assert_eq!((names(), text(&path)), (vec![path.clone()], "old".to_owned()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert!(!new.exists());
    }
}
