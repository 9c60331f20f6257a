"""Lists of a million mailboxes, from slapd to the edge: how long a sync takes after its fetch, what it needs of memory, and how soon lists,
filters, pages and searches answer over the HTTP API.
"""

import contextlib
import http.client
import json
import random
import time
import urllib.parse

import pytest
from lib.control import Control
from lib.downstream import wait_until
from lib.lists import alias, people, person
from lib.postern import Edge
from lib.smtp import rcpt_reply
from slapd import BASE, PASSWORD, Slapd


class Measured(Control):
    """postern-control whose memory is looked at."""

    def peak(self):
        """Most resident memory since it was last asked, in MiB."""
        status = dict(line.split(":", 1) for line in open(f"/proc/{self.process.pid}/status"))
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")
        return int(status["VmHWM"].split()[0]) / 1024


class System:
    """slapd with `size` people, a tenth of them below ou=first, a control that follows it, and an edge."""

    def __init__(self, folder, size):
        self.size, self.first = size, size // 10
        self.slapd = Slapd(folder / "slapd", units=("first", "rest"), directives="threads 4")
        self.slapd.load(people(range(self.first), "first"))
        self.slapd.load(people(range(self.first, size), "rest"))
        self.edge = Edge(folder / "edge", settings={"log": {"level": "warn"}})
        self.control = Measured(folder / "control", edges=[self.edge.socket], tables=self.edge.tables, settings={"log": {"level": "warn"}})

    def __enter__(self):
        with contextlib.ExitStack() as running:
            for each in (self.slapd, self.edge, self.control):
                running.enter_context(each)
            self.running = running.pop_all()
        return self

    def __exit__(self, *what):
        self.running.__exit__(*what)

    def sync(self, name="ldap:people"):
        """One sync to its end: how it ended, with its seconds."""
        started = self.control.good("POST", f"/v1/sources/{name}/sync", {})
        return self.finish(started["id"])

    def finish(self, sync):
        path = f"/v1/syncs/{sync}"
        wait_until(lambda: self.control.good("GET", path)["ended"], 1800, f"the end of sync {sync}")
        done = self.control.good("GET", path)
        assert done["state"] == "succeeded", done
        return done

    def first_sync(self):
        began = wait_until(lambda: self.control.good("GET", "/v1/syncs?limit=1")["items"], 10, "the first sync")[0]
        return self.finish(began["id"])


def seconds(sync, start, end):
    def when(field):
        return time.mktime(time.strptime(sync[field][:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + sync[field][19:].rstrip("Z"))
    return when(end) - when(start)


def told(sync):
    counts = sync["counts"]
    return (f"{counts['added']:,} added, {counts['removed']:,} removed, {counts['changed']:,} changed: fetch {seconds(sync, 'started', 'fetched'):.1f} s, "
            f"in force {seconds(sync, 'fetched', 'in_force'):.2f} s after it")


@pytest.fixture(scope="module")
def system(tmp_path_factory, full):
    with System(tmp_path_factory.mktemp("scale"), 1_000_000 if full else 2_000) as running:
        running.control.ctl("domain", "add", "example.com")
        running.control.ctl("domain", "add", "staff.example")
        yield running


@pytest.fixture(scope="module")
def filled(system):
    """Everybody in the list, and what was seen on the way: peak of memory by size."""
    control = system.control
    settings = system.slapd.settings(base=f"ou=first,{BASE}", answer_timeout_s=300)
    control.good("POST", "/v1/sources", {"name": "ldap:people", "settings": settings, "secrets": {"password": PASSWORD}, "limits": {"removed_count": 0}})
    control.peak()
    tenth = system.first_sync()
    peaks = {system.first: control.peak()}
    control.good("PATCH", "/v1/sources/ldap:people", {"settings": {"base": BASE}})
    rest = system.sync()
    peaks[system.size] = control.peak()
    return {"tenth": tenth, "rest": rest, "peaks": peaks}


@pytest.mark.release
def test_first_syncs_and_memory(system, filled, full, facts):
    addresses = sum(1 + (number % 4 == 0) for number in range(system.size))
    assert system.control.good("GET", "/v1/sources/ldap:people")["state"]["addresses"] == addresses
    small, large = filled["peaks"].values()
    facts(f"{system.first:,} people: {told(filled['tenth'])}, peak {small:.0f} MiB; then {system.size:,}: {told(filled['rest'])}, peak {large:.0f} MiB")
    if full:
        assert large < small + 128, "memory grows with the list"


@pytest.mark.release
def test_a_sync_of_few_changes(system, filled, full, facts):
    """1 % of all people: half renamed, a quarter gone, a quarter new."""
    step = 400
    gone, married, moved = (range(start, system.size, step) for start in (1, 2, 3))
    new = range(system.size, system.size + system.size // step)

    def dn(number):
        return f"cn={person(number)[2]},ou={'first' if number < system.first else 'rest'},{BASE}"

    def replace(number, attribute, value):
        return f"dn: {dn(number)}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"

    ldif = [f"dn: {dn(number)}\nchangetype: delete\n" for number in gone]
    ldif += [replace(number, "sn", "Married") for number in married]
    ldif += [replace(number, "mail", f"moved.{number}@example.com") for number in moved]
    ldif += [record.replace("\n", "\nchangetype: add\n", 1).rstrip("\n") + "\n" for record in people(new, "rest")]
    system.control.peak()
    system.slapd.modify("\n".join(ldif))
    some = system.sync()
    assert not some["whole"] and some["counts"]["read"] <= len(ldif), some
    words = [f"1 % by changes: {told(some)}"]
    assert_in_force(system, new)
    # And back again, read whole.
    ldif = [replace(number, "sn", person(number)[1]) for number in married]
    ldif += [replace(number, "mail", f"{person(number)[2]}@example.com") for number in moved]
    ldif += [f"dn: cn={person(number)[2]},ou=rest,{BASE}\nchangetype: delete\n" for number in new]
    ldif += [record.replace("\n", "\nchangetype: add\n", 1).rstrip("\n") + "\n" for number in gone for record in people([number], "rest")]
    system.slapd.modify("\n".join(ldif))
    system.control.good("PATCH", "/v1/sources/ldap:people", {"settings": {"changes": "none"}})
    whole = system.sync()
    assert whole["whole"], whole
    words.append(f"1 % by a whole fetch: {told(whole)}")
    words.append(f"peak {system.control.peak():.0f} MiB")
    facts(f"{system.size:,} people; " + "; ".join(words))
    if full:
        for each in (some, whole):
            assert seconds(each, "fetched", "in_force") <= 10, each


def assert_in_force(system, new):
    """What the edge answers to people that came, went and changed."""
    system.control.ctl("inbound", "set", "example.com", "127.0.0.1:1")
    system.control.ctl("inbound", "confirm", "example.com", "--unprobed")
    system.control.ctl("--wait", "domain", "mode", "example.com", "enforce")
    answers = {}
    for word, address in [("new", f"{person(new[0])[2]}@example.com"), ("moved", "moved.3@example.com"), ("kept", alias(0)),
                          ("gone", f"{person(1)[2]}@example.com"), ("left", f"{person(3)[2]}@example.com")]:
        answers[word] = rcpt_reply(system.edge.port, address)[0]
    # Nothing listens behind: who is in the list gets a 4xx, a stranger 550.
    assert {word: int(code) for word, code in answers.items()} == {"new": 4, "moved": 4, "kept": 4, "gone": 5, "left": 5}, answers


class Stopwatch:
    """Requests over one connection, each kind's times."""

    def __init__(self, control):
        self.connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=60)
        self.fields = {"Authorization": f"Bearer {control.token}"}
        self.times = {}

    def get(self, kind, /, **parameters):
        start = time.perf_counter()
        self.connection.request("GET", "/v1/mailboxes?" + urllib.parse.urlencode(parameters), headers=self.fields)
        answer = self.connection.getresponse()
        text = answer.read()
        self.times.setdefault(kind, []).append((time.perf_counter() - start) * 1000)
        assert answer.status == 200, (parameters, text)
        return json.loads(text), answer.headers

    def percentile(self, kind, share):
        return sorted(self.times[kind])[min(len(self.times[kind]) - 1, int(len(self.times[kind]) * share))]


@pytest.mark.release
def test_lists_filters_pages_and_searches(system, filled, full, facts, tmp_path):
    control = system.control
    # Beside the people of the directory: others of every kind, in groups, pinned and blocked.
    rows = ["email,first_name,last_name,group,kind"]
    others = max(200, system.size // 100)
    rows += [f"s{number}@staff.example,Sam,Staff,{'board' if number % 50 == 0 else 'staff'},{('user', 'shared', 'resource', 'list')[number % 4]}"
             for number in range(others)]
    (tmp_path / "staff.csv").write_text("\n".join(rows) + "\n")
    control.ctl("import", str(tmp_path / "staff.csv"), "--domain", "staff.example", "--yes")
    control.ctl("mailbox", "edit", f"{person(10)[2]}@example.com", "--hold", "blocked")
    control.ctl("mailbox", "edit", f"{person(11)[2]}@example.com", "--hold", "pinned")
    watch = Stopwatch(control)
    rng = random.Random(1)
    rounds = 40 if full else 5
    filters = {
        "all": {}, "domain=example.com": {"domain": "example.com"}, "domain=staff.example": {"domain": "staff.example"}, "organisation": {"organisation": 1},
        "kind=user": {"kind": "user"}, "kind=shared": {"kind": "shared"}, "group=staff": {"group": "staff"}, "group=board": {"group": "board"},
        "without group": {"group": ""}, "hold=blocked": {"hold": "blocked"}, "hold=pinned": {"hold": "pinned"}, "valid=true": {"valid": "true"},
        "valid=false": {"valid": "false"}, "source=ldap:people": {"source": "ldap:people"}, "source=csv": {"source": "csv:default/staff.example"},
        "domain and kind": {"domain": "staff.example", "kind": "list"}, "source elsewhere": {"source": "ldap:people", "domain": "staff.example"},
        "kind nowhere": {"domain": "example.com", "kind": "list"},
    }
    for _ in range(rounds):
        for kind, parameters in filters.items():
            watch.get(kind, **parameters)
            watch.get(kind + ", counted", limit=1, count="true", **parameters)
        for kind, part in {
            "search rare": person(rng.randrange(system.size))[2][-8:], "search by first name": rng.choice(["barbara", "grace", "linus"]),
            "search by last name": person(rng.randrange(system.size))[1], "search by alias": alias(4 * rng.randrange(system.size // 4))[:8],
            "search common": "ada.", "search one letter": rng.choice("abdgk"), "search two letters": rng.choice(["ad", "gr", "zz"]),
            "search part@part": f"{rng.randrange(100)}@exam", "search @domain": "@staff", "search without a match": "qqqq", "search in vain": "barlinus",
        }.items():
            watch.get(kind, q=part)
            watch.get(kind + ", counted", q=part, limit=1, count="true")
        watch.get("search in a domain", q="ada", domain="staff.example")
        watch.get("search and kind", q="grace", kind="shared")
    for kind in ("all", "domain=example.com", "valid=true", "source=ldap:people"):
        walk(watch, kind, filters[kind])
    assert walk(watch, "search common", {"q": "ada."}) == sum("ada." in person(number)[2] for number in range(system.size)), "each once"
    worst = sorted(((watch.percentile(kind, 0.95), watch.percentile(kind, 0.5), kind) for kind in watch.times), reverse=True)
    for p95, p50, kind in worst:
        print(f"{p50:8.1f} {p95:8.1f} ms  {kind}")
    p95, p50, kind = worst[0]
    facts(f"{system.size:,} mailboxes, {len(worst)} kinds of question: the slowest, {kind}: p50 {p50:.1f} ms, p95 {p95:.1f} ms; "
          f"of all questions p95 {sorted(each for times in watch.times.values() for each in times)[int(sum(map(len, watch.times.values())) * 0.95)]:.1f} ms")
    if full:
        assert p95 < 100, worst[:10]


def walk(watch, kind, parameters):
    """From the first page to the last, 1000 at a time, and one of 100 from each mark; how many there are."""
    seen, cursor = 0, None
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer, _ = watch.get(f"{kind}, page of 1000", limit=1000, **parameters, **more)
        seen, cursor = seen + len(answer["items"]), answer["next"]
        if not cursor:
            return seen
        watch.get(f"{kind}, deep page", limit=100, **parameters, cursor=cursor)
