//! Looks up the address of a domain name, before each probe and not within its deadlines.
//!
//! ```text
//!  Host ──▶ IP literal? ──▶ hosts file? ──▶ cached? ──▶ NameServers: one query, shared by all
//!                                                       that wait for the same name
//! ```
//!
//! A stub resolver for the sources `files` and `dns` of nsswitch.conf. getaddrinfo occupies a
//! thread for each lookup, so that names without an answer delay all others
//! (docs/decisions/0037-looking-names-up.md).

mod exchange;
mod system;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::model::AddressFamily;

use exchange::{NameServers, NoResponse};
use system::{Hosts, ResolvConf, Sources};

/// How long a lookup may take (docs/health.md).
pub(super) const LOOK_UP_WITHIN: Duration = Duration::from_secs(5);
/// How often the two files are checked for changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest time to cache an address, regardless of its TTL: a restarted container may have
/// another address at once, and Docker's name server gives addresses a TTL of ten minutes.
const LONGEST_USE: Duration = Duration::from_secs(10);
/// After this many lookups in a row without a response, the next ones are delayed.
const BEFORE_BACKING_OFF: u32 = 3;
/// The longest delay between lookups of a name without a response.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// The longest CNAME chain that is followed within a response.
const MOST_ALIASES: usize = 16;

/// Looks names up.
#[derive(Debug)]
pub(super) struct Resolver {
    sources: Sources,
    state: Mutex<State>,
    /// The names in use: checks of the same name share its lookups.
    hosts: Mutex<HashMap<(String, AddressFamily), Weak<Host>>>,
}

#[derive(Debug)]
struct State {
    system: Arc<System>,
    seen: system::Fingerprint,
    looked_at: Instant,
}

/// The resolver configuration of the machine.
#[derive(Debug)]
struct System {
    resolv_conf: ResolvConf,
    hosts: Hosts,
    name_servers: NameServers,
}

/// A name that is looked up repeatedly, and its cached address.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    family: AddressFamily,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The last lookup, or the one in progress.
    last: Arc<OnceCell<Found>>,
    /// Lookups in a row without a response.
    unanswered: u32,
}

/// The result of a lookup.
#[derive(Clone, Debug)]
struct Found {
    address: Result<IpAddr, NoAddress>,
    good_until: Instant,
    /// The configuration it was made with: a new one makes it stale.
    system: Weak<System>,
}

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAddress {
    /// It does not exist, or has none of this family.
    #[error("{0}")]
    None(String),
    /// No name server gave a usable response: what getaddrinfo calls `EAI_AGAIN`.
    #[error("{0}")]
    NoResponse(String),
    /// The process has no file, port or memory left to ask.
    #[error("{0}")]
    Local(String),
}

impl Default for Resolver {
    fn default() -> Resolver {
        Resolver::new(Sources::default())
    }
}

impl Resolver {
    fn new(sources: Sources) -> Resolver {
        let seen = sources.fingerprint();
        let state = State { system: Arc::new(System::read(&sources)), seen, looked_at: Instant::now() };
        Resolver { sources, state: Mutex::new(state), hosts: Mutex::default() }
    }

    /// A name to look up. Equal names of one family share a `Host` while it is in use.
    pub(super) fn host(&self, name: &str, family: AddressFamily) -> Arc<Host> {
        let mut hosts = lock(&self.hosts);
        let key = (name.to_ascii_lowercase(), family);
        if let Some(host) = hosts.get(&key).and_then(Weak::upgrade) {
            return host;
        }
        if hosts.len() == hosts.capacity() {
            hosts.retain(|_, host| host.strong_count() > 0);
        }
        let host = Arc::new(Host { name: name.to_owned(), family, known: Mutex::default() });
        hosts.insert(key, Arc::downgrade(&host));
        host
    }

    /// The name's first address; Route 53 uses IPv4 only (API FullyQualifiedDomainName). Concurrent
    /// calls for one name share a lookup.
    pub(super) async fn address(&self, host: &Host, within: Duration) -> Result<IpAddr, NoAddress> {
        host.address(&self.system(), within).await
    }

    /// The machine's configuration, read again when one of the files has changed.
    fn system(&self) -> Arc<System> {
        let mut state = lock(&self.state);
        if state.looked_at.elapsed() >= LOOK_EVERY {
            state.looked_at = Instant::now();
            let now = self.sources.fingerprint();
            if state.seen != now {
                tracing::info!("resolv.conf or the hosts file has changed and was read again");
                *state = State { system: Arc::new(System::read(&self.sources)), seen: now, ..*state };
            }
        }
        Arc::clone(&state.system)
    }
}

/// For reqwest, which tries the addresses of both families.
impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let hosts = [AddressFamily::Ipv4, AddressFamily::Ipv6].map(|family| self.host(name.as_str(), family));
        let system = self.system();
        Box::pin(async move {
            let [v4, v6] = &hosts;
            let (v4, v6) = tokio::join!(v4.address(&system, LOOK_UP_WITHIN), v6.address(&system, LOOK_UP_WITHIN));
            let addresses: Vec<SocketAddr> = [&v4, &v6].into_iter().flatten().map(|&ip| (ip, 0).into()).collect();
            match v4 {
                Err(why) if addresses.is_empty() => Err(why.into()),
                _ => Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs),
            }
        })
    }
}

impl Host {
    /// The first address; joins a lookup in progress.
    async fn address(&self, system: &Arc<System>, within: Duration) -> Result<IpAddr, NoAddress> {
        if let Some(address) = self.address_without_dns(system) {
            return address;
        }
        let last = self.last(system);
        let found = last.get_or_init(|| async {
            let result = timeout(within, system.look_up(&self.name, self.family)).await;
            let silence =
                |_| Err(NoAddress::NoResponse(format!("no answer for {} within the timeout limit", self.name)));
            self.note(result.unwrap_or_else(silence), system)
        });
        found.await.address.clone()
    }

    /// Drops the cached address, after a failed probe.
    pub(super) fn forget(&self) {
        let mut known = lock(&self.known);
        if known.last.get().is_some_and(|found| found.address.is_ok()) {
            known.last = Arc::default();
        }
    }

    fn address_without_dns(&self, system: &System) -> Option<Result<IpAddr, NoAddress>> {
        if let Ok(literal) = self.name.parse::<IpAddr>() {
            let address = Some(literal).filter(|address| system::is(address, self.family));
            return Some(address.ok_or_else(|| no_address(&self.name, self.family)));
        }
        system.hosts.address(&self.name, self.family).map(Ok)
    }

    /// The lookup under way, or the last one if it still holds, or a new one.
    fn last(&self, system: &Arc<System>) -> Arc<OnceCell<Found>> {
        let mut known = lock(&self.known);
        let is_over = known.last.get().is_some_and(|found| {
            found.good_until <= Instant::now() || !std::ptr::eq(found.system.as_ptr(), Arc::as_ptr(system))
        });
        if is_over {
            known.last = Arc::default();
        }
        Arc::clone(&known.last)
    }

    /// Decides how long the result is cached: an address for its TTL, a negative response not at
    /// all, the lack of a response for longer each time.
    fn note(&self, result: Result<(IpAddr, Duration), NoAddress>, system: &Arc<System>) -> Found {
        let mut known = lock(&self.known);
        let is_unanswered = matches!(result, Err(NoAddress::NoResponse(_)));
        known.unanswered = if is_unanswered { known.unanswered.saturating_add(1) } else { 0 };
        let (address, holds) = match result {
            Ok((address, time_to_live)) => (Ok(address), time_to_live.min(LONGEST_USE)),
            Err(why) => (Err(why), back_off(known.unanswered)),
        };
        Found { address, good_until: Instant::now() + holds, system: Arc::downgrade(system) }
    }
}

impl System {
    fn read(sources: &Sources) -> System {
        let (resolv_conf, hosts) = sources.read();
        let name_servers = NameServers::new(&resolv_conf.name_servers);
        System { resolv_conf, hosts, name_servers }
    }

    /// Tries the name and its search domains until one has an address; returns it with its TTL.
    async fn look_up(&self, name: &str, family: AddressFamily) -> Result<(IpAddr, Duration), NoAddress> {
        let mut why = NoAddress::None(format!("the name {name} does not exist"));
        for candidate in self.resolv_conf.candidates(name) {
            // With a search domain it may be too long for a name.
            let Some(query) = query(&candidate, family) else { continue };
            match self.name_servers.ask(&query).await {
                Ok(response) if response.metadata.response_code == ResponseCode::NXDomain => {}
                Ok(response) => match address_in(&response, &query) {
                    Some(found) => return Ok(found),
                    None => why = no_address(name, family),
                },
                Err(NoResponse::Server(reason)) => why = NoAddress::NoResponse(reason),
                Err(NoResponse::Local(error)) => return Err(NoAddress::Local(error.to_string())),
            }
        }
        Err(why)
    }
}

fn query(name: &str, family: AddressFamily) -> Option<Query> {
    let record_type = match family {
        AddressFamily::Ipv4 => RecordType::A,
        AddressFamily::Ipv6 => RecordType::AAAA,
    };
    Some(Query::query(Name::from_ascii(name).ok()?, record_type))
}

/// The first address of the name or of its CNAME target, with the lowest TTL of the chain.
fn address_in(response: &Message, query: &Query) -> Option<(IpAddr, Duration)> {
    let (mut owner, mut ttl) = (query.name(), u32::MAX);
    for _ in 0..MOST_ALIASES {
        let of_owner = || response.answers.iter().filter(|record| record.name == *owner);
        if let Some(record) = of_owner().find(|record| record.record_type() == query.query_type()) {
            let holds = Duration::from_secs(ttl.min(record.ttl).into());
            return record.data.ip_addr().map(|address| (address, holds));
        }
        let alias = of_owner().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((&target.0, record.ttl)),
            _ => None,
        });
        let (target, its_ttl) = alias?;
        (owner, ttl) = (target, ttl.min(its_ttl));
    }
    None
}

fn no_address(name: &str, family: AddressFamily) -> NoAddress {
    let family = match family {
        AddressFamily::Ipv4 => "IPv4",
        AddressFamily::Ipv6 => "IPv6",
    };
    NoAddress::None(format!("{name} has no {family} address"))
}

/// The delay after `unanswered` lookups in a row without a response: 1 s, 2 s, 4 s …
fn back_off(unanswered: u32) -> Duration {
    match unanswered.checked_sub(BEFORE_BACKING_OFF) {
        Some(more) => Duration::from_secs(1 << more.min(6)).min(LONGEST_BACK_OFF),
        None => Duration::ZERO,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
