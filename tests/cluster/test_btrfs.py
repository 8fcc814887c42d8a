"""The same with btrfs pools: volumes go as streams of the driver's own."""
import pytest

import cluster_bed as kit

DRIVER = 'btrfs'
NAMES = ['b1', 'b2', 'b3', 'b4']


@pytest.mark.parametrize('mode', ['migrate', 'refresh-migrate'])
def test_all_go_and_come_back(bed, mode):
    kit.launch(bed, NAMES, target='m2')
    marks = {name: kit.mark(bed, name) for name in NAMES}
    end = kit.evacuate(bed.members[0], 'm2', mode=mode)
    assert end['status_code'] == 200, end['err']
    assert 'm2' not in kit.check_all_well(bed, NAMES, marks).values()
    end = kit.restore(bed.members[0], 'm2')
    assert end['status_code'] == 200, end['err']
    assert set(kit.check_all_well(bed, NAMES, marks).values()) == {'m2'}
    kit.delete_all(bed)
