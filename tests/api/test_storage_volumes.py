"""Custom volumes and their snapshots, on both drivers."""
import io
import os
import tarfile

import pytest


@pytest.fixture(params=["dir", "btrfs"], scope="module")
def pool(request, daemon):
    name = "pool-" + request.param
    body = {"name": name, "driver": request.param}
    if request.param == "btrfs":
        body["config"] = {"size": "256MiB"}
    answer = daemon.client.post("/1.0/storage-pools", body)
    if answer.status == 412:
        pytest.skip(answer.error)
    assert answer.status == 201, answer.raw
    yield name
    left = daemon.client.get("/1.0/storage-pools/%s/volumes/custom" % name).metadata
    for url in left:
        daemon.client.delete(url)
    assert daemon.client.delete("/1.0/storage-pools/" + name).status == 200


@pytest.fixture
def volumes(pool):
    return "/1.0/storage-pools/%s/volumes" % pool


@pytest.fixture
def folder(daemon, pool):
    """Where the pool's custom volumes are, for a look that no client has."""
    return "%s/storage-pools/%s/custom" % (daemon.directory, pool)


def write(folder, volume, text, name="file"):
    with open("%s/default_%s/%s" % (folder, volume, name), "w", encoding="utf-8") as f:
        f.write(text)


def read(folder, volume, name="file"):
    with open("%s/default_%s/%s" % (folder, volume, name), encoding="utf-8") as f:
        return f.read()


def test_a_volume_is_there_when_it_is_answered(client, volumes, pool, folder, name):
    answer = client.post(volumes + "/custom", {"name": name, "description": "d",
                                               "content_type": "filesystem",
                                               "config": {"user.a": "1"}})
    assert answer.status == 202 and answer.metadata["description"] == "Creating storage volume"
    shown = client.get("%s/custom/%s" % (volumes, name)).metadata
    assert shown.pop("config").keys() == {"user.a", "volatile.uuid"}
    shown.pop("created_at")
    assert shown == {"name": name, "description": "d", "type": "custom", "pool": pool,
                     "content_type": "filesystem", "project": "default", "location": "none",
                     "used_by": []}
    url = "%s/custom/%s" % (volumes, name)
    for path in (volumes, volumes + "/custom", "/1.0/storage-volumes",
                 "/1.0/storage-volumes/custom"):
        assert url in client.get(path).metadata
    assert client.get(volumes + "/image").metadata == []
    assert os.stat("%s/default_%s" % (folder, name)).st_mode & 0o7777 == 0o711
    assert client.delete(url).status == 202
    assert client.get(url).status == 404
    assert not os.path.exists("%s/default_%s" % (folder, name))


@pytest.mark.parametrize("body", [
    {"name": ""}, {}, {"name": "a/b"}, {"name": ".."}, {"name": "a b"}, {"name": "a\nb"},
    {"name": 5}, {"name": "x", "content_type": "bogus"}, {"name": "x", "config": {"bogus": "1"}},
    {"name": "x", "config": {"size": "big"}}, {"name": "x", "config": {"size": 5}},
    {"name": "x", "config": {"security.shifted": "true", "security.unmapped": "true"}},
    {"name": "x", "source": {"type": "bogus", "name": "y"}},
    {"name": "x", "source": {"type": "copy"}},
])
def test_bad_volumes_leave_nothing(client, volumes, folder, body):
    before = client.get(volumes).metadata
    files = sorted(os.listdir(folder))
    answer = client.post(volumes + "/custom", body)
    assert answer.status == 400, answer.raw
    assert client.get(volumes).metadata == before
    assert sorted(os.listdir(folder)) == files


def test_types(client, volumes, name):
    assert client.post(volumes, {"name": name, "type": "container"}).status == 400
    assert client.post(volumes, {"name": name}).status == 400
    assert client.post(volumes + "/bogus", {"name": name}).status == 400
    assert client.get(volumes + "/bogus").status == 400
    assert client.post(volumes, {"name": name, "type": "custom"}).status == 202
    assert client.post(volumes + "/custom", {"name": name}).status == 409
    assert client.delete("%s/custom/%s" % (volumes, name)).status == 202


def test_urls_do_not_lead_out(client, volumes, folder, name):
    client.post(volumes + "/custom", {"name": name})
    for odd in ("..", ".", "%2e%2e", "..%2f..", "a%00b"):
        for path in ("/custom/" + odd, "/custom/%s/snapshots/%s" % (name, odd)):
            for method in ("GET", "DELETE"):
                answer = client.request(method, volumes + path)
                assert 400 <= answer.status < 500, (method, path, answer.raw)
    assert os.path.isdir("%s/default_%s" % (folder, name))
    client.delete("%s/custom/%s" % (volumes, name))


def test_changes_and_their_etag(client, volumes, name):
    path = "%s/custom/%s" % (volumes, name)
    client.post(volumes + "/custom", {"name": name, "config": {"user.a": "1"}})
    before = client.get(path)
    uuid = before.metadata["config"]["volatile.uuid"]
    assert client.patch(path, {"config": {"user.b": "2"}},
                        headers={"If-Match": before.etag}).status == 202
    assert client.get(path).metadata["config"] == {"user.a": "1", "user.b": "2",
                                                   "volatile.uuid": uuid}
    assert client.patch(path, {"config": {"user.c": "3"}},
                        headers={"If-Match": before.etag}).status == 412
    assert client.put(path, {"description": "d", "config": {"user.d": "4"}}).status == 202
    shown = client.get(path).metadata
    assert shown["config"] == {"user.d": "4", "volatile.uuid": uuid}
    assert shown["description"] == "d"
    etag = client.get(path).etag
    for config in ({"bogus": "1"}, {"size": "x"}, {"volatile.uuid": 5}):
        assert client.patch(path, {"config": config}).status == 400
    assert client.get(path).etag == etag
    client.delete(path)


def test_a_snapshot_that_was_cut_off_is_none(client, volumes, folder, name):
    points = "/internal/testing/failpoints"
    if client.get(points).status == 404:
        pytest.skip("built without failpoints")
    assert client.post(volumes + "/custom", {"name": name}).status == 202
    path = "%s/custom/%s" % (volumes, name)
    write(folder, name, "first")
    assert client.put(points, {"arm": "volume.snapshot=fail"}).status == 200
    try:
        assert client.post(path + "/snapshots", {"name": "s0"}).status >= 400
    finally:
        assert client.put(points, {"arm": ""}).status == 200
    assert client.get(path + "/snapshots").metadata == []
    assert client.put(path, {"restore": "s0"}).status == 404
    # What is left of it is not taken for the next one of that name.
    write(folder, name, "second")
    assert client.post(path + "/snapshots", {"name": "s0"}).status == 202
    write(folder, name, "third")
    assert client.put(path, {"restore": "s0"}).status in (200, 202)
    assert read(folder, name) == "second"


def test_snapshots(client, volumes, folder, name):
    path = "%s/custom/%s" % (volumes, name)
    client.post(volumes + "/custom", {"name": name, "description": "d"})
    write(folder, name, "one")
    assert client.post(path + "/snapshots", {"name": "s0"}).status == 202
    assert client.post(path + "/snapshots", {"name": "s0"}).status == 409
    write(folder, name, "two")
    assert client.post(path + "/snapshots", {}).status == 202
    assert client.post(path + "/snapshots", {}).status == 202
    names = [u.rsplit("/", 1)[1] for u in client.get(path + "/snapshots").metadata]
    assert sorted(names) == ["s0", "snap0", "snap1"]
    shown = client.get(path + "/snapshots", recursion=1).metadata[0]
    assert shown["name"] == name + "/s0" and shown["expires_at"] == "0001-01-01T00:00:00Z"
    assert client.get(path + "/snapshots/s0").metadata["content_type"] == "filesystem"

    for bad in ("a/b", "..", "a b"):
        assert client.post(path + "/snapshots", {"name": bad}).status == 400
        assert client.post(path + "/snapshots/s0", {"name": bad}).status == 400
    assert client.put(path, {"restore": "nope"}).status == 404
    assert client.put(path, {"restore": "../s0"}).status == 400
    assert read(folder, name) == "two"
    assert client.put(path, {"restore": "s0"}).status == 202
    assert read(folder, name) == "one"

    etag = client.get(path + "/snapshots/s0").etag
    assert client.put(path + "/snapshots/s0", {"description": "x", "expires_at": None},
                      headers={"If-Match": etag}).status == 202
    assert client.put(path + "/snapshots/s0", {}, headers={"If-Match": etag}).status == 412
    assert client.post(path + "/snapshots/s0", {"name": "s1"}).status == 202
    assert client.post(path + "/snapshots/snap0", {"name": "s1"}).status == 409
    assert client.get(path + "/snapshots/s0").status == 404
    assert client.delete(path + "/snapshots/s1").status == 202
    assert client.delete(path + "/snapshots/s1").status == 404
    assert client.delete(path).status == 202
    assert not os.path.exists(folder + "-snapshots/default_" + name)


def test_expiry_comes_from_the_volume(client, volumes, name):
    path = "%s/custom/%s" % (volumes, name)
    client.post(volumes + "/custom", {"name": name, "config": {"snapshots.expiry": "1d"}})
    client.post(path + "/snapshots", {"name": "a"})
    client.post(path + "/snapshots", {"name": "b", "expires_at": "2099-01-01T00:00:00Z"})
    assert not client.get(path + "/snapshots/a").metadata["expires_at"].startswith("0001")
    assert client.get(path + "/snapshots/b").metadata["expires_at"] == "2099-01-01T00:00:00Z"
    client.delete(path)


def test_copies(client, volumes, pool, folder, name):
    path, copy = "%s/custom/%s" % (volumes, name), "%s/custom/%sc" % (volumes, name)
    client.post(volumes + "/custom", {"name": name, "config": {"user.a": "1"}})
    write(folder, name, "one")
    client.post(path + "/snapshots", {"name": "s0"})
    write(folder, name, "two")
    source = {"type": "copy", "name": name, "pool": pool}
    op = client.wait(client.post(volumes + "/custom", {"name": name + "c", "source": source}))
    assert op["status"] == "Success" and op["description"] == "Copying storage volume"
    assert read(folder, name + "c") == "two"
    assert client.get(copy).metadata["config"]["user.a"] == "1"
    assert client.get(copy).metadata["config"]["volatile.uuid"] != \
        client.get(path).metadata["config"]["volatile.uuid"]
    assert client.put(copy, {"restore": "s0"}).status == 202
    assert read(folder, name + "c") == "one"

    of_snapshot = dict(source, name=name + "/s0")
    client.wait(client.post(volumes + "/custom", {"name": name + "d", "source": of_snapshot}))
    assert read(folder, name + "d") == "one"
    assert client.get("%s/custom/%sd/snapshots" % (volumes, name)).metadata == []

    op = client.wait(client.post(volumes + "/custom",
                                 {"name": name + "e", "source": dict(source, name="nope")}))
    assert op["status"] == "Failure" and op["err"] == "Storage volume not found"
    assert client.get("%s/custom/%se" % (volumes, name)).status == 404
    for suffix in ("", "c", "d"):
        assert client.delete(path + suffix).status == 202


def test_refresh(client, volumes, pool, folder, name):
    """Makes a copy what the source is now, with what is new of its snapshots."""
    path, copy = "%s/custom/%s" % (volumes, name), "%s/custom/%sc" % (volumes, name)

    def refresh(**more):
        source = dict({"type": "copy", "name": name, "pool": pool, "refresh": True}, **more)
        operation = client.wait(client.post(volumes + "/custom", {"name": name + "c", "source": source}))
        assert operation["status"] == "Success", operation

    def snapshots():
        return [s["name"].rsplit("/", 1)[1] for s in client.get(copy + "/snapshots", recursion=1).metadata]

    client.post(volumes + "/custom", {"name": name})
    write(folder, name, "one")
    client.post(path + "/snapshots", {"name": "s0", "expires_at": "2035-01-02T03:04:05Z"})
    client.post(path + "/snapshots", {"name": "s1"})
    refresh()  # There is nothing yet: a copy.
    assert read(folder, name + "c") == "one" and snapshots() == ["s0", "s1"]
    assert client.get(copy + "/snapshots/s0").metadata["expires_at"] == "2035-01-02T03:04:05Z"
    kept = client.get(copy + "/snapshots/s0").metadata["config"]["volatile.uuid"]

    write(folder, name, "two")
    write(folder, name + "c", "x", "stale")
    client.post(path + "/snapshots", {"name": "s2"})
    client.delete(path + "/snapshots/s1")
    client.post(path + "/snapshots", {"name": "s1"})
    client.post(copy + "/snapshots", {"name": "own"})
    refresh(volume_only=True)
    assert read(folder, name + "c") == "two" and snapshots() == ["s0", "s1", "own"]
    refresh()
    assert sorted(snapshots()) == ["s0", "s1", "s2"]
    assert client.get(copy + "/snapshots/s0").metadata["config"]["volatile.uuid"] == kept
    assert os.listdir("%s/default_%sc" % (folder, name)) == ["file"]
    assert client.put(copy, {"restore": "s1"}).status == 202
    assert read(folder, name + "c") == "two", "the one that was made anew under the old name"
    assert client.put(copy, {"restore": "s0"}).status == 202
    assert read(folder, name + "c") == "one"
    for suffix in ("", "c"):
        assert client.delete(path + suffix).status == 202


def test_offers_of_other_servers(client, volumes, name):
    """A migration is an operation with secrets; a foreign or wrong one is refused."""
    path = "%s/custom/%s" % (volumes, name)
    client.post(volumes + "/custom", {"name": name})
    answer = client.post(path, {"name": name, "migration": True})
    assert answer.status == 202 and answer.metadata["class"] == "websocket"
    secrets = {k: answer.metadata["metadata"][k] for k in ("control", "fs")}
    assert "fs" not in client.get(answer.json["operation"]).metadata["metadata"]
    url = "https://127.0.0.1:8443" + answer.json["operation"]

    def pull(url, **secrets):
        return client.post(volumes + "/custom", {"name": name + "p", "source": {
            "type": "migration", "mode": "pull", "operation": url, "secrets": secrets}})

    assert pull(url).status == 403
    assert pull(url, fs="0" * 64).status == 403
    assert pull(url[:-3] + "000", **secrets).status in (404, 501)
    assert pull("https://[::1]:8443/1.0/operations/x", **secrets).status in (400, 404, 501)
    operation = client.wait(pull(url, **secrets))
    assert operation["status"] == "Success", operation
    assert client.get(answer.json["operation"] + "/wait").metadata["status"] == "Success"
    assert pull(url, **secrets).status in (403, 404), "a secret is good once"
    for suffix in ("", "p"):
        assert client.delete(path + suffix).status == 202


def test_rename_and_use(client, volumes, pool, folder, name):
    path = "%s/custom/%s" % (volumes, name)
    client.post(volumes + "/custom", {"name": name})
    client.post(path + "/snapshots", {"name": "s0"})
    write(folder, name, "x")
    device = {"type": "disk", "pool": pool, "source": name, "path": "/data"}
    client.post("/1.0/profiles", {"name": name, "devices": {"data": device}})
    assert client.get(path).metadata["used_by"] == ["/1.0/profiles/" + name]
    assert client.delete(path).status == 400
    assert client.post("/1.0/profiles", {"name": name + "x", "devices": {
        "other": dict(device, source=name + "x")}}).status in (201, 202)
    assert client.post(path, {"name": name + "n"}).status == 202
    assert client.get("/1.0/profiles/" + name).metadata["devices"]["data"]["source"] == name + "n"
    assert client.get("/1.0/profiles/" + name + "x").metadata["devices"]["other"]["source"] == name + "x"
    assert client.get(path + "n").metadata["used_by"] == ["/1.0/profiles/" + name]
    assert client.post(path + "n", {"name": name}).status == 202
    for profile in (name, name + "x"):
        assert client.delete("/1.0/profiles/" + profile).status in (200, 202)

    assert client.post(path, {"name": ""}).status == 400
    assert client.post(path, {"name": "a/b"}).status == 400
    assert client.post(path, {"name": name + "r"}).status == 202
    assert client.get(path).status == 404 and read(folder, name + "r") == "x"
    assert client.get(path + "r/snapshots/s0").status == 200
    assert client.delete(path + "r").status == 202


def test_projects_have_their_own(client, volumes, name):
    config = {"features.storage.volumes": "true"}
    assert client.post("/1.0/projects", {"name": name, "config": config}).status == 201
    assert client.post(volumes + "/custom", {"name": "same"}).status == 202
    assert client.post(volumes + "/custom", {"name": "same"}, project=name).status == 202
    url = volumes + "/custom/same"
    assert client.get(volumes + "/custom", project=name).metadata == [url + "?project=" + name]
    assert client.get(url, project=name).metadata["project"] == name
    assert client.delete(url, project=name).status == 202
    assert client.get(url).status == 200
    assert client.delete(url).status == 202
    assert client.delete("/1.0/projects/" + name).status == 200


def test_block_volumes_have_a_size(client, volumes, folder, name):
    path = "%s/custom/%s" % (volumes, name)
    assert client.post(volumes + "/custom", {"name": name, "content_type": "block",
                                             "config": {"size": "8MiB"}}).status == 202
    image = "%s/default_%s/root.img" % (folder, name)
    assert os.path.getsize(image) == 8 << 20
    assert client.get(path + "/state").metadata["usage"]["total"] == 8 << 20
    assert client.patch(path, {"config": {"size": "16MiB"}}).status == 202
    assert os.path.getsize(image) == 16 << 20
    assert client.patch(path, {"config": {"size": "4MiB"}}).status == 400
    assert client.get(path).metadata["config"]["size"] == "16MiB"
    assert client.delete(path).status == 202


def upload(client, volumes, name, kind, data):
    return client.post(volumes + "/custom", data, headers={
        "Content-Type": "application/octet-stream", "X-LXD-name": name, "X-LXD-type": kind})


def test_uploads(client, volumes, folder, name):
    op = client.wait(upload(client, volumes, name, "iso", b"not really an image"))
    assert op["status"] == "Success", op
    assert client.get("%s/custom/%s" % (volumes, name)).metadata["content_type"] == "iso"
    assert read(folder, name, "root.iso") == "not really an image"

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        info = tarfile.TarInfo("dir/file")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    op = client.wait(upload(client, volumes, name + "t", "tar", data.getvalue()))
    assert op["status"] == "Success", op
    assert read(folder, name + "t", "dir/file") == "hi"
    for suffix in ("", "t"):
        assert client.delete("%s/custom/%s%s" % (volumes, name, suffix)).status == 202


def test_a_hostile_upload_leaves_nothing(client, volumes, folder, name):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../.."
        tar.addfile(link)
        info = tarfile.TarInfo("link/escaped")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"evil"))
    op = client.wait(upload(client, volumes, name, "tar", data.getvalue()))
    assert op["status"] == "Failure" and op["status_code"] == 400, op
    assert client.get("%s/custom/%s" % (volumes, name)).status == 404
    assert not os.path.exists("%s/default_%s" % (folder, name))
    assert not os.path.exists(folder + "/../escaped")
    assert not os.path.exists(folder + "/escaped")
