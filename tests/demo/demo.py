#!/usr/bin/python3
"""The main job, shown on this machine: a cluster of three members places, runs, evacuates, restores.

    demo.py            shows it and takes everything down
    demo.py --keep     leaves the cluster up and says how to use it
    demo.py --stop     takes that cluster down without a trace

Every step says how long it took. The members live in namespaces of their own (tests/kit/testbed.py);
the demo is a client like any other: it runs `muster` and the REST API, and checks what it shows.
"""
import argparse
import collections
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/kit'))
import busybox_image  # noqa: E402
import testbed  # noqa: E402

BUILD = pathlib.Path(os.environ.get('MUSTER_BUILD', ROOT / 'build'))
FOLDER = pathlib.Path(os.environ.get('MUSTER_DEMO_DIR', '/var/tmp/muster-demo'))
INSTANCES = [f'c{n}' for n in range(1, 13)]
GROUPED = INSTANCES[:6]
BOLD, DIM, RESET = ('\033[1m', '\033[2m', '\033[0m') if sys.stdout.isatty() else ('', '', '')
times = []


class Step:
    """One step of the demo: a headline, and how long it took."""

    def __init__(self, title):
        self.title = title

    def __enter__(self):
        print(f'\n{BOLD}==> {self.title}{RESET}', flush=True)
        self.start = time.monotonic()

    def __exit__(self, kind, *_):
        if kind is None:
            took = time.monotonic() - self.start
            times.append((self.title, took))
            print(f'{DIM}    {took:.2f} s{RESET}', flush=True)


def muster(member, *argv, show=True, check=True):
    """Runs the client against one member and shows command and output."""
    if show:
        print(f'{DIM}$ muster {" ".join(argv)}{RESET}', flush=True)
    env = os.environ | {'MUSTER_DIR': str(member.dir), 'MUSTER_CONF': str(FOLDER / 'conf')}
    done = subprocess.run([BUILD / 'muster', *argv], env=env, text=True,
                          stdout=None if show else subprocess.PIPE)
    if check and done.returncode:
        sys.exit(f'muster {" ".join(argv)} failed')
    return done.stdout


def rows(member):
    return {i['name']: i for i in member.api('GET', '/1.0/instances?recursion=1')}


def where(member, names=INSTANCES):
    return {name: rows(member)[name]['location'] for name in names}


def check(truth, sentence):
    if not truth:
        sys.exit(f'not so: {sentence}')
    print(f'    {sentence}: yes')


def spread(places):
    """How far the fullest and the emptiest of the members in use are apart."""
    counts = collections.Counter(places)
    return max(counts.values()) - min(counts.values())


def launch(first):
    for name in INSTANCES:
        config = {'placement.group': 'web'} if name in GROUPED else {}
        body = {'name': name, 'source': {'type': 'image', 'alias': 'busybox'}, 'config': config, 'start': True}
        operation = first.api('POST', '/1.0/instances', body)
        place = (operation.get('metadata') or {}).get('placement') or {}
        print(f'    {name:4} {"web" if name in GROUPED else "-":4} {place.get("member", ""):4} '
              f'{place.get("reason", "")}')
        for other in place.get('rejected', []):
            print(f'{DIM}         not {other["member"]}: {other["reason"]}{RESET}')


def show(bed):
    first, second, third = bed.members
    with Step('Form a cluster of three with join tokens'):
        bed.form()
        muster(first, 'cluster', 'list')
    with Step('Build a busybox image and import it'):
        image = busybox_image.build(str(FOLDER / 'busybox.tar.gz'))
        muster(first, 'image', 'import', image, '--alias', 'busybox')
    with Step('Create a placement group'):
        muster(first, 'placement-group', 'create', 'web', 'policy=spread', 'rigor=permissive')
    with Step('Launch twelve containers, six of them in the group'):
        launch(first)
        muster(first, 'list', '-c', 'nsL')
    before = where(first)
    check(all(i['status'] == 'Running' for i in rows(first).values()), 'all twelve run')
    check(spread([before[n] for n in GROUPED]) == 0, 'the group is spread evenly')

    with Step(f'Evacuate {second.name}: the plan'):
        muster(first, 'cluster', 'evacuate', second.name, '--plan')
    with Step(f'Evacuate {second.name}'):
        muster(first, 'cluster', 'evacuate', second.name, '--force')
    during = where(first)
    muster(first, 'list', '-c', 'nsL')
    check(second.name not in during.values(), f'nothing is left on {second.name}')
    check(all(i['status'] == 'Running' for i in rows(first).values()), 'all twelve run')
    check(spread([during[n] for n in GROUPED]) <= 1, 'the group is spread over the members that are left')

    with Step(f'Restore {second.name}'):
        muster(first, 'cluster', 'restore', second.name, '--force')
    check(where(first) == before, 'all are home again')
    check(all(i['status'] == 'Running' for i in rows(first).values()), 'all twelve run')

    leader = bed.leader()
    other = next(m for m in bed.members if m is not leader)
    with Step(f'kill -9 the leader, {leader.name}; the next write through {other.name}'):
        leader.kill(signal.SIGKILL)
        start = time.monotonic()
        other.api('PATCH', '/1.0/profiles/default', {'description': 'written without the leader'})
        took = time.monotonic() - start
        check(True, f'the write succeeded {took:.2f} s after the leader was gone')
    with Step(f'{leader.name} comes back; its containers never stopped'):
        leader.start()
        check(all(i['status'] == 'Running' for i in rows(leader).values()), 'all twelve run')
        muster(other, 'cluster', 'list')


def lines_for_the_operator(bed):
    first = bed.members[0]
    print(f"""
{BOLD}The cluster stays up.{RESET} As root on this machine:

    export MUSTER_DIR={first.dir}
    {ROOT}/build/muster list
    {ROOT}/build/muster cluster list
    LXD_DIR={first.dir} lxc list

Over HTTPS, from the network of the cluster:

    {ROOT}/build/muster config trust add --name demo          # prints a token
    nsenter -t {bed.switch} -n {ROOT}/build/muster remote add demo {first.address} --token TOKEN
    nsenter -t {bed.switch} -n lxc remote add demo https://{first.address} --token TOKEN

The members' logs are {FOLDER}/m1.log and so on. To take it down:

    ./run demo --stop""")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--keep', action='store_true', help='leave the cluster up')
    parser.add_argument('--stop', action='store_true', help='take a kept cluster down')
    args = parser.parse_args()

    if (FOLDER / 'testbed.json').exists():
        if not args.stop:
            sys.exit(f'A cluster of the demo is up in {FOLDER}; "./run demo --stop" takes it down')
        testbed.Testbed.load(FOLDER).down()
        return
    if args.stop:
        return

    bed = testbed.Testbed(FOLDER, build=BUILD)
    kept = False
    try:
        with Step('Start three members'):
            bed.up(3, clustered=False)
            print('    ' + ', '.join(f'{m.name} at {m.address}' for m in bed.members))
        show(bed)
        print(f'\n{BOLD}How long each step took{RESET}')
        for title, took in times:
            print(f'{took:8.2f} s  {title}')
        kept = args.keep
    finally:
        if kept:
            lines_for_the_operator(bed)
        else:
            bed.down()


if __name__ == '__main__':
    main()
