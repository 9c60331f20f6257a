"""The program postern-edge as a whole: starting, refusing to start, answering SMTP and its socket, ending."""

import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

import pytest
from lib.downstream import ScriptedServer
from lib.postern import BIN, Edge, EdgeSocket, free_port
from lib.smtp import Client

LISTED = "alice@example.com"
STRANGER = "nobody@example.com"


@pytest.fixture
def edge(tmp_path, port_network):
    with Edge(tmp_path, network=port_network) as running:
        yield running


@pytest.fixture
def serving(edge):
    """An edge with a table in force and a mail server behind it."""
    with ScriptedServer() as server:
        edge.serve([LISTED, "bob@example.com"], server.port, "base-1")
        edge.server = server
        yield edge


def test_without_a_table_every_recipient_is_put_off(edge):
    with Client(edge.port) as client:
        assert client.greeting == "220 edge.example.com ESMTP"
        client.open()
        assert client.say(f"RCPT TO:<{LISTED}>").startswith("451 4.3.0")
        assert client.quit().startswith("221")
    assert edge.command("show table")["loaded"] is False


def test_shards_keep_to_their_cores(tmp_path):
    last = max(os.sched_getaffinity(0))
    with Edge(tmp_path, {"edge": {"shards": 0, "cores": str(last)}}) as edge:
        threads = {(task / "comm").read_text().strip(): os.sched_getaffinity(int(task.name)) for task in
                   pathlib.Path(f"/proc/{edge.process.pid}/task").iterdir()}
    assert threads["shard-0"] == {last}
    assert "shard-1" not in threads
    assert all(cpus == os.sched_getaffinity(0) for name, cpus in threads.items() if name != "shard-0")


@pytest.mark.packets
