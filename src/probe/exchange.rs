//! One request and its response on one connection. The response is read while the request is sent, and counts however
//! much of the request got through.
//!
//! Scripts behind inetd answer before they read, and close with the request unread, which resets the connection. What
//! they sent by then lies in the kernel's buffer: a write that fails says nothing about it, and reading finds it.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::errors::Broken;
use super::head::Malformed;

/// A response is usually one segment; the body that is searched is hardly more than one piece.
const PIECE: usize = 4096;

/// A verdict needs less: interim responses (RFC 9110, section 15.2), 16 KiB of headers, and 5120 bytes of body, each of which
/// may come in a chunk of its own. Without a bound endless `100 Continue`, or a compressed body without content, keeps a
/// core busy until the deadline.
const MOST_READ: usize = 128 * 1024;

/// A connection on which one request goes and one response comes.
#[derive(Debug)]
pub(super) struct Exchange<'r, S> {
    stream: S,
    unsent: &'r [u8],
    piece: Box<[u8]>,
    /// Which part of the piece has not been consumed yet.
    unread: Range<usize>,
    /// How much may still be read.
    left: usize,
}

impl<'r, S: AsyncRead + AsyncWrite + Unpin> Exchange<'r, S> {
    pub(super) fn new(stream: S, request: &'r [u8]) -> Exchange<'r, S> {
        Exchange { stream, unsent: request, piece: vec![0; PIECE].into_boxed_slice(), unread: 0..0, left: MOST_READ }
    }

    /// What has come and was not consumed; nothing when the endpoint has closed the connection.
    pub(super) async fn received(&mut self) -> Result<&[u8], Broken> {
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

    /// All but the last so many octets of what has come are done with.
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

    /// Sends what the connection takes. Errors are not reported: reading reports them, after all that came before.
    fn poll_send(&mut self, context: &mut Context<'_>) {
        while !self.unsent.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, self.unsent) {
                Poll::Ready(Ok(sent @ 1..)) => self.unsent = &self.unsent[sent..],
                Poll::Ready(_) => self.unsent = &[],
                Poll::Pending => return,
            }
        }
        // TLS keeps records that the socket has not taken.
        let _ = Pin::new(&mut self.stream).poll_flush(context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that takes no octet and has a response.
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
        // What is kept comes again before the end does.
        exchange.keep(2);
        assert_eq!(exchange.received().await.unwrap(), b"OK");
        exchange.keep(0);
        assert_eq!(exchange.received().await.unwrap(), b"");
    }
}
