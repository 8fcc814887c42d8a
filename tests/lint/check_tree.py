#!/usr/bin/python3
"""The shape of the tree, checked: layers, cycles, include form, size of files, names."""
import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
TOPS = ('lib', 'db', 'cluster', 'drivers', 'daemon', 'client', 'tests')
MAX_LINES = 1000
problems = []


def inside(path, folder):
    return path == folder or path.startswith(folder + '/')


def read_conf():
    layers, prefixes = {}, {}
    for line in (ROOT / 'tests/lint/layers.conf').read_text().splitlines():
        words = line.split('#')[0].split()
        if words[:1] == ['prefix']:
            prefixes[words[1]] = words[2]
        elif words and words[0] != 'parameters':
            folder, *may = words
            for name in may:
                if name != '-' and not any(inside(above, name) for above in layers):
                    problems.append(f'layers.conf: {folder} names {name}, which is not above it')
            layers[folder] = [name for name in may if name != '-']
    return layers, prefixes


def check_includes(path, text):
    every = re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)', text, re.M)
    found = [name for mark, name in every if mark == '"']
    own = path[:-2] + '.h'
    if path.endswith('.c') and own in sources and every[:1] != [('"', own)]:
        problems.append(f'{path}: include "{own}" first')

    mine = max((f for f in layers if inside(path, f)), key=len, default=None)
    if not mine:
        problems.append(f'{path}: in no row of layers.conf')
        return
    for name in found:
        if name not in sources:
            problems.append(f'{path}: "{name}" is not a path from the root')
            continue
        includes[path].append(name)
        if not inside(name, mine) and not any(inside(name, may) for may in layers[mine]):
            problems.append(f'{path}: {mine} may not include "{name}"')


def find_cycle():
    done, trail = set(), []

    def walk(path):
        if path in trail:
            return trail[trail.index(path):] + [path]
        if path in done:
            return None
        trail.append(path)
        for name in includes[path]:
            cycle = walk(name)
            if cycle:
                return cycle
        done.add(trail.pop())
        return None

    return next((cycle for cycle in map(walk, sources) if cycle), None)


def check_names():
    """storage_driver_find() lives in storage_driver.c, db_instance_get() in db/instances.c."""
    code = [str(ROOT / p) for p in sources if p.endswith('.c') and not inside(p, 'tests')]
    tags = subprocess.run(['ctags', '-f', '-', '--languages=C', '--kinds-C=f', '--excmd=number',
                           '--fields={file}', '-L', '-'],
                          input='\n'.join(code), capture_output=True, text=True, check=True).stdout
    for name, path, *rest in (tag.split('\t') for tag in tags.splitlines()):
        path = pathlib.Path(path).relative_to(ROOT).as_posix()
        stem = pathlib.Path(path).stem
        words = [prefixes.get(path, stem.rstrip('s'))]
        words += [path.split('/')[0] + '_' + word for word in words]
        if 'file:' not in rest and name != 'main' and not name.startswith(tuple(words)):
            problems.append(f'{path}: {name}() does not begin with {words[0]}')


layers, prefixes = read_conf()
includes = collections.defaultdict(list)
sources = sorted(p.relative_to(ROOT).as_posix() for top in TOPS for p in (ROOT / top).rglob('*.[ch]'))
for path in sources:
    text = (ROOT / path).read_text()
    if text.count('\n') > MAX_LINES:
        problems.append(f'{path}: more than {MAX_LINES} lines')
    if path.endswith('.h') and '#pragma once' not in text:
        problems.append(f'{path}: no #pragma once')
    check_includes(path, text)

cycle = find_cycle()
if cycle:
    problems.append('cycle: ' + ' -> '.join(cycle))
check_names()

print('\n'.join(problems + [f'{len(sources)} files, {sum(map(len, includes.values()))} includes, '
                            f'{len(problems)} problems']))
sys.exit(1 if problems else 0)
