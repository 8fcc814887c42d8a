#!/usr/bin/python3
"""Runs a command in a mount namespace whose root is this one's root, even in a chroot.

    own_root.py COMMAND [ARGUMENT...]

In a chroot the root is no mount point, and the kernel refuses user namespaces to a process whose root
is not that of its namespace: no unprivileged container could start. So the chroot becomes the root
of a namespace of its own. Where the root is a mount already, the command is simply run.
"""
import ctypes
import os
import pathlib
import sys

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18
MNT_DETACH = 2
PIVOT_ROOT = {'x86_64': 155, 'aarch64': 41}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    values = [a.encode() if isinstance(a, str) else a for a in arguments]
    if getattr(libc, name)(*values) != 0:
        code = ctypes.get_errno()
        sys.exit(f'{name}{arguments}: {os.strerror(code)}')


def main():
    mounts = pathlib.Path('/proc/self/mountinfo').read_text().splitlines()
    if not any(line.split()[4] == '/' for line in mounts):
        root = os.open('/', os.O_RDONLY | os.O_DIRECTORY)
        folder = os.getcwd()
        call('unshare', CLONE_NEWNS)
        namespace = os.open('/proc/self/ns/mnt', os.O_RDONLY)
        call('setns', namespace, CLONE_NEWNS)  # At the root of the namespace, outside of the chroot.
        call('mount', 'none', '/', None, MS_REC | MS_PRIVATE, None)
        os.fchdir(root)
        path = os.getcwd()
        call('mount', path, path, None, MS_BIND | MS_REC, None)
        os.chdir(path)
        call('syscall', PIVOT_ROOT, '.', '.')
        call('umount2', '.', MNT_DETACH)
        os.chdir(folder)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == '__main__':
    main()
