//! How messages carry the answer: over UDP without EDNS, over UDP with EDNS, and over TCP.

use super::json::MessageShape;
use super::{ExplainContext, Question};
use crate::answer::Answer;

/// The longest message over UDP without EDNS (RFC 1035 section 2.3.4).
const UDP_OCTETS: usize = 512;
/// The longest message over TCP, whose length has two octets (RFC 1035 section 4.2.2).
const TCP_OCTETS: usize = 65_535;
/// OPT without options (RFC 6891 section 6.1.2).
const OPT_OCTETS: usize = 11;
/// Code and length of an option, then family and prefix lengths (RFC 7871 section 6); the address
/// follows.
const SUBNET_OCTETS: usize = 4 + 4;

/// The messages that a client may get, the shortest first. A query with a client subnet has EDNS
/// over any transport.
pub(super) fn messages(question: &Question, context: &ExplainContext<'_>, answer: &Answer<'_>) -> Vec<MessageShape> {
    let opt = OPT_OCTETS + subnet_octets(question, context);
    let udp = usize::from(context.udp_payload_max).max(UDP_OCTETS);
    let kinds = match question.client_subnet {
        Some(_) => vec![("UDP with EDNS", udp, opt), ("TCP", TCP_OCTETS, opt)],
        None => vec![("UDP without EDNS", UDP_OCTETS, 0), ("UDP with EDNS", udp, opt), ("TCP", TCP_OCTETS, 0)],
    };
    kinds.into_iter().map(|(transport, max_bytes, opt)| message(question, answer, transport, max_bytes, opt)).collect()
}

/// The client subnet comes back as it was sent, unless the settings ignore it.
fn subnet_octets(question: &Question, context: &ExplainContext<'_>) -> usize {
    let subnet = question.client_subnet.filter(|_| context.uses_client_subnet);
    subnet.map_or(0, |subnet| SUBNET_OCTETS + usize::from(subnet.source_prefix.0).div_ceil(8))
}

fn message(question: &Question, answer: &Answer<'_>, transport: &str, max_bytes: usize, opt: usize) -> MessageShape {
    // Type and class follow the name.
    let question_octets = question.name.wire().len() + 4;
    let size = answer.message_size(question_octets, opt, max_bytes);
    let all = answer.message_size(question_octets, opt, usize::MAX).records;
    let left_out = all.iter().sum::<usize>() - size.records.iter().sum::<usize>();
    let why = match (size.truncated, transport, left_out) {
        (true, "TCP", _) => "truncated (TC): no message can carry this answer, and no client gets it".to_owned(),
        (true, ..) => "truncated (TC): the client repeats the query over TCP".to_owned(),
        (false, _, 0) => "whole".to_owned(),
        (false, _, count) => format!("whole, without {count} optional records"),
    };
    MessageShape {
        transport: transport.to_owned(),
        max_bytes,
        bytes: size.octets,
        truncated: size.truncated,
        records: size.records,
        why,
    }
}
