"""A daemon is killed while the roles of the database change: the cluster has a leader again soon.

An evacuation and a restore of an empty member do little else than changing roles.
MUSTER_KILLS=20 makes more rounds; MUSTER_SEED other ones.
"""
import os
import random
import signal
import threading
import time

import pytest

import cluster_bed as kit
import testbed

ROUNDS = int(os.environ.get('MUSTER_KILLS', '6'))
SEED = int(os.environ.get('MUSTER_SEED', '1'))
HOME = 'm2'
MOMENT = 0.5  # Seconds: about as long as the changes take.
SOON = 30     # The aim is 3; a machine may be slow. What this is about took 60.


def write_somewhere(bed, member, text):
    try:
        member.api('PATCH', '/1.0/cluster/members/m1', {'description': text}, timeout=SOON * 2)
        return True
    except (OSError, testbed.ApiError) as error:
        print('   ', member.name, error)
        return False


def choose_victim(bed, number):
    leader = bed.leader()
    if number % 3 == 0:
        return leader
    if number % 3 == 1:
        return bed.member(HOME)
    return next(m for m in bed.members if m.name != HOME and m is not leader)


def change_and_kill(bed, number, action, chance):
    """Begins to change roles, kills one meanwhile; how long until a write through each other member succeeds."""
    victim = choose_victim(bed, number)
    watcher = next(m for m in bed.members if m is not victim and m.name != HOME)
    moment, pause = chance.uniform(0, MOMENT), chance.choice((0, chance.uniform(0, 1)))
    done = []

    def change():
        try:
            done.append(kit.begin(watcher, HOME, action, force=True))
        except (OSError, testbed.ApiError) as error:
            print('    not begun:', error)

    thread = threading.Thread(target=change)
    thread.start()
    threading.Event().wait(moment)
    victim.kill(signal.SIGTERM if number % 5 == 4 else signal.SIGKILL)
    threading.Event().wait(pause)
    begun = time.monotonic()
    victim.start()
    started = time.monotonic()
    for member in bed.members:
        kit.until(lambda: write_somewhere(bed, member, f'{action} {number}'), timeout=SOON * 2, what='a write')
    took = time.monotonic() - begun
    print(f'round {number}: {action}, {victim.name} after {moment:.2f} s, back after {pause:.2f} s: '
          f'start {started - begun:.1f} s, writes {took:.1f} s')
    thread.join()
    return took


@pytest.mark.parametrize('number', range(ROUNDS))
def test_there_is_a_leader_again_soon(bed, number):
    chance = random.Random(SEED * 1000 + number)
    took = change_and_kill(bed, number, 'evacuate', chance)
    took = max(took, change_and_kill(bed, number, 'restore', chance))
    for open_plan in bed.members[0].api('GET', '/1.0/cluster/plans'):
        kit.wait(bed.members[0], open_plan.replace('cluster/plans', 'operations'))
    if bed.members[0].api('GET', f'/1.0/cluster/members/{HOME}')['status'] == 'Evacuated':
        kit.restore(bed.members[0], HOME)
    assert took < SOON
    kit.until(lambda: sum(map(kit.votes, bed.members[0].api('GET', '/1.0/cluster/members?recursion=1'))) == 3,
              timeout=SOON * 2, what='all vote again')


def test_while_one_is_evacuated_another_may_be_lost(bed):
    """It goes on voting as long as nobody can do so in its place."""
    end = kit.evacuate(bed.members[0], HOME)
    assert end['status_code'] == 200, end['err']
    for victim in [m for m in bed.members if m.name != HOME]:
        other = next(m for m in bed.members if m is not victim and m.name != HOME)
        victim.kill()
        kit.until(lambda: write_somewhere(bed, other, f'without {victim.name}'), timeout=SOON, what='a write')
        victim.start()
        kit.until(lambda: all(r['status'] != 'Offline' for r in other.api('GET', '/1.0/cluster/members?recursion=1')),
                  what='it is back')
    kit.restore(bed.members[0], HOME)


def test_an_evacuated_member_that_ends_in_order_votes_no_more(bed):
    kit.evacuate(bed.members[0], HOME)
    bed.member(HOME).stop()
    # Whoever leads has made the change before the member ended; the others hear of it with the next heartbeat.
    assert not kit.votes(bed.leader().api('GET', f'/1.0/cluster/members/{HOME}'))
    for member in bed.members:
        if member.name != HOME:
            kit.until(lambda m=member: not kit.votes(m.api('GET', f'/1.0/cluster/members/{HOME}')), timeout=SOON,
                      what=f'{member.name} knows that {HOME} votes no more')
    bed.member(HOME).start()
    kit.restore(bed.members[0], HOME)
    kit.until(lambda: sum(map(kit.votes, bed.members[0].api('GET', '/1.0/cluster/members?recursion=1'))) == 3,
              timeout=SOON * 2, what='all vote again')
