//! Computes the length of a response and which parts fit, as the encoder does, without encoding it.

use super::{Answer, Owner, Part, Presence};

/// RFC 1035 section 4.1.1.
const HEADER_OCTETS: usize = 12;
/// A compression pointer (RFC 1035 section 4.1.4).
const POINTER_OCTETS: usize = 2;
/// Type, class, TTL and RDLENGTH of a record (RFC 1035 section 4.1.3).
const RECORD_HEAD_OCTETS: usize = 10;

/// How much of an answer is in a message of limited length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSize {
    /// The length of the message.
    pub octets: usize,
    /// Whether it has the TC bit: a required part does not fit.
    pub truncated: bool,
    /// The number of records in the answer, authority and additional sections, without OPT.
    pub records: [usize; 3],
}

impl Answer<'_> {
    /// The size of a message of at most `most_octets` with this answer, a question of
    /// `question_octets` and an OPT record of `opt_octets`, which is 0 without EDNS.
    #[must_use]
    pub fn message_size(&self, question_octets: usize, opt_octets: usize, most_octets: usize) -> MessageSize {
        let octets = HEADER_OCTETS + question_octets + opt_octets;
        let mut size = MessageSize { octets, truncated: false, records: [0; 3] };
        let (authority, additional) = self.closing_parts();
        let sections = [self.answer.as_slice(), authority.as_slice(), &additional];
        for (records, parts) in size.records.iter_mut().zip(sections) {
            // A record set is included completely or not at all (RFC 2181 section 5.1).
            for set in parts.chunk_by(Part::is_of_same_set) {
                let after = size.octets + set.iter().map(Part::octets).sum::<usize>();
                if after <= most_octets {
                    size.octets = after;
                    *records += set.iter().map(|part| usize::from(part.records.count)).sum::<usize>();
                } else if set[0].presence == Presence::Required {
                    size.truncated = true;
                    return size;
                }
            }
        }
        size
    }
}

impl Part<'_> {
    /// Whether both are parts of one RRset, as in multivalue answers.
    #[inline]
    pub(crate) fn is_of_same_set(&self, other: &Part<'_>) -> bool {
        let same_owner = || match (self.owner, other.owner) {
            (Owner::Question, Owner::Question) => true,
            // Empty slices are not passed to memcmp: an implementation with AVX-512 masked loads
            // spends hundreds of cycles on their dangling address.
            (Owner::InZone(one), Owner::InZone(other)) => one.len() == other.len() && (one.is_empty() || one == other),
            _ => false,
        };
        self.records.record_type == other.records.record_type && same_owner()
    }

    /// The length of its records in a message.
    fn octets(&self) -> usize {
        let owner = match self.owner {
            Owner::Question => POINTER_OCTETS,
            Owner::InZone(labels) => labels.len() + POINTER_OCTETS,
        };
        self.records.iter().map(|data| owner + RECORD_HEAD_OCTETS + data.bytes.len()).sum()
    }
}
