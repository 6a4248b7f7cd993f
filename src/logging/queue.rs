//! The message queue, the thread that writes it, and counts of lost messages.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::Level;

use super::output::Output;

/// How many bytes can be queued: about 10 000 lines.
const CAPACITY_BYTES: usize = 1 << 20;

/// Counts of lost messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Lost because the queue was full: the log is not read.
    pub full: u64,
    /// Lost because the write failed.
    pub write: u64,
}

/// Messages that are not yet written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Signalled when there is something to write.
    arrived: Condvar,
    /// Signalled when everything is written.
    drained: Condvar,
    lost_full: AtomicU64,
    lost_write: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    bytes: usize,
    /// A message was taken out and is being written.
    is_writing: bool,
}

#[derive(Debug)]
struct Message {
    level: Level,
    text: Box<[u8]>,
}

impl Queue {
    /// Creates a queue and the thread that writes it. The thread runs until the process ends.
    pub(super) fn start(output: Output<impl Write + Send + 'static>) -> io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue::default());
        let written = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || written.write_to(output))?;
        Ok(queue)
    }

    /// Queues a message, or drops and counts it. Returns at once.
    pub(super) fn put(&self, level: Level, text: &[u8]) {
        let message = Message { level, text: text.into() };
        let mut waiting = self.lock();
        if waiting.bytes >= CAPACITY_BYTES {
            drop(waiting);
            self.lost_full.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes += text.len();
        waiting.messages.push_back(message);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// The number of messages lost so far.
    pub(super) fn lost(&self) -> Lost {
        Lost { full: self.lost_full.load(Ordering::Relaxed), write: self.lost_write.load(Ordering::Relaxed) }
    }

    /// Waits until everything is written, for at most `at_most`.
    pub(super) fn flush(&self, at_most: Duration) {
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.messages.is_empty();
        // What is not written by then is lost when the process ends.
        let _ = self.drained.wait_timeout_while(self.lock(), at_most, is_busy);
    }

    fn write_to(&self, mut output: Output<impl Write>) {
        let mut reported = 0;
        loop {
            let message = self.next();
            if output.write(message.level, &message.text).is_err() {
                self.lost_write.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            // Report only after a line was written: on a blocked stream the report would be lost as
            // well.
            let lost = self.lost();
            let lost = lost.full + lost.write;
            if lost > reported && self.lock().messages.is_empty() {
                let new = lost - reported;
                reported = lost;
                tracing::error!(
                    new,
                    lost,
                    "the log can be written again; {new} messages were lost ({lost} since the start)"
                );
            }
        }
    }

    /// Waits for the next message.
    fn next(&self) -> Message {
        let mut waiting = self.lock();
        waiting.is_writing = false;
        loop {
            if let Some(message) = waiting.messages.pop_front() {
                waiting.bytes -= message.text.len();
                waiting.is_writing = true;
                return message;
            }
            self.drained.notify_all();
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No thread panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    use super::super::output::Prefix;
    use super::*;

    /// Far longer than anything here takes.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// A stream that blocks until it is opened; then it forwards what it receives, or fails.
    struct Gate {
        opened: Receiver<()>,
        taken: Option<Sender<String>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error means that it stays open.
            let _ = self.opened.recv();
            let Some(taken) = &self.taken else { return Err(io::ErrorKind::StorageFull.into()) };
            taken.send(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn closed_gate() -> (Arc<Queue>, Sender<()>, Receiver<String>) {
        let ((open, opened), (sender, taken)) = (channel(), channel());
        let gate = Gate { opened, taken: Some(sender) };
        (Queue::start(Output::new(gate, Prefix::None)).unwrap(), open, taken)
    }

    #[test]
    fn a_stuck_stream_holds_up_nobody_and_each_message_is_written_or_counted() {
        let (queue, open, taken) = closed_gate();
        let messages = 3 * CAPACITY_BYTES / 100;
        for number in 0..messages {
            queue.put(Level::INFO, format!("{number:0>99}\n").as_bytes());
        }
        let lost = queue.lost();
        assert!(lost.full > 0 && lost.write == 0, "{lost:?}");
        let began = Instant::now();
        queue.flush(Duration::from_millis(50));
        assert!(began.elapsed() >= Duration::from_millis(50));
        drop(open);
        queue.flush(TIMEOUT);
        // In order: the oldest messages.
        let numbers: Vec<usize> = taken.try_iter().map(|line| line.trim_end().parse().unwrap()).collect();
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
        assert_eq!(numbers.len() as u64 + lost.full, messages as u64);
        assert!(numbers.len() * 100 < CAPACITY_BYTES + 300, "{}", numbers.len());
    }

    #[test]
    fn a_message_larger_than_the_queue_is_written_whole() {
        let (queue, open, taken) = closed_gate();
        drop(open);
        let large = "x".repeat(2 * CAPACITY_BYTES);
        queue.put(Level::INFO, large.as_bytes());
        queue.flush(TIMEOUT);
        assert_eq!(taken.try_iter().collect::<String>().len(), large.len());
        assert_eq!(queue.lost(), Lost::default());
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_the_rest_is_tried() {
        let (open, opened) = channel();
        drop(open);
        let queue = Queue::start(Output::new(Gate { opened, taken: None }, Prefix::None)).unwrap();
        for _ in 0..3 {
            queue.put(Level::INFO, b"line\n");
        }
        queue.flush(TIMEOUT);
        assert_eq!(queue.lost(), Lost { full: 0, write: 3 });
    }
}
