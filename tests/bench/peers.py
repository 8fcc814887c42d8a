"""The two daemons that the benchmark compares, on the same testbed: ours and Debian's LXD.

Both get the same namespaces, the same preseed and the same requests, and both are ready when their
socket answers, so that nothing but the daemon differs.
"""
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'kit'))
import testbed  # noqa: E402


class PolledMember(testbed.Member):
    """Ready when its socket answers: LXD tells a service manager nothing unless one started it.

    So it is asked again and again. Its socket being there, which could be waited for, is earlier: it
    listens before it answers, and a member that starts again finds the socket of the last time.
    """

    def start(self, timeout=60, environment=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith(('LISTEN_', 'LXD_', 'MUSTER_', 'NOTIFY_'))}
        env |= {'LXD_DIR': str(self.dir), 'MUSTER_DIR': str(self.dir)} | (environment or {})
        began = time.monotonic()
        with open(self.log, 'ab') as log:
            process = self.spawn(log, env)
        while True:
            try:
                self.api('GET', '/1.0')
                break
            except (OSError, ValueError, testbed.ApiError):
                if process.poll() is not None or time.monotonic() > began + timeout:
                    raise RuntimeError(f'{self.name} did not start:\n{self.tail()}') from None
                time.sleep(0.001)
        self.start_ms = (time.monotonic() - began) * 1e3
        # nsenter stays as the parent of the first process in the PID namespace.
        children = pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
        self.pid = int(children[0]) if children else process.pid
        self.bed.save()
        return self


class Peer(testbed.Testbed):
    member_class = PolledMember

    def up_for_bench(self, count):
        """One standalone server, or a cluster of several."""
        if count > 1:
            return self.up(count, clustered=True)
        self.up(1, clustered=False)
        self.members[0].inside(*self.init, text=self.preseed_first().split('\ncluster:\n')[0] + '\n')
        return self


class Lxd(Peer):
    def __init__(self, folder):
        super().__init__(folder, net='10.87.0', daemon=['lxd', '--group', 'root'])
        self.init = ['lxd', 'init', '--preseed']


class Muster(Peer):
    def __init__(self, folder):
        super().__init__(folder, net='10.88.0')


PEERS = {'lxd': Lxd, 'muster': Muster}


def version(who):
    """What is compared, as the head of the table says it."""
    if who == 'muster':
        return 'Muster'
    text = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', 'lxd'], capture_output=True, text=True,
                          check=True).stdout
    return f'LXD {text.split("-")[0]}'
