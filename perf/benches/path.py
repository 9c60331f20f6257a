"""Runs of postern-path-bench: a generator on one core, the packet path or its yardstick on the other, no wire."""

import json
import subprocess

from .running import Failure, cores, start


def run(binaries, mode, *words, patience=300):
    """One run; what it says, with its wrong answers as a list of sentences."""
    command = [binaries / "postern-path-bench", mode, "--cores", ",".join(str(core) for core in cores()), *words]
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=patience, check=False)
    except OSError as error:
        raise Failure(f"cannot start {command[0]}: {error.strerror}; build first (./dev bench does)") from error
    except subprocess.TimeoutExpired:
        raise Failure(f"postern-path-bench {mode} did not end in {patience} s") from None
    if done.returncode != 0:
        raise Failure(done.stderr.strip()[-500:] or f"postern-path-bench ended with status {done.returncode}")
    found = json.loads(done.stdout)
    wrong = []
    for what in ("wrong", "bad_checksums", "lost"):
        if found[what]:
            wrong.append(f"{what} {found[what]:.0f} {found['example']}".strip())
    if found.get("fault"):
        wrong.append(found["fault"])
    if not found.get("consistent", 1):
        wrong.append("what the endpoint keeps contradicts itself")
    found["faults"] = wrong
    return found


def in_step(binaries, rcpts, core, *words):
    """Generator and shard in turn on one thread of a core: ns of the shard for each RCPT."""
    command = [str(word) for word in (binaries / "postern-path-bench", "single", "--in-step", rcpts, *words)]
    running = start(command, core, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, errors = running.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        running.kill()
        running.communicate()
        raise Failure("postern-path-bench in step did not end in 300 s") from None
    if running.returncode != 0 or json.loads(out)["wrong"]:
        raise Failure(f"postern-path-bench in step: {errors.strip()[-500:] or out[-500:]}")
    return json.loads(out)["ns_per_rcpt"]


def value(found, key):
    """Of all windows of a run together."""
    weight = sum(window["seconds"] for window in found["windows"])
    return sum(window[key] * window["seconds"] for window in found["windows"]) / weight


def ns_per_rcpt(found):
    """Cycles of turns that found frames, over RCPTs, of all windows."""
    rcpts = sum(window["rcpts"] for window in found["windows"])
    return sum(window["ns_per_rcpt"] * window["rcpts"] for window in found["windows"]) / max(rcpts, 1)
