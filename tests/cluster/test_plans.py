"""Plans are paused, resumed, cancelled, retried, undone; any member shows them and waits for them."""
import pytest

import cluster_bed as kit
import testbed

NAMES = [f'p{n}' for n in range(6)]


@pytest.fixture
def instances(bed):
    kit.launch(bed, NAMES, target='m2')
    yield {name: kit.mark(bed, name) for name in NAMES}
    if bed.members[0].api('GET', '/1.0/cluster/members/m2')['status'] == 'Evacuated':
        kit.restore(bed.members[0], 'm2', mode='skip')
    kit.delete_all(bed)


def act(member, operation, action):
    return member.api('POST', operation.replace('operations', 'cluster/plans'), {'action': action})


def plan(member, operation):
    return member.api('GET', operation.replace('operations', 'cluster/plans'))


def test_a_plan_pauses_and_goes_on(bed, instances):
    operation = kit.begin(bed.members[0], 'm2', 'evacuate', max_parallel=1)
    act(bed.members[2], operation, 'pause')
    assert plan(bed.members[1], operation)['state'] == 'paused'
    for member in bed.members:
        assert member.api('GET', operation)['status'] == 'Running'
    kit.until(lambda: not {s['phase'] for s in plan(bed.members[0], operation)['steps']} -
              {'planned', 'cleaned'}, what='steps under way end')
    waiting = plan(bed.members[0], operation)['counts']
    assert waiting['done'] < 6
    kit.check_all_well(bed, NAMES, instances)
    act(bed.members[0], operation, 'resume')
    end = kit.wait(bed.members[2], operation)
    assert end['status_code'] == 200, end['err']
    assert 'm2' not in kit.check_all_well(bed, NAMES, instances).values()


def test_a_cancelled_plan_leaves_the_rest_where_it_was(bed, instances):
    operation = kit.begin(bed.members[0], 'm2', 'evacuate', max_parallel=1)
    bed.members[2].api('DELETE', operation)
    end = kit.wait(bed.members[1], operation)
    assert end['status'] == 'Cancelled'
    assert end['metadata']['plan']['state'] == 'cancelled'
    kit.check_all_well(bed, NAMES, instances)

    act(bed.members[0], operation, 'retry')
    end = kit.wait(bed.members[0], operation)
    assert end['status_code'] == 200, end['err']
    assert 'm2' not in kit.check_all_well(bed, NAMES, instances).values()


def test_a_plan_is_undone(bed, instances):
    operation = kit.begin(bed.members[0], 'm2', 'evacuate')
    kit.wait(bed.members[0], operation)
    act(bed.members[0], operation, 'undo')
    kit.wait(bed.members[0], operation)
    kit.until(lambda: bed.members[0].api('GET', '/1.0/cluster/members/m2')['status'] == 'Online', what='m2 online')
    assert plan(bed.members[0], operation)['state'] == 'undone'
    assert set(kit.check_all_well(bed, NAMES, instances).values()) == {'m2'}


def test_actions_that_do_not_apply(bed, instances):
    operation = kit.begin(bed.members[0], 'm2', 'evacuate')
    kit.wait(bed.members[0], operation)
    for action in ('pause', 'resume', 'cancel', 'retry', 'dance'):
        with pytest.raises(testbed.ApiError) as error:
            act(bed.members[0], operation, action)
        assert error.value.status == 400
    plans = bed.members[1].api('GET', '/1.0/cluster/plans')
    assert operation.replace('operations', 'cluster/plans') in plans


def test_one_evacuation_at_a_time_and_twice_is_once(bed, instances):
    operation = kit.begin(bed.members[0], 'm2', 'evacuate', max_parallel=1)
    assert kit.begin(bed.members[1], 'm2', 'evacuate') == operation
    with pytest.raises(testbed.ApiError, match='another cluster member evacuation'):
        kit.begin(bed.members[0], 'm3', 'evacuate')
    with pytest.raises(testbed.ApiError, match='evacuate operation is in progress'):
        kit.begin(bed.members[0], 'm2', 'restore')
    kit.wait(bed.members[0], operation)
