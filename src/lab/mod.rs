//! Small web servers as targets of health checks. `[lab] backends` starts some inside the server,
//! and `fiftythree demo` uses the same ones.
//!
//! They run on the threads of the control loop, not on those that answer queries.

mod backend;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::http;

pub(crate) use backend::{Backend, BackendState, Responses};

/// Running backends. Dropping them closes their ports and connections.
#[derive(Default)]
pub(crate) struct Backends {
    _serving: JoinSet<()>,
}

impl Backends {
    /// Starts a backend at each address. What cannot be started is logged: the server does not need
    /// it. Must be called within a tokio runtime.
    #[must_use]
    pub(crate) fn start(addresses: &[SocketAddr]) -> Backends {
        let (mut serving, mut failed) = (JoinSet::new(), Vec::new());
        for &address in addresses {
            match http::bind(address) {
                Ok(listener) => drop(serving.spawn(serve(address, listener))),
                Err(error) => failed.push((address, error)),
            }
        }
        warnings(&failed).iter().for_each(|warning| tracing::warn!("{warning}"));
        if !serving.is_empty() {
            tracing::info!("lab backends: {}; `curl http://{}/` shows how to break one", serving.len(), addresses[0]);
        }
        Backends { _serving: serving }
    }

    /// The most files that this number of backends has open.
    #[must_use]
    pub(crate) fn open_files(backends: usize) -> usize {
        backends * (1 + backend::CONNECTIONS)
    }
}

async fn serve(address: SocketAddr, listener: TcpListener) {
    let url = format!("http://{address}");
    let responses = Responses {
        server: HeaderValue::from_static("fiftythree-lab"),
        healthy: format!("{address} is healthy. To break it: curl -X POST {url}/fail\n").into(),
        status: StatusCode::OK,
        failing: format!("{address} is failing. To repair it: curl -X POST {url}/recover\n").into(),
        delay: Duration::ZERO,
    };
    let log = move |state| match state {
        BackendState::Healthy => tracing::info!("lab backend {address} is healthy again (POST /recover)"),
        BackendState::Failing => tracing::info!("lab backend {address} is failing (POST /fail)"),
    };
    Backend::new(responses, Box::new(log)).serve(listener).await;
}

/// One warning for each kind of error, with what to do.
fn warnings(failed: &[(SocketAddr, io::Error)]) -> Vec<String> {
    let mut kinds: Vec<io::ErrorKind> = Vec::new();
    for (_, error) in failed {
        if !kinds.contains(&error.kind()) {
            kinds.push(error.kind());
        }
    }
    let warning = |kind: &io::ErrorKind| {
        let of_kind: Vec<_> = failed.iter().filter(|(_, error)| error.kind() == *kind).collect();
        let addresses: Vec<String> = of_kind.iter().map(|(address, _)| address.to_string()).collect();
        let (first, error) = of_kind[0];
        let what_to_do = match kind {
            io::ErrorKind::AddrInUse => {
                "another program listens there, and health checks probe that one; stop it, or remove the addresses \
                 from `[lab] backends`"
                    .to_owned()
            }
            io::ErrorKind::AddrNotAvailable => format!(
                "add the addresses to the loopback interface (on macOS: `sudo ifconfig lo0 alias {}`), or remove them \
                 from `[lab] backends`",
                first.ip()
            ),
            _ => "remove the addresses from `[lab] backends` if you do not need them".to_owned(),
        };
        format!("cannot start the lab backends {}: {error}: {what_to_do}", addresses.join(", "))
    };
    kinds.iter().map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_warning_for_each_kind_of_error() {
        let failed = |last: u8, kind: io::ErrorKind| (SocketAddr::from(([127, 0, 53, last], 8080)), kind.into());
        let (in_use, not_there) = (io::ErrorKind::AddrInUse, io::ErrorKind::AddrNotAvailable);
        assert!(warnings(&[]).is_empty());
        let warnings =
            warnings(&[failed(11, in_use), failed(12, not_there), failed(13, in_use), failed(14, not_there)]);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("127.0.53.11:8080, 127.0.53.13:8080: "), "{warnings:?}");
        assert!(warnings[0].contains("stop it"), "{warnings:?}");
        assert!(warnings[1].contains("lo0 alias 127.0.53.12"), "{warnings:?}");
    }
}
