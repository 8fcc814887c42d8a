"""A daemon for the tests: started in a directory of its own, spoken to over its unix socket.

MUSTERD names the program; meson sets it. Everything that a test starts is ended by the fixtures,
and the directory goes with it.
"""
import base64
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import urllib.parse

import pytest

MUSTERD = os.environ.get("MUSTERD", "build/musterd")
KIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("muster", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Answer:
    """Status, headers and body of an answer; 'metadata' of an envelope."""

    def __init__(self, status, headers, raw):
        self.status = status
        self.headers = {k.lower(): v for k, v in headers}
        self.raw = raw
        try:
            self.json = json.loads(raw) if raw else None
        except ValueError:
            self.json = None

    @property
    def metadata(self):
        return self.json["metadata"]

    @property
    def error(self):
        return self.json["error"]

    @property
    def etag(self):
        return self.headers.get("etag")


class Client:
    """Requests over a unix socket, or over HTTPS with or without a certificate."""

    def __init__(self, unix=None, address=None, cert=None, key=None, timeout=30):
        self.unix, self.address, self.timeout = unix, address, timeout
        self.context = None
        if address:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
            if cert:
                self.context.load_cert_chain(cert, key)

    def connection(self):
        if self.unix:
            return UnixConnection(self.unix, self.timeout)
        host, _, port = self.address.rpartition(":")
        return http.client.HTTPSConnection(host, int(port), timeout=self.timeout,
                                           context=self.context)

    def request(self, method, path, /, body=None, headers=None, **query):
        if query:
            query = {k.replace("_", "-"): v for k, v in query.items()}
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode(query)
        head = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            head.setdefault("Content-Type", "application/json")
        connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=head)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def get(self, path, **query):
        return self.request("GET", path, **query)

    def put(self, path, body, headers=None, **query):
        return self.request("PUT", path, body, headers, **query)

    def patch(self, path, body, headers=None, **query):
        return self.request("PATCH", path, body, headers, **query)

    def post(self, path, body=None, headers=None, **query):
        return self.request("POST", path, body, headers, **query)

    def delete(self, path, **query):
        return self.request("DELETE", path, **query)

    def wait(self, answer, timeout=60):
        """Waits for the operation of a 202 and returns it as it ended."""
        assert answer.status == 202, answer.raw
        return self.get(answer.json["operation"] + "/wait", timeout=timeout).metadata

    def raw_socket(self):
        connection = self.connection()
        connection.connect()
        return connection.sock

    def websocket(self, path, **query):
        return WebSocket(self, path, query)


class WebSocket:
    """Enough of RFC 6455 to read events and to write small messages."""

    def __init__(self, client, path, query):
        if query:
            query = {k.replace("_", "-"): v for k, v in query.items()}
            path += "?" + urllib.parse.urlencode(query)
        self.sock = client.raw_socket()
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.sock.sendall(("GET %s HTTP/1.1\r\nHost: muster\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                           "Sec-WebSocket-Version: 13\r\n\r\n" % (path, key)).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.sock.recv(4096)
            if not data:
                break
            head += data
        head, _, self.buffer = head.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])
        if self.status == 101:
            accept = base64.b64encode(hashlib.sha1(
                (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
            assert b"\r\nsec-websocket-accept: " + accept.lower() in head.lower()

    def _read(self, n):
        while len(self.buffer) < n:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def frame(self):
        """The next data frame as (opcode, payload); pings are answered."""
        while True:
            first, second = self._read(2)
            size = second & 127
            if size == 126:
                size = struct.unpack(">H", self._read(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._read(8))[0]
            payload = self._read(size)
            if first & 15 == 9:
                self.send(payload, 10)
            elif first & 15 != 10:
                return first & 15, payload

    def event(self, **wanted):
        """The next event whose metadata has these values."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                raise EOFError
            event = json.loads(payload)
            if all(event["metadata"].get(k) == v for k, v in wanted.items()):
                return event

    def send(self, payload, opcode=1):
        mask = secrets.token_bytes(4)
        assert len(payload) < 126
        self.sock.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask +
                          bytes(c ^ mask[i & 3] for i, c in enumerate(payload)))

    def close(self):
        self.sock.close()


class Daemon:
    """One musterd in the foreground, in a state directory of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.process = None
        self.log_path = directory + ".log"
        self.client = Client(unix=os.path.join(directory, "unix.socket"))

    @property
    def environment(self):
        return dict(os.environ, MUSTER_DIR=self.directory, LXD_DIR=self.directory)

    def tool(self, *args, **kwargs):
        """Runs a subcommand on this daemon."""
        return subprocess.run([MUSTERD, *args], env=self.environment, capture_output=True,
                              text=True, timeout=60, **kwargs)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([MUSTERD, "--debug"], env=self.environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ready = self.tool("waitready", "--timeout", "30")
        assert ready.returncode == 0, ready.stderr + self.log()
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            status = self.process.wait(30)
            self.process = None
            return status
        return None

    def remove(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.exists(self.log_path):
            os.unlink(self.log_path)


@pytest.fixture(scope="session")
def scratch():
    path = tempfile.mkdtemp(prefix="muster-api-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def daemon(scratch):
    """A daemon that the tests of a module share."""
    d = Daemon(os.path.join(scratch, "m" + secrets.token_hex(4)))
    yield d.start()
    d.remove()


@pytest.fixture
def fresh(scratch):
    """Makes daemons for one test; each is removed after it."""
    made = []

    def make():
        made.append(Daemon(os.path.join(scratch, "f" + secrets.token_hex(4))))
        return made[-1]

    yield make
    for d in made:
        d.remove()


@pytest.fixture
def client(daemon):
    return daemon.client


@pytest.fixture
def name():
    """A name that no other test has."""
    return "t" + secrets.token_hex(4)


def free_address():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


@pytest.fixture
def address():
    return free_address()


@pytest.fixture(scope="module")
def https(daemon):
    """The address on which the module's daemon serves HTTPS."""
    where = free_address()
    assert daemon.client.patch("/1.0", {"config": {"core.https_address": where}}).status == 200
    return where


class Certificate:
    def __init__(self, directory, common_name):
        self.cert = os.path.join(directory, common_name + ".crt")
        self.key = os.path.join(directory, common_name + ".key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:secp384r1", "-nodes", "-days", "2", "-subj",
                        "/CN=" + common_name, "-keyout", self.key, "-out", self.cert],
                       check=True, capture_output=True)
        with open(self.cert, encoding="ascii") as f:
            self.der = ssl.PEM_cert_to_DER_cert(f.read())
        self.base64 = base64.b64encode(self.der).decode()
        self.fingerprint = hashlib.sha256(self.der).hexdigest()


@pytest.fixture
def certificate(scratch, name):
    return Certificate(scratch, name)


class Container:
    """A container from the busybox image, on a daemon in namespaces of its own."""

    def __init__(self, member, name):
        self.member, self.name = member, name
        self.url = "/1.0/instances/" + name
        self.client = Client(unix=str(member.dir / "unix.socket"))

    def request(self, method, below, /, body=None, headers=None, **query):
        return self.client.request(method, self.url + below, body, headers, **query)

    def state(self, action, **more):
        answer = self.client.put(self.url + "/state", dict(more, action=action))
        operation = self.client.wait(answer)
        assert operation["status"] == "Success", operation

    def exec(self, *command, **more):
        """Starts a command and returns the answer."""
        return self.client.post(self.url + "/exec", dict(more, command=list(command)))

    def output(self, *command):
        """What a command prints and its status, by way of a recording."""
        operation = self.client.wait(self.exec(*command, **{"record-output": True}))
        out = self.client.get(operation["metadata"]["output"]["1"]).raw
        return operation["metadata"]["return"], out.decode()


@pytest.fixture(scope="module")
def container():
    sys.path.insert(0, KIT)
    from testbed import Testbed
    directory = tempfile.mkdtemp(prefix="muster-ct-")
    os.chmod(directory, 0o711)
    image = os.path.join(directory, "image.tar.gz")
    subprocess.run(["/usr/bin/python3", os.path.join(KIT, "busybox_image.py"), image],
                   check=True, capture_output=True)
    bed = Testbed(os.path.join(directory, "bed-" + secrets.token_hex(4)),
                  build=os.path.dirname(os.path.abspath(MUSTERD)))
    try:
        member = bed.up(1, clustered=False).members[0]
        with open(image, "rb") as f:
            data = f.read()
        member.api("POST", "/1.0/storage-pools", {"name": "default", "driver": "dir"})
        member.api("POST", "/1.0/images", data,
                   headers={"Content-Type": "application/octet-stream"})
        image = member.api("GET", "/1.0/images")[0].rsplit("/", 1)[1]
        member.api("POST", "/1.0/instances", {
            "name": "c1", "start": True, "source": {"type": "image", "fingerprint": image},
            "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}}})
        yield Container(member, "c1")
    finally:
        bed.down()
        shutil.rmtree(directory, ignore_errors=True)
