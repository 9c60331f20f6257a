"""Postern's packet path with no wire and over veth, against swapping addresses, the kernel transport and a do-nothing server.

One core for the server, one for the load. With no wire, a generator in the same process is joined to the shard by rings
(postern-path-bench); the others are reached over loopback. Everything takes turns, seven rounds; churn is one run of three minutes for
each server, in seven equal windows. Over veth, the same shapes with the kernel's TCP as the client. Neither is a line rate.
"""

import pathlib
import tempfile

from . import path
from .edge import Edge, make_addresses
from .running import Failure, NullServer, cores
from .sockets import CHURN_SECONDS, PIPELINED, QUICK_RUN, RUNS, SINGLE, measure, measure_churn
from .veth import Veth

SIZES = {"100": 100, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
QUICK_SIZES = {"100": 100, "10k": 500, "100k": 1_000, "1m": 2_000}
RUN = ("--duration", 2)
SOURCES = 1024
HELD_SOURCES = 1 << 20  # each connection has a source entry of its own
LIGHT = 0.1  # of the full load

PORT = """
[port]
device = "{device}"
addresses = ["{address}/24"]
mac = "02:00:00:00:07:01"
memory_mib = 64
find_duplicates = false
idle = "busy"
"""
DRIVERS = {"af_packet": "net_af_packet0,iface={device}", "af_xdp": "net_af_xdp0,iface={device}"}


class NoWire:
    """The measurements within one process."""

    def __init__(self, record, binaries, quick):
        self._record, self._binaries, self._quick = record, binaries, quick
        self._recipients = 20_000 if quick else 1_000_000
        self._runs = {}
        self.shapes = {}

    def add(self, key, number):
        self._runs.setdefault(key, []).append(number)

    def put(self, key, unit):
        self._record.figure(key, unit, self._runs[key])

    def run(self, mode, *words, windows=1, seconds=1.0):
        seconds = 0.05 if self._quick else seconds
        found = path.run(self._binaries, mode, "--recipients", self._recipients, "--seconds", seconds, "--windows", windows, *words)
        for fault in found["faults"]:
            self._record.wrong(f"no wire, {mode} {' '.join(map(str, words))}: {fault}")
        return found

    def rcpts(self, key, mode, *words):
        found = self.run(mode, "--sources", SOURCES, *words)
        self.add(f"ns_per_rcpt_{key}", path.ns_per_rcpt(found))
        self.add(f"{key}_per_s", path.value(found, "rcpts_per_s"))
        self.shapes.setdefault(key, []).append({name: path.value(found, name) for name in (
            "frames_per_turn", "shard_busy", "generator_busy", "listed_share")} | {"again": found["again"], "huge_pages": found["huge_pages"]})

    def round(self):
        for name, connections in (QUICK_SIZES if self._quick else SIZES).items():
            # All connections had their turn, and the memory of their replies is there, before anything counts.
            warm_up = 0.3 if connections < 1_000_000 else 2.5
            self.rcpts(f"single_{name}", "single", "--connections", connections, "--warm-up", warm_up)
        many = (QUICK_SIZES if self._quick else SIZES)["100k"]
        self.rcpts("pipelined_100k", "pipelined", "--connections", many)
        rate = LIGHT * self._runs["single_100k_per_s"][-1]
        self.rcpts("single_100k_light", "single", "--connections", many, "--rate", rate)
        swapped = self.run("macswap", "--sources", SOURCES, "--connections", many)
        self.add("macswap_ns", path.ns_per_rcpt(swapped))
        self.add("macswap_per_s", path.value(swapped, "rcpts_per_s"))

    def hold(self):
        many = 2_000 if self._quick else 1_000_000
        found = self.run("hold", "--connections", many, "--sources", HELD_SOURCES)
        self.add("bytes_per_idle_connection", found["resident_grown"] / max(found["held"], 1))
        self.add("connections_held", found["held"])

    def churn(self, seconds):
        found = path.run(self._binaries, "churn", "--recipients", self._recipients, "--sources", SOURCES, "--windows", RUNS, "--seconds",
                         seconds / RUNS, patience=seconds + 120)
        for fault in found["faults"]:
            self._record.wrong(f"no wire, churn: {fault}")
        for window in found["windows"]:
            self.add("path_churn_per_s", window["sessions_per_s"])
            self.add("path_churn_cpu_ns", window["shard_busy"] * 1e9 / max(window["sessions_per_s"], 1))
        self.shapes["churn"] = {name: path.value(found, name) for name in ("frames_per_turn", "shard_busy", "generator_busy")} | {
            "time_wait_recycled": found["counts"].get("tcp_time_wait_recycled", 0)}


def over_veth(record, binaries, quick, addresses, folder, wire):
    """Rates of the packet path by driver, of the kernel transport and of the do-nothing server, over one veth pair."""
    size = QUICK_RUN if quick else RUN
    core, load_core = cores()
    rates, costs, missing = {}, {}, {}

    def edge(name, address, more="", transport="sockets"):
        where = folder / name
        where.mkdir()
        made = Edge(where, binaries, core=core, more=more, inside=wire.server, address=address, transport=transport)
        made.put_in_force(made.build(addresses))
        return made

    def run(name, server):
        for _ in range(RUNS + 1):  # the first is the warm-up
            rate, cost = measure(record, binaries, server, ("--remote", *SINGLE), size, f"{name} over veth", inside=wire.client)
            rates.setdefault(name, []).append(rate)
            costs.setdefault(name, []).append(cost)
        rates[name].pop(0)
        costs[name].pop(0)

    with NullServer(binaries, core=core, inside=wire.server, address=wire.kernel_address) as null:
        run("null", null)
    with edge("sockets", wire.kernel_address) as server:
        run("sockets", server)
    for driver, device in DRIVERS.items():
        port = PORT.format(device=device.format(device=wire.device), address=wire.path_address)
        try:
            with edge(driver, wire.path_address, port, "dpdk") as server:
                run(driver, server)
        except Failure as failure:
            if driver == "af_packet":
                raise
            missing[driver] = str(failure)[-300:]
    for name, runs in rates.items():
        record.figure(f"veth_{name}_single_per_s", "RCPT/s", runs)
        record.figure(f"veth_{name}_single_cpu_ns", "ns/RCPT", costs[name])
    record.ratio("single_vs_null_server_veth", "veth_af_packet_single_per_s", "veth_null_single_per_s")
    record.ratio("single_vs_sockets_veth", "veth_af_packet_single_per_s", "veth_sockets_single_per_s")
    if "af_xdp" in rates:
        record.ratio("single_vs_null_server_veth_af_xdp", "veth_af_xdp_single_per_s", "veth_null_single_per_s")
    return missing


def run(record, binaries, quick):
    no_wire = NoWire(record, binaries, quick)
    kernel = {}

    def kernel_round(name, shape, server, words):
        rate, cost = measure(record, binaries, server, words, QUICK_RUN if quick else RUN, f"{name} {shape}")
        kernel.setdefault((name, shape), ([], []))
        kernel[name, shape][0].append(rate)
        kernel[name, shape][1].append(cost)

    with tempfile.TemporaryDirectory(prefix="postern-bench-") as name:
        folder = pathlib.Path(name)
        addresses = make_addresses(10_000 if quick else 100_000, "example.com")
        with Edge(folder, binaries, core=cores()[0]) as edge, NullServer(binaries, core=cores()[0]) as null:
            edge.put_in_force(edge.build(addresses))
            for _ in range(5 if quick else RUNS):
                no_wire.round()
                kernel_round("null", "single", null, SINGLE)
                kernel_round("sockets", "single", edge, SINGLE)
                kernel_round("sockets", "pipelined", edge, PIPELINED)
            for _ in range(5):
                no_wire.hold()
            no_wire.churn(0.7 if quick else CHURN_SECONDS)
            kernel["null", "churn"] = measure_churn(record, binaries, null, quick, "null churn")
            kernel["sockets", "churn"] = measure_churn(record, binaries, edge, quick, "sockets churn")
        with Veth() as wire:
            missing = over_veth(record, binaries, quick, addresses, folder, wire)

    for size in SIZES:
        no_wire.put(f"ns_per_rcpt_single_{size}", "ns/RCPT")
        no_wire.put(f"single_{size}_per_s", "RCPT/s")
    for key, unit in (("ns_per_rcpt_pipelined_100k", "ns/RCPT"), ("pipelined_100k_per_s", "RCPT/s"),
                      ("ns_per_rcpt_single_100k_light", "ns/RCPT"), ("macswap_ns", "ns/frame"), ("macswap_per_s", "frames/s"),
                      ("bytes_per_idle_connection", "octets"), ("connections_held", "connections"), ("path_churn_per_s", "sessions/s"),
                      ("path_churn_cpu_ns", "ns/session")):
        no_wire.put(key, unit)
    for (who, shape), (rates, costs) in kernel.items():
        record.figure(f"{who}_{shape}_per_s", "sessions/s" if shape == "churn" else "RCPT/s", rates)
        record.figure(f"{who}_{shape}_cpu_ns", "ns/session" if shape == "churn" else "ns/RCPT", costs)
    record.ratio("macswap", "macswap_ns", "ns_per_rcpt_single_100k")
    record.ratio("growth_100_to_1m", "ns_per_rcpt_single_1m", "ns_per_rcpt_single_100")
    record.ratio("churn_vs_sockets", "path_churn_per_s", "sockets_churn_per_s")
    record.ratio("churn_vs_sockets_cpu", "sockets_churn_cpu_ns", "path_churn_cpu_ns")
    record.ratio("single_vs_null_server", "single_100_per_s", "null_single_per_s")
    record.ratio("single_vs_sockets", "single_100_per_s", "sockets_single_per_s")
    record.ratio("pipelined_vs_sockets", "pipelined_100k_per_s", "sockets_pipelined_per_s")
    record.content["conditions"] = {
        "no_wire": "one process, rings between two cores, IPv4 with timestamps, checksums in software",
        "recipients": 20_000 if quick else 1_000_000,
        "light_load": LIGHT,
        "churn_seconds": 0.7 if quick else CHURN_SECONDS,
        "time_wait": 262_144,
        "shapes": no_wire.shapes,
        "drivers_missing": missing,
    }
