//! Lookups against name servers on loopback that answer, fail, forge or stay silent by name.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::system::Sources;
use super::*;
use AddressFamily::{Ipv4, Ipv6};

/// No test waits for as long.
const PATIENT: Duration = Duration::from_secs(60);

/// How often each name was asked for over UDP, and from which ports.
type Asked = (HashMap<String, usize>, Vec<u16>);

/// A name server. The first label of a name says what it does.
struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<Asked>>,
    _serving: JoinSet<()>,
}

/// One port for UDP and TCP. A free port for one may be taken for the other.
async fn same_port(listen: &str) -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind(listen).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port of {listen} is free for both UDP and TCP");
}

impl Upstream {
    /// Gives out `address`.
    async fn start(listen: &str, answer: Ipv4Addr) -> Upstream {
        let (udp, tcp) = same_port(listen).await;
        let address = udp.local_addr().unwrap();
        let asked = Arc::<Mutex<Asked>>::default();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut query = vec![0; stream.read_u16().await.unwrap().into()];
                stream.read_exact(&mut query).await.unwrap();
                let response = respond(&Message::from_vec(&query).unwrap(), answer).to_vec().unwrap();
                stream.write_u16(response.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&response).await.unwrap();
            }
        });
        let counted = Arc::clone(&asked);
        serving.spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let Ok((length, from)) = udp.recv_from(&mut buffer).await else { continue };
                let query = Message::from_vec(&buffer[..length]).unwrap();
                {
                    let mut counted = counted.lock().unwrap();
                    *counted.0.entry(query.queries[0].name.to_ascii()).or_default() += 1;
                    counted.1.push(from.port());
                }
                for response in datagrams(&query, answer) {
                    udp.send_to(&response, from).await.unwrap();
                }
            }
        });
        Upstream { address, asked, _serving: serving }
    }

    fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().0.get(name).copied().unwrap_or_default()
    }
}

fn label(query: &Message) -> String {
    query.queries[0].name.to_ascii().split(['.', '-']).next().unwrap().to_owned()
}

/// What comes over UDP: nothing, lies before the truth, or one response.
fn datagrams(query: &Message, answer: Ipv4Addr) -> Vec<Vec<u8>> {
    let mut response = respond(query, answer);
    match label(query).as_str() {
        "hung" => vec![],
        "big" => {
            response.answers.clear();
            response.metadata.truncation = true;
            vec![response.to_vec().unwrap()]
        }
        "forged" => {
            let lie = respond(query, Ipv4Addr::new(203, 0, 113, 66));
            let mut other_id = lie.clone();
            other_id.metadata.id = other_id.metadata.id.wrapping_add(1);
            let mut other_question = lie.clone();
            other_question.queries[0].name = Name::from_ascii("other.test.").unwrap();
            let no_response = query.clone();
            [other_id, other_question, no_response, response].map(|message| message.to_vec().unwrap()).to_vec()
        }
        _ => vec![response.to_vec().unwrap()],
    }
}

fn respond(query: &Message, answer: Ipv4Addr) -> Message {
    let question = query.queries[0].clone();
    let mut response = Message::response(query.metadata.id, OpCode::Query);
    response.metadata.recursion_available = true;
    response.add_query(question.clone());
    let is_v4 = question.query_type == RecordType::A;
    let record = |name: &Name, ttl| match is_v4 {
        true => Record::from_rdata(name.clone(), ttl, RData::A(A(answer))),
        false => Record::from_rdata(name.clone(), ttl, RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))),
    };
    match label(query).as_str() {
        "missing" => response.metadata.response_code = ResponseCode::NXDomain,
        "servfail" => response.metadata.response_code = ResponseCode::ServFail,
        "refused" => response.metadata.response_code = ResponseCode::Refused,
        "lame" => response.metadata.recursion_available = false,
        "v6only" if is_v4 => {}
        "alias" => {
            let target = Name::from_ascii("target.test.").unwrap();
            let alias = RData::CNAME(CNAME(target.clone()));
            response.add_answers([record(&target, 9), Record::from_rdata(question.name.clone(), 1, alias)]);
        }
        "loop" => {
            let alias = RData::CNAME(CNAME(question.name.clone()));
            response.add_answer(Record::from_rdata(question.name.clone(), 1, alias));
        }
        "changing" => drop(response.add_answer(record(&question.name, 0))),
        _ => drop(response.add_answer(record(&question.name, 3600))),
    }
    response
}

const ANSWER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

async fn upstream() -> Upstream {
    Upstream::start("127.0.0.1:0", ANSWER).await
}

/// A machine with such files.
fn machine(directory: &Path, resolv_conf: &str, hosts: &str, port: u16) -> Resolver {
    let sources = Sources { resolv_conf: directory.join("resolv.conf"), hosts: directory.join("hosts"), port };
    std::fs::write(&sources.resolv_conf, resolv_conf).unwrap();
    std::fs::write(&sources.hosts, hosts).unwrap();
    Resolver::new(sources)
}

fn asking(upstream: &Upstream) -> (TempDir, Resolver) {
    let directory = tempfile::tempdir().unwrap();
    let resolv_conf = format!("nameserver {}\nsearch lab.test\n", upstream.address.ip());
    let hosts = "192.0.2.77 listed.test listed\n";
    let resolver = machine(directory.path(), &resolv_conf, hosts, upstream.address.port());
    (directory, resolver)
}

async fn address(resolver: &Resolver, name: &str, family: AddressFamily) -> Result<String, NoAddress> {
    resolver.address(&resolver.host(name, family), PATIENT).await.map(|address| address.to_string())
}

#[tokio::test]
async fn names_have_the_addresses_that_the_machine_knows() {
    let upstream = upstream().await;
    let (_directory, resolver) = asking(&upstream);
    let answer = ANSWER.to_string();
    for (name, family, expected) in [
        ("web.test", Ipv4, answer.as_str()),
        ("WEB.test.", Ipv4, &answer),
        ("web_1.test", Ipv6, "2001:db8::1"),
        ("alias.test", Ipv4, &answer),
        ("forged.test", Ipv4, &answer),
        ("listed.test", Ipv4, "192.0.2.77"),
        ("Listed", Ipv4, "192.0.2.77"),
        ("localhost", Ipv4, "127.0.0.1"),
        ("localhost", Ipv6, "::1"),
        ("127.0.0.1", Ipv4, "127.0.0.1"),
        ("::1", Ipv6, "::1"),
    ] {
        assert_eq!(address(&resolver, name, family).await.as_deref(), Ok(expected), "{name} {family:?}");
    }
    // The search domain comes first for a short name, the hosts file before everything.
    address(&resolver, "web", Ipv4).await.unwrap();
    let asked = ["web.lab.test.", "web.", "listed.test.", "listed.lab.test."].map(|name| upstream.asked(name));
    assert_eq!(asked, [1, 0, 0, 0]);
}

#[tokio::test]
async fn what_does_not_fit_into_udp_comes_over_tcp() {
    let upstream = upstream().await;
    let (_directory, resolver) = asking(&upstream);
    assert_eq!(address(&resolver, "big.test", Ipv4).await, Ok(ANSWER.to_string()));
}

#[tokio::test]
async fn a_missing_address_differs_from_a_failing_resolver() {
    let upstream = upstream().await;
    let (directory, resolver) = asking(&upstream);
    let none = |why: &str| Err(NoAddress::None(why.to_owned()));
    assert_eq!(address(&resolver, "missing.test", Ipv4).await, none("the name missing.test does not exist"));
    assert_eq!(address(&resolver, "v6only.test", Ipv4).await, none("v6only.test has no IPv4 address"));
    assert_eq!(address(&resolver, "loop.test", Ipv4).await, none("loop.test has no IPv4 address"));
    assert_eq!(address(&resolver, "192.0.2.1", Ipv6).await, none("192.0.2.1 has no IPv6 address"));
    assert!(matches!(address(&resolver, "no\0name", Ipv4).await, Err(NoAddress::None(_))));
    for name in ["servfail.test", "refused.test", "lame.test"] {
        let failed = address(&resolver, name, Ipv4).await;
        assert!(matches!(&failed, Err(NoAddress::NoResponse(why)) if why.contains("127.0.0.1")), "{name}: {failed:?}");
    }
    let closed_port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let resolver = machine(directory.path(), "", "", closed_port);
    assert!(matches!(address(&resolver, "web.test", Ipv4).await, Err(NoAddress::NoResponse(_))));
    let silent = resolver.host("hung.test", Ipv4);
    let began = Instant::now();
    let (_directory, resolver) = asking(&upstream);
    let silence = resolver.address(&silent, Duration::from_millis(200)).await;
    assert!(matches!(silence, Err(NoAddress::NoResponse(_))) && began.elapsed() < PATIENT);
}

#[tokio::test]
async fn names_that_hang_hold_up_no_other_and_need_few_sockets() {
    let upstream = upstream().await;
    let (_directory, resolver) = asking(&upstream);
    let resolver = Arc::new(resolver);
    let mut hung = JoinSet::new();
    for number in 0..500 {
        let resolver = Arc::clone(&resolver);
        hung.spawn(async move { address(&resolver, &format!("hung-{number}.test"), Ipv4).await });
    }
    while upstream.asked.lock().unwrap().1.len() < 500 {
        sleep(Duration::from_millis(5)).await;
    }
    for number in 0..500 {
        assert_eq!(address(&resolver, &format!("web-{number}.test"), Ipv4).await, Ok(ANSWER.to_string()));
    }
    assert_eq!(hung.try_join_next().map(|_| ()), None, "none of those that hang has ended");
    // All share a socket or two; later there is another one, with another port.
    sleep(Duration::from_millis(1100)).await;
    address(&resolver, "later.test", Ipv4).await.unwrap();
    let mut ports = upstream.asked.lock().unwrap().1.clone();
    ports.sort_unstable();
    ports.dedup();
    assert!((2..50).contains(&ports.len()), "{} sockets", ports.len());
}

#[tokio::test]
async fn an_address_holds_for_its_time_or_until_it_is_of_no_use() {
    let upstream = upstream().await;
    let (_directory, resolver) = asking(&upstream);
    let host = resolver.host("web.test", Ipv4);
    let began = Instant::now();
    resolver.address(&host, PATIENT).await.unwrap();
    resolver.address(&resolver.host("WEB.test", Ipv4), PATIENT).await.unwrap();
    assert!(upstream.asked("web.test.") == 1 || began.elapsed() > LONGEST_USE);
    host.forget();
    resolver.address(&host, PATIENT).await.unwrap();
    assert!(upstream.asked("web.test.") >= 2);
    // Names without a cached address are looked up each time, and so are names no longer in use.
    let changing = resolver.host("changing.test", Ipv4);
    for times in 1..4 {
        resolver.address(&changing, PATIENT).await.unwrap();
        address(&resolver, "short.test", Ipv4).await.unwrap();
        assert_eq!((upstream.asked("changing.test."), upstream.asked("short.test.")), (times, times));
    }
}

#[tokio::test]
async fn who_asks_for_the_same_waits_for_the_same_response() {
    let upstream = upstream().await;
    let (_directory, resolver) = asking(&upstream);
    let host = resolver.host("hung.test", Ipv4);
    let first = Duration::from_millis(300);
    // One that has given up leaves the lookup to the others.
    let gone = tokio::time::timeout(Duration::from_millis(50), resolver.address(&host, first));
    let (gone, one, two) = tokio::join!(gone, resolver.address(&host, first), resolver.address(&host, first));
    assert!(gone.is_err() && one.is_err() && one == two);
    assert!((1..=2).contains(&upstream.asked("hung.test.")), "{}", upstream.asked("hung.test."));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_name_server_answers_for_one_that_does_not() {
    // Another program may use the port at the second address.
    let (one, port) = loop {
        let one = upstream().await;
        let port = one.address.port();
        if UdpSocket::bind(("127.0.0.2", port)).await.is_ok() {
            break (one, port);
        }
    };
    let other = Ipv4Addr::new(192, 0, 2, 2);
    let two = Upstream::start(&format!("127.0.0.2:{port}"), other).await;
    let directory = tempfile::tempdir().unwrap();
    let both = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
    let resolver = machine(directory.path(), both, "", port);
    // Both fail: no answer, at once.
    let began = Instant::now();
    assert!(address(&resolver, "servfail.test", Ipv4).await.is_err());
    assert_eq!((one.asked("servfail.test."), two.asked("servfail.test.")), (1, 1));
    assert!(began.elapsed() < PATIENT);
    // The first is gone: the second answers, and is asked first from then on.
    drop(one);
    for number in 0..3 {
        let name = format!("web-{number}.test");
        assert_eq!(address(&resolver, &name, Ipv4).await, Ok(other.to_string()));
    }
    // The first is silent: the second is asked after a second, while the first is waited for.
    let silent = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    let resolver = machine(directory.path(), both, "", port);
    assert_eq!(address(&resolver, "web.test", Ipv4).await, Ok(other.to_string()));
    drop(silent);
}

#[tokio::test]
async fn edits_of_the_files_are_noticed() {
    let upstream = upstream().await;
    let directory = tempfile::tempdir().unwrap();
    let resolver =
        machine(directory.path(), "search nowhere.test\nnameserver 127.0.0.1\n", "", upstream.address.port());
    let name = "listed.test";
    let is = async |expected: &str| {
        let began = Instant::now();
        while address(&resolver, name, Ipv4).await.as_deref() != Ok(expected) {
            assert!(began.elapsed() < PATIENT, "{expected}");
            sleep(Duration::from_millis(20)).await;
        }
    };
    is("192.0.2.1").await;
    std::fs::write(directory.path().join("hosts"), "192.0.2.88 listed.test\n").unwrap();
    is("192.0.2.88").await;
    std::fs::remove_file(directory.path().join("hosts")).unwrap();
    is("192.0.2.1").await;
    // What an earlier name server has said holds no longer.
    let host = resolver.host("short", Ipv4);
    resolver.address(&host, PATIENT).await.unwrap();
    assert_eq!(upstream.asked("short.nowhere.test."), 1);
    std::fs::write(directory.path().join("resolv.conf"), "search lab.test\nnameserver 127.0.0.1\n# edited\n").unwrap();
    let began = Instant::now();
    while upstream.asked("short.lab.test.") == 0 {
        resolver.address(&host, PATIENT).await.unwrap();
        assert!(began.elapsed() < PATIENT);
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_name_without_a_response_is_asked_for_less_often() {
    let pauses = [1, 2, 3, 4, 5, 6, 7, 8, 9, 99].map(|unanswered| back_off(unanswered).as_secs());
    assert_eq!(pauses, [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
}
