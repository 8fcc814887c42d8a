"""What is due is done by the one member that has it, asked on whichever."""
import datetime

MEMBERS = 2


def look(member):
    """One pass; the descriptions of what it did."""
    done = []
    for url in member.api('POST', '/internal/testing/snapshots', {}):
        operation = member.api('GET', f'{url}/wait?timeout=60')
        assert operation['status'] == 'Success', operation
        done.append(operation['description'])
    return done


def shift(bed, by):
    for member in bed.members:
        member.api('POST', '/internal/testing/clock', {'shift': by})


def test_each_member_looks_after_its_own(bed):
    m1, m2 = bed.members
    volume = '/1.0/storage-pools/default/volumes/custom'
    # No pass is near the minute that is due.
    schedule = f'{(datetime.datetime.now().minute + 30) % 60} * * * *'
    m1.api('POST', '/1.0/instances?target=m2', {'name': 'c', 'source': {'type': 'none'}, 'config': {
        'snapshots.schedule': schedule, 'snapshots.schedule.stopped': 'true', 'snapshots.expiry': '1d'}})
    for place in ('m1', 'm2'):
        m1.api('POST', f'{volume}?target={place}', {'name': f'v{place}', 'config': {'snapshots.schedule': schedule}})
    try:
        for member in bed.members:
            look(member)
        shift(bed, '1h')
        assert look(m1) == ['Creating storage volume snapshot']
        assert sorted(look(m2)) == ['Creating storage volume snapshot', 'Snapshotting instance']
        assert [look(member) for member in bed.members] == [[], []]
        assert len(m1.api('GET', '/1.0/instances/c/snapshots')) == 1
        # It moves within the hour: where it is now it was taken already.
        m1.api('POST', '/1.0/instances/c?target=m1', {'name': 'c', 'migration': True})
        assert [look(member) for member in bed.members] == [[], []]
        shift(bed, '26h')
        assert sorted(look(m1)) == ['Cleaning up expired instance snapshots', 'Creating storage volume snapshot',
                                    'Snapshotting instance']
    finally:
        shift(bed, '0')
    m1.api('DELETE', '/1.0/instances/c')
    for place in ('m1', 'm2'):
        m1.api('DELETE', f'{volume}/v{place}?target={place}')
