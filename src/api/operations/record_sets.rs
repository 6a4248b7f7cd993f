//! ChangeResourceRecordSets and ListResourceRecordSets.

use super::store::zone_id;
use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::batch_shape::BadChanges;
use crate::api::listing::start_of;
use crate::api::{constraints, record_set_xml, value_problem};
use crate::model::{
    ChangeAction, ChangeBatch, HostedZone, HostedZoneId, Name, RecordType, ResourceRecordSet, TrafficPolicyInstance,
};
use crate::objects::Change;

/// The default and the largest page.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 300;

/// All changes are made or none (API ChangeResourceRecordSets).
pub(super) async fn change(context: &Context, request: &Request) -> Outcome {
    let id = request.id("Id");
    let shape = record_set_xml::batch(request.body()?)?;
    context.zone_summary(request, id)?;
    let batch = shape.read(Some(&HostedZoneId(id.to_owned())))?;
    context.throttle_changes(tokens(&batch))?;
    let comment = batch.comment.clone();
    let submission = context.change_log.begin(request, comment.as_deref())?;
    context.commit(request, zone_id(id), Change::RecordSets(batch)).await?;
    let info = context.change_log.add(submission);
    Ok(request.response(|xml| info.write(xml)))
}

/// How many changes a batch counts for: an UPSERT for two (Developer Guide, "Change throughput
/// limiting").
fn tokens(batch: &ChangeBatch) -> u32 {
    batch.changes.iter().map(|change| if change.action == ChangeAction::Upsert { 2 } else { 1 }).sum()
}

/// What has not the form of a change is reported first.
impl From<BadChanges> for ApiError {
    fn from(errors: BadChanges) -> ApiError {
        let BadChanges { input, data } = errors;
        if input.is_empty() {
            return ApiError::new(Code::InvalidChangeBatch, format!("[{}]", data.join(", ")));
        }
        ApiError::invalid_input(input.join(", "))
    }
}

/// From the first record set at or after `name`, `type` and `identifier`.
pub(super) async fn list(context: &Context, request: &Request) -> Outcome {
    let id = request.id("Id");
    let size = request.page_size("maxitems", PAGE, LARGEST_PAGE)?;
    let start = start(request)?;
    let (revision, zone) = context.zone(request, id).await?;
    let listing = context.listings.of(revision, &zone);
    let first = listing.position(&start);
    let page = listing.page(first, size.get());
    let next = listing.page(first + page.len(), 1).first();
    let listed = |at: &u32| Listed::at(&zone, usize::try_from(*at).expect("a zone has fewer record sets"));
    Ok(request.response(|xml| {
        xml.list("ResourceRecordSets", "ResourceRecordSet", page, |xml, at| match listed(at) {
            Listed::Set(set) => record_set_xml::write(xml, set, &zone.id),
            Listed::Instance(instance) => {
                xml.element("Name", &instance.name);
                xml.element("Type", instance.record_type);
                xml.element("TrafficPolicyInstanceId", &instance.id);
            }
        });
        xml.element("IsTruncated", next.is_some());
        if let Some(next) = next.map(listed) {
            let (name, record_type, identifier) = next.key();
            xml.element("NextRecordName", name);
            xml.element("NextRecordType", record_type);
            xml.optional("NextRecordIdentifier", identifier);
        }
        xml.element("MaxItems", size);
    }))
}

/// What is listed: a record set, or the name of a traffic policy instance, whose record sets are
/// not.
enum Listed<'z> {
    Set(&'z ResourceRecordSet),
    Instance(&'z TrafficPolicyInstance),
}

impl Listed<'_> {
    fn at(zone: &HostedZone, at: usize) -> Listed<'_> {
        match zone.record_sets.get(at) {
            Some(set) => Listed::Set(set),
            None => Listed::Instance(&zone.attachments.policy_instances[at - zone.record_sets.len()]),
        }
    }

    fn key(&self) -> (&Name, RecordType, Option<&str>) {
        match self {
            Listed::Set(set) => (&set.name, set.record_type, set.set_identifier.as_deref()),
            Listed::Instance(instance) => (&instance.name, instance.record_type, None),
        }
    }
}

/// Where a page starts. A type needs a name, and an identifier needs both.
fn start(request: &Request) -> Result<Vec<u8>, ApiError> {
    let [name, record_type, identifier] = ["name", "type", "identifier"].map(|parameter| request.query(parameter));
    let invalid = || ApiError::invalid_input("The input is not valid");
    if (record_type.is_some() && name.is_none()) || (identifier.is_some() && record_type.is_none()) {
        return Err(invalid());
    }
    let Some(name) = name else { return Ok(Vec::new()) };
    let name = value_problem::read_name(name).map_err(ApiError::invalid_input)?;
    let record_type = record_type.map(|text| constraints::record_type(text).ok_or_else(invalid)).transpose()?;
    Ok(start_of(&name, record_type, identifier))
}
