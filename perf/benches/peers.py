"""postern-edge over kernel sockets against Postfix, Exim, Haraka and a server that does nothing, on the same cores in one run.

Each peer is set up in its fastest fitting way for the same list (perf/peers has each configuration and its reasons). The servers take
turns: rejects one at a time, in segments of 50, and sessions of one recipient, with 100,000 recipients; one at a time once more with
1,000,000; then what an idle connection holds, how long one added address takes until it is in force, and the same for the whole list under load.
"""

import contextlib
import os
import resource
import shutil
import socket
import time

from peers import haraka
from peers.exim import Exim
from peers.ours import Null, Postern
from peers.peer import tree_cpu_seconds, tree_memory_kib
from peers.postfix import Postfix

from . import machine, plots
from .edge import make_addresses
from .running import Failure, Load, cores, faults, load

RUNS, CHANGES = 7, 5
# With few connections a server of many processes changes between them less often: two of the peers are at their best there.
SHAPES = {"single": ("--connections", 64), "single_few": ("--connections", 4), "pipelined": ("--connections", 16, "--pipeline", 50), "churn": ("--churn", "--sources", 200)}
UNITS = {"single": "RCPT/s", "single_few": "RCPT/s", "pipelined": "RCPT/s", "churn": "sessions/s"}
QUANTILES = ("p50", "p99", "p999")
IDLE_STEPS = 5


def complain(record, who, where, words):
    """A wrong answer of ours fails the benchmark; a peer's is written down."""
    if words and who in ("edge", "null"):
        record.wrong(f"{who} {where}: {words}")
    elif words:
        record.content["conditions"]["faults_of_peers"].append(f"{who} {where}: {words[:300]}")


class Series:
    """The figures of one shape, run by run, for each server."""

    def __init__(self, servers):
        self._runs = {server.name: {} for server in servers}

    def add(self, who, **values):
        for key, value in values.items():
            self._runs[who].setdefault(key, []).append(value)

    def put(self, record, shape, unit):
        units = {"per_s": unit, "cpu_ns": "ns/request", **{f"{name}_us": "us" for name in QUANTILES}}
        for who, keys in self._runs.items():
            for key, runs in keys.items():
                record.figure(f"{who}_{shape}_{key}", units[key], runs)
        for who in self._runs:
            if who != "edge":
                record.ratio(f"{who}_{shape}", f"edge_{shape}_per_s", f"{who}_{shape}_per_s")
                record.ratio(f"{who}_{shape}_cpu", f"{who}_{shape}_cpu_ns", f"edge_{shape}_cpu_ns")


def measure(record, binaries, server, shape, words, seconds):
    """One run: rate, the processor time of the server and all its processes per request, latencies."""
    if shape == "churn":
        words = (*words, "--connections", server.churn_connections)
    before = tree_cpu_seconds(server.pid)
    found = load(binaries, server.target, "--strangers", "example.com", "--duration", seconds, "--failures", 100_000, *words, core=cores()[1],
                 patience=seconds + 90)
    used = tree_cpu_seconds(server.pid) - before
    complain(record, server.name, shape, faults(found))
    latency = found["session_latency_ns" if shape == "churn" else "latency_ns"]
    return {"per_s": found["rcpts_per_s"], "cpu_ns": used * 1e9 / max(found["rcpts"], 1),
            **{f"{name}_us": latency[name] / 1000 for name in QUANTILES}}


def measure_shape(record, binaries, servers, shape, words, seconds, label=None):
    series = Series(servers)
    for server in servers if seconds >= 1 else ():  # none begins cold: processes are there, code is compiled
        measure(record, binaries, server, shape, words, 2)
    for _ in range(RUNS if seconds >= 1 else 5):
        for server in servers:
            series.add(server.name, **measure(record, binaries, server, shape, words, seconds))
    series.put(record, label or shape, UNITS[shape])


def greeted(target):
    """A connection that has said EHLO and waits."""
    host, port = target.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=60)
    with connection.makefile("rb") as lines:
        for command in (b"", b"EHLO idle.invalid\r\n"):
            connection.sendall(command)
            while (line := lines.readline())[3:4] == b"-":
                pass
            if not line.startswith(b"2"):
                connection.close()
                raise Failure(f"an idle connection was answered {line!r}")
    return connection


def measure_idle(record, server, step):
    """KiB for each more idle connection, in steps, so that what is made at the beginning for all shows in one of them alone."""
    growth = []
    with contextlib.ExitStack() as stack:
        before = tree_memory_kib(server.pid)
        for _ in range(IDLE_STEPS):
            for _ in range(step):
                stack.enter_context(contextlib.closing(greeted(server.target)))
            now = tree_memory_kib(server.pid)
            growth.append((now - before) / step)
            before = now
    record.figure(f"{server.name}_idle_kib", "KiB/connection", growth)


def accepted(target, address):
    """Whether a new session may name the recipient."""
    with contextlib.closing(greeted(target)) as connection, connection.makefile("rb") as lines:
        for command in ("MAIL FROM:<>", f"RCPT TO:<{address}>"):
            connection.sendall(command.encode() + b"\r\n")
            line = lines.readline()
        return line.startswith(b"250")


def wait_accepted(server, address, since, patience=300):
    """Seconds from `since` until a new session may name the recipient."""
    while not accepted(server.target, address):
        if time.monotonic() - since > patience:
            raise Failure(f"{server.name}: {address} was not in force within {patience} s")
        time.sleep(0.001)
    return time.monotonic() - since


def measure_added(record, servers):
    """One address more than the whole list, with nothing else to do."""
    for server in servers:
        taken = []
        for turn in range(CHANGES):
            address = f"added.{turn}@example.com"
            since = time.monotonic()
            server.add(address)
            taken.append(wait_accepted(server, address, since) * 1000)
        record.figure(f"{server.name}_added_ms", "ms", taken)


def measure_reload(record, binaries, servers, addresses, folder):
    """The whole list and one more address, under as much load as the server takes; a tenth of the recipients is on both lists."""
    listed = folder / "listed"
    listed.write_text("\n".join(addresses[:: max(1, len(addresses) // 10_000)]) + "\n", encoding="ascii")
    for server in servers:
        taken, wrong = [], []
        for turn in range(CHANGES):
            address = f"reloaded.{turn}@example.com"
            server.write([*addresses, address])
            with Load(binaries, server.target, "--connections", 16, "--strangers", "example.com", "--recipients", listed, "--valid-share", 0.1,
                      "--duration", 600, "--failures", 100_000_000, core=cores()[1]) as running:
                time.sleep(0.5)
                since = time.monotonic()
                server.load()
                taken.append(wait_accepted(server, address, since))
                running.process.terminate()
                found = running.report(60)
            complain(record, server.name, "reload", faults(found))
            wrong.append(sum(found[name] for name in ("wrong", "dropped", "timeouts", "connect_errors")))
        record.figure(f"{server.name}_reload_s", "s", taken)
        record.figure(f"{server.name}_reload_wrong", "answers", wrong)


def run(record, binaries, quick):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    kept = machine.ROOT / "build" / "bench" / "peers"
    folder = kept / f"run-{os.getpid()}"
    folder.mkdir(parents=True)
    seconds, recipients, many, idle = (0.08, 2_000, 5_000, 5) if quick else (4, 100_000, 1_000_000, 200)
    record.content["conditions"] = {"recipients": recipients, "recipients_1m": many, "seconds_a_run": seconds, "idle_step": idle,
                                    "faults_of_peers": []}
    core, load_core = cores()
    addresses = make_addresses(recipients, "example.com")
    kinds = [Postfix, Exim]
    if not quick or haraka.installed(kept / "npm"):  # the quick size downloads nothing from npm
        kinds.append(haraka.Haraka)
    try:
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(Postern(folder, binaries, core, load_core, addresses))
            null = stack.enter_context(Null(binaries, core=core))
            listing = [ours] + [stack.enter_context(kind(folder, kept, core, addresses)) for kind in kinds]
            servers = [null, *listing]
            for shape, words in SHAPES.items():
                measure_shape(record, binaries, servers, shape, words, seconds)
            addresses = make_addresses(many, "example.com")
            for server in listing:
                server.write(addresses)
                since = time.monotonic()
                server.load()
                wait_accepted(server, addresses[-1], since)
            measure_shape(record, binaries, listing, "single", SHAPES["single"], seconds, "single_1m")
            measure_added(record, listing)
            measure_reload(record, binaries, listing, addresses, folder)
        # What an idle connection holds shows only in servers that have not held more of them before.
        few = addresses[:1000]
        for make in (lambda: Null(binaries, core=core), lambda: Postern(folder / "fresh", binaries, core, load_core, few),
                     *(lambda kind=kind: kind(folder / "fresh", kept, core, few) for kind in kinds)):
            with make() as server:
                measure_idle(record, server, idle)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def rates_of(content, shape):
    """The median rate of each server by its name."""
    ending = f"_{shape}_per_s"
    return {key.removesuffix(ending): one["value"] for key, one in content["figures"].items() if key.endswith(ending) and "_" not in key.removesuffix(ending)}


def plot(content, path):
    """One SVG: for each shape the servers' rates as bars."""
    panels = []
    for shape, unit in UNITS.items():
        rates = rates_of(content, shape)
        panels.append((f"{shape}, {unit}", rates))
    path.write_text(plots.bars("Rejected recipients, one core each", panels), encoding="utf-8")
