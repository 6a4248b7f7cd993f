"""Sends every variant to a server and says what each operation answered.

python3 run.py [--strict] [--results FILE] ENDPOINT [OPERATION …]

With --strict, a deviation is an error of this program: the XML of each response is held against the model too.
"""

import argparse
import collections
import contextlib
import json
import re
import sys
import time

import client
from bases import World, all_bases
from expectations import expected
from generator import OK, Generator

AS_MODEL, OTHER, SERVER_ERROR, NOT_IMPLEMENTED = "as the model says", "other", "5xx", "not implemented"
CLASSES = (AS_MODEL, OTHER, SERVER_ERROR, NOT_IMPLEMENTED)
# How servers say that they do not have an operation; ministack and fakecloud say it in the message of another error.
NO_ENDPOINT = re.compile(b"Unknown Route ?53 (endpoint|route)")
NOT_HERE = {"NotImplemented", "UnknownOperationException", "InvalidAction", "UnsupportedOperation", "OperationNotImplemented"}

# What a successful request leaves behind that the next ones do not need, and how it goes.
CLEAN_UP = {
    "CreateHostedZone": ("DeleteHostedZone", "Id", "HostedZone.Id"),
    "CreateHealthCheck": ("DeleteHealthCheck", "HealthCheckId", "HealthCheck.Id"),
    "CreateCidrCollection": ("DeleteCidrCollection", "Id", "Collection.Id"),
    "CreateReusableDelegationSet": ("DeleteReusableDelegationSet", "Id", "DelegationSet.Id"),
    "CreateTrafficPolicy": ("DeleteTrafficPolicy", "Id", "TrafficPolicy.Id"),
    "CreateTrafficPolicyInstance": ("DeleteTrafficPolicyInstance", "Id", "TrafficPolicyInstance.Id"),
    "CreateQueryLoggingConfig": ("DeleteQueryLoggingConfig", "Id", "QueryLoggingConfig.Id"),
}


def judge(variant, outcomes, reply, strict):
    """The class of a response, and why it is not as the model says."""
    operation = client.MODEL.operation_model(variant.operation)
    if (
        reply.status == 501
        or reply.code in NOT_HERE
        or (reply.status == 404 and b"<Code>" not in reply.body)
        or NO_ENDPOINT.search(reply.body)
    ):
        return NOT_IMPLEMENTED, [f"{reply.status} {reply.code}"]
    if reply.status >= 500:
        return SERVER_ERROR, [f"{reply.status} {reply.code}: {reply.body[:200]!r}"]
    if reply.status < 300:
        faults = client.faults_of_success(operation, reply, strict)
    else:
        faults = client.faults_of_error(operation, reply, strict)
    found = OK if reply.status < 300 else reply.code
    if found not in outcomes:
        faults.insert(0, f"{found}, not {' or '.join(outcomes)}")
    return (OTHER, faults) if faults else (AS_MODEL, [])


def clean_up(connection, variant, reply):
    if variant.operation in CLEAN_UP:
        operation, member, path = CLEAN_UP[variant.operation]
        value = reply.parsed
        for step in path.split("."):
            value = (value or {}).get(step)
        if value:
            version = {"Version": "1"} if operation == "DeleteTrafficPolicy" else {}
            connection.call(operation, {member: value.rpartition("/")[2], **version})
    elif variant.operation == "ChangeResourceRecordSets":
        changes = [{**change, "Action": "DELETE"} for change in variant.params["ChangeBatch"]["Changes"]]
        connection.call(variant.operation, {**variant.params, "ChangeBatch": {"Changes": changes}})
    elif variant.operation == "CreateResourceRecordSetProtections":
        keys = [{name: value for name, value in entry.items() if name != "Comment"} for entry in variant.params["Protections"]]
        connection.call("DeleteResourceRecordSetProtections", {**variant.params, "Protections": keys})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--results")
    parser.add_argument("--timings", action="store_true")
    parser.add_argument("--show", type=int, default=40)
    parser.add_argument("endpoint")
    parser.add_argument("operations", nargs="*")
    arguments = parser.parse_args()
    connection = client.Client(arguments.endpoint)
    world = World(connection)
    world.run = format(int(time.time()) % 36**4, "x")
    bases = all_bases(world)
    results = {base.operation: collections.Counter() for base in bases}
    seen = collections.defaultdict(set)
    deviations = []
    began = time.monotonic()
    for base in bases:
        if arguments.timings and time.monotonic() - began > 1:
            print(f"{time.monotonic() - began:.1f} s until {base.operation}[{base.name}]", file=sys.stderr)
            began = time.monotonic()
        if arguments.operations and base.operation not in arguments.operations:
            continue
        operation = client.MODEL.operation_model(base.operation)
        for produce in Generator(operation, base, seen[base.operation]).variants(base.make):
            variant = produce()
            try:
                reply = connection.call(variant.operation, variant.params, variant.form)
                judged, why = judge(variant, expected(variant, base, operation, arguments.strict), reply, arguments.strict)
            except TimeoutError:
                judged, why, reply = SERVER_ERROR, ["no response"], None
            except OSError as error:
                judged, why, reply = SERVER_ERROR, [f"no response: {error}"], None
            results[variant.operation][judged] += 1
            if why:
                message = (reply.parsed or {}).get("Error", {}).get("Message", "") if reply is not None else ""
                deviations.append(f"{variant}: {'; '.join(why)} ({message[:300]})")
            if reply is not None and reply.status < 300 and operation.http["method"] != "GET":
                # Some servers accept what has not the shape of a request.
                with contextlib.suppress(AttributeError, KeyError, TypeError):
                    clean_up(connection, variant, reply)
                world.used()
    report(arguments, results, deviations)


def report(arguments, results, deviations):
    for line in deviations[: arguments.show]:
        print(line)
    total = sum((sum(counts.values()) for counts in results.values()), 0)
    operations = sum(1 for counts in results.values() if counts)
    sums = sum(results.values(), collections.Counter())
    print(f"{total} variants of {operations} operations: " + ", ".join(f"{sums[name]} {name}" for name in CLASSES))
    if arguments.results:
        with open(arguments.results, "w") as file:
            json.dump(results, file, indent=1)
    if arguments.strict and deviations:
        sys.exit(1)


if __name__ == "__main__":
    main()
