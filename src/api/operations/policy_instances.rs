//! Traffic policy instances: create, read, list, update, delete. An instance is in the file of its
//! zone, and its record sets are made of the policy when the zone is read.

use std::sync::Arc;

use super::traffic_policies::{no_such_version, number};
use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::listing::{reversed, start_of};
use crate::api::xml::{Members, Writer};
use crate::api::{constraints, ids, lengths, value_problem};
use crate::model::{
    HostedZone, HostedZoneId, MAX_TTL, PolicyDocument, RecordType, TrafficPolicyId, TrafficPolicyInstance,
};
use crate::objects::ZoneSummary;

/// The default and the largest page.
const PAGE: usize = 100;

/// An instance and its zone.
type Placed = (HostedZoneId, TrafficPolicyInstance);

pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let names = ["HostedZoneId", "Name", "TTL", "TrafficPolicyId", "TrafficPolicyVersion"];
    let members = Members::of(request.body()?, &names)?;
    let zone = constraints::required_resource_id(members, "HostedZoneId")?;
    let name = members.required_sized_text("Name", lengths::DNS_NAME)?;
    let name = value_problem::read_name(name).map_err(ApiError::invalid_input)?;
    context.zone_summary(request, zone)?;
    let new = read(
        context,
        members,
        TrafficPolicyInstance {
            id: ids::uuid()?,
            name,
            ttl: 0,
            policy: TrafficPolicyId(String::new()),
            version: 0,
            record_type: RecordType::A,
        },
    )?;
    let update = |mut zone: HostedZone| {
        check_place(&zone, &new)?;
        Arc::make_mut(&mut zone.attachments).policy_instances.push(new.clone());
        Ok(zone)
    };
    let zone = context.update_zone(request, zone, update).await?;
    let response = request.response(|xml| write(xml, &zone.id, &new));
    Ok(response.at(request.url_of(&format!("trafficpolicyinstance/{}", new.id))))
}

/// The zone is public, holds the name, and has nothing of this name and type.
fn check_place(zone: &HostedZone, new: &TrafficPolicyInstance) -> Result<(), ApiError> {
    if zone.is_private() {
        let message = "Traffic policy instances are only available for public hosted zones.";
        return Err(ApiError::invalid_input(message));
    }
    let (name, record_type) = (&new.name, new.record_type);
    if !name.is_within(&zone.name) {
        let message = format!("RRSet with DNS name {name} is not permitted in zone {}.", zone.name);
        return Err(ApiError::invalid_input(message));
    }
    let has_set = zone.record_sets.iter().any(|set| set.record_type == record_type && set.name == *name);
    let instances = &zone.attachments.policy_instances;
    if has_set || instances.iter().any(|one| one.record_type == record_type && one.name == *name) {
        let message = format!("A resource record set with the name {name} and the type {record_type} already exists.");
        return Err(ApiError::new(Code::TrafficPolicyInstanceAlreadyExists, message));
    }
    Ok(())
}

/// An instance with the TTL and the policy of a request.
fn read(
    context: &Context,
    members: Members<'_>,
    instance: TrafficPolicyInstance,
) -> Result<TrafficPolicyInstance, ApiError> {
    let ttl = members.integer("TTL", 0..=i64::from(MAX_TTL))?.ok_or_else(|| members.incomplete("TTL"))?;
    let policy = context.traffic_policy(members.required_sized_text("TrafficPolicyId", lengths::UUID)?)?;
    let version = number(members.required_text("TrafficPolicyVersion")?.trim())?;
    let missing = || no_such_version(&policy.id.0, version);
    let document = PolicyDocument::read(&policy.version(version).ok_or_else(missing)?.document);
    let document = document.map_err(|error| ApiError::invalid_input(error.to_string()))?;
    Ok(TrafficPolicyInstance {
        ttl: u32::try_from(ttl).map_err(|_| members.incomplete("TTL"))?,
        policy: policy.id.clone(),
        version,
        record_type: document.record_type,
        ..instance
    })
}

pub(super) fn get(context: &Context, request: &Request) -> Outcome {
    let (zone, instance) = find(context, request)?;
    Ok(request.response(|xml| write(xml, &zone, &instance)))
}

/// The answers change from the old record sets to the new ones at once.
pub(super) async fn update(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["TTL", "TrafficPolicyId", "TrafficPolicyVersion"])?;
    let (zone, before) = find(context, request)?;
    let after = read(context, members, before.clone())?;
    if after.record_type != before.record_type {
        let message = format!(
            "The traffic policy instance has records of type {}, and the traffic policy version is of type {}.",
            before.record_type, after.record_type
        );
        return Err(ApiError::new(Code::ConflictingTypes, message));
    }
    let update = |mut zone: HostedZone| {
        let instances = &mut Arc::make_mut(&mut zone.attachments).policy_instances;
        let instance =
            instances.iter_mut().find(|one| one.id == after.id).ok_or_else(|| no_such_instance(&after.id))?;
        *instance = after.clone();
        Ok(zone)
    };
    let zone = context.update_zone(request, &zone.0, update).await?;
    Ok(request.response(|xml| write(xml, &zone.id, &after)))
}

pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    let (zone, instance) = find(context, request)?;
    let update = |mut zone: HostedZone| {
        let instances = &mut Arc::make_mut(&mut zone.attachments).policy_instances;
        let before = instances.len();
        instances.retain(|one| one.id != instance.id);
        if instances.len() == before { Err(no_such_instance(&instance.id)) } else { Ok(zone) }
    };
    context.update_zone(request, &zone.0, update).await?;
    Ok(request.response(|_| ()))
}

pub(super) fn count(context: &Context, request: &Request) -> Outcome {
    let count = context.policy_instances(request).len();
    Ok(request.response(|xml| xml.element("TrafficPolicyInstanceCount", count)))
}

/// ListTrafficPolicyInstances: by zone, name and type, from the markers on.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    listed(context, request, true, |_| true)
}

pub(super) fn list_by_zone(context: &Context, request: &Request) -> Outcome {
    let zone = context.zone_summary(request, ids::bare(request.required_query("id")?))?;
    listed(context, request, false, |(of, _)| *of == zone.id)
}

pub(super) fn list_by_policy(context: &Context, request: &Request) -> Outcome {
    let policy = context.traffic_policy(request.required_query("id")?)?;
    let version = number(request.required_query("version")?)?;
    policy.versions.iter().find(|one| one.number == version).ok_or_else(|| no_such_version(&policy.id.0, version))?;
    listed(context, request, true, |(_, one)| one.policy == policy.id && one.version == version)
}

fn listed(context: &Context, request: &Request, has_zones: bool, is_wanted: impl Fn(&Placed) -> bool) -> Outcome {
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let start = start(request, has_zones)?;
    let key = |(zone, one): &Placed| (zone.0.clone(), start_of(&one.name, Some(one.record_type), None));
    let mut instances = context.policy_instances(request);
    instances.retain(is_wanted);
    instances.sort_by_cached_key(key);
    let is_before = |placed: &Placed| {
        let (zone, name) = key(placed);
        if has_zones { (zone, name) < start } else { name < start.1 }
    };
    let first = instances.partition_point(is_before);
    let (page, next) = super::page(&instances[first..], size);
    Ok(request.response(|xml| {
        xml.parent("TrafficPolicyInstances", |xml| page.iter().for_each(|(zone, one)| write(xml, zone, one)));
        if let Some((zone, next)) = next {
            xml.optional("HostedZoneIdMarker", has_zones.then_some(&zone.0));
            xml.element("TrafficPolicyInstanceNameMarker", &next.name);
            xml.element("TrafficPolicyInstanceTypeMarker", next.record_type);
        }
        xml.element("IsTruncated", next.is_some());
        xml.element("MaxItems", size);
    }))
}

/// The zone and the key of the first instance of a page.
fn start(request: &Request, has_zones: bool) -> Result<(String, Vec<u8>), ApiError> {
    let given = |parameter| request.query(parameter);
    let zone = given("hostedzoneid").filter(|_| has_zones).map(ids::bare).unwrap_or_default().to_owned();
    let Some(name) = given("trafficpolicyinstancename") else { return Ok((zone, Vec::new())) };
    let name = value_problem::read_name(name).map_err(ApiError::invalid_input)?;
    let key = match given("trafficpolicyinstancetype") {
        None => reversed(&name),
        Some(text) => {
            let invalid = || ApiError::invalid_input("The input is not valid");
            let record_type = constraints::record_type(text).ok_or_else(invalid)?;
            start_of(&name, Some(record_type), None)
        }
    };
    Ok((zone, key))
}

impl Context {
    /// The instances of all zones that the caller sees.
    pub(super) fn policy_instances(&self, request: &Request) -> Vec<Placed> {
        let of_zone = |zone: ZoneSummary| {
            let instances = zone.attachments.policy_instances.clone();
            instances.into_iter().map(move |one| (zone.id.clone(), one))
        };
        self.zones(request).into_iter().flat_map(of_zone).collect()
    }
}

fn find(context: &Context, request: &Request) -> Result<Placed, ApiError> {
    let id = request.id("Id");
    let found = context.policy_instances(request).into_iter().find(|(_, instance)| instance.id == id);
    found.ok_or_else(|| no_such_instance(id))
}

fn no_such_instance(id: &str) -> ApiError {
    let message = format!("There is no traffic policy instance with the id {id}.");
    ApiError::new(Code::NoSuchTrafficPolicyInstance, message)
}

/// The element TrafficPolicyInstance. It is applied when the response is sent.
fn write(xml: &mut Writer, zone: &HostedZoneId, instance: &TrafficPolicyInstance) {
    xml.parent("TrafficPolicyInstance", |xml| {
        xml.element("Id", &instance.id);
        xml.element("HostedZoneId", &zone.0);
        xml.element("Name", &instance.name);
        xml.element("TTL", instance.ttl);
        xml.element("State", "Applied");
        xml.element("Message", "");
        xml.element("TrafficPolicyId", &instance.policy.0);
        xml.element("TrafficPolicyVersion", instance.version);
        xml.element("TrafficPolicyType", instance.record_type);
    });
}

#[cfg(test)]
mod tests {
    use super::super::traffic_policies::tests::document;
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::operations::fixture::TestApi;
    use crate::api::xml::Element;

    fn create(api: &TestApi, zone: &str, name: &str, policy: &str) -> Result<String, ApiError> {
        let body = format!(
            "<HostedZoneId>{zone}</HostedZoneId><Name>{name}</Name><TTL>60</TTL><TrafficPolicyId>{policy}</TrafficPolicyId>\
             <TrafficPolicyVersion>1</TrafficPolicyVersion>"
        );
        let created = api.call(Operation::CreateTrafficPolicyInstance, &[], "", &body)?;
        Ok(created.text_at("TrafficPolicyInstance/Id").to_owned())
    }

    fn a(name: &str) -> String {
        format!(
            "<Name>{name}</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.9</Value>\
             </ResourceRecord></ResourceRecords>"
        )
    }

    #[test]
    fn an_instance_has_its_name_for_itself_and_keeps_its_policy() {
        let api = TestApi::new();
        let zone = api.zone("lab.test");
        let policy = api.policy("canary", &document("A", "192.0.2.1")).unwrap();
        let id = create(&api, &zone, "WWW.lab.test", &policy).unwrap();
        let read = api.call(Operation::GetTrafficPolicyInstance, &[&id], "", "").unwrap();
        let at = |name: &str| read.text_at(&format!("TrafficPolicyInstance/{name}")).to_owned();
        assert_eq!(["Name", "TTL", "State", "TrafficPolicyType"].map(at), ["www.lab.test.", "60", "Applied", "A"]);
        let listed = api.call(Operation::ListResourceRecordSets, &[&zone], "name=www.lab.test", "").unwrap();
        let set = listed.at("ResourceRecordSets/ResourceRecordSet");
        assert_eq!(set.text_at("TrafficPolicyInstanceId"), id);
        assert_eq!((set.find("TTL"), set.find("ResourceRecords"), set.text_at("Type")), (None, None, "A"));
        assert_eq!(listed.at("ResourceRecordSets").children().len(), 1, "only the root is listed");

        let code = |outcome: Result<String, ApiError>| outcome.unwrap_err().code();
        assert_eq!(code(create(&api, &zone, "www.lab.test", &policy)), Code::TrafficPolicyInstanceAlreadyExists);
        let refused = api.refused(&zone, &[("CREATE", &a("www.lab.test"))]);
        assert_eq!(refused, "[a traffic policy instance has the record sets of DNS name www.lab.test., type A]");
        api.change(&zone, &[("CREATE", &a("taken.lab.test"))]).unwrap();
        assert_eq!(code(create(&api, &zone, "taken.lab.test", &policy)), Code::TrafficPolicyInstanceAlreadyExists);
        assert_eq!(code(create(&api, &zone, "www.other.test", &policy)), Code::InvalidInput);
        assert_eq!(code(create(&api, "Z0", "a.lab.test", &policy)), Code::NoSuchHostedZone);
        assert_eq!(code(create(&api, &zone, "a.lab.test", "none")), Code::NoSuchTrafficPolicy);
        let cname = api.policy("cname", &document("CNAME", "elsewhere.test.")).unwrap();
        assert_eq!(code(create(&api, &zone, "taken.lab.test", &cname)), Code::InvalidInput, "a CNAME is alone");
        let used = api.call(Operation::DeleteTrafficPolicy, &[&policy, "1"], "", "").unwrap_err();
        assert_eq!(used.code(), Code::TrafficPolicyInUse);
        api.change(&zone, &[("DELETE", &a("taken.lab.test"))]).unwrap();
        let full = api.call(Operation::DeleteHostedZone, &[&zone], "", "").unwrap_err();
        assert_eq!(full.code(), Code::HostedZoneNotEmpty);

        let alias = format!(
            "<Name>alias.lab.test</Name><Type>A</Type><AliasTarget><HostedZoneId>{zone}</HostedZoneId><DNSName>www.lab.test\
             </DNSName><EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>"
        );
        api.change(&zone, &[("CREATE", &alias)]).unwrap();
        let delete = || api.call(Operation::DeleteTrafficPolicyInstance, &[&id], "", "");
        assert_eq!(delete().unwrap_err().code(), Code::InvalidInput, "it is the target of an alias");
        api.change(&zone, &[("DELETE", &alias)]).unwrap();
        delete().unwrap();
        for operation in [Operation::GetTrafficPolicyInstance, Operation::DeleteTrafficPolicyInstance] {
            assert_eq!(api.call(operation, &[&id], "", "").unwrap_err().code(), Code::NoSuchTrafficPolicyInstance);
        }
        assert!(api.change(&zone, &[("CREATE", &a("www.lab.test"))]).is_ok());
        assert!(api.call(Operation::DeleteTrafficPolicy, &[&policy, "1"], "", "").is_ok());
    }

    #[test]
    fn an_update_is_to_a_version_of_the_same_type() {
        let api = TestApi::new();
        let zone = api.zone("lab.test");
        let policy = api.policy("canary", &document("A", "192.0.2.1")).unwrap();
        for text in [document("A", "192.0.2.2"), document("TXT", "\\\"x\\\"")] {
            let body = format!("<Document>{text}</Document>");
            api.call(Operation::CreateTrafficPolicyVersion, &[&policy], "", &body).unwrap();
        }
        let id = create(&api, &zone, "www.lab.test", &policy).unwrap();
        let update = |version: &str, ttl: &str| {
            let body = format!(
                "<TTL>{ttl}</TTL><TrafficPolicyId>{policy}</TrafficPolicyId><TrafficPolicyVersion>{version}\
                 </TrafficPolicyVersion>"
            );
            api.call(Operation::UpdateTrafficPolicyInstance, &[&id], "", &body)
        };
        let updated = update("2", "5").unwrap();
        assert_eq!(updated.text_at("TrafficPolicyInstance/TrafficPolicyVersion"), "2");
        assert_eq!(updated.text_at("TrafficPolicyInstance/TTL"), "5");
        assert_eq!(update("3", "5").unwrap_err().code(), Code::ConflictingTypes);
        assert_eq!(update("4", "5").unwrap_err().code(), Code::NoSuchTrafficPolicy);
        assert_eq!(update("2", "-1").unwrap_err().code(), Code::InvalidInput);
        assert!(api.call(Operation::DeleteTrafficPolicy, &[&policy, "1"], "", "").is_ok(), "not used any more");
    }

    #[test]
    fn instances_are_listed_in_pages_by_zone_and_by_policy() {
        let api = TestApi::new();
        let mut zones = [api.zone("a.test"), api.zone("b.test")];
        zones.sort();
        let names = |zone: &str| if zone == zones[0] { "first" } else { "second" };
        let [one, other] = ["one", "other"].map(|name| api.policy(name, &document("A", "192.0.2.1")).unwrap());
        let of = |zone: &String| {
            api.call(Operation::GetHostedZone, &[zone], "", "").unwrap().text_at("HostedZone/Name").to_owned()
        };
        for zone in &zones {
            for (label, policy) in [("y", &one), ("x", &other)] {
                create(&api, zone, &format!("{label}.{}", of(zone)), policy).unwrap();
            }
        }
        let list = |operation, query: &str| -> (Vec<String>, String) {
            let page = api.call(operation, &[], query, "").unwrap();
            let shown = |one: &Element| format!("{} {}", names(one.text_at("HostedZoneId")), &one.text_at("Name")[..1]);
            let marker = |name: &str| page.find(name).map(|marker| format!("&{}", marker.text())).unwrap_or_default();
            let markers = ["HostedZoneIdMarker", "TrafficPolicyInstanceNameMarker", "TrafficPolicyInstanceTypeMarker"]
                .map(marker);
            (page.at("TrafficPolicyInstances").children().iter().map(shown).collect(), markers.concat())
        };
        let all = ["first x", "first y", "second x", "second y"].map(str::to_owned);
        assert_eq!(list(Operation::ListTrafficPolicyInstances, ""), (all.to_vec(), String::new()));
        let (page, markers) = list(Operation::ListTrafficPolicyInstances, "maxitems=1");
        assert_eq!(page, all[..1]);
        let parts: Vec<&str> = markers.split('&').skip(1).collect();
        let [zone, name, record_type] = parts[..] else { panic!("{markers}") };
        let next =
            format!("hostedzoneid={zone}&trafficpolicyinstancename={name}&trafficpolicyinstancetype={record_type}");
        assert_eq!(list(Operation::ListTrafficPolicyInstances, &next).0, all[1..]);
        let by_zone = format!("id={}&maxitems=1", zones[1]);
        let (page, markers) = list(Operation::ListTrafficPolicyInstancesByHostedZone, &by_zone);
        assert_eq!((page, markers.matches('&').count()), (vec!["second x".to_owned()], 2));
        let by_policy = format!("id={one}&version=1");
        assert_eq!(list(Operation::ListTrafficPolicyInstancesByPolicy, &by_policy).0, ["first y", "second y"]);
        let count = api.call(Operation::GetTrafficPolicyInstanceCount, &[], "", "").unwrap();
        assert_eq!(count.text_at("TrafficPolicyInstanceCount"), "4");
        let limit = api.call(Operation::GetAccountLimit, &["MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER"], "", "").unwrap();
        assert_eq!(limit.text_at("Count"), "4");
        let code = |operation, query: &str| api.call(operation, &[], query, "").unwrap_err().code();
        assert_eq!(code(Operation::ListTrafficPolicyInstancesByHostedZone, "id=Z0"), Code::NoSuchHostedZone);
        assert_eq!(code(Operation::ListTrafficPolicyInstancesByPolicy, "id=x&version=1"), Code::NoSuchTrafficPolicy);
        assert_eq!(code(Operation::ListTrafficPolicyInstancesByPolicy, &format!("id={one}")), Code::InvalidInput);
    }
}
