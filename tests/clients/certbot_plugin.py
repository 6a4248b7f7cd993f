"""certbot's plugin certbot-dns-route53: the record of a DNS-01 challenge comes, shows on the DNS port, and goes."""

from unittest import mock

import boto3
import josepy
from acme import challenges, messages
from certbot import achallenges
from certbot_dns_route53._internal.dns_route53 import Authenticator
from cryptography.hazmat.primitives.asymmetric import rsa

import common

client = boto3.client("route53")
zone_ids = [client.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"] for name in ("certbot.test", "sub.certbot.test")]
plugin = Authenticator(mock.MagicMock(), "dns-route53")
key = josepy.JWKRSA(key=rsa.generate_private_key(65537, 2048))


def challenge(token, name):
    """What an ACME server asks for."""
    body = messages.ChallengeBody(chall=challenges.DNS01(token=token * 32), uri="https://ca.test/1", status=messages.STATUS_PENDING)
    identifier = messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name)
    return achallenges.KeyAuthorizationAnnotatedChallenge(challb=body, identifier=identifier, account_key=key)


# A certificate for a name and its wildcard has two challenges of one name.
name = "_acme-challenge.www.sub.certbot.test"
both = [challenge(token, "www.sub.certbot.test") for token in (b"1", b"2")]
values = sorted(f'"{one.validation(key)}"' for one in both)
assert len(plugin.perform(both)) == 2
assert common.dig(name, "TXT") == " ".join(values)
plugin.cleanup(both[:1])
assert common.dig(name, "TXT") == f'"{both[1].validation(key)}"'
plugin.cleanup(both[1:])
assert common.code(name, "TXT") == "NXDOMAIN"
for zone_id in zone_ids:
    client.delete_hosted_zone(Id=zone_id)
print("all steps done")
