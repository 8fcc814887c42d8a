"""The demo as a reader runs it: with its output in a pipe, kept, used from outside, and taken down without a trace."""
import contextlib
import os
import pathlib
import subprocess
import tempfile

import testbed

DEMO = testbed.ROOT / 'tests/demo/demo.py'


def processes_in(folder):
    """The processes that have to do with a folder, by their environment or arguments."""
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            text = (path / 'cmdline').read_bytes() + (path / 'environ').read_bytes()
        except OSError:
            continue
        if str(folder).encode() in text and path.name != str(os.getpid()):
            found.append(path.name)
    return found


def mounted_in(folder):
    """The processes that see something mounted below a folder: members have mounts of their own."""
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if str(folder) in (path / 'mountinfo').read_text():
                found.append(path.name)
    return found


def test_the_demo_is_kept_and_stopped():
    with tempfile.TemporaryDirectory(prefix='muster-demo-', dir='/var/tmp') as top:
        pathlib.Path(top).chmod(0o711)  # For the roots of the containers.
        folder = pathlib.Path(top, 'demo')
        env = os.environ | {'MUSTER_DEMO_DIR': str(folder)}
        try:
            # Both ends of the pipes: whoever stays behind with one of them would keep this waiting.
            done = subprocess.run(['/usr/bin/python3', DEMO, '--keep'], env=env, text=True, capture_output=True,
                                  timeout=400, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert 'How long each step took' in done.stdout
            bed = testbed.Testbed.load(folder)
            rows = bed.members[1].api('GET', '/1.0/instances?recursion=1')
            assert sorted(r['name'] for r in rows) == sorted(f'c{n}' for n in range(1, 13))
            assert {r['status'] for r in rows} == {'Running'}
            assert processes_in(folder) and mounted_in(folder)
        finally:
            subprocess.run(['/usr/bin/python3', DEMO, '--stop'], env=env, check=True, timeout=100)
        assert not folder.exists()
        assert not processes_in(folder)
        assert not mounted_in(folder)
