"""The end of a daemon: an ordinary one leaves instances running, a shutdown stops them in order."""
import concurrent.futures
import os
import select
import signal

import cluster_bed as kit

MEMBERS = 1
BUILD = os.environ.get('MUSTER_BUILD', kit.testbed.ROOT / 'build')


def first_process(member, name):
    """The container's init: the oldest of its processes."""
    return min(map(int, kit.processes_of(member, name)))


def test_a_restart_keeps_instances_running(bed):
    member = bed.members[0]
    kit.launch(bed, ['r1'])
    before = first_process(member, 'r1')
    member.kill(signal.SIGTERM)
    member.start()
    assert first_process(member, 'r1') == before
    assert member.api('GET', '/1.0/instances/r1/state')['status'] == 'Running'
    kit.delete_all(bed)


def test_a_shutdown_stops_by_priority(bed):
    member = bed.members[0]
    kit.launch(bed, ['late'], boot__host_shutdown_timeout='1')
    kit.launch(bed, ['early'], boot__host_shutdown_timeout='1', boot__stop__priority='5')
    late, early = (os.pidfd_open(first_process(member, name)) for name in ('late', 'early'))
    daemon = os.pidfd_open(member.pid)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            ended = pool.submit(select.select, [late, early], [], [], 60)
            member.inside(f'{BUILD}/musterd', 'shutdown', '--timeout', '60')
            assert ended.result()[0] == [early]
        assert select.select([daemon], [], [], 10)[0]
        assert not kit.processes_of(member, 'late') and not kit.processes_of(member, 'early')
        assert set(select.select([late, early], [], [], 10)[0]) == {late, early}
    finally:
        for fd in (late, early, daemon):
            os.close(fd)
    member.kill()
    member.start()
    for name in ('late', 'early'):
        kit.until(lambda name=name: member.api('GET', f'/1.0/instances/{name}')['status'] == 'Running', what=name)
    kit.delete_all(bed)
