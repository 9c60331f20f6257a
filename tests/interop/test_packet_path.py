"""The edge over a port of its own (DPDK, net_tap): this machine's kernel is the client, a real Postfix is behind."""

import subprocess

import pytest
from downstream import Postfix
from lib import tap
from system import System

pytestmark = pytest.mark.skipif(bool(tap.possible()), reason=tap.possible() or "-")

LISTED = "alice@example.com"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packets")
    with tap.TapNetwork("edge") as network, Postfix(folder / "downstream") as postfix, System(folder, network.settings) as system:
        network.attach()
        system.serve("example.com", postfix.port, [LISTED])
        system.network, system.postfix = network, postfix
        yield system


def send(rig, recipient, message, server=tap.TapNetwork.ours):
    """curl in the namespace; the process, with the dialogue on its standard error."""
    host = f"[{server}]" if ":" in server else server
    command = rig.network.command("curl", "-sv", "--max-time", "60", f"smtp://{host}:25/client.example", "--mail-from",
                                  "you@elsewhere.example", "--mail-rcpt", recipient, "-T", message)
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize("server", [tap.TapNetwork.ours, tap.TapNetwork.ours6])
def test_a_listed_recipient_is_delivered_and_a_stranger_refused(rig, server, tmp_path):
    message = tmp_path / "message"
    message.write_bytes(b"Subject: over packets\r\n\r\nhello\r\n")
    before = len(rig.postfix.messages())
    done = send(rig, LISTED, message, server)
    assert done.returncode == 0, done.stderr
    assert rig.postfix.wait_for_messages(before + 1)[-1].endswith(message.read_bytes())
    refused = send(rig, "nobody@example.com", message, server)
    assert "550 5.1.1 Invalid recipient" in refused.stderr, refused.stderr


def test_a_message_of_many_segments_arrives_byte_for_byte(rig, full, tmp_path):
    size = 50_000_000 if full else 2_000_000
    message = tmp_path / "message"
    message.write_bytes(b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * (size // 18))
    before = len(rig.postfix.messages())
    done = send(rig, LISTED, message)
    assert done.returncode == 0, done.stderr[-2000:]
    assert rig.postfix.wait_for_messages(before + 1)[-1].endswith(message.read_bytes())


def test_it_pings_and_is_seen_in_the_counters(rig):
    rig.network.run("ping", "-q", "-c", "2", "-i", "0.1", "-W", "2", rig.network.ours)
    counters = rig.edge.good("show counters")["counters"]
    assert counters["packets_frames_received"] > 0 and counters["packets_net_answered"] > 0 and counters["packets_tcp_accepted"] > 0
    assert counters["packets_bad_segments"] == 0
