"""Images: uploads of every form, what is refused, aliases, export, projects, other members."""
import gzip
import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from test_cluster import m1, m2, pair  # noqa: F401  (fixtures)

METADATA = "architecture: x86_64\ncreation_date: 1700000000\nproperties:\n  os: test\n  n: 5\n"


def tar(files, links=()):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as t:
        for name, text in files:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            t.addfile(info, io.BytesIO(text.encode()))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            t.addfile(info)
    return data.getvalue()


def unified(seed, metadata=METADATA):
    return gzip.compress(tar([("metadata.yaml", metadata), ("rootfs/etc/seed", seed)]))


def multipart(parts, boundary="border"):
    body = b""
    for name, data in parts:
        body += ("--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s.tar\"\r\n\r\n"
                 % (boundary, name, name)).encode() + data + b"\r\n"
    return body + ("--%s--\r\n" % boundary).encode(), "multipart/form-data; boundary=" + boundary


def upload(client, data, content_type="application/octet-stream", headers=None, **query):
    head = {"Content-Type": content_type, "X-LXD-filename": "i.tar.gz"}
    head.update(headers or {})
    return client.post("/1.0/images", data, headers=head, **query)


def add(client, data, content_type="application/octet-stream", headers=None, **query):
    op = client.wait(upload(client, data, content_type, headers, **query))
    assert op["status"] == "Success", op
    return op["metadata"]["fingerprint"]


def remove(client, fingerprint, **query):
    op = client.wait(client.delete("/1.0/images/" + fingerprint, **query))
    assert op["status"] == "Success", op


def files(daemon):
    return sorted(os.listdir(daemon.directory + "/images"))


def test_a_unified_image(client, daemon, name):
    data = unified(name)
    fingerprint = add(client, data, headers={"X-LXD-properties": "flavour=plain&n=6"})
    assert fingerprint == hashlib.sha256(data).hexdigest()
    image = client.get("/1.0/images/" + fingerprint).metadata
    assert image["properties"] == {"os": "test", "n": "6", "flavour": "plain"}
    assert image["architecture"] == "x86_64" and image["type"] == "container"
    assert image["size"] == len(data) and image["filename"] == "i.tar.gz"
    assert image["created_at"] == "2023-11-14T22:13:20Z"
    assert image["expires_at"] == "1970-01-01T00:00:00Z"
    assert image["profiles"] == ["default"] and not image["public"]
    assert client.get("/1.0/images/" + fingerprint[:12]).metadata == image
    assert client.get("/1.0/images/" + fingerprint[:11]).status == 400
    assert "/1.0/images/" + fingerprint in client.get("/1.0/images").metadata
    assert client.get("/1.0/images", recursion=1,
                      filter="properties.flavour eq plain").metadata == [image]

    exported = client.get("/1.0/images/%s/export" % fingerprint)
    assert exported.raw == data
    assert exported.headers["content-disposition"] == \
        "inline;filename=\"%s.tar.gz\"" % fingerprint
    op = client.wait(upload(client, data))
    assert op["err"] == "Image with same fingerprint already exists" and op["err_code"] == 409
    remove(client, fingerprint)
    assert files(daemon) == []
    assert client.get("/1.0/images/" + fingerprint).status == 404


@pytest.mark.parametrize("root", ["tar", "squashfs"])
def test_a_split_image(client, daemon, scratch, name, root):
    meta = gzip.compress(tar([("metadata.yaml", METADATA)]))
    rootfs = tar([("etc/seed", name)])
    if root == "squashfs":
        folder = "%s/%s" % (scratch, name)
        os.makedirs(folder + "/etc")
        subprocess.run(["mksquashfs", folder, folder + ".sq", "-quiet", "-no-progress"], check=True,
                       capture_output=True)
        with open(folder + ".sq", "rb") as f:
            rootfs = f.read()
    body, content_type = multipart([("metadata", meta), ("rootfs", rootfs)])
    fingerprint = add(client, body, content_type)
    assert fingerprint == hashlib.sha256(meta + rootfs).hexdigest()
    assert files(daemon) == [fingerprint, fingerprint + ".rootfs"]
    exported = client.get("/1.0/images/%s/export" % fingerprint)
    assert exported.headers["content-type"].startswith("multipart/form-data")
    assert meta in exported.raw and rootfs in exported.raw
    # What was exported can be imported.
    remove(client, fingerprint)
    assert add(client, exported.raw, exported.headers["content-type"]) == fingerprint
    remove(client, fingerprint)
    assert files(daemon) == []


def bad_uploads():
    good = ("rootfs/x", "x")
    yield "rubbish", b"this is no archive"
    yield "empty", b""
    yield "no metadata", tar([good])
    yield "no rootfs", tar([("metadata.yaml", METADATA)])
    yield "metadata that is no mapping", tar([("metadata.yaml", "- a"), good])
    yield "no architecture", tar([("metadata.yaml", "creation_date: 1"), good])
    yield "bad architecture", tar([("metadata.yaml", "architecture: ../x"), good])
    yield "bad template", tar([("metadata.yaml",
                                METADATA + "templates: {/../x: {template: a}}"), good])
    yield "duplicate keys", tar([("metadata.yaml", METADATA + "architecture: i686\n"), good])
    yield "two metadata", tar([("metadata.yaml", METADATA), ("metadata.yaml", METADATA), good])
    yield "metadata too large", tar([("metadata.yaml", METADATA + "#" * (2 << 20)), good])
    yield "a link for metadata", tar([good], [("metadata.yaml", "/etc/passwd")])
    yield "an absolute name", tar([("/metadata.yaml", METADATA), good])
    yield "cut off", unified("x")[:60]


@pytest.mark.parametrize("what, data", bad_uploads(), ids=lambda v: v if isinstance(v, str) else "")
def test_bad_uploads_leave_nothing(client, daemon, what, data):
    op = client.wait(upload(client, data))
    assert op["status"] == "Failure" and op["err_code"] == 400, (what, op)
    assert op["err"]
    assert files(daemon) == [] and client.get("/1.0/images").metadata == []


def test_bad_multipart_leaves_nothing(client, daemon):
    meta, rootfs = tar([("metadata.yaml", METADATA)]), tar([("a", "b")])
    for parts in ([], [("metadata", meta)], [("rootfs", rootfs), ("metadata", meta)],
                  [("metadata", meta), ("rootfs.img", rootfs)],
                  [("metadata", meta), ("rootfs", b"rubbish" * 100)],
                  [("metadata", meta), ("rootfs", rootfs), ("rootfs", rootfs)]):
        body, content_type = multipart(parts)
        op = client.wait(upload(client, body, content_type))
        assert op["err_code"] == 400, op
    body, content_type = multipart([("metadata", meta), ("rootfs", rootfs)])
    assert client.wait(upload(client, body[:-20], content_type))["err_code"] == 400
    assert client.wait(upload(client, body, "multipart/form-data"))["err_code"] == 400
    assert files(daemon) == []


def test_bad_headers(client, daemon, name):
    data = unified(name)
    for headers in ({"X-LXD-filename": "../x"}, {"X-LXD-public": "maybe"},
                    {"X-LXD-properties": "a=%zz"}):
        assert upload(client, data, headers=headers).status == 400, headers
    op = client.wait(upload(client, data, headers={"X-LXD-fingerprint": "0" * 64}))
    assert op["err_code"] == 400
    assert client.post("/1.0/images", {"source": {"type": "bogus"}}).status == 400
    assert client.post("/1.0/images", {"source": {"type": "instance"}}).status == 400
    assert client.post("/1.0/images", {"source": {"type": "instance", "name": "nope"}}).status == 404
    assert files(daemon) == []


def test_changes_and_their_etag(client, name):
    fingerprint = add(client, unified(name))
    path = "/1.0/images/" + fingerprint
    before = client.get(path)
    assert client.patch(path, {"properties": {"a": "b"}},
                        headers={"If-Match": before.etag}).status == 200
    assert client.get(path).metadata["properties"] == {"a": "b"}
    assert client.patch(path, {"public": True}, headers={"If-Match": before.etag}).status == 412
    assert client.patch(path, {"public": True}).status == 200
    shown = client.get(path).metadata
    assert shown["public"] and shown["properties"] == {"a": "b"}
    assert client.put(path, {"properties": {"c": "d"}}).status == 200
    shown = client.get(path).metadata
    assert not shown["public"] and shown["properties"] == {"c": "d"}
    for body in ({"public": "yes"}, {"properties": {"a": 1}}, {"properties": []},
                 {"profiles": "x"}, {"expires_at": "soon"}):
        assert client.patch(path, body).status == 400, body
    assert client.patch(path, {"profiles": ["nope"]}).status == 404
    remove(client, fingerprint)


def test_aliases(client, name):
    fingerprint = add(client, unified(name))
    aliases = "/1.0/images/aliases"
    for body in ({}, {"name": name}, {"target": fingerprint}):
        assert client.post(aliases, body).status == 400
    assert client.post(aliases, {"name": name, "target": "f" * 64}).status == 404
    for bad in ("a b", "a\nb", "../x", "/x", "x/", "a?b"):
        assert client.post(aliases, {"name": bad, "target": fingerprint}).status == 400, bad
    created = client.post(aliases, {"name": name, "target": fingerprint, "description": "d"})
    assert created.status == 201 and created.headers["location"] == "%s/%s" % (aliases, name)
    assert client.post(aliases, {"name": name, "target": fingerprint}).status == 409
    shown = client.get("%s/%s" % (aliases, name))
    assert shown.metadata == {"name": name, "description": "d", "type": "container",
                              "target": fingerprint}
    assert client.get("/1.0/images/" + fingerprint).metadata["aliases"] == [
        {"name": name, "description": "d"}]
    path = "%s/%s" % (aliases, name)
    assert client.patch(path, {"description": "e"}, headers={"If-Match": shown.etag}).status == 200
    assert client.patch(path, {"description": "f"}, headers={"If-Match": shown.etag}).status == 412
    assert client.put(path, {"description": "g"}).status == 400
    assert client.post(path, {"name": name + "2"}).status == 201
    assert client.get(path).status == 404
    slashed = client.post(aliases, {"name": name + "/edge", "target": fingerprint})
    assert slashed.headers["location"] == "%s/%s%%2Fedge" % (aliases, name)
    assert client.get(slashed.headers["location"]).metadata["name"] == name + "/edge"
    assert client.delete(path + "2").status == 200
    assert client.delete(path + "2").status == 404
    remove(client, fingerprint)
    assert client.get(slashed.headers["location"]).status == 404


def test_projects_share_files_and_nothing_else(client, daemon, name):
    config = {"features.images": "true", "features.profiles": "false"}
    assert client.post("/1.0/projects", {"name": name, "config": config}).status == 201
    data = unified(name)
    fingerprint = add(client, data)
    path = "/1.0/images/" + fingerprint
    assert client.get(path, project=name).status == 404
    assert client.get("/1.0/images", project=name).metadata == []
    assert upload(client, data, headers={"X-LXD-public": "true"}, project=name).status == 400
    assert add(client, data, project=name) == fingerprint
    assert client.get(path, project=name).metadata["project"] == name
    assert client.patch(path, {"public": True}, project=name).status == 400
    remove(client, fingerprint)
    assert client.get(path).status == 404
    assert client.get(path + "/export", project=name).raw == data
    remove(client, fingerprint, project=name)
    assert files(daemon) == []
    assert client.delete("/1.0/projects/" + name).status == 200


def test_strangers_see_public_images(client, https, name):
    from conftest import Client
    stranger = Client(address=https)
    hidden, shown = add(client, unified(name)), add(client, unified(name + "p"))
    assert client.patch("/1.0/images/" + shown, {"public": True}).status == 200
    assert stranger.get("/1.0/images").metadata == ["/1.0/images/" + shown]
    assert stranger.get("/1.0/images/" + shown).status == 200
    for path in ("", "/export"):
        assert stranger.get("/1.0/images/" + hidden + path).status == 404
    assert stranger.post("/1.0/images", b"x").status == 403
    assert stranger.delete("/1.0/images/" + shown).status == 403

    secret = client.post("/1.0/images/%s/secret" % hidden).metadata["metadata"]["secret"]
    assert stranger.get("/1.0/images/%s/export" % hidden, secret="0" * 64).status == 404
    assert stranger.get("/1.0/images/%s/export" % shown).status == 200
    assert stranger.get("/1.0/images/%s/export" % hidden, secret=secret).status == 200
    assert stranger.get("/1.0/images/%s/export" % hidden, secret=secret).status == 404
    for fingerprint in (hidden, shown):
        remove(client, fingerprint)


def test_members_fetch_from_each_other(m1, m2, pair, name):  # noqa: F811
    data = unified(name)
    fingerprint = add(m1, data)
    held = "%s/images/%s" % (pair[1].directory, fingerprint)
    assert not os.path.exists(held)
    assert m2.get("/1.0/images/%s/export" % fingerprint).raw == data
    with open(held, "rb") as f:
        assert f.read() == data
    remove(m2, fingerprint)
    assert not os.path.exists(held)
    assert not os.path.exists("%s/images/%s" % (pair[0].directory, fingerprint))


def test_what_only_a_leaving_member_has_is_kept(m1, m2, pair, name):  # noqa: F811
    """The last one of this file: afterwards there is no second member."""
    data = unified(name)
    fingerprint = add(m2, data)
    assert not os.path.exists("%s/images/%s" % (pair[0].directory, fingerprint))
    assert m1.delete("/1.0/cluster/members/m2").status == 200
    assert m1.get("/1.0/images/%s/export" % fingerprint).raw == data
    remove(m1, fingerprint)


def expire(client, after):
    """One pass over images as it were so much later."""
    assert client.post("/internal/testing/clock", {"shift": after}).status == 200
    try:
        assert client.post("/internal/testing/images", {}).status == 200
    finally:
        assert client.post("/internal/testing/clock", {"shift": "0"}).status == 200


def test_only_cached_images_expire(client, daemon, name):
    """After the days of the project, else of the server; what somebody put here stays."""
    kept, cached = (add(client, unified(name + seed)) for seed in "kc")
    assert client.patch("/1.0/images/" + kept, {"expires_at": "2020-01-02T03:04:05Z"}).status == 200
    answer = client.post("/internal/sql", {
        "database": "global", "query": "UPDATE images SET cached = 1 WHERE fingerprint = '%s'" % cached})
    assert answer.status == 200, answer.raw
    assert client.get("/1.0/images/" + cached).metadata["cached"]
    expire(client, "239h")
    assert client.get("/1.0/images/" + cached).status == 200
    for days, after, status in (("0", "9999h", 200), ("20", "479h", 200), ("20", "481h", 404)):
        assert client.patch("/1.0", {"config": {"images.remote_cache_expiry": days}}).status == 200
        expire(client, after)
        assert client.get("/1.0/images/" + cached).status == status, days
    assert client.patch("/1.0", {"config": {"images.remote_cache_expiry": ""}}).status == 200
    assert cached not in files(daemon)
    assert client.get("/1.0/images/" + kept).status == 200
    remove(client, kept)


def test_files_of_an_image_that_came_anew_stay(client, daemon, name):
    """What a deletion asks of members comes after its row is gone, maybe after the next upload."""
    data = unified(name)
    fingerprint = add(client, data)
    assert client.delete("/internal/images/" + fingerprint).status == 200
    assert client.get("/1.0/images/%s/export" % fingerprint).raw == data
    remove(client, fingerprint)
    assert files(daemon) == []


def test_left_over_files_go(client, daemon, name):
    known = add(client, unified(name))
    folder = daemon.directory + "/images/"
    lost = "0123456789abcdef" * 4
    for file in (lost, lost + ".rootfs", lost + ".x", "notes"):
        with open(folder + file, "w", encoding="utf-8") as f:
            f.write("x")
    before = files(daemon)
    expire(client, "23h")
    assert files(daemon) == before, "they may be on their way in"
    expire(client, "25h")
    assert sorted(set(before) - set(files(daemon))) == [lost, lost + ".rootfs"]
    for file in (lost + ".x", "notes"):
        os.unlink(folder + file)
    remove(client, known)
