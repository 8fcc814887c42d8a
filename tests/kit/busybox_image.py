#!/usr/bin/python3
"""Builds a small container image, one unified tarball, from this machine's static busybox.

Same input, same bytes, so that its fingerprint is the same wherever the tests run.

    busybox_image.py OUT.tar.gz [--init quick|busybox] [--pad-mb N]

quick: init ends at once on SIGPWR, so that a stop measures the control plane and not busybox.
"""
import argparse
import gzip
import hashlib
import io
import os
import platform
import subprocess
import tarfile

WHEN = 1700000000
BUSYBOX = '/bin/busybox'

INIT_QUICK = b"""#!/bin/sh
trap 'exit 0' PWR TERM INT USR1 USR2
hostname "$(cat /etc/hostname)" 2>/dev/null
sleep 2147483647 &
while :; do wait; done
"""
INITTAB = b"""::sysinit:/bin/true
::respawn:/bin/sleep 2147483647
::shutdown:/bin/true
"""
METADATA = """architecture: {arch}
creation_date: {when}
properties:
  architecture: {arch}
  description: busybox ({init} init)
  os: busybox
  release: test
templates:
  /etc/hostname:
    when:
    - create
    - copy
    - rename
    template: hostname.tpl
"""


def applets():
    names = subprocess.run([BUSYBOX, '--list'], capture_output=True, text=True, check=True).stdout.split()
    return [name for name in names if name not in ('busybox', 'init', 'linuxrc')]


def noise(size):
    """Bytes that do not compress and are always the same."""
    out = bytearray()
    block = b'muster'
    while len(out) < size:
        block = hashlib.sha512(block).digest()
        out += block
    return bytes(out[:size])


def build(path, init='quick', pad_mb=0):
    raw = io.BytesIO()
    tar = tarfile.open(fileobj=raw, mode='w', format=tarfile.GNU_FORMAT)

    def add(name, kind=tarfile.REGTYPE, mode=0o644, data=b'', link=''):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime, info.linkname, info.size = kind, mode, WHEN, link, len(data)
        tar.addfile(info, io.BytesIO(data))

    add('metadata.yaml', data=METADATA.format(arch=platform.machine(), when=WHEN, init=init).encode())
    add('templates', tarfile.DIRTYPE, 0o755)
    add('templates/hostname.tpl', data=b'{{ instance.name }}\n')
    for folder in ('', 'bin', 'sbin', 'etc', 'dev', 'proc', 'sys', 'root', 'tmp', 'run', 'usr', 'usr/bin',
                   'usr/sbin', 'var', 'var/log', 'mnt', 'opt', 'home'):
        mode = {'tmp': 0o1777, 'root': 0o700}.get(folder, 0o755)
        add(('rootfs/' + folder).rstrip('/'), tarfile.DIRTYPE, mode)
    with open(BUSYBOX, 'rb') as f:
        add('rootfs/bin/busybox', mode=0o755, data=f.read())
    for name in applets():
        add('rootfs/bin/' + name, tarfile.SYMTYPE, 0o777, link='busybox')
    add('rootfs/etc/passwd', data=b'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n')
    add('rootfs/etc/group', data=b'root:x:0:\nnogroup:x:65534:\n')
    add('rootfs/etc/hostname', data=b'localhost\n')
    add('rootfs/etc/hosts', data=b'127.0.0.1 localhost\n')
    if init == 'quick':
        add('rootfs/sbin/init', mode=0o755, data=INIT_QUICK)
    else:
        add('rootfs/sbin/init', tarfile.SYMTYPE, 0o777, link='../bin/busybox')
        add('rootfs/etc/inittab', data=INITTAB)
    if pad_mb:
        add('rootfs/pad', data=noise(pad_mb * 1000000))
    tar.close()

    temporary = f'{path}.{os.getpid()}'
    with open(temporary, 'wb') as f:
        with gzip.GzipFile(fileobj=f, mode='wb', compresslevel=6, mtime=0, filename='') as z:
            z.write(raw.getvalue())
    os.replace(temporary, path)
    return path


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('out')
    parser.add_argument('--init', choices=('quick', 'busybox'), default='quick')
    parser.add_argument('--pad-mb', type=int, default=0)
    args = parser.parse_args()
    build(args.out, args.init, args.pad_mb)
