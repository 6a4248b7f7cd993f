//! One connection: its deadlines, and the progress of its writes, which it reports to the table.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::QUICK;
use super::answer::Service;
use super::connection_table::ConnectionEntry;

/// Time limit for a request's head, from the start of the connection or the end of the last
/// response. Prometheus scrapes every 15 s over one connection.
const HEAD: Duration = Duration::from_secs(30);
/// A response is aborted if the client takes no byte of it for this long.
pub(super) const STALL: Duration = Duration::from_secs(10);
/// Time limit for a whole response. The largest have megabytes, and a client that reads a few bytes
/// at a time occupies a slot.
const WHOLE: Duration = Duration::from_secs(120);
/// Read buffer for a head. Heads up to this size are accepted, none of twice the size. Browsers
/// send the cookies of all ports of a host.
const HEAD_BYTES: usize = 32 * 1024;

/// The socket of a connection.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the kernel discard unsent data on close.
    fn discard_unsent(&self);
}

impl Socket for TcpStream {
    fn discard_unsent(&self) {
        // Otherwise the kernel keeps it for minutes for a client that does not read.
        let _ = self.set_zero_linger();
    }
}

impl Socket for TlsStream<TcpStream> {
    fn discard_unsent(&self) {
        self.get_ref().0.discard_unsent();
    }
}

/// The same as [`serve`] over TLS. A handshake has the time of a head.
pub(super) async fn serve_tls(socket: TcpStream, config: Arc<ServerConfig>, service: Service) {
    let entry = service.entry();
    let time = if entry.arrived_crowded() { QUICK } else { HEAD };
    let handshake = tokio::time::timeout(time, TlsAcceptor::from(config).accept(socket));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = entry.closed() => return,
    };
    if let Ok(Ok(socket)) = accepted {
        serve(socket, service).await;
    }
}

/// Serves one connection until it ends or is closed to make room.
pub(super) async fn serve(socket: impl Socket, service: Service) {
    let entry = service.entry();
    let head = if entry.arrived_crowded() { QUICK } else { HEAD };
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES);
    let connection = builder.serve_connection(TokioIo::new(Watched::new(socket, Arc::clone(&entry))), service);
    tokio::select! {
        // An error is the client's: it disconnected, sent invalid HTTP, or was too slow.
        _ = connection => {}
        () = entry.closed() => {}
    }
}

/// A socket whose writes have deadlines.
struct Watched<S: Socket> {
    socket: S,
    entry: Arc<ConnectionEntry>,
    /// Since when a write makes no progress.
    unsent: Option<Instant>,
    is_stalled: bool,
    deadline: Pin<Box<Sleep>>,
}

impl<S: Socket> Watched<S> {
    fn new(socket: S, entry: Arc<ConnectionEntry>) -> Watched<S> {
        let deadline = Box::pin(tokio::time::sleep(STALL));
        Watched { socket, entry, unsent: None, is_stalled: false, deadline }
    }

    /// Passes on the result of a write, or an error if its deadline is over.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let unsent = *self.unsent.get_or_insert_with(Instant::now);
        if written.is_ready() {
            self.set_stalled(false);
            return written;
        }
        if !self.is_stalled {
            self.set_stalled(true);
            self.deadline.as_mut().reset((Instant::now() + STALL).min(unsent + WHOLE));
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn set_stalled(&mut self, is_stalled: bool) {
        if self.is_stalled != is_stalled {
            self.is_stalled = is_stalled;
            self.entry.stalled(is_stalled.then(Instant::now));
        }
    }
}

impl<S: Socket> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl<S: Socket> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes when it has nothing more to write.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(context))?;
        self.unsent = None;
        self.entry.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl<S: Socket> Drop for Watched<S> {
    fn drop(&mut self) {
        if self.is_stalled {
            self.socket.discard_unsent();
        }
    }
}
