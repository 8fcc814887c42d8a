"""One object of every kind on a daemon, and a picture of all that a client could have changed."""
import gzip
import json
import secrets

import pytest

from conftest import Daemon, free_address
from test_images import METADATA, add, tar

ENVELOPE = ["type", "status", "status_code", "operation", "error_code", "error", "metadata"]
NIC = {"type": "nic", "nictype": "p2p", "name": "eth0"}

LISTS = ["/1.0/certificates", "/1.0/cluster/members", "/1.0/cluster/groups", "/1.0/images",
         "/1.0/images/aliases", "/1.0/instances", "/1.0/placement-groups", "/1.0/profiles",
         "/1.0/projects", "/1.0/storage-pools", "/1.0/storage-pools/pool/volumes", "/1.0/warnings",
         "/1.0/instances/c1/snapshots", "/1.0/storage-pools/pool/volumes/custom/v1/snapshots"]
SINGLES = ["/1.0", "/1.0/cluster", "/1.0/instances/c1/metadata"]
MOVING = {"used_by", "last_used_at", "uploaded_at", "environment", "message", "last_seen_at"}


class World:
    """What the tests of a module share."""

    def __init__(self, daemon):
        self.daemon, self.client = daemon, daemon.client
        self.address = free_address()
        c = self.client
        self.wait(c.put("/1.0/cluster", {"enabled": True, "server_name": "m1",
                                         "server_address": self.address}))
        assert c.post("/1.0/storage-pools", {"name": "pool", "driver": "dir"}).status < 300
        assert c.post("/1.0/projects", {"name": "other"}).status == 201
        assert c.post("/1.0/cluster/groups", {"name": "g1"}).status == 201
        assert c.post("/1.0/placement-groups", {
            "name": "pg1", "config": {"policy": "spread", "rigor": "permissive"}}).status == 201
        self.root = {"type": "disk", "path": "/", "pool": "pool"}
        assert c.post("/1.0/profiles", {"name": "p1", "config": {"user.a": "1"},
                                        "devices": {"root": self.root}}).status == 201
        data = gzip.compress(tar([("metadata.yaml", METADATA), ("rootfs/etc/seed", "x"),
                                  ("rootfs/sub/file", "y"), ("templates/t.tpl", "z")]))
        self.image = add(c, data)
        assert c.post("/1.0/images/aliases", {"name": "a1", "target": self.image}).status == 201
        self.done(c.post("/1.0/storage-pools/pool/volumes/custom", {"name": "v1"}))
        self.done(c.post("/1.0/storage-pools/pool/volumes/custom/v1/snapshots", {"name": "s1"}))
        self.wait(c.post("/1.0/instances", {
            "name": "c1", "profiles": ["p1"], "source": {"type": "image", "fingerprint": self.image}}))
        self.wait(c.post("/1.0/instances/c1/snapshots", {"name": "s1"}))

    def wait(self, answer):
        op = self.client.wait(answer)
        assert op["status"] == "Success", op
        return op

    def done(self, answer):
        if answer.status == 202:
            self.wait(answer)
        else:
            assert answer.status < 300, answer.raw

    @property
    def rootfs(self):
        return self.daemon.directory + "/storage-pools/pool/containers/c1/rootfs"

    def picture(self):
        """All rows that a write could have changed, without what time changes."""
        seen = {}
        for path in LISTS:
            answer = self.client.get(path, recursion=1)
            assert answer.status == 200, (path, answer.raw)
            seen[path] = settle(answer.metadata)
        for path in SINGLES:
            seen[path] = settle(self.client.get(path).metadata)
        return seen


def settle(value):
    if isinstance(value, dict):
        return {k: settle(v) for k, v in value.items() if k not in MOVING}
    if isinstance(value, list):
        return sorted((settle(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def differences(before, after):
    return {k: (before[k], after[k]) for k in before if before[k] != after[k]}


def refused(answer):
    """Whether an answer is a 4xx with the envelope and one sentence."""
    return (400 <= answer.status < 500 and answer.json is not None and
            list(answer.json) == ENVELOPE and answer.json["type"] == "error" and
            answer.json["error_code"] == answer.status and
            answer.error.strip() != "" and "\n" not in answer.error)


@pytest.fixture(scope="module")
def world(scratch):
    daemon = Daemon("%s/w%s" % (scratch, secrets.token_hex(4))).start()
    try:
        yield World(daemon)
    finally:
        daemon.remove()
