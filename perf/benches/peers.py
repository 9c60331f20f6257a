"""postern-edge over kernel sockets against Postfix, Exim, OpenSMTPD, Haraka and a server that does nothing, on the same cores in one run.

Each peer is set up in its fastest fitting way for the same list (perf/peers has each configuration and its reasons). The servers take
turns: rejects one at a time, in segments of 50, and sessions of one recipient, with 100,000 recipients; one at a time once more with
1,000,000; then what an idle connection holds, how long one added address takes until it is in force, and the same for the whole list under load.
"""

import contextlib
import os
import resource
import shutil
import sys
import time

from peers import haraka
from peers.changes import measure_added, measure_idle, measure_reload, wait_accepted
from peers.exim import Exim
from peers.opensmtpd import OpenSMTPD
from peers.ours import Null, Postern
from peers.postfix import Postfix
from peers.rates import UNITS, measure_churn, measure_shape

from . import machine, plots
from .edge import make_addresses
from .running import cores

# Three minutes of churn, in seven windows, for those whose ratio is a target; a shorter one for the rest, whose TIME_WAIT is small.
CHURN_LONG, CHURN_SHORT = 26, 6
LONG = ("null", "edge", "postfix")


def tell(words):
    """Where a run of many minutes is."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def run(record, binaries, quick):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    kept = machine.ROOT / "build" / "bench" / "peers"
    folder = kept / f"run-{os.getpid()}"
    folder.mkdir(parents=True)
    seconds, warm, recipients, many, idle = (0, 0, 2_000, 5_000, (5, 5)) if quick else (2.5, 1, 100_000, 1_000_000, (200, 700))
    record.content["conditions"] = {"recipients": recipients, "recipients_1m": many, "seconds_a_run": seconds, "idle_step": idle,
                                    "churn_window_s": seconds if quick else {"long": CHURN_LONG, "short": CHURN_SHORT},
                                    "idle_kib_in_all": {}, "others_share": {}, "faults_of_peers": []}
    core, load_core = cores()
    addresses = make_addresses(recipients, "example.com")
    kinds = [Postfix, Exim, OpenSMTPD]
    if not quick or haraka.installed(kept / "npm"):  # the quick size downloads nothing from npm
        kinds.append(haraka.Haraka)
    try:
        tell("installing and starting")
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(Postern(folder, binaries, core, load_core, addresses))
            null = stack.enter_context(Null(binaries, core=core))
            listing = [ours] + [stack.enter_context(kind(folder, kept, core, addresses)) for kind in kinds]
            servers = [null, *listing]
            for shape in ("single", "single_few", "pipelined"):
                tell(shape)
                measure_shape(record, binaries, servers, shape, seconds, warm=warm)
            tell("churn")
            measure_churn(record, binaries, servers, lambda server: seconds if quick else CHURN_LONG if server.name in LONG else CHURN_SHORT)
            addresses = make_addresses(many, "example.com")
            tell(f"a list of {many:,}")
            for server in listing:
                server.write(addresses)
                since = time.monotonic()
                server.load()
                wait_accepted(server, addresses[-1], since)
            measure_shape(record, binaries, listing, "single", seconds, "single_1m", warm)
            tell("one address added")
            measure_added(record, listing)
            tell("the whole list under load")
            measure_reload(record, binaries, listing, addresses, folder)
        # What an idle connection holds shows only in servers that have not held more of them before; little of it only in many of them.
        tell("idle connections")
        few = addresses[:1000]
        for make in (lambda: Null(binaries, core=core), lambda: Postern(folder / "fresh", binaries, core, load_core, few),
                     *(lambda kind=kind: kind(folder / "fresh", kept, core, few) for kind in kinds)):
            with make() as server:
                measure_idle(record, server, idle[server.name in ("null", "edge")])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


SERVERS = ("null", "edge", "postfix", "exim", "opensmtpd", "haraka")
ROWS = (*((f"{shape}_{key}", f"{shape} {words}", scale) for shape in (*UNITS, "single_1m")
          for key, words, scale in (("per_s", "a second", 1), ("cpu_ns", "CPU us each", 1000), ("p50_us", "p50 us", 1), ("p99_us", "p99 us", 1),
                                    ("p999_us", "p99.9 us", 1))),
        ("idle_kib", "idle connection KiB", 1), ("added_ms", "one added, in force ms", 1), ("reload_s", "whole list, in force s", 1),
        ("reload_wrong", "wrong meanwhile", 1))


def values_of(content, ending):
    """The median of a figure of each server that has it, by its name."""
    found = {who: content["figures"].get(f"{who}_{ending}") for who in SERVERS}
    return {who: one["value"] for who, one in found.items() if one is not None}


def summary(content):
    """The servers side by side, and how loaded the machine was by others."""
    lines = [f"{'':24}" + "".join(f"{who:>13}" for who in SERVERS)]
    for ending, words, scale in ROWS:
        values = values_of(content, ending)
        cells = (f"{values[who] / scale:,.0f}" if values.get(who, 0) >= 100 * scale else f"{values[who] / scale:.3g}" if who in values else "-"
                 for who in SERVERS)
        lines.append(f"{words:24}" + "".join(f"{cell:>13}" for cell in cells))
    most = max(one["most"] for one in content["conditions"]["others_share"].values())
    lines.append(f"other programs and guests had at most {most:.1%} of the processor time in a run")
    lines += [f"fault of a peer: {words}" for words in content["conditions"]["faults_of_peers"]]
    return "\n".join(lines)


def plot(content, path):
    """One SVG of bars: for each shape the rates and what a request costs; then what changes of the list take."""
    panels = [(f"{shape}: {unit}", values_of(content, f"{shape}_per_s")) for shape, unit in UNITS.items()]
    panels += [(f"{shape}: ns of processor time each, less is better", values_of(content, f"{shape}_cpu_ns")) for shape in ("single", "churn")]
    panels += [("99 % answered within: us, one at a time, less is better", values_of(content, "single_p99_us")),
               ("one address added to 1,000,000, in force: ms, less is better", values_of(content, "added_ms")),
               ("1,000,000 addresses replaced under load, in force: ms, less is better",
                {who: value * 1000 for who, value in values_of(content, "reload_s").items()})]
    path.write_text(plots.bars("Rejected recipients, one core each", [(words, values) for words, values in panels if values]), encoding="utf-8")
