//! Responses parse back with hickory-proto to the same message.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use std::time::Duration;

use hickory_proto::op::{Edns as HickoryEdns, Message, MessageType, OpCode, Query as HickoryQuery, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet as HickorySubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name as HickoryName, RecordType as HickoryType};
use proptest::prelude::*;

use super::decode::decoded;
use super::*;
use crate::answer::fixture::{lab, name, set, with_unavailable, world};
use crate::answer::{Answer, Owner, Part, Presence, Query, QueryName, SeededRng, Timestamp, resolve};
use crate::cookie_secrets::{CookieSecret, CookieSecrets};
use crate::model::{HostedZoneId, ZoneIdentity};
use crate::model::{PrefixLength, QueryType};
use crate::world::World;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));

const REQUESTOR: Requestor = Requestor::at(SOURCE);

fn requestor(transport: Transport) -> Requestor {
    Requestor::new((SOURCE, 4242).into(), transport)
}

/// The response of a new responder with these settings.
fn respond_with(settings: ResponderSettings, seed: u64, world: &World, packet: &[u8], transport: Transport) -> Vec<u8> {
    let mut out = vec![0xee; MAX_TCP_OCTETS];
    let received = Received::new(packet, requestor(transport), Timestamp::default());
    let octets = Responder::new(settings, seed).respond(world, &received, &mut out);
    out.truncate(octets);
    out
}

fn settings() -> ResponderSettings {
    ResponderSettings { udp_payload_max: 1232, nsid: Some(b"lab-1".as_slice().into()), ..ResponderSettings::default() }
}

fn lab_world(lines: &[&str]) -> World {
    world(&[lab(lines.iter().map(|line| set(line)))], &[])
}

fn query(name: &str, record_type: HickoryType) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.add_query(HickoryQuery::query(HickoryName::from_ascii(name).unwrap(), record_type));
    message
}

fn query_with_edns(name: &str, record_type: HickoryType, payload: u16) -> Message {
    let mut message = query(name, record_type);
    let mut edns = HickoryEdns::new();
    edns.set_max_payload(payload);
    message.set_edns(edns);
    message
}

fn respond(world: &World, packet: &[u8], transport: Transport) -> Vec<u8> {
    respond_with(settings(), 1, world, packet, transport)
}

fn ask(world: &World, query: &Message) -> Message {
    Message::from_vec(&respond(world, &query.to_vec().unwrap(), Transport::Udp)).unwrap()
}

#[test]
fn a_response_repeats_id_question_and_rd() {
    let world = lab_world(&["www 60 A 192.0.2.1"]);
    let mut asked = query("wWw.LaB.test.", HickoryType::A);
    asked.metadata.recursion_desired = true;
    let bytes = respond(&world, &asked.to_vec().unwrap(), Transport::Udp);
    let response = Message::from_vec(&bytes).unwrap();
    assert_eq!((response.id, response.op_code, response.message_type), (4711, OpCode::Query, MessageType::Response));
    assert!(response.recursion_desired && !response.recursion_available && response.authoritative);
    assert!(!response.truncation && response.edns.is_none());
    assert_eq!(&bytes[12..26], b"\x03wWw\x03LaB\x04test\0");
    assert_eq!(response.answers[0].to_string(), "wWw.LaB.test. 60 IN A 192.0.2.1");
    assert_eq!(response.authorities[0].to_string(), "LaB.test. 172800 IN NS ns1.LaB.test.");
}

#[test]
fn errors_repeat_what_they_can() {
    let world = lab_world(&[]);
    let refused = ask(&world, &query_with_edns("elsewhere.test.", HickoryType::A, 4096));
    assert_eq!(
        (refused.response_code, refused.queries.len(), refused.authoritative),
        (ResponseCode::Refused, 1, false)
    );
    assert_eq!(refused.edns.unwrap().max_payload(), 1232);
    let transfer = ask(&world, &query("lab.test.", HickoryType::AXFR));
    assert_eq!(transfer.response_code, ResponseCode::Refused);
    let mut update = query("lab.test.", HickoryType::SOA);
    update.metadata.op_code = OpCode::Update;
    let update = ask(&world, &update);
    assert_eq!((update.response_code, update.op_code), (ResponseCode::NotImp, OpCode::Update));
    assert_eq!((update.queries.len(), update.id), (0, 4711));
}

#[test]
fn an_extended_error_says_why_there_is_no_answer() {
    const EXTENDED_ERROR: u16 = 15;
    let world = lab_world(&["www 60 A 192.0.2.1"]);
    let code_of = |query: &Message| match ask(&world, query).edns?.option(EdnsCode::Unknown(EXTENDED_ERROR)) {
        Some(EdnsOption::Unknown(EXTENDED_ERROR, code)) => Some(u16::from_be_bytes([code[0], code[1]])),
        _ => None,
    };
    let asked = |name, record_type| query_with_edns(name, record_type, 1232);
    assert_eq!(code_of(&asked("elsewhere.test.", HickoryType::A)), Some(20));
    assert_eq!(code_of(&asked("lab.test.", HickoryType::AXFR)), Some(21));
    assert_eq!(code_of(&asked("www.lab.test.", HickoryType::A)), None);
    assert_eq!(code_of(&asked("nowhere.lab.test.", HickoryType::A)), None);
    let identity = ZoneIdentity { id: HostedZoneId("ZLAB".to_owned()), name: name("@"), vpcs: Vec::new() };
    let unavailable = with_unavailable(&[], &[], &[identity]);
    let packet = asked("www.lab.test.", HickoryType::A).to_vec().unwrap();
    let response = respond(&unavailable, &packet, Transport::Udp);
    assert!(response.ends_with(&[0, 15, 0, 2, 0, 24]), "{response:?}");
    // A response has OPT only if the request does.
    assert_eq!(code_of(&query("elsewhere.test.", HickoryType::A)), None);
}

#[test]
fn the_version_is_told_only_if_the_settings_say_so() {
    let ask = |settings: &ResponderSettings, name: &str, record_type| {
        let mut asked = query(name, record_type);
        asked.queries[0].set_query_class(DNSClass::CH);
        let bytes = respond_with(settings.clone(), 1, &lab_world(&[]), &asked.to_vec().unwrap(), Transport::Udp);
        let response = Message::from_vec(&bytes).unwrap();
        let texts: Vec<String> = response.answers.iter().map(|record| record.data.to_string()).collect();
        (response.response_code, texts)
    };
    let (refused, chaos) = (settings(), ResponderSettings { chaos: true, ..settings() });
    let version = concat!("fiftythree ", env!("CARGO_PKG_VERSION"));
    for (name, text) in
        [("version.bind.", version), ("VERSION.server.", version), ("id.server.", "lab-1"), ("hostname.bind.", "lab-1")]
    {
        assert_eq!(ask(&refused, name, HickoryType::TXT), (ResponseCode::Refused, vec![]), "{name}");
        assert_eq!(ask(&chaos, name, HickoryType::TXT), (ResponseCode::NoError, vec![text.to_owned()]), "{name}");
        assert_eq!(ask(&chaos, name, HickoryType::A), (ResponseCode::Refused, vec![]), "{name}");
    }
    assert_eq!(ask(&chaos, "authors.bind.", HickoryType::TXT), (ResponseCode::Refused, vec![]));
    let nameless = ResponderSettings { nsid: None, ..chaos };
    assert_eq!(ask(&nameless, "id.server.", HickoryType::TXT), (ResponseCode::Refused, vec![]));
}

#[test]
fn an_unknown_edns_version_is_answered_with_ours() {
    let mut asked = query_with_edns("www.lab.test.", HickoryType::A, 4096);
    asked.edns.as_mut().unwrap().set_version(1);
    let response = ask(&lab_world(&[]), &asked);
    // hickory names 16 BADSIG too.
    assert_eq!(u16::from(response.response_code), 16);
    assert_eq!(response.edns.unwrap().version(), 0);
}

#[test]
fn the_server_says_who_it_is_when_asked() {
    let mut asked = query_with_edns("www.lab.test.", HickoryType::A, 4096);
    asked.edns.as_mut().unwrap().options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), vec![]));
    asked.edns.as_mut().unwrap().set_dnssec_ok(true);
    let edns = ask(&lab_world(&[]), &asked).edns.unwrap();
    let Some(EdnsOption::NSID(nsid)) = edns.option(EdnsCode::NSID) else { panic!("{edns:?}") };
    assert_eq!(nsid.as_ref(), b"lab-1");
    assert!(edns.flags().dnssec_ok);
}

#[test]
fn a_client_subnet_comes_back_with_the_scope() {
    let world = lab_world(&["www 60 A 192.0.2.1"]);
    let mut asked = query_with_edns("www.lab.test.", HickoryType::A, 4096);
    let subnet = HickorySubnet::new("10.53.1.0".parse().unwrap(), 24, 0);
    asked.edns.as_mut().unwrap().options_mut().insert(EdnsOption::Subnet(subnet));
    let bytes = asked.to_vec().unwrap();
    let (request, Decoded::Question(_)) = decoded(&bytes, &mut QueryName::default()) else { panic!() };
    let mut name = QueryName::default();
    name.set(&crate::answer::fixture::name("www"));
    let query = Query::new(&name, QueryType(1), &REQUESTOR);
    let mut out = [0; 512];
    for (scope, expected) in [(0, 0), (17, 17), (32, 32), (128, 32)] {
        let answer = resolve(&query, &world, &mut SeededRng::new(1));
        let values = OptionValues { scope: PrefixLength(scope), ..OptionValues::default() };
        let options = ResponseOptions::to(&request.edns.as_ref().unwrap().options, &values);
        let frame = Frame { most_octets: 512, payload_size: 1232, options };
        let encoded = encode_answer(&request, &answer, &frame, &mut SeededRng::new(1), &mut out);
        let edns = Message::from_vec(&out[..encoded.octets]).unwrap().edns.unwrap();
        let Some(EdnsOption::Subnet(echo)) = edns.option(EdnsCode::Subnet) else { panic!("{edns:?}") };
        assert_eq!((echo.addr(), echo.source_prefix(), echo.scope_prefix()), (subnet.addr(), 24, expected));
    }
}

#[test]
fn an_ignored_client_subnet_is_not_repeated() {
    let mut asked = query_with_edns("www.lab.test.", HickoryType::A, 4096);
    let subnet = HickorySubnet::new("10.53.1.0".parse().unwrap(), 24, 0);
    asked.edns.as_mut().unwrap().options_mut().insert(EdnsOption::Subnet(subnet));
    let settings = ResponderSettings { client_subnet: ClientSubnetUse::Ignore, ..settings() };
    let response = respond_with(settings, 1, &lab_world(&[]), &asked.to_vec().unwrap(), Transport::Udp);
    let edns = Message::from_vec(&response).unwrap().edns.unwrap();
    assert!(edns.option(EdnsCode::Subnet).is_none());
}

#[test]
fn a_signed_query_gets_badkey() {
    let signature = b"\x03key\0\0\xfa\0\xff\0\0\0\0\0\x18\x04hmac\0TIMESTFU\0\x02MAID\0\0\0\0";
    let packet =
        [b"\x47\x11\x01\0\0\x01\0\0\0\0\0\x01\x03www\x03lab\x04test\0\0\x01\0\x01".as_slice(), signature].concat();
    let response = respond(&lab_world(&["www 60 A 192.0.2.1"]), &packet, Transport::Udp);
    assert_eq!(&response[..12], b"\x47\x11\x81\x09\0\x01\0\0\0\0\0\x01");
    let echo = b"\x03key\0\0\xfa\0\xff\0\0\0\0\0\x16\x04hmac\0TIMESTFU\0\0ID\0\x11\0\0";
    assert!(response.ends_with(echo), "{response:?}");
}

/// The responses to one packet, sent many times at one moment from an address that is no loopback.
fn responses(settings: ResponderSettings, packet: &[u8], transport: Transport, times: usize) -> Vec<Vec<u8>> {
    let world = lab_world(&["www 60 A 192.0.2.1"]);
    let requestor = Requestor::new("203.0.113.7:4242".parse().unwrap(), transport);
    let mut responder = Responder::new(settings, 1);
    let mut out = [0; MAX_TCP_OCTETS];
    let mut respond = || {
        let octets = responder.respond(&world, &Received::new(packet, requestor, Timestamp::default()), &mut out);
        out[..octets].to_vec()
    };
    (0..times).map(|_| respond()).collect()
}

fn limited(slip: u32) -> ResponderSettings {
    let limits =
        RateLimitSettings { rate: 10, instant: 10, slip, dry_run: false, allow: Vec::new(), tcp_time: Duration::ZERO };
    ResponderSettings { rate_limit: Some(RateLimit::new(limits).unwrap()), ..settings() }
}

#[test]
fn a_response_over_the_limit_tells_the_client_to_use_tcp_and_is_not_longer_than_its_query() {
    let mut asked = query_with_edns("www.lab.test.", HickoryType::A, 4096);
    asked.edns.as_mut().unwrap().options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), vec![]));
    let packet = asked.to_vec().unwrap();
    let all = responses(limited(1), &packet, Transport::Udp, 100);
    let whole = |response: &Vec<u8>| Message::from_vec(response).unwrap().answers.len() == 1;
    assert!(all[..10].iter().all(whole));
    for octets in &all[10..] {
        let response = Message::from_vec(octets).unwrap();
        assert!(response.truncation && response.answers.is_empty() && octets.len() <= packet.len());
        assert_eq!((response.id, response.response_code), (4711, ResponseCode::NoError));
        assert_eq!((response.queries, response.edns.is_some()), (asked.queries.clone(), true));
    }
    let over_tcp = responses(limited(1), &packet, Transport::Tcp, 100);
    assert!(over_tcp.iter().all(whole));
}

#[test]
fn slip_says_how_many_responses_over_the_limit_are_sent() {
    let packet = query("www.lab.test.", HickoryType::A).to_vec().unwrap();
    for (slip, sent) in [(0, 0), (1, 90), (3, 30)] {
        let all = responses(limited(slip), &packet, Transport::Udp, 100);
        assert_eq!(all[10..].iter().filter(|response| !response.is_empty()).count(), sent, "slip {slip}");
    }
}

const COOKIE: u16 = 10;

fn with_cookie(name: &str, cookie: &[u8]) -> Vec<u8> {
    let mut asked = query_with_edns(name, HickoryType::A, 4096);
    asked.edns.as_mut().unwrap().options_mut().insert(EdnsOption::Unknown(COOKIE, cookie.to_vec()));
    asked.to_vec().unwrap()
}

fn cookie_of(response: &Message) -> Option<Vec<u8>> {
    let Some(EdnsOption::Unknown(COOKIE, cookie)) = response.edns.as_ref()?.option(EdnsCode::Cookie) else {
        return None;
    };
    Some(cookie.clone())
}

fn cookies() -> Option<Cookies> {
    Some(Cookies::new(CookieSecrets::of(CookieSecret::generate().unwrap())))
}

#[test]
fn a_client_gets_a_cookie_and_with_it_has_no_limit() {
    let settings = ResponderSettings { cookies: cookies(), ..limited(1) };
    let first = with_cookie("www.lab.test.", &[7; 8]);
    let all = responses(settings.clone(), &first, Transport::Udp, 30);
    let messages: Vec<Message> = all.iter().map(|response| Message::from_vec(response).unwrap()).collect();
    let cookie = cookie_of(&messages[0]).unwrap();
    assert_eq!((cookie.len(), &cookie[..8]), (24, [7; 8].as_slice()));
    // Over the limit, a response with a cookie would be longer than its query.
    assert_eq!((messages[20].response_code, messages[20].truncation), (ResponseCode::NoError, true));
    assert_eq!((messages[20].answers.len(), cookie_of(&messages[20])), (0, None));

    let whole = |response: &Vec<u8>| Message::from_vec(response).unwrap().answers.len() == 1;
    assert!(responses(settings.clone(), &with_cookie("www.lab.test.", &cookie), Transport::Udp, 100).iter().all(whole));
    let mut forged = cookie.clone();
    forged[23] ^= 1;
    let unused = ResponderSettings { cookies: settings.cookies.clone(), ..limited(1) };
    let forged = responses(unused, &with_cookie("www.lab.test.", &forged), Transport::Udp, 100);
    assert_eq!(forged.iter().filter(|response| whole(response)).count(), 10);
    // BADCOOKIE instead of TC: the client repeats its query with the cookie.
    let last = Message::from_vec(&forged[99]).unwrap();
    assert_eq!((u16::from(last.response_code), last.truncation, last.answers.len()), (23, false, 0));
    assert_eq!(cookie_of(&last), Some(cookie));
    // Without the option, or if cookies are off, nothing about them is sent.
    for (settings, packet) in
        [(settings, query_with_edns("www.lab.test.", HickoryType::A, 4096).to_vec().unwrap()), (limited(1), first)]
    {
        let response = Message::from_vec(&responses(settings, &packet, Transport::Udp, 1)[0]).unwrap();
        assert_eq!(cookie_of(&response), None);
    }
}

/// A query with these options, and possibly a signature.
fn query_of(name: &[u8], options: Option<&[u8]>, is_signed: bool) -> Vec<u8> {
    let records = u8::from(options.is_some()) + u8::from(is_signed);
    let mut packet = vec![0x47, 0x11, 1, 0, 0, 1, 0, 0, 0, 0, 0, records];
    packet.extend(name);
    packet.extend([0, 1, 0, 1]);
    if let Some(options) = options {
        packet.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, u8::try_from(options.len()).unwrap()]);
        packet.extend(options);
    }
    if is_signed {
        packet.extend(b"\x03key\0\0\xfa\0\xff\0\0\0\0\0\x16\x04hmac\0TIMESTFU\0\0ID\0\0\0\0");
    }
    packet
}

#[test]
fn no_response_over_the_limit_is_longer_than_its_query() {
    let settings =
        ResponderSettings { cookies: cookies(), nsid: Some([b'x'; 100].as_slice().into()), chaos: true, ..limited(1) };
    let world = lab_world(&["www 60 A 192.0.2.1"]);
    let requestor = Requestor::at("203.0.113.7".parse().unwrap());
    let mut responder = Responder::new(settings, 1);
    let mut out = [0; MAX_UDP_OCTETS];
    let mut send = |packet: &[u8]| {
        let octets = responder.respond(&world, &Received::new(packet, requestor, Timestamp::default()), &mut out);
        out[..octets].to_vec()
    };
    (0..10).for_each(|_| drop(send(&query_of(b"\x03www\x03lab\x04test\0", None, false))));
    let cookie = |octets: u8| [&[0, 10, 0, octets][..], &vec![7; usize::from(octets)]].concat();
    let others =
        [&[][..], b"\0\x03\0\0", b"\0\x08\0\x07\0\x01\x18\0\x0a\x35\x01", b"\0\x0b\0\0", b"\0\x0c\0\x08padding."];
    let options = (0..=41).flat_map(|octets| others.map(|other| Some([&cookie(octets), other].concat())));
    let all = options.chain(others.map(|other| Some(other.to_vec()))).chain([None]);
    for options in all {
        let names: [&[u8]; 4] =
            [b"\0", b"\x03www\x03lab\x04test\0", b"\x05other\x04test\0", &[&[63; 192][..], &[0]].concat()];
        for (name, is_signed) in names.iter().flat_map(|name| [(name, false), (name, true)]) {
            let packet = query_of(name, options.as_deref(), is_signed);
            let response = send(&packet);
            assert!((12..=packet.len()).contains(&response.len()), "{packet:?}: {response:?}");
            // A cut packet, another opcode, no question, two of them, another version of EDNS.
            for end in 0..packet.len() {
                assert!(send(&packet[..end]).len() <= end, "{:?}", &packet[..end]);
            }
            for (at, octet) in [(2, 0x28), (5, 0), (5, 2), (11, 3), (12 + name.len() + 10, 1)] {
                let mut changed = packet.clone();
                if let Some(place) = changed.get_mut(at) {
                    *place = octet;
                }
                assert!(send(&changed).len() <= changed.len(), "{changed:?}");
            }
        }
    }
}

#[test]
fn a_cookie_of_another_length_is_a_format_error() {
    for octets in [0, 7, 9, 15, 41] {
        let response = respond(&lab_world(&[]), &with_cookie("www.lab.test.", &vec![7; octets]), Transport::Udp);
        assert_eq!(Message::from_vec(&response).unwrap().response_code, ResponseCode::FormErr, "{octets}");
    }
}

#[test]
fn large_answers_can_require_a_cookie() {
    let values: Vec<String> = (1..=40).map(|host| format!("192.0.2.{host}")).collect();
    let world = lab_world(&[&format!("www 60 A {}", values.join(" | "))]);
    let settings = ResponderSettings { cookies: cookies(), udp_max_without_cookie: 512, ..settings() };
    let ask = |cookie: &[u8], transport| {
        let packet = with_cookie("www.lab.test.", cookie);
        Message::from_vec(&respond_with(settings.clone(), 1, &world, &packet, transport)).unwrap()
    };
    let without = ask(&[7; 8], Transport::Udp);
    assert_eq!((without.truncation, without.answers.len()), (true, 0));
    let with = ask(&cookie_of(&without).unwrap(), Transport::Udp);
    assert_eq!((with.truncation, with.answers.len()), (false, 40));
    assert!(!ask(&[7; 8], Transport::Tcp).truncation);
}

#[test]
fn errors_over_the_limit_are_short_too() {
    let packet = query_with_edns("www.elsewhere.test.", HickoryType::A, 4096).to_vec().unwrap();
    let mut transfer = query_with_edns("lab.test.", HickoryType::AXFR, 4096);
    transfer.edns.as_mut().unwrap().options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), vec![]));
    let transfer = transfer.to_vec().unwrap();
    for (packet, code) in [(packet, ResponseCode::NoError), (transfer, ResponseCode::Refused)] {
        let all = responses(limited(1), &packet, Transport::Udp, 100);
        let last = Message::from_vec(all.last().unwrap()).unwrap();
        assert_eq!((last.response_code, all[99].len() <= packet.len()), (code, true));
        let silent = responses(limited(0), &packet, Transport::Udp, 100);
        assert!(silent[10..].iter().all(Vec::is_empty));
    }
}

#[test]
fn values_come_in_every_order() {
    let world = lab_world(&["www 60 A 192.0.2.1 | 192.0.2.2 | 192.0.2.3"]);
    let packet = query("www.lab.test.", HickoryType::A).to_vec().unwrap();
    let mut responder = Responder::new(settings(), 7);
    let mut out = [0; MAX_UDP_OCTETS];
    let mut order = || {
        let received = Received::new(&packet, requestor(Transport::Udp), Timestamp::default());
        let octets = responder.respond(&world, &received, &mut out);
        let response = Message::from_vec(&out[..octets]).unwrap();
        response.answers.iter().map(|record| record.data.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((0..100).map(|_| order()).collect::<BTreeSet<_>>().len(), 6);
}

#[test]
fn what_does_not_fit_is_truncated_but_keeps_opt() {
    let values: Vec<String> = (1..=100).map(|host| format!("192.0.2.{host}")).collect();
    let world = lab_world(&[&format!("www 60 A {}", values.join(" | "))]);
    for (payload, transport, expected) in
        [(512, Transport::Udp, 0), (1232, Transport::Udp, 0), (4096, Transport::Udp, 0), (512, Transport::Tcp, 100)]
    {
        let packet = query_with_edns("www.lab.test.", HickoryType::A, payload).to_vec().unwrap();
        let response = Message::from_vec(&respond(&world, &packet, transport)).unwrap();
        assert_eq!((response.truncation, response.answers.len()), (expected == 0, expected));
        assert!(response.edns.is_some());
    }
}

#[test]
fn helpful_records_are_left_out_before_anything_is_truncated() {
    // 28 addresses: 12 + 18 + 28 × 16 = 478 octets. The NS RRset needs 18 more.
    let values: Vec<String> = (1..=28).map(|host| format!("192.0.2.{host}")).collect();
    let world = lab_world(&[&format!("www 60 A {}", values.join(" | ")), "ns1 60 A 192.0.2.53"]);
    let bytes = respond(&world, &query("www.lab.test.", HickoryType::A).to_vec().unwrap(), Transport::Udp);
    let response = Message::from_vec(&bytes).unwrap();
    assert_eq!((response.truncation, response.answers.len(), bytes.len() <= 512), (false, 28, true));
    assert_eq!(response.additionals.len(), 0);
}

const LINES: [&str; 16] = [
    "www 60 A 192.0.2.1 | 192.0.2.2 | 192.0.2.3",
    "www 60 AAAA 2001:db8::1 | 2001:db8::2",
    "* 60 A 192.0.2.4",
    "@ 300 MX 10 mail.lab.test. | 20 mail.example.",
    "@ 300 TXT \"a text\" \"of two strings\" | \"another\"",
    "mail 300 A 192.0.2.25",
    "alias 30 CNAME www.lab.test.",
    "chain 30 CNAME alias.lab.test.",
    "away 30 CNAME www.example.",
    "child 300 NS ns.child.lab.test. | ns.example.",
    "ns.child 300 A 192.0.2.77",
    "_sip._tcp 60 SRV 1 2 5060 www.lab.test. | 1 2 5060 sip.example.",
    "ptr 60 PTR www.lab.test.",
    "@ 60 CAA 0 issue \"ca.example\"",
    "ns1 300 A 192.0.2.53",
    "naptr 60 NAPTR 100 50 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .",
];

const NAMES: [&str; 14] = [
    "@",
    "www",
    "nowhere",
    "a.b",
    "mail",
    "alias",
    "chain",
    "away",
    "child",
    "x.child",
    "_sip._tcp",
    "ptr",
    "ns1",
    "naptr",
];

const TYPES: [u16; 12] = [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 255, 257];

/// The same response written in the simplest way: no compression, no limit.
fn plainly(query: &Message, question: &QueryName, answer: &Answer<'_>) -> Message {
    let zone = &question.wire()[question.wire().len() - answer.zone_octets..];
    let mut bytes = vec![0; 12];
    bytes.extend(&query.to_vec().unwrap()[12..12 + question.wire().len() + 4]);
    let (authority, additional) = answer.closing_parts();
    let sections: [&[Part<'_>]; 3] = [&answer.answer, authority.as_slice(), &additional];
    for (index, parts) in sections.iter().enumerate() {
        for part in *parts {
            for data in part.records.iter() {
                match part.owner {
                    Owner::Question => bytes.extend(question.wire()),
                    Owner::InZone(labels) => bytes.extend([labels, zone].concat()),
                }
                bytes.extend(part.records.record_type.code().to_be_bytes());
                bytes.extend([0, 1]);
                bytes.extend(part.records.ttl.to_be_bytes());
                let mut plain: Vec<u8> = Vec::new();
                let mut from = 0;
                for pointer in data.pointers.into_iter().flatten() {
                    plain.extend(&data.bytes[from..usize::from(pointer)]);
                    plain.extend(zone);
                    from = usize::from(pointer) + 2;
                }
                plain.extend(&data.bytes[from..]);
                bytes.extend(u16::try_from(plain.len()).unwrap().to_be_bytes());
                bytes.extend(plain);
                bytes[7 + 2 * index] += 1;
            }
        }
    }
    bytes[5] = 1;
    Message::from_vec(&bytes).unwrap()
}

/// The records of a section without order and case.
fn lines(records: &[hickory_proto::rr::Record]) -> Vec<String> {
    let mut lines: Vec<_> = records.iter().map(|record| record.to_string().to_lowercase()).collect();
    lines.sort();
    lines
}

proptest! {
    /// Damage that keeps a valid request header gets a readable response within the size limit;
    /// everything else gets no response.
    #[test]
    fn a_damaged_query_gets_a_whole_response_or_silence(
        name in prop::sample::select(&NAMES[..]), record_type: u16, options in prop::collection::vec(any::<u8>(), 0..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut: prop::sample::Index,
        tail in prop::collection::vec(any::<u8>(), 0..40), tcp: bool,
    ) {
        let asked = match name { "@" => "lab.test.".to_owned(), labels => format!("{labels}.lab.test.") };
        let mut packet = query(&asked, HickoryType::from(record_type)).to_vec().unwrap();
        packet[11] = 1;
        packet.extend([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, u8::try_from(options.len()).unwrap()]);
        packet.extend(options);
        for (index, octet) in damage {
            let at = index.index(packet.len());
            packet[at] = octet;
        }
        if tail.len() % 2 == 0 {
            packet.truncate(cut.index(packet.len() + 1));
        }
        packet.extend(tail);

        let world = lab_world(&LINES);
        let (transport, most) =
            if tcp { (Transport::Tcp, MAX_TCP_OCTETS) } else { (Transport::Udp, usize::from(settings().udp_payload_max)) };
        let out = respond(&world, &packet, transport);
        let octets = out.len();
        let is_request = packet.len() >= 12 && packet[2] & 0x80 == 0;
        prop_assert_eq!(octets > 0, is_request);
        prop_assert!(octets <= most);
        if is_request {
            let response = Message::from_vec(&out).unwrap();
            prop_assert_eq!(&out[..2], &packet[..2]);
            prop_assert!(response.queries.len() <= 1);
            prop_assert_eq!(response.message_type, MessageType::Response);
            prop_assert!(response.edns.is_some() || octets <= 512 || tcp);
        }
    }
}

proptest! {
    #[test]
    fn an_answer_says_how_long_its_message_will_be(
        present in prop::collection::vec(any::<bool>(), LINES.len()), name in prop::sample::select(&NAMES[..]),
        record_type in prop::sample::select(&TYPES[..]), values in 1usize..120, payload in 512u16..1300, has_edns: bool,
        seed: u64,
    ) {
        let long: Vec<String> = (0..values).map(|value| format!("192.0.2.{value}")).collect();
        let sets = LINES.iter().zip(&present).filter(|(_, present)| **present).map(|(line, _)| set(line));
        let sets = sets.chain([set(&format!("long 60 A {}", long.join(" | ")))]);
        let world = world(&[lab(sets.chain([set("tolong 60 CNAME long.lab.test."), set("mx 60 MX 1 long.lab.test.")]))], &[]);
        for name in [name, "long", "tolong", "mx"] {
            let asked = match name { "@" => "lab.test.".to_owned(), labels => format!("{labels}.lab.test.") };
            let record_type = if name == "mx" { 15 } else if name.contains("long") { 1 } else { record_type };
            let message = match has_edns {
                true => query_with_edns(&asked, HickoryType::from(record_type), payload),
                false => query(&asked, HickoryType::from(record_type)),
            };
            let packet = message.to_vec().unwrap();
            let mut question = QueryName::default();
            let (request, Decoded::Question(qtype)) = decoded(&packet, &mut question) else { panic!("it is a question") };
            let query = Query::new(&question, qtype, &REQUESTOR);
            let answer = resolve(&query, &world, &mut SeededRng::new(seed));
            let most = if has_edns { usize::from(payload) } else { 512 };
            let frame = Frame { most_octets: most, payload_size: 1232, options: ResponseOptions::default() };
            let mut out = [0; MAX_UDP_OCTETS];
            let encoded = encode_answer(&request, &answer, &frame, &mut SeededRng::new(seed), &mut out);
            let size = answer.message_size(request.question.len(), if has_edns { 11 } else { 0 }, most);
            prop_assert_eq!((size.octets, size.truncated), (encoded.octets, encoded.truncated));
            let counts = [6, 8, 10].map(|at| usize::from(u16::from_be_bytes([out[at], out[at + 1]])));
            let [answers, authorities, additionals] = size.records;
            prop_assert_eq!(counts, [answers, authorities, additionals + usize::from(has_edns)]);
        }
    }

    #[test]
    fn what_we_write_hickory_reads_back(
        present in prop::collection::vec(any::<bool>(), LINES.len()), name in prop::sample::select(&NAMES[..]),
        record_type in prop::sample::select(&TYPES[..]), payload in prop::option::of(0u16..2000), seed: u64,
    ) {
        let sets = LINES.iter().zip(&present).filter(|(_, present)| **present).map(|(line, _)| set(line));
        let world = world(&[lab(sets)], &[]);
        let asked = match name { "@" => "Lab.test.".to_owned(), labels => format!("{labels}.Lab.test.") };
        let record_type = HickoryType::from(record_type);
        let message = match payload {
            Some(payload) => query_with_edns(&asked, record_type, payload),
            None => query(&asked, record_type),
        };
        let packet = message.to_vec().unwrap();
        let out = respond_with(settings(), seed, &world, &packet, Transport::Udp);
        let response = Message::from_vec(&out).unwrap();

        let mut question = QueryName::default();
        question.read(&packet, 12).unwrap();
        let query = Query::new(&question, QueryType(record_type.into()), &REQUESTOR);
        let answer = resolve(&query, &world, &mut SeededRng::new(seed));
        let expected = plainly(&message, &question, &answer);

        prop_assert_eq!(u16::from(response.response_code), answer.rcode as u16);
        prop_assert_eq!(response.authoritative, answer.authoritative);
        prop_assert_eq!(&response.queries, &message.queries);
        prop_assert_eq!(response.edns.is_some(), payload.is_some());
        prop_assert!(out.len() <= usize::from(payload.unwrap_or(512).clamp(512, 1232)));
        let whole = out.len() < 512 - 200;
        if whole {
            prop_assert!(!response.truncation);
        }
        if !response.truncation {
            prop_assert_eq!(lines(&response.answers), lines(&expected.answers));
            let optional = |part: &Part<'_>| part.presence == Presence::Optional;
            let (authority, additional) = answer.closing_parts();
            if whole || !authority.iter().all(optional) {
                prop_assert_eq!(lines(&response.authorities), lines(&expected.authorities));
            }
            if whole || !additional.iter().all(optional) {
                prop_assert_eq!(lines(&response.additionals), lines(&expected.additionals));
            }
        }
    }

    #[test]
    fn any_bytes_get_a_response_that_hickory_reads_or_silence(
        bytes in prop::collection::vec(any::<u8>(), 0..120), query_like: bool,
    ) {
        let mut bytes = bytes;
        if query_like && bytes.len() > 12 {
            bytes[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        }
        let response = respond(&lab_world(&["www 60 A 192.0.2.1"]), &bytes, Transport::Udp);
        if !response.is_empty() {
            prop_assert!(bytes.len() >= 12 && response[..2] == bytes[..2]);
            Message::from_vec(&response).unwrap();
        }
    }
}
