"""A TCP relay between a client and a server of tests that falls silent at a place of the test's choice."""

import socket
import threading

from accepting import Accepting


class Relay:
    """Accepts connections and relays them to `to` for so many octets of answers (`asked`: of questions instead); then, or without `to`, is silent for ever.

    Octets are of each connection. `reached` is set when they are used up; `open()` lets all through from now on; `cut()` ends the connections; `connect` makes the
    connection to the server (in another network namespace, say).
    """

    def __init__(self, to=None, octets=0, connect=None, asked=None):
        self.to, self.octets, self.asked = to, None if asked else octets, asked
        self.reached = threading.Event()
        self._connect = connect or (lambda port: socket.create_connection(("127.0.0.1", port)))
        self._opened = threading.Event()
        self.kept = []
        self._accepting = Accepting(self._relay)
        self.port = self._accepting.port

    def _relay(self, client):
        self.kept.append(client)
        if not self.to:
            return
        try:
            server = self._connect(self.to)
        except OSError:
            client.close()
            return
        self.kept.append(server)
        threading.Thread(target=self._pump, args=(client, server, self.asked), daemon=True).start()
        self._pump(server, client, self.octets)

    def _pump(self, source, sink, left):
        try:
            while True:
                if left == 0:
                    self.reached.set()
                    self._opened.wait()
                    left = None
                block = source.recv(65536 if left is None else min(65536, left))
                if not block:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(block)
                left = None if left is None else left - len(block)
        except OSError:
            return

    def open(self):
        self.octets = self.asked = None
        self._opened.set()

    def cut(self):
        for each in self.kept:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._opened.set()
        self._accepting.end()
        for each in self.kept:
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        self.close()
