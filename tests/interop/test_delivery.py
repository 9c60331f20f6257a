"""Mail through Postern into a real Postfix, by swaks and by Python's smtplib: once, byte for byte but for the trace header; strangers get 550 5.1.1."""

import concurrent.futures
import re
import smtplib
import subprocess

import pytest
from downstream import Postfix
from system import System

LISTED = "alice@example.com"
STRANGER = "nobody@example.com"

CONTENTS = {
    "plain": b"Subject: plain\r\n\r\nhello\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n...\r\nend\r\n",
    "empty body": b"Subject: nothing\r\n\r\n",
    "no header": b"\r\njust a body\r\n",
    "white space": b"Subject:  two \r\nX-Tab:\tx\t\r\n folded\r\n\r\n  a  \r\n\t\r\n\r\n\r\n",
    "8 bit": "Subject: grüße\r\n\r\nÄÖÜ €\r\n".encode(),
    "long line": b"Subject: long\r\n\r\n" + b"x" * 20_000 + b"\r\n",
    "1 MiB": b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n.6789abcdef\r\n" * 32_000,
}


@pytest.fixture(scope="module")
def system(tmp_path_factory, port_network):
    folder = tmp_path_factory.mktemp("delivery")
    with Postfix(folder / "downstream", extra={"line_length_limit": 65536, "smtp_line_length_limit": 0}) as postfix, \
            System(folder, network=port_network) as running:
        running.serve("example.com", postfix.port, [LISTED, "bob@example.com"])
        running.postfix = postfix
        yield running


def connected(system, **options):
    """smtplib's client, connected from where clients are."""
    with system.smtp.clients():
        return smtplib.SMTP(system.smtp.address, int(system.smtp), **options)


def swaks(system, *words, **options):
    with system.smtp.clients():
        return subprocess.run(["swaks", "--server", f"{system.smtp.address}:{system.smtp}", "--from", "sender@elsewhere.example", *words],
                              check=False, **options)


def without_trace(message):
    """The message behind the trace lines of Postfix and of Postern, and Postern's line."""
    received = re.compile(rb"Received: (?:[^\r\n]*\r\n)(?:[ \t][^\r\n]*\r\n)*")
    first = received.match(message)
    assert first and b"by downstream.example.com (Postfix)" in first.group(), message[:500]
    second = received.match(message, first.end())
    assert second, message[:500]
    return message[second.end():], second.group()


def delivered_by(system, action):
    before = {path.name for path in system.postfix.delivered.iterdir()}
    action()
    system.postfix.wait_for_messages(len(before) + 1)
    new = [path for path in system.postfix.delivered.iterdir() if path.name not in before]
    assert len(new) == 1
    return without_trace(new[0].read_bytes())


@pytest.mark.packets
@pytest.mark.parametrize("name", CONTENTS)
def test_smtplib_delivers_byte_for_byte(system, name):
    content = CONTENTS[name]

    def send():
        with connected(system) as client:
            assert client.sendmail("sender@elsewhere.example", [LISTED], content) == {}

    arrived, trace = delivered_by(system, send)
    assert arrived == content
    assert b" for <alice@example.com>" in trace.replace(b"\r\n", b"").replace(b"\t", b" ")
    assert f"([{system.smtp.client}])".encode() in trace


@pytest.mark.packets
def test_swaks_delivers_once(system, tmp_path):
    data = tmp_path / "message"
    data.write_bytes(CONTENTS["dots"])

    def send():
        assert swaks(system, "--to", LISTED, "--data", f"@{data}", "--silent", "2").returncode == 0

    arrived, _ = delivered_by(system, send)
    # swaks ends what it reads from a file with one more line end.
    assert arrived.rstrip(b"\r\n") == CONTENTS["dots"].rstrip(b"\r\n")


@pytest.mark.packets
def test_swaks_sees_a_stranger_rejected(system):
    done = swaks(system, "--to", STRANGER, capture_output=True, text=True)
    assert done.returncode == 24, done.stdout  # swaks: no recipient was accepted
    assert "<** 550 5.1.1 Invalid recipient" in done.stdout


@pytest.mark.packets
def test_smtplib_sees_a_stranger_rejected(system):
    with connected(system) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail("sender@elsewhere.example", [STRANGER], "Subject: x\n\nx")
    assert refused.value.recipients[STRANGER] == (550, b"5.1.1 Invalid recipient")


@pytest.mark.packets
def test_a_stranger_among_listed_recipients_is_refused_alone(system):
    def send():
        with connected(system) as client:
            refused = client.sendmail("sender@elsewhere.example", [LISTED, STRANGER, "bob@example.com"], CONTENTS["plain"])
            assert list(refused) == [STRANGER]

    arrived, trace = delivered_by(system, send)
    assert arrived == CONTENTS["plain"]
    assert b"for <" not in trace


@pytest.mark.packets
def test_many_senders_at_once_each_message_arrives_once(system, full):
    count = 5_000 if full else 100
    before = len(system.postfix.messages())

    def send(number):
        with connected(system, timeout=120) as client:
            client.sendmail(f"s{number}@elsewhere.example", [LISTED], f"Subject: n\r\nX-Number: {before}-{number}\r\n\r\nbody\r\n")

    with concurrent.futures.ThreadPoolExecutor(20) as senders:
        for done in [senders.submit(send, number) for number in range(count)]:
            done.result()
    messages = system.postfix.wait_for_messages(before + count, 300)
    numbers = [match.group(1) for message in messages if (match := re.search(rb"X-Number: %d-(\d+)" % before, message))]
    assert sorted(map(int, numbers)) == list(range(count))
