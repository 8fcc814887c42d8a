"""metadata.yaml of a container and its templates."""
import json

import pytest

OCTETS = {"Content-Type": "application/octet-stream"}


def test_metadata(container):
    answer = container.request("GET", "/metadata")
    assert answer.status == 200 and answer.etag
    metadata = answer.metadata
    assert sorted(metadata) == ["architecture", "creation_date", "expiry_date", "properties", "templates"]
    assert metadata["properties"]["os"] == "busybox"

    changed = json.loads(json.dumps(metadata))
    changed["properties"] = {"os": "other"}
    head = {"If-Match": answer.etag}
    assert container.request("PUT", "/metadata", changed, head).status == 200
    assert container.request("PUT", "/metadata", changed, head).status == 412
    assert container.request("GET", "/metadata").metadata["properties"] == {"os": "other"}
    assert container.request("PATCH", "/metadata", {"properties": {"more": "1"}}).status == 200
    assert container.request("GET", "/metadata").metadata["properties"] == {"os": "other", "more": "1"}
    assert container.request("PUT", "/metadata", metadata).status == 200
    assert container.request("GET", "/metadata").etag == answer.etag


@pytest.mark.parametrize("body", [
    {}, {"architecture": "../x"}, {"architecture": 1}, [], "{bad",
    {"architecture": "x86_64", "properties": []},
    {"architecture": "x86_64", "creation_date": -1},
    {"architecture": "x86_64", "templates": {"/../x": {"when": [], "template": "t"}}},
    {"architecture": "x86_64", "templates": {"/x": {"when": ["never"], "template": "t"}}},
    {"architecture": "x86_64", "templates": {"/x": {"when": ["create"], "template": "../t"}}},
])
def test_wrong_metadata(container, body):
    before = container.request("GET", "/metadata").metadata
    assert container.request("PUT", "/metadata", body).status == 400
    assert container.request("GET", "/metadata").metadata == before


def test_templates(container):
    T = "/metadata/templates"
    assert container.request("GET", T).metadata == ["hostname.tpl"]
    assert container.request("POST", T, b"hello {{ x }}", OCTETS, path="x.tpl").status == 200
    assert container.request("GET", T).metadata == ["hostname.tpl", "x.tpl"]
    answer = container.request("GET", T, path="x.tpl")
    assert answer.raw == b"hello {{ x }}"
    assert container.request("POST", T, b"other", OCTETS, path="x.tpl").status == 200
    assert container.request("GET", T, path="x.tpl").raw == b"other"
    assert container.request("DELETE", T, path="x.tpl").status == 200
    for method in ("GET", "DELETE"):
        answer = container.request(method, T, path="x.tpl")
        assert answer.status == 404 and answer.error == 'Template "x.tpl" not found'


@pytest.mark.parametrize("path", ["..", "../metadata.yaml", "/etc/passwd", "a/b", ".", "x" * 300])
def test_wrong_names_of_templates(container, path):
    for method, body in (("GET", None), ("POST", b"x"), ("DELETE", None)):
        assert container.request(method, "/metadata/templates", body, path=path).status == 400


def test_wrong_templates(container):
    assert container.request("POST", "/metadata/templates", b"x").status == 400
    assert container.request("DELETE", "/metadata/templates").status == 400
    assert container.request("POST", "/metadata/templates", b"x" * (2 << 20), OCTETS, path="t").status == 413


def test_links_are_not_followed(container):
    volume = container.member.dir / "storage-pools" / "default" / "containers" / "c1"
    root = "/proc/%d/root" % container.member.pid + str(volume)
    import os
    link = root + "/templates/link.tpl"
    os.symlink(str(container.member.dir / "server.key"), link)
    assert "link.tpl" not in container.request("GET", "/metadata/templates").metadata
    assert container.request("GET", "/metadata/templates", path="link.tpl").status >= 400
    # Writing replaces the link.
    assert container.request("POST", "/metadata/templates", b"mine", path="link.tpl").status == 200
    assert not os.path.islink(link)
    assert container.request("DELETE", "/metadata/templates", path="link.tpl").status == 200

    os.rename(root + "/metadata.yaml", root + "/kept.yaml")
    os.symlink(str(container.member.dir / "server.key"), root + "/metadata.yaml")
    assert container.request("GET", "/metadata").status >= 400
    os.unlink(root + "/metadata.yaml")
    assert container.request("GET", "/metadata").metadata["properties"] == {}
    os.rename(root + "/kept.yaml", root + "/metadata.yaml")


def test_events(container):
    ws = container.client.websocket("/1.0/events", type="lifecycle")
    container.request("GET", "/metadata")
    container.request("PATCH", "/metadata", {})
    container.request("POST", "/metadata/templates", b"x", path="e.tpl")
    container.request("GET", "/metadata/templates", path="e.tpl")
    container.request("DELETE", "/metadata/templates", path="e.tpl")
    for action in ("metadata-retrieved", "metadata-updated", "metadata-template-created",
                   "metadata-template-retrieved", "metadata-template-deleted"):
        assert ws.event(action="instance-" + action)["metadata"]["source"] == container.url
    ws.close()
