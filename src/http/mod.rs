//! The HTTP front: one listener, bounded in every way, in front of routes that it does not know.
//!
//! ```text
//!  accept ── table: is there room? ── head within 30 s, or 1 s ── hosts ── whole body ── table: a place? ── routes
//!              │ no: the connection that has been without a whole request                  │ no: 503
//!              └ for longest is closed, first of the address that has the most             └ unless essential
//! ```
//!
//! - A connection takes room from another one only until it is full: whoever connects next closes the one that has waited
//!   longest for its client. So a client that sends its request at once is always answered.
//! - A request takes a place only once it is whole, and gives it back when the last octet of its response has left. Requests
//!   to essential paths need none. One address never has all places of a kind.
//! - A response that nobody reads is given up: after 10 s without progress, at once when another request needs its place.
//! - Web pages of other sites do not get in: `hosts` has the rules for `Host`, `Origin` and Fetch Metadata.
//!
//! What the routes are, which of them are essential or streams, and how a refusal is worded are parameters: a second listener
//! uses the same front with its own.

mod answer;
mod connection;
mod hosts;
mod table;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::log_limit::LogLimit;

use answer::Service;
pub use hosts::Hosts;
use table::{Place, Table, lock};

/// When the system has no file for another connection, it is tried again after this.
const RETRY: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted; Linux has at most 4096 unless it is told otherwise.
const BACKLOG: u32 = 4096;
/// What the kernel keeps of responses that are not read, per connection; Linux doubles it.
const SEND_BUFFER: usize = 128 * 1024;

/// What a listener needs to know about what it serves.
#[derive(Clone)]
pub struct Front {
    /// How much at once.
    pub limits: Limits,
    /// Under which names it is reached.
    pub hosts: Hosts,
    /// What kind of request one to this path is.
    pub class_of: fn(path: &str) -> Class,
    /// The response that says why a request is refused.
    pub refusal: fn(StatusCode, &str) -> Response,
}

/// How much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; each needs one file. Half of them can have an ordinary request, a quarter a stream; the last quarter
    /// is there to read heads and to answer what is essential.
    pub connections: usize,
    /// Octets of a request's body.
    pub body: usize,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Short, and served whatever else goes on.
    Essential,
    /// Served while places last.
    Ordinary,
    /// The response goes on until the client leaves. Streams have places of their own.
    Stream,
}

impl Limits {
    /// How many requests of a kind are served at once; `None` for any number.
    fn places(self, class: Class) -> Option<usize> {
        match class {
            Class::Essential => None,
            Class::Ordinary => Some(self.connections / 2),
            Class::Stream => Some(self.connections / 4),
        }
    }

    /// How many of so many places one address can have: three quarters.
    fn of_one_address(places: usize) -> usize {
        places - places / 4
    }

    /// With more connections than this, clients have to be quick.
    fn crowded(self) -> usize {
        self.connections - self.connections / 4
    }
}

/// Listens there, with room in the kernel for a crowd: a client that finds none tries again a second later.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    #[cfg(unix)] // elsewhere this would let others take the port
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves these routes for as long as it is polled.
pub async fn serve(listener: TcpListener, router: Router, front: Front) {
    let table = Arc::new(Mutex::new(Table::new(front.limits)));
    let (router, front) = (TowerToHyperService::new(router), Arc::new(front));
    let begin = |socket: TcpStream, place: Place| {
        // Without a limit of its own a connection that is not read holds megabytes of the kernel's memory.
        let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
        let service = Service::new(router.clone(), Arc::clone(&front), place);
        tokio::spawn(connection::serve(socket, service));
    };
    accept(&listener, &table, begin).await;
}

/// Accepts connections for ever. An error ends nothing: it is either that of one connection, which is gone, or the system
/// lacks files or memory, and then a connection that waits gives its own.
async fn accept<L: Listener>(listener: &L, table: &Arc<Mutex<Table>>, mut begin: impl FnMut(L::Socket, Place)) {
    let warnings = LogLimit::default();
    loop {
        match listener.next().await {
            Ok((socket, peer)) => {
                // Without a place the socket is closed here.
                if let Some(place) = Place::take(table, peer.ip()) {
                    begin(socket, place);
                }
                // A connection whose request is there already is answered before others can push it out.
                tokio::task::yield_now().await;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(held_back) = warnings.admit(error.raw_os_error()) {
                    tracing::warn!("HTTP connections cannot be accepted, trying again: {error}{held_back}");
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

/// What accept(2) reports of a connection that has ended before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
