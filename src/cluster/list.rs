//! Reads all files from etcd, as of one revision. Texts that this node has already are not read.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::document::DocumentVersion;
use super::etcd::{Etcd, EtcdError, KeyValue, Range, StoreRevision, read_all};
use super::files::ClusterFiles;
use super::keys::{Entry, Keys, hash_of, parse, parse_head};
use super::layout::LayoutError;
use super::mirror::{Damage, StoredFile};

/// How many files are read at a time.
const AT_A_TIME: usize = 8;

/// Why the files of etcd are not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListError {
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    #[error("{0}")]
    Unreadable(String),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// It may have lost its data, so what this node has is kept.
    #[error(
        "etcd does not have {0}, but this node serves files from there: it may have lost its data; restore it, or \
         run `fiftythree cluster apply`"
    )]
    NoVersion(String),
}

/// What was read of a file.
pub(super) enum Fetched {
    File(StoredFile, Arc<str>),
    Damaged(Damage),
}

/// All files at a revision.
pub(super) struct Listing {
    pub(super) revision: StoreRevision,
    pub(super) shared: StoreRevision,
    /// When the version of the layout was last written; 0 if there is none.
    pub(super) version: StoreRevision,
    pub(super) files: Vec<(StoredFile, Arc<str>)>,
    pub(super) damaged: Vec<Damage>,
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
        let (files, damaged) = self.files_of(heads, revision).await?;
        Ok(Listing { revision, shared, version: version.changed, files, damaged })
    }

    /// Whether what etcd has can be believed, and is of a layout that this program knows. A store
    /// without a version is a new one, or has lost its data.
    pub(super) fn check_version(&self, found: &DocumentVersion) -> Result<(), ListError> {
        let key = self.keys.version();
        self.layout.take(found.text.as_deref(), found.changed)?;
        match &found.text {
            Some(_) => Ok(()),
            None if self.mirror().has_any() => Err(ListError::NoVersion(key)),
            None => Ok(()),
        }
    }

    /// The files with these heads, and those of them that are damaged.
    async fn files_of(
        &self,
        heads: Vec<KeyValue>,
        revision: StoreRevision,
    ) -> Result<(Vec<(StoredFile, Arc<str>)>, Vec<Damage>), ListError> {
        let (mut files, mut damaged, mut reading) = (Vec::with_capacity(heads.len()), Vec::new(), JoinSet::new());
        let mut sort = |fetched| match fetched {
            Fetched::File(stored, text) => files.push((stored, text)),
            Fetched::Damaged(damage) => damaged.push(damage),
        };
        for pair in heads {
            let Some(name) = self.keys.head_of(&pair.key).map(str::to_owned) else { continue };
            let changed = pair.changed;
            let head = match parse_head(&name, &pair) {
                Ok(head) => head,
                Err(why) => {
                    sort(Fetched::Damaged(Damage { name, why, head: None, changed }));
                    continue;
                }
            };
            let known = self.mirror().text_with(&name, &head.hash);
            let stored = StoredFile { name, head, changed, entry: None };
            match known {
                Some(text) => sort(Fetched::File(stored, text)),
                None => {
                    if reading.len() >= AT_A_TIME {
                        joined(&mut reading).await?.into_iter().for_each(&mut sort);
                    }
                    let (etcd, keys) = (Arc::clone(&self.etcd), self.keys.clone());
                    reading.spawn(async move { fetch(&*etcd, &keys, stored, revision).await });
                }
            }
        }
        while let Some(fetched) = joined(&mut reading).await? {
            sort(fetched);
        }
        Ok((files, damaged))
    }
}

async fn joined<T: 'static>(reading: &mut JoinSet<Result<T, EtcdError>>) -> Result<Option<T>, ListError> {
    match reading.join_next().await {
        None => Ok(None),
        Some(Ok(read)) => Ok(Some(read?)),
        Some(Err(error)) => Err(ListError::Unreadable(error.to_string())),
    }
}

/// Reads the text of a file, as of a revision at which it had this head.
pub(super) async fn fetch(
    etcd: &dyn Etcd,
    keys: &Keys,
    stored: StoredFile,
    at: StoreRevision,
) -> Result<Fetched, EtcdError> {
    let StoredFile { name, head, changed, .. } = &stored;
    let (_, chunks) = read_all(etcd, &keys.text(name, &head.text), Some(at)).await?;
    let log = match head.revision > head.base {
        true => read_all(etcd, &keys.log(name), Some(at)).await?.1,
        false => Vec::new(),
    };
    Ok(match assemble(keys, &stored, chunks, &log) {
        Ok((text, entry)) => Fetched::File(StoredFile { entry: entry.or(stored.entry), ..stored }, text.into()),
        Err(why) => Fetched::Damaged(Damage { name: name.clone(), why, head: Some(head.clone()), changed: *changed }),
    })
}

/// The text, and the last entry of the log in it. The error says what is damaged.
fn assemble(
    keys: &Keys,
    stored: &StoredFile,
    chunks: Vec<KeyValue>,
    log: &[KeyValue],
) -> Result<(String, Option<Arc<Entry>>), String> {
    let StoredFile { name, head, .. } = stored;
    let base = keys.text(name, &head.text);
    if chunks.len() != head.chunks {
        return Err(format!("{base} has {} keys and not {}", chunks.len(), head.chunks));
    }
    let bytes = chunks.into_iter().flat_map(|chunk| chunk.value).collect();
    let mut text = String::from_utf8(bytes).map_err(|_| format!("the text in {base} is not UTF-8"))?;
    let mut last = None;
    for pair in log {
        let revision = keys.entry_of(&pair.key).map_or(0, |(_, revision)| revision);
        if !(head.base + 1..=head.revision).contains(&revision) {
            continue;
        }
        let read: Entry = parse(pair)?;
        let delta = read.delta.as_ref().ok_or_else(|| format!("{} has no change", pair.key))?;
        text = delta.apply(&text).ok_or_else(|| format!("{} does not fit to what is before it", pair.key))?;
        last = Some(Arc::new(read));
    }
    if hash_of(&text) != head.hash {
        return Err(format!("the text in {base} and its log is not the one that was written"));
    }
    Ok((text, last))
}
