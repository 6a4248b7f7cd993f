//! Objects as elements of the API, for commands that read and write the API's documents.

use super::batch_shape::{ActionShape, BadChanges, BatchShape, ChangeShape};
use super::errors::ApiError;
use super::health_check::{self, HealthCheckConfig};
use super::listing::start_of;
use super::record_set_xml;
use super::xml::{NAMESPACE, Writer};
use crate::model::{
    HealthCheck, HealthCheckId, HealthCheckKind, HostedZoneId, ManualCheck, ResourceRecordSet, RoutingControlState,
    Tags,
};

pub(crate) use super::health_check::free_name;
pub(crate) use super::ids::bare;
pub(crate) use super::xml::Element;

/// A check that a document describes.
#[derive(Debug)]
pub(crate) struct ReadCheck {
    pub(crate) check: HealthCheck,
    /// Whether its status comes from a CloudWatch alarm, which this server does not have: it is a
    /// manual check, and healthy.
    pub(crate) is_alarm: bool,
}

/// Reads the element ResourceRecordSet of a zone.
///
/// # Errors
///
/// Everything that is wrong with it, in the sentences of the API.
pub(crate) fn read_record_set(element: &Element, zone: &HostedZoneId) -> Result<ResourceRecordSet, Vec<String>> {
    let shape = record_set_xml::record_set(element).map_err(|error| vec![error.message().to_owned()])?;
    let change = ChangeShape { action: ActionShape::Create, resource_record_set: shape };
    let batch = BatchShape { comment: None, changes: vec![change] }.read(Some(zone));
    let mut batch = batch.map_err(|BadChanges { input, data }| [input, data].concat())?;
    Ok(batch.changes.remove(0).record_set)
}

/// The element ResourceRecordSet.
pub(crate) fn record_set(set: &ResourceRecordSet, zone: &HostedZoneId) -> Element {
    written("ResourceRecordSet", |xml| record_set_xml::write(xml, set, zone))
}

/// Sorts record sets as ListResourceRecordSets does.
pub(crate) fn sort_as_listed(sets: &mut [&ResourceRecordSet]) {
    sets.sort_by_cached_key(|set| start_of(&set.name, Some(set.record_type), set.set_identifier.as_deref()));
}

/// The body of ListTagsForResources.
pub(crate) fn list_tags_request(ids: &[&str]) -> String {
    let mut xml = Writer::root("ListTagsForResourcesRequest", NAMESPACE);
    xml.parent("ResourceIds", |xml| ids.iter().for_each(|id| xml.element("ResourceId", id)));
    xml.finish()
}

/// Reads the element HealthCheck. The children of a calculated check are among `checks`.
///
/// # Errors
///
/// What is wrong with it, in a sentence of the API.
pub(crate) fn read_health_check(element: &Element, name: &str, checks: &[HealthCheck]) -> Result<ReadCheck, String> {
    let text = |error: ApiError| error.message().to_owned();
    let config = element.child("HealthCheckConfig").ok_or("there is no HealthCheckConfig")?;
    let is_alarm = config.text_of("Type") == Some("CLOUDWATCH_METRIC");
    let config = HealthCheckConfig::read(config).and_then(HealthCheckConfig::complete).map_err(text)?;
    let kind = match is_alarm {
        true => HealthCheckKind::Manual(ManualCheck { state: RoutingControlState::On, routing_control_arn: None }),
        false => config.kind(checks).map_err(text)?,
    };
    let id = element.text_of("Id").ok_or("there is no Id")?;
    let check = HealthCheck {
        id: HealthCheckId(id.to_owned()),
        name: name.to_owned(),
        // This server lists the id where there is none.
        caller_reference: element.text_of("CallerReference").filter(|reference| *reference != id).map(str::to_owned),
        version: element.text_of("HealthCheckVersion").and_then(|version| version.parse().ok()).unwrap_or(1),
        tags: Tags::new(),
        inverted: config.inverted(),
        disabled: config.disabled(),
        agreement: None,
        kind,
    };
    Ok(ReadCheck { check, is_alarm })
}

/// The element HealthCheck: the nearest one of Route 53.
pub(crate) fn health_check(check: &HealthCheck) -> Element {
    let root = written("R", |xml| health_check::write(xml, check));
    root.child("HealthCheck").cloned().unwrap_or_default()
}

fn written(name: &str, content: impl FnOnce(&mut Writer)) -> Element {
    let mut xml = Writer::root(name, NAMESPACE);
    content(&mut xml);
    Element::read(xml.finish().as_bytes()).expect("what the writer wrote is XML")
}
