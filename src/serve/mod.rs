//! The DNS front end: sockets, message decoding and encoding, and limits.
//!
//! Each packet goes through `decode`, `answer::resolve_into` and `encode`. The `answer` module
//! decides what the answer is.

#[cfg(target_os = "linux")]
mod batch;
mod chaos;
mod clock;
mod cookie;
mod decode;
mod edns;
mod encode;
mod listen;
mod portable;
mod prefetch;
mod rate_limit;
mod respond;
mod tcp;
#[cfg(target_os = "linux")]
mod udp;

pub use cookie::Cookies;
pub use decode::{Decoded, ErrorCode, Request, Signature, decode};
pub use edns::{
    ClientSubnetUse, CookieOption, Edns, ExtendedError, OptionValues, RequestOptions, ResponseOption, ResponseOptions,
    SubnetOption,
};
pub use encode::{Encoded, Frame, encode_answer, encode_error};
pub use listen::{BindError, Bound, Observers, Serving, UdpPath, socket_count};
pub use prefetch::BATCH_PACKETS;
pub use rate_limit::{RateLimit, RateLimitSettings};
pub use respond::{MAX_TCP_OCTETS, MAX_UDP_OCTETS, Received, Responder, ResponderSettings};
pub use tcp::TcpLimits;

pub use crate::requestor::{Requestor, Transport};

#[cfg(test)]
mod socket_tests;
#[cfg(test)]
mod tests;
