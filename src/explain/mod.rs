//! Why a question is answered as it is.
//!
//! The answer is made by the very code that makes it for the wire, with the same dice, while a recorder looks on; what it saw
//! is then put into words with the names that a compiled zone no longer has. Nothing here decides anything about DNS.
//!
//! - [`explain`]: a question and a stage in, an [`Explanation`] out.
//! - [`Stage`]: a world, and what gives its numbers their names.
//! - [`shape`]: what an explanation says.

mod candidates;
mod message;
pub(crate) mod names;
mod recorder;
pub mod shape;
mod shares;
mod story;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::answer::ClientSubnet;
use crate::model::{HealthCheckId, HostedZone, HostedZoneId, LocationNetwork, Name, QueryType, RecordType};
use crate::world::World;

use shape::CheckShape;
pub use shape::Explanation;

/// What is asked, by whom, with which dice.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type: any but those that ask for no records.
    pub query_type: QueryType,
    /// The address that the packet would come from.
    pub resolver: IpAddr,
    /// The client subnet in the packet.
    pub client_subnet: Option<ClientSubnet>,
    /// What the dice are seeded with.
    pub seed: u64,
}

/// A question as people put it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The type.
    pub query_type: QueryType,
    /// The client's address, and the resolver's too when that is not given.
    pub from: Option<IpAddr>,
    /// The client subnet that the resolver sends.
    pub subnet: Option<IpNet>,
    /// The resolver's address.
    pub resolver: Option<IpAddr>,
    /// What the dice are seeded with.
    pub seed: Option<u64>,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked { query_type: RecordType::A.into(), from: None, subnet: None, resolver: None, seed: None }
    }
}

impl Asked {
    /// The packet that would come. Of a client behind a resolver it carries as much as resolvers tell: 24 bits of an IPv4
    /// address, 56 of an IPv6 address (RFC 7871 section 11.1).
    pub fn question(&self, name: Name, seed: u64) -> Question {
        let told = |address: IpAddr| IpNet::new_assert(address, if address.is_ipv4() { 24 } else { 56 });
        let hidden = self.from.filter(|_| self.resolver.is_some()).map(|from| told(from.to_canonical()));
        let subnet = self.subnet.or(hidden).filter(|subnet| subnet.prefix_len() > 0);
        Question {
            name,
            query_type: self.query_type,
            resolver: self.resolver.or(self.from).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            client_subnet: subnet
                .map(|subnet| ClientSubnet { address: subnet.network(), source_prefix: subnet.prefix_len() }),
            seed,
        }
    }
}

/// A world, and what gives its numbers their names.
pub struct Stage<'s> {
    /// What answers.
    pub world: &'s World,
    /// The zone as it was written.
    pub model: &'s dyn Fn(&HostedZoneId) -> Result<Arc<HostedZone>, String>,
    /// A health check as it is now.
    pub checks: &'s dyn Fn(&HealthCheckId) -> Option<CheckShape>,
    /// The user's own places, to say which one it was.
    pub networks: &'s [LocationNetwork],
    /// Whether client subnets are looked at; the settings may say otherwise.
    pub uses_client_subnet: bool,
    /// The longest answer over UDP, octets.
    pub udp_payload_max: u16,
    /// What was supposed, as it was typed.
    pub as_if: &'s [String],
    /// Where zones and health come from, in words.
    pub seen: &'s str,
}

/// What candidates' words need of the client.
struct ClientFacts {
    address: IpAddr,
    is_located: bool,
}

impl ClientFacts {
    /// The block of this length that holds the client.
    fn block(&self, length: u8) -> Option<String> {
        IpNet::new(self.address, length).ok().map(|block| block.trunc().to_string())
    }
}

/// Reads the type of a question: one that has answers to explain.
pub fn query_type(text: &str) -> Result<QueryType, String> {
    match text.parse::<QueryType>() {
        Ok(query_type) if query_type.is_meta() => {
            Err(format!("`{text}` asks for no records of a name, so there is no answer to explain"))
        }
        Ok(query_type) => Ok(query_type),
        Err(_) => {
            let known = RecordType::ALL.map(RecordType::as_str).join(", ");
            Err(format!("`{text}` is no record type: Route 53 has {known}; ANY is answered as well"))
        }
    }
}

/// Answers the question and says why. An error is in words: the zone's records cannot be told any more.
pub fn explain(question: &Question, stage: &Stage<'_>) -> Result<Explanation, String> {
    story::tell(question, stage)
}
