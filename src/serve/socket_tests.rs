//! Tests with real sockets on loopback: both UDP implementations, TCP with its limits, binding and
//! stopping.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{ClientSubnet as HickorySubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name as HickoryName, Record, RecordType as HickoryType};

use super::*;
use crate::answer::fixture::{lab, set, world};
use crate::query_logging::QueryLogging;
use crate::stats::Meters;
use crate::world::{Publisher, Reader, World};

/// Much longer than any operation takes on a busy machine.
const LONG: Duration = Duration::from_secs(10);

const LINES: [&str; 9] = [
    "www 60 A 192.0.2.1 | 192.0.2.2 | 192.0.2.3",
    "www 60 AAAA 2001:db8::1",
    "@ 300 MX 10 mail.lab.test. | 20 mail.example.",
    "@ 300 TXT \"a text\" \"of two strings\"",
    "mail 300 A 192.0.2.25",
    "alias 30 CNAME www.lab.test.",
    "child 300 NS ns.child.lab.test. | ns.example.",
    "ns.child 300 A 192.0.2.77",
    "_sip._tcp 60 SRV 1 2 5060 www.lab.test.",
];

fn lab_world() -> World {
    let values: Vec<String> = (1..=120).map(|host| format!("192.0.2.{host}")).collect();
    let many = set(&format!("many 60 A {}", values.join(" | ")));
    world(&[lab(LINES.iter().map(|line| set(line)).chain([many]))], &[])
}

fn settings() -> ResponderSettings {
    let nsid = Some(b"lab-1".as_slice().into());
    ResponderSettings {
        udp_payload_max: 1232,
        nsid,
        client_subnet: ClientSubnetUse::Use,
        ..ResponderSettings::default()
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// An address whose ports no client's socket uses by chance, if loopback has enough addresses.
fn quiet_loopback() -> SocketAddr {
    if cfg!(target_os = "linux") { ([127, 0, 53, 20], 0).into() } else { loopback() }
}

fn start_with(reader: &Reader, path: UdpPath, limits: TcpLimits) -> (Serving, SocketAddr) {
    let bound = Bound::bind(&[quiet_loopback()], 2, path).unwrap();
    let address = bound.addresses()[0];
    let observers = Observers { meters: &Meters::default(), query_logging: &QueryLogging::default() };
    (bound.serve(reader, &settings(), limits, observers, 1).unwrap(), address)
}

fn start(limits: TcpLimits) -> (Serving, SocketAddr, Publisher) {
    let (publisher, reader) = Publisher::new(lab_world());
    let (serving, address) = start_with(&reader, UdpPath::default(), limits);
    (serving, address, publisher)
}

fn query(id: u16, name: &str, record_type: HickoryType) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(HickoryName::from_ascii(name).unwrap(), record_type));
    message
}

fn www(id: u16) -> Vec<u8> {
    query(id, "www.lab.test.", HickoryType::A).to_vec().unwrap()
}

fn ask_udp(server: SocketAddr, packet: &[u8], timeout: Duration) -> Option<Vec<u8>> {
    let client = UdpSocket::bind(loopback()).unwrap();
    client.connect(server).unwrap();
    client.set_read_timeout(Some(timeout)).unwrap();
    client.send(packet).unwrap();
    let mut buffer = [0; 65535];
    client.recv(&mut buffer).ok().map(|octets| buffer[..octets].to_vec())
}

fn with_length(packet: &[u8]) -> Vec<u8> {
    [&u16::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat()
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn read_message(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).unwrap();
    message
}

fn ask_tcp(stream: &mut TcpStream, packet: &[u8]) -> Message {
    stream.write_all(&with_length(packet)).unwrap();
    Message::from_vec(&read_message(stream)).unwrap()
}

/// Whether the other side closed the connection in time.
fn is_hung_up(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(octets) => octets == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn lines(records: &[Record]) -> Vec<String> {
    let mut lines: Vec<_> = records.iter().map(|record| format!("{record} {:?}", record.dns_class)).collect();
    lines.sort();
    lines
}

/// A message as lines, without the order of values.
fn decoded(bytes: &[u8]) -> Vec<String> {
    let message = Message::from_vec(bytes).unwrap();
    let mut out = vec![format!("{:?}", message.metadata), format!("{:?} {:?}", message.queries, message.edns)];
    for section in [&message.answers, &message.authorities, &message.additionals] {
        out.extend(lines(section));
        out.push("--".to_owned());
    }
    out
}

fn queries_of_all_kinds() -> Vec<Vec<u8>> {
    let names =
        ["lab.test.", "wWw.Lab.test.", "alias.lab.test.", "x.child.lab.test.", "nowhere.lab.test.", "many.lab.test."];
    let names = names.into_iter().chain(["_sip._tcp.lab.test.", "elsewhere.example."]);
    let types =
        [HickoryType::A, HickoryType::MX, HickoryType::SRV, HickoryType::TXT, HickoryType::AXFR, HickoryType::ANY];
    let mut messages: Vec<_> = names.flat_map(|name| types.map(|record_type| query(7, name, record_type))).collect();
    let plain = messages.clone();
    messages.extend(plain.into_iter().zip([512, 1232, 4096].into_iter().cycle()).map(|(mut message, payload)| {
        let mut edns = Edns::new();
        edns.set_max_payload(payload).set_dnssec_ok(true);
        edns.options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), vec![]));
        edns.options_mut().insert(EdnsOption::Subnet(HickorySubnet::new("10.53.1.0".parse().unwrap(), 24, 0)));
        message.set_edns(edns);
        message
    }));
    let mut version = messages.last().unwrap().clone();
    version.edns.as_mut().unwrap().set_version(3);
    let mut update = query(8, "lab.test.", HickoryType::SOA);
    update.metadata.op_code = OpCode::Notify;
    let mut chaos = query(9, "version.bind.", HickoryType::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    messages.extend([version, update, chaos]);
    messages.iter().map(|message| message.to_vec().unwrap()).collect()
}

#[test]
fn both_ways_of_serving_udp_give_the_same_answers() {
    let (_publisher, reader) = Publisher::new(lab_world());
    let (batched, batched_address) = start_with(&reader, UdpPath::default(), TcpLimits::default());
    let (portable, portable_address) = start_with(&reader, UdpPath::Portable, TcpLimits::default());
    let queries = queries_of_all_kinds();
    for packet in &queries {
        let [ours, theirs] =
            [batched_address, portable_address].map(|address| ask_udp(address, packet, LONG).expect("a response"));
        assert_eq!(decoded(&ours), decoded(&theirs), "{:?}", Message::from_vec(packet));
    }
    let response = Message::response(1, OpCode::Query).to_vec().unwrap();
    for address in [batched_address, portable_address] {
        assert_eq!(ask_udp(address, &response, Duration::from_millis(50)), None);
    }
    for serving in [batched, portable] {
        let totals = serving.totals();
        assert_eq!(totals.udp_queries - totals.dropped, queries.len() as u64);
        assert_eq!(totals.responses.iter().sum::<u64>(), queries.len() as u64);
        assert!(totals.truncated > 0 && totals.failures == 0, "{totals:?}");
        serving.stop();
    }
}

/// A query that hickory-proto can write: any name in or outside the zone in any case, any type, any
/// mixture of options.
fn random_query(rng: &mut fastrand::Rng) -> Message {
    const LABELS: [&str; 10] = ["www", "mail", "alias", "child", "ns", "many", "_sip", "_tcp", "nowhere", "x"];
    const ZONES: [&str; 4] = ["lab.test.", "lab.test.", "lab.test.", "example."];
    let labels = (0..rng.usize(..4)).map(|_| format!("{}.", rng.choice(LABELS).unwrap())).collect::<String>();
    let name = labels + rng.choice(ZONES).unwrap();
    let name: String =
        name.chars().map(|letter| if rng.bool() { letter.to_ascii_uppercase() } else { letter }).collect();
    let highest = if rng.bool() { 260 } else { 30 };
    let record_type = HickoryType::from(rng.u16(1..highest));
    let mut message = query(rng.u16(..), &name, record_type);
    message.metadata.recursion_desired = rng.bool();
    message.metadata.checking_disabled = rng.bool();
    if rng.u8(..4) > 0 {
        let mut edns = Edns::new();
        edns.set_max_payload(rng.u16(..5000)).set_dnssec_ok(rng.bool()).set_version(u8::from(rng.u8(..20) == 0));
        if rng.bool() {
            edns.options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), vec![]));
        }
        if rng.bool() {
            // Bits beyond the prefix are for FORMERR, the scope of a query as well (RFC 7871
            // sections 6 and 7.1.2).
            let (address, longest): (IpAddr, u8) = match rng.bool() {
                true => (Ipv4Addr::from(rng.u32(..)).into(), 32),
                false => (Ipv6Addr::from(rng.u128(..)).into(), 128),
            };
            let (prefix, scope) = (rng.u8(..=longest), if rng.u8(..8) == 0 { 24 } else { 0 });
            edns.options_mut().insert(EdnsOption::Subnet(HickorySubnet::new(address, prefix, scope)));
        }
        message.set_edns(edns);
    }
    message
}

#[test]
fn both_ways_of_serving_udp_give_the_same_answers_to_random_queries() {
    let (_publisher, reader) = Publisher::new(lab_world());
    let (batched, batched_address) = start_with(&reader, UdpPath::default(), TcpLimits::default());
    let (portable, portable_address) = start_with(&reader, UdpPath::Portable, TcpLimits::default());
    let mut rng = fastrand::Rng::with_seed(53);
    let mut codes = std::collections::BTreeMap::new();
    for _ in 0..2000 {
        let packet = random_query(&mut rng).to_vec().unwrap();
        let [ours, theirs] =
            [batched_address, portable_address].map(|address| ask_udp(address, &packet, LONG).expect("a response"));
        assert_eq!(decoded(&ours), decoded(&theirs), "{:?}", Message::from_vec(&packet));
        *codes.entry(Message::from_vec(&ours).unwrap().metadata.response_code.to_string()).or_insert(0) += 1;
    }
    // NOERROR, FORMERR, NXDOMAIN, REFUSED and BADVERS: all are among them.
    assert!(codes.len() >= 5 && codes.values().all(|&count| count > 10), "{codes:?}");
    for serving in [batched, portable] {
        serving.stop();
    }
}

#[test]
fn many_clients_are_answered_by_several_workers() {
    let (serving, address, _publisher) = start(TcpLimits::default());
    let clients: Vec<UdpSocket> = (0..50).map(|_| UdpSocket::bind(loopback()).unwrap()).collect();
    for (id, client) in (0..).zip(&clients) {
        client.send_to(&www(id), address).unwrap();
    }
    for (id, client) in (0..).zip(&clients) {
        client.set_read_timeout(Some(LONG)).unwrap();
        let mut buffer = [0; 512];
        let octets = client.recv(&mut buffer).unwrap();
        let response = Message::from_vec(&buffer[..octets]).unwrap();
        assert_eq!((response.id, response.answers.len()), (id, 3));
    }
    serving.stop();
}

/// RFC 7828: the client asks how long its connection may be idle. Over UDP the option is ignored.
#[test]
fn a_client_over_tcp_learns_the_idle_timeout() {
    const KEEPALIVE: u16 = 11;
    let (_serving, address, _publisher) = start(TcpLimits::default());
    let mut asked = query(1, "www.lab.test.", HickoryType::A);
    let timeout = |response: &Message| match response.edns.as_ref()?.option(EdnsCode::Keepalive) {
        Some(EdnsOption::Unknown(KEEPALIVE, timeout)) => Some(timeout.clone()),
        _ => None,
    };
    asked.set_edns(Edns::new());
    assert_eq!(timeout(&ask_tcp(&mut connect(address), &asked.to_vec().unwrap())), None);
    asked.edns.as_mut().unwrap().options_mut().insert(EdnsOption::Unknown(KEEPALIVE, Vec::new()));
    let packet = asked.to_vec().unwrap();
    assert_eq!(timeout(&ask_tcp(&mut connect(address), &packet)), Some(100u16.to_be_bytes().to_vec()));
    let over_udp = Message::from_vec(&ask_udp(address, &packet, LONG).unwrap()).unwrap();
    assert_eq!((timeout(&over_udp), over_udp.answers.len()), (None, 3));
}

#[test]
fn what_is_truncated_over_udp_is_whole_over_tcp() {
    let (serving, address, _publisher) = start(TcpLimits::default());
    let packet = query(1, "many.lab.test.", HickoryType::A).to_vec().unwrap();
    let truncated = Message::from_vec(&ask_udp(address, &packet, LONG).unwrap()).unwrap();
    assert!(truncated.truncation && truncated.answers.is_empty());
    let whole = ask_tcp(&mut connect(address), &packet);
    assert!(!whole.truncation && whole.answers.len() == 120);
    serving.stop();
}

#[test]
fn pipelined_queries_are_answered_in_order_however_they_are_cut() {
    let (serving, address, _publisher) = start(TcpLimits::default());
    let stream_of_queries: Vec<u8> = (0..20).flat_map(|id| with_length(&www(id))).collect();
    for step in [1, 7, 100, stream_of_queries.len()] {
        let mut stream = connect(address);
        stream.set_nodelay(true).unwrap();
        stream_of_queries.chunks(step).for_each(|chunk| stream.write_all(chunk).unwrap());
        for id in 0..20 {
            assert_eq!(Message::from_vec(&read_message(&mut stream)).unwrap().id, id);
        }
    }
    serving.stop();
}

#[test]
fn a_client_that_reads_late_gets_every_response() {
    let (serving, address, _publisher) = start(TcpLimits::default());
    let mut stream = connect(address);
    let packet = with_length(&query(1, "many.lab.test.", HickoryType::A).to_vec().unwrap());
    // 3000 responses of 2 kB: more than the sockets' buffers hold.
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || (0..3000).for_each(|_| writer.write_all(&packet).unwrap()));
    sleep(Duration::from_millis(100));
    for _ in 0..3000 {
        assert_eq!(Message::from_vec(&read_message(&mut stream)).unwrap().answers.len(), 120);
    }
    writing.join().unwrap();
    serving.stop();
}

#[test]
fn idle_and_slow_clients_are_hung_up_on() {
    let timeout = Duration::from_millis(200);
    let (serving, address, _publisher) = start(TcpLimits { idle_timeout: timeout, ..TcpLimits::default() });
    let mut idle = connect(address);
    let mut slow = connect(address);
    slow.write_all(b"\0").unwrap();
    let mut endless = connect(address);
    endless.write_all(b"\xff\xff").unwrap();
    let begin = Instant::now();
    assert!(is_hung_up(&mut endless) && is_hung_up(&mut idle) && is_hung_up(&mut slow));
    assert!(begin.elapsed() < LONG);
    serving.stop();
}

#[test]
fn messages_without_an_answer_keep_no_connection_open() {
    let timeout = Duration::from_millis(500);
    let (serving, address, _publisher) = start(TcpLimits { idle_timeout: timeout, ..TcpLimits::default() });
    let mut response = www(1);
    response[2] |= 0x80;
    let family: [&[u8]; 4] = [b"", b"noise", &[0; 11], &response];
    for message in family {
        let mut stream = connect(address);
        let packet = with_length(message);
        // The client never stops sending: only the deadline can end this, and no answer is ever
        // sent.
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || while writer.write_all(&packet).is_ok() {});
        let begin = Instant::now();
        assert!(is_hung_up(&mut stream), "{message:?}");
        assert!(begin.elapsed() < LONG, "{message:?}");
        writing.join().unwrap();
    }
    // A client that keeps sending queries is not disconnected, though each pause is most of the
    // deadline.
    let mut stream = connect(address);
    for _ in 0..4 {
        sleep(timeout * 6 / 10);
        stream.write_all(&with_length(b"")).unwrap();
        assert_eq!(ask_tcp(&mut stream, &www(1)).answers.len(), 3);
    }
    serving.stop();
}

#[test]
fn a_newcomer_takes_the_place_of_who_was_idle_longest() {
    let (serving, address, _publisher) = start(TcpLimits { most_connections: 2, ..TcpLimits::default() });
    let mut oldest = connect(address);
    ask_tcp(&mut oldest, &www(1));
    let mut older = connect(address);
    ask_tcp(&mut older, &www(2));
    ask_tcp(&mut oldest, &www(3));
    let mut newcomer = connect(address);
    ask_tcp(&mut newcomer, &www(4));
    assert!(is_hung_up(&mut older));
    ask_tcp(&mut oldest, &www(5));
    serving.stop();
}

#[test]
fn one_client_has_its_share_of_connections_and_no_more() {
    let (serving, address, _publisher) = start(TcpLimits { most_per_client: 2, ..TcpLimits::default() });
    let mut streams = [connect(address), connect(address)];
    streams.iter_mut().for_each(|stream| assert_eq!(ask_tcp(stream, &www(1)).answers.len(), 3));
    assert!(is_hung_up(&mut connect(address)));
    streams.iter_mut().for_each(|stream| assert_eq!(ask_tcp(stream, &www(2)).answers.len(), 3));
    drop(streams);
    // The slots are free as soon as the server has seen the end.
    let begin = Instant::now();
    while is_hung_up_at_once(address) {
        assert!(begin.elapsed() < LONG);
        sleep(Duration::from_millis(10));
    }
    serving.stop();
}

fn is_hung_up_at_once(address: SocketAddr) -> bool {
    let mut stream = connect(address);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    is_hung_up(&mut stream)
}

#[test]
fn at_the_end_queries_under_way_are_answered_and_idle_connections_closed() {
    let (serving, address, _publisher) = start(TcpLimits::default());
    let mut idle = connect(address);
    ask_tcp(&mut idle, &www(1));
    let mut busy = connect(address);
    ask_tcp(&mut busy, &www(2));
    let packet = with_length(&www(3));
    busy.write_all(&packet[..10]).unwrap();
    sleep(Duration::from_millis(100));
    let stopping = std::thread::spawn(move || serving.stop());
    assert!(is_hung_up(&mut idle));
    busy.write_all(&packet[10..]).unwrap();
    assert_eq!(Message::from_vec(&read_message(&mut busy)).unwrap().id, 3);
    assert!(is_hung_up(&mut busy));
    stopping.join().unwrap();
    assert!(TcpStream::connect(address).is_err());
    UdpSocket::bind(address).unwrap();
}

#[test]
fn sleepers_let_go_of_an_old_world_and_the_next_query_sees_the_new_one() {
    for path in [UdpPath::Batched, UdpPath::Portable] {
        let (publisher, reader) = Publisher::new(world(&[lab([])], &[]));
        let (serving, address) = start_with(&reader, path, TcpLimits::default());
        let answers = || Message::from_vec(&ask_udp(address, &www(1), LONG).unwrap()).unwrap().answers.len();
        assert_eq!(answers(), 0);
        let old = std::sync::Arc::downgrade(&reader.load());
        publisher.publish(lab_world());
        let begin = Instant::now();
        while old.strong_count() > 0 {
            assert!(begin.elapsed() < LONG, "{path:?} keeps the old world");
            sleep(Duration::from_millis(10));
        }
        assert_eq!(answers(), 3);
        serving.stop();
    }
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind(quiet_loopback()).unwrap();
    let address = taken.local_addr().unwrap();
    let error = Bound::check(&[quiet_loopback(), address], 1, UdpPath::default()).unwrap_err();
    assert_eq!((error.address, error.transport), (address, Transport::Tcp));
    assert!(error.to_string().starts_with(&format!("cannot listen on {address} (TCP): ")), "{error}");
    assert!(error.hint.unwrap().contains("another program"));
    let taken = UdpSocket::bind(quiet_loopback()).unwrap();
    let address = taken.local_addr().unwrap();
    let error = Bound::bind(&[address], 2, UdpPath::default()).unwrap_err();
    assert_eq!((error.address, error.transport), (address, Transport::Udp));
    let second = Bound::bind(&[quiet_loopback()], 2, UdpPath::default()).unwrap();
    assert!(Bound::bind(&second.addresses(), 2, UdpPath::default()).is_err());
}
