"""Tests of an application that registers itself in Route 53."""


def register(route53, address):
    """The application: yours goes here."""
    zone = route53.create_hosted_zone(Name="app.test", CallerReference="app")["HostedZone"]["Id"]
    record_set = {"Name": "www.app.test", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": address}]}
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record_set}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def test_it_is_found(route53, dig):
    register(route53, "192.0.2.1")
    assert dig("www.app.test") == ["192.0.2.1"]


def test_the_next_test_starts_clean(route53, dig):
    assert dig("www.app.test") == []
    register(route53, "192.0.2.2")
    assert dig("www.app.test") == ["192.0.2.2"]
