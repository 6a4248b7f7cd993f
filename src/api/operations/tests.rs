//! Tests of operations on hosted zones, record sets and tags.

use super::fixture::TestApi;
use super::{ApiError, Code, reader, writer};
use crate::api::operation::Operation;
use crate::api::xml::Element;

/// The page with the table of operations. `FIFTYTHREE_BLESS=1` rewrites the table.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");

/// Those that have nothing to act on.
const NEED_SIGNING: [Operation; 6] = [
    Operation::ActivateKeySigningKey,
    Operation::CreateKeySigningKey,
    Operation::DeactivateKeySigningKey,
    Operation::DeleteKeySigningKey,
    Operation::DisableHostedZoneDNSSEC,
    Operation::EnableHostedZoneDNSSEC,
];

#[test]
fn the_page_lists_all_operations_and_which_of_them_are_here() {
    let rows = Operation::ALL.iter().map(|operation| {
        let (method, path) = (operation.method(), operation.path());
        let is_here = match operation {
            operation if reader(*operation).is_some() == writer(*operation).is_some() => "not once",
            operation if NEED_SIGNING.contains(operation) => "always an error: zones are not signed yet",
            _ => "yes",
        };
        format!("| {} | {method} `{path}` | {is_here} |\n", operation.name())
    });
    let head = "| Operation | Method and path | Here |\n|---|---|---|\n";
    let table: String = std::iter::once(head.to_owned()).chain(rows).collect();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_at(page.find(head).unwrap());
    let after = &rest[rest.find("\n\n").map_or(rest.len(), |end| end + 1)..];
    let expected = format!("{before}{table}{after}");
    if std::env::var_os("FIFTYTHREE_BLESS").is_some() {
        std::fs::write(PAGE, &expected).unwrap();
    }
    assert!(!expected.contains("not once"), "{expected}");
    assert!(page == expected, "run FIFTYTHREE_BLESS=1 cargo test --lib the_page_lists_all_operations");
}

impl TestApi {
    fn create(&self, name: &str, more: &str) -> Result<Element, ApiError> {
        let reference = format!("<CallerReference>{name} {}</CallerReference>", more.len());
        self.call(Operation::CreateHostedZone, &[], "", &format!("<Name>{name}</Name>{reference}{more}"))
    }

    /// Creates a zone and returns its id.
    pub(super) fn zone(&self, name: &str) -> String {
        self.zone_with(name, "")
    }

    /// The same with more elements in the request.
    pub(super) fn zone_with(&self, name: &str, more: &str) -> String {
        id_of(&self.create(name, more).unwrap())
    }

    pub(super) fn change(&self, zone: &str, changes: &[(&str, &str)]) -> Result<Element, ApiError> {
        let changes = changes.iter().map(|(action, set)| {
            format!("<Change><Action>{action}</Action><ResourceRecordSet>{set}</ResourceRecordSet></Change>")
        });
        let changes = changes.collect::<String>();
        let body = format!("<ChangeBatch><Comment>why</Comment><Changes>{changes}</Changes></ChangeBatch>");
        self.call(Operation::ChangeResourceRecordSets, &[zone], "", &body)
    }

    /// The messages of a refused batch.
    pub(super) fn refused(&self, zone: &str, changes: &[(&str, &str)]) -> String {
        let error = self.change(zone, changes).unwrap_err();
        assert_eq!(error.code(), Code::InvalidChangeBatch, "{error}");
        error.message().to_owned()
    }

    /// Name, type and identifier of each record set of a page, and of the next one.
    fn page(&self, zone: &str, query: &str) -> (Vec<String>, Option<String>) {
        let page = self.call(Operation::ListResourceRecordSets, &[zone], query, "").unwrap();
        let key = |element: &Element, prefix: &str| {
            let part = |name: &str| Some(element.find(&format!("{prefix}{name}"))?.text().to_owned());
            [part("Name"), part("Type"), part("SetIdentifier").or(part("Identifier"))].into_iter().flatten()
        };
        let key = |element: &Element, prefix: &str| key(element, prefix).collect::<Vec<_>>().join(" ");
        let sets = page.at("ResourceRecordSets").children().iter().map(|set| key(set, "")).collect();
        (sets, (page.text_at("IsTruncated") == "true").then(|| key(&page, "NextRecord")))
    }
}

fn id_of(response: &Element) -> String {
    response.text_at("HostedZone/Id").strip_prefix("/hostedzone/").unwrap().to_owned()
}

fn a(name: &str, more: &str, value: &str) -> String {
    record("A", name, more, value)
}

fn record(record_type: &str, name: &str, more: &str, value: &str) -> String {
    format!(
        "<Name>{name}</Name><Type>{record_type}</Type>{more}<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value>\
         </ResourceRecord></ResourceRecords>"
    )
}

const PRIVATE: &str = "<VPC><VPCRegion>eu-west-1</VPCRegion><VPCId>vpc-0123456789abcdef0</VPCId></VPC>";

#[test]
fn a_zone_is_created_read_commented_and_deleted() {
    let api = TestApi::new();
    let created =
        api.create("Lab.test", "<HostedZoneConfig><Comment>a &lt;lab&gt;</Comment></HostedZoneConfig>").unwrap();
    let id = id_of(&created);
    assert_eq!(created.text_at("HostedZone/Name"), "lab.test.");
    assert_eq!(created.text_at("HostedZone/Config/Comment"), "a <lab>");
    assert_eq!(created.text_at("HostedZone/Config/PrivateZone"), "false");
    assert_eq!(created.text_at("HostedZone/ResourceRecordSetCount"), "2");
    assert_eq!(created.text_at("ChangeInfo/Status"), "PENDING");
    assert_eq!(created.text_at("DelegationSet/NameServers/NameServer"), "ns1.lab.test");
    let change = created.text_at("ChangeInfo/Id").strip_prefix("/change/").unwrap();
    assert!(api.call(Operation::GetChange, &[change], "", "").is_ok());
    assert_eq!(api.call(Operation::GetChange, &["C0"], "", "").unwrap_err().code(), Code::NoSuchChange);

    let read = api.call(Operation::GetHostedZone, &[&id], "", "").unwrap();
    assert_eq!(read.at("HostedZone"), created.at("HostedZone"));
    assert_eq!(read.at("DelegationSet"), created.at("DelegationSet"));
    let commented = api.call(Operation::UpdateHostedZoneComment, &[&id], "", "<Comment>new</Comment>").unwrap();
    assert_eq!(commented.text_at("HostedZone/Config/Comment"), "new");
    let cleared = api.call(Operation::UpdateHostedZoneComment, &[&id], "", "").unwrap();
    assert_eq!(cleared.find("HostedZone/Config/Comment"), None);

    api.change(&id, &[("CREATE", &a("www.lab.test", "", "192.0.2.1"))]).unwrap();
    let full = api.call(Operation::DeleteHostedZone, &[&id], "", "").unwrap_err();
    assert_eq!(full.code(), Code::HostedZoneNotEmpty);
    api.change(&id, &[("DELETE", &a("www.lab.test", "", "192.0.2.1"))]).unwrap();
    assert!(api.call(Operation::DeleteHostedZone, &[&id], "", "").is_ok());
    for operation in [Operation::GetHostedZone, Operation::DeleteHostedZone, Operation::ListResourceRecordSets] {
        let gone = api.call(operation, &[&id], "", "").unwrap_err();
        assert_eq!(
            (gone.code(), gone.message()),
            (Code::NoSuchHostedZone, &*format!("No hosted zone found with ID: {id}"))
        );
    }
}

#[test]
fn names_and_references_of_zones_are_checked() {
    let api = TestApi::new();
    api.zone("lab.test");
    let body = "<Name>other.test</Name><CallerReference>lab.test 0</CallerReference>";
    let code = |outcome: Result<Element, ApiError>| outcome.unwrap_err().code();
    assert_eq!(code(api.call(Operation::CreateHostedZone, &[], "", body)), Code::HostedZoneAlreadyExists);
    assert_eq!(code(api.create("lab.test.", "")), Code::ConflictingDomainExists);
    for name in ["", ".", "a..test", "*.test", "a b.test"] {
        assert_eq!(code(api.create(name, "")), Code::InvalidDomainName, "{name}");
    }
    let is_private = "<HostedZoneConfig><PrivateZone>true</PrivateZone></HostedZoneConfig>";
    assert_eq!(code(api.create("private.test", is_private)), Code::InvalidInput);
    let set = "<DelegationSetId>N1</DelegationSetId>";
    assert_eq!(code(api.create("set.test", set)), Code::NoSuchDelegationSet);
    let vpc = "<VPC><VPCRegion>eu-west-1</VPCRegion><VPCId>subnet-1</VPCId></VPC>";
    assert_eq!(code(api.create("vpc.test", vpc)), Code::InvalidVPCId);
    assert_eq!(code(api.call(Operation::CreateHostedZone, &[], "", "<Name>x.test</Name>")), Code::InvalidInput);
}

#[test]
fn accelerated_recovery_is_shown_and_keeps_a_zone() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let status = || {
        let read = api.call(Operation::GetHostedZone, &[&zone], "", "").unwrap();
        read.find("HostedZone/Features/AcceleratedRecoveryStatus").map(|status| status.text().to_owned())
    };
    let enable = |zone: &str, enable: &str| {
        let body = format!("<EnableAcceleratedRecovery>{enable}</EnableAcceleratedRecovery>");
        api.call(Operation::UpdateHostedZoneFeatures, &[zone], "", &body)
    };
    assert_eq!(status(), None);
    enable(&zone, "true").unwrap();
    assert_eq!(status().as_deref(), Some("ENABLED"));
    let kept = api.call(Operation::DeleteHostedZone, &[&zone], "", "").unwrap_err();
    assert_eq!(kept.code(), Code::InvalidInput);
    enable(&zone, "false").unwrap();
    assert_eq!(status().as_deref(), Some("DISABLED"));
    let listed = api.call(Operation::ListHostedZones, &[], "", "").unwrap();
    assert_eq!(listed.text_at("HostedZones/HostedZone/Features/AcceleratedRecoveryStatus"), "DISABLED");
    assert!(api.call(Operation::DeleteHostedZone, &[&zone], "", "").is_ok());
    assert_eq!(enable(&zone, "true").unwrap_err().code(), Code::NoSuchHostedZone);
    let private = api.zone_with("lab.test", PRIVATE);
    assert_eq!(enable(&private, "true").unwrap_err().code(), Code::InvalidInput);
    assert_eq!(
        api.call(Operation::UpdateHostedZoneFeatures, &[&private], "", "").unwrap_err().code(),
        Code::InvalidInput
    );
}

#[test]
fn associations_of_vpcs_are_authorized_and_listed_in_pages() {
    let api = TestApi::new();
    let zone = api.zone_with("lab.test", PRIVATE);
    let vpc = |number: u8| format!("<VPC><VPCRegion>us-east-1</VPCRegion><VPCId>vpc-0123abc{number}</VPCId></VPC>");
    let authorize = |zone: &str, vpc: &str| api.call(Operation::CreateVPCAssociationAuthorization, &[zone], "", vpc);
    for number in [2, 0, 1, 2] {
        let made = authorize(&zone, &vpc(number)).unwrap();
        assert_eq!((made.text_at("HostedZoneId"), made.text_at("VPC/VPCRegion")), (&*zone, "us-east-1"));
    }
    let page = |query: &str| api.call(Operation::ListVPCAssociationAuthorizations, &[&zone], query, "");
    let first = page("maxresults=2").unwrap();
    assert_eq!(first.at("VPCs").children().len(), 2);
    let rest = page(&format!("nexttoken={}", first.text_at("NextToken"))).unwrap();
    assert_eq!((rest.text_at("VPCs/VPC/VPCId"), rest.find("NextToken")), ("vpc-0123abc2", None));
    assert_eq!(page("nexttoken=x").unwrap_err().code(), Code::InvalidPaginationToken);
    let deauthorize = |vpc: &str| api.call(Operation::DeleteVPCAssociationAuthorization, &[&zone], "", vpc);
    deauthorize(&vpc(2)).unwrap();
    assert_eq!(deauthorize(&vpc(2)).unwrap_err().code(), Code::VPCAssociationAuthorizationNotFound);
    assert_eq!(page("").unwrap().at("VPCs").children().len(), 2);
    assert_eq!(authorize("Z0", &vpc(1)).unwrap_err().code(), Code::NoSuchHostedZone);
    assert_eq!(authorize(&api.zone("public.test"), &vpc(1)).unwrap_err().code(), Code::InvalidInput);
    let bad = "<VPC><VPCId>subnet-1</VPCId></VPC>";
    assert_eq!(authorize(&zone, bad).unwrap_err().code(), Code::InvalidVPCId);
}

#[test]
fn a_private_zone_has_vpcs_and_no_delegation_set() {
    let api = TestApi::new();
    let created = api.create("lab.test", PRIVATE).unwrap();
    let id = id_of(&created);
    assert_eq!(created.text_at("VPC/VPCId"), "vpc-0123456789abcdef0");
    assert_eq!(created.find("DelegationSet"), None);
    assert_eq!(created.text_at("HostedZone/Config/PrivateZone"), "true");
    let vpc = |id: &str| format!("<VPC><VPCRegion>us-east-1</VPCRegion><VPCId>{id}</VPCId></VPC>");
    let call = |operation, zone: &str, vpc: &str| api.call(operation, &[zone], "", vpc);
    let (associate, leave) = (Operation::AssociateVPCWithHostedZone, Operation::DisassociateVPCFromHostedZone);
    assert_eq!(call(associate, &id, &vpc("vpc-0000000b")).unwrap().text_at("ChangeInfo/Status"), "PENDING");
    let vpcs = || {
        let zone = api.call(Operation::GetHostedZone, &[&id], "", "").unwrap();
        assert_eq!(zone.find("DelegationSet"), None);
        let texts = |vpc: &Element| vpc.children().iter().map(Element::text).collect::<Vec<_>>().join(" ");
        zone.at("VPCs").children().iter().map(texts).collect::<Vec<_>>()
    };
    assert_eq!(vpcs(), ["eu-west-1 vpc-0123456789abcdef0", "us-east-1 vpc-0000000b"]);
    let of_vpc = |vpc: &str| {
        let query = format!("vpcid={vpc}&vpcregion=us-east-1");
        let list = api.call(Operation::ListHostedZonesByVPC, &[], &query, "").unwrap();
        list.at("HostedZoneSummaries")
            .children()
            .iter()
            .map(|zone| zone.text_at("HostedZoneId").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!((of_vpc("vpc-0000000b"), of_vpc("vpc-0000000c")), (vec![id.clone()], vec![]));
    assert!(call(leave, &id, &vpc("vpc-0000000b")).is_ok());
    let code = |operation, zone: &str, id: &str| call(operation, zone, &vpc(id)).unwrap_err().code();
    assert_eq!(code(leave, &id, "vpc-0000000b"), Code::VPCAssociationNotFound);
    assert_eq!(code(leave, &id, "vpc-0123456789abcdef0"), Code::LastVPCAssociation);
    assert_eq!(code(associate, &api.zone("public.test"), "vpc-0000000b"), Code::PublicZoneVPCAssociation);
    assert_eq!(api.call(Operation::GetDNSSEC, &[&id], "", "").unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn zones_are_listed_in_pages_whose_next_names_the_first_of_the_next_page() {
    let api = TestApi::new();
    for name in ["b.test", "a.b.test", "b-1.test", "a.test"] {
        api.zone(name);
    }
    api.create("b.test", PRIVATE).unwrap();
    let count = api.call(Operation::GetHostedZoneCount, &[], "", "").unwrap();
    assert_eq!(count.text_at("HostedZoneCount"), "5");
    let names = |list: &Element| -> Vec<String> {
        list.at("HostedZones").children().iter().map(|zone| zone.text_at("Name").to_owned()).collect()
    };
    let by_name = |query: &str| api.call(Operation::ListHostedZonesByName, &[], query, "").unwrap();
    let all = by_name("");
    assert_eq!(names(&all), ["a.test.", "b-1.test.", "b.test.", "b.test.", "a.b.test."]);
    assert_eq!((all.text_at("MaxItems"), all.find("NextDNSName")), ("100", None));
    // The name is where the list starts: it does not have to exist.
    let page = by_name("dnsname=B.test&maxitems=1");
    assert_eq!((names(&page), page.text_at("DNSName")), (vec!["b.test.".to_owned()], "B.test"));
    assert_eq!((page.text_at("NextDNSName"), page.text_at("MaxItems")), ("b.test.", "1"));
    let next = by_name(&format!("dnsname=b.test.&hostedzoneid={}&maxitems=1", page.text_at("NextHostedZoneId")));
    assert_eq!(names(&next), ["b.test."]);
    assert_ne!(next.text_at("HostedZones/HostedZone/Id"), page.text_at("HostedZones/HostedZone/Id"));
    assert_eq!(names(&by_name("dnsname=b-2.test"))[0], "b.test.");

    let list = |query: &str| api.call(Operation::ListHostedZones, &[], query, "").unwrap();
    let (mut seen, mut query) = (Vec::new(), "maxitems=2".to_owned());
    loop {
        let page = list(&query);
        seen.extend(page.at("HostedZones").children().iter().map(|zone| zone.text_at("Id").to_owned()));
        let Some(next) = page.find("NextMarker") else { break };
        query = format!("maxitems=2&marker={}", next.text());
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
    assert_eq!(list("").text_at("Marker"), "");
    assert_eq!(names(&list("hostedzonetype=PrivateHostedZone")), ["b.test."]);
}

#[test]
fn record_sets_are_listed_in_pages_of_any_size() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let weighted = |identifier: &str| {
        let policy = format!("<SetIdentifier>{identifier}</SetIdentifier><Weight>1</Weight>");
        a("b.lab.test", &policy, "192.0.2.1")
    };
    let txt = record("TXT", "*.lab.test", "", "\"a\"");
    let sets =
        [weighted("two"), weighted("one"), txt, a("b-1.lab.test", "", "192.0.2.1"), a("a.b.lab.test", "", "192.0.2.1")];
    api.change(&zone, &sets.each_ref().map(|set| ("CREATE", set.as_str()))).unwrap();
    let (all, next) = api.page(&zone, "");
    let expected = [
        "lab.test. NS",
        "lab.test. SOA",
        r"\052.lab.test. TXT",
        "b-1.lab.test. A",
        "b.lab.test. A one",
        "b.lab.test. A two",
        "a.b.lab.test. A",
    ];
    assert_eq!((all.iter().map(String::as_str).collect::<Vec<_>>(), next), (expected.to_vec(), None));
    for size in 1..8 {
        let (mut joined, mut query) = (Vec::new(), format!("maxitems={size}"));
        loop {
            let (page, next) = api.page(&zone, &query);
            assert!(page.len() <= size);
            joined.extend(page);
            let Some(next) = next else { break };
            let mut parts = next.split(' ');
            query = format!("maxitems={size}&name={}&type={}", parts.next().unwrap(), parts.next().unwrap());
            query.extend(parts.next().map(|identifier| format!("&identifier={identifier}")));
        }
        assert_eq!(joined, all, "pages of {size}");
    }
    assert_eq!(api.page(&zone, "name=b.lab.test&type=A&identifier=p&maxitems=1").0, ["b.lab.test. A two"]);
    assert_eq!(api.page(&zone, "name=b-1.lab.test&type=TXT&maxitems=1").0, ["b.lab.test. A one"]);
    assert_eq!(api.page(&zone, "name=lab.test&type=SOA&identifier=&maxitems=1").0, ["lab.test. SOA"]);
    for query in ["type=A", "name=a&identifier=b", "name=a%20b", "name=a&type=X", "maxitems=0"] {
        let error = api.call(Operation::ListResourceRecordSets, &[&zone], query, "").unwrap_err();
        assert_eq!(error.code(), Code::InvalidInput, "{query}");
    }
}

#[test]
fn values_are_listed_as_they_were_sent() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let values = [
        ("TXT", r#""a""b""#),
        ("CNAME", "Target.Lab.test"),
        ("MX", "10  mail.lab.test"),
        ("AAAA", "2001:DB8:0::1"),
        ("A", "192.0.2.1"),
    ];
    for (record_type, value) in values {
        let name = format!("{record_type}.lab.test");
        api.change(&zone, &[("CREATE", &record(record_type, &name, "", value))]).unwrap();
        let query = format!("name={name}&maxitems=1");
        let page = api.call(Operation::ListResourceRecordSets, &[&zone], &query, "").unwrap();
        let set = page.at("ResourceRecordSets/ResourceRecordSet");
        assert_eq!(set.text_at("ResourceRecords/ResourceRecord/Value"), value);
    }
}

#[test]
fn a_page_has_100_record_sets_unless_asked_for_300() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let sets: Vec<String> = (0..301).map(|number| a(&format!("n{number}.lab.test"), "", "192.0.2.1")).collect();
    api.change(&zone, &sets.iter().map(|set| ("CREATE", set.as_str())).collect::<Vec<_>>()).unwrap();
    let page = |query: &str| api.call(Operation::ListResourceRecordSets, &[&zone], query, "").unwrap();
    for (query, items, max) in [("", 100, "100"), ("maxitems=1000", 300, "300"), ("maxitems=7", 7, "7")] {
        let page = page(query);
        assert_eq!(page.at("ResourceRecordSets").children().len(), items);
        assert_eq!((page.text_at("MaxItems"), page.text_at("IsTruncated")), (max, "true"));
    }
}

#[test]
fn a_batch_is_made_whole_or_refused_with_all_reasons() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let changed = api.change(&zone, &[("CREATE", &a("www.lab.test", "", "192.0.2.1"))]).unwrap();
    assert_eq!(changed.text_at("ChangeInfo/Comment"), "why");
    let exists = "Tried to create resource record set [name='www.lab.test.', type='A'] but it already exists";
    let missing = "Tried to delete resource record set [name='old.lab.test.', type='A'] but it was not found";
    let changes = [
        ("CREATE", a("new.lab.test", "", "192.0.2.1")),
        ("CREATE", a("www.lab.test", "", "192.0.2.1")),
        ("DELETE", a("old.lab.test", "", "192.0.2.1")),
    ];
    let changes = changes.each_ref().map(|(action, set)| (*action, set.as_str()));
    assert_eq!(api.refused(&zone, &changes), format!("[{exists}, {missing}]"));
    assert_eq!(api.page(&zone, "").0.len(), 3, "nothing is changed");
    let one = |action: &str, set: &str| api.refused(&zone, &[(action, set)]);
    assert_eq!(
        one("DELETE", &a("www.lab.test", "", "192.0.2.2")),
        "[Tried to delete resource record set [name='www.lab.test.', type='A'] but the values provided do not match the \
         current values]"
    );
    assert_eq!(
        one("CREATE", &a("notlab.test", "", "192.0.2.2")),
        "[RRSet with DNS name notlab.test. is not permitted in zone lab.test.]"
    );
    let bad = [("CREATE", a("x.lab.test", "", "1.2.3")), ("CREATE", record("TXT", "y.lab.test", "", "v"))];
    assert_eq!(
        api.refused(&zone, &bad.each_ref().map(|(action, set)| (*action, set.as_str()))),
        "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) \
         encountered with '1.2.3'', Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be \
         enclosed in quotation marks) encountered with 'v'']"
    );
    let check = api
        .change(&zone, &[("CREATE", &format!("{}<HealthCheckId>h</HealthCheckId>", a("h.lab.test", "", "192.0.2.2")))]);
    assert_eq!(check.unwrap_err().code(), Code::NoSuchHealthCheck);
    assert_eq!(
        api.change("Z0", &[("CREATE", &a("x.test", "", "192.0.2.2"))]).unwrap_err().code(),
        Code::NoSuchHostedZone
    );
    assert_eq!(api.change(&zone, &[]).unwrap_err().code(), Code::InvalidInput);
}

#[test]
fn tags_follow_the_rules_of_aws() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let change = |body: &str| api.call(Operation::ChangeTagsForResource, &["hostedzone", &zone], "", body);
    let (key, value) = ("k".repeat(128), "v".repeat(256));
    let removed = |key: &str| format!("<RemoveTagKeys><Key>{key}</Key></RemoveTagKeys>");
    let added = |tags: &str| format!("<AddTags>{tags}</AddTags>");
    for (body, expected) in [
        (added(&tag(&key, &value)), ""),
        (added(&tag("ä 1 _.:/=+-@", "ß _.:/=+-@")), ""),
        (added(&tag("laws:x", "aws:x")), ""),
        (removed(&key), ""),
        (added(&tag(&format!("{key}k"), "")), "maxLength '128' for element 'Key'"),
        (added(&tag("k", &format!("{value}v"))), "maxLength '256' for element 'Value'"),
        (removed(&format!("{key}k")), "maxLength '128' for element 'Key'"),
        (added(&tag("k", "#")), "Tags can only contain letters"),
        (added(&tag("aws:x", "")), "Tag keys cannot start with 'aws:'"),
        (added(&tag("AWS:", "")), "Tag keys cannot start with 'aws:'"),
        (removed("aws:x"), "Tag keys cannot start with 'aws:'"),
        (added(&(tag("k", "1") + &tag("k", "2"))), "The tag key 'k' is specified twice"),
        (added(&tag("k", "").repeat(11)), "'Tag' can occur a maximum of '10' times"),
        (removed("k").replace("<Key>k</Key>", &"<Key>k</Key>".repeat(11)), "'Key' can occur a maximum of '10' times"),
    ] {
        let outcome = change(&body).err().map(|error| (error.code(), error.message().to_owned()));
        let is_expected = match &outcome {
            None => expected.is_empty(),
            Some((code, message)) => *code == Code::InvalidInput && !expected.is_empty() && message.contains(expected),
        };
        assert!(is_expected, "{body}: {outcome:?}");
    }
    for batch in 0..5 {
        let tags: String = (0..10).map(|number| tag(&format!("{batch}-{number}"), "")).collect();
        // Two are there already.
        let outcome = change(&added(&tags));
        assert_eq!(outcome.is_ok(), batch < 4, "at most 50: {outcome:?}");
    }
}

#[test]
fn tags_are_added_replaced_removed_and_listed() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let change = |body: &str| api.call(Operation::ChangeTagsForResource, &["hostedzone", &zone], "", body);
    change(&format!("<AddTags>{}{}</AddTags>", tag("a", "1"), tag("b", ""))).unwrap();
    let body =
        format!("<AddTags>{}</AddTags><RemoveTagKeys><Key>b</Key><Key>none</Key></RemoveTagKeys>", tag("a", "2"));
    assert!(change(&body).unwrap().children().is_empty());
    let list = api.call(Operation::ListTagsForResource, &["hostedzone", &zone], "", "").unwrap();
    let set = list.at("ResourceTagSet");
    assert_eq!((set.text_at("ResourceType"), set.text_at("ResourceId")), ("hostedzone", &*zone));
    assert_eq!(
        (set.at("Tags").children().len(), set.text_at("Tags/Tag/Key"), set.text_at("Tags/Tag/Value")),
        (1, "a", "2")
    );
    let ids = |ids: &[&str]| {
        let ids = ids.iter().map(|id| format!("<ResourceId>{id}</ResourceId>")).collect::<String>();
        let body = format!("<ResourceIds>{ids}</ResourceIds>");
        api.call(Operation::ListTagsForResources, &["hostedzone"], "", &body)
    };
    assert_eq!(ids(&[&zone]).unwrap().at("ResourceTagSets").children(), [set.to_owned()]);
    assert_eq!(ids(&[&zone, "Z0"]).unwrap_err().code(), Code::NoSuchHostedZone);
    assert_eq!(ids(&[zone.as_str(); 11]).unwrap_err().code(), Code::InvalidInput);
    assert_eq!(ids(&[]).unwrap_err().code(), Code::InvalidInput);
    for body in [
        "",
        "<AddTags></AddTags>",
        "<AddTags><Tag><Key>a!</Key></Tag></AddTags>",
        "<AddTags><Tag><Key></Key></Tag></AddTags>",
        "<AddTags><Tag><Value>v</Value></Tag></AddTags>",
        "<RemoveTagKeys></RemoveTagKeys>",
    ] {
        assert_eq!(change(body).unwrap_err().code(), Code::InvalidInput, "{body}");
    }
    let long =
        api.call(Operation::ListTagsForResource, &["hostedzone", &format!("/hostedzone/{zone}")], "", "").unwrap_err();
    assert_eq!(
        long.message(),
        format!(
            "1 validation error detected: Value '/hostedzone/{zone}' at 'resourceId' failed to satisfy constraint: Member \
             must have length less than or equal to 32"
        )
    );
    let check = api.call(Operation::ListTagsForResource, &["healthcheck", "h"], "", "").unwrap_err();
    assert_eq!(check.code(), Code::NoSuchHealthCheck);
}

#[test]
fn limits_are_route_53s_quotas() {
    let api = TestApi::new();
    let zone = api.zone("lab.test");
    let limit = |operation, ids: &[&str]| {
        let limit = api.call(operation, ids, "", "")?;
        Ok::<_, ApiError>([limit.text_at("Limit/Value"), limit.text_at("Count")].join(" "))
    };
    assert_eq!(limit(Operation::GetAccountLimit, &["MAX_HOSTED_ZONES_BY_OWNER"]).unwrap(), "500 1");
    assert_eq!(limit(Operation::GetHostedZoneLimit, &[&zone, "MAX_RRSETS_BY_ZONE"]).unwrap(), "10000 2");
    let of_vpcs = limit(Operation::GetHostedZoneLimit, &[&zone, "MAX_VPCS_ASSOCIATED_BY_ZONE"]);
    assert_eq!(of_vpcs.unwrap_err().code(), Code::HostedZoneNotPrivate);
    let dnssec = api.call(Operation::GetDNSSEC, &[&zone], "", "").unwrap();
    assert_eq!(
        (dnssec.text_at("Status/ServeSignature"), dnssec.at("KeySigningKeys").children().len()),
        ("NOT_SIGNING", 0)
    );
}
