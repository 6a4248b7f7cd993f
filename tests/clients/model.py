"""Compares every response that a boto3 client gets with the API model that botocore carries.

botocore's own parser takes what it finds. Here the XML itself is read: an element that the model does not have, one too many, one
out of order, one of a wrong type, and a required one that is missing are all faults.
"""

import datetime
import re
import xml.etree.ElementTree as ElementTree

NAMESPACE = "{https://route53.amazonaws.com/doc/2013-04-01/}"
# Every operation can respond with these (API reference, "Common errors"), each with its status.
COMMON_ERRORS = {"AccessDenied": 403, "InvalidInput": 400, "MalformedInput": 400, "NotImplemented": 501, "Throttling": 400, "ValidationError": 400}

# Route 53 leaves out what the model requires: a private zone has no delegation set.
LEFT_OUT = {("CreateHostedZone", "DelegationSet")}
# Required by the model also where there is nothing to name.
MAY_BE_EMPTY = {"ListTrafficPolicies.TrafficPolicyIdMarker"}


class Checker:
    """Finds the faults of responses."""

    def __init__(self):
        self.faults = []

    def response(self, operation, status, headers, root):
        if status != operation.http.get("responseCode", 200):
            self.fault(operation.name, f"status {status}")
        if root.tag != NAMESPACE + operation.output_shape.name.removesuffix("Response") + "Response":
            self.fault(operation.name, f"root element {root.tag}")
        in_headers = {}
        for name, shape in operation.output_shape.members.items():
            if shape.serialization.get("location") == "header":
                in_headers[name] = headers.get(shape.serialization["name"].lower())
        for name in operation.output_shape.required_members:
            if name in in_headers and not in_headers[name]:
                self.fault(operation.name, f"no header for {name}")
        self.structure(operation.name, root, operation.output_shape, set(in_headers))

    def fault(self, path, text):
        self.faults.append(f"{path}: {text}")

    def structure(self, path, element, shape, elsewhere=frozenset()):
        members = {}
        for name, member in shape.members.items():
            if name not in elsewhere:
                members[NAMESPACE + member.serialization.get("name", name)] = (name, member)
        order = list(members)
        found = [child.tag for child in element]
        for tag in found:
            if tag not in members:
                self.fault(path, f"the unknown element {tag}")
        known = [order.index(tag) for tag in found if tag in members]
        if known != sorted(set(known)):
            self.fault(path, f"elements twice or out of order: {[tag.removeprefix(NAMESPACE) for tag in found]}")
        for tag, (name, _) in members.items():
            if name in shape.required_members and tag not in found and (path, name) not in LEFT_OUT:
                self.fault(path, f"no {name}")
        for child in element:
            if child.tag in members:
                name, member = members[child.tag]
                self.value(f"{path}.{name}", child, member)

    def value(self, path, element, shape):
        if shape.type_name == "structure":
            self.structure(path, element, shape)
        elif shape.type_name == "list":
            tag = NAMESPACE + shape.member.serialization.get("name", "member")
            for child in element:
                if child.tag != tag:
                    self.fault(path, f"the element {child.tag} in a list")
                self.value(path + "[]", child, shape.member)
        else:
            self.scalar(path, element, shape)

    def scalar(self, path, element, shape):
        text = element.text or ""
        if len(element):
            self.fault(path, "elements in a value")
        if shape.type_name == "boolean" and text not in ("true", "false"):
            self.fault(path, f"{text!r} is no boolean")
        if shape.type_name in ("integer", "long"):
            self.number(path, text, shape.metadata)
        if shape.type_name == "timestamp":
            try:
                datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
            except ValueError:
                self.fault(path, f"{text!r} is no time")
        if shape.type_name == "string":
            self.string(path, text, shape)

    def number(self, path, text, limits):
        if not re.fullmatch(r"-?\d+", text):
            self.fault(path, f"{text!r} is no number")
        elif not limits.get("min", int(text)) <= int(text) <= limits.get("max", int(text)):
            self.fault(path, f"{text} is out of bounds")

    def string(self, path, text, shape):
        limits = shape.metadata
        if shape.name == "ResourceId":
            # The limit is that of the id without its prefix, such as /hostedzone/.
            text = text.rpartition("/")[2]
        if shape.enum and text not in shape.enum:
            self.fault(path, f"{text!r} is not one of {shape.enum}")
        if not text and path in MAY_BE_EMPTY:
            return
        if not limits.get("min", 0) <= len(text) <= limits.get("max", len(text)):
            self.fault(path, f"{text!r} is too short or too long")
        if "pattern" in limits and not re.fullmatch(limits["pattern"].replace("\\p{Print}", r"[^\x00-\x1f]"), text):
            self.fault(path, f"{text!r} is not of the form {limits['pattern']}")


class Watch(Checker):
    """Watches a client: which operations it called with success, and every fault of a response."""

    def __init__(self, client):
        super().__init__()
        self.operations = set()
        self.errors = set()
        client.meta.events.register("after-call.route53", self.after_call)

    def after_call(self, http_response, parsed, model, **_):
        status = http_response.status_code
        root = ElementTree.fromstring(http_response.content)
        if status >= 300:
            self.error(status, root, parsed["Error"]["Code"], model)
            return
        self.operations.add(model.name)
        headers = {name.lower(): value for name, value in http_response.headers.items()}
        self.response(model, status, headers, root)

    def error(self, status, root, code, model):
        self.errors.add(code)
        modelled = {shape.error_code: shape.metadata.get("error", {}).get("httpStatusCode", 400) for shape in model.error_shapes}
        if code not in modelled:
            if code not in COMMON_ERRORS:
                self.fault(model.name, f"the error {code} is not in the model")
        elif status != modelled[code]:
            self.fault(model.name, f"{code} has the status {status}")
        if root.tag not in (NAMESPACE + "ErrorResponse", NAMESPACE + "InvalidChangeBatch"):
            self.fault(model.name, f"root element {root.tag} of an error")
