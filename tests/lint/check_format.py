#!/usr/bin/python3
"""clang-format over the whole tree, and its off switch only around tables."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
TOPS = ('lib', 'db', 'cluster', 'drivers', 'daemon', 'client', 'tests')

if not shutil.which('clang-format'):
    print('clang-format is not installed')
    sys.exit(77)

files = sorted(p for top in TOPS for p in (ROOT / top).rglob('*.[ch]'))
problems = 0
for path in files:
    for part in re.findall(r'/\* clang-format off \*/\s*(.*)', path.read_text()):
        if not re.match(r'(static )?const|static .*const .*\{$|#define|enum|extern const|struct', part):
            print(f'{path.relative_to(ROOT)}: clang-format off around something else than a table: {part}')
            problems += 1
done = subprocess.run(['clang-format', '--dry-run', '-Werror', '--ferror-limit=3', *map(str, files)],
                      cwd=ROOT, capture_output=True, text=True)
print(done.stderr[-8000:])
sys.exit(1 if problems or done.returncode else 0)
