//! Turns one query packet into one response, in three steps: admit the packet, answer it, account
//! for it. UDP workers, TCP and the hickory-server adapter all call it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chaos;
use super::clock::Clock;
use super::cookie::{CheckedCookie, CookieChecker, Cookies};
use super::decode::{Decoded, ErrorCode, MIN_PAYLOAD_OCTETS, Request, decode};
use super::edns::{ClientSubnetUse, ExtendedError, OptionValues, ResponseOptions};
use super::encode::{Encoded, Frame, encode_answer, encode_chaos, encode_error, encode_truncated, udp_limit};
use super::prefetch::Prefetch;
use super::rate_limit::{LimitAction, RateLimit, RateLimiter, TimeLeft};
use crate::answer::{
    Accounting, Answer, ClientSubnet, Query, QueryName, Rcode, SeededRng, Timestamp, Untraced, resolve_into,
};
use crate::geo::Located;
use crate::model::QueryType;
use crate::query_logging::{QueryEvent, QueryLogger};
use crate::requestor::{Requestor, Transport};
use crate::stats::{Counted, RateLimited, Stats};
use crate::world::World;

/// The longest message over TCP: its length field has two octets.
pub const MAX_TCP_OCTETS: usize = 65_535;
/// The longest message over UDP, received or sent, regardless of the settings (the limit
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
    /// Whether queries of class CHAOS for the version and the server identifier are answered.
    pub chaos: bool,
    /// Response rate limiting over UDP, if enabled. All workers share it.
    pub rate_limit: Option<RateLimit>,
    /// DNS cookies, if enabled. All workers have the same secrets.
    pub cookies: Option<Cookies>,
    /// The longest UDP response in octets for a client without a valid cookie, at least 512.
    pub udp_max_without_cookie: u16,
}

/// No server identifier and no limits.
impl Default for ResponderSettings {
    fn default() -> ResponderSettings {
        ResponderSettings {
            udp_payload_max: 1232,
            nsid: None,
            client_subnet: ClientSubnetUse::default(),
            chaos: false,
            rate_limit: None,
            cookies: None,
            udp_max_without_cookie: u16::MAX,
        }
    }
}

/// Answers packets. Each worker has one and reuses its buffers.
pub struct Responder {
    settings: ResponderSettings,
    name: QueryName,
    rng: SeededRng,
    stats: Arc<Stats>,
    clock: Clock,
    prefetch: Prefetch,
    rate_limiter: Option<RateLimiter>,
    cookies: Option<CookieChecker>,
    /// How long TCP connections may be idle, in units of 100 ms; `None` for UDP workers.
    idle_timeout: Option<u16>,
    /// The query log and dnstap, if enabled. Without them it costs one branch.
    query_logger: Option<Box<QueryLogger>>,
}

/// A packet as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Received<'p> {
    /// The message.
    pub packet: &'p [u8],
    /// Who sent it.
    pub requestor: Requestor,
    /// When it arrived. One reading of the clock serves a whole batch.
    pub at: Timestamp,
    /// The location of the client that the packet seems to have, if it was prefetched.
    located: Option<&'p Located>,
}

impl<'p> Received<'p> {
    /// A packet without prefetched data.
    pub fn new(packet: &'p [u8], requestor: Requestor, at: Timestamp) -> Received<'p> {
        Received { packet, requestor, at, located: None }
    }
}

/// A packet that was read.
#[derive(Default)]
struct Admitted<'p> {
    decoded: Decoded,
    request: Request<'p>,
    /// Its cookie, if it has one and cookies are on.
    cookie: Option<CheckedCookie>,
}

impl Admitted<'_> {
    /// Whether the address of the requestor is not forged.
    fn has_valid_cookie(&self) -> bool {
        self.cookie.as_ref().is_some_and(|cookie| cookie.is_valid)
    }
}

/// A response that was written.
struct Response {
    encoded: Encoded,
    /// 0 if it could not be parsed.
    qtype: QueryType,
    response_code: u8,
}

/// The readings of the clocks at the start of a batch.
#[derive(Clone, Copy)]
pub(super) struct BatchStart {
    began: Instant,
    /// The time of day.
    pub(super) at: Timestamp,
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
            idle_timeout: None,
            cookies: settings.cookies.as_ref().map(Cookies::worker),
            rate_limiter: settings.rate_limit.as_ref().map(RateLimit::worker),
            settings: ResponderSettings { udp_payload_max, ..settings },
            name: QueryName::default(),
            rng: SeededRng::new(seed),
            stats,
            clock: Clock::new(),
            prefetch: Prefetch::default(),
            query_logger: None,
        }
    }

    /// The same responder, reporting queries to `query_logger`.
    #[must_use]
    pub fn with_query_logger(self, query_logger: Option<Box<QueryLogger>>) -> Responder {
        Responder { query_logger, ..self }
    }

    /// The same responder for TCP connections that may be idle for this long.
    #[must_use]
    pub(super) fn with_idle_timeout(self, timeout: Duration) -> Responder {
        let idle_timeout = u16::try_from(timeout.as_millis() / 100).unwrap_or(u16::MAX);
        Responder { idle_timeout: Some(idle_timeout), ..self }
    }

    /// Reads the clock for the following queries, one or a batch.
    pub(super) fn begin(&mut self) -> BatchStart {
        let began = Instant::now();
        let at = self.clock.time_at(began);
        if let Some(query_logger) = &mut self.query_logger {
            query_logger.set_time(at.0);
        }
        BatchStart { began, at }
    }

    /// Records that `queries` queries were answered since `start`, and returns the time since then.
    pub(super) fn end(&self, transport: Transport, start: BatchStart, queries: usize) -> Duration {
        let took = start.began.elapsed();
        self.stats.count_duration(transport, took, queries as u64);
        took
    }

    /// Counts time that `requestor` has used over TCP. Returns whether it may use more.
    pub(super) fn may_go_on(&self, requestor: &Requestor, used: Duration, at: Timestamp) -> bool {
        let Some(limiter) = &self.rate_limiter else { return true };
        let left = limiter.use_time(requestor, used, at);
        if left != TimeLeft::Some {
            self.stats.count_out_of_time();
        }
        left != TimeLeft::None
    }

    /// The query logger, if dnstap is enabled: it gets whole messages.
    pub(super) fn dnstap(&mut self) -> Option<&mut QueryLogger> {
        self.query_logger.as_deref_mut().filter(|query_logger| query_logger.has_dnstap())
    }

    /// The counters of this responder, their only writer.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
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

    /// Like `respond`, for the packet at index `number` of the batch given to `prefetch`, from the
    /// same world.
    pub fn respond_prefetched(
        &mut self,
        number: usize,
        world: &World,
        received: &Received<'_>,
        out: &mut [u8],
    ) -> usize {
        let located = self.prefetch.of(number);
        self.respond_to(world, &Received { located: located.as_ref(), ..*received }, out)
    }

    /// Answers a packet from `world` into `out`, which must hold `MAX_UDP_OCTETS` or
    /// `MAX_TCP_OCTETS` octets. Returns the length of the response in octets; 0 means that no
    /// response is sent.
    pub fn respond(&mut self, world: &World, received: &Received<'_>, out: &mut [u8]) -> usize {
        self.respond_to(world, received, out)
    }

    #[inline(always)]
    fn respond_to(&mut self, world: &World, received: &Received<'_>, out: &mut [u8]) -> usize {
        let mut accounting = Accounting::default();
        // Read in place: it is too large to be moved.
        let mut admitted = Admitted::default();
        self.admit(received, &mut admitted);
        let response = match self.limit_action(&admitted, received) {
            LimitAction::Send | LimitAction::DryRun => self.answer(&admitted, received, world, &mut accounting, out),
            LimitAction::Truncate => self.answer_over_the_limit(&admitted, received.packet.len(), out),
            LimitAction::Drop => None,
        };
        self.account(received, &admitted.request, response.as_ref(), &accounting);
        response.map_or(0, |response| response.encoded.octets)
    }

    /// Decides what happens to a packet: it is dropped, or it gets an error or an answer.
    #[inline(always)]
    fn admit<'p>(&mut self, received: &Received<'p>, admitted: &mut Admitted<'p>) {
        admitted.decoded = decode(received.packet, &mut self.name, &mut admitted.request);
        if let Some(edns) = &mut admitted.request.edns {
            if self.settings.client_subnet == ClientSubnetUse::Ignore {
                // An ignored client subnet is not repeated in the response. A resolver that saw a
                // scope would assume that the answer was made for that network (RFC 7871 section
                // 7.2.1).
                edns.options.client_subnet = None;
            }
            if let (Some(cookies), Some(option)) = (&mut self.cookies, &edns.options.cookie) {
                admitted.cookie = Some(cookies.check(option, received.requestor.address(), received.at));
            }
        }
    }

    /// What the rate limit does with the response to an admitted packet.
    #[inline(always)]
    fn limit_action(&mut self, admitted: &Admitted<'_>, received: &Received<'_>) -> LimitAction {
        let Some(limiter) = &mut self.rate_limiter else { return LimitAction::Send };
        if received.requestor.transport() != Transport::Udp
            || matches!(admitted.decoded, Decoded::Dropped)
            || admitted.has_valid_cookie()
        {
            return LimitAction::Send;
        }
        let action = limiter.limit_action(&received.requestor, received.at);
        match action {
            LimitAction::Send | LimitAction::Truncate => {}
            LimitAction::Drop => self.stats.count_rate_limited(RateLimited::Dropped),
            LimitAction::DryRun => self.stats.count_rate_limited(RateLimited::DryRun),
        }
        action
    }

    /// Writes a response without records that is not longer than its request, which has
    /// `most_octets`: the address that gets it may be a victim's. `None` if there is none.
    #[cold]
    fn answer_over_the_limit(&self, admitted: &Admitted<'_>, most_octets: usize, out: &mut [u8]) -> Option<Response> {
        // A request with a server cookie has the space for a new one.
        let mut attempts = [admitted.cookie.as_ref(), None].into_iter();
        let response = attempts.find_map(|cookie| {
            let response = self.without_records(admitted, cookie, out)?;
            (response.encoded.octets <= most_octets).then_some(response)
        });
        self.stats.count_rate_limited(match &response {
            Some(response) if response.response_code == ErrorCode::BadCookie as u8 => RateLimited::BadCookie,
            Some(_) => RateLimited::Truncated,
            None => RateLimited::Dropped,
        });
        response
    }

    /// Writes TC; BADCOOKIE if there is a cookie for the client to repeat its query with (RFC 7873
    /// section 5.3); or the error that the request gets anyway.
    fn without_records(
        &self,
        admitted: &Admitted<'_>,
        cookie: Option<&CheckedCookie>,
        out: &mut [u8],
    ) -> Option<Response> {
        let request = &admitted.request;
        let (error, qtype) = match admitted.decoded {
            Decoded::Dropped => return None,
            Decoded::Error(code) => (Some(code), qtype_of(request)),
            Decoded::Question(qtype) => (cookie.map(|_| ErrorCode::BadCookie), qtype),
        };
        let mut options = ResponseOptions::default();
        if let Some(cookie) = cookie {
            options.push_cookie(&cookie.octets);
        }
        let frame = Frame { most_octets: MAX_UDP_OCTETS, payload_size: self.settings.udp_payload_max, options };
        let encoded = match error {
            Some(code) => encode_error(request, code, &frame, out),
            None => encode_truncated(request, &frame, out),
        };
        Some(Response { encoded, qtype, response_code: error.map_or(0, |code| code as u8) })
    }

    /// Writes the response to an admitted packet; `None` if it is dropped.
    #[inline(always)]
    fn answer<'w>(
        &mut self,
        admitted: &Admitted<'_>,
        received: &Received<'_>,
        world: &'w World,
        accounting: &mut Accounting<'w>,
        out: &mut [u8],
    ) -> Option<Response> {
        let (request, transport) = (&admitted.request, received.requestor.transport());
        match admitted.decoded {
            Decoded::Dropped => None,
            Decoded::Error(code) => Some(self.answer_error(code, admitted, transport, out)),
            Decoded::Question(qtype) => {
                let query = Query {
                    name: &self.name,
                    qtype,
                    requestor: &received.requestor,
                    client_subnet: client_subnet(request),
                    located: received.located,
                    dnssec_ok: request.edns.as_ref().is_some_and(|edns| edns.dnssec_ok),
                    at: received.at,
                };
                let mut answer = Answer::default();
                resolve_into(&query, world, &mut self.rng, &mut Untraced, &mut answer, accounting);
                let error = match answer.rcode {
                    Rcode::ServFail => Some(ExtendedError::InvalidData),
                    Rcode::Refused => Some(ExtendedError::NotAuthoritative),
                    Rcode::NoError | Rcode::NxDomain => None,
                };
                let idle_timeout = self.idle_timeout;
                let values = OptionValues { scope: answer.scope, error, idle_timeout, ..OptionValues::default() };
                let frame = frame(&self.settings, admitted, transport, &values);
                let encoded = encode_answer(request, &answer, &frame, &mut self.rng, out);
                Some(Response { encoded, qtype, response_code: answer.rcode as u8 })
            }
        }
    }

    /// Writes the response to a request that does not reach a zone.
    fn answer_error(&self, code: ErrorCode, admitted: &Admitted<'_>, transport: Transport, out: &mut [u8]) -> Response {
        let (settings, request) = (&self.settings, &admitted.request);
        let text = chaos::text_for(request.question, settings.nsid.as_deref().unwrap_or_default());
        let text = text.filter(|_| settings.chaos && code == ErrorCode::Refused);
        let error = match code {
            ErrorCode::Refused | ErrorCode::NotImplemented if text.is_none() => Some(ExtendedError::NotSupported),
            _ => None,
        };
        let values = OptionValues { error, idle_timeout: self.idle_timeout, ..OptionValues::default() };
        let frame = frame(settings, admitted, transport, &values);
        let (encoded, response_code) = match text {
            Some(text) => (encode_chaos(request, text, &frame, out), 0),
            None => (encode_error(request, code, &frame, out), code as u8),
        };
        Response { encoded, qtype: qtype_of(request), response_code }
    }

    /// Counts a packet and its response, if it has one, and logs the query.
    #[inline(always)]
    fn account(
        &mut self,
        received: &Received<'_>,
        request: &Request<'_>,
        response: Option<&Response>,
        accounting: &Accounting<'_>,
    ) {
        let Some(response) = response else { return self.stats.count_dropped(&received.requestor) };
        self.prefetch.record_answer(accounting.needed_location);
        if !accounting.counted.is_empty() {
            self.stats.count_answers(&accounting.counted);
        }
        let Response { qtype, response_code, .. } = *response;
        let requestor = &received.requestor;
        self.stats.count(&Counted { zone: accounting.zone_number, requestor, qtype, response_code });
        if response.encoded.truncated {
            self.stats.count_truncated();
        }
        if let Some(query_logger) = &mut self.query_logger {
            log(query_logger, requestor, request, response, accounting);
        }
    }
}

/// Kept out of the hot path, so that a server without a query log does not pay for it.
#[cold]
#[inline(never)]
fn log(
    query_logger: &mut QueryLogger,
    requestor: &Requestor,
    request: &Request<'_>,
    response: &Response,
    accounting: &Accounting<'_>,
) {
    query_logger.log(&QueryEvent {
        question: request.question,
        zone_id: accounting.zone.map(|zone| zone.id().0.as_str()),
        zone_name: accounting.zone.map_or(&[], |zone| zone.name().wire()),
        has_logging_config: accounting.logs_queries(),
        qtype: response.qtype,
        response_code: response.response_code,
        requestor: *requestor,
        subnet: client_subnet(request).map(|subnet| (subnet.address, subnet.source_prefix)),
    });
}

/// What the response has apart from records. Its options say `values`, the cookie and the server
/// identifier.
#[inline(always)]
fn frame<'s>(
    settings: &'s ResponderSettings,
    admitted: &'s Admitted<'_>,
    transport: Transport,
    values: &OptionValues<'s>,
) -> Frame<'s> {
    let (payload_size, edns) = (settings.udp_payload_max, admitted.request.edns.as_ref());
    let most_octets = match transport {
        Transport::Tcp => MAX_TCP_OCTETS,
        Transport::Udp if admitted.has_valid_cookie() => udp_limit(edns, payload_size),
        Transport::Udp => udp_limit(edns, payload_size.min(settings.udp_max_without_cookie)),
    };
    let mut frame = Frame { most_octets, payload_size, options: ResponseOptions::default() };
    if let Some(edns) = edns {
        let cookie = admitted.cookie.as_ref().map(|cookie| &cookie.octets);
        let values = OptionValues { cookie, nsid: settings.nsid.as_deref().unwrap_or_default(), ..*values };
        frame.options.respond_to(&edns.options, &values);
    }
    frame
}

/// The QTYPE of an invalid request; 0 if its question could not be parsed.
fn qtype_of(request: &Request<'_>) -> QueryType {
    let octets = request.question.last_chunk::<4>();
    QueryType(octets.map_or(0, |[high, low, ..]| u16::from_be_bytes([*high, *low])))
}

fn client_subnet(request: &Request<'_>) -> Option<ClientSubnet> {
    request.edns.as_ref()?.options.client_subnet?.network()
}
