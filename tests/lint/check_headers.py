#!/usr/bin/python3
"""Every header compiles alone."""
import concurrent.futures
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
COMPILER = sys.argv[2:]
TOPS = ('lib', 'db', 'cluster', 'drivers', 'daemon', 'client', 'tests')
FLAGS = shlex.split(subprocess.run(['pkg-config', '--cflags', 'libuv', 'json-c', 'gnutls', 'libnl-route-3.0'],
                                   capture_output=True, text=True).stdout)


def compile_header(path):
    done = subprocess.run([*COMPILER, '-std=gnu17', '-D_GNU_SOURCE', '-I', str(ROOT), *FLAGS,
                           '-fsyntax-only', '-x', 'c', str(path)], capture_output=True, text=True)
    return done.stderr if done.returncode else ''


headers = sorted(p for top in TOPS for p in (ROOT / top).rglob('*.h'))
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    errors = [e for e in pool.map(compile_header, headers) if e]
print('\n'.join(errors) or f'{len(headers)} headers')
sys.exit(1 if errors else 0)
