"""kill -9 of source, target and leader at each boundary of a step's phases, evacuating and restoring.

Whoever dies: the plan ends by itself, and then each instance is there once (row, volume, files, control group), where
the database says, running if it ran, with what was written into it; nothing is reserved and nothing is left over.

A few rows run always, MUSTER_KILL_TABLE=all runs the whole table, on dir and on btrfs.
"""
import contextlib
import http.client
import os

import pytest

import cluster_bed as kit
import failpoints
import testbed

NAMES = ['k1', 'k2']
IS_WHOLE = os.environ.get('MUSTER_KILL_TABLE') == 'all'
PHASES = ['copied', 'paused', 'committed', 'running', 'cleaned']


def around(point, subjects):
    return [f'{point}.{when}/{subject}' for subject in subjects for when in ('before', 'after')]


def table():
    for way, phases, verbs in (('migrate', PHASES, ['receive', 'start']), ('refresh-migrate', ['reserved'] + PHASES, ['receive', 'start']),
                               ('stopped', PHASES, ['receive'])):
        for victim, points in (('leader', around('step', phases) + around('plan', ['done'])),
                               ('source', around('phase', ['pause', 'clean']) + ['volume.send']),
                               ('target', around('phase', verbs) + ['volume.receive'])):
            for point in points:
                yield way, victim, point


ALWAYS = [('migrate', 'leader', 'step.before/committed'), ('migrate', 'leader', 'step.after/committed'),
          ('migrate', 'source', 'phase.after/pause'), ('migrate', 'target', 'phase.before/start'),
          ('refresh-migrate', 'target', 'volume.receive'), ('stopped', 'source', 'phase.before/clean')]
DRIVERS = ['dir', 'btrfs'] if IS_WHOLE else ['dir']
ROWS = list(table()) if IS_WHOLE else ALWAYS


@pytest.fixture(scope='module', params=DRIVERS)
def bed(request):
    with kit.cluster(3, request.param) as made:
        failpoints.needed(made.members[0])
        yield made


def launch(bed, home, is_running):
    kit.launch(bed, NAMES, target=home.name)
    marks = {name: kit.mark(bed, name) for name in NAMES}
    for name in () if is_running else NAMES:
        home.api('PUT', f'/1.0/instances/{name}/state', {'action': 'stop', 'force': True})
    return marks


def settle(bed):
    """Somebody leads; the member to be evacuated is another one."""
    leader = bed.leader()
    return next(m for m in bed.members if m is not leader)


def begin(watcher, home, action, **options):
    """The leader may be dead before it answers: the plan is in the database or it is not."""
    def known():
        return {p['uuid'] for p in watcher.api('GET', '/1.0/cluster/plans?recursion=1')}

    before = known()
    with contextlib.suppress(OSError, http.client.HTTPException, testbed.ApiError):
        return kit.begin(watcher, home.name, action, **options)
    found = known() - before
    return f'/1.0/operations/{found.pop()}' if found else kit.begin(watcher, home.name, action, **options)


def parts(bed, home, action):
    """Who plays what for the first instance that is moved."""
    plan = home.api('POST', f'/1.0/cluster/members/{home.name}/state', {'action': action, 'dry_run': True})
    step = plan['steps'][0]
    return {'leader': bed.leader(), 'source': bed.member(step['from']), 'target': bed.member(step['to'])}


def sql(member, query):
    return member.api('POST', '/internal/sql', {'database': 'global', 'query': query})['results'][0].get('rows') or []


def cgroups(member, name):
    return [p for top in testbed.cgroup_folders(member.bed.cgroup(member)) for p in top.glob(f'muster.payload.*/{name}')]


def what_is_wrong(bed, marks, is_running, through):
    known = kit.rows(through)
    wrong = []
    for name in NAMES:
        if name not in known:
            wrong.append(f'{name} is lost')
            continue
        place = known[name]['location']
        expected = {'runs': [place] if is_running else [], 'files': [place], 'rows': [[place]],
                    'cgroups': [place] if is_running else [], 'mark': marks[name],
                    'status': 'Running' if is_running else 'Stopped'}
        found = {'runs': kit.runs_on(bed, name), 'files': kit.files_on(bed, name),
                 'rows': sql(through, 'SELECT members.name FROM storage_volumes JOIN members ON members.id = storage_volumes.member_id'
                                      f" WHERE storage_volumes.name = '{name}'"),
                 'cgroups': [m.name for m in bed.members if cgroups(m, name)],
                 'mark': kit.read_mark(bed.member(place), name), 'status': known[name]['status']}
        wrong += [f'{name} on {place}: {key} {found[key]}' for key in expected if found[key] != expected[key]]
    for member in bed.members:
        names = {p.name for p in kit.volume(member, '').glob('*')} | {p.name for p in kit.volume(member, '').glob('.*')}
        wrong += [f'{member.name} has {names - set(NAMES)}'] if names - set(NAMES) else []
    wrong += [f'reserved: {sql(through, "SELECT instance FROM reservations")}'] if sql(through, 'SELECT id FROM reservations') else []
    return wrong


def kill_during(bed, home, action, way, victim, point, marks):
    cast = parts(bed, home, action)
    dying = cast[victim]
    watcher = next(m for m in bed.members if m is not dying)
    failpoints.arm(dying, f'{point}=kill')
    operation = begin(watcher, home, action, **({'mode': way} if action == 'evacuate' and way != 'stopped' else {}))
    failpoints.wait_dead(dying)
    dying.start(timeout=180)
    end = kit.wait(watcher, operation, timeout=300)
    plan = end['metadata']['plan']
    assert plan['state'] in ('done', 'failed'), plan
    assert {s['phase'] for s in plan['steps']} <= {'cleaned', 'undone'}, plan
    # Whoever was started again starts its instances when it is up.
    kit.until_nothing(lambda: what_is_wrong(bed, marks, way != 'stopped', watcher))
    return end


@pytest.mark.parametrize('way, victim, point', ROWS)
def test_a_plan_survives(bed, way, victim, point):
    home = settle(bed)
    marks = launch(bed, home, way != 'stopped')
    try:
        kill_during(bed, home, 'evacuate', way, victim, point, marks)
        if any(row['location'] == home.name for row in kit.rows(home).values()):
            end = kit.evacuate(home, home.name)
            assert end['status_code'] == 200, end['err']
        if point != 'step.before/reserved' and point != 'step.after/reserved':
            kill_during(bed, home, 'restore', way, victim, point, marks)
        if home.api('GET', f'/1.0/cluster/members/{home.name}')['status'] != 'Online':
            end = kit.restore(home, home.name)
            assert end['status_code'] == 200, end['err']
        assert {row['location'] for row in kit.rows(home).values()} == {home.name}
    finally:
        for member in bed.members:
            if not member.pid:
                member.start(timeout=180)
            failpoints.arm(member)
        kit.delete_all(bed, home)
