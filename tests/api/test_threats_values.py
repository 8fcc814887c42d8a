"""Names, keys, sizes, durations and texts that are wrong: one 4xx, nothing changed, no line break passed on.

Every kind of name is given every kind of bad name, at every entry that takes one.
"""
import json
import urllib.parse

import pytest

from threats_world import NIC, differences, refused, world  # noqa: F401  (fixture)

VOLUMES = "/1.0/storage-pools/pool/volumes/custom"
# No name of any kind: it would be a path, a line of its own, or endless.
NEVER = ["", ".", "..", "a/b", "../a", "/a", "a/..", "a\nb", "a\rb", "a\tb", "\x01", "\x7f", "\x1b[31m",
         "x" * 300]
# No name of what becomes a host name or an argument.
ODD = ["a b", " ", "%2e%2e", "a%2fb", "*", "a?", "a&b", "a#b", "a;b", "a\\b", "a'b", 'a"b', "$(x)", "-rf ",
       "a\u2028b", "\u202ea", "a|b", "a<b"]
STRICT = {"instance", "member", "placement group"}
ALIAS = {"a/b", "../a", "/a", "a/..", ".", ".."}  # Slashes are fine in it: it is never a path.


def bad_names(kind):
    return [n for n in NEVER if kind not in ("alias", "property") or n not in ALIAS] + (ODD if kind in STRICT else [])


# What takes a name: kind, method, path, body with the name as "@".
ENTRIES = [
    ("member", "POST", "/1.0/cluster/members", {"server_name": "@"}),
    ("member", "POST", "/1.0/cluster/members/m1", {"server_name": "@"}),
    ("group", "POST", "/1.0/cluster/groups", {"name": "@"}),
    ("group", "POST", "/1.0/cluster/groups/g1", {"name": "@"}),
    ("alias", "POST", "/1.0/images/aliases", {"name": "@", "target": "{image}"}),
    ("alias", "POST", "/1.0/images/aliases/a1", {"name": "@"}),
    ("alias", "POST", "/1.0/images", {"source": {"type": "instance", "name": "c1"}, "aliases": [{"name": "@"}]}),
    ("alias", "POST", "/1.0/images", {"source": {"type": "image", "server": "https://127.0.0.1:1", "alias": "x"},
                                      "aliases": [{"name": "@"}]}),
    ("alias", "POST", "/1.0/images", {"source": {"type": "image", "mode": "push", "fingerprint": "a" * 64},
                                      "aliases": [{"name": "@"}]}),
    ("alias", "POST", "/1.0/images/{image}/export", {"target": "https://127.0.0.1:1", "aliases": [{"name": "@"}]}),
    ("property", "PATCH", "/1.0/images/{image}", {"properties": {"@": "x"}}),
    ("property", "POST", "/1.0/images", {"source": {"type": "instance", "name": "c1"}, "properties": {"@": "x"}}),
    ("instance", "POST", "/1.0/instances", {"name": "@", "source": {"type": "none"}}),
    ("instance", "POST", "/1.0/instances", {"name": "@", "source": {"type": "copy", "source": "c1"}}),
    ("instance", "POST", "/1.0/instances/c1", {"name": "@"}),
    ("snapshot", "POST", "/1.0/instances/c1/snapshots", {"name": "@"}),
    ("snapshot", "POST", "/1.0/instances/c1/snapshots/s1", {"name": "@"}),
    ("placement group", "POST", "/1.0/placement-groups", {"name": "@", "config": {
        "policy": "spread", "rigor": "strict"}}),
    ("placement group", "POST", "/1.0/placement-groups/pg1", {"name": "@"}),
    ("profile", "POST", "/1.0/profiles", {"name": "@"}),
    ("profile", "POST", "/1.0/profiles/p1", {"name": "@"}),
    ("project", "POST", "/1.0/projects", {"name": "@"}),
    ("project", "POST", "/1.0/projects/other", {"name": "@"}),
    ("pool", "POST", "/1.0/storage-pools", {"name": "@", "driver": "dir"}),
    ("volume", "POST", VOLUMES, {"name": "@"}),
    ("volume", "POST", VOLUMES, {"name": "@", "source": {"type": "copy", "name": "v1", "pool": "pool"}}),
    ("volume", "POST", VOLUMES + "/v1", {"name": "@"}),
    ("snapshot", "POST", VOLUMES + "/v1/snapshots", {"name": "@"}),
    ("snapshot", "POST", VOLUMES + "/v1/snapshots/s1", {"name": "@"}),
    # What only names others: no such thing.
    ("project", "GET", "/1.0/instances?project=@", None),
    ("project", "POST", "/1.0/profiles?project=@", {"name": "p9"}),
    ("member", "POST", "/1.0/instances?target=@", {"name": "c9", "source": {"type": "none"}}),
    ("profile", "PATCH", "/1.0/instances/c1", {"profiles": ["@"]}),
    ("group", "PATCH", "/1.0/cluster/members/m1", {"groups": ["default", "@"]}),
    ("pool", "PATCH", "/1.0/profiles/p1", {"devices": {"root": {
        "type": "disk", "path": "/", "pool": "@"}}}),
    ("snapshot", "PUT", "/1.0/instances/c1", {"restore": "@"}),
]
# The generated default is given for an absent name, and an empty one restores nothing, is default.
EMPTY_IS_FINE = {("POST", "/1.0/instances"), ("POST", "/1.0/instances/c1/snapshots"),
                 ("POST", VOLUMES + "/v1/snapshots"), ("GET", "/1.0/instances?project=@"),
                 ("POST", "/1.0/profiles?project=@"), ("POST", "/1.0/instances?target=@"),
                 ("PUT", "/1.0/instances/c1"), ("PATCH", "/1.0/instances/c1")}


def filled(body, name, image):
    if isinstance(body, dict):
        return {name if k == "@" else k: filled(v, name, image) for k, v in body.items()}
    if isinstance(body, list):
        return [filled(v, name, image) for v in body]
    return name if body == "@" else image if body == "{image}" else body


@pytest.mark.parametrize("kind,method,path,body", ENTRIES, ids=lambda v: v if isinstance(v, str) else "")
def test_bad_names_are_refused(world, kind, method, path, body):  # noqa: F811
    before, bad = world.picture(), []
    for name in bad_names(kind):
        if not name and (method, path) in EMPTY_IS_FINE:
            continue
        url = path.replace("{image}", world.image).replace("@", urllib.parse.quote(name, safe=""))
        answer = world.client.request(method, url, filled(body, name, world.image))
        if not refused(answer):
            bad.append((name, answer.status, answer.raw[:150]))
            if answer.status == 202 and answer.metadata["class"] != "token":
                bad.append(world.client.wait(answer)["err"])
    assert not bad, "\n".join(map(str, bad))
    assert before == world.picture()


PATHS = ["/1.0/instances/@", "/1.0/instances/@/state", "/1.0/instances/c1/snapshots/@", "/1.0/profiles/@",
         "/1.0/instances/c1/logs/@", "/1.0/instances/c1/logs/exec-output/@", "/1.0/projects/@",
         "/1.0/projects/@/state", "/1.0/images/@", "/1.0/images/@/export", "/1.0/images/aliases/@",
         "/1.0/storage-pools/@", "/1.0/storage-pools/@/resources", "/1.0/storage-pools/@/volumes",
         "/1.0/storage-pools/pool/volumes/@", "/1.0/storage-pools/pool/volumes/custom/@",
         "/1.0/storage-pools/pool/volumes/custom/@/state", VOLUMES + "/v1/snapshots/@",
         "/1.0/cluster/members/@", "/1.0/cluster/groups/@", "/1.0/placement-groups/@", "/1.0/operations/@",
         "/1.0/cluster/members/@/state", "/1.0/cluster/plans/@", "/1.0/operations/@/wait",
         "/1.0/certificates/@", "/1.0/warnings/@", "/1.0/instances/c1/metadata/templates?path=@"]


@pytest.mark.parametrize("path", PATHS)
def test_paths_name_one_thing_or_nothing(world, path):  # noqa: F811
    """What is decoded is one name: it walks nowhere, matches nothing by wildcard."""
    odd = ["..", ".", "../..", "../../../server.key", "..\\", "%", "_", "*", "c%", "a\nb", "x" * 5000, "\u202e",
           "' OR 1=1 --", "/etc/passwd", "c1/../c1"]
    texts = [urllib.parse.quote(name, safe="") for name in odd] + ["%00", "c1%00", "%ff", "%c0%ae", "%2", "%zz"]
    for method in ("GET", "DELETE"):
        for text in texts:
            answer = world.client.request(method, path.replace("@", text))
            assert 400 <= answer.status < 500 or answer.status == 501, (method, text, answer.raw[:300])
            assert b"BEGIN" not in answer.raw and b"root:" not in answer.raw
    assert world.client.get("/1.0/instances/c1").status == 200


BREAK = "x\nlxc.rootfs.path = /etc"
CONFIGS = {  # Where: entries of config, each wrong for itself.
    ("PATCH", "/1.0"): [
        {"nope": "1"}, {"core.nope": "1"}, {"user": "1"}, {"user.": "1"}, {"core.https_address": "x:y"},
        {"core.https_address": "127.0.0.1:0x1"}, {"core.shutdown_timeout": "-1"}, {"core.shutdown_timeout": "1h"},
        {"core.shutdown_timeout": "9" * 40}, {"cluster.offline_threshold": "1"},
        {"cluster.offline_threshold": "x"}, {"cluster.max_voters": "2"}, {"cluster.max_standby": "99"},
        {"images.auto_update_interval": "x"}, {"core.remote_token_expiry": "1x"},
        {"core.remote_token_expiry": "-1H"}, {"images.compression_algorithm": "sh -c id"},
        {"images.compression_algorithm": "/bin/sh"}, {"images.compression_algorithm": "squashfs"},
        {"images.compression_algorithm": "gzip -1 -2"}, {"backups.compression_algorithm": "squashfs"}, {"backups.compression_algorithm": "gzip; id"},
        {"core.metrics_authentication": "maybe"}, {"volatile.uuid": "x"}],
    ("PATCH", "/1.0/projects/other"): [
        {"nope": "1"}, {"features.nope": "true"}, {"features.images": "maybe"}, {"limits.instances": "-1"},
        {"limits.memory": "lots"}, {"limits.memory": "-1GiB"}, {"limits.cpu": "1.5"}, {"restricted": "x"},
        {"limits.disk": "1XB"}, {"images.compression_algorithm": "squashfs"},
        {"backups.compression_algorithm": "sh -c id"}, {"restricted.devices.disk": "maybe"}],
    ("PATCH", "/1.0/profiles/p1"): "instance",
    ("PATCH", "/1.0/instances/c1"): "instance",
    ("PATCH", "/1.0/storage-pools/pool"): [{"nope": "1"}, {"size": "-1"}, {"size": "x"}, {"source": "/x"},
                                           {"rsync.bwlimit": "fast"}, {"rsync.compression": "maybe"},
                                           {"volatile.initial_source": "/x"}],
    ("PATCH", VOLUMES + "/v1"): [{"nope": "1"}, {"size": "-1"}, {"size": "x"}, {"size": "1" * 40},
                                 {"security.shifted": "maybe"},
                                 {"snapshots.expiry": "soon"}],
    ("PATCH", "/1.0/placement-groups/pg1"): [{"nope": "1"}, {"policy": "x"}, {"rigor": "x"}, {"policy": ""}],
    ("PATCH", "/1.0/cluster/members/m1"): [{"nope": "1"}, {"scheduler.instance": "x"}],
}
INSTANCE_CONFIG = [
    {"nope": "1"}, {"limits.nope": "1"}, {"limits.cpu": "x"}, {"limits.cpu": "0-"}, {"limits.cpu": "-1"},
    {"limits.cpu": "5-1"}, {"limits.memory": "x"}, {"limits.memory": "-5MiB"}, {"limits.memory": "1.5GiB"},
    {"limits.memory": "1" * 40}, {"limits.memory": "200%"}, {"limits.processes": "-1"},
    {"limits.processes": "x"}, {"limits.processes": "9" * 40}, {"boot.autostart": "x"},
    {"boot.autostart.priority": "x"}, {"boot.stop.priority": "1.5"}, {"boot.host_shutdown_timeout": "x"},
    {"security.privileged": "2x"}, {"security.nesting": "x"}, {"security.protection.delete": "x"},
    {"limits.cpu.allowance": "x"}, {"limits.cpu.allowance": "10ms/0ms"}, {"limits.cpu.priority": "11"},
    {"environment.A\nB": "1"}, {"environment.": "1"}, {"environment.A=B": "1"}, {"environment.A": BREAK},
    {"raw.lxc": "lxc.log.file = /x"},
    {"raw.lxc": "lxc.console.logfile=/x"}, {"raw.lxc": "nonsense"}, {"raw.lxc": "lxc.net.0.script.up = /x"},
    {"raw.lxc": "lxc.hook.start-host = \x01"}, {"raw.lxc": "\0"}, {"raw.idmap": "x"}, {"raw.idmap": "both 1"},
    {"security.idmap.size": "x"}, {"security.idmap.base": "-1"}, {"snapshots.expiry": "soon"},
    {"snapshots.pattern": "a\nb"}, {"linux.kernel_modules": "a\nb"}, {"linux.sysctl.a\nb": "1"},
    {"linux.sysctl.net.x": BREAK}, {"limits.kernel.nofile": BREAK}, {"limits.kernel.a\nb": "1"},
    {"cluster.evacuate": "x"}, {"user": "1"}, {"": "1"}, {"user.a\nb": "x"},
]
INSTANCE_DEVICES = [
    {"type": "nope"}, {}, {"type": ""}, {"type": "disk"}, {"type": "disk", "path": "/x"},
    {"type": "disk", "source": "/x", "path": "/x\n/y"}, {"type": "disk", "source": "/x\nlxc.x=1", "path": "/x"},
    {"type": "disk", "source": "relative", "path": "/x"}, {"type": "disk", "source": "/tmp", "path": "/../../x"},
    {"type": "disk", "source": "/tmp", "path": "/x", "readonly": "maybe"},
    {"type": "disk", "source": "/tmp", "path": "/x", "raw.mount.options": "a\nb"},
    {"type": "disk", "source": "/tmp", "path": "/x", "propagation": "x"},
    {"type": "disk", "source": "/tmp", "path": "/x", "nope": "1"},
    {"type": "disk", "pool": "none", "path": "/x", "source": "v1"},
    {"type": "disk", "path": "/x", "pool": "pool", "size": "x", "source": "v1"},
    *({"type": "disk", "path": "/x", "pool": "pool", "source": source} for source in (".", "..", "a/b", "../a", "a/", "/a")),
    {"type": "nic"}, {"type": "nic", "nictype": "x"}, {"type": "nic", "nictype": "bridged"},
    {"type": "nic", "nictype": "bridged", "parent": "a\nb"}, {"type": "nic", "nictype": "bridged", "parent": "../x"},
    dict(NIC, hwaddr="x"), dict(NIC, hwaddr="00:11:22:33:44:55\nlxc.x = 1"), dict(NIC, mtu="x"),
    dict(NIC, mtu="-1"), dict(NIC, name="a/b"), dict(NIC, name="a\nb"), dict(NIC, name="x" * 16),
    dict(NIC, name=".."), dict(NIC, host_name="a\nb"), dict(NIC, host_name="x" * 16), dict(NIC, nope="1"),
    dict(NIC, host_name="a b"), {"type": "none", "nope": "1"},
]


def config_cases():
    for (method, path), configs in CONFIGS.items():
        for config in INSTANCE_CONFIG if configs == "instance" else configs:
            yield method, path, {"config": config}
        if configs == "instance":
            for device in INSTANCE_DEVICES:
                yield method, path, {"devices": {"d": device}}
            for name in ("", "a\nb", "a/b", "..", "x" * 300, "a b"):
                yield method, path, {"devices": {name: {"type": "none"}}}
    for config in INSTANCE_CONFIG:
        yield "POST", "/1.0/instances", {"name": "c9", "profiles": ["p1"], "source": {"type": "none"},
                                          "config": config}
    for device in INSTANCE_DEVICES:
        yield "POST", "/1.0/profiles", {"name": "p9", "devices": {"d": device}}


def test_bad_config_and_devices_change_nothing(world):  # noqa: F811
    before, bad = world.picture(), []
    for method, path, body in config_cases():
        answer = world.client.request(method, path, body)
        if not refused(answer):
            bad.append((method, path, json.dumps(body)[:200], answer.status, answer.error))
            if answer.status == 202:
                bad.append(world.client.wait(answer)["err"])
    assert not bad, "\n".join(map(str, bad))
    after = world.picture()
    assert before == after, differences(before, after)


QUERIES = [("/1.0/instances", "recursion=-1"), ("/1.0/instances", "recursion=3x"),
           ("/1.0/instances", "recursion=99999999999999999999"), ("/1.0/instances", "filter=("),
           ("/1.0/instances", "filter=" + "(" * 5000), ("/1.0/instances", "filter=name+eq+%27a"),
           ("/1.0/instances", "all-projects=2x"),
           ("/1.0/profiles", "filter=name+like+x"), ("/1.0/operations", "recursion=x"),
           ("/1.0/instances", "project=%ff"), ("/1.0/instances", "project=a%00"),
           ("/1.0/images", "filter=%00"), ("/1.0/events", "type=nope"), ("/1.0/instances/c1/files", ""),
           ("/1.0/instances/c1/files", "path="), ("/1.0/warnings", "recursion=x"),
           ("/1.0/cluster/members", "filter=x+y+z"), ("/1.0/resources", "target=none"),
           ("/1.0", "target=none"), ("/1.0/operations/x/wait", "timeout=x")]


@pytest.mark.parametrize("path,query", QUERIES, ids=lambda v: v[:40])
def test_bad_queries_are_refused(world, path, query):  # noqa: F811
    answer = world.client.get(path + "?" + query)
    assert refused(answer), answer.raw[:300]


def test_methods_that_nothing_has(world):  # noqa: F811
    for method in ("BREW", "TRACE", "CONNECT", "PROPFIND", "get"):
        assert world.client.request(method, "/1.0/instances").status in (400, 404, 405, 501), method
    for method, path in (("POST", "/1.0"), ("DELETE", "/1.0"), ("PUT", "/1.0/instances/c1/exec"),
                         ("DELETE", "/1.0/instances"), ("PATCH", "/1.0/instances/c1/state")):
        answer = world.client.request(method, path, {})
        assert answer.status in (404, 405, 501) or refused(answer), (method, path, answer.raw)
