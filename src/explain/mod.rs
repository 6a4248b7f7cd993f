//! Why a question is answered as it is.
//!
//! The answer is made by the very code that makes it for the wire, with the same dice, while a recorder looks on; what it saw
//! is then put into words with the names that a compiled zone no longer has. Nothing here decides anything about DNS.
//!
//! - [`explain`]: a question and a stage in, an [`Explanation`] out.
//! - [`Stage`]: a world, and what gives its numbers their names.
//! - [`shape`]: what an explanation says.

mod candidates;
mod names;
mod recorder;
pub mod shape;
mod shares;
mod story;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::answer::ClientSubnet;
use crate::model::{HealthCheckId, HostedZone, HostedZoneId, LocationNetwork, Name, RecordType};
use crate::world::World;

use shape::CheckShape;
pub use shape::Explanation;

/// What is asked, by whom, with which dice.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type.
    pub record_type: RecordType,
    /// The address that the packet would come from.
    pub resolver: IpAddr,
    /// The client subnet in the packet.
    pub client_subnet: Option<ClientSubnet>,
    /// What the dice are seeded with.
    pub seed: u64,
}

/// A world, and what gives its numbers their names.
pub struct Stage<'s> {
    /// What answers.
    pub world: &'s World,
    /// The zone as it was written.
    pub model: &'s dyn Fn(&HostedZoneId) -> Result<std::sync::Arc<HostedZone>, String>,
    /// A health check as it is now.
    pub checks: &'s dyn Fn(&HealthCheckId) -> Option<CheckShape>,
    /// The user's own places, to say which one it was.
    pub networks: &'s [LocationNetwork],
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
        ipnet::IpNet::new(self.address, length).ok().map(|block| block.trunc().to_string())
    }
}

/// Answers the question and says why. An error is in words: the zone's records cannot be told any more.
pub fn explain(question: &Question, stage: &Stage<'_>) -> Result<Explanation, String> {
    story::tell(question, stage)
}
