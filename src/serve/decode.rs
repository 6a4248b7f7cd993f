//! Decodes a query from the network, or finds the error to respond with. It accepts any bytes
//! without a panic and allocates nothing.
//!
//! Checks in this order: no response at all, unknown opcode (NOTIMP), malformed message (FORMERR),
//! unknown EDNS version (BADVERS), malformed EDNS options (FORMERR), signature (NOTAUTH), class
//! other than IN (REFUSED), type that cannot be queried. An error keeps everything of the request
//! that the response must echo.

use super::edns::{Edns, MalformedOption, TYPE_OPT, peek_client_subnet};
use crate::answer::{ClientSubnet, QueryName};
use crate::model::{MAX_LABEL_OCTETS, MAX_NAME_OCTETS, QueryType};

/// A DNS header (RFC 1035 section 4.1.1).
pub(super) const HEADER_OCTETS: usize = 12;
/// The smallest UDP limit of any client (RFC 1035 section 2.3.4). Smaller EDNS sizes mean this one
/// (RFC 6891 section 6.2.5).
pub(super) const MIN_PAYLOAD_OCTETS: u16 = 512;

pub(super) const TYPE_TSIG: u16 = 250;

const CLASS_IN: u16 = 1;
const OPCODE_QUERY: u8 = 0;

/// The result of decoding a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoded {
    /// No response is allowed: the header is incomplete, or the packet is a response (answering it
    /// could cause an endless loop).
    #[default]
    Dropped,
    /// A request to answer with this response code and no records.
    Error(ErrorCode),
    /// A question with this QTYPE in class IN. Its name is in the `QueryName`.
    Question(QueryType),
}

/// Fields that the response copies from its request.
#[derive(Clone, Debug, Default)]
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
pub enum ErrorCode {
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
    /// BADCOOKIE: the client repeats the query with the cookie in the response (RFC 7873).
    BadCookie = 23,
}

/// Decodes a packet. If the result is a question, `name` holds its name. What the response copies
/// is written to `request`, which is the default one before.
///
/// Octets after the message are ignored: some middleboxes add padding, and it cannot change the
/// question.
pub fn decode<'p>(packet: &'p [u8], name: &mut QueryName, request: &mut Request<'p>) -> Decoded {
    let Some(header) = Header::read(packet) else {
        return Decoded::Dropped;
    };
    if header.is_response {
        return Decoded::Dropped;
    }
    request.id = header.id;
    request.opcode = header.opcode;
    request.recursion_desired = header.recursion_desired;
    if header.opcode != OPCODE_QUERY {
        // The content after the header depends on the opcode (RFC 2136, RFC 8490), so it is not
        // parsed.
        return Decoded::Error(ErrorCode::NotImplemented);
    }
    match read_body(packet, &header, name, request) {
        Ok(qtype) => Decoded::Question(qtype),
        Err(code) => Decoded::Error(code),
    }
}

/// The same with a request of its own.
#[cfg(test)]
pub(super) fn decoded<'p>(packet: &'p [u8], name: &mut QueryName) -> (Request<'p>, Decoded) {
    let mut request = Request::default();
    let decoded = decode(packet, name, &mut request);
    (request, decoded)
}

fn read_body<'p>(
    packet: &'p [u8],
    header: &Header,
    name: &mut QueryName,
    request: &mut Request<'p>,
) -> Result<QueryType, ErrorCode> {
    let mut reader = Reader { packet, at: HEADER_OCTETS };
    // Exactly one question (RFC 9619).
    if header.question_count != 1 {
        // The response needs the request's OPT record, if it can be found.
        reader.skip_questions(header.question_count)?;
        read_records(&mut reader, header, request)?;
        return Err(ErrorCode::FormatError);
    }
    reader.at = name.read(packet, HEADER_OCTETS).map_err(|_| ErrorCode::FormatError)?;
    let (qtype, class) = (QueryType(reader.u16()?), reader.u16()?);
    request.question = &packet[HEADER_OCTETS..reader.at];
    read_records(&mut reader, header, request)?;
    if request.signature.is_some() {
        return Err(ErrorCode::NotAuthorised);
    }
    if class != CLASS_IN {
        return Err(ErrorCode::Refused);
    }
    check_type(qtype)
}

/// Whether a packet looks like a question for a zone: QR=0, opcode QUERY, one question.
pub(super) fn may_be_question(packet: &[u8]) -> bool {
    matches!(packet, [_, _, flags, _, 0, 1, ..] if flags >> 3 == 0)
}

/// A cheap guess of the client subnet that `decode` will find. It searches the options of the first
/// record after the question, where OPT usually is, and does not validate the rest of the packet.
pub(super) fn likely_client_subnet(packet: &[u8]) -> Option<ClientSubnet> {
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
    peek_client_subnet(options)
}

/// Types 128 to 255 are meta and query types (RFC 6895 section 3.1). Only ANY is answered.
fn check_type(qtype: QueryType) -> Result<QueryType, ErrorCode> {
    match qtype.0 {
        // Zone transfers: Route 53 does not support them.
        251 | 252 => Err(ErrorCode::Refused),
        // Types that occur only in messages, and NXNAME, which must not be queried (RFC 9824).
        TYPE_OPT | 128 | TYPE_TSIG => Err(ErrorCode::FormatError),
        // TKEY, the obsolete MAILA and MAILB, and unassigned types.
        129..=249 | 253 | 254 => Err(ErrorCode::NotImplemented),
        _ => Ok(qtype),
    }
}

/// Reads the three sections after the question. Only OPT and TSIG have a meaning in a query. All
/// other records are skipped (an IXFR query contains a SOA).
fn read_records<'p>(reader: &mut Reader<'p>, header: &Header, request: &mut Request<'p>) -> Result<(), ErrorCode> {
    for _ in 0..u32::from(header.answer_count) + u32::from(header.authority_count) {
        reader.record()?;
    }
    for behind in (0..header.additional_count).rev() {
        let record = reader.record()?;
        match record.record_type {
            TYPE_OPT => read_opt(&record, request)?,
            // RFC 8945 section 5.1: a signature must be the last record.
            TYPE_TSIG if behind > 0 => return Err(ErrorCode::FormatError),
            TYPE_TSIG => request.signature = Some(read_signature(&record)?),
            _ => {}
        }
    }
    Ok(())
}

fn read_opt<'p>(record: &Record<'p>, request: &mut Request<'p>) -> Result<(), ErrorCode> {
    // RFC 6891 sections 6.1.1 and 6.1.2: at most one, with the root as its owner.
    if request.edns.is_some() || record.owner != [0] {
        return Err(ErrorCode::FormatError);
    }
    let [_, version, flags, _] = record.ttl.to_be_bytes();
    let dnssec_ok = flags & 0x80 != 0;
    let edns = request.edns.insert(Edns { payload_size: record.class, dnssec_ok, ..Edns::default() });
    if version > 0 {
        return Err(ErrorCode::BadVersion);
    }
    edns.options.read(record.data).map_err(|MalformedOption| ErrorCode::FormatError)
}

/// RFC 8945 section 4.2. Compressed names are refused, because the response could not repeat them
/// unchanged.
fn read_signature<'p>(record: &Record<'p>) -> Result<Signature<'p>, ErrorCode> {
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
        return Err(ErrorCode::FormatError);
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
    fn take(&mut self, octets: usize) -> Result<&'p [u8], ErrorCode> {
        let end = self.at + octets;
        let taken = self.packet.get(self.at..end).ok_or(ErrorCode::FormatError)?;
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, ErrorCode> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// A name as received. Compression pointers are not followed, since no caller needs their
    /// target.
    fn name(&mut self) -> Result<&'p [u8], ErrorCode> {
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
                _ => return Err(ErrorCode::FormatError),
            };
        }
        Ok(&self.packet[start..self.at])
    }

    fn record(&mut self) -> Result<Record<'p>, ErrorCode> {
        let owner = self.name()?;
        let (record_type, class) = (self.u16()?, self.u16()?);
        let ttl = u32::from(self.u16()?) << 16 | u32::from(self.u16()?);
        let length = self.u16()?;
        let data = self.take(usize::from(length))?;
        Ok(Record { owner, record_type, class, ttl, data })
    }

    fn skip_questions(&mut self, count: u16) -> Result<(), ErrorCode> {
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
    use std::net::Ipv4Addr;
    use std::str::FromStr;

    use crate::model::PrefixLength;
    use crate::serve::SubnetOption;

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
    fn check_error(packet: &[u8], expected: ErrorCode) {
        match decoded(packet, &mut QueryName::default()) {
            (_, Decoded::Error(code)) => assert_eq!(code, expected),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn question(packet: &[u8]) -> Request<'_> {
        match decoded(packet, &mut QueryName::default()) {
            (request, Decoded::Question(_)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_keeps_its_bytes_and_its_name_is_read() {
        let packet = packet([1, 0, 0, 0], &[QUESTION]);
        let mut name = QueryName::default();
        let (request, Decoded::Question(qtype)) = decoded(&packet, &mut name) else { panic!() };
        assert_eq!((request.id, request.opcode, request.recursion_desired, qtype), (0x1234, 0, true, QueryType(1)));
        assert_eq!(request.question, QUESTION);
        assert_eq!(name.wire(), b"\x03www\x03lab\x04test\0");
        assert!(request.edns.is_none());
    }

    #[test]
    fn responses_and_scraps_are_met_with_silence() {
        let mut response = packet([1, 0, 0, 0], &[QUESTION]);
        response[2] |= 0x80;
        for silent in [&response[..], &response[..11], &[]] {
            assert_eq!(decoded(silent, &mut QueryName::default()).1, Decoded::Dropped);
        }
    }

    #[test]
    fn other_opcodes_are_not_implemented() {
        for opcode in 1..16 {
            let mut update = packet([1, 0, 0, 0], &[QUESTION]);
            update[2] = opcode << 3;
            check_error(&update, ErrorCode::NotImplemented);
        }
    }

    #[test]
    fn there_is_exactly_one_question() {
        check_error(&packet([0, 0, 0, 0], &[]), ErrorCode::FormatError);
        check_error(&packet([1, 0, 0, 0], &[]), ErrorCode::FormatError);
        check_error(&packet([1, 0, 0, 0], &[&QUESTION[..QUESTION.len() - 1]]), ErrorCode::FormatError);
        check_error(&packet([1, 0, 0, 0], &[b"\xc0\x0c\0\x01\0\x01"]), ErrorCode::FormatError);
        let twice = packet([2, 0, 0, 1], &[QUESTION, QUESTION, &opt(0, &[])]);
        let (request, Decoded::Error(ErrorCode::FormatError)) = decoded(&twice, &mut QueryName::default()) else {
            panic!()
        };
        assert!(request.edns.is_some() && request.question.is_empty());
    }

    #[test]
    fn classes_and_types_that_hold_no_data_are_turned_away() {
        let asked = |record_type: u8, class: u8| packet([1, 0, 0, 0], &[b"\0\0", &[record_type, 0, class]]);
        check_error(&asked(1, 3), ErrorCode::Refused);
        check_error(&asked(252, 1), ErrorCode::Refused);
        check_error(&asked(251, 1), ErrorCode::Refused);
        check_error(&asked(41, 1), ErrorCode::FormatError);
        check_error(&asked(250, 1), ErrorCode::FormatError);
        check_error(&asked(249, 1), ErrorCode::NotImplemented);
        check_error(&asked(254, 1), ErrorCode::NotImplemented);
        question(&asked(255, 1));
        question(&asked(65, 1));
    }

    #[test]
    fn opt_says_what_the_client_can_take() {
        let packet = with_options(b"\0\x03\0\0\xff\xfe\0\x02hi");
        let edns = question(&packet).edns.unwrap();
        assert_eq!((edns.payload_size, edns.dnssec_ok, edns.options.nsid), (1232, true, true));
        assert_eq!(edns.options.client_subnet, None);
    }

    #[test]
    fn there_is_one_opt_of_version_0_owned_by_the_root() {
        check_error(&packet([1, 0, 0, 2], &[QUESTION, &opt(0, &[]), &opt(0, &[])]), ErrorCode::FormatError);
        check_error(&packet([1, 0, 0, 1], &[QUESTION, b"\x01a", &opt(0, &[])]), ErrorCode::FormatError);
        check_error(&packet([1, 0, 0, 1], &[QUESTION, &opt(1, b"whatever")]), ErrorCode::BadVersion);
        check_error(&packet([1, 0, 0, 1], &[QUESTION]), ErrorCode::FormatError);
        check_error(&with_options(b"\0\x03\0"), ErrorCode::FormatError);
        check_error(&with_options(b"\xff\xfe\0\x03hi"), ErrorCode::FormatError);
    }

    #[test]
    fn other_records_in_a_query_mean_nothing() {
        let record = b"\xc0\x0c\0\x06\0\x01\0\0\0\0\0\x02hi".as_slice();
        let packet = packet([1, 1, 1, 3], &[QUESTION, record, record, record, &opt(0, &[]), record, b"garbage"]);
        assert!(question(&packet).edns.is_some());
    }

    #[test]
    fn a_signature_is_the_last_record_and_never_ours() {
        let signature = |owner: &[u8]| {
            let data = b"\x04hmac\0TIMESTFU\0\x03macID\0\0\0\0";
            [owner, b"\0\xfa\0\xff\0\0\0\0\0", &[u8::try_from(data.len()).unwrap()], data].concat()
        };
        let signed = packet([1, 0, 0, 2], &[QUESTION, &opt(0, &[]), &signature(b"\x03key\0")]);
        let (request, Decoded::Error(ErrorCode::NotAuthorised)) = decoded(&signed, &mut QueryName::default()) else {
            panic!()
        };
        let echo = request.signature.unwrap();
        assert_eq!((echo.key_name, echo.algorithm), (b"\x03key\0".as_slice(), b"\x04hmac\0".as_slice()));
        assert_eq!((echo.time_and_fudge, echo.original_id), (b"TIMESTFU".as_slice(), b"ID".as_slice()));
        let early = packet([1, 0, 0, 2], &[QUESTION, &signature(b"\x03key\0"), &opt(0, &[])]);
        check_error(&early, ErrorCode::FormatError);
        check_error(&packet([1, 0, 0, 1], &[QUESTION, &signature(b"\xc0\x0c")]), ErrorCode::FormatError);
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
            decoded(&bytes, &mut QueryName::default());
            let _guess = likely_client_subnet(&bytes);
        }

        #[test]
        fn what_hickory_asks_is_what_we_read(message in hickory_query()) {
            let bytes = message.to_vec().unwrap();
            let mut name = QueryName::default();
            let (request, outcome) = decoded(&bytes, &mut name);
            let Decoded::Question(qtype) = outcome else {
                let meta = u16::from(message.queries[0].query_type()) == TYPE_OPT;
                prop_assert!(meta, "{:?}", outcome);
                return Ok(());
            };
            prop_assert_eq!(request.id, message.metadata.id);
            prop_assert_eq!(request.recursion_desired, message.metadata.recursion_desired);
            prop_assert_eq!(qtype.0, u16::from(message.queries[0].query_type()));
            let asked = HickoryName::from_labels(labels(name.wire())).unwrap();
            prop_assert_eq!(&asked, message.queries[0].name());
            prop_assert_eq!(request.edns.is_some(), message.edns.is_some());
            let (Some(edns), Some(theirs)) = (request.edns, message.edns) else { return Ok(()) };
            prop_assert_eq!(edns.dnssec_ok, theirs.flags().dnssec_ok);
            prop_assert_eq!(edns.payload_size.max(512), theirs.max_payload());
            prop_assert_eq!(edns.options.nsid, theirs.option(EdnsCode::NSID).is_some());
            let network = edns.options.client_subnet.and_then(SubnetOption::network);
            prop_assert_eq!(likely_client_subnet(&bytes), network);
            prop_assert!(may_be_question(&bytes));
            let their_network = match theirs.option(EdnsCode::Subnet) {
                Some(EdnsOption::Subnet(subnet)) if subnet.source_prefix() > 0 => {
                    Some(ClientSubnet { address: subnet.addr(), source_prefix: PrefixLength(subnet.source_prefix()) })
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
            decoded(&bytes, &mut QueryName::default());
            decoded(&bytes[..cut.index(bytes.len())], &mut QueryName::default());
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
