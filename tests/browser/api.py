"""A web page of another origin against the Route 53 API on loopback, in headless Chromium.

python3 api.py BINARY [unittest arguments]

The API has no keys, so it trusts programs on loopback. The page sends a change in every way that a page has. It sends each
request to a server that records requests too, which shows that the browser sends those that need no preflight.
"""

import http.server
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

BINARY = pathlib.Path(sys.argv.pop(1)).resolve()
TIMEOUT_S = 30
SETTINGS = '[dns]\nlisten = ["127.0.0.1:0"]\n[zones]\ndirectory = "zones"\n[state]\ndirectory = "state"\n[api]\nlisten = ["127.0.0.1:0"]\n'
ZONE = 'name = "lab.test"\nid = "ZLAB"\n'
PATH = "/2013-04-01/hostedzone/ZLAB/rrset"
# What a page may write into a query. Nothing verifies it.
SIGNED = ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=page%2F20260101%2Fus-east-1%2Froute53%2Faws4_request&"
          "X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=" + 64 * "0")
AUTHORIZATION = ("AWS4-HMAC-SHA256 Credential=page/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, "
                 "Signature=" + 64 * "0")

PAGE = """<!doctype html><title>another origin</title><script>
const change = CHANGE;
const inFrame = (name) => {
  const frame = document.createElement("iframe");
  frame.name = name;
  document.body.append(frame);
  return new Promise((resolve) => { frame.onload = resolve; setTimeout(resolve, 3000); });
};
function form(url, enctype) {
  const name = "f" + Math.random().toString(36).slice(2);
  const sent = inFrame(name);
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: url, enctype, target: name });
  const input = document.createElement("input");
  // text/plain sends NAME=VALUE: the sign is part of the XML.
  const cut = change.indexOf("=");
  Object.assign(input, { type: "hidden", name: change.slice(0, cut), value: change.slice(cut + 1) });
  form.append(input);
  document.body.append(form);
  form.submit();
  return sent;
}
function xhr(url, headers) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.onloadend = () => resolve(request.status);
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(change);
  });
}
const post = (url, options) => fetch(url, { method: "POST", body: change, ...options }).then((r) => r.type + r.status, String);
const bare = new Blob([change]), xml = new Blob([change], { type: "application/xml" });
async function attack(url) {
  const said = {};
  said.plain = await post(url, { mode: "no-cors" });
  said.untyped = await post(url, { mode: "no-cors", body: bare });
  said.included = await post(url, { mode: "no-cors", credentials: "include", referrerPolicy: "no-referrer" });
  said.cors = await post(url, {});
  said.xml = await post(url, { body: xml });
  said.authorized = await post(url, { headers: { authorization: AUTHORIZATION, "content-type": "application/xml" } });
  said.keepalive = await post(url, { mode: "no-cors", keepalive: true });
  said.xhr = await xhr(url, { "content-type": "text/plain" });
  said.signedXhr = await xhr(url, { authorization: AUTHORIZATION });
  said.beacon = navigator.sendBeacon(url, change);
  said.blobBeacon = navigator.sendBeacon(url, bare);
  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    await form(url, enctype);
  }
  const opaque = document.createElement("iframe");
  opaque.sandbox = "allow-scripts";
  opaque.srcdoc = `<script>fetch(${JSON.stringify(url)}, { method: "POST", mode: "no-cors", body: ${JSON.stringify(change)} })<\\/script>`;
  document.body.append(opaque);
  return said;
}
</script><body>"""


def change(name):
    values = "<TTL>1</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.66</Value></ResourceRecord></ResourceRecords>"
    return ('<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes><Change>'
            f"<Action>UPSERT</Action><ResourceRecordSet><Name>{name}.lab.test</Name><Type>A</Type>{values}</ResourceRecordSet>"
            "</Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>")


class Elsewhere(http.server.ThreadingHTTPServer):
    """The page's own server, which records what is posted to it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posted = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(PAGE.replace("CHANGE", repr(change("page"))).replace("AUTHORIZATION", repr(AUTHORIZATION)).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.posted.append((self.headers.get("content-type"), body))
        self.reply(b"")

    def reply(self, body):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def until(condition, message):
    began = time.monotonic()
    while time.monotonic() - began < TIMEOUT_S:
        outcome = condition()
        if outcome:
            return outcome
        time.sleep(0.05)
    raise AssertionError(message)


def chromium(profile):
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    # Without these features the browser itself keeps pages of other sites from loopback. Older browsers do not.
    for argument in ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}",
                     "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"]:
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


class Api(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        (self.path / "zones").mkdir()
        (self.path / "zones/lab.test.toml").write_text(ZONE)
        (self.path / "fiftythree.toml").write_text(SETTINGS)
        with open(self.path / "log", "w") as log:
            server = subprocess.Popen([BINARY, "serve", "--config", self.path / "fiftythree.toml"], stdout=log, stderr=log)
        self.addCleanup(server.wait, TIMEOUT_S)
        self.addCleanup(server.terminate)
        announced = lambda: re.search(r"Route 53 API: (http://\S+)", (self.path / "log").read_text())
        self.api = until(announced, self.path / "log")[1]
        self.browser = chromium(self.path / "profile")
        self.addCleanup(self.browser.quit)
        self.browser.set_script_timeout(2 * TIMEOUT_S)

    def zone(self):
        return (self.path / "zones/lab.test.toml").read_text()

    def listing(self):
        request = urllib.request.Request(self.api + PATH, headers={"Authorization": AUTHORIZATION, "X-Amz-Date": "20260101T000000Z"})
        return urllib.request.urlopen(request, timeout=TIMEOUT_S).read().decode()

    def test_a_page_of_another_origin_changes_nothing(self):
        elsewhere = Elsewhere()
        self.addCleanup(elsewhere.server_close)
        self.addCleanup(elsewhere.shutdown)
        port = elsewhere.server_address[1]
        for host in ("127.0.0.1", "localhost"):
            self.browser.get(f"http://{host}:{port}/")
            for query in ("", "?" + SIGNED):
                for target in (f"http://127.0.0.1:{port}", self.api):
                    said = self.browser.execute_async_script(
                        "const done = arguments[arguments.length - 1]; attack(arguments[0]).then(done, (e) => done(String(e)));",
                        target + PATH + query)
                    self.assertIsInstance(said, dict, said)
                    if target == self.api:
                        self.assertNotIn(200, [said["xhr"], said["signedXhr"]])
                        # No response can be read.
                        for name in ("cors", "xml", "authorized"):
                            self.assertIn("Failed to fetch", said[name], name)
        # The browser sends these without asking: the page's own server got them from both pages, with both queries.
        wanted = {None: 2, "text/plain": 4, "application/x-www-form-urlencoded": 1, "multipart/form-data": 1}
        essence = lambda sent: sent and sent.split(";")[0]
        count = lambda kind: sum(essence(sent) == kind for sent, _ in elsewhere.posted)
        for kind, least in wanted.items():
            until(lambda: count(kind) >= 4 * least, f"{kind}: {[sent for sent, _ in elsewhere.posted]}")
        self.assertIn(change("page").encode(), [body.rstrip(b"\r\n") for sent, body in elsewhere.posted if sent == "text/plain"])

        self.assertEqual(self.zone(), ZONE)
        self.assertEqual(self.listing().count("<ResourceRecordSet>"), 2)
        # The same change by a program.
        headers = {"Authorization": AUTHORIZATION, "X-Amz-Date": "20260101T000000Z", "Content-Type": "application/xml"}
        request = urllib.request.Request(self.api + PATH, change("program").encode(), headers)
        self.assertEqual(urllib.request.urlopen(request, timeout=TIMEOUT_S).status, 200)
        self.assertIn("program", self.zone())
        self.assertNotIn("page", self.zone())


if __name__ == "__main__":
    unittest.main(verbosity=2)
