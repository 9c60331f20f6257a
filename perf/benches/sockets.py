"""postern-edge over kernel sockets against a do-nothing server: rejects one at a time, pipelined by 50, and churn.

Both servers have one core, the load the other. One at a time and pipelined, the servers take turns, seven runs each. Churn is one run
of three minutes a server, so that TIME_WAIT fills up as it does in life; its seven values are equal consecutive windows. Beside
the rate stands the server's processor time per request, which does not hide behind the load generator's limit.
"""

import pathlib
import tempfile
import time

from .edge import Edge, make_addresses
from .running import Load, NullServer, cores, cpu_seconds, faults, load

RUNS = 7
CHURN_SOURCES = 200
SINGLE = ("--connections", 64)
PIPELINED = ("--connections", 16, "--pipeline", 50)
SHAPES = {"single": SINGLE, "pipelined": PIPELINED}
CHURN = ("--churn", "--connections", 64, "--sources", CHURN_SOURCES)
RUN = ("--duration", 5)
CHURN_SECONDS = 26 * RUNS + 1
# The quick size counts requests: in a short time a machine that others use may answer none.
QUICK_RUN, QUICK_CHURN = ("--count", 5_000), ("--count", 1_000)


def measure(record, binaries, server, words, size, where, inside=()):
    """One run of a size, ("--duration", seconds) or ("--count", requests): (requests a second, ns of the server's processor time per request)."""
    before = cpu_seconds(server.pid)
    found = load(binaries, server.target, "--strangers", "example.com", *size, *words, core=cores()[1], patience=90, inside=inside)
    used = cpu_seconds(server.pid) - before
    if faults(found):
        record.wrong(f"{where}: {faults(found)}")
    return found["rcpts_per_s"], used * 1e9 / max(found["rcpts"], 1)


def measure_churn(record, binaries, server, quick, where):
    """One long run, cut into windows, or seven short ones: ([sessions a second], [ns of processor time a session])."""
    if quick:
        return tuple(zip(*(measure(record, binaries, server, CHURN, QUICK_CHURN, where) for _ in range(RUNS))))
    used = []
    with Load(binaries, server.target, "--strangers", "example.com", *CHURN, "--duration", CHURN_SECONDS, core=cores()[1]) as running:
        began = time.monotonic()
        while running.running():
            used.append(cpu_seconds(server.pid))
            time.sleep(max(0.0, began + len(used) - time.monotonic()))
        found = running.report(60)
    if faults(found):
        record.wrong(f"{where}: {faults(found)}")
    window = CHURN_SECONDS // RUNS
    rates, costs = [], []
    for first in range(0, window * RUNS, window):
        sessions = sum(one["sessions"] for one in found["each_second"][first : first + window])
        rates.append(sessions / window)
        costs.append((used[min(first + window, len(used) - 1)] - used[first]) * 1e9 / max(sessions, 1))
    return rates, costs


def run(record, binaries, quick):
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as name:
        folder = pathlib.Path(name)
        addresses = make_addresses(10_000 if quick else 100_000, "example.com")
        with Edge(folder, binaries, core=cores()[0]) as edge, NullServer(binaries, core=cores()[0]) as null:
            edge.put_in_force(edge.build(addresses))
            servers = {"null": null, "edge": edge}
            for shape, words in SHAPES.items():
                rates = {who: [] for who in servers}
                costs = {who: [] for who in servers}
                for who, server in servers.items():  # neither begins cold
                    measure(record, binaries, server, words, QUICK_RUN, f"{who} {shape}")
                for _ in range(RUNS):
                    for who, server in servers.items():
                        rate, cost = measure(record, binaries, server, words, QUICK_RUN if quick else RUN, f"{who} {shape}")
                        rates[who].append(rate)
                        costs[who].append(cost)
                put(record, shape, "RCPT/s", rates, costs)
            rates, costs = {}, {}
            for who, server in servers.items():
                rates[who], costs[who] = measure_churn(record, binaries, server, quick, f"{who} churn")
            put(record, "churn", "sessions/s", rates, costs)


def put(record, shape, unit, rates, costs):
    for who, runs in rates.items():
        record.figure(f"{who}_{shape}_per_s", unit, runs)
        record.figure(f"{who}_{shape}_cpu_ns", "ns/request", costs[who])
    record.ratio(f"null_{shape}", f"edge_{shape}_per_s", f"null_{shape}_per_s")
    record.ratio(f"null_{shape}_cpu", f"null_{shape}_cpu_ns", f"edge_{shape}_cpu_ns")
