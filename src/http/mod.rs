//! The front of every HTTP listener: limits, timeouts and allowed hosts, for routes that it does
//! not know.
//!
//! ```text
//!  accept ── table: room? ── head within 30 s, or 1 s ── hosts ── body ── table: a slot? ── routes
//!              │ no: the connection that has been without                  │ no: 503
//!              │ a whole request for longest is closed,                    └ unless essential
//!              └ first of the address that has the most
//! ```
//!
//! - When all connections are in use, a new one closes the connection that has been without a whole
//!   request for longest. So a client that sends its request at once is always answered.
//! - A request takes a slot when it is complete, and frees it when the last byte of its response
//!   has been sent. Requests to essential paths need no slot. One address never has all slots of a
//!   kind.
//! - A response that the client does not read is aborted: after 10 s without progress, or at once
//!   if another request needs its slot.
//! - Requests from web pages of other sites are refused: `hosts` has the rules for `Host`, `Origin`
//!   and Fetch Metadata.
//!
//! The routes, their classes and the form of error responses are parameters, so that a second
//! listener can use the same front.

mod answer;
mod connection;
mod connection_table;
mod hosts;
#[cfg(test)]
mod tests;
mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::log_limit::LogLimit;

use answer::Service;
use connection_table::{ConnectionEntry, Table, lock};
pub(crate) use hosts::Hosts;
pub(crate) use tls::Tls;

/// The pause after accept(2) failed because the process has no file descriptor left.
const RETRY: Duration = Duration::from_millis(100);
/// Time limit for a head, and for a body, while there are many connections.
const QUICK: Duration = Duration::from_secs(1);
/// Listen backlog; Linux limits it to 4096 by default (net.core.somaxconn).
const BACKLOG: u32 = 4096;
/// Send buffer of a connection in bytes; Linux doubles it.
const SEND_BUFFER: usize = 128 * 1024;

/// The parameters of a listener.
#[derive(Clone)]
pub(crate) struct Front {
    /// Limits.
    pub(crate) limits: Limits,
    /// Allowed hosts; `None` if the routes check that.
    pub(crate) hosts: Option<Hosts>,
    /// The class of a request, by its path.
    pub(crate) class_of: fn(path: &str) -> Class,
    /// Makes an error response from a status and a message.
    pub(crate) refusal: fn(StatusCode, &str) -> Response,
    /// The certificate, for HTTPS.
    pub(crate) tls: Option<Tls>,
}

/// The address of the client, which every request has as an extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most open connections; each needs a file descriptor. Half of them can serve an ordinary
    /// request, a quarter a stream. The rest reads heads and serves essential paths.
    pub(crate) connections: usize,
    /// Largest request body in bytes.
    pub(crate) body: usize,
}

/// The class of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Short, and always served.
    Essential,
    /// Served while slots are free.
    Ordinary,
    /// The response lasts until the client disconnects. Streams have slots of their own.
    Stream,
}

impl Limits {
    /// Most concurrent requests of a class; `None` for no limit.
    fn slots(self, class: Class) -> Option<usize> {
        match class {
            Class::Essential => None,
            Class::Ordinary => Some(self.connections / 2),
            Class::Stream => Some(self.connections / 4),
        }
    }

    /// Most slots that one address can have: three quarters of them.
    fn of_one_address(slots: usize) -> usize {
        slots - slots / 4
    }

    /// With more connections than this, the shorter time limit for heads applies.
    fn crowded(self) -> usize {
        self.connections - self.connections / 4
    }
}

/// Listens with a large backlog: a client that finds it full retries its SYN only a second later.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    #[cfg(unix)] // elsewhere this would let others take the port
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the routes until the future is dropped; then all connections are closed.
pub(crate) async fn serve(listener: TcpListener, router: Router, front: Front) {
    let table = Arc::new(Mutex::new(Table::new(front.limits)));
    let (router, front) = (TowerToHyperService::new(router), Arc::new(front));
    let mut connections = JoinSet::new();
    let begin = |socket: TcpStream, peer: SocketAddr, entry: ConnectionEntry| {
        // Those that have ended meanwhile.
        while connections.try_join_next().is_some() {}
        // Without this limit, an unread connection can fill megabytes of kernel memory.
        let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
        // The end of a response that needs several segments must not wait for an acknowledgement.
        let _ = socket.set_nodelay(true);
        let service = Service::new(router.clone(), Arc::clone(&front), Peer(peer.ip()), entry);
        match &front.tls {
            None => connections.spawn(connection::serve(socket, service)),
            Some(tls) => connections.spawn(connection::serve_tls(socket, tls.config(), service)),
        };
    };
    accept(&listener, &table, begin).await;
}

/// Accepts connections forever. An error concerns one connection that is already closed, or the
/// system lacks file descriptors or memory; then an idle connection is closed.
async fn accept<L: Listener>(
    listener: &L,
    table: &Arc<Mutex<Table>>,
    mut begin: impl FnMut(L::Socket, SocketAddr, ConnectionEntry),
) {
    let warnings = LogLimit::default();
    loop {
        match listener.next().await {
            Ok((socket, peer)) => {
                // Without a slot the socket is closed here.
                if let Some(entry) = ConnectionEntry::take(table, peer.ip()) {
                    begin(socket, peer, entry);
                }
                // Serves a request that has already arrived before other connections can displace
                // it.
                tokio::task::yield_now().await;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(held_back) = warnings.admit(error.raw_os_error()) {
                    tracing::warn!("cannot accept HTTP connections, retrying: {error}{held_back}");
                }
                lock(table).make_room();
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Where connections come from.
trait Listener: Sync {
    type Socket: Send;

    fn next(&self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }
}

/// True for errors of accept(2) that mean that the connection ended before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
