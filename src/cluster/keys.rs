//! The keys in etcd, and the JSON in their values.
//!
//! ```text
//! PREFIX/version                       {"version":1}           the version of this layout
//! PREFIX/files/changed                 NAME                    each change of a file writes it
//! PREFIX/files/shared                  NAME                    each change that concerns others
//! PREFIX/files/heads/NAME              Head                    the current revision of a file
//! PREFIX/files/log/NAME/REVISION       Entry                   what made it that revision
//! PREFIX/files/text/NAME/WRITE/CHUNK   bytes                   the whole text of the head's base
//! PREFIX/files/waiting/NODE            NAME                    the file that a node waits for
//! PREFIX/nodes/NODE                    NodeState, with a lease
//! PREFIX/refused/NODE                  NodeState of a second server with that name, with a lease
//! PREFIX/overrides                     the overrides, in the order in which they were set
//! PREFIX/opinions/NODE/list/CHUNK      the checks of a node, with its lease
//! PREFIX/opinions/NODE/value           what it says about them, with its lease
//! PREFIX/secrets/cookies               the secrets of DNS cookies, sealed
//! ```

use std::ffi::OsStr;

use ring::digest;
use serde::{Deserialize, Serialize};

use super::etcd::{KeyValue, after_prefix};
use crate::config::is_node_name;
use crate::store::is_zone_file;
use crate::visible_text::visible;

/// The version of the layout. A node that finds a higher one does not use the store.
pub(crate) const VERSION: u32 = 1;
/// The most bytes of a chunk: etcd takes 1.5 MiB a request.
pub(crate) const CHUNK: usize = 512 << 10;

/// The keys under a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

/// The keys of a node's opinions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpinionKey {
    /// A chunk of the list of its checks.
    List,
    /// What it says about them.
    Value,
}

/// The value of `heads/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The revision of the file: 1 when it is created; each change adds 1.
    pub(crate) revision: u64,
    /// The revision of the text under `text`; later ones follow from the log.
    pub(crate) base: u64,
    /// Under which name that text is.
    pub(crate) text: String,
    /// The number of its chunks.
    pub(crate) chunks: usize,
    /// The hash of the text of this revision.
    pub(crate) hash: String,
}

/// The value of `log/NAME/REVISION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Which write it was. No two writes have the same.
    pub(crate) write: String,
    /// The node that wrote it.
    pub(crate) node: String,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// Who made the change, and by which operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<(String, String)>,
    /// The change as GetChange reports it: id and comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) submission: Option<(String, Option<String>)>,
    /// What it did to the text; `None` if the whole text is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delta: Option<super::Delta>,
}

/// The value of `version`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: u32,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Keys {
        Keys { prefix: prefix.to_owned() }
    }

    pub(crate) fn version(&self) -> String {
        format!("{}/version", self.prefix)
    }

    /// The beginning of all keys about files.
    pub(crate) fn files(&self) -> String {
        format!("{}/files/", self.prefix)
    }

    pub(crate) fn changed(&self) -> String {
        format!("{}/files/changed", self.prefix)
    }

    pub(crate) fn shared(&self) -> String {
        format!("{}/files/shared", self.prefix)
    }

    pub(crate) fn heads(&self) -> String {
        format!("{}/files/heads/", self.prefix)
    }

    pub(crate) fn head(&self, name: &str) -> String {
        format!("{}/files/heads/{name}", self.prefix)
    }

    /// The beginning of the log of a file.
    pub(crate) fn log(&self, name: &str) -> String {
        format!("{}/files/log/{name}/", self.prefix)
    }

    /// Keys are ordered as their revisions are.
    pub(crate) fn entry(&self, name: &str, revision: u64) -> String {
        format!("{}{revision:016}", self.log(name))
    }

    /// The beginning of all texts of a file.
    pub(crate) fn texts(&self, name: &str) -> String {
        format!("{}/files/text/{name}/", self.prefix)
    }

    /// The beginning of the chunks of a text.
    pub(crate) fn text(&self, name: &str, write: &str) -> String {
        format!("{}{write}/", self.texts(name))
    }

    pub(crate) fn chunk(&self, name: &str, write: &str, chunk: usize) -> String {
        format!("{}{chunk:06}", self.text(name, write))
    }

    /// What a node says that waits for its turn to change a file.
    pub(crate) fn waiting(&self, node: &str) -> String {
        format!("{}/files/waiting/{node}", self.prefix)
    }

    /// The node that says so in this key.
    pub(crate) fn waiting_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&*self.files())?.strip_prefix("waiting/")
    }

    pub(crate) fn nodes(&self) -> String {
        format!("{}/nodes/", self.prefix)
    }

    pub(crate) fn node(&self, name: &str) -> String {
        format!("{}/nodes/{name}", self.prefix)
    }

    /// The beginning of what servers say that have the name of another node.
    pub(crate) fn all_refused(&self) -> String {
        format!("{}/refused/", self.prefix)
    }

    pub(crate) fn refused(&self, name: &str) -> String {
        format!("{}/refused/{name}", self.prefix)
    }

    pub(crate) fn cookie_secrets(&self) -> String {
        format!("{}/secrets/cookies", self.prefix)
    }

    pub(crate) fn overrides(&self) -> String {
        format!("{}/overrides", self.prefix)
    }

    /// The beginning of all opinions.
    pub(crate) fn opinions(&self) -> String {
        format!("{}/opinions/", self.prefix)
    }

    /// Later than the keys of the list, so that a list of all keys has that first.
    pub(crate) fn opinion(&self, node: &str) -> String {
        format!("{}/opinions/{node}/value", self.prefix)
    }

    pub(crate) fn opinion_chunk(&self, node: &str, chunk: usize) -> String {
        format!("{}/opinions/{node}/list/{chunk:06}", self.prefix)
    }

    /// The end of all chunks of a node's list.
    pub(crate) fn after_opinion_chunks(&self, node: &str) -> String {
        after_prefix(&format!("{}/opinions/{node}/list/", self.prefix))
    }

    /// The node whose opinions this key is about.
    pub(crate) fn opinion_of<'k>(&self, key: &'k str) -> Option<(&'k str, OpinionKey)> {
        let (node, rest) = key.strip_prefix(&*self.opinions())?.split_once('/')?;
        if !is_node_name(node) {
            return None;
        }
        match rest {
            "value" => Some((node, OpinionKey::Value)),
            _ => rest.starts_with("list/").then_some((node, OpinionKey::List)),
        }
    }

    /// The name of the file whose head this key is. Others than nodes may have written it, so no
    /// file need have such a name ([`is_file_name`]).
    pub(crate) fn head_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&*self.heads())
    }

    /// The file, and the name of its text, of which this key is a chunk.
    pub(crate) fn text_of<'k>(&self, key: &'k str) -> Option<(&'k str, &'k str)> {
        let (text, _) = key.strip_prefix(&*format!("{}/files/text/", self.prefix))?.rsplit_once('/')?;
        text.rsplit_once('/')
    }

    /// The file and revision whose log entry this key is.
    pub(crate) fn entry_of<'k>(&self, key: &'k str) -> Option<(&'k str, u64)> {
        let (name, revision) = key.strip_prefix(&*format!("{}/files/log/", self.prefix))?.rsplit_once('/')?;
        Some((name, revision.parse().ok()?))
    }
}

/// Whether a file of the cluster can have this name: that of a zone file in a directory.
pub(crate) fn is_file_name(name: &str) -> bool {
    is_zone_file(OsStr::new(name)) && !name.contains('/') && !name.contains(char::is_control)
}

/// The head of a file. The error says what is damaged.
pub(crate) fn parse_head(name: &str, pair: &KeyValue) -> Result<Head, String> {
    if !is_file_name(name) {
        return Err(visible(&format!("{} is not the head of a zone file: no zone file has that name", pair.key)));
    }
    parse(pair)
}

/// Reads the JSON of a value.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(pair: &KeyValue) -> Result<T, String> {
    parse_value(&pair.key, &pair.value)
}

/// Reads the JSON of the value of a key.
pub(crate) fn parse_value<T: for<'de> Deserialize<'de>>(key: &str, value: &[u8]) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|error| visible(&format!("{key} cannot be read: {error}")))
}

/// The JSON of a value.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is stored is JSON")
}

/// The hash of a text: SHA-256, in hexadecimal digits.
pub(crate) fn hash_of(text: &str) -> String {
    use std::fmt::Write as _;
    let mut hash = String::with_capacity(64);
    for byte in digest::digest(&digest::SHA256, text.as_bytes()).as_ref() {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}
