//! Copies an account: lists, page by page.

use std::collections::HashSet;

use super::connection::{Connection, NoResponse};
use crate::api::documents::{Element, bare};
use crate::migrate::account::{Account, Item, List};
use crate::migrate::report::{MigrationReport, Place};

/// The most ids of one ListTagsForResources (API TagResourceIdList).
const MOST_TAGGED: usize = 10;
/// The most pages of a list: ten million items of 100 a page.
const MOST_PAGES: usize = 100_000;

/// A list of the API.
#[derive(Clone, Copy)]
struct Listing {
    operation: &'static str,
    path: &'static str,
    /// The list in the response.
    list: &'static str,
    /// Elements that say where the next page begins, and the parameters that ask for it.
    next: &'static [(&'static str, &'static str)],
}

const ZONES: Listing = Listing {
    operation: "ListHostedZones",
    path: "/hostedzone",
    list: "HostedZones",
    next: &[("NextMarker", "marker")],
};
const CHECKS: Listing = Listing {
    operation: "ListHealthChecks",
    path: "/healthcheck",
    list: "HealthChecks",
    next: &[("NextMarker", "marker")],
};
const DELEGATION_SETS: Listing = Listing {
    operation: "ListReusableDelegationSets",
    path: "/delegationset",
    list: "DelegationSets",
    next: &[("NextMarker", "marker")],
};
const COLLECTIONS: Listing = Listing {
    operation: "ListCidrCollections",
    path: "/cidrcollection",
    list: "CidrCollections",
    next: &[("NextToken", "nexttoken")],
};
const POLICIES: Listing = Listing {
    operation: "ListTrafficPolicies",
    path: "/trafficpolicies",
    list: "TrafficPolicySummaries",
    next: &[("TrafficPolicyIdMarker", "trafficpolicyid")],
};
const INSTANCES: Listing = Listing {
    operation: "ListTrafficPolicyInstances",
    path: "/trafficpolicyinstances",
    list: "TrafficPolicyInstances",
    next: &[
        ("HostedZoneIdMarker", "hostedzoneid"),
        ("TrafficPolicyInstanceNameMarker", "trafficpolicyinstancename"),
        ("TrafficPolicyInstanceTypeMarker", "trafficpolicyinstancetype"),
    ],
};
const QUERY_LOGGING: Listing = Listing {
    operation: "ListQueryLoggingConfigs",
    path: "/queryloggingconfig",
    list: "QueryLoggingConfigs",
    next: &[("NextToken", "nexttoken")],
};
const RECORD_SETS: Listing = Listing {
    operation: "ListResourceRecordSets",
    path: "",
    list: "ResourceRecordSets",
    next: &[("NextRecordName", "name"), ("NextRecordType", "type"), ("NextRecordIdentifier", "identifier")],
};
const BLOCKS: Listing =
    Listing { operation: "ListCidrBlocks", path: "", list: "CidrBlocks", next: &[("NextToken", "nexttoken")] };
const VERSIONS: Listing = Listing {
    operation: "ListTrafficPolicyVersions",
    path: "",
    list: "TrafficPolicies",
    next: &[("TrafficPolicyVersionMarker", "trafficpolicyversion")],
};

/// Copies all that has a counterpart. `progress` is told what is done.
///
/// # Errors
///
/// The first response that is missing, but for operations that the server does not have.
pub(crate) async fn copy(
    connection: &Connection,
    progress: &dyn Fn(&str),
    report: &mut MigrationReport,
) -> Result<Account, NoResponse> {
    let mut account = Account::default();
    let zones = connection.items(&ZONES, ZONES.path).await?;
    progress(&format!("hosted zones: {}", zones.len()));
    account.health_checks = connection.items(&CHECKS, CHECKS.path).await?;
    progress(&format!("health checks: {}", account.health_checks.len()));
    account.delegation_sets = connection.optional(&DELEGATION_SETS, DELEGATION_SETS.path, report).await?;
    account.collections = connection.optional(&COLLECTIONS, COLLECTIONS.path, report).await?;
    for collection in &account.collections {
        let id = collection.element.text_of("Id").unwrap_or_default();
        let path = format!("/cidrcollection/{id}/cidrblocks");
        let items = connection.items(&BLOCKS, &path).await?;
        account.blocks.push(List { owner: id.to_owned(), place: connection.place(&path), items });
    }
    for policy in connection.optional(&POLICIES, POLICIES.path, report).await? {
        let path = format!("/trafficpolicies/{}/versions", policy.element.text_of("Id").unwrap_or_default());
        account.policy_versions.extend(connection.items(&VERSIONS, &path).await?);
    }
    account.policy_instances = connection.optional(&INSTANCES, INSTANCES.path, report).await?;
    account.query_logging = connection.optional(&QUERY_LOGGING, QUERY_LOGGING.path, report).await?;
    for kind in ["hostedzone", "healthcheck"] {
        let items = if kind == "hostedzone" { &zones } else { &account.health_checks };
        let ids: Vec<&str> = items.iter().filter_map(|item| item.element.text_of("Id").map(bare)).collect();
        account.tag_sets.extend(connection.tags(kind, &ids).await?);
    }
    for (at, zone) in zones.iter().enumerate() {
        let id = bare(zone.element.text_of("Id").unwrap_or_default());
        let path = format!("/hostedzone/{id}");
        let details = connection.get("GetHostedZone", &path, &[]).await?;
        account.zone_details.push(Item { element: details, place: connection.place(&path) });
        let path = format!("{path}/rrset");
        let items = connection.items(&RECORD_SETS, &path).await?;
        let name = zone.element.text_of("Name").unwrap_or_default();
        progress(&format!("{}/{} {name} record sets: {}", at + 1, zones.len(), items.len()));
        account.record_sets.push(List { owner: id.to_owned(), place: connection.place(&path), items });
    }
    account.hosted_zones = zones;
    Ok(account)
}

impl Connection {
    fn place(&self, path: &str) -> Place {
        Place::whole(format!("{}{path}", self.endpoint()))
    }

    /// All items of a list.
    async fn items(&self, listing: &Listing, path: &str) -> Result<Vec<Item>, NoResponse> {
        let (mut items, mut query): (Vec<Item>, Vec<(&str, String)>) = Default::default();
        let mut asked = HashSet::new();
        while asked.len() < MOST_PAGES && asked.insert(query.clone()) {
            let page = self.get(listing.operation, path, &query).await?;
            let listed = page.child(listing.list).map(Element::children).unwrap_or_default();
            let place = self.place(path);
            items.extend(listed.iter().map(|element| Item { element: element.clone(), place: place.clone() }));
            let is_last = page.text_of("IsTruncated").map(str::trim) == Some("false");
            let next = listing.next.iter().filter_map(|(element, parameter)| {
                let value = page.text_of(element).filter(|value| !value.is_empty())?;
                Some((*parameter, value.to_owned()))
            });
            let next: Vec<(&str, String)> = next.collect();
            if is_last || next.is_empty() || next == query || listed.is_empty() {
                return Ok(items);
            }
            query = next;
        }
        // It goes back to a page that it sent before.
        Err(NoResponse::Endless { operation: listing.operation.to_owned(), endpoint: self.endpoint().to_owned() })
    }

    /// The same for operations that a server may not have.
    async fn optional(
        &self,
        listing: &Listing,
        path: &str,
        report: &mut MigrationReport,
    ) -> Result<Vec<Item>, NoResponse> {
        match self.items(listing, path).await {
            Err(error) if error.is_of_operation() => {
                report.add(&self.place(path), format!("nothing of this list is copied: {error}"));
                Ok(Vec::new())
            }
            outcome => outcome,
        }
    }

    /// The `ResourceTagSet` of each id.
    async fn tags(&self, kind: &str, ids: &[&str]) -> Result<Vec<Item>, NoResponse> {
        let path = format!("/tags/{kind}");
        let mut items = Vec::new();
        for ids in ids.chunks(MOST_TAGGED) {
            let ids: String = ids.iter().map(|id| format!("<ResourceId>{id}</ResourceId>")).collect();
            let body = format!(
                "<ListTagsForResourcesRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceIds>{ids}\
                 </ResourceIds></ListTagsForResourcesRequest>"
            );
            let response = self.post("ListTagsForResources", &path, body).await?;
            let sets = response.child("ResourceTagSets").map(Element::children).unwrap_or_default();
            items.extend(sets.iter().map(|set| Item { element: set.clone(), place: self.place(&path) }));
        }
        Ok(items)
    }
}
