#!/usr/bin/env python3
"""Three nodes with one configuration in three etcd members, all on loopback: how long changes, a failover and starts take.

    python3 benches/cluster.py target/dist/fiftythree
    python3 benches/cluster.py target/debug/fiftythree --changes 20 --failovers 1 --records 5000 --many 10000     # short

It needs python3 and etcd (--etcd names another one than that of the PATH). All files are in a temporary directory that is
removed at the end. docs/scale.md has the results, and what follows from them.
"""

import argparse
import contextlib
import http.client
import http.server
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time

PATIENCE_S = 600
PLACES = ["eu-central-1", "us-east-1", "ap-northeast-1"]
TICK = os.sysconf("SC_CLK_TCK")
AUTHORIZATION = ("AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, "
                 "Signature=" + 64 * "0")
SETTINGS = """[dns]
listen = ["127.0.0.1:0"]
workers = 1
[zones]
directory = "own"
[state]
directory = "state"
[admin]
listen = "off"
[api]
listen = ["127.0.0.1:0"]
"""
CLUSTER = """[cluster]
endpoints = [{endpoints}]
node = "{name}"
region = "{region}"
"""
XML = """<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes><Change>\
<Action>UPSERT</Action><ResourceRecordSet><Name>changed.lab.test</Name><Type>A</Type><TTL>1</TTL><ResourceRecords>\
<ResourceRecord><Value>{}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>\
</ChangeResourceRecordSetsRequest>"""
FAILOVER = """
[[health_check]]
name = "site"
type = "http"
ip_address = "127.0.0.1"
port = {port}
resource_path = "/"
request_interval = {interval}
failure_threshold = {threshold}
recovery_threshold = 1
[[record]]
name = "www"
type = "A"
set_identifier = "first"
failover = "primary"
ttl = 1
values = ["192.0.2.201"]
health_check = "site"
[[record]]
name = "www"
type = "A"
set_identifier = "second"
failover = "secondary"
ttl = 1
values = ["192.0.2.202"]
"""
INTERVAL_S, THRESHOLD = 1, 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--etcd", default="etcd")
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--failovers", type=int, default=10)
    parser.add_argument("--records", type=int, default=100_000, help="record sets that are put into etcd while nodes run")
    parser.add_argument("--many", type=int, default=1_000_000, help="record sets that a node starts with; 0: skip")
    return parser.parse_args()


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Process:
    """A process with a log, which ends with the block."""

    def __init__(self, log, command):
        self.log = log
        with open(log, "a") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def processor(self):
        """Seconds, user and system."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def etcd_members(path, etcd, stack):
    ports = free_ports(6)
    peers = [f"http://127.0.0.1:{port}" for port in ports[3:]]
    initial = ",".join(f"e{number}={peer}" for number, peer in enumerate(peers))
    members = []
    for number in range(3):
        client = f"http://127.0.0.1:{ports[number]}"
        command = [etcd, "--name", f"e{number}", "--data-dir", path / f"etcd{number}", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peers[number], "--initial-advertise-peer-urls",
                   peers[number], "--initial-cluster", initial, "--quota-backend-bytes", str(8 << 30)]
        members.append(stack.enter_context(Process(path / f"etcd{number}.log", command)))
    for port in ports[:3]:
        until(lambda port=port: connects(port), "etcd listens")
    return [f"http://127.0.0.1:{port}" for port in ports[:3]], members


def connects(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True


def until(condition, what, pause=0.005):
    """What the condition returned, and how long it took."""
    began = time.perf_counter()
    while time.perf_counter() - began < PATIENCE_S:
        if found := condition():
            return found, time.perf_counter() - began
        time.sleep(pause)
    raise SystemExit(f"not within {PATIENCE_S} s: {what}")


class Node(Process):
    def __init__(self, binary, path, name, region, endpoints, own=None):
        self.path = path / name
        self.path.mkdir(exist_ok=True)
        (self.path / "own").mkdir(exist_ok=True)
        for file, text in (own or {}).items():
            (self.path / "own" / file).write_text(text)
        settings = SETTINGS
        if endpoints:
            quoted = ", ".join(f'"{endpoint}"' for endpoint in endpoints)
            settings += CLUSTER.format(endpoints=quoted, name=name, region=region)
        (self.path / "fiftythree.toml").write_text(settings)
        log = self.path / "log"
        log.unlink(missing_ok=True)
        self.began = time.perf_counter()
        super().__init__(log, [binary, "serve", "--config", self.path / "fiftythree.toml"])

    def wait(self):
        until(self.addresses, f"{self.path.name} listens", 0.002)
        return self

    def addresses(self):
        text = self.log.read_text()
        if self.process.poll() is not None:
            raise SystemExit(text)
        dns, api = re.search(r"listening on 127\.0\.0\.1:(\d+)", text), re.search(r"Route 53 API: http://(\S+)", text)
        if dns and api:
            self.dns, self.api = ("127.0.0.1", int(dns[1])), api[1]
            return True

    def answer(self, name):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect(self.dns)
            client.send(query(name))
            with contextlib.suppress(OSError):
                return client.recv(512)
        return b""

    def until_answer(self, name, address):
        return until(lambda: socket.inet_aton(address) in self.answer(name), f"{name} is {address}", 0.001)[1]


def query(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", random.randrange(65536), 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def zone(name, identifier, records, extra=""):
    head = f'name = "{name}"\nid = "{identifier}"\n[[record]]\nname = "@"\ntype = "NS"\nttl = 60\nvalues = ["ns.other.test."]\n'
    record = '[[record]]\nname = "r{}"\ntype = "A"\nttl = 60\nvalues = ["10.53.{}.{}"]\n'
    return head + "".join(record.format(n, n >> 8 & 255, n & 255) for n in range(records)) + extra


def apply(binary, node, files):
    """Makes etcd have these files; seconds."""
    directory = node.path / "apply"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text)
    began = time.perf_counter()
    command = [binary, "cluster", "apply", directory, "--yes", "--config", node.path / "fiftythree.toml"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
    return time.perf_counter() - began


def milliseconds(times):
    times = sorted(times)
    late = times[min(len(times) - 1, int(len(times) * 0.99))]
    return f"median {statistics.median(times) * 1e3:.1f} ms, p99 {late * 1e3:.1f} ms, longest {times[-1] * 1e3:.1f} ms"


def changes(nodes, count):
    """From the request on node 1 to the answers of the others, and how long the request takes."""
    connection = http.client.HTTPConnection(nodes[0].api, timeout=PATIENCE_S)
    headers = {"Authorization": AUTHORIZATION, "X-Amz-Date": "20260101T000000Z", "Content-Type": "application/xml"}
    requests, others = [], []
    for number in range(count):
        address = f"192.0.2.{number % 250 + 1}"
        waiting = [Waiting(node, address) for node in nodes[1:]]
        began = time.perf_counter()
        connection.request("POST", "/2013-04-01/hostedzone/ZLAB/rrset", XML.format(address), headers)
        response = connection.getresponse()
        text = response.read()
        assert response.status == 200, text
        requests.append(time.perf_counter() - began)
        others += [waiter.join() - began for waiter in waiting]
    print(f"a change on node 1, three etcd members: acknowledged after {milliseconds(requests)}")
    print(f"    in the answers of nodes 2 and 3, after the request: {milliseconds(others)}", flush=True)


class Waiting:
    """Asks a node until it has an address, from now on."""

    def __init__(self, node, address):
        self.node, self.address, self.seen = node, address, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.node.until_answer("changed.lab.test", self.address)
        self.seen = time.perf_counter()

    def join(self):
        self.thread.join()
        return self.seen


class Backend:
    """A web server that dies and comes back."""

    def __init__(self, port):
        self.port, self.server = port, None

    def start(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def failovers(nodes, backend, count):
    times = []
    for _ in range(count):
        for node in nodes:
            node.until_answer("www.lab.test", "192.0.2.201")
        time.sleep(INTERVAL_S * random.random())
        backend.stop()
        began = time.perf_counter()
        for node in nodes:
            node.until_answer("www.lab.test", "192.0.2.202")
        times.append(time.perf_counter() - began)
        backend.start()
    formula = INTERVAL_S * THRESHOLD
    print(f"a backend refuses connections, interval {INTERVAL_S} s, threshold {THRESHOLD}: all three nodes answer with the other "
          f"site after {milliseconds(times)} (one node alone: at most {formula} s)", flush=True)


def put_in(options, nodes, base):
    zones = max(1, options.records // 1000)
    files = base | {f"z{n}.test.toml": zone(f"z{n}.test", f"ZZ{n}", 1000) for n in range(zones)}
    took = apply(options.binary, nodes[0], files)
    until_all = max(node.until_answer(f"r999.z{zones - 1}.test", "10.53.3.231") for node in nodes)
    print(f"{zones * 1000} record sets in {zones} zones by `cluster apply`: {took:.1f} s, in the answers of all nodes "
          f"{until_all * 1e3:.0f} ms later", flush=True)


def starts(options, path, endpoints, nodes, members):
    zones = max(1, options.many // 1000)
    files = {f"z{n}.test.toml": zone(f"z{n}.test", f"ZZ{n}", 1000) for n in range(zones)}
    took = apply(options.binary, nodes[0], files)
    last = (f"r999.z{zones - 1}.test", "10.53.3.231")
    for node in nodes:
        node.until_answer(*last)
    print(f"{zones * 1000} record sets in {zones} zones by `cluster apply`: {took:.1f} s; memory of a node {nodes[0].memory():.0f} MiB")

    def start(what):
        with Node(options.binary, path, "late", PLACES[0], endpoints) as node:
            node.wait()
            node.until_answer(*last)
            print(f"    a start {what}: answers after {time.perf_counter() - node.began:.1f} s, memory {node.memory():.0f} MiB", flush=True)
            time.sleep(3)  # the copies are written within seconds

    start("from etcd, without copies")
    start("with copies, and etcd")
    for member in members:
        member.process.send_signal(signal.SIGSTOP)
    try:
        start("from its copies, while etcd hangs")
    finally:
        for member in members:
            member.process.send_signal(signal.SIGCONT)


def queries(node, single, rounds=5, count=20_000):
    """Processor time per query of a node of the cluster and of a server without one, in turns."""
    cost = {}
    for _ in range(rounds):
        for kind, server in (("cluster", node), ("single", single)):
            packets = [query(f"r{random.randrange(1000)}.lab.test") for _ in range(100)]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.connect(server.dns)
                client.settimeout(2)
                before = server.processor()
                for number in range(count):
                    client.send(packets[number % 100])
                    client.recv(512)
                cost.setdefault(kind, []).append((server.processor() - before) / count * 1e6)
    cluster, alone = (statistics.median(cost[kind]) for kind in ("cluster", "single"))
    print(f"processor time of a query, one at a time: {cluster:.1f} µs on a node, {alone:.1f} µs on a server alone: {cluster / alone:.2f}",
          flush=True)


def main():
    options = arguments()
    options.binary = os.path.abspath(options.binary)
    with tempfile.TemporaryDirectory(prefix="fiftythree-cluster-") as directory, contextlib.ExitStack() as stack:
        path = pathlib.Path(directory)
        endpoints, members = etcd_members(path, options.etcd, stack)
        nodes = [Node(options.binary, path, f"n{number}", place, endpoints) for number, place in enumerate(PLACES)]
        for node in nodes:
            stack.enter_context(node).wait()
        backend = Backend(free_ports(1)[0])
        failover = FAILOVER.format(port=backend.port, interval=INTERVAL_S, threshold=THRESHOLD)
        files = {"lab.test.toml": zone("lab.test", "ZLAB", 1000, failover)}
        backend.start()
        stack.callback(backend.stop)
        apply(options.binary, nodes[0], files)
        for node in nodes:
            node.until_answer("r999.lab.test", "10.53.3.231")
        changes(nodes, options.changes)
        failovers(nodes, backend, options.failovers)
        single = stack.enter_context(Node(options.binary, path, "single", PLACES[0], [], files)).wait()
        queries(nodes[1], single)
        put_in(options, nodes, files)
        if options.many:
            starts(options, path, endpoints, nodes, members)


if __name__ == "__main__":
    main()
