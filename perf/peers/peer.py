"""What all peers have in common: a private folder and namespace, one core, a list of addresses, a port on loopback, an end by their own id.

A peer has `name`, `target` (HOST:PORT), `pid`, `write(addresses)` (the list as its own text), `load()` (its own tool makes of that what it reads,
and puts it in force) and `add(address)` (one more). They return when the tool is done; whether the list is in force by then, a probe says.
"""

import contextlib
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

from benches.running import Failure, start, stop

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def tree_of(root, stats):
    """The process and all its descendants: `stats` has (parent, …) by process id."""
    children = {}
    for pid, (parent, *_) in stats.items():
        children.setdefault(parent, []).append(pid)
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, ())
    return found


def parse_stat(text):
    """(parent's id, clock ticks of user and system, those of children that ended and were waited for) of /proc/PID/stat (proc(5))."""
    fields = text.rsplit(")", 1)[1].split()
    return int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def read_stats():
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stats[int(entry)] = parse_stat(pathlib.Path(f"/proc/{entry}/stat").read_text(encoding="ascii", errors="replace"))
            except OSError:
                continue  # it has ended meanwhile
    return stats


def tree_cpu_seconds(root):
    """Processor time of a process and its descendants, those that ended included, as far as a living one has waited for them."""
    stats = read_stats()
    return sum(sum(stats[pid][1:]) for pid in tree_of(root, stats) if pid in stats) / TICKS


def others_cpu_seconds():
    """Processor time of all processes of this machine but this one and its descendants."""
    stats = read_stats()
    own = set(tree_of(os.getpid(), stats))
    return sum(sum(stats[pid][1:]) for pid in stats if pid not in own) / TICKS


def stolen_seconds():
    """Processor time that the host gave to others while this machine had work (proc(5), /proc/stat)."""
    return int(pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[8]) / TICKS


def tree_memory_kib(root):
    """Memory of a process and its descendants: what several share is split among them (Pss of /proc/PID/smaps_rollup)."""
    total = 0
    for pid in tree_of(root, read_stats()):
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total


def unpack(package, into):
    """A Debian package that can't be installed beside Postfix, unpacked and never configured: nothing of the host's is touched."""
    root = into / "root"
    marker = into / f"{package}.unpacked"
    if marker.exists():
        return root
    into.mkdir(parents=True, exist_ok=True)
    script = f"{{ apt-get -q download {package} || {{ apt-get -q update && apt-get -q download {package}; }}; }} && dpkg -x {package}_*.deb root"
    done = subprocess.run(["sh", "-c", script], cwd=into, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"cannot get the package {package}: {done.stderr.strip()[-300:]}")
    marker.touch()
    return root


class Namespace:
    """A mount namespace in which a peer sees its own users and resolver and no system log. `mounts`: (what, where) to bind besides."""

    def __init__(self, folder, users=(), mounts=()):
        if os.geteuid() != 0:
            raise Failure("peers run in mount namespaces of their own and give up root's rights: run as root")
        lines = ["mount --make-rprivate /"]
        passwd, group = folder / "passwd", folder / "group"
        texts = {"passwd": pathlib.Path("/etc/passwd").read_text(encoding="utf-8"), "group": pathlib.Path("/etc/group").read_text(encoding="utf-8")}
        taken = {entry.pw_uid for entry in pwd.getpwall()}
        self.ids = {}
        for user in users:
            number = next(one for one in range(60000, 61000) if one not in taken)
            taken.add(number)
            self.ids[user] = number
            texts["passwd"] += f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
            texts["group"] += f"{user}:x:{number}:\n"
        for path in (passwd, group):
            path.write_text(texts[path.name], encoding="utf-8")
            lines.append(f"mount --bind '{path}' /etc/{path.name}")
        if pathlib.Path("/dev/log").exists():
            lines.append("mount --bind /dev/null /dev/log")  # no peer waits for the host's log
        lines += [f"mount --bind '{what}' '{where}'" for what, where in mounts]
        self._script = " && ".join([*lines, 'exec "$@"'])

    def command(self, *words):
        return ["unshare", "-m", "sh", "-c", self._script, "sh", *words]


class Peer:
    """Base of all: `start_command()` is what stays in the foreground."""

    name = ""
    churn_connections = 64  # open at a time where each has one recipient
    pipelining = True  # it offers it
    stranger_replies = "550"  # what a reject may begin with
    pid = None  # until it runs

    def __init__(self, folder, kept, core, addresses):
        """`folder`: of this run; `kept`: where what was unpacked and installed stays for the next."""
        self.folder, self.kept = pathlib.Path(folder) / self.name, kept
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o711)
        self.core = core
        self.port = free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.prepare()
        self.write(addresses)
        self.load()
        self._log = open(self.folder / "output", "wb")
        self.process = start(self.start_command(), core, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def run(self, *words, text=None, cwd=None):
        """One of the peer's own tools, on the peer's core."""
        done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True, check=False, cwd=cwd,
                              preexec_fn=lambda: os.sched_setaffinity(0, {self.core}))
        if done.returncode != 0:
            raise Failure(f"{self.name}: {words[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")

    def _wait(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    if connection.recv(512).startswith(b"220"):
                        connection.sendall(b"QUIT\r\n")
                        connection.recv(512)
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise Failure(f"{self.name} did not start: " + (self.folder / "output").read_text(encoding="utf-8", errors="replace")[-500:])

    def stop(self):
        family = tree_of(self.pid, read_stats())
        stop(self.process)
        for pid in family[1:]:  # those that their parent left behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
