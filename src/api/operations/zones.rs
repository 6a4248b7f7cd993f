//! Hosted zones: create, read, list, comment, features, delete, count.

use std::sync::Arc;

use super::store::zone_id;
use super::{ApiError, Code, Context, Outcome, Request, delegation_sets, vpcs};
use crate::api::listing::reversed;
use crate::api::xml::{Members, Writer};
use crate::api::{constraints, ids, lengths, value_problem};
use crate::model::{DelegationSetId, HostedZone, HostedZoneId, Name, NameError, StrictRule, ZoneAttachments};
use crate::objects::{Change, Object, ZoneSummary};

/// The default and the largest page.
const PAGE: usize = 100;

/// A zone with a VPC is private.
pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let zone = new_zone(request)?;
    if !request.caller.sees_zone(&zone.name.to_string()) {
        return Err(request.caller.denied(request.operation, "hostedzone/*"));
    }
    if context.keeps(StrictRule::ReservedNames) && !zone.is_private() && is_reserved(&zone.name) {
        let name = zone.name.to_string();
        let message = format!("{} is reserved by AWS!", name.strip_suffix('.').unwrap_or(&name));
        return Err(ApiError::new(Code::InvalidDomainName, message));
    }
    let id = zone_id(&zone.id.0);
    let submission = context.change_log.begin(request, None)?;
    let committed = context.commit(request, id, Change::Create(Object::HostedZone(zone.into()))).await?;
    let Some(Object::HostedZone(zone)) = committed.object else {
        return Err(ApiError::new(Code::InternalFailure, "there is no hosted zone after its creation"));
    };
    let info = context.change_log.add(submission);
    let response = request.response(|xml| {
        write(xml, &ZoneOutline::of(&zone));
        info.write(xml);
        match zone.vpcs.first() {
            None => write_delegation_set(xml, context, &zone),
            Some(vpc) => vpcs::write(xml, "VPC", vpc, &zone),
        }
    });
    Ok(response.at(request.url_of(&format!("hostedzone/{}", zone.id.0))))
}

fn new_zone(request: &Request) -> Result<HostedZone, ApiError> {
    let names = ["Name", "VPC", "CallerReference", "HostedZoneConfig", "DelegationSetId"];
    let members = Members::of(request.body()?, &names)?;
    let written = members.required_sized_text("Name", lengths::DNS_NAME)?;
    let reference = members.required_sized_text("CallerReference", lengths::NONCE)?;
    let vpc = members.child("VPC").map(vpcs::read).transpose()?;
    let mut comment = None;
    if let Some(config) = members.child("HostedZoneConfig") {
        let config = Members::of(config, &["Comment", "PrivateZone"])?;
        comment = config.sized_text("Comment", lengths::RESOURCE_DESCRIPTION)?.filter(|comment| !comment.is_empty());
        if config.boolean("PrivateZone")? == Some(true) && vpc.is_none() {
            return Err(ApiError::invalid_input(
                "When you're creating a private hosted zone (when you specify true for PrivateZone), you must also \
                 specify values for VPCId and VPCRegion.",
            ));
        }
    }
    let delegation_set = constraints::resource_id(members, "DelegationSetId")?.map(|id| DelegationSetId(id.to_owned()));
    if delegation_set.is_some() && vpc.is_some() {
        let message = "A reusable delegation set can't be associated with a private hosted zone.";
        return Err(ApiError::invalid_input(message));
    }
    let (vpcs, vpc_regions) = match vpc {
        Some((vpc, region)) => (vec![vpc.clone()], region.map(|region| (vpc, region)).into_iter().collect()),
        None => (Vec::new(), Vec::new()),
    };
    Ok(HostedZone {
        comment: comment.map(str::to_owned),
        vpcs,
        vpc_regions,
        caller_reference: Some(reference.to_owned()),
        attachments: Arc::new(ZoneAttachments { delegation_set, ..ZoneAttachments::default() }),
        ..HostedZone::new(HostedZoneId(ids::hosted_zone()?), zone_name(written)?)
    })
}

/// Names that Route 53 reserves: example.com and what is below it, and top-level domains (API
/// CreateHostedZone). Private hosted zones can have any name.
fn is_reserved(name: &Name) -> bool {
    let example = Name::parse("example.com").expect("a name");
    name.label_count() == 1 || name.is_within(&example)
}

/// Developer Guide, "DNS domain name format": no `*` as the leftmost label. The root is not served.
fn zone_name(text: &str) -> Result<Name, ApiError> {
    let invalid = |error| ApiError::new(Code::InvalidDomainName, value_problem::of_name(text, &error));
    let name = Name::parse(text).map_err(invalid)?;
    if name == Name::root() {
        return Err(invalid(NameError::Empty));
    }
    if name.is_wildcard() {
        return Err(invalid(NameError::UnsupportedCharacter('*')));
    }
    Ok(name)
}

pub(super) async fn get(context: &Context, request: &Request) -> Outcome {
    let (_, zone) = context.zone(request, request.id("Id")).await?;
    Ok(request.response(|xml| {
        write(xml, &ZoneOutline::of(&zone));
        if zone.is_private() {
            xml.parent("VPCs", |xml| zone.vpcs.iter().for_each(|vpc| vpcs::write(xml, "VPC", vpc, &zone)));
        } else {
            write_delegation_set(xml, context, &zone);
        }
    }))
}

/// By id, from `marker` on.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let set = request.query("delegationsetid");
    let set = set.map(|id| context.delegation_set(ids::bare(id))).transpose()?;
    let only_private = match request.query("hostedzonetype") {
        None => false,
        Some("PrivateHostedZone") => true,
        Some(other) => return Err(ApiError::invalid_input(format!("'{other}' is not a valid hosted zone type"))),
    };
    let marker = request.query("marker").map(ids::bare);
    let mut zones = context.zones(request);
    zones.retain(|zone| !only_private || !zone.vpcs.is_empty());
    zones.retain(|zone| set.as_ref().is_none_or(|set| set.is_used_by(&zone.id, &zone.attachments)));
    zones.sort_by(|one, other| one.id.cmp(&other.id));
    let first = marker.map_or(0, |marker| zones.partition_point(|zone| *zone.id.0 < *marker));
    let (page, next) = super::page(&zones[first..], size);
    Ok(request.response(|xml| {
        write_all(xml, page);
        xml.element("Marker", marker.unwrap_or_default());
        xml.element("IsTruncated", next.is_some());
        xml.optional("NextMarker", next.map(|zone| &zone.id.0));
        xml.element("MaxItems", size);
    }))
}

/// By name with reversed labels, then by id, from `dnsname` and `hostedzoneid` on. These are a
/// start, and not a filter (API ListHostedZonesByName).
pub(super) fn list_by_name(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let (written, id) = (request.query("dnsname"), request.query("hostedzoneid").map(ids::bare));
    if id.is_some() && written.is_none() {
        return Err(ApiError::invalid_input("HostedZoneId requires DNSName"));
    }
    let start = match written {
        Some(text) => {
            let invalid = |problem| ApiError::new(Code::InvalidDomainName, problem);
            (reversed(&value_problem::read_name(text).map_err(invalid)?), id.unwrap_or_default().to_owned())
        }
        None => (Vec::new(), String::new()),
    };
    let mut zones = context.zones(request);
    let key = |zone: &ZoneSummary| (reversed(&zone.name), zone.id.0.clone());
    zones.sort_by_cached_key(key);
    let first = zones.partition_point(|zone| key(zone) < start);
    let (page, next) = super::page(&zones[first..], size);
    Ok(request.response(|xml| {
        write_all(xml, page);
        xml.optional("DNSName", written);
        xml.optional("HostedZoneId", id);
        xml.element("IsTruncated", next.is_some());
        xml.optional("NextDNSName", next.map(|zone| &zone.name));
        xml.optional("NextHostedZoneId", next.map(|zone| &zone.id.0));
        xml.element("MaxItems", size);
    }))
}

/// Without a comment in the request, the zone's comment is removed.
pub(super) async fn update_comment(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["Comment"])?;
    let comment = members.sized_text("Comment", lengths::RESOURCE_DESCRIPTION)?.filter(|comment| !comment.is_empty());
    let update = |zone| Ok(HostedZone { comment: comment.map(str::to_owned), ..zone });
    let zone = context.update_zone(request, request.id("Id"), update).await?;
    Ok(request.response(|xml| write(xml, &ZoneOutline::of(&zone))))
}

/// UpdateHostedZoneFeatures. Accelerated recovery is enabled and disabled at once and has no
/// effect: this server is in no AWS Region.
pub(super) async fn update_features(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["EnableAcceleratedRecovery"])?;
    let Some(enable) = members.boolean("EnableAcceleratedRecovery")? else {
        return Err(members.incomplete("EnableAcceleratedRecovery"));
    };
    let update = |mut zone: HostedZone| {
        if zone.is_private() {
            let message = "Accelerated recovery is only available for public hosted zones.";
            return Err(ApiError::invalid_input(message));
        }
        Arc::make_mut(&mut zone.attachments).accelerated_recovery = Some(enable);
        Ok(zone)
    };
    context.update_zone(request, request.id("Id"), update).await?;
    Ok(request.response(|_| ()))
}

pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    let id = request.id("Id");
    context.zone_summary(request, id)?;
    let submission = context.change_log.begin(request, None)?;
    context.commit(request, zone_id(id), Change::Delete).await?;
    let info = context.change_log.add(submission);
    Ok(request.response(|xml| info.write(xml)))
}

pub(super) fn count(context: &Context, request: &Request) -> Outcome {
    let count = context.zones(request).len();
    Ok(request.response(|xml| xml.element("HostedZoneCount", count)))
}

/// What the element HostedZone says.
struct ZoneOutline<'z> {
    id: &'z HostedZoneId,
    name: &'z Name,
    caller_reference: Option<&'z str>,
    comment: Option<&'z str>,
    is_private: bool,
    record_sets: usize,
    accelerated_recovery: Option<bool>,
}

impl ZoneOutline<'_> {
    fn of(zone: &HostedZone) -> ZoneOutline<'_> {
        ZoneOutline {
            id: &zone.id,
            name: &zone.name,
            caller_reference: zone.caller_reference.as_deref(),
            comment: zone.comment.as_deref(),
            is_private: zone.is_private(),
            // Those of traffic policies count as one for each instance.
            record_sets: zone.record_sets.len() + zone.attachments.policy_instances.len(),
            accelerated_recovery: zone.attachments.accelerated_recovery,
        }
    }
}

impl<'z> From<&'z ZoneSummary> for ZoneOutline<'z> {
    fn from(zone: &'z ZoneSummary) -> ZoneOutline<'z> {
        ZoneOutline {
            id: &zone.id,
            name: &zone.name,
            caller_reference: zone.caller_reference.as_deref(),
            comment: zone.comment.as_deref(),
            is_private: !zone.vpcs.is_empty(),
            record_sets: zone.record_sets + zone.attachments.policy_instances.len(),
            accelerated_recovery: zone.attachments.accelerated_recovery,
        }
    }
}

/// The element HostedZones.
fn write_all(xml: &mut Writer, zones: &[ZoneSummary]) {
    xml.parent("HostedZones", |xml| zones.iter().for_each(|zone| write(xml, &ZoneOutline::from(zone))));
}

/// The element HostedZone.
fn write(xml: &mut Writer, zone: &ZoneOutline<'_>) {
    xml.parent("HostedZone", |xml| {
        xml.element("Id", format_args!("/hostedzone/{}", zone.id.0));
        xml.element("Name", zone.name);
        // Required by the API; a zone that was written by hand has none.
        xml.element("CallerReference", zone.caller_reference.unwrap_or(&zone.id.0));
        xml.parent("Config", |xml| {
            xml.optional("Comment", zone.comment);
            xml.element("PrivateZone", zone.is_private);
        });
        xml.element("ResourceRecordSetCount", zone.record_sets);
        if let Some(is_enabled) = zone.accelerated_recovery {
            let status = if is_enabled { "ENABLED" } else { "DISABLED" };
            xml.parent("Features", |xml| xml.element("AcceleratedRecoveryStatus", status));
        }
    });
}

/// The element DelegationSet: a reusable set, or the targets of the NS set of the zone itself.
fn write_delegation_set(xml: &mut Writer, context: &Context, zone: &HostedZone) {
    let sets = context.objects.delegation_sets();
    match sets.iter().find(|set| set.is_used_by(&zone.id, &zone.attachments)) {
        Some(set) => delegation_sets::write_set(xml, set),
        None => xml.parent("DelegationSet", |xml| delegation_sets::write_name_servers(xml, zone.name_servers())),
    }
}
