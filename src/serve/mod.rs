//! Serving: packets in, packets out. Sockets, decode, encode, limits; what the answer is, `answer` decides.

mod decode;

pub use decode::{Decoded, Edns, FaultCode, Request, Signature, SubnetOption, decode};
