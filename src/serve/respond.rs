//! Turns one query packet into one response. UDP workers, TCP and the hickory-server adapter all
//! call it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::decode::MIN_PAYLOAD_OCTETS;
use super::encode::{Frame, encode_answer, encode_fault, udp_limit};
use super::prefetch::Prefetch;
use super::{Decoded, Request, decode};
use crate::answer::{Answer, ClientSubnet, Dice, Query, QueryName, Untraced, resolve_into};
use crate::geo::Located;
use crate::model::HostedZoneId;
use crate::query_logging::{QueryEvent, QueryLogger};
use crate::stats::{Counted, Family, Stats, Transport, ZoneNumber};
use crate::world::World;

/// The longest message over TCP: its length field has two octets.
pub const MAX_TCP_OCTETS: usize = 65_535;
/// The longest message over UDP, received or sent, regardless of the settings (spec 2.4: the limit
/// of Route 53).
pub const MAX_UDP_OCTETS: usize = 4096;

/// Settings for responses.
#[derive(Clone, Debug)]
pub struct ResponderSettings {
    /// The longest UDP response in octets, from 512 to `MAX_UDP_OCTETS`.
    pub udp_payload_max: u16,
    /// The server identifier for clients that request it (RFC 5001).
    pub nsid: Option<Arc<[u8]>>,
    /// How to treat EDNS Client Subnet.
    pub client_subnet: ClientSubnetUse,
}

/// How to treat EDNS Client Subnet (RFC 7871).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientSubnetUse {
    /// The option locates the client, and the response contains the network that it is valid for.
    #[default]
    Use,
    /// The option is ignored like an unknown one: the address of the resolver decides, and the
    /// response does not contain the option.
    Ignore,
}

/// Answers packets. Each worker has one and reuses its buffers.
pub struct Responder {
    settings: ResponderSettings,
    name: QueryName,
    dice: Dice,
    stats: Arc<Stats>,
    prefetch: Prefetch,
    /// The query log and dnstap, if enabled. Without them it costs one branch.
    query_logger: Option<Box<QueryLogger>>,
}

/// What the query log needs beyond the counters.
struct QueryDetails<'q> {
    question: &'q [u8],
    subnet: Option<ClientSubnet>,
    zone_id: Option<&'q HostedZoneId>,
    zone_octets: usize,
}

impl Responder {
    /// A responder with random numbers from `seed` and its own counters.
    pub fn new(settings: ResponderSettings, seed: u64) -> Responder {
        Responder::counting(settings, seed, Arc::default())
    }

    /// A responder that counts in `stats`. No other responder may write there.
    pub fn counting(settings: ResponderSettings, seed: u64, stats: Arc<Stats>) -> Responder {
        let udp_payload_max = settings.udp_payload_max.clamp(MIN_PAYLOAD_OCTETS, MAX_UDP_OCTETS as u16);
        Responder {
            settings: ResponderSettings { udp_payload_max, ..settings },
            name: QueryName::default(),
            dice: Dice::seeded(seed),
            stats,
            prefetch: Prefetch::default(),
            query_logger: None,
        }
    }

    /// The same responder, reporting queries to `query_logger`.
    #[must_use]
    pub fn with_query_logger(self, query_logger: Option<Box<QueryLogger>>) -> Responder {
        Responder { query_logger, ..self }
    }

    /// Reads the clock for the following queries, one or a batch.
    pub(super) fn begin(&mut self) -> Instant {
        if let Some(query_logger) = &mut self.query_logger {
            query_logger.read_clock();
        }
        Instant::now()
    }

    /// Records that `queries` queries were answered since `began`.
    pub(super) fn end(&self, transport: Transport, began: Instant, queries: usize) {
        self.stats.count_duration(transport, began.elapsed(), queries as u64);
    }

    /// The query logger, if dnstap is enabled: it gets whole messages.
    pub(super) fn observer(&mut self) -> Option<&mut QueryLogger> {
        self.query_logger.as_deref_mut().filter(|query_logger| query_logger.has_dnstap())
    }

    /// The counters of this responder, their only writer.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// Answers `packet` from `world` into `out`, which must hold `MAX_UDP_OCTETS` or
    /// `MAX_TCP_OCTETS` octets. Returns the length of the response in octets; 0 means that no
    /// response is sent.
    pub fn respond(
        &mut self,
        world: &World,
        packet: &[u8],
        source: IpAddr,
        transport: Transport,
        out: &mut [u8],
    ) -> usize {
        self.respond_to(world, packet, source, transport, None, out)
    }

    /// Prefetches for a batch: all its packets with their source addresses, `None` for one that
    /// cannot be answered. Answer them with `respond_prefetched`.
    pub fn prefetch<'p>(
        &mut self,
        world: &World,
        packets: impl ExactSizeIterator<Item = Option<(&'p [u8], IpAddr)>> + Clone,
    ) {
        self.prefetch.begin(world, self.settings.client_subnet, packets);
    }

    /// Like `respond` over UDP, for the packet at index `number` of the batch given to `prefetch`,
    /// from the same world.
    pub fn respond_prefetched(
        &mut self,
        number: usize,
        world: &World,
        packet: &[u8],
        source: IpAddr,
        out: &mut [u8],
    ) -> usize {
        let located = self.prefetch.of(number);
        self.respond_to(world, packet, source, Transport::Udp, located.as_ref(), out)
    }

    #[inline(always)]
    fn respond_to(
        &mut self,
        world: &World,
        packet: &[u8],
        source: IpAddr,
        transport: Transport,
        located: Option<&Located>,
        out: &mut [u8],
    ) -> usize {
        let source = source.to_canonical();
        let family = Family::of(source);
        let (encoded, counted, details) = match decode(packet, &mut self.name) {
            Decoded::Silence => {
                self.stats.count_silence(transport, family);
                return 0;
            }
            Decoded::Fault(mut request, code) => {
                self.forget_ignored(&mut request);
                let (zone, record_type, response_code) = (ZoneNumber::NONE, record_type(&request), code as u8);
                let counted = Counted { zone, transport, family, record_type, response_code };
                let subnet = client_subnet(&request);
                let details = QueryDetails { question: request.question, subnet, zone_id: None, zone_octets: 0 };
                (encode_fault(&request, code, &frame(&self.settings, &request, transport), out), counted, details)
            }
            Decoded::Question(mut request, record_type) => {
                self.forget_ignored(&mut request);
                let client_subnet = client_subnet(&request);
                let query = Query { name: &self.name, record_type, source, client_subnet, located };
                let mut answer = Answer::default();
                resolve_into(&query, world, &mut self.dice, &mut Untraced, &mut answer);
                self.prefetch.learn(answer.needed_place);
                let frame = frame(&self.settings, &request, transport);
                if !answer.counted.is_empty() {
                    self.stats.count_answers(&answer.counted);
                }
                let (zone, response_code) = (answer.zone_number, answer.rcode as u8);
                let counted = Counted { zone, transport, family, record_type, response_code };
                let (zone_id, zone_octets) = (answer.zone_id, answer.zone_octets);
                let details = QueryDetails { question: request.question, subnet: client_subnet, zone_id, zone_octets };
                (encode_answer(&request, &answer, &frame, &mut self.dice, out), counted, details)
            }
        };
        self.stats.count(&counted);
        if encoded.truncated {
            self.stats.count_truncated();
        }
        if let Some(query_logger) = &mut self.query_logger {
            report(query_logger, &self.name, &counted, &details, source);
        }
        encoded.octets
    }

    /// An ignored client subnet is not repeated in the response. A resolver that saw a scope would
    /// assume that the answer was made for that network (RFC 7871 section 7.2.1).
    fn forget_ignored(&self, request: &mut Request<'_>) {
        if let (ClientSubnetUse::Ignore, Some(edns)) = (self.settings.client_subnet, &mut request.edns) {
            edns.client_subnet = None;
        }
    }
}

/// Kept out of the hot path, so that a server without a query log does not pay for it.
#[cold]
#[inline(never)]
fn report(
    query_logger: &mut QueryLogger,
    name: &QueryName,
    counted: &Counted,
    details: &QueryDetails<'_>,
    resolver: IpAddr,
) {
    let wire = name.wire();
    query_logger.log(&QueryEvent {
        question: details.question,
        zone_id: details.zone_id.map(|id| id.0.as_str()),
        zone_name: &wire[wire.len().saturating_sub(details.zone_octets)..],
        record_type: counted.record_type,
        response_code: counted.response_code,
        transport: counted.transport,
        resolver,
        subnet: details.subnet.map(|subnet| (subnet.address, subnet.source_prefix)),
    });
}

fn frame<'s>(settings: &'s ResponderSettings, request: &Request<'_>, transport: Transport) -> Frame<'s> {
    let payload_size = settings.udp_payload_max;
    let most_octets = match transport {
        Transport::Udp => udp_limit(request.edns.as_ref(), payload_size),
        Transport::Tcp => MAX_TCP_OCTETS,
    };
    Frame { most_octets, payload_size, nsid: settings.nsid.as_deref().unwrap_or_default() }
}

/// The QTYPE of an invalid request; 0 if its question could not be parsed.
fn record_type(request: &Request<'_>) -> u16 {
    let octets = request.question.last_chunk::<4>();
    octets.map_or(0, |[high, low, ..]| u16::from_be_bytes([*high, *low]))
}

fn client_subnet(request: &Request<'_>) -> Option<ClientSubnet> {
    request.edns.as_ref()?.client_subnet?.network()
}
