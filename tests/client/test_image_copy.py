"""Images from one server to another, by whom the user says."""
import os
import secrets
import subprocess

import pytest

from conftest import MUSTERD, SERVER, Muster, free_address

pytestmark = pytest.mark.skipif(bool(SERVER), reason='needs two servers of its own')


@pytest.fixture(scope='module')
def other(scratch):
    """A second server: its directory and address."""
    path = os.path.join(scratch, 'o' + secrets.token_hex(4))
    environment = dict(os.environ, MUSTER_DIR=path, LXD_DIR=path)
    with open(path + '.log', 'wb') as log:
        process = subprocess.Popen([MUSTERD], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        assert subprocess.run([MUSTERD, 'waitready', '--timeout', '30'], env=environment).returncode == 0
        address = free_address()
        Muster(path, path + '.conf').ok('config', 'set', 'core.https_address=' + address)
        yield path, address
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def two(muster, other, https):
    """The client with the second server as the remote "other"."""
    path, address = other
    token = Muster(path, path + '.conf').ok('config', 'trust', 'add', '--name', 'me').lines[-1]
    muster.ok('remote', 'add', 'other', address, '--token', token, '--accept-certificate')
    return muster


@pytest.mark.parametrize('mode', ['pull', 'push'])
@pytest.mark.parametrize('public', [[], ['--public']], ids=['private', 'public'])
def test_an_image_is_copied(two, image_file, name, mode, public):
    two.ok('image', 'import', image_file, '--alias', name, *public)
    try:
        two.ok('image', 'copy', name, 'other:', '--mode', mode, '--copy-aliases', '--alias', name + '2')
        here = two.ok('image', 'info', name).out
        there = two.ok('image', 'info', 'other:' + name).out
        assert here.splitlines()[0] == there.splitlines()[0] and 'Fingerprint' in here
        assert 'Public: no' in there
        two.ok('image', 'delete', 'other:' + name + '2')
        two.ok('image', 'copy', name, 'other:', '--mode', mode)
        two.ok('image', 'delete', 'other:' + here.split()[1])
    finally:
        two.ok('image', 'delete', name)


def test_another_mode_is_a_mistake(two, image_file, name):
    two.ok('image', 'import', image_file, '--alias', name)
    assert 'transfer mode' in two.fails('image', 'copy', name, 'other:', '--mode', 'throw')
    two.ok('image', 'delete', name)
