"""The console of a container: being on it, its log, and who is thrown off."""
import select
import socket
import time

from test_instance_exec import Streams


def attach(container, **more):
    return Streams(container, container.client.post(container.url + "/console",
                                                    dict(more, width=80, height=25)))


def write(container, text):
    assert container.output("sh", "-c", "echo %s > /dev/console" % text)[0] == 0


def see(container, streams, text):
    """Writes until it arrives: what is written before somebody is on the console goes into its log alone."""
    stream, seen, deadline = streams["0"], b"", time.monotonic() + 60
    while text.encode() not in seen:
        assert time.monotonic() < deadline, seen
        write(container, text)
        while stream.buffer or select.select([stream.sock], [], [], 0.5)[0]:
            # A frame has begun: it is read to its end, which comes within the socket's own limit.
            assert time.monotonic() < deadline, seen
            opcode, payload = stream.frame()
            assert opcode == 2, (opcode, payload)
            seen += payload


def test_what_is_written_arrives(container):
    s = attach(container)
    see(container, s, "to-the-console")
    s["control"].sock.shutdown(socket.SHUT_RDWR)
    operation = s.end()
    assert operation["description"] == "Showing console"
    assert operation["status"] == "Success"
    s.close()


def test_the_log(container):
    assert container.request("DELETE", "/console").status == 200
    assert container.request("GET", "/console").raw == b""
    write(container, "remember")
    # The monitor writes it down on its own time.
    for _ in range(1000):
        log = container.request("GET", "/console").raw
        if b"remember" in log:
            break
    assert log.endswith(b"remember\r\n")
    assert container.request("DELETE", "/console").status == 200


def test_one_at_a_time(container):
    first = attach(container, type="console")
    see(container, first, "one")
    answer = container.client.post(container.url + "/console", {})
    second = Streams(container, answer)
    operation = second.end()
    assert operation["status"] == "Failure" and "already in use" in operation["err"]
    second.close()
    third = attach(container, force=True)
    see(container, third, "three")
    assert first.end()["status"] == "Success"
    first.close()
    third["0"].sock.shutdown(socket.SHUT_RDWR)
    assert third.end()["status"] == "Success"
    third.close()
    # Nobody is on it any more.
    s = attach(container)
    see(container, s, "four")
    s.close()
    assert s.end()["status"] == "Success"


def test_wrong_requests(container):
    for body in ({"type": "vga"}, {"type": "bogus"}, {"type": 1}, {"width": -1}, {"height": 70000},
                 {"force": "yes"}, "{bad"):
        answer = container.request("POST", "/console", body)
        assert answer.status == 400, (body, answer.raw)


def test_it_ends_with_the_instance(container):
    s = attach(container)
    see(container, s, "here")
    container.state("stop", force=True)
    assert s.end()["status"] == "Success"
    s.close()
    assert container.request("POST", "/console", {}).status == 400
    assert container.request("GET", "/console").status == 200
    container.state("start")
