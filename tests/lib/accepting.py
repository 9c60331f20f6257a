"""A listener on loopback with a thread that accepts: what the servers of tests stand on."""

import socket
import threading


class Accepting:
    """Calls `serve(connection)` on a thread of its own for each connection that comes, until `end()`.

    `port` is where it listens. `end()` returns when the accepting thread has ended: one that were left in accept() would go on with whatever listener gets
    the descriptor's number next, and take the connections of a later test.
    """

    def __init__(self, serve):
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def end(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
