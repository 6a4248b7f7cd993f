//! Notifies systemd about the state of the service: ready, reloading, stopping, alive
//! (sd_notify(3)).
//!
//! Ready means that the port is open and queries are answered. Without `$NOTIFY_SOCKET` nothing is
//! sent.

#[cfg(unix)]
use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::control::{Event, Reloads};
#[cfg(unix)]
use crate::log_limit::LogLimit;

/// How many keep-alive messages are sent per watchdog interval, as sd_watchdog_enabled(3) advises.
const KEEP_ALIVES: u32 = 2;

/// How long sending a message may wait for the service manager.
#[cfg(unix)]
const LONGEST_SEND: Duration = Duration::from_millis(100);

/// The notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notification<'t> {
    /// Queries are answered; the string is the status line.
    Ready(&'t str),
    /// A reload has begun. `Ready` follows.
    Reloading,
    /// The server is stopping.
    Stopping,
    /// A status line.
    Status(&'t str),
    /// The control loop is responsive.
    Alive,
}

/// The receiver of notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// systemd, or another manager with its protocol, if `$NOTIFY_SOCKET` names its socket.
    Systemd,
    /// None: a server inside another program is not that program.
    None,
}

impl Manager {
    /// Sends a notification. A failure is logged and otherwise ignored.
    pub(super) fn notify(self, notification: Notification<'_>) {
        match self {
            Manager::Systemd => notify(notification),
            Manager::None => {}
        }
    }

    /// Sends notifications while the server runs.
    pub(super) fn keep_notifying(
        self,
        tasks: &mut JoinSet<()>,
        reloads: watch::Receiver<Reloads>,
        events: mpsc::Sender<Event>,
    ) {
        if self == Manager::None {
            return;
        }
        tasks.spawn(follow_reloads(reloads, notify));
        if let Some(interval) = watchdog() {
            tasks.spawn(send_keep_alives(events, interval / KEEP_ALIVES, notify));
        }
    }
}

/// Shared, because all servers in a process notify about the same process.
#[cfg(unix)]
static WARNINGS: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);

#[cfg(unix)]
fn notify(notification: Notification<'_>) {
    use sd_notify::NotifyState;
    let sent = match notification {
        Notification::Ready(status) => send(&[NotifyState::Ready, NotifyState::Status(status)]),
        // The time lets systemd distinguish this reload from one that it did not request
        // (`Type=notify-reload`).
        Notification::Reloading => {
            NotifyState::monotonic_usec_now().and_then(|now| send(&[NotifyState::Reloading, now]))
        }
        Notification::Stopping => send(&[NotifyState::Stopping]),
        Notification::Status(status) => send(&[NotifyState::Status(status)]),
        Notification::Alive => send(&[NotifyState::Watchdog]),
    };
    if let Err(error) = sent
        && let Some(held_back) = WARNINGS.admit(error.to_string())
    {
        tracing::warn!("cannot notify systemd of the state of the service ($NOTIFY_SOCKET): {error}{held_back}");
    }
}

/// Sends a datagram as `sd_notify::notify` does, but with a short timeout, because this runs on the
/// threads of the control loop.
#[cfg(unix)]
fn send(states: &[sd_notify::NotifyState<'_>]) -> std::io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let text: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(LONGEST_SEND))?;
    socket.send_to(text.as_bytes(), path).map(drop)
}

#[cfg(not(unix))]
fn notify(_: Notification<'_>) {}

/// The watchdog interval of systemd; `None` if the watchdog is off.
#[cfg(unix)]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(not(unix))]
fn watchdog() -> Option<Duration> {
    None
}

/// Announces the begin and the end of each requested reload, even of one that ended in between.
async fn follow_reloads(mut reloads: watch::Receiver<Reloads>, notify: impl Fn(Notification<'_>)) {
    let mut announced = reloads.borrow_and_update().requested;
    let mut is_loading = false;
    while reloads.changed().await.is_ok() {
        let Reloads { requested, done, outcome } = reloads.borrow_and_update().clone();
        if requested > announced && !is_loading {
            is_loading = true;
            notify(Notification::Reloading);
        }
        announced = requested;
        if requested == done {
            notify(if is_loading { Notification::Ready(&outcome) } else { Notification::Status(&outcome) });
            is_loading = false;
        }
    }
}

/// Sends keep-alive messages while the control loop responds. Whether queries are answered is not
/// tested: under a flood that drops the test query as well, a restart would only help the flood.
async fn send_keep_alives(events: mpsc::Sender<Event>, every: Duration, notify: impl Fn(Notification<'_>)) {
    loop {
        let (answer, answered) = oneshot::channel();
        if events.send(Event::Ping(answer)).await.is_err() || answered.await.is_err() {
            return;
        }
        notify(Notification::Alive);
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A function that records notifications, and what it has recorded.
    fn recorder() -> (impl Fn(Notification<'_>) + Send + 'static, Arc<Mutex<Vec<String>>>) {
        let received = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&received);
        (move |notification: Notification<'_>| sink.lock().unwrap().push(format!("{notification:?}")), received)
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_is_announced_before_its_end_even_when_both_are_seen_at_once() {
        let (sender, receiver) = watch::channel(Reloads::default());
        let (notify, received) = recorder();
        let _following = tokio::spawn(follow_reloads(receiver, notify));
        let send = async |requested, done, outcome: &str| {
            sender.send_replace(Reloads { requested, done, outcome: outcome.into() });
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        tokio::time::sleep(Duration::from_millis(1)).await;
        send(1, 1, "one zone").await;
        send(1, 1, "an edit").await;
        send(2, 1, "an edit").await;
        send(3, 1, "an edit").await;
        send(3, 3, "two zones").await;
        let expected = ["Reloading", "Ready(\"one zone\")", "Status(\"an edit\")", "Reloading", "Ready(\"two zones\")"];
        assert_eq!(*received.lock().unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_signs_of_life_only_while_the_loop_answers() {
        let (events, mut inbox) = mpsc::channel(1);
        let (notify, received) = recorder();
        let life = tokio::spawn(send_keep_alives(events, Duration::from_secs(15), notify));
        for _ in 0..3 {
            let Some(Event::Ping(answer)) = inbox.recv().await else { panic!("another question") };
            answer.send(()).unwrap();
        }
        // The loop hangs: it received the event and does not answer.
        let question = inbox.recv().await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(*received.lock().unwrap(), ["Alive"; 3]);
        assert!(!life.is_finished());
        drop(question);
        life.await.unwrap();
        assert_eq!(received.lock().unwrap().len(), 3);
    }
}
