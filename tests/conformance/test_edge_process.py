"""The program postern-edge as a whole: starting, refusing to start, answering SMTP and its socket, ending."""

import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

import pytest
from lib.downstream import ScriptedServer, wait_until
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
        def threads():
            return {(task / "comm").read_text().strip(): os.sched_getaffinity(int(task.name)) for task in
                    pathlib.Path(f"/proc/{edge.process.pid}/task").iterdir()}
        wait_until(lambda: threads().get("shard-0") == {last}, 10, "a shard that names and pins itself")
        assert "shard-1" not in threads()
        assert all(cpus == os.sched_getaffinity(0) for name, cpus in threads().items() if name != "shard-0")


@pytest.mark.packets
def test_a_listed_recipient_is_delivered_and_a_stranger_rejected(serving):
    with Client(serving.port) as client:
        client.say("EHLO client.example")
        assert client.deliver([STRANGER], b"x\r\n") == "550 5.1.1 Invalid recipient"
        assert client.say("RSET").startswith("250")
        assert client.deliver([LISTED], b"Subject: one\r\n\r\nhello\r\n").startswith("250")
        assert client.say("MAIL FROM:<a@elsewhere.example>").startswith("250")
        assert client.say("RCPT TO:<someone@elsewhere.example>").startswith("550 5.7.1")
    counters = serving.good("show counters")["counters"]
    assert counters["smtp_recipients_invalid"] == 1
    assert counters["smtp_recipients_not_served"] == 1
    assert counters["relay_delivered"] == 1


@pytest.mark.packets
def test_recent_recipients_are_told_as_events_until_they_are_acknowledged(serving):
    with Client(serving.port) as client:
        client.open()
        for recipient in ("Alice@Example.com", STRANGER, "someone@elsewhere.example"):
            client.say(f"RCPT TO:<{recipient}>")
    told = serving.good("events 0")
    assert [(event["number"], event["address"], event["outcome"]) for event in told["events"]] == [(1, LISTED, "listed"), (2, STRANGER, "rejected")]
    assert {event["source"] for event in told["events"]} == {serving.port.clients_network}
    assert told["last"] == 2 and told["overwritten"] == 0 and told["missed"] == 0
    serving.good("events ack 1")
    assert [event["number"] for event in serving.good("events 0")["events"]] == [2]
    serving.stop()
    serving.start()
    again = serving.good("events 0")
    assert again["events"] == [] and again["run"] != told["run"]


def test_a_commit_changes_the_answers_and_a_rollback_changes_them_back(serving):
    def answer(address):
        with Client(serving.port) as client:
            client.open()
            return client.say(f"RCPT TO:<{address}>")[:3]

    serving.build_table([STRANGER], serving.server.port, "base-2", 2)
    before = serving.good("show table")["generation"]
    assert (answer(LISTED), answer(STRANGER)) == ("250", "550")
    assert serving.put_in_force("base-2")["generation"] == before + 1
    assert (answer(LISTED), answer(STRANGER)) == ("550", "250")
    assert serving.good("table rollback")["generation"] == before + 2
    assert (answer(LISTED), answer(STRANGER)) == ("250", "550")


@pytest.mark.packets
def test_the_last_good_table_is_in_force_after_a_restart_and_after_a_kill(serving):
    for end in (serving.stop, serving.kill):
        before = serving.good("show table")
        end()
        serving.start()
        assert serving.good("show table") == before
        with Client(serving.port) as client:
            client.open()
            assert client.say(f"RCPT TO:<{STRANGER}>") == "550 5.1.1 Invalid recipient"


def test_explain_says_what_rcpt_would(serving):
    stranger = serving.good(f"explain {STRANGER.upper()}")
    assert (stranger["normal"], stranger["standing"], stranger["mode"]) == (STRANGER, "unlisted", "enforce")
    assert stranger["reply"] == "550 5.1.1 Invalid recipient"
    listed = serving.good(f"explain {LISTED}")
    assert (listed["standing"], listed["reply"]) == ("listed", None)
    assert serving.good("explain x@elsewhere.example")["standing"] == "not_served"
    assert serving.good("explain no address")["normal"] is None


@pytest.mark.packets
def test_sigterm_ends_clean_and_lets_a_message_finish(serving):
    with Client(serving.port) as client:
        client.say("EHLO client.example")
        assert client.say("MAIL FROM:<a@elsewhere.example>").startswith("250")
        assert client.say(f"RCPT TO:<{LISTED}>").startswith("250")
        assert client.say("DATA").startswith("354")
        serving.process.send_signal(signal.SIGTERM)
        wait_for(lambda: serving.log("draining"))
        # Whichever shard the kernel gives them to.
        for _ in range(20):
            with Client(serving.port) as late:
                assert late.greeting.startswith("421 4.3.2")
        client.send(b"Subject: late\r\n\r\nstill taken\r\n.\r\n")
        assert client.reply().startswith("250")
    assert serving.stop() == 0
    assert not serving.socket.exists()
    assert [event["event"] for event in serving.log()][-1] == "ended"


@pytest.mark.packets
def test_a_second_sigterm_ends_at_once(serving):
    with Client(serving.port) as client:
        client.open()
        assert client.say(f"RCPT TO:<{LISTED}>").startswith("250")
        assert client.say("DATA").startswith("354")
        serving.process.send_signal(signal.SIGTERM)
        wait_for(lambda: serving.log("draining"))
        started = time.monotonic()
        assert serving.stop() == 0
        assert time.monotonic() - started < 8  # and not the drain, which is of 10 s


def test_drain_over_the_socket_ends_the_process(edge):
    assert edge.command("drain") == {"ok": True}
    assert edge.process.wait(20) == 0


def test_sighup_changes_nothing(edge):
    edge.process.send_signal(signal.SIGHUP)
    wait_for(lambda: edge.log("nothing_to_reload"))
    assert edge.good("show version")["pid"] == edge.process.pid


def test_the_edge_socket_is_for_owner_and_group_and_answers_pipelined_commands(edge):
    assert stat.S_IMODE(edge.socket.stat().st_mode) == 0o660
    with EdgeSocket(edge.socket) as connection:
        connection.send("show version\nnonsense\nshow listeners")
        assert connection.answer()["pid"] == edge.process.pid
        assert connection.answer()["ok"] is False
        assert connection.answer()["listeners"] == [
            {"address": listener["address"], "port": edge.port, "several_routes": False, "connections": 0} for listener in edge.settings["listener"]]


@pytest.mark.packets
def test_the_process_gave_its_rights_away(edge):
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{edge.process.pid}/status").read().splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    if "asan" not in str(BIN) and "tsan" not in str(BIN):
        assert status["Seccomp"] == "2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.packets
def test_root_becomes_the_configured_user(tmp_path, port_network):
    # The user can't reach the folder by its path; the edge opened what it needs before.
    tmp_path.chmod(0o700)
    edge = Edge(tmp_path, {"edge": {"user": "nobody"}}, network=port_network)
    with edge:
        edge.build_table([LISTED], free_port(), "base-1")
        (edge.tables / "base-1").chmod(0o644)
        edge.put_in_force("base-1")
        assert os.stat(f"/proc/{edge.process.pid}").st_uid == os.stat(edge.state).st_uid != 0
    with edge:
        assert edge.good("show table")["loaded"]


# Refusing to start.


def refusal(edge, *arguments):
    done = edge.run("--config", edge.configuration, *arguments)
    assert done.returncode == 1, done
    return done.stderr


def test_check_of_a_good_configuration_says_so_and_starts_nothing(tmp_path):
    edge = Edge(tmp_path)
    done = edge.run("--config", edge.configuration, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "configuration is good\n", "")
    assert list(edge.state.iterdir()) == []


@pytest.mark.parametrize("changes, said", [
    ({"limits": {"recipients": 5}}, "limits.recipients = 5: it must be from 100"),
    ({"edge": {"nmae": "x"}}, "edge.nmae: there is no such key"),
    ({"edge": {"state": "absent"}}, "absent: No such file or directory (edge.state); create it"),
    ({"edge": {"tables": "edge.toml"}}, "(edge.tables)"),
    ({"edge": {"socket": "absent/edge.sock"}}, "(edge.socket); create the folder"),
    ({"listener": [{"address": "here", "port": 25}]}, "it is not an IP address"),
    ({"listener": []}, "add [[listener]]"),
], ids=lambda value: "" if isinstance(value, dict) else value[:20])
def test_check_names_what_is_wrong_and_the_remedy(tmp_path, changes, said):
    edge = Edge(tmp_path, changes)
    assert said in refusal(edge, "--check")
    assert said in refusal(edge)


def test_a_missing_configuration_file_is_named(tmp_path):
    done = Edge(tmp_path).run("--config", "absent.toml")
    assert done.returncode == 1
    assert "absent.toml" in done.stderr and "--config" in done.stderr


def test_a_port_in_use_is_named(tmp_path):
    edge = Edge(tmp_path)
    with socket.create_server(("127.0.0.1", int(edge.port))):
        said = refusal(edge)
    assert f"127.0.0.1:{edge.port}" in said and "in use" in said


def test_a_second_edge_of_the_same_state_is_refused(edge, tmp_path):
    other = Edge(tmp_path / "other", {"edge": {"state": str(edge.state)}})
    assert "another postern-edge runs with the folder" in refusal(other)
    other = Edge(tmp_path / "third", {"edge": {"socket": str(edge.socket)}})
    assert "another process listens on" in refusal(other)
    assert edge.good("show version")


def test_too_many_connections_for_the_limit_of_files_are_named(tmp_path):
    edge = Edge(tmp_path, {"limits": {"connections": 999_999}})
    done = subprocess.run(["prlimit", "--nofile=4096:4096", "setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all", edge.program,
                           "--config", edge.configuration] if os.geteuid() == 0 else
                          ["prlimit", "--nofile=4096:4096", edge.program, "--config", edge.configuration],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    # Another user may not even read the configuration in a private folder; then that is what is said.
    assert "limits.connections needs" in done.stderr or "Permission denied" in done.stderr


def test_version_is_said(tmp_path):
    done = Edge(tmp_path).run("--version")
    assert done.returncode == 0
    assert done.stdout.strip()[0].isdigit()


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.01)
