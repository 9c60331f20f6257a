"""Programs that a benchmark runs: servers on one core, the load on another, their processor time, and what the load found."""

import json
import os
import pathlib
import subprocess
import tempfile
import time


class Failure(Exception):
    """The benchmark can't go on: words for people."""


def cores():
    """(core of the servers, core of the load): the same on a machine with one."""
    have = sorted(os.sched_getaffinity(0))
    return have[0], have[-1]


def cpu_seconds(pid):
    """User and system time of all threads of a process, to the nanosecond: of ticks, a short run of a quick server can have none."""
    return time.clock_gettime((~pid << 3) | 2)  # the id that clock_getcpuclockid(3) gives


def memory_kib(pid):
    """Resident memory of a process."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise Failure(f"process {pid} has ended")


def start(command, core=None, **options):
    """Starts a program, on one core if told."""
    pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
    try:
        return subprocess.Popen([str(word) for word in command], preexec_fn=pin, **options)
    except OSError as error:
        raise Failure(f"cannot start {command[0]}: {error.strerror}; build first (./dev bench does)") from error


def stop(process, seconds=15):
    """Ends a program that we started: asks first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class NullServer:
    """postern-null-server at a port of the kernel's choice. `listed`: what accepted local parts begin with; `lie`: every N-th answer is
    the wrong one. `inside`: a prefix for the command, `address` where it listens."""

    def __init__(self, binaries, listed=None, lie=0, core=None, inside=(), address=None):
        command = [*inside, binaries / "postern-null-server"]
        command += ["--address", address] if address is not None else []
        command += ["--listed", listed] if listed is not None else []
        command += ["--lie", lie] if lie else []
        self.process = start(command, core, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            stop(self.process)
            raise Failure("postern-null-server did not start")
        self.target = first.split()[2]
        self.port = int(self.target.rsplit(":", 1)[1])

    def stop(self):
        stop(self.process)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Load:
    """A running postern-load, ended with the `with`. `report()` waits for its end: the JSON report with `status`, the exit status."""

    def __init__(self, binaries, target, *words, core=None, inside=()):
        self._folder = tempfile.TemporaryDirectory(prefix="postern-load-")
        self._report = pathlib.Path(self._folder.name) / "report.json"
        self.process = start([*inside, binaries / "postern-load", "--target", target, "--quiet", "--json", self._report, *words], core,
                             stderr=subprocess.PIPE, text=True)

    def running(self):
        return self.process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stderr.close()
        self._folder.cleanup()

    def report(self, patience=None):
        try:
            _, errors = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise Failure("postern-load did not end in time") from None
        if self.process.returncode not in (0, 1):
            raise Failure(errors.strip() or f"postern-load ended with status {self.process.returncode}")
        found = json.loads(self._report.read_text(encoding="utf-8"))
        found["status"] = self.process.returncode
        return found


def load(binaries, target, *words, core=None, patience=None, inside=()):
    """postern-load from its start to its report."""
    with Load(binaries, target, *words, core=core, inside=inside) as running:
        return running.report(patience)


def faults(found):
    """What a load report has to complain of, as one sentence; empty if all was answered rightly."""
    counts = {name: found[name] for name in ("wrong", "dropped", "timeouts", "connect_errors", "handshake_errors") if found[name]}
    if not counts:
        return ""
    return ", ".join(f"{name} {count}" for name, count in counts.items()) + ": " + "; ".join(found["examples"])
