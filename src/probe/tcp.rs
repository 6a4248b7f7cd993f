//! A TCP check: the probe passes if the connection is established in time (API Type TCP).

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::errors::{ProbeNotRun, of_socket};
use super::{Durations, Finding, ProbePhase, Timings};

/// Connects and closes the connection at once.
pub(super) async fn probe(address: SocketAddr, timings: &Timings) -> Result<(Finding, Durations), ProbeNotRun> {
    let start = Instant::now();
    let finding = match timeout(timings.tcp_connect, TcpStream::connect(address)).await {
        Ok(Ok(_connection)) => Finding::Connected,
        Ok(Err(error)) if was_established(&error) => Finding::Connected,
        Ok(Err(error)) => of_socket(&error)?,
        Err(_) => Finding::TimedOut(ProbePhase::Connect),
    };
    let total = start.elapsed();
    let connect = (finding == Finding::Connected).then_some(total);
    Ok((finding, Durations { connect, total, ..Durations::default() }))
}

/// An endpoint that accepts and resets at once may do both before the probe looks. A connection
/// that was never established is refused, not reset.
fn was_established(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn an_established_connection_is_success() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (finding, durations) = probe(listener.local_addr().unwrap(), &Timings::default()).await.unwrap();
        assert_eq!(finding, Finding::Connected);
        assert!(durations.connect.is_some());
    }

    #[tokio::test]
    async fn a_connection_that_is_reset_at_once_is_success() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        });
        for number in 0..1000 {
            assert_eq!(probe(address, &Timings::default()).await.unwrap().0, Finding::Connected, "{number}");
        }
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe] {
            assert!(was_established(&kind.into()));
        }
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(probe(address, &Timings::default()).await.unwrap().0, Finding::Refused);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_connection_that_is_never_established_times_out() {
        // Linux drops further handshakes if a listener's queue is full.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let _queued = TcpStream::connect(address).await.unwrap();
        let timings = Timings { tcp_connect: Duration::from_millis(300), ..Timings::default() };
        let (finding, durations) = probe(address, &timings).await.unwrap();
        assert_eq!(finding, Finding::TimedOut(ProbePhase::Connect));
        assert!(durations.total >= Duration::from_millis(300));
    }
}
