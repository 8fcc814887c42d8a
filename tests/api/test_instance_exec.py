"""Commands in a container: streams, recordings, signals, terminals, and clients that go away."""
import json
import os
import socket

import pytest

WS = "wait-for-websocket"


class Streams:
    """The websockets of one command."""

    def __init__(self, container, answer, skip=()):
        assert answer.status == 202, answer.raw
        self.operation = answer.json["operation"]
        self.client = container.client
        self.secrets = answer.metadata["metadata"]["fds"]
        self.sockets = {}
        # The command starts with its last stream, and may end before another is asked for.
        for name in sorted(self.secrets, reverse=True):
            if name not in skip:
                self.connect(name)

    def connect(self, name):
        ws = self.client.websocket(self.operation + "/websocket", secret=self.secrets[name])
        assert ws.status == 101
        ws.sock.settimeout(20)
        self.sockets[name] = ws

    def __getitem__(self, name):
        return self.sockets[name]

    def read(self, name, until=None):
        """What comes on a stream up to its end (an empty text message), or to some bytes."""
        data = b""
        while until is None or until not in data:
            opcode, payload = self[name].frame()
            if opcode != 2:
                assert until is None, data
                assert opcode == 1 and payload == b""
                break
            data += payload
        return data

    def control(self, **message):
        self["control"].send(json.dumps(message).encode())

    def end(self):
        return self.client.get(self.operation + "/wait", timeout=20).metadata

    def close(self):
        for ws in self.sockets.values():
            ws.close()


def runs(container, command):
    """Whether such a command runs inside."""
    status, out = container.output("ps", "-o", "args")
    assert status == 0
    return command in out.splitlines()


def start(container, *command, skip=(), **more):
    return Streams(container, container.exec(*command, **{WS: True, **more}), skip)


def test_output_is_recorded(container):
    answer = container.exec("sh", "-c", "echo out; echo err >&2; exit 7", **{"record-output": True})
    assert answer.metadata["class"] == "task"
    operation = container.client.wait(answer)
    assert operation["status"] == "Success"
    assert operation["metadata"]["return"] == 7
    output = operation["metadata"]["output"]
    assert container.client.get(output["1"]).raw == b"out\n"
    assert container.client.get(output["2"]).raw == b"err\n"
    listed = container.request("GET", "/logs/exec-output").metadata
    assert set(output.values()) <= set(listed)
    for url in output.values():
        assert container.client.delete(url).status == 200
        assert container.client.get(url).status == 404


def test_output_goes_nowhere_without_streams(container):
    operation = container.client.wait(container.exec("sh", "-c", "cat; echo x; exit 4"))
    assert operation["metadata"]["return"] == 4
    assert "output" not in operation["metadata"]


def test_streams(container):
    s = start(container, "sh", "-c", "cat; pwd; id -u; id -g; echo $FOO $HOME; echo err >&2; exit 3",
              environment={"FOO": "bar"}, cwd="/etc", user=5, group=6)
    s["0"].send(b"typed\n", 2)
    s["0"].send(b"", 1)
    assert s.read("1") == b"typed\n/etc\n5\n6\nbar\n"
    assert s.read("2") == b"err\n"
    operation = s.end()
    assert operation["status"] == "Success"
    assert operation["metadata"]["return"] == 3
    assert operation["metadata"]["command"][0] == "sh"
    assert operation["metadata"]["environment"]["FOO"] == "bar"
    assert "fds" not in operation["metadata"]
    s.close()


def test_root_has_a_home(container):
    s = start(container, "sh", "-c", "pwd; echo $HOME $USER $LANG")
    assert s.read("1") == b"/root\n/root root C.UTF-8\n"
    s.close()


def test_much_output_arrives_whole(container):
    s = start(container, "sh", "-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2")
    assert len(s.read("1")) == 3000000
    assert len(s.read("2")) == 3000000
    assert s.end()["metadata"]["return"] == 0
    s.close()


def test_much_input_arrives_whole(container):
    s = start(container, "md5sum")
    s["0"].sock.sendall(b"".join(b"\x82\xfe\x40\x00" + b"\0" * 4 + b"a" * 0x4000 for _ in range(200)))
    s["0"].send(b"", 1)
    import hashlib
    assert s.read("1").split()[0].decode() == hashlib.md5(b"a" * 0x4000 * 200).hexdigest()
    s.close()


def test_a_child_in_the_background_does_not_keep_it(container):
    s = start(container, "sh", "-c", "sleep 1000 & echo started")
    assert s.read("1") == b"started\n"
    assert s.end()["metadata"]["return"] == 0
    s.close()
    assert runs(container, "sleep 1000")


def test_a_closed_input_is_its_end(container):
    s = start(container, "sh", "-c", "cat; echo done")
    s["0"].send(b"\x03\xe8", 8)
    assert s.read("1") == b"done\n"
    s.close()


def test_a_terminal(container):
    s = start(container, "sh", "-c", "stty size; tty; read x; stty size; exec sleep 1000",
              interactive=True, width=77, height=33)
    assert sorted(s.secrets) == ["0", "control"]
    assert b"/dev/pts/" in s.read("0", b"/dev/pts/")
    for args in ({"width": "100", "height": "40"}, {"width": 101, "height": 41}):
        s.control(command="window-resize", args=args)
    # Whatever is wrong is passed over.
    for wrong in ({"command": "window-resize", "args": {"width": "x", "height": "-1"}},
                  {"command": "signal", "signal": 0}, {"command": "signal", "signal": 1000},
                  {"command": "nothing"}, {"command": 7}):
        s.control(**wrong)
    s["control"].send(b"{bad", 1)
    s["0"].send(b"go\r", 2)
    assert b"41 101" in s.read("0", b"41 101")
    s.control(command="signal", signal=9)
    s.read("0")
    operation = s.end()
    assert operation["metadata"]["return"] == 137
    s.close()


def test_the_terminals_last_words_arrive(container):
    for _ in range(20):
        s = start(container, "sh", "-c", "echo last words", interactive=True)
        assert s.read("0") == b"last words\r\n"
        s.close()


def test_a_signal(container):
    s = start(container, "sh", "-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    assert s.read("1", b"ready\n")
    s.control(command="signal", signal=15)
    assert s.read("1") == b"got\n"
    assert s.end()["metadata"]["return"] == 9
    s.close()


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize("gone", ["control", "all"])
def test_it_ends_with_its_client(container, interactive, gone):
    s = start(container, "sh", "-c", "echo ready; exec sleep 1001", interactive=interactive)
    s.read("1" if not interactive else "0", b"ready")
    assert runs(container, "sleep 1001")
    for name in list(s.sockets) if gone == "all" else ["control"]:
        s[name].sock.shutdown(socket.SHUT_RDWR)
    assert s.end()["metadata"]["return"] == 137
    assert not runs(container, "sleep 1001")
    s.close()


def test_it_may_be_cancelled(container):
    answer = container.exec("sleep", "1002")
    assert container.client.delete(answer.json["operation"]).status == 200
    assert container.client.wait(answer)["status"] == "Cancelled"
    assert not runs(container, "sleep 1002")


def test_control_may_come_late_or_never(container):
    s = start(container, "sh", "-c", "echo ready; cat", skip=["control"])
    assert s.read("1", b"ready\n")
    s.connect("control")
    s.control(command="signal", signal=9)
    assert s.end()["metadata"]["return"] == 137
    s.close()
    s = start(container, "echo", "alone", skip=["control"])
    assert s.read("1") == b"alone\n"
    assert s.end()["metadata"]["return"] == 0
    s.close()


def test_secrets(container):
    s = start(container, "cat")
    path = s.operation + "/websocket"
    assert container.client.websocket(path, secret="wrong").status == 403
    assert container.client.websocket(path).status == 400
    assert container.client.websocket(path, secret=s.secrets["1"]).status == 403
    shown = container.client.get(s.operation).metadata
    assert "fds" not in shown["metadata"]
    s["0"].send(b"", 1)
    assert s.end()["metadata"]["return"] == 0
    s.close()


@pytest.mark.parametrize("command,status", [(["/no/such/thing"], 127), (["/etc"], 126)])
def test_what_cannot_be_run(container, command, status):
    operation = container.client.wait(container.exec(*command))
    assert operation["metadata"]["return"] == status
    assert operation["status"] == "Failure"


@pytest.mark.parametrize("body", [
    {}, {"command": []}, {"command": [""]}, {"command": "sh"}, {"command": [1]},
    {"command": ["true"], "user": -1}, {"command": ["true"], "user": "root"},
    {"command": ["true"], "group": 1 << 40}, {"command": ["true"], "width": 70000},
    {"command": ["true"], "environment": {"A=B": "c"}}, {"command": ["true"], "environment": {"": "c"}},
    {"command": ["true"], "environment": []}, {"command": ["true"], "cwd": 1},
    {"command": ["true\0"]}, {"command": ["true"], "interactive": "yes"},
    {"command": ["x" * 300000]}, "{bad", "[]",
])
def test_wrong_requests(container, body):
    answer = container.request("POST", "/exec", body)
    if answer.status == 202:  # Found too long when it is started.
        assert container.client.wait(answer)["status"] == "Failure"
    else:
        assert answer.status == 400, answer.raw
        assert answer.json["type"] == "error"


def test_an_instance_that_is_not_there(container):
    assert container.client.post("/1.0/instances/nope/exec", {"command": ["true"]}).status == 404


def test_events(container):
    ws = container.client.websocket("/1.0/events", type="lifecycle")
    container.client.wait(container.exec("true"))
    event = ws.event(action="instance-exec")
    assert event["metadata"]["source"] == container.url
    assert event["metadata"]["context"]["command"] == ["true"]
    ws.close()


def test_a_frozen_and_a_stopped_one(container):
    container.state("freeze")
    assert container.exec("true").status == 400
    container.state("unfreeze")
    s = start(container, "sh", "-c", "echo ready; exec sleep 1003")
    s.read("1", b"ready")
    container.state("stop", force=True)
    assert s.end()["metadata"]["return"] in (137, 129, 143)
    s.close()
    answer = container.exec("true")
    assert answer.status == 400 and answer.error == "Instance is not running"
    container.state("start")


def test_nothing_is_left_behind(container):
    pid = container.member.pid

    def count():
        return len(os.listdir("/proc/%d/fd" % pid))

    container.client.wait(container.exec("true"))
    before = count()
    for _ in range(10):
        s = start(container, "cat")
        s["0"].send(b"", 1)
        s.read("1")
        s.end()
        s.close()
    # Connections that were closed a moment ago may still be in the loop's hands.
    ws = container.client.websocket("/1.0/events", type="operation")
    ws.close()
    assert count() <= before + 8
