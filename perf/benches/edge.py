"""A postern-edge for benchmarks and load tests: listening on loopback, with table files made for it (perf/bench_lists.cc)."""

import pathlib
import random
import socket
import string
import subprocess
import time

from .running import Failure, start, stop
from .swaps import EdgeSocket

_CONFIGURATION = """\
[edge]
name = "edge.invalid"
user = ""
state = "{folder}/state"
tables = "{folder}/tables"
socket = "{folder}/edge.sock"
shards = {shards}
cores = "{cores}"
transport = "{transport}"

[[listener]]
address = "{address}"
port = {port}

[limits]
connections = 4096
connections_per_source = 4096

[egress]
allowed = ["127.0.0.0/8"]

[log]
level = "warn"
"""


def make_addresses(count, domain, seed=1):
    """So many different addresses, of 25 characters in example.com, the same for one seed. The dot keeps them apart from the strangers
    that postern-load makes up."""
    source = random.Random(seed)
    made = set()
    while len(made) < count:
        word = "".join(source.choices(string.ascii_lowercase, k=12))
        made.add(f"{word[:5]}.{word[5:]}@{domain}")
    return sorted(made)


def write_lines(path, addresses):
    path.write_text("\n".join(addresses) + "\n", encoding="ascii")
    return path


class Edge:
    """`core`: the CPU of its shard, by `edge.cores` as an operator would; what else it does goes where the kernel puts it. `downstream`: port
    of the mail server that listed recipients are passed to; without one they get 451. `more`: further sections of edge.toml. `inside`: a
    prefix for the command, `address` where it listens, if not on loopback."""

    def __init__(self, folder, binaries, shards=1, core=None, downstream=0, more="", inside=(), address="127.0.0.1", transport="sockets"):
        self.folder = pathlib.Path(folder)
        self.binaries = binaries
        self._downstream = downstream
        self._generation = 0
        self._address, self._inside = address, list(inside)
        for part in ("state", "tables"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "edge.toml"
        configuration.write_text(_CONFIGURATION.format(folder=self.folder, shards=shards, cores="" if core is None else core, address=address,
                                                       port=25 if inside else 0, transport=transport) + more, encoding="utf-8")
        self._log = open(self.folder / "edge.log", "wb")
        self.process = start([*inside, binaries / "postern-edge", "--config", configuration], stderr=self._log)
        self.pid = self.process.pid
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                with self.socket() as edge:
                    listener = edge.ask("show listeners")["listeners"][0]
                self.target = f"{self._address}:{listener['port']}"
                if self._inside:
                    return  # nobody here can connect to it
                with socket.create_connection(("127.0.0.1", listener["port"]), timeout=5) as connection:
                    if connection.recv(512).startswith(b"220"):
                        return
            except (OSError, KeyError, IndexError):
                pass
            time.sleep(0.02)
        raise Failure("postern-edge did not start: " + (self.folder / "edge.log").read_text(encoding="utf-8", errors="replace")[-500:])

    def socket(self):
        return EdgeSocket(self.folder / "edge.sock")

    def _make(self, kind, words, stdin=subprocess.DEVNULL):
        self._generation += 1
        name = f"{kind}-{self._generation}.table"
        command = [self.binaries / "postern-bench-lists", kind, self.folder / "tables" / name, self._generation, *words]
        done = subprocess.run([str(word) for word in command], stdin=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())
        return name

    def build(self, addresses, domain="example.com"):
        """A base of these addresses in the edge's folder of tables; its file name."""
        return self.build_from(write_lines(self.folder / "addresses.txt", addresses), domain)

    def build_from(self, path, domain="example.com"):
        """The same of a file with an address in each line."""
        with path.open("rb") as file:
            return self._make("base", [domain, self._downstream], file)

    def build_overlay(self, base, added):
        return self._make("overlay", [self.folder / "tables" / base, *added])

    def put_in_force(self, file):
        with self.socket() as edge:
            edge.ask(f"table prepare {file}")
            edge.ask("table commit")

    def stop(self):
        stop(self.process)
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Lists:
    """Two lists of equal size in an edge's folder of tables, and the files that postern-load reads them from."""

    def __init__(self, folder, edge, count, domain="example.com"):
        self.domain = domain
        own = min(2000, count // 10)  # how many only one of them has
        addresses = make_addresses(count + own, domain)
        random.Random(2).shuffle(addresses)
        both, self.only = addresses[2 * own :], (addresses[:own], addresses[own : 2 * own])
        self.files = tuple(edge.build(both + only, domain) for only in self.only)
        self.both_file = write_lines(folder / "both.txt", both)
        self.a_file = write_lines(folder / "only-a.txt", self.only[0])
        self.b_file = write_lines(folder / "only-b.txt", self.only[1])
