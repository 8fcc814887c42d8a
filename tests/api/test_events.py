"""Events over websockets: types, projects, what clients match on."""
import re


def test_lifecycle_of_a_profile(client, name):
    ws = client.websocket("/1.0/events", type="lifecycle")
    assert ws.status == 101
    client.post("/1.0/profiles", {"name": name})
    event = ws.event(action="profile-created")
    assert event["type"] == "lifecycle"
    assert event["project"] == "default"
    assert event["location"] == "none"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", event["timestamp"])
    assert event["metadata"]["source"] == "/1.0/profiles/" + name
    assert event["metadata"]["name"] == name
    assert event["metadata"]["requestor"]["protocol"] == "unix"
    client.delete("/1.0/profiles/" + name)
    ws.event(action="profile-deleted")
    ws.close()


def test_events_of_other_projects_are_kept_apart(client, name):
    client.post("/1.0/projects", {"name": name})
    here = client.websocket("/1.0/events", type="lifecycle", project=name)
    everywhere = client.websocket("/1.0/events", type="lifecycle", all_projects="true")
    client.post("/1.0/profiles", {"name": name + "d"})
    client.post("/1.0/profiles", {"name": name + "p"}, project=name)
    assert here.event()["metadata"]["name"] == name + "p"
    assert everywhere.event()["metadata"]["name"] == name + "d"
    assert everywhere.event()["metadata"]["name"] == name + "p"
    here.close()
    everywhere.close()


def test_operation_events_come_in_order(client):
    ws = client.websocket("/1.0/events", type="operation")
    answer = client.post("/internal/testing/operation-wait", {"duration": "10ms"})
    seen = []
    while not seen or seen[-1] not in ("Success", "Failure"):
        seen.append(ws.event(id=answer.metadata["id"])["metadata"]["status"])
    assert seen == ["Pending", "Running", "Success"]
    ws.close()


def test_logging_events(client, name):
    ws = client.websocket("/1.0/events", type="logging")
    client.get("/1.0")
    event = ws.event(message="Handling request")
    assert event["metadata"]["level"] == "debug"
    assert event["metadata"]["context"]["url"] == "/1.0"
    ws.close()


def test_bad_listeners_are_refused(client):
    assert client.get("/1.0/events", type="no-such-type").status == 400
    assert client.get("/1.0/events", level="loud").status == 400
    assert client.get("/1.0/events").status == 400
    assert client.get("/1.0/events", all_projects="true", project="x").status == 400


def test_a_listener_that_does_not_read_holds_up_nobody(client, name):
    deaf = client.websocket("/1.0/events")
    ws = client.websocket("/1.0/events", type="lifecycle")
    for i in range(200):
        client.patch("/1.0", {"config": {"user.noise": "x" * 2000 + str(i)}})
    client.post("/1.0/profiles", {"name": name})
    assert ws.event(action="profile-created")["metadata"]["name"] == name
    ws.close()
    deaf.close()
