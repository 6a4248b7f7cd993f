"""Sends requests as they are, also those that no SDK would make, and holds the responses against the API model."""

import http.client
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.sax.saxutils import escape

import botocore.parsers
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HeadersDict
from botocore.credentials import Credentials

sys.path.append(str(Path(__file__).parent.parent))
from model import COMMON_ERRORS, LEFT_OUT, Checker

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
# Long before this time a server has answered, or it hangs.
TIMEOUT_S = 30

MODEL = botocore.session.get_session().get_service_model("route53")


class Reply:
    """A response: its status, the code of its error, and its members."""

    def __init__(self, operation, status, headers, body):
        self.status, self.body = status, body
        self.headers = HeadersDict(headers)
        try:
            parser = botocore.parsers.create_parser("rest-xml")
            self.parsed = parser.parse({"status_code": status, "headers": self.headers, "body": body}, operation.output_shape)
            self.code = self.parsed.get("Error", {}).get("Code", "") if status >= 300 else ""
        except botocore.parsers.ResponseParserError:
            self.parsed, self.code = None, ""


class Client:
    def __init__(self, endpoint, key="test", secret="test"):
        url = urllib.parse.urlsplit(endpoint)
        self.host, self.connection = url.netloc, None
        self.signer = SigV4Auth(Credentials(key, secret), "route53", "us-east-1")

    def call(self, name, params, form=""):
        operation = MODEL.operation_model(name)
        return self.send(operation, *request(operation, params, form))

    def send(self, operation, method, path, query, body):
        url = f"http://{self.host}{path}{'?' + query if query else ''}"
        signed = AWSRequest(method=method, url=url, data=body, headers={"Content-Type": "application/xml"} if body else {})
        self.signer.add_auth(signed)
        headers = dict(signed.headers.items())
        target = url.removeprefix(f"http://{self.host}")
        for attempt in (1, 2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
                self.connection.request(method, target, body, headers)
                response = self.connection.getresponse()
                found = {key.lower(): value for key, value in response.getheaders()}
                return Reply(operation, response.status, found, response.read())
            except TimeoutError:
                self.connection = None
                raise
            except (http.client.HTTPException, OSError):
                # The server may have closed an idle connection.
                self.connection = None
                if attempt == 2:
                    raise


def request(operation, params, form):
    """The method, the path, the query and the body."""
    shape = operation.input_shape
    path, _, fixed = operation.http["requestUri"].partition("?")
    pairs = [tuple(pair.split("=")) for pair in fixed.split("&") if pair]
    inside = {}
    for name, value in params.items():
        member = shape.members.get(name)
        location = member.serialization.get("location") if member is not None else None
        label = member.serialization.get("name", name) if member is not None else name
        if location == "uri":
            path = path.replace("{" + label + "}", urllib.parse.quote(value, safe=""))
        elif location == "querystring":
            pairs.append((label, value))
        else:
            inside[name] = value
    if form == "with an unknown query parameter":
        pairs.append(("fiftythree", "1"))
    if form == "with a slash at the end":
        path = path.rstrip("/") + "/"
    has_body = shape is not None and any("location" not in member.serialization for member in shape.members.values())
    body = document(operation, shape, inside, form) if has_body else None
    return operation.http["method"], path, urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote), body


def document(operation, shape, params, form):
    root = operation.input_shape.serialization.get("name") or operation.name + "Request"
    content = children(shape, params, backwards=form == "members in the reverse order")
    start, declaration, end = f'<{root} xmlns="{NAMESPACE}">', '<?xml version="1.0" encoding="UTF-8"?>', f"</{root}>"
    whole = declaration + start + content + end
    forms = {
        "": whole,
        "a comment and an instruction": declaration + "<!-- a --><?b c?>" + start + "<!-- d -->" + content + end + "<!-- e -->",
        "a prefix for the namespace": re.sub(r"<(/?)(\w)", r"<\1r:\2", start + content + end).replace("xmlns=", "xmlns:r=", 1),
        "no namespace": f"<{root}>{content}{end}",
        "CDATA": declaration + start + re.sub(r">([^<>&]+)<", r"><![CDATA[\1]]><", content) + end,
        "without a declaration": start + content + end,
        "with a byte order mark": "\ufeff" + whole,
        "indented": declaration + "\n" + start + "\n  " + content.replace("><", ">\n  <") + "\n" + end + "\n",
        "an unknown member at the end": declaration + start + content + "<Fiftythree>1</Fiftythree>" + end,
        "text in the root": declaration + start + "text" + content + end,
        "no body": "",
        "not XML": "x",
        "cut off": whole[: -len(end)],
        "another root element": whole.replace(root, "FiftythreeRequest"),
        "the response's root element": whole.replace(root, operation.name + "Response"),
        "two root elements": whole + start + end,
        "a document type": declaration + f"<!DOCTYPE {root}>" + start + content + end,
        "an unknown entity": declaration + start + content + "&fiftythree;" + end,
        "a control character": declaration + start + content + "&#1;" + end,
        "JSON": '{"' + root + '": {}}',
    }
    if form == "UTF-16":
        return whole.replace("UTF-8", "UTF-16").encode("utf-16")
    if form == "octets that are not UTF-8":
        return whole.replace(end, "").encode() + b"\xff\xfe" + end.encode()
    return forms.get(form, whole).encode()


def children(shape, params, backwards=False):
    """The members in the order of the model; then what the model does not have."""
    known = shape.members if shape.type_name == "structure" else {}
    names = [name for name in known if name in params] + [name for name in params if name not in known]
    if backwards:
        names.reverse()
    text = ""
    for name in names:
        if name == "#text":
            text += params[name]
        elif name == "#twice":
            text += element(known[params[name]].serialization.get("name", params[name]), known[params[name]], params[params[name]])
        else:
            member = known.get(name)
            text += element(member.serialization.get("name", name) if member is not None else name, member, params[name], backwards)
    return text


def element(tag, shape, value, backwards=False):
    if isinstance(value, dict) and (shape is None or shape.type_name != "structure"):
        content = "".join(element(name, None, part) for name, part in value.items())
    elif isinstance(value, dict):
        content = children(shape, value, backwards)
    elif isinstance(value, list):
        item = shape.member.serialization.get("name", "member")
        content = "".join(element(item, shape.member, part, backwards) for part in value)
    else:
        content = escape(value)
    return f"<{tag}>{content}</{tag}>"


def faults_of_success(operation, reply, strict):
    """What is wrong with a response: the status, missing members; if strict, every deviation from the model."""
    faults = []
    if reply.status != operation.http.get("responseCode", 200):
        faults.append(f"status {reply.status}")
    if reply.parsed is None:
        return [*faults, "botocore cannot parse it"]
    if operation.output_shape is None:
        return faults
    missing(operation.name, operation.output_shape, reply.parsed, faults)
    if strict and not faults:
        checker = Checker()
        checker.response(operation, reply.status, reply.headers, ElementTree.fromstring(reply.body))
        faults += checker.faults
        if not reply.headers.get("x-amzn-requestid"):
            faults.append("no request id")
    return faults


def missing(path, shape, value, faults):
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None and (path, name) not in LEFT_OUT:
                faults.append(f"{path} has no {name}")
        for name, part in value.items():
            if name in shape.members:
                missing(f"{path}.{name}", shape.members[name], part, faults)
    elif shape.type_name == "list":
        for part in value:
            missing(path + "[]", shape.member, part, faults)


def faults_of_error(operation, reply, strict):
    """What is wrong with an error: its code, the status of that code, its form."""
    statuses = {shape.error_code: shape.metadata.get("error", {}).get("httpStatusCode", 400) for shape in operation.error_shapes}
    faults = []
    if reply.code not in statuses and reply.code not in COMMON_ERRORS:
        faults.append(f"the operation has no error {reply.code!r}")
    if reply.status != statuses.get(reply.code, COMMON_ERRORS.get(reply.code, 400)):
        faults.append(f"{reply.code} with the status {reply.status}")
    if strict:
        root = ElementTree.fromstring(reply.body)
        tag = "{" + NAMESPACE + "}"
        texts = [root.findtext(tag + path) for path in (f"Error/{tag}Type", f"Error/{tag}Code", f"Error/{tag}Message", "RequestId")]
        if root.tag != tag + "ErrorResponse" or not all(texts) or texts[0] != "Sender":
            faults.append(f"the envelope {root.tag} with {texts}")
        if texts[3] != reply.headers.get("x-amzn-requestid"):
            faults.append("another request id in the header")
    return faults
