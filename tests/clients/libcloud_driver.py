"""Apache Libcloud: its driver creates, lists, updates and deletes a zone and records.

The driver uses version 2012-02-29 of the API, and a signature of the date alone.
"""

import os
import urllib.parse

from libcloud.dns.providers import get_driver
from libcloud.dns.types import Provider, RecordType, ZoneDoesNotExistError

import common

endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL_ROUTE_53"])
driver = get_driver(Provider.ROUTE53)("test", "test", secure=False, host=endpoint.hostname, port=endpoint.port)

zone = driver.create_zone("libcloud.test", extra={"Comment": "made by Libcloud"})
assert [(one.id, one.domain) for one in driver.list_zones()] == [(zone.id, "libcloud.test.")]
assert driver.get_zone(zone.id).extra["Comment"] == "made by Libcloud"
record = driver.create_record("www", zone, RecordType.A, "192.0.2.1", extra={"ttl": 60})
assert common.dig("www.libcloud.test", "A") == "192.0.2.1"
driver.create_record("", zone, RecordType.MX, "mail.libcloud.test.", extra={"ttl": 60, "priority": 10})
assert common.dig("libcloud.test", "MX") == "10 mail.libcloud.test."
text = driver.create_record("text", zone, RecordType.TXT, '"a b"', extra={"ttl": 60})
assert common.dig("text.libcloud.test", "TXT") == '"a b"'
found = {(one.name, one.type, one.data) for one in driver.list_records(zone)}
assert ("www", RecordType.A, "192.0.2.1") in found, found
record = driver.get_record(zone.id, "A:www")
record = driver.update_record(record, data="192.0.2.2", extra={"ttl": 30})
assert common.dig("www.libcloud.test", "A") == "192.0.2.2"
assert driver.delete_record(driver.get_record(zone.id, "A:www"))
assert common.code("www.libcloud.test", "A") == "NXDOMAIN"
driver.delete_zone(zone, ex_delete_records=True)
assert common.code("libcloud.test", "SOA") == "REFUSED"
try:
    driver.get_zone(zone.id)
    raise AssertionError("the zone is gone")
except ZoneDoesNotExistError:
    print("all steps done")
