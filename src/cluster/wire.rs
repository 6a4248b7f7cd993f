//! The JSON of etcd's gateway: keys and values in Base64, 64-bit numbers as strings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::etcd::{KeyChange, KeyValue, Operation, Page, Range, StoreRevision, Transaction, WatchBatch};

/// Bytes in Base64.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// A number as a string. etcd leaves out 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number(pub(super) i64);

#[derive(Serialize)]
pub(super) struct RangeRequest {
    key: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    range_end: Option<Bytes>,
    limit: Number,
    revision: Number,
}

#[derive(Deserialize)]
pub(super) struct RangeResponse {
    #[serde(default)]
    header: Header,
    #[serde(default)]
    kvs: Vec<Pair>,
    #[serde(default)]
    more: bool,
}

#[derive(Default, Deserialize)]
pub(super) struct Header {
    #[serde(default)]
    revision: Number,
}

#[derive(Deserialize)]
struct Pair {
    key: Bytes,
    #[serde(default)]
    value: Bytes,
    #[serde(default)]
    mod_revision: Number,
}

#[derive(Serialize)]
pub(super) struct TransactionRequest {
    compare: Vec<Compare>,
    success: Vec<RequestOperation>,
    failure: Vec<RequestOperation>,
}

#[derive(Serialize)]
struct Compare {
    result: &'static str,
    target: &'static str,
    key: Bytes,
    mod_revision: Number,
}

#[derive(Serialize)]
enum RequestOperation {
    #[serde(rename = "request_put")]
    Put { key: Bytes, value: Bytes, lease: Number },
    #[serde(rename = "request_delete_range")]
    DeleteRange { key: Bytes, range_end: Bytes },
    #[serde(rename = "request_range")]
    Range(RangeRequest),
}

#[derive(Deserialize)]
pub(super) struct TransactionResponse {
    #[serde(default)]
    pub(super) header: Header,
    #[serde(default)]
    pub(super) succeeded: bool,
    #[serde(default)]
    responses: Vec<ResponseOperation>,
}

#[derive(Deserialize)]
struct ResponseOperation {
    response_range: Option<RangeResponse>,
}

#[derive(Serialize)]
pub(super) struct WatchRequest {
    create_request: WatchCreate,
}

#[derive(Serialize)]
struct WatchCreate {
    key: Bytes,
    range_end: Bytes,
    start_revision: Number,
    progress_notify: bool,
}

/// An element of a stream.
#[derive(Deserialize)]
pub(super) struct Streamed<T> {
    pub(super) result: Option<T>,
    pub(super) error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct WatchResponse {
    #[serde(default)]
    header: Header,
    #[serde(default)]
    pub(super) created: bool,
    #[serde(default)]
    pub(super) canceled: bool,
    #[serde(default)]
    pub(super) compact_revision: Number,
    #[serde(default)]
    pub(super) cancel_reason: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    r#type: String,
    kv: Pair,
}

#[derive(Serialize)]
pub(super) struct GrantRequest {
    #[serde(rename = "TTL")]
    pub(super) seconds: Number,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Lease {
    #[serde(rename = "ID", default)]
    pub(super) id: Number,
    #[serde(rename = "TTL", default, skip_serializing)]
    pub(super) seconds: Number,
}

#[derive(Serialize)]
pub(super) struct AuthenticateRequest<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
}

#[derive(Deserialize)]
pub(super) struct AuthenticateResponse {
    pub(super) token: String,
}

/// The body of an error.
#[derive(Default, Deserialize)]
pub(super) struct ErrorResponse {
    #[serde(default)]
    pub(super) code: i64,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) error: String,
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Number).map_err(serde::de::Error::custom)
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Bytes {
        Bytes(text.as_bytes().to_vec())
    }
}

impl From<&Range> for RangeRequest {
    fn from(range: &Range) -> RangeRequest {
        RangeRequest {
            key: range.first.as_str().into(),
            range_end: range.end.as_deref().map(Bytes::from),
            limit: Number(if range.most == usize::MAX { 0 } else { range.most as i64 }),
            revision: Number(range.at.unwrap_or(0)),
        }
    }
}

impl RangeResponse {
    pub(super) fn page(self) -> Page {
        let pairs = self.kvs.into_iter().map(Pair::into_pair).collect();
        Page { revision: self.header.revision.0, pairs, has_more: self.more }
    }
}

impl Pair {
    fn into_pair(self) -> KeyValue {
        let key = String::from_utf8_lossy(&self.key.0).into_owned();
        KeyValue { key, value: self.value.0, changed: self.mod_revision.0 }
    }
}

impl From<Transaction> for TransactionRequest {
    fn from(transaction: Transaction) -> TransactionRequest {
        let compare = |(key, changed): (String, StoreRevision)| Compare {
            result: "EQUAL",
            target: "MOD",
            key: key.as_str().into(),
            mod_revision: Number(changed),
        };
        let read = |key: String| RequestOperation::Range((&Range::key(key)).into());
        TransactionRequest {
            compare: transaction.expected.into_iter().map(compare).collect(),
            success: transaction.operations.into_iter().map(RequestOperation::from).collect(),
            failure: transaction.otherwise.into_iter().map(read).collect(),
        }
    }
}

impl From<Operation> for RequestOperation {
    fn from(operation: Operation) -> RequestOperation {
        match operation {
            Operation::Put { key, value, lease } => RequestOperation::Put {
                key: key.as_str().into(),
                value: Bytes(value),
                lease: Number(lease.map_or(0, |lease| lease.0)),
            },
            Operation::Delete(key) => {
                let end = key.clone() + "\0";
                RequestOperation::DeleteRange { key: key.as_str().into(), range_end: end.as_str().into() }
            }
            Operation::DeleteRange(first, end) => {
                RequestOperation::DeleteRange { key: first.as_str().into(), range_end: end.as_str().into() }
            }
        }
    }
}

impl TransactionResponse {
    pub(super) fn revision(&self) -> StoreRevision {
        self.header.revision.0
    }

    /// The keys that were read.
    pub(super) fn found(self) -> Vec<KeyValue> {
        let ranges = self.responses.into_iter().filter_map(|response| response.response_range);
        ranges.flat_map(|range| range.page().pairs).collect()
    }
}

impl WatchRequest {
    pub(super) fn of(prefix: &str, end: &str, from: StoreRevision) -> WatchRequest {
        WatchRequest {
            create_request: WatchCreate {
                key: prefix.into(),
                range_end: end.into(),
                start_revision: Number(from),
                progress_notify: true,
            },
        }
    }
}

impl WatchResponse {
    pub(super) fn batch(self) -> WatchBatch {
        let change = |event: Event| {
            let pair = event.kv.into_pair();
            match &*event.r#type {
                "DELETE" => KeyChange::Deleted(pair.key, pair.changed),
                _ => KeyChange::Put(pair),
            }
        };
        let changes: Vec<KeyChange> = self.events.into_iter().map(change).collect();
        // The header has the revision of the store, also while the watch reports what was long
        // before.
        let revision = changes.iter().map(KeyChange::at).max().unwrap_or(self.header.revision.0);
        WatchBatch { revision, changes }
    }
}
