"""Snapshots that nobody asks for, and the end of those that expired: the tests move the daemon's clock."""
import datetime

import pytest


@pytest.fixture
def host(container):
    client = container.client
    yield client
    shift(client, "0")


def shift(client, by):
    assert client.post("/internal/testing/clock", {"shift": by}).status == 200


def look(client):
    """One pass; the descriptions of what it did, all of which succeeded."""
    done = []
    for url in client.post("/internal/testing/snapshots", {}).metadata:
        operation = client.get(url + "/wait", timeout=60).metadata
        assert operation["status"] == "Success", operation
        done.append(operation["description"])
    return done


def names(client, url):
    return [u.rsplit("/", 1)[1] for u in client.get(url + "/snapshots").metadata]


@pytest.fixture
def instance(container, host):
    """The running container without a schedule and without snapshots, afterwards too."""
    yield container.url
    shift(host, "0")
    state = host.get(container.url).metadata
    if state["status"] != "Running":
        container.state("start")
    keys = ("snapshots.schedule", "snapshots.schedule.stopped", "snapshots.expiry", "snapshots.pattern")
    assert host.patch(container.url, {"config": {k: "" for k in keys}}).status == 200
    for name in names(host, container.url):
        host.wait(host.delete("%s/snapshots/%s" % (container.url, name)))


@pytest.fixture
def volume(host, name):
    url = "/1.0/storage-pools/default/volumes/custom"
    assert host.post(url, {"name": name}).status == 202
    yield "%s/%s" % (url, name)
    assert host.delete("%s/%s" % (url, name)).status == 202


@pytest.mark.parametrize("schedule", ["@daily,", "@every 5m", "* * * *", "60 * * * *", "* * * * 7",
                                      "x", "* * * * * *", "@reboot", "1.5 * * * *"])
def test_bad_schedules(container, host, instance, volume, schedule):
    config = {"config": {"snapshots.schedule": schedule}}
    assert host.patch(instance, config).status == 400
    assert host.patch(volume, config).status == 400
    pool = "/1.0/storage-pools/default"
    assert host.patch(pool, {"config": {"volume.snapshots.schedule": schedule}}).status == 400
    body = {"name": "x", "config": {"snapshots.schedule": schedule}}
    assert host.post("/1.0/profiles", body).status == 400
    assert "snapshots.schedule" not in host.get(instance).metadata["config"]


def test_a_volume_has_no_startup(host, volume):
    assert host.patch(volume, {"config": {"snapshots.schedule": "@startup"}}).status == 400


def away(*minutes):
    """A schedule for each hour at so many minutes from now: no pass of a test is near one of them."""
    now = datetime.datetime.now().minute
    return "%s * * * *" % ",".join(str((now + m) % 60) for m in minutes)


def set_schedule(host, url, **config):
    config = {"snapshots." + k: v for k, v in config.items()}
    assert host.patch(url, {"config": config}).status in (200, 202)


def due_once(host, url, done):
    """Sets an hourly schedule; an hour later one pass does what is 'done', and the next nothing."""
    set_schedule(host, url, schedule=away(30), pattern="hour-%d", expiry="1d")
    look(host)
    shift(host, "1h")
    assert look(host) == [done]
    assert look(host) == []


def test_an_instance_is_due_once(host, instance):
    due_once(host, instance, "Snapshotting instance")
    assert names(host, instance) == ["hour-0"]
    row = host.get(instance + "/snapshots/hour-0").metadata
    day = datetime.datetime.fromisoformat(row["expires_at"][:19]) - \
        datetime.datetime.fromisoformat(row["created_at"][:19])
    assert abs(day - datetime.timedelta(days=1)) < datetime.timedelta(minutes=1)
    shift(host, "2h")
    assert look(host) == ["Snapshotting instance"]
    assert names(host, instance) == ["hour-0", "hour-1"]
    # Hours later there is one for all that was missed.
    shift(host, "12h")
    assert look(host) == ["Snapshotting instance"] and look(host) == []
    # A day after their ends: the first two are gone, and the third.
    set_schedule(host, instance, schedule="@never")
    shift(host, "60h")
    assert look(host) == ["Cleaning up expired instance snapshots"]
    assert names(host, instance) == [] and look(host) == []


def test_only_the_hour_that_is_due(host, instance):
    """What was not due since the last pass is not taken, and a clock that goes back takes nothing."""
    now = datetime.datetime.now()
    set_schedule(host, instance, schedule="%d %d * * *" % (now.minute, (now.hour + 3) % 24))
    look(host)
    shift(host, "2h")
    assert look(host) == []
    shift(host, "3h2m")
    assert look(host) == ["Snapshotting instance"]
    shift(host, "1h")
    assert look(host) == []
    assert names(host, instance) == ["snap0"]


def test_stopped_instances(container, host, instance):
    set_schedule(host, instance, schedule=away(30))
    container.state("stop", force=True)
    look(host)
    shift(host, "1h")
    assert look(host) == []
    set_schedule(host, instance, **{"schedule.stopped": "true"})
    shift(host, "2h")
    assert look(host) == ["Snapshotting instance"]


def test_at_each_start(container, host, instance):
    set_schedule(host, instance, schedule="@startup")
    assert names(host, instance) == []
    container.state("restart", force=True)
    assert names(host, instance) == ["snap0"]
    assert look(host) == []
    set_schedule(host, instance, schedule="@never")
    container.state("restart", force=True)
    assert names(host, instance) == ["snap0"]


def test_a_project_that_forbids_it(host, instance, name):
    """A schedule is no way around restricted.snapshots."""
    assert host.post("/1.0/projects", {"name": name, "config": {
        "features.profiles": "true", "features.storage.volumes": "true",
        "restricted": "true", "restricted.snapshots": "block"}}).status == 201
    body = {"name": "c", "source": {"type": "none"}, "devices": {
        "root": {"type": "disk", "path": "/", "pool": "default"}},
        "config": {"snapshots.schedule": away(30), "snapshots.schedule.stopped": "true"}}
    url = "/1.0/instances/c?project=" + name
    state = "/1.0/instances/c/state?project=" + name
    volume = "/1.0/storage-pools/default/volumes/custom%s?project=" + name
    assert host.wait(host.post("/1.0/instances?project=" + name, body))["status"] == "Success"
    assert host.post(volume % "", {"name": "v", "config": {"snapshots.schedule": "0 * * * *"}}).status == 202
    assert host.post(volume % "/v/snapshots", {"name": "s"}).status == 403
    look(host)
    shift(host, "1h")
    assert look(host) == []
    # Its disk is empty, so it does not start; the snapshot would come before that.
    set_schedule(host, url, schedule="@startup")
    host.wait(host.put(state, {"action": "start"}))
    assert host.get("/1.0/instances/c/snapshots?project=" + name).metadata == []
    set_schedule(host, url, schedule="0 * * * *")
    assert host.patch("/1.0/projects/" + name, {"config": {"restricted.snapshots": "allow"}}).status in (200, 202)
    shift(host, "2h")
    assert look(host) == ["Snapshotting instance", "Creating storage volume snapshot"]
    assert host.wait(host.delete(url))["status"] == "Success"
    assert host.delete(volume % "/v").status == 202
    assert host.delete("/1.0/projects/" + name).status in (200, 202)


def test_a_volume_is_due_once(host, volume):
    due_once(host, volume, "Creating storage volume snapshot")
    shift(host, "2h")
    assert look(host) == ["Creating storage volume snapshot"]
    assert names(host, volume) == ["hour-0", "hour-1"]
    assert not host.get(volume + "/snapshots/hour-0").metadata["expires_at"].startswith("0001")
    set_schedule(host, volume, schedule="")
    shift(host, "25h30m")
    assert look(host) == ["Cleaning up expired volume snapshots"]
    assert names(host, volume) == ["hour-1"]
    # Who says that one is kept for ever is heard.
    assert host.put(volume + "/snapshots/hour-1", {"expires_at": None}).status == 202
    shift(host, "100h")
    assert look(host) == [] and names(host, volume) == ["hour-1"]


def test_a_pools_default(host, name):
    pool = "/1.0/storage-pools/default"
    assert host.patch(pool, {"config": {"volume.snapshots.schedule": away(30)}}).status == 200
    try:
        assert host.post(pool + "/volumes/custom", {"name": name}).status == 202
    finally:
        assert host.patch(pool, {"config": {"volume.snapshots.schedule": ""}}).status == 200
    volume = "%s/volumes/custom/%s" % (pool, name)
    look(host)
    shift(host, "1h")
    assert look(host) == ["Creating storage volume snapshot"]
    assert host.delete(volume).status == 202


def test_what_was_due_while_the_daemon_was_down(container, host, instance, volume):
    """Is made up for once, and what was taken before is not taken again."""
    schedule = away(15, 45)
    set_schedule(host, instance, schedule=schedule)
    set_schedule(host, volume, schedule=schedule)
    look(host)
    shift(host, "1h")
    assert sorted(look(host)) == ["Creating storage volume snapshot", "Snapshotting instance"]
    member = container.member
    member.kill()
    member.start()
    shift(host, "1h")
    assert look(host) == []
    assert names(host, instance) == ["snap0"] and names(host, volume) == ["snap0"]
    member.kill()
    member.start()
    shift(host, "1h30m")
    assert sorted(look(host)) == ["Creating storage volume snapshot", "Snapshotting instance"]
    assert look(host) == []
