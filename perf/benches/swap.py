"""Hot swaps of the whole list under load: how long they take, what latency they cost, that no answer is wrong.

Two lists of equal size share most addresses; each has some that the other lacks. Under 20,000 RCPTs a second, then under as many as the
edge answers, it changes from one to the other and back. postern-load holds every answer against the lists that can have been in force when it was given (postern-load(1),
"Hot swaps"). A probe connection measures from outside when a change is in force, for whole lists and for one added address.
"""

import contextlib
import pathlib
import socket
import statistics
import tempfile
import time

from . import swaps
from .edge import Edge, Lists
from .running import Failure, Load, NullServer, cores, faults, load

RUNS = 5
RATE = 20_000


class Probe:
    """One SMTP session that asks for an address again and again."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._reply()
        for command in ("EHLO probe.invalid", "MAIL FROM:<>"):
            self.ask(command)

    def _reply(self):
        while True:
            line = self._lines.readline()
            if len(line) < 4:
                raise Failure("the edge closed the probe's connection")
            if line[3:4] != b"-":
                return line.decode("ascii", errors="replace").strip()

    def ask(self, command):
        self._socket.sendall(command.encode() + b"\r\n")
        return self._reply()

    def until_accepted(self, address, patience=30):
        """Asks until the address is accepted; the time of that answer in ns. Begins a new transaction for the next."""
        end = time.monotonic() + patience
        while not self.ask(f"RCPT TO:<{address}>").startswith("250"):
            if time.monotonic() > end:
                raise Failure(f"{address} was not accepted within {patience} s")
        at = time.monotonic_ns()
        self.ask("RSET")
        self.ask("MAIL FROM:<>")
        return at

    def close(self):
        self._lines.close()
        self._socket.close()


def observed_swap(edge, windows, file, which, probe, address):
    """A hot swap to `file`: ms of prepare, of commit, and from its beginning until `address` of that list is accepted."""
    windows.preparing(which)
    start = time.monotonic_ns()
    edge.ask(f"table prepare {file}")
    prepared = time.monotonic_ns()
    windows.begun()
    edge.send("table commit")
    seen = probe.until_accepted(address)
    edge.reply()
    windows.ended()
    committed = time.monotonic_ns()
    return (prepared - start) / 1e6, (committed - prepared) / 1e6, (seen - start) / 1e6


def load_words(lists, windows, rate, seconds):
    return ["--recipients", lists.both_file, "--only-a", lists.a_file, "--only-b", lists.b_file, "--strangers", lists.domain,
            "--valid-share", 0.02, "--swap-share", 0.1, "--swap-windows", windows.path, *rate, "--connections", 64,
            "--sources", 64, "--duration", seconds]


class Runs:
    """Runs under one load: a calm one, then the same with swaps there and back. `ending` is that of its figures' names."""

    def __init__(self, record, binaries, edge, lists, quick, rate=(), ending=""):
        self._record, self._binaries, self._edge, self._lists = record, binaries, edge, lists
        self._rate, self._ending = rate, ending
        self._calm_seconds, self.swaps, self._pause = (0.5, 2, 0.05) if quick else (4, 20, 0.2)
        self._series = {}

    def add(self, key, value):
        self._series.setdefault(key, []).append(value)

    def run(self, number, then=lambda probe, control: None):
        """`then`: what else is to be done under the load."""
        edge, lists = self._edge, self._lists
        windows = swaps.Windows(edge.folder / "swaps")
        try:
            calm = load(self._binaries, edge.target, *load_words(lists, windows, self._rate, self._calm_seconds), core=cores()[1],
                        patience=self._calm_seconds + 60)
            taken = []
            with Load(self._binaries, edge.target, *load_words(lists, windows, self._rate, 3600), core=cores()[1]) as running, \
                    contextlib.closing(Probe(edge.target)) as probe, edge.socket() as control:
                time.sleep(self._calm_seconds / 4)
                for turn in range(self.swaps):
                    which = (turn + 1) % 2
                    taken.append(observed_swap(control, windows, lists.files[which], which, probe, lists.only[which][turn]))
                    time.sleep(self._pause)
                then(probe, control)
                running.process.terminate()
                found = running.report(60)
        finally:
            windows.close()
        for what, report in (("calm", calm), ("with swaps", found)):
            if faults(report) or report["swaps"]["unjudged"]:
                self._record.wrong(f"run {number}{self._ending} {what}: {faults(report) or 'answers that could not be judged'}")
        for position, key in enumerate(("prepare_ms", "commit_ms", "in_force_ms")):
            self.add(key, statistics.median(one[position] for one in taken))
        self.add("p99_calm_us", calm["latency_ns"]["p99"] / 1000)
        self.add("p99_swap_us", found["swaps"]["during_ns"]["p99"] / 1000)
        self.add("p99_between_us", found["swaps"]["between_ns"]["p99"] / 1000)
        self.add("rcpts_per_s", found["rcpts_per_s"])
        self.add("wrong_answers", calm["wrong"] + found["wrong"])

    def put(self):
        units = {"rcpts_per_s": "RCPT/s", "wrong_answers": "answers"}
        for key, runs in self._series.items():
            self._record.figure(key + self._ending, units.get(key, key.rsplit("_", 1)[1]), runs)
        self._record.ratio("p99_swap" + self._ending, "p99_swap_us" + self._ending, "p99_calm_us" + self._ending)


def run(record, binaries, quick):
    count = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as name:
        folder = pathlib.Path(name)
        with NullServer(binaries, listed="") as downstream, Edge(folder, binaries, core=cores()[0], downstream=downstream.port) as edge:
            lists = Lists(folder, edge, count)
            edge.put_in_force(lists.files[0])
            steady = Runs(record, binaries, edge, lists, quick, ("--rate", RATE))
            full = Runs(record, binaries, edge, lists, quick, ending="_full_load")
            record.content["conditions"] = {"addresses": count, "rate_per_s": RATE, "swaps_per_run": steady.swaps}
            for number in range(RUNS):
                steady.run(number, lambda probe, control, number=number: add_addresses(steady, edge, control, lists, probe, number))
                full.run(number)
    steady.put()
    full.put()


def add_addresses(runs, edge, control, lists, probe, number):
    """One address added, again and again; the first list alone is in force at the end."""
    added = [added_address(edge, control, lists, probe, f"added.{number}.{turn}@{lists.domain}") for turn in range(runs.swaps)]
    runs.add("added_in_force_ms", statistics.median(added))
    control.ask(f"table prepare {lists.files[0]}")
    control.ask("table commit")


def added_address(edge, control, lists, probe, address):
    """ms from the beginning of `table prepare` of an overlay with one more address until that is accepted."""
    overlay = edge.build_overlay(lists.files[0], [address])
    start = time.monotonic_ns()
    control.ask(f"table prepare - {overlay}")
    control.send("table commit")
    seen = probe.until_accepted(address)
    control.reply()
    return (seen - start) / 1e6
