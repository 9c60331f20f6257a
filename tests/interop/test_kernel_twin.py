"""The kernel's twin of a port: relay, ssh, DNS and ping go through the port that receives mail. Two kernels on one wire: that of the
edge's namespace behind the twin, that of the clients' at the other end."""

import contextlib
import os
import socket
import subprocess
import threading

import pytest
from lib.downstream import Postfix
from lib.namespace import Namespace, possible, run_outside
from lib.postern import BIN, Edge

pytestmark = pytest.mark.skipif(bool(possible()), reason=possible() or "-")

OURS, OURS6, THEIRS, THEIRS6, FAR = "192.0.2.1", "2001:db8::1", "192.0.2.9", "2001:db8::9", "198.51.100.9"


@pytest.fixture(scope="module", params=[1, 2], ids=["one shard", "two shards"])
def rig(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin")
    wire, twin = f"pw{os.getpid() % 1_000_000}", f"pk{os.getpid() % 1_000_000}"
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(Namespace(f"twin{request.param}-edge"))
        theirs = stack.enter_context(Namespace(f"twin{request.param}-clients"))
        edge = Edge(folder / "edge", {
            "edge": {"transport": "dpdk", "shards": request.param},
            "port": {"device": f"net_tap0,iface={wire}", "mac": "02:00:00:00:00:01", "addresses": [f"{OURS}/24", f"{OURS6}/64"],
                     "gateways": [THEIRS], "twin": True, "twin_device": twin},
            "listener": [{"address": "0.0.0.0", "port": 25}, {"address": "::", "port": 25}],
        })
        with ours.inside():
            stack.enter_context(edge)
        run_outside("ip", "-n", ours.namespace, "link", "set", wire, "netns", theirs.namespace)
        for words in ((THEIRS + "/24", "dev", wire), (THEIRS6 + "/64", "dev", wire, "nodad"), (FAR + "/32", "dev", "lo")):
            theirs.run("ip", "addr", "add", *words)
        theirs.run("ip", "link", "set", wire, "up")
        with theirs.inside():
            postfix = stack.enter_context(Postfix(folder / "downstream", {"mynetworks": "192.0.2.0/24"}, address=THEIRS))
        (edge.folder / "list").write_text("alice@example.com\n")
        subprocess.run([BIN / "postern-table", "build", "--generation", "1", "--domain", f"example.com=enforce,{THEIRS}:{postfix.port}",
                        "--output", edge.tables / "base", edge.folder / "list"], check=True, capture_output=True)
        edge.put_in_force("base")
        yield type("Rig", (), {"edge": edge, "ours": ours, "theirs": theirs, "postfix": postfix, "twin": twin})


def exactly(connection, size):
    out = bytearray()
    while len(out) < size and (more := connection.recv(min(size - len(out), 65536))):
        out += more
    return bytes(out)


@contextlib.contextmanager
def server(namespace, family, address, serve, kind=socket.SOCK_STREAM):
    """`serve(socket)` on a thread, for one listening (or UDP) socket in the namespace; gives its port."""
    with namespace.inside():
        listening = socket.socket(family, kind)
    with listening:
        listening.settimeout(30)
        listening.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            listening.listen()
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("address", [OURS, OURS6])
def test_mail_is_received_and_relayed_through_the_same_port(rig, address, tmp_path):
    message = tmp_path / "message"
    message.write_bytes(b"Subject: there and back\r\n\r\n" + b"0123456789abcdef\r\n" * 50_000)
    before = len(rig.postfix.messages())
    host = f"[{address}]" if ":" in address else address

    def send(recipient):
        return subprocess.run(rig.theirs.command("curl", "-sv", "--max-time", "60", f"smtp://{host}:25/client.example", "--mail-from",
                                                 "you@elsewhere.example", "--mail-rcpt", recipient, "-T", message),
                              capture_output=True, text=True, timeout=90, check=False)

    done = send("alice@example.com")
    assert done.returncode == 0, done.stderr[-2000:]
    assert rig.postfix.wait_for_messages(before + 1)[-1].endswith(message.read_bytes())
    assert "550 5.1.1 Invalid recipient" in send("nobody@example.com").stderr


@pytest.mark.parametrize("family, address", [(socket.AF_INET, OURS), (socket.AF_INET6, OURS6)])
def test_a_server_of_the_kernels_is_reached_beside_smtp(rig, family, address, full):
    """As ssh would be: a connection to another port, octets there and back."""
    content = os.urandom(20_000_000 if full else 1_000_000)

    def echo(listening):
        connection, _ = listening.accept()
        with connection:
            while more := connection.recv(65536):
                connection.sendall(more)

    with server(rig.ours, family, address, echo) as port:
        with rig.theirs.inside():
            connection = socket.create_connection((address, port), timeout=30)
        with connection:
            sender = threading.Thread(target=lambda: (connection.sendall(content), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            assert exactly(connection, len(content)) == content
            sender.join()


@pytest.mark.parametrize("family, address", [(socket.AF_INET, THEIRS), (socket.AF_INET6, THEIRS6), (socket.AF_INET, FAR)])
def test_datagrams_and_their_fragments_pass_in_both_directions(rig, family, address):
    """As DNS would: small, and larger than the MTU. The last address is behind the gateway."""

    def answer(listening):
        for _ in range(2):
            text, client = listening.recvfrom(65536)
            listening.sendto(text[::-1], client)

    with server(rig.theirs, family, address, answer, socket.SOCK_DGRAM) as port:
        with rig.ours.inside():
            client = socket.socket(family, socket.SOCK_DGRAM)
        with client:
            client.settimeout(10)
            for size in (40, 4000):
                text = os.urandom(size)
                client.sendto(text, (address, port))
                assert client.recv(65536) == text[::-1], size


def test_who_listens_nowhere_is_told_by_the_kernel(rig):
    with rig.theirs.inside(), pytest.raises(ConnectionRefusedError):
        socket.create_connection((OURS, 2), timeout=10)


def test_pings_in_both_directions(rig):
    for namespace, address in ((rig.theirs, OURS), (rig.theirs, OURS6), (rig.ours, THEIRS), (rig.ours, THEIRS6), (rig.ours, FAR)):
        namespace.run("ping", "-q", "-c", "2", "-i", "0.1", "-W", "3", address)


def test_the_twin_is_the_port_to_the_kernel_and_the_counters_tell(rig, facts):
    shown = rig.ours.run("ip", "-o", "addr", "show", "dev", rig.twin)
    assert f"{OURS}/24" in shown and f"{OURS6}/64" in shown and "tentative" not in shown
    assert "02:00:00:00:00:01" in rig.ours.run("ip", "link", "show", "dev", rig.twin)
    assert f"default via {THEIRS} dev {rig.twin}" in rig.ours.run("ip", "route")
    counters = rig.edge.good("show counters")["counters"]
    assert counters["packets_twin_to_kernel"] > 100 and counters["packets_twin_from_kernel"] > 100
    assert counters["packets_twin_refused"] == 0 and counters["packets_bad_segments"] == 0
    assert counters["packets_tcp_accepted"] > 0 and counters["packets_tcp_no_listener"] == 0
    # A kernel that has no time for its thread loses some to the ring's end, and its TCP sends them again.
    facts(f"{counters['packets_twin_to_kernel']} frames to the kernel, {counters['packets_twin_full']} lost to a full ring")
