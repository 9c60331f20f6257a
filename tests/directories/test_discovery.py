"""Discovery through whole processes: a real edge that judges, a real Postfix that refuses strangers or takes everything, a real directory.

The built-in checks judge: mail that a scanner has marked as spam is bad."""

import contextlib
import json
import time
from datetime import datetime, timedelta, timezone

import pytest
import slapd
from downstream import Postfix, wait_until
from lib.notices import Hook
from lib.smtp import Client, rcpt_reply
from lib.system import System

DOMAIN = "example.com"
# What the mail server has; inline tables are parsed for every recipient.
MAILBOXES = ("alice", "bob", "carol", "info", "leaver", "postmaster", "abuse")
GOOD = b"From: Somebody <somebody@elsewhere.example>\r\nTo: you@example.com\r\nSubject: hello\r\nMessage-ID: <1@elsewhere.example>\r\n\r\nhello\r\n"
SPAM = b"X-Spam-Flag: YES\r\n" + GOOD


def access(mailboxes, other):
    """Postfix: these recipients are known, others get `other`."""
    known = ", ".join(f"{{ {each}@{DOMAIN} = OK }}" for each in mailboxes)
    return {"recipient_delimiter": "+", "smtpd_recipient_restrictions": f"check_recipient_access inline:{{ {known}, {{ {DOMAIN} = {other} }} }}, permit"}


STRICT = access(MAILBOXES, "550 5.1.1 User unknown")
CATCH_ALL = access(MAILBOXES, "OK")


class Discovering(System):
    """example.com in `discover`, alice on its list."""

    def __init__(self, folder, port, network=None, **options):
        super().__init__(folder, network=network, **options)
        self.mail_server = port

    def __enter__(self):
        super().__enter__()
        self.serve(DOMAIN, self.mail_server, [f"alice@{DOMAIN}"], mode="discover")
        return self

    def mail(self, *locals_, content=GOOD, sender="somebody@elsewhere.example"):
        """One message to each."""
        for each in locals_:
            with Client(self.smtp) as client:
                client.say("EHLO client.example")
                reply = client.deliver([f"{each}@{DOMAIN}"], content, sender)
                client.send("QUIT\r\n")
            yield reply

    def deliver(self, *locals_, **options):
        replies = list(self.mail(*locals_, **options))
        assert all(reply.startswith("250") for reply in replies), replies

    def state(self):
        return self.control.good("GET", f"/v1/domains/{DOMAIN}/discovery")

    def candidates(self):
        return {row["address"].partition("@")[0]: row for row in self.control.good("GET", f"/v1/domains/{DOMAIN}/discovery/candidates")["items"]}

    def candidate(self, local, state):
        return wait_until(lambda: (row := self.candidates().get(local)) and row["state"] == state and row, 20, f"{local} is {state}: {self.candidates()}")

    def until(self, state):
        return wait_until(lambda: (now := self.state())["state"] == state and now, 20, f"discovery is {state}: {self.state()}")

    def sources(self, local):
        status, box, _ = self.control.request("GET", f"/v1/mailboxes/{local}%40{DOMAIN}")
        return [each["source"] for each in box["sources"]] if status == 200 else []

    def explain(self, local):
        """How the edge itself would answer."""
        return self.edge.good(f"explain {local}@{DOMAIN}")["standing"]

    def ended(self, in_seconds):
        """Sets the end of the mode, and waits for it; the mode that follows."""
        until = (datetime.now(timezone.utc) + timedelta(seconds=in_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.ctl("domain", "mode", DOMAIN, "discover", "--until", until)
        return wait_until(lambda: (mode := self.control.good("GET", f"/v1/domains/{DOMAIN}")["mode"]) != "discover" and mode, in_seconds + 15, "discover ends")


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    with Postfix(tmp_path_factory.mktemp("strict"), STRICT) as server:
        yield server


@pytest.fixture
def system(tmp_path, strict, port_network):
    with Discovering(tmp_path, strict.port, port_network) as running:
        running.until("running")
        yield running


def test_good_mail_adds_an_unlisted_mailbox_and_guesses_and_spam_add_nothing(system):
    # Guesses, that the server refuses, and spam to a mailbox that exists.
    assert all(reply.startswith("550 5.1.1") for reply in system.mail("guess", "guess2", "info2"))
    system.deliver("carol", content=SPAM)
    # Good mail to a listed mailbox, and to one that is not.
    system.deliver("alice", "bob")
    bob = system.candidate("bob", "added")
    assert bob["good"] == 1 and bob["senders"] == 1 and bob["bad"] == 0
    assert system.sources("bob") == ["discovery:example.com"]
    box = system.control.good("GET", f"/v1/mailboxes/bob%40{DOMAIN}")
    assert box["kind"] == "unclassified" and box["auto_added"]
    assert not system.control.good("GET", f"/v1/mailboxes/alice%40{DOMAIN}")["auto_added"]
    wait_until(lambda: system.explain("bob") == "listed", 10, "bob is in force at the edge")
    carol = system.candidate("carol", "waiting")
    assert carol["bad"] == 1 and carol["good"] == 0 and carol["judged_by"] == "checks"
    assert set(system.candidates()) == {"bob", "carol"}
    assert system.explain("carol") != "listed" and system.explain("guess") != "listed"
    assert "bob@example.com" in system.ctl("discovery", "list", DOMAIN)

    # A tagged address: its base, once the server was asked for it. The base of a base that nobody has: none.
    system.deliver("info+news")
    system.candidate("info", "added")
    assert system.sources("info") == ["discovery:example.com"] and system.sources("info+news") == []

    # A restart of control in between: what the edge still has comes once.
    system.control.stop()
    system.deliver("carol", sender="other@elsewhere.example")
    system.control.start()
    assert system.candidate("carol", "added")["good"] == 1
    assert system.candidates()["bob"]["good"] == 1

    # Triage, one and many.
    system.ctl("discovery", "accept", DOMAIN, "info@example.com", "--kind", "shared")
    system.ctl("discovery", "alias", DOMAIN, "carol@example.com", "--of", "alice@example.com")
    assert system.sources("info") == ["manual"]
    assert system.control.good("GET", f"/v1/mailboxes/carol%40{DOMAIN}")["address"] == "alice@example.com"
    system.ctl("--wait", "discovery", "block", DOMAIN, "--all", "--yes")
    assert system.explain("bob") != "listed"
    assert system.candidates() == {}


def test_as_many_good_messages_as_are_asked_for(system):
    system.ctl("discovery", "set", DOMAIN, "--clean", "2", "--days", "3")
    system.deliver("bob")
    system.candidate("bob", "waiting")
    system.deliver("bob", sender="another@elsewhere.example")
    assert system.candidate("bob", "added")["senders"] == 2


def test_a_catch_all_suspends_discovery_and_says_what_to_do(tmp_path, strict):
    with Postfix(tmp_path / "any", CATCH_ALL) as server, Hook() as hook, Discovering(tmp_path / "system", server.port) as system:
        now = system.until("suspended")
        assert "recipient filtering" in now["text"] and "Set-AcceptedDomain" in now["remedy"]
        assert "Set-RecipientFilterConfig" in system.ctl("discovery", "show", DOMAIN)
        assert system.control.log("discovery_suspended")
        system.deliver("bob", "noise1", "noise2")
        wait_until(lambda: 'postern_discovery_findings_total{result="suspended"} 3' in system.control.request("GET", "/metrics")[1], 20, "three findings that count for nothing")
        assert system.candidates() == {} and system.sources("noise1") == []

        # The server behind is put right: the next probe finds it.
        system.ctl("discovery", "set", DOMAIN, "--webhook", hook.url)
        system.route(DOMAIN, strict.port)
        assert system.until("running")["remedy"] is None
        system.deliver("bob")
        system.candidate("bob", "added")
        told = hook.wait_for("discovery_added")
        assert "bob@example.com" in told["text"] and "not billed until" in told["text"] and told["added"] == 1
        # And wrong again.
        system.route(DOMAIN, server.port)
        assert "accepts any address" in hook.wait_for("discovery_suspended")["text"]


def test_a_leaver_that_the_directory_removed_neither_lives_on_nor_comes_back(tmp_path, strict):
    with slapd.Slapd(tmp_path / "slapd", slapd.person("alice") + slapd.person("leaver")) as directory, Discovering(tmp_path / "system", strict.port) as system:
        system.until("running")
        # Discovery was first; the directory's first word takes its place.
        system.deliver("leaver", "bob")
        system.candidate("leaver", "added")
        system.candidate("bob", "added")
        settings = directory.settings()
        system.control.good("POST", "/v1/sources", {"name": "ldap:head", "settings": settings, "secrets": {"password": directory.password}, "enabled": False,
                                                    "limits": {"floor": 5}})
        sync = lambda: system.control.ctl_json("sync", "now", "head")
        assert sync()["state"] == "succeeded"
        assert system.sources("leaver") == ["ldap:head"] and "leaver" not in system.candidates()
        assert system.sources("bob") == ["discovery:example.com"], "the directory does not have bob"
        directory.modify(f"dn: cn=leaver,ou=people,{slapd.BASE}\nchangetype: delete\n")
        assert sync()["state"] == "succeeded"
        assert system.sources("leaver") == []
        wait_until(lambda: system.explain("leaver") != "listed", 10, "the leaver is out at the edge")
        # The mail server still takes their mail.
        system.deliver("leaver", "leaver")
        left = system.candidate("leaver", "left")
        assert left["taken_out_by"] == "ldap:head"
        assert system.sources("leaver") == [] and system.explain("leaver") != "listed"


def test_it_ends_in_observe_or_in_enforce_if_that_was_chosen_and_the_list_is_ready(system):
    with Hook() as hook:
        system.ctl("discovery", "set", DOMAIN, "--webhook", hook.url, "--ends-in", "enforce")
        # The list lacks carol, who got nothing but spam: the edge has told that the server accepts her.
        system.deliver("carol", content=SPAM)
        system.candidate("carol", "waiting")
        system.deliver("bob")
        system.candidate("bob", "added")
        assert system.ended(2) == "observe"
        told = hook.wait_for("mode_ended")["text"]
        assert "not in enforce, which was chosen" in told and "1 address" in told, told
        assert system.control.log("mode_ended")
        # Once she is on it, the same choice holds.
        system.control.add(f"carol@{DOMAIN}")
        after = len(hook.notices)
        assert system.ended(4) == "enforce"
        assert "as was chosen" in hook.wait_for("mode_ended", after)["text"]
        wait_until(lambda: rcpt_reply(system.smtp, f"stranger@{DOMAIN}").startswith("550 5.1.1"), 10, "strangers are refused")
        assert rcpt_reply(system.smtp, f"bob@{DOMAIN}").startswith("250")
        # Unless it was chosen, it ends in observe.
        system.ctl("discovery", "set", DOMAIN, "--ends-in", "observe")
        assert system.ended(2) == "observe"


def test_a_listed_address_that_the_server_refuses_is_taken_out_or_flagged(tmp_path):
    with Postfix(tmp_path / "mail", access(("alice", "bob"), "550 5.1.1 User unknown")) as server, \
            Postfix(tmp_path / "later", access(("alice",), "550 5.1.1 User unknown")) as later, Discovering(tmp_path / "system", server.port) as system:
        system.until("running")
        system.control.add(f"gone@{DOMAIN}")
        system.deliver("bob")
        system.candidate("bob", "added")
        system.route(DOMAIN, later.port)
        system.until("running")
        assert list(system.mail("bob", "gone"))[0].startswith("550 5.1.1")
        # It is told once the server has taken another listed recipient: this one refuses not everybody.
        system.deliver("alice")
        system.candidate("bob", "refused")
        assert system.sources("bob") == []
        refused = wait_until(lambda: system.control.good("GET", f"/v1/domains/{DOMAIN}/discovery/refused")["items"], 20, "gone is flagged")
        assert [row["address"] for row in refused] == [f"gone@{DOMAIN}"]
        assert system.sources("gone") == ["manual"], "others' word stands"
        assert "gone@example.com" in system.ctl("discovery", "refused", DOMAIN)
        system.ctl("discovery", "keep", DOMAIN, f"gone@{DOMAIN}")
        assert system.state()["listed_refused"] == 0
