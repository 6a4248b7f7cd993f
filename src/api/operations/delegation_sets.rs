//! Reusable delegation sets: create, read, list, delete.

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::xml::{Members, Writer};
use crate::api::{constraints, ids, lengths};
use crate::model::{DelegationSet, DelegationSetId, HostedZoneId, Name};
use crate::objects::{Change, Object, ObjectId};

/// The default and the largest page.
const PAGE: usize = 100;

pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["CallerReference", "HostedZoneId"])?;
    let reference = members.required_sized_text("CallerReference", lengths::NONCE)?;
    let zone = constraints::resource_id(members, "HostedZoneId")?;
    let set = DelegationSet {
        id: DelegationSetId(ids::delegation_set()?),
        caller_reference: Some(reference.to_owned()),
        hosted_zone: zone.map(|id| HostedZoneId(id.to_owned())),
        // Those of the zone or of the server.
        name_servers: Vec::new(),
    };
    let id = ObjectId::DelegationSet(set.id.clone());
    let committed = context.commit(request, id, Change::Create(Object::DelegationSet(set.into()))).await?;
    let Some(Object::DelegationSet(set)) = committed.object else {
        return Err(ApiError::new(Code::InternalFailure, "there is no delegation set after its creation"));
    };
    let response = request.response(|xml| write_set(xml, &set));
    Ok(response.at(request.url_of(&format!("delegationset/{}", set.id.0))))
}

pub(super) fn get(context: &Context, request: &Request) -> Outcome {
    let set = context.delegation_set(request.id("Id"))?;
    Ok(request.response(|xml| write_set(xml, &set)))
}

/// By id, from `marker` on.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let marker = request.query("marker").map(ids::bare);
    let mut sets = context.objects.delegation_sets();
    sets.sort_by(|one, other| one.id.cmp(&other.id));
    let first = marker.map_or(0, |marker| sets.partition_point(|set| *set.id.0 < *marker));
    let (page, next) = super::page(&sets[first..], size);
    Ok(request.response(|xml| {
        xml.parent("DelegationSets", |xml| page.iter().for_each(|set| write_set(xml, set)));
        xml.element("Marker", marker.unwrap_or_default());
        xml.element("IsTruncated", next.is_some());
        xml.optional("NextMarker", next.map(|set| &set.id.0));
        xml.element("MaxItems", size);
    }))
}

pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    let id = ObjectId::DelegationSet(DelegationSetId(request.id("Id").to_owned()));
    context.commit(request, id, Change::Delete).await?;
    Ok(request.response(|_| ()))
}

impl Context {
    /// A reusable delegation set.
    pub(super) fn delegation_set(&self, id: &str) -> Result<DelegationSet, ApiError> {
        let found = self.objects.delegation_sets().into_iter().find(|set| set.id.0 == id);
        let message = || format!("There is no reusable delegation set with the id {id}.");
        found.ok_or_else(|| ApiError::new(Code::NoSuchDelegationSet, message()))
    }

    /// How many zones use a set.
    pub(super) fn zones_of_set(&self, set: &DelegationSet) -> usize {
        self.objects.zones().iter().filter(|zone| set.is_used_by(&zone.id, &zone.attachments)).count()
    }
}

/// The element DelegationSet of a reusable set.
pub(super) fn write_set(xml: &mut Writer, set: &DelegationSet) {
    xml.parent("DelegationSet", |xml| {
        xml.element("Id", format_args!("/delegationset/{}", set.id.0));
        // A set that was written by hand has none.
        xml.element("CallerReference", set.caller_reference.as_ref().unwrap_or(&set.id.0));
        write_name_servers(xml, set.name_servers.iter().cloned());
    });
}

/// The element NameServers: names without the last dot.
pub(super) fn write_name_servers(xml: &mut Writer, servers: impl Iterator<Item = Name>) {
    xml.parent("NameServers", |xml| {
        for name in servers {
            let text = name.to_string();
            xml.element("NameServer", text.strip_suffix('.').unwrap_or(&text));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::operations::fixture::TestApi;

    fn create(api: &TestApi, reference: &str, more: &str) -> Result<(String, Vec<String>), ApiError> {
        let body = format!("<CallerReference>{reference}</CallerReference>{more}");
        let created = api.call(Operation::CreateReusableDelegationSet, &[], "", &body)?;
        assert_eq!(created.text_at("DelegationSet/CallerReference"), reference);
        let id = created.text_at("DelegationSet/Id").strip_prefix("/delegationset/").unwrap().to_owned();
        let servers = created.at("DelegationSet/NameServers").children().iter();
        Ok((id, servers.map(|server| server.text().to_owned()).collect()))
    }

    #[test]
    fn zones_share_the_name_servers_of_a_set() {
        let api = TestApi::new();
        let (id, servers) = create(&api, "one", "").unwrap();
        assert_eq!(servers, ["ns1.servers.test", "ns2.servers.test"]);
        assert_eq!(create(&api, "one", "").unwrap_err().code(), Code::DelegationSetAlreadyCreated);
        let zone = api.zone_with("lab.test", &format!("<DelegationSetId>/delegationset/{id}</DelegationSetId>"));
        let read = api.call(Operation::GetHostedZone, &[&zone], "", "").unwrap();
        assert_eq!(read.text_at("DelegationSet/Id"), format!("/delegationset/{id}"));
        let listed = api.call(Operation::ListResourceRecordSets, &[&zone], "type=NS&name=lab.test", "").unwrap();
        let ns = listed.at("ResourceRecordSets/ResourceRecordSet");
        let values: Vec<_> = ns.at("ResourceRecords").children().iter().map(|record| record.text_at("Value")).collect();
        assert_eq!((ns.text_at("TTL"), values), ("172800", vec!["ns1.servers.test.", "ns2.servers.test."]));

        api.zone("other.test");
        let of_set = api.call(Operation::ListHostedZones, &[], &format!("delegationsetid={id}"), "").unwrap();
        assert_eq!(of_set.at("HostedZones").children().len(), 1);
        let kind = "MAX_ZONES_BY_REUSABLE_DELEGATION_SET";
        let limit = api.call(Operation::GetReusableDelegationSetLimit, &[&id, kind], "", "").unwrap();
        assert_eq!((limit.text_at("Limit/Value"), limit.text_at("Count")), ("100", "1"));
        let delete = || api.call(Operation::DeleteReusableDelegationSet, &[&id], "", "");
        assert_eq!(delete().unwrap_err().code(), Code::DelegationSetInUse);
        api.call(Operation::DeleteHostedZone, &[&zone], "", "").unwrap();
        delete().unwrap();
        assert_eq!(delete().unwrap_err().code(), Code::NoSuchDelegationSet);
        assert_eq!(create(&api, "one", "").unwrap_err().code(), Code::DelegationSetAlreadyCreated, "never again");
    }

    #[test]
    fn the_name_servers_of_a_zone_become_reusable_once() {
        let api = TestApi::new();
        let zone = api.zone("lab.test");
        let of = |zone: &str| format!("<HostedZoneId>{zone}</HostedZoneId>");
        let (id, servers) = create(&api, "one", &of(&zone)).unwrap();
        assert_eq!(servers, ["ns1.lab.test"]);
        let read = api.call(Operation::GetHostedZone, &[&zone], "", "").unwrap();
        assert_eq!(read.text_at("DelegationSet/Id"), format!("/delegationset/{id}"));
        assert_eq!(create(&api, "two", &of(&zone)).unwrap_err().code(), Code::DelegationSetAlreadyReusable);
        assert_eq!(create(&api, "two", &of("Z0")).unwrap_err().code(), Code::HostedZoneNotFound);
        let vpc = "<VPC><VPCRegion>eu-west-1</VPCRegion><VPCId>vpc-0123abcd</VPCId></VPC>";
        let private = api.zone_with("private.test", vpc);
        assert_eq!(create(&api, "two", &of(&private)).unwrap_err().code(), Code::InvalidArgument);
        let set = format!("<DelegationSetId>{id}</DelegationSetId>");
        let both = format!("<Name>x.test</Name><CallerReference>x</CallerReference>{vpc}{set}");
        let refused = api.call(Operation::CreateHostedZone, &[], "", &both).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidInput);
        assert_eq!(create(&api, "", "").unwrap_err().code(), Code::InvalidInput);
    }

    #[test]
    fn sets_are_listed_in_pages() {
        let api = TestApi::new();
        let mut ids: Vec<String> = (0..3).map(|at| create(&api, &at.to_string(), "").unwrap().0).collect();
        ids.sort();
        let page = |query: &str| api.call(Operation::ListReusableDelegationSets, &[], query, "").unwrap();
        let first = page("maxitems=2");
        assert_eq!(first.at("DelegationSets").children().len(), 2);
        assert_eq!((first.text_at("IsTruncated"), first.text_at("NextMarker")), ("true", &*ids[2]));
        let rest = page(&format!("marker={}", ids[2]));
        assert_eq!(rest.text_at("DelegationSets/DelegationSet/Id"), format!("/delegationset/{}", ids[2]));
        assert_eq!(rest.text_at("IsTruncated"), "false");
    }
}
