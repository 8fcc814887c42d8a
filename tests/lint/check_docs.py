#!/usr/bin/python3
"""The reference pages in docs/ are what the daemon's tables say; --update rewrites them."""
import pathlib
import subprocess
import sys

PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
stale = []
for page in ('rest-api', 'config', 'events'):
    text = subprocess.run([PROGRAM, 'docs', page], capture_output=True, text=True, check=True).stdout
    path = ROOT / 'docs' / f'{page}.md'
    if '--update' in sys.argv:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        stale.append(str(path.relative_to(ROOT)))
if stale:
    print('stale:', *stale)
    print('tests/lint/check_docs.py build/musterd . --update')
sys.exit(1 if stale else 0)
