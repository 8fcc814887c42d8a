"""Command line clients, run against a testbed: Debian's `lxc` and our `muster`, which take the same commands.

A client speaks to the first member, on its unix socket or as a remote over HTTPS from the switch of
the testbed. Its configuration is a folder of its own.
"""
import contextlib
import os
import pty
import select
import subprocess

import terminal
from testbed import run

TIMEOUT = float(os.environ.get("MUSTER_TEST_TIMEOUT", "120"))


class Failed(AssertionError):
    pass


class Client:
    def __init__(self, bed, program, https, folder):
        self.bed, self.https = bed, https
        self.is_lxc = 'muster' not in os.path.basename(str(program))
        self.name = f'{"lxc" if self.is_lxc else "muster"}-{"https" if https else "socket"}'
        self.folder = bed.dir / folder
        self.folder.mkdir()
        conf = self.folder / 'conf'
        conf.mkdir()
        self.env = os.environ | {'HOME': str(self.folder), 'LXD_CONF': str(conf), 'MUSTER_CONF': str(conf)}
        for key in ('LXD_DIR', 'MUSTER_DIR'):
            self.env.pop(key, None)
            if not https:
                self.env[key] = str(bed.members[0].dir)
        self.enter = ['nsenter', '-t', str(bed.switch), '-n'] if https else []
        self.program = str(program)
        if https:
            token = bed.members[0].trust_token(folder)
            self('remote', 'add', 'bed', token)
            self('remote', 'switch', 'bed')

    def argv(self, *argv):
        return [*self.enter, self.program, *map(str, argv)]

    def run(self, *argv, text=None, **env):
        return subprocess.run(self.argv(*argv), env=self.env | env, text=True, input=text or '',
                              capture_output=True, timeout=TIMEOUT, check=False)

    def __call__(self, *argv, text=None, **env):
        """Runs a command that must succeed; what it printed."""
        done = self.run(*argv, text=text, **env)
        if done.returncode:
            raise Failed(f'{self.name} {" ".join(map(str, argv))}: {done.returncode}: {done.stderr or done.stdout}')
        return done.stdout

    def fails(self, *argv, text=None):
        """Runs a command that must fail; its error."""
        done = self.run(*argv, text=text)
        if not done.returncode:
            raise Failed(f'{self.name} {" ".join(map(str, argv))}: did not fail: {done.stdout}')
        return done.stderr

    def rows(self, *argv):
        """The rows of a list."""
        return [line.split(',') for line in self(*argv, '-f', 'csv').splitlines()]

    def names(self, *argv):
        """The first column of a list."""
        return [row[0] for row in self.rows(*argv)]

    def popen(self, *argv):
        return subprocess.Popen(self.argv(*argv), env=self.env, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def on_terminal(self, *argv, typed=b'', after=b'', **env):
        """Runs a command on a terminal, types when 'after' has been printed; exit status and output."""
        pid, fd = pty.fork()
        if pid == 0:
            with contextlib.suppress(OSError):
                full = self.argv(*argv)
                os.execvpe(full[0], full, self.env | {'TERM': 'xterm'} | env)
            os._exit(127)
        output = b''
        try:
            while True:
                if not select.select([fd], [], [], TIMEOUT)[0]:
                    os.kill(pid, 9)
                    raise Failed(f'{self.name} {" ".join(map(str, argv))}: silent on a terminal: {output!r}')
                data = terminal.read_some(fd)
                if not data:
                    break
                output += data
                if typed and after in output:
                    os.write(fd, typed)
                    typed = b''
        finally:
            os.close(fd)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, output.decode(errors='replace').replace('\r\n', '\n')

    def edit(self, *argv, old, new):
        """An `edit` command in an editor that replaces one text; both without blanks."""
        status, output = self.on_terminal(*argv, EDITOR=f'sed -i s|{old}|{new}|')
        if status:
            raise Failed(f'{self.name} {" ".join(map(str, argv))}: {status}: {output}')
