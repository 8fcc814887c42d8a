#!/usr/bin/python3
"""Measures Muster against Debian's LXD on this machine, one after the other, and writes what it saw.

    bench.py [--quick] [--members 1,3] [--out FOLDER] [SECTION...]

Leaves in FOLDER (build/bench): figures.json with every value, table.md, and figure.svg, a bar for each ratio. A
section begins on fresh daemons of both; LXD slows down as a cluster is used, and so might we.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'kit')]
import peers  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import testbed  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true', help='short series')
    parser.add_argument('--members', default='1,3', help='how many members, more than one with commas')
    parser.add_argument('--out', default=testbed.ROOT / 'build/bench', type=pathlib.Path)
    parser.add_argument('sections', nargs='*')
    args = parser.parse_args()

    load = testbed.ROOT / 'build/tests/bench/load'
    results = {}
    with tempfile.TemporaryDirectory(prefix='muster-bench-', dir='/var/tmp') as folder:
        os.chmod(folder, 0o711)
        for count in map(int, args.members.split(',')):
            results[count] = {who: run.measure(who, count, args.sections, folder, load, args.quick,
                                               lambda text: print(f'==> {text}', file=sys.stderr, flush=True))
                              for who in peers.PEERS}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / 'figures.json').write_text(json.dumps(results, indent=1))
    table = report.table(results, peers.version('lxd'))
    (args.out / 'table.md').write_text(table)
    (args.out / 'figure.svg').write_text(report.svg(results))
    print(table)


if __name__ == '__main__':
    main()
