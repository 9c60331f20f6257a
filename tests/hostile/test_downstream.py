"""The domain's mail server stopped, slow, full, refusing, or gone in the middle: the sender gets a 4xx or the server's own answer, never a 250 that
the server did not give, and no session hangs past its timeout."""

import time

import pytest
from downstream import ScriptedServer, free_port
from smtp import Client, timed
from system import System

LISTED = "alice@example.com"
SECONDS = 2  # every relay timeout
BODY = b"Subject: x\r\n\r\n" + b"some line of content\r\n" * 40
BIG = b"Subject: big\r\n\r\n" + b"x" * 78 + b"\r\n" * 1 + (b"y" * 78 + b"\r\n") * 200_000  # 16 MB: more than all buffers on the way


@pytest.fixture(scope="module")
def system(tmp_path_factory, port_network):
    folder = tmp_path_factory.mktemp("downstream")
    settings = {"relay": {"connect": SECONDS, "connect_total": SECONDS, "command": SECONDS, "data": SECONDS, "final": SECONDS}}
    with System(folder, edge=settings, network=port_network) as running:
        running.serve("example.com", free_port(), [LISTED])
        yield running


def deliver(system, port, content=BODY):
    """The reply that decides a delivery while the route leads to this port."""
    system.route("example.com", port)
    with Client(system.smtp, timeout=60) as client:
        assert client.say("EHLO client.example").startswith("250")
        return client.deliver([LISTED], content)


CASES = [
    # name, script, octets of content taken, expected beginning of the reply
    ("greets with 421", {"greeting": "421 4.3.2 busy"}, 0, "451 4.4.1"),
    ("greets with 554", {"greeting": "554 5.7.1 go away"}, 0, "451 4.4.0"),
    ("never greets", {"greeting": "silent"}, 0, "451 4.4.1"),
    ("closes instead of a greeting", {"greeting": "close"}, 0, "451 4.4.1"),
    ("greets with one octet a second", {"greeting": "drip"}, 0, "451 4.4.1"),
    ("refuses EHLO", {"EHLO": "550 5.7.1 no", "HELO": "550 5.7.1 no"}, 0, "451 4.4.0"),
    ("answers EHLO with one octet a second", {"EHLO": "drip"}, 0, "451 4.4.1"),
    ("refuses MAIL", {"MAIL": "550 5.7.1 not you"}, 0, "550 5.7.1 not you"),
    ("is full at MAIL", {"MAIL": "452 4.3.1 full"}, 0, "452 4.3.1 full"),
    ("wants sign-in", {"MAIL": "530 5.7.0 sign in first"}, 0, "451 4.4.0"),
    ("refuses RCPT", {"RCPT": "550 5.1.1 who"}, 0, "550 5.1.1 who"),
    ("is full at RCPT", {"RCPT": "452 4.2.2 full"}, 0, "452 4.2.2 full"),
    ("closes at RCPT", {"RCPT": "close"}, 0, "451 4.4.1"),
    ("never answers RCPT", {"RCPT": "silent"}, 0, "451 4.4.1"),
    ("answers RCPT with one octet a second", {"RCPT": "drip"}, 0, "451 4.4.1"),
    ("refuses DATA", {"DATA": "554 5.3.4 no"}, 0, "554 5.3.4 no"),
    ("is full at DATA", {"DATA": "452 4.3.1 full"}, 0, "452 4.3.1 full"),
    ("closes at DATA", {"DATA": "close"}, 0, "451 4.4.1"),
    ("refuses after DATA", {"end": "554 5.6.0 spam"}, 0, "554 5.6.0 spam"),
    ("is full after DATA", {"end": "452 4.3.1 full"}, 0, "452 4.3.1 full"),
    ("closes in the middle of DATA", {"body": "close"}, 200, "451 4.4.2"),
    ("closes after the final dot", {"end": "close"}, 0, "451 4.4.2"),
    ("never answers the final dot", {"end": "silent"}, 0, "451 4.4.2"),
    ("answers the final dot with one octet a second", {"end": "drip"}, 0, "451 4.4.2"),
]


@pytest.mark.parametrize(("name", "script", "take", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_server(system, name, script, take, expected):
    with ScriptedServer(script, take) as server:
        reply, seconds = timed(lambda: deliver(system, server.port))
        assert reply.startswith(expected), (name, reply)
        assert seconds < 4 * SECONDS + 4, name
        assert not server.messages


def test_a_stopped_server_is_a_temporary_failure(system):
    reply, seconds = timed(lambda: deliver(system, free_port()))
    assert reply.startswith("451 4.4.1"), reply
    assert seconds < 2 * SECONDS + 4


@pytest.mark.packets
def test_a_server_that_stops_reading_shuts_the_senders_window_and_ends_in_451(system):
    with ScriptedServer({"body": "stall"}, 1000) as server:
        reply, seconds = timed(lambda: deliver(system, server.port, BIG))
        # Over the cap of what is swallowed for a lost server: 421 and close.
        assert reply.startswith(("451 4.4.2", "421 ")), reply
        assert seconds < 6 * SECONDS + 10


@pytest.mark.packets
def test_the_system_delivers_again_when_the_server_is_well(system):
    with ScriptedServer({"RCPT": "close"}) as broken:
        assert deliver(system, broken.port).startswith("451")
    with ScriptedServer() as well:
        assert deliver(system, well.port).startswith("250 2.0.0 Ok: taken")
        assert len(well.messages) == 1
        assert well.messages[0].endswith(BODY)


@pytest.mark.packets
def test_a_sender_that_vanishes_in_the_middle_leaves_no_message(system):
    with ScriptedServer() as server:
        system.route("example.com", server.port)
        with Client(system.smtp) as client:
            client.open()
            assert client.say(f"RCPT TO:<{LISTED}>").startswith("250")
            assert client.say("DATA").startswith("354")
            client.send(BODY)
        time.sleep(1)  # whatever would be sent wrongly has time to arrive
        assert not server.messages


def test_many_sessions_on_a_silent_server_all_end(system, full):
    count = 200 if full else 20
    with ScriptedServer({"RCPT": "silent"}) as server:
        system.route("example.com", server.port)
        clients = [Client(system.smtp, timeout=60).open() for _ in range(count)]
        began = time.monotonic()
        for client in clients:
            client.send(f"RCPT TO:<{LISTED}>\r\n")
        replies = [client.reply() for client in clients]
        assert all(reply.startswith("45") for reply in replies), replies
        assert time.monotonic() - began < 60
        for client in clients:
            client.close()
