"""Who asks one member for what another has is who he is there too, whatever headers he brings."""
import base64
import hashlib
import json
import ssl
import subprocess

import pytest

import route_sweep
from wire_client import wire

MEMBERS = 2
ADMIN = {'kind': 'admin', 'username': 'root', 'protocol': 'unix', 'address': '@'}


def spoofs(fingerprint):
    """Headers with which a client would be somebody else, if they were believed."""
    text = base64.urlsafe_b64encode(json.dumps(dict(ADMIN, fingerprint=fingerprint)).encode()).decode()
    return {'X-Muster-Requestor': text, 'X-Muster-Hops': '1', 'X-LXD-forwarded-address': '127.0.0.1',
            'X-LXD-forwarded-username': 'root', 'X-LXD-forwarded-protocol': 'unix',
            'X-Forwarded-For': '127.0.0.1', 'User-Agent': 'lxd-cluster-notifier'}


class Certificate:
    def __init__(self, folder, name):
        self.cert, self.key = folder / f'{name}.crt', folder / f'{name}.key'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1',
                        '-nodes', '-days', '2', '-subj', '/CN=m2', '-keyout', self.key, '-out', self.cert],
                       check=True, capture_output=True)
        der = ssl.PEM_cert_to_DER_cert(self.cert.read_text())
        self.base64, self.fingerprint = base64.b64encode(der).decode(), hashlib.sha256(der).hexdigest()


class World:
    def __init__(self, bed, folder):
        self.bed, (self.first, self.second) = bed, bed.members
        api = self.first.api
        self.image = api('GET', '/1.0/images')[0].rpartition('/')[2]
        api('POST', '/1.0/projects', {'name': 'other', 'config': {'features.profiles': 'false',
                                                                 'features.images': 'false'}})
        api('POST', '/1.0/cluster/groups', {'name': 'g1'})
        api('POST', '/1.0/placement-groups', {'name': 'pg1', 'config': {'policy': 'spread', 'rigor': 'permissive'}})
        api('POST', '/1.0/profiles', {'name': 'p1', 'config': {'user.a': '1'}})
        api('POST', '/1.0/images/aliases', {'name': 'a1', 'target': self.image})
        api('POST', '/1.0/storage-pools/default/volumes/custom?target=m2', {'name': 'v1'})
        source = {'type': 'image', 'alias': 'busybox'}
        api('POST', '/1.0/instances?target=m2', {'name': 'c1', 'source': source})
        api('POST', '/1.0/instances?target=m2&project=other', {'name': 'mine', 'source': source})
        api('POST', '/1.0/instances/c1/snapshots', {'name': 's1'})
        self.tenant, self.stranger = Certificate(folder, 'tenant'), Certificate(folder, 'stranger')
        api('POST', '/1.0/certificates', {'type': 'client', 'name': 'tenant', 'certificate': self.tenant.base64,
                                          'restricted': True, 'projects': ['other']})
        self.secrets = ['"c1"', '/c1', 'user.a', '/v1', '/p1', '/pg1']

    def ask(self, who, requests, through=None):
        through = through or self.first
        return wire(self.first, through.address, requests, who and who.cert, who and who.key)

    def picture(self):
        return {path: sorted(self.first.api('GET', path)) for path in (
            '/1.0/instances', '/1.0/instances?project=other', '/1.0/profiles', '/1.0/projects', '/1.0/images',
            '/1.0/images/aliases', '/1.0/cluster/members', '/1.0/cluster/groups', '/1.0/placement-groups',
            '/1.0/certificates', '/1.0/storage-pools', '/1.0/storage-pools/default/volumes',
            '/1.0/instances/c1/snapshots')} | {
                'c1': {k: v for k, v in self.first.api('GET', '/1.0/instances/c1').items() if k != 'last_used_at'}}


@pytest.fixture(scope='module')
def world(bed, tmp_path_factory):
    made = World(bed, tmp_path_factory.mktemp('threats'))
    yield made
    for url in ('/1.0/instances/mine?project=other', '/1.0/instances/c1',
                '/1.0/storage-pools/default/volumes/custom/v1?target=m2'):
        made.first.api('DELETE', url)


@pytest.mark.parametrize('who', ['nobody', 'stranger', 'tenant'])
@pytest.mark.parametrize('through', [0, 1], ids=['forwarded', 'owner'])
def test_no_header_opens_a_route(world, who, through):
    """Every route, of what is on m2, asked of either member, with headers of a member's."""
    certificate = getattr(world, who, None)
    before, bad, asked, paths = world.picture(), [], [], []
    for method, path, _ in route_sweep.routes(str(world.bed.build / 'musterd')):
        url = route_sweep.concrete(path, world.image, 'default')
        for query in ('', '?project=default&recursion=2', '?target=m2&all-projects=true'):
            paths.append((method, path))
            asked.append([method, url + query, route_sweep.body_of(method), spoofs(world.tenant.fingerprint)])
    # Images are shared with the tenant's project, which has none of its own.
    secrets = [s for s in world.secrets if who != 'tenant' or s not in ('user.a', '/p1')]
    answers = world.ask(certificate, asked, world.bed.members[through])
    for (method, path), request, (status, text) in zip(paths, asked, answers):
        reason = route_sweep.wrong(method, path, status, text, secrets)
        if reason:
            bad.append((reason, method, request[1], status, text[:200]))
    assert not bad, '\n'.join(map(str, bad))
    assert world.picture() == before


def test_who_asks_is_known_where_it_is_done(world):
    """The operation on m2 is the tenant's, not the member's that passed the request on."""
    spoof = spoofs('0' * 64)
    (_, mine), (theirs, _), (forged, _) = world.ask(world.tenant, [
        ['POST', '/1.0/instances/mine/snapshots?project=other', {'name': 'x'}, None],
        ['PATCH', '/1.0/instances/c1?project=default', {'config': {'user.x': '1'}}, None],
        ['PATCH', '/1.0/instances/c1', {'config': {'user.x': '1'}}, spoof]])
    operation = json.loads(mine)
    assert operation['type'] == 'async', mine
    assert theirs == forged == 403
    who = operation['metadata']['requestor']
    assert (who['username'], who['protocol']) == (world.tenant.fingerprint, 'tls')
    (status, text), = world.ask(world.tenant, [['GET', operation['operation'] + '/wait', None, None]])
    assert status == 200 and json.loads(text)['metadata']['status'] == 'Success', text
    assert 'user.x' not in world.first.api('GET', '/1.0/instances/c1')['config']


def test_members_do_not_believe_a_name(world):
    """A certificate that says it is m2 is a stranger's: peers are known by what they hold."""
    answers = world.ask(world.stranger, [
        [method, path, {} if method != 'GET' else None, headers]
        for headers in (None, spoofs('0' * 64))
        for method, path in (('GET', '/internal/database'), ('POST', '/internal/cluster/handover'),
                             ('PUT', '/internal/cluster/certificate'), ('PUT', '/internal/cluster/reset'),
                             ('POST', '/internal/identity-cache-refresh'), ('PUT', '/internal/shutdown'))])
    assert {status for status, _ in answers} == {403}


def test_hops_are_counted_by_members(world):
    """A client's own count neither ends its request nor lets it go round for ever."""
    asked = [['GET', '/1.0/instances/mine/state?project=other', None, {'X-Muster-Hops': hops}]
             for hops in ('0', '3', '99', '-2147483648', 'x', '')]
    assert [status for status, _ in world.ask(world.tenant, asked)] == [200] * len(asked)


@pytest.mark.parametrize('change', ['rights', 'trust'])
def test_commands_end_with_the_rights_of_who_asked(world, change, tmp_path):
    """They run on m2 and were asked of m1; the certificate is changed through either."""
    api = world.first.api
    leaving = Certificate(tmp_path, 'leaving')
    api('POST', '/1.0/certificates', {'type': 'client', 'name': 'leaving', 'certificate': leaving.base64,
                                      'restricted': True, 'projects': ['other']})
    api('PUT', '/1.0/instances/mine/state?project=other', {'action': 'start'})
    try:
        command = {'command': ['sleep', '2000'], 'wait-for-websocket': True, 'interactive': False}
        ours = world.first.request('POST', '/1.0/instances/mine/exec?project=other', command)[2]['operation']
        (status, text), = world.ask(leaving, [['POST', '/1.0/instances/mine/exec?project=other', command, None]])
        assert status == 202, text
        theirs = json.loads(text)['operation']
        path = '/1.0/certificates/' + leaving.fingerprint
        if change == 'trust':
            world.second.api('DELETE', path)
        else:
            world.first.api('PATCH', path, {'projects': []})
        end = world.first.request('GET', theirs + '/wait?timeout=60')[2]['metadata']
        assert end['status'] == 'Cancelled', end
        assert world.first.api('GET', ours)['status'] == 'Running'
        world.first.api('DELETE', ours)
        if change == 'rights':
            world.first.api('DELETE', path)
    finally:
        api('PUT', '/1.0/instances/mine/state?project=other', {'action': 'stop', 'force': True})


def test_secrets_of_streams_are_good_once_on_any_member(world):
    """Asked of the member that has the instance and of the other; used up on both at once."""
    world.first.api('PUT', '/1.0/instances/c1/state', {'action': 'start'})
    try:
        _, _, answer = world.first.request('POST', '/1.0/instances/c1/exec', {
            'command': ['cat'], 'wait-for-websocket': True, 'interactive': False})
        operation, fds = answer['operation'], answer['metadata']['metadata']['fds']
        upgrade = {'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13',
                   'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA=='}
        for member in world.bed.members:
            for secret in ('', 'x', '0' * 64, fds['0'][:-1], fds['0'] + '0'):
                status, _, _ = member.request('GET', f'{operation}/websocket?secret={secret}', headers=upgrade)
                assert status in (400, 403), (member.name, secret, status)
            # Of a list or a look the secrets are no part.
            assert fds['0'] not in json.dumps(member.request('GET', operation)[2])
            assert fds['0'] not in json.dumps(member.request('GET', '/1.0/operations?recursion=1')[2])
        for through, again in (world.bed.members, world.bed.members[::-1]):
            name = '0' if through is world.first else '1'
            status, _, _ = through.request('GET', f'{operation}/websocket?secret={fds[name]}', headers=upgrade)
            assert status == 101
            status, _, _ = again.request('GET', f'{operation}/websocket?secret={fds[name]}', headers=upgrade)
            assert status == 403
        world.first.api('DELETE', operation)
    finally:
        world.first.api('PUT', '/1.0/instances/c1/state', {'action': 'stop', 'force': True})
