"""Hot swaps from the driver's side: the edge socket, and the file in which postern-load reads which list may be in force when."""

import json
import mmap
import pathlib
import socket
import time

from .running import Failure

_MAGIC = int.from_bytes(b"PSTNSWAP", "little")


class Windows:
    """The shared file of `--swap-windows` (perf/swap_windows.h has its layout). List 0 is A, 1 is B; the first is in force at the start."""

    def __init__(self, path, room=4096, first=0):
        self.path = pathlib.Path(path)
        self._room = room
        octets = 8 * (2 + 4 * room)
        with open(self.path, "wb") as new:
            new.truncate(octets)
        with open(self.path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), octets)
        # A memoryview of native 64-bit words stores each in one piece: the reader never sees half of one.
        self._words = memoryview(self._map).cast("Q")
        self._count = 0
        self._append(1, 1, 1, first)
        self._words[0] = _MAGIC

    def _append(self, preparing, begun, ended, which):
        if self._count == self._room:
            raise Failure(f"no room for more than {self._room} swaps in {self.path}")
        at = 2 + 4 * self._count
        self._words[at : at + 4] = memoryview(b"".join(word.to_bytes(8, "little") for word in (preparing, begun, ended, which))).cast("Q")
        self._count += 1
        self._words[1] = self._count

    def preparing(self, which):
        """Call before the swap to list `which` is prepared."""
        self._append(time.monotonic_ns(), 0, 0, which)

    def begun(self):
        """Call before the commit is sent."""
        self._words[2 + 4 * (self._count - 1) + 1] = time.monotonic_ns()

    def ended(self):
        """Call after the commit's reply has come."""
        self._words[2 + 4 * (self._count - 1) + 2] = time.monotonic_ns()

    def close(self):
        self._words.release()
        self._map.close()
        self.path.unlink(missing_ok=True)


class EdgeSocket:
    """A client of the edge socket (docs/edge-socket.md)."""

    def __init__(self, path, timeout=60):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def send(self, command):
        self._socket.sendall(command.encode() + b"\n")

    def reply(self):
        line = self._lines.readline()
        if not line:
            raise Failure("the edge closed its socket")
        answer = json.loads(line)
        if not answer.get("ok"):
            raise Failure(f"edge socket: {answer.get('error')}")
        return answer

    def ask(self, command):
        self.send(command)
        return self.reply()

    def close(self):
        self._lines.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def swap(edge, windows, file, which):
    """One hot swap to the table file of list `which`: (ns of prepare, ns of commit)."""
    windows.preparing(which)
    start = time.monotonic_ns()
    edge.ask(f"table prepare {file}")
    prepared = time.monotonic_ns()
    windows.begun()
    edge.ask("table commit")
    committed = time.monotonic_ns()
    windows.ended()
    return prepared - start, committed - prepared
