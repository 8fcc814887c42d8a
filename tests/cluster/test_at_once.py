"""Two things at once, at the worst moment: moves and deletions, evacuations, restarts, ends of daemons.

Failpoints hold the one thing where the other one would hurt.
"""
import concurrent.futures
import contextlib
import signal

import pytest

import cluster_bed as kit
import failpoints
import testbed


@pytest.fixture(autouse=True)
def clean(bed):
    failpoints.needed(bed.members[0])
    yield
    for member in bed.members:
        failpoints.arm(member)
    for row in bed.members[0].api('GET', '/1.0/cluster/members?recursion=1'):
        if row['status'] == 'Evacuated':
            kit.restore(bed.members[0], row['server_name'], mode='skip')
    kit.delete_all(bed)
    for member in bed.members:
        assert folders(member) == []
    assert reservations(bed.members[0]) == []


def roles(bed):
    """The leader, and two others: a move goes from the one to the other."""
    leader = bed.leader()
    return [leader] + [m for m in bed.members if m is not leader]


def move(member, name, target):
    """Begins to move an instance; the operation's URL."""
    _, _, answer = member.request('POST', f'/1.0/instances/{name}?target={target.name}', {'name': name, 'migration': True})
    if answer['type'] == 'error':
        raise testbed.ApiError(answer['error_code'], answer['error'])
    return answer['operation']


@contextlib.contextmanager
def held_move(leader, source, name, target, point):
    """A move that has come to a point and is held there for as long as the block takes; the operation's URL."""
    with failpoints.armed(leader, point):
        operation = move(source, name, target)
        failpoints.wait_passed(leader)
        yield operation


def folders(member):
    return sorted(p.name for p in kit.volume(member, '').glob('*'))


def sql(member, query):
    return member.api('POST', '/internal/sql', {'database': 'global', 'query': query})['results'][0].get('rows') or []


def reservations(member):
    return sql(member, 'SELECT instance, owner FROM reservations')


def uuid(operation):
    return operation.rpartition('/')[2]


def steps(member, operation):
    return member.api('GET', operation.replace('operations', 'cluster/plans'))['steps']


def stop_and_delete(member, name):
    member.api('PUT', f'/1.0/instances/{name}/state', {'action': 'stop', 'force': True})
    member.api('DELETE', f'/1.0/instances/{name}')


# What the target cannot start goes back to the source, whoever dies meanwhile.

@pytest.mark.parametrize('victim, point', [('leader', 'step.after/returned'), ('leader', 'step.before/returned'),
                                           ('source', 'phase.before/resume'), ('source', 'phase.after/resume'),
                                           ('target', 'phase.before/abort')])
def test_what_could_not_be_started_is_started_at_home(bed, victim, point):
    leader, source, target = roles(bed)
    kit.launch(bed, ['r1'], target=source.name)
    marks = {'r1': kit.mark(bed, 'r1')}
    dying = {'leader': leader, 'source': source, 'target': target}[victim]
    failpoints.arm(target, 'phase.before/start=fail')
    failpoints.arm(dying, *(['phase.before/start=fail'] if dying is target else []), f'{point}=kill')
    operation = move(source, 'r1', target)
    failpoints.wait_dead(dying)
    dying.start(environment={'MUSTER_FAILPOINTS': 'phase.before/start=fail'} if dying is target else None)
    kit.wait(source, operation)
    kit.until(lambda: kit.runs_on(bed, 'r1'), what='r1 runs')
    assert kit.check_all_well(bed, ['r1'], marks) == {'r1': source.name}
    assert [s['phase'] for s in steps(source, operation)] == ['undone']


# Deletion and moves.

def test_what_is_committed_and_not_started_is_not_deleted(bed):
    leader, source, target = roles(bed)
    kit.launch(bed, ['d1'], target=source.name)
    with held_move(leader, source, 'd1', target, 'step.after/committed=stall') as operation:
        for body in (('DELETE', '/1.0/instances/d1', {'force': True}), ('POST', '/1.0/instances/d1', {'name': 'd2'})):
            with pytest.raises(testbed.ApiError):
                source.api(*body)
    assert kit.wait(source, operation)['status_code'] == 200
    assert kit.check_all_well(bed, ['d1']) == {'d1': target.name}


def test_what_runs_on_the_target_may_be_deleted_before_the_source_is_clean(bed):
    leader, source, target = roles(bed)
    kit.launch(bed, ['d1'], target=source.name)
    with held_move(leader, source, 'd1', target, 'step.after/running=stall') as operation:
        stop_and_delete(source, 'd1')
        assert folders(source) == ['d1']
    kit.wait(source, operation)
    assert not folders(source) and not folders(target)


def test_a_source_that_was_away_removes_what_was_deleted_meanwhile(bed):
    leader, source, target = roles(bed)
    kit.launch(bed, ['d1'], target=source.name)
    with held_move(leader, source, 'd1', target, 'step.after/running=stall') as operation:
        source.kill()
        stop_and_delete(leader, 'd1')
    kit.wait(leader, operation)
    assert folders(source) == ['d1']
    source.start()
    assert not folders(source) and not folders(target)


@pytest.mark.parametrize('leader_dies', [False, True])
def test_what_is_deleted_while_it_is_copied_leaves_no_copy(bed, leader_dies):
    leader, source, _ = roles(bed)
    kit.launch(bed, ['d1'], target=source.name)
    plan = source.api('POST', f'/1.0/cluster/members/{source.name}/state', {'action': 'evacuate', 'dry_run': True})
    target = bed.member(plan['steps'][0]['to'])
    with failpoints.armed(target, 'phase.after/receive=stall'):
        operation = kit.begin(source, source.name, 'evacuate', mode='refresh-migrate')
        failpoints.wait_passed(target)
        assert folders(target) == ['d1']
        stop_and_delete(source, 'd1')
        if leader_dies:
            leader.kill()
            leader.start()
    kit.wait(source, operation)
    assert not folders(source) and not folders(target)


def test_a_start_that_began_before_the_move_was_committed_does_not_end_after_it(bed):
    leader, source, target = roles(bed)
    kit.launch(bed, ['d1'], target=source.name)
    with held_move(leader, source, 'd1', target, 'step.before/committed=stall') as operation:
        failpoints.arm(source, 'instance.start=stall')
        start = failpoints.background(source.api, 'PUT', '/1.0/instances/d1/state', {'action': 'start'})
        failpoints.wait_passed(source)
    kit.until(lambda: kit.runs_on(bed, 'd1') == [target.name], what='it runs on the target')
    failpoints.arm(source)
    start.join()
    assert kit.wait(source, operation)['status_code'] == 200
    assert kit.runs_on(bed, 'd1') == [target.name]
    assert kit.check_all_well(bed, ['d1']) == {'d1': target.name}


# Two plans.

def test_an_evacuation_leaves_alone_what_is_being_moved(bed):
    leader, source, target = roles(bed)
    names = ['e1', 'e2']
    kit.launch(bed, names, target=source.name)
    marks = {name: kit.mark(bed, name) for name in names}
    with held_move(leader, source, 'e1', target, 'step.after/copied=stall@1') as operation:
        end = kit.evacuate(source, source.name)
        phases = {s['instance']: (s['phase'], s['error']) for s in end['metadata']['plan']['steps']}
        assert phases['e1'] == ('undone', 'Instance "e1" is being moved by another plan')
        assert phases['e2'][0] == 'cleaned'
        # Its place is that of the move, not of the evacuation, which has given up.
        assert reservations(source) == [['e1', uuid(operation)]]
    assert kit.wait(source, operation)['status_code'] == 200
    places = kit.check_all_well(bed, names, marks)
    assert places['e1'] == target.name and places['e2'] != source.name


def test_a_member_that_starts_leaves_alone_what_moves_to_it(bed):
    leader, source, target = roles(bed)
    kit.launch(bed, ['s1'], target=source.name)
    marks = {'s1': kit.mark(bed, 's1')}
    target.kill()
    # As a move that was given up while it was away has left it.
    target.inside('mkdir', f'{target.dir}/storage-pools/default/containers/s1')
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        starts = pool.submit(target.start, environment={'MUSTER_FAILPOINTS': 'member.sweep=stall'})
        kit.until(lambda: is_up(target) and failpoints.passed(target), what='the sweep has looked')
        operation = move(source, 's1', target)
        kit.until(lambda: steps(source, operation)[0]['phase'] != 'planned', what='the move has begun')
        failpoints.arm(target)
        starts.result()
    end = kit.wait(source, operation)
    assert end['status_code'] == 200, end['err']
    assert kit.check_all_well(bed, ['s1'], marks) == {'s1': target.name}


def is_up(member):
    try:
        return member.request('GET', failpoints.ROUTE)[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize('point', [None, 'plan.before/undone', 'plan.after/undone', 'step.after/undone'])
def test_a_rollback_brings_all_home(bed, point):
    leader, source, watcher = roles(bed)
    names = [f'b{n}' for n in range(4)]
    kit.launch(bed, names, target=source.name)
    marks = {name: kit.mark(bed, name) for name in names}
    with failpoints.armed(source, 'phase.before/pause=fail@3'):
        if point:
            failpoints.arm(leader, f'{point}=kill@1')
        operation = kit.begin(watcher, source.name, 'evacuate', on_error='rollback', max_parallel=1)
        if point:
            failpoints.wait_dead(leader)
            leader.start(timeout=180)
        end = kit.wait(watcher, operation)
    assert end['status_code'] != 200 and 'Failpoint' in end['err']
    kit.until(lambda: watcher.api('GET', f'/1.0/cluster/members/{source.name}')['status'] == 'Online', 120, 'online')
    assert set(kit.check_all_well(bed, names, marks).values()) == {source.name}
    states = [p['state'] for p in watcher.api('GET', '/1.0/cluster/plans?recursion=1')][-2:]
    assert states == ['undone', 'done']
    for row in kit.rows(watcher).values():
        assert 'volatile.evacuate.origin' not in row['config']


# Creation.

def test_a_creation_that_fails_takes_back_its_own_row_only(bed):
    leader, one, other = roles(bed)
    body = {'name': 'n1', 'source': {'type': 'image', 'alias': 'busybox'}}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with failpoints.armed(leader, 'instance.placed=stall@1'):
            first = pool.submit(leader.api, 'POST', f'/1.0/instances?target={one.name}', body)
            failpoints.wait_passed(leader)
            one.api('DELETE', '/1.0/instances/n1')
            other.api('POST', f'/1.0/instances?target={other.name}', body)
        with pytest.raises(testbed.ApiError, match='not found'):
            first.result()
    assert kit.rows(leader)['n1']['location'] == other.name
    assert kit.files_on(bed, 'n1') == [other.name]


def test_a_creation_whose_row_is_taken_back_leaves_no_volume(bed):
    leader, one, _ = roles(bed)
    body = {'name': 'n1', 'source': {'type': 'image', 'alias': 'busybox'}}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with failpoints.armed(one, 'instance.create=stall'):
            creation = pool.submit(leader.api, 'POST', f'/1.0/instances?target={one.name}', body)
            failpoints.wait_passed(one)
            # As who asked does when it hears nothing of the member.
            sql(leader, "DELETE FROM instances WHERE name = 'n1'")
        with pytest.raises(testbed.ApiError, match='not found'):
            creation.result()
    assert not folders(one)
    assert not sql(leader, "SELECT id FROM storage_volumes WHERE name = 'n1'")


# Joining, and ending.

def test_a_wrong_token_does_not_disturb_who_joins(bed):
    leader = bed.leader()
    member = bed.add()
    try:
        member.start()
        token = bed.token(member.name)
        failpoints.arm(member, 'join.entered=stall')
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            joins = pool.submit(member.inside, bed.build / 'musterd', 'init', '--preseed', text=bed.preseed_join(member, token))
            failpoints.wait_passed(member)
            [[schema, extensions]] = sql(leader, f"SELECT schema_version, api_extensions FROM members WHERE name = '{member.name}'")
            with pytest.raises(testbed.ApiError, match='token is unknown'):
                leader.api('POST', '/internal/cluster/accept', {
                    'name': member.name, 'address': member.address, 'schema': schema, 'api_extensions': extensions,
                    'certificate': (member.dir / 'server.crt').read_text(), 'secret': 'f' * 64})
            failpoints.arm(member)
            joins.result()
        # Only who is in raft gets a role there.
        kit.until(lambda: 'database-standby' in leader.api('GET', f'/1.0/cluster/members/{member.name}')['roles'],
                  what='the new member has a role')
        leader.api('DELETE', f'/1.0/cluster/members/{member.name}')
    finally:
        failpoints.release(member)
        bed.discard(member)


def test_a_daemon_that_ends_is_not_woken(bed):
    leader, member, _ = roles(bed)
    member.stop()
    member.start()
    process = bed.processes[-1]
    # Longer than the service lives, so that it is gone when the thread goes on. A time, since a daemon that has
    # come so far answers no request that could let the thread go.
    failpoints.arm(member, 'member.wake=stall:4000')
    leader.api('PATCH', '/1.0/cluster/members/m1', {'description': 'another one'})
    failpoints.wait_passed(member)
    member.kill(signal.SIGTERM)
    assert process.wait(60) == 0
    member.start()
