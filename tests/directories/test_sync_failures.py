"""Every way in which a directory fails, through whole processes: nothing is removed, the reason is told in words by API and posternctl, an alarm goes
out by metric, log, webhook and e-mail, and the next good sync repairs by itself."""

import contextlib
import socket

import pytest
from downstream import wait_until
from tcp_relay import Relay
from slapd import ACCOUNT, BASE, Slapd, people, person

from lib.following import Following

COUNT = 60
ADDRESSES = 2 * COUNT + 1
STAFF = f"ou=staff,{BASE}"


class Rig:
    """A good directory, a system that has followed it once, and the way back to good."""

    def __init__(self, folder):
        self.server = Slapd(folder / "slapd", people(COUNT) + person("boss", "ou=staff"))
        self.system = Following(folder / "system", control={"egress": {"allowed": ["127.0.0.1"]}})
        self.good = self.server.settings(answer_timeout_s=5)

    def set(self, settings, password=None):
        words = self.system.options(settings, **({} if password is None else {"password": password}))
        self.system.ctl("source", "set", "head", *words)


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    made = Rig(tmp_path_factory.mktemp("failures"))
    with made.server, made.system as system:
        system.add_source("head", made.good, password=made.server.password)
        assert system.good_sync("head")["counts"]["added"] == ADDRESSES
        system.ctl("--wait", "domain", "mode", "example.com", "enforce")
        yield made


@contextlib.contextmanager
def settings(rig, password=None, **changes):
    rig.set({**rig.good, **changes}, password)
    try:
        yield
    finally:
        rig.set(rig.good, rig.server.password)


@contextlib.contextmanager
def conf(rig, **changes):
    rig.server.restart(**changes)
    try:
        yield
    finally:
        rig.server.restart()


@contextlib.contextmanager
def killed_in_the_middle_of_a_page(rig):
    """The server's process dies when a part of a page is on its way; `during` is called with the sync at work."""
    with Relay(rig.server.port, octets=9_000) as relay, \
            settings(rig, servers=[f"127.0.0.1:{relay.port}"], security="none", changes="none", page_size=50):
        def during():
            assert relay.reached.wait(10)
            rig.server.kill()
            relay.open()
        try:
            yield during
        finally:
            rig.server.start()


@contextlib.contextmanager
def an_acl_that_hides_half_of_the_tree(rig):
    # All of ou=people; the protocol calls the answer complete.
    hidden = f'limits dn.exact="{ACCOUNT}" size=unlimited\naccess to dn.subtree="ou=people,{BASE}" by dn.exact="{ACCOUNT}" none by * none\naccess to * by * read'
    with conf(rig, database=hidden):
        yield None


@contextlib.contextmanager
def a_base_that_exists_but_is_empty(rig):
    rig.server.modify(f"dn: ou=empty,{BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: empty\n")
    try:
        with settings(rig, base=f"ou=empty,{BASE}"):
            yield None
    finally:
        rig.server.modify(f"dn: ou=empty,{BASE}\nchangetype: delete\n")


@contextlib.contextmanager
def a_size_limit(rig):
    with conf(rig, database="sizelimit size.soft=20 size.hard=50 size.pr=10 size.prtotal=50"), settings(rig, changes="none", page_size=10):
        yield None


@contextlib.contextmanager
def a_referral(rig):
    rig.server.modify(f"dn: ou=other,{BASE}\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\nou: other\n"
                      "ref: ldap://elsewhere.example.com/ou=other,dc=example,dc=com\n", "-M")
    try:
        with settings(rig, changes="none"):
            yield None
    finally:
        rig.server.modify(f"dn: ou=other,{BASE}\nchangetype: delete\n", "-M")


@contextlib.contextmanager
def a_wrong_password(rig):
    with settings(rig, password="wrong"):
        yield None


@contextlib.contextmanager
def an_expired_certificate(rig):
    certificate, key = rig.server.authority.issue("expired", expired=True)
    with conf(rig, certificate=certificate, key=key):
        yield None


@contextlib.contextmanager
def a_name_that_does_not_resolve(rig):
    with settings(rig, servers=["dc1.nowhere.invalid"], connect_timeout_s=3):
        yield None


@contextlib.contextmanager
def an_answer_that_never_comes(rig):
    with Relay(rig.server.port, octets=4_000) as relay, \
            settings(rig, servers=[f"127.0.0.1:{relay.port}"], security="none", answer_timeout_s=1):
        yield None


@contextlib.contextmanager
def an_address_that_the_operator_does_not_allow(rig):
    with settings(rig, servers=[f"127.0.0.2:{rig.server.tls_port}"]):
        yield None


@pytest.mark.parametrize("failure,state,step,words", [
    (killed_in_the_middle_of_a_page, "partial", "search", ["the connection was cut"]),
    (an_acl_that_hides_half_of_the_tree, "held", "", ["120", "10 %"]),
    (a_base_that_exists_but_is_empty, "failed", "", ["has no address in this organisation's domains", "Check base"]),
    (a_size_limit, "partial", "search", ["size limit", "raise the limit"]),
    (a_referral, "partial", "search", ["another server holds a part of the tree", "elsewhere.example.com"]),
    (a_wrong_password, "failed", "bind", ["cannot sign in", "the name or the password is wrong"]),
    (an_expired_certificate, "failed", "TLS", ["expired", "renew it"]),
    (a_name_that_does_not_resolve, "failed", "name", ["dc1.nowhere.invalid does not resolve"]),
    (an_answer_that_never_comes, "partial", "search", ["did not answer in time"]),
    (an_address_that_the_operator_does_not_allow, "failed", "TCP", ["the operator's egress policy does not allow connections to 127.0.0.2"]),
])
def test_nothing_is_removed_and_everybody_hears(rig, failure, state, step, words):
    system = rig.system
    if system.source("head")["state"]["trouble"]:
        system.good_sync("head")  # a test before this one was broken off
    told, mailed = len(system.hook.notices), len(system.mails())
    events = {"failed": "sync_failed", "partial": "sync_partial", "held": "sync_held"}
    before = system.metric("postern_syncs_total", result=state)
    with failure(rig) as during:
        queued = system.control.ctl_json("sync", "now", "head", "--background")
        if during:
            during()
        run = wait_until(lambda: one if (one := system.control.good("GET", f"/v1/syncs/{queued['id']}"))["state"] in (
            "failed", "partial", "held", "succeeded") else None, 30, "the sync is over")
        # The reason in words, by API and posternctl.
        assert run["state"] == state and (run["step"] or "") == step, run
        reason = f"{run['reason'] or ''} {run['guard'] or ''}"
        shown = system.control.ctl("sync", "show", queued["id"])
        source = system.source("head")
        listed = system.control.ctl("source", "list")
        for each in words:
            assert each in reason and each in shown and each in source["state"]["trouble"] and each in listed, (each, reason, shown, listed)
        # Nothing is removed: not in the list, not at the edge.
        assert not run["removals_applied"] or run["counts"]["removed"] == 0
        assert source["state"]["addresses"] == ADDRESSES
        assert all(system.taken(address) for address in ("user000000@example.com", f"u{COUNT - 1}@example.com", "boss@example.com"))
        assert system.refused("stranger@example.com")
        # The alarm.
        assert system.metric("postern_syncs_total", result=state) == before + 1
        if state == "held":
            assert system.metric("postern_source_held", source="ldap:head", organisation="1") == 1
        else:
            assert system.metric("postern_source_failures", source="ldap:head", organisation="1") == 1
        assert system.control.log(events[state])[-1]["run"] == run["id"]
        notice = system.hook.wait_for(events[state], told)
        assert notice["source"] == "ldap:head" and notice["sync"] == run["id"] and notice["signed"]
        mail = system.wait_for_mail(events[state], mailed)
        assert "To: ops@example.com,\r\n boss@example.com\r\n" in mail
        for each in words:
            assert each in notice["text"] and each in mail.replace("\r\n", " "), (each, notice, mail)
        if state == "held":
            assert system.control.ctl_json("sync", "list", "--state", "held")[0]["id"] == run["id"]
    # The next good sync repairs by itself, and says so.
    told, mailed = len(system.hook.notices), len(system.mails())
    good = system.good_sync("head")
    assert good["whole"] and good["counts"]["added"] == good["counts"]["removed"] == 0, good
    source = system.source("head")["state"]
    assert source["failures"] == 0 and source["trouble"] is None and source["held"] is None and source["addresses"] == ADDRESSES
    assert system.metric("postern_source_failures", source="ldap:head", organisation="1") == 0
    assert system.metric("postern_source_held", source="ldap:head", organisation="1") == 0
    system.hook.wait_for("sync_recovered", told)
    system.wait_for_mail("sync_recovered", mailed)


def test_the_test_of_a_connection_says_what_a_sync_would(rig):
    with settings(rig, password="wrong"):
        done = rig.system.control.try_ctl("source", "test", "head")
    assert done.returncode == 1 and "BAD bind: cannot sign in" in done.stdout and "ok  TLS: " in done.stdout, done.stdout


def test_a_webhook_goes_only_where_the_operator_allows(rig):
    system = rig.system
    mailed = len(system.mails())
    with socket.create_server(("127.0.0.2", 0)) as listener:
        listener.settimeout(3)  # the second try comes after two seconds
        system.ctl("source", "set", "head", "--webhook", f"http://127.0.0.2:{listener.getsockname()[1]}/hook")
        try:
            with settings(rig, password="wrong"):
                assert system.sync("head")["state"] == "failed"
                system.wait_for_mail("sync_failed", mailed)
                with pytest.raises(TimeoutError):
                    listener.accept()
        finally:
            system.ctl("source", "set", "head", "--webhook", system.hook.url)
            system.good_sync("head")
