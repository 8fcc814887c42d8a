"""The client against a daemon: one that the tests start, or the one of MUSTER_TEST_DIR.

MUSTERD and MUSTER name the programs; meson sets them. A server that is not ours keeps nothing: each
test removes what it has made.
"""
import os
import pathlib
import pty
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/kit'))
import terminal  # noqa: E402

MUSTER = os.environ.get('MUSTER', str(ROOT / 'build/muster'))
MUSTERD = os.environ.get('MUSTERD', str(ROOT / 'build/musterd'))
SERVER = os.environ.get('MUSTER_TEST_DIR')


class Result:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def lines(self):
        return self.out.splitlines()


class Muster:
    """Runs the client with a config directory of its own."""

    def __init__(self, socket_dir, conf):
        self.environment = dict(os.environ, MUSTER_DIR=socket_dir, MUSTER_CONF=conf, TZ='UTC',
                                LC_ALL='C.UTF-8')
        self.conf = conf

    def run(self, *words, stdin=None, timeout=120, **environment):
        return Result(subprocess.run([MUSTER, *words], input=stdin, text=True, capture_output=True,
                                     stdin=None if stdin is not None else subprocess.DEVNULL,
                                     env=dict(self.environment, **environment), timeout=timeout))

    def ok(self, *words, **options):
        done = self.run(*words, **options)
        assert done.status == 0, f'muster {" ".join(words)}: {done.err}{done.out}'
        return done

    def fails(self, *words, **options):
        done = self.run(*words, **options)
        assert done.status == 1, f'muster {" ".join(words)} ended with {done.status}: {done.out}'
        assert 'Error: ' in done.err
        return done.err

    def on_terminal(self, *words, keys=(), limit=60, **environment):
        """Runs it on a terminal; each of 'keys' is (text to wait for, what to type then)."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(MUSTER, [MUSTER, *words], dict(self.environment, TERM='xterm', **environment))
        out, waiting, end = b'', list(keys), time.monotonic() + limit
        seen = 0
        while time.monotonic() < end:
            if not select.select([fd], [], [], 1)[0]:
                continue
            data = terminal.read_some(fd)
            if not data:
                break
            out += data
            while waiting and waiting[0][0].encode() in out[seen:]:
                seen = out.index(waiting[0][0].encode(), seen) + len(waiting[0][0])
                os.write(fd, waiting.pop(0)[1].encode())
        else:
            os.kill(pid, signal.SIGKILL)
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, out.decode(errors='replace')


@pytest.fixture(scope='session')
def scratch():
    path = tempfile.mkdtemp(prefix='muster-client-')
    os.chmod(path, 0o711)  # Unprivileged containers live below it.
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope='module')
def server(scratch):
    """The directory with the unix socket of a running server."""
    if SERVER:
        yield SERVER
        return
    path = os.path.join(scratch, 's' + secrets.token_hex(4))
    environment = dict(os.environ, MUSTER_DIR=path, LXD_DIR=path)
    with open(path + '.log', 'wb') as log:
        process = subprocess.Popen([MUSTERD, '--debug'], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
    ready = subprocess.run([MUSTERD, 'waitready', '--timeout', '30'], env=environment)
    assert ready.returncode == 0, pathlib.Path(path + '.log').read_text(errors='replace')
    yield path
    subprocess.run([MUSTERD, 'shutdown'], env=environment, timeout=120)
    try:
        process.wait(30)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def muster(server, tmp_path):
    return Muster(server, str(tmp_path / 'conf'))


@pytest.fixture
def name():
    """A name that nothing else has."""
    return 't' + secrets.token_hex(4)


@pytest.fixture(scope='session')
def image_file(scratch):
    path = os.path.join(scratch, 'image.tar.gz')
    subprocess.run([sys.executable, ROOT / 'tests/kit/busybox_image.py', path], check=True)
    return path


@pytest.fixture(scope='module')
def image(server, image_file, tmp_path_factory):
    """The alias of an image, on a server that has a pool for its instances."""
    if os.geteuid() != 0:
        pytest.skip('containers need root')
    client = Muster(server, str(tmp_path_factory.mktemp('conf')))
    alias = 'i' + secrets.token_hex(4)
    if not SERVER:
        client.ok('storage', 'create', 'default', 'dir')
        client.ok('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default')
    client.ok('image', 'import', image_file, '--alias', alias, '--reuse')
    yield alias
    client.ok('image', 'delete', alias)


@pytest.fixture
def instance(muster, image, name):
    muster.ok('launch', image, name)
    yield name
    muster.ok('delete', '--force', name)


def free_address():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return '127.0.0.1:%d' % s.getsockname()[1]


@pytest.fixture(scope='module')
def https(server, tmp_path_factory):
    """The address on which the server answers HTTPS."""
    client = Muster(server, str(tmp_path_factory.mktemp('conf')))
    if SERVER:
        where = client.ok('config', 'get', 'core.https_address').out.strip()
        if not where:
            pytest.skip('the server does not listen on HTTPS')
        return where
    where = free_address()
    client.ok('config', 'set', 'core.https_address=' + where)
    return where
