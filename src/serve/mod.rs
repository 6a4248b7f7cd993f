//! Serving: packets in, packets out. Sockets, decode, encode, limits; what the answer is, `answer` decides.

mod decode;
mod encode;
mod respond;

pub use decode::{Decoded, Edns, FaultCode, Request, Signature, SubnetOption, decode};
pub use encode::{Encoded, Frame, encode_answer, encode_fault};
pub use respond::{ClientSubnetUse, MAX_TCP_OCTETS, MAX_UDP_OCTETS, Responder, ResponderSettings};

pub use crate::stats::Transport;

#[cfg(test)]
mod tests;
