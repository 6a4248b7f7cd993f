"""A valid request of every operation, in every form that an operation has."""

import dataclasses
import itertools

from generator import OK

REGION = "eu-central-1"
LOG_GROUP = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/route53/variants"
DOCUMENT = (
    '{"AWSPolicyFormatVersion": "2015-10-01", "RecordType": "A", "StartEndpoint": "e", '
    '"Endpoints": {"e": {"Type": "value", "Value": "192.0.2.1"}}}'
)
ROUTING_CONTROL = "arn:aws:route53-recovery-control::111122223333:controlpanel/0/routingcontrol/0"
# A value of each type of record.
VALUES = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "CAA": '0 issue "ca.test"',
    "CNAME": "other.test.",
    "DS": "12345 13 2 " + "ab" * 32,
    "HTTPS": "1 . alpn=h2",
    "MX": "10 mail.other.test.",
    "NAPTR": '1 1 "u" "E2U+sip" "!a!b!" .',
    "NS": "ns1.other.test.",
    "PTR": "host.other.test.",
    "SPF": '"v=spf1 -all"',
    "SRV": "1 1 5060 sip.other.test.",
    "SSHFP": "4 2 " + "ab" * 32,
    "SVCB": "1 . alpn=h2",
    "TLSA": "3 1 1 " + "ab" * 32,
    "TXT": '"text"',
}


class World:
    """The objects that requests name. One that a request used up is made again."""

    def __init__(self, client):
        self.client, self.number = client, itertools.count(1)
        # Another run against the same server must not find the references of this one.
        self.run = None
        self.kept, self.spares = {}, {}

    def unique(self, text="v"):
        return f"{text}{self.run}-{next(self.number)}"

    def new(self, operation, path, params):
        """The id of a new object, or one of nothing if the server cannot make it."""
        reply = self.client.call(operation, params)
        value = reply.parsed if reply.parsed and reply.status < 300 else {}
        for step in path.split("."):
            value = value.get(step, {}) if isinstance(value, dict) else {}
        return str(value).rpartition("/")[2] if value else "Z0NOTHING"

    def one(self, kind):
        """An object that no request changes."""
        if kind not in self.kept:
            self.kept[kind] = getattr(self, "new_" + kind)()
        return self.kept[kind]

    def spare(self, kind):
        """An object for one successful request."""
        if kind not in self.spares:
            self.spares[kind] = getattr(self, "new_" + kind)()
        return self.spares[kind]

    def used(self):
        """Deletes what a successful request used up, as far as it is still there: a server with few objects is quick."""
        for kind, made in self.spares.items():
            for operation, params in DELETIONS[kind](self, made):
                self.client.call(operation, params)
        self.spares.clear()

    def zone_name(self):
        self.one("zone")
        return self.kept["zone name"]

    def new_zone(self):
        name = self.unique("zone") + ".test."
        self.kept.setdefault("zone name", name)
        return self.new("CreateHostedZone", "HostedZone.Id", {"Name": name, "CallerReference": self.unique()})

    def new_private_zone(self):
        zone = self.new(
            "CreateHostedZone",
            "HostedZone.Id",
            {
                "Name": self.unique("private") + ".test.",
                "CallerReference": self.unique(),
                "VPC": vpc("0"),
                "HostedZoneConfig": {"PrivateZone": "true"},
            },
        )
        self.client.call("AssociateVPCWithHostedZone", {"HostedZoneId": zone, "VPC": vpc("1")})
        return zone

    def new_authorized_zone(self):
        zone = self.new_private_zone()
        self.client.call("CreateVPCAssociationAuthorization", {"HostedZoneId": zone, "VPC": vpc("7")})
        return zone

    def new_protected_zone(self):
        name = self.unique("zone") + ".test."
        zone = self.new("CreateHostedZone", "HostedZone.Id", {"Name": name, "CallerReference": self.unique()})
        entries = [{"RecordName": f"{index}www.{name}".replace("0www", "www"), "RecordType": "A"} for index in range(3)]
        self.kept["protected name"], self.kept["protected entries"] = name, entries
        self.client.call("CreateResourceRecordSetProtections", {"HostedZoneId": zone, "Protections": entries})
        return zone

    def new_check(self):
        return self.new(
            "CreateHealthCheck",
            "HealthCheck.Id",
            {
                "CallerReference": self.unique(),
                "HealthCheckConfig": {"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": "9", "Disabled": "true"},
            },
        )

    def new_calculated_check(self):
        return self.new(
            "CreateHealthCheck",
            "HealthCheck.Id",
            {
                "CallerReference": self.unique(),
                "HealthCheckConfig": {"Type": "CALCULATED", "HealthThreshold": "1", "ChildHealthChecks": [self.one("check")]},
            },
        )

    def new_metric_check(self):
        return self.new(
            "CreateHealthCheck",
            "HealthCheck.Id",
            {
                "CallerReference": self.unique(),
                "HealthCheckConfig": {
                    "Type": "CLOUDWATCH_METRIC",
                    "AlarmIdentifier": {"Region": REGION, "Name": "variants"},
                    "InsufficientDataHealthStatus": "Healthy",
                },
            },
        )

    def new_collection(self):
        collection = self.new("CreateCidrCollection", "Collection.Id", {"Name": self.unique(), "CallerReference": self.unique()})
        self.client.call(
            "ChangeCidrCollection",
            {"Id": collection, "Changes": [{"LocationName": "office", "Action": "PUT", "CidrList": ["198.51.100.0/24", "203.0.113.0/24"]}]},
        )
        return collection

    def new_empty_collection(self):
        return self.new("CreateCidrCollection", "Collection.Id", {"Name": self.unique(), "CallerReference": self.unique()})

    def new_set(self):
        return self.new("CreateReusableDelegationSet", "DelegationSet.Id", {"CallerReference": self.unique()})

    def new_policy(self):
        return self.new("CreateTrafficPolicy", "TrafficPolicy.Id", {"Name": self.unique(), "Document": DOCUMENT})

    def new_instance(self):
        return self.new(
            "CreateTrafficPolicyInstance",
            "TrafficPolicyInstance.Id",
            {
                "HostedZoneId": self.one("zone"),
                "Name": self.unique() + "." + self.zone_name(),
                "TTL": "60",
                "TrafficPolicyId": self.one("policy"),
                "TrafficPolicyVersion": "1",
            },
        )

    def new_logging(self):
        return self.new(
            "CreateQueryLoggingConfig",
            "QueryLoggingConfig.Id",
            {"HostedZoneId": self.one("logged_zone"), "CloudWatchLogsLogGroupArn": LOG_GROUP},
        )

    def new_other_logging(self):
        return self.new(
            "CreateQueryLoggingConfig",
            "QueryLoggingConfig.Id",
            {"HostedZoneId": self.one("featured_zone"), "CloudWatchLogsLogGroupArn": LOG_GROUP},
        )

    def new_logged_zone(self):
        return self.new_zone()

    def new_featured_zone(self):
        return self.new_zone()

    def new_change(self):
        return self.new(
            "ChangeResourceRecordSets",
            "ChangeInfo.Id",
            {
                "HostedZoneId": self.one("zone"),
                "ChangeBatch": {"Changes": [change("UPSERT", {"Name": "www." + self.zone_name(), "Type": "A", **records("192.0.2.1")})]},
            },
        )


def delete_zone(w, zone):
    yield "DeleteHostedZone", {"Id": zone}


def delete_check(w, check):
    yield "DeleteHealthCheck", {"HealthCheckId": check}


def delete_collection(w, collection):
    changes = [{"LocationName": "office", "Action": "DELETE_IF_EXISTS", "CidrList": ["198.51.100.0/24", "203.0.113.0/24"]}]
    yield "ChangeCidrCollection", {"Id": collection, "Changes": changes}
    yield "DeleteCidrCollection", {"Id": collection}


def delete_protected_zone(w, zone):
    for entry in w.kept["protected entries"]:
        yield "DeleteResourceRecordSetProtections", {"HostedZoneId": zone, "Protections": [entry]}
    yield from delete_zone(w, zone)


# How the spares go.
DELETIONS = {
    "authorized_zone": delete_zone,
    "calculated_check": delete_check,
    "check": delete_check,
    "collection": delete_collection,
    "empty_collection": delete_collection,
    "instance": lambda w, made: [("DeleteTrafficPolicyInstance", {"Id": made})],
    "other_logging": lambda w, made: [("DeleteQueryLoggingConfig", {"Id": made})],
    "metric_check": delete_check,
    "policy": lambda w, made: [("DeleteTrafficPolicy", {"Id": made, "Version": "1"})],
    "private_zone": delete_zone,
    "protected_zone": delete_protected_zone,
    "set": lambda w, made: [("DeleteReusableDelegationSet", {"Id": made})],
    "zone": delete_zone,
}


@dataclasses.dataclass
class Base:
    """A valid request."""

    operation: str
    name: str
    make: object
    # What it gets: OK, or the code of an error if the server can only refuse it.
    result: str = OK
    # Optional members without which the request makes no sense.
    keep: frozenset = frozenset()
    # Members that this form of the request must not have, with an example.
    strangers: dict = dataclasses.field(default_factory=dict)
    # A structure whose members are all optional must have one.
    needs_members: bool = False


def vpc(number):
    return {"VPCRegion": REGION, "VPCId": "vpc-0123456789abcdef" + number}


def records(value):
    return {"TTL": "60", "ResourceRecords": [{"Value": value}]}


def change(action, record_set):
    return {"Action": action, "ResourceRecordSet": record_set}


def all_bases(w):
    return [*zones(w), *vpcs(w), *record_sets(w), *checks(w), *collections(w), *policies(w), *others(w)]


def zones(w):
    yield Base("GetHostedZone", "public", lambda: {"Id": w.one("zone")})
    yield Base("GetHostedZone", "private", lambda: {"Id": w.one("private_zone")})
    yield Base("GetHostedZoneCount", "", lambda: {})
    yield Base(
        "ListHostedZones",
        "",
        lambda: {"Marker": "Z0", "MaxItems": "2", "DelegationSetId": w.one("set"), "HostedZoneType": "PrivateHostedZone"},
    )
    yield Base("ListHostedZonesByName", "", lambda: {"DNSName": w.zone_name(), "HostedZoneId": w.one("zone"), "MaxItems": "2"})
    yield Base(
        "CreateHostedZone",
        "public",
        lambda: {
            "Name": w.unique("zone") + ".test.",
            "CallerReference": w.unique(),
            "DelegationSetId": w.one("set"),
            "HostedZoneConfig": {"Comment": "variants", "PrivateZone": "false"},
        },
    )
    yield Base(
        "CreateHostedZone",
        "private",
        lambda: {
            "Name": w.unique("private") + ".test.",
            "VPC": vpc("2"),
            "CallerReference": w.unique(),
            "HostedZoneConfig": {"Comment": "variants", "PrivateZone": "true"},
        },
        keep=frozenset({"VPC", "VPC.VPCId"}),
        strangers={"DelegationSetId": "N0"},
    )
    yield Base("UpdateHostedZoneComment", "", lambda: {"Id": w.one("zone"), "Comment": "variants"})
    yield Base(
        "UpdateHostedZoneFeatures",
        "",
        lambda: {"HostedZoneId": w.one("featured_zone"), "EnableAcceleratedRecovery": "true"},
        keep=frozenset({"EnableAcceleratedRecovery"}),
    )
    yield Base("DeleteHostedZone", "", lambda: {"Id": w.spare("zone")})
    yield Base("GetHostedZoneLimit", "", lambda: {"Type": "MAX_VPCS_ASSOCIATED_BY_ZONE", "HostedZoneId": w.one("private_zone")})
    yield Base("GetAccountLimit", "", lambda: {"Type": "MAX_HOSTED_ZONES_BY_OWNER"})
    yield Base("GetChange", "", lambda: {"Id": w.one("change")})
    yield Base(
        "TestDNSAnswer",
        "",
        lambda: {
            "HostedZoneId": w.one("zone"),
            "RecordName": "www." + w.zone_name(),
            "RecordType": "A",
            "ResolverIP": "127.0.0.9",
            "EDNS0ClientSubnetIP": "198.51.100.1",
            "EDNS0ClientSubnetMask": "24",
        },
    )
    for operation, code in (
        ("EnableHostedZoneDNSSEC", "KeySigningKeyWithActiveStatusNotFound"),
        ("DisableHostedZoneDNSSEC", "DNSSECNotFound"),
        ("GetDNSSEC", OK),
    ):
        yield Base(operation, "", lambda: {"HostedZoneId": w.one("zone")}, result=code)
        yield Base(operation, "private", lambda: {"HostedZoneId": w.one("private_zone")}, result="InvalidArgument")
    for operation in ("ActivateKeySigningKey", "DeactivateKeySigningKey", "DeleteKeySigningKey"):
        yield Base(operation, "", lambda: {"HostedZoneId": w.one("zone"), "Name": "ksk_1"}, result="NoSuchKeySigningKey")
    yield Base(
        "CreateKeySigningKey",
        "",
        lambda: {
            "CallerReference": w.unique(),
            "HostedZoneId": w.spare("zone"),
            "KeyManagementServiceArn": "arn:aws:kms:us-east-1:111122223333:key/1",
            "Name": w.unique("ksk_").replace("-", "_"),
            "Status": "ACTIVE",
        },
        result="InvalidKMSArn",
    )


def vpcs(w):
    keep = frozenset({"VPC.VPCId"})
    yield Base(
        "AssociateVPCWithHostedZone", "", lambda: {"HostedZoneId": w.one("private_zone"), "VPC": vpc("3"), "Comment": "variants"}, keep=keep
    )
    yield Base(
        "AssociateVPCWithHostedZone",
        "public",
        lambda: {"HostedZoneId": w.one("zone"), "VPC": vpc("3")},
        result="PublicZoneVPCAssociation",
        keep=keep,
    )
    yield Base(
        "DisassociateVPCFromHostedZone",
        "",
        lambda: {"HostedZoneId": w.spare("private_zone"), "VPC": vpc("1"), "Comment": "variants"},
        keep=keep,
    )
    yield Base("CreateVPCAssociationAuthorization", "", lambda: {"HostedZoneId": w.one("private_zone"), "VPC": vpc("7")}, keep=keep)
    yield Base("DeleteVPCAssociationAuthorization", "", lambda: {"HostedZoneId": w.spare("authorized_zone"), "VPC": vpc("7")}, keep=keep)
    yield Base(
        "ListVPCAssociationAuthorizations", "", lambda: {"HostedZoneId": w.one("private_zone"), "NextToken": "vpc-0", "MaxResults": "1"}
    )
    yield Base("ListHostedZonesByVPC", "", lambda: {**vpc("0"), "MaxItems": "1", "NextToken": "Z0"})


def record_sets(w):
    yield Base(
        "ListResourceRecordSets",
        "",
        lambda: {
            "HostedZoneId": w.one("zone"),
            "StartRecordName": "www." + w.zone_name(),
            "StartRecordType": "A",
            "StartRecordIdentifier": "a",
            "MaxItems": "1",
        },
    )
    batch = "ChangeBatch.Changes[]"
    member = batch + ".ResourceRecordSet."

    def base(name, members, keep=(), strangers=None, action="CREATE", data=None):
        def make():
            made = members() if callable(members) else members
            data_members = records("192.0.2.1") if data is None else data()
            record_set = {"Name": w.unique() + "." + w.zone_name(), "Type": "A", **made, **data_members}
            return {"HostedZoneId": w.one("zone"), "ChangeBatch": {"Comment": "variants", "Changes": [change(action, record_set)]}}

        needed = {*keep, *(["TTL", "ResourceRecords"] if data is None else ["AliasTarget"])}
        return Base(
            "ChangeResourceRecordSets",
            name,
            make,
            keep=frozenset(member + name for name in needed),
            strangers=strangers or {},
            needs_members=True,
        )

    other_policies = {
        "Weight": "1",
        "Region": REGION,
        "GeoLocation": {"CountryCode": "DE"},
        "Failover": "SECONDARY",
        "MultiValueAnswer": "true",
        "CidrRoutingConfig": {"CollectionId": "00000000-0000-4000-8000-000000000000", "LocationName": "*"},
        "GeoProximityLocation": {"AWSRegion": REGION},
    }
    alias = {"AliasTarget": {"HostedZoneId": "Z0", "DNSName": "www.test.", "EvaluateTargetHealth": "false"}}

    def strange(*own):
        return {name: value for name, value in {**other_policies, **alias, "TrafficPolicyInstanceId": "0"}.items() if name not in own}

    yield base("simple", {}, strangers={**strange(), "SetIdentifier": "a"})
    for record_type, value in VALUES.items():
        yield base(f"type {record_type}", {"Type": record_type}, data=lambda value=value: records(value), keep=["TTL", "ResourceRecords"])
    of_group = {"SetIdentifier": "one"}

    def checked():
        return {**of_group, "HealthCheckId": w.one("check")}

    for name, members in (
        ("weighted", lambda: {"Weight": "10"}),
        ("latency", lambda: {"Region": REGION}),
        ("failover", lambda: {"Failover": "SECONDARY"}),
        ("multivalue answer", lambda: {"MultiValueAnswer": "true"}),
        ("continent", lambda: {"GeoLocation": {"ContinentCode": "EU"}}),
        ("country", lambda: {"GeoLocation": {"CountryCode": "DE"}}),
        ("subdivision", lambda: {"GeoLocation": {"CountryCode": "US", "SubdivisionCode": "CA"}}),
        ("near a region", lambda: {"GeoProximityLocation": {"AWSRegion": REGION, "Bias": "1"}}),
        ("near a local zone", lambda: {"GeoProximityLocation": {"LocalZoneGroup": "us-east-1-bos-1", "Bias": "1"}}),
        ("near a place", lambda: {"GeoProximityLocation": {"Coordinates": {"Latitude": "52.52", "Longitude": "13.4"}, "Bias": "-1"}}),
        ("IP-based", lambda: {"CidrRoutingConfig": {"CollectionId": w.one("collection"), "LocationName": "office"}}),
    ):
        policy = next(iter(members())) if name != "IP-based" else "CidrRoutingConfig"
        inner = {
            "continent": ["ContinentCode"],
            "country": ["CountryCode"],
            "subdivision": ["CountryCode"],
            "near a region": ["AWSRegion"],
            "near a local zone": ["LocalZoneGroup"],
            "near a place": ["Coordinates"],
        }.get(name, [])
        keep = ["SetIdentifier", policy, *(f"{policy}.{one}" for one in inner)]
        yield base(name, lambda members=members: {**checked(), **members()}, keep=keep, strangers=strange(policy))
    yield base(
        "alias",
        lambda: {},
        data=lambda: {"AliasTarget": {"HostedZoneId": w.one("zone"), "DNSName": "www." + w.zone_name(), "EvaluateTargetHealth": "true"}},
        strangers={"TTL": "60", "ResourceRecords": [{"Value": "192.0.2.1"}]},
    )

    def protections():
        name = w.unique() + "." + w.zone_name()
        return {
            "HostedZoneId": w.one("zone"),
            "Protections": [
                {"RecordName": name, "RecordType": "A", "Comment": "variants"},
                {"RecordName": name, "RecordType": "AAAA", "Comment": "variants"},
            ],
        }

    yield Base("CreateResourceRecordSetProtections", "", protections)

    def keys():
        zone = w.spare("protected_zone")
        return {"HostedZoneId": zone, "Protections": [{"RecordName": "www." + w.kept["protected name"], "RecordType": "A"}]}

    yield Base("DeleteResourceRecordSetProtections", "", keys)
    yield Base(
        "ListResourceRecordSetProtections",
        "",
        lambda: {"HostedZoneId": w.one("zone"), "StartRecordName": "www." + w.zone_name(), "StartRecordType": "A", "MaxResults": "1"},
    )


def checks(w):
    yield Base("ListHealthChecks", "", lambda: {"Marker": "0", "MaxItems": "1"})
    for operation in ("GetHealthCheckCount", "GetCheckerIpRanges"):
        yield Base(operation, "", lambda: {})
    for operation in ("GetHealthCheck", "GetHealthCheckStatus", "GetHealthCheckLastFailureReason"):
        yield Base(operation, "", lambda: {"HealthCheckId": w.one("check")})
    yield Base("DeleteHealthCheck", "", lambda: {"HealthCheckId": w.spare("check")})
    endpoint = {
        "IPAddress": "127.0.0.1",
        "Port": "9",
        "ResourcePath": "/",
        "FullyQualifiedDomainName": "check.test",
        "RequestInterval": "30",
        "FailureThreshold": "3",
        "MeasureLatency": "false",
        "Inverted": "false",
        "Disabled": "true",
        "Regions": ["us-east-1", "eu-west-1", "sa-east-1"],
    }
    alarm = {"AlarmIdentifier": {"Region": REGION, "Name": "variants"}}
    calculated = {"HealthThreshold": "1", "ChildHealthChecks": ["0"]}
    routing = {"RoutingControlArn": ROUTING_CONTROL}
    metric = {**alarm, "InsufficientDataHealthStatus": "Healthy"}

    def base(kind, members, keep, strangers):
        config = "HealthCheckConfig."
        # Without Disabled the server would probe; all addresses are loopback.
        return Base(
            "CreateHealthCheck",
            kind,
            lambda: {"CallerReference": w.unique(), "HealthCheckConfig": {"Type": kind, **(members() if callable(members) else members)}},
            keep=frozenset(config + name for name in keep),
            strangers=strangers,
        )

    no_endpoint = {**calculated, **metric, **routing}
    yield base("HTTP", endpoint, ["IPAddress"], {**no_endpoint, "SearchString": "a"})
    yield base("HTTPS", {**endpoint, "EnableSNI": "true"}, ["IPAddress"], {**no_endpoint, "SearchString": "a"})
    yield base("HTTP_STR_MATCH", {**endpoint, "SearchString": "a"}, ["IPAddress", "SearchString"], no_endpoint)
    yield base("HTTPS_STR_MATCH", {**endpoint, "SearchString": "a", "EnableSNI": "true"}, ["IPAddress", "SearchString"], no_endpoint)
    tcp = {name: value for name, value in endpoint.items() if name not in ("ResourcePath", "FullyQualifiedDomainName")}
    yield base(
        "TCP",
        tcp,
        ["IPAddress", "Port"],
        {**no_endpoint, "SearchString": "a", "ResourcePath": "/", "FullyQualifiedDomainName": "check.test"},
    )
    switches = {"Inverted": "false", "Disabled": "true"}
    of_endpoint = {
        name: endpoint[name]
        for name in ("IPAddress", "Port", "ResourcePath", "FullyQualifiedDomainName", "RequestInterval", "FailureThreshold", "Regions")
    }
    of_endpoint["SearchString"] = "a"
    yield base(
        "CALCULATED",
        lambda: {**switches, "HealthThreshold": "1", "ChildHealthChecks": [w.one("check")]},
        ["HealthThreshold"],
        {**of_endpoint, **metric, **routing},
    )
    yield base("CLOUDWATCH_METRIC", {**switches, **metric}, ["AlarmIdentifier"], {**of_endpoint, **calculated, **routing})
    yield base("RECOVERY_CONTROL", {**switches, **routing}, ["RoutingControlArn"], {**of_endpoint, **calculated, **metric})

    def update(name, kind, members, strangers=None):
        return Base(
            "UpdateHealthCheck",
            name,
            lambda: {"HealthCheckId": w.one(kind), **(members() if callable(members) else members)},
            strangers=strangers or {},
        )

    changed = {
        name: endpoint[name]
        for name in ("IPAddress", "Port", "ResourcePath", "FullyQualifiedDomainName", "FailureThreshold", "Inverted", "Disabled", "Regions")
    }
    yield Base("UpdateHealthCheck", "version", lambda: {"HealthCheckId": w.spare("check"), "HealthCheckVersion": "1"})
    yield update("endpoint", "check", {**changed, "ResetElements": ["FullyQualifiedDomainName", "Regions"]}, no_endpoint)
    yield update(
        "calculated",
        "calculated_check",
        lambda: {**switches, "HealthThreshold": "0", "ChildHealthChecks": [w.one("check")]},
        {**of_endpoint, **metric},
    )
    yield update("metric", "metric_check", {**switches, **metric}, {**of_endpoint, **calculated})


def collections(w):
    yield Base("CreateCidrCollection", "", lambda: {"Name": w.unique(), "CallerReference": w.unique()})
    yield Base(
        "ChangeCidrCollection",
        "",
        lambda: {
            "Id": w.spare("collection"),
            "CollectionVersion": "2",
            "Changes": [{"LocationName": "branch", "Action": "PUT", "CidrList": ["10.0.0.0/24", "2001:db8::/48"]}],
        },
    )
    yield Base("DeleteCidrCollection", "", lambda: {"Id": w.spare("empty_collection")})
    pages = {"MaxResults": "1"}
    yield Base("ListCidrCollections", "", lambda: pages)
    yield Base("ListCidrLocations", "", lambda: {"CollectionId": w.one("collection"), "NextToken": "office", **pages})
    yield Base(
        "ListCidrBlocks",
        "",
        lambda: {"CollectionId": w.one("collection"), "LocationName": "office", "NextToken": "office/203.0.113.0/24", **pages},
    )


def policies(w):
    yield Base("CreateTrafficPolicy", "", lambda: {"Name": w.unique(), "Document": DOCUMENT, "Comment": "variants"})
    yield Base("CreateTrafficPolicyVersion", "", lambda: {"Id": w.one("policy"), "Document": DOCUMENT, "Comment": "variants"})
    yield Base("GetTrafficPolicy", "", lambda: {"Id": w.one("policy"), "Version": "1"})
    yield Base("DeleteTrafficPolicy", "", lambda: {"Id": w.spare("policy"), "Version": "1"})
    yield Base("UpdateTrafficPolicyComment", "", lambda: {"Id": w.one("policy"), "Version": "1", "Comment": "variants"})
    yield Base("ListTrafficPolicies", "", lambda: {"TrafficPolicyIdMarker": w.one("policy"), "MaxItems": "1"})
    yield Base("ListTrafficPolicyVersions", "", lambda: {"Id": w.one("policy"), "TrafficPolicyVersionMarker": "1", "MaxItems": "1"})
    yield Base(
        "CreateTrafficPolicyInstance",
        "",
        lambda: {
            "HostedZoneId": w.one("zone"),
            "Name": w.unique() + "." + w.zone_name(),
            "TTL": "60",
            "TrafficPolicyId": w.one("policy"),
            "TrafficPolicyVersion": "1",
        },
    )
    yield Base(
        "UpdateTrafficPolicyInstance",
        "",
        lambda: {"Id": w.one("instance"), "TTL": "30", "TrafficPolicyId": w.one("policy"), "TrafficPolicyVersion": "1"},
    )
    yield Base("GetTrafficPolicyInstance", "", lambda: {"Id": w.one("instance")})
    yield Base("DeleteTrafficPolicyInstance", "", lambda: {"Id": w.spare("instance")})
    yield Base("GetTrafficPolicyInstanceCount", "", lambda: {})

    def markers():
        return {"TrafficPolicyInstanceNameMarker": "a." + w.zone_name(), "TrafficPolicyInstanceTypeMarker": "A", "MaxItems": "1"}

    yield Base("ListTrafficPolicyInstances", "", lambda: {"HostedZoneIdMarker": w.one("zone"), **markers()})
    yield Base("ListTrafficPolicyInstancesByHostedZone", "", lambda: {"HostedZoneId": w.one("zone"), **markers()})
    yield Base(
        "ListTrafficPolicyInstancesByPolicy",
        "",
        lambda: {"TrafficPolicyId": w.one("policy"), "TrafficPolicyVersion": "1", "HostedZoneIdMarker": w.one("zone"), **markers()},
    )


def others(w):
    for kind, made in (("hostedzone", "zone"), ("healthcheck", "check")):
        yield Base(
            "ChangeTagsForResource",
            kind,
            lambda kind=kind, made=made: {
                "ResourceType": kind,
                "ResourceId": w.one(made),
                "AddTags": [{"Key": "key", "Value": "value"}],
                "RemoveTagKeys": ["other"],
            },
        )
        yield Base("ListTagsForResource", kind, lambda kind=kind, made=made: {"ResourceType": kind, "ResourceId": w.one(made)})
        yield Base("ListTagsForResources", kind, lambda kind=kind, made=made: {"ResourceType": kind, "ResourceIds": [w.one(made)]})
    yield Base("GetGeoLocation", "continent", lambda: {"ContinentCode": "EU"}, strangers={"CountryCode": "DE"})
    yield Base("GetGeoLocation", "country", lambda: {"CountryCode": "US", "SubdivisionCode": "CA"})
    yield Base("ListGeoLocations", "continent", lambda: {"StartContinentCode": "EU", "MaxItems": "2"})
    yield Base("ListGeoLocations", "country", lambda: {"StartCountryCode": "US", "StartSubdivisionCode": "CA", "MaxItems": "2"})
    yield Base("CreateReusableDelegationSet", "", lambda: {"CallerReference": w.unique(), "HostedZoneId": w.spare("zone")})
    yield Base("GetReusableDelegationSet", "", lambda: {"Id": w.one("set")})
    yield Base(
        "GetReusableDelegationSetLimit", "", lambda: {"Type": "MAX_ZONES_BY_REUSABLE_DELEGATION_SET", "DelegationSetId": w.one("set")}
    )
    yield Base("ListReusableDelegationSets", "", lambda: {"Marker": "N0", "MaxItems": "1"})
    yield Base("DeleteReusableDelegationSet", "", lambda: {"Id": w.spare("set")})
    yield Base("CreateQueryLoggingConfig", "", lambda: {"HostedZoneId": w.spare("zone"), "CloudWatchLogsLogGroupArn": LOG_GROUP})
    yield Base("GetQueryLoggingConfig", "", lambda: {"Id": w.one("logging")})
    yield Base("DeleteQueryLoggingConfig", "", lambda: {"Id": w.spare("other_logging")})
    yield Base("ListQueryLoggingConfigs", "", lambda: {"HostedZoneId": w.one("zone"), "NextToken": "0", "MaxResults": "1"})
