"""From observe to enforce: what the edge saw, what the list would have refused of it, and what a candidate list would."""

import time

import pytest
from downstream import ScriptedServer
from smtp import Client
from system import System

LISTED = "alice@example.com"
MISSING = "bob@example.com"
STRANGER = "nobody@example.com"


@pytest.fixture
def system(tmp_path, port_network):
    with ScriptedServer({f"RCPT {STRANGER}": "550 5.1.1 No such user here"}) as server, System(tmp_path, network=port_network) as running:
        running.serve("example.com", server.port, [LISTED], mode="observe")
        yield running


def ask_for(system, *recipients):
    for recipient in recipients:
        with Client(system.smtp) as client:
            client.open()
            client.say(f"RCPT TO:<{recipient}>")
            client.send("QUIT\r\n")


def seen(system, count):
    """The recent recipients by address, once there are so many."""
    end = time.monotonic() + 20
    while True:
        rows = system.control.good("GET", "/v1/domains/example.com/recent-recipients")["items"]
        if len(rows) >= count:
            return {row["address"]: row for row in rows}
        assert time.monotonic() < end, rows
        time.sleep(0.05)


def codes(findings):
    return {finding["code"] for finding in findings}


def test_readiness_names_whom_the_list_lacks_until_they_are_added(system):
    ask_for(system, LISTED, "Alice+tag@example.com", MISSING, MISSING, STRANGER)
    rows = seen(system, 4)
    assert rows[LISTED]["last_outcome"] == "listed"
    assert rows[LISTED]["last_source"] == system.smtp.clients_network
    assert rows[MISSING]["outcomes"] == {"would_reject": 2}
    assert rows[STRANGER]["outcomes"] == {"refused_behind": 1}

    found = system.control.good("GET", "/v1/domains/example.com/readiness")
    assert not found["ready"]
    assert codes(found["reasons"]) == {"would_refuse"}
    assert [row["address"] for row in found["recent"]["addresses"]] == [MISSING, STRANGER]
    assert "bob@example.com" in system.ctl("domain", "ready", "example.com")

    system.control.add(MISSING)
    found = system.control.good("GET", "/v1/domains/example.com/readiness?probe=true")
    assert found["ready"], found["reasons"]
    assert found["inbound_server"]["postmaster"] is True
    assert "catch_all" in codes(found["warnings"])
    assert "example.com is ready" in system.ctl("domain", "ready", "example.com")


def test_a_candidate_list_is_held_against_the_mail_of_late(system, tmp_path):
    ask_for(system, LISTED, MISSING, STRANGER)
    seen(system, 3)
    assert system.control.good("GET", "/v1/domains/example.com/what-if")["missed"] == 1
    candidate = tmp_path / "candidate.csv"
    candidate.write_text("email,first_name\nBob@Example.com,Bob\n")
    shown = system.control.ctl_json("domain", "what-if", "example.com", str(candidate))
    assert {row["address"] for row in shown["addresses"]} == {LISTED, STRANGER}
    shown = system.control.ctl_json("domain", "what-if", "example.com", str(candidate), "--add")
    assert {row["address"] for row in shown["addresses"]} == {STRANGER}
    assert system.control.good("GET", "/v1/mailboxes?count=true")["items"][0]["address"] == LISTED


def test_events_survive_a_restart_of_control_and_are_told_once(system):
    ask_for(system, LISTED)
    seen(system, 1)
    system.control.stop()
    ask_for(system, MISSING)
    system.control.start()
    rows = seen(system, 2)
    assert rows[LISTED]["times"] == 1
    assert rows[MISSING]["times"] == 1
    counters = system.edge.good("show counters")["counters"]
    assert counters["events_seen"] == 2
    assert counters["events_overwritten"] == 0
