"""Postern's edge over kernel sockets, and the do-nothing server, as peers."""

import contextlib
import os

from benches.edge import Edge, write_lines
from benches.running import NullServer

from .peer import Peer


@contextlib.contextmanager
def on_core(core):
    """What this process starts runs on the core, with all its threads, as the peers and their own tools do."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Postern:
    """One shard. Listed recipients are passed on to a server that accepts all; this needs time on the load's core."""

    name = "edge"
    churn_connections, pipelining, stranger_replies = Peer.churn_connections, Peer.pipelining, Peer.stranger_replies

    def __init__(self, folder, binaries, core, load_core, addresses):
        self._core = core
        with contextlib.ExitStack() as stack:
            self._downstream = stack.enter_context(NullServer(binaries, listed="", core=load_core))
            with on_core(core):
                self._edge = stack.enter_context(Edge(folder / self.name, binaries, core=core, downstream=self._downstream.port))
            self.target, self.pid = self._edge.target, self._edge.pid
            self.write(addresses)
            self.load()
            self._stack = stack.pop_all()

    def write(self, addresses):
        self._list = write_lines(self._edge.folder / "list.txt", addresses)

    def load(self):
        with on_core(self._core):
            self._base = self._edge.build_from(self._list)
            self._edge.put_in_force(self._base)

    def add(self, address):
        with on_core(self._core):
            overlay = self._edge.build_overlay(self._base, [address])
            with self._edge.socket() as control:
                control.ask(f"table prepare - {overlay}")
                control.ask("table commit")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()


class Null(NullServer):
    """It has no list: it takes no part where lists change."""

    name = "null"
    churn_connections, pipelining, stranger_replies = Peer.churn_connections, Peer.pipelining, Peer.stranger_replies
