//! Reads all files from etcd, as of one revision. Texts that this node has already are not read.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::document::DocumentVersion;
use super::etcd::{Etcd, EtcdError, KeyValue, Range, StoreRevision, read_all};
use super::files::ClusterFiles;
use super::keys::{Entry, Head, Keys, VERSION, Version, hash_of, parse, parse_value};
use super::mirror::StoredFile;

/// How many files are read at a time.
const AT_A_TIME: usize = 8;

/// Why the files of etcd are not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListError {
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    #[error("{0}")]
    Unreadable(String),
    #[error("etcd has files of version {0} of the layout, and this program knows version {VERSION}: update it")]
    NewerVersion(u32),
    /// It may have lost its data, so what this node has is kept.
    #[error(
        "etcd does not have {0}, but this node serves files from there: it may have lost its data; restore it, or \
         run `fiftythree cluster apply`"
    )]
    NoVersion(String),
}

/// All files at a revision.
pub(super) struct Listing {
    pub(super) revision: StoreRevision,
    pub(super) shared: StoreRevision,
    /// When the version of the layout was last written; 0 if there is none.
    pub(super) version: StoreRevision,
    pub(super) files: Vec<(StoredFile, Arc<str>)>,
}

impl ClusterFiles {
    /// Reads what etcd has now.
    pub(super) async fn list(&self) -> Result<Listing, ListError> {
        let (etcd, keys) = (&*self.etcd, &self.keys);
        let (revision, heads) = read_all(etcd, &keys.heads(), None).await?;
        let read = |key| etcd.range(Range { at: Some(revision), ..Range::key(key) });
        let version = DocumentVersion::of(read(keys.version()).await?.pairs.pop());
        self.check_version(&version)?;
        let shared = read(keys.shared()).await?.pairs.pop().map_or(0, |pair| pair.changed);
        Ok(Listing { revision, shared, version: version.changed, files: self.files_of(heads, revision).await? })
    }

    /// Whether what etcd has can be believed, and is of a layout that this program knows. A store
    /// without a version is a new one, or has lost its data.
    pub(super) fn check_version(&self, found: &DocumentVersion) -> Result<(), ListError> {
        let key = self.keys.version();
        match &found.text {
            Some(text) => match parse_value(&key, text).map_err(ListError::Unreadable)? {
                Version { version } if version > VERSION => Err(ListError::NewerVersion(version)),
                Version { .. } => Ok(()),
            },
            None if self.mirror().has_any() => Err(ListError::NoVersion(key)),
            None => Ok(()),
        }
    }

    /// The files with these heads.
    async fn files_of(
        &self,
        heads: Vec<KeyValue>,
        revision: StoreRevision,
    ) -> Result<Vec<(StoredFile, Arc<str>)>, ListError> {
        let (mut files, mut reading) = (Vec::with_capacity(heads.len()), JoinSet::new());
        for pair in heads {
            let Some(name) = self.keys.head_of(&pair.key).map(str::to_owned) else { continue };
            let head: Head = parse(&pair).map_err(ListError::Unreadable)?;
            let known = self.mirror().text_with(&name, &head.hash);
            let stored = StoredFile { name, head, changed: pair.changed, entry: None };
            match known {
                Some(text) => files.push((stored, text)),
                None => {
                    if reading.len() >= AT_A_TIME {
                        files.extend(joined(&mut reading).await?);
                    }
                    let (etcd, keys) = (Arc::clone(&self.etcd), self.keys.clone());
                    reading.spawn(async move { fetch(&*etcd, &keys, stored, revision).await });
                }
            }
        }
        while let Some(file) = joined(&mut reading).await? {
            files.push(file);
        }
        Ok(files)
    }
}

async fn joined<T: 'static>(reading: &mut JoinSet<Result<T, ListError>>) -> Result<Option<T>, ListError> {
    match reading.join_next().await {
        None => Ok(None),
        Some(Ok(read)) => read.map(Some),
        Some(Err(error)) => Err(ListError::Unreadable(error.to_string())),
    }
}

/// Reads the text of a file, as of a revision at which it had this head.
pub(super) async fn fetch(
    etcd: &dyn Etcd,
    keys: &Keys,
    stored: StoredFile,
    at: StoreRevision,
) -> Result<(StoredFile, Arc<str>), ListError> {
    let StoredFile { name, head, .. } = &stored;
    let broken = |what: &str| ListError::Unreadable(format!("{name} in etcd is damaged: {what}"));
    let (_, chunks) = read_all(etcd, &keys.text(name, &head.text), Some(at)).await?;
    if chunks.len() != head.chunks {
        return Err(broken("a part of its text is missing"));
    }
    let bytes = chunks.into_iter().flat_map(|chunk| chunk.value).collect();
    let mut text = String::from_utf8(bytes).map_err(|_| broken("its text is not UTF-8"))?;
    let mut entry = stored.entry.clone();
    if head.revision > head.base {
        let (_, log) = read_all(etcd, &keys.log(name), Some(at)).await?;
        for pair in log {
            let revision = keys.entry_of(&pair.key).map_or(0, |(_, revision)| revision);
            if !(head.base + 1..=head.revision).contains(&revision) {
                continue;
            }
            let read: Entry = parse(&pair).map_err(ListError::Unreadable)?;
            let delta = read.delta.as_ref().ok_or_else(|| broken("an entry of its log has no change"))?;
            text = delta.apply(&text).ok_or_else(|| broken("an entry of its log does not fit"))?;
            entry = Some(Arc::new(read));
        }
    }
    if hash_of(&text) != head.hash {
        return Err(broken("its text is not the one that was written"));
    }
    Ok((StoredFile { entry, ..stored }, text.into()))
}
