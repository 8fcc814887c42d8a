"""Wrong JSON types for every field of every write route: 4xx, one sentence, nothing changed.

The bodies are right ones; each value in them, at every depth, is replaced by one of each other type.
"""
import copy
import json

import pytest

from threats_world import NIC, differences, refused, world  # noqa: F401  (fixture)

CONFIG = {"user.a": "b"}
ROOT = {"type": "disk", "path": "/", "pool": "pool"}
VOLUMES = "/1.0/storage-pools/pool/volumes/custom"
INSTANCE = {"architecture": "x86_64", "config": CONFIG, "description": "d", "ephemeral": False,
            "profiles": ["p1"], "devices": {"root": ROOT, "eth0": NIC}}
IMAGE = {"auto_update": False, "public": False, "properties": {"os": "x"}, "profiles": ["default"],
         "expires_at": "2030-01-01T00:00:00Z"}
METADATA = {"architecture": "x86_64", "creation_date": 1, "expiry_date": 2, "properties": {"os": "x"},
            "templates": {"/etc/x": {"when": ["create"], "create_only": False, "template": "t.tpl",
                                     "properties": {"a": "b"}}}}

# Methods, path, a right body.
BODIES = [
    ("PUT PATCH", "/1.0", {"config": CONFIG}),
    ("POST", "/1.0/certificates", {"type": "client", "name": "n", "token": True, "restricted": True,
                                   "projects": ["other"]}),
    ("PUT", "/1.0/cluster", {"enabled": True, "server_name": "m1", "server_address": "127.0.0.1:1",
                             "cluster_address": "127.0.0.1:2", "cluster_certificate": "x",
                             "cluster_token": "x",
                             "member_config": [{"entity": "storage-pool", "name": "pool",
                                                "key": "source", "value": ""}]}),
    ("PUT", "/1.0/cluster/certificate", {"cluster_certificate": "x", "cluster_certificate_key": "x"}),
    ("POST", "/1.0/cluster/members", {"server_name": "m9"}),
    ("PUT PATCH", "/1.0/cluster/members/m1", {"config": CONFIG, "roles": ["database"],
                                              "failure_domain": "f", "description": "d",
                                              "groups": ["default"]}),
    ("POST", "/1.0/cluster/members/m1", {"server_name": "m8"}),
    ("POST", "/1.0/cluster/members/m1/state", {"action": "evacuate", "mode": "stop"}),
    ("POST", "/1.0/cluster/groups", {"name": "g2", "description": "d", "members": ["m1"]}),
    ("PUT PATCH", "/1.0/cluster/groups/g1", {"description": "d", "members": ["m1"]}),
    ("POST", "/1.0/cluster/groups/g1", {"name": "g3"}),
    ("POST", "/1.0/images/aliases", {"name": "a2", "description": "d", "target": "x"}),
    ("PUT PATCH", "/1.0/images/aliases/a1", {"description": "d", "target": "x"}),
    ("POST", "/1.0/images/aliases/a1", {"name": "a3"}),
    ("PUT PATCH", "/1.0/images/{image}", IMAGE),
    ("POST", "/1.0/images", dict(IMAGE, source={"type": "instance", "name": "c1"}, filename="f",
                                 compression_algorithm="none",
                                 aliases=[{"name": "a9", "description": "d"}])),
    ("POST", "/1.0/images", dict(IMAGE, source={
        "type": "image", "mode": "pull", "server": "https://127.0.0.1:1", "protocol": "lxd", "alias": "x",
        "certificate": "", "secret": "", "project": ""}, aliases=[{"name": "a9", "description": "d"}])),
    ("POST", "/1.0/images", {"source": {"type": "url", "url": "https://127.0.0.1:1/x"}}),
    ("POST", "/1.0/images", dict(IMAGE, source={"type": "image", "mode": "push", "fingerprint": "a" * 64})),
    ("POST", "/1.0/images/{image}/export", {
        "target": "https://127.0.0.1:1", "certificate": "", "secret": "", "project": "",
        "aliases": [{"name": "a9", "description": "d"}]}),
    ("POST", "/1.0/instances", dict(INSTANCE, name="c9", type="container", start=False,
                                    stateful=False, instance_type="c1-m1",
                                    source={"type": "image", "fingerprint": "x" * 64, "alias": "a1",
                                            "properties": {"os": "x"}, "server": "", "protocol": "",
                                            "secret": "", "certificate": ""})),
    ("POST", "/1.0/instances", {"name": "c9", "source": {
        "type": "copy", "source": "c1", "project": "default", "instance_only": True,
        "container_only": False, "refresh": False, "live": False, "allow_inconsistent": False}}),
    ("PUT PATCH", "/1.0/instances/c1", INSTANCE),
    ("PUT", "/1.0/instances/c1", {"restore": "s1"}),
    ("POST", "/1.0/instances/c1", {"name": "c8", "migration": False, "live": False, "pool": "pool",
                                   "project": "default", "instance_only": True, "config": CONFIG,
                                   "devices": {"root": ROOT}, "profiles": ["p1"]}),
    ("POST", "/1.0/instances/c1/rebuild", {"source": {"type": "image", "alias": "a1"}}),
    ("PUT", "/1.0/instances/c1/state", {"action": "start", "timeout": 1, "force": True,
                                        "stateful": False}),
    ("POST", "/1.0/instances/c1/exec", {"command": ["true"], "environment": {"A": "b"},
                                        "interactive": False, "wait-for-websocket": False,
                                        "record-output": False, "width": 80, "height": 25, "user": 1,
                                        "group": 1, "cwd": "/"}),
    ("POST", "/1.0/instances/c1/console", {"type": "console", "width": 80, "height": 25,
                                           "force": False}),
    ("POST", "/1.0/instances/c1/snapshots", {"name": "s9", "stateful": False,
                                             "expires_at": "2030-01-01T00:00:00Z"}),
    ("PUT PATCH", "/1.0/instances/c1/snapshots/s1", {"expires_at": "2030-01-01T00:00:00Z"}),
    ("POST", "/1.0/instances/c1/snapshots/s1", {"name": "s8", "migration": False, "live": False}),
    ("PUT PATCH", "/1.0/instances/c1/metadata", METADATA),
    ("POST", "/1.0/placement-groups", {"name": "pg2", "description": "d", "config": {
        "policy": "spread", "rigor": "strict"}}),
    ("PUT PATCH", "/1.0/placement-groups/pg1", {"description": "d", "config": {
        "policy": "spread", "rigor": "strict"}}),
    ("POST", "/1.0/placement-groups/pg1", {"name": "pg3"}),
    ("POST", "/1.0/profiles", {"name": "p2", "description": "d", "config": CONFIG,
                               "devices": {"root": ROOT}}),
    ("PUT PATCH", "/1.0/profiles/p1", {"description": "d", "config": CONFIG, "devices": {"root": ROOT}}),
    ("POST", "/1.0/profiles/p1", {"name": "p3"}),
    ("POST", "/1.0/projects", {"name": "q2", "description": "d", "config": CONFIG}),
    ("PUT PATCH", "/1.0/projects/other", {"description": "d", "config": CONFIG}),
    ("POST", "/1.0/projects/other", {"name": "q3"}),
    ("POST", "/1.0/storage-pools", {"name": "pool2", "driver": "dir", "description": "d",
                                    "config": CONFIG}),
    ("PUT PATCH", "/1.0/storage-pools/pool", {"description": "d", "config": CONFIG}),
    ("POST", VOLUMES, {"name": "v2", "description": "d", "config": CONFIG, "type": "custom",
                       "content_type": "filesystem", "source": {
                           "type": "copy", "name": "v1", "pool": "pool", "project": "default",
                           "volume_only": True, "refresh": False}}),
    ("PUT PATCH", VOLUMES + "/v1", {"description": "d", "config": CONFIG, "restore": "s1"}),
    ("POST", VOLUMES + "/v1", {"name": "v3", "pool": "pool", "project": "default",
                               "migration": False, "volume_only": True}),
    ("POST", VOLUMES + "/v1/snapshots", {"name": "s9", "description": "d",
                                         "expires_at": "2030-01-01T00:00:00Z"}),
    ("PUT PATCH", VOLUMES + "/v1/snapshots/s1", {"description": "d",
                                                 "expires_at": "2030-01-01T00:00:00Z"}),
    ("POST", VOLUMES + "/v1/snapshots/s1", {"name": "s8"}),
]
CASES = [(method, path, body) for methods, path, body in BODIES for method in methods.split()]

WRONG = [5, -1, 1.5, 1 << 70, True, "a", [], [5], {}, {"a": 5}, {"a": "b"}, [["a"]]]
# What a value of the type may be instead: numbers for numbers, "a" for a text, and so on.
SAME = {bool: (True,), int: (5, -1), str: ("a",), list: ([],), dict: ({}, {"a": "b"})}


def places(value, path=()):
    """Every place in a body: (path, type there)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path + (key,), inner
            yield from places(inner, path + (key,))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield path + (i,), inner
            yield from places(inner, path + (i,))


def replaced(body, path, value):
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return body


def is_config(path):
    """Values of config maps may be numbers and booleans for LXD's clients: they are printed."""
    return len(path) > 1 and (path[-2] in ("config", "properties", "environment") or
                              len(path) > 2 and path[-3] == "devices")


def wrong_bodies(body):
    """(place, value, body) for each wrong type at each place."""
    for path, right in places(body):
        for value in WRONG:
            if any(type(value) is type(s) and value == s for s in SAME[type(right)]):
                continue
            if is_config(path) and isinstance(value, (bool, int, float)):
                continue
            if path[-1] in ("config", "properties") and value == {"a": 5}:
                continue
            if isinstance(right, dict) and isinstance(value, dict) and path[-1] not in (
                    "config", "properties", "environment"):
                continue
            yield path, value, replaced(body, path, value)


@pytest.mark.parametrize("method,path,body", CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_wrong_types_are_refused_and_change_nothing(world, method, path, body):  # noqa: F811
    path = path.replace("{image}", world.image)
    before = world.picture()
    bad = []
    head = {"Content-Type": "application/json"}
    wrong = [(".".join(map(str, where)), value, json.dumps(whole))
             for where, value, whole in wrong_bodies(body)]
    wrong += [("body", value, value) for value in ("[]", '"a"', "5", "true", "null", "{", "")]
    for where, value, text in wrong:
        answer = world.client.request(method, path, text, head)
        if not refused(answer):
            bad.append((where, value, answer.status, answer.error))
            if answer.status == 202 and answer.metadata["class"] == "token":
                world.client.delete(answer.json["operation"])
            elif answer.status == 202:
                world.client.wait(answer)
    assert not bad, "\n".join(map(str, bad))
    after = world.picture()
    assert before == after, differences(before, after)
