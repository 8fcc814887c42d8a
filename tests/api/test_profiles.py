"""Profiles: verbs, names, filters, and writes that are over when they are answered."""
import threading
import urllib.parse


def test_write_is_done_when_it_is_answered(client, name):
    client.post("/1.0/profiles", {"name": name})
    answer = client.put("/1.0/profiles/" + name, {"config": {"user.a": "1"}, "devices": {}})
    assert answer.status == 202
    assert answer.metadata["status"] == "Success"
    assert answer.metadata["description"] == "Updating profile"
    assert client.get("/1.0/profiles/" + name).metadata["config"] == {"user.a": "1"}
    # It is there to be waited for all the same.
    assert client.wait(answer)["status_code"] == 200


def test_bad_profiles_change_nothing(client, name):
    client.post("/1.0/profiles", {"name": name, "config": {"user.a": "1"}})
    before = client.get("/1.0/profiles/" + name).etag
    for body in ({"config": {"bogus.key": "1"}}, {"config": {"limits.memory": "lots"}},
                 {"config": {"limits.memory": 5}}, {"devices": {"d": {"type": "bogus"}}},
                 {"devices": {"d": "x"}}, {"devices": {"root": {"type": "disk", "path": "/", "pool": "nope"}}},
                 {"config": {"volatile.x": "1"}}):
        for answer in (client.put("/1.0/profiles/" + name, body),
                       client.patch("/1.0/profiles/" + name, body),
                       client.post("/1.0/profiles", dict(body, name=name + "x"))):
            assert answer.status == 400, (body, answer.raw)
    assert client.get("/1.0/profiles/" + name).etag == before
    assert client.get("/1.0/profiles/" + name + "x").status == 404


def test_patch_merges_and_put_replaces(client, name):
    path = "/1.0/profiles/" + name
    client.post("/1.0/profiles", {"name": name, "description": "d", "config": {"user.a": "1"},
                                  "devices": {"n": {"type": "none"}}})
    client.patch(path, {"config": {"user.b": "2"}})
    profile = client.get(path).metadata
    assert profile["config"] == {"user.a": "1", "user.b": "2"}
    assert profile["description"] == "d" and profile["devices"] == {"n": {"type": "none"}}
    client.patch(path, {"config": {"user.a": ""}})
    assert client.get(path).metadata["config"] == {"user.b": "2"}
    client.put(path, {"config": {"user.c": "3"}})
    profile = client.get(path).metadata
    assert profile["config"] == {"user.c": "3"}
    assert profile["description"] == "" and profile["devices"] == {}


def test_names_are_escaped_in_urls(client, name):
    odd = name + " o+d%\u00e9"
    created = client.post("/1.0/profiles", {"name": odd})
    assert created.status == 201
    url = "/1.0/profiles/" + urllib.parse.quote(odd, safe="")
    assert created.headers["location"] == url
    assert url in client.get("/1.0/profiles").metadata
    assert client.get(url).metadata["name"] == odd
    assert client.delete(url).status == 200
    for bad in ("", "a/b", "..", "a\nb", "x" * 65):
        assert client.post("/1.0/profiles", {"name": bad}).status == 400


def test_default_is_protected(client):
    assert client.delete("/1.0/profiles/default").status == 403
    assert client.post("/1.0/profiles/default", {"name": "x"}).status == 403


def test_filter_and_recursion(client, name):
    for i in range(3):
        client.post("/1.0/profiles", {"name": "%s-%d" % (name, i), "config": {"user.n": str(i)}})
    wanted = 'name eq "%s-.*" and config.user.n ne 1' % name
    assert client.get("/1.0/profiles", filter=wanted).metadata == [
        "/1.0/profiles/%s-0" % name, "/1.0/profiles/%s-2" % name]
    objects = client.get("/1.0/profiles", filter=wanted, recursion=1).metadata
    assert [o["name"] for o in objects] == [name + "-0", name + "-2"]


def test_concurrent_writers_lose_nothing(client, name):
    path = "/1.0/profiles/" + name
    client.post("/1.0/profiles", {"name": name})

    def add(i):
        while True:
            now = client.get(path)
            config = dict(now.metadata["config"], **{"user.k%d" % i: "x"})
            answer = client.put(path, {"config": config}, {"If-Match": now.etag})
            if answer.status != 412:
                assert answer.status == 202, answer.raw
                return

    threads = [threading.Thread(target=add, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(client.get(path).metadata["config"]) == 8


def test_patch_takes_a_device_away_by_null(client, name):
    url = "/1.0/profiles/" + name
    client.post("/1.0/profiles", {"name": name, "devices": {"a": {"type": "none"}, "b": {"type": "none"}}})
    assert client.patch(url, {"devices": {"a": None, "c": {"type": "none"}}}).status == 202
    assert client.get(url).metadata["devices"] == {"b": {"type": "none"}, "c": {"type": "none"}}
    # A whole map has no room for what is not there.
    assert client.put(url, {"devices": {"a": None}}).status == 400
    assert client.post("/1.0/profiles", {"name": name + "x", "devices": {"a": None}}).status == 400
