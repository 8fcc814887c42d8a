"""What the benchmark measures, in sections that each need a fresh server or cluster.

A section gets a Run: the bed, and a place to write figures to. Names of figures are the same for one server
and for clusters, so that their tables can stand side by side.
"""
import concurrent.futures
import json
import pathlib
import subprocess
import time

EMPTY = json.dumps({'name': 'e%d', 'source': {'type': 'none'}})
EXEC = {'command': ['true'], 'wait-for-websocket': False, 'interactive': False, 'record-output': False}


def idle(run):
    run.settle()
    time.sleep(5)  # The interval of the measurement: a daemon at rest has no event to wait for.
    run.memory('idle PSS a member')
    for member in run.others()[:1] * run.rounds:
        member.stop()
        member.start()
        run.record('exec to first answer', member.start_ms, 'ms')
        run.settle()


def answers(run):
    one, eight = ['--seconds', run.seconds], ['--seconds', run.seconds, '--connections', 8]
    run.load('GET /1.0, HTTPS, 1 connection', 'https', *one, 'GET', '/1.0')
    run.load('GET /1.0, HTTPS, 8 connections', 'https', *eight, 'GET', '/1.0')
    run.load('GET /1.0, a new TLS connection each', 'https', *one, '--fresh', 'GET', '/1.0')
    if run.count > 1:
        run.load('GET /1.0, HTTPS, 8 connections, not the leader', 'https', *eight, 'GET', '/1.0', member=run.other())


def lists(run):
    rows = run.rows
    run.fill(rows)
    run.load(f'list of {rows}, recursion=1', 'https', '--count', run.repeats(rows), 'GET', '/1.0/instances?recursion=1')
    run.load(f'one instance out of {rows}', 'https', '--seconds', run.seconds, 'GET', f'/1.0/instances/e{rows // 2}')
    run.memory(f'PSS with {rows} instances, after the lists')


def writes(run):
    profile = ['PATCH', '/1.0/profiles/default', json.dumps({'description': 'round %d'})]
    n = run.repeats(100) * 4
    run.load('PATCH of a profile, 1 writer', 'unix', '--count', n, *profile)
    if run.count > 1:
        run.load('PATCH of a profile, not the leader', 'unix', '--count', n, *profile, member=run.other())
    for writers in 1, 8:
        many = ['--count', n * writers, '--connections', writers, '--wait']
        run.load(f'create an empty instance, {writers} at a time', 'unix', *many, 'POST', '/1.0/instances', EMPTY)
        run.load(f'delete an empty instance, {writers} at a time', 'unix', *many, 'DELETE', '/1.0/instances/e%d')


def containers(run):
    run.image()
    member = run.bed.members[0]
    for number in range(run.rounds * 2):
        name = f'c{number}'
        body = {'name': name, 'source': {'type': 'image', 'alias': 'bench'}}
        run.timed('create from an image', member.api, 'POST', '/1.0/instances' + run.at(member), body)
        run.timed('start', run.state, name, 'start')
        run.timed('forced stop', run.state, name, 'stop')
        run.timed('snapshot', member.api, 'POST', f'/1.0/instances/{name}/snapshots', {'name': 's'})
        run.timed('restore', member.api, 'PUT', f'/1.0/instances/{name}', {'restore': 's'})
        run.timed('copy', member.api, 'POST', '/1.0/instances' + run.at(member),
                  {'name': name + 'c', 'profiles': ['default'], 'source': {'type': 'copy', 'source': name}})
        run.timed('delete', member.api, 'DELETE', f'/1.0/instances/{name}c')
        member.api('DELETE', f'/1.0/instances/{name}')


def twenty(run):
    run.image()
    names = [f't{n}' for n in range(20)]
    member = run.bed.members[0]

    def launch(name):
        member.api('POST', '/1.0/instances' + run.at(member), {'name': name, 'source': {'type': 'image', 'alias': 'bench'}})
        run.state(name, 'start')

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(launch, names))
    run.record('launch of 20, 8 at a time', time.monotonic() - start, 's')
    run.load('list of 20 running, recursion=2', 'https', '--count', run.repeats(20), 'GET', '/1.0/instances?recursion=2')
    run.monitors('PSS of a monitor')
    run.memory('PSS with 20 running')
    run.load('exec, REST', 'unix', '--count', 20, '--wait', 'POST', '/1.0/instances/t0/exec', json.dumps(EXEC))
    run.load('exec, websockets, HTTPS', 'https', '--count', 20, '--exec', 'POST', '/1.0/instances/t0/exec',
             json.dumps(EXEC | {'wait-for-websocket': True}))


def files(run):
    run.image()
    member = run.bed.members[0]
    member.api('POST', '/1.0/instances' + run.at(member), {'name': 'f', 'source': {'type': 'image', 'alias': 'bench'}})
    big = run.bed.dir / 'big'
    with open('/dev/urandom', 'rb') as source, open(big, 'wb') as f:
        for _ in range(200):
            f.write(source.read(1 << 20))
    curl = ['curl', '-sf', '--unix-socket', member.dir / 'unix.socket', 'http://x/1.0/instances/f/files?path=/root/big']
    for _ in range(run.rounds):
        run.timed('file push of 200 MB', subprocess.run, [*curl, '-o', '/dev/null', '-X', 'POST', '-H', 'X-LXD-type: file',
                  '-H', 'Content-Type: application/octet-stream', '--data-binary', f'@{big}'], check=True)
        run.timed('file pull of 200 MB', subprocess.run, [*curl, '-o', '/dev/null'], check=True)


def evacuation(run):
    run.image()
    member = run.bed.members[1]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: run.launch(f'v{n}', member), range(20)))
    path = f'/1.0/cluster/members/{member.name}/state'
    run.timed('evacuate 20 running', run.bed.members[0].api, 'POST', path, {'action': 'evacuate', 'mode': 'migrate'}, unit='s')
    run.timed('restore 20 running', run.bed.members[0].api, 'POST', path, {'action': 'restore'}, unit='s')


def failover(run):
    for number in range(run.rounds):
        run.settle()
        leader = run.bed.leader()
        other = next(m for m in run.bed.members if m is not leader)
        leader.kill()
        run.timed('kill -9 of the leader to the next write', run.persist, other, 'PATCH', '/1.0/profiles/default',
                  {'description': f'after {number}'}, unit='s')
        leader.start()


def join(run):
    run.settle()
    member = run.bed.add()
    member.start()
    run.timed('join of a member', run.bed.join, member, unit='s')


SINGLE = {'idle': idle, 'answers': answers, 'lists': lists, 'writes': writes, 'containers': containers,
          'twenty': twenty, 'files': files}
CLUSTER = {'idle': idle, 'answers': answers, 'lists': lists, 'writes': writes, 'containers': containers,
           'twenty': twenty, 'evacuation': evacuation, 'failover': failover, 'join': join}


def image_file(folder):
    import busybox_image
    return pathlib.Path(busybox_image.build(str(folder / 'bench.tar.gz')))
