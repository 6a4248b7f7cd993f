//! The address of a domain name, before each probe and off its clock.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

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
    /// The first IPv4 address of the name: by name, endpoints are asked over IPv4 only (API FullyQualifiedDomainName).
    /// Waiting for a free thread is our own affair and not on the clock.
    pub(super) async fn ipv4(&self, name: &str, within: Duration) -> Result<IpAddr, Finding> {
        let permit = Arc::clone(&self.lookups).acquire_owned().await.expect("the semaphore is never closed");
        let wanted = name.to_owned();
        // A task of its own, so that the permit is given back when the thread is free and not when we stop waiting.
        let lookup: JoinHandle<std::io::Result<Vec<SocketAddr>>> = tokio::spawn(async move {
            let addresses = tokio::net::lookup_host((wanted, 0)).await.map(Iterator::collect);
            drop(permit);
            addresses
        });
        match timeout(within, lookup).await {
            Ok(Ok(Ok(addresses))) => first_ipv4(name, &addresses),
            Ok(Ok(Err(error))) => Err(Finding::Unresolved(error.to_string())),
            Ok(Err(stopped)) => Err(Finding::Unresolved(stopped.to_string())),
            Err(_) => Err(Finding::Unresolved(format!("no answer for {name} within the timeout limit"))),
        }
    }
}

fn first_ipv4(name: &str, addresses: &[SocketAddr]) -> Result<IpAddr, Finding> {
    let found = addresses.iter().map(SocketAddr::ip).find(IpAddr::is_ipv4);
    found.ok_or_else(|| Finding::Unresolved(format!("{name} has no IPv4 address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ipv4_address_counts_and_ipv6_does_not() {
        let addresses: Vec<SocketAddr> =
            ["[::1]:0", "192.0.2.1:0", "192.0.2.2:0"].map(|address| address.parse().unwrap()).to_vec();
        assert_eq!(first_ipv4("a", &addresses), Ok("192.0.2.1".parse().unwrap()));
        let none = Err(Finding::Unresolved("a has no IPv4 address".to_owned()));
        assert_eq!(first_ipv4("a", &addresses[..1]), none);
    }

    #[tokio::test]
    async fn a_literal_address_resolves_to_itself() {
        let found = Resolver::default().ipv4("127.0.0.1", Duration::from_secs(5)).await;
        assert_eq!(found, Ok("127.0.0.1".parse().unwrap()));
    }
}
