"""Snapshots of instances: names, expiry, restore, rename, delete."""
import json
import os
import shutil

import pytest

MUSTERD = os.path.abspath(os.environ.get("MUSTERD", "build/musterd"))


@pytest.fixture
def host(container):
    return container.client


@pytest.fixture
def snapshots(container):
    """The URL of the container's snapshots, which are gone afterwards."""
    url = container.url + "/snapshots"
    yield url
    for snapshot in container.client.get(url).metadata:
        container.client.wait(container.client.delete(snapshot))


def take(host, url, **body):
    answer = host.post(url, body)
    operation = host.wait(answer)
    assert operation["status"] == "Success", operation
    return answer.metadata["metadata"]["entity_url"]


def test_names(container, host, snapshots):
    assert take(host, snapshots).endswith("/snapshots/snap0")
    assert take(host, snapshots).endswith("/snapshots/snap1")
    assert take(host, snapshots, name="x").endswith("/snapshots/x")
    for bad in ("a/b", "a b", ".x", "a" * 300, "a\u0001"):
        answer = host.post(snapshots, {"name": bad})
        assert answer.status == 400 and answer.error.startswith("Invalid snapshot name"), bad
    operation = host.wait(host.post(snapshots, {"name": "x"}))
    assert operation["status"] == "Failure" and "already exists" in operation["err"]
    assert host.patch(container.url, {"config": {"snapshots.pattern": "w-%d-w"}}).status == 200
    assert take(host, snapshots).endswith("/snapshots/w-0-w")
    assert host.patch(container.url, {"config": {"snapshots.pattern": "fix"}}).status == 200
    assert take(host, snapshots).endswith("/snapshots/fix")
    assert take(host, snapshots).endswith("/snapshots/fix-0")
    host.patch(container.url, {"config": {"snapshots.pattern": ""}})
    assert len(host.get(snapshots).metadata) == 6


def test_expiry(container, host, snapshots):
    url = take(host, snapshots, name="s", expires_at="2034-01-02T03:04:05Z")
    assert host.get(url).metadata["expires_at"] == "2034-01-02T03:04:05Z"
    answer = host.put(url, {"expires_at": "2035-01-02T03:04:05Z"})
    assert answer.status == 202 and answer.metadata["description"] == "Updating snapshot"
    assert host.get(url).metadata["expires_at"] == "2035-01-02T03:04:05Z"
    assert host.patch(url, {"description": "d"}).status == 202
    assert host.get(url).metadata["expires_at"] == "2035-01-02T03:04:05Z"
    for bad in ("yesterday", 5, "2035-13-01T00:00:00Z"):
        assert host.put(url, {"expires_at": bad}).status == 400
    assert host.put(url, {"expires_at": "2036-01-02T03:04:05Z"}, {"If-Match": "0" * 64}).status == 412
    host.patch(container.url, {"config": {"snapshots.expiry": "1d"}})
    assert not host.get(take(host, snapshots)).metadata["expires_at"].startswith("0001")
    host.patch(container.url, {"config": {"snapshots.expiry": ""}})


def test_restore(container, host, snapshots):
    assert container.output("sh", "-c", "echo one > /root/f")[0] == 0
    host.patch(container.url, {"config": {"user.a": "1"}})
    take(host, snapshots, name="s")
    assert container.output("sh", "-c", "echo two > /root/f")[0] == 0
    host.patch(container.url, {"config": {"user.a": "2", "user.b": "2"}})
    for bad in ("nope", "c1/nope"):
        answer = host.put(container.url, {"restore": bad})
        assert answer.status == 404 and "InstanceSnapshot not found" in answer.error
    uuid = host.get(container.url).metadata["config"]["volatile.uuid"]
    answer = host.put(container.url, {"restore": "c1/s"})
    assert answer.metadata["description"] == "Restoring snapshot"
    operation = host.wait(answer)
    assert operation["status"] == "Success", operation
    row = host.get(container.url).metadata
    assert row["status"] == "Running" and row["config"]["volatile.uuid"] == uuid
    assert row["config"]["user.a"] == "1" and "user.b" not in row["config"]
    assert container.output("cat", "/root/f") == (0, "one\n")
    host.patch(container.url, {"config": {"user.a": ""}})


def test_what_was_cut_off_is_completed(container, host, snapshots):
    """The files change first, the rows of instance and volume together: doing it again completes it."""
    folder = container.member.dir / "storage-pools/default/containers-snapshots/c1"

    def named():
        names = [url.rsplit("/", 1)[1] for url in host.get(snapshots).metadata]
        rows = container.member.inside(MUSTERD, "sql", "global", "SELECT 'volume ' || name FROM storage_snapshots")
        assert [f"volume {name}" in rows for name in "st"] == [name in names for name in "st"]
        return names

    (folder / "s/cut-off").mkdir(parents=True)
    url = take(host, snapshots, name="s")
    assert named() == ["s"] and not (folder / "s/cut-off").exists() and (folder / "s/rootfs").is_dir()
    (folder / "s").rename(folder / "t")
    assert host.wait(host.post(url, {"name": "t"}))["status"] == "Success"
    assert named() == ["t"] and (folder / "t/rootfs").is_dir()
    shutil.rmtree(folder / "t")
    assert named() == ["t"]
    assert host.wait(host.delete(snapshots + "/t"))["status"] == "Success"
    assert named() == []


def test_rename_and_delete(host, snapshots):
    url = take(host, snapshots, name="s")
    take(host, snapshots, name="t")
    assert host.post(url, {"name": "t"}).status == 409
    assert host.post(url, {"name": "a/b"}).status == 400
    answer = host.post(url, {"name": "u"})
    assert answer.metadata["description"] == "Renaming snapshot"
    assert host.wait(answer)["status"] == "Success"
    assert host.get(url).status == 404 and host.get(snapshots + "/u").status == 200
    for method in ("GET", "DELETE"):
        answer = host.request(method, snapshots + "/nope")
        assert answer.status == 404 and "InstanceSnapshot not found" in answer.error
    assert host.wait(host.delete(snapshots + "/u"))["status"] == "Success"
    assert host.get(snapshots).metadata == [snapshots + "/t"]
    rows = host.get(snapshots, recursion=1).metadata
    assert [r["name"] for r in rows] == ["t"] and rows[0]["expanded_devices"]["root"]["pool"] == "default"


@pytest.fixture
def volume(container, host):
    """A custom volume that the running container has at /mnt."""
    url = "/1.0/storage-pools/default/volumes/custom"
    assert host.post(url, {"name": "data"}).status == 202
    assert host.patch(container.url, {"devices": {"data": {
        "type": "disk", "pool": "default", "source": "data", "path": "/mnt"}}}).status == 200
    yield url + "/data"
    row = host.get(container.url).metadata
    row["devices"].pop("data", None)
    assert host.wait(host.put(container.url, row))["status"] == "Success"
    for snapshot in host.get(url + "/data/snapshots").metadata:
        host.delete(snapshot)
    assert host.delete(url + "/data").status == 202


def test_snapshots_with_volumes(container, host, snapshots, volume):
    """Those that nobody else uses, and only when they are asked for."""
    assert container.output("sh", "-c", "echo one > /mnt/f; echo one > /root/f")[0] == 0
    take(host, snapshots, name="alone")
    assert host.get(volume + "/snapshots").metadata == []
    assert "volatile.attached_volumes" not in host.get(snapshots + "/alone").metadata["config"]
    take(host, snapshots, name="all", disk_volumes_mode="all-exclusive",
         expires_at="2035-01-02T03:04:05Z")
    assert host.get(volume + "/snapshots").metadata == [volume + "/snapshots/snap0"]
    taken = host.get(volume + "/snapshots/snap0").metadata
    assert taken["expires_at"] == "2035-01-02T03:04:05Z"
    pairs = json.loads(host.get(snapshots + "/all").metadata["config"]["volatile.attached_volumes"])
    assert pairs == {host.get(volume).metadata["config"]["volatile.uuid"]:
                     taken["config"]["volatile.uuid"]}

    assert container.output("sh", "-c", "echo two > /mnt/f; echo two > /root/f")[0] == 0
    refused = host.put(volume, {"restore": "snap0"})
    assert refused.status == 400 and "used by running instances" in refused.error
    assert host.put(container.url, {"restore": "all", "restore_disk_volumes_mode": "some"}).status == 400
    operation = host.wait(host.put(container.url, {"restore": "all"}))
    assert operation["status"] == "Success", operation
    assert container.output("cat", "/mnt/f", "/root/f") == (0, "two\none\n")
    assert host.post(volume + "/snapshots/snap0", {"name": "renamed"}).status == 202
    operation = host.wait(host.put(container.url, {"restore": "all",
                                                   "restore_disk_volumes_mode": "all-exclusive"}))
    assert operation["status"] == "Success", operation
    assert container.output("cat", "/mnt/f", "/root/f") == (0, "one\none\n")
    assert "volatile.attached_volumes" not in host.get(container.url).metadata["config"]

    assert host.delete(snapshots + "/all", disk_volumes="some").status == 400
    assert host.wait(host.delete(snapshots + "/all", disk_volumes="all-exclusive"))["status"] == "Success"
    assert host.get(volume + "/snapshots").metadata == []


def test_volumes_of_others_are_left_alone(container, host, snapshots, volume):
    take(host, snapshots, name="mine", disk_volumes_mode="all-exclusive")
    body = {"name": "other", "source": {"type": "none"}, "devices": {
        "root": {"type": "disk", "path": "/", "pool": "default"},
        "data": {"type": "disk", "pool": "default", "source": "data", "path": "/mnt"}}}
    assert host.wait(host.post("/1.0/instances", body))["status"] == "Success"
    restore = {"restore": "mine", "restore_disk_volumes_mode": "all-exclusive"}
    try:
        answer = host.put(container.url, restore)
        assert answer.status == 400 and "used by other instances" in answer.error
        take(host, snapshots, name="ours", disk_volumes_mode="all-exclusive")
        assert len(host.get(volume + "/snapshots").metadata) == 1
    finally:
        assert host.wait(host.delete("/1.0/instances/other"))["status"] == "Success"
    assert host.delete(host.get(volume + "/snapshots").metadata[0]).status == 202
    assert host.put(container.url, restore).status == 404
    assert host.get(container.url).metadata["status"] == "Running"


def test_a_volume_follows_its_name_and_pool(container, host, volume, name):
    """Devices of instances that are stopped change with it; those that run keep it where it is."""
    def attached():
        return host.get(container.url).metadata["devices"]["data"]

    assert container.output("sh", "-c", "echo kept > /mnt/f")[0] == 0
    answer = host.post(volume, {"name": "other"})
    assert answer.status == 400 and "still in use by running instances" in answer.error
    assert attached()["source"] == "data" and host.get(volume).status == 200
    container.state("stop", force=True)
    assert host.post("/1.0/storage-pools", {"name": name, "driver": "dir"}).status == 201
    assert host.post(volume, {"name": "other"}).status == 202
    assert attached()["source"] == "other"
    assert host.post(volume[:-4] + "other", {"name": "moved", "pool": name}).status == 202
    assert (attached()["source"], attached()["pool"]) == ("moved", name)
    container.state("start")
    assert container.output("cat", "/mnt/f") == (0, "kept\n")
    container.state("stop", force=True)
    there = "/1.0/storage-pools/%s/volumes/custom/moved" % name
    assert host.post(there, {"name": "data", "pool": "default"}).status == 202
    assert host.delete("/1.0/storage-pools/" + name).status == 200
    container.state("start")
    assert container.output("cat", "/mnt/f") == (0, "kept\n")


def test_a_volume_that_cannot_be_snapshotted(container, host, snapshots, volume):
    """Nothing of the whole is left."""
    assert host.patch(volume, {"config": {"snapshots.pattern": "a/b"}}).status == 202
    operation = host.wait(host.post(snapshots, {"name": "x", "disk_volumes_mode": "all-exclusive"}))
    assert operation["status"] == "Failure" and "data" in operation["err"]
    assert host.get(snapshots).metadata == [] and host.get(volume + "/snapshots").metadata == []
    assert host.get(container.url).metadata["status"] == "Running"
