//! The form of opinions in etcd.
//!
//! A node has two kinds of values. The *list* names its checks, in chunks, and changes with the
//! configuration. The *opinions* are one value for all checks, in the order of the list, and change
//! with health. So a flip of one check among 20 000 writes 60 KB and not the ids of all.
//!
//! ```text
//!  list      {"version":1,"list":"<hash>","chunk":0,"chunks":1,"checks":[["<id>","<hash>"],…]}
//!  opinions  {"version":1,"list":"<hash>","at":<ms>,"isolated":false,"region":"…","address":"…",
//!             "statements":[{"healthy":true,"text":"Success: …"},…],"opinions":"<base64>"}
//! ```
//!
//! The base64 is a sequence of variable-length integers (7 bits an octet, the lowest first): for
//! each check 0, or the number of its statement plus 1 followed by the age of its last result in
//! seconds.
//!
//! A reader ignores keys that it does not know, so a later version can add some. A version that it
//! does not know it cannot read at all.

use std::collections::HashMap;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use crate::health::{CheckFingerprint, Identity, Status, Timestamp};
use crate::model::HealthCheckId;

use super::check_list::{CheckList, ListHash, MAX_CHECKS};
use super::node_opinions::{NodeOpinions, Opinion};

/// The version that is written.
const VERSION: u32 = 1;
/// No value is longer. etcd accepts 1.5 MiB in one request, which also holds keys and base64.
pub const MAX_VALUE_BYTES: usize = 512 * 1024;
/// How much of a list goes into one chunk, in octets of JSON.
const CHUNK_BYTES: usize = 400 * 1024;
/// The most chunks of one list: [`MAX_CHECKS`] ids of the greatest length.
const MAX_CHUNKS: u32 = 32;
/// Ids are UUIDs of 36 characters.
const MAX_ID_BYTES: usize = 64;
/// The longest name of a region.
const MAX_REGION_BYTES: usize = 32;
/// What endpoints say is cut, and texts beyond these are left out: many checks fail for few
/// reasons.
const MAX_TEXT_CHARACTERS: usize = 200;
const MAX_STATEMENTS: usize = 1000;
const MAX_TEXTS_BYTES: usize = 64 * 1024;

/// A value that another node wrote cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It is too long.
    #[error("it has {0} bytes, at most {MAX_VALUE_BYTES} are read")]
    TooLong(usize),
    /// It is not JSON of this shape.
    #[error("it is not readable: {0}")]
    NotReadable(String),
    /// A later version wrote it.
    #[error("it has version {0}, this server reads version {VERSION}")]
    Version(u32),
    /// It contradicts itself.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// The list that it refers to is not here (yet).
    #[error("the list of its checks, {0}, is missing")]
    UnknownList(ListHash),
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct ListValue {
    version: u32,
    list: String,
    chunk: u32,
    chunks: u32,
    checks: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct OpinionsValue {
    version: u32,
    list: String,
    at: u64,
    isolated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    statements: Vec<StatementValue>,
    opinions: String,
}

#[derive(Serialize, Deserialize)]
struct StatementValue {
    healthy: bool,
    #[serde(default)]
    text: String,
}

/// One chunk of a list.
pub(super) struct ListChunk {
    pub(super) hash: ListHash,
    pub(super) chunk: u32,
    pub(super) chunks: u32,
    pub(super) checks: Vec<Arc<Identity>>,
}

// --- the list -----------------------------------------------------------------------------------

/// A list as values for etcd: its chunks, in order. There is at least one.
#[must_use]
pub fn encode_list(list: &CheckList) -> Vec<String> {
    let mut chunks: Vec<Vec<(String, String)>> = vec![Vec::new()];
    let mut bytes = 0;
    for check in list.checks() {
        let item = (check.id.0.clone(), format!("{:016x}", check.fingerprint.0));
        bytes += item.0.len() + item.1.len() + 8;
        if bytes > CHUNK_BYTES {
            chunks.push(Vec::new());
            bytes = 0;
        }
        chunks.last_mut().expect("there is at least one chunk").push(item);
    }
    let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let value =
        |(chunk, checks)| ListValue { version: VERSION, list: list.hash().to_string(), chunk, chunks: count, checks };
    (0..).zip(chunks).map(value).map(|value| json(&value)).collect()
}

pub(super) fn decode_list_chunk(value: &[u8]) -> Result<ListChunk, WireError> {
    let ListValue { version: _, list, chunk, chunks, checks } = read(value)?;
    if !(1..=MAX_CHUNKS).contains(&chunks) || chunk >= chunks || checks.len() > MAX_CHECKS {
        return Err(WireError::Inconsistent("the number of chunks or checks is out of range"));
    }
    let checks: Result<Vec<Arc<Identity>>, WireError> = checks.into_iter().map(read_check).collect();
    Ok(ListChunk { hash: read_hash(&list)?, chunk, chunks, checks: checks? })
}

fn read_check((id, fingerprint): (String, String)) -> Result<Arc<Identity>, WireError> {
    let is_plain = (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic());
    let fingerprint = u64::from_str_radix(&fingerprint, 16).ok().filter(|_| is_plain);
    let fingerprint = fingerprint.ok_or(WireError::Inconsistent("a check of the list has no valid id or hash"))?;
    Ok(Arc::new(Identity { id: HealthCheckId(id), fingerprint: CheckFingerprint(fingerprint) }))
}

// --- the opinions -------------------------------------------------------------------------------

/// Opinions as a value for etcd.
#[must_use]
pub fn encode_opinions(opinions: &NodeOpinions) -> String {
    let mut statements = Statements::default();
    let mut octets = Vec::with_capacity(2 * opinions.checks().checks().len());
    for opinion in opinions.opinions() {
        let Some(Opinion { status, text, age_s }) = opinion else {
            octets.push(0);
            continue;
        };
        push_integer(&mut octets, statements.number_of(*status, text) + 1);
        // Two octets. Whether a result is four or five hours old makes no difference.
        push_integer(&mut octets, (*age_s).min(0x3fff));
    }
    json(&OpinionsValue {
        version: VERSION,
        list: opinions.checks().hash().to_string(),
        at: opinions.at.to_milliseconds(),
        isolated: opinions.isolated,
        region: opinions.region.as_deref().map(str::to_owned),
        address: opinions.address.map(|address| address.to_string()),
        statements: statements.all,
        opinions: BASE64_STANDARD.encode(octets),
    })
}

/// Reads opinions. `list_of` finds the list with a hash.
pub(super) fn decode_opinions(
    value: &[u8],
    list_of: impl FnOnce(ListHash) -> Option<Arc<CheckList>>,
) -> Result<NodeOpinions, WireError> {
    let OpinionsValue { version: _, list, at, isolated, region, address, statements, opinions } = read(value)?;
    if statements.len() > MAX_STATEMENTS + 2 {
        return Err(WireError::Inconsistent("it has too many statements"));
    }
    let statements: Vec<(Status, Arc<str>)> = statements.into_iter().map(read_statement).collect();
    let octets = BASE64_STANDARD.decode(opinions).map_err(|error| WireError::NotReadable(error.to_string()))?;
    let hash = read_hash(&list)?;
    let list = list_of(hash).ok_or(WireError::UnknownList(hash))?;
    let mut rest = &octets[..];
    let mut read = Vec::with_capacity(list.checks().len());
    for _ in list.checks() {
        read.push(read_opinion(&mut rest, &statements)?);
    }
    if !rest.is_empty() {
        return Err(WireError::Inconsistent("it has more opinions than checks"));
    }
    let mut read = read.into_iter();
    let region = region.filter(|region| region.len() <= MAX_REGION_BYTES).map(|region| plain(&region).into());
    let address = address.and_then(|address| address.parse().ok());
    let opinions = NodeOpinions::new(Timestamp::from_milliseconds(at), isolated, list, |_| read.next().flatten());
    Ok(opinions.located(region, address))
}

fn read_opinion(rest: &mut &[u8], statements: &[(Status, Arc<str>)]) -> Result<Option<Opinion>, WireError> {
    let number = take_integer(rest)?;
    let Some(number) = number.checked_sub(1) else { return Ok(None) };
    let statement = statements.get(number as usize);
    let (status, text) = statement.ok_or(WireError::Inconsistent("an opinion has no statement"))?;
    Ok(Some(Opinion { status: *status, text: Arc::clone(text), age_s: take_integer(rest)? }))
}

/// The text reaches terminals and logs, so it has no control characters.
fn read_statement(StatementValue { healthy, text }: StatementValue) -> (Status, Arc<str>) {
    (if healthy { Status::Healthy } else { Status::Unhealthy }, plain(&text).into())
}

/// The different statements of a node. Texts beyond the limits are left out.
#[derive(Default)]
struct Statements {
    numbers: HashMap<(Status, Arc<str>), u32>,
    all: Vec<StatementValue>,
    texts_bytes: usize,
}

impl Statements {
    fn number_of(&mut self, status: Status, text: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(&(status, Arc::clone(text))) {
            return *number;
        }
        let written = plain(text);
        let is_too_much = self.all.len() >= MAX_STATEMENTS || self.texts_bytes + written.len() > MAX_TEXTS_BYTES;
        if is_too_much && !text.is_empty() {
            return self.number_of(status, &"".into());
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.texts_bytes += written.len();
        self.all.push(StatementValue { healthy: status == Status::Healthy, text: written });
        self.numbers.insert((status, Arc::clone(text)), number);
        number
    }
}

/// A text without control characters and of limited length.
fn plain(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_TEXT_CHARACTERS).map(visible).collect()
}

// --- both ---------------------------------------------------------------------------------------

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the values have string keys only")
}

/// Reads a value of the version that this server knows.
fn read<'v, V: Deserialize<'v>>(value: &'v [u8]) -> Result<V, WireError> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(WireError::TooLong(value.len()));
    }
    let not_readable = |error: serde_json::Error| WireError::NotReadable(error.to_string());
    let Versioned { version } = serde_json::from_slice(value).map_err(not_readable)?;
    if version != VERSION {
        return Err(WireError::Version(version));
    }
    serde_json::from_slice(value).map_err(not_readable)
}

fn read_hash(text: &str) -> Result<ListHash, WireError> {
    text.parse().map_err(|_| WireError::Inconsistent("the hash of its list is not a hexadecimal number"))
}

fn push_integer(octets: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        octets.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    octets.push(number.to_le_bytes()[0]);
}

fn take_integer(rest: &mut &[u8]) -> Result<u32, WireError> {
    let mut number = 0u64;
    for shift in [0, 7, 14, 21, 28] {
        let (octet, after) = rest.split_first().ok_or(WireError::Inconsistent("it has fewer opinions than checks"))?;
        *rest = after;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return u32::try_from(number).map_err(|_| WireError::Inconsistent("a number is too large"));
        }
    }
    Err(WireError::Inconsistent("a number is too large"))
}
