"""The same octets give the same replies over the kernel's sockets and over a port of Postern's own, however they are cut and
whatever order their segments come in."""

import random
import socket

import pytest
from lib.downstream import ScriptedServer
from lib.namespace import possible
from lib.postern import Edge
from lib.relay import RelayedNetwork

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

HELLO = b"EHLO client.example\r\n"
MAIL = b"MAIL FROM:<you@elsewhere.example> SIZE=100\r\n"
CONVERSATIONS = {
    "nothing said": b"QUIT\r\n",
    "one stranger": HELLO + MAIL + b"RCPT TO:<nobody@example.com>\r\nQUIT\r\n",
    "a harvest in one segment": HELLO + MAIL + b"".join(b"RCPT TO:<guess%d@example.com>\r\n" % n for n in range(60)) + b"RSET\r\nQUIT\r\n",
    "a message": HELLO + MAIL + b"RCPT TO:<alice@example.com>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\n" +
                 b"Subject: one\r\n\r\n..dots\r\n" + b"x" * 900 + b"\r\n.\r\nNOOP\r\nQUIT\r\n",
    "two messages": (HELLO + 2 * (MAIL + b"RCPT TO:<alice@example.com>\r\nDATA\r\nSubject: two\r\n\r\nhello\r\n.\r\n") + b"QUIT\r\n"),
    "out of order": b"RCPT TO:<a@b.c>\r\nDATA\r\nMAIL FROM:<>\r\n" + HELLO + b"RCPT TO:<alice@example.com>\r\nDATA\r\n" + MAIL + MAIL + b"QUIT\r\n",
    "what is no command": HELLO + b"\r\nXYZZY\r\nMAIL FROM:you\r\nMAIL FROM:<a@b.example> NONSENSE=1\r\nVRFY alice\r\nHELP\r\nEXPN x\r\nQUIT\r\n",
    "line too long": HELLO + b"NOOP " + b"x" * 3000 + b"\r\nQUIT\r\n",
    "octets of no line": HELLO + b"NO\0OP\r\nNOOP \xff\xfe\r\nNOOP\nNOOP\r\nQUIT\r\n",
    "addresses": HELLO + MAIL + b"".join(b"RCPT TO:<" + a + b">\r\n" for a in (
        b"ALICE@EXAMPLE.COM", b"alice+tag@example.com", b"postmaster@example.com", b"postmaster", b"x@elsewhere.example", b"a b@example.com", b"@",
        b"alice@example.com.")) + b"QUIT\r\n",
}


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    """One edge over sockets, one over packets, with the same table and mail server."""
    folder = tmp_path_factory.mktemp("transports")
    with RelayedNetwork(near="net_tap") as network, ScriptedServer() as server:
        plain, packets = Edge(folder / "plain"), Edge(folder / "packets", network=network)
        with plain, packets:
            for edge in (plain, packets):
                edge.serve(["alice@example.com", "bob@example.com"], server.port)
            yield lambda: socket.create_connection(("127.0.0.1", int(plain.port)), timeout=30), network.connect, network


def replies(connect, content, cuts):
    """All that comes back, greeting included; the content is sent in pieces."""
    with connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = connection.recv(4096)
        for begin, end in zip([0, *cuts], [*cuts, len(content)]):
            connection.sendall(content[begin:end])
        out = greeting
        while more := connection.recv(65536):
            out += more
    return out


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_both_transports_say_the_same(edges, name, full):
    """However it is cut: at some places at random, at every octet, and in the full size once at each."""
    over_sockets, over_packets, _ = edges
    content = CONVERSATIONS[name]
    wanted = replies(over_sockets, content, [])
    assert wanted.startswith(b"220 ") and b"\r\n221 " in wanted
    chance = random.Random(name)
    ways = [sorted(chance.sample(range(1, len(content)), min(number * 5, len(content) - 1))) for number in range(50 if full else 4)]
    ways.append(list(range(1, len(content))))
    if full:
        ways += [[place] for place in range(1, len(content))]
    for cuts in ways:
        for connect in (over_sockets, over_packets):
            assert replies(connect, content, cuts) == wanted, cuts


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_segments_out_of_order_change_nothing(edges, name, full):
    """The wire lets a third of the frames wait, so that those behind them come first, and doubles some."""
    over_sockets, over_packets, network = edges
    content = CONVERSATIONS[name]
    wanted = replies(over_sockets, content, [])
    chance = random.Random(name)
    network.tell("path reordered=300 duplicated=50 delay_ms=1")
    try:
        for _ in range(50 if full else 1):
            cuts = sorted(chance.sample(range(1, len(content)), min(20, len(content) - 1)))
            assert replies(over_packets, content, cuts) == wanted, cuts
    finally:
        network.tell("clear")


def test_a_port_of_its_own_serves_many_at_once(edges):
    _, over_packets, _ = edges
    clients = [over_packets() for _ in range(100)]
    for client in clients:
        client.sendall(CONVERSATIONS["one stranger"])
    for client in clients:
        text = b""
        while more := client.recv(4096):
            text += more
        client.close()
        assert b"550 5.1.1 Invalid recipient" in text
