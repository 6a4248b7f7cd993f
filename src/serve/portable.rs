//! UDP through hickory-server, for systems without `recvmmsg`. It provides the sockets; the answers
//! are ours.
//!
//! The handler passes the bytes of the request to the same responder. hickory-server accepts
//! records only, so the handler rebuilds the response from the bytes: equal when decoded, not byte
//! for byte. Requests that hickory-proto cannot parse never get here; hickory-server answers them
//! with FORMERR.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Message};
use hickory_server::proto::serialize::binary::BinDecoder;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};
use tokio::sync::watch;
use tokio::time::{interval, timeout};
use tracing::warn;

use super::respond::{MAX_UDP_OCTETS, Received, Responder};
use crate::query_logging::Exchange;
use crate::requestor::{Requestor, Transport};
use crate::world::{CachedReader, Reader};

/// How often an idle server releases an outdated world.
const LET_GO_INTERVAL: Duration = Duration::from_secs(1);
/// How long running requests may take when the server stops. They take microseconds.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves these sockets until `stop` becomes true or its sender is dropped.
pub(super) async fn serve(
    sockets: Vec<UdpSocket>,
    reader: &Reader,
    responder: Responder,
    mut stop: watch::Receiver<bool>,
) {
    let state = PortableState { responder, worlds: reader.cached(), out: Box::new([0; MAX_UDP_OCTETS]) };
    let adapter = Adapter(Arc::new(Mutex::new(state)));
    let mut server = Server::new(adapter.clone());
    for socket in sockets {
        match tokio::net::UdpSocket::from_std(socket) {
            Ok(socket) => server.register_socket(socket),
            Err(error) => warn!(%error, "a UDP socket cannot be served"),
        }
    }
    let mut ticks = interval(LET_GO_INTERVAL);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {
                adapter.state().worlds.load();
            }
        }
    }
    let _ = timeout(DRAIN_TIMEOUT, server.shutdown_gracefully()).await;
}

/// State for answering. The lock is never held across an await, and only one task on this single
/// thread holds it at a time.
struct PortableState {
    responder: Responder,
    worlds: CachedReader,
    out: Box<[u8; MAX_UDP_OCTETS]>,
}

#[derive(Clone)]
struct Adapter(Arc<Mutex<PortableState>>);

impl Adapter {
    fn state(&self) -> MutexGuard<'_, PortableState> {
        // A panic in a query leaves no inconsistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The response as a message; `None` if there is no response.
    fn respond(&self, request: &Request) -> Option<Message> {
        let state = &mut *self.state();
        let (requestor, query) = (Requestor::new(request.src(), Transport::Udp), request.as_slice());
        let out = state.out.as_mut_slice();
        let start = state.responder.begin();
        let received = Received::new(query, requestor, start.at);
        let octets = state.responder.respond(state.worlds.load(), &received, out);
        state.responder.end(Transport::Udp, start, 1);
        if let Some(query_logger) = state.responder.dnstap() {
            query_logger.exchange(&Exchange { requestor, server: None, query, response: &out[..octets] });
        }
        if octets == 0 {
            return None;
        }
        // hickory-proto can parse what our encoder writes; property tests check it.
        Message::from_vec(&out[..octets]).ok()
    }
}

#[async_trait]
impl RequestHandler for Adapter {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut handle: R) -> ResponseInfo {
        let silence = ResponseInfo::from(Header { metadata: request.metadata, counts: HeaderCounts::default() });
        let Some(message) = self.respond(request) else {
            return silence;
        };
        // A response to an unknown opcode does not repeat the question.
        let none = Queries::read(&mut BinDecoder::new(&[]), 0).expect("no queries take no octets");
        let queries = if message.queries.is_empty() { &none } else { &request.queries };
        let mut response = MessageResponseBuilder::new(queries, message.edns.as_ref()).build(
            message.metadata,
            &message.answers,
            &message.authorities,
            [],
            &message.additionals,
        );
        if let Some(signature) = message.signature {
            response.set_signature(signature);
        }
        handle.send_response(response).await.unwrap_or(silence)
    }
}
