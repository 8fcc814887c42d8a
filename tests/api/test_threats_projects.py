"""What restricted projects forbid, by whichever entry it comes, and where disks of the host may be."""
import os

import pytest

from conftest import Client
from threats_world import refused, world  # noqa: F401  (fixture)

ROOT = {"root": {"type": "disk", "path": "/", "pool": "pool"}}
HOST_DISK = {"type": "disk", "source": "/srv/shared/x", "path": "/x"}
# The rule; what it forbids; the value with which it allows that.
FORBIDDEN = [
    ("restricted.containers.privilege", {"config": {"security.privileged": "true"}}, "allow"),
    ("restricted.containers.nesting", {"config": {"security.nesting": "true"}}, "allow"),
    ("restricted.containers.lowlevel", {"config": {"raw.lxc": "lxc.environment = A=b"}}, "allow"),
    ("restricted.containers.lowlevel", {"config": {"linux.kernel_modules": "loop"}}, "allow"),
    ("restricted.containers.lowlevel", {"config": {"boot.host_shutdown_timeout": "5"}}, "allow"),
    ("restricted.containers.lowlevel", {"config": {"security.idmap.size": "100000"}}, "allow"),
    ("restricted.containers.lowlevel", {"config": {"security.idmap.base": "0"}}, "allow"),
    ("restricted.containers.lowlevel", {"config": {"security.idmap.base": "1500000"}}, "allow"),
    ("restricted.containers.interception", {"config": {"security.syscalls.intercept.mknod": "true"}}, "allow"),
    ("restricted.idmap.uid", {"config": {"raw.idmap": "uid 1000 0"}}, "1000"),
    ("restricted.idmap.gid", {"config": {"raw.idmap": "gid 1000 0"}}, "900-1000"),
    ("restricted.devices.disk", {"devices": {"d": HOST_DISK}}, "allow"),
    ("restricted.devices.nic", {"devices": {"e": {"type": "nic", "nictype": "p2p"}}}, "allow"),
]
IDS = ["%s %s" % (rule, list(list(what.values())[0])[0]) for rule, what, _ in FORBIDDEN]


@pytest.fixture
def project(world, name):  # noqa: F811
    """A restricted project with the profile "mine" and the instance "mine"."""
    c = world.client
    assert c.post("/1.0/projects", {"name": name, "config": {
        "restricted": "true", "features.images": "false", "restricted.idmap.uid": ""}}).status == 201
    assert c.post("/1.0/profiles", {"name": "mine", "devices": ROOT}, project=name).status == 201
    world.wait(c.post("/1.0/instances", {"name": "mine", "profiles": ["mine"], "source": {"type": "none"}}, project=name))
    yield name
    assert c.patch("/1.0/projects/" + name, {"config": {"restricted": "false"}}).status == 200
    for url in c.get("/1.0/instances", project=name).metadata:
        world.wait(c.delete(url))
    for url in c.get("/1.0/profiles", project=name).metadata:
        if not url.partition("?")[0].endswith("/default"):
            assert c.delete(url).status == 200
    assert c.delete("/1.0/projects/" + name).status == 200


def entries(w, project, what):
    """Every way by which config and devices come into a project: (name, answer)."""
    c, q = w.client, {"project": project}
    devices = dict(ROOT, **what.get("devices", {}))
    whole = dict(what, devices=devices)
    yield "create profile", c.post("/1.0/profiles", dict(what, name="p"), **q)
    yield "change profile", c.patch("/1.0/profiles/mine", what, **q)
    yield "replace profile", c.put("/1.0/profiles/mine", whole, **q)
    yield "create instance", c.post("/1.0/instances", dict(whole, name="i", source={"type": "none"}), **q)
    yield "create by image", c.post("/1.0/instances", dict(whole, name="i2", source={
        "type": "image", "fingerprint": w.image}), **q)
    yield "change instance", c.patch("/1.0/instances/mine", what, **q)
    yield "replace instance", c.put("/1.0/instances/mine", dict(whole, architecture="x86_64"), **q)
    yield "copy with it", c.post("/1.0/instances", dict(what, name="i3", source={
        "type": "copy", "source": "mine"}), **q)


def picture(w, project):
    """The project's own, without names that a test of what is allowed makes."""
    return {path: w.client.get(path, project=project, recursion=1).metadata
            for path in ("/1.0/profiles", "/1.0/instances")}


@pytest.mark.parametrize("rule,what,_", FORBIDDEN, ids=IDS)
def test_what_is_forbidden_comes_in_nowhere(world, project, rule, what, _):  # noqa: F811
    before = picture(world, project)
    for entry, answer in entries(world, project, what):
        assert refused(answer) and answer.status == 403, (entry, answer.raw)
        assert rule in answer.error or "isolated" in answer.error, (entry, answer.error)
    assert picture(world, project) == before


def is_done(w, answer):
    return answer.status == 200 or answer.status == 202 and w.client.wait(answer)["status"] == "Success"


@pytest.mark.parametrize("rule,what,allow", FORBIDDEN, ids=IDS)
def test_what_is_allowed_comes_in(world, project, rule, what, allow):  # noqa: F811
    assert world.client.patch("/1.0/projects/" + project, {"config": {rule: allow}}).status == 200
    answer = world.client.patch("/1.0/profiles/mine", what, project=project)
    assert is_done(world, answer), answer.raw
    # It may not be forbidden again while something has it.
    answer = world.client.patch("/1.0/projects/" + project, {"config": {rule: ""}})
    assert refused(answer), answer.raw


@pytest.mark.parametrize("rule,what,_", FORBIDDEN, ids=IDS)
def test_what_is_forbidden_is_not_brought_from_elsewhere(world, project, rule, what, _):  # noqa: F811
    """By copy or move of an instance that another project allows to have it."""
    c = world.client
    world.wait(c.post("/1.0/instances", dict(what, name="from", devices=dict(ROOT, **what.get("devices", {})),
                                             source={"type": "none"})))
    try:
        for answer in (
                c.post("/1.0/instances", {"name": "to", "source": {
                    "type": "copy", "source": "from", "project": "default"}}, project=project),
                c.post("/1.0/instances/from", {"name": "from", "migration": True, "project": project})):
            if answer.status == 202:
                assert world.client.wait(answer)["status"] == "Failure"
            else:
                assert refused(answer), answer.raw
        assert c.get("/1.0/instances/to", project=project).status == 404
        assert c.get("/1.0/instances/from").status == 200
    finally:
        world.wait(c.delete("/1.0/instances/from"))


@pytest.mark.parametrize("raw,uids,gids,is_good", [
    ("uid 1000 0", "1000", "", True), ("uid 1000-1004 0-4", "1000-1004", "", True),
    ("uid 1000-1005 0-5", "1000-1004", "", False), ("uid 999-1001 0-2", "1000-1004", "", False),
    ("uid 0 0", "1000", "0", False), ("both 1000 0", "1000", "", False), ("both 1000 0", "1000", "1000", True),
    ("uid 1000 0\nuid 0 1", "1000", "", False), ("gid 5 5", "5", "", False), ("gid 5 5", "", "1,5,9-10", True),
    ("uid 9 5", "1, 5 ,9-10", "", True), ("uid 1000-2000 0-1000", "1000-1500,1501-2000", "", False),
])
def test_ids_of_the_host(world, project, raw, uids, gids, is_good):  # noqa: F811
    assert world.client.patch("/1.0/projects/" + project, {"config": {
        "restricted.idmap.uid": uids, "restricted.idmap.gid": gids}}).status == 200
    answer = world.client.patch("/1.0/profiles/mine", {"config": {"raw.idmap": raw}}, project=project)
    assert is_done(world, answer) if is_good else answer.status == 403 and refused(answer), answer.raw


@pytest.mark.parametrize("ranges", ["x", "5-1", "1,x", "-1", "1-", "99999999999", "0-4294967295"])
def test_ranges_that_are_none(world, project, ranges):  # noqa: F811
    for key in ("restricted.idmap.uid", "restricted.idmap.gid"):
        assert refused(world.client.patch("/1.0/projects/" + project, {"config": {key: ranges}})), key


@pytest.mark.parametrize("source,is_good", [
    ("/srv/shared", True), ("/srv/shared/", True), ("/srv/shared/x/y", True), ("/srv//shared/x", True),
    ("/srv/shared2", False), ("/srv", False), ("/", False), ("/srv/shared/../x", False), ("/etc", False),
    ("/srv/./shared/../../etc", False), ("/var/data/x", True), ("/proc/self/root/srv/shared", False),
])
def test_paths_of_the_host(world, project, source, is_good):  # noqa: F811
    assert world.client.patch("/1.0/projects/" + project, {"config": {
        "restricted.devices.disk": "allow", "restricted.devices.disk.paths": "/srv/shared, /var/data"}}).status == 200
    answer = world.client.patch("/1.0/profiles/mine", {
        "devices": {"d": {"type": "disk", "source": source, "path": "/x"}}}, project=project)
    assert is_done(world, answer) if is_good else refused(answer), answer.raw


def test_limits_are_not_set_below_what_is_there(world, project):  # noqa: F811
    c, path = world.client, "/1.0/projects/" + project
    assert refused(c.patch(path, {"config": {"limits.instances": "0"}}))
    assert refused(c.patch(path, {"config": {"limits.containers": "0"}}))
    assert c.patch(path, {"config": {"limits.instances": "1"}}).status == 200
    assert refused(c.post("/1.0/instances", {"name": "more", "profiles": ["mine"], "source": {"type": "none"}},
                          project=project))


def test_pools_have_limits_of_their_own(world, project):  # noqa: F811
    c, path = world.client, "/1.0/projects/" + project
    disk = {"root": dict(ROOT["root"], size="10MiB")}
    assert c.patch(path, {"config": {"limits.disk.pool.pool": "25MiB", "limits.disk.pool.other": "0"}}).status == 200
    for name, is_good in (("d1", True), ("d2", True), ("d3", False)):
        answer = c.post("/1.0/instances", {"name": name, "devices": disk, "source": {"type": "none"}}, project=project)
        assert is_done(world, answer) if is_good else refused(answer) and "limits.disk.pool.pool" in answer.error
    assert refused(c.patch(path, {"config": {"limits.disk.pool.pool": "19MiB"}}))
    assert c.patch(path, {"config": {"limits.disk.pool.pool": "20MiB"}}).status == 200


@pytest.fixture
def shared(container, tmp_path, name):
    """A folder of the host that a restricted project may use, and an instance "t" of it."""
    os.chmod(tmp_path, 0o755)
    for folder in ("allowed/sub", "secret"):
        os.makedirs(tmp_path / folder)
    (tmp_path / "secret/key").write_text("the host's")
    (tmp_path / "allowed/sub/file").write_text("shared")
    c = container.client
    assert c.post("/1.0/projects", {"name": name, "config": {
        "restricted": "true", "features.images": "false", "restricted.devices.disk": "allow",
        "restricted.devices.disk.paths": str(tmp_path / "allowed")}}).status == 201
    image = c.get("/1.0/images").metadata[0].rpartition("/")[2]
    assert c.wait(c.post("/1.0/instances", {
        "name": "t", "source": {"type": "image", "fingerprint": image},
        "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}}}, project=name))["status"] == "Success"
    tenant = Client(unix=c.unix)
    tenant.project, tenant.dir = name, tmp_path
    yield tenant
    c.wait(c.put("/1.0/instances/t/state", {"action": "stop", "force": True}, project=name))
    assert c.wait(c.delete("/1.0/instances/t", project=name))["status"] == "Success"
    assert c.delete("/1.0/projects/" + name).status == 200


def set_disk(tenant, source):
    answer = tenant.patch("/1.0/instances/t", {"devices": {
        "d": {"type": "disk", "source": str(source), "path": "/mnt/d"}}}, project=tenant.project)
    return answer.status < 300 and (answer.status == 200 or tenant.wait(answer)["status"] == "Success")


def power(tenant, action):
    return tenant.wait(tenant.put("/1.0/instances/t/state", {"action": action, "force": action == "stop"},
                                  project=tenant.project))


def seen(tenant, path):
    return tenant.get("/1.0/instances/t/files?path=" + path, project=tenant.project).raw


@pytest.mark.parametrize("is_running", [False, True], ids=["start", "hotplug"])
def test_links_in_an_allowed_folder_lead_nowhere(shared, is_running):
    """Whoever may write there could put a link in the way of what is mounted next."""
    t = shared
    if is_running:
        assert power(t, "start")["status"] == "Success"
    (t.dir / "allowed/link").symlink_to("../secret")
    (t.dir / "allowed/abs").symlink_to(t.dir / "secret")
    (t.dir / "allowed/root").symlink_to("/")
    for source in ("allowed/link", "allowed/abs", "allowed/link/key", "allowed/root" + str(t.dir / "secret")):
        was_set = set_disk(t, t.dir / source)
        if is_running:
            assert not was_set, source
            continue
        end = power(t, "start")
        assert end["status"] == "Failure" and "link" in end["err"], (source, end)
    assert set_disk(t, t.dir / "allowed/sub")
    if not is_running:
        assert power(t, "start")["status"] == "Success"
    assert seen(t, "/mnt/d/file") == b"shared"
    # What was a folder at the last start is a link at the next.
    assert power(t, "stop")["status"] == "Success"
    os.rename(t.dir / "allowed/sub", t.dir / "allowed/was")
    (t.dir / "allowed/sub").symlink_to("../secret")
    end = power(t, "start")
    assert end["status"] == "Failure" and "link" in end["err"], end
    os.unlink(t.dir / "allowed/sub")
    os.rename(t.dir / "allowed/was", t.dir / "allowed/sub")
    assert power(t, "start")["status"] == "Success"
    assert seen(t, "/mnt/d/file") == b"shared"
