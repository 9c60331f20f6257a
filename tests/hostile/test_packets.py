"""Floods and malformed frames on a port of Postern's own, from its neighbour on the wire: nothing crashes, honest clients are served
meanwhile and afterwards, and nothing of it is left."""

import random
import socket
import struct
import threading
import time

import pytest
from lib.downstream import ScriptedServer, wait_until
from lib.frames import ACK, FIN, PSH, RST, SYN, RawClient, Wire, ipv4_packet, ipv6_packet, tcp_segment
from lib.namespace import possible
from lib.port_network import PortNetwork
from lib.postern import Edge
from lib.smtp import Client, rcpt_reply

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

LISTED = "alice@example.com"
STRANGER = "nobody@example.com"
BURST = 250
HALF_OPEN = 1024  # connections in SYN-RECEIVED before Postern answers with cookies (dataplane/tcp/settings.h)


class Rig:
    def __init__(self, folder):
        self.network = PortNetwork.of("net_tap", "hostile")
        self.server = ScriptedServer()
        self._sent = self._seen = 0
        self.edge = Edge(folder, {"timeouts": {"drain": 1}}, network=self.network)

    def __enter__(self):
        self.network.__enter__()
        try:
            self.server.__enter__()
            self.edge.start()
            self.edge.serve([LISTED], self.server.port)
            self.wire = Wire(self.network)
            self.buffers = self.counters()["packets_now_buffers"]
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            self.edge.__exit__(kind)
        finally:
            self.server.__exit__()
            self.network.__exit__()

    def counters(self):
        return self.edge.good("show counters")["counters"]

    def flood(self, packets, whole=False):
        """Puts the packets on the wire as fast as the port takes them: its ring holds some hundreds, and would drop the rest of a burst.
        They are IP packets, or whole frames."""
        for packet in packets:
            self.wire.put(packet if whole else self.wire.frame(packet))
            self._sent += 1
            if self._sent % BURST == 0:
                self._taken()
        self._taken()

    def _taken(self):
        """Waits until the port has taken what was sent, or takes no more: the kernel drops some of what is malformed on its way."""
        still, last = 0, -1
        while still < 20:
            taken = self.counters()["packets_frames_received"]
            if taken >= self._seen + self._sent:
                break
            still = still + 1 if taken == last else 0
            last = taken
            time.sleep(0.002)
        self._seen, self._sent = self.counters()["packets_frames_received"], 0

    def serves(self):
        """A client comes, is told of a stranger, delivers a message, and goes."""
        self.server.messages.clear()
        with Client(self.network.place) as client:
            client.say("EHLO client.example")
            assert client.deliver([STRANGER], b"x\r\n") == "550 5.1.1 Invalid recipient"
            assert client.say("RSET").startswith("250")
            assert client.deliver([LISTED], b"Subject: x\r\n\r\nx\r\n").startswith("250")
            assert client.quit().startswith("221")
        wait_until(lambda: self.server.messages, 10, "the message at the mail server")

    def comes_to_rest(self, seconds=20):
        """No connection, no block and no timer is left, and no more buffers than before are in use."""
        def left():
            now = self.counters()
            held = {name: now[f"packets_now_{name}"] for name in ("connections", "half_open", "octets_held", "timers")}
            return {name: value for name, value in held.items() if value}

        try:
            wait_until(lambda: not left(), seconds, "nothing is left")
        except AssertionError:
            pytest.fail(f"still held after {seconds} s: {left()}")
        # What rings and caches of the driver hold of the pool moves by a few bursts.
        assert self.counters()["packets_now_buffers"] <= self.buffers + 600


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    with Rig(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.fixture
def dice():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def stranger(dice):
    """An address of 10.0.0.0/8 and a port."""
    return bytes([10, dice.randrange(256), dice.randrange(256), dice.randrange(1, 255)]), dice.randrange(1024, 65536)


def test_a_flood_of_syns_keeps_nobody_out(rig, full, dice, facts):
    count = 1_000_000 if full else 20_000
    before = rig.counters()
    sent, served, over = [], [], threading.Event()

    def syns(many):
        for number in range(many):
            source, port = stranger(dice)
            if len(sent) < 20_000:
                sent.append((source, port, number))
            yield rig.wire.segment(source, port, number, 0, SYN)

    def be_served():
        while not over.is_set():
            rig.serves()
            served.append(1)

    rig.flood(syns(2 * HALF_OPEN))
    assert rig.counters()["packets_now_half_open"] == HALF_OPEN, "the table is full before anybody else comes"
    honest = threading.Thread(target=be_served)
    honest.start()
    try:
        rig.flood(syns(count - 2 * HALF_OPEN))
        assert rig.counters()["packets_now_half_open"] <= HALF_OPEN
    finally:
        over.set()
        honest.join(60)
    after = rig.counters()
    assert after["packets_tcp_cookies_sent"] - before["packets_tcp_cookies_sent"] > count // 2
    assert after["packets_tcp_cookies_good"] > before["packets_tcp_cookies_good"], "nobody needed a cookie"
    assert served, "nobody was served during the flood"
    facts(f"{count} SYNs, {len(served)} clients served meanwhile")
    if not full:  # half a minute later they would be gone by themselves
        rig.flood(rig.wire.segment(source, port, seq + 1, 0, RST) for source, port, seq in sent)
    rig.comes_to_rest(60)
    rig.serves()


def test_storms_of_acks_and_resets_break_no_connection(rig, full, dice):
    def storm(victim):
        for number in range(500_000 if full else 10_000):
            source, port = stranger(dice) if number % 2 else victim
            flags = dice.choice([ACK, RST, RST | ACK, SYN | ACK, FIN | ACK, ACK if number % 2 else SYN])
            timestamps = b"\x01\x01\x08\x0a" + dice.randbytes(8)  # agreed on, so that without them nothing is even looked at
            yield rig.wire.segment(source, port, dice.getrandbits(32), dice.getrandbits(32), flags, options=timestamps)

    before = rig.counters()
    with Client(rig.network.place) as client:
        client.open()
        address, port = client.socket.getsockname()
        rig.flood(storm((socket.inet_aton(address), port)))
        assert client.say(f"RCPT TO:<{STRANGER}>") == "550 5.1.1 Invalid recipient"
        client.quit()
    # Of one source: a few are answered.
    rig.flood(rig.wire.segment(b"\x0a\x01\x02\x03", 2000 + number, 1, 1, ACK) for number in range(200))
    after = rig.counters()
    for withheld in ("challenge_acks_withheld", "resets_withheld"):
        assert after[f"packets_tcp_{withheld}"] > before[f"packets_tcp_{withheld}"], withheld
    rig.comes_to_rest()
    rig.serves()


def test_readers_that_never_acknowledge_hold_up_only_themselves(rig, full):
    count = 1500 if full else 100
    question = b"EHLO client.example\r\nMAIL FROM:<a@elsewhere.example>\r\n" + b"RCPT TO:<guess@example.com>\r\n" * 40
    hogs = []
    for number in range(count):
        hog = RawClient(rig.wire, f"192.0.2.{100 + number % 100}", 20_000 + number).open()
        hog.send(ACK | PSH, question)
        hogs.append(hog)
    wait_until(lambda: rig.counters()["packets_now_octets_held"] > count * 1024, 10, "replies wait to be acknowledged")
    rig.serves()
    assert rig.counters()["packets_now_connections"] >= count
    rig.flood(hog.packet(RST, seq=hog.seq + len(question)) for hog in hogs)
    rig.comes_to_rest()
    rig.serves()


def test_floods_out_of_order_are_bounded(rig, full, dice):
    before = rig.counters()
    clients = [RawClient(rig.wire, "192.0.2.77", 30_000 + number).open() for number in range(20)]

    def ahead():
        for _ in range(200_000 if full else 5_000):
            client = dice.choice(clients)
            yield client.packet(ACK, b"x" * dice.randrange(1, 3), seq=client.seq + dice.randrange(1, 60_000))

    rig.flood(ahead())
    during = rig.counters()
    assert during["packets_tcp_out_of_order"] > before["packets_tcp_out_of_order"]
    assert during["packets_now_octets_held"] <= 64 * 1024 * len(clients)
    rig.serves()
    rig.flood(client.packet(RST) for client in clients)
    rig.comes_to_rest()
    rig.serves()


def test_fragments_are_counted_and_dropped(rig, full, dice):
    """The first of a segment, a later one, and overlapping ones, with offsets in units of 8 octets."""
    count = 100_000 if full else 1_000
    source, source6 = socket.inet_aton(rig.network.theirs), socket.inet_pton(socket.AF_INET6, rig.network.theirs6)

    def fragments():
        for number in range(count):
            whole = tcp_segment(source, rig.wire.server, 2000, 25, number, 0, SYN) + b"\0" * 24
            yield ipv4_packet(source, rig.wire.server, whole[:24], fragment=0x2000, identification=number & 0xFFFF)
            yield ipv4_packet(source, rig.wire.server, whole[24:], fragment=dice.choice([1, 2, 3, 8191]), identification=number & 0xFFFF)
            whole = tcp_segment(source6, rig.wire.server6, 2000, 25, number, 0, SYN)
            for offset, more in ((0, 1), (dice.choice([1, 2, 3, 8191]), 0)):
                yield ipv6_packet(source6, rig.wire.server6, struct.pack("!BBHI", 6, 0, offset << 3 | more, number) + whole, next_header=44)

    before = rig.counters()
    rig.flood(fragments())
    after = rig.counters()
    assert after["packets_net_fragment"] - before["packets_net_fragment"] == 4 * count
    assert after["packets_tcp_half_open"] == before["packets_tcp_half_open"], "a fragment opened a connection"
    rig.comes_to_rest()
    rig.serves()


def reset_by_challenge(rig, clients):
    """Whoever no longer knows a connection's numbers asks by a SYN, and is told them for its reset. RFC 5961 4, RFC 9293 3.10.7.4."""
    ends = {(client.source, client.port): client for client in clients}

    def all_ended():
        with Wire(rig.network) as wire:
            wire.socket.settimeout(0.2)
            rig.flood(client.packet(SYN) for client in clients)
            try:
                for to, _, ack, _, _ in wire.segments():
                    if to in ends:
                        rig.wire.send(ends[to].packet(RST, seq=ack))
            except TimeoutError:
                pass
        now = rig.counters()
        return not now["packets_now_connections"] and not now["packets_now_half_open"]

    wait_until(all_ended, 60, "all are reset")


def test_every_field_at_random_on_open_connections(rig, full, dice):
    """Whole frames with some octets changed at random, half of them with right checksums, on connections that stand."""
    clients = [RawClient(rig.wire, "192.0.2.78", 31_000 + number).open() for number in range(8)]

    def spoilt():
        for number in range(1_000_000 if full else 20_000):
            client = dice.choice(clients)
            if number % 2:
                options = dice.randbytes(dice.randrange(0, 41)) if number % 4 == 1 else b""
                yield client.packet(dice.randrange(64), b"N" * dice.randrange(0, 200), seq=client.seq + dice.randrange(-200, 70_000),
                                    ack=client.ack + dice.randrange(-10, 400), window=dice.choice([0, 1, 100, 65535]), options=options)
            else:
                octets = bytearray(client.packet(ACK | PSH, b"NOOP\r\n"))
                for _ in range(dice.randrange(1, 6)):
                    octets[dice.randrange(1, len(octets))] = dice.randrange(256)
                yield bytes(octets)

    rig.flood(spoilt())
    assert rig.edge.running
    rig.serves()
    reset_by_challenge(rig, clients)
    rig.comes_to_rest()
    rig.serves()


def test_frames_of_no_sense_at_all(rig, full, dice):
    before = rig.counters()["packets_net_frames"]
    count = 200_000 if full else 5_000

    def frames():
        for _ in range(count):
            frame = bytearray(dice.randbytes(dice.choice([14, 15, 20, 33, 34, 54, 60, 100, 600, 1514])))
            if dice.random() < 0.9:
                frame[:6] = dice.choice([rig.wire.posterns, b"\xff" * 6, b"\x33\x33\xff\x00\x00\x01"])
                frame[12:14] = struct.pack("!H", dice.choice([0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8]))
            yield bytes(frame)

    rig.flood(frames(), whole=True)
    assert rig.counters()["packets_net_frames"] > before + count // 2
    rig.serves()
    rig.comes_to_rest()
    assert rcpt_reply(rig.network.place, STRANGER) == "550 5.1.1 Invalid recipient"
