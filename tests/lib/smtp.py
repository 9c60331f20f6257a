"""A bare SMTP client for whole-process tests: says exactly what it is told, and shows exactly what came back."""

import contextlib
import socket
import time


class Place(int):
    """An SMTP port: its number, the address that clients connect to, the namespace (lib/namespace.py) that they do it from, and the
    address that they have there."""

    def __new__(cls, number, address="127.0.0.1", namespace=None, client="127.0.0.1"):
        place = super().__new__(cls, number)
        place.address, place.namespace, place.client = address, namespace, client
        return place

    def at(self, address):
        """The same port at another address of the same server."""
        return Place(self, address, self.namespace, self.client)

    @property
    def clients_network(self):
        """Where its clients come from, as events name it."""
        return f"{self.client.rpartition('.')[0]}.0/24"

    def clients(self):
        """A context in which the thread's sockets and processes are where the clients are."""
        return self.namespace.inside() if self.namespace else contextlib.nullcontext()


class Client:
    """One connection. `reply()` reads one whole reply; `say(line)` sends a command and reads its reply.

    `port` is a number at 127.0.0.1, or a Place.
    """

    def __init__(self, port, timeout=30, greet=True, source=None):
        place = port if hasattr(port, "clients") else Place(port)
        with place.clients():
            self.socket = socket.create_connection((place.address, int(place)), timeout=timeout,
                                                   source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self.socket.makefile("rb")
        self.greeting = self.reply() if greet else None

    def reply(self):
        """All lines of the next reply, CRLF taken off, joined by newlines; empty if the connection is over."""
        lines = []
        while True:
            line = self._lines.readline(8192)
            if not line:
                return "\n".join(lines)
            lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode())

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def open(self, sender="sender@elsewhere.example", helo="client.example"):
        """EHLO and MAIL; the replies must be 250."""
        for line in (f"EHLO {helo}", f"MAIL FROM:<{sender}>"):
            reply = self.say(line)
            assert reply.startswith("250"), (line, reply)
        return self

    def deliver(self, recipients, content, sender="sender@elsewhere.example"):
        """One whole transaction; the last reply that decides it: of MAIL, of RCPT (if all are refused), of DATA or of the final dot."""
        reply = self.say(f"MAIL FROM:<{sender}>")
        if not reply.startswith("250"):
            return reply
        replies = [self.say(f"RCPT TO:<{recipient}>") for recipient in recipients]
        if not any(reply.startswith("250") for reply in replies):
            return replies[-1]
        reply = self.say("DATA")
        if not reply.startswith("354"):
            return reply
        stuffed = b"".join(b"." + line if line.startswith(b".") else line for line in content.splitlines(keepends=True))
        try:
            self.send(stuffed + b".\r\n")
        except BrokenPipeError:
            pass  # the server has answered and closed before all was sent: its reply is there to be read
        return self.reply()

    def quit(self):
        reply = self.say("QUIT")
        self.close()
        return reply

    def close(self):
        self._lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def rcpt_reply(port, recipient, **options):
    """The reply to one RCPT in a session of its own."""
    with Client(port, **options) as client:
        client.open()
        reply = client.say(f"RCPT TO:<{recipient}>")
        client.send("QUIT\r\n")
        return reply


def timed(action):
    """The action's result and how many seconds it took."""
    began = time.monotonic()
    result = action()
    return result, time.monotonic() - began
