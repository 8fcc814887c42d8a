"""What requests cost in messages to the database and in commits: it must not creep up unseen."""
import re

# Several times each, since something else may run meanwhile: the cheapest counts.
TIMES = 5


def counts(client):
    text = client.get("/1.0/metrics").raw.decode()
    return [int(re.search(rf"^muster_database_{what}_total (\d+)$", text, re.M).group(1))
            for what in ("requests", "commits")]


def cost(client, action):
    """Messages and commits of 'action', without those of asking for the numbers."""
    found = []
    for i in range(TIMES):
        start = counts(client)
        before = counts(client)
        action(i)
        after = counts(client)
        found.append([after[k] - before[k] - (before[k] - start[k]) for k in range(2)])
    return [min(column) for column in zip(*found)]


def done(client, answer):
    assert answer.status in (200, 202), answer.raw
    if answer.status == 202:
        assert client.wait(answer)["status_code"] == 200


def test_lists_cost_one_message(client):
    for path in ("/1.0/profiles?recursion=1", "/1.0/instances?recursion=1", "/1.0/projects?recursion=1"):
        client.get(path)
        messages, commits = cost(client, lambda i: client.get(path))
        assert (messages, commits) == (1, 0), path


def test_a_changed_profile_costs_nine_messages(client):
    # Five are the write's: BEGIN with the revisions, the profile, the change, the commit. Four are of
    # the next reader, which has them read again: the numbers that are asked for here.
    messages, commits = cost(
        client, lambda i: done(client, client.patch("/1.0/profiles/default", {"description": f"x{i}"})))
    assert messages <= 9 and commits == 1


def test_an_empty_instance_costs_two_commits(client, name):
    assert client.post("/1.0/storage-pools", {"name": name, "driver": "dir"}).status == 201
    root = {"type": "disk", "path": "/", "pool": name}

    def create(i):
        done(client, client.post("/1.0/instances", {"name": f"{name}{i}", "source": {"type": "none"},
                                                    "devices": {"root": root}}))

    def patch(i):
        done(client, client.patch(f"/1.0/instances/{name}0", {"config": {"user.x": str(i)}}))

    def delete(i):
        done(client, client.delete(f"/1.0/instances/{name}{i}"))

    limits = ((create, 25, 2), (patch, 20, 1), (delete, 16, 1))
    for action, most, n in limits:
        messages, commits = cost(client, action)
        assert messages <= most and commits == n, (action.__name__, messages, commits)
    client.delete("/1.0/storage-pools/" + name)
