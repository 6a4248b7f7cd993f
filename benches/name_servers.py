"""fiftythree and other servers at 192.0.2.53, port 53, in a network namespace of their own, each with the same zone.

For benches/flood.py and benches/connections.py. A server is used if its Debian package (nsd, knot, bind9, gdnsd) is
installed. Rate limits are 200 responses a second and every response over the limit truncated, where a server has them.
"""

import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

ADDRESS = "192.0.2.53"
SERVER = (ADDRESS, 53)
COOKIE = 10
PATIENCE = 20

TEXTS = [f"{number}{'x' * 199}" for number in range(5)]
VALUES = ", ".join(f"'\"{text}\"'" for text in TEXTS)
TOML = f"name = 'lab.test'\n[[record]]\nname = 'big'\ntype = 'TXT'\nttl = 60\nvalues = [{VALUES}]\n"
MASTER = "$ORIGIN lab.test.\n$TTL 60\n@ SOA ns1 host 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n" + "".join(
    f'big TXT "{text}"\n' for text in TEXTS
)

# Files by name, with {directory} and {limit}; the command; the settings of the rate limit.
KINDS = {
    "fiftythree": {
        "files": {
            "fiftythree.toml": "[dns]\nlisten = ['192.0.2.53:53']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n"
            "[admin]\nlisten = 'off'\n{limit}\n",
            "zones/lab.toml": TOML,
        },
        "command": ["{binary}", "serve", "--config", "{directory}/fiftythree.toml"],
        "limit": {True: "", False: "[rate_limit]\nenabled = false"},
    },
    "NSD": {
        "files": {
            "nsd.conf": "server:\n  ip-address: 192.0.2.53\n  username: \"\"\n  zonesdir: \"{directory}\"\n  database: \"\"\n"
            "  pidfile: \"{directory}/pid\"\n  xfrdfile: \"{directory}/xfrd\"\n  xfrdir: \"{directory}\"\n"
            "  zonelistfile: \"{directory}/list\"\n  server-count: 1\n  answer-cookie: yes\n{limit}"
            "remote-control:\n  control-enable: no\nzone:\n  name: lab.test\n  zonefile: lab.test\n",
            "lab.test": MASTER,
        },
        "command": ["nsd", "-d", "-c", "{directory}/nsd.conf"],
        "limit": {True: "  rrl-ratelimit: 200\n  rrl-slip: 1\n", False: "  rrl-ratelimit: 0\n"},
    },
    "Knot": {
        "files": {
            "knot.conf": "server:\n  listen: 192.0.2.53@53\n  rundir: {directory}\n  udp-workers: 1\n  tcp-workers: 1\n"
            "database:\n  storage: {directory}\n{limit}"
            "zone:\n  - domain: lab.test\n    file: {directory}/lab.test\n    zonefile-sync: -1\n    journal-content: none\n",
            "lab.test": MASTER,
        },
        "command": ["knotd", "-c", "{directory}/knot.conf"],
        "limit": {
            True: "mod-rrl:\n  - id: default\n    rate-limit: 200\n    slip: 1\nmod-cookies:\n  - id: default\n"
            "template:\n  - id: default\n    global-module: [mod-cookies/default, mod-rrl/default]\n",
            False: "",
        },
    },
    "BIND": {
        "files": {
            "named.conf": "options {{ directory \"{directory}\"; listen-on {{ 192.0.2.53; }}; listen-on-v6 {{ none; }}; "
            "recursion no; dnssec-validation no; pid-file none; session-keyfile none; {limit} }};\ncontrols {{ }};\n"
            "zone \"lab.test\" {{ type primary; file \"lab.test\"; }};\n",
            "lab.test": MASTER,
        },
        "command": ["named", "-g", "-n", "1", "-c", "{directory}/named.conf"],
        "limit": {True: "rate-limit {{ responses-per-second 200; slip 1; }};", False: ""},
    },
    "gdnsd": {
        "files": {
            "config": "options => {{ listen => 192.0.2.53:53, udp_threads => 1, tcp_threads => 1, run_dir => {directory}/run, "
            "state_dir => {directory}/state }}\n{limit}",
            "zones/lab.test": MASTER,
            "run/.keep": "",
            "state/.keep": "",
        },
        "command": ["gdnsd", "-c", "{directory}", "-D", "start"],
        "limit": {False: ""},
    },
}


def enter_namespace(networks):
    """Runs the script again in a network namespace where these networks are local: nothing leaves it."""
    if os.environ.get("BENCH_NAMESPACE") is None:
        os.environ["BENCH_NAMESPACE"] = "1"
        script = os.path.abspath(sys.argv[0])
        os.execvp("unshare", ["unshare", "-n", sys.executable, script, *sys.argv[1:]])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # BIND listens on addresses of interfaces only.
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    for network in ["192.0.2.0/24", *networks]:
        subprocess.run(["ip", "route", "add", "local", network, "dev", "lo"], check=True)


def is_here(kind):
    program = KINDS[kind]["command"][0]
    return program == "{binary}" or shutil.which(program) is not None


def query(cookie=None):
    option = b"" if cookie is None else struct.pack(">HH", COOKIE, len(cookie)) + cookie
    head = struct.pack(">HHHHHH", random.randrange(65536), 0, 1, 0, 0, 1)
    return head + b"\3big\3lab\4test\0\0\x10\0\1" + struct.pack(">BHHIH", 0, 41, 1232, 0, len(option)) + option


def is_whole(response):
    return not response[2] & 2 and struct.unpack(">H", response[6:8])[0] > 0


def after_name(message, at):
    while message[at] and message[at] < 0xC0:
        at += 1 + message[at]
    return at + (2 if message[at] else 1)


def options_of(message):
    """The options of the OPT record, and the response code."""
    questions, *counts = struct.unpack(">HHHH", message[4:12])
    at = 12
    for _ in range(questions):
        at = after_name(message, at) + 4
    for _ in range(sum(counts)):
        at = after_name(message, at)
        kind, _, ttl, length = struct.unpack(">HHIH", message[at : at + 10])
        data, at = message[at + 10 : at + 10 + length], at + 10 + length
        if kind == 41:
            options = {}
            while data:
                code, octets = struct.unpack(">HH", data[:4])
                options[code], data = data[4 : 4 + octets], data[4 + octets :]
            return options, message[3] & 15 | ttl >> 24 << 4
    return {}, message[3] & 15


def ask_tcp(source, packet, seconds=2):
    """The response over TCP, or an error of the system."""
    with socket.create_connection(SERVER, seconds, (source, 0)) as tcp:
        tcp.sendall(struct.pack(">H", len(packet)) + packet)
        stream = tcp.makefile("rb")
        length = stream.read(2)
        if len(length) < 2:
            raise ConnectionError("closed without a response")
        return stream.read(struct.unpack(">H", length)[0])


class Server:
    """A running server; it ends with the block."""

    def __init__(self, kind, binary, is_limited):
        self.kind, self.binary, self.is_limited = kind, binary, is_limited

    def __enter__(self):
        kind = KINDS[self.kind]
        self.temporary = tempfile.TemporaryDirectory()
        values = {"directory": self.temporary.name, "binary": self.binary}
        values["limit"] = kind["limit"][self.is_limited].format(**values)
        for name, text in kind["files"].items():
            path = os.path.join(self.temporary.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as file:
                file.write(text.format(**values))
        command = [word.format(**values) for word in kind["command"]]
        self.log = open(os.path.join(self.temporary.name, "log"), "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        until = time.monotonic() + PATIENCE
        while not self.answers():
            if time.monotonic() > until or self.process.poll() is not None:
                with open(self.log.name, encoding="utf-8", errors="replace") as log:
                    said = log.read()[-2000:]
                self.__exit__()
                sys.exit(f"{self.kind} does not answer:\n{said}")
        return self

    def answers(self):
        """Asked from an address that no flood forges."""
        time.sleep(0.1)
        try:
            return is_whole(ask_tcp("192.0.2.99", query(), 0.5))
        except OSError:
            return False

    def memory(self):
        """The proportional set size of the process and its children, in KiB."""
        total = 0
        for pid in family(self.process.pid):
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                    total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            except OSError:
                pass
        return total

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.temporary.cleanup()


def family(root):
    """The process and its children."""
    found = [root]
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent in found:
            found.append(pid)
    return found
