"""A postern-edge for benchmarks: one shard, listening on loopback, its tables built by postern-table."""

import pathlib
import random
import smtplib
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

[[listener]]
address = "127.0.0.1"
port = 0

[limits]
connections = 20000
connections_per_source = 20000

[log]
level = "warn"
"""


def make_addresses(count, domain, seed=1):
    """So many different addresses, of about 25 characters, the same for one seed."""
    source = random.Random(seed)
    made = set()
    while len(made) < count:
        made.add("".join(source.choices(string.ascii_lowercase, k=5)) + "." + "".join(source.choices(string.ascii_lowercase, k=7)))
    return [f"{local}@{domain}" for local in sorted(made)]


class Edge:
    def __init__(self, folder, binaries, shards=1, core=None):
        self.folder = pathlib.Path(folder)
        self.binaries = binaries
        for part in ("state", "tables"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "edge.toml"
        configuration.write_text(_CONFIGURATION.format(folder=self.folder, shards=shards), encoding="utf-8")
        self._log = open(self.folder / "edge.log", "wb")
        self.process = start([binaries / "postern-edge", "--config", configuration], core, stderr=self._log)
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
                self.target = f"127.0.0.1:{listener['port']}"
                with socket.create_connection(("127.0.0.1", listener["port"]), timeout=5) as connection:
                    if connection.recv(512).startswith(b"220"):
                        return
            except (OSError, KeyError, IndexError):
                pass
            time.sleep(0.02)
        raise Failure("postern-edge did not start: " + (self.folder / "edge.log").read_text(encoding="utf-8", errors="replace")[-500:])

    def socket(self):
        return EdgeSocket(self.folder / "edge.sock")

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
