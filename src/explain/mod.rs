//! Explains why a query gets its answer.
//!
//! The code that answers queries makes the answer, with the same random draw, and a recorder
//! observes it. This module turns the recording into sentences, with the names from the zone's
//! source, since a compiled zone has only numbers. It decides nothing about DNS.
//!
//! - [`explain`]: takes a query and an [`ExplainContext`], returns an [`Explanation`].
//! - [`ExplainContext`]: a world, with the sources that have the names for its numbers.
//! - [`json`]: the explanation as JSON.

mod build;
mod candidates;
pub mod json;
mod message;
pub(crate) mod names;
mod recorder;
mod shares;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::answer::ClientSubnet;
use crate::model::{
    HealthCheckId, HostedZone, HostedZoneId, LocationNetwork, Name, PrefixLength, QueryType, RecordType,
};
use crate::world::World;

use json::CheckShape;
pub use json::Explanation;

/// A query as the server would receive it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type; meta types without records are not allowed.
    pub query_type: QueryType,
    /// The source address of the packet.
    pub resolver: IpAddr,
    /// The client subnet in the packet.
    pub client_subnet: Option<ClientSubnet>,
    /// The seed of the random draw.
    pub seed: u64,
}

/// A query as a user gives it.
#[derive(Clone, Debug)]
pub struct QueryOptions {
    /// The type.
    pub query_type: QueryType,
    /// The client's address; also the resolver's, if that is not given.
    pub from: Option<IpAddr>,
    /// The client subnet that the resolver sends.
    pub subnet: Option<IpNet>,
    /// The resolver's address.
    pub resolver: Option<IpAddr>,
    /// The seed of the random draw.
    pub seed: Option<u64>,
}

impl Default for QueryOptions {
    fn default() -> QueryOptions {
        QueryOptions { query_type: RecordType::A.into(), from: None, subnet: None, resolver: None, seed: None }
    }
}

impl QueryOptions {
    /// The packet that the server would receive. For a client behind a resolver it carries as much
    /// of the address as resolvers send: 24 bits of an IPv4 address, 56 bits of an IPv6 address
    /// (RFC 7871 section 11.1).
    pub fn question(&self, name: Name, seed: u64) -> Question {
        let told = |address: IpAddr| IpNet::new_assert(address, if address.is_ipv4() { 24 } else { 56 });
        let hidden = self.from.filter(|_| self.resolver.is_some()).map(|from| told(from.to_canonical()));
        let subnet = self.subnet.or(hidden).filter(|subnet| subnet.prefix_len() > 0);
        Question {
            name,
            query_type: self.query_type,
            resolver: self.resolver.or(self.from).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            client_subnet: subnet.map(|subnet| ClientSubnet {
                address: subnet.network(),
                source_prefix: PrefixLength(subnet.prefix_len()),
            }),
            seed,
        }
    }
}

/// A world, with the sources that have the names for its numbers.
pub struct ExplainContext<'s> {
    /// The snapshot that answers.
    pub world: &'s World,
    /// Returns the source of a zone.
    pub model: &'s dyn Fn(&HostedZoneId) -> Result<Arc<HostedZone>, String>,
    /// Returns the current state of a health check.
    pub checks: &'s dyn Fn(&HealthCheckId) -> Option<CheckShape>,
    /// The `[[location.network]]` tables of the settings, to name the one that matched.
    pub networks: &'s [LocationNetwork],
    /// True if client subnets are used (`[location] use_client_subnet`).
    pub uses_client_subnet: bool,
    /// The largest response over UDP, in bytes.
    pub udp_payload_max: u16,
    /// The assumptions, as the user gave them.
    pub as_if: &'s [String],
    /// The source of zones and health, in words.
    pub source: &'s str,
}

/// The client, as the sentences about candidates need it.
struct ClientFacts {
    address: IpAddr,
    is_located: bool,
}

impl ClientFacts {
    /// The client's network of this prefix length.
    fn block(&self, length: PrefixLength) -> Option<String> {
        IpNet::new(self.address, length.0).ok().map(|block| block.trunc().to_string())
    }
}

/// Parses the type of a query. The error is a message, also for types without records.
pub fn query_type(text: &str) -> Result<QueryType, String> {
    match text.parse::<QueryType>() {
        Ok(query_type) if query_type.is_meta() => {
            Err(format!("`{text}` is not a type of records, so there is no answer to explain"))
        }
        Ok(query_type) => Ok(query_type),
        Err(_) => {
            let known = RecordType::ALL.map(RecordType::as_str).join(", ");
            Err(format!("`{text}` is not a record type: Route 53 has {known}; ANY can be queried as well"))
        }
    }
}

/// Answers the query and explains the answer. The error is a message: the source of the zone is no
/// longer available.
pub fn explain(question: &Question, context: &ExplainContext<'_>) -> Result<Explanation, String> {
    build::explain(question, context)
}
