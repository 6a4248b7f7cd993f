//! Copies an account: lists, page by page.

use std::borrow::Cow;
use std::collections::HashSet;

use super::connection::{Connection, NoResponse};
use crate::api::documents::{Element, bare, list_tags_request};
use crate::migrate::account::{Account, Item, List};
use crate::migrate::report::{MigrationReport, Place};

/// The most ids of one ListTagsForResources (API TagResourceIdList).
const MOST_TAGGED: usize = 10;
/// The most pages of a list: ten million items of 100 a page.
const MOST_PAGES: usize = 100_000;

/// A list of the API.
#[derive(Clone, Debug)]
struct Listing {
    operation: &'static str,
    path: Cow<'static, str>,
    /// The list in the response.
    list: &'static str,
    /// Elements that say where the next page begins, and the parameters that ask for it.
    next: &'static [(&'static str, &'static str)],
}

const ZONES: Listing = Listing {
    operation: "ListHostedZones",
    path: Cow::Borrowed("/hostedzone"),
    list: "HostedZones",
    next: &[("NextMarker", "marker")],
};
const CHECKS: Listing = Listing {
    operation: "ListHealthChecks",
    path: Cow::Borrowed("/healthcheck"),
    list: "HealthChecks",
    next: &[("NextMarker", "marker")],
};
const DELEGATION_SETS: Listing = Listing {
    operation: "ListReusableDelegationSets",
    path: Cow::Borrowed("/delegationset"),
    list: "DelegationSets",
    next: &[("NextMarker", "marker")],
};
const COLLECTIONS: Listing = Listing {
    operation: "ListCidrCollections",
    path: Cow::Borrowed("/cidrcollection"),
    list: "CidrCollections",
    next: &[("NextToken", "nexttoken")],
};
const POLICIES: Listing = Listing {
    operation: "ListTrafficPolicies",
    path: Cow::Borrowed("/trafficpolicies"),
    list: "TrafficPolicySummaries",
    next: &[("TrafficPolicyIdMarker", "trafficpolicyid")],
};
const INSTANCES: Listing = Listing {
    operation: "ListTrafficPolicyInstances",
    path: Cow::Borrowed("/trafficpolicyinstances"),
    list: "TrafficPolicyInstances",
    next: &[
        ("HostedZoneIdMarker", "hostedzoneid"),
        ("TrafficPolicyInstanceNameMarker", "trafficpolicyinstancename"),
        ("TrafficPolicyInstanceTypeMarker", "trafficpolicyinstancetype"),
    ],
};
const QUERY_LOGGING: Listing = Listing {
    operation: "ListQueryLoggingConfigs",
    path: Cow::Borrowed("/queryloggingconfig"),
    list: "QueryLoggingConfigs",
    next: &[("NextToken", "nexttoken")],
};

fn record_sets_of(zone: &str) -> Listing {
    Listing {
        operation: "ListResourceRecordSets",
        path: format!("/hostedzone/{zone}/rrset").into(),
        list: "ResourceRecordSets",
        next: &[("NextRecordName", "name"), ("NextRecordType", "type"), ("NextRecordIdentifier", "identifier")],
    }
}

fn blocks_of(collection: &str) -> Listing {
    Listing {
        operation: "ListCidrBlocks",
        path: format!("/cidrcollection/{collection}/cidrblocks").into(),
        list: "CidrBlocks",
        next: &[("NextToken", "nexttoken")],
    }
}

fn versions_of(policy: &str) -> Listing {
    Listing {
        operation: "ListTrafficPolicyVersions",
        path: format!("/trafficpolicies/{policy}/versions").into(),
        list: "TrafficPolicies",
        next: &[("TrafficPolicyVersionMarker", "trafficpolicyversion")],
    }
}

/// Copies all objects that have a counterpart here, and calls `progress` with a line for each step.
///
/// # Errors
///
/// The first request that fails. A list that the server does not have, or that the key must not
/// read, is reported instead, if a zone can be copied without it.
pub(crate) async fn copy(
    connection: &Connection,
    progress: &dyn Fn(&str),
    report: &mut MigrationReport,
) -> Result<Account, NoResponse> {
    let mut account = Account::default();
    let zones = connection.items(&ZONES).await?;
    progress(&format!("hosted zones: {}", zones.len()));
    account.health_checks = connection.items(&CHECKS).await?;
    progress(&format!("health checks: {}", account.health_checks.len()));
    account.delegation_sets = connection.optional(&DELEGATION_SETS, report).await?;
    account.collections = connection.optional(&COLLECTIONS, report).await?;
    for collection in &account.collections {
        let id = id_of(collection);
        account.blocks.push(connection.list(id, &blocks_of(id)).await?);
    }
    for policy in connection.optional(&POLICIES, report).await? {
        account.policy_versions.extend(connection.items(&versions_of(id_of(&policy))).await?);
    }
    account.policy_instances = connection.optional(&INSTANCES, report).await?;
    account.query_logging = connection.optional(&QUERY_LOGGING, report).await?;
    for (kind, items) in [("hostedzone", &zones), ("healthcheck", &account.health_checks)] {
        let ids: Vec<&str> = items.iter().map(id_of).collect();
        account.tag_sets.extend(connection.tags(kind, &ids).await?);
    }
    for (at, zone) in zones.iter().enumerate() {
        let id = id_of(zone);
        let path = format!("/hostedzone/{id}");
        let details = connection.get("GetHostedZone", &path, &[]).await?;
        account.zone_details.push(Item { element: details, place: connection.place(&path) });
        let list = connection.list(id, &record_sets_of(id)).await?;
        let name = zone.element.text_of("Name").unwrap_or_default();
        progress(&format!("{}/{} {name} record sets: {}", at + 1, zones.len(), list.items.len()));
        account.record_sets.push(list);
    }
    account.hosted_zones = zones;
    Ok(account)
}

/// The id, without the kind that the ids of some objects begin with.
fn id_of(item: &Item) -> &str {
    bare(item.element.text_of("Id").unwrap_or_default())
}

impl Connection {
    fn place(&self, path: &str) -> Place {
        Place::whole(format!("{}{path}", self.endpoint()))
    }

    /// The list that belongs to an object.
    async fn list(&self, owner: &str, listing: &Listing) -> Result<List, NoResponse> {
        let items = self.items(listing).await?;
        Ok(List { owner: owner.to_owned(), place: self.place(&listing.path), items })
    }

    /// All items of a list.
    async fn items(&self, listing: &Listing) -> Result<Vec<Item>, NoResponse> {
        let (mut items, mut query): (Vec<Item>, Vec<(&str, String)>) = Default::default();
        let mut asked = HashSet::new();
        while asked.len() < MOST_PAGES && asked.insert(query.clone()) {
            let page = self.get(listing.operation, &listing.path, &query).await?;
            let listed = page.child(listing.list).map(Element::children).unwrap_or_default();
            let place = self.place(&listing.path);
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
    async fn optional(&self, listing: &Listing, report: &mut MigrationReport) -> Result<Vec<Item>, NoResponse> {
        match self.items(listing).await {
            Err(error) if error.lacks_operation() => {
                report.add(&self.place(&listing.path), format!("nothing of this list is copied: {error}"));
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
            let response = self.post("ListTagsForResources", &path, list_tags_request(ids)).await?;
            let sets = response.child("ResourceTagSets").map(Element::children).unwrap_or_default();
            items.extend(sets.iter().map(|set| Item { element: set.clone(), place: self.place(&path) }));
        }
        Ok(items)
    }
}
