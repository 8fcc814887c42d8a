"""Operations: follow, wait without holding a thread, cancel, list."""
import threading


def pause(client, duration):
    answer = client.post("/internal/testing/operation-wait", {"duration": duration})
    assert answer.status == 202
    assert answer.headers["location"] == answer.json["operation"]
    return answer.json["operation"]


def test_operation_is_listed_and_ends(client):
    url = pause(client, "200ms")
    assert url in client.get("/1.0/operations").metadata["running"]
    op = client.get(url).metadata
    assert op["status"] == "Running" and op["status_code"] == 103 and op["class"] == "task"
    assert op["requestor"] == {"username": "root", "protocol": "unix", "address": "@"}
    done = client.get(url + "/wait", timeout=10).metadata
    assert done["status"] == "Success" and done["err"] == ""
    assert url in client.get("/1.0/operations").metadata["success"]


def test_wait_times_out_with_the_running_operation(client):
    url = pause(client, "30s")
    answer = client.get(url + "/wait", timeout=0)
    assert answer.status == 200 and answer.metadata["status"] == "Running"
    assert client.delete(url).status == 200


def test_cancel(client):
    url = pause(client, "1h")
    waiting = []
    thread = threading.Thread(target=lambda: waiting.append(client.get(url + "/wait")))
    thread.start()
    assert client.delete(url).status == 200
    thread.join()
    assert waiting[0].metadata["status"] == "Cancelled"
    assert waiting[0].metadata["status_code"] == 401
    assert client.delete(url).status == 400


def test_many_waiters_hold_no_thread(client):
    url = pause(client, "1h")
    connections = []
    for _ in range(100):
        connection = client.connection()
        connection.request("GET", url + "/wait")
        connections.append(connection)
    # With more waiters than request threads the daemon answers others as before.
    assert client.get("/1.0").status == 200
    assert client.delete(url).status == 200
    for connection in connections:
        assert connection.getresponse().status == 200
        connection.close()


def test_waiters_that_leave_are_forgotten(client):
    url = pause(client, "1h")
    for _ in range(20):
        connection = client.connection()
        connection.request("GET", url + "/wait")
        connection.close()
    assert client.delete(url).status == 200
    assert client.get("/1.0").status == 200


def test_unknown_operations(client):
    for path in ("/1.0/operations/00000000-0000-0000-0000-000000000000",
                 "/1.0/operations/x"):
        assert client.get(path).status == 404
        assert client.delete(path).status == 404
        assert client.get(path + "/wait").status == 404
    url = pause(client, "1h")
    assert client.get(url + "/wait", timeout="soon").status == 400
    assert client.get(url + "/websocket", secret="x").status == 400
    client.delete(url)
