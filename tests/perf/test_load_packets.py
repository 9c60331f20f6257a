"""postern-load over a network port of its own: against a server over this machine's kernel, in a namespace of the test's own, and against the edge over
a port of its own at the other end of a veth pair."""

import subprocess

import pytest
from lib.downstream import Postfix, wait_until
from lib.namespace import possible
from lib.port_network import PortNetwork
from lib.postern import free_port
from lib.system import System

from benches import running

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

STRANGERS = ("--strangers", "example.com")


@pytest.fixture
def veth():
    with PortNetwork.of("net_af_packet", "load") as network:
        yield network


def options(device, sources=1):
    return ("--remote", "--transport", "dpdk", "--device", device, "--address", "192.0.2.16/24", "--sources", sources, "--mac", "02:00:00:00:00:10")


def load(binaries, network, server, *words, sources=1):
    """Load on a server in the namespace, to its report."""
    return running.load(binaries, f"{network.theirs}:{server.port}", *options(network.settings["port"]["device"], sources), *words, patience=200)


def null_server(binaries, network, **more):
    return running.NullServer(binaries, address="0.0.0.0", inside=network.command(), **more)


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.txt"
    path.write_text("".join(f"user.{i}@example.com\n" for i in range(100)), encoding="ascii")
    return path


def test_replies_are_counted_and_checked(binaries, veth, people):
    lists = ("--recipients", people, *STRANGERS, "--valid-share", 0.3)
    with null_server(binaries, veth, listed="user.") as server:
        found = load(binaries, veth, server, *lists, "--count", 10000)
    assert running.faults(found) == "" and found["status"] == 0
    assert found["transport"] == "dpdk" and found["rcpts"] == 10000
    assert found["connections_made"] == found["sessions"] == 64
    assert 0.25 < found["replies"]["250"] / 10000 < 0.35
    assert 0 < found["latency_ns"]["p50"] <= found["latency_ns"]["max"]
    assert found["packets"]["bad_segments"] == 0
    with null_server(binaries, veth, listed="user.", lie=100) as server:
        found = load(binaries, veth, server, *lists, "--count", 5000, "--pipeline", 20, "--failures", 1000)
    assert found["status"] == 1 and found["wrong"] == 50
    assert "RCPT TO:<" in found["examples"][0]


def test_a_tap_device_will_do(binaries, people):
    with PortNetwork.of("net_tap", "load-tap") as network, null_server(binaries, network, listed="user.") as server:
        with running.Load(binaries, f"{network.theirs}:{server.port}", *options(network.settings["port"]["device"]), "--recipients", people, "--count",
                          2000) as started:
            # Its last step of opening a device with another Ethernet address; then the kernel's end may go to the namespace.
            wait_until(lambda: b"PROMISC" in subprocess.run(["ip", "link", "show", network.device], capture_output=True, check=False).stdout, 30,
                       "the device is open")
            network.attach()
            found = started.report(60)
    assert found["status"] == 0 and found["rcpts"] == 2000


def test_sessions_come_and_go(binaries, veth):
    with null_server(binaries, veth) as server:
        found = load(binaries, veth, server, *STRANGERS, "--churn", "--count", 2000, sources=2)
    assert running.faults(found) == "" and found["status"] == 0
    assert found["rcpts"] == found["sessions"] == found["connections_made"] == 2000


def test_messages_of_many_segments_arrive(binaries, veth, people):
    with null_server(binaries, veth, listed="user.") as server:
        found = load(binaries, veth, server, "--recipients", people, "--messages", "--size", 300000, "--per-transaction", 3, "--connections", 8, "--count", 40)
    assert running.faults(found) == "" and found["status"] == 0
    assert found["messages"] == 40 and found["rcpts"] == 120


def test_the_timetable_of_an_open_loop_is_kept(binaries, veth):
    with null_server(binaries, veth) as server:
        found = load(binaries, veth, server, *STRANGERS, "--rate", 500, "--open-loop", "--connections", 200, "--duration", 3)
    assert found["status"] == 0 and found["loop"] == "open"
    assert 1000 < found["rcpts_measured"] <= 1510


def test_what_a_wire_loses_is_sent_again_and_counted(binaries, veth):
    veth.lose(3)
    with null_server(binaries, veth) as server:
        found = load(binaries, veth, server, *STRANGERS, "--connections", 200, "--count", 8000, "--timeout", 100)
    assert running.faults(found) == "" and found["status"] == 0
    assert found["rcpts"] == 8000
    assert found["packets"]["resent_segments"] > 50
    assert found["packets"]["resent_syns"] > 0


def test_tls_goes_over_it_too(binaries, veth, tmp_path):
    from lib.certificates import Authority  # noqa: PLC0415

    certificate, key = Authority(tmp_path / "ca").issue("mx.example.com")
    settings = {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": certificate, "smtpd_tls_key_file": key, "mynetworks": "192.0.2.0/24",
                "smtpd_recipient_restrictions": "reject"}
    tmp_path.chmod(0o711)
    with veth.inside():
        postfix = Postfix(tmp_path / "downstream", settings, address=veth.theirs).start()
    try:
        found = load(binaries, veth, postfix, *STRANGERS, "--expect", "stranger=554", "--churn", "--connections", 4, "--tls-share", 0.5, "--count", 20)
    finally:
        postfix.stop()
    assert running.faults(found) == "" and found["status"] == 0
    assert found["handshakes"] == 10 and found["sessions"] == 20


def peers(network, port):
    """How many connections to this port the namespace's kernel has, by the other end's address."""
    lines = network.run("ss", "-Htn", "state", "established", f"sport = :{port}").splitlines()
    found = {}
    for line in lines:
        address = line.split()[3].rsplit(":", 1)[0].removeprefix("[::ffff:").removesuffix("]")
        found[address] = found.get(address, 0) + 1
    return found


def test_ten_thousand_connections_are_held_from_several_addresses(binaries, veth):
    with null_server(binaries, veth) as server:
        with running.Load(binaries, f"{veth.theirs}:{server.port}", *options(veth.settings["port"]["device"], 4), *STRANGERS, "--connections", 10000,
                          "--rate", 300, "--ramp", 10, "--duration", 120, "--timeout", 100) as started:
            wait_until(lambda: sum(peers(veth, server.port).values()) == 10000 or not started.running(), 110, "all are open")
            assert peers(veth, server.port) == {f"192.0.2.{16 + i}": 2500 for i in range(4)}
            started.process.terminate()
            found = started.report(110)
    assert running.faults(found) == "" and found["status"] == 0
    assert found["connections_made"] == found["sessions"] == 10000


def test_an_edge_over_a_port_of_its_own_is_loaded(binaries, veth, tmp_path, full):
    """No kernel's TCP on either side; in the full size more connections than one address has ports."""
    connections, sources = (100_000, 2) if full else (2000, 2)
    limits = {"limits": {"connections": 120_000, "connections_per_source": 120_000, "transactions": 120_000}}
    with System(tmp_path, edge=limits, network=veth) as system:
        system.serve("example.com", free_port(), ["alice@example.com"])
        found = running.load(binaries, f"{veth.ours}:25", *options(f"net_af_packet0,iface={veth.interface}", sources), *STRANGERS, "--expect",
                             "stranger=550 5.1.1", "--connections", connections, "--rate", 2000, "--ramp", 90 if full else 4, "--duration", 2,
                             inside=veth.command(), patience=400)
        assert system.edge.good("show counters")["counters"]["packets_net_segments"] > 4 * connections
    assert running.faults(found) == "" and found["status"] == 0
    assert found["connections_made"] == found["sessions"] == connections


def test_a_server_that_is_not_there_is_told(binaries, veth):
    def run(target):
        return subprocess.run([binaries / "postern-load", "--target", target, *map(str, options(veth.settings["port"]["device"])), *STRANGERS],
                              capture_output=True, text=True, timeout=60, check=False)

    nobody = run("192.0.2.77:25")
    assert nobody.returncode == 3 and "nobody on the link says that it is 192.0.2.77" in nobody.stderr
    refused = run(f"{veth.theirs}:9")
    assert refused.returncode == 3 and "Connection refused" in refused.stderr
