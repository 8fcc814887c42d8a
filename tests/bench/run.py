"""One run of a section on one daemon: what it needs to act, to measure and to write figures down."""
import json
import pathlib
import statistics
import subprocess
import time

import peers
import sections
import testbed

TICK = 100  # CLK_TCK of Linux for user space.


def cpu_ms(pid):
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return sum(map(int, fields[11:15])) * 1000 / TICK


def pss_mib(pid):
    for line in pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) / 1024
    return 0


class Run:
    def __init__(self, bed, count, figures, load, quick):
        self.bed, self.count, self.figures, self.binary = bed, count, figures, load
        self.rounds = 3 if quick else 5
        self.seconds = 2 if quick else 5
        self.rows = (100 if quick else 1000) if count == 1 else 100
        self.has_image = False
        self.certificate = None

    # Figures

    def record(self, name, value, unit):
        figure = self.figures.setdefault(name, {'unit': unit, 'values': []})
        figure['values'].append(value)

    def timed(self, name, function, *args, unit='ms', **options):
        start = time.monotonic()
        result = function(*args, **options)
        self.record(name, (time.monotonic() - start) * (1000 if unit == 'ms' else 1), unit)
        return result

    def memory(self, name):
        for member in self.bed.members:
            self.record(name, pss_mib(member.pid), 'MiB')

    def monitors(self, name):
        """What each running container costs beside the daemon: the processes of ours that are its parents."""
        for member in self.bed.members:
            for path in pathlib.Path('/proc').glob('[0-9]*'):
                try:
                    line = (path / 'cmdline').read_bytes()
                    inside = (path / 'cgroup').read_text()
                except OSError:
                    continue
                if self.bed.cgroup(member) in inside and line.startswith((b'[lxc monitor]', b'[muster monitor]')):
                    self.record(name, pss_mib(path.name), 'MiB')

    def load(self, name, transport, *args, member=None):
        """The load client: latency in the middle, and the daemons' CPU time a request."""
        member = member or (self.bed.leader() if self.count > 1 else self.bed.members[0])
        before = sum(cpu_ms(m.pid) for m in self.bed.members)
        if transport == 'unix':
            argv = [self.binary, '--unix', member.dir / 'unix.socket']
        else:
            cert, key = self.client_certificate()
            argv = ['nsenter', '-t', str(member.holder), '-n', self.binary, '--address', member.address, '--cert', cert,
                    '--key', key]
        done = subprocess.run([*map(str, argv), *map(str, args)], text=True, capture_output=True, check=True)
        result = json.loads(done.stdout)
        if result['errors']:
            raise RuntimeError(f'{name}: {result["errors"]} errors: {done.stderr}')
        self.record(name, result['p50'], 'ms')
        spent = sum(cpu_ms(m.pid) for m in self.bed.members) - before
        self.record(name + ', CPU', spent / result['requests'], 'ms')

    # What sections need

    def repeats(self, cost):
        """How often something is done, by what it costs."""
        return max(5, 20 * self.seconds * 10 // cost)

    def client_certificate(self):
        """A certificate that the daemon trusts, made once."""
        if not self.certificate:
            cert, key = self.bed.dir / 'client.crt', self.bed.dir / 'client.key'
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1', '-nodes',
                            '-subj', '/CN=bench', '-days', '10', '-keyout', key, '-out', cert], check=True,
                           capture_output=True)
            body = ''.join(line for line in cert.read_text().splitlines() if 'CERTIFICATE' not in line)
            self.bed.members[0].api('POST', '/1.0/certificates', {'type': 'client', 'name': 'bench', 'certificate': body})
            self.certificate = cert, key
        return self.certificate

    def image(self):
        path = sections.image_file(self.bed.dir)
        member = self.bed.members[0]
        done = member.api('POST', '/1.0/images', path.read_bytes(), headers={'Content-Type': 'application/octet-stream'})
        member.api('POST', '/1.0/images/aliases', {'name': 'bench', 'target': done['metadata']['fingerprint']})

    def at(self, member):
        return f'?target={member.name}' if self.count > 1 else ''

    def state(self, name, action):
        self.bed.members[0].api('PUT', f'/1.0/instances/{name}/state', {'action': action, 'force': True, 'timeout': 30})

    def launch(self, name, member):
        self.bed.members[0].api('POST', '/1.0/instances' + self.at(member),
                                {'name': name, 'source': {'type': 'image', 'alias': 'bench'}})
        self.state(name, 'start')

    def fill(self, rows):
        argv = [self.binary, '--unix', self.bed.members[0].dir / 'unix.socket', '--count', rows, '--connections', 8, '--wait',
                'POST', '/1.0/instances', sections.EMPTY]
        subprocess.run(list(map(str, argv)), check=True, capture_output=True)

    def others(self):
        """All but the leader, or the only one."""
        leader = self.bed.leader() if self.count > 1 else None
        return [m for m in self.bed.members if m is not leader]

    def other(self):
        return self.others()[0]

    def persist(self, member, *request):
        """A request until it is answered well: LXD refuses for some seconds after the loss of its leader.

        How long that is is what is measured; it says nowhere that it is over.
        """
        deadline = time.monotonic() + 60
        while True:
            try:
                return member.api(*request)
            except (OSError, ValueError, testbed.ApiError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def settle(self):
        """Until all members are online and three vote; neither peer has an event for that."""
        deadline = time.monotonic() + 60
        voters, wanted = {'database', 'database-leader'}, 3 if self.count > 2 else 1
        while self.count > 1:
            rows = self.persist(self.bed.members[0], 'GET', '/1.0/cluster/members?recursion=1')
            if all(r['status'] == 'Online' for r in rows) and sum(bool(voters & set(r['roles'])) for r in rows) >= wanted:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f'the cluster does not settle: {rows}')
            time.sleep(0.1)


def measure(who, count, names, folder, load, quick, say):
    """All figures of one daemon: {name: {'unit', 'values'}}."""
    figures = {}
    table = sections.CLUSTER if count > 1 else sections.SINGLE
    for name, section in table.items():
        if names and name not in names:
            continue
        say(f'{peers.version(who)}, {count} members: {name}' if count > 1 else f'{peers.version(who)}: {name}')
        with peers.PEERS[who](pathlib.Path(folder) / f'{who}{count}') as bed:
            bed.up_for_bench(count)
            section(Run(bed, count, figures, load, quick))
    for figure in figures.values():
        figure['median'] = statistics.median(figure['values'])
    return figures
