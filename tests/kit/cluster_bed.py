"""What tests of clusters do with a testbed: instances by the dozen, and where they really are.

Where an instance runs is read from the control groups and where its files are from the disk, so
that what the daemons say can be checked against it.
"""
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import tempfile
import time
import uuid

import busybox_image
import testbed


@contextlib.contextmanager
def cluster(count=3, driver='dir', **options):
    """A cluster of 'count' members with the image "busybox"; gone afterwards."""
    folder = tempfile.mkdtemp(prefix='muster-cluster-', dir='/var/tmp')
    build = os.environ.get('MUSTER_BUILD', testbed.ROOT / 'build')
    if os.environ.get('MUSTER_DEBUG'):
        options.setdefault('daemon', [f'{build}/musterd', '--group', 'root', '--debug'])
    bed = testbed.Testbed(folder, build=build, **options)
    try:
        bed.up(count, clustered=True, driver=driver)
        import_image(bed)
        yield bed
    finally:
        if os.environ.get('MUSTER_LOGS'):
            for member in bed.members:
                shutil.copy(member.log, os.environ['MUSTER_LOGS'])
        bed.down()


def import_image(bed, alias='busybox'):
    path = busybox_image.build(str(bed.dir / 'busybox.tar.gz'))
    member = bed.members[0]
    done = member.api('POST', '/1.0/images', pathlib.Path(path).read_bytes(),
                      headers={'Content-Type': 'application/octet-stream'})
    fingerprint = done['metadata']['fingerprint']
    member.api('POST', '/1.0/images/aliases', {'name': alias, 'target': fingerprint})
    return fingerprint


def launch(bed, names, target=None, through=None, **config):
    """Launches them at the same time, on one member or where they are placed."""
    member = through or bed.members[0]
    query = f'?target={target}' if target else ''

    def one(name):
        member.api('POST', f'/1.0/instances{query}', {
            'name': name, 'source': {'type': 'image', 'alias': 'busybox'},
            'config': {k.replace('__', '.'): v for k, v in config.items()}, 'start': True})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, names))


def delete_all(bed, through=None):
    member = through or bed.members[0]

    def one(name):
        with contextlib.suppress(testbed.ApiError):
            member.api('PUT', f'/1.0/instances/{name}/state', {'action': 'stop', 'force': True})
        member.api('DELETE', f'/1.0/instances/{name}')

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, [i['name'] for i in member.api('GET', '/1.0/instances?recursion=1')]))


def processes_of(member, name):
    """The processes of an instance on a member, by its control group."""
    found = []
    for top in testbed.cgroup_folders(member.bed.cgroup(member)):
        if top.parent.name != 'pids' and '/pids/' not in str(top) and not str(top).startswith('/sys/fs/cgroup/unified'):
            continue
        for payload in top.glob(f'muster.payload.*/{name}'):
            for folder, _, _ in os.walk(payload):
                with contextlib.suppress(OSError):
                    found += pathlib.Path(folder, 'cgroup.procs').read_text().split()
    return found


def settled(member, name):
    """The processes of an instance whose init has come to its last step, which is to sleep: until then they come and go."""
    def sleeps(pid):
        with contextlib.suppress(OSError):
            return b'2147483647' in pathlib.Path('/proc', pid, 'cmdline').read_bytes()
        return False

    until(lambda: any(map(sleeps, processes_of(member, name))), what=f'the init of {name} sleeps')
    return processes_of(member, name)


def runs_on(bed, name):
    """The members on which it has processes: one, if all is well."""
    return [m.name for m in bed.members if processes_of(m, name)]


def volume(member, name, pool='default'):
    """Where its volume is, or would be, seen through the mounts of the member."""
    return pathlib.Path(f'/proc/{member.holder}/root{member.dir}/storage-pools/{pool}/containers/{name}')


def files_on(bed, name):
    """The members on which it has a volume."""
    return [m.name for m in bed.members if volume(m, name).exists()]


def rows(member):
    return {i['name']: i for i in member.api('GET', '/1.0/instances?recursion=1')}


def votes(row):
    """Whether a row of the members says that this one votes in the database."""
    return bool({'database-leader', 'database-voter'} & set(row['roles']))


def mark(bed, name):
    """Writes something into an instance that must be there wherever it goes."""
    text = str(uuid.uuid4())
    home = next(m for m in bed.members if volume(m, name).exists())
    path = volume(home, name) / 'rootfs/root/mark'
    path.write_text(text)
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    return text


def read_mark(member, name):
    try:
        return (volume(member, name) / 'rootfs/root/mark').read_text()
    except OSError:
        return None


def check_all_well(bed, names, marks=None, through=None):
    """Each runs once, where the database says, with its files there and nowhere else."""
    member = through or next(m for m in bed.members if m.pid)
    known = rows(member)
    wrong = []
    for name in names:
        row = known.get(name)
        if not row:
            wrong.append(f'{name} is lost')
            continue
        where, files = runs_on(bed, name), files_on(bed, name)
        if where != [row['location']]:
            wrong.append(f'{name} is on {row["location"]} and runs on {where or "no member"}')
        if files != [row['location']]:
            wrong.append(f'{name} is on {row["location"]} and has files on {files}')
        if row['status'] != 'Running':
            wrong.append(f'{name} is {row["status"]}')
        if marks and not wrong and read_mark(bed.member(row['location']), name) != marks[name]:
            wrong.append(f'{name} has lost what was written into it')
    assert not wrong, '; '.join(wrong)
    return {name: known[name]['location'] for name in names}


def begin(member, name, action, **options):
    """Begins to evacuate or restore a member; the operation's URL."""
    _, _, answer = member.request('POST', f'/1.0/cluster/members/{name}/state', {'action': action} | options)
    if answer['type'] == 'error':
        raise testbed.ApiError(answer['error_code'], answer['error'])
    return answer['operation']


def wait(member, operation, timeout=120):
    """The end of an operation: {"status_code", "err", "metadata"}."""
    _, _, answer = member.request('GET', f'{operation}/wait', timeout=timeout)
    if answer['type'] == 'error':
        raise testbed.ApiError(answer['error_code'], answer['error'])
    assert answer['metadata']['status_code'] >= 200, answer
    return answer['metadata']


def evacuate(member, name, **options):
    return wait(member, begin(member, name, 'evacuate', **options))


def restore(member, name, **options):
    return wait(member, begin(member, name, 'restore', **options))


def until(check, timeout=30, what='it'):
    """For what has no event: asks again until it is so."""
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, f'{what} does not come true'
        time.sleep(0.02)


def until_nothing(wrong, timeout=30):
    """Asks what is wrong until it is nothing; fails with what was wrong last."""
    deadline = time.monotonic() + timeout
    while found := wrong():
        assert time.monotonic() < deadline, '; '.join(found)
        time.sleep(0.02)
