//! One request and its response on one connection. The response is read while the request is being
//! sent, and counts even if the request was not sent completely.
//!
//! Scripts behind inetd answer before they read and close with the request unread, which resets the
//! connection. The response is then still in the kernel's buffer, so a write error is not final:
//! the probe continues to read.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::errors::ExchangeError;
use super::head::Malformed;

/// A response is usually one segment; a searched body is rarely much longer.
const PIECE: usize = 4096;

/// A result needs no more: interim responses (RFC 9110, section 15.2), 16 KiB of headers, and 5120
/// bytes of body, each of which may be in its own chunk. Without a limit, endless `100 Continue`
/// responses or a compressed body without content would keep a core busy until the deadline.
const MOST_READ: usize = 128 * 1024;

/// A connection for one request and one response.
#[derive(Debug)]
pub(super) struct Exchange<'r, S> {
    stream: S,
    unsent: &'r [u8],
    piece: Box<[u8]>,
    /// The part of the buffer that has not been consumed.
    unread: Range<usize>,
    /// How many more bytes may be read.
    left: usize,
}

impl<'r, S: AsyncRead + AsyncWrite + Unpin> Exchange<'r, S> {
    pub(super) fn new(stream: S, request: &'r [u8]) -> Exchange<'r, S> {
        Exchange { stream, unsent: request, piece: vec![0; PIECE].into_boxed_slice(), unread: 0..0, left: MOST_READ }
    }

    /// The bytes received and not consumed; empty if the endpoint has closed the connection.
    pub(super) async fn received(&mut self) -> Result<&[u8], ExchangeError> {
        if self.unread.is_empty() {
            if self.left == 0 {
                return Err(Malformed::Endless.into());
            }
            let octets = poll_fn(|context| self.poll_piece(context)).await?;
            self.unread = 0..octets;
            self.left = self.left.saturating_sub(octets);
        }
        Ok(&self.piece[self.unread.clone()])
    }

    /// Consumes all received bytes except the last `last`.
    pub(super) fn keep(&mut self, last: usize) {
        self.unread.start = self.unread.end - last.min(self.unread.len());
    }

    /// Writes first, so that most endpoints have the request before the probe waits.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_send(context);
        let mut piece = ReadBuf::new(&mut self.piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
        Poll::Ready(Ok(piece.filled().len()))
    }

    /// Sends as much as the connection accepts. Errors are not reported here: reading reports them,
    /// after all data that arrived before.
    fn poll_send(&mut self, context: &mut Context<'_>) {
        while !self.unsent.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, self.unsent) {
                Poll::Ready(Ok(sent @ 1..)) => self.unsent = &self.unsent[sent..],
                Poll::Ready(_) => self.unsent = &[],
                Poll::Pending => return,
            }
        }
        // TLS buffers records that the socket has not accepted.
        let _ = Pin::new(&mut self.stream).poll_flush(context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that accepts no data and has a response.
    struct Reset(&'static [u8]);

    impl AsyncRead for Reset {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, into)
        }
    }

    impl AsyncWrite for Reset {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }
    }

    #[tokio::test]
    async fn a_response_is_read_though_nothing_can_be_written() {
        let mut exchange = Exchange::new(Reset(b"HTTP/1.1 200 OK"), b"GET / HTTP/1.1");
        assert_eq!(exchange.received().await.unwrap(), b"HTTP/1.1 200 OK");
        // Bytes that were not consumed are returned again before the end is.
        exchange.keep(2);
        assert_eq!(exchange.received().await.unwrap(), b"OK");
        exchange.keep(0);
        assert_eq!(exchange.received().await.unwrap(), b"");
    }
}
