"""Images between servers that share nothing: fetched by one, or sent by the other."""
import http.server
import json
import secrets
import ssl
import threading

import pytest

from conftest import Certificate, Client, Daemon, free_address
from test_images import METADATA, add, files, multipart, remove, tar, unified
from threats_world import refused


class Server:
    def __init__(self, directory):
        self.daemon = Daemon(directory).start()
        self.client, self.address = self.daemon.client, free_address()
        assert self.client.patch("/1.0", {"config": {"core.https_address": self.address}}).status == 200
        self.url = "https://" + self.address
        self.certificate = self.client.get("/1.0").metadata["environment"]["certificate"]
        self.stranger = Client(address=self.address)


@pytest.fixture(scope="module")
def two(scratch):
    made = [Server("%s/r%s" % (scratch, secrets.token_hex(4))) for _ in range(2)]
    yield made
    for server in made:
        server.daemon.remove()


@pytest.fixture(scope="module")
def other(scratch):
    return Certificate(scratch, "other-server")


def pem_of(certificate):
    with open(certificate.cert, encoding="ascii") as f:
        return f.read()


def source(server, /, **more):
    return {"source": dict({"type": "image", "mode": "pull", "server": server.url, "protocol": "lxd",
                            "certificate": server.certificate}, **more)}


def end(client, answer):
    assert answer.status == 202, answer.raw
    op = client.wait(answer)
    return op["status"], op["err"] or op["metadata"].get("fingerprint")


def split(name):
    """More than strangers may send as they are."""
    return multipart([("metadata", tar([("metadata.yaml", METADATA)])),
                      ("rootfs", tar([("etc/seed", name * 300000)]))])


@pytest.fixture(params=["unified", "split"])
def image(request, two, name):
    """An image of the first server; gone afterwards on both."""
    args = (unified(name),) if request.param == "unified" else split(name)
    fingerprint = add(two[0].client, *args, headers={"X-LXD-properties": "flavour=far"})
    yield fingerprint
    for server in two:
        if server.client.get("/1.0/images/" + fingerprint).status == 200:
            remove(server.client, fingerprint)


def export(server, fingerprint):
    """The files, without what is put around them."""
    answer = server.client.get("/1.0/images/%s/export" % fingerprint)
    boundary = answer.headers["content-type"].partition("boundary=")[2]
    return answer.raw.replace(boundary.encode(), b"") if boundary else answer.raw


def test_a_public_image_is_fetched(two, image):
    a, b = two
    assert a.client.patch("/1.0/images/" + image, {"public": True}).status == 200
    answer = b.client.post("/1.0/images", dict(source(a, fingerprint=image[:20]), properties={"n": "9"},
                                               aliases=[{"name": "got", "description": "d"}]))
    assert end(b.client, answer) == ("Success", image)
    seen = b.client.get("/1.0/images/" + image).metadata
    assert seen["properties"] == {"os": "test", "n": "9", "flavour": "far"}
    assert seen["filename"] == "i.tar.gz" and not seen["public"] and "update_source" not in seen
    assert [x["name"] for x in seen["aliases"]] == ["got"]
    assert export(b, image) == export(a, image)
    # Once more is no failure, and nothing new.
    assert end(b.client, b.client.post("/1.0/images", source(a, fingerprint=image))) == ("Success", image)


def test_an_alias_is_followed_and_remembered(two, image):
    a, b = two
    assert a.client.patch("/1.0/images/" + image, {"public": True}).status == 200
    assert a.client.post("/1.0/images/aliases", {"name": "with/slash", "target": image}).status == 201
    assert end(b.client, b.client.post("/1.0/images", source(a, alias="with/slash"))) == ("Success", image)
    assert b.client.get("/1.0/images/" + image).metadata["update_source"] == {
        "alias": "with/slash", "certificate": a.certificate, "protocol": "lxd", "server": a.url,
        "image_type": "container"}


def test_a_private_image_needs_its_secret_once(two, image):
    a, b = two
    assert "Not Found" in end(b.client, b.client.post("/1.0/images", source(a, fingerprint=image)))[1]
    secret = a.client.post("/1.0/images/%s/secret" % image).metadata["metadata"]["secret"]
    assert end(b.client, b.client.post("/1.0/images", source(a, fingerprint=image, secret="0" * 64)))[0] == "Failure"
    answer = b.client.post("/1.0/images", source(a, fingerprint=image, secret=secret))
    assert end(b.client, answer) == ("Success", image)
    remove(b.client, image)
    answer = b.client.post("/1.0/images", source(a, fingerprint=image, secret=secret))
    assert end(b.client, answer)[0] == "Failure"


def test_another_certificate_is_not_believed(two, image, other):
    a, b = two
    assert a.client.patch("/1.0/images/" + image, {"public": True}).status == 200
    for certificate in (pem_of(other), ""):
        body = source(a, fingerprint=image)
        body["source"]["certificate"] = certificate
        assert end(b.client, b.client.post("/1.0/images", body))[0] == "Failure"
    assert b.client.get("/1.0/images").metadata == [] and files(b.daemon) == []


@pytest.mark.parametrize("change", [
    {"server": ""}, {"server": "x"}, {"server": "http://127.0.0.1:1"}, {"server": "https://"},
    {"server": "https://u:p@127.0.0.1"}, {"server": "https://a\nb"}, {"server": "file:///etc/passwd"},
    {"certificate": "x"}, {"protocol": "ftp"}, {"protocol": "simplestreams"}, {"mode": "sideways"}, {"alias": "a"},
    {"fingerprint": ""}, {"type": "url", "url": "file:///etc/passwd"}, {"type": "url", "url": ""},
    {"mode": "push", "fingerprint": "x"}, {"mode": "push", "fingerprint": "../x"}, {"fingerprint": 5},
], ids=str)
def test_sources_that_are_wrong(two, change):
    a, b = two
    answer = b.client.post("/1.0/images", source(a, **dict({"fingerprint": "a" * 64}, **change)))
    assert refused(answer) or answer.status == 501 and answer.error, answer.raw


def token(server, fingerprint, **more):
    answer = server.client.post("/1.0/images", dict(more, source={
        "type": "image", "mode": "push", "fingerprint": fingerprint}))
    assert answer.status == 202 and answer.metadata["class"] == "token"
    assert answer.metadata["description"] == "Image upload token"
    return answer.metadata["metadata"]["secret"]


def push(a, b, image, **more):
    body = dict({"target": b.url, "certificate": b.certificate}, **more)
    return a.client.post("/1.0/images/%s/export" % image, body)


def test_of_two_with_one_secret_one_is_heard(two, image):
    a, b = two
    secret = token(b, image)
    answers = [push(a, b, image, secret=secret) for _ in range(2)]
    assert answers[0].metadata["description"] == "Uploading image"
    assert sorted(end(a.client, answer)[0] for answer in answers) == ["Failure", "Success"]


def test_a_sent_image_is_what_was_agreed(two, image):
    a, b = two
    secret = token(b, image, aliases=[{"name": "sent", "description": "d"}], properties={"n": "7"})
    assert end(a.client, push(a, b, image, secret=secret))[0] == "Success"
    seen = b.client.get("/1.0/images/" + image).metadata
    assert seen["properties"] == {"os": "test", "n": "7"} and not seen["public"]
    assert [(x["name"], x["description"]) for x in seen["aliases"]] == [("sent", "d")]
    assert export(b, image) == export(a, image)
    assert end(a.client, push(a, b, image, secret=secret))[0] == "Failure"


def refused_by_its_head(client, headers):
    """The answer to an upload of 3 MB of which nothing but the head is sent."""
    connection = client.connection()
    try:
        connection.putrequest("POST", "/1.0/images")
        for name, value in dict(headers, **{"Content-Length": str(3 << 20)}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["error"]
    finally:
        connection.close()


def test_strangers_send_nothing_without_a_secret(two, name):
    _, b = two
    data = unified(name)
    other_image = "f" * 64
    secret = token(b, other_image)
    head = {"Content-Type": "application/octet-stream"}
    for headers in ({}, {"X-LXD-secret": ""}, {"X-LXD-secret": "x"}, {"X-LXD-secret": "0" * 64},
                    {"X-LXD-secret": secret}, {"X-LXD-secret": secret, "X-LXD-fingerprint": "a" * 64},
                    {"X-LXD-secret": secret, "X-LXD-fingerprint": "../x"}):
        answer = b.stranger.post("/1.0/images", data, dict(head, **headers))
        assert answer.status == 403, (headers, answer.raw)
    for headers in ({}, {"X-LXD-secret": "x"}):
        assert refused_by_its_head(b.stranger, dict(head, **headers))[0] == 403
    # Of another content than agreed: the operation fails, the secret is gone.
    good = dict(head, **{"X-LXD-secret": secret, "X-LXD-fingerprint": other_image})
    answer = b.stranger.post("/1.0/images", data, good)
    assert answer.status == 202
    wait = answer.json["operation"] + "/wait"
    assert b.stranger.get(wait).status == 403
    assert b.stranger.get(wait, secret=secret).metadata["status"] == "Failure"
    assert b.stranger.post("/1.0/images", data, good).status == 403
    # Nor does it let anything large in again.
    assert refused_by_its_head(b.stranger, good) == (403, "Forbidden")
    for body in ({"source": {"type": "image", "mode": "push", "fingerprint": "a" * 64}},
                 {"source": {"type": "image", "server": b.url, "alias": "x"}}):
        assert b.stranger.post("/1.0/images", body, {"X-LXD-secret": "x"}).status == 403
    assert b.client.get("/1.0/images").metadata == [] and files(b.daemon) == []


@pytest.mark.parametrize("change", [
    {"target": ""}, {"target": "x"}, {"target": "http://127.0.0.1:1"}, {"certificate": "x"}, {"target": None},
    {"secret": "a\r\nX-LXD-public: 1"}, {"secret": 5}, {"aliases": [5]}, {"aliases": [{}]}, {"aliases": "x"},
], ids=str)
def test_targets_that_are_wrong(two, image, change):
    a, b = two
    assert refused(push(a, b, image, **change))
    assert refused(push(a, b, "a" * 64))


def test_a_target_with_another_certificate_gets_nothing(two, image, other):
    a, b = two
    secret = token(b, image)
    status, err = end(a.client, push(a, b, image, secret=secret, certificate=pem_of(other)))
    assert status == "Failure" and "certificate" in err.lower(), err
    assert end(a.client, push(a, b, image, secret=secret))[0] == "Success"


class Liar(http.server.BaseHTTPRequestHandler):
    """A server that says it has an image, and sends another thing."""

    def do_GET(self):
        body = self.server.answers.get(self.path.partition("?")[0], (404, b""))
        self.send_response(body[0])
        for header, value in body[2:]:
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body[1])))
        self.end_headers()
        self.wfile.write(body[1])

    def log_message(self, *_):
        pass


@pytest.fixture
def liar(other):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other.cert, other.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answers = {}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


FINGERPRINT = "a" * 64
SAID = ('{"type": "sync", "status_code": 200, "metadata": {"fingerprint": "%s", "filename": "../../x",'
        ' "properties": {}}}' % FINGERPRINT).encode()


@pytest.mark.parametrize("said,sent", [
    (b"", b""), (b"{", b""), (b"[]", b""), (b'{"type": "sync"}', b""), (b'{"type":"sync","metadata":{}}', b""),
    (SAID.replace(FINGERPRINT.encode(), b"b" * 64), b""), (SAID.replace(FINGERPRINT.encode(), b"../../x"), b""),
    (SAID.replace(b'"properties": {}', b'"properties": {"a": {}}'), b""), (SAID, b""), (SAID, b"x" * 5000),
    (SAID, unified("another")),
], ids=range(11))
def test_what_a_server_says_is_checked(two, liar, other, said, sent):
    _, b = two
    path = "/1.0/images/" + FINGERPRINT
    liar.answers = {path: (200, said), path + "/export": (200, sent)}
    answer = b.client.post("/1.0/images", {"source": {
        "type": "image", "server": "https://127.0.0.1:%d" % liar.server_address[1], "certificate": pem_of(other),
        "fingerprint": FINGERPRINT}})
    assert end(b.client, answer)[0] == "Failure"
    assert b.client.get("/1.0/images").metadata == [] and files(b.daemon) == []
