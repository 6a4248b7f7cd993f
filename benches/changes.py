#!/usr/bin/env python3
"""How long queries take while the Route 53 API changes records: median, p99 and p99.9, in one run.

    python3 benches/changes.py --server target/dist/fiftythree
    python3 benches/changes.py --server target/debug/fiftythree --rounds 1 --seconds 1 --rate 20     # short

It needs only python3. Everything runs on loopback, in a temporary directory that is removed at the end. The kinds of rounds take
turns, so that a busy machine hurts all alike:

- no requests to the API;
- reads: requests that only read, which show what the clients themselves take from the processor;
- changes elsewhere: the same changes, to a second server of the same program. Nothing is different for the processor and the
  disk, but the server that is asked has no part in it;
- changes: to the server that is asked.

The last two tell what a machine with few cores does from what the server does. A process of its own asks over UDP, one query at
a time, for records of the zone that changes. Each change is an UPSERT of one record of another name, and is durable before it is
acknowledged. After the changes the last one is asked for.
"""

import argparse
import http.client
import multiprocessing
import pathlib
import random
import re
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time

PATIENCE_S = 60
AUTHORIZATION = ("AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, "
                 "Signature=" + 64 * "0")
SETTINGS = """[dns]
listen = ["127.0.0.1:0"]
[zones]
directory = "zones"
[state]
directory = "state"
[admin]
listen = "off"
[api]
listen = ["127.0.0.1:0"]
"""


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the fiftythree to measure")
    parser.add_argument("--records", type=int, default=1000, help="records of the zone")
    parser.add_argument("--rate", type=int, default=300, help="changes per second")
    parser.add_argument("--clients", type=int, default=4, help="connections that send changes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    return parser.parse_args()


def query(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", random.randrange(65536), 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def ask(server, name):
    """The addresses of the answer, which ends with them: a query without EDNS, and a zone whose servers have no addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_S)
        client.sendto(query(name), server)
        return client.recv(512)


def queries(server, records, seconds, results):
    """Sends (times in microseconds, queries without a response) to `results`."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(server)
    client.settimeout(1)
    times, lost = [], 0
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        packet = query(f"r{random.randrange(records)}.lab.test")
        client.send(packet)
        try:
            while client.recv(512)[:2] != packet[:2]:
                pass
            times.append((time.perf_counter() - began) * 1e6)
        except TimeoutError:
            lost += 1
        # About 2000 queries per second: they leave the processor to others.
        time.sleep(0.0003)
    results.put((times, lost))


class Changes:
    """Sends changes at a rate over some connections until it is stopped."""

    def __init__(self, api, rate, clients, reads):
        self.api, self.interval, self.reads, self.stopped = api, clients / rate, reads, threading.Event()
        self.last, self.times = {}, []
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        connection = http.client.HTTPConnection(self.api, timeout=PATIENCE_S)
        due = time.perf_counter()
        while not self.stopped.is_set():
            address = f"192.0.2.{random.randrange(256)}"
            body = ('<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>'
                    f"<Change><Action>UPSERT</Action><ResourceRecordSet><Name>changed{number}.lab.test</Name><Type>A</Type>"
                    f"<TTL>1</TTL><ResourceRecords><ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords>"
                    "</ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>")
            headers = {"Authorization": AUTHORIZATION, "X-Amz-Date": "20260101T000000Z", "Content-Type": "application/xml"}
            began = time.perf_counter()
            if self.reads:
                connection.request("GET", "/2013-04-01/hostedzone/ZLAB/rrset?maxitems=1", headers=headers)
            else:
                connection.request("POST", "/2013-04-01/hostedzone/ZLAB/rrset", body, headers)
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200, text
            self.times.append((time.perf_counter() - began) * 1e3)
            if not self.reads:
                self.last[number] = address
            due = max(due + self.interval, time.perf_counter() - 0.1)
            self.stopped.wait(max(0, due - time.perf_counter()))

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def percentile(times, part):
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="fiftythree-changes-") as directory:
        servers = []
        try:
            for name in ("asked", "other"):
                servers.append(start(options, pathlib.Path(directory) / name))
            measure(options, *(announced(path / "log", server) for path, server in servers))
        finally:
            for _, server in servers:
                server.terminate()
                server.wait(PATIENCE_S)


def start(options, path):
    (path / "zones").mkdir(parents=True)
    (path / "fiftythree.toml").write_text(SETTINGS)
    record = '[[record]]\nname = "r{0}"\ntype = "A"\nttl = 60\nvalues = ["10.53.{1}.{2}"]\n'
    ns = '[[record]]\nname = "@"\ntype = "NS"\nttl = 60\nvalues = ["ns.other.test."]\n'
    records = "".join(record.format(number, number >> 8 & 255, number & 255) for number in range(options.records))
    (path / "zones/lab.test.toml").write_text(f'name = "lab.test"\nid = "ZLAB"\n{ns}{records}')
    with open(path / "log", "w") as log:
        server = subprocess.Popen([options.server, "serve", "--config", path / "fiftythree.toml"], stdout=log, stderr=log)
    return path, server


def announced(log, server):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        text = log.read_text()
        dns, api = re.search(r"listening on 127\.0\.0\.1:(\d+)", text), re.search(r"Route 53 API: http://(\S+)", text)
        if dns and api:
            return ("127.0.0.1", int(dns[1])), api[1]
        time.sleep(0.05)
    raise SystemExit(log.read_text())


def measure(options, asked, other):
    (address, api), (other_address, other_api) = asked, other
    kinds = ("no requests", "reads", "changes elsewhere", "changes")
    found = {kind: ([], 0) for kind in kinds}
    p99s = {kind: [] for kind in kinds}
    rates, durations = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}
    for kind in kinds * options.rounds:
        to, changed = (other_api, other_address) if kind == "changes elsewhere" else (api, address)
        changes = None if kind == kinds[0] else Changes(to, options.rate, options.clients, kind == "reads")
        results = multiprocessing.Queue()
        asker = multiprocessing.Process(target=queries, args=(address, options.records, options.seconds, results))
        began = time.perf_counter()
        asker.start()
        times, lost = results.get(timeout=options.seconds + PATIENCE_S)
        asker.join()
        if changes:
            changes.stop()
            rates[kind].append(len(changes.times) / (time.perf_counter() - began))
            durations[kind] += changes.times
            for client, value in changes.last.items():
                assert socket.inet_aton(value) in ask(changed, f"changed{client}.lab.test"), "the last change is answered"
        found[kind] = (found[kind][0] + times, found[kind][1] + lost)
        p99s[kind].append(percentile(times, 0.99))
    print(f"{'':>30} {'queries':>9} {'lost':>5} {'median':>9} {'p99':>9} {'p99.9':>9} {'p99 by round':>14}   (µs, with the sender's own time)")
    for kind, (times, lost) in found.items():
        what = f"{statistics.mean(rates[kind]):.0f} {kind} per s" if rates[kind] else kind
        figures = [statistics.median(times), percentile(times, 0.99), percentile(times, 0.999)]
        of_rounds = f"{statistics.median(p99s[kind]):.0f}"
        print(f"{what:>30} {len(times):>9} {lost:>5} " + " ".join(f"{figure:>9.0f}" for figure in figures) + f" {of_rounds:>14}")
    for kind in kinds[1:]:
        ratios = [mine / quiet for mine, quiet in zip(p99s[kind], p99s[kinds[0]])]
        print(f"p99 of {kind} ÷ no requests, median of rounds: {statistics.median(ratios):.2f}")
    ratios = [mine / elsewhere for mine, elsewhere in zip(p99s["changes"], p99s["changes elsewhere"])]
    print(f"p99 of changes ÷ changes elsewhere, median of rounds: {statistics.median(ratios):.2f}")
    for kind, times in durations.items():
        if times:
            print(f"one of the {kind} takes {statistics.median(times):.1f} ms, p99 {percentile(times, 0.99):.1f} ms")


if __name__ == "__main__":
    main()
