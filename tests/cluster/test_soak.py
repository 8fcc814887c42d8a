"""Instances come and go, members come back late: nothing stays behind of either.

MUSTER_SOAK sets the number of cycles; a thousand take some minutes.
"""
import contextlib
import http.client
import os
import pathlib
import re
import threading

import cluster_bed as kit
import testbed

MEMBERS = 3
CYCLES = int(os.environ.get('MUSTER_SOAK', '25'))
WARM_UP = 5
RETURNS = 12
WRITES = 1700  # More than the log of the database keeps.
MIB = 1 << 20
LOG = 28 * MIB  # Its 1,536 entries, see cluster/gateway.c.


def anonymous(member):
    """What only this process has in memory: heap and stacks."""
    text = pathlib.Path(f'/proc/{member.pid}/smaps_rollup').read_text()
    return int(re.search(r'Anonymous:\s+(\d+)', text)[1]) << 10


def file_count(member):
    return len(os.listdir(f'/proc/{member.pid}/fd'))


def mounts(member):
    return len(pathlib.Path(f'/proc/{member.pid}/mountinfo').read_text().splitlines())


def cgroups(member):
    return sum(len(folders) for top in kit.testbed.cgroup_folders(member.bed.cgroup(member))
               for _, folders, _ in os.walk(top))


def processes(member):
    """Those in the member's PID namespace, but for the ones that its holder has not buried yet."""
    return len([line for line in member.inside('ps', '-e', '-o', 'stat=').splitlines() if line[0] != 'Z'])


def state(member):
    return {f.__name__: f(member) for f in (file_count, mounts, cgroups, processes)}


def cycle(member, number):
    name = f'c{number}'
    member.api('POST', '/1.0/instances', {'name': name, 'source': {'type': 'image', 'alias': 'busybox'},
                                          'start': True})
    member.api('PUT', f'/1.0/instances/{name}/state', {'action': 'stop', 'force': True})
    member.api('DELETE', f'/1.0/instances/{name}')


def test_nothing_stays_of_instances_that_came_and_went(bed):
    member = bed.members[0]
    member.api('PUT', '/1.0/cluster/members/m1', member.api('GET', '/1.0/cluster/members/m1') | {
        'config': {'scheduler.instance': 'all'}})
    for number in range(WARM_UP):
        cycle(member, number)
    before, memory = [state(m) for m in bed.members], [anonymous(m) for m in bed.members]
    for number in range(CYCLES):
        cycle(member, WARM_UP + number)
    # Descriptors of connections that are kept open for a while go one after the other.
    for m, was in zip(bed.members, before):
        kit.until(lambda: all(now <= was[k] + (8 if k == 'file_count' else 0) for k, now in state(m).items()),
                  timeout=60, what=f'{m.name} is as before: {was}, not {state(m)}')
    # The log of the database takes up to LOG more, its pages in memory as much as before.
    for m, was in zip(bed.members, memory):
        assert anonymous(m) < was + LOG + 6 * MIB, (m.name, was, anonymous(m))


def test_a_member_that_missed_more_than_the_log_is_brought_up_to_date(bed):
    leader = bed.leader()
    late, third = [m for m in bed.members if m is not leader]
    late.kill()
    for number in range(WRITES):
        leader.api('PATCH', '/1.0/profiles/default', {'description': f'write {number}'})
    late.start()
    kit.until(lambda: all(kit.votes(m) and m['status'] == 'Online' for m in leader.api(
        'GET', '/1.0/cluster/members?recursion=1')), what='all vote again')
    # Without the leader nobody else is left to say what was written.
    leader.kill()
    assert late.api('GET', '/1.0/profiles/default')['description'] == f'write {WRITES - 1}'
    third.api('PATCH', '/1.0/profiles/default', {'description': 'after'})
    assert late.api('GET', '/1.0/profiles/default')['description'] == 'after'
    leader.start()
    assert leader.api('GET', '/1.0/profiles/default')['description'] == 'after'


class Writers:
    """Threads that write through one member for as long as the block takes; how many writes were answered."""

    def __init__(self, member, n):
        self.member, self.n_answered, self.is_over = member, 0, False
        self.answered = threading.Condition()
        self.threads = [threading.Thread(target=self.write, args=(i,)) for i in range(n)]

    def write(self, number):
        while not self.is_over:
            with contextlib.suppress(OSError, http.client.HTTPException, testbed.ApiError):
                self.member.api('PATCH', '/1.0/profiles/default', {'description': f'{number} {self.n_answered}'})
                with self.answered:
                    self.n_answered += 1
                    self.answered.notify_all()

    def wait(self, n):
        """Until so many more were answered."""
        with self.answered:
            goal = self.n_answered + n
            assert self.answered.wait_for(lambda: self.n_answered >= goal, timeout=120), 'writes go on'

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()


def test_members_that_come_back_under_writes_stay(bed):
    """Each catches up entry by entry while the leader goes on; no daemon ends by itself."""
    leader = bed.leader()
    others = [m for m in bed.members if m is not leader]
    with Writers(leader, 4) as writers:
        for number in range(RETURNS):
            member = others[number % 2]
            member.kill()
            writers.wait(150 * (number % 5))
            member.start()
            writers.wait(500)
            assert all(testbed.alive(m.pid) for m in bed.members), f'a daemon ended in round {number}'
    leader.api('PATCH', '/1.0/profiles/default', {'description': 'all there'})
    for member in bed.members:
        assert member.api('GET', '/1.0/profiles/default')['description'] == 'all there'


def test_memory_is_bounded_after_many_writes(bed):
    """The log keeps some 1,500 entries, whatever was written, on those that lead and on those that follow."""
    for number in range(2 * WRITES):
        bed.members[0].api('PATCH', '/1.0/profiles/default', {'description': f'write {number}'})
    for m in bed.members:
        kit.until(lambda: anonymous(m) < LOG + 10 * MIB, timeout=60, what=f'{m.name} gives memory back')
