"""dns-lexicon: its command creates, lists, updates and deletes a record.

The command asks the machine's resolver for the name of the zone. Here the DNS port of the server is the resolver.
"""

import contextlib
import io
import sys

import boto3
import common
import dns.resolver
from lexicon._private.cli import main

# As in Route 53, a record is deleted by all that it has. The option has another default than the provider.
TTL = ["--ttl", "60"]

dns.resolver.default_resolver = dns.resolver.Resolver(configure=False)
dns.resolver.default_resolver.nameservers = [common.HOST]
dns.resolver.default_resolver.port = int(common.PORT)


def lexicon(*arguments):
    """The output of the command."""
    sys.argv = ["lexicon", "route53", "--auth-access-key", "test", "--auth-access-secret", "test", *arguments, *TTL]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        main()
    return output.getvalue()


client = boto3.client("route53")
zone_id = client.create_hosted_zone(Name="lexicon.test", CallerReference="lexicon")["HostedZone"]["Id"]
name = "_acme-challenge.lexicon.test"

lexicon("create", "lexicon.test", "TXT", "--name", name, "--content", "first")
assert common.dig(name, "TXT") == '"first"'
# A second value for the same name.
lexicon("create", "lexicon.test", "TXT", "--name", name, "--content", "second")
assert common.dig(name, "TXT") == '"first" "second"'
listed = lexicon("list", "lexicon.test", "TXT", "--name", name)
assert name in listed and "first" in listed and "second" in listed, listed

lexicon("create", "lexicon.test", "A", "--name", "www", "--content", "192.0.2.1")
assert common.dig("www.lexicon.test", "A") == "192.0.2.1"
lexicon("update", "lexicon.test", "A", "--name", "www", "--content", "192.0.2.2")
assert common.dig("www.lexicon.test", "A") == "192.0.2.2"
lexicon("delete", "lexicon.test", "A", "--name", "www", "--content", "192.0.2.2")
assert common.code("www.lexicon.test", "A") == "NXDOMAIN"
lexicon("delete", "lexicon.test", "TXT", "--name", name, "--content", "first")
assert common.dig(name, "TXT") == '"second"'
lexicon("delete", "lexicon.test", "TXT", "--name", name, "--content", "second")
assert common.code(name, "TXT") == "NXDOMAIN"
client.delete_hosted_zone(Id=zone_id)
print("all steps done")
