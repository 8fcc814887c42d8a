"""What a plan copies is known before and while it is copied, and kept within what was allowed."""
import contextlib
import os
import threading

import pytest

import cluster_bed as kit
import testbed

MIB = 1 << 20
SIZE = 24 * MIB
ENDED = {'cleaned', 'undone', 'skipped'}


@pytest.fixture(autouse=True)
def clean(bed):
    yield
    if bed.members[0].api('GET', '/1.0/cluster/members/m2')['status'] == 'Evacuated':
        kit.restore(bed.members[0], 'm2', mode='skip')
    kit.delete_all(bed)


def fill(bed, name, member='m2', size=SIZE):
    """A file in it that does not become smaller on the way."""
    path = kit.volume(bed.member(member), name) / 'rootfs/root/data'
    path.write_bytes(os.urandom(size))
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def plan_of(bed, action='evacuate', **options):
    return bed.members[0].api('POST', '/1.0/cluster/members/m2/state', {'action': action, 'dry_run': True} | options)


def follow(bed, operation):
    """Pictures of a plan while it is carried out, up to the last one."""
    leader = bed.leader()
    while True:
        shown = leader.api('GET', operation)
        if 'plan' in shown['metadata']:
            yield shown['metadata']['plan']
        if shown['status_code'] >= 200:
            assert shown['status_code'] == 200, shown['err']
            return


def test_the_plan_says_how_much_and_how_long(bed):
    kit.launch(bed, ['b1', 'b2'], target='m2')
    fill(bed, 'b1')
    plan = plan_of(bed, bandwidth=8 * MIB)
    bytes_of = {s['instance']: s['bytes'] for s in plan['steps']}
    assert SIZE < bytes_of['b1'] < SIZE * 1.5 and 0 < bytes_of['b2'] < SIZE
    assert plan['bytes'] == sum(bytes_of.values()) and plan['bytes_done'] == 0
    seconds = {s['instance']: s['seconds'] for s in plan['steps']}
    # Two copies share what is allowed.
    assert SIZE / (4 * MIB) < seconds['b1'] < 2 * SIZE / (4 * MIB)
    assert plan['seconds'] == max(seconds.values()) and plan['eta_seconds'] >= plan['seconds']
    one_by_one = plan_of(bed, bandwidth=8 * MIB, max_parallel=1)
    assert one_by_one['seconds'] == pytest.approx(sum(s['seconds'] for s in one_by_one['steps']))
    assert one_by_one['options'] == {
        'max_parallel': 1, 'max_parallel_target': 1, 'max_parallel_pool': 1, 'max_parallel_cluster': 32,
        'bandwidth': 8 * MIB, 'downtime_ms': 0, 'on_error': 'continue'}

    end = kit.evacuate(bed.members[0], 'm2')
    assert end['metadata']['plan']['bytes'] >= SIZE
    back = plan_of(bed, 'restore')
    assert back['bytes'] >= SIZE and len(back['steps']) == 2


@pytest.mark.parametrize('mode', ['migrate', 'refresh-migrate'])
def test_bytes_are_counted_while_they_are_copied(bed, mode):
    kit.launch(bed, ['b1'], target='m2')
    fill(bed, 'b1')
    operation = kit.begin(bed.members[0], 'm2', 'evacuate', mode=mode, bandwidth=8 * MIB)
    counts, rates, etas = set(), set(), set()
    for plan in follow(bed, operation):
        step = plan['steps'][0]
        assert 0 <= step['bytes_done'] <= step['bytes'] and plan['bytes_done'] == step['bytes_done']
        if step['phase'] in ('reserved', 'copied'):
            counts.add(step['bytes_done'])
            rates.add(step['rate'])
            etas.add(step.get('eta', 0))
    assert len([c for c in counts if 0 < c < SIZE]) >= 2, counts
    assert any(0 < r < 32 * MIB for r in rates), rates
    assert any(e > 0 for e in etas), etas
    kit.check_all_well(bed, ['b1'])


def test_no_more_at_a_time_than_allowed(bed):
    names = [f'b{n}' for n in range(1, 5)]
    kit.launch(bed, names, target='m2')
    for options in ({'max_parallel_cluster': 2}, {'max_parallel_pool': 1}):
        operation = kit.begin(bed.members[0], 'm2', 'evacuate', **options)
        most = 0
        for plan in follow(bed, operation):
            most = max(most, sum(s['phase'] not in ENDED | {'planned'} for s in plan['steps']))
        assert 1 <= most <= min(options.values()), (options, most)
        kit.check_all_well(bed, names)
        kit.restore(bed.members[0], 'm2')


def test_nobody_is_down_for_longer_than_allowed(bed):
    kit.launch(bed, ['b1'], target='m2')
    fill(bed, 'b1')
    assert plan_of(bed, bandwidth=8 * MIB)['steps'][0]['mode'] == 'migrate'
    plan = plan_of(bed, bandwidth=8 * MIB, downtime_ms=2000)
    assert plan['steps'][0]['mode'] == 'refresh-migrate' and plan['steps'][0]['downtime_ms'] <= 2000

    plan = plan_of(bed, downtime_ms=1)
    assert plan['steps'][0]['mode'] == 'stay' and 'longer than the 1 ms allowed' in plan['steps'][0]['reason']
    end = kit.evacuate(bed.members[0], 'm2', downtime_ms=1)
    assert end['metadata']['counts'] == {'total': 1, 'done': 0, 'failed': 0, 'skipped': 1}
    assert kit.check_all_well(bed, ['b1']) == {'b1': 'm2'}

    end = kit.evacuate(bed.members[0], 'm2', downtime_ms=100000)
    step = end['metadata']['plan']['steps'][0]
    assert step['phase'] == 'cleaned', step
    assert kit.check_all_well(bed, ['b1']) != {'b1': 'm2'}


@contextlib.contextmanager
def busy(bed, name):
    """Somebody writes into it all the time."""
    ended = threading.Event()
    fill(bed, name, size=MIB)
    path = kit.volume(bed.member('m2'), name) / 'rootfs/root/data'

    def write():
        with open(path, 'r+b', buffering=0) as file:
            while not ended.wait(0.01):
                file.seek(0)
                file.write(os.urandom(MIB))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_what_cannot_be_kept_within_the_downtime_runs_on(bed):
    """The estimate is too good: every pass takes longer than the whole pause may."""
    kit.launch(bed, ['b1'], target='m2')
    with busy(bed, 'b1'):
        end = kit.evacuate(bed.members[0], 'm2', mode='refresh-migrate', downtime_ms=300, bandwidth=MIB)
    step = end['metadata']['plan']['steps'][0]
    assert end['status_code'] == 400 and step['phase'] == 'undone'
    assert 'longer than the 300 ms allowed' in step['error']
    assert kit.check_all_well(bed, ['b1']) == {'b1': 'm2'}


def test_files_that_change_while_they_are_copied_stop_nobody(bed):
    """Only the last pass, after the stop, must find all files as it read them."""
    kit.launch(bed, ['b1'], target='m2')
    kit.settled(bed.member('m2'), 'b1')
    write = 'while :; do dd if=/dev/urandom of=/root/data bs=1024k count=2 2>/dev/null; done'
    bed.members[0].api('POST', '/1.0/instances/b1/exec', {'command': ['sh', '-c', write]}, wait=False)
    kit.until(lambda: (kit.volume(bed.member('m2'), 'b1') / 'rootfs/root/data').exists(), what='it writes')
    end = kit.evacuate(bed.members[0], 'm2', mode='refresh-migrate', bandwidth=2 * MIB)
    assert end['status_code'] == 200, end['err']
    assert kit.check_all_well(bed, ['b1']) != {'b1': 'm2'}


@pytest.mark.parametrize('option,value', [
    ('max_parallel', -1), ('max_parallel_target', 33), ('max_parallel_pool', 99), ('max_parallel_cluster', 33),
    ('bandwidth', -1), ('downtime_ms', -1), ('downtime_ms', 'soon')])
def test_numbers_that_are_none(bed, option, value):
    with pytest.raises(testbed.ApiError, match=option) as error:
        plan_of(bed, **{option: value})
    assert error.value.status == 400
