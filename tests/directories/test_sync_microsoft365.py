"""A list that follows a Microsoft 365 tenant through whole processes, by posternctl: in force at the edge after each sync, and kept through
whatever befalls the tenant. The tenant is lib/graph.py, which speaks the documented protocol; it was not run against Microsoft's own."""

import pytest
from graph import SECRET, Graph, Refused

from lib.control import Control
from lib.following import Following

NAME = "microsoft365:cloud"


@pytest.fixture
def graph(tmp_path):
    with Graph(tmp_path / "graph", page_size=20, empty_pages=True, repeat=True) as running:
        yield running


def test_a_list_follows_a_tenant(tmp_path, graph, full, facts):
    count = 20_000 if full else 60
    for number in range(count):
        graph.put("users", f"user{number:06d}", proxyAddresses=[f"SMTP:user{number:06d}@example.com", f"smtp:u{number}@example.com"])
    ada = graph.put("users", "ada", proxyAddresses=["SMTP:ada@example.com", "smtp:helpdesk@example.com"])
    bob = graph.put("users", "bob")
    graph.put("users", "info", accountEnabled=False, assignedLicenses=[])
    graph.put("users", "visitor", userType="Guest")
    leaver = graph.put("users", "leaver")
    everybody = graph.put("groups", "all", proxyAddresses=["SMTP:all@example.com", "smtp:everybody@example.com"])
    with Following(tmp_path / "system") as system:
        options = system.options(graph.settings(), **graph.secrets)
        tested = system.control.ctl("source", "test", NAME, *options)
        assert "the connection is good" in tested and "BAD" not in tested and "token: signed in" in tested, tested
        system.add_source(NAME, graph.settings(), **graph.secrets)
        assert "the connection is good" in system.control.ctl("source", "test", NAME)

        total = 2 * count + 7
        dry = system.sync(NAME, "dry-run")
        assert dry["state"] == "previewed" and dry["counts"]["added"] == total, dry
        assert not system.control.ctl_json("mailbox", "list")
        first = system.good_sync(NAME)
        assert first["whole"] and first["counts"]["added"] == total and first["counts"]["removed"] == 0, first
        system.ctl("--wait", "domain", "mode", "example.com", "enforce")
        names = ("ada", "helpdesk", "bob", "info", "leaver", "all", "everybody", f"user{count - 1:06d}", f"u{count - 1}")
        assert all(system.taken(f"{name}@example.com") for name in names)
        assert system.refused("visitor@example.com") and system.refused("stranger@example.com")
        assert system.control.ctl_json("explain", "helpdesk@example.com")["sources"] == [NAME]

        graph.put("users", "bob", id=bob, mail="robert@example.com", proxyAddresses=["SMTP:robert@example.com", "smtp:helpdesk@example.com"])
        graph.put("users", "ada", id=ada, proxyAddresses=["SMTP:ada@example.com"])
        graph.remove("users", leaver)
        graph.put("users", "eve")
        run = system.good_sync(NAME)
        assert not run["whole"] and run["counts"]["read"] < 20, run
        assert system.diff(run) == {("added", "robert@example.com"), ("removed", "bob@example.com"), ("removed", "leaver@example.com"),
                                    ("added", "eve@example.com"), ("reassigned", "helpdesk@example.com")}
        assert all(system.taken(f"{name}@example.com") for name in ("robert", "helpdesk", "eve", "ada"))
        assert system.refused("leaver@example.com") and system.refused("bob@example.com")
        assert system.control.ctl_json("explain", "leaver@example.com", "--at", first["in_force"])["valid"]

        # A delta link that is too old: all of it is read, and nothing changes.
        for answer in (Refused(410, ""), Refused(400, {"error": {"code": "syncStateNotFound"}})):
            graph.expire(answer)
            run = system.good_sync(NAME)
            assert run["whole"] and run["counts"]["added"] == run["counts"]["removed"] == 0, run

        # What passes is borne.
        graph.put("users", "frank")
        graph.fault("/v1.0/users/delta", 429, {"Retry-After": "1"})
        graph.fault("/v1.0/groups/delta", 503)
        run = system.good_sync(NAME)
        assert system.diff(run) == {("added", "frank@example.com")} and system.taken("frank@example.com")

        # What does not takes nothing away, though a group went meanwhile and the whole has to be read.
        graph.remove("groups", everybody, "deleted")
        graph.expire()
        system.ctl("source", "set", NAME, "--fetch-timeout", "3")
        graph.fault("/v1.0/groups", times=1000, cut=20)
        run = system.sync(NAME)
        assert run["state"] == "partial" and run["counts"]["removed"] == 0 and "fetch_timeout_s" in run["reason"], run
        assert system.taken("all@example.com") and system.taken("ada@example.com")
        graph.faults.clear()
        system.ctl("source", "set", NAME, "--fetch-timeout", "60")
        run = system.good_sync(NAME)
        assert system.diff(run) == {("removed", "all@example.com"), ("removed", "everybody@example.com")}
        assert system.refused("all@example.com")

        # A secret that ended, and the new one.
        system.ctl("source", "set", NAME, "--client-secret-file", system.file("old", "expired"))
        run = system.sync(NAME)
        assert run["state"] == "failed" and "the client secret is wrong" in run["reason"], run
        assert system.taken("ada@example.com")
        system.ctl("source", "set", NAME, "--client-secret-file", system.file("new", SECRET))
        system.good_sync(NAME)

        told = system.control.ctl("source", "show", NAME) + system.control.ctl("--json", "source", "show", NAME) + system.control.log_text()
        assert SECRET not in told and not any(token in told for token in graph.tokens)
        fetched = [each for each in graph.requests if each.path.startswith("/v1.0/")]
    facts(f"{count:,} users: {len(fetched)} requests in all")


def test_the_operator_says_where_a_tenant_may_be(tmp_path, graph):
    """Settings that a customer makes lead to no address that the operator does not allow, as loopback is not unless allowed."""
    with Control(tmp_path / "control", {"egress": {"allowed": []}}) as control:
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        authority = tmp_path / "authority.pem"
        authority.write_text(graph.authority.text)
        done = control.try_ctl("source", "test", NAME, "--tenant", "example.onmicrosoft.com", "--client-id", "x", "--login-url", graph.url,
                               "--graph-url", graph.url, "--ca-file", authority, "--client-secret-file", secret)
        assert done.returncode != 0 and "egress policy does not allow connections to 127.0.0.1" in done.stdout, done.stdout
        assert graph.requests == []


def test_settings_that_can_not_work_are_refused_by_name(tmp_path):
    with Control(tmp_path / "control") as control:
        def refused(*words):
            done = control.try_ctl("source", "add", NAME, *words)
            assert done.returncode != 0
            return done.stdout + done.stderr

        good = ("--tenant", "example.com", "--client-id", "x")
        assert "no tenant" in refused("--client-id", "x")
        assert "no base URL" in refused(*good, "--graph-url", "http://graph.microsoft.com")
        assert "is none of" in refused(*good, "--cloud", "germany")
        assert "no such setting" in refused(*good, "--base", "dc=example,dc=com")
        assert "needs the certificate" in refused(*good, "--sign-in", "certificate")
        password = tmp_path / "password"
        password.write_text("x")
        assert "has no secret \"password\"" in refused(*good, "--password-file", password)
