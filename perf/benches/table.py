"""The recipient table by itself: building, loading, lookups in batches, an overlay's cost, memory.

Runs table_bench (Google Benchmark), five repetitions each. Addresses are random, of 25 characters, in one domain; every answer is
checked there: a false reject, or more false accepts than the stated bound, is a wrong answer.
"""

import json
import statistics
import subprocess

from .running import Failure

RUNS = 5
SIZES = {10_000: "10k", 1_000_000: "1m", 10_000_000: "10m"}
SHAPES = r"(build|load|overlay_build)/{keys}|lookup(_overlay)?/(negative|half)/{keys}/(1|8|32)"


def key_of(name):
    """The record's keys for one of the benchmarks: [(key, unit, counter or None for the time)]."""
    parts = name.removesuffix("/manual_time").split("/")
    if parts[0] in ("parse", "hash"):
        counter, unit = ("ns_per_hash", "ns/hash") if parts[0] == "hash" else (None, "ns")
        return [(f"{parts[0]}_{parts[1]}_ns", unit, counter)]
    if parts[0].startswith("lookup"):
        # The plain name is the one that other tables are compared by: strangers only, batches of 32.
        kind = parts[0] + ("_half" if parts[1] == "half" else "") + (f"_batch{parts[3]}" if parts[3] != "32" else "")
        return [(f"{kind}_ns_{SIZES[int(parts[2])]}", "ns/lookup", "ns_per_lookup")]
    size = SIZES[int(parts[1])]
    if parts[0] == "build":
        return [(f"build_ns_per_key_{size}", "ns/key", "ns_per_key"), (f"bytes_per_key_{size}", "octets/key", "bytes_per_key")]
    return [(f"{parts[0]}_ms_{size}", "ms", None)]


def runs_of(report):
    """{key: (unit, [values])} of a Google Benchmark report in JSON."""
    to_ms = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
    found = {}
    for one in report["benchmarks"]:
        if one.get("run_type") != "iteration":
            continue
        if one.get("error_occurred"):
            raise Failure(f"{one['name']}: {one.get('error_message')}")
        for key, unit, counter in key_of(one["run_name"]):
            value = one["real_time"] * to_ms[one["time_unit"]] * (1 if unit == "ms" else 1e6) if counter is None else one[counter]
            found.setdefault(key, (unit, []))[1].append(value)
    return found


def run(record, binaries, quick):
    sizes = [10_000] if quick else list(SIZES)
    pattern = "^(parse/.*|hash/.*|" + "|".join(SHAPES.format(keys=keys) for keys in sizes) + ")(/manual_time)?$"
    command = [str(binaries / "table_bench"), f"--max-keys={max(sizes)}", f"--benchmark_filter={pattern}",
               f"--benchmark_repetitions={RUNS}", f"--benchmark_min_time={0.02 if quick else 0.2}", "--benchmark_format=json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    except OSError as error:
        raise Failure(f"cannot start {command[0]}: {error.strerror}; build first (./dev bench does)") from error
    if "checked: " not in done.stderr:  # it says so at its end, whatever it found
        raise Failure(done.stderr.strip() or f"table_bench ended with status {done.returncode}")
    if done.returncode != 0:
        record.wrong(done.stderr.strip()[-500:])
    found = runs_of(json.loads(done.stdout))
    # Which variants there are is the machine's matter; a key must not be.
    variants = [key for key in found if key.startswith("hash_") and key != "hash_plain_ns"]
    best = min([*variants, "hash_plain_ns"], key=lambda key: statistics.median(found[key][1]))
    record.content["conditions"] = {"best_hash": best.removeprefix("hash_").removesuffix("_ns")}
    found["hash_best_ns"] = found[best]
    for key, (unit, runs) in found.items():
        if key not in variants:
            record.figure(key, unit, runs)
    largest = SIZES[max(sizes)]
    record.content["figures"]["bytes_per_key"] = record.content["figures"][f"bytes_per_key_{largest}"]
    for size in (SIZES[keys] for keys in sizes):
        record.ratio(f"overlay_cost_{size}", f"lookup_overlay_ns_{size}", f"lookup_ns_{size}")
