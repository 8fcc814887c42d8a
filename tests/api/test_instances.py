"""Instances: made, changed, renamed, copied, rebuilt, stopped and started, found again."""
import io
import os
import shutil
import signal
import stat
import tarfile

import pytest

ROOT = {"root": {"type": "disk", "path": "/", "pool": "default"}}


@pytest.fixture
def host(container):
    return container.client


@pytest.fixture
def image(host):
    return host.get("/1.0/images").metadata[0].rsplit("/", 1)[1]


@pytest.fixture
def made(host, image):
    """Makes instances and removes them, whatever became of them."""
    names = []

    def make(name, **body):
        names.append(name)
        body = {"name": name, "source": {"type": "image", "fingerprint": image}, "devices": ROOT} | body
        operation = host.wait(host.post("/1.0/instances", body))
        assert operation["status"] == "Success", operation
        return "/1.0/instances/" + name

    yield make
    for url in host.get("/1.0/instances").metadata:
        if url != "/1.0/instances/c1":
            host.patch(url, {"config": {"security.protection.delete": ""}})
            host.wait(host.delete(url, force=1))


def tar_of(files):
    """A tar with these files; a name that ends with a slash is a directory."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path.rstrip("/"))
            info.size, info.mtime, info.mode = len(data), 1700000000, 0o644
            if path.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def change_state(host, url, action, **more):
    return host.wait(host.put(url + "/state", dict(more, action=action)))


def test_create_and_delete(host, made, image, name):
    url = made(name, config={"user.a": "1"}, description="text")
    row = host.get(url).metadata
    assert row["status"] == "Stopped" and row["description"] == "text"
    assert row["config"]["user.a"] == "1" and row["config"]["volatile.base_image"] == image
    assert row["expanded_devices"] == ROOT and row["profiles"] == ["default"]
    answer = host.delete(url)
    assert answer.metadata["description"] == "Deleting instance"
    assert host.wait(answer)["status"] == "Success"
    answer = host.get(url)
    assert answer.status == 404 and answer.error.endswith("Instance not found")


def test_deleting_again_completes_what_was_cut_off(host, container, made, name):
    """The files go first: without them instance and volume are still there, and go together."""
    url = made(name)
    volume = "/1.0/storage-pools/default/volumes/container/" + name
    assert host.get(volume).status == 200
    shutil.rmtree(container.member.dir / "storage-pools/default/containers" / name)
    assert host.get(url).status == 200 and host.get(volume).status == 200
    assert host.wait(host.delete(url))["status"] == "Success"
    assert host.get(url).status == 404 and host.get(volume).status == 404
    made(name)


def tree_of(path):
    """All that is to be the same in each instance of an image."""
    rows = []
    for folder, _, files in sorted(os.walk(path)):
        for name in sorted([*files, "."]):
            where = os.path.join(folder, name)
            st = os.lstat(where)
            rows.append((os.path.relpath(where, path), st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns,
                         os.readlink(where) if os.path.islink(where) else None,
                         st.st_size if name != "." else 0))
    return rows


def test_dir_pools_keep_an_image_that_is_used_twice(host, container, made, name):
    """A copy of the unpacked image serves the third instance and those that follow; it goes with the image."""
    pool = container.member.dir / "storage-pools/default"
    metadata = "architecture: x86_64\ncreation_date: 1700000000\nproperties: {description: %s}\n" % name
    image = tar_of({"metadata.yaml": metadata.encode(), "rootfs/": b"", "rootfs/f": b"f", "rootfs/etc/": b""})
    operation = host.wait(host.post("/1.0/images", image, {"Content-Type": "application/octet-stream"}))
    fingerprint = operation["metadata"]["fingerprint"]
    source = {"type": "image", "fingerprint": fingerprint}
    trees = []
    for i in range(3):
        made(name + str(i), source=source)
        assert (pool / "images" / fingerprint).is_dir() == (i > 0)
        trees.append(tree_of(pool / "containers" / (name + str(i)) / "rootfs"))
        assert stat.S_IMODE(os.stat(pool / "containers" / (name + str(i))).st_mode) == 0o100
    assert trees[0] == trees[1] == trees[2]
    assert not [v for v in host.get("/1.0/storage-pools/default/volumes").metadata if "/image/" in v]
    assert host.wait(host.delete("/1.0/images/" + fingerprint))["status"] == "Success"
    assert not (pool / "images" / fingerprint).exists()
    assert not [f for f in os.listdir(pool / "images") if f.startswith(".")]


BAD = [
    ({"name": "-x"}, 400), ({"name": "1x"}, 400), ({"name": "a/b"}, 400), ({"name": "a" * 64}, 400),
    ({"name": 5}, 400), ({"config": {"bogus": "1"}}, 400), ({"config": {"limits.memory": "lots"}}, 400),
    ({"config": {"limits.cpu": 5}}, 400), ({"config": []}, 400), ({"devices": {"x": {"type": "bogus"}}}, 400),
    ({"devices": {}}, 400), ({"devices": {"root": dict(ROOT["root"], pool="nope")}}, 404),
    ({"profiles": ["nope"]}, 404), ({"profiles": "default"}, 400), ({"source": {"type": "bogus"}}, 400),
    ({"source": {}}, 400), ({"source": {"type": "image", "fingerprint": "0" * 64}}, 404),
    ({"source": {"type": "image", "alias": "nope"}}, 404), ({"source": {"type": "copy", "source": "nope"}}, 404),
    ({"type": "bogus"}, 400), ({"ephemeral": "yes"}, 400), ({"name": "c1"}, 409),
]


@pytest.mark.parametrize("wrong,status", BAD, ids=[str(b) for b, _ in BAD])
def test_bad_creations_change_nothing(host, image, name, wrong, status):
    before = host.get("/1.0/instances").metadata
    body = {"name": name, "source": {"type": "image", "fingerprint": image}, "devices": ROOT} | wrong
    answer = host.post("/1.0/instances", body)
    assert answer.status == status, answer.raw
    assert answer.json["type"] == "error" and answer.error
    assert host.get("/1.0/instances").metadata == before


def test_put_replaces_and_patch_merges(host, made, name):
    url = made(name, config={"user.a": "1"})
    kept = {k: v for k, v in host.get(url).metadata["config"].items() if k.startswith("volatile.")}
    assert host.patch(url, {"config": {"user.b": "2"}, "devices": {"n": {"type": "none"}}}).status == 200
    row = host.get(url).metadata
    assert (row["config"]["user.a"], row["config"]["user.b"]) == ("1", "2") and "n" in row["devices"]
    assert host.patch(url, {"config": {"user.a": ""}, "devices": {"n": None}}).status == 200
    row = host.get(url).metadata
    assert "user.a" not in row["config"] and row["devices"] == ROOT
    answer = host.put(url, {"config": {"user.c": "3"}, "devices": ROOT, "profiles": ["default"]})
    assert answer.status == 202 and answer.metadata["description"] == "Updating instance"
    config = host.get(url).metadata["config"]
    assert {k: v for k, v in config.items() if not k.startswith("volatile.")} == {"user.c": "3"}
    # What the daemon knows of it is not for clients to lose.
    assert {k: v for k, v in config.items() if k.startswith("volatile.")} == kept


def test_bad_changes_change_nothing(host, made, name):
    url = made(name)
    before = host.get(url)
    for body, status in (({"config": {"bogus": "1"}}, 400), ({"config": {"limits.memory": "lots"}}, 400),
                         ({"profiles": ["nope"]}, 404), ({"devices": {"x": {"type": "bogus"}}}, 400),
                         ({"devices": {"root": dict(ROOT["root"], pool="nope")}}, 404), ({"config": "x"}, 400),
                         ({"config": {"raw.lxc": "lxc.log.file = /x"}}, 400)):
        for answer in (host.patch(url, body), host.put(url, {"devices": ROOT} | body)):
            assert answer.status == status, (body, answer.raw)
    assert host.put(url, {"devices": {}}).status == 400
    after = host.get(url)
    assert after.etag == before.etag and after.metadata == before.metadata


def test_if_match(host, made, name):
    url = made(name)
    old = host.get(url).etag
    assert host.patch(url, {"config": {"user.a": "1"}}, {"If-Match": old}).status == 200
    for answer in (host.patch(url, {"config": {"user.a": "2"}}, {"If-Match": old}),
                   host.put(url, {"devices": ROOT}, {"If-Match": old})):
        assert answer.status == 412
    assert host.get(url).metadata["config"]["user.a"] == "1"


def test_limits_and_devices_of_a_running_one(container, host):
    url = container.url
    try:
        assert host.patch(url, {"config": {"limits.memory": "96MiB"}}).status == 200
        assert host.get(url + "/state").metadata["memory"]["total"] == 96 << 20
        link = {"type": "nic", "nictype": "p2p", "name": "eth7"}
        disk = {"type": "disk", "source": "/etc", "path": "/mnt/etc", "readonly": "true"}
        assert host.patch(url, {"devices": {"l": link, "d": disk}}).status == 200
        assert "eth7" in host.get(url + "/state").metadata["network"]
        assert container.output("ls", "/mnt/etc/passwd")[0] == 0
        hwaddr = host.get(url).metadata["config"]["volatile.l.hwaddr"]
        assert host.get(url + "/state").metadata["network"]["eth7"]["hwaddr"] == hwaddr
    finally:
        assert host.patch(url, {"config": {"limits.memory": ""}, "devices": {"l": None, "d": None}}).status == 200
    assert "eth7" not in host.get(url + "/state").metadata["network"]
    assert container.output("ls", "/mnt/etc/passwd")[0] != 0
    assert not [k for k in host.get(url).metadata["config"] if k.startswith("volatile.l.")]


def test_a_profile_reaches_a_running_one(container, host, name):
    host.post("/1.0/profiles", {"name": name})
    try:
        assert host.patch(container.url, {"profiles": ["default", name]}).status == 200
        body = {"config": {"limits.memory": "80MiB"}, "devices": {"p": {"type": "nic", "nictype": "p2p",
                                                                        "name": "eth8"}}}
        assert host.put("/1.0/profiles/" + name, body).status == 202
        state = host.get(container.url + "/state").metadata
        assert state["memory"]["total"] == 80 << 20 and "eth8" in state["network"]
        assert host.put("/1.0/profiles/" + name, {"config": {}, "devices": {}}).status == 202
        state = host.get(container.url + "/state").metadata
        assert state["memory"]["total"] != 80 << 20 and "eth8" not in state["network"]
    finally:
        host.patch(container.url, {"profiles": ["default"]})
        host.delete("/1.0/profiles/" + name)


def test_power(host, made, name):
    url = made(name)
    assert host.put(url + "/state", {"action": "bogus"}).status == 400
    assert host.put(url + "/state", {"action": "start", "timeout": "x"}).status == 400
    assert host.put(url + "/state", {"action": "stop"}).status == 400
    assert change_state(host, url, "start")["status"] == "Success"
    assert host.put(url + "/state", {"action": "start"}).status == 400
    assert host.get(url).metadata["config"]["volatile.last_state.power"] == "RUNNING"
    assert change_state(host, url, "freeze")["status"] == "Success"
    assert host.get(url).metadata["status"] == "Frozen"
    assert change_state(host, url, "unfreeze")["status"] == "Success"
    pid = host.get(url + "/state").metadata["pid"]
    assert change_state(host, url, "restart", force=True)["status"] == "Success"
    assert host.get(url + "/state").metadata["pid"] not in (0, pid)
    assert host.delete(url).status == 400
    assert change_state(host, url, "stop", timeout=20)["status"] == "Success"
    row = host.get(url).metadata
    assert row["status"] == "Stopped" and row["config"]["volatile.last_state.power"] == "STOPPED"


def test_ephemeral_ones_go_when_they_stop(host, made, name):
    url = made(name, ephemeral=True, start=True)
    assert change_state(host, url, "stop", force=True)["status"] == "Success"
    assert host.get(url).status == 404


def test_protection(host, made, name):
    url = made(name, config={"security.protection.delete": "true"})
    answer = host.delete(url)
    assert answer.status == 400 and "protected" in answer.error
    host.patch(url, {"config": {"security.protection.delete": "", "security.protection.start": "true"}})
    assert host.put(url + "/state", {"action": "start"}).status == 400


def test_rename(host, made, name):
    url = made(name)
    made(name + "b")
    assert host.post(url, {"name": name + "b"}).status == 409
    for bad in ("", "a/b", "-x"):
        assert host.post(url, {"name": bad}).status == 400
    assert host.post("/1.0/instances/c1", {"name": name + "c"}).status == 400
    answer = host.post(url, {"name": name + "c"})
    assert answer.metadata["description"] == "Renaming instance"
    assert answer.metadata["metadata"]["original_entity_url"] == url
    assert host.wait(answer)["status"] == "Success"
    assert host.get(url).status == 404
    assert change_state(host, url + "c", "start")["status"] == "Success"
    assert not [k for k in host.get(url + "c").metadata["config"] if "rename" in k]


def test_copy(host, made, name):
    url = made(name, config={"user.a": "1"})
    host.wait(host.post(url + "/snapshots", {"name": "s0"}))
    made(name + "b", source={"type": "copy", "source": name}, devices={})
    row = host.get(url + "b", recursion=1).metadata
    assert row["config"]["user.a"] == "1" and [s["name"] for s in row["snapshots"]] == ["s0"]
    assert row["config"]["volatile.uuid"] != host.get(url).metadata["config"]["volatile.uuid"]
    made(name + "d", source={"type": "copy", "source": name + "/s0"}, devices={}, start=True)
    row = host.get(url + "d", recursion=1).metadata
    assert row["status"] == "Running" and not row["snapshots"]
    made(name + "e", source={"type": "copy", "source": name, "instance_only": True}, devices={})
    assert not host.get(url + "e", recursion=1).metadata["snapshots"]


def test_another_pool_and_project(host, made, image, name):
    assert host.post("/1.0/storage-pools", {"name": name, "driver": "dir"}).status == 201
    assert host.post("/1.0/projects", {"name": name, "config": {"features.images": "false"}}).status == 201
    url = made(name)
    host.wait(host.post(url + "/snapshots", {"name": "s0"}))
    for body, status in (({"pool": "nope"}, 404), ({"project": "nope"}, 404), ({"pool": "default"}, 400)):
        assert host.post(url, {"migration": True, **body}).status == status, body
    operation = host.wait(host.post(url, {"name": name, "migration": True, "pool": name}))
    assert operation["status"] == "Success", operation
    assert host.get(url).metadata["expanded_devices"]["root"]["pool"] == name
    assert change_state(host, url, "start")["status"] == "Success"
    assert host.post(url, {"migration": True, "pool": "default"}).status == 400
    assert host.wait(host.put(url, {"restore": "s0"}))["status"] == "Success"
    assert change_state(host, url, "stop", force=True)["status"] == "Success"
    host.patch(url, {"devices": ROOT | {"root": dict(ROOT["root"], pool=name)}})
    operation = host.wait(host.post(url, {"name": name, "migration": True, "pool": "default", "project": name}))
    assert operation["status"] == "Success", operation
    assert host.get(url).status == 404
    row = host.get(url, project=name, recursion=1).metadata
    assert row["project"] == name and [s["name"] for s in row["snapshots"]] == ["s0"]
    operation = host.wait(host.put(url + "/state", {"action": "start"}, project=name))
    assert operation["status"] == "Success", operation
    assert host.wait(host.delete(url, project=name, force=1))["status"] == "Success"
    assert host.delete("/1.0/projects/" + name).status == 200
    assert host.delete("/1.0/storage-pools/" + name).status == 200


def test_rebuild(host, made, image, name):
    url = made(name, start=True)
    assert host.post(url + "/rebuild", {"source": {"type": "none"}}).status == 400
    change_state(host, url, "stop", force=True)
    assert host.post(url + "/rebuild", {"source": {"type": "image", "alias": "nope"}}).status == 404
    assert host.post(url + "/rebuild", {"source": {"type": "bogus"}}).status == 400
    assert host.wait(host.post(url + "/rebuild", {"source": {"type": "none"}}))["status"] == "Success"
    assert "image.os" not in host.get(url).metadata["config"]
    answer = host.post(url + "/rebuild", {"source": {"type": "image", "fingerprint": image}})
    assert host.wait(answer)["status"] == "Success"
    assert host.get(url).metadata["config"]["image.os"] == "busybox"
    assert change_state(host, url, "start")["status"] == "Success"


def test_all_at_once(host, made, name):
    urls = [made(name + str(i)) for i in range(3)]
    assert host.put("/1.0/instances", {}).status == 400
    assert host.put("/1.0/instances", {"state": {"action": "bogus"}}).status == 400
    operation = host.wait(host.put("/1.0/instances", {"state": {"action": "start"}}))
    assert operation["status"] == "Success", operation
    assert [host.get(u).metadata["status"] for u in urls] == ["Running"] * 3
    operation = host.wait(host.put("/1.0/instances", {"state": {"action": "freeze"}}))
    assert operation["status"] == "Success", operation
    operation = host.wait(host.put("/1.0/instances", {"state": {"action": "unfreeze"}}))
    assert [host.get(u).metadata["status"] for u in urls] == ["Running"] * 3


def test_explained_placement_touches_nothing(host, image, name):
    before = host.get("/1.0/instances").metadata
    body = {"name": name, "source": {"type": "image", "fingerprint": image}, "devices": ROOT}
    answer = host.post("/1.0/cluster/placement-explain", body)
    assert answer.status == 200 and set(answer.metadata) == {"member", "reason", "rejected"}
    assert answer.metadata["member"] == "none" and answer.metadata["reason"]
    assert host.post("/1.0/cluster/placement-explain", body | {"config": {"bogus": "1"}}).status == 400
    assert host.get("/1.0/instances").metadata == before


def test_parts_of_the_state_in_lists(host):
    def state(recursion):
        answer = host.get("/1.0/instances", recursion=recursion)
        assert answer.status == 200
        return next(i for i in answer.metadata if i["name"] == "c1")["state"]

    full = state("2")
    assert full["disk"] is not None and "lo" in full["network"] and full["processes"] > 0
    assert state("2;fields=state.disk")["network"] is None
    assert state("2;fields=state.network")["disk"] is None
    part = state("2;fields=")
    assert part["disk"] is None and part["network"] is None and part["processes"] > 0
    assert host.get("/1.0/instances", recursion="2;fields=bogus").status == 400
    assert host.get("/1.0/instances", recursion="2;bogus").status == 400


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_instances_run_on_without_the_daemon(container, host, how):
    pid = host.get(container.url + "/state").metadata["pid"]
    container.member.kill(how)
    container.member.start()
    assert host.get(container.url).metadata["status"] == "Running"
    assert host.get(container.url + "/state").metadata["pid"] == pid
    assert container.output("true")[0] == 0


def test_what_is_to_run_is_started_with_the_daemon(container, host, made, name):
    url = made(name, config={"boot.autostart": "true"})
    other = made(name + "b")
    events = host.websocket("/1.0/events", type="lifecycle")
    events.close()
    container.member.stop()
    container.member.start()
    listener = host.websocket("/1.0/events", type="lifecycle")
    if host.get(url).metadata["status"] != "Running":
        listener.sock.settimeout(20)
        listener.event(action="instance-started")
    listener.close()
    assert host.get(url).metadata["status"] == "Running"
    assert host.get(other).metadata["status"] == "Stopped"


def test_a_creation_that_was_cut_off_leaves_nothing(container, host, image, name):
    body = {"name": name, "source": {"type": "image", "fingerprint": image}, "devices": ROOT}
    answer = host.post("/1.0/instances", body)
    container.member.kill(signal.SIGKILL)
    container.member.start()
    url = "/1.0/instances/" + name
    if host.get(url).status == 200:
        # It was quicker than the signal: then it is whole.
        assert change_state(host, url, "start")["status"] == "Success"
        host.wait(host.delete(url, force=1))
    else:
        assert answer.status == 202
        assert not os.path.exists(container.member.dir / "containers" / name)
    assert host.wait(host.post("/1.0/instances", body))["status"] == "Success"
    host.wait(host.delete(url))


@pytest.mark.parametrize("own, asked, magic", [
    ("none", None, None), ("bzip2", None, b"BZh"), ("bzip2", "gzip", b"\x1f\x8b")])
def test_published_images_are_compressed_as_the_project_says(host, made, name, own, asked, magic):
    made(name)
    host.patch("/1.0/projects/default", {"config": {"images.compression_algorithm": own}})
    body = {"source": {"type": "instance", "name": name}}
    if asked:
        body["compression_algorithm"] = asked
    operation = host.wait(host.post("/1.0/images", body))
    host.patch("/1.0/projects/default", {"config": {"images.compression_algorithm": ""}})
    assert operation["status"] == "Success", operation
    url = "/1.0/images/" + operation["metadata"]["fingerprint"]
    data = host.get(url + "/export").raw
    host.wait(host.delete(url))
    assert data[257:262] == b"ustar" if magic is None else data.startswith(magic)


def test_an_image_says_when_it_was_used_last(container):
    host = container.client
    fingerprint = host.get(container.url).metadata["config"]["volatile.base_image"]
    row = host.get("/1.0/images/" + fingerprint).metadata
    assert not row["last_used_at"].startswith("0001") and row["last_used_at"] >= row["uploaded_at"][:19]
