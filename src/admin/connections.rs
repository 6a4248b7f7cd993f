//! How many may use the side door at once.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Several people who watch, a Prometheus and some scripts; others wait to be accepted.
const CONNECTIONS: usize = 64;
/// When the system has no file for another connection, it is tried again after this.
const RETRY: Duration = Duration::from_millis(100);

/// A listener that accepts no more than so many.
pub(super) struct Limited {
    listener: TcpListener,
    turns: Arc<Semaphore>,
}

/// How long a connection may hold its place without being answered anything: one that asks nothing, or drips its request,
/// must not keep `/healthz` from others.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that holds its place.
pub(super) struct Placed {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    _turn: OwnedSemaphorePermit,
}

impl Limited {
    pub(super) fn new(listener: TcpListener) -> Limited {
        Limited { listener, turns: Arc::new(Semaphore::new(CONNECTIONS)) }
    }
}

impl Listener for Limited {
    type Io = Placed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Placed, SocketAddr) {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes the semaphore");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (Placed::new(stream, turn), peer),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Placed {
    fn new(stream: TcpStream, turn: OwnedSemaphorePermit) -> Placed {
        Placed { stream, deadline: Box::pin(tokio::time::sleep(PATIENCE)), _turn: turn }
    }
}

impl AsyncRead for Placed {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if matches!(written, Poll::Ready(Ok(octets)) if octets > 0) {
            self.deadline.as_mut().reset(Instant::now() + PATIENCE);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A connection and what it looks like from the other end.
    async fn pair() -> (Placed, TcpStream) {
        let mut listener = Limited::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.0, client)
    }

    #[tokio::test]
    async fn who_asks_nothing_loses_the_place() {
        let (mut placed, _client) = pair().await;
        tokio::time::pause();
        let outcome = placed.read_u8().await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_gives_another_turn() {
        let (mut placed, mut client) = pair().await;
        tokio::time::pause();
        tokio::time::advance(PATIENCE - Duration::from_secs(1)).await;
        placed.write_all(b"answer").await.unwrap();
        tokio::time::advance(PATIENCE - Duration::from_secs(1)).await;
        client.write_all(b"?").await.unwrap();
        assert_eq!(placed.read_u8().await.unwrap(), b'?');
    }
}
