"""The program: start, stop, crash, subcommands."""
import json
import os
import signal
import subprocess
import time


def test_starts_quickly_and_stops_in_order(fresh):
    d = fresh().start()
    begin = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - begin < 5
    d.start()
    assert d.client.get("/1.0").status == 200


def test_a_crash_loses_nothing_that_was_answered(fresh):
    d = fresh().start()
    for i in range(20):
        assert d.client.post("/1.0/profiles", {"name": "p%d" % i}).status == 201
    d.stop(signal.SIGKILL)
    d.start()
    assert len(d.client.get("/1.0/profiles").metadata) == 21


def test_only_one_daemon_has_a_directory(fresh):
    d = fresh().start()
    other = d.tool()
    assert other.returncode == 1
    assert "Another daemon" in other.stderr


def test_operations_are_cancelled_at_the_end(fresh):
    d = fresh().start()
    ws = d.client.websocket("/1.0/events", type="operation")
    d.client.post("/internal/testing/operation-wait", {"duration": "1h"})
    begin = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - begin < 8
    ws.close()


def test_shutdown_waits_for_the_end(fresh):
    d = fresh().start()
    assert d.tool("shutdown", "--timeout", "20").returncode == 0
    assert d.process.wait(5) == 0
    d.process = None


def test_log_file_is_reopened(fresh):
    d = fresh()
    os.makedirs(d.directory)
    path = os.path.join(d.directory, "daemon.log")
    import conftest
    d.process = subprocess.Popen([conftest.MUSTERD, "--debug", "--logfile", path], env=d.environment)
    assert d.tool("waitready", "--timeout", "30").returncode == 0
    os.rename(path, path + ".1")
    d.process.send_signal(signal.SIGHUP)
    while not os.path.exists(path):
        d.client.get("/1.0")
    assert d.stop() == 0


def test_preseed_and_dump(fresh):
    d = fresh().start()
    preseed = """
config:
  core.shutdown_timeout: 7
projects:
- name: p1
  description: one
  config:
    features.profiles: true
profiles:
- name: default
  config:
    user.a: yes
- name: extra
  project: p1
  description: two
"""
    done = d.tool("init", "--preseed", input=preseed)
    assert done.returncode == 0, done.stderr
    assert d.client.get("/1.0").metadata["config"]["core.shutdown_timeout"] == "7"
    assert d.client.get("/1.0/profiles/extra", project="p1").metadata["description"] == "two"
    assert d.client.get("/1.0/profiles/default").metadata["config"]["user.a"] in ("yes", "true")
    again = d.tool("init", "--preseed", input=preseed)
    assert again.returncode == 0, again.stderr
    dump = d.tool("init", "--dump")
    assert "core.shutdown_timeout" in dump.stdout and "name: p1" in dump.stdout
    for bad in ("a: [", "profiles: 5", "config: {bogus: 1}", "x: &a [*a]"):
        assert d.tool("init", "--preseed", input=bad).returncode == 1, bad


def test_sql(fresh):
    d = fresh().start()
    shown = d.tool("sql", "global", "SELECT name FROM projects")
    assert shown.stdout == "name\ndefault\n"
    assert "CREATE TABLE" in d.tool("sql", "global", ".schema").stdout
    assert "INSERT INTO" in d.tool("sql", "global", ".dump").stdout
    assert "CREATE TABLE" in d.tool("sql", "local", ".schema").stdout
    assert d.tool("sql", "global", "SELECT nonsense FROM nowhere").returncode == 1


def test_lxc_of_debian_is_served(fresh, scratch):
    d = fresh().start()
    environment = dict(d.environment, LXD_CONF=os.path.join(scratch, "lxc"), HOME=scratch)

    def lxc(*args):
        return subprocess.run(["lxc", *args], env=environment, capture_output=True, text=True,
                              timeout=60)

    if lxc("--version").returncode != 0:
        return
    assert lxc("profile", "create", "p1").returncode == 0
    assert lxc("profile", "set", "p1", "user.x=1").returncode == 0
    assert "user.x" in lxc("profile", "show", "p1").stdout
    assert lxc("project", "create", "pr1").returncode == 0
    assert "pr1" in lxc("project", "list").stdout
    assert lxc("config", "set", "user.y", "2").returncode == 0
    assert lxc("config", "get", "user.y").stdout.strip() == "2"
    assert json.loads(lxc("query", "/1.0/profiles").stdout)
    assert lxc("warning", "list").returncode == 0
    assert lxc("operation", "list").returncode == 0
    assert lxc("info").returncode == 0
