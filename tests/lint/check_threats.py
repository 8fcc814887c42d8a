#!/usr/bin/python3
"""Each test that docs/THREATS.md names is there, and each row names one."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
bad, rows = [], 0
for line in (ROOT / 'docs/THREATS.md').read_text().splitlines():
    if not line.startswith('|') or line.startswith(('| may try', '| ---')):
        continue
    rows += 1
    named = re.findall(r'`(tests/[^`]+)`', line)
    if not named:
        bad.append(f'no test: {line}')
    for name in named:
        path, _, test = name.partition('::')
        file = ROOT / path
        word = rf'^def {test}\(' if path.endswith('.py') else rf'^static void {test}\('
        if not file.is_file() or test and not re.search(word, file.read_text(), re.M):
            bad.append(f'there is no {name}')
if rows < 40:
    bad.append(f'only {rows} rows were found')
print('\n'.join(bad))
sys.exit(1 if bad else 0)
