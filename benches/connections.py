#!/usr/bin/env python3
"""Holds many TCP connections to servers and measures whether an honest client is still answered.

    python3 benches/connections.py target/dist/fiftythree --servers fiftythree,gdnsd,NSD

Runs as root, in a network namespace of its own, where every address is local: nothing leaves it.
The connections come from 400 addresses, 50 from each. Those that the server closes are opened again.
They are silent, stop within a query, drip (an octet of a query a second), or ask for large answers
and do not read. An honest client at another address asks over UDP and over TCP every 20 ms. Each run
takes --seconds.
"""

import argparse
import multiprocessing
import os
import resource
import select
import socket
import statistics
import struct
import threading
import time

from name_servers import KINDS, SERVER, Server, ask_tcp, enter_namespace, is_here, is_whole, query

HONEST = "198.51.100.7"
SOURCES = 400
# Each can open as many files as the system allows one process.
PROCESSES = 2
QUERY = query()
FRAMED = struct.pack(">H", len(QUERY)) + QUERY
# What a connection sends first, and whether it then drips.
SHAPES = {
    "silent": (b"", False),
    "half a query": (FRAMED[: len(FRAMED) // 2], False),
    "dripping": (b"", True),
    "not reading": (FRAMED * 100, False),
}


class Attacker:
    """Keeps so many connections open, in a process of its own, so that it does not slow the honest client down."""

    def __init__(self, connections, rate, shape, number):
        self.connections, self.rate, self.opened = connections, rate, 0
        self.first, self.drips = SHAPES[shape]
        # Its own part of the addresses.
        self.sources = range(number * SOURCES // PROCESSES, (number + 1) * SOURCES // PROCESSES)
        self.stopped = multiprocessing.Event()
        self.counts = multiprocessing.Array("i", 2)
        self.process = multiprocessing.Process(target=self.run)
        self.process.start()

    def run(self):
        files = self.connections + 100
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        poll, live, began, last_drip, most = select.epoll(), {}, time.monotonic(), 0.0, 0
        while not self.stopped.is_set():
            allowed = int((time.monotonic() - began) * self.rate) - self.opened
            for _ in range(min(self.connections - len(live), allowed, 500)):
                self.open(poll, live)
            for descriptor, events in poll.poll(0.01, 1000):
                self.handle(poll, live, descriptor, events)
            most = max(most, len(live))
            if self.drips and time.monotonic() - last_drip > 1:
                last_drip = time.monotonic()
                for connection in list(live.values()):
                    self.send(connection, FRAMED[:1])
        self.counts[0], self.counts[1] = self.opened, most

    def open(self, poll, live):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        number = self.sources[self.opened % len(self.sources)]
        connection.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: ports are chosen by connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.bind((f"10.0.{number // 200}.{number % 200 + 1}", 0))
        connection.connect_ex(SERVER)
        self.opened += 1
        live[connection.fileno()] = connection
        poll.register(connection, select.EPOLLOUT | select.EPOLLRDHUP)

    def handle(self, poll, live, descriptor, events):
        if events & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP):
            poll.unregister(descriptor)
            live.pop(descriptor).close()
        else:
            self.send(live[descriptor], self.first)
            poll.modify(descriptor, select.EPOLLRDHUP)

    @staticmethod
    def send(connection, octets):
        try:
            connection.send(octets)
        except OSError:
            pass

    def stop(self):
        """How many connections it opened, and how many it had at most."""
        self.stopped.set()
        self.process.join()
        return list(self.counts)


class Honest:
    """Asks every 20 ms over one transport."""

    def __init__(self, ask):
        self.ask, self.asked, self.took, self.stopped = ask, 0, [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped:
            self.asked += 1
            began = time.monotonic()
            try:
                if is_whole(self.ask()):
                    self.took.append(time.monotonic() - began)
            except OSError:
                pass
            time.sleep(0.02)

    def stop(self):
        self.stopped = True
        self.thread.join()

    def share(self):
        if len(self.took) < 2:
            return f"{len(self.took)} of {self.asked}"
        median, late = statistics.median(self.took), statistics.quantiles(self.took, n=100)[98]
        return f"{len(self.took)} of {self.asked}, {median * 1000:.1f} ms, p99 {late * 1000:.0f} ms"


def ask_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((HONEST, 0))
        udp.settimeout(2)
        udp.connect(SERVER)
        udp.send(query())
        return udp.recv(4096)


def measure(kind, shape, arguments):
    # As a server is by default.
    with Server(kind, os.path.abspath(arguments.binary), kind == "fiftythree") as server:
        before = server.memory()
        each = (arguments.connections // PROCESSES, arguments.rate / PROCESSES, shape)
        attackers = [Attacker(*each, number) for number in range(PROCESSES)]
        time.sleep(arguments.seconds / 2)
        honest = [Honest(ask_udp), Honest(lambda: ask_tcp(HONEST, query()))]
        time.sleep(arguments.seconds / 2)
        for client in honest:
            client.stop()
        after = server.memory()
        opened, most = map(sum, zip(*(attacker.stop() for attacker in attackers)))
    print(
        f"| {kind} | {shape} | {opened} | {most} | {honest[0].share()} | {honest[1].share()} "
        f"| {before / 1024:.1f} → {after / 1024:.1f} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=5000, help="connections opened a second")
    parser.add_argument("--seconds", type=float, default=16)
    parser.add_argument("--servers", default="fiftythree", help="of " + ",".join(KINDS))
    arguments = parser.parse_args()
    enter_namespace(["10.0.0.0/16", "198.51.100.0/24"])
    print("| Server | Connections | Opened | Most open | Honest over UDP | Honest over TCP | MiB |\n" + "|---" * 7 + "|")
    for kind in filter(is_here, arguments.servers.split(",")):
        for shape in SHAPES:
            measure(kind, shape, arguments)


if __name__ == "__main__":
    main()
