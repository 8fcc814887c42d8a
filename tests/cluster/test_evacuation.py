"""Evacuation and restore: what is planned is what happens, and what fails runs on where it was."""
import json

import pytest

import cluster_bed as kit
import testbed


@pytest.fixture(autouse=True)
def clean(bed):
    yield
    for member in ('m1', 'm2', 'm3'):
        if bed.members[0].api('GET', f'/1.0/cluster/members/{member}')['status'] == 'Evacuated':
            kit.restore(bed.members[0], member, mode='skip')
    kit.delete_all(bed)


def state_of(bed, name):
    return bed.members[0].api('GET', f'/1.0/cluster/members/{name}')['status']


def plan_of(member, name, action='evacuate', **options):
    return member.api('POST', f'/1.0/cluster/members/{name}/state', {'action': action, 'dry_run': True} | options)


def ways(plan):
    return [(s['instance'], s['from'], s['to'], s['mode']) for s in plan['steps']]


@pytest.mark.parametrize('mode', ['', 'migrate', 'refresh-migrate'])
def test_all_go_and_come_back(bed, mode):
    names = [f'a{n}' for n in range(5)]
    kit.launch(bed, names, target='m2')
    marks = {name: kit.mark(bed, name) for name in names}
    plan = plan_of(bed.members[0], 'm2', mode=mode)
    assert state_of(bed, 'm2') == 'Online'

    end = kit.evacuate(bed.members[2], 'm2', mode=mode)
    assert end['status_code'] == 200, end['err']
    assert state_of(bed, 'm2') == 'Evacuated'
    assert ways(end['metadata']['plan']) == ways(plan)
    assert end['metadata']['counts'] == {'total': 5, 'done': 5, 'failed': 0, 'skipped': 0}
    places = kit.check_all_well(bed, names, marks)
    assert 'm2' not in places.values()
    for name in names:
        row = bed.members[0].api('GET', f'/1.0/instances/{name}')
        assert row['config']['volatile.evacuate.origin'] == 'm2'

    end = kit.restore(bed.members[0], 'm2')
    assert end['status_code'] == 200, end['err']
    assert state_of(bed, 'm2') == 'Online'
    assert set(kit.check_all_well(bed, names, marks).values()) == {'m2'}
    for name in names:
        row = bed.members[0].api('GET', f'/1.0/instances/{name}')
        assert 'volatile.evacuate.origin' not in row['config']


def test_stopped_in_place_and_started_again(bed):
    kit.launch(bed, ['b1'], target='m2')
    end = kit.evacuate(bed.members[0], 'm2', mode='stop')
    assert end['status_code'] == 200, end['err']
    row = kit.rows(bed.members[0])['b1']
    assert (row['status'], row['location']) == ('Stopped', 'm2')
    with pytest.raises(testbed.ApiError, match='evacuated'):
        bed.members[0].api('PUT', '/1.0/instances/b1/state', {'action': 'start'})
    kit.restore(bed.members[0], 'm2')
    kit.check_all_well(bed, ['b1'])


def test_a_stopped_instance_moves_and_stays_stopped(bed):
    bed.members[0].api('POST', '/1.0/instances?target=m2', {
        'name': 'b2', 'source': {'type': 'image', 'alias': 'busybox'}})
    end = kit.evacuate(bed.members[0], 'm2')
    assert end['status_code'] == 200, end['err']
    row = kit.rows(bed.members[0])['b2']
    assert row['status'] == 'Stopped' and row['location'] != 'm2'
    kit.restore(bed.members[0], 'm2')
    row = kit.rows(bed.members[0])['b2']
    assert (row['status'], row['location']) == ('Stopped', 'm2')


def test_what_has_no_place_runs_on_where_it_was(bed):
    first = bed.members[0]
    first.api('POST', '/1.0/placement-groups', {'name': 'apart', 'config': {'policy': 'spread', 'rigor': 'strict'}})
    names = ['s1', 's2', 's3']
    for name in names:
        kit.launch(bed, [name], placement__group='apart')
    before = kit.check_all_well(bed, names)
    assert sorted(before.values()) == ['m1', 'm2', 'm3']
    with pytest.raises(testbed.ApiError, match='cluster'):
        kit.launch(bed, ['s4'], placement__group='apart')

    stuck = next(n for n in names if before[n] == 'm2')
    plan = plan_of(first, 'm2')
    assert plan['unplaced'] == [stuck]
    assert {r['member'] for r in plan['steps'][0]['rejected']} == {'m1', 'm2', 'm3'}
    with pytest.raises(testbed.ApiError, match='fit nowhere'):
        kit.begin(first, 'm2', 'evacuate', on_no_target='fail')
    end = kit.evacuate(first, 'm2')
    assert end['metadata']['counts']['skipped'] == 1
    assert kit.check_all_well(bed, names) == before
    kit.restore(first, 'm2')
    assert kit.check_all_well(bed, names) == before
    kit.delete_all(bed)
    first.api('DELETE', '/1.0/placement-groups/apart')


def test_a_group_says_whether_its_rule_is_kept(bed):
    first = bed.members[0]
    first.api('POST', '/1.0/placement-groups', {'name': 'apart', 'config': {'policy': 'spread', 'rigor': 'strict'}})
    for name in ('g1', 'g2'):
        kit.launch(bed, [name], placement__group='apart')
    state = bed.members[2].api('GET', '/1.0/placement-groups/apart/state')
    assert state['complies'] and state['instances'] == 2 and (state['policy'], state['rigor']) == ('spread', 'strict')
    assert [m['complies'] for m in state['members']] == [True, True]

    # Who names a member goes past the group.
    home = kit.rows(first)['g1']['location']
    kit.launch(bed, ['g3'], target=home, placement__group='apart')
    state = first.api('GET', '/1.0/placement-groups/apart/state')
    wrong, = [m for m in state['members'] if not m['complies']]
    assert not state['complies'] and wrong['server_name'] == home
    assert wrong['instances'] == ['/1.0/instances/g1', '/1.0/instances/g3'] and 'it has 2' in wrong['reason']
    text = first.inside(bed.build / 'muster', 'placement-group', 'state', 'apart')
    assert 'complies: false' in text
    with pytest.raises(testbed.ApiError, match='not found') as error:
        first.api('GET', '/1.0/placement-groups/none/state')
    assert error.value.status == 404
    kit.delete_all(bed)
    first.api('DELETE', '/1.0/placement-groups/apart')


def test_the_leader_lets_another_lead_before_it_is_evacuated(bed):
    leader = bed.leader()
    kit.launch(bed, ['l1', 'l2'], target=leader.name)
    for through in (leader, next(m for m in bed.members if m is not leader)):
        end = kit.evacuate(through, leader.name)
        assert end['status_code'] == 200, end['err']
        assert bed.leader() is not leader
        assert leader.name not in kit.check_all_well(bed, ['l1', 'l2']).values()
    end = kit.restore(through, leader.name)
    assert set(kit.check_all_well(bed, ['l1', 'l2']).values()) == {leader.name}


def test_a_step_that_fails_leaves_its_instance_where_it_was(bed):
    names = ['f1', 'f2', 'f3', 'f4']
    kit.launch(bed, names, target='m2')
    plan = plan_of(bed.members[0], 'm2')
    name, target = next((s['instance'], s['to']) for s in plan['steps'])
    # Something is in the way of its volume: a folder that cannot be removed.
    path = kit.volume(bed.member(target), name)
    bed.member(target).inside('mkdir', f'{bed.member(target).dir}/storage-pools/default/containers/{name}')
    bed.member(target).inside('mount', '-t', 'tmpfs', 'none',
                              f'{bed.member(target).dir}/storage-pools/default/containers/{name}')
    end = kit.evacuate(bed.members[0], 'm2')
    bed.member(target).inside('umount', f'{bed.member(target).dir}/storage-pools/default/containers/{name}')
    assert end['metadata']['counts']['failed'] == 1, json.dumps(end, indent=1)
    assert end['status_code'] == 400 and '1 of 4' in end['err']
    if path.exists():
        path.rmdir()
    places = kit.check_all_well(bed, names)
    assert [n for n in names if places[n] == 'm2'] == [name]

    # The same again takes up what is left.
    uuid = end['metadata']['plan']['uuid']
    end = kit.evacuate(bed.members[0], 'm2')
    assert end['status_code'] == 200 and end['metadata']['plan']['uuid'] != uuid
    assert 'm2' not in kit.check_all_well(bed, names).values()


def test_what_is_wrong_is_said_before_anything_changes(bed):
    first = bed.members[0]
    for body, status, text in (
            ({'action': 'dance'}, 400, 'Unknown action'),
            ({'action': 'evacuate', 'mode': 'bogus'}, 400, 'Invalid evacuation mode'),
            ({'action': 'evacuate', 'max_parallel': 1000}, 400, 'max_parallel'),
            ({'action': 'evacuate', 'bandwidth': -1}, 400, 'bandwidth'),
            ({'action': 'evacuate', 'on_error': 'panic'}, 400, 'on_error'),
            ({'action': 'evacuate', 'on_no_target': 'panic'}, 400, 'on_no_target'),
            ({'action': 'restore', 'mode': 'start'}, 400, 'Invalid mode'),
            ({'action': 'restore'}, 400, 'already restored')):
        with pytest.raises(testbed.ApiError, match=text) as error:
            first.api('POST', '/1.0/cluster/members/m2/state', body)
        assert error.value.status == status
    with pytest.raises(testbed.ApiError) as error:
        first.api('POST', '/1.0/cluster/members/m9/state', {'action': 'evacuate'})
    assert error.value.status == 404
    assert state_of(bed, 'm2') == 'Online'


def test_those_with_priority_leave_first(bed):
    for name, priority in (('p1', 0), ('p2', 5), ('p3', 10)):
        kit.launch(bed, [name], target='m2', boot__stop__priority=str(priority))
    plan = plan_of(bed.members[0], 'm2')
    assert [s['instance'] for s in plan['steps']] == ['p3', 'p2', 'p1']
