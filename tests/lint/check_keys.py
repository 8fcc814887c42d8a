#!/usr/bin/python3
"""A key of a configuration table that no code reads says so (CONF_IDLE), and one that is read does not."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
ROW = re.compile(r'\{\s*\.name = "([^"]+)",((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}')
rows, literals = [], set()
for folder in ('lib', 'db', 'cluster', 'daemon', 'drivers'):
    for path in sorted((ROOT / folder).rglob('*.[ch]')):
        text = path.read_text()
        rows += [(path.relative_to(ROOT), m[1], m[2]) for m in ROW.finditer(text) if '.type = CONF_' in m[2]]
        rest = re.sub(r'\.(name|doc) =\s*("(?:[^"\\]|\\.)*"\s*)+', '', text)
        literals |= set(re.findall(r'"((?:[^"\\\n]|\\.)*)"', rest))

# Templates of images read any key of these; the rest is free.
READ_BY_PREFIX = ('user.', 'volatile.', 'cloud-init.')
formats = [re.compile(re.escape(text).replace('%s', r'[\w.*-]+')) for text in literals
           if re.fullmatch(r'[a-z-]+(\.[a-z-]+)+\.%s', text)]


def is_read(key):
    base = key.rstrip('*')
    return key in literals or base in literals or any(f.fullmatch(key) for f in formats)


bad = []
for path, key, body in rows:
    # What the daemon keeps for itself, virtual machines' keys, and what is refused whatever it is.
    if re.search(r'CONF_INTERNAL|CONF_VM|unsupported|readonly', body) or key.startswith(READ_BY_PREFIX):
        continue
    if is_read(key) == ('CONF_IDLE' in body):
        bad.append(f'{path}: {key}: {"is read, and says CONF_IDLE" if is_read(key) else "is read nowhere: CONF_IDLE"}')
if len(rows) < 200:
    bad.append(f'only {len(rows)} keys were found')
print('\n'.join(bad))
sys.exit(1 if bad else 0)
