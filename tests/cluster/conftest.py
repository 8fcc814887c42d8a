"""Each file of this folder has a cluster of three members of its own."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'kit'))
import cluster_bed  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason='needs root'))


@pytest.fixture(scope='module')
def bed(request):
    driver = getattr(request.module, 'DRIVER', 'dir')
    with cluster_bed.cluster(getattr(request.module, 'MEMBERS', 3), driver) as made:
        yield made


@pytest.fixture(autouse=True)
def logs(request):
    """What the daemons logged, when a test fails."""
    yield
    made = request.node.funcargs.get('bed')
    if made and getattr(request.node, 'failed', False):
        for member in made.members:
            print(f'--- {member.name}\n{member.tail(40)}')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.when == 'call':
        item.failed = report.failed
