"""SFTP over an upgraded connection: what clients copy trees with."""
import secrets
import struct

import pytest

OK, EOF, NO_SUCH_FILE, DENIED, FAILURE, BAD_MESSAGE, UNSUPPORTED = 0, 1, 2, 3, 4, 5, 8
(OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH,
 STAT, RENAME, READLINK, SYMLINK) = range(3, 21)
EXTENDED = 200


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return struct.pack(">I", len(s)) + s


NO_ATTRS = struct.pack(">I", 0)


def mode(value):
    return struct.pack(">II", 4, value)


class Sftp:
    """A client of version 3, one request at a time."""

    def __init__(self, container, version=3):
        self.sock = container.client.raw_socket()
        self.sock.settimeout(20)
        self.sock.sendall(("GET %s/sftp HTTP/1.1\r\nHost: m\r\nUpgrade: sftp\r\nConnection: Upgrade\r\n\r\n"
                           % container.url).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.sock.recv(1)
            assert data, head
            head += data
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert b"upgrade: sftp" in head.lower()
        self.id = 0
        self.send(struct.pack(">BI", 1, version))
        kind, self.greeting = self.receive()
        assert kind == 2 and self.greeting[:4] == b"\0\0\0\3"

    def send(self, packet):
        self.sock.sendall(struct.pack(">I", len(packet)) + packet)

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def receive(self):
        packet = self.read(struct.unpack(">I", self.read(4))[0])
        return packet[0], packet[1:]

    def call(self, kind, payload=b""):
        self.id += 1
        self.send(struct.pack(">BI", kind, self.id) + payload)
        answer, data = self.receive()
        assert struct.unpack(">I", data[:4])[0] == self.id
        return answer, data[4:]

    def status(self, kind, payload=b""):
        answer, data = self.call(kind, payload)
        assert answer == 101, (answer, data)
        return struct.unpack(">I", data[:4])[0]

    def open(self, path, flags, attrs=NO_ATTRS):
        answer, data = self.call(OPEN, text(path) + struct.pack(">I", flags) + attrs)
        return data if answer == 102 else struct.unpack(">I", data[:4])[0]

    def stat(self, path, kind=STAT):
        answer, data = self.call(kind, text(path))
        if answer == 101:
            return struct.unpack(">I", data[:4])[0]
        return dict(zip(("flags", "size", "uid", "gid", "mode", "atime", "mtime"),
                        struct.unpack(">IQIIIII", data)))

    def name(self, kind, path):
        answer, data = self.call(kind, text(path))
        assert answer == 104, data
        size = struct.unpack(">I", data[4:8])[0]
        return data[8:8 + size].decode()

    def names(self, path):
        answer, handle = self.call(OPENDIR, text(path))
        assert answer == 102
        names = []
        while True:
            answer, data = self.call(READDIR, handle)
            if answer == 101:
                break
            at = 4
            for _ in range(struct.unpack(">I", data[:4])[0]):
                for i in range(2):
                    size = struct.unpack(">I", data[at:at + 4])[0]
                    if i == 0:
                        names.append(data[at + 4:at + 4 + size].decode())
                    at += 4 + size
                at += 32
        assert self.status(CLOSE, handle) == OK
        return names

    def close(self):
        self.sock.close()


@pytest.fixture(params=["running", "stopped"])
def sftp(container, request):
    if request.param == "stopped":
        container.state("stop", force=True)
    s = Sftp(container)
    assert s.status(MKDIR, text("/root/t") + NO_ATTRS) == OK
    yield s
    container.request("DELETE", "/files", path="/root/t", force="1")
    s.close()
    if request.param == "stopped":
        container.state("start")


def test_files(sftp):
    data = secrets.token_bytes(300000)
    handle = sftp.open("/root/t/f", 2 | 8 | 16, mode(0o640))
    for at in range(0, len(data), 32768):
        assert sftp.status(WRITE, handle + struct.pack(">Q", at) + text(data[at:at + 32768])) == OK
    assert sftp.status(CLOSE, handle) == OK
    assert sftp.status(CLOSE, handle) == BAD_MESSAGE
    st = sftp.stat("root/t/f")
    assert (st["size"], st["uid"], st["mode"]) == (len(data), 0, 0o100640)

    handle = sftp.open("/root/t/f", 1)
    read = b""
    while True:
        answer, more = sftp.call(READ, handle + struct.pack(">QI", len(read), 1 << 30))
        if answer == 101:
            assert struct.unpack(">I", more[:4])[0] == EOF
            break
        assert struct.unpack(">I", more[:4])[0] == len(more) - 4
        read += more[4:]
    assert read == data
    assert sftp.status(FSETSTAT, handle + struct.pack(">IIIIII", 2 | 4 | 8, 7, 8, 0o600, 5, 6)) == OK
    answer, st = sftp.call(FSTAT, handle)
    assert struct.unpack(">IQIIIII", st)[2:] == (7, 8, 0o100600, 5, 6)
    sftp.status(CLOSE, handle)
    assert sftp.status(SETSTAT, text("/root/t/f") + struct.pack(">IQ", 1, 10)) == OK
    assert sftp.stat("/root/t/f")["size"] == 10
    handle = sftp.open("/root/t/f", 2 | 4)
    assert sftp.status(WRITE, handle + struct.pack(">Q", 0) + text("end")) == OK
    assert sftp.stat("/root/t/f")["size"] == 13
    assert sftp.open("/root/t/f", 2 | 8 | 32) == FAILURE
    assert sftp.open("/root/t", 1) == FAILURE
    assert sftp.open("/root/t/none", 1) == NO_SUCH_FILE


def test_directories_and_names(sftp):
    for i in range(250):
        sftp.status(CLOSE, sftp.open("/root/t/n%d" % i, 2 | 8))
    assert sorted(sftp.names("/root/t")) == sorted([".", ".."] + ["n%d" % i for i in range(250)])
    assert sftp.status(MKDIR, text("/root/t/d") + mode(0o700)) == OK
    assert sftp.status(MKDIR, text("/root/t/d") + mode(0o700)) == FAILURE
    assert sftp.stat("/root/t/d")["mode"] == 0o40700
    assert sftp.status(RENAME, text("/root/t/n1") + text("/root/t/n2")) == FAILURE
    assert sftp.status(RENAME, text("/root/t/n1") + text("/root/t/d/n")) == OK
    assert sftp.status(EXTENDED, text("posix-rename@openssh.com") + text("/root/t/n2") + text("/root/t/n3")) == OK
    assert sftp.status(EXTENDED, text("hardlink@openssh.com") + text("/root/t/n3") + text("/root/t/h")) == OK
    assert sftp.call(EXTENDED, text("statvfs@openssh.com") + text("/"))[0] == 201
    assert sftp.status(EXTENDED, text("nothing@example.com")) == UNSUPPORTED
    assert sftp.status(RMDIR, text("/root/t/d")) == FAILURE
    assert sftp.status(REMOVE, text("/root/t/d/n")) == OK
    assert sftp.status(RMDIR, text("/root/t/d")) == OK
    assert sftp.status(REMOVE, text("/root/t/d")) == NO_SUCH_FILE
    assert sftp.name(REALPATH, ".") == "/"
    assert sftp.name(REALPATH, "root/../etc/./x//") == "/etc/x"


def test_links(container, sftp):
    assert sftp.status(SYMLINK, text("f") + text("/root/t/l")) == OK
    assert sftp.name(READLINK, "/root/t/l") == "f"
    assert sftp.stat("/root/t/l", LSTAT)["mode"] & 0o170000 == 0o120000
    assert sftp.stat("/root/t/l") == NO_SUCH_FILE
    outside = str(container.member.bed.dir)
    for target in (outside, "/.." * 20 + outside):
        sftp.status(REMOVE, text("/root/t/l"))
        assert sftp.status(SYMLINK, text(target) + text("/root/t/l")) == OK
        assert sftp.stat("/root/t/l/m1.log") == NO_SUCH_FILE
        assert isinstance(sftp.open("/root/t/l/made", 2 | 8), int)
        assert isinstance(sftp.open("/.." * 30 + outside + "/m1.log", 1), int)


def test_special_files_are_not_opened(container):
    s = Sftp(container)
    container.output("mkfifo", "/root/fifo")
    for path in ("/root/fifo", "/dev/null", "/dev/tty"):
        assert isinstance(s.open(path, 1), int)
        assert isinstance(s.open(path, 2), int)
    assert s.status(REMOVE, text("/root/fifo")) == OK
    s.close()


def test_what_is_no_sftp(container):
    """Packets that are wrong get an answer or the end, and others are served meanwhile."""
    s = Sftp(container)
    assert s.status(99) == UNSUPPORTED
    for payload in (b"", b"\xff\xff\xff\xff", text("a\0b"), text("x" * 5000), struct.pack(">I", 100) + b"x"):
        for kind in (OPEN, LSTAT, SETSTAT, OPENDIR, REMOVE, MKDIR, RENAME, READLINK, SYMLINK, REALPATH, CLOSE,
                     READ, WRITE, FSTAT, READDIR, EXTENDED):
            assert s.status(kind, payload) == BAD_MESSAGE, (kind, payload)
    for handle in (text(b"\xff\xff\xff\xff"), text(b"\0\0\0\0"), text("long handle")):
        assert s.status(READ, handle + struct.pack(">QI", 0, 10)) == BAD_MESSAGE
    handles = [s.open("/etc/hostname", 1) for _ in range(257)]
    assert sum(isinstance(h, bytes) for h in handles) == 256 and handles[-1] == FAILURE
    s.close()
    for wrong in (struct.pack(">I", 1 << 31), struct.pack(">I", 0), struct.pack(">I", 1) + b"\x03",
                  struct.pack(">I", 3) + b"abc"):
        s = Sftp(container)
        s.sock.sendall(wrong)
        with pytest.raises((EOFError, ConnectionError)):
            s.receive()
        s.close()


def test_an_upgrade_is_needed(container):
    answer = container.request("GET", "/sftp")
    assert answer.status == 400 and answer.error == "Missing or invalid upgrade header"
    assert container.client.get("/1.0/instances/nope/sftp").status == 404


def test_the_helper_goes_with_its_client(container):
    def children():
        out = container.member.inside("ps", "-e", "-o", "args")
        return sum("forkserver" in line for line in out.splitlines())

    before = children()
    sessions = [Sftp(container) for _ in range(5)]
    assert children() == before + 5
    for s in sessions:
        s.close()
    # Its end is seen when the next one is served.
    for _ in range(200):
        if children() == before:
            break
        Sftp(container).close()
    assert children() == before


def test_it_ends_with_the_instance(container):
    s = Sftp(container)
    container.state("stop", force=True)
    with pytest.raises((EOFError, ConnectionError)):
        s.receive()
    s.close()
    container.state("start")


def test_it_ends_with_the_daemon(container):
    """Also on one that is stopped, whose volume is mounted for it."""
    container.state("stop", force=True)
    sessions = [Sftp(container) for _ in range(3)]
    container.member.stop()
    for s in sessions:
        with pytest.raises((EOFError, ConnectionError)):
            s.receive()
        s.close()
    container.member.start()
    container.state("start")
    Sftp(container).close()
