//! The table of open connections: the phase of each, and which one is closed to make room for
//! another. Time is an argument.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Class, Limits};

/// All open connections.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    next: Id,
    entries: HashMap<Id, Entry>,
}

/// The id of a connection, in the order of their arrival.
type Id = u64;

#[derive(Debug)]
struct Entry {
    client: Client,
    phase: Phase,
    /// Since when its writes make no progress.
    stalled: Option<Instant>,
    /// Ends the connection.
    closing: Arc<Notify>,
}

/// A client: an IPv4 address, or an IPv6 /64, since one client usually has a whole /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Client(IpAddr);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Without a whole request since this time.
    Waiting(Instant),
    /// A whole request is being answered.
    Answering(Class),
    /// The response is complete but not fully sent.
    Flushing(Class),
}

impl Table {
    pub(super) fn new(limits: Limits) -> Table {
        Table { limits, next: 0, entries: HashMap::new() }
    }

    /// Adds a connection. If the table is full, another one is closed.
    fn admit(&mut self, address: IpAddr, now: Instant) -> Option<(Id, Arc<Notify>)> {
        if self.entries.len() >= self.limits.connections && !self.make_room() {
            return None;
        }
        let id = self.next;
        self.next += 1;
        let closing = Arc::new(Notify::new());
        let (client, phase) = (Client::of(address), Phase::Waiting(now));
        self.entries.insert(id, Entry { client, phase, stalled: None, closing: Arc::clone(&closing) });
        Some((id, closing))
    }

    /// Closes the connection that has been without a whole request for longest; if there is none,
    /// the one whose response has made no progress for longest. Connections of the client with the
    /// most connections go first.
    pub(super) fn make_room(&mut self) -> bool {
        let waiting = |entry: &Entry| match entry.phase {
            Phase::Waiting(since) => Some(since),
            Phase::Answering(_) | Phase::Flushing(_) => None,
        };
        self.close_longest(waiting) || self.close_longest(|entry| entry.stalled)
    }

    /// Closes the connection with the earliest time that `since` returns.
    fn close_longest(&mut self, since: impl Fn(&Entry) -> Option<Instant>) -> bool {
        let mut counts: HashMap<Client, usize> = HashMap::new();
        for entry in self.entries.values() {
            *counts.entry(entry.client).or_default() += 1;
        }
        let candidates = self.entries.iter().filter_map(|(id, entry)| {
            let since = since(entry)?;
            Some((counts[&entry.client], Reverse(since), *id))
        });
        let Some((_, _, id)) = candidates.max() else { return false };
        self.close(id);
        true
    }

    fn close(&mut self, id: Id) {
        if let Some(entry) = self.entries.remove(&id) {
            entry.closing.notify_one();
        }
    }

    /// Gives a complete request a slot. If none is free, an unread response of the same class is
    /// aborted.
    fn begin(&mut self, id: Id, class: Class) -> bool {
        let Some(client) = self.entries.get(&id).map(|entry| entry.client) else { return false };
        if let Some(slots) = self.limits.slots(class) {
            while let Some(whose) = self.shortage(id, client, class, slots) {
                let may_close =
                    |entry: &Entry| entry.class() == Some(class) && whose.is_none_or(|client| entry.client == client);
                if !self.close_longest(|entry| entry.stalled.filter(|_| may_close(entry))) {
                    return false;
                }
            }
        }
        self.set(id, Phase::Answering(class))
    }

    /// Which limit is reached: `Some(Some(client))` for that of a client, `Some(None)` for that of
    /// all.
    fn shortage(&self, id: Id, client: Client, class: Class, slots: usize) -> Option<Option<Client>> {
        let taken = || self.entries.iter().filter(move |(other, entry)| **other != id && entry.class() == Some(class));
        if taken().filter(|(_, entry)| entry.client == client).count() >= Limits::of_one_address(slots) {
            return Some(Some(client));
        }
        (taken().count() >= slots).then_some(None)
    }

    /// The response is complete; the rest of it has yet to be sent.
    fn answered(&mut self, id: Id) {
        if let Some(Phase::Answering(class)) = self.entries.get(&id).map(|entry| entry.phase) {
            self.set(id, Phase::Flushing(class));
        }
    }

    /// Everything is sent: the connection waits for its next request.
    fn flushed(&mut self, id: Id, now: Instant) {
        if let Some(Phase::Flushing(_)) = self.entries.get(&id).map(|entry| entry.phase) {
            self.set(id, Phase::Waiting(now));
        }
    }

    fn stalled(&mut self, id: Id, since: Option<Instant>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stalled = since;
        }
    }

    fn set(&mut self, id: Id, phase: Phase) -> bool {
        self.entries.get_mut(&id).map(|entry| entry.phase = phase).is_some()
    }

    fn is_crowded(&self) -> bool {
        self.entries.len() > self.limits.crowded()
    }
}

impl Entry {
    /// The class of the slot that it has.
    fn class(&self) -> Option<Class> {
        match self.phase {
            Phase::Waiting(_) => None,
            Phase::Answering(class) | Phase::Flushing(class) => Some(class),
        }
    }
}

impl Client {
    fn of(address: IpAddr) -> Client {
        match address.to_canonical() {
            IpAddr::V6(v6) => Client(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => Client(v4),
        }
    }
}

/// Ignores poisoning: no code panics while it holds the lock, and the table is consistent after
/// each step.
pub(super) fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection's own entry in the table, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionEntry {
    table: Arc<Mutex<Table>>,
    id: Id,
    closing: Arc<Notify>,
    arrived_crowded: bool,
}

impl ConnectionEntry {
    pub(super) fn take(table: &Arc<Mutex<Table>>, address: IpAddr) -> Option<ConnectionEntry> {
        let mut locked = lock(table);
        let (id, closing) = locked.admit(address, Instant::now())?;
        Some(ConnectionEntry { table: Arc::clone(table), id, closing, arrived_crowded: locked.is_crowded() })
    }

    /// True if there were many connections when this one arrived; then the shorter time limit
    /// applies.
    pub(super) fn arrived_crowded(&self) -> bool {
        self.arrived_crowded
    }

    /// True if there are many connections now.
    pub(super) fn is_crowded(&self) -> bool {
        lock(&self.table).is_crowded()
    }

    pub(super) fn begin(&self, class: Class) -> bool {
        lock(&self.table).begin(self.id, class)
    }

    pub(super) fn answered(&self) {
        lock(&self.table).answered(self.id);
    }

    pub(super) fn flushed(&self) {
        lock(&self.table).flushed(self.id, Instant::now());
    }

    pub(super) fn stalled(&self, since: Option<Instant>) {
        lock(&self.table).stalled(self.id, since);
    }

    /// Waits until the connection is closed to make room.
    pub(super) async fn closed(&self) {
        self.closing.notified().await;
    }
}

impl Drop for ConnectionEntry {
    fn drop(&mut self) {
        lock(&self.table).entries.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Ten connections: five ordinary requests, four of one address; two streams.
    fn table() -> (Table, Instant) {
        (Table::new(Limits { connections: 10, body: 0 }), Instant::now())
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn ids(table: &Table) -> Vec<Id> {
        let mut ids: Vec<Id> = table.entries.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn who_has_been_without_a_whole_request_for_longest_makes_room() {
        let (mut table, start) = table();
        let at = |seconds| start + Duration::from_secs(seconds);
        for i in 0..10 {
            assert!(table.admit(address(i), at(u64::from(i))).is_some());
        }
        // 0 has had a whole request since; 1 has one now.
        assert!(table.begin(0, Class::Ordinary));
        table.answered(0);
        table.flushed(0, at(20));
        assert!(table.begin(1, Class::Ordinary));
        for i in 10..13 {
            assert!(table.admit(address(i), at(30)).is_some());
        }
        assert_eq!(ids(&table), [0, 1, 5, 6, 7, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn the_address_with_most_connections_makes_room_first() {
        let (mut table, start) = table();
        let at = |seconds| start + Duration::from_secs(seconds);
        for i in 0..10 {
            table.admit(address(u8::from(i >= 4)), at(i)).unwrap();
        }
        let (_, closing) = table.admit(address(2), at(10)).unwrap();
        assert_eq!(ids(&table), [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]);
        // Addresses of one IPv6 network are one client, IPv4 mapped ones are not.
        assert_eq!(Client::of("2001:db8::1".parse().unwrap()), Client::of("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(Client::of("2001:db8::1".parse().unwrap()), Client::of("2001:db8:0:1::1".parse().unwrap()));
        assert_ne!(Client::of("::ffff:192.0.2.1".parse().unwrap()), Client::of("::ffff:192.0.2.2".parse().unwrap()));
        drop(closing);
    }

    #[test]
    fn a_response_that_is_not_read_makes_room_when_nobody_waits() {
        let (mut table, now) = table();
        for i in 0..10 {
            table.admit(address(i), now).unwrap();
            assert!(table.begin(u64::from(i), Class::Essential));
        }
        assert!(table.admit(address(99), now).is_none(), "all of them are being answered");
        table.stalled(7, Some(now));
        table.stalled(8, Some(now + Duration::from_secs(1)));
        assert!(table.admit(address(99), now).is_some());
        assert_eq!(ids(&table), [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
        table.stalled(8, None);
        assert!(table.begin(10, Class::Essential));
        assert!(table.admit(address(99), now).is_none(), "what moves again is left alone");
    }

    #[test]
    fn one_address_never_has_all_places_and_all_places_never_are_exceeded() {
        let (mut table, now) = table();
        for i in 0..8 {
            table.admit(address(u8::from(i >= 5)), now).unwrap();
        }
        let taken: Vec<bool> = (0..8).map(|id| table.begin(id, Class::Ordinary)).collect();
        assert_eq!(taken, [true, true, true, true, false, true, false, false]);
        assert!(table.begin(6, Class::Stream) && table.begin(4, Class::Stream), "streams have their own");
        assert!(!table.begin(7, Class::Stream));
        assert!(table.begin(7, Class::Essential));
        // A response that is complete keeps its place until it has left.
        table.answered(0);
        assert!(!table.begin(4, Class::Ordinary));
        table.flushed(0, now);
        assert!(table.begin(4, Class::Ordinary));
    }

    #[test]
    fn a_place_comes_from_who_does_not_read() {
        let (mut table, now) = table();
        for i in 0..7 {
            table.admit(address(u8::from(i >= 5)), now).unwrap();
        }
        assert!((0..4).all(|id| table.begin(id, Class::Ordinary)) && table.begin(5, Class::Ordinary));
        table.stalled(5, Some(now));
        assert!(!table.begin(4, Class::Ordinary), "this address has its share, and reads");
        table.stalled(2, Some(now + Duration::from_secs(1)));
        assert!(table.begin(4, Class::Ordinary));
        assert!(table.begin(6, Class::Ordinary), "of the other address");
        assert_eq!(ids(&table), [0, 1, 3, 4, 6]);
    }

    #[test]
    fn a_connection_that_was_closed_takes_no_place() {
        let (mut table, now) = table();
        table.admit(address(1), now).unwrap();
        assert!(table.make_room());
        assert!(!table.begin(0, Class::Essential));
        table.flushed(0, now);
        assert!(!table.make_room(), "nobody is left");
    }
}
