"""postern-agent between a real slapd and a whole system, over TLS: whole lists, changes, and every way in which a push breaks. Nothing is half-applied,
nothing twice, and the next good round repairs by itself."""

import datetime
import json
import os
import shutil
import subprocess
import time

import pytest
from certificates import Authority
from downstream import wait_until
from graph import Proxy
from slapd import BASE, Slapd, people, person
from tcp_relay import Relay

from lib import lists
from lib.agent import Agent
from lib.following import Following

COUNT = 300


class Rig:
    def __init__(self, folder):
        self.server = Slapd(folder / "slapd", people(COUNT))
        self.authority = Authority(folder / "tls", begun_days_ago=10)
        certificate, key = self.authority.issue("postern")
        self.system = Following(folder / "system", control={"api": {"certificate": str(certificate), "key": str(key)}})
        self.system.control.ca = str(self.authority.file)
        self.folder = folder

    @property
    def control(self):
        return self.system.control

    def agent(self, name="agent", source="push:agent", token=None, settings=None):
        return Agent(self.folder / name, self.server, self.control.url, self.authority.file, token or self.token, source, settings)

    def syncs(self, source="push:agent"):
        return self.control.good("GET", f"/v1/syncs?source={source}&limit=1000")["items"]

    def addresses(self, source="push:agent"):
        return self.control.good("GET", f"/v1/sources/{source}")["state"]["addresses"]

    def add_person(self, name):
        self.server.modify(person(name).replace("\n", "\nchangetype: add\n", 1))

    def remove_person(self, name):
        self.server.modify(f"dn: cn={name},ou=people,{BASE}\nchangetype: delete\n")

    def last(self, source="push:agent"):
        return self.syncs(source)[0]

    def through(self, relay):
        """The URL by which the relay is reached."""
        return f"https://127.0.0.1:{relay.port}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    made = Rig(tmp_path_factory.mktemp("agent"))
    with made.server, made.system as system:
        made.token = system.control.good("POST", "/v1/tokens", {"name": "agent", "role": "operator", "organisation": 1})["secret"]
        system.ctl("source", "add", "push:agent", "--pushes-per-hour", "0")
        made.one = made.agent()
        first = made.one.once()
        assert first.returncode == 0, first.stderr
        assert made.addresses() == 2 * COUNT
        system.ctl("--wait", "domain", "mode", "example.com", "enforce")
        yield made


def report(done):
    """The round's own last word."""
    return [json.loads(line) for line in done.stderr.splitlines() if '"pushed"' in line or '"not_pushed"' in line or '"test_run"' in line][-1]


def good(done):
    assert done.returncode == 0, done.stderr
    said = report(done)
    assert said["state"] in ("succeeded", "previewed"), said
    return said


def refused(done, status, *words):
    assert done.returncode == status, (done.returncode, done.stderr)
    said = report(done)
    for word in words:
        assert word in said["reason"], said
    return said


def test_the_list_is_in_force_and_changes_alone_follow(rig):
    assert rig.system.taken("user000001@example.com") and rig.system.taken("u1@example.com")
    assert rig.system.refused("newcomer@example.com")
    rig.add_person("newcomer")
    rig.remove_person("user000001")
    said = good(rig.one.once())
    assert not said["whole"] and (said["added"], said["removed"]) == (1, 2), said
    assert rig.system.taken("newcomer@example.com") and rig.system.refused("user000001@example.com")
    # A sign of life when nothing changed, and a test run that changes nothing.
    said = good(rig.one.once())
    assert not said["whole"] and said["added"] + said["removed"] + said["changed"] == 0
    rig.add_person("maybe")
    before = rig.last()["id"]
    tried = rig.one.once("--test-run")
    good(tried)
    assert "would add 1, remove 0" in tried.stdout and "maybe@example.com" in tried.stdout, tried.stdout
    assert rig.system.refused("maybe@example.com") and rig.last()["id"] == before + 1 and rig.last()["state"] == "previewed"
    good(rig.one.once())
    assert rig.system.taken("maybe@example.com")


def test_cut_off_in_the_middle_of_a_list_nothing_of_it_is_applied(rig):
    syncs, sequence = len(rig.syncs()), report_sequence(rig)
    rig.add_person("cut")
    shutil.rmtree(rig.one.state)  # a whole list: long enough to be cut
    with Relay(rig.control.port, asked=12_000) as relay:
        running = subprocess.Popen(rig_command(rig, relay), stderr=subprocess.PIPE, text=True, cwd=rig.one.folder)
        for _ in range(4):  # it tries again, and is cut off again
            assert relay.reached.wait(20)
            relay.reached.clear()
            relay.cut()
        _, words = running.communicate(timeout=60)
    rig.one.configure()
    assert running.returncode == 3, words
    assert "the connection to 127.0.0.1 ended before its answer did" in words, words
    assert len(rig.syncs()) == syncs and report_sequence(rig) == sequence and rig.system.refused("cut@example.com")
    uploads = [each.name for each in rig.control.state.rglob("*") if each.name.startswith(("upload-", "pushed-")) or each.suffix == ".push"]
    assert not uploads, uploads
    said = good(rig.one.once())
    assert said["whole"] and said["added"] == 1 and rig.system.taken("cut@example.com")


def report_sequence(rig):
    return rig.control.good("GET", "/v1/sources/push:agent/push")["sequence"]


def rig_command(rig, relay):
    kept = rig.one.settings
    rig.one.configure({"postern": {"url": rig.through(relay)}})
    rig.one.settings = kept
    return rig.one.command()


def test_killed_in_the_middle_of_a_list_the_next_round_repairs(rig):
    sequence = report_sequence(rig)
    rig.add_person("killed")
    shutil.rmtree(rig.one.state)
    with Relay(rig.control.port, asked=12_000) as relay:
        running = subprocess.Popen(rig_command(rig, relay), stderr=subprocess.DEVNULL, cwd=rig.one.folder)
        assert relay.reached.wait(20)
        running.kill()
        running.wait()
    rig.one.configure()
    assert report_sequence(rig) == sequence and rig.system.refused("killed@example.com")
    assert good(rig.one.once())["added"] == 1
    assert rig.system.taken("killed@example.com") and not (rig.one.state / "list.spool").exists()


def test_an_answer_that_is_lost_makes_no_list_count_twice(rig):
    rig.add_person("lost")
    sequence = report_sequence(rig)
    # The handshake, the state and some of the list's answer: the list is taken, its answer never comes.
    for octets in (2_000, 2_400, 2_800, 3_200):
        with Relay(rig.control.port, octets=octets) as relay:
            running = subprocess.Popen(rig_command(rig, relay), stderr=subprocess.PIPE, text=True, cwd=rig.one.folder)
            if relay.reached.wait(5) and report_sequence(rig) > sequence:
                relay.cut()
                relay.open()
                _, words = running.communicate(timeout=60)
                rig.one.configure()
                break
            running.kill()
            running.communicate()
            rig.one.configure()
    else:
        pytest.fail("no answer was lost")
    assert running.returncode == 0, words
    assert report_sequence(rig) == sequence + 1 and rig.last()["counts"]["added"] == 1
    assert rig.system.taken("lost@example.com")
    again = good(rig.one.once())  # whole: the relay was another Postern to it
    assert again["added"] + again["removed"] + again["changed"] == 0, again


def test_control_killed_while_it_takes_a_list(rig):
    rig.add_person("control")
    shutil.rmtree(rig.one.state)
    with Relay(rig.control.port, asked=12_000) as relay:
        running = subprocess.Popen(rig_command(rig, relay), stderr=subprocess.PIPE, text=True, cwd=rig.one.folder)
        assert relay.reached.wait(20)
        rig.control.kill()
        relay.cut()
        relay.open()
        rig.control.start()
        _, words = running.communicate(timeout=60)
    rig.one.configure()
    assert running.returncode in (0, 3), words
    if running.returncode == 3:
        assert rig.system.refused("control@example.com")
    good(rig.one.once())
    wait_until(lambda: rig.system.taken("control@example.com"), 15, "the person in force")


def test_a_wrong_token_and_a_revoked_one_change_nothing(rig):
    syncs = len(rig.syncs())
    rig.one.secret("token", "not-a-token")
    refused(rig.one.once(), 4, "The token is not known, or was revoked")
    reader = rig.control.good("POST", "/v1/tokens", {"name": "reads", "role": "reader", "organisation": 1})["secret"]
    rig.one.secret("token", reader)
    refused(rig.one.once(), 4, "role")
    other = rig.control.good("POST", "/v1/organisations", {"name": "Others"})["id"]
    elsewhere = rig.control.good("POST", "/v1/tokens", {"name": "theirs", "role": "admin", "organisation": other})["secret"]
    rig.one.secret("token", elsewhere)
    refused(rig.one.once(), 1, "there is no directory source")
    rig.one.secret("token", rig.token)
    assert len(rig.syncs()) == syncs
    assert not good(rig.one.once())["whole"]
    log = rig.one.log_text()
    assert rig.token not in log and rig.server.password not in log.replace("client_secret", "")


def test_an_older_state_folder_pushes_the_whole_and_applies_nothing_twice(rig):
    shutil.copytree(rig.one.state, rig.folder / "backup")
    rig.add_person("after-the-backup")
    rig.remove_person("user000002")
    good(rig.one.once())
    shutil.rmtree(rig.one.state)
    shutil.copytree(rig.folder / "backup", rig.one.state)
    back = rig.one.once()
    said = good(back)
    assert said["whole"] and said["added"] + said["removed"] + said["changed"] == 0, said
    assert "whole_list_next" in back.stderr and "not this agent's last one" in back.stderr
    assert rig.system.taken("after-the-backup@example.com") and rig.system.refused("user000002@example.com")
    assert not good(rig.one.once())["whole"]
    # What comes late with an older number is refused, whatever it says.
    late = '{"address": "ghost@example.com"}\n{"end": 1}\n'
    status, answer, _ = rig.control.request("POST", "/v1/sources/push:agent/push/whole?sequence=1", late, {"Content-Type": "application/x-ndjson"})
    assert status == 409 and answer["type"].endswith(":older-list") and "an older list is never applied" in answer["detail"], answer
    assert rig.system.refused("ghost@example.com")


def clock(wrong_by):
    """Environment of a program whose clock is wrong by so much, and goes as fast as any."""
    return {"LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME": wrong_by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.mark.release  # a sanitizer and faketime both want to be the first in the process
def test_a_clock_that_no_certificate_is_good_for_changes_nothing(rig):
    syncs = len(rig.syncs())
    for wrong_by in ("-400d", "+400d"):
        done = rig.one.once(environment=clock(wrong_by))
        assert done.returncode in (3, 5), done.stderr  # neither the directory nor Postern can be trusted then
        assert "certificate" in report(done)["reason"], done.stderr
    assert len(rig.syncs()) == syncs


@pytest.mark.release
def test_a_clock_that_is_wrong_within_the_certificates_makes_no_list_older_and_none_count_twice(rig):
    good(rig.one.once())
    clear = rig.agent("clear", settings={"directory": {"servers": [f"127.0.0.1:{rig.server.port}"], "security": "none"}})
    good(clear.once())
    for number, wrong_by in enumerate(("-7d", "+7d", "-7h", "+7h", "-1d", "+0")):
        name, sequence = f"clock{number}", report_sequence(rig)
        rig.add_person(name)
        said = good(clear.once(environment=clock(wrong_by)))
        assert (said["added"], said["removed"], said["changed"]) == (1, 0, 0), (wrong_by, said)
        assert said["sequence"] == report_sequence(rig) == sequence + 1, (wrong_by, said)
        assert rig.system.taken(f"{name}@example.com")
        again = good(clear.once(environment=clock(wrong_by)))
        assert again["added"] + again["removed"] + again["changed"] == 0, (wrong_by, again)
    # In Postern's history every list has Postern's own time, in the order in which they came.
    started = [datetime.datetime.fromisoformat(each["started"]) for each in rig.syncs()]
    assert started == sorted(started, reverse=True), started
    assert abs((datetime.datetime.now(datetime.timezone.utc) - started[0]).total_seconds()) < 300, started[0]


def test_two_agents_for_one_source_never_mix_their_lists(rig):
    other = rig.agent("other")
    assert good(other.once())["whole"]
    rig.add_person("two")
    said = good(rig.one.once())
    assert said["whole"], "the other's list is there: it is not this agent's last one"
    assert rig.system.taken("two@example.com")


def test_a_list_over_the_limits_is_held_and_repairs_when_the_directory_is_right_again(rig):
    before = rig.addresses()
    rig.one.configure({"directory": {"base": f"ou=staff,{BASE}"}})
    rig.add_person("held")
    empty = refused(rig.one.once(), 1, "has no address in the source's domains")
    assert empty["state"] == "failed" and rig.addresses() == before
    rig.one.configure({"directory": {"base": BASE, "filter": "(cn=user00000*)"}})
    held = refused(rig.one.once(), 1, "waits for a person", "more than the limit of")
    assert held["state"] == "held" and rig.system.taken("user000100@example.com")
    rig.one.configure({"directory": {"filter": "(&(objectClass=mailThing)(|(mail=*)(proxyAddresses=*)))"}})
    said = good(rig.one.once())
    assert said["whole"] and rig.system.taken("held@example.com")
    assert rig.control.good("GET", f"/v1/syncs/{held['sync']}")["state"] == "superseded"


def test_a_directory_that_is_read_in_part_is_not_pushed(rig):
    syncs = len(rig.syncs())
    rig.server.kill()
    try:
        refused(rig.one.once(), 5, "127.0.0.1")
    finally:
        rig.server.start()
    rig.server.restart(database="sizelimit size.soft=20 size.hard=50 size.pr=10 size.prtotal=50")
    shutil.rmtree(rig.one.state)
    try:
        rig.one.configure({"directory": {"changes": "none", "page_size": 10}})
        refused(rig.one.once(), 5, "read in part")
    finally:
        rig.server.restart()
    assert len(rig.syncs()) == syncs
    del rig.one.settings["directory"]["changes"], rig.one.settings["directory"]["page_size"]
    rig.one.configure()
    good(rig.one.once())


def test_by_a_proxy_with_a_password_and_the_certificate_is_checked(rig):
    with Proxy("user", "pass word") as proxy:
        rig.one.secret("proxy-password", "pass word")
        by = {"proxy": proxy.url, "proxy_user": "user", "proxy_password_file": "proxy-password"}
        good(rig.one.once(**by))
        rig.one.secret("proxy-password", "wrong")
        refused(rig.one.once(**by), 3, "proxy", "407", "proxy_password_file")
    other = Authority(rig.folder / "other-tls", "Another CA")
    refused(rig.one.once(ca_file=str(other.file)), 3, "TLS", "can't be trusted", "ca_file")


def test_settings_are_checked_at_the_start_with_file_and_line(rig):
    assert rig.one.once("--check").stdout.endswith("is good\n")

    def wrong(section, **changes):
        kept = rig.one.settings
        rig.one.configure({section: changes})
        rig.one.settings = kept
        done = subprocess.run(rig.one.command("--check"), capture_output=True, text=True, check=False)
        rig.one.configure()
        assert done.returncode == 2, done
        return done.stderr
    assert "clear text; write https://" in wrong("postern", url="http://postern.example.com")
    assert "agent.toml:" in wrong("postern", url="nonsense") and "postern.url" in wrong("postern", url="nonsense")
    assert "postern.source" in wrong("postern", source="") and "it is missing" in wrong("postern", source="")
    assert "directory.base" in wrong("directory", base="")
    assert "there is no such key" in wrong("directory", passwort="x")
    open_to_all = rig.one.secret("open", "x")
    open_to_all.chmod(0o644)
    assert "chmod 600" in wrong("postern", token_file="open")


def test_it_runs_by_schedule_and_ends_when_it_is_told(rig):
    rig.add_person("scheduled")
    rig.one.start()
    wait_until(lambda: rig.system.taken("scheduled@example.com"), 20, "the first round")
    second = rig.one.once()
    assert second.returncode == 2 and "another postern-agent works with the state folder" in second.stderr, second.stderr
    wait_until(lambda: rig.one.log("pushed"), 20, "the round's end")
    assert rig.one.stop() == 0
    assert rig.one.log("pushed")[-1]["state"] == "succeeded"


@pytest.mark.release
def test_a_large_directory(rig, full, facts, tmp_path):
    """Times and peak memory of a whole round and of one with changes."""
    size = 100_000 if full else 2_000
    server = Slapd(tmp_path / "slapd", units=("people", "rest"), directives="threads 4")
    server.load(lists.people(range(size), "rest"))
    with server:
        rig.system.ctl("source", "add", "push:large", "--max-removed", "0")
        agent = Agent(tmp_path / "agent", server, rig.control.url, rig.authority.file, rig.token, "push:large")
        words = []
        for name in ("whole", "changes"):
            open(f"/proc/{rig.control.process.pid}/clear_refs", "w").write("5")
            started = time.monotonic()
            with open(tmp_path / "said", "w") as said:
                running = subprocess.Popen(agent.command(), stderr=said, stdout=said)
                _, status, used = os.wait4(running.pid, 0)
            seconds, peak = time.monotonic() - started, used.ru_maxrss
            assert status == 0, (tmp_path / "said").read_text()
            assert json.loads((tmp_path / "said").read_text().splitlines()[-1])["whole"] == (name == "whole")
            control = next(int(line.split()[1]) for line in open(f"/proc/{rig.control.process.pid}/status") if line.startswith("VmHWM"))
            words.append(f"{name} {seconds:.1f} s, agent {peak / 1024:.0f} MiB, control {control / 1024:.0f} MiB")
            if name == "whole":
                server.modify(person("one-more").replace("\n", "\nchangetype: add\n", 1))
            if full:
                assert peak < 100 * 1024
        addresses = size + size // 4 + 1
        assert rig.addresses("push:large") == addresses
        facts(f"{size:,} people, {addresses:,} addresses: " + "; ".join(words))
        rig.system.ctl("source", "remove", "push:large", timeout=600)
