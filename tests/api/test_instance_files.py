"""Files of a container, running and stopped: every kind, every header, and paths that lead out."""
import os
import re
import secrets
import stat
import urllib.parse

import pytest


@pytest.fixture(params=["running", "stopped"])
def ct(container, request):
    """The container in both states; it runs afterwards."""
    if request.param == "stopped":
        container.state("stop", force=True)
    yield container
    if request.param == "stopped":
        container.state("start")


@pytest.fixture
def folder(ct):
    path = "/root/" + secrets.token_hex(4)
    assert put(ct, path, b"", kind="directory").status == 200
    yield path
    assert ct.request("DELETE", "/files", path=path, force="true").status == 200


def put(ct, path, data, kind="file", **headers):
    head = {"X-LXD-" + k.replace("_", "-"): v for k, v in headers.items()}
    head["X-LXD-type"] = kind
    return ct.request("POST", "/files", data, head, path=path)


def get(ct, path):
    return ct.request("GET", "/files", path=path)


def headers(answer):
    return {k[6:]: v for k, v in answer.headers.items() if k.startswith("x-lxd-")}


def test_a_file(ct, folder):
    data = secrets.token_bytes(70000)
    path = folder + "/f"
    assert put(ct, path, data, uid="12", gid="34", mode="0640").status == 200
    answer = get(ct, path)
    assert answer.status == 200 and answer.raw == data
    head = headers(answer)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", head.pop("modified"))
    assert head == {"uid": "12", "gid": "34", "mode": "0640", "type": "file"}
    assert answer.headers["content-disposition"].startswith("inline;filename=")
    head = ct.request("HEAD", "/files", path=path)
    assert head.status == 200 and head.raw == b"" and headers(head)["mode"] == "0640"
    # A path that begins at no root begins at the root.
    assert get(ct, path[1:]).raw == data
    assert get(ct, folder + "/./x/../f").raw == data


def test_append_and_overwrite(ct, folder):
    path = folder + "/f"
    assert put(ct, path, b"one").status == 200
    assert put(ct, path, b"two", write="append").status == 200
    assert get(ct, path).raw == b"onetwo"
    assert put(ct, path, b"3").status == 200
    assert get(ct, path).raw == b"3"
    assert headers(get(ct, path))["mode"] == "0644"


def test_what_exists_keeps_its_owner(ct, folder):
    path = folder + "/f"
    put(ct, path, b"x", uid="5", mode="0600")
    put(ct, path, b"y", uid="6", mode="0777")
    assert headers(get(ct, path))["uid"] == "5"
    assert headers(get(ct, path))["mode"] == "0600"
    assert put(ct, path, b"y", uid="6", mode="0777", modify_perm="uid,mode").status == 200
    assert headers(get(ct, path))["uid"] == "6"
    assert headers(get(ct, path))["mode"] == "0777"
    put(ct, folder, b"", kind="directory", mode="0700")
    assert headers(get(ct, folder))["mode"] == "0755"


def test_a_directory(ct, folder):
    for i in range(300):
        put(ct, folder + "/name-%d" % i, b"")
    answer = get(ct, folder)
    assert sorted(answer.metadata) == sorted("name-%d" % i for i in range(300))
    assert headers(answer)["type"] == "directory"
    assert put(ct, folder + "/name-1", b"", kind="directory").status == 400
    assert put(ct, folder, b"data").status == 400
    assert put(ct, folder + "/none/f", b"data").status == 404
    assert ct.request("DELETE", "/files", path=folder).status == 400


def test_a_link(ct, folder):
    for target, resolved in (("f", folder + "/f"), ("../x", "/root/x"), ("/etc/passwd", "/etc/passwd"),
                             ("../../../../../../x", "/x")):
        assert put(ct, folder + "/l", target.encode(), kind="symlink").status == 200
        answer = get(ct, folder + "/l")
        assert headers(answer)["type"] == "symlink" and answer.raw.decode() == resolved
    for wrong in (b"", b"a\0b", b"x" * 5000):
        assert put(ct, folder + "/m", wrong, kind="symlink").status == 400


def test_delete(ct, folder):
    put(ct, folder + "/d", b"", kind="directory")
    put(ct, folder + "/d/f", b"x")
    put(ct, folder + "/l", b"d", kind="symlink")
    assert ct.request("DELETE", "/files", path=folder + "/l").status == 200
    assert get(ct, folder + "/d/f").status == 200
    assert ct.request("DELETE", "/files", path=folder + "/d").status == 400
    assert ct.request("DELETE", "/files", path=folder + "/d", force="1").status == 200
    answer = ct.request("DELETE", "/files", path=folder + "/d")
    assert answer.status == 404 and "does not exist" in answer.error
    assert ct.request("DELETE", "/files", path="/", force="1").status == 400


def test_links_of_the_guest_lead_nowhere_else(ct, folder):
    """A link to the host's files names the guest's; a fifo does not block."""
    outside = str(ct.member.bed.dir)
    marker = os.path.join(outside, "marker")
    with open(marker, "w", encoding="ascii") as f:
        f.write("host")
    for target in (outside, "/.." * 20 + outside, "/proc/1/root" + outside):
        put(ct, folder + "/out", target.encode(), kind="symlink")
        assert get(ct, folder + "/out/marker").status in (400, 403, 404)
        assert put(ct, folder + "/out/made", b"x").status in (400, 403, 404)
        assert ct.request("DELETE", "/files", path=folder + "/out/marker").status in (400, 403, 404)
    put(ct, folder + "/file", marker.encode(), kind="symlink")
    assert put(ct, folder + "/file", b"guest").status in (400, 403, 404)
    assert get(ct, "/.." * 30 + marker).status == 404
    with open(marker, encoding="ascii") as f:
        assert f.read() == "host"
    assert not os.path.exists(os.path.join(outside, "made"))


def test_special_files(container):
    assert container.output("sh", "-c", "mkfifo /root/fifo && ln -s /dev/null /root/null")[0] == 0
    for path in ("/root/fifo", "/dev/null"):
        assert get(container, path).status == 400, path
        assert put(container, path, b"x").status == 400, path
    assert container.request("DELETE", "/files", path="/root/fifo").status == 200
    assert get(container, "/proc/self/mem").status in (400, 403, 404, 500)


@pytest.mark.parametrize("head", [
    {"X-LXD-type": "socket"}, {"X-LXD-write": "insert"}, {"X-LXD-mode": "abc"}, {"X-LXD-mode": "99999"},
    {"X-LXD-uid": "-2"}, {"X-LXD-uid": "x"}, {"X-LXD-gid": "4294967295"}, {"X-LXD-gid": "1 "*3},
    {"X-LXD-modify-perm": "owner"},
])
def test_wrong_headers(container, head):
    answer = container.request("POST", "/files", b"x", head, path="/root/wrong")
    assert answer.status == 400, answer.raw
    assert get(container, "/root/wrong").status == 404


def test_wrong_paths(container):
    assert container.request("GET", "/files").status == 400
    assert container.request("POST", "/files", b"x").status == 400
    assert container.request("DELETE", "/files").status == 400
    for path in ("/root/a%00b", "%00", "/" + "x" * 300, "/x" * 3000):
        answer = container.request("GET", "/files?path=" + path)
        assert answer.status in (400, 404), path
    assert container.client.get("/1.0/instances/nope/files?path=/").status == 404
    name = urllib.parse.quote("/root/\u00e4 \n\"%'\\")
    assert container.request("POST", "/files?path=" + name, b"odd").status == 200
    answer = container.request("GET", "/files?path=" + name)
    assert answer.raw == b"odd" and "\n" not in answer.headers["content-disposition"]
    assert container.request("DELETE", "/files?path=" + name).status == 200


def test_a_large_file(container):
    data = secrets.token_bytes(1 << 20) * 40
    assert put(container, "/root/large", data).status == 200
    assert get(container, "/root/large").raw == data
    assert container.request("DELETE", "/files", path="/root/large").status == 200


def test_owners_on_disk(ct, folder):
    """What is pushed belongs to the guest's ids, as files of the image do."""
    put(ct, folder + "/f", b"x", uid="7", gid="8")
    put(ct, folder + "/g", b"x")
    assert headers(get(ct, folder + "/f"))["uid"] == "7"
    assert headers(get(ct, folder + "/g"))["uid"] == "0"
    rootfs = "/proc/%d/root%s/storage-pools/default/containers/c1/rootfs" % (ct.member.pid, ct.member.dir)
    root, mine = os.stat(rootfs + "/root"), os.stat(rootfs + folder + "/f")
    assert mine.st_uid - root.st_uid == 7 and mine.st_gid - root.st_gid == 8
    assert stat.S_IMODE(mine.st_mode) == 0o644


def test_events(container):
    ws = container.client.websocket("/1.0/events", type="lifecycle")
    put(container, "/root/e", b"x")
    get(container, "/root/e")
    container.request("DELETE", "/files", path="/root/e")
    for action in ("pushed", "retrieved", "deleted"):
        event = ws.event(action="instance-file-" + action)
        assert event["metadata"]["source"] == container.url
    ws.close()


def test_the_old_name_of_the_collection(container):
    put(container, "/root/old", b"x")
    answer = container.client.get("/1.0/containers/c1/files?path=/root/old")
    assert answer.raw == b"x"
    container.request("DELETE", "/files", path="/root/old")


def test_a_guest_that_swaps_folders_for_links(container, tmp_path):
    """While files are pushed, pulled, listed and deleted the way to them changes under way."""
    kept = tmp_path / "kept"
    kept.write_text("the host's")
    os.chmod(tmp_path, 0o777)
    out = str(tmp_path)
    # The same path inside, so that a link to it leads somewhere for the guest.
    script = ("mkdir -p /swap/real {0}; echo guest >{0}/kept; echo guest >/swap/real/kept; touch /swap/goes;"
              "while test -e /swap/goes; do"
              " ln -sfn /swap/real /swap/d; ln -sfn {0} /swap/d; ln -sfn ../../../../../..{0} /swap/d;"
              " ln -sfn /proc/1/root{0} /swap/d; rm -f /swap/d; mkdir /swap/d; echo guest >/swap/d/kept;"
              " rm -rf /swap/d; done").format(out)
    swapping = container.exec("sh", "-c", script)
    assert swapping.status == 202
    try:
        for _ in range(60):
            answer = get(container, "/swap/d/kept")
            assert answer.status < 500 and b"host" not in answer.raw, answer.raw
            answer = put(container, "/swap/d/pushed", b"pushed", uid="0", mode="0644")
            assert answer.status < 500, answer.raw
            assert put(container, "/swap/d/kept", b"guest").status < 500
            assert get(container, "/swap/d").status < 500
            assert container.request("DELETE", "/files", path="/swap/d/kept").status < 500
            assert put(container, "/swap/d/sub", b"", kind="directory").status < 500
            assert os.listdir(tmp_path) == ["kept"] and kept.read_text() == "the host's"
    finally:
        assert container.output("rm", "-f", "/swap/goes")[0] == 0
        assert container.client.wait(swapping)["status"] == "Success"
    assert os.listdir(tmp_path) == ["kept"] and kept.read_text() == "the host's"
