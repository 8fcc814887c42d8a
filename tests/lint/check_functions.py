#!/usr/bin/python3
"""Functions of at most 100 lines and 7 parameters, in files whose median is small."""
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
TOPS = ('lib', 'db', 'cluster', 'drivers', 'daemon', 'client')
MAX_LINES = 100
MAX_PARAMETERS = 7
MAX_MEDIAN = 250

# Functions that a library calls and whose parameters are its choice: 'parameters FILE FUNCTION REASON'.
exempt = set()
for line in (ROOT / 'tests/lint/layers.conf').read_text().splitlines():
    words = line.split('#')[0].split()
    if words[:1] == ['parameters']:
        if len(words) < 4:
            sys.exit(f'layers.conf: "{line}" lacks a reason')
        exempt.add((words[1], words[2]))

sources = sorted(str(p) for top in TOPS for p in (ROOT / top).rglob('*.c'))
tags = subprocess.run(['ctags', '-f', '-', '--languages=C', '--kinds-C=f', '--fields=+neS', '-L', '-'],
                      input='\n'.join(sources), capture_output=True, text=True, check=True).stdout
problems, lengths = [], []
for tag in tags.splitlines():
    name, path, *rest = tag.split('\t')
    fields = dict(field.split(':', 1) for field in rest if ':' in field and not field.startswith('/'))
    if 'end' not in fields:
        continue
    file = str(pathlib.Path(path).relative_to(ROOT))
    where = f'{file}:{fields["line"]}: {name}()'
    length = int(fields['end']) - int(fields['line']) + 1
    lengths.append(length)
    if length > MAX_LINES:
        problems.append(f'{where} has {length} lines')
    parameters = fields.get('signature', '').count(',') + 1
    if (file, name) in exempt:
        exempt.remove((file, name))
    elif parameters > MAX_PARAMETERS:
        problems.append(f'{where} has {parameters} parameters')

problems += [f'layers.conf: there is no {name}() in {file}' for file, name in sorted(exempt)]
sizes = [pathlib.Path(p).read_text().count('\n') for p in sources]
if sizes and statistics.median(sizes) > MAX_MEDIAN:
    problems.append(f'the median file has {statistics.median(sizes):.0f} lines')
print('\n'.join(problems))
print(f'{len(sources)} files, median {statistics.median(sizes):.0f} lines; {len(lengths)} functions, median '
      f'{statistics.median(lengths):.0f} lines; {len(problems)} problems')
sys.exit(1 if problems else 0)
