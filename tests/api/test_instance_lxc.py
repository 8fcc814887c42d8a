"""Debian's own client at work inside a container: exec, console and file, with and without a terminal."""
import fcntl
import os
import pty
import secrets
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from conftest import KIT

sys.path.insert(0, KIT)
from terminal import read_some  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("lxc"), reason="no lxc client here")


@pytest.fixture
def env(container, tmp_path):
    env = dict(os.environ, LXD_DIR=str(container.member.dir), LXD_CONF=str(tmp_path / "conf"), TERM="xterm")
    lxc(env, "list")  # Its first command ever says what to do first.
    return env


def lxc(env, *args, **more):
    return subprocess.run(["lxc", *args], env=env, capture_output=True, timeout=60, **more)


class Terminal:
    """The client on a terminal of our own."""

    def __init__(self, env, *args, rows=33, cols=77):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            os.execvpe("lxc", ["lxc", *args], env)
        self.out = b""

    def wait_for(self, text, timeout=20):
        """Reads until 'text' has come since the last time; None: to the end."""
        deadline = time.monotonic() + timeout
        while text is None or text not in self.out:
            assert select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0], self.out
            data = read_some(self.fd)
            if not data:
                assert text is None, self.out
                return self.out
            self.out += data
        before, _, self.out = self.out.partition(text)
        return before

    def has(self, text, timeout=1):
        """Whether 'text' has come or comes so soon."""
        if text not in self.out and select.select([self.fd], [], [], timeout)[0]:
            data = read_some(self.fd)
            assert data, self.out
            self.out += data
        return text in self.out

    def type(self, text):
        os.write(self.fd, text)

    def wait_taken(self, timeout=20):
        """Until the client has read what was typed. It only looks at the first byte of what it reads at once."""
        side = os.open(f"/proc/{self.pid}/fd/0", os.O_RDONLY | os.O_NOCTTY)
        deadline = time.monotonic() + timeout
        try:
            # What is on its way to that side arrives before this looks; nobody tells when it is gone again.
            while select.select([side], [], [], 0)[0]:
                assert time.monotonic() < deadline, "the client does not read"
                time.sleep(0.001)
        finally:
            os.close(side)

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def end(self):
        self.wait_for(None)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


def test_exec(env, tmp_path):
    done = lxc(env, "exec", "c1", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    data = secrets.token_bytes(1 << 20)
    assert lxc(env, "exec", "c1", "--", "cat", input=data).stdout == data
    done = lxc(env, "exec", "c1", "--cwd", "/etc", "--env", "A=b", "--user", "1000", "--group", "5", "--",
               "sh", "-c", "pwd; echo $A; id -u; id -g")
    assert done.stdout == b"/etc\nb\n1000\n5\n"
    done = lxc(env, "exec", "c1", "--", "/no/such")
    assert done.returncode == 127
    assert lxc(env, "exec", "nope", "--", "true").returncode == 1


def test_exec_in_a_terminal(env):
    t = Terminal(env, "exec", "c1", "--", "sh")
    t.wait_for(b"# ")
    t.type(b"stty size; tty\r")
    t.wait_for(b"33 77")
    t.wait_for(b"/dev/pts/")
    # What is typed and the size go separate ways: the shell waits for the signal that says it has changed.
    t.type(b"sleep 1000 & trap 'stty size; kill $!' WINCH; echo $((40 + 2)); wait\r")
    t.wait_for(b"42")
    t.resize(50, 120)
    t.wait_for(b"50 120")
    t.wait_for(b"# ")
    # A process that says itself that it runs: a signal between two commands of the shell's own is nobody's.
    t.type(b"sh -c 'echo $((50 + 5)); exec sleep 1000'\r")
    t.wait_for(b"55")
    t.type(b"\x03")
    t.wait_for(b"# ")
    t.type(b"exit 5\r")
    assert t.end() == 5


def test_a_signal_is_passed_on(env):
    process = subprocess.Popen(["lxc", "exec", "c1", "--", "sh", "-c", "echo ready; exec sleep 1000"], env=env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    process.stdout.close()


def test_console(env, container):
    t = Terminal(env, "console", "c1")
    t.wait_for(b"<ctrl>+a q")
    deadline = time.monotonic() + 60
    while not t.has(b"seen"):
        # What is written before somebody is on the console goes into its log alone.
        assert time.monotonic() < deadline, t.out
        assert container.output("sh", "-c", "echo seen > /dev/console")[0] == 0
    t.type(b"\x01")
    t.wait_taken()
    t.type(b"q")
    assert t.end() == 0
    assert b"seen" in lxc(env, "console", "c1", "--show-log").stdout


def test_files(env, tmp_path):
    data = secrets.token_bytes(100000)
    (tmp_path / "f").write_bytes(data)
    assert lxc(env, "file", "push", str(tmp_path / "f"), "c1/root/f", "--mode", "0600", "--uid", "5").returncode == 0
    assert lxc(env, "file", "pull", "c1/root/f", "-").stdout == data
    assert lxc(env, "exec", "c1", "--", "stat", "-c", "%u %a", "/root/f").stdout == b"5 600\n"
    assert lxc(env, "file", "edit", "c1/root/f", input=b"edited").returncode == 0
    assert lxc(env, "file", "pull", "c1/root/f", "-").stdout == b"edited"
    assert lxc(env, "file", "push", "-p", str(tmp_path / "f"), "c1/root/a/b/f").returncode == 0
    assert lxc(env, "file", "delete", "c1/root/f").returncode == 0
    done = lxc(env, "file", "pull", "c1/root/f", "-")
    assert done.returncode == 1 and b"does not exist" in done.stderr


def test_trees(env, tmp_path):
    tree = tmp_path / "tree"
    (tree / "d" / "e").mkdir(parents=True)
    (tree / "a").write_bytes(secrets.token_bytes(70000))
    (tree / "d" / "e" / "b").write_text("b")
    (tree / "link").symlink_to("a")
    assert lxc(env, "file", "push", "-r", str(tree), "c1/root/").returncode == 0
    out = tmp_path / "out"
    out.mkdir()
    assert lxc(env, "file", "pull", "-r", "c1/root/tree", str(out)).returncode == 0
    assert (out / "tree" / "a").read_bytes() == (tree / "a").read_bytes()
    assert (out / "tree" / "d" / "e" / "b").read_text() == "b"
    assert os.path.islink(out / "tree" / "link")
