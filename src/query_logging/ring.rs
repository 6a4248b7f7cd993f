//! A ring buffer for records of any length from one worker to one thread. Each record has its
//! length in front.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The octets of the length in front of a record.
const LENGTH_OCTETS: usize = 4;

/// The end of the worker.
pub(super) struct RingInlet {
    ring: rtrb::Producer<u8>,
    drops: Arc<Drops>,
}

/// The end of the thread.
pub(super) struct RingOutlet(rtrb::Consumer<u8>);

/// The number of dropped records. One worker writes it, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Drops(AtomicU64);

/// Both ends of a new ring.
pub(super) fn ring(octets: usize) -> (RingInlet, RingOutlet, Arc<Drops>) {
    let (ring, outlet) = rtrb::RingBuffer::new(octets);
    let drops = Arc::new(Drops::default());
    (RingInlet { ring, drops: Arc::clone(&drops) }, RingOutlet(outlet), drops)
}

impl RingInlet {
    /// Adds a record made of several parts, or drops it if there is no space.
    pub(super) fn put(&mut self, parts: [&[u8]; 3]) {
        let octets: usize = parts.iter().map(|part| part.len()).sum();
        // The space may have grown by now, but never shrinks.
        if self.ring.slots() < LENGTH_OCTETS + octets {
            self.drops.count();
            return;
        }
        let length = u32::try_from(octets).expect("records are shorter than rings").to_le_bytes();
        for part in [length.as_slice()].into_iter().chain(parts).filter(|part| !part.is_empty()) {
            self.ring.push_entire_slice(part).expect("there is room for all of it");
        }
    }
}

impl RingOutlet {
    /// Takes the next record into `record`. Returns whether there was one.
    pub(super) fn take(&mut self, record: &mut Vec<u8>) -> bool {
        let Ok(length) = self.0.read_chunk(LENGTH_OCTETS) else { return false };
        let mut octets = [0; LENGTH_OCTETS];
        let (front, back) = length.as_slices();
        octets[..front.len()].copy_from_slice(front);
        octets[front.len()..].copy_from_slice(back);
        let octets = u32::from_le_bytes(octets) as usize;
        // The length may have arrived before the record.
        if self.0.slots() < LENGTH_OCTETS + octets {
            return false;
        }
        record.resize(octets, 0);
        let taken = self.0.pop_entire_slice(&mut [0; LENGTH_OCTETS]).and_then(|()| self.0.pop_entire_slice(record));
        taken.expect("all of it is there");
        true
    }

    /// Whether the worker has ended and the ring is empty.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_abandoned() && self.0.is_empty()
    }
}

impl Drops {
    /// The number of dropped records so far.
    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// There is one writer, so no increment is lost between load and store.
    fn count(&self) {
        self.0.store(self.read() + 1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in_however_often_the_ring_turns() {
        let (mut inlet, mut outlet, drops) = ring(100);
        let mut record = Vec::new();
        assert!(!outlet.take(&mut record));
        for turn in 0..200u8 {
            inlet.put([&[turn], &[turn; 20], &[]]);
            inlet.put([&[], &[], &[]]);
            assert!(outlet.take(&mut record));
            assert_eq!(record, [turn; 21]);
            assert!(outlet.take(&mut record) && record.is_empty());
        }
        assert_eq!((drops.read(), outlet.take(&mut record)), (0, false));
    }

    #[test]
    fn what_finds_no_room_is_dropped_whole_and_counted() {
        let (mut inlet, mut outlet, drops) = ring(64);
        (0..5u8).for_each(|number| inlet.put([&[number; 10], &[number; 10], &[]]));
        assert_eq!(drops.read(), 3);
        let mut record = Vec::new();
        for number in 0..2u8 {
            assert!(outlet.take(&mut record));
            assert_eq!(record, [number; 20]);
        }
        assert!(!outlet.take(&mut record) && !outlet.is_over());
        inlet.put([&[9; 30], &[], &[]]);
        drop(inlet);
        assert!(outlet.take(&mut record) && outlet.is_over());
    }

    #[test]
    fn between_two_threads_nothing_is_torn() {
        let (mut inlet, mut outlet, drops) = ring(1 << 10);
        let sent = 20_000u32;
        let worker = std::thread::spawn(move || {
            for number in 0..sent {
                let body = [number.to_le_bytes()[0]; 60];
                inlet.put([&number.to_le_bytes(), &body[..number as usize % 61], &[]]);
            }
        });
        let (mut taken, mut record) = (0, Vec::new());
        while !outlet.is_over() {
            while outlet.take(&mut record) {
                let number = u32::from_le_bytes(record[..4].try_into().unwrap());
                assert_eq!(record.len(), 4 + number as usize % 61);
                assert!(record[4..].iter().all(|octet| *octet == number.to_le_bytes()[0]));
                taken += 1;
            }
        }
        worker.join().unwrap();
        assert_eq!(taken + drops.read(), u64::from(sent));
    }
}
