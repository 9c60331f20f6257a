"""The recipient table by itself: building, loading, lookups in batches, an overlay's cost, memory; the machine's floor, packaged tables.

table_bench (Google Benchmark) runs what the edge asks, from the parsed address to the verdict, five repetitions each. postern-table-compare
asks the table alone, from a text to its payload, in turns with the machine's floor and with packaged tables. Addresses are random, of 25
characters, in one domain; every answer is checked: a false reject, or more false accepts than the stated bound, is a wrong answer.
"""

import json
import statistics
import subprocess

from .running import Failure

RUNS = 5
SIZES = {10_000: "10k", 1_000_000: "1m", 10_000_000: "10m"}
SHAPES = r"(build|build_2_threads|load|overlay_build)/{keys}|lookup(_overlay)?/(negative|half)/{keys}/(1|8|32)"


def key_of(name):
    """The record's keys for one of the benchmarks: [(key, unit, counter or None for the time)]."""
    parts = name.removesuffix("/manual_time").split("/")
    if parts[0] in ("parse", "hash"):
        counter, unit = ("ns_per_hash", "ns/hash") if parts[0] == "hash" else (None, "ns")
        return [(f"{parts[0]}_{parts[1]}_ns", unit, counter)]
    if parts[0].startswith("lookup"):
        # The plain name: strangers only, batches of 32.
        kind = parts[0].replace("lookup", "verdict") + ("_half" if parts[1] == "half" else "") + (f"_batch{parts[3]}" if parts[3] != "32" else "")
        return [(f"{kind}_ns_{SIZES[int(parts[2])]}", "ns/lookup", "ns_per_lookup")]
    size = SIZES[int(parts[1])]
    if parts[0] == "build":
        return [(f"build_ns_per_key_{size}", "ns/key", "ns_per_key"), (f"bytes_per_key_{size}", "octets/key", "bytes_per_key"),
                (f"build_ms_{size}", "ms", None)]
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


def run_verdicts(record, binaries, quick):
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
        record.ratio(f"overlay_cost_{size}", f"verdict_overlay_ns_{size}", f"verdict_ns_{size}")


FLOORS = ("floor_16", "floor_24", "floor_32")
RIVALS = ("rte_hash", "flat_hash_map", "cdb", "lmdb", "bbhash", "cmph")


def name_of(keys):
    return f"{keys // 1_000_000}m" if keys >= 1_000_000 else f"{keys // 1_000}k"


def compare(record, binaries, keys, subjects, *words, quick=False):
    """postern-table-compare's subjects, after their answers were judged."""
    command = [str(binaries / "postern-table-compare"), "--keys", str(keys), "--subjects", ",".join(subjects), *map(str, words),
               "--rounds", "5" if quick else "15", "--seconds", "0.01" if quick else "0.1"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    except OSError as error:
        raise Failure(f"cannot start {command[0]}: {error.strerror}; build first (./dev bench does)") from error
    if done.returncode not in (0, 1):
        raise Failure(done.stderr.strip()[-500:] or f"postern-table-compare ended with status {done.returncode}")
    report = json.loads(done.stdout)
    for fault in report["wrong"]:
        record.wrong(f"{keys} keys, {' '.join(map(str, words))}: {fault}")
    return report["subjects"]


def record_size(record, keys, found):
    """Figures of one comparison, ratios of all in it to ours: run by run, as they took turns."""
    size = name_of(keys)
    for name, one in found.items():
        ours = name == "ours"
        if name not in FLOORS:
            kind = "lookup" if ours else "floor_l2" if name == "floor_far_32" else name
            record.figure(f"{kind}_ns_{size}" if ours or kind == "floor_l2" else f"{kind}_negative_ns_{size}", "ns/lookup", one["negative"])
            if name != "floor_far_32":
                record.figure(f"{kind}_half_ns_{size}", "ns/lookup", one["half"])
    best = min(FLOORS, key=lambda name: statistics.median(found[name]["negative"]))
    record.figure(f"floor_ns_{size}", "ns/line", found[best]["negative"])
    record.ratio(f"floor_{size}", f"lookup_ns_{size}", f"floor_ns_{size}")
    record.ratio(f"floor_l2_{size}", f"lookup_ns_{size}", f"floor_l2_ns_{size}")
    for name in RIVALS:
        if name in found:
            both = name == "rte_hash"
            record.ratio(f"{name}_negative_{size}" if both else f"{name}_{size}", f"{name}_negative_ns_{size}", f"lookup_ns_{size}")
            record.ratio(f"{name}_half_{size}", f"{name}_half_ns_{size}", f"lookup_half_ns_{size}")
    record.content["conditions"].setdefault("octets_per_key", {})[size] = {
        name: round(one["octets"] / keys, 2) for name, one in found.items() if name == "ours" or name in RIVALS}
    record.content["conditions"].setdefault("checked", {})[size] = {
        "strangers": found["ours"]["strangers"], "false_accepts": found["ours"]["false_accepts"]}


def run_comparison(record, binaries, quick):
    always = ("ours", *FLOORS, "floor_far_32")
    comparisons = {10_000: always + RIVALS} if quick else {
        10_000: always, 100_000: always, 1_000_000: always, 10_000_000: always + RIVALS, 50_000_000: (*always, "flat_hash_map"),
        100_000_000: always}
    for keys, subjects in comparisons.items():
        record_size(record, keys, compare(record, binaries, keys, subjects, quick=quick))
    middle, large = (10_000, 10_000) if quick else (10_000_000, 50_000_000)
    for batch in (1, 2, 4, 8, 16, 64):
        found = compare(record, binaries, middle, ("ours",), "--batch", batch, quick=quick)
        record.figure(f"lookup_batch{batch}_ns_{name_of(middle)}", "ns/lookup", found["ours"]["negative"])
    found = compare(record, binaries, large, ("ours",), "--normal-pages", quick=quick)
    record.figure(f"lookup_normal_pages_ns_{name_of(large)}", "ns/lookup", found["ours"]["negative"])


def run(record, binaries, quick):
    run_verdicts(record, binaries, quick)
    run_comparison(record, binaries, quick)
