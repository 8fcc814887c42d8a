"""What a tenant may touch, secrets that are guessed or used twice, writers that race."""
import base64
import concurrent.futures
import json
import re
import sys
import threading

import pytest

from conftest import KIT, MUSTERD, Certificate, Client
from test_certificates import token_of
from threats_world import refused, world  # noqa: F401  (fixture)

sys.path.insert(0, KIT)
from route_sweep import body_of, concrete, routes, wrong  # noqa: E402


@pytest.fixture(scope="module")
def tenant(world, scratch):  # noqa: F811
    certificate = Certificate(scratch, "tenant")
    assert world.client.post("/1.0/certificates", {
        "type": "client", "name": "tenant", "certificate": certificate.base64, "restricted": True,
        "projects": ["other"]}).status == 201
    client = Client(address=world.address, cert=certificate.cert, key=certificate.key)
    client.fingerprint = certificate.fingerprint
    return client


def secrets_of(w):
    return [b'"c1"', b"/c1", b"user.a", b"/v1", b"/p1", b"/pg1", w.image.encode()]


def sweep(w, client, queries):
    """Every route as it names what is there; answers that nobody without rights may get."""
    before, bad = w.picture(), []
    for method, path, access in routes(MUSTERD):
        for query in queries:
            url = concrete(path, w.image) + query
            answer = client.request(method, url, body_of(method))
            reason = wrong(method, path, answer.status, answer.raw, secrets_of(w))
            if reason:
                bad.append((reason, method, url, access, answer.status, answer.raw[:300]))
    assert not bad, "\n".join(map(str, bad))
    assert w.picture() == before


def test_no_route_lets_a_tenant_into_another_project(world, tenant):  # noqa: F811
    sweep(world, tenant, ("", "?project=default", "?all-projects=true", "?project=default&recursion=2"))


@pytest.mark.parametrize("who", ["no certificate", "unknown certificate", "metrics certificate"])
def test_no_route_lets_a_stranger_do_anything(world, scratch, who):  # noqa: F811
    certificate = Certificate(scratch, who.replace(" ", "-"))
    client = Client(address=world.address, cert=certificate.cert, key=certificate.key)
    if who == "no certificate":
        client = Client(address=world.address)
    if who == "metrics certificate":
        assert world.client.post("/1.0/certificates", {
            "type": "metrics", "name": "m", "certificate": certificate.base64}).status == 201
    sweep(world, client, ("", "?project=default&recursion=1", "?secret=x"))


def test_sources_of_another_project_are_out_of_reach(world, tenant):  # noqa: F811
    """The target is the tenant's, the source is not: by copy, fingerprint, alias, volume, publish, move."""
    root = {"root": {"type": "disk", "path": "/", "pool": "pool"}}
    for path, body in (
            ("/1.0/instances", {"name": "e", "devices": root, "source": {
                "type": "copy", "source": "c1", "project": "default"}}),
            ("/1.0/instances", {"name": "e", "devices": root, "source": {
                "type": "image", "fingerprint": world.image}}),
            ("/1.0/instances", {"name": "e", "devices": root, "source": {"type": "image", "alias": "a1"}}),
            ("/1.0/instances", {"name": "e", "devices": root, "source": {
                "type": "image", "fingerprint": world.image, "project": "default"}}),
            ("/1.0/images", {"source": {"type": "instance", "name": "c1", "project": "default"}}),
            ("/1.0/images/aliases", {"name": "e", "target": world.image}),
            ("/1.0/storage-pools/pool/volumes/custom", {"name": "e", "source": {
                "type": "copy", "name": "v1", "pool": "pool", "project": "default"}})):
        answer = tenant.post(path, body, project="other")
        assert refused(answer), (path, body, answer.raw)
    assert world.client.get("/1.0/instances", project="other").metadata == []


def test_operations_and_events_of_another_project(world, tenant):  # noqa: F811
    url = world.client.post("/internal/testing/operation-wait", {"duration": "1h"}).json["operation"]
    try:
        for method, path in (("GET", url), ("DELETE", url), ("GET", url + "/wait?timeout=0"),
                             ("GET", url + "/websocket?secret=x"), ("GET", url + "?project=default")):
            answer = tenant.request(method, path)
            assert answer.status in (400, 403, 404), (method, path, answer.raw)
        for query, status in (({}, 403), ({"project": "default"}, 403), ({"all_projects": "true"}, 101),
                              ({"project": "other"}, 101)):
            stream = tenant.websocket("/1.0/events", **query)
            assert stream.status == status, query
            if status == 101:
                for project in ("default", "other"):
                    profile = "/1.0/profiles/default?project=" + project
                    assert world.client.patch(profile, {"description": "seen?"}).status < 300
                    assert world.client.patch(profile, {"description": ""}).status < 300
                # They come in order: the first that is heard is not of the other project.
                source = stream.event(action="profile-updated")["metadata"]["source"]
                assert source == "/1.0/profiles/default?project=other", source
            stream.close()
    finally:
        world.client.delete(url)


def test_no_tenant_gives_itself_more(world, tenant):  # noqa: F811
    path = "/1.0/certificates/" + tenant.fingerprint
    for method, body in (("PUT", {"name": "tenant", "type": "client", "restricted": False, "projects": []}),
                         ("PATCH", {"restricted": False}), ("PATCH", {"projects": ["other", "default"]}),
                         ("PATCH", {"type": "server"})):
        assert refused(tenant.request(method, path, body)), (method, body)
    assert refused(tenant.patch("/1.0/projects/other", {"config": {"restricted": "false"}}))
    row = world.client.get(path).metadata
    assert row["restricted"] is True and row["projects"] == ["other"]


def test_tokens_that_are_wrong(world, scratch):  # noqa: F811
    certificate = Certificate(scratch, "stranger")
    me = Client(address=world.address, cert=certificate.cert, key=certificate.key)
    answer = world.client.post("/1.0/certificates", {"type": "client", "name": "s", "token": True})
    good = json.loads(base64.b64decode(token_of(answer, "s")))
    for change in ({"secret": "0" * 64}, {"secret": ""}, {"secret": good["secret"][:-1]},
                   {"secret": good["secret"].upper() + "x"}, {"secret": "%"}, {"secret": None}, {"secret": ["x"]}):
        text = base64.b64encode(json.dumps(dict(good, **change)).encode()).decode()
        answer = me.post("/1.0/certificates", {"type": "client", "trust_token": text})
        assert refused(answer), (change, answer.raw)
    for text in ("", "x", "====", "\x00", base64.b64encode(b"[]").decode(), base64.b64encode(b"{").decode(), "A" * 100000):
        assert refused(me.post("/1.0/certificates", {"type": "client", "trust_token": text})), text[:20]
    assert me.get("/1.0").metadata["auth"] == "untrusted"


def test_a_token_admits_one_of_many(world, scratch):  # noqa: F811
    """Eight clients present it at once."""
    answer = world.client.post("/1.0/certificates", {"type": "client", "name": "race", "token": True})
    token = token_of(answer, "race")
    others = [Certificate(scratch, "race%d" % i) for i in range(8)]
    seen = []

    def present(c):
        seen.append(Client(address=world.address, cert=c.cert, key=c.key).post(
            "/1.0/certificates", {"type": "client", "trust_token": token}).status)

    together(present, others)
    assert sorted(seen) == [201] + [403] * 7


def together(fn, items):
    """Calls 'fn' with all at once; what fails in one of them fails the test."""
    gate = threading.Barrier(len(items))

    def run(item):
        gate.wait()
        fn(item)

    with concurrent.futures.ThreadPoolExecutor(len(items)) as pool:
        list(pool.map(run, items))


@pytest.mark.parametrize("path,body", [
    ("/1.0", {"config": {"user.race": "@"}}),
    ("/1.0/profiles/p1", {"description": "@"}), ("/1.0/projects/other", {"description": "@"}),
    ("/1.0/instances/c1", {"config": {"user.race": "@"}}), ("/1.0/images/aliases/a1", {"description": "@"}),
    ("/1.0/storage-pools/pool", {"description": "@"}), ("/1.0/cluster/groups/g1", {"description": "@"}),
    ("/1.0/storage-pools/pool/volumes/custom/v1", {"description": "@"}),
    ("/1.0/placement-groups/pg1", {"description": "@"}), ("/1.0/cluster/members/m1", {"description": "@"}),
    ("/1.0/images/{image}", {"properties": {"race": "@"}}),
], ids=lambda v: v if isinstance(v, str) else "")
def test_of_writers_with_one_etag_one_wins(world, path, body):  # noqa: F811
    path = path.replace("{image}", world.image)
    for round_ in range(3):
        etag = world.client.get(path).etag
        assert etag
        seen = []

        def change(i):
            text = json.dumps(body).replace("@", "r%d-%d" % (round_, i))
            seen.append(world.client.patch(path, text, {"If-Match": etag, "Content-Type": "application/json"}).status)

        together(change, range(4))
        assert sorted(s // 100 for s in seen) == [2, 4, 4, 4] and seen.count(412) == 3, seen


def test_names_are_given_once(world):  # noqa: F811
    for path, body, gone in (("/1.0/profiles", {"name": "twin"}, "/1.0/profiles/twin"),
                             ("/1.0/projects", {"name": "twin"}, "/1.0/projects/twin"),
                             ("/1.0/cluster/groups", {"name": "twin"}, "/1.0/cluster/groups/twin"),
                             ("/1.0/storage-pools/pool/volumes/custom", {"name": "twin"},
                              "/1.0/storage-pools/pool/volumes/custom/twin")):
        seen = []

        def create(_):
            answer = world.client.post(path, body)
            if answer.status == 202:
                seen.append(world.client.wait(answer)["status"] == "Success")
            else:
                seen.append(answer.status == 201)
                assert answer.status == 201 or refused(answer), answer.raw

        together(create, range(4))
        assert sorted(seen) == [False, False, False, True], (path, seen)
        world.done(world.client.delete(gone))


def test_limits_hold_against_parallel_creates(world):  # noqa: F811
    assert world.client.post("/1.0/projects", {"name": "small", "config": {
        "limits.instances": "2", "features.profiles": "false", "features.images": "false"}}).status == 201
    seen = []

    def create(i):
        answer = world.client.post("/1.0/instances", {
            "name": "l%d" % i, "profiles": ["p1"], "source": {"type": "none"}}, project="small")
        seen.append(answer.status == 202 and world.client.wait(answer)["status"] == "Success")

    together(create, range(6))
    assert seen.count(True) == 2
    for url in world.client.get("/1.0/instances", project="small").metadata:
        world.wait(world.client.delete(url))
    assert world.client.delete("/1.0/projects/small").status == 200


def test_a_stream_ends_with_the_certificate(world, tenant, scratch):  # noqa: F811
    certificate = Certificate(scratch, "leaving")
    assert world.client.post("/1.0/certificates", {
        "type": "client", "name": "leaving", "certificate": certificate.base64}).status == 201
    me = Client(address=world.address, cert=certificate.cert, key=certificate.key)
    stream = me.websocket("/1.0/events")
    assert stream.status == 101
    assert world.client.delete("/1.0/certificates/" + certificate.fingerprint).status == 200
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            stream.event()
    assert refused(me.get("/1.0/profiles"))


def tenant_of_token(address, c):
    return Client(address=address, cert=c.cert, key=c.key)


def database_of(daemon):
    """All text of the cluster's database."""
    return daemon.tool("sql", "global", ".dump").stdout


def test_secrets_of_tokens_are_no_rows(world, scratch):  # noqa: F811
    """The database has digests; administrators are shown the secret all the same, tenants nothing."""
    made = [world.client.post("/1.0/certificates", {"type": "client", "name": "kept", "token": True}),
            world.client.post("/1.0/cluster/members", {"server_name": "kept"}),
            world.client.post("/1.0/images/%s/secret" % world.image)]
    secret = [answer.metadata["metadata"]["secret"] for answer in made]
    assert len(set(secret)) == 3 and all(len(s) == 64 for s in secret)
    dump = database_of(world.daemon)
    assert "tokens" in dump and not [s for s in secret if s in dump]
    for answer, s in zip(made, secret):
        assert world.client.get(answer.json["operation"]).metadata["metadata"]["secret"] == s
        assert "sealed" not in json.dumps(world.client.get(answer.json["operation"]).json)
    listed = world.client.get("/1.0/operations", recursion=1).raw.decode()
    assert all(s in listed for s in secret)
    c = Certificate(scratch, "lister")
    assert world.client.post("/1.0/certificates", {
        "type": "client", "name": "lister", "certificate": c.base64, "restricted": True,
        "projects": ["default"]}).status == 201
    seen = tenant_of_token(world.address, c).get("/1.0/operations", recursion=1, all_projects="true").raw.decode()
    assert not [s for s in secret if s in seen]
    for answer in made:
        assert world.client.delete(answer.json["operation"]).status == 200


def test_a_token_outlives_a_request_that_is_refused(world, scratch):  # noqa: F811
    c = Certificate(scratch, "again")
    me = tenant_of_token(world.address, c)
    token = token_of(world.client.post("/1.0/certificates", {"type": "client", "name": "again", "token": True}), "again")
    for body in ({"certificate": "x"}, {"certificate": "%%%"}, {"certificate": "AAAA"}, {"name": 5}):
        assert me.post("/1.0/certificates", dict(body, type="client", trust_token=token)).status == 400, body
    assert me.post("/1.0/certificates", {"type": "client", "trust_token": token}).status == 201


def test_a_token_that_is_too_old(world, scratch):  # noqa: F811
    c = Certificate(scratch, "late")
    me = tenant_of_token(world.address, c)
    answer = world.client.post("/1.0/certificates", {"type": "client", "name": "late", "token": True})
    done = world.daemon.tool("sql", "global", "UPDATE tokens SET expires = 1 WHERE name = 'late'")
    assert done.returncode == 0, done.stderr
    assert me.post("/1.0/certificates", {"type": "client", "trust_token": token_of(answer, "late")}).status == 403
    assert world.client.get(answer.json["operation"]).status == 404


def test_join_tokens_are_good_once_for_one_name_and_not_for_ever(world, scratch):  # noqa: F811
    """What a joiner sends, without the rest of a server."""
    stranger = Client(address=world.address)
    certificate = Certificate(scratch, "joiner")
    with open(certificate.cert, encoding="ascii") as f:
        pem = f.read()
    schema = world.daemon.tool("sql", "global", "SELECT 'schema', MAX(version) FROM schema").stdout
    join = {"name": "m7", "address": "127.0.0.1:1", "certificate": pem,
            "schema": int(re.search(r"schema\D+(\d+)", schema.rpartition("'schema'")[2] or schema).group(1)),
            "api_extensions": len(world.client.get("/1.0").metadata["api_extensions"])}

    def accept(**change):
        return stranger.post("/internal/cluster/accept", dict(join, **change))

    def token(name="m7"):
        answer = world.client.post("/1.0/cluster/members", {"server_name": name})
        assert answer.status == 202, answer.raw
        return answer.metadata["metadata"]["secret"]

    members = world.client.get("/1.0/cluster/members").metadata
    secret = token()
    for wrong in ("", "x", "0" * 64, secret[:-1], secret + "0", secret.upper(), "%", secret[:8] + "0" * 56):
        assert accept(secret=wrong).status == 403, wrong
    assert accept().status == 403
    assert accept(secret=secret, name="m8").status == 403
    client_token = world.client.post("/1.0/certificates", {"type": "client", "name": "m7", "token": True})
    assert accept(secret=client_token.metadata["metadata"]["secret"]).status == 403
    assert world.client.delete(client_token.json["operation"]).status == 200
    world.daemon.tool("sql", "global", "UPDATE tokens SET expires = 1 WHERE name = 'm7'")
    assert accept(secret=secret).status == 403
    older, secret = token(), token()
    assert accept(secret=older).status == 403, "a newer token of the name is the only one"
    seen = []
    together(lambda _: seen.append(accept(secret=secret).status), range(3))
    assert sorted(seen) == [200, 403, 403]
    assert accept(secret=secret).status == 403
    assert world.client.get("/1.0/cluster/members").metadata == members
