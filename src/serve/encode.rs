//! Encodes answers and errors into the buffer of the caller. It allocates nothing: record data is
//! copied from the world and its compression pointers are adjusted.
//!
//! Space for OPT is reserved before any record is written, so a truncated response has it too.
//! Records are written as whole RRsets (RFC 2181 section 5.1). If an RRset does not fit, it is left
//! out. If it is required, the response ends there with the TC bit.

use arrayvec::ArrayVec;

use super::decode::{ErrorCode, HEADER_OCTETS, MIN_PAYLOAD_OCTETS, Request, Signature, TYPE_TSIG};
use super::edns::{Edns, ResponseOption, ResponseOptions, TYPE_OPT};
use crate::answer::{Answer, Data, Owner, Part, Presence, Records, SeededRng, ZoneServers};
use crate::model::{MAX_VALUES, RecordType};

/// Pointer to the name in the question, which follows the header of every response.
const QUESTION_POINTER: u16 = pointer_to(HEADER_OCTETS);
/// OPT: root owner, type, class, TTL, RDLENGTH.
const OPT_OCTETS: usize = 11;
/// Type, class, TTL and RDLENGTH of a record.
const HEAD_OCTETS: usize = 10;
/// Code and length of an EDNS option.
const OPTION_HEAD_OCTETS: usize = 4;

const NO_ERROR: u8 = 0;
const CLASS_IN: u16 = 1;
const CLASS_CHAOS: u16 = 3;
const CLASS_ANY: u16 = 255;
/// RFC 8945 section 3.
const TSIG_ERROR_BADKEY: u16 = 17;

/// Parameters of a response other than its records.
#[derive(Clone, Debug)]
pub struct Frame<'s> {
    /// The longest allowed response, at least 512 octets.
    pub most_octets: usize,
    /// The UDP payload size that the server announces.
    pub payload_size: u16,
    /// The EDNS options, if the request has an OPT record.
    pub options: ResponseOptions<'s>,
}

/// The result of encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The length of the response in octets.
    pub octets: usize,
    /// Whether the response has the TC bit.
    pub truncated: bool,
}

/// Writes the response for `answer`. `out` must hold at least 512 octets.
pub fn encode_answer(
    request: &Request<'_>,
    answer: &Answer<'_>,
    frame: &Frame<'_>,
    rng: &mut SeededRng,
    out: &mut [u8],
) -> Encoded {
    let mut message = Message::begin(request, frame, out);
    message.zone_pointer = zone_pointer(request, answer);
    let sections = message.sections(answer, rng);
    let truncated = sections.is_err();
    message.end(answer.rcode as u8, Bits { authoritative: answer.authoritative, truncated })
}

/// Writes the response to a request that does not reach a zone. `out` must hold at least 512
/// octets.
pub fn encode_error(request: &Request<'_>, code: ErrorCode, frame: &Frame<'_>, out: &mut [u8]) -> Encoded {
    let mut message = Message::begin(request, frame, out);
    message.end(code as u8, Bits { authoritative: false, truncated: false })
}

/// Writes a TXT record of class CHAOS for the name of the question. `out` must hold at least 512
/// octets; `text` has at most 255.
pub(super) fn encode_chaos(request: &Request<'_>, text: &[u8], frame: &Frame<'_>, out: &mut [u8]) -> Encoded {
    let mut message = Message::begin(request, frame, out);
    let truncated = message.chaos(text).is_err();
    message.end(NO_ERROR, Bits { authoritative: true, truncated })
}

/// Writes a response without records and with the TC bit. `out` must hold at least 512 octets.
pub(super) fn encode_truncated(request: &Request<'_>, frame: &Frame<'_>, out: &mut [u8]) -> Encoded {
    let mut message = Message::begin(request, frame, out);
    message.end(NO_ERROR, Bits { authoritative: false, truncated: true })
}

/// The zone's name is the end of the question's name.
fn zone_pointer(request: &Request<'_>, answer: &Answer<'_>) -> u16 {
    let name_octets = request.question.len().saturating_sub(4);
    pointer_to(HEADER_OCTETS + name_octets.saturating_sub(answer.zone_octets))
}

/// RFC 1035 section 4.1.4. All pointers lead into the question, so they fit 14 bits.
const fn pointer_to(offset: usize) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "the question ends before octet 272")]
    {
        0xc000 | offset as u16
    }
}

/// The bits of the header that depend on the answer.
#[derive(Clone, Copy)]
struct Bits {
    authoritative: bool,
    truncated: bool,
}

/// The response has no space left.
struct Full;

/// A required record set did not fit.
struct Truncated;

/// A response being written. The header is written last, when the counts are known.
struct Message<'m, 'o> {
    request: &'m Request<'m>,
    frame: &'m Frame<'m>,
    /// How many of the options are written.
    option_count: usize,
    out: &'o mut [u8],
    at: usize,
    /// End of the space for records. The space for OPT follows.
    end: usize,
    /// The length of OPT; 0 if the request has none.
    opt_octets: usize,
    zone_pointer: u16,
    /// Answer, authority, additional.
    counts: [u16; 3],
}

/// The order of the values of an RRset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsWritten,
    Random,
}

#[derive(Clone, Copy)]
enum Section {
    Answer,
    Authority,
    Additional,
}

impl<'m, 'o> Message<'m, 'o> {
    fn begin(request: &'m Request<'m>, frame: &'m Frame<'m>, out: &'o mut [u8]) -> Message<'m, 'o> {
        let most_octets = frame.most_octets.min(out.len());
        let at = HEADER_OCTETS + request.question.len();
        out[HEADER_OCTETS..at].copy_from_slice(request.question);
        let mut message = Message {
            request,
            frame,
            option_count: frame.options.len(),
            out,
            at,
            end: 0,
            opt_octets: 0,
            zone_pointer: QUESTION_POINTER,
            counts: [0; 3],
        };
        if request.edns.is_some() {
            message.opt_octets = message.opt_octets();
            while message.at + message.opt_octets > most_octets && message.option_count > 0 {
                // The response is worth more than an option, such as a very long server identifier.
                message.option_count -= 1;
                message.opt_octets = message.opt_octets();
            }
        }
        message.end = most_octets - message.opt_octets;
        message
    }

    /// The length of OPT with the options that are written.
    fn opt_octets(&self) -> usize {
        let options = self.frame.options.first(self.option_count);
        OPT_OCTETS + options.map(|option| OPTION_HEAD_OCTETS + option.octets()).sum::<usize>()
    }

    fn sections(&mut self, answer: &Answer<'_>, rng: &mut SeededRng) -> Result<(), Truncated> {
        self.section(Section::Answer, &answer.answer, rng)?;
        match answer.servers {
            Some(servers) if self.servers(servers).is_ok() => Ok(()),
            Some(_) => {
                let (authority, additional) = answer.closing_parts();
                self.section(Section::Authority, authority.as_slice(), rng)?;
                self.section(Section::Additional, &additional, rng)
            }
            None => {
                self.section(Section::Authority, answer.authority.as_slice(), rng)?;
                self.section(Section::Additional, &answer.additional, rng)
            }
        }
    }

    /// RFC 4892 section 3: class CHAOS, not to be cached.
    fn chaos(&mut self, text: &[u8]) -> Result<(), Full> {
        let at = self.at;
        self.put_u16(QUESTION_POINTER)?;
        self.put_u16(RecordType::Txt.code())?;
        self.put_u16(CLASS_CHAOS)?;
        self.put(&[0; 4])?;
        self.put_array(length_of(1 + text.len()))?;
        #[expect(clippy::cast_possible_truncation, reason = "at most 255 octets")]
        let written = self.put_array([text.len() as u8]).and_then(|()| self.put(text));
        match written {
            Ok(()) => self.counts[Section::Answer as usize] += 1,
            Err(Full) => self.at = at,
        }
        written
    }

    /// Copies the authority and additional sections in one piece.
    fn servers(&mut self, servers: ZoneServers<'_>) -> Result<(), Full> {
        let start = self.at;
        self.put(servers.octets())?;
        for &pointer in servers.pointers() {
            let at = start + usize::from(pointer);
            self.out[at..at + 2].copy_from_slice(&self.zone_pointer.to_be_bytes());
        }
        let [authority, additional] = servers.counts();
        self.counts[Section::Authority as usize] += authority;
        self.counts[Section::Additional as usize] += additional;
        Ok(())
    }

    /// Writes the parts of one section, an RRset at a time.
    fn section(&mut self, section: Section, parts: &[Part<'_>], rng: &mut SeededRng) -> Result<(), Truncated> {
        let mut rest = parts;
        while let Some((first, others)) = rest.split_first() {
            let more = others.iter().take_while(|part| first.is_of_same_set(part)).count();
            let (set, after) = rest.split_at(1 + more);
            let (at, count) = (self.at, self.counts[section as usize]);
            if self.record_set(section, set, rng).is_err() {
                (self.at, self.counts[section as usize]) = (at, count);
                if first.presence == Presence::Required {
                    return Err(Truncated);
                }
            }
            rest = after;
        }
        Ok(())
    }

    fn record_set(&mut self, section: Section, set: &[Part<'_>], rng: &mut SeededRng) -> Result<(), Full> {
        for part in set {
            let records = &part.records;
            // Values are in random order (Developer Guide, "Simple routing").
            let order = match section {
                Section::Answer if records.count > 1 => Order::Random,
                _ => Order::AsWritten,
            };
            match records.record_type {
                RecordType::A => self.addresses::<4>(part, order, rng)?,
                RecordType::Aaaa => self.addresses::<16>(part, order, rng)?,
                _ if order == Order::Random => {
                    shuffled(*records, rng).iter().try_for_each(|data| self.record(part, data))?;
                }
                _ => records.iter().try_for_each(|data| self.record(part, &data))?,
            }
            self.counts[section as usize] += records.count;
        }
        Ok(())
    }

    /// A and AAAA records: all have the same length and are shuffled in place.
    fn addresses<const N: usize>(&mut self, part: &Part<'_>, order: Order, rng: &mut SeededRng) -> Result<(), Full> {
        let data = part.records.all_of::<N>();
        let start = self.at;
        let head = head_of(part, N);
        match part.owner {
            Owner::Question => self.addresses_of_question(head, data)?,
            Owner::InZone(_) => {
                for value in data {
                    self.owner(part.owner)?;
                    self.put_array(head)?;
                    self.put_array(*value)?;
                }
            }
        }
        if order == Order::Random {
            let each = (self.at - start) / data.len();
            shuffle::<N>(&mut self.out[start..self.at], each, rng);
        }
        Ok(())
    }

    /// Addresses of the name in the question. All records start with the same pointer.
    fn addresses_of_question<const N: usize>(&mut self, head: [u8; HEAD_OCTETS], data: &[[u8; N]]) -> Result<(), Full> {
        let each = const { 2 + HEAD_OCTETS + N };
        let end = self.at + each * data.len();
        let place = self.out.get_mut(self.at..end).filter(|_| end <= self.end).ok_or(Full)?;
        for (record, value) in place.chunks_exact_mut(each).zip(data) {
            record[..2].copy_from_slice(&QUESTION_POINTER.to_be_bytes());
            record[2..2 + HEAD_OCTETS].copy_from_slice(&head);
            record[2 + HEAD_OCTETS..].copy_from_slice(value);
        }
        self.at = end;
        Ok(())
    }

    fn record(&mut self, part: &Part<'_>, data: &Data<'_>) -> Result<(), Full> {
        self.owner(part.owner)?;
        self.put_array(head_of(part, data.bytes.len()))?;
        let start = self.at;
        self.put(data.bytes)?;
        for offset in data.pointers.into_iter().flatten() {
            let at = start + usize::from(offset);
            self.out[at..at + 2].copy_from_slice(&self.zone_pointer.to_be_bytes());
        }
        Ok(())
    }

    fn owner(&mut self, owner: Owner<'_>) -> Result<(), Full> {
        match owner {
            Owner::Question => self.put_u16(QUESTION_POINTER),
            Owner::InZone(labels) => {
                self.put(labels)?;
                self.put_u16(self.zone_pointer)
            }
        }
    }

    fn put_u16(&mut self, value: u16) -> Result<(), Full> {
        self.put_array(value.to_be_bytes())
    }

    /// Writes a few octets. Their number is known at compile time, so the copy needs no call.
    fn put_array<const N: usize>(&mut self, octets: [u8; N]) -> Result<(), Full> {
        let end = self.at + N;
        let place = self.out.get_mut(self.at..end).filter(|_| end <= self.end).ok_or(Full)?;
        place.copy_from_slice(&octets);
        self.at = end;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.space(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// The next octets of the message, which the caller writes.
    #[inline]
    fn space(&mut self, octets: usize) -> Result<&mut [u8], Full> {
        let start = self.at;
        let end = start + octets;
        if end > self.end {
            return Err(Full);
        }
        self.at = end;
        Ok(&mut self.out[start..end])
    }

    /// Writes OPT, the unsigned TSIG error and finally the header.
    fn end(&mut self, response_code: u8, bits: Bits) -> Encoded {
        self.end += self.opt_octets;
        if let Some(edns) = &self.request.edns {
            let written = self.opt(edns, response_code >> 4);
            debug_assert!(written.is_ok(), "space for OPT was reserved");
            self.counts[Section::Additional as usize] += 1;
        }
        if let Some(signature) = &self.request.signature {
            let start = self.at;
            match self.tsig(signature) {
                Ok(()) => self.counts[Section::Additional as usize] += 1,
                // Two names of 255 octets do not fit 512 octets: the response code alone has to
                // tell.
                Err(Full) => self.at = start,
            }
        }
        self.header(response_code & 0xf, bits);
        Encoded { octets: self.at, truncated: bits.truncated }
    }

    /// RFC 1035 section 4.1.1. RA is 0: the server does not recurse.
    fn header(&mut self, response_code: u8, bits: Bits) {
        let high = 0x80
            | self.request.opcode << 3
            | u8::from(bits.authoritative) << 2
            | u8::from(bits.truncated) << 1
            | u8::from(self.request.recursion_desired);
        let flags = u16::from_be_bytes([high, response_code]);
        let [answers, authorities, additionals] = self.counts;
        let questions = u16::from(!self.request.question.is_empty());
        let words = [self.request.id, flags, questions, answers, authorities, additionals].map(u16::to_be_bytes);
        self.out[..HEADER_OCTETS].copy_from_slice(words.as_flattened());
    }

    /// RFC 6891 sections 6.1.2 and 6.1.3: version 0, the upper bits of the response code, DO as
    /// received.
    fn opt(&mut self, edns: &Edns<'_>, response_code_high: u8) -> Result<(), Full> {
        let [type_high, type_low] = TYPE_OPT.to_be_bytes();
        let [size_high, size_low] = self.frame.payload_size.to_be_bytes();
        let dnssec_ok = u8::from(edns.dnssec_ok) << 7;
        #[expect(clippy::cast_possible_truncation, reason = "the options fit a message")]
        let [length_high, length_low] = ((self.opt_octets - OPT_OCTETS) as u16).to_be_bytes();
        self.put_array([0, type_high, type_low, size_high, size_low])?;
        self.put_array([response_code_high, 0, dnssec_ok, 0, length_high, length_low])?;
        let options = &self.frame.options;
        options.first(self.option_count).try_for_each(|option| self.option(option))
    }

    fn option(&mut self, option: &ResponseOption<'_>) -> Result<(), Full> {
        let octets = option.octets();
        self.put_u16(option.code())?;
        self.put_array(length_of(octets))?;
        option.write(self.space(octets)?);
        Ok(())
    }

    /// The unsigned TSIG with BADKEY (RFC 8945 sections 5.2.1 and 5.3.2), without a MAC.
    fn tsig(&mut self, signature: &Signature<'_>) -> Result<(), Full> {
        self.put(signature.key_name)?;
        self.put_u16(TYPE_TSIG)?;
        self.put_u16(CLASS_ANY)?;
        self.put(&[0; 4])?;
        let fixed_octets = signature.time_and_fudge.len() + 2 + signature.original_id.len() + 2 + 2;
        #[expect(clippy::cast_possible_truncation, reason = "a name has 255 octets at most")]
        self.put_u16((signature.algorithm.len() + fixed_octets) as u16)?;
        self.put(signature.algorithm)?;
        self.put(signature.time_and_fudge)?;
        self.put_u16(0)?;
        self.put(signature.original_id)?;
        self.put_u16(TSIG_ERROR_BADKEY)?;
        self.put_u16(0)
    }
}

/// The values in random order (Fisher-Yates shuffle, inside-out).
fn shuffled<'z>(records: Records<'z>, rng: &mut SeededRng) -> ArrayVec<Data<'z>, MAX_VALUES> {
    let mut values = ArrayVec::new();
    for (index, data) in (0u32..).zip(records.iter().take(MAX_VALUES)) {
        values.push(data);
        values.swap(rng.below(index + 1) as usize, index as usize);
    }
    values
}

/// Shuffles the last `N` octets of the records, which have `each` octets (Fisher-Yates shuffle).
fn shuffle<const N: usize>(records: &mut [u8], each: usize, rng: &mut SeededRng) {
    let data_at = |index: usize| (index + 1) * each - N..(index + 1) * each;
    for (index, bound) in (0..records.len() / each).zip(1..) {
        let (one, other) = (data_at(index), data_at(rng.below(bound) as usize));
        let (mut kept, mut moved) = ([0; N], [0; N]);
        kept.copy_from_slice(&records[one.clone()]);
        moved.copy_from_slice(&records[other.clone()]);
        records[one].copy_from_slice(&moved);
        records[other].copy_from_slice(&kept);
    }
}

/// Type, class, TTL and RDLENGTH of a record.
fn head_of(part: &Part<'_>, data_octets: usize) -> [u8; HEAD_OCTETS] {
    let [type_high, type_low] = part.records.record_type.code().to_be_bytes();
    let [class_high, class_low] = CLASS_IN.to_be_bytes();
    let [ttl0, ttl1, ttl2, ttl3] = part.records.ttl.to_be_bytes();
    let [length_high, length_low] = length_of(data_octets);
    [type_high, type_low, class_high, class_low, ttl0, ttl1, ttl2, ttl3, length_high, length_low]
}

/// RDLENGTH and OPTION-LENGTH.
fn length_of(data_octets: usize) -> [u8; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "longer data do not fit a message and are not written")]
    (data_octets as u16).to_be_bytes()
}

/// The longest UDP response to a request: the size that the client accepts, at most `most`, at
/// least 512 octets (RFC 6891 section 6.2.5). Without EDNS it is 512 octets.
pub(super) fn udp_limit(edns: Option<&Edns<'_>>, most: u16) -> usize {
    let limit = edns.map_or(MIN_PAYLOAD_OCTETS, |edns| edns.payload_size.min(most));
    usize::from(limit.max(MIN_PAYLOAD_OCTETS))
}
