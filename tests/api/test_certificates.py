"""Trust over TLS: guests, tokens, restricted clients, and trust that ends."""
import base64
import json

import pytest

from conftest import Client
from test_images import unified


def token_of(answer, name):
    metadata = answer.metadata["metadata"]
    token = {"client_name": name, "fingerprint": metadata["fingerprint"],
             "addresses": metadata["addresses"], "secret": metadata["secret"],
             "expires_at": metadata["expiresAt"]}
    return base64.b64encode(json.dumps(token).encode()).decode()


def test_guests_see_what_is_public(https):
    guest = Client(address=https)
    server = guest.get("/1.0").metadata
    assert server["auth"] == "untrusted"
    assert server["config"] == {} and "environment" not in server
    for path in ("/1.0/profiles", "/1.0/projects", "/1.0/certificates", "/1.0/resources",
                 "/1.0/operations", "/1.0/events", "/1.0/cluster", "/1.0/metrics",
                 "/1.0/warnings", "/internal/database"):
        assert guest.get(path).status == 403, path
    assert guest.patch("/1.0", {"config": {}}).status == 403
    assert guest.post("/1.0/certificates", {"type": "client", "name": "x"}).status == 403


def test_token_is_used_once(client, https, certificate, name):
    me = Client(address=https, cert=certificate.cert, key=certificate.key)
    assert me.post("/1.0/certificates", {"type": "client", "trust_token": "bogus"}).status == 403
    answer = client.post("/1.0/certificates", {"type": "client", "name": name, "token": True})
    assert answer.status == 202
    assert answer.metadata["class"] == "token" and answer.metadata["status"] == "Running"
    token = token_of(answer, name)
    url = answer.json["operation"]
    assert url in client.get("/1.0/operations").metadata["running"]
    assert me.post("/1.0/certificates", {"type": "client", "name": name, "trust_token": token}).status == 201
    assert me.get("/1.0").metadata["auth"] == "trusted"
    assert client.get(url).status == 404
    other = Client(address=https)
    assert other.post("/1.0/certificates", {"type": "client", "trust_token": token,
                                            "certificate": certificate.base64}).status == 403
    assert client.delete("/1.0/certificates/" + certificate.fingerprint).status == 200
    assert me.get("/1.0").metadata["auth"] == "untrusted"


def test_tokens_as_clients_of_newer_servers_bring_them(client, https, certificate, name):
    me, path = Client(address=https, cert=certificate.cert, key=certificate.key), "/1.0/auth/identities/tls"
    for query, body in (("?public", {}), ("?public", {"trust_token": ""}), ("?public", {"trust_token": "bogus"}),
                        ("?public", {"token": True, "name": "x"}), ("", {"trust_token": "bogus"})):
        assert me.post(path + query, body).status == 403, (query, body)
    assert me.post(path + "?public", {"trust_token": 5}).status == 400
    token = token_of(client.post("/1.0/certificates", {"type": "client", "name": name, "token": True}), name)
    assert me.post(path, {"trust_token": token}).status == 403
    answer = me.post(path + "?public", {"trust_token": token})
    assert answer.status == 201 and answer.headers["location"] == path + "/" + certificate.fingerprint
    assert me.get("/1.0").metadata["auth"] == "trusted"
    assert client.post(path, {"name": "x", "token": True}).status == 501
    assert client.delete("/1.0/certificates/" + certificate.fingerprint).status == 200
    assert me.post(path + "?public", {"trust_token": token}).status == 403


def test_cancelled_token_is_void(client, https, certificate, name):
    answer = client.post("/1.0/certificates", {"type": "client", "name": name, "token": True})
    assert client.delete(answer.json["operation"]).status == 200
    me = Client(address=https, cert=certificate.cert, key=certificate.key)
    token = token_of(answer, name)
    assert me.post("/1.0/certificates", {"type": "client", "trust_token": token}).status == 403


@pytest.fixture
def restricted(client, https, certificate, name):
    """A client that may enter one project only."""
    client.post("/1.0/projects", {"name": name})
    answer = client.post("/1.0/certificates", {
        "type": "client", "name": name, "certificate": certificate.base64, "restricted": True,
        "projects": [name]})
    assert answer.status == 201
    yield Client(address=https, cert=certificate.cert, key=certificate.key)
    client.delete("/1.0/certificates/" + certificate.fingerprint)


def test_restricted_client_stays_in_its_project(client, restricted, certificate, name):
    assert restricted.get("/1.0/projects").metadata == ["/1.0/projects/" + name]
    assert restricted.get("/1.0/profiles", project=name).status == 200
    assert restricted.post("/1.0/profiles", {"name": "p"}, project=name).status == 201
    for path in ("/1.0/profiles", "/1.0/profiles/default", "/1.0/projects/default"):
        assert restricted.get(path).status in (403, 404), path
    assert restricted.get("/1.0/profiles", all_projects="true").metadata == [
        "/1.0/profiles/default?project=" + name, "/1.0/profiles/p?project=" + name]
    for method, path, body in (("PATCH", "/1.0", {"config": {}}),
                               ("POST", "/1.0/projects", {"name": name + "x"}),
                               ("PUT", "/1.0/projects/" + name, {"config": {}}),
                               ("DELETE", "/1.0/projects/" + name, None),
                               ("POST", "/1.0/certificates", {"type": "client", "name": "x", "token": True}),
                               ("GET", "/1.0/resources", None), ("GET", "/1.0/warnings", None),
                               ("PUT", "/1.0/cluster", {"enabled": True, "server_name": "x"})):
        assert restricted.request(method, path, body).status == 403, path
    assert restricted.get("/1.0/certificates").metadata == [
        "/1.0/certificates/" + certificate.fingerprint]
    assert restricted.patch("/1.0/certificates/" + certificate.fingerprint,
                            {"restricted": False, "projects": []}).status == 403
    assert restricted.get("/1.0").metadata["config"] == {}


def test_restricted_client_changes_no_profiles_of_other_projects(client, restricted, name):
    assert client.patch("/1.0/projects/" + name, {"config": {"features.profiles": "false"}}).status == 200
    assert client.post("/1.0/profiles", {"name": name}).status == 201
    path = "/1.0/profiles/" + name
    assert restricted.get(path, project=name).status == 200
    config = {"config": {"user.a": "1"}}
    assert restricted.put(path, config, project=name).status == 403
    assert restricted.patch(path, config, project=name).status == 403
    assert restricted.post(path, {"name": name + "x"}, project=name).status == 403
    assert restricted.delete(path, project=name).status == 403
    assert restricted.post("/1.0/profiles", {"name": name + "y"}, project=name).status == 403
    assert client.get(path).metadata["config"] == {}
    assert client.delete(path).status == 200


def test_restricted_client_changes_no_images_of_other_projects(client, restricted, name):
    meta = unified(name)
    fingerprint = client.wait(client.post("/1.0/images", meta))["metadata"]["fingerprint"]
    assert client.post("/1.0/images/aliases", {"name": name, "target": fingerprint}).status == 201
    assert client.patch("/1.0/projects/" + name, {"config": {"features.images": "false"}}).status == 200
    image, alias = "/1.0/images/" + fingerprint, "/1.0/images/aliases/" + name
    assert restricted.get(image, project=name).status == 200
    assert restricted.patch(image, {"public": True}, project=name).status == 403
    assert restricted.delete(image, project=name).status == 403
    assert restricted.patch(alias, {"description": "x"}, project=name).status == 403
    assert restricted.post(alias, {"name": name + "x"}, project=name).status == 403
    assert restricted.delete(alias, project=name).status == 403
    assert client.wait(client.delete(image))["status_code"] == 200


def test_tokens_are_hidden_from_restricted_clients(client, restricted, name):
    url = client.post("/1.0/certificates", {"type": "client", "name": name, "token": True}).json["operation"]
    assert restricted.get(url).status == 404
    assert restricted.get(url + "/wait", timeout=0).status == 404
    assert client.delete(url).status == 200


def test_operations_of_others_are_hidden(client, restricted, name):
    url = client.post("/internal/testing/operation-wait", {"duration": "1h"}).json["operation"]
    assert restricted.get(url).status == 404
    assert restricted.get(url + "/wait", timeout=0).status == 404
    assert restricted.delete(url).status == 404
    assert restricted.get("/1.0/operations", project=name).metadata == {}
    client.delete(url)


def test_streams_end_with_the_trust(client, restricted, certificate, name):
    ws = restricted.websocket("/1.0/events", project=name)
    assert ws.status == 101
    client.delete("/1.0/certificates/" + certificate.fingerprint)
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            ws.event()


def test_bad_certificates_are_refused(client, name):
    for body in ({"type": "client", "certificate": "bm90IGEgY2VydA=="},
                 {"type": "client", "certificate": "%%%"}, {"type": "odd", "name": name},
                 {"type": "client", "token": True}, {"type": "client"},
                 {"type": "client", "name": 5}, {"type": "server", "name": "x", "token": True}):
        assert client.post("/1.0/certificates", body).status == 400, body
