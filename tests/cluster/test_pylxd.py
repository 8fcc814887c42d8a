"""pylxd, the Python client of LXD, as Debian packages it: 2.2, which knows instances by their first name, containers."""
import os
import pathlib
import secrets
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'kit'))
import testbed  # noqa: E402

pylxd = pytest.importorskip('pylxd', reason='python3-pylxd is not installed')
MEMBERS = 1


@pytest.fixture
def client(bed):
    path = str(bed.members[0].dir / 'unix.socket').replace('/', '%2F')
    return pylxd.Client(endpoint=f'http+unix://{path}')


@pytest.fixture
def name():
    return 't' + secrets.token_hex(3)


@pytest.fixture
def instance(client, name):
    made = client.containers.create({'name': name, 'source': {'type': 'image', 'alias': 'busybox'}}, wait=True)
    yield made
    made.sync()
    if made.status != 'Stopped':
        made.stop(force=True, wait=True)
    made.delete(wait=True)


def test_server(client):
    assert client.trusted and client.host_info['api_version'] == '1.0'
    assert client.has_api_extension('instances')
    assert client.cluster.get().server_name == 'm1'
    assert [m.server_name for m in client.cluster.members.all()] == ['m1']


def test_power(client, instance):
    instance.start(wait=True)
    assert client.containers.get(instance.name).status == 'Running'
    instance.freeze(wait=True)
    assert instance.state().status == 'Frozen'
    instance.unfreeze(wait=True)
    instance.restart(force=True, wait=True)
    assert instance.state().processes > 0 and 'eth0' in instance.state().network
    instance.stop(force=True, wait=True)
    assert instance.name in [i.name for i in client.containers.all()]
    assert client.containers.exists(instance.name) and not client.containers.exists(instance.name + 'x')


def test_first_names_of_instances(bed, instance):
    api, name = bed.members[0].api, instance.name
    assert f'/1.0/containers/{name}' in api('GET', '/1.0/containers')
    assert [i['name'] for i in api('GET', '/1.0/containers?recursion=1')] == [name]
    assert api('GET', '/1.0/virtual-machines') == []
    assert api('GET', f'/1.0/containers/{name}/state')['status'] == 'Stopped'
    for method, path in (('GET', ''), ('GET', '/state'), ('DELETE', '')):
        with pytest.raises(testbed.ApiError) as error:
            api(method, f'/1.0/virtual-machines/{name}{path}')
        assert error.value.status == 404


def test_execute(instance):
    instance.start(wait=True)
    done = instance.execute(['sh', '-c', 'echo out; echo err >&2; exit 3'])
    assert (done.exit_code, done.stdout, done.stderr) == (3, 'out\n', 'err\n')
    assert instance.execute(['cat'], stdin_payload='to stdin').stdout == 'to stdin'
    assert instance.execute(['sh', '-c', 'echo $A'], environment={'A': 'b'}).stdout == 'b\n'


def test_files(instance):
    for running in (False, True):
        if running:
            instance.start(wait=True)
        instance.files.put('/root/f', b'content', mode=0o600)
        assert instance.files.get('/root/f') == b'content'
        assert instance.files.delete_available() and instance.files.delete('/root/f') is None
        with pytest.raises(pylxd.exceptions.NotFound):
            instance.files.get('/root/f')


def test_config_and_rename(client, instance, name):
    instance.config['user.a'] = 'b'
    instance.save(wait=True)
    assert client.containers.get(name).config['user.a'] == 'b'
    instance.rename(name + 'r', wait=True)
    assert client.containers.exists(name + 'r')
    instance.rename(name, wait=True)


def test_snapshots(client, instance):
    snapshot = instance.snapshots.create('one', wait=True)
    assert [s.name for s in instance.snapshots.all()] == ['one']
    instance.files.put('/root/f', b'later')
    instance.restore_snapshot('one', wait=True)
    with pytest.raises(pylxd.exceptions.NotFound):
        instance.files.get('/root/f')
    snapshot = instance.snapshots.get('one')
    image = snapshot.publish(wait=True)
    assert client.images.exists(image.fingerprint)
    image.delete(wait=True)
    image = instance.publish(wait=True)
    image.delete(wait=True)
    snapshot.rename('uno', wait=True)
    instance.snapshots.get('uno').delete(wait=True)
    assert not instance.snapshots.all()


def test_images(client, bed, name):
    image = client.images.get_by_alias('busybox')
    assert image.properties['os'] == 'busybox'
    exported = image.export().read()
    assert exported == (bed.dir / 'busybox.tar.gz').read_bytes()
    image.add_alias(name, 'words')
    assert client.images.exists(name, alias=True)
    image.delete_alias(name)
    assert [i.fingerprint for i in client.images.all()] == [image.fingerprint]


def test_profiles(client, name):
    profile = client.profiles.create(name, config={'user.a': 'b'}, devices={})
    profile.description = 'words'
    profile.save()
    assert client.profiles.get(name).description == 'words' and client.profiles.exists(name)
    profile.rename(name + 'r')
    client.profiles.get(name + 'r').delete()
    assert not client.profiles.exists(name + 'r')


def test_storage(client, name):
    pool = client.storage_pools.get('default')
    volume = pool.volumes.create({'name': name, 'type': 'custom'}, wait=True)
    assert name in [v.name for v in pool.volumes.all()]
    volume.delete()
    assert pool.resources.get().space['total'] > 0


def test_https(bed, name):
    """From the network of the testbed, by another process: with a certificate that is added and used."""
    first = bed.members[0]
    certificate, key = bed.dir / f'{name}.crt', bed.dir / f'{name}.key'
    testbed.run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1', '-nodes',
                '-days', '2', '-subj', f'/CN={name}', '-keyout', key, '-out', certificate)
    script = ('import sys, pylxd\n'
              'url, cert, key, token = sys.argv[1:]\n'
              'c = pylxd.Client(endpoint=url, cert=(cert, key), verify=False)\n'
              'assert not c.trusted\n'
              'c.api.certificates.post(json={"type": "client", "trust_token": token})\n'
              'c = pylxd.Client(endpoint=url, cert=(cert, key), verify=False)\n'
              'assert c.trusted and c.images.all()\n')
    done = subprocess.run(['nsenter', '-t', str(bed.switch), '-n', '/usr/bin/python3', '-W', 'ignore', '-c', script,
                           bed.url(first), str(certificate), str(key), first.trust_token(name)],
                          env={k: v for k, v in os.environ.items() if not k.endswith('_CA_BUNDLE')}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
