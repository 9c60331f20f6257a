"""Held syncs, the schedule and restarts, through whole processes and by posternctl."""

from datetime import datetime

import pytest
from downstream import wait_until
from tcp_relay import Relay
from slapd import BASE, Slapd, people, person

from lib.following import Following

COUNT = 60


@pytest.fixture
def server(tmp_path):
    with Slapd(tmp_path / "slapd", people(COUNT)) as running:
        yield running


@pytest.fixture
def system(tmp_path, server):
    with Following(tmp_path / "system") as running:
        running.add_source("head", server.settings(), password=server.password)
        running.good_sync("head")
        running.ctl("--wait", "domain", "mode", "example.com", "enforce")
        yield running


def delete(server, numbers):
    server.modify("".join(f"dn: cn=user{number:06d},ou=people,{BASE}\nchangetype: delete\n\n" for number in numbers))


def hold(system, server, numbers):
    """Removes more people than the limits allow, and adds one."""
    delete(server, numbers)
    server.modify(person(f"new{numbers[0]}").replace("\nobjectClass", "\nchangetype: add\nobjectClass", 1))
    run = system.sync("head")
    assert run["state"] == "held" and run["additions_applied"] and not run["removals_applied"], run
    assert f"{2 * len(numbers)}" in run["guard"], run["guard"]
    assert system.taken(f"new{numbers[0]}@example.com"), "what is new does not wait"
    assert all(system.taken(f"user{number:06d}@example.com") for number in numbers)
    return run


def test_a_held_sync_is_approved(system, server):
    run = hold(system, server, range(10))
    assert {item for item in system.diff(run) if item[0] == "removed"} == (
        {("removed", f"user{number:06d}@example.com") for number in range(10)} | {("removed", f"u{number}@example.com") for number in range(10)})
    shown = system.ctl("--reason", "they left", "sync", "approve", str(run["id"]))
    assert "succeeded" in shown, shown
    assert all(system.refused(f"user{number:06d}@example.com") for number in range(10)) and system.taken("user000010@example.com")
    now = system.control.ctl_json("sync", "show", run["id"])
    assert now["decided_by"] == "token:first admin" and now["removals_applied"]
    again = system.control.try_ctl("sync", "approve", str(run["id"]))
    assert again.returncode == 1 and "is not held" in again.stderr
    gone = system.control.ctl_json("history", "--address", "user000000@example.com")[0]
    assert gone["what"] == "withdrawn" and gone["who"] == "token:first admin" and f"sync {run['id']} of ldap:head" in gone["why"], gone
    decided = system.control.ctl_json("history", "--who", "token:first admin")
    assert any(each["what"] == "approved" and each["why"] == "they left" for each in decided), decided


def test_a_held_sync_is_discarded_and_the_next_one_asks_again(system, server):
    run = hold(system, server, range(10))
    assert "discarded" in system.ctl("sync", "discard", str(run["id"]))
    assert system.taken("user000000@example.com") and system.source("head")["state"]["held"] is None
    again = system.sync("head")
    assert again["state"] == "held" and again["whole"] and again["counts"]["removed"] == 20, again
    # And a person's limit lets it through.
    system.ctl("source", "set", "head", "--max-removed-percent", "50")
    system.good_sync("head")
    assert system.refused("user000000@example.com")


def test_a_list_is_brought_back(system, server):
    then = system.control.good("GET", "/v1/status")["now"]
    delete(server, range(2))
    assert system.good_sync("head")["counts"]["removed"] == 4
    assert system.refused("user000000@example.com")
    preview = system.ctl("restore", "--source", "ldap:head", "--at", then)
    assert "4 assertions would come back" in preview and "nothing is changed" in preview
    assert "4 assertions are back" in system.ctl("--wait", "restore", "--source", "ldap:head", "--at", then, "--yes")
    assert system.taken("user000000@example.com") and system.taken("u1@example.com")


def parse(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_the_schedule_and_its_jitter(tmp_path, server, full, facts):
    with Following(tmp_path / "system") as system:
        system.add_source("head", server.settings(), "--every", "1", "--freshness", "600", password=server.password)
        assert not system.control.ctl_json("sync", "list")
        system.ctl("source", "set", "head", "--enabled", "true")
        first = wait_until(lambda: next((each for each in system.control.ctl_json("sync", "list") if each["ended"]), None), 10, "the first sync by schedule")
        assert first["by"] == "system" and first["state"] == "succeeded", first
        pauses = []
        for _ in range(6):
            run = system.good_sync("head")
            pauses.append((parse(system.source("head")["state"]["next_sync"]) - parse(run["applied"])).total_seconds())
        assert all(59 <= pause <= 67 for pause in pauses), pauses
        assert max(pauses) - min(pauses) > 0.2, pauses
        words = f"every minute: pauses of {min(pauses):.1f} to {max(pauses):.1f} s"
        if full:
            last = run["id"]
            due = parse(system.source("head")["state"]["next_sync"])
            by_schedule = wait_until(lambda: next((each for each in system.control.ctl_json("sync", "list") if each["id"] > last), None), 75, "the next one")
            late = (parse(by_schedule["started"]) - due).total_seconds()
            assert 0 <= late < 3 and by_schedule["by"] == "system", (due, by_schedule)
            words += f"; the next one came {late:.2f} s after its time"
        facts(words)


def test_killed_in_the_middle_of_a_sync(tmp_path, server):
    with Following(tmp_path / "system") as system, Relay(server.port, octets=9_000) as relay:
        settings = server.settings(servers=[f"127.0.0.1:{relay.port}"], security="none", answer_timeout_s=60)
        system.add_source("head", settings, password=server.password)
        run = system.control.ctl_json("sync", "now", "head", "--background")
        assert relay.reached.wait(10)
        assert system.control.ctl_json("sync", "show", run["id"])["state"] == "fetching"
        system.control.kill()
        relay.open()
        system.control.start()
        done = wait_until(lambda: one if (one := system.control.ctl_json("sync", "show", run["id"]))["in_force"] else None, 30, "it goes on")
        assert done["state"] == "succeeded" and done["counts"]["added"] == 2 * COUNT
        assert system.control.log("sync_resumed")[0]["run"] == run["id"]
        assert not list((system.control.state / "syncs").glob("*.stage")), "nothing is left over"
        system.ctl("--wait", "domain", "mode", "example.com", "enforce")
        assert system.taken("user000000@example.com")


def test_a_sync_is_cancelled(tmp_path, server):
    with Following(tmp_path / "system") as system, Relay(server.port, octets=9_000) as relay:
        settings = server.settings(servers=[f"127.0.0.1:{relay.port}"], security="none", answer_timeout_s=60)
        system.add_source("head", settings, password=server.password)
        run = system.control.ctl_json("sync", "now", "head", "--background")
        assert relay.reached.wait(10)
        refused = system.control.try_ctl("sync", "now", "head")
        assert refused.returncode == 1 and f"sync {run['id']} of ldap:head is at work" in refused.stderr
        assert "cancelled" in system.ctl("sync", "cancel", str(run["id"]))
        assert not system.control.ctl_json("mailbox", "list")


def test_ldaps_with_a_client_certificate(tmp_path):
    from slapd import ACCOUNT
    directives = f"TLSVerifyClient demand\nauthz-regexp .*cn=machine.* {ACCOUNT}"
    with Slapd(tmp_path / "slapd", people(5), directives) as server, Following(tmp_path / "system") as system:
        certificate, key = server.authority.issue("machine")
        settings = server.settings(sign_in="certificate", client_certificate=certificate.read_text())
        del settings["bind_name"]
        without = {**settings, "sign_in": "anonymous"}
        del without["client_certificate"]
        system.add_source("head", without)
        refused = system.sync("head")
        assert refused["state"] == "failed" and refused["step"] in ("TLS", "bind"), refused
        system.ctl("source", "set", "head", *system.options(settings, client_key=key.read_text()))
        assert system.good_sync("head")["counts"]["added"] == 10
        assert "BEGIN" not in system.ctl("source", "show", "head") and "PRIVATE KEY" not in system.ctl("--json", "source", "show", "head")
