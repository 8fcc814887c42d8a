"""What archives and guests may put in the way: links, devices, lies about lengths, paths out of the root."""
import bz2
import gzip
import io
import lzma
import os
import tarfile
import urllib.parse

import pytest

from test_images import METADATA, multipart, tar, unified, upload
from threats_world import refused, world  # noqa: F401  (fixture)

FILES = "/1.0/instances/c1/files?path="


def archive(*entries, metadata=METADATA):
    """A tarball of (name, type, linkname or data)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as t:
        first = [("metadata.yaml", tarfile.REGTYPE, metadata)] if metadata is not None else []
        for name, kind, text in first + list(entries):
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(text)
                t.addfile(info, io.BytesIO(text.encode()))
            else:
                info.linkname = text
                t.addfile(info)
    return data.getvalue()


REG, SYM, LNK, DIR = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
GOOD = archive(("rootfs/etc/x", REG, "x"))
# Uploads that are no image: the operation or the request fails, and nothing of them stays.
NO_IMAGES = {
    "empty": b"", "text": b"hello", "zeros": bytes(10240), "truncated tar": GOOD[:700],
    "truncated gzip": gzip.compress(GOOD)[:-20], "truncated xz": lzma.compress(GOOD)[:-20],
    "truncated bz2": bz2.compress(GOOD)[:-20], "gzip of nothing": gzip.compress(b""),
    "gzip head alone": b"\x1f\x8b\x08\x00", "zstd head alone": b"\x28\xb5\x2f\xfd",
    "squashfs head alone": b"hsqs" + bytes(200), "qcow2": b"QFI\xfb" + bytes(200),
    "garbage in gzip": gzip.compress(os.urandom(4096)), "no metadata": archive(("rootfs/x", REG, "x"), metadata=None),
    "metadata is a link": archive(("metadata.yaml", SYM, "/etc/passwd"), metadata=None),
    "metadata is a hard link": archive(("x", REG, METADATA), ("metadata.yaml", LNK, "x"), metadata=None),
    "metadata is a folder": archive(("metadata.yaml", DIR, ""), metadata=None),
    "metadata is a device": archive(("metadata.yaml", tarfile.CHRTYPE, ""), metadata=None),
    "metadata is a pipe": archive(("metadata.yaml", tarfile.FIFOTYPE, ""), metadata=None),
    "metadata twice": archive(("metadata.yaml", REG, METADATA)),
    "metadata is empty": archive(metadata=""), "metadata is no YAML": archive(metadata="{["),
    "metadata is a list": archive(metadata="- a\n"), "metadata is huge": archive(metadata="a: " + "x" * (20 << 20)),
    "metadata is deep": archive(metadata="a: " + "[" * 5000),
    "aliases that grow": archive(metadata="a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        "%s: &%s [%s]\n" % (c, c, ",".join(["*" + p] * 9)) for p, c in zip("abcdefgh", "bcdefghi"))),
    "no architecture": archive(metadata="creation_date: 1\n"),
    "architecture with a path": archive(metadata="architecture: ../x\ncreation_date: 1\n"),
    "no text": archive(metadata="architecture: \x01\n"),
    "template out of the root": archive(metadata=METADATA + "templates: {../x: {when: [create], template: a}}\n"),
    "template file out of its folder": archive(
        metadata=METADATA + "templates: {/x: {when: [create], template: ../metadata.yaml}}\n"),
    "unknown trigger": archive(metadata=METADATA + "templates: {/x: {when: [never], template: a}}\n"),
}


def left(w):
    return (sorted(os.listdir(w.daemon.directory + "/images")), w.client.get("/1.0/images").metadata,
            sorted(os.listdir(w.daemon.directory + "/storage-pools/pool/containers")))


@pytest.mark.parametrize("case", NO_IMAGES)
def test_what_is_no_image_leaves_nothing(world, case):  # noqa: F811
    before = left(world)
    answer = upload(world.client, NO_IMAGES[case])
    if not refused(answer):
        op = world.client.wait(answer)
        assert op["status"] == "Failure" and op["err"], op
    assert left(world) == before


# Trees that reach out of the root: what is unpacked of them, if at all, is inside.
ESCAPES = {
    "dots": [("rootfs/../../../../../../{out}/f", REG, "x")],
    "absolute": [("/{out}/f", REG, "x")],
    "link to a folder": [("rootfs/d", SYM, "/{out}"), ("rootfs/d/f", REG, "x")],
    "link by dots": [("rootfs/d", SYM, "../" * 20 + "{out}"), ("rootfs/d/f", REG, "x")],
    "rootfs is a link": [("rootfs", SYM, "/{out}"), ("rootfs/f", REG, "x")],
    "hard link": [("rootfs/f", LNK, "/{out}/kept"), ("rootfs/f", REG, "x")],
    "hard link by dots": [("rootfs/f", LNK, "rootfs/" + "../" * 20 + "{out}/kept"), ("rootfs/f", REG, "x")],
    "link to a file": [("rootfs/f", SYM, "/{out}/kept"), ("rootfs/f", REG, "x")],
    "templates is a link": [("templates", SYM, "/{out}"), ("templates/f", REG, "x")],
    "link and folder": [("rootfs/d", SYM, "/{out}"), ("rootfs/d", DIR, ""), ("rootfs/d/f", REG, "x")],
}


def create(w, data, name, look=lambda: None):
    """An instance of an image; what fails is fine. 'look' is called while it is there; whether it was."""
    answer = upload(w.client, data)
    if answer.status != 202:
        return False
    op = w.client.wait(answer)
    if op["status"] != "Success":
        return False
    fingerprint = op["metadata"]["fingerprint"]
    answer = w.client.post("/1.0/instances", {"name": name, "profiles": ["p1"], "source": {
        "type": "image", "fingerprint": fingerprint}})
    is_made = answer.status == 202 and w.client.wait(answer)["status"] == "Success"
    try:
        if is_made:
            look()
    finally:
        if is_made:
            w.wait(w.client.delete("/1.0/instances/" + name))
        w.wait(w.client.delete("/1.0/images/" + fingerprint))
    return is_made


@pytest.mark.parametrize("case", ESCAPES)
def test_nothing_is_unpacked_outside(world, case, tmp_path, name):  # noqa: F811
    os.chmod(tmp_path, 0o777)
    (tmp_path / "kept").write_text("kept")
    out = str(tmp_path).lstrip("/")
    data = archive(*[(n.replace("{out}", out), k, t.replace("{out}", out)) for n, k, t in ESCAPES[case]])
    before = left(world)
    create(world, data, name)
    assert os.listdir(tmp_path) == ["kept"] and (tmp_path / "kept").read_text() == "kept"
    assert os.stat(tmp_path / "kept").st_nlink == 1
    assert left(world) == before


def test_devices_of_an_archive_are_none_of_the_hosts(world, name):  # noqa: F811
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as t:
        info = tarfile.TarInfo("metadata.yaml")
        info.size = len(METADATA)
        t.addfile(info, io.BytesIO(METADATA.encode()))
        info = tarfile.TarInfo("rootfs/mem")
        info.type, info.devmajor, info.devminor, info.mode = tarfile.CHRTYPE, 1, 1, 0o666
        t.addfile(info)

    def look():
        """Nobody but root gets to it on the host, and the daemon reads it for nobody."""
        assert os.stat(world.daemon.directory + "/storage-pools/pool/containers/" + name).st_mode & 0o007 == 0
        url = "/1.0/instances/%s/files?path=/mem" % name
        assert refused(world.client.get(url))
        assert refused(world.client.request("POST", url, b"x", {"X-LXD-type": "file"}))

    assert create(world, data.getvalue(), name, look)


@pytest.mark.parametrize("parts", [
    [], [("metadata", b"x")], [("rootfs", b"x")], [("metadata", b"x"), ("metadata", b"y")],
    [("../x", b"x"), ("rootfs", b"y")],
    [("metadata", archive()), ("rootfs", archive(metadata=None)), ("rootfs", b"z")],
], ids=range(6))
def test_split_uploads_that_are_wrong(world, parts):  # noqa: F811
    before = left(world)
    body, kind = multipart(parts)
    for data in (body, body[:-8]):
        answer = upload(world.client, data, kind)
        if not refused(answer):
            assert world.client.wait(answer)["status"] == "Failure"
    assert left(world) == before


def test_bad_headers_of_uploads(world):  # noqa: F811
    before = left(world)
    data = unified("threat")
    for head in ({"X-LXD-fingerprint": "../x"}, {"X-LXD-fingerprint": "0" * 64},
                 {"X-LXD-public": "maybe"}, {"X-LXD-properties": "a=%zz"}):
        answer = upload(world.client, data, headers=head)
        if not refused(answer):
            op = world.client.wait(answer)
            assert op["status"] == "Failure", (head, op)
    answer = upload(world.client, data, headers={"X-LXD-filename": "../../../../tmp/evil\t.tar"})
    if not refused(answer):
        op = world.client.wait(answer)
        if op["status"] == "Success":
            world.wait(world.client.delete("/1.0/images/" + op["metadata"]["fingerprint"]))
    assert left(world) == before


@pytest.fixture
def trap(world, tmp_path):  # noqa: F811
    """Links in a stopped guest's root that lead to a folder of the host."""
    (tmp_path / "kept").write_text("kept")
    os.chmod(tmp_path, 0o777)
    links = {"dir": str(tmp_path), "file": str(tmp_path / "kept"), "new": str(tmp_path / "made"),
             "up": "../" * 30 + str(tmp_path).lstrip("/"), "loop": "loop", "root": "/", "proc": "/proc/1/root"}
    for link, to in links.items():
        os.symlink(to, world.rootfs + "/" + link)
    yield tmp_path
    for link in links:
        os.unlink(world.rootfs + "/" + link)
    assert os.listdir(tmp_path) == ["kept"] and (tmp_path / "kept").read_text() == "kept"


def test_links_of_a_guest_lead_nowhere_outside(world, trap):  # noqa: F811
    out = str(trap)
    paths = ["/dir/kept", "/dir/x", "/file", "/new", "/up/kept", "/up/x", "/loop", "/loop/x", "/root" + out + "/kept",
             "/proc" + out + "/kept", "/../" * 20 + out + "/kept", out + "/kept", "/sub/../../.." + out + "/kept",
             "/dir/../kept", "//dir//kept", "/sub/..%2f..", "\n", "/x\0y"]
    for path in paths:
        answer = world.client.get(FILES + urllib.parse.quote(path))
        assert answer.status < 500 and answer.raw != b"kept", (path, answer.raw)
        for kind in ("file", "directory", "symlink"):
            answer = world.client.request(
                "POST", FILES + urllib.parse.quote(path), b"overwritten",
                {"X-LXD-type": kind, "X-LXD-uid": "0", "X-LXD-mode": "0644"})
            assert answer.status < 500, (path, kind, answer.raw)
        answer = world.client.delete(FILES + urllib.parse.quote(path))
        assert answer.status < 500, (path, answer.raw)
        for link in ("dir", "file", "new", "up", "loop", "root", "proc"):
            if not os.path.lexists(world.rootfs + "/" + link):
                os.symlink(out, world.rootfs + "/" + link)
    assert (trap / "kept").read_text() == "kept"


def test_what_is_no_file_does_not_block(world):  # noqa: F811
    os.mkfifo(world.rootfs + "/pipe")
    os.mknod(world.rootfs + "/null", 0o666 | 0o020000, os.makedev(1, 3))
    try:
        for path in ("/pipe", "/null"):
            assert refused(world.client.get(FILES + urllib.parse.quote(path))) or world.client.get(FILES + urllib.parse.quote(path)).raw == b""
            answer = world.client.request("POST", FILES + path, b"x", {"X-LXD-type": "file"})
            assert answer.status < 500, answer.raw
    finally:
        for path in ("/pipe", "/null"):
            if os.path.lexists(world.rootfs + path):
                os.unlink(world.rootfs + path)


def test_bad_heads_of_pushed_files(world):  # noqa: F811
    for head in ({"X-LXD-uid": "x"}, {"X-LXD-uid": "-2"}, {"X-LXD-uid": "99999999999"}, {"X-LXD-gid": "1.5"},
                 {"X-LXD-mode": "999"}, {"X-LXD-mode": "rwx"}, {"X-LXD-mode": "0777777"}, {"X-LXD-type": "device"},
                 {"X-LXD-write": "maybe"}, {"X-LXD-modify-perm": "all"}):
        answer = world.client.request("POST", FILES + "/pushed", b"x", dict({"X-LXD-type": "file"}, **head))
        assert refused(answer), (head, answer.raw)
    assert not os.path.lexists(world.rootfs + "/pushed")


def test_metadata_of_an_instance_that_became_a_link(world, tmp_path):  # noqa: F811
    folder = os.path.dirname(world.rootfs)
    (tmp_path / "kept").write_text("kept")
    for name, to in (("metadata.yaml", tmp_path / "kept"), ("templates", tmp_path)):
        os.rename(folder + "/" + name, folder + "/saved")
        os.symlink(to, folder + "/" + name)
        try:
            for method, path, body in (
                    ("GET", "/1.0/instances/c1/metadata", None),
                    ("PUT", "/1.0/instances/c1/metadata", {"architecture": "x86_64", "creation_date": 1}),
                    ("GET", "/1.0/instances/c1/metadata/templates?path=kept", None),
                    ("POST", "/1.0/instances/c1/metadata/templates?path=kept", "x"),
                    ("POST", "/1.0/instances/c1/metadata/templates?path=new", "x"),
                    ("DELETE", "/1.0/instances/c1/metadata/templates?path=kept", None)):
                answer = world.client.request(method, path, body)
                assert answer.status < 500 and answer.raw != b"kept", (name, method, path, answer.raw)
        finally:
            if os.path.islink(folder + "/" + name) or os.path.isfile(folder + "/" + name):
                os.unlink(folder + "/" + name)
            os.rename(folder + "/saved", folder + "/" + name)
        assert os.listdir(tmp_path) == ["kept"] and (tmp_path / "kept").read_text() == "kept"


def test_a_bomb_is_counted(world, name):  # noqa: F811
    """What is small as an archive and huge when it is unpacked ends at a limit."""
    bomb = gzip.compress(tar([("metadata.yaml", METADATA + "properties2: \"" + " " * (64 << 20) + "\"\n")]), 9)
    before = left(world)
    answer = upload(world.client, bomb)
    if not refused(answer):
        assert world.client.wait(answer)["status"] == "Failure"
    assert left(world) == before
