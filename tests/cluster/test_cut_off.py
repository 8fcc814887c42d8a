"""What a daemon does for one instance is cut off, by kill -9 or a failure at the worst place.

Afterwards it is as if it had been done or had never begun: one disk, where the row says, and nothing beside it.
"""
import pathlib

import pytest

import cluster_bed as kit
import failpoints
import testbed

MEMBERS = 1


@pytest.fixture(scope='module')
def member(bed):
    member = bed.members[0]
    failpoints.needed(member)
    member.api('POST', '/1.0/storage-pools', {'name': 'other', 'driver': 'dir'})
    member.api('POST', '/1.0/projects', {'name': 'side', 'config': {'features.images': 'false', 'features.profiles': 'false'}})
    return member


@pytest.fixture
def marked(bed, member):
    """A stopped instance with something written into it."""
    member.api('POST', '/1.0/instances', {'name': 'c1', 'source': {'type': 'image', 'alias': 'busybox'}})
    yield kit.mark(bed, 'c1')
    failpoints.arm(member)
    for row in member.api('GET', '/1.0/instances?recursion=1&all-projects=true'):
        member.api('DELETE', f'/1.0/instances/{row["name"]}?project={row["project"]}')
    assert disks(member) == []
    assert volumes(member) == []


def disks(member):
    """All folders of containers there are, also hidden ones, as (pool, folder)."""
    pools = pathlib.Path(f'/proc/{member.holder}/root{member.dir}/storage-pools')
    return sorted((p.parent.parent.name, p.name) for p in pools.glob('*/containers/*'))


def volumes(member):
    """All rows of volumes of containers, as (pool, project, name)."""
    return sorted((row['pool'], row['project'], row['name'])
                  for row in member.api('GET', '/1.0/storage-volumes?recursion=1&all-projects=true')
                  if row['type'] == 'container')


def instance(member, project='default', name='c1'):
    return member.api('GET', f'/1.0/instances/{name}?project={project}')


def pending(row):
    return [key for key in row['config'] if key.endswith('.pending')]


def read(member, pool='default', name='c1'):
    try:
        return (kit.volume(member, name, pool) / 'rootfs/root/mark').read_text()
    except OSError:
        return None


def cut_off(member, point, method, path, body=None):
    """Sends a request; the daemon dies at the point and is started again."""
    failpoints.arm(member, f'{point}=kill')
    request = failpoints.background(member.api, method, path, body)
    failpoints.wait_dead(member)
    request.join()
    member.start()


REBUILD = ('POST', '/1.0/instances/c1/rebuild', {'source': {'type': 'none'}})


@pytest.mark.parametrize('point, is_new', [('rebuild.made', False), ('rebuild.written', True), ('rebuild.aside', True),
                                           ('rebuild.renamed', True)])
def test_a_rebuild_is_done_or_never_was(member, marked, point, is_new):
    cut_off(member, point, *REBUILD)
    row = instance(member)
    assert disks(member) == [('default', 'c1')]
    assert not pending(row)
    assert read(member) == (None if is_new else marked)
    assert ('volatile.base_image' in row['config']) != is_new

    member.api('POST', '/1.0/instances/c1/rebuild', {'source': {'type': 'image', 'alias': 'busybox'}})
    member.api('PUT', '/1.0/instances/c1/state', {'action': 'start'})
    member.api('PUT', '/1.0/instances/c1/state', {'action': 'stop', 'force': True})
    assert disks(member) == [('default', 'c1')]


@pytest.mark.parametrize('point', ['rebuild.made', 'rebuild.written', 'rebuild.aside'])
def test_a_rebuild_that_fails_keeps_the_old_disk(member, marked, point):
    before = instance(member)
    with failpoints.armed(member, f'{point}=fail'), pytest.raises(testbed.ApiError, match='Failpoint'):
        member.api(*REBUILD)
    assert disks(member) == [('default', 'c1')]
    assert read(member) == marked
    assert instance(member)['config'] == before['config']


TO_POOL = ({'pool': 'other', 'migration': True}, ('other', 'default'))
TO_PROJECT = ({'project': 'side', 'migration': True}, ('default', 'side'))


@pytest.mark.parametrize('body, place', [TO_POOL, TO_PROJECT], ids=['pool', 'project'])
@pytest.mark.parametrize('point, is_there', [('transfer.copied', False), ('transfer.written', True)])
def test_a_move_between_pools_or_projects_leaves_one_disk(member, marked, point, is_there, body, place):
    cut_off(member, point, 'POST', '/1.0/instances/c1', {'name': 'c1'} | body)
    pool, project = place if is_there else ('default', 'default')
    row = instance(member, project)
    name = 'c1' if project == 'default' else 'side_c1'
    assert disks(member) == [(pool, name)]
    assert volumes(member) == [(pool, project, 'c1')]
    assert row['expanded_devices']['root']['pool'] == pool
    assert not pending(row)
    assert read(member, pool, name) == marked


def test_a_move_between_pools_that_fails_leaves_no_copy(member, marked):
    with failpoints.armed(member, 'transfer.copied=fail'), pytest.raises(testbed.ApiError, match='Failpoint'):
        member.api('POST', '/1.0/instances/c1', {'name': 'c1'} | TO_POOL[0])
    assert disks(member) == [('default', 'c1')]
    assert volumes(member) == [('default', 'default', 'c1')]
    assert not pending(instance(member))


def test_a_move_between_pools_whose_commit_is_in_doubt_keeps_the_disk_of_the_rows(member, marked):
    """The rows have changed, and nobody can say so for as long as the write may take."""
    failpoints.arm(member, 'transfer.copied=stall')
    request = failpoints.background(member.api, 'POST', '/1.0/instances/c1', {'name': 'c1'} | TO_POOL[0])
    failpoints.wait_passed(member)
    with failpoints.armed(member, 'db.committed=fail@1', 'db.doubt=fail'):
        request.join()
    row = instance(member)
    assert row['expanded_devices']['root']['pool'] == 'other'
    assert disks(member) == [('other', 'c1')]
    assert volumes(member) == [('other', 'default', 'c1')]
    assert not pending(row)
    assert read(member, 'other') == marked


def test_a_rename_that_is_cut_off_never_was(member, marked):
    cut_off(member, 'rename.moved', 'POST', '/1.0/instances/c1', {'name': 'c2'})
    assert disks(member) == [('default', 'c1')]
    assert not pending(instance(member))
    assert read(member) == marked


def test_a_rename_whose_commit_is_in_doubt_is_done(member, marked):
    failpoints.arm(member, 'rename.moved=stall')
    request = failpoints.background(member.api, 'POST', '/1.0/instances/c1', {'name': 'c2'})
    failpoints.wait_passed(member)
    with failpoints.armed(member, 'db.committed=fail@1', 'db.doubt=fail'):
        request.join()
    row = instance(member, name='c2')
    assert disks(member) == [('default', 'c2')]
    assert volumes(member) == [('default', 'default', 'c2')]
    assert not pending(row)
    assert read(member, name='c2') == marked


SNAPSHOT = ('POST', '/1.0/instances/c1/snapshots', {'name': 's0'})


def snapshots(member):
    return [row['name'] for row in member.api('GET', '/1.0/instances/c1/snapshots?recursion=1')]


def snapshot_disks(member):
    pools = pathlib.Path(f'/proc/{member.holder}/root{member.dir}/storage-pools')
    return sorted(p.name for p in pools.glob('*/containers-snapshots/c1/*'))


def test_a_snapshot_that_fails_leaves_nothing(member, marked):
    with failpoints.armed(member, 'snapshot.made=fail'), pytest.raises(testbed.ApiError, match='Failpoint'):
        member.api(*SNAPSHOT)
    assert snapshots(member) == []
    assert snapshot_disks(member) == []


def test_a_snapshot_whose_commit_is_in_doubt_has_its_files(member, marked):
    failpoints.arm(member, 'snapshot.made=stall')
    request = failpoints.background(member.api, *SNAPSHOT)
    failpoints.wait_passed(member)
    with failpoints.armed(member, 'db.committed=fail@1', 'db.doubt=fail'):
        request.join()
    assert snapshots(member) == ['s0']
    assert snapshot_disks(member) == ['s0']
    (kit.volume(member, 'c1') / 'rootfs/root/mark').write_text('changed')
    member.api('PUT', '/1.0/instances/c1', {'restore': 's0'})
    assert read(member) == marked


def test_a_creation_that_has_its_volume_is_one(member, marked):
    cut_off(member, 'instance.create', 'POST', '/1.0/instances',
            {'name': 'c2', 'source': {'type': 'image', 'alias': 'busybox'}})
    assert disks(member) == [('default', 'c1'), ('default', 'c2')]
    member.api('PUT', '/1.0/instances/c2/state', {'action': 'start'})
    member.api('PUT', '/1.0/instances/c2/state', {'action': 'stop', 'force': True})


def test_a_creation_without_a_volume_never_was(member, marked):
    cut_off(member, 'instance.placed', 'POST', '/1.0/instances',
            {'name': 'c2', 'source': {'type': 'image', 'alias': 'busybox'}})
    assert [row['name'] for row in member.api('GET', '/1.0/instances?recursion=1')] == ['c1']
    assert disks(member) == [('default', 'c1')]


def test_a_deletion_that_has_begun_ends(member, marked):
    cut_off(member, 'instance.delete', 'DELETE', '/1.0/instances/c1')
    assert member.api('GET', '/1.0/instances') == []
    assert disks(member) == []
    assert volumes(member) == []


def test_points_are_listed_and_names_that_are_none_refused(member):
    names = [line.split()[0] for line in member.inside(*member.bed.daemon[:1], '--failpoints').splitlines()]
    assert names == sorted(set(names))
    assert {'step.before', 'step.after', 'phase.before', 'phase.after', 'db.commit', 'file.replace'} <= set(names)
    with pytest.raises(testbed.ApiError, match='There is no failpoint "dance"'):
        failpoints.arm(member, 'dance=kill')
