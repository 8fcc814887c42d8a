"""Snapshots of instances: names, expiry, restore, rename, delete."""
import pytest


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
