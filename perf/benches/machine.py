"""What a record says of the machine and of the commit that was measured."""

import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _fields(path):
    """`Name: value` lines of a file under /proc as a dictionary; the first of equal names."""
    fields = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def describe():
    cpu = _fields("/proc/cpuinfo")
    memory = _fields("/proc/meminfo")
    transparent = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "cpu": cpu.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in cpu.get("flags", "").split(),
        "kernel": platform.release(),
        "memory_mib": int(memory["MemTotal"].split()[0]) // 1024,
        "huge_pages": {
            "size_kib": int(memory.get("Hugepagesize", "0").split()[0]),
            "reserved": int(memory.get("HugePages_Total", "0")),
            "transparent": transparent.read_text(encoding="utf-8").strip() if transparent.exists() else "none",
        },
    }


def commit():
    """The commit that is checked out, and whether the tree has changes that are in no commit."""

    def git(*words):
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    identity = git("rev-parse", "HEAD")
    # docs/performance is where the records themselves are kept: a kept record does not make the measured code unclean.
    changes = git("status", "--porcelain", "--", ".", ":!docs/performance")
    return {"id": identity or "unknown", "clean": bool(identity) and not changes}
