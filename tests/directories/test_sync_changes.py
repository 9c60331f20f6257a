"""A list that follows a real directory through whole processes: the first sync, then what befalls a directory, in force at the edge after
the next sync and shown item by item, by posternctl."""

import contextlib
from datetime import datetime

import pytest
import samba
import slapd
from downstream import wait_until
from tcp_relay import Relay

from lib.following import Following


class Tree:
    """A directory with many people, `below` of them and the odd ones that each test changes in the OU that is renamed."""

    odd = ("ada", "bob", "info", "leaver")

    def __init__(self, server, ou, settings, moves, below):
        self.server, self.ou, self.settings, self.below = server, ou, settings, below
        self.moves = moves  # whether changes tell of a renamed OU

    def dn(self, name, ou=None):
        return f"CN={name},{ou or self.ou}"


@pytest.fixture
def openldap(tmp_path, full):
    count = 100_000 if full else 60
    people = slapd.people(count)
    people += slapd.person("ada", proxyAddresses=["smtp:helpdesk@example.com"]) + slapd.person("bob") + slapd.person("leaver")
    people += slapd.person("info", msExchRecipientTypeDetails="4")
    with slapd.Slapd(tmp_path / "slapd", people) as server:
        yield Tree(server, f"ou=people,{slapd.BASE}", server.settings(), False, count), count


@pytest.fixture
def active_directory(domain_controller, full):
    count = 10_000 if full else 60
    dc = domain_controller
    base = f"OU=Follow,{samba.BASE}"
    ou = f"OU=Office,{base}"
    # Samba gives up on the rename of an OU with 10,000 objects below it.
    below = min(count, 1_000)
    dc.add(samba.unit("Follow") + samba.unit("Office", base) + samba.unit("Works", base) + "".join(
        samba.user(f"user{number:06d}", ou if number < below else f"OU=Works,{base}", proxyAddresses=[f"smtp:u{number}@example.com"])
        for number in range(count)))
    dc.add(samba.user("ada", ou, proxyAddresses=["smtp:helpdesk@example.com"]) + samba.user("bob", ou) + samba.user("leaver", ou)
           + samba.user("info", ou))
    with Relay(636, octets=None, connect=dc.connect) as relay:
        yield Tree(dc, ou, dc.settings(servers=[f"127.0.0.1:{relay.port}"], base=base), True, below), count


def seconds(run, begin, end):
    """Between two times that the API shows, in seconds."""
    parse = lambda text: datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (parse(run[end]) - parse(run[begin])).total_seconds()


def times(run):
    return f"{seconds(run, 'started', 'in_force'):.2f} s (fetched in {seconds(run, 'started', 'fetched'):.2f} s)"


@contextlib.contextmanager
def followed(tmp_path, tree):
    with Following(tmp_path / "system") as system:
        tested = system.control.ctl("source", "test", "head", *system.options(tree.settings, password=tree.server.password))
        assert "the connection is good" in tested and "BAD" not in tested, tested
        assert tested.count("CN=") + tested.count("cn=") >= 5, tested
        system.add_source("head", tree.settings, password=tree.server.password)
        yield system


def follow_all_changes(tmp_path, tree, count, facts):
    """What the issue names, in one go, then the OU."""
    words = []
    with followed(tmp_path, tree) as system:
        dry = system.sync("head", "dry-run")
        assert dry["state"] == "previewed" and dry["counts"]["added"] == 2 * count + 5, dry
        assert not system.control.ctl_json("mailbox", "list")
        first = system.good_sync("head")
        assert first["whole"] and first["counts"]["added"] == 2 * count + 5 and first["counts"]["removed"] == 0
        words.append(f"first sync {times(first)}")
        system.ctl("--wait", "domain", "mode", "example.com", "enforce")
        assert all(system.taken(f"{name}@example.com") for name in (*tree.odd, "helpdesk", f"user{count - 1:06d}", f"u{count - 1}"))
        assert system.refused("stranger@example.com")
        explained = system.control.ctl_json("explain", "helpdesk@example.com")
        assert explained["sources"] == ["ldap:head"] and explained["mailbox"]["address"] == "ada@example.com"

        def change(what, ldif, expected, whole=False):
            tree.server.modify(ldif)
            run = system.good_sync("head")
            assert run["whole"] == whole, run
            assert system.diff(run) == expected, (what, system.diff(run))
            words.append(f"{what} {times(run)}")
            return run

        change("a change", f"dn: {tree.dn('bob')}\nchangetype: modify\nreplace: mail\nmail: robert@example.com\n",
               {("added", "robert@example.com"), ("removed", "bob@example.com")})
        assert system.taken("robert@example.com") and system.refused("bob@example.com")

        # A shared mailbox is a disabled account: it stays.
        run = change("a disabled shared mailbox", f"dn: {tree.dn('info')}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 546\n", set())
        assert run["counts"]["removed"] == 0 and system.taken("info@example.com")

        change("an alias move",
               f"dn: {tree.dn('ada')}\nchangetype: modify\ndelete: proxyAddresses\nproxyAddresses: smtp:helpdesk@example.com\n\n"
               f"dn: {tree.dn('bob')}\nchangetype: modify\nadd: proxyAddresses\nproxyAddresses: smtp:helpdesk@example.com\n",
               {("reassigned", "helpdesk@example.com")})
        assert system.control.ctl_json("explain", "helpdesk@example.com")["mailbox"]["address"] == "robert@example.com"
        assert system.taken("helpdesk@example.com")

        change("a deletion", f"dn: {tree.dn('leaver')}\nchangetype: delete\n", {("removed", "leaver@example.com")})
        assert system.refused("leaver@example.com")
        past = system.control.ctl_json("explain", "leaver@example.com", "--at", first["in_force"])
        assert past["valid"] and past["sources"] == ["ldap:head"]

        tree.server.modify(f"dn: {tree.ou}\nchangetype: moddn\nnewrdn: ou=Renamed\ndeleteoldrdn: 1\n")
        run = system.good_sync("head")
        if not tree.moves:
            assert not run["whole"] and run["counts"]["moved"] == 0, "OpenLDAP tells nothing of it"
            words.append(f"OU renamed {times(run)} by changes, which tell nothing of it")
            system.ctl("source", "set", "head", "--changes", "none")
            run = system.good_sync("head")
        counts = run["counts"]
        assert counts["moved"] == tree.below + 3 and counts["added"] == counts["removed"] == counts["changed"] == 0, run
        words.append(f"OU of {tree.below:,} renamed {times(run)} {'whole' if run['whole'] else 'by changes'}")
        shown = system.control.ctl("sync", "diff", run["id"], "--what", "moved", "--limit", "3")
        assert shown.count("moved") == 3 and "Renamed" in shown, shown
        assert all(system.taken(f"{name}@example.com") for name in ("ada", "robert", "info", "helpdesk", f"user{count - 1:06d}"))
        assert system.source("head")["state"]["addresses"] == 2 * count + 4
        # All of it was told.
        wait_until(lambda: len(system.hook.notices) >= 4, 10, "four notices")
        assert [each["event"] for each in system.hook.notices] == ["sync_changed"] * 4, [each["event"] for each in system.hook.notices]
        assert all(each["signed"] for each in system.hook.notices)
        assert len(system.control.log("sync_applied")) >= 6
    facts(f"{count:,} people: {', '.join(words)}")


def test_openldap(tmp_path, openldap, facts):
    tree, count = openldap
    follow_all_changes(tmp_path, tree, count, facts)


def test_active_directory(tmp_path, active_directory, facts):
    tree, count = active_directory
    follow_all_changes(tmp_path, tree, count, facts)
