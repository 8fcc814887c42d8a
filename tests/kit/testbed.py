#!/usr/bin/python3
"""Several daemons on one machine, as if each had a machine of its own.

Each member gets a network, mount, PID, UTS and IPC namespace, a cgroup, an address and a state
directory; a bridge in one more network namespace is the switch between them. When the holder
processes of the namespaces end, links, mounts and containers end with them, so that nothing can be
left behind. Nothing outside these namespaces is changed, and no traffic leaves them.

The demo, the cluster tests and the benchmark stand on it. A testbed is also a directory: its
state is in testbed.json, so that another process can find it and take it down.
"""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT = 8443
CONTROLLERS = '/sys/fs/cgroup'
FOREVER = '2147483647'


class ApiError(Exception):
    """An answer of the API that is an error: status and sentence."""

    def __init__(self, status, text):
        super().__init__(f'{status}: {text}')
        self.status, self.text = status, text


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__('muster', timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def run(*argv, **options):
    return subprocess.run([str(a) for a in argv], check=True, text=True, capture_output=True, **options).stdout


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def wait_gone(pid, timeout=60):
    """Waits for the end of a process that may not be a child of ours."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        import select
        if not select.select([fd], [], [], timeout)[0]:
            raise TimeoutError(f'process {pid} does not end')
    finally:
        os.close(fd)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def cgroup_folders(name):
    """The folder of a member in each hierarchy, beneath the cgroup that we run in."""
    for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
        _, controller, path = line.split(':', 2)
        if controller:
            mount = f'{CONTROLLERS}/{controller.removeprefix("name=")}'
        else:
            mount = f'{CONTROLLERS}/unified' if os.path.isdir(f'{CONTROLLERS}/unified') else CONTROLLERS
        folder = pathlib.Path(mount + path.rstrip('/'))
        if (folder / 'cgroup.procs').exists():
            yield folder / name


class Member:
    def __init__(self, bed, number):
        self.bed, self.number = bed, number
        self.name = f'm{number}'
        self.dir = bed.dir / self.name
        self.ip = f'{bed.net}.{number}'
        self.address = f'{self.ip}:{PORT}'
        self.log = bed.dir / f'{self.name}.log'
        self.unshare = self.holder = self.pid = 0

    # Namespaces

    def make(self):
        """The namespaces, the cgroup and the link to the switch."""
        process = self.bed.hold(
            'unshare', '-n', '-m', '-p', '-i', '-u', '--fork', '--kill-child', '--mount-proc', '--propagation',
            'private', '/usr/bin/python3', __file__, '__hold', self.name, str(self.bed.dir))
        self.unshare = process.pid
        self.holder = int(pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()[0])
        n = self.number
        switch = ('nsenter', '-t', self.bed.switch, '-n')
        run(*switch, 'ip', 'link', 'add', f'p{n}', 'type', 'veth', 'peer', 'name', f'v{n}')
        run(*switch, 'ip', 'link', 'set', f'v{n}', 'netns', self.holder, 'name', 'eth0')
        run(*switch, 'ip', 'link', 'set', f'p{n}', 'master', 'sw0', 'up')
        inside = ('nsenter', '-t', self.holder, '-n')
        run(*inside, 'ip', '-batch', '-', input='\n'.join([
            'link set lo up',
            'link add br0 type bridge forward_delay 0',
            'link set eth0 master br0 up',
            f'addr add {self.ip}/24 dev br0',
            'link set br0 up',
        ]))
        for folder in cgroup_folders(self.bed.cgroup(self)):
            folder.mkdir(exist_ok=True)
            if (folder / 'cpuset.cpus').exists():
                for key in ('cpuset.cpus', 'cpuset.mems'):
                    (folder / key).write_text((folder.parent / key).read_text())
                (folder / 'cgroup.clone_children').write_text('1')
            (folder / 'cgroup.procs').write_text(str(self.holder))
        self.dir.mkdir(exist_ok=True)
        self.bed.save()

    def spawn(self, log, env):
        """Executes the daemon in the namespaces and the cgroup; the child of the process is the daemon."""
        enter = 'for d in "${@:3:$1}"; do echo $$ >"$d/cgroup.procs"; done; h=$2; shift $(($1 + 2)); ' \
                'exec nsenter -t "$h" -n -m -p -i -u -- "$@"'
        groups = [str(f) for f in cgroup_folders(self.bed.cgroup(self))]
        process = subprocess.Popen(
            ['bash', '-c', enter, 'enter', str(len(groups)), str(self.holder), *groups, *self.bed.daemon],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
        self.bed.processes.append(process)
        return process

    def start(self, timeout=60, environment=None):
        """Starts the daemon and waits until it says that it is ready."""
        path = self.bed.dir / f'{self.name}.notify'
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(path))
        notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        notify.settimeout(0.2)
        env = {k: v for k, v in os.environ.items() if not k.startswith(('LISTEN_', 'LXD_', 'MUSTER_'))}
        env |= {'MUSTER_DIR': str(self.dir), 'NOTIFY_SOCKET': str(path)} | (environment or {})
        with open(self.log, 'ab') as log:
            process = self.spawn(log, env)
        deadline = time.monotonic() + timeout
        while True:
            try:
                data, ancillary, _, _ = notify.recvmsg(4096, socket.CMSG_SPACE(12))
            except socket.timeout:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f'{self.name} did not start ({process.poll()}):\n{self.tail()}') from None
                continue
            if b'READY=1' in data.split(b'\n'):
                self.pid = struct.unpack('iII', ancillary[0][2][:12])[0]
                break
        notify.close()
        path.unlink()
        self.bed.save()
        return self

    def tail(self, lines=20):
        return '\n'.join(self.log.read_text(errors='replace').splitlines()[-lines:])

    def kill(self, number=signal.SIGKILL, timeout=60):
        if self.pid and alive(self.pid):
            os.kill(self.pid, number)
            wait_gone(self.pid, timeout)
        self.pid = 0
        self.bed.save()

    def stop(self):
        self.kill(signal.SIGTERM)

    def remove(self):
        self.kill()
        for pid in (self.unshare, self.holder):
            if pid and alive(pid):
                os.kill(pid, signal.SIGKILL)
                wait_gone(pid)
        for folder in cgroup_folders(self.bed.cgroup(self)):
            remove_cgroup(folder)
        shutil.rmtree(self.dir, ignore_errors=True)

    def inside(self, *argv, check=True, text=None, timeout=300):
        """Runs a command in the member's namespaces; returns what it printed."""
        env = os.environ | {'MUSTER_DIR': str(self.dir), 'LXD_DIR': str(self.dir)}
        done = subprocess.run(['nsenter', '-t', str(self.holder), '-n', '-m', '-p', '-i', '-u', '--',
                               *map(str, argv)], env=env, text=True, input=text, capture_output=True, timeout=timeout)
        if check and done.returncode:
            raise RuntimeError(f'{self.name}: {" ".join(map(str, argv))}: {done.stderr or done.stdout}')
        return done.stdout

    # API

    def request(self, method, path, body=None, headers=None, timeout=120):
        """One request on the unix socket: status, headers, body as JSON or bytes."""
        connection = UnixConnection(self.dir / 'unix.socket', timeout)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {'Content-Type': 'application/json'} | (headers or {}))
            answer = connection.getresponse()
            raw = answer.read()
            if answer.headers.get_content_type() == 'application/json':
                raw = json.loads(raw)
            return answer.status, answer.headers, raw
        finally:
            connection.close()

    def api(self, method, path, body=None, wait=True, **options):
        """The metadata of an answer; an operation is followed to its end."""
        status, _, answer = self.request(method, path, body, **options)
        if not isinstance(answer, dict):
            return answer
        if answer.get('type') == 'error':
            raise ApiError(answer['error_code'], answer['error'])
        if answer.get('type') == 'async' and wait and answer['metadata'].get('class') == 'task':
            status, _, answer = self.request('GET', answer['operation'].partition('?')[0] + '/wait', timeout=600)
            if answer.get('type') == 'error':
                raise ApiError(answer['error_code'], answer['error'])
            if answer['metadata']['status_code'] != 200:
                raise ApiError(answer['metadata']['status_code'], answer['metadata']['err'])
        return answer['metadata']


    def trust_token(self, name):
        """A token with which a client becomes trusted."""
        meta = self.api('POST', '/1.0/certificates', {'type': 'client', 'name': name, 'token': True}, wait=False)
        meta = meta['metadata']
        return encoded({'client_name': name, 'fingerprint': meta['fingerprint'], 'addresses': meta['addresses'],
                        'secret': meta['secret'], 'expires_at': meta.get('expiresAt', '0001-01-01T00:00:00Z')})


def encoded(token):
    return base64.b64encode(json.dumps(token).encode()).decode()


def remove_cgroup(folder):
    if not folder.is_dir():
        return
    for _ in range(500):
        for path, _, _ in sorted(os.walk(folder), reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        if not folder.is_dir():
            return
        # The kernel ends the processes of a PID namespace one after the other and says nothing
        # when a cgroup of version 1 has become empty.
        time.sleep(0.02)


class Testbed:
    member_class = Member

    def __init__(self, folder, net='10.89.0', build=ROOT / 'build', daemon=None):
        self.dir = pathlib.Path(folder)
        self.net = net
        self.build = pathlib.Path(build)
        self.daemon = daemon or [str(self.build / 'musterd'), '--group', 'root']
        self.init = [str(self.build / 'musterd'), 'init', '--preseed']
        self.switch = 0
        self.members = []
        self.processes = []

    def hold(self, *argv):
        """Starts a holder of namespaces, which says 'ready' and outlives us: it keeps none of our descriptors, as
        whoever reads our output to its end would wait for it."""
        with open(self.dir / 'holders.log', 'ab') as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                       start_new_session=True)
        with process.stdout as out:
            if out.readline() != b'ready\n':
                raise RuntimeError('no namespaces: ' + (self.dir / 'holders.log').read_text())
        self.processes.append(process)
        return process

    def cgroup(self, member):
        return f'muster-{self.dir.name}-{member.name}'

    def save(self):
        state = {'net': self.net, 'build': str(self.build), 'daemon': self.daemon, 'switch': self.switch,
                 'members': [[m.number, m.unshare, m.holder, m.pid] for m in self.members]}
        temporary = self.dir / '.testbed.json'
        temporary.write_text(json.dumps(state))
        temporary.replace(self.dir / 'testbed.json')

    @classmethod
    def load(cls, folder):
        state = json.loads((pathlib.Path(folder) / 'testbed.json').read_text())
        bed = cls(folder, state['net'], state['build'], state['daemon'])
        bed.switch = state['switch']
        for number, unshare, holder, pid in state['members']:
            member = cls.member_class(bed, number)
            member.unshare, member.holder, member.pid = unshare, holder, pid
            bed.members.append(member)
        return bed

    def up(self, count, clustered=None, driver='dir', start=True):
        """Starts 'count' members; more than one, or clustered=True, form a cluster."""
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o711)
        process = self.hold('unshare', '-n', 'sh', '-c', f'echo ready; exec sleep {FOREVER}')
        self.switch = process.pid
        run('nsenter', '-t', self.switch, '-n', 'ip', '-batch', '-', input='\n'.join([
            'link set lo up', 'link add sw0 type bridge forward_delay 0', f'addr add {self.net}.254/24 dev sw0',
            'link set sw0 up']))
        for _ in range(count):
            member = self.add()
            if start:
                member.start()
        if start and (count > 1 if clustered is None else clustered):
            self.form(driver)
        return self

    def add(self):
        member = self.member_class(self, len(self.members) + 1)
        self.members.append(member)
        member.make()
        return member

    def discard(self, member):
        """Takes a member away, whatever state it is in."""
        member.remove()
        self.members.remove(member)
        with contextlib.suppress(subprocess.CalledProcessError):
            run('nsenter', '-t', self.switch, '-n', 'ip', 'link', 'delete', f'p{member.number}')
        self.save()

    def preseed_first(self, driver='dir'):
        first = self.members[0]
        return f"""config:
  core.https_address: {first.address}
storage_pools:
- name: default
  driver: {driver}
profiles:
- name: default
  config: {{cluster.evacuate: migrate}}
  devices:
    root: {{path: /, pool: default, type: disk}}
    eth0: {{name: eth0, nictype: bridged, parent: br0, type: nic}}
cluster:
  server_name: {first.name}
  enabled: true
"""

    def preseed_join(self, member, token):
        return f"""cluster:
  enabled: true
  server_name: {member.name}
  server_address: {member.address}
  cluster_token: {token}
  member_config:
  - {{entity: storage-pool, name: default, key: source, value: ""}}
"""

    def form(self, driver='dir'):
        """Makes a cluster of the members, by preseed and join token."""
        first = self.members[0]
        first.inside(*self.init, text=self.preseed_first(driver))
        for member in self.members[1:]:
            self.join(member)

    def token(self, name, member=None):
        operation = (member or self.members[0]).api('POST', '/1.0/cluster/members', {'server_name': name})
        meta = operation['metadata']
        return encoded({'server_name': name, 'fingerprint': meta['fingerprint'], 'addresses': meta['addresses'],
                        'secret': meta['secret'], 'expires_at': meta['expiresAt']})

    def join(self, member, through=None):
        token = self.token(member.name, through)
        member.inside(*self.init, text=self.preseed_join(member, token))

    def member(self, name):
        return next(m for m in self.members if m.name == name)

    def leader(self):
        """The member that leads, asked of any that answers."""
        for member in self.members:
            if member.pid and alive(member.pid):
                with contextlib.suppress(OSError, ApiError):
                    for row in member.api('GET', '/1.0/cluster/members?recursion=1'):
                        if 'database-leader' in row['roles']:
                            return self.member(row['server_name'])
        raise RuntimeError('no leader')

    def url(self, member):
        return f'https://{urllib.parse.quote(member.address, safe=":")}'

    def down(self):
        for member in self.members:
            member.remove()
        if self.switch and alive(self.switch):
            os.kill(self.switch, signal.SIGKILL)
            wait_gone(self.switch)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()


def hold(name, folder):
    """The first process of a member's namespaces: its own /sys and /run, then reaps for ever."""
    run('hostname', name)
    cgroups = pathlib.Path(folder) / f'{name}.cgroup'
    cgroups.mkdir(exist_ok=True)
    run('mount', '--rbind', CONTROLLERS, cgroups)
    run('mount', '-t', 'sysfs', 'sysfs', '/sys')
    run('mount', '--rbind', cgroups, CONTROLLERS)
    run('umount', '-R', '-l', cgroups)
    cgroups.rmdir()
    run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run')
    print('ready', flush=True)
    os.close(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    # Small, since one of these lives as long as each member does.
    os.execvp('sh', ['sh', '-c', f'trap : CHLD; while :; do sleep {FOREVER} & wait $! || :; done'])


if __name__ == '__main__':
    if sys.argv[1:2] == ['__hold']:
        hold(*sys.argv[2:4])
    else:
        sys.exit('this is a module of the tests')
