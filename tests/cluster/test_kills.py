"""kill -9 (each fifth time: an orderly stop) of a daemon at a random moment of an evacuation.

Whatever happens: the plan ends by itself, each instance runs once and where the database says, its
files are there and nowhere else, and what was written into it is there.

MUSTER_KILLS=20 makes more rounds; MUSTER_SEED other ones.
"""
import os
import random
import signal
import threading

import pytest

import cluster_bed as kit

ROUNDS = int(os.environ.get('MUSTER_KILLS', '6'))
SEED = int(os.environ.get('MUSTER_SEED', '1'))
NAMES = [f'c{n}' for n in range(1, 13)]
HOME = 'm2'
MOMENT = 1.2  # Seconds: about as long as it takes.


@pytest.fixture(scope='module')
def marks(bed):
    kit.launch(bed, NAMES, target=HOME)
    return {name: kit.mark(bed, name) for name in NAMES}


def choose_victim(bed, what):
    leader = bed.leader()
    if what == 'leader':
        return leader
    if what == 'source':
        return bed.member(HOME)
    return next(m for m in bed.members if m.name != HOME and m is not leader)


@pytest.mark.parametrize('number', range(ROUNDS))
def test_a_daemon_is_killed_during_an_evacuation(bed, marks, number):
    chance = random.Random(SEED * 1000 + number)
    what = ('leader', 'source', 'target')[number % 3]
    action = 'refresh-migrate' if number % 4 == 3 else ''
    victim = choose_victim(bed, what)
    watcher = next(m for m in bed.members if m is not victim and m.name != HOME)
    moment, pause = chance.uniform(0, MOMENT), chance.choice((0, chance.uniform(0, 1)))
    print(f'round {number}: {what} {victim.name} after {moment:.2f} s, back after {pause:.2f} s, {action or "migrate"}')

    operation = kit.begin(watcher, HOME, 'evacuate', mode=action)
    threading.Event().wait(moment)
    victim.kill(signal.SIGTERM if number % 5 == 4 else signal.SIGKILL)
    threading.Event().wait(pause)
    victim.start()
    end = kit.wait(watcher, operation)
    print('   ', end['status'], end['metadata']['evacuation_progress'], end['err'])

    assert end['metadata']['plan']['state'] in ('done', 'failed')
    kit.check_all_well(bed, NAMES, marks, watcher)
    for step in end['metadata']['plan']['steps']:
        assert step['phase'] in ('cleaned', 'undone'), step

    end = kit.restore(watcher, HOME)
    assert end['status_code'] == 200, end['err']
    assert set(kit.check_all_well(bed, NAMES, marks, watcher).values()) == {HOME}
    left = [r for m in bed.members for r in m.api('GET', '/1.0/cluster/members?recursion=1') if r['status'] != 'Online']
    assert not left
