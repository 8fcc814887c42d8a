#!/usr/bin/python3
"""Runs the stages of the tests in order and counts what they say.

The cheap stages come first; a stage runs even if an earlier one failed, unless the build did. The
last line is 'N passed, N failed, N skipped'.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SANITIZE = ['-Db_sanitize=address,undefined', '-Db_lundef=false', '-Dbuildtype=debug']
counts = {'passed': 0, 'failed': 0, 'skipped': 0}
failures = []


def say(text):
    print(f'\n==> {text}', flush=True)


def build(folder, *options, compiler='gcc'):
    if not (ROOT / folder / 'build.ninja').exists():
        subprocess.run(['meson', 'setup', folder, '--werror', *options], cwd=ROOT, check=True,
                       env=os.environ | {'CC': compiler}, stdout=subprocess.DEVNULL)
    elif not (ROOT / folder / 'tests' / 'unit').exists():
        # Configured before the packages of the tests were there.
        subprocess.run(['meson', 'setup', '--reconfigure', folder], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return subprocess.run(['ninja', '-C', folder, '--quiet'], cwd=ROOT).returncode == 0


def meson_test(folder, suites, processes=2, environment=None, multiplier=1):
    log = ROOT / folder / 'meson-logs' / 'testlog.json'
    log.unlink(missing_ok=True)
    arguments = [word for suite in suites for word in ('--suite', suite)]
    subprocess.run(['meson', 'test', '-C', folder, '--no-rebuild', '--print-errorlogs', '--num-processes',
                    str(processes), '--timeout-multiplier', str(multiplier), *arguments],
                   cwd=ROOT, env=os.environ | (environment or {}))
    if not log.exists():
        print('no test of this suite exists')
        return
    for line in log.read_text().splitlines():
        row = json.loads(line)
        result = row['result']
        if result == 'OK':
            counts['passed'] += 1
        elif result == 'SKIP':
            counts['skipped'] += 1
            reason = (row.get('stdout') or row.get('stderr') or 'no reason').strip().splitlines()[-1:]
            print(f'skipped: {row["name"]}: {"".join(reason)}')
        else:
            counts['failed'] += 1
            failures.append(f'{folder}: {row["name"]}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true', help='no sanitizer build')
    parser.add_argument('--only', help='one suite: lint, unit, fuzz, sim, driver, api or cluster')
    parser.add_argument('--slow', type=int, default=1, help='multiplies every timeout')
    args = parser.parse_args()
    start = time.monotonic()

    say('Build with gcc')
    if not build('build'):
        print('0 passed, 1 failed, 0 skipped')
        return 1
    stages = [(['lint', 'unit', 'fuzz', 'golden'], 2), (['sim'], 2), (['driver'], 1), (['api'], 1), (['cluster'], 1)]
    for suites, processes in stages:
        suites = [s for s in suites if args.only in (None, s)]
        if suites:
            say(f'Tests: {", ".join(suites)}')
            meson_test('build', suites, processes, multiplier=args.slow)

    if not args.quick and args.only in (None, 'unit', 'fuzz'):
        say('Build with clang, AddressSanitizer and UndefinedBehaviorSanitizer')
        options = 'halt_on_error=1:print_stacktrace=1'
        leaks = f'suppressions={ROOT}/tests/kit/lsan.supp:print_suppressions=0'
        if build('build-asan', *SANITIZE, compiler='clang'):
            say('Tests under the sanitizers: unit, fuzz')
            meson_test('build-asan', ['unit', 'fuzz'], 2, {'UBSAN_OPTIONS': options, 'LSAN_OPTIONS': leaks},
                       args.slow * 3)
        else:
            counts['failed'] += 1
            failures.append('build-asan')

    say(f'{time.monotonic() - start:.0f} s')
    for failure in failures:
        print(f'failed: {failure}')
    print(', '.join(f'{count} {name}' for name, count in counts.items()))
    return 1 if counts['failed'] or not counts['passed'] else 0


if __name__ == '__main__':
    sys.exit(main())
