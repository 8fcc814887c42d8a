"""Projects: isolation of what they have of their own, rules, limits."""


def test_project_lives_through_its_verbs(client, name):
    created = client.post("/1.0/projects", {"name": name, "config": {}, "description": "one"})
    assert created.status == 201
    assert created.headers["location"] == "/1.0/projects/" + name
    project = client.get("/1.0/projects/" + name).metadata
    assert project["config"]["features.images"] == "true"
    assert "features.networks" not in project["config"]
    assert project["used_by"] == ["/1.0/profiles/default?project=" + name]
    assert client.patch("/1.0/projects/" + name, {"description": "two"}).status == 200
    renamed = client.wait(client.post("/1.0/projects/" + name, {"name": name + "2"}))
    assert renamed["status"] == "Success"
    assert client.get("/1.0/projects/" + name).status == 404
    assert client.get("/1.0/projects/" + name + "2").metadata["description"] == "two"
    assert client.delete("/1.0/projects/" + name + "2").status == 200


def test_default_is_protected(client):
    assert client.post("/1.0/projects/default", {"name": "x"}).status == 403
    assert client.delete("/1.0/projects/default").status == 403
    before = client.get("/1.0/projects/default").metadata["config"]
    off = dict(before, **{"features.images": "false"})
    assert client.put("/1.0/projects/default", {"config": off}).status == 400


def test_bad_projects_are_refused(client, name):
    for bad in ("", "a/b", ".", "..", "a b", "a_b", "x" * 65, "a\nb", "*"):
        assert client.post("/1.0/projects", {"name": bad}).status == 400, bad
    for config in ({"bogus": "1"}, {"restricted": "perhaps"}, {"limits.memory": "lots"},
                   {"restricted.devices.nic": "some"}, {"user.x": 1}):
        assert client.post("/1.0/projects", {"name": name, "config": config}).status == 400, config
    assert client.post("/1.0/projects", {"name": name}).status == 201
    assert client.post("/1.0/projects", {"name": name}).status == 409


def test_project_in_use_stays_unless_forced(client, name):
    client.post("/1.0/projects", {"name": name})
    client.post("/1.0/profiles", {"name": "extra"}, project=name)
    assert client.delete("/1.0/projects/" + name).status == 400
    assert client.put("/1.0/projects/" + name, {"config": {}}).status == 400
    assert client.delete("/1.0/projects/" + name, force="1").status == 200
    assert client.get("/1.0/profiles", project=name).status == 404


def test_projects_without_profiles_share_those_of_default(client, name):
    client.post("/1.0/projects", {"name": name, "config": {"features.profiles": "false"}})
    assert client.get("/1.0/profiles", project=name).metadata == client.get("/1.0/profiles").metadata
    assert client.get("/1.0/profiles/default", project=name).metadata["project"] == "default"


def test_restrictions_hold_for_profiles(client, name):
    client.post("/1.0/projects", {"name": name, "config": {"restricted": "true"}})
    for profile in ({"config": {"security.privileged": "true"}},
                    {"config": {"security.nesting": "true"}},
                    {"config": {"raw.lxc": "lxc.x = y"}},
                    {"devices": {"d": {"type": "disk", "source": "/etc", "path": "/x"}}},
                    {"devices": {"n": {"type": "nic", "nictype": "bridged", "parent": "br0"}}}):
        answer = client.post("/1.0/profiles", dict(profile, name="p"), project=name)
        assert answer.status == 403, (profile, answer.raw)
    answer = client.post("/1.0/profiles", {"name": "p", "config": {"limits.memory": "1GiB"}},
                         project=name)
    assert answer.status == 201
    answer = client.patch("/1.0/profiles/p", {"config": {"security.nesting": "true"}}, project=name)
    assert answer.status == 403


def test_state_shows_limits_and_usage(client, name):
    client.post("/1.0/projects", {"name": name, "config": {"limits.instances": "3"}})
    state = client.get("/1.0/projects/%s/state" % name).metadata["resources"]
    assert state["instances"] == {"Limit": 3, "Usage": 0}
    assert state["memory"] == {"Limit": -1, "Usage": 0}
