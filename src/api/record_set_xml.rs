//! Resource record sets and change batches as XML.

use super::batch_shape::{
    ActionShape, AliasShape, BatchShape, ChangeShape, CidrShape, CoordinatesShape, FailoverShape, GeoLocationShape,
    GeoproximityShape, RecordSetShape, RecordShape,
};
use super::errors::ApiError;
use super::xml::{Element, Members, Writer};
use super::{constraints, lengths};
use crate::model::{
    Content, FailoverRole, GeoLocation, GeoproximityLocation, HostedZoneId, MAX_TTL, RecordType, ResourceRecordSet,
    RoutingPolicy,
};

/// The members of a ResourceRecordSet, in the order of the API.
const RECORD_SET: &[&str] = &[
    "Name",
    "Type",
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "TTL",
    "ResourceRecords",
    "AliasTarget",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "GeoProximityLocation",
];

/// Reads a ChangeResourceRecordSetsRequest.
pub(super) fn batch(request: &Element) -> Result<BatchShape, ApiError> {
    let batch = Members::of(request, &["ChangeBatch"])?.required_child("ChangeBatch")?;
    let batch = Members::of(batch, &["Comment", "Changes"])?;
    let comment = batch.sized_text("Comment", lengths::RESOURCE_DESCRIPTION)?.map(str::to_owned);
    let changes = batch.required_list("Changes", "Change")?;
    if changes.is_empty() {
        return Err(Members::of(batch.required_child("Changes")?, &[])?.incomplete("Change"));
    }
    Ok(BatchShape { comment, changes: changes.iter().map(change).collect::<Result<_, _>>()? })
}

fn change(element: &Element) -> Result<ChangeShape, ApiError> {
    let members = Members::of(element, &["Action", "ResourceRecordSet"])?;
    let action = match members.required_choice("Action", &["CREATE", "DELETE", "UPSERT"])? {
        "CREATE" => ActionShape::Create,
        "DELETE" => ActionShape::Delete,
        _ => ActionShape::Upsert,
    };
    Ok(ChangeShape { action, resource_record_set: record_set(members.required_child("ResourceRecordSet")?)? })
}

pub(super) fn record_set(element: &Element) -> Result<RecordSetShape, ApiError> {
    let members = Members::of(element, RECORD_SET)?;
    let text = |name| members.text(name).map(|text| text.map(str::to_owned));
    let name = members.required_sized_text("Name", lengths::DNS_NAME)?;
    let record_type = members.required_choice("Type", &RecordType::ALL.map(RecordType::as_str))?;
    let identifier = members.sized_text("SetIdentifier", lengths::SET_IDENTIFIER)?;
    let failover = match members.choice("Failover", &["PRIMARY", "SECONDARY"])? {
        Some("PRIMARY") => Some(FailoverShape::Primary),
        Some(_) => Some(FailoverShape::Secondary),
        None => None,
    };
    let instance = members.sized_text("TrafficPolicyInstanceId", lengths::UUID)?;
    let records = members.list("ResourceRecords", "ResourceRecord")?;
    if records.is_some_and(<[_]>::is_empty) {
        return Err(Members::of(members.required_child("ResourceRecords")?, &[])?.incomplete("ResourceRecord"));
    }
    Ok(RecordSetShape {
        name: name.to_owned(),
        r#type: record_type.to_owned(),
        set_identifier: identifier.map(str::to_owned),
        weight: members.integer("Weight", 0..=i64::from(u8::MAX))?,
        region: text("Region")?,
        geo_location: members.child("GeoLocation").map(geo_location).transpose()?,
        failover,
        multi_value_answer: members.boolean("MultiValueAnswer")?,
        ttl: members.integer("TTL", 0..=i64::from(MAX_TTL))?,
        resource_records: records.map(|records| records.iter().map(record).collect()).transpose()?,
        alias_target: members.child("AliasTarget").map(alias).transpose()?,
        health_check_id: members.sized_text("HealthCheckId", lengths::HEALTH_CHECK_ID)?.map(str::to_owned),
        traffic_policy_instance_id: instance.map(str::to_owned),
        cidr_routing_config: members.child("CidrRoutingConfig").map(cidr).transpose()?,
        geo_proximity_location: members.child("GeoProximityLocation").map(geoproximity).transpose()?,
    })
}

fn record(element: &Element) -> Result<RecordShape, ApiError> {
    Ok(RecordShape { value: Members::of(element, &["Value"])?.required_text("Value")?.to_owned() })
}

fn alias(element: &Element) -> Result<AliasShape, ApiError> {
    let members = Members::of(element, &["HostedZoneId", "DNSName", "EvaluateTargetHealth"])?;
    let evaluate = members.boolean("EvaluateTargetHealth")?;
    let zone = constraints::required_resource_id(members, "HostedZoneId")?;
    let name = members.required_sized_text("DNSName", lengths::DNS_NAME)?;
    Ok(AliasShape {
        hosted_zone_id: Some(zone.to_owned()),
        dns_name: name.to_owned(),
        evaluate_target_health: evaluate.ok_or_else(|| members.incomplete("EvaluateTargetHealth"))?,
    })
}

fn geo_location(element: &Element) -> Result<GeoLocationShape, ApiError> {
    let members = Members::of(element, &["ContinentCode", "CountryCode", "SubdivisionCode"])?;
    Ok(GeoLocationShape {
        continent_code: members.sized_text("ContinentCode", lengths::CONTINENT_CODE)?.map(str::to_owned),
        country_code: members.sized_text("CountryCode", lengths::COUNTRY_CODE)?.map(str::to_owned),
        subdivision_code: members.sized_text("SubdivisionCode", lengths::SUBDIVISION_CODE)?.map(str::to_owned),
    })
}

fn cidr(element: &Element) -> Result<CidrShape, ApiError> {
    let members = Members::of(element, &["CollectionId", "LocationName"])?;
    let collection_id = members.required_text("CollectionId")?;
    constraints::UUID.check(collection_id)?;
    let location_name = members.required_sized_text("LocationName", lengths::LOCATION_NAME)?;
    constraints::LOCATION_OR_DEFAULT.check(location_name)?;
    Ok(CidrShape { collection_id: collection_id.to_owned(), location_name: location_name.to_owned() })
}

fn geoproximity(element: &Element) -> Result<GeoproximityShape, ApiError> {
    let members = Members::of(element, &["AWSRegion", "LocalZoneGroup", "Coordinates", "Bias"])?;
    let coordinates = |element: &Element| -> Result<CoordinatesShape, ApiError> {
        let members = Members::of(element, &["Latitude", "Longitude"])?;
        let latitude = members.required_text("Latitude")?.to_owned();
        Ok(CoordinatesShape { latitude, longitude: members.required_text("Longitude")?.to_owned() })
    };
    Ok(GeoproximityShape {
        aws_region: members.text("AWSRegion")?.map(str::to_owned),
        local_zone_group: members.text("LocalZoneGroup")?.map(str::to_owned),
        coordinates: members.child("Coordinates").map(coordinates).transpose()?,
        bias: members.integer("Bias", -99..=99)?,
    })
}

/// Writes the members of a record set, in the order of the API.
pub(super) fn write(xml: &mut Writer, set: &ResourceRecordSet, zone: &HostedZoneId) {
    let ResourceRecordSet { name, record_type, set_identifier, routing_policy, content, health_check } = set;
    xml.element("Name", name);
    xml.element("Type", record_type);
    xml.optional("SetIdentifier", set_identifier.as_ref());
    write_first_policies(xml, routing_policy);
    match content {
        Content::Records { ttl, values } => {
            xml.element("TTL", ttl);
            xml.list("ResourceRecords", "ResourceRecord", values, |xml, value| {
                xml.element("Value", value.as_written());
            });
        }
        Content::Alias(target) => xml.parent("AliasTarget", |xml| {
            xml.element("HostedZoneId", &target.hosted_zone.as_ref().unwrap_or(zone).0);
            xml.element("DNSName", &target.name);
            xml.element("EvaluateTargetHealth", target.evaluate_target_health);
        }),
    }
    xml.optional("HealthCheckId", health_check.as_ref().map(|check| &check.0));
    write_last_policies(xml, routing_policy);
}

/// The policies whose members come before the TTL.
fn write_first_policies(xml: &mut Writer, policy: &RoutingPolicy) {
    match policy {
        RoutingPolicy::Weighted { weight } => xml.element("Weight", weight),
        RoutingPolicy::Latency { region } => xml.element("Region", region),
        RoutingPolicy::Geolocation { location } => xml.parent("GeoLocation", |xml| write_location(xml, *location)),
        RoutingPolicy::Failover { role: FailoverRole::Primary } => xml.element("Failover", "PRIMARY"),
        RoutingPolicy::Failover { role: FailoverRole::Secondary } => xml.element("Failover", "SECONDARY"),
        RoutingPolicy::MultivalueAnswer => xml.element("MultiValueAnswer", true),
        RoutingPolicy::Simple | RoutingPolicy::Geoproximity { .. } | RoutingPolicy::IpBased { .. } => {}
    }
}

fn write_location(xml: &mut Writer, location: GeoLocation) {
    match location {
        GeoLocation::Continent(continent) => xml.element("ContinentCode", continent.code()),
        GeoLocation::Country(country) => xml.element("CountryCode", country),
        GeoLocation::Subdivision(country, subdivision) => {
            xml.element("CountryCode", country);
            xml.element("SubdivisionCode", subdivision);
        }
        GeoLocation::Default => xml.element("CountryCode", "*"),
    }
}

/// The policies whose members come last.
fn write_last_policies(xml: &mut Writer, policy: &RoutingPolicy) {
    match policy {
        RoutingPolicy::IpBased { collection, location } => xml.parent("CidrRoutingConfig", |xml| {
            xml.element("CollectionId", &collection.0);
            xml.element("LocationName", location.as_deref().unwrap_or("*"));
        }),
        RoutingPolicy::Geoproximity { location, bias } => xml.parent("GeoProximityLocation", |xml| {
            match location {
                GeoproximityLocation::Region(region) => xml.element("AWSRegion", region),
                GeoproximityLocation::LocalZoneGroup { name, .. } => xml.element("LocalZoneGroup", name),
                GeoproximityLocation::Coordinates(at) => xml.parent("Coordinates", |xml| {
                    xml.element("Latitude", at.latitude);
                    xml.element("Longitude", at.longitude);
                }),
            }
            xml.element("Bias", bias);
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, ChangeAction};

    fn read(set: &str) -> Result<Change, Vec<String>> {
        let request = format!(
            "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes><Change><Action>UPSERT</Action>\
             <ResourceRecordSet>{set}</ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let shape =
            batch(&Element::read(request.as_bytes()).unwrap()).map_err(|error| vec![error.message().to_owned()])?;
        let batch = shape.read(Some(&HostedZoneId("Z1".to_owned())));
        batch.map(|mut batch| batch.changes.remove(0)).map_err(|errors| [errors.input, errors.data].concat())
    }

    const VALUES: &str =
        "<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>";

    /// In the order in which they are written.
    #[test]
    fn every_kind_of_record_set_is_read_and_written_alike() {
        let of_group = |before: &str, after: &str| {
            format!(
                "<SetIdentifier>&quot;a&quot;</SetIdentifier>{before}{VALUES}<HealthCheckId>h</HealthCheckId>{after}"
            )
        };
        let alias = "<AliasTarget><HostedZoneId>Z1</HostedZoneId><DNSName>\\052.y.lab.test.</DNSName>\
                     <EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>";
        for members in [
            VALUES.to_owned(),
            alias.to_owned(),
            alias.replace("Z1", "Z35SXDOTRQ7X7K"),
            of_group("<Weight>0</Weight>", ""),
            of_group("<Region>eu-west-1</Region>", ""),
            of_group("<GeoLocation><ContinentCode>EU</ContinentCode></GeoLocation>", ""),
            of_group("<GeoLocation><CountryCode>*</CountryCode></GeoLocation>", ""),
            of_group(
                "<GeoLocation><CountryCode>US</CountryCode><SubdivisionCode>CA</SubdivisionCode></GeoLocation>",
                "",
            ),
            of_group("<Failover>PRIMARY</Failover>", ""),
            of_group("<Failover>SECONDARY</Failover>", ""),
            of_group("<MultiValueAnswer>true</MultiValueAnswer>", ""),
            of_group(
                "",
                "<CidrRoutingConfig><CollectionId>0123abcd-0000-4000-8000-0123456789ab</CollectionId><LocationName>*\
                 </LocationName></CidrRoutingConfig>",
            ),
            of_group(
                "",
                "<GeoProximityLocation><AWSRegion>eu-west-1</AWSRegion><Bias>-20</Bias></GeoProximityLocation>",
            ),
            of_group(
                "",
                "<GeoProximityLocation><Coordinates><Latitude>52.52</Latitude><Longitude>-13.4</Longitude></Coordinates>\
                 <Bias>0</Bias></GeoProximityLocation>",
            ),
        ] {
            let set = format!("<Name>x.lab.test.</Name><Type>A</Type>{members}");
            let Change { action, record_set } = read(&set).unwrap();
            assert_eq!(action, ChangeAction::Upsert);
            let mut xml = Writer::root("R", "ns");
            write(&mut xml, &record_set, &HostedZoneId("Z1".to_owned()));
            assert!(xml.finish().ends_with(&format!("<R xmlns=\"ns\">{set}</R>")), "{set}");
        }
    }

    #[test]
    fn names_are_in_lower_case_with_octal_escapes() {
        let set = read(&format!("<Name>*.@X.Lab.test</Name><Type>A</Type>{VALUES}")).unwrap().record_set;
        assert_eq!(set.name.to_string(), r"\052.\100x.lab.test.");
    }

    #[test]
    fn what_has_not_the_form_of_a_record_set_is_refused() {
        let alias = "<AliasTarget><HostedZoneId>Z1</HostedZoneId><DNSName>y.lab.test</DNSName></AliasTarget>";
        let cases = [
            (
                alias.to_owned(),
                "The content of element 'AliasTarget' is not complete. One of '{\"https://route53.amazonaws.com/doc/2013-04-01/\":EvaluateTargetHealth}' is expected.",
            ),
            (
                String::new(),
                "but found none in Change with [Action=UPSERT, Name=x.lab.test, Type=A, SetIdentifier=null]",
            ),
            ("<TTL>1</TTL><ResourceRecords/>".to_owned(), "The content of element 'ResourceRecords' is not complete"),
            (format!("<Weight>256</Weight>{VALUES}"), "maxInclusive '255'"),
            (format!("<Weight>1</Weight>{VALUES}"), "Missing field 'SetIdentifier'"),
            (format!("{VALUES}<GeoLocation><ContinentCode>Default</ContinentCode></GeoLocation>"), "length = '7'"),
            (
                VALUES.replace("192.0.2.1", "192.0.2"),
                "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '192.0.2''",
            ),
        ];
        for (members, message) in cases {
            let errors = read(&format!("<Name>x.lab.test</Name><Type>A</Type>{members}")).unwrap_err();
            assert!(errors.len() == 1 && errors[0].contains(message), "{members}: {errors:?}");
        }
        assert!(read("<Type>A</Type>").unwrap_err()[0].contains(":Name}' is expected"));
        assert!(read(&format!("<Name>a..b</Name><Type>DNAME</Type>{VALUES}")).unwrap_err()[0].contains("DNAME"));
        assert!(read(&format!("<Name>x.lab.test</Name><Type>a</Type>{VALUES}")).unwrap_err()[0].contains("Value 'a'"));
        for (collection, location) in [("c", "*"), ("0123abcd-0000-4000-8000-0123456789ab", "a.b")] {
            let cidr = format!(
                "<CidrRoutingConfig><CollectionId>{collection}</CollectionId><LocationName>{location}</LocationName>\
                 </CidrRoutingConfig>"
            );
            let set = format!("<Name>x.lab.test</Name><Type>A</Type><SetIdentifier>a</SetIdentifier>{VALUES}{cidr}");
            assert!(read(&set).unwrap_err()[0].contains("cvc-pattern-valid"), "{set}");
        }
        let place = |latitude: &str| {
            read(&format!(
                "<Name>x.lab.test</Name><Type>A</Type><SetIdentifier>a</SetIdentifier>{VALUES}<GeoProximityLocation>\
                 <Coordinates><Latitude>{latitude}</Latitude><Longitude>1</Longitude></Coordinates></GeoProximityLocation>"
            ))
        };
        assert!(place("+10.25").is_ok() && place("1e1").is_err());
    }
}
