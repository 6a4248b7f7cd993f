//! Sockets: bound all or none, with errors that say what to do; then served by threads that can be stopped.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;

use super::{Responder, ResponderSettings, TcpLimits, Transport, portable, tcp};
#[cfg(target_os = "linux")]
use super::{batch, udp};
use crate::stats::{Meters, Stats, Totals};
use crate::tap::Taps;
use crate::world::Reader;

/// Connections that wait to be accepted; the system's own maximum may be lower.
const BACKLOG: i32 = 1024;
/// Room for packets that come in faster than they are answered, a few milliseconds' worth at full speed. The system's own
/// maximum may be lower.
const RECEIVE_BUFFER_OCTETS: usize = 1 << 20;
/// What the kernel holds of the responses that a TCP client does not read: room for the longest one. The kernel doubles the
/// number for its own bookkeeping, so that a client costs at most 128 KiB; left to itself it would let the buffer grow to 4 MiB.
const TCP_SEND_BUFFER_OCTETS: usize = 64 * 1024;
/// What the kernel holds of the queries that a TCP client sends ahead: several of the longest kind. Doubled as well.
const TCP_RECEIVE_BUFFER_OCTETS: usize = 16 * 1024;
/// With port 0 the system picks one for TCP that may be taken for UDP: then another is tried.
const PORT_ATTEMPTS: usize = 16;

/// How UDP is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpPath {
    /// In batches by one thread a worker; Linux alone. Elsewhere it is the portable path.
    Batched,
    /// Through hickory-server.
    Portable,
}

impl Default for UdpPath {
    fn default() -> UdpPath {
        if cfg!(target_os = "linux") { UdpPath::Batched } else { UdpPath::Portable }
    }
}

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address} ({transport}): {source}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The transport.
    pub transport: Transport,
    /// What can be done about it.
    pub hint: Option<&'static str>,
    source: io::Error,
}

/// Who counts queries and who is told of them.
#[derive(Clone, Copy)]
pub struct Observers<'o> {
    /// Where workers count.
    pub meters: &'o Meters,
    /// Who is told.
    pub taps: &'o Taps,
}

impl Observers<'_> {
    fn responder(&self, settings: &ResponderSettings, seed: u64) -> Responder {
        Responder::counting(settings.clone(), seed, self.meters.worker()).tapped(self.taps.worker())
    }
}

/// Sockets bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    endpoints: Vec<Endpoint>,
    path: UdpPath,
}

#[derive(Debug)]
struct Endpoint {
    address: SocketAddr,
    udp: Vec<UdpSocket>,
    tcp: TcpListener,
}

/// Served sockets. Whoever holds this can stop them; dropped, it does so without waiting.
pub struct Serving {
    stop: Arc<AtomicBool>,
    stop_tasks: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    stats: Vec<Arc<Stats>>,
}

impl Bound {
    /// Binds UDP and TCP on every address, or nothing. `workers` is the number of UDP workers an address; 0 means one a
    /// core. A port 0 becomes one that is free, the same for UDP and TCP.
    ///
    /// # Errors
    /// The first address that cannot be bound. An IPv6 `::` on a host without IPv6 is passed over with a warning as long
    /// as another address remains: the built-in default listens on all addresses of both kinds.
    pub fn bind(listen: &[SocketAddr], workers: usize, path: UdpPath) -> Result<Bound, BindError> {
        let path = if cfg!(target_os = "linux") { path } else { UdpPath::Portable };
        let sockets = match path {
            UdpPath::Batched => worker_count(workers),
            UdpPath::Portable => 1,
        };
        let mut endpoints = Vec::new();
        for &address in listen {
            match Endpoint::bind(address, sockets) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) if listen.len() > 1 && error.is_missing_ipv6() => warn!("{error}: passed over"),
                Err(error) => return Err(error),
            }
        }
        Ok(Bound { endpoints, path })
    }

    /// Tries whether `bind` would succeed now and lets go again. Ports open only when health is known; what is wrong with
    /// the addresses is said at once.
    ///
    /// # Errors
    /// As `bind`.
    pub fn check(listen: &[SocketAddr], workers: usize, path: UdpPath) -> Result<(), BindError> {
        Bound::bind(listen, workers, path).map(drop)
    }

    /// The addresses, with the ports that were chosen for 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoints.iter().map(|endpoint| endpoint.address).collect()
    }

    /// Starts to answer from what `reader` sees, before the eyes of `observers`. `seed` seeds the dice; each worker's fall
    /// differently.
    ///
    /// # Errors
    /// When the system gives no thread or no runtime.
    pub fn serve(
        self,
        reader: &Reader,
        settings: &ResponderSettings,
        limits: TcpLimits,
        observers: Observers<'_>,
        seed: u64,
    ) -> io::Result<Serving> {
        let (stop_tasks, stopped) = watch::channel(false);
        let mut serving = Serving { stop: Arc::default(), stop_tasks, threads: Vec::new(), stats: Vec::new() };
        let mut responders = (seed..).map(|seed| observers.responder(settings, seed));
        let mut responder = || responders.next().expect("there are seeds enough");
        let (mut listeners, mut sockets) = (Vec::new(), Vec::new());
        for endpoint in self.endpoints {
            listeners.push(endpoint.tcp);
            sockets.extend(endpoint.udp);
        }
        serving.serve_tcp(listeners, reader.clone(), responder(), limits, stopped.clone())?;
        #[cfg(target_os = "linux")]
        if self.path == UdpPath::Batched {
            for socket in sockets {
                serving.serve_batches(socket, reader.clone(), responder())?;
            }
            return Ok(serving);
        }
        serving.serve_portably(sockets, reader.clone(), responder(), stopped)?;
        Ok(serving)
    }
}

impl Serving {
    /// What all workers have counted.
    pub fn totals(&self) -> Totals {
        self.stats.iter().map(|stats| stats.totals()).sum()
    }

    /// Stops and waits: what is under way is answered, idle connections are closed, then all threads have ended.
    pub fn stop(mut self) {
        self.signal();
        for thread in std::mem::take(&mut self.threads) {
            if thread.join().is_err() {
                warn!("a serving thread had panicked");
            }
        }
    }

    fn signal(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stop_tasks.send_replace(true);
    }

    fn serve_tcp(
        &mut self,
        listeners: Vec<TcpListener>,
        reader: Reader,
        responder: Responder,
        limits: TcpLimits,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let runtime = runtime()?;
        let context = runtime.enter();
        let listeners = listeners.into_iter().map(tokio::net::TcpListener::from_std).collect::<io::Result<_>>()?;
        drop(context);
        self.start("tcp", &responder.stats().clone(), move || {
            runtime.block_on(tcp::serve(listeners, &reader, responder, limits, stop));
        })
    }

    fn serve_portably(
        &mut self,
        sockets: Vec<UdpSocket>,
        reader: Reader,
        responder: Responder,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let runtime = runtime()?;
        sockets.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        self.start("udp", &responder.stats().clone(), move || {
            runtime.block_on(portable::serve(sockets, &reader, responder, stop));
        })
    }

    #[cfg(target_os = "linux")]
    fn serve_batches(&mut self, socket: UdpSocket, reader: Reader, responder: Responder) -> io::Result<()> {
        let stop = Arc::clone(&self.stop);
        self.start("udp", &responder.stats().clone(), move || {
            udp::work(batch::Batch::new(socket), &reader, responder, &stop);
        })
    }

    fn start(&mut self, name: &str, stats: &Arc<Stats>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.stats.push(Arc::clone(stats));
        // "udp-1" and the like: what `top -H` shows has room for 15 characters.
        let name = format!("{name}-{}", self.stats.len() - 1);
        self.threads.push(std::thread::Builder::new().name(name).spawn(work)?);
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.signal();
    }
}

impl Endpoint {
    fn bind(address: SocketAddr, udp_sockets: usize) -> Result<Endpoint, BindError> {
        let mut attempts = 1;
        loop {
            match Endpoint::bind_once(address, udp_sockets) {
                Err(error) if address.port() == 0 && error.is_taken() && attempts < PORT_ATTEMPTS => attempts += 1,
                outcome => return outcome,
            }
        }
    }

    /// TCP first: unlike UDP sockets that share a port among workers, it cannot be bound twice, so that a second server
    /// on the same address is told so instead of taking half of the queries.
    fn bind_once(address: SocketAddr, udp_sockets: usize) -> Result<Endpoint, BindError> {
        let failed = |transport| move |source| BindError::new(address, transport, source);
        let tcp = bind_tcp(address).map_err(failed(Transport::Tcp))?;
        let address = tcp.local_addr().map_err(failed(Transport::Tcp))?;
        let udp = (0..udp_sockets).map(|_| bind_udp(address, udp_sockets > 1)).collect::<io::Result<_>>();
        Ok(Endpoint { address, udp: udp.map_err(failed(Transport::Udp))?, tcp })
    }
}

impl BindError {
    fn new(address: SocketAddr, transport: Transport, source: io::Error) -> BindError {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse if address.port() == 53 => Some(
                "another DNS server has this port (`ss -lnptu` shows which). On many systems it is systemd-resolved on 127.0.0.53: \
                 listen on other addresses by `[dns] listen` or --listen, or set DNSStubListener=no in /etc/systemd/resolved.conf",
            ),
            io::ErrorKind::AddrInUse => Some(
                "another program has this port (`ss -lnptu` shows which): listen elsewhere by `[dns] listen` or --listen ADDRESS:PORT",
            ),
            io::ErrorKind::PermissionDenied if address.port() < 1024 => Some(
                "ports below 1024 take a privilege: grant it to the binary with `setcap cap_net_bind_service=+ep`, or listen on a \
                 higher port",
            ),
            io::ErrorKind::AddrNotAvailable => Some(
                "this host has no such address (`ip address` shows those it has): change `[dns] listen` or --listen",
            ),
            _ => None,
        };
        BindError { address, transport, hint, source }
    }

    fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }

    /// `::` cannot be bound, and nobody is in the way: the host has no IPv6.
    fn is_missing_ipv6(&self) -> bool {
        let in_the_way = matches!(self.source.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
        self.address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !in_the_way
    }
}

/// How many sockets listen on these addresses.
pub fn socket_count(listen: &[SocketAddr], workers: usize) -> usize {
    listen.len() * (1 + worker_count(workers))
}

fn worker_count(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    prepare(&socket, address)?;
    // A restarted server need not wait for old connections to time out. (On Windows this means something else.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Connections inherit both from the listener. A size that the system does not grant is no reason not to listen.
    let _ = socket.set_send_buffer_size(TCP_SEND_BUFFER_OCTETS);
    let _ = socket.set_recv_buffer_size(TCP_RECEIVE_BUFFER_OCTETS);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_udp(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    prepare(&socket, address)?;
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(shared)?;
    #[cfg(not(target_os = "linux"))]
    debug_assert!(!shared, "workers share a port on Linux alone");
    // As much as the system grants.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_OCTETS);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    #[cfg(target_os = "linux")]
    {
        socket.set_read_timeout(Some(udp::LONGEST_SLEEP))?;
        socket.set_write_timeout(Some(udp::LONGEST_SLEEP))?;
        batch::prepare(&socket)?;
    }
    Ok(socket)
}

/// `0.0.0.0` and `::` are two addresses: IPv4 clients never come in through an IPv6 socket.
fn prepare(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() { socket.set_only_v6(true) } else { Ok(()) }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_holds_for_a_tcp_client_does_not_grow() {
        let listener = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let accepted = socket2::SockRef::from(&accepted);
        // Linux doubles what is asked for (socket(7)); a buffer without a size of its own says 16 KiB and grows to 4 MiB.
        assert_eq!(accepted.send_buffer_size().unwrap(), 2 * TCP_SEND_BUFFER_OCTETS);
        assert_eq!(accepted.recv_buffer_size().unwrap(), 2 * TCP_RECEIVE_BUFFER_OCTETS);
    }
}
