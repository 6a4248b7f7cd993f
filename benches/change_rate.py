#!/usr/bin/env python3
"""Measures changes by program: one record set at a time, one after the other, each durable and in the
answers before it is acknowledged. "Changes by program" in docs/performance.md has the results.

    python3 benches/change_rate.py target/release/fiftythree
    python3 benches/change_rate.py target/release/fiftythree --records 1000 --boto3
    python3 benches/change_rate.py target/release/fiftythree --peers     # with boto3, ministack and moto[server]

With --peers, boto3 makes the same changes with fiftythree, with fiftythree in memory, and with the
emulators whose commands are in the PATH; none of those syncs a file. They take turns.

The client signs each request and keeps its connection. Processor time is that of the server, user and
system. The disk is that of --directory; what two syncs of such a file cost there is measured too.
benches/changes.py measures queries while record sets change.
"""

import argparse
import datetime
import hashlib
import hmac
import http.client
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

KEY, SECRET = "bench", "bench-secret-0123456789"
DNS, API = 5399, 4599
PEER = 4598
# The command of an emulator, and the variables that it needs.
PEERS = {
    "ministack": (["ministack"], {"GATEWAY_PORT": str(PEER)}),
    "moto": (["moto_server", "-H", "127.0.0.1", "-p", str(PEER)], {}),
}
ACTIONS = ("CREATE", "UPSERT", "DELETE")
TICK = os.sysconf("SC_CLK_TCK")
SETTINGS = f"""
[dns]
listen = ['127.0.0.1:{DNS}']
[zones]
directory = 'zones'
[state]
directory = 'state'
[admin]
listen = 'off'
[api]
listen = ['127.0.0.1:{API}']
keys_file = 'keys.toml'
"""
KEYS = f"[[key]]\naccess_key_id = '{KEY}'\nsecret_access_key = '{SECRET}'\nrights = 'write'\n"
XML = """<?xml version="1.0"?><ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">\
<ChangeBatch><Changes><Change><Action>{}</Action><ResourceRecordSet><Name>{}.lab.test</Name><Type>A</Type>\
<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.{}</Value></ResourceRecord></ResourceRecords>\
</ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"""


def zone(records):
    record = "\n[[record]]\nname = \"n{}\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.{}\"]\n"
    return "name = \"lab.test\"\nid = \"ZLAB\"\n" + "".join(record.format(n, n % 250 + 1) for n in range(records))


class Client:
    """Signs requests (AWS Signature Version 4) on one connection."""

    def __init__(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", API)

    def call(self, method, path, query="", body=""):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        host, scope = f"127.0.0.1:{API}", f"{now[:8]}/us-east-1/route53/aws4_request"
        digest = hashlib.sha256(body.encode()).hexdigest()
        names = "host;x-amz-content-sha256;x-amz-date"
        head = f"host:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n"
        canonical = hashlib.sha256(f"{method}\n{path}\n{query}\n{head}\n{names}\n{digest}".encode()).hexdigest()
        key = f"AWS4{SECRET}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signed = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{canonical}".encode()
        signature = hmac.new(key, signed, hashlib.sha256).hexdigest()
        self.connection.request(method, f"{path}?{query}" if query else path, body or None, {
            "Host": host, "X-Amz-Content-Sha256": digest, "X-Amz-Date": now,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}",
        })
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise SystemExit(text)
        return text

    def change(self, action, name, last):
        self.call("POST", "/2013-04-01/hostedzone/ZLAB/rrset", body=XML.format(action, name, last))

    def list_all(self):
        query, pages = "maxitems=300", 0
        while True:
            text, pages = self.call("GET", "/2013-04-01/hostedzone/ZLAB/rrset", query), pages + 1
            if "<IsTruncated>true" not in text:
                return pages
            name = text.split("<NextRecordName>")[1].split("<")[0]
            kind = text.split("<NextRecordType>")[1].split("<")[0]
            query = f"maxitems=300&name={name}&type={kind}"


class Boto3:
    def __init__(self, port=API, zone="ZLAB"):
        import boto3
        self.client = boto3.client("route53", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                                   aws_access_key_id=KEY, aws_secret_access_key=SECRET)
        self.zone = zone

    def change(self, action, name, last):
        self.change_all([(action, name, last)])

    def change_all(self, changes):
        def change(action, name, last):
            values = [{"Value": f"192.0.2.{last}"}]
            record = {"Name": f"{name}.lab.test", "Type": "A", "TTL": 60, "ResourceRecords": values}
            return {"Action": action, "ResourceRecordSet": record}
        self.client.change_resource_record_sets(
            HostedZoneId=self.zone, ChangeBatch={"Changes": [change(*one) for one in changes]})

    def create_zone(self, records):
        self.zone = self.client.create_hosted_zone(Name="lab.test", CallerReference="bench")["HostedZone"]["Id"]
        names = [("CREATE", f"n{number}", number % 250 + 1) for number in range(records)]
        for at in range(0, records, 500):
            self.change_all(names[at:at + 500])


def query(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def answers(name):
    """The addresses of a name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(query(name), ("127.0.0.1", DNS))
        response = client.recv(512)
    count = struct.unpack(">H", response[6:8])[0]
    return [response[at:at + 4] for at in [len(query(name)) + 12] if count]


def processor_ms(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICK


def syncs_ms(directory, octets, rounds=50):
    """Writes a file of this size next to another one, syncs it, renames it and syncs the directory."""
    taken, data = [], os.urandom(octets)
    for _ in range(rounds):
        began = time.perf_counter()
        handle = os.open(f"{directory}/sync.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(handle, data)
        os.fsync(handle)
        os.close(handle)
        os.rename(f"{directory}/sync.new", f"{directory}/sync")
        handle = os.open(directory, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        taken.append((time.perf_counter() - began) * 1000)
    os.remove(f"{directory}/sync")
    return sorted(taken)[rounds // 2]


def start(binary, directory, records, flags=()):
    os.mkdir(f"{directory}/zones")
    for name, text in (("fiftythree.toml", SETTINGS), ("keys.toml", KEYS), ("zones/lab.test.toml", zone(records))):
        with open(f"{directory}/{name}", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)
    return begin([os.path.abspath(binary), "serve", "--config", f"{directory}/fiftythree.toml", *flags], directory, API)


def begin(command, directory, port, variables={}):
    """Starts a server and waits until it listens."""
    with open(f"{directory}/log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, env={**os.environ, **variables})
    for _ in range(1500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server
        except OSError:
            time.sleep(0.02)
    end(server)
    raise SystemExit(open(f"{directory}/log").read())


def end(server):
    server.terminate()
    server.wait()


def measure(client, pid, action, changes):
    began, before = time.monotonic(), processor_ms(pid)
    for number in range(changes):
        last = (number if action == "CREATE" else number + 1) % 250 + 1
        client.change(action, f"b{number}", last)
        # Every tenth: a query sent after the answer sees the change.
        if number % 10 == 0:
            expected = [] if action == "DELETE" else [bytes([192, 0, 2, last])]
            assert answers(f"b{number}.lab.test") == expected, "the change is not in the answers"
    took = time.monotonic() - began
    return changes / took, (processor_ms(pid) - before) / changes


def run(arguments, records):
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        server = start(arguments.binary, directory, records)
        try:
            client = Client()
            octets = os.path.getsize(f"{directory}/zones/lab.test.toml")
            print(f"{records} record sets, {octets // 1000} KB; two syncs of such a file take "
                  f"{syncs_ms(directory, octets):.2f} ms")
            # The first change reads the file as a whole.
            client.change("UPSERT", "warm", 1)
            for action in ACTIONS:
                rate, each = measure(client, server.pid, action, arguments.changes)
                print(f"  {action}: {rate:.0f} a second, {each:.2f} ms of processor time each")
            if arguments.boto3:
                for action in ACTIONS:
                    rate, each = measure(Boto3(), server.pid, action, arguments.changes)
                    print(f"  {action} by boto3: {rate:.0f} a second, {each:.2f} ms of processor time each")
            began = time.monotonic()
            pages = client.list_all()
            print(f"  listing in {pages} pages of 300: {(time.monotonic() - began) * 1000:.0f} ms")
        finally:
            end(server)


def rate(client, changes, number):
    """Changes a second: each name is created, changed and deleted."""
    began = time.monotonic()
    for at in range(changes // len(ACTIONS)):
        for action in ACTIONS:
            client.change(action, f"p{number}-{at}", 1 if action == "CREATE" else 2)
    return changes / (time.monotonic() - began)


def compare(arguments, records):
    """The same changes by boto3 with each server. The servers take turns."""
    servers = {"fiftythree": (), "fiftythree --in-memory": ("--in-memory",)}
    rates = {name: [] for name in [*servers, *(peer for peer, (command, _) in PEERS.items() if shutil.which(command[0]))]}
    for number in range(arguments.rounds):
        for name, found in rates.items():
            with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
                if name in servers:
                    server, client = start(arguments.binary, directory, records, servers[name]), Boto3()
                else:
                    command, variables = PEERS[name]
                    server, client = begin(command, directory, PEER, variables), Boto3(PEER)
                try:
                    if name not in servers:
                        client.create_zone(records)
                    # The first change reads the file as a whole.
                    rate(client, 30, "warm")
                    found.append(rate(client, arguments.changes, number))
                finally:
                    end(server)
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        syncs = syncs_ms(directory, len(zone(records)))
    print(f"{records} record sets, single changes by boto3, one after the other, {arguments.rounds} rounds; "
          f"two syncs of such a file take {syncs:.2f} ms:")
    ours = statistics.median(rates["fiftythree"])
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"  {name}: {median:.0f} a second ({min(found):.0f} to {max(found):.0f}), {median / ours:.2f} of fiftythree")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--records", type=int, action="append", help="record sets (default: 1000 and 9400, and more by what is created)")
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--directory", help="on the disk to measure (default: that of temporary files)")
    parser.add_argument("--boto3", action="store_true", help="also with boto3")
    parser.add_argument("--peers", action="store_true", help="only compare servers, with boto3")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of --peers")
    arguments = parser.parse_args()
    for records in arguments.records or ([1000] if arguments.peers else [1000, 9400]):
        (compare if arguments.peers else run)(arguments, records)


if __name__ == "__main__":
    sys.exit(main())
