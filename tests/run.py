#!/usr/bin/python3
"""./dev test: builds every variant, runs every test and checker, and ends with `N passed, N failed, N skipped`.

Stages are run in order and go on after a failure, so that one run shows all that is wrong. `--all` gives every test its full size
(hours; unit tests are told by POSTERN_FULL=1, whole-process tests by --full, fuzz targets get two minutes each, and the tests' own sources
are tidied, too) and keeps the summary in docs/evidence/. `--only STAGE[,STAGE]` runs some stages.
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import tidy

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
CORES = os.cpu_count() or 2
SOURCES = ["*.cc", "*.h"]
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Tally:
    """What passed, failed and was skipped (with its reason), by stage."""

    def __init__(self):
        self.stages = {}
        self.failures = []
        self.skips = []
        self.facts = []

    def counts(self, stage):
        return self.stages.setdefault(stage, {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0, "build_seconds": 0.0})

    def add(self, stage, name, ok, why=""):
        counts = self.counts(stage)
        counts["passed" if ok else "failed"] += 1
        if not ok:
            self.failures.append(f"{stage}: {name}{': ' + why if why else ''}")

    def skip(self, stage, name, why):
        self.counts(stage)["skipped"] += 1
        self.skips.append(f"{stage}: {name}: {why}")

    def total(self, what):
        return sum(counts[what] for counts in self.stages.values())


def run(command, **options):
    """Runs a command with its output shown; true if it ended well."""
    print("+", " ".join(str(word) for word in command), flush=True)
    return subprocess.run([str(word) for word in command], cwd=ROOT, check=False, **options).returncode == 0


def build(tally, stage, preset, *targets):
    """Configures if need be and builds; false if that failed. Its time is told apart in the summary."""
    began = time.monotonic()
    folder = ROOT / "build" / preset
    ok = (folder / "build.ninja").exists() or run(["cmake", "--preset", preset])
    ok = ok and run(["cmake", "--build", folder, "--target", *targets] if targets else ["cmake", "--build", folder])
    tally.counts(stage)["build_seconds"] += time.monotonic() - began
    return ok


def read_junit(tally, stage, report, name):
    """Adds the cases of a JUnit report (GoogleTest and pytest both write one)."""
    try:
        tree = ElementTree.parse(report)
    except (OSError, ElementTree.ParseError) as error:
        tally.add(stage, name, False, f"no readable report: {error}")
        return
    for case in tree.iter("testcase"):
        title = f"{case.get('classname')}.{case.get('name')}"
        tally.facts += [f"{title}: {each.get('value')}" for each in case.iter("property") if each.get("name") == "facts"]
        skipped = case.find("skipped")
        broken = case.find("failure") if case.find("failure") is not None else case.find("error")
        if broken is not None:
            tally.add(stage, title, False, (broken.get("message") or "").splitlines()[0][:200] if broken.get("message") else "")
        elif skipped is not None:
            tally.skip(stage, title, skipped.get("message") or "no reason given")
        elif case.get("status") != "notrun":
            tally.add(stage, title, True)


def stage_format(tally, _):
    listed = subprocess.run(["git", "ls-files", *SOURCES], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    ok = run(["clang-format-16", "--dry-run", "--Werror", *listed])
    tally.add("format", "clang-format", ok)


def google_tests(tally, stage, preset, options, at_once):
    """Every GoogleTest program of a build, `at_once` at a time; the output of one that went well is not shown."""
    programs = sorted((ROOT / "build" / preset / "bin" / "tests").glob("test_*"))
    environment = dict(os.environ, **SANITIZER_OPTIONS)
    if options.all:
        environment["POSTERN_FULL"] = "1"

    def one(program):
        report = REPORTS / preset / f"{program.name}.xml"
        report.unlink(missing_ok=True)
        began = time.monotonic()
        try:
            done = subprocess.run([program, f"--gtest_output=xml:{report}", "--gtest_brief=1"], cwd=ROOT, env=environment, check=False,
                                  timeout=7200 if options.all else 900, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            why, output = f"ended with status {done.returncode} (sanitizer, crash or failed test)" if done.returncode else "", done.stdout
        except subprocess.TimeoutExpired as error:
            why, output = f"did not end within {error.timeout:.0f} s", error.output or b""
        return program.name, report, why, output, time.monotonic() - began

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for number, (name, report, why, output, seconds) in enumerate(pool.map(one, programs), 1):
            print(f"[{number}/{len(programs)}] {name} {seconds:.0f} s{': ' + why if why else ''}", flush=True)
            read_junit(tally, stage, report, name)
            if why:
                print(output.decode(errors="replace"), flush=True)
                tally.add(stage, name, False, why)


def stage_unit(tally, options):
    if not build(tally, "unit", "asan"):
        tally.add("unit", "build asan", False)
        return
    google_tests(tally, "unit", "asan", options, CORES)


def stage_threads(tally, options):
    if not build(tally, "threads", "tsan", "unit_tests", "postern-edge", "postern-load", "postern-null-server", "postern-bench-lists"):
        tally.add("threads", "build tsan", False)
        return
    # Each has threads of its own: one at a time.
    google_tests(tally, "threads", "tsan", options, 1)


def stage_fuzz(tally, options):
    seconds = options.fuzz_seconds or (120 if options.all else 5)
    targets = sorted((ROOT / "build" / "asan" / "bin" / "fuzz").glob("fuzz_*"))
    if not targets:
        tally.add("fuzz", "build asan", False, "there are no fuzz targets; the stage unit builds them")

    def one(target):
        name = target.name.removeprefix("fuzz_")
        done = subprocess.run(["tests/fuzz/run.sh", target.parent, name, str(seconds)], cwd=ROOT, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        return name, done

    # A target is one process with one thread.
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for name, done in pool.map(one, targets):
            print(done.stdout, end="", flush=True)
            tally.add("fuzz", name, done.returncode == 0)


def process_tests(tally, stage, preset, options, *more):
    report = REPORTS / f"{stage}.xml"
    report.unlink(missing_ok=True)
    environment = dict(os.environ, **SANITIZER_OPTIONS)
    environment["POSTERN_BIN"] = str(ROOT / "build" / preset / "bin")
    environment["POSTERN_BUILD"] = preset
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "--durations=8", *more]
    if options.all:
        command.append("--full")
    run(command, env=environment)
    read_junit(tally, stage, report, stage)


def stage_process(tally, options):
    process_tests(tally, "process", "asan", options, "tests", "-m", "not release and not threads")


def stage_release(tally, options):
    if not build(tally, "release", "bench"):
        tally.add("release", "build release", False)
        return
    process_tests(tally, "release", "bench", options, "tests", "-m", "release")


def stage_thread_process(tally, options):
    process_tests(tally, "thread_process", "tsan", options, "tests", "-m", "threads")


def stage_tidy(tally, options):
    if not run(["cmake", "--preset", "tidy"], stdout=subprocess.DEVNULL):
        tally.add("tidy", "configure", False)
        return

    def wanted(path):
        folder = path.relative_to(ROOT).parts[0]
        # The tests' own sources are many: they are looked at in the full size.
        return folder != "build" and (options.all or folder != "tests")

    said = tidy.tidy(ROOT / "build" / "tidy", wanted, CORES, lambda line: print(line, flush=True))
    (REPORTS / "tidy.txt").write_text(said)
    tally.add("tidy", "clang-tidy", not said, "see build/reports/tidy.txt")
    if said:
        print("\n".join(line for line in said.splitlines() if "error:" in line or "warning:" in line or "ended with status" in line))


def stage_headers(tally, _):
    # Configured anew: which headers a source proves by including them first may have changed.
    ok = run(["cmake", "--preset", "asan"], stdout=subprocess.DEVNULL) and build(tally, "headers", "asan", "self_contained_headers")
    tally.add("headers", "every header compiles alone", ok)


STAGES = {
    "format": stage_format,
    "unit": stage_unit,
    "headers": stage_headers,
    "fuzz": stage_fuzz,
    "process": stage_process,
    "release": stage_release,
    "threads": stage_threads,
    "thread_process": stage_thread_process,
    "tidy": stage_tidy,
}


def summary(tally, seconds, options):
    """The outcome of a run. What failed stands last but for the size: of a long output, the end is read."""
    lines = [f"measured {fact}" for fact in tally.facts]
    lines += [f"skipped {skip}" for skip in tally.skips]
    for stage, counts in tally.stages.items():
        built = f" ({counts['build_seconds']:.0f} s of it built)" if counts["build_seconds"] >= 1 else ""
        lines.append(f"{stage:16} {counts['passed']:6} passed {counts['failed']:4} failed {counts['skipped']:4} skipped "
                     f"{counts['seconds']:7.0f} s{built}")
    lines += [f"FAILED  {failure}" for failure in tally.failures]
    lines.append(f"size: {'full' if options.all else 'small'}; {seconds / 60:.1f} minutes on {CORES} cores")
    return "\n".join(lines)


def keep_evidence(text):
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    folder = ROOT / "docs" / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    head = f"./dev test --all, commit {commit.stdout.strip()}, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC\n\n"
    (folder / "test-all.txt").write_text(head + text + "\n")


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every test in the full size that its requirement names (hours)")
    parser.add_argument("--only", help="comma-separated stages: " + ", ".join(STAGES))
    parser.add_argument("--fuzz-seconds", type=int, default=0, help="seconds for each fuzz target")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else list(STAGES)
    for stage in wanted:
        if stage not in STAGES:
            parser.error(f"there is no stage '{stage}'; there are: {', '.join(STAGES)}")
    for folder in ("asan", "tsan", "bench"):
        (REPORTS / folder).mkdir(parents=True, exist_ok=True)
    tally = Tally()
    began = time.monotonic()
    for number, stage in enumerate(wanted, 1):
        print(f"\n==> {stage}, stage {number} of {len(wanted)}, after {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
        start = time.monotonic()
        try:
            STAGES[stage](tally, options)
        except (OSError, subprocess.SubprocessError) as error:
            tally.add(stage, "stage", False, str(error))
        if stage in tally.stages:
            tally.stages[stage]["seconds"] = time.monotonic() - start
    text = summary(tally, time.monotonic() - began, options)
    closing = f"{tally.total('passed')} passed, {tally.total('failed')} failed, {tally.total('skipped')} skipped"
    (REPORTS / "summary.json").write_text(json.dumps({"stages": tally.stages, "failures": tally.failures, "skips": tally.skips, "facts": tally.facts}, indent=1))
    if options.all and not options.only:
        keep_evidence(text + "\n" + closing)
    print("\n" + text)
    print(closing, flush=True)
    sys.exit(1 if tally.total("failed") or not tally.total("passed") else 0)


if __name__ == "__main__":
    main()
