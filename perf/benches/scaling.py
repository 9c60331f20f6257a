"""What a RCPT costs on the packet path by connections, recipients, domains and shards, and the cores that 10 to 100 GbE would need.

No wire: a generator on one core, the shard on the other (postern-path-bench), RCPTs one at a time. One thing grows, the others stay as
they are in BASE; all points take turns, five rounds. Shards: generator and shard in turn on one thread, alone on the machine and then one
such thread on each core at the same time, which share what cores share: memory and the last cache. The cores are arithmetic: frames of
one RCPT in a second at line rate, times what a RCPT costs. docs/scaling.md has the assumptions.
"""

import concurrent.futures
import pathlib

from . import path, plots
from .running import Failure, cores

ROUNDS = 5
BASE = {"connections": 10_000, "recipients": 1_000_000, "domains": 1}
FULL = {
    "connections": [100, 1_000, 10_000, 100_000, 1_000_000],
    "recipients": [10_000, 100_000, 1_000_000, 10_000_000],
    "domains": [1, 100, 10_000, 100_000],
}
MANY_RECIPIENTS = 100_000_000  # built once, and measured in windows: building takes longer than all the rest
MANY_RECIPIENTS_MIB = 4_000
QUICK_BASE = {"connections": 100, "recipients": 2_000, "domains": 1}
QUICK = {"connections": [100, 500], "recipients": [2_000, 5_000], "domains": [1, 100]}
SOURCES = 1024

# What one RCPT of 25 octets takes of a link, in octets: preamble and gap 20, Ethernet 14 and check sum 4, IPv4 20, TCP with time stamps 32,
# and the command. A reply is shorter than that, and goes the other way.
COMMAND = len("RCPT TO:<") + 25 + len(">\r\n")
ON_THE_WIRE = 20 + 14 + 4 + 20 + 32 + COMMAND
PIPELINED = 50
LINKS = {"10gbe": 10e9, "25gbe": 25e9, "100gbe": 100e9}


def label(number):
    for size, unit in ((1_000_000, "m"), (1_000, "k")):
        if number >= size and number % size == 0:
            return f"{number // size}{unit}"
    return str(number)


def points(base, sweeps):
    """Each point's numbers with the keys of the sweeps that it is in."""
    found = {}
    for what, numbers in sweeps.items():
        for number in numbers:
            found.setdefault(tuple({**base, what: number}.items()), []).append(f"{what}_{label(number)}")
    return [(dict(at), keys) for at, keys in found.items()]


class Measuring:
    def __init__(self, record, binaries, seconds):
        self._record, self._binaries, self._seconds = record, binaries, seconds

    def run(self, mode, at, *words, windows=1, patience=300):
        found = path.run(self._binaries, mode, "--sources", SOURCES, *(word for name, number in at.items() for word in (f"--{name}", number)),
                         "--seconds", self._seconds, "--windows", windows, *words, patience=patience)
        for fault in found["faults"]:
            self._record.wrong(f"{mode} with {at}: {fault}")
        if not all(window["rcpts"] for window in found["windows"]):
            raise Failure(f"{mode} with {at}: no RCPT was answered in {self._seconds} s; something else has the cores")
        return found

    def in_step(self, at, rcpts, core):
        """Generator and shard in turn on one thread of this core; ns of the shard for each RCPT."""
        return path.in_step(self._binaries, rcpts, core, *(word for name, number in at.items() for word in (f"--{name}", number)))


def room_for_many():
    for line in pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024 > MANY_RECIPIENTS_MIB
    return False


def run(record, binaries, quick):
    base, sweeps = (QUICK_BASE, QUICK) if quick else (BASE, FULL)
    measuring = Measuring(record, binaries, 0.3 if quick else 1)
    runs = {}
    steps = 20_000 if quick else 1_000_000
    for _ in range(ROUNDS):
        for at, keys in points(base, sweeps):
            cost = path.ns_per_rcpt(measuring.run("single", at))
            for key in keys:
                runs.setdefault(key, []).append(cost)
        runs.setdefault("pipelined", []).append(path.ns_per_rcpt(measuring.run("pipelined", base, "--pipeline", PIPELINED)))
        runs.setdefault("shards_1", []).append(measuring.in_step(base, steps, cores()[0]))
        with concurrent.futures.ThreadPoolExecutor() as both:
            found = list(both.map(lambda core: measuring.in_step(base, steps, core), cores()))
        runs.setdefault("shards_2", []).append(sum(found) / len(found))
    missing = {}
    if not quick:
        if room_for_many():
            found = measuring.run("single", {**base, "recipients": MANY_RECIPIENTS}, windows=ROUNDS, patience=600)
            runs[f"recipients_{label(MANY_RECIPIENTS)}"] = [window["ns_per_rcpt"] for window in found["windows"]]
        else:
            missing[f"recipients_{label(MANY_RECIPIENTS)}"] = f"less than {MANY_RECIPIENTS_MIB} MiB of memory are free"
    for key, numbers in runs.items():
        record.figure(f"ns_per_rcpt_{key}", "ns/RCPT", numbers)
    for what, numbers in sweeps.items():
        record.ratio(f"growth_by_{what}", f"ns_per_rcpt_{what}_{label(numbers[-1])}", f"ns_per_rcpt_{what}_{label(numbers[0])}")
    record.ratio("growth_by_shards", "ns_per_rcpt_shards_2", "ns_per_rcpt_shards_1")
    most = sweeps["connections"][-2]
    for name, bits in LINKS.items():
        single = bits / 8 / ON_THE_WIRE
        pipelined = bits / 8 / ((ON_THE_WIRE - COMMAND) * 2 / PIPELINED + COMMAND)  # two frames for 50 commands
        record.figure(f"rcpts_per_s_{name}", "RCPT/s", [single] * ROUNDS)
        record.figure(f"cores_{name}", "cores", [ns * single / 1e9 for ns in runs[f"connections_{label(most)}"]])
        record.figure(f"pipelined_per_s_{name}", "RCPT/s", [pipelined] * ROUNDS)
        record.figure(f"cores_{name}_pipelined", "cores", [ns * pipelined / 1e9 for ns in runs["pipelined"]])
    record.content["conditions"] = {"base": base, "cores_at": f"connections_{label(most)}", "missing": missing}


def plot(content, file):
    figures = content["figures"]

    def curve(what):
        found = {}
        for key, one in figures.items():
            if key.startswith(f"ns_per_rcpt_{what}_"):
                text = key.rsplit("_", 1)[1]
                found[int(text.rstrip("km")) * {"k": 1_000, "m": 1_000_000}.get(text[-1], 1)] = one["value"]
        return sorted(found.items())

    file.write_text(plots.curves("Postern's packet path, no wire: ns for a RCPT",
                                 [(f"by {what}", curve(what)) for what in ("connections", "recipients", "domains")]), encoding="utf-8")
