"""Instances and images from end to end."""
import json

import yaml


def test_an_instance_lives(muster, image, name):
    assert muster.ok('init', image, name, '-c', 'user.k=v').out == f'Creating {name}\n'
    assert 'already exists' in muster.fails('init', image, name)
    assert muster.ok('list', '^' + name + '$', '-c', 'nst,user.k:K', '-f', 'csv').lines == \
        [f'{name},STOPPED,CONTAINER,v']
    muster.ok('start', name)
    assert muster.ok('list', name, 'status=running', '-c', 'n', '-f', 'csv').lines == [name]
    info = muster.ok('info', name).out
    assert f'Name: {name}\n' in info and 'Status: RUNNING\n' in info and '\nResources:\n' in info
    muster.ok('pause', name)
    muster.ok('start', name)
    muster.ok('restart', '-f', name)
    assert 'is currently running' in muster.fails('delete', name)
    muster.ok('stop', '-f', name)
    shown = yaml.safe_load(muster.ok('config', 'show', name).out)
    assert shown['config']['user.k'] == 'v' and shown['devices'] == {}
    expanded = yaml.safe_load(muster.ok('config', 'show', name, '-e').out)
    assert expanded['devices']['root']['path'] == '/'
    assert json.loads(muster.ok('list', name, '-f', 'json').out)[0]['name'] == name
    muster.ok('delete', name)
    assert muster.ok('list', '^' + name + '$', '-f', 'csv').out == ''


def test_a_name_is_chosen(muster, image):
    lines = muster.ok('init', image).lines
    assert lines[0] == 'Creating the instance' and lines[1].startswith('Instance name is: ')
    muster.ok('delete', lines[1].split(': ')[1])


def test_several_at_once(muster, instance):
    err = muster.fails('stop', '-f', instance, 'nosuch')
    assert 'nosuch: error: ' in err and 'Some instances failed to stop' in err
    assert muster.ok('list', instance, '-c', 's', '-f', 'csv').lines == ['STOPPED']


def test_config_and_devices(muster, instance):
    muster.ok('config', 'set', instance, 'user.a=1', 'user.b=2')
    assert muster.ok('config', 'get', instance, 'user.a').lines == ['1']
    muster.ok('config', 'unset', instance, 'user.a')
    muster.ok('config', 'device', 'add', instance, 'nothing', 'none')
    assert muster.ok('config', 'device', 'list', instance).lines == ['nothing']
    muster.ok('config', 'device', 'remove', instance, 'nothing')
    muster.ok('config', 'device', 'override', instance, 'root', 'size=1GiB')
    assert muster.ok('config', 'device', 'get', instance, 'root', 'size').lines == ['1GiB']


def test_exec_carries_streams_and_status(muster, instance):
    assert muster.ok('exec', instance, '--', 'echo', 'hello').out == 'hello\n'
    assert muster.run('exec', instance, '--', 'sh', '-c', 'exit 7').status == 7
    done = muster.run('exec', instance, '--', 'sh', '-c', 'echo out; echo err >&2')
    assert (done.out, done.err) == ('out\n', 'err\n')
    big = 'x' * 3_000_000
    assert muster.ok('exec', instance, '--', 'cat', stdin=big).out == big
    assert muster.ok('exec', instance, '-n', '--', 'cat').out == ''
    assert muster.ok('exec', instance, '--cwd', '/tmp', '--env', 'A=b', '--', 'sh', '-c', 'pwd; echo $A').lines == \
        ['/tmp', 'b']
    missing = muster.run('exec', instance, 'nosuch')
    assert missing.status == 127 and 'Command not found' in missing.err
    status, out = muster.on_terminal('exec', instance, '--', 'sh', '-c', 'tty; read x; exit 3',
                                     keys=[('/dev/pts/', '\n')])
    assert status == 3, out


def test_a_terminal_passes_keys_on(muster, instance):
    status, out = muster.on_terminal('exec', instance, '--', 'sh', '-c', 'echo ready; exec sleep 600',
                                     keys=[('ready', '\x03')])
    assert status == 130, out


def test_files_go_in_and_out(muster, instance, tmp_path):
    source = tmp_path / 'dir' / 'sub'
    source.mkdir(parents=True)
    (source / 'file').write_text('content\n')
    (source / 'link').symlink_to('file')
    muster.ok('file', 'push', '-r', str(tmp_path / 'dir'), f'{instance}/root/')
    assert muster.ok('file', 'pull', f'{instance}/root/dir/sub/file', '-').out == 'content\n'
    muster.ok('file', 'pull', '-r', f'{instance}/root/dir', str(tmp_path / 'back'))
    assert (tmp_path / 'back' / 'sub' / 'file').read_text() == 'content\n'
    assert (tmp_path / 'back' / 'sub' / 'link').readlink().name == 'file'
    muster.ok('file', 'push', '-', f'{instance}/root/in', '--mode', '0600', stdin='from a pipe')
    assert muster.ok('file', 'pull', f'{instance}/root/in', '-').out == 'from a pipe'
    muster.ok('file', 'edit', f'{instance}/root/in', stdin='edited')
    assert muster.ok('file', 'pull', f'{instance}/root/in', '-').out == 'edited'
    muster.ok('file', 'create', '-p', '--type', 'directory', f'{instance}/root/a/b/c')
    muster.ok('file', 'create', '--type', 'symlink', f'{instance}/root/a/link', '/etc/passwd')
    muster.ok('file', 'delete', f'{instance}/root/in')
    muster.fails('file', 'pull', f'{instance}/root/in', '-')


def test_snapshots_bring_it_back(muster, instance):
    muster.ok('snapshot', instance, 's0')
    muster.ok('snapshot', instance, 's0', '--reuse')
    assert 's0' in muster.ok('info', instance).out
    muster.ok('rename', f'{instance}/s0', 's1')
    muster.ok('config', 'set', instance, 'user.after=1')
    muster.ok('restore', instance, 's1')
    assert muster.ok('config', 'get', instance, 'user.after').lines == ['']
    muster.ok('delete', f'{instance}/s1')


def test_copies_moves_and_names(muster, instance, image):
    muster.ok('stop', '-f', instance)
    copy = instance + 'c'
    muster.ok('copy', instance, copy)
    muster.ok('rename', copy, copy + '2')
    muster.ok('move', copy + '2', copy)
    muster.ok('delete', copy)


def test_images_travel(muster, image, name, tmp_path):
    muster.ok('image', 'export', image, str(tmp_path / 'out'))
    exported = [p for p in tmp_path.iterdir() if p.name.startswith('out')]
    assert len(exported) == 1 and exported[0].stat().st_size > 100_000
    info = muster.ok('image', 'info', image).out
    assert f'    - {image}\n' in info and 'Type: container\n' in info
    muster.ok('image', 'set-property', image, 'x', 'y')
    assert muster.ok('image', 'get-property', image, 'x').lines == ['y']
    muster.ok('image', 'unset-property', image, 'x')
    muster.ok('image', 'alias', 'create', name, image)
    assert any(line.startswith(name + ',') for line in muster.ok('image', 'alias', 'list', '-f', 'csv').lines)
    muster.ok('image', 'alias', 'delete', name)
    assert f'Image "{name}" not found' in muster.fails('image', 'info', name)


def test_volumes_live(muster, image, name):
    muster.ok('storage', 'volume', 'create', 'default', name)
    muster.ok('storage', 'volume', 'set', 'default', name, 'user.x=1')
    assert muster.ok('storage', 'volume', 'get', 'default', name, 'user.x').lines == ['1']
    assert f'custom,{name},' in muster.ok('storage', 'volume', 'list', 'default', '-f', 'csv').out
    muster.ok('storage', 'volume', 'delete', 'default', name)
