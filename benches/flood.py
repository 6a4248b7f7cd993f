#!/usr/bin/env python3
"""Floods a server with forged sources and measures what the victims get: the table of docs/security.md.

    python3 benches/flood.py target/dist/fiftythree

Runs as root, in a network namespace of its own, where every address is local: nothing leaves it.
Each flood asks for a large TXT set. The victims' octets are those of IP, UDP and DNS. Two honest
clients at a victim's address ask at the same time, one with a cookie, one without.
"""

import argparse
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SERVER = ("192.0.2.53", 53)
HEADERS = 28  # IPv4 and UDP
SO_RCVBUFFORCE = 33  # Linux
FLOODS = {
    "one source": lambda: bytes([203, 0, 113, 7]),
    "a /24": lambda: bytes([203, 0, 113, random.randrange(256)]),
    "100 000 sources": lambda: struct.pack(">I", 0x0A000000 + random.randrange(100_000) * 61),
}
SETTINGS = """
[dns]
listen = ['192.0.2.53:53']
[zones]
directory = 'zones'
[state]
directory = 'state'
[admin]
listen = 'off'
[rate_limit]
enabled = {enabled}
"""
TEXTS = ", ".join(f"'\"{'x' * 200}\"'" if n == 0 else f"'\"{n}{'x' * 199}\"'" for n in range(5))
ZONE = f"name = 'lab.test'\n[[record]]\nname = 'big'\ntype = 'TXT'\nttl = 60\nvalues = [{TEXTS}]\n"


def query(cookie=None):
    option = b"" if cookie is None else struct.pack(">HH", 10, len(cookie)) + cookie
    head = struct.pack(">HHHHHH", random.randrange(65536), 0, 1, 0, 0, 1)
    return head + b"\3big\3lab\4test\0\0\x10\0\1" + struct.pack(">BHHIH", 0, 41, 1232, 0, len(option)) + option


def is_whole(response):
    return not response[2] & 2 and struct.unpack(">H", response[6:8])[0] > 0


class Flood:
    """Sends forged queries at a rate, and receives what the server sends to their sources."""

    def __init__(self, source, rate):
        self.source, self.rate = source, rate
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
        packet, began = query(), time.monotonic()
        while not self.stopped:
            if self.sent > (time.monotonic() - began) * self.rate:
                time.sleep(0.001)
                continue
            # struct in_pktinfo: interface, source, destination.
            info = struct.pack("i4s4s", 0, self.source(), bytes(4))
            self.socket.sendmsg([packet], [(socket.IPPROTO_IP, 8, info)], 0, SERVER)
            self.sent += 1
            self.octets_in += len(packet) + HEADERS

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
    """Asks from the address of a victim, every 20 ms."""

    def __init__(self, with_cookie):
        self.asked = self.answered = self.truncated = self.over_tcp = 0
        self.cookie = b"honestly" if with_cookie else None
        self.stopped = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def ask(self, udp):
        udp.send(query(self.cookie))
        response = udp.recv(4096)
        if self.cookie is not None:
            self.cookie = response[-24:]
            if response[3] & 15 == 7:  # BADCOOKIE
                udp.send(query(self.cookie))
                response = udp.recv(4096)
        return response

    def run(self):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("203.0.113.7", 0))
        udp.settimeout(2)
        udp.connect(SERVER)
        while not self.stopped:
            self.asked += 1
            try:
                response = self.ask(udp)
                if is_whole(response):
                    self.answered += 1
                elif response[2] & 2:
                    self.truncated += 1
                    self.over_tcp += self.ask_tcp()
            except OSError:
                pass
            time.sleep(0.02)

    def ask_tcp(self):
        with socket.create_connection(SERVER, 2, ("203.0.113.7", 0)) as tcp:
            packet = query()
            tcp.sendall(struct.pack(">H", len(packet)) + packet)
            return len(tcp.recv(4096)) > 100

    def stop(self):
        self.stopped = True
        self.thread.join()


def memory(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


def measure(binary, enabled, flood, seconds, rate):
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/zones")
        for name, content in {"fiftythree.toml": SETTINGS.format(enabled=enabled), "zones/lab.toml": ZONE}.items():
            with open(f"{directory}/{name}", "w", encoding="ascii") as file:
                file.write(content)
        command = [binary, "serve", "--config", f"{directory}/fiftythree.toml"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(2)
            before = memory(server)
            flood = Flood(FLOODS[flood], rate)
            time.sleep(1)
            clients = [Client(True), Client(False)]
            time.sleep(seconds)
            for client in clients:
                client.stop()
            flood.stop()
            return flood, clients, (before, memory(server))
        finally:
            server.terminate()
            server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=20_000, help="forged queries a second")
    arguments = parser.parse_args()
    if os.environ.get("FLOOD_NAMESPACE") is None:
        os.environ["FLOOD_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for network in ["10.0.0.0/8", "192.0.2.0/24", "203.0.113.0/24"]:
        subprocess.run(["ip", "route", "add", "local", network, "dev", "lo"], check=True)
    print("| rate limit | forged | queries/s | octets out / in | without whole answers | whole answers/s | with a cookie | without one | MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for enabled in ["false", "true"]:
        for name in FLOODS:
            flood, (with_cookie, without), (before, after) = measure(
                os.path.abspath(arguments.binary), enabled, name, arguments.seconds, arguments.rate
            )
            seconds = arguments.seconds + 1
            print(
                f"| {enabled} | {name} | {flood.sent / seconds:.0f} | {flood.octets_out / flood.octets_in:.2f} "
                f"| {(flood.octets_out - flood.octets_whole) / flood.octets_in:.2f} "
                f"| {flood.whole / seconds:.0f} | {with_cookie.answered} of {with_cookie.asked} "
                f"| {without.answered} of {without.asked}, and {without.over_tcp} of {without.truncated} over TCP "
                f"| {before} → {after} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
