"""A cluster forms by tokens; members restart, are renamed, leave and come again."""
import pytest

import cluster_bed as kit
import testbed


def members(member):
    return {m['server_name']: m for m in member.api('GET', '/1.0/cluster/members?recursion=1')}


def test_all_know_all_and_each_votes(bed):
    for member in bed.members:
        kit.until(lambda: all(kit.votes(r) for r in members(member).values()), what='all vote')
        rows = members(member)
        assert sorted(rows) == ['m1', 'm2', 'm3']
        assert {r['status'] for r in rows.values()} == {'Online'}
        assert all(kit.votes(r) for r in rows.values())
        assert sum('database-leader' in r['roles'] for r in rows.values()) == 1
        assert sum(r['roles'] == ['database-voter', 'database'] for r in rows.values()) == 2


def test_a_joiner_has_the_pools_of_the_cluster(bed):
    pool = bed.members[1].api('GET', '/1.0/storage-pools/default')
    assert sorted(pool['locations']) == ['m1', 'm2', 'm3']


def test_a_token_is_good_once_and_for_its_name(bed):
    token = bed.token('m9')
    with pytest.raises(RuntimeError, match='already clustered'):
        bed.members[1].inside(bed.build / 'musterd', 'init', '--preseed',
                              text=bed.preseed_join(bed.members[1], token))


def test_a_member_restarts_and_is_what_it_was(bed):
    member = bed.members[2]
    kit.launch(bed, ['r1'], target=member.name)
    before = kit.settled(member, 'r1')
    member.stop()
    assert kit.processes_of(member, 'r1') == before
    member.start()
    kit.until(lambda: members(bed.members[0])['m3']['status'] == 'Online', what='m3 online')
    kit.check_all_well(bed, ['r1'])
    assert kit.processes_of(member, 'r1') == before
    kit.delete_all(bed)


def test_a_member_is_renamed(bed):
    first = bed.members[0]
    kit.launch(bed, ['n1'], target='m3')
    first.api('POST', '/1.0/cluster/members/m3', {'server_name': 'third'})
    assert sorted(members(bed.members[1])) == ['m1', 'm2', 'third']
    assert kit.rows(first)['n1']['location'] == 'third'
    first.api('POST', '/1.0/cluster/members/third', {'server_name': 'm3'})
    kit.delete_all(bed)


def test_a_member_with_instances_does_not_leave(bed):
    kit.launch(bed, ['s1'], target='m3')
    with pytest.raises(testbed.ApiError, match='s1'):
        bed.members[0].api('DELETE', '/1.0/cluster/members/m3')
    kit.delete_all(bed)


def test_a_member_leaves_and_joins_again(bed):
    first, third = bed.members[0], bed.members[2]
    first.api('DELETE', '/1.0/cluster/members/m3')
    assert sorted(members(first)) == ['m1', 'm2']
    kit.until(lambda: not third.api('GET', '/1.0/cluster')['enabled'], what='m3 on its own')
    bed.join(third)
    assert sorted(members(third)) == ['m1', 'm2', 'm3']
    kit.launch(bed, ['j1'], target='m3')
    kit.check_all_well(bed, ['j1'])
    kit.delete_all(bed)
