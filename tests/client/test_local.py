"""What needs no server: help, mistakes on the command line, remotes, aliases."""
import os

import pytest

from conftest import Muster


@pytest.fixture
def alone(tmp_path):
    return Muster(str(tmp_path / 'nowhere'), str(tmp_path / 'conf'))


def test_help_names_the_commands(alone):
    out = alone.ok('--help').out
    assert '\n  launch ' in out and '\n  cluster ' in out
    assert alone.ok('help', 'cluster', 'evacuate').out == alone.ok('cluster', 'evacuate', '--help').out
    assert '--plan' in alone.ok('cluster', 'evacuate', '-h').out


def test_mistakes_end_with_1(alone):
    assert 'unknown command "foo" for "muster"' in alone.fails('foo')
    assert 'unknown flag: --nosuch' in alone.fails('list', '--nosuch')
    assert 'Invalid number of arguments' in alone.run('rename', 'a').err
    assert alone.run('rename', 'a').status == 1
    assert 'Invalid format' in alone.fails('list', '-f', 'xml')
    assert "Unknown column shorthand char 'q'" in alone.fails('list', '-c', 'nq')


def test_a_server_that_is_not_there_is_named(alone):
    assert 'nowhere/unix.socket' in alone.fails('list')
    assert alone.ok('version').lines[1] == 'Server version: unreachable'


def test_aliases_take_arguments(alone):
    alone.ok('alias', 'add', 'two words', 'remote list @ARGS@')
    assert alone.ok('two', 'words', '-f', 'csv').lines == ['local (current),unix://,lxd,file access,NO,YES,NO']
    alone.ok('alias', 'rename', 'two words', 'other')
    assert alone.ok('alias', 'list', '-f', 'csv').lines == ['other,remote list @ARGS@']
    alone.ok('alias', 'remove', 'other')
    assert 'does not exist' in alone.fails('alias', 'remove', 'other')


def test_the_local_remote_stays(alone):
    assert alone.ok('remote', 'get-default').lines == ['local']
    alone.fails('remote', 'remove', 'local')
    alone.fails('remote', 'add', 'bad:name', '127.0.0.1')
    assert 'The remote "nosuch" does not exist' in alone.fails('list', 'nosuch:')


def test_a_broken_config_is_named(alone):
    os.makedirs(alone.conf)
    with open(os.path.join(alone.conf, 'config.yml'), 'w', encoding='ascii') as f:
        f.write('remotes: [')
    assert 'config.yml' in alone.fails('list')


def test_completion_knows_commands_and_options(alone):
    words = [line.split('\t')[0] for line in alone.ok('__complete', 'cluster', 'e').lines]
    assert sorted(words) == ['edit', 'enable', 'evacuate', 'explain']
    assert alone.ok('__complete', 'list', '--fas').out.startswith('--fast\t')
    assert alone.ok('__complete', 'list', '-f', 'c').lines == ['compact', 'csv']
    for shell in 'bash', 'zsh', 'fish':
        assert 'muster __complete' in alone.ok('completion', shell).out


def test_manual_pages_are_written(alone, tmp_path):
    alone.ok('manpage', str(tmp_path))
    assert '.TH "muster-cluster-evacuate" 1' in (tmp_path / 'muster-cluster-evacuate.1').read_text()
