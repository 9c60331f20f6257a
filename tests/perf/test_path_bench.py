"""postern-path-bench: the packet path under a load that checks every answer, with nothing left behind."""

import pytest

from benches import path

# Two threads that never sleep: on a machine that builds meanwhile they only wait for each other.
pytestmark = pytest.mark.release

SMALL = ("--recipients", 2_000, "--windows", 1, "--seconds", 0.2, "--warm-up", 0.05)


def run(binaries, mode, *words):
    found = path.run(binaries, mode, *SMALL, *words, patience=120)
    assert found["faults"] == []
    return found


def nothing_left(found):
    return found["left_connections"] == 0 and found["left_buffered"] == 0 and found["consistent"] == 1


@pytest.mark.parametrize(("mode", "words"), [("single", ()), ("single", ("--rate", 2_000)), ("pipelined", ("--pipeline", 50))])
def test_every_rcpt_gets_the_answer_its_address_deserves(binaries, mode, words):
    found = run(binaries, mode, "--connections", 300, "--listed-share", 0.3, *words)
    window = found["windows"][0]
    assert found["opened"] == found["held"] == found["closed"] == 300
    assert window["rcpts"] > 100
    assert 0.2 < window["listed_share"] < 0.4
    assert nothing_left(found)


def test_whole_sessions_come_and_go(binaries):
    found = run(binaries, "churn", "--window", 32)
    assert found["closed"] >= found["windows"][0]["sessions_per_s"] * 0.2 > 10
    assert found["counts"]["tcp_time_wait"] >= found["closed"]
    assert found["left_buffered"] == 0 and found["consistent"] == 1


def test_idle_connections_are_held(binaries):
    found = run(binaries, "hold", "--connections", 500, "--sources", 512)
    assert found["held"] == 500
    assert nothing_left(found)


def test_an_idle_connection_costs_no_more_than_it_may(binaries, full, facts):
    connections = 1_000_000 if full else 200_000
    found = run(binaries, "hold", "--connections", connections, "--sources", 1 << 20)
    octets = found["resident_grown"] / found["held"]
    facts(f"{connections:,} connections, {octets:.0f} octets each")
    assert found["held"] == connections
    assert octets <= (512 if full else 700), "the fixed part weighs on few connections"
