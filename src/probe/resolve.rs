//! The address of a domain name, before each probe and off its clock.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::model::AddressFamily;

use super::Finding;

/// Each lookup that runs holds a thread until the system's resolver gives up, which may be long after we did. tokio has
/// 512 such threads; this leaves most of them to others.
const LOOKUPS_AT_ONCE: usize = 128;

/// Looks names up by the system's resolver.
#[derive(Debug)]
pub(super) struct Resolver {
    lookups: Arc<Semaphore>,
}

impl Default for Resolver {
    fn default() -> Resolver {
        Resolver { lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)) }
    }
}

impl Resolver {
    /// The name's first address of a family; Route 53 asks IPv4 only (API FullyQualifiedDomainName). Waiting for a free
    /// thread is our own affair and not on the clock.
    pub(super) async fn address(&self, name: &str, family: AddressFamily, within: Duration) -> Result<IpAddr, Finding> {
        let permit = Arc::clone(&self.lookups).acquire_owned().await.expect("the semaphore is never closed");
        let wanted = name.to_owned();
        // A task of its own, so that the permit is given back when the thread is free and not when we stop waiting.
        let lookup: JoinHandle<std::io::Result<Vec<SocketAddr>>> = tokio::spawn(async move {
            let addresses = tokio::net::lookup_host((wanted, 0)).await.map(Iterator::collect);
            drop(permit);
            addresses
        });
        match timeout(within, lookup).await {
            Ok(Ok(Ok(addresses))) => first_of(name, family, &addresses),
            Ok(Ok(Err(error))) => Err(Finding::Unresolved(error.to_string())),
            Ok(Err(stopped)) => Err(Finding::Unresolved(stopped.to_string())),
            Err(_) => Err(Finding::Unresolved(format!("no answer for {name} within the timeout limit"))),
        }
    }
}

fn first_of(name: &str, family: AddressFamily, addresses: &[SocketAddr]) -> Result<IpAddr, Finding> {
    let (is_wanted, what): (fn(&IpAddr) -> bool, _) = match family {
        AddressFamily::Ipv4 => (IpAddr::is_ipv4, "IPv4"),
        AddressFamily::Ipv6 => (IpAddr::is_ipv6, "IPv6"),
    };
    let found = addresses.iter().map(SocketAddr::ip).find(is_wanted);
    found.ok_or_else(|| Finding::Unresolved(format!("{name} has no {what} address")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressFamily::{Ipv4, Ipv6};

    #[test]
    fn the_first_address_of_the_family_counts_and_no_other() {
        let addresses: Vec<SocketAddr> =
            ["[::1]:0", "192.0.2.1:0", "192.0.2.2:0"].map(|address| address.parse().unwrap()).to_vec();
        assert_eq!(first_of("a", Ipv4, &addresses), Ok("192.0.2.1".parse().unwrap()));
        assert_eq!(first_of("a", Ipv6, &addresses), Ok("::1".parse().unwrap()));
        let none = |family: &str| Err(Finding::Unresolved(format!("a has no {family} address")));
        assert_eq!(first_of("a", Ipv4, &addresses[..1]), none("IPv4"));
        assert_eq!(first_of("a", Ipv6, &addresses[1..]), none("IPv6"));
    }

    #[tokio::test]
    async fn a_literal_address_resolves_to_itself() {
        let (resolver, within) = (Resolver::default(), Duration::from_secs(5));
        assert_eq!(resolver.address("127.0.0.1", Ipv4, within).await, Ok("127.0.0.1".parse().unwrap()));
        assert_eq!(resolver.address("::1", Ipv6, within).await, Ok("::1".parse().unwrap()));
    }
}
