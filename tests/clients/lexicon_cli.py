"""dns-lexicon: its command creates, lists, updates and deletes a record.

python3 lexicon_cli.py LEXICON: the program.
"""

import subprocess
import sys

import boto3

import common

LEXICON = sys.argv[1]


def lexicon(*arguments):
    command = [LEXICON, "route53", "--auth-access-key", "test", "--auth-access-secret", "test", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


client = boto3.client("route53")
zone_id = client.create_hosted_zone(Name="lexicon.test", CallerReference="lexicon")["HostedZone"]["Id"]
name = "_acme-challenge.lexicon.test"

lexicon("create", "lexicon.test", "TXT", "--name", name, "--content", "first", "--ttl", "60")
assert common.dig(name, "TXT") == '"first"'
# A second value for the same name.
lexicon("create", "lexicon.test", "TXT", "--name", name, "--content", "second", "--ttl", "60")
assert common.dig(name, "TXT") == '"first" "second"'
listed = lexicon("list", "lexicon.test", "TXT", "--name", name)
assert name in listed and "first" in listed and "second" in listed, listed

lexicon("create", "lexicon.test", "A", "--name", "www", "--content", "192.0.2.1", "--ttl", "60")
assert common.dig("www.lexicon.test", "A") == "192.0.2.1"
lexicon("update", "lexicon.test", "A", "--name", "www", "--content", "192.0.2.2", "--ttl", "60")
assert common.dig("www.lexicon.test", "A") == "192.0.2.2"
lexicon("delete", "lexicon.test", "A", "--name", "www", "--content", "192.0.2.2")
assert common.code("www.lexicon.test", "A") == "NXDOMAIN"
lexicon("delete", "lexicon.test", "TXT", "--name", name, "--content", "first")
assert common.dig(name, "TXT") == '"second"'
lexicon("delete", "lexicon.test", "TXT", "--name", name, "--content", "second")
assert common.code(name, "TXT") == "NXDOMAIN"
client.delete_hosted_zone(Id=zone_id)
print("all steps done")
