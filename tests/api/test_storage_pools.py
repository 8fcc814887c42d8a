"""Pools: create, change, delete; on two members; what is found again after a restart."""
import os

import pytest

from test_cluster import m1, m2, pair  # noqa: F401  (fixtures)


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return f.read()


@pytest.fixture
def pool(client, name):
    assert client.post("/1.0/storage-pools", {"name": name, "driver": "dir"}).status == 201
    yield name
    client.delete("/1.0/storage-pools/" + name)


@pytest.fixture
def btrfs(client, name):
    name += "b"
    answer = client.post("/1.0/storage-pools", {"name": name, "driver": "btrfs",
                                                "config": {"size": "256MiB"}})
    if answer.status == 412:
        pytest.skip(answer.error)
    assert answer.status == 201, answer.raw
    yield name
    client.delete("/1.0/storage-pools/" + name)


def test_a_pool_is_there_when_it_is_answered(client, pool, daemon):
    shown = client.get("/1.0/storage-pools/" + pool).metadata
    path = "%s/storage-pools/%s" % (daemon.directory, pool)
    assert shown == {"name": pool, "description": "", "driver": "dir", "status": "Created",
                     "config": {"source": path}, "used_by": [], "locations": ["none"]}
    assert "/1.0/storage-pools/" + pool in client.get("/1.0/storage-pools").metadata
    assert shown in client.get("/1.0/storage-pools", recursion=1).metadata
    # Guests' files of a pool are nobody's on the host but root's.
    modes = {d: os.stat("%s/%s" % (path, d)).st_mode & 0o7777 for d in os.listdir(path)}
    assert modes["containers"] == 0o711 and modes["custom"] == 0o700 and modes["images"] == 0o700
    space = client.get("/1.0/storage-pools/%s/resources" % pool).metadata
    assert 0 < space["space"]["used"] < space["space"]["total"]


@pytest.mark.parametrize("body, status", [
    ({"name": "", "driver": "dir"}, 400),
    ({"driver": "dir"}, 400),
    ({"name": "a/b", "driver": "dir"}, 400),
    ({"name": "..", "driver": "dir"}, 400),
    ({"name": "a b", "driver": "dir"}, 400),
    ({"name": "a\nb", "driver": "dir"}, 400),
    ({"name": 5, "driver": "dir"}, 400),
    ({"name": "x"}, 400),
    ({"name": "x", "driver": "bogus"}, 400),
    ({"name": "x", "driver": "dir", "config": {"bogus": "1"}}, 400),
    ({"name": "x", "driver": "dir", "config": {"rsync.bwlimit": "fast"}}, 400),
    ({"name": "x", "driver": "dir", "config": {"source": "relative"}}, 400),
    ({"name": "x", "driver": "dir", "config": {"source": "/nonexistent/dir"}}, 400),
    ({"name": "x", "driver": "dir", "config": {"source": "/proc"}}, 400),
    ({"name": "x", "driver": "dir", "config": {"source": 5}}, 400),
    ({"name": "x", "driver": "btrfs", "config": {"size": "1"}}, 400),
    ({"name": "x", "driver": "btrfs", "config": {"btrfs.mount_options": "a\nb"}}, 400),
])
def test_bad_pools_leave_nothing(client, daemon, body, status):
    before = client.get("/1.0/storage-pools").metadata
    folders = sorted(os.listdir(daemon.directory + "/storage-pools"))
    assert client.post("/1.0/storage-pools", body).status == status
    assert client.get("/1.0/storage-pools").metadata == before
    assert sorted(os.listdir(daemon.directory + "/storage-pools")) == folders


def test_names_are_taken_once(client, pool):
    assert client.post("/1.0/storage-pools", {"name": pool, "driver": "dir"}).status == 409


def test_unknown_pools(client):
    for method, path in (("GET", ""), ("DELETE", ""), ("PUT", ""), ("GET", "/resources"),
                         ("GET", "/volumes")):
        answer = client.request(method, "/1.0/storage-pools/nope" + path,
                                {} if method == "PUT" else None)
        assert answer.status == 404, (method, path, answer.raw)


def test_changes_and_their_etag(client, pool):
    path = "/1.0/storage-pools/" + pool
    before = client.get(path)
    answer = client.patch(path, {"description": "d", "config": {"user.a": "1"}},
                          headers={"If-Match": before.etag})
    assert answer.status == 200, answer.raw
    shown = client.get(path).metadata
    assert shown["description"] == "d" and shown["config"]["user.a"] == "1"
    assert shown["config"]["source"] == before.metadata["config"]["source"]
    assert client.patch(path, {"description": "x"},
                        headers={"If-Match": before.etag}).status == 412
    assert client.put(path, {"config": {"user.b": "2"}}).status == 200
    shown = client.get(path).metadata
    assert shown["description"] == "" and "user.a" not in shown["config"]
    assert shown["config"]["source"] == before.metadata["config"]["source"]
    for config in ({"bogus": "1"}, {"source": "/elsewhere"}, {"user.a": 1}):
        assert client.patch(path, {"config": config}).status == 400


def test_a_pool_in_use_stays(client, pool, name):
    base = "/1.0/storage-pools/" + pool
    client.post(base + "/volumes/custom", {"name": "v"})
    assert client.delete(base).status == 400
    assert client.get(base).metadata["used_by"] == [base + "/volumes/custom/v"]
    client.post("/1.0/profiles", {"name": name, "devices": {
        "root": {"type": "disk", "path": "/", "pool": pool}}})
    client.delete(base + "/volumes/custom/v")
    assert client.delete(base).status == 400
    assert "/1.0/profiles/" + name in client.get(base).metadata["used_by"]
    client.delete("/1.0/profiles/" + name)


def test_btrfs_comes_and_goes_without_a_trace(client, daemon, btrfs):
    image = "%s/disks/%s.img" % (daemon.directory, btrfs)
    assert client.get("/1.0/storage-pools/" + btrfs).metadata["config"]["source"] == image
    assert image and os.path.getsize(image) == 256 << 20
    assert btrfs in mounts()
    assert client.patch("/1.0/storage-pools/" + btrfs, {"config": {"size": "320MiB"}}).status == 200
    space = client.get("/1.0/storage-pools/%s/resources" % btrfs).metadata["space"]
    assert space["total"] == 320 << 20
    assert client.patch("/1.0/storage-pools/" + btrfs, {"config": {"size": "128MiB"}}).status == 400
    assert client.delete("/1.0/storage-pools/" + btrfs).status == 200
    assert btrfs not in mounts() and not os.path.exists(image)


def test_pools_are_found_again(fresh, name):
    daemon = fresh().start()
    client = daemon.client
    answer = client.post("/1.0/storage-pools", {"name": name, "driver": "btrfs",
                                                "config": {"size": "256MiB"}})
    if answer.status == 412:
        pytest.skip(answer.error)
    assert client.post("/1.0/storage-pools/%s/volumes/custom" % name, {"name": "v"}).status == 202
    daemon.stop(9)
    daemon.start()
    assert client.get("/1.0/storage-pools/%s/volumes/custom/v/state" % name).status == 200
    assert client.delete("/1.0/storage-pools/%s/volumes/custom/v" % name).status == 202
    assert client.delete("/1.0/storage-pools/" + name).status == 200
    assert name not in mounts()


def test_a_source_that_is_gone_is_a_warning(fresh, scratch, name):
    source = "%s/%s" % (scratch, name)
    os.mkdir(source)
    daemon = fresh().start()
    client = daemon.client
    assert client.post("/1.0/storage-pools", {"name": name, "driver": "dir",
                                              "config": {"source": source}}).status == 201
    daemon.stop()
    assert os.system("umount " + "%s/storage-pools/%s" % (daemon.directory, name)) == 0
    os.rename(source, source + ".away")
    daemon.start()
    assert client.get("/1.0/storage-pools/%s/resources" % name).status == 503
    warnings = client.get("/1.0/warnings", recursion=1).metadata
    assert "Storage pool unavailable" in [w["type"] for w in warnings if w["status"] != "resolved"]
    os.rename(source + ".away", source)
    assert client.get("/1.0/storage-pools/%s/resources" % name).status == 200
    warnings = client.get("/1.0/warnings", recursion=1).metadata
    assert not [w for w in warnings if w["type"] == "Storage pool unavailable"
                and w["status"] != "resolved"]
    assert client.delete("/1.0/storage-pools/" + name).status == 200
    os.rmdir(source)


def test_a_pool_on_two_members(m1, m2, name):  # noqa: F811
    body = {"name": name, "driver": "dir"}
    path = "/1.0/storage-pools/" + name
    assert m1.post("/1.0/storage-pools", body).status == 400
    assert m1.post("/1.0/storage-pools", body, target="nope").status == 404
    assert m1.post("/1.0/storage-pools", dict(body, config={"rsync.bwlimit": "1MiB"}),
                   target="m1").status == 400
    assert m1.post("/1.0/storage-pools", body, target="m1").status == 201
    assert m1.get(path).metadata["status"] == "Pending"
    assert m1.post("/1.0/storage-pools", body, target="m1").status == 409
    assert m1.post("/1.0/storage-pools", body).status == 400
    assert m2.post("/1.0/storage-pools", body, target="m2").status == 201
    assert m1.post("/1.0/storage-pools", dict(body, config={"source": "/x"})).status == 400
    assert m2.post("/1.0/storage-pools", dict(body, config={"rsync.bwlimit": "1MiB"})).status == 201
    shown = m1.get(path).metadata
    assert shown["status"] == "Created" and shown["locations"] == ["m1", "m2"]
    assert shown["config"] == {"rsync.bwlimit": "1MiB"}
    assert m1.get(path, target="m2").metadata["config"]["source"].endswith(name)
    assert m1.get(path, target="nope").status == 404
    assert m1.get("/1.0/storage-pools", recursion=1, target="nope").status == 404
    assert m1.patch(path, {"description": "x"}, target="nope").status == 404
    assert m1.get(path).metadata["description"] == ""
    assert m1.get(path + "/resources", target="m2").status == 200

    # The same name may be taken once per member.
    assert m1.post(path + "/volumes/custom", {"name": "v"}, target="m2").status == 202
    assert m1.post(path + "/volumes/custom", {"name": "v"}, target="m1").status == 202
    assert m1.get(path + "/volumes/custom/v").status == 400
    assert m1.get(path + "/volumes/custom/v", target="m2").metadata["location"] == "m2"
    assert m1.delete(path).status == 400
    for member in ("m1", "m2"):
        assert m1.delete(path + "/volumes/custom/v", target=member).status == 202
    assert m2.delete(path).status == 200
    assert m1.get(path).status == 404


def test_a_pool_that_one_member_cannot_make(m1, m2, name, scratch):  # noqa: F811
    """The others have it, the request fails, and repeating it goes on where it failed."""
    body = {"name": name, "driver": "dir"}
    path = "/1.0/storage-pools/" + name
    source = os.path.join(scratch, "later")
    assert m1.post("/1.0/storage-pools", body, target="m1").status == 201
    assert m1.post("/1.0/storage-pools", dict(body, config={"source": source}),
                   target="m2").status == 201
    for _ in range(2):
        answer = m1.post("/1.0/storage-pools", body)
        assert answer.status >= 400 and source in answer.error, answer.raw
        assert m1.get(path).metadata["status"] == "Errored"
        assert m1.get(path, target="m1").metadata["status"] == "Created"
        assert m1.get(path, target="m2").metadata["status"] == "Pending"
        assert m2.post(path + "/volumes/custom", {"name": "v"}).status == 400
    os.mkdir(source)
    assert m2.post("/1.0/storage-pools", body).status == 201
    for query in ({}, {"target": "m1"}, {"target": "m2"}):
        assert m1.get(path, **query).metadata["status"] == "Created"
    assert m2.post(path + "/volumes/custom", {"name": "v"}).status == 202
    assert m2.delete(path + "/volumes/custom/v").status == 202
    assert m1.delete(path).status == 200
    assert os.listdir(source) == []


def test_a_pool_that_was_never_made_goes(m1, name):  # noqa: F811
    body = {"name": name, "driver": "dir", "config": {"source": "/nonexistent/dir"}}
    path = "/1.0/storage-pools/" + name
    assert m1.post("/1.0/storage-pools", body, target="m2").status == 201
    assert m1.delete(path).status == 200
    assert m1.get(path).status == 404


def test_opening_a_pool_removes_what_nobody_owns(fresh):
    """Unpacked images that are none any more, and volumes that were cut off while they were made."""
    d = fresh().start()
    assert d.client.post("/1.0/storage-pools", {"name": "p", "driver": "dir"}).status == 201
    pool = os.path.join(d.directory, "storage-pools", "p")
    assert d.stop() == 0
    for folder in ("images/" + "ab" * 32, "containers/.new-0123abcd", "containers/keep", "custom/.new-0123abcd_v"):
        os.makedirs(os.path.join(pool, folder, "below"))
    d.start()
    assert d.client.get("/1.0/storage-pools/p").status == 200
    assert os.listdir(os.path.join(pool, "images")) == []
    assert os.listdir(os.path.join(pool, "containers")) == ["keep"]
    assert os.listdir(os.path.join(pool, "custom")) == [".new-0123abcd_v"]
