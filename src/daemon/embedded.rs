//! A server inside another program. It has its own threads, handles no signals and prints nothing.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, anyhow};
use tokio::sync::oneshot;

use crate::config::Settings;
use crate::store::SettingsSource;

use super::signals::Hangups;
use super::stopping::Stopping;
use super::{Ready, boot_and_serve, runtime};

/// A running server. Dropping it completes the queries in flight and stops it.
#[derive(Debug)]
pub(crate) struct Daemon {
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Daemon {
    /// Starts a server and waits until it is ready: all checks have had a result, or `[health]
    /// wait_for_first_result` has passed. It logs to the global `tracing` subscriber.
    ///
    /// # Errors
    ///
    /// The errors of `fiftythree serve`, such as errors in the files or a port in use.
    pub(crate) fn start(source: SettingsSource, settings: Settings) -> anyhow::Result<Daemon> {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let work = move || {
            let runtime = runtime()?;
            let stopping = Stopping::ByOwner(stopped);
            let tell = move |ready: Ready| {
                // The receiver is `start`, which waits unless its thread has panicked.
                let _ = tell.send((ready.addresses, ready.admin));
            };
            let outcome = runtime.block_on(boot_and_serve(source, settings, None, stopping, Hangups::ignored(), tell));
            runtime.shutdown_background();
            outcome.map(drop)
        };
        let thread = thread::Builder::new().name("daemon".to_owned()).spawn(work).context("cannot start threads")?;
        match told.recv() {
            Ok((addresses, admin)) => Ok(Daemon { addresses, admin, stop: Some(stop), thread: Some(thread) }),
            Err(mpsc::RecvError) => {
                join(thread)?;
                Err(anyhow!("the server stopped before it was ready"))
            }
        }
    }

    /// The addresses that it answers on, UDP and TCP.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The address of its admin side, if that is enabled.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone if the server has already stopped.
            let _ = stop.send(());
        }
        // What can fail has failed before `start` returned.
        let _ = self.thread.take().map(join);
    }
}

fn join(thread: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    thread.join().map_err(|_| anyhow!("the server panicked"))?
}

#[cfg(test)]
mod tests {
    use std::net::{TcpStream, UdpSocket};

    use crate::config::{AddressFlag, ListenFlags};
    use crate::store::Overrides;

    use super::*;

    fn start(directory: &std::path::Path) -> anyhow::Result<Daemon> {
        let zones = directory.join("zones");
        std::fs::create_dir_all(&zones)?;
        let any = "127.0.0.1:0".parse()?;
        let overrides = Overrides {
            listen: ListenFlags { listen: vec![any], admin: Some(AddressFlag::Listen(any)), ..ListenFlags::default() },
            zones: Some(zones),
            state: Some(directory.join("state")),
            ..Overrides::default()
        };
        let source = SettingsSource { file: None, overrides };
        let settings = source.read().settings.context("these settings are fine")?;
        Daemon::start(source, settings)
    }

    #[test]
    fn several_run_in_one_process_and_each_is_stopped_by_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let one = start(&directory.path().join("one")).unwrap();
        let other = start(&directory.path().join("other")).unwrap();
        let addresses = [&one, &other].map(|daemon| daemon.addresses()[0]);
        assert_ne!(addresses[0], addresses[1]);
        let admin = one.admin().unwrap();
        TcpStream::connect(admin).unwrap();
        drop(one);
        assert!(TcpStream::connect(addresses[0]).is_err());
        UdpSocket::bind(addresses[0]).unwrap();
        TcpStream::connect(addresses[1]).unwrap();
        drop(other);
        assert!(TcpStream::connect(addresses[1]).is_err());
    }

    #[test]
    fn one_that_cannot_start_says_why() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("zones")).unwrap();
        std::fs::write(directory.path().join("zones/a.toml"), "name = 1\n").unwrap();
        let error = start(directory.path()).unwrap_err();
        assert!(format!("{error:#}").contains("cannot start"), "{error:#}");
    }
}
