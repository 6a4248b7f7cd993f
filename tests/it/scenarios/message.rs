//! Queries as bytes, and responses parsed by hickory-proto.

use std::net::IpAddr;

use fiftythree::model::RecordType;
use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use ipnet::IpNet;

use super::format::Step;

/// The id of every query.
const ID: u16 = 0x5353;
const CLASS_IN: u16 = 1;
const TYPE_OPT: u16 = 41;
const OPTION_NSID: u16 = 3;
const OPTION_CLIENT_SUBNET: u16 = 8;
/// The default payload size of a step with a subnet and no `edns`: that of DNS flag day 2020.
const PAYLOAD: u16 = 1232;

/// The query of a step as bytes, and the length of its header and question.
pub(crate) fn query(step: &Step, text: &str) -> Result<(Vec<u8>, usize), String> {
    let (name, record_type) = text.split_once(' ').ok_or("a query is a name and a type")?;
    let has_opt = step.edns.is_some() || step.subnet.is_some();
    let flags = step.opcode.map_or(0, |opcode| opcode as u16) << 11 | u16::from(step.recursion_desired) << 8;
    let mut packet = Vec::new();
    for word in [ID, flags, 1, 0, 0, u16::from(has_opt)] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(wire(name)?);
    packet.extend(type_code(record_type)?.to_be_bytes());
    packet.extend(step.class.map_or(CLASS_IN, |class| class as u16).to_be_bytes());
    let question_end = packet.len();
    if has_opt {
        packet.extend(opt(step));
    }
    Ok((packet, question_end))
}

/// A name in the text format of Route 53 as wire bytes, with its case.
pub(crate) fn wire(text: &str) -> Result<Vec<u8>, String> {
    let mut wire = Vec::new();
    for label in text.strip_suffix('.').unwrap_or(text).split('.').filter(|label| !label.is_empty()) {
        let octets = octets(label).ok_or_else(|| format!("`{label}` is no label"))?;
        wire.push(u8::try_from(octets.len()).map_err(|_| format!("`{label}` is too long"))?);
        wire.extend(octets);
    }
    wire.push(0);
    Ok(wire)
}

fn octets(label: &str) -> Option<Vec<u8>> {
    let (mut octets, mut rest) = (Vec::new(), label.bytes());
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let digits: String = rest.by_ref().take(3).map(char::from).collect();
        octets.push(u8::from_str_radix(&digits, 8).ok()?);
    }
    Some(octets)
}

fn type_code(text: &str) -> Result<u16, String> {
    if let Ok(known) = text.parse::<RecordType>() {
        return Ok(known.code());
    }
    match text {
        "LOC" => Ok(29),
        "DNSKEY" => Ok(48),
        "IXFR" => Ok(251),
        "AXFR" => Ok(252),
        "ANY" => Ok(255),
        _ => text.strip_prefix("TYPE").and_then(|code| code.parse().ok()).ok_or(format!("`{text}` is no type")),
    }
}

/// The OPT record (RFC 6891 section 6.1.2).
fn opt(step: &Step) -> Vec<u8> {
    let mut options = Vec::new();
    if step.edns.is_some_and(|edns| edns.nsid) {
        options.extend(option(OPTION_NSID, &[]));
    }
    if let Some(subnet) = step.subnet {
        options.extend(option(OPTION_CLIENT_SUBNET, &subnet_data(subnet)));
    }
    let (payload, version) = step.edns.map_or((PAYLOAD, 0), |edns| (edns.payload, edns.version));
    let length = u16::try_from(options.len()).expect("options are short");
    let mut opt = vec![0];
    opt.extend(TYPE_OPT.to_be_bytes());
    opt.extend(payload.to_be_bytes());
    opt.extend([0, version, 0, 0]);
    opt.extend(length.to_be_bytes());
    opt.extend(options);
    opt
}

fn option(code: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("options are short");
    [&code.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

/// FAMILY, SOURCE and SCOPE PREFIX-LENGTH, and as much of the ADDRESS as the prefix covers (RFC
/// 7871 section 6).
fn subnet_data(subnet: IpNet) -> Vec<u8> {
    let (family, address) = match subnet.network() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let covered = usize::from(subnet.prefix_len().div_ceil(8));
    [&[0, family, subnet.prefix_len(), 0], &address[..covered]].concat()
}

/// A response.
pub(crate) struct Response {
    /// As parsed by hickory-proto.
    pub(crate) message: Message,
    pub(crate) answers: Vec<Resource>,
    pub(crate) authorities: Vec<Resource>,
    pub(crate) additionals: Vec<Resource>,
}

/// A comparable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Wire form in lower case.
    pub(crate) owner: Vec<u8>,
    pub(crate) ttl: u32,
    pub(crate) type_code: u16,
    /// Wire form, uncompressed; of types that hold names, in lower case.
    pub(crate) data: Vec<u8>,
    /// For display.
    pub(crate) text: String,
}

impl Response {
    /// Parses a response to `packet`, whose header and question end at `question_end`, and checks
    /// what all responses have in common.
    pub(crate) fn read(bytes: &[u8], packet: &[u8], question_end: usize) -> Result<Response, String> {
        let message = Message::from_vec(bytes).map_err(|error| format!("hickory-proto cannot read it: {error}"))?;
        if message.id != ID {
            return Err(format!("id {} for a query with id {ID}", message.id));
        }
        if message.recursion_available {
            return Err("RA is set".to_owned());
        }
        if message.recursion_desired != (packet[2] & 1 == 1) {
            return Err("RD is not that of the query".to_owned());
        }
        if !message.queries.is_empty() && !bytes[12..].starts_with(&packet[12..question_end]) {
            return Err("the question is not that of the query, octet by octet".to_owned());
        }
        let resources = |records: &[Record]| records.iter().map(Resource::of).collect();
        let answers = resources(&message.answers);
        let authorities = resources(&message.authorities);
        let additionals = resources(&message.additionals);
        Ok(Response { message, answers, authorities, additionals })
    }

    /// The response code including its upper bits from OPT.
    pub(crate) fn rcode(&self) -> String {
        match u16::from(self.message.response_code) {
            0 => "NOERROR".to_owned(),
            1 => "FORMERR".to_owned(),
            2 => "SERVFAIL".to_owned(),
            3 => "NXDOMAIN".to_owned(),
            4 => "NOTIMP".to_owned(),
            5 => "REFUSED".to_owned(),
            9 => "NOTAUTH".to_owned(),
            16 => "BADVERS".to_owned(),
            code => format!("RCODE{code}"),
        }
    }

    /// The returned client subnet.
    pub(crate) fn client_subnet(&self) -> Option<&ClientSubnet> {
        match self.message.edns.as_ref()?.option(EdnsCode::Subnet)? {
            EdnsOption::Subnet(subnet) => Some(subnet),
            _ => None,
        }
    }

    /// The server's identifier.
    pub(crate) fn nsid(&self) -> Option<&[u8]> {
        match self.message.edns.as_ref()?.option(EdnsCode::NSID)? {
            EdnsOption::NSID(nsid) => Some(nsid.as_ref()),
            _ => None,
        }
    }
}

impl Resource {
    fn of(record: &Record) -> Resource {
        let mut owner: Vec<u8> = record
            .name
            .iter()
            .flat_map(|label| [&[u8::try_from(label.len()).expect("a label")], label].concat())
            .collect();
        owner.push(0);
        owner.make_ascii_lowercase();
        let type_code = u16::from(record.record_type());
        let mut data = Vec::new();
        let mut encoder = BinEncoder::new(&mut data);
        encoder.set_name_encoding(NameEncoding::Uncompressed);
        record.data.emit(&mut encoder).expect("what was read can be written");
        fold_names(type_code, &mut data);
        Resource { owner, ttl: record.ttl, type_code, data, text: record.to_string() }
    }
}

/// Makes data with names comparable: names in a zone come back in the case of the question (RFC
/// 4343 section 4).
pub(crate) fn fold_names(type_code: u16, data: &mut [u8]) {
    use RecordType::{Cname, Mx, Ns, Ptr, Soa, Srv};
    if [Cname, Mx, Ns, Ptr, Soa, Srv].iter().any(|with_names| with_names.code() == type_code) {
        data.make_ascii_lowercase();
    }
}
