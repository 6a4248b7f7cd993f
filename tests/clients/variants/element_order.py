"""Holds a server with `strict = ["element_order"]` against the order of the API model that botocore carries.

python3 element_order.py ENDPOINT

Each operation with a body gets a request with all members of all structures in the order of the model, and one for every two members
that follow each other, in which these two have changed places. The server has to accept the order of the first one, whatever it says
about the values, and to refuse the others with the sentence of an XML schema.
"""

import sys
import time
import xml.etree.ElementTree as ElementTree

import client
from bases import World, all_bases, vpc
from expectations import NEWER
from generator import IDS

ElementTree.register_namespace("", client.NAMESPACE)
# A legal value of texts whose form the model does not state, as far as no valid request has one.
SAMPLES = {"VPCId": vpc("2")["VPCId"], "IPAddress": "127.0.0.1", "Latitude": "1", "Longitude": "1", **IDS}
LISTS = {"HealthCheckRegionList": ["us-east-1", "eu-west-1", "sa-east-1"]}
REFUSED = "Invalid XML ; cvc-complex-type.2.4."


def members_of(shape):
    """The members of a structure that are elements, and that this server has."""
    return {name: one for name, one in shape.members.items() if "location" not in one.serialization and name not in NEWER}


def filled(shape, value):
    """The value with all members; those that it does not have have legal values."""
    if shape.type_name == "structure":
        given = value or {}
        return {**given, **{name: filled(one, given.get(name)) for name, one in members_of(shape).items()}}
    if shape.type_name == "list":
        return [filled(shape.member, one) for one in value or LISTS.get(shape.name, [None])]
    if value is not None:
        return value
    if shape.type_name in ("integer", "long"):
        return str(shape.metadata.get("min", 1))
    if shape.type_name == "boolean":
        return "true"
    return getattr(shape, "enum", None) and shape.enum[0] or SAMPLES.get(shape.name, "x" * shape.metadata.get("min", 1))


def swapped(body):
    """The documents in which two elements have changed places, each with the one that is too late."""
    tree = ElementTree.fromstring(body)
    for parent in tree.iter():
        for at in range(len(parent) - 1):
            one, other = parent[at], parent[at + 1]
            if one.tag != other.tag:
                parent[at], parent[at + 1] = other, one
                yield parent.tag, one.tag.partition("}")[2], ElementTree.tostring(tree)
                parent[at], parent[at + 1] = one, other


def main():
    connection = client.Client(sys.argv[1])
    world = World(connection)
    world.run = format(int(time.time()) % 36**4, "x")
    operations, structures, requests, faults = set(), set(), 0, []

    def message_of(operation, head, body):
        nonlocal requests
        requests += 1
        reply = connection.send(operation, *head, body)
        return reply, (reply.parsed or {}).get("Error", {}).get("Message") or ""

    for base in all_bases(world):
        operation = client.MODEL.operation_model(base.operation)
        shape = operation.input_shape
        if base.operation in operations or shape is None or not members_of(shape):
            continue
        operations.add(base.operation)
        *head, body = client.request(operation, filled(shape, base.make()), "")
        reply, message = message_of(operation, head, body)
        if message.startswith("Invalid XML"):
            faults.append(f"{base.operation}: {message}")
        for structure, late, document in swapped(body):
            structures.add((base.operation, structure))
            reply, message = message_of(operation, head, document)
            if reply.code != "InvalidInput" or not message.startswith(REFUSED) or f"starting with element '{late}'." not in message:
                faults.append(f"{base.operation}: {late} is too late in {structure}, and it says {reply.code} {message}")
    for fault in faults:
        print(fault)
    print(f"{requests} requests to {len(operations)} operations, {len(structures)} structures with several members, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
