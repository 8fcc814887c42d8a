"""Two members on this host: bootstrap, join, forwarding, events, groups, leaving."""
import base64
import json

import pytest

from conftest import free_address


def wait_ok(client, answer):
    op = client.wait(answer)
    assert op["status"] == "Success", op["err"]


@pytest.fixture(scope="module")
def pair(scratch):
    import secrets
    from conftest import Daemon
    members = [Daemon("%s/c%s" % (scratch, secrets.token_hex(4))).start() for _ in range(2)]
    addresses = [free_address(), free_address()]
    first, second = (m.client for m in members)
    answer = first.put("/1.0/cluster", {"enabled": True, "server_name": "m1",
                                        "server_address": addresses[0]})
    wait_ok(first, answer)
    op = first.post("/1.0/cluster/members", {"server_name": "m2"}).metadata["metadata"]
    token = {"server_name": "m2", "fingerprint": op["fingerprint"], "addresses": op["addresses"],
             "secret": op["secret"], "expires_at": op["expiresAt"]}
    encoded = base64.b64encode(json.dumps(token).encode()).decode()
    answer = second.put("/1.0/cluster", {"enabled": True, "server_address": addresses[1],
                                         "cluster_token": encoded})
    wait_ok(second, answer)
    yield members
    for m in members:
        m.remove()


@pytest.fixture
def m1(pair):
    return pair[0].client


@pytest.fixture
def m2(pair):
    return pair[1].client


def test_both_know_both(m1, m2):
    for client in (m1, m2):
        members = client.get("/1.0/cluster/members", recursion=1).metadata
        assert [m["server_name"] for m in members] == ["m1", "m2"]
        assert all(m["status"] == "Online" for m in members), members
        assert sum("database-leader" in m["roles"] for m in members) == 1
    assert m1.get("/1.0").metadata["environment"]["server_name"] == "m1"
    assert m2.get("/1.0").metadata["environment"]["server_name"] == "m2"


def test_a_write_is_seen_on_the_other_member(m1, m2, name):
    assert m1.post("/1.0/profiles", {"name": name}).status == 201
    assert m2.get("/1.0/profiles/" + name).status == 200
    assert m2.patch("/1.0/profiles/" + name, {"config": {"user.a": "1"}}).status == 202
    assert m1.get("/1.0/profiles/" + name).metadata["config"] == {"user.a": "1"}
    assert m2.patch("/1.0", {"config": {"user.c": name}}).status == 200
    assert m1.get("/1.0").metadata["config"]["user.c"] == name


def test_requests_are_forwarded_to_their_target(m1):
    assert m1.get("/1.0", target="m2").metadata["environment"]["server_name"] == "m2"
    assert m1.get("/1.0/resources", target="m2").status == 200
    assert m1.get("/1.0", target="m9").status == 404
    state = m1.get("/1.0/cluster/members/m2/state").metadata
    assert state["sysinfo"]["total_ram"] > 0


def test_operations_are_reached_from_everywhere(m1, m2):
    url = m2.post("/internal/testing/operation-wait", {"duration": "1h"}).json["operation"]
    op = m1.get(url)
    assert op.status == 200 and op.metadata["location"] == "m2"
    assert url in m1.get("/1.0/operations").metadata["running"]
    assert m1.get(url + "/wait", timeout=0).metadata["status"] == "Running"
    assert m1.delete(url).status == 200
    assert m2.get(url + "/wait").metadata["status"] == "Cancelled"


def test_requestor_survives_the_way(m1, m2):
    ws = m2.websocket("/1.0/events", type="lifecycle")
    assert m1.patch("/1.0", {"config": {"user.way": "1"}}, target="m2").status == 200
    event = ws.event(action="config-updated")
    assert event["metadata"]["requestor"] == {"username": "root", "protocol": "unix",
                                              "address": "@"}
    ws.close()


def test_events_of_one_member_come_on_the_other(m1, m2, name):
    ws = m1.websocket("/1.0/events", type="lifecycle", all_projects="true")
    assert m2.post("/1.0/profiles", {"name": name}).status == 201
    event = ws.event(action="profile-created", name=name)
    assert event["location"] == "m2"
    ws.close()
    ws = m1.websocket("/1.0/events", type="lifecycle", target="m2")
    assert ws.status == 101
    assert m2.post("/1.0/profiles", {"name": name + "t"}).status == 201
    assert ws.event(action="profile-created")["metadata"]["name"] == name + "t"
    ws.close()


def test_trust_ends_on_all_members(m1, m2, certificate, pair):
    from conftest import Client
    address = m2.get("/1.0").metadata["config"]["core.https_address"]
    m1.post("/1.0/certificates", {"type": "client", "name": "c", "certificate": certificate.base64})
    me = Client(address=address, cert=certificate.cert, key=certificate.key)
    assert me.get("/1.0").metadata["auth"] == "trusted"
    m1.delete("/1.0/certificates/" + certificate.fingerprint)
    assert me.get("/1.0").metadata["auth"] == "untrusted"


def test_members_are_changed_with_care(m1):
    path = "/1.0/cluster/members/m2"
    member = m1.get(path)
    put = {k: member.metadata[k] for k in ("config", "description", "failure_domain", "groups", "roles")}
    for bad in ({"config": {"bogus": "1"}}, {"config": {"scheduler.instance": "maybe"}},
                {"groups": []}, {"roles": ["nonsense"]}, {"roles": ["database-leader"] * 2}):
        assert m1.put(path, dict(put, **bad)).status == 400, bad
    assert m1.put(path, dict(put, groups=["nope"])).status in (400, 404)
    answer = m1.put(path, dict(put, description="x"), {"If-Match": member.etag})
    assert answer.status == 200
    assert m1.get(path).metadata["description"] == "x"
    assert m1.put(path, put, {"If-Match": member.etag}).status == 412


def test_groups(m1, name):
    assert m1.post("/1.0/cluster/groups", {"name": name, "members": ["m1", "m2"]}).status == 201
    assert m1.get("/1.0/cluster/groups/" + name).metadata["members"] == ["m1", "m2"]
    assert name in m1.get("/1.0/cluster/members/m1").metadata["groups"]
    assert m1.delete("/1.0/cluster/groups/" + name).status == 400
    assert m1.put("/1.0/cluster/groups/" + name, {"members": []}).status == 200
    assert m1.delete("/1.0/cluster/groups/" + name).status == 200
    assert m1.delete("/1.0/cluster/groups/default").status == 403


def test_tokens_are_for_names_that_are_free(m1):
    for bad in ("", "none", "m1", "@x", "a b"):
        assert m1.post("/1.0/cluster/members", {"server_name": bad}).status in (400, 409), bad


def test_a_member_leaves(m1, m2, pair):
    assert m1.delete("/1.0/cluster/members/nope").status == 404
    assert m1.delete("/1.0/cluster/members/m2").status == 200
    assert [m.rsplit("/", 1)[1] for m in m1.get("/1.0/cluster/members").metadata] == ["m1"]
    assert m2.get("/1.0/cluster").metadata["enabled"] is False
