#!/usr/bin/env python3
"""Floods servers with forged sources and measures what the victims get: the table of docs/security.md.

    python3 benches/flood.py target/dist/fiftythree
    python3 benches/flood.py target/dist/fiftythree --servers fiftythree,NSD,Knot,BIND,gdnsd

Runs as root, in a network namespace of its own, where every address is local: nothing leaves it.
Each flood asks for a large TXT set, with a client cookie (--cookie) or without. The victims' octets
are those of IP, UDP and DNS. Two honest clients at a victim's address ask at the same time, one with
a cookie, one without.
"""

import argparse
import os
import random
import socket
import struct
import threading
import time

from name_servers import COOKIE, KINDS, SERVER, Server, ask_tcp, enter_namespace, is_here, is_whole, options_of, query

HEADERS = 28  # IPv4 and UDP
SO_RCVBUFFORCE = 33  # Linux
VICTIM = "203.0.113.7"
BADCOOKIE = 23
FLOODS = {
    "one": lambda: bytes([203, 0, 113, 7]),
    "a /24": lambda: bytes([203, 0, 113, random.randrange(256)]),
    "100 000": lambda: struct.pack(">I", 0x0A000000 + random.randrange(100_000) * 61),
}


class Flood:
    """Sends forged queries at a rate, and receives what the server sends to their sources."""

    def __init__(self, source, rate, cookie):
        self.source, self.rate, self.cookie = source, rate, cookie
        self.sent = self.octets_in = self.octets_out = self.whole = self.octets_whole = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind(("0.0.0.0", 4242))
        self.socket.settimeout(0.2)
        self.stopped = False
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        packet, began = query(self.cookie), time.monotonic()
        while not self.stopped:
            if self.sent > (time.monotonic() - began) * self.rate:
                time.sleep(0.001)
                continue
            # struct in_pktinfo: interface, source, destination.
            info = struct.pack("i4s4s", 0, self.source(), bytes(4))
            self.socket.sendmsg([packet], [(socket.IPPROTO_IP, 8, info)], 0, SERVER)
            self.sent += 1
            self.octets_in += len(packet) + HEADERS
        self.seconds = time.monotonic() - began

    def receive(self):
        quiet = False
        while not (self.stopped and quiet):
            try:
                response = self.socket.recv(4096)
            except TimeoutError:
                quiet = True
                continue
            quiet = False
            self.octets_out += len(response) + HEADERS
            if is_whole(response):
                self.whole += 1
                self.octets_whole += len(response) + HEADERS

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()
        self.socket.close()


class Client:
    """Asks from the address of a victim, every 20 ms. It keeps the cookie of any response, also over TCP."""

    def __init__(self, has_cookie):
        self.asked = self.answered = self.over_tcp = 0
        self.cookie = b"honestly" if has_cookie else None
        self.stopped = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def keep(self, response):
        options, code = options_of(response)
        if self.cookie is not None and COOKIE in options:
            self.cookie = options[COOKIE]
        return code

    def ask(self, udp):
        udp.send(query(self.cookie))
        response = udp.recv(4096)
        if self.keep(response) == BADCOOKIE:
            udp.send(query(self.cookie))
            response = udp.recv(4096)
            self.keep(response)
        if response[2] & 2:
            response = ask_tcp(VICTIM, query(self.cookie))
            self.keep(response)
            self.over_tcp += is_whole(response)
        return is_whole(response)

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((VICTIM, 0))
            udp.settimeout(1)
            udp.connect(SERVER)
            while not self.stopped:
                self.asked += 1
                try:
                    self.answered += self.ask(udp)
                except OSError:
                    pass
                time.sleep(0.02)

    def stop(self):
        self.stopped = True
        self.thread.join()

    def share(self):
        over_tcp = f", {self.over_tcp} over TCP" if self.over_tcp else ""
        return f"{self.answered} of {self.asked}{over_tcp}"


def measure(kind, is_limited, forged, arguments):
    with Server(kind, os.path.abspath(arguments.binary), is_limited) as server:
        before = server.memory()
        flood = Flood(FLOODS[forged], arguments.rate, b"attacker" if arguments.cookie else None)
        time.sleep(1)
        clients = [Client(True), Client(False)]
        time.sleep(arguments.seconds)
        for client in clients:
            client.stop()
        flood.stop()
        after = server.memory()
    print(
        f"| {kind} | {'on' if is_limited else 'off'} | {forged} | {flood.sent / flood.seconds:.0f} "
        f"| {flood.octets_out / flood.octets_in:.2f} | {(flood.octets_out - flood.octets_whole) / flood.octets_in:.2f} "
        f"| {flood.whole / flood.seconds:.0f} | {clients[0].share()} | {clients[1].share()} "
        f"| {before / 1024:.1f} → {after / 1024:.1f} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=20_000, help="forged queries a second")
    parser.add_argument("--servers", default="fiftythree", help="of " + ",".join(KINDS))
    parser.add_argument("--limits", default="off,on", help="off, on or both")
    parser.add_argument("--cookie", action="store_true", help="forged queries have a client cookie")
    arguments = parser.parse_args()
    enter_namespace(["10.0.0.0/8", "203.0.113.0/24"])
    print(
        "| Server | Rate limit | Forged sources | Queries/s | Octets out / in | Without whole answers | Whole answers/s "
        "| With a cookie, answered | Without, answered | MiB |\n" + "|---" * 10 + "|"
    )
    for kind in filter(is_here, arguments.servers.split(",")):
        for is_limited in KINDS[kind]["limit"]:
            if ("on" if is_limited else "off") in arguments.limits.split(","):
                for forged in FLOODS:
                    measure(kind, is_limited, forged, arguments)


if __name__ == "__main__":
    main()
