//! `/v1/events`: server-sent events (HTML Living Standard, section 9.2).
//!
//! Each event has an id. A client that reconnects with the last id, in the `Last-Event-ID` header
//! or the parameter `last_event_id`, gets the events that it missed, or `lost` if they are no
//! longer available. A `beat` every ten seconds shows that the connection works. Before the server
//! stops, it sends `stopping` and ends the connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::control::{Since, rfc3339_milliseconds};
use crate::history::{EventKind, EventRecord, ObjectChange, Part};

use super::query::Query;
use super::shapes::{
    BeatShape, ChangedPartShape, ChangedShape, ConnectivityHappenedShape, DrainedShape, HappenedShape, HelloShape,
    LostShape, OverrideChangeShape, OverrideHappenedShape, ReloadHappenedShape, StatusChangedShape,
};
use super::{AdminState, Readiness, health};

/// Events queued for one client. Further events stay in the event log, which keeps the last 512.
const QUEUE: usize = 16;
/// Well below the minute after which proxies close an idle connection.
const BEAT: Duration = Duration::from_secs(10);
/// The time after which a browser reconnects.
const RETRY_MS: u32 = 2000;

/// Query parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    last_event_id: Option<String>,
}

pub(super) async fn watch(State(admin): State<AdminState>, Query(from): Query<From>, headers: HeaderMap) -> Response {
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let (frames, inbox) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(tell(admin, header.or(from.last_event_id), frames));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        // Otherwise nginx buffers events until its buffer is full.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::new(Frames { inbox, writer })).into_response()
}

/// Sends events to one client until it disconnects or the server stops.
async fn tell(admin: AdminState, last_event_id: Option<String>, frames: mpsc::Sender<Bytes>) {
    let mut news = admin.event_log.watch();
    let current = *news.borrow_and_update();
    let start = admin.base_of_ids();
    let (mut seen, restarted) = match last_event_id.map(|id| number_of(&id, &start)) {
        None => (current, false),
        Some(Some(number)) if number <= current => (number, false),
        // It saw the runs before this one.
        Some(_) => (admin.event_log.restored(), true),
    };
    let hello = HelloShape { now: rfc3339_milliseconds((admin.now)()), version: env!("CARGO_PKG_VERSION").to_owned() };
    let mut greeting = format!("retry: {RETRY_MS}\n{}", event("hello", &id_of(&start, seen), &hello));
    if restarted {
        greeting.push_str(&event("lost", &id_of(&start, seen), &LostShape { lost: None }));
    }
    let mut readiness = admin.readiness.clone();
    let mut beats = interval_at(Instant::now() + BEAT, BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut text = greeting;
    loop {
        if !text.is_empty() && frames.send(Bytes::from(std::mem::take(&mut text))).await.is_err() {
            return;
        }
        let since = admin.event_log.since(seen);
        if !since.records.is_empty() || since.lost > 0 {
            (text, seen) = words(&start, seen, &since);
            continue;
        }
        tokio::select! {
            () = stopping(&mut readiness) => {
                let _ = frames.send(Bytes::from_static(b"event: stopping\ndata: {}\n\n")).await;
                return;
            }
            // The event log lives as long as the control loop; without it there are no more events.
            changed = news.changed() => if changed.is_err() { return },
            _ = beats.tick() => {
                text = event("beat", &id_of(&start, seen), &BeatShape { now: rfc3339_milliseconds((admin.now)()) });
            }
        }
    }
}

/// Waits until the server stops, or the sender of its readiness is dropped.
async fn stopping(readiness: &mut tokio::sync::watch::Receiver<Readiness>) {
    let _ = readiness.wait_for(|readiness| *readiness == Readiness::Stopping).await;
}

/// An event number is valid only for one run of the server, so ids start with its start time.
fn id_of(start: &str, number: u64) -> String {
    format!("{start}-{number}")
}

fn number_of(id: &str, start: &str) -> Option<u64> {
    id.strip_prefix(start)?.strip_prefix('-')?.parse().ok()
}

/// The events in the wire format, and the number of the last one.
fn words(start: &str, seen: u64, since: &Since) -> (String, u64) {
    let mut text = String::new();
    let mut last = seen;
    if since.lost > 0 {
        last += since.lost;
        text.push_str(&event("lost", &id_of(start, last), &LostShape { lost: Some(since.lost) }));
    }
    for (number, record) in &since.records {
        last = *number;
        let (name, shape) = shape(record);
        text.push_str(&event(name, &id_of(start, last), &shape));
    }
    (text, last)
}

/// An event and its name.
pub(super) fn shape(record: &EventRecord) -> (&'static str, HappenedShape) {
    let at = rfc3339_milliseconds(record.at);
    let about = |change, granted| {
        let shape = OverrideHappenedShape {
            at: rfc3339_milliseconds(record.at),
            change,
            granted: health::overridden(granted, granted.draining().and_then(|drain| drain.left(record.at))),
        };
        ("override", HappenedShape::Override(shape))
    };
    match &record.what {
        EventKind::StatusChanged { check, to, why, records } => {
            let (to, check, why, records) = (health::status(*to), check.to_string(), why.to_string(), *records);
            ("transition", HappenedShape::StatusChanged(StatusChangedShape { at, check, to, why, records }))
        }
        EventKind::OverrideSet(granted) => about(OverrideChangeShape::Set, granted),
        EventKind::OverrideCleared(granted) => about(OverrideChangeShape::Cleared, granted),
        EventKind::OverrideEnded(granted) => about(OverrideChangeShape::Ended, granted),
        EventKind::Drained { check } => {
            let text = format!("{check} is drained");
            ("drain", HappenedShape::Drained(DrainedShape { at, check: check.to_string(), text }))
        }
        EventKind::ServerIsolated { sentinels } => ("connectivity", connectivity(at, true, sentinels)),
        EventKind::ServerReconnected { sentinels } => ("connectivity", connectivity(at, false, sentinels)),
        EventKind::Reloaded { changes, errors } => {
            let (changes, errors) = (changes.clone(), *errors);
            ("reload", HappenedShape::Reload(ReloadHappenedShape { at, changes, errors, refused: None }))
        }
        EventKind::NotReloaded { why } => {
            let refused = Some(why.clone());
            ("reload", HappenedShape::Reload(ReloadHappenedShape { at, changes: Vec::new(), errors: 0, refused }))
        }
        EventKind::Changed(change) => ("change", HappenedShape::Changed(changed(at, change))),
    }
}

fn changed(at: String, change: &ObjectChange) -> ChangedShape {
    let ObjectChange { author, object, name, submission, parts, more, .. } = change;
    let part = |part: &Part| ChangedPartShape {
        change: part.kind().to_owned(),
        what: part.what.clone(),
        before: part.before.clone(),
        after: part.after.clone(),
    };
    ChangedShape {
        at,
        author: author.name.clone(),
        operation: author.operation.clone(),
        kind: object.kind().to_owned(),
        id: object.text().to_owned(),
        object: name.clone(),
        change_id: submission.as_ref().map(|submission| submission.id.clone()),
        comment: submission.as_ref().and_then(|submission| submission.comment.clone()),
        parts: parts.iter().map(part).collect(),
        more: *more,
    }
}

fn connectivity(at: String, isolated: bool, sentinels: &[Arc<str>]) -> HappenedShape {
    let sentinels: Vec<String> = sentinels.iter().map(ToString::to_string).collect();
    let text = if isolated {
        format!("this server is isolated: all sentinels are unhealthy ({})", sentinels.join(", "))
    } else {
        "this server is connected again".to_owned()
    };
    HappenedShape::Connectivity(ConnectivityHappenedShape { at, isolated, sentinels, text })
}

/// Compact JSON has no line breaks, so it fits into one `data` line.
fn event(name: &str, id: &str, shape: &impl Serialize) -> String {
    let data = serde_json::to_string(shape).expect("shapes consist of strings, numbers and lists");
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}

/// The body of the response. It owns the task that writes it.
struct Frames {
    inbox: mpsc::Receiver<Bytes>,
    writer: JoinHandle<()>,
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.inbox.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
