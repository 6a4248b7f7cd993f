//! Binds the listening sockets, all or none, and serves them with threads that can be stopped. Bind
//! errors include a hint about the fix.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;

use super::respond::{Responder, ResponderSettings};
use super::tcp::TcpLimits;
#[cfg(target_os = "linux")]
use super::{batch, udp};
use super::{portable, tcp};
use crate::query_logging::QueryLogging;
use crate::requestor::Transport;
use crate::stats::{Meters, Stats, Totals};
use crate::world::Reader;

/// Backlog of TCP connections to be accepted. The maximum of the system may be lower.
const BACKLOG: i32 = 1024;
/// Receive buffer of a UDP socket: a few milliseconds of packets at full speed. The maximum of the
/// system may be lower.
const RECEIVE_BUFFER_OCTETS: usize = 1 << 20;
/// TCP send buffer per client: enough for the longest response. The kernel doubles the number for
/// its own bookkeeping, so a client costs at most 128 KiB. Without a limit the kernel would let the
/// buffer grow to 4 MiB.
const TCP_SEND_BUFFER_OCTETS: usize = 64 * 1024;
/// TCP receive buffer per client: enough for several of the longest queries. The kernel doubles
/// this number too.
const TCP_RECEIVE_BUFFER_OCTETS: usize = 16 * 1024;
/// With port 0 the system picks a free TCP port that may be in use for UDP. Then another one is
/// tried, up to this often.
const PORT_ATTEMPTS: usize = 16;

/// How UDP packets are received and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpPath {
    /// In batches, one thread per worker. Linux only; other systems use `Portable`.
    Batched,
    /// Through hickory-server.
    Portable,
}

impl Default for UdpPath {
    fn default() -> UdpPath {
        if cfg!(target_os = "linux") { UdpPath::Batched } else { UdpPath::Portable }
    }
}

/// An address that the server cannot listen on.
#[derive(Debug, Error)]
#[error("cannot listen on {address} ({transport}): {source}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The transport.
    pub transport: Transport,
    /// How to fix it.
    pub hint: Option<&'static str>,
    source: io::Error,
}

/// Where workers count queries and report them.
#[derive(Clone, Copy)]
pub struct Observers<'o> {
    /// Counters.
    pub meters: &'o Meters,
    /// The query log and dnstap.
    pub query_logging: &'o QueryLogging,
}

impl Observers<'_> {
    fn responder(&self, settings: &ResponderSettings, seed: u64) -> Responder {
        Responder::counting(settings.clone(), seed, self.meters.worker()).with_query_logger(self.query_logging.worker())
    }
}

/// Bound sockets that are not served yet.
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

/// Served sockets. `stop` stops them and waits; dropping the value stops them without waiting.
pub struct Serving {
    stop: Arc<AtomicBool>,
    stop_tasks: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    stats: Vec<Arc<Stats>>,
}

impl Bound {
    /// Binds UDP and TCP on every address, or nothing. `workers` is the number of UDP workers per
    /// address; 0 means one per core. Port 0 selects a free port, the same for UDP and TCP.
    ///
    /// # Errors
    /// The first address that cannot be bound. An IPv6 `::` on a host without IPv6 is skipped with
    /// a warning if another address remains, because the default configuration listens on all
    /// addresses of both families.
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
                Err(error) if listen.len() > 1 && error.is_missing_ipv6() => warn!("{error}: skipped"),
                Err(error) => return Err(error),
            }
        }
        Ok(Bound { endpoints, path })
    }

    /// Checks whether `bind` would succeed now, and releases the ports. The server opens its ports
    /// only when health is known, but address errors are reported at start.
    ///
    /// # Errors
    /// The same as `bind`.
    pub fn check(listen: &[SocketAddr], workers: usize, path: UdpPath) -> Result<(), BindError> {
        Bound::bind(listen, workers, path).map(drop)
    }

    /// The addresses, with the ports that were selected for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoints.iter().map(|endpoint| endpoint.address).collect()
    }

    /// Starts to answer queries from the current world of `reader`. Workers report to `observers`.
    /// `seed` seeds the random numbers; each worker has its own sequence.
    ///
    /// # Errors
    /// If the system cannot create a thread or a runtime.
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
        let mut responder = || responders.next().expect("the range of seeds is unbounded");
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
    /// The sum of the counters of all workers.
    pub fn totals(&self) -> Totals {
        self.stats.iter().map(|stats| stats.totals()).sum()
    }

    /// Stops and waits until all threads have ended. Running requests are answered and idle
    /// connections are closed.
    pub fn stop(mut self) {
        self.signal();
        for thread in std::mem::take(&mut self.threads) {
            if thread.join().is_err() {
                warn!("a serving thread panicked");
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
        // For example "udp-1": `top -H` shows 15 characters.
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

    /// Binds TCP first. UDP sockets share a port among workers, but a TCP port cannot be bound
    /// twice. So a second server on the same address gets an error instead of half of the queries.
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
                "another DNS server uses this port (`ss -lnptu` shows which). On many systems it is systemd-resolved on 127.0.0.53: \
                 change the address with `[dns] listen` or --listen, or set DNSStubListener=no in /etc/systemd/resolved.conf",
            ),
            io::ErrorKind::AddrInUse => Some(
                "another program uses this port (`ss -lnptu` shows which): change the address with `[dns] listen` or --listen ADDRESS:PORT",
            ),
            io::ErrorKind::PermissionDenied if address.port() < 1024 => Some(
                "ports below 1024 need a privilege: grant it to the binary with `setcap cap_net_bind_service=+ep`, or listen on a \
                 higher port",
            ),
            io::ErrorKind::AddrNotAvailable => Some(
                "this host does not have this address (`ip address` lists its addresses): change `[dns] listen` or --listen",
            ),
            _ => None,
        };
        BindError { address, transport, hint, source }
    }

    fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }

    /// `::` cannot be bound although no program uses the port: the host has no IPv6.
    fn is_missing_ipv6(&self) -> bool {
        let in_the_way = matches!(self.source.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
        self.address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !in_the_way
    }
}

/// How many sockets `bind` opens for these addresses.
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
    // A restarted server does not wait for old connections to time out. (On Windows the option has
    // another meaning.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Connections inherit both from the listener. The server listens even if the system refuses a
    // size.
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
    debug_assert!(!shared, "workers share a port on Linux only");
    // The system may grant less.
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

/// `0.0.0.0` and `::` are separate addresses: IPv4 clients never arrive through an IPv6 socket.
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
        // Linux doubles the requested size (socket(7)). A buffer without a requested size reports
        // 16 KiB and grows to 4 MiB.
        assert_eq!(accepted.send_buffer_size().unwrap(), 2 * TCP_SEND_BUFFER_OCTETS);
        assert_eq!(accepted.recv_buffer_size().unwrap(), 2 * TCP_RECEIVE_BUFFER_OCTETS);
    }
}
