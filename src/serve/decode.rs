//! Decodes a query from the network, or finds the error to respond with. It accepts any bytes
//! without a panic and allocates nothing.
//!
//! Checks in this order: no response at all, unknown opcode (NOTIMP), malformed message (FORMERR),
//! unknown EDNS version (BADVERS), malformed EDNS options (FORMERR), signature (NOTAUTH), class
//! other than IN (REFUSED), type that cannot be queried. An error keeps everything of the request
//! that the response must echo.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::answer::{ClientSubnet, QueryName};
use crate::model::{MAX_LABEL_OCTETS, MAX_NAME_OCTETS};

/// A DNS header (RFC 1035 section 4.1.1).
pub(super) const HEADER_OCTETS: usize = 12;
/// The smallest UDP limit of any client (RFC 1035 section 2.3.4). Smaller EDNS sizes mean this one
/// (RFC 6891 section 6.2.5).
pub(super) const MIN_PAYLOAD_OCTETS: u16 = 512;

pub(super) const TYPE_OPT: u16 = 41;
pub(super) const TYPE_TSIG: u16 = 250;
pub(super) const OPTION_NSID: u16 = 3;
pub(super) const OPTION_CLIENT_SUBNET: u16 = 8;

/// How many options `subnet_ahead` searches.
const OPTIONS_AHEAD: usize = 8;

const CLASS_IN: u16 = 1;
const OPCODE_QUERY: u8 = 0;

/// The result of decoding a packet.
#[derive(Clone, Debug)]
pub enum Decoded<'p> {
    /// No response is allowed: the header is incomplete, or the packet is a response (answering it
    /// could cause an endless loop).
    Silence,
    /// A request to answer with this response code and no records.
    Fault(Request<'p>, FaultCode),
    /// A question with this QTYPE in class IN. Its name is in the `QueryName`.
    Question(Request<'p>, u16),
}

/// Fields that the response copies from its request.
#[derive(Clone, Debug)]
pub struct Request<'p> {
    /// The id.
    pub id: u16,
    /// The opcode, 0..16.
    pub opcode: u8,
    /// The RD bit.
    pub recursion_desired: bool,
    /// The question as received, with its letter case (resolvers check it: "0x20"). Empty if it
    /// could not be parsed.
    pub question: &'p [u8],
    /// The OPT record, if the request has one. Then the response must have one too (RFC 6891
    /// section 6.1.1).
    pub edns: Option<Edns<'p>>,
    /// The TSIG record, if the request has one.
    pub signature: Option<Signature<'p>>,
}

/// The OPT record of a request (RFC 6891).
#[derive(Clone, Debug, Default)]
pub struct Edns<'p> {
    /// The largest UDP response that the client accepts, as received.
    pub payload_size: u16,
    /// The DO bit.
    pub dnssec_ok: bool,
    /// Whether the client requests the server identifier (RFC 5001).
    pub nsid_asked: bool,
    /// The client subnet option, if present.
    pub client_subnet: Option<SubnetOption<'p>>,
}

/// A well-formed client subnet option (RFC 7871 section 6): FAMILY, SOURCE PREFIX-LENGTH, SCOPE
/// PREFIX-LENGTH and ADDRESS as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubnetOption<'p> {
    /// The whole data of the option. The octet at index 3 is the scope.
    pub data: &'p [u8],
}

/// The fields of a TSIG record that an unsigned error response repeats (RFC 8945 section 5.3.2).
#[derive(Clone, Debug)]
pub struct Signature<'p> {
    /// The name of the key.
    pub key_name: &'p [u8],
    /// The name of the algorithm.
    pub algorithm: &'p [u8],
    /// Time signed and fudge: eight octets.
    pub time_and_fudge: &'p [u8],
    /// The original id: two octets.
    pub original_id: &'p [u8],
}

/// Response codes for requests that do not reach a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultCode {
    /// FORMERR.
    FormatError = 1,
    /// NOTIMP.
    NotImplemented = 4,
    /// REFUSED.
    Refused = 5,
    /// NOTAUTH: signed with an unknown key (the server has no keys).
    NotAuthorised = 9,
    /// BADVERS. Its upper bits are in the OPT record.
    BadVersion = 16,
}

/// Decodes a packet. If the result is a question, `name` holds its name.
///
/// Octets after the message are ignored: some middleboxes add padding, and it cannot change the
/// question.
pub fn decode<'p>(packet: &'p [u8], name: &mut QueryName) -> Decoded<'p> {
    let Some(header) = Header::read(packet) else {
        return Decoded::Silence;
    };
    if header.is_response {
        return Decoded::Silence;
    }
    let mut request = header.request();
    if header.opcode != OPCODE_QUERY {
        // The content after the header depends on the opcode (RFC 2136, RFC 8490), so it is not
        // parsed.
        return Decoded::Fault(request, FaultCode::NotImplemented);
    }
    match read_body(packet, &header, name, &mut request) {
        Ok(record_type) => Decoded::Question(request, record_type),
        Err(code) => Decoded::Fault(request, code),
    }
}

fn read_body<'p>(
    packet: &'p [u8],
    header: &Header,
    name: &mut QueryName,
    request: &mut Request<'p>,
) -> Result<u16, FaultCode> {
    let mut reader = Reader { packet, at: HEADER_OCTETS };
    // Exactly one question (RFC 9619).
    if header.question_count != 1 {
        // The response needs the request's OPT record, if it can be found.
        reader.skip_questions(header.question_count)?;
        read_records(&mut reader, header, request)?;
        return Err(FaultCode::FormatError);
    }
    reader.at = name.read(packet, HEADER_OCTETS).map_err(|_| FaultCode::FormatError)?;
    let (record_type, class) = (reader.u16()?, reader.u16()?);
    request.question = &packet[HEADER_OCTETS..reader.at];
    read_records(&mut reader, header, request)?;
    if request.signature.is_some() {
        return Err(FaultCode::NotAuthorised);
    }
    if class != CLASS_IN {
        return Err(FaultCode::Refused);
    }
    check_type(record_type)
}

/// Whether a packet looks like a question for a zone: QR=0, opcode QUERY, one question.
pub(super) fn may_be_question(packet: &[u8]) -> bool {
    matches!(packet, [_, _, flags, _, 0, 1, ..] if flags >> 3 == 0)
}

/// A cheap guess of the client subnet that `decode` will find. It searches the options of the first
/// record after the question, where OPT usually is, and does not validate the rest of the packet.
pub(super) fn subnet_ahead(packet: &[u8]) -> Option<ClientSubnet> {
    let mut at = HEADER_OCTETS;
    while let Some(&octets @ 1..) = packet.get(at) {
        at += 1 + usize::from(octets);
        if at > HEADER_OCTETS + MAX_NAME_OCTETS {
            return None;
        }
    }
    // The root of the name, QTYPE and QCLASS; then OPT: the root, 41, a size, a code and flags, the
    // length of its options.
    let [0, 0, 41, _, _, _, _, _, _, _, _, options @ ..] = packet.get(at + 5..)? else { return None };
    let mut options = options;
    for _ in 0..OPTIONS_AHEAD {
        let [high, low, long, short, rest @ ..] = options else { return None };
        let data = rest.get(..usize::from(u16::from_be_bytes([*long, *short])))?;
        if u16::from_be_bytes([*high, *low]) == OPTION_CLIENT_SUBNET {
            return SubnetOption::read(data)?.network();
        }
        options = &rest[data.len()..];
    }
    None
}

/// Types 128 to 255 are meta and query types (RFC 6895 section 3.1). Only ANY is answered.
fn check_type(record_type: u16) -> Result<u16, FaultCode> {
    match record_type {
        // Zone transfers: Route 53 does not support them.
        251 | 252 => Err(FaultCode::Refused),
        // Types that occur only in messages, and NXNAME, which must not be queried (RFC 9824).
        TYPE_OPT | 128 | TYPE_TSIG => Err(FaultCode::FormatError),
        // TKEY, the obsolete MAILA and MAILB, and unassigned types.
        129..=249 | 253 | 254 => Err(FaultCode::NotImplemented),
        _ => Ok(record_type),
    }
}

/// Reads the three sections after the question. Only OPT and TSIG have a meaning in a query. All
/// other records are skipped (an IXFR query contains a SOA).
fn read_records<'p>(reader: &mut Reader<'p>, header: &Header, request: &mut Request<'p>) -> Result<(), FaultCode> {
    for _ in 0..u32::from(header.answer_count) + u32::from(header.authority_count) {
        reader.record()?;
    }
    for behind in (0..header.additional_count).rev() {
        let record = reader.record()?;
        match record.record_type {
            TYPE_OPT => read_opt(&record, request)?,
            // RFC 8945 section 5.1: a signature must be the last record.
            TYPE_TSIG if behind > 0 => return Err(FaultCode::FormatError),
            TYPE_TSIG => request.signature = Some(read_signature(&record)?),
            _ => {}
        }
    }
    Ok(())
}

fn read_opt<'p>(record: &Record<'p>, request: &mut Request<'p>) -> Result<(), FaultCode> {
    // RFC 6891 sections 6.1.1 and 6.1.2: at most one, with the root as its owner.
    if request.edns.is_some() || record.owner != [0] {
        return Err(FaultCode::FormatError);
    }
    let [_, version, flags, _] = record.ttl.to_be_bytes();
    let dnssec_ok = flags & 0x80 != 0;
    let edns = request.edns.insert(Edns { payload_size: record.class, dnssec_ok, ..Edns::default() });
    if version > 0 {
        return Err(FaultCode::BadVersion);
    }
    read_options(record.data, edns)
}

fn read_options<'p>(data: &'p [u8], edns: &mut Edns<'p>) -> Result<(), FaultCode> {
    let mut reader = Reader { packet: data, at: 0 };
    while reader.at < data.len() {
        let (code, length) = (reader.u16()?, reader.u16()?);
        let data = reader.take(usize::from(length))?;
        match code {
            OPTION_NSID => edns.nsid_asked = true,
            // The first of several counts.
            OPTION_CLIENT_SUBNET if edns.client_subnet.is_none() => {
                edns.client_subnet = Some(SubnetOption::read(data).ok_or(FaultCode::FormatError)?);
            }
            // RFC 6891 section 6.1.2: unknown options are ignored.
            _ => {}
        }
    }
    Ok(())
}

/// RFC 8945 section 4.2. Compressed names are refused, because the response could not repeat them
/// unchanged.
fn read_signature<'p>(record: &Record<'p>) -> Result<Signature<'p>, FaultCode> {
    let mut reader = Reader { packet: record.data, at: 0 };
    let algorithm = reader.name()?;
    let time_and_fudge = reader.take(8)?;
    let mac_octets = reader.u16()?;
    reader.take(usize::from(mac_octets))?;
    let original_id = reader.take(2)?;
    let _error = reader.u16()?;
    let other_octets = reader.u16()?;
    reader.take(usize::from(other_octets))?;
    if !is_plain(record.owner) || !is_plain(algorithm) {
        return Err(FaultCode::FormatError);
    }
    Ok(Signature { key_name: record.owner, algorithm, time_and_fudge, original_id })
}

/// Whether a name from `Reader::name` has no compression pointer and a valid length.
fn is_plain(name: &[u8]) -> bool {
    let mut at = 0;
    while name[at] != 0 && usize::from(name[at]) <= MAX_LABEL_OCTETS {
        at += 1 + usize::from(name[at]);
    }
    name[at] == 0 && name.len() <= MAX_NAME_OCTETS
}

impl<'p> SubnetOption<'p> {
    /// RFC 7871 section 6: the scope of a query is 0, the address has exactly the octets that the
    /// prefix needs, and no bit after the prefix is set. `dig +subnet=0` sends family 0 without an
    /// address, which gives no location.
    fn read(data: &'p [u8]) -> Option<SubnetOption<'p>> {
        let [family_high, family_low, source_prefix, scope_prefix, address @ ..] = data else {
            return None;
        };
        let most_bits = match (family_high, family_low) {
            (0, 0) => 0,
            (0, 1) => 32,
            (0, 2) => 128,
            _ => return None,
        };
        let fits = *source_prefix <= most_bits && address.len() == usize::from(source_prefix.div_ceil(8));
        let unused_bits = (8 - source_prefix % 8) % 8;
        let clean = address.last().is_none_or(|last| last.trailing_zeros() >= u32::from(unused_bits));
        (*scope_prefix == 0 && fits && clean).then_some(SubnetOption { data })
    }

    /// SOURCE PREFIX-LENGTH.
    pub fn source_prefix(self) -> u8 {
        self.data[2]
    }

    /// The largest scope in this family.
    pub fn most_bits(self) -> u8 {
        match self.data[1] {
            1 => 32,
            2 => 128,
            _ => 0,
        }
    }

    /// The network; `None` if the option gives no location (RFC 7871 section 7.1.2).
    pub fn network(self) -> Option<ClientSubnet> {
        if self.source_prefix() == 0 {
            return None;
        }
        let mut octets = [0; 16];
        octets[..self.data.len() - 4].copy_from_slice(&self.data[4..]);
        let address = match self.data[1] {
            1 => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
            _ => IpAddr::V6(Ipv6Addr::from(octets)),
        };
        Some(ClientSubnet { address, source_prefix: self.source_prefix() })
    }
}

struct Header {
    id: u16,
    is_response: bool,
    opcode: u8,
    recursion_desired: bool,
    question_count: u16,
    answer_count: u16,
    authority_count: u16,
    additional_count: u16,
}

impl Header {
    fn read(packet: &[u8]) -> Option<Header> {
        let header = packet.first_chunk::<HEADER_OCTETS>()?;
        let word = |index: usize| u16::from_be_bytes([header[index], header[index + 1]]);
        Some(Header {
            id: word(0),
            is_response: header[2] & 0x80 != 0,
            opcode: header[2] >> 3 & 0xf,
            recursion_desired: header[2] & 1 != 0,
            question_count: word(4),
            answer_count: word(6),
            authority_count: word(8),
            additional_count: word(10),
        })
    }

    fn request<'p>(&self) -> Request<'p> {
        Request {
            id: self.id,
            opcode: self.opcode,
            recursion_desired: self.recursion_desired,
            question: &[],
            edns: None,
            signature: None,
        }
    }
}

/// A record of a request. Its owner is as received, possibly compressed.
struct Record<'p> {
    owner: &'p [u8],
    record_type: u16,
    class: u16,
    ttl: u32,
    data: &'p [u8],
}

/// Reads a packet in order. Any read error is a format error.
struct Reader<'p> {
    packet: &'p [u8],
    at: usize,
}

impl<'p> Reader<'p> {
    fn take(&mut self, octets: usize) -> Result<&'p [u8], FaultCode> {
        let end = self.at + octets;
        let taken = self.packet.get(self.at..end).ok_or(FaultCode::FormatError)?;
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, FaultCode> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// A name as received. Compression pointers are not followed, since no caller needs their
    /// target.
    fn name(&mut self) -> Result<&'p [u8], FaultCode> {
        let start = self.at;
        loop {
            let octet = self.take(1)?[0];
            match octet {
                0 => break,
                0xc0.. => {
                    self.take(1)?;
                    break;
                }
                _ if usize::from(octet) <= MAX_LABEL_OCTETS => self.take(usize::from(octet))?,
                _ => return Err(FaultCode::FormatError),
            };
        }
        Ok(&self.packet[start..self.at])
    }

    fn record(&mut self) -> Result<Record<'p>, FaultCode> {
        let owner = self.name()?;
        let (record_type, class) = (self.u16()?, self.u16()?);
        let ttl = u32::from(self.u16()?) << 16 | u32::from(self.u16()?);
        let length = self.u16()?;
        let data = self.take(usize::from(length))?;
        Ok(Record { owner, record_type, class, ttl, data })
    }

    fn skip_questions(&mut self, count: u16) -> Result<(), FaultCode> {
        for _ in 0..count {
            self.name()?;
            self.take(4)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{Edns as HickoryEdns, Message, MessageType, OpCode, Query};
    use hickory_proto::rr::rdata::opt::{ClientSubnet as HickorySubnet, EdnsCode, EdnsOption};
    use hickory_proto::rr::{DNSClass, Name as HickoryName, RecordType as HickoryType};
    use proptest::prelude::*;
    use std::str::FromStr;

    const QUESTION: &[u8] = b"\x03WwW\x03lab\x04test\0\x00\x01\x00\x01";

    /// A query with these counts and this content after the header.
    fn packet(counts: [u8; 4], body: &[&[u8]]) -> Vec<u8> {
        let header = [0x12, 0x34, 1, 0, 0, counts[0], 0, counts[1], 0, counts[2], 0, counts[3]];
        [&header, body.concat().as_slice()].concat()
    }

    fn opt(version: u8, options: &[u8]) -> Vec<u8> {
        let head = [0, 0, 41, 0x04, 0xd0, 0, version, 0x80, 0, 0, u8::try_from(options.len()).unwrap()];
        [&head, options].concat()
    }

    fn with_options(options: &[u8]) -> Vec<u8> {
        packet([1, 0, 0, 1], &[QUESTION, &opt(0, options)])
    }

    #[track_caller]
    fn check_fault(packet: &[u8], expected: FaultCode) {
        match decode(packet, &mut QueryName::default()) {
            Decoded::Fault(_, code) => assert_eq!(code, expected),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn question(packet: &[u8]) -> Request<'_> {
        match decode(packet, &mut QueryName::default()) {
            Decoded::Question(request, _) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_keeps_its_bytes_and_its_name_is_read() {
        let packet = packet([1, 0, 0, 0], &[QUESTION]);
        let mut name = QueryName::default();
        let Decoded::Question(request, record_type) = decode(&packet, &mut name) else { panic!() };
        assert_eq!((request.id, request.opcode, request.recursion_desired, record_type), (0x1234, 0, true, 1));
        assert_eq!(request.question, QUESTION);
        assert_eq!(name.wire(), b"\x03www\x03lab\x04test\0");
        assert!(request.edns.is_none());
    }

    #[test]
    fn responses_and_scraps_are_met_with_silence() {
        let mut response = packet([1, 0, 0, 0], &[QUESTION]);
        response[2] |= 0x80;
        for silent in [&response[..], &response[..11], &[]] {
            assert!(matches!(decode(silent, &mut QueryName::default()), Decoded::Silence));
        }
    }

    #[test]
    fn other_opcodes_are_not_implemented() {
        for opcode in 1..16 {
            let mut update = packet([1, 0, 0, 0], &[QUESTION]);
            update[2] = opcode << 3;
            check_fault(&update, FaultCode::NotImplemented);
        }
    }

    #[test]
    fn there_is_exactly_one_question() {
        check_fault(&packet([0, 0, 0, 0], &[]), FaultCode::FormatError);
        check_fault(&packet([1, 0, 0, 0], &[]), FaultCode::FormatError);
        check_fault(&packet([1, 0, 0, 0], &[&QUESTION[..QUESTION.len() - 1]]), FaultCode::FormatError);
        check_fault(&packet([1, 0, 0, 0], &[b"\xc0\x0c\0\x01\0\x01"]), FaultCode::FormatError);
        let twice = packet([2, 0, 0, 1], &[QUESTION, QUESTION, &opt(0, &[])]);
        let Decoded::Fault(request, FaultCode::FormatError) = decode(&twice, &mut QueryName::default()) else {
            panic!()
        };
        assert!(request.edns.is_some() && request.question.is_empty());
    }

    #[test]
    fn classes_and_types_that_hold_no_data_are_turned_away() {
        let asked = |record_type: u8, class: u8| packet([1, 0, 0, 0], &[b"\0\0", &[record_type, 0, class]]);
        check_fault(&asked(1, 3), FaultCode::Refused);
        check_fault(&asked(252, 1), FaultCode::Refused);
        check_fault(&asked(251, 1), FaultCode::Refused);
        check_fault(&asked(41, 1), FaultCode::FormatError);
        check_fault(&asked(250, 1), FaultCode::FormatError);
        check_fault(&asked(249, 1), FaultCode::NotImplemented);
        check_fault(&asked(254, 1), FaultCode::NotImplemented);
        question(&asked(255, 1));
        question(&asked(65, 1));
    }

    #[test]
    fn opt_says_what_the_client_can_take() {
        let packet = with_options(b"\0\x03\0\0\xff\xfe\0\x02hi");
        let edns = question(&packet).edns.unwrap();
        assert_eq!((edns.payload_size, edns.dnssec_ok, edns.nsid_asked), (1232, true, true));
        assert_eq!(edns.client_subnet, None);
    }

    #[test]
    fn there_is_one_opt_of_version_0_owned_by_the_root() {
        check_fault(&packet([1, 0, 0, 2], &[QUESTION, &opt(0, &[]), &opt(0, &[])]), FaultCode::FormatError);
        check_fault(&packet([1, 0, 0, 1], &[QUESTION, b"\x01a", &opt(0, &[])]), FaultCode::FormatError);
        check_fault(&packet([1, 0, 0, 1], &[QUESTION, &opt(1, b"whatever")]), FaultCode::BadVersion);
        check_fault(&packet([1, 0, 0, 1], &[QUESTION]), FaultCode::FormatError);
        check_fault(&with_options(b"\0\x03\0"), FaultCode::FormatError);
        check_fault(&with_options(b"\xff\xfe\0\x03hi"), FaultCode::FormatError);
    }

    #[test]
    fn other_records_in_a_query_mean_nothing() {
        let record = b"\xc0\x0c\0\x06\0\x01\0\0\0\0\0\x02hi".as_slice();
        let packet = packet([1, 1, 1, 3], &[QUESTION, record, record, record, &opt(0, &[]), record, b"garbage"]);
        assert!(question(&packet).edns.is_some());
    }

    #[test]
    fn a_client_subnet_is_exactly_as_rfc_7871_has_it() {
        let read = |data| SubnetOption::read(data).map(SubnetOption::network);
        let network = |address: &str, source_prefix| {
            Some(Some(ClientSubnet { address: address.parse().unwrap(), source_prefix }))
        };
        assert_eq!(read(b"\0\x01\x18\0\xc0\0\x02"), network("192.0.2.0", 24));
        assert_eq!(read(b"\0\x01\x11\0\x0a\x35\x80"), network("10.53.128.0", 17));
        assert_eq!(read(b"\0\x02\x20\0\x20\x01\x0d\xb8"), network("2001:db8::", 32));
        assert_eq!(read(b"\0\x01\0\0"), Some(None));
        assert_eq!(read(b"\0\x02\0\0"), Some(None));
        assert_eq!(read(b"\0\0\0\0"), Some(None));
        let bad: [&[u8]; 9] = [
            b"\0\x01\x18\x18\xc0\0\x02",     // a scope in a query
            b"\0\x01\x18\0\xc0\0",           // too few octets
            b"\0\x01\x18\0\xc0\0\x02\0",     // too many
            b"\0\x01\x11\0\x0a\x35\xc0",     // bits beyond the prefix
            b"\0\x01\x21\0\xc0\0\x02\x01\0", // a longer prefix than there are bits
            b"\0\x03\x08\0\x0a",             // an unknown family
            b"\0\0\x08\0\x0a",               // no family, but an address
            b"\x01\x01\0\0",
            b"\0\x01\x18",
        ];
        for data in bad {
            assert_eq!(read(data), None, "{data:?}");
            let length = u8::try_from(data.len()).unwrap();
            check_fault(&with_options(&[&[0, 8, 0, length], data].concat()), FaultCode::FormatError);
        }
    }

    #[test]
    fn a_signature_is_the_last_record_and_never_ours() {
        let signature = |owner: &[u8]| {
            let data = b"\x04hmac\0TIMESTFU\0\x03macID\0\0\0\0";
            [owner, b"\0\xfa\0\xff\0\0\0\0\0", &[u8::try_from(data.len()).unwrap()], data].concat()
        };
        let signed = packet([1, 0, 0, 2], &[QUESTION, &opt(0, &[]), &signature(b"\x03key\0")]);
        let Decoded::Fault(request, FaultCode::NotAuthorised) = decode(&signed, &mut QueryName::default()) else {
            panic!()
        };
        let echo = request.signature.unwrap();
        assert_eq!((echo.key_name, echo.algorithm), (b"\x03key\0".as_slice(), b"\x04hmac\0".as_slice()));
        assert_eq!((echo.time_and_fudge, echo.original_id), (b"TIMESTFU".as_slice(), b"ID".as_slice()));
        let early = packet([1, 0, 0, 2], &[QUESTION, &signature(b"\x03key\0"), &opt(0, &[])]);
        check_fault(&early, FaultCode::FormatError);
        check_fault(&packet([1, 0, 0, 1], &[QUESTION, &signature(b"\xc0\x0c")]), FaultCode::FormatError);
    }

    prop_compose! {
        fn hickory_query()(
            id: u16, labels in prop::collection::vec("[a-zA-Z0-9]{1,20}", 0..6), record_type in 1u16..100,
            recursion_desired: bool, edns in any::<bool>(), payload: u16, dnssec_ok: bool, nsid: bool,
            subnet in prop::option::of((any::<[u8; 4]>(), 0u8..=32)),
        ) -> Message {
            let mut message = Message::new(id, MessageType::Query, OpCode::Query);
            message.metadata.recursion_desired = recursion_desired;
            let name = HickoryName::from_str(&(labels.join(".") + ".")).unwrap();
            let mut query = Query::query(name, HickoryType::from(record_type));
            query.set_query_class(DNSClass::IN);
            message.add_query(query);
            if edns {
                let mut edns = HickoryEdns::new();
                edns.set_max_payload(payload).set_dnssec_ok(dnssec_ok);
                if nsid {
                    edns.options_mut().insert(EdnsOption::Unknown(EdnsCode::NSID.into(), vec![]));
                }
                if let Some((octets, prefix)) = subnet {
                    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                    let address = Ipv4Addr::from(u32::from_be_bytes(octets) & mask);
                    edns.options_mut().insert(EdnsOption::Subnet(HickorySubnet::new(address.into(), prefix, 0)));
                }
                message.set_edns(edns);
            }
            message
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes, &mut QueryName::default());
            let _guess = subnet_ahead(&bytes);
        }

        #[test]
        fn what_hickory_asks_is_what_we_read(message in hickory_query()) {
            let bytes = message.to_vec().unwrap();
            let mut name = QueryName::default();
            let decoded = decode(&bytes, &mut name);
            let Decoded::Question(request, record_type) = decoded else {
                let meta = u16::from(message.queries[0].query_type()) == TYPE_OPT;
                prop_assert!(meta, "{:?}", decoded);
                return Ok(());
            };
            prop_assert_eq!(request.id, message.metadata.id);
            prop_assert_eq!(request.recursion_desired, message.metadata.recursion_desired);
            prop_assert_eq!(record_type, u16::from(message.queries[0].query_type()));
            let asked = HickoryName::from_labels(labels(name.wire())).unwrap();
            prop_assert_eq!(&asked, message.queries[0].name());
            prop_assert_eq!(request.edns.is_some(), message.edns.is_some());
            let (Some(edns), Some(theirs)) = (request.edns, message.edns) else { return Ok(()) };
            prop_assert_eq!(edns.dnssec_ok, theirs.flags().dnssec_ok);
            prop_assert_eq!(edns.payload_size.max(512), theirs.max_payload());
            prop_assert_eq!(edns.nsid_asked, theirs.option(EdnsCode::NSID).is_some());
            let network = edns.client_subnet.and_then(SubnetOption::network);
            prop_assert_eq!(subnet_ahead(&bytes), network);
            prop_assert!(may_be_question(&bytes));
            let their_network = match theirs.option(EdnsCode::Subnet) {
                Some(EdnsOption::Subnet(subnet)) if subnet.source_prefix() > 0 => {
                    Some(ClientSubnet { address: subnet.addr(), source_prefix: subnet.source_prefix() })
                }
                _ => None,
            };
            prop_assert_eq!(network, their_network);
        }

        #[test]
        fn a_damaged_query_is_still_read_without_a_panic(
            message in hickory_query(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = message.to_vec().unwrap();
            for (index, octet) in damage {
                let at = index.index(bytes.len());
                bytes[at] = octet;
            }
            decode(&bytes, &mut QueryName::default());
            decode(&bytes[..cut.index(bytes.len())], &mut QueryName::default());
        }
    }

    fn labels(wire: &[u8]) -> Vec<&[u8]> {
        let (mut labels, mut at) = (Vec::new(), 0);
        while wire[at] != 0 {
            let end = at + 1 + usize::from(wire[at]);
            labels.push(&wire[at + 1..end]);
            at = end;
        }
        labels
    }
}
