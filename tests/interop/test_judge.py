"""The evidence that discovery is made of, as the edge tells it: a real Postfix behind, and Debian's rspamd to judge. What control makes of it is
tests/directories/test_discovery.py's."""

import pytest
from accepting import Accepting
from downstream import Postfix, ScriptedServer, wait_until
from rspamd import GTUBE, Rspamd
from smtp import Client

from lib.postern import Edge

PLAIN = b"From: ann@sender.example\r\nTo: bob@example.com\r\nSubject: lunch\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\nAt one?\r\n"
SPAM = PLAIN.replace(b"At one?", GTUBE.encode())
MAILBOXES = ["alice", "bob", "carl", "dora", "alice+tag"]

pytestmark = pytest.mark.packets


@pytest.fixture(scope="module")
def postfix(tmp_path_factory):
    mailboxes = ", ".join(f"{{{name}@example.com = x}}" for name in MAILBOXES)
    extra = {
        "virtual_mailbox_domains": "example.com", "virtual_mailbox_maps": f"inline:{{{mailboxes}}}", "recipient_delimiter": "+",
        "header_checks": "regexp:{{/^Subject: refuse this/ REJECT}}",
    }
    with Postfix(tmp_path_factory.mktemp("judge") / "downstream", extra=extra) as server:
        yield server


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory):
    with Rspamd(tmp_path_factory.mktemp("rspamd")) as running:
        yield running


@pytest.fixture
def start(tmp_path, port_network):
    """Starts an edge in front of a mail server whose domain discovers, with these settings of [judge]."""
    running = []

    def begin(mail_server, listed=("alice@example.com",), **judge):
        edge = Edge(tmp_path, {"judge": judge}, network=port_network)
        running.append(edge)
        edge.start()
        edge.serve(listed, mail_server, mode="discover")
        return edge

    yield begin
    for edge in running:
        if edge.running:
            edge.stop()


def deliver(edge, recipients, content=PLAIN, sender="ann@sender.example"):
    with Client(edge.port) as client:
        client.say("EHLO client.example")
        reply = client.deliver(recipients if isinstance(recipients, list) else [recipients], content, sender)
        client.send("QUIT\r\n")
    return reply


FINDINGS = ("good_mail", "bad_mail", "listed_refused")


def findings(edge, count):
    """Once there are so many."""
    def found():
        events = [event for event in edge.good("events 0")["events"] if event["outcome"] in FINDINGS]
        return len(events) >= count and events
    return wait_until(found, 30, f"{count} findings") if count else []


def counted(edge, **wanted):
    """The judge's counters come to be these."""
    def same():
        counters = edge.good("show counters")["counters"]
        return all(counters[f"judge_{name}"] == value for name, value in wanted.items())
    wait_until(same, 30, f"{wanted}: {edge.good('show counters')['counters']}")


def test_rspamd_judges_plain_mail_good_and_gtube_bad(start, postfix, rspamd):
    edge = start(postfix.port, rspamd=rspamd.url)
    assert deliver(edge, "Bob@Example.com").startswith("250")
    assert deliver(edge, "carl@example.com", SPAM).startswith("250")
    assert deliver(edge, "alice@example.com").startswith("250")
    assert deliver(edge, "nobody@example.com").startswith("550 5.1.1")
    found = {event["address"]: event for event in findings(edge, 2)}
    assert set(found) == {"bob@example.com", "carl@example.com"}
    good, bad = found["bob@example.com"], found["carl@example.com"]
    assert (good["outcome"], good["judged_by"]) == ("good_mail", "rspamd")
    assert (bad["outcome"], bad["judged_by"], bad["why"]) == ("bad_mail", "rspamd", "reject: GTUBE, score 15.00 of 15.00")
    assert good["sender"] == bad["sender"]
    assert len(good["sender"]) == 16 and int(good["sender"], 16)
    assert good["source"] == edge.port.clients_network
    decided = {event["address"]: event["outcome"] for event in edge.good("events 0")["events"] if event["outcome"] not in FINDINGS}
    assert decided == {"bob@example.com": "would_reject", "carl@example.com": "would_reject", "alice@example.com": "listed",
                       "nobody@example.com": "refused_behind"}
    counted(edge, asked=2, good=1, bad=1)


def test_what_is_no_evidence_is_not_told(start, postfix):
    edge = start(postfix.port)
    assert deliver(edge, "bob@example.com", sender="").startswith("250")
    assert deliver(edge, ["bob@example.com", "carl@example.com"]).startswith("250")
    assert deliver(edge, "bob@example.com", sender="prvs=0123456789=ann@sender.example").startswith("250")
    assert deliver(edge, "bob@example.com", sender="SRS0=HHH=TT=sender.example=ann@forwarder.example").startswith("250")
    assert deliver(edge, "bob@example.com", sender="list-bounces+bob=example.com@lists.example").startswith("250")
    assert deliver(edge, "bob@example.com", PLAIN.replace(b"lunch", b"refuse this")).startswith("550 5.7.1")
    assert deliver(edge, ["guess@example.com", "bob@example.com"]).startswith("250")
    counted(edge, null_sender=1, several_recipients=1, special_form=3, refused_recipient=1, asked=0)
    # From here on the server is known to refuse at RCPT, so a message to several counts for each of them.
    assert deliver(edge, ["bob@example.com", "carl@example.com"]).startswith("250")
    assert deliver(edge, "dora+lists@example.com").startswith("250")
    found = findings(edge, 3)
    assert [(event["address"], event["outcome"], event["judged_by"]) for event in found] == [
        ("bob@example.com", "good_mail", "checks"), ("carl@example.com", "good_mail", "checks"), ("dora+lists@example.com", "good_mail", "checks")]
    assert deliver(edge, "dora@example.com", b"X-Spam-Flag: YES\r\n" + PLAIN).startswith("250")
    assert findings(edge, 4)[-1]["why"] == "marked as spam on its way"


def test_senders_are_the_same_after_a_restart(start, postfix):
    edge = start(postfix.port)
    deliver(edge, "bob@example.com")
    before = findings(edge, 1)[0]["sender"]
    deliver(edge, "bob@example.com", sender="other@sender.example")
    assert findings(edge, 2)[1]["sender"] != before
    key = edge.state / "sender.key"
    assert key.stat().st_mode & 0o777 == 0o600
    edge.stop()
    edge.start()
    deliver(edge, "bob@example.com", sender="Ann@Sender.example")
    assert findings(edge, 1)[0]["sender"] == before


def test_a_listed_address_that_the_server_does_not_know_is_told_once_it_knows_another(start, postfix):
    edge = start(postfix.port, listed=["alice@example.com", "gone@example.com"])
    assert deliver(edge, "gone@example.com").startswith("550 5.1.1")
    assert deliver(edge, "gone+tag@example.com").startswith("550 5.1.1")
    counted(edge, listed_refused=0)
    assert deliver(edge, "alice@example.com").startswith("250")
    found = findings(edge, 2)
    assert [(event["address"], event["outcome"]) for event in found] == [("gone@example.com", "listed_refused"), ("gone+tag@example.com", "listed_refused")]
    assert found[0]["why"].startswith("550 5.1.1 <gone@example.com>")


class Hanging:
    """Takes connections and whatever comes over them, and never says a word."""

    def __enter__(self):
        self.taken = []
        self._accepting = Accepting(self.taken.append)
        self.url = f"http://127.0.0.1:{self._accepting.port}/checkv2"
        return self

    def __exit__(self, *_):
        self._accepting.end()
        for each in self.taken:
            each.close()


def test_no_answer_waits_for_an_rspamd_that_hangs(start):
    with Hanging() as judge, ScriptedServer() as server:
        edge = start(server.port, rspamd=judge.url, timeout=300, messages=10)
        for number in range(15):
            assert deliver(edge, f"user{number}@example.com").startswith("250")
        # Everybody has the answer, and not one message is judged.
        counted(edge, asked=10, overflow=5, unanswered=0, good=0)
        assert len(server.messages) == 15
        wait_until(lambda: judge.taken, 10, "rspamd was asked")
        assert not [event for event in edge.good("events 0")["events"] if event["outcome"] in FINDINGS]
        assert edge.stop() == 0, "nor does the end wait"


def test_an_rspamd_that_does_not_answer_is_no_evidence_and_an_alarm(start, rspamd, tmp_path):
    with Hanging() as judge, ScriptedServer() as server:
        edge = start(server.port, rspamd=judge.url, timeout=1)
        assert deliver(edge, "bob@example.com").startswith("250")
        counted(edge, asked=1, unanswered=1)
        alarm = edge.log("judge_silent")
        assert len(alarm) == 1
        assert alarm[0]["rspamd"] == judge.url
        assert "reason" in alarm[0]
    edge.stop()
    assert not [event for event in edge.log() if event["event"] == "judge_answers"]
