"""What a client may do to the wire: silence, slowness, garbage, two readings of one message.

Each class of the boundaries 'socket, before trust' and 'HTTP'; others are served meanwhile.
"""
import json
import re
import select
import socket
import ssl
import struct
import time

import pytest

from conftest import MUSTERD, Client

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def tcp(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def unix(daemon):
    return daemon.client.raw_socket()


def tls(address):
    return Client(address=address).raw_socket()


def read_all(sock, limit=60):
    """Everything until the server closes; a reset ends it too."""
    sock.settimeout(limit)
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        pass
    return data


def exchange(daemon, message):
    """Sends bytes, half-closes, and returns all answers to them."""
    sock = unix(daemon)
    try:
        try:
            sock.sendall(message)
            sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_all(sock)
    finally:
        sock.close()


def statuses(data):
    return [int(s) for s in re.findall(rb"(?:^|(?<=[\n}]))HTTP/1\.1 (\d{3})", data)]


def write(body, *lines, path="/1.0", method="PATCH", version="HTTP/1.1"):
    head = ["%s %s %s" % (method, path, version), "Host: muster", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


def note(value):
    return json.dumps({"config": {"user.threat": value}}).encode()


@pytest.fixture
def unchanged(client):
    before = client.get("/1.0").metadata["config"]
    yield
    assert client.get("/1.0").metadata["config"] == before


def hello_record():
    """The bytes of a real ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def test_who_dawdles_is_cut_off_and_delays_nobody(daemon, client, https):
    hello = hello_record()
    head = b"GET /1.0 HTTP/1.1\r\nHost: muster\r\nX-Slow: " + b"x" * 4000
    started = []
    for _ in range(6):  # What is sent at once, and what follows byte by byte.
        started += [
            (unix(daemon), b"", b""),
            (unix(daemon), b"GET /1.0 HT", b""),
            (unix(daemon), b"", head),
            (unix(daemon), b"STARTTLS\n", b""),
            (unix(daemon), b"STARTTLS\n", hello),
            (tcp(https), b"", b""),
            (tcp(https), hello[:40], b""),
            (tcp(https), b"", hello * 8),
            (tcp(https), hello, b""),
            (tls(https), b"", b""),
            (tls(https), b"GET /1.0 HTTP/1.1\r\n", b""),
            (tls(https), b"", head),
        ]
    open_ends = {sock: rest for sock, first, rest in started}
    for sock, first, _ in started:
        sock.sendall(first)
        sock.setblocking(False)
    end = time.monotonic() + 60
    slowest = 0
    while open_ends and time.monotonic() < end:
        before = time.monotonic()
        assert client.get("/1.0").status == 200
        slowest = max(slowest, time.monotonic() - before)
        for sock, rest in list(open_ends.items()):
            try:
                if rest:
                    sock.send(rest[:1])
                    open_ends[sock] = rest[1:]
                while sock.recv(65536):
                    pass
                raise ConnectionResetError
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                sock.close()
                del open_ends[sock]
        select.select(list(open_ends), [], [], 0.05)
    assert not open_ends, [(s, len(r)) for s, r in open_ends.items()]
    assert slowest < 2


GARBAGE = [b"\0" * 64, b"\xff" * 64, b"\r\n" * 4000, b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x05hello",
           b"\x16\x03\x03\xff\xff" + b"x" * 70000, b"\x80\x2e\x01\x00\x02", b"get / http/1.1\r\n\r\n",
           PREFACE, b"GET /1.0\r\n\r\n", b"GET  /1.0 HTTP/1.1\r\nHost: x\r\n\r\n",
           b"GET /1.0 HTTP/1.1\nHost: x\n\n", b"GET /1.0 HTTP/3.0\r\nHost: x\r\n\r\n",
           b"GET http://x y/ HTTP/1.1\r\nHost: x\r\n\r\n", b"STARTTLS\r\nGET / HTTP/1.1\r\n\r\n",
           b"STARTTLS\nGET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_400_or_the_end(daemon, client, https, garbage):
    assert set(statuses(exchange(daemon, garbage))) <= {400, 404, 505}
    with tcp(https) as sock:
        try:
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert not statuses(read_all(sock))
    assert client.get("/1.0").status == 200


def test_nothing_older_than_tls_13(https):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tcp(https) as sock, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(sock)


def test_a_thousand_idle_connections_cost_the_others_nothing(daemon, client, https):
    idle = []
    try:
        for i in range(1000):
            idle.append(unix(daemon) if i % 2 else tcp(https))  # Never a word on them.
        before = time.monotonic()
        for _ in range(20):
            assert client.get("/1.0").status == 200
        assert time.monotonic() - before < 4
        assert Client(address=https).get("/1.0").status == 200
    finally:
        for sock in idle:
            sock.close()


BODY = note("two readings")
TWO_READINGS = {
    "two lengths": write(BODY, "Content-Length: %d" % len(BODY), "Content-Length: 5"),
    "list of lengths": write(BODY, "Content-Length: %d, 5" % len(BODY)),
    "same length twice": write(BODY, *["Content-Length: %d" % len(BODY)] * 2),
    "length and chunks": write(chunked(BODY), "Content-Length: 5", "Transfer-Encoding: chunked"),
    "chunks and length": write(chunked(BODY), "Transfer-Encoding: chunked", "Content-Length: 5"),
    "unknown coding": write(BODY, "Transfer-Encoding: gzip", "Content-Length: %d" % len(BODY)),
    "coding after chunks": write(chunked(BODY), "Transfer-Encoding: chunked, gzip"),
    "coding twice": write(chunked(BODY), "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "coding with a tab": write(chunked(BODY), "Transfer-Encoding: \x0bchunked"),
    "chunks in HTTP/1.0": write(chunked(BODY), "Transfer-Encoding: chunked", version="HTTP/1.0"),
    "signed length": write(BODY, "Content-Length: +%d" % len(BODY)),
    "negative length": write(BODY, "Content-Length: -1"),
    "hex length": write(BODY, "Content-Length: 0x%x" % len(BODY)),
    "huge length": write(BODY, "Content-Length: 99999999999999999999999"),
    "empty length": write(BODY, "Content-Length:"),
    "space before colon": write(BODY, "Content-Length : %d" % len(BODY)),
    "folded line": write(BODY, "Content-Length:", " %d" % len(BODY)),
    "NUL in a header": write(BODY, "X-A: a\0b", "Content-Length: %d" % len(BODY)),
    "bare CR in a header": write(BODY, "X-A: a\rContent-Length: 3", "Content-Length: %d" % len(BODY)),
    "two hosts": write(BODY, "Host: other", "Content-Length: %d" % len(BODY)),
    "bad chunk size": write(b"zz\r\n" + BODY + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "signed chunk size": write(b"+%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
                               "Transfer-Encoding: chunked"),
    "huge chunk size": write(b"f" * 17 + b"\r\n" + BODY, "Transfer-Encoding: chunked"),
    "chunk longer than said": write(b"%x\r\n%sxx\r\n0\r\n\r\n" % (len(BODY), BODY),
                                    "Transfer-Encoding: chunked"),
    "bare LF in chunks": write(b"%x\n%s\n0\n\n" % (len(BODY), BODY), "Transfer-Encoding: chunked"),
    "control in the path": write(BODY, "Content-Length: %d" % len(BODY), path="/1.0\x01"),
}


@pytest.mark.parametrize("case", TWO_READINGS)
def test_what_has_two_readings_is_refused(daemon, unchanged, case):
    answers = statuses(exchange(daemon, TWO_READINGS[case]))
    assert len(answers) <= 1 and set(answers) <= {400, 413, 501}, answers


CUT_OFF = {
    "length": write(note("cut"), "Content-Length: %d" % (len(note("cut")) + 1)),
    "no end of chunks": write(chunked(note("cut"))[:-5], "Transfer-Encoding: chunked"),
    "no end of trailers": write(chunked(note("cut"))[:-2], "Transfer-Encoding: chunked"),
    "within": write(note("cut")[:-4], "Content-Length: %d" % len(note("cut"))),
}


@pytest.mark.parametrize("case", CUT_OFF)
def test_a_body_that_ends_early_changes_nothing(daemon, unchanged, case):
    assert set(statuses(exchange(daemon, CUT_OFF[case]))) <= {400}


def test_an_upload_that_ends_early_leaves_nothing(daemon, client):
    import os
    for lines in (["Content-Length: 100000"], ["Transfer-Encoding: chunked"]):
        body = b"x" * 50000 if "Length" in lines[0] else b"ffff\r\n" + b"x" * 50000
        exchange(daemon, write(body, *lines, path="/1.0/images", method="POST"))
    assert client.get("/1.0/images").metadata == []
    assert os.listdir(daemon.directory + "/images") == []


def test_chunks_that_are_right_are_carried_out(daemon, client):
    body = note("chunks")
    answers = exchange(daemon, write(chunked(body[:5], body[5:]), "Transfer-Encoding: chunked"))
    assert statuses(answers) == [200]
    assert client.get("/1.0").metadata["config"]["user.threat"] == "chunks"
    assert client.patch("/1.0", {"config": {"user.threat": ""}}).status == 200


def test_limits_of_heads(daemon, client):
    for head in (write(b"", "X-Long: " + "x" * 70000), write(b"", "X-A: b", *["X-%d: 1" % i for i in range(20000)]),
                 write(b"", path="/1.0/" + "a" * 70000, method="GET")):
        assert statuses(exchange(daemon, head)) in ([400], [414], [431], [])
    assert client.get("/1.0").status == 200


def test_limits_of_bodies_are_known_from_the_head(daemon, unchanged):
    # Refused before it is sent: nothing of the body follows.
    head = write(b"", "Content-Length: 9000000000")
    sock = unix(daemon)
    sock.sendall(head)
    assert statuses(read_all(sock)) == [413]
    sock.close()


def test_depth_of_json(client, unchanged):
    for deep in (b"[" * 100000, b'{"config":' * 5000, b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"):
        assert client.patch("/1.0", deep).status == 400


JSON = {
    "duplicate key": '{"config": {"user.a": "1"}, "config": {}}',
    "duplicate key within": '{"config": {"user.a": "1", "user.a": "2"}}',
    "duplicate by escape": '{"config": {"user.a": "1", "user.\\u0061": "2"}}',
    "trailing text": '{"config": {}} {}', "comment": '{"config": {} /* */}',
    "single quotes": "{'config': {}}", "NaN": '{"config": NaN}', "bare word": '{config: {}}',
    "trailing comma": '{"config": {},}', "bad escape": '{"config": {"user.a": "\\x41"}}',
    "lone surrogate": '{"config": {"user.a": "\\ud800"}}', "NUL": '{"config": {"user.a": "a\\u0000b"}}',
    "NUL in a key": '{"config": {"user.a\\u0000b": "1"}}', "raw control": '{"config": {"user.a": "a\nb"}}',
    "raw NUL": b'{"config": {"user.a": "a\0b"}}', "byte order mark": b'\xef\xbb\xbf{"config": {}}',
    "invalid UTF-8": b'{"config": {"user.a": "\xff\xfe"}}', "overlong": b'{"config": {"user.a": "\xc0\xaf"}}',
    "surrogate in UTF-8": b'{"config": {"user.a": "\xed\xa0\x80"}}',
    "beyond Unicode": b'{"config": {"user.a": "\xf4\x90\x80\x80"}}', "UTF-16": '{"config": {}}'.encode("utf-16"),
    "cut off": '{"config": {"user.a": "1"', "array": "[]", "text": '"x"', "number": "5", "blank": "   ",
    "leading zero": '{"config": {}, "x": 01}', "huge exponent": '{"config": 1e999999}',
}


@pytest.mark.parametrize("case", JSON)
def test_json_has_one_reading(client, unchanged, case):
    answer = client.patch("/1.0", JSON[case])
    assert answer.status == 400 and answer.error, answer.raw


def test_heads_of_upgrades_that_are_half_right(daemon, client):
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    rest = {
        "no key": ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
        "short key": ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: AAAA",
                      "Sec-WebSocket-Version: 13"],
        "old version": ["Upgrade: websocket", "Connection: Upgrade", key, "Sec-WebSocket-Version: 8"],
        "no connection": ["Upgrade: websocket", key, "Sec-WebSocket-Version: 13"],
        "other upgrade": ["Upgrade: h2c", "Connection: Upgrade", key, "Sec-WebSocket-Version: 13"],
        "none": [],
    }
    for case, lines in rest.items():
        answers = statuses(exchange(daemon, write(b"", *lines, path="/1.0/events", method="GET")))
        assert len(answers) == 1 and 400 <= answers[0] < 500, (case, answers)
    assert client.get("/1.0").status == 200


def frame(opcode, payload, fin=True, mask=True, size=None):
    size = len(payload) if size is None else size
    if size < 126:
        head = bytes([opcode | (0x80 if fin else 0), size | (0x80 if mask else 0)])
    else:
        head = bytes([opcode | (0x80 if fin else 0), 127 | (0x80 if mask else 0)]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if mask else b"") + payload


FRAMES = {
    "no mask": frame(1, b"x", mask=False), "reserved bits": frame(0x71, b"x"),
    "unknown opcode": frame(3, b"x"), "long control": frame(9, b"x" * 200),
    "fragmented control": frame(9, b"x", fin=False), "continues nothing": frame(0, b"x"),
    "huge": frame(2, b"x", size=1 << 62), "top bit": frame(2, b"x", size=1 << 63),
    "invalid text": frame(1, b"\xff\xff"), "close of one byte": frame(8, b"x"),
    "gone": None,
}


@pytest.mark.parametrize("case", FRAMES)
def test_frames_that_are_wrong_end_the_stream_alone(client, case):
    other = client.websocket("/1.0/events", type="lifecycle")
    stream = client.websocket("/1.0/events", type="lifecycle")
    assert stream.status == other.status == 101
    if FRAMES[case] is not None:
        stream.sock.sendall(FRAMES[case])
        read_all(stream.sock)
    stream.close()
    assert client.patch("/1.0", {"config": {"user.x": case}}).status == 200
    assert other.event(action="config-updated")
    other.close()


def test_a_listener_that_does_not_read_is_cut_off(daemon, client):
    """It costs a bounded queue, whatever is published."""
    deaf = client.websocket("/1.0/events", type="logging,lifecycle,operation", project="default")
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    before = resident(daemon)
    value = "x" * 60000
    for i in range(60):
        assert client.patch("/1.0", {"config": {"user.x": value + str(i)}}).status == 200
    # A checked build keeps what was freed for a while.
    assert resident(daemon) - before < (512 << 20 if b"__asan" in program() else 64 << 20)
    deaf.close()
    assert client.patch("/1.0", {"config": {"user.x": ""}}).status == 200


def program():
    with open(MUSTERD, "rb") as f:
        return f.read()


def resident(daemon):
    with open("/proc/%d/statm" % daemon.process.pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * 4096


def test_an_answer_that_nobody_reads_holds_up_nobody(daemon, client):
    request = b"GET /1.0/metadata/configuration HTTP/1.1\r\nHost: muster\r\n\r\n"
    stuck = [unix(daemon) for _ in range(64)]
    for sock in stuck:
        sock.sendall(request * 20)
    before = time.monotonic()
    assert client.get("/1.0").status == 200
    assert time.monotonic() - before < 5
    for sock in stuck:
        sock.close()


def test_descriptors_come_back(daemon, client, https):
    import os

    def count():
        return len(os.listdir("/proc/%d/fd" % daemon.process.pid))

    assert client.get("/1.0").status == 200
    before = count()
    for _ in range(30):
        stream = client.websocket("/1.0/events")
        stream.close()
        sock = tcp(https)
        sock.sendall(b"x")
        sock.close()
        exchange(daemon, b"POST /1.0/images HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\nxx")
    end = time.monotonic() + 30
    while count() > before + 4 and time.monotonic() < end:
        client.get("/1.0")
    assert count() <= before + 4
