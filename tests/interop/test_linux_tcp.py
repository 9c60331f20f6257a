"""Postern's TCP against Linux's, over net_tap and over net_af_packet on a veth pair: every MTU, loss, and the ways of ending and waiting.

A scripted mail server is behind, so that what arrives can be compared octet by octet; 50 MB in the full size."""

import socket
import struct
import time

import pytest
from lib.downstream import ScriptedServer, wait_until
from lib.namespace import possible
from lib.port_network import PortNetwork
from lib.postern import Edge
from lib.smtp import Client

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

LISTED = "alice@example.com"
DRIVERS = ("net_tap", "net_af_packet")
TIMESTAMPS = 12  # octets of the option in every segment
HARVEST = 2000


def pytest_generate_tests(metafunc):
    full = metafunc.config.getoption("--full")
    if "path" in metafunc.fixturenames:
        paths = [(driver, mtu) for driver in DRIVERS for mtu in (576, 1280, 1500, 9000) if driver != "net_tap" or mtu <= 1500]
        metafunc.parametrize("path", paths, ids=lambda path: f"{path[0]}-{path[1]}", indirect=True, scope="module")
    if "loss" in metafunc.fixturenames:
        cases = [(driver, percent) for driver in DRIVERS for percent in (1, 10)] if full else [("net_tap", 1), ("net_af_packet", 10)]
        metafunc.parametrize(("wire", "loss"), cases, indirect=["wire"])
    elif "wire" in metafunc.fixturenames:
        metafunc.parametrize("wire", DRIVERS if full else ["net_af_packet"], indirect=True, scope="module")


class Rig:
    """An edge over a port of its own, with a mail server behind it and this machine's kernel in front."""

    def __init__(self, folder, driver, mtu=1500, **answers):
        self.network = PortNetwork.of(driver, mtu=mtu)
        self.server = ScriptedServer(answers)
        self.edge = Edge(folder, {"limits": {"message_size": 100_000_000}}, network=self.network)

    def __enter__(self):
        self.network.__enter__()
        try:
            self.server.__enter__()
            self.edge.start()
            self.edge.serve([LISTED], self.server.port)
        except BaseException:
            self.__exit__(None)
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            self.edge.__exit__(kind)
        finally:
            self.server.__exit__()
            self.network.__exit__()

    def client(self, server=None, **options):
        return Client(self.network.place.at(server) if server else self.network.place, **options)

    def delivered(self):
        """The content of the next message that came to the mail server, behind Postern's trace line."""
        wait_until(lambda: self.server.messages, 30, "a message at the mail server")
        message = self.server.messages.pop(0)
        assert message.startswith(b"Received: ")
        return message[message.index(b"Subject: "):]

    def counters(self):
        return self.edge.good("show counters")["counters"]

    def comes_to_rest(self, seconds=20):
        """Nothing of the connections is left in the packet path but TIME-WAIT."""
        def held():
            now = self.counters()
            return {name: now[f"packets_now_{name}"] for name in ("connections", "half_open", "octets_held") if now[f"packets_now_{name}"]}

        wait_until(lambda: not held(), seconds, f"nothing is held: {held()}")


@pytest.fixture(scope="module")
def path(request, tmp_path_factory):
    with Rig(tmp_path_factory.mktemp("path"), *request.param) as rig:
        yield rig


@pytest.fixture(scope="module")
def wire(request, tmp_path_factory):
    with Rig(tmp_path_factory.mktemp("wire"), request.param) as rig:
        yield rig


def content_of(size):
    line = bytes(range(33, 127)) * 8 + b"\r\n"
    return b"Subject: large\r\n\r\n" + line * (size // len(line) + 1)


def segment_sizes(client):
    """The largest payload that the kernel sends, and the largest that it was sent (struct tcp_info)."""
    return struct.unpack_from("II", client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 16)


def harvest(count=HARVEST):
    """A conversation whose replies fill many segments, and the number of refusals."""
    guesses = b"".join(b"RCPT TO:<guess%d@example.com>\r\n" % number for number in range(count))
    return b"EHLO client.example\r\nMAIL FROM:<you@elsewhere.example>\r\n" + guesses + b"QUIT\r\n"


def rest_of(client):
    """All that comes until the server has closed."""
    out = b""
    while more := client.socket.recv(65536):
        out += more
    return out


def is_whole(replies, count=HARVEST):
    return replies.count(b"550 5.1.1 Invalid recipient\r\n") == count and b"\r\n221 " in replies and replies.endswith(b"\r\n")


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_segments_as_large_as_the_path_takes_both_ways(path, family, full, facts):
    mtu = path.network.mtu
    if family == "IPv6" and mtu < 1280:
        pytest.skip("RFC 8200: IPv6 has no MTU below 1280")
    server = path.network.ours6 if family == "IPv6" else path.network.ours
    largest = mtu - (40 if family == "IPv6" else 20) - 20 - TIMESTAMPS
    content = content_of(50_000_000 if full else 2_000_000)
    with path.client(server, timeout=120) as client:
        client.say("EHLO client.example")
        began = time.monotonic()
        assert client.deliver([LISTED], content).startswith("250")
        seconds = time.monotonic() - began
        assert segment_sizes(client)[0] == largest
    assert path.delivered() == content or pytest.fail("other octets arrived")
    facts(f"{family} at MTU {mtu}: {len(content) / seconds / 1e6:.0f} MB/s inbound")
    with path.client(server, timeout=60) as client:
        client.send(harvest())
        assert is_whole(rest_of(client))
        # A session has at most 64 replies to lookups in a turn: that many share a segment.
        assert min(largest, 64 * len("550 5.1.1 Invalid recipient\r\n")) <= segment_sizes(client)[1] <= largest
    path.comes_to_rest()
    assert path.counters()["packets_bad_segments"] == 0


def test_net_tap_takes_no_jumbo_frames_and_says_so(tmp_path):
    """DPDK 22.11's driver: at 9000, net_af_packet is what is tried."""
    edge = Edge(tmp_path, network=PortNetwork.of("net_tap", mtu=9000))
    done = edge.run("--config", edge.configuration)
    assert done.returncode == 1
    assert "it does not take an MTU of 9000" in done.stderr and "at most 1522 octets" in done.stderr, done.stderr


def test_lost_segments_come_again(wire, loss, full, facts):
    """In each direction so many of a hundred frames are lost, by nftables between the client and Postern's port."""
    content = content_of((20_000_000 if full else 1_000_000) // loss)
    count = HARVEST if full else HARVEST // loss
    before = wire.counters()
    wire.network.lose(loss)
    try:
        began = time.monotonic()
        with wire.client(timeout=240) as client:
            assert client.say("EHLO client.example").startswith("250")
            assert client.deliver([LISTED], content).startswith("250")
        upload = time.monotonic() - began
        with wire.client(timeout=240) as client:
            client.send(harvest(count))
            assert is_whole(rest_of(client), count)
        facts(f"{loss} % lost each way: {len(content)} octets in {upload:.1f} s, {count} replies in {time.monotonic() - began - upload:.1f} s")
    finally:
        wire.network.lose(0)
    assert wire.delivered() == content or pytest.fail("other octets arrived")
    after = wire.counters()
    assert after["packets_tcp_out_of_order"] > before["packets_tcp_out_of_order"]
    wire.comes_to_rest(120)


def test_a_client_that_has_said_all_gets_all_replies(wire):
    """Half-close: FIN goes out with the last command, replies come after it."""
    with wire.client() as client:
        client.send(harvest())
        client.socket.shutdown(socket.SHUT_WR)
        assert is_whole(rest_of(client))
    wire.comes_to_rest()


def test_a_message_cut_off_by_a_reset_is_not_delivered(wire):
    resets = wire.counters()["packets_tcp_peer_resets"]
    client = wire.client().open()
    assert client.say(f"RCPT TO:<{LISTED}>").startswith("250")
    assert client.say("DATA").startswith("354")
    client.send(content_of(10_000))
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    wire.comes_to_rest()
    assert wire.counters()["packets_tcp_peer_resets"] == resets + 1
    with wire.client() as next_one:
        next_one.say("EHLO client.example")
        assert next_one.deliver([LISTED], b"Subject: next\r\n\r\nx\r\n").startswith("250")
    assert wire.delivered() == b"Subject: next\r\n\r\nx\r\n"
    assert not wire.server.messages


def test_a_port_where_nobody_listens_is_refused(wire):
    with pytest.raises(ConnectionRefusedError):
        wire.network.connect(26)


def test_a_client_that_shuts_its_window_gets_all_when_it_opens_it(wire, full):
    seconds = 60 if full else 4
    before = wire.counters()["packets_tcp_window_probes"]
    with wire.network.inside():
        connection = socket.socket()
    with connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect((wire.network.ours, 25))
        # More replies than Postern and the kernel keep for one: Postern stops reading, and the rest of the commands waits with the kernel.
        connection.setblocking(False)
        content, sent = harvest(20_000), 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                sent += connection.send(content[sent:])
            except BlockingIOError:
                time.sleep(0.05)
        assert sent < len(content), "the windows never shut"
        connection.setblocking(True)
        connection.settimeout(60)
        out = b""
        while sent < len(content):
            out += connection.recv(65536)
            connection.setblocking(False)
            try:
                sent += connection.send(content[sent:])
            except BlockingIOError:
                pass
            connection.setblocking(True)
        while more := connection.recv(65536):
            out += more
    assert is_whole(out, 20_000)
    assert wire.counters()["packets_tcp_window_probes"] > before
    wire.comes_to_rest()


def test_a_mail_server_that_pauses_shuts_the_clients_window(tmp_path, full, facts):
    seconds = 60 if full else 3
    with Rig(tmp_path, "net_af_packet", body=seconds) as rig:
        rig.server.take = 100_000
        content = content_of(16_000_000)  # more than all buffers on the way
        with rig.client(timeout=seconds + 60) as client:
            client.say("EHLO client.example")
            assert client.say("MAIL FROM:<you@elsewhere.example>").startswith("250")
            assert client.say(f"RCPT TO:<{LISTED}>").startswith("250")
            assert client.say("DATA").startswith("354")
            began = time.monotonic()
            client.send(content)
            shut = time.monotonic() - began
            client.send(b".\r\n")
            assert client.reply().startswith("250")
        assert shut > seconds * 0.9, "all of it went out while the mail server did not read"
        facts(f"16 MB went out in {shut:.1f} s with the window shut for {seconds} s")
        assert rig.delivered() == content or pytest.fail("other octets arrived")
        rig.comes_to_rest()
