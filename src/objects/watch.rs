//! What happened to objects, in the order in which it came into force: one bounded list that an
//! engine writes and any number of watchers read.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

use super::{Change, ObjectId, Revision};

/// How many events are kept for watchers that are slower than changes.
const MOST_EVENTS: usize = 512;
/// How many record set changes they may have together: it limits the memory that they take.
const MOST_RECORD_CHANGES: usize = 16 * 1024;

/// A place in the order of events: a watcher continues after it. It means something only to the
/// engine that gave it; an engine on files gives other ones after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(pub(crate) u64);

/// What happened to one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ObjectEvent {
    /// Where it is in the order of all events.
    pub(crate) position: Position,
    /// The object.
    pub(crate) id: ObjectId,
    /// What happened to it.
    pub(crate) kind: ObjectEventKind,
}

/// What happens to objects.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ObjectEventKind {
    /// A commit created or changed the object.
    Changed {
        /// The revision that it was made to; `None` if it created the object. A watcher whose copy
        /// has another revision reads the object again.
        before: Option<Revision>,
        /// The revision now.
        after: Revision,
        /// The change. It is never a removal.
        change: Arc<Change>,
    },
    /// The object is new, or may be another one, for any other reason, such as an edit of its file.
    /// A watcher reads it.
    Replaced,
    /// The object is gone.
    Removed,
}

/// Events were dropped or are not known any more. Those that follow are later than everything that
/// a list has that is read now, or are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events were missed: list the objects again")]
pub(crate) struct ListAgain;

/// Reads what happens to objects.
#[async_trait]
pub(crate) trait ObjectWatcher: Send {
    /// The next event, as soon as there is one; `None` when the engine has ended. After
    /// `ListAgain`, the watcher continues with the events after that.
    #[cfg_attr(not(test), expect(dead_code, reason = "the engines and their tests come first"))]
    async fn next(&mut self) -> Option<Result<ObjectEvent, ListAgain>>;
}

/// The latest events. Clones share them. Without watchers, nothing is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectEvents(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The last ones.
    kept: VecDeque<ObjectEvent>,
    /// How many record set changes they have.
    record_changes: usize,
    /// The position of the last event.
    last: u64,
    watchers: usize,
    /// Watchers that wait for an event.
    wakers: Vec<Waker>,
    has_ended: bool,
}

impl ObjectEvents {
    /// Whether events have a reader. Without one, an engine need not find out what happened; it
    /// adds anything that did.
    pub(crate) fn is_watched(&self) -> bool {
        self.state().watchers > 0
    }

    /// Adds events, in order, after they came into force. Never waits for a watcher.
    pub(crate) fn add(&self, events: impl IntoIterator<Item = (ObjectId, ObjectEventKind)>) {
        let mut state = self.state();
        events.into_iter().for_each(|(id, kind)| state.add(id, kind));
        wake(state);
    }

    /// Records that something happened which is not known in detail: each watcher has to list
    /// again.
    pub(crate) fn add_unknown(&self) {
        let mut state = self.state();
        // The number of an event that is not kept.
        state.last += 1;
        state.clear();
        wake(state);
    }

    /// Ends the watchers, after the events that are there.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.has_ended = true;
        wake(state);
    }

    /// What happens after a position, or from now on.
    pub(crate) fn watch(&self, after: Option<Position>) -> Box<dyn ObjectWatcher> {
        let mut state = self.state();
        state.watchers += 1;
        let seen = after.map_or(state.last, |position| position.0);
        drop(state);
        Box::new(Watcher { events: self.clone(), seen })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half done when a thread panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, id: ObjectId, kind: ObjectEventKind) {
        self.last += 1;
        if self.watchers == 0 {
            return;
        }
        self.record_changes += record_changes(&kind);
        self.kept.push_back(ObjectEvent { position: Position(self.last), id, kind });
        // One event is kept however large it is.
        while self.kept.len() > MOST_EVENTS || (self.record_changes > MOST_RECORD_CHANGES && self.kept.len() > 1) {
            let dropped = self.kept.pop_front().expect("the list is not empty");
            self.record_changes -= record_changes(&dropped.kind);
        }
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.record_changes = 0;
    }

    /// The event after the one with the number `seen`.
    fn after(&self, seen: u64) -> Option<Result<ObjectEvent, ListAgain>> {
        if seen == self.last {
            return None;
        }
        let first = self.last + 1 - self.kept.len() as u64;
        let at = (seen + 1).checked_sub(first).and_then(|at| usize::try_from(at).ok());
        Some(at.and_then(|at| self.kept.get(at)).cloned().ok_or(ListAgain))
    }
}

/// Wakes the watchers that wait, without the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let wakers = std::mem::take(&mut state.wakers);
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

/// How many record set changes an event has.
fn record_changes(kind: &ObjectEventKind) -> usize {
    match kind {
        ObjectEventKind::Changed { change, .. } => match &**change {
            Change::RecordSets(batch) => batch.changes.len(),
            _ => 1,
        },
        ObjectEventKind::Replaced | ObjectEventKind::Removed => 0,
    }
}

/// A reader of the list: the number of the last event that it has seen.
struct Watcher {
    events: ObjectEvents,
    seen: u64,
}

impl Watcher {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<Result<ObjectEvent, ListAgain>>> {
        let mut state = self.events.state();
        if let Some(next) = state.after(self.seen) {
            self.seen = next.as_ref().map_or(state.last, |event| event.position.0);
            return Poll::Ready(Some(next));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}

#[async_trait]
impl ObjectWatcher for Watcher {
    async fn next(&mut self) -> Option<Result<ObjectEvent, ListAgain>> {
        poll_fn(|context| self.poll(context)).await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut state = self.events.state();
        state.watchers -= 1;
        if state.watchers == 0 {
            state.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change as RecordChange, ChangeAction, ChangeBatch, HealthCheckId, ResourceRecordSet};
    use crate::zonetree::fixture::lab;

    fn id(number: usize) -> ObjectId {
        ObjectId::HealthCheck(HealthCheckId(number.to_string()))
    }

    fn add(events: &ObjectEvents, number: usize) {
        events.add([(id(number), ObjectEventKind::Replaced)]);
    }

    /// The next event, which is there.
    fn event(watcher: &mut dyn ObjectWatcher) -> ObjectEvent {
        match watcher.next().as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(event))) => event,
            other => panic!("{other:?}"),
        }
    }

    /// What has happened already.
    fn now(watcher: &mut dyn ObjectWatcher) -> Option<Result<ObjectId, ListAgain>> {
        let mut next = watcher.next();
        match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(next) => next.map(|next| next.map(|event| event.id)),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_watcher_sees_what_happens_after_it_began_and_another_continues_after_a_position() {
        let events = ObjectEvents::default();
        add(&events, 1);
        let mut watcher = events.watch(None);
        (2..=4).for_each(|number| add(&events, number));
        let first = event(&mut *watcher);
        assert_eq!(first.id, id(2));
        let mut other = events.watch(Some(first.position));
        for watcher in [&mut watcher, &mut other] {
            assert_eq!([now(&mut **watcher), now(&mut **watcher)], [Some(Ok(id(3))), Some(Ok(id(4)))]);
            assert_eq!(now(&mut **watcher), None);
        }
    }

    #[test]
    fn a_slow_watcher_lists_again_and_goes_on() {
        let events = ObjectEvents::default();
        let mut watcher = events.watch(None);
        (0..=MOST_EVENTS).for_each(|number| add(&events, number));
        assert_eq!(now(&mut *watcher), Some(Err(ListAgain)));
        assert_eq!(now(&mut *watcher), None);
        add(&events, 7);
        assert_eq!(now(&mut *watcher), Some(Ok(id(7))));
    }

    #[test]
    fn nothing_is_kept_while_nobody_watches_and_a_position_before_is_too_old() {
        let events = ObjectEvents::default();
        let mut watcher = events.watch(None);
        add(&events, 1);
        let position = event(&mut *watcher).position;
        drop(watcher);
        assert_eq!(now(&mut *events.watch(Some(position))), None);
        assert!(!events.is_watched());
        add(&events, 2);
        assert!(events.state().kept.is_empty());
        assert_eq!(now(&mut *events.watch(Some(position))), Some(Err(ListAgain)));
        // A position of another run.
        assert_eq!(now(&mut *events.watch(Some(Position(99)))), Some(Err(ListAgain)));
        let mut watcher = events.watch(None);
        events.add_unknown();
        assert_eq!([now(&mut *watcher), now(&mut *watcher)], [Some(Err(ListAgain)), None]);
    }

    #[test]
    fn large_changes_are_kept_within_a_limit() {
        let zone = lab([]);
        let events = ObjectEvents::default();
        let _watcher = events.watch(None);
        let set: ResourceRecordSet = (*zone.record_sets[0]).clone();
        let change = RecordChange { action: ChangeAction::Upsert, record_set: set };
        let batch = ChangeBatch { comment: None, changes: vec![change; MOST_RECORD_CHANGES / 4] };
        let change = Arc::new(Change::RecordSets(batch));
        for _ in 0..8 {
            let kind = ObjectEventKind::Changed { before: None, after: Revision(1), change: Arc::clone(&change) };
            events.add([(id(1), kind)]);
        }
        let state = events.state();
        assert_eq!((state.kept.len(), state.record_changes), (4, MOST_RECORD_CHANGES));
    }

    #[tokio::test]
    async fn a_waiting_watcher_is_woken_and_ends_with_the_engine() {
        let events = ObjectEvents::default();
        let mut watcher = events.watch(None);
        let waits = tokio::spawn(async move { (watcher.next().await, watcher.next().await) });
        tokio::task::yield_now().await;
        add(&events, 1);
        tokio::task::yield_now().await;
        events.end();
        let (event, end) = waits.await.unwrap();
        assert_eq!((event.unwrap().unwrap().id, end), (id(1), None));
    }
}
