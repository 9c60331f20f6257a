"""The edge over a port of its own, by each driver of DPDK's that needs no hardware: this machine's kernel is the client, a real Postfix is behind."""

import pathlib
import re
import socket
import subprocess

import pytest
from lib.downstream import Postfix, wait_until
from lib.namespace import possible
from lib.port_network import PortNetwork
from lib.postern import Edge
from lib.smtp import Client
from lib.system import System

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

LISTED = "alice@example.com"
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "packet-path.md"
DRIVERS = ("net_tap", "net_af_packet", "net_af_xdp", "net_memif")


@pytest.fixture(scope="module")
def postfix(tmp_path_factory):
    with Postfix(tmp_path_factory.mktemp("packets") / "downstream") as running:
        yield running


@pytest.fixture(scope="module", params=DRIVERS)
def rig(request, tmp_path_factory, postfix):
    driver = request.param
    if driver == "net_af_xdp" and not af_xdp_possible():
        pytest.skip("this kernel has no AF_XDP sockets")
    with PortNetwork.of(driver) as network, System(tmp_path_factory.mktemp(driver), network=network) as system:
        system.serve("example.com", postfix.port, [LISTED])
        system.network, system.postfix = network, postfix
        yield system


def af_xdp_possible():
    try:
        socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP, which Python does not name
    except OSError:
        return False
    return True


def send(rig, recipient, message, server=PortNetwork.ours):
    """curl in the namespace; the process, with the dialogue on its standard error."""
    host = f"[{server}]" if ":" in server else server
    command = rig.network.command("curl", "-sv", "--max-time", "60", f"smtp://{host}:25/client.example", "--mail-from",
                                  "you@elsewhere.example", "--mail-rcpt", recipient, "-T", message)
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def counters(rig):
    return rig.edge.good("show counters")["counters"]


def test_it_pings(rig):
    for server in (rig.network.ours, rig.network.ours6):
        rig.network.run("ping", "-q", "-c", "2", "-i", "0.1", "-W", "2", server)
    assert counters(rig)["packets_net_answered"] > 0


@pytest.mark.parametrize("server", [PortNetwork.ours, PortNetwork.ours6])
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


def test_what_was_taken_is_given_back(rig):
    """Buffers, connections, blocks: as many as before, once the clients are gone."""
    def held():
        now = counters(rig)
        return {name: value for name, value in now.items() if name.startswith("packets_now_") and name != "packets_now_time_wait"}

    wait_until(lambda: held()["packets_now_connections"] == 0, 20, "nobody is connected")
    before = held()
    clients = [Client(rig.smtp) for _ in range(50)]
    assert held()["packets_now_connections"] == 50
    for client in clients:
        client.quit()
    wait_until(lambda: held()["packets_now_connections"] == 0, 20, f"nobody is connected: {held()}")
    after = held()
    # What the driver's rings and a thread's cache hold of free buffers moves by a few bursts.
    assert after.pop("packets_now_buffers") <= before.pop("packets_now_buffers") + 600
    assert after == before
    assert after["packets_now_octets_held"] == 0
    now = counters(rig)
    assert now["packets_bad_segments"] == 0 and now["packets_no_frame_buffer"] == 0


def test_the_counters_that_the_manual_names_are_told(rig):
    named = set(re.findall(r"`((?:packets|port)_\w+)`", PAGE.read_text())) - {"port_open", "port_link"}  # events
    assert len(named) > 20
    assert not named - set(counters(rig))


def test_the_port_is_taken_again_after_a_kill(rig):
    """Neither a lock nor a device of the process before is in the way."""
    rig.edge.kill()
    rig.edge.start()
    with Client(rig.smtp) as client:
        client.open()
        assert client.say("RCPT TO:<nobody@example.com>") == "550 5.1.1 Invalid recipient"


@pytest.mark.parametrize("driver", ["net_af_packet", "net_af_xdp"])
def test_a_shared_device_takes_frames_for_posterns_own_address(driver, tmp_path):
    """A network card filters by its own Ethernet address, unless it is told otherwise."""
    if driver == "net_af_xdp" and not af_xdp_possible():
        pytest.skip("this kernel has no AF_XDP sockets")
    with PortNetwork.of(driver) as network, Edge(tmp_path, network=network):
        flags = int(pathlib.Path(f"/sys/class/net/{network.shared}/flags").read_text(), 16)
        assert flags & 0x100, "IFF_PROMISC"
