"""How many rejects a second a server gives, how long each takes, and what processor time it costs: one shape of load after the other.

Servers take turns, run by run. Churn alone is one long run of each, so that TIME_WAIT fills up as it does in life; its values
are equal consecutive windows. The quick size (0 seconds) ends after so many answers.
"""

import os
import statistics
import time

from benches.running import Failure, cores, faults, load

from .peer import TICKS, others_cpu_seconds, stolen_seconds, tree_cpu_seconds

RUNS, QUICK_RUNS = 7, 5
QUICK_RCPTS, QUICK_SESSIONS = 200, 32
# With few connections a server of many processes changes between them less often: two of the peers are at their best there.
CONNECTIONS = {"single": 64, "single_few": 4, "pipelined": 16}
WORDS = {"pipelined": ("--pipeline", 50), "churn": ("--churn", "--sources", 200)}
UNITS = {"single": "RCPT/s", "single_few": "RCPT/s", "pipelined": "RCPT/s", "churn": "sessions/s"}
QUANTILES = ("p50", "p99", "p999")


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
        self._others = []

    def add(self, who, others, **values):
        self._others.append(others)
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
        record.content["conditions"]["others_share"][shape] = {
            "median": round(statistics.median(self._others), 4), "most": round(max(self._others), 4)}


def measure(record, binaries, server, shape, seconds):
    """One run, of so many seconds or in the quick size: rate, processor time of the server and all its processes per request, latencies; and `others`, the share of the
    machine's processor time that neither servers nor load had but other programs, or other guests of the host."""
    connections = CONNECTIONS.get(shape, server.churn_connections)
    if seconds:
        size = ("--duration", seconds, "--ramp", 0.005 * min(connections, 64))
    else:
        connections = 4 if connections <= 64 else 32
        size = ("--count", QUICK_SESSIONS if shape == "churn" else QUICK_RCPTS)
    began, others, used = time.monotonic(), others_cpu_seconds() + stolen_seconds(), tree_cpu_seconds(server.pid)
    found = load(binaries, server.target, "--strangers", "example.com", *size, "--failures", 100_000, "--expect",
                 f"stranger={server.stranger_replies}", "--connections", connections, *WORDS.get(shape, ()), core=cores()[1], patience=seconds + 90)
    used = max(tree_cpu_seconds(server.pid) - used, 1 / TICKS)  # no less can be told
    others = others_cpu_seconds() + stolen_seconds() - others
    others = max(0.0, others) / (time.monotonic() - began) / len(os.sched_getaffinity(0))
    complain(record, server.name, shape, faults(found))
    if not found["rcpts_measured"]:
        raise Failure(f"{server.name} {shape}: no answer")
    latency = found["session_latency_ns" if shape == "churn" else "latency_ns"]
    return {"others": others, "per_s": found["rcpts_per_s"], "cpu_ns": used * 1e9 / max(found["rcpts"], 1),
            **{f"{name}_us": latency[name] / 1000 for name in QUANTILES}}


def measure_shape(record, binaries, servers, shape, seconds, label=None, warm=0.0):
    """`warm`: seconds before the first run, so that none begins cold: processes are there, code is compiled."""
    servers = [server for server in servers if shape != "pipelined" or server.pipelining]
    series = Series(servers)
    for server in servers if warm else ():
        measure(record, binaries, server, shape, warm)
    for _ in range(RUNS if seconds else QUICK_RUNS):
        for server in servers:
            series.add(server.name, **measure(record, binaries, server, shape, seconds))
    series.put(record, label or shape, UNITS[shape])


def measure_churn(record, binaries, servers, seconds_of):
    """`seconds_of(server)`: of one window."""
    series = Series(servers)
    for server in servers:
        seconds = seconds_of(server)
        for _ in range(RUNS if seconds else QUICK_RUNS):
            series.add(server.name, **measure(record, binaries, server, "churn", seconds))
    series.put(record, "churn", UNITS["churn"])
