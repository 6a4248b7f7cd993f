"""octoDNS: plan, apply, and a second plan that finds nothing to do, with simple and dynamic records.

A dynamic record becomes a tree of failover, geolocation and weighted record sets with health checks.
"""

import logging
import pathlib
import socket
import tempfile

import boto3
from octodns.manager import Manager

import common

CONFIG = """
manager: {max_workers: 1}
providers:
  config: {class: octodns.provider.yaml.YamlProvider, directory: DIRECTORY, default_ttl: 60, enforce_order: false}
  route53:
    class: octodns_route53.Route53Provider
    access_key_id: test
    secret_access_key: test
    client_max_attempts: 1
zones:
  octodns.test.: {sources: [config], targets: [route53]}
"""

RECORDS = """
'':
  - {type: A, values: [192.0.2.1, 192.0.2.2]}
  - {type: MX, values: [{preference: 10, exchange: mail.octodns.test.}]}
  - {type: CAA, values: [{flags: 0, tag: issue, value: ca.test}]}
'*': {type: CNAME, value: www.octodns.test.}
mail: {type: AAAA, value: '2001:db8::1'}
_sip._tcp: {type: SRV, values: [{priority: 10, weight: 20, port: 5060, target: www.octodns.test.}]}
text: {type: TXT, values: ['a b\\; c', 'second']}
sub: {type: NS, values: [ns1.sub.octodns.test.]}
www:
  type: A
  ttl: 60
  values: [192.0.2.9]
  octodns: {healthcheck: {protocol: TCP, port: PORT}}
  dynamic:
    pools:
      europe:
        fallback: rest
        values: [{value: 192.0.2.21, weight: 1, status: up}]
      rest:
        values: [{value: 127.0.0.31, weight: 1}, {value: 127.0.0.32, weight: 15}]
    rules:
      - {geos: [EU], pool: europe}
      - {pool: rest}
"""


class Plans(logging.Handler):
    """What octoDNS prints of its plans."""

    def emit(self, record):
        self.text = record.getMessage()


logging.basicConfig(level=logging.WARNING)
plans = Plans()
logging.getLogger("Plan").addHandler(plans)
logging.getLogger("Plan").setLevel(logging.INFO)

with tempfile.TemporaryDirectory() as directory, socket.create_server(("127.0.0.31", 0)) as endpoint:
    path = pathlib.Path(directory)
    (path / "config.yaml").write_text(CONFIG.replace("DIRECTORY", directory))

    def records(text):
        (path / "octodns.test.yaml").write_text(text.replace("PORT", str(endpoint.getsockname()[1])))

    def plan():
        Manager(str(path / "config.yaml")).sync(dry_run=True)
        return plans.text

    def apply():
        """The number of changes."""
        return Manager(str(path / "config.yaml")).sync(dry_run=False, force=True)

    def expect_nothing_to_do():
        text = plan()
        assert "No changes were planned" in text, text

    records(RECORDS)
    assert "Summary: Creates=9, Updates=0, Deletes=0" in plan(), plans.text
    assert common.code("octodns.test", "SOA") == "REFUSED", "a plan changes nothing"
    assert apply() == 9
    expect_nothing_to_do()

    assert common.dig("octodns.test", "A") == "192.0.2.1 192.0.2.2"
    assert common.dig("octodns.test", "MX") == "10 mail.octodns.test."
    assert common.dig("octodns.test", "CAA") == '0 issue "ca.test"'
    assert common.dig("_sip._tcp.octodns.test", "SRV") == "10 20 5060 www.octodns.test."
    assert common.dig("text.octodns.test", "TXT") == '"a b; c" "second"'
    assert common.dig("www.octodns.test", "A", "198.51.100.0/24") == "192.0.2.21"
    # Of the rest only the first is healthy, although the other has most of the weight.
    for _ in range(5):
        common.wait_for("the healthy one", "127.0.0.31", lambda: common.dig("www.octodns.test", "A", "203.0.113.0/24"))

    records(RECORDS.replace("192.0.2.21", "192.0.2.22").replace("10, exchange", "20, exchange"))
    assert apply() == 2
    expect_nothing_to_do()
    assert common.dig("www.octodns.test", "A", "198.51.100.0/24") == "192.0.2.22"
    assert common.dig("octodns.test", "MX") == "20 mail.octodns.test."

    records("mail: {type: AAAA, value: '2001:db8::1'}\n")
    assert apply() > 0
    expect_nothing_to_do()
    assert common.dig("www.octodns.test", "A") == ""
client = boto3.client("route53")
assert client.list_health_checks()["HealthChecks"] == [], "octoDNS deletes the health checks that it made"
print("all steps done")
