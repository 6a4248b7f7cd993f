#!/usr/bin/env python3
"""Capacity, load time and reload time of our server, Knot, gdnsd and NSD, measured in one run.

  python3 benches/scale.py --server target/dist/fiftythree                      # 1000 zones of 1000 address records
  python3 benches/scale.py --server target/debug/fiftythree --zones 20 --records 50 --peers ''   # short, as in CI

It needs only python3. A peer is measured if its Debian package (knot, gdnsd, nsd) is installed.
Everything runs on loopback, in a temporary directory that is removed at the end.

- Load: the time from the start of the process to correct answers from the first, the middle and the
  last zone, and the CPU time until then, which is meaningful on a busy machine too.
- Bytes per record: the proportional set size (PSS) above that of the same server with one zone of one
  record, after everything has settled.
- Reload: the time from the request to the answer of the edited zone.

Servers take turns. The output has medians of the rounds, and ratios of our server to each peer.
"""
import argparse, os, random, shutil, signal, socket, statistics, struct, subprocess, sys, tempfile, time

parser = argparse.ArgumentParser()
parser.add_argument('--server', required=True, help='the fiftythree to measure')
parser.add_argument('--zones', type=int, default=1000)
parser.add_argument('--records', type=int, default=1000)
parser.add_argument('--rounds', type=int, default=1)
parser.add_argument('--port', type=int, default=6200, help='the first of eight ports')
parser.add_argument('--peers', default='knot,gdnsd,nsd')
parser.add_argument('--shapes', default='alike,different', help='labels and addresses that repeat from zone to zone, or not')
parser.add_argument('--seed', type=int, default=53)
parser.add_argument('--rest', type=float, default=3.0, help='seconds until memory counts as settled')
PATIENCE = 120


def records(shape, zones, count, seed):
    """For each zone, owner labels and addresses."""
    dice = random.Random(seed)
    for zone in range(zones):
        if shape == 'alike':
            yield [(f'h{i}', f'10.{zone & 255}.{i >> 8 & 255}.{i & 255}') for i in range(count)]
            continue
        labels = {}
        while len(labels) < count:
            letters = ''.join(dice.choice('abcdefghijklmnopqrstuvwxyz0123456789') for _ in range(dice.randint(3, 14)))
            labels[letters] = '.'.join(str(dice.randrange(256)) for _ in range(4))
        yield list(labels.items())


def master(zone, rows):
    head = f'$ORIGIN z{zone}.test.\n$TTL 300\n@ IN SOA ns1 host 1 7200 900 1209600 300\n@ IN NS ns1\nns1 IN A 192.0.2.1\n'
    return head + ''.join(f'{label} IN A {address}\n' for label, address in rows)


def toml(zone, rows):
    tables = (f'\n[[record]]\nname = "{label}"\ntype = "A"\nttl = 300\nvalues = ["{address}"]\n' for label, address in rows)
    return f'name = "z{zone}.test"\n' + ''.join(tables)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.write(text)


def ask(port, name):
    """The address in the answer, or None."""
    question = b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0' + struct.pack('!2H', 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.sendto(struct.pack('!6H', random.randrange(65536), 0, 1, 0, 0, 0) + question, ('127.0.0.1', port))
        try:
            answer = client.recv(4096)
        except OSError:
            return None
    if struct.unpack('!H', answer[6:8])[0] != 1:
        return None
    start = 12 + len(question) + 12  # a compressed owner, type, class, TTL, length
    return '.'.join(map(str, answer[start:start + 4]))


def family(root):
    """The process and its children."""
    found = [root]
    for pid in sorted(int(entry) for entry in os.listdir('/proc') if entry.isdigit()):
        try:
            parent = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
        except OSError:
            continue
        if parent in found:
            found.append(pid)
    return found


def memory(root):
    """Proportional set size of the process and its children, and the highest resident set of one, octets."""
    total = peak = 0
    for pid in family(root):
        try:
            rollup = open(f'/proc/{pid}/smaps_rollup').read()
            total += int(rollup.split('\nPss:')[1].split()[0]) * 1024
            peak = max(peak, int(open(f'/proc/{pid}/status').read().split('VmHWM:')[1].split()[0]) * 1024)
        except (OSError, IndexError):
            pass
    return total, peak


def processor_time(root):
    """Seconds of processor time that the process and its children have taken so far."""
    ticks = 0
    for pid in family(root):
        try:
            fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / os.sysconf('SC_CLK_TCK')


class Server:
    """A server over one directory; subclasses write its configuration and define how to reload it."""

    suffix, text = '.test', staticmethod(master)

    def __init__(self, work, port, zones):
        self.work, self.port, self.zones = work, port, zones
        self.files = f'{work}/zones'
        self.process = None
        self.configure()

    def put(self, zone, rows):
        write(f'{self.files}/z{zone}{self.suffix}', self.text(zone, rows))

    def start(self):
        log = open(f'{self.work}/log', 'a')
        self.began = time.monotonic()
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT)

    def wait_for(self, wanted):
        while any(ask(self.port, name) != address for name, address in wanted):
            if time.monotonic() - self.began > PATIENCE or self.process.poll() is not None:
                sys.exit(f'{type(self).__name__} does not serve {wanted}: see {self.work}/log\n' + open(f'{self.work}/log').read()[-2000:])
            time.sleep(0.005)
        return time.monotonic() - self.began

    def reload(self, zone):
        self.process.send_signal(signal.SIGHUP)

    def at_rest(self):
        return True

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Fiftythree(Server):
    suffix, text = '.test.toml', staticmethod(toml)

    def configure(self):
        write(f'{self.work}/fiftythree.toml', f"""[dns]
listen = ['127.0.0.1:{self.port}']
workers = 1
[zones]
directory = '{self.files}'
[state]
directory = '{self.work}/state'
[admin]
listen = '127.0.0.1:{self.port + 1}'
""")

    def command(self):
        return [arguments.server, 'serve', '--config', f'{self.work}/fiftythree.toml']

    def at_rest(self):
        kept = f'{self.work}/state/last-good'
        names = os.listdir(kept) if os.path.isdir(kept) else []
        return len(names) >= self.zones and not any(name.endswith('.unfinished') for name in names)


class Knot(Server):
    def configure(self):
        zones = ''.join(f'  - domain: z{zone}.test\n' for zone in range(self.zones))
        write(f'{self.work}/run/.keep', '')
        write(f'{self.work}/knot.conf', f"""server:
  listen: 127.0.0.1@{self.port}
  rundir: {self.work}/run
  udp-workers: 1
  tcp-workers: 1
  background-workers: 2
database:
  storage: {self.work}/run
template:
  - id: default
    storage: {self.files}
    file: "%s"
    zonefile-sync: -1
    journal-content: none
zone:
{zones}""")

    def command(self):
        return ['knotd', '-c', f'{self.work}/knot.conf']

    def reload(self, zone):
        subprocess.run(['knotc', '-s', f'{self.work}/run/knot.sock', 'zone-reload', f'z{zone}.test'], check=True, stdout=subprocess.DEVNULL)


class Gdnsd(Server):
    def configure(self):
        for directory in ('run', 'state'):
            write(f'{self.work}/{directory}/.keep', '')
        write(f'{self.work}/config', f'options => {{ listen => 127.0.0.1:{self.port}, udp_threads => 1, tcp_threads => 1, '
              f'run_dir => {self.work}/run, state_dir => {self.work}/state }}\n')

    def command(self):
        return ['gdnsd', '-c', self.work, '-D', 'start']

    def reload(self, zone):
        subprocess.run(['gdnsdctl', '-c', self.work, 'reload-zones'], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Nsd(Server):
    def configure(self):
        zones = ''.join(f'zone:\n  name: z{zone}.test\n  zonefile: z{zone}.test\n' for zone in range(self.zones))
        write(f'{self.work}/nsd.conf', f"""server:
  ip-address: 127.0.0.1@{self.port}
  username: ""
  server-count: 1
  zonesdir: "{self.files}"
  database: ""
  pidfile: "{self.work}/nsd.pid"
  xfrdfile: "{self.work}/xfrd.state"
  xfrdir: "{self.work}"
  zonelistfile: "{self.work}/zone.list"
remote-control:
  control-enable: no
{zones}""")

    def command(self):
        return ['nsd', '-d', '-c', f'{self.work}/nsd.conf']


KINDS = {'fiftythree': (Fiftythree, None), 'knot': (Knot, 'knotd'), 'gdnsd': (Gdnsd, 'gdnsd'), 'nsd': (Nsd, 'nsd')}


def rest(server):
    """Until the memory is that of a server that only serves."""
    until = time.monotonic() + PATIENCE
    while not server.at_rest() and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(arguments.rest)


def measure(kind, work, port, rows):
    """Load (s), the processor time of it (s), bytes a record, peak (MB), reload (s), and bytes a record after three reloads."""
    empty = kind(f'{work}/empty', port, 1)
    empty.put(0, [('a', '192.0.2.7')])
    empty.start()
    empty.wait_for([('a.z0.test', '192.0.2.7')])
    rest(empty)
    floor, _ = memory(empty.process.pid)
    empty.stop()

    server = kind(f'{work}/full', port, len(rows))
    for zone, zone_rows in enumerate(rows):
        server.put(zone, zone_rows)
    first = lambda zone: (f'{rows[zone][0][0]}.z{zone}.test', rows[zone][0][1])
    server.start()
    load = server.wait_for([first(zone) for zone in {0, len(rows) // 2, len(rows) - 1}])
    cpu = processor_time(server.process.pid)
    rest(server)
    count = sum(map(len, rows))
    size, peak = memory(server.process.pid)
    reloads, edited = [], len(rows) // 2
    for turn in range(3):
        (label, _), *others = rows[edited]
        address = f'198.51.100.{turn}'
        server.put(edited, [(label, address), *others])
        server.began = time.monotonic()
        server.reload(edited)
        reloads.append(server.wait_for([(f'{label}.z{edited}.test', address)]))
        time.sleep(1.5)  # a second edit within a second looks like the first to some
    rest(server)
    after, _ = memory(server.process.pid)
    server.stop()
    return load, cpu, (size - floor) / count, peak / 1e6, statistics.median(reloads), (after - floor) / count


def main():
    kinds = ['fiftythree'] + [name for name in arguments.peers.split(',') if name and shutil.which(KINDS[name][1])]
    titles = ('load s', 'its cpu s', 'bytes/record', 'peak MB', 'reload s', 'bytes/record after reloads')
    with tempfile.TemporaryDirectory(prefix='scale-') as work:
        for shape in arguments.shapes.split(','):
            rows = list(records(shape, arguments.zones, arguments.records, arguments.seed))
            results = {name: [] for name in kinds}
            for turn in range(arguments.rounds):
                for at, name in enumerate(kinds):
                    directory = f'{work}/{shape}-{turn}-{name}'
                    results[name].append(measure(KINDS[name][0], directory, arguments.port + 2 * at, rows))
                    shutil.rmtree(directory)
            print(f'\n{arguments.zones} zones of {arguments.records} address records, {shape} from zone to zone; medians of {arguments.rounds}')
            print(f'{"":12}' + ''.join(f'{title:>14}' for title in titles[:5]) + f'   {titles[5]}')
            medians = {name: [statistics.median(column) for column in zip(*results[name])] for name in kinds}
            for name in kinds:
                print(f'{name:12}' + ''.join(f'{value:14.3f}' for value in medians[name]))
            for name in kinds[1:]:
                ratios = (ours / theirs if theirs > 0 else float('nan') for ours, theirs in zip(medians['fiftythree'], medians[name]))
                print(f'to {name:9}' + ''.join(f'{ratio:14.2f}' for ratio in ratios))


arguments = parser.parse_args()
arguments.server = os.path.abspath(arguments.server)
main()
