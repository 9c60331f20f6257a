"""postern-load's TLS share: against a real Postfix with TLS, and against servers that promise TLS and don't keep it."""

import pytest
from lib.accepting import Accepting
from lib.certificates import Authority
from lib.downstream import Postfix, wait_until

from benches import running


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "people.txt"
    path.write_text("".join(f"user.{i}@example.com\n" for i in range(100)), encoding="ascii")
    return path


@pytest.fixture(scope="module")
def postfix(tmp_path_factory):
    """Postfix with STARTTLS that takes `user.` and refuses everybody else."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = Authority(folder / "ca").issue("mx.example.com")
    listed = folder / "listed"
    listed.write_text("/^user\\./ OK\n/./ 550 5.1.1 unknown\n", encoding="ascii")
    settings = {
        "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": certificate, "smtpd_tls_key_file": key, "smtpd_tls_loglevel": 1,
        "smtpd_recipient_restrictions": f"check_recipient_access regexp:{listed}, permit_mynetworks, reject",
        "smtpd_error_sleep_time": 0, "smtpd_hard_error_limit": 1000000, "smtpd_soft_error_limit": 1000000,
    }
    with Postfix(folder / "downstream", settings) as server:
        yield server


def load(binaries, server, *words):
    return running.load(binaries, f"127.0.0.1:{server.port}", *words, patience=60)


# First in the file: it counts the handshakes in Postfix's log.
def test_a_share_of_the_connections_has_tls(binaries, postfix, people):
    found = load(binaries, postfix, "--recipients", people, "--strangers", "example.com", "--churn", "--connections", 4, "--tls-share", 0.3,
                 "--count", 20)
    assert running.faults(found) == "" and found["status"] == 0
    assert found["connections_made"] == 20 and found["handshakes"] == 6
    assert found["handshake_latency_ns"]["count"] == 6
    assert 0 < found["handshake_latency_ns"]["p50"] <= found["handshake_latency_ns"]["max"]
    assert found["rcpts"] == 20 and set(found["replies"]) == {"250", "550"}
    wait_until(lambda: (postfix.state / "mail.log").read_text(encoding="utf-8").count("TLS connection established") == 6, 10,
               "Postfix's log has each handshake")


def test_sessions_in_the_clear_and_inside_tls_go_on_side_by_side(binaries, postfix, people):
    found = load(binaries, postfix, "--recipients", people, "--strangers", "example.com", "--tls-share", 0.5, "--connections", 8, "--duration", 3,
                 "--threads", 2)
    assert running.faults(found) == "" and found["status"] == 0
    assert 1 <= found["handshakes"] <= 4 and found["sessions"] == 8
    assert found["rcpts"] > 8


def test_replies_inside_tls_are_checked(binaries, postfix, people):
    found = load(binaries, postfix, "--recipients", people, "--tls-share", 1, "--connections", 2, "--count", 50, "--pipeline", 10,
                 "--expect", "valid=251", "--failures", 1000)
    assert found["status"] == 1 and found["handshakes"] == 2
    assert found["wrong"] == 50
    assert "expected 251" in found["examples"][0]


def test_messages_arrive_whole_through_tls(binaries, postfix, people):
    before = len(postfix.messages())
    found = load(binaries, postfix, "--recipients", people, "--messages", "--size", 60000, "--tls-share", 1, "--connections", 2, "--count", 4)
    assert found["status"] == 0 and found["messages"] == 4
    for message in postfix.wait_for_messages(before + 4)[before:]:
        assert len(message) > 59000 and b"Subject: postern-load" in message


def test_a_server_without_starttls_is_told(binaries):
    with running.NullServer(binaries) as server:
        found = running.load(binaries, server.target, "--strangers", "example.com", "--tls-share", 1, "--connections", 1, "--failures", 1, patience=60)
    assert found["status"] == 1 and found["wrong"] >= 1
    assert "does not announce STARTTLS" in found["examples"][0]


def test_a_handshake_that_comes_to_nothing_is_counted(binaries):
    def serve(client):
        with client:
            for reply in (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go ahead\r\n", b"500 what is this?\r\n"):
                client.sendall(reply)
                client.recv(4096)

    server = Accepting(serve)
    try:
        found = running.load(binaries, f"127.0.0.1:{server.port}", "--strangers", "example.com", "--tls-share", 1, "--connections", 1, "--failures", 1,
                             "--duration", 20, patience=60)
    finally:
        server.end()
    assert found["status"] == 1
    assert found["handshake_errors"] >= 1 and found["handshakes"] == 0
    assert found["examples"][0].startswith("no TLS: ")
