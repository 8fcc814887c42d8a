"""Every route of a daemon, from the program's own tables, with names of what is there.

A route that is new is swept with the others: nothing here names routes one by one.
"""
import re
import subprocess

NAMES = {'/1.0/instances/{name}': 'c1', '/1.0/profiles/{name}': 'p1', '/1.0/projects/{name}': 'default',
         '/1.0/storage-pools/{name}': 'pool', '/1.0/cluster/members/{name}': 'm1',
         '/1.0/cluster/groups/{name}': 'g1', '/1.0/placement-groups/{name}': 'pg1',
         '/1.0/images/aliases/{name}': 'a1'}

# What any trusted client may ask; lists and objects are filtered for a tenant.
FOR_ALL = {'/', '/1.0', '/1.0/metadata/configuration', '/1.0/metrics', '/internal/ready'}


def routes(program):
    """(method, path with {names}, access) of all."""
    text = subprocess.run([program, 'docs', 'rest-api'], capture_output=True, text=True, check=True).stdout
    found = re.findall(r'^\| ([A-Z]+) \| `([^`]+)` \| ([^|]+) \|', text, re.M)
    assert len(found) > 150, len(found)
    return found


def concrete(path, image, pool='pool'):
    """A path that names what is there, in the default project."""
    for pattern, name in NAMES.items():
        if path.startswith(pattern):
            path = path.replace(pattern, pattern.replace('{name}', pool if name == 'pool' else name))
    path = path.replace('/snapshots/{name}', '/snapshots/s1').replace('{pool}', pool).replace('{type}', 'custom')
    path = path.replace('{fingerprint}', image).replace('{snapshot}', 's1').replace('/custom/{name}', '/custom/v1')
    return re.sub(r'\{\w+\}', 'x', path)


def body_of(method):
    return None if method in ('GET', 'DELETE') else {'name': 'evil', 'action': 'start', 'config': {}}


def wrong(method, path, status, raw, secrets):
    """What an answer to somebody without rights must not be; '' if it is right."""
    if status >= 500 and status != 501:
        return 'a failure'
    if 200 <= status < 300 and path not in FOR_ALL and (method != 'GET' or any(s in raw for s in secrets)):
        return 'let in'
    return ''
