"""The AWS CLI: creates, changes and deletes a zone with record sets of every policy, a health check and a collection.

python3 command_line.py AWS VERSION: the program, and what its version begins with.
"""

import json
import subprocess
import sys

import common

AWS, VERSION = sys.argv[1:]


def aws(*arguments):
    """The output of a command as an object."""
    command = [AWS, "route53", "--output", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return json.loads(done.stdout or "null")


def refused(*arguments):
    done = subprocess.run([AWS, "route53", *arguments], capture_output=True, text=True)
    assert done.returncode != 0, done.stdout
    return done.stderr


def change(zone_id, action, sets):
    return aws("change-resource-record-sets", "--hosted-zone-id", zone_id, "--change-batch", json.dumps(common.batch(action, sets)))


def equal(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


version = subprocess.run([AWS, "--version"], check=True, capture_output=True, text=True).stdout
assert version.startswith(VERSION), version
zone = aws("create-hosted-zone", "--name", "cli.test", "--caller-reference", "cli", "--hosted-zone-config", "Comment=made by the CLI")
zone_id = zone["HostedZone"]["Id"].removeprefix("/hostedzone/")
equal(common.code("cli.test", "SOA"), "NOERROR")
check = aws("create-health-check", "--caller-reference", "cli", "--health-check-config",
            "Type=TCP,IPAddress=127.0.0.1,Port=9,RequestInterval=10,FailureThreshold=1,Disabled=true")["HealthCheck"]["Id"]
collection = aws("create-cidr-collection", "--name", "cli", "--caller-reference", "cli")["Collection"]["Id"]
aws("change-cidr-collection", "--id", collection, "--changes", "LocationName=office,Action=PUT,CidrList=198.51.100.0/24")
rows = common.policies("cli.test.", zone_id, check, collection)
sets = [one for _, sets, _ in rows for one in sets]
info = change(zone_id, "CREATE", sets)["ChangeInfo"]
for policy, _, answers in rows:
    for name, record_type, subnet, expected in answers:
        equal((policy, common.dig(name, record_type, subnet)), (policy, expected))
common.wait_for("in sync", "INSYNC", lambda: aws("get-change", "--id", info["Id"])["ChangeInfo"]["Status"])
aws("wait", "resource-record-sets-changed", "--id", info["Id"])
# The CLI pages by itself.
listed = aws("list-resource-record-sets", "--hosted-zone-id", zone_id, "--page-size", "4")["ResourceRecordSets"]
whole = aws("list-resource-record-sets", "--hosted-zone-id", zone_id)["ResourceRecordSets"]
equal(listed, whole)
assert all({**one, "Name": one["Name"].replace("*", "\\052")} in listed for one in sets), listed
found = aws("list-hosted-zones-by-name", "--dns-name", "cli.test", "--max-items", "1")["HostedZones"]
equal([one["Name"] for one in found], ["cli.test."])
message = refused("change-resource-record-sets", "--hosted-zone-id", zone_id, "--change-batch", json.dumps(common.batch("CREATE", sets[:1])))
assert "(InvalidChangeBatch)" in message and "already exists" in message, message
message = refused("get-hosted-zone", "--id", "Z0NOBODYKNOWS")
assert "(NoSuchHostedZone)" in message, message

aws("update-health-check", "--health-check-id", check, "--inverted")
common.wait_for("failed over", "192.0.2.32", lambda: common.dig("failover.cli.test", "A"))
aws("change-tags-for-resource", "--resource-type", "hostedzone", "--resource-id", zone_id, "--add-tags", "Key=env,Value=lab")
tags = aws("list-tags-for-resource", "--resource-type", "hostedzone", "--resource-id", zone_id)["ResourceTagSet"]["Tags"]
equal(tags, [{"Key": "env", "Value": "lab"}])
answer = aws("test-dns-answer", "--hosted-zone-id", zone_id, "--record-name", "weighted.cli.test", "--record-type", "A")
equal(answer["RecordData"], ["192.0.2.11"])

changed = {**sets[0], "ResourceRecords": [{"Value": "192.0.2.3"}]}
change(zone_id, "UPSERT", [changed])
equal(common.dig("www.cli.test", "A"), "192.0.2.3")
change(zone_id, "DELETE", [changed, *sets[1:]])
equal(common.code("www.cli.test", "A"), "NXDOMAIN")
aws("delete-hosted-zone", "--id", zone_id)
equal(common.code("cli.test", "SOA"), "REFUSED")
aws("change-cidr-collection", "--id", collection, "--changes", "LocationName=office,Action=DELETE_IF_EXISTS,CidrList=198.51.100.0/24")
aws("delete-cidr-collection", "--id", collection)
aws("delete-health-check", "--health-check-id", check)
print("all steps done")
