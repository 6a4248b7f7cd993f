"""Makes requests out of the API model that botocore carries: each a valid request with one thing changed.

A change is of one of these kinds, and the kind says what the response has to be:

- OK: the request stays valid, and its response is that of the valid one.
- INVALID: the request breaks a constraint of the model: a length, a pattern, a range, an enumeration, a type, a required member.
- NAME: a text of a legal length that is not a domain name.
- UNKNOWN: an id of a legal form that nothing has.
- MALFORMED: the body is not XML, or not the document of the operation.

Which code each kind has for an operation is said in expectations.py.
"""

import copy
import dataclasses

OK, INVALID, NAME, UNKNOWN, MALFORMED = "OK", "INVALID", "NAME", "UNKNOWN", "MALFORMED"

NUMBERS = ("integer", "long")
# What no number and no boolean is.
NO_NUMBER = ("", "x", "1.5", "1e3", "0x10", "true", "99999999999999999999", "-99999999999999999999", "1 2", "\u0661")
NO_BOOLEAN = ("", "True", "FALSE", "yes", "2", "null", "true false")
NO_PAGE_SIZE = ("0", "-1", "x", "1.5", "99999999999999999999999")

# Texts whose characters are free, but for their number.
FREE = {
    "AssociateVPCComment",
    "CidrNonce",
    "DisassociateVPCComment",
    "HealthCheckNonce",
    "Nonce",
    "ResourceDescription",
    "ResourceRecordSetIdentifier",
    "SearchString",
    "TrafficPolicyComment",
    "TrafficPolicyName",
}
# Texts that name something: of a legal form, but for something that does not exist.
IDS = {
    "ResourceId": "Z" + "0" * 31,
    "HealthCheckId": "0" * 64,
    "TrafficPolicyId": "0" * 36,
    "TrafficPolicyInstanceId": "0" * 36,
    "QueryLoggingConfigId": "0" * 36,
    "UUID": "00000000-0000-4000-8000-000000000000",
    "ChangeId": "C" + "0" * 31,
    "TagResourceId": "Z" + "0" * 31,
}
# Texts with a form that the model does not state: a length alone does not make them valid.
FORMED = {
    "ARN",
    "CloudWatchLogsLogGroupArn",
    "IPAddress",
    "Cidr",
    "Latitude",
    "Longitude",
    "RData",
    "TrafficPolicyDocument",
    "SubnetMask",
    "GeoLocationContinentCode",
    "GeoLocationCountryCode",
    "GeoLocationSubdivisionCode",
    "AWSRegion",
    "LocalZoneGroup",
    "VPCId",
    "SigningKeyStatus",
    "AlarmName",
    "TrafficPolicyVersionMarker",
    "PaginationToken",
    "FullyQualifiedDomainName",
    "MaxResults",
    "PageMaxItems",
}
# Texts that do not fit a pattern or form, each with the kind of its error.
MISFITS = {
    "UUID": ["x", "00000000-0000-4000-8000-00000000000", "00000000-0000-4000-8000-00000000000G"],
    "CollectionName": ["a b", "ä", "a.b", "a*"],
    "CidrLocationNameDefaultNotAllowed": ["a b", "ä", "*", "a*b"],
    "CidrLocationNameDefaultAllowed": ["a b", "ä", "a.b"],
    "CidrNonce": ["ä"],
    "Cidr": [" ", "10.0.0.0", "10.0.0.1/24", "10.0.0.0/25", "10.0.0.0/0", "2001:db8::/49", "x"],
    "IPAddress": ["127.0.0.256", "127.0.0", "x", "::g", "127.0.0.1/8"],
    "Latitude": ["x", "91", "-90.01", "1.234", "1e1", "NaN", "1,5"],
    "Longitude": ["x", "181", "-180.01", "1.234", "inf"],
    "GeoLocationContinentCode": ["XX", "eu"],
    "GeoLocationCountryCode": ["XX", "de"],
    "GeoLocationSubdivisionCode": ["XX", "ca"],
    "AWSRegion": ["mars-1", "eu-central-1a"],
    "LocalZoneGroup": ["mars-1"],
    "SubnetMask": ["x", "-1", "33", "256"],
    "VPCId": ["vpc", "x", "vpc-ä", "vpc-0 1"],
    "SigningKeyName": ["a-b", "a b", "äbc"],
    "FullyQualifiedDomainName": ["a b", "a..b", "127.0.0.1"],
    "ResourcePath": ["/a b", "/ä", "/a#b"],
    "TagKey": ["a*b", "aws:x"],
    "TagValue": ["a*b"],
    "TrafficPolicyDocument": ["x", "{}", "[]", '{"AWSPolicyFormatVersion": "1999-01-01"}'],
    "CloudWatchLogsLogGroupArn": ["x", "arn:aws:s3:::bucket"],
    "SigningKeyStatus": ["PENDING", "active"],
    "PageMaxItems": NO_PAGE_SIZE,
    "MaxResults": NO_PAGE_SIZE,
}
# Further valid texts.
ALSO = {
    "IPAddress": ["127.0.0.1", "::1", "127.255.255.254"],
    "PageMaxItems": ["1", "2", "100", "1000", "2147483647"],
    "MaxResults": ["1", "2", "100", "1000", "2147483647"],
    "Cidr": ["10.0.0.0/24", "128.0.0.0/1", "2001:db8::/48", "8000::/1"],
    "GeoLocationContinentCode": ["AF", "AN", "AS", "EU", "NA", "OC", "SA"],
    "ResourcePath": ["/", "/a?b=c%20d&e", "relative"],
    "SubnetMask": ["0", "1", "24", "32"],
    "Latitude": ["-90", "90", "+1", "0.00", "1."],
    "Longitude": ["-180", "180", "+1", "0.00", "1."],
    "TagKey": ["_.:/=+-@ 1", "ä"],
    "TagValue": ["_.:/=+-@ 1", "ä"],
    "SigningKeyStatus": ["ACTIVE", "INACTIVE"],
}
# Constraints of the operations that the model leaves out (API Reference, the members of the operations).
LENGTHS = {"AssociateVPCComment": (0, 256), "DisassociateVPCComment": (0, 256)}


@dataclasses.dataclass
class Variant:
    """A request, what was changed in it and with which kind."""

    operation: str
    base: str
    path: str
    change: str
    kind: str
    params: dict
    # The form of the body, if that is what was changed.
    form: str = ""

    def __str__(self):
        return f"{self.operation}[{self.base}] {self.path}: {self.change}"


@dataclasses.dataclass
class Node:
    """A member of a request."""

    path: tuple
    shape: object
    required: bool
    # In the body, the query or the path.
    location: str


def at(params, path):
    for step in path:
        if isinstance(params, str) or step not in params if not isinstance(step, int) else len(params) <= step:
            return None
        params = params[step]
    return params


def put(params, path, value):
    """The parameters with a value at a path. What is missing on the way is made."""
    changed = copy.deepcopy(params)
    place = changed
    for step, following in zip(path, path[1:], strict=False):
        if isinstance(step, int):
            place = place[step]
        else:
            place = place.setdefault(step, [] if isinstance(following, int) else {})
    if isinstance(path[-1], int):
        place[path[-1] : path[-1] + 1] = [value]
    else:
        place[path[-1]] = value
    return changed


def drop(params, path):
    changed = copy.deepcopy(params)
    del at(changed, path[:-1])[path[-1]]
    return changed


def nodes(shape, value, path=(), location=None):
    """All members of a structure, those of the given ones too."""
    for name, member in shape.members.items():
        where = location or member.serialization.get("location", "body")
        yield Node(path + (name,), member, name in shape.required_members, where)
        yield from below(member, value.get(name), path + (name,), where)


def below(shape, value, path, location):
    if shape.type_name == "structure" and isinstance(value, dict):
        yield from nodes(shape, value, path, location)
    if shape.type_name == "list" and value:
        yield Node(path + (0,), shape.member, True, location)
        yield from below(shape.member, value[0], path + (0,), location)


def smallest(shape, value, keep, path=()):
    """What is required, or has to be kept so that the request makes sense."""
    if shape.type_name == "structure":
        needed = {name for name in shape.members if name in shape.required_members or text_of(path + (name,)) in keep}
        needed |= {name for name in value if any(other.startswith(text_of(path + (name,)) + ".") for other in keep)}
        return {name: smallest(shape.members[name], value[name], keep, path + (name,)) for name in value if name in needed}
    if shape.type_name == "list":
        return [smallest(shape.member, item, keep, path + (0,)) for item in value]
    return value


def text_of(path):
    return ".".join(str(step) for step in path).replace(".0", "[]")


class Generator:
    """The variants of one valid request."""

    def __init__(self, model, base, seen):
        """`seen` are the members of the operation whose values other bases have tried."""
        self.model, self.base, self.seen = model, base, seen
        self.shape = model.input_shape

    def variants(self, make):
        """`make` gives the parameters of the valid request; each variant is made from fresh ones."""
        for produce in self.producers(make()):
            yield lambda produce=produce: produce(make())

    def producers(self, full):
        """Functions from fresh parameters to a variant."""
        yield lambda params: self.variant((), "all members", OK, params)
        if self.shape is None:
            return
        keep = self.base.keep
        if smallest(self.shape, full, keep) != full:
            yield lambda params: self.variant((), "required members only", OK, smallest(self.shape, params, keep))
        for node in nodes(self.shape, full):
            given = at(full, node.path) is not None
            if given:
                yield from self.presence(node, full)
            if given and node.path not in self.seen:
                self.seen.add(node.path)
                yield from self.values(node, at(full, node.path))
            elif not given and self.example(node) is not None:
                yield lambda params, node=node: self.variant(node.path, "present", INVALID, put(params, node.path, self.example(node)))
        if () in self.seen:
            return
        self.seen.add(())
        if any(node.location == "body" for node in nodes(self.shape, full)):
            yield from self.bodies()
        else:
            for form in ("with an unknown query parameter", "with a slash at the end"):
                yield lambda params, form=form: self.variant((), form, OK, params, form)

    def variant(self, path, change, kind, params, form=""):
        return Variant(self.model.name, self.base.name, text_of(path), change, kind, params, form)

    def example(self, node):
        return self.base.strangers.get(node.path[-1])

    def presence(self, node, full):
        keep = text_of(node.path) in self.base.keep
        is_item = isinstance(node.path[-1], int)
        if node.location == "uri" or is_item:
            return
        kind = INVALID if node.required or keep else OK
        yield lambda params: self.variant(node.path, "absent", kind, drop(params, node.path))
        if not node.required and not keep:

            def only(params):
                few = smallest(self.shape, params, self.base.keep)
                value = at(params, node.path)
                least = smallest(node.shape, value, self.base.keep, node.path) if not isinstance(value, str) else value
                if 0 in node.path and at(few, node.path[:-1]) is None:
                    # The list that it is in is not there either.
                    few = put(few, node.path[: node.path.index(0)], at(params, node.path[: node.path.index(0)]))
                return self.variant(node.path, "the only optional member", OK, put(few, node.path, least))

            yield only

    def values(self, node, value):
        shape = node.shape
        kind = shape.type_name

        def one(change, outcome, text):
            def make(params):
                # The value as it is now: it may have to be unique.
                fresh = at(params, node.path)
                return self.variant(node.path, change, outcome, put(params, node.path, text(fresh) if callable(text) else text))

            return make

        if kind in NUMBERS:
            yield from self.numbers(node, one)
        elif kind == "boolean":
            for text in ("true", "false", "1", "0"):
                yield one(f"{text!r}", OK, text)
            for text in NO_BOOLEAN:
                yield one(f"{text!r}", INVALID, text)
        elif kind == "string":
            yield from self.strings(node, value, one)
        elif kind == "list":
            yield from self.lists(node, one)
        elif kind == "structure":
            yield one("text", INVALID, "text")
            yield one("text next to its members", INVALID, lambda fresh: {**fresh, "#text": "text"})
            yield one("an unknown member", INVALID, lambda fresh: {**fresh, "Fiftythree": "1"})
            yield one("a member twice", INVALID, lambda fresh: {**fresh, "#twice": next(iter(fresh))})
            required = any(name in shape.required_members for name in shape.members)
            yield one("empty", INVALID if required or self.base.needs_members else OK, {})
        if node.location == "body" and kind not in ("list", "structure"):
            yield one("an element in the value", INVALID, {"Fiftythree": "1"})

    def numbers(self, node, one):
        limits = node.shape.metadata
        least, most = limits.get("min"), limits.get("max")
        if least is not None:
            yield one(str(least), OK, str(least))
            yield one(f" {least} ", OK, f" {least} ") if node.location == "body" else one(f"0{least}", OK, f"0{least}")
            yield one(f"{least - 1}, below the least", INVALID, str(least - 1))
        if most is not None:
            yield one(str(most), OK, str(most))
            yield one(f"{most + 1}, beyond the most", INVALID, str(most + 1))
        for text in NO_NUMBER:
            if not (text == "" and node.location == "uri"):
                yield one(f"{text!r}", INVALID, text)

    def strings(self, node, value, one):
        shape = node.shape
        name, limits = shape.name, shape.metadata
        least, most = LENGTHS.get(name, (limits.get("min"), limits.get("max")))
        in_path = node.location == "uri"
        if shape.enum:
            for word in shape.enum:
                yield one(f"{word}", OK, word)
            for word in ("fiftythree", shape.enum[0].swapcase(), shape.enum[0] + "_", "x" * 65):
                if word not in shape.enum:
                    yield one(f"{word[:12]}, which the enumeration does not have", INVALID, word)
            if not in_path:
                yield one("empty", self.empty(node), "")
            return
        if name == "DNSName":
            yield from self.names(one)
        if name in IDS:
            yield one("an id of nothing", UNKNOWN, IDS[name])
            if name not in ("UUID", "ChangeId"):
                yield one("a short id of nothing", UNKNOWN, "Z")
        elif name not in FORMED and name != "DNSName":
            if most:
                yield one(f"{most} characters", OK, lambda fresh: sized(fresh, most))
            if least and least > 0:
                yield one(f"{least} characters", OK, lambda fresh: sized(fresh, least))
        if least and least > 1:
            yield one(f"{least - 1} characters, too short", INVALID, lambda fresh: sized(fresh or "", least - 1))
        if not in_path:
            in_body = INVALID if least or name == "UUID" else UNKNOWN if name in IDS else NAME if name == "DNSName" else OK
            yield one("empty", in_body if node.location == "body" else self.empty(node), "")
        if most and name != "RData":
            yield one(f"{most + 1} characters, too long", INVALID, lambda fresh: sized(fresh or "", most + 1))
            if node.location == "body":
                yield one("10 times too long", INVALID, lambda fresh: sized(fresh or "", most * 10))
        if name in FREE:
            for text in ("ä€\U0001f600", "<&>\"'", " a ", "a\nb", "\\052.%2F"):
                if name != "CidrNonce" or text.isascii():
                    yield one(f"{text!r}", OK, lambda fresh, text=text: unique_part(fresh) + text)
        for text in ALSO.get(name, ()):
            yield one(f"{text!r}", OK, text)
        for text in MISFITS.get(name, ()):
            if not (in_path and ("/" in text or not text)):
                yield one(f"{text[:40]!r}", INVALID, text)

    def empty(self, node):
        """An empty parameter of a query is as if absent."""
        return OK if node.location == "querystring" and not node.required else INVALID

    def names(self, one):
        """Names of RFC 1035 section 2.3.4, and what is none."""
        for label, text in (
            ("an empty label", "a..lab.test"),
            ("64 octets in a label", "a" * 64 + ".lab.test"),
            ("a control character", "a\x7f.lab.test"),
            ("256 octets", ".".join(["a" * 63] * 4) + ".a"),
            ("a broken escape", "a\\9.lab.test"),
            ("1024 characters", "\\141" * 255 + ".aaa"),
        ):
            yield one(label, NAME, text)
        yield one("63 octets in a label", OK, lambda fresh: with_label("a" * (63 - len(unique_part(fresh))), fresh))
        yield one("an octal escape", OK, lambda fresh: with_label("\\141\\100", fresh))
        yield one("upper case", OK, lambda fresh: fresh and fresh.upper())
        yield one("without the last dot", OK, lambda fresh: fresh and fresh.rstrip("."))

    def lists(self, node, one):
        shape = node.shape
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        yield one("text", INVALID, "text")
        yield one("items of another name", INVALID, lambda fresh: {"Fiftythree": "1"})
        yield one("empty", INVALID if least else OK, [])
        if least:
            yield one(f"{least} items", OK, lambda fresh: items(shape.member, fresh, least))
            if least > 1:
                yield one(f"{least - 1} items", INVALID, lambda fresh: items(shape.member, fresh, least - 1))
        if most:
            yield one(f"{most} items", OK, lambda fresh: items(shape.member, fresh, most))
            yield one(f"{most + 1} items, too many", INVALID, lambda fresh: items(shape.member, fresh, most + 1))

    def bodies(self):
        for form in (
            "members in the reverse order",
            "a comment and an instruction",
            "a prefix for the namespace",
            "no namespace",
            "CDATA",
            "without a declaration",
            "with a byte order mark",
            "indented",
        ):
            yield lambda params, form=form: self.variant((), form, OK, params, form)
        for form in ("an unknown member at the end", "text in the root"):
            yield lambda params, form=form: self.variant((), form, INVALID, params, form)
        yield lambda params: self.variant((), "no body", self.without_body(), params, "no body")
        for form in (
            "not XML",
            "cut off",
            "another root element",
            "the response's root element",
            "two root elements",
            "UTF-16",
            "a document type",
            "an unknown entity",
            "a control character",
            "octets that are not UTF-8",
            "JSON",
        ):
            yield lambda params, form=form: self.variant((), form, MALFORMED, params, form)

    def without_body(self):
        """Clients send none if no member is set, so it is as an empty document where none is required."""
        members = [name for name, member in self.shape.members.items() if "location" not in member.serialization]
        if any(name in self.shape.required_members for name in members):
            return MALFORMED
        return INVALID if any(name in self.base.keep for name in members) else OK


def unique_part(value):
    """The first label of a name, or the whole of what has no dot: bases put what makes a request unique there."""
    return (value or "").split(".")[0][:40]


def with_label(text, name):
    first, _, rest = name.partition(".")
    return f"{first}{text}.{rest}" if rest else name


def sized(value, length):
    """A text of this length that begins or ends as the value does."""
    if isinstance(value, str) and len(value) >= length:
        # What makes a text unique is at its end.
        return value[len(value) - length :]
    return (value if isinstance(value, str) else "") + "x" * (length - len(value if isinstance(value, str) else ""))


def items(shape, values, number):
    """Items that differ where they have to."""
    return [distinct(shape, values[index % len(values)], index) if index >= len(values) else values[index] for index in range(number)]


def distinct(shape, value, index):
    if shape.type_name == "structure":
        return {name: distinct(shape.members[name], part, index) for name, part in value.items()}
    if shape.type_name == "list":
        return [distinct(shape.member, part, index) for part in value]
    if shape.name == "Cidr":
        return f"11.{index // 256}.{index % 256}.0/24"
    if shape.name in ("TagKey", "TagResourceId") and not value.startswith("Z"):
        return f"{value}{index}"
    if shape.name == "DNSName":
        return f"n{index}{value}"
    return value
