"""What the edge socket tells and does of a network port of its own: link state, captures, DPDK's telemetry. The kernel's end of the
TAP device is in the edge's own namespace."""

import contextlib
import json
import os
import re
import socket
import subprocess
import time

import pytest
from lib.downstream import wait_until
from lib.namespace import Namespace, possible
from lib.postern import Edge

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

OURS, THEIRS, OTHERS = "192.0.2.1", "192.0.2.9", "192.0.2.77"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("port")
    wire = f"pc{os.getpid() % 1_000_000}"
    with contextlib.ExitStack() as stack:
        namespace = stack.enter_context(Namespace("port-commands"))
        edge = Edge(folder, {
            "edge": {"transport": "dpdk", "shards": 2},
            "port": {"device": f"net_tap0,iface={wire}", "mac": "02:00:00:00:00:01", "addresses": [f"{OURS}/24"], "queues": 1, "telemetry": True},
            "listener": [{"address": "0.0.0.0", "port": 25}],
        })
        with namespace.inside():
            stack.enter_context(edge)
        for address in (THEIRS, OTHERS):
            namespace.run("ip", "addr", "add", f"{address}/24", "dev", wire)
        namespace.run("ip", "link", "set", wire, "up")
        yield type("Rig", (), {"edge": edge, "namespace": namespace, "wire": wire})


def talk(rig, octets=0, source=THEIRS):
    """A conversation from one of the kernel's addresses; the port that it came from."""
    with rig.namespace.inside():
        connection = socket.create_connection((OURS, 25), timeout=30, source_address=(source, 0))
    with connection:
        port = connection.getsockname()[1]
        connection.recv(1024)
        connection.sendall(b"NOOP " + b"x" * 400 + b"\r\n" if not octets else b"NOOP\r\n" * (octets // 6))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    return port


def shown(rig):
    return rig.edge.good("show port")["port"]


def test_the_port_says_what_it_is(rig):
    port = shown(rig)
    assert (port["driver"], port["mac"], port["shards"], port["queues"]) == ("net_tap", "02:00:00:00:00:01", 2, 1)
    assert port["spread_by"] == "shards" and port["sleeps_by"] == "polling" and port["twin"] is None
    assert port["link"]["up"] is True


def test_a_link_that_goes_and_comes_is_told_counted_and_announced(rig):
    before = shown(rig)["link"]["changes"]
    rig.namespace.run("ip", "link", "set", rig.wire, "down")
    wait_until(lambda: not shown(rig)["link"]["up"], 10, "the link is down")
    with rig.namespace.inside():
        listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    with listening:
        listening.settimeout(10)
        rig.namespace.run("ip", "link", "set", rig.wire, "up")
        gratuitous = bytes.fromhex("ffffffffffff020000000001" "0806" "0001080006040001" "020000000001" "c0000201" "000000000000" "c0000201")
        while listening.recv(2048)[:42] != gratuitous:
            pass
    wait_until(lambda: shown(rig)["link"]["up"], 10, "the link is up")
    assert shown(rig)["link"]["changes"] >= before + 2
    assert rig.edge.good("show counters")["counters"]["port_link_changes"] >= 2
    assert [event["up"] for event in rig.edge.log("port_link")][-2:] == [False, True]
    talk(rig)


def packets_of(path):
    """Each packet of the file in tcpdump's words."""
    done = subprocess.run(["tcpdump", "-nn", "-r", path], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.splitlines()


def test_a_capture_holds_the_filtered_hosts_frames_of_both_directions(rig):
    begun = rig.edge.good(f"capture start mine {THEIRS} 30")
    assert begun["file"].endswith("captures/mine.pcapng")
    ports = [talk(rig) for _ in range(4)]
    talk(rig, source=OTHERS)
    ended = rig.edge.good("capture stop")["capture"]
    assert ended["state"] == "stopped" and ended["lost"] == 0
    lines = packets_of(begun["file"])
    assert len(lines) == ended["frames"] > 4 * 8
    assert not any(OTHERS in line for line in lines) and all(THEIRS in line for line in lines)
    for port in ports:  # whichever shard had it
        assert any(f"{THEIRS}.{port} > {OURS}.25: Flags [S]" in line for line in lines)
        assert any(f"{OURS}.25 > {THEIRS}.{port}: Flags [S.]" in line for line in lines)
    assert any(re.search(r"length 407.*NOOP", line) for line in lines), lines
    assert os.stat(begun["file"]).st_mode & 0o777 == 0o600
    (started,), (over,) = rig.edge.log("capture_started"), rig.edge.log("capture_ended")
    assert started["filter"] == f"{THEIRS}/32" and over["why"] == "stopped" and over["frames"] == len(lines)


def test_a_capture_is_bounded_in_octets_and_time(rig):
    file = rig.edge.good(f"capture start full {THEIRS}/24 60 1")["file"]
    while rig.edge.good("show capture")["capture"]["state"] == "running":
        talk(rig, octets=60_000)
    assert rig.edge.good("show capture")["capture"]["state"] == "full"
    assert 1_000_000 < os.stat(file).st_size <= 1 << 20
    packets_of(file)
    assert rig.edge.good(f"capture start short {THEIRS} 1")["ok"]
    begun = time.monotonic()
    wait_until(lambda: rig.edge.good("show capture")["capture"]["state"] == "time over", 10, "the time is over")
    assert time.monotonic() - begun > 0.5
    talk(rig)


@pytest.mark.parametrize("line, why", [
    ("capture start x", "missing"), ("capture start ../x 192.0.2.9", "name"), ("capture start x all", "address"), ("capture start mine 192.0.2.9", "exists"),
    ("capture start x 192.0.2.9 0", "above 0"), ("capture start x 192.0.2.9 99999", "3600"), ("capture start x 0.0.0.0/0", "/8"),
    ("capture stop", "no capture"),
])
def test_what_is_refused(rig, line, why):
    answer = rig.edge.command(line)
    assert not answer["ok"] and why in answer["error"], answer


def test_dpdk_tells_of_itself_by_telemetry(rig):
    (opened,) = rig.edge.log("port_open")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(10)
        connection.connect(opened["telemetry"])
        assert json.loads(connection.recv(16384))["pid"] == rig.edge.process.pid

        def ask(words):
            connection.send(words)
            return json.loads(connection.recv(65536))

        assert ask(b"/info")["/info"]["version"].startswith("DPDK 22.11")
        assert ask(b"/ethdev/list") == {"/ethdev/list": [0]}
        talk(rig)
        assert ask(b"/ethdev/stats,0")["/ethdev/stats"]["opackets"] > 0
