"""A benchmark's record: figures and ratios with their raw runs, its file, and how it changed against an earlier one.

    {"benchmark": NAME, "size": "full" | "quick", "when": TIME, "machine": {…}, "commit": {"id", "clean"},
     "figures": {KEY: {"value", "unit", "runs"}}, "ratios": {KEY: {"value", "of", "to", "runs"}}, "wrong": [TEXT]}

`runs` are the raw values in the order they were measured, `value` is their median. A ratio divides the figure `of` by the figure `to`,
run by run, of one interleaved measurement.
"""

import datetime
import json
import math
import statistics

LEAST_RUNS = 5


class Record:
    def __init__(self, name, quick, machine, commit):
        self.content = {
            "benchmark": name,
            "size": "quick" if quick else "full",
            "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": machine,
            "commit": commit,
            "figures": {},
            "ratios": {},
            "wrong": [],
        }

    def figure(self, key, unit, runs):
        self.content["figures"][key] = {"value": statistics.median(runs), "unit": unit, "runs": list(runs)}

    def ratio(self, key, of, to):
        """Divides two figures, run by run."""
        above, below = self.content["figures"][of]["runs"], self.content["figures"][to]["runs"]
        if len(above) != len(below):
            raise ValueError(f"ratio {key}: {of} has {len(above)} runs and {to} has {len(below)}")
        runs = [a / b for a, b in zip(above, below)]
        self.content["ratios"][key] = {"value": statistics.median(runs), "of": of, "to": to, "runs": runs}

    def wrong(self, words):
        """A wrong answer that the measured program gave: the record is kept, but the benchmark has failed."""
        self.content["wrong"].append(words)


def check_form(content):
    """What is wrong with a record's form, as sentences; nothing if it is right."""
    faults = []
    for part in ("benchmark", "machine", "commit", "figures", "ratios"):
        if part not in content:
            faults.append(f"'{part}' is missing")
    for part in ("cpu", "cores", "kernel", "huge_pages"):
        if part not in content.get("machine", {}):
            faults.append(f"machine: '{part}' is missing")
    for part in ("id", "clean"):
        if part not in content.get("commit", {}):
            faults.append(f"commit: '{part}' is missing")
    for kind, members in (("figures", ("value", "unit", "runs")), ("ratios", ("value", "of", "to", "runs"))):
        for key, one in content.get(kind, {}).items():
            missing = [member for member in members if member not in one]
            if missing:
                faults.append(f"{kind}.{key}: {', '.join(missing)} missing")
                continue
            runs = one["runs"]
            if len(runs) < LEAST_RUNS:
                faults.append(f"{kind}.{key}: {len(runs)} runs, at least {LEAST_RUNS} are needed")
            elif not all(isinstance(run, (int, float)) and math.isfinite(run) for run in runs):
                faults.append(f"{kind}.{key}: a run is not a number")
            elif not math.isclose(one["value"], statistics.median(runs), rel_tol=1e-9, abs_tol=1e-12):
                faults.append(f"{kind}.{key}: the value is not the median of the runs")
            for figure in (one["of"], one["to"]) if kind == "ratios" else ():
                if figure not in content.get("figures", {}):
                    faults.append(f"ratios.{key}: there is no figure '{figure}'")
    return faults


def write(content, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".json.new")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def compare(kept, fresh):
    """(lines that tell each change, keys that the kept record has and the fresh one lacks)."""
    lines, missing = [], []
    for kind in ("figures", "ratios"):
        for key in sorted(kept[kind].keys() | fresh[kind].keys()):
            if key not in fresh[kind]:
                missing.append(f"{kind}.{key}")
                continue
            now = fresh[kind][key]["value"]
            if key not in kept[kind]:
                lines.append(f"{key:34} new: {show(now)}")
                continue
            before = kept[kind][key]["value"]
            change = f"{(now - before) / before:+.1%}" if before else "" if now == before else "from zero"
            lines.append(f"{key:34} {show(before):>14} -> {show(now):>14}  {change}")
    return lines, missing


def show(value):
    """A number for people: three digits after the point below 100, none above."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}" if abs(value) < 1 else f"{value:,.2f}"


def table(content):
    """The record as a table for people."""
    lines = []
    for key, one in content["figures"].items():
        low, high = min(one["runs"]), max(one["runs"])
        lines.append(f"{key:34} {show(one['value']):>14} {one['unit']:14} {show(low)} to {show(high)} in {len(one['runs'])} runs")
    for key, one in content["ratios"].items():
        low, high = min(one["runs"]), max(one["runs"])
        lines.append(f"{key:34} {one['value']:>14.3f} {'ratio':14} {one['of']} / {one['to']}, {low:.3f} to {high:.3f}")
    return "\n".join(lines)
