//! The objects of an account, from elements of the API that come in any order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::draft::{ZoneDraft, set_in_words};
use super::inventory::Inventory;
use super::report::{MigrationReport, Place};
use crate::api::documents::{Element, bare, free_name, read_health_check, read_record_set};
use crate::config::DnsSettings;
use crate::model::{
    CidrCollection, CidrCollectionId, DelegationSet, DelegationSetId, HealthCheck, HostedZone, HostedZoneId, Name,
    PolicyVersion, QueryLoggingConfig, Region, Tags, TrafficPolicy, TrafficPolicyId, TrafficPolicyInstance, VpcId,
    ZoneAttachments,
};

/// An element, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) element: Element,
    pub(super) place: Place,
}

/// A list that does not say which object it belongs to.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// The id of the object, or a file name that has it or its name.
    pub(super) owner: String,
    pub(super) place: Place,
    pub(super) items: Vec<Item>,
}

/// Elements of the API, as they were read.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// `HostedZone`.
    pub(super) hosted_zones: Vec<Item>,
    /// Answers to GetHostedZone: `HostedZone`, `VPCs`, `DelegationSet`.
    pub(super) zone_details: Vec<Item>,
    /// `ResourceRecordSet`, of hosted zones.
    pub(super) record_sets: Vec<List>,
    /// `HealthCheck`.
    pub(super) health_checks: Vec<Item>,
    /// `ResourceTagSet`.
    pub(super) tag_sets: Vec<Item>,
    /// `CidrCollection`.
    pub(super) collections: Vec<Item>,
    /// `CidrBlock`, of collections.
    pub(super) blocks: Vec<List>,
    /// `DelegationSet`.
    pub(super) delegation_sets: Vec<Item>,
    /// `TrafficPolicy`.
    pub(super) policy_versions: Vec<Item>,
    /// `TrafficPolicyInstance`.
    pub(super) policy_instances: Vec<Item>,
    /// `QueryLoggingConfig`.
    pub(super) query_logging: Vec<Item>,
}

/// What is made of them so far.
struct Builder<'b> {
    report: &'b mut MigrationReport,
    /// Tags by kind and id.
    tags: HashMap<(String, String), Tags>,
    drafts: Vec<ZoneDraft>,
    inventory: Inventory,
}

impl Account {
    /// The objects, and in `report` what has no counterpart.
    pub(crate) fn inventory(self, dns: &DnsSettings, report: &mut MigrationReport) -> Inventory {
        let mut builder = Builder { report, tags: HashMap::new(), drafts: Vec::new(), inventory: Inventory::default() };
        self.tag_sets.iter().for_each(|item| builder.tag_set(item));
        builder.health_checks(&self.health_checks);
        self.collections.iter().for_each(|item| builder.collection(item));
        self.blocks.iter().for_each(|list| builder.blocks(list));
        self.delegation_sets.iter().for_each(|item| builder.delegation_set(item));
        self.policy_versions.iter().for_each(|item| builder.policy_version(item));
        builder.zones(&self.hosted_zones, &self.zone_details);
        self.query_logging.iter().for_each(|item| builder.query_logging(item));
        self.policy_instances.iter().for_each(|item| builder.policy_instance(item));
        self.record_sets.into_iter().for_each(|list| builder.record_sets(list));
        builder.finish(dns)
    }
}

impl Builder<'_> {
    fn tag_set(&mut self, item: &Item) {
        let element = &item.element;
        let kind = element.text_of("ResourceType").unwrap_or_default().to_owned();
        let id = bare(element.text_of("ResourceId").unwrap_or_default()).to_owned();
        let tags = element.child("Tags").map(Element::children).unwrap_or_default().iter().filter_map(|tag| {
            Some((tag.text_of("Key")?.to_owned(), tag.text_of("Value").unwrap_or_default().to_owned()))
        });
        self.tags.entry((kind, id)).or_default().extend(tags);
    }

    fn tags_of(&self, kind: &str, id: &str) -> Tags {
        self.tags.get(&(kind.to_owned(), id.to_owned())).cloned().unwrap_or_default()
    }

    /// Calculated checks come last, because they refer to others.
    fn health_checks(&mut self, items: &[Item]) {
        let is_calculated = |item: &&Item| {
            let config = item.element.child("HealthCheckConfig");
            config.and_then(|config| config.text_of("Type")) == Some("CALCULATED")
        };
        let (calculated, others): (Vec<&Item>, Vec<&Item>) = items.iter().partition(is_calculated);
        for Item { element, place } in others.into_iter().chain(calculated) {
            let id = element.text_of("Id").unwrap_or_default();
            if self.inventory.health_checks.iter().any(|check| check.id.0 == id) {
                continue;
            }
            let tags = self.tags_of("healthcheck", id);
            // The console shows the tag `Name` as the name of a check.
            let wanted = tags.get("Name").map(String::as_str).or(element.text_of("CallerReference"));
            let name = free_name(wanted.unwrap_or_default(), id, &self.inventory.health_checks);
            let read = match read_health_check(element, &name, &self.inventory.health_checks) {
                Ok(read) => read,
                Err(error) => {
                    self.report.add(place, format!("the health check {id} is left out: {error}"));
                    continue;
                }
            };
            if read.is_alarm {
                let message = format!(
                    "the health check {name} depends on a CloudWatch alarm: it becomes a manual check, healthy"
                );
                let hint = "a check of type \"metric\" compares the result of a Prometheus query";
                self.report.add(place, message).hint(hint);
            }
            let config = element.child("HealthCheckConfig");
            if config.and_then(|config| config.text_of("Type")) == Some("RECOVERY_CONTROL") {
                let message = format!("the state of the health check {name} is not known: it becomes healthy");
                self.report.add(place, message).hint("`status` of the manual check sets it");
            }
            if let Some(service) = element.child("LinkedService").and_then(|linked| linked.text_of("ServicePrincipal"))
            {
                self.report.add(
                    place,
                    format!("the health check {name} was made by {service}, which does not manage it here"),
                );
            }
            self.inventory.health_checks.push(HealthCheck { tags, ..read.check });
        }
    }

    fn collection(&mut self, item: &Item) {
        let text = |name| item.element.text_of(name).map(str::to_owned);
        let (Some(id), Some(name)) = (text("Id"), text("Name")) else {
            self.report.add(&item.place, "a CIDR collection needs an Id and a Name");
            return;
        };
        if self.inventory.cidr_collections.iter().any(|collection| collection.id.0 == id) {
            return;
        }
        let version = item.element.text_of("Version").and_then(|version| version.parse().ok()).unwrap_or(1);
        let id = CidrCollectionId(id);
        self.inventory.cidr_collections.push(CidrCollection {
            id,
            name,
            caller_reference: None,
            version,
            locations: Vec::new(),
        });
    }

    /// The blocks of the collection that the list names, or of the only one.
    fn blocks(&mut self, list: &List) {
        let collections = &mut self.inventory.cidr_collections;
        let is_only = collections.len() == 1;
        let by_id = collections.iter().position(|collection| has_word(&list.owner, &collection.id.0));
        let at = by_id
            .or_else(|| collections.iter().position(|collection| is_only || has_word(&list.owner, &collection.name)));
        let Some(collection) = at.map(|at| &mut collections[at]) else {
            let hint = "give the file of `aws route53 list-cidr-collections` too, and put the id or the name of the \
                        collection into the name of this file";
            self.report.add(&list.place, "it is not known which CIDR collection these blocks belong to").hint(hint);
            return;
        };
        let mut locations: BTreeMap<String, Vec<ipnet::IpNet>> =
            std::mem::take(&mut collection.locations).into_iter().collect();
        for Item { element, place } in &list.items {
            let block = element.text_of("CidrBlock").unwrap_or_default();
            let location = element.text_of("LocationName").unwrap_or_default();
            match block.parse::<ipnet::IpNet>() {
                Ok(block) if !location.is_empty() => {
                    let blocks = locations.entry(location.to_owned()).or_default();
                    if !blocks.contains(&block) {
                        blocks.push(block);
                    }
                }
                _ => drop(self.report.add(place, format!("`{block}` is not a CIDR block with a location"))),
            }
        }
        collection.locations = locations.into_iter().collect();
    }

    fn delegation_set(&mut self, item: &Item) {
        let element = &item.element;
        let id = bare(element.text_of("Id").unwrap_or_default());
        let servers = element.child("NameServers").map(Element::children).unwrap_or_default();
        // Some servers list the name servers of each zone, without an id.
        if id.is_empty() {
            return;
        }
        let name_servers: Option<Vec<Name>> = servers.iter().map(|server| Name::parse(server.text()).ok()).collect();
        match name_servers {
            Some(servers) if servers.iter().any(super::draft::is_amazons_server) => {
                let message = format!("the reusable delegation set {id} is left out: it has Amazon's name servers");
                let hint = "`[dns] name_servers` in the settings names those of this server, for all zones";
                self.report.add(&item.place, message).hint(hint);
            }
            Some(name_servers) if !name_servers.is_empty() => {
                let caller_reference = element.text_of("CallerReference").filter(|text| *text != id).map(str::to_owned);
                let id = DelegationSetId(id.to_owned());
                self.inventory.delegation_sets.push(DelegationSet {
                    id,
                    caller_reference,
                    hosted_zone: None,
                    name_servers,
                });
            }
            _ => drop(self.report.add(&item.place, "the reusable delegation set is left out: it has no name servers")),
        }
    }

    fn policy_version(&mut self, item: &Item) {
        let text = |name| item.element.text_of(name).map(str::to_owned);
        let number = text("Version").and_then(|version| version.parse().ok());
        let (Some(id), Some(name), Some(document), Some(number)) = (text("Id"), text("Name"), text("Document"), number)
        else {
            self.report.add(&item.place, "the traffic policy is left out: it needs an Id, Version, Name and Document");
            return;
        };
        let version = PolicyVersion { number, comment: text("Comment"), document, is_deleted: false };
        let policies = &mut self.inventory.traffic_policies;
        let at = policies.iter().position(|policy| policy.id.0 == id).unwrap_or_else(|| {
            policies.push(TrafficPolicy { id: TrafficPolicyId(id), name, versions: Vec::new() });
            policies.len() - 1
        });
        let versions = &mut policies[at].versions;
        if !versions.iter().any(|other| other.number == number) {
            versions.push(version);
            versions.sort_by_key(|version| version.number);
        }
    }

    fn zones(&mut self, listed: &[Item], details: &[Item]) {
        let mut details_of: HashMap<&str, &Item> = HashMap::new();
        for item in details {
            let id = item.element.child("HostedZone").and_then(|zone| zone.text_of("Id")).map(bare).unwrap_or_default();
            details_of.insert(id, item);
        }
        let listed = listed.iter().map(|item| (&item.element, &item.place));
        let detailed = details.iter().filter_map(|item| Some((item.element.child("HostedZone")?, &item.place)));
        for (element, place) in listed.chain(detailed) {
            let id = bare(element.text_of("Id").unwrap_or_default());
            if self.drafts.iter().any(|draft| draft.source_id.0 == id) {
                continue;
            }
            match self.zone(element, id, place, details_of.get(id).map(|item| &item.element)) {
                Ok(draft) => self.drafts.push(draft),
                Err(message) => drop(self.report.add(place, message)),
            }
        }
    }

    fn zone(
        &mut self,
        element: &Element,
        id: &str,
        place: &Place,
        details: Option<&Element>,
    ) -> Result<ZoneDraft, String> {
        let written = element.text_of("Name").unwrap_or_default();
        let name = Name::parse(written).map_err(|error| format!("the hosted zone `{written}` is left out: {error}"))?;
        if id.is_empty() {
            return Err(format!("the hosted zone {name} is left out: it has no Id"));
        }
        let config = element.child("Config");
        let text = |name| config.and_then(|config| config.text_of(name)).filter(|text| !text.is_empty());
        let vpcs = details.and_then(|details| details.child("VPCs")).map(Element::children).unwrap_or_default();
        if text("PrivateZone") == Some("true") && vpcs.is_empty() {
            return Err(format!(
                "the private hosted zone {name} is left out, because its VPCs are not known: `aws route53 get-hosted-zone \
                 --id {id}` has them"
            ));
        }
        let mut draft = ZoneDraft::new(name, place.clone());
        draft.source_id = HostedZoneId(id.to_owned());
        let zone = &mut draft.zone;
        zone.comment = text("Comment").map(str::to_owned);
        zone.caller_reference = element.text_of("CallerReference").filter(|text| *text != id).map(str::to_owned);
        zone.tags = self.tags_of("hostedzone", id);
        add_vpcs(zone, vpcs, place, self.report)?;
        if crate::config::is_zone_id(id) {
            zone.id = draft.source_id.clone();
        } else {
            zone.id = crate::config::derived_zone_id(&zone.name, &zone.vpcs);
            self.report.add(
                place,
                format!("the hosted zone {} gets another id: `{id}` is not a valid id in Route 53", zone.name),
            );
        }
        let set = details.and_then(|details| details.child("DelegationSet")?.text_of("Id")).map(bare);
        let set = set.filter(|id| self.inventory.delegation_sets.iter().any(|set| set.id.0 == *id));
        let features = element.child("Features").and_then(|features| features.text_of("AcceleratedRecoveryStatus"));
        zone.attachments = Arc::new(ZoneAttachments {
            delegation_set: set.map(|id| DelegationSetId(id.to_owned())),
            accelerated_recovery: features.map(|status| status == "ENABLED"),
            ..ZoneAttachments::default()
        });
        if let Some(service) = element.child("LinkedService").and_then(|linked| linked.text_of("ServicePrincipal")) {
            let message =
                format!("the hosted zone {} was made by {service}, which does not manage it here", draft.zone.name);
            self.report.add(place, message);
        }
        Ok(draft)
    }

    fn draft_of(&mut self, item: &Item) -> Option<&mut HostedZone> {
        let id = bare(item.element.text_of("HostedZoneId")?);
        self.drafts.iter_mut().find(|draft| draft.source_id.0 == id).map(|draft| &mut draft.zone)
    }

    fn query_logging(&mut self, item: &Item) {
        let text = |name| item.element.text_of(name).map(str::to_owned);
        let (id, log_group) = (text("Id"), text("CloudWatchLogsLogGroupArn"));
        if let (Some(zone), Some(id), Some(log_group)) = (self.draft_of(item), id, log_group) {
            Arc::make_mut(&mut zone.attachments).query_logging = Some(QueryLoggingConfig { id, log_group });
        }
    }

    fn policy_instance(&mut self, item: &Item) {
        let text = |name| item.element.text_of(name);
        let read = || {
            let policy = TrafficPolicyId(text("TrafficPolicyId")?.to_owned());
            let version = text("TrafficPolicyVersion")?.parse().ok()?;
            let is_known =
                self.inventory.traffic_policies.iter().any(|one| one.id == policy && one.version(version).is_some());
            is_known.then_some(TrafficPolicyInstance {
                id: text("Id")?.to_owned(),
                name: Name::parse(text("Name")?).ok()?,
                ttl: text("TTL")?.parse().ok()?,
                policy,
                version,
                record_type: text("TrafficPolicyType")?.parse().ok()?,
            })
        };
        let Some(instance) = read() else {
            self.report.add(&item.place, "the traffic policy instance is left out: its policy is not imported");
            return;
        };
        if let Some(zone) = self.draft_of(item) {
            Arc::make_mut(&mut zone.attachments).policy_instances.push(instance);
        }
    }

    fn record_sets(&mut self, list: List) {
        let Some(at) = self.zone_of(&list) else { return };
        let draft = &self.drafts[at];
        let (id, apex) = (id_in(&list, draft), draft.zone.name.clone());
        if draft.source_id != id && crate::config::is_zone_id(&id.0) {
            self.drafts[at].zone.id.clone_from(&id);
        }
        let instances = Arc::clone(&self.drafts[at].zone.attachments);
        for Item { element, place } in list.items {
            if let Some(instance) = element.text_of("TrafficPolicyInstanceId") {
                if !instances.policy_instances.iter().any(|known| known.id == instance) {
                    let name = element.text_of("Name").unwrap_or_default();
                    let message =
                        format!("the record set {name} is left out: its traffic policy instance is not imported");
                    self.report.add(&place, message);
                }
                continue;
            }
            match read_record_set(&element, &id) {
                Ok(set) => self.drafts[at].sets.push((set, place)),
                Err(errors) => {
                    let (name, record_type) = (element.text_of("Name"), element.text_of("Type"));
                    let what = format!("{} {}", record_type.unwrap_or_default(), name.unwrap_or(&apex.to_string()));
                    for error in errors {
                        self.report
                            .add(&place, format!("the record set {what} is left out: {}", without_change(&error)));
                    }
                }
            }
        }
    }

    /// The zone of a list: the one that it names, else the one with the name of its SOA record,
    /// which may be a new one.
    fn zone_of(&mut self, list: &List) -> Option<usize> {
        if let Some(at) = self.drafts.iter().position(|draft| has_word(&list.owner, &draft.source_id.0)) {
            return Some(at);
        }
        let soa = list.items.iter().find(|item| item.element.text_of("Type") == Some("SOA"));
        let apex = soa.and_then(|item| Name::parse(item.element.text_of("Name")?).ok());
        let Some(apex) = apex else {
            let message = "it is not known which hosted zone these record sets belong to: there is no SOA record set";
            self.report
                .add(&list.place, message)
                .hint("give the whole list, or put the id of the zone into the file name");
            return None;
        };
        let mut named = (0..self.drafts.len()).filter(|at| self.drafts[*at].zone.name == apex);
        match (named.next(), named.next()) {
            (Some(at), None) => Some(at),
            (None, _) => {
                self.drafts.push(ZoneDraft::new(apex, list.place.clone()));
                Some(self.drafts.len() - 1)
            }
            _ => {
                let message = format!("several hosted zones are called {apex}");
                self.report.add(&list.place, message).hint("put the id of the zone into the file name");
                None
            }
        }
    }

    fn finish(mut self, dns: &DnsSettings) -> Inventory {
        for draft in std::mem::take(&mut self.drafts) {
            self.report_unknown_checks(&draft);
            let zone = draft.finish(&self.inventory.cidr_collections, dns, self.report);
            self.inventory.zones.push(zone);
        }
        self.inventory
    }

    /// A check that is not there counts as healthy.
    fn report_unknown_checks(&mut self, draft: &ZoneDraft) {
        for (set, place) in &draft.sets {
            let Some(id) = &set.health_check else { continue };
            if !self.inventory.health_checks.iter().any(|check| check.id == *id) {
                let message =
                    format!("the health check {} of {} is not imported; it counts as healthy", id.0, set_in_words(set));
                self.report.add(place, message);
            }
        }
    }
}

/// Associates the zone with its VPCs. Those that only settings can define are reported, because a
/// server without them does not load the zone.
fn add_vpcs(
    zone: &mut HostedZone,
    vpcs: &[Element],
    place: &Place,
    report: &mut MigrationReport,
) -> Result<(), String> {
    let name = zone.name.readable();
    for vpc in vpcs {
        let id = vpc.text_of("VPCId").unwrap_or_default();
        if !crate::config::is_vpc_name(id) {
            let message = format!("the hosted zone {name} is imported without a VPC: `{id}` is not the id of a VPC");
            report.add(place, message);
            continue;
        }
        let region = vpc.text_of("VPCRegion").and_then(Region::from_name);
        let id = VpcId(id.to_owned());
        if zone.vpcs.contains(&id) {
            continue;
        }
        if !crate::config::is_vpc_id(&id.0) {
            let message = format!(
                "the private hosted zone {name} needs the VPC `{}` in the settings, because the id does not have the form \
                 of AWS",
                id.0
            );
            let region = region.map_or("…", |region| region.name());
            let hint = format!(
                "write a [[vpc]] with id = \"{}\", region = \"{region}\" and its cidrs in the settings file; without it the \
                 server does not load the zone",
                id.0
            );
            report.add(place, message).hint(hint);
        }
        zone.vpc_regions.extend(region.map(|region| (id.clone(), region)));
        zone.vpcs.push(id);
    }
    match vpcs.is_empty() || zone.is_private() {
        true => Ok(()),
        // Without VPCs it would be public.
        false => Err(format!("the private hosted zone {name} is left out: it has no VPC")),
    }
}

/// The id of a zone where it comes from. Without a list of hosted zones, it is the one of an alias
/// whose target is in the list.
fn id_in(list: &List, draft: &ZoneDraft) -> HostedZoneId {
    if draft.source_id != crate::config::derived_zone_id(&draft.zone.name, &[]) {
        return draft.source_id.clone();
    }
    let name = |item: &Item| item.element.text_of("Name").and_then(|name| Name::parse(name).ok());
    let names: Vec<Name> = list.items.iter().filter_map(name).collect();
    let id = list.items.iter().find_map(|item| {
        let alias = item.element.child("AliasTarget")?;
        let target = Name::parse(alias.text_of("DNSName")?).ok()?;
        names.contains(&target).then(|| alias.text_of("HostedZoneId"))?
    });
    id.map_or_else(|| draft.source_id.clone(), |id| HostedZoneId(bare(id).to_owned()))
}

/// Whether a text has this word, with other characters around it than letters and digits.
fn has_word(text: &str, word: &str) -> bool {
    let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    !word.is_empty()
        && text
            .match_indices(word)
            .any(|(at, _)| is_end(text[..at].chars().next_back()) && is_end(text[at + word.len()..].chars().next()))
}

/// The sentence without the change that it is about, which the reader did not write.
fn without_change(error: &str) -> &str {
    let error = error.split(" in Change with [").next().unwrap_or(error);
    error.strip_prefix("Invalid request: ").unwrap_or(error)
}
