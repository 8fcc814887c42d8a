"""What an idle daemon costs: memory and wake-ups. docs/PERFORMANCE.md has the figures."""
import os
import re
import time

MIB = 1 << 20


def memory(pid):
    """Bytes by kind, from smaps_rollup."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return {k: int(v) << 10 for k, v in re.findall(r"(\w+):\s+(\d+) kB", rollup.read())}


def wake_ups(pid):
    """How often its threads have gone to sleep so far."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as status:
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M)[1])
    return total


def test_idle_memory(fresh):
    """The aim is 12 MiB; what only this process has is known better than what it shares."""
    daemon = fresh().start()
    assert daemon.client.get("/1.0").status == 200
    before = memory(daemon.process.pid)
    print("idle: %s" % {k: v >> 10 for k, v in before.items() if k in ("Rss", "Pss", "Anonymous")})
    assert before["Pss"] < 12 * MIB
    assert before["Anonymous"] < 6 * MIB

    # Many writes and many answers leave the log of the database behind, which has a bound.
    assert daemon.client.post("/1.0/profiles", {"name": "p"}).status == 201
    for number in range(600):
        assert daemon.client.patch("/1.0/profiles/p", {"description": str(number)}).status == 202
        daemon.client.get("/1.0/profiles", recursion=1)
    deadline = time.monotonic() + 120
    # The kernel tells nobody that another process has given memory back: it is looked at again.
    while memory(daemon.process.pid)["Anonymous"] > before["Anonymous"] + 8 * MIB:
        assert time.monotonic() < deadline, "the memory of a burst is not given back"
        time.sleep(0.5)


def test_idle_wake_ups(fresh):
    """A server that is not clustered has nobody to watch: a few timers a second and no more."""
    daemon = fresh().start()
    assert daemon.client.get("/1.0").status == 200
    counts = []
    for _ in range(3):
        before, start = wake_ups(daemon.process.pid), time.monotonic()
        time.sleep(3)  # This is the measurement: a daemon at rest does nothing that could be waited for.
        counts.append((wake_ups(daemon.process.pid) - before) / (time.monotonic() - start))
    print("wake-ups a second: %.1f" % min(counts))
    assert min(counts) < 8, counts


def test_listeners_that_do_not_read(fresh):
    """What waits for one has a bound of 2 MiB, and then it is closed; others hear everything."""
    daemon = fresh().start()
    slow = [daemon.client.websocket("/1.0/events", type="logging") for _ in range(4)]
    before = memory(daemon.process.pid)["Anonymous"]
    highest, filler = before, "x" * 4000
    connection = daemon.client.connection()
    for number in range(5000):
        connection.request("GET", "/1.0/profiles/" + filler)
        connection.getresponse().read()
        if number % 100 == 0:
            highest = max(highest, memory(daemon.process.pid)["Anonymous"])
    connection.close()
    # Four times 2 MiB, as much again for what the allocator cannot join, and a burst's usual need.
    print("listeners: %d KiB, then %d KiB" % (before >> 10, highest >> 10))
    assert highest < before + 20 * MIB, (before, highest)
    for ws in slow:
        ws.sock.settimeout(60)
        received = 0
        try:
            while data := ws.sock.recv(1 << 20):
                received += len(data)
        except ConnectionResetError:
            pass
        assert received < 8 * MIB
        ws.close()
    # A listener that reads is not disturbed.
    ws = daemon.client.websocket("/1.0/events", type="lifecycle")
    assert daemon.client.post("/1.0/profiles", {"name": "p"}).status == 201
    ws.event(action="profile-created")
    ws.close()
