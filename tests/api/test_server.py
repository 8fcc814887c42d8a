"""GET, PUT and PATCH of /1.0, the envelope and what does not belong to a resource."""
import os
import stat

ENVELOPE = ["type", "status", "status_code", "operation", "error_code", "error", "metadata"]


def test_envelope_has_exactly_seven_fields(client):
    answers = [client.get("/1.0"), client.get("/1.0/none"), client.get("/"),
               client.post("/internal/testing/operation-wait", {"duration": "1ms"})]
    for answer in answers:
        assert list(answer.json) == ENVELOPE
        assert answer.headers["content-type"] == "application/json"


def test_unknown_things_are_refused_as_lxd_does(client):
    assert client.get("/1.0/no-such-thing").status == 404
    assert client.delete("/1.0/profiles").status == 501
    assert client.request("BREW", "/1.0/profiles").status == 404
    assert client.get("/1.0", recursion="x").status == 400
    assert client.get("/1.0/profiles", all_projects="maybe").status == 400
    for path in ("profiles", "instances", "images", "operations", "storage-volumes", "warnings"):
        answer = client.get("/1.0/" + path, all_projects="true", project="default")
        assert answer.status == 400 and "requesting all projects" in answer.error, path
        assert client.get("/1.0/" + path, all_projects="false", project="default").status == 200
    assert client.get("/1.0/profiles", filter="name eq").status == 400


def test_server_names_itself(client):
    server = client.get("/1.0").metadata
    assert server["auth"] == "trusted"
    assert server["auth_user_method"] == "unix"
    assert server["environment"]["server_clustered"] is False
    assert len(set(server["api_extensions"])) == len(server["api_extensions"])
    assert server["config"]["volatile.uuid"]


def test_config_is_kept_and_guarded_by_its_etag(client):
    before = client.get("/1.0")
    assert before.etag == client.get("/1.0").etag
    wrong = {"If-Match": '"%s"' % ("0" * 64)}
    assert client.patch("/1.0", {"config": {"user.a": "1"}}, wrong).status == 412
    right = {"If-Match": before.etag}
    assert client.patch("/1.0", {"config": {"user.a": "1"}}, right).status == 200
    assert client.patch("/1.0", {"config": {"user.a": "2"}}, right).status == 412
    after = client.get("/1.0")
    assert after.metadata["config"]["user.a"] == "1"
    assert after.etag != before.etag
    config = {k: v for k, v in after.metadata["config"].items() if k != "user.a"}
    assert client.put("/1.0", {"config": config}).status == 200
    assert "user.a" not in client.get("/1.0").metadata["config"]


def test_bad_config_changes_nothing(client):
    before = client.get("/1.0").etag
    for config in ({"no.such_key": "1"}, {"images.auto_update_interval": "abc"},
                   {"core.https_address": "1.2.3.4:99999"}, {"core.https_address": "192.0.2.1:8443"},
                   {"core.shutdown_timeout": "-1"}, {"volatile.uuid": "x"}, {"user.a": ["x"]},
                   {"user.ok": "1", "bogus": "2"}):
        answer = client.patch("/1.0", {"config": config})
        assert answer.status == 400, config
        assert answer.error
    assert client.get("/1.0").etag == before


def test_bodies_are_read_strictly(client):
    for body in ("{bad", '{"config": {}} x', '{"config": {}, "config": {}}', "[1]", '"x"',
                 '{"config": {"user.a": "\\u0000"}}', b'{"config": {"user.a": "\xff"}}',
                 "[" * 200, '{"config": 5}', "null"):
        assert client.patch("/1.0", body).status == 400, body
    assert client.patch("/1.0", "x" * (9 << 20)).status == 413


def test_resources_and_metadata(client):
    resources = client.get("/1.0/resources").metadata
    assert resources["cpu"]["total"] >= 1
    assert resources["memory"]["total"] > resources["memory"]["used"] > 0
    configs = client.get("/1.0/metadata/configuration").metadata["configs"]
    keys = {name for key in configs["server"]["server"]["keys"] for name in key}
    assert "core.https_address" in keys


def test_files_have_the_modes_of_lxd(daemon):
    def mode(path):
        return stat.S_IMODE(os.stat(os.path.join(daemon.directory, path)).st_mode)

    assert mode("") == 0o711
    assert mode("database") == 0o700
    assert mode("unix.socket") == 0o660
    assert mode("server.key") == 0o600


def test_origins_are_checked_on_writes_and_upgrades(client):
    foreign = {"Origin": "https://evil.example"}
    assert client.request("GET", "/1.0", headers=foreign).status == 200
    assert client.patch("/1.0", {"config": {}}, foreign).status == 403
    assert client.patch("/1.0", {"config": {}}, {"Origin": "https://muster"}).status == 200
    upgrade = dict(foreign, Upgrade="websocket", Connection="Upgrade")
    upgrade.update({"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"})
    assert client.request("GET", "/1.0/events", headers=upgrade).status == 403
    assert client.patch("/1.0", {"config": {"core.https_allowed_origin": "https://ui.example"}}).status == 200
    answer = client.patch("/1.0", {"config": {}}, {"Origin": "https://ui.example"})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://ui.example"


def test_metrics_have_a_listener_of_their_own(client, address):
    from conftest import Client
    assert "lxd_uptime_seconds" in client.get("/1.0/metrics").raw.decode()
    assert client.patch("/1.0", {"config": {"core.metrics_address": address}}).status == 200
    guest = Client(address=address)
    assert guest.get("/1.0").status == 404
    assert guest.get("/1.0/metrics").status == 403
    assert client.patch("/1.0", {"config": {"core.metrics_authentication": "false"}}).status == 200
    assert guest.get("/1.0/metrics").status == 200
    assert client.patch("/1.0", {"config": {"core.metrics_address": ""}}).status == 200
