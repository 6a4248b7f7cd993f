//! The VPCs of private hosted zones, and authorizations to associate VPCs of other accounts.

use std::sync::Arc;

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::caller::ACCOUNT;
use crate::api::constraints;
use crate::api::xml::{Element, Members, Writer};
use crate::model::{HostedZone, Region, VpcId};

/// The default and the largest page.
const PAGE: usize = 100;
/// The same of authorizations (API ListVPCAssociationAuthorizations).
const AUTHORIZATIONS_PAGE: usize = 50;
/// Developer Guide, "Quotas": the most authorizations of a zone.
const MAX_AUTHORIZATIONS: usize = 1000;
/// The longest id of a VPC in the settings.
const MAX_ID_CHARACTERS: usize = 64;
/// The longest comment (API AssociateVPCComment); it is not kept.
const MAX_COMMENT_CHARACTERS: usize = 256;

/// Adds a VPC to a private zone.
pub(super) async fn associate(context: &Context, request: &Request) -> Outcome {
    let (vpc, region, comment) = vpc_of(request)?;
    let update = |mut zone: HostedZone| {
        if !zone.vpcs.contains(&vpc) {
            zone.vpcs.push(vpc.clone());
        }
        zone.vpc_regions.retain(|(other, _)| *other != vpc);
        zone.vpc_regions.extend(region.map(|region| (vpc.clone(), region)));
        Ok(zone)
    };
    let submission = context.change_log.begin(request, comment)?;
    context.update_zone(request, request.id("Id"), update).await?;
    let info = context.change_log.add(submission);
    Ok(request.response(|xml| info.write(xml)))
}

/// Removes a VPC from a private zone.
pub(super) async fn disassociate(context: &Context, request: &Request) -> Outcome {
    let (vpc, _, comment) = vpc_of(request)?;
    let update = |mut zone: HostedZone| {
        if !zone.vpcs.contains(&vpc) {
            let message = format!("The VPC: {} is not associated with the hosted zone: {}", vpc.0, zone.id.0);
            return Err(ApiError::new(Code::VPCAssociationNotFound, message));
        }
        zone.vpcs.retain(|other| *other != vpc);
        zone.vpc_regions.retain(|(other, _)| *other != vpc);
        Ok(zone)
    };
    let submission = context.change_log.begin(request, comment)?;
    context.update_zone(request, request.id("Id"), update).await?;
    let info = context.change_log.add(submission);
    Ok(request.response(|xml| info.write(xml)))
}

fn vpc_of(request: &Request) -> Result<(VpcId, Option<Region>, Option<&str>), ApiError> {
    let members = Members::of(request.body()?, &["VPC", "Comment"])?;
    let (vpc, region) = read(members.required_child("VPC")?)?;
    Ok((vpc, region, members.sized_text("Comment", 0..=MAX_COMMENT_CHARACTERS)?))
}

/// CreateVPCAssociationAuthorization. This server has one account, so an authorization is kept and
/// listed, and no association needs one.
pub(super) async fn authorize(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["VPC"])?;
    let (vpc, region) = read(members.required_child("VPC")?)?;
    let update = |mut zone: HostedZone| {
        only_private(&zone)?;
        let authorized = &mut Arc::make_mut(&mut zone.attachments).authorized_vpcs;
        authorized.retain(|(other, _)| *other != vpc);
        if authorized.len() >= MAX_AUTHORIZATIONS {
            let message = format!("The hosted zone {} has {MAX_AUTHORIZATIONS} authorizations.", zone.id.0);
            return Err(ApiError::new(Code::TooManyVPCAssociationAuthorizations, message));
        }
        authorized.push((vpc.clone(), region));
        Ok(zone)
    };
    context.update_zone(request, request.id("Id"), update).await?;
    Ok(request.response(|xml| {
        xml.element("HostedZoneId", request.id("Id"));
        write_vpc(xml, "VPC", &vpc, region);
    }))
}

/// DeleteVPCAssociationAuthorization. An association that was made stays.
pub(super) async fn deauthorize(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["VPC"])?;
    let (vpc, _) = read(members.required_child("VPC")?)?;
    let update = |mut zone: HostedZone| {
        let authorized = &mut Arc::make_mut(&mut zone.attachments).authorized_vpcs;
        let before = authorized.len();
        authorized.retain(|(other, _)| *other != vpc);
        if authorized.len() == before {
            let message = format!("The VPC: {} is not authorized for the hosted zone: {}", vpc.0, zone.id.0);
            return Err(ApiError::new(Code::VPCAssociationAuthorizationNotFound, message));
        }
        Ok(zone)
    };
    context.update_zone(request, request.id("Id"), update).await?;
    Ok(request.response(|_| ()))
}

/// ListVPCAssociationAuthorizations: by id, from `nexttoken` on.
pub(super) fn list_authorizations(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxresults", AUTHORIZATIONS_PAGE, AUTHORIZATIONS_PAGE)?;
    let token = request.query("nexttoken").map(vpc_id).transpose();
    let token = token.map_err(|_| ApiError::invalid_pagination_token())?;
    let zone = context.zone_summary(request, request.id("Id"))?;
    let mut vpcs = zone.attachments.authorized_vpcs.clone();
    vpcs.retain(|(vpc, _)| token.as_ref().is_none_or(|token| vpc >= token));
    vpcs.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (page, next) = super::page(&vpcs, size);
    Ok(request.response(|xml| {
        xml.element("HostedZoneId", &zone.id.0);
        xml.optional("NextToken", next.map(|(vpc, _)| &vpc.0));
        xml.parent("VPCs", |xml| page.iter().for_each(|(vpc, region)| write_vpc(xml, "VPC", vpc, *region)));
    }))
}

fn only_private(zone: &HostedZone) -> Result<(), ApiError> {
    if zone.is_private() {
        return Ok(());
    }
    Err(ApiError::invalid_input(format!("The hosted zone {} is public: VPCs can't be associated with it.", zone.id.0)))
}

/// ListHostedZonesByVPC: the zones of a VPC, by id.
pub(super) fn list_zones(context: &Context, request: &Request) -> Outcome {
    let vpc = vpc_id(request.required_query("vpcid")?);
    let vpc = vpc.map_err(|error| ApiError::invalid_input(error.message()))?;
    constraints::region(request.required_query("vpcregion")?)?;
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let token = request.query("nexttoken");
    let is_token = |text: &str| text.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit());
    if token.is_some_and(|token| !is_token(token)) {
        return Err(ApiError::invalid_pagination_token());
    }
    let mut zones = context.zones(request);
    zones.retain(|zone| zone.vpcs.contains(&vpc) && token.is_none_or(|token| *zone.id.0 >= *token));
    zones.sort_by(|one, other| one.id.cmp(&other.id));
    let next = zones.get(size.get()).map(|zone| zone.id.0.clone());
    Ok(request.response(|xml| {
        xml.list("HostedZoneSummaries", "HostedZoneSummary", zones.iter().take(size.get()), |xml, zone| {
            xml.element("HostedZoneId", &zone.id.0);
            xml.element("Name", &zone.name);
            xml.parent("Owner", |xml| xml.element("OwningAccount", ACCOUNT));
        });
        xml.element("MaxItems", size);
        xml.optional("NextToken", next);
    }))
}

/// The element VPC.
pub(super) fn read(element: &Element) -> Result<(VpcId, Option<Region>), ApiError> {
    let members = Members::of(element, &["VPCRegion", "VPCId"])?;
    let id = members.text("VPCId")?.ok_or_else(invalid_vpc)?;
    Ok((vpc_id(id)?, members.text("VPCRegion")?.map(constraints::region).transpose()?))
}

/// The element VPC of a zone.
pub(super) fn write(xml: &mut Writer, element: &str, vpc: &VpcId, zone: &HostedZone) {
    let region = zone.vpc_regions.iter().find(|(other, _)| other == vpc).map(|(_, region)| *region);
    write_vpc(xml, element, vpc, region);
}

fn write_vpc(xml: &mut Writer, element: &str, vpc: &VpcId, region: Option<Region>) {
    xml.parent(element, |xml| {
        xml.optional("VPCRegion", region);
        xml.element("VPCId", &vpc.0);
    });
}

/// An id as AWS makes them, or one of the settings.
fn vpc_id(text: &str) -> Result<VpcId, ApiError> {
    let is_legal = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let is_id = text.starts_with("vpc-") && text.len() <= MAX_ID_CHARACTERS && text.bytes().all(is_legal);
    is_id.then(|| VpcId(text.to_owned())).ok_or_else(invalid_vpc)
}

fn invalid_vpc() -> ApiError {
    ApiError::new(Code::InvalidVPCId, "The VPC ID is invalid.")
}
