//! Responses as text in the form of `dig`, as values only, and as JSON.
//!
//! Names and character strings are written as Route 53 writes them, with **octal** escapes: what is
//! printed here can go into a zone file.

use std::fmt::Write as _;
use std::net::SocketAddr;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, Record};
use serde_json::{Value, json};

use crate::model::RecordType;
use crate::requestor::Transport;

use super::exchange::Reply;

/// A response in the form of `dig`.
pub(super) fn text(reply: &Reply, server: SocketAddr, asked: &str) -> String {
    let message = &reply.message;
    let mut out = format!("; <<>> fiftythree {} <<>> {asked}\n", env!("CARGO_PKG_VERSION"));
    if reply.was_truncated {
        out.push_str(";; Truncated, retrying in TCP mode.\n");
    }
    header(&mut out, message);
    if let Some(edns) = &message.edns {
        opt(&mut out, edns);
    }
    out.push_str(";; QUESTION SECTION:\n");
    for query in &message.queries {
        let (name, class, code) = (name(query.name()), class(query.query_class()), query.query_type().into());
        let _ = writeln!(out, ";{name}\t\t\t{class}\t{}", type_name(code));
    }
    section(&mut out, "ANSWER", &message.answers);
    section(&mut out, "AUTHORITY", &message.authorities);
    section(&mut out, "ADDITIONAL", &message.additionals);
    let (address, port, transport) = (server.ip(), server.port(), reply.transport);
    let _ = writeln!(out, "\n;; Query time: {:.1} msec", milliseconds(reply));
    let _ = writeln!(out, ";; SERVER: {address}#{port}({address}) ({transport})");
    let _ = writeln!(out, ";; MSG SIZE  rcvd: {}", reply.bytes);
    out
}

fn header(out: &mut String, message: &Message) {
    let metadata = &message.metadata;
    let (code, status) = (op_code(metadata.op_code), status(metadata.response_code));
    let _ = writeln!(out, ";; ->>HEADER<<- opcode: {code}, status: {status}, id: {}", metadata.id);
    let additional = message.additionals.len() + usize::from(message.edns.is_some());
    let _ = writeln!(
        out,
        ";; flags: {}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {additional}\n",
        flags(metadata).join(" "),
        message.queries.len(),
        message.answers.len(),
        message.authorities.len(),
    );
}

fn opt(out: &mut String, edns: &Edns) {
    let dnssec_ok = if edns.flags().dnssec_ok { " do" } else { "" };
    let (version, size) = (edns.version(), edns.max_payload());
    let _ = writeln!(out, ";; OPT PSEUDOSECTION:\n; EDNS: version: {version}, flags:{dnssec_ok}; udp: {size}");
    for (code, option) in &edns.options().options {
        let _ = match option {
            EdnsOption::Subnet(subnet) => writeln!(out, "; CLIENT-SUBNET: {}", client_subnet(subnet)),
            EdnsOption::NSID(id) => writeln!(out, "; NSID: {} (\"{}\")", hex(id.as_ref()), escape(id.as_ref())),
            EdnsOption::Unknown(code, bytes) => writeln!(out, "; OPT={code}: {}", hex(bytes)),
            _ => writeln!(out, "; OPT={}", u16::from(*code)),
        };
    }
}

fn section(out: &mut String, title: &str, records: &[Record]) {
    if records.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n;; {title} SECTION:");
    for record in records {
        let (owner, class, code) = (name(&record.name), class(record.dns_class), record.record_type().into());
        let _ = writeln!(out, "{owner}\t{}\t{class}\t{}\t{}", record.ttl, type_name(code), data(&record.data));
    }
}

/// Only the values of the answer section, one per line.
pub(super) fn short(reply: &Reply) -> String {
    reply.message.answers.iter().fold(String::new(), |out, record| out + &data(&record.data) + "\n")
}

/// The whole response as one JSON object.
pub(super) fn json(reply: &Reply, server: SocketAddr) -> Value {
    let message = &reply.message;
    let metadata = &message.metadata;
    let question = message.queries.iter().map(
        |query| json!({ "name": name(query.name()), "type": type_name(query.query_type().into()), "class": class(query.query_class()) }),
    );
    json!({
        "server": server.to_string(),
        "transport": match reply.transport { Transport::Udp => "udp", Transport::Tcp => "tcp" },
        "query_time_ms": milliseconds(reply),
        "size": reply.bytes,
        "id": metadata.id,
        "opcode": op_code(metadata.op_code),
        "status": status(metadata.response_code),
        "flags": flags(metadata),
        "edns": message.edns.as_ref().map(edns_json),
        "question": question.collect::<Vec<_>>(),
        "answer": records_json(&message.answers),
        "authority": records_json(&message.authorities),
        "additional": records_json(&message.additionals),
    })
}

fn edns_json(edns: &Edns) -> Value {
    let mut value = json!({ "version": edns.version(), "udp": edns.max_payload() });
    for (_, option) in &edns.options().options {
        match option {
            EdnsOption::Subnet(subnet) => value["client_subnet"] = client_subnet(subnet).into(),
            EdnsOption::NSID(id) => value["nsid"] = escape(id.as_ref()).into(),
            _ => {}
        }
    }
    value
}

fn records_json(records: &[Record]) -> Vec<Value> {
    let record = |record: &Record| {
        let (code, class) = (record.record_type().into(), class(record.dns_class));
        json!({ "name": name(&record.name), "ttl": record.ttl, "class": class, "type": type_name(code), "data": data(&record.data) })
    };
    records.iter().map(record).collect()
}

/// The answer in one line that does not depend on the order of its records, for counting.
pub(crate) fn outcome(reply: &Reply) -> String {
    let mut values: Vec<String> = reply.message.answers.iter().map(|record| data(&record.data)).collect();
    values.sort_unstable();
    no_records(reply).map_or_else(|| values.join(", "), |why| format!("({why})"))
}

/// The response code of a response without an answer.
pub(super) fn no_records(reply: &Reply) -> Option<String> {
    let Message { answers, metadata, .. } = &reply.message;
    match metadata.response_code {
        _ if !answers.is_empty() => None,
        ResponseCode::NoError => Some("NOERROR, no records".to_owned()),
        code => Some(status(code)),
    }
}

fn milliseconds(reply: &Reply) -> f64 {
    reply.elapsed.as_secs_f64() * 1000.0
}

fn client_subnet(subnet: &ClientSubnet) -> String {
    format!("{}/{}/{}", subnet.addr(), subnet.source_prefix(), subnet.scope_prefix())
}

fn flags(metadata: &Metadata) -> Vec<&'static str> {
    [
        (metadata.message_type == MessageType::Response, "qr"),
        (metadata.authoritative, "aa"),
        (metadata.truncation, "tc"),
        (metadata.recursion_desired, "rd"),
        (metadata.recursion_available, "ra"),
        (metadata.authentic_data, "ad"),
        (metadata.checking_disabled, "cd"),
    ]
    .into_iter()
    .filter_map(|(set, name)| set.then_some(name))
    .collect()
}

fn op_code(code: OpCode) -> String {
    match code {
        OpCode::Unknown(number) => format!("OPCODE{number}"),
        known => known.to_string(),
    }
}

/// The names `dig` prints (IANA, DNS RCODEs).
fn status(code: ResponseCode) -> String {
    match u16::from(code) {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        other => return format!("RCODE{other}"),
    }
    .to_owned()
}

fn class(class: DNSClass) -> String {
    match class {
        DNSClass::IN => "IN".to_owned(),
        other => other.to_string(),
    }
}

/// The mnemonic of Route 53's types, of a few that only questions have, or the form of RFC 3597
/// section 5.
pub(crate) fn type_name(code: u16) -> String {
    match (RecordType::from_code(code), code) {
        (Some(known), _) => known.to_string(),
        (None, 251) => "IXFR".to_owned(),
        (None, 252) => "AXFR".to_owned(),
        (None, 255) => "ANY".to_owned(),
        (None, other) => format!("TYPE{other}"),
    }
}

fn name(name: &Name) -> String {
    if name.is_root() {
        return ".".to_owned();
    }
    name.iter().fold(String::new(), |out, label| out + &escape_label(label) + ".")
}

/// As Route 53 prints names: letters, digits, `-` and `_` are printed as they are.
fn escape_label(label: &[u8]) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    escaped(label, plain)
}

/// As Route 53 writes character strings, without the quotes.
fn escape(bytes: &[u8]) -> String {
    escaped(bytes, |octet| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\'))
}

fn escaped(bytes: &[u8], plain: impl Fn(u8) -> bool) -> String {
    bytes.iter().fold(String::new(), |mut out, &octet| {
        let _ = if plain(octet) { write!(out, "{}", char::from(octet)) } else { write!(out, "\\{octet:03o}") };
        out
    })
}

/// Character strings in quotes, with a space between them.
fn strings<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> String {
    strings.into_iter().map(|bytes| format!("\"{}\"", escape(bytes))).collect::<Vec<_>>().join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ")
}

/// The data of a record in Route 53's value syntax.
fn data(data: &RData) -> String {
    match data {
        RData::CNAME(target) => name(&target.0),
        RData::NS(target) => name(&target.0),
        RData::PTR(target) => name(&target.0),
        RData::MX(mx) => format!("{} {}", mx.preference, name(&mx.exchange)),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, name(&srv.target)),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            name(&soa.mname),
            name(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::TXT(txt) => strings(txt.txt_data.iter().map(AsRef::as_ref)),
        RData::CAA(caa) => format!("{} {} {}", caa.flags(), caa.tag, strings([caa.value.as_slice()])),
        RData::NAPTR(naptr) => format!(
            "{} {} {} {}",
            naptr.order,
            naptr.preference,
            strings([&*naptr.flags, &*naptr.services, &*naptr.regexp]),
            name(&naptr.replacement)
        ),
        RData::Unknown { code, rdata } => undecoded(u16::from(*code), &rdata.anything),
        other => other.to_string(),
    }
}

/// Data that the decoder leaves as bytes: SPF and DS are Route 53's, anything else has the form of
/// RFC 3597 section 5.
fn undecoded(code: u16, bytes: &[u8]) -> String {
    let digest = |bytes: &[u8]| bytes.iter().map(|octet| format!("{octet:02X}")).collect::<String>();
    match (RecordType::from_code(code), bytes) {
        (Some(RecordType::Spf), _) => strings(character_strings(bytes)),
        (Some(RecordType::Ds), [tag_high, tag_low, algorithm, kind, rest @ ..]) => {
            format!("{} {algorithm} {kind} {}", u16::from_be_bytes([*tag_high, *tag_low]), digest(rest))
        }
        _ => format!("\\# {} {}", bytes.len(), digest(bytes)),
    }
}

/// Splits data into its character strings (RFC 1035 section 3.3); what is cut off at the end is
/// left out.
fn character_strings(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&length, rest) = bytes.split_first()?;
        let (string, rest) = rest.split_at_checked(usize::from(length))?;
        bytes = rest;
        Some(string)
    })
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;
    use std::time::Duration;

    use hickory_proto::op::Query;
    use hickory_proto::rr::RecordType as WireType;
    use hickory_proto::rr::rdata::opt::NSIDPayload;
    use hickory_proto::rr::rdata::{MX, NULL, TXT};

    use super::*;

    fn wire_name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn reply(values: Vec<RData>) -> Reply {
        let owner = wire_name("app.lab.test.");
        let mut message = Message::response(4660, OpCode::Query);
        message.metadata.authoritative = true;
        message.add_query(Query::query(owner.clone(), WireType::A));
        message.add_answers(values.into_iter().map(|value| Record::from_rdata(owner.clone(), 10, value)));
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        edns.options_mut().insert(EdnsOption::Subnet(ClientSubnet::new([10, 53, 1, 0].into(), 24, 16)));
        edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new(b"lab-1".to_vec()).unwrap()));
        message.set_edns(edns);
        let elapsed = Duration::from_micros(1234);
        Reply { message, bytes: 91, transport: Transport::Udp, elapsed, was_truncated: false }
    }

    fn address(text: &str) -> RData {
        RData::from(std::net::IpAddr::from_str(text).unwrap())
    }

    #[test]
    fn a_response_has_the_form_of_dig() {
        let server = "127.0.0.1:5300".parse().unwrap();
        let text = text(&reply(vec![address("192.0.2.11")]), server, "app.lab.test A");
        let expected = format!(
            "; <<>> fiftythree {} <<>> app.lab.test A
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4660
;; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
; CLIENT-SUBNET: 10.53.1.0/24/16
; NSID: 6c 61 62 2d 31 (\"lab-1\")
;; QUESTION SECTION:
;app.lab.test.\t\t\tIN\tA

;; ANSWER SECTION:
app.lab.test.\t10\tIN\tA\t192.0.2.11

;; Query time: 1.2 msec
;; SERVER: 127.0.0.1#5300(127.0.0.1) (UDP)
;; MSG SIZE  rcvd: 91
",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn json_has_the_same_facts() {
        let json = json(&reply(vec![address("192.0.2.11")]), "127.0.0.1:5300".parse().unwrap());
        assert_eq!(json["status"], "NOERROR");
        assert_eq!(json["flags"], serde_json::json!(["qr", "aa"]));
        assert_eq!(json["edns"]["client_subnet"], "10.53.1.0/24/16");
        assert_eq!(json["answer"][0]["data"], "192.0.2.11");
    }

    #[test]
    fn an_outcome_does_not_depend_on_the_order_of_records() {
        let (one, two) = ("192.0.2.11", "192.0.2.12");
        let expected = "192.0.2.11, 192.0.2.12";
        assert_eq!(outcome(&reply(vec![address(one), address(two)])), expected);
        assert_eq!(outcome(&reply(vec![address(two), address(one)])), expected);
        assert_eq!(outcome(&reply(vec![])), "(NOERROR, no records)");
    }

    #[test]
    fn a_reply_without_an_answer_has_its_response_code() {
        assert_eq!(no_records(&reply(vec![address("192.0.2.11")])), None);
        let mut refused = reply(vec![]);
        assert_eq!(no_records(&refused).unwrap(), "NOERROR, no records");
        refused.message.metadata.response_code = ResponseCode::Refused;
        assert_eq!((no_records(&refused).unwrap().as_str(), short(&refused).as_str()), ("REFUSED", ""));
    }

    #[test]
    fn values_have_route_53s_syntax() {
        let quoted = TXT::from_bytes(vec![b"say \"hi\"".as_slice(), b"\xff*"]);
        let raw = |code, bytes: &[u8]| RData::Unknown { code: WireType::from(code), rdata: NULL::with(bytes.to_vec()) };
        let cases = [
            (RData::TXT(quoted), r#""say \042hi\042" "\377*""#),
            (RData::MX(MX::new(10, wire_name("mail.lab.test."))), "10 mail.lab.test."),
            (RData::CNAME(hickory_proto::rr::rdata::CNAME(wire_name("*.Lab.test."))), r"\052.Lab.test."),
            (raw(99, b"\x06v=spf1\x04-all"), r#""v=spf1" "-all""#),
            (raw(43, b"\x30\x39\x08\x01\xab\xcd"), "12345 8 1 ABCD"),
            (raw(65280, b"\x01"), "\\# 1 01"),
        ];
        for (value, text) in cases {
            assert_eq!(data(&value), text);
        }
    }

    #[test]
    fn a_string_that_is_cut_off_is_left_out() {
        assert_eq!(character_strings(b"\x01a\x05b").collect::<Vec<_>>(), [b"a".as_slice()]);
    }
}
