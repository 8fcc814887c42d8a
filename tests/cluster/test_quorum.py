"""An evacuation that would cost the database its quorum is refused before anything changes."""
import pytest

import cluster_bed as kit
import testbed

REFUSED = 'Insufficient online voters to maintain quorum'


def status_of(bed, name):
    return bed.members[0].api('GET', f'/1.0/cluster/members/{name}')['status']


def test_it_is_refused_while_another_voter_is_lost_unless_forced(bed):
    lost = next(m for m in reversed(bed.members) if m is not bed.leader())
    leaving = next(m for m in reversed(bed.members) if m not in (lost, bed.leader()))
    through = next(m for m in bed.members if m not in (lost, leaving))
    kit.launch(bed, ['q1'], target=leaving.name, through=through)
    lost.kill()
    for options in ({}, {'dry_run': True}):
        with pytest.raises(testbed.ApiError, match=REFUSED) as error:
            through.api('POST', f'/1.0/cluster/members/{leaving.name}/state', {'action': 'evacuate'} | options)
        assert error.value.status == 400
    row = through.api('GET', f'/1.0/cluster/members/{leaving.name}')
    assert row['status'] == 'Online'
    assert not through.api('GET', '/1.0/cluster/plans')

    plan = through.api('POST', f'/1.0/cluster/members/{leaving.name}/state',
                       {'action': 'evacuate', 'dry_run': True, 'force': True})
    assert [s['instance'] for s in plan['steps']] == ['q1']
    lost.start()
    kit.until(lambda: through.api('GET', f'/1.0/cluster/members/{lost.name}')['status'] == 'Online', what='it is back')
    end = kit.evacuate(through, leaving.name)
    assert end['status_code'] == 200, end['err']
    kit.restore(through, leaving.name)
    kit.check_all_well(bed, ['q1'])


def test_a_lone_member_goes_only_by_force():
    with kit.cluster(1) as bed:
        with pytest.raises(testbed.ApiError, match=REFUSED):
            kit.begin(bed.members[0], 'm1', 'evacuate', mode='stop')
        assert status_of(bed, 'm1') == 'Online'
        end = kit.evacuate(bed.members[0], 'm1', mode='stop', force=True)
        assert end['status_code'] == 200, end['err']
        assert status_of(bed, 'm1') == 'Evacuated'
        kit.restore(bed.members[0], 'm1')
        assert status_of(bed, 'm1') == 'Online'
