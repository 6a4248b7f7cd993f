//! Sends queries to the machine's name servers; many queries share a UDP socket.
//!
//! A query that gets no response costs a map entry, but no file and no thread, so any number of
//! them can wait. Sockets are connected, so the kernel drops datagrams from other addresses. A
//! response is accepted if its message id and question belong to a query that waits on that socket.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::super::errors::is_ours;

/// How many queries share a socket and thereby a source port, which an attacker who forges
/// responses has to guess (RFC 5452) ...
const QUERIES_A_SOCKET: usize = 256;
/// ... at least; a socket is in use for at least this time. It stays open until its last query ends
/// after 5 s, so that three name servers need at most 18 sockets, however many names there are ...
const SHORTEST_USE: Duration = Duration::from_secs(1);
/// ... unless half of all message ids are taken.
const MOST_WAITING: usize = 32_768;
/// Queries without EDNS allow 512 bytes; some servers send more anyway.
const LARGEST_RESPONSE: usize = 4096;
/// How long to wait for a name server before the next one is queried as well.
const NEXT_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::ZERO];
/// The delay after a socket error, so that a broken socket does not keep a core busy.
const AFTER_AN_ERROR: Duration = Duration::from_millis(10);
/// The limit of TCP connections, for the few responses that do not fit into UDP.
const CONNECTIONS: usize = 16;

/// Why there is no usable response.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoResponse {
    /// All name servers failed; the reason of the last one.
    #[error("{0}")]
    Server(String),
    /// This process has no file, port or memory left.
    #[error(transparent)]
    Local(io::Error),
}

/// The name servers.
#[derive(Debug)]
pub(super) struct NameServers {
    servers: Vec<NameServer>,
    /// The one that responded last, which is queried first.
    first: Mutex<usize>,
    connections: Semaphore,
}

#[derive(Debug)]
struct NameServer {
    address: SocketAddr,
    socket: Mutex<Option<Arc<Socket>>>,
}

/// A socket and the task that reads from it, which ends with the last user of the socket.
#[derive(Debug)]
struct Socket {
    shared: Arc<Shared>,
    reader: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    socket: UdpSocket,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    by_id: HashMap<u16, PendingQuery>,
    queries: usize,
    bound_at: Instant,
}

/// A message, or why there will be none.
type Response = Result<Message, String>;

/// A query that waits for its response.
#[derive(Debug)]
struct PendingQuery {
    query: Query,
    server: usize,
    responses: mpsc::Sender<(usize, Response)>,
}

/// A query in progress; removed when this is dropped.
struct UnderWay {
    socket: Arc<Socket>,
    id: u16,
}

impl NameServers {
    pub(super) fn new(addresses: &[SocketAddr]) -> NameServers {
        let servers = addresses.iter().map(|&address| NameServer { address, socket: Mutex::default() }).collect();
        NameServers { servers, first: Mutex::default(), connections: Semaphore::new(CONNECTIONS) }
    }

    /// Queries the servers in turn, beginning with the one that responded last. A silent server may
    /// still respond while the next is queried; a failed one is not queried again. The caller sets
    /// the time limit.
    pub(super) async fn ask(&self, query: &Query) -> Result<Message, NoResponse> {
        let (sender, mut responses) = mpsc::channel(NEXT_AFTER.len());
        let first = *lock(&self.first);
        let (mut under_way, mut failed, mut why) = (Vec::new(), Vec::new(), String::new());
        let mut answered = 0;
        for (attempt, wait) in NEXT_AFTER.into_iter().enumerate() {
            let server = (first + attempt) % self.servers.len();
            if failed.contains(&server) {
                continue;
            }
            match self.servers[server].send(query, server, sender.clone()).await {
                Ok(sent) => under_way.push(sent),
                Err(error) if is_ours(&error) => return Err(NoResponse::Local(error)),
                Err(error) => {
                    why = self.reason(server, &error.to_string());
                    failed.push(server);
                    continue;
                }
            }
            let Ok(Some((server, response))) = timeout(wait, responses.recv()).await else { continue };
            answered += 1;
            match self.judge(server, query, response).await {
                Ok(response) => return Ok(response),
                Err(reason) => why = reason,
            }
            failed.push(server);
        }
        while answered < under_way.len() {
            let Some((server, response)) = responses.recv().await else { break };
            answered += 1;
            match self.judge(server, query, response).await {
                Ok(response) => return Ok(response),
                Err(reason) => why = reason,
            }
        }
        Err(NoResponse::Server(why))
    }

    fn reason(&self, server: usize, why: &str) -> String {
        format!("name server {}: {why}", self.servers[server].address.ip())
    }

    /// The response if it is usable, and then this server is queried first next time.
    async fn judge(&self, server: usize, query: &Query, response: Response) -> Result<Message, String> {
        let usable = self.usable(server, query, response).await;
        if usable.is_ok() {
            *lock(&self.first) = server;
        }
        usable.map_err(|why| self.reason(server, &why))
    }

    /// Accepts NOERROR and NXDOMAIN; fetches a truncated response over TCP (RFC 7766 section 5).
    async fn usable(&self, server: usize, query: &Query, response: Response) -> Result<Message, String> {
        let mut response = response?;
        if response.metadata.truncation {
            let _connection = self.connections.acquire().await.map_err(|error| error.to_string())?;
            response = over_tcp(self.servers[server].address, query).await.map_err(|error| error.to_string())?;
        }
        let metadata = &response.metadata;
        match metadata.response_code {
            // A referral: this server does not look names up, and says nothing about this one.
            ResponseCode::NoError
                if response.answers.is_empty() && !metadata.authoritative && !metadata.recursion_available =>
            {
                Err("it does not offer recursion".to_owned())
            }
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(response),
            other => Err(other.to_string()),
        }
    }
}

impl NameServer {
    async fn send(
        &self,
        query: &Query,
        server: usize,
        responses: mpsc::Sender<(usize, Response)>,
    ) -> io::Result<UnderWay> {
        let socket = self.socket()?;
        let under_way = socket.register(PendingQuery { query: query.clone(), server, responses });
        let bytes = message(under_way.id, query).to_vec().map_err(io::Error::other)?;
        under_way.socket.shared.socket.send(&bytes).await?;
        Ok(under_way)
    }

    /// The socket in use, or a new one when that is used up.
    fn socket(&self) -> io::Result<Arc<Socket>> {
        let mut current = lock(&self.socket);
        match &*current {
            Some(socket) if lock(&socket.shared.waiting).has_room() => Ok(Arc::clone(socket)),
            _ => {
                let socket = Arc::new(Socket::connect(self.address)?);
                *current = Some(Arc::clone(&socket));
                Ok(socket)
            }
        }
    }
}

impl Socket {
    fn connect(server: SocketAddr) -> io::Result<Socket> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let waiting = Waiting { by_id: HashMap::new(), queries: 0, bound_at: Instant::now() };
        let shared = Arc::new(Shared { socket: UdpSocket::from_std(socket)?, waiting: Mutex::new(waiting) });
        let reader = tokio::spawn(read(Arc::clone(&shared))).abort_handle();
        Ok(Socket { shared, reader })
    }

    /// Gives a query an unused message id.
    fn register(self: Arc<Socket>, pending: PendingQuery) -> UnderWay {
        let mut waiting = lock(&self.shared.waiting);
        let id = loop {
            // hickory-proto draws it from a cryptographic generator.
            let id = Message::query().metadata.id;
            if !waiting.by_id.contains_key(&id) {
                break id;
            }
        };
        waiting.queries += 1;
        waiting.by_id.insert(id, pending);
        drop(waiting);
        UnderWay { socket: self, id }
    }
}

impl Waiting {
    fn has_room(&self) -> bool {
        let is_young = self.queries < QUERIES_A_SOCKET || self.bound_at.elapsed() < SHORTEST_USE;
        is_young && self.by_id.len() < MOST_WAITING
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.socket.shared.waiting).by_id.remove(&self.id);
    }
}

/// Passes each response to the query that waits for it.
async fn read(shared: Arc<Shared>) {
    let mut buffer = [0; LARGEST_RESPONSE];
    loop {
        match shared.socket.recv(&mut buffer).await {
            Ok(length) => shared.hand_over(&buffer[..length]),
            // ICMP says that the port is closed, which holds for all queries in progress.
            Err(error) => {
                for (_, pending) in lock(&shared.waiting).by_id.drain() {
                    let _ = pending.responses.try_send((pending.server, Err(error.to_string())));
                }
                sleep(AFTER_AN_ERROR).await;
            }
        }
    }
}

impl Shared {
    fn hand_over(&self, bytes: &[u8]) {
        let mut waiting = lock(&self.waiting);
        let Some(&id) = bytes.first_chunk() else { return };
        let id = u16::from_be_bytes(id);
        // A forged response must not end the wait for the true one.
        let Some(response) = waiting.by_id.get(&id).and_then(|pending| response_to(bytes, &pending.query)) else {
            return;
        };
        if let Some(pending) = waiting.by_id.remove(&id) {
            let _ = pending.responses.try_send((pending.server, Ok(response)));
        }
    }
}

/// Parses a message if it is a response to this query.
fn response_to(bytes: &[u8], query: &Query) -> Option<Message> {
    let response = Message::from_vec(bytes).ok()?;
    let is_ours = response.metadata.message_type == MessageType::Response && response.queries == [query.clone()];
    is_ours.then_some(response)
}

fn message(id: u16, query: &Query) -> Message {
    let mut message = Message::query();
    message.metadata.id = id;
    message.metadata.recursion_desired = true;
    message.add_query(query.clone());
    message
}

async fn over_tcp(server: SocketAddr, query: &Query) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let bytes = message(Message::query().metadata.id, query).to_vec().map_err(io::Error::other)?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), &bytes[..]].concat()).await?;
    let mut response = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut response).await?;
    response_to(&response, query).ok_or_else(|| io::Error::other("its response is to another query"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
