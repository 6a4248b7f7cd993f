"""boto3: every operation that docs/api.md says the server has, every paginator and waiter of those, and record sets of every policy.
The calls of programs that do not run here are replayed in their order.

Each response is compared with the API model of botocore (model.py). python3 boto3_client.py [unittest arguments]
"""

import json
import re
import unittest

import boto3
import botocore.session
from botocore.exceptions import ClientError

import common
import model

VPC = {"VPCRegion": "eu-central-1", "VPCId": "vpc-0123456789abcdef0"}
OTHER_VPC = {"VPCRegion": "eu-central-1", "VPCId": "vpc-0123456789abcdef1"}
TCP = {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 9, "RequestInterval": 10, "FailureThreshold": 1, "Disabled": True}


def operations_of_the_table():
    text = (common.HERE / "../../docs/api.md").resolve().read_text()
    return set(re.findall(r"^\| (\w+) \| [^|]+ \| yes \|$", text, re.MULTILINE))


class Boto3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = boto3.client("route53")
        cls.watch = model.Watch(cls.client)

    def tearDown(self):
        faults, self.watch.faults = self.watch.faults, []
        self.assertEqual(faults, [])

    def zone(self, name, **more):
        created = self.client.create_hosted_zone(Name=name, CallerReference=name, **more)
        return created["HostedZone"]["Id"].removeprefix("/hostedzone/")

    def check(self, reference, **config):
        config = config or TCP
        return self.client.create_health_check(CallerReference=reference, HealthCheckConfig=config)["HealthCheck"]["Id"]

    def change(self, zone_id, action, *sets):
        return self.client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=common.batch(action, sets))["ChangeInfo"]

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        self.assertEqual(raised.exception.response["Error"]["Code"], code)
        return raised.exception.response["Error"]["Message"]

    def pages(self, operation, key, size, **arguments):
        """All items, in pages of this size, and in one page: both ways find the same."""
        paginator = self.client.get_paginator(operation)
        few = [page[key] for page in paginator.paginate(PaginationConfig={"PageSize": size}, **arguments)]
        self.assertTrue(all(len(page) <= size for page in few), few)
        self.assertGreater(len(few), 1, f"{operation}: one page shows nothing")
        found = [item for page in few for item in page]
        self.assertEqual(found, [item for page in paginator.paginate(**arguments) for item in page[key]])
        # The second half, from a token on.
        first = paginator.paginate(PaginationConfig={"PageSize": size, "MaxItems": size}, **arguments).build_full_result()
        rest = paginator.paginate(PaginationConfig={"StartingToken": first["NextToken"]}, **arguments).build_full_result()
        self.assertEqual(first[key] + rest[key], found)
        return found

    def test_every_policy_is_answered_as_it_is_created_changed_and_deleted(self):
        zone_id = self.zone("policies.test.")
        check = self.check("policies")
        collection = self.client.create_cidr_collection(Name="policies", CallerReference="policies")["Collection"]["Id"]
        put = {"Action": "PUT", "LocationName": "office", "CidrList": ["198.51.100.0/24"]}
        self.client.change_cidr_collection(Id=collection, CollectionVersion=1, Changes=[put])
        rows = common.policies("policies.test.", zone_id, check, collection)
        for policy, sets, answers in rows:
            self.change(zone_id, "CREATE", *sets)
            for name, record_type, subnet, expected in answers:
                self.assertEqual(common.dig(name, record_type, subnet), expected, policy)
        sets = [record_set for _, sets, _ in rows for record_set in sets]
        listed = self.pages("list_resource_record_sets", "ResourceRecordSets", 3, HostedZoneId=zone_id)
        identity = lambda record_set: (record_set["Name"], record_set["Type"], record_set.get("SetIdentifier"))
        found = {identity(record_set): record_set for record_set in listed}
        for record_set in sets:
            # What was sent is listed; only the asterisk is escaped.
            name = record_set["Name"].replace("*", "\\052")
            self.assertEqual(found[identity(record_set | {"Name": name})], record_set | {"Name": name})

        # Twice in a batch, or there already: nothing is changed.
        new = {"Name": "new.policies.test.", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "192.0.2.9"}]}
        refused = self.refused("InvalidChangeBatch", self.client.change_resource_record_sets, HostedZoneId=zone_id,
                               ChangeBatch=common.batch("CREATE", [new, sets[0]]))
        self.assertIn("already exists", refused)
        self.assertEqual(common.code("new.policies.test.", "A"), "NOERROR", "the wildcard has TXT")
        self.refused("HostedZoneNotEmpty", self.client.delete_hosted_zone, Id=zone_id)

        # The primary fails and comes back; an update without a change counts too.
        self.client.update_health_check(HealthCheckId=check, HealthCheckVersion=1, Inverted=True)
        self.refused("HealthCheckVersionMismatch", self.client.update_health_check, HealthCheckId=check, HealthCheckVersion=1)
        common.wait_for("failed over", "192.0.2.32", lambda: common.dig("failover.policies.test.", "A"))
        self.client.update_health_check(HealthCheckId=check, Inverted=False)
        common.wait_for("back", "192.0.2.31", lambda: common.dig("failover.policies.test.", "A"))

        changed = {**sets[0], "TTL": 5, "ResourceRecords": [{"Value": "192.0.2.3"}]}
        self.change(zone_id, "UPSERT", changed)
        self.assertEqual(common.dig("www.policies.test.", "A"), "192.0.2.3")
        self.assertEqual(common.dig("policies.test.", "A"), "192.0.2.3", "the alias follows")
        self.change(zone_id, "DELETE", changed, *sets[1:])
        self.assertEqual(common.code("www.policies.test.", "A"), "NXDOMAIN")
        self.client.delete_hosted_zone(Id=zone_id)
        self.assertEqual(common.code("policies.test.", "SOA"), "REFUSED")
        clear = {"Action": "DELETE_IF_EXISTS", "LocationName": "office", "CidrList": ["198.51.100.0/24"]}
        self.client.change_cidr_collection(Id=collection, Changes=[clear])
        self.client.delete_cidr_collection(Id=collection)
        self.client.delete_health_check(HealthCheckId=check)
        self.refused("NoSuchHealthCheck", self.client.get_health_check, HealthCheckId=check)

    def test_a_change_is_pending_and_then_in_sync(self):
        zone_id = self.zone("waiter.test.")
        record_set = {"Name": "www.waiter.test.", "Type": "AAAA", "TTL": 60, "ResourceRecords": [{"Value": "2001:db8::1"}]}
        info = self.change(zone_id, "CREATE", record_set)
        self.assertEqual(info["Status"], "PENDING")
        self.assertEqual(common.dig("www.waiter.test.", "AAAA"), "2001:db8::1", "the answers are never late")
        waiter = self.client.get_waiter("resource_record_sets_changed")
        waiter.wait(Id=info["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        self.assertEqual(self.client.get_change(Id=info["Id"])["ChangeInfo"]["Status"], "INSYNC")
        self.refused("NoSuchChange", self.client.get_change, Id="C0NOBODYKNOWS")
        self.client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=common.batch("DELETE", [record_set]))
        self.client.delete_hosted_zone(Id=zone_id)

    def test_zones_are_found_in_every_way(self):
        names = [f"{letter}.zones.test." for letter in "abcde"]
        ids = {name: self.zone(name, HostedZoneConfig={"Comment": name}) for name in names}
        listed = {zone["Name"]: zone for zone in self.pages("list_hosted_zones", "HostedZones", 2)}
        for name in names:
            self.assertEqual(listed[name]["Config"], {"Comment": name, "PrivateZone": False})
            self.assertEqual(common.code(name, "SOA"), "NOERROR")
        found = self.client.list_hosted_zones_by_name(DNSName="c.zones.test", MaxItems="2")
        self.assertEqual([zone["Name"] for zone in found["HostedZones"]], ["c.zones.test.", "d.zones.test."])
        self.assertEqual((found["NextDNSName"], found["NextHostedZoneId"]), ("e.zones.test.", ids["e.zones.test."]))
        zone_id = ids[names[0]]
        self.assertEqual(self.client.update_hosted_zone_comment(Id=zone_id, Comment="<&>")["HostedZone"]["Config"]["Comment"], "<&>")
        got = self.client.get_hosted_zone(Id=zone_id)
        self.assertEqual(got["HostedZone"]["Config"]["Comment"], "<&>")
        # Without a member, the request has no body.
        self.assertNotIn("Comment", self.client.update_hosted_zone_comment(Id=zone_id)["HostedZone"]["Config"])
        servers = " ".join(sorted(server.rstrip(".") + "." for server in got["DelegationSet"]["NameServers"]))
        self.assertEqual(common.dig(names[0], "NS"), servers)
        self.assertGreaterEqual(self.client.get_hosted_zone_count()["HostedZoneCount"], 5)
        limit = self.client.get_hosted_zone_limit(HostedZoneId=zone_id, Type="MAX_RRSETS_BY_ZONE")
        self.assertGreaterEqual(limit["Limit"]["Value"], 10000)
        self.client.get_account_limit(Type="MAX_HOSTED_ZONES_BY_OWNER")
        self.assertEqual(self.client.get_dnssec(HostedZoneId=zone_id)["Status"]["ServeSignature"], "NOT_SIGNING")
        self.refused("KeySigningKeyWithActiveStatusNotFound", self.client.enable_hosted_zone_dnssec, HostedZoneId=zone_id)
        self.refused("DNSSECNotFound", self.client.disable_hosted_zone_dnssec, HostedZoneId=zone_id)
        arn = "arn:aws:kms:us-east-1:111122223333:key/1"
        self.refused("InvalidKMSArn", self.client.create_key_signing_key, CallerReference="1", HostedZoneId=zone_id,
                     KeyManagementServiceArn=arn, Name="ksk_1", Status="ACTIVE")
        for call in (self.client.activate_key_signing_key, self.client.deactivate_key_signing_key, self.client.delete_key_signing_key):
            self.refused("NoSuchKeySigningKey", call, HostedZoneId=zone_id, Name="ksk_1")
        self.refused("HostedZoneAlreadyExists", self.client.create_hosted_zone, Name=names[0], CallerReference=names[0])
        for name, zone_id in ids.items():
            self.client.delete_hosted_zone(Id=zone_id)
            self.assertEqual(common.code(name, "SOA"), "REFUSED")
        self.refused("NoSuchHostedZone", self.client.get_hosted_zone, Id=zone_id)

    def test_a_private_zone_is_seen_from_its_vpcs(self):
        zone_id = self.zone("private.test.", VPC=VPC, HostedZoneConfig={"PrivateZone": True})
        record_set = {"Name": "www.private.test.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        self.change(zone_id, "CREATE", record_set)
        self.assertEqual(common.dig("www.private.test.", "A", source="127.0.0.2"), "192.0.2.1")
        self.assertEqual(common.dig("www.private.test.", "A", source="127.0.0.3"), "")
        self.client.associate_vpc_with_hosted_zone(HostedZoneId=zone_id, VPC=OTHER_VPC, Comment="and the other")
        self.assertEqual(common.dig("www.private.test.", "A", source="127.0.0.3"), "192.0.2.1")
        self.assertEqual(len(self.client.get_hosted_zone(Id=zone_id)["VPCs"]), 2)
        for vpc in (OTHER_VPC, {**OTHER_VPC, "VPCId": "vpc-0123456789abcdef2"}):
            self.client.create_vpc_association_authorization(HostedZoneId=zone_id, VPC=vpc)
        # Its paginator has no page size.
        first = self.client.list_vpc_association_authorizations(HostedZoneId=zone_id, MaxResults="1")
        rest = self.client.list_vpc_association_authorizations(HostedZoneId=zone_id, NextToken=first["NextToken"])
        pages = self.client.get_paginator("list_vpc_association_authorizations").paginate(HostedZoneId=zone_id)
        self.assertEqual(first["VPCs"] + rest["VPCs"], [vpc for page in pages for vpc in page["VPCs"]])
        self.client.delete_vpc_association_authorization(HostedZoneId=zone_id, VPC=OTHER_VPC)
        self.refused("VPCAssociationAuthorizationNotFound", self.client.delete_vpc_association_authorization,
                     HostedZoneId=zone_id, VPC=OTHER_VPC)
        of_vpc = self.client.list_hosted_zones_by_vpc(**OTHER_VPC)["HostedZoneSummaries"]
        self.assertEqual([zone["HostedZoneId"] for zone in of_vpc], [zone_id])
        self.client.disassociate_vpc_from_hosted_zone(HostedZoneId=zone_id, VPC=VPC)
        self.assertEqual(common.dig("www.private.test.", "A", source="127.0.0.2"), "")
        self.refused("LastVPCAssociation", self.client.disassociate_vpc_from_hosted_zone, HostedZoneId=zone_id, VPC=OTHER_VPC)
        self.change(zone_id, "DELETE", record_set)
        self.client.delete_hosted_zone(Id=zone_id)

    def test_health_checks_of_every_type(self):
        endpoint = {"IPAddress": "127.0.0.1", "Port": 9, "RequestInterval": 10, "FailureThreshold": 1}
        http = self.check("http", Type="HTTP", ResourcePath="/up", FullyQualifiedDomainName="app.test", **endpoint)
        ids = [http, self.check("https", Type="HTTPS", EnableSNI=True, FullyQualifiedDomainName="app.test", **endpoint),
               self.check("match", Type="HTTP_STR_MATCH", SearchString="ok", Regions=["us-east-1", "eu-west-1", "sa-east-1"], **endpoint),
               self.check("https match", Type="HTTPS_STR_MATCH", SearchString="ok", **endpoint),
               self.check("tcp", **TCP),
               self.check("calculated", Type="CALCULATED", ChildHealthChecks=[http], HealthThreshold=1),
               self.check("control", Type="RECOVERY_CONTROL",
                          RoutingControlArn="arn:aws:route53-recovery-control::111122223333:controlpanel/0/routingcontrol/1")]
        listed = self.pages("list_health_checks", "HealthChecks", 2)
        self.assertLessEqual(set(ids), {check["Id"] for check in listed})
        self.assertEqual(self.client.get_health_check_count()["HealthCheckCount"], len(listed))
        self.assertEqual(self.client.get_checker_ip_ranges()["CheckerIpRanges"], [], "they are not known")
        status = lambda: self.client.get_health_check_status(HealthCheckId=http)["HealthCheckObservations"]
        refused = lambda: any(one["StatusReport"]["Status"].startswith("Failure") for one in status() if "StatusReport" in one)
        common.wait_for("nothing listens on the port", True, refused)
        reason = self.client.get_health_check_last_failure_reason(HealthCheckId=http)["HealthCheckObservations"]
        self.assertTrue(reason[0]["StatusReport"]["Status"].startswith("Failure"), reason)
        updated = self.client.update_health_check(HealthCheckId=http, ResourcePath="/other", FailureThreshold=2)["HealthCheck"]
        self.assertEqual((updated["HealthCheckVersion"], updated["HealthCheckConfig"]["ResourcePath"]), (2, "/other"))
        self.client.update_health_check(HealthCheckId=http, ResetElements=["ResourcePath"])
        self.assertNotIn("ResourcePath", self.client.get_health_check(HealthCheckId=http)["HealthCheck"]["HealthCheckConfig"])
        unchanged = self.client.update_health_check(HealthCheckId=http)["HealthCheck"]
        self.assertEqual(unchanged["HealthCheckConfig"], self.client.get_health_check(HealthCheckId=http)["HealthCheck"]["HealthCheckConfig"])
        same = self.client.create_health_check(CallerReference="tcp", HealthCheckConfig=TCP)["HealthCheck"]
        self.assertEqual(same["Id"], ids[4], "the same request again is the same check")
        self.refused("HealthCheckAlreadyExists", self.client.create_health_check, CallerReference="tcp",
                     HealthCheckConfig={**TCP, "Port": 10})
        for check in reversed(ids):
            self.client.delete_health_check(HealthCheckId=check)

    def test_what_is_attached_to_zones(self):
        zone_id = self.zone("attached.test.")
        arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/route53/attached.test"
        config = self.client.create_query_logging_config(HostedZoneId=zone_id, CloudWatchLogsLogGroupArn=arn)["QueryLoggingConfig"]
        self.assertEqual(self.client.get_query_logging_config(Id=config["Id"])["QueryLoggingConfig"], config)
        other = self.zone("other.attached.test.")
        self.client.create_query_logging_config(HostedZoneId=other, CloudWatchLogsLogGroupArn=arn)
        self.assertIn(config, self.pages("list_query_logging_configs", "QueryLoggingConfigs", 1))
        self.refused("QueryLoggingConfigAlreadyExists", self.client.create_query_logging_config, HostedZoneId=zone_id,
                     CloudWatchLogsLogGroupArn=arn)
        for one in self.client.list_query_logging_configs()["QueryLoggingConfigs"]:
            self.client.delete_query_logging_config(Id=one["Id"])
        self.refused("NoSuchQueryLoggingConfig", self.client.get_query_logging_config, Id=config["Id"])

        protections = [{"RecordName": "a.attached.test.", "RecordType": "A", "Comment": "the shop"},
                       {"RecordName": "b.attached.test.", "RecordType": "AAAA"}]
        self.client.create_resource_record_set_protections(HostedZoneId=zone_id, Protections=protections)
        with self.assertRaises(ClientError) as raised:
            self.client.create_resource_record_set_protections(HostedZoneId=zone_id, Protections=protections[:1])
        self.assertEqual(raised.exception.response["Error"]["Code"], "ProtectionAlreadyExists")
        listed = self.pages("list_resource_record_set_protections", "ResourceRecordSetProtections", 1, HostedZoneId=zone_id)
        self.assertEqual(listed, protections)
        record_set = {"Name": "a.attached.test.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        message = self.refused("InvalidChangeBatch", self.client.change_resource_record_sets, HostedZoneId=zone_id,
                               ChangeBatch=common.batch("CREATE", [record_set]))
        self.assertIn("the shop", message)
        keys = [{"RecordName": one["RecordName"], "RecordType": one["RecordType"]} for one in protections]
        self.client.delete_resource_record_set_protections(HostedZoneId=zone_id, Protections=keys)
        self.refused("InvalidResourceRecordSetProtectionBatch", self.client.delete_resource_record_set_protections,
                     HostedZoneId=zone_id, Protections=keys)

        self.client.update_hosted_zone_features(HostedZoneId=zone_id, EnableAcceleratedRecovery=True)
        features = self.client.get_hosted_zone(Id=zone_id)["HostedZone"]["Features"]
        self.assertEqual(features, {"AcceleratedRecoveryStatus": "ENABLED"})
        self.client.update_hosted_zone_features(HostedZoneId=zone_id, EnableAcceleratedRecovery=False)

        created = self.client.create_reusable_delegation_set(CallerReference="attached", HostedZoneId=zone_id)["DelegationSet"]
        set_id = created["Id"].removeprefix("/delegationset/")
        self.assertEqual(self.client.get_reusable_delegation_set(Id=set_id)["DelegationSet"], created)
        self.assertEqual(self.client.list_reusable_delegation_sets()["DelegationSets"], [created])
        child = self.zone("child.attached.test.", DelegationSetId=set_id)
        self.assertEqual(self.client.get_hosted_zone(Id=child)["DelegationSet"], created)
        self.assertEqual(len(self.client.list_hosted_zones(DelegationSetId=set_id)["HostedZones"]), 2)
        limit = self.client.get_reusable_delegation_set_limit(DelegationSetId=set_id, Type="MAX_ZONES_BY_REUSABLE_DELEGATION_SET")
        self.assertEqual(limit["Count"], 2)
        self.refused("DelegationSetInUse", self.client.delete_reusable_delegation_set, Id=set_id)
        for one in (child, other, zone_id):
            self.client.delete_hosted_zone(Id=one)
        self.client.delete_reusable_delegation_set(Id=set_id)

    def test_traffic_policies(self):
        zone_id = self.zone("flow.test.")
        rules = {"where": {"RuleType": "geo", "Locations": [
                     {"Country": "JP", "RuleReference": "japan", "EvaluateTargetHealth": True},
                     {"IsDefault": True, "EndpointReference": "rest"}]},
                 "japan": {"RuleType": "weighted", "Items": [{"EndpointReference": "tokyo", "Weight": "1"},
                                                             {"EndpointReference": "rest", "Weight": "0"}]}}
        document = {"AWSPolicyFormatVersion": "2023-05-09", "RecordType": "A", "StartRule": "where", "Rules": rules, "Endpoints": {
            "tokyo": {"Type": "value", "Value": "192.0.2.1"}, "rest": {"Type": "value", "Value": "192.0.2.2"}}}
        created = self.client.create_traffic_policy(Name="where", Document=json.dumps(document), Comment="first")["TrafficPolicy"]
        policy = created["Id"]
        self.assertEqual(self.client.get_traffic_policy(Id=policy, Version=1)["TrafficPolicy"], created)
        self.refused("TrafficPolicyAlreadyExists", self.client.create_traffic_policy, Name="where", Document=json.dumps(document))
        self.refused("InvalidTrafficPolicyDocument", self.client.create_traffic_policy, Name="bad", Document="{}")
        document["Endpoints"]["tokyo"]["Value"] = "192.0.2.3"
        second = self.client.create_traffic_policy_version(Id=policy, Document=json.dumps(document))["TrafficPolicy"]
        self.assertEqual((second["Version"], second["Type"]), (2, "A"))
        commented = self.client.update_traffic_policy_comment(Id=policy, Version=2, Comment="second")["TrafficPolicy"]
        self.assertEqual(commented, {**second, "Comment": "second"})
        summary = self.client.list_traffic_policies()["TrafficPolicySummaries"]
        self.assertEqual([(one["Id"], one["LatestVersion"], one["TrafficPolicyCount"]) for one in summary], [(policy, 2, 2)])
        versions = self.client.list_traffic_policy_versions(Id=policy, MaxItems="1")
        self.assertEqual((versions["IsTruncated"], versions["TrafficPolicyVersionMarker"]), (True, "2"))

        instance = self.client.create_traffic_policy_instance(HostedZoneId=zone_id, Name="www.flow.test", TTL=60, TrafficPolicyId=policy,
                                                              TrafficPolicyVersion=1)["TrafficPolicyInstance"]
        other = self.client.create_traffic_policy_instance(HostedZoneId=zone_id, Name="other.flow.test", TTL=60, TrafficPolicyId=policy,
                                                           TrafficPolicyVersion=1)["TrafficPolicyInstance"]
        self.assertEqual((instance["Name"], instance["State"]), ("www.flow.test.", "Applied"))
        self.assertEqual(self.client.get_traffic_policy_instance(Id=instance["Id"])["TrafficPolicyInstance"], instance)
        self.assertEqual(common.dig("www.flow.test", "A", "203.0.113.0/24"), "192.0.2.1")
        self.assertEqual(common.dig("www.flow.test", "A", "198.51.100.0/24"), "192.0.2.2")
        listed = self.client.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName="www.flow.test", MaxItems="1")
        self.assertEqual(listed["ResourceRecordSets"],
                         [{"Name": "www.flow.test.", "Type": "A", "TrafficPolicyInstanceId": instance["Id"]}])
        self.assertEqual(self.client.get_traffic_policy_instance_count()["TrafficPolicyInstanceCount"], 2)
        first = self.client.list_traffic_policy_instances(MaxItems="1")
        rest = self.client.list_traffic_policy_instances(
            HostedZoneIdMarker=first["HostedZoneIdMarker"], TrafficPolicyInstanceNameMarker=first["TrafficPolicyInstanceNameMarker"],
            TrafficPolicyInstanceTypeMarker=first["TrafficPolicyInstanceTypeMarker"])
        self.assertEqual(first["TrafficPolicyInstances"] + rest["TrafficPolicyInstances"], [other, instance])
        by_zone = self.client.list_traffic_policy_instances_by_hosted_zone(HostedZoneId=zone_id)
        self.assertEqual(by_zone["TrafficPolicyInstances"], [other, instance])
        by_policy = self.client.list_traffic_policy_instances_by_policy(TrafficPolicyId=policy, TrafficPolicyVersion=1)
        self.assertEqual(by_policy["TrafficPolicyInstances"], [other, instance])
        updated = self.client.update_traffic_policy_instance(Id=instance["Id"], TTL=5, TrafficPolicyId=policy, TrafficPolicyVersion=2)
        self.assertEqual(updated["TrafficPolicyInstance"], {**instance, "TTL": 5, "TrafficPolicyVersion": 2})
        self.assertEqual(common.dig("www.flow.test", "A", "203.0.113.0/24"), "192.0.2.3")
        self.refused("TrafficPolicyInUse", self.client.delete_traffic_policy, Id=policy, Version=1)
        self.refused("TrafficPolicyInstanceAlreadyExists", self.client.create_traffic_policy_instance, HostedZoneId=zone_id,
                     Name="www.flow.test", TTL=60, TrafficPolicyId=policy, TrafficPolicyVersion=1)
        self.refused("HostedZoneNotEmpty", self.client.delete_hosted_zone, Id=zone_id)
        for one in (instance, other):
            self.client.delete_traffic_policy_instance(Id=one["Id"])
        self.refused("NoSuchTrafficPolicyInstance", self.client.get_traffic_policy_instance, Id=instance["Id"])
        self.assertEqual(common.code("www.flow.test", "A"), "NXDOMAIN")
        for version in (1, 2):
            self.client.delete_traffic_policy(Id=policy, Version=version)
        again = self.client.create_traffic_policy(Name="where", Document=json.dumps(document))["TrafficPolicy"]
        self.client.delete_traffic_policy(Id=again["Id"], Version=1)
        self.client.delete_hosted_zone(Id=zone_id)

    def test_cidr_collections(self):
        ids = [self.client.create_cidr_collection(Name=name, CallerReference=name)["Collection"]["Id"] for name in ("x", "y", "z")]
        put = [{"Action": "PUT", "LocationName": name, "CidrList": [f"10.{number}.{block}.0/24" for block in range(3)]}
               for number, name in enumerate(("berlin", "oslo", "rome"))]
        self.client.change_cidr_collection(Id=ids[0], CollectionVersion=1, Changes=put)
        self.assertLessEqual(set(ids), {one["Id"] for one in self.pages("list_cidr_collections", "CidrCollections", 1)})
        locations = self.pages("list_cidr_locations", "CidrLocations", 2, CollectionId=ids[0])
        self.assertEqual([one["LocationName"] for one in locations], ["berlin", "oslo", "rome"])
        blocks = self.pages("list_cidr_blocks", "CidrBlocks", 2, CollectionId=ids[0], LocationName="oslo")
        self.assertEqual({one["CidrBlock"] for one in blocks}, set(put[1]["CidrList"]))
        self.refused("CidrCollectionInUseException", self.client.delete_cidr_collection, Id=ids[0])
        self.client.change_cidr_collection(Id=ids[0], Changes=[{**change, "Action": "DELETE_IF_EXISTS"} for change in put])
        for collection in ids:
            self.client.delete_cidr_collection(Id=collection)
        self.refused("NoSuchCidrCollectionException", self.client.list_cidr_locations, CollectionId=ids[0])

    def test_tags_locations_and_test_answers(self):
        zone_id, check = self.zone("rest.test."), self.check("rest")
        for kind, resource in (("hostedzone", zone_id), ("healthcheck", check)):
            tags = [{"Key": "env", "Value": "lab"}, {"Key": "owner", "Value": ""}]
            self.client.change_tags_for_resource(ResourceType=kind, ResourceId=resource, AddTags=tags)
            self.client.change_tags_for_resource(ResourceType=kind, ResourceId=resource, RemoveTagKeys=["owner"])
            found = self.client.list_tags_for_resource(ResourceType=kind, ResourceId=resource)["ResourceTagSet"]
            self.assertEqual(found, {"ResourceType": kind, "ResourceId": resource, "Tags": tags[:1]})
            sets = self.client.list_tags_for_resources(ResourceType=kind, ResourceIds=[resource])["ResourceTagSets"]
            self.assertEqual(sets, [found])
        self.assertEqual(self.client.get_geo_location(CountryCode="DK")["GeoLocationDetails"]["CountryName"], "Denmark")
        listed = self.client.list_geo_locations(StartCountryCode="US", MaxItems="3")
        self.assertTrue(listed["IsTruncated"] and listed["NextCountryCode"], listed)
        self.refused("NoSuchGeoLocation", self.client.get_geo_location, CountryCode="ZZ")
        record_set = {"Name": "www.rest.test.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        self.change(zone_id, "CREATE", record_set)
        answer = self.client.test_dns_answer(HostedZoneId=zone_id, RecordName="www.rest.test", RecordType="A")
        self.assertEqual((answer["RecordData"], answer["ResponseCode"]), (["192.0.2.1"], "NOERROR"))
        self.assertEqual(common.dig("www.rest.test.", "A"), "192.0.2.1")
        self.change(zone_id, "DELETE", record_set)
        self.client.delete_hosted_zone(Id=zone_id)
        self.client.delete_health_check(HealthCheckId=check)

    def test_terraform_s_calls_in_its_order(self):
        """The calls of Terraform's resources aws_route53_zone, aws_route53_record and aws_route53_health_check."""
        created = self.client.create_hosted_zone(Name="terraform.test", CallerReference="terraform-20260101000000000000000001",
                                                 HostedZoneConfig={"Comment": "Managed by Terraform"})
        zone_id = created["HostedZone"]["Id"].removeprefix("/hostedzone/")
        self.client.get_change(Id=created["ChangeInfo"]["Id"].removeprefix("/change/"))
        self.client.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id, AddTags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(len(self.client.get_hosted_zone(Id=zone_id)["DelegationSet"]["NameServers"]) > 0, True)
        self.client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id)
        config = {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 9, "RequestInterval": 30, "FailureThreshold": 3,
                  "MeasureLatency": False, "Inverted": False, "Disabled": True}
        check = self.check("terraform", **config)
        self.client.change_tags_for_resource(ResourceType="healthcheck", ResourceId=check, AddTags=[{"Key": "Name", "Value": "c"}])
        got = self.client.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]
        self.assertEqual({key: got[key] for key in config}, config, "a plan after it would show a change")
        self.client.update_health_check(HealthCheckId=check, FailureThreshold=5)

        record_set = {"Name": "*.terraform.test", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "192.0.2.2"}, {"Value": "192.0.2.1"}]}
        for action, sent in (("CREATE", record_set), ("UPSERT", {**record_set, "TTL": 60})):
            self.client.get_hosted_zone(Id=zone_id)
            info = self.change(zone_id, action, sent)
            common.wait_for("in sync", "INSYNC", lambda: self.client.get_change(Id=info["Id"])["ChangeInfo"]["Status"])
            found = self.client.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName="*.terraform.test",
                                                          StartRecordType="A", MaxItems="1")["ResourceRecordSets"]
            self.assertEqual(found, [{**sent, "Name": "\\052.terraform.test."}], "with its values in their order")
            self.assertEqual(common.dig("any.terraform.test", "A"), "192.0.2.1 192.0.2.2")
        weighted = [{"Name": "w.terraform.test", "Type": "A", "SetIdentifier": name, "Weight": 1, "TTL": 60, "HealthCheckId": check,
                     "ResourceRecords": [{"Value": value}]} for name, value in (("blue", "192.0.2.3"), ("green", "192.0.2.4"))]
        for one in weighted:
            self.change(zone_id, "CREATE", one)
            found = self.client.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName="w.terraform.test.",
                                                          StartRecordType="A", StartRecordIdentifier=one["SetIdentifier"], MaxItems="100")
            self.assertEqual(found["ResourceRecordSets"][0], {**one, "Name": "w.terraform.test."})
        # Another set identifier is a deletion and a creation in one batch.
        both = common.batch("DELETE", weighted[:1])["Changes"] + common.batch("CREATE", [{**weighted[0], "SetIdentifier": "red"}])["Changes"]
        self.client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": both})
        self.assertIn(common.dig("w.terraform.test", "A"), ("192.0.2.3", "192.0.2.4"))

        # force_destroy: all but the zone's own records.
        left = [one for one in self.client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
                if one["Type"] not in ("NS", "SOA")]
        self.change(zone_id, "DELETE", *left)
        self.client.get_dnssec(HostedZoneId=zone_id)
        self.client.delete_hosted_zone(Id=zone_id)
        self.client.delete_health_check(HealthCheckId=check)
        self.assertEqual(common.code("any.terraform.test", "A"), "REFUSED")

    def test_cert_manager_s_and_lego_s_calls_in_their_order(self):
        zone_id = self.zone("acme.test.")
        # cert-manager and lego name the zone without a dot; the answer starts there.
        found = self.client.list_hosted_zones_by_name(DNSName="acme.test")["HostedZones"]
        self.assertEqual(found[0]["Id"], f"/hostedzone/{zone_id}")
        sets = [{"Name": "_acme-challenge.acme.test.", "Type": "TXT", "TTL": 10, "MultiValueAnswer": True, "SetIdentifier": f'"{key}"',
                 "ResourceRecords": [{"Value": f'"{key}"'}]} for key in ("first", "second")]
        for one in sets:
            info = self.change(zone_id, "UPSERT", one)
            common.wait_for("in sync", "INSYNC", lambda: self.client.get_change(Id=info["Id"])["ChangeInfo"]["Status"])
        self.assertEqual(common.dig("_acme-challenge.acme.test", "TXT"), '"first" "second"')
        listed = self.client.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName="_acme-challenge.acme.test",
                                                       StartRecordType="TXT")["ResourceRecordSets"]
        self.assertEqual(listed, sets)
        for one in sets:
            self.change(zone_id, "DELETE", one)
        self.assertEqual(common.code("_acme-challenge.acme.test", "TXT"), "NXDOMAIN")
        # A record that is gone: they look for these words.
        message = self.refused("InvalidChangeBatch", self.client.change_resource_record_sets, HostedZoneId=zone_id,
                               ChangeBatch=common.batch("DELETE", sets[:1]))
        self.assertIn("not found", message)
        self.client.delete_hosted_zone(Id=zone_id)

    def test_external_dns_s_calls_in_their_order(self):
        zone_id = self.zone("external.test.")
        zones = [zone["Id"].removeprefix("/hostedzone/") for zone in self.client.list_hosted_zones()["HostedZones"]]
        self.client.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=zones[:10])
        owner = {"Name": "a-app.external.test", "Type": "TXT", "TTL": 300,
                 "ResourceRecords": [{"Value": '"heritage=external-dns,external-dns/owner=me"'}]}
        app = {"Name": "app.external.test", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        alias = {"Name": "*.external.test", "Type": "A", "SetIdentifier": "one", "Weight": 10,
                 "AliasTarget": {"HostedZoneId": zone_id, "DNSName": "app.external.test", "EvaluateTargetHealth": True}}
        self.change(zone_id, "CREATE", app, alias, owner)
        self.assertEqual(common.dig("any.external.test", "A"), "192.0.2.1")
        listed = self.client.list_resource_record_sets(HostedZoneId=zone_id, MaxItems="300")["ResourceRecordSets"]
        self.assertIn("\\052.external.test.", [one["Name"] for one in listed])
        # Upserts, deletions and creations in one batch.
        changes = [change for action, one in (("UPSERT", {**app, "TTL": 60}), ("DELETE", alias), ("CREATE", {**alias, "SetIdentifier": "two"}))
                   for change in common.batch(action, [one])["Changes"]]
        self.client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
        self.assertEqual(common.dig("any.external.test", "A"), "192.0.2.1")
        self.change(zone_id, "DELETE", {**app, "TTL": 60}, {**alias, "SetIdentifier": "two"}, owner)
        self.assertEqual(common.code("any.external.test", "A"), "NXDOMAIN")
        self.client.delete_hosted_zone(Id=zone_id)

    def test_zz_nothing_was_left_out(self):
        """Runs last: the tests above have called every operation of the table."""
        table = operations_of_the_table()
        self.assertGreater(len(table), 30)
        self.assertEqual(table - self.watch.operations, set())
        paginators = botocore.session.get_session().get_paginator_model("route53")._paginator_config
        called = {"ListCidrBlocks", "ListCidrCollections", "ListCidrLocations", "ListHealthChecks", "ListHostedZones",
                  "ListQueryLoggingConfigs", "ListResourceRecordSetProtections", "ListResourceRecordSets", "ListVPCAssociationAuthorizations"}
        self.assertEqual(set(paginators) & table, called, "each is paged through above")
        waiters = botocore.session.get_session().get_waiter_model("route53")
        of_table = [name for name in waiters.waiter_names if waiters.get_waiter(name).operation in table]
        self.assertEqual(of_table, ["ResourceRecordSetsChanged"], "a test above waits by it")


if __name__ == "__main__":
    unittest.main()
