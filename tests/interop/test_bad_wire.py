"""A bad cable between Postern's port and Linux: a relay between two TAP devices drops, doubles, holds up and breaks frames by rule or by
chance. What is said and delivered is the same as over a good one."""

import time

import pytest
from lib.downstream import ScriptedServer, wait_until
from lib.namespace import possible
from lib.postern import Edge
from lib.relay import RelayedNetwork
from lib.smtp import Client

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

LISTED = "alice@example.com"
MESSAGE = b"Subject: over a bad wire\r\n\r\n" + b"0123456789abcdef\r\n" * 2_000


class Rig:
    def __init__(self, folder):
        self.network = RelayedNetwork(near="net_tap")
        self.server = ScriptedServer()
        self.edge = Edge(folder, network=self.network)

    def __enter__(self):
        self.network.__enter__()
        try:
            self.server.__enter__()
            self.edge.start()
            self.edge.serve([LISTED], self.server.port)
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

    def conversation(self):
        """Connects, is told of strangers, delivers, quits; how many seconds it took."""
        self.server.messages.clear()
        began = time.monotonic()
        with Client(self.network.place, timeout=120) as client:
            client.open()
            client.send(b"".join(b"RCPT TO:<guess%d@example.com>\r\n" % number for number in range(200)))
            assert [client.reply() for _ in range(200)] == ["550 5.1.1 Invalid recipient"] * 200
            assert client.say("RSET").startswith("250")
            assert client.deliver([LISTED], MESSAGE).startswith("250")
            assert client.quit().startswith("221")
        seconds = time.monotonic() - began
        wait_until(lambda: self.server.messages, 10, "the message at the mail server")
        assert len(self.server.messages) == 1 and self.server.messages[0].endswith(MESSAGE)
        return seconds

    def comes_to_rest(self):
        def held():
            now = self.counters()
            return now["packets_now_connections"] + now["packets_now_octets_held"] + now["packets_now_timers"]

        wait_until(lambda: not held(), 60, "nothing is held")


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    with Rig(tmp_path_factory.mktemp("bad-wire")) as running:
        yield running


RULES = {
    "nothing happens": [],
    "the first SYN is lost": ["drop 1 far syn"],
    "the first SYN-ACKs are lost": ["drop 2 near syn-ack"],
    "the handshake's last ACK is lost": ["drop 1 far ack"],
    "the greeting is lost": ["drop 1 near data"],
    "the first commands are lost": ["drop 2 far data"],
    "the FINs are lost": ["drop 1 near fin", "drop 1 far fin"],
    "every frame comes twice": ["duplicate 1000 both any"],
    "replies are broken": ["corrupt 2 near data"],
    "commands are broken": ["corrupt 3 far data"],
    "the first data come late": ["hold 1 400 far data", "hold 1 400 near data"],
    "many change places": ["hold 40 5 far data", "hold 10 5 near data"],
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_the_wire_changes_nothing_that_is_said(rig, facts, name):
    rules = RULES[name]
    rig.network.tell("clear")
    # The kernel asks for Postern's Ethernet address only now and then; frames of that are not what the rules are for.
    rig.network.run("ping", "-q", "-c", "1", "-w", "20", rig.network.ours)
    before = rig.network.tell("counts")
    for rule in rules:
        rig.network.tell(rule)
    facts(f"{rig.conversation():.1f} s")  # how long the kernel waits before it sends again is its own affair
    rig.comes_to_rest()
    after = rig.network.tell("counts")
    assert after["dropped"] - before["dropped"] == sum(int(rule.split()[1]) for rule in rules if rule.startswith("drop"))
    assert after["corrupted"] - before["corrupted"] == sum(int(rule.split()[1]) for rule in rules if rule.startswith("corrupt"))


def test_a_wire_that_does_all_of_it(rig, full, facts):
    rig.network.tell("clear")
    rig.network.tell("path lost=20 duplicated=50 reordered=100 corrupted=20 delay_ms=2")
    before = rig.counters()["packets_bad_segments"]
    seconds = [rig.conversation() for _ in range(100 if full else 2)]
    told = rig.network.tell("counts")
    rig.network.tell("clear")
    facts(f"{len(seconds)} conversations, the longest {max(seconds):.1f} s; {told['dropped']} frames lost, {told['corrupted']} broken so far")
    rig.comes_to_rest()
    if full:
        assert rig.counters()["packets_bad_segments"] > before, "no broken segment came as far as its checksum"
