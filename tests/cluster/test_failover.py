"""kill -9 of the leader: how long the next write takes. The aim is 1.5 s; a busy machine gets more."""
import statistics
import time

import cluster_bed as kit

ROUNDS = 5
LIMIT = 6.0


def test_the_next_write_after_the_leader_is_killed(bed):
    times = []
    for number in range(ROUNDS):
        leader = bed.leader()
        other = next(m for m in bed.members if m is not leader)
        leader.kill()
        start = time.monotonic()
        other.api('PATCH', '/1.0/profiles/default', {'description': f'round {number}'})
        times.append(time.monotonic() - start)
        leader.start()
        assert leader.api('GET', '/1.0/profiles/default')['description'] == f'round {number}'
        kit.until(lambda: all(kit.votes(m) and m['status'] == 'Online' for m in other.api(
            'GET', '/1.0/cluster/members?recursion=1')), what='all vote again')
    print(f'failover: median {statistics.median(times):.2f} s, worst {max(times):.2f} s')
    assert statistics.median(times) < LIMIT


def test_containers_run_on_while_their_daemon_is_dead(bed):
    kit.launch(bed, ['f1'], target='m2')
    member = bed.member('m2')
    before = kit.settled(member, 'f1')
    member.kill()
    assert kit.processes_of(member, 'f1') == before
    member.start()
    assert kit.processes_of(member, 'f1') == before
    kit.check_all_well(bed, ['f1'])
    kit.delete_all(bed)
