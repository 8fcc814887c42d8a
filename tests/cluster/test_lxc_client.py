"""Debian's unmodified `lxc`, and our `muster` where it has the command, do their daily work on a cluster of three.

One table of scenarios, each run by `lxc` on the unix socket and as a remote over HTTPS, and by `muster`.
"""
import json
import pathlib
import secrets
import select
import shutil
import sys
import tarfile

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'kit'))
from clients import Client  # noqa: E402
from testbed import ApiError  # noqa: E402

NIC = 'eth0'


CLIENTS = {}


@pytest.fixture(params=['lxc-socket', 'lxc-https', 'muster-https'])
def client(request, bed):
    """Each of the clients; made once for the testbed."""
    if (bed, request.param) not in CLIENTS:
        program, how = request.param.split('-')
        path = shutil.which('lxc') if program == 'lxc' else bed.build / 'muster'
        if not path:
            pytest.skip("Debian's lxc is not installed (package lxd-client)")
        CLIENTS[bed, request.param] = Client(bed, path, how == 'https', request.param)
    return CLIENTS[bed, request.param]


@pytest.fixture
def tag(bed):
    """A name that begins the names of all that a test makes; that goes with it."""
    name = 't' + secrets.token_hex(3)
    yield name
    clean(bed.members[0], name)


def clean(member, tag):
    def ours(path, **key):
        return [row for row in member.api('GET', path) if any(str(row.get(k, '')).startswith(tag) for k in (
            'name', 'server_name'))]

    def gone(path):
        try:
            member.api('DELETE', path)
        except ApiError as e:
            if e.status != 404:
                raise

    for row in ours('/1.0/instances?recursion=1&all-projects=true'):
        path = f'/1.0/instances/{row["name"]}'
        if row['status'] != 'Stopped':
            member.api('PUT', f'{path}/state?project={row["project"]}', {'action': 'stop', 'force': True})
        gone(f'{path}?project={row["project"]}')
    for row in ours('/1.0/projects?recursion=1'):
        gone(f'/1.0/projects/{row["name"]}?force=true')
    for row in member.api('GET', '/1.0/images?recursion=1'):
        if any(a['name'].startswith(tag) for a in row['aliases']) or tag in row['properties'].values():
            gone(f'/1.0/images/{row["fingerprint"]}')
    for row in ours('/1.0/images/aliases?recursion=1'):
        gone(f'/1.0/images/aliases/{row["name"]}')
    for row in ours('/1.0/profiles?recursion=1'):
        gone(f'/1.0/profiles/{row["name"]}')
    for pool in member.api('GET', '/1.0/storage-pools?recursion=1'):
        for row in ours(f'/1.0/storage-pools/{pool["name"]}/volumes/custom?recursion=1'):
            gone(f'/1.0/storage-pools/{pool["name"]}/volumes/custom/{row["name"]}?target={row["location"]}')
        if pool['name'].startswith(tag):
            gone(f'/1.0/storage-pools/{pool["name"]}')
    for row in ours('/1.0/cluster/groups?recursion=1'):
        for name in row['members']:
            path = f'/1.0/cluster/members/{name}'
            groups = member.api('GET', path)['groups']
            member.api('PATCH', path, {'groups': [g for g in groups if g != row['name']]})
        gone(f'/1.0/cluster/groups/{row["name"]}')


@pytest.fixture
def c(client, tag):
    """A stopped container on the first member."""
    client('init', 'busybox', f'{tag}c', '--target', 'm1')
    return f'{tag}c'


@pytest.fixture
def running(client, c):
    client('start', c)
    return c


def state(client, name):
    return client.rows('list', f'^{name}$', '-c', 's')[0][0]


def location(client, name):
    return client.rows('list', f'^{name}$', '-c', 'L')[0][0]


# Servers and remotes

def test_version_and_server(client):
    assert 'Server version: 6.6' in client('version')
    info = yaml.safe_load(client('info'))
    assert info['environment']['server_name'] == 'm1' and info['auth'] == 'trusted'
    assert 'CPU' in client('info', '--resources')
    remotes = client('remote', 'list')
    assert ('bed (current)' if client.https else 'local (current)') in remotes


def test_server_config(client, tag):
    client('config', 'set', 'user.' + tag, 'two words')
    assert client('config', 'get', 'user.' + tag) == 'two words\n'
    assert yaml.safe_load(client('config', 'show'))['config']['user.' + tag] == 'two words'
    client.edit('config', 'edit', old='two', new='three')
    assert client('config', 'get', 'user.' + tag) == 'three words\n'
    client('config', 'unset', 'user.' + tag)
    assert client('config', 'get', 'user.' + tag) == '\n'
    assert client.fails('config', 'set', 'nothing.' + tag, '1')


def test_trust(client, bed, tag):
    token = client('config', 'trust', 'add', '--name', tag).split()[-1]
    assert tag in client('config', 'trust', 'list-tokens')
    other = Client(bed, client.program, False, tag)
    other.env = {k: v for k, v in other.env.items() if not k.endswith('_DIR')}
    other.enter = ['nsenter', '-t', str(bed.switch), '-n']
    other('remote', 'add', 'x', token)
    assert 'm1' in other('cluster', 'list', 'x:')
    if client.is_lxc:
        assert other.fails('remote', 'add', 'y', token), 'a token is used once'
    assert tag not in client('config', 'trust', 'list-tokens')
    row = next(r for r in client.rows('config', 'trust', 'list') if tag in r)
    assert row[0] == 'client'
    client.edit('config', 'trust', 'edit', row[3], old='restricted:.false', new='restricted:\\x20true')
    assert 'restricted: true' in client('config', 'trust', 'show', row[3])
    client('config', 'trust', 'remove', row[3])
    assert other.fails('list', 'x:')
    client('config', 'trust', 'add', '--name', tag)
    client('config', 'trust', 'revoke-token', tag)
    assert tag not in client('config', 'trust', 'list-tokens')


def test_query(client, tag):
    assert json.loads(client('query', '/1.0'))['environment']['server'] == 'lxd'
    client('query', '-X', 'POST', '-d', json.dumps({'name': tag}), '/1.0/profiles')
    assert f'/1.0/profiles/{tag}' in json.loads(client('query', '/1.0/profiles'))
    client('query', '-X', 'DELETE', '--wait', f'/1.0/profiles/{tag}')
    assert 'not found' in client.fails('query', f'/1.0/profiles/{tag}')


def test_warnings_and_operations(client, bed, tag):
    client('warning', 'list')
    operation = bed.members[1].api('POST', '/1.0/certificates', {'type': 'client', 'token': True, 'name': tag})
    assert operation['id'] in client.names('operation', 'list')
    assert yaml.safe_load(client('operation', 'show', operation['id']))['class'] == 'token'
    client('operation', 'delete', operation['id'])
    assert operation['id'] not in client.names('operation', 'list')


def test_operation_of_another_member(client, tag):
    running = f'{tag}c'
    client('launch', 'busybox', running, '--target', 'm2')
    command = client.popen('exec', running, '--', 'sh', '-c', 'echo here; exec sleep 1000')
    try:
        assert command.stdout.readline() == 'here\n'
        rows = [row for row in client.rows('operation', 'list') if 'm2' in row and 'WEBSOCKET' in row]
        assert any(running in client('operation', 'show', row[0]) for row in rows)
    finally:
        command.kill()
        command.communicate()


def test_monitor(client, bed, tag):
    monitor = client.popen('monitor', '--type', 'lifecycle', '--format', 'json')
    second, n = bed.members[1], 0
    try:
        while not select.select([monitor.stdout], [], [], 0.1)[0]:
            n += 1
            assert n < 600 and monitor.poll() is None, monitor.stderr.read()
            second.api('POST', '/1.0/profiles', {'name': f'{tag}p{n}'})
        event = json.loads(monitor.stdout.readline())
        assert event['type'] == 'lifecycle' and event['location'] == 'm2'
        assert event['metadata']['action'] == 'profile-created'
        assert event['metadata']['source'].startswith(f'/1.0/profiles/{tag}p')
    finally:
        monitor.kill()
        monitor.communicate()


# Images

def test_images(client, bed, tag):
    source = bed.dir / f'{tag}.tar.gz'
    image_of(bed, tag, source)
    done = client('image', 'import', source, f'description={tag}', '--alias', tag)
    fingerprint = done.split()[-1]
    assert [tag, fingerprint[:12], 'no', tag] == client.rows('image', 'list', tag)[0][:4]
    assert client.rows('image', 'list')[0][0]
    info = client('image', 'info', tag)
    assert f'Fingerprint: {fingerprint}' in info and f'- {tag}' in info
    assert yaml.safe_load(client('image', 'show', tag))['properties']['os'] == 'busybox'
    client.edit('image', 'edit', tag, old='public:.false', new='public:\\x20true')
    assert yaml.safe_load(client('image', 'show', fingerprint[:12]))['public'] is True
    client('image', 'set-property', tag, 'user.a', 'b')
    assert client('image', 'get-property', tag, 'user.a') == 'b\n'
    client('image', 'unset-property', tag, 'user.a')
    client('image', 'alias', 'create', f'{tag}2', fingerprint)
    client('image', 'alias', 'rename', f'{tag}2', f'{tag}3')
    assert f'{tag}3' in client.names('image', 'alias', 'list')
    client('image', 'alias', 'delete', f'{tag}3')
    client('image', 'export', tag, bed.dir / f'{tag}.out')
    exported = bed.dir / f'{tag}.out.tar.gz'
    if not exported.exists():
        exported = bed.dir / f'{tag}.out'
    assert exported.read_bytes() == source.read_bytes()
    client('image', 'delete', tag)
    assert not client.rows('image', 'list', tag)
    assert client.fails('image', 'info', tag)


def test_split_image(client, bed, tag):
    """Metadata and root in two files; the fingerprint is that of both."""
    folder = bed.dir / tag
    with tarfile.open(bed.dir / 'busybox.tar.gz') as tar:
        tar.extractall(folder)
    (folder / 'rootfs/etc/tag').write_text(tag)
    with tarfile.open(folder / 'meta.tar.xz', 'w:xz') as tar:
        for name in ('metadata.yaml', 'templates'):
            tar.add(folder / name, name)
    with tarfile.open(folder / 'root.tar.gz', 'w:gz') as tar:
        tar.add(folder / 'rootfs', '.')
    client('image', 'import', folder / 'meta.tar.xz', folder / 'root.tar.gz', '--alias', tag, '--public')
    (folder / 'out').mkdir()
    client('image', 'export', tag, folder / 'out')
    parts = {path.read_bytes() for path in (folder / 'out').iterdir()}
    assert parts == {(folder / 'meta.tar.xz').read_bytes(), (folder / 'root.tar.gz').read_bytes()}
    client('init', tag, f'{tag}c')
    client('image', 'delete', tag)


def image_of(bed, tag, path):
    """An image that no other test has."""
    with tarfile.open(bed.dir / 'busybox.tar.gz') as tar, tarfile.open(path, 'w:gz') as out:
        for member in tar:
            out.addfile(member, tar.extractfile(member) if member.isfile() else None)
        note = tarfile.TarInfo(f'rootfs/{tag}')
        out.addfile(note)


# Instances

def test_launch_and_power(client, tag):
    name = f'{tag}a'
    client('launch', 'busybox', name, '-c', 'limits.memory=64MiB', '-c', 'user.a=b')
    assert state(client, name) == 'RUNNING'
    client('pause', name)
    assert state(client, name) == 'FROZEN'
    client('start', name)
    assert state(client, name) == 'RUNNING'
    client('restart', name)
    client('restart', '-f', name)
    client('stop', name)
    assert state(client, name) == 'STOPPED'
    client('start', name)
    assert client.fails('delete', name)
    client('stop', '-f', name)
    client('delete', name)
    assert not client.rows('list', f'^{name}$')
    assert 'not found' in client.fails('start', name).lower()


def test_launch_names_its_failures(client, tag):
    assert client.fails('launch', tag, f'{tag}a')
    assert client.fails('launch', 'busybox', f'{tag}_')
    assert client.fails('launch', 'busybox', f'{tag}a', '-c', 'limits.memory=much')
    assert client.fails('launch', 'busybox', f'{tag}a', '-p', tag)
    assert client.fails('launch', 'busybox', f'{tag}a', '--target', tag)
    assert not client.rows('list', f'^{tag}')


def test_init_empty_and_profiles(client, tag):
    client('init', '--empty', f'{tag}e')
    client('init', 'busybox', f'{tag}b', '--no-profiles', '-s', 'default', '-e')
    assert state(client, f'{tag}e') == 'STOPPED'
    assert yaml.safe_load(client('config', 'show', f'{tag}b'))['ephemeral'] is True
    client('launch', 'busybox', f'{tag}x', '--ephemeral')
    client('stop', '-f', f'{tag}x')
    assert not client.rows('list', f'^{tag}x$'), 'an ephemeral instance goes when it stops'


def test_list(client, running):
    rows = client.rows('list', running, '-c', '46abcdDefFlLmMnNpPsStu')
    assert len(rows) == 1
    assert client.rows('list', running, '-c', 'nsPL') == [[running, 'RUNNING', 'default', 'm1']]
    assert client.rows('list', f'name={running}', '-c', 'n,image.os,devices:eth0.type:NIC') == [
        [running, 'busybox', 'nic']]
    assert client.rows('list', 'status=running', '-c', 'n')
    found = json.loads(client('list', running, '-f', 'json'))[0]
    assert found['state']['status'] == 'Running' and found['state']['network'][NIC]['host_name']
    assert yaml.safe_load(client('list', running, '-f', 'yaml'))[0]['name'] == running
    assert running in client('list', running) and running in client('list', '--fast', '-f', 'compact')


def test_info(client, running):
    client('snapshot', running, 'one')
    info = client('info', running)
    for text in ('Status: RUNNING', 'Location: m1', 'Processes: ', 'Memory (current)', 'Bytes received', 'one'):
        assert text in info
    assert 'Log:' in client('info', running, '--show-log')


def test_exec(client, running):
    assert client('exec', running, '--', 'echo', 'hello') == 'hello\n'
    done = client.run('exec', running, '--', 'sh', '-c', 'echo out; echo err >&2; exit 7')
    assert (done.returncode, done.stdout, done.stderr) == (7, 'out\n', 'err\n')
    assert client('exec', running, '--', 'wc', '-c', text='x' * 300000).split() == ['300000']
    assert client('exec', running, '--env', 'A=b', '--cwd', '/tmp', '--', 'sh', '-c', 'echo $A $PWD') == 'b /tmp\n'
    assert client('exec', running, '--user', '1000', '--group', '1001', '--', 'id', '-u') == '1000\n'
    assert client.run('exec', running, '--', 'no-such-command').returncode == 127
    assert client.run('exec', running, '-n', '--', 'cat').returncode == 0
    assert len(client('exec', running, '--', 'head', '-c', '3000000', '/dev/zero')) == 3000000


def test_exec_on_terminal(client, running):
    status, output = client.on_terminal('exec', running, '-t', '--', 'sh', '-c', 'tty; stty size; exit 3')
    assert status == 3 and '/dev/pts/' in output
    status, output = client.on_terminal('exec', running, '--', 'sh', typed=b'echo a$((1+1))b; exit 4\n', after=b'#')
    assert status == 4 and 'a2b' in output


def test_config(client, running):
    client('config', 'set', running, 'user.a=1', 'limits.processes=100')
    client('config', 'set', running, 'user.b', 'two words')
    assert client('config', 'get', running, 'user.b') == 'two words\n'
    shown = yaml.safe_load(client('config', 'show', running))
    assert shown['config']['user.a'] == '1' and shown['config']['limits.processes'] == '100'
    assert yaml.safe_load(client('config', 'show', running, '--expanded'))['devices']['root']['path'] == '/'
    client('config', 'unset', running, 'user.a')
    assert client('config', 'get', running, 'user.a') == '\n'
    client.edit('config', 'edit', running, old='two', new='three')
    assert client('config', 'get', running, 'user.b') == 'three words\n'
    assert client.fails('config', 'set', running, 'limits.memory', 'much')
    assert client.fails('config', 'set', running, 'no.key', 'x')
    client('config', 'set', running, 'limits.memory', '64MiB')
    client('config', 'metadata', 'show', running)


def test_devices(client, running, bed, tag):
    source = bed.members[0].dir / tag
    source.mkdir()
    (source / 'f').write_text('from the host')
    device = ('config', 'device')
    client(*device, 'add', running, 'd', 'disk', f'source={source}', 'path=/mnt/d')
    assert client('exec', running, '--', 'cat', '/mnt/d/f') == 'from the host'
    assert client(*device, 'list', running).split() == ['d']
    assert yaml.safe_load(client(*device, 'show', running))['d']['path'] == '/mnt/d'
    client(*device, 'set', running, 'd', 'path=/mnt/e')
    assert client(*device, 'get', running, 'd', 'path') == '/mnt/e\n'
    assert client('exec', running, '--', 'cat', '/mnt/e/f') == 'from the host'
    client(*device, 'remove', running, 'd')
    assert client.run('exec', running, '--', 'cat', '/mnt/e/f').returncode == 1
    client(*device, 'override', running, 'root', 'size=100MiB')
    assert client(*device, 'get', running, 'root', 'size') == '100MiB\n'
    client(*device, 'unset', running, 'root', 'size')
    assert client.fails(*device, 'add', running, 'n', 'no-such-type')
    assert client.fails(*device, 'remove', running, 'd')


def test_files(client, running, bed, tag):
    folder = bed.dir / tag
    (folder / 'tree/sub').mkdir(parents=True)
    (folder / 'tree/sub/f').write_text('deep')
    (folder / 'tree/link').symlink_to('sub/f')
    (folder / 'f').write_text('hello')
    client('file', 'push', folder / 'f', f'{running}/root/f', '--mode', '0600', '--uid', '5')
    assert client('exec', running, '--', 'stat', '-c', '%a %u', '/root/f') == '600 5\n'
    client('file', 'push', '-p', folder / 'f', f'{running}/root/a/b/')
    assert client('file', 'pull', f'{running}/root/a/b/f', '-') == 'hello'
    client('file', 'push', '-', f'{running}/root/g', text='from stdin')
    client('file', 'pull', f'{running}/root/g', folder / 'g')
    assert (folder / 'g').read_text() == 'from stdin'
    client('file', 'push', '-r', folder / 'tree', f'{running}/root/')
    assert client('exec', running, '--', 'cat', '/root/tree/link') == 'deep'
    client('file', 'pull', '-r', f'{running}/root/tree', folder / 'back')
    assert next((folder / 'back').rglob('f')).read_text() == 'deep'
    client.edit('file', 'edit', f'{running}/root/g', old='stdin', new='editor')
    assert client('file', 'pull', f'{running}/root/g', '-') == 'from editor'
    client('file', 'delete', f'{running}/root/g')
    assert client.fails('file', 'pull', f'{running}/root/g', '-')
    assert client.fails('file', 'delete', f'{running}/root/tree')


def test_files_of_a_stopped_one(client, c, bed):
    client('file', 'push', bed.dir / 'busybox.tar.gz', f'{c}/root/bb')
    assert client('file', 'pull', f'{c}/etc/hosts', '-') == '127.0.0.1 localhost\n'
    client('file', 'pull', f'{c}/root/bb', bed.dir / f'{c}.bb')
    assert (bed.dir / f'{c}.bb').read_bytes() == (bed.dir / 'busybox.tar.gz').read_bytes()


def test_snapshots(client, running):
    client('exec', running, '--', 'sh', '-c', 'echo one >/root/f')
    client('snapshot', running, 'one')
    client('snapshot', running)
    client('exec', running, '--', 'sh', '-c', 'echo two >/root/f')
    client('restore', running, 'one')
    assert client('exec', running, '--', 'cat', '/root/f') == 'one\n'
    assert state(client, running) == 'RUNNING'
    client('rename' if client.is_lxc else 'move', f'{running}/one', f'{running}/uno')
    assert 'uno' in client('info', running) and 'snap0' in client('info', running)
    assert yaml.safe_load(client('config', 'show', f'{running}/uno'))['name'].endswith('uno')
    client('copy', f'{running}/uno', f'{running}2')
    client('start', f'{running}2')
    assert client('exec', f'{running}2', '--', 'cat', '/root/f') == 'one\n'
    client('delete', f'{running}/uno')
    assert client.fails('restore', running, 'uno')
    assert client.rows('list', f'^{running}$', '-c', 'S') == [['1']]


def test_publish(client, c, tag):
    client('file', 'push', '-', f'{c}/root/f', text='published')
    client('publish', c, '--alias', tag, f'description={tag}', '--public')
    assert client.rows('image', 'list', tag)[0][:1] == [tag]
    client('snapshot', c, 's')
    client('publish', f'{c}/s', '--alias', f'{tag}s', f'description={tag}', '--compression', 'none')
    client('init', tag, f'{tag}n')
    assert client('file', 'pull', f'{tag}n/root/f', '-') == 'published'
    client('image', 'delete', tag, f'{tag}s')


def test_publish_of_a_running_one(client, running, tag):
    assert client.fails('publish', running, '--alias', tag)
    client('publish', running, '--force', '--alias', tag, f'description={tag}')
    assert state(client, running) == 'RUNNING'


def test_console_log(client, running):
    client('exec', running, '--', 'sh', '-c', 'echo seen on the console >/dev/console')
    assert 'seen on the console' in client('console', running, '--show-log')


def test_copy_move_rename_delete(client, c, tag):
    client('copy', c, f'{tag}copy', '-c', 'user.a=b', '--target', 'm1')
    assert client('config', 'get', f'{tag}copy', 'user.a') == 'b\n'
    client('rename', f'{tag}copy', f'{tag}name')
    client('move', f'{tag}name', f'{tag}moved')
    client('start', f'{tag}moved')
    assert client('exec', f'{tag}moved', '--', 'cat', '/etc/hostname') == f'{tag}moved\n'
    assert client.fails('rename', f'{tag}moved', c)
    client('delete', '-f', f'{tag}moved', c)
    assert not client.rows('list', f'^{tag}')


def test_copies_and_moves_between_members(client, c, tag):
    client('file', 'push', '-', f'{c}/root/f', text='travels')
    client('snapshot', c, 's')
    client('copy', c, f'{tag}copy', '--target', 'm2')
    client('copy', f'{c}/s', f'{tag}snap', '--target', 'm3')
    client('copy', c, f'{tag}any')
    client('move', c, '--target', 'm3')
    for name, place in ((f'{tag}copy', 'm2'), (f'{tag}snap', 'm3'), (c, 'm3')):
        assert location(client, name) == place
        client('start', name)
        assert client('exec', name, '--', 'cat', '/root/f') == 'travels'
    client('stop', '-f', c)
    assert client.rows('list', f'^{c}$', '-c', 'S') == [['1']]
    client('move', c, f'{tag}new', '--target', 'm1')
    assert location(client, f'{tag}new') == 'm1' and not client.rows('list', f'^{c}$')
    client('start', f'{tag}new')


def test_refresh(client, bed, c, tag):
    """Copies here and elsewhere become what their source is, and stay who they are."""
    def snapshots(name):
        return sorted(s['name'] for s in bed.members[2].api('GET', f'/1.0/instances/{name}/snapshots?recursion=1'))

    copies = {f'{tag}here': 'm1', f'{tag}there': 'm2'}
    client('file', 'push', '-', f'{c}/root/f', text='one')
    client('snapshot', c, 's0')
    client('snapshot', c, 's1')
    for name, place in copies.items():
        client('copy', c, name, '--target', place, '-c', f'user.name={name}')
    client('file', 'push', '-', f'{c}/root/f', text='two')
    client('file', 'push', '-', f'{c}/root/new', text='new')
    client('snapshot', c, 's2')
    client('delete', f'{c}/s0')
    client('delete', f'{c}/s1')
    client('snapshot', c, 's1')
    for name, place in copies.items():
        client('file', 'push', '-', f'{name}/root/stale', text='x')
        client('copy', c, name, '--refresh', '--target', place)
        assert location(client, name) == place and snapshots(name) == ['s1', 's2']
        if not client.is_lxc:  # That one gives the copy the config of its source.
            assert client('config', 'get', name, 'user.name') == f'{name}\n'
        client('start', name)
        assert client('exec', name, '--', 'cat', '/root/f', '/root/new') == 'twonew'
        assert client.run('exec', name, '--', 'cat', '/root/stale').returncode
        assert 'running' in client.fails('copy', c, name, '--refresh', '--target', place)
        client('stop', '-f', name)
        client('restore', name, 's1')
    client('copy', c, f'{tag}fresh', '--refresh', '--target', 'm1')
    assert snapshots(f'{tag}fresh') == ['s1', 's2'], 'a refresh of nothing is a copy'
    assert client.fails('copy', c, c, '--refresh', '--target', 'm1')


def test_what_runs_on_another_member(client, tag):
    """Requests for an instance find its member."""
    name = f'{tag}c'
    client('launch', 'busybox', name, '--target', 'm2')
    assert client('exec', name, '--', 'echo', 'hello') == 'hello\n'
    status, output = client.on_terminal('exec', name, '-t', '--', 'sh', '-c', 'tty; exit 3')
    assert status == 3 and '/dev/pts/' in output
    client('file', 'push', '-', f'{name}/root/f', text='x')
    assert client('file', 'pull', f'{name}/root/f', '-') == 'x'
    client('config', 'set', name, 'user.a', 'b')
    client('snapshot', name, 's')
    client('restore', name, 's')
    client('stop', '-f', name)
    client('rename', name, f'{name}2')
    client('delete', f'{name}2')


# Profiles and projects

def test_profiles(client, c, tag):
    profile, other = f'{tag}p', f'{tag}q'
    client('profile', 'create', profile)
    client('profile', 'set', profile, 'user.a', '1')
    client('profile', 'set', profile, 'limits.processes=50')
    assert client('profile', 'get', profile, 'user.a') == '1\n'
    client('profile', 'device', 'add', profile, 'd', 'disk', 'source=/tmp', 'path=/mnt/d')
    client('profile', 'device', 'set', profile, 'd', 'path=/mnt/e')
    assert client('profile', 'device', 'get', profile, 'd', 'path') == '/mnt/e\n'
    assert client('profile', 'device', 'list', profile) == 'd\n'
    client('profile', 'device', 'remove', profile, 'd')
    client.edit('profile', 'edit', profile, old='description:.*', new='description:\\x20words')
    assert yaml.safe_load(client('profile', 'show', profile))['description'] == 'words'
    client('profile', 'copy', profile, other)
    client('profile', 'rename', other, f'{other}2')
    client('profile', 'add', c, profile)
    assert client.rows('list', f'^{c}$', '-c', 'n,user.a') == [[c, '1']]
    client('profile', 'remove', c, profile)
    client('profile', 'assign', c, f'default,{profile}')
    assert f'/1.0/instances/{c}' in yaml.safe_load(client('profile', 'show', profile))['used_by']
    assert client.fails('profile', 'delete', profile)
    client('profile', 'assign', c, 'default')
    client('profile', 'unset', profile, 'user.a')
    client('profile', 'delete', profile)
    assert [n for n in client.names('profile', 'list') if n.startswith(tag)] == [f'{other}2']
    client('profile', 'delete', f'{other}2')


def test_projects(client, tag):
    project = f'{tag}p'
    client('project', 'create', project, '-c', 'features.images=false', '-c', 'features.profiles=false')
    assert any(name.startswith(project) for name in client.names('project', 'list'))
    client('project', 'set', project, 'user.a=b')
    assert client('project', 'get', project, 'user.a') == 'b\n'
    client.edit('project', 'edit', project, old='description:.*', new='description:\\x20words')
    assert yaml.safe_load(client('project', 'show', project))['description'] == 'words'
    client('project', 'switch', project)
    try:
        client('launch', 'busybox', f'{tag}c')
        assert client.names('list', '-c', 'n') == [f'{tag}c']
        assert client('exec', f'{tag}c', '--', 'hostname') == f'{tag}c\n'
        client('info', f'{tag}c')
        assert client.fails('project', 'delete', project)
        client('stop', '-f', f'{tag}c')
        client('delete', f'{tag}c')
    finally:
        client('project', 'switch', 'default')
    assert client.rows('list', '--project', project) == []
    assert client.rows('list', '--all-projects') is not None
    client('project', 'info', project)
    client('project', 'unset', project, 'user.a')
    client('project', 'rename', project, f'{project}2')
    client('project', 'delete', f'{project}2')


# Storage

def test_pools(client, tag):
    assert client.names('storage', 'list').count('default') == 1
    assert 'total space' in client('storage', 'info', 'default')
    assert 'total space' in client('storage', 'info', 'default', '--target', 'm2')
    for member in ('m1', 'm2', 'm3'):
        client('storage', 'create', tag, 'dir', '--target', member)
    client('storage', 'create', tag, 'dir')
    client('storage', 'set', tag, 'user.a', 'b')
    assert client('storage', 'get', tag, 'user.a') == 'b\n'
    client('storage', 'unset', tag, 'user.a')
    client.edit('storage', 'edit', tag, old='description:.*', new='description:\\x20words')
    shown = yaml.safe_load(client('storage', 'show', tag))
    assert shown['status'] == 'Created' and shown['locations'] == ['m1', 'm2', 'm3']
    assert shown['description'] == 'words'
    client('init', 'busybox', f'{tag}c', '-s', tag)
    assert client.fails('storage', 'delete', tag)
    client('delete', f'{tag}c')
    client('storage', 'delete', tag)
    assert tag not in client.names('storage', 'list')


def test_volumes(client, tag):
    volume, v = ('storage', 'volume'), f'{tag}v'
    client(*volume, 'create', 'default', v, 'user.a=b')
    assert v in [row[1] for row in client.rows(*volume, 'list', 'default')]
    assert client(*volume, 'get', 'default', v, 'user.a') == 'b\n'
    client(*volume, 'set', 'default', v, 'user.a', 'c')
    client(*volume, 'unset', 'default', v, 'user.a')
    client.edit(*volume, 'edit', 'default', v, old='description:.*', new='description:\\x20words')
    assert yaml.safe_load(client(*volume, 'show', 'default', v))['description'] == 'words'
    client(*volume, 'snapshot', 'default', v, 'one')
    assert 'one' in client(*volume, 'info', 'default', v)
    client(*volume, 'restore', 'default', v, 'one')
    client(*volume, 'rename', 'default', f'{v}/one', f'{v}/uno')
    client(*volume, 'delete', 'default', f'{v}/uno')
    client(*volume, 'copy', f'default/{v}', f'default/{v}2')
    client(*volume, 'rename', 'default', f'{v}2', f'{v}3')
    client(*volume, 'move', f'default/{v}3', f'default/{v}4')
    client(*volume, 'delete', 'default', f'{v}4')
    client(*volume, 'delete', 'default', v)
    assert client.fails(*volume, 'show', 'default', v)


def test_volumes_between_members(client, bed, tag):
    """Copied, refreshed and moved from one member to another, with their snapshots and without."""
    volume, v = ('storage', 'volume'), f'{tag}v'
    base = '/1.0/storage-pools/default/volumes/custom'
    m1, m2, m3 = bed.members[:3]

    def folder(member, name):
        return member.dir / f'storage-pools/default/custom/default_{name}'

    def snapshots(name, target):
        return [u.rsplit('/', 1)[1].split('?')[0] for u in m1.api('GET', f'{base}/{name}/snapshots?target={target}')]

    client(*volume, 'create', 'default', v, '--target', 'm1', 'user.a=b')
    (folder(m1, v) / 'f').write_text('one')
    client(*volume, 'snapshot', 'default', v, 'one')
    m1.api('PATCH', f'{base}/{v}/snapshots/one', {'expires_at': '2035-01-02T03:04:05Z', 'description': 'words'})
    (folder(m1, v) / 'f').write_text('two')

    client(*volume, 'copy', f'default/{v}', f'default/{v}', '--target', 'm1', '--destination-target', 'm2')
    assert (folder(m2, v) / 'f').read_text() == 'two'
    assert yaml.safe_load(client(*volume, 'show', 'default', v, '--target', 'm2'))['config']['user.a'] == 'b'
    row = m3.api('GET', f'{base}/{v}/snapshots/one?target=m2')
    assert row['expires_at'] == '2035-01-02T03:04:05Z' and row['description'] == 'words'
    client(*volume, 'restore', 'default', v, 'one', '--target', 'm2')
    assert (folder(m2, v) / 'f').read_text() == 'one'
    client(*volume, 'copy', f'default/{v}', f'default/{v}alone', '--target', 'm1', '--destination-target', 'm3', '--volume-only')
    assert (folder(m3, f'{v}alone') / 'f').read_text() == 'two' and snapshots(f'{v}alone', 'm3') == []

    # Only what is new: a snapshot that the source lost goes, files that it lost as well.
    client(*volume, 'snapshot', 'default', v, 'two', '--target', 'm1')
    client(*volume, 'delete', 'default', f'{v}/one', '--target', 'm1')
    (folder(m2, v) / 'stale').write_text('x')
    client(*volume, 'copy', f'default/{v}', f'default/{v}', '--target', 'm1', '--destination-target', 'm2', '--refresh')
    assert snapshots(v, 'm2') == ['two'] and (folder(m2, v) / 'f').read_text() == 'two'
    assert not (folder(m2, v) / 'stale').exists()
    assert client.fails(*volume, 'copy', f'default/{v}', f'default/{v}', '--target', 'm1', '--destination-target', 'm2')

    client(*volume, 'move', f'default/{v}', f'default/{v}moved', '--target', 'm1', '--destination-target', 'm3')
    assert not folder(m1, v).exists() and snapshots(f'{v}moved', 'm3') == ['two']
    assert (folder(m3, f'{v}moved') / 'f').read_text() == 'two'
    client('project', 'create', tag, '-c', 'features.storage.volumes=true')
    client(*volume, 'move', f'default/{v}moved', f'default/{v}moved', '--target', 'm3', '--target-project', tag)
    assert m1.api('GET', f'{base}?project={tag}') == [f'{base}/{v}moved?project={tag}']
    client(*volume, 'delete', 'default', f'{v}moved', '--project', tag)
    client('project', 'delete', tag)
    client(*volume, 'delete', 'default', v, '--target', 'm2')
    client(*volume, 'delete', 'default', f'{v}alone', '--target', 'm3')


def test_volume_of_an_instance(client, running, bed, tag):
    volume, v = ('storage', 'volume'), f'{tag}v'
    client(*volume, 'create', 'default', v)
    client(*volume, 'attach', 'default', v, running, 'data', '/data')
    client('exec', running, '--', 'sh', '-c', 'echo kept >/data/f')
    assert f'/1.0/instances/{running}' in yaml.safe_load(client(*volume, 'show', 'default', v))['used_by']
    assert client.fails(*volume, 'delete', 'default', v)
    path = f'/1.0/storage-pools/default/volumes/custom/{v}'
    with pytest.raises(ApiError, match='still in use'):
        bed.members[2].api('POST', f'{path}?target=m2', {'name': v, 'source': {'location': 'm1'}})
    assert [r['location'] for r in bed.members[0].api('GET', f'{path.rpartition("/")[0]}?recursion=1')
            if r['name'] == v] == ['m1']
    client('restart', '-f', running)
    assert client('exec', running, '--', 'cat', '/data/f') == 'kept\n'
    client(*volume, 'detach', 'default', v, running)
    assert client.run('exec', running, '--', 'cat', '/data/f').returncode == 1
    client(*volume, 'delete', 'default', v)


# The cluster

def test_cluster_members(client, tag):
    assert [row[0] for row in client.rows('cluster', 'list')] .count('m2') == 1
    shown = yaml.safe_load(client('cluster', 'show', 'm2'))
    assert shown['status'] == 'Online' and shown['groups'] == ['default']
    client('cluster', 'set', 'm2', 'user.a', 'b')
    assert client('cluster', 'get', 'm2', 'user.a') == 'b\n'
    client('cluster', 'unset', 'm2', 'user.a')
    client.edit('cluster', 'edit', 'm2', old='description:.*', new='description:\\x20words')
    assert yaml.safe_load(client('cluster', 'show', 'm2'))['description'] == 'words'
    client.edit('cluster', 'edit', 'm2', old='description:.*', new='description:')
    client('cluster', 'role', 'add', 'm2', 'control-plane')
    assert 'control-plane' in yaml.safe_load(client('cluster', 'show', 'm2'))['roles']
    client('cluster', 'role', 'remove', 'm2', 'control-plane')
    client('cluster', 'rename', 'm3', tag)
    client('cluster', 'rename', tag, 'm3')
    assert client.fails('cluster', 'show', tag)


def test_cluster_groups(client, tag):
    group = ('cluster', 'group')
    client(*group, 'create', tag)
    client(*group, 'assign', 'm2', f'default,{tag}')
    assert yaml.safe_load(client(*group, 'show', tag))['members'] == ['m2']
    client.edit(*group, 'edit', tag, old='description:.*', new='description:\\x20words')
    assert yaml.safe_load(client(*group, 'show', tag))['description'] == 'words'
    client('init', 'busybox', f'{tag}c', '--target', f'@{tag}')
    assert location(client, f'{tag}c') == 'm2'
    client('delete', f'{tag}c')
    client(*group, 'remove', 'm2', tag)
    if not client.is_lxc:
        client(*group, 'add', 'm3', tag)
        client(*group, 'remove', 'm3', tag)
    client(*group, 'rename', tag, f'{tag}2')
    assert f'{tag}2' in client.names(*group, 'list')
    client(*group, 'delete', f'{tag}2')
    assert client.fails(*group, 'delete', 'default')


def test_cluster_add_and_remove(client, bed, tag):
    token = client('cluster', 'add', 'm4').split()[-1]
    assert 'm4' in client('cluster', 'list-tokens')
    client('cluster', 'add', tag)
    client('cluster', 'revoke-token', tag)
    fourth = bed.add()
    try:
        fourth.start()
        fourth.inside(bed.build / 'musterd', 'init', '--preseed', text=bed.preseed_join(fourth, token))
        assert 'm4' in client.names('cluster', 'list')
        client('init', 'busybox', f'{tag}c', '--target', 'm4')
        assert client.fails('cluster', 'remove', 'm4'), 'it has an instance'
        client('delete', f'{tag}c')
        client('cluster', 'remove', 'm4')
        assert 'm4' not in client.names('cluster', 'list')
    finally:
        bed.discard(fourth)


def test_evacuate_and_restore(client, tag):
    for number in range(2):
        client('launch', 'busybox', f'{tag}c{number}', '--target', 'm2')
    client('cluster', 'evacuate', 'm2', '--force')
    try:
        places = dict(client.rows('list', f'^{tag}', '-c', 'nL'))
        assert len(places) == 2 and 'm2' not in places.values()
        assert {s for _, s in client.rows('list', f'^{tag}', '-c', 'ns')} == {'RUNNING'}
        assert 'EVACUATED' in client('cluster', 'list')
        assert client.fails('init', 'busybox', f'{tag}x', '--target', 'm2')
    finally:
        client('cluster', 'restore', 'm2', '--force')
    assert set(dict(client.rows('list', f'^{tag}', '-c', 'nL')).values()) == {'m2'}
    assert {s for _, s in client.rows('list', f'^{tag}', '-c', 'ns')} == {'RUNNING'}
