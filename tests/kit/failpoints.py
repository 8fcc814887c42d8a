"""The failpoints of daemons (lib/base/failpoint.h): armed while they run, waited for, and what a kill leaves."""
import contextlib
import http.client
import threading

import pytest

import cluster_bed
import testbed

ROUTE = '/internal/testing/failpoints'


def needed(member):
    """Skips the tests of a build without failpoints."""
    status, _, _ = member.request('GET', ROUTE)
    if status == 404:
        pytest.skip('built without failpoints')


def arm(member, *points):
    """These and no others; none ends what stalls."""
    member.api('PUT', ROUTE, {'arm': ','.join(points)})


def release(member):
    """None, if it lives."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        arm(member)


@contextlib.contextmanager
def armed(member, *points):
    """For as long as the block takes, and as the daemon lives."""
    arm(member, *points)
    try:
        yield
    finally:
        release(member)


def passed(member):
    """How often those that are armed were passed, together."""
    return sum(point['passed'] for point in member.api('GET', ROUTE))


def wait_passed(member, timeout=60):
    cluster_bed.until(lambda: passed(member), timeout, f'a failpoint of {member.name} is passed')


def wait_dead(member, timeout=60):
    """Until it has killed itself."""
    pid, member.pid = member.pid, 0
    testbed.wait_gone(pid, timeout)
    member.bed.save()


def background(call, *args):
    """A thread whose request may end in any way: with an answer, an error, or the daemon's end."""
    def run():
        with contextlib.suppress(OSError, http.client.HTTPException, testbed.ApiError):
            call(*args)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
