"""Lists pushed to a whole system: in force at the edge, cut off, killed, repeated and older ones."""

import json
import socket
import time

import pytest

from lib.following import Following


def lines(people):
    return "".join(json.dumps({"id": f"id-{name}", "address": f"{name}@example.com"}) + "\n" for name in people) + f'{{"end": {len(people)}}}\n'


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with Following(tmp_path_factory.mktemp("push")) as running:
        running.ctl("source", "add", "push:agent", "--pushes-per-hour", "0")
        running.ctl("push", "whole", "agent", running.file("people", lines(["ada", "bob", "carol"])))
        running.ctl("--wait", "domain", "mode", "example.com", "enforce")
        yield running


def send(system, how, body):
    return system.control.request("POST", f"/v1/sources/push:agent/push/{how}", body, {"Content-Type": "application/x-ndjson"})


def test_whole_lists_changes_and_test_runs_by_posternctl(system):
    assert system.taken("bob@example.com") and system.refused("dave@example.com")
    base = system.control.ctl_json("push", "show", "agent")["changes_upon"]
    shown = system.ctl("push", "whole", "agent", system.file("next", lines(["ada", "dave"])), "--test-run")
    assert "dave@example.com" in shown and system.refused("dave@example.com")
    changes = '{"id": "id-bob", "gone": true}\n' + json.dumps({"id": "id-dave", "address": "dave@example.com"}) + '\n{"end": 2}\n'
    system.ctl("push", "changes", "agent", system.file("changes", changes), "--base", base)
    assert system.taken("dave@example.com") and system.refused("bob@example.com")
    again = system.control.try_ctl("push", "changes", "agent", system.file("changes", changes), "--base", base)
    assert again.returncode == 1 and "push the whole list" in again.stderr, again
    older = system.control.try_ctl("push", "whole", "agent", system.file("next", lines(["eve"])), "--sequence", base)
    assert older.returncode == 1 and "an older list is never applied" in older.stderr, older
    assert system.refused("eve@example.com")


def test_an_upload_that_ends_in_the_middle_leaves_nothing(system):
    state = system.control.good("GET", "/v1/sources/push:agent/push")
    body = lines([f"cut{number}" for number in range(2_000)]).encode()
    for part in (0, 1, len(body) // 2, len(body) - 1):
        head = (f"POST /v1/sources/push:agent/push/whole HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {system.control.token}\r\n"
                f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        with socket.create_connection(("127.0.0.1", system.control.port)) as connection:
            connection.sendall(head + body[:part])
    status, answer, _ = send(system, "whole", body[:len(body) // 2])
    assert status == 400 and "line" in answer["detail"], answer
    assert system.control.good("GET", "/v1/sources/push:agent/push") == state
    assert system.refused("cut0@example.com") and system.taken("ada@example.com")


def test_killed_after_a_list_was_taken_it_is_applied_once(system):
    people = ["ada", "carol", "dave", "frank"]
    status, taken, _ = send(system, "whole", lines(people))
    system.control.kill()
    assert status == 202, taken
    system.control.start()
    path = f"/v1/syncs/{taken['sync']['id']}"
    end = time.monotonic() + 20
    while not system.control.good("GET", path)["in_force"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert system.control.good("GET", path)["counts"]["added"] == 1 and system.taken("frank@example.com")
    status, again, _ = send(system, f"whole?sequence={taken['sequence']}", lines(people))
    assert status == 200 and again["again"] and again["sync"]["id"] == taken["sync"]["id"], again
