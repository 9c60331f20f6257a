"""kill -9 of control, of the edge, and of both, at random moments during import, publish and delivery.

After each: the list in control is the old or the new one, whole; the edge answers from its last good generation before control is back; and
every message that got a 250 is in the mail server, once it has delivered what it took."""

import random
import re
import threading
import time

import pytest
from downstream import Postfix, wait_until
from smtp import Client, rcpt_reply
from system import System

BOTH = [f"both{number}@example.com" for number in range(40)]
LISTS = {
    "a": BOTH + [f"a{number}@example.com" for number in range(3_000)],
    "b": BOTH + [f"b{number}@example.com" for number in range(3_000)],
}


class Senders(threading.Thread):
    """Delivers numbered messages to addresses of both lists without a pause and remembers which got a 250."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.taken = set()
        self.answers = 0
        self.rejected = []
        self._stopping = threading.Event()

    def run(self):
        number = 0
        while not self._stopping.is_set():
            try:
                with Client(self.port, timeout=20) as client:
                    client.say("EHLO client.example")
                    for _ in range(20):
                        number += 1
                        reply = client.deliver([BOTH[number % len(BOTH)]], b"X-Number: %d.\r\n\r\nbody\r\n" % number)
                        self.answers += 1
                        if reply.startswith("250"):
                            self.taken.add(number)
                        elif reply.startswith("550"):
                            self.rejected.append(reply)
                        if not reply or self._stopping.is_set():
                            break
            except OSError:
                self._stopping.wait(0.02)

    def stop(self):
        self._stopping.set()
        self.join(30)


def list_of(system):
    """Which list control has; fails if it is neither, whole."""
    exported = {line.split(",")[0] for line in system.ctl("export", "--domain", "example.com").splitlines()[1:] if line}
    found = [name for name, addresses in LISTS.items() if exported == set(addresses)]
    assert found, f"neither list: {len(exported)} addresses, {len(exported - set(LISTS['a']))} not in a, {len(exported - set(LISTS['b']))} not in b"
    return found[0]


def list_at_edge(system):
    """Which list the edge answers from; None if its answers fit neither (a mixture)."""
    answers = {name: {rcpt_reply(system.smtp, f"{name}{number}@example.com")[:3] for number in (0, 7, 1500, 2999)} for name in LISTS}
    assert rcpt_reply(system.smtp, BOTH[3]).startswith("250"), "an address of both lists is refused"
    known = [name for name, codes in answers.items() if codes == {"250"}]
    unknown = [name for name, codes in answers.items() if codes == {"550"}]
    return known[0] if len(known) == 1 and len(unknown) == 1 else None


@pytest.fixture
def system(tmp_path, port_network):
    # What Postfix could not deliver at once it tries again while the test still waits for it.
    soon = {"queue_run_delay": "5s", "minimal_backoff_time": "5s", "maximal_backoff_time": "10s"}
    with Postfix(tmp_path / "downstream", soon) as postfix, System(tmp_path, network=port_network) as running:
        running.serve("example.com", postfix.port, LISTS["a"])
        running.postfix = postfix
        yield running


def test_kill_nine_leaves_the_old_or_the_new(system, tmp_path, full):
    rounds = 210 if full else 9
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    files = {}
    for name, addresses in LISTS.items():
        files[name] = tmp_path / f"{name}.csv"
        files[name].write_text("email\n" + "\n".join(addresses) + "\n")
    senders = Senders(system.smtp)
    senders.start()
    current = "a"
    for turn in range(rounds):
        wanted = "b" if current == "a" else "a"
        importing = system.control.ctl_start("import", files[wanted], "--domain", "example.com", "--replace",
                                             "--confirm-removals", "3000", "--yes")
        victim = ("control", "edge", "both")[turn % 3]
        threading.Event().wait(dice.uniform(0, 0.6))
        if victim in ("control", "both"):
            system.control.kill()
        if victim in ("edge", "both"):
            system.edge.kill()
        if victim in ("edge", "both"):
            system.edge.start()
            if victim == "both":
                assert list_at_edge(system) in LISTS, f"turn {turn}: the edge alone answers from a mixture"
        if victim in ("control", "both"):
            assert rcpt_reply(system.smtp, BOTH[0]).startswith("250"), "the edge must go on without control"
            system.control.start()
        importing.communicate(timeout=120)
        current = list_of(system)
        wait_until(lambda: list_at_edge(system) == current, 30, f"turn {turn}: the edge has list {current} of control")  # noqa: B023
    senders.stop()
    assert not senders.rejected, senders.rejected[:3]
    assert len(senders.taken) > rounds, "too few messages got through for the test to mean anything"

    assert not missing(senders.taken, system.postfix)


def missing(taken, postfix, patience=60):
    """The numbers of `taken` that the mail server has not delivered: it may be behind by thousands, and is waited for as long as it gets on."""
    left, read, got_on = set(taken), set(), time.monotonic()
    while left and time.monotonic() - got_on < patience:
        fresh = set(postfix.delivered.iterdir()) - read
        read |= fresh
        numbers = {int(match.group(1)) for path in fresh if (match := re.search(rb"X-Number: (\d+)\.", path.read_bytes()))}
        if numbers & left:
            left -= numbers
            got_on = time.monotonic()
        time.sleep(0.2)
    return left
