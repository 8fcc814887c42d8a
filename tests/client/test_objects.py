"""Profiles, projects, server config, editing, raw queries, remotes: all without an instance."""
import json
import os
import stat

import yaml


def test_a_profile_lives(muster, name):
    assert muster.ok('profile', 'create', name).out == f'Profile {name} created\n'
    muster.ok('profile', 'set', name, 'user.a=1', 'user.b=two words')
    muster.ok('profile', 'set', name, 'user.c', '3')
    assert muster.ok('profile', 'get', name, 'user.b').out == 'two words\n'
    muster.ok('profile', 'unset', name, 'user.a')
    assert 'is not set' in muster.fails('profile', 'unset', name, 'user.a')
    muster.ok('profile', 'device', 'add', name, 'none', 'none')
    assert muster.ok('profile', 'device', 'list', name).lines == ['none']
    assert muster.ok('profile', 'device', 'get', name, 'none', 'type').lines == ['none']
    shown = yaml.safe_load(muster.ok('profile', 'show', name).out)
    assert shown['config'] == {'user.b': 'two words', 'user.c': '3'}
    assert shown['devices'] == {'none': {'type': 'none'}}
    muster.ok('profile', 'copy', name, name + '2')
    muster.ok('profile', 'rename', name + '2', name + '3')
    rows = [line.split(',')[0] for line in muster.ok('profile', 'list', '-f', 'csv').lines]
    assert name in rows and name + '3' in rows
    for n in name, name + '3':
        assert muster.ok('profile', 'delete', n).out == f'Profile {n} deleted\n'
    muster.fails('profile', 'show', name)


def test_a_document_is_taken_from_stdin(muster, name):
    muster.ok('profile', 'create', name, stdin='config:\n  user.n: 7\ndescription: from a pipe\n')
    assert muster.ok('profile', 'get', name, 'user.n').lines == ['7']
    muster.ok('profile', 'edit', name, stdin='config: {}\ndescription: changed\ndevices: {}\n')
    assert yaml.safe_load(muster.ok('profile', 'show', name).out)['description'] == 'changed'
    assert 'YAML' in muster.fails('profile', 'edit', name, stdin='{')
    muster.ok('profile', 'delete', name)


def test_the_editor_opens_again_after_a_mistake(muster, name, tmp_path):
    editor = tmp_path / 'editor'
    editor.write_text('#!/bin/sh\n'
                      f'if [ -e {tmp_path}/again ]; then sed -i s/BAD/good/ "$1"\n'
                      f'else touch {tmp_path}/again; sed -i \'s/^description:.*/description: [BAD/\' "$1"; fi\n'
                      'sed -i "s/\\[good/good/" "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    muster.ok('profile', 'create', name)
    status, out = muster.on_terminal('profile', 'edit', name, EDITOR=str(editor), VISUAL='',
                                     keys=[('Press enter', '\n')])
    assert status == 0, out
    assert yaml.safe_load(muster.ok('profile', 'show', name).out)['description'] == 'good'
    muster.ok('profile', 'delete', name)


def test_a_project_is_worked_in(muster, name):
    muster.ok('project', 'create', name, '-c', 'features.profiles=true')
    muster.ok('project', 'switch', name)
    assert muster.ok('project', 'get-current').lines == [name]
    assert f'{name} (current),' in muster.ok('project', 'list', '-f', 'csv').out
    muster.ok('profile', 'create', 'inside')
    muster.fails('profile', 'show', 'inside', '--project', 'default')
    muster.ok('profile', 'delete', 'inside')
    muster.ok('project', 'switch', 'default')
    muster.ok('project', 'delete', name)


def test_server_config_and_queries(muster):
    muster.ok('config', 'set', 'user.client-test', 'yes')
    assert muster.ok('config', 'get', 'user.client-test').lines == ['yes']
    assert yaml.safe_load(muster.ok('config', 'show').out)['config']['user.client-test'] == 'yes'
    muster.ok('config', 'unset', 'user.client-test')
    assert muster.ok('config', 'get', 'user.client-test').lines == ['']
    assert json.loads(muster.ok('query', '/1.0').out)['api_version'] == '1.0'
    raw = json.loads(muster.ok('query', '--raw', '/1.0/profiles/nosuch').out)
    assert raw['error_code'] == 404
    muster.fails('query', '/1.0/profiles/nosuch')
    muster.fails('query', '1.0')


def test_lists_come_in_every_format(muster):
    for command in 'list', 'profile list', 'project list', 'image list', 'operation list', 'warning list', \
                   'storage list', 'config trust list', 'remote list':
        words = command.split()
        assert muster.ok(*words).out.startswith('+--'), command
        muster.ok(*words, '-f', 'csv')
        muster.ok(*words, '-f', 'compact')
        json.loads(muster.ok(*words, '-f', 'json').out)
        yaml.safe_load(muster.ok(*words, '-f', 'yaml').out)


def test_a_token_makes_a_remote(muster, https, name):
    token = muster.ok('config', 'trust', 'add', '--name', name, '-q').out.strip()
    assert any(line.startswith(name + ',') for line in
               muster.ok('config', 'trust', 'list-tokens', '-f', 'csv').lines)
    muster.ok('remote', 'add', 'far', token)
    assert os.stat(os.path.join(muster.conf, 'client.key')).st_mode & 0o777 == 0o600
    muster.ok('profile', 'list', 'far:')
    # A token is good once.
    other = type(muster)(muster.environment['MUSTER_DIR'], muster.conf + '2')
    other.fails('remote', 'add', 'far', token)
    # Another certificate than the pinned one is refused before anything is sent.
    with open(os.path.join(muster.conf, 'servercerts', 'far.crt'), 'wb') as f:
        f.write(open(os.path.join(muster.conf, 'client.crt'), 'rb').read())
    assert 'certificate' in muster.fails('profile', 'list', 'far:')
    muster.ok('remote', 'remove', 'far')
    rows = [line.split(',') for line in muster.ok('config', 'trust', 'list', '-f', 'csv').lines]
    mine = [row[3] for row in rows if row[1] == name]
    assert len(mine) == 1
    muster.ok('config', 'trust', 'remove', mine[0])


def test_an_unknown_server_must_be_confirmed(muster, https):
    assert 'No answer' in muster.fails('remote', 'add', 'far', https)
    assert 'far' not in muster.ok('remote', 'list').out
    assert 'does not trust' in muster.fails('remote', 'add', 'far', https, '--accept-certificate')
    assert 'far' not in muster.ok('remote', 'list').out
