"""What each kind of variant has to get.

The codes follow from the model (an error is one of the operation's own, or one of all), from the API Reference of the operation, and
from docs/api.md where this server differs from Route 53.
"""

import re

from generator import INVALID, MALFORMED, NAME, OK, UNKNOWN

# The error for an id of nothing, by the member that has it; the first that the operation has.
NOTHING = {
    "HostedZoneId": ["NoSuchHostedZone", "NoSuchKeySigningKey", "HostedZoneNotFound"],
    "DelegationSetId": ["NoSuchDelegationSet"],
    "HealthCheckId": ["NoSuchHealthCheck"],
    "CollectionId": ["NoSuchCidrCollectionException"],
    "TrafficPolicyId": ["NoSuchTrafficPolicy"],
    "ResourceId": ["NoSuchHostedZone"],
    "ResourceIds[]": ["NoSuchHostedZone"],
    # The id of what the operation is about.
    "Id": [
        "NoSuchHostedZone",
        "NoSuchCidrCollectionException",
        "NoSuchDelegationSet",
        "NoSuchQueryLoggingConfig",
        "NoSuchTrafficPolicyInstance",
        "NoSuchTrafficPolicy",
        "NoSuchChange",
    ],
}

# What the model of botocore has had since October 2026 and this server does not have: unknown members and words to it.
NEWER = (
    "AZAffinity",
    "ChangeGuardrails",
    "DryRun",
    "EnablePublicDNSFallback",
    "EndpointType",
    "HealthCheckSourceId",
    "HostedZoneTier",
    "MAX_HEALTH_CHECK_SOURCES_BY_OWNER",
    "healthchecksource",
)

# What is not as the kind of a variant says: a pattern for `operation[base] path: change`, what it has to get, and why.
RULES = [
    (rf"\b({'|'.join(NEWER)})\b", "InvalidInput", "docs/api.md: not here"),
    (r"VPCRegion: (us-iso|eu-iso)", "InvalidInput", "docs/api.md: Regions whose place is secret are not here"),
    # Members that need each other.
    (r"^CreateHostedZone\[public\] .*PrivateZone: '(true|1)'", "InvalidInput", "CreateHostedZone: a private zone needs a VPC"),
    (r"^ListHostedZonesByName\[\] (DNSName: (absent|empty)|HostedZoneId: the only)", "InvalidInput", "HostedZoneId needs DNSName"),
    (r"^List.* StartRecordName: (absent|empty)", "InvalidInput", "a type needs a name"),
    (r"^List.* StartRecordType: the only", "InvalidInput", "a type needs a name"),
    (r"^ListResourceRecordSets\[\] StartRecordType: (absent|empty)", "InvalidInput", "an identifier needs a type"),
    (r"^ListResourceRecordSets\[\] StartRecordIdentifier: the only", "InvalidInput", "an identifier needs a type"),
    (r"^TestDNSAnswer\[\] EDNS0ClientSubnetIP: (absent|empty)", "InvalidInput", "a mask needs an address"),
    (r"^TestDNSAnswer\[\] EDNS0ClientSubnetMask: the only", "InvalidInput", "a mask needs an address"),
    (r"GeoLocations?\[country\] (Start)?CountryCode: (absent|empty)", "InvalidInput", "a subdivision needs its country"),
    (r"GeoLocations?\[country\] (Start)?SubdivisionCode: the only", "InvalidInput", "a subdivision needs its country"),
    (r"^ChangeTagsForResource\[.*: (required members only|no body)", "InvalidInput", "ChangeTagsForResource: tags to add, or to remove"),
    (r"^ChangeTagsForResource\[.* AddTags(: the only|\[\]: empty|\[\].Key: (absent|empty))", "InvalidInput", "Tag: a key"),
    (r"^ChangeTagsForResource\[.* RemoveTagKeys\[\]: '(a\*b)'", OK, "to remove a tag that is not there is no error"),
    (r"^ChangeTagsForResource\[.* RemoveTagKeys\[\]: empty", OK, "to remove a tag that is not there is no error"),
    # Errors of the operations for a member.
    (r"\bVPC(: empty|\.VPCId: (empty|absent|\d+ (characters|times)|'vpc|'x'))", "InvalidVPCId", "VPC: VPCId"),
    (
        r"^CreateKeySigningKey\[\] Name: (empty|\d+ (characters, too|times)|'(a-b|a b|äbc)')",
        "InvalidKeySigningKeyName",
        "CreateKeySigningKey: its error",
    ),
    (r"KeySigningKey\[\] Name: '", "NoSuchKeySigningKey", "the model has no pattern for the name"),
    (r"^CreateTrafficPolicy(Version)?\[\] Document: (empty|'(x|\{\}|\[\]|\{\"AWS))", "InvalidTrafficPolicyDocument", "its error"),
    (r"CidrList\[\]: '(10.0.0.0/25|2001:db8::/49)'", OK, "docs/api.md: strict mode"),
    (r"^CreateTrafficPolicy\[\] Name: empty", "InvalidInput", "docs/api.md: a policy has a name"),
    (r"Version: 1000$", "NoSuchTrafficPolicy", "the policy has one version"),
    (r"^ListTrafficPolicies\[\] TrafficPolicyIdMarker: .*of nothing", "InvalidInput", "policies are listed in the order of their creation"),
    (r"^ListCidrBlocks\[\] LocationName: (16|1) characters$", "NoSuchCidrLocationException", "no such location"),
    (r"^ChangeCidrCollection\[\] CollectionVersion: +1 *$", "CidrCollectionVersionMismatchException", "it has version 2"),
    (r"^GetGeoLocation\[.*Code: '(XX|eu|de|ca)'", "NoSuchGeoLocation", "GetGeoLocation: its error"),
    (r"^ListGeoLocations\[.*Code: '(XX|eu|de|ca)'", OK, "a list starts after what is not there"),
    (r"\[hostedzone\] ResourceType: healthcheck$", "NoSuchHealthCheck", "the id is that of a zone"),
    (r"^CreateQueryLoggingConfig\[\] CloudWatchLogsLogGroupArn: empty", "InvalidInput", "no ARN"),
    # Record sets.
    (r"^ChangeRes.*\.Action: DELETE$", "InvalidChangeBatch", "there is none to delete"),
    (
        r"^ChangeRes.*\.Type: (SOA|TXT|MX|NAPTR|SRV|SPF|AAAA|CAA|DS|TLSA|SSHFP|SVCB|HTTPS)$",
        "InvalidChangeBatch",
        "the value is an IPv4 address",
    ),
    (r"^ChangeRes.*\.Value: (empty|\d+ (characters|times))", "InvalidChangeBatch", "a value that its type does not have"),
    (r"^ChangeRes.*\.MultiValueAnswer: '(false|0)'$", "InvalidInput", "a set identifier needs a policy"),
    (r"^ChangeRes.*\.CollectionId: an id of nothing", "InvalidChangeBatch", "no such collection"),
    (r"^ChangeRes.*\.LocationName: (16|1) characters$", "InvalidChangeBatch", "no such location"),
    (r"^ChangeRes.*\.AliasTarget.HostedZoneId: (empty|.*of nothing)", "InvalidChangeBatch", "no such alias target"),
    (r"^ChangeRes.*\.AliasTarget.DNSName: (63 octets|an octal)", "InvalidChangeBatch", "no such alias target"),
    (
        r"Protections\[\] Protections\[\].RecordName: (an empty|64 octets|a control|256|a broken|1024|empty)",
        "InvalidResourceRecordSetProtectionBatch",
        "entries",
    ),
    (r"^CreateResourceRecordSetProtections\[\] .*RecordType: AAAA$", "InvalidResourceRecordSetProtectionBatch", "the entry is there twice"),
    (
        r"^DeleteResourceRecordSetProtections\[\] .*RecordName: (63|an octal)",
        "InvalidResourceRecordSetProtectionBatch",
        "no such protection",
    ),
    (
        r"^DeleteResourceRecordSetProtections\[\] .*RecordType: (?!A$)[A-Z]+$",
        "InvalidResourceRecordSetProtectionBatch",
        "no such protection",
    ),
    # Health checks.
    (r"^CreateHealthCheck\[HTTP.* .*IPAddress: absent$", OK, "there is a domain name"),
    (
        r"^CreateHealthCheck\[HTTP\] .*Type: (HTTPS?_STR_MATCH|TCP|CALCULATED|CLOUDWATCH_METRIC|RECOVERY_CONTROL)$",
        "InvalidInput",
        "other members",
    ),
    (r"Regions\[\]: (eu-west-1|sa-east-1)$", "InvalidInput", "three different Regions"),
    (r"ChildHealthChecks: 256 items", "InvalidInput", "a check twice"),
    (r"ChildHealthChecks\[\]: (empty|.*of nothing)", "InvalidInput", "no such check"),
    (r"^CreateHealthCheck\[.*_STR_MATCH\] .*SearchString: empty", "InvalidInput", "a string to search for"),
]


# Rules of this server. Others may do what the model says.
OURS = "docs/api.md"
# What is right too, for other servers.
ALSO_RIGHT = [
    (r"^AssociateVPCWithHostedZone\[", "ConflictingDomainExists", "the VPC is associated already"),
    (r"^DisassociateVPCFromHostedZone\[.*VPCRegion: ", "VPCAssociationNotFound", "a VPC of another Region is another VPC"),
    (r"^DeleteVPCAssociationAuthorization\[.*VPCRegion: ", "VPCAssociationAuthorizationNotFound", "a VPC of another Region is another VPC"),
    (r"\bVPC(\.VPCId)?: ", "InvalidInput", "instead of InvalidVPCId"),
    (r"^(CreateKeySigningKey|EnableHostedZoneDNSSEC)\[\] ", OK, "a server that signs zones"),
]


def expected(variant, base, operation, strict):
    """The outcomes that a variant may have: OK or the code of an error. This server, with `strict`, has one."""
    text = str(variant)
    as_model = by_kind(variant, base, operation)
    found = next(((outcome, why) for pattern, outcome, why in RULES if re.search(pattern, text)), (as_model, ""))
    right = [base.result if found[0] == OK else found[0]]
    if not strict:
        right += [as_model] if found[1].startswith(OURS) else []
        right += [code for pattern, code, _ in ALSO_RIGHT if re.search(pattern, text) and right[0] in (OK, "InvalidVPCId", base.result)]
        right += ["InvalidInput", "MalformedXML"] if variant.kind == MALFORMED else []
    return right


def by_kind(variant, base, operation):
    errors = {shape.error_code for shape in operation.error_shapes}
    if variant.kind == OK:
        return base.result
    if variant.kind == INVALID:
        return "InvalidInput"
    if variant.kind == MALFORMED:
        return "MalformedInput"
    if variant.kind == NAME:
        return next((code for code in ("InvalidDomainName", "InvalidChangeBatch") if code in errors), "InvalidInput")
    assert variant.kind == UNKNOWN, variant.kind
    member = variant.path.rpartition(".")[2]
    return next((code for code in NOTHING.get(member, []) if code in errors), base.result)
