"""Logs of a container, and names that are none."""
import pytest


def test_the_drivers_logs(container):
    urls = container.request("GET", "/logs").metadata
    assert container.url + "/logs/lxc.log" in urls and container.url + "/logs/lxc.conf" in urls
    answer = container.client.get(container.url + "/logs/lxc.conf")
    assert answer.status == 200 and b"lxc.uts.name" in answer.raw
    assert answer.headers["content-type"] == "application/octet-stream"
    assert not any("console" in url for url in urls)


@pytest.mark.parametrize("name", [
    "bogus", "..", ".", "%2e%2e", "..%2f..%2fserver.key", "%2fetc%2fpasswd", "lxc.log%00", "lxc.log%2f..",
    "console.log", "exec-output%2f..%2flxc.log", "lxc.log.1", "%00", "snapshot_%2f..%2f..%2f..%2fserver.key",
])
@pytest.mark.parametrize("below", ["/logs/", "/logs/exec-output/"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_names_that_are_none(container, name, below, method):
    answer = container.request(method, below + name)
    assert answer.status in (400, 404), answer.raw
    assert answer.json["type"] == "error"


def test_what_is_not_there(container):
    for path in ("/logs/snapshot_x.log", "/logs/exec-output/exec_x.stdout"):
        assert container.request("GET", path).status == 404
        assert container.request("DELETE", path).status == 404
    assert container.request("DELETE", "/logs/lxc.log").status == 400
    assert container.request("DELETE", "/logs/lxc.conf").status == 400


def test_a_link_is_not_followed(container):
    logs = container.member.dir / "logs" / "c1"
    (logs / "snapshot_link.log").symlink_to(container.member.dir / "server.key")
    (logs / "migration_pipe.log").mkdir()
    assert container.request("GET", "/logs/snapshot_link.log").status >= 400
    assert container.request("GET", "/logs/migration_pipe.log").status == 404
    assert container.request("DELETE", "/logs/snapshot_link.log").status == 200
    (logs / "migration_pipe.log").rmdir()


def test_logs_are_deleted(container):
    path = container.member.dir / "logs" / "c1" / "migration_dump_1.log"
    path.write_text("text")
    assert container.url + "/logs/migration_dump_1.log" in container.request("GET", "/logs").metadata
    ws = container.client.websocket("/1.0/events", type="lifecycle")
    assert container.request("DELETE", "/logs/migration_dump_1.log").status == 200
    assert ws.event(action="instance-log-deleted")["metadata"]["source"] == container.url
    ws.close()
    assert not path.exists()


def test_recordings_go_with_the_instance(container):
    image = container.client.get("/1.0/images").metadata[0].rsplit("/", 1)[1]
    made = container.client.post("/1.0/instances", {
        "name": "c2", "start": True, "source": {"type": "image", "fingerprint": image},
        "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}}})
    assert container.client.wait(made)["status"] == "Success"
    done = container.client.wait(container.client.post(
        "/1.0/instances/c2/exec", {"command": ["true"], "record-output": True}))
    assert done["metadata"]["return"] == 0
    assert container.client.wait(container.client.put(
        "/1.0/instances/c2/state", {"action": "stop", "force": True}))["status"] == "Success"
    assert container.client.wait(container.client.delete("/1.0/instances/c2"))["status"] == "Success"
    assert not (container.member.dir / "logs" / "c2").exists()
