"""Hot swaps of the whole list under a steady load: how long they take, what latency they cost, that no answer is wrong.

Two lists of equal size share most addresses; each has some that the other lacks. Under 20,000 RCPTs a second the edge changes from one to
the other and back. postern-load holds every answer against the lists that can have been in force when it was given (postern-load(1),
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


def load_words(lists, windows, seconds):
    return ["--recipients", lists.both_file, "--only-a", lists.a_file, "--only-b", lists.b_file, "--strangers", lists.domain,
            "--valid-share", 0.02, "--swap-share", 0.1, "--swap-windows", windows.path, "--rate", RATE, "--connections", 64,
            "--sources", 64, "--duration", seconds]


def run(record, binaries, quick):
    count = 20_000 if quick else 1_000_000
    calm_seconds, swaps_per_run = (0.5, 2) if quick else (4, 20)
    pause = 0.05 if quick else 0.2
    record.content["conditions"] = {"addresses": count, "rate_per_s": RATE, "swaps_per_run": swaps_per_run}
    series = {name: [] for name in ("prepare_ms", "commit_ms", "in_force_ms", "added_in_force_ms", "p99_calm_us", "p99_swap_us", "p99_between_us",
                                    "rcpts_per_s", "wrong_answers")}
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as name:
        folder = pathlib.Path(name)
        with NullServer(binaries, listed="") as downstream, Edge(folder, binaries, core=cores()[0], downstream=downstream.port) as edge:
            lists = Lists(folder, edge, count)
            edge.put_in_force(lists.files[0])
            with edge.socket() as control:
                for number in range(RUNS):
                    one_run(record, binaries, edge, control, lists, series, calm_seconds, swaps_per_run, pause, number)
    units = {"rcpts_per_s": "RCPT/s", "wrong_answers": "answers"}
    for key, runs in series.items():
        record.figure(key, units.get(key, key.rsplit("_", 1)[1]), runs)
    record.ratio("p99_swap", "p99_swap_us", "p99_calm_us")


def one_run(record, binaries, edge, control, lists, series, calm_seconds, swaps_per_run, pause, number):
    """A calm load, then the same with swaps there and back and an added address after each pair; adds one value to each series."""
    windows = swaps.Windows(edge.folder / "swaps")
    try:
        calm = load(binaries, edge.target, *load_words(lists, windows, calm_seconds), core=cores()[1], patience=calm_seconds + 60)
        taken, added = [], []
        with Load(binaries, edge.target, *load_words(lists, windows, 3600), core=cores()[1]) as running, \
                contextlib.closing(Probe(edge.target)) as probe:
            time.sleep(calm_seconds / 4)
            for turn in range(swaps_per_run):
                which = (turn + 1) % 2
                taken.append(observed_swap(control, windows, lists.files[which], which, probe, lists.only[which][turn]))
                time.sleep(pause)
            for turn in range(swaps_per_run):
                added.append(added_address(edge, control, lists, probe, f"added.{number}.{turn}@{lists.domain}"))
            control.ask(f"table prepare {lists.files[0]}")
            control.ask("table commit")
            running.process.terminate()
            found = running.report(60)
    finally:
        windows.close()
    for what, report in (("calm", calm), ("with swaps", found)):
        if faults(report) or report["swaps"]["unjudged"]:
            record.wrong(f"run {number} {what}: {faults(report) or 'answers that could not be judged'}")
    for position, key in enumerate(("prepare_ms", "commit_ms", "in_force_ms")):
        series[key].append(statistics.median(one[position] for one in taken))
    series["added_in_force_ms"].append(statistics.median(added))
    series["p99_calm_us"].append(calm["latency_ns"]["p99"] / 1000)
    series["p99_swap_us"].append(found["swaps"]["during_ns"]["p99"] / 1000)
    series["p99_between_us"].append(found["swaps"]["between_ns"]["p99"] / 1000)
    series["rcpts_per_s"].append(found["rcpts_per_s"])
    series["wrong_answers"].append(calm["wrong"] + found["wrong"])


def added_address(edge, control, lists, probe, address):
    """ms from the beginning of `table prepare` of an overlay with one more address until that is accepted."""
    overlay = edge.build_overlay(lists.files[0], [address])
    start = time.monotonic_ns()
    control.ask(f"table prepare - {overlay}")
    control.send("table commit")
    seen = probe.until_accepted(address)
    control.reply()
    return (seen - start) / 1e6
